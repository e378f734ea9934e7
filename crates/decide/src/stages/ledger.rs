//! What a wiring of the stages keeps for itself: stamps, the digest, and what waits to be taken out.

use std::collections::BTreeMap;

use crate::digest::Digest;
use crate::domain::broker::BrokerRead;
use crate::domain::{Command, Event, Instant, Stamp, Tick};
use crate::journal::JournalEntry;
use crate::sequencer::Sequencer;
use crate::tick_cache::TickRefusal;

/// Stamps events and collects what comes of them.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    sequencer: Sequencer,
    digest: Digest,
    commands: Vec<(Stamp, Command)>,
    reads: Vec<BrokerRead>,
    journal: Vec<JournalEntry>,
    refused_ticks: BTreeMap<TickRefusal, u64>,
}

impl Ledger {
    /// A ledger in which nothing is written.
    pub fn new() -> Ledger {
        Ledger::default()
    }

    /// The stamp of the next event.
    #[inline]
    pub fn stamp(&mut self, at: Instant) -> Stamp {
        self.sequencer.stamp(at)
    }

    /// The last stamp given.
    pub const fn last_stamp(&self) -> Stamp {
        self.sequencer.last()
    }

    /// Remembers an event that is not a tick.
    pub fn note_event(&mut self, now: Stamp, event: &Event) {
        self.digest.event(now, event);
    }

    /// Remembers a tick.
    #[inline]
    pub fn note_tick(&mut self, now: Stamp, tick: &Tick) {
        self.digest.tick(now, tick);
    }

    /// Writes a line of the journal.
    pub fn journal(&mut self, entry: JournalEntry) {
        self.digest.entry(&entry);
        self.journal.push(entry);
    }

    /// Keeps a command until it is taken.
    pub fn send(&mut self, now: Stamp, command: Command) {
        self.commands.push((now, command));
    }

    /// Keeps a wanted read of the broker's books until it is taken.
    pub fn read(&mut self, read: BrokerRead) {
        self.reads.push(read);
    }

    /// Counts a tick that was kept out.
    pub fn tick_refused(&mut self, refusal: TickRefusal) {
        *self.refused_ticks.entry(refusal).or_default() += 1;
    }

    /// Commands since the last call, in order.
    pub fn take_commands(&mut self) -> std::vec::Drain<'_, (Stamp, Command)> {
        self.commands.drain(..)
    }

    /// Whether commands wait to be taken.
    #[inline]
    pub const fn has_commands(&self) -> bool {
        !self.commands.is_empty()
    }

    /// Reads wanted since the last call, in order.
    pub fn take_reads(&mut self) -> std::vec::Drain<'_, BrokerRead> {
        self.reads.drain(..)
    }

    /// Whether reads wait to be taken.
    #[inline]
    pub const fn has_reads(&self) -> bool {
        !self.reads.is_empty()
    }

    /// Journal lines since the last call, in order.
    pub fn take_journal(&mut self) -> std::vec::Drain<'_, JournalEntry> {
        self.journal.drain(..)
    }

    /// Whether journal lines wait to be taken.
    #[inline]
    pub const fn has_journal(&self) -> bool {
        !self.journal.is_empty()
    }

    /// Digest of everything so far.
    pub fn digest(&self) -> String {
        self.digest.value()
    }

    /// Ticks kept out, by reason.
    pub const fn refused_ticks(&self) -> &BTreeMap<TickRefusal, u64> {
        &self.refused_ticks
    }
}
