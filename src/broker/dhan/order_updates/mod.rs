//! The order-update socket: every order of the account, from any platform. A quiet one is normal, so it lives by its
//! pongs (F-61). Nothing is replayed after a reconnect: whoever listens reads the books when the link comes up.

mod protocol;

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::sync::Arc;

use scalper_decide::domain::Instant;
use tokio::sync::watch;

use super::credentials::CredentialsWatch;
use super::socket::{Anomaly, Driver, Gate, Inputs, LinkReport, LinkState, SocketConfig, Wanted};
use super::wire::order_row::OrderUpdate;
use crate::clock::SessionClock;
use protocol::OrderUpdateProtocol;

/// What the socket tells, in the task that runs it.
#[derive(Debug, Clone, PartialEq)]
pub enum OrderUpdateEvent<'a> {
    /// One order changed; may come twice or late.
    Update {
        /// When the frame was read, session time.
        at: Instant,
        /// The order.
        update: &'a OrderUpdate,
    },
    /// An update that could not be read for certain: the order book must be read instead.
    Unreadable {
        /// When the frame was read.
        at: Instant,
        /// The broker's order number, when at least that could be read.
        order_no: Option<&'a str>,
        /// What is wrong with it.
        what: String,
    },
    /// Updates can be relied on from now on (`true`: read the books once, then believe the pushes), or no longer.
    Link {
        /// Whether the link is up.
        up: bool,
    },
    /// The connection changed its state.
    State {
        /// The state and its evidence.
        report: &'a LinkReport,
    },
    /// Something that should not happen.
    Anomaly {
        /// What.
        anomaly: Anomaly,
    },
}

/// The order-update socket.
pub struct OrderUpdates {
    config: SocketConfig,
    clock: SessionClock,
    credentials: CredentialsWatch,
    stop: watch::Receiver<()>,
    report: watch::Sender<LinkReport>,
}

impl OrderUpdates {
    /// A socket for an address such as `wss://api-order-update.dhan.co`. Dropping the sender of `stop` ends it.
    pub fn new(
        config: SocketConfig,
        clock: SessionClock,
        credentials: CredentialsWatch,
        stop: watch::Receiver<()>,
    ) -> OrderUpdates {
        OrderUpdates { config, clock, credentials, stop, report: watch::Sender::new(LinkReport::new()) }
    }

    /// The newest report.
    pub fn report(&self) -> watch::Receiver<LinkReport> {
        self.report.subscribe()
    }

    /// Runs the socket in the calling task; returns when the sender of `stop` is gone.
    pub async fn run(self, sink: impl FnMut(OrderUpdateEvent<'_>)) {
        let OrderUpdates { config, clock, credentials, mut stop, report } = self;
        let sink = RefCell::new(sink);
        let alive: watch::Sender<Arc<Wanted>> = watch::Sender::default();
        let never_expected = watch::Sender::new(false);
        let inputs = Inputs { credentials, data_expected: never_expected.subscribe(), wanted: alive.subscribe() };
        let protocol = OrderUpdateProtocol::new(&sink);
        let driver = Driver::new(0, config, clock, inputs, Arc::new(Gate::new()), report, protocol);
        let stopped = async {
            while stop.changed().await.is_ok() {}
            drop(alive);
        };
        tokio::join!(driver.run(), stopped);
    }
}

/// Whether a state means that updates can be relied on.
const fn is_up(state: LinkState) -> bool {
    matches!(state, LinkState::Up)
}
