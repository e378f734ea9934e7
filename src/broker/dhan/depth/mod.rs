//! The 20-level depth feed: NSE only, 50 instruments per socket, bid and ask packets merged into one book per
//! contract.

mod book;
mod protocol;

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use scalper_decide::domain::{Instant, Segment};
use tokio::sync::watch;

use super::credentials::CredentialsWatch;
use super::socket::{Anomaly, Driver, Gate, Inputs, LinkReport, Shards, SocketConfig, Wanted, hand_out};
use super::wire::disconnect::DisconnectReason;
use super::wire::request::{Key, MAX_PER_MESSAGE, Mode};
use crate::clock::SessionClock;
use protocol::DepthProtocol;

pub use book::{DepthBook, DepthRow};

/// Limits and times of the depth feed.
#[derive(Debug, Clone)]
pub struct DepthConfig {
    /// Address and times of each socket.
    pub socket: SocketConfig,
    /// Sockets at most; the pool is believed to be separate from the market feed's.
    pub sockets: usize,
    /// Instruments per socket.
    pub per_socket: usize,
}

impl DepthConfig {
    /// The broker's limits for an address such as `wss://depth-api-feed.dhan.co/twentydepth`.
    pub fn new(url: impl Into<String>) -> DepthConfig {
        DepthConfig { socket: SocketConfig::new(url), sockets: 5, per_socket: 50 }
    }
}

/// What the depth feed tells, in the task that runs it.
#[derive(Debug, Clone, PartialEq)]
pub enum DepthEvent<'a> {
    /// One side of a book changed.
    Book {
        /// Which socket.
        socket: usize,
        /// When the message was read, session time.
        at: Instant,
        /// The contract.
        key: Key,
        /// Both sides as last seen on this connection.
        book: &'a DepthBook,
    },
    /// A connection changed its state; books of a connection that went down are gone.
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

/// The depth feed; see [`super::feed::MarketFeed`], whose shape it has.
pub struct DepthFeed {
    config: DepthConfig,
    clock: SessionClock,
    credentials: CredentialsWatch,
    data_expected: watch::Receiver<bool>,
    wanted: watch::Receiver<Arc<BTreeSet<Key>>>,
    reports: Vec<watch::Sender<LinkReport>>,
}

impl DepthFeed {
    /// A feed of the contracts in `wanted`; dropping its sender ends the feed.
    pub fn new(
        config: DepthConfig,
        clock: SessionClock,
        credentials: CredentialsWatch,
        data_expected: watch::Receiver<bool>,
        wanted: watch::Receiver<Arc<BTreeSet<Key>>>,
    ) -> DepthFeed {
        let reports = (0..config.sockets.max(1)).map(|_| watch::Sender::new(LinkReport::new())).collect();
        DepthFeed { config, clock, credentials, data_expected, wanted, reports }
    }

    /// The newest report of each socket.
    pub fn reports(&self) -> Vec<watch::Receiver<LinkReport>> {
        self.reports.iter().map(watch::Sender::subscribe).collect()
    }

    /// Runs the feed in the calling task; returns when the sender of `wanted` is gone.
    pub async fn run(self, sink: impl FnMut(DepthEvent<'_>)) {
        let DepthFeed { config, clock, credentials, data_expected, mut wanted, reports } = self;
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
            let protocol = DepthProtocol::new(socket, MAX_PER_MESSAGE, &sink);
            let gate = Arc::clone(&gate);
            Driver::new(socket as u32, config.socket.clone(), clock.clone(), inputs, gate, reports, protocol).run()
        });
        let sockets = futures_util::future::join_all(sockets.collect::<Vec<_>>());
        let share = async {
            loop {
                let all = wanted.borrow_and_update().clone();
                let offered: Wanted = all
                    .iter()
                    .filter(|(segment, _)| matches!(segment, Segment::NseEq | Segment::NseFno))
                    .map(|key| (*key, Mode::Depth))
                    .collect();
                let not_offered = all.len() - offered.len();
                let (split, over_limit) = shards.split(&offered);
                hand_out(&sets, split);
                let refusals = [
                    (not_offered, Anomaly::NotOffered { refused: not_offered }),
                    (over_limit, Anomaly::OverLimit { refused: over_limit }),
                ];
                for (_, anomaly) in refusals.into_iter().filter(|(count, _)| *count > 0) {
                    (sink.borrow_mut())(DepthEvent::Anomaly { socket: 0, anomaly });
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
