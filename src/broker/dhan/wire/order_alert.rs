//! The order-update frame, every field of it, in both directions (dhan-v2.md 3.2).

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::{Map, Value, json};

use super::fields::Fields;

/// The only `Type` that carries an order.
pub const ORDER_ALERT: &str = "order_alert";
/// Fields whose camelCase copy the documented sample carries beside the PascalCase one. `instrumentType` repeats
/// `Instrument`.
const COPIED: [(&str, &str); 7] = [
    ("Series", "series"),
    ("GoodTillDaysDate", "goodTillDaysDate"),
    ("Instrument", "instrumentType"),
    ("RefLtp", "refLtp"),
    ("TickSize", "tickSize"),
    ("AlgoId", "algoId"),
    ("Multiplier", "multiplier"),
];

macro_rules! order_alert {
    ($($(#[$doc:meta])* $field:ident $name:literal $kind:ident,)*) => {
        /// One order as an update frame shows it. Texts are empty and numbers `None` where the frame says nothing.
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        pub struct OrderAlert {
            $($(#[$doc])* pub $field: order_alert!(@type $kind),)*
            /// Names of fields that were there and could not be read.
            pub malformed: Vec<&'static str>,
        }

        impl OrderAlert {
            fn read(fields: &Fields) -> OrderAlert {
                let mut malformed = Vec::new();
                OrderAlert {
                    $($field: fields.$kind($name).unwrap_or_else(|_| {
                        malformed.push($name);
                        Default::default()
                    }),)*
                    malformed,
                }
            }

            fn write(&self, as_text: bool) -> Map<String, Value> {
                let mut data = Map::new();
                $(data.insert($name.to_owned(), order_alert!(@write $kind self.$field, as_text));)*
                data
            }
        }
    };
    (@type text) => { String };
    (@type int) => { Option<i64> };
    (@type decimal) => { Option<Decimal> };
    (@write text $value:expr, $as_text:expr) => { Value::from($value.as_str()) };
    (@write int $value:expr, $as_text:expr) => { number($value.map(Value::from), $as_text) };
    (@write decimal $value:expr, $as_text:expr) => { number($value.as_ref().map(decimal), $as_text) };
}

fn decimal(value: &Decimal) -> Value {
    Value::from(value.to_f64().expect("every decimal is near a float"))
}

fn number(value: Option<Value>, as_text: bool) -> Value {
    match value {
        Some(number) if as_text => Value::from(number.to_string()),
        other => other.unwrap_or(Value::Null),
    }
}

order_alert! {
    /// `NSE`, `BSE`, `MCX`.
    exchange "Exchange" text,
    /// `E` equity, `D` derivatives, `C` currency, `M` commodity.
    segment "Segment" text,
    /// `P` placed through the API, `N` by other means.
    source "Source" text,
    /// Token inside the segment.
    security_id "SecurityId" text,
    /// Account.
    client_id "ClientId" text,
    /// The exchange's order number.
    exch_order_no "ExchOrderNo" text,
    /// The broker's order number.
    order_no "OrderNo" text,
    /// `C` CNC, `I` intraday, `M` margin, `F` MTF, `V` cover, `B` bracket.
    product "Product" text,
    /// `B` or `S`.
    txn_type "TxnType" text,
    /// `LMT`, `MKT`, `SL`, `SLM`.
    order_type "OrderType" text,
    /// `DAY`, `IOC`.
    validity "Validity" text,
    /// Units disclosed.
    disc_quantity "DiscQuantity" int,
    /// Disclosed units left.
    disc_qty_rem "DiscQtyRem" int,
    /// Units left.
    remaining_quantity "RemainingQuantity" int,
    /// Units in all.
    quantity "Quantity" int,
    /// Units executed, cumulative.
    traded_qty "TradedQty" int,
    /// Limit price, rupees.
    price "Price" decimal,
    /// Trigger, rupees.
    trigger_price "TriggerPrice" decimal,
    /// Price of this execution, rupees.
    traded_price "TradedPrice" decimal,
    /// Average price so far, rupees.
    avg_traded_price "AvgTradedPrice" decimal,
    /// Number of a super order's entry leg.
    algo_ord_no "AlgoOrdNo" text,
    /// `1` for an order after market hours.
    off_mkt_flag "OffMktFlag" text,
    /// When it was placed, IST.
    order_date_time "OrderDateTime" text,
    /// When the exchange took it, IST.
    exch_order_time "ExchOrderTime" text,
    /// Last change, IST.
    last_updated_time "LastUpdatedTime" text,
    /// User's remark, or `Super Order`.
    remarks "Remarks" text,
    /// `NL` normal, `AU`/`A1`/`A2` auction.
    mkt_type "MktType" text,
    /// `CONFIRMED`, or why it was refused.
    reason_description "ReasonDescription" text,
    /// 1 entry, 2 stop loss, 3 target.
    leg_no "LegNo" int,
    /// `OPTIDX`, `EQUITY`, ...
    instrument "Instrument" text,
    /// Trading symbol; not unique.
    symbol "Symbol" text,
    /// Product in words.
    product_name "ProductName" text,
    /// Status, in any casing.
    status "Status" text,
    /// Units of a lot.
    lot_size "LotSize" int,
    /// Strike, rupees.
    strike_price "StrikePrice" decimal,
    /// Expiry.
    expiry_date "ExpiryDate" text,
    /// `CE`, `PE`, `XX`.
    opt_type "OptType" text,
    /// Name for people.
    display_name "DisplayName" text,
    /// ISIN.
    isin "Isin" text,
    /// Series.
    series "Series" text,
    /// Last day of a good-till-days order.
    good_till_days_date "GoodTillDaysDate" text,
    /// Last price at the time, rupees.
    ref_ltp "RefLtp" decimal,
    /// Smallest price step, rupees.
    tick_size "TickSize" decimal,
    /// `0` normally.
    algo_id "AlgoId" text,
    /// Multiplier.
    multiplier "Multiplier" int,
    /// Client order id; empty when none.
    correlation_id "CorrelationId" text,
}

/// Casing of the keys a server writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyCasing {
    /// PascalCase alone.
    Pascal,
    /// PascalCase, and camelCase copies of seven fields: the documented sample since mid-2026.
    #[default]
    Both,
    /// camelCase alone, as the official client looks for.
    Camel,
}

/// How a server writes a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FrameStyle {
    /// Casing of the keys.
    pub casing: KeyCasing,
    /// Numbers as strings.
    pub numbers_as_text: bool,
}

/// A text frame that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AlertError {
    /// Not a JSON object.
    #[error("frame is not a JSON object")]
    NotAnObject,
    /// An `order_alert` without its order.
    #[error("order_alert without Data")]
    NoData,
}

/// Reads a text frame; `None` when it is of another type (a login acknowledgement, say).
pub fn parse_alert(text: &str) -> Result<Option<OrderAlert>, AlertError> {
    let value: Value = serde_json::from_str(text).map_err(|_| AlertError::NotAnObject)?;
    let envelope = Fields::new(value.as_object().ok_or(AlertError::NotAnObject)?);
    let is_alert = envelope.text("Type").is_ok_and(|kind| kind.eq_ignore_ascii_case(ORDER_ALERT));
    if !is_alert {
        return Ok(None);
    }
    let data = envelope.value("Data").and_then(Value::as_object).ok_or(AlertError::NoData)?;
    let fields = Fields::new(data);
    let mut alert = OrderAlert::read(&fields);
    if alert.instrument.is_empty() {
        alert.instrument = fields.text("instrumentType").unwrap_or_default();
    }
    Ok(Some(alert))
}

impl OrderAlert {
    /// Writes the frame as a server would.
    pub fn to_frame(&self, style: FrameStyle) -> String {
        let mut data = self.write(style.numbers_as_text);
        match style.casing {
            KeyCasing::Pascal => {}
            KeyCasing::Both => {
                for (pascal, camel) in COPIED {
                    data.insert(camel.to_owned(), data[pascal].clone());
                }
            }
            KeyCasing::Camel => {
                let camel = |key: String| key[..1].to_ascii_lowercase() + &key[1..];
                data = data.into_iter().map(|(key, value)| (camel(key), value)).collect();
            }
        }
        json!({ "Data": data, "Type": ORDER_ALERT }).to_string()
    }
}
