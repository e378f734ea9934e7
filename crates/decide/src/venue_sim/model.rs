//! The four named sets of assumptions about how the market treats our orders.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::money::Rounding;
use crate::domain::{Age, Bps, LotSize, Lots, Premium, Qty};

/// Which set of assumptions. Declared from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FillModelKind {
    /// Everything goes right; never the headline.
    Optimistic,
    /// What to expect.
    Base,
    /// A bad day.
    Pessimistic,
    /// A very bad day.
    Stressed,
}

impl FillModelKind {
    /// All four, best first.
    pub const ALL: [FillModelKind; 4] =
        [FillModelKind::Optimistic, FillModelKind::Base, FillModelKind::Pessimistic, FillModelKind::Stressed];

    /// Its name in tables, settings and options.
    pub const fn name(self) -> &'static str {
        match self {
            FillModelKind::Optimistic => "optimistic",
            FillModelKind::Base => "base",
            FillModelKind::Pessimistic => "pessimistic",
            FillModelKind::Stressed => "stressed",
        }
    }

    /// From its name.
    pub fn from_name(name: &str) -> Option<FillModelKind> {
        FillModelKind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for FillModelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How the market treats our orders. The numbers of the four named models and their reasons are tabled in the
/// documentation of [`venue_sim`](crate::venue_sim).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FillModel {
    /// Which named model this is.
    pub kind: FillModelKind,
    /// From a decision here to the order being able to trade. It covers the way out and the age that a book
    /// already has when it is received here.
    pub order_latency: Age,
    /// From an event at the venue to our hearing of it.
    pub report_latency: Age,
    /// Half the spread around a last price without a book, share of the price.
    pub half_spread: Bps,
    /// Smallest such half spread, in ticks.
    pub half_spread_min_ticks: i64,
    /// Ticks that every price is shifted against us. A resting limit fills on touch when this is 0; otherwise the
    /// market must trade through it by so many ticks.
    pub slippage_ticks: i64,
    /// Share of a level's displayed quantity that we may take.
    pub displayed_share: Bps,
    /// Size assumed to be displayed where a tick has no book, in lots.
    pub synthetic_level: Lots,
}

impl FillModel {
    /// The named model.
    pub const fn named(kind: FillModelKind) -> FillModel {
        let base = FillModel {
            kind,
            order_latency: Age::from_millis(150),
            report_latency: Age::from_millis(50),
            half_spread: Bps::new(20),
            half_spread_min_ticks: 2,
            slippage_ticks: 0,
            displayed_share: Bps::FULL,
            synthetic_level: Lots::new(20),
        };
        match kind {
            FillModelKind::Optimistic => FillModel {
                order_latency: Age::from_millis(20),
                report_latency: Age::from_millis(10),
                half_spread: Bps::new(10),
                half_spread_min_ticks: 1,
                ..base
            },
            FillModelKind::Base => base,
            FillModelKind::Pessimistic => FillModel {
                order_latency: Age::from_millis(400),
                report_latency: Age::from_millis(150),
                slippage_ticks: 1,
                displayed_share: Bps::from_percent(50),
                ..base
            },
            FillModelKind::Stressed => FillModel {
                order_latency: Age::from_millis(900),
                report_latency: Age::from_millis(400),
                half_spread: Bps::new(40),
                half_spread_min_ticks: 4,
                slippage_ticks: 2,
                displayed_share: Bps::from_percent(25),
                ..base
            },
        }
    }

    /// Half the spread assumed around a last price: whole ticks, rounded up.
    pub fn half_spread_at(&self, last: Premium, tick: Premium) -> Premium {
        let share = last.moved_by(self.half_spread, Rounding::Up) - last;
        share.ceil_to(tick).max(Premium::from_paise(tick.paise() * self.half_spread_min_ticks))
    }

    /// Units we may take of `displayed`: whole lots of the share, and one lot wherever a whole lot is displayed.
    pub fn takeable(&self, displayed: Qty, lot: LotSize) -> Qty {
        if displayed.get() < lot.get() {
            return Qty::ZERO;
        }
        let share = Qty::new(displayed.get() * self.displayed_share.get() / Bps::FULL.get());
        lot.units(lot.lots_in(share)).max(Qty::new(lot.get()))
    }

    /// The assumptions as name and text, for reports.
    pub fn assumptions(&self) -> Vec<(String, String)> {
        let through = match self.slippage_ticks {
            0 => "when the opposite side touches it".to_owned(),
            n => format!("when the opposite side trades through it by {n} ticks"),
        };
        [
            ("fill model", self.kind.to_string()),
            ("order latency", self.order_latency.to_string()),
            ("report latency", self.report_latency.to_string()),
            ("prices", "buys at the ask, sells at the bid, up to 5 recorded levels, never on an older book".to_owned()),
            ("extra slippage", format!("{} ticks", self.slippage_ticks)),
            ("share of displayed size", self.displayed_share.to_string()),
            (
                "half spread without a book",
                format!("{} of the price, at least {} ticks", self.half_spread, self.half_spread_min_ticks),
            ),
            ("size without a book", format!("{} lots before the share", self.synthetic_level)),
            ("resting limit fills", through),
            ("delay", "a fill is never better than any price passed since the decision".to_owned()),
        ]
        .map(|(name, text)| (name.to_owned(), text))
        .to_vec()
    }
}
