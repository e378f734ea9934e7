//! Quotes, chains, candles (dhan-v2.md 10).

use super::*;
use scalper_decide::domain::Underlying;

fn bench() -> Bench {
    let mut ticks =
        vec![index_tick(ms(-2_000), 25_650), tick(CALL, ms(-1_000), rs(100), 650), tick(PUT, ms(-1_000), rs(90), 650)];
    for (i, level) in [25_660, 25_640, 25_655].into_iter().enumerate() {
        let at = ms(60_000 * i as i64 + 500);
        ticks.push(index_tick(at, level));
        ticks.push(Tick { volume: 650 * (i as i64 + 2), ..tick(CALL, at, rs(100 + i as i64), 650) });
    }
    let mut bench = Bench::with(ticks);
    bench.to(ms(200_000));
    bench
}

#[test]
fn a_quote_shows_the_day_and_the_book_and_an_unknown_id_shows_nothing() {
    let bench = bench();
    let quote = bench.sim.quote(CALL).unwrap();
    assert_eq!((quote.last_price, quote.open, quote.high, quote.low), (10_200, 10_000, 10_200, 10_000));
    assert_eq!((quote.volume, quote.oi, quote.buy_quantity, quote.sell_quantity), (2_600, 65_000, 650, 650));
    assert_eq!((quote.close, quote.net_change), (0, 0), "no day before");
    assert_eq!((quote.lower_circuit, quote.upper_circuit), (6_120, 14_280));
    assert!(bench.sim.quote((Segment::NseFno, 999)).is_none());
    let index = bench.sim.quote(INDEX).unwrap();
    assert_eq!((index.volume, index.oi, index.upper_circuit), (0, 0, 0));
}

#[test]
fn minute_candles_start_at_true_instants_and_join_to_longer_ones_anchored_at_the_open() {
    // 10.2, F-83.
    let bench = bench();
    let all = (Instant::from_secs(0), Instant::MAX);
    let minutes = bench.sim.intraday(INDEX, 1, all.0, all.1);
    assert_eq!(minutes.len(), 4);
    assert_eq!((minutes[1].start, minutes[1].close, minutes[1].volume), (ms(0), 2_566_000, 0));
    let quarters = bench.sim.intraday(INDEX, 25, all.0, all.1);
    assert_eq!(quarters.iter().map(|c| c.start).collect::<Vec<_>>(), [Instant::from_ist(day(12), hm(9, 40))]);
    let (high, low) = (quarters[0].high, quarters[0].low);
    assert_eq!((high, low), (2_566_000, 2_564_000));
    let calls = bench.sim.intraday(CALL, 1, ms(0), ms(60_000));
    assert_eq!(calls.iter().map(|c| c.volume).collect::<Vec<_>>(), [650, 650]);
    assert_eq!(bench.sim.daily(CALL, day(12), day(13)).len(), 1);
    assert!(bench.sim.daily(CALL, day(11), day(12)).is_empty(), "the last date is excluded");
}

#[test]
fn a_chain_has_the_contracts_own_ids_volatility_in_percent_and_zero_where_nothing_is_known() {
    // 10.3.
    let bench = bench();
    assert_eq!(bench.sim.expiries(Underlying::Nifty), [day(13)]);
    let chain = bench.sim.chain(Underlying::Nifty, day(13)).unwrap();
    assert_eq!(chain.last_price, 2_565_500);
    let strike = &chain.strikes[&Strike::from_points(25_650)];
    let call = strike.call.as_ref().unwrap();
    assert_eq!((call.security_id, call.top_bid.price, call.top_ask.price), (101, 10_195, 10_205));
    assert!(call.implied_volatility > 5.0 && call.implied_volatility < 50.0, "{call:?}");
    assert!((0.3..0.7).contains(&call.delta) && call.theta < 0.0 && call.vega > 0.0);
    assert!(bench.sim.chain(Underlying::Nifty, day(20)).is_none());
    let empty = Bench::with(vec![]);
    let chain = empty.sim.chain(Underlying::Nifty, day(13)).unwrap();
    let put = chain.strikes[&Strike::from_points(25_650)].put.clone().unwrap();
    assert_eq!((put.last_price, put.implied_volatility, put.delta), (0, 0.0, 0.0));
}
