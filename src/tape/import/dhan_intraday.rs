//! `dhan-intraday`: bars from `POST /charts/intraday` as parallel arrays. Timestamps are true UTC epochs of bar starts.

use std::collections::BTreeMap;

use scalper_decide::domain::{Age, Instant, Segment};
use serde_json::Value;

use super::super::contract::{ContractKey, index_by_security_id};
use super::dhan_json::Exchange;
use super::error::{Fault, ImportError};
use super::generic_instruments;
use super::harvest::{Harvest, Terms};
use super::input::Input;
use super::options::{ImportOptions, parse_interval};
use super::series::{self, SeriesBar, bar_from_rupees};
use super::text;

/// Reads the file.
pub(super) fn harvest(input: &Input, options: &ImportOptions, out: &mut Harvest<'_>) -> Result<(), ImportError> {
    let exchange = Exchange::read(input)?;
    let (key, terms) = contract(input, options, &exchange)?;
    let array = |name: &str| exchange.body.get(name).and_then(Value::as_array);
    let need = |name: &str| {
        array(name).ok_or_else(|| ImportError::Unreadable {
            place: input.at(0),
            detail: format!("the answer has no array `{name}`"),
        })
    };
    let (times, prices) = (need("timestamp")?, [need("open")?, need("high")?, need("low")?, need("close")?]);
    let (volumes, ois) = (array("volume"), array("open_interest").or_else(|| array("oi")));
    for (name, other) in [
        ("open", Some(prices[0])),
        ("high", Some(prices[1])),
        ("low", Some(prices[2])),
        ("close", Some(prices[3])),
        ("volume", volumes),
        ("open_interest", ois.filter(|o| !o.is_empty())),
    ] {
        if let Some(other) = other
            && other.len() != times.len()
        {
            let detail = format!("`{name}` has {} values, `timestamp` {}", other.len(), times.len());
            return Err(ImportError::Unreadable { place: input.at(0), detail });
        }
    }
    let mut bars = Vec::new();
    for n in 0..times.len() {
        let row = n as u64 + 1;
        let cell = |column: &str, value: &Value, fault| ImportError::Cell {
            place: input.at(row),
            column: column.to_owned(),
            value: value.to_string(),
            fault,
        };
        let seconds = times[n].as_f64().ok_or_else(|| cell("timestamp", &times[n], Fault::NotANumber))?;
        if !(946_684_800.0..4_102_444_800.0).contains(&seconds) || seconds.fract() != 0.0 {
            return Err(cell("timestamp", &times[n], Fault::NotAnEpoch));
        }
        let start = Instant::from_secs(seconds as i64);
        if prices.iter().any(|p| p[n].is_null()) {
            // The server pads minutes without trades with null (dhan-v2.md 10.2).
            out.tally(start.ist_date(), "bars without prices left out");
            continue;
        }
        let mut ohlc = [0.0; 4];
        for (place, (name, values)) in ohlc.iter_mut().zip(["open", "high", "low", "close"].into_iter().zip(prices)) {
            *place = values[n].as_f64().ok_or_else(|| cell(name, &values[n], Fault::NotANumber))?;
        }
        let count = |name: &str, values: Option<&Vec<Value>>| match values.and_then(|v| v.get(n)) {
            None | Some(Value::Null) => Ok(None),
            Some(v) => {
                let number = v.as_f64().ok_or_else(|| cell(name, v, Fault::NotANumber))?;
                text::whole(number).map(Some).map_err(|fault| cell(name, v, fault))
            }
        };
        bars.push(SeriesBar {
            row,
            bar: bar_from_rupees(input, row, start, ohlc)?,
            volume: count("volume", volumes)?,
            oi: count("open_interest", ois)?,
        });
    }
    if bars.is_empty() {
        return Err(ImportError::Empty { file: input.shown() });
    }
    let all = BTreeMap::from([(key, bars)]);
    let length = match (options.interval, exchange.asked("interval")) {
        (None, Some(minutes)) => parse_interval(&format!("{minutes}m")).unwrap_or(Age::from_mins(1)),
        _ => series::interval(input, options, &all)?,
    };
    series::draw(input, options, out, key, terms, length, &all[&key])
}

/// The contract: what was asked for, else what the user says.
fn contract(input: &Input, options: &ImportOptions, exchange: &Exchange) -> Result<(ContractKey, Terms), ImportError> {
    let told = options.contract.or(options.index.map(ContractKey::Index));
    let asked = exchange.asked("exchangeSegment").zip(exchange.asked("securityId"));
    let Some((segment, id)) = asked else {
        let terms = Terms { security_id: options.security_id, ..Terms::default() };
        return told.map(|key| (key, terms)).ok_or_else(|| ImportError::Needs {
            file: input.shown(),
            option: "--index or --contract",
            why: "the answer does not say whose bars these are".to_owned(),
        });
    };
    let what = format!("{segment} {id}");
    let security_id: u32 =
        id.parse().map_err(|_| ImportError::Unsupported { place: input.at(0), what: what.clone() })?;
    match Segment::from_name(&segment) {
        Some(Segment::IdxI) => match index_by_security_id(security_id) {
            Some(index) => Ok((ContractKey::Index(index), Terms::default())),
            None => Err(ImportError::UnknownIndex {
                place: input.at(0),
                name: what,
                known: super::super::contract::index_names(),
            }),
        },
        Some(segment @ (Segment::NseFno | Segment::BseFno)) => {
            if let Some(key) = options.contract.filter(|k| k.segment() == segment) {
                return Ok((key, Terms { security_id: Some(security_id), ..Terms::default() }));
            }
            let known = generic_instruments::load(options)?;
            let entry = known.by_id(&id).filter(|e| e.key.segment() == segment);
            entry.map(|e| (e.key, e.terms)).ok_or_else(|| ImportError::UnknownContract { place: input.at(0), id: what })
        }
        _ => Err(ImportError::Unsupported { place: input.at(0), what }),
    }
}
