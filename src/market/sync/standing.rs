//! What is shown of the subscriptions: counts of what was sent and of what data has come of, never of wishes alone
//! (G1-6). Ages in milliseconds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::class::Class;
use crate::market::planner::{SocketId, Tier};

/// One class on one socket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassStanding {
    /// Instruments the socket was told to carry.
    pub handed: usize,
    /// Of these, instruments with data since.
    pub confirmed: usize,
    /// Of these, instruments without.
    pub waiting: usize,
    /// How long the oldest of them has been waiting.
    pub oldest_waiting_ms: Option<u64>,
    /// Time since the last packet of the class.
    pub silent_ms: u64,
    /// For how long it stands still, when it does.
    pub stalled_ms: Option<u64>,
}

/// One socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketStanding {
    /// Which.
    pub socket: SocketId,
    /// Whether it is to be connected.
    pub open: bool,
    /// For how long it is connected.
    pub up_ms: Option<u64>,
    /// Instruments it is to carry once all messages have left.
    pub wanted: usize,
    /// Instruments it was told to carry by now.
    pub handed: usize,
    /// Instruments asked for on the wire.
    pub sent: usize,
    /// Instruments with data since.
    pub confirmed: usize,
    /// Instruments without.
    pub waiting: usize,
    /// How long the oldest of them has been waiting.
    pub oldest_waiting_ms: Option<u64>,
    /// By class.
    pub by_class: BTreeMap<Class, ClassStanding>,
    /// By tier; pinned ones count as tier B.
    pub by_tier: BTreeMap<Tier, usize>,
}

impl Default for SocketStanding {
    fn default() -> SocketStanding {
        SocketStanding {
            socket: SocketId(0),
            open: false,
            up_ms: None,
            wanted: 0,
            handed: 0,
            sent: 0,
            confirmed: 0,
            waiting: 0,
            oldest_waiting_ms: None,
            by_class: BTreeMap::new(),
            by_tier: BTreeMap::new(),
        }
    }
}

/// One watchlist entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryStanding {
    /// Whose.
    pub user: String,
    /// Legs with data.
    pub confirmed: usize,
    /// Legs that were asked for and wait for data.
    pub waiting: usize,
    /// How long the oldest of them has been waiting.
    pub oldest_waiting_ms: Option<u64>,
    /// Legs that were not asked for yet, or have no room.
    pub not_sent: usize,
    /// Why it has no place, when it has none.
    pub left_out: Option<String>,
}

/// Everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// By socket.
    pub sockets: Vec<SocketStanding>,
    /// Instruments handed out, by tier; pinned ones count as tier B.
    pub by_tier: BTreeMap<Tier, usize>,
    /// Pinned instruments handed out.
    pub pinned: usize,
    /// Instruments whose message has not left yet.
    pub queued: usize,
    /// Instruments without a place, by reason.
    pub left_out: BTreeMap<String, usize>,
    /// Watchlist entries by id.
    pub entries: BTreeMap<u64, EntryStanding>,
    /// Alarms rung since the start, by key.
    pub alarms: BTreeMap<String, u64>,
}

impl Standing {
    /// Instruments with data.
    pub fn confirmed(&self) -> usize {
        self.sockets.iter().map(|socket| socket.confirmed).sum()
    }

    /// Whether everything that was handed out was sent, nothing waits to be sent, and data came of all of it.
    pub fn is_confirmed(&self) -> bool {
        self.queued == 0 && self.sockets.iter().all(|s| s.wanted == s.sent && s.wanted == s.confirmed)
    }
}
