//! One quote of a chain snapshot that came as JSON.

use scalper_decide::domain::tick::{ABSENT, DEPTH};
use scalper_decide::domain::{BookLevel, Instant, InstrumentId, Tick, TickSource};

use super::super::contract::ContractKey;
use super::error::{ImportError, Place};
use super::harvest::{Harvest, Terms};

/// What a chain says about one contract; prices in paise (0 for none), quantities in units.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quote {
    /// Last price.
    pub(super) ltp: i64,
    /// Best buyer.
    pub(super) bid: BookLevel,
    /// Best seller.
    pub(super) ask: BookLevel,
    /// Open interest.
    pub(super) oi: i64,
    /// Volume of the day.
    pub(super) volume: i64,
}

/// Lists the contract and adds its quote; a quote without anything in it is only counted.
pub(super) fn push(
    out: &mut Harvest<'_>,
    at: Instant,
    key: ContractKey,
    terms: Terms,
    quote: Quote,
    place: &Place,
) -> Result<(), ImportError> {
    let day = at.ist_date();
    let listing = out.list(day, key, terms, place)?;
    if quote.ltp == 0 && quote.bid.is_empty() && quote.ask.is_empty() && quote.oi == 0 && quote.volume == 0 {
        out.tally(day, "quotes of contracts without price, book or open interest left out");
        return Ok(());
    }
    let mut tick = Tick::last_price(InstrumentId(0), at, at, quote.ltp, TickSource::Snapshot);
    (tick.ltq, tick.volume, tick.oi) = (ABSENT, quote.volume, quote.oi);
    tick.bids = std::array::from_fn::<_, DEPTH, _>(|n| if n == 0 { quote.bid } else { BookLevel::default() });
    tick.asks = std::array::from_fn::<_, DEPTH, _>(|n| if n == 0 { quote.ask } else { BookLevel::default() });
    out.push(listing, tick, place)
}
