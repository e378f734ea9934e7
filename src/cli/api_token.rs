//! `scalper api-token`: who may call the daemon's API. Works beside a running daemon, which takes changes over at once.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use comfy_table::{Table, presets};
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::exit::{BadUsage, Code};
use crate::api::route::Role;
use crate::api::tokens::{self, Token, TokensError};
use crate::clock::SessionClock;

/// Arguments of the verb.
#[derive(Debug, Args)]
pub struct ApiTokenArgs {
    #[command(subcommand)]
    action: Action,
    /// Data folder of the engine.
    #[arg(long, global = true, value_name = "DIR", default_value = "data", env = "SCALPER_DATA_DIR")]
    data_dir: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Makes a token and prints it, this once; only its hash is kept.
    Create {
        /// What it is called: 1 to 40 letters, digits, dots, dashes, underscores. Acts are audited under this name, so it
        /// is never used again.
        #[arg(long)]
        name: String,
        /// What it may do: read; operate, which is read and the verbs that take risk away or end them; admin, which is all.
        #[arg(long, value_enum)]
        role: Role,
    },
    /// Shows every token ever made, without its secret.
    List {
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Ends a token at once.
    Revoke {
        /// Its name.
        name: String,
    },
}

/// Runs the verb.
///
/// # Errors
/// A name that cannot be or is unknown, and files that do not work.
pub fn run(args: &ApiTokenArgs) -> anyhow::Result<Code> {
    let (dir, now) = (&args.data_dir, SessionClock::wall().now());
    match &args.action {
        Action::Create { name, role } => {
            std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
            let secret = tokens::create(dir, name, *role, now).map_err(usage)?;
            eprintln!("token {name:?} with the role {}, shown once:", role.name());
            println!("{}", secret.expose_secret());
        }
        Action::List { json } => show(&tokens::list(dir)?, *json),
        Action::Revoke { name } => {
            let worked = tokens::revoke(dir, name, now).map_err(usage)?;
            println!("{}", if worked { "done" } else { "it was so already" });
        }
    }
    Ok(Code::Ok)
}

fn usage(e: TokensError) -> anyhow::Error {
    match e {
        TokensError::Name(_) | TokensError::Taken(_) | TokensError::Unknown(_) => BadUsage(e.to_string()).into(),
        other => other.into(),
    }
}

fn show(tokens: &[Token], as_json: bool) {
    let text = |at: Option<scalper_decide::domain::Instant>| at.map(|at| at.ist_text());
    if as_json {
        let row = |t: &Token| {
            json!({ "name": t.name, "role": t.role, "created_at": t.created_at.ist_text(), "used_at": text(t.used_at),
                "revoked_at": text(t.revoked_at) })
        };
        println!("{}", json!({ "tokens": tokens.iter().map(row).collect::<Vec<_>>() }));
        return;
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["name", "role", "made", "last used", "ended"]);
    for token in tokens {
        let or = |at| text(at).unwrap_or_else(|| "-".to_owned());
        let made = token.created_at.ist_text();
        table.add_row([token.name.as_str(), token.role.name(), &made, &or(token.used_at), &or(token.revoked_at)]);
    }
    println!("{table}");
}
