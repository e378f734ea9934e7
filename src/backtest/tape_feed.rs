//! A tape on disk as a feed. Decoding runs on a thread of its own, so that it overlaps with deciding.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::{channel, sync_channel};

use anyhow::Result;
use chrono::NaiveDate;
use scalper_decide::domain::{Age, Instrument, InstrumentId, Segment, Tick, Underlying};

use super::feed::{Resolve, TickFeed, TickSink};
use crate::tape::{DayAbout, Tape, TapeDay, TapeWriter, check_files};

/// Batches decoded ahead.
const AHEAD: usize = 4;

/// A tape.
pub struct TapeFeed {
    title: String,
    tape: Tape,
    /// Days whose files were found to be the certified ones; every replay of a run reads the same files.
    proved: Mutex<BTreeSet<NaiveDate>>,
}

impl TapeFeed {
    /// Opens the tape in `dir`.
    pub fn open(dir: &Path) -> Result<TapeFeed> {
        let tape = Tape::open(dir)?;
        let title = dir.file_name().map_or_else(|| "tape".to_owned(), |name| name.to_string_lossy().into_owned());
        Ok(TapeFeed { title, tape, proved: Mutex::default() })
    }

    /// Opens a day; nothing of it stays in memory when it is done (P32).
    fn day(&self, day: NaiveDate) -> Result<TapeDay> {
        Ok(self.tape.day(day)?)
    }

    /// Opens a day whose content is about to be believed: its files must be the ones that were certified.
    fn proved_day(&self, day: NaiveDate) -> Result<TapeDay> {
        let opened = self.day(day)?;
        // Held while hashing, so that two replays side by side read a day once.
        let mut proved = self.proved.lock().expect("proving a day does not panic");
        if !proved.contains(&day) {
            check_files(&opened)?;
            proved.insert(day);
        }
        Ok(opened)
    }
}

impl TickFeed for TapeFeed {
    fn title(&self) -> String {
        self.title.clone()
    }

    fn days(&self) -> Vec<NaiveDate> {
        self.tape.days().to_vec()
    }

    fn instruments(&self, day: NaiveDate) -> Result<Vec<Instrument>> {
        Ok(self.proved_day(day)?.instruments())
    }

    fn replay(&self, day: NaiveDate, resolve: Resolve<'_>, sink: TickSink<'_>) -> Result<()> {
        let day = &self.proved_day(day)?;
        std::thread::scope(|scope| {
            let (send, receive) = sync_channel::<Result<Vec<Tick>>>(AHEAD);
            // Batches go back to be filled again: memory stays where it is, day after day.
            let (give_back, empty) = channel::<Vec<Tick>>();
            scope.spawn(move || {
                let mut batches = match day.ticks(resolve) {
                    Ok(batches) => batches,
                    Err(e) => {
                        let _ = send.send(Err(e.into()));
                        return;
                    }
                };
                loop {
                    let mut batch = empty.try_recv().unwrap_or_default();
                    batch.clear();
                    let message = match batches.next_batch(&mut batch) {
                        Ok(true) => Ok(batch),
                        Ok(false) => return,
                        Err(e) => Err(e.into()),
                    };
                    // The other side stops listening when a replay fails.
                    let failed = message.is_err();
                    if send.send(message).is_err() || failed {
                        return;
                    }
                }
            });
            for batch in receive {
                let batch = batch?;
                sink(&batch)?;
                // The decoder may have finished and gone.
                let _ = give_back.send(batch);
            }
            Ok(())
        })
    }

    fn tick_count(&self, day: NaiveDate) -> Option<u64> {
        self.day(day).ok().map(|d| d.meta().counts.ticks)
    }

    fn hash(&self, days: &[NaiveDate]) -> Result<String> {
        let mut hasher = blake3::Hasher::new();
        for day in days {
            hasher.update(day.to_string().as_bytes());
            hasher.update(self.day(*day)?.hash().as_bytes());
        }
        Ok(hasher.finalize().to_hex().to_string())
    }

    fn bars_of(&self, day: NaiveDate) -> BTreeMap<Underlying, Age> {
        let Ok(day) = self.day(day) else { return BTreeMap::new() };
        day.meta().about.bar_secs.iter().map(|(index, secs)| (*index, Age::from_secs(*secs))).collect()
    }

    fn notes(&self, day: NaiveDate) -> Vec<String> {
        self.day(day).ok().map(|d| d.meta().about.notes.iter().cloned().collect()).unwrap_or_default()
    }
}

/// Writes one day of any feed as a day of the tape in `dir`.
pub fn save_day(feed: &dyn TickFeed, day: NaiveDate, dir: &Path) -> Result<()> {
    let instruments = feed.instruments(day)?;
    let keys: Vec<(Segment, u32)> = instruments.iter().map(|i| (i.segment, i.security_id)).collect();
    let slots: BTreeMap<(Segment, u32), InstrumentId> =
        keys.iter().enumerate().map(|(i, key)| (*key, InstrumentId(i as u32))).collect();
    let mut writer = TapeWriter::create(dir, day, &instruments)?;
    let resolve = |segment, id| slots.get(&(segment, id)).copied();
    feed.replay(day, &resolve, &mut |ticks| {
        for tick in ticks {
            let (segment, id) = keys[tick.instrument.slot()];
            writer.push(segment, id, tick)?;
        }
        Ok(())
    })?;
    let notes = feed.notes(day).into_iter().collect();
    let bar_secs = feed.bars_of(day).into_iter().map(|(index, length)| (index, length.secs())).collect();
    writer.finish(DayAbout { notes, bar_secs, ..DayAbout::default() })?;
    Ok(())
}
