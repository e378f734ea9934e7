//! What several tests share.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use scalper::backtest::feed::TickFeed;
use scalper::backtest::recorder::Bulk;
use scalper::backtest::replay::{Plain, Wiring};
use scalper::backtest::result::{BacktestResult, BarRecord, DecisionRecord};
use scalper::backtest::run::{BacktestRequest, run_wired};
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

/// The binary, in a folder of its own and with no settings from the environment.
pub(crate) fn scalper(dir: &Path) -> assert_cmd::Command {
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_scalper"));
    command.current_dir(dir).env_clear().env("TZ", "UTC");
    command
}

/// Runs the binary, which must succeed; its standard output.
pub(crate) fn succeed(dir: &Path, args: &[&str]) -> String {
    let out = scalper(dir).args(args).output().expect("the binary runs");
    let text = String::from_utf8(out.stdout).expect("UTF-8");
    assert!(out.status.success(), "{args:?} ended {}\n{text}\n{}", out.status, String::from_utf8_lossy(&out.stderr));
    text
}

/// Every file below a folder with its content, for "nothing was written".
pub(crate) fn tree(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                all.insert(path.join(""), Vec::new());
                folders.push(path);
            } else {
                all.insert(path.clone(), std::fs::read(&path).expect("a file"));
            }
        }
    }
    all
}

/// Rows of a CSV file, plain or gzip, by column name.
pub(crate) fn csv_rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    let mut bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut text).expect("gzip");
        bytes = text;
    }
    csv::Reader::from_reader(bytes.as_slice()).deserialize().map(|row| row.expect("a row")).collect()
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

/// The first four days of the demo market, the fourth of which is traded, at another density.
pub(crate) fn demo_market(seed: u64, ticks: usize) -> SampleFeed {
    let tables = config::tables::load(None).expect("shipped tables load");
    let spec = SampleSpec { days: 4, target_ticks: Some(ticks), ..SampleSpec::demo() };
    let sample = Sample::new(seed, &spec, &tables.calendar, &tables.contracts).expect("the demo spec is valid");
    SampleFeed::new("demo", seed, sample)
}

/// A request for the demo market: its last day is traded, the days before it warm up.
pub(crate) fn demo_request(feed: &dyn TickFeed) -> BacktestRequest {
    BacktestRequest { trade_from: feed.days().last().copied(), ..request(&["demo"]) }
}

/// Every decision and bar of a replay, in memory.
#[derive(Debug, Default)]
struct Collected {
    decisions: Vec<DecisionRecord>,
    bars: Vec<BarRecord>,
}

impl Bulk for Collected {
    fn decision(&mut self, decision: &DecisionRecord) -> anyhow::Result<()> {
        self.decisions.push(decision.clone());
        Ok(())
    }

    fn bars(&mut self, of_day: &[BarRecord]) -> anyhow::Result<()> {
        self.bars.extend_from_slice(of_day);
        Ok(())
    }
}

/// Replays a feed; the result holds every decision and bar.
pub(crate) fn replay(feed: &dyn TickFeed, request: &BacktestRequest) -> BacktestResult {
    replay_wired(&Plain, feed, request)
}

/// [`replay`] through stages wired in this way.
pub(crate) fn replay_wired<W: Wiring>(wiring: &W, feed: &dyn TickFeed, request: &BacktestRequest) -> BacktestResult {
    let tables = config::tables::load(None).expect("shipped tables load");
    let mut all = Collected::default();
    let result =
        run_wired(wiring, request, feed, &tables, &Default::default(), Some(&mut all)).expect("the replay runs");
    BacktestResult { decisions: all.decisions, bars: all.bars, ..result }
}

/// Arguments that import bars of NIFTY from `file` into the tape `tape`.
pub(crate) const fn import_bars<'a>(interval: &'a str, file: &'a str) -> [&'a str; 11] {
    ["data", "import", "--layout", "index-bars", "--interval", interval, "--index", "NIFTY", "--tape", "tape", file]
}
