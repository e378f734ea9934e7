//! Hostile bytes on the broker's sockets: valid messages, mutated, for as long as the budget lasts. Nothing may panic,
//! loop or grow. `SCALPER_FUZZ_SECS` sets the seconds of each harness, `SCALPER_FUZZ_SEED` where it starts.

use std::time::{Duration, Instant};

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use scalper::broker::dhan::feed::{Resolved, TickBuilder};
use scalper::broker::dhan::wire::clock::FeedEpoch;
use scalper::broker::dhan::wire::depth::{BookSide, DepthBody, DepthPacket, RawLevel, depth_packets};
use scalper::broker::dhan::wire::order_alert::{FrameStyle, KeyCasing, OrderAlert, parse_alert};
use scalper::broker::dhan::wire::packet::{Body, DayTotals, DepthLevel, LastTrade, OpenInterest, Packet, packets};
use scalper::broker::dhan::wire::request::parse_request;
use scalper_decide::domain::{self, InstrumentId, TickFlags};

/// Runs `check` on mutations of `corpus` until the budget is spent; names the seed of a failure.
pub(crate) fn fuzz(name: &str, corpus: &[Vec<u8>], mut check: impl FnMut(&[u8])) {
    let number = |key: &str| std::env::var(key).ok().and_then(|text| text.parse::<u64>().ok());
    let budget = Duration::from_secs(number("SCALPER_FUZZ_SECS").unwrap_or(1));
    let first = number("SCALPER_FUZZ_SEED").unwrap_or(1);
    let start = Instant::now();
    let mut seed = first;
    while start.elapsed() < budget || seed == first {
        // A batch per look at the clock.
        for _ in 0..256 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut bytes = corpus[rng.random_range(0..corpus.len())].clone();
            for _ in 0..rng.random_range(0..6) {
                mutate(&mut bytes, &mut rng);
            }
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(&bytes)));
            assert!(caught.is_ok(), "{name}: SCALPER_FUZZ_SEED={seed} on {bytes:02x?}");
            seed += 1;
        }
    }
    eprintln!("{name}: {} messages", seed - first);
}

fn mutate(bytes: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
    if bytes.is_empty() {
        bytes.push(rng.random());
        return;
    }
    let at = rng.random_range(0..bytes.len());
    match rng.random_range(0..7) {
        0 => bytes[at] ^= 1 << rng.random_range(0..8),
        1 => bytes[at] = rng.random(),
        2 => bytes.truncate(at),
        3 => {
            let end = rng.random_range(at..=bytes.len());
            let copy = bytes[at..end].to_vec();
            if bytes.len() < 8_192 {
                bytes.extend(copy);
            }
        }
        4 => bytes.insert(at, rng.random()),
        5 => {
            // Lengths and numbers at their edges.
            let edge = [0u8, 1, 0x7f, 0x80, 0xff][rng.random_range(0..5)];
            let end = (at + rng.random_range(1..=8)).min(bytes.len());
            bytes[at..end].fill(edge);
        }
        _ => {
            let mut noise = [0; 16];
            rng.fill_bytes(&mut noise);
            bytes.splice(at..at, noise);
        }
    }
}

fn feed_corpus() -> Vec<Vec<u8>> {
    let trade = LastTrade { price: 101.35, time: 1_781_084_997 };
    let totals = DayTotals {
        ltq: 75,
        average: 100.0,
        volume: 1_000,
        total_sell: 1,
        total_buy: 2,
        open: 99.0,
        previous_close: 98.0,
        high: 105.0,
        low: 97.0,
    };
    let level = DepthLevel { bid_qty: 65, ask_qty: 65, bid_orders: 1, ask_orders: 1, bid: 101.3, ask: 101.4 };
    let oi = OpenInterest { now: 5, high: 6, low: 4 };
    let bodies = [
        Body::Ticker(trade),
        Body::Quote(trade, totals),
        Body::OpenInterest(5),
        Body::PreviousClose(98.0, 1),
        Body::MarketStatus,
        Body::Full(trade, totals, oi, [level; 5]),
        Body::Disconnect(805),
        Body::Unknown(3),
    ];
    let single: Vec<Vec<u8>> =
        bodies.iter().map(|body| Packet { segment: 2, security_id: 55_796, body: *body }.to_bytes()).collect();
    let all = single.concat();
    [single, vec![all]].concat()
}

#[test]
fn mutated_feed_messages_never_break_the_decoder_or_the_tick_builder() {
    let resolve = |_, id: u32| (id == 55_796).then_some(Resolved { instrument: InstrumentId(1), tick_paise: 5 });
    let mut builder = TickBuilder::new(FeedEpoch::Ist, resolve);
    fuzz("feed messages", &feed_corpus(), |message| {
        let mut read = 0;
        for packet in packets(message).flatten() {
            read += 1;
            // Whatever was read can be written and reads the same.
            let again = packet.to_bytes();
            let same = packets(&again).next().unwrap().unwrap();
            assert_eq!(same.to_bytes(), again);
            let _ = builder.push(&packet, domain::Instant::from_secs(1_781_065_197), TickFlags::NONE);
        }
        assert!(read <= message.len() / 8);
    });
}

#[test]
fn mutated_depth_messages_never_break_the_decoder() {
    let packet = |side| DepthPacket {
        segment: 2,
        security_id: 55_796,
        sequence: 1,
        body: DepthBody::Levels(side, [RawLevel { price: 101.35, qty: 65, orders: 1 }; 20]),
    };
    let mut both = Vec::new();
    packet(BookSide::Bid).encode(&mut both);
    packet(BookSide::Ask).encode(&mut both);
    let mut goodbye = Vec::new();
    DepthPacket::encode_long_disconnect(2, 1, 805, &mut goodbye);
    fuzz("depth messages", &[both, goodbye], |message| {
        assert!(depth_packets(message).flatten().count() <= message.len() / 12);
    });
}

#[test]
fn mutated_order_updates_never_break_the_parser() {
    let alert = OrderAlert {
        exchange: "NSE".to_owned(),
        segment: "D".to_owned(),
        security_id: "55796".to_owned(),
        order_no: "1124091136546".to_owned(),
        txn_type: "B".to_owned(),
        order_type: "LMT".to_owned(),
        quantity: Some(75),
        traded_qty: Some(75),
        price: "101.35".parse().ok(),
        avg_traded_price: "101.3".parse().ok(),
        status: "Traded".to_owned(),
        last_updated_time: "2026-06-10 09:49:57".to_owned(),
        correlation_id: "A1260610E1-0123456789ab".to_owned(),
        ..OrderAlert::default()
    };
    let corpus: Vec<Vec<u8>> = [KeyCasing::Pascal, KeyCasing::Both, KeyCasing::Camel]
        .map(|casing| alert.to_frame(FrameStyle { casing, numbers_as_text: casing == KeyCasing::Camel }).into_bytes())
        .to_vec();
    assert!(parse_alert(std::str::from_utf8(&corpus[0]).unwrap()).unwrap().unwrap().update().is_ok());
    fuzz("order updates", &corpus, |message| {
        if let Ok(Some(alert)) = parse_alert(&String::from_utf8_lossy(message))
            && let Ok(update) = alert.update()
        {
            assert!(update.row.qty.get() >= 0 && update.row.filled.get() >= 0 && !update.row.value.is_negative());
        }
    });
}

#[test]
fn mutated_requests_never_break_the_servers_parser() {
    let one = br#"{"RequestCode": 15, "InstrumentCount": 1, "InstrumentList": [{"ExchangeSegment": "IDX_I", "SecurityId": "13"}]}"#;
    let flat = br#"{"RequestCode":23,"ExchangeSegment":"NSE_FNO","SecurityId":55796}"#;
    fuzz("requests", &[one.to_vec(), flat.to_vec()], |message| {
        let _ = parse_request(&String::from_utf8_lossy(message));
    });
}
