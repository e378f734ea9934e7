//! One suite for both databases: what a store promises, whichever it is.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use chrono::NaiveDate;
use scalper::journal::run::{Mode, NewRun, RunState};
use scalper::journal::writer::{Durable, JournalWriter};
use scalper::store::audit::{self, Act};
use scalper::store::error::{Refusal, StoreError};
use scalper::store::lease::{LeaseRequest, Moment};
use scalper::store::link::{Link, Value};
use scalper::store::operations::{self, BudgetUse};
use scalper::store::place::StoreUrl;
use scalper::store::projection::Projector;
use scalper::store::replay::{self, Step};
use scalper::store::{Owner, Store, StoreOptions, doors, journal_rows, schema, verify, watchlist};
use scalper_decide::domain::operator::OperatorCommand;
use scalper_decide::domain::{Event, Instant, Seq, Stamp, Underlying};
use scalper_decide::journal::JournalEntry;
use uuid::Uuid;

use super::market_day;
use super::postgres::Server;
use super::subscriptions::subscriptions;

/// Dense enough for trades, small enough for a test.
const TICKS: usize = 60_000;

pub(super) fn owner() -> Owner {
    Owner { mode: Mode::Paper, account: "1000000001".to_owned() }
}

pub(super) fn new_run(day: NaiveDate, after: Seq) -> NewRun {
    NewRun {
        id: Uuid::new_v4(),
        mode: Mode::Paper,
        account: "1000000001".to_owned(),
        day,
        binary: "0.1.0+test".to_owned(),
        config_hash: "c0ffee".to_owned(),
        tables_hash: "7ab1e5".to_owned(),
        started_at: Instant::from_secs(1_768_189_500),
        after,
    }
}

pub(super) fn options(dir: &Path, url: &StoreUrl) -> StoreOptions {
    StoreOptions { dir: dir.to_owned(), url: url.clone(), owner: Some(owner()) }
}

/// Journals a played day up to event `until`, committing at every command and every so often; what was journalled.
async fn journal_day(writer: &mut JournalWriter, ticks: usize) -> (NaiveDate, Vec<(Stamp, Event)>, usize) {
    let mut events = Vec::new();
    let mut commands = 0;
    let mut projector = Projector::new();
    let mut receipts = Vec::new();
    let day = market_day::play(1, ticks, &mut |stamp, event, entries, core| {
        writer.append(stamp, event).expect("the journal takes it");
        projector.note(stamp, event, entries);
        if projector.wants_look(stamp) {
            projector.look(stamp, core);
        }
        events.push((stamp, event.clone()));
        let sends = entries.iter().filter(|e| matches!(e, JournalEntry::Command { .. })).count();
        commands += sends;
        if sends > 0 || stamp.seq.0 % 2_000 == 0 {
            writer.project(projector.take());
            receipts.push(writer.commit().expect("somebody writes"));
        }
        ControlFlow::Continue(())
    });
    let receipt = receipts.pop().expect("something was committed");
    receipt.clone().for_entry().await.expect("the database has it");
    assert_eq!(receipt.now(), Some(Durable::Database));
    // Whatever is behind the last commit is not durable and not read back.
    let end = receipt.seq();
    events.retain(|(stamp, _)| stamp.seq <= end);
    (day, events, commands)
}

async fn read_back(store: &Store, day: NaiveDate) -> Vec<(Stamp, Event)> {
    let mut events = Vec::new();
    let replayed = replay::day(store.readers(), day, |step| {
        if let Step::Event(stamp, event) = step {
            events.push((stamp, event.clone()));
        }
        ControlFlow::Continue(())
    })
    .await
    .expect("the journal is sound");
    assert_eq!(replayed.events, events.len() as u64);
    events
}

async fn journal_and_tables(dir: &Path, url: &StoreUrl) {
    let store = Store::open(&options(dir, url)).await.unwrap();
    let day = market_day::play(1, TICKS, &mut |_, _, _, _| ControlFlow::Break(()));
    let (run, mut writer) = store.begin_run(new_run(day, Seq(0))).await.unwrap();
    let (_, written, commands) = journal_day(&mut writer, TICKS).await;
    assert!(commands > 4, "{commands} commands: the day traded");

    // I23: the day comes back event by event, and the tables are what a fresh core makes of it.
    assert!(read_back(&store, day).await == written, "the journal gives back what was written");
    let mut core = market_day::core();
    let (recomputed, _) = verify::rebuild(store.readers(), day, &mut core).await.unwrap();
    let stored = verify::stored(store.readers(), day).await.unwrap();
    assert_eq!(verify::differences(&stored, &recomputed), Vec::<String>::new());
    let rows = |name: &str| stored.keys().filter(|(table, _)| *table == name).count();
    for table in ["orders", "order_events", "fills", "positions", "holds", "decisions"] {
        assert!(rows(table) > 0, "{table} has rows");
    }
    // A table that was tampered with is seen.
    let sql = "UPDATE orders SET filled_qty = filled_qty + 1";
    store.transact(move |link| Box::pin(async move { link.execute(sql, &[]).await })).await.unwrap();
    let stored = verify::stored(store.readers(), day).await.unwrap();
    assert_eq!(verify::differences(&stored, &recomputed).len(), rows("orders"));

    // A second process of the same day goes on where the first died.
    let end = written.last().unwrap().0;
    store.close().await;
    let store = Store::open(&options(dir, url)).await.unwrap();
    let (second, mut writer) = store.begin_run(new_run(day, end.seq)).await.unwrap();
    assert_eq!(second.predecessor, Some(run.manifest.id));
    let next = Stamp { seq: Seq(end.seq.0 + 1), at: end.at };
    writer.append(next, &Event::Timer).unwrap();
    writer.commit().unwrap().for_entry().await.unwrap();
    store.end_run(second.manifest.id, RunState::Ended, end.at).await.unwrap();
    assert_eq!(read_back(&store, day).await.last(), Some(&(next, Event::Timer)));
    let runs = journal_rows::runs_of(store.readers(), day).await.unwrap();
    let states: Vec<RunState> = runs.iter().map(|run| run.state).collect();
    assert_eq!(states, [RunState::CrashedRecovered, RunState::Ended]);
    let proved = verify::chains(store.readers()).await.unwrap();
    assert_eq!((proved.runs, proved.last), (2, next));

    // H4: a changed byte in the middle is named and nothing behind it is handed out.
    let sql = "UPDATE journal_segments SET checksum = checksum + 1 WHERE first_seq > 1 AND run_id = $1";
    let id = run.manifest.id.to_string();
    store.transact(move |link| Box::pin(async move { link.execute(sql, &[id.into()]).await })).await.unwrap();
    let Err(StoreError::Refused(Refusal::Quarantine(what))) = verify::chains(store.readers()).await else {
        panic!("a changed segment was believed");
    };
    assert!(what.contains("the bytes changed"), "{what}");
    store.close().await;
}

async fn owners(dir: &Path, url: &StoreUrl) {
    // H13: paper never opens live's database, nor one account another's.
    let store = Store::open(&options(dir, url)).await.unwrap();
    store.close().await;
    for (mode, account) in [(Mode::Live, "1000000001"), (Mode::Paper, "1000000002")] {
        let wrong = Owner { mode, account: account.to_owned() };
        let refused = Store::open(&StoreOptions { owner: Some(wrong), ..options(dir, url) }).await.unwrap_err();
        assert!(matches!(refused, StoreError::Refused(Refusal::OtherOwner { .. })), "{refused}");
    }
    Store::open(&options(dir, url)).await.unwrap().close().await;
}

fn tick_at(seq: u64) -> (Stamp, Event) {
    (Stamp { seq: Seq(seq), at: Instant::from_secs(1_768_189_500 + seq.cast_signed()) }, Event::Timer)
}

async fn fencing(dir: &Path, url: &StoreUrl) {
    // E6, I20: whoever lost the lease writes nothing any more and sends nothing any more.
    let day = NaiveDate::from_ymd_opt(2026, 1, 13).unwrap();
    let store = Store::open(&options(dir, url)).await.unwrap();
    let request = LeaseRequest::engine(dir, Duration::from_secs(30));
    let lease = store.take_lease(request.clone()).await.unwrap();
    assert!(lease.is_mine(Moment::now()));
    let (_, mut writer) = store.begin_run(new_run(day, Seq(0))).await.unwrap();
    let (stamp, event) = tick_at(1);
    writer.append(stamp, &event).unwrap();
    writer.commit().unwrap().for_entry().await.unwrap();

    // Somebody elsewhere waits out the time-to-live and takes over behind our back.
    let mut other = Link::open(url, false).await.unwrap();
    let sql = "UPDATE lease SET epoch = epoch + 1, session = $1, holder = 'the other one'";
    other.execute(sql, &["x".into()]).await.unwrap();
    let (stamp, event) = tick_at(2);
    writer.append(stamp, &event).unwrap();
    let receipt = writer.commit().unwrap();
    let entry = receipt.clone().for_entry().await.unwrap_err();
    assert_eq!(entry, StoreError::Fenced("the other one".to_owned()));
    assert_eq!(receipt.clone().for_exit().await, Err(entry), "exits belong to the new holder as well");
    assert_eq!(receipt.now(), None);
    assert!(!lease.is_mine(Moment::now()));
    let count = other.fetch_one("SELECT count(*) FROM journal_segments WHERE first_seq = 2", &[]).await.unwrap();
    assert_eq!(count.unwrap().int(0).unwrap(), 0, "the fenced event is not in the database");
    store.close().await;

    // A lease of another place is waited for, one of this place is known to be dead.
    let sql = "UPDATE lease SET place = 'elsewhere', heartbeat_at = $1";
    other.execute(sql, &[Moment::now().wall.nanos().into()]).await.unwrap();
    let store = Store::open(&options(dir, url)).await.unwrap();
    let refused = store.take_lease(request.clone()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Refused(Refusal::LeaseHeld { .. })), "{refused}");
    other.execute("UPDATE lease SET place = $1", &[Value::from(request.place.as_str())]).await.unwrap();
    let again = store.take_lease(request).await.unwrap();
    assert!(again.epoch() > lease.epoch() + 1);
    other.close().await;
    store.close().await;
}

async fn seeds(dir: &Path, url: &StoreUrl) {
    // S3-44, S3-45, F-81.
    let store = Store::open(&options(dir, url)).await.unwrap();
    let shipped = || watchlist::parse(watchlist::SEEDS).unwrap();
    let refused = store.seed(shipped(), None).await.unwrap_err().to_string();
    assert!(refused.contains("no such instrument"), "{refused}");
    assert!(watchlist::load_watchlist(store.readers()).await.unwrap().is_empty(), "nothing was seeded");
    let master = super::cli::small_master();
    let master = scalper::store::master::Master::read(master.as_bytes()).unwrap();
    for _ in 0..2 {
        let seeded = store.seed(shipped(), Some(master.clone())).await.unwrap();
        assert_eq!((seeded.items, seeded.loaded.derivatives), (4, 3));
    }
    // Without a list the table is asked; what a person switched off stays off.
    let off = "UPDATE watchlist_items SET active = 0 WHERE security_id = 25";
    store.transact(move |link| Box::pin(async move { link.execute(off, &[]).await })).await.unwrap();
    store.seed(shipped(), None).await.unwrap();
    let ids: Vec<u32> =
        watchlist::load_watchlist(store.readers()).await.unwrap().iter().map(|w| w.security_id).collect();
    assert_eq!(ids, [13, 21, 51]);
    verify::chains(store.readers()).await.unwrap();
    store.close().await;
}

async fn audit_trail(dir: &Path, url: &StoreUrl) {
    // S22: append-only, and a changed row is found even by whoever gets round that.
    let store = Store::open(&options(dir, url)).await.unwrap();
    let act = |n: i64| Act {
        at: Instant::from_secs(n),
        actor: "operator".to_owned(),
        source: "socket".to_owned(),
        action: "halt".to_owned(),
        detail: format!("reason {n}"),
    };
    for n in 1..=5 {
        assert_eq!(store.audit(act(n)).await.unwrap(), n);
    }
    assert_eq!(audit::verify(store.readers()).await.unwrap(), 5);
    for sql in ["UPDATE audit SET detail = 'x' WHERE id = 3", "DELETE FROM audit WHERE id = 5"] {
        let changed = store.transact(move |link| Box::pin(async move { link.execute(sql, &[]).await })).await;
        assert!(changed.unwrap_err().to_string().contains("append-only"));
    }
    let disarm: &[&str] = match url {
        StoreUrl::Sqlite(_) => &["DROP TRIGGER audit_is_never_changed"],
        StoreUrl::Postgres(_) => &["ALTER TABLE audit DISABLE TRIGGER audit_is_never_changed"],
    };
    let mut link = Link::open(url, false).await.unwrap();
    link.execute(disarm[0], &[]).await.unwrap();
    link.execute("UPDATE audit SET detail = 'reason 4' WHERE id = 3", &[]).await.unwrap();
    let broken = audit::verify(store.readers()).await.unwrap_err().to_string();
    assert!(broken.contains("row 3"), "{broken}");
    link.close().await;
    store.close().await;
}

async fn crashes_are_counted(dir: &Path, url: &StoreUrl) {
    // P4, G8: a run that ended in order is no crash, and neither is one that is found before the time asked for.
    let store = Store::open(&options(dir, url)).await.unwrap();
    let day = NaiveDate::from_ymd_opt(2026, 1, 12).unwrap();
    for n in 0..5 {
        let started_at = Instant::from_secs(1_000 + n);
        let (run, _) = store.begin_run(NewRun { started_at, ..new_run(day, Seq(0)) }).await.unwrap();
        if n == 1 {
            store.end_run(run.manifest.id, RunState::Ended, started_at).await.unwrap();
        }
    }
    let since = |secs| journal_rows::crashes_since(store.readers(), day, Instant::from_secs(secs));
    // Found dead: the first at the second start, the third and fourth at the ones after them; the fifth lives.
    assert_eq!((since(0).await, since(1_001).await, since(1_003).await), (Ok(3), Ok(2), Ok(1)));
    let tomorrow = day.succ_opt().unwrap();
    assert_eq!(journal_rows::crashes_since(store.readers(), tomorrow, Instant::from_secs(0)).await, Ok(0));
    store.close().await;
}

async fn a_halt_outlives_its_day(dir: &Path, url: &StoreUrl) {
    // F-33, I13: what a person closed on Friday is closed on Monday.
    let store = Store::open(&options(dir, url)).await.unwrap();
    let day = |d| NaiveDate::from_ymd_opt(2026, 1, d).unwrap();
    let rows = [
        "INSERT INTO risk_events VALUES ('2026-01-12', 1, 0, 1, 'operator', '{\"verb\":\"halt\"}')",
        "INSERT INTO risk_events VALUES ('2026-01-12', 2, 0, 2, 'operator', '{\"verb\":\"resume\"}')",
        "INSERT INTO risk_events VALUES ('2026-01-13', 3, 0, 3, 'operator', '{\"verb\":\"reduce_only\"}')",
        "INSERT INTO risk_events VALUES ('2026-01-13', 4, 0, 4, 'operator', '{\"verb\":\"pause\",\"underlying\":\"NIFTY\"}')",
        "INSERT INTO risk_events VALUES ('2026-01-13', 5, 0, 5, 'finding', '{}')",
        "INSERT INTO risk_events VALUES ('2026-01-14', 6, 0, 6, 'operator', 'nobody can read this')",
    ];
    for sql in rows {
        store.transact(move |link| Box::pin(async move { link.execute(sql, &[]).await })).await.unwrap();
    }
    let closed = |d| doors::left_closed(store.readers(), day(d));
    let pause = OperatorCommand::Pause { underlying: Underlying::Nifty };
    assert_eq!(closed(12).await.unwrap(), []);
    assert_eq!(closed(13).await.unwrap(), []);
    assert_eq!(closed(14).await.unwrap(), [OperatorCommand::ReduceOnly, pause]);
    assert_eq!(closed(20).await.unwrap(), [OperatorCommand::Halt], "what cannot be read keeps entries closed");
    store.close().await;
}

async fn small_facts(dir: &Path, url: &StoreUrl) {
    let store = Store::open(&options(dir, url)).await.unwrap();
    let day = |d| NaiveDate::from_ymd_opt(2026, 1, d).unwrap();
    for (d, iv) in [(12, 11.25), (13, 99.0), (13, 12.5), (14, 13.0)] {
        store.save_iv(Underlying::Nifty, day(d), iv).await.unwrap();
    }
    assert!(store.save_iv(Underlying::Nifty, day(15), f64::NAN).await.is_err());
    let history = operations::iv_history(store.readers(), day(14)).await.unwrap();
    assert_eq!(history[&Underlying::Nifty], [(day(12), 11_250_000), (day(13), 12_500_000)]);

    // I16: the windows survive the process, and a late writer cannot give calls back.
    let used = |secs, used| BudgetUse { budget: "orders/day".to_owned(), window_start: Instant::from_secs(secs), used };
    for (uses, since) in [(vec![used(1, 7), used(2, 9)], 0), (vec![used(2, 4)], 2)] {
        store.save_budget("1000000001".to_owned(), uses, Instant::from_secs(since)).await.unwrap();
    }
    let kept = operations::budget_use(store.readers(), "1000000001", Instant::from_secs(0)).await.unwrap();
    assert_eq!(kept, [used(2, 9)]);
    for _ in 0..2 {
        store.remember_config("c0ffee".to_owned(), "a: 1".to_owned(), Instant::from_secs(1)).await.unwrap();
    }
    assert_eq!(store.fetch("SELECT settings FROM config_history", &[]).await.unwrap().len(), 1);
    store.close().await;
}

async fn schema_is_guarded(dir: &Path, url: &StoreUrl) {
    // G16: an older program leaves a newer schema alone.
    Store::open(&options(dir, url)).await.unwrap().close().await;
    let mut link = Link::open(url, false).await.unwrap();
    assert_eq!(schema::version(&mut link).await.unwrap(), schema::NEWEST);
    assert_eq!(schema::migrate(&mut link).await.unwrap(), schema::NEWEST, "twice is once");
    link.execute("UPDATE _sqlx_migrations SET version = 99 WHERE version = 4", &[]).await.unwrap();
    link.close().await;
    let refused = Store::open(&options(dir, url)).await.unwrap_err();
    assert_eq!(refused, StoreError::Refused(Refusal::NewerSchema { found: 99, known: schema::NEWEST }));
}

/// Tables and columns, by name, as both kinds of database tell them.
async fn columns(url: &StoreUrl) -> Vec<String> {
    let mut link = Link::open(url, false).await.unwrap();
    let sql = match url {
        StoreUrl::Sqlite(_) => {
            "SELECT m.name || '.' || c.name || CASE c.\"notnull\" WHEN 1 THEN '!' ELSE '' END FROM sqlite_master m \
             JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name <> '_sqlx_migrations'"
        }
        StoreUrl::Postgres(_) => {
            "SELECT table_name || '.' || column_name || CASE is_nullable WHEN 'NO' THEN '!' ELSE '' END \
             FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations'"
        }
    };
    let rows = link.fetch(sql, &[]).await.unwrap();
    link.close().await;
    let mut columns: Vec<String> = rows.iter().map(|row| row.text(0).unwrap().to_owned()).collect();
    columns.sort();
    columns
}

macro_rules! suite {
    ($fresh:expr) => {{
        let fresh = $fresh;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (dir, url) = fresh("owners");
            owners(dir.path(), &url).await;
            let (dir, url) = fresh("fencing");
            fencing(dir.path(), &url).await;
            let (dir, url) = fresh("seeds");
            seeds(dir.path(), &url).await;
            let (dir, url) = fresh("audit_trail");
            audit_trail(dir.path(), &url).await;
            let (dir, url) = fresh("facts");
            small_facts(dir.path(), &url).await;
            let (dir, url) = fresh("doors");
            a_halt_outlives_its_day(dir.path(), &url).await;
            let (dir, url) = fresh("crashes");
            crashes_are_counted(dir.path(), &url).await;
            let (dir, url) = fresh("subscriptions");
            subscriptions(dir.path(), &url).await;
            let (dir, url) = fresh("guarded");
            schema_is_guarded(dir.path(), &url).await;
            let (dir, url) = fresh("journal");
            journal_and_tables(dir.path(), &url).await;
            columns(&url).await
        })
    }};
}

#[test]
fn sqlite_keeps_what_a_store_promises() {
    suite!(|_: &str| {
        let dir = tempfile::tempdir().unwrap();
        let url = StoreUrl::default_in(dir.path());
        (dir, url)
    });
}

#[test]
fn postgresql_keeps_what_a_store_promises_with_the_same_schema() {
    let Some(server) = Server::start("postgresql_keeps_what_a_store_promises_with_the_same_schema") else { return };
    let theirs = suite!(|name: &str| {
        let dir = tempfile::tempdir().unwrap();
        (dir, StoreUrl::parse(&server.database(name)).unwrap())
    });
    let dir = tempfile::tempdir().unwrap();
    let url = StoreUrl::default_in(dir.path());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ours = runtime.block_on(async {
        Store::open(&options(dir.path(), &url)).await.unwrap().close().await;
        columns(&url).await
    });
    assert_eq!(ours, theirs);
}
