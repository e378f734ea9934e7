//! Classes of instruments whose silence is judged together: a quiet strike is none, a quiet exchange is.

use scalper_decide::domain::{Instant, Segment, SessionHours};
use serde::{Deserialize, Serialize};

/// A class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Index levels.
    Index,
    /// Shares.
    Cash,
    /// Futures and options at NSE.
    NseFno,
    /// Futures and options at BSE.
    BseFno,
    /// Commodities.
    Commodity,
    /// Currencies.
    Currency,
}

impl Class {
    /// All of them.
    pub const ALL: [Class; 6] =
        [Class::Index, Class::Cash, Class::NseFno, Class::BseFno, Class::Commodity, Class::Currency];

    /// Class of a segment.
    pub const fn of(segment: Segment) -> Class {
        match segment {
            Segment::IdxI => Class::Index,
            Segment::NseEq | Segment::BseEq => Class::Cash,
            Segment::NseFno => Class::NseFno,
            Segment::BseFno => Class::BseFno,
            Segment::McxComm => Class::Commodity,
            Segment::NseCurrency | Segment::BseCurrency => Class::Currency,
        }
    }

    /// Word for people.
    pub const fn word(self) -> &'static str {
        match self {
            Class::Index => "index",
            Class::Cash => "cash",
            Class::NseFno => "nse_fno",
            Class::BseFno => "bse_fno",
            Class::Commodity => "commodity",
            Class::Currency => "currency",
        }
    }
}

/// From which classes data is expected now; silence of the others is no fault (A5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expected(u8);

impl Expected {
    /// From none.
    pub const NONE: Expected = Expected(0);
    /// From all.
    pub const ALL: Expected = Expected(u8::MAX);

    /// From these.
    pub fn from(classes: impl IntoIterator<Item = Class>) -> Expected {
        Expected(classes.into_iter().fold(0, |held, class| held | 1 << class as u8))
    }

    /// At this time of a session day: indices end with their continuous calculation, everything else with the close.
    /// Commodities and currencies have hours of their own, which are in no table here: nothing is expected of them.
    pub fn at(hours: &SessionHours, now: Instant) -> Expected {
        if now.ist_date() != hours.day || !hours.is_open(now.ist_time()) {
            return Expected::NONE;
        }
        let index = hours.index_is_live(now.ist_time()).then_some(Class::Index);
        Expected::from([Class::Cash, Class::NseFno, Class::BseFno].into_iter().chain(index))
    }

    /// Whether from this one.
    pub const fn has(self, class: Class) -> bool {
        self.0 & 1 << class as u8 != 0
    }
}
