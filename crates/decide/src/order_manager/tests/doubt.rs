//! Orders without an answer (P1, C1-C6, C18-C21, E16).

use super::*;
use crate::domain::alarm::AlarmKey;

fn unanswered_entry(m: &mut OrderManager) -> (PositionId, ClientOrderId) {
    let (position, commands) = m.place(at(0), &approved(2), Some(quote(0, 100)));
    m.on_timer(at(2));
    (position, commands[0].order_id())
}

#[test]
fn an_entry_in_doubt_locks_its_underlying_and_is_listed_for_look_up() {
    // C6, F-36: no second entry while the fate of the first is unknown.
    let mut m = manager();
    let (position, entry) = unanswered_entry(&mut m);
    let exposure = m.exposure(Underlying::Nifty, InstrumentId(9));
    assert!(exposure.in_doubt && exposure.in_index == 1, "{exposure:?}");
    let listed: Vec<_> = m.in_doubt().collect();
    assert_eq!((listed[0].id, listed[0].position, listed[0].sent_at), (entry, position, at(0).at));
    // Hours later it is still the same order and nothing was sent again (L2).
    for secs in [5, 60, 600, 6_000] {
        let places = m.on_timer(at(secs)).commands.iter().filter(|c| matches!(c, Command::Place(_))).count();
        assert_eq!(places, 0);
    }
    assert!(m.exposure(Underlying::Nifty, InstrumentId(3)).in_doubt);
}

#[test]
fn proof_of_absence_of_an_entry_abandons_it_and_unlocks_the_underlying() {
    // C1, I11
    let mut m = manager();
    let (position, entry) = unanswered_entry(&mut m);
    let outcome = m.apply(at(60), &report(entry, OrderReport::ProvenAbsent)).unwrap();
    assert!(matches!(outcome.changes[..], [PositionChange::Abandoned { position: p }] if p == position));
    assert!(!m.exposure(Underlying::Nifty, InstrumentId(3)).in_doubt && m.is_flat());
}

#[test]
fn no_stop_is_placed_while_a_stop_is_in_doubt_and_it_grows_once_it_is_found() {
    // E16: 65 units behind a stop nobody answered for; 65 more are bought.
    let mut m = manager();
    let (position, entry) = opened(&mut m, 2, LOT);
    let stop = m.act(at(2), protect(position, 70))[0].order_id();
    m.on_timer(at(4));
    let more = m.apply(at(4), &fill(entry, 2, LOT, 100)).unwrap();
    assert!(more.commands.is_empty(), "a second stop beside one in doubt: {:?}", more.commands);
    let found = m.apply(at(5), &report(stop, OrderReport::Accepted)).unwrap();
    let grown = |c: &Command| matches!(c, Command::Modify { id, qty, .. } if *id == stop && *qty == Qty::new(2 * LOT));
    assert!(found.commands.iter().any(grown), "{:?}", found.commands);
}

#[test]
fn an_exit_beside_a_stop_in_doubt_sells_only_what_the_stop_cannot() {
    // I2, C23
    let mut m = manager();
    let (position, entry) = opened(&mut m, 2, LOT);
    let stop = m.act(at(2), protect(position, 70))[0].order_id();
    m.on_timer(at(4));
    m.apply(at(4), &fill(entry, 2, LOT, 100)).unwrap();
    let commands = m.act(at(5), exit(position));
    assert!(matches!(commands[..], [Command::Place(s)] if s.qty == Qty::new(LOT) && s.side == OrderSide::Sell));
    let found = m.apply(at(6), &report(stop, OrderReport::Accepted)).unwrap();
    let turned =
        |c: &Command| matches!(c, Command::Modify { id, order_type: OrderType::Limit { .. }, .. } if *id == stop);
    assert!(found.commands.iter().any(turned), "the stop found becomes part of the exit: {:?}", found.commands);
}

#[test]
fn a_stop_proven_absent_is_placed_again_under_an_id_of_its_own() {
    // E16, F-19
    let mut m = manager();
    let (position, _) = opened(&mut m, 1, LOT);
    let stop = m.act(at(2), protect(position, 70))[0].order_id();
    m.on_timer(at(4));
    let outcome = m.apply(at(50), &report(stop, OrderReport::ProvenAbsent)).unwrap();
    let [Command::Place(again)] = outcome.commands[..] else { panic!("{:?}", outcome.commands) };
    assert_eq!((again.purpose, again.qty), (OrderPurpose::Protection, Qty::new(LOT)));
    assert_ne!(again.id, stop);
    assert!(outcome.changes.is_empty(), "{:?}", outcome.changes);
}

#[test]
fn an_unanswered_change_is_sent_again_with_the_same_values_and_then_taken_back() {
    // C19: absolute values are safe to repeat; each has a number of its own, so two answers cannot contradict.
    let mut m = manager();
    let (position, stop) = stopped(&mut m);
    let first = m.act(at(3), protect(position, 80))[0];
    let Command::Modify { order_type, qty, version: 1, .. } = first else { panic!("{first:?}") };
    assert!(m.on_timer(at(4)).commands.is_empty(), "an answer may take {} s", 2);
    let mut versions = Vec::new();
    let mut alarms = 0;
    for secs in 5..2_000 {
        let outcome = m.on_timer(at(secs));
        alarms += outcome.alarms.iter().filter(|a| a.key == AlarmKey::ChangeUnanswered).count();
        for command in outcome.commands {
            match command {
                Command::Modify { version, order_type: again, qty: same, .. } => {
                    assert_eq!((again, same), (order_type, qty));
                    versions.push(version);
                }
                Command::Cancel { id, .. } => assert_eq!(id, stop),
                Command::Place(spec) => panic!("a second stop beside an unanswered one: {spec:?}"),
            }
        }
    }
    assert_eq!(versions, (2..=25).collect::<Vec<u8>>());
    assert_eq!(alarms, 1);
    // A late answer to an early number settles it: the terms are the same.
    let late = m.apply(at(2_000), &report(stop, OrderReport::Modified { version: 2, order_type, qty })).unwrap();
    assert!(late.changes.is_empty());
}

#[test]
fn a_cancellation_without_an_answer_frees_nothing_and_is_repeated() {
    // C18
    let mut m = manager();
    let (position, entry) = opened(&mut m, 2, LOT);
    assert!(matches!(m.on_timer(at(5)).commands[..], [Command::Cancel { id, .. }] if id == entry));
    assert!(m.on_timer(at(6)).commands.is_empty());
    assert!(matches!(m.on_timer(at(7)).commands[..], [Command::Cancel { id, .. }] if id == entry));
    assert_eq!(m.exposure(Underlying::Nifty, InstrumentId(3)).total, 1);
    assert!(!m.is_flat());
    let done = m.apply(at(8), &report(entry, OrderReport::Cancelled { filled: Qty::new(LOT) })).unwrap();
    assert!(done.changes.contains(&PositionChange::EntryDone { position }));
}

#[test]
fn doubt_of_ten_seconds_is_an_alarm_and_only_one() {
    // I35
    let mut m = manager();
    unanswered_entry(&mut m);
    assert_eq!(m.wake_at(), Some(at(5).at), "first the entry's own deadline");
    let alarms: Vec<i64> =
        (3..60).filter(|s| m.on_timer(at(*s)).alarms.iter().any(|a| a.key == AlarmKey::OrderInDoubt)).collect();
    assert_eq!(alarms, [12]);
}
