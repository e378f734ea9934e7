//! Intents to orders, reports to positions. Quantities and money come from fills and settlement only (F-9, F-15,
//! F-60); an exit cancels the working entry and sells what was filled (F-14).

mod sells;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::Serialize;
use smallvec::SmallVec;

pub use sells::{LiveSell, Step, Wanted, plan};

use crate::domain::money::Rounding;
use crate::domain::order::{IllegalTransition, OrderPurpose, OrderSide};
use crate::domain::{
    Age, BookLevel, Bps, ChargeHeads, ChargeRates, ClientOrderId, Command, ExitReason, HoldId, IndexPrice, Instant,
    InstrumentId, Money, Order, OrderEvent, OrderReport, OrderSpec, OrderState, OrderType, Position, PositionId,
    PositionPhase, Premium, Qty, SessionHours, SignalId, Stamp, Underlying,
};
use crate::params::OrderParams;
use crate::risk_manager::{ApprovedEntry, RiskAction, RiskApproved};
use crate::tick_cache::Quote;

/// Farthest an exit is priced under the price it is taken from, however often it is priced again: inside the 40 % the
/// exchange allows (dhan-v2.md 8.2), beyond which it would be refused instead of filled.
const EXIT_OFFSET_MAX: Bps = Bps::from_percent(35);

/// Commands of one step; rarely more than two.
pub type Commands = SmallVec<[Command; 2]>;

/// A change of a position that other deciders must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum PositionChange {
    /// Units were bought.
    Bought {
        /// Which position.
        position: PositionId,
        /// Money paid for them.
        cost: Money,
        /// Units owned now.
        owned: Qty,
        /// Average price of everything bought.
        average: Premium,
        /// Charges of this execution.
        charges: Money,
    },
    /// No entry order is working any more.
    EntryDone {
        /// Which position.
        position: PositionId,
    },
    /// Units were sold or settled.
    Sold {
        /// Which position.
        position: PositionId,
        /// What the units had cost.
        cost_basis: Money,
        /// Money received for them.
        proceeds: Money,
        /// Units owned now.
        owned: Qty,
        /// Charges of this execution.
        charges: Money,
    },
    /// The position is flat.
    Closed {
        /// Which position.
        position: PositionId,
        /// Why.
        reason: ExitReason,
        /// Result after charges.
        net: Money,
    },
    /// The entry never filled.
    Abandoned {
        /// Which position.
        position: PositionId,
    },
    /// The stop was refused or lost: what is owned has no protection.
    Unprotected {
        /// Which position.
        position: PositionId,
    },
    /// The session ended with units that could not be sold.
    Unresolved {
        /// Which position.
        position: PositionId,
        /// What the remaining units had cost.
        cost_basis: Money,
        /// Units still owned.
        owned: Qty,
        /// The exit that was wanted.
        wanted: Option<ExitReason>,
    },
}

/// What one event did to orders and positions.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Changes, in order.
    pub changes: SmallVec<[PositionChange; 2]>,
    /// Commands to send, in order.
    pub commands: Commands,
}

/// Positions that count towards the entry guard's limits, working entries included (F-34).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exposure {
    /// In the same contract.
    pub in_contract: u32,
    /// In the same index.
    pub in_index: u32,
    /// Anywhere.
    pub total: u32,
    /// An order of the same index is in doubt.
    pub in_doubt: bool,
}

/// A modification on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PendingChange {
    version: u8,
    order_type: OrderType,
    qty: Qty,
}

#[derive(Debug, Clone)]
struct Tracked {
    order: Order,
    charged: ChargeHeads,
    versions: u8,
    pending: Option<PendingChange>,
    cancel_sent: bool,
    /// The venue has not refused to raise its quantity.
    can_grow: bool,
}

impl Tracked {
    /// Ended, and every execution it ended with is known. A count may overtake the fills it counts (P2).
    fn is_over(&self) -> bool {
        self.order.state.is_terminal() && self.order.missing_fills() == Qty::ZERO
    }

    /// What the planner needs to know; `None` once it is over.
    fn live_sell(&self) -> Option<LiveSell> {
        if self.is_over() {
            return None;
        }
        let spec = &self.order.spec;
        let qty = match self.order.state {
            OrderState::Cancelled { filled } => filled,
            _ => self.pending.map_or(spec.qty, |p| p.qty.max(spec.qty)),
        };
        let working = matches!(self.order.state, OrderState::Working { .. });
        Some(LiveSell {
            id: spec.id,
            qty,
            filled: self.order.filled(),
            order_type: spec.order_type,
            is_settled: working && self.pending.is_none() && !self.cancel_sent,
            is_triggered: matches!(self.order.state, OrderState::Working { triggered: true }),
            can_grow: self.can_grow,
            modifications: self.versions,
        })
    }
}

#[derive(Debug, Clone)]
struct Book {
    position: Position,
    entry: ApprovedEntry,
    sold_cost: Money,
    entries: Vec<ClientOrderId>,
    sells: Vec<ClientOrderId>,
    wanted: Option<Wanted>,
    exit: Option<ExitReason>,
    stop_rule: ExitReason,
    /// Times the exit was priced; each goes farther under the bid.
    pricings: u8,
    /// Refusals of the sell side in a row; each makes the next try wait longer.
    refusals: u8,
    legs: u16,
    entry_deadline: Option<Instant>,
    /// When the sell side is looked at again.
    chase_at: Option<Instant>,
    quote: Option<Quote>,
    /// Receive time of the quote the exit was last priced on.
    priced_on: Option<Instant>,
}

/// The order manager.
#[derive(Debug, Clone)]
pub struct OrderManager {
    params: OrderParams,
    day: Option<NaiveDate>,
    /// Stretches of trading; nothing is sent outside them, because the venue would refuse it.
    windows: Vec<(Instant, Instant)>,
    rates: BTreeMap<Underlying, ChargeRates>,
    orders: BTreeMap<ClientOrderId, Tracked>,
    books: BTreeMap<PositionId, Book>,
    signals_used: BTreeSet<SignalId>,
    next_position: u64,
    wake: Option<Instant>,
}

impl OrderManager {
    /// An order manager without orders.
    pub const fn new(params: OrderParams) -> OrderManager {
        OrderManager {
            params,
            day: None,
            windows: Vec::new(),
            rates: BTreeMap::new(),
            orders: BTreeMap::new(),
            books: BTreeMap::new(),
            signals_used: BTreeSet::new(),
            next_position: 1,
            wake: None,
        }
    }

    /// Opens a day. Orders of earlier days are history: day orders do not live on.
    pub fn open_session(&mut self, hours: &SessionHours, rates: BTreeMap<Underlying, ChargeRates>) {
        self.day = Some(hours.day);
        self.windows = hours.windows.iter().map(|w| (hours.at(w.open), hours.at(w.close))).collect();
        self.rates = rates;
        self.orders.clear();
        self.books.clear();
        self.signals_used.clear();
        self.wake = None;
    }

    /// Settings in force.
    pub const fn params(&self) -> &OrderParams {
        &self.params
    }

    /// Worst price to pay when the ask is `ask`, on the tick.
    pub fn entry_limit(&self, ask: Premium, tick: Premium) -> Premium {
        ask.moved_by(self.params.entry_offset, Rounding::Down).floor_to(tick).max(ask.ceil_to(tick))
    }

    /// Whether this signal already led to an order (F-33).
    pub fn is_used(&self, signal: &SignalId) -> bool {
        self.signals_used.contains(signal)
    }

    /// What counts towards the limits for an entry in `contract`.
    pub fn exposure(&self, underlying: Underlying, instrument: InstrumentId) -> Exposure {
        let mut e = Exposure::default();
        for book in self.books.values().filter(|b| b.position.is_live()) {
            e.total += 1;
            if book.entry.contract.underlying == underlying {
                e.in_index += 1;
                e.in_doubt |= book
                    .entries
                    .iter()
                    .chain(&book.sells)
                    .any(|id| matches!(self.orders[id].order.state, OrderState::InDoubt { .. }));
            }
            if book.position.instrument == instrument {
                e.in_contract += 1;
            }
        }
        e
    }

    /// A position by id.
    pub fn position(&self, id: PositionId) -> Option<&Position> {
        self.books.get(&id).map(|b| &b.position)
    }

    /// The approved entry behind a position.
    pub fn entry(&self, id: PositionId) -> Option<&ApprovedEntry> {
        self.books.get(&id).map(|b| &b.entry)
    }

    /// The capital hold behind a position.
    pub fn hold(&self, id: PositionId) -> Option<HoldId> {
        self.books.get(&id).map(|b| b.entry.hold.id)
    }

    /// Positions of the day, by id.
    pub fn positions(&self) -> impl Iterator<Item = &Position> {
        self.books.values().map(|b| &b.position)
    }

    /// Orders of the day with the number of modifications sent, by id.
    pub fn orders(&self) -> impl Iterator<Item = (&Order, u8)> {
        self.orders.values().map(|t| (&t.order, t.versions))
    }

    /// Last quote seen for a position's contract.
    pub fn last_quote(&self, id: PositionId) -> Option<&Quote> {
        self.books.get(&id).and_then(|b| b.quote.as_ref())
    }

    /// Sends an approved entry, sliced at the freeze quantity.
    ///
    /// # Panics
    /// When no session is open: the pipeline never asks then.
    pub fn place(&mut self, now: Stamp, approved: &RiskApproved, quote: Option<Quote>) -> (PositionId, Commands) {
        let entry = approved.entry().clone();
        let id = PositionId(self.next_position);
        self.next_position += 1;
        self.signals_used.insert(entry.plan.signal);
        let mut book = Book {
            position: Position {
                id,
                signal: entry.plan.signal,
                instrument: entry.plan.instrument,
                phase: PositionPhase::Opening,
                bought: Qty::ZERO,
                sold: Qty::ZERO,
                paid: Money::ZERO,
                received: Money::ZERO,
                charges: ChargeHeads::default(),
                opened_at: None,
            },
            sold_cost: Money::ZERO,
            entries: Vec::new(),
            sells: Vec::new(),
            wanted: None,
            exit: None,
            stop_rule: ExitReason::StopLoss,
            pricings: 0,
            refusals: 0,
            legs: 0,
            entry_deadline: Some(now.at + self.params.entry_timeout),
            chase_at: None,
            quote,
            priced_on: None,
            entry,
        };
        let mut commands = Commands::new();
        let mut left = book.entry.hold.qty;
        while left > Qty::ZERO {
            let qty = left.min(book.entry.contract.max_order_qty);
            left -= qty;
            let order_type = OrderType::Limit { price: book.entry.entry_limit };
            let spec = self.spec(&mut book, OrderPurpose::Entry, OrderSide::Buy, qty, order_type);
            book.entries.push(spec.id);
            commands.push(self.send(now.at, spec));
        }
        self.books.insert(id, book);
        self.refresh_wake();
        (id, commands)
    }

    fn spec(
        &self,
        book: &mut Book,
        purpose: OrderPurpose,
        side: OrderSide,
        qty: Qty,
        order_type: OrderType,
    ) -> OrderSpec {
        let day = self.day.expect("orders are sent inside a session");
        let leg = book.legs;
        book.legs = book.legs.checked_add(1).expect("fewer than 65,536 orders behind one position");
        let attempt = (book.refusals + 1).min(99);
        let p = &book.position;
        OrderSpec {
            id: ClientOrderId::derive(self.params.instance, day, &p.signal, p.id, purpose, leg, attempt),
            position: p.id,
            instrument: p.instrument,
            purpose,
            side,
            qty,
            order_type,
        }
    }

    fn send(&mut self, at: Instant, spec: OrderSpec) -> Command {
        let tracked = Tracked {
            order: Order::sent(spec, at),
            charged: ChargeHeads::default(),
            versions: 0,
            pending: None,
            cancel_sent: false,
            can_grow: true,
        };
        let earlier = self.orders.insert(spec.id, tracked);
        assert!(earlier.is_none(), "order id {} used twice", spec.id);
        Command::Place(spec)
    }

    /// Carries out what the risk manager wants about a position.
    pub fn act(&mut self, now: Stamp, action: RiskAction) -> Commands {
        let mut commands = Commands::new();
        match action {
            RiskAction::Protect { position, trigger, limit, rule } => {
                if let Some(book) = self.books.get_mut(&position)
                    && book.exit.is_none()
                {
                    book.stop_rule = rule;
                    book.wanted = Some(Wanted::Stop { trigger, limit });
                    self.sync(now.at, position, &mut commands);
                }
            }
            RiskAction::Exit { position, reason } => {
                if let Some(book) = self.books.get_mut(&position) {
                    if !book.position.is_live() {
                        return commands;
                    }
                    let reason = *book.exit.get_or_insert(reason);
                    if book.position.bought > Qty::ZERO {
                        book.position.phase = PositionPhase::Exiting { reason };
                    }
                    self.cancel_entries(position, &mut commands);
                    self.price_exit(now.at, position);
                    self.sync(now.at, position, &mut commands);
                }
            }
        }
        self.refresh_wake();
        commands
    }

    /// A new quote of an instrument in play.
    pub fn on_quote(&mut self, now: Stamp, instrument: InstrumentId, quote: &Quote) -> Commands {
        let mut commands = Commands::new();
        let mut chase: SmallVec<[PositionId; 2]> = SmallVec::new();
        for book in self.books.values_mut().filter(|b| b.position.instrument == instrument && b.position.is_live()) {
            book.quote = Some(*quote);
            if book.exit.is_some() && book.chase_at.is_none_or(|at| now.at >= at) {
                chase.push(book.position.id);
            }
        }
        if chase.is_empty() {
            return commands;
        }
        for position in chase {
            self.price_exit(now.at, position);
            self.sync(now.at, position, &mut commands);
        }
        self.refresh_wake();
        commands
    }

    /// What is due by time: entries to take back, exits to price again, silence to be called doubt.
    pub fn on_timer(&mut self, now: Stamp) -> Commands {
        let mut commands = Commands::new();
        let due: Vec<PositionId> = self.books.keys().copied().collect();
        for position in due {
            let book = self.books.get_mut(&position).expect("listed above");
            if book.entry_deadline.is_some_and(|at| now.at >= at) {
                book.entry_deadline = None;
                self.cancel_entries(position, &mut commands);
            }
            let book = self.books.get_mut(&position).expect("listed above");
            if book.chase_at.is_some_and(|at| now.at >= at) {
                book.chase_at = None;
                if book.exit.is_some() {
                    self.price_exit(now.at, position);
                }
                self.sync(now.at, position, &mut commands);
            }
        }
        for tracked in self.orders.values_mut() {
            if let OrderState::Sent { at } = tracked.order.state
                && now.at >= at + self.params.answer_timeout
            {
                let unanswered = OrderReport::Unanswered { since: now.at };
                tracked.order = tracked.order.clone().apply(&unanswered).expect("silence contradicts nothing");
            }
        }
        self.refresh_wake();
        commands
    }

    /// When the next deadline falls due.
    #[inline]
    pub const fn wake_at(&self) -> Option<Instant> {
        self.wake
    }

    fn refresh_wake(&mut self) {
        let books = self.books.values().filter(|b| b.position.is_live());
        let deadlines = books.flat_map(|b| [b.entry_deadline, b.chase_at]).flatten();
        let answers = self.orders.values().filter_map(|t| match t.order.state {
            OrderState::Sent { at } => Some(at + self.params.answer_timeout),
            _ => None,
        });
        self.wake = deadlines.chain(answers).min();
    }

    fn cancel_entries(&mut self, position: PositionId, commands: &mut Commands) {
        for id in &self.books[&position].entries {
            let tracked = self.orders.get_mut(id).expect("orders of a book are tracked");
            if !tracked.order.state.is_terminal() && !tracked.cancel_sent {
                tracked.cancel_sent = true;
                commands.push(Command::Cancel { id: *id, instrument: tracked.order.spec.instrument });
            }
        }
    }

    /// The next time something can be sent: now inside a stretch of trading, its start before it, `None` after the
    /// last.
    fn next_open(&self, now: Instant) -> Option<Instant> {
        self.windows.iter().find(|(_, close)| now < *close).map(|(open, _)| now.max(*open))
    }

    /// How long to wait after a refusal: longer with every one in a row, so that a venue that keeps refusing is not
    /// hammered, and never for ever (F-18, F-23).
    fn patience(&self, refusals: u8) -> Age {
        Age::from_nanos(self.params.exit_chase.nanos() * (1 + i64::from(refusals) / 4))
    }

    /// Prices the exit from the last quote, one offset farther under the bid each time. Without a quote since the
    /// last pricing nothing changes: the position is unpriced and leaves at its next quote.
    fn price_exit(&mut self, now: Instant, position: PositionId) {
        let next_open = self.next_open(now);
        let Some(book) = self.books.get_mut(&position) else { return };
        let received = book.quote.map(|q| q.received_at);
        let is_resting = matches!(book.wanted, Some(Wanted::Leave { .. }));
        let Some(open) = next_open else {
            book.chase_at = None;
            return;
        };
        if open > now {
            book.chase_at = Some(open);
            return;
        }
        if is_resting && received == book.priced_on {
            book.chase_at = None;
            return;
        }
        book.priced_on = received;
        // Without any price a stop that rests stays: what it would become cannot be named.
        let Some(price) = book.quote.and_then(|q| exit_price(&q)) else {
            book.chase_at = None;
            return;
        };
        let farther = i64::from(book.pricings.min(8)) + 1;
        let offset = Bps::new((self.params.exit_offset.get() * farther).min(EXIT_OFFSET_MAX.get()));
        let tick = book.entry.contract.tick;
        book.wanted = Some(Wanted::Leave { limit: price.moved_by(-offset, Rounding::Down).floor_to(tick).max(tick) });
        book.pricings = book.pricings.saturating_add(1);
        book.chase_at = Some(now + self.params.exit_chase);
    }

    /// Moves the sell side one step towards what is wanted.
    fn sync(&mut self, now: Instant, position: PositionId, commands: &mut Commands) {
        let next_open = self.next_open(now);
        let Some(mut book) = self.books.remove(&position) else { return };
        let owned = book.position.owned();
        if let Some(wanted) = book.wanted
            && owned > Qty::ZERO
            && let Some(open) = next_open
        {
            if open > now {
                book.chase_at = Some(open);
                self.books.insert(position, book);
                return;
            }
            let live: SmallVec<[LiveSell; 2]> =
                book.sells.iter().filter_map(|id| self.orders[id].live_sell()).collect();
            for step in plan(&self.params, owned, wanted, &live, book.entry.contract.max_order_qty) {
                match step {
                    Step::Modify { id, order_type, qty } => {
                        let t = self.orders.get_mut(&id).expect("planned from tracked orders");
                        t.versions += 1;
                        t.pending = Some(PendingChange { version: t.versions, order_type, qty });
                        t.order.modification_sent(t.versions, qty);
                        let instrument = t.order.spec.instrument;
                        commands.push(Command::Modify { id, instrument, version: t.versions, order_type, qty });
                    }
                    Step::Cancel { id } => {
                        let t = self.orders.get_mut(&id).expect("planned from tracked orders");
                        t.cancel_sent = true;
                        commands.push(Command::Cancel { id, instrument: t.order.spec.instrument });
                    }
                    Step::Place { purpose, order_type, qty } => {
                        let spec = self.spec(&mut book, purpose, OrderSide::Sell, qty, order_type);
                        book.sells.push(spec.id);
                        commands.push(self.send(now, spec));
                    }
                }
            }
        }
        self.books.insert(position, book);
    }

    /// Takes a report in.
    ///
    /// # Errors
    /// [`IllegalTransition`] when the report contradicts what is known: the caller must halt.
    pub fn apply(&mut self, now: Stamp, event: &OrderEvent) -> Result<Outcome, IllegalTransition> {
        let mut outcome = Outcome::default();
        let Some(tracked) = self.orders.get_mut(&event.id) else {
            // Not ours, or of an earlier day: foreign orders are never touched (I19).
            return Ok(outcome);
        };
        let was_over = tracked.is_over();
        let (filled_before, turnover_before) = (tracked.order.filled(), tracked.order.turnover());
        tracked.order = tracked.order.clone().apply(&event.report)?;
        let mut refused = None;
        match &event.report {
            OrderReport::Modified { version, .. } | OrderReport::ModifyRefused { version, .. }
                if tracked.pending.is_some_and(|p| p.version <= *version) =>
            {
                let change = tracked.pending.take();
                refused = change.filter(|_| matches!(event.report, OrderReport::ModifyRefused { .. }));
            }
            OrderReport::CancelRefused { .. } => tracked.cancel_sent = false,
            _ => {}
        }
        let spec = tracked.order.spec;
        let bought_or_sold = tracked.order.filled() - filled_before;
        let amount = tracked.order.turnover() - turnover_before;
        let is_over = tracked.is_over();
        let ended = is_over && !was_over;
        let unfilled_end = ended && tracked.order.filled() < spec.qty;
        // Taken back on our own wish to make room for a fresh order.
        let made_room = tracked.cancel_sent && matches!(tracked.order.state, OrderState::Cancelled { .. });
        if tracked.order.state.is_terminal() {
            tracked.pending = None;
        }
        if bought_or_sold > Qty::ZERO {
            let total = tracked.order.turnover();
            let underlying = self.books[&spec.position].entry.contract.underlying;
            let heads =
                self.rates.get(&underlying).map_or_else(ChargeHeads::default, |r| r.for_order(spec.side, total));
            let tracked = self.orders.get_mut(&event.id).expect("found above");
            let added = heads - tracked.charged;
            tracked.charged = heads;
            self.executed(now, spec, bought_or_sold, amount, added, &mut outcome);
        }
        if ended {
            match spec.side {
                OrderSide::Buy => self.entry_ended(now, spec.position, &mut outcome),
                OrderSide::Sell if unfilled_end => self.sell_ended(now, spec.position, made_room, &mut outcome),
                OrderSide::Sell => {}
            }
        }
        if !is_over && let Some(change) = refused {
            self.change_refused(now.at, &spec, change);
        }
        if !is_over && matches!(event.report, OrderReport::CancelRefused { .. }) {
            self.cancel_refused(now.at, &spec);
        }
        if self.books[&spec.position].position.is_live() {
            self.sync(now.at, spec.position, &mut outcome.commands);
        }
        self.refresh_wake();
        Ok(outcome)
    }

    fn executed(
        &mut self,
        now: Stamp,
        spec: OrderSpec,
        qty: Qty,
        amount: Money,
        charges: ChargeHeads,
        outcome: &mut Outcome,
    ) {
        let book = self.books.get_mut(&spec.position).expect("orders belong to books");
        let p = &mut book.position;
        p.charges += charges;
        let position = p.id;
        match spec.side {
            OrderSide::Buy => {
                p.bought += qty;
                p.paid += amount;
                p.opened_at.get_or_insert(now.at);
                if let Some(reason) = book.exit {
                    p.phase = PositionPhase::Exiting { reason };
                }
                let average = p.average_entry().expect("units were just bought");
                let (owned, charges) = (p.owned(), charges.total());
                outcome.changes.push(PositionChange::Bought { position, cost: amount, owned, average, charges });
            }
            OrderSide::Sell => {
                p.sold += qty;
                p.received += amount;
                let basis = cost_of_sold(p.paid, p.bought, p.sold) - book.sold_cost;
                book.sold_cost += basis;
                let owned = p.owned();
                outcome.changes.push(PositionChange::Sold {
                    position,
                    cost_basis: basis,
                    proceeds: amount,
                    owned,
                    charges: charges.total(),
                });
                book.refusals = 0;
                self.close_if_flat(now.at, position, None, outcome);
                // Nothing more is bought into a position that is being left, by its stop alone included (F-14).
                self.cancel_entries(position, &mut outcome.commands);
            }
        }
    }

    /// The venue refused a modification; the order rests as before. Sending the same again at once would burn the
    /// order's modifications on the same answer.
    fn change_refused(&mut self, now: Instant, spec: &OrderSpec, change: PendingChange) {
        if change.qty > spec.qty {
            let tracked = self.orders.get_mut(&spec.id).expect("the refused order is tracked");
            tracked.can_grow = false;
        }
        let book = self.books.get_mut(&spec.position).expect("orders belong to books");
        match (change.order_type, spec.order_type) {
            (OrderType::Limit { .. }, _) => self.try_later(now, spec.position),
            // What is wanted by now may be another matter (an exit); only the refused move of the stop is dropped,
            // until the stop rises again.
            (OrderType::StopLimit { trigger: wished, .. }, OrderType::StopLimit { trigger, price }) => {
                if matches!(book.wanted, Some(Wanted::Stop { trigger: wanted, .. }) if wanted <= wished) {
                    book.wanted = Some(Wanted::Stop { trigger, limit: price });
                }
            }
            (OrderType::StopLimit { .. }, OrderType::Limit { .. }) => {}
        }
    }

    /// The venue refused to take an order back that is still open.
    fn cancel_refused(&mut self, now: Instant, spec: &OrderSpec) {
        match spec.side {
            OrderSide::Sell => self.try_later(now, spec.position),
            OrderSide::Buy => {
                let again = self.next_open(now).map(|open| open.max(now + self.params.exit_chase));
                let book = self.books.get_mut(&spec.position).expect("orders belong to books");
                book.entry_deadline = again;
            }
        }
    }

    /// An exit met a refusal: it is priced and sent again at its next chase.
    fn try_later(&mut self, now: Instant, position: PositionId) {
        let wait = self.patience(self.books[&position].refusals);
        let book = self.books.get_mut(&position).expect("orders belong to books");
        book.wanted = None;
        book.refusals = book.refusals.saturating_add(1);
        book.chase_at = Some(now + wait);
    }

    fn entries_working(&self, book: &Book) -> bool {
        book.entries.iter().any(|id| !self.orders[id].is_over())
    }

    fn close_if_flat(&mut self, at: Instant, position: PositionId, reason: Option<ExitReason>, outcome: &mut Outcome) {
        let book = &self.books[&position];
        let p = &book.position;
        if !p.is_live() || p.owned() > Qty::ZERO || p.bought == Qty::ZERO || self.entries_working(book) {
            return;
        }
        // A resting stop that filled before any exit was decided is the stop's own work.
        let reason = reason.or(book.exit).unwrap_or(book.stop_rule);
        let book = self.books.get_mut(&position).expect("looked up above");
        book.position.phase = PositionPhase::Closed { reason, at };
        (book.chase_at, book.entry_deadline) = (None, None);
        outcome.changes.push(PositionChange::Closed { position, reason, net: book.position.net() });
    }

    fn entry_ended(&mut self, now: Stamp, position: PositionId, outcome: &mut Outcome) {
        if self.entries_working(&self.books[&position]) {
            return;
        }
        let book = self.books.get_mut(&position).expect("orders belong to books");
        book.entry_deadline = None;
        if book.position.bought == Qty::ZERO {
            book.position.phase = PositionPhase::Abandoned;
            book.chase_at = None;
            outcome.changes.push(PositionChange::Abandoned { position });
            return;
        }
        outcome.changes.push(PositionChange::EntryDone { position });
        if book.position.phase == PositionPhase::Opening {
            book.position.phase = PositionPhase::Open;
        }
        // Everything may have been sold while the last entry order was still being taken back.
        self.close_if_flat(now.at, position, None, outcome);
    }

    /// A sell order ended with units left. A refused stop leaves the position unprotected; a refused exit is tried
    /// again at its next chase; one taken back to make room is replaced at once.
    fn sell_ended(&mut self, now: Stamp, position: PositionId, made_room: bool, outcome: &mut Outcome) {
        let book = self.books.get_mut(&position).expect("orders belong to books");
        if !book.position.is_live() {
            return;
        }
        if book.exit.is_none() {
            book.wanted = None;
            outcome.changes.push(PositionChange::Unprotected { position });
        } else if !made_room {
            self.try_later(now.at, position);
        }
    }

    /// The exchange settled a series: every unit of every contract in it leaves at its intrinsic value (P30).
    pub fn settle(&mut self, now: Stamp, underlying: Underlying, expiry: NaiveDate, value: IndexPrice) -> Outcome {
        let mut outcome = Outcome::default();
        let due: Vec<PositionId> = self
            .books
            .values()
            .filter(|b| b.entry.contract.underlying == underlying && b.entry.contract.expiry == expiry)
            .filter(|b| b.position.is_live() && b.position.owned() > Qty::ZERO)
            .map(|b| b.position.id)
            .collect();
        for position in due {
            let book = self.books.get_mut(&position).expect("listed above");
            let owned = book.position.owned();
            let worth = book.entry.contract.strike.intrinsic(book.entry.contract.right, value) * owned;
            let heads = self.rates.get(&underlying).map_or_else(ChargeHeads::default, |r| r.for_exercise(worth));
            let p = &mut book.position;
            p.sold += owned;
            p.received += worth;
            p.charges += heads;
            let basis = cost_of_sold(p.paid, p.bought, p.sold) - book.sold_cost;
            book.sold_cost += basis;
            outcome.changes.push(PositionChange::Sold {
                position,
                cost_basis: basis,
                proceeds: worth,
                owned: Qty::ZERO,
                charges: heads.total(),
            });
            self.close_if_flat(now.at, position, Some(ExitReason::ExpirySettlement), &mut outcome);
        }
        self.refresh_wake();
        outcome
    }

    /// The session is over: what is still owned could not be sold and is unresolved.
    pub fn close_session(&mut self, now: Stamp) -> Outcome {
        let mut outcome = Outcome::default();
        let live: Vec<PositionId> =
            self.books.values().map(|b| &b.position).filter(|p| p.is_live()).map(|p| p.id).collect();
        for position in live {
            let is_entering = self.entries_working(&self.books[&position]);
            let book = self.books.get_mut(&position).expect("listed above");
            (book.chase_at, book.entry_deadline) = (None, None);
            let p = &mut book.position;
            if p.bought == Qty::ZERO {
                p.phase = PositionPhase::Abandoned;
                outcome.changes.push(PositionChange::Abandoned { position });
                continue;
            }
            if is_entering {
                // Day orders do not live on: what the entry did not use is free again.
                outcome.changes.push(PositionChange::EntryDone { position });
            }
            if p.owned() > Qty::ZERO {
                p.phase = PositionPhase::Unresolved;
                let (owned, cost_basis) = (p.owned(), p.paid - book.sold_cost);
                outcome.changes.push(PositionChange::Unresolved { position, cost_basis, owned, wanted: book.exit });
            } else {
                let reason = book.exit.unwrap_or(book.stop_rule);
                p.phase = PositionPhase::Closed { reason, at: now.at };
                outcome.changes.push(PositionChange::Closed { position, reason, net: p.net() });
            }
        }
        self.wake = None;
        outcome
    }
}

/// The price an exit is measured from: the best buyer; without one in sight the last price or the seller to stand
/// beside, whichever is lower; `None` without any.
fn exit_price(quote: &Quote) -> Option<Premium> {
    let beside = || match (quote.ltp(), quote.ask) {
        (Some(last), Some(ask)) => Some(last.min(ask.premium())),
        (last, ask) => last.or(ask.map(BookLevel::premium)),
    };
    quote.sellable_at().or_else(beside)
}

/// Cost of the first `sold` of `bought` units: pro rata, exact once everything is sold.
fn cost_of_sold(paid: Money, bought: Qty, sold: Qty) -> Money {
    let share = i128::from(paid.paise()) * i128::from(sold.get());
    Money::from_paise(crate::domain::money::div_round(share, i128::from(bought.get()), Rounding::HalfUp))
}
