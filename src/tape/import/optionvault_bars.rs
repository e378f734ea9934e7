//! `optionvault-bars`: Kite-like bars, `datetime,open,high,low,close,volume` with or without `name`, `oi`, `exp`,
//! `strike`, `type`. Seconds and minutes look alike; the distance between rows tells.

use std::collections::BTreeMap;

use super::super::contract::{ContractKey, index_by_name, index_names};
use super::bars::Bar;
use super::error::ImportError;
use super::harvest::{Harvest, Terms};
use super::input::{Input, Table};
use super::options::ImportOptions;
use super::optionvault_ticks::contract;
use super::series::{self, SeriesBar};
use super::text;

/// Reads the file.
pub(super) fn harvest(input: &Input, options: &ImportOptions, out: &mut Harvest<'_>) -> Result<(), ImportError> {
    let mut table = input.table()?;
    let at = table.need(&["datetime"])?;
    let ohlc = [table.need(&["open"])?, table.need(&["high"])?, table.need(&["low"])?, table.need(&["close"])?];
    let (volume, oi) = (table.find(&["volume"]), table.find(&["oi"]));
    let mut series: BTreeMap<ContractKey, Vec<SeriesBar>> = BTreeMap::new();
    while table.advance()? {
        let key = key_of(&table, input, options)?;
        let start = table.get(at, text::iso_time)?;
        let count = |column: Option<usize>| -> Result<Option<i64>, ImportError> {
            Ok(column.map(|c| table.get(c, text::optional_count)).transpose()?.flatten())
        };
        // The vendor prints 0 for an index, which has no open interest.
        let oi = count(oi)?.filter(|_| !matches!(key, ContractKey::Index(_)));
        let bar = Bar::read(&table, start, ohlc)?;
        series.entry(key).or_default().push(SeriesBar { row: table.place().row, bar, volume: count(volume)?, oi });
    }
    if series.is_empty() {
        return Err(ImportError::Empty { file: input.shown() });
    }
    let length = series::interval(input, options, &series)?;
    for (key, bars) in &series {
        series::draw(input, options, out, *key, Terms::default(), length, bars)?;
    }
    Ok(())
}

fn key_of(table: &Table<'_>, input: &Input, options: &ImportOptions) -> Result<ContractKey, ImportError> {
    if let (Some(kind), Some(expiry), Some(strike)) =
        (table.find(&["type"]), table.find(&["exp"]), table.find(&["strike"]))
    {
        return contract(table, table.need(&["name", "symbol"])?, kind, expiry, strike);
    }
    if let Some(column) = table.find(&["name", "symbol"]) {
        let name = table.text(column);
        return index_by_name(name).map(ContractKey::Index).ok_or_else(|| ImportError::UnknownIndex {
            place: table.place(),
            name: name.to_owned(),
            known: index_names(),
        });
    }
    options.contract.or(options.index.map(ContractKey::Index)).ok_or_else(|| ImportError::Needs {
        file: input.shown(),
        option: "--index or --contract",
        why: "the file does not say whose bars these are".to_owned(),
    })
}
