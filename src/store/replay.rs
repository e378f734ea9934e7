//! Reading the journal back: every event of a day in order, each segment proved before its events are handed out.

use std::ops::ControlFlow;

use chrono::NaiveDate;
use scalper_decide::domain::{Event, Seq, Stamp};

use super::error::{Refusal, StoreError};
use super::journal_rows;
use super::link::Readers;
use crate::journal::run::Run;
use crate::journal::segment::{Hash, SegmentFault, SegmentReader, Tail};

/// Segments read from the database at a time.
const PAGE: i64 = 256;

/// What a replay went through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Replayed {
    /// Runs.
    pub runs: u64,
    /// Segments.
    pub segments: u64,
    /// Events.
    pub events: u64,
    /// Stamp of the last event.
    pub last: Stamp,
}

/// Something a replay meets.
#[derive(Debug)]
pub enum Step<'a> {
    /// An event.
    Event(Stamp, &'a Event),
    /// The end of a segment: everything so far was committed in one transaction.
    Committed(Seq),
}

enum Stop {
    Fault(SegmentFault),
    Enough,
}

impl From<SegmentFault> for Stop {
    fn from(fault: SegmentFault) -> Stop {
        Stop::Fault(fault)
    }
}

/// Hands out every event of a trading day, over all its runs. `take` may stop it.
///
/// # Errors
/// [`Refusal::Quarantine`] at the first segment that cannot be believed; what was handed out before is sound.
pub async fn day(
    readers: &Readers,
    day: NaiveDate,
    mut take: impl FnMut(Step<'_>) -> ControlFlow<()>,
) -> Result<Replayed, StoreError> {
    let mut replayed = Replayed::default();
    let mut end: Option<Tail> = None;
    for run in journal_rows::runs_of(readers, day).await? {
        if let Some(end) = end
            && run.manifest.after != end.seq
        {
            return Err(quarantine(&run, run.manifest.after, "the run does not follow the one before"));
        }
        let (tail, stopped) = one_run(readers, &run, &mut replayed, &mut take).await?;
        if stopped {
            break;
        }
        end = Some(tail);
    }
    Ok(replayed)
}

/// Proves every chain of every run, and that each run stands on the one before.
///
/// # Errors
/// As [`day`].
pub async fn verify_all(readers: &Readers) -> Result<Replayed, StoreError> {
    let mut replayed = Replayed::default();
    let mut before: Option<(uuid::Uuid, Hash)> = None;
    for run in journal_rows::all_runs(readers).await? {
        let (predecessor, hash) = before.map_or((None, [0; 32]), |(id, hash)| (Some(id), hash));
        if run.predecessor != predecessor || run.predecessor_hash != hash {
            return Err(quarantine(&run, run.manifest.after, "the run stands on another one than the one before"));
        }
        let (tail, _) = one_run(readers, &run, &mut replayed, &mut |_| ControlFlow::Continue(())).await?;
        before = Some((run.manifest.id, tail.hash));
    }
    Ok(replayed)
}

fn quarantine(run: &Run, at: Seq, what: impl std::fmt::Display) -> StoreError {
    Refusal::Quarantine(format!("run {} of {}, after event {at}: {what}", run.manifest.id, run.manifest.day)).into()
}

async fn one_run(
    readers: &Readers,
    run: &Run,
    replayed: &mut Replayed,
    take: &mut impl FnMut(Step<'_>) -> ControlFlow<()>,
) -> Result<(Tail, bool), StoreError> {
    if run.genesis != run.manifest.genesis(run.predecessor, &run.predecessor_hash) {
        return Err(quarantine(run, run.manifest.after, "what the run says about itself was changed"));
    }
    let mut tail = Tail::genesis(run.genesis, run.manifest.after);
    let mut reader = SegmentReader::new();
    replayed.runs += 1;
    // Asking from zero on, not from the tail: a segment that overlaps must be seen, not skipped.
    let mut from = Seq(0);
    loop {
        let page = journal_rows::segments(readers, run.manifest.id, from, PAGE).await?;
        let Some(last) = page.last() else { return Ok((tail, false)) };
        from = Seq(last.first.seq.0 + 1);
        for segment in &page {
            let read = reader.read(segment, &tail, |stamp, event| {
                replayed.events += 1;
                replayed.last = stamp;
                match take(Step::Event(stamp, event)) {
                    ControlFlow::Continue(()) => Ok(()),
                    ControlFlow::Break(()) => Err(Stop::Enough),
                }
            });
            match read {
                Ok(end) => tail = end,
                Err(Stop::Fault(fault)) => return Err(quarantine(run, tail.seq, fault)),
                Err(Stop::Enough) => return Ok((tail, true)),
            }
            replayed.segments += 1;
            if take(Step::Committed(tail.seq)).is_break() {
                return Ok((tail, true));
            }
        }
    }
}
