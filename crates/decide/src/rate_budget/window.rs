//! When calls were made, as far back as any window looks.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::FamilyLimits;
use crate::domain::{Age, Instant};

/// Calls of one family.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct CallLog {
    /// Times of the calls inside the longest limited window, oldest first: bounded by that limit.
    calls: VecDeque<Instant>,
    today: u32,
}

impl CallLog {
    pub(super) fn add(&mut self, at: Instant) {
        self.calls.push_back(at);
        self.today += 1;
    }

    pub(super) const fn today(&self) -> u32 {
        self.today
    }

    pub(super) const fn new_day(&mut self) {
        self.today = 0;
    }

    /// Drops what no window looks back to.
    pub(super) fn forget(&mut self, now: Instant, longest: Age) {
        while self.calls.front().is_some_and(|at| *at + longest < now) {
            self.calls.pop_front();
        }
    }

    /// Calls in the window that ends now, both edges included.
    pub(super) fn within(&self, now: Instant, window: Age) -> u32 {
        let old = self.calls.partition_point(|at| *at + window < now);
        u32::try_from(self.calls.len() - old).expect("fewer calls than the limits let through")
    }

    /// The first time from `now` on at which one more call makes no more than `room` in any window.
    pub(super) fn free_at(&self, now: Instant, window: Age, room: u32) -> Instant {
        if room == FamilyLimits::NONE || self.within(now, window) < room {
            return now;
        }
        // With this call just outside the window, `room - 1` are left inside.
        let blocking = self.calls.len() - usize::try_from(room).expect("a room fits in memory");
        self.calls[blocking] + window + Age::from_nanos(1)
    }
}
