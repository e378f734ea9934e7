//! What a quote says about a price: the middle of a two-sided book, else the last trade, or why it says nothing.

use crate::domain::{Instant, Premium, TickSource};
use crate::params::QuoteAgeLimits;
use crate::tick_cache::Quote;

use super::CandidateRefusal;

/// A price worth computing with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Observed {
    /// Twice the price in paise, so that the middle of a book stays whole.
    twice_paise: i64,
    /// Best bid and ask, `None` when the source carries no book.
    pub book: Option<(Premium, Premium)>,
}

impl Observed {
    /// Price in rupees (or index points).
    pub(super) fn price(&self) -> f64 {
        self.twice_paise as f64 / 200.0
    }

    /// The price rounded up to whole paise.
    pub(super) const fn premium(&self) -> Premium {
        Premium::from_paise((self.twice_paise + 1) / 2)
    }

    /// Ask less bid in rupees, `None` without a book.
    pub(super) fn spread(&self) -> Option<f64> {
        self.book.map(|(bid, ask)| (ask - bid).as_rupees_f64())
    }
}

/// Reads a quote, or says why it cannot be relied on.
pub(super) fn observe(
    quote: Option<&Quote>,
    now: Instant,
    limits: &QuoteAgeLimits,
) -> Result<Observed, CandidateRefusal> {
    let quote = quote.filter(|q| q.flags.is_decidable()).ok_or(CandidateRefusal::NoQuote)?;
    if quote.source == TickSource::Derived {
        return Err(CandidateRefusal::Derived);
    }
    // Received after now means two clocks: the age is unknown, and unknown is stale.
    if quote.received_at > now || !quote.is_fresh(now, limits) {
        let (age, limit) = (quote.age(now), quote.age_limit(limits));
        return Err(CandidateRefusal::Stale { age, limit, source_of_price: quote.source });
    }
    match (quote.bid, quote.ask) {
        (Some(bid), Some(ask)) => {
            let (bid, ask) = (bid.premium(), ask.premium());
            if bid > ask {
                return Err(CandidateRefusal::CrossedBook { bid, ask });
            }
            Ok(Observed { twice_paise: (bid + ask).paise(), book: Some((bid, ask)) })
        }
        (None, None) => {
            let ltp = quote.ltp().ok_or(CandidateRefusal::NoPrice)?;
            Ok(Observed { twice_paise: ltp.paise() * 2, book: None })
        }
        (bid, _) => Err(CandidateRefusal::OneSidedBook { has_bid: bid.is_some() }),
    }
}
