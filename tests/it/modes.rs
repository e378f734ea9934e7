//! Paper and live mode as their user meets them: processes against a simulator that plays the broker (F-67, N17, S24).

use std::path::Path;
use std::process::Command;

use scalper::broker::dhan::rest::token::file;
use scalper::config;
use scalper::simulator::market::{GeneratedMarket, GeneratedSpec};
use scalper::simulator::server::{Pace, SimServer, SimServerConfig};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::process::{Daemon, Simulator, ask, in_folder, lively, scalper, text, until};

/// The simulator's account.
const ACCOUNT: &str = "1000000001";

/// A simulator and its folder.
fn broker(speed: &str) -> (Simulator, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (Simulator::start(dir.path(), &["--speed", speed, "--day", "2026-02-10", "--seed", "1"]), dir)
}

/// `scalper run` against a simulator, with a token of the environment.
fn run(broker: &Simulator, token: &str, args: &[&str]) -> Command {
    let mut command = scalper();
    command.arg("run").args(args).arg("--simulator").arg(broker.file());
    if !token.is_empty() {
        command.env("DHAN_CLIENT_ID", ACCOUNT).env("DHAN_ACCESS_TOKEN", token);
    }
    command
}

fn start(broker: &Simulator, dir: &Path, args: &[&str]) -> Daemon {
    Daemon::spawn(run(broker, &broker.token(), args), dir)
}

#[test]
fn paper_trades_at_the_brokers_prices_and_sends_no_order_and_a_restart_takes_its_venue_back() {
    // N17, F-67
    let (broker, _at) = broker("60");
    let dir = tempfile::tempdir().unwrap();
    settings(dir.path());
    let mut daemon = start(&broker, dir.path(), &PAPER);
    let ready = daemon.until("readiness for entries", |s| s["ready"]["entries"] == true);
    assert_eq!((ready["mode"].as_str(), ready["push"]["state"].as_str()), (Some("paper"), Some("not there")));
    let holding = daemon.until("a position", |s| {
        s["positions"].as_array().unwrap().iter().any(|p| p["owned"].as_i64() > Some(0) && p["protected"] == true)
    });
    let orders = |s: &Value| -> Vec<String> {
        s["orders"].as_array().unwrap().iter().map(|o| o["id"].as_str().unwrap().to_owned()).collect()
    };
    // Killed with the position open: what the venue knew comes back with the journal.
    daemon.process.kill();
    let mut daemon = start(&broker, dir.path(), &PAPER);
    let back = daemon.until("readiness again", |s| s["ready"]["exits"] == true);
    let known = orders(&back);
    // The newest events may not have been durable; everything before them is there.
    assert!(known.len() + 2 >= orders(&holding).len() && !known.is_empty(), "{back:#}");
    let traded = daemon.until("a finished trade", |s| s["money"]["trades"].as_u64() >= Some(1));
    assert!(traded["orders"].as_array().unwrap().iter().any(|o| o["purpose"] == "protection"), "{traded:#}");
    assert_eq!(daemon.ask(&["halt"]).0, 0);
    assert_eq!(daemon.ask(&["flatten"]).0, 0);
    daemon.until("flat", |s| s["positions"].as_array().unwrap().is_empty());
    daemon.stop();

    let truth = broker.sim("truth");
    assert_eq!(truth["orders"].as_array().unwrap().len(), 0, "{truth:#}");
    let (code, proof) = ask(dir.path(), &["db", "verify", "--config", "paper.yml"]);
    assert_eq!(code, 0, "{proof}");
    assert!(proof.contains("paper venue of 2026-02-10: says again what it said"), "{proof}");
}

/// Settings for paper, and for live orders of the simulator's account.
fn settings(dir: &Path) {
    let busy = lively(&["opening_balance_rupees: 500000"]);
    std::fs::write(dir.join("paper.yml"), &busy).unwrap();
    let live = format!("{busy}engine:\n  mode: live\n  consent: trade live with {ACCOUNT}\n");
    std::fs::write(dir.join("live.yml"), live).unwrap();
}

const PAPER: [&str; 4] = ["--mode", "paper", "--config", "paper.yml"];
const LIVE: [&str; 4] = ["--mode", "live", "--config", "live.yml"];

#[test]
fn live_starts_disarmed_arms_by_phrase_and_good_checks_alone_and_is_disarmed_again_by_a_restart() {
    // S24, N16, I15
    let (broker, _at) = broker("60");
    let dir = tempfile::tempdir().unwrap();
    settings(dir.path());
    let mut daemon = start(&broker, dir.path(), &LIVE);
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
    assert_eq!(broker.sim("truth")["orders"].as_array().unwrap().len(), 0, "disarmed sends nothing");

    let (code, armed) = daemon.ask(&["arm", "--phrase", &phrase]);
    assert_eq!((code, armed.as_str()), (0, "done\n"));
    let traded = daemon.until("an entry", |s| s["orders"].as_array().unwrap().iter().any(|o| o["purpose"] == "entry"));
    assert_eq!(traded["arming"]["armed"], true);
    daemon.until("an order at the broker", |s| {
        s["orders"].as_array().unwrap().iter().any(|o| o["broker_id"].is_string())
    });

    daemon.process.kill();
    let mut daemon = start(&broker, dir.path(), &LIVE);
    let back = daemon.until("readiness for exits again", |s| s["ready"]["exits"] == true);
    assert_eq!(back["arming"]["armed"], false, "{back:#}");
    assert_eq!(daemon.ask(&["flatten"]).0, 0, "exits need no arming");
    daemon.until("flat", |s| s["positions"].as_array().unwrap().is_empty());
    daemon.stop();
    let (code, proof) = ask(dir.path(), &["db", "verify", "--config", "live.yml"]);
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
    let (broker, _at) = broker("1");
    let dir = tempfile::tempdir().unwrap();
    let (at, good) = (dir.path(), broker.token());
    settings(at);
    let paper = |token: &str| in_folder(run(&broker, token, &["--mode", "paper", "--token-file", "none"]), at);

    refused(paper(""), at, 1, &["no Dhan token", "scalper token set"]);
    let wrong = format!("{}.c2lnbmF0dXJl", good.rsplit_once('.').unwrap().0);
    refused(paper(&wrong), at, 1, &["does not let us in", "token"]);
    let past = scalper_decide::domain::Instant::from_secs(1_770_000_000);
    let over = scalper::broker::dhan::rest::token::jwt::unsigned(ACCOUNT, past);
    refused(paper(&over), at, 1, &["the token ended at", "scalper token renew"]);

    // S24: live needs the settings, the flag and the words of a person.
    let live = |args: &[&str]| in_folder(run(&broker, &good, args), at);
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
        command.args(["run", "--simulator", "sim.json", "--token-file", "token"]).args(LIVE);
        command
    }
}

#[test]
fn orders_from_an_address_that_is_not_registered_keep_live_from_starting() {
    // B5
    let inside = Inside::start(1.0);
    inside.server.desk.with(|_, account, _| account.addresses = ["203.0.113.7".parse().unwrap()].into()).unwrap();
    let at = inside.dir.path();
    refused(in_folder(inside.live(), at), at, 1, &["127.0.0.1", "203.0.113.7", "refused"]);
    drop(inside.runtime);
}

#[test]
fn a_token_that_is_replaced_with_a_position_open_takes_over_and_the_position_is_left_with_it() {
    // B1, B2: the old token is dead at the broker the moment there is a new one.
    let inside = Inside::start(60.0);
    let mut daemon = Daemon::spawn(inside.live(), inside.dir.path());
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
    let in_force = || {
        let (code, checks) = daemon.ask(&["doctor", "--json"]);
        (code == 0 && checks.contains(&ends[..16])).then_some(())
    };
    until("new token in force", in_force, || daemon.log());
    assert_eq!(daemon.ask(&["flatten"]).0, 0);
    daemon.until("flat", |s| s["positions"].as_array().unwrap().is_empty());
    let held = inside.server.desk.with(|sim, _, _| sim.truth().positions.len()).unwrap();
    assert_eq!(held, 0, "flat at the broker too");
    let shown = daemon.stop();
    for token in [&inside.server.token, &new] {
        let signature = token.expose_secret().rsplit('.').next().unwrap();
        assert!(!shown.contains(signature), "a token is in the log");
    }
    drop(inside.runtime);
}
