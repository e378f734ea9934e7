//! The depth feed against a small server on loopback.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use scalper_decide::domain::{Instant, Segment};
use tokio::sync::{mpsc, watch};

use super::super::socket::test_server::{StillTime, TestServer, credentials};
use super::super::socket::{Anomaly, DownCause, LinkState};
use super::super::wire::depth::{BookSide, DEPTH_LEVELS, DepthBody, DepthPacket, RawLevel};
use super::super::wire::request::{Mode, Request};
use super::*;

#[derive(Debug, PartialEq)]
enum Seen {
    Book(Key, DepthBook),
    State(LinkState, Option<DownCause>),
    Disconnect(u16),
    Anomaly(Anomaly),
}

fn side(security_id: u32, side: BookSide, best: f64) -> DepthPacket {
    let step = if side == BookSide::Bid { -0.05 } else { 0.05 };
    let levels: [RawLevel; DEPTH_LEVELS] =
        std::array::from_fn(|n| RawLevel { price: best + step * n as f64, qty: 65, orders: 1 });
    DepthPacket { segment: 2, security_id, sequence: 0, body: DepthBody::Levels(side, levels) }
}

async fn with_depth<F: Future<Output = ()>>(
    wanted: BTreeSet<Key>,
    script: impl FnOnce(TestServer, mpsc::UnboundedReceiver<Seen>, watch::Sender<Arc<BTreeSet<Key>>>, StillTime) -> F,
) {
    let time = StillTime::new();
    let server = TestServer::start().await;
    let credentials = credentials("a.token");
    let quiet = watch::Sender::new(false);
    let wanted = watch::Sender::new(Arc::new(wanted));
    let clock = SessionClock::driven(Instant::from_secs(1_000_000));
    let config = DepthConfig { sockets: 2, ..DepthConfig::new(format!("{}/twentydepth", server.url)) };
    let feed = DepthFeed::new(config, clock, credentials.subscribe(), quiet.subscribe(), wanted.subscribe());
    let (tx, seen) = mpsc::unbounded_channel();
    let sink = move |event: DepthEvent<'_>| {
        let _ = tx.send(match event {
            DepthEvent::Book { key, book, .. } => Seen::Book(key, book.clone()),
            DepthEvent::State { report, .. } => Seen::State(report.state, report.cause.clone()),
            DepthEvent::Disconnect { reason, .. } => Seen::Disconnect(reason.0),
            DepthEvent::Anomaly { anomaly, .. } => Seen::Anomaly(anomaly),
        });
    };
    tokio::join!(feed.run(sink), script(server, seen, wanted, time));
}

async fn book(seen: &mut mpsc::UnboundedReceiver<Seen>) -> (Key, DepthBook) {
    loop {
        if let Seen::Book(key, book) = seen.recv().await.unwrap() {
            return (key, book);
        }
    }
}

async fn until(seen: &mut mpsc::UnboundedReceiver<Seen>, event: Seen) {
    while seen.recv().await.unwrap() != event {}
}

#[tokio::test(start_paused = true)]
async fn stacked_sides_become_one_book_per_contract_and_a_reconnect_starts_empty() {
    let wanted = BTreeSet::from([(Segment::NseFno, 1), (Segment::NseFno, 2), (Segment::BseFno, 3)]);
    with_depth(wanted, async |mut server, mut seen, _wanted, time: StillTime| {
        until(&mut seen, Seen::Anomaly(Anomaly::NotOffered { refused: 1 })).await;
        let mut connection = server.connection().await;
        assert_eq!(connection.target, "/twentydepth?token=a.token&clientId=1000000001&authType=2");
        let Request::Subscribe(Mode::Depth, list) = connection.request().await else { panic!() };
        assert_eq!(list.len(), 2);
        let mut message = Vec::new();
        side(1, BookSide::Bid, 101.3).encode(&mut message);
        side(1, BookSide::Ask, 101.35).encode(&mut message);
        side(2, BookSide::Bid, 50.0).encode(&mut message);
        side(9, BookSide::Bid, 50.0).encode(&mut message);
        connection.send(message).await;
        let (key, half) = book(&mut seen).await;
        assert_eq!((key, half.is_complete()), ((Segment::NseFno, 1), false));
        let (_, whole) = book(&mut seen).await;
        assert!(whole.is_complete());
        assert_eq!((whole.bids[0].price, whole.asks[0].price, whole.bids.len()), (10_130, 10_135, 20));
        assert_eq!(book(&mut seen).await.0, (Segment::NseFno, 2));
        connection.reset();
        time.pass(Duration::from_millis(250)).await;
        loop {
            if let Seen::State(LinkState::Down, Some(_)) = seen.recv().await.unwrap() {
                break;
            }
        }
        time.pass(Duration::from_millis(250)).await;
        let mut connection = server.connection().await;
        let mut message = Vec::new();
        side(1, BookSide::Ask, 101.4).encode(&mut message);
        connection.send(message).await;
        assert!(!book(&mut seen).await.1.is_complete(), "the buyers of the old connection are gone");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn fifty_contracts_fill_a_socket_and_a_disconnect_is_read() {
    let wanted: BTreeSet<Key> = (0..120).map(|id| (Segment::NseFno, id)).collect();
    with_depth(wanted, async |mut server, mut seen, _wanted, _time: StillTime| {
        until(&mut seen, Seen::Anomaly(Anomaly::OverLimit { refused: 20 })).await;
        let mut connections = [server.connection().await, server.connection().await];
        for connection in &mut connections {
            let Request::Subscribe(Mode::Depth, list) = connection.request().await else { panic!() };
            assert_eq!(list.len(), 50);
        }
        let mut message = Vec::new();
        DepthPacket::encode_long_disconnect(0, 0, 807, &mut message);
        connections[0].send(message).await;
        until(&mut seen, Seen::Disconnect(807)).await;
    })
    .await;
}
