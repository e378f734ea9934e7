//! Money and margin (dhan-v2.md 7.2), misspellings of the wire included.

use scalper_decide::domain::broker::Product;
use scalper_decide::domain::{OrderSide, Segment};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::scalar::{self, Count, Number};
use super::words;

/// Answer of GET /fundlimit, rupees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Funds {
    /// Account.
    #[serde(default)]
    pub dhan_client_id: String,
    /// Free to trade. Must be there: a missing balance is an error, never zero (F-25, F-41).
    #[serde(rename = "availabelBalance", alias = "availableBalance")]
    pub available_balance: Number,
    /// At the start of the day.
    #[serde(default, with = "scalar::maybe")]
    pub sod_limit: Option<Number>,
    /// Against collateral.
    #[serde(default, with = "scalar::maybe")]
    pub collateral_amount: Option<Number>,
    /// To come from sales.
    #[serde(rename = "receiveableAmount", alias = "receivableAmount", default, with = "scalar::maybe")]
    pub receivable_amount: Option<Number>,
    /// In use.
    #[serde(default, with = "scalar::maybe")]
    pub utilized_amount: Option<Number>,
    /// Blocked for a payout.
    #[serde(default, with = "scalar::maybe")]
    pub blocked_payout_amount: Option<Number>,
    /// Free to withdraw.
    #[serde(default, with = "scalar::maybe")]
    pub withdrawable_balance: Option<Number>,
}

/// Body of POST /margincalculator, and of one script of the multi form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MarginBody {
    /// Account.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub dhan_client_id: String,
    /// Segment.
    #[serde(with = "words::segment")]
    pub exchange_segment: Segment,
    /// Buy or sell.
    #[serde(with = "words::side")]
    pub transaction_type: OrderSide,
    /// Units.
    pub quantity: Count,
    /// Product.
    #[serde(with = "words::product_type")]
    pub product_type: Product,
    /// Token.
    #[serde(with = "scalar::security_id")]
    pub security_id: u32,
    /// Price, rupees.
    #[serde(default, with = "scalar::maybe")]
    pub price: Option<Number>,
    /// Trigger, rupees.
    #[serde(default, with = "scalar::maybe", skip_serializing_if = "Option::is_none")]
    pub trigger_price: Option<Number>,
}

/// Answer of POST /margincalculator, rupees. Brokerage here may be 0 and is no charge model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Margin {
    /// Needed in all.
    pub total_margin: Number,
    /// SPAN part.
    #[serde(default, with = "scalar::maybe")]
    pub span_margin: Option<Number>,
    /// Exposure part.
    #[serde(default, with = "scalar::maybe")]
    pub exposure_margin: Option<Number>,
    /// Free to trade; spelt correctly here.
    #[serde(default, with = "scalar::maybe")]
    pub available_balance: Option<Number>,
    /// Variable part.
    #[serde(default, with = "scalar::maybe")]
    pub variable_margin: Option<Number>,
    /// Missing.
    #[serde(default, with = "scalar::maybe")]
    pub insufficient_balance: Option<Number>,
    /// Brokerage.
    #[serde(default, with = "scalar::maybe")]
    pub brokerage: Option<Number>,
    /// `1X` or `4.00`.
    #[serde(default, with = "scalar::empty")]
    pub leverage: Option<String>,
}

/// Body of POST /margincalculator/multi.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MultiMarginBody {
    /// Account.
    #[serde(default)]
    pub dhan_client_id: String,
    /// Count open positions.
    #[serde(default, with = "scalar::flag")]
    pub include_position: bool,
    /// Count open orders.
    #[serde(default, alias = "includeOrders", with = "scalar::flag")]
    pub include_order: bool,
    /// The orders.
    #[serde(alias = "scripts")]
    pub scrip_list: Vec<MarginBody>,
}

/// Answer of POST /margincalculator/multi: camelCase numbers in one source, snake_case texts in the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MultiMargin {
    /// Needed in all, rupees.
    #[serde(alias = "total_margin")]
    pub total_margin: Number,
    /// SPAN part.
    #[serde(default, alias = "span_margin", with = "scalar::maybe")]
    pub span_margin: Option<Number>,
    /// Exposure part.
    #[serde(default, alias = "exposure_margin", alias = "exposureMargin", with = "scalar::maybe")]
    pub exposure: Option<Number>,
    /// Derivatives part.
    #[serde(default, alias = "fo_margin", with = "scalar::maybe")]
    pub fo_margin: Option<Number>,
    /// Saved by hedging.
    #[serde(default, alias = "hedge_benefit", with = "scalar::maybe")]
    pub hedge_benefit: Option<Number>,
}

/// Reads the funds, which some accounts get as an array of one.
pub fn read_funds(body: Value) -> Option<Funds> {
    super::rows::one_or_many(body)?.into_iter().next().and_then(|one| serde_json::from_value(one).ok())
}
