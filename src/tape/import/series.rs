//! One contract's bars, from whatever file, into ticks.

use std::collections::BTreeMap;

use scalper_decide::domain::{Age, Instant, Tick, TickSource};

use super::super::contract::ContractKey;
use super::super::meta::SpotRank;
use super::bars::{Bar, Grid};
use super::error::{Fault, ImportError};
use super::harvest::{Harvest, Listing, Terms};
use super::input::Input;
use super::options::ImportOptions;

/// A bar with what came beside it.
#[derive(Debug, Clone, Copy)]
pub(super) struct SeriesBar {
    /// Line or row.
    pub(super) row: u64,
    /// Its prices.
    pub(super) bar: Bar,
    /// Units traded in it.
    pub(super) volume: Option<i64>,
    /// Open interest at its end.
    pub(super) oi: Option<i64>,
}

/// The declared interval, else the smallest distance between bars of any one series.
pub(super) fn interval(
    input: &Input,
    options: &ImportOptions,
    series: &BTreeMap<ContractKey, Vec<SeriesBar>>,
) -> Result<Age, ImportError> {
    if let Some(interval) = options.interval {
        return Ok(interval);
    }
    let gaps = series.values().flat_map(|bars| {
        bars.windows(2).map(|w| w[1].bar.start.nanos() - w[0].bar.start.nanos()).filter(|gap| *gap > 0)
    });
    let least = gaps.min().ok_or_else(|| ImportError::Needs {
        file: input.shown(),
        option: "--interval",
        why: "too few bars to tell how long one is".to_owned(),
    })?;
    Ok(Age::from_nanos(least))
}

/// Draws every bar of one contract. Bars must rise in time and start on the grid.
pub(super) fn draw(
    input: &Input,
    options: &ImportOptions,
    harvest: &mut Harvest<'_>,
    key: ContractKey,
    terms: Terms,
    length: Age,
    bars: &[SeriesBar],
) -> Result<(), ImportError> {
    let mut grid = Grid::new(length);
    for bar in bars {
        let place = input.at(bar.row);
        let day = bar.bar.start.ist_date();
        grid.take(input, bar.row, bar.bar.start, harvest.hours(day, &place)?)?;
        let listing = match key {
            ContractKey::Index(u) => {
                harvest.comes_as_bars(day, u, length);
                harvest.list_index(day, u, SpotRank::Primary, &place)?
            }
            _ => harvest.list(day, key, terms, &place)?,
        };
        draw_bar(input, options, harvest, listing, length, bar)?;
    }
    grid.finish(input)
}

/// Draws one bar of a listed contract.
pub(super) fn draw_bar(
    input: &Input,
    options: &ImportOptions,
    harvest: &mut Harvest<'_>,
    listing: Listing,
    length: Age,
    bar: &SeriesBar,
) -> Result<(), ImportError> {
    let place = input.at(bar.row);
    let (before, after) = harvest.trade(listing, bar.volume);
    let points = bar.bar.points(length, options.path);
    for (n, (at, price, flags)) in points.into_iter().enumerate() {
        let mut tick = Tick::last_price(scalper_decide::domain::InstrumentId(0), at, at, price, TickSource::Bar);
        tick.flags = flags;
        tick.volume = if n == 3 { after } else { before };
        tick.oi = bar.oi.unwrap_or(tick.oi);
        harvest.push(listing, tick, &place)?;
    }
    Ok(())
}

/// Builds a bar from decoded numbers (JSON files), `at` naming row and field in errors.
pub(super) fn bar_from_rupees(input: &Input, row: u64, start: Instant, ohlc: [f64; 4]) -> Result<Bar, ImportError> {
    let cell = |column: &str, value: f64, fault| ImportError::Cell {
        place: input.at(row),
        column: column.to_owned(),
        value: value.to_string(),
        fault,
    };
    let mut paise = [0; 4];
    for (n, name) in ["open", "high", "low", "close"].into_iter().enumerate() {
        paise[n] = super::text::rupees_to_paise(ohlc[n]).map_err(|fault| cell(name, ohlc[n], fault))?;
        if paise[n] <= 0 {
            return Err(cell(name, ohlc[n], Fault::NotPositive));
        }
    }
    let [open, high, low, close] = paise;
    if high < open.max(close).max(low) {
        return Err(cell("high", ohlc[1], Fault::NotABar));
    }
    if low > open.min(close) {
        return Err(cell("low", ohlc[2], Fault::NotABar));
    }
    Ok(Bar { start, open, high, low, close })
}
