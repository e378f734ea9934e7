//! Stops: trigger, gap, modification.

use super::*;

#[test]
fn a_stop_triggers_on_the_last_price_and_then_sells_at_the_bid() {
    let mut bench = Bench::new(BASE);
    bench.tick(touch(0, "100", "99.95", "100.05"));
    bench.sell(0, 2, stop("95", "93"));
    bench.tick(touch(200, "95.05", "94.50", "95.05"));
    assert_eq!(bench.said(), ["accepted"], "a bid under the trigger is a quote, not a trade");
    bench.tick(touch(300, "95", "94.90", "95"));
    assert_eq!(bench.said(), ["triggered", "2@94.90"]);
}

#[test]
fn a_buy_stop_mirrors_a_sell_stop() {
    let mut bench = Bench::new(BASE);
    bench.tick(touch(0, "100", "99.95", "100.05"));
    bench.buy(0, 1, stop("105", "107"));
    bench.tick(touch(200, "104.95", "104.90", "105.10"));
    bench.tick(touch(300, "105", "104.95", "105.10"));
    assert_eq!(bench.said(), ["accepted", "triggered", "1@105.10"]);
}

#[test]
fn a_stop_that_the_market_jumped_over_rests_until_it_is_priced_again() {
    // S1-17, P14: the engine hears Triggered, sees no fill and chases by modification.
    let mut bench = Bench::new(BASE);
    bench.tick(touch(0, "100", "99.95", "100.05"));
    let id = bench.sell(0, 2, stop("95", "93"));
    bench.tick(touch(200, "90", "89.90", "90.10"));
    bench.tick(touch(300, "91", "90.90", "91.10"));
    assert_eq!(bench.said(), ["accepted", "triggered"]);
    bench.modify(300, id, 1, 2, limit("88"));
    bench.tick(touch(400, "91", "90.90", "91.10"));
    bench.tick(touch(500, "90.50", "90.40", "90.60"));
    assert_eq!(bench.said(), ["modified 1", "2@90.40"]);
}

#[test]
fn an_untriggered_stop_becomes_a_marketable_limit_by_modification() {
    let mut bench = Bench::new(BASE);
    bench.tick(touch(0, "100", "99.95", "100.05"));
    let id = bench.sell(0, 2, stop("80", "78"));
    bench.until(150);
    bench.modify(200, id, 1, 3, stop("85", "83"));
    bench.until(400);
    assert_eq!(bench.said(), ["accepted", "modified 1"], "trigger raised, quantity raised to three lots");
    bench.modify(400, id, 2, 3, limit("97"));
    bench.tick(touch(600, "99", "98.95", "99.05"));
    assert_eq!(bench.said(), ["modified 2", "3@98.95"]);
}

#[test]
fn a_stop_whose_trigger_was_passed_on_its_way_is_refused() {
    let mut bench = Bench::new(BASE);
    bench.tick(touch(0, "100", "99.95", "100.05"));
    bench.sell(0, 1, stop("95", "93"));
    bench.tick(touch(50, "94.95", "94.90", "95.10"));
    bench.tick(touch(100, "96", "95.90", "96.10"));
    bench.until(150);
    assert_eq!(bench.said(), ["rejected TriggerSide"]);
}

#[test]
fn a_triggered_stop_can_only_become_a_limit_and_no_total_falls_to_what_is_executed() {
    let mut bench = Bench::new(BASE);
    bench.tick(touch(0, "100", "99.95", "100.05"));
    let id = bench.sell(0, 4, stop("95", "93"));
    bench.tick(book(200, "95", &[("94.50", 2)], &[("95", 5)]));
    bench.modify(201, id, 1, 4, stop("95", "90"));
    bench.modify(202, id, 2, 2, limit("90"));
    bench.until(400);
    assert_eq!(
        bench.said(),
        [
            "accepted",
            "triggered",
            "2@94.50",
            "modify 1 refused the stop has triggered; only a limit can follow",
            "modify 2 refused total quantity 150 with 150 executed",
        ]
    );
}
