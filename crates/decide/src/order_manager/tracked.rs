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
    /// Nothing is sent about it before then: a refusal is not answered at once.
    pub(super) not_before: Option<Instant>,
    /// The highest stop sent whose outcome is unknown: it may be in force.
    pub(super) highest_stop: Option<OrderType>,
    /// The venue has not refused to raise its quantity.
    pub(super) can_grow: bool,
    /// What somebody else changed was put back once.
    pub(super) is_reasserted: bool,
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
            not_before: None,
            highest_stop: None,
            can_grow: true,
            is_reasserted: false,
            doubt_told: false,
        }
    }

    /// Ended, and every execution it ended with is known. A count may overtake the fills it counts (P2).
    pub(super) fn is_over(&self) -> bool {
        self.order.state.is_terminal() && self.order.missing_fills() == Qty::ZERO
    }

    /// What the planner needs to know; `None` once it is over.
    pub(super) fn live_sell(&self, now: Instant) -> Option<LiveSell> {
        if self.is_over() {
            return None;
        }
        let spec = &self.order.spec;
        let qty = match self.order.state {
            OrderState::Cancelled { filled } => filled,
            // The largest quantity that can be in force: a change of unknown outcome counts in full.
            _ => self.order.open_qty() + self.order.filled(),
        };
        let working = matches!(self.order.state, OrderState::Working { .. });
        let answered = self.pending.is_none() && self.cancel_sent.is_none();
        Some(LiveSell {
            id: spec.id,
            qty,
            filled: self.order.filled(),
            order_type: spec.order_type,
            is_settled: working && answered && self.not_before.is_none_or(|at| now >= at),
            is_unsure: working && self.order.has_unresolved(),
            is_in_doubt: matches!(self.order.state, OrderState::InDoubt { .. }),
            is_triggered: matches!(self.order.state, OrderState::Working { triggered: true }),
            can_grow: self.can_grow,
            modifications: self.versions,
        })
    }

    /// The terms to send when `wanted` is wished for: never a stop under one that may be in force already (I7).
    pub(super) fn never_lower(&self, wanted: OrderType) -> OrderType {
        match (self.highest_stop, wanted) {
            (Some(high), OrderType::StopLimit { trigger, .. }) if high.trigger() > Some(trigger) => high,
            _ => wanted,
        }
    }

    /// Notes terms that have just been sent.
    pub(super) fn terms_sent(&mut self, terms: OrderType) {
        if terms.trigger() > self.highest_stop.and_then(OrderType::trigger) {
            self.highest_stop = Some(terms);
        }
    }

    /// Units this sell stands for beyond doubt: resting at the venue, or sold already with the execution still to be
    /// told. A modification of unknown outcome counts with the smaller quantity.
    pub(super) fn cover(&self) -> Qty {
        match self.order.state {
            OrderState::Working { .. } => (self.order.floor_qty() - self.order.filled()).max(Qty::ZERO),
            OrderState::Cancelled { .. } => self.order.missing_fills(),
            _ => Qty::ZERO,
        }
    }
}
