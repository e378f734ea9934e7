//! `scalper doctor`: every check in one table (N16). A running engine examines itself; without one the same checks are
//! made here.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::bail;
use clap::Args;

use super::config::named_or_default;
use super::exit::Code;
use super::operate::Where;
use super::run::{BrokerArgs, broker, master, parse_mode};
use crate::broker::Paper;
use crate::broker::dhan::rest::budget::Unlimited;
use crate::broker::dhan::rest::client::Client;
use crate::broker::dhan::rest::transport::Limits;
use crate::clock::SessionClock;
use crate::config::{self, Effective};
use crate::engine::sim::SimAccess;
use crate::engine::status;
use crate::journal::run::Mode;
use crate::ops::control::SOCKET;
use crate::ops::control::client::{AskError, ControlClient};
use crate::ops::control::protocol::{Request, Response};
use crate::ops::doctor::{self, AtBroker, Check, Patient};

/// Arguments of `scalper doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Data folder and form of the answer.
    #[command(flatten)]
    pub at: Where,
    /// Settings file; `config/algo.yml` when it exists, otherwise the built-in settings.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Preset on top of those the file names; may be repeated, later ones win.
    #[arg(long, value_name = "NAME")]
    pub preset: Vec<String>,
    /// Which mode to check for when no engine runs: sim, paper or live [default: engine.mode of the settings].
    #[arg(long, value_name = "MODE", value_parser = parse_mode)]
    pub mode: Option<Mode>,
    /// A simulator that plays the broker: the file has what `scalper sim --json` printed.
    #[arg(long, value_name = "FILE")]
    pub simulator: Option<PathBuf>,
    /// Where the broker is.
    #[command(flatten)]
    pub broker: BrokerArgs,
}

/// Runs the verb.
///
/// # Errors
/// When there is nothing to check: no settings, no answer of a running engine. A check that fails is no error, but a
/// non-zero exit code.
pub fn run(args: &DoctorArgs) -> anyhow::Result<Code> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let checks = runtime.block_on(async {
        match ControlClient::connect(&args.at.data_dir.join(SOCKET)).await {
            Ok(mut engine) => match engine.ask(&Request::Doctor).await? {
                Response::Checks { checks } => Ok(checks),
                other => bail!("the engine answered something else: {other:?}"),
            },
            Err(AskError::NoEngine { .. }) => alone(args).await,
            Err(e) => Err(e.into()),
        }
    })?;
    if args.at.json {
        println!("{}", serde_json::json!({"ok": doctor::failures(&checks).count() == 0, "checks": checks}));
    } else {
        println!("{}", doctor::table(&checks));
    }
    Ok(if doctor::failures(&checks).count() == 0 { Code::Ok } else { Code::Failure })
}

/// The checks without an engine.
async fn alone(args: &DoctorArgs) -> anyhow::Result<Vec<Check>> {
    let config = config::load_with(named_or_default(args.config.as_deref()), std::env::vars(), &args.preset)?;
    let mode = match args.mode.unwrap_or(config.engine.mode) {
        Mode::Sim => status::Mode::Sim,
        Mode::Paper => status::Mode::Paper,
        Mode::Live => status::Mode::Live,
    };
    let dir = args.at.data_dir.clone();
    // What does not exist yet can be made; whether it is of use is a check.
    let _ = std::fs::create_dir_all(&dir);
    if mode == status::Mode::Sim {
        let none = Err("sim has no broker".to_owned());
        // Session time of a simulated market begins with its engine: the day it begins with is covered or not.
        return Ok(Patient::new(mode, none, SessionClock::wall(), dir, &config).examine(None).await);
    }
    let simulator = args.simulator.as_deref().map(SimAccess::from_file).transpose()?;
    let clock = match &simulator {
        Some(simulator) => simulator.clock().await?,
        None => SessionClock::wall(),
    };
    let broker = at_broker(args, &config, simulator.as_ref(), &clock).await?;
    Ok(Patient::new(mode, broker, clock, dir, &config).examine(None).await)
}

async fn at_broker(
    args: &DoctorArgs,
    config: &Effective,
    simulator: Option<&SimAccess>,
    clock: &SessionClock,
) -> anyhow::Result<Result<AtBroker, String>> {
    let hosts: broker::Hosts = args.broker.hosts(simulator)?;
    let keeper = match args.broker.token(clock) {
        Ok(keeper) => keeper,
        Err(e) => return Ok(Err(e.to_string())),
    };
    let client: Client<Paper> =
        Client::for_paper(hosts.rest, keeper.subscribe(), Arc::new(Unlimited), Limits::default())?;
    // The list that a start would trade on; what is wrong with it shows as its age.
    if let Err(e) = master::instruments(&client, &args.at.data_dir, config, clock).await {
        tracing::warn!(error = format!("{e:#}"), "the instrument list");
        eprintln!("instrument list: {e:#}");
    }
    Ok(Ok(AtBroker { keeper, reads: Arc::new(client) }))
}
