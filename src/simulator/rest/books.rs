//! Order book, trade book and trade history (dhan-v2.md 5.1, 5.4).

use std::collections::BTreeMap;

use scalper_decide::domain::Money;
use scalper_decide::domain::charges::ChargeHeads;

use super::call::{Outcome, Reply, Room};
use super::orders::number;
use super::{refusal, rows};
use crate::broker::dhan::rest::order_book::OrderObject;
use crate::broker::dhan::rest::times;
use crate::broker::dhan::rest::trades::{HistoryTrade, TradeObject};
use crate::simulator::oms::order::{OrderRow, Trade};

/// Rows on a page of the history; how many the broker prints is not known.
const PAGE: usize = 20;

fn list<'a>(room: &Room<'_>, found: impl Iterator<Item = &'a OrderRow>) -> Vec<OrderObject> {
    found.map(|row| rows::order(room.account.client_id(), row)).collect()
}

/// An array of one on the wire, and `[]` when there is none.
fn single(room: &Room<'_>, mut found: Vec<OrderObject>) -> Reply {
    if room.options.single_is_object && found.len() == 1 {
        return Reply::ok(&found.remove(0));
    }
    Reply::ok(&found)
}

/// GET /orders.
pub(super) fn orders(room: &Room<'_>) -> Reply {
    Reply::ok(&list(room, room.sim.oms().orders()))
}

/// GET /orders/{id}.
pub(super) fn order(room: &Room<'_>, id: &str) -> Reply {
    let found = number(id).and_then(|no| room.sim.oms().order(no));
    single(room, list(room, found.into_iter()))
}

/// GET /orders/external/{tag}; a tag that was used twice names two orders.
pub(super) fn tagged(room: &Room<'_>, tag: &str) -> Reply {
    single(room, list(room, room.sim.oms().orders_tagged(tag).into_iter()))
}

fn trade_rows<'a>(room: &Room<'_>, found: impl Iterator<Item = &'a Trade>) -> Reply {
    let trades: Vec<TradeObject> = found.map(|trade| rows::trade(room.account.client_id(), trade)).collect();
    Reply::ok(&trades)
}

/// GET /trades.
pub(super) fn trades(room: &Room<'_>) -> Reply {
    trade_rows(room, room.sim.oms().trades().iter())
}

/// GET /trades/{id}.
pub(super) fn trades_of(room: &Room<'_>, id: &str) -> Reply {
    let order_no = number(id);
    trade_rows(room, room.sim.oms().trades().iter().filter(|trade| Some(trade.order_no) == order_no))
}

/// GET /trades/{from}/{to}/{page}: both days included, what each execution added to the charges of its order, and no
/// trade numbers.
pub(super) fn history(room: &Room<'_>, from: &str, to: &str, page: &str) -> Outcome {
    let (Some(from), Some(to), Ok(page)) = (times::date(from), times::date(to), page.parse::<usize>()) else {
        return Err(refusal::bad_input());
    };
    let oms = room.sim.oms();
    let mut so_far: BTreeMap<_, Money> = BTreeMap::new();
    let mut found = Vec::new();
    for trade in oms.all_trades() {
        let before = so_far.entry(trade.order_no).or_default();
        let value = *before;
        *before += trade.value();
        let day = trade.at.ist_date();
        if day < from || to < day {
            continue;
        }
        let heads = |value: Money| {
            let heads = oms.charges_on(&trade.listed, trade.side, value, day);
            heads.map_err(|error| refusal::internal(&error.to_string()))
        };
        found.push(history_row(room.account.client_id(), trade, &heads(value + trade.value())?, &heads(value)?));
    }
    let rows: Vec<HistoryTrade> = found.into_iter().skip(page.saturating_mul(PAGE)).take(PAGE).collect();
    Ok(Reply::ok(&rows))
}

fn history_row(client_id: &str, trade: &Trade, now: &ChargeHeads, before: &ChargeHeads) -> HistoryTrade {
    let more = |get: fn(&ChargeHeads) -> Money| Some(rows::money(get(now) - get(before)));
    let mut row = rows::trade(client_id, trade);
    row.exchange_trade_id = None;
    row.create_time = None;
    HistoryTrade {
        trade: row,
        isin: Some("NA".to_owned()),
        instrument: Some(super::instruments::kind(&trade.listed).to_owned()),
        sebi_tax: more(|heads| heads.sebi),
        stt: more(|heads| heads.stt),
        brokerage_charges: more(|heads| heads.brokerage),
        service_tax: more(|heads| heads.gst),
        exchange_transaction_charges: more(|heads| heads.exchange + heads.ipft),
        stamp_duty: more(|heads| heads.stamp),
    }
}
