//! Hand-computed oracles for every figure.

use scalper_decide::domain::{Age, ExitReason, Money, Premium, Qty, Right, Strike};

use super::super::fixture::{at, empty, jan, trade, with_trades};
use super::super::result::{BacktestResult, BarRecord, DayRecord, FillModelRow, FunnelRow};
use super::*;

fn near(got: Option<f64>, want: f64) {
    let got = got.expect("defined");
    assert!((got - want).abs() < 1e-9 * want.abs().max(1.0), "{got} is not {want}");
}

fn rs(rupees: i64) -> Money {
    Money::from_rupees(rupees)
}

/// Nets +900, -600, 0, +1,900, -1,100, -100 after 100 of charges each.
fn six() -> BacktestResult {
    let exits = [110, 95, 101, 120, 90, 100];
    let trades = exits
        .into_iter()
        .zip(1_u64..)
        .map(|(exit, i)| {
            let mut t = trade(i, exit, 100);
            // One after another, each held i minutes.
            t.entry_at = at(12, 10, 0) + Age::from_mins(10 * i as i64);
            t.exit_at = t.entry_at + Age::from_mins(i as i64);
            t
        })
        .collect();
    with_trades(trades)
}

fn day(d: u32, net: i64, closing: i64) -> DayRecord {
    DayRecord {
        day: jan(d),
        trades: 1,
        gross: rs(net),
        charges: Money::ZERO,
        net: rs(net),
        closing_balance: rs(closing),
        halted: None,
    }
}

#[test]
fn a_group_counts_wins_draws_losses_and_sums_in_paise() {
    let row = Stats::of(&six()).total;
    assert_eq!((row.trades, row.wins, row.draws, row.losses), (6, 2, 1, 3));
    assert_eq!((row.gross, row.charges, row.net), (rs(1_600), rs(600), rs(1_000)));
    // Each paid 10,000: +9, -6, 0, +19, -11, -1 percent.
    near(row.average_pct, 10.0 / 6.0);
    near(row.win_pct, 100.0 / 3.0);
    // 2,800 won, 1,800 lost.
    near(row.profit_factor, 2_800.0 / 1_800.0);
    // 1..6 minutes: 21 minutes over 6 trades.
    assert_eq!(row.average_secs, Some(210));
}

#[test]
fn trade_figures_match_the_hand_count() {
    let f = Stats::of(&six()).trades;
    assert_eq!(f.expectancy, Some(Money::from_paise(16_667)), "1,000 over 6 trades, half-up");
    assert_eq!((f.average_win, f.average_loss), (Some(rs(1_400)), Some(rs(-600))));
    near(f.payoff, 1_400.0 / 600.0);
    near(f.expectancy_ratio, 166.67 / 600.0);
    assert_eq!((f.best, f.worst), (Some(3), Some(4)));
    assert_eq!((f.winner_secs, f.loser_secs), (Some(150), Some(260)), "1 and 4 minutes; 2, 5 and 6 minutes");
    assert_eq!((f.longest_wins, f.longest_losses), (1, 2), "the draw ends a row");
    assert_eq!((f.average_mae, f.average_mfe), (Some(rs(-500)), Some(rs(2_000))));
    near(f.exit_efficiency_pct, 1_000.0 / 12_000.0 * 100.0);
    assert_eq!(f.entry_slippage, rs(600), "one rupee above the ask on 600 units");
    assert_eq!(f.entry_slippage_per_unit, Some(Premium::from_rupees(1)));
    assert_eq!(f.break_even_points, Some(Premium::from_rupees(1)), "600 of charges on 600 units");
    // One tick of 0.05 on both sides of 600 units costs 60.
    near(f.break_even_slippage_ticks, 1_000.0 / 60.0);
}

#[test]
fn the_summary_matches_the_hand_count() {
    let s = Stats::of(&six()).summary;
    assert_eq!((s.opening, s.final_balance, s.net, s.gross), (rs(100_000), rs(101_000), rs(1_000), rs(1_600)));
    near(s.return_pct, 1.0);
    near(s.trades_per_day, 6.0);
    assert_eq!((s.charges, s.balance_gap), (rs(600), Money::ZERO));
    near(s.charges_pct_of_gross, 37.5);
    // 6 x 10,000 bought; sold at 110 + 95 + 101 + 120 + 90 + 100 = 616 x 100.
    assert_eq!(s.turnover, rs(121_600));
    near(s.charges_pct_of_turnover, 60_000.0 / 121_600.0);
    assert_eq!((s.peak_capital, s.max_open), (rs(10_000), 1));
    near(s.return_on_peak_capital_pct, 10.0);
    assert_eq!((s.winning_days, s.draw_days, s.losing_days), (1, 0, 0));
    assert_eq!(s.best_day, Some((jan(12), rs(1_000))));
    assert_eq!((s.cagr_pct, s.sharpe, s.sortino, s.calmar), (None, None, None, None), "one day only");
}

#[test]
fn the_deepest_drawdown_has_amount_percent_start_end_and_recovery() {
    // 100,900; 100,300; 100,300; 102,200; 101,100; 101,000.
    let fall = Stats::of(&six()).summary.drawdown.expect("the balance fell");
    assert_eq!(fall.amount, rs(1_200));
    near(fall.percent, 1_200.0 / 102_200.0 * 100.0);
    assert_eq!(fall.start, Some(at(12, 10, 44)));
    assert_eq!(fall.end, at(12, 11, 6));
    assert_eq!(fall.recovered, None);

    let equity = [(at(12, 10, 0), rs(90)), (at(12, 11, 0), rs(99)), (at(12, 12, 0), rs(100)), (at(12, 13, 0), rs(95))];
    let fall = max_drawdown(rs(100), &equity).unwrap();
    assert_eq!((fall.amount, fall.start, fall.end), (rs(10), None, at(12, 10, 0)));
    assert_eq!(fall.recovered, Some(at(12, 12, 0)), "back at the peak is recovered; the later fall is smaller");
    near(fall.percent, 10.0);
    assert_eq!(max_drawdown(rs(100), &[(at(12, 10, 0), rs(100)), (at(12, 11, 0), rs(101))]), None);
    assert_eq!(underwater(rs(100), &equity).iter().map(|(_, m)| m.paise() / 100).collect::<Vec<_>>(), [-10, -1, 0, -5]);
}

#[test]
fn daily_ratios_match_the_hand_count() {
    // Returns +1 %, -2 %, +3 % on the balance each day began with.
    let mut r = with_trades(vec![trade(1, 110, 0)]);
    r.days = vec![day(12, 1_000, 101_000), day(13, -2_020, 98_980), day(14, 2_969, 101_949)];
    let returns = daily_returns(rs(100_000), &r.days).unwrap();
    for (got, want) in returns.iter().zip([0.01, -0.02, 0.02999595878]) {
        assert!((got - want).abs() < 1e-9, "{got} {want}");
    }
    let mean: f64 = (0.01 - 0.02 + returns[2]) / 3.0;
    let variance = returns.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 2.0;
    let year = 252f64.sqrt();
    let s = Stats::of(&r).summary;
    near(s.sharpe, mean / variance.sqrt() * year);
    near(s.sortino, mean / (0.02f64 * 0.02 / 3.0).sqrt() * year);
    // One trade of +1,000: 1 % in three days.
    near(s.cagr_pct, (1.01f64.powf(84.0) - 1.0) * 100.0);
    assert_eq!(s.calmar, None, "the balance after exits never fell");
    r.equity = vec![(at(12, 10, 0), rs(99_000)), (at(12, 11, 0), rs(101_000))];
    near(Stats::of(&r).summary.calmar, (1.01f64.powf(84.0) - 1.0) * 100.0);
    assert_eq!((s.winning_days, s.losing_days), (2, 1));
    assert_eq!(s.best_day, Some((jan(14), rs(2_969))));
    assert_eq!(s.worst_day, Some((jan(13), rs(-2_020))));
    assert_eq!(s.balance_gap, rs(949), "the books end at 101,949, the round trips at 101,000");
}

#[test]
fn ratios_without_a_meaning_are_absent_not_infinite() {
    // The known fault: profit factor without losses returned the gross profit.
    let s = Stats::of(&with_trades(vec![trade(1, 110, 0), trade(2, 120, 0)]));
    assert_eq!((s.trades.profit_factor, s.trades.payoff, s.trades.expectancy_ratio), (None, None, None));
    assert_eq!((s.total.profit_factor, s.summary.drawdown, s.summary.calmar), (None, None, None));

    // Equal returns have no deviation; no losing day, no downside.
    let mut r = empty();
    r.days = vec![day(12, 1_000, 101_000), day(13, 1_010, 102_010), day(14, 1_020, 103_030)];
    r.days[2].closing_balance = Money::from_paise(10_303_010);
    let s = Stats::of(&r).summary;
    assert_eq!((s.sharpe, s.sortino), (None, None));

    // Nothing traded, nothing to divide.
    let s = Stats::of(&empty());
    assert_eq!(s.trades, TradeFigures::default());
    assert_eq!((s.total.average_pct, s.total.win_pct, s.total.average_secs), (None, None, None));
    assert_eq!(s.summary.charges_pct_of_gross, None);
    assert_eq!(s.summary.synthesised_pct, None);

    // A balance of nothing has no return.
    let mut r = with_trades(vec![trade(1, 110, 0)]);
    r.meta.opening_balance = Money::ZERO;
    let s = Stats::of(&r).summary;
    assert_eq!((s.return_pct, s.cagr_pct), (None, None));
    assert_eq!(daily_returns(Money::ZERO, &r.days), None);

    // A loss before charges leaves no profit to take a share of.
    assert_eq!(Stats::of(&with_trades(vec![trade(1, 90, 10)])).summary.charges_pct_of_gross, None);
}

#[test]
fn trades_are_grouped_by_hour_weekday_expiry_strike_side_and_reason() {
    let mut a = trade(1, 110, 0);
    a.entry_at = at(12, 9, 59);
    let mut b = trade(2, 90, 0);
    b.entry_at = at(12, 10, 0);
    (b.right, b.strike, b.expiry) = (Right::Put, Strike::from_points(25_600), jan(12));
    let mut c = trade(3, 101, 0);
    (c.day, c.entry_at, c.expiry) = (jan(13), at(13, 10, 59), jan(20));
    (c.strike, c.reason) = (Strike::from_points(25_550), ExitReason::TimeStop);
    let mut d = trade(4, 101, 0);
    (d.strike_step, d.expiry) = (None, jan(26));
    let s = Stats::of(&with_trades(vec![a, b, c, d]));
    let shape = |rows: &[GroupRow]| rows.iter().map(|r| (r.label.clone(), r.trades)).collect::<Vec<_>>();
    let want = |rows: &[(&str, usize)]| rows.iter().map(|(l, n)| ((*l).to_owned(), *n)).collect::<Vec<_>>();
    assert_eq!(shape(&s.hours), want(&[("09:00-09:59", 2), ("10:00-10:59", 2)]));
    assert_eq!(shape(&s.weekdays), want(&[("Monday", 3), ("Tuesday", 1)]));
    assert_eq!(shape(&s.expiry_distance), want(&[("expiry day", 1), ("1 day", 1), ("7 days", 1), ("8-14 days", 1)]));
    // Index 25,640: the money is 25,650. Call 25,550 is two in, put 25,600 one out.
    assert_eq!(shape(&s.strike_distance), want(&[("ITM 2", 1), ("ATM", 1), ("OTM 1", 1), ("unknown", 1)]));
    assert_eq!(shape(&s.sides), want(&[("calls bought", 3), ("puts bought", 1)]));
    assert_eq!(shape(&s.exit_reasons), want(&[("stop_loss", 1), ("target", 2), ("time_stop", 1)]));
    assert_eq!(shape(&s.per_index), want(&[("NIFTY", 4)]));
}

#[test]
fn the_money_is_the_nearest_strike_half_up() {
    let mut t = trade(1, 110, 0);
    for (index, steps) in [(25_625.0, 0), (25_624.95, 1), (25_674.99, 0), (25_675.0, -1)] {
        t.index_at_entry = index;
        assert_eq!(strike_steps(&t), Some(steps), "25,650 call at {index}");
    }
    for bad in [f64::NAN, f64::INFINITY, 0.0, -1.0] {
        t.index_at_entry = bad;
        assert_eq!(strike_steps(&t), None);
    }
}

#[test]
fn overlapping_positions_tie_up_their_premium_together() {
    let mut a = trade(1, 110, 0);
    (a.entry_at, a.exit_at) = (at(12, 10, 0), at(12, 10, 30));
    let mut b = trade(2, 110, 0);
    (b.entry_at, b.exit_at, b.qty) = (at(12, 10, 10), at(12, 10, 20), Qty::new(50));
    let mut c = trade(3, 110, 0);
    (c.entry_at, c.exit_at) = (at(12, 10, 30), at(12, 10, 40));
    let s = Stats::of(&with_trades(vec![b, a, c])).summary;
    assert_eq!((s.peak_capital, s.max_open), (rs(15_000), 2), "the third starts the instant the first is out");
}

fn model(model: &'static str, net: i64) -> FillModelRow {
    FillModelRow {
        model,
        trades: 7,
        gross: rs(net),
        charges: Money::ZERO,
        net: rs(net),
        unfilled_entries: 0,
        unresolved: 0,
        digest: String::new(),
    }
}

#[test]
fn the_optimistic_model_is_never_the_headline() {
    // N9.
    let mut r = with_trades(vec![trade(1, 110, 0)]);
    r.fill_models = vec![model("optimistic", 1_000), model("base", 800), model("stressed", 400)];
    assert_eq!(Headline::of(&r).net, Some(rs(1_000)), "the run's own model");
    near(Stats::of(&r).fill_effect.and_then(|e| e.percent_of_headline), 60.0);

    r.meta.fill_model = "optimistic".to_owned();
    let h = Headline::of(&r);
    assert_eq!((h.model.as_str(), h.net, h.trades, h.covers_tables), ("base", Some(rs(800)), 7, false));
    let effect = Stats::of(&r).fill_effect.unwrap();
    assert_eq!(effect.spread, rs(600));
    near(effect.percent_of_headline, 75.0);

    r.fill_models = vec![model("optimistic", 1_000)];
    assert_eq!(Headline::of(&r).net, None, "no other model, no headline");
    assert_eq!(Stats::of(&r).fill_effect, None);
}

#[test]
fn the_funnel_splits_no_signal_from_refused_signals() {
    let mut r = empty();
    let row = |stage, count| FunnelRow { stage, code: "X", count };
    r.funnel = vec![
        row("signal_engine", 40),
        row("signal_engine", 2),
        row("entry_guard", 3),
        row("risk_manager", 4),
        row("tick_cache", 9),
    ];
    let s = Stats::of(&r).summary;
    assert_eq!((s.no_signal, s.rejected_signals), (42, 7));
}

#[test]
fn unresolved_positions_stand_beside_the_headline_and_unknown_stays_unknown() {
    let mut r = super::super::fixture::realistic(1);
    let s = Stats::of(&r).summary;
    assert_eq!((s.unresolved, s.unresolved_worst), (1, Money::from_paise(-902_000)));
    assert_eq!(s.unresolved_at_last, Some(Money::from_paise(-49_500)));
    assert_eq!(s.net, r.trades.iter().map(|t| t.net).sum());
    let mut unseen = r.unresolved[0].clone();
    unseen.at_last_price = None;
    r.unresolved.push(unseen);
    assert_eq!(Stats::of(&r).summary.unresolved_at_last, None);
}

#[test]
fn an_index_change_leaves_warm_up_bars_out_and_ends_at_the_last_close() {
    let mut r = empty();
    let bar = |start, timeframe, open, close| BarRecord {
        start,
        underlying: Underlying::Nifty,
        timeframe,
        open,
        high: close,
        low: open,
        close,
        atr: None,
        supertrend: None,
        direction: None,
        plus_di: None,
        minus_di: None,
        adx: None,
    };
    r.bars = vec![
        bar(at(9, 9, 15), "1m", 1.0, 2.0),
        bar(at(12, 9, 15), "5m", 200.0, 206.0),
        bar(at(12, 15, 25), "5m", 208.0, 210.0),
        bar(at(12, 15, 27), "1m", 209.0, 209.5),
    ];
    let changes = Stats::of(&r).summary.index_changes;
    assert_eq!(changes, [IndexChange { underlying: Underlying::Nifty, first: 200.0, last: 210.0, percent: Some(5.0) }]);
}

#[test]
fn months_appear_above_forty_days() {
    let mut r = empty();
    r.days = (0..41).map(|i| DayRecord { day: jan(1) + chrono::Days::new(i), ..day(1, 10, 100_000) }).collect();
    let s = Stats::of(&r);
    let shape: Vec<_> = s.months.iter().map(|m| (m.month.as_str(), m.days, m.net)).collect();
    assert_eq!(shape, [("2026-01", 31, rs(310)), ("2026-02", 10, rs(100))]);
    r.days.pop();
    assert!(Stats::of(&r).months.is_empty());
}

#[test]
fn a_day_row_counts_its_own_trades() {
    let s = Stats::of(&six());
    let d = &s.days[0];
    assert_eq!((d.trades, d.wins, d.draws, d.losses, d.net), (6, 2, 1, 3, rs(1_000)));
}
