//! Facts that came in. The pipeline takes one at a time and drains it fully before the next.

use std::collections::BTreeMap;
use std::fmt;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::broker::BrokerEvent;
use super::calendar::SessionHours;
use super::ids::ClientOrderId;
use super::instrument::{Instrument, InstrumentId, Underlying};
use super::money::{IndexPrice, Money, Qty};
pub use super::operator::OperatorCommand;
use super::order::{Fill, OrderType};
use super::tick::Tick;
use super::time::{Age, Instant};
use crate::params::StrategyParams;
use crate::reconciler::ReconcilerParams;

/// At-the-money volatility at the end of sessions, oldest first, in millionths of a percent.
pub type IvDays = BTreeMap<Underlying, Vec<(NaiveDate, i64)>>;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A trading day begins; daily counters start afresh.
    SessionOpened {
        /// Its hours and cut-offs.
        hours: SessionHours,
        /// The day only feeds indicators and history; nothing is traded.
        warm_up: bool,
        /// Indices of which only bars were recorded, with the length of those bars: finer ones cannot be built.
        bars_of: BTreeMap<Underlying, Age>,
    },
    /// An instrument is known from here on, in the slot it carries.
    Listed {
        /// Its terms today.
        instrument: Instrument,
    },
    /// The market moved.
    Tick(Tick),
    /// A time that somebody asked for has come.
    Timer,
    /// The venue said something about one of our orders.
    Order(OrderEvent),
    /// The exchange settled every contract of one series in one step on one value (P30).
    Settled {
        /// Whose options.
        underlying: Underlying,
        /// Which series.
        expiry: NaiveDate,
        /// Final settlement value.
        value: IndexPrice,
        /// Where the value came from.
        source: String,
    },
    /// The trading day is over; whatever is open now is unresolved.
    SessionClosed {
        /// The day.
        day: NaiveDate,
    },
    /// The broker said something about orders, executions or positions (live and sim modes).
    Broker(BrokerEvent),
    /// A person acted.
    Operator(OperatorCommand),
    /// Settings in force from here on. The first one sets everything; a later one changes what is safe to change.
    Configured {
        /// All settings, proved.
        params: Box<StrategyParams>,
        /// How the broker's word is reconciled with ours; `None` where there is no broker. Only the first one counts.
        reconciler: Option<ReconcilerParams>,
    },
    /// What is stored of earlier sessions. It takes the place of what is remembered of them.
    IvHistory {
        /// By index.
        days: IvDays,
    },
}

/// A report about one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderEvent {
    /// Which order.
    pub id: ClientOrderId,
    /// What it trades.
    pub instrument: InstrumentId,
    /// What was said.
    pub report: OrderReport,
}

/// What a venue can say about an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "snake_case")]
pub enum OrderReport {
    /// The venue has it.
    Accepted,
    /// The stop's trigger traded.
    Triggered,
    /// An execution.
    Filled(Fill),
    /// The venue counts this many units executed in all, without saying by which trades (order books and pushed
    /// updates carry no trade ids).
    Traded {
        /// Units executed since the order was placed.
        filled: Qty,
        /// Money of all of them: average price x units.
        value: Money,
    },
    /// A modification took effect.
    Modified {
        /// Number of the modification, starting at 1.
        version: u8,
        /// Type and prices now in force.
        order_type: OrderType,
        /// Quantity now in force.
        qty: Qty,
    },
    /// A modification was refused; the order is as before.
    ModifyRefused {
        /// Number of the modification.
        version: u8,
        /// Why.
        refusal: VenueRefusal,
    },
    /// Somebody else changed the order, and the change stands: these terms are in force in place of those of
    /// modification `version` (zero: of the placement).
    Altered {
        /// The last modification of ours that took effect before.
        version: u8,
        /// Number of the alteration of this order, starting at 1.
        nth: u8,
        /// Type and prices now in force.
        order_type: OrderType,
        /// Quantity now in force.
        qty: Qty,
    },
    /// The order was taken back.
    Cancelled {
        /// Units executed before.
        filled: Qty,
    },
    /// A cancellation was refused.
    CancelRefused {
        /// Why.
        refusal: VenueRefusal,
    },
    /// The order was refused.
    Rejected {
        /// Why.
        refusal: VenueRefusal,
    },
    /// No answer came in time.
    Unanswered {
        /// Since when.
        since: Instant,
    },
    /// Proof that the order never reached the venue.
    ProvenAbsent,
}

/// Why a venue refuses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VenueRefusal {
    /// The market is closed.
    MarketClosed,
    /// Price is not a multiple of the tick.
    TickSize,
    /// Quantity is not a multiple of the lot.
    LotSize,
    /// Quantity above the freeze limit.
    FreezeQuantity,
    /// Limit price outside the day's price band.
    PriceBand,
    /// A stop whose trigger is on the wrong side of the market.
    TriggerSide,
    /// The contract has expired.
    Expired,
    /// A change to an order that is not open any more, or is unknown.
    NotOpen,
    /// More modifications than one order may have.
    ModificationLimit,
    /// An id was used twice.
    DuplicateId,
    /// Anything else, in the venue's words.
    Other(String),
}

impl fmt::Display for VenueRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            VenueRefusal::Other(text) => f.write_str(text),
            known => write!(f, "{known:?}"),
        }
    }
}
