//! One position with everything the order manager knows about it.

use super::cover::Cover;
use super::sells::Wanted;
use crate::domain::money::{Rounding, div_round};
use crate::domain::{
    ChargeHeads, ClientOrderId, ExitReason, Instant, Money, Position, PositionId, PositionPhase, Premium, Qty,
};
use crate::risk_manager::ApprovedEntry;
use crate::tick_cache::Quote;

/// Units a person wants sold while the rest stays protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// Units still to be sold.
    pub(super) left: Qty,
    /// Worst acceptable price; `None` until it is priced.
    pub(super) limit: Option<Premium>,
}

/// A position, its orders and what is wanted of its sell side.
#[derive(Debug, Clone)]
pub(super) struct Book {
    pub(super) position: Position,
    pub(super) entry: ApprovedEntry,
    pub(super) sold_cost: Money,
    pub(super) entries: Vec<ClientOrderId>,
    pub(super) sells: Vec<ClientOrderId>,
    pub(super) wanted: Option<Wanted>,
    pub(super) exit: Option<ExitReason>,
    pub(super) part: Option<Part>,
    pub(super) stop_rule: ExitReason,
    /// Times the exit was priced; each goes farther under the bid.
    pub(super) pricings: u8,
    /// Refusals of the sell side in a row; each makes the next try wait longer.
    pub(super) refusals: u8,
    pub(super) legs: u16,
    pub(super) entry_deadline: Option<Instant>,
    /// When the sell side is looked at again.
    pub(super) chase_at: Option<Instant>,
    pub(super) quote: Option<Quote>,
    /// Receive time of the quote the exit was last priced on.
    pub(super) priced_on: Option<Instant>,
    pub(super) cover: Cover,
}

impl Book {
    /// The books of a position whose entry is about to be sent.
    pub(super) fn opening(id: PositionId, entry: ApprovedEntry, deadline: Instant, quote: Option<Quote>) -> Book {
        Book {
            position: Position {
                id,
                signal: entry.plan.signal,
                instrument: entry.plan.instrument,
                phase: PositionPhase::Opening,
                bought: Qty::ZERO,
                sold: Qty::ZERO,
                paid: Money::ZERO,
                received: Money::ZERO,
                charges: ChargeHeads::default(),
                opened_at: None,
            },
            sold_cost: Money::ZERO,
            entries: Vec::new(),
            sells: Vec::new(),
            wanted: None,
            exit: None,
            part: None,
            stop_rule: ExitReason::StopLoss,
            pricings: 0,
            refusals: 0,
            legs: 0,
            entry_deadline: Some(deadline),
            chase_at: None,
            quote,
            priced_on: None,
            cover: Cover::default(),
            entry,
        }
    }

    /// Whether anything is to be sold now rather than at its stop.
    pub(super) const fn is_leaving(&self) -> bool {
        self.exit.is_some() || self.part.is_some()
    }

    /// Whether what leaves has a price.
    pub(super) const fn is_priced(&self) -> bool {
        match (self.exit, &self.part) {
            (None, Some(part)) => part.limit.is_some(),
            _ => matches!(self.wanted, Some(Wanted::Leave { .. })),
        }
    }

    /// Gives what leaves a price, or takes it away so that it is priced afresh.
    pub(super) const fn set_price(&mut self, limit: Option<Premium>) {
        if self.exit.is_none()
            && let Some(part) = &mut self.part
        {
            part.limit = limit;
            return;
        }
        self.wanted = match limit {
            Some(limit) => Some(Wanted::Leave { limit }),
            None => None,
        };
    }
}

/// Cost of the first `sold` of `bought` units: pro rata, exact once everything is sold.
pub(super) fn cost_of_sold(paid: Money, bought: Qty, sold: Qty) -> Money {
    let share = i128::from(paid.paise()) * i128::from(sold.get());
    Money::from_paise(div_round(share, i128::from(bought.get()), Rounding::HalfUp))
}
