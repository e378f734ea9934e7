//! Ratios over daily returns on the balance.

use scalper_decide::domain::Money;
use statrs::statistics::Statistics;

use super::super::result::DayRecord;
use super::ratio;

/// Trading days a year, the factor that annualises daily figures.
pub const TRADING_DAYS_PER_YEAR: f64 = 252.0;

/// Deviations below this are rounding noise of equal returns, not risk.
const NO_DEVIATION: f64 = 1e-12;

/// Return of each day on the balance it began with; `None` when a day began with nothing or less.
pub fn daily_returns(opening: Money, days: &[DayRecord]) -> Option<Vec<f64>> {
    let mut before = opening;
    days.iter()
        .map(|day| {
            let result =
                (before > Money::ZERO).then(|| (day.closing_balance - before).as_rupees_f64() / before.as_rupees_f64());
            before = day.closing_balance;
            result
        })
        .collect()
}

/// Growth per year in percent over `days` trading days; `None` under two days or with a balance not above zero.
pub(super) fn cagr_pct(opening: Money, closing: Money, days: usize) -> Option<f64> {
    if days < 2 || opening <= Money::ZERO || closing <= Money::ZERO {
        return None;
    }
    let growth = (closing.as_rupees_f64() / opening.as_rupees_f64()).powf(TRADING_DAYS_PER_YEAR / days as f64);
    Some((growth - 1.0) * 100.0).filter(|g| g.is_finite())
}

/// Annualised Sharpe ratio with a risk-free rate of zero and the sample deviation.
pub(super) fn sharpe(returns: &[f64]) -> Option<f64> {
    annualised(returns, || returns.std_dev())
}

/// Annualised Sortino ratio against zero; the downside deviation counts every day, gains as zero.
pub(super) fn sortino(returns: &[f64]) -> Option<f64> {
    annualised(returns, || returns.iter().map(|r| r.min(0.0).powi(2)).mean().sqrt())
}

fn annualised(returns: &[f64], deviation: impl Fn() -> f64) -> Option<f64> {
    if returns.len() < 2 {
        return None;
    }
    let deviation = deviation();
    if deviation.is_nan() || deviation < NO_DEVIATION {
        return None;
    }
    ratio(returns.mean() * TRADING_DAYS_PER_YEAR.sqrt(), deviation)
}
