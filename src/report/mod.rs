//! Says what a replay did to people: number formats, plain words, and the single-file HTML report.

mod candles;
mod equity;
pub mod figures;
pub mod format;
mod html;
mod lists;
mod panels;
mod svg;
pub mod words;

use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;

use crate::backtest::result::BacktestResult;
use crate::backtest::stats::Stats;
use figures::short;
use html::{esc, gain, section};

const STYLE: &str = include_str!("style.css");

/// The report of a replay as one page: no script, no external file, nothing fetched. Opens from disk, prints, follows
/// the reader's light or dark setting.
pub fn render(result: &BacktestResult) -> String {
    let stats = Stats::of(result);
    let meta = &result.meta;
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta name=\"color-scheme\" content=\"light dark\"/>\n\
         <title>{} \u{b7} backtest {} to {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n",
        esc(&meta.title),
        meta.first_day,
        meta.last_day
    );
    page.push_str(&header(result, &stats));
    page.push_str(&panels::cards(result, &stats));
    if result.trades.is_empty() {
        page.push_str(
            "<p class=\"banner\"><b>No trades.</b> <a href=\"#funnel\">Why no trade</a> counts what every gate refused.</p>\n",
        );
    }
    if !result.equity.is_empty() {
        let charts = format!(
            "<figure><figcaption>Balance after each exit, \u{20b9} (dashed: start)</figcaption><div class=\"scroll\" tabindex=\"0\">{}</div></figure>\
             <figure><figcaption>Distance from the peak, \u{20b9}{}</figcaption><div class=\"scroll\" tabindex=\"0\">{}</div></figure>",
            equity::balance_chart(result),
            stats.summary.drawdown.as_ref().map_or_else(String::new, |d| format!(
                "; deepest {} on {} IST",
                gain(-d.amount),
                format::ist_time(d.end)
            )),
            equity::drawdown_chart(result)
        );
        page.push_str(&section("equity", "Balance and drawdown", &charts));
    }
    page.push_str(&section("fills", "What if fills were better or worse", &panels::fill_models(result, &stats)));
    page.push_str(&section("days", "Days", &(panels::calendar(&stats) + &panels::days(&stats))));
    if !result.trades.is_empty() {
        page.push_str(&section("charts", "Days on the index", &candles::charts(result)));
        page.push_str(&section("groups", "Where it was won and lost", &group_tables(&stats)));
    }
    page.push_str(&section("summary", "All figures", &lists::summary(result, &stats)));
    page.push_str(&section("charges", "Charges by head", &panels::charges(result, &stats)));
    page.push_str(&section("trades", "Trades", &lists::trades(result)));
    page.push_str(&section("open", "Left open", &lists::unresolved(result, &stats)));
    page.push_str(&section("funnel", "Why no trade", &lists::funnel(result, &stats)));
    page.push_str(&section("rules", "Exit rules", &lists::rules(result)));
    page.push_str(&section("assumptions", "Assumptions", &lists::assumptions(result)));
    page.push_str(&section("data", "Data completeness", &lists::data(result, &stats)));
    page.push_str(&section("identity", "Identity", &lists::identity(result)));
    let not: String = words::NOT_A_PROMISE.iter().map(|line| format!("<li>{line}</li>")).collect();
    page.push_str(&section("not", "What this is not", &format!("<ul>{not}</ul>")));
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn header(result: &BacktestResult, stats: &Stats) -> String {
    let meta = &result.meta;
    let facts = [
        (
            "Period",
            format!(
                "{} to {}, {}",
                format::day(meta.first_day),
                format::day(meta.last_day),
                format::plural(meta.days, "trading day")
            ),
        ),
        ("Preset", esc(&meta.preset)),
        ("Fill model", esc(&meta.fill_model)),
        ("Config", format!("<code>{}</code>", esc(short(&meta.config_hash)))),
        ("Tape", format!("<code>{}</code>", esc(short(&meta.tape_hash)))),
        ("Code", format!("<code>{}</code>", esc(&meta.code_version))),
        ("Digest", format!("<code>{}</code>", esc(short(&result.digest)))),
        ("Times", "IST (UTC+05:30)".to_owned()),
    ];
    let facts: String =
        facts.iter().map(|(name, value)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>")).collect();
    let banner = match (stats.headline.covers_tables, stats.headline.net) {
        (true, _) => String::new(),
        (false, Some(net)) => format!(
            "<p class=\"banner\"><b>The tables below are the optimistic replay, kinder than real fills.</b> Headline ({}): {} rupees over {}.</p>",
            esc(&stats.headline.model),
            gain(net),
            format::plural(stats.headline.trades, "trade")
        ),
        (false, None) => "<p class=\"banner\"><b>The tables below are the optimistic replay, kinder than real fills.</b> No other fill model was replayed, \
                          so there is no headline.</p>"
            .to_owned(),
    };
    let generated = if result.data.generated > 0 {
        format!("<p class=\"banner\"><b>{}</b></p>\n", words::GENERATED)
    } else {
        String::new()
    };
    let links = [
        ("equity", "Balance", !result.equity.is_empty()),
        ("fills", "Fill models", true),
        ("days", "Days", true),
        ("charts", "Charts", !result.trades.is_empty()),
        ("groups", "Groups", !result.trades.is_empty()),
        ("summary", "All figures", true),
        ("charges", "Charges", true),
        ("trades", "Trades", true),
        ("open", "Left open", true),
        ("funnel", "Why no trade", true),
        ("rules", "Exit rules", true),
        ("assumptions", "Assumptions", true),
        ("data", "Data", true),
        ("not", "What this is not", true),
    ];
    let links: String =
        links.iter().filter(|l| l.2).map(|(id, name, _)| format!("<a href=\"#{id}\">{name}</a>")).collect();
    format!(
        "<header><p class=\"mode\">BACKTEST</p><h1>{}</h1><dl class=\"facts\">{facts}</dl><nav>{links}</nav></header>\n{generated}{banner}",
        esc(&meta.title)
    )
}

fn group_tables(stats: &Stats) -> String {
    let reason = |label: &str| {
        let meaning = scalper_decide::domain::ExitReason::ALL
            .into_iter()
            .find(|r| r.code() == label)
            .map_or("", words::exit_reason);
        format!("{}<div class=\"sub\">{meaning}</div>", words::spelled(label))
    };
    [
        panels::groups("Exit reason", "Why out", &stats.exit_reasons, reason),
        panels::groups("Index", "Index", &stats.per_index, esc),
        panels::groups("Calls and puts", "Side", &stats.sides, esc),
        panels::groups("Hour of entry (IST)", "Hour", &stats.hours, esc),
        panels::groups("Weekday", "Weekday", &stats.weekdays, esc),
        panels::groups("Distance to expiry (calendar days)", "Expiry", &stats.expiry_distance, esc),
        panels::groups("Strike distance from the index at entry", "Strike", &stats.strike_distance, esc),
    ]
    .concat()
}

/// Renders the report and writes it to `file`, whole or not at all; missing folders are made.
pub fn write(result: &BacktestResult, file: &Path) -> anyhow::Result<()> {
    let folder = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).with_context(|| format!("creating the folder {}", folder.display()))?;
    let mut staged = tempfile::NamedTempFile::new_in(folder).context("staging the report")?;
    staged.write_all(render(result).as_bytes()).context("writing the report")?;
    // A temporary file is private to its owner; a report is an ordinary file.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        staged.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    }
    staged.persist(file).with_context(|| format!("writing {}", file.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests;
