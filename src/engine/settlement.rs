//! The value on which series settle: the average of the index over the last half hour of continuous trading. A process
//! that was not there all the time completes it from its journal and from minute bars, or says that it cannot.

use std::collections::BTreeMap;

use scalper_decide::domain::{Age, IndexPrice, Instant, SessionHours, Tick, Underlying};

use crate::backtest::replay::is_synthesised;

/// The exchange takes the average of the last half hour as closing value.
const WINDOW: Age = Age::from_mins(30);
/// Length of the bars that fill a gap.
const MINUTE: Age = Age::from_mins(1);

/// Levels of one minute.
#[derive(Debug, Clone, Copy, Default)]
struct Minute {
    sum: i128,
    count: i128,
    /// Part of `count` that was drawn through bars.
    drawn: i128,
}

/// Believed levels of the indices inside the settlement window.
#[derive(Debug, Clone)]
pub struct Levels {
    from: Instant,
    until: Instant,
    minutes: BTreeMap<(Underlying, Instant), Minute>,
    /// When nobody listened.
    gaps: Vec<(Instant, Instant)>,
}

impl Levels {
    /// Nothing yet, of a day.
    pub fn of(hours: &SessionHours) -> Levels {
        let until = hours.at(hours.index_continuous_close);
        Levels { from: until - WINDOW, until, minutes: BTreeMap::new(), gaps: Vec::new() }
    }

    /// Whether a tick of this exchange time counts.
    pub fn wants(&self, exchange_at: Instant) -> bool {
        self.from <= exchange_at && exchange_at < self.until
    }

    fn minute_of(&self, at: Instant) -> Instant {
        let since = at.age_of(self.from).nanos();
        self.from + Age::from_nanos(since - since % MINUTE.nanos())
    }

    /// Takes a believed level of an index in; only those of the window count.
    pub fn take(&mut self, underlying: Underlying, tick: &Tick) {
        if !self.wants(tick.exchange_at) {
            return;
        }
        let minute = self.minutes.entry((underlying, self.minute_of(tick.exchange_at))).or_default();
        minute.sum += i128::from(tick.ltp_paise);
        minute.count += 1;
        minute.drawn += i128::from(is_synthesised(tick));
    }

    /// Nobody listened from `from` on, until `until`.
    pub fn missed(&mut self, from: Instant, until: Instant) {
        let (from, until) = (from.max(self.from), until.min(self.until));
        if from < until {
            self.gaps.push((from, until));
        }
    }

    /// The value, with where it comes from; why there is none otherwise.
    ///
    /// # Errors
    /// No level was received, or minutes of a time without a process stayed empty.
    pub fn value(&self, underlying: Underlying) -> Result<(IndexPrice, String), String> {
        let of = |minute: Instant| self.minutes.get(&(underlying, minute));
        let known = self.minutes.range((underlying, self.from)..(underlying, self.until)).map(|(_, minute)| minute);
        let all = known.clone().fold(Minute::default(), |all, minute| Minute {
            sum: all.sum + minute.sum,
            count: all.count + minute.count,
            drawn: all.drawn + minute.drawn,
        });
        if all.count == 0 {
            return Err(format!(
                "no level of {} was received in the last 30 minutes of its trading",
                underlying.symbol()
            ));
        }
        for (from, until) in &self.gaps {
            let mut minute = self.minute_of(*from);
            while minute < *until {
                if of(minute).is_none() {
                    return Err(format!(
                        "no level of {} is known for the minute from {}: no process ran then, and no bar tells",
                        underlying.symbol(),
                        minute.ist_text()
                    ));
                }
                minute = minute + MINUTE;
            }
        }
        if all.drawn == 0 {
            let source = "average of the received index over the last 30 minutes of continuous trading";
            return Ok((IndexPrice::from_paise((all.sum / all.count) as i64), source.to_owned()));
        }
        // A bar has four points and a minute of ticks a hundred: each minute counts alike.
        let (sum, minutes, drawn) = known.fold((0, 0, 0), |(sum, minutes, drawn), minute| {
            (sum + minute.sum / minute.count, minutes + 1, drawn + i32::from(minute.drawn > 0))
        });
        let source = format!(
            "average by minutes of the received index over the last 30 minutes of continuous trading, {drawn} of \
             {minutes} minutes from minute bars"
        );
        Ok((IndexPrice::from_paise((sum / i128::from(minutes)) as i64), source))
    }
}

#[cfg(test)]
#[path = "settlement_tests.rs"]
mod tests;
