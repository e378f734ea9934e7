//! Every owned unit must be covered by a resting stop or an exit at the venue (I6, J13). This file knows since when
//! one is not, and what happens at the deadline.

use super::OrderManager;
use super::changes::{Outcome, PositionChange};
use crate::domain::alarm::{Alarm, AlarmKey};
use crate::domain::{Age, Instant, InstrumentId, PositionId, Qty, Stamp};

/// Longest that a unit may be owned without cover (I6).
pub const COVER_DEADLINE: Age = Age::from_millis(1_500);

/// Longest pause between two alarms about the same gap.
const ALARM_PAUSE_MAX: Age = Age::from_secs(60);

/// Cover of one position over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Cover {
    /// Since when units are uncovered.
    pub(super) since: Option<Instant>,
    /// When the gap is acted on next.
    pub(super) due: Option<Instant>,
    /// Alarms about this gap so far.
    alarms: u8,
}

/// Units that nothing at the venue stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uncovered {
    /// The position.
    pub position: PositionId,
    /// Its contract.
    pub instrument: InstrumentId,
    /// How many units.
    pub units: Qty,
    /// Since when.
    pub since: Instant,
    /// How long that is.
    pub age: Age,
}

impl OrderManager {
    /// Owned units that no resting order covers at `now`, by position. Orders that nobody confirmed yet do not count:
    /// a stop that is in doubt protects nobody.
    pub fn uncovered(&self, now: Instant) -> Vec<Uncovered> {
        let gap = |id: &PositionId| {
            let book = &self.books[id];
            let since = book.cover.since?;
            let units = self.uncovered_units(*id);
            let (position, instrument) = (*id, book.position.instrument);
            Some(Uncovered { position, instrument, units, since, age: now.age_of(since) })
        };
        self.books.keys().filter_map(gap).collect()
    }

    fn uncovered_units(&self, position: PositionId) -> Qty {
        let book = &self.books[&position];
        if !book.position.is_live() {
            return Qty::ZERO;
        }
        let covered: Qty = book.sells.iter().map(|id| self.orders[id].cover()).sum();
        (book.position.owned() - self.missing_of(book) - covered).max(Qty::ZERO)
    }

    /// Units owned, at the broker, that no sell, confirmed or not, stands for: what may be sold on top.
    fn unreserved_units(&self, now: Instant, position: PositionId) -> Qty {
        let book = &self.books[&position];
        let reserved: Qty =
            book.sells.iter().filter_map(|id| self.orders[id].live_sell(now)).map(|s| s.qty - s.filled).sum();
        (book.position.owned() - self.missing_of(book) - reserved).max(Qty::ZERO)
    }

    /// Starts or stops the clock of a position whose orders or units have just changed.
    pub(super) fn watch_cover(&mut self, now: Instant, position: PositionId) {
        let is_open = self.uncovered_units(position) > Qty::ZERO;
        // Outside trading hours nothing can rest: the clock starts at the next open.
        let start = self.next_open(now);
        let Some(book) = self.books.get_mut(&position) else { return };
        match (is_open, book.cover.since, start) {
            (true, None, Some(start)) => {
                book.cover = Cover { since: Some(start), due: Some(start + COVER_DEADLINE), alarms: 0 };
            }
            (true, Some(_), _) => {}
            (true, None, None) | (false, _, _) => book.cover = Cover::default(),
        }
    }

    /// Acts on every gap whose deadline has passed: an alarm each time, and units that nothing reserves leave. Units
    /// behind an order in doubt stay where they are, because a second sell could sell them twice (E16, I2).
    pub(super) fn close_gaps(&mut self, now: Stamp, outcome: &mut Outcome) {
        let due: Vec<PositionId> =
            self.books.iter().filter(|(_, b)| b.cover.due.is_some_and(|at| now.at >= at)).map(|(id, _)| *id).collect();
        for position in due {
            let units = self.uncovered_units(position);
            let free = self.unreserved_units(now.at, position);
            let open = self.next_open(now.at);
            let book = self.books.get_mut(&position).expect("listed above");
            if units == Qty::ZERO || open.is_none() {
                book.cover = Cover::default();
                continue;
            }
            if let Some(open) = open.filter(|open| *open > now.at) {
                book.cover.due = Some(open + COVER_DEADLINE);
                continue;
            }
            let age = now.at.age_of(book.cover.since.unwrap_or(now.at));
            let pause = Age::from_nanos(COVER_DEADLINE.nanos() << book.cover.alarms.min(6)).min(ALARM_PAUSE_MAX);
            book.cover.alarms = book.cover.alarms.saturating_add(1);
            book.cover.due = Some(now.at + pause);
            let what = match (free > Qty::ZERO, book.is_leaving()) {
                (true, false) => "nothing rests for them: they leave now",
                (true, true) => "their exit is tried again",
                (false, _) => "an unconfirmed order reserves them: nothing more may be sold",
            };
            let text = format!("position {position}: {units} units without cover for {age}, {what}");
            outcome.alarms.push(Alarm { key: AlarmKey::UncoveredUnits, text });
            if free == Qty::ZERO {
                continue;
            }
            if book.is_leaving() {
                if book.chase_at.is_none() {
                    self.price_exit(now.at, position);
                }
                self.sync(now.at, position, &mut outcome.commands);
            } else {
                outcome.changes.push(PositionChange::Unprotected { position });
            }
        }
    }
}
