//! Wilder's average (RMA), seeded with a simple average: the smoothing under ATR, ADX and RSI.

use ta::{Next, Period, Reset};

/// `rma`: the first value is the mean of the first `period` inputs, then `(x + (period - 1) * previous) / period`
/// (TradingView `ta.rma`).
#[derive(Debug, Clone)]
pub struct Wilder {
    period: usize,
    seen: usize,
    /// Sum of the inputs while seeding, the average afterwards.
    state: f64,
}

impl Wilder {
    /// An average over `period` inputs.
    ///
    /// # Panics
    /// When `period` is 0; settings are proved before they arrive here.
    pub fn new(period: usize) -> Wilder {
        assert!(period > 0, "an average needs a period of at least 1");
        Wilder { period, seen: 0, state: 0.0 }
    }

    /// The current average, `None` before `period` inputs.
    pub fn value(&self) -> Option<f64> {
        (self.seen >= self.period).then_some(self.state)
    }
}

impl Next<f64> for Wilder {
    type Output = Option<f64>;

    /// Takes one input in. A non-finite one is ignored: it must not poison the average.
    fn next(&mut self, x: f64) -> Option<f64> {
        if !x.is_finite() {
            return self.value();
        }
        let n = self.period as f64;
        if self.seen < self.period {
            self.state += x;
            self.seen += 1;
            if self.seen == self.period {
                self.state /= n;
            }
        } else {
            self.state = (x + (n - 1.0) * self.state) / n;
        }
        self.value()
    }
}

impl Period for Wilder {
    fn period(&self) -> usize {
        self.period
    }
}

impl Reset for Wilder {
    fn reset(&mut self) {
        *self = Wilder::new(self.period);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_is_the_mean_and_later_values_decay() {
        let mut rma = Wilder::new(4);
        let out: Vec<Option<f64>> = [1.0, 2.0, 3.0, 6.0, 7.0].into_iter().map(|x| rma.next(x)).collect();
        assert_eq!(out, [None, None, None, Some(3.0), Some(4.0)]);
        rma.reset();
        assert_eq!(rma.value(), None);
    }

    #[test]
    fn f88_a_non_finite_input_leaves_the_average_alone() {
        let mut rma = Wilder::new(2);
        rma.next(1.0);
        assert_eq!(rma.next(f64::NAN), None);
        assert_eq!(rma.next(3.0), Some(2.0));
        assert_eq!(rma.next(f64::INFINITY), Some(2.0));
    }
}
