//! Arithmetic whose last bit is the same on every machine: only `+ - * /`, `sqrt` and bit moves, which IEEE 754
//! fixes exactly. The platform's own `exp` and `ln` differ between C libraries and processors, and a sample day
//! must not.

use std::f64::consts::{FRAC_1_SQRT_2, LN_2, SQRT_2};

/// Natural logarithm of a positive, finite, normal number; relative error below 1e-14.
pub(crate) fn ln(x: f64) -> f64 {
    debug_assert!(x.is_normal() && x > 0.0, "ln of {x}");
    let bits = x.to_bits();
    let mut exponent = ((bits >> 52) & 0x7ff) as i32 - 1023;
    let mut mantissa = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) | 0x3ff0_0000_0000_0000);
    if mantissa > SQRT_2 {
        mantissa *= 0.5;
        exponent += 1;
    }
    // ln m = 2 artanh((m - 1) / (m + 1)); the argument stays under 0.172, so ten terms are enough.
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let s2 = s * s;
    let mut sum = 1.0 / 19.0;
    for odd in [17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0] {
        sum = sum * s2 + 1.0 / odd;
    }
    2.0 * s * sum + f64::from(exponent) * LN_2
}

/// `e^x` for |x| up to 700; relative error below 1e-14. Outside that range the nearer end is returned.
pub(crate) fn exp(x: f64) -> f64 {
    let x = x.clamp(-700.0, 700.0);
    let k = (x / LN_2 + if x >= 0.0 { 0.5 } else { -0.5 }) as i32;
    // LN_2 in two parts, the first exact in 32 bits (fdlibm), so that the rest keeps its digits.
    let r = (x - f64::from(k) * 6.931_471_803_691_238e-1) - f64::from(k) * 1.908_214_929_270_587_7e-10;
    let mut sum = 1.0;
    for n in [13.0, 12.0, 11.0, 10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0] {
        sum = 1.0 + sum * r / n;
    }
    sum * f64::from_bits(((1023 + k) as u64) << 52)
}

/// Standard normal distribution function, absolute error below 1e-14.
/// Source: J. F. Hart's algorithm in double precision as given by G. West, "Better approximations to cumulative
/// normal functions", Wilmott Magazine, 2005.
pub(crate) fn norm_cdf(x: f64) -> f64 {
    let a = x.abs();
    if a > 37.0 {
        return if x > 0.0 { 1.0 } else { 0.0 };
    }
    let density = exp(-0.5 * a * a);
    let tail = if a < 10.0 * FRAC_1_SQRT_2 {
        let above = [
            3.526_249_659_989_11e-2,
            0.700_383_064_443_688,
            6.373_962_203_531_65,
            33.912_866_078_383,
            112.079_291_497_871,
            221.213_596_169_931,
            220.206_867_912_376,
        ];
        let below = [
            8.838_834_764_831_84e-2,
            1.755_667_163_182_64,
            16.064_177_579_207,
            86.780_732_202_946_1,
            296.564_248_779_674,
            637.333_633_378_831,
            793.826_512_519_948,
            440.413_735_824_752,
        ];
        density * horner(&above, a) / horner(&below, a)
    } else {
        let fraction = a + 1.0 / (a + 2.0 / (a + 3.0 / (a + 4.0 / (a + 0.65))));
        density / fraction / 2.506_628_274_631
    };
    if x > 0.0 { 1.0 - tail } else { tail }
}

fn horner(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().fold(0.0, |sum, c| sum * x + c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use statrs::distribution::{ContinuousCDF, Normal};

    #[test]
    fn exponential_and_logarithm_agree_with_the_platform() {
        for i in -4000..4000 {
            let x = f64::from(i) * 0.1717;
            let (ours, theirs) = (exp(x), x.exp());
            assert!((ours / theirs - 1.0).abs() < 1e-13, "exp({x}): {ours} and {theirs}");
            let y = 1.0 + f64::from(i) * 1e-4 + 0.41;
            assert!((ln(y) - y.ln()).abs() < 1e-14 * (1.0 + y.ln().abs()), "ln({y})");
            let wide = (f64::from(i) * 0.1).exp();
            assert!((ln(wide) - wide.ln()).abs() < 1e-12, "ln({wide})");
        }
    }

    #[test]
    fn the_normal_distribution_agrees_with_an_independent_library() {
        let normal = Normal::new(0.0, 1.0).unwrap();
        for i in -800..=800 {
            let x = f64::from(i) * 0.01;
            assert!((norm_cdf(x) - normal.cdf(x)).abs() < 1e-10, "at {x}: {} {}", norm_cdf(x), normal.cdf(x));
        }
        assert_eq!((norm_cdf(-40.0), norm_cdf(40.0)), (0.0, 1.0));
    }
}
