//! Orders that are not ours: counted, because the broker nets them with ours, and never touched (I19, F-58). A row or
//! an execution whose order is not yet known waits here until a tag or an answer names it (D5, D6).

use std::collections::BTreeMap;

use super::finding::{Finding, Reconciled};
use super::own::signed;
use crate::domain::broker::{BrokerOrderId, OrderRow, PositionRow, Product, TradeRow};
use crate::domain::{ClientOrderId, Instrument, Money, OrderSide, Qty, Segment};

/// A contract in the exchange's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ContractKey {
    pub(super) segment: Segment,
    pub(super) security_id: u32,
}

impl ContractKey {
    pub(super) const fn of(instrument: &Instrument) -> ContractKey {
        ContractKey { segment: instrument.segment, security_id: instrument.security_id }
    }

    pub(super) const fn of_row(row: &OrderRow) -> ContractKey {
        ContractKey { segment: row.segment, security_id: row.security_id }
    }

    pub(super) const fn of_position(row: &PositionRow) -> ContractKey {
        ContractKey { segment: row.segment, security_id: row.security_id }
    }
}

/// Whose an order is, as far as its tag tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// Not marked by us.
    Foreign,
    /// Marked by this installation, and not in our books.
    OwnUnknown(ClientOrderId),
    /// Carries the id of an order of ours that is another one at the broker.
    Duplicate(ClientOrderId),
}

#[derive(Debug, Clone)]
struct Stranger {
    row: OrderRow,
    claim: Claim,
    is_told: bool,
    /// A person has looked at it.
    is_seen: bool,
}

/// The ledger of what is not ours.
#[derive(Debug, Clone, Default)]
pub(super) struct Strangers {
    orders: BTreeMap<BrokerOrderId, Stranger>,
    trades: BTreeMap<BrokerOrderId, Vec<TradeRow>>,
}

impl Strangers {
    pub(super) const EMPTY: Strangers = Strangers { orders: BTreeMap::new(), trades: BTreeMap::new() };

    /// Orders known to be of others.
    pub(super) fn count(&self) -> usize {
        self.orders.values().filter(|stranger| stranger.claim == Claim::Foreign).count()
    }

    /// Takes a row in; `true` when executions of it are news. What is known moves forward only (D3).
    pub(super) fn row(&mut self, row: &OrderRow, claim: Claim) -> bool {
        let Some(known) = self.orders.get_mut(&row.broker_id) else {
            let has_executions = row.filled.get() > 0;
            self.orders
                .insert(row.broker_id.clone(), Stranger { row: row.clone(), claim, is_told: false, is_seen: false });
            return has_executions;
        };
        if claim != Claim::Foreign {
            known.claim = claim;
        }
        let grew = row.filled > known.row.filled;
        if grew || row.filled == known.row.filled && !known.row.status.is_final() {
            known.row = row.clone();
        }
        grew
    }

    /// The executions of the day whose orders are not known as ours.
    pub(super) fn set_trades(&mut self, trades: BTreeMap<BrokerOrderId, Vec<TradeRow>>) {
        self.trades = trades;
    }

    /// The order turned out to be ours: everything kept about it.
    pub(super) fn claim(&mut self, id: &BrokerOrderId) -> (Option<OrderRow>, Vec<TradeRow>) {
        (self.orders.remove(id).map(|s| s.row), self.trades.remove(id).unwrap_or_default())
    }

    /// Net units per contract of intraday executions that are not ours.
    pub(super) fn net(&self, contract: ContractKey) -> i64 {
        let rows = self.orders.values().map(|s| &s.row);
        rows.filter(|row| ContractKey::of_row(row) == contract && row.product == Product::Intraday)
            .map(|row| signed(row.side, row.filled))
            .sum()
    }

    fn of(&self, contract: ContractKey, side: OrderSide) -> impl Iterator<Item = &OrderRow> {
        self.orders.values().map(|s| &s.row).filter(move |row| {
            ContractKey::of_row(row) == contract && row.product == Product::Intraday && row.side == side
        })
    }

    /// Orders that bought a contract: units and money of each.
    pub(super) fn buys(&self, contract: ContractKey) -> Vec<(Qty, Money)> {
        let rows = self.of(contract, OrderSide::Buy).filter(|row| row.filled > Qty::ZERO);
        rows.map(|row| (row.filled, row.value)).collect()
    }

    /// Orders that may still sell units of a contract, with how many.
    pub(super) fn selling(&self, contract: ContractKey) -> Vec<(BrokerOrderId, Qty)> {
        let rows = self.of(contract, OrderSide::Sell).filter(|row| !row.status.is_final());
        rows.map(|row| (row.broker_id.clone(), row.qty - row.filled)).collect()
    }

    /// Whether an order with our mark is not in our books.
    pub(super) fn has_unknown_own(&self) -> Option<ClientOrderId> {
        self.orders.values().filter(|s| !s.is_seen).find_map(|s| match s.claim {
            Claim::OwnUnknown(id) | Claim::Duplicate(id) => Some(id),
            Claim::Foreign => None,
        })
    }

    /// A person has looked at the orders with our mark; whether there were any.
    pub(super) fn acknowledge(&mut self) -> bool {
        let odd = self.orders.values_mut().filter(|s| s.claim != Claim::Foreign);
        odd.fold(false, |changed, s| changed | !std::mem::replace(&mut s.is_seen, true))
    }

    /// Tells of strangers not told of yet, except where `may_be_ours` says that their name may still come.
    pub(super) fn tell(&mut self, may_be_ours: impl Fn(&OrderRow) -> bool, out: &mut Reconciled) {
        for stranger in self.orders.values_mut().filter(|s| !s.is_told) {
            let row = Box::new(stranger.row.clone());
            let finding = match stranger.claim {
                Claim::Foreign if may_be_ours(&stranger.row) => continue,
                Claim::Foreign => Finding::Foreign { row },
                Claim::OwnUnknown(tag) => Finding::OwnUnknown { tag, row },
                Claim::Duplicate(id) => Finding::Duplicate { id, row },
            };
            stranger.is_told = true;
            out.findings.push(finding);
        }
    }
}
