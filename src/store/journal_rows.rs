//! Runs and segments as rows.

use chrono::NaiveDate;
use scalper_decide::domain::{Instant, Seq, Stamp};
use uuid::Uuid;

use super::error::{Refusal, StoreError};
use super::link::{Link, Readers, Row, args};
use crate::journal::run::{Mode, NewRun, Run, RunState};
use crate::journal::segment::{Segment, Tail};

const RUN_COLUMNS: usize = 15;

/// Expands to a query over runs with the columns [`run_of`] reads.
macro_rules! select_runs {
    ($rest:literal) => {
        concat!(
            "SELECT run_id, ordinal, mode, account, day, binary_hash, config_hash, tables_hash, started_at, after_seq, \
             predecessor, predecessor_hash, genesis, state, ended_at FROM journal_runs ",
            $rest
        )
    };
}

fn damaged(what: impl Into<String>) -> StoreError {
    Refusal::Quarantine(what.into()).into()
}

fn uuid(text: &str) -> Result<Uuid, StoreError> {
    Uuid::parse_str(text).map_err(|_| damaged(format!("{text:?} is no id of a run")))
}

fn seq(value: i64) -> Result<Seq, StoreError> {
    u64::try_from(value).map(Seq).map_err(|_| damaged(format!("{value} is no number of an event")))
}

fn run_of(row: &Row) -> Result<Run, StoreError> {
    debug_assert_eq!(row.0.len(), RUN_COLUMNS);
    let word = |at: usize| damaged(format!("{:?} in a run", row.0[at]));
    let manifest = NewRun {
        id: uuid(row.text(0)?)?,
        mode: Mode::from_name(row.text(2)?).ok_or_else(|| word(2))?,
        account: row.text(3)?.to_owned(),
        day: row.text(4)?.parse().map_err(|_| word(4))?,
        binary: row.text(5)?.to_owned(),
        config_hash: row.text(6)?.to_owned(),
        tables_hash: row.text(7)?.to_owned(),
        started_at: Instant::from_nanos(row.int(8)?),
        after: seq(row.int(9)?)?,
    };
    Ok(Run {
        manifest,
        ordinal: row.int(1)?,
        predecessor: row.maybe_text(10)?.map(uuid).transpose()?,
        predecessor_hash: row.hash(11)?,
        genesis: row.hash(12)?,
        state: RunState::from_name(row.text(13)?).ok_or_else(|| word(13))?,
    })
}

/// Every run, oldest first.
pub async fn all_runs(readers: &Readers) -> Result<Vec<Run>, StoreError> {
    readers.fetch(select_runs!("ORDER BY ordinal"), &[]).await?.iter().map(run_of).collect()
}

/// Runs of one trading day, oldest first.
pub async fn runs_of(readers: &Readers, day: NaiveDate) -> Result<Vec<Run>, StoreError> {
    let rows = readers.fetch(select_runs!("WHERE day = $1 ORDER BY ordinal"), &args![day.to_string()]).await?;
    rows.iter().map(run_of).collect()
}

/// Runs of a trading day that ended without a word and were found after `since`.
pub async fn crashes_since(readers: &Readers, day: NaiveDate, since: Instant) -> Result<u64, StoreError> {
    let sql = "SELECT COUNT(*) FROM journal_runs WHERE day = $1 AND state = $2 AND ended_at > $3";
    let args = args![day.to_string(), RunState::CrashedRecovered.name(), since.nanos()];
    let rows = readers.fetch(sql, &args).await?;
    rows.first().map_or(Ok(0), |row| row.int(0)).map(i64::unsigned_abs)
}

pub(crate) async fn last_run(link: &mut Link) -> Result<Option<Run>, StoreError> {
    let row = link.fetch_one(select_runs!("ORDER BY ordinal DESC LIMIT 1"), &[]).await?;
    row.as_ref().map(run_of).transpose()
}

pub(crate) async fn run_named(link: &mut Link, id: Uuid) -> Result<Option<Run>, StoreError> {
    let row = link.fetch_one(select_runs!("WHERE run_id = $1"), &args![id.to_string()]).await?;
    row.as_ref().map(run_of).transpose()
}

/// End of a run's chain by its last row; not proved.
pub(crate) async fn tail_of(link: &mut Link, run: &Run) -> Result<Tail, StoreError> {
    let sql = "SELECT last_seq, last_at, hash FROM journal_segments WHERE run_id = $1 ORDER BY first_seq DESC LIMIT 1";
    let Some(row) = link.fetch_one(sql, &args![run.manifest.id.to_string()]).await? else {
        return Ok(Tail::genesis(run.genesis, run.manifest.after));
    };
    Ok(Tail { seq: seq(row.int(0)?)?, at: Instant::from_nanos(row.int(1)?), hash: row.hash(2)? })
}

/// Announces a run behind the last one; a last one that never ended is marked as crashed and recovered.
pub(crate) async fn insert_run(link: &mut Link, new: &NewRun) -> Result<Run, StoreError> {
    let last = last_run(link).await?;
    let (mut ordinal, mut predecessor, mut predecessor_hash) = (1, None, [0; 32]);
    if let Some(last) = &last {
        if last.state == RunState::Quarantined {
            return Err(damaged(format!("run {} is quarantined", last.manifest.id)));
        }
        if last.state == RunState::Running {
            set_state(link, last.manifest.id, RunState::CrashedRecovered, new.started_at).await?;
        }
        ordinal = last.ordinal + 1;
        predecessor = Some(last.manifest.id);
        predecessor_hash = tail_of(link, last).await?.hash;
    }
    let genesis = new.genesis(predecessor, &predecessor_hash);
    let sql = "INSERT INTO journal_runs (run_id, ordinal, mode, account, day, binary_hash, config_hash, tables_hash, \
               started_at, after_seq, predecessor, predecessor_hash, genesis, state) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 'running')";
    let args = args![
        new.id.to_string(),
        ordinal,
        new.mode.name(),
        new.account.as_str(),
        new.day.to_string(),
        new.binary.as_str(),
        new.config_hash.as_str(),
        new.tables_hash.as_str(),
        new.started_at.nanos(),
        new.after.0,
        predecessor.map(|id| id.to_string()),
        predecessor_hash,
        genesis,
    ];
    link.execute(sql, &args).await?;
    let manifest = new.clone();
    Ok(Run { manifest, ordinal, predecessor, predecessor_hash, genesis, state: RunState::Running })
}

pub(crate) async fn set_state(link: &mut Link, run: Uuid, state: RunState, at: Instant) -> Result<(), StoreError> {
    let sql = "UPDATE journal_runs SET state = $1, ended_at = $2 WHERE run_id = $3";
    link.execute(sql, &args![state.name(), at.nanos(), run.to_string()]).await.map(|_| ())
}

/// Writes a segment, once: a second time it must be the very same (H8).
pub(crate) async fn insert_segment(link: &mut Link, segment: &Segment, epoch: i64) -> Result<(), StoreError> {
    let sql = "INSERT INTO journal_segments (run_id, first_seq, last_seq, first_at, last_at, format, raw_len, payload, \
               checksum, previous, hash, epoch) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
               ON CONFLICT (run_id, first_seq) DO NOTHING";
    let run = segment.run.to_string();
    let args = args![
        run.as_str(),
        segment.first.seq.0,
        segment.last.seq.0,
        segment.first.at.nanos(),
        segment.last.at.nanos(),
        i64::from(segment.format),
        segment.raw_len,
        segment.payload.clone(),
        segment.checksum.cast_signed(),
        segment.previous,
        segment.hash,
        epoch,
    ];
    if link.execute(sql, &args).await? == 1 {
        return Ok(());
    }
    let sql = "SELECT hash FROM journal_segments WHERE run_id = $1 AND first_seq = $2";
    let known = link.fetch_one(sql, &args![run, segment.first.seq.0]).await?;
    match known.map(|row| row.hash(0)).transpose()? {
        Some(hash) if hash == segment.hash => Ok(()),
        _ => Err(damaged(format!("another segment stands at event {} already", segment.first.seq))),
    }
}

/// At most `limit` segments of a run from event `from` on.
pub(crate) async fn segments(readers: &Readers, run: Uuid, from: Seq, limit: i64) -> Result<Vec<Segment>, StoreError> {
    let sql = "SELECT first_seq, last_seq, first_at, last_at, format, raw_len, payload, checksum, previous, hash \
               FROM journal_segments WHERE run_id = $1 AND first_seq >= $2 ORDER BY first_seq LIMIT $3";
    let rows = readers.fetch(sql, &args![run.to_string(), from.0, limit]).await?;
    let stamp = |row: &Row, n: usize| -> Result<Stamp, StoreError> {
        Ok(Stamp { seq: seq(row.int(n)?)?, at: Instant::from_nanos(row.int(n + 2)?) })
    };
    let segment = |row: &Row| -> Result<Segment, StoreError> {
        let format = u16::try_from(row.int(4)?).map_err(|_| damaged("a layout beyond 16 bits"))?;
        Ok(Segment {
            run,
            format,
            first: stamp(row, 0)?,
            last: stamp(row, 1)?,
            raw_len: row.int(5)?.cast_unsigned(),
            payload: row.bytes(6)?.to_vec(),
            checksum: row.int(7)?.cast_unsigned(),
            previous: row.hash(8)?,
            hash: row.hash(9)?,
        })
    };
    rows.iter().map(segment).collect()
}
