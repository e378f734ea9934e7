//! The stages by mailbox: each question of the pipeline becomes a message to the decider of that name, awaited on the
//! thread all deciders share. What the pipeline asks without waiting is mirrored here from their answers.

use std::sync::Arc;

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Handler, Message};
use scalper_decide::capital_allocator::{CapitalHold, CapitalRefusal};
use scalper_decide::chain_analyzer::{NoStrike, StrikePick};
use scalper_decide::decision_core::Books;
use scalper_decide::direct::{Direct, Parts};
use scalper_decide::domain::adoption::{AdoptRefusal, AdoptRequest, Adoption};
use scalper_decide::domain::broker::{BrokerEvent, BrokerRead};
use scalper_decide::domain::event::IvDays;
use scalper_decide::domain::operator::{OperatorAnswer, OperatorCommand};
use scalper_decide::domain::order::IllegalTransition;
use scalper_decide::domain::{
    ChargeBook, ClientOrderId, Command, Event, IndexPrice, Instant, Instrument, InstrumentId, InstrumentKind,
    OrderEvent, PositionId, Qty, Stamp, Tick, Underlying, Universe,
};
use scalper_decide::entry_guard::{EntryRefusal, Guarded};
use scalper_decide::journal::{AdoptionNote, ExitNote, JournalEntry, Stage};
use scalper_decide::order_manager::{self, Commands, LateUnits, Outcome, PositionChange};
use scalper_decide::params::StrategyParams;
use scalper_decide::params::change::ConfigChange;
use scalper_decide::pipeline::{EntryPrices, Stages};
use scalper_decide::reconciler::{Owned, Reconciled, Reconciler, ReconcilerParams};
use scalper_decide::risk_manager::{EntryPlan, Excursion, RiskAction, RiskActions, RiskApproved, RiskRefusal};
use scalper_decide::signal_engine::{ClosedBars, NoSignal, Signal};
use scalper_decide::stages::entries::EntryCase;
use scalper_decide::stages::{Ledger, NewSettings, Reload, SessionTerms, adoption, sellable};
use scalper_decide::tick_cache::{Quote, TickRefusal};
use smallvec::SmallVec;

use super::capital_allocator::{self as capital, CapitalAllocatorActor};
use super::chain_analyzer::{self as chain, ChainAnalyzerActor};
use super::entry_guard::{self as guard, EntryGuardActor};
use super::order_manager::{self as orders, OrderManagerActor};
use super::pulse::{Beating, Pulse};
use super::risk_manager::{self as risk, RiskManagerActor};
use super::signal_engine::{self as signals, SignalEngineActor};
use super::supervisor::Watched;
use super::tick_cache::{self as market, TickCacheActor};

/// An answer together with the next time its giver wants to be woken.
#[derive(Debug)]
pub struct Timed<T> {
    /// The answer.
    pub value: T,
    /// The next deadline.
    pub wake_at: Option<Instant>,
}

/// Asks a decider.
///
/// # Panics
/// When it is dead: a decider dies of a bug only, and the process ends with it (design 11, G3).
#[inline]
async fn ask<A, M>(decider: &Addr<A>, stage: Stage, question: M) -> M::Result
where
    A: Actor + Handler<M>,
    A::Context: ToEnvelope<A, M>,
    M: Message + Send + 'static,
    M::Result: Send,
{
    match decider.send(question).await {
        Ok(answer) => answer,
        Err(_) => panic!("{} does not answer any more", stage.name()),
    }
}

/// The deciders' addresses, and what the hub mirrors of them.
#[derive(Debug)]
pub struct Mailboxes {
    tick_cache: Addr<TickCacheActor>,
    signal_engine: Addr<SignalEngineActor>,
    chain_analyzer: Addr<ChainAnalyzerActor>,
    capital_allocator: Addr<CapitalAllocatorActor>,
    entry_guard: Addr<EntryGuardActor>,
    risk_manager: Addr<RiskManagerActor>,
    order_manager: Addr<OrderManagerActor>,
    /// What the broker says against what was sent. It stands beside the sequencer: it hears every command that leaves.
    reconciler: Reconciler,
    pub(super) ledger: Ledger,
    pub(super) universe: Universe,
    is_index: Vec<bool>,
    in_play: Vec<bool>,
    charges: Arc<ChargeBook>,
    reload: Reload,
    terms: Option<Arc<SessionTerms>>,
    /// Whether the bars closed last call for an evaluation.
    has_primary: bool,
    wake_signals: Option<Instant>,
    wake_risk: Option<Instant>,
    wake_orders: Option<Instant>,
}

impl Mailboxes {
    /// Starts the deciders on the present arbiter, each with the state that `core` has reached. Returns what the
    /// supervisor has to watch.
    pub fn start(core: Direct) -> (Mailboxes, Vec<Watched>) {
        let Parts { reload, charges, ledger, market, signals, allocator, guard, risk, orders, reconciler, terms } =
            core.into_parts();
        let mut watched = Vec::new();
        macro_rules! start {
            ($stage:ident, |$pulse:ident| $actor:expr) => {{
                let pulse = Pulse::new(Stage::$stage.name());
                let $pulse = Beating::new(Arc::clone(&pulse));
                let addr = $actor.start();
                watched.push(Watched::decider(pulse, addr.clone()));
                addr
            }};
        }
        let terms = terms.map(Arc::new);
        let universe = market.universe().clone();
        let is_index = |i: &Arc<Instrument>| matches!(i.kind, InstrumentKind::Index { .. });
        let mailboxes = Mailboxes {
            is_index: universe.iter().map(is_index).collect(),
            in_play: universe.iter().map(|instrument| risk.is_in_play(instrument.id)).collect(),
            wake_signals: signals.wake_at(),
            wake_risk: risk.wake_at(),
            wake_orders: orders.wake_at(),
            tick_cache: start!(TickCache, |pulse| TickCacheActor::new(pulse, market)),
            signal_engine: start!(SignalEngine, |pulse| SignalEngineActor::new(pulse, signals)),
            chain_analyzer: start!(ChainAnalyzer, |pulse| ChainAnalyzerActor::new(
                pulse,
                reload.params().chain.clone()
            )),
            capital_allocator: start!(CapitalAllocator, |pulse| CapitalAllocatorActor::new(
                pulse,
                allocator,
                terms.clone()
            )),
            entry_guard: start!(EntryGuard, |pulse| EntryGuardActor::new(pulse, guard, terms.clone())),
            risk_manager: start!(RiskManager, |pulse| RiskManagerActor::new(pulse, risk)),
            order_manager: start!(OrderManager, |pulse| OrderManagerActor::new(pulse, orders)),
            reconciler,
            ledger,
            universe,
            charges,
            reload,
            terms,
            has_primary: false,
        };
        (mailboxes, watched)
    }

    /// Faces a broker whose word has to be reconciled with ours from here on.
    pub(super) fn reconcile_with(&mut self, params: ReconcilerParams) {
        self.reconciler = Reconciler::new(params);
    }

    /// When the first of the deciders wants to be woken.
    #[inline]
    pub(super) fn wake_at(&self) -> Option<Instant> {
        [self.wake_signals, self.wake_risk, self.wake_orders, self.reconciler.wake_at()].into_iter().flatten().min()
    }

    /// Whether a tick of this instrument can move a deadline.
    #[inline]
    pub(super) fn moves_deadlines(&self, instrument: InstrumentId) -> bool {
        self.is_index[instrument.slot()] || self.in_play[instrument.slot()]
    }

    pub(super) async fn holds(&self, tick: &Tick) -> bool {
        let now = self.ledger.last_stamp();
        ask(&self.tick_cache, Stage::TickCache, market::Holds { now, tick: *tick }).await
    }

    pub(super) async fn books(&self) -> Books {
        let now = self.ledger.last_stamp();
        Books {
            as_of: now,
            capital: ask(&self.capital_allocator, Stage::CapitalAllocator, capital::CopyCapital { now }).await,
            guard: ask(&self.entry_guard, Stage::EntryGuard, guard::CopyGuard { now }).await,
            risk: ask(&self.risk_manager, Stage::RiskManager, risk::CopyRisk { now }).await,
            orders: ask(&self.order_manager, Stage::OrderManager, orders::CopyOrders { now }).await,
            reconciler: self.reconciler.clone(),
            refused_ticks: self.ledger.refused_ticks().clone(),
            missing_rates: self.terms.as_ref().map(|t| t.missing_rates.clone()).unwrap_or_default(),
            missing_bars: ask(&self.signal_engine, Stage::SignalEngine, signals::CountMissingBars { now }).await,
            last_iv: ask(&self.signal_engine, Stage::SignalEngine, signals::LastIv { now }).await,
        }
    }

    async fn open_session(&mut self, now: Stamp, terms: SessionTerms) {
        let terms = Arc::new(terms);
        let shared = || Arc::clone(&terms);
        ask(&self.tick_cache, Stage::TickCache, market::OpenMarket { now, terms: shared() }).await;
        let open = signals::OpenSignals { now, terms: shared() };
        self.wake_signals = ask(&self.signal_engine, Stage::SignalEngine, open).await;
        let open = capital::OpenCapital { now, terms: shared() };
        let opening = ask(&self.capital_allocator, Stage::CapitalAllocator, open).await;
        ask(&self.entry_guard, Stage::EntryGuard, guard::OpenGuard { now, terms: shared() }).await;
        self.risk(risk::OpenRisk { now, terms: shared(), opening }).await;
        self.orders(orders::OpenOrders { now, terms: shared() }).await;
        self.terms = Some(terms);
    }

    async fn is_flat(&self, now: Stamp) -> bool {
        ask(&self.order_manager, Stage::OrderManager, orders::IsFlat { now }).await
    }

    /// Hands new settings to every decider; `open` is the session under way.
    async fn apply_settings(&mut self, now: Stamp, settings: NewSettings, open: Option<Arc<SessionTerms>>) {
        let new = settings.new.clone();
        let settings = Arc::new(settings);
        let question = signals::ConfigureSignals { now, settings: Arc::clone(&settings), open };
        self.wake_signals = ask(&self.signal_engine, Stage::SignalEngine, question).await;
        let question = capital::ConfigureCapital { now, settings };
        ask(&self.capital_allocator, Stage::CapitalAllocator, question).await;
        let question = chain::ConfigureChain { now, params: new.chain };
        ask(&self.chain_analyzer, Stage::ChainAnalyzer, question).await;
        ask(&self.entry_guard, Stage::EntryGuard, guard::ConfigureGuard { now, params: new.entry_guard }).await;
        self.risk(risk::ConfigureRisk { now, params: new.risk }).await;
        self.orders(orders::ConfigureOrders { now, params: new.orders }).await;
    }

    /// The session under way.
    fn open_terms(&self) -> Option<Arc<SessionTerms>> {
        self.terms.clone().filter(|_| self.reload.is_open())
    }

    async fn list(&mut self, now: Stamp, instrument: &Instrument) {
        let id = self.universe.list(instrument.clone());
        if self.is_index.len() <= id.slot() {
            self.is_index.resize(id.slot() + 1, false);
            self.in_play.resize(id.slot() + 1, false);
        }
        self.is_index[id.slot()] = matches!(instrument.kind, InstrumentKind::Index { .. });
        self.reconciler.list(id, instrument);
        ask(&self.tick_cache, Stage::TickCache, market::List { now, instrument: instrument.clone() }).await;
        ask(&self.risk_manager, Stage::RiskManager, risk::GuardInstrument { now, instrument: id }).await;
    }

    /// Asks the risk manager something that may move its deadline.
    async fn risk<M, T>(&mut self, question: M) -> T
    where
        RiskManagerActor: Handler<M>,
        M: Message<Result = Timed<T>> + Send + 'static,
        T: Send + 'static,
    {
        let answer = ask(&self.risk_manager, Stage::RiskManager, question).await;
        self.wake_risk = answer.wake_at;
        answer.value
    }

    /// Asks the order manager something that may move its deadline.
    async fn orders<M, T>(&mut self, question: M) -> T
    where
        OrderManagerActor: Handler<M>,
        M: Message<Result = Timed<T>> + Send + 'static,
        T: Send + 'static,
    {
        let answer = ask(&self.order_manager, Stage::OrderManager, question).await;
        self.wake_orders = answer.wake_at;
        answer.value
    }
}

impl Stages for Mailboxes {
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
        self.in_play[instrument.slot()]
    }

    fn underlyings(&self) -> &[Underlying] {
        &self.reload.params().indices
    }

    async fn open(&mut self, now: Stamp, event: &Event) {
        match event {
            Event::SessionOpened { hours, warm_up, bars_of } => {
                let open = self.open_terms();
                let is_flat = self.is_flat(now).await;
                let opening = self.reload.opening(hours.day, *warm_up, bars_of, is_flat);
                if let Some(settings) = opening.settings {
                    self.apply_settings(now, settings, open).await;
                }
                let params = self.reload.params();
                let terms = SessionTerms::of(params, &self.charges, hours, *warm_up, bars_of, opening.goes_on);
                let proof_from = order_manager::proof_from(&terms.hours);
                self.open_session(now, terms).await;
                if self.reconciler.is_on() {
                    let question = orders::ProveSellsFrom { now, at: proof_from };
                    ask(&self.order_manager, Stage::OrderManager, question).await;
                }
                if !warm_up {
                    self.reconciler.open_session(now.at);
                    self.reconciler.prove_from(proof_from);
                }
            }
            Event::Listed { instrument } => self.list(now, instrument).await,
            Event::SessionClosed { .. } => {
                self.reconciler.close_session(now.at);
                self.reload.session_closed();
                self.wake_signals = ask(&self.signal_engine, Stage::SignalEngine, signals::CloseSignals { now }).await;
            }
            _ => {}
        }
    }

    #[inline]
    async fn apply_tick(&mut self, now: Stamp, tick: &Tick) -> Result<InstrumentKind, TickRefusal> {
        self.ledger.note_tick(now, tick);
        ask(&self.tick_cache, Stage::TickCache, market::ApplyTick { now, tick: *tick }).await
    }

    async fn quote(&mut self, instrument: InstrumentId) -> Option<Quote> {
        let now = self.ledger.last_stamp();
        ask(&self.tick_cache, Stage::TickCache, market::GetQuote { now, instrument }).await
    }

    async fn index_level(&mut self, underlying: Underlying) -> Option<IndexPrice> {
        let now = self.ledger.last_stamp();
        ask(&self.tick_cache, Stage::TickCache, market::GetLevel { now, underlying }).await
    }

    async fn exits_due(&mut self, now: Stamp, instrument: InstrumentId, quote: &Quote) -> RiskActions {
        self.risk(risk::ExitsDue { now, instrument, quote: *quote }).await
    }

    async fn timed_exits(&mut self, now: Stamp) -> RiskActions {
        self.risk(risk::TimedExits { now }).await
    }

    async fn judgements_due(&mut self, now: Stamp) -> SmallVec<[InstrumentId; 4]> {
        self.risk(risk::JudgementsDue { now }).await
    }

    async fn operator(&mut self, now: Stamp, command: &OperatorCommand) -> (OperatorAnswer, RiskActions) {
        self.risk(risk::Obey { now, command: command.clone() }).await
    }

    async fn configure(
        &mut self,
        now: Stamp,
        params: &StrategyParams,
        reconciler: Option<&ReconcilerParams>,
    ) -> Vec<ConfigChange> {
        if let Some(reconciler) = reconciler.filter(|_| !self.reconciler.is_on()) {
            self.reconcile_with(*reconciler);
        }
        let is_flat = self.is_flat(now).await;
        let (changes, settings) = self.reload.configure(params, is_flat);
        let open = self.open_terms();
        self.apply_settings(now, settings, open).await;
        changes
    }

    async fn act(&mut self, now: Stamp, action: RiskAction) -> Commands {
        self.orders(orders::Act { now, action }).await
    }

    async fn follow_quote(&mut self, now: Stamp, instrument: InstrumentId, quote: &Quote) -> Commands {
        self.orders(orders::FollowQuote { now, instrument, quote: *quote }).await
    }

    async fn order_timers(&mut self, now: Stamp) -> Outcome {
        self.orders(orders::OrderTimers { now }).await
    }

    async fn apply_report(&mut self, now: Stamp, event: &OrderEvent) -> Result<Outcome, IllegalTransition> {
        self.orders(orders::ApplyReport { now, event: event.clone() }).await
    }

    async fn reconcile(&mut self, now: Stamp, said: Option<&BrokerEvent>) -> Reconciled {
        let Some(said) = said else { return self.reconciler.on_timer(now.at) };
        let owned = match said {
            BrokerEvent::Positions { .. } => {
                ask(&self.order_manager, Stage::OrderManager, orders::GetOwned { now }).await
            }
            _ => Owned::new(),
        };
        self.reconciler.hear(now.at, said, &owned)
    }

    async fn bind_sells(&mut self, now: Stamp) -> Outcome {
        let held = ask(&self.order_manager, Stage::OrderManager, orders::GetHeld { now }).await;
        let bounds = sellable::bounds(&self.reconciler, &held);
        if bounds.is_empty() {
            return Outcome::default();
        }
        self.orders(orders::BindSells { now, bounds }).await
    }

    async fn take_over(&mut self, now: Stamp, late: &LateUnits) -> Outcome {
        let late = *late;
        let buyer = ask(&self.order_manager, Stage::OrderManager, orders::GetLateBuyer { now, late }).await;
        let hold = match buyer {
            Some(underlying) => {
                let question = capital::HoldNothing { now, underlying };
                Some(ask(&self.capital_allocator, Stage::CapitalAllocator, question).await)
            }
            None => None,
        };
        let quote = self.quote(late.instrument).await;
        let outcome = self.orders(orders::TakeOver { now, late, hold, quote }).await;
        if hold.is_some()
            && let Some(position) = outcome.changes.first().map(PositionChange::position)
            && let Some(plan) = ask(&self.order_manager, Stage::OrderManager, orders::GetPlan { now, position }).await
        {
            self.risk(risk::Expect { now, position, plan }).await;
            self.in_play[plan.instrument.slot()] = true;
        }
        outcome
    }

    async fn judge_adoption(
        &mut self,
        now: Stamp,
        request: &AdoptRequest,
    ) -> Result<Option<(Adoption, EntryPlan)>, AdoptRefusal> {
        let question = risk::WasAsked { now, request: request.request };
        if ask(&self.risk_manager, Stage::RiskManager, question).await {
            return Ok(None);
        }
        let (instrument, contract) = adoption::find(&self.universe, &self.reload.params().indices, request)?;
        let underlying = contract.underlying;
        let listed = ask(&self.tick_cache, Stage::TickCache, market::GetExpiries { now, underlying }).await;
        let expires_at = adoption::expires_at(&listed, &contract, request)?;
        let adoption = self.reconciler.adoptable(now.at, instrument, &contract, request)?;
        if !ask(&self.order_manager, Stage::OrderManager, orders::MayProtect { now }).await {
            return Err(AdoptRefusal::Closed);
        }
        let quote = self.quote(instrument).await;
        let (request, found) = (*request, adoption.clone());
        let plan = self.risk(risk::PlanAdoption { now, request, adoption: found, expires_at, quote }).await?;
        Ok(Some((adoption, plan)))
    }

    async fn adopt(&mut self, now: Stamp, adoption: &Adoption, plan: EntryPlan) -> (AdoptionNote, Outcome) {
        let question = capital::HoldNothing { now, underlying: adoption.contract.underlying };
        let hold = ask(&self.capital_allocator, Stage::CapitalAllocator, question).await;
        let quote = self.quote(adoption.instrument).await;
        let question = orders::Adopt { now, adoption: adoption.clone(), plan, hold, quote };
        let (note, outcome) = self.orders(question).await;
        self.risk(risk::Expect { now, position: note.position, plan }).await;
        self.in_play[plan.instrument.slot()] = true;
        self.reconciler.took_over(now.at, adoption.instrument, adoption.qty);
        (note, outcome)
    }

    async fn altered(&mut self, now: Stamp, id: ClientOrderId, shown: Option<Qty>) -> Outcome {
        self.orders(orders::Altered { now, id, shown }).await
    }

    async fn settle(&mut self, now: Stamp, event: &Event) -> Outcome {
        self.orders(orders::Settle { now, event: event.clone() }).await
    }

    #[inline]
    async fn observe_index(&mut self, underlying: Underlying, tick: &Tick) {
        let now = self.ledger.last_stamp();
        let question = signals::ObserveIndex { now, underlying, tick: *tick };
        self.wake_signals = ask(&self.signal_engine, Stage::SignalEngine, question).await;
    }

    async fn close_bars(&mut self, now: Stamp, underlying: Underlying) -> ClosedBars {
        let answer = ask(&self.signal_engine, Stage::SignalEngine, signals::CloseBars { now, underlying }).await;
        self.has_primary = answer.has_primary;
        self.wake_signals = answer.wake_at;
        self.reload.bars_closed(!answer.bars.is_empty());
        answer.bars
    }

    fn has_primary(&self, _: Underlying, _: &ClosedBars) -> bool {
        self.has_primary
    }

    async fn sample_iv(&mut self, now: Stamp, underlying: Underlying) {
        let question = market::GetSampledChain { now, underlying };
        let Some(snapshot) = ask(&self.tick_cache, Stage::TickCache, question).await else { return };
        let day = snapshot.day;
        let question = chain::AtmIv { now, chain: Box::new(snapshot) };
        if let Some(iv_pct) = ask(&self.chain_analyzer, Stage::ChainAnalyzer, question).await {
            let question = signals::SampleIv { now, underlying, day, iv_pct };
            ask(&self.signal_engine, Stage::SignalEngine, question).await;
        }
    }

    async fn recall_iv(&mut self, now: Stamp, days: &IvDays) {
        let question = signals::RecallIv { now, days: days.clone() };
        ask(&self.signal_engine, Stage::SignalEngine, question).await;
    }

    async fn evaluate(&mut self, now: Stamp, underlying: Underlying) -> Result<Signal, NoSignal> {
        let question = market::GetMinutesToExpiry { now, underlying };
        let minutes_to_expiry = ask(&self.tick_cache, Stage::TickCache, question).await;
        let question = signals::Evaluate { now, underlying, minutes_to_expiry };
        ask(&self.signal_engine, Stage::SignalEngine, question).await
    }

    async fn pick_strike(&mut self, now: Stamp, signal: &Signal) -> Result<(StrikePick, Instant), NoStrike> {
        let (underlying, direction) = (signal.id.underlying, signal.id.direction);
        let listed = ask(&self.tick_cache, Stage::TickCache, market::GetExpiries { now, underlying }).await;
        let question = chain::ChooseExpiry { now, listed };
        let expiry = ask(&self.chain_analyzer, Stage::ChainAnalyzer, question).await?;
        let question = market::GetChain { now, underlying, expiry };
        let chain = Box::new(ask(&self.tick_cache, Stage::TickCache, question).await);
        let question = chain::Rank { now, direction, chain };
        let pick = ask(&self.chain_analyzer, Stage::ChainAnalyzer, question).await?;
        Ok((pick, expiry.1))
    }

    async fn entry_prices(&mut self, pick: &StrikePick) -> Option<EntryPrices> {
        let (now, contract) = (self.ledger.last_stamp(), pick.chosen.contract);
        let question = market::GetAsk { now, instrument: pick.chosen.id };
        let best = ask(&self.tick_cache, Stage::TickCache, question).await?;
        let question = orders::PriceEntry { now, contract, ask: best };
        Some(ask(&self.order_manager, Stage::OrderManager, question).await)
    }

    async fn hold(
        &mut self,
        now: Stamp,
        pick: &StrikePick,
        expires_at: Instant,
        prices: EntryPrices,
    ) -> Result<CapitalHold, CapitalRefusal> {
        let contract = pick.chosen.contract;
        let question = risk::Preview { now, contract, expires_at, entry_limit: prices.limit };
        let preview = ask(&self.risk_manager, Stage::RiskManager, question).await;
        let question = capital::Hold { now, contract, prices, preview };
        ask(&self.capital_allocator, Stage::CapitalAllocator, question).await
    }

    async fn release(&mut self, hold: &CapitalHold) {
        let question = capital::Release { now: self.ledger.last_stamp(), hold: hold.id };
        ask(&self.capital_allocator, Stage::CapitalAllocator, question).await;
    }

    async fn judge_entry(
        &mut self,
        now: Stamp,
        signal: &Signal,
        pick: &StrikePick,
        prices: EntryPrices,
    ) -> Result<Guarded, EntryRefusal> {
        let (signal, instrument) = (signal.id, pick.chosen.id);
        let underlying = signal.underlying;
        let question = market::GetEntryQuotes { now, underlying, instrument };
        let quotes = ask(&self.tick_cache, Stage::TickCache, question).await;
        let question = orders::GetOrderFacts { now, signal, instrument };
        let orders = ask(&self.order_manager, Stage::OrderManager, question).await;
        let question = risk::GetRiskFacts { now, underlying, instrument };
        let risk = ask(&self.risk_manager, Stage::RiskManager, question).await;
        let contract = pick.chosen.contract;
        let broker = self.reconciler.entry_block(underlying);
        let case = Box::new(EntryCase { signal, contract, instrument, prices, quotes, orders, risk, broker });
        ask(&self.entry_guard, Stage::EntryGuard, guard::Judge { now, case }).await
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
        let question = risk::Approve {
            now,
            guarded,
            signal: signal.id,
            pick: Box::new(pick.clone()),
            expires_at,
            hold: *hold,
            entry_limit: prices.limit,
        };
        ask(&self.risk_manager, Stage::RiskManager, question).await
    }

    async fn place(&mut self, now: Stamp, approved: RiskApproved) -> (PositionId, Commands) {
        let plan = approved.entry().plan;
        let quote = self.quote(plan.instrument).await;
        let (position, commands) = self.orders(orders::Place { now, approved, quote }).await;
        self.risk(risk::Expect { now, position, plan }).await;
        self.in_play[plan.instrument.slot()] = true;
        (position, commands)
    }

    async fn position_changed(&mut self, now: Stamp, change: &PositionChange) -> (RiskActions, Option<Excursion>) {
        let change = *change;
        let question = orders::GetOwner { now, change };
        let Some(whose) = ask(&self.order_manager, Stage::OrderManager, question).await else {
            return (RiskActions::new(), None);
        };
        let question = capital::Account { now, whose, change };
        ask(&self.capital_allocator, Stage::CapitalAllocator, question).await;
        let (reaction, in_play) = self.risk(risk::React { now, whose, change }).await;
        self.in_play[whose.instrument.slot()] = in_play;
        let question = guard::Remember { now, whose, change, is_first: reaction.is_first };
        ask(&self.entry_guard, Stage::EntryGuard, question).await;
        (reaction.actions, reaction.excursion)
    }

    async fn exit_note(
        &mut self,
        now: Stamp,
        change: &PositionChange,
        excursion: Option<Excursion>,
    ) -> Option<ExitNote> {
        let question = orders::GetExitNote { now, change: *change, excursion };
        let note = ask(&self.order_manager, Stage::OrderManager, question).await?;
        let question = orders::GetPlan { now, position: note.position.id };
        let plan = ask(&self.order_manager, Stage::OrderManager, question).await?;
        let question = risk::GetExitTag { now, reason: note.reason, plan };
        let tag = ask(&self.risk_manager, Stage::RiskManager, question).await;
        let index = self.index_level(note.position.signal.underlying).await;
        Some(ExitNote { index, tag, ..*note })
    }
}
