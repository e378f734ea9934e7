//! Recorded exchanges: every body parses into its typed answer or its classified error.

use std::io::Read as _;

use scalper_decide::domain::Underlying;
use scalper_decide::domain::broker::{BrokerStatus, OrderRow, PositionRow, TradeRow};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::account::Profile;
use super::candles::{CandleBody, Candles};
use super::error::judge;
use super::funds::{Margin, MarginBody, read_funds};
use super::option_chain::{self, ChainBody};
use super::order_book::OrderObject;
use super::orders::{ModifyBody, OrderAck, PlaceBody};
use super::positions::{ConvertBody, Holding, PositionObject};
use super::quotes::{self, LtpEntry, OhlcEntry, QuoteEntry};
use super::rows;
use super::trades::{HistoryTrade, TradeObject};
use crate::broker::fault::Fault;
use crate::broker::ports::Rows;

/// One recorded exchange.
struct Sample {
    name: String,
    live: bool,
    method: String,
    path: String,
    request: Option<Value>,
    status: u16,
    body: String,
}

fn samples() -> Option<Vec<Sample>> {
    let folder = super::test_data("rest")?;
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    let samples: Vec<Sample> = paths
        .into_iter()
        .map(|path| {
            let mut bytes = std::fs::read(&path).unwrap();
            if path.extension().is_some_and(|e| e == "gz") {
                let mut text = Vec::new();
                flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut text).unwrap();
                bytes = text;
            }
            let json: Value = serde_json::from_slice(&bytes).unwrap();
            let text = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
            Sample {
                name: path.file_name().unwrap().to_string_lossy().into_owned(),
                live: text("authenticity").starts_with("live-recorded"),
                method: text("method"),
                path: text("path"),
                request: serde_json::from_str(&text("request_body")).ok(),
                status: json["status"].as_u64().unwrap() as u16,
                body: text("body"),
            }
        })
        .collect();
    assert!(samples.len() > 50, "{} samples", samples.len());
    Some(samples)
}

fn typed<T: DeserializeOwned>(body: Value) -> Option<T> {
    serde_json::from_value(body).ok()
}

fn complete<T>(rows: Option<Rows<T>>) -> Option<usize> {
    rows?.complete().ok().map(|rows| rows.len())
}

/// How many things the typed answer of an endpoint holds; `None` when it cannot be read.
fn parse(method: &str, path: &str, body: Value) -> Option<usize> {
    let expiry = "2025-02-06".parse().unwrap();
    let path = path.strip_prefix("/v2").unwrap_or(path).trim_matches('/');
    let path = path.split('?').next().unwrap();
    let parts: Vec<&str> = path.split('/').collect();
    match (method, parts.as_slice()) {
        ("POST", ["orders"]) | ("PUT" | "DELETE", ["orders", _]) => OrderAck::read(body).map(|_| 1),
        ("GET", ["orders"] | ["orders", _]) => complete::<OrderRow>(rows::read::<OrderObject, _>(body)),
        ("GET", ["trades"] | ["trades", _]) => complete::<TradeRow>(rows::read::<TradeObject, _>(body)),
        ("GET", ["trades", _, _, _]) => typed::<Vec<HistoryTrade>>(body).map(|r| r.len()),
        ("GET", ["positions"]) => complete::<PositionRow>(rows::read::<PositionObject, _>(body)),
        ("POST", ["positions", "convert"]) => Some(0),
        ("GET", ["holdings"]) => typed::<Vec<Holding>>(body).map(|r| r.len()),
        ("GET", ["fundlimit"]) => read_funds(body).map(|_| 1),
        ("POST", ["margincalculator"]) => typed::<Margin>(body).map(|_| 1),
        ("POST", ["marketfeed", "ltp"]) => quotes::read::<LtpEntry>(body).map(|r| r.len()),
        ("POST", ["marketfeed", "ohlc"]) => quotes::read::<OhlcEntry>(body).map(|r| r.len()),
        ("POST", ["marketfeed", "quote"]) => quotes::read::<QuoteEntry>(body).map(|r| r.len()),
        ("POST", ["charts", _]) => typed::<Candles>(body)?.bars().ok().map(|b| b.len()),
        ("POST", ["optionchain"]) => option_chain::read(body, Underlying::Nifty, expiry).map(|c| c.strikes.len()),
        ("POST", ["optionchain", "expirylist"]) => option_chain::read_expiries(&body).map(|d| d.len()),
        ("GET", ["profile"]) => typed::<Profile>(body).map(|_| 1),
        // Out of scope: reads as plain JSON.
        ("GET", ["ledger"]) => body.as_array().map(Vec::len),
        _ => None,
    }
}

#[test]
fn every_recorded_answer_parses_or_is_a_classified_error() {
    let Some(samples) = samples() else { return };
    let mut live = 0;
    for Sample { name, live: is_live, method, path, status, body, .. } in samples {
        live += usize::from(is_live);
        match judge(status, body.as_bytes()) {
            // A stub of three fields is no trade: it must not become one.
            Ok(Some(json)) if name == "trades_by_id__200__01.json" => assert_eq!(parse(&method, &path, json), None),
            Ok(Some(json)) => {
                assert!(status < 300, "{name}");
                assert!(parse(&method, &path, json).is_some(), "{name}: {method} {path} {body:.300}");
            }
            Ok(None) => panic!("{name}: empty"),
            Err(fault) => {
                let expected = match (status, name.as_str()) {
                    (429, _) => matches!(fault, Fault::RateLimited(_)),
                    (401, _) => matches!(fault, Fault::TokenDead(_)),
                    (404, _) => matches!(fault, Fault::Fatal(_)),
                    (500, _) => matches!(fault, Fault::RetryableRead(_)),
                    (200, "marketfeed_ltp__200__05.json") => matches!(fault, Fault::Fatal(_)),
                    (400, _) if body.contains("Invalid Token") => matches!(fault, Fault::TokenDead(_)),
                    (400, _) if body.contains("RS-9005") => matches!(fault, Fault::Unknown(_)),
                    (400, _) => matches!(fault, Fault::Refused { .. }),
                    _ => false,
                };
                assert!(expected, "{name}: HTTP {status} {body}: {fault:?}");
            }
        }
    }
    assert!(live >= 45, "{live} live recordings");
}

#[test]
fn the_recorded_figures_come_out_right() {
    let Some(samples) = samples() else { return };
    let get = |name: &str| {
        let sample = samples.iter().find(|s| s.name.starts_with(name)).unwrap_or_else(|| panic!("{name}"));
        judge(sample.status, sample.body.as_bytes()).unwrap().unwrap()
    };
    let order = rows::read::<OrderObject, _>(get("orders_by_id__200__11")).unwrap().complete().unwrap().remove(0);
    assert_eq!((order.status, order.filled.get(), order.qty.get()), (BrokerStatus::Cancelled, 0, 20));
    assert_eq!((order.price.paise(), order.tag, order.reason.as_str()), (36, None, ""));
    assert_eq!(order.updated_at.unwrap().ist_text(), "2025-02-16T21:07:34+05:30");

    let trades = rows::read::<TradeObject, _>(get("trades__200__01")).unwrap().complete().unwrap();
    assert_eq!(trades.len(), 35);
    let ids: std::collections::BTreeSet<_> = trades.iter().map(|t| (t.segment, t.trade)).collect();
    assert_eq!(ids.len(), 35, "an execution is known by its id");
    assert_eq!((trades[0].trade.0, trades[0].price.paise()), (955_908_254, 39_200));

    // History rows have no trade id and can never be booked.
    let history = get("trades_history__200__02");
    let Rows { rows, unread } = rows::read::<TradeObject, TradeRow>(history.clone()).unwrap();
    assert!(rows.is_empty() && unread.len() == history.as_array().unwrap().len());

    assert_eq!(read_funds(get("fundlimit__200__03")).unwrap().available_balance.paise(), 11_564);
    let chain =
        option_chain::read(get("optionchain__200__01"), Underlying::Nifty, "2025-02-06".parse().unwrap()).unwrap();
    assert_eq!(chain.spot, 2_348_215, "an f32 artefact is rounded to the paisa");
    let bars = typed::<Candles>(get("charts_intraday__200__09")).unwrap().bars().unwrap();
    assert_eq!(bars[0].start.ist_text(), "2025-10-24T09:15:00+05:30");
    assert_eq!(bars[0].open, 2_593_510);
    let ohlc = quotes::read::<OhlcEntry>(get("marketfeed_ohlc__200__06")).unwrap();
    assert_eq!(ohlc.values().next().unwrap().last_price.paise(), 2_579_515);
}

#[test]
fn recorded_requests_of_other_clients_are_understood() {
    // What a server has to read: the simulator serves clients nobody here wrote.
    let Some(samples) = samples() else { return };
    let mut read = 0;
    for Sample { name, live, method, path, request, status, .. } in samples {
        let (Some(request), true, true) = (request, live, status < 300) else { continue };
        let path = path.strip_prefix("/v2").unwrap_or(&path).to_owned();
        let understood = match (method.as_str(), path.as_str()) {
            ("POST", "/orders") => typed::<PlaceBody>(request).is_some(),
            ("PUT", _) => typed::<ModifyBody>(request).is_some(),
            ("POST", "/positions/convert") => typed::<ConvertBody>(request).is_some(),
            ("POST", "/margincalculator") => typed::<MarginBody>(request).is_some(),
            ("POST", "/optionchain" | "/optionchain/expirylist") => typed::<ChainBody>(request).is_some(),
            ("POST", p) if p.starts_with("/charts") => typed::<CandleBody>(request).is_some(),
            ("POST", p) if p.starts_with("/marketfeed") => {
                let keys: Vec<&String> = request.as_object().unwrap().keys().collect();
                let known = keys.iter().any(|k| scalper_decide::domain::Segment::from_name(k).is_some());
                known != quotes::read_body(&request).is_empty()
            }
            _ => continue,
        };
        assert!(understood, "{name}");
        read += 1;
    }
    assert!(read >= 25, "{read} requests");
}
