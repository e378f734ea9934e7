//! Why a position was closed: one closed list, so no exit is ever "unknown" (F-3, F-12).

use std::fmt;

use serde::{Deserialize, Serialize};

/// The reason of an exit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitReason {
    /// The initial stop.
    StopLoss,
    /// The profit target.
    Target,
    /// The stop after it was raised to entry.
    BreakEven,
    /// The stop after it followed the high-water mark.
    TrailingStop,
    /// The rupee profit lock: profit fell under its share of the peak.
    ProfitLock,
    /// Held longer than allowed.
    TimeStop,
    /// End-of-day square-off.
    SquareOff,
    /// A contract that expires today, at its earlier forced exit.
    ExpiryForceExit,
    /// The daily-loss breaker tripped (account or index).
    DailyLossBreaker,
    /// The day's profit target was reached, or its lock was breached.
    DayProfitLock,
    /// Settled by the exchange at expiry.
    ExpirySettlement,
    /// A person asked for it.
    Operator,
}

impl ExitReason {
    /// All reasons, in report order.
    pub const ALL: [ExitReason; 12] = [
        ExitReason::StopLoss,
        ExitReason::Target,
        ExitReason::BreakEven,
        ExitReason::TrailingStop,
        ExitReason::ProfitLock,
        ExitReason::TimeStop,
        ExitReason::SquareOff,
        ExitReason::ExpiryForceExit,
        ExitReason::DailyLossBreaker,
        ExitReason::DayProfitLock,
        ExitReason::ExpirySettlement,
        ExitReason::Operator,
    ];

    /// The snake-case code of reports and exports.
    pub const fn code(self) -> &'static str {
        match self {
            ExitReason::StopLoss => "stop_loss",
            ExitReason::Target => "target",
            ExitReason::BreakEven => "break_even",
            ExitReason::TrailingStop => "trailing_stop",
            ExitReason::ProfitLock => "profit_lock",
            ExitReason::TimeStop => "time_stop",
            ExitReason::SquareOff => "square_off",
            ExitReason::ExpiryForceExit => "expiry_force_exit",
            ExitReason::DailyLossBreaker => "daily_loss_breaker",
            ExitReason::DayProfitLock => "day_profit_lock",
            ExitReason::ExpirySettlement => "expiry_settlement",
            ExitReason::Operator => "operator",
        }
    }
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}
