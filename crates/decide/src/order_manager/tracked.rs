//! One order and what is on its way about it.

use super::sells::LiveSell;
use crate::domain::{ChargeHeads, Instant, Order, OrderState, OrderType, Qty};

/// A modification on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PendingChange {
    pub(super) version: u8,
    pub(super) order_type: OrderType,
    pub(super) qty: Qty,
    pub(super) sent_at: Instant,
}

/// An order with what was sent about it and not answered yet.
#[derive(Debug, Clone)]
pub(super) struct Tracked {
    pub(super) order: Order,
    pub(super) charged: ChargeHeads,
    /// Modifications sent; each carries the next number.
    pub(super) versions: u8,
    pub(super) pending: Option<PendingChange>,
    /// When a cancellation was sent that has no answer yet. Until the answer it frees nothing (C18).
    pub(super) cancel_sent: Option<Instant>,
    /// Times an unanswered change or cancellation was sent again.
    pub(super) resends: u8,
    /// The venue has not refused to raise its quantity.
    pub(super) can_grow: bool,
    /// The alarm about its doubt was raised.
    pub(super) doubt_told: bool,
}

impl Tracked {
    /// An order that has just been sent.
    pub(super) const fn sent(order: Order, nothing: ChargeHeads) -> Tracked {
        Tracked {
            order,
            charged: nothing,
            versions: 0,
            pending: None,
            cancel_sent: None,
            resends: 0,
            can_grow: true,
            doubt_told: false,
        }
    }

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
            is_settled: working && self.pending.is_none() && self.cancel_sent.is_none(),
            is_in_doubt: matches!(self.order.state, OrderState::InDoubt { .. }),
            is_triggered: matches!(self.order.state, OrderState::Working { triggered: true }),
            can_grow: self.can_grow,
            modifications: self.versions,
        })
    }

    /// Units this sell stands for beyond doubt: resting at the venue, or sold already with the execution still to be
    /// told. A modification on its way counts with the smaller quantity.
    pub(super) fn cover(&self) -> Qty {
        match self.order.state {
            OrderState::Working { .. } => {
                let spec = self.order.spec.qty;
                let qty = self.pending.map_or(spec, |p| p.qty.min(spec));
                (qty - self.order.filled()).max(Qty::ZERO)
            }
            OrderState::Cancelled { .. } => self.order.missing_fills(),
            _ => Qty::ZERO,
        }
    }
}
