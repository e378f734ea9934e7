//! What is due by time alone.

use super::OrderManager;
use super::changes::Commands;
use crate::domain::{Instant, OrderReport, OrderState, PositionId, Stamp};

impl OrderManager {
    /// What is due by time: entries to take back, exits to price again, silence to be called doubt.
    pub fn on_timer(&mut self, now: Stamp) -> Commands {
        let mut commands = Commands::new();
        let due: Vec<PositionId> = self.books.keys().copied().collect();
        for position in due {
            let book = self.books.get_mut(&position).expect("listed above");
            if book.entry_deadline.is_some_and(|at| now.at >= at) {
                book.entry_deadline = None;
                self.cancel_entries(position, &mut commands);
            }
            let book = self.books.get_mut(&position).expect("listed above");
            if book.chase_at.is_some_and(|at| now.at >= at) {
                book.chase_at = None;
                if book.exit.is_some() {
                    self.price_exit(now.at, position);
                }
                self.sync(now.at, position, &mut commands);
            }
        }
        for tracked in self.orders.values_mut() {
            if let OrderState::Sent { at } = tracked.order.state
                && now.at >= at + self.params.answer_timeout
            {
                let unanswered = OrderReport::Unanswered { since: now.at };
                tracked.order = tracked.order.clone().apply(&unanswered).expect("silence contradicts nothing");
            }
        }
        self.refresh_wake();
        commands
    }

    /// When the next deadline falls due.
    #[inline]
    pub const fn wake_at(&self) -> Option<Instant> {
        self.wake
    }

    pub(super) fn refresh_wake(&mut self) {
        let books = self.books.values().filter(|b| b.position.is_live());
        let deadlines = books.flat_map(|b| [b.entry_deadline, b.chase_at]).flatten();
        let answers = self.orders.values().filter_map(|t| match t.order.state {
            OrderState::Sent { at } => Some(at + self.params.answer_timeout),
            _ => None,
        });
        self.wake = deadlines.chain(answers).min();
    }
}
