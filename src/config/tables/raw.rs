//! What may be written in `calendar.yml`, `contracts.yml`, `charges.yml` and in an override file.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use scalper_decide::domain::{Exchange, Underlying};
use serde::de::{self, Deserialize, Deserializer, Visitor};

use crate::config::leaf::{Date, Maybe, Time, Whole};

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawBook {
    pub(crate) calendar: RawCalendar,
    pub(crate) contracts: BTreeMap<Underlying, RawTerms>,
    pub(crate) charges: BTreeMap<Exchange, RawCharges>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawCalendar {
    pub(crate) coverage: RawCoverage,
    pub(crate) hours: Vec<RawHours>,
    pub(crate) holidays: BTreeMap<Date, Maybe<String>>,
    pub(crate) special_sessions: BTreeMap<Date, Maybe<RawSession>>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawCoverage {
    pub(crate) from: Date,
    pub(crate) to: Date,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawHours {
    pub(crate) from: Date,
    pub(crate) open: Time,
    pub(crate) close: Time,
    pub(crate) index_continuous_close: Time,
    pub(crate) cutoffs: RawDayCutoffs,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawDayCutoffs {
    pub(crate) no_new_entry: Time,
    pub(crate) expiry_force_exit: Time,
    pub(crate) square_off_start: Time,
    pub(crate) square_off_deadline: Time,
    pub(crate) broker_square_off: Time,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSession {
    pub(crate) name: String,
    pub(crate) windows: Vec<RawWindow>,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawWindow {
    pub(crate) open: Time,
    pub(crate) close: Time,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawTerms {
    pub(crate) lots: Vec<LotFrom>,
    #[serde(default)]
    pub(crate) lot_exceptions: BTreeMap<Date, Maybe<Whole>>,
    pub(crate) freeze_units: Vec<UnitsFrom>,
    pub(crate) tick_rupees: Vec<RupeesFrom>,
    pub(crate) strike_step_points: Vec<PointsFrom>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawCharges {
    pub(crate) brokerage_rupees_per_order: Vec<RupeesFrom>,
    pub(crate) stt_option_sale_pct: Vec<PctFrom>,
    pub(crate) stt_exercise_pct: Vec<PctFrom>,
    pub(crate) exchange_pct: Vec<PctFrom>,
    pub(crate) sebi_pct: Vec<PctFrom>,
    pub(crate) ipft_pct: Vec<PctFrom>,
    pub(crate) stamp_buy_pct: Vec<PctFrom>,
    pub(crate) gst_pct: Vec<PctFrom>,
}

/// An entry that holds from a date on.
pub(crate) trait From_ {
    type Value: Clone;
    fn from(&self) -> Date;
    fn to(&self) -> Option<Date>;
    fn value(&self) -> Self::Value;
    /// Name of the value's key, for messages.
    const FIELD: &'static str;
}

macro_rules! from_entry {
    ($name:ident, $field:ident, $type:ty) => {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $name {
            from: Date,
            #[serde(default)]
            to: Option<Date>,
            $field: $type,
        }
        impl From_ for $name {
            type Value = $type;
            fn from(&self) -> Date {
                self.from
            }
            fn to(&self) -> Option<Date> {
                self.to
            }
            fn value(&self) -> $type {
                self.$field
            }
            const FIELD: &'static str = stringify!($field);
        }
    };
}

from_entry!(LotFrom, lot, Whole);
from_entry!(UnitsFrom, units, Whole);
from_entry!(PointsFrom, points, Whole);
from_entry!(RupeesFrom, rupees, Exact);
from_entry!(PctFrom, pct, Exact);

/// A decimal written as quoted text, so that no reader rounds it through binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exact(pub(crate) Decimal);

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Exact, D::Error> {
        struct V;
        impl Visitor<'_> for V {
            type Value = Exact;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a quoted decimal like \"0.03503\"")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Exact, E> {
                Decimal::from_str(text)
                    .map(Exact)
                    .map_err(|_| E::custom(format!("expected a quoted decimal like \"0.03503\", found \"{text}\"")))
            }
        }
        d.deserialize_any(V)
    }
}
