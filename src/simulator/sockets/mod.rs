//! The broker's three sockets on loopback: market feed (`/`, `/feed`), 20-level depth (`/twentydepth`) and order
//! updates (`/orderupdate`), as the wire reference describes them (dhan-v2.md 1-3, 15).
//!
//! Rooms: `accept` (who is let in), `line` (one connection), `hub` (all of them), `pump` (from the desk to the
//! lines, and the pace of the market), `subscriptions`, `packets`, `alerts` (the protocol, pure), `outbox`,
//! [`faults`]. TCP belongs to this server alone, so that a fault can be a reset and not only a close.

mod accept;
mod alerts;
pub mod faults;
mod hub;
mod line;
mod outbox;
mod packets;
mod pipe;
mod pump;
mod subscriptions;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::broker::dhan::wire::request::Mode;
use crate::simulator::desk::Seen;

pub use alerts::AlertStyle;
pub use faults::{SocketFault, Target};
pub use hub::{Counters, Door, Hub, Totals};
pub use pump::{Acknowledged, Conductor};

pub(super) use accept::accept;
#[cfg(test)]
pub(crate) use accept::enter;

/// The packets that a tick is on the wire in one mode, back to back.
pub fn on_the_wire(mode: Mode, seen: &Seen) -> Vec<u8> {
    let mut bytes = Vec::new();
    packets::encode(mode, seen, &mut bytes);
    bytes
}

/// Kind of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Market feed.
    Feed,
    /// 20-level depth.
    Depth,
    /// Order updates.
    Orders,
}

impl Kind {
    /// Whether the socket has this mode.
    const fn offers(self, mode: Mode) -> bool {
        match self {
            Kind::Feed => !matches!(mode, Mode::Depth),
            Kind::Depth => matches!(mode, Mode::Depth),
            Kind::Orders => false,
        }
    }
}

/// What a client with a bad token meets after the upgrade, which is answered all the same (dhan-v2.md 1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BadToken {
    /// A goodbye with the reason.
    #[default]
    Packet,
    /// A TCP reset.
    Reset,
}

/// How the sockets behave. Times are wall time, as on the broker's servers.
#[derive(Debug, Clone, PartialEq)]
pub struct SocketsConfig {
    /// Pause between the server's pings.
    pub ping_every: Duration,
    /// A connection without a pong for so long is closed.
    pub pong_timeout: Duration,
    /// How long a client of order updates may take to log in.
    pub login_timeout: Duration,
    /// Upgrades a minute; more are answered with 429.
    pub upgrades_per_minute: usize,
    /// What a bad token meets.
    pub bad_token: BadToken,
    /// Packets are written back to back in messages of about so many bytes; 0 = one packet a message.
    pub coalesce_bytes: usize,
    /// Whether messages with more instruments than allowed end the connection with 804; else the rest is left out.
    pub long_message_ends: bool,
    /// Whether code-7 packets (a bare header) are sent at open, halt, resumption and close.
    pub market_status: bool,
    /// Messages that wait on a connection before instruments are conflated.
    pub conflate_from: usize,
    /// Order updates that may wait on a connection before it is cut off.
    pub update_queue: usize,
    /// How order updates are written.
    pub alerts: AlertStyle,
}

impl Default for SocketsConfig {
    fn default() -> SocketsConfig {
        SocketsConfig {
            ping_every: Duration::from_secs(10),
            pong_timeout: Duration::from_secs(40),
            login_timeout: Duration::from_secs(10),
            upgrades_per_minute: 60,
            bad_token: BadToken::Packet,
            coalesce_bytes: 0,
            long_message_ends: true,
            market_status: false,
            conflate_from: 4_096,
            update_queue: 4_096,
            alerts: AlertStyle::default(),
        }
    }
}
