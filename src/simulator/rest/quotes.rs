//! POST /marketfeed/ltp, /ohlc, /quote (dhan-v2.md 10.1).

use scalper_decide::domain::{BookLevel, Segment};
use serde::Serialize;

use super::call::{Call, Outcome, Reply, Room};
use super::refusal;
use crate::broker::dhan::rest::quotes::{
    self, DepthEntry, DepthObject, LtpEntry, MAX_IDS, Ohlc, OhlcEntry, QuoteEntry, Quoted,
};
use crate::broker::dhan::rest::scalar::Plain;
use crate::broker::dhan::rest::times;
use crate::simulator::answers::Quote;

fn rupees(paise: i64) -> Plain {
    Plain::from_paise(paise)
}

fn whole(units: i64) -> Plain {
    Plain::new(units as f64).unwrap_or_default()
}

/// POST /marketfeed/ltp.
pub(super) fn ltp(room: &Room<'_>, call: &Call) -> Outcome {
    answer(room, call, |quote| LtpEntry { last_price: rupees(quote.last_price) })
}

/// POST /marketfeed/ohlc.
pub(super) fn ohlc(room: &Room<'_>, call: &Call) -> Outcome {
    answer(room, call, |quote| OhlcEntry { last_price: rupees(quote.last_price), ohlc: day(quote) })
}

/// POST /marketfeed/quote.
pub(super) fn quote(room: &Room<'_>, call: &Call) -> Outcome {
    answer(room, call, entry)
}

/// Ids that are not listed are silently missing; what names no segment gets `"data":{}`.
fn answer<T: Serialize>(room: &Room<'_>, call: &Call, entry: impl Fn(&Quote) -> T) -> Outcome {
    let body = call.json().ok_or_else(refusal::bad_request)?;
    let ids = quotes::read_body(&body);
    if ids.len() > MAX_IDS {
        return Err(refusal::keyed(400, "804", "Requested number of instruments exceeds limit"));
    }
    let segments = body.as_object().into_iter().flatten();
    let segments = segments.filter(|(_, ids)| ids.is_array()).filter_map(|(name, _)| Segment::from_name(name));
    let quoted: Quoted<T> = ids.iter().filter_map(|key| Some((*key, entry(&room.sim.quote(*key)?)))).collect();
    Ok(Reply::ok(&quotes::answer(segments, &quoted)))
}

fn day(quote: &Quote) -> Ohlc {
    Ohlc { open: rupees(quote.open), close: rupees(quote.close), high: rupees(quote.high), low: rupees(quote.low) }
}

/// Single orders are not known here: a level with units shows one.
fn levels(levels: &[BookLevel]) -> Vec<DepthEntry> {
    let entry = |level: &BookLevel| DepthEntry {
        quantity: whole(i64::from(level.qty)),
        orders: whole(i64::from(level.qty > 0)),
        price: rupees(level.premium().paise()),
    };
    levels.iter().map(entry).collect()
}

fn entry(quote: &Quote) -> QuoteEntry {
    QuoteEntry {
        average_price: Some(rupees(quote.average_price)),
        buy_quantity: Some(whole(quote.buy_quantity)),
        depth: DepthObject { buy: levels(&quote.bids), sell: levels(&quote.asks) },
        last_price: rupees(quote.last_price),
        last_quantity: Some(whole(quote.last_quantity)),
        last_trade_time: quote.last_trade_at.map(times::write_quote).unwrap_or_default(),
        lower_circuit_limit: Some(rupees(quote.lower_circuit)),
        net_change: Some(rupees(quote.net_change)),
        ohlc: day(quote),
        oi: Some(whole(quote.oi)),
        oi_day_high: Some(whole(quote.oi_day_high)),
        oi_day_low: Some(whole(quote.oi_day_low)),
        sell_quantity: Some(whole(quote.sell_quantity)),
        upper_circuit_limit: Some(rupees(quote.upper_circuit)),
        volume: Some(whole(quote.volume)),
    }
}
