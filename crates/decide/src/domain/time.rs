//! Time as a value. Instants are nanoseconds since the Unix epoch in UTC; days and times of day are IST, which
//! has no daylight saving, so the offset is the constant 19,800 s (F-82, P37).

use std::fmt;
use std::ops::{Add, Sub};

use chrono::{Datelike, NaiveDate, NaiveTime, Timelike};
use serde::{Deserialize, Serialize};

use super::ids::Seq;

/// Nanoseconds in a second.
pub const NANOS_PER_SEC: i64 = 1_000_000_000;
/// Seconds IST is ahead of UTC.
pub const IST_OFFSET_SECS: i64 = 19_800;
const SECS_PER_DAY: i64 = 86_400;

/// A point in time: nanoseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Instant(i64);

impl Instant {
    /// Later than every real instant.
    pub const MAX: Instant = Instant(i64::MAX);

    /// From nanoseconds since the epoch.
    pub const fn from_nanos(nanos: i64) -> Instant {
        Instant(nanos)
    }

    /// From seconds since the epoch.
    pub const fn from_secs(secs: i64) -> Instant {
        Instant(secs * NANOS_PER_SEC)
    }

    /// From an IST date and time of day.
    pub fn from_ist(day: NaiveDate, time: TimeOfDay) -> Instant {
        let days = i64::from(day.num_days_from_ce() - UNIX_EPOCH_CE_DAYS);
        Instant::from_secs(days * SECS_PER_DAY + i64::from(time.secs()) - IST_OFFSET_SECS)
    }

    /// Nanoseconds since the epoch.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// IST calendar date.
    pub fn ist_date(self) -> NaiveDate {
        let days = (self.0 + IST_OFFSET_SECS * NANOS_PER_SEC).div_euclid(SECS_PER_DAY * NANOS_PER_SEC);
        let ce = i32::try_from(days).expect("date inside the calendar") + UNIX_EPOCH_CE_DAYS;
        NaiveDate::from_num_days_from_ce_opt(ce).expect("date inside the calendar")
    }

    /// IST time of day, whole seconds.
    pub fn ist_time(self) -> TimeOfDay {
        let nanos = (self.0 + IST_OFFSET_SECS * NANOS_PER_SEC).rem_euclid(SECS_PER_DAY * NANOS_PER_SEC);
        TimeOfDay((nanos / NANOS_PER_SEC) as u32)
    }

    /// How long ago `earlier` was; zero when it lies in the future.
    pub fn age_of(self, earlier: Instant) -> Age {
        Age((self.0 - earlier.0).max(0))
    }

    /// `YYYY-MM-DDTHH:MM:SS+05:30`, with milliseconds when there are any.
    pub fn ist_text(self) -> String {
        let sub = self.0.rem_euclid(NANOS_PER_SEC);
        let base = format!("{}T{}", self.ist_date().format("%Y-%m-%d"), self.ist_time());
        if sub == 0 { format!("{base}+05:30") } else { format!("{base}.{:03}+05:30", sub / 1_000_000) }
    }
}

const UNIX_EPOCH_CE_DAYS: i32 = 719_163;

impl Add<Age> for Instant {
    type Output = Instant;
    fn add(self, age: Age) -> Instant {
        Instant(self.0 + age.0)
    }
}
impl Sub<Age> for Instant {
    type Output = Instant;
    fn sub(self, age: Age) -> Instant {
        Instant(self.0 - age.0)
    }
}

/// A length of time in nanoseconds, never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Age(i64);

impl Age {
    /// No time at all.
    pub const ZERO: Age = Age(0);

    /// From nanoseconds.
    pub const fn from_nanos(nanos: i64) -> Age {
        Age(nanos)
    }
    /// From milliseconds.
    pub const fn from_millis(millis: i64) -> Age {
        Age(millis * 1_000_000)
    }
    /// From seconds.
    pub const fn from_secs(secs: i64) -> Age {
        Age(secs * NANOS_PER_SEC)
    }
    /// From minutes.
    pub const fn from_mins(mins: i64) -> Age {
        Age(mins * 60 * NANOS_PER_SEC)
    }
    /// In nanoseconds.
    pub const fn nanos(self) -> i64 {
        self.0
    }
    /// In whole milliseconds, rounded down.
    pub const fn millis(self) -> i64 {
        self.0 / 1_000_000
    }
    /// In whole seconds, rounded down.
    pub const fn secs(self) -> i64 {
        self.0 / NANOS_PER_SEC
    }
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.millis())
    }
}

/// IST time of day, seconds since midnight (0..86,400). Reads and writes `HH:MM` or `HH:MM:SS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(u32);

impl TimeOfDay {
    /// From hours and minutes; `None` outside a day.
    pub const fn hm(hour: u32, minute: u32) -> Option<TimeOfDay> {
        if hour < 24 && minute < 60 { Some(TimeOfDay(hour * 3600 + minute * 60)) } else { None }
    }

    /// From seconds since midnight; `None` outside a day.
    pub const fn from_secs(secs: u32) -> Option<TimeOfDay> {
        if secs < 86_400 { Some(TimeOfDay(secs)) } else { None }
    }

    /// Seconds since midnight.
    pub const fn secs(self) -> u32 {
        self.0
    }

    /// Hour of the day, 0..24.
    pub const fn hour(self) -> u32 {
        self.0 / 3600
    }

    /// This time `secs` seconds earlier, not before midnight.
    pub const fn minus_secs(self, secs: u32) -> TimeOfDay {
        TimeOfDay(self.0.saturating_sub(secs))
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}:{:02}", self.0 / 3600, self.0 / 60 % 60, self.0 % 60)
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        NaiveTime::parse_from_str(&text, "%H:%M")
            .or_else(|_| NaiveTime::parse_from_str(&text, "%H:%M:%S"))
            .map(|t| TimeOfDay(t.num_seconds_from_midnight()))
            .map_err(|_| format!("expected a time like \"15:20\", found {text:?}"))
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> String {
        if time.0.is_multiple_of(60) {
            format!("{:02}:{:02}", time.0 / 3600, time.0 / 60 % 60)
        } else {
            time.to_string()
        }
    }
}

/// What the sequencer puts on every event: strictly increasing number, and the time the engine saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Stamp {
    /// Place in the journal.
    pub seq: Seq,
    /// Engine time: receive time of market events, due time of timers.
    pub at: Instant,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ist_date_and_time_round_trip_through_an_instant() {
        let day = NaiveDate::from_ymd_opt(2026, 1, 12).unwrap();
        let time = TimeOfDay::hm(9, 15).unwrap();
        let at = Instant::from_ist(day, time);
        assert_eq!(at.nanos(), 1_768_189_500 * NANOS_PER_SEC);
        assert_eq!((at.ist_date(), at.ist_time()), (day, time));
        assert_eq!(at.ist_text(), "2026-01-12T09:15:00+05:30");
    }

    #[test]
    fn an_instant_from_the_future_has_age_zero() {
        let now = Instant::from_secs(10);
        assert_eq!(now.age_of(Instant::from_secs(11)), Age::ZERO);
        assert_eq!(now.age_of(Instant::from_secs(8)), Age::from_secs(2));
    }
}
