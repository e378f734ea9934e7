//! What a plan is made from: owners and their wishes, places taken now, limits of the broker.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use scalper_decide::domain::Instant;
use serde::{Deserialize, Serialize};

use super::plan::{Plan, What};
use crate::broker::dhan::wire::request;
use crate::market::Key;

/// How much is asked of an instrument on the feed sockets. Of several wishes the largest holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedMode {
    /// Last price.
    Ticker,
    /// Last price, totals of the day, open interest.
    Quote,
    /// All of it with five levels.
    Full,
}

impl From<FeedMode> for request::Mode {
    fn from(mode: FeedMode) -> request::Mode {
        match mode {
            FeedMode::Ticker => request::Mode::Ticker,
            FeedMode::Quote => request::Mode::Quote,
            FeedMode::Full => request::Mode::Full,
        }
    }
}

/// One of the feed's connections, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SocketId(pub u8);

impl fmt::Display for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "socket {}", self.0)
    }
}

/// Why an instrument may not be dropped whatever else is wanted. A later one is the stronger reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PinReason {
    /// The scalper may choose it next.
    Candidate,
    /// An order in it works.
    WorkingOrder,
    /// It is held.
    Position,
}

/// A pinned instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin {
    /// Why.
    pub why: PinReason,
    /// What is asked of it.
    pub mode: FeedMode,
}

/// One chain of tier B: always on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// For people, unique in the tier: `NIFTY 2026-02-10`.
    pub name: Arc<str>,
    /// What is asked of every leg.
    pub mode: FeedMode,
    /// Its instruments.
    pub legs: BTreeSet<Key>,
}

/// One entry of a user's watchlist. The legs are those chosen when it was added or moved, not those of today's money, so
/// its removal takes back exactly what it had asked for (G1-10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Whose.
    pub user: Arc<str>,
    /// Ascending in the order of adding, unique over all users.
    pub id: u64,
    /// What is asked of every leg.
    pub mode: FeedMode,
    /// Its instruments.
    pub legs: BTreeSet<Key>,
    /// When its user last looked at it.
    pub last_used: Instant,
}

/// Everything anybody wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Desired {
    /// What may not be dropped.
    pub pins: BTreeMap<Key, Pin>,
    /// Always on, most important first.
    pub tier_b: Vec<Chain>,
    /// Watchlist entries in any order.
    pub tier_a: Vec<Entry>,
}

/// Tier of an instrument; of several owners' tiers the higher one holds (G1-9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Tier {
    /// On demand.
    A,
    /// Always on.
    B,
}

/// Who wants an instrument.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// The engine itself.
    Pin(PinReason),
    /// A chain of tier B.
    TierB(Arc<str>),
    /// A watchlist entry.
    TierA {
        /// Whose.
        user: Arc<str>,
        /// Which.
        entry: u64,
    },
}

impl Owner {
    /// The tier it lends to what it wants. A pin is kept at least as firmly as tier B.
    pub const fn tier(&self) -> Tier {
        match self {
            Owner::Pin(_) | Owner::TierB(_) => Tier::B,
            Owner::TierA { .. } => Tier::A,
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Owner::Pin(PinReason::Candidate) => f.write_str("candidate"),
            Owner::Pin(PinReason::WorkingOrder) => f.write_str("working order"),
            Owner::Pin(PinReason::Position) => f.write_str("position"),
            Owner::TierB(name) => write!(f, "tier B {name}"),
            Owner::TierA { user, entry } => write!(f, "watchlist of {user}, entry {entry}"),
        }
    }
}

/// Limits of the feed (X-23, dhan-v2.md 1.1) and ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Instruments on one socket.
    pub per_socket: usize,
    /// Instruments on all sockets.
    pub total: usize,
    /// Instruments of one message.
    pub per_message: usize,
    /// Different instruments in the watchlists of one user.
    pub per_user: usize,
    /// Messages per second on one socket.
    pub messages_per_second: u32,
}

impl Limits {
    /// Sockets the broker allows.
    pub const SOCKETS: u8 = 5;
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { per_socket: 5_000, total: 25_000, per_message: 100, per_user: 25_000, messages_per_second: 20 }
    }
}

/// Where an instrument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Placed {
    /// On which socket.
    pub socket: SocketId,
    /// What is asked of it there.
    pub mode: FeedMode,
}

/// Every instrument that has a place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placement(pub BTreeMap<Key, Placed>);

impl Placement {
    /// Nothing placed.
    pub fn new() -> Placement {
        Placement::default()
    }

    /// The placement once a plan is carried out.
    pub fn apply(&mut self, plan: &Plan) {
        for change in &plan.changes {
            match change.what {
                What::Add(placed) | What::Move { to: placed, .. } | What::Mode { to: placed, .. } => {
                    self.0.insert(change.key, placed);
                }
                What::Remove(_) => {
                    self.0.remove(&change.key);
                }
            }
        }
    }

    /// Instruments per socket.
    pub fn loads(&self) -> BTreeMap<SocketId, usize> {
        let mut loads = BTreeMap::new();
        for placed in self.0.values() {
            *loads.entry(placed.socket).or_default() += 1;
        }
        loads
    }
}

/// One question to the planner.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// What is wanted.
    pub desired: &'a Desired,
    /// What is placed now.
    pub placement: &'a Placement,
    /// Sockets that are up; nothing is given to another one (G1-7).
    pub connected: &'a BTreeSet<SocketId>,
    /// Limits.
    pub limits: Limits,
    /// Whether loads are levelled by moving what is placed and not pinned.
    pub rebalance: bool,
}
