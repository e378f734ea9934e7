//! Wire prices (binary32 and binary64 rupees) into paise, once, at the edge (A13, A14).

/// Largest believable price: Rs 10 lakh.
pub const MAX_PRICE_PAISE: i64 = 100_000_000;

/// A wire price that is not a price.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum PriceFault {
    /// NaN or infinite.
    #[error("price is not a number")]
    NotANumber,
    /// Below zero.
    #[error("price {0} is negative")]
    Negative(f64),
    /// Above [`MAX_PRICE_PAISE`].
    #[error("price {0} is too large to be believed")]
    TooLarge(f64),
    /// Not a multiple of the instrument's tick, whatever the rounding of the wire.
    #[error("price {rupees} is not a multiple of {tick_paise} paise")]
    OffTick {
        /// As it came.
        rupees: f64,
        /// Smallest step.
        tick_paise: i64,
    },
}

/// A wire price in paise, rounded to a multiple of `tick_paise` (1 for an index): 24512.349609375 is 24512.35.
/// `None` for NaN, infinities, negatives and what no contract costs; 0 stays 0 ("none").
pub fn price_to_paise(price: f32, tick_paise: i64) -> Option<i64> {
    let paise = f64::from(price) * 100.0;
    if !(0.0..1e12).contains(&paise) || tick_paise < 1 {
        return None;
    }
    Some((paise / tick_paise as f64).round() as i64 * tick_paise)
}

/// A binary32 price in paise; it must be a multiple of `tick_paise` (at least 1) up to what binary32 cannot say.
pub fn checked_paise(price: f32, tick_paise: i64) -> Result<i64, PriceFault> {
    // Half a step of binary32 at this size, and half a paisa for senders that round to two decimals.
    let step = f64::from(f32::from_bits((price.abs().to_bits() + 1).min(f32::MAX.to_bits())) - price.abs());
    on_tick(f64::from(price), tick_paise, 0.5 + 50.0 * step)
}

/// A binary64 price in paise, as on the depth feeds; same rules.
pub fn checked_paise_f64(price: f64, tick_paise: i64) -> Result<i64, PriceFault> {
    on_tick(price, tick_paise, 0.5)
}

/// `slack`: how many paise the wire may be off.
fn on_tick(rupees: f64, tick_paise: i64, slack: f64) -> Result<i64, PriceFault> {
    debug_assert!(tick_paise >= 1, "tick {tick_paise}");
    if !rupees.is_finite() {
        return Err(PriceFault::NotANumber);
    }
    if rupees < 0.0 {
        return Err(PriceFault::Negative(rupees));
    }
    let paise = rupees * 100.0;
    if paise > MAX_PRICE_PAISE as f64 {
        return Err(PriceFault::TooLarge(rupees));
    }
    let tick_paise = tick_paise.max(1);
    let rounded = (paise / tick_paise as f64).round() as i64 * tick_paise;
    if (paise - rounded as f64).abs() > slack + 1e-6 {
        return Err(PriceFault::OffTick { rupees, tick_paise });
    }
    Ok(rounded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn float32_prices_round_to_the_tick() {
        assert_eq!(price_to_paise(24_512.35_f32, 5), Some(2_451_235));
        assert_eq!(price_to_paise(83_515.35_f32, 1), Some(8_351_535));
        assert_eq!(price_to_paise(0.0, 5), Some(0));
        for nonsense in [f32::NAN, f32::INFINITY, -0.05, 1e30] {
            assert_eq!(price_to_paise(nonsense, 5), None);
        }
    }

    #[test]
    fn every_multiple_of_five_paise_up_to_one_lakh_rupees_survives_binary32() {
        // A14, exhaustively: 2,000,000 prices.
        for ticks in 0..=2_000_000i64 {
            let paise = ticks * 5;
            let wire = (paise as f64 / 100.0) as f32;
            assert_eq!(price_to_paise(wire, 5), Some(paise));
            assert_eq!(checked_paise(wire, 5), Ok(paise), "{wire}");
        }
    }

    #[test]
    fn every_paisa_up_to_one_lakh_rupees_survives_binary32() {
        // Index levels have no common step; below 131,072 half a step of binary32 is less than half a paisa.
        for paise in 0..=10_000_000i64 {
            let wire = (paise as f64 / 100.0) as f32;
            assert_eq!(checked_paise(wire, 1), Ok(paise), "{wire}");
        }
    }

    #[test]
    fn a_price_between_two_ticks_is_refused() {
        assert_eq!(checked_paise(101.37, 5), Err(PriceFault::OffTick { rupees: f64::from(101.37_f32), tick_paise: 5 }));
        assert!(matches!(checked_paise(101.37, 1), Ok(10_137)));
        assert!(matches!(checked_paise_f64(101.32, 5), Err(PriceFault::OffTick { .. })));
        assert_eq!(checked_paise_f64(101.35, 5), Ok(10_135));
    }

    #[test]
    fn a_price_that_is_no_price_is_refused_by_name() {
        // A13
        assert_eq!(checked_paise(f32::NAN, 5), Err(PriceFault::NotANumber));
        assert_eq!(checked_paise(f32::NEG_INFINITY, 5), Err(PriceFault::NotANumber));
        assert!(matches!(checked_paise(-0.05, 5), Err(PriceFault::Negative(_))));
        assert!(matches!(checked_paise(1e7, 5), Err(PriceFault::TooLarge(_))));
        assert!(matches!(checked_paise_f64(f64::MAX, 5), Err(PriceFault::TooLarge(_))));
        assert_eq!(checked_paise(0.0, 5), Ok(0));
        assert_eq!(checked_paise(-0.0, 5), Ok(0));
        assert_eq!(checked_paise(f32::from_bits(1), 5), Ok(0), "a denormal is nothing");
    }

    fn is_sane(bits: u32) {
        let wire = f32::from_bits(bits);
        for tick in [1, 5, 100] {
            if let Ok(paise) = checked_paise(wire, tick) {
                assert!((0..=MAX_PRICE_PAISE).contains(&paise) && paise % tick == 0, "{wire} at {tick}: {paise}");
                assert_eq!(price_to_paise(wire, tick), Some(paise));
            }
        }
    }

    /// Set `SCALPER_ALL_F32=1` for all 2^32 patterns; without it every 65,521st.
    #[test]
    fn no_binary32_pattern_panics_or_becomes_an_impossible_price() {
        let stride = if std::env::var_os("SCALPER_ALL_F32").is_some() { 1 } else { 65_521 };
        (0..=u32::MAX).step_by(stride).for_each(is_sane);
    }

    proptest! {
        #[test]
        fn no_random_pattern_becomes_an_impossible_price(bits: u32, wide: u64) {
            is_sane(bits);
            if let Ok(paise) = checked_paise_f64(f64::from_bits(wide), 5) {
                prop_assert!((0..=MAX_PRICE_PAISE).contains(&paise) && paise % 5 == 0);
            }
        }
    }
}
