//! Prices, implied volatility and Greeks of European index options, computed here and owned by us.
//!
//! Two models: [`Model::Black76`] on the forward, which decisions use, and [`Model::BlackScholes`] on the spot, for
//! comparison with brokers' figures. Time is ACT/365 to the second ([`time`]), the forward has a named source
//! ([`forward`]), and a contract's figures carry a [`Confidence`]. What cannot be computed is a typed refusal, never NaN.
//!
//! Units: prices, spot, forward and strike in index points; rates, yields and volatilities absolute per year (0.065,
//! 0.12); vega per 1.00 of volatility, theta per year (negative while value decays), rho per 1.00 of rate.
#![allow(clippy::float_arithmetic, reason = "option models compute in f64 index points, not money")]

pub mod black76;
pub mod black_scholes;
pub mod confidence;
mod double_double;
pub mod forward;
pub mod implied_vol;
pub mod model;
pub mod normal;
pub mod pricer;
pub mod time;

pub use confidence::{Confidence, Evidence, PriceBasis};
pub use forward::{Forward, ForwardInputs, ForwardSource, ParityPair, TwoSided, forward};
pub use implied_vol::{IvRefusal, implied_vol};
pub use model::{Model, OptionGreeks, PricingRefusal};
pub use pricer::Pricer;
pub use time::years_to;
