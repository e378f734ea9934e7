//! POST /marketfeed/ltp, /ohlc and /quote (dhan-v2.md 10.1).

use std::collections::BTreeMap;

use scalper_decide::domain::Segment;
use scalper_decide::domain::tick::DEPTH;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::scalar::{self, Plain};
use super::times;
use crate::broker::market::{Level, QuoteSnapshot};

/// Most instruments of one request.
pub const MAX_IDS: usize = 1000;

/// The body: segment to ids. Other keys, such as `dhanClientId`, are ignored when read; ids are integers when
/// written and may be texts when read.
pub fn body(ids: &[(Segment, u32)]) -> Value {
    let mut by_segment: BTreeMap<Segment, Vec<u32>> = BTreeMap::new();
    for (segment, id) in ids {
        by_segment.entry(*segment).or_default().push(*id);
    }
    let mut map = Map::new();
    for (segment, mut ids) in by_segment {
        ids.sort_unstable();
        ids.dedup();
        map.insert(segment.name().to_owned(), Value::from(ids));
    }
    Value::Object(map)
}

/// Reads a request body; ids that are no numbers are dropped.
pub fn read_body(body: &Value) -> Vec<(Segment, u32)> {
    let Some(map) = body.as_object() else { return Vec::new() };
    map.iter()
        .filter_map(|(key, ids)| Some((Segment::from_name(key)?, ids.as_array()?)))
        .flat_map(|(segment, ids)| ids.iter().filter_map(move |id| Some((segment, scalar::text_of(id)?.parse().ok()?))))
        .collect()
}

/// Open, high, low and previous close, rupees.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Ohlc {
    /// Open.
    pub open: Plain,
    /// Previous close during the session.
    pub close: Plain,
    /// High.
    pub high: Plain,
    /// Low.
    pub low: Plain,
}

/// An entry of /ltp.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LtpEntry {
    /// Last price, rupees.
    pub last_price: Plain,
}

/// An entry of /ohlc.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OhlcEntry {
    /// Last price, rupees.
    pub last_price: Plain,
    /// The day so far.
    pub ohlc: Ohlc,
}

/// One level; price last, unlike the binary feed.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct DepthEntry {
    /// Units.
    #[serde(default)]
    pub quantity: Plain,
    /// Orders.
    #[serde(default)]
    pub orders: Plain,
    /// Rupees.
    #[serde(default)]
    pub price: Plain,
}

/// Five levels of both sides.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DepthObject {
    /// Bids, best first.
    #[serde(default)]
    pub buy: Vec<DepthEntry>,
    /// Offers, best first.
    #[serde(default)]
    pub sell: Vec<DepthEntry>,
}

/// An entry of /quote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QuoteEntry {
    /// Average traded price, rupees.
    #[serde(default, with = "scalar::maybe")]
    pub average_price: Option<Plain>,
    /// Units bid in all.
    #[serde(default, with = "scalar::maybe")]
    pub buy_quantity: Option<Plain>,
    /// Book.
    #[serde(default)]
    pub depth: DepthObject,
    /// Last price, rupees.
    pub last_price: Plain,
    /// Units of the last trade.
    #[serde(default, with = "scalar::maybe")]
    pub last_quantity: Option<Plain>,
    /// `DD/MM/YYYY HH:MM:SS` IST, or "".
    #[serde(default)]
    pub last_trade_time: String,
    /// Lowest allowed price, rupees.
    #[serde(default, with = "scalar::maybe")]
    pub lower_circuit_limit: Option<Plain>,
    /// Change of the day, rupees.
    #[serde(default, with = "scalar::maybe")]
    pub net_change: Option<Plain>,
    /// The day so far.
    #[serde(default)]
    pub ohlc: Ohlc,
    /// Open interest, units.
    #[serde(default, with = "scalar::maybe")]
    pub oi: Option<Plain>,
    /// Its high.
    #[serde(default, with = "scalar::maybe")]
    pub oi_day_high: Option<Plain>,
    /// Its low.
    #[serde(default, with = "scalar::maybe")]
    pub oi_day_low: Option<Plain>,
    /// Units offered in all.
    #[serde(default, with = "scalar::maybe")]
    pub sell_quantity: Option<Plain>,
    /// Highest allowed price, rupees.
    #[serde(default, with = "scalar::maybe")]
    pub upper_circuit_limit: Option<Plain>,
    /// Units traded.
    #[serde(default, with = "scalar::maybe")]
    pub volume: Option<Plain>,
}

/// Entries by instrument. What the broker does not know is missing, and so are segments we do not know.
pub type Quoted<T> = BTreeMap<(Segment, u32), T>;

/// Reads an answer; `None` when it is none, or when an entry cannot be read.
pub fn read<T: DeserializeOwned>(body: Value) -> Option<Quoted<T>> {
    let Value::Object(mut body) = body else { return None };
    let Some(Value::Object(segments)) = body.remove("data") else { return None };
    let mut out = Quoted::new();
    for (name, entries) in segments {
        let Some(segment) = Segment::from_name(&name) else { continue };
        let Value::Object(entries) = entries else { return None };
        for (id, entry) in entries {
            out.insert((segment, id.parse().ok()?), serde_json::from_value(entry).ok()?);
        }
    }
    Some(out)
}

/// Writes an answer; a segment that was asked for is there even when empty.
pub fn answer<T: Serialize>(segments: impl IntoIterator<Item = Segment>, quoted: &Quoted<T>) -> Value {
    let mut data: Map<String, Value> =
        segments.into_iter().map(|segment| (segment.name().to_owned(), Value::Object(Map::new()))).collect();
    for ((segment, id), entry) in quoted {
        let entries = data.entry(segment.name()).or_insert_with(|| Value::Object(Map::new()));
        let entry = serde_json::to_value(entry).expect("a quote is plain data");
        entries.as_object_mut().expect("made above").insert(id.to_string(), entry);
    }
    serde_json::json!({"data": data, "status": "success"})
}

fn paise(number: Option<Plain>) -> i64 {
    number.map_or(0, Plain::paise)
}

fn whole(number: Option<Plain>) -> i64 {
    number.map_or(0, Plain::whole)
}

fn side(levels: &[DepthEntry]) -> [Level; DEPTH] {
    let mut out = [Level::default(); DEPTH];
    for (level, entry) in out.iter_mut().zip(levels) {
        *level = Level { price: entry.price.paise(), qty: entry.quantity.whole(), orders: entry.orders.whole() };
    }
    out
}

impl QuoteEntry {
    /// In paise and units.
    pub fn snapshot(&self, segment: Segment, security_id: u32) -> QuoteSnapshot {
        QuoteSnapshot {
            segment,
            security_id,
            last: self.last_price.paise(),
            traded_at: times::quote(&self.last_trade_time),
            volume: whole(self.volume),
            oi: whole(self.oi),
            open: self.ohlc.open.paise(),
            high: self.ohlc.high.paise(),
            low: self.ohlc.low.paise(),
            previous_close: self.ohlc.close.paise(),
            lower_circuit: paise(self.lower_circuit_limit),
            upper_circuit: paise(self.upper_circuit_limit),
            bids: side(&self.depth.buy),
            asks: side(&self.depth.sell),
        }
    }
}
