//! Lists of the page: summary figures, trades, positions left open, why no trade, assumptions, data.

use super::figures;
use super::format::{NOT_AVAILABLE, count, day, duration, ist_clock, ist_time, number, pct, plural, premium};
use super::html::{Col, Grid, esc, gain, gain_or_na, minus, plain};
use super::svg::share_bar;
use super::words;
use crate::backtest::result::{BacktestResult, TradeRecord};
use crate::backtest::stats::{Stats, is_level, percent, percent_of};

/// Trades shown at once; the rest is folded away.
const SHOWN_TRADES: usize = 200;

/// All figures in lists side by side.
pub(super) fn summary(result: &BacktestResult, stats: &Stats) -> String {
    let lists: String = figures::summary(result, stats)
        .into_iter()
        .map(|(title, rows)| {
            let rows: String = rows
                .into_iter()
                .map(|(name, value)| format!("<div><dt>{}</dt><dd>{}</dd></div>", esc(&name), minus(&esc(&value))))
                .collect();
            format!("<div class=\"list\"><h3>{title}</h3><dl>{rows}</dl></div>")
        })
        .collect();
    format!("<div class=\"lists\">{lists}</div><p class=\"note\">{}</p>", figures::CONVENTIONS)
}

/// Every closed round trip; beyond [`SHOWN_TRADES`] in a folded part.
pub(super) fn trades(result: &BacktestResult) -> String {
    if result.trades.is_empty() {
        return "<p class=\"note\">No trades. <a href=\"#funnel\">Why no trade</a> counts what every gate refused.</p>"
            .to_owned();
    }
    let (shown, folded) = result.trades.split_at(result.trades.len().min(SHOWN_TRADES));
    let table = |from: usize, trades: &[TradeRecord]| {
        let mut grid = Grid::new(&[
            ("#", Col::Right),
            ("Day", Col::Left),
            ("Contract", Col::Left),
            ("Units", Col::Right),
            ("In (IST)", Col::Left),
            ("Paid", Col::Right),
            ("Out (IST)", Col::Left),
            ("Got", Col::Right),
            ("Held", Col::Right),
            ("Why out", Col::Left),
            ("Net", Col::Right),
            ("Of premium", Col::Right),
            ("Gross", Col::Right),
            ("Charges", Col::Right),
            ("Worst open", Col::Right),
            ("Best open", Col::Right),
            ("Index in \u{2192} out", Col::Left),
            ("IV %", Col::Right),
            ("Delta", Col::Right),
        ]);
        for (n, t) in (from..).zip(trades) {
            grid.row_with_id(&format!("t{n}"), &trade_row(n, t));
        }
        grid.html()
    };
    let mut out = table(1, shown);
    if !folded.is_empty() {
        out.push_str(&format!(
            "<details><summary>{}</summary>{}</details>",
            plural(folded.len(), "more trade"),
            table(SHOWN_TRADES + 1, folded)
        ));
    }
    out.push_str("<p class=\"note\">* priced on a point of a bar, not on an observed quote.</p>");
    out
}

fn trade_row(n: usize, t: &TradeRecord) -> [String; 19] {
    let bar_mark = if t.on_synthesised { "*" } else { "" };
    [
        n.to_string(),
        day(t.day),
        esc(&t.symbol),
        t.qty.to_string(),
        ist_clock(t.entry_at),
        format!("{}{bar_mark}", premium(t.entry_price)),
        ist_clock(t.exit_at),
        format!("{}{bar_mark}", premium(t.exit_price)),
        duration(t.exit_at.age_of(t.entry_at).secs()),
        format!("<span title=\"{}\">{}</span>", words::exit_reason(t.reason), words::spelled(t.reason.code())),
        gain(t.net),
        minus(&pct(percent(t.net, t.entry_price * t.qty))),
        plain(t.gross),
        plain(t.charges.total()),
        plain(t.mae),
        plain(t.mfe),
        format!("{} \u{2192} {}", index(t.index_at_entry), index(t.index_at_exit)),
        level(t.iv_pct),
        minus(&level(t.delta)),
    ]
}

/// An index level; `n/a` when none was known.
fn index(level: f64) -> String {
    if is_level(level) { number(level, 2) } else { NOT_AVAILABLE.to_owned() }
}

/// A model's number; one that is absurdly large is a fault of its source and would only widen the table.
fn level(value: f64) -> String {
    if value.abs() < 1e9 { number(value, 2) } else { NOT_AVAILABLE.to_owned() }
}

/// Positions whose quotes stopped before an exit.
pub(super) fn unresolved(result: &BacktestResult, stats: &Stats) -> String {
    if result.unresolved.is_empty() {
        return "<p class=\"note\">None. Every position found an exit.</p>".to_owned();
    }
    let mut grid = Grid::new(&[
        ("Contract", Col::Left),
        ("Units", Col::Right),
        ("In (IST)", Col::Left),
        ("Paid", Col::Right),
        ("Last quote (IST)", Col::Left),
        ("Last price", Col::Right),
        ("Exit wanted", Col::Left),
        ("At last price", Col::Right),
        ("Worst case", Col::Right),
    ]);
    for u in &result.unresolved {
        grid.row(&[
            esc(&u.symbol),
            u.qty.to_string(),
            ist_time(u.entry_at),
            premium(u.entry_price),
            u.last_quote_at.map_or_else(|| "never".to_owned(), ist_time),
            u.last_price.map_or_else(|| NOT_AVAILABLE.to_owned(), premium),
            u.wanted.map_or_else(String::new, |r| words::spelled(r.code())),
            gain_or_na(u.at_last_price),
            gain(u.worst_case),
        ]);
    }
    format!(
        "<p>Their quotes stopped before an exit could be priced. They are outside every other figure: {} at the last price seen, \
         {} if worth nothing.</p>{}",
        gain_or_na(stats.summary.unresolved_at_last),
        gain(stats.summary.unresolved_worst),
        grid.html()
    )
}

/// What each gate refused, in plain words and with the first real case.
pub(super) fn funnel(result: &BacktestResult, stats: &Stats) -> String {
    if result.funnel.is_empty() {
        return "<p class=\"note\">No gate refused anything.</p>".to_owned();
    }
    let all: u64 = result.funnel.iter().map(|r| r.count).sum();
    let examples = words::examples(result);
    let mut grid = Grid::new(&[
        ("Gate", Col::Left),
        ("Refusal", Col::Left),
        ("Count", Col::Right),
        ("", Col::Left),
        ("Share", Col::Right),
        ("Meaning", Col::Text),
        ("First case", Col::Text),
    ]);
    for row in &result.funnel {
        let part = percent_of(row.count, all);
        grid.row(&[
            format!("<b>{}</b><div class=\"sub\">{}</div>", esc(row.stage), words::stage_question(row.stage)),
            format!("<code>{}</code>", esc(row.code)),
            count(row.count),
            share_bar(part.unwrap_or(0.0) / 100.0),
            pct(part),
            words::refusal(row.code).map_or_else(|| esc(&words::spelled(row.code)), str::to_owned),
            esc(examples.get(&(row.stage, row.code)).copied().unwrap_or("")),
        ]);
    }
    format!(
        "<p>Every evaluation that did not become a trade has a recorded reason. {} evaluations found no signal; {} signals were refused by a \
         later gate; {} entries were placed and never filled.</p>{}",
        count(stats.summary.no_signal),
        count(stats.summary.rejected_signals),
        stats.summary.unfilled_entries,
        grid.html()
    )
}

/// Every exit rule with how often it was judged and what it ended.
pub(super) fn rules(result: &BacktestResult) -> String {
    if result.rules.is_empty() {
        return "<p class=\"note\">None were recorded.</p>".to_owned();
    }
    let mut grid = Grid::new(&[
        ("Rule", Col::Left),
        ("Judged", Col::Right),
        ("Exits", Col::Right),
        ("Standing", Col::Left),
        ("Meaning", Col::Text),
    ]);
    for row in &result.rules {
        let standing = words::rule_standing(row);
        grid.row(&[
            format!("<code>{}</code>", row.rule.code()),
            count(row.evaluations),
            count(row.exits as u64),
            if row.is_unheard() { format!("<b>{standing}</b>") } else { standing.to_owned() },
            words::exit_reason(row.rule).to_owned(),
        ]);
    }
    format!("<p>A rule is judged whenever a quote or the clock could make it end a position.</p>{}", grid.html())
}

/// Fill, charge, latency and data assumptions.
pub(super) fn assumptions(result: &BacktestResult) -> String {
    if result.assumptions.is_empty() {
        return "<p class=\"note\">None were recorded.</p>".to_owned();
    }
    let rows: String = result
        .assumptions
        .iter()
        .map(|(name, text)| format!("<div><dt>{}</dt><dd>{}</dd></div>", esc(name), esc(text)))
        .collect();
    format!("<dl class=\"wide\">{rows}</dl>")
}

/// Completeness of the data.
pub(super) fn data(result: &BacktestResult, stats: &Stats) -> String {
    let mut grid = Grid::new(&[("Ticks", Col::Left), ("Count", Col::Right), ("", Col::Left), ("Share", Col::Right)]);
    for (name, n, of_ticks) in figures::data(&result.data) {
        let part = if of_ticks { percent_of(n, result.data.ticks) } else { None };
        grid.row(&[
            name.to_owned(),
            count(n),
            if of_ticks { share_bar(part.unwrap_or(0.0) / 100.0) } else { String::new() },
            if of_ticks { pct(part) } else { String::new() },
        ]);
    }
    let notes: String = result.data.notes.iter().map(|n| format!("<li>{}</li>", esc(n))).collect();
    let notes = if notes.is_empty() { String::new() } else { format!("<ul>{notes}</ul>") };
    format!(
        "<p>{} of {} round trips have a fill priced on a point of a bar.</p>{notes}{}",
        stats.summary.trades_on_synthesised,
        result.trades.len(),
        grid.html()
    )
}

/// Hashes and versions in full.
pub(super) fn identity(result: &BacktestResult) -> String {
    let rows: String = figures::identity(result)
        .into_iter()
        .map(|(name, value)| format!("<div><dt>{name}</dt><dd><code>{}</code></dd></div>", esc(value)))
        .collect();
    format!("<dl class=\"wide\">{rows}</dl><p class=\"note\">Equal inputs give an equal digest.</p>")
}
