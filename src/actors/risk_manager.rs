//! The risk manager by mailbox. Every answer that may move a deadline carries the next one.

use std::sync::Arc;

use scalper_decide::capital_allocator::CapitalHold;
use scalper_decide::chain_analyzer::StrikePick;
use scalper_decide::domain::adoption::{AdoptRefusal, AdoptRequest, Adoption};
use scalper_decide::domain::operator::{OperatorAnswer, OperatorCommand};
use scalper_decide::domain::{
    ExitReason, Instant, InstrumentId, OptionContract, PositionId, Premium, SignalId, Underlying,
};
use scalper_decide::entry_guard::Guarded;
use scalper_decide::order_manager::PositionChange;
use scalper_decide::params::RiskParams;
use scalper_decide::risk_manager::{EntryPlan, RiskActions, RiskApproved, RiskManager, RiskRefusal, StopPreview};
use scalper_decide::stages::SessionTerms;
use scalper_decide::stages::changes::{self, Changed, Reaction};
use scalper_decide::stages::entries::{self, RiskFacts};
use scalper_decide::stages::session::OpeningCapital;
use scalper_decide::tick_cache::Quote;
use smallvec::SmallVec;

use super::mailboxes::Timed;
use super::pulse::Beating;
use super::shell::{decider, questions};

decider! {
    /// Holds the positions' stops and the day's limits.
    RiskManagerActor { risk: RiskManager }
}

impl RiskManagerActor {
    /// An actor around this risk manager.
    pub const fn new(pulse: Beating, risk: RiskManager) -> RiskManagerActor {
        RiskManagerActor { pulse, risk }
    }

    const fn timed<T>(&self, value: T) -> Timed<T> {
        Timed { value, wake_at: self.risk.wake_at() }
    }

    fn open(&mut self, ask: &OpenRisk) -> Timed<()> {
        let (terms, opening) = (&ask.terms, ask.opening);
        self.risk.open_session(terms.hours.clone(), opening.balance, opening.day_loss, terms.rates.clone());
        self.timed(())
    }

    fn react(&mut self, ask: &React) -> Timed<(Reaction, bool)> {
        let reaction = changes::react(&mut self.risk, ask.now, &ask.whose, &ask.change);
        self.timed((reaction, self.risk.is_in_play(ask.whose.instrument)))
    }
}

questions! { RiskManagerActor:
    /// A session opens.
    OpenRisk { terms: Arc<SessionTerms>, opening: OpeningCapital } -> Timed<()> = |me, ask| me.open(&ask);
    /// An instrument is listed.
    GuardInstrument { instrument: InstrumentId } -> () = |me, ask| me.risk.list(ask.instrument);
    /// Exits a new quote calls for.
    ExitsDue { instrument: InstrumentId, quote: Quote } -> Timed<RiskActions> = |me, ask| {
        let actions = me.risk.exits_due(ask.now, ask.instrument, &ask.quote);
        me.timed(actions)
    };
    /// Exits due by time.
    TimedExits {} -> Timed<RiskActions> = |me, ask| {
        let actions = me.risk.on_timer(ask.now);
        me.timed(actions)
    };
    /// Contracts to judge again although no tick came.
    JudgementsDue {} -> Timed<SmallVec<[InstrumentId; 4]>> = |me, ask| {
        let due = me.risk.judgements_due(ask.now.at);
        me.timed(due)
    };
    /// A person's command.
    Obey { command: OperatorCommand } -> Timed<(OperatorAnswer, RiskActions)> = |me, ask| {
        let answer = me.risk.operate(&ask.command);
        me.timed(answer)
    };
    /// New settings.
    ConfigureRisk { params: RiskParams } -> Timed<()> = |me, ask| {
        me.risk.configure(ask.params);
        me.timed(())
    };
    /// The tag of an exit, with the figures it was configured with.
    GetExitTag { reason: Option<ExitReason>, plan: EntryPlan } -> Option<String>
        = |me, ask| changes::exit_tag(&me.risk, ask.reason, &ask.plan);
    /// The stop an entry would get.
    Preview { contract: OptionContract, expires_at: Instant, entry_limit: Premium } -> StopPreview
        = |me, ask| me.risk.preview(ask.now.at, &ask.contract, ask.expires_at, ask.entry_limit);
    /// Facts about an entry to come.
    GetRiskFacts { underlying: Underlying, instrument: InstrumentId } -> RiskFacts
        = |me, ask| entries::risk_facts(&me.risk, ask.now.at, ask.underlying, ask.instrument);
    /// The last word on an entry.
    Approve {
        guarded: Guarded, signal: SignalId, pick: Box<StrikePick>, expires_at: Instant, hold: CapitalHold,
        entry_limit: Premium
    } -> Result<RiskApproved, RiskRefusal> = |me, ask| me.risk.approve(
        ask.now, ask.guarded, ask.signal, &ask.pick, ask.expires_at, ask.hold, ask.entry_limit
    );
    /// Whether this very adoption was carried out before.
    WasAsked { request: u64 } -> bool = |me, ask| me.risk.was_asked(ask.request);
    /// What will be guarded once these units are ours.
    PlanAdoption { request: AdoptRequest, adoption: Adoption, expires_at: Instant, quote: Option<Quote> }
        -> Timed<Result<EntryPlan, AdoptRefusal>> = |me, ask| {
        let plan =
            me.risk.plan_adoption(ask.now.at, &ask.request, &ask.adoption, ask.expires_at, ask.quote.as_ref());
        me.timed(plan)
    };
    /// An entry was sent.
    Expect { position: PositionId, plan: EntryPlan } -> Timed<()> = |me, ask| {
        me.risk.expect(ask.position, ask.plan);
        me.timed(())
    };
    /// Reacts to a change of a position; tells whether its instrument is still in play.
    React { whose: Changed, change: PositionChange } -> Timed<(Reaction, bool)> = |me, ask| me.react(&ask);
    /// A copy of the day's books and the positions under guard.
    CopyRisk {} -> RiskManager = |me, ask| me.risk.clone();
}
