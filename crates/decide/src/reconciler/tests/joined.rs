//! What the order manager and people do about what is found.

use super::*;

#[test]
fn every_version_of_a_change_that_was_sent_again_is_closed_by_rows() {
    // C19: nothing stays reserved for ever.
    let (mut d, id, row) = Desk::working();
    for version in 1..=3 {
        d.modify(at(2 * i64::from(version)), id, version, limit(101), 4);
    }
    assert_eq!(d.orders[&id].unresolved().count(), 3);
    for secs in (8..60).step_by(2) {
        d.book(at(secs), std::slice::from_ref(&row));
    }
    assert!(!d.orders[&id].has_unresolved());
    assert_eq!(d.orders[&id].open_qty(), Qty::new(2 * LOT));
}

#[test]
fn versions_before_the_one_in_force_are_closed_with_it() {
    let (mut d, id, row) = Desk::working();
    d.modify(at(2), id, 1, limit(101), 4);
    d.modify(at(4), id, 2, limit(101), 4);
    d.book(at(6), &[OrderRow { price: Premium::from_rupees(101), qty: Qty::new(4 * LOT), ..row }]);
    assert!(!d.orders[&id].has_unresolved());
    assert!(matches!(d.reports.last(), Some(OrderReport::Modified { version: 2, .. })));
}

#[test]
fn a_change_decided_in_the_event_that_ended_its_order_is_refused_at_once() {
    // One list tells of a buy and of the exit that sold everything; the exit is made larger on the first.
    let (mut d, id, row) = Desk::working();
    d.push(at(2), &executed(&row, 2, 100, BrokerStatus::Traded));
    assert_eq!(d.state(id), &OrderState::Filled);
    d.modify(at(2), id, 1, limit(100), 4);
    assert_eq!(d.state(id), &OrderState::Working { triggered: false }, "larger, for all that is known");
    assert_eq!(d.r.wake_at(), Some(at(2)));
    d.pass(at(2));
    assert_eq!(d.state(id), &OrderState::Filled);
}

#[test]
fn what_a_person_has_looked_at_blocks_no_more_and_what_comes_later_does() {
    // E7, C3
    let mut d = Desk::open();
    assert!(!d.r.acknowledge(), "nothing to look at");
    d.book(at(1), &[row(&spec(77, OrderSide::Buy, limit(100), 1), 77)]);
    assert_eq!(d.block(), Some("OWN_UNKNOWN"));
    assert!(d.r.acknowledge() && !d.r.acknowledge());
    assert_eq!(d.block(), None);
    d.book(
        at(3),
        &[row(&spec(77, OrderSide::Buy, limit(100), 1), 77), row(&spec(78, OrderSide::Buy, limit(1), 1), 78)],
    );
    assert_eq!(d.block(), Some("OWN_UNKNOWN"), "another one");
}

#[test]
fn a_late_arrival_blocks_until_it_has_ended_and_a_person_has_looked() {
    let mut d = Desk::open();
    let s = spec(1, OrderSide::Buy, limit(100), 2);
    let id = d.place(at(0), s);
    d.answer(at(1), id, OrderCall::Place, Answer::NotSent { why: "no connection".to_owned() });
    d.book(at(5), &[row(&s, 1)]);
    assert!(!d.r.acknowledge(), "it still lives");
    assert_eq!(d.block(), Some("LATE_ARRIVAL"));
    d.book(at(7), &[executed(&row(&s, 1), 1, 100, BrokerStatus::Cancelled)]);
    let value = Money::from_rupees(100 * LOT);
    assert!(matches!(d.findings.last(), Some(Finding::Unmanaged { value: v, .. }) if *v == value));
    assert!(d.r.acknowledge());
    assert_eq!(d.block(), None);
    d.trades(at(9), &[trade(&row(&s, 1), 1, 1, 100), trade(&row(&s, 1), 2, 1, 100)]);
    assert_eq!(d.block(), Some("LATE_ARRIVAL"), "it executed more");
}

#[test]
fn a_contradiction_is_looked_at_once_and_a_new_one_blocks_again() {
    let (mut d, id, row) = Desk::working();
    let wrong = OrderRow { side: OrderSide::Sell, ..row.clone() };
    d.book(at(2), std::slice::from_ref(&wrong));
    assert_eq!(d.block(), Some("BOOKS_DIFFER"));
    assert!(d.r.acknowledge());
    d.book(at(4), &[wrong]);
    assert_eq!(d.block(), None, "the same claim again is no news");
    d.book(at(6), &[executed(&row, 3, 100, BrokerStatus::PartTraded)]);
    assert_eq!((d.block(), d.found("CONTRADICTION"), d.filled(id)), (Some("LATE_ARRIVAL"), 2, 2));
}

#[test]
fn e4_a_stop_made_tighter_by_hand_is_adopted_and_a_looser_one_is_not() {
    for (trigger, is_taken) in [(95, true), (85, false)] {
        let mut d = Desk::open();
        let s = spec(1, OrderSide::Sell, stop(90, 80), 2);
        let id = d.place(at(0), s);
        d.answer(ms(50), id, OrderCall::Place, accepted(1));
        let theirs = OrderRow { trigger: Premium::from_rupees(trigger), ..row(&s, 1) };
        for secs in [2, 4, 6] {
            d.book(at(secs), std::slice::from_ref(&theirs));
        }
        assert!(matches!(d.findings[..], [Finding::Altered { is_adopted, .. }] if is_adopted == is_taken));
        let trigger = if is_taken { trigger } else { 90 };
        assert_eq!(d.orders[&id].spec.order_type.trigger(), Some(Premium::from_rupees(trigger)));
    }
}

#[test]
fn i29_positions_are_read_at_the_short_pace_around_the_brokers_square_off() {
    let (mut d, _, row) = Desk::working();
    d.push(at(1), &executed(&row, 2, 100, BrokerStatus::Traded));
    d.r.prove_from(at(5));
    for secs in 5..20 {
        d.timer(at(secs));
        d.positions(at(secs), &[position(2, 0)]);
    }
    let asked = d.asked(BrokerRead::Positions).into_iter().filter(|t| *t >= at(5)).count();
    assert!(asked >= 7, "{asked} reads in 15 s");
    assert_eq!(d.r.shown_net(SLOT), Some((at(19), 2 * LOT)));
}
