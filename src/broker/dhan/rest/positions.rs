//! Positions and holdings (dhan-v2.md 7.1).

use scalper_decide::domain::broker::{PositionRow, Product};
use scalper_decide::domain::{Money, Qty, Segment};
use serde::{Deserialize, Serialize};

use super::rows::Row;
use super::scalar::{self, Count, Number};
use super::words;

/// One row of GET /positions, per contract and product. Money is in rupees, quantities in units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PositionObject {
    /// Account.
    #[serde(default)]
    pub dhan_client_id: String,
    /// Not unique.
    #[serde(default, with = "scalar::empty")]
    pub trading_symbol: Option<String>,
    /// Token.
    #[serde(with = "scalar::security_id")]
    pub security_id: u32,
    /// LONG, SHORT or CLOSED.
    #[serde(default, with = "scalar::na")]
    pub position_type: Option<String>,
    /// Segment.
    #[serde(with = "words::segment")]
    pub exchange_segment: Segment,
    /// Product.
    #[serde(with = "words::product_type")]
    pub product_type: Product,
    /// Average price bought at.
    #[serde(default, with = "scalar::maybe")]
    pub buy_avg: Option<Number>,
    /// Cost price.
    #[serde(default, with = "scalar::maybe")]
    pub cost_price: Option<Number>,
    /// Units bought, carried ones included.
    #[serde(default, with = "scalar::maybe")]
    pub buy_qty: Option<Count>,
    /// Average price sold at.
    #[serde(default, with = "scalar::maybe")]
    pub sell_avg: Option<Number>,
    /// Units sold, carried ones included.
    #[serde(default, with = "scalar::maybe")]
    pub sell_qty: Option<Count>,
    /// Units owned, signed.
    pub net_qty: Count,
    /// Realised profit.
    #[serde(default, with = "scalar::maybe")]
    pub realized_profit: Option<Number>,
    /// Unrealised profit.
    #[serde(default, with = "scalar::maybe")]
    pub unrealized_profit: Option<Number>,
    /// Reference rate of currency contracts.
    #[serde(default, with = "scalar::maybe")]
    pub rbi_reference_rate: Option<Number>,
    /// Contract multiplier.
    #[serde(default, with = "scalar::maybe")]
    pub multiplier: Option<Count>,
    /// Units bought before today.
    #[serde(default, with = "scalar::maybe")]
    pub carry_forward_buy_qty: Option<Count>,
    /// Units sold before today.
    #[serde(default, with = "scalar::maybe")]
    pub carry_forward_sell_qty: Option<Count>,
    /// Their value.
    #[serde(default, with = "scalar::maybe")]
    pub carry_forward_buy_value: Option<Number>,
    /// Their value.
    #[serde(default, with = "scalar::maybe")]
    pub carry_forward_sell_value: Option<Number>,
    /// Units bought today.
    pub day_buy_qty: Count,
    /// Units sold today.
    pub day_sell_qty: Count,
    /// Their value.
    #[serde(default, with = "scalar::maybe")]
    pub day_buy_value: Option<Number>,
    /// Their value.
    #[serde(default, with = "scalar::maybe")]
    pub day_sell_value: Option<Number>,
    /// Expiry of the contract.
    #[serde(default, with = "scalar::no_date")]
    pub drv_expiry_date: Option<String>,
    /// CALL or PUT.
    #[serde(default, with = "scalar::na")]
    pub drv_option_type: Option<String>,
    /// Strike.
    #[serde(default, with = "scalar::maybe")]
    pub drv_strike_price: Option<Number>,
    /// Currency contracts.
    #[serde(default, with = "scalar::flag")]
    pub cross_currency: bool,
}

impl Row<PositionRow> for PositionObject {
    fn to_row(&self) -> Result<PositionRow, String> {
        if self.day_buy_qty.0 < 0 || self.day_sell_qty.0 < 0 {
            return Err(format!("{} bought and {} sold today", self.day_buy_qty.0, self.day_sell_qty.0));
        }
        Ok(PositionRow {
            segment: self.exchange_segment,
            security_id: self.security_id,
            product: self.product_type.clone(),
            net: self.net_qty.0,
            day_bought: Qty::new(self.day_buy_qty.0),
            day_sold: Qty::new(self.day_sell_qty.0),
            // Zero beside units bought is "not told": nothing was ever bought for nothing.
            day_paid: self
                .day_buy_value
                .map(|value| Money::from_paise(value.paise()))
                .filter(|money| *money > Money::ZERO),
        })
    }
}

/// Body of POST /positions/convert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConvertBody {
    /// Account.
    #[serde(default)]
    pub dhan_client_id: String,
    /// Product now.
    #[serde(with = "words::product_type")]
    pub from_product_type: Product,
    /// Segment.
    #[serde(with = "words::segment")]
    pub exchange_segment: Segment,
    /// LONG or SHORT.
    pub position_type: String,
    /// Token.
    #[serde(with = "scalar::security_id")]
    pub security_id: u32,
    /// Units.
    pub convert_qty: Count,
    /// Product from now on.
    #[serde(with = "words::product_type")]
    pub to_product_type: Product,
}

/// Answer of DELETE /positions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitAllAnswer {
    /// `SUCCESS`.
    pub status: String,
    /// The broker's words.
    #[serde(default)]
    pub message: String,
}

/// One row of GET /holdings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holding {
    /// `ALL`.
    #[serde(default, with = "scalar::na")]
    pub exchange: Option<String>,
    /// Symbol.
    #[serde(default, with = "scalar::empty")]
    pub trading_symbol: Option<String>,
    /// Token.
    #[serde(with = "scalar::security_id")]
    pub security_id: u32,
    /// ISIN.
    #[serde(default, with = "scalar::na")]
    pub isin: Option<String>,
    /// Units in all.
    pub total_qty: Count,
    /// Units in the depository.
    #[serde(default, with = "scalar::maybe")]
    pub dp_qty: Option<Count>,
    /// Units on their way.
    #[serde(rename = "t1Qty", default, with = "scalar::maybe")]
    pub t1_qty: Option<Count>,
    /// Units free to sell.
    #[serde(default, with = "scalar::maybe")]
    pub available_qty: Option<Count>,
    /// Units pledged.
    #[serde(default, with = "scalar::maybe")]
    pub collateral_qty: Option<Count>,
    /// Average cost, rupees.
    #[serde(default, with = "scalar::maybe")]
    pub avg_cost_price: Option<Number>,
    /// Last price, rupees.
    #[serde(default, with = "scalar::maybe")]
    pub last_traded_price: Option<Number>,
}
