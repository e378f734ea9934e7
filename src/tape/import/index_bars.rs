//! `index-bars`: minutes of one index, `ts,open,high,low,close[,volume]`; the file does not name the index.

use std::collections::BTreeMap;

use super::super::contract::ContractKey;
use super::bars::Bar;
use super::error::ImportError;
use super::harvest::{Harvest, Terms};
use super::input::Input;
use super::options::ImportOptions;
use super::series::{self, SeriesBar};
use super::text;

/// Names of the time column.
pub(super) const TIME: [&str; 4] = ["ts", "timestamp", "datetime", "time"];

/// Reads the file.
pub(super) fn harvest(input: &Input, options: &ImportOptions, out: &mut Harvest<'_>) -> Result<(), ImportError> {
    let index = options.index.ok_or_else(|| ImportError::Needs {
        file: input.shown(),
        option: "--index (for example --index NIFTY)",
        why: "the file does not say which index it is".to_owned(),
    })?;
    let mut table = input.table()?;
    let at = table.need(&TIME)?;
    let ohlc = [table.need(&["open"])?, table.need(&["high"])?, table.need(&["low"])?, table.need(&["close"])?];
    let volume = table.find(&["volume"]);
    let mut bars = Vec::new();
    while table.advance()? {
        let start = table.get(at, text::iso_time)?;
        bars.push(SeriesBar {
            row: table.place().row,
            bar: Bar::read(&table, start, ohlc)?,
            volume: volume.map(|c| table.get(c, text::optional_count)).transpose()?.flatten(),
            oi: None,
        });
    }
    if bars.is_empty() {
        return Err(ImportError::Empty { file: input.shown() });
    }
    let key = ContractKey::Index(index);
    let all = BTreeMap::from([(key, bars)]);
    let length = series::interval(input, options, &all)?;
    series::draw(input, options, out, key, Terms::default(), length, &all[&key])
}
