//! A daemon that lives through nights: what it does between two sessions, and how the next one begins.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::ops::ControlFlow;

use chrono::NaiveDate;
use rustix::process::Signal;
use scalper::store::link::Readers;
use scalper::store::operations;
use scalper::store::place::StoreUrl;
use scalper::store::replay::{self, Step};
use scalper_decide::domain::{Event, Underlying};

use crate::process::{Daemon, Simulator, signal, until};

/// A Friday; [`TABLES`] make it an hour long.
const FRIDAY: &str = "2026-02-13";
const MONDAY: &str = "2026-02-16";
const TABLES: &str = "\
calendar:
  special_sessions:
    \"2026-02-13\": {name: \"short\", windows: [{open: \"09:15\", close: \"10:15\"}]}
";
const SETTINGS: &str = "preset: [production]\ntables: {override_file: short.yml}\n";

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// The code that `GET path` is answered with.
fn get(address: &str, path: &str) -> u16 {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer[9..12].parse().unwrap()
}

#[test]
fn a_run_goes_on_after_the_weekend_with_a_halt_still_in_force_and_a_start_that_failed_is_said_and_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let settings = dir.path().join("algo.yml");
    std::fs::write(&settings, SETTINGS).unwrap();
    std::fs::write(dir.path().join("short.yml"), TABLES).unwrap();
    let args = ["--config", "algo.yml", "--speed", "60", "--day", FRIDAY, "--days", "2"];
    let mut daemon = Daemon::start(dir.path(), &args);
    daemon.until("the first day", |s| s["day"] == FRIDAY && s["ready"]["exits"] == true);
    assert_eq!(daemon.ask(&["halt"]).0, 0);
    // What the morning start meets is wrong, and nobody is there.
    std::fs::write(&settings, format!("{SETTINGS}entry_guard:\n  cooldown_direction_secs: many\n")).unwrap();
    let failed = daemon.until("the failed start", |s| s["waiting"]["failed"].is_string());
    assert!(failed["waiting"]["failed"].as_str().unwrap().contains("algo.yml:4"), "{failed:#}");
    assert_eq!(failed["waiting"]["day"], MONDAY);
    assert_eq!((&failed["ready"]["exits"], &failed["ready"]["entries"]), (&false.into(), &false.into()));
    assert!(failed["alarms"].as_array().unwrap().iter().any(|a| a["key"] == "START_FAILED"), "{failed:#}");
    let (code, wrong) = daemon.ask(&["reload"]);
    assert_eq!(code, 1, "{wrong}");
    std::fs::write(&settings, SETTINGS).unwrap();
    let (code, taken) = daemon.ask(&["reload"]);
    assert_eq!(code, 0, "{taken}");
    let next = daemon.until("the second day", |s| s["day"] == MONDAY && s["ready"]["exits"] == true);
    assert_eq!(next["blocks"][0], "halted", "{next:#}");
    assert_eq!(next["ready"]["entries"], false);
    assert!(next["waiting"].is_null());
    daemon.stop();

    // Each day's journal proves itself, and the second began with the volatility that the first ended with (D-2).
    let (code, proof) = daemon.ask(&["db", "verify"]);
    assert_eq!(code, 0, "{proof}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let readers = Readers::new(&StoreUrl::default_in(&daemon.data())).unwrap();
        let kept = operations::iv_history(&readers, day(MONDAY)).await.unwrap();
        assert!(matches!(kept[&Underlying::Nifty][..], [(of, micro)] if of == day(FRIDAY) && micro > 0), "{kept:?}");
        let mut told = Vec::new();
        let take = |step: Step<'_>| {
            if let Step::Event(_, Event::IvHistory { days }) = step {
                told.push(days.clone());
            }
            ControlFlow::Continue(())
        };
        replay::day(&readers, day(MONDAY), take).await.unwrap();
        assert_eq!(told, [kept], "what was told is in the journal");
        readers.close().await;
    });
}

#[test]
fn a_daemon_that_waits_for_a_session_is_alive_hears_what_is_said_to_it_and_ends_when_told() {
    let dir = tempfile::tempdir().unwrap();
    // The market goes on by itself, night and weekend at the speed of the day.
    let simulator = Simulator::start(dir.path(), &["--speed", "600", "--day", FRIDAY]);
    let file = simulator.file().to_str().unwrap().to_owned();
    let mut daemon = Daemon::start(dir.path(), &["--simulator", &file, "--days", "5"]);
    daemon.until("the first day", |s| s["day"] == FRIDAY && s["ready"]["exits"] == true);
    let waiting = daemon.until("the weekend", |s| !s["waiting"].is_null());
    assert_eq!(waiting["ready"]["waiting_for"][0], "the session of Mon 2026-02-16 09:15", "{waiting:#}");
    assert_eq!((&waiting["ready"]["exits"], &waiting["ready"]["entries"]), (&false.into(), &false.into()));
    assert_eq!(waiting["feed"]["state"], "down");
    let (code, text) = daemon.ask(&["status"]);
    assert!(code == 0 && text.contains("waiting for the session of Mon 2026-02-16 09:15"), "{text}");
    let log = daemon.log();
    let address =
        log.split("http://").nth(1).and_then(|rest| rest.split('/').next()).expect("it says where it listens");
    assert_eq!(get(address, "/healthz"), 200, "alive, and nothing is wrong");
    // The guardian does not take the night for a death: it ends with the day, and comes back with the next start.
    let guardian = || std::fs::read_to_string(daemon.data().join("guardian.log")).unwrap_or_default();
    until("end of the guardian", || guardian().contains("ended in order").then_some(()), guardian);
    assert!(!daemon.data().join("guardian.alarms").exists(), "{}", guardian());
    assert_eq!(daemon.ask(&["reload"]).0, 0);
    let (code, noted) = daemon.ask(&["halt"]);
    assert!(code == 0 && noted.contains("noted"), "{noted}");
    let (code, refused) = daemon.ask(&["flatten"]);
    assert!(code == 1 && refused.contains("NO_SESSION"), "{refused}");
    signal(daemon.pid(), Signal::TERM);
    let ended = daemon.until_end();
    assert!(ended.success(), "{ended}\n{}", daemon.log());
}
