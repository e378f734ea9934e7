//! Quotes by request for held contracts that the feed is silent about: an exit is judged on a price of these seconds,
//! whatever the socket does (F-42).

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use scalper_decide::decision_core::Books;
use scalper_decide::domain::tick::DEPTH;
use scalper_decide::domain::{
    Age, BookLevel, Instant, InstrumentId, Segment, SessionHours, Tick, TickSource, Universe,
};

use scalper_decide::order_manager::OrderManager;
use scalper_decide::risk_manager::RiskManager;

use super::inbox::Inbox;
use super::sockets::flags;
use crate::broker::MarketData;
use crate::broker::market::{Level, QuoteSnapshot};
use crate::clock::SessionClock;

/// Silence of the feed, in session time, after which a held contract is asked for; with the time an answer takes the
/// risk manager has a price every five seconds.
const SILENCE: Age = Age::from_secs(3);
/// Wall time between two requests at least: one quote request a second is what the broker allows (dhan-v2.md 9).
const GAP_SECS: f64 = 1.1;

/// Asks for what is held and silent.
pub struct HeldQuotes {
    market: Arc<dyn MarketData>,
    inbox: Inbox,
    clock: SessionClock,
    hours: SessionHours,
    is_asking: Rc<Cell<bool>>,
    not_before: Instant,
}

/// Where an instrument is found, and its slot.
pub type Silent = BTreeMap<(Segment, u32), InstrumentId>;

impl HeldQuotes {
    /// Nothing asked for yet.
    pub fn new(market: Arc<dyn MarketData>, inbox: Inbox, clock: SessionClock, hours: SessionHours) -> HeldQuotes {
        let not_before = clock.now();
        HeldQuotes { market, inbox, clock, hours, is_asking: Rc::default(), not_before }
    }

    /// One look: starts a request when one is due; its answers become ticks.
    pub fn look(&mut self, books: &Books, universe: &Universe) {
        let now = self.clock.now();
        if self.is_asking.get() || now < self.not_before || !self.hours.is_open(now.ist_time()) {
            return;
        }
        let silent = silent(&books.risk, &books.orders, universe, now);
        if silent.is_empty() {
            return;
        }
        self.not_before = now + Age::from_nanos((GAP_SECS * self.clock.speed().max(1.0) * 1e9) as i64);
        self.is_asking.set(true);
        let (market, inbox, clock) = (Arc::clone(&self.market), self.inbox.clone(), self.clock.clone());
        let (hours, is_asking) = (self.hours.clone(), Rc::clone(&self.is_asking));
        actix_rt::spawn(async move {
            match market.quotes(silent.keys().copied().collect()).await {
                Ok(quotes) => {
                    let at = clock.now();
                    for quote in quotes {
                        if let Some(instrument) = silent.get(&(quote.segment, quote.security_id)) {
                            let flags = flags(&hours, at);
                            inbox.tick(Tick { flags, ..tick(&quote, *instrument, at) });
                        }
                    }
                }
                Err(fault) => {
                    tracing::warn!(target: "risk_manager", %fault, held = silent.len(), "no quotes for silent contracts");
                }
            }
            is_asking.set(false);
        });
    }
}

/// Held contracts without a quote of the last seconds.
pub fn silent(risk: &RiskManager, orders: &OrderManager, universe: &Universe, now: Instant) -> Silent {
    let is_silent = |seen: Option<Instant>| seen.is_none_or(|seen| now.age_of(seen) > SILENCE);
    let held = risk.guarded().filter(|g| is_silent(orders.last_quote(g.id).map(|q| q.received_at)));
    let key = |id: InstrumentId| {
        let instrument = universe.get(id);
        ((instrument.segment, instrument.security_id), id)
    };
    held.map(|g| key(g.plan.instrument)).collect()
}

fn side(levels: &[Level; DEPTH]) -> [BookLevel; DEPTH] {
    let level = |l: &Level| {
        let (price, qty) = (i32::try_from(l.price).ok()?, u32::try_from(l.qty).ok()?);
        (price > 0 && qty > 0).then_some(BookLevel { price, qty })
    };
    std::array::from_fn(|i| level(&levels[i]).unwrap_or_default())
}

/// A quote as a tick received at `at`. A contract that never traded is dated by when it was seen.
fn tick(quote: &QuoteSnapshot, instrument: InstrumentId, at: Instant) -> Tick {
    let traded_at = quote.traded_at.unwrap_or(at);
    Tick {
        volume: quote.volume,
        oi: quote.oi,
        bids: side(&quote.bids),
        asks: side(&quote.asks),
        ..Tick::last_price(instrument, traded_at, at, quote.last, TickSource::Snapshot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_becomes_a_tick_with_its_book_and_empty_levels_stay_empty() {
        let mut bids = [Level::default(); DEPTH];
        bids[0] = Level { price: 12_005, qty: 75, orders: 1 };
        bids[1] = Level { price: -1, qty: 75, orders: 1 };
        let at = Instant::from_secs(1_770_000_000);
        let quote = QuoteSnapshot {
            segment: Segment::NseFno,
            security_id: 7,
            last: 12_010,
            traded_at: Some(at - Age::from_secs(4)),
            volume: 750,
            oi: 1_500,
            open: 0,
            high: 0,
            low: 0,
            previous_close: 0,
            lower_circuit: 0,
            upper_circuit: 0,
            bids,
            asks: [Level::default(); DEPTH],
        };
        let tick = tick(&quote, InstrumentId(3), at);
        assert_eq!((tick.ltp_paise, tick.volume, tick.oi), (12_010, 750, 1_500));
        assert_eq!((tick.exchange_at, tick.received_at), (at - Age::from_secs(4), at));
        assert_eq!(tick.bids[0], BookLevel { price: 12_005, qty: 75 });
        assert!(tick.bids[1].is_empty() && tick.asks[0].is_empty());
        assert_eq!(tick.source, TickSource::Snapshot);
        let never = super::tick(&QuoteSnapshot { traded_at: None, last: 0, ..quote }, InstrumentId(3), at);
        assert_eq!(never.exchange_at, at);
    }
}
