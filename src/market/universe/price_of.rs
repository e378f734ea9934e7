//! Whose price says where the money of a chain is.

use chrono::NaiveDate;
use scalper_decide::domain::Segment;

use crate::market::Key;
use crate::market::master::{Kind, Listing, Master, UnderlyingId, Venue};

/// The instrument whose price counts, and the symbol of what the chain is written on.
#[derive(Debug, Clone, Copy)]
pub struct PriceOf<'a> {
    /// The instrument.
    pub key: Key,
    /// What it is.
    pub kind: Kind,
    /// The symbol derivatives are listed under.
    pub symbol: &'a str,
}

/// The spot of an index or share; of a commodity the future its option is written on, because it has no spot here
/// (S1-17). `None` when there is not exactly one.
pub fn price_of<'a>(master: &'a Master, of: UnderlyingId, expiry: NaiveDate) -> Option<PriceOf<'a>> {
    let (_, segment, symbol) = master.underlyings().find(|(id, ..)| *id == of)?;
    let spot = |venue: Venue| {
        let kind = master.chain(of, expiry).next()?.kind();
        match kind {
            Kind::OptIdx => master.unique(venue, Kind::Index, symbol),
            Kind::OptStk => share(master, venue, symbol),
            _ => None,
        }
    };
    let found: Listing<'a> = match segment {
        Segment::NseFno => spot(Venue::Nse)?,
        Segment::BseFno => spot(Venue::Bse)?,
        Segment::McxComm => master.future_behind(of, expiry)?,
        _ => return None,
    };
    Some(PriceOf { key: found.key(), kind: found.kind(), symbol })
}

/// The share with this symbol: at NSE the one in series EQ, at BSE the only one.
pub(super) fn share<'a>(master: &'a Master, venue: Venue, symbol: &str) -> Option<Listing<'a>> {
    if venue == Venue::Bse {
        return master.unique(venue, Kind::Equity, symbol);
    }
    let mut found =
        master.by_symbol(symbol).filter(|l| l.venue() == venue && l.kind() == Kind::Equity && l.series() == "EQ");
    found.next().filter(|_| found.next().is_none())
}
