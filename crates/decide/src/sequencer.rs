//! Puts the number and the time on every event: numbers strictly increase, time never goes back.

use crate::domain::{Instant, Seq, Stamp};

/// The sequencer.
#[derive(Debug, Clone, Default)]
pub struct Sequencer {
    last: Stamp,
}

impl Sequencer {
    /// A sequencer that has stamped nothing.
    pub fn new() -> Sequencer {
        Sequencer::default()
    }

    /// The stamp of the next event. An event that claims to be older than the previous one is stamped with the
    /// previous time: engine time never goes back.
    #[inline]
    pub fn stamp(&mut self, at: Instant) -> Stamp {
        self.last = Stamp { seq: Seq(self.last.seq.0 + 1), at: at.max(self.last.at) };
        self.last
    }

    /// The last stamp given.
    pub const fn last(&self) -> Stamp {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_strictly_increase_and_time_never_goes_back() {
        let mut s = Sequencer::new();
        let a = s.stamp(Instant::from_secs(5));
        let b = s.stamp(Instant::from_secs(4));
        assert!(b.seq > a.seq);
        assert_eq!(b.at, a.at);
    }
}
