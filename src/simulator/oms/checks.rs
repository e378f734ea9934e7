//! What the broker's risk checks and the exchange refuse, in words (dhan-v2.md 8.2, 8.3).

use scalper_decide::domain::broker::BrokerOrderType;
use scalper_decide::domain::money::Rounding;
use scalper_decide::domain::{Bps, OrderSide, OrderType, Premium, VenueRefusal};

use super::order::OmsError;
use super::request::PlaceRequest;
use crate::simulator::board::Desk;
use crate::simulator::market::Listed;

/// The exchange has no such function: SL-M on options.
const NO_SUCH_FUNCTION: &str = "16052";
/// A market order where nothing has traded.
const NO_LAST_PRICE: &str = "17181";

fn unnumbered(text: String) -> OmsError {
    OmsError { code: "0", text }
}

/// The terms that go to the exchange, or the reason why none do. Prices are checked against the market there, on
/// arrival.
pub(super) fn terms(request: &PlaceRequest, listed: &Listed, desk: &Desk) -> Result<OrderType, OmsError> {
    if listed.max_qty == 0 {
        return Err(unnumbered(format!("RMS:Trading in {} is not enabled for this client", listed.symbol)));
    }
    quantity(request.qty, listed)?;
    match request.order_type {
        BrokerOrderType::StopLossMarket => Err(OmsError {
            code: NO_SUCH_FUNCTION,
            text: "16052 : Function Not Available. SL-M orders are not allowed in options".to_owned(),
        }),
        BrokerOrderType::Market => {
            let price = protected(request.side, listed, desk).ok_or_else(|| OmsError {
                code: NO_LAST_PRICE,
                text: "17181 : Market order without last traded price".to_owned(),
            })?;
            Ok(OrderType::Limit { price })
        }
        BrokerOrderType::Limit => {
            on_tick(request.price, listed)?;
            Ok(OrderType::Limit { price: request.price })
        }
        BrokerOrderType::StopLoss => {
            on_tick(request.price, listed)?;
            on_tick(request.trigger, listed)?;
            Ok(OrderType::StopLimit { trigger: request.trigger, price: request.price })
        }
    }
}

fn quantity(qty: i64, listed: &Listed) -> Result<(), OmsError> {
    if qty % listed.lot != 0 {
        return Err(unnumbered(format!("RMS:Quantity {qty} is not a multiple of lot size {}", listed.lot)));
    }
    if qty > listed.max_qty {
        return Err(unnumbered(format!("RMS:Quantity {qty} exceeds the freeze limit, largest is {}", listed.max_qty)));
    }
    Ok(())
}

fn on_tick(price: Premium, listed: &Listed) -> Result<(), OmsError> {
    if price > Premium::ZERO && price.is_multiple_of(listed.tick) {
        return Ok(());
    }
    Err(unnumbered(format!("RMS:Price {price} is not a positive multiple of tick size {}", listed.tick)))
}

/// The limit a MARKET order is turned into: the touch moved by the broker's band, which narrows with the price
/// (published June 2024: 20 %, 10 %, 5 %, 2 %). `None` when there is no price at all.
fn protected(side: OrderSide, listed: &Listed, desk: &Desk) -> Option<Premium> {
    let touch = desk.touch(side)?;
    let band = match touch.paise() {
        ..5_000 => Bps::from_percent(20),
        5_000..20_000 => Bps::from_percent(10),
        20_000..100_000 => Bps::from_percent(5),
        _ => Bps::from_percent(2),
    };
    Some(match side {
        OrderSide::Buy => touch.moved_by(band, Rounding::Up).ceil_to(listed.tick),
        OrderSide::Sell => touch.moved_by(-band, Rounding::Down).floor_to(listed.tick).max(listed.tick),
    })
}

/// The exchange's refusal in words.
pub(super) fn from_exchange(refusal: &VenueRefusal) -> OmsError {
    unnumbered(match refusal {
        VenueRefusal::MarketClosed => "EXCH:Market is closed".to_owned(),
        VenueRefusal::TickSize => "EXCH:Price is not a multiple of the tick size".to_owned(),
        VenueRefusal::LotSize => "EXCH:Quantity is not a multiple of the lot size".to_owned(),
        VenueRefusal::FreezeQuantity => "EXCH:Quantity exceeds the freeze limit".to_owned(),
        VenueRefusal::PriceBand => "EXCH:Price is outside the limit price protection range".to_owned(),
        VenueRefusal::TriggerSide => "EXCH:Trigger price is on the wrong side of the market".to_owned(),
        VenueRefusal::Expired => "EXCH:Contract has expired".to_owned(),
        VenueRefusal::NotOpen => "EXCH:Order is not open".to_owned(),
        VenueRefusal::ModificationLimit => "EXCH:Too many modifications".to_owned(),
        VenueRefusal::DuplicateId => "EXCH:Order number was used before".to_owned(),
        VenueRefusal::Other(text) => format!("EXCH:{text}"),
    })
}
