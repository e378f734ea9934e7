//! Units an order executed beyond its end (C3): it was refused, never sent or proven absent, its position has moved on,
//! and then it executed after all.
//!
//! Every execution belongs to a position (I4). Bought units get a position of their own that is protected and leaves at
//! once: the position the order was sent for may be closed and its capital given back, and a position must not be
//! reopened. Sold units are units some position of the contract does not own any more. They count as missing at the
//! broker until the sells that rest for them are taken back, and are booked as sold then: in between nothing more is
//! sold than is there (I2). What no position owned is sold short; nothing can be sold against that, so a person hears
//! of it and entries stay off.

use super::OrderManager;
use super::book::cost_of_sold;
use super::changes::{Outcome, PositionChange};
use crate::capital_allocator::CapitalHold;
use crate::domain::alarm::{Alarm, AlarmKey};
use crate::domain::order::OrderSide;
use crate::domain::{
    ChargeHeads, ClientOrderId, HoldId, InstrumentId, Money, PositionId, PositionPhase, Qty, Stamp, Underlying,
};
use crate::tick_cache::Quote;

/// Everything one order executed beyond its end so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LateUnits {
    /// The order.
    pub id: ClientOrderId,
    /// Its contract.
    pub instrument: InstrumentId,
    /// Bought or sold.
    pub side: OrderSide,
    /// Units.
    pub qty: Qty,
    /// Their money.
    pub value: Money,
}

/// What is known of one order's late executions.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Taken {
    qty: Qty,
    value: Money,
    charged: ChargeHeads,
}

/// Units sold late that no position has given up yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct LateSale {
    id: ClientOrderId,
    position: PositionId,
    instrument: InstrumentId,
    qty: Qty,
    value: Money,
    charges: ChargeHeads,
}

impl OrderManager {
    /// The index whose capital units bought late are charged to; `None` when there is nothing new to take over, or it
    /// was sold.
    pub fn late_buyer(&self, late: &LateUnits) -> Option<Underlying> {
        let spec = &self.orders.get(&late.id)?.order.spec;
        let known = self.late.get(&late.id).copied().unwrap_or_default();
        let is_news = late.side == OrderSide::Buy && late.qty > known.qty;
        is_news.then(|| self.books[&spec.position].entry.contract.underlying)
    }

    /// Takes over what an order executed beyond its end. `hold` is the capital behind units bought, empty so far.
    pub fn take_over(&mut self, now: Stamp, late: &LateUnits, hold: Option<HoldId>, quote: Option<Quote>) -> Outcome {
        let mut outcome = Outcome::default();
        let Some(spec) = self.orders.get(&late.id).map(|t| t.order.spec) else { return outcome };
        let known = self.late.get(&late.id).copied().unwrap_or_default();
        let (qty, value) = (late.qty - known.qty, (late.value - known.value).max(Money::ZERO));
        if qty <= Qty::ZERO {
            return outcome;
        }
        let underlying = self.books[&spec.position].entry.contract.underlying;
        let heads =
            self.rates.get(&underlying).map_or_else(ChargeHeads::default, |r| r.for_order(late.side, late.value));
        let charges = heads - known.charged;
        self.late.insert(late.id, Taken { qty: late.qty, value: known.value + value, charged: heads });
        let text = format!("order {} executed {qty} units beyond its end ({})", late.id, late.side);
        outcome.alarms.push(Alarm { key: AlarmKey::LateArrival, text });
        match (late.side, hold) {
            (OrderSide::Buy, Some(hold)) => {
                let mut entry = self.books[&spec.position].entry.clone();
                entry.hold.id = hold;
                (entry.hold.lots, entry.hold.qty) = (entry.contract.lot.lots_in(qty), qty);
                (entry.hold.amount, entry.hold.risk_at_stop) = (value, Money::ZERO);
                entry.hold.binding = CapitalHold::LATE;
                let id = self.own_at_once(now.at, entry, charges, quote, &mut outcome);
                outcome.adopted.push((late.id, qty));
                if self.next_open(now.at).is_some() {
                    // Protected first, then on its way out (C3).
                    outcome.changes.push(PositionChange::Unprotected { position: id });
                    self.watch_cover(now.at, id);
                } else {
                    // Found after the close: nothing can be sold any more today.
                    self.books.get_mut(&id).expect("just inserted").position.phase = PositionPhase::Unresolved;
                    let text = format!("position {id}: {qty} units bought late cannot be sold after the close");
                    outcome.alarms.push(Alarm { key: AlarmKey::NotFlatAtClose, text });
                    outcome.changes.push(PositionChange::Unresolved {
                        position: id,
                        cost_basis: value,
                        owned: qty,
                        wanted: None,
                    });
                }
            }
            (OrderSide::Buy, None) => unreachable!("units bought late come with the capital behind them"),
            (OrderSide::Sell, _) => {
                let (id, position, instrument) = (late.id, spec.position, spec.instrument);
                self.late_sales.push(LateSale { id, position, instrument, qty, value, charges });
                *self.missing.entry(instrument).or_default() += qty;
                self.sync_contract(now, instrument, &mut outcome);
                self.book_late_sales(now, &mut outcome);
            }
        }
        self.refresh_wake();
        outcome
    }

    /// Books late sales against positions whose sells leave room for them, the order's own position first.
    pub(super) fn book_late_sales(&mut self, now: Stamp, outcome: &mut Outcome) {
        if self.late_sales.is_empty() {
            return;
        }
        for mut sale in std::mem::take(&mut self.late_sales) {
            let mut owners: Vec<PositionId> = self
                .books
                .values()
                .filter(|b| b.position.instrument == sale.instrument && b.position.is_live())
                .map(|b| b.position.id)
                .collect();
            owners.sort_by_key(|id| (*id != sale.position, *id));
            for owner in owners {
                let book = &self.books[&owner];
                let live: Qty =
                    book.sells.iter().filter_map(|id| self.orders[id].live_sell(now.at)).map(|s| s.open()).sum();
                let part = (book.position.owned() - live).min(sale.qty);
                if part > Qty::ZERO {
                    self.book_late_sale(now, owner, &mut sale, part, outcome);
                }
            }
            if sale.qty > Qty::ZERO {
                self.late_sales.push(sale);
            }
        }
    }

    fn book_late_sale(
        &mut self,
        now: Stamp,
        position: PositionId,
        sale: &mut LateSale,
        qty: Qty,
        outcome: &mut Outcome,
    ) {
        let is_rest = qty == sale.qty;
        let proceeds = if is_rest { sale.value } else { cost_of_sold(sale.value, sale.qty, qty) };
        let charges = std::mem::take(&mut sale.charges);
        (sale.qty, sale.value) = (sale.qty - qty, sale.value - proceeds);
        let book = self.books.get_mut(&position).expect("listed by the caller");
        let p = &mut book.position;
        p.sold += qty;
        p.received += proceeds;
        p.charges += charges;
        let basis = cost_of_sold(p.paid, p.bought, p.sold) - book.sold_cost;
        book.sold_cost += basis;
        let owned = p.owned();
        let missing = self.missing.entry(sale.instrument).or_default();
        *missing = (*missing - qty).max(Qty::ZERO);
        outcome.adopted.push((sale.id, qty));
        outcome.changes.push(PositionChange::Sold {
            position,
            cost_basis: basis,
            proceeds,
            owned,
            charges: charges.total(),
        });
        self.close_if_flat(now.at, position, None, outcome);
        self.cancel_entries(now.at, position, &mut outcome.commands);
    }
}
