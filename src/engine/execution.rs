//! Who executes what the core decides: a broker, over the order port and its books, or the paper venue in this process.
//! The second has neither port nor books, so nothing in that mode could send an order (N17).

use std::sync::Arc;

use scalper_decide::domain::broker::{BrokerEvent, BrokerRead};
use scalper_decide::domain::{Command, Event, Instant, OrderEvent, Stamp, Universe};
use scalper_decide::paper::PaperVenue;
use scalper_decide::reconciler::ReconcilerParams;
use scalper_decide::venue_sim::FillModel;

use super::gateway::{Gateway, Outgoing};
use super::reader::Reader;
use super::release::Release;
use super::status::Mode;
use crate::broker::dhan::socket::SocketConfig;
use crate::broker::{BrokerBooks, MayTrade, OrderPort};
use crate::journal::writer::Receipt;

/// A broker as a plan names it.
pub struct BrokerVenue {
    pub(super) mode: Mode,
    pub(super) orders: Arc<dyn OrderPort>,
    pub(super) books: Arc<dyn BrokerBooks>,
    pub(super) updates: SocketConfig,
    pub(super) reconciler: ReconcilerParams,
}

impl BrokerVenue {
    /// Orders through these ports, for a mode in which orders exist. Paper is none:
    ///
    /// ```compile_fail,E0277
    /// use std::sync::Arc;
    /// use scalper::broker::dhan::socket::SocketConfig;
    /// use scalper::broker::{BrokerBooks, OrderPort, Paper};
    /// use scalper::engine::execution::BrokerVenue;
    /// use scalper_decide::reconciler::ReconcilerParams;
    /// fn paper(o: Arc<dyn OrderPort>, b: Arc<dyn BrokerBooks>, u: SocketConfig, r: ReconcilerParams) -> BrokerVenue {
    ///     BrokerVenue::new::<Paper>(o, b, u, r)
    /// }
    /// ```
    /// and with another mode the same words compile:
    /// ```
    /// use std::sync::Arc;
    /// use scalper::broker::dhan::socket::SocketConfig;
    /// use scalper::broker::{BrokerBooks, OrderPort, Sim};
    /// use scalper::engine::execution::BrokerVenue;
    /// use scalper_decide::reconciler::ReconcilerParams;
    /// fn sim(o: Arc<dyn OrderPort>, b: Arc<dyn BrokerBooks>, u: SocketConfig, r: ReconcilerParams) -> BrokerVenue {
    ///     BrokerVenue::new::<Sim>(o, b, u, r)
    /// }
    /// ```
    pub fn new<M: MayTrade>(
        orders: Arc<dyn OrderPort>,
        books: Arc<dyn BrokerBooks>,
        updates: SocketConfig,
        reconciler: ReconcilerParams,
    ) -> BrokerVenue {
        let mode = if M::IS_LIVE { Mode::Live } else { Mode::Sim };
        BrokerVenue { mode, orders, books, updates, reconciler }
    }
}

/// Where a plan's orders are executed.
pub enum Venue {
    /// At a broker.
    Broker(BrokerVenue),
    /// In this process, under these assumptions. Nothing else is needed, and nothing else is there:
    ///
    /// ```compile_fail,E0599
    /// use scalper::engine::execution::Venue;
    /// use scalper_decide::venue_sim::{FillModel, FillModelKind};
    /// Venue::Paper(FillModel::named(FillModelKind::Base)).orders();
    /// ```
    Paper(FillModel),
}

impl Venue {
    /// The mode this makes.
    pub const fn mode(&self) -> Mode {
        match self {
            Venue::Broker(broker) => broker.mode,
            Venue::Paper(_) => Mode::Paper,
        }
    }

    /// How the broker's word is reconciled with ours; `None` where there is no broker.
    pub const fn reconciler(&self) -> Option<ReconcilerParams> {
        match self {
            Venue::Broker(broker) => Some(broker.reconciler),
            Venue::Paper(_) => None,
        }
    }
}

/// The way to a broker and back.
pub struct BrokerSide {
    /// Holds commands back until they are durable.
    pub release: Release,
    /// Sends them, and learns the broker's numbers from what passes by.
    pub gateway: Gateway,
    /// Reads the broker's books.
    pub reader: Reader,
}

/// Who executes, at work.
pub enum Execution {
    /// A broker.
    Broker(BrokerSide),
    /// The venue of paper mode.
    Paper(Box<PaperVenue>),
}

impl Execution {
    /// When something happens by itself next.
    pub fn due(&self) -> Option<Instant> {
        match self {
            Execution::Broker(_) => None,
            Execution::Paper(venue) => venue.due(),
        }
    }

    /// Waits until commands that were held back have left; never in paper, which holds none.
    pub async fn let_go(&self) {
        match self {
            Execution::Broker(broker) => broker.release.let_go().await,
            Execution::Paper(_) => std::future::pending().await,
        }
    }

    /// Whether something is on its way to a broker or back.
    pub fn is_busy(&self) -> bool {
        match self {
            Execution::Broker(BrokerSide { release, gateway, reader }) => {
                release.is_holding() || gateway.is_calling() || reader.is_reading()
            }
            Execution::Paper(_) => false,
        }
    }

    /// What it says by `at`, oldest first, with its time.
    pub fn report(&mut self, at: Instant) -> Option<(Instant, OrderEvent)> {
        match self {
            Execution::Broker(_) => None,
            Execution::Paper(venue) => venue.report(at),
        }
    }

    /// Takes note of what the broker said, before the core does.
    pub fn observe(&self, said: &BrokerEvent) {
        match self {
            Execution::Broker(broker) => broker.gateway.observe(said),
            Execution::Paper(_) => {}
        }
    }

    /// Takes note of an event the core has taken in.
    #[inline]
    pub fn hear(&mut self, stamp: Stamp, event: &Event) {
        match self {
            Execution::Broker(_) => {}
            Execution::Paper(venue) => venue.hear(stamp, event),
        }
    }

    /// Takes the commands of one event, which is or will be durable by `receipt`. The paper venue need not wait for
    /// that: what is lost of the journal never happened there either.
    pub fn carry_out(&mut self, stamp: Stamp, receipt: &Receipt, commands: Vec<Command>, universe: &Universe) {
        match self {
            Execution::Broker(broker) => {
                let batch = commands.into_iter().map(|command| Outgoing::to(universe, command)).collect();
                broker.release.push(receipt, batch);
            }
            Execution::Paper(venue) => commands.into_iter().for_each(|command| venue.submit(stamp.at, command)),
        }
    }

    /// Starts a read of the broker's books. In paper there are none, and the core, whose reconciler is off, wants none.
    pub fn read(&self, read: BrokerRead) {
        match self {
            Execution::Broker(broker) => broker.reader.start(read),
            Execution::Paper(_) => tracing::error!(target: "reconciler", ?read, "there is no broker to ask in paper"),
        }
    }
}
