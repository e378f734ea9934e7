//! A plan: what changes, why, and what had to be left out.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::want::{Limits, Owner, PinReason, Placed, Request, SocketId, Tier};
use super::{place, select};
use crate::market::Key;

/// What happens to one instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// It is subscribed.
    Add(Placed),
    /// It is unsubscribed.
    Remove(Placed),
    /// It goes to another socket.
    Move {
        /// Its place until now.
        from: Placed,
        /// Its new place.
        to: Placed,
    },
    /// More or less is asked of it at the same place.
    Mode {
        /// Until now.
        from: Placed,
        /// From now on.
        to: Placed,
    },
}

/// Why something changes or is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Its owners want it.
    Wanted,
    /// Nobody wants it any more.
    NotWanted,
    /// There was no room, and this entry had been used least recently of those that may go (S1-19, X-9).
    LeastRecentlyUsed {
        /// Whose entry went.
        user: Arc<str>,
        /// Which.
        entry: u64,
    },
    /// The user's watchlists hold more than a user may have.
    OverQuota {
        /// Whose entry went.
        user: Arc<str>,
        /// Which.
        entry: u64,
    },
    /// Everything that could make room is pinned, tier B or shared.
    NoRoom,
    /// No socket is connected.
    NoSocket,
    /// Its socket is down.
    SocketDown,
    /// Its socket carries more than it may.
    SocketFull,
    /// Loads are levelled.
    Rebalance,
}

/// One change with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Of which instrument.
    pub key: Key,
    /// What happens.
    pub what: What,
    /// Why.
    pub why: Why,
    /// Who wants it from now on; empty for what goes.
    pub owners: Vec<Owner>,
}

/// An owner that does not get all it wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Who.
    pub owner: Owner,
    /// Instruments it wanted and that are not placed for it. Some of them may be placed for others.
    pub instruments: usize,
    /// Why.
    pub why: Why,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Changes: what goes first, then what is added, by importance and key.
    pub changes: Vec<Change>,
    /// Who does not get what.
    pub left_out: Vec<LeftOut>,
    /// Instruments per connected socket once it is carried out.
    pub loads: BTreeMap<SocketId, usize>,
    /// Instruments by the tier that holds.
    pub by_tier: BTreeMap<Tier, usize>,
    /// Sockets that would carry everything anybody wants; a caller opens no more than these.
    pub sockets_useful: usize,
}

impl Plan {
    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Instruments that are placed once it is carried out.
    pub fn total(&self) -> usize {
        self.loads.values().sum()
    }
}

/// How firmly an instrument is wanted; smaller comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Pinned(std::cmp::Reverse<PinReason>),
    TierB,
    TierA,
}

impl Rank {
    pub(super) const fn of(owner: &Owner) -> Rank {
        match owner {
            Owner::Pin(why) => Rank::Pinned(std::cmp::Reverse(*why)),
            Owner::TierB(_) => Rank::TierB,
            Owner::TierA { .. } => Rank::TierA,
        }
    }
}

/// Plans. See the module for who comes first.
pub fn plan(request: &Request<'_>) -> Plan {
    let Limits { per_socket, total, .. } = request.limits;
    let room = total.min(per_socket * request.connected.len());
    let selected = select::select(request, room);
    let places = place::place(request, &selected.wanted);

    let now = &request.placement.0;
    let mut gone = Vec::new();
    for (key, placed) in now {
        if !places.contains_key(key) {
            let why = selected.dropped.get(key).cloned().unwrap_or(Why::NotWanted);
            gone.push(Change { key: *key, what: What::Remove(*placed), why, owners: Vec::new() });
        }
    }
    let mut come = Vec::new();
    let mut by_tier = BTreeMap::new();
    let mut loads: BTreeMap<SocketId, usize> = request.connected.iter().map(|socket| (*socket, 0)).collect();
    for (key, (to, moved)) in &places {
        let want = &selected.wanted[key];
        let tier = want.owners.iter().map(Owner::tier).max().unwrap_or(Tier::A);
        *by_tier.entry(tier).or_default() += 1;
        *loads.entry(to.socket).or_default() += 1;
        let to = *to;
        let (what, why) = match now.get(key).copied() {
            Some(from) if from == to => continue,
            Some(from) if from.socket == to.socket => (What::Mode { from, to }, Why::Wanted),
            Some(from) => (What::Move { from, to }, moved.clone().unwrap_or(Why::SocketDown)),
            None => (What::Add(to), Why::Wanted),
        };
        come.push((want.rank, Change { key: *key, what, why, owners: want.owners.clone() }));
    }
    // Stable: keys ascend inside a rank.
    come.sort_by_key(|(rank, _)| *rank);
    gone.extend(come.into_iter().map(|(_, change)| change));
    Plan {
        changes: gone,
        left_out: selected.left_out,
        loads,
        by_tier,
        sockets_useful: selected.asked_for.min(total).div_ceil(per_socket.max(1)),
    }
}
