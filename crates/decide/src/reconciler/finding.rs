//! What the reconciler noticed and what it wants done about everything it heard.

use serde::{Deserialize, Serialize};

use crate::domain::broker::{BrokerOrderId, BrokerRead, OrderRow};
use crate::domain::{
    ClientOrderId, Command, Instant, InstrumentId, Money, OrderEvent, OrderSide, OrderType, PositionId, Qty,
};

/// Type, prices and total quantity of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Type and prices.
    pub order_type: OrderType,
    /// Total units.
    pub qty: Qty,
}

/// Something a person should know; each is found once, not once per read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
pub enum Finding {
    /// The fate of a placement is unknown; it is being looked up (P1).
    InDoubt {
        /// The order.
        id: ClientOrderId,
        /// What was seen.
        what: String,
    },
    /// A placement never arrived: the reads that prove it (I11).
    ProvenAbsent {
        /// The order.
        id: ClientOrderId,
        /// When it was sent.
        sent_at: Instant,
        /// When the order lists without it were asked for.
        lists: Vec<Instant>,
        /// When the look-ups that found nothing were asked for.
        lookups: Vec<Instant>,
    },
    /// An order that was declared dead (proven absent, refused or never sent) lives at the broker (C3). It is not
    /// reported to the order manager, which has settled its affairs: it is taken back here.
    LateArrival {
        /// The order.
        id: ClientOrderId,
        /// The broker's number for it.
        broker_id: BrokerOrderId,
    },
    /// More of one of our orders was executed than its end allowed for: units nobody manages. The order manager takes
    /// them over and flattens them.
    Unmanaged {
        /// The order.
        id: ClientOrderId,
        /// The contract.
        instrument: InstrumentId,
        /// Bought or sold.
        side: OrderSide,
        /// Units beyond the order's end, all together.
        qty: Qty,
        /// Their money.
        value: Money,
    },
    /// The broker shows other terms than it confirmed (C14, E4). A stop that somebody made tighter is adopted as it is;
    /// anything else is put right by the order manager, once.
    Altered {
        /// The order.
        id: ClientOrderId,
        /// The position it belongs to.
        position: PositionId,
        /// What was confirmed.
        confirmed: Terms,
        /// What the book shows; `None` for a market type.
        shown: Option<Terms>,
        /// Whether the terms shown stand from here on.
        is_adopted: bool,
    },
    /// Our order was cancelled and we did not ask for it (E3).
    CancelledElsewhere {
        /// The order.
        id: ClientOrderId,
    },
    /// An order sits at the broker and does not reach the exchange (C21).
    Stuck {
        /// The order.
        id: ClientOrderId,
        /// Since when.
        since: Instant,
    },
    /// A status nobody here knows (D10).
    UnknownStatus {
        /// The order.
        id: ClientOrderId,
        /// The broker's word.
        status: String,
    },
    /// The broker contradicts itself or what it said before; the claim was not believed.
    Contradiction {
        /// The order.
        id: ClientOrderId,
        /// What was claimed against what.
        what: String,
    },
    /// The order book and the trade book count one order's executions differently, for long (D8).
    BooksDiffer {
        /// The order.
        id: ClientOrderId,
        /// Units by the order book.
        by_orders: Qty,
        /// Units by the trade book.
        by_trades: Qty,
    },
    /// The average price of the order book does not give the money of the trades (D9).
    MoneyDiffers {
        /// The order.
        id: ClientOrderId,
        /// By the order book.
        by_orders: Money,
        /// By the trade book.
        by_trades: Money,
    },
    /// An order carries our mark and is not in our books: another daemon, or our journal is old (E7, H6).
    OwnUnknown {
        /// The mark.
        tag: ClientOrderId,
        /// The order.
        row: Box<OrderRow>,
    },
    /// Two orders carry one of our ids (I1).
    Duplicate {
        /// The id.
        id: ClientOrderId,
        /// The second order.
        row: Box<OrderRow>,
    },
    /// An order that is not ours, in a contract of ours or in any other (E1). Never touched.
    Foreign {
        /// The order.
        row: Box<OrderRow>,
    },
    /// The broker's net of a contract is not what our and foreign executions explain (P3).
    PositionDiffers {
        /// The contract.
        instrument: InstrumentId,
        /// Units we own.
        ours: i64,
        /// Units the broker counts for the day.
        broker: i64,
        /// Net units of executions that are not ours.
        foreign: i64,
    },
    /// A difference found before is explained or gone.
    PositionAgrees {
        /// The contract.
        instrument: InstrumentId,
    },
}

impl Finding {
    /// Stable code for counters and journals.
    pub const fn code(&self) -> &'static str {
        match self {
            Finding::InDoubt { .. } => "IN_DOUBT",
            Finding::ProvenAbsent { .. } => "PROVEN_ABSENT",
            Finding::LateArrival { .. } => "LATE_ARRIVAL",
            Finding::Unmanaged { .. } => "UNMANAGED",
            Finding::Altered { .. } => "ALTERED",
            Finding::CancelledElsewhere { .. } => "CANCELLED_ELSEWHERE",
            Finding::Stuck { .. } => "STUCK",
            Finding::UnknownStatus { .. } => "UNKNOWN_STATUS",
            Finding::Contradiction { .. } => "CONTRADICTION",
            Finding::BooksDiffer { .. } => "BOOKS_DIFFER",
            Finding::MoneyDiffers { .. } => "MONEY_DIFFERS",
            Finding::OwnUnknown { .. } => "OWN_UNKNOWN",
            Finding::Duplicate { .. } => "DUPLICATE",
            Finding::Foreign { .. } => "FOREIGN",
            Finding::PositionDiffers { .. } => "POSITION_DIFFERS",
            Finding::PositionAgrees { .. } => "POSITION_AGREES",
        }
    }
}

/// What one thing heard, or time passing, led to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Reconciled {
    /// For the order manager, in order.
    pub reports: Vec<OrderEvent>,
    /// Cancellations of orders that nobody manages.
    pub commands: Vec<Command>,
    /// Books to be read now.
    pub reads: Vec<BrokerRead>,
    /// For the journal and the alarms.
    pub findings: Vec<Finding>,
}

impl Reconciled {
    /// Whether nothing came of it (a read that is due is no news).
    pub const fn is_quiet(&self) -> bool {
        self.reports.is_empty() && self.commands.is_empty() && self.findings.is_empty()
    }
}
