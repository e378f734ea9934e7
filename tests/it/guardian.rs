//! The guardian against real processes: a simulator that goes on whatever happens, an engine that is killed or stopped,
//! and the books the simulator keeps as the witness (N6, E8, I3, I20).

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::process::{Daemon, Running, Simulator, ask, lively, scalper, signal, text, until};
use crate::store::postgres::Server;

/// Trades all the time and holds for long.
fn patient() -> String {
    lively(&[
        "max_positions_per_index: 2",
        "max_positions_total: 6",
        "stop_pct: 40",
        "target_pct: 90",
        "trail: none",
        "time_stop_minutes: 300",
    ])
}

/// A simulator with its account, and a folder for engines and guardians. Everything left of it ends when dropped.
struct World {
    simulator: Simulator,
    dir: tempfile::TempDir,
    /// What engine and guardian are told beside settings and simulator.
    more: Vec<String>,
    /// Real orders: the token of the environment, settings that say so.
    is_live: bool,
}

/// Session seconds per second. `SCALPER_GUARDIAN_SPEED=1` to 3 is the drill: there it must be flat in ten of them.
fn speed() -> String {
    std::env::var("SCALPER_GUARDIAN_SPEED").unwrap_or_else(|_| "20".to_owned())
}

/// N6, where the speed makes it a statement about the program and not about the machine.
fn in_time(what: &str, took: f64) {
    eprintln!("{what}: {took:.1} session seconds");
    let is_drill = speed().parse::<f64>().is_ok_and(|speed| speed <= 3.0);
    assert!(!is_drill || took <= 10.0, "{what} took {took:.1} session seconds");
}

impl Drop for World {
    fn drop(&mut self) {
        // A guardian is nobody's child.
        if let Some(pid) = self.guardian() {
            signal(pid, Signal::KILL);
        }
    }
}

impl World {
    fn start(speed: &str) -> World {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("algo.yml"), patient()).unwrap();
        let simulator = Simulator::start(dir.path(), &["--speed", speed, "--seed", "1"]);
        World { simulator, dir, more: Vec::new(), is_live: false }
    }

    fn verb(&self, verb: &str) -> Command {
        let mut command = scalper();
        command.args([verb, "--config", "algo.yml", "--simulator", "simulator.json"]).args(&self.more);
        if self.is_live {
            let account = self.simulator.facts["client_id"].as_str().unwrap();
            command.env("DHAN_CLIENT_ID", account).env("DHAN_ACCESS_TOKEN", self.simulator.token());
        }
        command.current_dir(self.dir.path());
        command
    }

    fn engine(&self, more: &[&str]) -> Daemon {
        let mut run = self.verb("run");
        run.args(more);
        Daemon::spawn(run, self.dir.path())
    }

    /// An engine that goes on with what an earlier one left open, and has a failpoint.
    fn heir(&self, more: &[&str], failpoint: &str) -> Daemon {
        let mut run = self.verb("run");
        run.args(more).env(scalper::failpoint::VARIABLE, failpoint);
        Daemon::spawn(run, self.dir.path())
    }

    /// Ends an engine by SIGTERM: in order, its stops resting at the broker.
    fn ends_in_order(&self, engine: &mut Daemon) {
        signal(engine.pid(), Signal::TERM);
        assert!(engine.until_end().success(), "{}", engine.log());
        let truth = self.truth();
        assert!(!truth.held.is_empty() && truth.live > 0, "stops rest for what is open: {truth:?}");
    }

    /// `scalper guardian`, started by hand.
    fn guardian_verb(&self) -> Command {
        let mut command = self.verb("guardian");
        command.args(["--data-dir", "data"]);
        command
    }

    fn logs(&self) -> String {
        let read = |name: &str| std::fs::read_to_string(self.dir.path().join(name)).unwrap_or_default();
        let status = self.status().map_or(String::new(), |s| format!("{s:#}"));
        [status, read("log"), read("data/guardian.log"), read("data/guardian.alarms")].join("\n--\n")
    }

    fn ask(&self, verb: &[&str]) -> (i32, String) {
        ask(self.dir.path(), verb)
    }

    fn status(&self) -> Option<Value> {
        let (code, text) = self.ask(&["status", "--json"]);
        (code == 0).then(|| serde_json::from_str(&text).unwrap())
    }

    fn until_status(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        until(what, || self.status().filter(|status| is_so(status)), || self.logs())
    }

    /// Waits until something is owned, by the engine's word and the simulator's.
    fn until_holding(&self) {
        self.until_status("position", |s| {
            let open = |p: &Value| p["phase"] == "open" && p["owned"].as_i64().unwrap() > 0;
            s["positions"].as_array().unwrap().iter().any(open)
        });
        assert!(!self.truth().held.is_empty());
    }

    /// The guardian's process, while it lives.
    fn guardian(&self) -> Option<u32> {
        let text = std::fs::read_to_string(self.dir.path().join("data/guardian.beat")).ok()?;
        let report: Value = serde_json::from_str(text.lines().next()?).ok()?;
        let pid = u32::try_from(report["process"]["pid"].as_u64()?).ok()?;
        scalper::guardian::process::Process::of(pid).map(|_| pid)
    }

    fn alarms(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("data/guardian.alarms")).unwrap_or_default()
    }

    fn now_ns(&self) -> i64 {
        self.simulator.sim("clock")["now_ns"].as_i64().expect("a time")
    }

    /// What really happened. No unit was ever sold twice, no order placed twice.
    fn truth(&self) -> Truth {
        let truth = self.simulator.sim("truth");
        assert_eq!(truth["contradictions"], serde_json::json!([]));
        let mut held: BTreeMap<String, i64> = BTreeMap::new();
        for trade in truth["trades"].as_array().unwrap() {
            let units = trade["tradedQuantity"].as_i64().unwrap();
            let sign = if trade["transactionType"] == "SELL" { -1 } else { 1 };
            let net = held.entry(trade["securityId"].to_string()).or_default();
            *net += sign * units;
            assert!(*net >= 0, "more sold than owned (I3): {trade}");
        }
        held.retain(|_, net| *net != 0);
        let orders = truth["orders"].as_array().unwrap();
        let ids: std::collections::BTreeSet<_> = orders.iter().map(|o| o["correlationId"].to_string()).collect();
        assert_eq!(ids.len(), orders.len(), "an order was placed twice (L2)");
        let over = ["TRADED", "CANCELLED", "REJECTED", "EXPIRED"];
        let live = orders.iter().filter(|o| !over.contains(&o["orderStatus"].as_str().unwrap())).count();
        Truth { held, live, orders: orders.clone() }
    }

    /// Waits until nothing is held and nothing works; how long that was in session time.
    fn until_flat(&self, since: i64) -> f64 {
        let flat = || Some(self.truth()).filter(|t| t.held.is_empty() && t.live == 0).map(|_| self.now_ns());
        let at = until("flat account", flat, || self.logs());
        (at - since) as f64 / 1e9
    }

    fn until_gone(&self, pid: u32) {
        until("end of the guardian", || (self.guardian() != Some(pid)).then_some(()), || self.logs());
    }
}

#[derive(Debug)]
struct Truth {
    held: BTreeMap<String, i64>,
    live: usize,
    orders: Vec<Value>,
}

#[test]
fn an_engine_that_is_killed_with_open_lots_leaves_nothing_open_and_the_next_one_finds_it_so() {
    // N6, I3
    let world = World::start(&speed());
    let mut engine = world.engine(&[]);
    world.until_holding();
    let guardian = world.guardian().expect("run started one");
    assert_ne!(guardian, engine.pid());
    let killed_at = world.now_ns();
    engine.process.kill();
    let took = world.until_flat(killed_at);
    in_time("flat after the kill", took);
    world.until_gone(guardian);
    assert!(world.alarms().contains("the engine died") && world.alarms().contains("flat: "), "{}", world.alarms());

    // The folder is free again; what the guardian did is in the journal, and entries wait for a person.
    let mut next = world.engine(&[]);
    let status = world.until_status("readiness for exits", |s| s["ready"]["exits"] == true);
    assert_eq!(status["positions"], serde_json::json!([]));
    assert_eq!(status["in_doubt"], 0);
    assert!(status["blocks"].as_array().unwrap().iter().any(|block| block == "halted"), "{status:#}");
    assert!(status["money"]["trades"].as_u64().unwrap() >= 1);
    let unfinished = |key: &str, over: fn(&Value) -> bool| {
        status[key].as_array().unwrap().iter().filter(|row| !over(row)).cloned().collect::<Vec<_>>()
    };
    assert_eq!(unfinished("orders", |order| order["is_over"] == true), Vec::<Value>::new());
    let guardian = until("another guardian", || world.guardian(), || world.logs());

    // An end in order with nothing held is no reason to do anything.
    world.until_status("a watching guardian", |s| s["guardian"]["is_alive"] == true);
    next.stop();
    let alarms = world.alarms();
    world.until_gone(guardian);
    assert_eq!(world.alarms(), alarms);
    world.truth();
    let (code, proof) = world.ask(&["db", "verify"]);
    assert_eq!(code, 0, "{proof}");
}

#[test]
fn an_engine_that_stands_still_is_fenced_off_before_its_lots_are_sold_and_sends_nothing_when_it_wakes() {
    // E8, I20
    let world = World::start("20");
    let mut engine = world.engine(&[]);
    world.until_holding();
    let guardian = world.guardian().expect("run started one");
    let stopped_at = world.now_ns();
    signal(engine.pid(), Signal::STOP);
    let took = world.until_flat(stopped_at);
    eprintln!("flat {took:.1} session seconds after the stop\n{}", world.alarms());
    world.until_gone(guardian);
    assert!(world.alarms().contains("silent"), "{}", world.alarms());
    let before = world.truth();
    assert_eq!(engine.process.has_ended(), None, "it lives, and knows nothing yet");

    signal(engine.pid(), Signal::CONT);
    let ended = engine.until_end();
    assert!(!ended.success());
    let log = engine.log();
    assert!(log.contains("another daemon holds the lease"), "{log}");
    let after = world.truth();
    assert_eq!(after.orders, before.orders, "it sent nothing");
    assert!(after.held.is_empty());
}

#[test]
fn without_a_guardian_there_are_no_entries_and_exits_go_on() {
    // N6
    let world = World::start("20");
    let mut engine = world.engine(&["--guardian", "elsewhere"]);
    let refused = |s: &Value| {
        let named = |why: &Value| why.as_str().unwrap().contains("no guardian is awake");
        s["ready"]["entries"] == false && s["ready"]["waiting_for"].as_array().unwrap().iter().any(named)
    };
    let first = world.until_status("readiness for exits", |s| s["ready"]["exits"] == true);
    assert!(refused(&first), "{first:#}");
    let mut guardian = Running(world.guardian_verb().stderr(Stdio::null()).spawn().unwrap());
    world.until_status("readiness for entries", |s| s["ready"]["entries"] == true);
    world.until_holding();

    // A second one is refused.
    let second = world.guardian_verb().output().unwrap();
    assert!(!second.status.success() && text(&second).contains("has a guardian already"));

    guardian.kill();
    let alone = world.until_status("a refusal of entries", refused);
    assert_eq!(alone["ready"]["exits"], true);
    assert!(alone["alarms"].as_array().unwrap().iter().any(|alarm| alarm["key"] == "NO_GUARDIAN"), "{alone:#}");
    assert_eq!(world.ask(&["flatten"]).0, 0);
    world.until_flat(0);
    engine.stop();
}

/// An engine that holds something is killed; its guardian finishes the work.
fn is_closed_after_a_kill(world: &World, mut engine: Daemon, what: &str) {
    world.until_holding();
    let guardian = world.guardian().expect("run started one");
    let killed_at = world.now_ns();
    engine.process.kill();
    in_time(what, world.until_flat(killed_at));
    world.until_gone(guardian);
    assert!(world.alarms().contains("the engine died") && world.alarms().contains("flat: "), "{}", world.alarms());
    let more: Vec<&str> = world.more.iter().map(String::as_str).filter(|arg| !arg.contains("live")).collect();
    let (code, proof) = world.ask(&[&["db", "verify", "--config", "algo.yml"], &more[..]].concat());
    assert_eq!(code, 0, "{proof}");
}

#[test]
fn a_journal_on_postgresql_is_taken_over_like_any_other() {
    // N6
    let Some(server) = Server::start("a_journal_on_postgresql_is_taken_over_like_any_other") else { return };
    let mut world = World::start(&speed());
    world.more = vec!["--url".to_owned(), server.database("guarded")];
    let engine = world.engine(&[]);
    is_closed_after_a_kill(&world, engine, "flat after the kill, on PostgreSQL");
}

#[test]
fn a_live_engine_that_dies_armed_is_closed_by_a_guardian_with_its_token() {
    // N6, S24
    let mut world = World::start(&speed());
    let account = world.simulator.facts["client_id"].as_str().unwrap();
    let live = format!("{}engine:\n  mode: live\n  consent: trade live with {account}\n", patient());
    std::fs::write(world.dir.path().join("algo.yml"), live).unwrap();
    world.more = vec!["--mode=live".to_owned()];
    world.is_live = true;
    let engine = world.engine(&[]);
    let ready = world.until_status("a phrase", |s| {
        s["arming"]["phrase"].is_string() && s["feed"]["state"] == "up" && s["guardian"]["is_alive"] == true
    });
    let (code, said) = world.ask(&["arm", "--phrase", ready["arming"]["phrase"].as_str().unwrap()]);
    assert_eq!(code, 0, "{said}");
    is_closed_after_a_kill(&world, engine, "flat after the kill, live");
}

#[test]
fn what_an_engine_left_open_when_it_was_ended_in_order_waits_for_another_engine_and_is_closed_without_one() {
    // N6: the table of docs/GUARDIAN.md.
    let world = World::start(&speed());
    let mut engine = world.engine(&[]);
    world.until_holding();
    let guardian = world.guardian().expect("run started one");
    world.ends_in_order(&mut engine);
    assert_eq!(world.alarms(), "", "another engine has its time");
    let acts = || world.alarms().contains("ended with something open, and nobody took over").then(|| world.now_ns());
    let began = until("take-over", acts, || world.logs());
    in_time("flat after the take-over began", world.until_flat(began));
    world.until_gone(guardian);
}

#[test]
fn an_engine_that_ends_by_a_bug_of_its_own_or_stands_still_is_replaced_by_the_guardian_and_says_so() {
    // N6, G3, G5: exit codes 70 and 71, and that an engine goes on with what the one before it left open.
    for (failpoint, code) in [("engine.look:error:8", 70), ("engine.look:pause:8", 71)] {
        let world = World::start(&speed());
        let mut first = world.engine(&[]);
        world.until_holding();
        let guardian = world.guardian().expect("run started one");
        world.ends_in_order(&mut first);
        let mut second = world.heir(&[], failpoint);
        let ended = second.until_end();
        assert_eq!(ended.code(), Some(code), "{ended}\n{}", second.log());
        let took = world.until_flat(world.now_ns());
        // One that stood still may have been fenced off meanwhile, and a lease has to run out before anything is sold.
        if code == 70 {
            in_time("flat after an end by a bug", took);
        }
        world.until_gone(guardian);
        assert!(world.alarms().contains("flat: "), "{}", world.alarms());
    }
}

#[test]
fn an_engine_that_cannot_be_fenced_off_is_ended_by_a_guardian_that_is_not_its_child() {
    // E8, I20: stopped inside a transaction it would keep everybody out for ever.
    let world = World::start("20");
    let elsewhere = ["--guardian", "elsewhere"];
    let mut guardian = Running(world.guardian_verb().stderr(Stdio::null()).spawn().unwrap());
    let mut first = world.engine(&elsewhere);
    world.until_holding();
    world.ends_in_order(&mut first);
    let mut second = world.heir(&elsewhere, "store.after_write:pause:12");
    world.until_status("a database that does not answer", |s| s["journal"]["trouble"].is_string());
    signal(second.pid(), Signal::STOP);
    let ended = second.until_end();
    assert_eq!(ended.signal(), Some(9), "{ended}");
    world.until_flat(0);
    let acted = until("end of the guardian", || guardian.has_ended(), || world.logs());
    assert_eq!(acted.code(), Some(75), "{}", world.alarms());
    let words = format!("ending process {}", second.pid());
    assert!(world.alarms().contains("cannot be fenced off") && world.alarms().contains(&words), "{}", world.alarms());
}
