//! Supertrend, TradingView convention (`ta.supertrend`), with a direction of our own sign: up is +1, down is -1.
//!
//! - Raw bands: `hl2 +- multiplier * ATR`.
//! - Final lower band: the raw one where it is higher than the previous final one or the previous close was below that;
//!   else the previous final one. The upper band mirrored. A band so never moves away from the price it guards.
//! - Starts down on the first bar with an ATR; turns up when the close is strictly above the upper band, down when it is
//!   strictly below the lower one. The line is the lower band while up, the upper one while down.
//!
//! Direction and bands are explicit state: nothing is inferred by comparing the line with a band.

use ta::{Next, Period, Reset};

use super::atr::Atr;
use super::bar::Bar;
use crate::domain::Direction;

/// Supertrend of one bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SupertrendValue {
    /// The average true range the bands were drawn with, points.
    pub atr: f64,
    /// The line: under the price while up, above it while down.
    pub line: f64,
    /// Up (+1) or down (-1).
    pub direction: Direction,
    /// Whether this very bar turned the direction; never true on the first defined bar.
    pub flipped: bool,
}

/// Final bands and direction carried from bar to bar.
#[derive(Debug, Clone, Default)]
pub(super) struct Bands {
    carried: Option<Carried>,
}

#[derive(Debug, Clone, Copy)]
struct Carried {
    upper: f64,
    lower: f64,
    close: f64,
    direction: Direction,
}

impl Bands {
    /// Direction after the last bar.
    pub(super) fn direction(&self) -> Option<Direction> {
        self.carried.map(|carried| carried.direction)
    }

    /// Carries the bands over `bar`, drawn `multiplier` times `atr` around its middle.
    pub(super) fn step(&mut self, bar: &Bar, atr: f64, multiplier: f64) -> SupertrendValue {
        let (mut upper, mut lower) = (bar.hl2() + multiplier * atr, bar.hl2() - multiplier * atr);
        let mut direction = Direction::Down;
        let mut flipped = false;
        if let Some(last) = self.carried {
            if !(lower > last.lower || last.close < last.lower) {
                lower = last.lower;
            }
            if !(upper < last.upper || last.close > last.upper) {
                upper = last.upper;
            }
            direction = match last.direction {
                Direction::Down if bar.close() > upper => Direction::Up,
                Direction::Up if bar.close() < lower => Direction::Down,
                unchanged => unchanged,
            };
            flipped = direction != last.direction;
        }
        self.carried = Some(Carried { upper, lower, close: bar.close(), direction });
        let line = match direction {
            Direction::Up => lower,
            Direction::Down => upper,
        };
        SupertrendValue { atr, line, direction, flipped }
    }
}

/// Supertrend with a fixed multiplier.
#[derive(Debug, Clone)]
pub struct Supertrend {
    multiplier: f64,
    atr: Atr,
    bands: Bands,
}

impl Supertrend {
    /// Bands `multiplier` average true ranges of `period` bars away (10 and 3.0 by default, 7 and 3.0 classic).
    ///
    /// # Panics
    /// When `period` is 0, or `multiplier` is not above 0 and at most 1,000.
    pub fn new(period: usize, multiplier: f64) -> Supertrend {
        assert!(multiplier > 0.0 && multiplier <= 1_000.0, "multiplier {multiplier} is not above 0 and at most 1000");
        Supertrend { multiplier, atr: Atr::new(period), bands: Bands::default() }
    }

    /// Band distance in average true ranges.
    pub const fn multiplier(&self) -> f64 {
        self.multiplier
    }
}

impl Next<&Bar> for Supertrend {
    type Output = Option<SupertrendValue>;

    /// `None` before `period` bars.
    fn next(&mut self, bar: &Bar) -> Option<SupertrendValue> {
        let atr = self.atr.next(bar)?;
        Some(self.bands.step(bar, atr, self.multiplier))
    }
}

impl Period for Supertrend {
    fn period(&self) -> usize {
        self.atr.period()
    }
}

impl Reset for Supertrend {
    fn reset(&mut self) {
        self.atr.reset();
        self.bands = Bands::default();
    }
}
