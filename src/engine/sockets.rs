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

use super::bell::Bell;
use super::inbox::Inbox;
use super::publish::Evidence;
use super::status::Link;
use crate::broker::dhan::credentials::CredentialsWatch;
use crate::broker::dhan::feed::{Built, FeedConfig, FeedEvent, MarketFeed, Resolved, TickBuilder};
use crate::broker::dhan::order_updates::{OrderUpdateEvent, OrderUpdates};
use crate::broker::dhan::socket::{DownCause, LinkReport, LinkState, SocketConfig};
use crate::broker::dhan::wire::clock::FeedEpoch;
use crate::clock::SessionClock;
use crate::market::Key;
use crate::market::planner::{FeedMode, Limits, SocketId};
use crate::market::quotes::QuoteWriter;
use crate::market::sync::{self, Expected, Handle, Settings};

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
    /// Who says what the feed carries.
    pub feed: Handle,
    /// Whether the session is open: silence is a fault only then.
    pub data_expected: watch::Sender<bool>,
    _updates: watch::Sender<()>,
    /// The manager of the feed's sockets; they end with it.
    manager: actix_rt::task::JoinHandle<()>,
}

impl Drop for Sockets {
    fn drop(&mut self) {
        self.manager.abort();
    }
}

/// Addresses and identity of the sockets.
#[derive(Debug, Clone)]
pub struct SocketPlan {
    /// The market feed.
    pub feed: FeedConfig,
    /// Who connects.
    pub credentials: CredentialsWatch,
    /// What is wanted beside the engine's own instruments, and what is shown of all of them.
    pub desk: Handle,
}

impl SocketPlan {
    /// Sockets that carry what the engine wants and nothing else, until somebody asks for more at their desk.
    pub fn new(feed: FeedConfig, credentials: CredentialsWatch) -> SocketPlan {
        SocketPlan { feed, credentials, desk: Handle::new() }
    }
}

/// How the sockets of a run are watched.
#[derive(Debug, Clone)]
pub struct Watching {
    /// When the session is.
    pub hours: SessionHours,
    /// Alarms.
    pub bell: Bell,
    /// Whether silence is judged at all; not while somebody else moves the time.
    pub judges: bool,
}

type Listed = HashMap<(Segment, u32), Known, foldhash::fast::RandomState>;

fn known(universe: &Universe) -> Listed {
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

/// Where an instrument is found on the feed, and what is asked of it: an index its price, everything else its book.
pub fn wanted(universe: &Universe, id: InstrumentId) -> (Key, FeedMode) {
    let instrument = universe.get(id);
    let is_index = matches!(instrument.kind, InstrumentKind::Index { .. });
    ((instrument.segment, instrument.security_id), if is_index { FeedMode::Ticker } else { FeedMode::Full })
}

/// The feed as one link: as good as its best socket, for what a dead one carried goes to the others.
#[derive(Default)]
struct Links(Vec<Option<(LinkState, u64)>>);

impl Links {
    fn take(&mut self, socket: usize, report: &LinkReport) -> Link {
        self.0.resize(self.0.len().max(socket + 1), None);
        self.0[socket] = Some((report.state, report.connects));
        let rank = |state: &LinkState| match state {
            LinkState::Up => 3,
            LinkState::Degraded => 2,
            LinkState::Connecting => 1,
            LinkState::Down => 0,
        };
        let known = || self.0.iter().flatten();
        let best = known().map(|(state, _)| *state).max_by_key(rank).unwrap_or(LinkState::Down);
        let reconnects = known().map(|(_, connects)| connects.saturating_sub(1)).sum();
        Link { state: best.word().to_owned(), last_seen: report.last_frame, reconnects }
    }
}

/// What the manager must know of a new state, before [`Links`] takes it.
fn told(links: &Links, socket: usize, report: &LinkReport) -> Option<sync::Link> {
    if report.state == LinkState::Down {
        let not_tried = [DownCause::NothingWanted, DownCause::NoCredentials, DownCause::Stopped];
        let in_vain = !report.cause.as_ref().is_some_and(|cause| not_tried.contains(cause));
        return Some(sync::Link::Down { in_vain });
    }
    let before = links.0.get(socket).copied().flatten().map_or(0, |(_, connects)| connects);
    (report.connects > before).then_some(sync::Link::Up)
}

/// The manager's limits for a feed.
fn settings(feed: &FeedConfig) -> Settings {
    let limits = Limits { per_socket: feed.per_socket, per_message: feed.per_message, ..Limits::default() };
    let sockets = feed.sockets.clamp(1, usize::from(Limits::SOCKETS)) as u8;
    Settings { limits, sockets, ..Settings::default() }
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
    inbox: &Inbox,
    evidence: &SharedEvidence,
    watching: Watching,
) -> Sockets {
    let Watching { hours, bell, judges } = watching;
    let (data_expected, expected_now) = watch::channel(false);
    let (updates_end, stop) = watch::channel(());
    let settings = settings(&plan.feed);
    let (feed, reins) = MarketFeed::led(plan.feed, clock.clone(), plan.credentials.clone(), expected_now);
    let manager = {
        let (hours, clock, seen) = (hours.clone(), clock.clone(), Rc::clone(evidence));
        let expected = move || if judges { Expected::at(&hours, clock.now()) } else { Expected::NONE };
        let ring = move |key, text| bell.ring(key, text);
        let show = move |standing| seen.borrow_mut().subscriptions = standing;
        actix_rt::spawn(sync::run(plan.desk.clone(), settings, reins, feed.reports(), expected, ring, show))
    };
    let listed = Rc::new(known(universe));
    let (ticks, seen, hours) = (inbox.clone(), Rc::clone(evidence), hours.clone());
    let desk = plan.desk.clone();
    actix_rt::spawn(async move {
        let resolve = {
            let listed = Rc::clone(&listed);
            move |segment, id| listed.get(&(segment, id)).map(|known| known.resolved)
        };
        let mut builder = TickBuilder::new(FeedEpoch::Ist, resolve);
        let (mut quotes, mut links) = (QuoteWriter::default(), Links::default());
        let sink = |event: FeedEvent<'_>| match event {
            FeedEvent::Packets { socket, at, packets } => {
                let id = SocketId(socket as u8 + 1);
                let flags = flags(&hours, at);
                {
                    let mut seen = seen.borrow_mut();
                    seen.feed.last_seen = Some(at);
                    seen.packets += packets.len() as u64;
                }
                for packet in packets {
                    quotes.take(desk.quotes(), id, packet, at);
                    match builder.push(packet, at, flags) {
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
            FeedEvent::State { socket, report } => {
                if let Some(link) = told(&links, socket, report) {
                    desk.link(SocketId(socket as u8 + 1), link);
                }
                let mut seen = seen.borrow_mut();
                let state = Link { last_seen: seen.feed.last_seen, ..links.take(socket, report) };
                if seen.feed.state != state.state {
                    tracing::info!(target: "feed_hub", state = state.state, cause = ?report.cause, "market feed");
                }
                seen.feed = state;
            }
            FeedEvent::Disconnect { socket, reason } => {
                tracing::warn!(target: "feed_hub", socket, %reason, "the feed hung up");
            }
            FeedEvent::Anomaly { socket, anomaly } => tracing::warn!(target: "feed_hub", socket, ?anomaly, "feed"),
        };
        feed.run(sink).await;
    });
    let sockets = Sockets { feed: plan.desk, data_expected, _updates: updates_end, manager };
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
