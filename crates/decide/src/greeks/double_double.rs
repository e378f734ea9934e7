//! Numbers of about 31 digits as an unevaluated sum of two f64 (Dekker, 1971; Knuth's exact sum).
//!
//! Needed in one place: whether a deep-in-the-money price lies above or below its discounted intrinsic value, and by how
//! much, when both agree in all 16 digits of an f64.

/// `high + low`, `low` at most half a unit in the last place of `high`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct DoubleDouble {
    high: f64,
    low: f64,
}

/// `a + b` with its rounding error.
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    (sum, (a - (sum - b_part)) + (b - b_part))
}

/// `a * b` with its rounding error.
fn two_product(a: f64, b: f64) -> (f64, f64) {
    let product = a * b;
    (product, a.mul_add(b, -product))
}

impl DoubleDouble {
    pub(super) const fn from(value: f64) -> DoubleDouble {
        DoubleDouble { high: value, low: 0.0 }
    }

    fn normalised(high: f64, low: f64) -> DoubleDouble {
        let (high, low) = two_sum(high, low);
        DoubleDouble { high, low }
    }

    /// `a * b`, exact.
    pub(super) fn product(a: f64, b: f64) -> DoubleDouble {
        let (high, low) = two_product(a, b);
        DoubleDouble { high, low }
    }

    pub(super) fn plus(self, other: DoubleDouble) -> DoubleDouble {
        let (high, error) = two_sum(self.high, other.high);
        let (low, low_error) = two_sum(self.low, other.low);
        let first = DoubleDouble::normalised(high, error + low);
        DoubleDouble::normalised(first.high, first.low + low_error)
    }

    pub(super) fn minus(self, other: DoubleDouble) -> DoubleDouble {
        self.plus(DoubleDouble { high: -other.high, low: -other.low })
    }

    pub(super) fn times(self, factor: f64) -> DoubleDouble {
        let (high, error) = two_product(self.high, factor);
        DoubleDouble::normalised(high, self.low.mul_add(factor, error))
    }

    fn squared(self) -> DoubleDouble {
        let (high, error) = two_product(self.high, self.high);
        DoubleDouble::normalised(high, error + 2.0 * self.high * self.low)
    }

    fn times_double(self, other: DoubleDouble) -> DoubleDouble {
        let (high, error) = two_product(self.high, other.high);
        DoubleDouble::normalised(high, error + (self.high * other.low + self.low * other.high))
    }

    fn divided(self, divisor: f64) -> DoubleDouble {
        let quotient = self.high / divisor;
        let (product, error) = two_product(quotient, divisor);
        let rest = ((self.high - product) - error) + self.low;
        DoubleDouble::normalised(quotient, rest / divisor)
    }

    /// `e^x` by halving the argument, a Taylor sum and squaring back. Good for the small exponents of discounting;
    /// beyond +-600 it is the f64 value.
    pub(super) fn exp(x: DoubleDouble) -> DoubleDouble {
        const HALVINGS: i32 = 12;
        if x.high.abs() > 600.0 {
            return DoubleDouble::from(x.high.exp());
        }
        let scale = 2.0_f64.powi(-HALVINGS);
        let small = DoubleDouble { high: x.high * scale, low: x.low * scale };
        // e^x - 1 is carried instead of e^x, so that squaring loses no digits of a small x.
        let mut term = small;
        let mut sum = small;
        for n in 2..=20 {
            term = term.times_double(small).divided(f64::from(n));
            sum = sum.plus(term);
        }
        for _ in 0..HALVINGS {
            sum = sum.times(2.0).plus(sum.squared());
        }
        sum.plus(DoubleDouble::from(1.0))
    }

    /// Rounded to f64.
    pub(super) fn value(self) -> f64 {
        self.high + self.low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_agrees_with_forty_digits() {
        // (x, high, low) of e^x for the exact double x.
        for (x, high, low) in EXPONENTIALS {
            let got = DoubleDouble::exp(DoubleDouble::from(x));
            let error = got.minus(DoubleDouble { high, low }).value().abs();
            assert!(error <= 1e-29 * high, "e^{x}: off by {error:e}");
        }
    }

    #[test]
    fn a_difference_below_the_last_place_of_f64_is_seen() {
        let a = DoubleDouble::from(25_000.0).plus(DoubleDouble::from(1e-20));
        assert_eq!(a.minus(DoubleDouble::from(25_000.0)).value(), 1e-20);
    }

    /// From a 60-digit decimal evaluation of e^x at the exact binary value of x.
    const EXPONENTIALS: [(f64, f64, f64); 5] = [
        (-0.065, 0.9370674633774034, -5.110936455804083e-19),
        (-1e-06, 0.9999990000005, -1.586124802745164e-17),
        (0.01, 1.010050167084168, 1.0862491991420609e-16),
        (-1.5, 0.22313016014842982, 1.0887723699042263e-17),
        (10.0, 22026.465794806718, -1.3780134700517372e-12),
    ];
}
