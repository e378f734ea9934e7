//! POST /optionchain and /optionchain/expirylist (dhan-v2.md 10.3).

use std::collections::BTreeMap;

use chrono::NaiveDate;
use scalper_decide::domain::{Strike, Underlying};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::scalar::{self, Plain};
use super::times;
use crate::broker::market::{ChainSide, ChainSnapshot};

/// Body of both endpoints; the keys are PascalCase, some clients write them in camelCase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ChainBody {
    /// Id of the index.
    #[serde(alias = "underlyingScrip")]
    pub underlying_scrip: scalar::Count,
    /// `IDX_I`.
    #[serde(alias = "underlyingSeg")]
    pub underlying_seg: String,
    /// Expiry; absent when asking for the list.
    #[serde(default, alias = "expiry", skip_serializing_if = "Option::is_none")]
    pub expiry: Option<NaiveDate>,
}

/// The broker's Greeks; theta per day.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct GreeksObject {
    /// Delta.
    pub delta: Plain,
    /// Theta.
    pub theta: Plain,
    /// Gamma.
    pub gamma: Plain,
    /// Vega.
    pub vega: Plain,
}

/// One side of a strike, field for field. Zero means "no data".
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct SideObject {
    /// Average traded price, rupees.
    #[serde(default, with = "scalar::maybe")]
    pub average_price: Option<Plain>,
    /// Greeks.
    #[serde(default)]
    pub greeks: GreeksObject,
    /// Percent.
    #[serde(default)]
    pub implied_volatility: Plain,
    /// Last price, rupees.
    pub last_price: Plain,
    /// Units.
    #[serde(default)]
    pub oi: Plain,
    /// Previous close, rupees.
    #[serde(default)]
    pub previous_close_price: Plain,
    /// Units.
    #[serde(default)]
    pub previous_oi: Plain,
    /// Units.
    #[serde(default)]
    pub previous_volume: Plain,
    /// Token of the contract.
    #[serde(default, with = "scalar::maybe", skip_serializing_if = "Option::is_none")]
    pub security_id: Option<scalar::Count>,
    /// Rupees.
    #[serde(default)]
    pub top_ask_price: Plain,
    /// Units.
    #[serde(default)]
    pub top_ask_quantity: Plain,
    /// Rupees.
    #[serde(default)]
    pub top_bid_price: Plain,
    /// Units.
    #[serde(default)]
    pub top_bid_quantity: Plain,
    /// Units.
    #[serde(default)]
    pub volume: Plain,
}

impl SideObject {
    fn side(&self) -> ChainSide {
        ChainSide {
            security_id: self.security_id.and_then(|id| u32::try_from(id.0).ok()).filter(|id| *id > 0),
            last: self.last_price.paise(),
            bid: self.top_bid_price.paise(),
            ask: self.top_ask_price.paise(),
            bid_qty: self.top_bid_quantity.whole(),
            ask_qty: self.top_ask_quantity.whole(),
            oi: self.oi.whole(),
            previous_oi: self.previous_oi.whole(),
            volume: self.volume.whole(),
            previous_close: self.previous_close_price.paise(),
            broker_iv: Some(self.implied_volatility.get()).filter(|iv| *iv > 0.0),
        }
    }
}

/// One strike; either side may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct StrikeObject {
    /// Call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ce: Option<SideObject>,
    /// Put.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pe: Option<SideObject>,
}

/// `data` of the answer. Strikes are texts with six decimals.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChainData {
    /// Index level, a widened f32.
    pub last_price: Plain,
    /// Sides by strike.
    pub oc: BTreeMap<String, StrikeObject>,
}

/// A strike text, `25650.000000`, as a fixed-point number; whole paise, positive (F-50).
pub fn strike(text: &str) -> Option<Strike> {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || whole.len() > 9 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let (paise, rest) = fraction.split_at(fraction.len().min(2));
    if rest.bytes().any(|b| b != b'0') {
        return None;
    }
    let total = whole.parse::<i64>().ok()? * 100 + format!("{paise:0<2}").parse::<i64>().ok()?;
    (total > 0).then(|| Strike::from_paise(total))
}

/// How the wire writes a strike.
pub fn strike_text(strike: Strike) -> String {
    format!("{}.{:02}0000", strike.paise() / 100, strike.paise() % 100)
}

/// Reads a chain; `None` when the answer is none or a strike is no strike.
pub fn read(body: Value, underlying: Underlying, expiry: NaiveDate) -> Option<ChainSnapshot> {
    let data: ChainData = serde_json::from_value(body.get("data")?.clone()).ok()?;
    let strikes = data
        .oc
        .iter()
        .map(|(text, sides)| {
            Some((strike(text)?, (sides.ce.as_ref().map(SideObject::side), sides.pe.as_ref().map(SideObject::side))))
        })
        .collect::<Option<_>>()?;
    Some(ChainSnapshot { underlying, expiry, spot: data.last_price.paise(), strikes })
}

/// Writes a chain.
pub fn answer(data: &ChainData) -> Value {
    json!({"data": data, "status": "success"})
}

/// Reads an expiry list, ascending and without repetition; `None` when one of its dates is none.
pub fn read_expiries(body: &Value) -> Option<Vec<NaiveDate>> {
    let mut days: Vec<NaiveDate> =
        body.get("data")?.as_array()?.iter().map(|d| times::date(d.as_str()?)).collect::<Option<_>>()?;
    days.sort_unstable();
    days.dedup();
    Some(days)
}

/// Writes an expiry list.
pub fn expiries_answer(days: &[NaiveDate]) -> Value {
    json!({"data": days, "status": "success"})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strike_is_one_key_however_it_is_printed() {
        // F-50.
        for text in ["25650.000000", "25650", "25650.0", " 25650.00 "] {
            assert_eq!(strike(text), Some(Strike::from_points(25_650)), "{text}");
        }
        assert_eq!(strike("83.250000"), Some(Strike::from_paise(8325)));
        assert_eq!(strike("83.5"), Some(Strike::from_paise(8350)));
        for no in ["", "-5", "0.000000", "1e5", "83.255", "NaN", "12345678901234", ".5", "२५"] {
            assert_eq!(strike(no), None, "{no}");
        }
        assert_eq!(strike_text(Strike::from_points(25_650)), "25650.000000");
        assert_eq!(strike(&strike_text(Strike::from_paise(8325))), Some(Strike::from_paise(8325)));
    }
}
