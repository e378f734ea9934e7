//! Rows of the order book and the trade book, with every field the broker prints (dhan-v2.md 5.4), and the updates
//! that every change of a row gives.

use std::fmt;
use std::sync::Arc;

use scalper_decide::domain::broker::{BrokerOrderType, BrokerStatus, Product};
use scalper_decide::domain::{Instant, Money, OrderSide, Premium, TradeId};

use crate::simulator::market::Listed;

/// The broker's order number: prefix, date, sequence; 14 digits (dhan-v2.md 5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderNo(pub u64);

impl fmt::Display for OrderNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// How long an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// Until the close.
    Day,
    /// Until the first chance to trade; what does not is cancelled.
    Ioc,
}

/// Who placed an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A client of the API.
    Api,
    /// A person in the broker's app or on its site.
    Manual,
    /// The broker itself: square-off, exit-all, P&L exit, legs of super orders.
    Broker,
}

/// Which part of a super order an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leg {
    /// The entry.
    Entry,
    /// The stop loss.
    StopLoss,
    /// The target.
    Target,
}

impl Leg {
    /// `ENTRY_LEG`, `STOP_LOSS_LEG` or `TARGET_LEG`.
    pub const fn name(self) -> &'static str {
        match self {
            Leg::Entry => "ENTRY_LEG",
            Leg::StopLoss => "STOP_LOSS_LEG",
            Leg::Target => "TARGET_LEG",
        }
    }

    /// `LegNo` of the order-update socket: 1 entry, 2 stop loss, 3 target (dhan-v2.md 3.2).
    pub const fn number(self) -> u8 {
        match self {
            Leg::Entry => 1,
            Leg::StopLoss => 2,
            Leg::Target => 3,
        }
    }
}

/// Why the broker's risk checks or the exchange refused an order, or a change of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OmsError {
    /// The exchange's number where one is known (16052, 17181, ...), else `0`.
    pub code: &'static str,
    /// In words.
    pub text: String,
}

/// One row of the order book.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderRow {
    /// The broker's number.
    pub order_no: OrderNo,
    /// The exchange's number; `None` until the exchange has it.
    pub exchange_no: Option<u64>,
    /// The client's tag.
    pub correlation: Option<String>,
    /// Where it stands.
    pub status: BrokerStatus,
    /// Buy or sell.
    pub side: OrderSide,
    /// The contract.
    pub listed: Arc<Listed>,
    /// Product.
    pub product: Product,
    /// Type in force: a MARKET order shows as the LIMIT it was turned into (dhan-v2.md 8.3).
    pub order_type: BrokerOrderType,
    /// Validity.
    pub validity: Validity,
    /// Total units.
    pub qty: i64,
    /// Disclosed units.
    pub disclosed: i64,
    /// Limit price in force.
    pub price: Premium,
    /// Trigger in force, zero when none.
    pub trigger: Premium,
    /// Units executed.
    pub filled: i64,
    /// Money executed: sum of price x units.
    pub value: Money,
    /// Who placed it.
    pub source: Source,
    /// Part of which super order, and the number of its entry.
    pub leg: Option<(Leg, OrderNo)>,
    /// When the broker got it.
    pub created_at: Instant,
    /// Last change.
    pub updated_at: Instant,
    /// When the exchange took it.
    pub exchange_at: Option<Instant>,
    /// Why it was refused.
    pub error: Option<OmsError>,
    /// Changes asked for so far; the broker takes 25.
    pub modifications: u8,
    /// Last price when it was placed.
    pub ref_ltp: Premium,
    pub(super) hidden: Hidden,
}

/// What the back office keeps beside a row and never prints.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Hidden {
    /// When it reaches the exchange.
    pub(super) arrives: Instant,
    /// Largest open terms that may be in force: money is reserved for them.
    pub(super) reserved_qty: i64,
    pub(super) reserved_price: Premium,
    /// Modifications on their way.
    pub(super) asking: u8,
    /// Charges booked so far.
    pub(super) charged: Money,
    /// An IOC order whose rest has been taken back.
    pub(super) ioc_over: bool,
    /// Never sent to the exchange.
    pub(super) refused_here: bool,
}

impl OrderRow {
    /// Units that may still trade: zero once the order is final (a cancelled order shows 0, dhan-v2.md 5.4).
    pub const fn remaining(&self) -> i64 {
        if self.status.is_final() { 0 } else { self.qty - self.filled }
    }

    /// Whether anything can still happen to it.
    pub const fn is_live(&self) -> bool {
        !self.status.is_final()
    }

    /// Average price of what executed, in rupees as the broker prints it; 0 when nothing did.
    pub fn average_price(&self) -> f64 {
        if self.filled == 0 { 0.0 } else { self.value.as_rupees_f64() / self.filled as f64 }
    }
}

/// One row of the trade book.
#[derive(Debug, Clone, PartialEq)]
pub struct Trade {
    /// The order it belongs to.
    pub order_no: OrderNo,
    /// The exchange's number of that order.
    pub exchange_no: u64,
    /// Exchange trade id: unique over all days.
    pub trade: TradeId,
    /// Buy or sell.
    pub side: OrderSide,
    /// The contract.
    pub listed: Arc<Listed>,
    /// Product.
    pub product: Product,
    /// Type of the order.
    pub order_type: BrokerOrderType,
    /// Units.
    pub qty: i64,
    /// Price per unit.
    pub price: Premium,
    /// Exchange time.
    pub at: Instant,
    /// When the order was placed.
    pub created_at: Instant,
    /// When the broker booked it.
    pub booked_at: Instant,
}

impl Trade {
    /// Price x units.
    pub fn value(&self) -> Money {
        Money::from_paise(self.price.paise() * self.qty)
    }
}

/// What made a row change.
#[derive(Debug, Clone, PartialEq)]
pub enum Cause {
    /// The broker has it.
    Received,
    /// The exchange has it.
    Accepted,
    /// Its stop's trigger traded.
    Triggered,
    /// An execution.
    Filled(Trade),
    /// A change took effect.
    Modified,
    /// A change was refused; the order is as before.
    ModifyRefused(OmsError),
    /// Taken back.
    Cancelled,
    /// Refused.
    Rejected,
    /// Ended with the day, or purged in a halt.
    Expired,
}

/// A change of one order: the whole row after it, and why. One per change, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// When the broker says so.
    pub at: Instant,
    /// Why.
    pub cause: Cause,
    /// The row after the change.
    pub order: OrderRow,
}
