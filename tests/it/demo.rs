//! The demo shows how positions end, writes a report that needs nothing else, and follows its seed and its settings.

use std::collections::BTreeSet;
use std::fs;

use scalper::backtest::rules;
use scalper::report::words;

use crate::support::succeed;

fn demo(args: &[&str]) -> (serde_json::Value, String) {
    let dir = tempfile::tempdir().unwrap();
    let out = succeed(dir.path(), &[&["demo", "--json", "--out", "report.html"], args].concat());
    let report = fs::read_to_string(dir.path().join("report.html")).expect("the report exists");
    (serde_json::from_str(&out).expect("exactly one JSON object"), report)
}

fn digest(args: &[&str]) -> String {
    demo(args).0["digest"].as_str().expect("a top-level digest").to_owned()
}

#[test]
fn the_demo_days_end_positions_in_every_way_a_replay_knows() {
    let (json, report) = demo(&[]);
    let reasons: BTreeSet<&str> =
        json["trades"].as_array().unwrap().iter().map(|t| t["reason"].as_str().unwrap()).collect();
    let expected: BTreeSet<&str> = rules::known().map(|reason| reason.code()).collect();
    assert_eq!(reasons, expected);
    for row in json["rules"].as_array().unwrap() {
        assert!(row["exits"].as_u64().unwrap() > 0, "{row}");
        let judged = row["evaluations"].as_u64().unwrap() > 0;
        assert_eq!(judged, row["standing"] == "in_force", "every rule in force was asked (F-2): {row}");
    }
    let days: Vec<&str> = json["days"].as_array().unwrap().iter().map(|d| d["day"].as_str().unwrap()).collect();
    assert_eq!(days, ["2026-02-10", "2026-02-11"]);
    for chart in ["NIFTY 2026-02-10 Tue</text>", "NIFTY 2026-02-11 Wed</text>"] {
        assert!(report.contains(chart), "a chart says which day it shows: {chart}");
    }
    assert!(report.contains(words::GENERATED), "it says on top that this is no evidence of profit");
}

#[test]
fn the_report_asks_the_network_for_nothing() {
    let (_, report) = demo(&["--seed", "7"]);
    assert!(report.contains("<svg") && report.contains("default-src 'none'"), "charts, and nothing may be fetched");
    for asks in ["http:", "https:", "src=", "<script", "<link", "<iframe", "<object", "@import", "url(", "fetch("] {
        assert!(!report.contains(asks), "{asks}");
    }
}

#[test]
fn another_seed_and_another_stop_change_the_result_and_the_same_seed_does_not() {
    let seven = digest(&["--seed", "7"]);
    assert_eq!(seven, digest(&["--seed", "7"]));
    assert_ne!(seven, digest(&["--seed", "8"]));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("algo.yml");
    fs::write(&file, "preset: demo\n").unwrap();
    let alone = digest(&["--seed", "7", "--config", file.to_str().unwrap()]);
    assert_eq!(seven, alone, "the demo's preset needs no other under it");
    fs::write(&file, "preset: demo\nrisk:\n  stop_pct: 12\n").unwrap();
    assert_ne!(seven, digest(&["--seed", "7", "--config", file.to_str().unwrap()]));
}

#[test]
fn a_backtest_of_the_saved_demo_days_is_the_demo_to_the_digest() {
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| -> serde_json::Value {
        serde_json::from_str(&succeed(dir.path(), args)).expect("exactly one JSON object")
    };
    let demo = run(&["demo", "--json", "--seed", "7", "--save-tape", "tape"]);
    succeed(dir.path(), &["data", "verify", "tape"]);
    let days = ["--days", "2026-02-10..2026-02-11"];
    let again = run(&[&["backtest", "--json", "--tape", "tape", "--preset", "demo"][..], &days].concat());
    assert_eq!(demo["digest"], again["digest"]);
    assert_eq!(demo["trades"], again["trades"]);
    assert_eq!(demo["fill_models"], again["fill_models"], "under every fill model");
}
