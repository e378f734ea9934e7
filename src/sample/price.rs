//! Fair option prices for generated chains: Black-76 on the forward with a quadratic smile. Written apart from the
//! engine's own Greeks on purpose, so that the one cannot hide a fault of the other.

use scalper_decide::domain::Right;

use super::maths::{exp, ln, norm_cdf};

/// Interest rate that discounts premiums, per year.
const DISCOUNT_RATE: f64 = 0.065;
/// Growth of the forward over spot per year: interest less dividends.
const CARRY_RATE: f64 = 0.055;
/// A minute of trading carries this many times the variance of a minute of the clock. Markets quote expiry-day
/// options at about 1.4 times the volatility of a week before; `sqrt(2)` gives that.
const SESSION_WEIGHT: f64 = 2.0;
/// What the closed hours keep of theirs, so that a whole week weighs a week: `(168 - 2 x 31.25) / (168 - 31.25)`.
const CLOSED_WEIGHT: f64 = 0.771_480_804_387_568_5;
/// Seconds of a 365-day year.
const YEAR_SECS: f64 = 31_536_000.0;
/// Least time value left, so that the last second still prices.
const MIN_SECS: f64 = 30.0;

/// What remains until an expiry after today's close.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Horizon {
    /// Seconds of trading on later days.
    pub later_session_secs: f64,
    /// Seconds of the clock from today's close to the expiry's close.
    pub after_close_secs: f64,
}

/// Everything that the contracts of one expiry share at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ExpiryState {
    /// Forward in points.
    pub forward: f64,
    /// Discount factor.
    discount: f64,
    /// Forward over spot.
    growth: f64,
    /// Square root of the weighted time to expiry in years.
    root_t: f64,
    /// At-the-money volatility per year.
    atm_iv: f64,
}

impl ExpiryState {
    /// State at `secs_to_close` before today's close, for spot and at-the-money volatility (0.12 = 12 %).
    pub(crate) fn new(spot: f64, atm_iv: f64, secs_to_close: f64, horizon: Horizon) -> ExpiryState {
        let clock_years = (secs_to_close + horizon.after_close_secs) / YEAR_SECS;
        let session = secs_to_close + horizon.later_session_secs;
        let closed = horizon.after_close_secs - horizon.later_session_secs;
        let weighted = (SESSION_WEIGHT * session + CLOSED_WEIGHT * closed).max(MIN_SECS) / YEAR_SECS;
        let growth = exp(CARRY_RATE * clock_years);
        ExpiryState {
            forward: spot * growth,
            growth,
            discount: exp(-DISCOUNT_RATE * clock_years),
            root_t: weighted.sqrt(),
            atm_iv,
        }
    }

    /// The same moment but for the spot, for use inside a second.
    pub(crate) fn move_spot(&mut self, spot: f64) {
        self.forward = spot * self.growth;
    }

    /// Volatility of a strike: lower strikes dearer, both wings lifted, flat beyond four deviations.
    fn iv(&self, strike: f64) -> f64 {
        let deviations = ((strike - self.forward) / (self.forward * self.atm_iv * self.root_t)).clamp(-4.0, 4.0);
        self.atm_iv * (1.0 - 0.04 * deviations + 0.012 * deviations * deviations)
    }

    /// Discounted price in points (Black 1976). The out-of-the-money side is computed, the other follows by
    /// put-call parity, so both sides of a strike agree exactly.
    pub(crate) fn price(&self, right: Right, strike: f64) -> f64 {
        let total = self.iv(strike) * self.root_t;
        let d1 = ln(self.forward / strike) / total + 0.5 * total;
        let d2 = d1 - total;
        let (call_like, parity) = (right == Right::Call, self.forward - strike);
        let otm = if strike >= self.forward {
            self.forward * norm_cdf(d1) - strike * norm_cdf(d2)
        } else {
            strike * norm_cdf(-d2) - self.forward * norm_cdf(-d1)
        }
        .max(0.0);
        let undiscounted = match (call_like, strike >= self.forward) {
            (true, true) | (false, false) => otm,
            (true, false) => otm + parity,
            (false, true) => otm - parity,
        };
        self.discount * undiscounted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEEK: Horizon = Horizon { later_session_secs: 4.0 * 22_500.0, after_close_secs: 6.0 * 86_400.0 };

    #[test]
    fn calls_and_puts_of_a_strike_meet_put_call_parity() {
        let state = ExpiryState::new(25_700.0, 0.12, 10_000.0, WEEK);
        for strike in (24_000..27_500).step_by(50).map(f64::from) {
            let gap = state.price(Right::Call, strike) - state.price(Right::Put, strike);
            assert!((gap - state.discount * (state.forward - strike)).abs() < 1e-9);
        }
    }

    #[test]
    fn prices_fall_with_strike_for_calls_and_are_convex() {
        for (secs, horizon) in [(22_500.0, WEEK), (1_800.0, Horizon { later_session_secs: 0.0, after_close_secs: 0.0 })]
        {
            let state = ExpiryState::new(25_700.0, 0.13, secs, horizon);
            let calls: Vec<f64> =
                (24_500..26_900).step_by(50).map(|k| state.price(Right::Call, f64::from(k))).collect();
            for w in calls.windows(3) {
                assert!(w[0] >= w[1] - 1e-9 && w[1] >= w[2] - 1e-9, "{w:?}");
                assert!(w[0] - 2.0 * w[1] + w[2] > -0.02, "butterfly of {w:?}");
            }
        }
    }

    #[test]
    fn an_at_the_money_week_costs_about_four_tenths_of_a_deviation() {
        let state = ExpiryState::new(25_700.0, 0.12, 22_500.0, WEEK);
        let expected = 0.398_94 * 25_700.0 * 0.12 * state.root_t;
        let call = state.price(Right::Call, state.forward);
        assert!((call / expected - 1.0).abs() < 0.01, "{call} against {expected}");
    }
}
