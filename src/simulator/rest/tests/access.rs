//! Who may ask, and how often (dhan-v2.md 4.2, 4.3, 9).

use scalper_decide::domain::VenueRefusal;

use super::*;
use crate::broker::fault::{Fault, RATE_LIMITED};
use crate::simulator::tests::INDEX;

fn code(fault: &Fault) -> &str {
    fault.said().and_then(|said| said.code.as_deref()).unwrap_or("")
}

#[tokio::test]
async fn a_renewed_token_works_and_the_one_before_is_dead_at_once() {
    // B1, B2.
    let bench = Bench::start().await;
    let renewed = bench.client.renew_token().await.unwrap();
    assert_eq!(renewed.client_id.as_deref(), Some(CLIENT));
    assert_eq!(renewed.ends, Some(at(0) + TOKEN_LIFE));
    let fault = bench.client.funds().await.unwrap_err();
    assert!(matches!(fault, Fault::TokenDead(_)) && code(&fault) == "DH-901", "{fault:?}");
    let fault = bench.client.ltp(&[INDEX]).await.unwrap_err();
    assert!(matches!(fault, Fault::TokenDead(_)) && code(&fault) == "808", "{fault:?}");
    let answer = bench.orders.place_order(&buy("T1", 1, rs(90))).await;
    assert!(matches!(answer, Answer::NotSent { .. }), "{answer:?}");
    assert_eq!(bench.placed(), 0);
    bench.credentials.send_replace(credentials(renewed.token));
    assert!(bench.client.funds().await.is_ok());
    assert!(bench.client.ltp(&[INDEX]).await.is_ok());
}

#[tokio::test]
async fn a_missing_an_expired_and_a_foreign_token_are_the_same_401() {
    let bench = Bench::start().await;
    let body = r#"{"errorType":"Invalid_Authentication","errorCode":"DH-901","errorMessage":"Client ID or user generated access token is invalid or expired."}"#;
    for token in ["", "eyJ.else.where"] {
        assert_eq!(bench.raw_as(token, "GET", "/orders", "").await, (401, body.to_owned()));
    }
    bench.desk.with(|_, account, now| account.set_token("short".into(), now)).unwrap();
    assert_eq!(bench.raw_as("short", "GET", "/fundlimit", "").await, (401, body.to_owned()));
}

#[tokio::test]
async fn orders_from_an_unlisted_address_are_refused_while_reads_go_on() {
    // 4.3, B5.
    let bench = Bench::start().await;
    assert_eq!(bench.client.ip().await.unwrap().allows_orders(), Some(true));
    bench.desk.with(|_, account, _| account.addresses.clear()).unwrap();
    assert_eq!(bench.client.ip().await.unwrap().allows_orders(), Some(false));
    let answer = bench.orders.place_order(&buy("T1", 1, rs(90))).await;
    assert!(matches!(&answer, Answer::Refused { refusal: VenueRefusal::Other(why) } if why.contains("Invalid IP")));
    assert!(bench.client.order_book().await.is_ok());
}

#[tokio::test]
async fn without_a_data_plan_data_is_refused_inside_a_success() {
    // 9.2: a number, with HTTP 200.
    let bench = Bench::start().await;
    bench.desk.with(|_, account, _| account.data_plan = false).unwrap();
    let (http, body) = bench.json("POST", "/marketfeed/ltp", r#"{"IDX_I":[13]}"#).await;
    assert_eq!((http, &body["errorCode"]), (200, &806.into()));
    bench.wait(1_000);
    let fault = bench.client.ltp(&[INDEX]).await.unwrap_err();
    assert!(matches!(fault, Fault::Fatal(_)), "{fault:?}");
    assert_eq!(bench.client.profile().await.unwrap().data_active(), Some(false));
}

#[tokio::test]
async fn the_eleventh_order_of_a_second_and_the_second_quote_are_429() {
    // 9.1, B6.
    let bench = Bench::start().await;
    for i in 0..10 {
        bench.place(&buy(&format!("T{i}"), 1, rs(90))).await;
    }
    let answer = bench.orders.place_order(&buy("T10", 1, rs(90))).await;
    assert_eq!(answer, Answer::Refused { refusal: VenueRefusal::Other(RATE_LIMITED.to_owned()) });
    assert_eq!(bench.placed(), 10);
    assert!(bench.client.ltp(&[INDEX]).await.is_ok());
    let fault = bench.client.ltp(&[INDEX]).await.unwrap_err();
    assert!(matches!(fault, Fault::RateLimited(_)) && code(&fault) == "DH-904", "{fault:?}");
    bench.wait(1_000);
    assert!(bench.client.ltp(&[INDEX]).await.is_ok());
    bench.place(&buy("T11", 1, rs(90))).await;
    let books = futures_util::future::join_all((0..25).map(|_| bench.client.order_book())).await;
    assert_eq!(books.iter().filter(|book| book.is_err()).count(), 5);
}
