//! Order-update frames: the documented fields, both casings at once, sentinels (dhan-v2.md 3.2).

use proptest::prelude::*;
use rust_decimal::Decimal;
use scalper_decide::domain::broker::{BrokerOrderType, BrokerStatus, Product};
use scalper_decide::domain::{ClientOrderId, Money, OrderSide, Premium, Qty, Segment};

use super::order_alert::*;
use super::order_row::RowError;

/// A frame with the documented fields, camelCase copies beside them, spelled out by hand.
const FRAME: &str = r#"{"Data":{"Exchange":"NSE","Segment":"D","Source":"P","SecurityId":"55796","ClientId":"1000000001",
"ExchOrderNo":"1400000000404591","OrderNo":"1124091136546","Product":"I","TxnType":"B","OrderType":"LMT","Validity":"DAY",
"DiscQuantity":0,"DiscQtyRem":0,"RemainingQuantity":55,"Quantity":75,"TradedQty":20,"Price":101.35,"TriggerPrice":0,
"TradedPrice":101.3,"AvgTradedPrice":101.325,"AlgoOrdNo":null,"OffMktFlag":"0","OrderDateTime":"2026-06-10 09:49:50",
"ExchOrderTime":"2026-06-10 09:49:50","LastUpdatedTime":"2026-06-10 09:49:57","Remarks":"NR","MktType":"NL",
"ReasonDescription":"CONFIRMED","LegNo":1,"Instrument":"OPTIDX","Symbol":"NIFTY-Jun2026-25000-CE","ProductName":"INTRADAY",
"Status":"Part_Traded","LotSize":75,"StrikePrice":25000.0,"ExpiryDate":"2026-06-16 14:30:00","OptType":"CE",
"DisplayName":"NIFTY 16 JUN 25000 CALL","Isin":"NA","Series":null,"series":"XX","GoodTillDaysDate":"2026-06-10",
"goodTillDaysDate":"2026-06-10","RefLtp":"101.4","refLtp":101.4,"TickSize":0.05,"tickSize":0.05,"AlgoId":"0","algoId":"0",
"Multiplier":1,"multiplier":1,"CorrelationId":"A1260610E1-0123456789ab"},"Type":"order_alert"}"#;

fn alert() -> OrderAlert {
    parse_alert(FRAME).unwrap().unwrap()
}

#[test]
fn a_frame_in_both_casings_becomes_a_row_with_nothing_lost() {
    let update = alert().update().unwrap();
    let row = &update.row;
    assert_eq!(&*row.broker_id.0, "1124091136546");
    assert_eq!(row.tag, ClientOrderId::parse("A1260610E1-0123456789ab"));
    assert_eq!((row.segment, row.security_id, row.side), (Segment::NseFno, 55_796, OrderSide::Buy));
    assert_eq!((&row.product, row.order_type), (&Product::Intraday, BrokerOrderType::Limit));
    assert_eq!((&row.status, row.qty, row.filled), (&BrokerStatus::PartTraded, Qty::new(75), Qty::new(20)));
    assert_eq!(row.value, Money::from_paise(202_650));
    assert_eq!((row.price, row.trigger), (Premium::from_paise(10_135), Premium::from_paise(0)));
    assert_eq!((row.by_api, row.reason.as_str()), (Some(true), ""));
    assert_eq!(row.updated_at.unwrap().ist_text(), "2026-06-10T09:49:57+05:30");
    assert_eq!((update.leg, update.entry_leg), (Some(1), None));
    assert_eq!(update.exchange_order_no.as_deref(), Some("1400000000404591"));
}

#[test]
fn every_documented_field_is_read() {
    let alert = alert();
    let dec = |text: &str| Some(text.parse::<Decimal>().unwrap());
    let OrderAlert { disc_quantity, disc_qty_rem, remaining_quantity, lot_size, multiplier, .. } = alert;
    assert_eq!((disc_quantity, disc_qty_rem, remaining_quantity), (Some(0), Some(0), Some(55)));
    assert_eq!((lot_size, multiplier), (Some(75), Some(1)));
    assert_eq!((alert.ref_ltp, alert.tick_size, alert.traded_price), (dec("101.4"), dec("0.05"), dec("101.3")));
    assert_eq!(alert.strike_price, dec("25000.0"));
    assert_eq!((alert.series.as_str(), alert.isin.as_str()), ("XX", "NA"));
    assert_eq!((alert.validity.as_str(), alert.mkt_type.as_str(), alert.off_mkt_flag.as_str()), ("DAY", "NL", "0"));
    assert_eq!((alert.opt_type.as_str(), alert.expiry_date.as_str()), ("CE", "2026-06-16 14:30:00"));
    assert_eq!((alert.instrument.as_str(), alert.product_name.as_str()), ("OPTIDX", "INTRADAY"));
    assert_eq!(alert.malformed, [""; 0]);
}

#[test]
fn a_frame_survives_every_style_a_server_may_use() {
    let alert = OrderAlert { series: "XX".to_owned(), ..alert() };
    for casing in [KeyCasing::Pascal, KeyCasing::Both, KeyCasing::Camel] {
        for numbers_as_text in [false, true] {
            let frame = alert.to_frame(FrameStyle { casing, numbers_as_text });
            assert_eq!(parse_alert(&frame), Ok(Some(alert.clone())), "{frame}");
        }
    }
    let both = alert.to_frame(FrameStyle::default());
    assert!(both.contains(r#""RefLtp":101.4"#) && both.contains(r#""refLtp":101.4"#), "{both}");
}

#[test]
fn the_clients_spelling_orderno_and_lower_case_status_are_read() {
    let frame = FRAME.replace("\"OrderNo\"", "\"orderNo\"").replace("\"Status\"", "\"status\"");
    assert_eq!(parse_alert(&frame), Ok(Some(alert())));
}

#[test]
fn sentinels_are_absent() {
    let mut alert = alert();
    for none in ["", "NA", "not/well formed", "longer-than-twenty-five-chars"] {
        alert.correlation_id = none.to_owned();
        assert_eq!(alert.update().unwrap().row.tag, None, "{none}");
    }
    alert.last_updated_time = "0001-01-01 00:00:00".to_owned();
    alert.source = String::new();
    alert.exch_order_no = "0".to_owned();
    alert.algo_ord_no = "0.0".to_owned();
    let update = alert.update().unwrap();
    assert_eq!((update.row.updated_at, update.row.by_api), (None, None));
    assert_eq!((update.exchange_order_no, update.entry_leg), (None, None));
    alert.source = "N".to_owned();
    assert_eq!(alert.update().unwrap().row.by_api, Some(false));
}

#[test]
fn a_rejection_carries_the_brokers_words() {
    let mut alert = alert();
    (alert.status, alert.reason_description) = ("Rejected".to_owned(), "RMS: margin exceeded".to_owned());
    (alert.traded_qty, alert.avg_traded_price) = (None, None);
    let row = alert.update().unwrap().row;
    assert_eq!((row.status, row.reason.as_str()), (BrokerStatus::Rejected, "RMS: margin exceeded"));
    assert_eq!((row.filled, row.value), (Qty::new(0), Money::from_paise(0)));
}

#[test]
fn half_a_frame_is_refused_by_field() {
    type Break = fn(&mut OrderAlert);
    let missing: [(&str, Break); 5] = [
        ("OrderNo", |a| a.order_no.clear()),
        ("Status", |a| a.status.clear()),
        ("Quantity", |a| a.quantity = None),
        ("TradedQty", |a| a.traded_qty = None),
        ("AvgTradedPrice", |a| a.avg_traded_price = Some(Decimal::ZERO)),
    ];
    for (name, wound) in missing {
        let mut alert = alert();
        wound(&mut alert);
        assert!(matches!(alert.update(), Err(RowError::Missing { field }) if field == name), "{name}");
    }
    let unreadable: [(&str, Break); 8] = [
        ("Segment", |a| a.segment = "Z".to_owned()),
        ("SecurityId", |a| a.security_id = "x".to_owned()),
        ("TxnType", |a| a.txn_type = "X".to_owned()),
        ("OrderType", |a| a.order_type = "ODD".to_owned()),
        ("TradedQty", |a| a.traded_qty = Some(-1)),
        ("Price", |a| a.price = Some(Decimal::new(101_352, 3))),
        ("AvgTradedPrice", |a| a.avg_traded_price = Some(Decimal::MAX)),
        ("Quantity", |a| a.malformed.push("Quantity")),
    ];
    for (name, wound) in unreadable {
        let mut alert = alert();
        wound(&mut alert);
        assert!(matches!(alert.update(), Err(RowError::Unreadable { field, .. }) if field == name), "{name}");
    }
    let harmless = OrderAlert { malformed: vec!["RefLtp"], ..alert() };
    assert!(harmless.update().is_ok());
}

#[test]
fn float_noise_is_not_a_fraction_of_a_paisa() {
    let alert = OrderAlert { price: Some("101.35000000000001".parse().unwrap()), ..alert() };
    assert_eq!(alert.update().unwrap().row.price, Premium::from_paise(10_135));
}

#[test]
fn frames_of_another_type_are_nothing_and_broken_ones_an_error() {
    for other in [r#"{"Type":"login","Data":{}}"#, "{}", r#"{"Type":null}"#, r#"{"Data":{}}"#] {
        assert_eq!(parse_alert(other), Ok(None), "{other}");
    }
    assert_eq!(parse_alert("nonsense"), Err(AlertError::NotAnObject));
    assert_eq!(parse_alert("[]"), Err(AlertError::NotAnObject));
    assert_eq!(parse_alert(r#"{"Type":"order_alert"}"#), Err(AlertError::NoData));
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,200}", n in any::<i64>(), p in any::<f64>()) {
        let _ = parse_alert(&text);
        let frame = serde_json::json!({ "Type": "order_alert", "Data": {
            "OrderNo": text, "Status": text, "Quantity": n, "TradedQty": n, "Price": p, "TriggerPrice": p,
            "AvgTradedPrice": p, "LegNo": n, "Exchange": "NSE", "Segment": "D", "SecurityId": n, "TxnType": "B",
            "OrderType": "SL", "LastUpdatedTime": text } });
        if let Ok(Some(alert)) = parse_alert(&frame.to_string()) {
            let _ = alert.update();
        }
    }
}
