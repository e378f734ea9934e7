//! Rows of the simulator's books as the wire prints them (dhan-v2.md 5.4, 7.1).

use scalper_decide::domain::{InstrumentKind, Money, Premium, Right};

use crate::broker::dhan::rest::order_book::OrderObject;
use crate::broker::dhan::rest::positions::PositionObject;
use crate::broker::dhan::rest::scalar::{Count, Number};
use crate::broker::dhan::rest::times;
use crate::broker::dhan::rest::trades::TradeObject;
use crate::simulator::market::Listed;
use crate::simulator::oms::order::{OrderRow, Trade, Validity};
use crate::simulator::oms::positions::PositionRow;

pub(super) fn rupees(price: Premium) -> Number {
    Number::from_paise(price.paise())
}

pub(super) fn money(money: Money) -> Number {
    Number::from_paise(money.paise())
}

fn expiry(listed: &Listed) -> Option<String> {
    listed.expiry().map(|day| day.to_string())
}

fn right(listed: &Listed) -> Option<String> {
    listed.instrument.option().map(|c| if c.right == Right::Call { "CALL".to_owned() } else { "PUT".to_owned() })
}

fn strike(listed: &Listed) -> Option<Number> {
    match &listed.instrument.kind {
        InstrumentKind::Option(contract) => Some(Number::from_paise(contract.strike.paise())),
        _ => None,
    }
}

/// A row of the order book.
pub(super) fn order(client_id: &str, row: &OrderRow) -> OrderObject {
    let listed = &row.listed;
    OrderObject {
        dhan_client_id: client_id.to_owned(),
        order_id: row.order_no.to_string(),
        exchange_order_id: row.exchange_no.map(|no| no.to_string()),
        correlation_id: row.correlation.clone(),
        order_status: row.status.clone(),
        transaction_type: row.side,
        exchange_segment: listed.instrument.segment,
        product_type: row.product.clone(),
        order_type: row.order_type,
        validity: Some(if row.validity == Validity::Day { "DAY" } else { "IOC" }.to_owned()),
        trading_symbol: Some(listed.symbol.clone()),
        security_id: listed.instrument.security_id,
        quantity: Count(row.qty),
        disclosed_quantity: Some(Count(row.disclosed)),
        price: Some(rupees(row.price)),
        trigger_price: Some(rupees(row.trigger)),
        after_market_order: false,
        bo_profit_value: None,
        bo_stop_loss_value: None,
        leg_name: row.leg.map(|(leg, _)| leg.name().to_owned()),
        create_time: Some(times::write(row.created_at)),
        update_time: Some(times::write(row.updated_at)),
        exchange_time: row.exchange_at.map(times::write),
        drv_expiry_date: expiry(listed),
        drv_option_type: right(listed),
        drv_strike_price: strike(listed),
        oms_error_code: row.error.as_ref().map(|e| e.code.to_owned()),
        oms_error_description: row.error.as_ref().map(|e| e.text.clone()),
        algo_id: None,
        remaining_quantity: Some(Count(row.remaining())),
        average_traded_price: Number::new(row.average_price()),
        filled_qty: Count(row.filled),
    }
}

/// A row of the trade book. The option type is "NA" there, even for options.
pub(super) fn trade(client_id: &str, trade: &Trade) -> TradeObject {
    TradeObject {
        dhan_client_id: client_id.to_owned(),
        order_id: trade.order_no.to_string(),
        exchange_order_id: Some(trade.exchange_no.to_string()),
        exchange_trade_id: Some(trade.trade.0.to_string()),
        transaction_type: trade.side,
        exchange_segment: trade.listed.instrument.segment,
        product_type: trade.product.clone(),
        order_type: trade.order_type,
        trading_symbol: Some(trade.listed.symbol.clone()),
        custom_symbol: Some(trade.listed.custom_symbol.clone()),
        security_id: trade.listed.instrument.security_id,
        traded_quantity: Count(trade.qty),
        traded_price: rupees(trade.price),
        create_time: Some(times::write(trade.created_at)),
        update_time: Some(times::write(trade.booked_at)),
        exchange_time: Some(times::write(trade.at)),
        drv_expiry_date: expiry(&trade.listed),
        drv_option_type: None,
        drv_strike_price: strike(&trade.listed),
    }
}

/// A row of the positions, against a last price in paise.
pub(super) fn position(client_id: &str, row: &PositionRow, ltp: i64) -> PositionObject {
    let net = row.net();
    let (buy_avg, sell_avg) = (row.buy_average(), row.sell_average());
    PositionObject {
        dhan_client_id: client_id.to_owned(),
        trading_symbol: Some(row.listed.symbol.clone()),
        security_id: row.listed.instrument.security_id,
        position_type: Some(
            match net {
                0 => "CLOSED",
                1.. => "LONG",
                _ => "SHORT",
            }
            .to_owned(),
        ),
        exchange_segment: row.listed.instrument.segment,
        product_type: row.product.clone(),
        buy_avg: Some(rupees(buy_avg)),
        cost_price: Some(rupees(if net < 0 { sell_avg } else { buy_avg })),
        buy_qty: Some(Count(row.bought())),
        sell_avg: Some(rupees(sell_avg)),
        sell_qty: Some(Count(row.sold())),
        net_qty: Count(net),
        realized_profit: Some(money(row.realized())),
        unrealized_profit: Some(money(row.unrealized(ltp))),
        rbi_reference_rate: Some(Number::from_paise(100)),
        multiplier: Some(Count(1)),
        carry_forward_buy_qty: Some(Count(row.carried_bought)),
        carry_forward_sell_qty: Some(Count(row.carried_sold)),
        carry_forward_buy_value: Some(money(row.carried_buy_value)),
        carry_forward_sell_value: Some(money(row.carried_sell_value)),
        day_buy_qty: Count(row.day_bought),
        day_sell_qty: Count(row.day_sold),
        day_buy_value: Some(money(row.day_buy_value)),
        day_sell_value: Some(money(row.day_sell_value)),
        drv_expiry_date: expiry(&row.listed),
        drv_option_type: right(&row.listed),
        drv_strike_price: strike(&row.listed),
        cross_currency: false,
    }
}
