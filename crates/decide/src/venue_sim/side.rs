//! What "worse", "beyond" and "reached" mean for a buyer and for a seller.

use crate::domain::{OrderSide, Premium};

/// Whether `price` is strictly worse for us than `than`: higher when buying, lower when selling.
pub(super) fn is_worse(side: OrderSide, price: Premium, than: Premium) -> bool {
    match side {
        OrderSide::Buy => price > than,
        OrderSide::Sell => price < than,
    }
}

/// The worse of two prices.
pub(super) fn worse(side: OrderSide, a: Premium, b: Premium) -> Premium {
    match side {
        OrderSide::Buy => a.max(b),
        OrderSide::Sell => a.min(b),
    }
}

/// Whether a stop of this side with this trigger fires at this last price.
pub(super) fn reaches(side: OrderSide, last: Premium, trigger: Premium) -> bool {
    last == trigger || is_worse(side, last, trigger)
}

/// `price` rounded to the tick against us and then moved `ticks` further, never below one tick.
pub(super) fn against_us(side: OrderSide, price: Premium, tick: Premium, ticks: i64) -> Premium {
    let step = Premium::from_paise(tick.paise() * ticks);
    match side {
        OrderSide::Buy => (price.ceil_to(tick) + step).max(tick),
        OrderSide::Sell => (price.floor_to(tick) - step).max(tick),
    }
}
