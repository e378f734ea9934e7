//! The fault drill over real sockets: a simulator with a schedule in one process, the daemon in another, and the
//! simulator's own truth to compare with. The bulk of the drill is in `src/engine/drill`, in virtual time.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::scalper;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(200);

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

/// Rules that trade all the time. Ages are session time: a busy machine must not look like a silent market.
const CONFIG: &str = "
preset: [demo]
signals:
  trigger: state
  confirmation_timeframe: none
  opening_no_trade_minutes: 0
  adx: {min_primary: 0}
  iv_rank: {enabled: false}
chain: {min_oi: 0, max_spread_pct: 5, iv_min_pct: 1, iv_max_pct: 300, quote_age_ms: {feed: 60000}}
capital:
  opening_balance_rupees: 1000000
  max_lots: 2
  bands:
    - {up_to_rupees: none, allocation_pct: 50, risk_per_trade_pct: 5, day_loss_pct: 20}
entry_guard:
  cooldown_direction_secs: 0
  cooldown_strike_secs: 0
  index_age_ms: {feed: 60000}
  option_age_ms: {feed: 60000}
  max_spread_pct: 5
  slippage_cap_pct: 3
  max_trades_per_index: 1000
  max_trades_per_day: 1000
risk:
  stop_pct: 10
  target_pct: 10
  break_even_after_pct: 2
  trail: {arm_after_pct: 3, drop_pct: 2}
  profit_lock: none
  time_stop_minutes: 3
  day_profit: none
  expiry_limits: []
";
/// 2026-02-10 09:51:30 IST: a minute and a half after the last fault.
const FAULTS_ARE_OVER: i64 = 1_770_697_290_000_000_000;

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(dir: &Path, args: &[&str], out: Stdio) -> Process {
    let log = std::fs::File::create(dir.join(format!("{}.log", args[0]))).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_scalper"));
    Process(command.args(args).current_dir(dir).stdout(out).stderr(log).spawn().unwrap())
}

fn ask(dir: &Path, verb: &[&str]) -> (i32, String) {
    let out = scalper(dir).args(verb).args(["--data-dir", "data"]).output().unwrap();
    (out.status.code().unwrap_or(-1), String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned())
}

fn status(dir: &Path) -> Option<Value> {
    let (code, text) = ask(dir, &["status", "--json"]);
    (code == 0).then(|| serde_json::from_str(&text).unwrap())
}

fn until(dir: &Path, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        if let Some(status) = status(dir).filter(&is_so) {
            return status;
        }
        let log = || std::fs::read_to_string(dir.join("run.log")).unwrap_or_default();
        assert!(begun.elapsed() < PATIENCE, "no {what} in {PATIENCE:?}:\n{:#?}\n{}", status(dir), log());
        std::thread::sleep(Duration::from_millis(250));
    }
}

#[tokio::test]
async fn the_daemon_and_a_faulty_simulator_agree_once_the_faults_are_over() {
    // I1, I3, I4, I8, I33 over real sockets.
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::write(dir.join("faults.yml"), SCHEDULE).unwrap();
    std::fs::write(dir.join("algo.yml"), CONFIG).unwrap();
    let args = ["sim", "--speed", "60", "--seed", "1", "--faults", "faults.yml", "--json"];
    let mut sim = start(dir, &args, Stdio::piped());
    let mut line = String::new();
    BufReader::new(sim.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    std::fs::write(dir.join("sim.json"), &line).unwrap();
    let rest: Value = serde_json::from_str(&line).unwrap();
    let truth_at = rest["rest"].as_str().unwrap().trim_end_matches("/v2").to_owned() + "/sim/truth";
    let run =
        ["run", "--config", "algo.yml", "--simulator", "sim.json", "--listen", "127.0.0.1:0", "--data-dir", "data"];
    let _daemon = start(dir, &run, Stdio::null());

    until(dir, "finished trades under faults", |s| s["money"]["trades"].as_u64().unwrap() >= 2);
    until(dir, "the end of the faults", |s| s["at"].as_i64().unwrap() > FAULTS_ARE_OVER);
    assert_eq!(ask(dir, &["halt"]).0, 0);
    assert_eq!(ask(dir, &["flatten"]).0, 0);
    let flat = until(dir, "flat and nothing in doubt", |s| {
        s["positions"].as_array().unwrap().is_empty() && s["in_doubt"] == 0
    });
    // Another test of this process may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let truth: Value = http.get(&truth_at).send().await.unwrap().json().await.unwrap();
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
    assert_eq!(ask(dir, &["stop"]).0, 0);
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
