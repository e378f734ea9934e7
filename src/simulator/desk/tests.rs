use super::*;
use crate::simulator::SimConfig;
use crate::simulator::oms::order::Cause;
use crate::simulator::oms::request::PlaceRequest;
use crate::simulator::session::Notice;
use crate::simulator::tests::{CALL, INDEX, LOT, PUT, Scripted, day, index_tick, ms, rs, tables, tick};
use scalper_decide::domain::{OrderSide, Premium};
use std::collections::BTreeMap;

fn desk() -> Desk {
    let ticks = vec![
        index_tick(ms(-2_000), 25_650),
        tick(CALL, ms(-1_000), rs(100), 650),
        tick(CALL, ms(1_000), rs(104), 650),
        tick(CALL, ms(2_000), rs(98), 650),
    ];
    let market = Scripted { days: BTreeMap::from([(day(12), ticks)]), halts: Vec::new() };
    let sim = Simulator::new(Box::new(market), SimConfig::default(), tables().charges).expect("a market with a day");
    let clock = SessionClock::driven(sim.now());
    Desk::new(sim, Account::new("1000000001"), RateLimits::default(), clock)
}

fn buy() -> PlaceRequest {
    PlaceRequest::limit(OrderSide::Buy, CALL, LOT, rs(110)).tagged("T1")
}

#[test]
fn every_tick_is_told_with_the_figures_of_its_own_moment_however_far_the_clock_jumps() {
    let desk = desk();
    let mut stream = desk.subscribe_ticks();
    desk.clock().drive(ms(60_000));
    assert_eq!(desk.step(), Ok(ms(60_000)));
    let items: Vec<_> = std::iter::from_fn(|| stream.try_next()).collect();
    assert!(matches!(items[0], FeedItem::Notice(Notice::Opened { .. })));
    let highs: Vec<_> = items
        .iter()
        .filter_map(|item| match item {
            FeedItem::Tick(seen) if seen.key == CALL => Some((seen.quote.last_price, seen.quote.high)),
            _ => None,
        })
        .collect();
    assert_eq!(highs, [(10_000, 10_000), (10_400, 10_400), (9_800, 10_400)]);
    assert_eq!(desk.snapshot(CALL).unwrap().quote.low, 9_800);
    assert_eq!(desk.snapshot(PUT).unwrap().tick, None);
    assert_eq!(desk.snapshot((INDEX.0, 999)), None);
    assert_eq!(desk.key_of(InstrumentId(1)), CALL);
}

#[test]
fn a_call_happens_at_the_clock_and_its_updates_are_told_at_once_and_then_as_time_goes() {
    let desk = desk();
    desk.clock().drive(ms(0));
    let mut updates = desk.subscribe_updates();
    let (reply, at) = desk.with(|sim, _, now| (sim.place(&buy()), now)).unwrap();
    assert_eq!(at, ms(0));
    let order_no = reply.unwrap().order_no;
    let first = updates.try_recv().expect("told before the call returned");
    assert_eq!((first.order.order_no, &first.cause), (order_no, &Cause::Received));
    assert!(updates.try_recv().is_err(), "the exchange has not spoken yet");
    desk.clock().drive(ms(3_000));
    desk.step().unwrap();
    let causes: Vec<_> = std::iter::from_fn(|| updates.try_recv().ok()).map(|u| u.cause).collect();
    assert!(matches!(causes[..], [Cause::Accepted, Cause::Filled(_)]), "{causes:?}");
}

#[tokio::test]
async fn the_runner_wakes_for_what_a_call_brought_forward() {
    let desk = desk();
    desk.clock().drive(ms(5_000));
    desk.step().unwrap();
    let runner = tokio::spawn({
        let desk = desk.clone();
        async move { desk.run().await }
    });
    tokio::task::yield_now().await;
    let mut updates = desk.subscribe_updates();
    // No tick comes any more: only the order itself wakes the runner.
    let cheap = PlaceRequest { price: Premium::from_rupees(90), ..buy() };
    desk.with(|sim, _, _| sim.place(&cheap)).unwrap().unwrap();
    assert_eq!(updates.recv().await.unwrap().cause, Cause::Received);
    tokio::task::yield_now().await;
    desk.clock().drive(ms(6_000));
    assert_eq!(updates.recv().await.unwrap().cause, Cause::Accepted);
    // The market is one day long.
    desk.clock().drive(ms(24 * 3_600_000));
    assert_eq!(runner.await.unwrap(), Ok(()));
    let mut stream = desk.subscribe_ticks();
    drop(desk);
    assert_eq!(stream.next().await, None);
}
