//! What is due by time alone.

use super::OrderManager;
use super::changes::Outcome;
use crate::domain::{Instant, PositionId, Stamp};

impl OrderManager {
    /// What is due by time: entries to take back, exits to price again, silence to be called doubt, units without
    /// cover.
    pub fn on_timer(&mut self, now: Stamp) -> Outcome {
        let mut outcome = Outcome::default();
        let due: Vec<PositionId> = self.books.keys().copied().collect();
        for position in due {
            let book = self.books.get_mut(&position).expect("listed above");
            if book.entry_deadline.is_some_and(|at| now.at >= at) {
                book.entry_deadline = None;
                self.cancel_entries(now.at, position, &mut outcome.commands);
            }
            let book = self.books.get_mut(&position).expect("listed above");
            if book.chase_at.is_some_and(|at| now.at >= at) {
                book.chase_at = None;
                if book.is_leaving() {
                    self.price_exit(now.at, position);
                }
                self.sync(now.at, position, &mut outcome.commands);
            }
        }
        self.hear_silence(now, &mut outcome);
        self.close_gaps(now, &mut outcome);
        self.refresh_wake();
        outcome
    }

    /// When the next deadline falls due.
    #[inline]
    pub const fn wake_at(&self) -> Option<Instant> {
        self.wake
    }

    pub(super) fn refresh_wake(&mut self) {
        let books = self.books.values().filter(|b| b.position.is_live());
        let deadlines = books.flat_map(|b| [b.entry_deadline, b.chase_at, b.cover.due]).flatten();
        self.wake = deadlines.chain(self.silence_deadlines()).min();
    }
}
