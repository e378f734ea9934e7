//! What several tests share.

use std::path::PathBuf;

use scalper::backtest::feed::TickFeed;
use scalper::backtest::result::BacktestResult;
use scalper::backtest::run::{BacktestRequest, run};
use scalper::backtest::sample_feed::SampleFeed;
use scalper::config;
use scalper::sample::{Sample, SampleSpec};
use scalper_decide::venue_sim::FillModelKind;

/// The folder with real market data, or `None` with a named skip.
pub(crate) fn shared_data(test: &str) -> Option<PathBuf> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    if dir.is_dir() {
        return Some(dir);
    }
    eprintln!("SKIPPED {test}: ../shared/data not present");
    None
}

/// A request with the built-in configuration and these presets.
pub(crate) fn request(presets: &[&str]) -> BacktestRequest {
    let presets: Vec<String> = presets.iter().map(|p| (*p).to_owned()).collect();
    let effective = config::load_with(None, std::iter::empty(), &presets).expect("presets load");
    BacktestRequest {
        params: effective.params,
        preset: effective.presets.join(" + "),
        config_hash: effective.hash,
        days: None,
        trade_from: None,
        headline: FillModelKind::Base,
        all_fill_models: false,
    }
}

/// The demo market with its natural script at another density.
pub(crate) fn demo_market(seed: u64, ticks: usize) -> SampleFeed {
    let tables = config::tables::load(None).expect("shipped tables load");
    let spec = SampleSpec { target_ticks: Some(ticks), ..SampleSpec::demo() };
    let sample = Sample::new(seed, &spec, &tables.calendar, &tables.contracts).expect("the demo spec is valid");
    SampleFeed::new("demo", seed, sample)
}

/// A request for the demo market: its last day is traded, the days before it warm up.
pub(crate) fn demo_request(feed: &dyn TickFeed) -> BacktestRequest {
    BacktestRequest { trade_from: feed.days().last().copied(), ..request(&["demo"]) }
}

/// Replays a feed.
pub(crate) fn replay(feed: &dyn TickFeed, request: &BacktestRequest) -> BacktestResult {
    let tables = config::tables::load(None).expect("shipped tables load");
    run(request, feed, &tables, &Default::default()).expect("the replay runs")
}
