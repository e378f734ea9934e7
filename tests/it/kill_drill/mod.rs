//! The kill drill (G1, P4, I1-I8, I34): the daemon dies by SIGKILL, at named places and at random moments, while it trades
//! in a simulated market that goes on without it. Each start must find its way back, and what the account really did,
//! told by the simulator, must be what the daemon believes.
//!
//! `SCALPER_KILLS=200 cargo test --test it kill_drill -- --nocapture` is the whole drill; without it a few kills.

mod truth;
mod world;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use scalper_decide::domain::operator::OperatorCommand;

use crate::store::postgres::Server;
use truth::{Books, Truth};
use world::{Daemon, PATIENCE, World};

/// The places of the issue and the one in between: marked as sent, nothing written to the broker.
const PLACES: [&str; 6] = [
    "orders.before_write",
    "orders.after_write",
    "orders.after_commit",
    "gateway.before_send",
    "gateway.after_send",
    "gateway.after_response",
];
/// Of these, places where the writer may hang before it dies.
const HANGING: [&str; 2] = ["orders.before_write", "orders.after_write"];
/// At once; after a call could have been made; after an exit has lost its patience with the database.
const KILLS: [&str; 4] = ["kill", "kill-40", "kill-40", "kill-400"];
/// Deaths that no failpoint times.
const ANY_MOMENT: &str = "any moment";
/// A process that does not come to its place is killed after this long.
const LONG_ENOUGH: Duration = Duration::from_secs(12);
/// Session time of day after which a world is left for the next one.
const LATE: &str = "13:30";
/// Kills in one world.
const KILLS_PER_WORLD: usize = 40;
/// Kills of a whole drill must meet each place so often.
const AT_EACH_PLACE: usize = 10;

/// A small generator: the drill needs variety that can be had again, not randomness.
struct Dice(u64);

impl Dice {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }
}

/// What a drill counts.
#[derive(Default)]
struct Tally {
    killed: BTreeMap<&'static str, usize>,
    starts: usize,
    ready: usize,
    /// Killed by their failpoint before they were ready.
    died_early: usize,
    /// From the start of the process to READY(exits), of starts after a kill.
    to_ready: Vec<Duration>,
    /// From READY(exits) to the first look at which every owned unit was covered.
    to_cover: Vec<Duration>,
    compared: usize,
    crash_loops: usize,
    orders: usize,
    trades: usize,
}

impl Tally {
    fn kills(&self) -> usize {
        self.killed.values().sum()
    }

    fn print(&mut self, name: &str) {
        println!("\n{name}: {} kills, {} orders, {} trades", self.kills(), self.orders, self.trades);
        for (place, count) in &self.killed {
            println!("  {place:<24} {count}");
        }
        println!(
            "  {} starts: {} READY(exits), {} killed on their way there; exits only after crashes: {}",
            self.starts, self.ready, self.died_early, self.crash_loops
        );
        println!("  books compared with the account to the paisa: {} times", self.compared);
        histogram("restart to READY(exits)", &mut self.to_ready);
        histogram("READY(exits) to every unit covered", &mut self.to_cover);
    }
}

fn histogram(what: &str, times: &mut [Duration]) {
    const WIDTH: u128 = 250;
    if times.is_empty() {
        return;
    }
    times.sort();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_millis();
    println!("  {what}: p50 {} ms, p90 {} ms, p99 {} ms, max {} ms", at(50), at(90), at(99), at(100));
    let mut buckets: BTreeMap<u128, usize> = BTreeMap::new();
    times.iter().for_each(|time| *buckets.entry(time.as_millis() / WIDTH).or_default() += 1);
    for (bucket, count) in buckets {
        println!(
            "    {:>5} .. {:<5} ms {count:>4} {}",
            bucket * WIDTH,
            (bucket + 1) * WIDTH,
            "#".repeat(count.min(80))
        );
    }
}

fn kills(usual: usize) -> usize {
    std::env::var("SCALPER_KILLS").ok().map_or(usual, |text| text.parse().expect("SCALPER_KILLS is a number"))
}

fn drill(name: &str, seed: u64, kills: usize, database: impl Fn(usize) -> Option<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut tally = Tally::default();
    let mut dice = Dice(seed);
    let mut worlds = 0;
    while tally.kills() < kills {
        worlds += 1;
        let world = World::start(seed + worlds as u64, database(worlds));
        runtime.block_on(live(&world, &mut tally, &mut dice, kills));
    }
    tally.print(name);
    assert_eq!(tally.ready + tally.died_early, tally.starts, "a start that did not get ready");
    assert!(tally.compared > 0, "the books were never compared");
    if kills >= (PLACES.len() + 1) * AT_EACH_PLACE * 2 {
        for place in PLACES {
            let count = tally.killed.get(place).copied().unwrap_or_default();
            assert!(count >= AT_EACH_PLACE, "{place} killed {count} times only");
        }
        assert!(tally.crash_loops > 0, "three crashes in ten minutes and nobody noticed");
    }
}

/// Kills in one simulated world, until there were enough or its day is late; then an end in order.
async fn live(world: &World, tally: &mut Tally, dice: &mut Dice, kills: usize) {
    let begun = tally.kills();
    while tally.kills() < kills && tally.kills() - begun < KILLS_PER_WORLD && !world.is_later_than(LATE) {
        let turn = tally.kills() % (PLACES.len() + 2);
        let place = PLACES.get(turn).copied();
        // Most get the time to be looked at; some die while they recover.
        let passage = if dice.next(4) == 0 { 1 + dice.next(3) } else { 4 + dice.next(16) };
        // Sometimes the writer hangs before it dies. What left meanwhile must be durable all the same: entries wait,
        // exits leave over the emergency journal (L1, L7, I12).
        let hangs = place.is_some_and(|place| HANGING.contains(&place));
        let kill = if hangs { KILLS[dice.next(KILLS.len() as u64) as usize] } else { KILLS[0] };
        let failpoint = place.map(|place| format!("{place}:{kill}:{passage}"));
        let moment =
            Duration::from_millis(if place.is_some() { LONG_ENOUGH.as_millis() as u64 } else { dice.next(4_000) });
        let is_first = tally.kills() == begun;
        let mut daemon = Daemon::start(world, failpoint.as_deref());
        let spawned = Instant::now();
        tally.starts += 1;
        let ready = daemon.until_ready(spawned + if place.is_some() { PATIENCE } else { moment }).await;
        match ready {
            Some(time) => {
                tally.ready += 1;
                if !is_first {
                    tally.to_ready.push(time);
                }
                look(world, &mut daemon, tally).await;
                daemon.until_dead(spawned + moment);
            }
            None => tally.died_early += 1,
        }
        let died_there = daemon.kill();
        let place = place.filter(|_| died_there).unwrap_or(ANY_MOMENT);
        println!(
            "{:>4} {place:<24} lived {:>6} ms, ready after {:>6} ms",
            tally.kills() + 1,
            spawned.elapsed().as_millis(),
            ready.map_or_else(|| "-".to_owned(), |time| time.as_millis().to_string())
        );
        *tally.killed.entry(place).or_default() += 1;
        world.check_account();
    }
    end(world, tally).await;
}

/// Looks at a daemon that says it is ready, as long as it lives.
async fn look(world: &World, daemon: &mut Daemon, tally: &mut Tally) {
    let ready = Instant::now();
    if let Some(status) = daemon.status().await
        && status.blocks.iter().any(|block| block == "reduce only")
    {
        tally.crash_loops += 1;
        assert!(status.alarms.iter().any(|alarm| alarm.key == "crash_loop"), "{:?}", status.alarms);
        daemon.ask(OperatorCommand::Resume).await;
    }
    if let Some(truth) = until_covered(world, daemon).await {
        truth.check();
        tally.to_cover.push(ready.elapsed());
    }
    if books_agree(world, daemon, Duration::from_secs(3)).await {
        tally.compared += 1;
    }
}

/// Waits until every owned unit is covered by live sells (I6, L6); nothing when the daemon dies before.
async fn until_covered(world: &World, daemon: &mut Daemon) -> Option<Truth> {
    let begun = Instant::now();
    loop {
        let truth = world.truth();
        let uncovered = truth.uncovered();
        if uncovered.is_empty() {
            return Some(truth);
        }
        if daemon.is_dead() {
            return None;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "{uncovered:?} stay uncovered\n{:#?}\n{}",
            daemon.status().await,
            daemon.log()
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Whether the daemon's fills and money were found equal to the account's, both at rest. What is wrong for good is
/// found at the end of each world at the latest.
async fn books_agree(world: &World, daemon: &mut Daemon, patience: Duration) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < patience && !daemon.is_dead() {
        let before = world.truth();
        let books = Books::read(&world.url).await;
        let after = world.truth();
        if before.trades == after.trades && books.fills == before.fills() {
            assert_eq!(books.cash_change, before.cash_change(), "the money differs (I8)\n{}", daemon.log());
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

/// The world's end: everything closed, the books equal, the database what its journal says.
async fn end(world: &World, tally: &mut Tally) {
    let mut daemon = Daemon::start(world, None);
    let spawned = Instant::now();
    tally.starts += 1;
    let time = daemon.until_ready(spawned + PATIENCE).await.expect("nothing kills the last one");
    tally.ready += 1;
    tally.to_ready.push(time);
    look(world, &mut daemon, tally).await;
    daemon.ask(OperatorCommand::Halt).await;
    daemon.ask(OperatorCommand::Flatten { underlying: None }).await;
    let begun = Instant::now();
    loop {
        let truth = world.truth();
        if truth.is_flat() && books_agree(world, &mut daemon, Duration::from_secs(1)).await {
            break;
        }
        assert!(!daemon.is_dead(), "the last daemon died\n{}", daemon.log());
        if begun.elapsed() > PATIENCE {
            let books = Books::read(&world.url).await;
            let (ours, theirs) = (&books.fills, truth.fills());
            let lost: Vec<_> = theirs.difference(ours).collect();
            let invented: Vec<_> = ours.difference(&theirs).collect();
            let (net, log) = (truth.net(), daemon.log());
            panic!(
                "not flat and equal: {net:?}\nlost {lost:#?}\ninvented {invented:#?}\n{:#?}\n{log}",
                daemon.status().await
            );
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let truth = world.truth();
    truth.check();
    tally.orders += truth.orders.len();
    tally.trades += truth.trades.len();
    tally.compared += 1;
    daemon.stop();
    world.verify();
}

#[test]
fn a_daemon_killed_at_any_place_finds_its_way_back_on_sqlite() {
    drill("SQLite", 1, kills(10), |_| None);
}

#[test]
fn a_daemon_killed_at_any_place_finds_its_way_back_on_postgresql() {
    let Some(server) = Server::start("a_daemon_killed_at_any_place_finds_its_way_back_on_postgresql") else { return };
    drill("PostgreSQL", 1_000, kills(5), |n| Some(server.database(&format!("drill{n}"))));
}
