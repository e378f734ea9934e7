//! Figures about single trades: averages, streaks, excursions, slippage, break-even points.

use scalper_decide::domain::money::{Rounding, div_round};
use scalper_decide::domain::{Instant, Money, Premium, Qty};

use super::super::result::TradeRecord;
use super::groups::{held_secs, mean_secs};
use super::ratio;

/// Figures about single trades; averages are `None` when there is nothing to average.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TradeFigures {
    /// Wins in percent of trades.
    pub win_pct: Option<f64>,
    /// Sum of winning results over sum of losing results; `None` without a loss.
    pub profit_factor: Option<f64>,
    /// Mean net result of a trade, half-up to the paisa.
    pub expectancy: Option<Money>,
    /// Expectancy over the average loss: what a trade earns per rupee lost in a losing one; `None` without a loss.
    pub expectancy_ratio: Option<f64>,
    /// Mean net result of winners.
    pub average_win: Option<Money>,
    /// Mean net result of losers, negative.
    pub average_loss: Option<Money>,
    /// Average win over average loss without its sign; `None` without one of either.
    pub payoff: Option<f64>,
    /// Place of the best trade in the result's list, the first of equals.
    pub best: Option<usize>,
    /// Place of the worst trade, the first of equals.
    pub worst: Option<usize>,
    /// Mean seconds winners were held.
    pub winner_secs: Option<i64>,
    /// Mean seconds losers were held.
    pub loser_secs: Option<i64>,
    /// Mean seconds all were held.
    pub average_secs: Option<i64>,
    /// Most wins in a row, in order of exit; a draw ends a row.
    pub longest_wins: usize,
    /// Most losses in a row.
    pub longest_losses: usize,
    /// Mean worst open result.
    pub average_mae: Option<Money>,
    /// Mean best open result.
    pub average_mfe: Option<Money>,
    /// Net results summed, in percent of the best open results summed: how much of what was there was kept.
    pub exit_efficiency_pct: Option<f64>,
    /// Paid above the ask at the decision, over all units (negative: paid less).
    pub entry_slippage: Money,
    /// The same per unit, half-up.
    pub entry_slippage_per_unit: Option<Premium>,
    /// Points of premium a unit must gain to pay the charges, on average.
    pub break_even_points: Option<Premium>,
    /// Ticks of extra slippage on each side of every trade that would bring the net result to zero; negative when
    /// it is below zero already.
    pub break_even_slippage_ticks: Option<f64>,
}

fn mean_money(amounts: impl Iterator<Item = Money>) -> Option<Money> {
    let (sum, n) = amounts.fold((0_i128, 0_i128), |(sum, n), m| (sum + i128::from(m.paise()), n + 1));
    (n > 0).then(|| Money::from_paise(div_round(sum, n, Rounding::HalfUp)))
}

fn longest_run(trades: &[TradeRecord], pick: impl Fn(Money) -> bool) -> usize {
    trades
        .iter()
        .fold((0, 0), |(longest, run), t| {
            let run = if pick(t.net) { run + 1 } else { 0 };
            (longest.max(run), run)
        })
        .0
}

impl TradeFigures {
    /// Counts them; `trades` in order of exit.
    pub fn of(trades: &[TradeRecord]) -> TradeFigures {
        let won = || trades.iter().filter(|t| t.net > Money::ZERO);
        let lost = || trades.iter().filter(|t| t.net.is_negative());
        let sum = |amounts: &mut dyn Iterator<Item = Money>| amounts.sum::<Money>();

        let net = sum(&mut trades.iter().map(|t| t.net));
        let charges = sum(&mut trades.iter().map(|t| t.charges.total()));
        let units: Qty = trades.iter().map(|t| t.qty).sum();
        let per_unit = |amount: Money| (units.get() > 0).then(|| amount.per_unit(units, Rounding::HalfUp));
        let average_win = mean_money(won().map(|t| t.net));
        let average_loss = mean_money(lost().map(|t| t.net));
        let expectancy = mean_money(trades.iter().map(|t| t.net));
        let over = |a: Option<Money>, b: Option<Money>| match (a, b) {
            (Some(a), Some(b)) => ratio(a.as_rupees_f64(), b.abs().as_rupees_f64()),
            _ => None,
        };
        let entry_slippage = sum(&mut trades.iter().map(|t| (t.entry_price - t.decision_ask) * t.qty));
        let both_sides_one_tick = sum(&mut trades.iter().map(|t| t.tick * (t.qty + t.qty)));
        let mfe = sum(&mut trades.iter().map(|t| t.mfe));

        TradeFigures {
            win_pct: ratio(won().count() as f64 * 100.0, trades.len() as f64),
            profit_factor: ratio(
                sum(&mut won().map(|t| t.net)).as_rupees_f64(),
                sum(&mut lost().map(|t| t.net)).abs().as_rupees_f64(),
            ),
            expectancy,
            expectancy_ratio: over(expectancy, average_loss),
            average_win,
            average_loss,
            payoff: over(average_win, average_loss),
            best: (0..trades.len()).rev().max_by_key(|i| trades[*i].net),
            worst: (0..trades.len()).min_by_key(|i| trades[*i].net),
            winner_secs: mean_secs(won().map(held_secs)),
            loser_secs: mean_secs(lost().map(held_secs)),
            average_secs: mean_secs(trades.iter().map(held_secs)),
            longest_wins: longest_run(trades, |net| net > Money::ZERO),
            longest_losses: longest_run(trades, Money::is_negative),
            average_mae: mean_money(trades.iter().map(|t| t.mae)),
            average_mfe: mean_money(trades.iter().map(|t| t.mfe)),
            exit_efficiency_pct: if mfe > Money::ZERO { super::percent(net, mfe) } else { None },
            entry_slippage,
            entry_slippage_per_unit: per_unit(entry_slippage),
            break_even_points: per_unit(charges),
            break_even_slippage_ticks: ratio(net.as_rupees_f64(), both_sides_one_tick.as_rupees_f64()),
        }
    }
}

/// Most premium tied up at one time at entry prices, and most positions open at one time. An exit and an entry at the
/// same instant do not overlap.
pub(super) fn peak_capital(trades: &[TradeRecord]) -> (Money, usize) {
    // Sorting puts `false` (leaves) before `true` (enters) at the same instant.
    let mut moves: Vec<(Instant, bool, Money)> = Vec::with_capacity(trades.len() * 2);
    for t in trades {
        let paid = t.entry_price * t.qty;
        moves.push((t.entry_at, true, paid));
        moves.push((t.exit_at.max(t.entry_at), false, paid));
    }
    moves.sort_by_key(|(at, enters, _)| (*at, *enters));
    let (mut tied, mut open) = (Money::ZERO, 0_i64);
    let (mut peak, mut most) = (Money::ZERO, 0_i64);
    for (_, enters, paid) in moves {
        if enters {
            tied += paid;
            open += 1;
        } else {
            tied -= paid;
            open -= 1;
        }
        peak = peak.max(tied);
        most = most.max(open);
    }
    (peak, usize::try_from(most).unwrap_or(0))
}
