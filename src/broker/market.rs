//! Market data that came by request, in paise and units.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use scalper_decide::domain::tick::DEPTH;
use scalper_decide::domain::{Instant, Segment, Strike, Underlying};

/// One level of one side of a book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Level {
    /// Paise; 0 when the level is empty.
    pub price: i64,
    /// Units.
    pub qty: i64,
    /// Orders behind it.
    pub orders: i64,
}

/// What is known of one instrument at once. Prices in paise, 0 for "none".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuoteSnapshot {
    /// Segment.
    pub segment: Segment,
    /// Token inside the segment.
    pub security_id: u32,
    /// Last traded price.
    pub last: i64,
    /// Time of the last trade, whole seconds; `None` when it never traded.
    pub traded_at: Option<Instant>,
    /// Units traded today.
    pub volume: i64,
    /// Open interest, units.
    pub oi: i64,
    /// Day's open.
    pub open: i64,
    /// Day's high.
    pub high: i64,
    /// Day's low.
    pub low: i64,
    /// Previous close.
    pub previous_close: i64,
    /// Lowest price an order may have.
    pub lower_circuit: i64,
    /// Highest price an order may have.
    pub upper_circuit: i64,
    /// Bids, best first.
    pub bids: [Level; DEPTH],
    /// Offers, best first.
    pub asks: [Level; DEPTH],
}

/// What bars to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BarRequest {
    /// Segment.
    pub segment: Segment,
    /// Token inside the segment.
    pub security_id: u32,
    /// The broker's word for the kind of instrument: `INDEX`, `OPTIDX`, `FUTIDX`, `EQUITY`.
    pub instrument: &'static str,
    /// Minutes per bar (1, 5, 15, 25, 60), or `None` for daily bars.
    pub minutes: Option<u8>,
    /// First day.
    pub from: NaiveDate,
    /// Day after the last one.
    pub to: NaiveDate,
    /// With open interest.
    pub oi: bool,
}

/// One bar, prices in paise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bar {
    /// Start of the bar.
    pub start: Instant,
    /// First price.
    pub open: i64,
    /// Highest price.
    pub high: i64,
    /// Lowest price.
    pub low: i64,
    /// Last price.
    pub close: i64,
    /// Units; 0 for an index.
    pub volume: i64,
    /// Open interest in units, when asked for and given.
    pub oi: Option<i64>,
}

/// One side of one strike. Prices in paise, quantities in units, 0 for "no data".
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ChainSide {
    /// Token of the contract, where the broker says it.
    pub security_id: Option<u32>,
    /// Last traded price.
    pub last: i64,
    /// Best bid.
    pub bid: i64,
    /// Best offer.
    pub ask: i64,
    /// Units bid.
    pub bid_qty: i64,
    /// Units offered.
    pub ask_qty: i64,
    /// Open interest.
    pub oi: i64,
    /// Open interest of the previous day.
    pub previous_oi: i64,
    /// Units traded today.
    pub volume: i64,
    /// Previous close.
    pub previous_close: i64,
    /// The broker's implied volatility in percent, `None` when it has none. Its clock is 5 h 30 min off: for
    /// comparison only, never for decisions.
    pub broker_iv: Option<f64>,
}

/// A chain at one moment; it carries no time of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct ChainSnapshot {
    /// Index.
    pub underlying: Underlying,
    /// Expiry.
    pub expiry: NaiveDate,
    /// Index level in paise.
    pub spot: i64,
    /// Call and put by strike; either may be missing.
    pub strikes: BTreeMap<Strike, (Option<ChainSide>, Option<ChainSide>)>,
}
