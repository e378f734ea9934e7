//! Broken bodies: whatever a broker sends, nothing panics and nothing ends by default (B12, B15).
//!
//! `SCALPER_FUZZ_SECS` sets how long each loop runs (2 by default); `SCALPER_FUZZ_SEED` repeats one.

use std::time::{Duration, Instant};

use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use scalper_decide::domain::broker::{Answer, BrokerStatus, OrderRow, PositionRow, TradeRow};
use scalper_decide::domain::{Strike, Underlying};
use serde_json::{Value, json};

use super::account::{IpState, NewToken, Profile};
use super::candles::Candles;
use super::controls::{KillSwitchAnswer, PnlExitState};
use super::error::judge;
use super::funds::{Margin, MultiMargin, read_funds};
use super::instruments;
use super::option_chain;
use super::order_book::OrderObject;
use super::orders::{ModifyBody, OrderAck, PlaceBody};
use super::positions::{Holding, PositionObject};
use super::quotes::{self, OhlcEntry, QuoteEntry};
use super::rows;
use super::super_orders::{SuperModifyBody, SuperOrder, SuperPlaceBody};
use super::trades::{HistoryTrade, TradeObject};
use super::words::status;

fn seconds() -> Duration {
    let secs = std::env::var("SCALPER_FUZZ_SECS").ok().and_then(|s| s.parse().ok()).unwrap_or(2.0);
    Duration::from_secs_f64(secs)
}

fn random() -> (u64, ChaCha8Rng) {
    let seed = std::env::var("SCALPER_FUZZ_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(20_260_210);
    (seed, ChaCha8Rng::seed_from_u64(seed))
}

/// A value nobody expects in some field.
fn odd(rng: &mut ChaCha8Rng) -> Value {
    match rng.random_range(0..16) {
        0 => Value::Null,
        1 => json!(""),
        2 => json!("NA"),
        3 => json!(-1),
        4 => json!(1e308),
        5 => json!("1e309"),
        6 => json!(i64::MIN),
        7 => json!(u64::MAX),
        8 => json!([]),
        9 => json!({}),
        10 => json!("\u{0}\u{202e}x"),
        11 => json!("0001-01-01"),
        12 => json!(true),
        13 => json!(0.1),
        14 => json!("9999-99-99 99:99:99"),
        _ => json!("SOMETHING_NEW"),
    }
}

/// Changes one place of a JSON value: another value, a missing key, a doubled element.
fn mutate(value: &mut Value, rng: &mut ChaCha8Rng) {
    match value {
        Value::Object(map) if !map.is_empty() && rng.random_range(0..8) != 0 => {
            let key = map.keys().nth(rng.random_range(0..map.len())).unwrap().clone();
            match rng.random_range(0..4) {
                0 => drop(map.remove(&key)),
                1 => drop(map.insert(key, odd(rng))),
                _ => mutate(map.get_mut(&key).unwrap(), rng),
            }
        }
        Value::Array(list) if !list.is_empty() && rng.random_range(0..8) != 0 => {
            let at = rng.random_range(0..list.len());
            match rng.random_range(0..4) {
                0 => drop(list.remove(at)),
                1 => list.push(list[at].clone()),
                _ => mutate(&mut list[at], rng),
            }
        }
        other => *other = odd(rng),
    }
}

fn mutate_bytes(bytes: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
    for _ in 0..rng.random_range(1..4) {
        if bytes.is_empty() {
            return;
        }
        let at = rng.random_range(0..bytes.len());
        match rng.random_range(0..4) {
            0 => bytes[at] = rng.next_u32() as u8,
            1 => drop(bytes.remove(at)),
            2 => bytes.truncate(at),
            _ => bytes.insert(at, b"{}[]\",:0-.e\n"[rng.random_range(0..12)]),
        }
    }
}

fn order_object() -> Value {
    let text = r#"{"dhanClientId":"1000000001","orderId":"112111182198","exchangeOrderId":"0","correlationId":"A1260210E1-ab",
        "orderStatus":"PENDING","transactionType":"BUY","exchangeSegment":"NSE_FNO","productType":"INTRADAY",
        "orderType":"LIMIT","validity":"DAY","tradingSymbol":"NIFTY-Feb2026-25800-CE","securityId":"44430","quantity":65,
        "disclosedQuantity":0,"price":150.05,"triggerPrice":0.0,"afterMarketOrder":false,"boProfitValue":0.0,
        "boStopLossValue":0.0,"legName":"NA","createTime":"2026-02-10 10:00:00","updateTime":"2026-02-10 10:00:00",
        "exchangeTime":"0001-01-01 00:00:00","drvExpiryDate":"2026-02-17","drvOptionType":"CALL","drvStrikePrice":25800.0,
        "omsErrorCode":"0","omsErrorDescription":"","algoId":"0","remainingQuantity":65,"averageTradedPrice":0.0,
        "filledQty":0,"ltp":1.0,"legDetails":[{"orderId":"1","legName":"STOP_LOSS_LEG","transactionType":"SELL",
        "totalQuatity":65,"remainingQuantity":65,"triggeredQuantity":0,"price":90.0,"orderStatus":"PENDING","trailingJump":0.0}]}"#;
    serde_json::from_str(text).unwrap()
}

fn seeds() -> Vec<Value> {
    let side = json!({"greeks":{"delta":0.5,"theta":-1,"gamma":0,"vega":2},"implied_volatility":9.8,"last_price":134,
        "oi":3786445,"previous_close_price":244.85,"previous_oi":402220,"previous_volume":31931705,"security_id":42528,
        "top_ask_price":134,"top_ask_quantity":1365,"top_bid_price":133.55,"top_bid_quantity":1625,"volume":117567970,
        "average_price":146.99});
    let quote = json!({"average_price":0,"buy_quantity":0,"depth":{"buy":[{"quantity":1,"orders":1,"price":1.5}],"sell":[]},
        "last_price":4520,"last_quantity":0,"last_trade_time":"10/02/2026 10:00:00","lower_circuit_limit":48.25,
        "net_change":0,"ohlc":{"open":0,"close":0,"high":0,"low":0},"oi":0,"oi_day_high":0,"oi_day_low":0,
        "sell_quantity":0,"upper_circuit_limit":510.85,"volume":0});
    vec![
        json!([order_object()]),
        order_object(),
        json!({"orderId":"112111182198","orderStatus":"PENDING"}),
        json!([{"dhanClientId":"1","orderId":"11","exchangeOrderId":"15","exchangeTradeId":"15112111182045",
            "transactionType":"BUY","exchangeSegment":"NSE_FNO","productType":"INTRADAY","orderType":"LIMIT",
            "tradingSymbol":"X","customSymbol":null,"securityId":"44430","tradedQuantity":65,"tradedPrice":150.05,
            "createTime":"2026-02-10 10:00:00","updateTime":"NA","exchangeTime":"2026-02-10 10:00:01"}]),
        json!([{"securityId":"44430","exchangeSegment":"NSE_FNO","productType":"INTRADAY","netQty":-65,"dayBuyQty":0,
            "daySellQty":65,"buyAvg":0.0,"positionType":"SHORT"}]),
        json!({"availabelBalance":1.5,"sodLimit":1,"receiveableAmount":"0.0","utilizedAmount":null}),
        json!({"totalMargin":1000.0,"leverage":"1X","brokerage":0.0}),
        json!({"killSwitchStatus":"ACTIVATE"}),
        json!({"pnlExitStatus":"ACTIVE","profit":"1500","loss":500,"productType":["INTRADAY"],"enable_kill_switch":true}),
        json!({"data":{"NSE_FNO":{"49081":quote}},"status":"success"}),
        json!({"open":[1.0,2.0],"high":[2.0,2.0],"low":[1.0,1.0],"close":[1.0,2.0],"volume":[1.7E7,null],
            "timestamp":[1.7375706E9,1.737657E9],"open_interest":[]}),
        json!({"data":{"last_price":25642.8,"oc":{"25650.000000":{"ce":side,"pe":null}}},"status":"success"}),
        json!({"data":["2026-02-17","2026-02-24"],"status":"success"}),
        json!({"errorType":"Order_Error","errorCode":"DH-906","errorMessage":"Market is Closed!"}),
        json!({"data":{"808":"Authentication Failed"},"status":"failed"}),
        json!({"dhanClientId":"1","tokenValidity":"30/03/2025 15:37","activeSegment":"Equity","dataPlan":"Active"}),
        json!({"primaryIP":"10.0.0.1","detectedIP":"10.0.0.1","ordersAllowed":true}),
        json!({"accessToken":"x","expiryTime":"2026-02-11T10:00:00.000"}),
    ]
}

/// Final words that stand in a value, in any casing.
fn final_words(value: &Value) -> bool {
    match value {
        Value::String(s) => status(s).is_final(),
        Value::Array(list) => list.iter().any(final_words),
        Value::Object(map) => map.values().any(final_words),
        _ => false,
    }
}

fn is_final(status: &BrokerStatus) -> bool {
    status.is_final()
}

/// Through every reader; the claims are in here.
fn read_everything(http: u16, bytes: &[u8]) {
    let judged = judge(http, bytes);
    if let Err(fault) = &judged {
        assert!(fault.to_string().len() < 500);
        // What nobody can read never counts as a refusal of an order.
        if serde_json::from_slice::<Value>(bytes).is_err() {
            let answer = fault.clone().into_answer();
            assert!(!matches!(answer, Answer::Refused { .. }) || http == 429, "HTTP {http} {answer:?}");
        }
    }
    let Ok(Some(json)) = judged else { return };
    let ends = final_words(&json);
    if let Some(ack) = OrderAck::read(json.clone()) {
        assert!(ends || !is_final(&ack.order_status));
    }
    if let Some(orders) = rows::read::<OrderObject, OrderRow>(json.clone()) {
        for row in orders.rows {
            assert!(ends || !is_final(&row.status), "{row:?}");
            assert!(row.filled.get() >= 0 && row.filled <= row.qty);
        }
    }
    if let Some(trades) = rows::read::<TradeObject, TradeRow>(json.clone()) {
        assert!(trades.rows.iter().all(|t| t.qty.get() > 0 && t.price.paise() > 0 && t.trade.0 > 0));
    }
    drop(rows::read::<PositionObject, PositionRow>(json.clone()));
    drop(read_funds(json.clone()));
    drop(NewToken::read(&json));
    drop(option_chain::read_expiries(&json));
    if let Some(chain) = option_chain::read(json.clone(), Underlying::Nifty, "2026-02-17".parse().unwrap()) {
        assert!(chain.strikes.keys().all(|strike| *strike > Strike::from_paise(0)));
    }
    if let Some(quoted) = quotes::read::<QuoteEntry>(json.clone()) {
        for ((segment, id), entry) in quoted {
            assert_eq!(entry.snapshot(segment, id).segment, segment);
        }
    }
    if let Ok(candles) = serde_json::from_value::<Candles>(json.clone())
        && let Ok(bars) = candles.bars()
    {
        assert!(bars.windows(2).all(|pair| pair[0].start < pair[1].start));
        assert!(bars.iter().all(|bar| bar.low <= bar.open && bar.close <= bar.high && bar.low > 0));
    }
    drop(quotes::read_body(&json));
    drop(quotes::read::<OhlcEntry>(json.clone()));
    macro_rules! only_read {
        ($($type:ty),*) => { $(drop(serde_json::from_value::<$type>(json.clone()));)* };
    }
    only_read!(
        Margin,
        MultiMargin,
        KillSwitchAnswer,
        PnlExitState,
        Profile,
        IpState,
        Holding,
        HistoryTrade,
        SuperOrder,
        PlaceBody,
        ModifyBody,
        SuperPlaceBody,
        SuperModifyBody
    );
}

#[test]
fn no_body_makes_a_reader_panic_or_end_an_order_by_default() {
    let (seed, mut rng) = random();
    let seeds = seeds();
    for seed in &seeds {
        read_everything(200, seed.to_string().as_bytes());
    }
    let (end, mut n) = (Instant::now() + seconds(), 0_u64);
    while Instant::now() < end {
        let mut value = seeds[rng.random_range(0..seeds.len())].clone();
        for _ in 0..rng.random_range(0..4) {
            mutate(&mut value, &mut rng);
        }
        let mut bytes = value.to_string().into_bytes();
        if rng.random_range(0..3) == 0 {
            mutate_bytes(&mut bytes, &mut rng);
        }
        let http = [200, 200, 200, 202, 302, 400, 401, 404, 429, 500][rng.random_range(0..10)];
        read_everything(http, &bytes);
        n += 1;
    }
    eprintln!("{n} bodies, seed {seed}");
    assert!(n > 100);
}

#[test]
fn no_instrument_list_makes_the_loader_panic_or_list_a_broken_contract() {
    let (seed, mut rng) = random();
    let contracts = crate::config::tables::load(None).expect("shipped tables load").contracts;
    let day = "2026-02-10".parse().unwrap();
    let list = "SEM_EXM_EXCH_ID,SEM_SEGMENT,SEM_SMST_SECURITY_ID,SEM_INSTRUMENT_NAME,SEM_EXPIRY_CODE,\
SEM_TRADING_SYMBOL,SEM_LOT_UNITS,SEM_CUSTOM_SYMBOL,SEM_EXPIRY_DATE,SEM_STRIKE_PRICE,SEM_OPTION_TYPE,SEM_TICK_SIZE,\
SEM_EXPIRY_FLAG,SEM_EXCH_INSTRUMENT_TYPE,SEM_SERIES,SM_SYMBOL_NAME\n\
NSE,I,13,INDEX,0,NIFTY,1.0,Nifty 50,0001-01-01,,XX,0.0500,,INDEX,X,NIFTY\n\
NSE,D,44430,OPTIDX,0,NIFTY-Feb2026-25800-CE,65.0,NIFTY 17 FEB 25800 CALL,2026-02-17 14:30:00,25800.00000,CE,5.0000,W,OP,,\n\
NSE,D,44431,OPTIDX,0,NIFTY-Feb2026-25800-PE,65.0,NIFTY 17 FEB 25800 PUT,2026-02-17 14:30:00,25800.00000,PE,5.0000,W,OP,,\n\
NSE,D,59182,FUTIDX,0,NIFTY-Feb2026-FUT,65.0,NIFTY FEB FUT,2026-02-24 14:30:00,-0.01000,XX,10.0000,M,FUT,,\n";
    let (end, mut n, mut good) = (Instant::now() + seconds(), 0_u64, 0_u64);
    while Instant::now() < end {
        let mut bytes = list.as_bytes().to_vec();
        mutate_bytes(&mut bytes, &mut rng);
        n += 1;
        let Ok(master) = instruments::load(bytes.as_slice(), &[Underlying::Nifty], day, &contracts) else { continue };
        good += 1;
        let mut keys = std::collections::BTreeSet::new();
        for instrument in &master.instruments {
            assert!(keys.insert((instrument.segment, instrument.security_id)), "{instrument:?} twice");
            if let Some(c) = instrument.option() {
                assert!(c.strike.paise() > 0 && c.tick.paise() > 0 && c.lot.get() > 0 && c.expiry >= day, "{c:?}");
            }
        }
    }
    eprintln!("{n} lists, {good} of them usable, seed {seed}");
    assert!(n > 100 && good > 0);
}
