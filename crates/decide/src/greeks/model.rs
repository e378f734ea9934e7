//! The words of the option models.

use serde::Serialize;

/// Which closed form prices the option.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Model {
    /// Black-Scholes-Merton on the spot with a continuous yield; delta with respect to the spot.
    #[serde(rename = "bsm")]
    BlackScholes,
    /// Black-76 on the forward; delta with respect to the forward, `df * N(d1)`. The yield has no effect.
    #[serde(rename = "b76")]
    Black76,
}

impl Model {
    /// `bsm` or `b76`.
    pub const fn code(self) -> &'static str {
        match self {
            Model::BlackScholes => "bsm",
            Model::Black76 => "b76",
        }
    }

    /// From its code.
    pub fn from_code(code: &str) -> Option<Model> {
        [Model::BlackScholes, Model::Black76].into_iter().find(|model| model.code() == code)
    }
}

/// Price and sensitivities of one option at one volatility. Every figure is finite.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct OptionGreeks {
    /// Model price at `iv`, points.
    pub price: f64,
    /// The volatility all figures belong to, absolute per year (0.12 = 12 %).
    pub iv: f64,
    /// Change of the price per point of the underlying (spot or forward, by the model).
    pub delta: f64,
    /// Change of delta per point of the underlying.
    pub gamma: f64,
    /// Change of the price per 1.00 of volatility; divide by 100 for a vol point.
    pub vega: f64,
    /// Change of the price per year that passes; divide by 365 for a day.
    pub theta: f64,
    /// Change of the price per 1.00 of interest rate.
    pub rho: f64,
}

impl OptionGreeks {
    /// `Some` when every figure is a number.
    pub(super) fn if_finite(self) -> Option<OptionGreeks> {
        let all = [self.price, self.iv, self.delta, self.gamma, self.vega, self.theta, self.rho];
        all.iter().all(|figure| figure.is_finite()).then_some(self)
    }
}

/// Why an option cannot be priced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PricingRefusal {
    /// No time is left: the value is the settlement's, not a model's.
    #[error("the contract has expired: time to expiry is not above 0")]
    Expired,
    /// An input is NaN or infinite, spot, forward or strike is not above 0, or a result leaves f64.
    #[error("an input or result is not a usable number")]
    NotFinite,
    /// Volatility is zero or negative.
    #[error("volatility is not above 0")]
    NoVolatility,
}

impl PricingRefusal {
    /// `expired`, `not_finite` or `no_volatility`.
    pub const fn code(self) -> &'static str {
        match self {
            PricingRefusal::Expired => "expired",
            PricingRefusal::NotFinite => "not_finite",
            PricingRefusal::NoVolatility => "no_volatility",
        }
    }
}
