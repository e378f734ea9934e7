//! Executions: GET /trades, /trades/{order-id} and the history (dhan-v2.md 5.4).

use scalper_decide::domain::broker::{BrokerOrderId, BrokerOrderType, Product, TradeRow};
use scalper_decide::domain::{OrderSide, Premium, Qty, Segment, TradeId};
use serde::{Deserialize, Serialize};

use super::rows::Row;
use super::scalar::{self, Count, Number};
use super::{times, words};

/// One execution, field for field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TradeObject {
    /// Account.
    #[serde(default)]
    pub dhan_client_id: String,
    /// The broker's order number.
    #[serde(with = "scalar::required")]
    pub order_id: String,
    /// The exchange's order number.
    #[serde(default, with = "scalar::zero")]
    pub exchange_order_id: Option<String>,
    /// The exchange's trade number; `"0"` in the history.
    #[serde(default, with = "scalar::zero")]
    pub exchange_trade_id: Option<String>,
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
    /// Not unique.
    #[serde(default, with = "scalar::empty")]
    pub trading_symbol: Option<String>,
    /// Display name; null on the wire.
    #[serde(default, with = "scalar::empty")]
    pub custom_symbol: Option<String>,
    /// Token.
    #[serde(with = "scalar::security_id")]
    pub security_id: u32,
    /// Units.
    pub traded_quantity: Count,
    /// Price per unit, rupees.
    pub traded_price: Number,
    /// When the broker got the order; `"NA"` in the history.
    #[serde(default, with = "scalar::na")]
    pub create_time: Option<String>,
    /// Last change.
    #[serde(default, with = "scalar::na")]
    pub update_time: Option<String>,
    /// When it traded.
    #[serde(default, with = "scalar::no_time")]
    pub exchange_time: Option<String>,
    /// Expiry of the contract.
    #[serde(default, with = "scalar::no_date")]
    pub drv_expiry_date: Option<String>,
    /// `"NA"` even for options.
    #[serde(default, with = "scalar::na")]
    pub drv_option_type: Option<String>,
    /// Strike, rupees.
    #[serde(default, with = "scalar::maybe")]
    pub drv_strike_price: Option<Number>,
}

/// One execution of the history, with what it cost. Its trade id is "0", so it can never be booked as a fill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryTrade {
    /// The execution.
    #[serde(flatten)]
    pub trade: TradeObject,
    /// ISIN.
    #[serde(default, with = "scalar::empty")]
    pub isin: Option<String>,
    /// `OPTIDX`, ...
    #[serde(default, with = "scalar::empty")]
    pub instrument: Option<String>,
    /// SEBI fee, rupees.
    #[serde(default, with = "scalar::maybe")]
    pub sebi_tax: Option<Number>,
    /// Securities transaction tax, rupees.
    #[serde(default, with = "scalar::maybe")]
    pub stt: Option<Number>,
    /// Brokerage, rupees.
    #[serde(default, with = "scalar::maybe")]
    pub brokerage_charges: Option<Number>,
    /// GST, rupees.
    #[serde(default, with = "scalar::maybe")]
    pub service_tax: Option<Number>,
    /// Exchange charges, rupees.
    #[serde(default, with = "scalar::maybe")]
    pub exchange_transaction_charges: Option<Number>,
    /// Stamp duty, rupees; that of a buy is seen on the sell.
    #[serde(default, with = "scalar::maybe")]
    pub stamp_duty: Option<Number>,
}

/// The exchange's trade number as a [`TradeId`].
///
/// Rule: a decimal number below 2^62 is itself. Any other text is the first eight bytes, big endian, of the BLAKE3
/// hash of its UTF-8, modulo 2^62, plus 2^62: the two kinds never meet, and both fit a signed 64-bit column. Absent
/// ("0", "NA", "") is `None`.
pub fn trade_id(text: &str) -> Option<TradeId> {
    let text = text.trim();
    if scalar::is_absent(text) {
        return None;
    }
    let digits = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    if let Some(number) = digits.then(|| text.parse::<u64>().ok()).flatten().filter(|n| n >> 62 == 0) {
        return Some(TradeId(number));
    }
    let hash = blake3::hash(text.as_bytes());
    let head: [u8; 8] = hash.as_bytes()[..8].try_into().expect("a hash has 32 bytes");
    Some(TradeId(u64::from_be_bytes(head) % (1 << 62) + (1 << 62)))
}

impl Row<TradeRow> for TradeObject {
    fn to_row(&self) -> Result<TradeRow, String> {
        let trade = self.exchange_trade_id.as_deref().and_then(trade_id).ok_or("no exchange trade id")?;
        if self.traded_quantity.0 <= 0 || self.traded_price.paise() <= 0 {
            return Err(format!("{} units at {}", self.traded_quantity.0, self.traded_price.get()));
        }
        let times = [&self.exchange_time, &self.update_time, &self.create_time];
        Ok(TradeRow {
            broker_id: BrokerOrderId(self.order_id.as_str().into()),
            trade,
            segment: self.exchange_segment,
            security_id: self.security_id,
            side: self.transaction_type,
            qty: Qty::new(self.traded_quantity.0),
            price: Premium::from_paise(self.traded_price.paise()),
            at: times.into_iter().find_map(|t| t.as_deref().and_then(times::ist)).ok_or("no time")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trade_number_is_itself_and_any_other_trade_text_hashes_into_the_upper_half() {
        assert_eq!(trade_id("955908254"), Some(TradeId(955_908_254)));
        assert_eq!(trade_id("0"), None);
        let odd = ["00123", "A12", "12 34", "9999999999999999999999", "4611686018427387904", "-5"];
        for text in odd {
            assert!(trade_id(text).unwrap().0 >> 62 == 1, "{text}");
            assert_eq!(trade_id(text), trade_id(text));
        }
        // Golden: the rule must not change, fills of a recorded day would get new names.
        assert_eq!(trade_id("A12"), Some(TradeId(GOLDEN_A12)));
    }

    const GOLDEN_A12: u64 = 5_548_399_757_589_341_637;
}
