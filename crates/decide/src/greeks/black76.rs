//! Black-76: an option on a forward (Black, 1976).
//!
//! With `d1 = (ln(F/K) + sigma^2 t / 2) / (sigma sqrt t)`, `d2 = d1 - sigma sqrt t`, `df = e^(-r t)` and `s` = +1 for a
//! call, -1 for a put:
//!
//! | figure | closed form |
//! |---|---|
//! | price | `s df (F N(s d1) - K N(s d2))` |
//! | delta (by F) | `s df N(s d1)` |
//! | gamma | `df n(d1) / (F sigma sqrt t)` |
//! | vega | `df F n(d1) sqrt t` |
//! | theta | `r price - df F n(d1) sigma / (2 sqrt t)` |
//! | rho | `-t price` |

use super::model::OptionGreeks;
use super::normal::{cdf, pdf};
use super::pricer::Market;
use crate::domain::Right;

/// `+1` for a call, `-1` for a put.
#[inline]
pub(super) const fn sign(right: Right) -> f64 {
    match right {
        Right::Call => 1.0,
        Right::Put => -1.0,
    }
}

/// Price and Greeks at volatility `sigma`; `market.underlying` is the forward.
pub(super) fn greeks(market: &Market, right: Right, strike: f64, sigma: f64) -> OptionGreeks {
    let (forward, df, s) = (market.underlying, market.df, sign(right));
    let deviation = sigma * market.sqrt_t;
    let d1 = market.log_moneyness(strike) / deviation + 0.5 * deviation;
    let d2 = d1 - deviation;
    let n1 = cdf(s * d1);
    let density = pdf(d1);
    let price = (s * df * (forward * n1 - strike * cdf(s * d2))).max(0.0);
    OptionGreeks {
        price,
        iv: sigma,
        delta: s * df * n1,
        gamma: df * density / (forward * deviation),
        vega: df * forward * density * market.sqrt_t,
        theta: market.rate * price - df * forward * density * sigma / (2.0 * market.sqrt_t),
        rho: -market.t_years * price,
    }
}
