//! One position with everything the order manager knows about it.

use super::sells::Wanted;
use crate::domain::money::{Rounding, div_round};
use crate::domain::{ClientOrderId, ExitReason, Instant, Money, Position, Qty};
use crate::risk_manager::ApprovedEntry;
use crate::tick_cache::Quote;

#[derive(Debug, Clone)]
pub(super) struct Book {
    pub(super) position: Position,
    pub(super) entry: ApprovedEntry,
    pub(super) sold_cost: Money,
    pub(super) entries: Vec<ClientOrderId>,
    pub(super) sells: Vec<ClientOrderId>,
    pub(super) wanted: Option<Wanted>,
    pub(super) exit: Option<ExitReason>,
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
}

/// Cost of the first `sold` of `bought` units: pro rata, exact once everything is sold.
pub(super) fn cost_of_sold(paid: Money, bought: Qty, sold: Qty) -> Money {
    let share = i128::from(paid.paise()) * i128::from(sold.get());
    Money::from_paise(div_round(share, i128::from(bought.get()), Rounding::HalfUp))
}
