//! Where what got in goes: what has a place keeps it, the rest goes to the least loaded socket, lowest id on ties
//! (S1-20).

use std::collections::BTreeMap;

use super::plan::{Rank, Why};
use super::select::Want;
use super::want::{Placed, Request, SocketId};
use crate::market::Key;

/// Place of every wanted key; the reason stands beside those that had to leave another place. The selection has seen to
/// it that there is room for all.
pub(super) fn place(request: &Request<'_>, wanted: &BTreeMap<Key, Want>) -> BTreeMap<Key, (Placed, Option<Why>)> {
    let per_socket = request.limits.per_socket;
    let mut places: BTreeMap<Key, (Placed, Option<Why>)> = BTreeMap::new();
    let mut on: BTreeMap<SocketId, Vec<(Rank, Key)>> = request.connected.iter().map(|s| (*s, Vec::new())).collect();
    let mut homeless: Vec<(Rank, Key, Option<Why>)> = Vec::new();
    for (key, want) in wanted {
        let stood = request.placement.0.get(key).map(|placed| placed.socket);
        match stood.map(|socket| on.get_mut(&socket)) {
            Some(Some(held)) => held.push((want.rank, *key)),
            Some(None) => homeless.push((want.rank, *key, Some(Why::SocketDown))),
            None => homeless.push((want.rank, *key, None)),
        }
    }
    for held in on.values_mut() {
        held.sort();
        homeless
            .extend(held.split_off(held.len().min(per_socket)).into_iter().map(|(r, k)| (r, k, Some(Why::SocketFull))));
    }
    homeless.sort_by_key(|(rank, key, _)| (*rank, *key));
    let mut put = |key: Key, socket: SocketId, why: Option<Why>| {
        places.insert(key, (Placed { socket, mode: wanted[&key].mode }, why));
    };
    for (rank, key, why) in homeless {
        let Some((socket, held)) = on.iter_mut().min_by_key(|(socket, held)| (held.len(), **socket)) else { break };
        held.push((rank, key));
        put(key, *socket, why);
    }
    if request.rebalance {
        for (key, socket) in level(&mut on) {
            put(key, socket, Some(Why::Rebalance));
        }
    }
    for (socket, held) in &on {
        for (_, key) in held {
            places.entry(*key).or_insert((Placed { socket: *socket, mode: wanted[key].mode }, None));
        }
    }
    places
}

/// Moves from the fullest to the emptiest socket until they differ by one at most. Pinned instruments do not move: they
/// would be silent for a moment.
fn level(on: &mut BTreeMap<SocketId, Vec<(Rank, Key)>>) -> Vec<(Key, SocketId)> {
    let mut moved = Vec::new();
    loop {
        let emptiest = on.iter().min_by_key(|(socket, held)| (held.len(), **socket)).map(|(s, held)| (*s, held.len()));
        let fullest = on
            .iter()
            .filter(|(_, held)| held.iter().any(|(rank, _)| !matches!(rank, Rank::Pinned(_))))
            .max_by_key(|(socket, held)| (held.len(), std::cmp::Reverse(**socket)))
            .map(|(s, held)| (*s, held.len()));
        let (Some((to, few)), Some((from, many))) = (emptiest, fullest) else { return moved };
        if many <= few + 1 {
            return moved;
        }
        let held = on.get_mut(&from).expect("the fullest is there");
        let at = held.iter().rposition(|(rank, _)| !matches!(rank, Rank::Pinned(_))).expect("one that may move");
        let (rank, key) = held.remove(at);
        on.get_mut(&to).expect("the emptiest is there").push((rank, key));
        moved.push((key, to));
    }
}
