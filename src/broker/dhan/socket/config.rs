//! Times and limits of one kind of socket. Every one of them is a value, so that the simulator can stand in for the
//! broker and tests need no patience.

use std::time::Duration;

/// How to reach a socket and when to give one up.
#[derive(Debug, Clone)]
pub struct SocketConfig {
    /// Address without a query, `wss://..` or `ws://..`.
    pub url: String,
    /// Longest wait for a connection, its TLS and its upgrade together (F-71).
    pub connect_timeout: Duration,
    /// Longest time a message may wait to be written.
    pub write_timeout: Duration,
    /// First back-off.
    pub backoff_min: Duration,
    /// Longest back-off.
    pub backoff_max: Duration,
    /// Pause after too many connections (429 on the upgrade, reason 805); up to a quarter more by chance.
    pub cool_off: Duration,
    /// Connections that all sockets of one client may try in a minute.
    pub dials_per_minute: usize,
    /// Pause between the sockets of one client when they return from a cool-off together.
    pub stagger: Duration,
    /// Age of a connection from which its end is an accident: the next back-off starts small again.
    pub stable_after: Duration,
    /// Pause between our pings. Below [`SocketConfig::silence`], so that a quiet subscription and a dead connection
    /// look different.
    pub ping_every: Duration,
    /// Longest time without a pong of the server's, or a ping (A3).
    pub pong_timeout: Duration,
    /// Longest silence while data is expected: no bytes at all end the connection, no data but living pongs bring one
    /// resubscription first (A3, A4).
    pub silence: Duration,
    /// Unreadable messages within a minute that end the connection (A11).
    pub bad_frames_per_minute: usize,
    /// Largest message, bytes.
    pub max_message_bytes: usize,
    /// Seed of the jitter.
    pub jitter_seed: u64,
    /// Connects inside this process in place of TCP.
    #[cfg(test)]
    pub(crate) pipe: Option<super::dial::Piper>,
}

impl SocketConfig {
    /// The broker's times for an address.
    pub fn new(url: impl Into<String>) -> SocketConfig {
        SocketConfig {
            url: url.into(),
            connect_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(5),
            backoff_min: Duration::from_millis(250),
            backoff_max: Duration::from_secs(15),
            cool_off: Duration::from_secs(60),
            dials_per_minute: 30,
            stagger: Duration::from_secs(2),
            stable_after: Duration::from_secs(10),
            ping_every: Duration::from_secs(2),
            pong_timeout: Duration::from_secs(15),
            silence: Duration::from_secs(3),
            bad_frames_per_minute: 5,
            max_message_bytes: 1 << 20,
            jitter_seed: 0,
            #[cfg(test)]
            pipe: None,
        }
    }
}
