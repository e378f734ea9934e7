//! Recorded market data through the whole chain. Nothing here demands a profit; everything demands honesty.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use scalper::backtest::result::BacktestResult;
use scalper::backtest::tape_feed::TapeFeed;
use scalper::config::tables;
use scalper::tape::import::{ImportContext, ImportOptions, Layout, import};
use scalper_decide::domain::{Age, Premium, Underlying};
use scalper_decide::venue_sim::{FillModel, FillModelKind};

use crate::support::{replay, request, shared_data};

fn context() -> ImportContext {
    let tables = tables::load(None).expect("shipped tables load");
    ImportContext { calendar: tables.calendar, contracts: tables.contracts }
}

fn options(layout: Layout, index: Underlying) -> ImportOptions {
    ImportOptions { layout, index: Some(index), interval: Some(Age::from_mins(1)), ..ImportOptions::default() }
}

fn rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    let mut csv = csv::Reader::from_reader(text.as_bytes());
    csv.deserialize().map(|row| row.unwrap()).collect()
}

/// Low and high of every recorded option minute, by (minute, expiry, strike, right).
type Minutes = BTreeMap<(String, String, String, &'static str), (f64, f64)>;

fn minutes(path: &Path) -> Minutes {
    let mut all = Minutes::new();
    for row in rows(path) {
        for (right, side) in [("CE", "ce"), ("PE", "pe")] {
            let price = |name: &str| row[&format!("{side}_{name}")].parse::<f64>().unwrap();
            let key = (row["ts"][..16].to_owned(), row["expiry"].clone(), row["strike"].clone(), right);
            all.insert(key, (price("low"), price("high")));
        }
    }
    all
}

/// Every fill lies inside the recorded minute of its contract, give or take the modelled spread and slippage.
fn assert_fills_lie_in_their_minutes(result: &BacktestResult, recorded: &Minutes) {
    let model = FillModel::named(FillModelKind::Base);
    let tick = Premium::from_paise(5);
    for fill in &result.fills {
        let parts: Vec<&str> = fill.symbol.split(' ').collect();
        let [_, expiry, strike, right] = parts[..] else { panic!("symbol {}", fill.symbol) };
        let right = if right == "CE" { "CE" } else { "PE" };
        let minute = fill.at.ist_text()[..16].to_owned();
        let key = (minute, expiry.to_owned(), strike.to_owned(), right);
        let (low, high) = recorded.get(&key).unwrap_or_else(|| panic!("no recorded minute for {key:?}"));
        let allowance = model.half_spread_at(fill.tick_ltp, tick).as_rupees_f64()
            + model.slippage_ticks as f64 * tick.as_rupees_f64()
            + 1e-9;
        let price = fill.price.as_rupees_f64();
        assert!(
            (low - allowance..=high + allowance).contains(&price),
            "{} filled at {price} outside {low}..{high} +- {allowance} ({key:?})",
            fill.order
        );
    }
}

fn rolling_tape(data: &Path, dir: &Path, index: Underlying, files: &[(&str, Layout)]) -> PathBuf {
    let tape = dir.join("tape");
    for (file, layout) in files {
        import(&[data.join(file)], &tape, &options(*layout, index), &context()).expect("real files import");
    }
    tape
}

const NIFTY_OPTIONS: &str = "options/nifty_rolling_atm_1m_2026-01-12_2026-02-06.csv.gz";
const NIFTY_INDEX: &str = "index/nifty_1m_dhan_2026-01-12_2026-02-06.csv.gz";
const SENSEX_OPTIONS: &str = "options/sensex_rolling_atm_1m_2026-01-12_2026-01-23.csv.gz";

/// The January tape of NIFTY: four weeks of index and rolling at-the-money minutes.
pub(crate) fn nifty_january(data: &Path, dir: &Path) -> PathBuf {
    let files = [(NIFTY_INDEX, Layout::IndexBars), (NIFTY_OPTIONS, Layout::RollingOptions)];
    rolling_tape(data, dir, Underlying::Nifty, &files)
}

#[test]
fn four_weeks_of_nifty_minutes_give_round_trips_whose_every_fill_lies_in_its_recorded_minute() {
    let Some(data) = shared_data("four_weeks_of_nifty_minutes") else { return };
    let dir = tempfile::tempdir().unwrap();
    let tape = nifty_january(&data, dir.path());
    let result = replay(&TapeFeed::open(&tape).unwrap(), &request(&["atm-only"]));
    eprintln!(
        "NIFTY: {} round trips, {} unresolved, {} fills, net {}",
        result.trades.len(),
        result.unresolved.len(),
        result.fills.len(),
        result.trades.iter().map(|t| t.net).sum::<scalper_decide::domain::Money>()
    );
    assert!(result.trades.len() >= 20, "{} round trips; {:?}", result.trades.len(), result.funnel);
    assert_fills_lie_in_their_minutes(&result, &minutes(&data.join(NIFTY_OPTIONS)));
    assert!(result.trades.iter().all(|t| t.on_synthesised), "minutes are not ticks, and the report says so");
}

#[test]
fn two_weeks_of_sensex_without_spot_run_on_the_parity_forward_and_say_so() {
    let Some(data) = shared_data("two_weeks_of_sensex") else { return };
    let dir = tempfile::tempdir().unwrap();
    let files = [(SENSEX_OPTIONS, Layout::RollingOptions)];
    let tape = rolling_tape(&data, dir.path(), Underlying::Sensex, &files);
    let result = replay(&TapeFeed::open(&tape).unwrap(), &request(&["atm-only"]));
    eprintln!("SENSEX: {} round trips, {} unresolved", result.trades.len(), result.unresolved.len());
    assert!(result.trades.len() >= 20, "{} round trips; {:?}", result.trades.len(), result.funnel);
    assert!(result.data.derived_index > 0);
    assert!(result.data.notes.iter().any(|n| n.contains("parity")), "{:?}", result.data.notes);
    assert_fills_lie_in_their_minutes(&result, &minutes(&data.join(SENSEX_OPTIONS)));
}
