//! Paper mode's venue beside the core: a function of the journal. It hears every stamped event after the core did and
//! takes the commands that event led to; what it says back becomes an event of the same journal. So a restart replays
//! it with the core, and proves on the way that it says again what it said.

use std::collections::BTreeMap;

use crate::domain::{Command, Event, Instant, OrderEvent, Stamp};
use crate::venue_sim::{FillModel, FillModelKind, VenueOutput, VenueSim};

/// How orders of paper mode are filled. Part of what a journal of that mode means: when it changes, a day under way
/// cannot be taken in again.
pub const FILLS: FillModel = FillModel::named(FillModelKind::Base);

/// The venue does not say what the journal holds: another program wrote it, or the journal was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PaperMismatch {
    /// It says something else, or nothing.
    #[error("the paper venue says {said:?} where the journal has {journaled:?}")]
    Said {
        /// What the journal has.
        journaled: Box<OrderEvent>,
        /// What the venue has to say by then.
        said: Option<Box<OrderEvent>>,
    },
    /// The day is over, and the venue still has to say something.
    #[error("the day ends with {left} reports of the paper venue that the journal does not have")]
    Unsaid {
        /// How many.
        left: usize,
    },
}

/// The venue with the reports on their way back.
///
/// The driver asks for [`report`](Self::report) whenever [`due`](Self::due) has come and before later inputs; every
/// event it stamps (those reports too) it tells by [`hear`](Self::hear), and then the event's commands by
/// [`submit`](Self::submit).
#[derive(Debug, Clone)]
pub struct PaperVenue {
    venue: VenueSim,
    reports: BTreeMap<(Instant, u64), OrderEvent>,
    /// Reports so far: those of one instant are delivered in the order they were made.
    made: u64,
    /// End of the session that is open.
    close: Option<Instant>,
    outputs: Vec<VenueOutput>,
}

impl PaperVenue {
    /// A venue before its first session.
    pub fn new(model: FillModel) -> PaperVenue {
        let venue = VenueSim::new(model);
        PaperVenue { venue, reports: BTreeMap::new(), made: 0, close: None, outputs: Vec::new() }
    }

    /// The assumptions in force.
    pub const fn model(&self) -> &FillModel {
        self.venue.model()
    }

    /// When something happens by itself next: a command arrives, a report is due, the session ends.
    pub fn due(&self) -> Option<Instant> {
        [self.step(), self.first()].into_iter().flatten().min()
    }

    /// Arrival of the next command, or the close.
    fn step(&self) -> Option<Instant> {
        [self.venue.wake_at(), self.close].into_iter().flatten().min()
    }

    fn first(&self) -> Option<Instant> {
        self.reports.first_key_value().map(|((at, _), _)| *at)
    }

    /// The next report due by `at`, with its time. Commands that arrive first do so; with `None` all due by `at` have.
    pub fn report(&mut self, at: Instant) -> Option<(Instant, OrderEvent)> {
        while let Some(step) = self.step().filter(|step| *step <= at) {
            if self.first().is_some_and(|first| first < step) {
                break;
            }
            self.take(step);
        }
        let (due, _) = *self.reports.first_key_value()?.0;
        if due > at {
            return None;
        }
        self.reports.pop_first().map(|((due, _), event)| (due, event))
    }

    fn take(&mut self, step: Instant) {
        // What arrives at the close arrives too late: the close comes first.
        if self.close.is_some_and(|close| close <= step) {
            self.close = None;
            self.venue.close_session(step, &mut self.outputs);
        } else {
            self.venue.advance(step, &mut self.outputs);
        }
        self.queue();
    }

    fn queue(&mut self) {
        for output in self.outputs.drain(..) {
            self.made += 1;
            self.reports.insert((output.deliver_at, self.made), output.event);
        }
    }

    /// Lets everything happen that happens by itself by `at`.
    fn until(&mut self, at: Instant) {
        while let Some(step) = self.step().filter(|step| *step <= at) {
            self.take(step);
        }
    }

    /// Takes note of an event the core has taken in.
    pub fn hear(&mut self, stamp: Stamp, event: &Event) {
        self.until(stamp.at);
        match event {
            Event::Tick(tick) => self.venue.on_tick(tick, &mut self.outputs),
            Event::SessionOpened { hours, warm_up: false, .. } => {
                self.venue.open_session(hours);
                self.close = Some(hours.close_at());
            }
            Event::Listed { instrument } => self.venue.list(instrument),
            Event::Settled { underlying, expiry, .. } => {
                self.venue.settle(*underlying, *expiry, stamp.at, &mut self.outputs);
            }
            _ => {}
        }
        self.queue();
    }

    /// Takes a command that the core decided at `at`.
    pub fn submit(&mut self, at: Instant, command: Command) {
        self.venue.submit(at, command);
    }

    /// [`hear`](Self::hear) for an event of a journal that was written earlier: a report there must be the one this
    /// venue has to make by then, and at the end of the day nothing may be left.
    ///
    /// # Errors
    /// [`PaperMismatch`]; the venue is of no use then.
    pub fn hear_again(&mut self, stamp: Stamp, event: &Event) -> Result<(), PaperMismatch> {
        match event {
            Event::Order(journaled) => {
                let said = self.report(stamp.at).map(|(_, said)| said);
                if said.as_ref() != Some(journaled) {
                    let journaled = Box::new(journaled.clone());
                    return Err(PaperMismatch::Said { journaled, said: said.map(Box::new) });
                }
            }
            Event::SessionClosed { .. } => {
                // What lapses at the close counts too, whoever heard of it last.
                self.until(stamp.at);
                if !self.reports.is_empty() {
                    return Err(PaperMismatch::Unsaid { left: self.reports.len() });
                }
            }
            _ => {}
        }
        self.hear(stamp, event);
        Ok(())
    }
}
