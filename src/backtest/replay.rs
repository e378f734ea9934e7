//! Drives the decision core with a feed and a virtual clock, and the simulated venue with its commands.
//!
//! At one instant the order is fixed: commands reach the venue, reports reach the engine, then ticks, then timers.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, bail};
use chrono::NaiveDate;
use scalper_decide::decision_core::{Books, Core};
use scalper_decide::direct::{self, CoreTables, Direct};
use scalper_decide::domain::{
    Age, Event, IndexPrice, Instant, InstrumentId, InstrumentKind, SessionHours, Tick, TickFlags, TickSource,
    TimeOfDay, Underlying,
};
use scalper_decide::params::StrategyParams;
use scalper_decide::venue_sim::{VenueOutput, VenueSim};

use super::feed::TickFeed;
use super::recorder::Recorder;

/// The exchange takes the average of the last half hour as closing value.
const SETTLEMENT_WINDOW: Age = Age::from_mins(30);
/// Ticks later than this after the close are counted, not replayed.
const AFTER_CLOSE: Age = Age::from_mins(1);

/// Timers at one instant after which the clock is stuck: real days have a handful.
const TIMERS_AT_ONCE: u32 = 10_000;

/// Average of the index inside the settlement window.
#[derive(Debug, Clone, Copy, Default)]
struct ClosingAverage {
    sum: i128,
    count: i128,
    /// Part of `count` that was derived from option prices.
    derived: i128,
}

impl ClosingAverage {
    fn add(&mut self, tick: &Tick) {
        self.sum += i128::from(tick.ltp_paise);
        self.count += 1;
        self.derived += i128::from(tick.source == TickSource::Derived);
    }

    /// The average, rounded down to the paisa, with its source in words.
    fn value(self) -> Option<(IndexPrice, String)> {
        if self.count == 0 {
            return None;
        }
        let index = if self.derived > 0 { "put-call parity forward (no spot was recorded)" } else { "recorded index" };
        let source = format!("average of the {index} over the last 30 minutes of continuous trading");
        Some((IndexPrice::from_paise((self.sum / self.count) as i64), source))
    }
}

/// Runs the futures of a replay: plain calls never wait, mailboxes need the runtime they live in.
pub trait Driver {
    /// Runs one future to its end.
    fn run<F: Future>(&self, future: F) -> F::Output;
}

/// The driver of plain calls.
#[derive(Debug, Clone, Copy)]
pub struct Plain;

impl Driver for Plain {
    #[inline]
    fn run<F: Future>(&self, future: F) -> F::Output {
        direct::ready(future)
    }
}

/// How the stages of a replay are wired. Each replay builds its own core, on its own thread.
pub trait Wiring: Sync {
    /// The wired core.
    type Core: Core;
    /// What runs its futures.
    type Driver: Driver;
    /// Builds a core that has seen nothing.
    fn build(&self, params: &StrategyParams, tables: CoreTables) -> (Self::Core, Self::Driver);
}

impl Wiring for Plain {
    type Core = Direct;
    type Driver = Plain;
    fn build(&self, params: &StrategyParams, tables: CoreTables) -> (Direct, Plain) {
        (Direct::new(params.clone(), tables, &BTreeMap::new()), Plain)
    }
}

/// One replay in progress.
pub struct Replay<'a, 'b, C> {
    core: C,
    venue: VenueSim,
    reports: BTreeMap<(Instant, u64), VenueOutput>,
    report_seq: u64,
    outputs: Vec<VenueOutput>,
    recorder: Recorder<'b>,
    feed: &'a dyn TickFeed,
    closing: [ClosingAverage; Underlying::ALL.len()],
    index_of_slot: Vec<Option<Underlying>>,
    expiring: BTreeSet<(Underlying, NaiveDate)>,
    on_progress: &'a (dyn Fn(u64) + Sync),
}

impl<'a, 'b, C: Core> Replay<'a, 'b, C> {
    /// A replay that has not started.
    pub fn new(
        core: C,
        venue: VenueSim,
        recorder: Recorder<'b>,
        feed: &'a dyn TickFeed,
        on_progress: &'a (dyn Fn(u64) + Sync),
    ) -> Replay<'a, 'b, C> {
        Replay {
            core,
            venue,
            reports: BTreeMap::new(),
            report_seq: 0,
            outputs: Vec::new(),
            recorder,
            feed,
            closing: Default::default(),
            index_of_slot: Vec::new(),
            expiring: BTreeSet::new(),
            on_progress,
        }
    }

    /// The core, its books and the records after the last day.
    pub fn finish(mut self, driver: &impl Driver) -> (C, Books, Recorder<'b>) {
        let books = driver.run(self.core.books());
        (self.core, books, self.recorder)
    }

    /// Replays one trading day.
    pub fn day(&mut self, driver: &impl Driver, hours: &SessionHours, warm_up: bool) -> anyhow::Result<()> {
        driver.run(self.open_day(hours, warm_up))?;
        let universe = self.core.universe().clone();
        let resolve = move |segment, id| universe.find(segment, id);
        let feed = self.feed;
        let mut next_due = self.next_due();
        feed.replay(hours.day, &resolve, &mut |ticks| {
            next_due = driver.run(self.batch(hours, ticks, next_due))?;
            (self.on_progress)(ticks.len() as u64);
            Ok(())
        })
        .with_context(|| format!("replaying {}", hours.day))?;
        driver.run(self.close_day(hours))
    }

    async fn open_day(&mut self, hours: &SessionHours, warm_up: bool) -> anyhow::Result<()> {
        let day = hours.day;
        let start = Instant::from_ist(day, TimeOfDay::from_secs(0).expect("midnight is a time"));
        let balance = self.core.books().await.capital.balance();
        self.recorder.open_day(day, warm_up, balance);
        let bars_of = self.feed.bars_of(day);
        self.core.handle(start, &Event::SessionOpened { hours: hours.clone(), warm_up, bars_of }).await?;
        self.venue.open_session(hours);
        self.closing = Default::default();
        self.list(day, start).await
    }

    /// Replays some ticks; `next_due` is when something else falls due, and is returned as it is after them.
    async fn batch(&mut self, hours: &SessionHours, ticks: &[Tick], mut next_due: Instant) -> anyhow::Result<Instant> {
        let last = hours.close_at() + AFTER_CLOSE;
        let settle_until = hours.at(hours.index_continuous_close);
        let settle_from = settle_until - SETTLEMENT_WINDOW;
        for tick in ticks {
            self.recorder.count(tick);
            if tick.received_at > last {
                continue;
            }
            if tick.received_at >= next_due {
                self.run_until(tick.received_at).await?;
                next_due = self.next_due();
            }
            if self.one_tick(tick, settle_from, settle_until).await {
                next_due = self.next_due();
            }
        }
        Ok(next_due)
    }

    async fn list(&mut self, day: NaiveDate, at: Instant) -> anyhow::Result<()> {
        self.expiring.clear();
        for mut instrument in self.feed.instruments(day)? {
            let known = self.core.universe().find(instrument.segment, instrument.security_id);
            instrument.id = known.unwrap_or(InstrumentId(u32::try_from(self.core.universe().len())?));
            if let Some(contract) = instrument.option()
                && contract.expiry == day
            {
                self.expiring.insert((contract.underlying, day));
            }
            let slot = instrument.id.slot();
            if self.index_of_slot.len() <= slot {
                self.index_of_slot.resize(slot + 1, None);
            }
            if let InstrumentKind::Index { underlying } = instrument.kind {
                self.index_of_slot[slot] = Some(underlying);
            }
            self.venue.list(&instrument);
            let unchanged = known.is_some_and(|id| **self.core.universe().get(id) == instrument);
            if !unchanged {
                self.core.handle(at, &Event::Listed { instrument }).await?;
            }
        }
        Ok(())
    }

    /// Replays one tick; returns whether something may be due earlier than before.
    #[inline]
    async fn one_tick(&mut self, tick: &Tick, settle_from: Instant, settle_until: Instant) -> bool {
        let at = tick.received_at;
        self.venue.on_tick(tick, &mut self.outputs);
        let reported = !self.outputs.is_empty();
        if reported {
            self.queue_reports();
        }
        let touched = self.core.handle_tick(at, tick).await;
        self.drain(at);
        if let Some(underlying) = self.index_of_slot[tick.instrument.slot()]
            && settle_from <= tick.exchange_at
            && tick.exchange_at < settle_until
            && self.core.holds(tick).await
        {
            self.closing[underlying.index()].add(tick);
        }
        reported || touched
    }

    fn queue_reports(&mut self) {
        for output in self.outputs.drain(..) {
            self.report_seq += 1;
            self.reports.insert((output.deliver_at, self.report_seq), output);
        }
    }

    #[inline]
    fn drain(&mut self, at: Instant) {
        if self.core.has_commands() {
            for (_, command) in self.core.take_commands() {
                self.venue.submit(at, command);
            }
        }
        if self.core.has_journal() {
            for entry in self.core.take_journal() {
                self.recorder.entry(entry);
            }
        }
    }

    /// The earliest instant at which something other than a tick is due. Timers count from just after their time,
    /// so that ticks of the same instant come first.
    #[inline]
    fn next_due(&self) -> Instant {
        let timer = self.core.wake_at().map(|t| t + Age::from_nanos(1));
        let report = self.reports.first_key_value().map(|((at, _), _)| *at);
        [timer, report, self.venue.wake_at()].into_iter().flatten().min().unwrap_or(Instant::MAX)
    }

    /// Handles everything due before a tick at `at`.
    async fn run_until(&mut self, at: Instant) -> anyhow::Result<()> {
        let mut timers = (Instant::from_nanos(i64::MIN), 0);
        loop {
            let arrival = self.venue.wake_at().unwrap_or(Instant::MAX);
            let report = self.reports.first_key_value().map_or(Instant::MAX, |((t, _), _)| *t);
            let timer = self.core.wake_at().unwrap_or(Instant::MAX);
            let first = arrival.min(report).min(timer);
            if first > at || (first == at && first == timer && first < arrival && first < report) {
                return Ok(());
            }
            if arrival == first {
                self.venue.advance(arrival, &mut self.outputs);
                self.queue_reports();
            } else if report == first {
                let (_, output) = self.reports.pop_first().expect("a report is due");
                self.recorder.fill_context(&output);
                self.core.handle(report, &Event::Order(output.event)).await?;
                self.drain(report);
            } else {
                if timer >= at {
                    return Ok(());
                }
                timers = if timers.0 < timer { (timer, 1) } else { (timers.0, timers.1 + 1) };
                if timers.1 > TIMERS_AT_ONCE {
                    bail!("a timer at {} falls due again and again: a bug", timer.ist_text());
                }
                self.core.handle(timer, &Event::Timer).await?;
                self.drain(timer);
            }
        }
    }

    async fn close_day(&mut self, hours: &SessionHours) -> anyhow::Result<()> {
        let close = hours.close_at();
        self.run_until(close + Age::from_nanos(1)).await?;
        self.venue.close_session(close, &mut self.outputs);
        self.queue_reports();
        // Reports under way at the close still arrive.
        self.run_until(close + AFTER_CLOSE).await?;
        let end = close + AFTER_CLOSE;
        for (underlying, expiry) in std::mem::take(&mut self.expiring) {
            let closing = self.closing[underlying.index()];
            let recorded = self.feed.settlement(hours.day, underlying).or_else(|| closing.value());
            if let Some((value, source)) = recorded {
                self.core.handle(end, &Event::Settled { underlying, expiry, value, source }).await?;
                self.drain(end);
            }
        }
        self.recorder.before_close(&self.core.books().await);
        self.core.handle(end, &Event::SessionClosed { day: hours.day }).await?;
        self.drain(end);
        self.recorder.close_day(&self.core.books().await, self.core.universe())
    }
}

/// Whether a tick was drawn through a bar or derived rather than observed.
pub fn is_synthesised(tick: &Tick) -> bool {
    tick.flags.has(TickFlags::SYNTHESISED) || tick.source == TickSource::Bar
}
