//! The forward an expiry is priced on, and where it came from.
//!
//! In order: a future of the same expiry; put-call parity at the strikes nearest the money; the spot with carry. What is
//! stale, one-sided or crossed cannot be passed in, so the next source is taken instead of a bad number.

use serde::Serialize;

use crate::domain::Age;

/// Strikes that vote on the parity forward.
pub const PARITY_STRIKES: usize = 3;

/// Where a forward came from, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ForwardSource {
    /// A future of the same expiry.
    Future,
    /// Call minus put at the strikes nearest the money.
    Parity,
    /// The spot index grown at the interest rate less the yield.
    SpotCarry,
}

/// A forward level.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Forward {
    /// Points.
    pub value: f64,
    /// Its source.
    pub source: ForwardSource,
}

/// A fresh quote with both sides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TwoSided {
    bid: f64,
    ask: f64,
}

impl TwoSided {
    /// `Some` when both sides are prices above 0, the bid is not above the ask and the quote is no older than `limit`.
    pub fn new(bid: f64, ask: f64, age: Age, limit: Age) -> Option<TwoSided> {
        (bid > 0.0 && bid <= ask && ask.is_finite() && age <= limit).then_some(TwoSided { bid, ask })
    }

    /// Middle of the two sides.
    pub const fn mid(self) -> f64 {
        self.bid + (self.ask - self.bid) / 2.0
    }

    /// Distance of the two sides.
    pub const fn spread(self) -> f64 {
        self.ask - self.bid
    }
}

/// Call and put of one strike; a side is `None` when it has no fresh two-sided quote.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ParityPair {
    /// Strike, points.
    pub strike: f64,
    /// The call.
    pub call: Option<TwoSided>,
    /// The put.
    pub put: Option<TwoSided>,
}

/// What a forward can be made from. Prices in points; `None` for what is missing or stale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ForwardInputs<'a> {
    /// A future of the very same expiry: its mid, or its last price.
    pub future: Option<f64>,
    /// Strikes of the expiry, in any order.
    pub pairs: &'a [ParityPair],
    /// The spot index.
    pub spot: Option<f64>,
    /// Time to expiry, years.
    pub t_years: f64,
    /// Interest rate, continuous, absolute per year.
    pub rate: f64,
    /// Dividend yield of the index, continuous, absolute per year.
    pub dividend_yield: f64,
}

/// The forward, or `None` when no source is usable.
pub fn forward(inputs: &ForwardInputs<'_>) -> Option<Forward> {
    let is_level = |value: &f64| value.is_finite() && *value > 0.0;
    let growth = (inputs.rate * inputs.t_years).exp();
    let with = |value: f64, source| is_level(&value).then_some(Forward { value, source });
    if let Some(future) = inputs.future.filter(is_level) {
        return with(future, ForwardSource::Future);
    }
    if let Some(parity) = parity_forward(inputs.pairs, growth).and_then(|value| with(value, ForwardSource::Parity)) {
        return Some(parity);
    }
    let spot = inputs.spot.filter(is_level)?;
    with(spot * ((inputs.rate - inputs.dividend_yield) * inputs.t_years).exp(), ForwardSource::SpotCarry)
}

/// Median of `K + (C - P) e^(rt)` over the strikes where call and put cost most nearly the same: those are the ones
/// nearest the money, whatever the spot says. Two strikes give their mean.
fn parity_forward(pairs: &[ParityPair], growth: f64) -> Option<f64> {
    // (distance from the money, strike, forward), nearest first; equal distances by strike, so order cannot matter.
    let mut nearest: [Option<(f64, f64, f64)>; PARITY_STRIKES] = [None; PARITY_STRIKES];
    for pair in pairs {
        let (Some(call), Some(put)) = (pair.call, pair.put) else { continue };
        let difference = call.mid() - put.mid();
        let value = pair.strike + difference * growth;
        if !(value.is_finite() && pair.strike > 0.0) {
            continue;
        }
        let mut candidate = (difference.abs(), pair.strike, value);
        for place in &mut nearest {
            match place {
                None => {
                    *place = Some(candidate);
                    break;
                }
                Some(held) if (candidate.0, candidate.1) < (held.0, held.1) => std::mem::swap(held, &mut candidate),
                Some(_) => {}
            }
        }
    }
    let mut values: smallvec::SmallVec<[f64; PARITY_STRIKES]> =
        nearest.iter().flatten().map(|(_, _, value)| *value).collect();
    values.sort_by(f64::total_cmp);
    match values.as_slice() {
        [] => None,
        [only] => Some(*only),
        [low, high] => Some((low + high) / 2.0),
        [_, middle, ..] => Some(*middle),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two(bid: f64, ask: f64) -> Option<TwoSided> {
        TwoSided::new(bid, ask, Age::ZERO, Age::from_secs(5))
    }

    fn pair(strike: f64, call: f64, put: f64) -> ParityPair {
        ParityPair { strike, call: two(call - 0.5, call + 0.5), put: two(put - 0.5, put + 0.5) }
    }

    fn inputs(pairs: &[ParityPair]) -> ForwardInputs<'_> {
        ForwardInputs { future: None, pairs, spot: Some(25_000.0), t_years: 0.02, rate: 0.065, dividend_yield: 0.0125 }
    }

    #[test]
    fn a_future_of_the_same_expiry_comes_first() {
        let pairs = [pair(25_000.0, 120.0, 100.0)];
        let got = forward(&ForwardInputs { future: Some(25_031.5), ..inputs(&pairs) }).unwrap();
        assert_eq!(got, Forward { value: 25_031.5, source: ForwardSource::Future });
    }

    #[test]
    fn parity_takes_the_median_of_the_three_strikes_nearest_the_money() {
        let growth = (0.065_f64 * 0.02).exp();
        // 24,800 is farthest from the money and mispriced by 60 points: it has no vote.
        let mut pairs = [
            pair(24_800.0, 300.0, 20.0),
            pair(24_950.0, 150.0, 80.0),
            pair(25_000.0, 120.0, 100.0),
            pair(25_050.0, 90.0, 120.0),
        ];
        let got = forward(&inputs(&pairs)).unwrap();
        assert_eq!(got, Forward { value: 25_000.0 + 20.0 * growth, source: ForwardSource::Parity });
        pairs.reverse();
        assert_eq!(forward(&inputs(&pairs)).unwrap(), got, "the order of the strikes cannot matter");
    }

    #[test]
    fn a_stale_one_sided_or_crossed_quote_has_no_vote() {
        let limit = Age::from_secs(5);
        assert_eq!(TwoSided::new(10.0, 10.5, Age::from_millis(5_001), limit), None);
        assert_eq!(TwoSided::new(0.0, 10.5, Age::ZERO, limit), None);
        assert_eq!(TwoSided::new(10.5, 10.0, Age::ZERO, limit), None);
        assert_eq!(TwoSided::new(f64::NAN, 10.0, Age::ZERO, limit), None);
        assert_eq!(TwoSided::new(10.0, f64::INFINITY, Age::ZERO, limit), None);
        let pairs = [ParityPair { strike: 25_000.0, call: two(100.0, 101.0), put: None }];
        let got = forward(&inputs(&pairs)).unwrap();
        assert_eq!(got.source, ForwardSource::SpotCarry);
        assert!((got.value - 25_000.0 * (0.0525_f64 * 0.02).exp()).abs() < 1e-9);
    }

    #[test]
    fn without_any_source_there_is_no_forward() {
        let none = ForwardInputs { spot: None, ..inputs(&[]) };
        assert_eq!(forward(&none), None);
        assert_eq!(forward(&ForwardInputs { spot: Some(f64::NAN), ..none }), None);
        assert_eq!(forward(&ForwardInputs { future: Some(-1.0), ..none }), None);
    }
}
