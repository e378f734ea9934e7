//! Around the broker's own square-off nobody knows what is still ours: a sell then may open a short position (E9).
//! From two minutes before it no new sell leaves unless the broker's positions, asked for a moment ago, show the units
//! (I29).

use super::OrderManager;
use super::sells::{LiveSell, Step};
use crate::domain::{Age, Instant, InstrumentId, OrderType, Qty, SessionHours};

/// How long before the broker's square-off proof is called for.
pub const PROOF_MARGIN: Age = Age::from_mins(2);

/// How old a read may be that proves what we own.
pub const PROOF_AGE: Age = Age::from_secs(10);

/// From when on sells need proof.
pub fn proof_from(hours: &SessionHours) -> Instant {
    hours.at(hours.cutoffs.broker_square_off) - PROOF_MARGIN
}

/// The need for proof, and the proofs.
#[derive(Debug, Clone, Default)]
pub(super) struct Proofs {
    /// `None` where no broker squares off (backtest, paper).
    pub(super) from: Option<Instant>,
    /// The net of each contract by the youngest list, and when that was asked for.
    pub(super) shown: std::collections::BTreeMap<InstrumentId, (Instant, Qty)>,
}

impl OrderManager {
    /// From `at` on a sell needs proof that its units are ours.
    pub fn prove_sells_from(&mut self, at: Instant) {
        self.proofs.from = Some(at);
    }

    /// Units that are proven to be there; `None` while no proof is called for.
    pub(super) fn proven(&self, now: Instant, instrument: InstrumentId) -> Option<Qty> {
        if self.proofs.from.is_none_or(|from| now < from) {
            return None;
        }
        let shown = self.proofs.shown.get(&instrument).filter(|(asked_at, _)| now <= *asked_at + PROOF_AGE);
        Some(shown.map_or(Qty::ZERO, |(_, net)| *net))
    }
}

/// Whether a step sells anything that was not on sale before.
pub(super) fn is_new_sell(step: &Step, live: &[LiveSell]) -> bool {
    match step {
        Step::Place { .. } => true,
        Step::Cancel { .. } => false,
        Step::Modify { id, order_type, qty } => {
            let grows = live.iter().any(|s| s.id == *id && *qty > s.qty);
            grows || matches!(order_type, OrderType::Limit { .. })
        }
    }
}
