//! How far a contract's Greeks can be trusted. Nothing trades on [`Confidence::Low`].

use serde::Serialize;

use super::forward::ForwardSource;
use super::implied_vol::IvRefusal;
use crate::domain::Age;

/// Trust in a contract's own volatility and Greeks; ordered, `Low` first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Confidence {
    /// Not to be traded on.
    Low,
    /// Good enough to trade on.
    Medium,
    /// Observed on both sides and priced on an observed forward.
    High,
}

impl Confidence {
    /// `HIGH`, `MEDIUM` or `LOW`.
    pub const fn code(self) -> &'static str {
        match self {
            Confidence::Low => "LOW",
            Confidence::Medium => "MEDIUM",
            Confidence::High => "HIGH",
        }
    }
}

/// What the price fed to the solver was. Points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PriceBasis {
    /// Middle of a two-sided quote this wide.
    Mid {
        /// Ask minus bid.
        spread: f64,
    },
    /// The last trade, where the source carries no book.
    LastTrade,
    /// Anything that stands in for an observation: a previous close, a polled price beside a live feed, a last trade while
    /// the book has only one side.
    Fallback,
}

/// Everything a grade is made from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence {
    /// Source of the forward.
    pub forward: ForwardSource,
    /// What the price was.
    pub basis: PriceBasis,
    /// The price, points.
    pub price: f64,
    /// Age of the price.
    pub age: Age,
    /// Oldest acceptable age for its source.
    pub age_limit: Age,
    /// Price above the discounted intrinsic value, points ([`super::Pricer::time_value`]).
    pub time_value: f64,
    /// Smallest price step, points.
    pub tick: f64,
    /// Why there is no volatility, if there is none.
    pub refusal: Option<IvRefusal>,
}

/// A spread up to this share of the price is tight.
pub const TIGHT_SPREAD: f64 = 0.015;
/// A spread up to this many ticks is tight whatever the price.
pub const TIGHT_TICKS: f64 = 2.0;
/// A spread above this share of the price (and above [`WIDE_TICKS`]) says nothing about the value.
pub const WIDE_SPREAD: f64 = 0.10;
/// A spread up to this many ticks is never wide.
pub const WIDE_TICKS: f64 = 4.0;
/// Below this many ticks of time value one tick moves the volatility by more than the volatility is worth.
pub const TIME_VALUE_TICKS_LOW: f64 = 1.0;
/// From this many ticks of time value on the volatility is well resolved.
pub const TIME_VALUE_TICKS_HIGH: f64 = 5.0;

impl Evidence {
    /// The grade: the lowest column any row lands in.
    ///
    /// | evidence | LOW | MEDIUM | HIGH |
    /// |---|---|---|---|
    /// | volatility | refused or not converged | - | found |
    /// | price | fallback | last trade, no book | mid of a two-sided quote |
    /// | spread of the quote | above 10 % of the price and 4 ticks | between | up to 1.5 % of the price or 2 ticks |
    /// | age of the price | above its limit | above half its limit | up to half its limit |
    /// | time value | below 1 tick | below 5 ticks | 5 ticks or more |
    /// | forward | - | spot with carry | future of the expiry, or put-call parity |
    ///
    /// A figure that is not a number lands in LOW.
    pub fn confidence(&self) -> Confidence {
        let is_usable = self.price > 0.0 && self.price.is_finite() && self.tick > 0.0 && self.time_value.is_finite();
        if self.refusal.is_some() || !is_usable || self.age > self.age_limit {
            return Confidence::Low;
        }
        // Prices are multiples of a tick in decimal, not in binary: a limit met exactly must count as met.
        let at_most = |part: f64, whole: f64| part <= whole * (1.0 + 1e-9);
        let basis = match self.basis {
            PriceBasis::Fallback => Confidence::Low,
            PriceBasis::LastTrade => Confidence::Medium,
            PriceBasis::Mid { spread } => {
                let within =
                    |share: f64, ticks: f64| at_most(spread, share * self.price) || at_most(spread, ticks * self.tick);
                if !(spread >= 0.0 && within(WIDE_SPREAD, WIDE_TICKS)) {
                    Confidence::Low
                } else if within(TIGHT_SPREAD, TIGHT_TICKS) {
                    Confidence::High
                } else {
                    Confidence::Medium
                }
            }
        };
        let age = if self.age.nanos() <= self.age_limit.nanos() / 2 { Confidence::High } else { Confidence::Medium };
        let time_value = if !at_most(TIME_VALUE_TICKS_LOW * self.tick, self.time_value) {
            Confidence::Low
        } else if !at_most(TIME_VALUE_TICKS_HIGH * self.tick, self.time_value) {
            Confidence::Medium
        } else {
            Confidence::High
        };
        let forward = match self.forward {
            ForwardSource::Future | ForwardSource::Parity => Confidence::High,
            ForwardSource::SpotCarry => Confidence::Medium,
        };
        basis.min(age).min(time_value).min(forward)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEST: Evidence = Evidence {
        forward: ForwardSource::Parity,
        basis: PriceBasis::Mid { spread: 0.30 },
        price: 100.0,
        age: Age::from_millis(500),
        age_limit: Age::from_millis(2_000),
        time_value: 40.0,
        tick: 0.05,
        refusal: None,
    };

    fn check(evidence: Evidence, expected: Confidence) {
        assert_eq!(evidence.confidence(), expected, "{evidence:?}");
    }

    #[test]
    fn a_fresh_tight_quote_on_an_observed_forward_is_high() {
        check(BEST, Confidence::High);
        check(Evidence { forward: ForwardSource::Future, ..BEST }, Confidence::High);
    }

    #[test]
    fn each_weakness_alone_costs_a_grade() {
        check(Evidence { forward: ForwardSource::SpotCarry, ..BEST }, Confidence::Medium);
        check(Evidence { basis: PriceBasis::LastTrade, ..BEST }, Confidence::Medium);
        check(Evidence { basis: PriceBasis::Mid { spread: 1.55 }, ..BEST }, Confidence::Medium);
        check(Evidence { age: Age::from_millis(1_001), ..BEST }, Confidence::Medium);
        check(Evidence { time_value: 0.20, ..BEST }, Confidence::Medium);
        check(Evidence { basis: PriceBasis::LastTrade, forward: ForwardSource::SpotCarry, ..BEST }, Confidence::Medium);
    }

    #[test]
    fn a_fallback_price_a_stale_one_and_no_convergence_are_low() {
        check(Evidence { basis: PriceBasis::Fallback, ..BEST }, Confidence::Low);
        check(Evidence { age: Age::from_millis(2_001), ..BEST }, Confidence::Low);
        for refusal in [IvRefusal::NotConverged, IvRefusal::BelowIntrinsic, IvRefusal::Expired] {
            check(Evidence { refusal: Some(refusal), ..BEST }, Confidence::Low);
        }
        check(Evidence { basis: PriceBasis::Mid { spread: 10.05 }, ..BEST }, Confidence::Low);
        check(Evidence { time_value: 0.04, ..BEST }, Confidence::Low);
    }

    #[test]
    fn the_limits_themselves_are_inside() {
        check(Evidence { age: Age::from_millis(1_000), ..BEST }, Confidence::High);
        check(Evidence { age: Age::from_millis(2_000), ..BEST }, Confidence::Medium);
        check(Evidence { basis: PriceBasis::Mid { spread: 1.5 }, ..BEST }, Confidence::High);
        check(Evidence { basis: PriceBasis::Mid { spread: 10.0 }, ..BEST }, Confidence::Medium);
        check(Evidence { time_value: 0.05, ..BEST }, Confidence::Medium);
        check(Evidence { time_value: 0.25, ..BEST }, Confidence::High);
    }

    #[test]
    fn a_cheap_option_is_judged_in_ticks() {
        let cheap = Evidence { price: 0.50, time_value: 0.50, ..BEST };
        check(Evidence { basis: PriceBasis::Mid { spread: 0.10 }, ..cheap }, Confidence::High);
        check(Evidence { basis: PriceBasis::Mid { spread: 0.20 }, ..cheap }, Confidence::Medium);
        check(Evidence { basis: PriceBasis::Mid { spread: 0.25 }, ..cheap }, Confidence::Low);
    }

    #[test]
    fn f88_what_is_not_a_number_is_low() {
        for bad in [f64::NAN, f64::INFINITY] {
            check(Evidence { price: bad, ..BEST }, Confidence::Low);
            check(Evidence { time_value: bad, ..BEST }, Confidence::Low);
            check(Evidence { tick: f64::NAN, ..BEST }, Confidence::Low);
            check(Evidence { basis: PriceBasis::Mid { spread: bad }, ..BEST }, Confidence::Low);
        }
    }
}
