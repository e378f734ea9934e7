//! A whole backtest: warm-up days, the days asked for, all four fill models, one result.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use chrono::NaiveDate;
use scalper_decide::decision_core::{Books, Core};
use scalper_decide::direct::CoreTables;
use scalper_decide::domain::{Age, DayKind, Money, SessionCalendar, SessionHours, Underlying};
use scalper_decide::params::{StrategyParams, Timeframe};
use scalper_decide::tick_cache::TickRefusal;
use scalper_decide::venue_sim::{FillModel, FillModelKind, VenueSim};

use super::feed::TickFeed;
use super::recorder::{Bulk, Keep, Recorder};
use super::replay::{Plain, Replay, Wiring};
use super::result::{BacktestResult, FillModelRow, RunMeta};
use super::rules;
use crate::config::tables::Tables;
use crate::tape::import::interval_text;

/// Earlier days of the tape that only feed the indicators: 200 closed 5-minute bars need three sessions.
const WARM_UP_DAYS: usize = 5;

/// What to replay and how.
#[derive(Debug, Clone)]
pub struct BacktestRequest {
    /// Settings.
    pub params: StrategyParams,
    /// Presets the settings came from, for the report.
    pub preset: String,
    /// BLAKE3 of the effective configuration.
    pub config_hash: String,
    /// First and last day, both included; `None` takes every day of the feed.
    pub days: Option<(NaiveDate, NaiveDate)>,
    /// Days before this one only warm up; `None` derives it from `days`.
    pub trade_from: Option<NaiveDate>,
    /// Fill model of the headline; never the optimistic one.
    pub headline: FillModelKind,
    /// Whether to replay the other three fill models as well.
    pub all_fill_models: bool,
}

/// The feed does not hold what was asked for.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NothingToReplay(String);

/// A day to replay.
#[derive(Debug, Clone)]
struct PlannedDay {
    hours: SessionHours,
    warm_up: bool,
}

/// Days of the feed that are trading days, with the reason of every other one.
fn plan_days(
    request: &BacktestRequest,
    feed: &dyn TickFeed,
    calendar: &SessionCalendar,
    notes: &mut Vec<String>,
) -> anyhow::Result<Vec<PlannedDay>> {
    let available = feed.days();
    let (Some(first), Some(last)) = (available.first(), available.last()) else {
        return Err(NothingToReplay("the tape holds no days".to_owned()).into());
    };
    let (from, to) = request.days.unwrap_or((*first, *last));
    if to < from {
        return Err(NothingToReplay(format!("--days {from}..{to}: the first day comes after the last")).into());
    }
    let trade_from = request.trade_from.unwrap_or(from);
    let mut warm_up: Vec<NaiveDate> = available.iter().copied().filter(|d| *d < from).collect();
    warm_up.drain(..warm_up.len().saturating_sub(WARM_UP_DAYS));
    let wanted: Vec<NaiveDate> = available.iter().copied().filter(|d| (from..=to).contains(d)).collect();
    if wanted.is_empty() {
        let text = format!("the tape holds no day in {from}..{to}; it covers {first}..{last}");
        return Err(NothingToReplay(text).into());
    }
    let mut days = Vec::new();
    for day in warm_up.into_iter().chain(wanted) {
        match calendar.day(day)? {
            DayKind::Open(hours) => days.push(PlannedDay { hours, warm_up: day < trade_from }),
            DayKind::Closed(reason) => {
                notes.push(format!("{day} is on the tape but not a trading day ({reason}): nothing was decided on it"));
            }
        }
    }
    if let Some((from, to)) = request.days {
        let mut day = from;
        while day <= to {
            if calendar.hours(day)?.is_some() && !available.contains(&day) {
                notes.push(format!("{day} is a trading day the tape does not hold"));
            }
            day = day.succ_opt().context("date out of range")?;
        }
    }
    if days.iter().all(|d| d.warm_up) {
        let text = format!("no trading day to replay in {from}..{to}: {}", notes.join("; "));
        return Err(NothingToReplay(text).into());
    }
    Ok(days)
}

/// Which timeframes recorded bars cannot fill, and on how many days.
fn frames_notes(feed: &dyn TickFeed, days: &[PlannedDay]) -> Vec<String> {
    let mut recorded: BTreeMap<(Underlying, Age), usize> = BTreeMap::new();
    for key in days.iter().flat_map(|day| feed.bars_of(day.hours.day)) {
        *recorded.entry(key).or_default() += 1;
    }
    let note = |((index, length), days): ((Underlying, Age), usize)| {
        let lost: Vec<&str> =
            Timeframe::ALL.into_iter().filter(|t| !t.can_be_built_from(length)).map(Timeframe::code).collect();
        let (bars, lost) = (interval_text(length), lost.join(", "));
        (!lost.is_empty())
            .then(|| format!("{index} is recorded as {bars} bars on {days} days: no {lost} bars are built"))
    };
    recorded.into_iter().filter_map(note).collect()
}

/// What a replay leaves behind.
struct Replayed<'b> {
    digest: String,
    books: Books,
    recorder: Recorder<'b>,
}

/// What every replay of a backtest shares.
struct Shared<'a, W> {
    wiring: &'a W,
    request: &'a BacktestRequest,
    feed: &'a dyn TickFeed,
    tables: &'a Tables,
    days: &'a [PlannedDay],
    ticks_done: &'a AtomicU64,
}

impl<W: Wiring> Shared<'_, W> {
    /// One replay under one fill model.
    fn replay<'b>(
        &self,
        model: FillModelKind,
        keep: Keep,
        bulk: Option<&'b mut dyn Bulk>,
    ) -> anyhow::Result<Replayed<'b>> {
        let Shared { wiring, request, tables, days, .. } = self;
        let core_tables =
            CoreTables { calendar: Arc::new(tables.calendar.clone()), charges: Arc::new(tables.charges.clone()) };
        let (core, driver) = wiring.build(&request.params, core_tables);
        let venue = VenueSim::new(FillModel::named(model));
        let planned = days.iter().filter(|d| !d.warm_up).count();
        let balance = request.params.capital.opening_balance.unwrap_or(Money::ZERO);
        let recorder = Recorder::new(keep, bulk, planned, balance);
        let progress = |ticks: u64| {
            self.ticks_done.fetch_add(ticks, Ordering::Relaxed);
        };
        let mut replay = Replay::new(core, venue, recorder, self.feed, &progress);
        for day in *days {
            replay.day(&driver, &day.hours, day.warm_up)?;
        }
        let (core, books, mut recorder) = replay.finish(&driver);
        recorder.finish();
        Ok(Replayed { digest: core.digest(), books, recorder })
    }
}

/// Runs a backtest. `ticks_done` counts ticks over all replays, for progress; `bulk` gets every decision and bar of the
/// headline replay, which the result keeps only as far as reports show them.
///
/// # Errors
/// When the feed cannot be read, holds no trading day in the range, or the core halts.
pub fn run(
    request: &BacktestRequest,
    feed: &dyn TickFeed,
    tables: &Tables,
    ticks_done: &AtomicU64,
    bulk: Option<&mut dyn Bulk>,
) -> anyhow::Result<BacktestResult> {
    run_wired(&Plain, request, feed, tables, ticks_done, bulk)
}

/// Runs a backtest through stages wired in a way of the caller's choice; the result is the same for every way.
///
/// # Errors
/// As [`run`].
pub fn run_wired<W: Wiring>(
    wiring: &W,
    request: &BacktestRequest,
    feed: &dyn TickFeed,
    tables: &Tables,
    ticks_done: &AtomicU64,
    bulk: Option<&mut dyn Bulk>,
) -> anyhow::Result<BacktestResult> {
    if request.headline == FillModelKind::Optimistic {
        anyhow::bail!("the headline is never the optimistic fill model; choose base, pessimistic or stressed");
    }
    let mut notes = Vec::new();
    let days = plan_days(request, feed, &tables.calendar, &mut notes)?;
    for day in &days {
        notes.extend(feed.notes(day.hours.day));
    }
    notes.extend(frames_notes(feed, &days));
    notes.sort();
    notes.dedup();

    let others: Vec<FillModelKind> =
        FillModelKind::ALL.into_iter().filter(|m| request.all_fill_models && *m != request.headline).collect();
    let shared = Shared { wiring, request, feed, tables, days: &days, ticks_done };
    // Two threads: the headline beside the other three, one after the other.
    let (headline, rest) = std::thread::scope(|scope| {
        let one = |model| shared.replay(model, Keep::Nothing, None).map(|done| (model, done));
        let rest = scope.spawn(move || others.into_iter().map(one).collect::<Result<Vec<_>, _>>());
        let headline = shared.replay(request.headline, Keep::Shown, bulk);
        (headline, rest.join().expect("a replay thread does not panic"))
    });
    let Replayed { digest, books, recorder } = headline?;
    let rest = rest?;

    let mut fill_models = vec![row(request.headline, &digest, &recorder)];
    fill_models.extend(rest.iter().map(|(model, other)| row(*model, &other.digest, &other.recorder)));
    fill_models.sort_by_key(|row| FillModelKind::ALL.iter().position(|m| m.name() == row.model));

    let replayed: Vec<NaiveDate> = days.iter().map(|d| d.hours.day).collect();
    let traded: Vec<NaiveDate> = days.iter().filter(|d| !d.warm_up).map(|d| d.hours.day).collect();
    let funnel = recorder.funnel();
    let mut data = recorder.data;
    let refused = &books.refused_ticks;
    data.out_of_order = refused.get(&TickRefusal::OutOfOrder).copied().unwrap_or(0);
    data.rejected = refused.iter().filter(|(reason, _)| reason.is_about_price()).map(|(_, count)| count).sum();
    if recorder.warm_up_ticks > 0 {
        let days = days.iter().filter(|d| d.warm_up).count();
        let ticks = recorder.warm_up_ticks;
        notes.push(format!("the counts include {ticks} ticks of {days} warm-up days, which only feed indicators"));
    }
    data.missing_bars = books.missing_bars;
    if data.derived_index > 0 {
        notes
            .push("an index has no recorded spot: its level is the put-call parity forward, marked derived".to_owned());
    }
    data.notes = notes;
    Ok(BacktestResult {
        meta: RunMeta {
            title: feed.title(),
            first_day: *traded.first().expect("checked by the plan"),
            last_day: *traded.last().expect("checked by the plan"),
            days: traded.len(),
            preset: request.preset.clone(),
            config_hash: blake3_pair(&request.config_hash, &tables.hash),
            tape_hash: feed.hash(&replayed)?,
            code_version: CODE_VERSION.to_owned(),
            fill_model: request.headline.name().to_owned(),
            opening_balance: request.params.capital.opening_balance.unwrap_or(Money::ZERO),
        },
        assumptions: super::assumptions::list(request, &days.iter().map(|d| d.warm_up).collect::<Vec<_>>()),
        rules: rules::rows(&books.risk, &recorder.trades),
        trades: recorder.trades,
        unresolved: recorder.unresolved,
        orders: recorder.orders,
        fills: recorder.fills,
        decisions: recorder.decisions,
        funnel,
        bars: recorder.bars,
        days: recorder.days,
        equity: recorder.equity,
        charges: recorder.charges,
        fill_models,
        data,
        unfilled_entries: recorder.unfilled_entries,
        digest,
    })
}

fn row(model: FillModelKind, digest: &str, recorder: &Recorder<'_>) -> FillModelRow {
    let gross = recorder.trades.iter().map(|t| t.gross).sum();
    let charges = recorder.charges.total();
    FillModelRow {
        model: model.name(),
        trades: recorder.trades.len(),
        gross,
        charges,
        net: gross - charges,
        unfilled_entries: recorder.unfilled_entries,
        unresolved: recorder.unresolved.len(),
        digest: digest.to_owned(),
    }
}

fn blake3_pair(a: &str, b: &str) -> String {
    blake3::hash(format!("{a}|{b}").as_bytes()).to_hex().to_string()
}

/// Version of the program with the first digits of the hash of its sources.
pub const CODE_VERSION: &str = env!("SCALPER_VERSION");
