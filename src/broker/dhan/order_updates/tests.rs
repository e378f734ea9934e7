//! The order-update socket against a small server on loopback.

use std::time::Duration;

use scalper_decide::domain::Instant;
use scalper_decide::domain::broker::BrokerStatus;
use tokio::sync::{mpsc, watch};

use super::super::credentials::Credentials;
use super::super::socket::test_server::{Connection, StillTime, TestServer, credentials, some};
use super::super::wire::login::parse_login;
use super::super::wire::order_alert::{FrameStyle, KeyCasing, OrderAlert};
use super::*;
use secrecy::ExposeSecret;

#[derive(Debug, PartialEq)]
enum Seen {
    Update(Box<OrderUpdate>),
    Unreadable(Option<String>),
    Link(bool),
    Anomaly(Anomaly),
}

struct Bench {
    server: TestServer,
    seen: mpsc::UnboundedReceiver<Seen>,
    credentials: watch::Sender<Option<Credentials>>,
    stop: watch::Sender<()>,
    time: StillTime,
}

async fn with_updates<F: Future<Output = ()>>(script: impl FnOnce(Bench) -> F) {
    let time = StillTime::new();
    let server = TestServer::start().await;
    let credentials = credentials("a.token");
    let stop = watch::Sender::new(());
    let clock = SessionClock::driven(Instant::from_secs(1_000_000));
    let config = SocketConfig::new(server.url.clone());
    let updates = OrderUpdates::new(config, clock, credentials.subscribe(), stop.subscribe());
    let (tx, seen) = mpsc::unbounded_channel();
    let sink = move |event: OrderUpdateEvent<'_>| {
        let _ = tx.send(match event {
            OrderUpdateEvent::Update { update, .. } => Seen::Update(Box::new(update.clone())),
            OrderUpdateEvent::Unreadable { order_no, .. } => Seen::Unreadable(order_no.map(str::to_owned)),
            OrderUpdateEvent::Link { up } => Seen::Link(up),
            OrderUpdateEvent::Anomaly { anomaly } => Seen::Anomaly(anomaly),
            OrderUpdateEvent::State { .. } => return,
        });
    };
    tokio::join!(updates.run(sink), script(Bench { server, seen, credentials, stop, time }));
}

impl Bench {
    /// Takes the next connection up to its login.
    async fn logged_in(&mut self, token: &str) -> Connection {
        let mut connection = self.server.connection().await;
        assert_eq!(connection.target, "/");
        let login = parse_login(connection.message().await.to_text().unwrap()).expect("the first frame logs in");
        assert_eq!((login.client_id.as_str(), login.token.expose_secret()), ("1000000001", token));
        connection
    }

    async fn next(&mut self) -> Seen {
        self.seen.recv().await.unwrap()
    }
}

fn alert(status: &str, traded: i64) -> OrderAlert {
    OrderAlert {
        exchange: "NSE".to_owned(),
        segment: "D".to_owned(),
        source: "P".to_owned(),
        security_id: "55796".to_owned(),
        order_no: "1124091136546".to_owned(),
        product: "I".to_owned(),
        txn_type: "B".to_owned(),
        order_type: "LMT".to_owned(),
        quantity: Some(75),
        traded_qty: Some(traded),
        price: Some("101.35".parse().unwrap()),
        avg_traded_price: Some("101.3".parse().unwrap()),
        status: status.to_owned(),
        ..OrderAlert::default()
    }
}

#[tokio::test(start_paused = true)]
async fn acknowledgements_are_skipped_and_updates_of_every_casing_arrive_duplicates_included() {
    with_updates(async |mut bench: Bench| {
        let mut server = bench.logged_in("a.token").await;
        server.send_text(r#"{"Type":"login","Data":{"Status":"ok"}}"#).await;
        assert_eq!(bench.next().await, Seen::Link(true));
        let expected = alert("Traded", 75).update().unwrap();
        assert_eq!(expected.row.status, BrokerStatus::Traded);
        for casing in [KeyCasing::Pascal, KeyCasing::Both, KeyCasing::Camel, KeyCasing::Camel] {
            let style = FrameStyle { casing, numbers_as_text: casing == KeyCasing::Both };
            server.send_text(&alert("Traded", 75).to_frame(style)).await;
            assert_eq!(bench.next().await, Seen::Update(Box::new(expected.clone())));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_update_names_its_order_so_that_the_book_can_be_read() {
    with_updates(async |mut bench: Bench| {
        let mut server = bench.logged_in("a.token").await;
        let mut broken = alert("Traded", 75);
        broken.avg_traded_price = None;
        server.send_text(&broken.to_frame(FrameStyle::default())).await;
        let named = Seen::Unreadable(Some("1124091136546".to_owned()));
        assert_eq!(bench.next().await, named);
        assert_eq!(bench.next().await, Seen::Link(true));
        server.send_text("not json").await;
        assert_eq!(bench.next().await, Seen::Unreadable(None));
        server.send(vec![1, 2, 3]).await;
        assert_eq!(bench.next().await, Seen::Anomaly(Anomaly::UnexpectedFrame));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_quiet_socket_lives_by_its_pongs_and_dies_without_them() {
    // F-61, D1
    with_updates(async |mut bench: Bench| {
        let mut server = bench.logged_in("a.token").await;
        server.answer_ping().await;
        assert_eq!(bench.next().await, Seen::Link(true), "the pong alone brings the link up");
        for _ in 0..30 {
            bench.time.pass(Duration::from_secs(2)).await;
            server.answer_ping().await;
            server.send(vec![0]).await;
            assert_eq!(bench.next().await, Seen::Anomaly(Anomaly::UnexpectedFrame), "the pong before it was read");
        }
        // From here nobody answers.
        bench.time.pass(Duration::from_secs(15)).await;
        assert_eq!(bench.next().await, Seen::Link(false));
        bench.time.pass(Duration::from_millis(250)).await;
        let mut server = bench.logged_in("a.token").await;
        server.answer_ping().await;
        assert_eq!(bench.next().await, Seen::Link(true));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_new_token_logs_in_again_and_stop_ends_it() {
    with_updates(async |mut bench: Bench| {
        let mut server = bench.logged_in("a.token").await;
        server.answer_ping().await;
        assert_eq!(bench.next().await, Seen::Link(true));
        bench.credentials.send_replace(Some(some("b.token")));
        assert!(server.is_over().await);
        assert_eq!(bench.next().await, Seen::Link(false));
        let mut server = bench.logged_in("b.token").await;
        let Bench { stop, time: _time, .. } = bench;
        drop(stop);
        assert!(server.is_over().await);
    })
    .await;
}
