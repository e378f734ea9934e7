//! What a client may ask of the order API, and the refusals it gets at once. Refusals by the risk checks or the
//! exchange come later, as updates.

use std::fmt;

use scalper_decide::domain::broker::{BrokerOrderType, BrokerStatus, Product};
use scalper_decide::domain::{OrderSide, Premium};

use super::order::{Leg, OrderNo, Source, Validity};
use crate::simulator::market::Key;

/// A new order.
#[derive(Debug, Clone, PartialEq)]
pub struct PlaceRequest {
    /// The client's tag; a tag and nothing more: two orders may carry the same one (dhan-v2.md 8.1).
    pub correlation: Option<String>,
    /// Buy or sell.
    pub side: OrderSide,
    /// The contract.
    pub key: Key,
    /// Product.
    pub product: Product,
    /// Type.
    pub order_type: BrokerOrderType,
    /// Validity.
    pub validity: Validity,
    /// Units.
    pub qty: i64,
    /// Disclosed units, 0 for all.
    pub disclosed: i64,
    /// Limit price; not looked at for MARKET.
    pub price: Premium,
    /// Trigger of a stop.
    pub trigger: Premium,
    /// An order for after the market; the simulator takes none.
    pub after_market: bool,
    /// Who places it.
    pub source: Source,
}

impl PlaceRequest {
    /// A LIMIT order of a client for the day, product INTRADAY, without a tag.
    pub fn limit(side: OrderSide, key: Key, qty: i64, price: Premium) -> PlaceRequest {
        PlaceRequest {
            correlation: None,
            side,
            key,
            product: Product::Intraday,
            order_type: BrokerOrderType::Limit,
            validity: Validity::Day,
            qty,
            disclosed: 0,
            price,
            trigger: Premium::ZERO,
            after_market: false,
            source: Source::Api,
        }
    }

    /// The same as a MARKET order.
    pub fn market(side: OrderSide, key: Key, qty: i64) -> PlaceRequest {
        PlaceRequest { order_type: BrokerOrderType::Market, ..PlaceRequest::limit(side, key, qty, Premium::ZERO) }
    }

    /// The same as a stop that becomes a limit order.
    pub fn stop(side: OrderSide, key: Key, qty: i64, trigger: Premium, price: Premium) -> PlaceRequest {
        PlaceRequest { order_type: BrokerOrderType::StopLoss, trigger, ..PlaceRequest::limit(side, key, qty, price) }
    }

    /// The same order with a tag.
    #[must_use]
    pub fn tagged(mut self, correlation: &str) -> PlaceRequest {
        self.correlation = Some(correlation.to_owned());
        self
    }
}

/// New terms of an order; `None` leaves a term as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct ModifyRequest {
    /// The order.
    pub order_no: OrderNo,
    /// New type.
    pub order_type: Option<BrokerOrderType>,
    /// New TOTAL quantity, the executed part included (dhan-v2.md 5.3).
    pub qty: Option<i64>,
    /// New limit price.
    pub price: Option<Premium>,
    /// New trigger.
    pub trigger: Option<Premium>,
}

/// A new super order (dhan-v2.md 6.1).
#[derive(Debug, Clone, PartialEq)]
pub struct SuperRequest {
    /// The entry. Type LIMIT or MARKET.
    pub entry: PlaceRequest,
    /// Target, zero for none.
    pub target: Premium,
    /// Stop, zero for none.
    pub stop: Premium,
    /// Step by which the stop follows a favourable move; zero for none.
    pub trailing_jump: Premium,
}

/// A change of one leg of a super order.
#[derive(Debug, Clone, PartialEq)]
pub enum SuperChange {
    /// The entry, while it waits or is partly executed.
    Entry {
        /// New type.
        order_type: Option<BrokerOrderType>,
        /// New total quantity.
        qty: Option<i64>,
        /// New limit price.
        price: Option<Premium>,
        /// New target.
        target: Option<Premium>,
        /// New stop.
        stop: Option<Premium>,
        /// Trailing step; omitted or zero ends trailing.
        trailing_jump: Option<Premium>,
    },
    /// The target.
    Target {
        /// New target.
        target: Premium,
    },
    /// The stop.
    StopLoss {
        /// New stop.
        stop: Premium,
        /// Trailing step; omitted or zero ends trailing.
        trailing_jump: Option<Premium>,
    },
}

impl SuperChange {
    /// Which leg it is about.
    pub const fn leg(&self) -> Leg {
        match self {
            SuperChange::Entry { .. } => Leg::Entry,
            SuperChange::Target { .. } => Leg::Target,
            SuperChange::StopLoss { .. } => Leg::StopLoss,
        }
    }
}

/// What the API says at once when it takes something: accepted by the broker, nothing more (dhan-v2.md 5.2).
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The order.
    pub order_no: OrderNo,
    /// Its status in the reply.
    pub status: BrokerStatus,
}

/// Codes of immediate refusals (dhan-v2.md 9.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ApiCode {
    /// DH-901: token or client id invalid or expired.
    Auth,
    /// DH-902: no access to this API.
    Access,
    /// DH-904: rate limit.
    RateLimit,
    /// DH-905: a field is missing or bad; never says which.
    Input,
    /// DH-906: the order cannot be taken.
    Order,
    /// DH-907: no data.
    Data,
}

impl ApiCode {
    /// `DH-901` ...
    pub const fn code(self) -> &'static str {
        match self {
            ApiCode::Auth => "DH-901",
            ApiCode::Access => "DH-902",
            ApiCode::RateLimit => "DH-904",
            ApiCode::Input => "DH-905",
            ApiCode::Order => "DH-906",
            ApiCode::Data => "DH-907",
        }
    }

    /// The `errorType` that goes with it. Only three were ever recorded; those of 902, 904 and 907 are named alike.
    pub const fn error_type(self) -> &'static str {
        match self {
            ApiCode::Auth => "Invalid_Authentication",
            ApiCode::Access => "Invalid_Access",
            ApiCode::RateLimit => "Rate_Limit",
            ApiCode::Input => "Input_Exception",
            ApiCode::Order => "Order_Error",
            ApiCode::Data => "Data_Error",
        }
    }

    /// The HTTP status it comes with.
    pub const fn http(self) -> u16 {
        match self {
            ApiCode::Auth => 401,
            ApiCode::Access => 403,
            ApiCode::RateLimit => 429,
            ApiCode::Input | ApiCode::Order | ApiCode::Data => 400,
        }
    }
}

/// An immediate refusal: nothing happened and nothing will.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// The code.
    pub code: ApiCode,
    /// The broker's words.
    pub message: String,
}

impl fmt::Display for ApiCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

impl ApiError {
    pub(crate) fn input(message: &str) -> ApiError {
        ApiError { code: ApiCode::Input, message: message.to_owned() }
    }
    pub(crate) fn order(message: impl Into<String>) -> ApiError {
        ApiError { code: ApiCode::Order, message: message.into() }
    }
}
