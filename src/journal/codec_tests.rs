use std::collections::BTreeMap;

use chrono::NaiveDate;
use proptest::prelude::*;
use scalper_decide::domain::broker::{Answer, BrokerEvent, BrokerOrderId, BrokerStatus, OrderCall};
use scalper_decide::domain::event::OperatorCommand;
use scalper_decide::domain::order::Fill;
use scalper_decide::domain::tick::ABSENT;
use scalper_decide::domain::{
    Age, ClientOrderId, Cutoffs, IndexPrice, Instrument, InstrumentKind, LotSize, OptionContract, OrderEvent,
    OrderReport, OrderType, PositionId, Premium, Qty, Right, Segment, SessionHours, Strike, TimeOfDay, TradeId,
    Underlying, VenueRefusal, calendar::Window,
};

use super::*;

fn decode(block: &Block) -> Vec<(Stamp, Event)> {
    let mut events = Vec::new();
    let take = |stamp, event: &Event| {
        events.push((stamp, event.clone()));
        Ok::<_, CodecError>(())
    };
    Decoder::new().decode(block.first, block.last, &block.bytes, take).unwrap();
    events
}

fn encode(events: &[(Stamp, Event)]) -> Block {
    let mut encoder = Encoder::new(Seq(events[0].0.seq.0 - 1));
    for (stamp, event) in events {
        encoder.event(*stamp, event);
    }
    encoder.take().unwrap()
}

fn level() -> impl Strategy<Value = BookLevel> {
    (any::<i32>(), any::<u32>()).prop_map(|(price, qty)| BookLevel { price, qty })
}

fn number() -> impl Strategy<Value = i64> {
    prop_oneof![Just(ABSENT), Just(0), Just(i64::MAX), any::<i64>(), 0..1000_i64]
}

prop_compose! {
    fn a_tick()(
        slot in 0..6_u32,
        flags in any::<u16>(),
        source in 0..5_u8,
        times in (number(), number()),
        fields in (number(), number(), number(), number()),
        bids in proptest::array::uniform5(level()),
        asks in proptest::array::uniform5(level()),
    ) -> Tick {
        Tick {
            instrument: InstrumentId(slot),
            flags: TickFlags(flags),
            source: TickSource::from_code(source).unwrap(),
            exchange_at: Instant::from_nanos(times.0),
            received_at: Instant::from_nanos(times.1),
            ltp_paise: fields.0,
            ltq: fields.1,
            volume: fields.2,
            oi: fields.3,
            bids,
            asks,
        }
    }
}

proptest! {
    #[test]
    fn every_tick_comes_back_field_by_field(ticks in proptest::collection::vec((a_tick(), number()), 1..60), seq in 1..u64::from(u32::MAX)) {
        // I23: what is replayed is what was decided on, sentinels and extremes included.
        let events: Vec<(Stamp, Event)> = ticks
            .into_iter()
            .enumerate()
            .map(|(n, (tick, at))| (Stamp { seq: Seq(seq + n as u64), at: Instant::from_nanos(at) }, Event::Tick(tick)))
            .collect();
        prop_assert_eq!(decode(&encode(&events)), events);
    }

    #[test]
    fn no_bytes_make_the_decoder_panic_or_allocate_without_bound(bytes: Vec<u8>) {
        // S34: total on anything.
        let stamp = Stamp { seq: Seq(1), at: Instant::from_nanos(0) };
        let _ = Decoder::new().decode(stamp, stamp, &bytes, |_, _| Ok::<_, CodecError>(()));
    }

    #[test]
    fn a_damaged_block_never_makes_the_decoder_panic(flips in proptest::collection::vec((any::<prop::sample::Index>(), 0..8_u8), 1..4)) {
        let mut block = encode(&all_kinds());
        for (at, bit) in flips {
            let at = at.index(block.bytes.len());
            block.bytes[at] ^= 1 << bit;
        }
        let _ = Decoder::new().decode(block.first, block.last, &block.bytes, |_, _| Ok::<_, CodecError>(()));
    }
}

/// One event of every kind, with the awkward corners of each.
pub(crate) fn all_kinds() -> Vec<(Stamp, Event)> {
    let day = NaiveDate::from_ymd_opt(2026, 1, 12).unwrap();
    let time = |h, m| TimeOfDay::hm(h, m).unwrap();
    let id = ClientOrderId::parse("A1260112E1-0123456789ab").unwrap();
    let cutoffs = Cutoffs {
        no_new_entry: time(14, 45),
        expiry_force_exit: time(15, 0),
        square_off_start: time(15, 10),
        square_off_deadline: time(15, 15),
        broker_square_off: time(15, 20),
    };
    let contract = OptionContract {
        underlying: Underlying::Nifty,
        expiry: day,
        strike: Strike::from_points(25_600),
        right: Right::Call,
        lot: LotSize::new(65).unwrap(),
        tick: Premium::from_paise(5),
        max_order_qty: Qty::new(1800),
    };
    let report = |report| Event::Order(OrderEvent { id, instrument: InstrumentId(3), report });
    let fill = Fill {
        trade: TradeId(u64::MAX),
        qty: Qty::new(65),
        price: Premium::from_paise(12_345),
        at: Instant::from_secs(7),
    };
    let stop = OrderType::StopLimit { trigger: Premium::from_paise(10_000), price: Premium::from_paise(9_500) };
    let events = vec![
        Event::SessionOpened {
            hours: SessionHours {
                day,
                windows: vec![Window { open: time(9, 15), close: time(15, 30) }],
                index_continuous_close: TimeOfDay::from_secs(55_501).unwrap(),
                cutoffs,
            },
            warm_up: true,
            bars_of: BTreeMap::from([(Underlying::BankNifty, Age::from_mins(1))]),
        },
        Event::Listed {
            instrument: Instrument {
                id: InstrumentId(3),
                segment: Segment::NseFno,
                security_id: 49_543,
                symbol: "NIFTY 13 JAN 25600 \"CE\" \u{20b9}".to_owned(),
                kind: InstrumentKind::Option(contract),
            },
        },
        Event::Tick(Tick::last_price(
            InstrumentId(3),
            Instant::from_secs(1),
            Instant::from_secs(2),
            5,
            TickSource::Bar,
        )),
        Event::Timer,
        report(OrderReport::Accepted),
        report(OrderReport::Triggered),
        report(OrderReport::Filled(fill)),
        report(OrderReport::Modified { version: 255, order_type: stop, qty: Qty::new(130) }),
        report(OrderReport::ModifyRefused { version: 1, refusal: VenueRefusal::NotOpen }),
        report(OrderReport::Cancelled { filled: Qty::new(0) }),
        report(OrderReport::CancelRefused { refusal: VenueRefusal::Other("DH-906\n\"x\"".to_owned()) }),
        report(OrderReport::Rejected { refusal: VenueRefusal::PriceBand }),
        report(OrderReport::Unanswered { since: Instant::from_nanos(-1) }),
        report(OrderReport::ProvenAbsent),
        Event::Settled {
            underlying: Underlying::Sensex,
            expiry: day,
            value: IndexPrice::from_paise(8_345_678),
            source: "average".to_owned(),
        },
        Event::SessionClosed { day },
        Event::IvHistory { days: BTreeMap::from([(Underlying::Nifty, vec![(day, 12_345_678)])]) },
        Event::Broker(BrokerEvent::Answered {
            id,
            call: OrderCall::Modify { version: 3 },
            answer: Answer::Accepted {
                broker_id: BrokerOrderId("112".into()),
                status: BrokerStatus::Other("X".into()),
            },
        }),
        Event::Broker(BrokerEvent::PushLink { up: false }),
        Event::Broker(BrokerEvent::Resumed),
        Event::Operator(OperatorCommand::Close { position: PositionId(9), lots: None, request: 0 }),
    ];
    let stamp =
        |n: usize| Stamp { seq: Seq(41 + n as u64), at: Instant::from_nanos(1_768_189_500_000_000_000 + n as i64) };
    events.into_iter().enumerate().map(|(n, event)| (stamp(n), event)).collect()
}

#[test]
fn every_kind_of_event_comes_back_as_it_was() {
    let events = all_kinds();
    assert_eq!(decode(&encode(&events)), events);
}

#[test]
fn a_block_forgets_the_one_before() {
    let tick = |n: i64| Tick {
        oi: n,
        ..Tick::last_price(InstrumentId(1), Instant::from_secs(n), Instant::from_secs(n), n, TickSource::Feed)
    };
    let stamp = |n: i64| Stamp { seq: Seq(n as u64), at: Instant::from_secs(n) };
    let mut encoder = Encoder::new(Seq(0));
    encoder.tick(stamp(1), &tick(1));
    let first = encoder.take().unwrap();
    assert_eq!(encoder.take(), None);
    encoder.tick(stamp(2), &tick(2));
    let second = encoder.take().unwrap();
    assert_eq!(decode(&second), [(stamp(2), Event::Tick(tick(2)))]);
    assert_eq!(decode(&first), [(stamp(1), Event::Tick(tick(1)))]);
}

#[test]
fn a_block_cut_short_or_mislabelled_is_refused() {
    let block = encode(&all_kinds());
    let mut decoder = Decoder::new();
    let mut read = |first, last, bytes: &[u8]| decoder.decode(first, last, bytes, |_, _| Ok::<_, CodecError>(()));
    for len in 0..block.bytes.len() {
        assert!(read(block.first, block.last, &block.bytes[..len]).is_err(), "{len} bytes");
    }
    let later = Stamp { seq: Seq(block.last.seq.0 + 1), ..block.last };
    assert!(read(block.first, later, &block.bytes).is_err());
    assert!(read(block.first, block.last, &block.bytes).is_ok());
}

#[test]
#[should_panic(expected = "event 3 journalled after 1")]
fn a_lost_event_stops_the_process() {
    let mut encoder = Encoder::new(Seq(0));
    let stamp = |n| Stamp { seq: Seq(n), at: Instant::from_secs(1) };
    encoder.event(stamp(1), &Event::Timer);
    encoder.event(stamp(3), &Event::Timer);
}
