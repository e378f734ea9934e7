//! Lists of named figures that the terminal and the page share, so both say the same.

use scalper_decide::domain::Money;

use super::format::{
    NOT_AVAILABLE, count, day, duration_or_na, ist_time, number, pct, plural, premium, ratio, rupees, signed,
    signed_or_na,
};
use crate::backtest::result::{BacktestResult, DataQuality};
use crate::backtest::stats::Stats;

/// How the ratios are computed, printed under them.
pub const CONVENTIONS: &str = "Sharpe, Sortino, CAGR and Calmar: daily returns on the balance, 252 trading days a year, \
risk-free rate 0; n/a under two days or without anything to divide by. Profit factor: net wins over net losses, n/a \
without a loss.";

/// What the order of the fill models means for the results.
pub const FILL_MODELS: &str = "The models are ordered by what happens to one order: each fills it later, dearer or in \
smaller parts than the one before. Results over many orders usually follow, but need not: a later or missed fill \
changes which trades come after it. None of them bounds what a real account would have made.";

/// First characters of a hash.
pub fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

/// A titled list of named figures.
pub type Section = (&'static str, Vec<(String, String)>);

/// The summary in sections.
pub fn summary(result: &BacktestResult, stats: &Stats) -> Vec<Section> {
    vec![
        ("result", outcome(result, stats)),
        ("risk", risk(stats)),
        ("trades", trades(result, stats)),
        ("execution", execution(result, stats)),
        ("signals", signals(stats)),
    ]
}

fn row(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

fn outcome(result: &BacktestResult, stats: &Stats) -> Vec<(String, String)> {
    let s = &stats.summary;
    let meta = &result.meta;
    let mut rows = vec![
        row("Period", format!("{} .. {}", day(meta.first_day), day(meta.last_day))),
        row("Trading days", meta.days.to_string()),
        row("Trades (per day)", format!("{} ({})", result.trades.len(), ratio(s.trades_per_day))),
        row("Start balance", rupees(s.opening)),
        row("Final balance", rupees(s.final_balance)),
        row("Net profit", format!("{} ({})", signed(s.net), pct(s.return_pct))),
        row("Gross profit", signed(s.gross)),
        row("Charges", rupees(s.charges)),
        row("Charges of gross profit", pct(s.charges_pct_of_gross)),
        row("Charges of turnover", format!("{} of {}", pct(s.charges_pct_of_turnover), rupees(s.turnover))),
        row("CAGR", pct(s.cagr_pct)),
    ];
    if s.balance_gap != Money::ZERO {
        rows.push(row("Books differ by (unresolved positions)", signed(s.balance_gap)));
    }
    rows.extend(s.index_changes.iter().map(|c| {
        row(
            &format!("{} over the period", c.underlying),
            format!("{} ({} to {})", pct(c.percent), number(c.first, 2), number(c.last, 2)),
        )
    }));
    rows
}

fn risk(stats: &Stats) -> Vec<(String, String)> {
    let s = &stats.summary;
    let best_worst = |d: Option<(chrono::NaiveDate, Money)>| {
        d.map_or_else(|| NOT_AVAILABLE.to_owned(), |(on, net)| format!("{} ({})", signed(net), day(on)))
    };
    let mut rows = vec![
        row("Sharpe", ratio(s.sharpe)),
        row("Sortino", ratio(s.sortino)),
        row("Calmar", ratio(s.calmar)),
        row("Best day", best_worst(s.best_day)),
        row("Worst day", best_worst(s.worst_day)),
        row("Days win/draw/lose", format!("{}/{}/{}", s.winning_days, s.draw_days, s.losing_days)),
    ];
    match &s.drawdown {
        None => rows.push(row("Max drawdown", "none: the balance never fell below a peak")),
        Some(fall) => rows.extend([
            row("Max drawdown", format!("{} ({} of the peak)", rupees(fall.amount), pct(fall.percent))),
            row("Drawdown start", fall.start.map_or_else(|| "start of the run".to_owned(), ist_time)),
            row("Drawdown end", ist_time(fall.end)),
            row("Drawdown recovered", fall.recovered.map_or_else(|| "not inside the period".to_owned(), ist_time)),
        ]),
    }
    rows.extend([
        row("Most premium tied up", rupees(s.peak_capital)),
        row("Net on that premium", pct(s.return_on_peak_capital_pct)),
        row("Most positions at once", s.max_open.to_string()),
    ]);
    rows
}

fn trades(result: &BacktestResult, stats: &Stats) -> Vec<(String, String)> {
    let t = &stats.trades;
    let one = |place: Option<usize>| {
        place.and_then(|i| result.trades.get(i)).map_or_else(
            || NOT_AVAILABLE.to_owned(),
            |x| format!("{} ({}, {})", signed(x.net), x.symbol, ist_time(x.entry_at)),
        )
    };
    let mut rows = vec![
        row("Win rate", pct(t.win_pct)),
        row("Profit factor", ratio(t.profit_factor)),
        row("Expectancy per trade (ratio)", format!("{} ({})", signed_or_na(t.expectancy), ratio(t.expectancy_ratio))),
        row("Average win", signed_or_na(t.average_win)),
        row("Average loss", signed_or_na(t.average_loss)),
        row("Payoff (win to loss)", ratio(t.payoff)),
        row("Best trade", one(t.best)),
        row("Worst trade", one(t.worst)),
        row("Average held", duration_or_na(t.average_secs)),
        row("Winners held", duration_or_na(t.winner_secs)),
        row("Losers held", duration_or_na(t.loser_secs)),
        row("Longest streaks (wins/losses)", format!("{}/{}", t.longest_wins, t.longest_losses)),
    ];
    rows.extend(stats.sides.iter().map(|side| {
        row(
            &format!("{}{}", side.label[..1].to_uppercase(), &side.label[1..]),
            format!("{}, {}, win rate {}", plural(side.trades, "trade"), signed(side.net), pct(side.win_pct)),
        )
    }));
    rows
}

fn execution(result: &BacktestResult, stats: &Stats) -> Vec<(String, String)> {
    let (s, t) = (&stats.summary, &stats.trades);
    let per_unit = |p: Option<_>| p.map_or_else(|| NOT_AVAILABLE.to_owned(), premium);
    let mut rows = vec![
        row("Average worst open result (MAE)", signed_or_na(t.average_mae)),
        row("Average best open result (MFE)", signed_or_na(t.average_mfe)),
        row("Exit efficiency (net of MFE)", pct(t.exit_efficiency_pct)),
        row(
            "Entry slippage to the decision ask",
            format!("{} ({} a unit)", signed(t.entry_slippage), per_unit(t.entry_slippage_per_unit)),
        ),
        row("Break-even points (charges a unit)", per_unit(t.break_even_points)),
        row(
            "Break-even slippage",
            t.break_even_slippage_ticks.map_or_else(
                || NOT_AVAILABLE.to_owned(),
                |n| format!("{} ticks more a side bring the net to zero", number(n, 2)),
            ),
        ),
    ];
    if let Some(effect) = &stats.fill_effect {
        rows.push(row(
            "Depends on the fill model",
            format!("{} ({} of the headline)", rupees(effect.spread), pct(effect.percent_of_headline)),
        ));
    }
    rows.push(row("Entries never filled (time-outs)", s.unfilled_entries.to_string()));
    rows.push(row("Ticks that are points of bars", pct(s.synthesised_pct)));
    if !result.unresolved.is_empty() {
        rows.push(row(
            "Left open",
            format!(
                "{} (worst case {}, at last price {})",
                s.unresolved,
                signed(s.unresolved_worst),
                signed_or_na(s.unresolved_at_last)
            ),
        ));
    }
    rows
}

fn signals(stats: &Stats) -> Vec<(String, String)> {
    let s = &stats.summary;
    vec![
        row("Evaluations without a signal", count(s.no_signal)),
        row("Signals refused by a later gate", count(s.rejected_signals)),
    ]
}

/// Counts of the data used, and whether each is a share of the ticks.
pub fn data(data: &DataQuality) -> [(&'static str, u64, bool); 10] {
    [
        ("replayed", data.ticks, false),
        ("points of bars (synthesised)", data.synthesised, true),
        ("generated, never traded", data.generated, true),
        ("with a two-sided book", data.with_book, true),
        ("excluded: outside the session", data.out_of_session, true),
        ("excluded: stale repeats", data.stale, true),
        ("excluded: out of order", data.out_of_order, true),
        ("refused: price not believable", data.rejected, true),
        ("index from put-call parity, not spot", data.derived_index, true),
        ("bars no tick fell into", data.missing_bars, false),
    ]
}

/// What identifies the run.
pub fn identity(result: &BacktestResult) -> [(&'static str, &str); 4] {
    [
        ("digest of the journal", &result.digest),
        ("config and dated tables", &result.meta.config_hash),
        ("tape", &result.meta.tape_hash),
        ("program version", &result.meta.code_version),
    ]
}

/// What was charged on orders outside the closed round trips, in words; `None` when nothing was.
pub fn charges_outside(result: &BacktestResult, stats: &Stats) -> Option<String> {
    let outside = result.charges.total() - stats.summary.charges;
    (outside != Money::ZERO)
        .then(|| format!("Orders outside the closed round trips (unresolved positions) cost {} more.", rupees(outside)))
}
