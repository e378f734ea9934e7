//! Which books are to be read when: one read of a kind at a time, never more often than the gap (D16). A wish stands
//! until a clean answer to a read asked after it came in, so a failed or lost read is asked again by itself.

use std::collections::BTreeMap;

use crate::domain::broker::BrokerRead;
use crate::domain::{Age, ClientOrderId, Instant};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Slot {
    /// Since when an answer is wanted, and how young it must at least be: several wishes may stand at once.
    wanted: Option<(Instant, Instant)>,
    in_flight: Option<Instant>,
    last_asked: Option<Instant>,
    last_clean: Option<Instant>,
}

impl Slot {
    fn due_at(&self, gap: Age, timeout: Age) -> Option<Instant> {
        let after_gap = self.last_asked.map(|at| at + gap);
        let after_flight = self.in_flight.map(|at| at + timeout);
        self.wanted.map(|(at, _)| [after_gap, after_flight].into_iter().flatten().fold(at, Instant::max))
    }
}

/// The reads that are wanted and on their way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ReadPlan {
    slots: BTreeMap<BrokerRead, Slot>,
}

impl ReadPlan {
    pub(super) const EMPTY: ReadPlan = ReadPlan { slots: BTreeMap::new() };

    /// Wants an answer asked for at `at` or later.
    pub(super) fn want(&mut self, read: BrokerRead, at: Instant) {
        let slot = self.slots.entry(read).or_default();
        slot.wanted = Some(slot.wanted.map_or((at, at), |(since, young)| (since.min(at), young.max(at))));
    }

    /// A clean answer to a read sent at `asked_at`.
    pub(super) fn clean(&mut self, read: BrokerRead, asked_at: Instant) {
        let slot = self.slots.entry(read).or_default();
        slot.in_flight = None;
        slot.last_clean = slot.last_clean.max(Some(asked_at));
        slot.wanted = slot.wanted.filter(|(_, young)| *young > asked_at).map(|(_, young)| (young, young));
    }

    /// A read that failed says nothing, and is wanted as before.
    pub(super) fn failed(&mut self, read: BrokerRead) {
        if let Some(slot) = self.slots.get_mut(&read) {
            slot.in_flight = None;
        }
    }

    /// Nobody waits for the reads under way any more: all of them are wanted as before.
    pub(super) fn abandon(&mut self) {
        for slot in self.slots.values_mut() {
            (slot.in_flight, slot.last_asked) = (None, None);
        }
    }

    /// When the newest clean answer of this kind was asked for.
    pub(super) fn last_clean(&self, read: BrokerRead) -> Option<Instant> {
        self.slots.get(&read).and_then(|slot| slot.last_clean)
    }

    /// The order is not looked up any more.
    pub(super) fn forget(&mut self, id: ClientOrderId) {
        self.slots.remove(&BrokerRead::ByTag { id });
    }

    /// Reads to be sent now; they are counted as sent.
    pub(super) fn take_due(&mut self, now: Instant, gap: impl Fn(BrokerRead) -> Age, timeout: Age) -> Vec<BrokerRead> {
        let mut due = Vec::new();
        for (read, slot) in &mut self.slots {
            if slot.due_at(gap(*read), timeout).is_some_and(|at| at <= now) {
                (slot.in_flight, slot.last_asked) = (Some(now), Some(now));
                due.push(*read);
            }
        }
        due
    }

    /// When a read is due next.
    pub(super) fn next(&self, gap: impl Fn(BrokerRead) -> Age, timeout: Age) -> Option<Instant> {
        self.slots.iter().filter_map(|(read, slot)| slot.due_at(gap(*read), timeout)).min()
    }
}
