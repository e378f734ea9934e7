//! Last accepted tick of every instrument and its age. A tick that cannot be true is kept out of every decision
//! (P22); what is missing stays missing.

use chrono::NaiveDate;
use serde::Serialize;

use crate::domain::instrument::{InstrumentKind, Universe};
use crate::domain::tick::ABSENT;
use crate::domain::{
    Age, BookLevel, IndexPrice, InstrumentId, OptionContract, Premium, Qty, Right, Tick, TickSource, Underlying,
};
use crate::domain::{Instant, TickFlags};
use crate::params::QuoteAgeLimits;

/// Largest believable step of an index between two accepted ticks of one session, in percent of the older one.
/// The exchanges halt the market at 20 %.
const INDEX_STEP_MAX_PCT: i64 = 20;

/// Last known state of one instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Quote {
    /// Last traded price in paise (index level or premium); 0 when nothing traded yet.
    pub ltp_paise: i64,
    /// Best buyer.
    pub bid: Option<BookLevel>,
    /// Best seller.
    pub ask: Option<BookLevel>,
    /// Open interest in units.
    pub oi: Option<Qty>,
    /// Volume of the day in units.
    pub volume: Option<Qty>,
    /// Exchange time.
    pub exchange_at: Instant,
    /// Receive time: ages are measured from here, by the clock we control.
    pub received_at: Instant,
    /// Where it came from.
    pub source: TickSource,
    /// Flags of the tick.
    pub flags: TickFlags,
}

impl Quote {
    fn of(tick: &Tick) -> Quote {
        let present = |value: i64| (value != ABSENT).then(|| Qty::new(value));
        Quote {
            ltp_paise: tick.ltp_paise,
            bid: tick.best_bid(),
            ask: tick.best_ask(),
            oi: present(tick.oi),
            volume: present(tick.volume),
            exchange_at: tick.exchange_at,
            received_at: tick.received_at,
            source: tick.source,
            flags: tick.flags,
        }
    }

    /// Last traded premium, `None` when nothing traded yet.
    pub fn ltp(&self) -> Option<Premium> {
        (self.ltp_paise > 0).then(|| Premium::from_paise(self.ltp_paise))
    }

    /// Index level.
    pub const fn level(&self) -> IndexPrice {
        IndexPrice::from_paise(self.ltp_paise)
    }

    /// Best bid, or the last price where the source carries no book.
    pub fn sellable_at(&self) -> Option<Premium> {
        match (self.bid, self.ask) {
            (Some(bid), _) => Some(bid.premium()),
            // A one-sided book has no buyers: nothing can be sold.
            (None, Some(_)) => None,
            (None, None) => self.ltp(),
        }
    }

    /// Best ask, or the last price where the source carries no book.
    pub fn buyable_at(&self) -> Option<Premium> {
        match (self.bid, self.ask) {
            (_, Some(ask)) => Some(ask.premium()),
            (Some(_), None) => None,
            (None, None) => self.ltp(),
        }
    }

    /// Age at `now`.
    pub fn age(&self, now: Instant) -> Age {
        now.age_of(self.received_at)
    }

    /// The age limit for this quote's source.
    pub const fn age_limit(&self, limits: &QuoteAgeLimits) -> Age {
        match self.source {
            TickSource::Feed | TickSource::Generated => limits.feed,
            TickSource::Snapshot => limits.snapshot,
            TickSource::Derived if !self.flags.has(TickFlags::SYNTHESISED) => limits.snapshot,
            TickSource::Bar | TickSource::Derived => limits.bar,
        }
    }

    /// Whether the quote is young enough at `now` for its source.
    pub fn is_fresh(&self, now: Instant, limits: &QuoteAgeLimits) -> bool {
        self.age(now) <= self.age_limit(limits)
    }
}

/// Why a tick was kept out of decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TickRefusal {
    /// Outside the session.
    OutOfSession,
    /// A repeat of an older exchange time.
    Stale,
    /// Older than the tick already held.
    OutOfOrder,
    /// An index tick without a price, or a price below zero.
    NoPrice,
    /// An index level more than 20 % away from the previous one.
    IndexStep,
    /// A call above the index, or a put above its strike.
    AboveBound,
    /// Best bid above best ask.
    CrossedBook,
}

impl TickRefusal {
    /// Whether the price cannot be believed, rather than its time.
    pub const fn is_about_price(self) -> bool {
        !matches!(self, TickRefusal::OutOfSession | TickRefusal::Stale | TickRefusal::OutOfOrder)
    }
}

/// The tick cache.
#[derive(Debug, Clone, Default)]
pub struct TickCache {
    quotes: Vec<Option<Quote>>,
    kinds: Vec<Option<InstrumentKind>>,
    spot: [Option<i64>; Underlying::ALL.len()],
}

impl TickCache {
    /// An empty cache.
    pub fn new() -> TickCache {
        TickCache::default()
    }

    /// Makes room for an instrument and remembers its bounds.
    pub fn list(&mut self, id: InstrumentId, kind: InstrumentKind) {
        let slot = id.slot();
        if self.quotes.len() <= slot {
            self.quotes.resize(slot + 1, None);
            self.kinds.resize(slot + 1, None);
        }
        self.kinds[slot] = Some(kind);
    }

    /// Forgets all quotes: yesterday's prices are not today's.
    pub fn open_session(&mut self) {
        self.quotes.fill(None);
        self.spot = Default::default();
    }

    /// Takes a tick in, or says why it must not drive a decision.
    ///
    /// # Panics
    /// When the instrument was never listed.
    pub fn apply(&mut self, tick: &Tick) -> Result<InstrumentKind, TickRefusal> {
        let slot = tick.instrument.slot();
        let kind = self.kinds[slot].expect("ticks arrive for listed instruments only");
        if !tick.flags.is_decidable() {
            return Err(if tick.flags.has(TickFlags::OUT_OF_SESSION) {
                TickRefusal::OutOfSession
            } else if tick.flags.has(TickFlags::STALE) {
                TickRefusal::Stale
            } else {
                TickRefusal::OutOfOrder
            });
        }
        if let Some(known) = &self.quotes[slot]
            && tick.exchange_at < known.exchange_at
        {
            return Err(TickRefusal::OutOfOrder);
        }
        match &kind {
            InstrumentKind::Index { underlying } => {
                if tick.ltp_paise <= 0 {
                    return Err(TickRefusal::NoPrice);
                }
                let held = &mut self.spot[underlying.index()];
                if let Some(last) = *held
                    && (tick.ltp_paise - last).abs() * 100 > last * INDEX_STEP_MAX_PCT
                {
                    return Err(TickRefusal::IndexStep);
                }
                *held = Some(tick.ltp_paise);
            }
            InstrumentKind::Option(contract) => self.check_option(contract, tick)?,
            InstrumentKind::Future { .. } => {
                if tick.ltp_paise < 0 {
                    return Err(TickRefusal::NoPrice);
                }
            }
        }
        self.quotes[slot] = Some(Quote::of(tick));
        Ok(kind)
    }

    /// Bounds no real premium can break: a call costs less than the index, a put less than its strike.
    fn check_option(&self, contract: &OptionContract, tick: &Tick) -> Result<(), TickRefusal> {
        if tick.ltp_paise < 0 {
            return Err(TickRefusal::NoPrice);
        }
        if tick.has_book() && tick.bids[0].price > tick.asks[0].price {
            return Err(TickRefusal::CrossedBook);
        }
        let bound = match contract.right {
            Right::Call => self.spot[contract.underlying.index()],
            Right::Put => Some(contract.strike.paise()),
        };
        if bound.is_some_and(|b| tick.ltp_paise >= b || i64::from(tick.bids[0].price) >= b) {
            return Err(TickRefusal::AboveBound);
        }
        Ok(())
    }

    /// What is known about an instrument, `None` before its first accepted tick of the session.
    pub fn quote(&self, id: InstrumentId) -> Option<&Quote> {
        self.quotes.get(id.slot())?.as_ref()
    }

    /// One expiry of an index with the last quote of every leg.
    pub fn snapshot(
        &self,
        universe: &Universe,
        underlying: Underlying,
        day: NaiveDate,
        expiry: NaiveDate,
        expires_at: Instant,
    ) -> ChainSnapshot {
        let quote = |id: InstrumentId| self.quote(id).copied();
        let legs = universe
            .chain(underlying, expiry)
            .into_iter()
            .flatten()
            .flat_map(|(_, pair)| [pair.call, pair.put])
            .flatten()
            .filter_map(|id| Some(ChainLeg { id, contract: *universe.get(id).option()?, quote: quote(id) }))
            .collect();
        let future = universe.near_future(underlying, day).and_then(|id| match universe.get(id).kind {
            InstrumentKind::Future { expiry: future_expiry, .. } => Some((future_expiry, quote(id)?)),
            _ => None,
        });
        ChainSnapshot {
            underlying,
            day,
            expiry,
            expires_at,
            spot: universe.index_of(underlying).and_then(quote),
            future,
            legs,
        }
    }
}

/// One contract of a chain and its last quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ChainLeg {
    /// Slot.
    pub id: InstrumentId,
    /// Terms.
    pub contract: OptionContract,
    /// Last quote, `None` when none came this session.
    pub quote: Option<Quote>,
}

/// One expiry of an index at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChainSnapshot {
    /// The index.
    pub underlying: Underlying,
    /// Trading day.
    pub day: NaiveDate,
    /// The expiry.
    pub expiry: NaiveDate,
    /// When its contracts stop trading.
    pub expires_at: Instant,
    /// Last quote of the spot index.
    pub spot: Option<Quote>,
    /// Expiry and last quote of the nearest future.
    pub future: Option<(NaiveDate, Quote)>,
    /// Contracts by ascending strike, call before put.
    pub legs: Vec<ChainLeg>,
}

impl ChainSnapshot {
    /// The leg of a strike and right.
    pub fn leg(&self, strike: crate::domain::Strike, right: Right) -> Option<&ChainLeg> {
        let first = self.legs.partition_point(|l| l.contract.strike < strike);
        self.legs[first..].iter().take_while(|l| l.contract.strike == strike).find(|l| l.contract.right == right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Instrument, LotSize, Segment, Strike};

    fn listed() -> (TickCache, InstrumentId, InstrumentId) {
        let mut universe = Universe::new();
        let index = universe.list(Instrument {
            id: InstrumentId(0),
            segment: Segment::IdxI,
            security_id: 13,
            symbol: "NIFTY".into(),
            kind: InstrumentKind::Index { underlying: Underlying::Nifty },
        });
        let call = universe.list(Instrument {
            id: InstrumentId(0),
            segment: Segment::NseFno,
            security_id: 1,
            symbol: "call".into(),
            kind: InstrumentKind::Option(OptionContract {
                underlying: Underlying::Nifty,
                expiry: NaiveDate::from_ymd_opt(2026, 1, 13).unwrap(),
                strike: Strike::from_points(25_650),
                right: Right::Call,
                lot: LotSize::new(65).unwrap(),
                tick: Premium::from_paise(5),
                max_order_qty: Qty::new(1_755),
            }),
        });
        let mut cache = TickCache::new();
        for instrument in universe.iter() {
            cache.list(instrument.id, instrument.kind);
        }
        (cache, index, call)
    }

    fn tick(id: InstrumentId, secs: i64, paise: i64) -> Tick {
        Tick::last_price(id, Instant::from_secs(secs), Instant::from_secs(secs), paise, TickSource::Feed)
    }

    #[test]
    fn an_index_price_in_an_options_stream_is_refused_from_the_first_tick() {
        // P22
        let (mut cache, index, call) = listed();
        cache.apply(&tick(index, 1, 2_565_000)).unwrap();
        assert_eq!(cache.apply(&tick(call, 2, 2_565_000)), Err(TickRefusal::AboveBound));
        assert!(cache.quote(call).is_none());
        assert!(cache.apply(&tick(call, 3, 8_800)).is_ok());
    }

    #[test]
    fn a_wild_index_step_is_refused_and_a_large_real_one_is_not() {
        let (mut cache, index, _) = listed();
        cache.apply(&tick(index, 1, 2_565_000)).unwrap();
        assert_eq!(cache.apply(&tick(index, 2, 8_340_000)), Err(TickRefusal::IndexStep));
        assert!(cache.apply(&tick(index, 3, 2_300_000)).is_ok());
    }

    #[test]
    fn an_older_tick_never_replaces_a_younger_one() {
        let (mut cache, index, _) = listed();
        cache.apply(&tick(index, 5, 2_565_000)).unwrap();
        assert_eq!(cache.apply(&tick(index, 4, 2_560_000)), Err(TickRefusal::OutOfOrder));
        assert_eq!(cache.quote(index).unwrap().ltp_paise, 2_565_000);
    }

    #[test]
    fn a_book_without_buyers_cannot_be_sold_into() {
        let (mut cache, _, call) = listed();
        let mut one_sided = tick(call, 1, 8_800);
        one_sided.asks[0] = BookLevel { price: 8_805, qty: 65 };
        cache.apply(&one_sided).unwrap();
        assert_eq!(cache.quote(call).unwrap().sellable_at(), None);
    }
}
