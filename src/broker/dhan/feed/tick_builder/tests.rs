//! Merging packets into ticks.

use proptest::prelude::*;

use super::super::super::wire::clock::CALIBRATION_SAMPLES;
use super::super::super::wire::packet::OpenInterest;
use super::*;

const NOW: i64 = 1_781_065_197; // 2026-06-10 09:49:57 IST
const OPTION: (u8, u32) = (2, 55_796);
const INDEX: (u8, u32) = (0, 13);

fn resolve(segment: Segment, security_id: u32) -> Option<Resolved> {
    match (segment.code(), security_id) {
        INDEX => Some(Resolved { instrument: InstrumentId(0), tick_paise: 1 }),
        OPTION => Some(Resolved { instrument: InstrumentId(3), tick_paise: 5 }),
        _ => None,
    }
}

fn builder() -> TickBuilder<fn(Segment, u32) -> Option<Resolved>> {
    TickBuilder::new(FeedEpoch::Ist, resolve)
}

fn packet(key: (u8, u32), body: Body) -> Packet {
    Packet { segment: key.0, security_id: key.1, body }
}

fn trade(price: f32, second: i64) -> LastTrade {
    LastTrade { price, time: (NOW + second + 19_800) as u32 }
}

fn totals(volume: u32, ltq: u16) -> DayTotals {
    DayTotals {
        ltq,
        average: 100.0,
        volume,
        total_sell: 1,
        total_buy: 1,
        open: 99.0,
        previous_close: 98.57,
        high: 105.0,
        low: 97.0,
    }
}

fn full(price: f32, second: i64, volume: u32) -> Body {
    let mut depth = [DepthLevel::default(); DEPTH];
    depth[0] = DepthLevel { bid_qty: 65, ask_qty: 130, bid_orders: 1, ask_orders: 2, bid: price, ask: price + 0.05 };
    depth[2] = DepthLevel { bid_qty: 195, bid: price - 0.05, ..DepthLevel::default() };
    Body::Full(trade(price, second), totals(volume, 75), OpenInterest { now: 500, high: 0, low: 0 }, depth)
}

fn at(second: i64) -> Instant {
    Instant::from_nanos((NOW + second) * NANOS_PER_SEC + 800_000_000)
}

#[track_caller]
fn tick(built: Result<Built, TickFault>) -> Tick {
    match built.unwrap() {
        Built::Tick(tick) => tick,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_full_packet_is_a_whole_tick_with_both_clocks() {
    let tick = tick(builder().push(&packet(OPTION, full(101.35, 0, 9_000)), at(0), TickFlags::NONE));
    assert_eq!((tick.instrument, tick.source, tick.flags), (InstrumentId(3), TickSource::Feed, TickFlags::NONE));
    assert_eq!((tick.exchange_at, tick.received_at), (Instant::from_secs(NOW), at(0)));
    assert_eq!((tick.ltp_paise, tick.ltq, tick.volume, tick.oi), (10_135, 75, 9_000, 500));
    assert_eq!(tick.bids[..2], [BookLevel { price: 10_135, qty: 65 }, BookLevel { price: 10_130, qty: 195 }]);
    assert_eq!(tick.asks[0], BookLevel { price: 10_140, qty: 130 });
    assert!(tick.asks[1].is_empty());
}

#[test]
fn quote_open_interest_and_previous_close_meet_in_the_next_tick() {
    let mut builder = builder();
    assert_eq!(builder.push(&packet(OPTION, Body::OpenInterest(777)), at(0), TickFlags::NONE), Ok(Built::Kept));
    assert_eq!(builder.push(&packet(OPTION, Body::PreviousClose(98.5, 1)), at(0), TickFlags::NONE), Ok(Built::Kept));
    assert_eq!(builder.previous_close(InstrumentId(3)), Some(9_850));
    let quote = packet(OPTION, Body::Quote(trade(101.35, 0), totals(9_000, 75)));
    let quoted = tick(builder.push(&quote, at(0), TickFlags::NONE));
    assert_eq!((quoted.volume, quoted.oi, quoted.has_book()), (9_000, 777, false));
    assert_eq!(
        builder.previous_close(InstrumentId(3)),
        Some(9_857),
        "the quote's own, off the tick as settlements are"
    );
    let ticker = tick(builder.push(&packet(OPTION, Body::Ticker(trade(101.4, 1))), at(1), TickFlags::NONE));
    assert_eq!((ticker.ltp_paise, ticker.volume, ticker.oi, ticker.ltq), (10_140, 9_000, 777, ABSENT));
}

#[test]
fn a_book_stands_beside_packets_without_one_for_two_seconds_only() {
    let mut builder = builder();
    tick(builder.push(&packet(OPTION, full(101.35, 0, 1)), at(0), TickFlags::NONE));
    let ticker = |second| packet(OPTION, Body::Ticker(trade(101.4, second)));
    assert!(tick(builder.push(&ticker(2), at(2), TickFlags::NONE)).has_book());
    assert!(!tick(builder.push(&ticker(3), at(3), TickFlags::NONE)).has_book());
}

#[test]
fn an_older_trade_or_a_smaller_volume_is_flagged_and_forgotten() {
    // A8
    let mut builder = builder();
    tick(builder.push(&packet(OPTION, full(101.35, 5, 9_000)), at(5), TickFlags::NONE));
    for stale in [full(90.0, 4, 9_500), full(90.0, 5, 8_999)] {
        let tick = tick(builder.push(&packet(OPTION, stale), at(6), TickFlags::OUT_OF_SESSION));
        assert!(tick.flags.has(TickFlags::OUT_OF_ORDER) && tick.flags.has(TickFlags::OUT_OF_SESSION));
    }
    let next = tick(builder.push(&packet(OPTION, Body::Ticker(trade(101.4, 6))), at(6), TickFlags::NONE));
    assert_eq!((next.flags, next.volume), (TickFlags::NONE, 9_000));
    assert_eq!(next.bids[0].price, 10_135, "the stale book left no trace");
}

#[test]
fn what_never_traded_is_dated_by_the_start_of_its_day_and_its_first_trade_is_in_order() {
    let mut builder = builder();
    let Body::Full(_, totals, oi, depth) = full(101.3, 0, 0) else { unreachable!() };
    let never = Body::Full(LastTrade { price: 0.0, time: 0 }, totals, oi, depth);
    let first = tick(builder.push(&packet(OPTION, never), at(0), TickFlags::NONE));
    assert_eq!(first.exchange_at.ist_text(), "2026-06-10T00:00:00+05:30");
    assert_eq!(first.ltp_paise, 0);
    let traded = tick(builder.push(&packet(OPTION, full(101.35, -30, 75)), at(1), TickFlags::NONE));
    assert_eq!(traded.flags, TickFlags::NONE);
    assert!(traded.exchange_at > first.exchange_at);
}

#[test]
fn the_last_traded_quantity_changes_nothing_but_itself() {
    // A15: 0 and 65,535 make the same tick but for the field.
    let of = |ltq| {
        let mut builder = builder();
        tick(builder.push(&packet(OPTION, Body::Quote(trade(101.35, 0), totals(9_000, ltq))), at(0), TickFlags::NONE))
    };
    assert_eq!(Tick { ltq: 0, ..of(65_535) }, of(0));
}

#[test]
fn nonsense_prices_and_strangers_never_become_ticks() {
    // A13, A25
    let mut builder = builder();
    for price in [f32::NAN, f32::INFINITY, -1.0, 101.37, 1e9] {
        let fault = builder.push(&packet(OPTION, Body::Ticker(trade(price, 0))), at(0), TickFlags::NONE).unwrap_err();
        assert_eq!((fault.segment, fault.security_id, fault.field), (2, 55_796, "last price"));
    }
    let same_token = packet((8, 55_796), Body::Ticker(trade(101.35, 0)));
    let stranger = Built::Unresolved { segment: 8, security_id: 55_796 };
    assert_eq!(builder.push(&same_token, at(0), TickFlags::NONE), Ok(stranger));
    let gap = packet((6, 1), Body::Ticker(trade(101.35, 0)));
    assert!(matches!(builder.push(&gap, at(0), TickFlags::NONE), Ok(Built::Unresolved { segment: 6, .. })));
    assert_eq!(builder.push(&packet(OPTION, Body::MarketStatus), at(0), TickFlags::NONE), Ok(Built::Ignored));
}

#[test]
fn the_epoch_is_calibrated_by_trades_that_happened_while_we_watched() {
    // A16. A feed that was mended to UTC.
    let mut builder = builder();
    let n = CALIBRATION_SAMPLES as i64;
    for second in 0..=n {
        assert!(builder.calibrated().is_err());
        let utc = LastTrade { price: 25_000.0, time: (NOW + second) as u32 };
        tick(builder.push(&packet(INDEX, Body::Ticker(utc)), at(second), TickFlags::NONE));
        // An illiquid contract repeats its old trade and does not count.
        tick(builder.push(&packet(OPTION, Body::Ticker(trade(101.35, -9_000))), at(second), TickFlags::NONE));
    }
    assert_eq!(builder.calibrated(), Ok(FeedEpoch::Utc));
    let utc = LastTrade { price: 25_000.0, time: (NOW + n + 1) as u32 };
    let tick = tick(builder.push(&packet(INDEX, Body::Ticker(utc)), at(n + 1), TickFlags::NONE));
    assert_eq!(tick.exchange_at, Instant::from_secs(NOW + n + 1));
}

proptest! {
    #[test]
    fn no_packet_makes_the_builder_panic_or_lie_about_order(
        packets in prop::collection::vec((any::<bool>(), any::<u32>(), any::<u32>(), any::<u32>(), 0u8..5), 0..40),
    ) {
        let mut builder = builder();
        let mut newest = 0;
        for (n, (is_index, price, time, volume, kind)) in packets.into_iter().enumerate() {
            let trade = LastTrade { price: f32::from_bits(price), time };
            let mut depth = [DepthLevel::default(); DEPTH];
            depth[1] = DepthLevel { bid: f32::from_bits(price), bid_qty: volume, ..DepthLevel::default() };
            let body = match kind {
                0 => Body::Ticker(trade),
                1 => Body::Quote(trade, totals(volume, 1)),
                2 => Body::OpenInterest(volume),
                3 => Body::PreviousClose(f32::from_bits(price), volume),
                _ => Body::Full(trade, totals(volume, 1), OpenInterest::default(), depth),
            };
            let key = if is_index { INDEX } else { OPTION };
            if let Ok(Built::Tick(tick)) = builder.push(&packet(key, body), at(n as i64), TickFlags::NONE) {
                prop_assert!(tick.ltp_paise >= 0);
                if !is_index && tick.flags.is_decidable() {
                    prop_assert!(time >= newest);
                    newest = time;
                }
            }
        }
    }
}
