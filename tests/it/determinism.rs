//! Same inputs, same journal; one changed tick, another one (I24, S: D-23).

use std::process::Command;

use scalper::backtest::memory_feed::MemoryFeed;

use crate::support::{demo_market, demo_request, replay};

/// Dense enough for quotes to stay fresh.
const TICKS: usize = 300_000;

#[test]
fn two_replays_of_the_same_ticks_have_the_same_digest_and_another_seed_has_another() {
    let request = demo_request(&demo_market(1, TICKS));
    let a = replay(&demo_market(1, TICKS), &request);
    let b = replay(&demo_market(1, TICKS), &request);
    let c = replay(&demo_market(2, TICKS), &request);
    assert_eq!(a.digest, b.digest);
    assert_ne!(a.digest, c.digest);
    assert!(!a.decisions.is_empty() && !a.trades.is_empty(), "something was decided and traded");
}

#[test]
fn one_changed_tick_gives_another_digest() {
    let mut feed = MemoryFeed::copy_of(&demo_market(1, TICKS)).unwrap();
    let request = demo_request(&feed);
    let before = replay(&feed, &request).digest;
    let day = feed.days.values_mut().next_back().unwrap();
    let middle = day.ticks.len() / 2;
    day.ticks[middle].bids[4].qty += 1;
    assert_ne!(before, replay(&feed, &request).digest, "even a fifth-level quantity counts");
}

#[test]
fn a_changed_setting_changes_the_trades() {
    let feed = demo_market(1, TICKS);
    let normal = replay(&feed, &demo_request(&feed));
    let mut tight = demo_request(&feed);
    tight.params.signal.adx_min_primary = 60.0;
    for params in tight.params.signal_by_index.values_mut() {
        params.adx_min_primary = 60.0;
    }
    let strict = replay(&feed, &tight);
    assert!(strict.trades.len() < normal.trades.len());
}

#[test]
fn processes_in_other_time_zones_and_locales_print_the_same_digest() {
    // P37: three host zones.
    let run = |zone: &str, lang: &str| {
        let out = Command::new(env!("CARGO_BIN_EXE_scalper"))
            .args(["demo", "--json", "--seed", "5", "--out"])
            .arg(tempfile::tempdir().unwrap().path().join("report.html"))
            .env("TZ", zone)
            .env("LANG", lang)
            .env("LC_ALL", lang)
            .output()
            .expect("the binary runs");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let json: serde_json::Value = serde_json::from_slice(&out.stdout).expect("one JSON object");
        json["digest"].as_str().expect("a top-level digest").to_owned()
    };
    let utc = run("UTC", "C");
    assert_eq!(utc, run("Asia/Kolkata", "en_IN.UTF-8"));
    assert_eq!(utc, run("America/New_York", "de_DE.UTF-8"));
}
