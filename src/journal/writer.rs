//! The decision thread's end of the journal: it stamps nothing, decides nothing and never waits. Events go into a
//! block; a commit hands the block with its projections to the store's writer and gives back a receipt to wait on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use scalper_decide::domain::{Age, Event, Instant, Seq, Stamp, Tick};
use tokio::sync::watch;
use uuid::Uuid;

use super::codec::Encoder;
use super::emergency::Spilled;
use crate::store::error::StoreError;
use crate::store::tables::RowChange;
use crate::store::writer::{Durability, Health, Job, Spill, WriterHandle};

/// Blocks without commands are committed at least this often.
pub const FLUSH_EVERY: Age = Age::from_millis(250);
/// Bytes that may wait for the database before the engine halts rather than drop an event.
const BACKLOG: usize = 64 << 20;
/// How long an exit waits for the database before it leaves over the emergency journal (H10).
pub const PATIENCE: Duration = Duration::from_millis(100);

/// Why the journal takes nothing more: the engine halts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalHalt {
    /// Too much waits for the database.
    #[error("{waiting} bytes of events wait for the database")]
    Backlog {
        /// Bytes waiting.
        waiting: usize,
    },
    /// The writer is gone or will never write again.
    #[error("the journal cannot be written: {0}")]
    Writer(StoreError),
}

/// Where a commit is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durable {
    /// In the database.
    Database,
    /// In the emergency journal only: exits may leave, entries may not.
    Emergency,
}

/// Writes the journal of one run.
#[derive(Debug)]
pub struct JournalWriter {
    run: Uuid,
    encoder: Encoder,
    rows: Vec<RowChange>,
    handle: WriterHandle,
    waiting: VecDeque<Arc<Spilled>>,
    waiting_bytes: usize,
    backlog: usize,
}

impl JournalWriter {
    pub(crate) fn new(run: Uuid, after: Seq, handle: WriterHandle) -> JournalWriter {
        JournalWriter {
            run,
            encoder: Encoder::new(after),
            rows: Vec::new(),
            handle,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            backlog: BACKLOG,
        }
    }

    /// Halts at another number of waiting bytes; for tests and small machines.
    #[must_use]
    pub const fn with_backlog(mut self, bytes: usize) -> JournalWriter {
        self.backlog = bytes;
        self
    }

    /// The run it writes.
    pub const fn run(&self) -> Uuid {
        self.run
    }

    /// Stamp of the last event taken in.
    pub const fn last(&self) -> Stamp {
        self.encoder.last()
    }

    /// Takes any event in.
    ///
    /// # Errors
    /// [`JournalHalt`]; the event is in the block all the same, but nothing may be decided on it.
    ///
    /// # Panics
    /// When the stamp does not follow the last one.
    pub fn append(&mut self, stamp: Stamp, event: &Event) -> Result<(), JournalHalt> {
        self.encoder.event(stamp, event);
        self.room()
    }

    /// Takes a tick in; the hot path.
    ///
    /// # Errors
    /// As [`JournalWriter::append`].
    ///
    /// # Panics
    /// When the stamp does not follow the last one.
    #[inline]
    pub fn append_tick(&mut self, stamp: Stamp, tick: &Tick) -> Result<(), JournalHalt> {
        self.encoder.tick(stamp, tick);
        self.room()
    }

    #[inline]
    fn room(&mut self) -> Result<(), JournalHalt> {
        if self.waiting_bytes + self.encoder.len() <= self.backlog {
            return Ok(());
        }
        // What became durable since the last commit does not wait any more.
        self.forget_durable();
        let waiting = self.waiting_bytes + self.encoder.len();
        if waiting > self.backlog { Err(JournalHalt::Backlog { waiting }) } else { Ok(()) }
    }

    /// Adds rows that become visible with the next commit.
    pub fn project(&mut self, rows: impl IntoIterator<Item = RowChange>) {
        self.rows.extend(rows);
    }

    /// Whether the block has waited long enough to be committed without a command.
    pub fn is_due(&self, now: Instant) -> bool {
        self.encoder.since().is_some_and(|since| now.age_of(since) >= FLUSH_EVERY)
    }

    /// Hands the block and its rows to the writer. The receipt tells when everything appended so far is durable; with
    /// nothing new it is the receipt of the last commit.
    ///
    /// # Errors
    /// [`JournalHalt::Writer`] when nobody writes any more.
    pub fn commit(&mut self) -> Result<Receipt, JournalHalt> {
        self.forget_durable();
        if let Some(block) = self.encoder.take() {
            let commit = Arc::new(Spilled { run: self.run, block, rows: std::mem::take(&mut self.rows) });
            self.waiting_bytes += commit.block.bytes.len();
            self.waiting.push_back(commit.clone());
            let sent = self.handle.jobs.send(Job::Commit(commit));
            sent.map_err(|_| JournalHalt::Writer(StoreError::Closed))?;
        }
        Ok(Receipt {
            run: self.run,
            seq: self.encoder.last().seq,
            waiting: self.waiting.iter().cloned().collect(),
            durability: self.handle.durability.clone(),
            spills: self.handle.spills.clone(),
        })
    }

    fn forget_durable(&mut self) {
        let durable = {
            let d = self.handle.durability.borrow();
            if d.run == self.run { d.database } else { Seq(0) }
        };
        while let Some(first) = self.waiting.front()
            && first.block.last.seq <= durable
        {
            self.waiting_bytes -= first.block.bytes.len();
            self.waiting.pop_front();
        }
    }

    /// How the journal stands.
    pub fn durability(&self) -> Durability {
        self.handle.durability.borrow().clone()
    }

    /// Tells whenever it stands differently.
    pub fn watch(&self) -> watch::Receiver<Durability> {
        self.handle.durability.clone()
    }
}

/// Proof to be: becomes [`Durable`] once everything up to `seq` is.
#[derive(Debug, Clone)]
pub struct Receipt {
    run: Uuid,
    seq: Seq,
    waiting: Vec<Arc<Spilled>>,
    durability: watch::Receiver<Durability>,
    spills: std::sync::mpsc::Sender<Spill>,
}

impl Receipt {
    /// The last event it is about.
    pub const fn seq(&self) -> Seq {
        self.seq
    }

    /// What may be sent now, without waiting (I12).
    pub fn now(&self) -> Option<Durable> {
        let d = self.durability.borrow();
        if d.run != self.run || matches!(d.health, Health::Fenced(_)) {
            None
        } else if d.database >= self.seq {
            Some(Durable::Database)
        } else {
            (d.emergency >= self.seq).then_some(Durable::Emergency)
        }
    }

    /// Waits until the database has it: only then may an entry leave.
    ///
    /// # Errors
    /// Why not: the database does not answer at the moment, is damaged, or belongs to somebody else now; or another
    /// run has begun since. Wait for the receipts of a run before the next one begins.
    pub async fn for_entry(mut self) -> Result<(), StoreError> {
        loop {
            {
                let d = self.durability.borrow_and_update();
                if d.run != self.run {
                    return Err(StoreError::Closed);
                }
                match &d.health {
                    Health::Good if d.database >= self.seq => return Ok(()),
                    Health::Good => {}
                    Health::Degraded(e) | Health::Failed(e) | Health::Fenced(e) => return Err(e.clone()),
                }
            }
            self.durability.changed().await.map_err(|_| StoreError::Closed)?;
        }
    }

    /// Waits until the database or the emergency journal has it: then an exit may leave (L7). A database that takes
    /// longer than [`PATIENCE`] is not waited for.
    ///
    /// # Errors
    /// Only when somebody else is the daemon now, another run has begun since, or no disk takes it.
    pub async fn for_exit(mut self) -> Result<Durable, StoreError> {
        let mut patience = Some(tokio::time::Instant::now() + PATIENCE);
        // After the spill the emergency disk gets its own, generous time.
        let mut last_wait = None;
        loop {
            {
                let d = self.durability.borrow_and_update();
                if let Health::Fenced(e) = &d.health {
                    return Err(e.clone());
                }
                if d.run != self.run {
                    return Err(StoreError::Closed);
                }
                if d.database >= self.seq {
                    return Ok(Durable::Database);
                }
                if d.emergency >= self.seq {
                    return Ok(Durable::Emergency);
                }
            }
            let until = patience.or(last_wait).expect("one of them is set");
            match tokio::time::timeout_at(until, self.durability.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(StoreError::Closed),
                Err(_) if patience.take().is_some() => {
                    let _ = self.spills.send(Spill::Write(std::mem::take(&mut self.waiting)));
                    last_wait = Some(tokio::time::Instant::now() + PATIENCE * 20);
                }
                Err(_) => {
                    return Err(StoreError::Full("neither the database nor the emergency journal answers".to_owned()));
                }
            }
        }
    }
}
