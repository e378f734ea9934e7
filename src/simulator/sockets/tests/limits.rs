//! Who is let in, and who must go.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use secrecy::ExposeSecret as _;
use tokio_tungstenite::tungstenite::Message;

use super::*;
use crate::broker::dhan::wire::packet::packets;
use crate::broker::dhan::wire::request;
use crate::simulator::sockets::{BadToken, Kind};

type Raw = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

/// A connection without any manners.
async fn raw(bench: &Bench) -> Raw {
    let SimServer { addresses, token, client_id, .. } = &bench.server;
    let query = format!("version=2&token={}&clientId={client_id}&authType=2", token.expose_secret());
    tokio_tungstenite::connect_async(format!("{}?{query}", addresses.feed)).await.expect("it is let in").0
}

/// The reason in the next binary message.
async fn reason(ws: &mut Raw) -> Option<u16> {
    while let Some(Ok(message)) = ws.next().await {
        if let Message::Binary(bytes) = message
            && let Some(Ok(Packet { body: Body::Disconnect(reason), .. })) = packets(&bytes).next()
        {
            return Some(reason);
        }
    }
    None
}

#[tokio::test(start_paused = true)]
async fn a_sixth_socket_ends_the_oldest_with_805() {
    // A17, checklist 6.
    with_server(
        morning(),
        |_| {},
        async |bench| {
            let mut client = bench.feed(&[(CALL, Mode::Ticker)]);
            client.packets(1).await;
            let mut others = Vec::new();
            for _ in 0..5 {
                others.push(raw(&bench).await);
            }
            assert_eq!(client.until(|t| matches!(t, Told::Disconnect(_))).await, Told::Disconnect(805));
            until(|| bench.server.hub.open(Kind::Feed) == 5).await;
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_message_of_101_instruments_ends_its_connection_with_804() {
    with_server(
        morning(),
        |_| {},
        async |bench| {
            let mut ws = raw(&bench).await;
            let keys: BTreeSet<Key> = (0..101).map(|id| (CALL.0, id)).collect();
            ws.send(Message::text(request::subscribe_in(Mode::Full, &keys, 101).remove(0))).await.unwrap();
            assert_eq!(reason(&mut ws).await, Some(804));
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_is_honoured_and_binary_frames_mean_nothing() {
    // Checklist 1: the official client's 83 bytes.
    with_server(
        morning(),
        |_| {},
        async |bench| {
            let mut ws = raw(&bench).await;
            ws.send(Message::binary(vec![12; 83])).await.unwrap();
            ws.send(Message::text(request::subscribe(Mode::Ticker, &BTreeSet::from([CALL])).remove(0))).await.unwrap();
            assert!(matches!(ws.next().await, Some(Ok(Message::Binary(_)))), "it goes on");
            ws.send(Message::text(request::disconnect())).await.unwrap();
            ws.send(Message::binary(vec![12; 83])).await.unwrap();
            assert!(matches!(ws.next().await, Some(Ok(Message::Close(_)))));
            until(|| bench.server.hub.open(Kind::Feed) == 0).await;
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_bad_token_is_let_in_to_be_sent_away() {
    // B1, Q5; dhan-v2.md 1.1.
    with_server(
        morning(),
        |_| {},
        async |bench| {
            let bad = Credentials { client_id: bench.server.client_id.clone(), token: "no.such.token".into() };
            bench.credentials.send_replace(Some(bad));
            let mut client = bench.feed(&[(CALL, Mode::Ticker)]);
            assert_eq!(client.until(|t| matches!(t, Told::Disconnect(_))).await, Told::Disconnect(809));
        },
    )
    .await;
    let reset = |config: &mut SimServerConfig| config.sockets.bad_token = BadToken::Reset;
    with_server(morning(), reset, async |bench| {
        bench.server.desk.with(|_, account, _| account.revoke()).unwrap();
        let mut client = bench.feed(&[(CALL, Mode::Ticker)]);
        assert!(matches!(client.state(LinkState::Down).await, Some(DownCause::Broken(_))));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn too_many_upgrades_in_a_minute_meet_429() {
    let two = |config: &mut SimServerConfig| config.sockets.upgrades_per_minute = 2;
    with_server(morning(), two, async |bench| {
        let _open = (raw(&bench).await, raw(&bench).await);
        let mut client = bench.feed(&[(CALL, Mode::Ticker)]);
        assert_eq!(client.state(LinkState::Down).await, Some(DownCause::Refused(429)));
        bench.time.pass(Duration::from_secs(60)).await;
        bench.time.pass(Duration::from_secs(60)).await;
        client.packets(1).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_answers_no_ping_for_forty_seconds_is_closed() {
    // Checklist 6.
    with_server(
        morning(),
        |_| {},
        async |bench| {
            let _mute = raw(&bench).await;
            until(|| bench.server.hub.open(Kind::Feed) == 1).await;
            for _ in 0..3 {
                bench.time.pass(Duration::from_secs(10)).await;
                for _ in 0..50 {
                    tokio::task::yield_now().await;
                }
            }
            assert_eq!(bench.server.hub.open(Kind::Feed), 1);
            bench.time.pass(Duration::from_secs(10)).await;
            until(|| bench.server.hub.open(Kind::Feed) == 0).await;
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_answers_pings_stays() {
    with_server(
        morning(),
        |_| {},
        async |bench| {
            let mut ws = raw(&bench).await;
            until(|| bench.server.hub.open(Kind::Feed) == 1).await;
            for _ in 0..6 {
                bench.time.pass(Duration::from_secs(10)).await;
                assert!(matches!(ws.next().await, Some(Ok(Message::Ping(_)))));
                ws.flush().await.unwrap();
                for _ in 0..50 {
                    tokio::task::yield_now().await;
                }
            }
            assert_eq!(bench.server.hub.open(Kind::Feed), 1);
        },
    )
    .await;
}

#[tokio::test]
async fn only_loopback_is_served_at_a_speed_that_can_be() {
    use crate::simulator::server::SimServerError;
    let start = async |config| {
        let market = Scripted { days: BTreeMap::from([(day(12), morning())]), halts: Vec::new() };
        SimServer::start(Box::new(market), tables().charges, config).await.map(|_| ())
    };
    let outside = SimServerConfig { host: [0, 0, 0, 0].into(), ..SimServerConfig::default() };
    assert!(matches!(start(outside).await, Err(SimServerError::NotLoopback(_))));
    let fast = SimServerConfig { pace: Pace::Scaled(1_001.0), ..SimServerConfig::default() };
    assert!(matches!(start(fast).await, Err(SimServerError::Speed(_))));
}
