//! Pushed updates and books (D1-D16).

use super::*;

/// Every sequence of the given rows, each pushed.
fn permutations(rows: &[OrderRow], visit: &mut impl FnMut(&[OrderRow])) {
    fn go(k: usize, rows: &mut [OrderRow], visit: &mut impl FnMut(&[OrderRow])) {
        if k <= 1 {
            return visit(rows);
        }
        for i in 0..k {
            go(k - 1, rows, visit);
            if i + 1 < k {
                rows.swap(if k.is_multiple_of(2) { i } else { 0 }, k - 1);
            }
        }
    }
    let mut rows = rows.to_vec();
    go(rows.len(), &mut rows, visit);
}

#[test]
fn d1_without_pushed_updates_the_book_is_read_every_second() {
    let (mut d, _, row) = Desk::working();
    d.hear(at(1), BrokerEvent::PushLink { up: false });
    d.reads.clear();
    for secs in 2..12 {
        d.pass(at(secs));
        d.book(ms(secs * 1_000 + 50), std::slice::from_ref(&row));
    }
    assert!(d.asked(BrokerRead::Orders).len() >= 9, "{:?}", d.asked(BrokerRead::Orders).len());
}

#[test]
fn d2_duplicate_updates_change_nothing() {
    let (mut d, _, row) = Desk::working();
    for update in
        [row.clone(), executed(&row, 1, 100, BrokerStatus::PartTraded), executed(&row, 2, 100, BrokerStatus::Traded)]
    {
        d.push(at(1), &update);
        for _ in 0..3 {
            assert!(d.push(at(1), &update).is_quiet());
        }
    }
}

#[test]
fn d3_updates_in_any_order_end_alike() {
    let (_, id, row) = Desk::working();
    let rows = [
        with_status(&row, BrokerStatus::Transit),
        row.clone(),
        executed(&row, 1, 100, BrokerStatus::PartTraded),
        executed(&row, 1, 100, BrokerStatus::Pending),
        executed(&row, 1, 100, BrokerStatus::Cancelled),
        with_status(&row, BrokerStatus::Other("MODIFIED".to_owned())),
    ];
    let mut count = 0;
    permutations(&rows, &mut |rows| {
        count += 1;
        let (mut d, _, _) = Desk::working();
        for row in rows {
            d.push(at(1), row);
        }
        assert_eq!(d.state(id), &OrderState::Cancelled { filled: Qty::new(LOT) }, "{rows:#?}");
    });
    assert_eq!(count, 720);
}

#[test]
fn d4_a_lost_update_is_repaired_by_the_poll_within_three_seconds() {
    let (mut d, id, row) = Desk::working();
    let done = executed(&row, 2, 100, BrokerStatus::Traded);
    let mut answered = None;
    for millis in (100..3_100).step_by(100) {
        d.pass(ms(millis));
        if d.reads.iter().any(|(at, r)| *r == BrokerRead::Orders && *at > ms(100)) && answered.is_none() {
            answered = Some(millis);
            d.book(ms(millis + 50), std::slice::from_ref(&done));
        }
    }
    assert!(answered.is_some_and(|at| at <= 3_000));
    assert_eq!(d.state(id), &OrderState::Filled);
}

#[test]
fn d5_executions_before_the_answer_wait_for_their_name() {
    let mut d = Desk::open();
    let s = spec(1, OrderSide::Buy, limit(100), 2);
    let id = d.place(at(0), s);
    let untagged = OrderRow { tag: None, ..executed(&row(&s, 1), 1, 100, BrokerStatus::PartTraded) };
    d.push(ms(10), &untagged);
    d.trades(ms(20), &[trade(&untagged, 7, 1, 100)]);
    assert_eq!((d.filled(id), d.found("FOREIGN")), (0, 0), "it may be ours");
    d.answer(ms(50), id, OrderCall::Place, accepted(1));
    assert_eq!(d.filled(id), 1);
    assert!(d.reports.iter().any(|r| matches!(r, OrderReport::Filled(f) if f.trade == TradeId(7))));
    assert_eq!(d.found("FOREIGN"), 0);
}

#[test]
fn d6_an_update_without_a_tag_is_matched_by_the_brokers_number() {
    let (mut d, id, row) = Desk::working();
    d.push(at(1), &OrderRow { tag: None, ..executed(&row, 2, 100, BrokerStatus::Traded) });
    assert_eq!(d.state(id), &OrderState::Filled);
}

#[test]
fn d7_counted_executions_are_replaced_by_the_trades() {
    // nautilus #3493.
    let (mut d, id, row) = Desk::working();
    d.push(at(1), &OrderRow { value: Money::from_paise(1_500_003), ..executed(&row, 2, 100, BrokerStatus::Traded) });
    assert_eq!(d.state(id), &OrderState::Filled);
    assert_eq!(d.orders[&id].turnover(), Money::from_paise(1_500_003));
    d.reads.clear();
    d.pass(at(3));
    assert!(!d.asked(BrokerRead::Trades).is_empty(), "the trades are fetched soon");
    d.trades(at(3), &[trade(&row, 1, 1, 99), trade(&row, 2, 1, 101)]);
    assert_eq!((d.filled(id), d.orders[&id].turnover()), (2, Money::from_rupees(15_000)));
    assert!(d.trades(at(5), &[trade(&row, 1, 1, 99), trade(&row, 2, 1, 101)]).is_quiet());
}

#[test]
fn d8_books_that_disagree_for_long_stop_entries_until_they_agree() {
    let (mut d, id, row) = Desk::working();
    let counted = executed(&row, 2, 100, BrokerStatus::Traded);
    d.push(at(1), &counted);
    d.trades(at(5), &[trade(&row, 1, 1, 100)]);
    assert_eq!((d.filled(id), d.block()), (2, None), "a book may lag; the larger evidence counts");
    d.trades(at(12), &[trade(&row, 1, 1, 100)]);
    assert_eq!((d.found("BOOKS_DIFFER"), d.block()), (1, Some("BOOKS_DIFFER")));
    d.trades(at(14), &[trade(&row, 1, 1, 100), trade(&row, 2, 1, 100)]);
    assert_eq!(d.block(), None);
    // The other way round: the order book lags behind the trades.
    let (mut d, id, row) = Desk::working();
    d.trades(at(1), &[trade(&row, 1, 1, 100)]);
    d.book(at(12), std::slice::from_ref(&row));
    assert_eq!((d.filled(id), d.found("BOOKS_DIFFER")), (1, 1));
    d.book(at(14), &[executed(&row, 1, 100, BrokerStatus::PartTraded)]);
    assert_eq!(d.block(), None);
}

#[test]
fn d8_an_end_with_fewer_executions_than_known_loses_none() {
    let (mut d, id, row) = Desk::working();
    d.trades(at(1), &[trade(&row, 1, 1, 100)]);
    d.push(at(2), &with_status(&row, BrokerStatus::Cancelled));
    assert_eq!(d.state(id), &OrderState::Cancelled { filled: Qty::new(LOT) });
    assert_eq!(d.found("CONTRADICTION"), 1);
}

#[test]
fn d8_executions_beyond_a_reported_end_are_found_as_unmanaged() {
    let (mut d, id, row) = Desk::working();
    d.push(at(1), &with_status(&row, BrokerStatus::Cancelled));
    d.trades(at(2), &[trade(&row, 1, 1, 100)]);
    assert_eq!(d.state(id), &OrderState::Cancelled { filled: Qty::ZERO }, "ends absorb (I10)");
    assert!(matches!(d.findings.last(), Some(Finding::Unmanaged { qty, .. }) if *qty == Qty::new(LOT)));
    assert_eq!(d.block(), Some("LATE_ARRIVAL"));
}

#[test]
fn d9_money_that_differs_by_more_than_a_tick_a_unit_is_found() {
    let (mut d, _, row) = Desk::working();
    d.trades(at(1), &[trade(&row, 1, 2, 100)]);
    d.push(
        at(2),
        &OrderRow { value: Money::from_paise(1_500_000 + 5 * 150), ..executed(&row, 2, 100, BrokerStatus::Traded) },
    );
    assert_eq!(d.found("MONEY_DIFFERS"), 0);
    d.push(
        at(3),
        &OrderRow { value: Money::from_paise(1_500_001 + 5 * 150), ..executed(&row, 2, 100, BrokerStatus::Traded) },
    );
    assert_eq!(d.found("MONEY_DIFFERS"), 1);
}

#[test]
fn d10_an_unknown_status_is_never_an_end() {
    let (mut d, id, row) = Desk::working();
    d.push(at(1), &executed(&row, 1, 100, BrokerStatus::Other("INACTIVE".to_owned())));
    assert_eq!((d.state(id), d.filled(id)), (&OrderState::Working { triggered: false }, 1));
    assert_eq!(d.found("UNKNOWN_STATUS"), 1);
    d.reads.clear();
    d.pass(at(3));
    assert!(!d.asked(BrokerRead::Orders).is_empty(), "a read becomes due");
}

#[test]
fn d10_a_traded_row_that_counts_too_little_is_not_an_end() {
    // Whether pushed quantities are cumulative is the broker's to change.
    let (mut d, id, row) = Desk::working();
    d.push(at(1), &executed(&row, 1, 100, BrokerStatus::Traded));
    assert_eq!((d.state(id), d.filled(id)), (&OrderState::Working { triggered: false }, 1));
    d.book(at(2), &[executed(&row, 2, 100, BrokerStatus::Traded)]);
    assert_eq!(d.state(id), &OrderState::Filled);
}

/// Two lots bought and known by their trades.
fn holding() -> (Desk, OrderRow) {
    let (mut d, _, row) = Desk::working();
    let done = executed(&row, 2, 100, BrokerStatus::Traded);
    d.push(at(1), &done);
    d.trades(at(3), &[trade(&row, 1, 2, 100)]);
    (d, done)
}

#[test]
fn d11_a_failed_or_empty_position_list_is_not_flat() {
    let (mut d, _) = holding();
    d.hear(at(20), BrokerEvent::ReadFailed { read: BrokerRead::Positions, what: "DH-909".to_owned() });
    d.positions(at(22), &[]);
    assert_eq!((d.found("POSITION_DIFFERS"), d.block()), (0, None), "one empty list says nothing");
    assert_eq!(d.r.sellable(SLOT, Qty::new(2 * LOT)), None);
    d.positions(at(24), &[position(2, 0)]);
    assert_eq!(d.r.sellable(SLOT, Qty::new(2 * LOT)), Some(Qty::new(2 * LOT)));
    assert_eq!((d.found("POSITION_DIFFERS"), d.block()), (0, None));
}

#[test]
fn d11_lists_without_the_row_of_what_traded_today_never_cap_what_may_be_sold() {
    // I6: found by the fault drill, where two empty lists took the stop away. They do stop entries.
    let (mut d, done) = holding();
    for secs in [20, 22, 24, 26, 28] {
        d.positions(at(secs), &[]);
        d.book(at(secs + 1), std::slice::from_ref(&done));
        assert_eq!(d.r.sellable(SLOT, Qty::new(2 * LOT)), None);
    }
    assert_eq!((d.found("POSITION_DIFFERS"), d.block()), (1, Some("POSITION_DIFFERS")));
    let elsewhere = PositionRow { product: Product::Margin, ..position(2, 0) };
    d.positions(at(30), std::slice::from_ref(&elsewhere));
    d.book(at(31), &[done]);
    d.positions(at(32), &[elsewhere]);
    assert_eq!(d.r.sellable(SLOT, Qty::new(2 * LOT)), Some(Qty::ZERO), "converted to another product (E14)");
    d.positions(at(34), &[position(2, 0)]);
    assert_eq!((d.block(), d.r.sellable(SLOT, Qty::new(2 * LOT))), (None, Some(Qty::new(2 * LOT))));
}

#[test]
fn d12_positions_older_than_our_last_fill_are_ignored() {
    let (mut d, _) = holding();
    for secs in [2, 4, 6, 8, 10] {
        d.positions(at(secs), &[]);
        assert_eq!(d.r.sellable(SLOT, Qty::new(2 * LOT)), None);
    }
    assert_eq!(d.found("POSITION_DIFFERS"), 0);
}

#[test]
fn d14_a_position_that_vanished_is_two_agreeing_reads_and_no_close_by_assumption() {
    // F-57, I18: the finding is all; nothing is reported as sold.
    let (mut d, done) = holding();
    let reports = d.reports.len();
    d.positions(at(20), &[position(2, 2)]);
    d.positions(at(22), &[position(2, 2)]);
    assert_eq!(d.found("POSITION_DIFFERS"), 0, "the orders were not read again in between");
    d.book(at(23), &[done]);
    d.positions(at(24), &[position(2, 2)]);
    assert!(matches!(d.findings.last(), Some(Finding::PositionDiffers { ours: 150, broker: 0, foreign: 0, .. })));
    assert_eq!((d.block(), d.reports.len()), (Some("POSITION_DIFFERS"), reports));
    assert_eq!(d.r.sellable(SLOT, Qty::new(2 * LOT)), Some(Qty::ZERO));
    d.positions(at(26), &[position(2, 0)]);
    assert_eq!((d.block(), d.found("POSITION_AGREES")), (None, 1));
}

#[test]
fn d15_reconciling_twice_says_nothing_the_second_time() {
    // I25.
    let (mut d, id, row) = Desk::working();
    let foreign = OrderRow { tag: None, ..row_of_stranger(9, OrderSide::Buy, 1) };
    let orders = [executed(&row, 1, 100, BrokerStatus::PartTraded), foreign.clone()];
    let trades = [trade(&row, 1, 1, 100), trade(&foreign, 9, 1, 100)];
    d.round(at(20), &orders, &trades, &[position(2, 0)]);
    d.round(at(40), &orders, &trades, &[position(2, 0)]);
    assert_eq!(d.filled(id), 1);
    let before = (d.reports.len(), d.findings.len(), d.commands.len());
    d.round(at(60), &orders, &trades, &[position(2, 0)]);
    d.round(at(62), &orders, &trades, &[position(2, 0)]);
    assert_eq!((d.reports.len(), d.findings.len(), d.commands.len()), before);
}

pub(super) fn row_of_stranger(n: u64, side: OrderSide, lots: i64) -> OrderRow {
    let s = spec(n, side, limit(100), lots);
    executed(&OrderRow { tag: None, by_api: Some(false), ..row(&s, n) }, lots, 100, BrokerStatus::Traded)
}

#[test]
fn d16_a_flapping_link_asks_each_book_at_most_every_two_seconds() {
    let mut d = Desk::open();
    d.reads.clear();
    for tenth in 0..300 {
        d.hear(ms(tenth * 100), BrokerEvent::PushLink { up: tenth % 2 == 0 });
        d.pass(ms(tenth * 100));
    }
    for read in ROUND {
        assert!(d.asked(read).len() <= 16, "{read:?}: {}", d.asked(read).len());
    }
    assert_eq!(d.block(), Some("RECONCILING"));
}

#[test]
fn entries_wait_for_the_first_clean_round_and_for_one_after_each_reconnect() {
    // I34.
    let mut d = Desk::starting();
    d.pass(at(0));
    assert_eq!(d.block(), Some("RECONCILING"));
    let asked: Vec<_> = d.reads.iter().map(|(_, read)| *read).collect();
    assert_eq!(asked, ROUND);
    d.book(at(1), &[]);
    d.trades(at(1), &[]);
    d.hear(at(1), BrokerEvent::ReadFailed { read: BrokerRead::Positions, what: "429".to_owned() });
    assert_eq!(d.block(), Some("RECONCILING"));
    d.pass(at(4));
    d.positions(at(4), &[]);
    assert_eq!(d.block(), None);
    d.hear(at(5), BrokerEvent::PushLink { up: true });
    assert_eq!(d.block(), Some("RECONCILING"));
    d.hear(at(6), BrokerEvent::Orders { asked_at: at(4), rows: vec![] });
    d.trades(at(6), &[]);
    d.positions(at(6), &[]);
    assert_eq!(d.block(), Some("RECONCILING"), "the orders were asked for before the link came up");
    d.book(at(7), &[]);
    assert_eq!(d.block(), None);
}

#[test]
fn a_new_process_reads_every_book_at_once_and_enters_nothing_before() {
    // I34, P4: reads under way died with the process before, and its link says nothing about this one's.
    let mut d = Desk::open();
    d.reads.clear();
    d.pass(at(30));
    assert_eq!(d.reads.len(), 3, "a round is under way");
    d.reads.clear();
    d.hear(at(31), BrokerEvent::Resumed);
    assert_eq!(d.reads.iter().map(|(_, read)| *read).collect::<Vec<_>>(), ROUND);
    assert!(!d.r.is_reconciled());
    assert_eq!(d.block(), Some("RECONCILING"));
    d.hear(at(32), BrokerEvent::Orders { asked_at: at(30), rows: vec![] });
    d.trades(at(32), &[]);
    d.positions(at(32), &[]);
    assert_eq!(d.block(), Some("RECONCILING"), "the orders were asked for by the process before");
    d.book(at(33), &[]);
    assert_eq!(d.block(), None);
    d.hear(at(34), BrokerEvent::PushLink { up: true });
    assert_eq!(d.block(), Some("RECONCILING"), "its own link came up");
}

#[test]
fn all_books_are_read_every_thirty_seconds_and_at_the_end_of_the_day() {
    let mut d = Desk::open();
    d.reads.clear();
    for secs in 0..120 {
        d.pass(at(secs));
        for (_, read) in d.reads.clone().iter().filter(|(asked, _)| *asked == at(secs)) {
            match read {
                BrokerRead::Orders => drop(d.book(at(secs), &[])),
                BrokerRead::Trades => drop(d.trades(at(secs), &[])),
                _ => drop(d.positions(at(secs), &[])),
            }
        }
    }
    assert_eq!(ROUND.map(|read| d.asked(read).len()), [4; 3]);
    d.reads.clear();
    d.r.close_session(at(200));
    d.pass(at(201));
    assert_eq!(d.reads.len(), 3);
    d.round(at(202), &[], &[], &[]);
    assert_eq!(d.r.wake_at(), None);
}

#[test]
fn c26_an_expired_order_keeps_what_it_executed() {
    let (mut d, id, row) = Desk::working();
    d.book(at(5), &[executed(&row, 1, 100, BrokerStatus::Expired)]);
    assert_eq!(d.state(id), &OrderState::Cancelled { filled: Qty::new(LOT) });
}

#[test]
fn a_triggered_stop_is_reported_once_and_only_for_stops() {
    let mut d = Desk::open();
    let s = spec(1, OrderSide::Sell, stop(90, 88), 2);
    let id = d.place(at(0), s);
    let triggered = with_status(&row(&s, 1), BrokerStatus::Triggered);
    d.push(at(1), &triggered);
    d.push(at(2), &triggered);
    assert_eq!(d.state(id), &OrderState::Working { triggered: true });
    assert_eq!(d.reports, [OrderReport::Accepted, OrderReport::Triggered]);
}

#[test]
fn more_executed_than_ordered_is_split_into_ordered_and_unmanaged() {
    // I10: filled <= ordered.
    let (mut d, id, row) = Desk::working();
    let over = OrderRow { qty: Qty::new(3 * LOT), ..executed(&row, 3, 100, BrokerStatus::Traded) };
    d.push(at(1), &over);
    assert_eq!((d.state(id), d.filled(id)), (&OrderState::Filled, 2));
    assert!(matches!(d.findings.last(), Some(Finding::Unmanaged { qty, .. }) if *qty == Qty::new(LOT)));
}

#[test]
fn a_reconciler_that_is_off_does_nothing() {
    let mut r = Reconciler::off();
    let s = spec(1, OrderSide::Buy, limit(100), 2);
    r.open_session(at(0));
    r.sent(at(0), &Command::Place(s));
    assert_eq!(r.hear(at(1), &BrokerEvent::Pushed { row: row(&s, 1) }, &Owned::new()), Reconciled::default());
    assert_eq!(r.on_timer(at(100)), Reconciled::default());
    assert_eq!((r.wake_at(), r.entry_block(Underlying::Nifty)), (None, None));
    assert_eq!(r.sellable(SLOT, Qty::new(LOT)), None);
}
