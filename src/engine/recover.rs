//! Restart is replay: the day's journal through a fresh core gives the state the last process had, and tells which
//! commands were committed without an answer (L2, P4, I23).

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::mpsc;

use chrono::NaiveDate;
use scalper_decide::decision_core::Core;
use scalper_decide::domain::broker::{BrokerEvent, OrderCall};
use scalper_decide::domain::operator::OperatorCommand;
use scalper_decide::domain::{ClientOrderId, Command, Event, Instant, InstrumentKind, Stamp};
use scalper_decide::journal::JournalEntry;
use scalper_decide::paper::{PaperMismatch, PaperVenue};
use scalper_decide::pipeline::Halt;

use super::gateway::{Gateway, Outgoing};
use super::settlement::Levels;
use crate::store::error::StoreError;
use crate::store::link::Readers;
use crate::store::place::StoreUrl;
use crate::store::projection::Projector;
use crate::store::replay::{self, Replayed, Step};

/// Events handed over at a time.
const BATCH: usize = 4_096;
/// Batches that may wait: bounds the memory of a replay.
const BATCHES: usize = 8;

/// What a replay leaves behind.
#[derive(Debug, Default)]
pub struct Recovered {
    /// Stamp of the last event; zero when the day has no journal.
    pub last: Stamp,
    /// Events replayed.
    pub events: u64,
    /// Commands that were committed and have no answer, in the order they were decided.
    pub unanswered: Vec<Outgoing>,
    /// Every order that was placed, with what the gateway must know about it.
    pub placed: Vec<Command>,
    /// What the broker said, as far as it names orders.
    pub said: Vec<BrokerEvent>,
    /// A session of the day is open.
    pub is_open: bool,
    /// Time of the last tick.
    pub last_tick: Option<Instant>,
    /// Levels of the indices of the open session, as far as they make its settlement value.
    pub levels: Option<Levels>,
    /// When a person last asked for entries again.
    pub resumed_at: Option<Instant>,
}

/// Why a journal could not be replayed.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// It cannot be read or believed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The core halts on it: another program, or a bug.
    #[error("the journal of the day halts this program at event {seq}: {halt}")]
    Halted {
        /// Which event.
        seq: u64,
        /// Why.
        halt: Halt,
    },
    /// The core stamps an event differently from the one that wrote it.
    #[error("event {written} of the journal would be event {replayed} now: it was written by another program")]
    Differs {
        /// Number in the journal.
        written: u64,
        /// Number now.
        replayed: u64,
    },
    /// The paper venue does not say again what it said.
    #[error("event {seq} of the journal: {mismatch}")]
    Paper {
        /// Which event.
        seq: u64,
        /// What differs.
        mismatch: PaperMismatch,
    },
}

/// Takes the journal of `day` through `core`, and through the paper venue where there is one. Events come from a
/// thread of their own, so that reading and deciding
/// overlap and memory stays bounded.
///
/// # Errors
/// [`RecoverError`]; the core is of no use then.
pub async fn replay<C: Core>(
    url: &StoreUrl,
    day: NaiveDate,
    core: &mut C,
    projector: &mut Projector,
    mut paper: Option<&mut PaperVenue>,
    mut noted: impl FnMut(&[JournalEntry]),
) -> Result<Recovered, RecoverError> {
    let (give, take) = mpsc::sync_channel::<Vec<(Stamp, Event)>>(BATCHES);
    let url = url.clone();
    let reading = std::thread::spawn(move || read(&url, day, &give));
    let mut found = Recovered::default();
    let mut unanswered: BTreeMap<u64, Outgoing> = BTreeMap::new();
    let mut numbers: BTreeMap<(ClientOrderId, OrderCall), u64> = BTreeMap::new();
    let mut number = 0;
    // Waiting here blocks the decision thread, which has nothing else to do before the replay is over.
    while let Ok(batch) = take.recv() {
        for (stamp, event) in batch {
            let seq = stamp.seq.0;
            if let Event::Tick(tick) = &event {
                core.handle_tick(stamp.at, tick).await;
                if let Some(levels) = found.levels.as_mut().filter(|levels| levels.wants(tick.exchange_at))
                    && let InstrumentKind::Index { underlying } = core.universe().get(tick.instrument).kind
                    && core.holds(tick).await
                {
                    levels.take(underlying, tick);
                }
            } else {
                core.handle(stamp.at, &event).await.map_err(|halt| RecoverError::Halted { seq, halt })?;
            }
            let replayed = core.ledger().last_stamp();
            if replayed != stamp {
                return Err(RecoverError::Differs { written: seq, replayed: replayed.seq.0 });
            }
            if let Some(venue) = paper.as_deref_mut() {
                venue.hear_again(stamp, &event).map_err(|mismatch| RecoverError::Paper { seq, mismatch })?;
            }
            found.events += 1;
            found.last = stamp;
            match &event {
                Event::Tick(tick) => found.last_tick = Some(tick.received_at),
                Event::SessionOpened { hours, warm_up: false, .. } => {
                    found.is_open = hours.day == day;
                    found.levels = Some(Levels::of(hours));
                }
                Event::SessionClosed { day: closed } => found.is_open &= *closed != day,
                Event::Operator(OperatorCommand::Resume) => found.resumed_at = Some(stamp.at),
                Event::Broker(said) => {
                    if let BrokerEvent::Answered { id, call, .. } = said
                        && let Some(number) = numbers.remove(&(*id, *call))
                    {
                        unanswered.remove(&number);
                    }
                    if !matches!(said, BrokerEvent::Trades { .. } | BrokerEvent::Positions { .. }) {
                        found.said.push(said.clone());
                    }
                }
                _ => {}
            }
            let commands: Vec<Command> = core.take_commands().map(|(_, command)| command).collect();
            for command in commands {
                if let Some(venue) = paper.as_deref_mut() {
                    venue.submit(stamp.at, command);
                    continue;
                }
                number += 1;
                numbers.insert((command.order_id(), OrderCall::of(&command)), number);
                unanswered.insert(number, Outgoing::to(core.universe(), command));
                if matches!(command, Command::Place(_)) {
                    found.placed.push(command);
                }
            }
            // Whoever waited for them is gone; what goes on asks anew.
            core.take_reads().for_each(drop);
            if core.has_journal() || !matches!(event, Event::Tick(_) | Event::Timer) {
                let entries: Vec<JournalEntry> = core.take_journal().collect();
                projector.note(stamp, &event, &entries);
                noted(&entries);
            }
            if projector.wants_look(stamp) {
                projector.look(stamp, &core.books().await);
            }
        }
    }
    reading.join().expect("the reading thread does not panic")?;
    // The rows are in the database already: they were written with their segments.
    projector.take();
    found.unanswered = unanswered.into_values().collect();
    Ok(found)
}

fn read(url: &StoreUrl, day: NaiveDate, give: &mpsc::SyncSender<Vec<(Stamp, Event)>>) -> Result<Replayed, StoreError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime for one thread can be made").block_on(async {
        let readers = Readers::new(url)?;
        let mut batch = Vec::with_capacity(BATCH);
        let replayed = replay::day(&readers, day, |step| {
            if let Step::Event(stamp, event) = step {
                batch.push((stamp, event.clone()));
                if batch.len() == BATCH && give.send(std::mem::replace(&mut batch, Vec::with_capacity(BATCH))).is_err()
                {
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        })
        .await;
        let _ = give.send(batch);
        readers.close().await;
        replayed
    })
}

impl Recovered {
    /// Hands what was committed without an answer to the gateway, with everything it must know for that.
    pub fn resume(&self, gateway: &Gateway) {
        self.placed.iter().for_each(|command| gateway.know(command));
        self.said.iter().for_each(|said| gateway.observe(said));
        self.unanswered.iter().for_each(|outgoing| gateway.resume(*outgoing));
    }
}
