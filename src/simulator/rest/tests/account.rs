//! Super orders, positions, controls, funds, profile (dhan-v2.md 6.1, 7).

use scalper_decide::domain::VenueRefusal;
use scalper_decide::domain::broker::BrokerStatus;

use super::*;
use crate::broker::dhan::rest::controls::{KillSwitch, PnlExitBody};
use crate::broker::dhan::rest::desk::WholeAccount;
use crate::broker::dhan::rest::funds::MarginBody;
use crate::broker::dhan::rest::positions::ConvertBody;
use crate::broker::dhan::rest::scalar::{Count, Number};
use crate::broker::dhan::rest::super_orders::{SuperModifyBody, SuperPlaceBody};
use crate::broker::dhan::rest::words::Leg;
use crate::broker::fault::Fault;
use scalper_decide::domain::broker::BrokerOrderType;

const WHOLE: WholeAccount = WholeAccount::a_person_asked_for_it();

fn super_buy(price: i64, target: i64, stop: i64) -> SuperPlaceBody {
    let rupees = |n: i64| Some(Number::from_paise(n * 100));
    SuperPlaceBody {
        dhan_client_id: CLIENT.to_owned(),
        correlation_id: Some("S1".to_owned()),
        transaction_type: OrderSide::Buy,
        exchange_segment: CALL.0,
        product_type: Product::Intraday,
        order_type: BrokerOrderType::Limit,
        security_id: CALL.1,
        quantity: Count(LOT),
        price: rupees(price),
        target_price: rupees(target),
        stop_loss_price: rupees(stop),
        trailing_jump: rupees(1),
    }
}

#[tokio::test]
async fn a_super_order_shows_its_legs_takes_a_new_stop_and_goes_with_its_entry() {
    let bench = Bench::start().await;
    let answer = bench.orders.place_super(&super_buy(90, 130, 80), false).await;
    let Answer::Accepted { broker_id: id, .. } = answer else { panic!("{answer:?}") };
    bench.to(1_000);
    let list = bench.client.super_order_book().await.unwrap();
    let [row] = list.as_slice() else { panic!("{list:?}") };
    assert_eq!((&row.order.order_id, &row.order.order_status), (&id.to_string(), &BrokerStatus::Pending));
    let legs: Vec<_> = row.leg_details.iter().map(|leg| (leg.leg(), leg.price.unwrap().paise())).collect();
    assert_eq!(legs, [(Some(Leg::StopLoss), 8_000), (Some(Leg::Target), 13_000)]);
    assert_eq!(row.leg_details[0].trailing_jump.unwrap().paise(), 100);
    let stop = SuperModifyBody::StopLoss {
        dhan_client_id: CLIENT.to_owned(),
        order_id: id.to_string(),
        stop_loss_price: Number::from_paise(8_500),
        trailing_jump: Number::default(),
    };
    let answer = bench.orders.modify_super(&stop, false).await;
    assert!(matches!(answer, Answer::Accepted { .. }), "{answer:?}");
    let list = bench.client.super_order_book().await.unwrap();
    assert_eq!(list[0].leg_details[0].price.unwrap().paise(), 8_500);
    let ack = bench.orders.cancel_super(&id, Leg::Entry, false).await.unwrap();
    assert_eq!(ack.unwrap().order_status, BrokerStatus::Cancelled);
    bench.to(2_500);
    assert_eq!(bench.row(&id).await.status, BrokerStatus::Cancelled);
    let wrong = bench.orders.place_super(&super_buy(90, 80, 130), false).await;
    assert!(matches!(wrong, Answer::Refused { refusal: VenueRefusal::Other(_) }), "{wrong:?}");
}

#[tokio::test]
async fn a_cancelled_leg_may_be_answered_with_nothing() {
    let bench = Bench::with(RestOptions { super_cancel_is_empty: true, ..RestOptions::default() }).await;
    let answer = bench.orders.place_super(&super_buy(90, 130, 80), false).await;
    let Answer::Accepted { broker_id: id, .. } = answer else { panic!("{answer:?}") };
    bench.to(1_000);
    assert_eq!(bench.orders.cancel_super(&id, Leg::Target, false).await, Ok(None));
}

#[tokio::test]
async fn positions_are_converted_and_exit_all_leaves_nothing() {
    let bench = Bench::start().await;
    bench.place(&buy("T1", 2, rs(110))).await;
    bench.to(3_000);
    let mut body = ConvertBody {
        dhan_client_id: CLIENT.to_owned(),
        from_product_type: Product::Intraday,
        exchange_segment: CALL.0,
        position_type: "LONG".to_owned(),
        security_id: CALL.1,
        convert_qty: Count(LOT),
        to_product_type: Product::Margin,
    };
    bench.orders.convert_position(&body).await.unwrap();
    let rows = bench.client.position_book().await.unwrap().rows;
    let held: Vec<_> = rows.iter().map(|row| (row.product.clone(), row.net)).collect();
    assert_eq!(held, [(Product::Intraday, 65), (Product::Margin, 65)]);
    body.position_type = "SHORT".to_owned();
    assert!(matches!(bench.orders.convert_position(&body).await, Err(Fault::Refused { .. })));
    let switched = bench.orders.set_kill_switch(&KillSwitch::On, WHOLE).await;
    assert!(matches!(switched, Err(Fault::Refused { .. })), "positions are open");
    assert_eq!(bench.orders.exit_all(WHOLE).await.unwrap().status, "SUCCESS");
    bench.to(8_000);
    assert!(bench.client.position_book().await.unwrap().rows.iter().all(|row| row.net == 0));
    let on = bench.orders.set_kill_switch(&KillSwitch::On, WHOLE).await.unwrap();
    assert_eq!(on.kill_switch_status, KillSwitch::On);
    assert!(matches!(bench.orders.place_order(&buy("T2", 1, rs(90))).await, Answer::Refused { .. }));
    assert_eq!(bench.client.kill_switch().await.unwrap().kill_switch_status, KillSwitch::On);
}

#[tokio::test]
async fn the_profit_and_loss_exit_is_set_read_and_cleared() {
    let bench = Bench::start().await;
    let read = bench.client.pnl_exit().await.unwrap();
    assert_eq!(read.pnl_exit_status.as_deref(), Some("DISABLED"));
    let mut body = PnlExitBody {
        profit_value: Number::from_paise(500_000),
        loss_value: Number::from_paise(300_000),
        product_type: vec!["INTRADAY".to_owned()],
        enable_kill_switch: true,
    };
    bench.orders.set_pnl_exit(&body, WHOLE).await.unwrap();
    let read = bench.client.pnl_exit().await.unwrap();
    assert_eq!((read.profit.unwrap().paise(), read.loss.unwrap().paise()), (500_000, 300_000));
    assert_eq!((read.product_type, read.enable_kill_switch), (vec!["INTRADAY".to_owned()], true));
    let cleared = bench.orders.clear_pnl_exit().await.unwrap();
    assert_eq!(cleared.pnl_exit_status.as_deref(), Some("DISABLED"));
    body.product_type.clear();
    assert!(matches!(bench.orders.set_pnl_exit(&body, WHOLE).await, Err(Fault::Refused { .. })));
}

#[tokio::test]
async fn margin_holdings_profile_and_history_read_as_documented() {
    let bench = Bench::start().await;
    bench.place(&buy("T1", 1, rs(110))).await;
    bench.to(3_000);
    let margin = MarginBody {
        dhan_client_id: CLIENT.to_owned(),
        exchange_segment: CALL.0,
        transaction_type: OrderSide::Buy,
        quantity: Count(LOT),
        product_type: Product::Intraday,
        security_id: CALL.1,
        price: Some(Number::from_paise(10_000)),
        trigger_price: None,
    };
    let margin = bench.client.margin(&margin).await.unwrap();
    assert!(margin.total_margin.paise() >= 650_000, "{margin:?}");
    assert_eq!(margin.insufficient_balance.unwrap().paise(), 0);
    assert_eq!(bench.client.holdings().await.unwrap(), []);
    let profile = bench.client.profile().await.unwrap();
    assert_eq!((profile.derivatives(), profile.data_active()), (Some(true), Some(true)));
    let ends = bench.desk.with(|_, account, _| account.expires_at()).unwrap();
    assert_eq!(profile.token_ends(), ends);
    let history = bench.client.trade_history(day(12), day(12), 0).await.unwrap();
    let charged: i64 = history
        .iter()
        .flat_map(|row| {
            let heads = [row.sebi_tax, row.stt, row.brokerage_charges, row.service_tax];
            heads.into_iter().chain([row.exchange_transaction_charges, row.stamp_duty])
        })
        .map(|head| head.unwrap().paise())
        .sum();
    let truth = bench.desk.with(|sim, _, _| sim.truth()).unwrap();
    assert_eq!(charged, truth.ledger.charges.paise(), "every head of every execution, and nothing else");
    assert_eq!(history[0].trade.exchange_trade_id, None);
    assert_eq!(bench.client.trade_history(day(12), day(12), 1).await.unwrap(), []);
    assert_eq!(bench.client.trade_history(day(1), day(11), 0).await.unwrap(), []);
}

#[tokio::test]
async fn no_holdings_may_be_an_error_and_is_an_empty_list_to_the_client() {
    let bench = Bench::with(RestOptions { no_holdings_is_error: true, ..RestOptions::default() }).await;
    assert_eq!(bench.client.holdings().await.unwrap(), []);
    assert_eq!(bench.json("GET", "/holdings", "").await.1["errorCode"], "DH-1111");
}
