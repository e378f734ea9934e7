//! What happens when the database does not do what it should (rows H1 to H12).

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use chrono::NaiveDate;
use scalper::journal::writer::{Durable, JournalHalt, JournalWriter};
use scalper::store::error::{Refusal, StoreError};
use scalper::store::lease::LeaseRequest;
use scalper::store::link::Link;
use scalper::store::place::StoreUrl;
use scalper::store::replay::{self, Step};
use scalper::store::writer::Health;
use scalper::store::{Store, StoreOptions, backup, verify};
use scalper_decide::domain::{Instant, InstrumentId, Seq, Stamp, Tick, TickSource};

use super::conformance::{new_run, options, owner};
use super::postgres::Server;

fn day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, 12).unwrap()
}

async fn begun(dir: &Path, url: &StoreUrl) -> (Store, JournalWriter) {
    let store = Store::open(&options(dir, url)).await.unwrap();
    let (_, writer) = store.begin_run(new_run(day(), Seq(0))).await.unwrap();
    (store, writer)
}

/// Journals `count` more ticks.
fn ticks(writer: &mut JournalWriter, count: u64) -> Result<(), JournalHalt> {
    (0..count).try_for_each(|_| {
        let seq = writer.last().seq.0 + 1;
        let at = Instant::from_secs(1_768_189_500 + seq.cast_signed());
        // No two alike: compression must not make a full disk look roomy.
        let noise = seq.wrapping_mul(0x9e37_79b9_7f4a_7c15).cast_signed() >> 8;
        let mut tick = Tick::last_price(InstrumentId((seq % 7) as u32), at, at, noise, TickSource::Feed);
        (tick.volume, tick.oi) = (noise.wrapping_mul(31), noise.wrapping_mul(17));
        writer.append_tick(Stamp { seq: Seq(seq), at }, &tick)
    })
}

async fn numbers(store: &Store) -> Vec<u64> {
    let mut numbers = Vec::new();
    let take = |step: Step<'_>| {
        if let Step::Event(stamp, _) = step {
            numbers.push(stamp.seq.0);
        }
        ControlFlow::Continue(())
    };
    replay::day(store.readers(), day(), take).await.unwrap();
    numbers
}

async fn until_good(store: &Store) {
    let mut watch = store.watch();
    watch.wait_for(|d| d.health == Health::Good && d.emergency == Seq(0)).await.unwrap();
}

#[tokio::test]
async fn a_full_database_stops_entries_lets_exits_out_and_loses_nothing() {
    // H1.
    let dir = tempfile::tempdir().unwrap();
    let url = StoreUrl::default_in(dir.path());
    let (store, mut writer) = begun(dir.path(), &url).await;
    ticks(&mut writer, 10).unwrap();
    writer.commit().unwrap().for_entry().await.unwrap();
    let sql = "PRAGMA max_page_count = 10";
    store.transact(move |link| Box::pin(async move { link.execute(sql, &[]).await })).await.unwrap();
    ticks(&mut writer, 5_000).unwrap();
    let receipt = writer.commit().unwrap();
    assert!(matches!(receipt.clone().for_entry().await, Err(StoreError::Full(_))), "no entry without the database");
    assert!(matches!(receipt.for_exit().await, Ok(Durable::Emergency | Durable::Database)));
    // The page limit went with the connection: there is room again.
    until_good(&store).await;
    ticks(&mut writer, 1).unwrap();
    writer.commit().unwrap().for_entry().await.unwrap();
    assert_eq!(numbers(&store).await, (1..=5_011).collect::<Vec<u64>>());
    verify::chains(store.readers()).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn a_locked_database_is_not_waited_for_by_an_exit_and_catches_up() {
    // H2, H10: the writer waits for the lock, the exit leaves over the emergency journal.
    let dir = tempfile::tempdir().unwrap();
    let url = StoreUrl::default_in(dir.path());
    let (store, mut writer) = begun(dir.path(), &url).await;
    let mut intruder = Link::open(&url, false).await.unwrap();
    intruder.begin().await.unwrap();
    ticks(&mut writer, 3).unwrap();
    let receipt = writer.commit().unwrap();
    assert_eq!(receipt.clone().for_exit().await, Ok(Durable::Emergency));
    assert_eq!(receipt.now(), Some(Durable::Emergency));
    intruder.rollback().await.unwrap();
    until_good(&store).await;
    assert_eq!(receipt.now(), Some(Durable::Database));
    assert_eq!(numbers(&store).await, [1, 2, 3], "merged exactly once");
    intruder.close().await;
    store.close().await;
}

#[tokio::test]
async fn what_only_the_emergency_journal_has_is_merged_by_the_next_start_exactly_once() {
    // H7, G1: the process dies while the database is locked.
    let dir = tempfile::tempdir().unwrap();
    let url = StoreUrl::default_in(dir.path());
    let kept = dir.path().join("emergency.journal");
    let saved = {
        let (store, mut writer) = begun(dir.path(), &url).await;
        let mut intruder = Link::open(&url, false).await.unwrap();
        intruder.begin().await.unwrap();
        for _ in 0..3 {
            ticks(&mut writer, 4).unwrap();
            assert_eq!(writer.commit().unwrap().for_exit().await, Ok(Durable::Emergency));
        }
        let saved = fs::read(&kept).unwrap();
        intruder.rollback().await.unwrap();
        store.close().await;
        saved
    };
    for round in 0..2 {
        // Once with everything in the database already, once with a database that has none of it.
        if round == 1 {
            let mut link = Link::open(&url, false).await.unwrap();
            link.execute("DELETE FROM journal_segments", &[]).await.unwrap();
            link.close().await;
        }
        fs::write(&kept, &saved).unwrap();
        let store = Store::open(&options(dir.path(), &url)).await.unwrap();
        assert_eq!(numbers(&store).await, (1..=12).collect::<Vec<u64>>(), "round {round}");
        verify::chains(store.readers()).await.unwrap();
        store.close().await;
        assert_ne!(fs::read(&kept).unwrap(), saved, "emptied after the merge");
    }
    // A gap between the two is refused, not papered over.
    let mut link = Link::open(&url, false).await.unwrap();
    link.execute("DELETE FROM journal_segments WHERE first_seq = 5", &[]).await.unwrap();
    link.execute("DELETE FROM journal_segments WHERE first_seq = 1", &[]).await.unwrap();
    link.execute("UPDATE journal_segments SET first_seq = 1, last_seq = 2", &[]).await.unwrap();
    link.close().await;
    fs::write(&kept, &saved).unwrap();
    let refused = Store::open(&options(dir.path(), &url)).await.unwrap_err();
    assert!(matches!(refused, StoreError::Refused(Refusal::Quarantine(_))), "{refused}");
}

#[tokio::test]
async fn a_backlog_halts_the_engine_instead_of_dropping_an_event() {
    let dir = tempfile::tempdir().unwrap();
    let url = StoreUrl::default_in(dir.path());
    let (store, writer) = begun(dir.path(), &url).await;
    let mut writer = writer.with_backlog(10_000);
    let mut intruder = Link::open(&url, false).await.unwrap();
    intruder.begin().await.unwrap();
    let halted = loop {
        if let Err(halt) = ticks(&mut writer, 100) {
            break halt;
        }
        writer.commit().unwrap();
    };
    assert!(matches!(halted, JournalHalt::Backlog { waiting } if waiting > 10_000));
    intruder.rollback().await.unwrap();
    let receipt = writer.commit().unwrap();
    let mut watch = store.watch();
    watch.wait_for(|d| d.database >= receipt.seq()).await.unwrap();
    ticks(&mut writer, 1).unwrap();
    assert_eq!(numbers(&store).await.len() as u64, writer.last().seq.0 - 1, "the halting event is in it as well");
    intruder.close().await;
    store.close().await;
}

#[tokio::test]
async fn a_writer_of_an_earlier_run_cannot_write_into_a_later_one() {
    let dir = tempfile::tempdir().unwrap();
    let url = StoreUrl::default_in(dir.path());
    let (store, mut old) = begun(dir.path(), &url).await;
    ticks(&mut old, 3).unwrap();
    old.commit().unwrap().for_entry().await.unwrap();
    let (_, mut new) = store.begin_run(new_run(day(), Seq(3))).await.unwrap();
    ticks(&mut new, 2).unwrap();
    new.commit().unwrap().for_entry().await.unwrap();
    ticks(&mut old, 1).unwrap();
    // I12: the number is below what the other run has, and still nothing of it is durable.
    let receipt = old.commit().unwrap();
    assert_eq!(receipt.now(), None);
    assert_eq!(receipt.clone().for_entry().await, Err(StoreError::Closed));
    assert_eq!(receipt.for_exit().await, Err(StoreError::Closed));
    let mut watch = store.watch();
    watch.wait_for(|d| matches!(d.health, Health::Failed(_))).await.expect("a bug stops the writer for good");
    assert_eq!(numbers(&store).await, [1, 2, 3, 4, 5]);
    store.close().await;
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_a_clear_refusal_and_nothing_is_half_open() {
    let refused = Store::open(&StoreOptions::in_folder(Path::new("/proc/scalper-data"), Some(owner()))).await;
    let Err(StoreError::ReadOnly(what)) = refused else { panic!("{refused:?}") };
    assert!(what.contains("/proc/scalper-data"), "{what}");
    // A database that is a folder, and a file that is no database.
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("scalper.db")).unwrap();
    let refused = Store::open(&StoreOptions::in_folder(dir.path(), None)).await.unwrap_err();
    assert!(matches!(refused, StoreError::ReadOnly(_)), "{refused}");
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("scalper.db"), vec![b'x'; 8192]).unwrap();
    let refused = Store::open(&StoreOptions::in_folder(dir.path(), None)).await.unwrap_err();
    assert!(matches!(refused, StoreError::Damaged(_)), "{refused}");
    assert_eq!(fs::read(dir.path().join("scalper.db")).unwrap(), vec![b'x'; 8192], "left as it was");
}

#[tokio::test]
async fn a_database_that_vanished_in_the_middle_of_a_day_is_noticed() {
    // H5.
    let dir = tempfile::tempdir().unwrap();
    let url = StoreUrl::default_in(dir.path());
    let (store, _) = begun(dir.path(), &url).await;
    store.close().await;
    fs::remove_file(dir.path().join("scalper.db")).unwrap();
    let store = Store::open(&options(dir.path(), &url)).await.unwrap();
    let lost = store.begin_run(new_run(day(), Seq(0))).await.map(|_| ()).unwrap_err();
    assert!(matches!(lost, StoreError::Refused(Refusal::DayLost { .. })), "{lost}");
    // The next day needs nothing of it; and a person may say that the loss is known.
    let next = new_run(day().succ_opt().unwrap(), Seq(0));
    store.begin_run(next).await.unwrap();
    store.acknowledge_lost_day().unwrap();
    store.begin_run(new_run(day(), Seq(0))).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn a_flipped_bit_in_the_database_file_is_never_read_as_truth() {
    // H4, on the file itself: after a flip the day is refused, or it is still the very same day.
    let dir = tempfile::tempdir().unwrap();
    let url = StoreUrl::default_in(dir.path());
    let (store, mut writer) = begun(dir.path(), &url).await;
    for _ in 0..20 {
        ticks(&mut writer, 40).unwrap();
        writer.commit().unwrap().for_entry().await.unwrap();
    }
    store.close().await;
    let good = fs::read(dir.path().join("scalper.db")).unwrap();
    let (mut refused, mut same) = (0, 0);
    let damaged = dir.path().join("damaged.db");
    let last = good.len() - 4096;
    let anywhere = (0..400).map(|n| n * 7919 % (good.len() * 8));
    let tail = (0..400).map(|n| last * 8 + n * 81);
    for bit in anywhere.chain(tail) {
        let mut bytes = good.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(&damaged, &bytes).unwrap();
        match backup::prove(&damaged).await {
            Err(_) => refused += 1,
            Ok(proved) => {
                assert_eq!((proved.runs, proved.events, proved.last.seq), (1, 800, Seq(800)), "bit {bit}");
                same += 1;
            }
        }
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(dir.path().join(format!("damaged.db{suffix}")));
        }
    }
    assert!(refused > 100, "{refused} refused, {same} harmless");
}

#[tokio::test]
async fn fifty_daemons_at_once_are_one_daemon() {
    // E5.
    let dir = tempfile::tempdir().unwrap();
    let url = StoreUrl::default_in(dir.path());
    let winner = Store::open(&options(dir.path(), &url)).await.unwrap();
    for _ in 0..50 {
        let refused = Store::open(&options(dir.path(), &url)).await.unwrap_err();
        assert!(matches!(refused, StoreError::Refused(Refusal::Locked { .. })), "{refused}");
    }
    winner.close().await;
}

#[test]
fn a_server_that_goes_away_loses_nothing_and_two_folders_share_one_lease() {
    // H7, H8, E6 on PostgreSQL.
    let Some(server) = Server::start("a_server_that_goes_away_loses_nothing_and_two_folders_share_one_lease") else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let url = StoreUrl::parse(&server.database("outage")).unwrap();
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let store = Store::open(&options(dir.path(), &url)).await.unwrap();
        let ttl = Duration::from_secs(30);
        store.take_lease(LeaseRequest::engine(dir.path(), ttl)).await.unwrap();
        let (_, mut writer) = store.begin_run(new_run(day(), Seq(0))).await.unwrap();

        let second = Store::open(&options(other.path(), &url)).await.unwrap();
        let refused = second.take_lease(LeaseRequest::engine(other.path(), ttl)).await.unwrap_err();
        assert!(refused.to_string().contains(&format!("process {}", std::process::id())), "{refused}");
        second.close().await;

        // Sessions are cut again and again while commits are under way: each event arrives exactly once.
        for round in 0..20 {
            ticks(&mut writer, 5).unwrap();
            let receipt = writer.commit().unwrap();
            if round % 3 == 0 {
                server.cut_sessions("outage");
            }
            assert!(receipt.for_exit().await.is_ok());
        }
        until_good(&store).await;
        assert_eq!(numbers(&store).await, (1..=100).collect::<Vec<u64>>());
        verify::chains(store.readers()).await.unwrap();

        // The server dies for good: exits still leave.
        server.kill();
        ticks(&mut writer, 1).unwrap();
        let receipt = writer.commit().unwrap();
        assert_eq!(receipt.clone().for_exit().await, Ok(Durable::Emergency));
        assert!(matches!(receipt.for_entry().await, Err(StoreError::Lost(_))));
    });
}
