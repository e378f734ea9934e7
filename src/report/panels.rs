//! Panels of the page: headline cards, fill models, groups with bars, the calendar of days, charges.

use std::collections::BTreeMap;

use chrono::{Datelike, Days, NaiveDate};
use scalper_decide::domain::Money;

use super::figures::{self, short};
use super::format::{count, duration_or_na, pct, plural, ratio, rupees};
use super::html::{Col, Grid, esc, gain, gain_or_na, minus, plain, tone};
use super::svg::{diverging_bar, share_bar};
use super::words;
use crate::backtest::result::BacktestResult;
use crate::backtest::stats::{GroupRow, Stats, percent};

/// Longest span the calendar is drawn for; longer runs have the month table.
const MOST_CALENDAR_DAYS: i64 = 800;

fn card(label: &str, value: &str, note: &str) -> String {
    format!(
        "<div class=\"card\"><div class=\"label\">{label}</div><div class=\"value\">{value}</div><div class=\"sub\">{note}</div></div>"
    )
}

/// The figures to read first.
pub(super) fn cards(result: &BacktestResult, stats: &Stats) -> String {
    let (s, t, h) = (&stats.summary, &stats.trades, &stats.headline);
    let net_note = if h.covers_tables {
        format!("{} of {}", minus(&pct(s.return_pct)), rupees(s.opening))
    } else if h.net.is_some() {
        format!("fill model {}, not the tables below", esc(&h.model))
    } else {
        "only the optimistic model was replayed".to_owned()
    };
    let fall = s.drawdown.as_ref();
    let cards = [
        card("Net profit after charges, \u{20b9}", &gain_or_na(h.net), &net_note),
        card(
            "Round trips",
            &count(result.trades.len() as u64),
            &format!("{} a day, {} left open", ratio(s.trades_per_day), s.unresolved),
        ),
        card("Win rate", &pct(t.win_pct), &format!("{} won, {} lost", stats.total.wins, stats.total.losses)),
        card("Profit factor", &ratio(t.profit_factor), &format!("payoff {}", ratio(t.payoff))),
        card(
            "Expectancy a trade, \u{20b9}",
            &gain_or_na(t.expectancy),
            &format!("{} per rupee of average loss", minus(&ratio(t.expectancy_ratio))),
        ),
        card(
            "Max drawdown, \u{20b9}",
            &fall.map_or_else(|| "none".to_owned(), |d| rupees(d.amount)),
            &fall.map_or_else(|| "the balance never fell".to_owned(), |d| format!("{} of the peak", pct(d.percent))),
        ),
        card("Charges, \u{20b9}", &rupees(s.charges), &format!("{} of the gross profit", pct(s.charges_pct_of_gross))),
        card("Sharpe", &minus(&ratio(s.sharpe)), &format!("{}, 252 a year", plural(result.meta.days, "day"))),
    ];
    format!("<div class=\"cards\">{}</div>\n", cards.concat())
}

/// The same run under each fill model.
pub(super) fn fill_models(result: &BacktestResult, stats: &Stats) -> String {
    if result.fill_models.is_empty() {
        return format!("<p class=\"note\">Only {} was replayed.</p>", esc(&result.meta.fill_model));
    }
    let largest = largest(result.fill_models.iter().map(|r| r.net));
    let mut grid = Grid::new(&[
        ("Model", Col::Left),
        ("Net", Col::Right),
        ("", Col::Left),
        ("Trades", Col::Right),
        ("Gross", Col::Right),
        ("Charges", Col::Right),
        ("Unfilled", Col::Right),
        ("Left open", Col::Right),
        ("Stands for", Col::Left),
        ("Digest", Col::Left),
    ]);
    for row in &result.fill_models {
        let mark = if row.model == stats.headline.model { " <span class=\"badge\">headline</span>" } else { "" };
        grid.row(&[
            format!("{}{mark}", esc(row.model)),
            gain(row.net),
            diverging_bar(share(row.net, largest)),
            row.trades.to_string(),
            plain(row.gross),
            plain(row.charges),
            row.unfilled_entries.to_string(),
            row.unresolved.to_string(),
            words::fill_model(row.model).to_owned(),
            format!("<code>{}</code>", esc(short(&row.digest))),
        ]);
    }
    let effect = stats.fill_effect.as_ref().map_or_else(String::new, |e| {
        format!(
            "<p class=\"note\">Optimistic less stressed is {} rupees: {} of the headline result depend on how fills are imagined. {}</p>",
            plain(e.spread),
            pct(e.percent_of_headline),
            stats.trades.break_even_slippage_ticks.map_or_else(String::new, |n| format!(
                "{} more ticks of slippage on each side bring the net result to zero.",
                minus(&super::format::number(n, 2))
            ))
        )
    });
    format!("{}<p class=\"note\">{}</p>{effect}", grid.html(), figures::FILL_MODELS)
}

fn largest(amounts: impl Iterator<Item = Money>) -> f64 {
    amounts.map(|m| m.as_rupees_f64().abs()).fold(0.0, f64::max)
}

fn share(amount: Money, largest: f64) -> f64 {
    if largest > 0.0 { amount.as_rupees_f64() / largest } else { 0.0 }
}

/// One table of groups with a bar per net result.
pub(super) fn groups(title: &str, what: &'static str, rows: &[GroupRow], explain: impl Fn(&str) -> String) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let largest = largest(rows.iter().map(|r| r.net));
    let mut grid = Grid::new(&[
        (what, Col::Left),
        ("Trades", Col::Right),
        ("Net", Col::Right),
        ("", Col::Left),
        ("Avg %", Col::Right),
        ("W/D/L", Col::Right),
        ("Win %", Col::Right),
        ("Profit factor", Col::Right),
        ("Held", Col::Right),
        ("Charges", Col::Right),
    ]);
    for row in rows {
        grid.row(&[
            explain(&row.label),
            row.trades.to_string(),
            gain(row.net),
            diverging_bar(share(row.net, largest)),
            minus(&pct(row.average_pct)),
            format!("{}/{}/{}", row.wins, row.draws, row.losses),
            pct(row.win_pct),
            ratio(row.profit_factor),
            duration_or_na(row.average_secs),
            plain(row.charges),
        ]);
    }
    format!("<div class=\"groups\"><h3>{title}</h3>{}</div>", grid.html())
}

/// Weeks as rows, days as cells: date, result, trades.
pub(super) fn calendar(stats: &Stats) -> String {
    let mut days: BTreeMap<NaiveDate, (Money, usize)> = BTreeMap::new();
    for d in &stats.days {
        let cell = days.entry(d.day).or_default();
        cell.0 += d.net;
        cell.1 += d.trades;
    }
    let (Some(first), Some(last)) = (days.keys().next().copied(), days.keys().last().copied()) else {
        return "<p class=\"note\">No day was replayed.</p>".to_owned();
    };
    if (last - first).num_days() > MOST_CALENDAR_DAYS {
        return "<p class=\"note\">The run is too long for a calendar; see the months.</p>".to_owned();
    }
    let largest = largest(days.values().map(|(net, _)| *net));
    // Weekend columns only when a special session fell on one.
    let width = days.keys().map(|d| d.weekday().num_days_from_monday() + 1).max().unwrap_or(5).max(5);
    let names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let mut cells: String = names[..width as usize].iter().map(|n| format!("<div class=\"dow\">{n}</div>")).collect();
    let mut day = first - Days::new(u64::from(first.weekday().num_days_from_monday()));
    while day <= last {
        for offset in 0..width {
            let date = day + Days::new(u64::from(offset));
            cells.push_str(&match days.get(&date) {
                None => format!("<div class=\"off\">{}</div>", date.format("%d %b")),
                Some((net, trades)) => {
                    let depth = (share(*net, largest).abs() * 3.0).ceil() as u32;
                    let class = tone(*net);
                    format!(
                        "<div class=\"on {class}{depth}\"><div class=\"date\">{}</div><div>{}</div><div class=\"sub\">{}</div></div>",
                        date.format("%d %b"),
                        gain(*net),
                        plural(*trades, "trade")
                    )
                }
            });
        }
        day = day + Days::new(7);
    }
    format!("<div class=\"scroll\" tabindex=\"0\"><div class=\"calendar c{width}\">{cells}</div></div>\n")
}

/// Days and, for long runs, months as tables.
pub(super) fn days(stats: &Stats) -> String {
    let largest_day = largest(stats.days.iter().map(|d| d.net));
    let mut grid = Grid::new(&[
        ("Day", Col::Left),
        ("Trades", Col::Right),
        ("W/D/L", Col::Right),
        ("Net", Col::Right),
        ("", Col::Left),
        ("Gross", Col::Right),
        ("Charges", Col::Right),
        ("Balance", Col::Right),
        ("Entries stopped by", Col::Text),
    ]);
    for d in &stats.days {
        grid.row(&[
            super::format::day(d.day),
            d.trades.to_string(),
            format!("{}/{}/{}", d.wins, d.draws, d.losses),
            gain(d.net),
            diverging_bar(share(d.net, largest_day)),
            plain(d.gross),
            plain(d.charges),
            plain(d.closing_balance),
            esc(d.halted.as_deref().unwrap_or("")),
        ]);
    }
    let days = format!("<details><summary>Days as a table ({})</summary>{}</details>", stats.days.len(), grid.html());
    if stats.months.is_empty() {
        return days;
    }
    let largest_month = largest(stats.months.iter().map(|m| m.net));
    let mut grid = Grid::new(&[
        ("Month", Col::Left),
        ("Days", Col::Right),
        ("Trades", Col::Right),
        ("Net", Col::Right),
        ("", Col::Left),
        ("Gross", Col::Right),
        ("Charges", Col::Right),
        ("Balance", Col::Right),
    ]);
    for m in &stats.months {
        grid.row(&[
            m.month.clone(),
            m.days.to_string(),
            m.trades.to_string(),
            gain(m.net),
            diverging_bar(share(m.net, largest_month)),
            plain(m.gross),
            plain(m.charges),
            plain(m.closing_balance),
        ]);
    }
    format!("<h3>Months</h3>{}{days}", grid.html())
}

/// Charges by head with their share of profit and turnover.
pub(super) fn charges(result: &BacktestResult, stats: &Stats) -> String {
    let s = &stats.summary;
    let of_gross = |m: Money| pct(if s.gross > Money::ZERO { percent(m, s.gross) } else { None });
    let mut grid = Grid::new(&[
        ("Head", Col::Left),
        ("\u{20b9}", Col::Right),
        ("", Col::Left),
        ("Of charges", Col::Right),
        ("Of gross profit", Col::Right),
        ("Of turnover", Col::Right),
    ]);
    let cells = |name: &str, amount: Money| {
        let part = percent(amount, s.charges);
        [
            name.to_owned(),
            plain(amount),
            share_bar(part.unwrap_or(0.0) / 100.0),
            pct(part),
            of_gross(amount),
            pct(percent(amount, s.turnover)),
        ]
    };
    for (name, amount) in s.charge_heads.named() {
        grid.row(&cells(name, amount));
    }
    grid.total(&cells("total", s.charges));
    let outside =
        figures::charges_outside(result, stats).map_or_else(String::new, |t| format!("<p class=\"note\">{t}</p>"));
    grid.html() + &outside
}
