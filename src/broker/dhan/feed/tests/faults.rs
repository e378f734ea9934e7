//! What servers and networks do: bad frames, resets, silence.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_truncated_frame_keeps_its_good_packets_and_five_in_a_minute_end_the_connection() {
    // A11
    with_feed(
        |_| {},
        nifty(),
        async |mut bench: Bench| {
            let mut server = bench.server.connection().await;
            let mut message = ticker(0, 13, 25_000.0).to_bytes();
            message.extend(&ticker(0, 13, 1.0).to_bytes()[..15]);
            for _ in 0..5 {
                server.send(message.clone()).await;
                assert_eq!(bench.packets().await, [ticker(0, 13, 25_000.0)]);
                bench.until(|seen| matches!(seen, Seen::Anomaly(Anomaly::BadFrame(_)))).await;
            }
            assert_eq!(bench.state(LinkState::Down).await, Some(DownCause::BadFrames));
            assert_eq!(bench.reports[0].borrow().bad_frames, 5);
            bench.reconnected().await;
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_reset_without_a_close_frame_is_reconnected() {
    // A2
    with_feed(
        |_| {},
        nifty(),
        async |mut bench: Bench| {
            let mut server = bench.server.connection().await;
            subscribed(&mut server, &nifty()).await;
            server.reset();
            assert!(matches!(
                bench.state(LinkState::Down).await,
                Some(DownCause::Broken(_) | DownCause::ClosedByServer)
            ));
            subscribed(&mut bench.reconnected().await, &nifty()).await;
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn connections_that_die_before_a_frame_are_told_because_a_dead_token_looks_like_that() {
    // Q5
    with_feed(
        |_| {},
        nifty(),
        async |mut bench: Bench| {
            for _ in 0..3 {
                bench.server.connection().await.reset();
                bench.state(LinkState::Down).await;
                bench.time.pass(Duration::from_secs(1)).await;
            }
            bench.server.connection().await.reset();
            bench.until(|seen| *seen == Seen::Anomaly(Anomaly::EarlyClose { nth: 4 })).await;
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stops_answering_in_an_open_session_is_left_after_three_seconds() {
    // A3: half-open. The server reads nothing and sends nothing.
    with_feed(
        |_| {},
        nifty(),
        async |mut bench: Bench| {
            bench.data_expected.send_replace(true);
            let _black_hole = bench.server.connection().await;
            bench.state(LinkState::Degraded).await;
            bench.time.pass(Duration::from_secs(3)).await;
            assert_eq!(bench.state(LinkState::Down).await, Some(DownCause::HalfOpen));
            bench.reconnected().await;
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_server_without_pongs_is_left_after_fifteen_seconds_even_when_the_market_is_quiet() {
    // A3, A5
    with_feed(
        |_| {},
        nifty(),
        async |mut bench: Bench| {
            let _black_hole = bench.server.connection().await;
            bench.state(LinkState::Degraded).await;
            bench.time.pass(Duration::from_millis(14_999)).await;
            bench.time.pass(Duration::from_millis(1)).await;
            assert_eq!(bench.state(LinkState::Down).await, Some(DownCause::NoPong));
        },
    )
    .await;
}

/// Lets two seconds pass in which pings are answered: the text that follows the pong proves that it was read.
async fn two_living_seconds(bench: &mut Bench, server: &mut Connection) {
    bench.time.pass(Duration::from_secs(2)).await;
    server.answer_ping().await;
    server.send_text("pong is before me").await;
    bench.until(|seen| *seen == Seen::Anomaly(Anomaly::UnexpectedFrame)).await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_subscription_is_said_again_once_and_then_the_connection_is_left() {
    // A4: pongs come, data does not.
    with_feed(
        |_| {},
        nifty(),
        async |mut bench: Bench| {
            bench.data_expected.send_replace(true);
            let mut server = bench.server.connection().await;
            subscribed(&mut server, &nifty()).await;
            server.send(ticker(0, 13, 25_000.0).to_bytes()).await;
            bench.state(LinkState::Up).await;
            server.answer_ping().await;
            two_living_seconds(&mut bench, &mut server).await;
            bench.time.pass(Duration::from_secs(1)).await;
            bench.until(|seen| *seen == Seen::Anomaly(Anomaly::Silent { nth: 1 })).await;
            assert_eq!(bench.state(LinkState::Degraded).await, Some(DownCause::Silent));
            subscribed(&mut server, &nifty()).await;
            bench.time.pass(Duration::from_secs(1)).await;
            server.answer_ping().await;
            server.send_text("alive").await;
            bench.until(|seen| *seen == Seen::Anomaly(Anomaly::UnexpectedFrame)).await;
            bench.time.pass(Duration::from_secs(2)).await;
            assert_eq!(bench.state(LinkState::Down).await, Some(DownCause::Silent));
            bench.reconnected().await;
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_quiet_market_is_not_a_stall() {
    // A5: five minutes without data, pings answered, one connection.
    with_feed(
        |_| {},
        nifty(),
        async |mut bench: Bench| {
            let mut server = bench.server.connection().await;
            subscribed(&mut server, &nifty()).await;
            server.answer_ping().await;
            for _ in 0..150 {
                two_living_seconds(&mut bench, &mut server).await;
            }
            assert!(!bench.server.has_connection());
            let report = bench.reports[0].borrow().clone();
            assert_eq!((report.state, report.connects), (LinkState::Up, 1));
        },
    )
    .await;
}
