//! Where the simulator's prices come from: one trading day after another, as a list of instruments and a stream of
//! ticks in order of receipt. Two sources: a [`generated`] market without end, and a [`recorded`] tape.

pub mod generated;
pub mod master;
pub mod recorded;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use scalper_decide::domain::calendar::OutsideCalendar;
use scalper_decide::domain::charges::OutsideCharges;
use scalper_decide::domain::contracts::OutsideContracts;
use scalper_decide::domain::{
    IndexPrice, Instant, Instrument, InstrumentId, InstrumentKind, Premium, Segment, SessionHours, Tick, Underlying,
};

use crate::sample::SampleError;
use crate::simulator::bars::PastDay;
use crate::tape::TapeError;

pub use generated::{GeneratedMarket, GeneratedSpec, Halt, Jump};
pub use recorded::RecordedMarket;

/// What names an instrument for good: its segment and its token inside it.
pub type Key = (Segment, u32);

/// Ticks of one day in order of receipt.
pub type TickStream = Box<dyn Iterator<Item = Result<Tick, MarketError>> + Send>;

/// Why there are no prices.
#[derive(Debug, thiserror::Error)]
pub enum MarketError {
    /// The generated market cannot go on; as a rule the dated tables end.
    #[error(transparent)]
    Sample(#[from] SampleError),
    /// The tape cannot be read.
    #[error(transparent)]
    Tape(#[from] TapeError),
    /// A day outside the calendar.
    #[error(transparent)]
    Calendar(#[from] OutsideCalendar),
    /// A day outside the table of contract terms.
    #[error(transparent)]
    Contracts(#[from] OutsideContracts),
    /// A day outside the table of charges.
    #[error(transparent)]
    Charges(#[from] OutsideCharges),
    /// The tape holds no trading day to start with.
    #[error("{title} holds no trading day from {from} on")]
    NoDay {
        /// Which market.
        title: String,
        /// First day asked for.
        from: NaiveDate,
    },
}

/// One instrument of a day with what a broker's books and master say of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The instrument; its id is the place in the day's list.
    pub instrument: Instrument,
    /// Units in a lot; 1 for an index.
    pub lot: i64,
    /// Smallest price step.
    pub tick: Premium,
    /// Largest order in units; 0 where nothing can be ordered.
    pub max_qty: i64,
    /// The broker's trading symbol, `NIFTY-Oct2024-25800-CE`: not unique (dhan-v2.md 5.4).
    pub symbol: String,
    /// Its display name, `NIFTY 24 OCT 25800 CALL`.
    pub custom_symbol: String,
}

impl Listed {
    /// What names it for good.
    pub const fn key(&self) -> Key {
        (self.instrument.segment, self.instrument.security_id)
    }
    /// Its slot today.
    pub const fn slot(&self) -> InstrumentId {
        self.instrument.id
    }
    /// Last trading day of a contract.
    pub const fn expiry(&self) -> Option<NaiveDate> {
        match &self.instrument.kind {
            InstrumentKind::Index { .. } => None,
            InstrumentKind::Future { expiry, .. } => Some(*expiry),
            InstrumentKind::Option(contract) => Some(contract.expiry),
        }
    }
}

/// One day of a market.
pub struct MarketDay {
    /// Its hours.
    pub hours: SessionHours,
    /// Everything listed; the place in this list is the slot that ticks carry.
    pub instruments: Vec<Arc<Listed>>,
    /// Ticks in order of receipt.
    pub ticks: TickStream,
    /// Stretches in which the exchange stands still.
    pub halts: Vec<Halt>,
    /// Settlement values known beforehand, with their source.
    pub settlements: BTreeMap<Underlying, (IndexPrice, String)>,
}

/// A market that can be lived through day by day.
pub trait Market: Send {
    /// Name for people.
    fn title(&self) -> String;
    /// Bars and closing values of the days before the first one, oldest first. Asked for once, before any day.
    ///
    /// # Errors
    /// The source cannot be read.
    fn history(&mut self) -> Result<Vec<PastDay>, MarketError>;
    /// The next trading day; `None` when there is none.
    ///
    /// # Errors
    /// The source cannot be read, or a dated table ends.
    fn next_day(&mut self) -> Result<Option<MarketDay>, MarketError>;
}

/// The ticks of a day, one ahead: says when the next one comes before it is taken.
pub struct TickQueue {
    stream: TickStream,
    head: Option<Tick>,
}

impl TickQueue {
    /// A queue at the start of its stream.
    ///
    /// # Errors
    /// The source cannot be read.
    pub fn new(mut stream: TickStream) -> Result<TickQueue, MarketError> {
        let head = stream.next().transpose()?;
        Ok(TickQueue { stream, head })
    }

    /// A queue without ticks.
    pub fn empty() -> TickQueue {
        TickQueue { stream: Box::new(std::iter::empty()), head: None }
    }

    /// When the next tick comes; [`Instant::MAX`] at the end of the day.
    pub fn next_at(&self) -> Instant {
        self.head.map_or(Instant::MAX, |tick| tick.received_at)
    }

    /// Takes the next tick.
    ///
    /// # Errors
    /// The source cannot be read.
    pub fn pop(&mut self) -> Result<Option<Tick>, MarketError> {
        let next = self.stream.next().transpose()?;
        Ok(std::mem::replace(&mut self.head, next))
    }

    /// Takes every tick received at or before `until`, at most `max`, into `out`.
    ///
    /// # Errors
    /// The source cannot be read.
    pub fn next(&mut self, until: Instant, max: usize, out: &mut Vec<Tick>) -> Result<(), MarketError> {
        for _ in 0..max {
            if self.next_at() > until {
                break;
            }
            out.extend(self.pop()?);
        }
        Ok(())
    }
}
