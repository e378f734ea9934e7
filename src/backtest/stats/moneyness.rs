//! How far a contract is from expiry and from the index.

use scalper_decide::domain::Right;
use scalper_decide::domain::money::{Rounding, div_round};

use super::super::result::TradeRecord;
use super::is_level;

/// Strikes out of the money (positive), in the money (negative) or at the money (0) when the entry was decided.
/// The money is the strike nearest to the index, half up. `None` without a strike step or an index level.
pub fn strike_steps(trade: &TradeRecord) -> Option<i64> {
    let step = trade.strike_step.map(|s| s.paise()).filter(|s| *s > 0)?;
    let index = trade.index_at_entry;
    // The bound of a level keeps the conversion to paise exact.
    if !is_level(index) {
        return None;
    }
    let index_paise = (index * 100.0).round() as i64;
    let money = div_round(i128::from(index_paise), i128::from(step), Rounding::HalfUp);
    let strike = div_round(i128::from(trade.strike.paise()), i128::from(step), Rounding::HalfUp);
    Some(match trade.right {
        Right::Call => strike - money,
        Right::Put => money - strike,
    })
}

/// Order and label of a strike distance: deepest in the money first, unknown last.
pub(super) fn strike_bucket(trade: &TradeRecord) -> (i64, String) {
    match strike_steps(trade) {
        None => (i64::MAX, "unknown".to_owned()),
        Some(0) => (0, "ATM".to_owned()),
        Some(n @ 1..=5) => (n, format!("OTM {n}")),
        Some(n @ -5..=-1) => (n, format!("ITM {}", -n)),
        Some(n) if n > 0 => (6, "OTM 6+".to_owned()),
        Some(_) => (-6, "ITM 6+".to_owned()),
    }
}

/// Order and label of a number of calendar days to expiry.
pub fn expiry_label(days: i64) -> (i64, String) {
    match days {
        i64::MIN..0 => (-1, "after expiry".to_owned()),
        0 => (0, "expiry day".to_owned()),
        1 => (1, "1 day".to_owned()),
        2..=7 => (days, format!("{days} days")),
        8..=14 => (8, "8-14 days".to_owned()),
        15..=31 => (15, "15-31 days".to_owned()),
        _ => (32, "over 31 days".to_owned()),
    }
}
