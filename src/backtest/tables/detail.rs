//! Tables with one row per group, day, position or gate.

use std::io::{self, Write};

use super::super::result::BacktestResult;
use super::super::stats::{GroupRow, Stats, percent_of};
use super::sheet::{Col, Sheet};
use crate::report::format::{
    NOT_AVAILABLE, count, day, duration_or_na, ist_clock, ist_time, pct, premium, ratio, rupees, signed, signed_or_na,
};
use crate::report::words;

fn group_table(title: &str, what: &str, rows: &[GroupRow], total: &GroupRow, out: &mut impl Write) -> io::Result<()> {
    let mut sheet = Sheet::new(
        title,
        &[
            (what, Col::Left),
            ("Trades", Col::Right),
            ("Avg %", Col::Right),
            ("Gross", Col::Right),
            ("Charges", Col::Right),
            ("Net", Col::Right),
            ("Avg held", Col::Right),
            ("W/D/L", Col::Right),
            ("Win %", Col::Right),
            ("Profit factor", Col::Right),
        ],
    );
    for row in rows.iter().chain([total]) {
        sheet.row([
            row.label.clone(),
            row.trades.to_string(),
            pct(row.average_pct),
            signed(row.gross),
            rupees(row.charges),
            signed(row.net),
            duration_or_na(row.average_secs),
            format!("{}/{}/{}", row.wins, row.draws, row.losses),
            pct(row.win_pct),
            ratio(row.profit_factor),
        ]);
    }
    sheet.print(out)
}

pub(super) fn groups(stats: &Stats, out: &mut impl Write) -> io::Result<()> {
    let total = &stats.total;
    group_table("PER INDEX", "Index", &stats.per_index, total, out)?;
    group_table("EXIT REASONS", "Reason", &stats.exit_reasons, total, out)?;
    group_table("CALLS AND PUTS (always bought)", "Side", &stats.sides, total, out)?;
    group_table("HOUR OF ENTRY (IST)", "Hour", &stats.hours, total, out)?;
    group_table("WEEKDAY", "Weekday", &stats.weekdays, total, out)?;
    group_table("DISTANCE TO EXPIRY (calendar days)", "Expiry", &stats.expiry_distance, total, out)?;
    group_table("STRIKE DISTANCE FROM THE INDEX AT ENTRY (strikes)", "Strike", &stats.strike_distance, total, out)
}

pub(super) fn unresolved(result: &BacktestResult, out: &mut impl Write) -> io::Result<()> {
    if result.unresolved.is_empty() {
        return writeln!(out, "\nLEFT OPEN: none. Every position found an exit.");
    }
    let mut sheet = Sheet::new(
        "LEFT OPEN (quotes stopped before an exit; outside every other figure)",
        &[
            ("Contract", Col::Left),
            ("Units", Col::Right),
            ("Entry (IST)", Col::Left),
            ("Paid", Col::Right),
            ("Last quote (IST)", Col::Left),
            ("Last price", Col::Right),
            ("Wanted", Col::Left),
            ("At last price", Col::Right),
            ("Worst case", Col::Right),
        ],
    );
    for u in &result.unresolved {
        sheet.row([
            u.symbol.clone(),
            u.qty.to_string(),
            ist_time(u.entry_at),
            premium(u.entry_price),
            u.last_quote_at.map_or_else(|| "never".to_owned(), ist_clock),
            u.last_price.map_or_else(|| NOT_AVAILABLE.to_owned(), premium),
            u.wanted.map_or_else(|| "-".to_owned(), |r| r.code().to_owned()),
            signed_or_na(u.at_last_price),
            signed(u.worst_case),
        ]);
    }
    sheet.print(out)
}

pub(super) fn days(stats: &Stats, out: &mut impl Write) -> io::Result<()> {
    let halted = stats.days.iter().any(|d| d.halted.is_some());
    let mut columns = vec![
        ("Day", Col::Left),
        ("Trades", Col::Right),
        ("W/D/L", Col::Right),
        ("Gross", Col::Right),
        ("Charges", Col::Right),
        ("Net", Col::Right),
        ("Balance", Col::Right),
    ];
    if halted {
        columns.push(("Entries stopped by", Col::Text));
    }
    let mut sheet = Sheet::new("DAYS", &columns);
    for d in &stats.days {
        let mut row = vec![
            day(d.day),
            d.trades.to_string(),
            format!("{}/{}/{}", d.wins, d.draws, d.losses),
            signed(d.gross),
            rupees(d.charges),
            signed(d.net),
            rupees(d.closing_balance),
        ];
        if halted {
            row.push(d.halted.clone().unwrap_or_default());
        }
        sheet.row(row);
    }
    sheet.print(out)?;
    if stats.months.is_empty() {
        return Ok(());
    }
    let mut sheet = Sheet::new(
        "MONTHS",
        &[
            ("Month", Col::Left),
            ("Days", Col::Right),
            ("Trades", Col::Right),
            ("Gross", Col::Right),
            ("Charges", Col::Right),
            ("Net", Col::Right),
            ("Balance", Col::Right),
        ],
    );
    for m in &stats.months {
        sheet.row([
            m.month.clone(),
            m.days.to_string(),
            m.trades.to_string(),
            signed(m.gross),
            rupees(m.charges),
            signed(m.net),
            rupees(m.closing_balance),
        ]);
    }
    sheet.print(out)
}

pub(super) fn funnel(result: &BacktestResult, out: &mut impl Write) -> io::Result<()> {
    if result.funnel.is_empty() {
        return writeln!(out, "\nWHY NO TRADE: no gate refused anything.");
    }
    let all: u64 = result.funnel.iter().map(|row| row.count).sum();
    let examples = words::examples(result);
    let mut sheet = Sheet::new(
        "WHY NO TRADE (refusals per gate, in the order they are asked)",
        &[
            ("Gate", Col::Left),
            ("Code", Col::Left),
            ("Count", Col::Right),
            ("Share", Col::Right),
            ("Meaning, and the first case", Col::Text),
        ],
    );
    for row in &result.funnel {
        let first = examples.get(&(row.stage, row.code)).copied();
        let meaning = words::refusal(row.code).map_or_else(|| words::spelled(row.code), str::to_owned);
        sheet.row([
            row.stage.to_owned(),
            row.code.to_owned(),
            count(row.count),
            pct(percent_of(row.count, all)),
            first.map_or_else(|| meaning.clone(), |text| format!("{meaning}\n{text}")),
        ]);
    }
    sheet.print(out)
}

pub(super) fn rules(result: &BacktestResult, out: &mut impl Write) -> io::Result<()> {
    if result.rules.is_empty() {
        return writeln!(out, "\nEXIT RULES: none were recorded.");
    }
    let mut sheet = Sheet::new(
        "EXIT RULES (how often each was judged, and the round trips it ended)",
        &[("Rule", Col::Left), ("Judged", Col::Right), ("Exits", Col::Right), ("Standing", Col::Left)],
    );
    for row in &result.rules {
        sheet.row([
            row.rule.code().to_owned(),
            count(row.evaluations),
            count(row.exits as u64),
            words::rule_standing(row).to_owned(),
        ]);
    }
    sheet.print(out)
}
