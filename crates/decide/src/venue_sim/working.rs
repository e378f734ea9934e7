//! Commands on their way to the venue, and orders working at it.

use smallvec::SmallVec;

use super::offers::{Ledger, Offer, marginal};
use super::side::{is_worse, reaches, worse};
use super::slot::Slot;
use crate::domain::{
    ClientOrderId, Command, Instant, InstrumentId, OrderSide, OrderType, Premium, Qty, Tick, TickFlags,
};

/// What has been seen since the decision behind the terms in force.
///
/// A slower or more careful model trades later, and later is sometimes cheaper. That luck is not counted: no unit
/// trades better than the worst price at which the open quantity could have traded since the decision. This is
/// what makes the models ordered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    /// Worst such price, not beyond the limit.
    worst: Option<Premium>,
    /// The last price furthest towards, or beyond, the trigger.
    pub(super) furthest_last: Option<Premium>,
}

impl Memory {
    const fn new(last: Option<Premium>) -> Memory {
        Memory { worst: None, furthest_last: last }
    }

    /// Whether a stop would have entered the book by now; a limit is always in it.
    fn is_armed(&self, side: OrderSide, order_type: OrderType) -> bool {
        match order_type.trigger() {
            None => true,
            Some(trigger) => self.furthest_last.is_some_and(|last| reaches(side, last, trigger)),
        }
    }

    /// Remembers what `open` units on these terms would have met on a tick that they could not trade on.
    fn see(&mut self, side: OrderSide, order_type: OrderType, open: Qty, tick: &Tick, offers: &[Offer]) {
        self.see_last(side, tick);
        if self.is_armed(side, order_type) {
            self.see_price(side, marginal(offers, side, order_type.limit(), open));
        }
    }

    fn see_last(&mut self, side: OrderSide, tick: &Tick) {
        if tick.ltp_paise > 0 {
            let last = tick.premium();
            self.furthest_last = Some(self.furthest_last.map_or(last, |known| worse(side, known, last)));
        }
    }

    fn see_price(&mut self, side: OrderSide, price: Option<Premium>) {
        if let Some(price) = price {
            self.worst = Some(self.at_least(side, price));
        }
    }

    /// `price`, or the remembered one where that is worse.
    fn at_least(&self, side: OrderSide, price: Premium) -> Premium {
        self.worst.map_or(price, |known| worse(side, known, price))
    }
}

/// A command on its way.
#[derive(Debug, Clone)]
pub(super) struct Flight {
    /// When it reaches the venue.
    pub(super) arrives: Instant,
    pub(super) command: Command,
    /// Side of the order it is about; `None` for a cancellation or an order unknown here.
    pub(super) side: Option<OrderSide>,
    /// The band's reference when it was sent. Taken then, not on arrival, so that every model judges alike.
    pub(super) reference: Option<Premium>,
    pub(super) memory: Memory,
}

impl Flight {
    pub(super) fn new(arrives: Instant, command: Command, side: Option<OrderSide>, slot: &Slot) -> Flight {
        let reference = side.and_then(|side| slot.reference(side));
        Flight { arrives, command, side, reference, memory: Memory::new(slot.last()) }
    }

    /// Remembers what the terms on their way would have met on this tick. `filled` is what the order has executed.
    pub(super) fn see(&mut self, filled: Qty, tick: &Tick, offers: &[Offer]) {
        let Some(side) = self.side else { return };
        let (order_type, qty) = match self.command {
            Command::Place(spec) => (spec.order_type, spec.qty),
            Command::Modify { order_type, qty, .. } => (order_type, qty),
            Command::Cancel { .. } => return,
        };
        self.memory.see(side, order_type, qty - filled, tick, offers);
    }
}

/// An order working at the venue.
#[derive(Debug, Clone)]
pub(super) struct Working {
    pub(super) id: ClientOrderId,
    pub(super) instrument: InstrumentId,
    pub(super) side: OrderSide,
    pub(super) order_type: OrderType,
    /// Total units, executed ones included.
    pub(super) qty: Qty,
    pub(super) filled: Qty,
    /// A stop whose trigger has traded.
    pub(super) triggered: bool,
    /// Modifications that reached it, refused ones included.
    pub(super) modifications: u8,
    /// Highest modification in force.
    pub(super) version: u8,
    /// Since when the terms in force are in force.
    pub(super) since: Instant,
    pub(super) memory: Memory,
}

/// What one tick did to one order.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) triggered: bool,
    /// Price and units, in the sequence of execution.
    pub(super) fills: SmallVec<[(Premium, Qty); 5]>,
}

impl Working {
    pub(super) fn open(&self) -> Qty {
        self.qty - self.filled
    }

    pub(super) fn is_done(&self) -> bool {
        self.filled == self.qty
    }

    /// Matches the order with a tick of its contract.
    pub(super) fn meet(&mut self, tick: &Tick, offers: &mut [Offer], ledger: &mut Ledger) -> Outcome {
        let mut outcome = Outcome::default();
        let (side, limit) = (self.side, self.order_type.limit());
        // The exchange triggers on trades, not on quotes.
        let fires = |trigger| tick.ltp_paise > 0 && reaches(side, tick.premium(), trigger);
        let is_waiting = !self.triggered && self.order_type.trigger().is_some_and(|trigger| !fires(trigger));
        if is_waiting || tick.received_at < self.since {
            self.memory.see(side, self.order_type, self.open(), tick, offers);
            return outcome;
        }
        outcome.triggered = !self.triggered && self.order_type.trigger().is_some();
        self.triggered |= outcome.triggered;
        let marginal = marginal(offers, side, limit, self.open());
        let in_a_bar = tick.flags.has(TickFlags::SYNTHESISED);
        for offer in offers {
            if self.is_done() || is_worse(side, offer.price, limit) {
                break;
            }
            let qty = self.open().min(offer.free);
            if qty <= Qty::ZERO {
                continue;
            }
            // On a point of a bar the bar's worst point stands in for the memory: a fill stays inside the bar.
            let price = if in_a_bar { offer.price } else { self.memory.at_least(side, offer.price) };
            offer.free -= qty;
            ledger.take(side, offer, qty);
            self.filled += qty;
            match outcome.fills.last_mut() {
                Some((last_price, last_qty)) if *last_price == price => *last_qty += qty,
                _ => outcome.fills.push((price, qty)),
            }
        }
        self.memory.see_price(side, marginal);
        outcome
    }
}
