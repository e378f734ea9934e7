//! Super orders (dhan-v2.md 6.1; C24, C25).

use super::*;
use crate::simulator::oms::order::Leg;
use crate::simulator::oms::request::{SuperChange, SuperRequest};
use BrokerStatus::{Cancelled, Closed, Pending, Traded, Triggered};

fn request(lots: i64, jump: i64) -> SuperRequest {
    SuperRequest {
        entry: PlaceRequest::limit(OrderSide::Buy, CALL, lots * LOT, rs(101)),
        target: rs(120),
        stop: rs(90),
        trailing_jump: rs(jump),
    }
}

fn legs(bench: &Bench, entry: OrderNo) -> (BrokerStatus, BrokerStatus) {
    let row = bench.sim.oms().supers().get(entry).unwrap();
    (row.leg(Leg::Target).unwrap().status.clone(), row.leg(Leg::StopLoss).unwrap().status.clone())
}

fn stop_price(bench: &Bench, entry: OrderNo) -> Premium {
    bench.sim.oms().supers().get(entry).unwrap().leg(Leg::StopLoss).unwrap().price
}

#[test]
fn reaching_the_target_sells_there_and_cancels_the_stop() {
    // One cancels the other.
    let mut bench = Bench::quoted(&[rs(100), rs(110), rs(121), rs(121), rs(80)]);
    let entry = bench.sim.place_super(&request(1, 0)).unwrap().order_no;
    bench.to(ms(2_500));
    assert_eq!((bench.net(CALL), legs(&bench, entry)), (LOT, (Pending, Pending)));
    assert_eq!(bench.sim.oms().orders().count(), 1, "legs do not rest at the exchange");
    bench.to(ms(3_100));
    assert_eq!(legs(&bench, entry), (Triggered, Cancelled));
    bench.to(ms(9_000));
    assert_eq!((bench.net(CALL), legs(&bench, entry)), (0, (Traded, Cancelled)));
    let row = bench.sim.oms().supers().get(entry).unwrap();
    assert_eq!(bench.sim.oms().super_status(row), Closed);
    let exit = bench.sim.oms().orders().last().unwrap();
    assert_eq!((exit.leg, exit.price), (Some((Leg::Target, entry)), rs(120)));
    bench.assert_sound();
}

#[test]
fn reaching_the_stop_sells_at_the_market_and_cancels_the_target() {
    let mut bench = Bench::quoted(&[rs(100), rs(95), rs(90), rs(89), rs(130)]);
    let entry = bench.sim.place_super(&request(1, 0)).unwrap().order_no;
    bench.to(ms(9_000));
    assert_eq!((bench.net(CALL), legs(&bench, entry)), (0, (Cancelled, Traded)));
    bench.assert_sound();
}

#[test]
fn the_stop_follows_by_whole_jumps_and_never_goes_back() {
    let mut bench = Bench::quoted(&[rs(100), rs(104), rs(107), rs(103), rs(96), rs(94)]);
    let entry = bench.sim.place_super(&request(1, 3)).unwrap().order_no;
    bench.to(ms(2_500));
    let at_once = stop_price(&bench, entry);
    bench.to(ms(3_500));
    assert!(at_once >= rs(90) && stop_price(&bench, entry) > at_once);
    let best = stop_price(&bench, entry);
    bench.to(ms(4_500));
    assert_eq!(stop_price(&bench, entry), best);
    bench.to(ms(9_000));
    assert!(best.paise() % 300 == 0 && best > rs(90));
}

#[test]
fn omitting_the_jump_on_a_change_ends_trailing() {
    // C25.
    let mut bench = Bench::quoted(&[rs(100), rs(101), rs(110), rs(115)]);
    let entry = bench.sim.place_super(&request(1, 1)).unwrap().order_no;
    bench.to(ms(2_500));
    bench.sim.modify_super(entry, &SuperChange::StopLoss { stop: rs(92), trailing_jump: None }).unwrap();
    bench.to(ms(4_500));
    assert_eq!(stop_price(&bench, entry), rs(92));
    bench.sim.modify_super(entry, &SuperChange::Target { target: rs(125) }).unwrap();
    assert!(bench.sim.modify_super(entry, &SuperChange::Target { target: paise(12_503) }).is_err());
}

#[test]
fn cancelling_the_entry_cancels_everything_and_a_cancelled_leg_never_comes_back() {
    // C25.
    let mut bench = Bench::quoted(&[rs(105)]);
    let entry = bench.sim.place_super(&request(1, 0)).unwrap().order_no;
    bench.sim.cancel_super(entry, Leg::StopLoss).unwrap();
    let again = SuperChange::StopLoss { stop: rs(90), trailing_jump: None };
    assert!(bench.sim.modify_super(entry, &again).is_err());
    assert_eq!(bench.sim.cancel_super(entry, Leg::StopLoss).unwrap_err().message, "Nothing to Cancel . ");
    bench.sim.cancel_super(entry, Leg::Entry).unwrap();
    bench.to(ms(500));
    assert_eq!((bench.status(entry), legs(&bench, entry)), (Cancelled, (Cancelled, Cancelled)));
}

#[test]
fn a_partly_filled_entry_whose_stop_is_reached_leaves_nothing_behind() {
    let mut ticks = vec![tick(CALL, ms(-1_000), rs(100), 65)];
    ticks.extend(
        [(1_000, 100), (2_000, 89), (2_100, 89), (3_000, 89), (4_000, 88), (5_000, 88), (6_000, 88)]
            .map(|(at, price)| tick(CALL, ms(at), rs(price), 65)),
    );
    let mut bench = Bench::with(ticks);
    let entry = bench.sim.place_super(&request(3, 0)).unwrap().order_no;
    bench.to(ms(60_000));
    assert_eq!(bench.net(CALL), 0, "what the entry still bought while it was cancelled was sold as well");
    assert_eq!(legs(&bench, entry).1, Traded);
    bench.assert_sound();
}

#[test]
fn legs_on_the_wrong_side_or_off_the_tick_are_refused_at_once() {
    // Q12.
    let mut bench = Bench::quoted(&[]);
    for bad in [
        SuperRequest { target: rs(95), ..request(1, 0) },
        SuperRequest { stop: rs(105), ..request(1, 0) },
        SuperRequest { stop: paise(9_003), ..request(1, 0) },
        SuperRequest { stop: Premium::ZERO, target: Premium::ZERO, ..request(1, 0) },
    ] {
        assert!(bench.sim.place_super(&bad).is_err(), "{bad:?}");
    }
}
