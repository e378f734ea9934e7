//! Hash of everything that went in and came out. Two replays with the same inputs have the same digest; one changed
//! tick gives another (I24).
//!
//! Ticks are chained through XXH3 (they are many), everything else and the final tick state through BLAKE3.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::domain::tick::{BookLevel, DEPTH};
use crate::domain::{Event, Stamp, Tick};
use crate::journal::JournalEntry;

/// Running digest of a replay.
#[derive(Debug, Clone)]
pub struct Digest {
    ticks: u64,
    count: u64,
    journal: blake3::Hasher,
}

impl Default for Digest {
    fn default() -> Self {
        Digest { ticks: 0x5ca1_be12, count: 0, journal: blake3::Hasher::new() }
    }
}

/// Words of one tick in the digest: eight of fields and ten of levels.
const TICK_WORDS: usize = 8 + 2 * DEPTH;

#[inline]
fn level_word(level: BookLevel) -> u64 {
    (u64::from(level.price.cast_unsigned()) << 32) | u64::from(level.qty)
}

impl Digest {
    /// A fresh digest.
    pub fn new() -> Digest {
        Digest::default()
    }

    /// Takes a tick in, every field of it.
    #[inline]
    pub fn tick(&mut self, now: Stamp, tick: &Tick) {
        let head =
            (u64::from(tick.instrument.0) << 32) | (u64::from(tick.flags.0) << 8) | u64::from(tick.source.code());
        let mut words = [0; TICK_WORDS];
        words[..8].copy_from_slice(&[
            now.at.nanos().cast_unsigned(),
            head,
            tick.exchange_at.nanos().cast_unsigned(),
            tick.received_at.nanos().cast_unsigned(),
            tick.ltp_paise.cast_unsigned(),
            tick.ltq.cast_unsigned(),
            tick.volume.cast_unsigned(),
            tick.oi.cast_unsigned(),
        ]);
        for (word, level) in words[8..].iter_mut().zip(tick.bids.iter().chain(&tick.asks)) {
            *word = level_word(*level);
        }
        let mut buffer = [0; TICK_WORDS * 8];
        for (bytes, word) in buffer.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *bytes = word.to_le_bytes();
        }
        self.ticks = xxh3_64_with_seed(&buffer, self.ticks);
        self.count += 1;
    }

    /// Takes any other event in.
    pub fn event(&mut self, now: Stamp, event: &Event) {
        self.mark(&format!("{}|{event:?}", now.at.nanos()));
    }

    /// Takes a line of the journal in.
    pub fn entry(&mut self, entry: &JournalEntry) {
        self.mark(&format!("{entry:?}"));
    }

    fn mark(&mut self, text: &str) {
        self.journal.update(&self.ticks.to_le_bytes());
        self.journal.update(&(text.len() as u64).to_le_bytes());
        self.journal.update(text.as_bytes());
    }

    /// The digest so far, 64 hexadecimal characters.
    pub fn value(&self) -> String {
        let mut all = self.journal.clone();
        all.update(&self.ticks.to_le_bytes());
        all.update(&self.count.to_le_bytes());
        all.finalize().to_hex().to_string()
    }
}
