//! What the venue refuses (dhan-v2.md 8.2; I22).

use super::side::is_worse;
use crate::domain::money::Rounding;
use crate::domain::{Bps, OptionContract, OrderSide, OrderType, Premium, Qty, VenueRefusal};

/// Modifications one order may have (dhan-v2.md 5.3).
pub const MODIFICATION_LIMIT: u8 = 25;

/// Limit-price protection: how far beyond the reference a limit may reach, `max(share x reference, least)`.
///
/// For index options premiums above Rs 50 may reach 40 %, others Rs 20 (dhan-v2.md 8.2); Rs 20 is 40 % of Rs 50, so
/// one maximum says both. The reference moves with the market; a band around the day's first price would refuse
/// the exit from any option that has since halved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceBand {
    /// Share of the reference.
    pub share: Bps,
    /// Least width, whatever the reference.
    pub least: Premium,
}

impl Default for PriceBand {
    fn default() -> PriceBand {
        PriceBand { share: Bps::from_percent(40), least: Premium::from_rupees(20) }
    }
}

impl PriceBand {
    /// The furthest price an order of this side may name. Prices on the passive side are not limited.
    pub fn edge(&self, side: OrderSide, reference: Premium) -> Premium {
        let reach = (reference.moved_by(self.share, Rounding::Down) - reference).max(self.least);
        match side {
            OrderSide::Buy => reference + reach,
            OrderSide::Sell => reference - reach,
        }
    }
}

/// Terms that an order asks for, at placement or by modification.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    pub(super) side: OrderSide,
    pub(super) order_type: OrderType,
    /// Total units.
    pub(super) qty: Qty,
    /// What the price band is measured from, when anything is known.
    pub(super) reference: Option<Premium>,
    /// The last price furthest towards the trigger since the decision, when anything is known.
    pub(super) furthest_last: Option<Premium>,
}

/// Checks a wish against the contract: first quantity, then prices.
pub(super) fn check(terms: &OptionContract, band: PriceBand, wish: &Wish) -> Result<(), VenueRefusal> {
    let Wish { side, order_type, qty, .. } = *wish;
    if qty <= Qty::ZERO || qty.get() % terms.lot.get() != 0 {
        return Err(VenueRefusal::LotSize);
    }
    if qty > terms.max_order_qty {
        return Err(VenueRefusal::FreezeQuantity);
    }
    let on_tick = |price: Premium| price > Premium::ZERO && price.is_multiple_of(terms.tick);
    if !on_tick(order_type.limit()) || !order_type.trigger().is_none_or(on_tick) {
        return Err(VenueRefusal::TickSize);
    }
    // A stop enters the book when its trigger trades, so that is what its limit is measured from.
    if let Some(reference) = order_type.trigger().or(wish.reference)
        && is_worse(side, order_type.limit(), band.edge(side, reference))
    {
        return Err(VenueRefusal::PriceBand);
    }
    if let Some(trigger) = order_type.trigger() {
        let passed = wish.furthest_last.is_some_and(|last| is_worse(side, last, trigger));
        if passed || is_worse(side, trigger, order_type.limit()) {
            return Err(VenueRefusal::TriggerSide);
        }
    }
    Ok(())
}
