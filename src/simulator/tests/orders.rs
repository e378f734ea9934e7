//! The life of plain orders (dhan-v2.md 5, 15.10).

use super::*;
use crate::simulator::oms::order::Validity;
use crate::simulator::oms::request::{ApiCode, ModifyRequest};
use BrokerStatus::{Cancelled, PartTraded, Pending, Traded, Transit};
use scalper_decide::domain::broker::BrokerOrderType;

fn modify(order_no: OrderNo) -> ModifyRequest {
    ModifyRequest { order_no, order_type: None, qty: None, price: None, trigger: None }
}

#[test]
fn an_order_goes_from_transit_over_pending_to_traded_with_session_delays() {
    // Simulator checklist 10.
    let mut bench = Bench::quoted(&[rs(100)]);
    let reply = bench.sim.place(&PlaceRequest::limit(OrderSide::Buy, CALL, LOT, rs(101)).tagged("A1-x")).unwrap();
    assert_eq!(reply.status, Transit);
    bench.to(ms(199));
    assert_eq!(bench.status(reply.order_no), Transit);
    bench.to(ms(200));
    assert_eq!(bench.status(reply.order_no), Pending, "150 ms there and 50 ms back");
    assert_eq!(bench.row(reply.order_no).exchange_at, Some(ms(150)));
    bench.to(ms(2_000));
    let row = bench.row(reply.order_no);
    assert_eq!((row.status.clone(), row.filled, row.remaining()), (Traded, LOT, 0));
    assert_eq!(row.average_price(), 100.05);
    assert_eq!(bench.told(reply.order_no), [Transit, Pending, Traded]);
    let trade = &bench.sim.oms().trades()[0];
    assert_eq!((trade.price, trade.at, trade.booked_at), (paise(10_005), ms(1_000), ms(1_050)));
    assert_eq!(bench.sim.oms().orders_tagged("A1-x").len(), 1);
    bench.assert_sound();
}

#[test]
fn a_thin_book_fills_in_parts_and_the_rest_can_be_cancelled() {
    // C16, C17; a cancelled order shows nothing remaining (5.4).
    let mut bench = Bench::with(vec![tick(CALL, ms(-1_000), rs(100), 65), tick(CALL, ms(1_000), rs(100), 65)]);
    let order = bench.place(&PlaceRequest::limit(OrderSide::Buy, CALL, 3 * LOT, rs(101)));
    bench.to(ms(1_050));
    assert_eq!(bench.told(order), [Transit, Pending, PartTraded]);
    assert_eq!(bench.row(order).remaining(), 2 * LOT);
    assert_eq!(bench.sim.cancel(order).unwrap().status, Cancelled, "the reply is ahead of the exchange");
    assert_eq!(bench.status(order), PartTraded);
    bench.to(ms(1_300));
    let row = bench.row(order);
    assert_eq!((row.status.clone(), row.filled, row.remaining()), (Cancelled, LOT, 0));
    let again = bench.sim.cancel(order).unwrap_err();
    assert_eq!((again.code, again.message.as_str()), (ApiCode::Order, "Nothing to Cancel . "));
    bench.assert_sound();
}

#[test]
fn order_numbers_have_fourteen_digits_with_the_date_and_grow() {
    let mut bench = Bench::quoted(&[]);
    let first = bench.place(&PlaceRequest::limit(OrderSide::Buy, CALL, LOT, rs(90)));
    let second = bench.place(&PlaceRequest::limit(OrderSide::Buy, CALL, LOT, rs(90)));
    assert_eq!((first.to_string(), second.to_string()), ("11260112000001".to_owned(), "11260112000002".to_owned()));
}

#[test]
fn a_tag_is_no_key_two_orders_may_carry_the_same() {
    // 8.1, C2: a retried POST places a second order.
    let mut bench = Bench::quoted(&[rs(100)]);
    let request = PlaceRequest::limit(OrderSide::Buy, CALL, LOT, rs(101)).tagged("same");
    let (a, b) = (bench.place(&request), bench.place(&request));
    bench.to(ms(2_000));
    assert_eq!(bench.net(CALL), 2 * LOT);
    let found: Vec<OrderNo> = bench.sim.oms().orders_tagged("same").iter().map(|o| o.order_no).collect();
    assert_eq!(found, [a, b]);
    assert!(bench.sim.oms().orders_tagged("other").is_empty());
}

#[test]
fn a_modification_states_the_total_quantity_and_may_turn_a_stop_into_a_limit() {
    // C20, 5.3: protection turned into a marketable exit.
    let mut bench = Bench::quoted(&[rs(100), rs(100), rs(100), rs(100), rs(100)]);
    bench.long_call(2);
    let stop = bench.place(&PlaceRequest::stop(OrderSide::Sell, CALL, LOT, rs(80), rs(76)));
    bench.to(ms(2_500));
    bench.sim.modify(&ModifyRequest { qty: Some(2 * LOT), ..modify(stop) }).unwrap();
    bench.to(ms(2_800));
    assert_eq!(
        (bench.row(stop).qty, bench.row(stop).remaining(), bench.row(stop).modifications),
        (2 * LOT, 2 * LOT, 1)
    );
    let exit = ModifyRequest { order_type: Some(BrokerOrderType::Limit), price: Some(rs(99)), ..modify(stop) };
    bench.sim.modify(&exit).unwrap();
    bench.to(ms(4_500));
    assert_eq!((bench.status(stop), bench.net(CALL)), (Traded, 0));
    bench.assert_sound();
}

#[test]
fn a_stop_rests_until_its_trigger_trades_and_then_sells_within_its_limit() {
    let mut bench = Bench::quoted(&[rs(100), rs(85), rs(80), rs(79)]);
    bench.long_call(1);
    let stop = bench.place(&PlaceRequest::stop(OrderSide::Sell, CALL, LOT, rs(80), rs(76)));
    bench.to(ms(2_500));
    assert_eq!(bench.status(stop), Pending);
    bench.to(ms(5_000));
    assert_eq!((bench.status(stop), bench.net(CALL)), (Traded, 0));
    assert!(bench.causes(stop).contains(&&Cause::Triggered));
}

#[test]
fn a_market_order_becomes_a_protected_limit_that_can_rest() {
    // C15, 8.3, checklist 9: band of 10 % between Rs 50 and 200.
    let mut bench = Bench::quoted(&[rs(130)]);
    let order = bench.place(&PlaceRequest::market(OrderSide::Buy, CALL, LOT));
    let row = bench.row(order);
    assert_eq!((row.order_type, row.price), (BrokerOrderType::Limit, paise(11_010)));
    bench.to(ms(2_000));
    assert_eq!(bench.status(order), Pending, "the market ran away from the band");
}

#[test]
fn an_ioc_order_trades_at_its_first_chance_and_what_does_not_is_cancelled() {
    // C26.
    let mut bench = Bench::with(vec![
        tick(CALL, ms(-1_000), rs(100), 65),
        tick(CALL, ms(1_000), rs(100), 65),
        tick(CALL, ms(2_000), rs(100), 65),
    ]);
    let request =
        PlaceRequest { validity: Validity::Ioc, ..PlaceRequest::limit(OrderSide::Buy, CALL, 3 * LOT, rs(101)) };
    let order = bench.place(&request);
    bench.to(ms(1_060));
    assert_eq!((bench.status(order), bench.row(order).filled), (Cancelled, LOT));
    bench.to(ms(3_000));
    assert_eq!(bench.net(CALL), LOT);
    bench.assert_sound();
}

#[test]
fn cash_after_a_round_trip_is_start_plus_sale_less_purchase_less_the_charges_of_both_orders() {
    // dhan-v2.md 12, F-89; brokerage once per order however many executions it took.
    let mut bench = Bench::with(vec![
        tick(CALL, ms(-1_000), rs(150), 65),
        tick(CALL, ms(1_000), rs(150), 65),
        tick(CALL, ms(2_000), rs(151), 65),
        tick(CALL, ms(4_000), rs(170), 650),
    ]);
    bench.place(&PlaceRequest::limit(OrderSide::Buy, CALL, 2 * LOT, rs(152)));
    bench.to(ms(2_500));
    assert_eq!(bench.net(CALL), 2 * LOT);
    bench.place(&PlaceRequest::limit(OrderSide::Sell, CALL, 2 * LOT, rs(160)));
    bench.to(ms(5_000));
    assert_eq!(bench.net(CALL), 0);
    let (bought, sold) = (Money::from_paise(15_005 * LOT + 15_105 * LOT), Money::from_paise(16_995 * 2 * LOT));
    let rates = tables().charges.on(scalper_decide::domain::Exchange::Nse, day(12)).unwrap();
    let charges = rates.for_order(OrderSide::Buy, bought).total() + rates.for_order(OrderSide::Sell, sold).total();
    assert_eq!(bench.sim.truth().cash, money(1_000_000) + sold - bought - charges);
    bench.assert_sound();
}

#[test]
fn an_option_can_be_sold_short_against_margin_and_bought_back() {
    let mut bench = Bench::quoted(&[rs(100), rs(100), rs(90), rs(80)]);
    let before = bench.sim.oms().funds();
    bench.place(&PlaceRequest::limit(OrderSide::Sell, CALL, LOT, rs(99)));
    let blocked = Money::from_paise(25_650 * 100 * LOT * 12 / 100);
    assert_eq!(bench.sim.oms().funds().available, before.available - blocked);
    bench.to(ms(1_500));
    assert_eq!((bench.net(CALL), bench.sim.oms().funds().utilized), (-LOT, blocked));
    bench.place(&PlaceRequest::limit(OrderSide::Buy, CALL, LOT, rs(95)));
    bench.to(ms(5_000));
    assert_eq!((bench.net(CALL), bench.sim.oms().funds().utilized), (0, Money::ZERO));
    let row = bench.sim.oms().positions().of(CALL).next().unwrap();
    assert!(row.realized() > Money::ZERO);
    bench.assert_sound();
}

#[test]
fn a_sliced_order_becomes_children_below_the_freeze_limit_with_one_tag() {
    // 5.6, C9.
    let mut bench = Bench::quoted(&[]);
    let replies =
        bench.sim.place_sliced(&PlaceRequest::limit(OrderSide::Buy, CALL, 30 * LOT, rs(90)).tagged("t")).unwrap();
    let sizes: Vec<i64> = replies.iter().map(|r| bench.row(r.order_no).qty).collect();
    assert_eq!(sizes, [27 * LOT, 3 * LOT]);
    assert_eq!(bench.sim.oms().orders_tagged("t").len(), 2);
}
