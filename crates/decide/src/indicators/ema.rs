//! Exponential moving average of closes, seeded with a simple average (as TA-Lib and TradingView do).

use ta::{Next, Period, Reset};

use super::bar::Bar;

/// `ema`: the mean of the first `period` closes, then `previous + 2 / (period + 1) * (close - previous)`.
#[derive(Debug, Clone)]
pub struct Ema {
    period: usize,
    seen: usize,
    /// Sum of the closes while seeding, the average afterwards.
    state: f64,
}

impl Ema {
    /// An average over `period` bars.
    ///
    /// # Panics
    /// When `period` is 0.
    pub fn new(period: usize) -> Ema {
        assert!(period > 0, "an average needs a period of at least 1");
        Ema { period, seen: 0, state: 0.0 }
    }

    /// The current average, `None` before `period` bars.
    pub fn value(&self) -> Option<f64> {
        (self.seen >= self.period).then_some(self.state)
    }
}

impl Next<&Bar> for Ema {
    type Output = Option<f64>;
    fn next(&mut self, bar: &Bar) -> Option<f64> {
        let n = self.period as f64;
        if self.seen < self.period {
            self.state += bar.close();
            self.seen += 1;
            if self.seen == self.period {
                self.state /= n;
            }
        } else {
            self.state += 2.0 / (n + 1.0) * (bar.close() - self.state);
        }
        self.value()
    }
}

impl Period for Ema {
    fn period(&self) -> usize {
        self.period
    }
}

impl Reset for Ema {
    fn reset(&mut self) {
        *self = Ema::new(self.period);
    }
}
