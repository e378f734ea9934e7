//! One generated contract: its spread, its five levels of book, its trades, volume and open interest.

use scalper_decide::domain::tick::DEPTH;
use scalper_decide::domain::{BookLevel, Right};

use super::price::ExpiryState;
use super::random::Stream;

/// What a contract shows on one tick, in paise and units.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quote {
    pub ltp: i64,
    pub ltq: i64,
    pub volume: i64,
    pub oi: i64,
    pub bids: [BookLevel; DEPTH],
    pub asks: [BookLevel; DEPTH],
}

/// What kind of contract it is, with what its price needs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Terms {
    /// A future on the index.
    Future,
    /// An option.
    Option {
        /// Exercise price in points.
        strike: f64,
        /// Call or put.
        right: Right,
    },
}

/// A contract that trades.
#[derive(Debug, Clone)]
pub(crate) struct Contract {
    terms: Terms,
    /// Smallest price step in paise.
    tick: i64,
    /// Units in a lot.
    lot: i64,
    /// Strike step of the chain in points: the unit of distance from the money.
    step: f64,
    /// Slow error of the market maker, in half spreads.
    lean: f64,
    ltp: i64,
    volume: i64,
    oi: i64,
    oi_unit: i64,
}

impl Contract {
    /// A contract before its first quote of the day. `spot` and `atm_oi` place its open interest.
    pub(crate) fn new(
        terms: Terms,
        tick: i64,
        lot: i64,
        step: f64,
        spot: f64,
        atm_oi: f64,
        stream: &mut Stream,
    ) -> Contract {
        let units = match terms {
            Terms::Future => 4.0 * atm_oi,
            Terms::Option { strike, right } => {
                // Interest peaks a little out of the money and at round strikes, and dries up in the money.
                let out = otm_steps(strike, right, spot, step);
                let distance = if out >= 0.0 { (out - 1.0).abs() / 7.0 } else { -out / 2.5 };
                let round = if strike % (10.0 * step) == 0.0 { 2.2 } else { 1.0 };
                (atm_oi * round * stream.between(0.7, 1.3) / (1.0 + distance * distance * distance)).max(atm_oi / 400.0)
            }
        };
        let lots = (units / lot as f64).max(1.0) as i64;
        Contract {
            terms,
            tick,
            lot,
            step,
            lean: 0.0,
            ltp: 0,
            volume: 0,
            oi: lots * lot,
            oi_unit: (lots / 2_000).max(1) * lot,
        }
    }

    /// Whether this is a future.
    pub(crate) const fn is_future(&self) -> bool {
        matches!(self.terms, Terms::Future)
    }

    /// How eagerly it is quoted, 1.5 at the money. Depth of interest falls off with the distance in strikes.
    pub(crate) fn eagerness(&self, spot: f64) -> f64 {
        match self.terms {
            Terms::Future => 1.0,
            Terms::Option { strike, .. } => match ((strike - spot).abs() / self.step) as u32 {
                0 => 1.5,
                1 => 1.35,
                2 => 1.0,
                3 => 0.6,
                4 => 0.35,
                5 => 0.2,
                _ => 0.1,
            },
        }
    }

    /// The next tick. `unease` is the noise multiple of the moment: spreads widen when it exceeds 1.
    pub(crate) fn quote(&mut self, spot: f64, state: &ExpiryState, unease: f64, stream: &mut Stream) -> Quote {
        let fair = match self.terms {
            Terms::Future => state.forward,
            Terms::Option { strike, right } => state.price(right, strike),
        };
        let dice = stream.bits();
        let tick_points = self.tick as f64 / 100.0;
        let spread_points = self.spread(fair, spot) * unease.max(1.0) * (0.7 + 0.6 * bits(dice, 0, 8) / 256.0);
        let spread = ((spread_points / tick_points + 0.5) as i64).max(1);
        self.lean = 0.85 * self.lean + 0.25 * (bits(dice, 8, 8) / 128.0 - 1.0);
        let mid = fair / tick_points + 0.5 * self.lean * spread as f64;
        let bid = ((mid - 0.5 * spread as f64 + 0.5).floor() as i64).max(1);
        let ask = bid + spread;

        let mut ltq = 0;
        if self.ltp == 0 || dice >> 16 & 7 < 5 {
            self.ltp = if dice >> 19 & 1 == 0 { bid } else { ask } * self.tick;
            let lots = 1 + (dice >> 20 & 0x1f) as i64;
            ltq = lots * self.lot;
            // Between two ticks more changed hands than the last trade shows.
            self.volume += ltq + (dice >> 25 & 0x3f) as i64 * self.oi_unit / 4 / self.lot * self.lot;
        }
        if dice >> 32 & 3 == 0 {
            let drift = (dice >> 34 & 7) as i64 - 3;
            self.oi = (self.oi + drift * self.oi_unit).max(self.lot);
        }
        let depth = stream.bits();
        // Deep books step by a tick, thin ones by up to the spread.
        let gap = 1 + (spread - 1) / 2;
        let mut quote = Quote {
            ltp: self.ltp,
            ltq,
            volume: self.volume,
            oi: self.oi,
            bids: [BookLevel::default(); DEPTH],
            asks: [BookLevel::default(); DEPTH],
        };
        for level in 0..DEPTH {
            let away = level as i64 * gap;
            let size = |shift: usize| {
                let lots = 1 + (depth >> (12 * level + shift) & 0x3f) as i64 * (level as i64 + 2) / 4;
                (lots * self.lot) as u32
            };
            if bid > away {
                quote.bids[level] = BookLevel { price: ((bid - away) * self.tick) as i32, qty: size(0) };
            }
            quote.asks[level] = BookLevel { price: ((ask + away) * self.tick) as i32, qty: size(6) };
        }
        quote
    }

    /// Spread in points: a few ticks near the money, wider with the premium, far out and in the money.
    fn spread(&self, fair: f64, spot: f64) -> f64 {
        match self.terms {
            Terms::Future => 0.000_02 * spot,
            Terms::Option { strike, right } => {
                let out = otm_steps(strike, right, spot, self.step);
                let near = 0.06 + (0.000_4 * fair).min(0.24);
                let far = (out.abs() - 4.0).max(0.0);
                let thin = if out < 0.0 { 0.000_7 * fair * far } else { 0.01 * far };
                near + thin
            }
        }
    }
}

/// Strike steps out of the money; negative in the money.
fn otm_steps(strike: f64, right: Right, spot: f64, step: f64) -> f64 {
    match right {
        Right::Call => (strike - spot) / step,
        Right::Put => (spot - strike) / step,
    }
}

/// `count` bits of `word` from `shift` on, as a number.
fn bits(word: u64, shift: u32, count: u32) -> f64 {
    (word >> shift & ((1 << count) - 1)) as f64
}
