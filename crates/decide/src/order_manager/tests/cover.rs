//! Owned units and what stands for them (I6, J13, C22).

use super::*;
use crate::domain::alarm::AlarmKey;

/// `millis` after the start.
fn ms(millis: i64) -> Stamp {
    Stamp { at: at(0).at + Age::from_millis(millis), ..at(0) }
}

#[test]
fn bought_units_are_uncovered_until_a_stop_rests_for_them() {
    // I6: a stop that was sent and not confirmed protects nobody.
    let mut m = manager();
    let (position, _) = opened(&mut m, 1, LOT);
    let stop = m.act(at(1), protect(position, 70))[0].order_id();
    let gap = m.uncovered(at(2).at);
    assert_eq!((gap[0].position, gap[0].units, gap[0].age), (position, Qty::new(LOT), Age::from_secs(1)));
    m.apply(at(2), &report(stop, OrderReport::Accepted)).unwrap();
    assert!(m.uncovered(at(2).at).is_empty());
}

#[test]
fn units_without_a_stop_leave_at_the_deadline_with_an_alarm() {
    // I6, J13: nobody asked for protection at all.
    let mut m = manager();
    let (position, _) = opened(&mut m, 1, LOT);
    assert_eq!(m.wake_at(), Some(ms(2_500).at));
    assert!(m.on_timer(ms(2_499)).changes.is_empty());
    let outcome = m.on_timer(ms(2_500));
    assert_eq!(outcome.changes[..], [PositionChange::Unprotected { position }]);
    assert_eq!(outcome.alarms[0].key, AlarmKey::UncoveredUnits);
    assert!(outcome.alarms[0].text.contains("65 units without cover for 1500 ms"), "{}", outcome.alarms[0].text);
}

#[test]
fn units_behind_a_stop_in_doubt_are_alarmed_about_and_not_sold_twice() {
    // E16, I2
    let mut m = manager();
    let (position, _) = opened(&mut m, 1, LOT);
    m.act(at(1), protect(position, 70));
    let mut alarms = 0;
    for millis in (2_000..120_000).step_by(500) {
        let outcome = m.on_timer(ms(millis));
        alarms += outcome.alarms.iter().filter(|a| a.key == AlarmKey::UncoveredUnits).count();
        assert!(outcome.changes.is_empty(), "{:?}", outcome.changes);
        let sells = outcome.commands.iter().filter(|c| matches!(c, Command::Place(_))).count();
        assert_eq!(sells, 0);
    }
    assert!((5..=10).contains(&alarms), "{alarms} alarms in two minutes: repeated, with growing pauses");
}

#[test]
fn a_refused_exit_climbs_the_ladder_and_every_rung_is_told() {
    // C22: another price, the edge of the band, smaller slices, and a person; it never stops trying.
    let mut m = manager();
    let (position, _) = opened(&mut m, 8, 8 * LOT);
    let mut now = 2;
    let mut commands = m.act(at(now), exit(position));
    let (mut told, mut placed) = (Vec::new(), Vec::new());
    for _ in 0..12 {
        let units: Vec<i64> = commands
            .iter()
            .map(|c| match c {
                Command::Place(spec) => spec.qty.get() / LOT,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(units.iter().sum::<i64>(), 8, "all of it is tried each time: {units:?}");
        placed.push((units[0], commands[0].order_id()));
        let sent = commands.clone();
        commands = Commands::new();
        for command in sent {
            let Command::Place(spec) = command else { unreachable!() };
            if told.len() >= 2 {
                assert_eq!(spec.order_type.limit(), Premium::from_rupees(65), "the edge of the band under 100");
            }
            let refusal = OrderReport::Rejected { refusal: VenueRefusal::PriceBand };
            let outcome = m.apply(at(now), &report(spec.id, refusal)).unwrap();
            told.extend(outcome.alarms.into_iter().filter(|a| a.key == AlarmKey::ExitRefused).map(|a| a.text));
            commands.extend(outcome.commands);
        }
        while commands.is_empty() {
            now += 1;
            commands.extend(m.on_quote(at(now), InstrumentId(3), &quote(now, 100)));
            commands.extend(m.on_timer(at(now)).commands);
            assert!(now < 600, "it gave up");
        }
    }
    for (text, rung) in told.iter().zip(["farther", "edge of the band", "smaller slices", "lot by lot"]) {
        assert!(text.contains(rung), "{told:?}");
    }
    assert!(told.len() >= 4, "{told:?}");
    assert_eq!((placed[0].0, placed.last().unwrap().0), (8, 1), "{placed:?}");
    let ids: BTreeSet<_> = placed.iter().map(|(_, id)| id).collect();
    assert_eq!(ids.len(), placed.len(), "each attempt has an id of its own (F-19)");
}

#[test]
fn units_left_at_the_close_are_an_alarm() {
    // F-23
    let mut m = manager();
    stopped(&mut m);
    let alarms = m.close_session(at(20_000)).alarms;
    assert!(matches!(&alarms[..], [a] if a.key == AlarmKey::NotFlatAtClose), "{alarms:?}");
}

#[test]
fn what_is_not_at_the_broker_is_not_sold_and_the_stop_shrinks_first() {
    // E1, I2: a person sold one of our two lots by hand.
    let mut m = manager();
    let (position, _) = opened(&mut m, 2, 2 * LOT);
    let stop = m.act(at(2), protect(position, 70))[0].order_id();
    m.apply(at(2), &report(stop, OrderReport::Accepted)).unwrap();
    let outcome = m.set_sellable_cap(at(3), InstrumentId(3), Some(Qty::new(LOT)));
    assert_eq!(outcome.alarms[0].key, AlarmKey::NetShort);
    let [Command::Modify { order_type, qty, version, .. }] = outcome.commands[..] else { panic!("{outcome:?}") };
    assert_eq!(qty, Qty::new(LOT));
    m.apply(at(3), &report(stop, OrderReport::Modified { version, order_type, qty })).unwrap();
    assert!(m.set_sellable_cap(at(4), InstrumentId(3), Some(Qty::new(LOT))).commands.is_empty(), "asked twice");
    let commands = m.act(at(5), exit(position));
    assert!(matches!(commands[..], [Command::Modify { qty, .. }] if qty == Qty::new(LOT)), "{commands:?}");
    m.apply(at(6), &fill(stop, 9, LOT, 90)).unwrap();
    let later = m.on_timer(at(30));
    assert!(later.commands.iter().all(|c| !matches!(c, Command::Place(_))), "nothing more to sell");
    assert!(m.uncovered(at(30).at).is_empty(), "what is not there needs no cover");
}

#[test]
fn a_stop_refused_in_the_same_day_opened_twice_stays_known() {
    // J12: opening the day again forgets no order, no position and no signal.
    let mut m = manager();
    let (position, stop) = stopped(&mut m);
    m.open_session(&hours(&[((9, 15), (15, 30))]), BTreeMap::from([(Underlying::Nifty, rates())]));
    assert!(m.is_used(&m.position(position).unwrap().signal.clone()));
    assert!(m.orders().any(|(o, _)| o.spec.id == stop));
    assert_eq!(m.position(position).unwrap().owned(), Qty::new(LOT));
}
