//! Positions per contract and product, with every figure of dhan-v2.md 7.1.

use std::collections::BTreeMap;
use std::sync::Arc;

use scalper_decide::domain::broker::Product;
use scalper_decide::domain::money::Rounding;
use scalper_decide::domain::{Money, OrderSide, Premium, Qty};

use super::order::Trade;
use crate::simulator::board::Board;
use crate::simulator::market::{Key, Listed};

/// One row: units and money of both sides, carried and of today.
#[derive(Debug, Clone, PartialEq)]
pub struct PositionRow {
    /// The contract.
    pub listed: Arc<Listed>,
    /// Product.
    pub product: Product,
    /// Units bought on earlier days and still held.
    pub carried_bought: i64,
    /// Units sold short on earlier days and still owed.
    pub carried_sold: i64,
    /// What they cost.
    pub carried_buy_value: Money,
    /// What they brought.
    pub carried_sell_value: Money,
    /// Units bought today.
    pub day_bought: i64,
    /// Units sold today.
    pub day_sold: i64,
    /// Money paid today.
    pub day_buy_value: Money,
    /// Money received today.
    pub day_sell_value: Money,
}

impl PositionRow {
    fn new(listed: &Arc<Listed>, product: &Product) -> PositionRow {
        PositionRow {
            listed: Arc::clone(listed),
            product: product.clone(),
            carried_bought: 0,
            carried_sold: 0,
            carried_buy_value: Money::ZERO,
            carried_sell_value: Money::ZERO,
            day_bought: 0,
            day_sold: 0,
            day_buy_value: Money::ZERO,
            day_sell_value: Money::ZERO,
        }
    }

    /// Units held, negative when short.
    pub const fn net(&self) -> i64 {
        self.bought() - self.sold()
    }
    /// Units bought, carried ones included.
    pub const fn bought(&self) -> i64 {
        self.carried_bought + self.day_bought
    }
    /// Units sold, carried ones included.
    pub const fn sold(&self) -> i64 {
        self.carried_sold + self.day_sold
    }
    fn buy_value(&self) -> Money {
        self.carried_buy_value + self.day_buy_value
    }
    fn sell_value(&self) -> Money {
        self.carried_sell_value + self.day_sell_value
    }

    /// Average price bought at, rounded half up; zero when nothing was.
    pub fn buy_average(&self) -> Premium {
        average(self.buy_value(), self.bought())
    }
    /// Average price sold at, rounded half up; zero when nothing was.
    pub fn sell_average(&self) -> Premium {
        average(self.sell_value(), self.sold())
    }

    /// Result of the units both bought and sold, at their average prices, rounded half up.
    pub fn realized(&self) -> Money {
        let closed = self.bought().min(self.sold());
        share(self.sell_value(), closed, self.sold()) - share(self.buy_value(), closed, self.bought())
    }

    /// Result of the units held against the last price (paise; 0 counts as unknown: no result).
    pub fn unrealized(&self, ltp: i64) -> Money {
        let net = self.net();
        if net == 0 || ltp <= 0 {
            return Money::ZERO;
        }
        let worth = Money::from_paise(ltp * net);
        if net > 0 {
            worth - share(self.buy_value(), net, self.bought())
        } else {
            worth + share(self.sell_value(), -net, self.sold())
        }
    }

    /// Both together.
    pub fn profit(&self, ltp: i64) -> Money {
        self.realized() + self.unrealized(ltp)
    }
}

fn average(value: Money, units: i64) -> Premium {
    if units == 0 { Premium::ZERO } else { value.per_unit(Qty::new(units), Rounding::HalfUp) }
}

/// The share of `value` that belongs to `part` of `whole` units.
fn share(value: Money, part: i64, whole: i64) -> Money {
    if whole == 0 {
        return Money::ZERO;
    }
    let paise = scalper_decide::domain::money::div_round(
        i128::from(value.paise()) * i128::from(part),
        i128::from(whole),
        Rounding::HalfUp,
    );
    Money::from_paise(paise)
}

/// All positions of the account.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Positions {
    rows: BTreeMap<(Key, Product), PositionRow>,
}

impl Positions {
    /// Rows by contract and product: everything traded today or carried.
    pub fn all(&self) -> impl Iterator<Item = &PositionRow> {
        self.rows.values()
    }

    /// Units held of a contract in a product, negative when short.
    pub fn net(&self, key: Key, product: &Product) -> i64 {
        self.rows.get(&(key, product.clone())).map_or(0, PositionRow::net)
    }

    /// Rows of one contract.
    pub fn of(&self, key: Key) -> impl Iterator<Item = &PositionRow> {
        self.rows.values().filter(move |row| row.listed.key() == key)
    }

    fn row(&mut self, listed: &Arc<Listed>, product: &Product) -> &mut PositionRow {
        self.rows.entry((listed.key(), product.clone())).or_insert_with(|| PositionRow::new(listed, product))
    }

    pub(super) fn book(&mut self, trade: &Trade) {
        let row = self.row(&trade.listed, &trade.product);
        match trade.side {
            OrderSide::Buy => {
                row.day_bought += trade.qty;
                row.day_buy_value += trade.value();
            }
            OrderSide::Sell => {
                row.day_sold += trade.qty;
                row.day_sell_value += trade.value();
            }
        }
    }

    /// Takes a settled row away.
    pub(in crate::simulator) fn settle(&mut self, key: Key, product: &Product) {
        self.rows.remove(&(key, product.clone()));
    }

    /// Moves `units` of the held side from one product to another at its average price; `false` when fewer are held.
    pub(in crate::simulator) fn convert(&mut self, key: Key, from: &Product, to: &Product, units: i64) -> bool {
        let Some(row) = self.rows.get_mut(&(key, from.clone())) else { return false };
        let (net, listed) = (row.net(), Arc::clone(&row.listed));
        if units <= 0 || units > net.abs() || from == to {
            return false;
        }
        // An opening trade at the average price on one side, taken off the other.
        if net > 0 {
            let value = share(row.buy_value(), units, row.bought());
            row.day_bought -= units;
            row.day_buy_value += -value;
            let other = self.row(&listed, to);
            other.day_bought += units;
            other.day_buy_value += value;
        } else {
            let value = share(row.sell_value(), units, row.sold());
            row.day_sold -= units;
            row.day_sell_value += -value;
            let other = self.row(&listed, to);
            other.day_sold += units;
            other.day_sell_value += value;
        }
        true
    }

    /// Begins a day: what is held is carried, at what it cost; what is flat is forgotten; what nobody squared off
    /// is carried as MARGIN. A contract that is not listed today keeps yesterday's terms.
    pub(super) fn open_day(&mut self, board: &Board) {
        for (_, row) in std::mem::take(&mut self.rows) {
            let net = row.net();
            if net == 0 {
                continue;
            }
            let listed = board.find(row.listed.key()).map_or(&row.listed, |(listed, _)| listed);
            let carried = self.row(listed, &Product::Margin);
            if net > 0 {
                carried.carried_bought += net;
                carried.carried_buy_value += share(row.buy_value(), net, row.bought());
            } else {
                carried.carried_sold -= net;
                carried.carried_sell_value += share(row.sell_value(), -net, row.sold());
            }
        }
    }
}
