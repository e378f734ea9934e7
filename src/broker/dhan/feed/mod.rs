//! The live market feed: up to five sockets of 5,000 instruments, merged into one stream of events.

mod protocol;
mod tick_builder;

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

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

/// Says what one socket does. When those of all sockets are dropped the feed ends.
#[derive(Debug)]
pub struct SocketReins {
    open: Arc<AtomicBool>,
    wanted: watch::Sender<Arc<Wanted>>,
}

impl SocketReins {
    /// What it carries from now on; `open` connects it even while that is nothing.
    pub fn set(&self, open: bool, wanted: Arc<Wanted>) {
        self.open.store(open, Ordering::Release);
        self.wanted.send_replace(wanted);
    }
}

/// Who says which socket carries what.
enum Source {
    /// The feed itself, for one wanted set.
    Shared(watch::Receiver<Arc<Wanted>>),
    /// Somebody with the reins of each socket.
    Led(Vec<(Arc<AtomicBool>, watch::Receiver<Arc<Wanted>>)>),
}

/// The market feed. [`MarketFeed::run`] does everything; what stays outside is the evidence.
pub struct MarketFeed {
    config: FeedConfig,
    clock: SessionClock,
    credentials: CredentialsWatch,
    data_expected: watch::Receiver<bool>,
    source: Source,
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
        MarketFeed { config, clock, credentials, data_expected, source: Source::Shared(wanted), reports }
    }

    /// A feed whose sockets are told one by one what to carry; all are closed at first. Limits are the caller's to keep.
    pub fn led(
        config: FeedConfig,
        clock: SessionClock,
        credentials: CredentialsWatch,
        data_expected: watch::Receiver<bool>,
    ) -> (MarketFeed, Vec<SocketReins>) {
        let sockets = config.sockets.max(1);
        let reins = |_| SocketReins { open: Arc::default(), wanted: watch::Sender::default() };
        let reins: Vec<SocketReins> = (0..sockets).map(reins).collect();
        let source = Source::Led(reins.iter().map(|r| (Arc::clone(&r.open), r.wanted.subscribe())).collect());
        let reports = (0..sockets).map(|_| watch::Sender::new(LinkReport::new())).collect();
        (MarketFeed { config, clock, credentials, data_expected, source, reports }, reins)
    }

    /// The newest report of each socket, refreshed at every change and every ping.
    pub fn reports(&self) -> Vec<watch::Receiver<LinkReport>> {
        self.reports.iter().map(watch::Sender::subscribe).collect()
    }

    /// Runs the feed in the calling task and hands it every event; returns when whoever says what is wanted is gone. The
    /// sink must not call back into the feed.
    pub async fn run(self, sink: impl FnMut(FeedEvent<'_>)) {
        let MarketFeed { config, clock, credentials, data_expected, source, reports } = self;
        let sink = RefCell::new(sink);
        let gate = Arc::new(Gate::new());
        let mut sets: Vec<watch::Sender<Arc<Wanted>>> = Vec::new();
        let (wanted, led) = match source {
            Source::Shared(wanted) => {
                sets = reports.iter().map(|_| watch::Sender::default()).collect();
                let closed = sets.iter().map(|set| (Arc::<AtomicBool>::default(), set.subscribe()));
                (Some(wanted), closed.collect())
            }
            Source::Led(led) => (None, led),
        };
        let shards = Shards::new(reports.len(), config.per_socket);
        let sockets = reports.into_iter().zip(led).enumerate().map(|(socket, (reports, (open, wanted)))| {
            let (credentials, data_expected) = (credentials.clone(), data_expected.clone());
            let inputs = Inputs { credentials, data_expected, wanted };
            let protocol = FeedProtocol::new(socket, config.per_message, open, &sink);
            let gate = Arc::clone(&gate);
            let driver =
                Driver::new(socket as u32, config.socket.clone(), clock.clone(), inputs, gate, reports, protocol);
            Box::pin(driver.run()) as Pin<Box<dyn Future<Output = ()> + '_>>
        });
        let sockets = in_turns(sockets.collect());
        let share = async {
            match wanted {
                Some(wanted) => share(wanted, shards, sets, &sink).await,
                None => drop(sets),
            }
        };
        tokio::join!(share, sockets);
    }
}

/// Splits one wanted set over the sockets until its sender is gone.
async fn share(
    mut wanted: watch::Receiver<Arc<Wanted>>,
    mut shards: Shards,
    sets: Vec<watch::Sender<Arc<Wanted>>>,
    sink: &RefCell<impl FnMut(FeedEvent<'_>)>,
) {
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
}

/// Awaits all, and polls another one first each time: a task has a budget per turn, and behind a socket that always has
/// data the last ones would never get their share of it.
async fn in_turns(mut sockets: Vec<Pin<Box<dyn Future<Output = ()> + '_>>>) {
    std::future::poll_fn(move |context| {
        sockets.retain_mut(|socket| socket.as_mut().poll(context).is_pending());
        if sockets.is_empty() {
            return Poll::Ready(());
        }
        sockets.rotate_left(1);
        Poll::Pending
    })
    .await;
}
