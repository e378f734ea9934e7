//! Packets of the 20-level and 200-level depth feeds (dhan-v2.md 2). The header is not the market feed's: 12 bytes,
//! other field order. Bid and ask come in packets of their own; level prices are binary64.

use super::bytes::{f64_at, u16_at, u32_at};

/// Bytes of a packet header.
pub const DEPTH_HEADER: usize = 12;
/// Levels of a 20-level packet.
pub const DEPTH_LEVELS: usize = 20;
/// Bytes of a 20-level packet.
pub const DEPTH20_BYTES: usize = DEPTH_HEADER + DEPTH_LEVELS * LEVEL;
const LEVEL: usize = 16;
const BID: u8 = 41;
const ASK: u8 = 51;
const DISCONNECT: u8 = 50;

/// One price level of one side.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RawLevel {
    /// Rupees, 0 when empty.
    pub price: f64,
    /// Units.
    pub qty: u32,
    /// Orders.
    pub orders: u32,
}

/// Side of a book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BookSide {
    /// Buyers, code 41.
    Bid,
    /// Sellers, code 51.
    Ask,
}

/// What a depth packet says.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "nearly every packet is the large variant; a box would cost each of them")]
pub enum DepthBody {
    /// 20 levels of one side, in the order of the wire.
    Levels(BookSide, [RawLevel; DEPTH_LEVELS]),
    /// The server closes the connection; reason as in [`super::disconnect`].
    Disconnect(u32),
    /// Any other code, skipped by its length.
    Unknown(u8),
}

/// One decoded packet.
#[derive(Debug, Clone, PartialEq)]
pub struct DepthPacket {
    /// Exchange segment code.
    pub segment: u8,
    /// Token inside the segment.
    pub security_id: u32,
    /// Sequence field, documented as "ignore"; of a disconnect the reason.
    pub sequence: u32,
    /// What it says.
    pub body: DepthBody,
}

/// A message that ends in nonsense. Packets before it are good, the rest is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DepthFrameError {
    /// Fewer bytes than a header.
    #[error("{0} bytes left, a depth header has {DEPTH_HEADER}")]
    ShortHeader(usize),
    /// The length field cannot be right.
    #[error("depth packet code {code} says it has {length} bytes, {left} are left")]
    BadLength {
        /// Code.
        code: u8,
        /// Length field.
        length: u16,
        /// Bytes left, this packet included.
        left: usize,
    },
}

/// The packets of one message.
#[derive(Debug, Clone)]
pub struct DepthPackets<'a> {
    rest: &'a [u8],
}

/// Splits and decodes one message of the 20-level feed.
pub const fn depth_packets(message: &[u8]) -> DepthPackets<'_> {
    DepthPackets { rest: message }
}

impl Iterator for DepthPackets<'_> {
    type Item = Result<DepthPacket, DepthFrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let message = std::mem::take(&mut self.rest);
        if message.len() < DEPTH_HEADER {
            return Some(Err(DepthFrameError::ShortHeader(message.len())));
        }
        let (length, code) = (u16_at(message, 0), message[2]);
        let size = usize::from(length);
        let is_sized = match code {
            BID | ASK => size == DEPTH20_BYTES,
            _ => size >= DEPTH_HEADER,
        };
        if !is_sized || size > message.len() {
            return Some(Err(DepthFrameError::BadLength { code, length, left: message.len() }));
        }
        let (packet, rest) = message.split_at(size);
        self.rest = rest;
        let body = match code {
            BID => DepthBody::Levels(BookSide::Bid, levels(packet)),
            ASK => DepthBody::Levels(BookSide::Ask, levels(packet)),
            DISCONNECT => DepthBody::Disconnect(reason(packet)),
            other => DepthBody::Unknown(other),
        };
        let (segment, security_id, sequence) = (packet[3], u32_at(packet, 4), u32_at(packet, 8));
        Some(Ok(DepthPacket { segment, security_id, sequence, body }))
    }
}

fn levels(p: &[u8]) -> [RawLevel; DEPTH_LEVELS] {
    std::array::from_fn(|n| {
        let at = DEPTH_HEADER + n * LEVEL;
        RawLevel { price: f64_at(p, at), qty: u32_at(p, at + 8), orders: u32_at(p, at + 12) }
    })
}

/// The official client reads the reason from the last header field, the documents put it behind the header.
fn reason(p: &[u8]) -> u32 {
    if p.len() >= DEPTH_HEADER + 2 {
        let behind = u16_at(p, DEPTH_HEADER);
        if (800..=899).contains(&behind) {
            return u32::from(behind);
        }
    }
    u32_at(p, 8)
}

impl DepthPacket {
    /// Appends the packet to a message; a disconnect carries its reason inside the header, as the official client
    /// expects.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match &self.body {
            DepthBody::Levels(side, levels) => {
                let code = if *side == BookSide::Bid { BID } else { ASK };
                header(DEPTH20_BYTES, code, self, self.sequence, out);
                for level in levels {
                    out.extend(level.price.to_le_bytes());
                    out.extend(level.qty.to_le_bytes());
                    out.extend(level.orders.to_le_bytes());
                }
            }
            DepthBody::Disconnect(reason) => header(DEPTH_HEADER, DISCONNECT, self, *reason, out),
            DepthBody::Unknown(code) => header(DEPTH_HEADER, *code, self, self.sequence, out),
        }
    }

    /// Appends a disconnect in the layout of the documents: the reason in two bytes behind the header.
    pub fn encode_long_disconnect(segment: u8, security_id: u32, reason: u16, out: &mut Vec<u8>) {
        let packet = DepthPacket { segment, security_id, sequence: 0, body: DepthBody::Disconnect(reason.into()) };
        header(DEPTH_HEADER + 2, DISCONNECT, &packet, 0, out);
        out.extend(reason.to_le_bytes());
    }
}

fn header(length: usize, code: u8, packet: &DepthPacket, last: u32, out: &mut Vec<u8>) {
    out.extend((length as u16).to_le_bytes());
    out.extend([code, packet.segment]);
    out.extend(packet.security_id.to_le_bytes());
    out.extend(last.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn side(side: BookSide) -> DepthPacket {
        let levels = std::array::from_fn(|n| RawLevel { price: 101.35 - n as f64 * 0.05, qty: 65, orders: n as u32 });
        DepthPacket { segment: 2, security_id: 55_796, sequence: 7, body: DepthBody::Levels(side, levels) }
    }

    #[test]
    fn a_bid_packet_is_written_by_hand_from_the_documented_offsets() {
        // dhan-v2.md 2.1: length 332, code 41, segment 2, id 55796, sequence 7; first level 101.5 x 650 in 3 orders.
        let mut bytes = vec![0x4c, 0x01, 0x29, 0x02, 0xf4, 0xd9, 0, 0, 7, 0, 0, 0];
        bytes.extend([0, 0, 0, 0, 0, 0x60, 0x59, 0x40, 0x8a, 0x02, 0, 0, 3, 0, 0, 0]);
        bytes.resize(332, 0);
        let packet = depth_packets(&bytes).next().unwrap().unwrap();
        assert_eq!((packet.segment, packet.security_id, packet.sequence), (2, 55_796, 7));
        let DepthBody::Levels(BookSide::Bid, levels) = &packet.body else { panic!("{packet:?}") };
        assert_eq!(levels[0], RawLevel { price: 101.5, qty: 650, orders: 3 });
        assert_eq!(levels[1..], [RawLevel::default(); 19]);
        let mut again = Vec::new();
        packet.encode(&mut again);
        assert_eq!(again, bytes);
    }

    #[test]
    fn stacked_packets_are_split_by_length_and_ask_is_51() {
        let mut bytes = Vec::new();
        side(BookSide::Bid).encode(&mut bytes);
        bytes.extend([13, 0, 99, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0xff]);
        side(BookSide::Ask).encode(&mut bytes);
        assert_eq!(bytes[332 + 13 + 2], 51);
        let read: Vec<DepthPacket> = depth_packets(&bytes).map(Result::unwrap).collect();
        assert_eq!(read[0], side(BookSide::Bid));
        assert_eq!(read[1].body, DepthBody::Unknown(99));
        assert_eq!(read[2], side(BookSide::Ask));
    }

    #[test]
    fn a_disconnect_is_read_in_both_layouts() {
        let in_header = [12, 0, 50, 0, 0, 0, 0, 0, 0x25, 0x03, 0, 0];
        let behind = [14, 0, 50, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x27, 0x03];
        let body = |bytes: &[u8]| depth_packets(bytes).next().unwrap().unwrap().body;
        assert_eq!(body(&in_header), DepthBody::Disconnect(805));
        assert_eq!(body(&behind), DepthBody::Disconnect(807));
        // Behind the header stands something else: the header field counts.
        let padded = [14, 0, 50, 0, 0, 0, 0, 0, 0x25, 0x03, 0, 0, 1, 0];
        assert_eq!(body(&padded), DepthBody::Disconnect(805));
        let mut long = Vec::new();
        DepthPacket::encode_long_disconnect(0, 0, 807, &mut long);
        assert_eq!(long, behind);
    }

    #[test]
    fn a_length_that_cannot_be_right_ends_the_message() {
        assert_eq!(depth_packets(&[1, 2, 3]).next(), Some(Err(DepthFrameError::ShortHeader(3))));
        let mut short = Vec::new();
        side(BookSide::Bid).encode(&mut short);
        short.truncate(331);
        assert!(matches!(depth_packets(&short).next(), Some(Err(DepthFrameError::BadLength { left: 331, .. }))));
        let zero = [0u8; 12];
        assert_eq!(depth_packets(&zero).count(), 1);
        assert!(matches!(depth_packets(&zero).next(), Some(Err(DepthFrameError::BadLength { length: 0, .. }))));
        // 19 levels under a 20-level code.
        let mut bytes = vec![0x3c, 0x01, 41, 2];
        bytes.resize(316, 0);
        assert!(matches!(depth_packets(&bytes).next(), Some(Err(DepthFrameError::BadLength { length: 316, .. }))));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_depth_decoder_panic_or_spin(message in prop::collection::vec(any::<u8>(), 0..800)) {
            prop_assert!(depth_packets(&message).count() <= message.len() / DEPTH_HEADER + 1);
        }
    }
}
