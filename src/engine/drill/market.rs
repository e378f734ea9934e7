//! A small market that never rests: two indices that wander in short trends, five strikes each, quoted twice a second.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use scalper_decide::domain::tick::DEPTH;
use scalper_decide::domain::{
    Age, BookLevel, ContractBook, Instant, Instrument, InstrumentId, InstrumentKind, LotSize, OptionContract, Premium,
    Qty, Right, Segment, SessionHours, Strike, Tick, TickSource, TimeOfDay, Underlying,
};
use statrs::distribution::{ContinuousCDF as _, Normal};

use crate::simulator::bars::PastDay;
use crate::simulator::market::{Market, MarketDay, MarketError, master};

/// Between two quotes of one contract.
const EVERY: Age = Age::from_millis(500);
/// Annual volatility that prices every contract.
const SIGMA: f64 = 0.22;

/// One index with its chain.
struct Book {
    underlying: Underlying,
    segment: Segment,
    index_id: u32,
    first_id: u32,
    level: f64,
    step: i64,
    lot: i64,
}

const BOOKS: [Book; 2] = [
    Book {
        underlying: Underlying::Nifty,
        segment: Segment::NseFno,
        index_id: 13,
        first_id: 40_001,
        level: 25_650.0,
        step: 50,
        lot: 65,
    },
    Book {
        underlying: Underlying::Sensex,
        segment: Segment::BseFno,
        index_id: 51,
        first_id: 80_001,
        level: 83_600.0,
        step: 100,
        lot: 20,
    },
];

/// The day of every drill: a Friday.
pub(super) fn day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, 9).expect("a date")
}

/// When clients come and faults begin.
pub(super) fn ten() -> Instant {
    Instant::from_ist(day(), TimeOfDay::hm(10, 0).expect("a time"))
}

fn expiry() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, 13).expect("a date")
}

/// Everything that trades, in slots from 0.
pub(super) fn instruments() -> Vec<Instrument> {
    let mut all = Vec::new();
    let mut list = |segment, security_id, symbol: String, kind| {
        let id = InstrumentId(u32::try_from(all.len()).expect("few instruments"));
        all.push(Instrument { id, segment, security_id, symbol, kind });
    };
    for book in &BOOKS {
        let underlying = book.underlying;
        list(Segment::IdxI, book.index_id, underlying.symbol().to_owned(), InstrumentKind::Index { underlying });
        let atm = (book.level / book.step as f64).round() as i64 * book.step;
        let mut token = book.first_id;
        for strike in -2..=2 {
            for right in [Right::Call, Right::Put] {
                let strike = Strike::from_points(atm + strike * book.step);
                let contract = OptionContract {
                    underlying,
                    expiry: expiry(),
                    strike,
                    right,
                    lot: LotSize::new(book.lot).expect("a lot"),
                    tick: Premium::from_paise(5),
                    max_order_qty: Qty::new(3 * book.lot),
                };
                let symbol = format!("{underlying} {} {strike} {right:?}", expiry());
                list(book.segment, token, symbol, InstrumentKind::Option(contract));
                token += 1;
            }
        }
    }
    all
}

/// Ticks of the day up to `until`: only indices before ten, everything from then on.
pub(super) fn ticks(seed: u64, until: Instant) -> Vec<Tick> {
    let instruments = instruments();
    let open = Instant::from_ist(day(), TimeOfDay::hm(9, 15).expect("a time"));
    let mut all = Vec::new();
    for (n, book) in BOOKS.iter().enumerate() {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        dice.set_stream(n as u64);
        let mut level = book.level;
        let mut trend = 0.0;
        let mut at = open + Age::from_millis(40 * n as i64);
        let mut count = 0_u64;
        let mut volumes: BTreeMap<InstrumentId, i64> = BTreeMap::new();
        while at < until {
            let quick = at >= ten() - Age::from_secs(10);
            let step = if quick { EVERY } else { Age::from_secs(5) };
            let scale = book.level / 25_650.0 * if quick { 1.0 } else { 2.5 };
            if count.is_multiple_of(if quick { 60 } else { 12 }) {
                trend = dice.random_range(-0.9..0.9);
            }
            // Pulled back to where its strikes are.
            let pull = (book.level - level) / book.step as f64 * 0.12;
            level += (trend + pull + dice.random_range(-1.6..1.6)) * scale;
            count += 1;
            for instrument in instruments.iter().filter(|i| i.underlying() == book.underlying) {
                let slot_at = at + Age::from_millis(2 * i64::from(instrument.id.0));
                match &instrument.kind {
                    InstrumentKind::Index { .. } => {
                        let paise = (level * 100.0).round() as i64;
                        all.push(Tick::last_price(instrument.id, slot_at, slot_at, paise, TickSource::Generated));
                    }
                    InstrumentKind::Option(contract) if quick => {
                        let volume = volumes.entry(instrument.id).or_insert(10_000);
                        *volume += book.lot;
                        let half = dice.random_range(1..4) * 5;
                        let lots = dice.random_range(1..30) * book.lot;
                        all.push(quote(instrument.id, contract, level, slot_at, half, lots, *volume));
                    }
                    _ => {}
                }
            }
            at = at + step;
        }
    }
    all.sort_by_key(|tick| (tick.received_at, tick.instrument));
    all
}

fn quote(
    id: InstrumentId,
    contract: &OptionContract,
    level: f64,
    at: Instant,
    half: i64,
    units: i64,
    volume: i64,
) -> Tick {
    let paise = ((price(contract, level, at) * 20.0).round() as i64 * 5).max(half + 5);
    let side = |away: i64| {
        let mut levels = [BookLevel::default(); DEPTH];
        for (n, book_level) in levels.iter_mut().enumerate() {
            let price = paise + away * (half + 5 * n as i64);
            if price > 0 {
                *book_level = BookLevel::new(Premium::from_paise(price), Qty::new(units * (n as i64 + 1)));
            }
        }
        levels
    };
    Tick {
        volume,
        oi: 1_000_000,
        ltq: contract.lot.get(),
        bids: side(-1),
        asks: side(1),
        ..Tick::last_price(id, at, at, paise, TickSource::Generated)
    }
}

/// Black-Scholes.
fn price(contract: &OptionContract, level: f64, at: Instant) -> f64 {
    let expires = Instant::from_ist(contract.expiry, TimeOfDay::hm(15, 30).expect("a time"));
    let years = (expires.nanos() - at.nanos()) as f64 / 1e9 / (365.0 * 86_400.0);
    let strike = contract.strike.paise() as f64 / 100.0;
    let rate = 0.06;
    let spread = SIGMA * years.sqrt();
    let d1 = ((level / strike).ln() + (rate + SIGMA * SIGMA / 2.0) * years) / spread;
    let d2 = d1 - spread;
    let normal = Normal::standard();
    let strike_now = strike * (-rate * years).exp();
    match contract.right {
        Right::Call => level * normal.cdf(d1) - strike_now * normal.cdf(d2),
        Right::Put => strike_now * normal.cdf(-d2) - level * normal.cdf(-d1),
    }
}

/// The market of one drill.
pub(super) struct Lively {
    seed: u64,
    until: Instant,
    hours: Option<SessionHours>,
    contracts: ContractBook,
}

impl Lively {
    pub(super) fn new(seed: u64, until: Instant, hours: SessionHours, contracts: ContractBook) -> Lively {
        Lively { seed, until, hours: Some(hours), contracts }
    }
}

impl Market for Lively {
    fn title(&self) -> String {
        "drill".to_owned()
    }
    fn history(&mut self) -> Result<Vec<PastDay>, MarketError> {
        Ok(Vec::new())
    }
    fn next_day(&mut self) -> Result<Option<MarketDay>, MarketError> {
        let Some(hours) = self.hours.take() else { return Ok(None) };
        Ok(Some(MarketDay {
            instruments: master::list(instruments(), hours.day, &self.contracts)?,
            hours,
            ticks: Box::new(ticks(self.seed, self.until).into_iter().map(Ok)),
            halts: Vec::new(),
            settlements: BTreeMap::new(),
        }))
    }
}
