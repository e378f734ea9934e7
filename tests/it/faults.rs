//! The fault drill over real sockets: a simulator with a schedule in one process, the daemon in another, and the
//! simulator's own truth to compare with. The bulk of the drill is in `src/engine/drill`, in virtual time.

use serde_json::Value;

use crate::process::{Daemon, Simulator, lively};
use crate::support::scalper;

/// Something of every room, until half an hour after the open; the day goes on without.
const SCHEDULE: &str = "
seed: 11
faults:
  - {kind: response_lost, chance: 0.2, until: '09:50'}
  - {kind: error_after_acceptance, chance: 0.1, until: '09:50'}
  - {kind: rate_limited, chance: 0.05, until: '09:50'}
  - {kind: connection_reset, chance: 0.03, until: '09:50'}
  - {kind: truncated_body, chance: 0.03, until: '09:50'}
  - {kind: book_error, chance: 0.05, until: '09:50'}
  - {kind: update_dropped, chance: 0.2, until: '09:50'}
  - {kind: update_duplicated, chance: 0.2, until: '09:50'}
  - {kind: feed_garbled, chance: 0.0005, until: '09:50'}
  - {kind: feed_disconnected, every: 20000, until: '09:50'}
";

/// 2026-02-10 09:51:30 IST: a minute and a half after the last fault.
const FAULTS_ARE_OVER: i64 = 1_770_697_290_000_000_000;

#[test]
fn the_daemon_and_a_faulty_simulator_agree_once_the_faults_are_over() {
    // I1, I3, I4, I8, I33 over real sockets.
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::write(dir.join("faults.yml"), SCHEDULE).unwrap();
    std::fs::write(dir.join("algo.yml"), lively(&[])).unwrap();
    let simulator = Simulator::start(dir, &["--speed", "60", "--seed", "1", "--faults", "faults.yml"]);
    let mut daemon = Daemon::start(dir, &["--config", "algo.yml", "--simulator", "simulator.json"]);

    daemon.until("finished trades under faults", |s| s["money"]["trades"].as_u64().unwrap() >= 2);
    daemon.until("the end of the faults", |s| s["at"].as_i64().unwrap() > FAULTS_ARE_OVER);
    assert_eq!(daemon.ask(&["halt"]).0, 0);
    assert_eq!(daemon.ask(&["flatten"]).0, 0);
    let flat = daemon
        .until("flat and nothing in doubt", |s| s["positions"].as_array().unwrap().is_empty() && s["in_doubt"] == 0);
    let truth = simulator.sim("truth");
    assert_eq!(truth["contradictions"], Value::Array(Vec::new()));
    assert_eq!(truth["positions"], Value::Array(Vec::new()), "{flat:#}");
    let orders = truth["orders"].as_array().unwrap();
    let mut tags: Vec<&str> = orders.iter().map(|order| order["correlationId"].as_str().unwrap()).collect();
    let placed = tags.len();
    tags.sort_unstable();
    tags.dedup();
    assert_eq!(tags.len(), placed, "every order was placed once (I1)");
    let live = ["TRANSIT", "PENDING", "PART_TRADED", "TRIGGERED"];
    let open: Vec<&Value> = orders.iter().filter(|o| live.contains(&o["orderStatus"].as_str().unwrap())).collect();
    assert!(open.is_empty(), "{open:#?}");
    assert_eq!(daemon.ask(&["stop"]).0, 0);
}

#[test]
fn a_wrong_schedule_starts_nothing_and_says_where_it_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("faults.yml");
    std::fs::write(&path, "faults:\n  - kind: respons_lost\n").unwrap();
    for verb in [&["sim", "--faults", "faults.yml"][..], &["run", "--faults", "faults.yml", "--data-dir", "data"]] {
        let out = scalper(dir.path()).args(verb).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(4), "{said}");
        for word in ["faults.yml:2:11", "faults[0].kind", "did you mean `response_lost`?"] {
            assert!(said.contains(word), "{verb:?} does not say {word:?}:\n{said}");
        }
    }
}
