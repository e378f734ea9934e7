//! Tables about the run as a whole.

use std::io::{self, Write};

use scalper_decide::domain::Money;

use super::super::result::BacktestResult;
use super::super::stats::{Stats, percent, percent_of};
use super::sheet::{Col, Sheet};
use crate::report::figures;
use crate::report::format::{count, pct, rupees, signed};
use crate::report::words;

pub(super) fn metrics(result: &BacktestResult, stats: &Stats, out: &mut impl Write) -> io::Result<()> {
    let mut sheet =
        Sheet::new("SUMMARY (rupees; closed round trips only)", &[("Metric", Col::Left), ("Value", Col::Left)]);
    for (i, (section, rows)) in figures::summary(result, stats).into_iter().enumerate() {
        if i > 0 {
            sheet.row([String::new(), String::new()]);
        }
        sheet.row([section.to_uppercase(), String::new()]);
        for (name, value) in rows {
            sheet.row([name, value]);
        }
    }
    sheet.print(out)?;
    writeln!(out, "{}", figures::CONVENTIONS)
}

pub(super) fn charges(result: &BacktestResult, stats: &Stats, out: &mut impl Write) -> io::Result<()> {
    let heads = &stats.summary.charge_heads;
    let total = stats.summary.charges;
    let gross = stats.summary.gross;
    let of_gross = |m: Money| if gross > Money::ZERO { percent(m, gross) } else { None };
    let mut sheet = Sheet::new(
        "CHARGES BY HEAD (closed round trips)",
        &[
            ("Head", Col::Left),
            ("Rupees", Col::Right),
            ("Of charges", Col::Right),
            ("Of gross profit", Col::Right),
            ("Of turnover", Col::Right),
        ],
    );
    for (name, amount) in heads.named().into_iter().chain([("total", total)]) {
        sheet.row([
            name.to_owned(),
            rupees(amount),
            pct(percent(amount, total)),
            pct(of_gross(amount)),
            pct(percent(amount, stats.summary.turnover)),
        ]);
    }
    sheet.print(out)?;
    match figures::charges_outside(result, stats) {
        Some(text) => writeln!(out, "{text}"),
        None => Ok(()),
    }
}

pub(super) fn fill_models(result: &BacktestResult, stats: &Stats, out: &mut impl Write) -> io::Result<()> {
    if result.fill_models.is_empty() {
        return writeln!(out, "\nFILL MODELS: only {} was replayed.", result.meta.fill_model);
    }
    let mut sheet = Sheet::new(
        "FILL MODELS (one run, four venues, each harder on every order than the one before; -> is the headline)",
        &[
            ("Model", Col::Left),
            ("Trades", Col::Right),
            ("Gross", Col::Right),
            ("Charges", Col::Right),
            ("Net", Col::Right),
            ("Unfilled", Col::Right),
            ("Left open", Col::Right),
            ("Digest", Col::Left),
        ],
    );
    for row in &result.fill_models {
        let mark = if row.model == stats.headline.model { "-> " } else { "   " };
        sheet.row([
            format!("{mark}{}", row.model),
            row.trades.to_string(),
            signed(row.gross),
            rupees(row.charges),
            signed(row.net),
            row.unfilled_entries.to_string(),
            row.unresolved.to_string(),
            figures::short(&row.digest).to_owned(),
        ]);
    }
    sheet.print(out)?;
    writeln!(out, "{}", figures::FILL_MODELS)?;
    if let Some(effect) = &stats.fill_effect {
        writeln!(
            out,
            "Optimistic less stressed: {} rupees, {} of the headline result depend on how fills are imagined.",
            rupees(effect.spread),
            pct(effect.percent_of_headline)
        )?;
    }
    Ok(())
}

pub(super) fn assumptions(result: &BacktestResult, out: &mut impl Write) -> io::Result<()> {
    let mut sheet = Sheet::new("ASSUMPTIONS", &[("What", Col::Left), ("How", Col::Text)]);
    for (name, text) in &result.assumptions {
        sheet.row([name.clone(), text.clone()]);
    }
    sheet.print(out)
}

pub(super) fn data(result: &BacktestResult, stats: &Stats, out: &mut impl Write) -> io::Result<()> {
    let mut sheet =
        Sheet::new("DATA COMPLETENESS", &[("Ticks", Col::Left), ("Count", Col::Right), ("Share", Col::Right)]);
    for (name, n, of_ticks) in figures::data(&result.data) {
        let share = if of_ticks { pct(percent_of(n, result.data.ticks)) } else { String::new() };
        sheet.row([name.to_owned(), count(n), share]);
    }
    sheet.print(out)?;
    writeln!(
        out,
        "{} of {} round trips have a fill priced on a point of a bar.",
        stats.summary.trades_on_synthesised,
        result.trades.len()
    )?;
    for note in &result.data.notes {
        writeln!(out, "note: {note}")?;
    }
    Ok(())
}

pub(super) fn identity(result: &BacktestResult, out: &mut impl Write) -> io::Result<()> {
    let mut sheet =
        Sheet::new("IDENTITY (equal inputs give an equal digest)", &[("What", Col::Left), ("Value", Col::Left)]);
    for (name, value) in figures::identity(result) {
        sheet.row([name.to_owned(), value.to_owned()]);
    }
    sheet.print(out)?;
    writeln!(out)?;
    words::NOT_A_PROMISE.iter().try_for_each(|line| writeln!(out, "- {line}"))
}
