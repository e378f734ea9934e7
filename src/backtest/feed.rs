//! Where replayed ticks come from: a tape on disk, a generated market, or ticks in memory.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use scalper_decide::domain::{Age, IndexPrice, Instrument, InstrumentId, Segment, Tick, Underlying};

/// Finds the slot of (segment, security id).
pub type Resolve<'a> = &'a (dyn Fn(Segment, u32) -> Option<InstrumentId> + Sync);

/// Takes ticks in batches, in order of receive time.
pub type TickSink<'a> = &'a mut dyn FnMut(&[Tick]) -> anyhow::Result<()>;

/// A market that can be replayed day by day.
pub trait TickFeed: Sync {
    /// Name for reports.
    fn title(&self) -> String;
    /// Days it holds, ascending.
    fn days(&self) -> Vec<NaiveDate>;
    /// Instruments of a day; their slots are assigned by the replay.
    fn instruments(&self, day: NaiveDate) -> anyhow::Result<Vec<Instrument>>;
    /// Feeds a day's ticks to `sink`.
    fn replay(&self, day: NaiveDate, resolve: Resolve<'_>, sink: TickSink<'_>) -> anyhow::Result<()>;
    /// How many ticks a day holds, for progress; `None` when unknown before replaying.
    fn tick_count(&self, day: NaiveDate) -> Option<u64>;
    /// The exchange's own settlement value of an index on a day, with its source, where it is recorded.
    fn settlement(&self, _day: NaiveDate, _underlying: Underlying) -> Option<(IndexPrice, String)> {
        None
    }
    /// Hash over the data of these days.
    fn hash(&self, days: &[NaiveDate]) -> anyhow::Result<String>;
    /// Indices that are recorded as bars on a day, with the length of those bars.
    fn bars_of(&self, _day: NaiveDate) -> BTreeMap<Underlying, Age> {
        BTreeMap::new()
    }
    /// Notes a reader must see, e.g. that an index was derived.
    fn notes(&self, day: NaiveDate) -> Vec<String>;
}
