//! An order update as a frame of the order-update socket (dhan-v2.md 3.2).

use rust_decimal::Decimal;
use scalper_decide::domain::broker::Product;
use scalper_decide::domain::{InstrumentKind, Premium};

use crate::broker::dhan::wire::order_alert::{FrameStyle, OrderAlert};
use crate::broker::dhan::wire::words;
use crate::simulator::oms::order::{Cause, Source, Update, Validity};

/// How the socket writes its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AlertStyle {
    /// Keys and numbers.
    pub frame: FrameStyle,
    /// `Traded` in place of `TRADED`: the table says the one, the documented sample the other.
    pub title_case_status: bool,
}

/// The frame of an update.
pub(super) fn frame(update: &Update, client_id: &str, style: AlertStyle) -> String {
    let mut alert = alert(update, client_id);
    if style.title_case_status {
        alert.status = title_case(&alert.status);
    }
    alert.to_frame(style.frame)
}

fn alert(update: &Update, client_id: &str) -> OrderAlert {
    let order = &update.order;
    let listed = &order.listed;
    let instrument = &listed.instrument;
    let (exchange, segment) = words::segment_columns(instrument.segment).expect("indices have no orders");
    let (kind, right, strike) = match &instrument.kind {
        InstrumentKind::Index { .. } => ("INDEX", "XX", Decimal::ZERO),
        InstrumentKind::Future { .. } => ("FUTIDX", "XX", Decimal::ZERO),
        InstrumentKind::Option(c) => ("OPTIDX", c.right.code(), Decimal::new(c.strike.paise(), 2)),
    };
    let traded = match &update.cause {
        Cause::Filled(trade) => trade.price,
        _ => Premium::from_paise(0),
    };
    let reason = match (&order.error, &update.cause) {
        (_, Cause::ModifyRefused(error)) | (Some(error), _) => error.text.clone(),
        _ => "CONFIRMED".to_owned(),
    };
    let time = |at: Option<_>| at.map_or_else(|| words::NO_TIME.to_owned(), words::ist_text);
    let expiry = listed.expiry().map_or_else(|| words::NO_TIME.to_owned(), |day| format!("{day} 14:30:00"));
    OrderAlert {
        exchange: exchange.to_owned(),
        segment: segment.to_owned(),
        source: if order.source == Source::Api { "P" } else { "N" }.to_owned(),
        security_id: instrument.security_id.to_string(),
        client_id: client_id.to_owned(),
        exch_order_no: order.exchange_no.map_or_else(|| "0".to_owned(), |no| no.to_string()),
        order_no: order.order_no.to_string(),
        product: words::product_letter(&order.product).to_owned(),
        txn_type: words::side_letter(order.side).to_owned(),
        order_type: words::order_type_letters(order.order_type).to_owned(),
        validity: if order.validity == Validity::Day { "DAY" } else { "IOC" }.to_owned(),
        disc_quantity: Some(order.disclosed),
        disc_qty_rem: Some(order.disclosed.min(order.remaining())),
        remaining_quantity: Some(order.remaining()),
        quantity: Some(order.qty),
        traded_qty: Some(order.filled),
        price: Some(rupees(order.price)),
        trigger_price: Some(rupees(order.trigger)),
        traded_price: Some(rupees(traded)),
        avg_traded_price: Some(average(order.value.paise(), order.filled)),
        algo_ord_no: order.leg.map(|(_, entry)| entry.to_string()).unwrap_or_default(),
        off_mkt_flag: "0".to_owned(),
        order_date_time: words::ist_text(order.created_at),
        exch_order_time: time(order.exchange_at),
        last_updated_time: words::ist_text(order.updated_at),
        remarks: if order.leg.is_some() { "Super Order" } else { "NR" }.to_owned(),
        mkt_type: "NL".to_owned(),
        reason_description: reason,
        leg_no: Some(order.leg.map_or(1, |(leg, _)| i64::from(leg.number()))),
        instrument: kind.to_owned(),
        symbol: listed.symbol.clone(),
        product_name: product_name(&order.product).to_owned(),
        status: words::status_word(&order.status).to_owned(),
        lot_size: Some(listed.lot),
        strike_price: Some(strike),
        expiry_date: expiry,
        opt_type: right.to_owned(),
        display_name: listed.custom_symbol.clone(),
        isin: "NA".to_owned(),
        series: "XX".to_owned(),
        good_till_days_date: order.created_at.ist_date().to_string(),
        ref_ltp: Some(rupees(order.ref_ltp)),
        tick_size: Some(rupees(listed.tick)),
        algo_id: "0".to_owned(),
        multiplier: Some(1),
        correlation_id: order.correlation.clone().unwrap_or_default(),
        malformed: Vec::new(),
    }
}

fn rupees(price: Premium) -> Decimal {
    Decimal::new(price.paise(), 2)
}

/// Average price with enough digits that price x units is the value again.
fn average(value_paise: i64, filled: i64) -> Decimal {
    if filled == 0 {
        return Decimal::ZERO;
    }
    (Decimal::new(value_paise, 2) / Decimal::from(filled)).round_dp(9)
}

fn product_name(product: &Product) -> &str {
    match product {
        Product::Intraday => "INTRADAY",
        Product::Margin => "MARGIN",
        Product::Cnc => "CNC",
        Product::Mtf => "MTF",
        Product::Other(word) => word,
    }
}

fn title_case(word: &str) -> String {
    let mut starts = true;
    word.chars()
        .map(|c| {
            let cased = if starts { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
            starts = c == '_';
            cased
        })
        .collect()
}
