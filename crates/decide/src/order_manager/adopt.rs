//! Units that become a position without an entry order of ours behind them: bought late, or by somebody else.

use super::OrderManager;
use super::book::Book;
use super::changes::{Outcome, PositionChange};
use crate::capital_allocator::CapitalHold;
use crate::domain::adoption::Adoption;
use crate::domain::money::Rounding;
use crate::domain::order::OrderSide;
use crate::domain::{ChargeHeads, HoldId, Instant, Money, PositionId, PositionPhase, Stamp};
use crate::risk_manager::{ApprovedEntry, EntryPlan};
use crate::tick_cache::Quote;

impl OrderManager {
    /// Whether orders can rest at the venue now or later today.
    pub fn may_protect(&self, now: Instant) -> bool {
        self.next_open(now).is_some()
    }

    /// Takes over what somebody else bought. The capital behind it is an empty hold: the cost comes out of free
    /// capital. Charges of the orders that bought it belong to it in the share of its units.
    pub fn adopt(
        &mut self,
        now: Stamp,
        adoption: &Adoption,
        plan: EntryPlan,
        hold: HoldId,
        quote: Option<Quote>,
    ) -> (PositionId, Outcome) {
        let mut outcome = Outcome::default();
        let Adoption { contract, qty, cost, buys, share: (before, all), .. } = adoption;
        let of_orders: ChargeHeads = self
            .rates
            .get(&contract.underlying)
            .map_or_else(ChargeHeads::default, |r| buys.iter().map(|money| r.for_order(OrderSide::Buy, *money)).sum());
        let charges = of_orders.share(*before + *qty, *all) - of_orders.share(*before, *all);
        let lots = contract.lot.lots_in(*qty);
        let average = cost.per_unit(*qty, Rounding::HalfUp);
        let (amount, risk_at_stop) = (*cost, Money::ZERO);
        let hold = CapitalHold { id: hold, lots, qty: *qty, amount, risk_at_stop, binding: CapitalHold::ADOPTED };
        let entry = ApprovedEntry { plan, contract: *contract, hold, entry_limit: average };
        let id = self.own_at_once(now.at, entry, charges, quote, &mut outcome);
        self.refresh_wake();
        (id, outcome)
    }

    /// A position that owns everything its hold stands for from its first moment on.
    pub(super) fn own_at_once(
        &mut self,
        at: Instant,
        entry: ApprovedEntry,
        charges: ChargeHeads,
        quote: Option<Quote>,
        outcome: &mut Outcome,
    ) -> PositionId {
        let (qty, cost) = (entry.hold.qty, entry.hold.amount);
        let id = PositionId(self.next_position);
        self.next_position += 1;
        let mut book = Book::opening(id, entry, at, quote);
        book.entry_deadline = None;
        let p = &mut book.position;
        (p.bought, p.paid, p.charges) = (qty, cost, charges);
        (p.phase, p.opened_at) = (PositionPhase::Open, Some(at));
        let average = p.average_entry().expect("units were just taken over");
        self.books.insert(id, book);
        let charges = charges.total();
        outcome.changes.push(PositionChange::Bought { position: id, cost, owned: qty, average, charges });
        outcome.changes.push(PositionChange::EntryDone { position: id });
        self.watch_cover(at, id);
        id
    }
}
