//! What the broker's books say about the units we hold, handed from the reconciler to the order manager.

use crate::domain::{Instant, InstrumentId, Qty, Stamp};
use crate::order_manager::{OrderManager, Outcome};
use crate::reconciler::{Owned, Reconciler};

/// The broker's word about one contract we hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SellBound {
    /// The contract.
    pub instrument: InstrumentId,
    /// Most units that may be sold (E1); `None` while reads do not agree on any. What was known before stands then.
    pub cap: Option<Qty>,
    /// Units in the youngest list of positions, and when that was asked for (I29).
    pub shown: Option<(Instant, Qty)>,
}

/// Units of live positions per contract.
pub fn held(orders: &OrderManager) -> Owned {
    let mut held = Owned::new();
    for position in orders.positions().filter(|p| p.is_live() && p.owned() > Qty::ZERO) {
        *held.entry(position.instrument).or_default() += position.owned();
    }
    held
}

/// What the reconciler knows about what is held.
pub fn bounds(reconciler: &Reconciler, held: &Owned) -> Vec<SellBound> {
    let bound = |(instrument, owned): (&InstrumentId, &Qty)| SellBound {
        instrument: *instrument,
        cap: reconciler.sellable(*instrument, *owned),
        shown: reconciler.shown_net(*instrument).map(|(at, net)| (at, Qty::new(net.max(0)))),
    };
    held.iter().map(bound).collect()
}

/// The order manager's part.
pub fn bind(orders: &mut OrderManager, now: Stamp, bounds: &[SellBound]) -> Outcome {
    let mut all = Outcome::default();
    for bound in bounds {
        if let Some(shown) = bound.shown {
            all.append(orders.set_shown_net(now, bound.instrument, shown));
        }
        // Between an execution of ours and the next settled list nothing new is known, and the units that were missing
        // still are: executions move what is owned and what the broker has alike.
        if bound.cap.is_some() {
            all.append(orders.set_sellable_cap(now, bound.instrument, bound.cap));
        }
    }
    all
}
