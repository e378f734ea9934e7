//! True IV rank: today's at-the-money implied volatility against the stored daily values of earlier sessions
//! (D-2). "No history" is an answer of its own.

use std::collections::VecDeque;

use chrono::NaiveDate;
use serde::Serialize;

use crate::params::IvRankParams;

/// Answer to "how expensive are options against their own past?".
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "iv_rank", rename_all = "snake_case")]
pub enum IvRank {
    /// `(now - lowest) / (highest - lowest)` over the stored sessions, clamped to 0..=1.
    Known {
        /// The rank.
        rank: f64,
        /// Sessions it is based on.
        days: usize,
    },
    /// Too few stored sessions, or all of them equal.
    NoHistory {
        /// Sessions stored.
        days: usize,
        /// Sessions needed.
        needed: usize,
    },
    /// No at-the-money volatility can be computed now.
    Unknown,
}

/// Daily at-the-money implied volatilities of one index, in percent. The value of a session is the last sample
/// of the nearest expiry that is at least one day away, so that expiry-day values do not distort the range.
#[derive(Debug, Clone, Default)]
pub struct IvHistory {
    days: VecDeque<(NaiveDate, f64)>,
    today: Option<(NaiveDate, f64)>,
}

impl IvHistory {
    /// A history with earlier sessions, oldest first.
    pub fn seeded(days: impl IntoIterator<Item = (NaiveDate, f64)>) -> IvHistory {
        IvHistory { days: days.into_iter().collect(), today: None }
    }

    /// Puts these sessions, oldest first, in the place of those remembered; the running one stays.
    pub fn recall(&mut self, days: impl IntoIterator<Item = (NaiveDate, f64)>) {
        self.days = days.into_iter().collect();
    }

    /// The session that ended last, with its value.
    pub fn last(&self) -> Option<(NaiveDate, f64)> {
        self.days.back().copied()
    }

    /// Takes a sample of the running session in.
    pub fn sample(&mut self, day: NaiveDate, iv_pct: f64) {
        if iv_pct.is_finite() && iv_pct > 0.0 {
            self.today = Some((day, iv_pct));
        }
    }

    /// Ends a session: its last sample joins the history, of which at most `keep` sessions remain. It is rounded to a
    /// millionth of a percent, as it is stored: a core that goes on and one that is told next morning know the same.
    #[allow(clippy::float_arithmetic, reason = "volatilities are model figures, not money")]
    pub fn close_session(&mut self, keep: usize) {
        let rounded = |(day, iv_pct): (NaiveDate, f64)| (day, (iv_pct * 1e6).round() / 1e6);
        self.days.extend(self.today.take().map(rounded));
        while self.days.len() > keep {
            self.days.pop_front();
        }
    }

    /// Stored sessions, oldest first.
    pub fn days(&self) -> impl Iterator<Item = &(NaiveDate, f64)> {
        self.days.iter()
    }

    /// The rank of the running session's latest sample.
    #[allow(clippy::float_arithmetic, reason = "volatilities are model figures, not money")]
    pub fn rank(&self, params: &IvRankParams) -> IvRank {
        let lookback = self.days.iter().rev().take(params.lookback_days);
        let (mut low, mut high, mut days) = (f64::INFINITY, f64::NEG_INFINITY, 0);
        for (_, iv) in lookback {
            low = low.min(*iv);
            high = high.max(*iv);
            days += 1;
        }
        if days < params.min_days || low >= high {
            return IvRank::NoHistory { days, needed: params.min_days };
        }
        match self.today {
            None => IvRank::Unknown,
            Some((_, now)) => IvRank::Known { rank: ((now - low) / (high - low)).clamp(0.0, 1.0), days },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::NoHistory;

    const PARAMS: IvRankParams = IvRankParams {
        enabled: true,
        min: 0.1,
        max: 0.8,
        lookback_days: 3,
        min_days: 2,
        on_no_history: NoHistory::Pass,
    };

    fn day(d: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 1, d).unwrap()
    }

    #[test]
    fn rank_is_the_place_of_today_between_lowest_and_highest_of_the_lookback() {
        let mut h = IvHistory::seeded([(day(5), 90.0), (day(6), 10.0), (day(7), 20.0), (day(8), 14.0)]);
        h.sample(day(9), 15.0);
        assert_eq!(h.rank(&PARAMS), IvRank::Known { rank: 0.5, days: 3 }, "day 5 lies outside the lookback");
    }

    #[test]
    fn a_history_that_was_stored_and_told_again_is_the_one_that_went_on() {
        // D-2: one core over two days, and one core a day.
        let mut whole = IvHistory::seeded([(day(5), 12.0)]);
        whole.sample(day(6), 13.123_456_789);
        whole.close_session(10);
        let (last, iv_pct) = whole.last().unwrap();
        let micro = (iv_pct * 1e6).round() as i64;
        let mut told = IvHistory::default();
        told.recall([(day(5), 12.0), (last, micro as f64 / 1e6)]);
        assert!(told.days().eq(whole.days()), "{told:?} {whole:?}");
    }

    #[test]
    fn too_few_sessions_is_an_answer_of_its_own() {
        let mut h = IvHistory::seeded([(day(8), 14.0)]);
        h.sample(day(9), 15.0);
        assert_eq!(h.rank(&PARAMS), IvRank::NoHistory { days: 1, needed: 2 });
        h.close_session(10);
        assert_eq!(h.rank(&PARAMS), IvRank::Unknown, "history is enough now, but today has no sample");
    }
}
