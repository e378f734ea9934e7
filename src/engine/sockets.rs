//! The sockets of a run, on the decision thread: packets become ticks, pushes become broker events, and both leave
//! evidence of themselves (F-72).

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use scalper_decide::domain::broker::BrokerEvent;
use scalper_decide::domain::{
    Instant, InstrumentId, InstrumentKind, Segment, SessionHours, TickFlags, Underlying, Universe,
};
use tokio::sync::watch;

use super::inbox::Inbox;
use super::publish::Evidence;
use super::status::Link;
use crate::broker::dhan::credentials::CredentialsWatch;
use crate::broker::dhan::feed::{Built, FeedConfig, FeedEvent, MarketFeed, Resolved, TickBuilder};
use crate::broker::dhan::order_updates::{OrderUpdateEvent, OrderUpdates};
use crate::broker::dhan::socket::{LinkReport, SocketConfig, Wanted};
use crate::broker::dhan::wire::clock::FeedEpoch;
use crate::broker::dhan::wire::request::{Key, Mode};
use crate::clock::SessionClock;

/// Evidence shared by the tasks of the decision thread.
pub type SharedEvidence = Rc<RefCell<Evidence>>;

/// What the tick builder must know of an instrument.
#[derive(Debug, Clone, Copy)]
struct Known {
    resolved: Resolved,
    index: Option<Underlying>,
}

/// Ends the tasks when dropped.
pub struct Sockets {
    /// What the feed should carry.
    pub wanted: watch::Sender<Arc<Wanted>>,
    /// Whether the session is open: silence is a fault only then.
    pub data_expected: watch::Sender<bool>,
    _updates: watch::Sender<()>,
}

/// Addresses and identity of the sockets.
#[derive(Debug, Clone)]
pub struct SocketPlan {
    /// The market feed.
    pub feed: FeedConfig,
    /// Who connects.
    pub credentials: CredentialsWatch,
}

fn known(universe: &Universe) -> HashMap<(Segment, u32), Known> {
    let entry = |instrument: &Arc<scalper_decide::domain::Instrument>| {
        let (tick_paise, index) = match &instrument.kind {
            InstrumentKind::Index { underlying } => (1, Some(*underlying)),
            InstrumentKind::Future { .. } => (5, None),
            InstrumentKind::Option(contract) => (contract.tick.paise(), None),
        };
        let resolved = Resolved { instrument: instrument.id, tick_paise };
        ((instrument.segment, instrument.security_id), Known { resolved, index })
    };
    universe.iter().map(entry).collect()
}

/// Whether a tick received at `at` belongs to the session.
pub(super) fn flags(hours: &SessionHours, at: Instant) -> TickFlags {
    let inside = at.ist_date() == hours.day && hours.is_open(at.ist_time());
    if inside { TickFlags::NONE } else { TickFlags::OUT_OF_SESSION }
}

/// What the feed should carry for these instruments: indices their price, everything else its book.
pub fn wanted<'a>(universe: &Universe, instruments: impl Iterator<Item = &'a InstrumentId>) -> Wanted {
    let entry = |id: &InstrumentId| {
        let instrument = universe.get(*id);
        let is_index = matches!(instrument.kind, InstrumentKind::Index { .. });
        let key: Key = (instrument.segment, instrument.security_id);
        (key, if is_index { Mode::Ticker } else { Mode::Full })
    };
    instruments.map(entry).collect()
}

fn link(report: &LinkReport) -> Link {
    Link {
        state: report.state.word().to_owned(),
        last_seen: report.last_frame,
        reconnects: report.connects.saturating_sub(1),
    }
}

/// Starts the sockets on this thread. `updates` is where order updates are pushed, if anywhere.
pub fn start(
    plan: SocketPlan,
    updates: Option<SocketConfig>,
    clock: &SessionClock,
    universe: &Universe,
    hours: &SessionHours,
    inbox: &Inbox,
    evidence: &SharedEvidence,
) -> Sockets {
    let (wanted, wanted_now) = watch::channel(Arc::new(Wanted::new()));
    let (data_expected, expected_now) = watch::channel(false);
    let (updates_end, stop) = watch::channel(());
    let feed = MarketFeed::new(plan.feed, clock.clone(), plan.credentials.clone(), expected_now, wanted_now);
    let listed = Rc::new(known(universe));
    let (ticks, seen, hours) = (inbox.clone(), Rc::clone(evidence), hours.clone());
    actix_rt::spawn(async move {
        let resolve = {
            let listed = Rc::clone(&listed);
            move |segment, id| listed.get(&(segment, id)).map(|known| known.resolved)
        };
        let mut builder = TickBuilder::new(FeedEpoch::Ist, resolve);
        let sink = |event: FeedEvent<'_>| match event {
            FeedEvent::Packets { at, packets, .. } => {
                {
                    let mut seen = seen.borrow_mut();
                    seen.feed.last_seen = Some(at);
                    seen.packets += packets.len() as u64;
                }
                for packet in packets {
                    match builder.push(packet, at, flags(&hours, at)) {
                        Ok(Built::Tick(tick)) => {
                            let mut seen = seen.borrow_mut();
                            let key = (Segment::from_code(packet.segment), packet.security_id);
                            let index = key.0.and_then(|s| listed.get(&(s, key.1))).and_then(|known| known.index);
                            match index {
                                Some(underlying) => {
                                    seen.levels.insert(underlying, (tick.ltp_paise, at));
                                }
                                None => {
                                    seen.quoted.insert(tick.instrument);
                                }
                            }
                            ticks.tick(tick);
                        }
                        Ok(Built::Kept | Built::Ignored | Built::Unresolved { .. }) => {}
                        Err(fault) => tracing::warn!(target: "feed_hub", %fault, "a packet was kept out"),
                    }
                }
            }
            FeedEvent::State { socket: 0, report } => {
                let last_seen = seen.borrow().feed.last_seen;
                let state = Link { last_seen, ..link(report) };
                if seen.borrow().feed.state != state.state {
                    tracing::info!(target: "feed_hub", state = state.state, cause = ?report.cause, "market feed");
                }
                seen.borrow_mut().feed = state;
            }
            FeedEvent::State { .. } => {}
            FeedEvent::Disconnect { socket, reason } => {
                tracing::warn!(target: "feed_hub", socket, %reason, "the feed hung up");
            }
            FeedEvent::Anomaly { socket, anomaly } => tracing::warn!(target: "feed_hub", socket, ?anomaly, "feed"),
        };
        feed.run(sink).await;
    });
    let sockets = Sockets { wanted, data_expected, _updates: updates_end };
    let Some(updates) = updates else {
        evidence.borrow_mut().push.state = "not there".to_owned();
        return sockets;
    };
    let push = OrderUpdates::new(updates, clock.clone(), plan.credentials, stop);
    let (said, seen) = (inbox.clone(), Rc::clone(evidence));
    actix_rt::spawn(async move {
        let sink = |event: OrderUpdateEvent<'_>| match event {
            OrderUpdateEvent::Update { at, update } => {
                {
                    let mut seen = seen.borrow_mut();
                    seen.push.last_seen = Some(at);
                    seen.updates += 1;
                }
                said.broker(BrokerEvent::Pushed { row: update.row.clone() });
            }
            OrderUpdateEvent::Unreadable { order_no, what, .. } => {
                seen.borrow_mut().updates += 1;
                tracing::warn!(target: "reconciler", order_no, what, "an order update nobody can read");
                let read = scalper_decide::domain::broker::BrokerRead::Orders;
                said.broker(BrokerEvent::ReadFailed { read, what });
            }
            OrderUpdateEvent::Link { up } => said.broker(BrokerEvent::PushLink { up }),
            OrderUpdateEvent::State { report } => {
                let state = Link { last_seen: report.last_frame.max(report.last_pong), ..link(report) };
                if seen.borrow().push.state != state.state {
                    tracing::info!(target: "reconciler", state = state.state, cause = ?report.cause, "order updates");
                }
                seen.borrow_mut().push = state;
            }
            OrderUpdateEvent::Anomaly { anomaly } => tracing::warn!(target: "reconciler", ?anomaly, "order updates"),
        };
        push.run(sink).await;
    });
    sockets
}
