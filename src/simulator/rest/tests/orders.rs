//! Orders there and back, and every refusal of dhan-v2.md 8.

use scalper_decide::domain::VenueRefusal;
use scalper_decide::domain::broker::BrokerStatus::{Cancelled, Pending, Rejected, Traded, Transit};

use super::*;
use crate::broker::dhan::rest::error::refusal;
use crate::simulator::tests::{PUT, paise};

fn refused(answer: Answer) -> VenueRefusal {
    match answer {
        Answer::Refused { refusal } => refusal,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_order_is_placed_changed_filled_and_seen_in_every_book() {
    let bench = Bench::start().await;
    let before = bench.client.funds().await.unwrap();
    assert_eq!(before.available_balance.paise(), 100_000_000);
    let answer = bench.orders.place_order(&buy("T1", 2, rs(90))).await;
    let Answer::Accepted { broker_id: id, status: Transit } = answer else { panic!("{answer:?}") };
    bench.to(1_500);
    let row = bench.row(&id).await;
    assert_eq!((row.status, row.tag, row.price, row.qty), (Pending, Some(tag("T1")), rs(90), Qty::new(130)));
    assert!(bench.client.funds().await.unwrap().utilized_amount.unwrap().paise() >= 90 * 130 * 100);
    assert!(matches!(bench.orders.modify_order(&change(&id, 1, rs(105))).await, Answer::Accepted { .. }));
    bench.to(4_000);
    let row = bench.row(&id).await;
    assert_eq!((row.status, row.filled, row.qty), (Traded, Qty::new(65), Qty::new(65)));
    let book = bench.client.order_book().await.unwrap();
    assert_eq!((book.rows.len(), book.unread.len()), (1, 0));
    assert_eq!(bench.client.by_tag(tag("T1")).await.unwrap().rows, book.rows);
    let trades = bench.client.trade_book().await.unwrap();
    assert_eq!(trades.unread.len(), 0);
    assert_eq!(trades.rows.iter().map(|t| t.qty.get()).sum::<i64>(), 65);
    assert_eq!(bench.client.trades_of(&id).await.unwrap().rows, trades.rows);
    let held = bench.client.position_book().await.unwrap();
    assert_eq!((held.rows.len(), held.rows[0].net, held.rows[0].day_bought.get()), (1, 65, 65));
    let paid: i64 = trades.rows.iter().map(|t| t.price.paise() * t.qty.get()).sum();
    let after = bench.client.funds().await.unwrap().available_balance.paise();
    assert!(after < 100_000_000 - paid && after > 100_000_000 - paid - 10_000, "price and charges: {after}");
}

#[tokio::test]
async fn a_cancelled_order_shows_nothing_remaining_and_cannot_be_cancelled_again() {
    let bench = Bench::start().await;
    let id = bench.place(&buy("T1", 1, rs(90))).await;
    bench.to(1_000);
    let answer = bench.orders.cancel_order(&id, false).await;
    assert_eq!(answer, Answer::Accepted { broker_id: id.clone(), status: Cancelled });
    bench.to(3_000);
    assert_eq!(bench.row(&id).await.status, Cancelled);
    let (_, row) = bench.json("GET", &format!("/orders/{id}"), "").await;
    assert_eq!((&row[0]["remainingQuantity"], &row[0]["filledQty"]), (&0.into(), &0.into()));
    assert_eq!(refused(bench.orders.cancel_order(&id, false).await), VenueRefusal::NotOpen);
}

#[tokio::test]
async fn what_the_broker_does_not_know_is_absent_from_reads_and_refused_in_writes() {
    let bench = Bench::start().await;
    for id in ["11260112000001", "no-number"] {
        let id = BrokerOrderId(id.into());
        assert_eq!(bench.client.order(&id).await.unwrap().rows, []);
        assert!(matches!(refused(bench.orders.cancel_order(&id, false).await), VenueRefusal::Other(_)));
        let answer = bench.orders.modify_order(&change(&id, 1, rs(90))).await;
        assert!(matches!(refused(answer), VenueRefusal::Other(_)));
    }
    assert_eq!(bench.client.by_tag(tag("T9")).await.unwrap().rows, []);
    assert_eq!(bench.client.order_book().await.unwrap().rows, []);
    assert_eq!(bench.client.position_book().await.unwrap().rows, []);
}

#[tokio::test]
async fn bad_fields_are_refused_at_once_by_a_message_that_names_none() {
    // 8.1, 9.2.
    let bench = Bench::start().await;
    let body = |tag: &str, change: (&str, Value)| {
        let mut body = serde_json::json!({
            "dhanClientId": CLIENT, "correlationId": tag, "transactionType": "BUY", "exchangeSegment": "NSE_FNO",
            "productType": "INTRADAY", "orderType": "LIMIT", "validity": "DAY", "securityId": CALL.1.to_string(),
            "quantity": 65, "price": 90.0,
        });
        body[change.0] = change.1;
        body.to_string()
    };
    let none = ("dhanClientId", Value::from(CLIENT));
    let mut cases =
        vec!["not json".to_owned(), "{}".to_owned(), body(&"x".repeat(26), none.clone()), body("a.b", none)];
    let odd = [
        ("quantity", Value::from(0)),
        ("price", Value::from(0)),
        ("price", Value::from(90.001)),
        ("price", Value::from("ninety")),
        ("securityId", Value::from("999")),
        ("productType", Value::from("BO")),
        ("orderType", Value::from("BEST")),
        ("validity", Value::from("GTC")),
        ("exchangeSegment", Value::from("IDX_I")),
        ("afterMarketOrder", Value::from(true)),
        ("dhanClientId", Value::from("2")),
    ];
    cases.extend(odd.into_iter().map(|change| body("T", change)));
    for (i, case) in cases.into_iter().enumerate() {
        // Ten orders a second are let through.
        bench.to(200 * (i as i64 + 1));
        let (http, answer) = bench.json("POST", "/orders", &case).await;
        assert_eq!(
            (http, &answer["errorCode"], &answer["errorType"]),
            (400, &"DH-905".into(), &"Input_Exception".into()),
            "{case}"
        );
    }
    assert_eq!(bench.placed(), 0);
}

#[tokio::test]
async fn what_the_exchange_does_not_take_is_accepted_and_then_rejected_with_its_reason() {
    // 8.2, 8.3; C9, C11, C12.
    let bench = Bench::start().await;
    let odd_lot = NewOrder { qty: Qty::new(66), ..buy("T1", 1, rs(90)) };
    let stop = OrderType::StopLimit { trigger: rs(101), price: rs(95) };
    let wrong_side = NewOrder { side: OrderSide::Sell, order_type: stop, ..buy("T5", 1, rs(90)) };
    for (order, why) in [
        (odd_lot, VenueRefusal::LotSize),
        (buy("T2", 28, rs(90)), VenueRefusal::FreezeQuantity),
        (buy("T3", 1, paise(9_003)), VenueRefusal::TickSize),
        (buy("T4", 1, rs(150)), VenueRefusal::PriceBand),
        (wrong_side, VenueRefusal::TriggerSide),
    ] {
        let id = bench.place(&order).await;
        bench.wait(1_000);
        let row = bench.row(&id).await;
        assert_eq!((row.status, refusal(&row.reason)), (Rejected, why), "{}", row.reason);
    }
    let place = |id: u32, kind: &str| {
        format!(
            r#"{{"transactionType":"BUY","exchangeSegment":"NSE_FNO","productType":"INTRADAY","orderType":"{kind}",
                "validity":"DAY","securityId":"{id}","quantity":"65","price":"","triggerPrice":"101"}}"#
        )
    };
    for (id, kind, code) in [(CALL.1, "STOP_LOSS_MARKET", "16052"), (PUT.1, "MARKET", "17181")] {
        let (_, ack) = bench.json("POST", "/orders", &place(id, kind)).await;
        bench.wait(1_000);
        let (_, row) = bench.json("GET", &format!("/orders/{}", ack["orderId"].as_str().unwrap()), "").await;
        assert_eq!((&row[0]["orderStatus"], &row[0]["omsErrorCode"]), (&"REJECTED".into(), &code.into()));
    }
}

#[tokio::test]
async fn a_closed_market_and_a_twenty_sixth_change_are_refused() {
    // 5.3.
    let bench = Bench::at_pre_open(RestOptions::default()).await;
    assert_eq!(refused(bench.orders.place_order(&buy("T1", 1, rs(90))).await), VenueRefusal::MarketClosed);
    bench.to(0);
    let id = bench.place(&buy("T2", 1, rs(90))).await;
    for i in 0..25 {
        bench.wait(1_000);
        let answer = bench.orders.modify_order(&change(&id, 1, rs(80 + i % 2))).await;
        assert!(matches!(answer, Answer::Accepted { .. }), "{i}: {answer:?}");
    }
    bench.wait(1_000);
    let answer = bench.orders.modify_order(&change(&id, 1, rs(70))).await;
    assert_eq!(refused(answer), VenueRefusal::ModificationLimit);
}

#[tokio::test]
async fn slicing_gives_several_orders_with_one_tag() {
    // 5.6.
    let bench = Bench::start().await;
    let body = crate::broker::dhan::rest::orders::PlaceBody::of(CLIENT, &buy("T1", 60, rs(50)));
    let acks = bench.orders.place_sliced(&body).await.unwrap();
    assert_eq!(acks.len(), 3);
    let found = bench.client.by_tag(tag("T1")).await.unwrap();
    assert_eq!(found.rows.iter().map(|row| row.qty.get()).collect::<Vec<_>>(), [27 * LOT, 27 * LOT, 6 * LOT]);
}
