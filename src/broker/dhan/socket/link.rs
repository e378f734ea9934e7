//! The state of one connection, with the evidence for it (F-72).

use std::fmt;

use scalper_decide::domain::Instant;

use super::super::wire::disconnect::DisconnectReason;

/// State of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    /// Dialling.
    Connecting,
    /// Frames arrive; data too, when data is expected.
    Up,
    /// Connected, but what is expected does not arrive.
    Degraded,
    /// Not connected.
    Down,
}

impl LinkState {
    /// One lower-case word, for metrics and logs.
    pub const fn word(self) -> &'static str {
        match self {
            LinkState::Connecting => "connecting",
            LinkState::Up => "up",
            LinkState::Degraded => "degraded",
            LinkState::Down => "down",
        }
    }
}

/// Why a connection is down, or was lost the last time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DownCause {
    /// Nothing to subscribe to.
    NothingWanted,
    /// No token yet.
    NoCredentials,
    /// No connection within the time allowed.
    ConnectTimeout,
    /// The upgrade was answered with this HTTP status.
    Refused(u16),
    /// The connection could not be made, or broke.
    Broken(String),
    /// The server closed it properly.
    ClosedByServer,
    /// No bytes while data is expected.
    HalfOpen,
    /// No pong, and no ping either.
    NoPong,
    /// Pongs but no data, even after a resubscription.
    Silent,
    /// The server took no bytes.
    WriteStalled,
    /// Too many unreadable messages.
    BadFrames,
    /// The server said why.
    Disconnected(DisconnectReason),
    /// Retired in favour of a connection with the newest token (B3).
    NewCredentials,
    /// Closed because another socket of this account met the connection limit (A17).
    CoolingOff,
    /// Told to stop.
    Stopped,
}

impl fmt::Display for DownCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DownCause::NothingWanted => f.write_str("nothing wanted"),
            DownCause::NoCredentials => f.write_str("no access token"),
            DownCause::ConnectTimeout => f.write_str("no connection in time"),
            DownCause::Refused(status) => write!(f, "upgrade answered with HTTP {status}"),
            DownCause::Broken(what) => write!(f, "connection broke: {what}"),
            DownCause::ClosedByServer => f.write_str("closed by the server"),
            DownCause::HalfOpen => f.write_str("no bytes while data is expected"),
            DownCause::NoPong => f.write_str("no pong"),
            DownCause::Silent => f.write_str("no data although pings are answered"),
            DownCause::WriteStalled => f.write_str("server takes no bytes"),
            DownCause::BadFrames => f.write_str("too many unreadable messages"),
            DownCause::Disconnected(reason) => write!(f, "disconnected by the server: {reason}"),
            DownCause::NewCredentials => f.write_str("replaced by a connection with the newest token"),
            DownCause::CoolingOff => f.write_str("cooling off"),
            DownCause::Stopped => f.write_str("stopped"),
        }
    }
}

/// State of one connection and what it rests on. Times are session time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkReport {
    /// State.
    pub state: LinkState,
    /// Why it is down, or why it was the last time.
    pub cause: Option<DownCause>,
    /// When the current connection opened.
    pub connected_at: Option<Instant>,
    /// Last frame of any kind.
    pub last_frame: Option<Instant>,
    /// Last frame with market or order data.
    pub last_data: Option<Instant>,
    /// Last pong.
    pub last_pong: Option<Instant>,
    /// Frames since the start.
    pub frames: u64,
    /// Connections opened since the start.
    pub connects: u64,
    /// Unreadable messages since the start.
    pub bad_frames: u64,
    /// Instruments wanted on this connection.
    pub wanted: usize,
    /// Instruments subscribed on the wire.
    pub sent: usize,
    /// Instruments of which data was seen since they were subscribed: the only acknowledgement there is.
    pub confirmed: usize,
}

impl LinkReport {
    pub(crate) const fn new() -> LinkReport {
        LinkReport {
            state: LinkState::Down,
            cause: None,
            connected_at: None,
            last_frame: None,
            last_data: None,
            last_pong: None,
            frames: 0,
            connects: 0,
            bad_frames: 0,
            wanted: 0,
            sent: 0,
            confirmed: 0,
        }
    }
}

/// Something that should not happen and does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Anomaly {
    /// A message whose rest was dropped (A11).
    BadFrame(String),
    /// Pongs but no data; how often in a row. The third is an alarm (A4).
    Silent {
        /// Silences since the last data.
        nth: u32,
    },
    /// Connections that ended before a single frame, in a row: a dead token looks like this (Q5).
    EarlyClose {
        /// How many.
        nth: u32,
    },
    /// Instruments beyond what all sockets may carry; they are not subscribed (A19).
    OverLimit {
        /// How many.
        refused: usize,
    },
    /// Instruments this feed does not have (depth outside NSE).
    NotOffered {
        /// How many.
        refused: usize,
    },
    /// A frame of a kind this server does not send.
    UnexpectedFrame,
}
