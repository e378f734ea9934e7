//! Positions, holdings, funds, margin (dhan-v2.md 7.1, 7.2).

use scalper_decide::domain::Premium;
use scalper_decide::domain::broker::BrokerOrderType;

use super::call::{Call, Outcome, Reply, Room};
use super::orders::{own_account, price};
use super::{refusal, rows};
use crate::broker::dhan::rest::funds::{Funds, Margin, MarginBody};
use crate::broker::dhan::rest::positions::{ConvertBody, ExitAllAnswer, Holding, PositionObject};
use crate::broker::dhan::rest::scalar::Number;
use crate::simulator::oms::request::PlaceRequest;

/// GET /positions.
pub(super) fn positions(room: &Room<'_>) -> Reply {
    let ltp = |key| room.sim.board().find(key).map_or(0, |(_, desk)| desk.ltp());
    let all = room.sim.oms().positions().all();
    let rows: Vec<PositionObject> =
        all.map(|row| rows::position(room.account.client_id(), row, ltp(row.listed.key()))).collect();
    Reply::ok(&rows)
}

/// DELETE /positions.
pub(super) fn exit_all(room: &mut Room<'_>) -> Outcome {
    room.sim.exit_all().map_err(|e| refusal::api(&e))?;
    let message = "All orders and positions exited successfully".to_owned();
    Ok(Reply::ok(&ExitAllAnswer { status: "SUCCESS".to_owned(), message }))
}

/// POST /positions/convert: 202 with nothing.
pub(super) fn convert(room: &mut Room<'_>, call: &Call) -> Outcome {
    let body: ConvertBody = call.read()?;
    own_account(room, &body.dhan_client_id)?;
    let key = (body.exchange_segment, body.security_id);
    let net = room.sim.oms().positions().net(key, &body.from_product_type);
    let fits = match body.position_type.as_str() {
        "LONG" => net > 0,
        "SHORT" => net < 0,
        _ => return Err(refusal::bad_input()),
    };
    // The side that is not held is converted as nothing held is.
    let units = if fits { body.convert_qty.0 } else { 0 };
    let done = room.sim.convert(key, &body.from_product_type, &body.to_product_type, units);
    done.map_err(|e| refusal::api(&e))?;
    Ok(Reply::empty(202))
}

/// GET /holdings: options are never held in the depository.
pub(super) fn holdings(room: &Room<'_>) -> Outcome {
    if room.options.no_holdings_is_error { Err(refusal::no_holdings()) } else { Ok(Reply::ok(&Vec::<Holding>::new())) }
}

/// GET /fundlimit.
pub(super) fn funds(room: &Room<'_>) -> Reply {
    let funds = room.sim.oms().funds();
    Reply::ok(&Funds {
        dhan_client_id: room.account.client_id().to_owned(),
        available_balance: rows::money(funds.available),
        sod_limit: Some(rows::money(funds.start_of_day)),
        collateral_amount: None,
        receivable_amount: None,
        utilized_amount: Some(rows::money(funds.utilized)),
        blocked_payout_amount: None,
        withdrawable_balance: Some(rows::money(funds.withdrawable)),
    })
}

/// POST /margincalculator. No price means at the market.
pub(super) fn margin(room: &Room<'_>, call: &Call) -> Outcome {
    let body: MarginBody = call.read()?;
    own_account(room, &body.dhan_client_id)?;
    let (limit, trigger) = (price(body.price)?.unwrap_or_default(), price(body.trigger_price)?.unwrap_or_default());
    let order_type = match (limit > Premium::ZERO, trigger > Premium::ZERO) {
        (true, true) => BrokerOrderType::StopLoss,
        (true, false) => BrokerOrderType::Limit,
        (false, _) => BrokerOrderType::Market,
    };
    let key = (body.exchange_segment, body.security_id);
    let request = PlaceRequest {
        product: body.product_type,
        order_type,
        trigger,
        ..PlaceRequest::limit(body.transaction_type, key, body.quantity.0, limit)
    };
    let margin = room.sim.margin(&request).map_err(|e| refusal::api(&e))?;
    Ok(Reply::ok(&Margin {
        total_margin: rows::money(margin.total),
        span_margin: Some(rows::money(margin.span)),
        exposure_margin: Some(rows::money(margin.exposure)),
        available_balance: Some(rows::money(margin.available)),
        variable_margin: None,
        insufficient_balance: Some(rows::money(margin.insufficient)),
        // The wire prints 0 here; it is no charge model (dhan-v2.md 7.2).
        brokerage: Some(Number::default()),
        leverage: Some("1X".to_owned()),
    }))
}
