//! Ticks on their way to the feed and depth clients.

use super::*;
use crate::broker::dhan::depth::{DepthConfig, DepthEvent, DepthFeed};
use crate::simulator::sockets::{Acknowledged, Kind};

#[tokio::test(start_paused = true)]
async fn every_mode_brings_its_packets_at_once_and_with_every_tick() {
    // dhan-v2.md 1.4-1.6; checklist 7.
    with_server(
        [morning(), calls(&[101, 102])].concat(),
        |_| {},
        async |bench| {
            let mut client = bench.feed(&[(INDEX, Mode::Ticker), (CALL, Mode::Full), (PUT, Mode::Quote)]);
            let greeting = client.packets(4).await;
            let codes: BTreeSet<(u32, u8)> = greeting.iter().map(|p| (p.security_id, p.body.code())).collect();
            assert_eq!(codes, BTreeSet::from([(13, 2), (101, 8), (102, 4), (102, 5)]));
            bench.to(ms(3_000)).await;
            let ticks = client.packets(2).await;
            assert_eq!(prices(&ticks), [101.0, 102.0]);
            let Body::Full(_, totals, oi, depth) = ticks[1].body else { panic!("{ticks:?}") };
            assert_eq!((totals.open, totals.high, oi.now), (100.0, 102.0, 65_000));
            assert_eq!((depth[0].bid, depth[0].ask), (101.95, 102.05));
            assert_eq!(client.reports[0].borrow().state, LinkState::Up);
            assert_eq!(bench.server.hub.counters().totals().packets_out, 6, "the client can prove it has them all");
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn only_an_index_is_greeted_with_its_previous_close() {
    let second: Vec<Tick> = [index_tick(ms(86_400_000), 25_700)].to_vec();
    let market = Scripted { days: BTreeMap::from([(day(12), morning()), (day(13), second)]), halts: Vec::new() };
    with_market(
        market,
        ms(86_400_000),
        |_| {},
        async |bench| {
            let mut client = bench.feed(&[(INDEX, Mode::Quote), (CALL, Mode::Full)]);
            let greeting = client.packets(2).await;
            assert_eq!(greeting[0].body, Body::PreviousClose(25_650.0, 0));
            let Body::Quote(trade, totals) = greeting[1].body else { panic!("{greeting:?}") };
            assert_eq!((trade.price, totals.previous_close), (25_700.0, 25_650.0));
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn coalesced_packets_share_a_message_and_nothing_is_lost() {
    // A10; dhan-v2.md 1.7.
    let coalesce = |config: &mut SimServerConfig| config.sockets.coalesce_bytes = 4_096;
    with_server(morning(), coalesce, async |bench| {
        let mut client = bench.feed(&[(INDEX, Mode::Ticker), (CALL, Mode::Full), (PUT, Mode::Quote)]);
        client.packets(4).await;
        assert!(client.reports[0].borrow().bad_frames == 0);
        until(|| client.reports[0].borrow().state == LinkState::Up).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_stands_still_gets_the_newest_of_each_instrument() {
    let small = |config: &mut SimServerConfig| config.sockets.conflate_from = 1;
    with_server([morning(), calls(&[101, 102, 103])].concat(), small, async |bench| {
        let mut client = bench.feed(&[(CALL, Mode::Ticker)]);
        assert_eq!(prices(&client.packets(1).await), [100.0]);
        bench.fault(SocketFault::Stall);
        bench.to(ms(5_000)).await;
        bench.fault(SocketFault::Release);
        assert_eq!(prices(&client.packets(1).await), [103.0]);
        assert_eq!(bench.server.hub.counters().totals().conflated, 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn time_at_full_speed_waits_for_what_a_reader_acknowledges() {
    let acknowledge = watch::Sender::new(Acknowledged::default());
    let reader = acknowledge.subscribe();
    let wait = move |config: &mut SimServerConfig| config.acknowledged = Some(reader);
    with_server([morning(), calls(&[101, 102, 103])].concat(), wait, async |bench| {
        let mut client = bench.feed(&[(CALL, Mode::Ticker)]);
        client.packets(1).await;
        let goal = async { bench.to(ms(9_000)).await };
        let reading = async {
            for read in 1..=3 {
                assert!(bench.server.clock.now() < ms(1_000 * read), "nothing happens before the last was read");
                acknowledge.send_replace(Acknowledged { packets: read as u64, ..Acknowledged::default() });
                assert_eq!(prices(&client.packets(1).await), [100.0 + read as f32]);
            }
            acknowledge.send_replace(Acknowledged { packets: 4, ..Acknowledged::default() });
        };
        tokio::join!(goal, reading);
        assert_eq!(bench.server.clock.now(), ms(9_000));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_book_arrives_from_both_sides_on_the_depth_socket() {
    with_server(
        [morning(), calls(&[101])].concat(),
        |_| {},
        async |bench| {
            let wanted = watch::Sender::new(Arc::new(BTreeSet::from([CALL])));
            let feed = DepthFeed::new(
                DepthConfig { sockets: 1, ..DepthConfig::new(bench.server.addresses.depth.clone()) },
                bench.server.clock.clone(),
                bench.credentials.subscribe(),
                bench.data_expected.subscribe(),
                wanted.subscribe(),
            );
            let (tx, mut books) = mpsc::unbounded_channel();
            spawn_local(feed.run(move |event: DepthEvent<'_>| {
                if let DepthEvent::Book { key, book, .. } = event
                    && book.is_complete()
                {
                    let _ = tx.send((key, book.bids[0].price, book.asks[0].price));
                }
            }));
            assert_eq!(books.recv().await, Some((CALL, 9_995, 10_005)));
            assert_eq!(bench.server.hub.subscribed(Kind::Depth), [set(&[(CALL, Mode::Depth)])]);
            bench.to(ms(2_000)).await;
            while books.recv().await != Some((CALL, 10_095, 10_105)) {}
        },
    )
    .await;
}
