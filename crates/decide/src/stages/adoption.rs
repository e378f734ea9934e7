//! Facts an adoption needs from other stages than the one that decides on it.

use super::market::ListedExpiry;
use crate::domain::adoption::{AdoptRefusal, AdoptRequest, Adoption};
use crate::domain::{HoldId, Instant, InstrumentId, OptionContract, Segment, Stamp, Underlying, Universe};
use crate::journal::AdoptionNote;
use crate::order_manager::{OrderManager, Outcome};
use crate::risk_manager::{EntryPlan, adopted_tag};
use crate::tick_cache::Quote;

/// Segments in which options are listed.
const SEGMENTS: [Segment; 2] = [Segment::NseFno, Segment::BseFno];

/// The contract that is asked for.
///
/// # Errors
/// When it is not one option of a traded index.
pub fn find(
    universe: &Universe,
    indices: &[Underlying],
    ask: &AdoptRequest,
) -> Result<(InstrumentId, OptionContract), AdoptRefusal> {
    let security_id = ask.security_id;
    let segments = SEGMENTS.into_iter().filter(|segment| ask.segment.is_none_or(|named| named == *segment));
    let mut found = segments.filter_map(|segment| {
        let instrument = universe.get(universe.find(segment, security_id)?);
        let contract = instrument.option().filter(|contract| indices.contains(&contract.underlying))?;
        Some((instrument.id, *contract))
    });
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => Err(AdoptRefusal::Ambiguous { security_id }),
        (None, _) => Err(AdoptRefusal::UnknownContract { security_id }),
    }
}

/// When the contract stops trading.
///
/// # Errors
/// When it has done so already, or its expiry is not listed.
pub fn expires_at(
    listed: &[ListedExpiry],
    contract: &OptionContract,
    ask: &AdoptRequest,
) -> Result<Instant, AdoptRefusal> {
    let known = listed.iter().find(|(expiry, _)| *expiry == contract.expiry);
    known.map(|(_, at)| *at).ok_or(AdoptRefusal::UnknownContract { security_id: ask.security_id })
}

/// The order manager's part.
pub fn take(
    orders: &mut OrderManager,
    now: Stamp,
    adoption: &Adoption,
    plan: EntryPlan,
    hold: HoldId,
    quote: Option<Quote>,
) -> (AdoptionNote, Outcome) {
    let (position, outcome) = orders.adopt(now, adoption, plan, hold, quote);
    let entry = orders.entry(position).expect("just taken over").clone();
    let tag = adopted_tag(&entry.contract);
    (AdoptionNote { position, entry, tag }, outcome)
}
