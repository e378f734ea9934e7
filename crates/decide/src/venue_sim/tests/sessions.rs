//! Opening, closing, settling and the arrival of commands.

use super::*;

#[test]
fn nothing_trades_on_a_tick_received_after_the_close() {
    let mut bench = Bench::new(BASE);
    bench.buy(0, 1, limit("105"));
    bench.until(150);
    bench.said();
    let close = hours(day()).close_at();
    bench.tick(Tick { received_at: close, ..touch(300, "100", "99.95", "100.05") });
    assert_eq!(bench.said(), [""; 0]);
}

#[test]
fn commands_arrive_one_by_one_at_their_own_time() {
    let mut bench = Bench::new(BASE);
    let id = bench.buy(0, 1, limit("90"));
    bench.modify(100, id, 1, 2, limit("91"));
    bench.until(249);
    assert_eq!(bench.said(), ["accepted"]);
    assert_eq!(bench.venue.wake_at(), Some(ms(250)));
    bench.until(250);
    assert_eq!(bench.said(), ["modified 1"]);
    assert_eq!(bench.venue.wake_at(), None);
}

#[test]
fn an_instrument_without_orders_is_left_alone_again_after_each_kind_of_end() {
    let mut bench = Bench::new(BASE);
    let live = |bench: &Bench| bench.venue.slots[CONTRACT.slot()].live;
    bench.buy(0, 1, limit("105"));
    bench.buy(0, 1, limit("100.02"));
    assert_eq!(live(&bench), 2);
    bench.tick(touch(200, "100", "99.95", "100.05"));
    assert_eq!(live(&bench), 0, "filled and refused");
    let id = bench.buy(200, 1, limit("99"));
    bench.until(400);
    assert_eq!(live(&bench), 1);
    bench.cancel(400, id);
    bench.until(600);
    assert_eq!(live(&bench), 0, "cancelled");
    bench.buy(600, 1, limit("99"));
    bench.until(800);
    bench.venue.settle(Underlying::Nifty, expiry(), ms(800), &mut bench.out);
    assert_eq!(live(&bench), 0, "settled");
    bench.venue.list(&contract(day()));
    bench.buy(900, 1, limit("99"));
    bench.until(1_100);
    bench.buy(1_100, 1, limit("99"));
    assert_eq!(live(&bench), 2);
    bench.venue.close_session(ms(1_150), &mut bench.out);
    assert_eq!(live(&bench), 0, "lapsed and never arrived");
}

#[test]
fn day_orders_lapse_at_the_close_and_late_commands_are_refused() {
    let mut bench = Bench::new(BASE);
    let id = bench.buy(0, 4, limit("100.05"));
    bench.tick(book(200, "100", &[("100", 5)], &[("100.05", 3)]));
    let close = hours(day()).close_at();
    bench.said();
    let late = bench.spec(OrderSide::Buy, 1, limit("100"));
    bench.venue.submit(close - Age::from_millis(10), Command::Place(late));
    bench.venue.submit(close - Age::from_millis(10), Command::Cancel { id, instrument: CONTRACT });
    bench.venue.close_session(close, &mut bench.out);
    assert!(bench.out.iter().all(|o| o.deliver_at == close + bench.venue.model().report_latency));
    assert_eq!(bench.said(), ["rejected MarketClosed", "cancel refused MarketClosed", "cancelled 3"]);
    assert_eq!((bench.venue.working_orders(), bench.venue.wake_at()), (0, None));
    let after = bench.spec(OrderSide::Buy, 1, limit("100"));
    bench.venue.submit(close + Age::from_secs(5), Command::Place(after));
    bench.venue.advance(close + Age::from_secs(6), &mut bench.out);
    assert_eq!(bench.said(), ["rejected MarketClosed"]);
}

#[test]
fn a_settled_or_expired_series_takes_no_orders() {
    // P30: the whole series in one step.
    let mut bench = Bench::new(BASE);
    bench.buy(0, 1, limit("90"));
    bench.until(150);
    bench.said();
    bench.venue.settle(Underlying::Nifty, expiry(), ms(200), &mut bench.out);
    bench.buy(200, 1, limit("90"));
    bench.until(400);
    assert_eq!(bench.said(), ["cancelled 0", "rejected Expired"]);
    let mut bench = Bench::new(BASE);
    bench.venue.list(&contract(day().pred_opt().unwrap()));
    bench.buy(0, 1, limit("90"));
    bench.until(150);
    assert_eq!(bench.said(), ["rejected Expired"]);
}

#[test]
fn a_new_session_knows_no_price_of_the_day_before_and_goes_on_numbering_trades() {
    // P23: a weeks-old price neither fills nor refuses.
    let mut bench = Bench::new(BASE);
    bench.buy(0, 1, limit("105"));
    bench.tick(touch(200, "100", "99.95", "100.05"));
    let trade = |out: &[VenueOutput]| match &out.last().unwrap().event.report {
        OrderReport::Filled(fill) => fill.trade,
        other => panic!("{other:?}"),
    };
    let first = trade(&bench.out);
    assert_eq!(first, TradeId(20_260_112_000_000_001));
    bench.venue.close_session(hours(day()).close_at(), &mut bench.out);
    bench.said();
    let tomorrow = expiry();
    bench.venue.open_session(&hours(tomorrow));
    let at = |millis| Instant::from_ist(tomorrow, TimeOfDay::hm(10, 0).unwrap()) + Age::from_millis(millis);
    // With yesterday's 100 remembered this stop would be on the wrong side, and this limit out of band.
    let order = bench.spec(OrderSide::Sell, 1, stop("300", "298"));
    bench.venue.submit(at(0), Command::Place(order));
    let order = bench.spec(OrderSide::Buy, 1, limit("310"));
    bench.venue.submit(at(0), Command::Place(order));
    bench.venue.advance(at(150), &mut bench.out);
    assert_eq!(bench.said(), ["accepted", "accepted"]);
    bench.tick(Tick { received_at: at(200), ..touch(0, "305", "304.95", "305.05") });
    assert!(trade(&bench.out) > first);
}

#[test]
#[should_panic(expected = "the session before was not closed")]
fn a_session_cannot_open_over_orders_of_the_one_before() {
    let mut bench = Bench::new(BASE);
    bench.buy(0, 1, limit("100"));
    bench.venue.open_session(&hours(expiry()));
}
