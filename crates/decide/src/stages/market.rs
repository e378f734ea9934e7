//! The tick cache together with what is listed and until when it trades: quotes, levels, chains.

use std::sync::Arc;

use chrono::NaiveDate;

use crate::domain::{
    IndexPrice, Instant, Instrument, InstrumentId, InstrumentKind, Premium, SessionCalendar, Stamp, Tick, Underlying,
    Universe,
};
use crate::tick_cache::{ChainSnapshot, Quote, TickCache, TickRefusal};

use super::session::SessionTerms;

/// An expiry with the time its contracts stop trading.
pub type ListedExpiry = (NaiveDate, Instant);

/// Quotes an entry is judged on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryQuotes {
    /// Last quote of the spot index.
    pub index: Option<Quote>,
    /// Last quote of the contract.
    pub option: Option<Quote>,
}

/// The market as the stages know it.
#[derive(Debug, Clone)]
pub struct Market {
    universe: Universe,
    cache: TickCache,
    calendar: Arc<SessionCalendar>,
    day: Option<NaiveDate>,
}

impl Market {
    /// A market in which nothing is listed yet.
    pub fn new(calendar: Arc<SessionCalendar>) -> Market {
        Market { universe: Universe::new(), cache: TickCache::new(), calendar, day: None }
    }

    /// Opens a day: yesterday's quotes are forgotten.
    pub fn open_session(&mut self, terms: &SessionTerms) {
        if !terms.goes_on {
            self.cache.open_session();
        }
        self.day = Some(terms.hours.day);
    }

    /// Lists an instrument in the slot it carries; returns that slot.
    pub fn list(&mut self, instrument: &Instrument) -> InstrumentId {
        let id = self.universe.list(instrument.clone());
        self.cache.list(id, instrument.kind);
        id
    }

    /// Instruments known so far.
    pub const fn universe(&self) -> &Universe {
        &self.universe
    }

    /// Takes a tick in, or says why it must not drive a decision.
    #[inline]
    pub fn apply(&mut self, tick: &Tick) -> Result<InstrumentKind, TickRefusal> {
        self.cache.apply(tick)
    }

    /// Last quote of an instrument.
    #[inline]
    pub fn quote(&self, instrument: InstrumentId) -> Option<Quote> {
        self.cache.quote(instrument).copied()
    }

    /// Last level of an index.
    pub fn index_level(&self, underlying: Underlying) -> Option<IndexPrice> {
        self.index_quote(underlying).map(|quote| quote.level())
    }

    fn index_quote(&self, underlying: Underlying) -> Option<Quote> {
        self.universe.index_of(underlying).and_then(|id| self.quote(id))
    }

    /// Best price to buy a contract at now.
    pub fn ask(&self, instrument: InstrumentId) -> Option<Premium> {
        self.cache.quote(instrument)?.buyable_at()
    }

    /// Quotes an entry in a contract is judged on.
    pub fn entry_quotes(&self, underlying: Underlying, instrument: InstrumentId) -> EntryQuotes {
        EntryQuotes { index: self.index_quote(underlying), option: self.quote(instrument) }
    }

    /// Whether this tick was believed and is the last known of its instrument.
    pub fn holds(&self, tick: &Tick) -> bool {
        let held = self.cache.quote(tick.instrument);
        tick.flags.is_decidable()
            && held.is_some_and(|q| (q.received_at, q.ltp_paise) == (tick.received_at, tick.ltp_paise))
    }

    /// When contracts of `expiry` stop trading; `None` when the calendar does not know the day.
    fn expires_at(&self, expiry: NaiveDate) -> Option<Instant> {
        self.calendar.hours(expiry).ok().flatten().map(|hours| hours.close_at())
    }

    /// Expiries listed from today on.
    pub fn listed_expiries(&self, underlying: Underlying) -> Vec<ListedExpiry> {
        let Some(day) = self.day else { return Vec::new() };
        let expiries = self.universe.expiries(underlying, day);
        expiries.filter_map(|expiry| Some((expiry, self.expires_at(expiry)?))).collect()
    }

    /// Minutes until the nearest listed expiry stops trading.
    pub fn minutes_to_expiry(&self, now: Stamp, underlying: Underlying) -> Option<i64> {
        let nearest = self.listed_expiries(underlying).into_iter().map(|(_, at)| at).find(|at| *at > now.at);
        nearest.map(|at| at.age_of(now.at).secs() / 60)
    }

    /// The chain of a listed expiry.
    pub fn chain(&self, underlying: Underlying, (expiry, expires_at): ListedExpiry) -> ChainSnapshot {
        let day = self.day.unwrap_or(expiry);
        self.cache.snapshot(&self.universe, underlying, day, expiry, expires_at)
    }

    /// The chain whose volatility is sampled: the nearest expiry after today, because expiry-day volatilities would
    /// distort the range of the rank.
    pub fn sampled_chain(&self, underlying: Underlying) -> Option<ChainSnapshot> {
        let day = self.day?;
        let next = self.listed_expiries(underlying).into_iter().find(|(expiry, _)| *expiry > day)?;
        Some(self.chain(underlying, next))
    }
}
