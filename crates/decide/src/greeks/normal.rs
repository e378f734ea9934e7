//! The standard normal distribution, accurate far into its tails.

use implied_vol::{DefaultSpecialFn, SpecialFn};

/// `1 / sqrt(2 pi)`.
const FRAC_1_SQRT_2PI: f64 = 0.398_942_280_401_432_7;

/// Cumulative distribution. Cody's erfc near the middle and an asymptotic series below -10 (both from the
/// `implied-vol` crate), so the relative error stays near 1e-15 even where the value is 1e-300.
#[inline]
pub fn cdf(x: f64) -> f64 {
    DefaultSpecialFn::norm_cdf(x)
}

/// Density.
#[inline]
pub fn pdf(x: f64) -> f64 {
    FRAC_1_SQRT_2PI * (-0.5 * x * x).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tails_keep_their_relative_accuracy() {
        // Phi(x) from mpmath with 40 digits.
        for (x, exact) in [
            (0.0, 0.5),
            (1.0, 0.841_344_746_068_542_9),
            (-1.0, 0.158_655_253_931_457_05),
            (-5.0, 2.866_515_718_791_939e-7),
            (-10.0, 7.619_853_024_160_527e-24),
            (-20.0, 2.753_624_118_606_233_7e-89),
            (-37.0, 5.725_571_222_524_577e-300),
        ] {
            let got = cdf(x);
            assert!((got - exact).abs() <= 4e-15 * exact, "Phi({x}) = {got:e}, expected {exact:e}");
        }
        assert!(cdf(-1e6) == 0.0 && cdf(1e6) == 1.0);
    }
}
