//! Settings of the rate budget: capacities below the broker's limits (dhan-v2.md 9.1).

use serde::{Deserialize, Serialize};

use super::{HOUR, MINUTE, SECOND};
use crate::domain::Age;

/// Calls one family may make per window; [`FamilyLimits::NONE`] where the broker has no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FamilyLimits {
    /// In any second.
    pub second: u32,
    /// In any minute.
    pub minute: u32,
    /// In any hour.
    pub hour: u32,
    /// In a day of IST.
    pub day: u32,
}

impl FamilyLimits {
    /// Stands for "no limit".
    pub const NONE: u32 = u32::MAX;

    /// The longest sliding window with a limit: calls older than that need not be remembered.
    pub(super) const fn longest_window(&self) -> Age {
        if self.hour != FamilyLimits::NONE {
            HOUR
        } else if self.minute != FamilyLimits::NONE {
            MINUTE
        } else {
            SECOND
        }
    }
}

/// Settings of the rate budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateParams {
    /// Order calls (the broker's limits are 10, 250, 1,000 and 7,000).
    pub order: FamilyLimits,
    /// Order calls of a day that the broker itself allows: calls that reduce risk may use them all.
    pub order_day_limit: u32,
    /// Data calls (5 a second, 100,000 a day).
    pub data: FamilyLimits,
    /// Quote calls (1 a second).
    pub quote: FamilyLimits,
    /// All other calls (20 a second).
    pub non_trading: FamilyLimits,
    /// Share of the order calls of a second, minute and hour that entries and trailing leave to exits, percent.
    pub kept_for_exits_percent: u32,
    /// Share of the day's order calls after which there are no entries, percent.
    pub entries_until_percent: u32,
    /// Share of the day's order calls after which only exits are left, percent.
    pub trail_until_percent: u32,
    /// Modifications of one order (the broker's limit is 25).
    pub modifications: u8,
    /// Modifications of one order after which it is not trailed any more; the rest is for its exit.
    pub modifications_for_trail: u8,
    /// Shortest time between two calls for the same option chain.
    pub chain_gap: Age,
    /// Rest after the broker said "too many".
    pub cool_off: Age,
}

impl Default for RateParams {
    fn default() -> Self {
        let none = FamilyLimits::NONE;
        RateParams {
            order: FamilyLimits { second: 8, minute: 220, hour: 900, day: 6_500 },
            order_day_limit: 7_000,
            data: FamilyLimits { second: 4, minute: none, hour: none, day: 95_000 },
            quote: FamilyLimits { second: 1, minute: none, hour: none, day: none },
            non_trading: FamilyLimits { second: 8, minute: none, hour: none, day: none },
            kept_for_exits_percent: 30,
            entries_until_percent: 80,
            trail_until_percent: 95,
            modifications: 25,
            modifications_for_trail: 18,
            chain_gap: Age::from_secs(3),
            cool_off: Age::from_secs(60),
        }
    }
}
