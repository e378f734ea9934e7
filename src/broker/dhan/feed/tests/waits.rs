//! What a client waits for before it comes back: a cool-off, a token, other credentials, another wish.

use super::*;

/// Sends code 50 and waits until the feed has told it.
async fn hang_up(bench: &mut Bench, server: &mut Connection, reason: u16) {
    server.send(Packet { segment: 0, security_id: 0, body: Body::Disconnect(reason) }.to_bytes()).await;
    bench.until(|seen| *seen == Seen::Disconnect(0, reason)).await;
    let cause = bench.state(LinkState::Down).await;
    assert_eq!(cause, Some(DownCause::Disconnected(DisconnectReason(reason))));
}

#[tokio::test(start_paused = true)]
async fn code_50_then_close_reconnects_by_its_reason() {
    with_feed(
        |_| {},
        nifty(),
        async |mut bench: Bench| {
            let mut server = bench.server.connection().await;
            hang_up(&mut bench, &mut server, 800).await;
            subscribed(&mut bench.reconnected().await, &nifty()).await;
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn too_many_connections_close_every_socket_and_they_return_one_at_a_time_after_the_cool_off() {
    // A17
    let wanted: Wanted = (0..2).map(|id| ((Segment::NseFno, id), Mode::Full)).collect();
    let two = |config: &mut FeedConfig| (config.sockets, config.per_socket) = (2, 1);
    with_feed(two, wanted, async |mut bench: Bench| {
        let mut first = bench.server.connection().await;
        let mut second = bench.server.connection().await;
        assert!(matches!(second.request().await, Request::Subscribe(..)));
        hang_up(&mut bench, &mut first, 805).await;
        assert_eq!(second.request().await, Request::Disconnect);
        assert!(second.is_over().await);
        let cooling = Seen::State(1, LinkState::Down, Some(DownCause::CoolingOff));
        bench.until(|seen| *seen == cooling).await;
        bench.time.pass(Duration::from_millis(59_999)).await;
        assert!(!bench.server.has_connection());
        // The cool-off is at most a quarter longer; the second socket comes two seconds after the first.
        let mut waited = 0;
        while !bench.server.has_connection() {
            bench.time.pass(Duration::from_millis(100)).await;
            settle().await;
            waited += 1;
            assert!(waited <= 151, "cool-off of 60 to 75 s");
        }
        let _third = bench.server.connection().await;
        bench.time.pass(Duration::from_millis(1_800)).await;
        settle().await;
        assert!(!bench.server.has_connection(), "one at a time");
        bench.time.pass(Duration::from_millis(300)).await;
        let _fourth = bench.server.connection().await;
    })
    .await;
}

/// Lets every task that can run on real sockets run; a millisecond of the machine's time per turn.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_429_is_met_with_at_most_one_attempt_a_minute() {
    // A20: ten minutes, at most twelve attempts.
    with_feed(
        |_| {},
        nifty(),
        async |mut bench: Bench| {
            for _ in 0..30 {
                bench.server.refuse_next(429);
            }
            let start = tokio::time::Instant::now();
            let mut attempts = 0;
            while start.elapsed() < Duration::from_secs(600) {
                assert_eq!(bench.server.refused().await, 429);
                attempts += 1;
                assert_eq!(bench.state(LinkState::Down).await, Some(DownCause::Refused(429)));
                bench.time.pass(Duration::from_secs(75)).await;
            }
            assert_eq!(attempts, 8, "one per cool-off");
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_expired_or_invalid_token_waits_for_a_new_one_and_uses_it() {
    // A18, B3
    for reason in [807, 809] {
        with_feed(
            |_| {},
            nifty(),
            async |mut bench: Bench| {
                let mut server = bench.server.connection().await;
                hang_up(&mut bench, &mut server, reason).await;
                bench.time.pass(Duration::from_secs(3_600)).await;
                settle().await;
                assert!(!bench.server.has_connection());
                bench.credentials.send_replace(Some(some("second.token")));
                let mut server = bench.server.connection().await;
                assert!(server.target.contains("token=second.token&"), "{}", server.target);
                subscribed(&mut server, &nifty()).await;
            },
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn fatal_reasons_stop_until_the_credentials_change() {
    // A18
    for reason in [806, 808, 810] {
        with_feed(
            |_| {},
            nifty(),
            async |mut bench: Bench| {
                let mut server = bench.server.connection().await;
                hang_up(&mut bench, &mut server, reason).await;
                bench.time.pass(Duration::from_secs(86_400)).await;
                settle().await;
                assert!(!bench.server.has_connection());
                bench.credentials.send_replace(Some(some("other.account")));
                bench.server.connection().await;
            },
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn too_many_instruments_are_not_asked_for_again_unchanged() {
    // A19
    with_feed(
        |_| {},
        nifty(),
        async |mut bench: Bench| {
            let mut server = bench.server.connection().await;
            hang_up(&mut bench, &mut server, 804).await;
            bench.time.pass(Duration::from_secs(3_600)).await;
            settle().await;
            assert!(!bench.server.has_connection());
            let fewer = Wanted::from([((Segment::IdxI, 25), Mode::Ticker)]);
            bench.wanted.send_replace(Arc::new(fewer.clone()));
            subscribed(&mut bench.server.connection().await, &fewer).await;
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_new_token_retires_the_old_connection_at_once() {
    // B3: the new socket uses the newest token, the old one says goodbye.
    with_feed(
        |_| {},
        nifty(),
        async |mut bench: Bench| {
            let mut server = bench.server.connection().await;
            subscribed(&mut server, &nifty()).await;
            // The same token again, or none at all, is no reason to leave.
            for harmless in [Some(some("first.token")), None] {
                bench.credentials.send_replace(harmless);
                server.send(ticker(0, 13, 1.0).to_bytes()).await;
                assert_eq!(bench.packets().await, [ticker(0, 13, 1.0)]);
            }
            bench.credentials.send_replace(Some(some("second.token")));
            assert_eq!(server.request().await, Request::Disconnect);
            assert!(server.is_over().await);
            assert_eq!(bench.state(LinkState::Down).await, Some(DownCause::NewCredentials));
            let mut server = bench.server.connection().await;
            assert!(server.target.contains("second.token"));
            subscribed(&mut server, &nifty()).await;
        },
    )
    .await;
}
