//! The oracle: everything that really happened in the account. Test harnesses compare a client's books against it; it
//! never reads the client.

use std::collections::BTreeMap;

use scalper_decide::domain::broker::Product;
use scalper_decide::domain::{Money, OrderSide};

use super::Simulator;
use super::market::Key;
use super::oms::ledger::{Ledger, Settlement};
use super::oms::order::{OrderRow, Trade};

/// The account since the first day.
#[derive(Debug, Clone, PartialEq)]
pub struct Truth {
    /// Every order of every day, in the order they were placed.
    pub orders: Vec<OrderRow>,
    /// Every trade of every day, in the order they were booked.
    pub trades: Vec<Trade>,
    /// Units held now by contract and product; zeros left out.
    pub positions: BTreeMap<(Key, Product), i64>,
    /// Money, and every settlement.
    pub ledger: Ledger,
    /// Cash now.
    pub cash: Money,
}

impl Simulator {
    /// Everything that happened in the account.
    pub fn truth(&self) -> Truth {
        let oms = self.oms();
        let held = oms.positions().all().filter(|p| p.net() != 0);
        Truth {
            orders: oms.all_orders().cloned().collect(),
            trades: oms.all_trades().to_vec(),
            positions: held.map(|p| ((p.listed.key(), p.product.clone()), p.net())).collect(),
            ledger: oms.ledger().clone(),
            cash: oms.ledger().cash(),
        }
    }
}

impl Truth {
    /// What is wrong with these books by themselves; empty when nothing is. Trades are counted anew, nothing is
    /// taken from the running totals.
    pub fn contradictions(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut filled: BTreeMap<_, (i64, Money)> = BTreeMap::new();
        let mut net: BTreeMap<Key, i64> = BTreeMap::new();
        let (mut bought, mut sold) = (Money::ZERO, Money::ZERO);
        let mut ids = std::collections::BTreeSet::new();
        for trade in &self.trades {
            let (units, value) = filled.entry(trade.order_no).or_default();
            *units += trade.qty;
            *value += trade.value();
            let sign = if trade.side == OrderSide::Buy { 1 } else { -1 };
            *net.entry(trade.listed.key()).or_default() += sign * trade.qty;
            match trade.side {
                OrderSide::Buy => bought += trade.value(),
                OrderSide::Sell => sold += trade.value(),
            }
            if !ids.insert(trade.trade) {
                wrong.push(format!("trade id {} is used twice", trade.trade));
            }
        }
        for order in &self.orders {
            let (units, value) = filled.remove(&order.order_no).unwrap_or_default();
            if (units, value) != (order.filled, order.value) {
                wrong.push(format!("order {}: its trades say {units}, its row {}", order.order_no, order.filled));
            }
            if order.filled > order.qty {
                wrong.push(format!("order {}: {} filled of {}", order.order_no, order.filled, order.qty));
            }
        }
        wrong.extend(filled.keys().map(|no| format!("trades of an unknown order {no}")));
        for Settlement { key, net: units, .. } in &self.ledger.settlements {
            *net.entry(*key).or_default() -= units;
        }
        for ((key, _), units) in &self.positions {
            *net.entry(*key).or_default() -= units;
        }
        for (key, left) in net.iter().filter(|(_, left)| **left != 0) {
            wrong.push(format!("{key:?}: {left} units traded are neither held nor settled"));
        }
        let settled: Money =
            self.ledger.settlements.iter().map(|s| Money::from_paise(s.intrinsic.paise() * s.net)).sum();
        let cash = self.ledger.opening + sold - bought - self.ledger.charges + settled;
        if cash != self.cash {
            wrong.push(format!("cash is {}, trades and charges make {cash}", self.cash));
        }
        wrong
    }
}
