//! Paper and live mode as their user meets them: processes against a simulator that plays the broker (F-67, N17, S24).

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use scalper::broker::dhan::rest::token::file;
use scalper::config;
use scalper::simulator::market::{GeneratedMarket, GeneratedSpec};
use scalper::simulator::server::{Pace, SimServer, SimServerConfig};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

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

fn verify(dir: &Path, settings: &str) -> (i32, String) {
    let mut command = scalper();
    command.args(["db", "verify", "--config", settings, "--data-dir", "data"]).current_dir(dir);
    let out = command.output().unwrap();
    (out.status.code().unwrap_or(-1), text(&out))
}

#[test]
fn paper_trades_at_the_brokers_prices_and_sends_no_order_and_a_restart_takes_its_venue_back() {
    // N17, F-67
    let broker = Broker::start("60");
    let dir = tempfile::tempdir().unwrap();
    settings(dir.path());
    let mut daemon = Daemon::start(&broker, dir.path(), &broker.token(), &PAPER);
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
    let mut daemon = Daemon::start(&broker, dir.path(), &broker.token(), &PAPER);
    let back = daemon.until("readiness again", |s| s["ready"]["exits"] == true);
    let known = orders(&back);
    // The newest events may not have been durable; everything before them is there.
    assert!(known.len() + 2 >= orders(&holding).len() && !known.is_empty(), "{back:#}");
    let traded = daemon.until("a finished trade", |s| s["money"]["trades"].as_u64() >= Some(1));
    assert!(traded["orders"].as_array().unwrap().iter().any(|o| o["purpose"] == "protection"), "{traded:#}");
    assert_eq!(daemon.ask(&["halt"]).0, 0);
    assert_eq!(daemon.ask(&["flatten"]).0, 0);
    daemon.until("flat", |s| s["positions"].as_array().unwrap().is_empty());
    daemon.end();

    let truth = broker.get("/sim/truth");
    assert_eq!(truth["orders"].as_array().unwrap().len(), 0, "{truth:#}");
    let (code, proof) = verify(dir.path(), "paper.yml");
    assert_eq!(code, 0, "{proof}");
    assert!(proof.contains("paper venue of 2026-02-10: says again what it said"), "{proof}");
}

/// Settings under which something is bought every few minutes.
const BUSY: &str = "
preset: [demo]
indices:
  NIFTY: {enabled: true, key: NIFTY, sid: 13, segment: IDX_I, capital_alloc_pct: 60, premium_min_rupees: none}
signals:
  trigger: state
  confirmation_timeframe: none
  opening_no_trade_minutes: 0
  adx: {min_primary: 0}
  iv_rank: {enabled: false}
chain: {min_oi: 0, min_score: 0, max_spread_pct: 5, iv_min_pct: 1, iv_max_pct: 300}
capital:
  opening_balance_rupees: 500000
  max_lots: 2
  bands:
    - {up_to_rupees: none, allocation_pct: 50, risk_per_trade_pct: 5, day_loss_pct: 20}
entry_guard:
  max_positions_per_contract: 2
  max_positions_per_index: 3
  max_positions_total: 9
  pyramid_only_in_profit: false
  cooldown_direction_secs: 0
  cooldown_strike_secs: 0
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

/// Settings for paper, and for live orders of the simulator's account.
fn settings(dir: &Path) {
    std::fs::write(dir.join("paper.yml"), BUSY).unwrap();
    let live = format!("{BUSY}engine:\n  mode: live\n  consent: trade live with {ACCOUNT}\n");
    std::fs::write(dir.join("live.yml"), live).unwrap();
}

const PAPER: [&str; 4] = ["--mode", "paper", "--config", "paper.yml"];
const LIVE: [&str; 4] = ["--mode", "live", "--config", "live.yml"];

#[test]
fn live_starts_disarmed_arms_by_phrase_and_good_checks_alone_and_is_disarmed_again_by_a_restart() {
    // S24, N16, I15
    let broker = Broker::start("60");
    let dir = tempfile::tempdir().unwrap();
    settings(dir.path());
    let mut daemon = Daemon::start(&broker, dir.path(), &broker.token(), &LIVE);
    let ready = daemon.until("readiness for exits, and a level", |s| s["ready"]["exits"] == true && is_armable(s));
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
    let (code, proof) = verify(dir.path(), "live.yml");
    assert_eq!(code, 0, "{proof}");
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
    settings(at);
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

/// The phrase is known, the feed speaks and the guardian watches.
fn is_armable(s: &Value) -> bool {
    s["arming"]["phrase"].is_string() && s["feed"]["state"] == "up" && s["guardian"]["is_alive"] == true
}

/// A simulator in this process, so that its account can be changed behind the daemon's back.
struct Inside {
    server: SimServer,
    runtime: tokio::runtime::Runtime,
    dir: tempfile::TempDir,
}

impl Inside {
    fn start(speed: f64) -> Inside {
        let config = config::load(None, std::iter::empty()).unwrap();
        let day = chrono::NaiveDate::from_ymd_opt(2026, 2, 10).unwrap();
        let open = config.tables.calendar.hours(day).unwrap().unwrap().open_at();
        let spec = GeneratedSpec { indices: config.params.indices.clone(), ..GeneratedSpec::usual(1, day) };
        let market = GeneratedMarket::new(spec, &config.tables.calendar, &config.tables.contracts).unwrap();
        let start_at = Some(open + scalper_decide::domain::Age::from_secs(15));
        let sim = SimServerConfig { pace: Pace::Scaled(speed), start_at, ..SimServerConfig::default() };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let server = runtime.block_on(SimServer::start(Box::new(market), config.tables.charges, sim)).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let at = &server.addresses;
        let access = json!({"rest": at.rest, "feed": at.feed, "order_updates": at.order_updates,
            "client_id": server.client_id, "token": server.token.expose_secret()});
        std::fs::write(dir.path().join("sim.json"), access.to_string()).unwrap();
        let inside = Inside { server, runtime, dir };
        inside.write_token(&inside.server.token);
        settings(inside.dir.path());
        inside
    }

    fn write_token(&self, token: &SecretString) {
        file::write(&self.dir.path().join("token"), ACCOUNT, token).unwrap();
    }

    /// `scalper run --mode live` with the token of the file.
    fn live(&self) -> Command {
        let mut command = scalper();
        command.args(["run", "--listen", "127.0.0.1:0", "--simulator", "sim.json", "--token-file", "token"]);
        command.args(LIVE).args(["--data-dir", "data"]).current_dir(self.dir.path());
        command
    }
}

#[test]
fn orders_from_an_address_that_is_not_registered_keep_live_from_starting() {
    // B5
    let inside = Inside::start(1.0);
    inside.server.desk.with(|_, account, _| account.addresses = ["203.0.113.7".parse().unwrap()].into()).unwrap();
    refused(inside.live(), inside.dir.path(), 1, &["127.0.0.1", "203.0.113.7", "refused"]);
    drop(inside.runtime);
}

#[test]
fn a_token_that_is_replaced_with_a_position_open_takes_over_and_the_position_is_left_with_it() {
    // B1, B2: the old token is dead at the broker the moment there is a new one.
    let inside = Inside::start(60.0);
    let log = std::fs::File::create(inside.dir.path().join("log")).unwrap();
    let process = inside.live().stdout(Stdio::null()).stderr(log).spawn().unwrap();
    let mut daemon = Daemon { process: Running(process), dir: inside.dir.path().to_owned() };
    let ready = daemon.until("a phrase", is_armable);
    let (code, said) = daemon.ask(&["arm", "--phrase", ready["arming"]["phrase"].as_str().unwrap()]);
    assert_eq!(code, 0, "{said}");
    let owns = |s: &Value| s["positions"].as_array().unwrap().iter().any(|p| p["owned"].as_i64() > Some(0));
    daemon.until("a position", owns);
    assert_eq!(daemon.ask(&["halt"]).0, 0);
    let life = scalper_decide::domain::Age::from_mins(23 * 60);
    let new = inside.server.desk.with(|_, account, now| account.mint(now, life)).unwrap();
    inside.write_token(&new);
    // Its end differs from the old one's, and the checks of the engine say which one is in force.
    let ends = inside.server.desk.with(|_, account, _| account.expires_at()).unwrap().unwrap().ist_text();
    let begun = Instant::now();
    loop {
        let (code, checks) = daemon.ask(&["doctor", "--json"]);
        if code == 0 && checks.contains(&ends[..16]) {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "the new token is not in force: {checks}\n{}", daemon.log());
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(daemon.ask(&["flatten"]).0, 0);
    daemon.until("flat", |s| s["positions"].as_array().unwrap().is_empty());
    let held = inside.server.desk.with(|sim, _, _| sim.truth().positions.len()).unwrap();
    assert_eq!(held, 0, "flat at the broker too");
    let shown = daemon.end();
    for token in [&inside.server.token, &new] {
        let signature = token.expose_secret().rsplit('.').next().unwrap();
        assert!(!shown.contains(signature), "a token is in the log");
    }
    drop(inside.runtime);
}
