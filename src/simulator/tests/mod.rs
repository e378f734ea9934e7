//! The simulator from outside, on ticks a test wrote down and on generated days.

mod answers;
mod controls;
mod days;
mod laws;
mod markets;
mod orders;
mod refusals;
mod super_orders;

use std::collections::BTreeMap;

use chrono::NaiveDate;
use scalper_decide::domain::broker::BrokerStatus;
use scalper_decide::domain::tick::DEPTH;
use scalper_decide::domain::{
    Age, BookLevel, Instant, Instrument, InstrumentId, InstrumentKind, LotSize, Money, OptionContract, OrderSide,
    Premium, Qty, Right, Segment, Strike, Tick, TickSource, TimeOfDay, Underlying,
};

use super::bars::PastDay;
use super::market::{Halt, Key, Market, MarketDay, MarketError, master};
use super::oms::order::{Cause, OrderNo, OrderRow};
use super::oms::request::PlaceRequest;
use super::{SimConfig, Simulator, Step};
use crate::config::tables::{self, Tables};

/// The index, two options of one strike that expire on the second day, and a future.
pub(in crate::simulator) const INDEX: Key = (Segment::IdxI, 13);
pub(in crate::simulator) const CALL: Key = (Segment::NseFno, 101);
pub(in crate::simulator) const PUT: Key = (Segment::NseFno, 102);
pub(in crate::simulator) const FUTURE: Key = (Segment::NseFno, 103);
pub(in crate::simulator) const LOT: i64 = 65;

pub(in crate::simulator) fn day(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, day).unwrap()
}

pub(in crate::simulator) fn tables() -> Tables {
    tables::load(None).expect("the shipped tables are sound")
}

fn hm(hour: u32, minute: u32) -> TimeOfDay {
    TimeOfDay::hm(hour, minute).unwrap()
}

/// Milliseconds after 10:00 on the first day.
pub(in crate::simulator) fn ms(millis: i64) -> Instant {
    Instant::from_ist(day(12), hm(10, 0)) + Age::from_millis(millis)
}

pub(in crate::simulator) fn rs(rupees: i64) -> Premium {
    Premium::from_rupees(rupees)
}

pub(in crate::simulator) fn paise(paise: i64) -> Premium {
    Premium::from_paise(paise)
}

fn instruments() -> Vec<Instrument> {
    let underlying = Underlying::Nifty;
    let option = |right| {
        InstrumentKind::Option(OptionContract {
            underlying,
            expiry: day(13),
            strike: Strike::from_points(25_650),
            right,
            lot: LotSize::new(LOT).unwrap(),
            tick: paise(5),
            max_order_qty: Qty::new(27 * LOT),
        })
    };
    let future = InstrumentKind::Future { underlying, expiry: day(27) };
    [
        (INDEX, InstrumentKind::Index { underlying }),
        (CALL, option(Right::Call)),
        (PUT, option(Right::Put)),
        (FUTURE, future),
    ]
    .into_iter()
    .enumerate()
    .map(|(slot, ((segment, security_id), kind))| Instrument {
        id: InstrumentId(slot as u32),
        segment,
        security_id,
        symbol: format!("test {security_id}"),
        kind,
    })
    .collect()
}

/// A tick of the index.
pub(in crate::simulator) fn index_tick(at: Instant, level: i64) -> Tick {
    Tick::last_price(InstrumentId(0), at, at, level * 100, TickSource::Generated)
}

/// A tick of an option with one level of `qty` units on each side, a tick away from the last price.
pub(in crate::simulator) fn tick(key: Key, at: Instant, price: Premium, qty: i64) -> Tick {
    let slot = if key == CALL { 1 } else { 2 };
    let level = |price: Premium| {
        let mut levels = [BookLevel::default(); DEPTH];
        levels[0] = BookLevel::new(price, Qty::new(qty));
        levels
    };
    Tick {
        volume: 650,
        oi: 65_000,
        ltq: LOT,
        bids: level(price - paise(5)),
        asks: level(price + paise(5)),
        ..Tick::last_price(InstrumentId(slot), at, at, price.paise(), TickSource::Generated)
    }
}

/// Days with the ticks a test wrote down.
#[derive(Default)]
pub(in crate::simulator) struct Scripted {
    pub(in crate::simulator) days: BTreeMap<NaiveDate, Vec<Tick>>,
    pub(in crate::simulator) halts: Vec<Halt>,
}

impl Market for Scripted {
    fn title(&self) -> String {
        "scripted".to_owned()
    }
    fn history(&mut self) -> Result<Vec<PastDay>, MarketError> {
        Ok(Vec::new())
    }
    fn next_day(&mut self) -> Result<Option<MarketDay>, MarketError> {
        let Some((date, mut ticks)) = self.days.pop_first() else { return Ok(None) };
        let tables = tables();
        ticks.sort_by_key(|t| t.received_at);
        Ok(Some(MarketDay {
            hours: tables.calendar.hours(date)?.expect("tests pick trading days"),
            instruments: master::list(instruments(), date, &tables.contracts)?,
            ticks: Box::new(ticks.into_iter().map(Ok)),
            halts: std::mem::take(&mut self.halts),
            settlements: BTreeMap::new(),
        }))
    }
}

/// A simulator at a time of the first day, and everything it has said so far.
struct Bench {
    sim: Simulator,
    said: Step,
}

impl Bench {
    fn new(market: Scripted, config: SimConfig) -> Bench {
        let sim = Simulator::new(Box::new(market), config, tables().charges).expect("a market with a day");
        Bench { sim, said: Step::default() }
    }

    /// One day with these ticks, standing at 10:00.
    fn with(ticks: Vec<Tick>) -> Bench {
        let market = Scripted { days: BTreeMap::from([(day(12), ticks)]), halts: Vec::new() };
        let mut bench = Bench::new(market, SimConfig::default());
        bench.to(ms(0));
        bench
    }

    /// Both options at these prices before ten, and after it one tick a second at the given call prices.
    fn quoted(calls: &[Premium]) -> Bench {
        let mut ticks = vec![
            index_tick(ms(-2_000), 25_650),
            tick(CALL, ms(-1_000), rs(100), 650),
            tick(PUT, ms(-1_000), rs(90), 650),
        ];
        ticks.extend(calls.iter().enumerate().map(|(i, price)| tick(CALL, ms(1_000 * (i as i64 + 1)), *price, 650)));
        Bench::with(ticks)
    }

    fn to(&mut self, at: Instant) {
        self.sim.advance(at, usize::MAX, &mut self.said).expect("the market can be read");
    }

    fn place(&mut self, request: &PlaceRequest) -> OrderNo {
        self.sim.place(request).expect("the broker takes it").order_no
    }

    fn row(&self, order_no: OrderNo) -> &OrderRow {
        self.sim.oms().order(order_no).expect("the order is known")
    }

    fn status(&self, order_no: OrderNo) -> BrokerStatus {
        self.row(order_no).status.clone()
    }

    /// Statuses of an order in the sequence they were told.
    fn told(&self, order_no: OrderNo) -> Vec<BrokerStatus> {
        let own = self.said.updates.iter().filter(|u| u.order.order_no == order_no);
        own.map(|u| u.order.status.clone()).collect()
    }

    fn causes(&self, order_no: OrderNo) -> Vec<&Cause> {
        self.said.updates.iter().filter(|u| u.order.order_no == order_no).map(|u| &u.cause).collect()
    }

    fn net(&self, key: Key) -> i64 {
        self.sim.oms().positions().of(key).map(|p| p.net()).sum()
    }

    /// Buys lots of the call at the market and waits until they are there.
    fn long_call(&mut self, lots: i64) -> OrderNo {
        let order_no = self.place(&PlaceRequest::limit(OrderSide::Buy, CALL, lots * LOT, rs(110)));
        self.to(self.sim.now() + Age::from_millis(1_300));
        assert_eq!(self.net(CALL), lots * LOT);
        order_no
    }

    fn assert_sound(&self) {
        assert_eq!(self.sim.truth().contradictions(), Vec::<String>::new());
    }
}

fn money(rupees: i64) -> Money {
    Money::from_rupees(rupees)
}
