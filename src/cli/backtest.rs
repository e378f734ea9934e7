//! `scalper backtest`: replay recorded days.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

use chrono::NaiveDate;
use clap::Args;
use scalper_decide::domain::{Money, Underlying};
use scalper_decide::venue_sim::FillModelKind;

use super::config::named_or_default;
use super::exit::{BadUsage, Code};
use super::progress;
use crate::backtest::export::{Spool, export};
use crate::backtest::feed::TickFeed;
use crate::backtest::recorder::Bulk;
use crate::backtest::run::{BacktestRequest, run as run_backtest};
use crate::backtest::tape_feed::TapeFeed;
use crate::backtest::{json, tables};
use crate::config;

/// Largest opening balance.
const MOST_RUPEES: i64 = 1_000_000_000_000;

/// Arguments of `scalper backtest`.
#[derive(Debug, Args)]
pub struct BacktestArgs {
    /// Folder of the tape to replay.
    #[arg(long, value_name = "DIR", default_value = "tapes")]
    pub tape: PathBuf,
    /// First and last day, both included; every day of the tape without it. Earlier days of the tape warm up.
    #[arg(long, value_name = "A..B", value_parser = parse_days)]
    pub days: Option<(NaiveDate, NaiveDate)>,
    /// What every replay takes.
    #[command(flatten)]
    pub common: ReplayArgs,
}

/// What every replay takes.
#[derive(Debug, Clone, Args)]
pub struct ReplayArgs {
    /// Settings file; `config/algo.yml` when it exists, otherwise the built-in settings.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Preset on top of those the file names; may be repeated, later ones win.
    #[arg(long, value_name = "NAME")]
    pub preset: Vec<String>,
    /// Trade only this index; may be repeated.
    #[arg(long, value_name = "NAME", value_parser = parse_index)]
    pub index: Vec<Underlying>,
    /// Fill model of the headline figures.
    #[arg(long, value_name = "MODEL", default_value = "base", value_parser = parse_model)]
    pub fill_model: FillModelKind,
    /// Opening balance in rupees, instead of the configured one.
    #[arg(long, value_name = "RUPEES", value_parser = clap::value_parser!(i64).range(1..=MOST_RUPEES), allow_negative_numbers = true)]
    pub balance: Option<i64>,
    /// Print one JSON object instead of tables.
    #[arg(long)]
    pub json: bool,
    /// Write trades, orders, fills, decisions and bars as CSV, and the HTML report, into this folder.
    #[arg(long, value_name = "DIR")]
    pub export: Option<PathBuf>,
    /// Write the HTML report to this file.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

fn parse_day(text: &str) -> Result<NaiveDate, String> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| format!("expected a date like 2026-01-12, found {text:?}"))
}

fn parse_days(text: &str) -> Result<(NaiveDate, NaiveDate), String> {
    match text.split_once("..") {
        Some((a, b)) => match (parse_day(a)?, parse_day(b)?) {
            (from, to) if to < from => Err(format!("the first day comes after the last; write {to}..{from}")),
            days => Ok(days),
        },
        None => parse_day(text).map(|day| (day, day)),
    }
}

fn parse_index(text: &str) -> Result<Underlying, String> {
    Underlying::from_symbol(text).ok_or_else(|| {
        let known: Vec<&str> = Underlying::ALL.iter().map(|u| u.symbol()).collect();
        format!("unknown index {text:?}, expected one of {}", known.join(", "))
    })
}

fn parse_model(text: &str) -> Result<FillModelKind, String> {
    match FillModelKind::ALL.into_iter().find(|m| m.name() == text) {
        Some(FillModelKind::Optimistic) => {
            Err("the headline is never the optimistic model; it is shown beside the others anyway".to_owned())
        }
        Some(model) => Ok(model),
        None => Err(format!("unknown fill model {text:?}, expected base, pessimistic or stressed")),
    }
}

/// Runs the verb.
pub fn run(args: &BacktestArgs) -> anyhow::Result<Code> {
    let feed = TapeFeed::open(&args.tape)?;
    let mut common = args.common.clone();
    common.config = named_or_default(common.config.as_deref()).map(Path::to_owned);
    replay(&feed, &common, args.days, None, args.common.report.clone())
}

/// Refuses places nothing can be written to before anything is done: a run that fails writes nothing.
pub fn check_destinations(args: &ReplayArgs, report: Option<&Path>) -> anyhow::Result<()> {
    let refuse = |flag: &str, path: &Path, why: String| -> anyhow::Result<()> {
        Err(BadUsage(format!("{flag} {}: {why}; give another place", path.display())).into())
    };
    let file_above = |path: &Path| path.ancestors().skip(1).find(|p| p.exists() && !p.is_dir()).map(Path::to_owned);
    if let Some(dir) = &args.export {
        if dir.exists() && !dir.is_dir() {
            return refuse("--export", dir, "this is a file, not a folder".to_owned());
        }
        if let Some(file) = file_above(dir) {
            return refuse("--export", dir, format!("{} is a file, not a folder", file.display()));
        }
    }
    if let Some(path) = report {
        if path.is_dir() {
            return refuse("the report", path, "this is a folder, not a file".to_owned());
        }
        if let Some(file) = file_above(path) {
            return refuse("the report", path, format!("{} is a file, not a folder", file.display()));
        }
    }
    Ok(())
}

/// Replays a feed as the arguments say and prints the result.
pub fn replay(
    feed: &dyn TickFeed,
    args: &ReplayArgs,
    days: Option<(NaiveDate, NaiveDate)>,
    trade_from: Option<NaiveDate>,
    report_file: Option<PathBuf>,
) -> anyhow::Result<Code> {
    check_destinations(args, report_file.as_deref())?;
    let mut effective = config::load_with(args.config.as_deref(), std::env::vars(), &args.preset)?;
    let mut overridden = String::new();
    if !args.index.is_empty() {
        effective.params.indices.retain(|u| args.index.contains(u));
        if effective.params.indices.is_empty() {
            return Err(BadUsage(
                "none of the indices asked for with --index is enabled in the configuration".to_owned(),
            )
            .into());
        }
        overridden.push_str(&format!("|index={:?}", args.index));
    }
    if let Some(rupees) = args.balance {
        effective.params.capital.opening_balance = Some(Money::from_rupees(rupees));
        overridden.push_str(&format!("|balance={rupees}"));
    }
    let request = BacktestRequest {
        config_hash: format!("{}{overridden}", effective.hash),
        preset: effective.presets.join(" + "),
        params: effective.params.clone(),
        days,
        trade_from,
        headline: args.fill_model,
        all_fill_models: true,
    };
    let mut spool = args.export.as_deref().map(Spool::new).transpose()?;
    let total: u64 = feed.days().iter().filter_map(|d| feed.tick_count(*d)).sum();
    let done = AtomicU64::new(0);
    let replays = FillModelKind::ALL.len() as u64;
    let result = progress::watch("replaying", total * replays, &done, || {
        let bulk = spool.as_mut().map(|spool| spool as &mut dyn Bulk);
        run_backtest(&request, feed, &effective.tables, &done, bulk)
    })?;
    if let Some((dir, spool)) = args.export.as_ref().zip(spool) {
        export(&result, spool, dir)?;
        crate::report::write(&result, &dir.join("report.html"))?;
    }
    if let Some(file) = &report_file {
        crate::report::write(&result, file)?;
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&json::object(&result))?)?;
    } else {
        tables::print(&result, &mut out)?;
        if let Some(dir) = &args.export {
            writeln!(out, "exported to {}", dir.display())?;
        }
        if let Some(file) = &report_file {
            writeln!(out, "report: {}", file.display())?;
        }
    }
    Ok(Code::Ok)
}
