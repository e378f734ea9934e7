//! Settings of the reconciler.

use serde::{Deserialize, Serialize};

use crate::domain::Age;
use crate::domain::ids::InstanceTag;

/// How long the reconciler waits for what, and how much it takes to convince it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReconcilerParams {
    /// The first two characters of our order ids.
    pub instance: InstanceTag,
    /// Silence after a placement that puts it in doubt.
    pub answer_timeout: Age,
    /// Nothing asked sooner than this after a placement counts as proof that it never arrived. Must exceed the
    /// gateway's own time-out plus the latest arrival and the slowest list (P1).
    pub horizon: Age,
    /// Clean lists, and clean look-ups, without the order that prove its absence.
    pub proofs: u8,
    /// Shortest time between two reads of one kind, and between two proofs.
    pub read_gap: Age,
    /// How often the order book is read while an order is open.
    pub poll: Age,
    /// The same while no pushed updates come.
    pub poll_unlinked: Age,
    /// How often all three books are read in a session.
    pub books_every: Age,
    /// A read without an answer for this long is asked again.
    pub read_timeout: Age,
    /// How long a change of an order with an unknown outcome may take to show in the books.
    pub change_grace: Age,
    /// The same for a change that raises the quantity: calling it refused by mistake would let the raised part be
    /// sold a second time, so it must exceed the latest arrival plus the slowest list.
    pub growth_grace: Age,
    /// A book asked this long after terms were confirmed must show them.
    pub alter_after: Age,
    /// An order still at the broker and not at the exchange after this long is reported.
    pub stuck_after: Age,
    /// How far the list of positions may lie behind executions (D12).
    pub position_lag: Age,
    /// How long the order book and the trade book may disagree (D8).
    pub books_lag: Age,
}

impl ReconcilerParams {
    /// The defaults for one installation.
    pub const fn new(instance: InstanceTag) -> ReconcilerParams {
        ReconcilerParams {
            instance,
            answer_timeout: Age::from_secs(3),
            horizon: Age::from_secs(45),
            proofs: 3,
            read_gap: Age::from_secs(2),
            poll: Age::from_secs(2),
            poll_unlinked: Age::from_secs(1),
            books_every: Age::from_secs(30),
            read_timeout: Age::from_secs(10),
            change_grace: Age::from_secs(3),
            growth_grace: Age::from_secs(15),
            alter_after: Age::from_secs(1),
            stuck_after: Age::from_secs(30),
            position_lag: Age::from_secs(10),
            books_lag: Age::from_secs(10),
        }
    }
}
