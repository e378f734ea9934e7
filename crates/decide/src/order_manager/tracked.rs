//! One order and what is on its way about it.

use super::sells::LiveSell;
use crate::domain::{ChargeHeads, Order, OrderState, OrderType, Qty};

/// A modification on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PendingChange {
    pub(super) version: u8,
    pub(super) order_type: OrderType,
    pub(super) qty: Qty,
}

#[derive(Debug, Clone)]
pub(super) struct Tracked {
    pub(super) order: Order,
    pub(super) charged: ChargeHeads,
    pub(super) versions: u8,
    pub(super) pending: Option<PendingChange>,
    pub(super) cancel_sent: bool,
    /// The venue has not refused to raise its quantity.
    pub(super) can_grow: bool,
}

impl Tracked {
    /// Ended, and every execution it ended with is known. A count may overtake the fills it counts (P2).
    pub(super) fn is_over(&self) -> bool {
        self.order.state.is_terminal() && self.order.missing_fills() == Qty::ZERO
    }

    /// What the planner needs to know; `None` once it is over.
    pub(super) fn live_sell(&self) -> Option<LiveSell> {
        if self.is_over() {
            return None;
        }
        let spec = &self.order.spec;
        let qty = match self.order.state {
            OrderState::Cancelled { filled } => filled,
            _ => self.pending.map_or(spec.qty, |p| p.qty.max(spec.qty)),
        };
        let working = matches!(self.order.state, OrderState::Working { .. });
        Some(LiveSell {
            id: spec.id,
            qty,
            filled: self.order.filled(),
            order_type: spec.order_type,
            is_settled: working && self.pending.is_none() && !self.cancel_sent,
            is_triggered: matches!(self.order.state, OrderState::Working { triggered: true }),
            can_grow: self.can_grow,
            modifications: self.versions,
        })
    }
}
