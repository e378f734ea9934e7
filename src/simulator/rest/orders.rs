//! Placing, changing and taking back orders (dhan-v2.md 5.2, 5.3, 5.6).

use scalper_decide::domain::Premium;

use super::call::{Call, Outcome, Reply, Room};
use super::refusal;
use crate::broker::dhan::rest::orders::{ModifyBody, OrderAck, PlaceBody};
use crate::broker::dhan::rest::scalar::Number;
use crate::broker::dhan::rest::words;
use crate::simulator::limits::Family;
use crate::simulator::oms::order::{OrderNo, Source, Validity};
use crate::simulator::oms::request::{self, ModifyRequest, PlaceRequest};

/// A price in whole paise. A finer one is no price here; the broker refuses it as any bad field.
pub(super) fn price(number: Option<Number>) -> Result<Option<Premium>, Reply> {
    let Some(number) = number else { return Ok(None) };
    let paise = number.get() * 100.0;
    if (paise - paise.round()).abs() > 1e-6 {
        return Err(refusal::bad_input());
    }
    Ok(Some(Premium::from_paise(number.paise())))
}

/// A number of an order in a path; one that cannot be is nobody's.
pub(super) fn number(id: &str) -> Option<OrderNo> {
    id.parse().ok().map(OrderNo)
}

pub(super) fn ack(reply: &request::Reply) -> OrderAck {
    OrderAck { order_id: reply.order_no.to_string(), order_status: reply.status.clone() }
}

/// An account named in a body must be ours; most clients send one.
pub(super) fn own_account(room: &Room<'_>, named: &str) -> Result<(), Reply> {
    if named.is_empty() || named == room.account.client_id() { Ok(()) } else { Err(refusal::bad_input()) }
}

fn request(room: &Room<'_>, call: &Call) -> Result<PlaceRequest, Reply> {
    let body: PlaceBody = call.read()?;
    own_account(room, &body.dhan_client_id)?;
    Ok(PlaceRequest {
        correlation: body.correlation_id,
        side: body.transaction_type,
        key: (body.exchange_segment, body.security_id),
        product: body.product_type,
        order_type: body.order_type,
        validity: match body.validity {
            words::Validity::Day => Validity::Day,
            words::Validity::Ioc => Validity::Ioc,
        },
        qty: body.quantity.0,
        disclosed: body.disclosed_quantity.map_or(0, |count| count.0),
        price: price(body.price)?.unwrap_or_default(),
        trigger: price(body.trigger_price)?.unwrap_or_default(),
        after_market: body.after_market_order,
        source: Source::Api,
    })
}

/// POST /orders.
pub(super) fn place(room: &mut Room<'_>, call: &Call) -> Outcome {
    let request = request(room, call)?;
    let reply = room.sim.place(&request).map_err(|e| refusal::api(&e))?;
    Ok(Reply::ok(&ack(&reply)))
}

/// POST /orders/slicing. Every child counts against the limits; the call itself was counted at the door.
pub(super) fn slice(room: &mut Room<'_>, call: &Call) -> Outcome {
    let request = request(room, call)?;
    let replies = room.sim.place_sliced(&request).map_err(|e| refusal::api(&e))?;
    for _ in 1..replies.len() {
        room.rates.take(Family::Order, room.now);
    }
    let acks: Vec<OrderAck> = replies.iter().map(ack).collect();
    Ok(if room.options.slicing_is_object { Reply::ok(&acks[0]) } else { Reply::ok(&acks) })
}

/// PUT /orders/{id}. `legName` matters for products that are not traded here.
pub(super) fn modify(room: &mut Room<'_>, id: &str, call: &Call) -> Outcome {
    let body: ModifyBody = call.read()?;
    own_account(room, &body.dhan_client_id)?;
    if body.order_id.as_deref().is_some_and(|named| named != id) {
        return Err(refusal::bad_input());
    }
    let request = ModifyRequest {
        order_no: number(id).ok_or_else(refusal::bad_input)?,
        order_type: Some(body.order_type),
        qty: body.quantity.map(|count| count.0),
        price: price(body.price)?,
        trigger: price(body.trigger_price)?,
    };
    let reply = room.sim.modify(&request).map_err(|e| refusal::api(&e))?;
    Ok(Reply::ok(&ack(&reply)))
}

/// DELETE /orders/{id}.
pub(super) fn cancel(room: &mut Room<'_>, id: &str) -> Outcome {
    let order_no = number(id).ok_or_else(refusal::bad_input)?;
    let reply = room.sim.cancel(order_no).map_err(|e| refusal::api(&e))?;
    Ok(Reply::ok(&ack(&reply)))
}
