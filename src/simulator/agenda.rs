//! Things that fall due at session times; those of one time in the sequence they were written down.

use std::collections::BTreeMap;

use scalper_decide::domain::Instant;

/// A list of things to do.
#[derive(Debug, Clone)]
pub struct Agenda<T> {
    due: BTreeMap<(Instant, u64), T>,
    written: u64,
}

impl<T> Default for Agenda<T> {
    fn default() -> Agenda<T> {
        Agenda { due: BTreeMap::new(), written: 0 }
    }
}

impl<T> Agenda<T> {
    /// Writes something down.
    pub fn add(&mut self, at: Instant, what: T) {
        self.written += 1;
        self.due.insert((at, self.written), what);
    }

    /// When the next thing falls due; [`Instant::MAX`] when nothing does.
    pub fn next_at(&self) -> Instant {
        self.due.first_key_value().map_or(Instant::MAX, |((at, _), _)| *at)
    }

    /// Takes the next thing if it is due by `now`.
    pub fn take_due(&mut self, now: Instant) -> Option<T> {
        (self.next_at() <= now).then(|| self.due.pop_first().expect("something is due").1)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.due.clear();
    }

    /// Whether nothing is written down.
    pub fn is_empty(&self) -> bool {
        self.due.is_empty()
    }
}
