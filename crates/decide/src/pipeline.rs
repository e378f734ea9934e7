//! The one wiring: the order of stages inside one event, the same for direct calls and for mailboxes (F-91).
//!
//! Exits come before entries, on a road of their own: no gate stands on it (L7). One event is drained fully before
//! the next.

use smallvec::SmallVec;

use crate::capital_allocator::{CapitalHold, CapitalRefusal};
use crate::chain_analyzer::{NoStrike, StrikePick};
use crate::domain::adoption::{AdoptRefusal, AdoptRequest, Adoption};
use crate::domain::alarm::AlarmKey;
use crate::domain::broker::{BrokerEvent, BrokerRead};
use crate::domain::event::IvDays;
use crate::domain::operator::{OperatorAnswer, OperatorCommand, OperatorRefusal};
use crate::domain::order::IllegalTransition;
use crate::domain::{
    ClientOrderId, Command, Event, IndexPrice, Instant, InstrumentId, InstrumentKind, OrderEvent, OrderType,
    PositionId, Premium, Qty, Stamp, Tick, Underlying,
};
use crate::entry_guard::{EntryRefusal, Guarded};
use crate::journal::{AdoptionNote, Decision, EntryNote, ExitNote, JournalEntry, Stage};
use crate::order_manager::{Commands, LateUnits, Outcome, PositionChange};
use crate::params::StrategyParams;
use crate::params::change::ConfigChange;
use crate::reconciler::{Finding, Reconciled, ReconcilerParams, Terms};
use crate::risk_manager::{EntryPlan, Excursion, RiskAction, RiskActions, RiskApproved, RiskRefusal, entry_tag};
use crate::signal_engine::{ClosedBars, NoSignal, Signal};
use crate::tick_cache::{Quote, TickRefusal};

/// The pipeline cannot go on: a bug here or at the venue. Restart is recovery.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Halt {
    /// A report contradicts what is known about an order.
    #[error(transparent)]
    IllegalTransition(#[from] IllegalTransition),
}

/// Prices of an entry about to be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryPrices {
    /// Best price to buy at now.
    pub ask: Premium,
    /// Worst price to pay.
    pub limit: Premium,
}

/// The eight stages as the pipeline sees them. `Direct` calls the cores; actors answer by mailbox.
#[allow(async_fn_in_trait, reason = "stages are awaited on one thread and never boxed")]
pub trait Stages {
    /// Remembers an event that is not a tick.
    fn note_event(&mut self, now: Stamp, event: &Event);
    /// Writes a line of the journal.
    fn journal(&mut self, entry: JournalEntry);
    /// Hands a command to whoever executes it.
    fn send(&mut self, now: Stamp, command: Command);
    /// Counts a tick that was kept out.
    fn tick_refused(&mut self, tick: &Tick, refusal: TickRefusal);
    /// Reconciler: takes note of a command that leaves.
    fn note_sent(&mut self, now: Stamp, command: &Command);
    /// Reconciler: the order manager has taken units over that an order executed beyond its end.
    fn note_adopted(&mut self, id: ClientOrderId, qty: Qty);
    /// Reconciler: a person has looked at what is odd; whether anything was.
    fn acknowledge(&mut self) -> bool;
    /// Hands a wanted read of the broker's books to whoever executes it.
    fn read(&mut self, now: Stamp, read: BrokerRead);
    /// Whether a position is held or opening in this instrument.
    fn is_in_play(&self, instrument: InstrumentId) -> bool;
    /// Indices in the order their entries are considered.
    fn underlyings(&self) -> &[Underlying];

    /// Session begins, instrument listed, session ends: every stage takes note.
    async fn open(&mut self, now: Stamp, event: &Event);
    /// Tick cache: takes a tick in.
    async fn apply_tick(&mut self, now: Stamp, tick: &Tick) -> Result<InstrumentKind, TickRefusal>;
    /// Tick cache: last quote.
    async fn quote(&mut self, instrument: InstrumentId) -> Option<Quote>;
    /// Tick cache: last index level.
    async fn index_level(&mut self, underlying: Underlying) -> Option<IndexPrice>;
    /// Risk manager: exits the new quote calls for.
    async fn exits_due(&mut self, now: Stamp, instrument: InstrumentId, quote: &Quote) -> RiskActions;
    /// Risk manager: exits due by time.
    async fn timed_exits(&mut self, now: Stamp) -> RiskActions;
    /// Risk manager: contracts in play that no tick has brought up for a while.
    async fn judgements_due(&mut self, now: Stamp) -> SmallVec<[InstrumentId; 4]>;
    /// Risk manager: what a person asked for.
    async fn operator(&mut self, now: Stamp, command: &OperatorCommand) -> (OperatorAnswer, RiskActions);
    /// Every stage: new settings; returns what became of each changed key.
    async fn configure(
        &mut self,
        now: Stamp,
        params: &StrategyParams,
        reconciler: Option<&ReconcilerParams>,
    ) -> Vec<ConfigChange>;
    /// Order manager: carries an action out.
    async fn act(&mut self, now: Stamp, action: RiskAction) -> Commands;
    /// Order manager: a new quote of a contract in play.
    async fn follow_quote(&mut self, now: Stamp, instrument: InstrumentId, quote: &Quote) -> Commands;
    /// Order manager: what is due by time.
    async fn order_timers(&mut self, now: Stamp) -> Outcome;
    /// Order manager: takes a report in.
    async fn apply_report(&mut self, now: Stamp, event: &OrderEvent) -> Result<Outcome, IllegalTransition>;
    /// Reconciler: what the broker said, or time passing (`None`), means for our orders.
    async fn reconcile(&mut self, now: Stamp, said: Option<&BrokerEvent>) -> Reconciled;
    /// Order manager: what the broker's books, by the reconciler, let us sell of every contract we hold.
    async fn bind_sells(&mut self, now: Stamp) -> Outcome;
    /// Order manager: takes over units executed beyond an order's end, on capital of their own.
    async fn take_over(&mut self, now: Stamp, late: &LateUnits) -> Outcome;
    /// Reconciler and risk manager: may these units of somebody else become ours? `None` when this very request was
    /// carried out before.
    async fn judge_adoption(
        &mut self,
        now: Stamp,
        ask: &AdoptRequest,
    ) -> Result<Option<(Adoption, EntryPlan)>, AdoptRefusal>;
    /// Order manager: takes them over, on capital of their own; every stage that counts positions takes note.
    async fn adopt(&mut self, now: Stamp, adoption: &Adoption, plan: EntryPlan) -> (AdoptionNote, Outcome);
    /// Order manager: somebody else changed an order to these units in all (`None`: to a type we never send).
    async fn altered(&mut self, now: Stamp, id: ClientOrderId, shown: Option<Qty>) -> Outcome;
    /// Order manager: settles a series, or ends the session.
    async fn settle(&mut self, now: Stamp, event: &Event) -> Outcome;
    /// Signal engine: takes an index tick in.
    async fn observe_index(&mut self, underlying: Underlying, tick: &Tick);
    /// Signal engine: closes bars that are due.
    async fn close_bars(&mut self, now: Stamp, underlying: Underlying) -> ClosedBars;
    /// Signal engine: whether one of these bars calls for an evaluation.
    fn has_primary(&self, underlying: Underlying, bars: &ClosedBars) -> bool;
    /// Chain analyzer and signal engine: samples the at-the-money volatility.
    async fn sample_iv(&mut self, now: Stamp, underlying: Underlying);
    /// Signal engine: is told the volatility of earlier sessions.
    async fn recall_iv(&mut self, now: Stamp, days: &IvDays);
    /// Signal engine: judges the last closed bar.
    async fn evaluate(&mut self, now: Stamp, underlying: Underlying) -> Result<Signal, NoSignal>;
    /// Chain analyzer: picks a contract, and tells when it expires.
    async fn pick_strike(&mut self, now: Stamp, signal: &Signal) -> Result<(StrikePick, Instant), NoStrike>;
    /// Order manager: prices of an entry in the chosen contract.
    async fn entry_prices(&mut self, pick: &StrikePick) -> Option<EntryPrices>;
    /// Capital allocator: sizes the entry and holds the money.
    async fn hold(
        &mut self,
        now: Stamp,
        pick: &StrikePick,
        expires_at: Instant,
        prices: EntryPrices,
    ) -> Result<CapitalHold, CapitalRefusal>;
    /// Capital allocator: gives a hold back.
    async fn release(&mut self, hold: &CapitalHold);
    /// Entry guard: may we enter now?
    async fn judge_entry(
        &mut self,
        now: Stamp,
        signal: &Signal,
        pick: &StrikePick,
        prices: EntryPrices,
    ) -> Result<Guarded, EntryRefusal>;
    /// Risk manager: the last word.
    #[allow(clippy::too_many_arguments, reason = "each is the answer of another stage")]
    async fn approve(
        &mut self,
        now: Stamp,
        guarded: Guarded,
        signal: &Signal,
        pick: &StrikePick,
        expires_at: Instant,
        hold: &CapitalHold,
        prices: EntryPrices,
    ) -> Result<RiskApproved, RiskRefusal>;
    /// Order manager: sends the entry; every stage that counts positions takes note.
    async fn place(&mut self, now: Stamp, approved: RiskApproved) -> (PositionId, Commands);
    /// Capital, risk and guard take note of a change; returns what the risk manager wants done about it.
    async fn position_changed(&mut self, now: Stamp, change: &PositionChange) -> (RiskActions, Option<Excursion>);
    /// Order manager: the books of a position that has just ended.
    async fn exit_note(
        &mut self,
        now: Stamp,
        change: &PositionChange,
        excursion: Option<Excursion>,
    ) -> Option<ExitNote>;
}

/// Takes one event through the stages.
///
/// # Errors
/// [`Halt`] when the engine must stop.
#[inline]
pub async fn run_event<S: Stages>(s: &mut S, now: Stamp, event: &Event) -> Result<(), Halt> {
    match event {
        Event::Tick(tick) => {
            on_tick(s, now, tick).await;
            Ok(())
        }
        other => on_other(s, now, other).await,
    }
}

/// Takes one tick through the stages; the hot path.
#[inline]
pub async fn on_tick<S: Stages>(s: &mut S, now: Stamp, tick: &Tick) {
    match s.apply_tick(now, tick).await {
        Err(refusal) => s.tick_refused(tick, refusal),
        Ok(InstrumentKind::Index { underlying }) => s.observe_index(underlying, tick).await,
        Ok(_) => {
            if s.is_in_play(tick.instrument) {
                review(s, now, tick.instrument).await;
            }
        }
    }
}

async fn review<S: Stages>(s: &mut S, now: Stamp, instrument: InstrumentId) {
    let Some(quote) = s.quote(instrument).await else { return };
    let actions = s.exits_due(now, instrument, &quote).await;
    let commands = s.follow_quote(now, instrument, &quote).await;
    send_all(s, now, commands);
    carry_out(s, now, actions).await;
}

async fn on_other<S: Stages>(s: &mut S, now: Stamp, event: &Event) -> Result<(), Halt> {
    s.note_event(now, event);
    match event {
        Event::Tick(tick) => on_tick(s, now, tick).await,
        Event::Timer => on_timer(s, now).await?,
        Event::Order(order) => {
            report(s, now, order).await?;
        }
        Event::SessionOpened { .. } | Event::Listed { .. } => s.open(now, event).await,
        Event::Settled { .. } => {
            let outcome = s.settle(now, event).await;
            absorb(s, now, outcome).await;
        }
        Event::SessionClosed { .. } => {
            let outcome = s.settle(now, event).await;
            absorb(s, now, outcome).await;
            s.open(now, event).await;
        }
        Event::Broker(said) => {
            let reconciled = s.reconcile(now, Some(said)).await;
            believe(s, now, reconciled).await?;
            if matches!(said, BrokerEvent::Positions { .. } | BrokerEvent::Orders { .. } | BrokerEvent::Trades { .. }) {
                let outcome = s.bind_sells(now).await;
                absorb(s, now, outcome).await;
            }
        }
        Event::Operator(OperatorCommand::Adopt(ask)) => adopt(s, now, ask).await,
        Event::Operator(command) => {
            let (answer, actions) = match command {
                OperatorCommand::Acknowledge => (OperatorAnswer::Done { changed: s.acknowledge() }, RiskActions::new()),
                other => s.operator(now, other).await,
            };
            s.journal(JournalEntry::Operated { stamp: now, command: command.clone(), answer });
            carry_out(s, now, actions).await;
        }
        Event::Configured { params, reconciler } => {
            let changes = s.configure(now, params, reconciler.as_ref()).await;
            s.journal(JournalEntry::Configured { stamp: now, changes });
        }
        Event::IvHistory { days } => s.recall_iv(now, days).await,
    }
    Ok(())
}

/// Proven first, answered, and then protected like an entry that has just filled.
async fn adopt<S: Stages>(s: &mut S, now: Stamp, ask: &AdoptRequest) {
    let judged = s.judge_adoption(now, ask).await;
    let answer = match &judged {
        Ok(found) => OperatorAnswer::Done { changed: found.is_some() },
        Err(why) => OperatorAnswer::Refused { refusal: OperatorRefusal::NotAdopted(why.clone()) },
    };
    s.journal(JournalEntry::Operated { stamp: now, command: OperatorCommand::Adopt(*ask), answer });
    if let Ok(Some((adoption, plan))) = judged {
        let (note, outcome) = s.adopt(now, &adoption, plan).await;
        s.journal(JournalEntry::Adopted { stamp: now, note: Box::new(note) });
        absorb(s, now, outcome).await;
    }
}

async fn report<S: Stages>(s: &mut S, now: Stamp, order: &OrderEvent) -> Result<(), Halt> {
    s.journal(JournalEntry::Report { stamp: now, event: order.clone() });
    let outcome = s.apply_report(now, order).await?;
    absorb(s, now, outcome).await;
    Ok(())
}

/// Findings first: they explain what the reports lead to.
async fn believe<S: Stages>(s: &mut S, now: Stamp, reconciled: Reconciled) -> Result<(), Halt> {
    let mut to_do = Vec::new();
    for finding in reconciled.findings {
        if matches!(finding, Finding::Unmanaged { .. } | Finding::Altered { .. }) {
            to_do.push(finding.clone());
        }
        s.journal(JournalEntry::Finding { stamp: now, finding });
    }
    for order in &reconciled.reports {
        report(s, now, order).await?;
    }
    // What lives beyond its end is taken back before anything is sold for what it executed.
    send_all(s, now, reconciled.commands.into());
    for finding in to_do {
        put_right(s, now, finding).await;
    }
    for read in reconciled.reads {
        s.read(now, read);
    }
    Ok(())
}

/// What a finding asks for beyond being known.
async fn put_right<S: Stages>(s: &mut S, now: Stamp, finding: Finding) {
    match finding {
        Finding::Unmanaged { id, instrument, side, qty, value } => {
            let outcome = s.take_over(now, &LateUnits { id, instrument, side, qty, value }).await;
            absorb(s, now, outcome).await;
        }
        // A stop that a person raised at the broker counts like one raised here: it never falls again.
        Finding::Altered {
            is_adopted: true,
            position,
            shown: Some(Terms { order_type: OrderType::StopLimit { trigger, .. }, .. }),
            ..
        } => {
            let command = OperatorCommand::Tighten { position, stop: trigger };
            let (_, actions) = s.operator(now, &command).await;
            carry_out(s, now, actions).await;
        }
        Finding::Altered { id, shown, .. } => {
            let outcome = s.altered(now, id, shown.map(|terms| terms.qty)).await;
            absorb(s, now, outcome).await;
        }
        _ => {}
    }
}

/// Time passed: exits first, then orders, then bars and the entries they may lead to.
async fn on_timer<S: Stages>(s: &mut S, now: Stamp) -> Result<(), Halt> {
    let actions = s.timed_exits(now).await;
    carry_out(s, now, actions).await;
    for instrument in s.judgements_due(now).await {
        if let Some(quote) = s.quote(instrument).await {
            let actions = s.exits_due(now, instrument, &quote).await;
            carry_out(s, now, actions).await;
        }
    }
    let outcome = s.order_timers(now).await;
    absorb(s, now, outcome).await;
    let reconciled = s.reconcile(now, None).await;
    believe(s, now, reconciled).await?;
    for i in 0..s.underlyings().len() {
        let underlying = s.underlyings()[i];
        let bars = s.close_bars(now, underlying).await;
        if bars.is_empty() {
            continue;
        }
        for bar in &bars {
            s.journal(JournalEntry::Bar { stamp: now, underlying, bar: *bar });
        }
        if s.has_primary(underlying, &bars) {
            s.sample_iv(now, underlying).await;
            consider_entry(s, now, underlying).await;
        }
    }
    Ok(())
}

fn decided<S: Stages>(s: &mut S, now: Stamp, underlying: Underlying, stage: Stage, code: &'static str, text: String) {
    s.journal(JournalEntry::Decision(Decision { stamp: now, underlying, stage, code, text }));
}

async fn consider_entry<S: Stages>(s: &mut S, now: Stamp, underlying: Underlying) {
    let signal = match s.evaluate(now, underlying).await {
        Ok(signal) => signal,
        Err(no) => return decided(s, now, underlying, Stage::SignalEngine, no.code(), no.to_string()),
    };
    let text = format!("{} on the bar from {}", signal.id.direction, signal.id.bar_start.ist_time());
    decided(s, now, underlying, Stage::SignalEngine, "SIGNAL", text);
    let (pick, expires_at) = match s.pick_strike(now, &signal).await {
        Ok(picked) => picked,
        Err(no) => return decided(s, now, underlying, Stage::ChainAnalyzer, no.code(), no.to_string()),
    };
    decided(s, now, underlying, Stage::ChainAnalyzer, "PICKED", pick.to_string());
    let Some(prices) = s.entry_prices(&pick).await else {
        let text = "the chosen contract has no seller".to_owned();
        return decided(s, now, underlying, Stage::OrderManager, "NO_ASK", text);
    };
    let hold = match s.hold(now, &pick, expires_at, prices).await {
        Ok(hold) => hold,
        Err(no) => return decided(s, now, underlying, Stage::CapitalAllocator, no.code(), no.to_string()),
    };
    let guarded = match s.judge_entry(now, &signal, &pick, prices).await {
        Ok(guarded) => guarded,
        Err(no) => {
            s.release(&hold).await;
            return decided(s, now, underlying, Stage::EntryGuard, no.code(), no.to_string());
        }
    };
    let approved = match s.approve(now, guarded, &signal, &pick, expires_at, &hold, prices).await {
        Ok(approved) => approved,
        Err(no) => {
            s.release(&hold).await;
            return decided(s, now, underlying, Stage::RiskManager, no.code(), no.to_string());
        }
    };
    let entry = approved.entry().clone();
    let index = s.index_level(underlying).await;
    let (position, commands) = s.place(now, approved).await;
    let text = format!("position {position}, {} lots up to {}, bound by {}", hold.lots, prices.limit, hold.binding);
    decided(s, now, underlying, Stage::OrderManager, "PLACED", text);
    let tag = entry_tag(&entry.contract);
    let note = EntryNote { position, entry, pick, ask: prices.ask, index, tag };
    s.journal(JournalEntry::Entry { stamp: now, note: Box::new(note) });
    send_all(s, now, commands);
}

pub(crate) fn send_all<S: Stages>(s: &mut S, now: Stamp, commands: Commands) {
    for command in commands {
        s.journal(JournalEntry::Command { stamp: now, command });
        s.note_sent(now, &command);
        s.send(now, command);
    }
}

async fn carry_out<S: Stages>(s: &mut S, now: Stamp, actions: RiskActions) {
    for action in actions {
        if let RiskAction::Tripped { block, underlying } = action {
            let whose = underlying.map_or_else(|| "account".to_owned(), |u| u.to_string());
            let text = format!("{whose}: {block}");
            s.journal(JournalEntry::Alarm { stamp: now, key: AlarmKey::BreakerTripped, text });
            continue;
        }
        let commands = s.act(now, action).await;
        send_all(s, now, commands);
    }
}

async fn absorb<S: Stages>(s: &mut S, now: Stamp, outcome: Outcome) {
    for alarm in outcome.alarms {
        s.journal(JournalEntry::Alarm { stamp: now, key: alarm.key, text: alarm.text });
    }
    send_all(s, now, outcome.commands);
    for (id, qty) in outcome.adopted {
        s.note_adopted(id, qty);
    }
    for change in &outcome.changes {
        s.journal(JournalEntry::Change { stamp: now, change: *change });
        let (actions, excursion) = s.position_changed(now, change).await;
        if let Some(note) = s.exit_note(now, change, excursion).await {
            s.journal(JournalEntry::Exit { stamp: now, note: Box::new(note) });
        }
        carry_out(s, now, actions).await;
    }
}
