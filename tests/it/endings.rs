//! How the process ends when a decider dies or stands still (design 11, G3, G5). Each case runs in a process of its own:
//! this test binary, told by an environment variable what to play.

use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Context, Handler};
use scalper::actors::feed_hub::FeedHub;
use scalper::actors::last_words::{Ending, LastWords};
use scalper::actors::pulse::{Beating, Pulse};
use scalper::actors::shell::Beat;
use scalper::actors::supervisor::{Finding, Limits, Supervisor, Watched};
use scalper::config;
use scalper_decide::decision_core::Core;
use scalper_decide::direct::CoreTables;
use scalper_decide::domain::{Instant, InstrumentId, Tick, TickSource};

const PLAY: &str = "SCALPER_TEST_ENDING";

/// Long enough for a panic to print itself on a busy machine.
const PATIENT: Duration = Duration::from_secs(60);
/// Short, because nothing but the limit ends a decider that stands still.
const HASTY: Duration = Duration::from_millis(400);

fn play(ending: &str) -> Output {
    Command::new(std::env::current_exe().expect("this program has a path"))
        .args(["--exact", "endings::child", "--ignored", "--nocapture"])
        .env(PLAY, ending)
        .output()
        .expect("the child runs")
}

fn assert_ends(ending: &str, code: Ending, words: &[&str]) {
    let out = play(ending);
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert_eq!(out.status.code(), Some(code.code()), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is missing in: {said}");
    }
}

#[test]
fn a_bug_in_a_decider_flushes_and_ends_the_process_with_a_code_of_its_own() {
    assert_ends("decider", Ending::Panicked, &["flushed: Panicked: tick_cache does not answer any more"]);
}

#[test]
fn a_decider_that_dies_while_nobody_asks_it_is_noticed_all_the_same() {
    assert_ends("unasked", Ending::Panicked, &["flushed: Panicked: order_manager died of a bug"]);
}

#[test]
fn a_bug_in_the_journal_ends_the_process_the_same_way() {
    assert_ends("journal", Ending::Panicked, &["flushed: Panicked: the journal lost count"]);
}

#[test]
fn a_flush_that_never_ends_does_not_keep_the_process_alive() {
    assert_ends("hanging flush", Ending::Panicked, &["flushing"]);
}

#[test]
fn deciders_that_stand_still_take_entries_off_and_then_end_the_process() {
    let words = ["entries off: ", "stands still", "flushed: Stuck: ", "is stuck"];
    assert_ends("blocked arbiter", Ending::Stuck, &words);
}

fn last_words() -> LastWords {
    LastWords::new(|ending, why| println!("flushed: {ending:?}: {why}"))
}

fn hub() -> (FeedHub, Vec<Watched>) {
    let tables = config::tables::load(None).expect("shipped tables load");
    let params = config::load_with(None, std::iter::empty(), &["demo".to_owned()]).expect("built-ins load").params;
    let tables = CoreTables { calendar: Arc::new(tables.calendar), charges: Arc::new(tables.charges) };
    FeedHub::start(params, tables, &Default::default())
}

/// A tick of an instrument nobody listed: a bug of whoever sends it, and the cache panics on it.
async fn break_the_tick_cache(mut hub: FeedHub) {
    let at = Instant::from_secs(1);
    hub.handle_tick(at, &Tick::last_price(InstrumentId(7), at, at, 100, TickSource::Feed)).await;
}

/// A decider that dies of its first sign of life.
struct Fragile {
    _pulse: Beating,
}

impl Actor for Fragile {
    type Context = Context<Self>;
}

impl Handler<Beat> for Fragile {
    type Result = ();

    fn handle(&mut self, _: Beat, _: &mut Context<Self>) {
        panic!("a planted bug");
    }
}

/// A supervisor that acts as the daemon's does, with this much patience for a decider that stands still.
fn supervise(watched: Vec<Watched>, words: LastWords, stuck: Duration) -> Supervisor {
    let limits = Limits { slow: stuck / 4, stuck, every: Duration::from_millis(25) };
    let on_finding = move |finding: Finding| match finding {
        Finding::Slow { .. } => println!("entries off: {finding}"),
        Finding::Recovered { .. } => println!("entries on: {finding}"),
        Finding::Stuck { .. } => words.end(Ending::Stuck, &finding.to_string()),
        Finding::Died { .. } => words.end(Ending::Panicked, &finding.to_string()),
    };
    Supervisor::start(limits, watched, on_finding).expect("a thread starts")
}

#[test]
#[ignore = "played by the tests above, each in a process of its own"]
fn child() {
    let ending = std::env::var(PLAY).expect("told what to play");
    actix::System::new().block_on(async move {
        match ending.as_str() {
            "decider" => last_words().guard(async { break_the_tick_cache(hub().0).await }).await,
            "journal" => last_words().guard(async { panic!("the journal lost count") }).await,
            "hanging flush" => {
                let words = LastWords::new(|_, _| {
                    println!("flushing");
                    loop {
                        std::thread::park();
                    }
                });
                words.within(Duration::from_millis(100)).guard(async { panic!("a planted bug") }).await;
            }
            "unasked" => {
                let pulse = Pulse::new("order_manager");
                let addr = Fragile { _pulse: Beating::new(Arc::clone(&pulse)) }.start();
                let _supervisor = supervise(vec![Watched::decider(pulse, addr)], last_words(), PATIENT);
                std::future::pending::<()>().await;
            }
            "blocked arbiter" => {
                let (_hub, watched) = hub();
                let _supervisor = supervise(watched, last_words(), HASTY);
                loop {
                    std::thread::park();
                }
            }
            other => panic!("unknown ending {other}"),
        }
    });
    unreachable!("the process ends before");
}
