//! Turns bars into tick paths. A bar tells four prices and no times; the times given here are a convention, and every
//! point carries [`TickFlags::SYNTHESISED`] so that nothing downstream mistakes it for a trade.

use scalper_decide::domain::{Age, Instant, SessionHours, TickFlags};

use super::super::meta::ist_text;
use super::error::{Fault, ImportError};
use super::input::{Input, Table};
use super::options::interval_text;

/// Order of the extremes inside a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum BarPath {
    /// Open, high, low, close.
    #[default]
    Ohlc,
    /// Open, low, high, close.
    Olhc,
}

impl BarPath {
    /// For remarks.
    pub const fn words(self) -> &'static str {
        match self {
            BarPath::Ohlc => "open, high, low, close",
            BarPath::Olhc => "open, low, high, close",
        }
    }
}

/// Prices of one bar, in paise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bar {
    /// Its start.
    pub start: Instant,
    /// First price.
    pub open: i64,
    /// Highest price.
    pub high: i64,
    /// Lowest price.
    pub low: i64,
    /// Last price.
    pub close: i64,
}

/// How far the ends of the path stay inside a bar: one second, a tenth of bars shorter than ten.
pub const fn margin(length: Age) -> Age {
    let tenth = length.nanos() / 10;
    let second = 1_000_000_000;
    Age::from_nanos(if tenth < second { tenth } else { second })
}

impl Bar {
    /// The four points: open at start + 1 s, the extremes at one and two thirds, close at end - 1 s.
    pub fn points(&self, length: Age, path: BarPath) -> [(Instant, i64, TickFlags); 4] {
        let at = |nanos: i64| self.start + Age::from_nanos(nanos);
        let (third, ends) = (length.nanos() / 3, margin(length).nanos());
        let (first, second) = match path {
            BarPath::Ohlc => (self.high, self.low),
            BarPath::Olhc => (self.low, self.high),
        };
        let drawn = TickFlags::SYNTHESISED;
        [
            (at(ends), self.open, drawn.with(TickFlags::BAR_OPEN)),
            (at(third), first, drawn),
            (at(2 * third), second, drawn),
            (at(length.nanos() - ends), self.close, drawn.with(TickFlags::BAR_CLOSE)),
        ]
    }

    /// Reads the four prices from the given columns and checks that they make a bar.
    pub fn read(table: &Table<'_>, start: Instant, ohlc: [usize; 4]) -> Result<Bar, ImportError> {
        let [open, high, low, close] = ohlc;
        let bar = Bar {
            start,
            open: table.price(open)?,
            high: table.price(high)?,
            low: table.price(low)?,
            close: table.price(close)?,
        };
        if bar.high < bar.open.max(bar.close).max(bar.low) {
            return Err(table.refuse(high, Fault::NotABar));
        }
        if bar.low > bar.open.min(bar.close) {
            return Err(table.refuse(low, Fault::NotABar));
        }
        Ok(bar)
    }
}

/// Watches the times of one series of bars: strictly rising, on the grid from the open, as far apart as declared.
#[derive(Debug)]
pub struct Grid {
    length: Age,
    last: Option<Instant>,
    closest: Option<(i64, u64)>,
}

impl Grid {
    /// A grid of bars of this length.
    pub const fn new(length: Age) -> Grid {
        Grid { length, last: None, closest: None }
    }

    /// Takes the next bar. `hours` are the day's, `None` on a closed day.
    pub fn take(
        &mut self,
        input: &Input,
        row: u64,
        start: Instant,
        hours: Option<&SessionHours>,
    ) -> Result<(), ImportError> {
        let place = || input.at(row);
        if let Some(last) = self.last {
            if start == last {
                return Err(ImportError::DuplicateBar { place: place(), at: ist_text(start) });
            }
            if start < last {
                let (previous, found) = (ist_text(last), ist_text(start));
                return Err(ImportError::TimeBackwards { place: place(), previous, found });
            }
            let gap = start.nanos() - last.nanos();
            self.closest = match self.closest {
                Some((least, n)) => Some((least.min(gap), n + 1)),
                None => Some((gap, 1)),
            };
        }
        self.last = Some(start);
        // Bars shorter than a minute start on whole seconds anywhere; longer ones count from the open.
        let origin = hours.map_or_else(
            || Instant::from_ist(start.ist_date(), scalper_decide::domain::TimeOfDay::hm(9, 15).expect("a time")),
            SessionHours::open_at,
        );
        let step = if self.length < Age::from_mins(1) { Age::from_secs(1) } else { self.length };
        if (start.nanos() - origin.nanos()).rem_euclid(step.nanos()) != 0 {
            let (at, interval) = (ist_text(start), interval_text(self.length));
            return Err(ImportError::OffGrid { place: place(), at, interval });
        }
        Ok(())
    }

    /// At the end of the file: whether the smallest distance between bars is the declared one.
    pub fn finish(&self, input: &Input) -> Result<(), ImportError> {
        match self.closest {
            Some((least, gaps)) if gaps >= 5 && least != self.length.nanos() => Err(ImportError::WrongInterval {
                file: input.shown(),
                declared: interval_text(self.length),
                found: interval_text(Age::from_nanos(least)),
            }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_becomes_four_points_inside_it_in_the_chosen_order() {
        let bar = Bar { start: Instant::from_secs(0), open: 10, high: 14, low: 8, close: 12 };
        let seconds = |path| {
            bar.points(Age::from_mins(1), path).map(|(at, price, flags)| (at.nanos() / 1_000_000_000, price, flags.0))
        };
        assert_eq!(seconds(BarPath::Ohlc), [(1, 10, 3), (20, 14, 1), (40, 8, 1), (59, 12, 5)]);
        assert_eq!(seconds(BarPath::Olhc), [(1, 10, 3), (20, 8, 1), (40, 14, 1), (59, 12, 5)]);
    }

    #[test]
    fn bars_of_one_second_keep_their_points_inside_it() {
        let bar = Bar { start: Instant::from_secs(0), open: 10, high: 14, low: 8, close: 12 };
        let millis = bar.points(Age::from_secs(1), BarPath::Ohlc).map(|p| p.0.nanos() / 1_000_000);
        assert_eq!(millis, [100, 333, 666, 900]);
    }
}
