//! Super orders: an entry with a stop and a target that live at the broker (dhan-v2.md 6.1).

use scalper_decide::domain::broker::{BrokerOrderType, BrokerStatus, Product};
use scalper_decide::domain::{OrderSide, Segment};
use serde::{Deserialize, Serialize};

use super::order_book::OrderObject;
use super::scalar::{self, Count, Number};
use super::words::{self, Leg};

/// Body of POST /super/orders. It has no validity field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SuperPlaceBody {
    /// Account.
    #[serde(default)]
    pub dhan_client_id: String,
    /// Tag.
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
    /// LIMIT or MARKET.
    #[serde(with = "words::kind")]
    pub order_type: BrokerOrderType,
    /// Token.
    #[serde(with = "scalar::security_id")]
    pub security_id: u32,
    /// Units.
    pub quantity: Count,
    /// Limit price of the entry, rupees.
    #[serde(default, with = "scalar::maybe")]
    pub price: Option<Number>,
    /// Target, rupees.
    #[serde(default, with = "scalar::maybe")]
    pub target_price: Option<Number>,
    /// Stop, rupees.
    #[serde(default, with = "scalar::maybe")]
    pub stop_loss_price: Option<Number>,
    /// Step by which the stop follows, rupees; always sent, 0 for none.
    #[serde(default, with = "scalar::maybe")]
    pub trailing_jump: Option<Number>,
}

/// Body of PUT /super/orders/{id}: one leg at a time, and only the fields that leg may change. Leaving out
/// `trailingJump` ends trailing, so the stop always carries it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "legName", rename_all_fields = "camelCase")]
pub enum SuperModifyBody {
    /// While the entry is open.
    #[serde(rename = "ENTRY_LEG")]
    Entry {
        /// Account.
        #[serde(default)]
        dhan_client_id: String,
        /// The order.
        #[serde(with = "scalar::required")]
        order_id: String,
        /// LIMIT or MARKET.
        #[serde(with = "words::kind")]
        order_type: BrokerOrderType,
        /// Total units.
        quantity: Count,
        /// Limit price, rupees.
        price: Number,
        /// Target, rupees.
        target_price: Number,
        /// Stop, rupees.
        stop_loss_price: Number,
        /// Trail step, rupees; 0 for none.
        trailing_jump: Number,
    },
    /// While the target is live.
    #[serde(rename = "TARGET_LEG")]
    Target {
        /// Account.
        #[serde(default)]
        dhan_client_id: String,
        /// The order.
        #[serde(with = "scalar::required")]
        order_id: String,
        /// Target, rupees.
        target_price: Number,
    },
    /// While the stop is live.
    #[serde(rename = "STOP_LOSS_LEG")]
    StopLoss {
        /// Account.
        #[serde(default)]
        dhan_client_id: String,
        /// The order.
        #[serde(with = "scalar::required")]
        order_id: String,
        /// Stop, rupees.
        stop_loss_price: Number,
        /// Trail step, rupees; 0 for none.
        trailing_jump: Number,
    },
}

impl SuperModifyBody {
    /// Which leg.
    pub const fn leg(&self) -> Leg {
        match self {
            SuperModifyBody::Entry { .. } => Leg::Entry,
            SuperModifyBody::Target { .. } => Leg::Target,
            SuperModifyBody::StopLoss { .. } => Leg::StopLoss,
        }
    }

    /// The order it changes.
    pub fn order_id(&self) -> &str {
        match self {
            SuperModifyBody::Entry { order_id, .. }
            | SuperModifyBody::Target { order_id, .. }
            | SuperModifyBody::StopLoss { order_id, .. } => order_id,
        }
    }
}

/// One leg in the list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SuperLeg {
    /// The broker's number.
    #[serde(default, with = "scalar::zero")]
    pub order_id: Option<String>,
    /// `ENTRY_LEG`, `STOP_LOSS_LEG`, `TARGET_LEG`, or a word we do not know.
    #[serde(default, with = "scalar::na")]
    pub leg_name: Option<String>,
    /// Buy or sell.
    #[serde(with = "words::side")]
    pub transaction_type: OrderSide,
    /// Total units; misspelt on the wire.
    #[serde(rename = "totalQuatity", alias = "totalQuantity", default, with = "scalar::maybe")]
    pub total_quantity: Option<Count>,
    /// Units open.
    #[serde(default, with = "scalar::maybe")]
    pub remaining_quantity: Option<Count>,
    /// Units triggered.
    #[serde(default, with = "scalar::maybe")]
    pub triggered_quantity: Option<Count>,
    /// Price, rupees.
    #[serde(default, with = "scalar::maybe")]
    pub price: Option<Number>,
    /// Status.
    #[serde(with = "words::order_status")]
    pub order_status: BrokerStatus,
    /// Trail step, rupees.
    #[serde(default, with = "scalar::maybe")]
    pub trailing_jump: Option<Number>,
}

impl SuperLeg {
    /// Which leg, when it is a known one.
    pub fn leg(&self) -> Option<Leg> {
        self.leg_name.as_deref().and_then(Leg::from_word)
    }
}

/// One super order of GET /super/orders: the order's fields with the legs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SuperOrder {
    /// The order itself.
    #[serde(flatten)]
    pub order: OrderObject,
    /// Last traded price, rupees.
    #[serde(default, with = "scalar::maybe")]
    pub ltp: Option<Number>,
    /// Legs.
    #[serde(default)]
    pub leg_details: Vec<SuperLeg>,
}
