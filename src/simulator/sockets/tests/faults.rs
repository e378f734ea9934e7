//! What our clients notice of each fault.

use std::time::Duration;

use super::*;
use crate::simulator::sockets::{Door, Kind};

#[tokio::test(start_paused = true)]
async fn after_a_reset_the_client_asks_for_exactly_what_it_wants_again() {
    // A1, F-70.
    let wanted = [(INDEX, Mode::Ticker), (CALL, Mode::Full), (PUT, Mode::Quote)];
    with_server(
        morning(),
        |_| {},
        async |bench| {
            let mut client = bench.feed(&wanted);
            client.packets(4).await;
            bench.fault(SocketFault::Reset);
            client.state(LinkState::Down).await;
            until(|| bench.server.hub.open(Kind::Feed) == 0).await;
            bench.time.pass(Duration::from_millis(250)).await;
            client.packets(4).await;
            assert_eq!(bench.server.hub.subscribed(Kind::Feed), [set(&wanted)]);
            assert_eq!(client.reports[0].borrow().connects, 2);
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_half_open_connection_is_found_by_the_clients_watchdog() {
    // A3.
    with_server(
        [morning(), calls(&[101])].concat(),
        |_| {},
        async |bench| {
            bench.data_expected.send_replace(true);
            let mut client = bench.feed(&[(CALL, Mode::Ticker)]);
            client.packets(1).await;
            client.state(LinkState::Up).await;
            bench.fault(SocketFault::HalfOpen);
            bench.to(ms(2_000)).await;
            assert_eq!(bench.server.hub.counters().totals().packets_out, 1, "what came up is lost");
            bench.time.pass(Duration::from_millis(3_001)).await;
            assert_eq!(client.state(LinkState::Down).await, Some(DownCause::HalfOpen));
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn silence_with_living_pings_is_told_from_a_dead_connection() {
    // A4, Q3.
    with_server(
        morning(),
        |_| {},
        async |bench| {
            bench.data_expected.send_replace(true);
            let mut client = bench.feed(&[(CALL, Mode::Ticker)]);
            client.packets(1).await;
            client.state(LinkState::Up).await;
            bench.fault(SocketFault::Silence);
            let silent = Told::Anomaly(Anomaly::Silent { nth: 1 });
            for _ in 0..3 {
                bench.time.pass(Duration::from_millis(1_100)).await;
                // The pong is on its way.
                let last = client.reports[0].borrow().last_pong;
                until(|| client.reports[0].borrow().last_pong >= last).await;
                for _ in 0..50 {
                    tokio::task::yield_now().await;
                }
            }
            client.until(|told| *told == silent || matches!(told, Told::State(LinkState::Degraded, _))).await;
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn lost_doubled_swapped_and_foreign_messages_reach_the_client_as_they_are() {
    // A8, A9, A12.
    with_server(
        [morning(), calls(&[101, 102, 103, 104, 105, 106])].concat(),
        |_| {},
        async |bench| {
            let mut client = bench.feed(&[(CALL, Mode::Ticker)]);
            client.packets(1).await;
            bench.fault(SocketFault::Drop(1));
            bench.fault(SocketFault::Duplicate(1));
            bench.to(ms(2_500)).await;
            assert_eq!(prices(&client.packets(2).await), [102.0, 102.0]);
            bench.fault(SocketFault::Swap(1));
            bench.to(ms(4_500)).await;
            assert_eq!(prices(&client.packets(2).await), [104.0, 103.0]);
            let mut foreign = Vec::new();
            crate::broker::dhan::wire::packet_encode::encode_raw(0, 2, 7, &[1, 2, 3], &mut foreign);
            bench.fault(SocketFault::Inject(foreign));
            assert_eq!(client.packets(1).await[0].body, Body::Unknown(0));
            bench.fault(SocketFault::Garble(1));
            bench.to(ms(5_500)).await;
            client.until(|told| matches!(told, Told::Anomaly(Anomaly::BadFrame(_)))).await;
            bench.to(ms(6_500)).await;
            assert_eq!(prices(&client.packets(1).await), [106.0]);
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_delayed_message_comes_when_its_time_is_up() {
    with_server(
        [morning(), calls(&[101])].concat(),
        |_| {},
        async |bench| {
            let mut client = bench.feed(&[(CALL, Mode::Ticker)]);
            client.packets(1).await;
            bench.fault(SocketFault::Delay(Duration::from_millis(700)));
            bench.to(ms(2_000)).await;
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            assert_eq!(bench.server.hub.counters().totals().packets_out, 1);
            bench.time.pass(Duration::from_millis(701)).await;
            assert_eq!(prices(&client.packets(1).await), [101.0]);
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_a_stall_held_back_arrives_in_one_flush() {
    with_server(
        [morning(), calls(&[101, 102])].concat(),
        |_| {},
        async |bench| {
            let mut client = bench.feed(&[(CALL, Mode::Ticker)]);
            client.packets(1).await;
            bench.fault(SocketFault::Stall);
            bench.to(ms(3_000)).await;
            assert_eq!(bench.server.hub.counters().totals().packets_out, 1);
            bench.fault(SocketFault::Release);
            assert_eq!(prices(&client.packets(2).await), [101.0, 102.0]);
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_with_a_reason_and_a_plain_close_are_told_apart() {
    with_server(
        morning(),
        |_| {},
        async |bench| {
            let mut client = bench.feed(&[(CALL, Mode::Ticker)]);
            client.packets(1).await;
            bench.fault(SocketFault::Disconnect(800));
            assert_eq!(client.until(|t| matches!(t, Told::Disconnect(_))).await, Told::Disconnect(800));
            client.state(LinkState::Down).await;
            bench.time.pass(Duration::from_millis(250)).await;
            client.packets(1).await;
            until(|| bench.server.hub.open(Kind::Feed) == 1).await;
            bench.fault(SocketFault::Close);
            assert_eq!(client.state(LinkState::Down).await, Some(DownCause::ClosedByServer));
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_door_may_refuse_reset_or_stay_silent() {
    with_server(
        morning(),
        |_| {},
        async |bench| {
            bench.server.hub.set_door(Door::Status(503, 1));
            let mut client = bench.feed(&[(CALL, Mode::Ticker)]);
            assert_eq!(client.state(LinkState::Down).await, Some(DownCause::Refused(503)));
            bench.server.hub.set_door(Door::Reset);
            bench.time.pass(Duration::from_millis(250)).await;
            assert!(matches!(client.state(LinkState::Down).await, Some(DownCause::Broken(_))));
            bench.server.hub.set_door(Door::Silent);
            bench.time.pass(Duration::from_millis(500)).await;
            client.state(LinkState::Connecting).await;
            bench.time.pass(Duration::from_millis(10_001)).await;
            assert_eq!(client.state(LinkState::Down).await, Some(DownCause::ConnectTimeout));
        },
    )
    .await;
}
