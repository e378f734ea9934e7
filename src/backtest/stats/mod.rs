//! Figures of a replay, all of them pure functions of the [`BacktestResult`].
//!
//! Conventions, printed with the figures:
//! - Headline figures count closed round trips only; unresolved positions stand beside them.
//! - A win has a net result above zero, a loss below zero, a draw exactly zero.
//! - Money is summed in paise; a ratio is `None` when its divisor is zero, when there are too few days, or when it is
//!   not finite. It is never replaced by another number (F-8; "profit factor without losses" is undefined).
//! - Sharpe, Sortino, CAGR and Calmar use daily returns on the balance and 252 trading days a year, risk-free rate 0.

mod drawdown;
mod groups;
mod headline;
mod moneyness;
mod ratios;
mod trades;

use chrono::NaiveDate;
use scalper_decide::domain::{ChargeHeads, Instant, Money, Underlying};

pub use drawdown::{Drawdown, max_drawdown, underwater};
pub use groups::{DayRow, GroupRow, MonthRow};
pub use headline::{FillModelEffect, Headline};
pub use moneyness::{expiry_label, strike_steps};
pub use ratios::{TRADING_DAYS_PER_YEAR, daily_returns};
pub use trades::TradeFigures;

use super::result::BacktestResult;

/// Days above which the day table is followed by a month table.
pub const MONTH_TABLE_FROM_DAYS: usize = 40;

/// `numerator / denominator`, `None` when the denominator is zero or the quotient is not finite.
pub(crate) fn ratio(numerator: f64, denominator: f64) -> Option<f64> {
    (denominator != 0.0).then(|| numerator / denominator).filter(|q| q.is_finite())
}

/// `part` in percent of `whole`, `None` when `whole` is zero.
pub(crate) fn percent(part: Money, whole: Money) -> Option<f64> {
    ratio(part.as_rupees_f64() * 100.0, whole.as_rupees_f64())
}

/// `part` in percent of `whole` counts, `None` when `whole` is zero.
pub(crate) fn percent_of(part: u64, whole: u64) -> Option<f64> {
    ratio(part as f64 * 100.0, whole as f64)
}

/// Movement of an index from the first open to the last close inside the replayed days.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexChange {
    /// The index.
    pub underlying: Underlying,
    /// First open, points.
    pub first: f64,
    /// Last close, points.
    pub last: f64,
    /// Change in percent.
    pub percent: Option<f64>,
}

/// Figures over the whole period.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Trades per replayed day.
    pub trades_per_day: Option<f64>,
    /// Balance at the start.
    pub opening: Money,
    /// Opening balance plus the net result of every closed round trip.
    pub final_balance: Money,
    /// What the books' last balance differs by from `final_balance`: money in or lost to unresolved positions.
    pub balance_gap: Money,
    /// Result after charges.
    pub net: Money,
    /// Result before charges.
    pub gross: Money,
    /// Net result in percent of the opening balance.
    pub return_pct: Option<f64>,
    /// Growth per year in percent: `(final / opening)^(252 / days) - 1`; `None` under two days.
    pub cagr_pct: Option<f64>,
    /// `mean / sample deviation * sqrt(252)` of daily returns; `None` under two days or without deviation.
    pub sharpe: Option<f64>,
    /// `mean / sqrt(mean(min(r, 0)^2)) * sqrt(252)`; `None` under two days or without a losing day.
    pub sortino: Option<f64>,
    /// CAGR divided by the maximum drawdown, both in percent; `None` without a drawdown.
    pub calmar: Option<f64>,
    /// Deepest fall of the balance from a peak; `None` when it never fell.
    pub drawdown: Option<Drawdown>,
    /// Most premium tied up at one time, at entry prices.
    pub peak_capital: Money,
    /// Net result in percent of `peak_capital`.
    pub return_on_peak_capital_pct: Option<f64>,
    /// Most positions open at one time.
    pub max_open: usize,
    /// Best day by net result.
    pub best_day: Option<(NaiveDate, Money)>,
    /// Worst day by net result.
    pub worst_day: Option<(NaiveDate, Money)>,
    /// Days with a net result above zero.
    pub winning_days: usize,
    /// Days with a net result of exactly zero, days without a trade included.
    pub draw_days: usize,
    /// Days with a net result below zero.
    pub losing_days: usize,
    /// Charges of the closed round trips by head.
    pub charge_heads: ChargeHeads,
    /// Charges of the closed round trips.
    pub charges: Money,
    /// Those charges in percent of the gross profit; `None` when gross is zero or negative.
    pub charges_pct_of_gross: Option<f64>,
    /// Those charges in percent of the premium turnover.
    pub charges_pct_of_turnover: Option<f64>,
    /// Premium bought and sold by the closed round trips, at average prices.
    pub turnover: Money,
    /// Evaluations that the signal engine answered with "no signal".
    pub no_signal: u64,
    /// Signals that a later stage refused.
    pub rejected_signals: u64,
    /// Entries placed that never filled.
    pub unfilled_entries: usize,
    /// Positions without a resolvable exit.
    pub unresolved: usize,
    /// Their result if the units were worth nothing.
    pub unresolved_worst: Money,
    /// Their result at the last price seen; `None` when one of them never had a price.
    pub unresolved_at_last: Option<Money>,
    /// Ticks that are points of bars, in percent of all.
    pub synthesised_pct: Option<f64>,
    /// Round trips with at least one fill on a point of a bar.
    pub trades_on_synthesised: usize,
    /// What each index did meanwhile.
    pub index_changes: Vec<IndexChange>,
}

/// Everything that is counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Stats {
    /// Which fill model speaks for the run.
    pub headline: Headline,
    /// How much of the result depends on the fill model.
    pub fill_effect: Option<FillModelEffect>,
    /// The whole period.
    pub summary: Summary,
    /// Figures of single trades.
    pub trades: TradeFigures,
    /// All trades in one row.
    pub total: GroupRow,
    /// Per index.
    pub per_index: Vec<GroupRow>,
    /// Per exit reason, in the order of [`scalper_decide::domain::ExitReason::ALL`].
    pub exit_reasons: Vec<GroupRow>,
    /// Calls and puts bought.
    pub sides: Vec<GroupRow>,
    /// Per day of the run.
    pub days: Vec<DayRow>,
    /// Per month, only above [`MONTH_TABLE_FROM_DAYS`] days.
    pub months: Vec<MonthRow>,
    /// Per IST hour of entry.
    pub hours: Vec<GroupRow>,
    /// Per weekday.
    pub weekdays: Vec<GroupRow>,
    /// Per calendar days to expiry.
    pub expiry_distance: Vec<GroupRow>,
    /// Per strike distance from the index at the entry decision.
    pub strike_distance: Vec<GroupRow>,
}

impl Stats {
    /// Counts everything.
    pub fn of(result: &BacktestResult) -> Stats {
        let trades = &result.trades;
        let days = groups::days(result);
        let months = if days.len() > MONTH_TABLE_FROM_DAYS { groups::months(&days) } else { Vec::new() };
        Stats {
            headline: Headline::of(result),
            fill_effect: FillModelEffect::of(result),
            summary: summary(result),
            trades: TradeFigures::of(trades),
            total: GroupRow::of("TOTAL", trades.iter()),
            per_index: groups::per_index(trades),
            exit_reasons: groups::exit_reasons(trades),
            sides: groups::sides(trades),
            days,
            months,
            hours: groups::hours(trades),
            weekdays: groups::weekdays(trades),
            expiry_distance: groups::expiry_distance(trades),
            strike_distance: groups::strike_distance(trades),
        }
    }
}

fn summary(result: &BacktestResult) -> Summary {
    let trades = &result.trades;
    let opening = result.meta.opening_balance;
    let net: Money = trades.iter().map(|t| t.net).sum();
    let gross: Money = trades.iter().map(|t| t.gross).sum();
    let charge_heads: ChargeHeads = trades.iter().map(|t| t.charges).sum();
    let charges = charge_heads.total();
    let turnover: Money = trades.iter().map(|t| t.entry_price * t.qty + t.exit_price * t.qty).sum();
    let final_balance = opening + net;
    let books = result.days.last().map_or(final_balance, |d| d.closing_balance);

    let returns = daily_returns(opening, &result.days);
    let returns = returns.as_deref().unwrap_or(&[]);
    let cagr_pct = ratios::cagr_pct(opening, final_balance, returns.len());
    let drawdown = max_drawdown(opening, &result.equity);
    let calmar = match (cagr_pct, drawdown.as_ref().and_then(|d| d.percent)) {
        (Some(growth), Some(fall)) => ratio(growth, fall),
        _ => None,
    };
    let (peak_capital, max_open) = trades::peak_capital(trades);
    let day_of = |d: &super::result::DayRecord| (d.day, d.net);
    let (no_signal, rejected_signals) = result.funnel.iter().fold((0, 0), |(none, rejected), row| match row.stage {
        "signal_engine" => (none + row.count, rejected),
        // A refused tick is not a refused signal.
        "tick_cache" => (none, rejected),
        _ => (none, rejected + row.count),
    });
    let count_days = |pick: fn(Money) -> bool| result.days.iter().filter(|d| pick(d.net)).count();

    Summary {
        trades_per_day: ratio(trades.len() as f64, result.meta.days as f64),
        opening,
        final_balance,
        balance_gap: books - final_balance,
        net,
        gross,
        return_pct: percent(net, opening),
        cagr_pct,
        sharpe: ratios::sharpe(returns),
        sortino: ratios::sortino(returns),
        calmar,
        drawdown,
        peak_capital,
        return_on_peak_capital_pct: percent(net, peak_capital),
        max_open,
        best_day: result.days.iter().rev().max_by_key(|d| d.net).map(day_of),
        worst_day: result.days.iter().min_by_key(|d| d.net).map(day_of),
        winning_days: count_days(|n| n > Money::ZERO),
        draw_days: count_days(|n| n == Money::ZERO),
        losing_days: count_days(Money::is_negative),
        charge_heads,
        charges,
        charges_pct_of_gross: if gross > Money::ZERO { percent(charges, gross) } else { None },
        charges_pct_of_turnover: percent(charges, turnover),
        turnover,
        no_signal,
        rejected_signals,
        unfilled_entries: result.unfilled_entries,
        unresolved: result.unresolved.len(),
        unresolved_worst: result.unresolved.iter().map(|u| u.worst_case).sum(),
        unresolved_at_last: result
            .unresolved
            .iter()
            .map(|u| u.at_last_price)
            .try_fold(Money::ZERO, |sum, at_last| at_last.map(|m| sum + m)),
        synthesised_pct: percent_of(result.data.synthesised, result.data.ticks),
        trades_on_synthesised: trades.iter().filter(|t| t.on_synthesised).count(),
        index_changes: index_changes(result),
    }
}

/// Change of each index over the replayed days (warm-up bars excluded), from the bars that start first and end last.
fn index_changes(result: &BacktestResult) -> Vec<IndexChange> {
    let inside = |at: Instant| (result.meta.first_day..=result.meta.last_day).contains(&at.ist_date());
    Underlying::ALL
        .into_iter()
        .filter_map(|underlying| {
            let bars = || {
                result.bars.iter().filter(move |b| {
                    b.underlying == underlying && inside(b.start) && is_level(b.open) && is_level(b.close)
                })
            };
            let end = |b: &super::result::BarRecord| b.start.nanos() + minutes_of(b.timeframe) * 60_000_000_000;
            let first = bars().min_by_key(|b| b.start)?.open;
            let last = bars().max_by_key(|b| end(b))?.close;
            Some(IndexChange { underlying, first, last, percent: ratio((last - first) * 100.0, first) })
        })
        .collect()
}

/// Whether a number can be the level of an index.
pub fn is_level(value: f64) -> bool {
    value.is_finite() && value > 0.0 && value < 1e9
}

/// Minutes of a timeframe code such as `5m`; 0 for anything else.
pub fn minutes_of(timeframe: &str) -> i64 {
    timeframe.strip_suffix('m').and_then(|m| m.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
