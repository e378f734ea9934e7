//! `scalper run`: the daemon. What it is connected to is made here, one file per mode; how it lives is `serve`.

pub mod broker;
mod day;
pub mod master;
mod night;
mod reload;
mod serve;
mod sim;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::NaiveDate;
use clap::Args;

pub use broker::BrokerArgs;
use day::Ground;
use serve::Run;
use sim::World;

use super::config::named_or_default;
use super::exit::{BadUsage, Code};
use crate::api::state::SharedShelf;
use crate::config::{self, Effective};
use crate::engine::sim::SimAccess;
use crate::engine::start::{Plan, Role};
use crate::journal::run::Mode;
use crate::ops::logging;
use crate::store::place::StoreUrl;

/// Session seconds per second of the wall, at most.
const MOST_SPEED: f64 = 1_000.0;

/// Arguments of `scalper run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Settings file; `config/algo.yml` when it exists, otherwise the built-in settings.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Preset on top of those the file names; may be repeated, later ones win.
    #[arg(long, value_name = "NAME")]
    pub preset: Vec<String>,
    /// How to trade: sim, paper or live [default: engine.mode of the settings]. Live needs both.
    #[arg(long, value_name = "MODE", value_parser = parse_mode)]
    pub mode: Option<Mode>,
    /// Data folder: database, journal, operator's socket.
    #[arg(long, value_name = "DIR", default_value = "data", env = "SCALPER_DATA_DIR")]
    pub data_dir: PathBuf,
    /// The database, sqlite:PATH or postgres://..; a file in the data folder when not given.
    #[arg(long, value_name = "URL", env = "SCALPER_DATABASE_URL", hide_env_values = true)]
    pub url: Option<String>,
    /// Session seconds per second of the wall, 1 to 1000.
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = parse_speed)]
    pub speed: f64,
    /// Seed of the generated market.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// First trading day of the simulated market.
    #[arg(long, value_name = "DATE", default_value = "2026-02-10")]
    pub day: NaiveDate,
    /// Play a recorded tape instead of a generated market.
    #[arg(long, value_name = "DIR")]
    pub tape: Option<PathBuf>,
    /// Connect to a simulator that runs by itself: the file has what `scalper sim --json` printed. The data folder
    /// then outlives the daemon, and a start is a recovery. In paper and live it plays the broker; the token is found
    /// as usual.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["speed", "seed", "day", "tape"])]
    pub simulator: Option<PathBuf>,
    /// What goes wrong at the simulator in this process: a fault schedule, see docs/FAULTS.md.
    #[arg(long, value_name = "FILE", conflicts_with = "simulator")]
    pub faults: Option<PathBuf>,
    /// Where the API, health and metrics are served. Another address than loopback needs --allow-host too.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8000")]
    pub listen: SocketAddr,
    /// A name under which the API may be called from outside, with its port unless that is the scheme's own; may be
    /// repeated. Calls under any other name than these and loopback's are refused.
    #[arg(long, value_name = "NAME[:PORT]")]
    pub allow_host: Vec<String>,
    /// How many calls the API lets through, as a multiple of the usual.
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = parse_rate)]
    pub api_rate: f64,
    /// Trading days to live, nights and holidays between them waited through; without end at a broker, one where a
    /// simulator is met, when not given. A simulator in this process skips its nights.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub days: Option<u32>,
    /// When a day is over, print its status as one JSON object, as `scalper status --json` does.
    #[arg(long)]
    pub json: bool,
    /// Where the broker is.
    #[command(flatten)]
    pub broker: BrokerArgs,
    /// Who starts the guardian, without which there are no entries.
    #[arg(long, value_name = "WHO", value_enum, default_value_t = GuardianFrom::Run)]
    pub guardian: GuardianFrom,
    /// Run without a guardian: nobody closes open positions should this process die.
    #[arg(long, conflicts_with = "guardian")]
    pub no_guardian: bool,
}

/// Who starts the guardian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum GuardianFrom {
    /// This verb, unless one is at its post already. It outlives the run.
    Run,
    /// Somebody else: a service manager, or a person.
    Elsewhere,
}

pub(super) fn parse_mode(text: &str) -> Result<Mode, String> {
    Mode::from_name(text).ok_or_else(|| "sim, paper or live".to_owned())
}

/// The mode: the command line wins over the settings, and live needs both (S24).
pub(super) fn mode(args: &RunArgs, config: &Effective) -> anyhow::Result<Mode> {
    match (args.mode, config.engine.mode) {
        (Some(Mode::Live), Mode::Live) => Ok(Mode::Live),
        (Some(Mode::Live), other) => {
            Err(BadUsage(format!("live orders need `engine: {{mode: live}}` in the settings too, which say {other}"))
                .into())
        }
        (None, Mode::Live) => Err(BadUsage("the settings say live, which needs --mode live as well".to_owned()).into()),
        (Some(mode), _) | (None, mode) => Ok(mode),
    }
}

fn parse_rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| (0.1..=1_000.0).contains(rate));
    rate.ok_or_else(|| "a number from 0.1 to 1000".to_owned())
}

fn parse_speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| "a number from 1 to 1000".to_owned())?;
    if (1.0..=MOST_SPEED).contains(&speed) { Ok(speed) } else { Err("a number from 1 to 1000".to_owned()) }
}

/// Runs the daemon until it is stopped.
///
/// # Errors
/// Everything that keeps it from starting, with what would help.
pub fn run(args: &RunArgs) -> anyhow::Result<Code> {
    let logs = logging::start();
    let config = config::load_with(named_or_default(args.config.as_deref()), std::env::vars(), &args.preset)?;
    let url = args.url.as_deref().map(StoreUrl::parse).transpose().map_err(|e| BadUsage(e.to_string()))?;
    let mode = mode(args, &config)?;
    broker::writable(&args.data_dir)?;
    let simulator = args.simulator.as_deref().map(SimAccess::from_file).transpose()?;
    let world = match (mode, simulator) {
        (Mode::Sim, simulator) => Some(sim::world(args, &config, simulator)?),
        (_, Some(simulator)) => Some(World::Other(simulator)),
        (_, None) => None,
    };
    let system = actix_rt::System::new();
    let code = system.block_on(async {
        let access = world.as_ref().map(World::access).cloned();
        let days = args.days.or_else(|| access.is_some().then_some(1));
        let may_wait = args.days.is_some() || days.is_none();
        let ground = Ground { args: Arc::new(args.clone()), mode, access, store: url, shelf: SharedShelf::default() };
        serve::serve(Run { ground, config, world: world.as_ref(), days, may_wait }).await
    });
    drop(world);
    if logs.dropped() > 0 {
        eprintln!("{} log lines were dropped", logs.dropped());
    }
    code
}

/// What to run: one connection per mode.
pub(super) async fn plan(
    args: &RunArgs,
    config: Effective,
    mode: Mode,
    access: Option<&SimAccess>,
    store: Option<StoreUrl>,
    role: Role,
) -> anyhow::Result<Plan> {
    match mode {
        Mode::Sim => sim::plan(args, config, access.expect("sim has a simulator"), store, role).await,
        Mode::Paper => broker::paper(args, config, access, store, role).await,
        Mode::Live => broker::live(args, config, access, store, role).await,
    }
}
