//! The order object of GET /orders, /orders/{id} and /orders/external/{id} (dhan-v2.md 5.4).

use scalper_decide::domain::broker::{BrokerOrderId, BrokerOrderType, BrokerStatus, OrderRow, Product};
use scalper_decide::domain::{ClientOrderId, Money, OrderSide, Premium, Qty, Segment};
use serde::{Deserialize, Serialize};

use super::rows::Row;
use super::scalar::{self, Count, Number};
use super::{times, words};

/// One order, field for field. Written with the wire's own words for "nothing".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderObject {
    /// Account.
    #[serde(default)]
    pub dhan_client_id: String,
    /// The broker's number.
    #[serde(with = "scalar::required")]
    pub order_id: String,
    /// The exchange's number.
    #[serde(default, with = "scalar::zero")]
    pub exchange_order_id: Option<String>,
    /// Tag given at placement.
    #[serde(default, with = "scalar::na")]
    pub correlation_id: Option<String>,
    /// Status.
    #[serde(default = "unknown", with = "words::order_status")]
    pub order_status: BrokerStatus,
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
    /// Validity word.
    #[serde(default, with = "scalar::na")]
    pub validity: Option<String>,
    /// Not unique: weekly and monthly contracts of a month share it.
    #[serde(default, with = "scalar::empty")]
    pub trading_symbol: Option<String>,
    /// Token.
    #[serde(with = "scalar::security_id")]
    pub security_id: u32,
    /// Total units.
    pub quantity: Count,
    /// Units shown to the market.
    #[serde(default, with = "scalar::maybe")]
    pub disclosed_quantity: Option<Count>,
    /// Limit price, rupees.
    #[serde(default, with = "scalar::maybe")]
    pub price: Option<Number>,
    /// Trigger, rupees.
    #[serde(default, with = "scalar::maybe")]
    pub trigger_price: Option<Number>,
    /// Sent on in a later session.
    #[serde(default, with = "scalar::flag")]
    pub after_market_order: bool,
    /// Bracket orders.
    #[serde(default, with = "scalar::maybe")]
    pub bo_profit_value: Option<Number>,
    /// Bracket orders.
    #[serde(default, with = "scalar::maybe")]
    pub bo_stop_loss_value: Option<Number>,
    /// Leg of a bracket or cover order.
    #[serde(default, with = "scalar::na")]
    pub leg_name: Option<String>,
    /// When the broker got it.
    #[serde(default, with = "scalar::no_time")]
    pub create_time: Option<String>,
    /// Last change.
    #[serde(default, with = "scalar::no_time")]
    pub update_time: Option<String>,
    /// The exchange's time.
    #[serde(default, with = "scalar::no_time")]
    pub exchange_time: Option<String>,
    /// Expiry of the contract.
    #[serde(default, with = "scalar::no_date")]
    pub drv_expiry_date: Option<String>,
    /// CALL or PUT.
    #[serde(default, with = "scalar::na")]
    pub drv_option_type: Option<String>,
    /// Strike, rupees.
    #[serde(default, with = "scalar::maybe")]
    pub drv_strike_price: Option<Number>,
    /// Code of a refusal.
    #[serde(default, with = "scalar::zero")]
    pub oms_error_code: Option<String>,
    /// Words of a refusal.
    #[serde(default, with = "scalar::empty")]
    pub oms_error_description: Option<String>,
    /// Tag of the algo framework.
    #[serde(default, with = "scalar::zero")]
    pub algo_id: Option<String>,
    /// Units still open; 0 on a cancelled order, so it says nothing about executions.
    #[serde(default, with = "scalar::maybe")]
    pub remaining_quantity: Option<Count>,
    /// Average price, rupees; more than two decimals.
    #[serde(default, with = "scalar::maybe")]
    pub average_traded_price: Option<Number>,
    /// Executed units, cumulative.
    #[serde(alias = "filledQuantity")]
    pub filled_qty: Count,
}

fn unknown() -> BrokerStatus {
    BrokerStatus::Other(String::new())
}

fn premium(number: Option<Number>) -> Premium {
    Premium::from_paise(number.map_or(0, Number::paise))
}

impl Row<OrderRow> for OrderObject {
    fn to_row(&self) -> Result<OrderRow, String> {
        let (qty, filled) = (self.quantity.0, self.filled_qty.0);
        if qty < 0 || !(0..=qty).contains(&filled) {
            return Err(format!("{filled} of {qty} units executed"));
        }
        let average = self.average_traded_price.map_or(0.0, Number::get);
        let value = Number::new(average * filled as f64).ok_or("the executed value is no amount of money")?;
        let (create, update, exchange) = (&self.create_time, &self.update_time, &self.exchange_time);
        Ok(OrderRow {
            broker_id: BrokerOrderId(self.order_id.as_str().into()),
            tag: self.correlation_id.as_deref().and_then(ClientOrderId::parse),
            segment: self.exchange_segment,
            security_id: self.security_id,
            side: self.transaction_type,
            product: self.product_type.clone(),
            order_type: self.order_type,
            status: self.order_status.clone(),
            qty: Qty::new(qty),
            filled: Qty::new(filled),
            value: Money::from_paise(value.paise()),
            price: premium(self.price),
            trigger: premium(self.trigger_price),
            by_api: None,
            reason: self.oms_error_description.clone().or_else(|| self.oms_error_code.clone()).unwrap_or_default(),
            updated_at: [update, exchange, create].into_iter().find_map(|t| t.as_deref().and_then(times::ist)),
        })
    }
}
