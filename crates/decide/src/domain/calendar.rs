//! Trading days and sessions as dated data. A date outside the table is an error, never a guess (F-84, design 9).

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate, Weekday};
use serde::{Deserialize, Serialize};

use super::time::{Instant, TimeOfDay};

/// Named times of a session, in the order they must come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cutoffs {
    /// No entry from here on.
    pub no_new_entry: TimeOfDay,
    /// Contracts that expire today are closed from here on.
    pub expiry_force_exit: TimeOfDay,
    /// Everything is closed from here on.
    pub square_off_start: TimeOfDay,
    /// Everything must be flat by here; still open positions raise an alarm.
    pub square_off_deadline: TimeOfDay,
    /// When the broker closes intraday positions itself.
    pub broker_square_off: TimeOfDay,
}

impl Cutoffs {
    /// Checks that the five times come in order; `Err` names the first pair that does not.
    pub fn validate(&self, close: TimeOfDay) -> Result<(), String> {
        let order = [
            ("no_new_entry", self.no_new_entry),
            ("expiry_force_exit", self.expiry_force_exit),
            ("square_off_start", self.square_off_start),
            ("square_off_deadline", self.square_off_deadline),
            ("broker_square_off", self.broker_square_off),
            ("close", close),
        ];
        for pair in order.windows(2) {
            let ((name_a, a), (name_b, b)) = (pair[0], pair[1]);
            let strict = name_a == "square_off_start" || name_a == "square_off_deadline";
            if a > b || (strict && a == b) {
                return Err(format!("{name_a} {a} must come before {name_b} {b}"));
            }
        }
        Ok(())
    }

    /// The same times for a session that closes earlier or later, each keeping its distance to the close.
    #[must_use]
    pub fn shifted_to_close(&self, regular_close: TimeOfDay, close: TimeOfDay) -> Cutoffs {
        let shift = |t: TimeOfDay| close.minus_secs(regular_close.secs().saturating_sub(t.secs()));
        Cutoffs {
            no_new_entry: shift(self.no_new_entry),
            expiry_force_exit: shift(self.expiry_force_exit),
            square_off_start: shift(self.square_off_start),
            square_off_deadline: shift(self.square_off_deadline),
            broker_square_off: shift(self.broker_square_off),
        }
    }

    /// The earlier of each pair: a preset may only move a cut-off forward, never past the calendar's.
    #[must_use]
    pub fn clamped_to(&self, limit: &Cutoffs) -> Cutoffs {
        Cutoffs {
            no_new_entry: self.no_new_entry.min(limit.no_new_entry),
            expiry_force_exit: self.expiry_force_exit.min(limit.expiry_force_exit),
            square_off_start: self.square_off_start.min(limit.square_off_start),
            square_off_deadline: self.square_off_deadline.min(limit.square_off_deadline),
            broker_square_off: self.broker_square_off.min(limit.broker_square_off),
        }
    }
}

/// Continuous trading of one stretch, `[open, close)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// First second.
    pub open: TimeOfDay,
    /// First second after.
    pub close: TimeOfDay,
}

/// Hours of one trading day of the derivative segments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionHours {
    /// The day.
    pub day: NaiveDate,
    /// Stretches of continuous trading, in order; usually one.
    pub windows: Vec<Window>,
    /// When the spot index stops being driven by continuous trades; equals the close before 2026-08-03.
    pub index_continuous_close: TimeOfDay,
    /// Named cut-offs.
    pub cutoffs: Cutoffs,
}

impl SessionHours {
    /// First open.
    ///
    /// # Panics
    /// Never: hours are built with at least one window.
    pub fn open(&self) -> TimeOfDay {
        self.windows.first().expect("a session has a window").open
    }
    /// Last close.
    ///
    /// # Panics
    /// Never: hours are built with at least one window.
    pub fn close(&self) -> TimeOfDay {
        self.windows.last().expect("a session has a window").close
    }
    /// First open as an instant.
    pub fn open_at(&self) -> Instant {
        self.at(self.open())
    }
    /// Last close as an instant.
    pub fn close_at(&self) -> Instant {
        self.at(self.close())
    }
    /// A time of this day as an instant.
    pub fn at(&self, time: TimeOfDay) -> Instant {
        Instant::from_ist(self.day, time)
    }
    /// Whether derivatives trade continuously at this time.
    pub fn is_open(&self, time: TimeOfDay) -> bool {
        self.windows.iter().any(|w| w.open <= time && time < w.close)
    }
    /// Whether the index is driven by continuous trades at this time.
    pub fn index_is_live(&self, time: TimeOfDay) -> bool {
        self.is_open(time) && time < self.index_continuous_close
    }
}

/// Hours that hold from a date on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoursRegime {
    /// First day.
    pub from: NaiveDate,
    /// Regular continuous session.
    pub window: Window,
    /// When spot goes quiet.
    pub index_continuous_close: TimeOfDay,
    /// Cut-offs of a regular day.
    pub cutoffs: Cutoffs,
}

/// An exception to the weekly rhythm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpecialDay {
    /// Closed, with the reason.
    Holiday(String),
    /// Open at unusual times. Without known windows the day is closed.
    Session {
        /// What it is.
        name: String,
        /// Known stretches of trading; empty when not notified.
        windows: Vec<Window>,
    },
}

/// What a date is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DayKind {
    /// A trading day with its hours.
    Open(SessionHours),
    /// Closed, with the reason.
    Closed(String),
}

/// The date lies outside the calendar's table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{day} is outside the session calendar ({from} to {to}); add it to calendar.yml or an override file")]
pub struct OutsideCalendar {
    /// The date asked for.
    pub day: NaiveDate,
    /// First covered date.
    pub from: NaiveDate,
    /// Last covered date.
    pub to: NaiveDate,
}

/// The dated table of sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionCalendar {
    from: NaiveDate,
    to: NaiveDate,
    regimes: Vec<HoursRegime>,
    special: BTreeMap<NaiveDate, SpecialDay>,
}

impl SessionCalendar {
    /// Builds a calendar for `from..=to`. `Err` names what is wrong: no regime covering `from`, regimes out of
    /// order, cut-offs out of order, a window that closes before it opens.
    pub fn new(
        from: NaiveDate,
        to: NaiveDate,
        regimes: Vec<HoursRegime>,
        special: BTreeMap<NaiveDate, SpecialDay>,
    ) -> Result<SessionCalendar, String> {
        if to < from {
            return Err(format!("calendar ends {to} before it starts {from}"));
        }
        match regimes.first() {
            Some(first) if first.from <= from => {}
            _ => return Err(format!("no session hours cover the first day {from}")),
        }
        for pair in regimes.windows(2) {
            if pair[1].from <= pair[0].from {
                return Err(format!("session hours from {} must come after those from {}", pair[1].from, pair[0].from));
            }
        }
        for regime in &regimes {
            let Window { open, close } = regime.window;
            if close <= open {
                return Err(format!("hours from {}: close {close} must come after open {open}", regime.from));
            }
            if regime.index_continuous_close > close || regime.index_continuous_close <= open {
                let icc = regime.index_continuous_close;
                return Err(format!(
                    "hours from {}: index_continuous_close {icc} must lie inside {open}-{close}",
                    regime.from
                ));
            }
            regime.cutoffs.validate(close).map_err(|e| format!("hours from {}: {e}", regime.from))?;
        }
        for (day, kind) in &special {
            if let SpecialDay::Session { name, windows } = kind {
                let mut last = None;
                for w in windows {
                    if w.close <= w.open || last.is_some_and(|l| w.open < l) {
                        return Err(format!("{day} {name}: window {}-{} is out of order", w.open, w.close));
                    }
                    last = Some(w.close);
                }
            }
        }
        Ok(SessionCalendar { from, to, regimes, special })
    }

    /// First and last covered date.
    pub const fn coverage(&self) -> (NaiveDate, NaiveDate) {
        (self.from, self.to)
    }

    /// What `day` is.
    pub fn day(&self, day: NaiveDate) -> Result<DayKind, OutsideCalendar> {
        if day < self.from || day > self.to {
            return Err(OutsideCalendar { day, from: self.from, to: self.to });
        }
        let regime = self.regimes.iter().rev().find(|r| r.from <= day).expect("the first regime covers the first day");
        match self.special.get(&day) {
            Some(SpecialDay::Holiday(name)) => Ok(DayKind::Closed(name.clone())),
            Some(SpecialDay::Session { name, windows }) if windows.is_empty() => {
                Ok(DayKind::Closed(format!("{name}: session times not known")))
            }
            Some(SpecialDay::Session { windows, .. }) => {
                let close = windows.last().expect("not empty").close;
                Ok(DayKind::Open(SessionHours {
                    day,
                    windows: windows.clone(),
                    index_continuous_close: regime.index_continuous_close.min(close),
                    cutoffs: regime.cutoffs.shifted_to_close(regime.window.close, close),
                }))
            }
            None if matches!(day.weekday(), Weekday::Sat | Weekday::Sun) => Ok(DayKind::Closed("weekend".to_owned())),
            None => Ok(DayKind::Open(SessionHours {
                day,
                windows: vec![regime.window],
                index_continuous_close: regime.index_continuous_close,
                cutoffs: regime.cutoffs,
            })),
        }
    }

    /// Hours of `day` when it is a trading day.
    pub fn hours(&self, day: NaiveDate) -> Result<Option<SessionHours>, OutsideCalendar> {
        Ok(match self.day(day)? {
            DayKind::Open(hours) => Some(hours),
            DayKind::Closed(_) => None,
        })
    }

    /// The last trading day on or before `day`.
    pub fn trading_day_on_or_before(&self, day: NaiveDate) -> Result<NaiveDate, OutsideCalendar> {
        let mut day = day;
        loop {
            if self.hours(day)?.is_some() {
                return Ok(day);
            }
            day = day.pred_opt().ok_or(OutsideCalendar { day, from: self.from, to: self.to })?;
        }
    }
}
