//! The market feed against small servers on loopback. Time stands still unless a test moves it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use scalper_decide::domain::{Instant, Segment};
use tokio::sync::{mpsc, watch};

use super::super::credentials::Credentials;
use super::super::socket::test_server::{Connection, StillTime, TestServer, credentials, some};
use super::super::socket::{Anomaly, DownCause, LinkReport, LinkState, Wanted};
use super::super::wire::disconnect::DisconnectReason;
use super::super::wire::packet::{Body, LastTrade, Packet};
use super::super::wire::packet_encode::encode_raw;
use super::super::wire::request::{Key, Mode, Request};
use super::{FeedConfig, FeedEvent, MarketFeed};
use crate::clock::SessionClock;

mod faults;
mod waits;

/// An event the test can keep.
#[derive(Debug, Clone, PartialEq)]
enum Seen {
    Packets(usize, Vec<Packet>),
    State(usize, LinkState, Option<DownCause>),
    Disconnect(usize, u16),
    Anomaly(Anomaly),
}

/// A feed under test: its server, its inputs, its events.
struct Bench {
    server: TestServer,
    seen: mpsc::UnboundedReceiver<Seen>,
    wanted: watch::Sender<Arc<Wanted>>,
    credentials: watch::Sender<Option<Credentials>>,
    data_expected: watch::Sender<bool>,
    reports: Vec<watch::Receiver<LinkReport>>,
    time: StillTime,
}

/// Runs a feed beside `script` until the script is done.
async fn with_feed<F: Future<Output = ()>>(
    change: impl FnOnce(&mut FeedConfig),
    wanted: Wanted,
    script: impl FnOnce(Bench) -> F,
) {
    let time = StillTime::new();
    let server = TestServer::start().await;
    let mut config = FeedConfig::new(server.url.clone());
    change(&mut config);
    let credentials = credentials("first.token");
    let data_expected = watch::Sender::new(false);
    let wanted = watch::Sender::new(Arc::new(wanted));
    let clock = SessionClock::driven(Instant::from_secs(1_000_000));
    let feed = MarketFeed::new(config, clock, credentials.subscribe(), data_expected.subscribe(), wanted.subscribe());
    let (tx, seen) = mpsc::unbounded_channel();
    let reports = feed.reports();
    let sink = move |event: FeedEvent<'_>| {
        let kept = match event {
            FeedEvent::Packets { socket, packets, at } => {
                assert_eq!(at, Instant::from_secs(1_000_000));
                Seen::Packets(socket, packets.to_vec())
            }
            FeedEvent::State { socket, report } => Seen::State(socket, report.state, report.cause.clone()),
            FeedEvent::Disconnect { socket, reason: DisconnectReason(reason) } => Seen::Disconnect(socket, reason),
            FeedEvent::Anomaly { anomaly, .. } => Seen::Anomaly(anomaly),
        };
        let _ = tx.send(kept);
    };
    let bench = Bench { server, seen, wanted, credentials, data_expected, reports, time };
    tokio::join!(feed.run(sink), script(bench));
}

impl Bench {
    /// The next event of a kind; others are skipped.
    async fn until(&mut self, is: impl Fn(&Seen) -> bool) -> Seen {
        loop {
            let seen = self.seen.recv().await.expect("the feed runs");
            if is(&seen) {
                return seen;
            }
        }
    }

    /// The cause with which the first socket enters a state.
    async fn state(&mut self, state: LinkState) -> Option<DownCause> {
        match self.until(|seen| matches!(seen, Seen::State(0, s, _) if *s == state)).await {
            Seen::State(_, _, cause) => cause,
            _ => unreachable!("filtered"),
        }
    }

    async fn packets(&mut self) -> Vec<Packet> {
        match self.until(|seen| matches!(seen, Seen::Packets(..))).await {
            Seen::Packets(_, packets) => packets,
            _ => unreachable!("filtered"),
        }
    }

    /// Lets the longest first back-off pass and takes the connection that follows.
    async fn reconnected(&mut self) -> Connection {
        self.time.pass(Duration::from_millis(250)).await;
        self.server.connection().await
    }
}

fn nifty() -> Wanted {
    Wanted::from([((Segment::IdxI, 13), Mode::Ticker)])
}

fn ticker(segment: u8, security_id: u32, price: f32) -> Packet {
    Packet { segment, security_id, body: Body::Ticker(LastTrade { price, time: 1_781_084_997 }) }
}

/// Reads requests until they add up to `wanted`.
async fn subscribed(connection: &mut Connection, wanted: &Wanted) {
    let mut seen: BTreeSet<(Key, Mode)> = BTreeSet::new();
    while seen.len() < wanted.len() {
        let Request::Subscribe(mode, list) = connection.request().await else { panic!("only subscriptions") };
        assert!(list.len() <= 100, "A19");
        for one in list {
            assert!(seen.insert((one.key().unwrap(), mode)), "F-70: {one:?} twice");
        }
    }
    assert!(seen.iter().all(|(key, mode)| wanted.get(key) == Some(mode)));
}

#[tokio::test(start_paused = true)]
async fn packets_arrive_with_their_receive_time_and_confirm_the_subscription() {
    with_feed(
        |_| {},
        nifty(),
        async |mut bench: Bench| {
            let mut server = bench.server.connection().await;
            assert_eq!(server.target, "/?version=2&token=first.token&clientId=1000000001&authType=2");
            subscribed(&mut server, &nifty()).await;
            server.send(ticker(0, 13, 25_000.0).to_bytes()).await;
            assert_eq!(bench.packets().await, [ticker(0, 13, 25_000.0)]);
            bench.state(LinkState::Up).await;
            let report = bench.reports[0].borrow().clone();
            assert_eq!((report.wanted, report.sent, report.confirmed, report.connects), (1, 1, 1, 1));
            assert_eq!(report.last_data, Some(Instant::from_secs(1_000_000)), "F-72");
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn coalesced_packets_and_unknown_codes_are_all_read() {
    with_feed(
        |_| {},
        nifty(),
        async |mut bench: Bench| {
            let mut server = bench.server.connection().await;
            let mut message = Vec::new();
            let sent: Vec<Packet> = (0..300).map(|n| ticker(0, 13, n as f32)).collect();
            sent.iter().for_each(|packet| packet.encode(&mut message));
            encode_raw(0, 0, 13, &[1, 2, 3], &mut message);
            server.send(message).await;
            let mut read = bench.packets().await;
            read.extend(bench.packets().await);
            assert_eq!(read[..300], sent);
            assert_eq!(read[300].body, Body::Unknown(0));
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn after_a_reconnect_everything_is_subscribed_again_and_only_changes_before() {
    let first: Wanted = (0..250).map(|id| ((Segment::NseFno, id), Mode::Full)).collect();
    with_feed(
        |_| {},
        first.clone(),
        async |mut bench: Bench| {
            let mut server = bench.server.connection().await;
            subscribed(&mut server, &first).await;
            // One leaves, one comes, one wants another mode.
            let mut second = first.clone();
            second.remove(&(Segment::NseFno, 7));
            second.insert((Segment::BseFno, 7), Mode::Full);
            second.insert((Segment::NseFno, 8), Mode::Ticker);
            bench.wanted.send_replace(Arc::new(second.clone()));
            let Request::Unsubscribe(Mode::Full, off) = server.request().await else { panic!() };
            assert_eq!(off.len(), 2);
            let Request::Subscribe(Mode::Ticker, on) = server.request().await else { panic!() };
            assert_eq!(on[0].key(), Some((Segment::NseFno, 8)));
            let Request::Subscribe(Mode::Full, on) = server.request().await else { panic!() };
            assert_eq!(on[0].key(), Some((Segment::BseFno, 7)));
            server.close().await;
            assert_eq!(bench.state(LinkState::Down).await, Some(DownCause::ClosedByServer), "A1");
            let mut server = bench.reconnected().await;
            subscribed(&mut server, &second).await;
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_feed_wider_than_one_socket_is_sharded_and_what_has_no_room_is_refused() {
    // A19
    let wanted: Wanted = (0..25).map(|id| ((Segment::NseFno, id), Mode::Quote)).collect();
    let narrow = |config: &mut FeedConfig| (config.sockets, config.per_socket, config.per_message) = (2, 10, 4);
    with_feed(narrow, wanted, async |mut bench: Bench| {
        bench.until(|seen| *seen == Seen::Anomaly(Anomaly::OverLimit { refused: 5 })).await;
        let mut seen = BTreeSet::new();
        for _ in 0..2 {
            let mut server = bench.server.connection().await;
            for size in [4, 4, 2] {
                let Request::Subscribe(Mode::Quote, list) = server.request().await else { panic!() };
                assert_eq!(list.len(), size);
                seen.extend(list.into_iter().map(|one| one.key().unwrap().1));
            }
        }
        assert_eq!(seen, (0..20).collect());
        assert!(!bench.server.has_connection());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_dialled_before_there_is_a_token_and_something_to_want() {
    with_feed(
        |_| {},
        Wanted::new(),
        async |mut bench: Bench| {
            assert_eq!(bench.state(LinkState::Down).await, Some(DownCause::NothingWanted));
            bench.credentials.send_replace(None);
            bench.wanted.send_replace(Arc::new(nifty()));
            bench.until(|seen| matches!(seen, Seen::State(0, _, Some(DownCause::NoCredentials)))).await;
            assert!(!bench.server.has_connection());
            bench.credentials.send_replace(Some(some("late.token")));
            let mut server = bench.server.connection().await;
            assert!(server.target.contains("late.token"));
            subscribed(&mut server, &nifty()).await;
            bench.wanted.send_replace(Arc::new(Wanted::new()));
            assert_eq!(server.request().await, Request::Disconnect);
            assert!(server.is_over().await);
            assert_eq!(bench.state(LinkState::Down).await, Some(DownCause::NothingWanted));
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn dropping_the_wanted_set_ends_the_feed_with_a_goodbye() {
    // `with_feed` returns only when both the script and the feed are done.
    with_feed(
        |_| {},
        nifty(),
        async |mut bench: Bench| {
            let mut server = bench.server.connection().await;
            subscribed(&mut server, &nifty()).await;
            let Bench { wanted, mut seen, time: _time, .. } = bench;
            drop(wanted);
            assert_eq!(server.request().await, Request::Disconnect);
            assert!(server.is_over().await);
            while let Some(event) = seen.recv().await {
                if matches!(event, Seen::State(0, LinkState::Down, Some(DownCause::Stopped))) {
                    return;
                }
            }
            panic!("the end is told");
        },
    )
    .await;
}
