//! Dhan's words for closed sets, both directions. A word we do not know is kept where the field allows it and is
//! otherwise an error of that row; it never becomes a final state (B15).

use scalper_decide::domain::broker::{BrokerOrderType, BrokerStatus, Product};
use scalper_decide::domain::{OrderSide, Segment};
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize, Serializer};

/// Upper case with underscores: `Part Traded` is `PART_TRADED`.
fn normal(word: &str) -> String {
    word.trim().to_ascii_uppercase().replace([' ', '-'], "_")
}

/// A status in any casing; an unknown or empty word stays what it is.
pub fn status(word: &str) -> BrokerStatus {
    match normal(word).as_str() {
        "TRANSIT" => BrokerStatus::Transit,
        "PENDING" => BrokerStatus::Pending,
        "PART_TRADED" => BrokerStatus::PartTraded,
        "TRADED" => BrokerStatus::Traded,
        "CANCELLED" => BrokerStatus::Cancelled,
        "REJECTED" => BrokerStatus::Rejected,
        "EXPIRED" => BrokerStatus::Expired,
        "TRIGGERED" => BrokerStatus::Triggered,
        "CLOSED" => BrokerStatus::Closed,
        _ => BrokerStatus::Other(word.trim().to_owned()),
    }
}

/// The wire word of a status.
pub fn status_word(status: &BrokerStatus) -> &str {
    match status {
        BrokerStatus::Transit => "TRANSIT",
        BrokerStatus::Pending => "PENDING",
        BrokerStatus::PartTraded => "PART_TRADED",
        BrokerStatus::Traded => "TRADED",
        BrokerStatus::Cancelled => "CANCELLED",
        BrokerStatus::Rejected => "REJECTED",
        BrokerStatus::Expired => "EXPIRED",
        BrokerStatus::Triggered => "TRIGGERED",
        BrokerStatus::Closed => "CLOSED",
        BrokerStatus::Other(word) => word,
    }
}

/// A product; an unknown word is kept.
pub fn product(word: &str) -> Product {
    match normal(word).as_str() {
        "INTRADAY" => Product::Intraday,
        "MARGIN" => Product::Margin,
        "CNC" => Product::Cnc,
        "MTF" => Product::Mtf,
        _ => Product::Other(word.trim().to_owned()),
    }
}

/// The wire word of a product.
pub fn product_word(product: &Product) -> &str {
    match product {
        Product::Intraday => "INTRADAY",
        Product::Margin => "MARGIN",
        Product::Cnc => "CNC",
        Product::Mtf => "MTF",
        Product::Other(word) => word,
    }
}

/// An order type; `None` for a word we do not know.
pub fn order_type(word: &str) -> Option<BrokerOrderType> {
    match normal(word).as_str() {
        "LIMIT" => Some(BrokerOrderType::Limit),
        "MARKET" => Some(BrokerOrderType::Market),
        "STOP_LOSS" => Some(BrokerOrderType::StopLoss),
        "STOP_LOSS_MARKET" => Some(BrokerOrderType::StopLossMarket),
        _ => None,
    }
}

/// The wire word of an order type.
pub const fn order_type_word(order_type: BrokerOrderType) -> &'static str {
    match order_type {
        BrokerOrderType::Limit => "LIMIT",
        BrokerOrderType::Market => "MARKET",
        BrokerOrderType::StopLoss => "STOP_LOSS",
        BrokerOrderType::StopLossMarket => "STOP_LOSS_MARKET",
    }
}

fn side_of(word: &str) -> Option<OrderSide> {
    match normal(word).as_str() {
        "BUY" => Some(OrderSide::Buy),
        "SELL" => Some(OrderSide::Sell),
        _ => None,
    }
}

const fn side_word(side: OrderSide) -> &'static str {
    match side {
        OrderSide::Buy => "BUY",
        OrderSide::Sell => "SELL",
    }
}

/// Any string; null and a missing text are empty.
fn word<'de, D: Deserializer<'de>>(d: D) -> Result<String, D::Error> {
    Ok(Option::<String>::deserialize(d)?.unwrap_or_default())
}

macro_rules! with_module {
    ($($(#[$doc:meta])* $module:ident: $type:ty, $read:expr, $write:expr;)*) => {$(
        $(#[$doc])*
        pub mod $module {
            use super::*;

            /// The wire word.
            pub fn serialize<S: Serializer>(value: &$type, s: S) -> Result<S::Ok, S::Error> {
                let write: fn(&$type) -> &str = $write;
                s.serialize_str(write(value))
            }

            /// From the wire word, in any casing.
            pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<$type, D::Error> {
                let text = word(d)?;
                let read: fn(&str) -> Option<$type> = $read;
                read(&text).ok_or_else(|| D::Error::custom(format!("unknown {} {text:?}", stringify!($module))))
            }
        }
    )*};
}

with_module! {
    /// A status field.
    order_status: BrokerStatus, |w| Some(status(w)), |s| status_word(s);
    /// A product field.
    product_type: Product, |w| Some(product(w)), |p| product_word(p);
    /// An order type field; an unknown word is an error.
    kind: BrokerOrderType, order_type, |t| order_type_word(*t);
    /// A side field; an unknown word is an error.
    side: OrderSide, side_of, |s| side_word(*s);
    /// A segment field; an unknown word is an error.
    segment: Segment, |w| Segment::from_name(&normal(w)), |s| s.name();
}

/// How long an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Validity {
    /// Until the close.
    #[default]
    Day,
    /// Immediate or cancel.
    Ioc,
}

/// When an after-market order is sent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AmoTime {
    /// In the pre-open session.
    PreOpen,
    /// At the open.
    Open,
    /// Half an hour after.
    #[serde(rename = "OPEN_30")]
    Open30,
    /// An hour after.
    #[serde(rename = "OPEN_60")]
    Open60,
}

/// A leg of a bracket, cover or super order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Leg {
    /// The order that opens.
    #[serde(rename = "ENTRY_LEG")]
    Entry,
    /// The stop.
    #[serde(rename = "STOP_LOSS_LEG")]
    StopLoss,
    /// The target.
    #[serde(rename = "TARGET_LEG")]
    Target,
}

impl Leg {
    /// The wire word.
    pub const fn word(self) -> &'static str {
        match self {
            Leg::Entry => "ENTRY_LEG",
            Leg::StopLoss => "STOP_LOSS_LEG",
            Leg::Target => "TARGET_LEG",
        }
    }

    /// From the wire word.
    pub fn from_word(word: &str) -> Option<Leg> {
        [Leg::Entry, Leg::StopLoss, Leg::Target].into_iter().find(|leg| leg.word() == normal(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_status_word_is_kept_and_never_final() {
        // B15: casing does not matter, novelty is not an end.
        assert_eq!(status("Part Traded"), BrokerStatus::PartTraded);
        assert_eq!(status(" cancelled "), BrokerStatus::Cancelled);
        for word in ["", "MODIFIED", "INACTIVE", "CONFIRM", "O-Pending", "CANCELED", "TRADE", "REJECT"] {
            assert_eq!(status(word), BrokerStatus::Other(word.to_owned()));
            assert!(!status(word).is_final(), "{word}");
        }
    }

    #[test]
    fn every_status_reads_back_as_itself() {
        for word in [
            "TRANSIT",
            "PENDING",
            "PART_TRADED",
            "TRADED",
            "CANCELLED",
            "REJECTED",
            "EXPIRED",
            "TRIGGERED",
            "CLOSED",
            "X",
        ] {
            assert_eq!(status_word(&status(word)), word);
        }
    }
}
