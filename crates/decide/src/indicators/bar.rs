//! One closed bar. Its constructor is the only way in, so no indicator ever meets NaN, infinity or a high below
//! its low.

use serde::Serialize;

use crate::domain::Instant;

/// Why four prices are not a bar.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum BadBar {
    /// A price that is NaN, infinite, not above zero or above [`Bar::PRICE_MAX`].
    #[error("{field} is {value}; expected a price above 0 and at most {max}", max = Bar::PRICE_MAX)]
    Price {
        /// Which of the four.
        field: &'static str,
        /// What it was.
        value: f64,
    },
    /// The high lies below the low.
    #[error("high {high} lies below low {low}")]
    HighBelowLow {
        /// The high.
        high: f64,
        /// The low.
        low: f64,
    },
    /// The open or the close lies outside low..=high.
    #[error("{field} {value} lies outside low {low} to high {high}")]
    OutsideRange {
        /// `open` or `close`.
        field: &'static str,
        /// What it was.
        value: f64,
        /// The low.
        low: f64,
        /// The high.
        high: f64,
    },
    /// A volume that is NaN, infinite, negative or above [`Bar::VOLUME_MAX`].
    #[error("volume is {value}; expected 0 to {max}", max = Bar::VOLUME_MAX)]
    Volume {
        /// What it was.
        value: f64,
    },
}

/// Open, high, low and close of one stretch of time, in index points (or rupees of premium).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bar {
    start: Instant,
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    volume: Option<f64>,
}

impl Bar {
    /// Largest believable price. Bounds every sum the indicators build, so none can overflow.
    pub const PRICE_MAX: f64 = 1e9;
    /// Largest believable volume of one bar, in units.
    pub const VOLUME_MAX: f64 = 1e15;

    /// Builds a bar. `volume` is in units, `None` where the source has none (a spot index).
    ///
    /// # Errors
    /// [`BadBar`] names the field that is not believable.
    pub fn new(start: Instant, open: f64, high: f64, low: f64, close: f64, volume: Option<f64>) -> Result<Bar, BadBar> {
        for (field, value) in [("open", open), ("high", high), ("low", low), ("close", close)] {
            if !Bar::is_price(value) {
                return Err(BadBar::Price { field, value });
            }
        }
        if high < low {
            return Err(BadBar::HighBelowLow { high, low });
        }
        for (field, value) in [("open", open), ("close", close)] {
            if value < low || high < value {
                return Err(BadBar::OutsideRange { field, value, low, high });
            }
        }
        if let Some(value) = volume
            && !(0.0..=Bar::VOLUME_MAX).contains(&value)
        {
            return Err(BadBar::Volume { value });
        }
        Ok(Bar { start, open, high, low, close, volume })
    }

    /// For builders that have checked every price on its way in.
    pub(super) fn from_checked(start: Instant, [open, high, low, close]: [f64; 4], volume: Option<f64>) -> Bar {
        debug_assert!(Bar::new(start, open, high, low, close, volume).is_ok());
        Bar { start, open, high, low, close, volume }
    }

    /// Whether a number can be a price: above 0 and at most [`Bar::PRICE_MAX`] (so neither NaN nor infinite).
    #[inline]
    pub fn is_price(value: f64) -> bool {
        value > 0.0 && value <= Bar::PRICE_MAX
    }

    /// First instant of the bar.
    pub const fn start(&self) -> Instant {
        self.start
    }
    /// First price.
    pub const fn open(&self) -> f64 {
        self.open
    }
    /// Highest price.
    pub const fn high(&self) -> f64 {
        self.high
    }
    /// Lowest price.
    pub const fn low(&self) -> f64 {
        self.low
    }
    /// Last price.
    pub const fn close(&self) -> f64 {
        self.close
    }
    /// Units traded, `None` where the source has no volume.
    pub const fn volume(&self) -> Option<f64> {
        self.volume
    }
    /// Mid of the range, `(high + low) / 2`.
    pub fn hl2(&self) -> f64 {
        (self.high + self.low) / 2.0
    }
    /// Typical price, `(high + low + close) / 3`.
    pub fn hlc3(&self) -> f64 {
        (self.high + self.low + self.close) / 3.0
    }
}

impl ta::Open for Bar {
    fn open(&self) -> f64 {
        self.open
    }
}
impl ta::High for Bar {
    fn high(&self) -> f64 {
        self.high
    }
}
impl ta::Low for Bar {
    fn low(&self) -> f64 {
        self.low
    }
}
impl ta::Close for Bar {
    fn close(&self) -> f64 {
        self.close
    }
}
impl ta::Volume for Bar {
    /// `ta` knows no missing volume: 0 where [`Bar::volume`] is `None`.
    fn volume(&self) -> f64 {
        self.volume.unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(open: f64, high: f64, low: f64, close: f64) -> Result<Bar, BadBar> {
        Bar::new(Instant::from_secs(0), open, high, low, close, None)
    }

    #[test]
    fn f88_nan_infinity_and_zero_cannot_become_a_bar() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -1.0, 1e10] {
            assert!(bar(bad, 2.0, 1.0, 1.5).is_err(), "open {bad}");
            assert!(bar(1.5, bad, 1.0, 1.5).is_err(), "high {bad}");
            assert!(bar(1.5, 2.0, bad, 1.5).is_err(), "low {bad}");
            assert!(bar(1.5, 2.0, 1.0, bad).is_err(), "close {bad}");
        }
        assert!(Bar::new(Instant::from_secs(0), 1.5, 2.0, 1.0, 1.5, Some(f64::NAN)).is_err());
        assert!(Bar::new(Instant::from_secs(0), 1.5, 2.0, 1.0, 1.5, Some(-1.0)).is_err());
    }

    #[test]
    fn a_bar_whose_prices_contradict_each_other_says_how() {
        assert_eq!(bar(1.5, 1.0, 2.0, 1.5).unwrap_err().to_string(), "high 1 lies below low 2");
        assert_eq!(bar(3.0, 2.0, 1.0, 1.5).unwrap_err().to_string(), "open 3 lies outside low 1 to high 2");
        assert_eq!(bar(1.5, 2.0, 1.0, 0.5).unwrap_err().to_string(), "close 0.5 lies outside low 1 to high 2");
        assert!(bar(1.0, 1.0, 1.0, 1.0).is_ok(), "a bar of one price is a bar");
    }
}
