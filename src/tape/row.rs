//! One row of a tape.

use scalper_decide::domain::{Segment, Tick};

/// A tick with the broker's address of its contract; the `instrument` slot inside the tick is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TapeRow {
    /// Exchange segment.
    pub segment: Segment,
    /// Token inside the segment.
    pub security_id: u32,
    /// The event.
    pub tick: Tick,
}

impl TapeRow {
    /// The address.
    pub const fn key(&self) -> (Segment, u32) {
        (self.segment, self.security_id)
    }
}
