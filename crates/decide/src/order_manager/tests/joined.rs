//! What the broker's books say, acted on.

use super::*;
use crate::domain::alarm::AlarmKey;

const SLOT: InstrumentId = InstrumentId(3);

#[test]
fn i29_no_sell_is_sent_around_the_brokers_square_off_without_proof() {
    // E9
    let mut m = manager();
    let (position, _) = opened(&mut m, 1, LOT);
    m.prove_sells_from(at(10).at);
    assert!(m.act(at(11), exit(position)).is_empty(), "nobody knows whether the units are still there");
    let old = m.set_shown_net(at(25), SLOT, (at(12).at, Qty::new(LOT)));
    assert!(old.commands.is_empty(), "a read asked for 13 s ago proves nothing");
    let gone = m.set_shown_net(at(26), SLOT, (at(26).at, Qty::ZERO));
    assert!(gone.commands.is_empty(), "squared off already");
    let proven = m.set_shown_net(at(28), SLOT, (at(27).at, Qty::new(LOT)));
    assert!(matches!(proven.commands[..], [Command::Place(s)] if s.side == OrderSide::Sell && s.qty == Qty::new(LOT)));
}

#[test]
fn i29_a_resting_stop_is_not_turned_into_a_sale_without_proof() {
    let mut m = manager();
    let (position, stop) = stopped(&mut m);
    m.prove_sells_from(at(10).at);
    assert!(m.act(at(11), exit(position)).is_empty());
    let proven = m.set_shown_net(at(12), SLOT, (at(12).at, Qty::new(LOT)));
    assert!(
        matches!(proven.commands[..], [Command::Modify { id, order_type: OrderType::Limit { .. }, .. }] if id == stop)
    );
}

#[test]
fn e4_a_stop_loosened_by_hand_is_put_back_once() {
    let mut m = manager();
    let (_, stop) = stopped(&mut m);
    let first = m.altered(at(3), stop, Some(Qty::new(LOT)));
    let Command::Modify { order_type, qty, version: 1, .. } = first.commands[0] else { panic!("{first:?}") };
    assert_eq!((order_type.trigger(), qty), (Some(Premium::from_rupees(70)), Qty::new(LOT)));
    assert_eq!(first.alarms[0].key, AlarmKey::OrderAltered);
    m.apply(at(4), &report(stop, OrderReport::Modified { version: 1, order_type, qty })).unwrap();
    let second = m.altered(at(5), stop, Some(Qty::new(LOT)));
    assert!(second.commands.is_empty() && second.alarms.len() == 1, "no fight (E4)");
    let larger = m.altered(at(6), stop, Some(Qty::new(2 * LOT)));
    assert!(matches!(larger.commands[..], [Command::Cancel { .. }]), "more than we own must not stay on sale (I2)");
}

#[test]
fn e4_an_entry_changed_by_somebody_else_is_taken_back() {
    let mut m = manager();
    let (_, entry) = opened(&mut m, 1, 0);
    let outcome = m.altered(at(2), entry, Some(Qty::new(2 * LOT)));
    assert!(matches!(outcome.commands[..], [Command::Cancel { id, .. }] if id == entry));
}

fn late(id: ClientOrderId, side: OrderSide, units: i64, rupees: i64) -> LateUnits {
    let value = Premium::from_rupees(rupees) * Qty::new(units);
    LateUnits { id, instrument: SLOT, side, qty: Qty::new(units), value }
}

#[test]
fn c3_units_bought_beyond_the_end_of_their_order_get_a_position_of_their_own_that_leaves() {
    // I4, C3
    let mut m = manager();
    let (position, entry) = opened(&mut m, 1, 0);
    m.apply(at(2), &report(entry, OrderReport::Cancelled { filled: Qty::ZERO })).unwrap();
    let late = late(entry, OrderSide::Buy, LOT, 100);
    assert_eq!(m.late_buyer(&late), Some(Underlying::Nifty));
    let outcome = m.take_over(at(3), &late, Some(HoldId(9)), Some(quote(3, 100)));
    let adopted = outcome.changes[0].position();
    assert_ne!(adopted, position);
    assert!(matches!(
        outcome.changes[..],
        [PositionChange::Bought { .. }, PositionChange::EntryDone { .. }, PositionChange::Unprotected { .. }]
    ));
    assert_eq!(outcome.adopted[..], [(entry, Qty::new(LOT))]);
    let sold = m.act(at(3), exit(adopted));
    assert!(matches!(sold[..], [Command::Place(s)] if s.qty == Qty::new(LOT)));
    assert_eq!(m.late_buyer(&late), None, "the same units are taken over once");
    assert!(m.take_over(at(4), &late, None, None).changes.is_empty());
}

#[test]
fn c3_units_sold_beyond_the_end_of_their_order_are_booked_when_nothing_rests_for_them_any_more() {
    // I2, I4: a stop proven absent was replaced, and then executed after all.
    let mut m = manager();
    let (position, _) = opened(&mut m, 1, LOT);
    let lost = m.act(at(2), protect(position, 70))[0].order_id();
    m.apply(at(3), &report(lost, OrderReport::Unanswered { since: at(3).at })).unwrap();
    let replaced = m.apply(at(60), &report(lost, OrderReport::ProvenAbsent)).unwrap();
    let Command::Place(stop) = replaced.commands[0] else { panic!("{replaced:?}") };
    m.apply(at(60), &report(stop.id, OrderReport::Accepted)).unwrap();
    let outcome = m.take_over(at(61), &late(lost, OrderSide::Sell, LOT, 70), None, None);
    assert!(matches!(outcome.commands[..], [Command::Cancel { id, .. }] if id == stop.id), "{outcome:?}");
    assert!(outcome.changes.is_empty(), "the second stop may still execute");
    let done = m.apply(at(62), &report(stop.id, OrderReport::Cancelled { filled: Qty::ZERO })).unwrap();
    assert!(done.changes.iter().any(|c| matches!(c, PositionChange::Closed { .. })), "{done:?}");
    assert_eq!(done.adopted[..], [(lost, Qty::new(LOT))]);
    assert_eq!(m.position(position).unwrap().received, Money::from_rupees(70 * LOT));
    assert!(m.is_flat());
}

#[test]
fn units_bought_late_and_found_after_the_close_are_unresolved() {
    let mut m = manager();
    let (_, entry) = opened(&mut m, 1, 0);
    m.apply(at(2), &report(entry, OrderReport::Cancelled { filled: Qty::ZERO })).unwrap();
    let after_close = at(6 * 3_600);
    let outcome = m.take_over(after_close, &late(entry, OrderSide::Buy, LOT, 100), Some(HoldId(9)), None);
    assert!(matches!(outcome.changes[2], PositionChange::Unresolved { owned, .. } if owned == Qty::new(LOT)));
    assert!(m.is_flat(), "nothing is left to do");
}
