//! Our own clients against the simulated sockets. The wall clock stands still unless a test moves it, and session time
//! goes only where a test sends it.

mod data;
mod faults;
mod limits;
mod orders;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use scalper_decide::domain::{Instant, Tick};
use tokio::sync::{mpsc, watch};
use tokio::task::{LocalSet, spawn_local};

use super::{SocketFault, Target};
use crate::broker::dhan::credentials::Credentials;
use crate::broker::dhan::feed::{FeedConfig, FeedEvent, MarketFeed};
use crate::broker::dhan::socket::test_server::StillTime;
use crate::broker::dhan::socket::{Anomaly, DownCause, LinkReport, LinkState, Wanted};
use crate::broker::dhan::wire::packet::{Body, Packet};
use crate::broker::dhan::wire::request::{Key, Mode};
use crate::simulator::server::{Pace, SimServer, SimServerConfig};
use crate::simulator::tests::{CALL, INDEX, PUT, Scripted, day, index_tick, ms, rs, tables, tick};

/// What a feed client tells.
#[derive(Debug, Clone, PartialEq)]
enum Told {
    Packets(Vec<Packet>),
    State(LinkState, Option<DownCause>),
    Disconnect(u16),
    Anomaly(Anomaly),
}

/// A server, the credentials for it, and the wall clock.
struct Bench {
    server: SimServer,
    credentials: watch::Sender<Option<Credentials>>,
    data_expected: watch::Sender<bool>,
    time: StillTime,
}

/// A feed client of ours.
struct Client {
    told: mpsc::UnboundedReceiver<Told>,
    /// The feed runs while this is here.
    _wanted: watch::Sender<Arc<Wanted>>,
    reports: Vec<watch::Receiver<LinkReport>>,
}

/// The index at 25,650 and both options, before ten.
fn morning() -> Vec<Tick> {
    vec![index_tick(ms(-2_000), 25_650), tick(CALL, ms(-1_000), rs(100), 650), tick(PUT, ms(-900), rs(90), 650)]
}

/// One tick of the call a second after ten.
fn calls(prices: &[i64]) -> Vec<Tick> {
    prices.iter().enumerate().map(|(n, price)| tick(CALL, ms(1_000 * (n as i64 + 1)), rs(*price), 650)).collect()
}

/// Runs a test against a server that stands at ten.
async fn with_server<F: Future<Output = ()>>(
    ticks: Vec<Tick>,
    change: impl FnOnce(&mut SimServerConfig),
    script: impl FnOnce(Bench) -> F,
) {
    let market = Scripted { days: BTreeMap::from([(day(12), ticks)]), halts: Vec::new() };
    with_market(market, ms(0), change, script).await;
}

async fn with_market<F: Future<Output = ()>>(
    market: Scripted,
    start_at: Instant,
    change: impl FnOnce(&mut SimServerConfig),
    script: impl FnOnce(Bench) -> F,
) {
    let time = StillTime::new();
    let mut config = SimServerConfig { pace: Pace::Max, start_at: Some(start_at), ..SimServerConfig::default() };
    change(&mut config);
    let run = async {
        let server = SimServer::start(Box::new(market), tables().charges, config).await.expect("it starts");
        let credentials = Credentials { client_id: server.client_id.clone(), token: server.token.clone() };
        let credentials = watch::Sender::new(Some(credentials));
        script(Bench { server, credentials, data_expected: watch::Sender::new(false), time }).await;
    };
    LocalSet::new().run_until(run).await;
}

impl Bench {
    fn feed(&self, wanted: &[(Key, Mode)]) -> Client {
        let config = FeedConfig { sockets: 1, ..FeedConfig::new(self.server.addresses.feed.clone()) };
        let wanted = watch::Sender::new(Arc::new(wanted.iter().copied().collect::<Wanted>()));
        let feed = MarketFeed::new(
            config,
            self.server.clock.clone(),
            self.credentials.subscribe(),
            self.data_expected.subscribe(),
            wanted.subscribe(),
        );
        let reports = feed.reports();
        let (tx, told) = mpsc::unbounded_channel();
        let sink = move |event: FeedEvent<'_>| {
            let _ = tx.send(match event {
                FeedEvent::Packets { packets, .. } => Told::Packets(packets.to_vec()),
                FeedEvent::State { report, .. } => Told::State(report.state, report.cause.clone()),
                FeedEvent::Disconnect { reason, .. } => Told::Disconnect(reason.0),
                FeedEvent::Anomaly { anomaly, .. } => Told::Anomaly(anomaly),
            });
        };
        spawn_local(feed.run(sink));
        Client { told, _wanted: wanted, reports }
    }

    async fn to(&self, at: Instant) {
        self.server.run_until(at).await.expect("the market goes on");
    }

    fn fault(&self, fault: SocketFault) {
        assert_eq!(self.server.hub.fault(Target::default(), &fault), 1, "one connection is open");
    }
}

impl Client {
    async fn until(&mut self, is: impl Fn(&Told) -> bool) -> Told {
        loop {
            let told = self.told.recv().await.expect("the client runs");
            if is(&told) {
                return told;
            }
        }
    }

    /// The cause with which a state is entered.
    async fn state(&mut self, state: LinkState) -> Option<DownCause> {
        match self.until(|told| matches!(told, Told::State(s, _) if *s == state)).await {
            Told::State(_, cause) => cause,
            _ => unreachable!("filtered"),
        }
    }

    /// The next so many packets.
    async fn packets(&mut self, count: usize) -> Vec<Packet> {
        let mut all = Vec::new();
        while all.len() < count {
            if let Told::Packets(packets) = self.until(|told| matches!(told, Told::Packets(_))).await {
                all.extend(packets);
            }
        }
        assert_eq!(all.len(), count, "{all:?}");
        all
    }
}

/// Last prices in rupees.
fn prices(packets: &[Packet]) -> Vec<f32> {
    packets
        .iter()
        .filter_map(|packet| match packet.body {
            Body::Ticker(trade) | Body::Quote(trade, _) | Body::Full(trade, ..) => Some(trade.price),
            _ => None,
        })
        .collect()
}

/// Waits for something another task brings about.
async fn until(is: impl Fn() -> bool) {
    while !is() {
        tokio::task::yield_now().await;
    }
}

fn set(wanted: &[(Key, Mode)]) -> BTreeSet<(Key, Mode)> {
    wanted.iter().copied().collect()
}
