//! Shared by the tests: a chain priced by the model, and its mirror image.

mod choice;
mod filters;
mod properties;
mod recorded;
mod strike_finding;

use chrono::NaiveDate;

use super::*;
use crate::domain::{Age, BookLevel, Bps, Instant, LotSize, Qty, Seq, TickFlags, TickSource, TimeOfDay, Underlying};
use crate::greeks::{Model, Pricer, years_to};
use crate::params::QuoteAgeLimits;
use crate::tick_cache::ChainLeg;

const RATE: f64 = 0.065;

fn day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, 9).unwrap()
}

fn expiry() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, 13).unwrap()
}

fn ist(day: NaiveDate, hour: u32, minute: u32) -> Instant {
    Instant::from_ist(day, TimeOfDay::hm(hour, minute).unwrap())
}

fn now() -> Stamp {
    Stamp { seq: Seq(1), at: ist(day(), 11, 0) }
}

/// Everything open, so that each test can close one door.
fn params() -> ChainParams {
    ChainParams {
        max_offset: 2,
        preferred_offset: None,
        atm_nearest_quoted: false,
        iv_min_pct: 10.0,
        iv_max_pct: 60.0,
        min_oi: Qty::new(50_000),
        max_spread: Bps::from_percent(3),
        min_abs_delta: 0.10,
        max_abs_delta: 0.70,
        premium_band: Default::default(),
        quote_age: QuoteAgeLimits { feed: Age::from_secs(2), snapshot: Age::from_secs(120), bar: Age::from_secs(60) },
        min_score: 0,
        interest_rate: RATE,
        min_minutes_to_expiry: 30,
    }
}

fn quote(ltp_paise: i64) -> Quote {
    Quote {
        ltp_paise,
        bid: None,
        ask: None,
        oi: Some(Qty::new(2_000_000)),
        volume: None,
        exchange_at: now().at,
        received_at: now().at,
        source: TickSource::Feed,
        flags: TickFlags::NONE,
    }
}

fn contract(points: i64, right: Right) -> OptionContract {
    OptionContract {
        underlying: Underlying::Nifty,
        expiry: expiry(),
        strike: Strike::from_points(points),
        right,
        lot: LotSize::new(65).unwrap(),
        tick: Premium::from_paise(5),
        max_order_qty: Qty::new(1_755),
    }
}

/// A quote with a book of `half` paise on each side of the price, which is rounded to the tick.
fn booked(price: f64, half: i32) -> Quote {
    let mid = ((price * 20.0).round() as i64 * 5).max(5);
    let side = |shift: i32| Some(BookLevel { price: (mid as i32 + shift).max(5), qty: 650 });
    Quote { bid: side(-half), ask: side(half), ..quote(mid) }
}

/// A NIFTY chain of steps of 50 around 25,650 at 14 % volatility; `forward` above `spot` is the basis.
fn chain(spot: i64, forward: f64) -> ChainSnapshot {
    let expires_at = ist(expiry(), 15, 30);
    let pricer = Pricer::new(Model::Black76, forward, years_to(now().at, expires_at), RATE, 0.0).unwrap();
    let legs = (25_000..=26_300)
        .step_by(50)
        .flat_map(|points| [(points, Right::Call), (points, Right::Put)])
        .zip(0..)
        .map(|((points, right), slot)| {
            let price = pricer.greeks(right, points as f64, 0.14).unwrap().price;
            ChainLeg { id: InstrumentId(slot), contract: contract(points, right), quote: Some(booked(price, 10)) }
        })
        .collect();
    ChainSnapshot {
        underlying: Underlying::Nifty,
        day: day(),
        expiry: expiry(),
        expires_at,
        spot: Some(quote(spot * 100)),
        future: None,
        legs,
    }
}

/// The quote of one leg.
fn leg(snapshot: &mut ChainSnapshot, points: i64, right: Right) -> &mut Quote {
    let strike = Strike::from_points(points);
    let leg = snapshot.legs.iter_mut().find(|l| l.contract.strike == strike && l.contract.right == right);
    leg.and_then(|l| l.quote.as_mut()).expect("the chain has the leg")
}

/// The same chain seen in a mirror at `about`: the call at `about + x` has the quote of the put at `about - x`.
fn mirrored(snapshot: &ChainSnapshot, about: i64) -> ChainSnapshot {
    let mirror = |paise: i64| 2 * about * 100 - paise;
    let mut image = snapshot.clone();
    for leg in &mut image.legs {
        leg.contract.strike = Strike::from_paise(mirror(leg.contract.strike.paise()));
        leg.contract.right = match leg.contract.right {
            Right::Call => Right::Put,
            Right::Put => Right::Call,
        };
    }
    image.legs.sort_by_key(|l| (l.contract.strike, l.contract.right));
    let spot = image.spot.as_mut().expect("the chain has a spot");
    spot.ltp_paise = mirror(spot.ltp_paise);
    image
}

/// One line per ranking: the choice, then every other candidate.
fn story(params: &ChainParams, direction: Direction, snapshot: &ChainSnapshot) -> String {
    match rank(params, now(), direction, snapshot) {
        Ok(pick) => {
            let c = &pick.chosen;
            let mut text = format!("{} {} score {}", c.contract.strike, c.contract.right, c.score);
            for judged in &pick.runners_up {
                text.push_str(&format!(" | {judged}"));
            }
            text
        }
        Err(none) => format!("{}: {none}", none.code()),
    }
}
