//! The stages by direct calls: what the backtest runs, and the reference for every other way to wire them.

#[cfg(test)]
mod model;

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use smallvec::SmallVec;

use crate::capital_allocator::{CapitalAllocator, CapitalHold, CapitalRefusal};
use crate::chain_analyzer::{self, NoStrike, StrikePick};
use crate::decision_core::{Books, Core};
use crate::domain::adoption::{AdoptRefusal, AdoptRequest, Adoption};
use crate::domain::broker::{BrokerEvent, BrokerRead};
use crate::domain::event::IvDays;
use crate::domain::operator::{OperatorAnswer, OperatorCommand};
use crate::domain::order::IllegalTransition;
use crate::domain::{
    ChargeBook, ClientOrderId, Command, Event, IndexPrice, Instant, InstrumentId, InstrumentKind, OrderEvent,
    PositionId, Qty, SessionCalendar, Stamp, Tick, Underlying, Universe,
};
use crate::entry_guard::{EntryGuard, EntryRefusal, Guarded};
use crate::journal::{AdoptionNote, ExitNote, JournalEntry};
use crate::order_manager::{self, Commands, LateUnits, OrderManager, Outcome, PositionChange};
use crate::params::StrategyParams;
use crate::params::change::{Circumstances, ConfigChange};
use crate::pipeline::{self, EntryPrices, Halt, Stages};
use crate::reconciler::{Owned, Reconciled, Reconciler, ReconcilerParams};
use crate::risk_manager::{EntryPlan, Excursion, RiskAction, RiskActions, RiskApproved, RiskManager, RiskRefusal};
use crate::signal_engine::{ClosedBars, NoSignal, Signal};
use crate::stages::entries::{self, EntryCase};
use crate::stages::{
    IvSeeds, Ledger, Market, NewSettings, Reload, SessionTerms, Signals, adoption, changes, reload, sellable, session,
};
use crate::tick_cache::{Quote, TickRefusal};

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
    reload: Reload,
    charges: Arc<ChargeBook>,
    ledger: Ledger,
    market: Market,
    signals: Signals,
    is_index: Vec<bool>,
    allocator: CapitalAllocator,
    guard: EntryGuard,
    risk: RiskManager,
    orders: OrderManager,
    reconciler: Reconciler,
    terms: Option<SessionTerms>,
}

/// The state of every stage, for another wiring of them to go on with.
#[derive(Debug)]
#[allow(missing_docs, reason = "each is named by its type")]
pub struct Parts {
    pub reload: Reload,
    pub charges: Arc<ChargeBook>,
    pub ledger: Ledger,
    pub market: Market,
    pub signals: Signals,
    pub allocator: CapitalAllocator,
    pub guard: EntryGuard,
    pub risk: RiskManager,
    pub orders: OrderManager,
    pub reconciler: Reconciler,
    pub terms: Option<SessionTerms>,
}

impl Direct {
    /// Ends the wiring and gives its state away.
    pub fn into_parts(self) -> Parts {
        let Direct {
            reload,
            charges,
            ledger,
            market,
            signals,
            is_index: _,
            allocator,
            guard,
            risk,
            orders,
            reconciler,
            terms,
        } = self;
        Parts { reload, charges, ledger, market, signals, allocator, guard, risk, orders, reconciler, terms }
    }

    /// A core that has seen nothing. `iv_history` seeds the IV rank, oldest session first.
    pub fn new(params: StrategyParams, tables: CoreTables, iv_history: &IvSeeds) -> Direct {
        Direct {
            ledger: Ledger::new(),
            market: Market::new(tables.calendar),
            charges: tables.charges,
            signals: Signals::new(&params, iv_history),
            is_index: Vec::new(),
            allocator: CapitalAllocator::new(params.capital.clone()),
            guard: EntryGuard::new(params.entry_guard.clone()),
            risk: RiskManager::new(params.risk.clone()),
            orders: OrderManager::new(params.orders.clone()),
            reconciler: Reconciler::off(),
            terms: None,
            reload: Reload::new(params),
        }
    }

    /// The same core facing a broker whose word has to be reconciled with ours.
    #[must_use]
    pub fn with_reconciler(self, params: ReconcilerParams) -> Direct {
        Direct { reconciler: Reconciler::new(params), ..self }
    }

    /// [`Core::handle`], for drivers that cannot await: these stages never wait.
    ///
    /// # Errors
    /// [`Halt`] when the core must stop.
    pub fn handle_now(&mut self, at: Instant, event: &Event) -> Result<(), Halt> {
        let now = self.ledger.stamp(at);
        ready(pipeline::run_event(self, now, event))
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

    /// The reconciler.
    pub const fn reconciler(&self) -> &Reconciler {
        &self.reconciler
    }

    /// The signal engines.
    pub const fn signals(&self) -> &Signals {
        &self.signals
    }

    /// Settings in force.
    pub const fn params(&self) -> &StrategyParams {
        self.reload.params()
    }

    /// What the engine is doing, as far as changes of settings are concerned.
    pub fn circumstances(&self) -> Circumstances {
        self.reload.circumstances(self.orders.is_flat())
    }

    fn apply_but_signals(&mut self, settings: &NewSettings) {
        reload::configure_capital(&mut self.allocator, settings);
        self.guard.configure(settings.new.entry_guard.clone());
        self.risk.configure(settings.new.risk.clone());
        self.orders.configure(settings.new.orders.clone());
    }

    fn open_session(&mut self, terms: SessionTerms) {
        self.market.open_session(&terms);
        self.signals.open_session(&terms);
        let opening = session::open_capital(&mut self.allocator, &terms);
        self.guard.open_session(terms.hours.day);
        self.risk.open_session(terms.hours.clone(), opening.balance, opening.day_loss, terms.rates.clone());
        self.orders.open_session(&terms.hours, terms.rates.clone());
        self.terms = Some(terms);
    }
}

/// Runs a future that never waits.
///
/// # Panics
/// When it does wait: the direct stages have nothing to wait for.
#[inline]
pub fn ready<F: Future>(future: F) -> F::Output {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("direct stages never wait"),
    }
}

impl Core for Direct {
    #[inline]
    fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    #[inline]
    fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    fn universe(&self) -> &Universe {
        self.market.universe()
    }

    #[inline]
    fn wake_at(&self) -> Option<Instant> {
        let bars = self.signals.wake_at();
        bars.into_iter().chain(self.risk.wake_at()).chain(self.orders.wake_at()).chain(self.reconciler.wake_at()).min()
    }

    async fn handle(&mut self, at: Instant, event: &Event) -> Result<(), Halt> {
        let now = self.ledger.stamp(at);
        pipeline::run_event(self, now, event).await
    }

    #[inline]
    async fn handle_tick(&mut self, at: Instant, tick: &Tick) -> bool {
        let now = self.ledger.stamp(at);
        ready(pipeline::on_tick(self, now, tick));
        self.is_index[tick.instrument.slot()] || self.risk.is_in_play(tick.instrument)
    }

    async fn holds(&mut self, tick: &Tick) -> bool {
        self.market.holds(tick)
    }

    async fn books(&mut self) -> Books {
        Books {
            as_of: self.ledger.last_stamp(),
            capital: self.allocator.clone(),
            guard: self.guard.clone(),
            risk: self.risk.clone(),
            orders: self.orders.clone(),
            reconciler: self.reconciler.clone(),
            refused_ticks: self.ledger.refused_ticks().clone(),
            missing_rates: self.terms.as_ref().map(|t| t.missing_rates.clone()).unwrap_or_default(),
            missing_bars: self.signals.missing_bars(),
            last_iv: self.signals.last_iv(),
        }
    }
}

impl Stages for Direct {
    fn note_event(&mut self, now: Stamp, event: &Event) {
        self.ledger.note_event(now, event);
    }

    fn journal(&mut self, entry: JournalEntry) {
        self.ledger.journal(entry);
    }

    fn send(&mut self, now: Stamp, command: Command) {
        self.ledger.send(now, command);
    }

    fn tick_refused(&mut self, _: &Tick, refusal: TickRefusal) {
        self.ledger.tick_refused(refusal);
    }

    fn note_sent(&mut self, now: Stamp, command: &Command) {
        self.reconciler.sent(now.at, command);
    }

    fn note_adopted(&mut self, id: ClientOrderId, qty: Qty) {
        self.reconciler.adopted(id, qty);
    }

    fn acknowledge(&mut self) -> bool {
        self.reconciler.acknowledge()
    }

    fn read(&mut self, _: Stamp, read: BrokerRead) {
        self.ledger.read(read);
    }

    #[inline]
    fn is_in_play(&self, instrument: InstrumentId) -> bool {
        self.risk.is_in_play(instrument)
    }

    fn underlyings(&self) -> &[Underlying] {
        &self.reload.params().indices
    }

    async fn open(&mut self, now: Stamp, event: &Event) {
        match event {
            Event::SessionOpened { hours, warm_up, bars_of } => {
                let was_open = self.reload.is_open();
                let opening = self.reload.opening(hours.day, *warm_up, bars_of, self.orders.is_flat());
                if let Some(settings) = &opening.settings {
                    let open = self.terms.as_ref().filter(|_| was_open);
                    self.signals.configure(settings, open);
                    self.apply_but_signals(settings);
                }
                let params = self.reload.params();
                let terms = SessionTerms::of(params, &self.charges, hours, *warm_up, bars_of, opening.goes_on);
                let proof_from = order_manager::proof_from(&terms.hours);
                self.open_session(terms);
                if self.reconciler.is_on() {
                    self.orders.prove_sells_from(proof_from);
                }
                if !warm_up {
                    self.reconciler.open_session(now.at);
                    self.reconciler.prove_from(proof_from);
                }
            }
            Event::Listed { instrument } => {
                let id = self.market.list(instrument);
                self.risk.list(id);
                self.reconciler.list(id, instrument);
                if self.is_index.len() <= id.slot() {
                    self.is_index.resize(id.slot() + 1, false);
                }
                self.is_index[id.slot()] = matches!(instrument.kind, InstrumentKind::Index { .. });
            }
            Event::SessionClosed { .. } => {
                self.reconciler.close_session(now.at);
                self.reload.session_closed();
                self.signals.close_session();
            }
            _ => {}
        }
    }

    #[inline]
    async fn apply_tick(&mut self, now: Stamp, tick: &Tick) -> Result<InstrumentKind, TickRefusal> {
        self.ledger.note_tick(now, tick);
        self.market.apply(tick)
    }

    async fn quote(&mut self, instrument: InstrumentId) -> Option<Quote> {
        self.market.quote(instrument)
    }

    async fn index_level(&mut self, underlying: Underlying) -> Option<IndexPrice> {
        self.market.index_level(underlying)
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

    async fn configure(
        &mut self,
        _: Stamp,
        params: &StrategyParams,
        reconciler: Option<&ReconcilerParams>,
    ) -> Vec<ConfigChange> {
        if let Some(reconciler) = reconciler.filter(|_| !self.reconciler.is_on()) {
            self.reconciler = Reconciler::new(*reconciler);
        }
        let (changes, settings) = self.reload.configure(params, self.orders.is_flat());
        let open = self.terms.as_ref().filter(|_| self.reload.is_open());
        self.signals.configure(&settings, open);
        self.apply_but_signals(&settings);
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

    async fn reconcile(&mut self, now: Stamp, said: Option<&BrokerEvent>) -> Reconciled {
        let Some(said) = said else { return self.reconciler.on_timer(now.at) };
        let owned = match said {
            BrokerEvent::Positions { .. } => changes::owned(&self.orders),
            _ => Owned::new(),
        };
        self.reconciler.hear(now.at, said, &owned)
    }

    async fn bind_sells(&mut self, now: Stamp) -> Outcome {
        let bounds = sellable::bounds(&self.reconciler, &sellable::held(&self.orders));
        sellable::bind(&mut self.orders, now, &bounds)
    }

    async fn take_over(&mut self, now: Stamp, late: &LateUnits) -> Outcome {
        let hold = self.orders.late_buyer(late).map(|underlying| self.allocator.hold_nothing(underlying));
        let quote = self.market.quote(late.instrument);
        let outcome = self.orders.take_over(now, late, hold, quote);
        if hold.is_some()
            && let Some(position) = outcome.changes.first().map(PositionChange::position)
            && let Some(entry) = self.orders.entry(position)
        {
            self.risk.expect(position, entry.plan);
        }
        outcome
    }

    async fn judge_adoption(
        &mut self,
        now: Stamp,
        ask: &AdoptRequest,
    ) -> Result<Option<(Adoption, EntryPlan)>, AdoptRefusal> {
        if self.risk.was_asked(ask.request) {
            return Ok(None);
        }
        let (instrument, contract) = adoption::find(self.market.universe(), &self.reload.params().indices, ask)?;
        let expires_at = adoption::expires_at(&self.market.listed_expiries(contract.underlying), &contract, ask)?;
        let adoption = self.reconciler.adoptable(now.at, instrument, &contract, ask)?;
        if !self.orders.may_protect(now.at) {
            return Err(AdoptRefusal::Closed);
        }
        let quote = self.market.quote(instrument);
        let plan = self.risk.plan_adoption(now.at, ask, &adoption, expires_at, quote.as_ref())?;
        Ok(Some((adoption, plan)))
    }

    async fn adopt(&mut self, now: Stamp, adoption: &Adoption, plan: EntryPlan) -> (AdoptionNote, Outcome) {
        let hold = self.allocator.hold_nothing(adoption.contract.underlying);
        let quote = self.market.quote(adoption.instrument);
        let (note, outcome) = adoption::take(&mut self.orders, now, adoption, plan, hold, quote);
        self.risk.expect(note.position, plan);
        self.reconciler.took_over(now.at, adoption.instrument, adoption.qty);
        (note, outcome)
    }

    async fn altered(&mut self, now: Stamp, id: ClientOrderId, shown: Option<Qty>) -> Outcome {
        self.orders.altered(now, id, shown)
    }

    async fn settle(&mut self, now: Stamp, event: &Event) -> Outcome {
        session::settle(&mut self.orders, now, event)
    }

    #[inline]
    async fn observe_index(&mut self, underlying: Underlying, tick: &Tick) {
        self.signals.observe(underlying, tick);
    }

    async fn close_bars(&mut self, now: Stamp, underlying: Underlying) -> ClosedBars {
        let bars = self.signals.close_bars(now, underlying);
        self.reload.bars_closed(!bars.is_empty());
        bars
    }

    fn has_primary(&self, underlying: Underlying, bars: &ClosedBars) -> bool {
        self.signals.has_primary(underlying, bars)
    }

    async fn sample_iv(&mut self, now: Stamp, underlying: Underlying) {
        let Some(chain) = self.market.sampled_chain(underlying) else { return };
        if let Some(iv) = chain_analyzer::atm_iv(&self.reload.params().chain, now, &chain) {
            self.signals.sample_iv(underlying, chain.day, iv);
        }
    }

    async fn recall_iv(&mut self, _: Stamp, days: &IvDays) {
        self.signals.recall_iv(days);
    }

    async fn evaluate(&mut self, now: Stamp, underlying: Underlying) -> Result<Signal, NoSignal> {
        let minutes = self.market.minutes_to_expiry(now, underlying);
        self.signals.evaluate(now, underlying, minutes)
    }

    async fn pick_strike(&mut self, now: Stamp, signal: &Signal) -> Result<(StrikePick, Instant), NoStrike> {
        let underlying = signal.id.underlying;
        let listed = self.market.listed_expiries(underlying);
        let expiry = entries::choose_expiry(&self.reload.params().chain, now, &listed)?;
        let chain = self.market.chain(underlying, expiry);
        let pick = chain_analyzer::rank(&self.reload.params().chain, now, signal.id.direction, &chain)?;
        Ok((pick, expiry.1))
    }

    async fn entry_prices(&mut self, pick: &StrikePick) -> Option<EntryPrices> {
        let ask = self.market.ask(pick.chosen.id)?;
        Some(entries::prices(&self.orders, &pick.chosen.contract, ask))
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
        self.allocator.hold(&entries::hold_request(self.terms.as_ref(), contract, prices, &preview))
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
        let (underlying, instrument) = (signal.id.underlying, pick.chosen.id);
        let case = EntryCase {
            signal: signal.id,
            contract: pick.chosen.contract,
            instrument,
            prices,
            quotes: self.market.entry_quotes(underlying, instrument),
            orders: entries::order_facts(&self.orders, &signal.id, instrument),
            risk: entries::risk_facts(&self.risk, now.at, underlying, instrument),
            broker: self.reconciler.entry_block(underlying),
        };
        entries::judge(&self.guard, now, self.terms.as_ref(), &case)
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
        let quote = self.market.quote(plan.instrument);
        let (position, commands) = self.orders.place(now, &approved, quote);
        self.risk.expect(position, plan);
        (position, commands)
    }

    async fn position_changed(&mut self, now: Stamp, change: &PositionChange) -> (RiskActions, Option<Excursion>) {
        let Some(whose) = changes::whose(&self.orders, change) else { return (RiskActions::new(), None) };
        changes::account(&mut self.allocator, &whose, change);
        let reaction = changes::react(&mut self.risk, now, &whose, change);
        changes::remember(&mut self.guard, now, &whose, change, reaction.is_first);
        (reaction.actions, reaction.excursion)
    }

    async fn exit_note(&mut self, _: Stamp, change: &PositionChange, excursion: Option<Excursion>) -> Option<ExitNote> {
        let note = changes::exit_note(&self.orders, change, excursion)?;
        let plan = self.orders.entry(note.position.id)?.plan;
        let tag = changes::exit_tag(&self.risk, note.reason, &plan);
        let index = self.market.index_level(note.position.signal.underlying);
        Some(ExitNote { index, tag, ..note })
    }
}
