//! Paper and live mode as their user meets them: processes against a simulator that plays the broker (F-67, N17, S24).

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longest wait for anything; a healthy machine needs a fraction.
const PATIENCE: Duration = Duration::from_secs(200);
/// The simulator's account.
const ACCOUNT: &str = "1000000001";

fn scalper() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scalper"));
    command.env_remove("DHAN_CLIENT_ID").env_remove("DHAN_ACCESS_TOKEN").env_remove("SCALPER_TOKEN_FILE");
    command
}

/// A process that ends with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A simulator in a process of its own.
struct Broker {
    _process: Running,
    access: Value,
    dir: tempfile::TempDir,
}

impl Broker {
    fn start(speed: &str) -> Broker {
        let dir = tempfile::tempdir().unwrap();
        let mut process = scalper()
            .args(["sim", "--json", "--speed", speed, "--day", "2026-02-10", "--seed", "1"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        std::fs::write(dir.path().join("sim.json"), &line).unwrap();
        Broker { _process: Running(process), access: serde_json::from_str(&line).unwrap(), dir }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("sim.json")
    }

    fn token(&self) -> String {
        self.access["token"].as_str().unwrap().to_owned()
    }

    /// A GET without any client's help, so that nothing of ours is in the way.
    fn get(&self, path: &str) -> Value {
        let rest = self.access["rest"].as_str().unwrap();
        let host = rest.trim_start_matches("http://").trim_end_matches("/v2");
        let mut stream = TcpStream::connect(host).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }
}

struct Daemon {
    process: Running,
    dir: PathBuf,
}

impl Daemon {
    /// `scalper run` with a token of the environment.
    fn start(broker: &Broker, dir: &Path, token: &str, args: &[&str]) -> Daemon {
        let log = std::fs::File::create(dir.join("log")).unwrap();
        let process = run(broker, dir, token, args).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Daemon { process: Running(process), dir: dir.to_owned() }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    fn ask(&self, verb: &[&str]) -> (i32, String) {
        let out = scalper().args(verb).arg("--data-dir").arg(self.dir.join("data")).output().unwrap();
        (out.status.code().unwrap_or(-1), text(&out))
    }

    fn until(&mut self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let (code, text) = self.ask(&["status", "--json"]);
            let status: Option<Value> = (code == 0).then(|| serde_json::from_str(&text).unwrap());
            if let Some(status) = status.as_ref().filter(|status| is_so(status)) {
                return status.clone();
            }
            if let Some(ended) = self.process.0.try_wait().unwrap() {
                panic!("the daemon ended ({ended}) before {what}:\n{}", self.log());
            }
            assert!(begun.elapsed() < PATIENCE, "no {what} in {PATIENCE:?}:\n{status:#?}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn end(mut self) -> String {
        assert_eq!(self.ask(&["stop"]).0, 0);
        let begun = Instant::now();
        while self.process.0.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < PATIENCE, "it does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        self.log()
    }
}

fn run(broker: &Broker, dir: &Path, token: &str, args: &[&str]) -> Command {
    let mut command = scalper();
    command.arg("run").args(args).args(["--listen", "127.0.0.1:0", "--simulator"]).arg(broker.file());
    command.arg("--data-dir").arg(dir.join("data")).current_dir(dir);
    if !token.is_empty() {
        command.env("DHAN_CLIENT_ID", ACCOUNT).env("DHAN_ACCESS_TOKEN", token);
    }
    command
}

fn text(out: &Output) -> String {
    String::from_utf8_lossy(&[out.stdout.clone(), out.stderr.clone()].concat()).into_owned()
}

fn verify(dir: &Path) -> (i32, String) {
    let out = scalper().args(["db", "verify", "--data-dir"]).arg(dir.join("data")).output().unwrap();
    (out.status.code().unwrap_or(-1), text(&out))
}

#[test]
fn paper_trades_at_the_brokers_prices_and_sends_no_order_and_a_restart_takes_its_venue_back() {
    // N17, F-67
    let broker = Broker::start("120");
    let dir = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::start(&broker, dir.path(), &broker.token(), &["--mode", "paper"]);
    let ready = daemon.until("readiness for entries", |s| s["ready"]["entries"] == true);
    assert_eq!((ready["mode"].as_str(), ready["push"]["state"].as_str()), (Some("paper"), Some("not there")));
    let holding = daemon.until("a position", |s| {
        s["positions"].as_array().unwrap().iter().any(|p| p["owned"].as_i64() > Some(0) && p["protected"] == true)
    });
    let orders = |s: &Value| -> Vec<String> {
        s["orders"].as_array().unwrap().iter().map(|o| o["id"].as_str().unwrap().to_owned()).collect()
    };
    // Killed with the position open: what the venue knew comes back with the journal.
    daemon.process.0.kill().unwrap();
    daemon.process.0.wait().unwrap();
    let mut daemon = Daemon::start(&broker, dir.path(), &broker.token(), &["--mode", "paper"]);
    let back = daemon.until("readiness again", |s| s["ready"]["exits"] == true);
    let known = orders(&back);
    // The newest events may not have been durable; everything before them is there.
    assert!(known.len() + 2 >= orders(&holding).len() && !known.is_empty(), "{back:#}");
    let traded = daemon.until("a finished trade", |s| s["money"]["trades"].as_u64() >= Some(1));
    assert!(traded["orders"].as_array().unwrap().iter().any(|o| o["purpose"] == "protection"), "{traded:#}");
    assert_eq!(daemon.ask(&["flatten"]).0, 0);
    daemon.until("flat", |s| s["positions"].as_array().unwrap().is_empty());
    daemon.end();

    let truth = broker.get("/sim/truth");
    assert_eq!(truth["orders"].as_array().unwrap().len(), 0, "{truth:#}");
    let (code, proof) = verify(dir.path());
    assert_eq!(code, 0, "{proof}");
    assert!(proof.contains("paper venue of 2026-02-10: says again what it said"), "{proof}");
}

/// Settings for live orders of the simulator's account.
fn live_settings(dir: &Path) {
    let text = format!("engine:\n  mode: live\n  consent: trade live with {ACCOUNT}\n");
    std::fs::write(dir.join("live.yml"), text).unwrap();
}

const LIVE: [&str; 4] = ["--mode", "live", "--config", "live.yml"];

#[test]
fn live_starts_disarmed_arms_by_phrase_and_good_checks_alone_and_is_disarmed_again_by_a_restart() {
    // S24, N16, I15
    let broker = Broker::start("60");
    let dir = tempfile::tempdir().unwrap();
    live_settings(dir.path());
    let mut daemon = Daemon::start(&broker, dir.path(), &broker.token(), &LIVE);
    let ready = daemon.until("readiness for exits, and a level", |s| {
        s["ready"]["exits"] == true && s["arming"]["phrase"].is_string() && s["feed"]["state"] == "up"
    });
    assert_eq!((ready["mode"].as_str(), ready["arming"]["armed"].as_bool()), (Some("live"), Some(false)));
    assert_eq!(ready["ready"]["entries"], false);
    assert!(ready["blocks"].as_array().unwrap().contains(&Value::from("disarmed")), "{ready:#}");
    let phrase = ready["arming"]["phrase"].as_str().unwrap().to_owned();
    assert!(phrase.contains(ACCOUNT) && phrase.contains("lots") && phrase.contains("a day"), "{phrase}");

    let (code, wrong) = daemon.ask(&["arm", "--phrase", "arm it"]);
    assert!(code == 1 && wrong.contains("WRONG_PHRASE") && wrong.contains(&phrase), "{wrong}");
    // Nobody there to type: said, not waited for.
    assert_eq!(daemon.ask(&["arm"]).0, 2);

    let (code, table) = daemon.ask(&["doctor"]);
    assert_eq!(code, 0, "{table}");
    // A check that fails is in the way, whatever is typed.
    let list = dir.path().join("data/instruments.csv");
    let kept = std::fs::read(&list).unwrap();
    std::fs::write(&list, "cut off").unwrap();
    let (code, failing) = daemon.ask(&["doctor"]);
    assert!(code == 1 && failing.contains("FAIL"), "{failing}");
    let (code, refused) = daemon.ask(&["arm", "--phrase", &phrase]);
    assert!(code == 1 && refused.contains("CHECKS_FAILED") && refused.contains("instruments"), "{refused}");
    std::fs::write(&list, kept).unwrap();
    assert_eq!(broker.get("/sim/truth")["orders"].as_array().unwrap().len(), 0, "disarmed sends nothing");

    let (code, armed) = daemon.ask(&["arm", "--phrase", &phrase]);
    assert_eq!((code, armed.as_str()), (0, "done\n"));
    let traded = daemon.until("an entry", |s| s["orders"].as_array().unwrap().iter().any(|o| o["purpose"] == "entry"));
    assert_eq!(traded["arming"]["armed"], true);
    daemon.until("an order at the broker", |s| {
        s["orders"].as_array().unwrap().iter().any(|o| o["broker_id"].is_string())
    });

    daemon.process.0.kill().unwrap();
    daemon.process.0.wait().unwrap();
    let mut daemon = Daemon::start(&broker, dir.path(), &broker.token(), &LIVE);
    let back = daemon.until("readiness for exits again", |s| s["ready"]["exits"] == true);
    assert_eq!(back["arming"]["armed"], false, "{back:#}");
    assert_eq!(daemon.ask(&["flatten"]).0, 0, "exits need no arming");
    daemon.until("flat", |s| s["positions"].as_array().unwrap().is_empty());
    daemon.end();
    let (code, proof) = verify_with(dir.path(), "live.yml");
    assert_eq!(code, 0, "{proof}");
}

fn verify_with(dir: &Path, settings: &str) -> (i32, String) {
    let out = scalper()
        .args(["db", "verify", "--config", settings, "--data-dir"])
        .arg(dir.join("data"))
        .current_dir(dir)
        .output()
        .unwrap();
    (out.status.code().unwrap_or(-1), text(&out))
}

/// A start that must be refused: its words hold all of these, and nothing of a run is left.
fn refused(mut command: Command, dir: &Path, code: i32, words: &[&str]) {
    let out = command.output().unwrap();
    let said = text(&out);
    assert_eq!(out.status.code(), Some(code), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is missing in: {said}");
    }
    for left in ["data/scalper.db", "data/control.sock"] {
        assert!(!dir.join(left).exists(), "{left} is left behind: {said}");
    }
}

#[test]
fn a_start_that_cannot_be_says_why_and_leaves_nothing_half_started() {
    let broker = Broker::start("1");
    let dir = tempfile::tempdir().unwrap();
    let (at, good) = (dir.path(), broker.token());
    live_settings(at);
    let paper = |token: &str| run(&broker, at, token, &["--mode", "paper", "--token-file", "none"]);

    refused(paper(""), at, 1, &["no Dhan token", "scalper token set"]);
    let wrong = format!("{}.c2lnbmF0dXJl", good.rsplit_once('.').unwrap().0);
    refused(paper(&wrong), at, 1, &["does not let us in", "token"]);
    let past = scalper_decide::domain::Instant::from_secs(1_770_000_000);
    let over = scalper::broker::dhan::rest::token::jwt::unsigned(ACCOUNT, past);
    refused(paper(&over), at, 1, &["the token ended at", "scalper token renew"]);

    // S24: live needs the settings, the flag and the words of a person.
    let live = |args: &[&str]| run(&broker, at, &good, args);
    refused(live(&["--mode", "live"]), at, 2, &["settings", "mode: live"]);
    refused(live(&["--config", "live.yml"]), at, 2, &["--mode live"]);
    std::fs::write(at.join("silent.yml"), "engine: {mode: live}\n").unwrap();
    refused(live(&["--mode", "live", "--config", "silent.yml"]), at, 2, &["trade live with 1000000001"]);

    // Tokens travel over TLS, except on this machine.
    let mut clear = scalper();
    clear.args(["run", "--mode", "paper", "--feed", "ws://feed.example", "--data-dir"]).arg(at.join("data"));
    clear.env("DHAN_CLIENT_ID", ACCOUNT).env("DHAN_ACCESS_TOKEN", &good);
    refused(clear, at, 2, &["wss is required"]);

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().to_string();
    let mut busy = scalper();
    busy.args(["run", "--mode", "paper", "--listen", &port, "--simulator"]).arg(broker.file());
    busy.arg("--data-dir").arg(at.join("data")).env("DHAN_CLIENT_ID", ACCOUNT).env("DHAN_ACCESS_TOKEN", &good);
    refused(busy, at, 1, &["cannot listen on", "--listen"]);

    let mut shut = scalper();
    shut.args(["run", "--data-dir", "/proc/scalper", "--listen", "127.0.0.1:0"]);
    refused(shut, at, 1, &["cannot be written to", "--data-dir"]);
}
