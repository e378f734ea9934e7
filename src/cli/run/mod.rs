//! `scalper run`: the daemon. What it is connected to is made here, one file per mode; how it lives is [`serve`].

mod serve;
mod sim;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use chrono::NaiveDate;
use clap::Args;

use super::config::named_or_default;
use super::exit::{BadUsage, Code};
use crate::config;
use crate::ops::logging;
use crate::store::place::StoreUrl;

/// Session seconds per second of the wall, at most.
const MOST_SPEED: f64 = 1_000.0;

/// Arguments of `scalper run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Settings file; `config/algo.yml` when it exists, otherwise the built-in settings.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Preset on top of those the file names; may be repeated, later ones win.
    #[arg(long, value_name = "NAME")]
    pub preset: Vec<String>,
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
    /// then outlives the daemon, and a start is a recovery.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["speed", "seed", "day", "tape"])]
    pub simulator: Option<PathBuf>,
    /// Where health and metrics are served; loopback only.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8000")]
    pub listen: SocketAddr,
    /// When the day is over, print its status as one JSON object, as `scalper status --json` does.
    #[arg(long)]
    pub json: bool,
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
    std::fs::create_dir_all(&args.data_dir).with_context(|| format!("{}", args.data_dir.display()))?;
    let world = sim::world(args, &config)?;
    let system = actix_rt::System::new();
    let code = system.block_on(async {
        let plan = sim::plan(args, config, &world, url).await?;
        serve::serve(args, plan).await
    });
    drop(world);
    if logs.dropped() > 0 {
        eprintln!("{} log lines were dropped", logs.dropped());
    }
    code
}
