//! Random wishes, placements and outages: what must hold always.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::tests::{entry, key, keys, sockets};
use super::*;
use crate::market::Key;

const LIMITS: Limits = Limits { per_socket: 6, total: 25, per_message: 4, per_user: 14, messages_per_second: 5 };

fn wishes() -> impl Strategy<Value = Desired> {
    let ids = |most| prop::collection::btree_set(0u32..60, 0..most);
    let pins = prop::collection::btree_map(0u32..60, (0..3usize, any::<bool>()), 0..5);
    let chains = prop::collection::vec(ids(9), 0..3);
    let entries = prop::collection::vec((0..3usize, ids(9), 0i64..6), 0..7);
    (pins, chains, entries).prop_map(|(pins, chains, entries)| Desired {
        pins: pins
            .into_iter()
            .map(|(id, (why, full))| {
                let why = [PinReason::Candidate, PinReason::WorkingOrder, PinReason::Position][why];
                (key(id), Pin { why, mode: if full { FeedMode::Full } else { FeedMode::Quote } })
            })
            .collect(),
        tier_b: chains
            .into_iter()
            .enumerate()
            .map(|(i, ids)| Chain { name: format!("chain {i}").into(), mode: FeedMode::Quote, legs: keys(ids) })
            .collect(),
        tier_a: entries
            .into_iter()
            .enumerate()
            .map(|(i, (user, ids, used))| entry(["anna", "ben", "carl"][user], i as u64, ids, used))
            .collect(),
    })
}

fn up() -> impl Strategy<Value = BTreeSet<SocketId>> {
    prop::collection::btree_set(1u8..=5, 0..=5).prop_map(sockets)
}

type Wire = BTreeMap<SocketId, BTreeMap<Key, FeedMode>>;

/// Carries out message by message, as a broker that counts would.
fn send(wire: &mut Wire, plan: &Plan) {
    wire.retain(|socket, _| plan.loads.contains_key(socket));
    for message in plan.messages(&LIMITS) {
        assert!(!message.keys.is_empty() && message.keys.len() <= LIMITS.per_message);
        let carried = wire.entry(message.socket).or_default();
        for key in &message.keys {
            match message.action {
                Action::Unsubscribe => assert_eq!(carried.remove(key), Some(message.mode), "it was there"),
                Action::Subscribe => assert_eq!(carried.insert(*key, message.mode), None, "it was not there"),
            }
        }
        assert!(carried.len() <= LIMITS.per_socket, "a socket is never above its limit");
        assert!(wire.values().map(BTreeMap::len).sum::<usize>() <= LIMITS.total, "nor all of them");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn limits_hold_on_the_way_and_the_wire_ends_as_the_plan_says(
        steps in prop::collection::vec((wishes(), up(), any::<bool>()), 1..5),
    ) {
        // S1-2, S1-20, G1-6, G1-7, G1-9, X-9
        let mut placement = Placement::new();
        let mut wire = Wire::new();
        for (desired, connected, rebalance) in steps {
            let request = Request { desired: &desired, placement: &placement, connected: &connected, limits: LIMITS, rebalance };
            let plan = plan(&request);
            prop_assert_eq!(&plan, &super::plan(&request), "equal questions, equal answers");
            send(&mut wire, &plan);
            placement.apply(&plan);

            let mut on_wire = BTreeMap::new();
            for (socket, carried) in &wire {
                for (key, mode) in carried {
                    let placed = Placed { socket: *socket, mode: *mode };
                    prop_assert!(on_wire.insert(*key, placed).is_none());
                }
            }
            prop_assert_eq!(&on_wire, &placement.0);
            prop_assert!(placement.0.values().all(|p| connected.contains(&p.socket)));
            prop_assert_eq!(plan.total(), placement.0.len());
            prop_assert_eq!(plan.by_tier.values().sum::<usize>(), plan.total());

            let again = Request { desired: &desired, placement: &placement, connected: &connected, limits: LIMITS, rebalance };
            let again = super::plan(&again);
            prop_assert!(again.is_empty(), "{:?}", again.changes);

            // Pins before tier B before watchlists; nobody is left out while there is room.
            let room = LIMITS.total.min(LIMITS.per_socket * connected.len());
            let pins: BTreeSet<Key> = desired.pins.keys().copied().collect();
            let tier_b: BTreeSet<Key> = desired.tier_b.iter().flat_map(|c| c.legs.iter().copied()).collect();
            let fixed: BTreeSet<Key> = pins.union(&tier_b).copied().collect();
            let placed: BTreeSet<Key> = placement.0.keys().copied().collect();
            if pins.len() <= room { prop_assert!(placed.is_superset(&pins)); }
            if fixed.len() <= room { prop_assert!(placed.is_superset(&fixed)); }
            // An entry is there as a whole or named as left out, and what is left out keeps only what others want.
            let out: BTreeSet<u64> = plan.left_out.iter().filter_map(|l| match &l.owner {
                Owner::TierA { entry, .. } => Some(*entry),
                _ => None,
            }).collect();
            let mut wanted = fixed.clone();
            for entry in &desired.tier_a {
                if out.contains(&entry.id) { continue; }
                prop_assert!(entry.legs.iter().all(|key| placed.contains(key)), "entry {} is whole", entry.id);
                wanted.extend(entry.legs.iter().copied());
            }
            prop_assert!(placed.is_subset(&wanted));
            for left in &plan.left_out {
                let Why::LeastRecentlyUsed { entry, .. } = left.why else { continue };
                let gone = desired.tier_a.iter().find(|e| e.id == entry).unwrap();
                prop_assert!(gone.legs.iter().all(|key| !pins.contains(key)), "a pinned entry is not evicted");
            }
            // Every owner of a placed instrument is told.
            for change in &plan.changes {
                prop_assert_eq!(change.owners.is_empty(), matches!(change.what, What::Remove(_)));
            }
        }
    }

    #[test]
    fn the_order_in_which_entries_are_listed_changes_nothing(desired in wishes(), connected in up()) {
        let placement = Placement::new();
        let request = Request { desired: &desired, placement: &placement, connected: &connected, limits: LIMITS, rebalance: false };
        let mut turned = desired.clone();
        turned.tier_a.reverse();
        prop_assert_eq!(plan(&request).changes, plan(&Request { desired: &turned, ..request }).changes);
    }

    #[test]
    fn what_stays_wanted_does_not_move_while_its_socket_is_up(a in wishes(), b in wishes(), connected in up()) {
        let mut placement = Placement::new();
        let ask = |desired: &Desired, placement: &Placement| {
            plan(&Request { desired, placement, connected: &connected, limits: LIMITS, rebalance: false })
        };
        placement.apply(&ask(&a, &placement));
        let plan = ask(&b, &placement);
        let moved = plan.changes.iter().any(|c| matches!(c.what, What::Move { .. }));
        prop_assert!(!moved);
    }

    #[test]
    fn removing_one_owner_takes_only_what_nobody_else_wants(desired in wishes(), at in any::<prop::sample::Index>()) {
        // G1-9, F-28
        prop_assume!(!desired.tier_a.is_empty());
        let connected = sockets(1..=5);
        let limits = Limits { per_socket: 100, total: 500, per_user: 500, ..LIMITS };
        let mut placement = Placement::new();
        let ask = |desired: &Desired, placement: &Placement| {
            plan(&Request { desired, placement, connected: &connected, limits, rebalance: false })
        };
        placement.apply(&ask(&desired, &placement));
        let mut fewer = desired.clone();
        let gone = fewer.tier_a.remove(at.index(desired.tier_a.len()));
        placement.apply(&ask(&fewer, &placement));
        let others: BTreeSet<Key> = fewer.tier_a.iter().flat_map(|e| &e.legs)
            .chain(fewer.tier_b.iter().flat_map(|c| &c.legs)).chain(fewer.pins.keys()).copied().collect();
        for leg in &gone.legs {
            prop_assert_eq!(placement.0.contains_key(leg), others.contains(leg));
        }
    }
}
