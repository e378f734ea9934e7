//! The order manager by mailbox. Every answer that may move a deadline carries the next one.

use std::sync::Arc;

use scalper_decide::domain::adoption::Adoption;
use scalper_decide::domain::order::IllegalTransition;
use scalper_decide::domain::{
    ClientOrderId, Event, HoldId, Instant, InstrumentId, OptionContract, OrderEvent, PositionId, Premium, Qty,
    SignalId, Underlying,
};
use scalper_decide::journal::{AdoptionNote, ExitNote};
use scalper_decide::order_manager::{Commands, LateUnits, OrderManager, Outcome, PositionChange};
use scalper_decide::params::OrderParams;
use scalper_decide::pipeline::EntryPrices;
use scalper_decide::reconciler::Owned;
use scalper_decide::risk_manager::{EntryPlan, Excursion, RiskAction, RiskApproved};
use scalper_decide::stages::changes::{self, Changed};
use scalper_decide::stages::entries::{self, OrderFacts};
use scalper_decide::stages::sellable::{self, SellBound};
use scalper_decide::stages::{SessionTerms, adoption, session};
use scalper_decide::tick_cache::Quote;

use super::mailboxes::Timed;
use super::pulse::Beating;
use super::shell::{decider, questions};

decider! {
    /// Holds orders and positions.
    OrderManagerActor { orders: OrderManager }
}

impl OrderManagerActor {
    /// An actor around this order manager.
    pub const fn new(pulse: Beating, orders: OrderManager) -> OrderManagerActor {
        OrderManagerActor { pulse, orders }
    }

    const fn timed<T>(&self, value: T) -> Timed<T> {
        Timed { value, wake_at: self.orders.wake_at() }
    }
}

questions! { OrderManagerActor:
    /// A session opens.
    OpenOrders { terms: Arc<SessionTerms> } -> Timed<()> = |me, ask| {
        me.orders.open_session(&ask.terms.hours, ask.terms.rates.clone());
        me.timed(())
    };
    /// Carries an action out.
    Act { action: RiskAction } -> Timed<Commands> = |me, ask| {
        let commands = me.orders.act(ask.now, ask.action);
        me.timed(commands)
    };
    /// A new quote of a contract in play.
    FollowQuote { instrument: InstrumentId, quote: Quote } -> Timed<Commands> = |me, ask| {
        let commands = me.orders.on_quote(ask.now, ask.instrument, &ask.quote);
        me.timed(commands)
    };
    /// What is due by time.
    OrderTimers {} -> Timed<Outcome> = |me, ask| {
        let outcome = me.orders.on_timer(ask.now);
        me.timed(outcome)
    };
    /// New settings.
    ConfigureOrders { params: OrderParams } -> Timed<()> = |me, ask| {
        me.orders.configure(ask.params);
        me.timed(())
    };
    /// Whether nothing is held or under way.
    IsFlat {} -> bool = |me, ask| me.orders.is_flat();
    /// What the risk manager approved of a position.
    GetPlan { position: PositionId } -> Option<EntryPlan> = |me, ask| me.orders.entry(ask.position).map(|e| e.plan);
    /// Takes a report in.
    ApplyReport { event: OrderEvent } -> Timed<Result<Outcome, IllegalTransition>> = |me, ask| {
        let outcome = me.orders.apply(ask.now, &ask.event);
        me.timed(outcome)
    };
    /// Settles a series, or ends the session.
    Settle { event: Event } -> Timed<Outcome> = |me, ask| {
        let outcome = session::settle(&mut me.orders, ask.now, &ask.event);
        me.timed(outcome)
    };
    /// Prices of an entry with this ask.
    PriceEntry { contract: OptionContract, ask: Premium } -> EntryPrices
        = |me, ask| entries::prices(&me.orders, &ask.contract, ask.ask);
    /// Facts about an entry to come.
    GetOrderFacts { signal: SignalId, instrument: InstrumentId } -> OrderFacts
        = |me, ask| entries::order_facts(&me.orders, &ask.signal, ask.instrument);
    /// Sends an entry.
    Place { approved: RiskApproved, quote: Option<Quote> } -> Timed<(PositionId, Commands)> = |me, ask| {
        let placed = me.orders.place(ask.now, &ask.approved, ask.quote);
        me.timed(placed)
    };
    /// Whose position changed.
    GetOwner { change: PositionChange } -> Option<Changed> = |me, ask| changes::whose(&me.orders, &ask.change);
    /// The books of a position that has just ended.
    GetExitNote { change: PositionChange, excursion: Option<Excursion> } -> Option<Box<ExitNote>>
        = |me, ask| changes::exit_note(&me.orders, &ask.change, ask.excursion).map(Box::new);
    /// Units owned per contract.
    GetOwned {} -> Owned = |me, ask| changes::owned(&me.orders);
    /// From then on sells need proof.
    ProveSellsFrom { at: Instant } -> () = |me, ask| me.orders.prove_sells_from(ask.at);
    /// Units of live positions per contract.
    GetHeld {} -> Owned = |me, ask| sellable::held(&me.orders);
    /// What the broker's books let us sell.
    BindSells { bounds: Vec<SellBound> } -> Timed<Outcome> = |me, ask| {
        let outcome = sellable::bind(&mut me.orders, ask.now, &ask.bounds);
        me.timed(outcome)
    };
    /// Whose capital units bought late are charged to.
    GetLateBuyer { late: LateUnits } -> Option<Underlying> = |me, ask| me.orders.late_buyer(&ask.late);
    /// Takes over units executed beyond an order's end.
    TakeOver { late: LateUnits, hold: Option<HoldId>, quote: Option<Quote> } -> Timed<Outcome> = |me, ask| {
        let outcome = me.orders.take_over(ask.now, &ask.late, ask.hold, ask.quote);
        me.timed(outcome)
    };
    /// Whether orders can rest at the venue now or later today.
    MayProtect {} -> bool = |me, ask| me.orders.may_protect(ask.now.at);
    /// Takes over what somebody else bought.
    Adopt { adoption: Adoption, plan: EntryPlan, hold: HoldId, quote: Option<Quote> } -> Timed<(AdoptionNote, Outcome)>
        = |me, ask| {
        let taken = adoption::take(&mut me.orders, ask.now, &ask.adoption, ask.plan, ask.hold, ask.quote);
        me.timed(taken)
    };
    /// Somebody else changed an order.
    Altered { id: ClientOrderId, shown: Option<Qty> } -> Timed<Outcome> = |me, ask| {
        let outcome = me.orders.altered(ask.now, ask.id, ask.shown);
        me.timed(outcome)
    };
    /// A copy of orders and positions.
    CopyOrders {} -> OrderManager = |me, ask| me.orders.clone();
}
