//! When sessions open and close, as events. The next trading day comes from the calendar; a day the calendar does not
//! cover is never guessed.

use std::collections::{BTreeMap, VecDeque};

use chrono::NaiveDate;
use scalper_decide::domain::{Age, Event, IndexPrice, Instant, SessionHours, Underlying};

/// Ticks that late after the close still count; then the day is over.
const AFTER_CLOSE: Age = Age::from_mins(1);
/// The exchange takes the average of the last half hour as closing value.
const SETTLEMENT_WINDOW: Age = Age::from_mins(30);

/// An event of the schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct Due {
    /// When it is stamped.
    pub at: Instant,
    /// What.
    pub event: Event,
}

/// Average of an index inside the settlement window.
#[derive(Debug, Clone, Copy, Default)]
struct Closing {
    sum: i128,
    count: i128,
}

/// The end of the day that is open.
#[derive(Debug)]
pub struct Schedule {
    hours: SessionHours,
    ends: VecDeque<Instant>,
    expiring: Vec<(Underlying, NaiveDate)>,
    closing: BTreeMap<Underlying, Closing>,
}

impl Schedule {
    /// The rest of a day whose session was opened; `expiring` are the series that settle today.
    pub fn of_day(hours: SessionHours, expiring: Vec<(Underlying, NaiveDate)>) -> Schedule {
        let ends = VecDeque::from([hours.close_at() + AFTER_CLOSE]);
        Schedule { hours, ends, expiring, closing: BTreeMap::new() }
    }

    /// The day.
    pub const fn hours(&self) -> &SessionHours {
        &self.hours
    }

    /// Whether the day is over.
    pub fn is_over(&self) -> bool {
        self.ends.is_empty()
    }

    /// When the next event is due.
    pub fn next_at(&self) -> Option<Instant> {
        self.ends.front().copied()
    }

    /// Takes a believed level of an index in; only those of the settlement window count.
    pub fn level(&mut self, underlying: Underlying, exchange_at: Instant, paise: i64) {
        let until = self.hours.at(self.hours.index_continuous_close);
        if until - SETTLEMENT_WINDOW <= exchange_at && exchange_at < until {
            let closing = self.closing.entry(underlying).or_default();
            closing.sum += i128::from(paise);
            closing.count += 1;
        }
    }

    /// Events due by `at`: settlement of what expires today, then the end of the session.
    pub fn take(&mut self, at: Instant) -> Vec<Due> {
        if self.ends.front().is_none_or(|end| *end > at) {
            return Vec::new();
        }
        let end = self.ends.pop_front().expect("looked at above");
        let mut due = Vec::new();
        for (underlying, expiry) in std::mem::take(&mut self.expiring) {
            let Some(closing) = self.closing.get(&underlying).filter(|closing| closing.count > 0) else { continue };
            let value = IndexPrice::from_paise((closing.sum / closing.count) as i64);
            let source = "average of the received index over the last 30 minutes of continuous trading".to_owned();
            due.push(Due { at: end, event: Event::Settled { underlying, expiry, value, source } });
        }
        due.push(Due { at: end, event: Event::SessionClosed { day: self.hours.day } });
        due
    }
}
