//! The ports of a broker. Writing orders goes through [`OrderPort`] and nothing else; reading needs no such right.

use chrono::NaiveDate;
use futures_util::future::BoxFuture;
use scalper_decide::domain::broker::{Answer, BrokerOrderId, OrderRow, PositionRow, Product, TradeRow};
use scalper_decide::domain::{ClientOrderId, Money, OrderSide, OrderType, Qty, Segment, Underlying};
use scalper_decide::rate_budget::OrderUse;

use super::fault::Fault;
use super::market::{Bar, BarRequest, ChainSnapshot, QuoteSnapshot};

/// A new order, complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrder {
    /// Our id, carried by the broker as a tag; one call per id, ever (L2).
    pub id: ClientOrderId,
    /// Segment of the contract.
    pub segment: Segment,
    /// Token inside the segment.
    pub security_id: u32,
    /// Buy or sell.
    pub side: OrderSide,
    /// Product.
    pub product: Product,
    /// Units.
    pub qty: Qty,
    /// Limit or stop-limit with prices.
    pub order_type: OrderType,
    /// Takes from the share of the rate budget that is kept for exits and protection.
    pub exit: bool,
}

/// New absolute values for an order that rests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderChange {
    /// Our id: the broker counts how often an order was changed.
    pub id: ClientOrderId,
    /// The broker's number.
    pub broker_id: BrokerOrderId,
    /// Type and prices from now on.
    pub order_type: OrderType,
    /// Total quantity in units, the executed part included (C20).
    pub qty: Qty,
    /// Which share of the rate budget it takes from.
    pub purpose: OrderUse,
}

/// The only way to write orders. Each call makes at most one attempt on the wire and never repeats it (B11).
///
/// What holds a connection in paper mode has no such port:
///
/// ```compile_fail,E0277
/// use scalper::broker::dhan::rest::client::Client;
/// use scalper::broker::{OrderPort, Paper};
/// fn write_orders(_: &impl OrderPort) {}
/// fn paper(client: &Client<Paper>) {
///     write_orders(client);
/// }
/// ```
/// ```compile_fail,E0599
/// use scalper::broker::dhan::rest::client::Client;
/// use scalper::broker::Paper;
/// fn paper(client: &Client<Paper>) {
///     client.orders_at_simulator();
/// }
/// ```
/// The same words compile for the simulator and, with consent, for live:
/// ```
/// use scalper::broker::dhan::rest::client::Client;
/// use scalper::broker::{Live, LiveConsent, OrderPort, Sim};
/// fn write_orders(_: &impl OrderPort) {}
/// fn sim(client: &Client<Sim>) {
///     write_orders(&client.orders_at_simulator());
/// }
/// fn live(client: &Client<Live>, consent: &LiveConsent) {
///     write_orders(&client.orders(consent).unwrap());
/// }
/// ```
pub trait OrderPort: Send + Sync {
    /// Sends a new order.
    fn place(&self, order: NewOrder) -> BoxFuture<'_, Answer>;
    /// Sends new absolute values.
    fn modify(&self, change: OrderChange) -> BoxFuture<'_, Answer>;
    /// Takes an order back; `exit` as in [`NewOrder::exit`].
    fn cancel(&self, broker_id: BrokerOrderId, exit: bool) -> BoxFuture<'_, Answer>;
}

/// A row that could not be read. The read it came with is not a complete picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The broker's order number, when the row shows one.
    pub broker_id: Option<BrokerOrderId>,
    /// Our id, when the row shows a well-formed one.
    pub tag: Option<ClientOrderId>,
    /// What is wrong with it.
    pub why: String,
}

/// Rows of one of the broker's books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows<T> {
    /// Every row that could be read.
    pub rows: Vec<T>,
    /// The others. While there is one, absence of a row proves nothing (B15, F-57).
    pub unread: Vec<Unread>,
}

impl<T> Rows<T> {
    /// Every row, or what stands in the way of calling this complete.
    pub fn complete(self) -> Result<Vec<T>, Vec<Unread>> {
        if self.unread.is_empty() { Ok(self.rows) } else { Err(self.unread) }
    }
}

/// The broker's books. An error is never an empty book (F-57).
pub trait BrokerBooks: Send + Sync {
    /// Every order of the day.
    fn orders(&self) -> BoxFuture<'_, Result<Rows<OrderRow>, Fault>>;
    /// The orders that carry our id; none when the broker knows none.
    fn orders_tagged(&self, id: ClientOrderId) -> BoxFuture<'_, Result<Rows<OrderRow>, Fault>>;
    /// Every execution of the day.
    fn trades(&self) -> BoxFuture<'_, Result<Rows<TradeRow>, Fault>>;
    /// Every position.
    fn positions(&self) -> BoxFuture<'_, Result<Rows<PositionRow>, Fault>>;
    /// Money free to trade.
    fn available_balance(&self) -> BoxFuture<'_, Result<Money, Fault>>;
}

/// Prices by request, for when the feed is silent and for warm-up.
pub trait MarketData: Send + Sync {
    /// Full quotes of instruments; one that the broker does not know is missing from the answer.
    fn quotes(&self, ids: Vec<(Segment, u32)>) -> BoxFuture<'_, Result<Vec<QuoteSnapshot>, Fault>>;
    /// Bars.
    fn bars(&self, request: BarRequest) -> BoxFuture<'_, Result<Vec<Bar>, Fault>>;
    /// The chain of one expiry, from the index's own id.
    fn chain(
        &self,
        underlying: Underlying,
        index_id: u32,
        expiry: NaiveDate,
    ) -> BoxFuture<'_, Result<ChainSnapshot, Fault>>;
    /// Expiries of an index, ascending.
    fn expiries(&self, index_id: u32) -> BoxFuture<'_, Result<Vec<NaiveDate>, Fault>>;
}
