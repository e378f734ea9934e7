//! A daemon that lives through nights: what it does between two sessions, and how the next one begins.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use scalper::store::link::Readers;
use scalper::store::operations;
use scalper::store::place::StoreUrl;
use scalper_decide::domain::Underlying;
use serde_json::Value;

/// Longest wait for anything; a healthy machine needs a fraction.
const PATIENCE: Duration = Duration::from_secs(150);

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn scalper(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scalper"));
    command.current_dir(dir);
    command
}

struct Daemon {
    process: Process,
    dir: PathBuf,
}

/// `scalper run` in `dir`, where its settings are `algo.yml`.
fn run(dir: &Path, args: &[&str]) -> Daemon {
    let log = std::fs::File::create(dir.join("log")).unwrap();
    let process = scalper(dir)
        .args(["run", "--config", "algo.yml", "--data-dir", "data", "--listen", "127.0.0.1:0"])
        .args(args)
        .stdout(std::fs::File::create(dir.join("out")).unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    Daemon { process: Process(process), dir: dir.to_owned() }
}

impl Daemon {
    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    fn ask(&self, verb: &[&str]) -> (i32, String) {
        let out = scalper(&self.dir).args(verb).args(["--data-dir", "data"]).output().unwrap();
        let text = [out.stdout, out.stderr].concat();
        (out.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned())
    }

    fn status(&self) -> Option<Value> {
        let (code, text) = self.ask(&["status", "--json"]);
        (code == 0).then(|| serde_json::from_str(&text).unwrap())
    }

    fn until(&mut self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.status().filter(|status| is_so(status)) {
                return status;
            }
            if let Some(ended) = self.process.0.try_wait().unwrap() {
                panic!("the daemon ended ({ended}) before {what}:\n{}", self.log());
            }
            assert!(begun.elapsed() < PATIENCE, "no {what} in {PATIENCE:?}:\n{:#?}\n{}", self.status(), self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn end(&mut self) -> i32 {
        let begun = Instant::now();
        loop {
            if let Some(ended) = self.process.0.try_wait().unwrap() {
                return ended.code().unwrap_or(-1);
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The status line of each day that is over.
    fn days(&self) -> Vec<Value> {
        let out = std::fs::read_to_string(self.dir.join("out")).unwrap();
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Status line and code of `GET path`.
fn get(address: &str, path: &str) -> u16 {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer[9..12].parse().unwrap()
}

#[test]
fn a_run_goes_on_after_a_holiday_with_a_halt_still_in_force_and_a_start_that_failed_is_said_and_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let settings = dir.path().join("algo.yml");
    std::fs::write(&settings, "preset: [production]\n").unwrap();
    // One hour of trading at Diwali, and a holiday after it.
    let args = ["--speed", "100", "--day", "2025-10-21", "--days", "2", "--json"];
    let mut daemon = run(dir.path(), &args);
    daemon.until("the first day", |s| s["day"] == "2025-10-21" && s["ready"]["exits"] == true);
    daemon.until("bars", |s| s["indices"]["NIFTY"]["evaluations"].as_u64().is_some_and(|n| n > 0));
    assert_eq!(daemon.ask(&["halt"]).0, 0);
    // What the morning start meets is wrong, and nobody is there.
    std::fs::write(&settings, "preset: [production]\nentry_guard:\n  cooldown_direction_secs: many\n").unwrap();
    let failed = daemon.until("the failed start", |s| s["waiting"]["failed"].is_string());
    assert!(failed["waiting"]["failed"].as_str().unwrap().contains("algo.yml:3"), "{failed:#}");
    assert_eq!(failed["waiting"]["day"], "2025-10-23");
    assert_eq!((&failed["ready"]["exits"], &failed["ready"]["entries"]), (&false.into(), &false.into()));
    assert!(failed["alarms"].as_array().unwrap().iter().any(|a| a["key"] == "START_FAILED"), "{failed:#}");
    let (code, wrong) = daemon.ask(&["reload"]);
    assert_eq!(code, 1, "{wrong}");
    std::fs::write(&settings, "preset: [production]\n").unwrap();
    let (code, taken) = daemon.ask(&["reload"]);
    assert_eq!(code, 0, "{taken}");
    let thursday = daemon.until("the second day", |s| s["day"] == "2025-10-23" && s["ready"]["exits"] == true);
    assert_eq!(thursday["blocks"][0], "halted", "{thursday:#}");
    assert_eq!(thursday["ready"]["entries"], false);
    assert!(thursday["waiting"].is_null());
    assert_eq!(daemon.days().len(), 1);
    assert_eq!(daemon.ask(&["stop"]).0, 0);
    assert_eq!(daemon.end(), 0, "{}", daemon.log());

    // Each day's journal proves itself, and Thursday began with the volatility that Tuesday ended with (D-2).
    let (code, proof) = daemon.ask(&["db", "verify"]);
    assert_eq!(code, 0, "{proof}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let readers = Readers::new(&StoreUrl::default_in(&dir.path().join("data"))).unwrap();
        let iv = operations::iv_history(&readers, "2025-10-23".parse().unwrap()).await.unwrap();
        let diwali = "2025-10-21".parse().unwrap();
        assert!(matches!(iv[&Underlying::Nifty][..], [(day, micro)] if day == diwali && micro > 0), "{iv:?}");
        let mut told = Vec::new();
        let thursday = "2025-10-23".parse().unwrap();
        scalper::store::replay::day(&readers, thursday, |step| {
            if let scalper::store::replay::Step::Event(_, scalper_decide::domain::Event::IvHistory { days }) = step {
                told.push(days.clone());
            }
            std::ops::ControlFlow::Continue(())
        })
        .await
        .unwrap();
        assert_eq!(told, [iv], "what was fed is in the journal");
        readers.close().await;
    });
}

#[test]
fn a_daemon_that_waits_for_a_session_is_alive_hears_what_is_said_to_it_and_ends_when_told() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("algo.yml"), "").unwrap();
    // The market goes on by itself, night and holiday at the speed of the day.
    let printed = dir.path().join("sim.json");
    let sim = scalper(dir.path())
        .args(["sim", "--json", "--speed", "100", "--day", "2025-10-21"])
        .stdout(std::fs::File::create(&printed).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _sim = Process(sim);
    let begun = Instant::now();
    while std::fs::read_to_string(&printed).is_ok_and(|text| !text.ends_with('\n')) {
        assert!(begun.elapsed() < PATIENCE, "no simulator");
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut daemon = run(dir.path(), &["--simulator", "sim.json", "--days", "5"]);
    let waiting = daemon.until("the holiday", |s| !s["waiting"].is_null());
    assert_eq!(waiting["ready"]["waiting_for"][0], "the session of Thu 2025-10-23 09:15", "{waiting:#}");
    assert_eq!((&waiting["ready"]["exits"], &waiting["ready"]["entries"]), (&false.into(), &false.into()));
    assert_eq!(waiting["feed"]["state"], "down");
    let (code, text) = daemon.ask(&["status"]);
    assert_eq!(code, 0);
    assert!(text.contains("waiting for the session of Thu 2025-10-23 09:15"), "{text}");
    let log = daemon.log();
    let address =
        log.split("http://").nth(1).and_then(|rest| rest.split('/').next()).expect("it says where it listens");
    assert_eq!(get(address, "/healthz"), 200, "alive, and nothing is wrong");
    // The guardian does not take the night for a death: it ends with the day, and comes back with the next start.
    let guardian = || std::fs::read_to_string(dir.path().join("data/guardian.log")).unwrap_or_default();
    let begun = Instant::now();
    while !guardian().contains("ended in order") {
        assert!(begun.elapsed() < PATIENCE, "{}", guardian());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(!dir.path().join("data/guardian.alarms").exists(), "{}", guardian());
    assert_eq!(daemon.ask(&["reload"]).0, 0);
    let (code, noted) = daemon.ask(&["halt"]);
    assert!(code == 0 && noted.contains("noted"), "{noted}");
    let (code, refused) = daemon.ask(&["flatten"]);
    assert!(code == 1 && refused.contains("NO_SESSION"), "{refused}");
    kill_process(Pid::from_child(&daemon.process.0), Signal::TERM).unwrap();
    assert_eq!(daemon.end(), 0, "{}", daemon.log());
}
