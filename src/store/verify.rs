//! Proof that a database is what its journal says: pages, chains, and every projected table recomputed.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use chrono::NaiveDate;
use futures_util::FutureExt as _;
use scalper_decide::capital_allocator::HoldState;
use scalper_decide::decision_core::Core as _;
use scalper_decide::direct::Direct;
use scalper_decide::domain::{Event, HoldId, Stamp, Underlying};
use scalper_decide::journal::JournalEntry;
use scalper_decide::paper::{self, PaperVenue};
use scalper_decide::pipeline;
use scalper_decide::risk_manager::{EntryBlock, GuardedPosition};

use super::error::{Refusal, StoreError};
use super::link::{Link, Readers, Row, Value, args};
use super::projection::{CoreView, Projector};
use super::replay::{self, Replayed, Step};
use super::tables::{PROJECTED, RowChange};
use super::{audit, journal_rows};
use crate::journal::run::Mode;

/// A core that takes the journal in again.
pub trait ReplayCore: CoreView {
    /// Takes one event in as it was stamped; what the stages answered, in order.
    ///
    /// # Errors
    /// In words, when the core halts.
    fn take_event(&mut self, stamp: Stamp, event: &Event) -> Result<Vec<JournalEntry>, String>;
}

impl ReplayCore for Direct {
    fn take_event(&mut self, stamp: Stamp, event: &Event) -> Result<Vec<JournalEntry>, String> {
        let outcome = pipeline::run_event(self, stamp, event).now_or_never().expect("direct stages never wait");
        self.take_commands();
        outcome.map_err(|halt| halt.to_string())?;
        Ok(self.take_journal().collect())
    }
}

/// A core beside paper mode's venue, which must say again what the journal has of it.
#[derive(Debug)]
pub struct PaperCore {
    core: Direct,
    venue: PaperVenue,
}

impl PaperCore {
    /// A fresh core with a fresh venue.
    pub fn new(core: Direct) -> PaperCore {
        PaperCore { core, venue: PaperVenue::new(paper::FILLS) }
    }
}

impl CoreView for PaperCore {
    fn guarded(&self, each: &mut dyn FnMut(&GuardedPosition)) {
        self.core.guarded(each);
    }
    fn latches(&self, each: &mut dyn FnMut(Option<Underlying>, &EntryBlock)) {
        self.core.latches(each);
    }
    fn hold(&self, id: HoldId) -> Option<HoldState> {
        CoreView::hold(&self.core, id)
    }
}

impl ReplayCore for PaperCore {
    fn take_event(&mut self, stamp: Stamp, event: &Event) -> Result<Vec<JournalEntry>, String> {
        let outcome = pipeline::run_event(&mut self.core, stamp, event).now_or_never();
        outcome.expect("direct stages never wait").map_err(|halt| halt.to_string())?;
        self.venue.hear_again(stamp, event).map_err(|mismatch| mismatch.to_string())?;
        self.core.take_commands().for_each(|(_, command)| self.venue.submit(stamp.at, command));
        Ok(self.core.take_journal().collect())
    }
}

/// Whether a day was traded on paper.
///
/// # Errors
/// [`StoreError`].
pub async fn is_paper(readers: &Readers, day: NaiveDate) -> Result<bool, StoreError> {
    Ok(journal_rows::runs_of(readers, day).await?.iter().any(|run| run.manifest.mode == Mode::Paper))
}

/// Rows of the projected tables, by table and key.
pub type Tables = BTreeMap<(&'static str, Vec<Value>), Vec<Value>>;

/// Recomputes the projections of a day with a fresh core.
///
/// # Errors
/// [`Refusal::Quarantine`] when the journal cannot be believed or the core halts on it.
pub async fn rebuild(
    readers: &Readers,
    day: NaiveDate,
    core: &mut dyn ReplayCore,
) -> Result<(Tables, Replayed), StoreError> {
    let mut projector = Projector::new();
    let mut tables = Tables::new();
    let mut halted = None;
    let replayed = replay::day(readers, day, |step| {
        match step {
            Step::Event(stamp, event) => match core.take_event(stamp, event) {
                Ok(entries) => {
                    projector.note(stamp, event, &entries);
                    if projector.wants_look(stamp) {
                        projector.look(stamp, core);
                    }
                }
                Err(why) => {
                    halted = Some(format!("the core halts at event {}: {why}", stamp.seq));
                    return ControlFlow::Break(());
                }
            },
            Step::Committed(_) => {
                let of_day = |row: &RowChange| row.values[0] == Value::from(day.to_string());
                for row in projector.take().into_iter().filter(of_day) {
                    tables.insert((row.table.name, row.key().to_vec()), row.values);
                }
            }
        }
        ControlFlow::Continue(())
    })
    .await?;
    match halted {
        Some(why) => Err(Refusal::Quarantine(why).into()),
        None => Ok((tables, replayed)),
    }
}

/// Rows of the projected tables of a day as they stand in the database.
///
/// # Errors
/// [`StoreError`].
pub async fn stored(readers: &Readers, day: NaiveDate) -> Result<Tables, StoreError> {
    let mut tables = Tables::new();
    for table in PROJECTED {
        for Row(row) in readers.fetch(table.statements().of_day, &args![day.to_string()]).await? {
            tables.insert((table.name, row[..table.key].to_vec()), row);
        }
    }
    Ok(tables)
}

/// Where stored and recomputed rows differ, in words; empty when they are equal.
pub fn differences(stored: &Tables, recomputed: &Tables) -> Vec<String> {
    let mut found = Vec::new();
    let plain = |values: &[Value]| -> Vec<Option<String>> { values.iter().map(text).collect() };
    for (key, row) in recomputed {
        match stored.get(key) {
            None => found.push(format!("{} {:?}: missing", key.0, plain(&key.1))),
            // Only the values count: an empty column has no kind of its own in the database.
            Some(known) if plain(known) != plain(row) => {
                found.push(format!("{} {:?}: {:?} should be {:?}", key.0, plain(&key.1), plain(known), plain(row)));
            }
            Some(_) => {}
        }
    }
    let extra = stored.keys().filter(|key| !recomputed.contains_key(key));
    found.extend(extra.map(|key| format!("{} {:?}: not in the journal", key.0, plain(&key.1))));
    found
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Int(v) => v.map(|v| v.to_string()),
        Value::Text(v) => v.clone(),
        Value::Bytes(v) => v.as_ref().map(|v| format!("{v:02x?}")),
    }
}

/// Pages and references of the database file; a server looks after its own.
///
/// # Errors
/// [`StoreError::Damaged`] with what SQLite says.
pub async fn integrity(link: &mut Link) -> Result<(), StoreError> {
    if !matches!(link, Link::Sqlite(_)) {
        return Ok(());
    }
    let rows = link.fetch("PRAGMA integrity_check", &[]).await?;
    if rows.len() != 1 || rows[0].text(0)? != "ok" {
        let said: Vec<&str> = rows.iter().filter_map(|row| row.text(0).ok()).collect();
        return Err(StoreError::Damaged(said.join("; ")));
    }
    match link.fetch("PRAGMA foreign_key_check", &[]).await?.len() {
        0 => Ok(()),
        broken => Err(StoreError::Damaged(format!("{broken} references lead nowhere"))),
    }
}

/// The journal's and the audit trail's chains.
///
/// # Errors
/// [`Refusal::Quarantine`] at the first link that breaks.
pub async fn chains(readers: &Readers) -> Result<Replayed, StoreError> {
    audit::verify(readers).await?;
    dangling(readers).await?;
    replay::verify_all(readers).await
}

/// Watchlist items that point at nothing.
async fn dangling(readers: &Readers) -> Result<(), StoreError> {
    let sql = "SELECT w.segment, w.security_id FROM watchlist_items w \
               LEFT JOIN instruments i ON w.watchable_type = 'instrument' AND i.id = w.watchable_id \
               AND i.segment = w.segment AND i.security_id = w.security_id \
               LEFT JOIN derivatives d ON w.watchable_type = 'derivative' AND d.id = w.watchable_id \
               AND d.segment = w.segment AND d.security_id = w.security_id WHERE i.id IS NULL AND d.id IS NULL";
    match readers.fetch(sql, &[]).await?.first() {
        None => Ok(()),
        Some(row) => {
            let item = format!("{} {}", row.text(0)?, row.int(1)?);
            Err(StoreError::Damaged(format!("watchlist item {item} points at no such instrument")))
        }
    }
}

/// Days that have a journal, with the settings each run of them had.
///
/// # Errors
/// [`StoreError`].
pub async fn days(readers: &Readers) -> Result<BTreeMap<NaiveDate, Vec<String>>, StoreError> {
    let mut days: BTreeMap<NaiveDate, Vec<String>> = BTreeMap::new();
    for run in journal_rows::all_runs(readers).await? {
        days.entry(run.manifest.day).or_default().push(run.manifest.config_hash);
    }
    Ok(days)
}
