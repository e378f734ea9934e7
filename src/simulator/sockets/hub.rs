//! All open connections: who may join, what each is told, which faults they suffer, and the counters that prove what
//! was written.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::faults::{MessageFaults, SocketFault, Target};
use super::line::{Ending, Line};
use super::packets;
use super::{Kind, SocketsConfig, alerts};
use crate::broker::dhan::wire::packet::{Body, Packet};
use crate::broker::dhan::wire::request::Mode;
use crate::simulator::Notice;
use crate::simulator::desk::{Desk, FeedItem, Seen};
use crate::simulator::limits::FeedLimits;
use crate::simulator::market::Key;
use crate::simulator::oms::order::Update;

/// What was written to sockets since the start. Counted before the bytes leave, so a client in this process that has
/// seen as many has seen all.
#[derive(Debug, Default)]
pub struct Counters {
    pub(super) packets: AtomicU64,
    pub(super) updates: AtomicU64,
    pub(super) conflated: AtomicU64,
    pub(super) upgrades: AtomicU64,
}

/// [`Counters`] at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Packets of market data and depth.
    pub packets_out: u64,
    /// Frames of order updates.
    pub updates_out: u64,
    /// Packets left out because newer ones of their instrument were there.
    pub conflated: u64,
    /// Connections let in.
    pub upgrades: u64,
}

impl Counters {
    /// Now.
    pub fn totals(&self) -> Totals {
        Totals {
            packets_out: self.packets.load(Ordering::Acquire),
            updates_out: self.updates.load(Ordering::Acquire),
            conflated: self.conflated.load(Ordering::Acquire),
            upgrades: self.upgrades.load(Ordering::Acquire),
        }
    }
}

/// What a new TCP connection meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Door {
    /// The upgrade.
    #[default]
    Open,
    /// This HTTP status in place of the upgrade, so many times, then an open door.
    Status(u16, u32),
    /// A TCP reset.
    Reset,
    /// Nothing: TCP opens and stays silent.
    Silent,
}

/// All connections of the simulated broker.
pub struct Hub {
    pub(super) desk: Desk,
    pub(super) config: SocketsConfig,
    pub(super) counters: Counters,
    /// A connection has written everything, or is gone.
    pub(super) drained: Notify,
    /// Set with the first connection.
    came: CancellationToken,
    client_id: String,
    pub(super) faults: Arc<dyn MessageFaults>,
    lines: Mutex<Lines>,
}

struct Lines {
    next: u64,
    open: BTreeMap<u64, Arc<Line>>,
    feed: FeedLimits,
    depth: FeedLimits,
    upgrades: VecDeque<Instant>,
    door: Door,
}

impl Hub {
    /// No connections yet. `faults` is asked about every message and every connection.
    pub fn new(desk: Desk, client_id: &str, config: SocketsConfig, faults: Arc<dyn MessageFaults>) -> Hub {
        let limits = |mut limits: FeedLimits| {
            limits.long_message_ends = config.long_message_ends;
            limits
        };
        let lines = Lines {
            next: 1,
            open: BTreeMap::new(),
            feed: limits(FeedLimits::default()),
            depth: limits(FeedLimits::depth()),
            upgrades: VecDeque::new(),
            door: Door::Open,
        };
        Hub {
            desk,
            counters: Counters::default(),
            drained: Notify::new(),
            came: CancellationToken::new(),
            client_id: client_id.to_owned(),
            faults,
            lines: Mutex::new(lines),
            config,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().expect("nothing here panics")
    }

    /// Counters of what was written.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Open connections of a kind.
    pub fn open(&self, kind: Kind) -> usize {
        self.lock().open.values().filter(|line| line.kind == kind).count()
    }

    /// What each open connection of a kind is subscribed to, oldest connection first.
    pub fn subscribed(&self, kind: Kind) -> Vec<BTreeSet<(Key, Mode)>> {
        self.lock().open.values().filter(|line| line.kind == kind).map(|line| line.subscribed()).collect()
    }

    /// Waits for the first connection since the start.
    pub async fn first_connection(&self) {
        self.came.cancelled().await;
    }

    /// Sets what new connections meet.
    pub fn set_door(&self, door: Door) {
        self.lock().door = door;
    }

    /// What the next connection meets.
    pub(super) fn door(&self) -> Door {
        let mut lines = self.lock();
        let door = lines.door;
        if let Door::Status(status, times) = door {
            lines.door = if times > 1 { Door::Status(status, times - 1) } else { Door::Open };
        }
        door
    }

    /// Whether one more upgrade is within the limit of a minute.
    pub(super) fn may_upgrade(&self) -> bool {
        let (mut lines, now) = (self.lock(), Instant::now());
        while lines.upgrades.front().is_some_and(|at| now - *at >= Duration::from_secs(60)) {
            lines.upgrades.pop_front();
        }
        let may = lines.upgrades.len() < self.config.upgrades_per_minute;
        if may {
            lines.upgrades.push_back(now);
        }
        may
    }

    /// Lets a connection in; the oldest of its kind goes with 805 when there are too many.
    pub(super) fn join(&self, kind: Kind) -> Arc<Line> {
        let mut lines = self.lock();
        let id = lines.next;
        lines.next += 1;
        let line = Arc::new(Line::new(id, kind, &self.config));
        lines.open.insert(id, Arc::clone(&line));
        let evicted = match kind {
            Kind::Feed => lines.feed.connect(id),
            Kind::Depth => lines.depth.connect(id),
            Kind::Orders => None,
        };
        if let Some(oldest) = evicted.and_then(|id| lines.open.get(&id)) {
            oldest.end(Ending::Disconnect(805));
        }
        self.came.cancel();
        self.counters.upgrades.fetch_add(1, Ordering::AcqRel);
        line
    }

    pub(super) fn leave(&self, line: &Line) {
        let mut lines = self.lock();
        lines.open.remove(&line.id);
        match line.kind {
            Kind::Feed => lines.feed.disconnect(line.id),
            Kind::Depth => lines.depth.disconnect(line.id),
            Kind::Orders => {}
        }
        drop(lines);
        self.drained.notify_one();
    }

    /// A text frame of a feed or depth connection.
    pub(super) fn hear(&self, line: &Line, text: &str) {
        let heard = {
            let mut lines = self.lock();
            let limits = if line.kind == Kind::Depth { &mut lines.depth } else { &mut lines.feed };
            line.hear(text, limits)
        };
        for key in heard {
            line.greet(key, self.desk.snapshot(key).as_ref(), &self.counters);
        }
    }

    fn each(&self) -> Vec<Arc<Line>> {
        self.lock().open.values().cloned().collect()
    }

    /// Tells everybody who wants it.
    pub(super) fn tell(&self, item: &FeedItem) {
        match item {
            FeedItem::Tick(seen) => self.tell_tick(seen),
            FeedItem::Notice(notice) => {
                let is_turn =
                    !matches!(notice, Notice::DayBegan { .. } | Notice::DayEnded { .. } | Notice::SquareOff { .. });
                if self.config.market_status && is_turn {
                    self.each().iter().filter(|line| line.kind == Kind::Feed).for_each(|line| line.tell_status(status));
                }
            }
        }
    }

    fn tell_tick(&self, seen: &Seen) {
        for line in self.lock().open.values().filter(|line| line.kind != Kind::Orders) {
            line.tell(seen, &self.counters);
        }
    }

    /// Tells every order-update connection.
    pub(super) fn tell_update(&self, update: &Update) {
        let lines: Vec<_> = self.each().into_iter().filter(|line| line.kind == Kind::Orders).collect();
        if lines.is_empty() {
            return;
        }
        let text = alerts::frame(update, &self.client_id, self.config.alerts);
        lines.iter().for_each(|line| line.tell_update(&text));
    }

    /// Whether everything that was told is written. Connections that a fault keeps from writing do not count.
    pub(super) fn is_drained(&self) -> bool {
        self.lock().open.values().all(|line| line.is_drained())
    }

    /// Lets connections suffer a fault; returns how many were meant.
    pub fn fault(&self, target: Target, fault: &SocketFault) -> usize {
        let lines = self.each();
        let of_kind = lines.iter().filter(|line| target.kind.is_none_or(|kind| line.kind == kind));
        let meant: Vec<_> = of_kind.enumerate().filter(|(n, _)| target.nth.is_none_or(|nth| *n == nth)).collect();
        meant.iter().for_each(|(_, line)| line.fault(fault));
        meant.len()
    }
}

/// Code 7 of a segment; its payload is undocumented.
fn status(segment: u8) -> Vec<u8> {
    let mut out = Vec::new();
    Packet { segment, security_id: 0, body: Body::MarketStatus }.encode(&mut out);
    out
}

/// The goodbye of a kind of socket; order updates have none.
pub(super) fn goodbye(kind: Kind, reason: u16) -> Option<Vec<u8>> {
    (kind != Kind::Orders).then(|| packets::disconnect(reason, kind == Kind::Depth))
}
