//! The state machine: what is wanted and which sockets are up in, one set per socket out, in the order and at the pace
//! of the planner's messages. What is pinned goes before everything and waits for no pace.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use super::class::Class;
use crate::broker::dhan::socket::Wanted;
use crate::market::Key;
use crate::market::planner::{
    Action, Change, Desired, LeftOut, Limits, Message, Owner, Placed, Placement, Plan, Request, SocketId, What, Why,
    plan,
};

/// Milliseconds of a steady clock.
pub type Ms = u64;

/// Limits and times of a manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Limits of the broker.
    pub limits: Limits,
    /// Sockets that may be opened.
    pub sockets: u8,
    /// Sockets that are opened as soon as anything is wanted, even where fewer have room.
    pub at_least: u8,
    /// Time between two plans for the same watchlists; pins and sockets are planned for at once.
    pub replan_every: Ms,
    /// An instrument without data for so long is worth an alarm.
    pub confirm_within: Ms,
    /// Silence of a class that speaks all the time and is taken as a stall.
    pub stall_after: Ms,
    /// Age of a connection from which loads are levelled onto it.
    pub level_after: Ms,
    /// Difference of loads that is worth levelling.
    pub level_from: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            limits: Limits::default(),
            sockets: Limits::SOCKETS,
            at_least: 1,
            replan_every: 1_000,
            confirm_within: 10_000,
            stall_after: 1_500,
            level_after: 10_000,
            level_from: 500,
        }
    }
}

/// What one socket is to do from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Which.
    pub socket: SocketId,
    /// Whether it is to be connected.
    pub open: bool,
    /// What it is to carry.
    pub wanted: Arc<Wanted>,
}

/// What happened to one instrument, for the log of subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Move {
    /// It was asked for.
    Subscribe,
    /// It was taken back.
    Unsubscribe,
    /// It went with its socket.
    Lost,
}

/// One line of that log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Which instrument.
    pub key: Key,
    /// On which socket.
    pub socket: SocketId,
    /// What happened.
    pub what: Move,
    /// Why.
    pub why: Why,
}

/// What came of a step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    /// Sockets that have something new to do.
    pub orders: Vec<Order>,
    /// What changed, instrument by instrument.
    pub log: Vec<LogLine>,
}

#[derive(Debug, Clone, Default)]
struct Socket {
    /// It is to be connected.
    open: bool,
    up_since: Option<Ms>,
    /// It was tried and is not up since.
    failed: bool,
    carries: Wanted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Dirty {
    No,
    Later,
    Now,
}

/// What the last plan said beside its changes.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    pub(super) left_out: Vec<LeftOut>,
    pub(super) useful: usize,
}

/// The manager.
#[derive(Debug)]
pub struct Manager {
    settings: Settings,
    desired: Desired,
    sockets: BTreeMap<SocketId, Socket>,
    /// What sockets were told to carry, and what one that just died did.
    handed: Placement,
    queue: VecDeque<(Ms, Message)>,
    whys: HashMap<Key, Why>,
    facts: Facts,
    dirty: Dirty,
    planned_at: Option<Ms>,
    /// No paced message leaves before.
    paced_until: Ms,
    level_at: Option<Ms>,
    touched: BTreeSet<SocketId>,
    log: Vec<LogLine>,
}

impl Manager {
    /// Nothing wanted, nothing open.
    pub fn new(settings: Settings) -> Manager {
        let sockets = (1..=settings.sockets).map(|id| (SocketId(id), Socket::default())).collect();
        Manager {
            settings,
            desired: Desired::default(),
            sockets,
            handed: Placement::new(),
            queue: VecDeque::new(),
            whys: HashMap::new(),
            facts: Facts::default(),
            dirty: Dirty::No,
            planned_at: None,
            paced_until: 0,
            level_at: None,
            touched: BTreeSet::new(),
            log: Vec::new(),
        }
    }

    /// Everything anybody wants from now on.
    pub fn want(&mut self, desired: Desired) {
        let dirty = if desired.pins != self.desired.pins {
            Dirty::Now
        } else if desired != self.desired {
            Dirty::Later
        } else {
            Dirty::No
        };
        self.dirty = self.dirty.max(dirty);
        self.desired = desired;
    }

    /// A socket is connected, and knows of nothing but what it was told to carry last.
    pub fn up(&mut self, now: Ms, id: SocketId) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        socket.up_since = Some(now);
        socket.failed = false;
        self.level_at = Some(now + self.settings.level_after);
        self.dirty = Dirty::Now;
    }

    /// A socket is not connected. `in_vain`: it was lost, or could not be opened; nobody had told it to close.
    pub fn down(&mut self, id: SocketId, in_vain: bool) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        let was_up = socket.up_since.take().is_some();
        let has_failed = in_vain && socket.open && !socket.failed;
        socket.failed |= has_failed;
        if was_up || has_failed {
            self.dirty = Dirty::Now;
        }
    }

    /// Takes a class of a socket back, to be asked for again with the next step.
    pub fn ask_again(&mut self, id: SocketId, class: Class) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        socket.carries.retain(|key, _| Class::of(key.0) != class);
        self.handed.0.retain(|key, placed| placed.socket != id || Class::of(key.0) != class);
        self.touched.insert(id);
    }

    /// What is wanted.
    pub const fn desired(&self) -> &Desired {
        &self.desired
    }

    /// What sockets carry.
    pub const fn handed(&self) -> &Placement {
        &self.handed
    }

    pub(super) const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Instruments that wait for their message to leave.
    pub fn queued(&self) -> usize {
        let asked = self.queue.iter().filter(|(_, message)| message.action == Action::Subscribe);
        asked.map(|(_, message)| message.keys.len()).sum()
    }

    /// Instruments that are to be on each socket once every message has left.
    pub fn to_come(&self) -> BTreeMap<SocketId, usize> {
        let mut counts = self.handed.loads();
        for (_, message) in &self.queue {
            let count = counts.entry(message.socket).or_default();
            match message.action {
                Action::Subscribe => *count += message.keys.len(),
                Action::Unsubscribe => *count = count.saturating_sub(message.keys.len()),
            }
        }
        counts
    }

    /// Whether a socket is to be open, and since when it is up.
    pub fn socket(&self, id: SocketId) -> Option<(bool, Option<Ms>)> {
        self.sockets.get(&id).map(|socket| (socket.open, socket.up_since))
    }

    /// Sockets there are.
    pub fn ids(&self) -> impl Iterator<Item = SocketId> + '_ {
        self.sockets.keys().copied()
    }

    fn connected(&self) -> BTreeSet<SocketId> {
        self.sockets.iter().filter(|(_, socket)| socket.up_since.is_some()).map(|(id, _)| *id).collect()
    }

    /// When the next step is due if nothing happens before; `None` when nothing is to be done.
    pub fn next(&self) -> Option<Ms> {
        let plan = match self.dirty {
            Dirty::Now => Some(0),
            Dirty::Later => Some(self.planned_at.map_or(0, |at| at + self.settings.replan_every)),
            Dirty::No => None,
        };
        let message = self.queue.front().map(|(due, _)| *due);
        [plan, message, self.level_at].into_iter().flatten().min()
    }

    /// Does what is due.
    pub fn step(&mut self, now: Ms) -> Step {
        let mut level = self.level_at.is_some_and(|at| now >= at);
        if level {
            let is_busy = !self.queue.is_empty() || self.dirty != Dirty::No;
            self.level_at = is_busy.then_some(now + self.settings.level_after);
            level = !is_busy && self.is_uneven();
        }
        let is_due = match self.dirty {
            Dirty::Now => true,
            Dirty::Later => self.planned_at.is_none_or(|at| now >= at + self.settings.replan_every),
            Dirty::No => level,
        };
        // A class that was taken back must be seen to be gone before it is asked for again.
        let takes_back = !self.touched.is_empty();
        if takes_back {
            self.dirty = Dirty::Now;
        } else if is_due {
            self.replan(now, level);
        }
        self.release(now);
        self.choose();
        let touched = std::mem::take(&mut self.touched);
        let order = |id: SocketId| {
            let socket = &self.sockets[&id];
            Order { socket: id, open: socket.open, wanted: Arc::new(socket.carries.clone()) }
        };
        Step { orders: touched.into_iter().map(order).collect(), log: std::mem::take(&mut self.log) }
    }

    fn is_uneven(&self) -> bool {
        let loads = self.sockets.values().filter(|socket| socket.up_since.is_some()).map(|s| s.carries.len());
        let (least, most) = loads.fold((usize::MAX, 0), |(least, most), load| (least.min(load), most.max(load)));
        most >= least.saturating_add(self.settings.level_from)
    }

    fn replan(&mut self, now: Ms, rebalance: bool) {
        let connected = self.connected();
        let limits = self.settings.limits;
        let mut plan = plan(&Request {
            desired: &self.desired,
            placement: &self.handed,
            connected: &connected,
            limits,
            rebalance,
        });
        self.planned_at = Some(now);
        self.dirty = Dirty::No;
        self.bury(&connected);
        self.facts = Facts { left_out: std::mem::take(&mut plan.left_out), useful: plan.sockets_useful };
        self.whys = plan.changes.iter().map(|change| (change.key, change.why.clone())).collect();
        let changes = std::mem::take(&mut plan.changes);
        let (urgent, rest): (Vec<_>, Vec<_>) = {
            let makes_room = self.makes_room(&changes, &connected);
            changes.into_iter().partition(|change| is_pinned(change) || makes_room(change))
        };
        for message in (Plan { changes: urgent, ..plan.clone() }).messages(&limits) {
            self.carry_out(&message);
        }
        let from = now.max(self.paced_until);
        let paced = Plan { changes: rest, ..plan }.messages(&limits);
        self.queue = paced.into_iter().map(|message| (from + message.after.millis() as Ms, message)).collect();
    }

    /// What sockets that are down were told is forgotten.
    fn bury(&mut self, connected: &BTreeSet<SocketId>) {
        for (id, socket) in self.sockets.iter_mut().filter(|(id, _)| !connected.contains(*id)) {
            if !socket.carries.is_empty() {
                let lost = std::mem::take(&mut socket.carries).into_keys();
                self.log.extend(lost.map(|key| LogLine { key, socket: *id, what: Move::Lost, why: Why::SocketDown }));
                self.touched.insert(*id);
            }
        }
        self.handed.0.retain(|_, placed| connected.contains(&placed.socket));
    }

    /// Which removals must not wait because something pinned has no room otherwise.
    fn makes_room(&self, changes: &[Change], connected: &BTreeSet<SocketId>) -> impl Fn(&Change) -> bool + use<> {
        let limits = self.settings.limits;
        let mut loads = self.handed.loads();
        let mut total = self.handed.0.len();
        for change in changes.iter().filter(|change| is_pinned(change)) {
            if let What::Add(to) | What::Move { to, .. } = change.what {
                *loads.entry(to.socket).or_default() += 1;
                total += 1;
            }
        }
        let all = total > limits.total;
        let full: BTreeSet<SocketId> = connected
            .iter()
            .copied()
            .filter(|id| loads.get(id).is_some_and(|load| *load > limits.per_socket))
            .collect();
        move |change| match change.what {
            What::Remove(from) => all || full.contains(&from.socket),
            What::Move { from, .. } => full.contains(&from.socket),
            What::Add(_) | What::Mode { .. } => false,
        }
    }

    fn release(&mut self, now: Ms) {
        while self.queue.front().is_some_and(|(due, _)| *due <= now) {
            let (_, message) = self.queue.pop_front().expect("it was looked at");
            self.carry_out(&message);
            self.paced_until = now + 1_000 / Ms::from(self.settings.limits.messages_per_second.max(1));
        }
    }

    fn carry_out(&mut self, message: &Message) {
        let Message { socket: id, action, mode, .. } = *message;
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        self.touched.insert(id);
        for key in &message.keys {
            let placed = Placed { socket: id, mode };
            let what = match action {
                Action::Subscribe => {
                    socket.carries.insert(*key, mode.into());
                    self.handed.0.insert(*key, placed);
                    Move::Subscribe
                }
                Action::Unsubscribe => {
                    socket.carries.remove(key);
                    if self.handed.0.get(key) == Some(&placed) {
                        self.handed.0.remove(key);
                    }
                    Move::Unsubscribe
                }
            };
            let why = self.whys.get(key).cloned().unwrap_or(Why::Wanted);
            self.log.push(LogLine { key: *key, socket: id, what, why });
        }
    }

    /// Which sockets are to be connected: those that carry something, and as many as there is something to carry for.
    /// While none is up and one was tried in vain, a single one goes on trying; the others follow when it gets through.
    fn choose(&mut self) {
        let useful = self.facts.useful;
        let many = if useful == 0 { 0 } else { useful.max(usize::from(self.settings.at_least)) };
        let awaited: BTreeSet<SocketId> = self.queue.iter().map(|(_, message)| message.socket).collect();
        let is_used = |id: &SocketId, socket: &Socket| !socket.carries.is_empty() || awaited.contains(id);
        let used = self.sockets.iter().filter(|(id, socket)| is_used(id, socket)).count();
        let mut ids: Vec<SocketId> = self.sockets.keys().copied().collect();
        ids.sort_by_key(|id| {
            let socket = &self.sockets[id];
            (!is_used(id, socket), socket.up_since.is_none(), *id)
        });
        let mut chosen: BTreeSet<SocketId> = ids.into_iter().take(many.max(used)).collect();
        let is_outage = self.sockets.values().all(|s| s.up_since.is_none()) && self.sockets.values().any(|s| s.failed);
        if is_outage {
            chosen = chosen.into_iter().take(1).collect();
        }
        for (id, socket) in &mut self.sockets {
            let open = chosen.contains(id);
            if socket.open != open {
                socket.open = open;
                // One that was told to close has not failed.
                socket.failed &= open;
                self.touched.insert(*id);
            }
        }
    }
}

fn is_pinned(change: &Change) -> bool {
    change.owners.iter().any(|owner| matches!(owner, Owner::Pin(_)))
}
