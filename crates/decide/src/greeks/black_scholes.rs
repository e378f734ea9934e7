//! Black-Scholes-Merton: an option on a spot with a continuous yield `q` (Black and Scholes, 1973; Merton, 1973).
//!
//! With `d1 = (ln(S/K) + (r - q + sigma^2 / 2) t) / (sigma sqrt t)`, `d2 = d1 - sigma sqrt t`, `df = e^(-r t)`,
//! `dq = e^(-q t)` and `s` = +1 for a call, -1 for a put:
//!
//! | figure | closed form |
//! |---|---|
//! | price | `s (S dq N(s d1) - K df N(s d2))` |
//! | delta (by S) | `s dq N(s d1)` |
//! | gamma | `dq n(d1) / (S sigma sqrt t)` |
//! | vega | `S dq n(d1) sqrt t` |
//! | theta | `-S dq n(d1) sigma / (2 sqrt t) - s r K df N(s d2) + s q S dq N(s d1)` |
//! | rho | `s K t df N(s d2)` |

use super::black76::sign;
use super::model::OptionGreeks;
use super::normal::{cdf, pdf};
use super::pricer::Market;
use crate::domain::Right;

/// Price and Greeks at volatility `sigma`; `market.underlying` is the spot.
pub(super) fn greeks(market: &Market, right: Right, strike: f64, sigma: f64) -> OptionGreeks {
    let s = sign(right);
    let deviation = sigma * market.sqrt_t;
    let d1 = market.log_moneyness(strike) / deviation + 0.5 * deviation;
    let d2 = d1 - deviation;
    let density = pdf(d1);
    let spot = market.underlying * market.dq;
    let bond = strike * market.df;
    let (n1, n2) = (cdf(s * d1), cdf(s * d2));
    OptionGreeks {
        price: (s * (spot * n1 - bond * n2)).max(0.0),
        iv: sigma,
        delta: s * market.dq * n1,
        gamma: market.dq * density / (market.underlying * deviation),
        vega: spot * density * market.sqrt_t,
        theta: -spot * density * sigma / (2.0 * market.sqrt_t) - s * market.rate * bond * n2
            + s * market.dividend_yield * spot * n1,
        rho: s * bond * market.t_years * n2,
    }
}
