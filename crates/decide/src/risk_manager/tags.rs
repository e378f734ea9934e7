//! Names of entries and exits as reports and operators know them (S3-56): the rule and its configured figure.

use super::{EntryPlan, RiskManager};
use crate::domain::{Bps, ExitReason, Money, OptionContract, TimeOfDay};
use crate::params::StopDistance;

/// `entry_<index>_<right>_<strike>`.
pub fn entry_tag(contract: &OptionContract) -> String {
    format!("entry_{}_{}_{}", contract.underlying, contract.right, contract.strike)
}

/// `adopted_<index>_<right>_<strike>`.
pub fn adopted_tag(contract: &OptionContract) -> String {
    format!("adopted_{}_{}_{}", contract.underlying, contract.right, contract.strike)
}

/// A share as `30pct` or `2.5pct`.
fn pct(share: Bps) -> String {
    let (whole, rest) = (share.get() / 100, share.get() % 100);
    match rest {
        0 => format!("{whole}pct"),
        _ => format!("{}pct", format!("{whole}.{rest:02}").trim_end_matches('0')),
    }
}

fn rupees(amount: Money) -> String {
    format!("{}rs", amount.paise() / 100)
}

fn clock(time: TimeOfDay) -> String {
    format!("{:02}{:02}", time.hour(), time.secs() / 60 % 60)
}

impl RiskManager {
    /// The tag of an exit: its rule with the figure in force, never a constant.
    pub fn exit_tag(&self, reason: ExitReason, plan: &EntryPlan) -> String {
        let with = |name: &str, figure: Option<String>| match figure {
            Some(figure) => format!("{name}_{figure}"),
            None => name.to_owned(),
        };
        let params = &self.params;
        let cutoff = |of: fn(&crate::domain::Cutoffs) -> TimeOfDay| self.hours.as_ref().map(|h| clock(of(&h.cutoffs)));
        match reason {
            ExitReason::StopLoss => {
                let distance = match (params.stop, plan.tightened_stop) {
                    (StopDistance::Percent { pct: normal }, tight) => pct(tight.map_or(normal, |t| t.min(normal))),
                    (StopDistance::Rupees { .. }, Some(tight)) => pct(tight),
                    (StopDistance::Rupees { premium }, None) => rupees(Money::from_paise(premium.paise())),
                };
                with("stop_loss", Some(distance))
            }
            ExitReason::Target => with("take_profit", params.target.map(pct)),
            ExitReason::BreakEven => with("break_even", params.break_even_after.map(pct)),
            ExitReason::TrailingStop => with("trailing_stop", params.trail.map(|t| pct(t.drop))),
            ExitReason::ProfitLock => with("profit_lock", params.profit_lock.map(|l| rupees(l.min_profit))),
            ExitReason::TimeStop => with("time_stop", params.time_stop.map(|t| format!("{}min", t.secs() / 60))),
            ExitReason::SquareOff => with("time_exit", cutoff(|c| c.square_off_start)),
            ExitReason::ExpiryForceExit => with("expiry_exit", cutoff(|c| c.expiry_force_exit)),
            ExitReason::DailyLossBreaker => {
                let of_index = params.index_day_loss.get(&plan.signal.underlying).copied();
                let of_account = params.day_loss.or(self.band_day_loss);
                let loss = if self.day.is_account_tripped() { of_account } else { of_index.or(of_account) };
                with("circuit_breaker", loss.map(pct))
            }
            ExitReason::DayProfitLock => with("day_profit_lock", params.day_profit.map(|d| rupees(d.target))),
            ExitReason::ExpirySettlement | ExitReason::Operator => reason.code().to_owned(),
        }
    }
}
