//! Falls of the balance from its peak.

use scalper_decide::domain::{Instant, Money};

use super::percent;

/// The deepest fall of the balance from a peak.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawdown {
    /// How far it fell, above zero.
    pub amount: Money,
    /// The fall in percent of the peak; `None` when the peak was not above zero.
    pub percent: Option<f64>,
    /// When the peak stood; `None` when it is the opening balance.
    pub start: Option<Instant>,
    /// When the balance was lowest.
    pub end: Instant,
    /// First time the balance was back at the peak or above; `None` when it never came back.
    pub recovered: Option<Instant>,
}

/// The deepest fall by amount, the earliest of equals; `None` when the balance never fell below a peak.
pub fn max_drawdown(opening: Money, equity: &[(Instant, Money)]) -> Option<Drawdown> {
    let mut peak = opening;
    let mut peak_at = None;
    let mut deepest: Option<(Drawdown, Money)> = None;
    for &(at, balance) in equity {
        if balance >= peak {
            if let Some((fall, from)) = &mut deepest
                && fall.recovered.is_none()
                && balance >= *from
            {
                fall.recovered = Some(at);
            }
            peak = balance;
            peak_at = Some(at);
        }
        let amount = peak - balance;
        if amount > deepest.as_ref().map_or(Money::ZERO, |(fall, _)| fall.amount) {
            let percent = if peak > Money::ZERO { percent(amount, peak) } else { None };
            deepest = Some((Drawdown { amount, percent, start: peak_at, end: at, recovered: None }, peak));
        }
    }
    deepest.map(|(fall, _)| fall)
}

/// How far the balance stood under its peak after each exit, zero or negative.
pub fn underwater(opening: Money, equity: &[(Instant, Money)]) -> Vec<(Instant, Money)> {
    let mut peak = opening;
    equity
        .iter()
        .map(|&(at, balance)| {
            peak = peak.max(balance);
            (at, balance - peak)
        })
        .collect()
}
