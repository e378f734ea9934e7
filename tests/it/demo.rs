//! The demo shows how positions end, writes a report that needs nothing else, and follows its seed and its settings.

use std::collections::BTreeSet;
use std::fs;

use crate::support::succeed;

fn demo(args: &[&str]) -> (serde_json::Value, String) {
    let dir = tempfile::tempdir().unwrap();
    let out = succeed(dir.path(), &[&["demo", "--json", "--out", "report.html"], args].concat());
    let report = fs::read_to_string(dir.path().join("report.html")).expect("the report exists");
    (serde_json::from_str(&out).expect("exactly one JSON object"), report)
}

#[test]
fn the_demo_day_ends_positions_in_ten_of_the_eleven_ways_a_replay_knows() {
    let (json, report) = demo(&[]);
    let reasons: BTreeSet<&str> =
        json["trades"].as_array().unwrap().iter().map(|t| t["reason"].as_str().unwrap()).collect();
    let expected = [
        "break_even",
        "daily_loss_breaker",
        "expiry_force_exit",
        "expiry_settlement",
        "profit_lock",
        "square_off",
        "stop_loss",
        "target",
        "time_stop",
        "trailing_stop",
    ];
    assert_eq!(reasons, BTreeSet::from(expected));
    assert!(report.contains("<svg") && !report.contains("http://") && !report.contains("https://"));
}

#[test]
fn another_seed_and_another_stop_change_the_result_and_the_same_seed_does_not() {
    let digest = |args: &[&str]| demo(args).0["digest"].as_str().unwrap().to_owned();
    let seven = digest(&["--seed", "7"]);
    assert_eq!(seven, digest(&["--seed", "7"]));
    assert_ne!(seven, digest(&["--seed", "8"]));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("algo.yml");
    fs::write(&file, "preset: demo\nrisk:\n  stop_pct: 12\n").unwrap();
    assert_ne!(seven, digest(&["--seed", "7", "--config", file.to_str().unwrap()]));
}
