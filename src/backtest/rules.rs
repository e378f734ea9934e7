//! Which exit rules a replay knows, which of them were in force, and how often each was asked and answered.

use scalper_decide::domain::ExitReason;
use scalper_decide::params::RiskParams;
use scalper_decide::risk_manager::RiskManager;
use serde::Serialize;

use super::result::TradeRecord;

/// Whether a rule could end a position in this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Configured, or always there.
    InForce,
    /// Switched off by the configuration.
    Off,
    /// Not ours to judge: the exchange settles what expires.
    Exchange,
}

impl Standing {
    /// The snake-case code of JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Standing::InForce => "in_force",
            Standing::Off => "off",
            Standing::Exchange => "exchange",
        }
    }
}

/// One exit rule over the whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RuleRow {
    /// The rule, by the reason it ends a position with.
    pub rule: ExitReason,
    /// Whether it could.
    pub standing: Standing,
    /// How often it was judged.
    pub evaluations: u64,
    /// Closed round trips it ended.
    pub exits: usize,
}

impl RuleRow {
    /// In force and yet never judged: nothing it applies to was held, or it is dead (F-2).
    pub fn is_unheard(&self) -> bool {
        self.standing == Standing::InForce && self.evaluations == 0
    }
}

/// Reasons that can end a position in a replay, in report order: all but the one that needs a person.
pub fn known() -> impl Iterator<Item = ExitReason> {
    ExitReason::ALL.into_iter().filter(|reason| match reason {
        ExitReason::Operator => false,
        ExitReason::StopLoss
        | ExitReason::Target
        | ExitReason::BreakEven
        | ExitReason::TrailingStop
        | ExitReason::ProfitLock
        | ExitReason::TimeStop
        | ExitReason::SquareOff
        | ExitReason::ExpiryForceExit
        | ExitReason::DailyLossBreaker
        | ExitReason::DayProfitLock
        | ExitReason::ExpirySettlement => true,
    })
}

/// Whether a rule is in force under these settings.
fn standing(rule: ExitReason, risk: &RiskParams) -> Standing {
    let configured = match rule {
        ExitReason::ExpirySettlement => return Standing::Exchange,
        // Without a limit of its own the account has its capital band's.
        ExitReason::StopLoss
        | ExitReason::SquareOff
        | ExitReason::ExpiryForceExit
        | ExitReason::DailyLossBreaker
        | ExitReason::Operator => true,
        ExitReason::Target => risk.target.is_some(),
        ExitReason::BreakEven => risk.break_even_after.is_some(),
        ExitReason::TrailingStop => risk.trail.is_some(),
        ExitReason::ProfitLock => risk.profit_lock.is_some(),
        ExitReason::TimeStop => risk.time_stop.is_some(),
        ExitReason::DayProfitLock => risk.day_profit.is_some(),
    };
    if configured { Standing::InForce } else { Standing::Off }
}

/// The rules after a replay.
pub fn rows(risk: &RiskManager, trades: &[TradeRecord]) -> Vec<RuleRow> {
    let judged = |rule| risk.evaluations().find(|(r, _)| *r == rule).map_or(0, |(_, count)| count);
    known()
        .map(|rule| RuleRow {
            rule,
            standing: standing(rule, risk.params()),
            evaluations: judged(rule),
            exits: trades.iter().filter(|t| t.reason == rule).count(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_knows_every_reason_but_a_persons() {
        // F-3
        let known: Vec<_> = known().collect();
        assert_eq!(known.len(), ExitReason::ALL.len() - 1);
        assert!(!known.contains(&ExitReason::Operator));
    }

    #[test]
    fn a_rule_in_force_that_was_never_judged_stands_out() {
        // F-2
        let row = |standing, evaluations| RuleRow { rule: ExitReason::Target, standing, evaluations, exits: 0 };
        assert!(row(Standing::InForce, 0).is_unheard());
        assert!(!row(Standing::InForce, 1).is_unheard());
        assert!(!row(Standing::Off, 0).is_unheard() && !row(Standing::Exchange, 0).is_unheard());
    }

    #[test]
    fn a_rule_switched_off_is_off_and_one_that_cannot_be_is_in_force() {
        let preset = |name: &str| {
            let loaded = crate::config::load_with(None, std::iter::empty(), &[name.to_owned()]).expect("presets load");
            loaded.params.risk
        };
        let (production, demo) = (preset("production"), preset("demo"));
        assert_eq!(standing(ExitReason::DayProfitLock, &production), Standing::Off);
        assert_eq!(standing(ExitReason::DayProfitLock, &demo), Standing::InForce);
        assert_eq!(standing(ExitReason::StopLoss, &production), Standing::InForce);
        assert_eq!(standing(ExitReason::ExpirySettlement, &production), Standing::Exchange);
    }
}
