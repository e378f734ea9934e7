//! Placing, changing and taking back orders: request bodies and the short answer (dhan-v2.md 5.2, 5.3, 5.6).

use scalper_decide::domain::broker::{BrokerOrderId, BrokerOrderType, BrokerStatus, Product};
use scalper_decide::domain::{OrderSide, OrderType, Segment};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::rows::one_or_many;
use super::scalar::{self, Count, Number};
use super::words::{self, AmoTime, Validity};
use crate::broker::ports::{NewOrder, OrderChange};

/// Body of POST /orders and /orders/slicing. Reads what other clients send too: numeric strings, `""` and null.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlaceBody {
    /// Account.
    #[serde(default)]
    pub dhan_client_id: String,
    /// Tag, at most 25 characters (8.1).
    #[serde(default, with = "scalar::empty", skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// Buy or sell.
    #[serde(with = "words::side")]
    pub transaction_type: OrderSide,
    /// Segment.
    #[serde(with = "words::segment")]
    pub exchange_segment: Segment,
    /// Product.
    #[serde(with = "words::product_type")]
    pub product_type: Product,
    /// Type.
    #[serde(with = "words::kind")]
    pub order_type: BrokerOrderType,
    /// Validity.
    #[serde(default)]
    pub validity: Validity,
    /// Token.
    #[serde(with = "scalar::security_id")]
    pub security_id: u32,
    /// Units, not lots.
    pub quantity: Count,
    /// Units shown to the market.
    #[serde(default, with = "scalar::maybe", skip_serializing_if = "Option::is_none")]
    pub disclosed_quantity: Option<Count>,
    /// Limit price, rupees; absent or 0 for MARKET.
    #[serde(default, with = "scalar::maybe")]
    pub price: Option<Number>,
    /// Trigger, rupees, of the stop types.
    #[serde(default, with = "scalar::maybe", skip_serializing_if = "Option::is_none")]
    pub trigger_price: Option<Number>,
    /// Sent on in a later session.
    #[serde(default, with = "scalar::flag")]
    pub after_market_order: bool,
    /// When, for an after-market order.
    #[serde(default, deserialize_with = "amo", skip_serializing_if = "Option::is_none")]
    pub amo_time: Option<AmoTime>,
    /// Bracket orders only.
    #[serde(default, with = "scalar::maybe", skip_serializing_if = "Option::is_none")]
    pub bo_profit_value: Option<Number>,
    /// Bracket orders only.
    #[serde(default, with = "scalar::maybe", skip_serializing_if = "Option::is_none")]
    pub bo_stop_loss_value: Option<Number>,
}

/// `""` and null are no time.
fn amo<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Option<AmoTime>, D::Error> {
    match Value::deserialize(d)? {
        Value::Null => Ok(None),
        Value::String(s) if s.is_empty() => Ok(None),
        other => serde_json::from_value(other).map(Some).map_err(serde::de::Error::custom),
    }
}

/// Type, limit and trigger of the two order types the engine sends.
fn terms(order_type: OrderType) -> (BrokerOrderType, Number, Option<Number>) {
    let kind = match order_type {
        OrderType::Limit { .. } => BrokerOrderType::Limit,
        OrderType::StopLimit { .. } => BrokerOrderType::StopLoss,
    };
    let rupees = |price: scalper_decide::domain::Premium| Number::from_paise(price.paise());
    (kind, rupees(order_type.limit()), order_type.trigger().map(rupees))
}

impl PlaceBody {
    /// The body of an order of ours.
    pub fn of(client_id: &str, order: &NewOrder) -> PlaceBody {
        let (kind, price, trigger) = terms(order.order_type);
        PlaceBody {
            dhan_client_id: client_id.to_owned(),
            correlation_id: Some(order.id.to_string()),
            transaction_type: order.side,
            exchange_segment: order.segment,
            product_type: order.product.clone(),
            order_type: kind,
            validity: Validity::Day,
            security_id: order.security_id,
            quantity: Count(order.qty.get()),
            disclosed_quantity: None,
            price: Some(price),
            trigger_price: trigger,
            after_market_order: false,
            amo_time: None,
            bo_profit_value: None,
            bo_stop_loss_value: None,
        }
    }
}

/// Body of PUT /orders/{id}: absolute values, `quantity` is the total (C20).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModifyBody {
    /// Account.
    #[serde(default)]
    pub dhan_client_id: String,
    /// The order, again.
    #[serde(default, with = "scalar::na")]
    pub order_id: Option<String>,
    /// Type from now on.
    #[serde(with = "words::kind")]
    pub order_type: BrokerOrderType,
    /// Leg of a bracket or cover order.
    #[serde(default, with = "scalar::na")]
    pub leg_name: Option<String>,
    /// Total units, executed ones included.
    #[serde(default, with = "scalar::maybe")]
    pub quantity: Option<Count>,
    /// Limit price, rupees.
    #[serde(default, with = "scalar::maybe")]
    pub price: Option<Number>,
    /// Units shown to the market.
    #[serde(default, with = "scalar::maybe")]
    pub disclosed_quantity: Option<Count>,
    /// Trigger, rupees.
    #[serde(default, with = "scalar::maybe", skip_serializing_if = "Option::is_none")]
    pub trigger_price: Option<Number>,
    /// Validity.
    #[serde(default)]
    pub validity: Validity,
}

impl ModifyBody {
    /// The body of a change of ours.
    pub fn of(client_id: &str, change: &OrderChange) -> ModifyBody {
        let (kind, price, trigger) = terms(change.order_type);
        ModifyBody {
            dhan_client_id: client_id.to_owned(),
            order_id: Some(change.broker_id.to_string()),
            order_type: kind,
            leg_name: None,
            quantity: Some(Count(change.qty.get())),
            price: Some(price),
            disclosed_quantity: None,
            trigger_price: trigger,
            validity: Validity::Day,
        }
    }
}

/// The short answer to place, modify and cancel. It means the broker took the call, not that the exchange did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderAck {
    /// The broker's number.
    #[serde(with = "scalar::required")]
    pub order_id: String,
    /// The status it answered with.
    #[serde(default = "no_status", with = "words::order_status")]
    pub order_status: BrokerStatus,
}

fn no_status() -> BrokerStatus {
    BrokerStatus::Other(String::new())
}

impl OrderAck {
    /// The broker's number.
    pub fn broker_id(&self) -> BrokerOrderId {
        BrokerOrderId(self.order_id.as_str().into())
    }

    /// Reads an object or an array of one; `None` for anything else.
    pub fn read(body: Value) -> Option<OrderAck> {
        match <[OrderAck; 1]>::try_from(OrderAck::read_many(body)?) {
            Ok([ack]) => Some(ack),
            Err(_) => None,
        }
    }

    /// Reads an array, or one object as an array of one (5.6); `None` when one of them cannot be read.
    pub fn read_many(body: Value) -> Option<Vec<OrderAck>> {
        one_or_many(body)?.into_iter().map(|one| serde_json::from_value(one).ok()).collect()
    }
}
