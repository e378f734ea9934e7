//! Whole stories through the real binary: the golden scenarios of `backtests/`, a recorded chain day, and bars against
//! reference indicators.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::support::{csv_rows, import_bars, scalper, shared_data, succeed};

/// A scenario with nothing in it or twice what a reader can take in is a mistake.
const MOST_BYTES: u64 = 200 * 1024;

/// `scenario.yml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    /// What must happen, for people.
    says: String,
    /// The day to replay; earlier ones of the tape warm up.
    day: String,
    /// Arguments of `data import`, one list per import; files lie in the scenario's folder.
    import: Vec<Vec<String>>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("backtests")
}

fn copy_files(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let size = fs::metadata(&path).unwrap().len();
        assert!(size <= MOST_BYTES, "{}: {size} bytes, at most {MOST_BYTES}", path.display());
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

/// Imports and replays a scenario in a folder of its own and says what happened.
fn play(dir: &Path) -> String {
    let text = fs::read_to_string(dir.join("scenario.yml")).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let scenario: Scenario = serde_yaml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    assert!(scenario.says.contains("What must happen"), "{}: `says` must say what must happen", dir.display());
    let work = tempfile::tempdir().unwrap();
    copy_files(dir, work.path());
    for import in &scenario.import {
        let args: Vec<&str> = import.iter().map(String::as_str).collect();
        succeed(work.path(), &[&["data", "import", "--tape", "tape"], args.as_slice()].concat());
    }
    let replay =
        ["backtest", "--tape", "tape", "--config", "config.yml", "--export", "ex", "--json", "--days", &scenario.day];
    let json: Value = serde_json::from_str(&succeed(work.path(), &replay)).expect("one JSON object");
    story(&work.path().join("ex"), &json)
}

/// Orders, trades, what was left open and refusals, in a form a trader can read.
fn story(export: &Path, json: &Value) -> String {
    let mut out = String::new();
    let time = |ts: &str| ts.get(11..).unwrap_or(ts).replace("+05:30", "");
    out.push_str("orders\n");
    for o in csv_rows(&export.join("orders.csv")) {
        let trigger = if o["trigger"].is_empty() { String::new() } else { format!(" trigger {}", o["trigger"]) };
        let (sent, symbol, changes) = (time(&o["sent_at"]), &o["symbol"], &o["modifications"]);
        let (purpose, side, qty, limit) = (&o["purpose"], &o["side"], &o["qty"], &o["limit"]);
        writeln!(
            out,
            "  {sent} {purpose} {side} {qty} {symbol} limit {limit}{trigger}: {}, {} filled, changed {changes} times",
            o["state"], o["filled"]
        )
        .unwrap();
    }
    out.push_str("fills\n");
    for f in csv_rows(&export.join("fills.csv")) {
        writeln!(out, "  {} {} {} {} at {}", time(&f["at"]), f["side"], f["qty"], f["symbol"], f["price"]).unwrap();
    }
    out.push_str("trades\n");
    for t in csv_rows(&export.join("trades.csv")) {
        let (bought, sold) = (time(&t["entry_at"]), time(&t["exit_at"]));
        writeln!(
            out,
            "  {} {}: {} at {bought}, {} at {sold}, first stop {}, {}",
            t["symbol"], t["qty"], t["entry_price"], t["exit_price"], t["initial_stop"], t["reason"]
        )
        .unwrap();
        writeln!(out, "    gross {} charges {} net {}", t["gross"], t["charges"], t["net"]).unwrap();
    }
    writeln!(out, "unresolved {}", json["unresolved"].as_array().expect("a list").len()).unwrap();
    out.push_str("decisions\n");
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    for d in csv_rows(&export.join("decisions.csv")) {
        *counts.entry((d["stage"].clone(), d["code"].clone())).or_default() += 1;
    }
    for ((stage, code), count) in counts {
        writeln!(out, "  {stage} {code} {count}").unwrap();
    }
    out
}

/// Lines that differ, with their numbers.
fn difference(expected: &str, actual: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), actual.lines().collect());
    let mut text = String::new();
    for i in 0..old.len().max(new.len()) {
        let (was, is) = (old.get(i), new.get(i));
        if was != is {
            for (mark, line) in [('-', was), ('+', is)] {
                if let Some(line) = line {
                    writeln!(text, "{:>4} {mark} {line}", i + 1).unwrap();
                }
            }
        }
    }
    text
}

#[test]
fn every_golden_scenario_ends_as_expected() {
    // S: every folder of backtests/ is played; UPDATE_EXPECTED=1 writes what happened.
    let mut scenarios: Vec<PathBuf> =
        fs::read_dir(folder()).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()).collect();
    scenarios.sort();
    assert!(scenarios.len() >= 3, "scenarios are missing from {}", folder().display());
    let mut wrong = String::new();
    for dir in scenarios {
        let (name, file) = (dir.file_name().unwrap().to_string_lossy().into_owned(), dir.join("expected.txt"));
        let actual = play(&dir);
        if std::env::var_os("UPDATE_EXPECTED").is_some_and(|v| v == "1") {
            fs::write(&file, &actual).unwrap();
            continue;
        }
        let expected = fs::read_to_string(&file).unwrap_or_default();
        if expected != actual {
            let hint = "(UPDATE_EXPECTED=1 writes it anew)";
            write!(wrong, "{name}/expected.txt {hint}\n{}", difference(&expected, &actual)).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Facts of the stories that no rewriting of `expected.txt` may change.
#[test]
fn golden_scenarios_keep_their_promises() {
    let stop = play(&folder().join("stop-fires-at-its-price"));
    assert!(stop.contains("stop_loss") && stop.contains("unresolved 0"), "{stop}");
    let square_off = play(&folder().join("square-off-closes-everything"));
    assert!(square_off.contains(" at 15:05:02") && square_off.contains(", square_off"), "{square_off}");
    let unpriced = play(&folder().join("unpriced-contract-waits-and-is-settled"));
    let fills = unpriced.split("fills\n").nth(1).unwrap().split("trades\n").next().unwrap();
    assert_eq!(fills.lines().count(), 1, "without quotes there is no second fill: {fills}");
    assert!(unpriced.contains("expiry_settlement") && unpriced.contains("unresolved 0"), "{unpriced}");
    let alone = play(&folder().join("index-alone-trades-nothing"));
    assert!(
        alone.contains("orders\nfills\ntrades\nunresolved 0\n") && alone.contains("chain_analyzer NO_EXPIRY"),
        "{alone}"
    );
}

/// Signals on every bar of the primary timeframe that has a trend, without confirmation.
const EVERY_BAR: &str =
    "signals:\n  confirmation_timeframe: none\n  trigger: state\n  adx: {min_primary: 0}\n  trend_bars: none\n";

#[test]
fn a_recorded_chain_day_is_ranked_with_own_iv_and_every_refusal_has_a_reason() {
    let Some(data) = shared_data("a_recorded_chain_day_is_ranked_with_own_iv_and_every_refusal_has_a_reason") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let file = data.join("options/nse_chain_nifty_2025-08-29.csv.gz");
    succeed(dir.path(), &["data", "import", "--tape", "tape", file.to_str().unwrap()]);
    succeed(dir.path(), &["data", "verify", "tape"]);
    // A quiet week: at-the-money volatility lies under the default minimum of 10 %.
    for (iv_min, stage, code) in [("5", "chain_analyzer", "PICKED"), ("10", "chain_analyzer", "ALL_FILTERED")] {
        let config = format!("{EVERY_BAR}indices:\n  NIFTY: {{enabled: true}}\nchain:\n  iv_min_pct: {iv_min}\n");
        fs::write(dir.path().join("config.yml"), config).unwrap();
        succeed(dir.path(), &["backtest", "--tape", "tape", "--config", "config.yml", "--export", "ex"]);
        let decisions = csv_rows(&dir.path().join("ex/decisions.csv"));
        let of =
            |stage: &str, code: &str| decisions.iter().filter(|d| d["stage"] == stage && d["code"] == code).count();
        assert!(of(stage, code) >= 20, "{} {code}", of(stage, code));
        assert_eq!(of("signal_engine", "WARMING_UP"), 199, "no signal before 200 closed bars");
        for d in decisions.iter().filter(|d| d["code"] == "PICKED") {
            let own = |after: &str| -> f64 {
                let text = d["text"].split(after).nth(1).unwrap_or_else(|| panic!("{} lacks {after}", d["text"]));
                text.split([' ', ',']).next().unwrap().parse().unwrap()
            };
            let (score, iv, delta) = (own("score "), own("own IV "), own("delta ").abs());
            assert!((80.0..=210.0).contains(&score), "{}", d["text"]);
            assert!((5.0..30.0).contains(&iv), "{}", d["text"]);
            assert!((0.2..=0.8).contains(&delta), "{}", d["text"]);
        }
        for d in &decisions {
            assert!(!d["code"].is_empty() && !d["text"].is_empty(), "{d:?}");
            assert!(!d["text"].contains("NaN") && !d["text"].contains("inf "), "{d:?}");
        }
        for d in decisions.iter().filter(|d| d["code"] == "ALL_FILTERED") {
            assert!(d["text"].contains("IV_LOW: IV ") && d["text"].contains("under 10.00 %"), "{}", d["text"]);
        }
    }
}

#[test]
fn a_feed_that_repeats_yesterday_on_a_holiday_decides_nothing_and_says_why() {
    let Some(data) = shared_data("a_feed_that_repeats_yesterday_on_a_holiday_decides_nothing_and_says_why") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let file = data.join("options/nse_chain_2025-08-27_STALE_holiday.csv.gz");
    let said = succeed(dir.path(), &["data", "import", "--tape", "tape", file.to_str().unwrap()]);
    for words in
        ["another day's exchange time (stale)", "the calendar says this day is closed: no tick of it is decided on"]
    {
        assert!(said.contains(words), "{said}");
    }
    let ls: Value = serde_json::from_str(&succeed(dir.path(), &["data", "ls", "--json", "tape"])).unwrap();
    let counts = ls["days"][0]["counts"].as_object().unwrap_or_else(|| panic!("{ls}"));
    assert_eq!(counts["decidable"], 0, "{ls}");
    let out = scalper(dir.path()).args(["backtest", "--tape", "tape", "--export", "ex"]).output().unwrap();
    let said = String::from_utf8(out.stderr).unwrap();
    assert_eq!(out.status.code(), Some(3), "{said}");
    for words in ["2025-08-27 is on the tape but not a trading day", "Ganesh Chaturthi", "nothing was decided"] {
        assert!(said.contains(words), "{said}");
    }
    assert!(!dir.path().join("ex").exists());
}

/// Compares `bars.csv` of a 5-minute recording with the TradingView columns of a reference file, row by row.
fn assert_bars_equal_reference(reference: &Path, from: &str) {
    let rows = csv_rows(reference);
    let dir = tempfile::tempdir().unwrap();
    let mut csv = "ts,open,high,low,close\n".to_owned();
    for r in &rows {
        writeln!(csv, "{},{},{},{},{}", r["ts"], r["open"], r["high"], r["low"], r["close"]).unwrap();
    }
    fs::write(dir.path().join("bars.csv"), csv).unwrap();
    let import = import_bars("5m", "bars.csv");
    succeed(dir.path(), &import);
    let out = succeed(dir.path(), &["backtest", "--tape", "tape", "--export", "ex", "--json"]);
    let json: Value = serde_json::from_str(&out).unwrap();
    let notes = json["data"]["notes"].to_string();
    assert!(notes.contains("recorded as 5m bars") && notes.contains("no 1m, 3m bars are built"), "{notes}");
    assert!(json["funnel"].as_array().unwrap().iter().any(|f| f["code"] == "FRAME_NOT_BUILT"), "{}", json["funnel"]);
    let decisions = csv_rows(&dir.path().join("ex/decisions.csv"));
    assert_eq!(decisions.len(), rows.len(), "every 5-minute bar is answered");
    for d in &decisions {
        assert_eq!(d["code"], "FRAME_NOT_BUILT");
        assert!(d["text"].contains("1m bars cannot be built"), "{}", d["text"]);
    }

    let header = fs::read_to_string(dir.path().join("ex/bars.csv")).unwrap();
    let expected = "ts,index,timeframe,open,high,low,close,atr,supertrend,direction,plus_di,minus_di,adx";
    assert_eq!(header.lines().next(), Some(expected));
    let bars = csv_rows(&dir.path().join("ex/bars.csv"));
    assert!(bars.iter().all(|b| b["timeframe"] == "5m" || b["timeframe"] == "15m"), "no finer frame is made up");
    let bars: Vec<_> = bars.into_iter().filter(|b| b["timeframe"] == "5m").collect();
    assert_eq!(bars.len(), rows.len(), "{from}");
    for (bar, want) in bars.iter().zip(&rows) {
        assert_eq!(bar["ts"], want["ts"]);
        assert_eq!(bar["index"], "NIFTY");
        let pairs = [
            ("open", "open"),
            ("high", "high"),
            ("low", "low"),
            ("close", "close"),
            ("atr", "tv_atr10"),
            ("supertrend", "tv_supertrend_10_3"),
            ("plus_di", "tv_plus_di14"),
            ("minus_di", "tv_minus_di14"),
            ("adx", "tv_adx14"),
        ];
        for (ours, theirs) in pairs {
            match (bar[ours].as_str(), want[theirs].as_str()) {
                ("", "") => {}
                (a, b) => {
                    let number = |text: &str| {
                        text.parse::<f64>().unwrap_or_else(|_| panic!("{} {ours}: {a:?} for {b:?}", bar["ts"]))
                    };
                    let (a, b) = (number(a), number(b));
                    assert!((a - b).abs() <= 1e-9 * b.abs(), "{} {ours}: {a} for {b}", bar["ts"]);
                }
            }
        }
        // TradingView writes -1 for up; 0 stands for undefined.
        let direction = match want["tv_dir_10_3"].as_str() {
            "-1" => "1",
            "1" => "-1",
            _ => "",
        };
        assert_eq!(bar["direction"], direction, "{}", bar["ts"]);
    }
}

#[test]
fn bars_of_a_five_minute_recording_equal_the_reference_and_no_finer_bar_is_made_up() {
    // F-83, F-44: indicator values through import, tape, replay and export.
    let Some(data) = shared_data("bars_of_a_five_minute_recording_equal_the_reference_and_no_finer_bar_is_made_up")
    else {
        return;
    };
    assert_bars_equal_reference(&data.join("reference/indicators/nifty_5m_2024-01.csv.gz"), "January 2024");
    assert_bars_equal_reference(&data.join("reference/indicators/nifty_5m_dhan_2026-01-12_2026-02-06.csv.gz"), "2026");
}

#[test]
fn a_five_minute_index_alone_signals_on_its_own_bars_and_refuses_options_with_the_reason() {
    let Some(data) =
        shared_data("a_five_minute_index_alone_signals_on_its_own_bars_and_refuses_options_with_the_reason")
    else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let file = data.join("index/nifty_5m_dhan_2025-10-24_2025-10-31.csv.gz");
    succeed(dir.path(), &import_bars("5m", file.to_str().unwrap()));
    fs::write(dir.path().join("config.yml"), format!("{EVERY_BAR}  primary_timeframe: 5m\n")).unwrap();
    succeed(
        dir.path(),
        &["backtest", "--tape", "tape", "--config", "config.yml", "--index", "NIFTY", "--export", "ex"],
    );
    let decisions = csv_rows(&dir.path().join("ex/decisions.csv"));
    let signals = decisions.iter().filter(|d| d["code"] == "SIGNAL").count();
    let refused = decisions.iter().filter(|d| d["stage"] == "chain_analyzer" && d["code"] == "NO_EXPIRY").count();
    assert!(signals > 0 && signals == refused, "{signals} signals, {refused} refused");
    assert_eq!(csv_rows(&dir.path().join("ex/orders.csv")).len(), 0);
}
