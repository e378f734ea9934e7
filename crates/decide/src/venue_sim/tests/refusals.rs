//! What is refused, and why.

use super::*;

#[test]
fn refusals_are_typed() {
    // F-40 (freeze on both sides), I22, dhan-v2.md 8.2.
    let refusal = |side, qty, order_type| {
        let mut bench = Bench::new(BASE);
        bench.tick(touch(0, "100", "99.95", "100.05"));
        let spec = OrderSpec { qty: Qty::new(qty), ..bench.spec(side, 1, order_type) };
        bench.send(0, spec);
        bench.until(150);
        bench.said().join(" ")
    };
    let (buy, sell) = (OrderSide::Buy, OrderSide::Sell);
    assert_eq!(refusal(buy, LOT, limit("100.02")), "rejected TickSize");
    assert_eq!(refusal(buy, LOT, limit("0")), "rejected TickSize");
    assert_eq!(refusal(sell, LOT, stop("95.01", "93")), "rejected TickSize");
    assert_eq!(refusal(buy, LOT - 1, limit("100")), "rejected LotSize");
    assert_eq!(refusal(sell, 0, limit("100")), "rejected LotSize");
    for side in [buy, sell] {
        assert_eq!(refusal(side, 24 * LOT, limit("100")), "accepted");
        assert_eq!(refusal(side, 25 * LOT, limit("100")), "rejected FreezeQuantity");
    }
    // 40 % beyond the touch: 140.07 and 59.97.
    assert_eq!(refusal(buy, LOT, limit("140.05")), "accepted");
    assert_eq!(refusal(buy, LOT, limit("140.10")), "rejected PriceBand");
    assert_eq!(refusal(sell, LOT, limit("60")), "accepted");
    assert_eq!(refusal(sell, LOT, limit("59.95")), "rejected PriceBand");
    assert_eq!(refusal(sell, LOT, limit("300")), "accepted", "passive prices are free");
    assert_eq!(refusal(sell, LOT, stop("50", "48")), "accepted", "a stop is measured from its trigger");
    assert_eq!(refusal(sell, LOT, stop("90", "49.95")), "rejected PriceBand");
    assert_eq!(refusal(sell, LOT, stop("100", "98")), "accepted", "trigger at the last price");
    assert_eq!(refusal(sell, LOT, stop("100.05", "98")), "rejected TriggerSide");
    assert_eq!(refusal(sell, LOT, stop("95", "95.05")), "rejected TriggerSide");
    assert_eq!(refusal(buy, LOT, stop("99.95", "102")), "rejected TriggerSide");
    assert_eq!(refusal(buy, LOT, stop("105", "104.95")), "rejected TriggerSide");
}

#[test]
fn under_fifty_rupees_the_band_is_twenty_rupees_and_it_follows_the_market() {
    let band = PriceBand::default();
    assert_eq!(band.edge(OrderSide::Sell, p("30")), p("10"));
    assert_eq!(band.edge(OrderSide::Buy, p("50")), p("70"));
    assert_eq!(band.edge(OrderSide::Buy, p("100")), p("140"));
    // An option that opened at 200 and fell to 60 can be sold at 55 (L7: exits are not locked in).
    let mut bench = Bench::new(BASE);
    bench.tick(touch(0, "200", "199.95", "200.05"));
    bench.tick(touch(1_000, "60", "59.95", "60.05"));
    bench.sell(1_000, 1, limit("55"));
    bench.until(1_150);
    assert_eq!(bench.said(), ["accepted"]);
    // A stale last price does not lock an exit in either: the bid counts too.
    bench.tick(touch(2_000, "60", "20", "20.50"));
    bench.sell(2_000, 1, limit("19"));
    bench.until(2_150);
    assert_eq!(bench.said(), ["accepted"]);
    let narrow = VenueSim::new(FillModel::named(BASE))
        .with_price_band(PriceBand { share: Bps::from_percent(1), least: p("0.05") });
    let mut bench = Bench { venue: narrow, out: Vec::new(), ids: 0 };
    bench.venue.open_session(&hours(day()));
    bench.venue.list(&contract(expiry()));
    bench.tick(touch(0, "100", "99.95", "100.05"));
    bench.buy(0, 1, limit("101.10"));
    bench.until(150);
    assert_eq!(bench.said(), ["rejected PriceBand"]);
}

#[test]
fn an_id_is_taken_once() {
    let mut bench = Bench::new(BASE);
    let spec = bench.spec(OrderSide::Buy, 1, limit("100"));
    bench.send(0, spec);
    bench.send(1, spec);
    bench.until(151);
    assert_eq!(bench.said(), ["accepted", "rejected DuplicateId"]);
    assert_eq!(bench.venue.working_orders(), 1);
}

#[test]
fn changes_to_an_order_that_is_not_open_are_refused() {
    // F-90: a cancellation does not always succeed; L2: an order filled first.
    let mut bench = Bench::new(BASE);
    let id = bench.buy(0, 1, limit("105"));
    bench.tick(touch(200, "100", "99.95", "100.05"));
    bench.modify(210, id, 1, 2, limit("106"));
    bench.cancel(220, id);
    let unknown = bench.spec(OrderSide::Buy, 1, limit("100")).id;
    bench.cancel(230, unknown);
    bench.until(400);
    assert_eq!(
        bench.said(),
        ["accepted", "1@100.05", "modify 1 refused NotOpen", "cancel refused NotOpen", "cancel refused NotOpen"]
    );
}

#[test]
fn a_refused_modification_leaves_the_order_as_it_was() {
    let mut bench = Bench::new(BASE);
    bench.tick(touch(0, "100", "99.95", "100.05"));
    let id = bench.sell(0, 2, stop("95", "93"));
    bench.modify(1, id, 1, 2, stop("101", "99"));
    bench.modify(2, id, 1, 2, stop("96.02", "93"));
    bench.modify(3, id, 1, 30, stop("96", "94"));
    bench.modify(4, id, 2, 2, stop("96", "94"));
    bench.modify(5, id, 2, 2, stop("97", "94"));
    bench.until(200);
    assert_eq!(
        bench.said(),
        [
            "accepted",
            "modify 1 refused TriggerSide",
            "modify 1 refused TickSize",
            "modify 1 refused FreezeQuantity",
            "modified 2",
            "modify 2 refused modification 2 after 2",
        ]
    );
    bench.tick(touch(300, "96", "95.90", "96.10"));
    assert_eq!(bench.said(), ["triggered", "2@95.90"]);
}

#[test]
fn the_twenty_sixth_modification_is_refused() {
    // I16, dhan-v2.md 5.3.
    let mut bench = Bench::new(BASE);
    bench.tick(touch(0, "100", "99.95", "100.05"));
    let id = bench.sell(0, 1, stop("70", "68"));
    for version in 1..=26 {
        bench.modify(i64::from(version), id, version, 1, stop("70", "68"));
    }
    bench.until(500);
    let said = bench.said();
    assert_eq!(said[25..], ["modified 25", "modify 26 refused ModificationLimit"]);
}

#[test]
fn what_is_not_an_option_listed_here_cannot_be_traded() {
    let mut bench = Bench::new(BASE);
    let mut index = contract(expiry());
    index.id = InstrumentId(0);
    index.kind = InstrumentKind::Index { underlying: Underlying::Nifty };
    bench.venue.list(&index);
    for instrument in [InstrumentId(0), InstrumentId(9)] {
        let spec = OrderSpec { instrument, ..bench.spec(OrderSide::Buy, 1, limit("90")) };
        bench.send(0, spec);
        bench.tick(Tick { instrument, ..last(100, "90") });
        bench.until(150);
        assert_eq!(bench.said(), [format!("rejected no tradable contract in slot {}", instrument.0)]);
    }
}
