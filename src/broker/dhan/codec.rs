//! Dhan's binary market feed, decoded: a pure function of bytes (dhan-v2.md 1.4, 1.5).
//!
//! A message is one or more packets, each with an 8-byte header that tells its length. Unknown codes are skipped by
//! length; a length that cannot be right ends the message.

use scalper_decide::domain::tick::DEPTH;
use scalper_decide::domain::{BookLevel, Instant};

/// Seconds by which the feed's trade times run ahead: IST wall clock encoded as though it were UTC.
pub const CLOCK_SHIFT: i64 = 19_800;
const HEADER: usize = 8;

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
    /// Raw trade time, see [`trade_time`].
    pub time: u32,
}

/// Totals of the day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DayTotals {
    /// Last traded quantity, units.
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
    /// Code 8.
    Full(LastTrade, DayTotals, u32, [DepthLevel; DEPTH]),
    /// Code 50: reason, see dhan-v2.md 1.8.
    Disconnect(u16),
    /// Any other code, skipped by its length.
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

/// Documented length of a known code, header included.
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

/// Trade time in UTC; `None` for 0, which says "never traded".
pub const fn trade_time(raw: u32) -> Option<Instant> {
    if raw == 0 { None } else { Some(Instant::from_secs(raw as i64 - CLOCK_SHIFT)) }
}

/// A wire price in paise, rounded to a multiple of `tick_paise` (1 for an index): 24512.349609375 is 24512.35.
/// `None` for NaN, infinities, negatives and what no contract costs; 0 stays 0 ("none").
pub fn price_to_paise(price: f32, tick_paise: i64) -> Option<i64> {
    let paise = f64::from(price) * 100.0;
    if !(0.0..1e12).contains(&paise) || tick_paise < 1 {
        return None;
    }
    Some((paise / tick_paise as f64).round() as i64 * tick_paise)
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
            Body::Full(trade, totals(p, 46), u32_at(p, 34), depth)
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

fn u16_at(p: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([p[at], p[at + 1]])
}
fn u32_at(p: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([p[at], p[at + 1], p[at + 2], p[at + 3]])
}
fn f32_at(p: &[u8], at: usize) -> f32 {
    f32::from_bits(u32_at(p, at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(code: u8, length: u16) -> Vec<u8> {
        let mut bytes = vec![code];
        bytes.extend(length.to_le_bytes());
        bytes.push(2);
        bytes.extend(55_796u32.to_le_bytes());
        bytes
    }

    fn ticker(price: f32, time: u32) -> Vec<u8> {
        let mut bytes = header(2, 16);
        bytes.extend(price.to_le_bytes());
        bytes.extend(time.to_le_bytes());
        bytes
    }

    #[test]
    fn packets_in_one_message_are_all_read_and_unknown_codes_skipped() {
        let mut message = ticker(101.5, 1_781_084_997);
        message.extend(header(7, 8));
        message.extend(header(50, 10));
        message.extend(805u16.to_le_bytes());
        let bodies: Vec<Body> = packets(&message).map(|p| p.unwrap().body).collect();
        let trade = LastTrade { price: 101.5, time: 1_781_084_997 };
        assert_eq!(bodies, [Body::Ticker(trade), Body::Unknown(7), Body::Disconnect(805)]);
    }

    #[test]
    fn trade_times_are_ist_wall_clock_and_zero_is_never() {
        // Received at 09:49:57.8 IST on 2026-06-10 (dhan-v2.md 0.2).
        assert_eq!(trade_time(1_781_084_997).unwrap().ist_text(), "2026-06-10T09:49:57+05:30");
        assert_eq!(trade_time(0), None);
    }

    #[test]
    fn a_length_that_cannot_be_right_ends_the_message() {
        let mut message = ticker(1.0, 1);
        message.extend(header(2, 15));
        message.extend(ticker(2.0, 2));
        let read: Vec<_> = packets(&message).collect();
        assert_eq!(read.len(), 2);
        assert!(matches!(read[1], Err(FrameError::BadLength { code: 2, length: 15, expected: Some(16), .. })));
        assert_eq!(packets(&[2, 16, 0]).next(), Some(Err(FrameError::ShortHeader(3))));
        assert!(matches!(packets(&header(9, 200)).next(), Some(Err(FrameError::BadLength { .. }))));
        assert!(matches!(packets(&header(9, 0)).next(), Some(Err(FrameError::BadLength { .. }))));
    }

    #[test]
    fn float32_prices_round_to_the_tick() {
        assert_eq!(price_to_paise(24_512.35_f32, 5), Some(2_451_235));
        assert_eq!(price_to_paise(83_515.35_f32, 1), Some(8_351_535));
        assert_eq!(price_to_paise(0.0, 5), Some(0));
        for nonsense in [f32::NAN, f32::INFINITY, -0.05, 1e30] {
            assert_eq!(price_to_paise(nonsense, 5), None);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic_or_spin(message in prop::collection::vec(any::<u8>(), 0..400)) {
            let read = packets(&message).count();
            prop_assert!(read <= message.len() / HEADER + 1);
        }
        #[test]
        fn every_tick_multiple_survives_the_wire(ticks in 1i64..2_600_000) {
            let paise = ticks * 5;
            prop_assert_eq!(price_to_paise((paise as f64 / 100.0) as f32, 5), Some(paise));
        }
    }
}
