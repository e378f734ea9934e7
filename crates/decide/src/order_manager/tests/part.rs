//! Selling some lots while the rest stays protected, and executions that turn out to have another price.

use super::*;

const fn part(position: PositionId, lots: i64) -> RiskAction {
    RiskAction::SellPart { position, qty: Qty::new(lots * LOT) }
}

/// Three lots with a stop resting for all of them.
fn three_lots(m: &mut OrderManager) -> (PositionId, ClientOrderId) {
    let (position, _) = opened(m, 3, 3 * LOT);
    let stop = m.act(at(2), protect(position, 70))[0].order_id();
    m.apply(at(2), &report(stop, OrderReport::Accepted)).unwrap();
    (position, stop)
}

fn confirm(m: &mut OrderManager, command: Command) -> Outcome {
    let Command::Modify { id, version, order_type, qty, .. } = command else { panic!("{command:?}") };
    m.apply(at(3), &report(id, OrderReport::Modified { version, order_type, qty })).unwrap()
}

#[test]
fn a_partial_close_shrinks_the_stop_then_sells_and_the_rest_stays_protected() {
    let mut m = manager();
    let (position, stop) = three_lots(&mut m);
    let commands = m.act(at(3), part(position, 1));
    let [Command::Modify { id, order_type, qty, .. }] = commands[..] else { panic!("{commands:?}") };
    assert_eq!((id, qty), (stop, Qty::new(2 * LOT)), "room first: a second sell beside a full stop would be short");
    assert!(matches!(order_type, OrderType::StopLimit { .. }));
    let outcome = confirm(&mut m, commands[0]);
    let [Command::Place(sell)] = outcome.commands[..] else { panic!("{:?}", outcome.commands) };
    assert_eq!((sell.purpose, sell.qty), (OrderPurpose::Exit, Qty::new(LOT)));
    m.apply(at(3), &report(sell.id, OrderReport::Accepted)).unwrap();
    let sold = m.apply(at(4), &fill(sell.id, 7, LOT, 99)).unwrap();
    assert!(sold.commands.is_empty() && m.uncovered(at(4).at).is_empty(), "{:?}", sold.commands);
    assert_eq!(m.position(position).unwrap().owned(), Qty::new(2 * LOT));
    assert!(m.position(position).unwrap().is_live());
    // The stop goes on as the stop of what is left.
    assert!(
        matches!(m.act(at(5), protect(position, 80))[..], [Command::Modify { qty, .. }] if qty == Qty::new(2 * LOT))
    );
}

#[test]
fn a_refused_partial_close_is_priced_again_and_never_exposes_the_rest() {
    let mut m = manager();
    let (position, _) = three_lots(&mut m);
    let commands = m.act(at(3), part(position, 1));
    let outcome = confirm(&mut m, commands[0]);
    let refusal = OrderReport::Rejected { refusal: VenueRefusal::PriceBand };
    let refused = m.apply(at(3), &report(outcome.commands[0].order_id(), refusal)).unwrap();
    assert!(refused.changes.is_empty(), "the rest is protected: {:?}", refused.changes);
    let again = m.on_timer(at(5)).commands;
    assert!(matches!(again[..], [Command::Place(s)] if s.purpose == OrderPurpose::Exit && s.qty == Qty::new(LOT)));
}

#[test]
fn a_whole_exit_swallows_a_partial_one() {
    let mut m = manager();
    let (position, stop) = three_lots(&mut m);
    let shrunk = m.act(at(3), part(position, 1))[0];
    let sell = confirm(&mut m, shrunk).commands[0].order_id();
    m.apply(at(3), &report(sell, OrderReport::Accepted)).unwrap();
    let commands = m.act(at(4), exit(position));
    let turned = |wanted: ClientOrderId| {
        let is =
            |c: &Command| matches!(c, Command::Modify { id, order_type: OrderType::Limit { .. }, .. } if *id == wanted);
        commands.iter().any(is)
    };
    assert!(commands.len() == 2 && turned(stop) && turned(sell), "{commands:?}");
    m.apply(at(5), &fill(sell, 8, LOT, 99)).unwrap();
    let done = m.apply(at(5), &fill(stop, 9, 2 * LOT, 98)).unwrap();
    assert!(done.changes.iter().any(|c| matches!(c, PositionChange::Closed { reason: ExitReason::Target, .. })));
}

#[test]
fn halting_takes_a_working_entry_back_and_leaves_what_is_owned_alone() {
    let mut m = manager();
    let (position, entry) = opened(&mut m, 2, LOT);
    let commands = m.act(at(2), RiskAction::StopBuying { position });
    assert!(matches!(commands[..], [Command::Cancel { id, .. }] if id == entry));
    assert!(m.act(at(2), RiskAction::StopBuying { position }).is_empty(), "asked once");
}

#[test]
fn another_price_of_a_known_execution_moves_money_and_no_units() {
    // D7, I4: the books absorb it exactly, while open and after the close.
    let mut m = manager();
    let (position, stop) = three_lots(&mut m);
    let entry = m.books[&position].entries[0];
    let reprice = |m: &mut OrderManager, id: ClientOrderId, delta: i64| {
        let spec = m.orders[&id].order.spec;
        let heads = rates().for_order(spec.side, m.orders[&id].order.turnover() + Money::from_rupees(delta));
        let added = heads - m.orders[&id].charged;
        m.orders.get_mut(&id).unwrap().charged = heads;
        let mut outcome = Outcome::default();
        m.repriced(spec, Money::from_rupees(delta), added, &mut outcome);
        let [PositionChange::Repriced { amount, basis, average, charges, .. }] = outcome.changes[..] else {
            panic!("{outcome:?}")
        };
        (amount, basis, average, charges)
    };
    // Bought dearer by 195: one rupee a unit, all of it still owned.
    let (amount, basis, average, charges) = reprice(&mut m, entry, 195);
    assert_eq!((amount, basis), (Money::from_rupees(-195), Money::from_rupees(195)));
    assert_eq!(average, Premium::from_rupees(101));
    assert!(charges > Money::ZERO);
    m.apply(at(3), &fill(stop, 5, LOT, 70)).unwrap();
    // Dearer again, with one of three lots sold: a third of it is realised.
    let (amount, basis, ..) = reprice(&mut m, entry, 195);
    assert_eq!((amount, basis), (Money::from_rupees(-195), Money::from_rupees(130)));
    m.apply(at(3), &fill(stop, 6, 2 * LOT, 70)).unwrap();
    assert!(!m.position(position).unwrap().is_live());
    let net = m.position(position).unwrap().net();
    let (amount, basis, _, charges) = reprice(&mut m, stop, 65);
    assert_eq!((amount, basis), (Money::from_rupees(65), Money::ZERO), "after the close all of it is result");
    assert_eq!(m.position(position).unwrap().net(), net + Money::from_rupees(65) - charges);
}
