//! The end of a day and the next one (C26, F11, F12, E15, P30).

use super::*;
use BrokerStatus::Expired;
use scalper_decide::domain::broker::Product;

fn close(of: u32) -> Instant {
    Instant::from_ist(day(of), hm(15, 30))
}

/// Two days; on the second, the day of expiry, the index settles at 25,700 in its last half hour.
fn two_days() -> Bench {
    let first = vec![
        tick(CALL, ms(-1_000), rs(100), 650),
        tick(PUT, ms(-1_000), rs(90), 650),
        tick(CALL, ms(1_000), rs(100), 650),
        tick(PUT, ms(1_000), rs(90), 650),
    ];
    let ten = Instant::from_ist(day(13), hm(10, 0));
    let late = Instant::from_ist(day(13), hm(15, 10));
    let second = vec![
        index_tick(ten, 25_000),
        tick(CALL, ten, rs(60), 650),
        tick(PUT, ten, rs(10), 650),
        index_tick(late, 25_690),
        index_tick(late + Age::from_secs(1), 25_710),
    ];
    let market = Scripted { days: BTreeMap::from([(day(12), first), (day(13), second)]), halts: Vec::new() };
    let mut bench = Bench::new(market, SimConfig::default());
    bench.to(ms(0));
    bench
}

fn margin(side: OrderSide, key: Key, price: Premium) -> PlaceRequest {
    PlaceRequest { product: Product::Margin, ..PlaceRequest::limit(side, key, LOT, price) }
}

#[test]
fn what_rests_at_the_close_expires_with_what_it_executed() {
    let mut bench = two_days();
    let resting = bench.place(&margin(OrderSide::Buy, CALL, rs(70)));
    bench.to(close(12) + Age::from_secs(30));
    assert_eq!((bench.status(resting), bench.row(resting).remaining()), (Expired, 0));
    assert!(matches!(bench.causes(resting).last(), Some(Cause::Expired)));
    bench.to(close(12) + Age::from_secs(61));
    assert!(bench.sim.next_at() == Instant::from_ist(day(13), hm(9, 0)), "a clock may jump to the next pre-open");
}

#[test]
fn carried_positions_open_the_next_day_and_the_books_of_the_day_are_new() {
    // E15.
    let mut bench = two_days();
    let order = bench.place(&margin(OrderSide::Buy, CALL, rs(101)));
    bench.to(Instant::from_ist(day(13), hm(9, 30)));
    let row = bench.sim.oms().positions().of(CALL).next().unwrap().clone();
    assert_eq!((row.carried_bought, row.day_bought, row.net()), (LOT, 0, LOT));
    assert_eq!(row.carried_buy_value, Money::from_paise(10_005 * LOT));
    assert!(bench.sim.oms().order(order).is_none() && bench.sim.oms().trades().is_empty());
    assert_eq!(bench.sim.truth().orders.len(), 1, "the oracle forgets nothing");
    assert_eq!(bench.sim.oms().funds().start_of_day, bench.sim.truth().cash);
    assert_eq!(bench.sim.board().find(CALL).unwrap().1.previous_close(), 10_000);
    bench.assert_sound();
}

#[test]
fn an_expired_series_is_settled_in_one_step_long_and_short_and_is_gone_the_next_morning() {
    // F11, F12, P30: long call and short put; index settles at the average of its last half hour, 25,700.
    let mut bench = two_days();
    bench.place(&margin(OrderSide::Buy, CALL, rs(101)));
    bench.place(&margin(OrderSide::Sell, PUT, rs(89)));
    bench.to(close(13) + Age::from_secs(59));
    assert_eq!((bench.net(CALL), bench.net(PUT)), (LOT, -LOT));
    let before = bench.sim.truth().cash;
    bench.to(close(13) + Age::from_secs(60));
    assert_eq!((bench.net(CALL), bench.net(PUT)), (0, 0));
    let payout = Money::from_paise(5_000 * LOT);
    let tax = tables().charges.on(scalper_decide::domain::Exchange::Nse, day(13)).unwrap().for_exercise(payout).total();
    assert_eq!(bench.sim.truth().cash, before + payout - tax);
    assert_eq!(bench.sim.truth().ledger.settlements.len(), 2);
    assert_eq!(bench.sim.oms().funds().utilized, Money::ZERO);
    assert!(bench.sim.is_over());
    bench.assert_sound();
}

#[test]
fn an_order_placed_in_the_last_moment_is_rejected_by_the_closed_exchange() {
    let mut bench = two_days();
    bench.to(close(12) - Age::from_millis(100));
    let late = bench.place(&PlaceRequest::limit(OrderSide::Buy, CALL, LOT, rs(101)));
    bench.to(close(12) + Age::from_secs(1));
    assert_eq!(bench.status(late), BrokerStatus::Rejected);
    bench.to(close(12) + Age::from_secs(70));
    bench.assert_sound();
}
