//! `optionvault-ticks`: Kite-like ticks. The first `volume` is the day's, the second the last trade's. Option rows have
//! right expiry and strike columns and a placeholder symbol of which only index and right can be used.

use scalper_decide::domain::tick::ABSENT;
use scalper_decide::domain::{InstrumentId, Right, Segment, Tick, TickSource};

use super::super::contract::{ContractKey, index_by_name, index_names, parse_strike};
use super::super::meta::SpotRank;
use super::clock::Clock;
use super::error::{Fault, ImportError};
use super::harvest::{Harvest, Terms};
use super::input::{Input, Table};
use super::options::ImportOptions;
use super::text;

/// Reads the file.
pub(super) fn harvest(input: &Input, _options: &ImportOptions, out: &mut Harvest<'_>) -> Result<(), ImportError> {
    let mut table = input.table()?;
    let (at, price) = (table.need(&["timestamp"])?, table.need(&["price"])?);
    let (symbol, kind) = (table.need(&["tradingsymbol"])?, table.need(&["instrument_type"])?);
    let (expiry, strike) = (table.need(&["expiry"])?, table.need(&["strike"])?);
    let (volume, quantity) = (table.find_nth("volume", 0), table.find_nth("volume", 1));
    let mut clock = Clock::default();
    let mut rows = 0u64;
    while table.advance()? {
        rows += 1;
        let place = table.place();
        let time = table.get(at, text::iso_time)?;
        let day = time.ist_date();
        let key = contract(&table, symbol, kind, expiry, strike)?;
        let listing = match key {
            ContractKey::Index(index) => out.list_index(day, index, SpotRank::Primary, &place)?,
            _ => out.list(day, key, Terms::default(), &place)?,
        };
        let received = clock.receive(listing, time);
        let mut tick = Tick::last_price(InstrumentId(0), time, received, table.price(price)?, TickSource::Feed);
        if listing.segment != Segment::IdxI {
            let count = |column: Option<usize>| -> Result<i64, ImportError> {
                Ok(column.map(|c| table.get(c, text::optional_count)).transpose()?.flatten().unwrap_or(ABSENT))
            };
            (tick.volume, tick.ltq) = (count(volume)?, count(quantity)?);
        }
        out.push(listing, tick, &place)?;
    }
    if rows == 0 { Err(ImportError::Empty { file: input.shown() }) } else { Ok(()) }
}

/// The contract of a row: `INDEX` by name, `OPT`/`FUT` by the letters before the first digit of the symbol, the last
/// two letters (CE, PE), and the expiry and strike columns.
pub(super) fn contract(
    table: &Table<'_>,
    symbol: usize,
    kind: usize,
    expiry: usize,
    strike: usize,
) -> Result<ContractKey, ImportError> {
    let name = table.text(symbol);
    let index_named = |name: &str| {
        index_by_name(name).ok_or_else(|| ImportError::UnknownIndex {
            place: table.place(),
            name: name.to_owned(),
            known: index_names(),
        })
    };
    let prefix = || name.split(|c: char| c.is_ascii_digit()).next().unwrap_or_default();
    let kind_text = table.text(kind).to_ascii_uppercase();
    match kind_text.as_str() {
        "INDEX" => index_named(name).map(ContractKey::Index),
        "FUT" => Ok(ContractKey::Future(index_named(prefix())?, table.get(expiry, text::date)?)),
        "OPT" | "CE" | "PE" => {
            let code = if kind_text == "OPT" {
                name.get(name.len().saturating_sub(2)..).unwrap_or_default()
            } else {
                &kind_text
            };
            let right = Right::from_code(code).ok_or_else(|| ImportError::Unsupported {
                place: table.place(),
                what: format!("symbol {name:?} (it ends in neither CE nor PE)"),
            })?;
            let index = index_named(prefix())?;
            let strike = table.get(strike, |t| parse_strike(t).ok_or(Fault::NotAStrike))?;
            Ok(ContractKey::Option(index, table.get(expiry, text::date)?, strike, right))
        }
        other => Err(ImportError::Unsupported { place: table.place(), what: format!("instrument type {other:?}") }),
    }
}
