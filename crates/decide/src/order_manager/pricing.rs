//! What an exit asks for, and when it is asked again.

use super::OrderManager;
use super::changes::Outcome;
use super::ladder::Rung;
use crate::domain::alarm::{Alarm, AlarmKey};
use crate::domain::money::Rounding;
use crate::domain::{Age, BookLevel, Bps, Instant, PositionId, Premium};
use crate::tick_cache::Quote;

/// Farthest an exit is priced under the price it is taken from, however often it is priced again: inside the 40 % the
/// exchange allows (dhan-v2.md 8.2), beyond which it would be refused instead of filled.
const EXIT_OFFSET_MAX: Bps = Bps::from_percent(35);

impl OrderManager {
    /// The next time something can be sent: now inside a stretch of trading, its start before it, `None` after the
    /// last.
    pub(super) fn next_open(&self, now: Instant) -> Option<Instant> {
        self.windows.iter().find(|(_, close)| now < *close).map(|(open, _)| now.max(*open))
    }

    /// How long to wait after a refusal: longer with every one in a row, so that a venue that keeps refusing is not
    /// hammered, and never for ever (F-18, F-23).
    pub(super) fn patience(&self, refusals: u8) -> Age {
        Age::from_nanos(self.params.exit_chase.nanos() * (1 + i64::from(refusals) / 4))
    }

    /// Prices the exit from the last quote, one offset farther under the bid each time. Without a quote since the
    /// last pricing nothing changes: the position is unpriced and leaves at its next quote.
    pub(super) fn price_exit(&mut self, now: Instant, position: PositionId) {
        let next_open = self.next_open(now);
        let Some(book) = self.books.get_mut(&position) else { return };
        let received = book.quote.map(|q| q.received_at);
        let is_resting = book.is_priced();
        let Some(open) = next_open else {
            book.chase_at = None;
            return;
        };
        if open > now {
            book.chase_at = Some(open);
            return;
        }
        if is_resting && received == book.priced_on {
            book.chase_at = None;
            return;
        }
        book.priced_on = received;
        // Without any price a stop that rests stays: what it would become cannot be named.
        let Some(price) = book.quote.and_then(|q| exit_price(&q)) else {
            book.chase_at = None;
            return;
        };
        let farther = i64::from(book.pricings.min(8)) + 1;
        let offset = if Rung::after(book.refusals) > Some(Rung::Reprice) {
            EXIT_OFFSET_MAX
        } else {
            Bps::new((self.params.exit_offset.get() * farther).min(EXIT_OFFSET_MAX.get()))
        };
        let tick = book.entry.contract.tick;
        book.set_price(Some(price.moved_by(-offset, Rounding::Down).floor_to(tick).max(tick)));
        book.pricings = book.pricings.saturating_add(1);
        book.chase_at = Some(now + self.params.exit_chase);
    }

    /// An exit met a refusal: it is priced and sent again at its next chase, one step up the ladder (C22).
    pub(super) fn try_later(&mut self, now: Instant, position: PositionId, outcome: &mut Outcome) {
        let wait = self.patience(self.books[&position].refusals);
        let book = self.books.get_mut(&position).expect("orders belong to books");
        book.set_price(None);
        book.refusals = book.refusals.saturating_add(1);
        book.chase_at = Some(now + wait);
        if let Some(rung) = Rung::after(book.refusals).filter(|_| Rung::is_told(book.refusals)) {
            let text = format!("exit of position {position} refused {} times in a row: {rung}", book.refusals);
            outcome.alarms.push(Alarm { key: AlarmKey::ExitRefused, text });
        }
    }
}

/// The price an exit is measured from: the best buyer; without one in sight the last price or the seller to stand
/// beside, whichever is lower; `None` without any.
fn exit_price(quote: &Quote) -> Option<Premium> {
    let beside = || match (quote.ltp(), quote.ask) {
        (Some(last), Some(ask)) => Some(last.min(ask.premium())),
        (last, ask) => last.or(ask.map(BookLevel::premium)),
    };
    quote.sellable_at().or_else(beside)
}
