//! Intents to orders, reports to positions. Quantities and money come from fills and settlement only (F-9, F-15,
//! F-60); an exit cancels the working entry and sells what was filled (F-14).

mod adopt;
mod altered;
mod book;
mod cap;
mod changes;
mod cover;
mod doubt;
mod entry;
mod ladder;
mod late;
mod pricing;
mod reports;
mod sells;
mod session;
mod square_off;
#[cfg(test)]
mod tests;
mod timers;
mod tracked;
mod way_out;

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

pub use changes::{Commands, Exposure, Outcome, PositionChange};
pub use cover::{COVER_DEADLINE, Uncovered};
pub use doubt::InDoubt;
pub use late::LateUnits;
pub use sells::{Goal, LiveSell, Step, Wanted, plan};
pub use square_off::{PROOF_AGE, PROOF_MARGIN, proof_from};

use crate::domain::{
    ChargeRates, ClientOrderId, HoldId, Instant, InstrumentId, Order, OrderState, Position, PositionId, Qty, SignalId,
    Underlying,
};
use crate::params::OrderParams;
use crate::risk_manager::ApprovedEntry;
use crate::tick_cache::Quote;
use book::Book;
use late::{LateSale, Taken};
use square_off::Proofs;
use tracked::Tracked;

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
    /// Units of a contract that we own by our fills and that the broker does not have.
    missing: BTreeMap<InstrumentId, Qty>,
    /// What orders executed beyond their end, taken over so far.
    late: BTreeMap<ClientOrderId, Taken>,
    /// Units sold late that no position has given up yet.
    late_sales: Vec<LateSale>,
    proofs: Proofs,
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
            missing: BTreeMap::new(),
            late: BTreeMap::new(),
            late_sales: Vec::new(),
            proofs: Proofs { from: None, shown: BTreeMap::new() },
            next_position: 1,
            wake: None,
        }
    }

    /// Settings in force.
    pub const fn params(&self) -> &OrderParams {
        &self.params
    }

    /// Takes changed settings over; orders that work keep their terms.
    pub const fn configure(&mut self, params: OrderParams) {
        self.params = params;
    }

    /// Whether nothing is owned and no order of ours may still execute.
    pub fn is_flat(&self) -> bool {
        self.books.values().all(|b| !b.position.is_live()) && self.orders.values().all(Tracked::is_over)
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
}
