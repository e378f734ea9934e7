//! The contracts of a file that only names them by id: `id,symbol,kind,underlying_id,strike,expiry,lot,tick_size`, a
//! tape's own `instruments.csv`, or the one contract told with --contract.

use std::collections::BTreeMap;

use scalper_decide::domain::{InstrumentKind, LotSize, Premium, Right, Underlying};

use super::super::contract::{ContractKey, SYNTHETIC_FROM, index_by_name, index_names, parse_strike};
use super::super::instruments;
use super::error::{Fault, ImportError};
use super::harvest::Terms;
use super::input::{Input, Table};
use super::options::ImportOptions;
use super::text;

/// A contract with the terms its file gives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// What it is.
    pub(super) key: ContractKey,
    /// Its terms.
    pub(super) terms: Terms,
}

/// Every contract the user has described.
#[derive(Debug, Default)]
pub(super) struct Known {
    by_id: BTreeMap<String, Entry>,
    by_symbol: BTreeMap<String, Entry>,
    told: Option<Entry>,
}

impl Known {
    /// By the file's own id.
    pub(super) fn by_id(&self, id: &str) -> Option<Entry> {
        self.by_id.get(id).copied()
    }
    /// By the file's own symbol.
    pub(super) fn by_symbol(&self, symbol: &str) -> Option<Entry> {
        self.by_symbol.get(symbol).copied()
    }
    /// The one contract told, or the only one listed.
    pub(super) fn single(&self) -> Option<Entry> {
        self.told.or_else(|| (self.by_id.len() == 1).then(|| *self.by_id.values().next().expect("one entry")))
    }
    /// The same, an error when there is none.
    pub(super) fn only(&self, input: &Input) -> Result<Entry, ImportError> {
        self.single().ok_or_else(|| ImportError::Needs {
            file: input.shown(),
            option: "--contract (for example --contract \"NIFTY 2025-12-30 FUT\")",
            why: "the file does not say whose ticks these are".to_owned(),
        })
    }
}

/// Reads what the options name.
pub(super) fn load(options: &ImportOptions) -> Result<Known, ImportError> {
    let mut known = match &options.instruments {
        Some(path) => read(&Input::read(path)?)?,
        None => Known::default(),
    };
    let told =
        options.contract.or_else(|| known.by_id.is_empty().then(|| options.index.map(ContractKey::Index)).flatten());
    known.told = told.map(|key| Entry { key, terms: Terms { security_id: options.security_id, ..Terms::default() } });
    if let (Some(entry), Some(id)) = (known.told, options.security_id) {
        known.by_id.insert(id.to_string(), entry);
    }
    Ok(known)
}

/// Reads an instruments file.
pub(super) fn read(input: &Input) -> Result<Known, ImportError> {
    let mut table = input.table()?;
    if table.header().iter().map(String::as_str).eq(instruments::HEADER) {
        return read_own(input);
    }
    let columns = Columns {
        id: table.need(&["id"])?,
        symbol: table.need(&["symbol"])?,
        kind: table.need(&["kind"])?,
        underlying: table.need(&["underlying_id"])?,
        strike: table.need(&["strike"])?,
        expiry: table.need(&["expiry"])?,
        lot: table.need(&["lot"])?,
        tick: table.need(&["tick_size"])?,
    };
    // Derivatives may come before their index, so the indices are gathered first.
    let mut indices: BTreeMap<String, Underlying> = BTreeMap::new();
    while table.advance()? {
        if is_index(table.text(columns.kind)) {
            let named = [columns.symbol, columns.id, columns.underlying].map(|c| index_by_name(table.text(c)));
            let index = named.into_iter().flatten().next().ok_or_else(|| ImportError::UnknownIndex {
                place: table.place(),
                name: table.text(columns.symbol).to_owned(),
                known: index_names(),
            })?;
            indices.insert(table.text(columns.id).to_owned(), index);
        }
    }
    let mut known = Known::default();
    let mut table = input.table()?;
    while table.advance()? {
        let entry = columns.entry(&table, &indices)?;
        let (id, symbol) = (table.text(columns.id).to_owned(), table.text(columns.symbol).to_owned());
        if id.is_empty() {
            return Err(table.refuse(columns.id, Fault::Missing));
        }
        if known.by_id.insert(id.clone(), entry).is_some() {
            return Err(ImportError::Unreadable { place: table.place(), detail: format!("a second row with id {id}") });
        }
        known.by_symbol.insert(symbol, entry);
    }
    if known.by_id.is_empty() { Err(ImportError::Empty { file: input.shown() }) } else { Ok(known) }
}

fn is_index(kind: &str) -> bool {
    matches!(kind.to_ascii_uppercase().as_str(), "INDEX" | "IDX")
}

struct Columns {
    id: usize,
    symbol: usize,
    kind: usize,
    underlying: usize,
    strike: usize,
    expiry: usize,
    lot: usize,
    tick: usize,
}

impl Columns {
    fn entry(&self, table: &Table<'_>, indices: &BTreeMap<String, Underlying>) -> Result<Entry, ImportError> {
        let kind = table.text(self.kind).to_ascii_uppercase();
        if is_index(&kind) {
            let index = indices[table.text(self.id)];
            return Ok(Entry { key: ContractKey::Index(index), terms: Terms::default() });
        }
        let of = table.text(self.underlying);
        let underlying =
            indices.get(of).copied().or_else(|| index_by_name(of)).ok_or_else(|| ImportError::UnknownIndex {
                place: table.place(),
                name: of.to_owned(),
                known: format!("the id of an index row of this file, or {}", index_names()),
            })?;
        let expiry = table.get(self.expiry, text::date)?;
        let symbol = table.text(self.symbol).to_ascii_uppercase();
        let right = match kind.as_str() {
            "FUT" | "FUTURE" | "FUTIDX" => None,
            "CE" | "CALL" => Some(Right::Call),
            "PE" | "PUT" => Some(Right::Put),
            "OPT" | "OPTION" | "OPTIDX" if symbol.ends_with("CE") || symbol.ends_with("CALL") => Some(Right::Call),
            "OPT" | "OPTION" | "OPTIDX" if symbol.ends_with("PE") || symbol.ends_with("PUT") => Some(Right::Put),
            _ => {
                let what = format!("kind {kind:?} of {symbol:?} (expected INDEX, FUT, CE or PE)");
                return Err(ImportError::Unsupported { place: table.place(), what });
            }
        };
        let key = match right {
            None => ContractKey::Future(underlying, expiry),
            Some(right) => {
                let strike = table.get(self.strike, |t| parse_strike(t).ok_or(Fault::NotAStrike))?;
                ContractKey::Option(underlying, expiry, strike, right)
            }
        };
        let lot = table.get(self.lot, text::optional_count)?;
        let tick = match table.text(self.tick) {
            "" => None,
            _ => Some(table.price(self.tick)?),
        };
        if tick.is_some_and(|paise| paise >= 100) {
            return Err(table.refuse(self.tick, Fault::NotATick));
        }
        let terms = Terms {
            security_id: table.text(self.id).parse().ok().filter(|id| (1..SYNTHETIC_FROM).contains(id)),
            lot: lot
                .map(|units| LotSize::new(units).ok_or_else(|| table.refuse(self.lot, Fault::NotPositive)))
                .transpose()?,
            tick: tick.map(Premium::from_paise),
        };
        Ok(Entry { key, terms })
    }
}

fn read_own(input: &Input) -> Result<Known, ImportError> {
    let mut known = Known::default();
    let mut shared = Vec::new();
    for i in instruments::from_csv(input.bytes(), input.path())? {
        let (lot, tick) = match &i.kind {
            InstrumentKind::Option(c) => (Some(c.lot), Some(c.tick)),
            _ => (None, None),
        };
        let terms = Terms { security_id: Some(i.security_id), lot, tick };
        let entry = Entry { key: instruments::key_of(&i), terms };
        known.by_symbol.insert(i.symbol, entry);
        // An id is unique only inside its segment; one that two segments share says nothing alone.
        if known.by_id.insert(i.security_id.to_string(), entry).is_some() {
            shared.push(i.security_id.to_string());
        }
    }
    shared.iter().for_each(|id| {
        known.by_id.remove(id);
    });
    Ok(known)
}
