//! The market feed's binary packets, encoded: what a server sends (dhan-v2.md 1.4, 1.5).

use super::packet::{Body, DayTotals, HEADER, Packet};

impl Body {
    /// Response code.
    pub const fn code(&self) -> u8 {
        match self {
            Body::Ticker(_) => 2,
            Body::Quote(..) => 4,
            Body::OpenInterest(_) => 5,
            Body::PreviousClose(..) => 6,
            Body::MarketStatus => 7,
            Body::Full(..) => 8,
            Body::Disconnect(_) => 50,
            Body::Unknown(code) => *code,
        }
    }
}

impl Packet {
    /// Appends the packet to a message. Codes without a documented payload are a bare header.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend([self.body.code(), 0, 0, self.segment]);
        out.extend(self.security_id.to_le_bytes());
        match &self.body {
            Body::Ticker(trade) => {
                out.extend(trade.price.to_le_bytes());
                out.extend(trade.time.to_le_bytes());
            }
            Body::Quote(trade, totals) => {
                out.extend(trade.price.to_le_bytes());
                quantities(trade.time, totals, out);
                prices(totals, out);
            }
            Body::OpenInterest(units) => out.extend(units.to_le_bytes()),
            Body::PreviousClose(price, open_interest) => {
                out.extend(price.to_le_bytes());
                out.extend(open_interest.to_le_bytes());
            }
            Body::Full(trade, totals, oi, depth) => {
                out.extend(trade.price.to_le_bytes());
                quantities(trade.time, totals, out);
                for units in [oi.now, oi.high, oi.low] {
                    out.extend(units.to_le_bytes());
                }
                prices(totals, out);
                for level in depth {
                    out.extend(level.bid_qty.to_le_bytes());
                    out.extend(level.ask_qty.to_le_bytes());
                    out.extend(level.bid_orders.to_le_bytes());
                    out.extend(level.ask_orders.to_le_bytes());
                    out.extend(level.bid.to_le_bytes());
                    out.extend(level.ask.to_le_bytes());
                }
            }
            Body::Disconnect(reason) => out.extend(reason.to_le_bytes()),
            Body::MarketStatus | Body::Unknown(_) => {}
        }
        let length = u16::try_from(out.len() - start).expect("packets are shorter than 200 bytes");
        out[start + 1..start + 3].copy_from_slice(&length.to_le_bytes());
    }

    /// The packet as a message of its own.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(162);
        self.encode(&mut out);
        out
    }
}

/// Appends a packet of any code with any payload (at most 65,527 bytes), well formed or not for that code.
pub fn encode_raw(code: u8, segment: u8, security_id: u32, payload: &[u8], out: &mut Vec<u8>) {
    let length = u16::try_from(HEADER + payload.len()).expect("a packet fits 65,535 bytes");
    out.push(code);
    out.extend(length.to_le_bytes());
    out.push(segment);
    out.extend(security_id.to_le_bytes());
    out.extend(payload);
}

fn quantities(time: u32, totals: &DayTotals, out: &mut Vec<u8>) {
    out.extend(totals.ltq.to_le_bytes());
    out.extend(time.to_le_bytes());
    out.extend(totals.average.to_le_bytes());
    out.extend(totals.volume.to_le_bytes());
    out.extend(totals.total_sell.to_le_bytes());
    out.extend(totals.total_buy.to_le_bytes());
}

fn prices(totals: &DayTotals, out: &mut Vec<u8>) {
    for price in [totals.open, totals.previous_close, totals.high, totals.low] {
        out.extend(price.to_le_bytes());
    }
}
