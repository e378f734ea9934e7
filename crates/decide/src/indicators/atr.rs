//! True range and its Wilder average, TradingView convention: the first bar's range counts.

use ta::{Next, Period, Reset};

use super::bar::Bar;
use super::wilder::Wilder;

/// True range: `high - low` on the first bar, then `max(high - low, |high - previous close|, |low - previous close|)`.
#[derive(Debug, Clone, Default)]
pub struct TrueRange {
    previous_close: Option<f64>,
}

impl TrueRange {
    /// Before its first bar.
    pub fn new() -> TrueRange {
        TrueRange::default()
    }
}

impl Next<&Bar> for TrueRange {
    type Output = f64;
    fn next(&mut self, bar: &Bar) -> f64 {
        let range = bar.high() - bar.low();
        let wide = match self.previous_close {
            None => range,
            Some(close) => range.max((bar.high() - close).abs()).max((bar.low() - close).abs()),
        };
        self.previous_close = Some(bar.close());
        wide
    }
}

impl Reset for TrueRange {
    fn reset(&mut self) {
        *self = TrueRange::new();
    }
}

/// Average true range in points: `rma(TR, period)`, first defined on bar number `period` (TradingView `ta.atr`).
#[derive(Debug, Clone)]
pub struct Atr {
    range: TrueRange,
    average: Wilder,
}

impl Atr {
    /// An average over `period` bars.
    ///
    /// # Panics
    /// When `period` is 0.
    pub fn new(period: usize) -> Atr {
        Atr { range: TrueRange::new(), average: Wilder::new(period) }
    }

    /// The current value, `None` before `period` bars.
    pub fn value(&self) -> Option<f64> {
        self.average.value()
    }
}

impl Next<&Bar> for Atr {
    type Output = Option<f64>;
    fn next(&mut self, bar: &Bar) -> Option<f64> {
        let range = self.range.next(bar);
        self.average.next(range)
    }
}

impl Period for Atr {
    fn period(&self) -> usize {
        self.average.period()
    }
}

impl Reset for Atr {
    fn reset(&mut self) {
        self.range.reset();
        self.average.reset();
    }
}
