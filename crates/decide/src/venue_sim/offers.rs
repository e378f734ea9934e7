//! What one tick offers us: prices rounded and shifted against us, and quantities net of what we took already.

use smallvec::SmallVec;

use super::model::FillModel;
use super::side::{against_us, is_worse, worse};
use super::slot::Slot;
use crate::domain::tick::DEPTH;
use crate::domain::{BookLevel, OptionContract, OrderSide, Premium, Qty, Tick, TickFlags};

/// One price at which we can trade on this tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offer {
    /// What a unit costs or brings, shifted against us.
    pub(super) price: Premium,
    /// Units that are left for us.
    pub(super) free: Qty,
    source: Source,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// A displayed level.
    Level(BookLevel),
    /// The size assumed around a last price.
    LastPrice,
}

/// Everything on offer to one side, best price first.
pub(super) type Offers = SmallVec<[Offer; DEPTH]>;

/// Offers of one tick to a buyer or a seller.
pub(super) fn offers(
    model: &FillModel,
    terms: &OptionContract,
    slot: &Slot,
    tick: &Tick,
    side: OrderSide,
    ledger: &Ledger,
) -> Offers {
    let (own, opposite) = sides(tick, side);
    let mut offers = Offers::new();
    if own[0].is_empty() && opposite[0].is_empty() {
        if tick.ltp_paise <= 0 {
            return offers;
        }
        // Inside a bar the sequence of prices is drawn, not observed: the worst point so far stands for all of it.
        let last = if tick.flags.has(TickFlags::SYNTHESISED) { slot.bar_extreme(side) } else { tick.premium() };
        let half = model.half_spread_at(last, terms.tick);
        let touch = match side {
            OrderSide::Buy => last + half,
            OrderSide::Sell => last - half,
        };
        let size = model.takeable(terms.lot.units(model.synthetic_level), terms.lot);
        offers.push(Offer {
            price: against_us(side, touch, terms.tick, model.slippage_ticks),
            free: (size - ledger.taken_at_last_price(side)).max(Qty::ZERO),
            source: Source::LastPrice,
        });
        return offers;
    }
    // A crossed book is priced from its worse side.
    let floor = if opposite[0].is_empty() { own[0] } else { opposite[0] };
    let mut before: Option<Premium> = None;
    for level in own.iter().take_while(|level| !level.is_empty()) {
        let price = level.premium();
        // A level that is not beyond the one before it is a fault of the data, not another offer.
        if before.is_some_and(|before| !is_worse(side, price, before)) {
            continue;
        }
        before = Some(price);
        let shown = worse(side, floor.premium(), price);
        offers.push(Offer {
            price: against_us(side, shown, terms.tick, model.slippage_ticks),
            free: (model.takeable(level.quantity(), terms.lot) - ledger.taken_at(side, *level)).max(Qty::ZERO),
            source: Source::Level(*level),
        });
    }
    offers
}

/// The levels a side trades against, and the other side's.
fn sides(tick: &Tick, side: OrderSide) -> (&[BookLevel; DEPTH], &[BookLevel; DEPTH]) {
    match side {
        OrderSide::Buy => (&tick.asks, &tick.bids),
        OrderSide::Sell => (&tick.bids, &tick.asks),
    }
}

/// Price of the last unit if `qty` were traded now within `limit`: the limit itself when that or the next level
/// stands in the way, the deepest level when the book ends first, `None` when nothing is on offer.
pub(super) fn marginal(offers: &[Offer], side: OrderSide, limit: Premium, qty: Qty) -> Option<Premium> {
    let mut left = qty;
    let mut reached = None;
    for offer in offers {
        if is_worse(side, offer.price, limit) {
            return Some(limit);
        }
        reached = Some(offer.price);
        left -= offer.free;
        if left <= Qty::ZERO {
            break;
        }
    }
    reached
}

/// What we took from displayed sizes. A level offers it again only once its price or quantity has changed.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger {
    levels: Vec<(OrderSide, BookLevel, Qty)>,
    /// Last price and volume of the tick without a book that we traded on.
    last_price: (i64, i64),
    bought_at_last_price: Qty,
    sold_at_last_price: Qty,
}

impl Ledger {
    /// Forgets what the tick shows to have changed.
    pub(super) fn refresh(&mut self, tick: &Tick) {
        if tick.bids[0].is_empty() && tick.asks[0].is_empty() {
            if self.last_price != (tick.ltp_paise, tick.volume) {
                self.last_price = (tick.ltp_paise, tick.volume);
                (self.bought_at_last_price, self.sold_at_last_price) = (Qty::ZERO, Qty::ZERO);
            }
        } else if !self.levels.is_empty() {
            self.levels.retain(|(side, level, _)| sides(tick, *side).0.contains(level));
        }
    }

    /// Books `qty` units as taken from where `offer` came from.
    pub(super) fn take(&mut self, side: OrderSide, offer: &Offer, qty: Qty) {
        match (offer.source, side) {
            (Source::LastPrice, OrderSide::Buy) => self.bought_at_last_price += qty,
            (Source::LastPrice, OrderSide::Sell) => self.sold_at_last_price += qty,
            (Source::Level(level), _) => match self.levels.iter_mut().find(|(s, l, _)| (*s, *l) == (side, level)) {
                Some((_, _, taken)) => *taken += qty,
                None => self.levels.push((side, level, qty)),
            },
        }
    }

    fn taken_at(&self, side: OrderSide, level: BookLevel) -> Qty {
        self.levels.iter().find(|(s, l, _)| (*s, *l) == (side, level)).map_or(Qty::ZERO, |(_, _, taken)| *taken)
    }

    const fn taken_at_last_price(&self, side: OrderSide) -> Qty {
        match side {
            OrderSide::Buy => self.bought_at_last_price,
            OrderSide::Sell => self.sold_at_last_price,
        }
    }
}
