//! The market feed's binary packets, decoded (dhan-v2.md 1.4, 1.5).
//!
//! A message is one or more packets, each with an 8-byte header that tells its length. Unknown codes are skipped by
//! length; a length that cannot be right ends the message (A11, A12).

use scalper_decide::domain::BookLevel;
use scalper_decide::domain::tick::DEPTH;

use super::bytes::{f32_at, u16_at, u32_at};
use super::price::price_to_paise;

/// Bytes of a packet header.
pub const HEADER: usize = 8;

/// One decoded packet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Packet {
    /// Exchange segment code, see [`scalper_decide::domain::Segment::from_code`].
    pub segment: u8,
    /// Token inside the segment.
    pub security_id: u32,
    /// What it says.
    pub body: Body,
}

/// A last trade.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LastTrade {
    /// Price, 0 when nothing traded.
    pub price: f32,
    /// Raw trade time, see [`super::clock::trade_time`].
    pub time: u32,
}

/// Totals of the day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DayTotals {
    /// Last traded quantity, units; wraps at 65,536 and is never used for money or volume (A15).
    pub ltq: u16,
    /// Average traded price.
    pub average: f32,
    /// Volume, units.
    pub volume: u32,
    /// Units waiting to be sold.
    pub total_sell: u32,
    /// Units waiting to be bought.
    pub total_buy: u32,
    /// Day's open.
    pub open: f32,
    /// Previous session's close.
    pub previous_close: f32,
    /// Day's high.
    pub high: f32,
    /// Day's low.
    pub low: f32,
}

/// Open interest of a Full packet, units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpenInterest {
    /// Now; 0 for cash.
    pub now: u32,
    /// Day's high, NSE derivatives only.
    pub high: u32,
    /// Day's low, NSE derivatives only.
    pub low: u32,
}

/// One level of both sides.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct DepthLevel {
    /// Units bid.
    pub bid_qty: u32,
    /// Units offered.
    pub ask_qty: u32,
    /// Orders behind the bid.
    pub bid_orders: u16,
    /// Orders behind the offer.
    pub ask_orders: u16,
    /// Bid price, 0 when empty.
    pub bid: f32,
    /// Offer price, 0 when empty.
    pub ask: f32,
}

/// What a packet says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Body {
    /// Code 2.
    Ticker(LastTrade),
    /// Code 4.
    Quote(LastTrade, DayTotals),
    /// Code 5: open interest, units.
    OpenInterest(u32),
    /// Code 6: previous close and open interest.
    PreviousClose(f32, u32),
    /// Code 7: the market opened or closed. The payload is undocumented and skipped.
    MarketStatus,
    /// Code 8.
    Full(LastTrade, DayTotals, OpenInterest, [DepthLevel; DEPTH]),
    /// Code 50: reason, see [`super::disconnect`].
    Disconnect(u16),
    /// Any other code (0, 1, the legacy 3, ...), skipped by its length.
    Unknown(u8),
}

/// A message that ends in nonsense. Packets before it are good; the rest must be dropped, not searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Fewer bytes than a header.
    #[error("{0} bytes left, a header has {HEADER}")]
    ShortHeader(usize),
    /// The length field cannot be right.
    #[error("packet code {code} says it has {length} bytes, {left} are left (expected {expected:?})")]
    BadLength {
        /// Response code.
        code: u8,
        /// Length field.
        length: u16,
        /// Bytes left, this packet included.
        left: usize,
        /// The documented length of a known code.
        expected: Option<u16>,
    },
}

/// Documented length of a code whose payload is read, header included.
pub const fn expected_length(code: u8) -> Option<u16> {
    match code {
        2 | 6 => Some(16),
        4 => Some(50),
        5 => Some(12),
        8 => Some(162),
        50 => Some(10),
        _ => None,
    }
}

impl DepthLevel {
    /// Both sides as book levels; a side without price or quantity is empty. `None` when a price is nonsense.
    pub fn levels(&self, tick_paise: i64) -> Option<(BookLevel, BookLevel)> {
        let side = |price: f32, qty: u32| {
            let price = i32::try_from(price_to_paise(price, tick_paise)?).ok()?;
            Some(if price == 0 || qty == 0 { BookLevel::default() } else { BookLevel { price, qty } })
        };
        Some((side(self.bid, self.bid_qty)?, side(self.ask, self.ask_qty)?))
    }
}

/// The packets of one message.
#[derive(Debug, Clone)]
pub struct Packets<'a> {
    rest: &'a [u8],
}

/// Splits and decodes one message.
pub const fn packets(message: &[u8]) -> Packets<'_> {
    Packets { rest: message }
}

impl Iterator for Packets<'_> {
    type Item = Result<Packet, FrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let message = std::mem::take(&mut self.rest);
        if message.len() < HEADER {
            return Some(Err(FrameError::ShortHeader(message.len())));
        }
        let code = message[0];
        let length = u16_at(message, 1);
        let expected = expected_length(code);
        let size = usize::from(length);
        if size < HEADER || size > message.len() || expected.is_some_and(|e| e != length) {
            return Some(Err(FrameError::BadLength { code, length, left: message.len(), expected }));
        }
        let (packet, rest) = message.split_at(size);
        self.rest = rest;
        Some(Ok(Packet { segment: packet[3], security_id: u32_at(packet, 4), body: body(code, packet) }))
    }
}

/// Decodes a packet whose length was checked.
fn body(code: u8, p: &[u8]) -> Body {
    match code {
        2 => Body::Ticker(LastTrade { price: f32_at(p, 8), time: u32_at(p, 12) }),
        4 => Body::Quote(LastTrade { price: f32_at(p, 8), time: u32_at(p, 14) }, totals(p, 34)),
        5 => Body::OpenInterest(u32_at(p, 8)),
        6 => Body::PreviousClose(f32_at(p, 8), u32_at(p, 12)),
        7 => Body::MarketStatus,
        8 => {
            let depth = std::array::from_fn(|level| {
                let at = 62 + 20 * level;
                DepthLevel {
                    bid_qty: u32_at(p, at),
                    ask_qty: u32_at(p, at + 4),
                    bid_orders: u16_at(p, at + 8),
                    ask_orders: u16_at(p, at + 10),
                    bid: f32_at(p, at + 12),
                    ask: f32_at(p, at + 16),
                }
            });
            let trade = LastTrade { price: f32_at(p, 8), time: u32_at(p, 14) };
            let oi = OpenInterest { now: u32_at(p, 34), high: u32_at(p, 38), low: u32_at(p, 42) };
            Body::Full(trade, totals(p, 46), oi, depth)
        }
        50 => Body::Disconnect(u16_at(p, 8)),
        other => Body::Unknown(other),
    }
}

/// The day order on this wire is open, close, high, low, at `prices`; sell totals come before buy totals.
fn totals(p: &[u8], prices: usize) -> DayTotals {
    DayTotals {
        ltq: u16_at(p, 12),
        average: f32_at(p, 18),
        volume: u32_at(p, 22),
        total_sell: u32_at(p, 26),
        total_buy: u32_at(p, 30),
        open: f32_at(p, prices),
        previous_close: f32_at(p, prices + 4),
        high: f32_at(p, prices + 8),
        low: f32_at(p, prices + 12),
    }
}
