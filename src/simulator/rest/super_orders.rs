//! Super orders (dhan-v2.md 6.1).

use scalper_decide::domain::{OrderSide, Premium};

use super::call::{Call, Outcome, Reply, Room};
use super::orders::{ack, number, own_account, price};
use super::{refusal, rows};
use crate::broker::dhan::rest::scalar::{Count, Number};
use crate::broker::dhan::rest::super_orders::{SuperLeg, SuperModifyBody, SuperOrder, SuperPlaceBody};
use crate::broker::dhan::rest::words;
use crate::simulator::oms::order::{Leg, Source, Validity};
use crate::simulator::oms::request::{PlaceRequest, SuperChange, SuperRequest};
use crate::simulator::oms::super_orders::{LegRow, SuperRow};

/// POST /super/orders.
pub(super) fn place(room: &mut Room<'_>, call: &Call) -> Outcome {
    let body: SuperPlaceBody = call.read()?;
    own_account(room, &body.dhan_client_id)?;
    let entry = PlaceRequest {
        correlation: body.correlation_id,
        side: body.transaction_type,
        key: (body.exchange_segment, body.security_id),
        product: body.product_type,
        order_type: body.order_type,
        validity: Validity::Day,
        qty: body.quantity.0,
        disclosed: 0,
        price: price(body.price)?.unwrap_or_default(),
        trigger: Premium::ZERO,
        after_market: false,
        source: Source::Api,
    };
    let request = SuperRequest {
        entry,
        target: price(body.target_price)?.unwrap_or_default(),
        stop: price(body.stop_loss_price)?.unwrap_or_default(),
        trailing_jump: price(body.trailing_jump)?.unwrap_or_default(),
    };
    let reply = room.sim.place_super(&request).map_err(|e| refusal::api(&e))?;
    Ok(Reply::ok(&ack(&reply)))
}

/// PUT /super/orders/{id}. A trailing step that is left out ends trailing.
pub(super) fn modify(room: &mut Room<'_>, id: &str, call: &Call) -> Outcome {
    let mut json = call.json().ok_or_else(refusal::bad_input)?;
    if let Some(fields) = json.as_object_mut() {
        fields.entry("orderId").or_insert_with(|| id.into());
        fields.entry("trailingJump").or_insert_with(|| 0.into());
    }
    let body: SuperModifyBody = serde_json::from_value(json).map_err(|_| refusal::bad_input())?;
    if body.order_id() != id {
        return Err(refusal::bad_input());
    }
    let some = |number: Number| price(Some(number));
    let change = match body {
        SuperModifyBody::Entry {
            order_type, quantity, price, target_price, stop_loss_price, trailing_jump, ..
        } => SuperChange::Entry {
            order_type: Some(order_type),
            qty: Some(quantity.0),
            price: some(price)?,
            target: some(target_price)?,
            stop: some(stop_loss_price)?,
            trailing_jump: some(trailing_jump)?,
        },
        SuperModifyBody::Target { target_price, .. } => {
            SuperChange::Target { target: some(target_price)?.unwrap_or_default() }
        }
        SuperModifyBody::StopLoss { stop_loss_price, trailing_jump, .. } => SuperChange::StopLoss {
            stop: some(stop_loss_price)?.unwrap_or_default(),
            trailing_jump: some(trailing_jump)?,
        },
    };
    let entry = number(id).ok_or_else(refusal::bad_input)?;
    let reply = room.sim.modify_super(entry, &change).map_err(|e| refusal::api(&e))?;
    Ok(Reply::ok(&ack(&reply)))
}

/// DELETE /super/orders/{id}/{leg}.
pub(super) fn cancel(room: &mut Room<'_>, id: &str, leg: &str) -> Outcome {
    let leg = match words::Leg::from_word(leg) {
        Some(words::Leg::Entry) => Leg::Entry,
        Some(words::Leg::StopLoss) => Leg::StopLoss,
        Some(words::Leg::Target) => Leg::Target,
        None => return Err(refusal::bad_input()),
    };
    let entry = number(id).ok_or_else(refusal::bad_input)?;
    let reply = room.sim.cancel_super(entry, leg).map_err(|e| refusal::api(&e))?;
    Ok(if room.options.super_cancel_is_empty { Reply::empty(202) } else { Reply::new(202, &ack(&reply)) })
}

/// GET /super/orders.
pub(super) fn book(room: &Room<'_>) -> Reply {
    let rows: Vec<SuperOrder> = room.sim.oms().supers().all().map(|row| object(room, row)).collect();
    Reply::ok(&rows)
}

fn object(room: &Room<'_>, row: &SuperRow) -> SuperOrder {
    let oms = room.sim.oms();
    let entry = oms.order(row.entry).expect("a super order of today has its entry");
    let mut order = rows::order(room.account.client_id(), entry);
    order.order_status = oms.super_status(row);
    let ltp = room.sim.board().find(entry.listed.key()).map_or(0, |(_, desk)| desk.ltp());
    let other = if entry.side == OrderSide::Buy { OrderSide::Sell } else { OrderSide::Buy };
    let leg = |leg: Leg, it: &LegRow| {
        let orders = || it.orders.iter().filter_map(|no| oms.order(*no));
        let jump = if leg == Leg::StopLoss { row.trailing_jump } else { Premium::ZERO };
        SuperLeg {
            order_id: Some(row.entry.to_string()),
            leg_name: Some(leg.name().to_owned()),
            transaction_type: other,
            total_quantity: Some(Count(entry.qty)),
            remaining_quantity: Some(Count(entry.qty - orders().map(|o| o.filled).sum::<i64>())),
            triggered_quantity: Some(Count(orders().map(|o| o.qty).sum())),
            price: Some(rows::rupees(it.price)),
            order_status: it.status.clone(),
            trailing_jump: Some(rows::rupees(jump)),
        }
    };
    let legs = [Leg::StopLoss, Leg::Target].into_iter();
    let leg_details = legs.filter_map(|name| Some(leg(name, row.leg(name)?))).collect();
    SuperOrder { order, ltp: Some(Number::from_paise(ltp)), leg_details }
}
