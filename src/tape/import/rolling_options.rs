//! `rolling-options`: per minute the then at-the-money call and put. The contract changes when spot crosses half a
//! strike, so rows are keyed by (expiry, strike) and a contract has ticks only for the minutes it was at the money.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use scalper_decide::domain::{Age, Instant, InstrumentId, Right, Tick, TickFlags, TickSource, Underlying};

use super::super::contract::{ContractKey, parse_strike};
use super::super::meta::SpotRank;
use super::bars::{Bar, Grid, margin};
use super::error::{Fault, ImportError};
use super::harvest::{Harvest, Terms};
use super::input::{Input, Table};
use super::options::ImportOptions;
use super::series::{SeriesBar, draw_bar};
use super::text;

struct Side {
    right: Right,
    ohlc: [usize; 4],
    volume: usize,
    oi: usize,
}

impl Side {
    fn find(table: &Table<'_>, right: Right) -> Result<Side, ImportError> {
        let prefix = right.code().to_ascii_lowercase();
        let column = |name: &str| table.need(&[&format!("{prefix}_{name}")]);
        Ok(Side {
            right,
            ohlc: [column("open")?, column("high")?, column("low")?, column("close")?],
            volume: column("volume")?,
            oi: column("oi")?,
        })
    }
}

/// Reads the file.
pub(super) fn harvest(input: &Input, options: &ImportOptions, out: &mut Harvest<'_>) -> Result<(), ImportError> {
    let index = options.index.ok_or_else(|| ImportError::Needs {
        file: input.shown(),
        option: "--index (for example --index NIFTY)",
        why: "the file does not say whose options these are".to_owned(),
    })?;
    let length = options.interval.unwrap_or(Age::from_mins(1));
    let mut table = input.table()?;
    let (at, expiry, strike) = (table.need(&["ts"])?, table.need(&["expiry"])?, table.need(&["strike"])?);
    let sides = [Side::find(&table, Right::Call)?, Side::find(&table, Right::Put)?];
    let spot = ["open", "high", "low", "close"].map(|name| table.find(&[&format!("spot_{name}")]));
    let parity = table.find(&["parity_fwd_close"]);
    let mut grid = Grid::new(length);
    let mut rows = 0u64;
    let mut derived = BTreeSet::new();
    while table.advance()? {
        rows += 1;
        let place = table.place();
        let start = table.get(at, text::iso_time)?;
        let day = start.ist_date();
        grid.take(input, place.row, start, out.hours(day, &place)?)?;
        let expiry: NaiveDate = table.get(expiry, text::date)?;
        let strike = table.get(strike, |t| parse_strike(t).ok_or(Fault::NotAStrike))?;
        if !options.no_spot {
            if let [Some(o), Some(h), Some(l), Some(c)] = spot {
                out.comes_as_bars(day, index, length);
                let listing = out.list_index(day, index, SpotRank::Accompanying, &place)?;
                let bar = Bar::read(&table, start, [o, h, l, c])?;
                draw_bar(
                    input,
                    options,
                    out,
                    listing,
                    length,
                    &SeriesBar { row: place.row, bar, volume: None, oi: None },
                )?;
            } else if let Some(column) = parity {
                derive_index(&table, out, index, start, length, column)?;
                derived.insert(day);
            }
        }
        for side in &sides {
            let key = ContractKey::Option(index, expiry, strike, side.right);
            let listing = out.list(day, key, Terms::default(), &place)?;
            let bar = SeriesBar {
                row: place.row,
                bar: Bar::read(&table, start, side.ohlc)?,
                volume: table.get(side.volume, text::optional_count)?,
                oi: table.get(side.oi, text::optional_count)?,
            };
            draw_bar(input, options, out, listing, length, &bar)?;
        }
    }
    if rows == 0 {
        return Err(ImportError::Empty { file: input.shown() });
    }
    for day in derived {
        out.note(
            day,
            format!(
                "{index} has no spot prices in this file: its ticks are the put-call parity forward of the at-the-money strike at \
                 the close of each bar (source 3, derived)"
            ),
        );
    }
    grid.finish(input)
}

/// One tick per bar, at its close: the forward is made of closing prices and says nothing about the rest of the bar.
fn derive_index(
    table: &Table<'_>,
    out: &mut Harvest<'_>,
    index: Underlying,
    start: Instant,
    length: Age,
    column: usize,
) -> Result<(), ImportError> {
    let place = table.place();
    out.comes_as_bars(start.ist_date(), index, length);
    let listing = out.list_index(start.ist_date(), index, SpotRank::Derived, &place)?;
    let at = start + Age::from_nanos(length.nanos() - margin(length).nanos());
    let mut tick = Tick::last_price(InstrumentId(0), at, at, table.price(column)?, TickSource::Derived);
    tick.flags = TickFlags::SYNTHESISED.with(TickFlags::BAR_CLOSE);
    out.push(listing, tick, &place)
}
