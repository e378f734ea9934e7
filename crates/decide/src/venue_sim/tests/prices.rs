//! What a fill costs, with a book, without one and inside a bar.

use super::*;

#[test]
fn worse_models_take_a_smaller_share_in_whole_lots_but_never_less_than_one() {
    let takeable = |kind, lots| FillModel::named(kind).takeable(Qty::new(lots * LOT), LotSize::new(LOT).unwrap());
    assert_eq!(takeable(BASE, 10), Qty::new(10 * LOT));
    assert_eq!(takeable(FillModelKind::Pessimistic, 9), Qty::new(4 * LOT));
    assert_eq!(takeable(FillModelKind::Stressed, 10), Qty::new(2 * LOT));
    assert_eq!(takeable(FillModelKind::Stressed, 1), Qty::new(LOT));
    assert_eq!(FillModel::named(BASE).takeable(Qty::new(LOT - 1), LotSize::new(LOT).unwrap()), Qty::ZERO);
}

#[test]
fn base_fills_a_resting_limit_on_touch_and_pessimistic_only_when_traded_through() {
    for (kind, filled) in [(BASE, true), (FillModelKind::Pessimistic, false), (FillModelKind::Stressed, false)] {
        let mut bench = Bench::new(kind);
        bench.buy(0, 1, limit("99"));
        bench.tick(touch(1_000, "100", "99.95", "100.05"));
        bench.said();
        bench.tick(touch(1_100, "99", "98.95", "99"));
        assert_eq!(bench.said().len() == 1, filled, "{kind}");
        bench.tick(touch(1_200, "99", "98.85", "98.90"));
        assert_eq!(bench.said().len() == 1, !filled, "{kind}");
    }
}

#[test]
fn the_market_coming_our_way_while_the_order_travels_is_not_counted() {
    let mut bench = Bench::new(FillModelKind::Stressed);
    bench.buy(0, 1, limit("105"));
    bench.tick(touch(100, "102", "101.95", "102.05"));
    bench.tick(touch(900, "100", "99.95", "100.05"));
    assert_eq!(bench.said(), ["accepted", "1@102.15"], "two ticks beyond the worst ask since the decision");
}

#[test]
fn without_a_book_the_last_price_stands_in_the_middle_of_a_spread() {
    let prices = |kind, price| {
        let mut bench = Bench::new(kind);
        bench.buy(0, 1, limit("500"));
        bench.sell(0, 1, limit("0.05"));
        bench.tick(last(950, price));
        bench.said()[2..].to_vec()
    };
    // 10, 20, 20 and 40 bps of 200, plus 0, 0, 1 and 2 ticks.
    assert_eq!(prices(FillModelKind::Optimistic, "200"), ["1@200.20", "1@199.80"]);
    assert_eq!(prices(BASE, "200"), ["1@200.40", "1@199.60"]);
    assert_eq!(prices(FillModelKind::Pessimistic, "200"), ["1@200.45", "1@199.55"]);
    assert_eq!(prices(FillModelKind::Stressed, "200"), ["1@200.90", "1@199.10"]);
    // 20 bps of 133.35 are 26.67 paise: 30, rounded up to the tick.
    assert_eq!(prices(BASE, "133.35"), ["1@133.65", "1@133.05"]);
    // Small prices: at least two ticks, and never below one.
    assert_eq!(prices(BASE, "10"), ["1@10.10", "1@9.90"]);
    assert_eq!(prices(FillModelKind::Stressed, "0.05"), ["1@0.35", "1@0.05"]);
}

#[test]
fn without_a_book_the_size_is_bounded_and_comes_back_only_with_another_trade() {
    let mut bench = Bench::new(FillModelKind::Stressed);
    bench.buy(0, 12, limit("105"));
    bench.tick(last(900, "100"));
    bench.tick(last(1_000, "100"));
    assert_eq!(bench.said(), ["accepted", "5@100.50"], "a quarter of twenty lots, once");
    bench.tick(last(1_100, "99"));
    assert_eq!(bench.said(), ["5@100.50"], "a cheaper price later is not ours");
    bench.tick(Tick { volume: 7, ..last(1_200, "99") });
    assert_eq!(bench.said(), ["2@100.50"]);
}

#[test]
fn a_tick_without_any_price_trades_nothing() {
    let mut bench = Bench::new(BASE);
    bench.buy(0, 1, limit("105"));
    bench.tick(Tick { ltp_paise: 0, ..last(200, "100") });
    bench.tick(book(300, "100", &[("100", 5)], &[]));
    assert_eq!(bench.said(), ["accepted"], "no trade yet; then buyers only: nobody sells");
}

#[test]
fn a_crossed_book_is_priced_from_its_worse_side() {
    let mut bench = Bench::new(BASE);
    bench.buy(0, 1, limit("105"));
    bench.sell(0, 1, limit("95"));
    bench.tick(touch(200, "100", "100.50", "99.50"));
    assert_eq!(bench.said()[2..], ["1@100.50", "1@99.50"]);
}

#[test]
fn inside_a_bar_sells_are_priced_from_its_low_and_buys_from_its_high_so_far() {
    let mut bench = Bench::new(BASE);
    bench.tick(point(0, "100", TickFlags::BAR_OPEN));
    bench.tick(point(15_000, "110", TickFlags::NONE));
    bench.tick(point(30_000, "90", TickFlags::NONE));
    bench.buy(30_000, 1, limit("120"));
    bench.sell(30_000, 1, limit("60"));
    bench.tick(point(59_000, "100", TickFlags::BAR_CLOSE));
    assert_eq!(bench.said()[2..], ["1@110.25", "1@89.80"], "20 bps of 110 and of 90, in ticks");
    // The next bar starts afresh.
    bench.buy(59_000, 1, limit("120"));
    bench.sell(59_000, 1, limit("60"));
    bench.tick(point(60_000, "101", TickFlags::BAR_OPEN));
    assert_eq!(bench.said()[2..], ["1@101.25", "1@100.75"]);
}

#[test]
fn every_model_meets_the_next_bars_opening_point_after_a_decision_at_a_bars_end() {
    for kind in FillModelKind::ALL {
        assert!(FillModel::named(kind).order_latency < Age::from_secs(1), "{kind}");
        let mut bench = Bench::new(kind);
        bench.tick(point(59_000, "100", TickFlags::BAR_CLOSE));
        bench.buy(59_000, 1, limit("120"));
        bench.tick(point(60_000, "101", TickFlags::BAR_OPEN));
        assert_eq!(bench.said().len(), 2, "{kind}: accepted and filled");
    }
}

#[test]
fn the_named_models_get_worse_in_every_number() {
    // N9.
    for pair in FillModelKind::ALL.windows(2) {
        let (better, worse) = (FillModel::named(pair[0]), FillModel::named(pair[1]));
        assert!(better.kind < worse.kind);
        assert!(better.order_latency < worse.order_latency);
        assert!(better.report_latency < worse.report_latency);
        assert!(better.half_spread <= worse.half_spread);
        assert!(better.half_spread_min_ticks <= worse.half_spread_min_ticks);
        assert!(better.slippage_ticks <= worse.slippage_ticks);
        assert!(better.displayed_share >= worse.displayed_share);
        assert!(better.synthetic_level >= worse.synthetic_level);
        let at = |m: &FillModel| m.half_spread_at(p("150"), p("0.05")).paise() + m.slippage_ticks * 5;
        assert!(at(&better) < at(&worse), "{} costs less than {}", better.kind, worse.kind);
    }
    for kind in FillModelKind::ALL {
        assert_eq!(FillModelKind::from_name(kind.name()), Some(kind));
        assert_eq!(FillModel::named(kind).assumptions()[0].1, kind.name());
    }
    assert_eq!(FillModelKind::from_name("realistic"), None);
}
