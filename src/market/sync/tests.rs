//! The manager's promises one by one; `properties` plays them against a broker that counts.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use scalper_decide::domain::{Instant, Segment};

use super::manager::{Manager, Move, Ms, Order, Settings, Step};
use super::{Class, Confirm, Evidence, Expected};
use crate::market::Key;
use crate::market::planner::{Chain, Desired, Entry, FeedMode, Limits, Pin, PinReason, SocketId};

pub(super) fn key(id: u32) -> Key {
    (Segment::NseFno, id)
}

pub(super) fn entry(user: &str, id: u64, legs: impl IntoIterator<Item = u32>, used: i64) -> Entry {
    let legs = legs.into_iter().map(key).collect();
    Entry { user: user.into(), id, mode: FeedMode::Full, legs, last_used: Instant::from_secs(used) }
}

pub(super) fn chain(name: &str, legs: impl IntoIterator<Item = u32>) -> Chain {
    Chain { name: name.into(), mode: FeedMode::Full, legs: legs.into_iter().map(key).collect() }
}

pub(super) fn pin(id: u32) -> (Key, Pin) {
    (key(id), Pin { why: PinReason::Position, mode: FeedMode::Full })
}

/// Ten a socket, two a message, ten messages a second.
pub(super) const SMALL: Settings = Settings {
    limits: Limits { per_socket: 10, total: 25_000, per_message: 2, per_user: 25_000, messages_per_second: 10 },
    sockets: 5,
    at_least: 1,
    replan_every: 1_000,
    confirm_within: 10_000,
    stall_after: 1_500,
    level_after: 10_000,
    level_from: 4,
};

/// The sockets as the manager last told them.
pub(super) struct Wire {
    pub(super) manager: Manager,
    pub(super) told: BTreeMap<SocketId, Order>,
    pub(super) now: Ms,
}

impl Wire {
    pub(super) fn new(settings: Settings) -> Wire {
        Wire { manager: Manager::new(settings), told: BTreeMap::new(), now: 0 }
    }

    pub(super) fn step(&mut self) -> Step {
        let step = self.manager.step(self.now);
        for order in &step.orders {
            self.told.insert(order.socket, order.clone());
        }
        step
    }

    /// Steps until nothing is due before `until`.
    pub(super) fn run(&mut self, until: Ms) {
        self.step();
        while let Some(next) = self.manager.next().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            self.step();
        }
        self.now = until;
    }

    pub(super) fn want(&mut self, change: impl FnOnce(&mut Desired)) {
        let mut desired = self.manager.desired().clone();
        change(&mut desired);
        self.manager.want(desired);
    }

    pub(super) fn open(&self) -> Vec<u8> {
        self.told.values().filter(|order| order.open).map(|order| order.socket.0).collect()
    }

    pub(super) fn carried(&self, socket: u8) -> BTreeSet<u32> {
        self.told.get(&SocketId(socket)).map(|o| o.wanted.keys().map(|key| key.1).collect()).unwrap_or_default()
    }

    fn up(&mut self, sockets: impl IntoIterator<Item = u8>) {
        for socket in sockets {
            self.manager.up(self.now, SocketId(socket));
        }
    }
}

#[test]
fn nothing_wanted_opens_nothing_and_only_what_is_useful_is_opened() {
    let mut wire = Wire::new(SMALL);
    wire.run(100);
    assert_eq!(wire.open(), [0u8; 0]);
    wire.want(|d| d.tier_b.push(chain("NIFTY", 0..15)));
    wire.run(200);
    assert_eq!(wire.open(), [1, 2]);
    assert!(wire.carried(1).is_empty(), "nothing is given to a socket that is not connected (G1-7)");
    wire.up([1, 2]);
    wire.run(5_000);
    assert_eq!((wire.carried(1).len(), wire.carried(2).len()), (8, 7));
    wire.want(|d| d.tier_b.clear());
    wire.run(9_000);
    assert_eq!(wire.open(), [0u8; 0]);
}

#[test]
fn messages_leave_at_the_pace_of_the_plan() {
    let mut wire = Wire::new(SMALL);
    wire.want(|d| d.tier_b.push(chain("NIFTY", 0..10)));
    wire.run(0);
    wire.up([1]);
    let mut seen = Vec::new();
    for now in (0..=500).step_by(50) {
        wire.now = now;
        wire.step();
        seen.push(wire.carried(1).len());
    }
    assert_eq!(seen, [2, 2, 4, 4, 6, 6, 8, 8, 10, 10, 10]);
}

#[test]
fn a_pin_waits_for_no_pace_and_makes_its_own_room() {
    // F-28: pinned within a second of its fill, however much is on its way.
    let mut wire = Wire::new(Settings { sockets: 1, ..SMALL });
    wire.want(|d| d.tier_b.push(chain("NIFTY", 0..10)));
    wire.run(0);
    wire.up([1]);
    wire.run(100);
    assert_eq!(wire.carried(1).len(), 4);
    wire.want(|d| d.pins.extend([pin(70), pin(71)]));
    wire.step();
    assert!(wire.carried(1).is_superset(&BTreeSet::from([70, 71])), "{:?}", wire.carried(1));
    wire.run(5_000);
    assert_eq!(wire.carried(1).len(), 10);
    wire.want(|d| d.pins.extend([pin(72)]));
    wire.step();
    assert!(wire.carried(1).contains(&72) && wire.carried(1).len() == 10, "{:?}", wire.carried(1));
}

#[test]
fn watchlists_are_planned_for_once_a_second_and_pins_at_once() {
    let mut wire = Wire::new(SMALL);
    wire.want(|d| d.tier_a.push(entry("anna", 1, [1], 1)));
    wire.run(0);
    wire.up([1]);
    wire.run(0);
    wire.now = 200;
    wire.want(|d| d.tier_a.push(entry("anna", 2, [2], 1)));
    wire.step();
    assert_eq!(wire.carried(1), BTreeSet::from([1]));
    wire.run(1_000);
    assert_eq!(wire.carried(1), BTreeSet::from([1, 2]));
}

#[test]
fn a_dead_socket_s_instruments_go_to_the_living_at_once_and_what_has_no_room_returns_with_it() {
    let mut wire = Wire::new(SMALL);
    wire.want(|d| d.tier_b.push(chain("NIFTY", 0..18)));
    wire.run(0);
    wire.up([1, 2]);
    wire.run(5_000);
    let lost = wire.carried(2);
    wire.manager.down(SocketId(2), true);
    let log = wire.step().log;
    assert_eq!(log.iter().filter(|line| line.what == Move::Lost).count(), 9);
    wire.run(7_000);
    assert_eq!((wire.carried(1).len(), wire.carried(2).len()), (10, 0), "there is room for one more");
    assert_eq!(wire.open(), [1, 2], "it is still wanted");
    wire.up([2]);
    wire.run(9_000);
    let all: BTreeSet<u32> = wire.carried(1).union(&wire.carried(2)).copied().collect();
    assert!(lost.is_subset(&all) && all.len() == 18);
}

#[test]
fn a_socket_that_was_lost_and_came_back_between_two_steps_keeps_what_it_was_told() {
    let mut wire = Wire::new(SMALL);
    wire.want(|d| d.tier_b.push(chain("NIFTY", 0..8)));
    wire.run(0);
    wire.up([1]);
    wire.run(3_000);
    wire.manager.down(SocketId(1), true);
    wire.up([1]);
    assert!(wire.step().orders.is_empty(), "the client says it all again by itself");
    assert_eq!(wire.carried(1).len(), 8);
}

#[test]
fn in_an_outage_one_socket_tries_for_all() {
    let mut wire = Wire::new(SMALL);
    wire.want(|d| d.tier_b.push(chain("NIFTY", 0..50)));
    wire.run(0);
    assert_eq!(wire.open(), [1, 2, 3, 4, 5]);
    wire.up([1, 2, 3, 4, 5]);
    wire.run(3_000);
    for socket in 1..=5 {
        wire.manager.down(SocketId(socket), true);
    }
    wire.run(4_000);
    assert_eq!(wire.open(), [1]);
    wire.manager.down(SocketId(1), true);
    wire.run(5_000);
    assert_eq!(wire.open(), [1]);
    wire.up([1]);
    wire.run(5_000);
    assert_eq!(wire.open(), [1, 2, 3, 4, 5]);
    wire.up([2, 3, 4, 5]);
    wire.run(9_000);
    assert_eq!((1..=5).map(|s| wire.carried(s).len()).collect::<Vec<_>>(), [10; 5]);
}

#[test]
fn loads_are_levelled_when_a_socket_has_been_up_for_a_while() {
    let mut wire = Wire::new(Settings { at_least: 2, ..SMALL });
    wire.want(|d| d.tier_b.push(chain("NIFTY", 0..8)));
    wire.run(0);
    wire.up([1]);
    wire.run(5_000);
    wire.up([2]);
    wire.run(14_000);
    assert_eq!((wire.carried(1).len(), wire.carried(2).len()), (8, 0));
    wire.run(20_000);
    assert_eq!((wire.carried(1).len(), wire.carried(2).len()), (4, 4));
}

/// Packets by instrument and by class.
#[derive(Default)]
struct Seen {
    packets: RefCell<BTreeMap<Key, u32>>,
    classes: RefCell<BTreeMap<(SocketId, Class), u64>>,
    sent: BTreeMap<SocketId, usize>,
}

impl Seen {
    fn packet(&self, socket: u8, id: u32) {
        *self.packets.borrow_mut().entry(key(id)).or_default() += 1;
        *self.classes.borrow_mut().entry((SocketId(socket), Class::NseFno)).or_default() += 1;
    }
}

impl Evidence for Seen {
    fn packets(&self, key: Key) -> u32 {
        self.packets.borrow().get(&key).copied().unwrap_or(0)
    }
    fn class_packets(&self, socket: SocketId, class: Class) -> u64 {
        self.classes.borrow().get(&(socket, class)).copied().unwrap_or(0)
    }
    fn sent(&self, socket: SocketId) -> usize {
        self.sent.get(&socket).copied().unwrap_or(0)
    }
}

#[test]
fn only_data_confirms_and_what_waits_is_shown_with_its_age_and_rung_once() {
    // G1-6
    let mut wire = Wire::new(SMALL);
    wire.want(|d| {
        d.tier_b.push(chain("NIFTY", 0..4));
        d.tier_a.push(entry("anna", 7, [3, 4, 5], 1));
    });
    wire.run(0);
    wire.up([1]);
    let (mut confirm, mut seen) = (Confirm::new(SMALL), Seen::default());
    for now in (0..=300).step_by(100) {
        wire.now = now;
        confirm.handed(now, &wire.step().log, &seen);
    }
    seen.sent.insert(SocketId(1), 6);
    [0, 1, 2, 3].into_iter().for_each(|id| seen.packet(1, id));
    assert_eq!(confirm.look(5_000, Expected::ALL, &wire.manager, &seen).0, []);
    let standing = confirm.standing(5_000, &wire.manager, &seen);
    let socket = &standing.sockets[0];
    assert_eq!((socket.wanted, socket.sent, socket.confirmed, socket.waiting), (6, 6, 4, 2));
    assert_eq!(socket.oldest_waiting_ms, Some(4_800));
    let entry = &standing.entries[&7];
    assert_eq!((entry.confirmed, entry.waiting, entry.not_sent), (1, 2, 0));
    assert!(!standing.is_confirmed());

    let (rings, _) = confirm.look(15_001, Expected::ALL, &wire.manager, &seen);
    assert_eq!(rings.len(), 1);
    assert_eq!(rings[0].text, "socket 1: no data yet of 2 nse_fno (oldest 10 s)");
    assert_eq!(confirm.look(16_000, Expected::ALL, &wire.manager, &seen).0, [], "once");
    [4, 5].into_iter().for_each(|id| seen.packet(1, id));
    confirm.look(16_250, Expected::ALL, &wire.manager, &seen);
    assert!(confirm.standing(16_250, &wire.manager, &seen).is_confirmed());
}

#[test]
fn waiting_outside_the_hours_of_a_class_is_no_alarm() {
    let mut wire = Wire::new(SMALL);
    wire.want(|d| d.tier_b.push(chain("NIFTY", 0..2)));
    wire.run(0);
    wire.up([1]);
    let (mut confirm, mut seen) = (Confirm::new(SMALL), Seen::default());
    seen.sent.insert(SocketId(1), 2);
    confirm.handed(0, &wire.step().log, &seen);
    for now in (250..3_600_000).step_by(250) {
        assert_eq!(confirm.look(now, Expected::from([Class::Index]), &wire.manager, &seen).0, []);
    }
    assert_eq!(confirm.look(3_600_000, Expected::ALL, &wire.manager, &seen).0, []);
    assert_eq!(confirm.look(3_610_000, Expected::ALL, &wire.manager, &seen).0.len(), 1);
}

#[test]
fn a_class_silent_on_one_socket_only_is_told_within_two_seconds_and_asked_for_again_once() {
    let mut wire = Wire::new(SMALL);
    wire.want(|d| d.tier_b.push(chain("NIFTY", 0..20)));
    wire.run(0);
    wire.up([1, 2]);
    let (mut confirm, mut seen) = (Confirm::new(SMALL), Seen::default());
    for now in (0..=1_000).step_by(100) {
        wire.now = now;
        confirm.handed(now, &wire.step().log, &seen);
    }
    seen.sent.extend([(SocketId(1), 10), (SocketId(2), 10)]);
    let (of_one, of_two) = (wire.carried(1), wire.carried(2));
    let (mut rung, mut again) = (Vec::new(), Vec::new());
    for now in (1_000..60_000).step_by(250) {
        of_one.iter().for_each(|id| seen.packet(1, *id));
        if now < 30_000 {
            of_two.iter().for_each(|id| seen.packet(2, *id));
        }
        let (rings, asked) = confirm.look(now, Expected::ALL, &wire.manager, &seen);
        rung.extend(rings.into_iter().map(|ring| (now, ring.key)));
        again.extend(asked.into_iter().map(|asked| (now, asked)));
    }
    // The last packet was seen at 29,750 ms.
    assert_eq!(rung, [(31_250, "FEED_STALLED")]);
    assert_eq!(again, [(34_250, (SocketId(2), Class::NseFno))]);
    wire.manager.ask_again(SocketId(2), Class::NseFno);
    wire.step();
    assert_eq!(wire.carried(2).len(), 0);
    wire.run(70_000);
    assert_eq!(wire.carried(2).len(), 10);
}
