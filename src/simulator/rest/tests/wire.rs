//! The text on the wire: what other clients send and expect (dhan-v2.md 4.1, 5.4, 9.2, 15).

use super::*;

#[tokio::test]
async fn the_official_client_s_order_is_taken_and_its_row_has_the_wire_s_words_for_nothing() {
    // 4.1: nulls for bracket values, a text for a number, a trailing slash on /trades/.
    let bench = Bench::start().await;
    let body = r#"{"transactionType":"BUY","exchangeSegment":"NSE_FNO","productType":"INTRADAY","orderType":"LIMIT",
        "validity":"DAY","securityId":"101","quantity":65,"disclosedQuantity":0,"price":"90","afterMarketOrder":false,
        "boProfitValue":null,"boStopLossValue":null,"triggerPrice":0.0,"tradingSymbol":"","dhanClientId":"1000000001"}"#;
    let (http, ack) = bench.json("POST", "/orders", body).await;
    assert_eq!((http, &ack["orderStatus"]), (200, &"TRANSIT".into()));
    let id = ack["orderId"].as_str().unwrap();
    assert_eq!(id.len(), 14);
    let (_, text) = bench.raw("GET", "/orders", "").await;
    for part in [
        r#""correlationId":"NA""#,
        r#""exchangeOrderId":"0""#,
        r#""exchangeTime":"0001-01-01 00:00:00""#,
        r#""legName":"NA""#,
        r#""omsErrorCode":"0""#,
        r#""omsErrorDescription":"""#,
        r#""algoId":"0""#,
        r#""triggerPrice":0.0"#,
        r#""boProfitValue":0.0"#,
        r#""price":90.0"#,
        r#""averageTradedPrice":0.0"#,
        r#""drvExpiryDate":"2026-01-13""#,
        r#""drvOptionType":"CALL""#,
        r#""createTime":"2026-01-12 10:00:00""#,
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(bench.raw("GET", "/trades/", "").await, (200, "[]".to_owned()));
    assert_eq!(bench.raw("GET", "/orders/11990101000001", "").await, (200, "[]".to_owned()));
    assert!(bench.json("GET", &format!("/orders/{id}"), "").await.1.is_array());
}

#[tokio::test]
async fn a_single_order_may_be_an_object() {
    let bench = Bench::with(RestOptions { single_is_object: true, ..RestOptions::default() }).await;
    let id = bench.place(&buy("T1", 1, rs(90))).await;
    assert_eq!(bench.json("GET", &format!("/orders/{id}"), "").await.1["orderId"], id.to_string());
    assert_eq!(bench.row(&id).await.tag, Some(tag("T1")));
    assert_eq!(bench.client.by_tag(tag("T1")).await.unwrap().rows.len(), 1);
}

#[tokio::test]
async fn paths_that_do_not_exist_say_so_in_the_framework_s_words() {
    let bench = Bench::start().await;
    let now = at(0).nanos() / 1_000_000;
    for path in ["/forever/orders", "/orders/1/2/3", "/moon"] {
        let (http, text) = bench.raw("GET", path, "").await;
        let expected = format!(r#"{{"timestamp":{now},"status":404,"error":"Not Found","path":"/v2{path}"}}"#);
        assert_eq!((http, text), (404, expected));
    }
    let (http, body) = bench.json("PUT", "/fundlimit", "").await;
    assert_eq!((http, &body["error"]), (405, &"Method Not Allowed".into()));
    let (http, body) = bench.json("POST", "/RenewToken", "").await;
    assert_eq!((http, &body["errorCode"]), (400, &"DH-905".into()), "Q8");
    let (http, body) = bench.json("GET", "//orders", "").await;
    assert_eq!((http, &body["internalErrorCode"]), (400, &"RS-9005".into()));
    assert_eq!(bench.json("GET", "//elsewhere", "").await.0, 404);
}

#[tokio::test]
async fn a_harness_reads_the_clock_and_the_truth() {
    let bench = Bench::start().await;
    bench.place(&buy("T1", 1, rs(110))).await;
    bench.to(2_500);
    let (_, clock) = bench.json("GET", "//sim/clock", "").await;
    assert_eq!((&clock["now"], &clock["speed"]), (&at(2_500).ist_text().into(), &0.0.into()));
    assert_eq!(clock["next_ns"], at(3_000).nanos());
    let (_, truth) = bench.json("GET", "//sim/truth", "").await;
    assert_eq!((&truth["orders"][0]["orderStatus"], &truth["positions"][0]["net"]), (&"TRADED".into(), &65.into()));
    assert_eq!(truth["contradictions"], serde_json::json!([]));
    let cash = bench.desk.with(|sim, _, _| sim.truth().cash.paise()).unwrap();
    assert_eq!(truth["cash_paise"], cash);
}

#[test]
fn the_simulator_is_served_to_this_machine_only() {
    // S1.
    let market = Scripted { days: BTreeMap::from([(day(12), Vec::new())]), halts: Vec::new() };
    let sim = Simulator::new(Box::new(market), SimConfig::default(), tables().charges).expect("a day");
    let clock = SessionClock::driven(sim.now());
    let desk = Desk::new(sim, Account::new(CLIENT), RateLimits::default(), clock);
    let refused = serve("0.0.0.0:0".parse().unwrap(), RestState::new(desk));
    assert!(matches!(refused, Err(super::super::ServeError::NotLoopback(_))));
}
