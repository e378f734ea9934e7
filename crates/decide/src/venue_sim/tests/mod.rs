//! One test per rule of the venue.

mod beside;
mod matching;
mod prices;
mod refusals;
mod sessions;
mod stops;

use super::*;
use crate::domain::ids::InstanceTag;
use crate::domain::tick::DEPTH;
use crate::domain::{
    Age, BookLevel, Direction, InstrumentKind, LotSize, OrderPurpose, PositionId, Right, Segment, SignalId, Strike,
    TickSource, TimeOfDay,
};
use crate::domain::{Bps, calendar::Window};

const CONTRACT: InstrumentId = InstrumentId(1);
const LOT: i64 = 75;

fn day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, 12).unwrap()
}

fn expiry() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, 13).unwrap()
}

fn hours(day: NaiveDate) -> SessionHours {
    let hm = |h, m| TimeOfDay::hm(h, m).unwrap();
    SessionHours {
        day,
        windows: vec![Window { open: hm(9, 15), close: hm(15, 30) }],
        index_continuous_close: hm(15, 30),
        cutoffs: crate::domain::Cutoffs {
            no_new_entry: hm(14, 45),
            expiry_force_exit: hm(15, 0),
            square_off_start: hm(15, 5),
            square_off_deadline: hm(15, 12),
            broker_square_off: hm(15, 19),
        },
    }
}

/// Milliseconds after ten o'clock.
fn ms(millis: i64) -> Instant {
    Instant::from_ist(day(), TimeOfDay::hm(10, 0).unwrap()) + Age::from_millis(millis)
}

/// A price from rupees, e.g. `p("100.05")`.
fn p(text: &str) -> Premium {
    let (rupees, paise) = text.split_once('.').unwrap_or((text, "0"));
    let paise: i64 = format!("{paise:0<2}").parse().unwrap();
    Premium::from_paise(rupees.parse::<i64>().unwrap() * 100 + paise)
}

fn limit(price: &str) -> OrderType {
    OrderType::Limit { price: p(price) }
}

fn stop(trigger: &str, price: &str) -> OrderType {
    OrderType::StopLimit { trigger: p(trigger), price: p(price) }
}

fn contract(expiry: NaiveDate) -> Instrument {
    Instrument {
        id: CONTRACT,
        segment: Segment::NseFno,
        security_id: 4711,
        symbol: "NIFTY 2026-01-13 25650 CE".to_owned(),
        kind: InstrumentKind::Option(OptionContract {
            underlying: Underlying::Nifty,
            expiry,
            strike: Strike::from_points(25_650),
            right: Right::Call,
            lot: LotSize::new(LOT).unwrap(),
            tick: p("0.05"),
            max_order_qty: Qty::new(24 * LOT),
        }),
    }
}

fn levels(levels: &[(&str, i64)]) -> [BookLevel; DEPTH] {
    let mut book = [BookLevel::default(); DEPTH];
    for (slot, (price, lots)) in book.iter_mut().zip(levels) {
        *slot = BookLevel::new(p(price), Qty::new(lots * LOT));
    }
    book
}

fn last(at: i64, price: &str) -> Tick {
    Tick::last_price(CONTRACT, ms(at), ms(at), p(price).paise(), TickSource::Feed)
}

fn book(at: i64, price: &str, bids: &[(&str, i64)], asks: &[(&str, i64)]) -> Tick {
    Tick { bids: levels(bids), asks: levels(asks), ..last(at, price) }
}

/// A book of one deep level on each side, last price in the middle or wherever given.
fn touch(at: i64, price: &str, bid: &str, ask: &str) -> Tick {
    book(at, price, &[(bid, 1_000)], &[(ask, 1_000)])
}

fn point(at: i64, price: &str, flags: TickFlags) -> Tick {
    Tick { flags: TickFlags::SYNTHESISED.with(flags), source: TickSource::Bar, ..last(at, price) }
}

struct Bench {
    venue: VenueSim,
    out: Vec<VenueOutput>,
    ids: u64,
}

impl Bench {
    fn new(kind: FillModelKind) -> Bench {
        let mut venue = VenueSim::new(FillModel::named(kind));
        venue.open_session(&hours(day()));
        venue.list(&contract(expiry()));
        Bench { venue, out: Vec::new(), ids: 0 }
    }

    fn spec(&mut self, side: OrderSide, lots: i64, order_type: OrderType) -> OrderSpec {
        self.ids += 1;
        let position = PositionId(self.ids);
        let signal = SignalId { underlying: Underlying::Nifty, bar_start: ms(0), direction: Direction::Up };
        let purpose = if side == OrderSide::Buy { OrderPurpose::Entry } else { OrderPurpose::Protection };
        let tag = InstanceTag::new("T1").unwrap();
        let id = ClientOrderId::derive(tag, day(), &signal, position, purpose, 0, 1);
        OrderSpec { id, position, instrument: CONTRACT, purpose, side, qty: Qty::new(lots * LOT), order_type }
    }

    fn send(&mut self, at: i64, spec: OrderSpec) -> ClientOrderId {
        self.venue.submit(ms(at), Command::Place(spec));
        spec.id
    }

    fn buy(&mut self, at: i64, lots: i64, order_type: OrderType) -> ClientOrderId {
        let spec = self.spec(OrderSide::Buy, lots, order_type);
        self.send(at, spec)
    }

    fn sell(&mut self, at: i64, lots: i64, order_type: OrderType) -> ClientOrderId {
        let spec = self.spec(OrderSide::Sell, lots, order_type);
        self.send(at, spec)
    }

    fn modify(&mut self, at: i64, id: ClientOrderId, version: u8, lots: i64, order_type: OrderType) {
        let qty = Qty::new(lots * LOT);
        self.venue.submit(ms(at), Command::Modify { id, instrument: CONTRACT, version, order_type, qty });
    }

    fn cancel(&mut self, at: i64, id: ClientOrderId) {
        self.venue.submit(ms(at), Command::Cancel { id, instrument: CONTRACT });
    }

    fn tick(&mut self, tick: Tick) {
        self.venue.on_tick(&tick, &mut self.out);
    }

    fn until(&mut self, at: i64) {
        self.venue.advance(ms(at), &mut self.out);
    }

    /// What was said since the last call, as short words: `accepted`, `75@100.05`, `rejected TickSize`, ...
    fn said(&mut self) -> Vec<String> {
        self.out
            .drain(..)
            .map(|output| match output.event.report {
                OrderReport::Accepted => "accepted".to_owned(),
                OrderReport::Triggered => "triggered".to_owned(),
                OrderReport::Filled(fill) => format!("{}@{}", fill.qty.get() / LOT, fill.price),
                OrderReport::Traded { filled, .. } => format!("counted {}", filled.get() / LOT),
                OrderReport::Modified { version, .. } => format!("modified {version}"),
                OrderReport::ModifyRefused { version, refusal } => format!("modify {version} refused {refusal}"),
                OrderReport::Cancelled { filled } => format!("cancelled {}", filled.get() / LOT),
                OrderReport::CancelRefused { refusal } => format!("cancel refused {refusal}"),
                OrderReport::Rejected { refusal } => format!("rejected {refusal}"),
                other => panic!("a venue does not say {other:?}"),
            })
            .collect()
    }
}

const BASE: FillModelKind = FillModelKind::Base;
