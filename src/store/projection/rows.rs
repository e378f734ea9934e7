//! Books of orders and positions as rows.

use scalper_decide::domain::{
    ClientOrderId, HoldId, InstrumentId, Order, OrderReport, OrderState, OrderType, PositionId, Qty, Stamp, Underlying,
};
use scalper_decide::risk_manager::ApprovedEntry;

use super::super::link::values;
use super::super::tables::{ORDERS, POSITIONS};
use super::Projector;

#[derive(Debug, Clone)]
pub(super) struct OrderBook {
    pub(super) order: Order,
    pub(super) modifications: u8,
    pub(super) reason: Option<String>,
}

/// Executions of a position's orders.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Traded {
    pub(super) paid: i64,
    pub(super) received: i64,
    pub(super) sold: Qty,
}

#[derive(Debug, Clone)]
pub(super) struct PositionBook {
    pub(super) underlying: Underlying,
    pub(super) instrument: InstrumentId,
    pub(super) signal: String,
    pub(super) hold: HoldId,
    pub(super) state: &'static str,
    pub(super) exit_reason: Option<&'static str>,
    pub(super) owned: Qty,
    pub(super) bought: Qty,
    pub(super) sold: Qty,
    pub(super) paid: i64,
    pub(super) received: i64,
    pub(super) charges: i64,
    pub(super) stop: Option<i64>,
    pub(super) stop_rule: Option<&'static str>,
    pub(super) high_water: Option<i64>,
    pub(super) low_water: Option<i64>,
    pub(super) deadline: Option<i64>,
    pub(super) opened_at: Option<i64>,
    pub(super) closed_at: Option<i64>,
    pub(super) net: Option<i64>,
}

impl PositionBook {
    /// A position whose entry was just placed, or whose units were just taken over.
    pub(super) fn opened(entry: &ApprovedEntry) -> PositionBook {
        let (plan, hold) = (&entry.plan, &entry.hold);
        // No signal is behind units that somebody else bought.
        let signal = match hold.origin() {
            "signal" => plan.signal.to_string(),
            other => other.to_owned(),
        };
        PositionBook {
            underlying: plan.signal.underlying,
            instrument: plan.instrument,
            signal,
            hold: hold.id,
            state: "opening",
            exit_reason: None,
            owned: Qty::ZERO,
            bought: Qty::ZERO,
            sold: Qty::ZERO,
            paid: 0,
            received: 0,
            charges: 0,
            stop: None,
            stop_rule: None,
            high_water: None,
            low_water: None,
            deadline: None,
            opened_at: None,
            closed_at: None,
            net: None,
        }
    }
}

impl Projector {
    fn address(&self, instrument: InstrumentId) -> (&'static str, i64) {
        if instrument.slot() < self.universe.len() {
            let known = self.universe.get(instrument);
            (known.segment.name(), i64::from(known.security_id))
        } else {
            ("UNKNOWN", i64::from(instrument.0))
        }
    }

    pub(super) fn write_order(&mut self, stamp: Stamp, id: ClientOrderId) {
        let Some(book) = self.orders.get(&id) else { return };
        let (order, spec) = (&book.order, &book.order.spec);
        let (segment, security_id) = self.address(spec.instrument);
        let purpose = match spec.purpose.letter() {
            'E' => "entry",
            'P' => "protection",
            _ => "exit",
        };
        let kind = match spec.order_type {
            OrderType::Limit { .. } => "limit",
            OrderType::StopLimit { .. } => "stop_limit",
        };
        let row = values![
            self.day.clone(),
            id.as_str(),
            spec.position.0,
            segment,
            security_id,
            purpose,
            spec.side.to_string(),
            spec.qty.get(),
            kind,
            spec.order_type.limit().paise(),
            spec.order_type.trigger().map(|t| t.paise()),
            state_name(&order.state),
            book.reason.clone(),
            order.filled().get(),
            order.turnover().paise(),
            i64::from(book.modifications),
            order.sent_at.nanos(),
            stamp.seq.0,
            stamp.at.nanos(),
        ];
        self.put(&ORDERS, row);
    }

    pub(super) fn write_position(&mut self, stamp: Stamp, id: PositionId) {
        let Some(book) = self.positions.get(&id) else { return };
        let (segment, security_id) = self.address(book.instrument);
        let text = |word: Option<&str>| word.map(str::to_owned);
        let row = values![
            self.day.clone(),
            id.0,
            book.underlying.symbol(),
            segment,
            security_id,
            book.signal.as_str(),
            book.state,
            text(book.exit_reason),
            book.owned.get(),
            book.bought.get(),
            book.sold.get(),
            book.paid,
            book.received,
            book.charges,
            book.stop,
            text(book.stop_rule),
            book.high_water,
            book.low_water,
            book.deadline,
            book.opened_at,
            book.closed_at,
            book.net,
            stamp.seq.0,
        ];
        self.put(&POSITIONS, row);
    }
}

const fn state_name(state: &OrderState) -> &'static str {
    match state {
        OrderState::Sent { .. } => "sent",
        OrderState::InDoubt { .. } => "in_doubt",
        OrderState::Working { triggered: false } => "working",
        OrderState::Working { triggered: true } => "triggered",
        OrderState::Filled => "filled",
        OrderState::Cancelled { .. } => "cancelled",
        OrderState::Rejected { .. } => "rejected",
        OrderState::Absent => "absent",
    }
}

pub(super) const fn report_name(report: &OrderReport) -> &'static str {
    match report {
        OrderReport::Accepted => "accepted",
        OrderReport::Triggered => "triggered",
        OrderReport::Filled(_) => "filled",
        OrderReport::Traded { .. } => "traded",
        OrderReport::Altered { .. } => "altered",
        OrderReport::Modified { .. } => "modified",
        OrderReport::ModifyRefused { .. } => "modify_refused",
        OrderReport::Cancelled { .. } => "cancelled",
        OrderReport::CancelRefused { .. } => "cancel_refused",
        OrderReport::Rejected { .. } => "rejected",
        OrderReport::Unanswered { .. } => "unanswered",
        OrderReport::ProvenAbsent => "proven_absent",
    }
}
