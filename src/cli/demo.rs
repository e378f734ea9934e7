//! `scalper demo`: the whole chain on generated days, offline.

use std::path::PathBuf;

use clap::Args;

use super::backtest::{ReplayArgs, check_destinations, replay};
use super::exit::Code;
use crate::backtest::feed::TickFeed as _;
use crate::backtest::sample_feed::SampleFeed;
use crate::backtest::tape_feed::save_day;
use crate::config::{self, tables};
use crate::sample::demo::DEMO_SEED;
use crate::sample::{Sample, SampleSpec};

/// Preset the demo days are made for; presets given on the command line come on top of it.
const DEMO_PRESET: &str = "demo";

/// Arguments of `scalper demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Seed of the generated days.
    #[arg(long, default_value_t = DEMO_SEED)]
    pub seed: u64,
    /// Where the HTML report goes.
    #[arg(long, value_name = "FILE", default_value = "out/demo-report.html")]
    pub out: PathBuf,
    /// Keep the generated days as a tape in this folder, for `scalper backtest`.
    #[arg(long, value_name = "DIR")]
    pub save_tape: Option<PathBuf>,
    /// What every replay takes. With --config, that file decides instead of the demo preset.
    #[command(flatten)]
    pub common: ReplayArgs,
}

/// Runs the verb.
pub fn run(args: &DemoArgs) -> anyhow::Result<Code> {
    let tables = tables::load(None)?;
    let spec = SampleSpec::demo();
    let sample = Sample::new(args.seed, &spec, &tables.calendar, &tables.contracts)?;
    let trade_from = sample.days().iter().find(|d| !d.warm_up).map(|d| d.day);
    let feed = SampleFeed::new("demo", args.seed, sample);
    let mut common = args.common.clone();
    if common.config.is_none() {
        common.preset.insert(0, DEMO_PRESET.to_owned());
    }
    let report = common.report.clone().unwrap_or_else(|| args.out.clone());
    // Settings and places are proved before the tape is written: a run that fails writes nothing.
    check_destinations(&args.common, Some(&report))?;
    config::load_with(common.config.as_deref(), std::env::vars(), &common.preset)?;
    if let Some(dir) = &args.save_tape {
        feed.days().into_iter().try_for_each(|day| save_day(&feed, day, dir))?;
    }
    replay(&feed, &common, None, trade_from, Some(report))
}
