//! One row per group of trades: index, reason, side, day, month, hour, weekday, expiry and strike distance.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate};
use scalper_decide::domain::{ExitReason, Money, Right, Underlying};

use super::super::result::{BacktestResult, TradeRecord};
use super::moneyness::{expiry_label, strike_bucket};
use super::{percent, percent_of, ratio};
use crate::report::format::month;

/// Figures of a group of closed round trips.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupRow {
    /// What the trades have in common.
    pub label: String,
    /// Round trips.
    pub trades: usize,
    /// With a net result above zero.
    pub wins: usize,
    /// With a net result of zero.
    pub draws: usize,
    /// With a net result below zero.
    pub losses: usize,
    /// Result before charges.
    pub gross: Money,
    /// Charges.
    pub charges: Money,
    /// Result after charges.
    pub net: Money,
    /// Mean of each trade's net result in percent of the premium it paid.
    pub average_pct: Option<f64>,
    /// Mean time from first entry fill to last exit fill, seconds.
    pub average_secs: Option<i64>,
    /// Wins in percent of trades.
    pub win_pct: Option<f64>,
    /// Sum of winning results over sum of losing results; `None` without a loss.
    pub profit_factor: Option<f64>,
}

/// Seconds a trade was held; zero when the clock ran backwards.
pub(crate) fn held_secs(trade: &TradeRecord) -> i64 {
    trade.exit_at.age_of(trade.entry_at).secs()
}

/// Net result in percent of the premium paid; `None` when nothing was paid.
pub(crate) fn trade_pct(trade: &TradeRecord) -> Option<f64> {
    percent(trade.net, trade.entry_price * trade.qty)
}

/// Whole-number mean, rounded down; `None` of nothing.
pub(super) fn mean_secs(values: impl Iterator<Item = i64>) -> Option<i64> {
    let (sum, n) = values.fold((0_i128, 0_i128), |(sum, n), v| (sum + i128::from(v), n + 1));
    (n > 0).then(|| i64::try_from(sum.div_euclid(n)).unwrap_or(i64::MAX))
}

/// Mean of the defined values, `None` when none is.
pub(super) fn mean_of(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let (sum, n) = values.flatten().fold((0.0, 0.0), |(sum, n), v| (sum + v, n + 1.0));
    ratio(sum, n)
}

impl GroupRow {
    /// Counts the trades of one group.
    pub fn of<'a>(label: impl Into<String>, trades: impl Iterator<Item = &'a TradeRecord> + Clone) -> GroupRow {
        let count = |pick: fn(Money) -> bool| trades.clone().filter(|t| pick(t.net)).count();
        let n = trades.clone().count();
        let wins = count(|net| net > Money::ZERO);
        let losses = count(Money::is_negative);
        let won: Money = trades.clone().map(|t| t.net).filter(|net| !net.is_negative()).sum();
        let lost: Money = trades.clone().map(|t| t.net).filter(|net| net.is_negative()).sum();
        GroupRow {
            label: label.into(),
            trades: n,
            wins,
            draws: n - wins - losses,
            losses,
            gross: trades.clone().map(|t| t.gross).sum(),
            charges: trades.clone().map(|t| t.charges.total()).sum(),
            net: won + lost,
            average_pct: mean_of(trades.clone().map(trade_pct)),
            average_secs: mean_secs(trades.map(held_secs)),
            win_pct: percent_of(wins as u64, n as u64),
            profit_factor: ratio(won.as_rupees_f64(), lost.abs().as_rupees_f64()),
        }
    }
}

/// One row per key, in key order.
fn by<K: Ord>(trades: &[TradeRecord], key: impl Fn(&TradeRecord) -> (K, String)) -> Vec<GroupRow> {
    let mut groups: BTreeMap<K, (String, Vec<&TradeRecord>)> = BTreeMap::new();
    for trade in trades {
        let (order, label) = key(trade);
        groups.entry(order).or_insert_with(|| (label, Vec::new())).1.push(trade);
    }
    groups.into_values().map(|(label, members)| GroupRow::of(label, members.iter().copied())).collect()
}

pub(super) fn per_index(trades: &[TradeRecord]) -> Vec<GroupRow> {
    by(trades, |t: &TradeRecord| (t.underlying, Underlying::symbol(t.underlying).to_owned()))
}

pub(super) fn exit_reasons(trades: &[TradeRecord]) -> Vec<GroupRow> {
    let place = |reason| ExitReason::ALL.iter().position(|r| *r == reason);
    by(trades, |t| (place(t.reason), t.reason.code().to_owned()))
}

pub(super) fn sides(trades: &[TradeRecord]) -> Vec<GroupRow> {
    by(trades, |t| match t.right {
        Right::Call => (0, "calls bought".to_owned()),
        Right::Put => (1, "puts bought".to_owned()),
    })
}

pub(super) fn hours(trades: &[TradeRecord]) -> Vec<GroupRow> {
    by(trades, |t| {
        let hour = t.entry_at.ist_time().hour();
        (hour, format!("{hour:02}:00-{hour:02}:59"))
    })
}

pub(super) fn weekdays(trades: &[TradeRecord]) -> Vec<GroupRow> {
    by(trades, |t| (t.day.weekday().num_days_from_monday(), t.day.format("%A").to_string()))
}

pub(super) fn expiry_distance(trades: &[TradeRecord]) -> Vec<GroupRow> {
    by(trades, |t| expiry_label((t.expiry - t.day).num_days()))
}

pub(super) fn strike_distance(trades: &[TradeRecord]) -> Vec<GroupRow> {
    by(trades, strike_bucket)
}

/// Figures of one day of the run, days without a trade included.
#[derive(Debug, Clone, PartialEq)]
pub struct DayRow {
    /// The day.
    pub day: NaiveDate,
    /// Round trips with a net result above zero.
    pub wins: usize,
    /// With a net result of zero.
    pub draws: usize,
    /// With a net result below zero.
    pub losses: usize,
    /// Round trips closed.
    pub trades: usize,
    /// Result before charges.
    pub gross: Money,
    /// Charges.
    pub charges: Money,
    /// Result after charges.
    pub net: Money,
    /// Balance at the end of the day.
    pub closing_balance: Money,
    /// Why entries stopped early, if they did.
    pub halted: Option<String>,
}

pub(super) fn days(result: &BacktestResult) -> Vec<DayRow> {
    result
        .days
        .iter()
        .map(|d| {
            let count =
                |pick: fn(Money) -> bool| result.trades.iter().filter(|t| t.day == d.day && pick(t.net)).count();
            DayRow {
                day: d.day,
                wins: count(|net| net > Money::ZERO),
                draws: count(|net| net == Money::ZERO),
                losses: count(Money::is_negative),
                trades: d.trades,
                gross: d.gross,
                charges: d.charges,
                net: d.net,
                closing_balance: d.closing_balance,
                halted: d.halted.clone(),
            }
        })
        .collect()
}

/// Figures of one calendar month.
#[derive(Debug, Clone, PartialEq)]
pub struct MonthRow {
    /// `YYYY-MM`.
    pub month: String,
    /// Trading days of the run inside it.
    pub days: usize,
    /// Round trips closed.
    pub trades: usize,
    /// Result before charges.
    pub gross: Money,
    /// Charges.
    pub charges: Money,
    /// Result after charges.
    pub net: Money,
    /// Balance at the end of its last day.
    pub closing_balance: Money,
}

pub(super) fn months(days: &[DayRow]) -> Vec<MonthRow> {
    let mut months: BTreeMap<String, MonthRow> = BTreeMap::new();
    for day in days {
        let key = month(day.day);
        let row = months.entry(key.clone()).or_insert_with(|| MonthRow {
            month: key,
            days: 0,
            trades: 0,
            gross: Money::ZERO,
            charges: Money::ZERO,
            net: Money::ZERO,
            closing_balance: Money::ZERO,
        });
        row.days += 1;
        row.trades += day.trades;
        row.gross += day.gross;
        row.charges += day.charges;
        row.net += day.net;
        row.closing_balance = day.closing_balance;
    }
    months.into_values().collect()
}
