//! The risk manager's part of an adoption: a stop under the market, and time left to hold.

use super::{EntryPlan, RiskManager};
use crate::domain::adoption::{AdoptRefusal, AdoptRequest, Adoption};
use crate::domain::money::Rounding;
use crate::domain::{Direction, Instant, Right, SignalId};
use crate::tick_cache::Quote;

impl RiskManager {
    /// Whether this very request was carried out before.
    pub fn was_asked(&self, request: u64) -> bool {
        request != 0 && self.gate.requests.contains(&request)
    }

    /// What will be guarded once these units are ours. `expires_at` is the end of the contract, `quote` its last one.
    ///
    /// # Errors
    /// When the units would have to leave at once.
    pub fn plan_adoption(
        &mut self,
        now: Instant,
        ask: &AdoptRequest,
        adoption: &Adoption,
        expires_at: Instant,
        quote: Option<&Quote>,
    ) -> Result<EntryPlan, AdoptRefusal> {
        let contract = &adoption.contract;
        let average = adoption.cost.per_unit(adoption.qty, Rounding::HalfUp);
        let expires_today = self.hours.as_ref().is_some_and(|h| h.day == contract.expiry);
        let (deadline, _) = self.forced_exit(expires_today);
        if now >= deadline {
            return Err(AdoptRefusal::TooLate { deadline });
        }
        // A position needs a signal to be named by; this one is a person's.
        let direction = match contract.right {
            Right::Call => Direction::Up,
            Right::Put => Direction::Down,
        };
        let plan = EntryPlan {
            signal: SignalId { underlying: contract.underlying, bar_start: now, direction },
            instrument: adoption.instrument,
            tick: contract.tick,
            lot: contract.lot,
            expires_today,
            tightened_stop: self.preview(now, contract, expires_at, average).tightened,
            named_stop: ask.stop.map(|stop| stop.ceil_to(contract.tick).max(contract.tick)),
        };
        let stop = plan.first_stop(self.params.stop, average);
        if let Some(sellable) = quote.and_then(Quote::sellable_at)
            && stop >= sellable
        {
            return Err(AdoptRefusal::UnderStop { stop, sellable });
        }
        self.gate.requests.insert(ask.request);
        Ok(plan)
    }
}
