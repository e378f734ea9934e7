//! Placements, changes and cancellations whose outcome is unknown (C1-C6, C17-C19, C21).

use super::*;
use crate::domain::VenueRefusal;

/// Clean reads without the order, one pair every `step` seconds.
fn empty_reads(d: &mut Desk, id: ClientOrderId, from: i64, to: i64, step: usize) {
    for secs in (from..=to).step_by(step) {
        d.book(at(secs), &[]);
        d.look_up(at(secs), id, &[]);
    }
}

fn in_doubt() -> (Desk, ClientOrderId, OrderSpec) {
    let mut d = Desk::open();
    let s = spec(1, OrderSide::Buy, limit(100), 2);
    let id = d.place(at(0), s);
    d.answer(at(2), id, OrderCall::Place, unknown());
    assert!(matches!(d.state(id), OrderState::InDoubt { .. }));
    (d, id, s)
}

#[test]
fn c1_a_placement_that_never_arrived_is_absent_by_proof_alone() {
    // P1, I11: three lists and three look-ups, all asked after the horizon; both kinds are needed.
    let (mut d, id, _) = in_doubt();
    empty_reads(&mut d, id, 4, 45, 2);
    assert!(matches!(d.state(id), OrderState::InDoubt { .. }), "early not-founds count for nothing (C4)");
    for secs in [46, 48, 50] {
        d.book(at(secs), &[]);
    }
    assert!(matches!(d.state(id), OrderState::InDoubt { .. }), "lists alone are no proof");
    for secs in [46, 48] {
        d.look_up(at(secs), id, &[]);
    }
    assert!(matches!(d.state(id), OrderState::InDoubt { .. }));
    d.look_up(at(50), id, &[]);
    assert_eq!(d.state(id), &OrderState::Absent);
    assert!(matches!(&d.findings[..], [Finding::InDoubt { .. }, Finding::ProvenAbsent { lists, lookups, .. }]
        if lists.len() == 3 && lookups.len() == 3));
    assert_eq!(d.r.entry_block(Underlying::Nifty), None);
}

#[test]
fn c1_reads_in_quick_succession_are_one_proof() {
    let (mut d, id, _) = in_doubt();
    for millis in (46_000..49_900).step_by(100) {
        d.book(ms(millis), &[]);
        d.look_up(ms(millis), id, &[]);
    }
    assert!(matches!(d.state(id), OrderState::InDoubt { .. }));
}

#[test]
fn c2_an_accepted_order_with_a_lost_answer_is_adopted_from_any_source() {
    for source in 0..3 {
        let (mut d, id, s) = in_doubt();
        let row = row(&s, 1);
        match source {
            0 => d.push(at(3), &row),
            1 => d.book(at(3), &[row]),
            _ => d.look_up(at(3), id, &[OrderRow { tag: None, ..row }]),
        };
        assert_eq!(d.state(id), &OrderState::Working { triggered: false });
        assert_eq!(d.r.broker_id(&id), Some(&broker(1)));
        empty_reads(&mut d, id, 46, 60, 2);
        assert_eq!(d.state(id), &OrderState::Working { triggered: false }, "no proof against evidence");
        assert!(d.commands.is_empty(), "nothing is sent twice");
    }
}

#[test]
fn c3_a_late_arrival_is_taken_back_and_never_reported() {
    // I10: the end stands for the order manager; what executes is found as unmanaged.
    let (mut d, id, s) = in_doubt();
    empty_reads(&mut d, id, 46, 50, 2);
    assert_eq!(d.state(id), &OrderState::Absent);
    let reports = d.reports.len();
    let late = row(&s, 1);
    d.push(at(100), &late);
    assert_eq!(d.commands, [Command::Cancel { id, instrument: SLOT }]);
    assert_eq!((d.found("LATE_ARRIVAL"), d.block()), (1, Some("LATE_ARRIVAL")));
    d.push(at(101), &late);
    assert_eq!(d.commands.len(), 1, "not at every row");
    d.push(at(106), &executed(&late, 1, 100, BrokerStatus::PartTraded));
    assert_eq!(d.commands.len(), 2, "until it is gone");
    assert!(matches!(d.findings.last(), Some(Finding::Unmanaged { qty, .. }) if *qty == Qty::new(LOT)));
    d.book(at(108), &[executed(&late, 1, 100, BrokerStatus::Cancelled)]);
    d.trades(at(109), &[trade(&late, 7, 1, 100)]);
    d.push(at(120), &late);
    assert_eq!((d.commands.len(), d.found("UNMANAGED"), d.found("LATE_ARRIVAL")), (2, 1, 1));
    assert_eq!((d.state(id), d.reports.len()), (&OrderState::Absent, reports));
    assert_eq!(d.r.wake_at().map(|at| at > ms(120_000)), Some(true), "the day goes on");
}

#[test]
fn c3_an_order_answered_as_refused_or_not_sent_that_lives_is_taken_back() {
    let refused = Answer::Refused { refusal: VenueRefusal::Other("DH-905".to_owned()) };
    for answer in [refused, Answer::NotSent { why: "no connection".to_owned() }] {
        let mut d = Desk::open();
        let s = spec(1, OrderSide::Buy, limit(100), 2);
        let id = d.place(at(0), s);
        d.answer(at(1), id, OrderCall::Place, answer);
        assert!(matches!(d.state(id), OrderState::Rejected { .. }));
        d.book(at(3), &[with_status(&row(&s, 1), BrokerStatus::Rejected)]);
        assert!(d.commands.is_empty() && d.found("LATE_ARRIVAL") == 0, "a rejected row is no life");
        d.book(at(5), &[row(&s, 1)]);
        assert_eq!((d.commands.len(), d.found("LATE_ARRIVAL")), (1, 1));
    }
}

#[test]
fn c5_failed_reads_prove_nothing_and_are_asked_again() {
    let (mut d, id, _) = in_doubt();
    for secs in (3..300).step_by(2) {
        d.pass(at(secs));
        for read in [BrokerRead::Orders, BrokerRead::ByTag { id }] {
            d.hear(ms(secs * 1_000 + 100), BrokerEvent::ReadFailed { read, what: "DH-908".to_owned() });
        }
    }
    assert!(matches!(d.state(id), OrderState::InDoubt { .. }));
    assert_eq!(d.block(), Some("IN_DOUBT"), "the index is locked (C6)");
    assert_eq!(d.r.entry_block(Underlying::Sensex), None, "another is not");
    for read in [BrokerRead::Orders, BrokerRead::ByTag { id }] {
        let asked = d.asked(read);
        assert!(asked.len() > 100, "{read:?} asked {} times", asked.len());
        assert!(asked.windows(2).all(|w| w[1] >= w[0] + Age::from_secs(2)), "paced");
    }
}

#[test]
fn c6_silence_is_doubt_and_a_second_send_of_the_same_id_is_a_bug() {
    let mut d = Desk::open();
    let s = spec(1, OrderSide::Buy, limit(100), 2);
    let id = d.place(at(0), s);
    d.pass(ms(2_999));
    assert!(matches!(d.state(id), OrderState::Sent { .. }));
    d.pass(at(3));
    assert!(matches!(d.state(id), OrderState::InDoubt { .. }));
    assert!(d.asked(BrokerRead::ByTag { id }).contains(&at(3)));
    let again = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| d.r.sent(at(4), &Command::Place(s))));
    assert!(again.is_err(), "L2, I1");
}

#[test]
fn c7_a_refused_or_unsent_placement_is_rejected_with_the_words() {
    let mut d = Desk::open();
    let id = d.place(at(0), spec(1, OrderSide::Buy, limit(100), 2));
    d.answer(at(1), id, OrderCall::Place, Answer::NotSent { why: "no token".to_owned() });
    let refusal = VenueRefusal::Other("not sent: no token".to_owned());
    assert_eq!(d.state(id), &OrderState::Rejected { refusal });
    let (mut d, id, row) = Desk::working();
    d.push(at(1), &OrderRow { status: BrokerStatus::Rejected, reason: "RMS: margin".to_owned(), ..row });
    assert_eq!(d.state(id), &OrderState::Rejected { refusal: VenueRefusal::Other("RMS: margin".to_owned()) });
}

#[test]
fn c17_what_fills_during_a_cancel_counts() {
    let (mut d, id, row) = Desk::working();
    d.cancel(at(1), id);
    d.push(ms(1_010), &executed(&row, 1, 100, BrokerStatus::PartTraded));
    d.answer(
        ms(1_050),
        id,
        OrderCall::Cancel,
        Answer::Accepted { broker_id: broker(1), status: BrokerStatus::Cancelled },
    );
    assert_eq!(d.state(id), &OrderState::Working { triggered: false }, "the answer has no count");
    d.book(at(3), &[executed(&row, 1, 100, BrokerStatus::Cancelled)]);
    assert_eq!(d.state(id), &OrderState::Cancelled { filled: Qty::new(LOT) });
    assert_eq!(d.found("CANCELLED_ELSEWHERE"), 0);
    // And when everything filled first, the cancellation came too late.
    let (mut d, id, row) = Desk::working();
    d.cancel(at(1), id);
    d.push(at(2), &executed(&row, 2, 100, BrokerStatus::Traded));
    assert_eq!(d.state(id), &OrderState::Filled);
}

#[test]
fn c18_an_unknown_cancel_is_closed_by_rows_only() {
    let (mut d, id, row) = Desk::working();
    d.cancel(at(1), id);
    d.answer(at(2), id, OrderCall::Cancel, unknown());
    assert_eq!(d.block(), Some("IN_DOUBT"));
    d.push(at(6), &row);
    d.book(at(4), std::slice::from_ref(&row));
    assert!(!d.reports.iter().any(|r| matches!(r, OrderReport::CancelRefused { .. })), "too early, or not asked after");
    d.book(at(6), std::slice::from_ref(&row));
    d.book(at(8), std::slice::from_ref(&row));
    assert!(matches!(d.reports.last(), Some(OrderReport::CancelRefused { .. })));
    assert_eq!(d.block(), None);
    d.book(at(10), &[with_status(&row, BrokerStatus::Cancelled)]);
    assert_eq!(d.state(id), &OrderState::Cancelled { filled: Qty::ZERO }, "it took effect after all");
    assert_eq!(d.found("CANCELLED_ELSEWHERE"), 0, "we did ask for it");
}

#[test]
fn c19_an_unknown_modification_is_closed_by_rows_asked_after_it() {
    let new_row = |row: &OrderRow| OrderRow { price: Premium::from_rupees(101), ..row.clone() };
    // New values: it took effect.
    let (mut d, id, row) = Desk::working();
    d.modify(at(1), id, 1, limit(101), 2);
    d.answer(at(2), id, OrderCall::Modify { version: 1 }, unknown());
    d.book(at(3), &[new_row(&row)]);
    assert!(matches!(d.reports.last(), Some(OrderReport::Modified { version: 1, .. })));
    assert_eq!(d.orders[&id].spec.order_type, limit(101));
    // Old values, twice, after a while: it did not.
    let (mut d, id, row) = Desk::working();
    d.modify(at(1), id, 1, limit(101), 2);
    d.answer(at(2), id, OrderCall::Modify { version: 1 }, unknown());
    for secs in [3, 4, 5] {
        d.book(at(secs), std::slice::from_ref(&row));
    }
    assert!(!matches!(d.reports.last(), Some(OrderReport::ModifyRefused { .. })));
    d.book(at(7), std::slice::from_ref(&row));
    assert!(matches!(d.reports.last(), Some(OrderReport::ModifyRefused { version: 1, .. })));
    // It shows after all: no second verdict, but somebody is told.
    d.book(at(9), &[new_row(&row)]);
    d.book(at(11), &[new_row(&row)]);
    d.book(at(13), &[new_row(&row)]);
    assert_eq!(d.found("ALTERED"), 1);
}

#[test]
fn c19_a_raised_quantity_is_not_called_refused_before_it_could_have_shown() {
    // I2: a growth called refused by mistake would be sold twice.
    let (mut d, id, row) = Desk::working();
    d.modify(at(1), id, 1, limit(100), 4);
    d.answer(at(2), id, OrderCall::Modify { version: 1 }, unknown());
    for secs in (3..17).step_by(2) {
        d.book(at(secs), std::slice::from_ref(&row));
    }
    assert_eq!(d.orders[&id].open_qty(), Qty::new(4 * LOT));
    let grown = OrderRow { qty: Qty::new(4 * LOT), ..row };
    d.push(at(18), &executed(&grown, 4, 100, BrokerStatus::Traded));
    assert_eq!((d.state(id), d.filled(id)), (&OrderState::Filled, 4));
}

#[test]
fn c19_the_row_an_order_ends_with_decides_its_open_changes() {
    let (mut d, id, row) = Desk::working();
    d.modify(at(1), id, 1, limit(100), 4);
    d.push(at(2), &executed(&row, 2, 100, BrokerStatus::Traded));
    assert_eq!(d.state(id), &OrderState::Filled, "two lots were all there was");
    // An accepted growth that lost the race against the last fill.
    let (mut d, id, row) = Desk::working();
    d.modify(at(1), id, 1, limit(100), 4);
    d.answer(at(2), id, OrderCall::Modify { version: 1 }, accepted(1));
    d.push(at(3), &executed(&row, 2, 100, BrokerStatus::Traded));
    assert_eq!(d.state(id), &OrderState::Cancelled { filled: Qty::new(2 * LOT) });
}

#[test]
fn c14_a_stop_that_lost_its_trigger_is_found_by_reading_it_back() {
    let mut d = Desk::open();
    let s = spec(1, OrderSide::Sell, stop(90, 88), 2);
    let id = d.place(at(0), s);
    d.answer(ms(50), id, OrderCall::Place, accepted(1));
    let wrong = OrderRow { order_type: BrokerOrderType::Limit, trigger: Premium::ZERO, ..row(&s, 1) };
    d.book(at(2), std::slice::from_ref(&wrong));
    d.book(at(4), std::slice::from_ref(&wrong));
    d.book(at(6), &[wrong]);
    assert_eq!(d.found("ALTERED"), 1);
    assert_eq!(d.state(id), &OrderState::Working { triggered: false });
}

#[test]
fn c21_an_order_stuck_in_transit_is_polled_and_reported() {
    let (mut d, id, row) = Desk::working();
    let stuck = with_status(&row, BrokerStatus::Transit);
    for secs in 1..40 {
        d.pass(at(secs));
        d.book(at(secs), std::slice::from_ref(&stuck));
    }
    assert_eq!(d.found("STUCK"), 1);
    assert_eq!(d.state(id), &OrderState::Working { triggered: false }, "never an end by time alone (L3)");
    assert!(d.asked(BrokerRead::Orders).len() > 15);
}
