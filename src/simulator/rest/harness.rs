//! `/sim/clock` and `/sim/truth`: for test harnesses. They are NOT part of the broker's API; no client of it may use
//! them, and they need no token.

use serde_json::{Value, json};

use super::call::Reply;
use super::{refusal, rows};
use crate::broker::dhan::rest::words;
use crate::simulator::desk::Desk;

/// Session time, the time the market has been lived to, when something happens next (null when the market is over),
/// and session seconds per second of the wall (0: the clock is driven).
pub(super) fn clock(desk: &Desk) -> Reply {
    let reached = match desk.step() {
        Ok(reached) => reached,
        Err(broken) => return refusal::internal(&broken.to_string()),
    };
    let (now, next) = (desk.clock().now(), desk.next_at());
    let next = (next != scalper_decide::domain::Instant::MAX).then_some(next);
    Reply::ok(&json!({
        "now": now.ist_text(),
        "now_ns": now.nanos(),
        "reached_ns": reached.nanos(),
        "next": next.map(|at| at.ist_text()),
        "next_ns": next.map(|at| at.nanos()),
        "speed": desk.clock().speed(),
    }))
}

/// Everything that really happened in the account since the first day: orders and trades as the books print them,
/// units held, money in paise, settlements, and what contradicts itself (nothing should).
pub(super) fn truth(desk: &Desk) -> Reply {
    let told = desk.with(|sim, account, now| {
        let truth = sim.truth();
        let client_id = account.client_id();
        let orders: Vec<_> = truth.orders.iter().map(|row| rows::order(client_id, row)).collect();
        let trades: Vec<_> = truth.trades.iter().map(|trade| rows::trade(client_id, trade)).collect();
        let positions: Vec<Value> = truth
            .positions
            .iter()
            .map(|(((segment, security_id), product), net)| {
                let product = words::product_word(product);
                json!({"segment": segment.name(), "security_id": security_id, "product": product, "net": net})
            })
            .collect();
        let settlements: Vec<Value> = truth
            .ledger
            .settlements
            .iter()
            .map(|s| {
                json!({
                    "segment": s.key.0.name(),
                    "security_id": s.key.1,
                    "symbol": s.symbol,
                    "net": s.net,
                    "intrinsic_paise": s.intrinsic.paise(),
                    "charges_paise": s.charges.paise(),
                    "at": s.at.ist_text(),
                    "source": s.source,
                })
            })
            .collect();
        json!({
            "now": now.ist_text(),
            "orders": orders,
            "trades": trades,
            "positions": positions,
            "settlements": settlements,
            "opening_paise": truth.ledger.opening.paise(),
            "bought_paise": truth.ledger.bought.paise(),
            "sold_paise": truth.ledger.sold.paise(),
            "charges_paise": truth.ledger.charges.paise(),
            "settled_paise": truth.ledger.settled.paise(),
            "cash_paise": truth.cash.paise(),
            "contradictions": truth.contradictions(),
        })
    });
    told.map_or_else(|broken| refusal::internal(&broken.to_string()), |truth| Reply::ok(&truth))
}
