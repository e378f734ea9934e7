//! The kill drill of the store: processes that die with SIGKILL before a write, after it, after the commit, and while
//! only the emergency journal answers. Nothing they were told is durable may be missing (G1, H3, I12).

use std::io::{BufRead as _, BufReader, Write as _};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use scalper::journal::writer::Durable;
use scalper::store::lease::LeaseRequest;
use scalper::store::link::Link;
use scalper::store::place::StoreUrl;
use scalper::store::projection::Projector;
use scalper::store::replay::{self, Step};
use scalper::store::{Store, verify};
use scalper_decide::domain::{Seq, Stamp};

use super::conformance::{new_run, options};
use super::market_day;
use super::postgres::Server;

const CHILD: &str = "SCALPER_TEST_CHILD";
const LOCKED: &str = "SCALPER_TEST_LOCKED";
/// Of each generated day: enough for a hundred commits.
const TICKS: usize = 6_000;

/// Not a test of its own: what the killed process does. It journals a played day from where the database ends, and says
/// what is durable as soon as it knows.
#[test]
fn child_that_journals_until_it_dies() {
    let Ok(text) = std::env::var(CHILD) else { return };
    let (dir, url) = text.split_once('|').expect("folder|url");
    let (dir, url) = (Path::new(dir), StoreUrl::parse(url).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(journal_until_killed(dir, &url));
}

async fn journal_until_killed(dir: &Path, url: &StoreUrl) {
    let store = Store::open(&options(dir, url)).await.unwrap();
    store.take_lease(LeaseRequest::engine(dir, Duration::from_secs(30))).await.unwrap();
    let day = market_day::play(1, TICKS, &mut |_, _, _, _| ControlFlow::Break(()));
    let known = replay::day(store.readers(), day, |_| ControlFlow::Continue(())).await.unwrap().last;
    let (_, mut writer) = store.begin_run(new_run(day, known.seq)).await.unwrap();
    say(&format!("begun {}", known.seq));
    // With the lock in another hand from here on, only the emergency journal answers.
    let mut intruder = Link::open(url, false).await.unwrap();
    if std::env::var(LOCKED).is_ok() {
        intruder.begin().await.unwrap();
    }
    let (send, mut commits) = tokio::sync::mpsc::unbounded_channel();
    let player = std::thread::spawn(move || {
        let mut projector = Projector::new();
        market_day::play(1, TICKS, &mut |stamp, event, entries, core| {
            projector.note(stamp, event, entries);
            if projector.wants_look(stamp) {
                projector.look(stamp, core);
            }
            if stamp.seq <= known.seq {
                // Recovery: the rows of the past are there already, but the fold needs them.
                projector.take();
                return ControlFlow::Continue(());
            }
            writer.append(stamp, event).unwrap();
            if stamp.seq.0 % 150 == 0
                || entries.iter().any(|e| matches!(e, scalper_decide::journal::JournalEntry::Command { .. }))
            {
                writer.project(projector.take());
                let receipt = writer.commit().unwrap();
                let (done, wait) = std::sync::mpsc::channel::<()>();
                send.send((receipt, done)).unwrap();
                let _ = wait.recv();
            }
            ControlFlow::Continue(())
        });
    });
    while let Some((receipt, done)) = commits.recv().await {
        let seq = receipt.seq();
        match receipt.for_exit().await.unwrap() {
            Durable::Database => say(&format!("durable {seq}")),
            Durable::Emergency => say(&format!("emergency {seq}")),
        }
        drop(done);
    }
    player.join().unwrap();
    say("finished");
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n@{line}").unwrap();
    out.flush().unwrap();
}

struct Death {
    /// Last event the process was told is durable.
    durable: u64,
    /// Whether that was by the emergency journal at least once.
    emergency: bool,
    finished: bool,
}

/// Lets a process journal until its failpoint kills it, or until it has said `after` lines.
fn run_child(dir: &Path, url: &str, failpoint: Option<&str>, locked: bool, after: Option<usize>) -> Death {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "store::kills::child_that_journals_until_it_dies", "--nocapture", "--test-threads=1"])
        .env(CHILD, format!("{}|{url}", dir.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if locked {
        command.env(LOCKED, "yes");
    }
    if let Some(failpoint) = failpoint {
        command.env(scalper::failpoint::VARIABLE, failpoint);
    }
    let mut child = command.spawn().unwrap();
    let mut death = Death { durable: 0, emergency: false, finished: false };
    let mut said = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let mut words = line.trim().split(' ');
        match (words.next(), words.next()) {
            (Some("@durable" | "@begun"), Some(seq)) => death.durable = seq.parse().unwrap(),
            (Some("@emergency"), Some(seq)) => {
                death.durable = seq.parse().unwrap();
                death.emergency = true;
            }
            (Some("@finished"), _) => death.finished = true,
            _ => continue,
        }
        said += 1;
        if after == Some(said) {
            let _ = child.kill();
        }
    }
    let status = child.wait().unwrap();
    assert!(death.finished || !status.success(), "the child ended without finishing or dying: {status}");
    death
}

/// After a death: everything that was durable is there, chained, and the tables are what it amounts to.
async fn inspect(dir: &Path, url: &StoreUrl, durable: u64) {
    let store = Store::open(&options(dir, url)).await.unwrap();
    let mut expected = Vec::new();
    let day = market_day::play(1, TICKS, &mut |stamp, event, _, _| {
        expected.push((stamp, event.clone()));
        ControlFlow::Continue(())
    });
    let mut last = Stamp::default();
    let mut at = 0;
    let take = |step: Step<'_>| {
        if let Step::Event(stamp, event) = step {
            assert!((stamp, event) == (expected[at].0, &expected[at].1), "event {}", stamp.seq);
            last = stamp;
            at += 1;
        }
        ControlFlow::Continue(())
    };
    replay::day(store.readers(), day, take).await.unwrap();
    assert!(last.seq >= Seq(durable), "told {durable} is durable, found {}", last.seq);
    verify::chains(store.readers()).await.unwrap();
    let mut core = market_day::core();
    let (recomputed, _) = verify::rebuild(store.readers(), day, &mut core).await.unwrap();
    let stored = verify::stored(store.readers(), day).await.unwrap();
    assert_eq!(verify::differences(&stored, &recomputed), Vec::<String>::new());
    store.close().await;
}

const PLACES: [&str; 3] = ["store.before_write", "store.after_write", "store.after_commit"];

fn drill(dir: &Path, url: &str, kills: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let parsed = StoreUrl::parse(url).unwrap();
    let mut died = 0;
    for n in 0..kills {
        let place = PLACES[n as usize % PLACES.len()];
        let death = run_child(dir, url, Some(&format!("{place}:kill:{}", 1 + n % 4)), false, None);
        died += u32::from(!death.finished);
        runtime.block_on(inspect(dir, &parsed, death.durable));
    }
    // The first deaths come long before the day is over.
    assert!(died >= kills.min(24), "{died} of {kills} processes died");
}

#[test]
fn no_durable_event_is_lost_by_thirty_six_kills_on_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    let url = StoreUrl::default_in(dir.path()).to_string();
    drill(dir.path(), &url, 36);
}

#[test]
fn no_durable_event_is_lost_by_kills_on_postgresql() {
    let Some(server) = Server::start("no_durable_event_is_lost_by_kills_on_postgresql") else { return };
    let dir = tempfile::tempdir().unwrap();
    drill(dir.path(), &server.database("kills"), 12);
}

#[test]
fn a_commit_whose_answer_was_lost_is_written_once() {
    // H8: the failpoint fails the statement after the commit went through, the writer tries again.
    let dir = tempfile::tempdir().unwrap();
    let url = StoreUrl::default_in(dir.path());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (place, n) in [("store.after_commit", 2), ("store.after_write", 3), ("store.before_write", 2)] {
        let death = run_child(dir.path(), &url.to_string(), Some(&format!("{place}:error:{n}")), false, Some(12));
        runtime.block_on(inspect(dir.path(), &url, death.durable));
    }
}

#[test]
fn events_that_only_the_emergency_journal_has_survive_the_kill() {
    // H1, H7, I9: the database is locked all the time, exits leave, the process dies, the next start merges.
    let dir = tempfile::tempdir().unwrap();
    let url = StoreUrl::default_in(dir.path());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let death = run_child(dir.path(), &url.to_string(), None, false, Some(4));
    assert!(!death.finished && !death.emergency);
    for failpoint in ["emergency.after_write:kill:2", "emergency.after_sync:kill:2", "emergency.before_write:kill:3"] {
        let death = run_child(dir.path(), &url.to_string(), Some(failpoint), true, None);
        assert!(!death.finished);
        runtime.block_on(inspect(dir.path(), &url, death.durable));
    }
}
