//! Directional movement: +DI, -DI and ADX, TradingView convention (`ta.dmi`).
//!
//! - `+DM` is `high - previous high` where that is above 0 and above `previous low - low`, else 0; `-DM` mirrored.
//! - `DI = 100 * rma(DM) / rma(TR)`; movement and true range both start on the second bar.
//! - `DX = |+DI - -DI| / (+DI + -DI)`, the divisor 1 where both are 0; `ADX = 100 * rma(DX)`.
//! - Where the average true range is 0 the quotient does not exist: DI keeps its last value (`fixnan`), and a market
//!   flat from its first bar has no DI and no ADX.

use ta::{Next, Period, Reset};

use super::atr::TrueRange;
use super::bar::Bar;
use super::wilder::Wilder;

/// Directional movement of one bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdxValue {
    /// Upward movement, 0..=100.
    pub plus_di: f64,
    /// Downward movement, 0..=100.
    pub minus_di: f64,
    /// Strength of the trend whatever its direction, 0..=100; defined `period - 1` bars after the two above.
    pub adx: Option<f64>,
}

/// ADX with one length for movement and smoothing.
#[derive(Debug, Clone)]
pub struct Adx {
    previous: Option<Bar>,
    range: TrueRange,
    plus_dm: Wilder,
    minus_dm: Wilder,
    true_range: Wilder,
    dx: Wilder,
    /// Last defined pair of +DI and -DI.
    di: Option<(f64, f64)>,
}

impl Adx {
    /// Directional movement over `period` bars (14 by custom).
    ///
    /// # Panics
    /// When `period` is 0.
    pub fn new(period: usize) -> Adx {
        let average = Wilder::new(period);
        Adx {
            previous: None,
            range: TrueRange::new(),
            plus_dm: average.clone(),
            minus_dm: average.clone(),
            true_range: average.clone(),
            dx: average,
            di: None,
        }
    }

    /// The current value, `None` until DI is defined.
    pub fn value(&self) -> Option<AdxValue> {
        let (plus_di, minus_di) = self.di?;
        Some(AdxValue { plus_di, minus_di, adx: self.dx.value().map(|dx| 100.0 * dx) })
    }
}

impl Next<&Bar> for Adx {
    type Output = Option<AdxValue>;

    fn next(&mut self, bar: &Bar) -> Option<AdxValue> {
        let range = self.range.next(bar);
        let previous = self.previous.replace(*bar)?;
        let up = bar.high() - previous.high();
        let down = previous.low() - bar.low();
        let plus = self.plus_dm.next(if up > down && up > 0.0 { up } else { 0.0 });
        let minus = self.minus_dm.next(if down > up && down > 0.0 { down } else { 0.0 });
        let average_range = self.true_range.next(range);
        if let (Some(plus), Some(minus), Some(average_range)) = (plus, minus, average_range)
            && average_range > 0.0
        {
            // Movement never exceeds range; only rounding can say so.
            let index = |movement: f64| 100.0 * (movement / average_range).min(1.0);
            self.di = Some((index(plus), index(minus)));
        }
        if let Some((plus, minus)) = self.di {
            let sum = plus + minus;
            self.dx.next((plus - minus).abs() / if sum == 0.0 { 1.0 } else { sum });
        }
        self.value()
    }
}

impl Period for Adx {
    fn period(&self) -> usize {
        self.dx.period()
    }
}

impl Reset for Adx {
    fn reset(&mut self) {
        *self = Adx::new(self.period());
    }
}
