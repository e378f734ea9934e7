//! Reports of the venue become changes of positions.

use super::OrderManager;
use super::book::{Part, cost_of_sold};
use super::changes::{Outcome, PositionChange};
use super::cover::Cover;
use super::sells::Wanted;
use super::tracked::PendingChange;
use crate::domain::order::{IllegalTransition, OrderSide};
use crate::domain::{
    ChargeHeads, ExitReason, Instant, Money, OrderEvent, OrderReport, OrderSpec, OrderState, OrderType, PositionId,
    PositionPhase, Qty, Stamp,
};

/// Stops proven absent in a row before the position leaves instead.
const ABSENT_STOPS_MAX: u8 = 3;

/// How a sell order ended with units left.
#[derive(Debug, Clone, Copy)]
struct SellEnd {
    /// Taken back on our own wish, for a fresh order to take over.
    made_room: bool,
    /// Proven never to have reached the venue.
    never_sent: bool,
    /// It sold at once rather than at a trigger.
    is_leaving: bool,
}

/// Money of one report, split into what new executions moved and what corrects old ones. Other rooms take executions
/// as amounts that are never negative.
#[derive(Debug, Clone, Copy)]
struct Split {
    amount: Money,
    charges: ChargeHeads,
    correction: Money,
    correction_charges: ChargeHeads,
}

impl Split {
    fn of(qty: Qty, amount: Money, charges: ChargeHeads) -> Split {
        let none = ChargeHeads::default();
        let is_execution = qty > Qty::ZERO;
        let (amount, correction) =
            if is_execution && !amount.is_negative() { (amount, Money::ZERO) } else { (Money::ZERO, amount) };
        let (charges, correction_charges) =
            if is_execution && !charges.total().is_negative() { (charges, none) } else { (none, charges) };
        Split { amount, charges, correction, correction_charges }
    }
}

impl OrderManager {
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
            // An answer to an earlier number with the very terms that were sent again.
            OrderReport::Modified { order_type, qty, .. }
                if tracked.pending.is_some_and(|p| (p.order_type, p.qty) == (*order_type, *qty)) =>
            {
                tracked.pending = None;
            }
            OrderReport::CancelRefused { .. } => tracked.cancel_sent = None,
            _ => {}
        }
        let spec = tracked.order.spec;
        let bought_or_sold = tracked.order.filled() - filled_before;
        let amount = tracked.order.turnover() - turnover_before;
        let is_over = tracked.is_over();
        let ended = is_over && !was_over;
        let unfilled_end = ended && tracked.order.filled() < spec.qty;
        // Taken back on our own wish to make room for a fresh order.
        let made_room = tracked.cancel_sent.is_some() && matches!(tracked.order.state, OrderState::Cancelled { .. });
        if tracked.order.state.is_terminal() {
            tracked.pending = None;
        }
        if !tracked.order.has_unresolved() {
            (tracked.highest_stop, tracked.not_before) = (None, None);
        }
        let never_sent = matches!(tracked.order.state, OrderState::Absent);
        let is_leaving = !matches!(spec.order_type, OrderType::StopLimit { .. });
        if bought_or_sold > Qty::ZERO || amount != Money::ZERO {
            let total = tracked.order.turnover();
            let underlying = self.books[&spec.position].entry.contract.underlying;
            let heads =
                self.rates.get(&underlying).map_or_else(ChargeHeads::default, |r| r.for_order(spec.side, total));
            let tracked = self.orders.get_mut(&event.id).expect("found above");
            let added = heads - tracked.charged;
            tracked.charged = heads;
            let split = Split::of(bought_or_sold, amount, added);
            if split.correction != Money::ZERO || split.correction_charges != ChargeHeads::default() {
                self.repriced(spec, split.correction, split.correction_charges, &mut outcome);
            }
            if bought_or_sold > Qty::ZERO {
                self.executed(now, spec, bought_or_sold, split.amount, split.charges, &mut outcome);
            }
        }
        if ended {
            match spec.side {
                OrderSide::Buy => self.entry_ended(now, spec.position, &mut outcome),
                OrderSide::Sell if unfilled_end => {
                    let end = SellEnd { made_room, never_sent, is_leaving };
                    self.sell_ended(now, spec.position, end, &mut outcome);
                }
                OrderSide::Sell => {}
            }
        }
        if !is_over && let Some(change) = refused {
            self.change_refused(now.at, &spec, change, &mut outcome);
        }
        if !is_over && matches!(event.report, OrderReport::CancelRefused { .. }) {
            self.cancel_refused(now.at, &spec, &mut outcome);
        }
        self.book_late_sales(now, &mut outcome);
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
                if let Some(part) = book.part.filter(|_| !matches!(spec.order_type, OrderType::StopLimit { .. })) {
                    let left = (part.left - qty).max(Qty::ZERO);
                    book.part = (left > Qty::ZERO).then_some(Part { left, ..part });
                }
                self.close_if_flat(now.at, position, None, outcome);
                // Nothing more is bought into a position that is being left, by its stop alone included (F-14).
                self.cancel_entries(now.at, position, &mut outcome.commands);
            }
        }
    }

    /// The venue refused a modification; the order rests as before. Sending the same again at once would burn the
    /// order's modifications on the same answer.
    fn change_refused(&mut self, now: Instant, spec: &OrderSpec, change: PendingChange, outcome: &mut Outcome) {
        if change.qty > spec.qty {
            let tracked = self.orders.get_mut(&spec.id).expect("the refused order is tracked");
            tracked.can_grow = false;
        }
        if self.orders[&spec.id].order.has_unresolved() {
            // An earlier change may have taken effect all the same: the wish is sent again, a little later.
            let at = now + self.patience(self.books[&spec.position].refusals);
            self.orders.get_mut(&spec.id).expect("the refused order is tracked").not_before = Some(at);
            let book = self.books.get_mut(&spec.position).expect("orders belong to books");
            book.chase_at = Some(book.chase_at.map_or(at, |known| known.min(at)));
            if matches!(change.order_type, OrderType::StopLimit { .. }) {
                return;
            }
        }
        let book = self.books.get_mut(&spec.position).expect("orders belong to books");
        match (change.order_type, spec.order_type) {
            (OrderType::Limit { .. }, _) => self.try_later(now, spec.position, outcome),
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
    fn cancel_refused(&mut self, now: Instant, spec: &OrderSpec, outcome: &mut Outcome) {
        match spec.side {
            OrderSide::Sell => self.try_later(now, spec.position, outcome),
            OrderSide::Buy => {
                let again = self.next_open(now).map(|open| open.max(now + self.params.exit_chase));
                let book = self.books.get_mut(&spec.position).expect("orders belong to books");
                book.entry_deadline = again;
            }
        }
    }

    /// A sell order ended with units left. A refused stop leaves the position unprotected; a refused exit is tried
    /// again at its next chase; one taken back to make room is replaced at once, and so is a stop that is proven never
    /// to have arrived (E16).
    fn sell_ended(&mut self, now: Stamp, position: PositionId, end: SellEnd, outcome: &mut Outcome) {
        let book = self.books.get_mut(&position).expect("orders belong to books");
        if !book.position.is_live() || end.made_room {
            return;
        }
        if book.exit.is_some() || book.part.is_some() && end.is_leaving {
            self.try_later(now.at, position, outcome);
        } else if end.never_sent && book.refusals < ABSENT_STOPS_MAX {
            book.refusals += 1;
        } else {
            book.wanted = None;
            outcome.changes.push(PositionChange::Unprotected { position });
        }
    }

    /// Known executions turned out to have another price: the books move, the units do not (D7).
    pub(super) fn repriced(&mut self, spec: OrderSpec, delta: Money, charges: ChargeHeads, outcome: &mut Outcome) {
        let book = self.books.get_mut(&spec.position).expect("orders belong to books");
        let p = &mut book.position;
        p.charges += charges;
        let (amount, basis) = match spec.side {
            OrderSide::Buy => {
                p.paid += delta;
                let sold_cost = cost_of_sold(p.paid, p.bought, p.sold);
                let of_sold = sold_cost - book.sold_cost;
                book.sold_cost = sold_cost;
                (-delta, delta - of_sold)
            }
            OrderSide::Sell => {
                p.received += delta;
                (delta, Money::ZERO)
            }
        };
        let average = p.average_entry().expect("only executed orders have a turnover");
        let (position, charges) = (p.id, charges.total());
        outcome.changes.push(PositionChange::Repriced { position, amount, basis, average, charges });
    }

    pub(super) fn close_if_flat(
        &mut self,
        at: Instant,
        position: PositionId,
        reason: Option<ExitReason>,
        outcome: &mut Outcome,
    ) {
        let book = &self.books[&position];
        let p = &book.position;
        if !p.is_live() || p.owned() > Qty::ZERO || p.bought == Qty::ZERO || self.entries_working(book) {
            return;
        }
        // A resting stop that filled before any exit was decided is the stop's own work.
        let reason = reason.or(book.exit).unwrap_or(book.stop_rule);
        let book = self.books.get_mut(&position).expect("looked up above");
        book.position.phase = PositionPhase::Closed { reason, at };
        (book.chase_at, book.entry_deadline, book.part) = (None, None, None);
        book.cover = Cover::default();
        outcome.changes.push(PositionChange::Closed { position, reason, net: book.position.net() });
    }
}
