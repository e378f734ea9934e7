//! Volatility implied by a price, or the typed reason why there is none.
//!
//! An in-the-money price is first turned into its time value by put-call parity, because only the time value carries
//! volatility; the solver (`implied-vol`, Jäckel's "Let's Be Rational") then sees an out-of-the-money option. Where the
//! time value is too small for f64 to resolve, it is worked out with 31 digits, so at, above and below the intrinsic
//! value are told apart exactly. Every answer is priced again before it leaves.

use implied_vol::{DefaultSpecialFn, ImpliedBlackVolatilityNormalised};
use serde::Serialize;

use super::black76::sign;
use super::double_double::DoubleDouble;
use super::model::{Model, PricingRefusal};
use super::normal::cdf;
use super::pricer::{Market, Pricer};
use crate::domain::Right;

/// Largest difference between the price given and the price at the volatility found, points.
pub const REPRICE_TOLERANCE: f64 = 1e-6;
/// Share of the larger leg below which a time value is worked out with 31 digits.
const RESOLVE_EXACTLY_BELOW: f64 = 1e-6;

/// Why a price implies no volatility.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IvRefusal {
    /// The price lies below the discounted intrinsic value.
    #[error("the price lies below the discounted intrinsic value")]
    BelowIntrinsic,
    /// The price equals the discounted intrinsic value: any small volatility would do.
    #[error("the price equals the discounted intrinsic value, which carries no volatility")]
    AtIntrinsic,
    /// The price reaches what the option can never be worth: the discounted underlying (call) or strike (put).
    #[error("the price is not below the discounted underlying (call) or strike (put)")]
    AboveUpperBound,
    /// The price is zero or negative.
    #[error("the price is not above 0")]
    #[serde(rename = "nonpositive_price")]
    NonPositivePrice,
    /// No time is left.
    #[error("the contract has expired: time to expiry is not above 0")]
    Expired,
    /// An input is NaN or infinite, or spot, forward or strike is not above 0.
    #[error("an input is not a usable number")]
    NotFinite,
    /// No volatility found whose price agrees with the one given.
    #[error("no volatility found that reproduces the price")]
    NotConverged,
}

impl IvRefusal {
    /// Name in reports and files, e.g. `below_intrinsic`.
    pub const fn code(self) -> &'static str {
        match self {
            IvRefusal::BelowIntrinsic => "below_intrinsic",
            IvRefusal::AtIntrinsic => "at_intrinsic",
            IvRefusal::AboveUpperBound => "above_upper_bound",
            IvRefusal::NonPositivePrice => "nonpositive_price",
            IvRefusal::Expired => "expired",
            IvRefusal::NotFinite => "not_finite",
            IvRefusal::NotConverged => "not_converged",
        }
    }
}

impl From<PricingRefusal> for IvRefusal {
    fn from(refusal: PricingRefusal) -> IvRefusal {
        match refusal {
            PricingRefusal::Expired => IvRefusal::Expired,
            PricingRefusal::NotFinite => IvRefusal::NotFinite,
            PricingRefusal::NoVolatility => IvRefusal::NotConverged,
        }
    }
}

/// Implied volatility of one contract, absolute per year. Arguments as in [`Pricer::new`] and [`Pricer::implied_vol`];
/// for a chain build one [`Pricer`].
///
/// # Errors
/// [`IvRefusal`] says why there is none.
#[expect(clippy::too_many_arguments, reason = "the eight numbers of the formula, in its order")]
pub fn implied_vol(
    model: Model,
    right: Right,
    underlying: f64,
    strike: f64,
    t_years: f64,
    rate: f64,
    dividend_yield: f64,
    price: f64,
) -> Result<f64, IvRefusal> {
    Pricer::new(model, underlying, t_years, rate, dividend_yield)?.implied_vol(right, strike, price)
}

pub(super) fn solve(market: &Market, right: Right, strike: f64, price: f64) -> Result<f64, IvRefusal> {
    if !strike.is_finite() || strike <= 0.0 || !price.is_finite() {
        return Err(IvRefusal::NotFinite);
    }
    if price <= 0.0 {
        return Err(IvRefusal::NonPositivePrice);
    }
    let asset = market.underlying * market.dq;
    let bond = strike * market.df;
    let larger = asset.max(bond);
    let intrinsic = sign(right) * (asset - bond);
    let upper = match right {
        Right::Call => asset,
        Right::Put => bond,
    };
    let near = RESOLVE_EXACTLY_BELOW * larger;
    let (time_value, headroom) = if price - intrinsic.max(0.0) < near && intrinsic > -near || upper - price < near {
        exact_bounds(market, right, strike, price)
    } else {
        (price - intrinsic.max(0.0), upper - price)
    };
    if headroom <= 0.0 {
        return Err(IvRefusal::AboveUpperBound);
    }
    if time_value < 0.0 {
        return Err(IvRefusal::BelowIntrinsic);
    }
    if time_value == 0.0 {
        return Err(IvRefusal::AtIntrinsic);
    }
    let log_moneyness = market.log_moneyness(strike);
    let normalised = time_value / (asset.sqrt() * bond.sqrt());
    let deviation = ImpliedBlackVolatilityNormalised::builder()
        .log_moneyness(log_moneyness)
        .normalised_price(normalised)
        .build()
        .and_then(|solver| solver.calculate::<DefaultSpecialFn>())
        .filter(|deviation| deviation.is_finite() && *deviation > 0.0)
        .ok_or(IvRefusal::NotConverged)?;
    let sigma = deviation / market.sqrt_t;
    // The same option out of the money, at the volatility found.
    let side = if log_moneyness > 0.0 { -1.0 } else { 1.0 };
    let d1 = log_moneyness / deviation + 0.5 * deviation;
    let repriced = side * (asset * cdf(side * d1) - bond * cdf(side * (d1 - deviation)));
    let tolerance = REPRICE_TOLERANCE.max(1e-12 * larger);
    let agrees = (repriced - time_value).abs() <= tolerance;
    if sigma.is_normal() && agrees { Ok(sigma) } else { Err(IvRefusal::NotConverged) }
}

/// (price above its lower bound, room below its upper bound), each the rounding of an exact difference.
fn exact_bounds(market: &Market, right: Right, strike: f64, price: f64) -> (f64, f64) {
    let (asset, bond) = market.exact_legs(strike);
    let price = DoubleDouble::from(price);
    let (upper, intrinsic) = match right {
        Right::Call => (asset, asset.minus(bond)),
        Right::Put => (bond, bond.minus(asset)),
    };
    let time_value = if intrinsic.value() > 0.0 { price.minus(intrinsic) } else { price };
    (time_value.value(), upper.minus(price).value())
}
