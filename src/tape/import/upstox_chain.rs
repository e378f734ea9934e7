//! `upstox-chain`: one Upstox option chain answer. It carries no time at all.

use scalper_decide::domain::{InstrumentId, Right, Tick, TickSource};
use serde_json::Value;

use super::super::contract::{ContractKey, index_by_name, index_names, parse_strike};
use super::super::meta::SpotRank;
use super::chain::{self, Quote};
use super::dhan_json::Fields;
use super::error::{Fault, ImportError};
use super::harvest::{Harvest, Terms};
use super::input::Input;
use super::options::ImportOptions;
use super::text;

/// Reads the file.
pub(super) fn harvest(input: &Input, options: &ImportOptions, out: &mut Harvest<'_>) -> Result<(), ImportError> {
    let at = options.at.ok_or_else(|| ImportError::Needs {
        file: input.shown(),
        option: "--at \"YYYY-MM-DD HH:MM:SS\"",
        why: "an Upstox chain carries no time".to_owned(),
    })?;
    let json = input.json()?;
    let rows = json
        .get("data")
        .and_then(Value::as_array)
        .ok_or_else(|| ImportError::Unreadable { place: input.at(0), detail: "no array `data`".to_owned() })?;
    if rows.is_empty() {
        return Err(ImportError::Empty { file: input.shown() });
    }
    for (n, row) in rows.iter().enumerate() {
        let number = n as u64 + 1;
        let place = input.at(number);
        let text_of = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
        let cell = |column: &str, value: String, fault| ImportError::Cell {
            place: place.clone(),
            column: column.to_owned(),
            value,
            fault,
        };
        let name = text_of("underlying_key").rsplit('|').next().unwrap_or_default();
        let index = index_by_name(name).ok_or_else(|| ImportError::UnknownIndex {
            place: place.clone(),
            name: name.to_owned(),
            known: index_names(),
        })?;
        let expiry = text::date(text_of("expiry")).map_err(|f| cell("expiry", text_of("expiry").to_owned(), f))?;
        let strike_text = row.get("strike_price").map_or_else(String::new, Value::to_string);
        let strike =
            parse_strike(&strike_text).ok_or_else(|| cell("strike_price", strike_text.clone(), Fault::NotAStrike))?;
        if n == 0 && !options.no_spot {
            let spot = Fields { input, row: number, path: "", object: row }.price("underlying_spot_price")?;
            let listing = out.list_index(at.ist_date(), index, SpotRank::Accompanying, &place)?;
            out.push(listing, Tick::last_price(InstrumentId(0), at, at, spot, TickSource::Snapshot), &place)?;
        }
        for (side, right) in [("call_options", Right::Call), ("put_options", Right::Put)] {
            let Some(option) = row.get(side) else { continue };
            let Some(object) = option.get("market_data").filter(|o| o.is_object()) else { continue };
            let path = format!("{side}.market_data.");
            let f = Fields { input, row: number, path: &path, object };
            let id =
                option.get("instrument_key").and_then(Value::as_str).and_then(|k| k.rsplit('|').next()?.parse().ok());
            let quote = Quote {
                ltp: f.price_or_zero("ltp")?,
                bid: f.level("bid_price", "bid_qty")?,
                ask: f.level("ask_price", "ask_qty")?,
                oi: f.count("oi")?,
                volume: f.count("volume")?,
            };
            let terms = Terms { security_id: id, ..Terms::default() };
            chain::push(out, at, ContractKey::Option(index, expiry, strike, right), terms, quote, &place)?;
        }
    }
    Ok(())
}
