//! A generated market as a feed.

use anyhow::{Context as _, Result};
use chrono::NaiveDate;
use scalper_decide::domain::{Instrument, InstrumentId, Tick};

use super::feed::{Resolve, TickFeed, TickSink};
use crate::sample::{Sample, SampleDay};
use crate::tape::instruments::tape_order;

/// Ticks handed over at a time.
const BATCH: usize = 4_096;

/// A sample and the seed it was made from.
pub struct SampleFeed {
    title: String,
    seed: u64,
    sample: Sample,
}

impl SampleFeed {
    /// A feed of `sample`.
    pub fn new(title: &str, seed: u64, sample: Sample) -> SampleFeed {
        SampleFeed { title: title.to_owned(), seed, sample }
    }

    fn day(&self, day: NaiveDate) -> Result<&SampleDay> {
        self.sample.days().iter().find(|d| d.day == day).with_context(|| format!("the sample has no {day}"))
    }
}

impl TickFeed for SampleFeed {
    fn title(&self) -> String {
        self.title.clone()
    }

    fn days(&self) -> Vec<NaiveDate> {
        self.sample.days().iter().map(|d| d.day).collect()
    }

    fn instruments(&self, day: NaiveDate) -> Result<Vec<Instrument>> {
        let mut listed = self.day(day)?.instruments.clone();
        // The order of a tape: slots count in the digest, and a saved day shall replay to the same one.
        listed.sort_by_key(tape_order);
        Ok(listed)
    }

    fn replay(&self, day: NaiveDate, resolve: Resolve<'_>, sink: TickSink<'_>) -> Result<()> {
        let slot = |segment, id| resolve(segment, id).expect("instruments are listed before their ticks");
        let mut batch: Vec<Tick> = Vec::with_capacity(BATCH);
        for tick in self.day(day)?.ticks(slot) {
            batch.push(tick);
            if batch.len() == BATCH {
                sink(&batch)?;
                batch.clear();
            }
        }
        sink(&batch)
    }

    fn tick_count(&self, day: NaiveDate) -> Option<u64> {
        let day = self.day(day).ok()?;
        let mut count = 0;
        for _ in day.ticks(|_, _| InstrumentId(0)) {
            count += 1;
        }
        Some(count)
    }

    fn hash(&self, days: &[NaiveDate]) -> Result<String> {
        // The generator is deterministic: its seed, the days and the code version name the data.
        Ok(blake3::hash(format!("sample|{}|{days:?}", self.seed).as_bytes()).to_hex().to_string())
    }

    fn notes(&self, _: NaiveDate) -> Vec<String> {
        vec![format!("generated market, seed {}: nothing here was ever traded", self.seed)]
    }
}
