//! When and how much an order trades.

use super::*;

#[test]
fn a_decision_never_meets_a_book_from_before_its_arrival() {
    // P25, P26, F-90: base takes 150 ms; the book of the decision and one at 149 ms are too old.
    let mut bench = Bench::new(BASE);
    bench.tick(touch(0, "100", "99.95", "100.05"));
    bench.buy(0, 1, limit("105"));
    bench.tick(touch(149, "100", "99.95", "100.05"));
    assert_eq!(bench.said(), [""; 0]);
    assert_eq!(bench.venue.wake_at(), Some(ms(150)));
    bench.until(400);
    assert_eq!(bench.said(), ["accepted"], "acceptance is not a fill (F-15)");
    bench.tick(touch(401, "102", "101.95", "102.05"));
    assert_eq!(bench.said(), ["1@102.05"]);
}

#[test]
fn an_order_may_trade_on_the_tick_received_as_it_arrives() {
    let mut bench = Bench::new(BASE);
    bench.buy(0, 1, limit("105"));
    // The driver forgot to call `advance`; the tick itself lets the order arrive first.
    bench.tick(touch(150, "100", "99.95", "100.05"));
    assert_eq!(bench.said(), ["accepted", "1@100.05"]);
}

#[test]
fn reports_are_heard_after_the_report_latency_and_name_their_tick() {
    let mut bench = Bench::new(BASE);
    bench.buy(0, 1, limit("105"));
    bench.tick(touch(200, "100", "99.95", "100.05"));
    assert_eq!(bench.out[0].deliver_at, ms(200), "accepted at 150, heard 50 later");
    assert_eq!(bench.out[0].tick, None);
    assert_eq!(bench.out[1].deliver_at, ms(250));
    assert_eq!(bench.out[1].tick, Some(FillContext { ltp: p("100"), synthesised: false }));
    let OrderReport::Filled(fill) = &bench.out[1].event.report else { panic!("a fill") };
    assert_eq!(fill.at, ms(200));
}

#[test]
fn ticks_that_may_not_drive_decisions_never_fill_trigger_or_set_a_price() {
    // P22, P23.
    for flag in [TickFlags::STALE, TickFlags::OUT_OF_SESSION, TickFlags::OUT_OF_ORDER] {
        let mut bench = Bench::new(BASE);
        bench.buy(0, 1, limit("105"));
        bench.sell(0, 1, stop("99", "98"));
        bench.until(150);
        bench.said();
        bench.tick(Tick { flags: flag, ..touch(300, "90", "89.95", "90.05") });
        assert_eq!(bench.said(), [""; 0]);
        // Had 90 become the last price, this stop would be refused.
        bench.sell(301, 1, stop("95", "94"));
        bench.until(500);
        assert_eq!(bench.said(), ["accepted"]);
    }
}

#[test]
fn a_buy_walks_five_levels_and_the_rest_stays_in_the_book() {
    let mut bench = Bench::new(BASE);
    let asks = [("100.05", 1), ("100.10", 2), ("100.15", 1), ("100.25", 1), ("100.30", 1)];
    let id = bench.buy(0, 8, limit("105"));
    bench.tick(book(150, "100", &[("100", 5)], &asks));
    assert_eq!(bench.said(), ["accepted", "1@100.05", "2@100.10", "1@100.15", "1@100.25", "1@100.30"]);
    bench.cancel(200, id);
    bench.until(350);
    assert_eq!(bench.said(), ["cancelled 6"], "F-39: the cancellation counts what was executed");
}

#[test]
fn a_sell_walks_the_bids_down_to_its_limit() {
    let mut bench = Bench::new(BASE);
    bench.sell(0, 4, limit("99.90"));
    bench.tick(book(150, "100", &[("100", 1), ("99.90", 1), ("99.85", 9)], &[("100.05", 5)]));
    assert_eq!(bench.said(), ["accepted", "1@100.00", "1@99.90"]);
}

#[test]
fn what_we_took_from_a_level_is_offered_again_only_when_the_level_changes() {
    let mut bench = Bench::new(BASE);
    bench.buy(0, 6, limit("100.05"));
    bench.tick(book(150, "100", &[("100", 5)], &[("100.05", 2)]));
    bench.tick(book(300, "100", &[("100", 4)], &[("100.05", 2)]));
    assert_eq!(bench.said(), ["accepted", "2@100.05"], "the same two lots are shown twice, not sold twice");
    bench.tick(book(400, "100", &[("100", 4)], &[("100.05", 3)]));
    assert_eq!(bench.said(), ["3@100.05"], "a changed quantity is a new offer");
}

#[test]
fn two_orders_share_one_level_in_order_of_arrival() {
    let mut bench = Bench::new(BASE);
    let first = bench.buy(0, 2, limit("101"));
    bench.buy(1, 2, limit("102"));
    bench.tick(book(160, "100", &[("100", 5)], &[("100.05", 3)]));
    let fills: Vec<_> = bench.out.iter().filter(|o| matches!(o.event.report, OrderReport::Filled(_))).collect();
    assert_eq!(fills[0].event.id, first);
    assert_eq!(bench.said(), ["accepted", "accepted", "2@100.05", "1@100.05"]);
}

#[test]
fn a_resting_limit_fills_at_its_own_price() {
    let mut bench = Bench::new(BASE);
    bench.buy(0, 1, limit("99"));
    bench.tick(touch(200, "100", "99.95", "100.05"));
    bench.tick(touch(300, "98", "97.95", "98.05"));
    assert_eq!(bench.said(), ["accepted", "1@99.00"], "not at 98.05: the sellers came to us");
}

#[test]
fn a_level_listed_twice_is_offered_once() {
    let mut bench = Bench::new(BASE);
    bench.buy(0, 9, limit("105"));
    bench.tick(book(200, "100", &[("100", 5)], &[("100.05", 2), ("100.05", 2), ("100", 3), ("100.10", 1)]));
    assert_eq!(bench.said(), ["accepted", "2@100.05", "1@100.10"]);
}

#[test]
fn an_order_that_arrived_ahead_of_a_tick_still_does_not_meet_an_older_one() {
    // P25, even when the driver advances further than its ticks.
    let mut bench = Bench::new(BASE);
    bench.buy(0, 1, limit("105"));
    bench.until(1_000);
    bench.tick(touch(149, "100", "99.95", "100.05"));
    assert_eq!(bench.said(), ["accepted"]);
    bench.tick(touch(151, "100", "99.95", "100.05"));
    assert_eq!(bench.said(), ["1@100.05"]);
}
