//! What is refused at once and what is rejected later, with the words (dhan-v2.md 8, 9.2; C7..C12).

use super::*;
use crate::simulator::oms::MODIFICATIONS;
use crate::simulator::oms::request::{ApiCode, ModifyRequest};
use BrokerStatus::{Pending, Rejected, Transit};
use scalper_decide::domain::broker::{BrokerOrderType, Product};

fn buy(qty: i64, price: Premium) -> PlaceRequest {
    PlaceRequest::limit(OrderSide::Buy, CALL, qty, price)
}

/// Places, waits, and gives the rejection's code and words.
fn rejection(bench: &mut Bench, request: &PlaceRequest) -> (&'static str, String) {
    let order = bench.place(request);
    assert_eq!(bench.status(order), Transit, "the reply knows nothing of the rejection");
    bench.to(bench.sim.now() + Age::from_millis(250));
    assert_eq!(bench.told(order), [Transit, Rejected]);
    let error = bench.row(order).error.clone().expect("a rejection says why");
    (error.code, error.text)
}

#[test]
fn bad_fields_fail_at_once_with_a_message_that_names_none() {
    // 9.2: DH-905 never says which field.
    let mut bench = Bench::quoted(&[]);
    let cases = [
        buy(LOT, rs(90)).tagged(&"x".repeat(26)),
        buy(LOT, rs(90)).tagged("a.b"),
        buy(0, rs(90)),
        buy(LOT, Premium::ZERO),
        PlaceRequest { key: (Segment::NseFno, 999), ..buy(LOT, rs(90)) },
        PlaceRequest { key: INDEX, ..buy(LOT, rs(90)) },
        PlaceRequest { product: Product::Cnc, ..buy(LOT, rs(90)) },
        PlaceRequest { disclosed: LOT / 5, ..buy(LOT, rs(90)) },
        PlaceRequest { after_market: true, ..buy(LOT, rs(90)) },
        PlaceRequest::stop(OrderSide::Sell, CALL, LOT, Premium::ZERO, rs(90)),
    ];
    for request in cases {
        let refused = bench.sim.place(&request).unwrap_err();
        assert_eq!(refused.code, ApiCode::Input, "{request:?}");
    }
    assert!(bench.sim.truth().orders.is_empty());
    assert!(bench.sim.place(&buy(LOT, rs(90)).tagged(&"x".repeat(25))).is_ok());
}

#[test]
fn tags_of_thirty_characters_pass_where_the_broker_is_set_to_take_them() {
    // 8.1: 25 was found, 30 is written.
    let mut config = SimConfig::default();
    config.oms.longest_correlation = 30;
    let ticks = vec![tick(CALL, ms(-1_000), rs(100), 650)];
    let mut bench = Bench::new(Scripted { days: BTreeMap::from([(day(12), ticks)]), halts: Vec::new() }, config);
    bench.to(ms(0));
    assert!(bench.sim.place(&buy(LOT, rs(90)).tagged(&"x".repeat(30))).is_ok());
    assert!(bench.sim.place(&buy(LOT, rs(90)).tagged(&"x".repeat(31))).is_err());
}

#[test]
fn lot_tick_freeze_band_and_trigger_side_are_rejected_with_their_reasons() {
    // 8.2, C9, C11, C12.
    let mut bench = Bench::quoted(&[]);
    assert!(rejection(&mut bench, &buy(LOT + 1, rs(90))).1.contains("lot size 65"));
    assert!(rejection(&mut bench, &buy(28 * LOT, rs(90))).1.contains("freeze"));
    assert!(rejection(&mut bench, &buy(LOT, paise(9_003))).1.contains("tick size"));
    assert!(rejection(&mut bench, &buy(LOT, rs(141))).1.contains("limit price protection"));
    let stop = PlaceRequest::stop(OrderSide::Sell, CALL, LOT, rs(101), rs(95));
    assert!(rejection(&mut bench, &stop).1.contains("Trigger"));
    let order = bench.place(&buy(LOT, rs(140)));
    bench.to(ms(2_000));
    assert_eq!(bench.status(order), Pending, "40 % above the touch is inside");
}

#[test]
fn below_fifty_rupees_the_band_is_twenty_rupees() {
    // 8.2.
    let mut bench = Bench::with(vec![tick(CALL, ms(-1_000), paise(2_995), 650)]);
    assert!(rejection(&mut bench, &buy(LOT, paise(5_005))).1.contains("limit price protection"));
    let order = bench.place(&buy(LOT, rs(50)));
    bench.to(ms(2_000));
    assert_eq!(bench.status(order), Pending);
}

#[test]
fn a_stop_market_order_on_an_option_is_function_not_available() {
    // 8.2, C14, checklist 9.
    let mut bench = Bench::quoted(&[]);
    let mut request = PlaceRequest::stop(OrderSide::Sell, CALL, LOT, rs(80), rs(80));
    request.order_type = BrokerOrderType::StopLossMarket;
    assert_eq!(rejection(&mut bench, &request).0, "16052");
}

#[test]
fn a_market_order_where_nothing_has_a_price_is_rejected_by_number() {
    let mut bench = Bench::with(vec![]);
    assert_eq!(rejection(&mut bench, &PlaceRequest::market(OrderSide::Buy, CALL, LOT)).0, "17181");
}

#[test]
fn what_costs_more_than_is_free_is_rejected_and_blocks_nothing() {
    // C8.
    let mut bench = Bench::quoted(&[]);
    let held = bench.place(&buy(27 * LOT, rs(138)));
    let mut more = 0;
    while bench.sim.oms().funds().available > money(250_000) {
        bench.place(&buy(27 * LOT, rs(138)));
        more += 1;
    }
    assert!(more >= 1);
    let before = bench.sim.oms().funds();
    assert!(rejection(&mut bench, &buy(27 * LOT, rs(138))).1.contains("Insufficient Funds"));
    assert_eq!(bench.sim.oms().funds(), before);
    bench.sim.cancel(held).unwrap();
    bench.to(ms(3_000));
    assert!(bench.sim.oms().funds().available > before.available);
    let short = PlaceRequest::limit(OrderSide::Sell, CALL, 20 * LOT, rs(99));
    assert!(rejection(&mut bench, &short).1.contains("Insufficient Funds"));
}

#[test]
fn a_future_is_listed_but_not_enabled_for_trading() {
    let mut bench = Bench::quoted(&[]);
    assert!(rejection(&mut bench, &PlaceRequest { key: FUTURE, ..buy(LOT, rs(90)) }).1.contains("not enabled"));
}

#[test]
fn before_the_open_and_after_the_close_orders_are_refused_in_the_brokers_words() {
    // 5.3, DH-906.
    let ticks = vec![tick(CALL, ms(-1_000), rs(100), 650)];
    let market = Scripted { days: BTreeMap::from([(day(12), ticks)]), halts: Vec::new() };
    let mut bench = Bench::new(market, SimConfig::default());
    let refused = bench.sim.place(&buy(LOT, rs(90))).unwrap_err();
    assert_eq!(refused.code, ApiCode::Order);
    assert!(refused.message.starts_with("Market is Closed!"));
    bench.to(ms(0));
    let order = bench.place(&buy(LOT, rs(90)));
    bench.to(Instant::from_ist(day(12), hm(15, 30)));
    let refused =
        bench.sim.modify(&ModifyRequest { order_no: order, order_type: None, qty: None, price: None, trigger: None });
    assert_eq!(refused.unwrap_err().message, "Market is Closed! You cannot modify/cancel an order now.");
}

#[test]
fn the_twenty_sixth_modification_is_refused_and_a_refused_one_changes_nothing() {
    // 5.3, 9.1, C19.
    let mut bench = Bench::quoted(&[]);
    let order = bench.place(&buy(LOT, rs(70)));
    bench.to(ms(500));
    let ask = |bench: &mut Bench, price| {
        let asked = ModifyRequest { order_no: order, order_type: None, qty: None, price: Some(price), trigger: None };
        bench.sim.modify(&asked)
    };
    ask(&mut bench, rs(200)).unwrap();
    bench.to(ms(1_000));
    assert_eq!((bench.row(order).price, bench.status(order)), (rs(70), Pending));
    assert!(
        matches!(bench.causes(order).last(), Some(Cause::ModifyRefused(error)) if error.text.contains("protection"))
    );
    for n in 1..i64::from(MODIFICATIONS) {
        ask(&mut bench, rs(70 + n)).unwrap();
    }
    let refused = ask(&mut bench, rs(60)).unwrap_err();
    assert!(refused.code == ApiCode::Order && refused.message.contains("25 modifications"));
    bench.to(ms(5_000));
    assert_eq!((bench.row(order).price, bench.row(order).modifications), (rs(94), MODIFICATIONS));
    let unknown = bench.sim.cancel(OrderNo(5)).unwrap_err();
    assert_eq!(unknown.code, ApiCode::Input);
}
