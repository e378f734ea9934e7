//! The way out: what the risk manager wants becomes steps of the sell side.

use smallvec::SmallVec;

use super::OrderManager;
use super::book::Part;
use super::changes::Commands;
use super::ladder;
use super::sells::{Goal, LiveSell, Step, Wanted, plan};
use super::square_off::is_new_sell;
use super::tracked::PendingChange;
use crate::domain::order::OrderSide;
use crate::domain::{Command, Instant, InstrumentId, PositionId, PositionPhase, Qty, Stamp};
use crate::risk_manager::RiskAction;
use crate::tick_cache::Quote;

impl OrderManager {
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
                    book.part = None;
                    if book.position.bought > Qty::ZERO {
                        book.position.phase = PositionPhase::Exiting { reason };
                    }
                    self.cancel_entries(now.at, position, &mut commands);
                    self.price_exit(now.at, position);
                    self.sync(now.at, position, &mut commands);
                }
            }
            RiskAction::SellPart { position, qty } => {
                if let Some(book) = self.books.get_mut(&position)
                    && book.position.is_live()
                    && book.exit.is_none()
                {
                    let left = book.part.map_or(Qty::ZERO, |p| p.left) + qty;
                    book.part = Some(Part { left: left.min(book.position.owned()), limit: None });
                    self.cancel_entries(now.at, position, &mut commands);
                    self.price_exit(now.at, position);
                    self.sync(now.at, position, &mut commands);
                }
            }
            RiskAction::StopBuying { position } => {
                if self.books.contains_key(&position) {
                    self.cancel_entries(now.at, position, &mut commands);
                }
            }
            RiskAction::Tripped { .. } => {}
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
            if book.is_leaving() && book.chase_at.is_none_or(|at| now.at >= at) {
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

    /// Moves the sell side one step towards what is wanted.
    pub(super) fn sync(&mut self, now: Instant, position: PositionId, commands: &mut Commands) {
        let next_open = self.next_open(now);
        let Some(mut book) = self.books.remove(&position) else { return };
        let owned = book.position.owned();
        let part = book.part.map(|p| (p.left, p.limit));
        let missing = self.missing.get(&book.position.instrument).is_some_and(|m| *m > Qty::ZERO);
        if (book.wanted.is_some() || part.is_some() || missing)
            && owned > Qty::ZERO
            && let Some(open) = next_open
        {
            if open > now {
                book.chase_at = Some(open);
                self.books.insert(position, book);
                return;
            }
            let live: SmallVec<[LiveSell; 2]> =
                book.sells.iter().filter_map(|id| self.orders[id].live_sell(now)).collect();
            let (mut allowed, room) = self.sellable(now, &book);
            let proven = self.proven(now, book.position.instrument);
            if let Some(proven) = proven.filter(|proven| *proven > Qty::ZERO) {
                allowed = allowed.min(proven);
            }
            let contract = &book.entry.contract;
            let (wanted, max_order_qty) = (book.wanted, contract.max_order_qty);
            let slice = ladder::slice(book.refusals, owned, contract.lot, max_order_qty);
            let goal = Goal { owned, allowed, room, wanted, part, max_order_qty, slice };
            for step in plan(&self.params, &goal, &live) {
                if proven == Some(Qty::ZERO) && is_new_sell(&step, &live) {
                    // The proof brings it up again.
                    continue;
                }
                match step {
                    Step::Modify { id, order_type, qty } => {
                        let t = self.orders.get_mut(&id).expect("planned from tracked orders");
                        let order_type = t.never_lower(order_type);
                        t.terms_sent(order_type);
                        t.versions += 1;
                        t.pending = Some(PendingChange { version: t.versions, order_type, qty, sent_at: now });
                        t.resends = 0;
                        t.order.modification_sent(t.versions, qty);
                        let instrument = t.order.spec.instrument;
                        commands.push(Command::Modify { id, instrument, version: t.versions, order_type, qty });
                    }
                    Step::Cancel { id } => {
                        let t = self.orders.get_mut(&id).expect("planned from tracked orders");
                        t.cancel_sent = Some(now);
                        t.resends = 0;
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
        self.watch_cover(now, position);
    }
}
