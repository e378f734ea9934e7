//! Market data as the REST APIs answer it, in plain structs (dhan-v2.md 10). Prices in paise, 0 where nothing is known.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use scalper_decide::domain::tick::DEPTH;
use scalper_decide::domain::{
    BookLevel, Instant, InstrumentId, InstrumentKind, OptionContract, OrderSide, Premium, Right, Strike, Underlying,
};
use scalper_decide::greeks::{Model, OptionGreeks, Pricer, years_to};
use scalper_decide::venue_sim::PriceBand;

use super::Simulator;
use super::bars::{Candle, candles, daily};
use super::board::Desk;
use super::market::{Key, Listed};

/// Rate that the broker's volatilities are made with here; what Dhan uses is not known.
const RATE: f64 = 0.065;

/// Everything a quote says of one instrument.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Quote {
    /// Token inside its segment.
    pub security_id: u32,
    /// Last price.
    pub last_price: i64,
    /// Units traded last.
    pub last_quantity: i64,
    /// Exchange time of the last trade.
    pub last_trade_at: Option<Instant>,
    /// Average price of the day.
    pub average_price: i64,
    /// Units traded today.
    pub volume: i64,
    /// Units wanted on the levels shown.
    pub buy_quantity: i64,
    /// Units offered on the levels shown.
    pub sell_quantity: i64,
    /// First price of the day.
    pub open: i64,
    /// Highest price of the day.
    pub high: i64,
    /// Lowest price of the day.
    pub low: i64,
    /// Close of the day BEFORE, all day long (dhan-v2.md 1.6, 10.1).
    pub close: i64,
    /// Last price less previous close; 0 when either is unknown.
    pub net_change: i64,
    /// Open interest.
    pub oi: i64,
    /// Highest open interest of the day.
    pub oi_day_high: i64,
    /// Lowest open interest of the day.
    pub oi_day_low: i64,
    /// Lowest price an order may name now.
    pub lower_circuit: i64,
    /// Highest price an order may name now.
    pub upper_circuit: i64,
    /// Buyers, best first.
    pub bids: [BookLevel; DEPTH],
    /// Sellers, best first.
    pub asks: [BookLevel; DEPTH],
}

/// One side of one strike.
#[derive(Debug, Clone, PartialEq)]
pub struct ChainSide {
    /// The contract's own id.
    pub security_id: u32,
    /// Last price.
    pub last_price: i64,
    /// Close of the day before.
    pub previous_close: i64,
    /// Average price of the day.
    pub average_price: i64,
    /// Best buyer.
    pub top_bid: BookLevel,
    /// Best seller.
    pub top_ask: BookLevel,
    /// Open interest.
    pub oi: i64,
    /// Open interest at the end of the day before.
    pub previous_oi: i64,
    /// Units traded today.
    pub volume: i64,
    /// Units traded the day before.
    pub previous_volume: i64,
    /// Percent a year (9.8 = 9.8 %), 0 when unknown.
    pub implied_volatility: f64,
    /// Per point of the index.
    pub delta: f64,
    /// Change of delta per point.
    pub gamma: f64,
    /// Per day, negative while value decays.
    pub theta: f64,
    /// Per volatility point.
    pub vega: f64,
}

/// Call and put of one strike; either may be missing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ChainStrike {
    /// The call.
    pub call: Option<ChainSide>,
    /// The put.
    pub put: Option<ChainSide>,
}

/// The chain of one expiry.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// Last level of the index.
    pub last_price: i64,
    /// By strike.
    pub strikes: BTreeMap<Strike, ChainStrike>,
}

/// A bar length that the intraday API knows; anything else is refused.
pub const INTERVALS: [u32; 5] = [1, 5, 15, 25, 60];

impl Simulator {
    /// The quote of an instrument; `None` when it is not listed: such ids are silently missing from an answer.
    pub fn quote(&self, key: Key) -> Option<Quote> {
        let (listed, desk) = self.board().find(key)?;
        let last = desk.last.as_ref();
        let (bids, asks) = last.map_or_else(Default::default, |t| (t.bids, t.asks));
        let (lower, upper) = circuits(listed, desk);
        let known = desk.ltp() > 0 && desk.previous_close() > 0;
        let total = |levels: &[BookLevel]| levels.iter().map(|l| i64::from(l.qty)).sum();
        Some(Quote {
            security_id: key.1,
            last_price: desk.ltp(),
            last_quantity: desk.ltq,
            last_trade_at: last.map(|t| t.exchange_at),
            average_price: desk.average(),
            volume: desk.volume,
            buy_quantity: total(&bids),
            sell_quantity: total(&asks),
            open: desk.open,
            high: desk.high,
            low: desk.low,
            close: desk.previous_close(),
            net_change: if known { desk.ltp() - desk.previous_close() } else { 0 },
            oi: desk.oi(),
            oi_day_high: desk.oi_high,
            oi_day_low: desk.oi_low,
            lower_circuit: lower,
            upper_circuit: upper,
            bids,
            asks,
        })
    }

    /// Expiries listed for an index, ascending.
    pub fn expiries(&self, underlying: Underlying) -> Vec<NaiveDate> {
        let options = self.board().listed().iter().filter_map(|l| l.instrument.option());
        let all: std::collections::BTreeSet<NaiveDate> =
            options.filter(|c| c.underlying == underlying).map(|c| c.expiry).collect();
        all.into_iter().collect()
    }

    /// The chain of one expiry; `None` when there is none.
    pub fn chain(&self, underlying: Underlying, expiry: NaiveDate) -> Option<Chain> {
        let (_, index) = self.board().index(underlying)?;
        let spot = index.ltp() as f64 / 100.0;
        let hours = self.hours()?;
        // The exact close of a later day may differ; a day's close is near enough for a figure nobody decides on.
        let pricer = Pricer::new(
            Model::BlackScholes,
            spot,
            years_to(self.now(), Instant::from_ist(expiry, hours.close())),
            RATE,
            0.0,
        );
        let mut strikes: BTreeMap<Strike, ChainStrike> = BTreeMap::new();
        for listed in self.board().listed() {
            let InstrumentKind::Option(contract) = &listed.instrument.kind else { continue };
            if contract.underlying != underlying || contract.expiry != expiry {
                continue;
            }
            let side = chain_side(listed, contract, self.board().desk(listed.slot()), pricer.as_ref().ok());
            let strike = strikes.entry(contract.strike).or_default();
            match contract.right {
                Right::Call => strike.call = Some(side),
                Right::Put => strike.put = Some(side),
            }
        }
        (!strikes.is_empty()).then(|| Chain { last_price: index.ltp(), strikes })
    }

    /// Bars of one of [`INTERVALS`] that start in `[from, to]`, oldest first; today's last one may still be forming.
    pub fn intraday(&self, key: Key, minutes: u32, from: Instant, to: Instant) -> Vec<Candle> {
        let mut all = Vec::new();
        for past in self.past() {
            if let Some(bars) = past.bars.get(&key) {
                all.extend(candles(&past.hours, bars, minutes));
            }
        }
        if let (Some(hours), Some((_, desk))) = (self.hours(), self.board().find(key)) {
            all.extend(candles(hours, desk.bars(), minutes));
        }
        all.retain(|c| from <= c.start && c.start <= to);
        all
    }

    /// One bar per day in `[from, to)`, oldest first.
    pub fn daily(&self, key: Key, from: NaiveDate, to: NaiveDate) -> Vec<Candle> {
        let past = self.past().iter().filter_map(|p| Some((&p.hours, p.bars.get(&key)?.as_slice())));
        let today = self.hours().zip(self.board().find(key)).map(|(hours, (_, desk))| (hours, desk.bars()));
        past.chain(today)
            .filter(|(hours, _)| from <= hours.day && hours.day < to)
            .filter_map(|(hours, bars)| daily(hours, bars))
            .collect()
    }

    /// The instrument in a slot of today.
    pub fn listed(&self, slot: InstrumentId) -> &Listed {
        &self.board().listed()[slot.slot()]
    }
}

/// Lowest and highest price that the limit-price protection lets an order name now; 0 where nothing is known.
fn circuits(listed: &Listed, desk: &Desk) -> (i64, i64) {
    if listed.max_qty == 0 || desk.ltp() == 0 {
        return (0, 0);
    }
    let (band, last) = (PriceBand::default(), Premium::from_paise(desk.ltp()));
    let lower = band.edge(OrderSide::Sell, last).ceil_to(listed.tick).max(listed.tick);
    (lower.paise(), band.edge(OrderSide::Buy, last).floor_to(listed.tick).paise())
}

fn chain_side(listed: &Listed, contract: &OptionContract, desk: &Desk, pricer: Option<&Pricer>) -> ChainSide {
    let last = desk.last.as_ref();
    let price = desk.ltp() as f64 / 100.0;
    let solved: Option<OptionGreeks> = pricer
        .filter(|_| price > 0.0)
        .and_then(|p| p.solve(contract.right, contract.strike.as_points_f64(), price).ok());
    let figure = |get: fn(&OptionGreeks) -> f64| solved.as_ref().map_or(0.0, get);
    ChainSide {
        security_id: listed.instrument.security_id,
        last_price: desk.ltp(),
        previous_close: desk.previous_close(),
        average_price: desk.average(),
        top_bid: last.map(|t| t.bids[0]).unwrap_or_default(),
        top_ask: last.map(|t| t.asks[0]).unwrap_or_default(),
        oi: desk.oi(),
        previous_oi: desk.previous.map_or(0, |c| c.oi),
        volume: desk.volume,
        previous_volume: desk.previous.map_or(0, |c| c.volume),
        implied_volatility: figure(|g| g.iv * 100.0),
        delta: figure(|g| g.delta),
        gamma: figure(|g| g.gamma),
        theta: figure(|g| g.theta / 365.0),
        vega: figure(|g| g.vega / 100.0),
    }
}
