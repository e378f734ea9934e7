//! Receive times for files with one clock: arrival order is the file's order, so a tick whose time lies before its
//! predecessor's was received no earlier than that.

use std::collections::BTreeMap;

use scalper_decide::domain::Instant;

use super::harvest::Listing;

/// Latest time seen of every contract.
#[derive(Debug, Default)]
pub(super) struct Clock {
    latest: BTreeMap<Listing, Instant>,
}

impl Clock {
    /// Receive time of the next tick of a contract that claims the time `at`.
    pub(super) fn receive(&mut self, listing: Listing, at: Instant) -> Instant {
        let latest = self.latest.entry(listing).or_insert(at);
        *latest = at.max(*latest);
        *latest
    }
}
