//! What the exchange says becomes rows, trades and updates.

use std::sync::Arc;

use scalper_decide::domain::broker::{BrokerOrderType, BrokerStatus};
use scalper_decide::domain::order::Fill;
use scalper_decide::domain::{Instant, OrderReport, OrderType};

use super::order::{Cause, OmsError, OrderNo, Trade, Update};
use super::{Incoming, Oms, checks};
use crate::simulator::board::Board;

impl Oms {
    pub(super) fn apply(&mut self, incoming: Incoming, now: Instant, board: &Board) {
        let Incoming { output, lapsed } = incoming;
        let order_no = OrderNo(output.event.id.as_str().parse().expect("ids at the exchange are order numbers"));
        let said_at = output.deliver_at - self.config.model.report_latency;
        match output.event.report {
            OrderReport::Accepted => self.accepted(order_no, now, said_at),
            OrderReport::Triggered => self.note(order_no, now, Cause::Triggered),
            OrderReport::Filled(fill) => self.filled(order_no, &fill, now, board),
            OrderReport::Modified { order_type, qty, .. } => self.modified(order_no, order_type, qty.get(), now),
            OrderReport::ModifyRefused { refusal, .. } => {
                self.answered(order_no);
                self.refuse_change(order_no, now, checks::from_exchange(&refusal));
            }
            OrderReport::Cancelled { .. } => {
                let (status, cause) = if lapsed {
                    (BrokerStatus::Expired, Cause::Expired)
                } else {
                    (BrokerStatus::Cancelled, Cause::Cancelled)
                };
                self.finish(order_no, now, status, cause);
                self.leg_ended(order_no, now, board);
            }
            OrderReport::Rejected { refusal } => {
                self.reject(order_no, now, checks::from_exchange(&refusal));
                self.leg_ended(order_no, now, board);
            }
            // The order had ended before the cancellation came; how it ended is reported by itself.
            OrderReport::CancelRefused { .. } => {}
            OrderReport::Traded { .. }
            | OrderReport::Altered { .. }
            | OrderReport::Unanswered { .. }
            | OrderReport::ProvenAbsent => {
                unreachable!("a broker's counts and a client's conclusions; no exchange says them")
            }
        }
    }

    fn accepted(&mut self, order_no: OrderNo, now: Instant, said_at: Instant) {
        self.exchange_sequence += 1;
        let exchange_no = self.exchange_sequence;
        let row = self.orders.get_mut(&order_no).expect("the exchange has orders of ours only");
        row.exchange_no = Some(exchange_no);
        row.exchange_at = Some(said_at);
        row.status = BrokerStatus::Pending;
        self.note(order_no, now, Cause::Accepted);
    }

    fn modified(&mut self, order_no: OrderNo, order_type: OrderType, qty: i64, now: Instant) {
        let row = self.orders.get_mut(&order_no).expect("the exchange has orders of ours only");
        row.qty = qty;
        row.price = order_type.limit();
        row.trigger = order_type.trigger().unwrap_or_default();
        row.order_type = match order_type {
            OrderType::Limit { .. } => BrokerOrderType::Limit,
            OrderType::StopLimit { .. } => BrokerOrderType::StopLoss,
        };
        self.answered(order_no);
        self.note(order_no, now, Cause::Modified);
    }

    /// One modification less on its way: with the last one, only the terms in force need money.
    fn answered(&mut self, order_no: OrderNo) {
        let row = self.orders.get_mut(&order_no).expect("the exchange has orders of ours only");
        row.hidden.asking -= 1;
        if row.hidden.asking == 0 {
            (row.hidden.reserved_qty, row.hidden.reserved_price) = (row.qty, row.price);
        }
    }

    fn filled(&mut self, order_no: OrderNo, fill: &Fill, now: Instant, board: &Board) {
        let row = self.orders.get_mut(&order_no).expect("the exchange has orders of ours only");
        row.filled += fill.qty.get();
        row.value += fill.price * fill.qty;
        assert!(row.filled <= row.qty, "the exchange never fills more than was ordered");
        row.status = if row.filled >= row.qty { BrokerStatus::Traded } else { BrokerStatus::PartTraded };
        let trade = Trade {
            order_no,
            exchange_no: row.exchange_no.expect("an order is accepted before it trades"),
            trade: fill.trade,
            side: row.side,
            listed: Arc::clone(&row.listed),
            product: row.product.clone(),
            order_type: row.order_type,
            qty: fill.qty.get(),
            price: fill.price,
            at: fill.at,
            created_at: row.created_at,
            booked_at: now,
        };
        if row.status == BrokerStatus::Traded {
            self.live.remove(&order_no);
        }
        // Charges go by order, so each execution books what the order now costs more.
        let rates = self.rates[&row.listed.instrument.underlying().exchange()];
        let total = rates.for_order(row.side, row.value).total();
        let more = total - row.hidden.charged;
        row.hidden.charged = total;
        self.ledger.book_trade(&trade, more);
        self.positions.book(&trade);
        self.trades.push(trade.clone());
        self.note(order_no, now, Cause::Filled(trade));
        self.leg_filled(order_no, now, board);
    }

    /// Rejects an order for good.
    pub(super) fn reject(&mut self, order_no: OrderNo, now: Instant, error: OmsError) {
        self.orders.get_mut(&order_no).expect("orders stay").error = Some(error);
        self.finish(order_no, now, BrokerStatus::Rejected, Cause::Rejected);
        self.supers.entry_ended(order_no);
    }

    /// Refuses a change; the order is as before.
    pub(super) fn refuse_change(&mut self, order_no: OrderNo, now: Instant, error: OmsError) {
        self.note(order_no, now, Cause::ModifyRefused(error));
    }

    /// Ends an order.
    pub(super) fn finish(&mut self, order_no: OrderNo, now: Instant, status: BrokerStatus, cause: Cause) {
        self.orders.get_mut(&order_no).expect("orders stay").status = status;
        self.live.remove(&order_no);
        self.note(order_no, now, cause);
    }

    /// Says that an order has changed.
    pub(super) fn note(&mut self, order_no: OrderNo, now: Instant, cause: Cause) {
        let row = self.orders.get_mut(&order_no).expect("orders stay");
        row.updated_at = now;
        self.outbox.push(Update { at: now, cause, order: row.clone() });
    }
}
