//! Kill switch, P&L exit, exit-all, square-off, halts (dhan-v2.md 7.3; E9, E11, E12, E14, F8, F10).

use super::*;
use crate::simulator::Notice;
use crate::simulator::oms::controls::{PnlExit, Products};
use BrokerStatus::{Cancelled, Expired, Pending, Rejected};
use scalper_decide::domain::broker::Product;

#[test]
fn the_kill_switch_wants_a_flat_account_and_then_blocks_orders_until_it_is_taken_back() {
    // E11.
    let mut bench = Bench::quoted(&[rs(100), rs(100), rs(100), rs(100)]);
    let resting = bench.place(&PlaceRequest::limit(OrderSide::Buy, CALL, LOT, rs(80)));
    assert!(bench.sim.kill_switch(true).is_err());
    bench.sim.cancel(resting).unwrap();
    bench.to(ms(500));
    bench.sim.kill_switch(true).unwrap();
    let refused = bench.sim.place(&PlaceRequest::limit(OrderSide::Buy, CALL, LOT, rs(80))).unwrap_err();
    assert!(refused.message.contains("Kill Switch"));
    bench.sim.kill_switch(false).unwrap();
    bench.long_call(1);
    assert!(bench.sim.kill_switch(true).is_err());
}

#[test]
fn a_pnl_exit_leaves_everything_and_can_switch_trading_off() {
    // E12.
    let mut ticks = vec![tick(CALL, ms(-1_000), rs(100), 650)];
    ticks.extend((1..60).map(|i| tick(CALL, ms(i * 1_000), rs(if i < 5 { 100 } else { 90 }), 650)));
    let mut bench = Bench::with(ticks);
    bench.long_call(2);
    let exit = PnlExit {
        profit: Some(money(5_000)),
        loss: Some(money(1_000)),
        products: Products::INTRADAY,
        kill_switch: true,
    };
    bench.sim.set_pnl_exit(exit).unwrap();
    assert!(!bench.sim.oms().controls().pnl_exit_fired());
    bench.to(ms(59_000));
    assert_eq!(bench.net(CALL), 0);
    assert!(bench.sim.oms().controls().pnl_exit_fired() && bench.sim.oms().controls().is_killed());
    bench.assert_sound();
}

#[test]
fn a_pnl_exit_that_is_already_reached_fires_at_once() {
    let mut bench = Bench::quoted(&[rs(100), rs(95), rs(95), rs(95), rs(95), rs(95), rs(95)]);
    bench.long_call(1);
    bench.to(ms(2_500));
    let exit = PnlExit { profit: None, loss: Some(money(100)), products: Products::ALL, kill_switch: false };
    bench.sim.set_pnl_exit(exit).unwrap();
    assert!(bench.sim.oms().controls().pnl_exit_fired());
    bench.to(ms(8_000));
    assert_eq!(bench.net(CALL), 0);
    assert!(bench.sim.set_pnl_exit(PnlExit { loss: None, ..exit }).is_err());
}

#[test]
fn exit_all_cancels_what_rests_and_leaves_what_is_held() {
    // 7.1: assume yes.
    let mut bench = Bench::quoted(&[rs(100); 8]);
    bench.long_call(2);
    let stop = bench.place(&PlaceRequest::stop(OrderSide::Sell, CALL, LOT, rs(80), rs(76)));
    bench.to(ms(2_500));
    bench.sim.exit_all().unwrap();
    bench.to(ms(8_500));
    assert_eq!((bench.status(stop), bench.net(CALL)), (Cancelled, 0));
    bench.assert_sound();
}

#[test]
fn the_broker_squares_intraday_off_at_its_time_and_leaves_margin_alone() {
    // E9: 15:20 of the calendar.
    let at = Instant::from_ist(day(12), hm(15, 20));
    let mut ticks = vec![tick(CALL, ms(-1_000), rs(100), 650), tick(CALL, ms(1_000), rs(100), 650)];
    ticks.extend((0..60).map(|i| tick(CALL, at + Age::from_secs(i), rs(100), 650)));
    let mut bench = Bench::with(ticks);
    let intraday = PlaceRequest::limit(OrderSide::Buy, CALL, LOT, rs(101));
    bench.place(&intraday);
    bench.place(&PlaceRequest { product: Product::Margin, ..intraday.clone() });
    let resting = bench.place(&PlaceRequest { price: rs(70), ..intraday });
    bench.to(at - Age::from_nanos(1));
    assert_eq!(bench.net(CALL), 2 * LOT);
    bench.to(at + Age::from_secs(50));
    let held: Vec<i64> = bench.sim.oms().positions().of(CALL).map(|p| p.net()).collect();
    assert_eq!(held, [0, LOT], "INTRADAY flat, MARGIN kept");
    assert_eq!(bench.status(resting), Cancelled);
    assert!(bench.said.notices.contains(&Notice::SquareOff { at }));
    let sale = bench.sim.oms().orders().last().unwrap();
    assert_eq!(sale.source, crate::simulator::oms::order::Source::Broker);
    bench.assert_sound();
}

#[test]
fn a_position_can_be_converted_and_its_rows_still_add_up() {
    // E14.
    let mut bench = Bench::quoted(&[rs(100), rs(100)]);
    bench.long_call(2);
    assert!(bench.sim.convert(CALL, &Product::Intraday, &Product::Margin, 3 * LOT).is_err());
    bench.sim.convert(CALL, &Product::Intraday, &Product::Margin, LOT).unwrap();
    let held: Vec<i64> = bench.sim.oms().positions().of(CALL).map(|p| p.net()).collect();
    assert_eq!(held, [LOT, LOT]);
    bench.assert_sound();
}

#[test]
fn in_a_halt_nothing_ticks_or_trades_new_orders_are_rejected_and_a_purge_ends_the_resting_ones() {
    // F8, F10.
    for purges in [false, true] {
        let ticks = vec![
            tick(CALL, ms(-1_000), rs(100), 650),
            tick(CALL, ms(90_000), rs(50), 650),
            tick(CALL, ms(130_000), rs(99), 650),
        ];
        let halt = Halt { day: 0, from: hm(10, 1), to: hm(10, 2), purges };
        let market = Scripted { days: BTreeMap::from([(day(12), ticks)]), halts: vec![halt] };
        let mut bench = Bench::new(market, SimConfig::default());
        bench.to(ms(0));
        let resting = bench.place(&PlaceRequest::limit(OrderSide::Buy, CALL, LOT, rs(95)));
        bench.to(ms(100_000));
        assert_eq!(bench.status(resting), if purges { Expired } else { Pending });
        assert_eq!(bench.net(CALL), 0);
        let refused = bench.place(&PlaceRequest::limit(OrderSide::Buy, CALL, LOT, rs(95)));
        bench.to(ms(101_000));
        assert_eq!(bench.status(refused), Rejected);
        assert!(bench.row(refused).error.as_ref().unwrap().text.contains("halted"));
        bench.to(ms(125_000));
        let after = bench.place(&PlaceRequest::limit(OrderSide::Buy, CALL, LOT, rs(100)));
        bench.to(ms(140_000));
        assert_eq!(bench.status(after), BrokerStatus::Traded);
        assert!(!bench.said.ticks.iter().any(|t| t.received_at == ms(90_000)));
        bench.assert_sound();
    }
}
