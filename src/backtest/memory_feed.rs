//! Ticks held in memory as a feed, for benches and tests that change single ticks.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use chrono::NaiveDate;
use scalper_decide::domain::{Age, Instrument, InstrumentId, Segment, Tick, Underlying};

use super::feed::{Resolve, TickFeed, TickSink};

/// Ticks handed over at a time.
const BATCH: usize = 4_096;

/// One day in memory. The `instrument` of a tick is the place of its instrument among all instruments of the feed in
/// order of first listing, which is the slot a replay gives it.
#[derive(Debug, Clone, Default)]
pub struct MemoryDay {
    /// Instruments of the day.
    pub instruments: Vec<Instrument>,
    /// Ticks in order of receive time.
    pub ticks: Vec<Tick>,
    /// Indices recorded as bars, with the length of those bars.
    pub bars_of: BTreeMap<Underlying, Age>,
}

/// Days in memory.
#[derive(Debug, Clone, Default)]
pub struct MemoryFeed {
    /// The days.
    pub days: BTreeMap<NaiveDate, MemoryDay>,
    /// Instruments in order of first listing.
    keys: Vec<(Segment, u32)>,
}

impl MemoryFeed {
    /// Copies every day of another feed.
    pub fn copy_of(feed: &dyn TickFeed) -> Result<MemoryFeed> {
        let mut days = BTreeMap::new();
        let mut keys = Vec::new();
        let mut places = BTreeMap::new();
        for day in feed.days() {
            let instruments = feed.instruments(day)?;
            for key in instruments.iter().map(|i| (i.segment, i.security_id)) {
                places.entry(key).or_insert_with(|| {
                    keys.push(key);
                    InstrumentId(keys.len() as u32 - 1)
                });
            }
            let mut ticks = Vec::new();
            let resolve = |segment, id| places.get(&(segment, id)).copied();
            feed.replay(day, &resolve, &mut |batch| {
                ticks.extend_from_slice(batch);
                Ok(())
            })?;
            days.insert(day, MemoryDay { instruments, ticks, bars_of: feed.bars_of(day) });
        }
        Ok(MemoryFeed { days, keys })
    }

    /// The slot of an instrument in the ticks of this feed.
    pub fn slot_of(&self, segment: Segment, security_id: u32) -> Option<InstrumentId> {
        self.keys.iter().position(|key| *key == (segment, security_id)).map(|i| InstrumentId(i as u32))
    }

    fn day(&self, day: NaiveDate) -> Result<&MemoryDay> {
        self.days.get(&day).with_context(|| format!("no {day} in memory"))
    }
}

impl TickFeed for MemoryFeed {
    fn title(&self) -> String {
        "memory".to_owned()
    }

    fn days(&self) -> Vec<NaiveDate> {
        self.days.keys().copied().collect()
    }

    fn instruments(&self, day: NaiveDate) -> Result<Vec<Instrument>> {
        Ok(self.day(day)?.instruments.clone())
    }

    fn replay(&self, day: NaiveDate, resolve: Resolve<'_>, sink: TickSink<'_>) -> Result<()> {
        let day = self.day(day)?;
        let slots: Vec<Option<InstrumentId>> = self.keys.iter().map(|(segment, id)| resolve(*segment, *id)).collect();
        let agree = |(i, slot): (usize, &Option<InstrumentId>)| slot.is_none_or(|s| s == InstrumentId(i as u32));
        if slots.iter().enumerate().all(agree) {
            // Places and slots agree: hand the ticks over as they are.
            return day.ticks.chunks(BATCH).try_for_each(sink);
        }
        let mut batch = Vec::with_capacity(BATCH);
        for chunk in day.ticks.chunks(BATCH) {
            batch.clear();
            for tick in chunk {
                let slot = slots[tick.instrument.slot()].context("a tick of an unlisted instrument")?;
                batch.push(Tick { instrument: slot, ..*tick });
            }
            sink(&batch)?;
        }
        Ok(())
    }

    fn tick_count(&self, day: NaiveDate) -> Option<u64> {
        self.days.get(&day).map(|d| d.ticks.len() as u64)
    }

    fn hash(&self, days: &[NaiveDate]) -> Result<String> {
        Ok(blake3::hash(format!("memory|{days:?}").as_bytes()).to_hex().to_string())
    }

    fn bars_of(&self, day: NaiveDate) -> BTreeMap<Underlying, Age> {
        self.days.get(&day).map(|d| d.bars_of.clone()).unwrap_or_default()
    }

    fn notes(&self, _: NaiveDate) -> Vec<String> {
        Vec::new()
    }
}
