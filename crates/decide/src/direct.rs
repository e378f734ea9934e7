//! The stages by direct calls: what the backtest runs, and the reference for every other way to wire them.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use chrono::NaiveDate;
use smallvec::SmallVec;

use crate::capital_allocator::{CapitalAllocator, CapitalHold, CapitalRefusal, HoldRequest};
use crate::chain_analyzer::{self, NoStrike, StrikePick};
use crate::digest::Digest;
use crate::domain::operator::{OperatorAnswer, OperatorCommand};
use crate::domain::order::{IllegalTransition, OrderSide};
use crate::domain::{
    Age, ChargeBook, ChargeRates, Command, Event, IndexPrice, Instant, InstrumentId, InstrumentKind, Money, OrderEvent,
    PositionId, Qty, SessionCalendar, SessionHours, Stamp, Tick, Underlying, Universe,
};
use crate::entry_guard::{EntryBlock, EntryContext, EntryGuard, EntryRefusal, Guarded, PositionCounts};
use crate::journal::{ExitNote, JournalEntry};
use crate::order_manager::{Commands, OrderManager, Outcome, PositionChange};
use crate::params::StrategyParams;
use crate::params::change::{self, Circumstances, ConfigChange, Effect};
use crate::pipeline::{self, EntryPrices, Halt, Stages};
use crate::risk_manager::{Excursion, RiskAction, RiskActions, RiskApproved, RiskManager, RiskRefusal};
use crate::sequencer::Sequencer;
use crate::signal_engine::{ClosedBars, IvHistory, NoSignal, Signal, SignalEngine};
use crate::tick_cache::{Quote, TickCache, TickRefusal};

/// Most that a feed packet may lie behind its exchange time.
const LAG_MAX: Age = Age::from_secs(5);

/// Dated tables the core needs while it runs.
#[derive(Debug, Clone)]
pub struct CoreTables {
    /// Sessions: when an expiry's contracts stop trading.
    pub calendar: Arc<SessionCalendar>,
    /// Charges by day and exchange.
    pub charges: Arc<ChargeBook>,
}

/// The decision core: all stages, wired by direct calls.
#[derive(Debug)]
pub struct Direct {
    params: StrategyParams,
    tables: CoreTables,
    sequencer: Sequencer,
    digest: Digest,
    universe: Universe,
    tick_cache: TickCache,
    engines: Vec<SignalEngine>,
    engine_of: [Option<usize>; Underlying::ALL.len()],
    is_index: Vec<bool>,
    allocator: CapitalAllocator,
    guard: EntryGuard,
    risk: RiskManager,
    orders: OrderManager,
    hours: Option<SessionHours>,
    /// From here on the index is not driven by continuous trades.
    index_quiet_from: Instant,
    commands: Vec<(Stamp, Command)>,
    journal: Vec<JournalEntry>,
    refused_ticks: BTreeMap<TickRefusal, u64>,
    missing_rates: BTreeMap<Underlying, String>,
    iv_history: BTreeMap<Underlying, Vec<(NaiveDate, f64)>>,
    reload: Reload,
}

/// What is remembered between two settings.
#[derive(Debug, Default)]
struct Reload {
    /// The first settings came as an event.
    is_configured: bool,
    /// Settings of which some keys wait for the next trading day.
    waiting: Option<Box<StrategyParams>>,
    /// The session has closed a bar.
    has_bars: bool,
    /// The session in force: warm-up or not, and the indices of which only bars were recorded.
    warm_up: bool,
    bars_of: BTreeMap<Underlying, Age>,
    /// The session has been closed.
    is_closed: bool,
}

impl Direct {
    /// A core that has seen nothing. `iv_history` seeds the IV rank, oldest session first.
    pub fn new(
        params: StrategyParams,
        tables: CoreTables,
        iv_history: &BTreeMap<Underlying, Vec<(NaiveDate, f64)>>,
    ) -> Direct {
        let mut engine_of = [None; Underlying::ALL.len()];
        let engines: Vec<SignalEngine> = params
            .indices
            .iter()
            .enumerate()
            .map(|(i, u)| {
                engine_of[u.index()] = Some(i);
                let iv = IvHistory::seeded(iv_history.get(u).into_iter().flatten().copied());
                SignalEngine::new(*u, params.signal_of(*u).clone(), iv)
            })
            .collect();
        Direct {
            sequencer: Sequencer::new(),
            digest: Digest::new(),
            universe: Universe::new(),
            tick_cache: TickCache::new(),
            engines,
            engine_of,
            is_index: Vec::new(),
            allocator: CapitalAllocator::new(params.capital.clone()),
            guard: EntryGuard::new(params.entry_guard.clone()),
            risk: RiskManager::new(params.risk.clone()),
            orders: OrderManager::new(params.orders.clone()),
            hours: None,
            index_quiet_from: Instant::MAX,
            commands: Vec::new(),
            journal: Vec::new(),
            refused_ticks: BTreeMap::new(),
            missing_rates: BTreeMap::new(),
            iv_history: iv_history.clone(),
            reload: Reload::default(),
            params,
            tables,
        }
    }

    /// Settings in force.
    pub const fn params(&self) -> &StrategyParams {
        &self.params
    }

    /// What the engine is doing, as far as changes of settings are concerned.
    pub fn circumstances(&self) -> Circumstances {
        let has_bars = self.reload.has_bars && !self.reload.is_closed;
        Circumstances { is_flat: self.orders.is_flat(), has_bars }
    }

    /// Contracts held whose last quote is older than `limit`, or missing: somebody should ask for one (F-42).
    pub fn stale_held(&self, now: Instant, limit: Age) -> Vec<InstrumentId> {
        let is_stale = |id: &InstrumentId| self.tick_cache.quote(*id).is_none_or(|q| q.age(now) > limit);
        self.risk.held().filter(is_stale).collect()
    }

    /// Makes `params` the settings in force. Signal engines whose settings changed start without bars.
    fn apply_params(&mut self, params: StrategyParams) {
        let mut old: BTreeMap<Underlying, SignalEngine> =
            std::mem::take(&mut self.engines).into_iter().map(|e| (e.underlying(), e)).collect();
        self.engine_of = [None; Underlying::ALL.len()];
        for (i, underlying) in params.indices.iter().enumerate() {
            self.engine_of[underlying.index()] = Some(i);
            let is_known = self.params.indices.contains(underlying)
                && self.params.signal_of(*underlying) == params.signal_of(*underlying);
            let engine = old.remove(underlying).filter(|_| is_known).unwrap_or_else(|| {
                let iv = IvHistory::seeded(self.iv_history.get(underlying).into_iter().flatten().copied());
                let mut engine = SignalEngine::new(*underlying, params.signal_of(*underlying).clone(), iv);
                if let Some(hours) = self.hours.as_ref().filter(|_| !self.reload.is_closed) {
                    let recorded = self.reload.bars_of.get(underlying).copied();
                    engine.open_session(hours.clone(), self.reload.warm_up, recorded);
                }
                engine
            });
            self.engines.push(engine);
        }
        if self.params.capital.opening_balance != params.capital.opening_balance {
            self.allocator.set_balance(params.capital.opening_balance);
        }
        self.allocator.configure(params.capital.clone());
        self.guard.configure(params.entry_guard.clone());
        self.risk.configure(params.risk.clone());
        self.orders.configure(params.orders.clone());
        self.params = params;
    }

    /// Takes one event in at engine time `at`.
    ///
    /// # Errors
    /// [`Halt`] when the core must stop.
    pub fn handle(&mut self, at: Instant, event: &Event) -> Result<(), Halt> {
        let now = self.sequencer.stamp(at);
        ready(pipeline::run_event(self, now, event))
    }

    /// Takes one tick in; the same as [`Direct::handle`] with a tick event, without building one. Returns whether
    /// [`Direct::wake_at`] may have changed: only ticks of an index or of a contract in play can do that.
    #[inline]
    pub fn handle_tick(&mut self, at: Instant, tick: &Tick) -> bool {
        let now = self.sequencer.stamp(at);
        ready(pipeline::on_tick(self, now, tick));
        self.is_index[tick.instrument.slot()] || self.risk.is_in_play(tick.instrument)
    }

    /// Commands since the last call, in order.
    pub fn take_commands(&mut self) -> std::vec::Drain<'_, (Stamp, Command)> {
        self.commands.drain(..)
    }

    /// Whether commands wait to be taken.
    #[inline]
    pub const fn has_commands(&self) -> bool {
        !self.commands.is_empty()
    }

    /// Journal lines since the last call, in order.
    pub fn take_journal(&mut self) -> std::vec::Drain<'_, JournalEntry> {
        self.journal.drain(..)
    }

    /// Whether journal lines wait to be taken.
    #[inline]
    pub const fn has_journal(&self) -> bool {
        !self.journal.is_empty()
    }

    /// When a timer event is wanted next.
    #[inline]
    pub fn wake_at(&self) -> Option<Instant> {
        let bars = self.engines.iter().filter_map(SignalEngine::wake_at);
        bars.chain(self.risk.wake_at()).chain(self.orders.wake_at()).min()
    }

    /// Digest of everything so far.
    pub fn digest(&self) -> String {
        self.digest.value()
    }

    /// Instruments known so far.
    pub const fn universe(&self) -> &Universe {
        &self.universe
    }

    /// The capital allocator.
    pub const fn capital(&self) -> &CapitalAllocator {
        &self.allocator
    }

    /// The risk manager.
    pub const fn risk(&self) -> &RiskManager {
        &self.risk
    }

    /// The order manager.
    pub const fn orders(&self) -> &OrderManager {
        &self.orders
    }

    /// The signal engines, in order of the configured indices.
    pub fn engines(&self) -> &[SignalEngine] {
        &self.engines
    }

    /// Whether this tick was believed and is the last known of its instrument.
    pub fn holds(&self, tick: &Tick) -> bool {
        let held = self.tick_cache.quote(tick.instrument);
        tick.flags.is_decidable()
            && held.is_some_and(|q| (q.received_at, q.ltp_paise) == (tick.received_at, tick.ltp_paise))
    }

    /// Ticks kept out, by reason.
    pub const fn refused_ticks(&self) -> &BTreeMap<TickRefusal, u64> {
        &self.refused_ticks
    }

    /// Indices that cannot be traded today because a dated table has no answer, with the reason.
    pub const fn missing_rates(&self) -> &BTreeMap<Underlying, String> {
        &self.missing_rates
    }

    fn engine(&mut self, underlying: Underlying) -> Option<&mut SignalEngine> {
        self.engine_of[underlying.index()].map(|i| &mut self.engines[i])
    }

    /// When contracts of `expiry` stop trading; `None` when the calendar does not know the day.
    fn expires_at(&self, expiry: NaiveDate) -> Option<Instant> {
        self.tables.calendar.hours(expiry).ok().flatten().map(|hours| hours.close_at())
    }

    /// Expiries listed from today on with the time they stop trading.
    fn listed_expiries(&self, underlying: Underlying) -> Vec<(NaiveDate, Instant)> {
        let Some(hours) = &self.hours else { return Vec::new() };
        let expiries = self.universe.expiries(underlying, hours.day);
        expiries.filter_map(|expiry| Some((expiry, self.expires_at(expiry)?))).collect()
    }

    fn open_session(&mut self, hours: &SessionHours, warm_up: bool, bars_of: &BTreeMap<Underlying, Age>) {
        let known = self.hours.as_ref().map(|h| h.day);
        let is_new_day = known != Some(hours.day);
        if is_new_day && let Some(waiting) = self.reload.waiting.take() {
            let changes = change::classify(&self.params, &waiting, self.circumstances());
            let due = [Effect::AppliesNow, Effect::NextSession];
            let params = change::merged(&self.params, &waiting, &changes, &due);
            self.apply_params(params);
        }
        // A restart opens a day again that is under way: prices and bars of it stay.
        let goes_on = !is_new_day && !self.reload.is_closed && self.reload.warm_up == warm_up;
        self.reload.is_closed = false;
        self.reload.warm_up = warm_up;
        self.reload.bars_of.clone_from(bars_of);
        let mut hours = hours.clone();
        if let Some(wanted) = &self.params.risk.cutoffs {
            hours.cutoffs = wanted.clamped_to(&hours.cutoffs);
        }
        if !goes_on {
            self.reload.has_bars = false;
            self.tick_cache.open_session();
            for engine in &mut self.engines {
                let recorded = bars_of.get(&engine.underlying()).copied();
                engine.open_session(hours.clone(), warm_up, recorded);
            }
        }
        self.allocator.open_session(hours.day);
        self.guard.open_session(hours.day);
        let mut rates: BTreeMap<Underlying, ChargeRates> = BTreeMap::new();
        self.missing_rates.clear();
        for underlying in &self.params.indices {
            match self.tables.charges.on(underlying.exchange(), hours.day) {
                Ok(found) => {
                    rates.insert(*underlying, found);
                }
                Err(missing) => {
                    self.missing_rates.insert(*underlying, missing.to_string());
                }
            }
        }
        let band = self.allocator.opening_band().map(|b| b.day_loss);
        self.risk.open_session(hours.clone(), self.allocator.opening_of_day(), band, rates.clone());
        self.orders.open_session(&hours, rates);
        self.index_quiet_from = hours.at(hours.index_continuous_close);
        self.hours = Some(hours);
    }

    /// Charges of a one-lot-independent round trip: two orders' flat fees with their tax, for sizing.
    fn flat_round_trip(&self, underlying: Underlying) -> Money {
        let Some(hours) = &self.hours else { return Money::ZERO };
        let Ok(rates) = self.tables.charges.on(underlying.exchange(), hours.day) else { return Money::ZERO };
        // Turnover of one paisa: only the flat heads remain.
        let one = Money::from_paise(1);
        rates.for_order(OrderSide::Buy, one).total() + rates.for_order(OrderSide::Sell, one).total()
    }
}

/// Runs a future that never waits.
///
/// # Panics
/// When it does wait: the direct stages have nothing to wait for.
#[inline]
fn ready<F: Future>(future: F) -> F::Output {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("direct stages never wait"),
    }
}

impl Stages for Direct {
    fn note_event(&mut self, now: Stamp, event: &Event) {
        self.digest.event(now, event);
    }

    fn journal(&mut self, entry: JournalEntry) {
        self.digest.entry(&entry);
        self.journal.push(entry);
    }

    fn send(&mut self, now: Stamp, command: Command) {
        self.commands.push((now, command));
    }

    fn tick_refused(&mut self, _: &Tick, refusal: TickRefusal) {
        *self.refused_ticks.entry(refusal).or_default() += 1;
    }

    #[inline]
    fn is_in_play(&self, instrument: InstrumentId) -> bool {
        self.risk.is_in_play(instrument)
    }

    fn underlyings(&self) -> &[Underlying] {
        &self.params.indices
    }

    async fn open(&mut self, _: Stamp, event: &Event) {
        match event {
            Event::SessionOpened { hours, warm_up, bars_of } => self.open_session(hours, *warm_up, bars_of),
            Event::Listed { instrument } => {
                let id = self.universe.list(instrument.clone());
                self.tick_cache.list(id, instrument.kind);
                self.risk.list(id);
                if self.is_index.len() <= id.slot() {
                    self.is_index.resize(id.slot() + 1, false);
                }
                self.is_index[id.slot()] = matches!(instrument.kind, InstrumentKind::Index { .. });
            }
            Event::SessionClosed { .. } => {
                self.reload.is_closed = true;
                for engine in &mut self.engines {
                    engine.close_session();
                }
            }
            _ => {}
        }
    }

    #[inline]
    async fn apply_tick(&mut self, now: Stamp, tick: &Tick) -> Result<InstrumentKind, TickRefusal> {
        self.digest.tick(now, tick);
        self.tick_cache.apply(tick)
    }

    async fn quote(&mut self, instrument: InstrumentId) -> Option<Quote> {
        self.tick_cache.quote(instrument).copied()
    }

    async fn index_level(&mut self, underlying: Underlying) -> Option<IndexPrice> {
        self.universe.index_of(underlying).and_then(|id| self.tick_cache.quote(id)).map(Quote::level)
    }

    async fn exits_due(&mut self, now: Stamp, instrument: InstrumentId, quote: &Quote) -> RiskActions {
        self.risk.exits_due(now, instrument, quote)
    }

    async fn timed_exits(&mut self, now: Stamp) -> RiskActions {
        self.risk.on_timer(now)
    }

    async fn judgements_due(&mut self, now: Stamp) -> SmallVec<[InstrumentId; 4]> {
        self.risk.judgements_due(now.at)
    }

    async fn operator(&mut self, _: Stamp, command: &OperatorCommand) -> (OperatorAnswer, RiskActions) {
        self.risk.operate(command)
    }

    async fn configure(&mut self, _: Stamp, params: &StrategyParams) -> Vec<ConfigChange> {
        if !std::mem::replace(&mut self.reload.is_configured, true) && self.hours.is_none() {
            // What the core was built with was nobody's choice: nothing is compared with it.
            self.apply_params(params.clone());
            return Vec::new();
        }
        let changes = change::classify(&self.params, params, self.circumstances());
        let now_in_force = change::merged(&self.params, params, &changes, &[Effect::AppliesNow]);
        self.apply_params(now_in_force);
        let waits = changes.iter().any(|c| c.effect == Effect::NextSession);
        self.reload.waiting = waits.then(|| Box::new(params.clone()));
        changes
    }

    async fn act(&mut self, now: Stamp, action: RiskAction) -> Commands {
        self.orders.act(now, action)
    }

    async fn follow_quote(&mut self, now: Stamp, instrument: InstrumentId, quote: &Quote) -> Commands {
        self.orders.on_quote(now, instrument, quote)
    }

    async fn order_timers(&mut self, now: Stamp) -> Outcome {
        self.orders.on_timer(now)
    }

    async fn apply_report(&mut self, now: Stamp, event: &OrderEvent) -> Result<Outcome, IllegalTransition> {
        self.orders.apply(now, event)
    }

    async fn settle(&mut self, now: Stamp, event: &Event) -> Outcome {
        match event {
            Event::Settled { underlying, expiry, value, .. } => self.orders.settle(now, *underlying, *expiry, *value),
            Event::SessionClosed { .. } => self.orders.close_session(now),
            _ => Outcome::default(),
        }
    }

    #[inline]
    async fn observe_index(&mut self, underlying: Underlying, tick: &Tick) {
        // A source that lags (polled snapshots do, by a minute and more) is dated by when it was seen: by its own
        // time its bars would be closed already.
        let lags = tick.received_at.age_of(tick.exchange_at) > LAG_MAX;
        let at = if lags { tick.received_at } else { tick.exchange_at };
        if at >= self.index_quiet_from {
            return;
        }
        if let Some(engine) = self.engine(underlying) {
            engine.on_tick(at, tick.ltp_paise);
        }
    }

    async fn close_bars(&mut self, now: Stamp, underlying: Underlying) -> ClosedBars {
        let bars = self.engine(underlying).map_or_else(ClosedBars::new, |engine| engine.close_bars(now.at));
        self.reload.has_bars |= !bars.is_empty();
        bars
    }

    fn has_primary(&self, underlying: Underlying, bars: &ClosedBars) -> bool {
        let engine = self.engine_of[underlying.index()].map(|i| &self.engines[i]);
        engine.is_some_and(|engine| bars.iter().any(|bar| engine.is_primary(bar.timeframe)))
    }

    async fn sample_iv(&mut self, now: Stamp, underlying: Underlying) {
        let Some(day) = self.hours.as_ref().map(|h| h.day) else { return };
        // The nearest expiry after today: expiry-day volatilities would distort the range of the rank.
        let next = self.listed_expiries(underlying).into_iter().find(|(expiry, _)| *expiry > day);
        let Some((expiry, expires_at)) = next else { return };
        let snapshot = self.tick_cache.snapshot(&self.universe, underlying, day, expiry, expires_at);
        let sample = chain_analyzer::atm_iv(&self.params.chain, now, &snapshot);
        if let (Some(iv), Some(engine)) = (sample, self.engine(underlying)) {
            engine.sample_iv(day, iv);
        }
    }

    async fn evaluate(&mut self, now: Stamp, underlying: Underlying) -> Result<Signal, NoSignal> {
        let nearest = self.listed_expiries(underlying).into_iter().map(|(_, at)| at).find(|at| *at > now.at);
        let minutes = nearest.map(|at| at.age_of(now.at).secs() / 60);
        match self.engine(underlying) {
            Some(engine) => engine.evaluate(now, minutes),
            None => Err(NoSignal::WarmUpDay),
        }
    }

    async fn pick_strike(&mut self, now: Stamp, signal: &Signal) -> Result<(StrikePick, Instant), NoStrike> {
        let underlying = signal.id.underlying;
        let listed = self.listed_expiries(underlying);
        let expiry = chain_analyzer::choose_expiry(&self.params.chain, now.at, &listed)?;
        let day = self.hours.as_ref().map_or(expiry, |h| h.day);
        let expires_at = listed.iter().find(|(e, _)| *e == expiry).map_or(Instant::MAX, |(_, at)| *at);
        let snapshot = self.tick_cache.snapshot(&self.universe, underlying, day, expiry, expires_at);
        let pick = chain_analyzer::rank(&self.params.chain, now, signal.id.direction, &snapshot)?;
        Ok((pick, expires_at))
    }

    async fn entry_prices(&mut self, pick: &StrikePick) -> Option<EntryPrices> {
        let ask = self.tick_cache.quote(pick.chosen.id)?.buyable_at()?;
        Some(EntryPrices { ask, limit: self.orders.entry_limit(ask, pick.chosen.contract.tick) })
    }

    async fn hold(
        &mut self,
        now: Stamp,
        pick: &StrikePick,
        expires_at: Instant,
        prices: EntryPrices,
    ) -> Result<CapitalHold, CapitalRefusal> {
        let contract = &pick.chosen.contract;
        let preview = self.risk.preview(now.at, contract, expires_at, prices.limit);
        let flat = self.flat_round_trip(contract.underlying);
        self.allocator.hold(&HoldRequest {
            underlying: contract.underlying,
            entry_limit: prices.limit,
            stop: preview.trigger,
            stop_limit: preview.limit,
            lot: contract.lot,
            lots_cap: preview.lots_cap,
            round_trip_charges_per_order: flat,
        })
    }

    async fn release(&mut self, hold: &CapitalHold) {
        self.allocator.release(hold.id);
    }

    async fn judge_entry(
        &mut self,
        now: Stamp,
        signal: &Signal,
        pick: &StrikePick,
        prices: EntryPrices,
    ) -> Result<Guarded, EntryRefusal> {
        let underlying = signal.id.underlying;
        let exposure = self.orders.exposure(underlying, pick.chosen.id);
        let block =
            self.risk.entry_block(now.at, underlying).map(|b| EntryBlock { code: b.code(), text: b.to_string() });
        let unpriced =
            || Some(EntryBlock { code: "NO_CHARGE_RATES", text: self.missing_rates.get(&underlying)?.clone() });
        let block = block.or_else(unpriced);
        let index_quote = self.universe.index_of(underlying).and_then(|id| self.tick_cache.quote(id));
        let context = EntryContext {
            signal: signal.id,
            contract: &pick.chosen.contract,
            instrument: pick.chosen.id,
            hours: self.hours.as_ref().expect("a signal exists only inside a session"),
            index_quote,
            option_quote: self.tick_cache.quote(pick.chosen.id),
            entry_limit: prices.limit,
            open: PositionCounts {
                in_contract: exposure.in_contract,
                in_index: exposure.in_index,
                total: exposure.total,
                others_in_contract_all_in_profit: self.risk.all_in_profit(pick.chosen.id),
                in_doubt_in_underlying: exposure.in_doubt,
            },
            entries_blocked: block,
            duplicate_signal: self.orders.is_used(&signal.id),
        };
        self.guard.decide(now, &context)
    }

    async fn approve(
        &mut self,
        now: Stamp,
        guarded: Guarded,
        signal: &Signal,
        pick: &StrikePick,
        expires_at: Instant,
        hold: &CapitalHold,
        prices: EntryPrices,
    ) -> Result<RiskApproved, RiskRefusal> {
        self.risk.approve(now, guarded, signal.id, pick, expires_at, *hold, prices.limit)
    }

    async fn place(&mut self, now: Stamp, approved: RiskApproved) -> (PositionId, Commands) {
        let plan = approved.entry().plan;
        let quote = self.tick_cache.quote(plan.instrument).copied();
        let (position, commands) = self.orders.place(now, &approved, quote);
        self.risk.expect(position, plan);
        (position, commands)
    }

    async fn position_changed(&mut self, now: Stamp, change: &PositionChange) -> (RiskActions, Option<Excursion>) {
        let none = RiskActions::new();
        let position = change.position();
        let Some(entry) = self.orders.entry(position) else { return (none, None) };
        let (hold, contract, signal) = (entry.hold.id, entry.contract, entry.plan.signal);
        let underlying = contract.underlying;
        match change {
            PositionChange::Bought { cost, owned, average, charges, .. } => {
                // An entry counts towards the day's trades with its first unit; one that never fills does not.
                if self.risk.guarded().all(|p| p.id != position) {
                    self.guard.entered(now, signal);
                }
                self.allocator.bought(hold, *cost, *charges);
                self.risk.book(underlying, -*charges);
                let protect = self.risk.bought(now, position, *owned, *average);
                let exits = self.risk.judge();
                let leaves = exits.iter().any(|e| matches!(e, RiskAction::Exit { position: p, .. } if *p == position));
                // A stop for units that leave in the same event would only stand in their way.
                let protect = if leaves { RiskActions::new() } else { protect };
                (protect.into_iter().chain(exits).collect(), None)
            }
            PositionChange::EntryDone { .. } => {
                self.allocator.entry_done(hold);
                (none, None)
            }
            PositionChange::Sold { cost_basis, proceeds, owned, charges, .. } => {
                self.allocator.sold(hold, *cost_basis, *proceeds, *charges);
                self.risk.book(underlying, *proceeds - *cost_basis - *charges);
                self.risk.sold(position, *owned);
                (self.risk.judge(), None)
            }
            PositionChange::Repriced { amount, basis, average, charges, .. } => {
                self.allocator.repriced(hold, *amount, *basis, *charges);
                self.risk.book(underlying, *amount + *basis - *charges);
                let protect = self.risk.repriced(position, *average);
                (protect.into_iter().chain(self.risk.judge()).collect(), None)
            }
            PositionChange::Closed { net, .. } => {
                self.guard.exited(now, underlying, signal.direction, contract.strike, contract.right);
                (none, self.risk.closed(now.at, position, Some(*net)))
            }
            PositionChange::Abandoned { .. } => {
                self.allocator.release(hold);
                (none, self.risk.closed(now.at, position, None))
            }
            PositionChange::Unprotected { .. } => (self.risk.unprotected(position), None),
            PositionChange::Unresolved { cost_basis, .. } => {
                self.allocator.written_off(hold, *cost_basis);
                (none, self.risk.closed(now.at, position, None))
            }
        }
    }

    async fn exit_note(&mut self, _: Stamp, change: &PositionChange, excursion: Option<Excursion>) -> Option<ExitNote> {
        let (position, reason, unresolved, wanted) = match change {
            PositionChange::Closed { position, reason, .. } => (position, Some(*reason), Qty::ZERO, None),
            PositionChange::Abandoned { position } => (position, None, Qty::ZERO, None),
            PositionChange::Unresolved { position, owned, wanted, .. } => (position, None, *owned, *wanted),
            _ => return None,
        };
        let position = self.orders.position(*position)?.clone();
        let index = self.index_level(position.signal.underlying).await;
        let plan = self.orders.entry(position.id)?.plan;
        let tag = reason.map(|reason| self.risk.exit_tag(reason, &plan));
        Some(ExitNote { position, reason, excursion, index, unresolved, wanted, tag })
    }
}
