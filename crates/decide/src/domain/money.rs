//! Integer money. One paisa is the unit of every price and amount; a premium, an index level and an amount of
//! money are different types, so `Premium x Qty` is `Money` and `Premium + Money` does not compile (F-7, F-8, I21).

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul, Neg, Sub, SubAssign};

use serde::{Deserialize, Serialize};

/// How a division that does not come out even is brought back to whole paise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// Towards minus infinity.
    Down,
    /// Towards plus infinity.
    Up,
    /// To the nearest, halves away from zero.
    HalfUp,
}

/// Divides `numerator` by a positive `denominator` with a named rounding.
///
/// # Panics
/// When `denominator` is not positive or the quotient leaves `i64`: both are bugs of the caller.
pub fn div_round(numerator: i128, denominator: i128, rounding: Rounding) -> i64 {
    assert!(denominator > 0, "division by a non-positive denominator");
    let floor = numerator.div_euclid(denominator);
    let rest = numerator.rem_euclid(denominator);
    let quotient = match rounding {
        Rounding::Down => floor,
        Rounding::Up => floor + i128::from(rest != 0),
        Rounding::HalfUp => {
            let twice = rest * 2;
            let away = twice > denominator || (twice == denominator && numerator >= 0);
            floor + i128::from(away)
        }
    };
    i64::try_from(quotient).expect("quotient fits 64 bits")
}

/// Writes paise as rupees with two decimals and no grouping: `-1234.50`.
fn write_rupees(f: &mut fmt::Formatter<'_>, paise: i64) -> fmt::Result {
    let sign = if paise < 0 { "-" } else { "" };
    let abs = paise.unsigned_abs();
    f.pad(&format!("{sign}{}.{:02}", abs / 100, abs % 100))
}

macro_rules! paise_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(i64);

        impl $name {
            /// Zero.
            pub const ZERO: Self = Self(0);

            /// From paise.
            pub const fn from_paise(paise: i64) -> Self {
                Self(paise)
            }

            /// From whole rupees.
            pub const fn from_rupees(rupees: i64) -> Self {
                Self(rupees * 100)
            }

            /// In paise.
            pub const fn paise(self) -> i64 {
                self.0
            }

            /// In rupees, for models and reports; never fed back into money without a named rounding.
            #[allow(clippy::float_arithmetic, reason = "leaves money here")]
            pub fn as_rupees_f64(self) -> f64 {
                self.0 as f64 / 100.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_rupees(f, self.0)
            }
        }
    };
}

paise_type! {
    /// Price of one unit of an option, in paise.
    Premium
}
paise_type! {
    /// Level of an index, in paise (25,657.45 is 2,565,745).
    IndexPrice
}
paise_type! {
    /// An amount of money, in paise; may be negative.
    Money
}

impl Premium {
    /// What `qty` units cost at this price.
    pub const fn times(self, qty: Qty) -> Money {
        Money(self.0 * qty.0)
    }

    /// This price moved by `bps` hundredths of a percent (negative lowers it).
    pub fn moved_by(self, bps: Bps, rounding: Rounding) -> Premium {
        Premium(div_round(i128::from(self.0) * i128::from(10_000 + bps.0), 10_000, rounding))
    }

    /// Rounded to a multiple of `tick`, downwards.
    pub fn floor_to(self, tick: Premium) -> Premium {
        Premium(self.0.div_euclid(tick.0) * tick.0)
    }

    /// Rounded to a multiple of `tick`, upwards.
    pub fn ceil_to(self, tick: Premium) -> Premium {
        Premium(-((-self.0).div_euclid(tick.0) * tick.0))
    }

    /// Whether this is a multiple of `tick`.
    pub const fn is_multiple_of(self, tick: Premium) -> bool {
        self.0 % tick.0 == 0
    }
}

impl Add for Premium {
    type Output = Premium;
    fn add(self, other: Premium) -> Premium {
        Premium(self.0 + other.0)
    }
}

impl Sub for Premium {
    type Output = Premium;
    fn sub(self, other: Premium) -> Premium {
        Premium(self.0 - other.0)
    }
}

impl Mul<Qty> for Premium {
    type Output = Money;
    fn mul(self, qty: Qty) -> Money {
        self.times(qty)
    }
}

impl Money {
    /// `bps` hundredths of a percent of this amount.
    pub fn portion(self, bps: Bps, rounding: Rounding) -> Money {
        Money(div_round(i128::from(self.0) * i128::from(bps.0), 10_000, rounding))
    }

    /// Price per unit when this amount buys `qty` units.
    ///
    /// # Panics
    /// When `qty` is not positive.
    pub fn per_unit(self, qty: Qty, rounding: Rounding) -> Premium {
        Premium(div_round(i128::from(self.0), i128::from(qty.0), rounding))
    }

    /// This amount as hundredths of a percent of `whole`; `None` when `whole` is zero or negative.
    pub fn ratio_of(self, whole: Money) -> Option<Bps> {
        (whole.0 > 0).then(|| Bps(div_round(i128::from(self.0) * 10_000, i128::from(whole.0), Rounding::Down)))
    }

    /// The amount without its sign.
    pub const fn abs(self) -> Money {
        Money(self.0.abs())
    }

    /// Whether this is below zero.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }
}

impl Add for Money {
    type Output = Money;
    fn add(self, other: Money) -> Money {
        Money(self.0 + other.0)
    }
}
impl Sub for Money {
    type Output = Money;
    fn sub(self, other: Money) -> Money {
        Money(self.0 - other.0)
    }
}
impl Neg for Money {
    type Output = Money;
    fn neg(self) -> Money {
        Money(-self.0)
    }
}
impl AddAssign for Money {
    fn add_assign(&mut self, other: Money) {
        self.0 += other.0;
    }
}
impl SubAssign for Money {
    fn sub_assign(&mut self, other: Money) {
        self.0 -= other.0;
    }
}
impl Sum for Money {
    fn sum<I: Iterator<Item = Money>>(iter: I) -> Money {
        iter.fold(Money::ZERO, Add::add)
    }
}

macro_rules! count_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(i64);

        impl $name {
            /// None at all.
            pub const ZERO: Self = Self(0);

            /// From a plain count.
            pub const fn new(count: i64) -> Self {
                Self(count)
            }

            /// The plain count.
            pub const fn get(self) -> i64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

count_type! {
    /// Units of a contract (not lots); never a price.
    Qty
}
count_type! {
    /// Whole lots.
    Lots
}

impl Add for Qty {
    type Output = Qty;
    fn add(self, other: Qty) -> Qty {
        Qty(self.0 + other.0)
    }
}
impl Sub for Qty {
    type Output = Qty;
    fn sub(self, other: Qty) -> Qty {
        Qty(self.0 - other.0)
    }
}
impl AddAssign for Qty {
    fn add_assign(&mut self, other: Qty) {
        self.0 += other.0;
    }
}
impl SubAssign for Qty {
    fn sub_assign(&mut self, other: Qty) {
        self.0 -= other.0;
    }
}
impl Sum for Qty {
    fn sum<I: Iterator<Item = Qty>>(iter: I) -> Qty {
        iter.fold(Qty::ZERO, Add::add)
    }
}

/// Units in one lot; at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct LotSize(i64);

impl LotSize {
    /// A lot of `units`, `None` when that is not positive.
    pub const fn new(units: i64) -> Option<LotSize> {
        if units > 0 { Some(LotSize(units)) } else { None }
    }

    /// Units in one lot.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Units in `lots` lots.
    pub const fn units(self, lots: Lots) -> Qty {
        Qty(self.0 * lots.0)
    }

    /// Whole lots inside `qty`, rounded down.
    pub const fn lots_in(self, qty: Qty) -> Lots {
        Lots(qty.0.div_euclid(self.0))
    }
}

impl TryFrom<i64> for LotSize {
    type Error = String;
    fn try_from(units: i64) -> Result<Self, String> {
        LotSize::new(units).ok_or_else(|| format!("a lot holds at least 1 unit, found {units}"))
    }
}
impl From<LotSize> for i64 {
    fn from(lot: LotSize) -> i64 {
        lot.0
    }
}

/// Hundredths of a percent; the one ratio type of the engine (F-8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bps(i64);

impl Bps {
    /// Nothing.
    pub const ZERO: Bps = Bps(0);
    /// The whole, 100 %.
    pub const FULL: Bps = Bps(10_000);

    /// From hundredths of a percent.
    pub const fn new(bps: i64) -> Bps {
        Bps(bps)
    }

    /// From whole percent.
    pub const fn from_percent(percent: i64) -> Bps {
        Bps(percent * 100)
    }

    /// In hundredths of a percent.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl Neg for Bps {
    type Output = Bps;
    fn neg(self) -> Bps {
        Bps(-self.0)
    }
}
impl Add for Bps {
    type Output = Bps;
    fn add(self, other: Bps) -> Bps {
        Bps(self.0 + other.0)
    }
}
impl Sub for Bps {
    type Output = Bps;
    fn sub(self, other: Bps) -> Bps {
        Bps(self.0 - other.0)
    }
}

impl fmt::Display for Bps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_rupees(f, self.0)?;
        f.write_str(" %")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_named_and_halves_go_away_from_zero() {
        assert_eq!(div_round(5, 2, Rounding::HalfUp), 3);
        assert_eq!(div_round(-5, 2, Rounding::HalfUp), -3);
        assert_eq!(div_round(-5, 2, Rounding::Down), -3);
        assert_eq!(div_round(-5, 2, Rounding::Up), -2);
        assert_eq!(div_round(7, 4, Rounding::HalfUp), 2);
        assert_eq!(div_round(-7, 4, Rounding::HalfUp), -2);
    }

    #[test]
    fn prices_round_to_the_tick_both_ways() {
        let tick = Premium::from_paise(5);
        assert_eq!(Premium::from_paise(1003).floor_to(tick), Premium::from_paise(1000));
        assert_eq!(Premium::from_paise(1003).ceil_to(tick), Premium::from_paise(1005));
        assert_eq!(Premium::from_paise(1005).ceil_to(tick), Premium::from_paise(1005));
    }

    #[test]
    fn a_negative_paisa_amount_prints_its_sign() {
        assert_eq!(Money::from_paise(-5).to_string(), "-0.05");
        assert_eq!(Money::from_paise(123_450).to_string(), "1234.50");
    }

    #[test]
    fn a_stop_thirty_percent_under_entry_is_seventy_percent_of_it() {
        let entry = Premium::from_rupees(100);
        assert_eq!(entry.moved_by(Bps::from_percent(-30), Rounding::Up), Premium::from_rupees(70));
    }
}
