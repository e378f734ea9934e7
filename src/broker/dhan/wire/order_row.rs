//! An order-update frame as a row of [`OrderRow`], the words the core understands. Whatever cannot be read for
//! certain is refused: the caller then reads the order book instead of believing half a frame.

use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};
use scalper_decide::domain::broker::{BrokerOrderId, BrokerStatus, OrderRow};
use scalper_decide::domain::{ClientOrderId, Money, Premium, Qty, Segment};

use super::order_alert::OrderAlert;
use super::words;

/// Largest quantity and largest price (rupees) of an order that is believed.
const BELIEVABLE: i64 = 1_000_000_000;

/// One pushed update: the row, and what ties the legs of a super order together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderUpdate {
    /// The order.
    pub row: OrderRow,
    /// Leg of a super order: 1 entry, 2 stop loss, 3 target; 0 and 1 for plain orders. Rows are keyed by number and
    /// leg.
    pub leg: Option<u8>,
    /// The broker's number of the super order's entry leg.
    pub entry_leg: Option<BrokerOrderId>,
    /// The exchange's order number.
    pub exchange_order_no: Option<String>,
}

/// Why a frame is not a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// A field the row needs is absent.
    #[error("order update without {field}")]
    Missing {
        /// Its name on the wire.
        field: &'static str,
    },
    /// A field the row needs cannot be what it says.
    #[error("order update with {field} {found:?}")]
    Unreadable {
        /// Its name on the wire.
        field: &'static str,
        /// What stands there.
        found: String,
    },
}

/// Fields that decide what the row says; malformed ones elsewhere do no harm.
const NEEDED: [&str; 6] = ["Quantity", "TradedQty", "Price", "TriggerPrice", "AvgTradedPrice", "LegNo"];

impl OrderAlert {
    /// The update in the core's words.
    pub fn update(&self) -> Result<OrderUpdate, RowError> {
        if let Some(field) = self.malformed.iter().find(|name| NEEDED.contains(name)) {
            return Err(RowError::Unreadable { field, found: "a value of another kind".to_owned() });
        }
        let order_no = present(&self.order_no).ok_or(RowError::Missing { field: "OrderNo" })?;
        let segment = words::segment(&self.exchange, &self.segment)
            .ok_or_else(|| unreadable("Segment", &format!("{} {}", self.exchange, self.segment)))?;
        let status_text = present(&self.status).ok_or(RowError::Missing { field: "Status" })?;
        let status = words::status(status_text);
        let qty = units("Quantity", self.quantity.ok_or(RowError::Missing { field: "Quantity" })?)?;
        let filled = match (self.traded_qty, &status) {
            (Some(units_traded), _) => units("TradedQty", units_traded)?,
            (None, BrokerStatus::Traded | BrokerStatus::PartTraded) => {
                return Err(RowError::Missing { field: "TradedQty" });
            }
            (None, _) => Qty::new(0),
        };
        let leg = self.leg_no.map(|leg| u8::try_from(leg).map_err(|_| unreadable("LegNo", &leg.to_string())));
        let row = OrderRow {
            broker_id: BrokerOrderId(order_no.into()),
            tag: ClientOrderId::parse(&self.correlation_id).filter(|_| !words::is_absent(&self.correlation_id)),
            segment,
            security_id: self.security_id.trim().parse().map_err(|_| unreadable("SecurityId", &self.security_id))?,
            side: words::side(&self.txn_type).ok_or_else(|| unreadable("TxnType", &self.txn_type))?,
            product: words::product(&self.product),
            order_type: words::order_type(&self.order_type).ok_or_else(|| unreadable("OrderType", &self.order_type))?,
            status,
            qty,
            filled,
            value: self.value(filled)?,
            price: premium("Price", self.price, segment)?,
            trigger: premium("TriggerPrice", self.trigger_price, segment)?,
            by_api: present(&self.source).map(|source| source == "P"),
            reason: present(&self.reason_description)
                .filter(|reason| !reason.eq_ignore_ascii_case("CONFIRMED"))
                .unwrap_or_default()
                .to_owned(),
            updated_at: words::ist_time(&self.last_updated_time),
        };
        Ok(OrderUpdate {
            row,
            leg: leg.transpose()?,
            entry_leg: number(&self.algo_ord_no).map(|no| BrokerOrderId(no.into())),
            exchange_order_no: number(&self.exch_order_no).map(str::to_owned),
        })
    }

    /// Average price x executed units, rounded to the paisa.
    fn value(&self, filled: Qty) -> Result<Money, RowError> {
        if filled.get() == 0 {
            return Ok(Money::from_paise(0));
        }
        let average = self
            .avg_traded_price
            .filter(|price| !price.is_zero())
            .ok_or(RowError::Missing { field: "AvgTradedPrice" })?;
        believable("AvgTradedPrice", average)?;
        let paise = average * Decimal::ONE_HUNDRED * Decimal::from(filled.get());
        let rounded = paise.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero);
        Ok(Money::from_paise(rounded.to_i64().ok_or_else(|| unreadable("AvgTradedPrice", &average.to_string()))?))
    }
}

fn present(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !words::is_absent(text))
}

/// An order number; 0 stands for none.
fn number(text: &str) -> Option<&str> {
    present(text).filter(|text| !text.trim_start_matches(['0', '.']).is_empty())
}

fn unreadable(field: &'static str, found: &str) -> RowError {
    RowError::Unreadable { field, found: found.to_owned() }
}

fn units(field: &'static str, count: i64) -> Result<Qty, RowError> {
    if (0..=BELIEVABLE).contains(&count) { Ok(Qty::new(count)) } else { Err(unreadable(field, &count.to_string())) }
}

fn believable(field: &'static str, rupees: Decimal) -> Result<(), RowError> {
    if rupees.is_sign_negative() && !rupees.is_zero() || rupees > Decimal::from(BELIEVABLE) {
        return Err(unreadable(field, &rupees.to_string()));
    }
    Ok(())
}

/// A price in paise. Equity derivatives have none between two paise; currencies do, and are rounded: they are never
/// traded here. A ten-thousandth of a rupee of float noise is forgiven.
fn premium(field: &'static str, rupees: Option<Decimal>, segment: Segment) -> Result<Premium, RowError> {
    let rupees = rupees.unwrap_or_default();
    believable(field, rupees)?;
    let paise = rupees.round_dp(4) * Decimal::ONE_HUNDRED;
    let whole = paise.round();
    if (paise - whole).abs() > Decimal::new(1, 2) && matches!(segment, Segment::NseFno | Segment::BseFno) {
        return Err(unreadable(field, &rupees.to_string()));
    }
    Ok(Premium::from_paise(whole.to_i64().expect("believable prices fit 64 bits")))
}
