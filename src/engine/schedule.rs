//! When a session ends, as events: what expires is settled, then the day closes.

use std::collections::VecDeque;

use chrono::NaiveDate;
use scalper_decide::domain::{Age, Event, Instant, SessionHours, Tick, Underlying};

use super::settlement::Levels;

/// Ticks that late after the close still count; then the day is over.
const AFTER_CLOSE: Age = Age::from_mins(1);

/// An event of the schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct Due {
    /// When it is stamped.
    pub at: Instant,
    /// What.
    pub event: Event,
}

/// The end of the day that is open.
#[derive(Debug)]
pub struct Schedule {
    hours: SessionHours,
    ends: VecDeque<Instant>,
    expiring: Vec<(Underlying, NaiveDate)>,
    levels: Levels,
    refused: Vec<String>,
}

impl Schedule {
    /// The rest of a day whose session was opened; `expiring` are the series that settle today, `levels` what is known
    /// of the indices so far.
    pub fn of_day(hours: SessionHours, expiring: Vec<(Underlying, NaiveDate)>, levels: Levels) -> Schedule {
        let ends = VecDeque::from([hours.close_at() + AFTER_CLOSE]);
        Schedule { hours, ends, expiring, levels, refused: Vec::new() }
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

    /// Whether a level of an index at this exchange time makes the settlement value.
    pub fn wants(&self, exchange_at: Instant) -> bool {
        self.levels.wants(exchange_at)
    }

    /// Takes a believed level of an index in; only those of the settlement window count.
    pub fn level(&mut self, underlying: Underlying, tick: &Tick) {
        self.levels.take(underlying, tick);
    }

    /// Events due by `at`: settlement of what expires today, then the end of the session.
    pub fn take(&mut self, at: Instant) -> Vec<Due> {
        if self.ends.front().is_none_or(|end| *end > at) {
            return Vec::new();
        }
        let end = self.ends.pop_front().expect("looked at above");
        let mut due = Vec::new();
        for (underlying, expiry) in std::mem::take(&mut self.expiring) {
            match self.levels.value(underlying) {
                Ok((value, source)) => {
                    due.push(Due { at: end, event: Event::Settled { underlying, expiry, value, source } });
                }
                Err(why) => self.refused.push(format!(
                    "{} {expiry} is not settled: {why}; look up the exchange's value",
                    underlying.symbol()
                )),
            }
        }
        due.push(Due { at: end, event: Event::SessionClosed { day: self.hours.day } });
        due
    }

    /// Series that could not be settled since the last time, each with the reason.
    pub fn refused(&mut self) -> Vec<String> {
        std::mem::take(&mut self.refused)
    }
}
