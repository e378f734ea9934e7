//! Quotes, candles, chains, instrument lists (dhan-v2.md 10).

use scalper_decide::domain::{Segment, Strike, Underlying};

use super::*;
use crate::broker::fault::Fault;
use crate::broker::market::BarRequest;
use crate::simulator::tests::{INDEX, PUT};

#[tokio::test]
async fn quotes_come_in_three_sizes_and_unknown_ids_are_missing() {
    let bench = Bench::start().await;
    let last = bench.client.ltp(&[INDEX, CALL, PUT, (Segment::NseFno, 999)]).await.unwrap();
    assert_eq!(last.keys().copied().collect::<Vec<_>>(), [INDEX, CALL, PUT]);
    assert_eq!((last[&INDEX].last_price.paise(), last[&PUT].last_price.paise()), (2_565_000, 0));
    bench.wait(1_000);
    let ohlc = bench.client.ohlc(&[CALL]).await.unwrap();
    assert_eq!((ohlc[&CALL].ohlc.open.paise(), ohlc[&CALL].last_price.paise()), (10_000, 10_000));
    bench.wait(1_000);
    let quote = bench.client.quote(&[CALL, PUT]).await.unwrap();
    let call = quote[&CALL].snapshot(CALL.0, CALL.1);
    assert_eq!((call.last, call.volume, call.oi), (10_000, 650, 65_000));
    assert_eq!((call.bids[0].price, call.bids[0].qty, call.asks[0].price), (9_995, 6_500, 10_005));
    assert_eq!((call.traded_at, call.lower_circuit, call.upper_circuit), (Some(at(2_000)), 6_000, 14_000));
    assert_eq!((quote[&PUT].last_trade_time.as_str(), quote[&PUT].last_price.paise()), ("", 0));
}

#[tokio::test]
async fn quote_bodies_of_other_clients_are_understood() {
    // 4.1, 10.1: dhanClientId beside the segments, ids as texts, segments nobody knows.
    let bench = Bench::start().await;
    let body = r#"{"dhanClientId":"1000000001","IDX_I":["13"],"NSE_EQ":[],"MOON":[1]}"#;
    let (http, text) = bench.raw("POST", "/marketfeed/ltp", body).await;
    let expected = r#"{"data":{"IDX_I":{"13":{"last_price":25650}},"NSE_EQ":{}},"status":"success"}"#;
    assert_eq!((http, text.as_str()), (200, expected), "whole rupees print without a decimal point");
    bench.wait(1_000);
    let (http, text) = bench.raw("POST", "/marketfeed/ltp", r#"{"hello":1}"#).await;
    assert_eq!((http, text.as_str()), (200, r#"{"data":{},"status":"success"}"#));
    bench.wait(1_000);
    let (http, body) = bench.json("POST", "/marketfeed/quote", "[").await;
    assert_eq!((http, &body["status"], &body["data"]["814"]), (400, &"failed".into(), &"Invalid Request".into()));
    bench.wait(1_000);
    let many = serde_json::json!({"NSE_FNO": (1..=1_001).collect::<Vec<u32>>()}).to_string();
    assert!(bench.json("POST", "/marketfeed/quote", &many).await.1["data"]["804"].is_string());
}

fn request(minutes: Option<u8>, from: u32, to: u32) -> BarRequest {
    let (segment, security_id) = CALL;
    BarRequest { segment, security_id, instrument: "OPTIDX", minutes, from: day(from), to: day(to), oi: true }
}

#[tokio::test]
async fn candles_start_at_true_times_and_nothing_is_no_data() {
    let bench = Bench::start().await;
    bench.to(90_000);
    let bars = bench.client.candles(&request(Some(1), 12, 13)).await.unwrap();
    let starts: Vec<_> = bars.iter().map(|bar| bar.start).collect();
    assert_eq!(starts, [at(-60_000), at(0), at(60_000)]);
    assert_eq!((bars[1].open, bars[1].close, bars[1].oi), (10_000, 10_000, Some(65_000)));
    let daily = bench.client.candles(&request(None, 12, 13)).await.unwrap();
    assert_eq!((daily.len(), daily[0].start), (1, at(-36_000_000)), "a day's bar starts at midnight");
    assert_eq!(bench.client.candles(&request(None, 11, 12)).await.unwrap(), [], "the last day is left out");
    let (http, body) = bench.json("POST", "/charts/intraday", "{}").await;
    assert_eq!((http, &body["errorCode"]), (400, &"DH-905".into()));
}

#[tokio::test]
async fn candles_print_as_java_prints_and_an_interval_may_be_a_number() {
    let bench = Bench::start().await;
    let body = r#"{"securityId":"101","exchangeSegment":"NSE_FNO","instrument":"OPTIDX","interval":5,"oi":false,
        "fromDate":"2026-01-12 09:15:00","toDate":"2026-01-12 09:16:00","expiryCode":0,"dhanClientId":"1000000001"}"#;
    let (_, text) = bench.raw("POST", "/charts/intraday", body).await;
    let seconds = (at(-300_000).nanos() / 1_000_000_000) as f64;
    let stamp = format!("{seconds:E}");
    assert_eq!(
        text,
        format!(
            r#"{{"open":[100.0],"high":[100.0],"low":[100.0],"close":[100.0],"volume":[650.0],"timestamp":[{stamp}]}}"#
        ),
        "today goes on to now, whatever time was asked for"
    );
    let strict = RestOptions { exponents: false, today_goes_on_to_now: false, ..RestOptions::default() };
    let bench = Bench::with(strict).await;
    assert_eq!(bench.json("POST", "/charts/intraday", body).await.1["errorCode"], "DH-907");
    let all_day = body.replace("09:16", "15:30");
    assert!(bench.raw("POST", "/charts/intraday", &all_day).await.1.contains(&format!("[{seconds:?}]")));
}

#[tokio::test]
async fn a_chain_names_its_contracts_and_comes_once_in_three_seconds() {
    let bench = Bench::start().await;
    assert_eq!(bench.client.expiry_list(13).await.unwrap(), [day(13)]);
    let chain = bench.client.option_chain(Underlying::Nifty, 13, day(13)).await.unwrap();
    assert_eq!(chain.spot, 2_565_000);
    let (call, put) = chain.strikes[&Strike::from_points(25_650)];
    let call = call.unwrap();
    assert_eq!((call.security_id, call.last, call.bid, call.ask_qty), (Some(CALL.1), 10_000, 9_995, 6_500));
    assert!(call.broker_iv.is_some());
    assert_eq!((put.unwrap().security_id, put.unwrap().last, put.unwrap().broker_iv), (Some(PUT.1), 0, None));
    let again = bench.client.option_chain(Underlying::Nifty, 13, day(13)).await;
    assert!(matches!(again, Err(Fault::RateLimited(_))), "{again:?}");
    let other = bench.client.option_chain(Underlying::Nifty, 13, day(20)).await;
    assert!(matches!(&other, Err(Fault::Refused { said, .. }) if said.code.as_deref() == Some("811")), "{other:?}");
    let (_, text) = bench
        .raw("POST", "/optionchain", r#"{"UnderlyingScrip":"13","UnderlyingSeg":"IDX_I","Expiry":"13/01/2026"}"#)
        .await;
    assert!(text.contains("812"), "{text}");
    bench.wait(3_000);
    let (_, text) = bench
        .raw("POST", "/optionchain", r#"{"UnderlyingScrip":13,"UnderlyingSeg":"IDX_I","Expiry":"2026-01-13"}"#)
        .await;
    assert!(text.contains(r#""25650.000000""#), "{text}");
    let unknown = bench.client.expiry_list(14).await;
    assert!(matches!(&unknown, Err(Fault::Refused { said, .. }) if said.code.as_deref() == Some("813")));
}

#[tokio::test]
async fn the_instrument_list_is_at_three_addresses_and_needs_no_token() {
    let bench = Bench::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("list.csv");
    let size = bench.client.download_instruments(&file).await.unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(size, text.len() as u64);
    assert_eq!(bench.raw_as("", "GET", "//api-data/api-scrip-master.csv", "").await, (200, text.clone()));
    let (_, options) = bench.raw_as("", "GET", "/instrument/NSE_FNO", "").await;
    let rows: Vec<&str> = options.lines().collect();
    assert_eq!(rows[0], text.lines().next().unwrap());
    assert!(rows[1..].iter().all(|row| row.starts_with("NSE,D,")) && rows.len() > 3);
}
