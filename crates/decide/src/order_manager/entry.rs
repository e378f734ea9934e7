//! The way in: an approved entry becomes orders, and orders that take too long are taken back.

use super::OrderManager;
use super::book::Book;
use super::changes::{Commands, Outcome, PositionChange};
use super::tracked::Tracked;
use crate::domain::money::Rounding;
use crate::domain::order::{OrderPurpose, OrderSide};
use crate::domain::{
    ChargeHeads, ClientOrderId, Command, Instant, Order, OrderSpec, OrderType, PositionId, PositionPhase, Premium, Qty,
    Stamp,
};
use crate::risk_manager::RiskApproved;
use crate::tick_cache::Quote;

impl OrderManager {
    /// Worst price to pay when the ask is `ask`, on the tick.
    pub fn entry_limit(&self, ask: Premium, tick: Premium) -> Premium {
        ask.moved_by(self.params.entry_offset, Rounding::Down).floor_to(tick).max(ask.ceil_to(tick))
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
        let mut book = Book::opening(id, entry, now.at + self.params.entry_timeout, quote);
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

    pub(super) fn spec(
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

    pub(super) fn send(&mut self, at: Instant, spec: OrderSpec) -> Command {
        let tracked = Tracked::sent(Order::sent(spec, at), ChargeHeads::default());
        let earlier = self.orders.insert(spec.id, tracked);
        assert!(earlier.is_none(), "order id {} used twice", spec.id);
        Command::Place(spec)
    }

    /// Takes back what is not bought yet. An entry that fills while its cancellation is under way is owned (C17).
    pub(super) fn cancel_entries(&mut self, now: Instant, position: PositionId, commands: &mut Commands) {
        for id in &self.books[&position].entries {
            let tracked = self.orders.get_mut(id).expect("orders of a book are tracked");
            if !tracked.order.state.is_terminal() && tracked.cancel_sent.is_none() {
                tracked.cancel_sent = Some(now);
                commands.push(Command::Cancel { id: *id, instrument: tracked.order.spec.instrument });
            }
        }
    }

    pub(super) fn entries_working(&self, book: &Book) -> bool {
        book.entries.iter().any(|id| !self.orders[id].is_over())
    }

    pub(super) fn entry_ended(&mut self, now: Stamp, position: PositionId, outcome: &mut Outcome) {
        if self.entries_working(&self.books[&position]) {
            return;
        }
        let book = self.books.get_mut(&position).expect("orders belong to books");
        book.entry_deadline = None;
        if book.position.bought == Qty::ZERO {
            book.position.phase = PositionPhase::Abandoned;
            (book.chase_at, book.part) = (None, None);
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
}
