//! Orders and positions that are not ours (E1-E3, E7, I19).

use super::updates::row_of_stranger;
use super::*;

fn holding_with_stop() -> (Desk, OrderRow, ClientOrderId, OrderRow) {
    let (mut d, _, entry) = Desk::working();
    let entry = executed(&entry, 2, 100, BrokerStatus::Traded);
    d.push(at(1), &entry);
    d.trades(at(3), &[trade(&entry, 1, 2, 100)]);
    let s = spec(2, OrderSide::Sell, stop(90, 88), 2);
    let stop = d.place(at(3), s);
    let stop_row = row(&s, 2);
    d.push(at(4), &stop_row);
    (d, entry, stop, stop_row)
}

#[test]
fn e1_foreign_trades_in_our_contract_are_counted_apart_and_never_touched() {
    let (mut d, entry, _, stop) = holding_with_stop();
    let bought = row_of_stranger(8, OrderSide::Buy, 3);
    d.round(at(20), &[entry.clone(), stop.clone(), bought.clone()], &[], &[position(5, 0)]);
    assert_eq!((d.found("FOREIGN"), d.found("POSITION_DIFFERS"), d.block()), (1, 0, None));
    assert_eq!(d.r.sellable(SLOT, Qty::new(2 * LOT)), Some(Qty::new(2 * LOT)));
    let sold = row_of_stranger(9, OrderSide::Sell, 4);
    d.reads.clear();
    d.push(at(30), &sold);
    assert!(d.asked(BrokerRead::Positions).contains(&at(30)), "somebody traded: the net is read");
    d.round(at(32), &[entry, stop, bought, sold], &[], &[position(5, 4)]);
    assert_eq!(d.r.sellable(SLOT, Qty::new(2 * LOT)), Some(Qty::new(LOT)), "min(owned, net) (I2)");
    assert!(d.commands.is_empty() && d.found("POSITION_DIFFERS") == 0);
}

#[test]
fn e1_other_products_and_carried_units_do_not_explain_or_cap_ours() {
    // E15: own only what our fills explain.
    let (mut d, ..) = holding_with_stop();
    let carried = PositionRow { net: 5 * LOT, ..position(2, 0) };
    let margin = PositionRow { product: Product::Margin, ..position(7, 0) };
    d.positions(at(20), &[carried, margin]);
    assert_eq!((d.found("POSITION_DIFFERS"), d.r.sellable(SLOT, Qty::new(2 * LOT))), (0, Some(Qty::new(2 * LOT))));
}

#[test]
fn e2_a_position_closed_by_hand_caps_what_may_be_sold_while_our_stop_still_rests() {
    let (mut d, entry, _, stop) = holding_with_stop();
    d.positions(at(20), &[position(2, 2)]);
    assert_eq!(d.r.sellable(SLOT, Qty::new(2 * LOT)), None, "one read proves nothing (F-57)");
    d.positions(at(22), &[position(2, 2)]);
    assert_eq!(d.r.sellable(SLOT, Qty::new(2 * LOT)), None, "our stop may have executed unseen");
    d.book(at(22), &[entry, stop]);
    d.positions(at(24), &[position(2, 2)]);
    assert_eq!(d.r.sellable(SLOT, Qty::new(2 * LOT)), Some(Qty::ZERO));
    assert_eq!(d.found("POSITION_DIFFERS"), 0, "with an order working nothing is concluded");
}

#[test]
fn e2_a_known_foreign_sale_explains_what_is_missing() {
    let (mut d, entry, _, stop) = holding_with_stop();
    let sold = row_of_stranger(9, OrderSide::Sell, 2);
    d.book(at(18), &[entry, stop, sold]);
    d.positions(at(20), &[position(2, 2)]);
    assert_eq!(d.r.sellable(SLOT, Qty::new(2 * LOT)), Some(Qty::ZERO));
    assert_eq!(d.block(), None);
}

#[test]
fn e3_our_stop_cancelled_by_hand_is_cancelled_and_named() {
    let (mut d, _, stop, row) = holding_with_stop();
    d.push(at(20), &with_status(&row, BrokerStatus::Cancelled));
    assert_eq!(d.state(stop), &OrderState::Cancelled { filled: Qty::ZERO });
    assert_eq!(d.found("CANCELLED_ELSEWHERE"), 1);
}

#[test]
fn e7_an_order_with_our_mark_that_we_never_sent_stops_entries() {
    // H6: a second daemon, or an old journal.
    let mut d = Desk::open();
    let s = spec(77, OrderSide::Buy, limit(100), 1);
    d.book(at(1), &[row(&s, 77)]);
    assert_eq!((d.found("OWN_UNKNOWN"), d.found("FOREIGN"), d.block()), (1, 0, Some("OWN_UNKNOWN")));
    assert!(d.commands.is_empty(), "found, not touched");
    d.book(at(3), &[row(&s, 77)]);
    assert_eq!(d.findings.len(), 1);
}

#[test]
fn a_second_order_under_one_of_our_ids_is_found_and_does_not_count_as_ours() {
    // I1.
    let (mut d, id, first) = Desk::working();
    let second = OrderRow { broker_id: broker(2), ..executed(&first, 1, 100, BrokerStatus::PartTraded) };
    d.book(at(2), &[first, second]);
    assert_eq!((d.filled(id), d.found("DUPLICATE"), d.block()), (0, 1, Some("OWN_UNKNOWN")));
}

#[test]
fn a_tag_of_another_client_is_foreign() {
    let mut d = Desk::open();
    let tag = ClientOrderId::parse("my-other-bot-17");
    d.book(at(1), &[OrderRow { tag, ..row_of_stranger(8, OrderSide::Buy, 1) }]);
    assert_eq!((d.found("FOREIGN"), d.block()), (1, None));
}
