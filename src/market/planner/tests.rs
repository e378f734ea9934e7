//! The planner's promises one by one; `properties` plays them together.

use std::collections::{BTreeMap, BTreeSet};

use scalper_decide::domain::{Instant, Segment, Strike};

use super::*;
use crate::market::Key;

pub(super) fn key(id: u32) -> Key {
    (Segment::NseFno, id)
}

pub(super) fn keys(ids: impl IntoIterator<Item = u32>) -> BTreeSet<Key> {
    ids.into_iter().map(key).collect()
}

pub(super) fn entry(user: &str, id: u64, legs: impl IntoIterator<Item = u32>, last_used: i64) -> Entry {
    let last_used = Instant::from_nanos(last_used);
    Entry { user: user.into(), id, mode: FeedMode::Full, legs: keys(legs), last_used }
}

fn chain(name: &str, legs: impl IntoIterator<Item = u32>) -> Chain {
    Chain { name: name.into(), mode: FeedMode::Full, legs: keys(legs) }
}

fn pin(why: PinReason) -> Pin {
    Pin { why, mode: FeedMode::Full }
}

pub(super) fn sockets(ids: impl IntoIterator<Item = u8>) -> BTreeSet<SocketId> {
    ids.into_iter().map(SocketId).collect()
}

/// Three instruments a socket, two a message.
const SMALL: Limits =
    Limits { per_socket: 3, total: 25_000, per_message: 2, per_user: 25_000, messages_per_second: 10 };

struct Desk {
    desired: Desired,
    placement: Placement,
    connected: BTreeSet<SocketId>,
    limits: Limits,
}

impl Desk {
    fn new(up: impl IntoIterator<Item = u8>) -> Desk {
        let (desired, placement) = (Desired::default(), Placement::new());
        Desk { desired, placement, connected: sockets(up), limits: SMALL }
    }

    fn plan(&self, rebalance: bool) -> Plan {
        let Desk { desired, placement, connected, limits } = self;
        plan(&Request { desired, placement, connected, limits: *limits, rebalance })
    }

    fn carry_out(&mut self) -> Plan {
        let plan = self.plan(false);
        self.placement.apply(&plan);
        plan
    }

    fn placed(&self) -> BTreeSet<Key> {
        self.placement.0.keys().copied().collect()
    }

    fn why(plan: &Plan, id: u32) -> &Why {
        &plan.changes.iter().find(|change| change.key == key(id)).expect("it changes").why
    }
}

#[test]
fn the_least_loaded_socket_gets_the_next_one_and_the_lowest_of_equals() {
    // S1-20
    let mut desk = Desk::new(1..=3);
    desk.desired.tier_b.push(chain("NIFTY", 10..15));
    desk.carry_out();
    let at = |id: u32| desk.placement.0[&key(id)].socket.0;
    assert_eq!([at(10), at(11), at(12), at(13), at(14)], [1, 2, 3, 1, 2]);
}

#[test]
fn nothing_is_given_to_a_socket_that_is_not_connected() {
    // G1-7
    let mut desk = Desk::new([]);
    desk.desired.tier_b.push(chain("NIFTY", 1..4));
    let plan = desk.carry_out();
    assert!(plan.is_empty());
    assert_eq!(plan.left_out[0].why, Why::NoSocket);
    assert_eq!((plan.left_out[0].instruments, plan.sockets_useful), (3, 1));
    desk.connected = sockets([4]);
    desk.carry_out();
    assert_eq!(desk.placement.loads(), BTreeMap::from([(SocketId(4), 3)]));
}

#[test]
fn a_dead_socket_is_emptied_onto_the_others_and_told_nothing() {
    let mut desk = Desk::new(1..=3);
    desk.desired.tier_b.push(chain("NIFTY", 1..5));
    desk.carry_out();
    desk.connected = sockets([1, 3]);
    let plan = desk.carry_out();
    assert_eq!(plan.changes.len(), 1);
    assert_eq!(*Desk::why(&plan, 2), Why::SocketDown);
    let messages = plan.messages(&desk.limits);
    assert!(messages.iter().all(|m| m.action == Action::Subscribe && m.socket != SocketId(2)), "{messages:?}");
    assert_eq!(desk.placement.loads(), BTreeMap::from([(SocketId(1), 2), (SocketId(3), 2)]));
}

#[test]
fn a_leg_another_owner_wants_outlives_the_one_that_goes() {
    // G1-9, F-28
    let mut desk = Desk::new([1, 2]);
    desk.desired.tier_a = vec![entry("anna", 1, [1, 2], 5), entry("ben", 2, [2, 3], 6)];
    desk.carry_out();
    desk.desired.tier_a.remove(0);
    let plan = desk.carry_out();
    assert_eq!(desk.placed(), keys([2, 3]));
    assert_eq!(*Desk::why(&plan, 1), Why::NotWanted);
}

#[test]
fn a_watchlist_leg_that_tier_b_wants_later_is_tier_b_and_stays_at_the_end_of_the_day() {
    // G1-9: highest tier wins.
    let mut desk = Desk::new([1]);
    desk.desired.tier_a = vec![entry("anna", 1, [1, 2], 5)];
    assert_eq!(desk.carry_out().by_tier, BTreeMap::from([(Tier::A, 2)]));
    desk.desired.tier_b.push(chain("NIFTY", [2]));
    assert_eq!(desk.carry_out().by_tier, BTreeMap::from([(Tier::A, 1), (Tier::B, 1)]));
    desk.desired.tier_a.clear();
    desk.carry_out();
    assert_eq!(desk.placed(), keys([2]));
}

#[test]
fn without_room_the_entry_used_longest_ago_goes_as_a_whole() {
    // S1-19, X-9: the unit is a chain, the order that of use, not that of adding.
    let mut desk = Desk::new([1, 2]);
    desk.desired.tier_a = vec![entry("anna", 1, [1, 2], 9), entry("anna", 2, [3, 4], 5), entry("ben", 3, [5, 6], 7)];
    desk.carry_out();
    desk.desired.tier_b.push(chain("NIFTY", [10]));
    let plan = desk.carry_out();
    assert_eq!(desk.placed(), keys([1, 2, 5, 6, 10]));
    let evicted = Why::LeastRecentlyUsed { user: "anna".into(), entry: 2 };
    assert_eq!((Desk::why(&plan, 3), Desk::why(&plan, 4)), (&evicted, &evicted));
    assert_eq!(
        plan.left_out,
        [LeftOut { owner: Owner::TierA { user: "anna".into(), entry: 2 }, instruments: 2, why: evicted }]
    );
}

#[test]
fn a_pinned_or_shared_entry_is_not_evicted_however_long_ago_it_was_used() {
    //
    let mut desk = Desk::new([1, 2]);
    desk.desired.tier_a = vec![entry("anna", 1, [1, 2], 1), entry("ben", 2, [2, 3], 2), entry("ben", 3, [4], 9)];
    desk.desired.pins.insert(key(5), pin(PinReason::Position));
    desk.desired.tier_a.push(entry("anna", 4, [5, 6], 0));
    desk.carry_out();
    assert_eq!(desk.placed().len(), 6);
    desk.desired.tier_b.push(chain("SENSEX", [20]));
    let plan = desk.carry_out();
    assert_eq!(plan.left_out.len(), 1);
    assert_eq!(plan.left_out[0].owner, Owner::TierA { user: "ben".into(), entry: 3 });
    assert_eq!(desk.placed(), keys([1, 2, 3, 5, 6, 20]));
}

#[test]
fn when_only_protected_entries_are_left_the_one_that_came_last_finds_no_room() {
    let mut desk = Desk::new([1]);
    desk.desired.tier_a = vec![entry("anna", 1, [1, 2], 1), entry("ben", 2, [2, 3], 2)];
    desk.carry_out();
    desk.desired.tier_a.push(entry("carl", 3, [3, 4], 9));
    let plan = desk.carry_out();
    assert_eq!(plan.left_out.len(), 1);
    assert_eq!(
        (&plan.left_out[0].owner, &plan.left_out[0].why),
        (&Owner::TierA { user: "carl".into(), entry: 3 }, &Why::NoRoom)
    );
    assert_eq!(desk.placed(), keys([1, 2, 3]));
}

#[test]
fn a_user_above_the_quota_loses_the_own_oldest_entry_and_nobody_else_does() {
    let mut desk = Desk::new([1, 2]);
    desk.limits.per_user = 3;
    desk.desired.tier_a = vec![entry("anna", 1, [1, 2], 1), entry("ben", 2, [10, 11], 0), entry("anna", 3, [3, 4], 2)];
    let plan = desk.carry_out();
    assert_eq!(plan.left_out.len(), 1);
    assert_eq!(plan.left_out[0].why, Why::OverQuota { user: "anna".into(), entry: 1 });
    assert_eq!(desk.placed(), keys([3, 4, 10, 11]));
}

#[test]
fn pins_come_before_tier_b_and_positions_before_candidates() {
    let mut desk = Desk::new([1]);
    desk.desired.tier_b.push(chain("NIFTY", 1..4));
    desk.desired.pins.insert(key(30), pin(PinReason::Candidate));
    desk.desired.pins.insert(key(31), pin(PinReason::Position));
    let plan = desk.carry_out();
    assert_eq!(desk.placed(), keys([1, 30, 31]));
    assert_eq!(plan.changes[0].key, key(31), "a position is subscribed first");
    assert_eq!((&plan.left_out[0].owner, plan.left_out[0].instruments), (&Owner::TierB("NIFTY".into()), 2));
}

#[test]
fn of_several_wishes_the_largest_mode_holds_and_its_change_stays_on_the_socket() {
    let mut desk = Desk::new([1, 2]);
    desk.desired.tier_b.push(Chain { mode: FeedMode::Quote, ..chain("NIFTY", [1]) });
    desk.carry_out();
    desk.desired.pins.insert(key(1), pin(PinReason::Position));
    let plan = desk.carry_out();
    let from = Placed { socket: SocketId(1), mode: FeedMode::Quote };
    assert_eq!(plan.changes[0].what, What::Mode { from, to: Placed { mode: FeedMode::Full, ..from } });
    let said: Vec<_> = plan.messages(&SMALL).iter().map(|m| (m.action, m.mode)).collect();
    assert_eq!(said, [(Action::Unsubscribe, FeedMode::Quote), (Action::Subscribe, FeedMode::Full)]);
}

#[test]
fn messages_are_cut_and_paced_and_say_what_goes_before_what_comes() {
    let mut desk = Desk::new([1, 2]);
    desk.desired.tier_b.push(chain("OLD", 1..7));
    desk.carry_out();
    desk.desired.tier_b = vec![chain("NEW", 11..17)];
    let messages = desk.plan(false).messages(&SMALL);
    let said: Vec<_> = messages.iter().map(|m| (m.after.millis(), m.socket.0, m.action, m.keys.len())).collect();
    use Action::{Subscribe, Unsubscribe};
    let want = [
        (0, 1, Unsubscribe, 2),
        (0, 2, Unsubscribe, 2),
        (100, 1, Unsubscribe, 1),
        (100, 2, Unsubscribe, 1),
        (200, 1, Subscribe, 2),
        (200, 2, Subscribe, 2),
        (300, 1, Subscribe, 1),
        (300, 2, Subscribe, 1),
    ];
    assert_eq!(said, want);
}

#[test]
fn levelling_moves_what_is_not_pinned_and_no_more_than_needed() {
    let mut desk = Desk::new([1]);
    desk.limits.per_socket = 10;
    desk.desired.tier_b.push(chain("NIFTY", 1..7));
    desk.desired.pins.insert(key(6), pin(PinReason::WorkingOrder));
    desk.carry_out();
    desk.connected = sockets([1, 2]);
    assert!(desk.plan(false).is_empty(), "a socket that comes back empty moves nothing by itself");
    let plan = desk.plan(true);
    assert_eq!(plan.changes.len(), 3);
    assert!(plan.changes.iter().all(|c| c.why == Why::Rebalance && c.key != key(6)));
    assert_eq!(plan.loads, BTreeMap::from([(SocketId(1), 3), (SocketId(2), 3)]));
}

#[test]
fn the_broker_s_full_size_fits_and_one_more_does_not() {
    // S1-2, S4-10: 25,000 = 5 x 5,000.
    let mut desk = Desk::new(1..=5);
    desk.limits = Limits::default();
    desk.desired.tier_b.push(chain("ALL", 1..=2_272));
    desk.desired.tier_a =
        (0..22).map(|i| entry("anna", u64::from(i) + 1, 10_000 + i * 1_000..11_000 + i * 1_000, 1)).collect();
    desk.desired.tier_a.push(entry("ben", 50, 90_000..90_728, 5));
    let plan = desk.carry_out();
    assert_eq!((plan.total(), plan.left_out.len()), (25_000, 0));
    assert!(plan.loads.values().all(|load| *load == 5_000));
    let messages = plan.messages(&desk.limits);
    assert_eq!(messages.len(), 250);
    assert!(messages.iter().all(|m| m.keys.len() == 100));
    desk.desired.tier_a.push(entry("ben", 51, [99_999], 6));
    let plan = desk.carry_out();
    assert_eq!((plan.total(), plan.left_out.len()), (24_001, 1));
}

fn strikes(points: impl IntoIterator<Item = i64>) -> Vec<Strike> {
    points.into_iter().map(Strike::from_points).collect()
}

#[test]
fn a_window_follows_the_money_only_when_it_has_left_the_slack() {
    let listed = strikes((0..41).map(|i| 24_000 + 50 * i));
    let width = Width { below: 10, above: 10, slack: 3 };
    let at = |points: i64| Strike::from_points(points);
    assert_eq!(width.strikes(), 21);
    let (first, stood) = window(&listed, at(25_000), None, width).unwrap();
    assert_eq!((first.clone(), stood), (10..31, at(25_000)));
    assert_eq!(window(&listed, at(25_150), Some(stood), width).unwrap(), (first, at(25_000)));
    assert_eq!(window(&listed, at(25_200), Some(stood), width).unwrap(), (14..35, at(25_200)));
    // Cut off by the edge of the list; a strike that is listed no more does not hold the window.
    assert_eq!(window(&listed, at(25_950), Some(at(12)), width).unwrap(), (29..41, at(25_950)));
    assert_eq!(window(&[], at(25_000), None, width), None);
}
