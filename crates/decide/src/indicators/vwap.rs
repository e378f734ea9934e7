//! Volume-weighted average price of a session. The one indicator that starts anew each day.

use ta::{Next, Reset};

use super::bar::Bar;
use crate::domain::time::{IST_OFFSET_SECS, NANOS_PER_SEC};

const NANOS_PER_DAY: i64 = 86_400 * NANOS_PER_SEC;

/// `sum(typical price * volume) / sum(volume)` since the first bar of the IST day. `None` until the day has volume; a
/// bar without volume (a spot index has none) leaves it as it is.
#[derive(Debug, Clone, Default)]
pub struct Vwap {
    day: Option<i64>,
    traded: f64,
    volume: f64,
}

impl Vwap {
    /// Before its first bar.
    pub fn new() -> Vwap {
        Vwap::default()
    }

    /// The current value.
    pub fn value(&self) -> Option<f64> {
        (self.volume > 0.0).then(|| self.traded / self.volume)
    }
}

impl Next<&Bar> for Vwap {
    type Output = Option<f64>;
    fn next(&mut self, bar: &Bar) -> Option<f64> {
        let day = (bar.start().nanos() + IST_OFFSET_SECS * NANOS_PER_SEC).div_euclid(NANOS_PER_DAY);
        if self.day != Some(day) {
            *self = Vwap { day: Some(day), traded: 0.0, volume: 0.0 };
        }
        if let Some(volume) = bar.volume() {
            self.traded += bar.hlc3() * volume;
            self.volume += volume;
        }
        self.value()
    }
}

impl Reset for Vwap {
    fn reset(&mut self) {
        *self = Vwap::new();
    }
}
