//! POST /optionchain and /optionchain/expirylist (dhan-v2.md 10.3).

use scalper_decide::domain::{Segment, Underlying};
use serde_json::Value;

use super::call::{Call, Outcome, Reply, Room};
use super::refusal;
use crate::broker::dhan::rest::option_chain::{
    self, ChainBody, ChainData, GreeksObject, SideObject, StrikeObject, strike_text,
};
use crate::broker::dhan::rest::scalar::{Count, Plain};
use crate::broker::dhan::rest::times;
use crate::simulator::answers::{Chain, ChainSide};
use crate::simulator::limits::Family;

fn body(call: &Call) -> Result<ChainBody, Reply> {
    let json = call.json().ok_or_else(refusal::bad_request)?;
    let expiry = ["Expiry", "expiry"].iter().find_map(|key| json.get(key)).and_then(Value::as_str);
    if expiry.is_some_and(|text| times::date(text).is_none()) {
        return Err(refusal::keyed(400, "812", "Invalid Date Format"));
    }
    serde_json::from_value(json).map_err(|_| refusal::bad_request())
}

fn underlying(room: &Room<'_>, body: &ChainBody) -> Result<Underlying, Reply> {
    let unknown = || refusal::keyed(400, "813", "Invalid SecurityId");
    let id = u32::try_from(body.underlying_scrip.0).map_err(|_| unknown())?;
    if body.underlying_seg != Segment::IdxI.name() {
        return Err(unknown());
    }
    let (listed, _) = room.sim.board().find((Segment::IdxI, id)).ok_or_else(unknown)?;
    Ok(listed.instrument.underlying())
}

/// POST /optionchain: one request per index and expiry in three seconds; what cannot be read counts as any data call.
pub(super) fn chain(room: &mut Room<'_>, call: &Call) -> Outcome {
    let asked = body(call).and_then(|body| {
        let expiry = body.expiry.ok_or_else(refusal::bad_request)?;
        Ok((underlying(room, &body)?, expiry))
    });
    let let_through = match &asked {
        Ok((underlying, expiry)) => room.rates.take_chain(*underlying, *expiry, room.now),
        Err(_) => room.rates.take(Family::Data, room.now),
    };
    if !let_through {
        return Err(refusal::too_many());
    }
    let (underlying, expiry) = asked?;
    let chain = room.sim.chain(underlying, expiry).ok_or_else(|| refusal::keyed(400, "811", "Invalid Expiry Date"))?;
    Ok(Reply::ok(&option_chain::answer(&data(&chain))))
}

/// POST /optionchain/expirylist.
pub(super) fn expiries(room: &Room<'_>, call: &Call) -> Outcome {
    let underlying = underlying(room, &body(call)?)?;
    Ok(Reply::ok(&option_chain::expiries_answer(&room.sim.expiries(underlying))))
}

fn data(chain: &Chain) -> ChainData {
    let strikes = chain.strikes.iter().map(|(strike, sides)| {
        let object = StrikeObject { ce: sides.call.as_ref().map(side), pe: sides.put.as_ref().map(side) };
        (strike_text(*strike), object)
    });
    // The level comes as a single-precision number widened.
    let level = f64::from((chain.last_price as f64 / 100.0) as f32);
    ChainData { last_price: figure(level), oc: strikes.collect() }
}

fn figure(x: f64) -> Plain {
    Plain::new(x).unwrap_or_default()
}

fn side(side: &ChainSide) -> SideObject {
    let units = |n: i64| figure(n as f64);
    SideObject {
        average_price: Some(Plain::from_paise(side.average_price)),
        greeks: GreeksObject {
            delta: figure(side.delta),
            theta: figure(side.theta),
            gamma: figure(side.gamma),
            vega: figure(side.vega),
        },
        implied_volatility: figure(side.implied_volatility),
        last_price: Plain::from_paise(side.last_price),
        oi: units(side.oi),
        previous_close_price: Plain::from_paise(side.previous_close),
        previous_oi: units(side.previous_oi),
        previous_volume: units(side.previous_volume),
        security_id: Some(Count(i64::from(side.security_id))),
        top_ask_price: Plain::from_paise(side.top_ask.premium().paise()),
        top_ask_quantity: units(i64::from(side.top_ask.qty)),
        top_bid_price: Plain::from_paise(side.top_bid.premium().paise()),
        top_bid_quantity: units(i64::from(side.top_bid.qty)),
        volume: units(side.volume),
    }
}
