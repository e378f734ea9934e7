//! `scalper token`: puts a Dhan token in its place, renews it, says how long it lives. Never shows one.

use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use scalper_decide::domain::{Age, Instant};
use secrecy::SecretString;
use serde_json::json;

use super::exit::{BadInput, BadUsage, Code};
use crate::broker::dhan::rest::budget::Unlimited;
use crate::broker::dhan::rest::client::Client;
use crate::broker::dhan::rest::endpoints::Endpoints;
use crate::broker::dhan::rest::token::{self, CheckedToken, TokenError, TokenKeeper, TokenSource, TokenStatus};
use crate::broker::dhan::rest::transport::Limits;
use crate::broker::mode::Paper;
use crate::clock::SessionClock;

/// Longest text that is read as a token.
const MAX_TOKEN: u64 = 16 * 1024;

/// Arguments of the verb.
#[derive(Debug, Args)]
pub struct TokenArgs {
    #[command(subcommand)]
    action: Action,
    /// Token file, readable by its owner only [default: scalper/dhan-token in the configuration folder].
    #[arg(long, global = true, env = "SCALPER_TOKEN_FILE")]
    file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Reads a token from standard input and writes it to the token file; a running daemon takes it over.
    Set {
        /// Account the token is for.
        #[arg(long, env = "DHAN_CLIENT_ID")]
        client_id: String,
        /// Take the token from DHAN_ACCESS_TOKEN instead of standard input.
        #[arg(long)]
        from_env: bool,
    },
    /// Exchanges the token in the file for a new one at the broker; the old one ends.
    Renew {
        /// REST address, version included; https, or http on this machine.
        #[arg(long, env = "SCALPER_DHAN_REST", default_value = "https://api.dhan.co/v2")]
        rest: String,
    },
    /// Shows account, end, time left and source.
    Status {
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
}

/// Runs the verb.
pub fn run(args: &TokenArgs) -> anyhow::Result<Code> {
    let clock = SessionClock::wall();
    match &args.action {
        Action::Set { client_id, from_env } => set(&file(args)?, client_id, *from_env, &clock),
        Action::Renew { rest } => renew(file(args)?, rest, clock),
        Action::Status { json } => {
            let file = file(args).ok();
            let found = token::find(|name| std::env::var(name).ok(), file.as_deref())?;
            show(&TokenKeeper::new(found, None, clock.clone()).status(), clock.now(), *json)
        }
    }
}

/// The token file: the one named, or the one in the configuration folder.
pub fn token_file(named: Option<&Path>) -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let config = || folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")));
    named.map(Path::to_owned).or_else(|| config().map(|folder| folder.join("scalper").join("dhan-token")))
}

fn file(args: &TokenArgs) -> anyhow::Result<PathBuf> {
    token_file(args.file.as_deref())
        .ok_or_else(|| BadUsage("no home folder for the token file: name one with --file".to_owned()).into())
}

fn set(file: &Path, client_id: &str, from_env: bool, clock: &SessionClock) -> anyhow::Result<Code> {
    let text: SecretString = if from_env {
        std::env::var("DHAN_ACCESS_TOKEN").map_err(|_| BadUsage("DHAN_ACCESS_TOKEN is not set".to_owned()))?.into()
    } else {
        if std::io::stdin().is_terminal() {
            eprintln!("Paste the access token and end with Ctrl-D:");
        }
        let mut text = String::new();
        std::io::stdin().take(MAX_TOKEN).read_to_string(&mut text)?;
        text.into()
    };
    let token = CheckedToken::new(client_id, text).map_err(|e| BadInput(e.to_string()))?;
    if token.ends <= clock.now() {
        return Err(BadInput(TokenError::Expired(token.ends).to_string()).into());
    }
    token::file::write(file, &token.credentials.client_id, &token.credentials.token)?;
    let source = TokenSource::File(file.to_owned());
    show(&TokenKeeper::new((token, source), None, clock.clone()).status(), clock.now(), false)
}

fn renew(file: PathBuf, rest: &str, clock: SessionClock) -> anyhow::Result<Code> {
    let found = token::find(|name| std::env::var(name).ok(), Some(&file))?;
    if found.1 == TokenSource::Environment {
        // The new token would end the one in the environment, which would still be found first.
        return Err(BadUsage(
            "the token comes from the environment: run `scalper token set`, unset DHAN_ACCESS_TOKEN, then renew".into(),
        )
        .into());
    }
    let rest = rest.parse().map_err(|e| BadUsage(format!("{rest:?} is not an address: {e}")))?;
    let keeper = TokenKeeper::new(found, Some(file), clock.clone());
    let endpoints = Endpoints { rest, ..Endpoints::default() };
    let client: Client<Paper> =
        Client::for_paper(endpoints, keeper.subscribe(), Arc::new(Unlimited), Limits::default())
            .map_err(|e| BadUsage(e.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let status = runtime.block_on(keeper.renew(&client))?;
    show(&status, clock.now(), false)
}

fn hours(left: Age) -> String {
    format!("{} h {:02} min", left.secs() / 3600, left.secs() / 60 % 60)
}

/// Prints the status; a token that is over is an error.
fn show(status: &TokenStatus, now: Instant, as_json: bool) -> anyhow::Result<Code> {
    if as_json {
        println!(
            "{}",
            json!({"client_id": status.client_id, "ends": status.ends.ist_text(), "seconds_left": status.left.secs(),
                "source": status.source.to_string(), "ends_soon": status.ends_soon()})
        );
    } else {
        println!("client id  {}", status.client_id);
        println!("ends       {}", status.ends.ist_text());
        println!("left       {}", hours(status.left));
        println!("source     {}", status.source);
    }
    if status.ends <= now {
        return Err(TokenError::Expired(status.ends).into());
    }
    if status.ends_soon() {
        eprintln!("warning: the token ends in less than two hours");
    }
    Ok(Code::Ok)
}
