//! What a broker's order API says, in our words. These are observations: rows of its books, pushed updates, answers
//! to our calls. The reconciler turns them into order reports; nothing else may.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::command::Command;
use super::event::VenueRefusal;
use super::ids::{ClientOrderId, TradeId};
use super::instrument::Segment;
use super::money::{Money, Premium, Qty};
use super::order::OrderSide;
use super::time::Instant;

/// The broker's own number of an order: opaque.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BrokerOrderId(pub Arc<str>);

impl fmt::Display for BrokerOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Status of an order in the broker's words (dhan-v2.md 5.5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum BrokerStatus {
    /// At the broker, not yet at the exchange.
    Transit,
    /// Open at the exchange.
    Pending,
    /// Partly executed, the rest open.
    PartTraded,
    /// Completely executed.
    Traded,
    /// Taken back.
    Cancelled,
    /// Refused by the broker's risk checks or by the exchange.
    Rejected,
    /// Ended with the day.
    Expired,
    /// A stop whose trigger traded.
    Triggered,
    /// A super order whose entry and one exit are done.
    Closed,
    /// A word we do not know: never final, and a reason to look closer (B15, D10).
    Other(String),
}

impl BrokerStatus {
    /// Whether the order can no longer trade.
    pub const fn is_final(&self) -> bool {
        matches!(
            self,
            BrokerStatus::Traded
                | BrokerStatus::Cancelled
                | BrokerStatus::Rejected
                | BrokerStatus::Expired
                | BrokerStatus::Closed
        )
    }
}

/// Order type as the broker shows it; the engine sends only the first two, other clients of the account anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum BrokerOrderType {
    /// Limit.
    Limit,
    /// Stop that becomes a limit.
    StopLoss,
    /// Market.
    Market,
    /// Stop that becomes a market order.
    StopLossMarket,
}

/// Product of an order or position.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Product {
    /// Squared off by the broker the same day.
    Intraday,
    /// Carried forward.
    Margin,
    /// Delivery.
    Cnc,
    /// Margin trade funding.
    Mtf,
    /// Anything else, in the broker's words.
    Other(String),
}

/// One order as the broker shows it: a row of the order book, or a pushed update.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRow {
    /// The broker's number.
    pub broker_id: BrokerOrderId,
    /// Our id, when the broker carries one that is well formed.
    pub tag: Option<ClientOrderId>,
    /// Segment of the contract.
    pub segment: Segment,
    /// Token inside the segment.
    pub security_id: u32,
    /// Buy or sell.
    pub side: OrderSide,
    /// Product.
    pub product: Product,
    /// Type in force.
    pub order_type: BrokerOrderType,
    /// Status.
    pub status: BrokerStatus,
    /// Total quantity, units.
    pub qty: Qty,
    /// Executed quantity, cumulative, units.
    pub filled: Qty,
    /// Average price x executed quantity, rounded to the paisa; zero when nothing executed.
    pub value: Money,
    /// Limit price in force.
    pub price: Premium,
    /// Trigger in force; zero when none.
    pub trigger: Premium,
    /// Placed through the API (`Source` P); `None` where the source does not say.
    pub by_api: Option<bool>,
    /// The broker's words for a refusal; empty when none.
    pub reason: String,
    /// The broker's time of the last change, whole seconds.
    pub updated_at: Option<Instant>,
}

/// One execution as the broker's trade book shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradeRow {
    /// The order it belongs to.
    pub broker_id: BrokerOrderId,
    /// Exchange trade id.
    pub trade: TradeId,
    /// Segment of the contract.
    pub segment: Segment,
    /// Token inside the segment.
    pub security_id: u32,
    /// Buy or sell.
    pub side: OrderSide,
    /// Units.
    pub qty: Qty,
    /// Price per unit.
    pub price: Premium,
    /// Exchange time.
    pub at: Instant,
}

/// One row of the broker's positions: per contract and product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PositionRow {
    /// Segment of the contract.
    pub segment: Segment,
    /// Token inside the segment.
    pub security_id: u32,
    /// Product.
    pub product: Product,
    /// Units owned now, carried ones included; negative when short.
    pub net: i64,
    /// Units bought today.
    pub day_bought: Qty,
    /// Units sold today.
    pub day_sold: Qty,
    /// Money paid for the units bought today; `None` where the broker does not say.
    #[serde(default)]
    pub day_paid: Option<Money>,
}

/// A call that changes orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "snake_case")]
pub enum OrderCall {
    /// POST of a new order.
    Place,
    /// PUT with absolute values.
    Modify {
        /// Number of the modification, starting at 1.
        version: u8,
    },
    /// DELETE.
    Cancel,
}

impl OrderCall {
    /// The call that carries a command out.
    pub const fn of(command: &Command) -> OrderCall {
        match command {
            Command::Place(_) => OrderCall::Place,
            Command::Modify { version, .. } => OrderCall::Modify { version: *version },
            Command::Cancel { .. } => OrderCall::Cancel,
        }
    }
}

/// What became of one call, classified once at the edge (P1, L3). There is no fourth outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// The broker took it.
    Accepted {
        /// Its number for the order.
        broker_id: BrokerOrderId,
        /// The status it answered with.
        status: BrokerStatus,
    },
    /// Proven refused: nothing happened and nothing will.
    Refused {
        /// Why.
        refusal: VenueRefusal,
    },
    /// Bytes may have reached the broker: time-out, broken connection, 5xx, unreadable answer.
    Unknown {
        /// What was seen, for the log.
        what: String,
    },
    /// Proven that no byte of the request left (no connection, no token, no budget).
    NotSent {
        /// Why.
        why: String,
    },
}

/// A read of the broker's books.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "read", rename_all = "snake_case")]
pub enum BrokerRead {
    /// All orders of the day.
    Orders,
    /// All executions of the day.
    Trades,
    /// All positions.
    Positions,
    /// One order by our id.
    ByTag {
        /// Our id.
        id: ClientOrderId,
    },
}

/// Something the broker said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "broker", rename_all = "snake_case")]
pub enum BrokerEvent {
    /// The outcome of one of our calls.
    Answered {
        /// The order.
        id: ClientOrderId,
        /// The call.
        call: OrderCall,
        /// What became of it.
        answer: Answer,
    },
    /// A pushed update of one order, ours or not.
    Pushed {
        /// The order.
        row: OrderRow,
    },
    /// A clean, complete order book, as it was some time after `asked_at`.
    Orders {
        /// When the read was sent.
        asked_at: Instant,
        /// Every order of the day.
        rows: Vec<OrderRow>,
    },
    /// A clean, complete trade book.
    Trades {
        /// When the read was sent.
        asked_at: Instant,
        /// Every execution of the day.
        rows: Vec<TradeRow>,
    },
    /// A clean, complete list of positions. Empty means flat only when nothing says otherwise (D11, D12).
    Positions {
        /// When the read was sent.
        asked_at: Instant,
        /// Every position.
        rows: Vec<PositionRow>,
    },
    /// A clean look-up by our id.
    LookedUp {
        /// When the read was sent.
        asked_at: Instant,
        /// Our id.
        id: ClientOrderId,
        /// The orders that carry it; empty when the broker knows none.
        rows: Vec<OrderRow>,
    },
    /// A read failed: it says nothing about anything (C5, F-57).
    ReadFailed {
        /// What was asked.
        read: BrokerRead,
        /// What was seen, for the log.
        what: String,
    },
    /// The push connection came up (`true`) or went down.
    PushLink {
        /// Whether it is up.
        up: bool,
    },
    /// A new process goes on with the day: pushes were missed since the event before, and reads that were under way
    /// died with the process before it.
    Resumed,
}
