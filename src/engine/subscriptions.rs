//! What the feed is asked for, and when silence on it is a fault.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use scalper_decide::domain::{IndexPrice, InstrumentId, SessionHours, Underlying};
use tokio::sync::watch;

use super::runtime::OnLook;
use super::sockets::{self, SharedEvidence, Sockets};
use super::watch::Watch;
use crate::clock::SessionClock;
use crate::market::planner::{Pin, PinReason};

/// Tells the feed while the session is open.
pub(super) fn follow_session(clock: &SessionClock, hours: &SessionHours, expected: watch::Sender<bool>) {
    let (clock, hours) = (clock.clone(), hours.clone());
    actix_rt::spawn(async move {
        for window in &hours.windows {
            clock.sleep_until(hours.at(window.open)).await;
            expected.send_replace(clock.now() < hours.at(window.close));
            clock.sleep_until(hours.at(window.close)).await;
            expected.send_replace(false);
        }
        std::future::pending::<()>().await;
    });
}

/// Keeps the feed's set in step with the money and with what is held; pinned within one look after a fill. `all` wants
/// everything: looks happen in wall time, and a run in step may not depend on it.
pub(super) fn subscriptions(
    sockets: Sockets,
    indices: Vec<Underlying>,
    day: NaiveDate,
    all: bool,
    evidence: SharedEvidence,
) -> OnLook {
    let mut watch = Watch::new();
    Box::new(move |books, universe| {
        // The whole of it: a socket ends when its end of this is dropped.
        let sockets = &sockets;
        let levels: BTreeMap<Underlying, IndexPrice> =
            evidence.borrow().levels.iter().map(|(u, (paise, _))| (*u, IndexPrice::from_paise(*paise))).collect();
        let working =
            books.orders.orders().filter(|(order, _)| !order.state.is_terminal()).map(|(o, _)| o.spec.instrument);
        let working: BTreeSet<InstrumentId> = working.collect();
        let held: BTreeSet<InstrumentId> = books.risk.held().collect();
        let set = if all {
            universe.iter().map(|instrument| instrument.id).collect()
        } else {
            watch.wanted(universe, day, &levels, &indices, &(&held | &working))
        };
        let pin = |id: &InstrumentId| {
            let why = match (held.contains(id), working.contains(id)) {
                (true, _) => PinReason::Position,
                (false, true) => PinReason::WorkingOrder,
                (false, false) => PinReason::Candidate,
            };
            let (key, mode) = sockets::wanted(universe, *id);
            (key, Pin { why, mode })
        };
        sockets.feed.pin(set.iter().map(pin).collect());
        evidence.borrow_mut().subscribed = set;
    })
}
