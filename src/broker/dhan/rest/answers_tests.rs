//! Documented answers of the endpoints nobody has recorded, and that what we write reads back as itself.

use scalper_decide::domain::broker::{BrokerOrderType, BrokerStatus, PositionRow, Product};
use scalper_decide::domain::{OrderSide, Segment};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::account::{IpState, NewToken};
use super::controls::{KillSwitch, KillSwitchAnswer, PnlExitBody, PnlExitState};
use super::funds::{Funds, MultiMargin, MultiMarginBody};
use super::order_book::OrderObject;
use super::orders::{OrderAck, PlaceBody};
use super::positions::{ExitAllAnswer, PositionObject};
use super::quotes::{self, OhlcEntry};
use super::rows;
use super::scalar::{Count, Number};
use super::super_orders::{SuperModifyBody, SuperOrder, SuperPlaceBody};
use super::words::Leg;
use crate::broker::ports::Rows;

/// Reads, writes, reads and writes again: the two texts agree. (An absent number is written 0, the wire's own way.)
fn there_and_back<T: Serialize + DeserializeOwned>(json: Value) -> T {
    let first: T = serde_json::from_value(json.clone()).unwrap_or_else(|e| panic!("{e}: {json}"));
    let written = serde_json::to_value(&first).unwrap();
    let second: T = serde_json::from_value(written.clone()).unwrap();
    assert_eq!(serde_json::to_value(&second).unwrap(), written);
    first
}

fn order() -> Value {
    json!({"dhanClientId": "1000000001", "orderId": "112111182198", "exchangeOrderId": "1500000001",
        "correlationId": "A1260210E1-0123456789ab", "orderStatus": "PART_TRADED", "transactionType": "SELL",
        "exchangeSegment": "NSE_FNO", "productType": "MARGIN", "orderType": "STOP_LOSS", "validity": "DAY",
        "securityId": "44430", "quantity": 130, "price": "85.50", "triggerPrice": 90,
        "updateTime": "2026-02-10 10:00:01", "omsErrorDescription": null, "averageTradedPrice": 89.956923,
        "filledQty": 65})
}

#[test]
fn an_order_object_becomes_a_row_and_writes_the_words_of_the_wire_for_nothing() {
    let object: OrderObject = there_and_back(order());
    let row = rows::read::<OrderObject, _>(order()).unwrap().complete().unwrap().remove(0);
    assert_eq!((row.status, row.order_type), (BrokerStatus::PartTraded, BrokerOrderType::StopLoss));
    assert_eq!((row.side, row.product), (OrderSide::Sell, Product::Margin));
    // 65 x 89.956923 = 5847.199995 rupees.
    assert_eq!((row.filled.get(), row.value.paise()), (65, 584_720));
    assert_eq!((row.price.paise(), row.trigger.paise()), (8_550, 9_000));
    assert_eq!(row.tag.unwrap().as_str(), "A1260210E1-0123456789ab");
    let written = serde_json::to_value(&object).unwrap();
    for (key, nothing) in [
        ("legName", json!("NA")),
        ("exchangeTime", json!("0001-01-01 00:00:00")),
        ("drvExpiryDate", json!("0001-01-01")),
        ("omsErrorCode", json!("0")),
        ("omsErrorDescription", json!("")),
        ("algoId", json!("0")),
        ("drvStrikePrice", json!(0.0)),
    ] {
        assert_eq!(written[key], nothing, "{key}");
    }
}

#[test]
fn a_row_that_cannot_be_read_hides_no_other_and_forbids_the_word_complete() {
    let mut odd_type = order();
    odd_type["orderType"] = json!("ICEBERG");
    let mut impossible = order();
    impossible["filledQty"] = json!(131);
    let mut silent = order();
    silent.as_object_mut().unwrap().remove("filledQty");
    let Rows { rows, unread } =
        rows::read::<OrderObject, _>(json!([order(), odd_type, impossible, silent, 5])).unwrap();
    assert_eq!((rows.len(), unread.len()), (1, 4));
    assert!(unread[0].tag.is_some() && unread[0].broker_id.is_some());
    assert!(unread[0].why.contains("ICEBERG"), "{}", unread[0].why);
    assert!(Rows { rows, unread }.complete().is_err());
}

#[test]
fn slicing_answers_as_an_array_or_as_one_object() {
    let one = json!({"orderId": "1", "orderStatus": "TRANSIT"});
    assert_eq!(OrderAck::read_many(one.clone()).unwrap().len(), 1);
    assert_eq!(OrderAck::read_many(json!([one, one])).unwrap().len(), 2);
    assert_eq!(OrderAck::read(json!([one, one])), None, "two orders are no answer to one");
    assert_eq!(OrderAck::read_many(json!([one, {"orderStatus": "TRANSIT"}])), None);
}

#[test]
fn the_place_body_of_other_clients_is_read() {
    // Numeric texts, empty texts and nulls, as the documentation and the official client send them.
    let body: PlaceBody = there_and_back(json!({"dhanClientId": "1", "correlationId": "", "transactionType": "BUY",
        "exchangeSegment": "NSE_FNO", "productType": "INTRADAY", "orderType": "MARKET", "validity": "DAY",
        "securityId": 44430, "quantity": "65", "disclosedQuantity": "", "price": "", "triggerPrice": "",
        "afterMarketOrder": "", "amoTime": "", "boProfitValue": null, "boStopLossValue": null}));
    assert_eq!((body.quantity, body.security_id, body.price), (Count(65), 44_430, None));
    assert_eq!((body.correlation_id, body.amo_time, body.after_market_order), (None, None, false));
    let typed = |field: &str, value: Value| {
        let mut json = serde_json::to_value(body_of()).unwrap();
        json[field] = value;
        serde_json::from_value::<PlaceBody>(json).is_ok()
    };
    assert!(typed("quantity", json!(130)));
    for (field, wrong) in [("transactionType", json!("HOLD")), ("quantity", json!("x")), ("securityId", json!(""))] {
        assert!(!typed(field, wrong), "{field}");
    }
}

fn body_of() -> PlaceBody {
    serde_json::from_value(json!({"transactionType": "BUY", "exchangeSegment": "NSE_FNO", "productType": "INTRADAY",
        "orderType": "LIMIT", "securityId": "1", "quantity": 65, "price": 1.5}))
    .unwrap()
}

#[test]
fn super_orders_keep_their_misspelling_and_always_say_how_they_trail() {
    let mut json = order();
    json["ltp"] = json!(88.1);
    json["legDetails"] = json!([{"orderId": "11", "legName": "STOP_LOSS_LEG", "transactionType": "SELL",
        "totalQuatity": 65, "remainingQuantity": 65, "triggeredQuantity": 0, "price": 80.0, "orderStatus": "PENDING",
        "trailingJump": 0.5}, {"legName": "MOON_LEG", "transactionType": "SELL", "orderStatus": "SOON"}]);
    let super_order: SuperOrder = there_and_back(json);
    assert_eq!(super_order.leg_details[0].total_quantity, Some(Count(65)));
    assert_eq!(super_order.leg_details[0].leg(), Some(Leg::StopLoss));
    assert_eq!(super_order.leg_details[1].leg(), None);
    assert!(!super_order.leg_details[1].order_status.is_final());
    assert_eq!(serde_json::to_value(&super_order).unwrap()["legDetails"][0]["totalQuatity"], json!(65));

    let stop = SuperModifyBody::StopLoss {
        dhan_client_id: "1".into(),
        order_id: "7".into(),
        stop_loss_price: Number::from_paise(8_050),
        trailing_jump: Number::default(),
    };
    assert_eq!(
        serde_json::to_value(&stop).unwrap(),
        json!({"legName": "STOP_LOSS_LEG", "dhanClientId": "1", "orderId": "7", "stopLossPrice": 80.5,
            "trailingJump": 0.0})
    );
    let place = SuperPlaceBody {
        dhan_client_id: "1".into(),
        correlation_id: None,
        transaction_type: OrderSide::Buy,
        exchange_segment: Segment::NseFno,
        product_type: Product::Intraday,
        order_type: BrokerOrderType::Limit,
        security_id: 5,
        quantity: Count(65),
        price: Some(Number::from_paise(100)),
        target_price: None,
        stop_loss_price: None,
        trailing_jump: None,
    };
    let written = serde_json::to_value(&place).unwrap();
    assert_eq!(written["trailingJump"], json!(0.0));
    assert!(written.get("validity").is_none() && written.get("correlationId").is_none());
}

#[test]
fn a_position_is_signed_and_a_missing_quantity_is_no_flat_position() {
    let row = json!({"dhanClientId": "1", "tradingSymbol": "X", "securityId": "44430", "positionType": "SHORT",
        "exchangeSegment": "NSE_FNO", "productType": "INTRADAY", "buyAvg": 0.0, "netQty": -65, "dayBuyQty": 65,
        "daySellQty": 130, "multiplier": 1, "crossCurrency": false, "drvStrikePrice": 25800.0});
    let _: PositionObject = there_and_back(row.clone());
    let read = |json: Value| rows::read::<PositionObject, PositionRow>(json!([json])).unwrap();
    let position = read(row.clone()).complete().unwrap().remove(0);
    assert_eq!((position.net, position.day_bought.get(), position.day_sold.get()), (-65, 65, 130));
    for key in ["netQty", "dayBuyQty", "securityId", "exchangeSegment"] {
        let mut json = row.clone();
        json.as_object_mut().unwrap().remove(key);
        assert_eq!(read(json).unread.len(), 1, "{key}");
    }
    assert!(rows::read::<PositionObject, PositionRow>(json!({})).is_none());
}

#[test]
fn funds_without_a_balance_are_no_funds() {
    // F-25, F-41: a name that changed is an error, not zero rupees.
    assert!(serde_json::from_value::<Funds>(json!({"dhanClientId": "1", "sodLimit": 5.0})).is_err());
    assert!(serde_json::from_value::<Funds>(json!({"availabelBalance": null})).is_err());
    let funds: Funds = there_and_back(json!({"availabelBalance": "98440.0", "receiveableAmount": 3}));
    assert_eq!((funds.available_balance.paise(), funds.receivable_amount.unwrap().paise()), (9_844_000, 300));
    let written = serde_json::to_value(&funds).unwrap();
    assert!(written.get("availabelBalance").is_some() && written.get("receiveableAmount").is_some());
}

#[test]
fn both_spellings_of_the_disputed_answers_are_read() {
    let camel: MultiMargin =
        there_and_back(json!({"totalMargin": 100.5, "spanMargin": 1, "exposure": 2, "foMargin": 3}));
    let snake: MultiMargin = serde_json::from_value(
        json!({"total_margin": "100.5", "span_margin": "1", "exposure_margin": "2", "fo_margin": "3"}),
    )
    .unwrap();
    assert_eq!(camel, snake);
    let _: MultiMarginBody = there_and_back(json!({"dhanClientId": "1", "includeOrders": true, "scripts": []}));

    for key in ["enableKillSwitch", "enable_kill_switch"] {
        let state: PnlExitState = there_and_back(json!({"pnlExitStatus": "ACTIVE", "profit": "1500", "loss": 500.0,
            "productType": ["INTRADAY"], key: true}));
        assert!(state.enable_kill_switch);
        assert_eq!((state.profit.unwrap().paise(), state.loss.unwrap().paise()), (150_000, 50_000));
    }
    let body = PnlExitBody {
        profit_value: Number::from_paise(150_000),
        loss_value: Number::from_paise(50_000),
        product_type: vec!["INTRADAY".into()],
        enable_kill_switch: false,
    };
    assert_eq!(
        serde_json::to_value(&body).unwrap(),
        json!({"profitValue": 1500.0, "lossValue": 500.0, "productType": ["INTRADAY"], "enableKillSwitch": false})
    );
}

#[test]
fn the_kill_switch_answers_in_a_word_or_in_a_sentence() {
    for (text, state) in [
        ("ACTIVATE", KillSwitch::On),
        ("DEACTIVATE", KillSwitch::Off),
        ("Kill Switch has been successfully activated", KillSwitch::On),
        ("Kill Switch has been successfully deactivated", KillSwitch::Off),
        ("INACTIVE", KillSwitch::Off),
        ("perhaps", KillSwitch::Other("perhaps".into())),
    ] {
        let answer: KillSwitchAnswer = there_and_back(json!({"dhanClientId": "1", "killSwitchStatus": text}));
        assert_eq!(answer.kill_switch_status, state, "{text}");
    }
    let all: ExitAllAnswer = there_and_back(json!({"status": "SUCCESS", "message": "All orders and positions exited"}));
    assert_eq!(all.status, "SUCCESS");
}

#[test]
fn an_address_check_that_does_not_say_is_unknown_and_not_a_failure() {
    // B5.
    let state = |json: Value| there_and_back::<IpState>(json).allows_orders();
    assert_eq!(state(json!({"primaryIP": "10.0.0.1", "modifyDatePrimary": "2026-03-01"})), None);
    assert_eq!(state(json!({"primaryIP": "10.0.0.1", "detectedIP": "10.0.0.1"})), Some(true));
    assert_eq!(state(json!({"primaryIP": "10.0.0.1", "detectedIP": "10.0.0.2"})), Some(false));
    assert_eq!(state(json!({"secondaryIP": "::1", "detectedIP": "::1", "ordersAllowed": false})), Some(false));
    assert_eq!(state(json!({"ordersAllowed": "maybe"})), None);
}

#[test]
fn a_renewed_token_reads_back_and_a_missing_one_is_none() {
    let ends = super::times::ist("2026-02-11 10:00:00").unwrap();
    let new = NewToken::read(&NewToken::answer("1000000001", "abc.def.ghi", ends)).unwrap();
    assert_eq!((new.client_id.as_deref(), new.ends), (Some("1000000001"), Some(ends)));
    assert!(!format!("{new:?}").contains("abc"));
    assert!(NewToken::read(&json!({"dhanClientId": "1", "accessToken": ""})).is_none());
}

#[test]
fn quotes_read_back_and_an_unknown_id_is_simply_not_there() {
    let ids = [(Segment::IdxI, 13), (Segment::NseFno, 5), (Segment::IdxI, 13)];
    assert_eq!(quotes::body(&ids), json!({"IDX_I": [13], "NSE_FNO": [5]}));
    assert_eq!(quotes::read_body(&json!({"IDX_I": ["13"], "dhanClientId": "1"})), [(Segment::IdxI, 13)]);
    let entry: OhlcEntry =
        serde_json::from_value(json!({"last_price": 25795.15, "ohlc": {"open": 1, "close": 2, "high": 3, "low": 0}}))
            .unwrap();
    let answer =
        quotes::answer([Segment::IdxI, Segment::NseFno], &quotes::Quoted::from([((Segment::IdxI, 13), entry)]));
    assert_eq!(answer["data"]["NSE_FNO"], json!({}));
    // Whole numbers have no decimal point on these endpoints.
    assert_eq!(answer["data"]["IDX_I"]["13"]["ohlc"].to_string(), r#"{"open":1,"close":2,"high":3,"low":0}"#);
    assert_eq!(quotes::read::<OhlcEntry>(answer).unwrap().len(), 1);
}
