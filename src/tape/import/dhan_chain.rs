//! `dhan-chain`: one `POST /optionchain` answer. It carries no server time, so the recording time stands for both.

use scalper_decide::domain::{InstrumentId, Right, Tick, TickSource, Underlying};
use serde_json::Value;

use super::super::contract::{ContractKey, index_by_security_id, index_names, parse_strike};
use super::super::meta::SpotRank;
use super::chain::{self, Quote};
use super::dhan_json::{Exchange, Fields};
use super::error::{Fault, ImportError};
use super::harvest::{Harvest, Terms};
use super::input::Input;
use super::options::ImportOptions;
use super::text;

/// Reads the file.
pub(super) fn harvest(input: &Input, options: &ImportOptions, out: &mut Harvest<'_>) -> Result<(), ImportError> {
    let exchange = Exchange::read(input)?;
    let at = exchange.taken_at(input, options)?;
    let index = underlying(input, options, &exchange)?;
    let unreadable = |detail: &str| ImportError::Unreadable { place: input.at(0), detail: detail.to_owned() };
    let expiry = match exchange.asked("expiry") {
        Some(text) => text::date(&text).map_err(|fault| ImportError::Cell {
            place: input.at(0),
            column: "request Expiry".to_owned(),
            value: text.clone(),
            fault,
        })?,
        None => options.contract.and_then(|c| c.expiry()).ok_or_else(|| ImportError::Needs {
            file: input.shown(),
            option: "--contract with any contract of the series (for example --contract \"NIFTY 2025-02-06 23500 CE\")",
            why: "the answer does not say which expiry it is".to_owned(),
        })?,
    };
    let data = exchange.body.get("data").ok_or_else(|| unreadable("the answer has no `data`"))?;
    let strikes = data.get("oc").and_then(Value::as_object).ok_or_else(|| unreadable("the answer has no `data.oc`"))?;
    if strikes.is_empty() {
        return Err(ImportError::Empty { file: input.shown() });
    }
    let day = at.ist_date();
    if !options.no_spot {
        let fields = Fields { input, row: 0, path: "data.", object: data };
        let listing = out.list_index(day, index, SpotRank::Accompanying, &input.at(0))?;
        let tick = Tick::last_price(InstrumentId(0), at, at, fields.price("last_price")?, TickSource::Snapshot);
        out.push(listing, tick, &input.at(0))?;
    }
    for (n, (strike_text, sides)) in strikes.iter().enumerate() {
        let row = n as u64 + 1;
        let place = input.at(row);
        let strike = parse_strike(strike_text).ok_or_else(|| ImportError::Cell {
            place: place.clone(),
            column: "data.oc".to_owned(),
            value: strike_text.clone(),
            fault: Fault::NotAStrike,
        })?;
        for (name, right) in [("ce", Right::Call), ("pe", Right::Put)] {
            let Some(object) = sides.get(name).filter(|o| o.is_object()) else { continue };
            let path = format!("data.oc.{strike_text}.{name}.");
            let f = Fields { input, row, path: &path, object };
            let id = f.count("security_id")?;
            let terms = Terms { security_id: u32::try_from(id).ok().filter(|id| *id > 0), ..Terms::default() };
            let quote = Quote {
                ltp: f.price_or_zero("last_price")?,
                bid: f.level("top_bid_price", "top_bid_quantity")?,
                ask: f.level("top_ask_price", "top_ask_quantity")?,
                oi: f.count("oi")?,
                volume: f.count("volume")?,
            };
            chain::push(out, at, ContractKey::Option(index, expiry, strike, right), terms, quote, &place)?;
        }
    }
    out.note(day, "a Dhan chain carries no exchange time: the recording time stands for it");
    Ok(())
}

/// The index: told, else by the id asked for (Dhan's index id, or the exchange's token).
fn underlying(input: &Input, options: &ImportOptions, exchange: &Exchange) -> Result<Underlying, ImportError> {
    if let Some(index) = options.index.or(options.contract.map(|c| c.underlying())) {
        return Ok(index);
    }
    let Some(asked) = exchange.asked("underlyingscrip") else {
        return Err(ImportError::Needs {
            file: input.shown(),
            option: "--index (for example --index NIFTY)",
            why: "the answer does not say whose options these are".to_owned(),
        });
    };
    let by_token = match asked.as_str() {
        "26000" => Some(Underlying::Nifty),
        "26009" => Some(Underlying::BankNifty),
        _ => None,
    };
    by_token.or_else(|| index_by_security_id(asked.parse().ok()?)).ok_or_else(|| ImportError::UnknownIndex {
        place: input.at(0),
        name: asked.clone(),
        known: index_names(),
    })
}
