//! The live market feed: up to five sockets of 5,000 instruments, merged into one stream of events.

mod protocol;
mod tick_builder;

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::sync::Arc;

use scalper_decide::domain::Instant;
use tokio::sync::watch;

use super::credentials::CredentialsWatch;
use super::socket::{Anomaly, Driver, Gate, Inputs, LinkReport, Shards, SocketConfig, Wanted, hand_out};
use super::wire::disconnect::DisconnectReason;
use super::wire::packet::Packet;
use super::wire::request::MAX_PER_MESSAGE;
use crate::clock::SessionClock;
use protocol::FeedProtocol;

pub use tick_builder::{Built, Resolved, TickBuilder, TickFault};

/// Limits and times of the feed.
#[derive(Debug, Clone)]
pub struct FeedConfig {
    /// Address and times of each socket.
    pub socket: SocketConfig,
    /// Sockets at most; five per account.
    pub sockets: usize,
    /// Instruments per socket.
    pub per_socket: usize,
    /// Instruments per subscribe message.
    pub per_message: usize,
}

impl FeedConfig {
    /// The broker's limits for an address such as `wss://api-feed.dhan.co`.
    pub fn new(url: impl Into<String>) -> FeedConfig {
        FeedConfig { socket: SocketConfig::new(url), sockets: 5, per_socket: 5_000, per_message: MAX_PER_MESSAGE }
    }
}

/// What the feed tells, in the task that runs it.
#[derive(Debug, Clone, PartialEq)]
pub enum FeedEvent<'a> {
    /// Packets of one message (a very long one comes in parts), in the order of the wire. Disconnects are told apart.
    Packets {
        /// Which socket.
        socket: usize,
        /// When the message was read, session time.
        at: Instant,
        /// The packets.
        packets: &'a [Packet],
    },
    /// A connection changed its state.
    State {
        /// Which socket.
        socket: usize,
        /// The state and its evidence.
        report: &'a LinkReport,
    },
    /// The server says why it hangs up.
    Disconnect {
        /// Which socket.
        socket: usize,
        /// Why.
        reason: DisconnectReason,
    },
    /// Something that should not happen.
    Anomaly {
        /// Which socket; 0 for the feed as a whole.
        socket: usize,
        /// What.
        anomaly: Anomaly,
    },
}

/// The market feed. [`MarketFeed::run`] does everything; what stays outside is the evidence.
pub struct MarketFeed {
    config: FeedConfig,
    clock: SessionClock,
    credentials: CredentialsWatch,
    data_expected: watch::Receiver<bool>,
    wanted: watch::Receiver<Arc<Wanted>>,
    reports: Vec<watch::Sender<LinkReport>>,
}

impl MarketFeed {
    /// A feed of the instruments in `wanted`, which may change at any time; dropping its sender ends the feed.
    /// `data_expected` is true while the session is open: silence is a fault only then (A5). A new token in
    /// `credentials` replaces the connections at once (B3).
    pub fn new(
        config: FeedConfig,
        clock: SessionClock,
        credentials: CredentialsWatch,
        data_expected: watch::Receiver<bool>,
        wanted: watch::Receiver<Arc<Wanted>>,
    ) -> MarketFeed {
        let reports = (0..config.sockets.max(1)).map(|_| watch::Sender::new(LinkReport::new())).collect();
        MarketFeed { config, clock, credentials, data_expected, wanted, reports }
    }

    /// The newest report of each socket, refreshed at every change and every ping.
    pub fn reports(&self) -> Vec<watch::Receiver<LinkReport>> {
        self.reports.iter().map(watch::Sender::subscribe).collect()
    }

    /// Runs the feed in the calling task and hands it every event; returns when the sender of `wanted` is gone. The
    /// sink must not call back into the feed.
    pub async fn run(self, sink: impl FnMut(FeedEvent<'_>)) {
        let MarketFeed { config, clock, credentials, data_expected, mut wanted, reports } = self;
        let sink = RefCell::new(sink);
        let gate = Arc::new(Gate::new());
        let mut shards = Shards::new(reports.len(), config.per_socket);
        let sets: Vec<watch::Sender<Arc<Wanted>>> = reports.iter().map(|_| watch::Sender::default()).collect();
        let sockets = reports.into_iter().zip(&sets).enumerate().map(|(socket, (reports, set))| {
            let inputs = Inputs {
                credentials: credentials.clone(),
                data_expected: data_expected.clone(),
                wanted: set.subscribe(),
            };
            let protocol = FeedProtocol::new(socket, config.per_message, &sink);
            let gate = Arc::clone(&gate);
            Driver::new(socket as u32, config.socket.clone(), clock.clone(), inputs, gate, reports, protocol).run()
        });
        let sockets = futures_util::future::join_all(sockets.collect::<Vec<_>>());
        let share = async {
            loop {
                let (split, refused) = shards.split(&wanted.borrow_and_update().clone());
                hand_out(&sets, split);
                if refused > 0 {
                    (sink.borrow_mut())(FeedEvent::Anomaly { socket: 0, anomaly: Anomaly::OverLimit { refused } });
                }
                if wanted.changed().await.is_err() {
                    break;
                }
            }
            drop(sets);
        };
        tokio::join!(share, sockets);
    }
}
