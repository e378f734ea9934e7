//! The little that is kept of every instrument on every tick, whether or not an order is live in it.

use crate::domain::{OrderSide, Premium, Tick, TickFlags};

/// Hot state of one instrument: five stores per tick.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Slot {
    /// Last traded price of the session in paise, 0 when unknown.
    ltp: i64,
    /// Lowest and highest point of the current bar so far, 0 outside bars.
    bar_low: i64,
    bar_high: i64,
    /// Best bid and ask of the last tick, 0 when there was none.
    bid: i32,
    ask: i32,
    /// Orders at the venue and commands on their way to it.
    pub(super) live: u32,
}

impl Slot {
    /// Notes a decidable tick.
    pub(super) fn observe(&mut self, tick: &Tick) {
        (self.bid, self.ask) = (tick.bids[0].price, tick.asks[0].price);
        if tick.ltp_paise <= 0 {
            return;
        }
        self.ltp = tick.ltp_paise;
        if tick.flags.has(TickFlags::SYNTHESISED) {
            if tick.flags.has(TickFlags::BAR_OPEN) || self.bar_low == 0 {
                (self.bar_low, self.bar_high) = (tick.ltp_paise, tick.ltp_paise);
            } else {
                self.bar_low = self.bar_low.min(tick.ltp_paise);
                self.bar_high = self.bar_high.max(tick.ltp_paise);
            }
        }
    }

    /// The point of the current bar that is worst for this side.
    pub(super) const fn bar_extreme(&self, side: OrderSide) -> Premium {
        Premium::from_paise(match side {
            OrderSide::Buy => self.bar_high,
            OrderSide::Sell => self.bar_low,
        })
    }

    /// Last traded price of the session.
    pub(super) fn last(&self) -> Option<Premium> {
        (self.ltp > 0).then(|| Premium::from_paise(self.ltp))
    }

    /// What a side's price band is measured from: the last price or the touch, whichever reaches further its way.
    pub(super) fn reference(&self, side: OrderSide) -> Option<Premium> {
        let touch = match side {
            OrderSide::Buy => self.ask,
            OrderSide::Sell => self.bid,
        };
        let touch = (touch > 0).then(|| Premium::from_paise(i64::from(touch)));
        match (self.last(), touch) {
            (Some(last), Some(touch)) => Some(super::side::worse(side, last, touch)),
            (last, touch) => last.or(touch),
        }
    }
}
