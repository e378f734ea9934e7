//! Prices an entry may rest on: present, observed, young for their source, two-sided and tight.

use crate::domain::{Bps, Instant, Premium, TickSource};
use crate::params::{EntryGuardParams, QuoteAgeLimits};
use crate::tick_cache::Quote;

use super::{EntryContext, EntryRefusal};

/// What is wrong with the time of a quote.
enum Untimely {
    Future,
    Stale,
}

fn timeliness(quote: &Quote, now: Instant, limits: &QuoteAgeLimits) -> Option<Untimely> {
    if quote.received_at > now {
        // A quote from the future means two clocks: its age is unknown, and unknown is stale.
        Some(Untimely::Future)
    } else if !quote.is_fresh(now, limits) {
        Some(Untimely::Stale)
    } else {
        None
    }
}

/// The index price behind the signal.
pub(super) fn check_index(params: &EntryGuardParams, now: Instant, ctx: &EntryContext<'_>) -> Result<(), EntryRefusal> {
    let underlying = ctx.signal.underlying;
    let Some(quote) = ctx.index_quote.filter(|q| q.ltp_paise > 0 && q.flags.is_decidable()) else {
        return Err(EntryRefusal::IndexPriceMissing { underlying });
    };
    match timeliness(quote, now, &params.index_age) {
        Some(Untimely::Future) => {
            Err(EntryRefusal::IndexFromFuture { underlying, received_at: quote.received_at, now })
        }
        Some(Untimely::Stale) => Err(EntryRefusal::IndexStale {
            underlying,
            age: quote.age(now),
            limit: quote.age_limit(&params.index_age),
            source_of_price: quote.source,
        }),
        None => Ok(()),
    }
}

/// The option price the entry would pay.
pub(super) fn check_option(
    params: &EntryGuardParams,
    now: Instant,
    ctx: &EntryContext<'_>,
) -> Result<(), EntryRefusal> {
    let (strike, right) = (ctx.contract.strike, ctx.contract.right);
    let Some(quote) = ctx.option_quote.filter(|q| q.flags.is_decidable()) else {
        return Err(EntryRefusal::OptionPriceMissing { strike, right });
    };
    if quote.source == TickSource::Derived {
        return Err(EntryRefusal::OptionPriceDerived { strike, right });
    }
    match timeliness(quote, now, &params.option_age) {
        Some(Untimely::Future) => {
            let received_at = quote.received_at;
            return Err(EntryRefusal::OptionFromFuture { strike, right, received_at, now });
        }
        Some(Untimely::Stale) => {
            let (age, limit) = (quote.age(now), quote.age_limit(&params.option_age));
            return Err(EntryRefusal::OptionStale { strike, right, age, limit, source_of_price: quote.source });
        }
        None => {}
    }
    let reference = match (quote.bid, quote.ask) {
        (Some(bid), Some(ask)) => {
            let (bid, ask) = (bid.premium(), ask.premium());
            check_spread(bid, ask, params.max_spread)?;
            ask
        }
        (None, None) => quote.ltp().ok_or(EntryRefusal::OptionPriceMissing { strike, right })?,
        (bid, _) => return Err(EntryRefusal::OneSidedBook { strike, right, has_bid: bid.is_some() }),
    };
    check_limit(ctx.entry_limit, ctx.contract.tick, reference, params.slippage_cap)
}

/// `(ask - bid) / bid` against the limit, in whole numbers.
fn check_spread(bid: Premium, ask: Premium, limit: Bps) -> Result<(), EntryRefusal> {
    let gap = i128::from((ask - bid).paise());
    if gap < 0 {
        return Err(EntryRefusal::CrossedBook { bid, ask });
    }
    if gap * 10_000 > i128::from(bid.paise()) * i128::from(limit.get()) {
        return Err(EntryRefusal::SpreadWide { bid, ask, limit });
    }
    Ok(())
}

fn check_limit(limit: Premium, tick: Premium, reference: Premium, cap: Bps) -> Result<(), EntryRefusal> {
    if limit <= Premium::ZERO || tick <= Premium::ZERO || !limit.is_multiple_of(tick) {
        return Err(EntryRefusal::LimitOffTick { limit, tick });
    }
    let above = i128::from((limit - reference).paise());
    if above * 10_000 > i128::from(reference.paise()) * i128::from(cap.get()) {
        return Err(EntryRefusal::SlippageCap { limit, ask: reference, cap });
    }
    Ok(())
}
