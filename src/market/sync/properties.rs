//! Random wishes and outages: what sockets were told is the planner's set, within the limits at every moment, and when
//! everything has settled it is all there.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::tests::{SMALL, Wire, chain, entry, key, pin};
use crate::market::Key;
use crate::market::planner::{Placement, Request, SocketId, Why, plan};

#[derive(Debug, Clone)]
enum Act {
    Add(u64, BTreeSet<u32>, i64),
    Remove(u64),
    Always(BTreeSet<u32>),
    Pins(BTreeSet<u32>),
    Down(u8),
    Up(u8),
    Wait(u64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let ids = |most| prop::collection::btree_set(0u32..80, 0..most);
    let act = prop_oneof![
        4 => (0u64..6, ids(12), 0i64..9).prop_map(|(id, legs, used)| Act::Add(id, legs, used)),
        1 => (0u64..6).prop_map(Act::Remove),
        1 => ids(15).prop_map(Act::Always),
        2 => ids(5).prop_map(Act::Pins),
        2 => (1u8..=5).prop_map(Act::Down),
        4 => (1u8..=5).prop_map(Act::Up),
        3 => (0u64..2_500).prop_map(Act::Wait),
    ];
    prop::collection::vec(act, 1..40)
}

fn act(wire: &mut Wire, up: &mut BTreeSet<u8>, act: Act) {
    match act {
        Act::Add(id, legs, used) => wire.want(|d| {
            d.tier_a.retain(|held| held.id != id);
            d.tier_a.push(entry(["anna", "ben"][id as usize % 2], id, legs, used));
        }),
        Act::Remove(id) => wire.want(|d| d.tier_a.retain(|held| held.id != id)),
        Act::Always(legs) => wire.want(|d| d.tier_b = vec![chain("NIFTY", legs)]),
        Act::Pins(ids) => wire.want(|d| d.pins = ids.into_iter().map(pin).collect()),
        Act::Down(socket) => {
            if up.remove(&socket) {
                wire.manager.down(SocketId(socket), true);
            }
        }
        // Only what is to be open connects.
        Act::Up(socket) => {
            if wire.open().contains(&socket) && up.insert(socket) {
                wire.manager.up(wire.now, SocketId(socket));
            }
        }
        Act::Wait(time) => wire.run(wire.now + time),
    }
}

/// Clients close what is not to be open.
fn close(wire: &mut Wire, up: &mut BTreeSet<u8>) -> Result<(), TestCaseError> {
    let open = wire.open();
    let gone: Vec<u8> = up.iter().copied().filter(|socket| !open.contains(socket)).collect();
    for socket in gone {
        prop_assert!(wire.carried(socket).is_empty(), "nothing that carries is closed");
        up.remove(&socket);
        wire.manager.down(SocketId(socket), false);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_sockets_are_told_is_the_planner_s_set_within_the_limits(steps in acts()) {
        // S1-2, G1-6, G1-7, G1-9, F-70
        let mut wire = Wire::new(SMALL);
        let mut up = BTreeSet::new();
        for one in steps {
            act(&mut wire, &mut up, one);
            wire.step();
            close(&mut wire, &mut up)?;
            wire.step();
            let mut homes: BTreeMap<Key, u8> = BTreeMap::new();
            for socket in 1..=5 {
                let carried = wire.carried(socket);
                prop_assert!(carried.len() <= SMALL.limits.per_socket);
                prop_assert!(carried.is_empty() || up.contains(&socket), "only connected sockets carry");
                for id in carried {
                    prop_assert_eq!(homes.insert(key(id), socket), None, "each instrument once");
                }
            }
            let placed: BTreeSet<Key> = wire.manager.handed().0.keys().copied().collect();
            prop_assert_eq!(placed, homes.into_keys().collect::<BTreeSet<_>>());
            let desired = wire.manager.desired();
            if !up.is_empty() {
                for pinned in desired.pins.keys() {
                    prop_assert!(wire.manager.handed().0.contains_key(pinned), "a pin waits for nothing");
                }
            }
        }
        // Time passes, and every socket that is to be open connects.
        for _ in 0..6 {
            wire.run(wire.now + 60_000);
            close(&mut wire, &mut up)?;
            for socket in wire.open() {
                act(&mut wire, &mut up, Act::Up(socket));
            }
        }
        wire.run(wire.now + 60_000);
        let desired = wire.manager.desired();
        let connected = up.iter().map(|id| SocketId(*id)).collect();
        let ask = |placement: &Placement| {
            plan(&Request { desired, placement, connected: &connected, limits: SMALL.limits, rebalance: false })
        };
        prop_assert_eq!(wire.manager.handed().0.len(), ask(&Placement::new()).total());
        let again = ask(wire.manager.handed());
        prop_assert!(again.is_empty(), "{:?}", again.changes);
        prop_assert!(again.left_out.iter().all(|out| out.why != Why::NoSocket), "{:?}", again.left_out);
    }
}
