//! Relative strength index with Wilder's averages.

use ta::{Next, Period, Reset};

use super::bar::Bar;
use super::wilder::Wilder;

/// `rsi = 100 * rma(gains) / (rma(gains) + rma(losses))` over changes of the close, first defined on bar
/// `period + 1`. While neither gain nor loss exists the index does not either: the last value is kept, and a market
/// flat from its first bar has none.
#[derive(Debug, Clone)]
pub struct Rsi {
    previous_close: Option<f64>,
    gains: Wilder,
    losses: Wilder,
    value: Option<f64>,
}

impl Rsi {
    /// Strength over `period` changes (14 by custom).
    ///
    /// # Panics
    /// When `period` is 0.
    pub fn new(period: usize) -> Rsi {
        Rsi { previous_close: None, gains: Wilder::new(period), losses: Wilder::new(period), value: None }
    }

    /// The current value, 0..=100.
    pub const fn value(&self) -> Option<f64> {
        self.value
    }
}

impl Next<&Bar> for Rsi {
    type Output = Option<f64>;
    fn next(&mut self, bar: &Bar) -> Option<f64> {
        let previous = self.previous_close.replace(bar.close())?;
        let change = bar.close() - previous;
        let gain = self.gains.next(change.max(0.0));
        let loss = self.losses.next((-change).max(0.0));
        if let (Some(gain), Some(loss)) = (gain, loss)
            && gain + loss > 0.0
        {
            self.value = Some(100.0 * (gain / (gain + loss)));
        }
        self.value
    }
}

impl Period for Rsi {
    fn period(&self) -> usize {
        self.gains.period()
    }
}

impl Reset for Rsi {
    fn reset(&mut self) {
        *self = Rsi::new(self.period());
    }
}
