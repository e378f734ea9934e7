//! What was handed out against what arrived: an instrument is confirmed by its first data, and waits visibly until then
//! (there is no other acknowledgement, dhan-v2.md 1.1).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::class::{Class, Expected};
use super::manager::{LogLine, Manager, Move, Ms, Settings};
use super::pulse::{Pulse, Turn};
use super::standing::{ClassStanding, EntryStanding, SocketStanding, Standing};
use crate::market::Key;
use crate::market::planner::{Owner, SocketId, Tier};

/// What arrived.
pub trait Evidence {
    /// Packets of an instrument so far; it may wrap.
    fn packets(&self, key: Key) -> u32;
    /// Packets of a class on a socket so far.
    fn class_packets(&self, socket: SocketId, class: Class) -> u64;
    /// Instruments the client has asked for on the wire of a socket.
    fn sent(&self, socket: SocketId) -> usize;
}

/// An alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ring {
    /// Short key.
    pub key: &'static str,
    /// What happened, with its numbers.
    pub text: String,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    socket: SocketId,
    since: Ms,
    /// Packets it had when it was asked for.
    had: u32,
}

#[derive(Debug, Clone, Default)]
struct Watched {
    /// Since when the wire differs from what it was told.
    differs_since: Option<Ms>,
    has_rung_sent: bool,
    has_rung_waiting: bool,
}

/// Desired versus confirmed.
#[derive(Debug)]
pub struct Confirm {
    settings: Settings,
    waiting: BTreeMap<Key, Waiting>,
    pulses: BTreeMap<(SocketId, Class), Pulse>,
    asked_again: BTreeSet<(SocketId, Class)>,
    sockets: BTreeMap<SocketId, Watched>,
    /// Since when data of a class is expected.
    expected_since: BTreeMap<Class, Ms>,
    has_rung_room: bool,
}

impl Confirm {
    /// Nothing handed out.
    pub fn new(settings: Settings) -> Confirm {
        Confirm {
            settings,
            waiting: BTreeMap::new(),
            pulses: BTreeMap::new(),
            asked_again: BTreeSet::new(),
            sockets: BTreeMap::new(),
            expected_since: BTreeMap::new(),
            has_rung_room: false,
        }
    }

    /// Takes what a step changed.
    pub fn handed(&mut self, now: Ms, log: &[LogLine], evidence: &impl Evidence) {
        for LogLine { key, socket, what, .. } in log {
            match what {
                Move::Subscribe => self.wait(now, *key, *socket, evidence),
                Move::Unsubscribe | Move::Lost => {
                    if self.waiting.get(key).is_some_and(|waiting| waiting.socket == *socket) {
                        self.waiting.remove(key);
                    }
                }
            }
        }
    }

    /// A socket connected anew: all it carries has to be confirmed again.
    pub fn reconnected(&mut self, now: Ms, socket: SocketId, manager: &Manager, evidence: &impl Evidence) {
        for (key, _) in manager.handed().0.iter().filter(|(_, placed)| placed.socket == socket) {
            self.wait(now, *key, socket, evidence);
        }
        self.sockets.remove(&socket);
        self.pulses.retain(|(id, _), _| *id != socket);
    }

    fn wait(&mut self, now: Ms, key: Key, socket: SocketId, evidence: &impl Evidence) {
        self.waiting.insert(key, Waiting { socket, since: now, had: evidence.packets(key) });
    }

    /// Looks at what arrived. Returns alarms, and the classes to be asked for again: silent on one socket and not on
    /// another.
    pub fn look(
        &mut self,
        now: Ms,
        expected: Expected,
        manager: &Manager,
        evidence: &impl Evidence,
    ) -> (Vec<Ring>, Vec<(SocketId, Class)>) {
        for class in Class::ALL {
            if expected.has(class) {
                self.expected_since.entry(class).or_insert(now);
            } else {
                self.expected_since.remove(&class);
            }
        }
        self.waiting.retain(|key, waiting| evidence.packets(*key) == waiting.had);
        let mut rings = Vec::new();
        self.look_at_wire(now, manager, evidence, &mut rings);
        self.look_at_waiting(now, &mut rings);
        self.look_at_room(manager, &mut rings);
        let again = self.look_at_pulses(now, expected, manager, evidence, &mut rings);
        (rings, again)
    }

    fn look_at_wire(&mut self, now: Ms, manager: &Manager, evidence: &impl Evidence, rings: &mut Vec<Ring>) {
        let loads = manager.handed().loads();
        for id in manager.ids() {
            let watched = self.sockets.entry(id).or_default();
            let (wanted, sent) = (loads.get(&id).copied().unwrap_or(0), evidence.sent(id));
            let is_up = manager.socket(id).is_some_and(|(_, up)| up.is_some());
            if !is_up || wanted == sent {
                watched.differs_since = None;
                watched.has_rung_sent = false;
                continue;
            }
            let since = *watched.differs_since.get_or_insert(now);
            if now - since >= self.settings.confirm_within && !watched.has_rung_sent {
                watched.has_rung_sent = true;
                let text = format!("{id}: {wanted} instruments wanted and {sent} sent for {} s", (now - since) / 1_000);
                rings.push(Ring { key: "FEED_NOT_SENT", text });
            }
        }
    }

    /// How long an instrument has been waiting while its data was expected.
    fn age(&self, now: Ms, key: Key, waiting: &Waiting) -> Option<Ms> {
        let since = self.expected_since.get(&Class::of(key.0))?;
        Some(now - waiting.since.max(*since))
    }

    fn look_at_waiting(&mut self, now: Ms, rings: &mut Vec<Ring>) {
        let mut overdue: BTreeMap<SocketId, BTreeMap<Class, (usize, Ms)>> = BTreeMap::new();
        for (key, waiting) in &self.waiting {
            if let Some(age) = self.age(now, *key, waiting).filter(|age| *age >= self.settings.confirm_within) {
                let counts = overdue.entry(waiting.socket).or_default().entry(Class::of(key.0)).or_default();
                *counts = (counts.0 + 1, counts.1.max(age));
            }
        }
        for (id, watched) in &mut self.sockets {
            let Some(counts) = overdue.get(id) else {
                watched.has_rung_waiting = false;
                continue;
            };
            if !std::mem::replace(&mut watched.has_rung_waiting, true) {
                let mut text = format!("{id}: no data yet of");
                for (n, (class, (count, age))) in counts.iter().enumerate() {
                    let comma = if n == 0 { "" } else { "," };
                    let _ = write!(text, "{comma} {count} {} (oldest {} s)", class.word(), age / 1_000);
                }
                rings.push(Ring { key: "FEED_WAITING", text });
            }
        }
    }

    /// Pins and tier B that found no room although a socket is up.
    fn look_at_room(&mut self, manager: &Manager, rings: &mut Vec<Ring>) {
        let is_up = manager.ids().any(|id| manager.socket(id).is_some_and(|(_, up)| up.is_some()));
        let firm = manager.facts().left_out.iter().filter(|out| !matches!(out.owner, Owner::TierA { .. }));
        let firm: usize = if is_up { firm.map(|out| out.instruments).sum() } else { 0 };
        if firm > 0 && !self.has_rung_room {
            let text = format!("{firm} instruments that are always on have no room on the sockets that are up");
            rings.push(Ring { key: "FEED_NO_ROOM", text });
        }
        self.has_rung_room = firm > 0;
    }

    fn look_at_pulses(
        &mut self,
        now: Ms,
        expected: Expected,
        manager: &Manager,
        evidence: &impl Evidence,
        rings: &mut Vec<Ring>,
    ) -> Vec<(SocketId, Class)> {
        let mut carried: BTreeMap<(SocketId, Class), usize> = BTreeMap::new();
        for (key, placed) in &manager.handed().0 {
            *carried.entry((placed.socket, Class::of(key.0))).or_default() += 1;
        }
        self.pulses.retain(|at, _| carried.contains_key(at));
        for ((id, class), count) in &carried {
            let packets = evidence.class_packets(*id, *class);
            let pulse = self.pulses.entry((*id, *class)).or_insert_with(|| Pulse::new(now, packets));
            match pulse.look(now, packets, expected.has(*class), self.settings.stall_after) {
                Some(Turn::Stalled) => {
                    let silent = pulse.silent(now);
                    let text = format!("{id}: {count} {} instruments are silent for {silent} ms", class.word());
                    rings.push(Ring { key: "FEED_STALLED", text });
                }
                Some(Turn::Back) => {
                    self.asked_again.remove(&(*id, *class));
                }
                None => {}
            }
        }
        let speaks = |class: Class, but: SocketId| {
            self.pulses.iter().any(|((id, c), pulse)| {
                *c == class && *id != but && pulse.stalled_since().is_none() && pulse.silent(now) < 1_000
            })
        };
        let long = |pulse: &Pulse| pulse.stalled_since().is_some_and(|at| now - at >= 2 * self.settings.stall_after);
        let again: Vec<(SocketId, Class)> = self
            .pulses
            .iter()
            .filter(|(at, pulse)| long(pulse) && !self.asked_again.contains(*at) && speaks(at.1, at.0))
            .map(|(at, _)| *at)
            .collect();
        self.asked_again.extend(&again);
        again
    }

    /// Instruments without data since they were asked for.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Everything, for people and for other rooms.
    pub fn standing(&self, now: Ms, manager: &Manager, evidence: &impl Evidence) -> Standing {
        let desired = manager.desired();
        let firm: std::collections::HashSet<Key> = desired.tier_b.iter().flat_map(|c| c.legs.iter().copied()).collect();
        let mut standing = Standing { queued: manager.queued(), ..Standing::default() };
        let mut sockets: BTreeMap<SocketId, SocketStanding> = BTreeMap::new();
        let to_come = manager.to_come();
        for id in manager.ids() {
            let (open, up) = manager.socket(id).unwrap_or_default();
            let socket = SocketStanding {
                socket: id,
                open,
                up_ms: up.map(|since| now.saturating_sub(since)),
                wanted: to_come.get(&id).copied().unwrap_or(0),
                sent: if up.is_some() { evidence.sent(id) } else { 0 },
                ..SocketStanding::default()
            };
            sockets.insert(id, socket);
        }
        for (key, placed) in &manager.handed().0 {
            let Some(socket) = sockets.get_mut(&placed.socket) else { continue };
            let tier = if desired.pins.contains_key(key) || firm.contains(key) { Tier::B } else { Tier::A };
            *standing.by_tier.entry(tier).or_default() += 1;
            standing.pinned += usize::from(desired.pins.contains_key(key));
            *socket.by_tier.entry(tier).or_default() += 1;
            let class: &mut ClassStanding = socket.by_class.entry(Class::of(key.0)).or_default();
            class.handed += 1;
            socket.handed += 1;
            match self.waiting.get(key).filter(|waiting| waiting.socket == placed.socket) {
                None => {
                    class.confirmed += 1;
                    socket.confirmed += 1;
                }
                Some(waiting) => {
                    let age = now.saturating_sub(waiting.since);
                    class.waiting += 1;
                    class.oldest_waiting_ms = class.oldest_waiting_ms.max(Some(age));
                    socket.waiting += 1;
                    socket.oldest_waiting_ms = socket.oldest_waiting_ms.max(Some(age));
                }
            }
        }
        for ((id, class), pulse) in &self.pulses {
            if let Some(class) = sockets.get_mut(id).and_then(|socket| socket.by_class.get_mut(class)) {
                class.silent_ms = pulse.silent(now);
                class.stalled_ms = pulse.stalled_since().map(|since| now - since);
            }
        }
        for entry in &desired.tier_a {
            let mut stands = EntryStanding { user: entry.user.to_string(), ..EntryStanding::default() };
            for key in &entry.legs {
                match (manager.handed().0.contains_key(key), self.waiting.get(key)) {
                    (false, _) => stands.not_sent += 1,
                    (true, Some(waiting)) => {
                        stands.waiting += 1;
                        let age = now.saturating_sub(waiting.since);
                        stands.oldest_waiting_ms = stands.oldest_waiting_ms.max(Some(age));
                    }
                    (true, None) => stands.confirmed += 1,
                }
            }
            standing.entries.insert(entry.id, stands);
        }
        for out in &manager.facts().left_out {
            let why = serde_json::to_value(&out.why).unwrap_or_default();
            let reason = why.as_str().map_or_else(
                || why.as_object().and_then(|o| o.keys().next().cloned()).unwrap_or_default(),
                str::to_owned,
            );
            if let Owner::TierA { entry, .. } = &out.owner
                && let Some(stands) = standing.entries.get_mut(entry)
            {
                stands.left_out = Some(reason.clone());
            }
            *standing.left_out.entry(reason).or_default() += out.instruments;
        }
        standing.sockets = sockets.into_values().collect();
        standing
    }
}
