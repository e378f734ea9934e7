//! What the binary sockets print of an instrument, per mode (dhan-v2.md 1.5, 1.6, 2.1; simulator checklist 7).

use scalper_decide::domain::tick::DEPTH;
use scalper_decide::domain::{BookLevel, Segment};

use crate::broker::dhan::wire::clock::FeedEpoch;
use crate::broker::dhan::wire::depth::{BookSide, DEPTH_LEVELS, DepthBody, DepthPacket, RawLevel};
use crate::broker::dhan::wire::packet::{Body, DayTotals, DepthLevel, LastTrade, OpenInterest, Packet};
use crate::broker::dhan::wire::request::Mode;
use crate::simulator::desk::Seen;

/// Appends the packets of one mode to a message; returns how many. An index has no book and no open interest: it
/// comes as Ticker or Quote whatever was asked for.
pub(super) fn encode(mode: Mode, seen: &Seen, out: &mut Vec<u8>) -> u32 {
    let is_index = seen.key.0 == Segment::IdxI;
    let feed = |body| packet(seen, body);
    match mode {
        Mode::Ticker => feed(Body::Ticker(trade(seen))).encode(out),
        Mode::Quote | Mode::Full if is_index => feed(Body::Quote(trade(seen), totals(seen))).encode(out),
        Mode::Quote => {
            feed(Body::Quote(trade(seen), totals(seen))).encode(out);
            if is_derivative(seen.key.0) {
                feed(Body::OpenInterest(units(seen.quote.oi))).encode(out);
                return 2;
            }
        }
        Mode::Full => feed(Body::Full(trade(seen), totals(seen), open_interest(seen), depth(seen))).encode(out),
        Mode::Depth => {
            for (side, levels) in [(BookSide::Bid, &seen.quote.bids), (BookSide::Ask, &seen.quote.asks)] {
                let body = DepthBody::Levels(side, rows(levels));
                DepthPacket { segment: seen.key.0.code(), security_id: seen.key.1, sequence: 0, body }.encode(out);
            }
            return 2;
        }
    }
    1
}

/// The packet that greets a new subscription: previous closes come for indices alone (dhan-v2.md 1.6). Without open
/// interest, which an index has not.
pub(super) fn previous_close(seen: &Seen) -> Option<Packet> {
    let known = seen.key.0 == Segment::IdxI && seen.quote.close > 0;
    known.then(|| packet(seen, Body::PreviousClose(rupees(seen.quote.close), 0)))
}

/// The goodbye of a socket, in its own layout.
pub(super) fn disconnect(reason: u16, is_depth: bool) -> Vec<u8> {
    let mut out = Vec::new();
    if is_depth {
        let body = DepthBody::Disconnect(u32::from(reason));
        DepthPacket { segment: 0, security_id: 0, sequence: 0, body }.encode(&mut out);
    } else {
        Packet { segment: 0, security_id: 0, body: Body::Disconnect(reason) }.encode(&mut out);
    }
    out
}

const fn packet(seen: &Seen, body: Body) -> Packet {
    Packet { segment: seen.key.0.code(), security_id: seen.key.1, body }
}

const fn is_derivative(segment: Segment) -> bool {
    !matches!(segment, Segment::IdxI | Segment::NseEq | Segment::BseEq)
}

fn rupees(paise: i64) -> f32 {
    (paise as f64 / 100.0) as f32
}

fn units(count: i64) -> u32 {
    u32::try_from(count.max(0)).unwrap_or(u32::MAX)
}

fn trade(seen: &Seen) -> LastTrade {
    let time = seen.quote.last_trade_at.filter(|_| seen.quote.last_price > 0);
    LastTrade { price: rupees(seen.quote.last_price), time: time.map_or(0, |at| FeedEpoch::Ist.encode(at)) }
}

fn totals(seen: &Seen) -> DayTotals {
    let quote = &seen.quote;
    DayTotals {
        // 16 bits on the wire; what a larger trade shows is not known, here it wraps.
        ltq: quote.last_quantity as u16,
        average: rupees(quote.average_price),
        volume: units(quote.volume),
        total_sell: units(quote.sell_quantity),
        total_buy: units(quote.buy_quantity),
        open: rupees(quote.open),
        previous_close: rupees(quote.close),
        high: rupees(quote.high),
        low: rupees(quote.low),
    }
}

fn open_interest(seen: &Seen) -> OpenInterest {
    let quote = &seen.quote;
    let range = if seen.key.0 == Segment::NseFno { (quote.oi_day_high, quote.oi_day_low) } else { (0, 0) };
    OpenInterest { now: units(quote.oi), high: units(range.0), low: units(range.1) }
}

/// The tapes tell no order counts: a level that holds something shows one order.
fn depth(seen: &Seen) -> [DepthLevel; DEPTH] {
    std::array::from_fn(|n| {
        let (bid, ask) = (seen.quote.bids[n], seen.quote.asks[n]);
        DepthLevel {
            bid_qty: bid.qty,
            ask_qty: ask.qty,
            bid_orders: u16::from(!bid.is_empty()),
            ask_orders: u16::from(!ask.is_empty()),
            bid: rupees(i64::from(bid.price)),
            ask: rupees(i64::from(ask.price)),
        }
    })
}

/// The levels that are known; the fifteen behind them stay empty, nothing is invented.
fn rows(levels: &[BookLevel; DEPTH]) -> [RawLevel; DEPTH_LEVELS] {
    std::array::from_fn(|n| match levels.get(n) {
        Some(level) if !level.is_empty() => {
            RawLevel { price: f64::from(level.price) / 100.0, qty: level.qty, orders: 1 }
        }
        _ => RawLevel::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::dhan::wire::clock::trade_time;
    use crate::broker::dhan::wire::depth::depth_packets;
    use crate::broker::dhan::wire::packet::packets;
    use crate::simulator::answers::Quote;
    use scalper_decide::domain::{Instant, Premium, Qty};

    const TRADED: Instant = Instant::from_secs(1_770_000_000);

    fn seen(segment: Segment) -> Seen {
        let level = |paise| BookLevel::new(Premium::from_paise(paise), Qty::new(650));
        let mut quote = Quote {
            security_id: 101,
            last_price: 10_135,
            last_quantity: 65_601,
            last_trade_at: Some(TRADED),
            average_price: 10_110,
            volume: 6_500,
            buy_quantity: 650,
            sell_quantity: 1_300,
            open: 10_000,
            high: 10_200,
            low: 9_900,
            close: 9_750,
            oi: 65_000,
            oi_day_high: 70_000,
            oi_day_low: 60_000,
            ..Quote::default()
        };
        (quote.bids[0], quote.asks[0]) = (level(10_130), level(10_140));
        Seen { key: (segment, 101), tick: None, quote }
    }

    fn decoded(mode: Mode, segment: Segment) -> Vec<Packet> {
        let mut out = Vec::new();
        let count = encode(mode, &seen(segment), &mut out);
        let read: Vec<Packet> = packets(&out).map(Result::unwrap).collect();
        assert_eq!(read.len(), count as usize);
        read
    }

    #[test]
    fn a_quote_of_a_derivative_has_its_open_interest_beside_it_and_close_is_the_day_before() {
        // Checklist 7; dhan-v2.md 1.6.
        let read = decoded(Mode::Quote, Segment::BseFno);
        let Body::Quote(trade, totals) = read[0].body else { panic!("{read:?}") };
        assert_eq!((trade.price, trade_time(trade.time)), (101.35, Some(TRADED)), "IST seconds");
        assert_eq!(i64::from(trade.time), 1_770_000_000 + 19_800);
        assert_eq!((totals.previous_close, totals.total_buy, totals.total_sell), (97.5, 650, 1_300));
        assert_eq!(totals.ltq, 65, "16 bits");
        assert_eq!(read[1].body, Body::OpenInterest(65_000));
    }

    #[test]
    fn the_days_range_of_open_interest_is_an_nse_figure() {
        let range = |segment| match decoded(Mode::Full, segment)[0].body {
            Body::Full(_, _, oi, _) => (oi.now, oi.high, oi.low),
            ref other => panic!("{other:?}"),
        };
        assert_eq!(range(Segment::NseFno), (65_000, 70_000, 60_000));
        assert_eq!(range(Segment::BseFno), (65_000, 0, 0));
    }

    #[test]
    fn an_index_comes_without_book_and_open_interest_whatever_was_asked() {
        for mode in [Mode::Quote, Mode::Full] {
            assert!(matches!(decoded(mode, Segment::IdxI)[..], [Packet { body: Body::Quote(..), .. }]));
        }
        assert!(matches!(previous_close(&seen(Segment::IdxI)).unwrap().body, Body::PreviousClose(97.5, 0)));
        assert_eq!(previous_close(&seen(Segment::NseFno)), None);
    }

    #[test]
    fn a_book_is_two_packets_whose_unknown_levels_are_empty() {
        let mut out = Vec::new();
        assert_eq!(encode(Mode::Depth, &seen(Segment::NseFno), &mut out), 2);
        let read: Vec<DepthPacket> = depth_packets(&out).map(Result::unwrap).collect();
        let DepthBody::Levels(BookSide::Bid, bids) = &read[0].body else { panic!() };
        let DepthBody::Levels(BookSide::Ask, asks) = &read[1].body else { panic!() };
        assert_eq!((bids[0].price, bids[0].qty, asks[0].price), (101.3, 650, 101.4));
        assert_eq!(bids[1..], [RawLevel::default(); 19]);
    }
}
