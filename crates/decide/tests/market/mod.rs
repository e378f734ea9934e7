//! Random markets of two option contracts for the venue's property tests.

use chrono::NaiveDate;
use proptest::prelude::*;
use scalper_decide::domain::calendar::Window;
use scalper_decide::domain::ids::InstanceTag;
use scalper_decide::domain::{
    Age, BookLevel, ClientOrderId, Cutoffs, Direction, Instant, Instrument, InstrumentId, InstrumentKind, LotSize,
    OptionContract, OrderPurpose, OrderSide, OrderSpec, OrderType, PositionId, Premium, Qty, Right, Segment,
    SessionHours, SignalId, Strike, Tick, TickFlags, TickSource, TimeOfDay, Underlying,
};
use scalper_decide::venue_sim::{FillModel, FillModelKind, VenueSim};

pub(crate) const LOT: i64 = 75;
pub(crate) const STEP: i64 = 5;
pub(crate) const MAX_LOTS: i64 = 24;

pub(crate) fn day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, 12).unwrap()
}

pub(crate) fn hours() -> SessionHours {
    let hm = |h, m| TimeOfDay::hm(h, m).unwrap();
    SessionHours {
        day: day(),
        windows: vec![Window { open: hm(9, 15), close: hm(15, 30) }],
        index_continuous_close: hm(15, 30),
        cutoffs: Cutoffs {
            no_new_entry: hm(14, 45),
            expiry_force_exit: hm(15, 0),
            square_off_start: hm(15, 5),
            square_off_deadline: hm(15, 12),
            broker_square_off: hm(15, 19),
        },
    }
}

/// Milliseconds after ten o'clock.
pub(crate) fn ms(millis: i64) -> Instant {
    Instant::from_ist(day(), TimeOfDay::hm(10, 0).unwrap()) + Age::from_millis(millis)
}

pub(crate) fn venue(kind: FillModelKind) -> VenueSim {
    let mut venue = VenueSim::new(FillModel::named(kind));
    venue.open_session(&hours());
    for slot in 0..2 {
        venue.list(&Instrument {
            id: InstrumentId(slot),
            segment: Segment::NseFno,
            security_id: slot,
            symbol: format!("option {slot}"),
            kind: InstrumentKind::Option(OptionContract {
                underlying: Underlying::Nifty,
                expiry: day(),
                strike: Strike::from_points(25_000 + 50 * i64::from(slot)),
                right: Right::Call,
                lot: LotSize::new(LOT).unwrap(),
                tick: Premium::from_paise(STEP),
                max_order_qty: Qty::new(MAX_LOTS * LOT),
            }),
        });
    }
    venue
}

pub(crate) fn spec(nth: u64, slot: u32, side: OrderSide, lots: i64, order_type: OrderType) -> OrderSpec {
    let signal = SignalId { underlying: Underlying::Nifty, bar_start: ms(0), direction: Direction::Up };
    let (position, purpose) = (PositionId(nth), OrderPurpose::Entry);
    let id = ClientOrderId::derive(InstanceTag::new("P1").unwrap(), day(), &signal, position, purpose, 0, 1);
    OrderSpec { id, position, instrument: InstrumentId(slot), purpose, side, qty: Qty::new(lots * LOT), order_type }
}

pub(crate) fn price(steps: i64) -> Premium {
    Premium::from_paise(steps.max(1) * STEP)
}

/// One step of a market: milliseconds since the last tick, move of the last price in ticks, what is shown.
#[derive(Debug, Clone)]
pub(crate) struct Move {
    pub(crate) wait: i64,
    pub(crate) drift: i64,
    pub(crate) shows: Shows,
    pub(crate) slot: u32,
    pub(crate) volume: i64,
    pub(crate) undecidable: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Shows {
    /// Distance of bid and ask from the last price in ticks (crossing when negative), then gap and lots per level.
    Book {
        bid: i64,
        ask: i64,
        bids: Vec<(i64, i64)>,
        asks: Vec<(i64, i64)>,
    },
    LastPrice,
    /// The same packet once more.
    Repeat,
}

pub(crate) fn side_of_book() -> impl Strategy<Value = Vec<(i64, i64)>> {
    prop::collection::vec((0_i64..4, 0_i64..9), 0..=5)
}

pub(crate) fn shows() -> impl Strategy<Value = Shows> {
    prop_oneof![
        6 => (-1_i64..6, -1_i64..6, side_of_book(), side_of_book())
            .prop_map(|(bid, ask, bids, asks)| Shows::Book { bid, ask, bids, asks }),
        3 => Just(Shows::LastPrice),
        2 => Just(Shows::Repeat),
    ]
}

pub(crate) fn market(slots: u32, length: usize) -> impl Strategy<Value = Vec<Move>> {
    let one = (1_i64..450, -12_i64..13, shows(), 0..slots, 0_i64..2, prop::bool::weighted(0.05));
    let one = one.prop_map(|(wait, drift, shows, slot, volume, undecidable)| Move {
        wait,
        drift,
        shows,
        slot,
        volume,
        undecidable,
    });
    prop::collection::vec(one, 1..length)
}

pub(crate) fn levels(best: i64, direction: i64, rows: &[(i64, i64)]) -> [BookLevel; 5] {
    let mut book = [BookLevel::default(); 5];
    let mut at = best;
    for (level, (gap, lots)) in book.iter_mut().zip(rows) {
        at += direction * gap;
        if at < 1 || *lots == 0 {
            break;
        }
        *level = BookLevel::new(price(at), Qty::new(lots * LOT));
    }
    book
}

/// Ticks of a market that starts at Rs 100, observed prices only.
pub(crate) fn ticks(moves: &[Move]) -> Vec<Tick> {
    let mut now = 0;
    let mut last = [2_000_i64; 2];
    let mut volume = 0;
    let mut shown: [Option<Tick>; 2] = [None; 2];
    let mut out = Vec::with_capacity(moves.len());
    for step in moves {
        now += step.wait;
        let slot = step.slot as usize;
        let repeat = matches!(step.shows, Shows::Repeat);
        if !repeat {
            last[slot] = (last[slot] + step.drift).max(1);
            volume += step.volume;
        }
        let at = ms(now);
        let id = InstrumentId(step.slot);
        let bare = Tick::last_price(id, at, at, price(last[slot]).paise(), TickSource::Feed);
        let tick = match (&step.shows, shown[slot]) {
            (Shows::Repeat, Some(before)) => {
                Tick { exchange_at: at, received_at: at, flags: TickFlags::NONE, ..before }
            }
            (Shows::Book { bid, ask, bids, asks }, _) => Tick {
                volume,
                bids: levels(last[slot] - bid, -1, bids),
                asks: levels(last[slot] + ask, 1, asks),
                ..bare
            },
            _ => Tick { volume, ..bare },
        };
        shown[slot] = Some(tick);
        let flags = if step.undecidable { TickFlags::STALE } else { TickFlags::NONE };
        out.push(Tick { flags, ..tick });
    }
    out
}

/// Turns prices into points of bars: four points a bar, twenty seconds apart, no books.
pub(crate) fn bars(ticks: &[Tick]) -> Vec<Tick> {
    let point = |(i, tick): (usize, &Tick)| {
        let edge = match i % 4 {
            0 => TickFlags::BAR_OPEN,
            3 => TickFlags::BAR_CLOSE,
            _ => TickFlags::NONE,
        };
        let at = ms(20_000 * i as i64 / 2);
        Tick {
            flags: TickFlags::SYNTHESISED.with(edge),
            ..Tick::last_price(tick.instrument, at, at, tick.ltp_paise, TickSource::Bar)
        }
    };
    ticks.iter().enumerate().map(point).collect()
}
