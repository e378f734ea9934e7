//! One market, many contracts: what depends only on the underlying, the rate and the time is worked out once and
//! used for every strike of a chain.

use super::double_double::DoubleDouble;
use super::implied_vol::{self, IvRefusal};
use super::model::{Model, OptionGreeks, PricingRefusal};
use super::{black_scholes, black76};
use crate::domain::Right;

/// Proved inputs and what follows from them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Market {
    pub(super) model: Model,
    pub(super) underlying: f64,
    pub(super) t_years: f64,
    pub(super) rate: f64,
    pub(super) dividend_yield: f64,
    pub(super) sqrt_t: f64,
    /// `e^(-r t)`.
    pub(super) df: f64,
    /// Discount of the underlying: `e^(-q t)` for a spot, `df` for a forward.
    pub(super) dq: f64,
    /// `ln(dq / df)`: 0 for a forward, exactly.
    pub(super) carry: f64,
}

impl Market {
    /// `ln(F / K)`. Near the money through `ln(1 + x)`, which keeps the digits that the quotient would lose.
    #[inline]
    pub(super) fn log_moneyness(&self, strike: f64) -> f64 {
        let relative = (self.underlying - strike) / strike;
        let ratio = if relative.abs() < 0.5 { relative.ln_1p() } else { (self.underlying / strike).ln() };
        ratio + self.carry
    }

    /// Discounted underlying minus discounted strike: what a call is worth above a put. Both rounded to f64.
    #[inline]
    pub(super) fn call_minus_put(&self, strike: f64) -> f64 {
        self.underlying * self.dq - strike * self.df
    }

    /// (discounted underlying, discounted strike) to about 31 digits.
    pub(super) fn exact_legs(&self, strike: f64) -> (DoubleDouble, DoubleDouble) {
        let df = DoubleDouble::exp(DoubleDouble::product(-self.rate, self.t_years));
        let dq = match self.model {
            Model::Black76 => df,
            Model::BlackScholes => DoubleDouble::exp(DoubleDouble::product(-self.dividend_yield, self.t_years)),
        };
        (dq.times(self.underlying), df.times(strike))
    }
}

/// Prices contracts of one underlying and one expiry.
#[derive(Debug, Clone, Copy)]
pub struct Pricer {
    market: Market,
}

impl Pricer {
    /// A market. `underlying` is the spot for [`Model::BlackScholes`] and the forward for [`Model::Black76`], in
    /// points; `t_years` as from [`super::time::years_to`]; `rate` and `dividend_yield` continuous, absolute per year.
    ///
    /// # Errors
    /// [`PricingRefusal::NotFinite`] for an unusable number, [`PricingRefusal::Expired`] when no time is left.
    pub fn new(
        model: Model,
        underlying: f64,
        t_years: f64,
        rate: f64,
        dividend_yield: f64,
    ) -> Result<Pricer, PricingRefusal> {
        if ![underlying, t_years, rate, dividend_yield].iter().all(|x| x.is_finite()) || underlying <= 0.0 {
            return Err(PricingRefusal::NotFinite);
        }
        if t_years <= 0.0 {
            return Err(PricingRefusal::Expired);
        }
        let df = (-rate * t_years).exp();
        let (dq, carry) = match model {
            Model::Black76 => (df, 0.0),
            Model::BlackScholes => ((-dividend_yield * t_years).exp(), (rate - dividend_yield) * t_years),
        };
        let market = Market { model, underlying, t_years, rate, dividend_yield, sqrt_t: t_years.sqrt(), df, dq, carry };
        if !(df.is_normal() && dq.is_normal() && carry.is_finite() && market.sqrt_t.is_normal()) {
            return Err(PricingRefusal::NotFinite);
        }
        Ok(Pricer { market })
    }

    /// The model in use.
    pub const fn model(&self) -> Model {
        self.market.model
    }

    /// Time to expiry in years.
    pub const fn t_years(&self) -> f64 {
        self.market.t_years
    }

    /// Least a European option can be worth: the discounted intrinsic value, 0 out of the money. Points.
    pub fn lower_bound(&self, right: Right, strike: f64) -> f64 {
        (black76::sign(right) * self.market.call_minus_put(strike)).max(0.0)
    }

    /// What `price` exceeds [`Pricer::lower_bound`] by; negative when it does not reach it. Points.
    pub fn time_value(&self, right: Right, strike: f64, price: f64) -> f64 {
        price - self.lower_bound(right, strike)
    }

    /// Price and Greeks at a given volatility (absolute per year).
    ///
    /// # Errors
    /// [`PricingRefusal::NoVolatility`] when `sigma` is not above 0, [`PricingRefusal::NotFinite`] for an unusable
    /// number or a result outside f64.
    pub fn greeks(&self, right: Right, strike: f64, sigma: f64) -> Result<OptionGreeks, PricingRefusal> {
        if !strike.is_finite() || strike <= 0.0 || !sigma.is_finite() {
            return Err(PricingRefusal::NotFinite);
        }
        if sigma <= 0.0 {
            return Err(PricingRefusal::NoVolatility);
        }
        let figures = match self.market.model {
            Model::BlackScholes => black_scholes::greeks(&self.market, right, strike, sigma),
            Model::Black76 => black76::greeks(&self.market, right, strike, sigma),
        };
        figures.if_finite().ok_or(PricingRefusal::NotFinite)
    }

    /// The volatility at which the model price is `price`.
    ///
    /// # Errors
    /// [`IvRefusal`] says why there is none.
    pub fn implied_vol(&self, right: Right, strike: f64, price: f64) -> Result<f64, IvRefusal> {
        implied_vol::solve(&self.market, right, strike, price)
    }

    /// Implied volatility and the Greeks at it.
    ///
    /// # Errors
    /// As [`Pricer::implied_vol`].
    pub fn solve(&self, right: Right, strike: f64, price: f64) -> Result<OptionGreeks, IvRefusal> {
        let sigma = self.implied_vol(right, strike, price)?;
        Ok(self.greeks(right, strike, sigma)?)
    }
}

impl OptionGreeks {
    /// Own volatility and Greeks from a price; the short form of [`Pricer::solve`] for a chain.
    ///
    /// # Errors
    /// [`IvRefusal`] says why there are none.
    pub fn solve(pricer: &Pricer, right: Right, strike: f64, price: f64) -> Result<OptionGreeks, IvRefusal> {
        pricer.solve(right, strike, price)
    }
}
