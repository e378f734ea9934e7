//! Market-feed packets against vectors written by hand from the documented offsets (dhan-v2.md 1.4, 1.5).

use proptest::prelude::*;

use super::packet::*;
use super::packet_encode::encode_raw;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// The bytes decode to the packet and the packet encodes to the bytes.
#[track_caller]
fn check(bytes: &[u8], body: Body) {
    let packet = Packet { segment: 2, security_id: 55_796, body };
    let read: Vec<_> = packets(bytes).collect();
    assert_eq!(read, [Ok(packet)]);
    assert_eq!(packet.to_bytes(), bytes);
    if let Some(length) = expected_length(bytes[0]) {
        assert_eq!(bytes.len(), usize::from(length));
    }
}

const TRADE: LastTrade = LastTrade { price: 101.5, time: 1_781_084_997 };
const TOTALS: DayTotals = DayTotals {
    ltq: 75,
    average: 100.25,
    volume: 1_000_000,
    total_sell: 3_000,
    total_buy: 2_000,
    open: 99.0,
    previous_close: 98.5,
    high: 105.0,
    low: 97.0,
};

#[test]
fn ticker_is_code_2_of_16_bytes() {
    check(&hex("02 1000 02 f4d90000  0000cb42 4533296a"), Body::Ticker(TRADE));
}

#[test]
fn quote_is_code_4_of_50_bytes_with_sell_before_buy_and_close_before_high() {
    let bytes = hex("04 3200 02 f4d90000  0000cb42 4b00 4533296a 0080c842 40420f00 b80b0000 d0070000 \
                     0000c642 0000c542 0000d242 0000c242");
    check(&bytes, Body::Quote(TRADE, TOTALS));
}

#[test]
fn open_interest_is_code_5_of_12_bytes() {
    check(&hex("05 0c00 02 f4d90000  39300000"), Body::OpenInterest(12_345));
}

#[test]
fn previous_close_is_code_6_of_16_bytes() {
    check(&hex("06 1000 02 f4d90000  0000c542 39300000"), Body::PreviousClose(98.5, 12_345));
}

#[test]
fn market_status_is_code_7_and_its_undocumented_payload_is_skipped() {
    check(&hex("07 0800 02 f4d90000"), Body::MarketStatus);
    let mut longer = Vec::new();
    encode_raw(7, 2, 55_796, &[1, 2, 3], &mut longer);
    assert_eq!(packets(&longer).map(|p| p.unwrap().body).collect::<Vec<_>>(), [Body::MarketStatus]);
}

#[test]
fn full_is_code_8_of_162_bytes_with_the_recorded_header() {
    // The header is the one recorded on the wire (1.4).
    let mut bytes = hex("08 a200 02 f4d90000  0000cb42 4b00 4533296a 0080c842 40420f00 b80b0000 d0070000 \
                         39300000 40300000 00300000  0000c642 0000c542 0000d242 0000c242");
    bytes.extend(hex("41000000 82000000 0300 0400 9a99ca42 6666cb42"));
    bytes.resize(162, 0);
    let mut depth = [DepthLevel::default(); 5];
    depth[0] = DepthLevel { bid_qty: 65, ask_qty: 130, bid_orders: 3, ask_orders: 4, bid: 101.3, ask: 101.7 };
    let oi = OpenInterest { now: 12_345, high: 12_352, low: 12_288 };
    check(&bytes, Body::Full(TRADE, TOTALS, oi, depth));
    let (bid, ask) = depth[0].levels(5).unwrap();
    assert_eq!((bid.price, bid.qty, ask.price, ask.qty), (10_130, 65, 10_170, 130));
    assert!(depth[1].levels(5).unwrap().0.is_empty());
}

#[test]
fn disconnect_is_code_50_of_10_bytes() {
    check(&hex("32 0a00 02 f4d90000  2503"), Body::Disconnect(805));
}

#[test]
fn codes_0_and_1_and_the_legacy_3_are_skipped_by_length() {
    let mut message = Vec::new();
    encode_raw(0, 2, 1, &[], &mut message);
    encode_raw(1, 0, 13, &[0; 24], &mut message);
    encode_raw(3, 2, 1, &[9; 104], &mut message);
    encode_raw(200, 6, 1, &[9; 300], &mut message);
    Packet { segment: 2, security_id: 55_796, body: Body::Ticker(TRADE) }.encode(&mut message);
    let bodies: Vec<Body> = packets(&message).map(|p| p.unwrap().body).collect();
    let unknown = [Body::Unknown(0), Body::Unknown(1), Body::Unknown(3), Body::Unknown(200)];
    assert_eq!(bodies[..4], unknown);
    assert_eq!(bodies[4], Body::Ticker(TRADE));
}

#[test]
fn a_length_that_cannot_be_right_ends_the_message() {
    // A11
    let ticker = Packet { segment: 2, security_id: 1, body: Body::Ticker(TRADE) };
    let mut message = ticker.to_bytes();
    message.extend(hex("02 0f00 02 f4d90000"));
    ticker.encode(&mut message);
    let read: Vec<_> = packets(&message).collect();
    assert_eq!(read.len(), 2);
    assert!(matches!(read[1], Err(FrameError::BadLength { code: 2, length: 15, expected: Some(16), .. })));
    assert_eq!(packets(&[2, 16, 0]).next(), Some(Err(FrameError::ShortHeader(3))));
    assert!(matches!(packets(&hex("09 c800 02 f4d90000")).next(), Some(Err(FrameError::BadLength { .. }))));
    assert!(matches!(packets(&hex("09 0000 02 f4d90000")).next(), Some(Err(FrameError::BadLength { .. }))));
    assert!(matches!(packets(&ticker.to_bytes()[..15]).next(), Some(Err(FrameError::BadLength { left: 15, .. }))));
}

fn any_trade() -> impl Strategy<Value = LastTrade> {
    (-1e6f32..1e6, any::<u32>()).prop_map(|(price, time)| LastTrade { price, time })
}

fn any_totals() -> impl Strategy<Value = DayTotals> {
    (any::<(u16, u32, u32, u32)>(), prop::array::uniform5(-1e6f32..1e6)).prop_map(|(n, p)| DayTotals {
        ltq: n.0,
        average: p[0],
        volume: n.1,
        total_sell: n.2,
        total_buy: n.3,
        open: p[1],
        previous_close: p[2],
        high: p[3],
        low: p[4],
    })
}

fn any_level() -> impl Strategy<Value = DepthLevel> {
    (any::<(u32, u32, u16, u16)>(), -1e6f32..1e6, -1e6f32..1e6).prop_map(|(n, bid, ask)| DepthLevel {
        bid_qty: n.0,
        ask_qty: n.1,
        bid_orders: n.2,
        ask_orders: n.3,
        bid,
        ask,
    })
}

fn any_body() -> impl Strategy<Value = Body> {
    let oi = any::<(u32, u32, u32)>().prop_map(|(now, high, low)| OpenInterest { now, high, low });
    prop_oneof![
        any_trade().prop_map(Body::Ticker),
        (any_trade(), any_totals()).prop_map(|(t, d)| Body::Quote(t, d)),
        any::<u32>().prop_map(Body::OpenInterest),
        (-1e6f32..1e6, any::<u32>()).prop_map(|(p, oi)| Body::PreviousClose(p, oi)),
        Just(Body::MarketStatus),
        (any_trade(), any_totals(), oi, prop::array::uniform5(any_level()))
            .prop_map(|(t, d, oi, depth)| Body::Full(t, d, oi, depth)),
        any::<u16>().prop_map(Body::Disconnect),
        Just(Body::Unknown(3)),
    ]
}

proptest! {
    #[test]
    fn any_packets_in_one_message_decode_to_what_was_encoded(
        written in prop::collection::vec((any::<u8>(), any::<u32>(), any_body()), 0..8),
    ) {
        let written: Vec<Packet> =
            written.into_iter().map(|(segment, security_id, body)| Packet { segment, security_id, body }).collect();
        let mut message = Vec::new();
        written.iter().for_each(|packet| packet.encode(&mut message));
        let read: Result<Vec<Packet>, FrameError> = packets(&message).collect();
        prop_assert_eq!(read, Ok(written));
    }

    #[test]
    fn no_bytes_make_the_decoder_panic_or_spin(message in prop::collection::vec(any::<u8>(), 0..400)) {
        let read = packets(&message).count();
        prop_assert!(read <= message.len() / HEADER + 1);
    }
}
