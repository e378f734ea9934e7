//! The compact instrument list, read as a stream and by header name (dhan-v2.md 10.4). Contracts of the wanted
//! indices come out; whatever is doubtful about one contract keeps that contract out, whatever is doubtful about an
//! index refuses the list.

use std::collections::BTreeMap;
use std::io::Read;

use chrono::NaiveDate;
use scalper_decide::domain::contracts::OutsideContracts;
use scalper_decide::domain::money::LotSize;
use scalper_decide::domain::{
    ContractBook, Exchange, Instrument, InstrumentId, InstrumentKind, OptionContract, Premium, Right, Segment, Strike,
    Underlying,
};

use super::option_chain::strike;
use super::times;

/// Most complaints that are kept as text; all are counted.
const MAX_COMPLAINTS: usize = 20;

/// Why the list cannot be traded on.
#[derive(Debug, thiserror::Error)]
pub enum MasterError {
    /// Not a CSV, or the connection broke.
    #[error("the instrument list cannot be read: {0}")]
    Csv(#[from] csv::Error),
    /// A column is gone.
    #[error("the instrument list has no column {0}")]
    NoColumn(&'static str),
    /// A wanted index has no row.
    #[error("the instrument list does not hold the index {0}")]
    NoIndex(Underlying),
    /// A wanted index has several ids.
    #[error("the instrument list holds the index {0} more than once: ids {1:?}")]
    NotUnique(Underlying, Vec<u32>),
    /// A wanted index has no contract that can be traded.
    #[error("the instrument list holds no option on {0} that expires on or after {1}; is it stale?")]
    NoOptions(Underlying, NaiveDate),
    /// The dated tables do not cover the day.
    #[error(transparent)]
    OutsideContracts(#[from] OutsideContracts),
}

/// What came out of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Master {
    /// Indices, then futures, then options by index, expiry, strike and right. The ids count from 0 in this order.
    pub instruments: Vec<Instrument>,
    /// Rows read in all.
    pub rows: usize,
    /// Rows of wanted indices that were left out because something about them is wrong.
    pub left_out: usize,
    /// The first of them, with the reason.
    pub complaints: Vec<String>,
}

struct Columns {
    exchange: usize,
    segment: usize,
    id: usize,
    instrument: usize,
    symbol: usize,
    lot: usize,
    expiry: usize,
    strike: usize,
    right: usize,
    tick: usize,
    name: usize,
}

impl Columns {
    fn of(header: &csv::ByteRecord) -> Result<Columns, MasterError> {
        let find = |name: &'static str| {
            let at = header
                .iter()
                .position(|h| h.strip_prefix(b"\xef\xbb\xbf").unwrap_or(h).trim_ascii() == name.as_bytes());
            at.ok_or(MasterError::NoColumn(name))
        };
        Ok(Columns {
            exchange: find("SEM_EXM_EXCH_ID")?,
            segment: find("SEM_SEGMENT")?,
            id: find("SEM_SMST_SECURITY_ID")?,
            instrument: find("SEM_INSTRUMENT_NAME")?,
            symbol: find("SEM_TRADING_SYMBOL")?,
            lot: find("SEM_LOT_UNITS")?,
            expiry: find("SEM_EXPIRY_DATE")?,
            strike: find("SEM_STRIKE_PRICE")?,
            right: find("SEM_OPTION_TYPE")?,
            tick: find("SEM_TICK_SIZE")?,
            name: find("SM_SYMBOL_NAME")?,
        })
    }
}

/// A whole number written as one or with zeros behind the point: `65.0`, `5.0000`.
fn whole(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|b| b == b'0') {
        return None;
    }
    whole.parse().ok()
}

/// Every row of one contract; more than one means doubt.
type SameContract = Vec<(u32, OptionContract)>;

struct Loader<'a> {
    wanted: &'a [Underlying],
    day: NaiveDate,
    contracts: &'a ContractBook,
    indices: BTreeMap<Underlying, Vec<u32>>,
    futures: BTreeMap<(Underlying, NaiveDate), Vec<u32>>,
    options: BTreeMap<(Underlying, NaiveDate, Strike, Right), SameContract>,
    left_out: usize,
    complaints: Vec<String>,
}

impl Loader<'_> {
    fn complain(&mut self, row: usize, symbol: &str, why: &str) {
        self.left_out += 1;
        if self.complaints.len() < MAX_COMPLAINTS {
            self.complaints.push(format!("row {row}, {symbol:?}: {why}"));
        }
    }

    /// The wanted index with exactly this symbol on this exchange: NIFTYNXT50 and SENSEX50 are others.
    fn underlying(&self, exchange: &str, symbol: &str) -> Option<Underlying> {
        let exchange = match exchange {
            "NSE" => Exchange::Nse,
            "BSE" => Exchange::Bse,
            _ => return None,
        };
        Underlying::from_symbol(symbol).filter(|u| u.exchange() == exchange && self.wanted.contains(u))
    }

    fn take(&mut self, at: &Columns, number: usize, record: &csv::ByteRecord) -> Result<(), MasterError> {
        let text =
            |column: usize| std::str::from_utf8(record.get(column).unwrap_or_default()).unwrap_or_default().trim();
        let (exchange, symbol) = (text(at.exchange), text(at.symbol));
        if symbol.contains("NSETEST") {
            return Ok(());
        }
        let id = || text(at.id).parse::<u32>().ok().filter(|id| *id > 0);
        match (text(at.segment), text(at.instrument)) {
            ("I", "INDEX") => {
                let named = |column: usize| self.underlying(exchange, text(column));
                if let Some(underlying) = named(at.name).or_else(|| named(at.symbol)) {
                    match id() {
                        Some(id) => add(self.indices.entry(underlying).or_default(), id),
                        None => self.complain(number, symbol, "no security id"),
                    }
                }
            }
            ("D", kind @ ("OPTIDX" | "FUTIDX")) => {
                let Some(underlying) = self.underlying(exchange, symbol.split('-').next().unwrap_or_default()) else {
                    return Ok(());
                };
                let Some(expiry) = times::date(text(at.expiry)) else {
                    self.complain(number, symbol, "no expiry");
                    return Ok(());
                };
                if expiry < self.day {
                    return Ok(());
                }
                let Some(id) = id() else {
                    self.complain(number, symbol, "no security id");
                    return Ok(());
                };
                if kind == "FUTIDX" {
                    add(self.futures.entry((underlying, expiry)).or_default(), id);
                    return Ok(());
                }
                let terms = (
                    strike(text(at.strike)),
                    Right::from_code(text(at.right)),
                    whole(text(at.lot)).and_then(LotSize::new),
                    // Paise for whatever can be traded; only index rows print rupees.
                    whole(text(at.tick)).filter(|paise| (1..=10_000).contains(paise)),
                );
                let (Some(strike), Some(right), Some(lot), Some(tick)) = terms else {
                    self.complain(number, symbol, "strike, option type, lot or tick is missing or wrong");
                    return Ok(());
                };
                let max_order_qty = self.contracts.max_order_qty(underlying, self.day, lot)?;
                if max_order_qty.get() < lot.get() {
                    self.complain(number, symbol, "one lot is above the freeze quantity");
                    return Ok(());
                }
                let tick = Premium::from_paise(tick);
                let contract = OptionContract { underlying, expiry, strike, right, lot, tick, max_order_qty };
                let same = self.options.entry((underlying, expiry, strike, right)).or_default();
                if !same.contains(&(id, contract)) {
                    same.push((id, contract));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(mut self, rows: usize) -> Result<Master, MasterError> {
        let mut instruments = Vec::new();
        let mut list = |segment: Segment, security_id: u32, symbol: String, kind: InstrumentKind| {
            let id = InstrumentId(u32::try_from(instruments.len()).expect("fewer than 2^32 rows"));
            instruments.push(Instrument { id, segment, security_id, symbol, kind });
        };
        for underlying in self.wanted {
            match self.indices.get(underlying).map(Vec::as_slice) {
                None | Some([]) => return Err(MasterError::NoIndex(*underlying)),
                Some([id]) => {
                    list(Segment::IdxI, *id, underlying.to_string(), InstrumentKind::Index { underlying: *underlying })
                }
                Some(ids) => return Err(MasterError::NotUnique(*underlying, ids.to_vec())),
            }
        }
        // An id names one contract inside a segment; one that names two names none.
        let mut owners: BTreeMap<(Segment, u32), usize> = BTreeMap::new();
        let futures = self.futures.iter().flat_map(|((u, _), ids)| ids.iter().map(|id| (u.fno_segment(), *id)));
        let options = self.options.iter().flat_map(|((u, ..), same)| same.iter().map(|(id, _)| (u.fno_segment(), *id)));
        for key in futures.chain(options) {
            *owners.entry(key).or_default() += 1;
        }
        let alone = |underlying: &Underlying, id: u32| owners[&(underlying.fno_segment(), id)] == 1;

        let mut doubtful = Vec::new();
        for ((underlying, expiry), ids) in &self.futures {
            let symbol = format!("{underlying} {expiry} FUT");
            match ids.as_slice() {
                [id] if alone(underlying, *id) => {
                    let kind = InstrumentKind::Future { underlying: *underlying, expiry: *expiry };
                    list(underlying.fno_segment(), *id, symbol, kind);
                }
                _ => doubtful.push(symbol),
            }
        }
        let mut with_options: Vec<Underlying> = Vec::new();
        for ((underlying, expiry, strike, right), same) in &self.options {
            let symbol = format!("{underlying} {expiry} {strike} {right}");
            match same.as_slice() {
                [(id, contract)] if alone(underlying, *id) => {
                    list(underlying.fno_segment(), *id, symbol, InstrumentKind::Option(*contract));
                    if with_options.last() != Some(underlying) {
                        with_options.push(*underlying);
                    }
                }
                _ => doubtful.push(symbol),
            }
        }
        for symbol in doubtful {
            self.complain(0, &symbol, "contract and security id are not one to one");
        }
        if let Some(missing) = self.wanted.iter().find(|u| !with_options.contains(u)) {
            return Err(MasterError::NoOptions(*missing, self.day));
        }
        Ok(Master { instruments, rows, left_out: self.left_out, complaints: self.complaints })
    }
}

fn add(ids: &mut Vec<u32>, id: u32) {
    if !ids.contains(&id) {
        ids.push(id);
    }
}

/// Reads the list for the wanted indices as of `day`: contracts that expired before are left out, and order sizes
/// come from the dated freeze quantities, which the compact list does not have.
pub fn load(
    list: impl Read,
    wanted: &[Underlying],
    day: NaiveDate,
    contracts: &ContractBook,
) -> Result<Master, MasterError> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(list);
    let columns = Columns::of(reader.byte_headers()?)?;
    let mut loader = Loader {
        wanted,
        day,
        contracts,
        indices: BTreeMap::new(),
        futures: BTreeMap::new(),
        options: BTreeMap::new(),
        left_out: 0,
        complaints: Vec::new(),
    };
    let mut record = csv::ByteRecord::new();
    let mut rows = 0;
    while reader.read_byte_record(&mut record)? {
        rows += 1;
        loader.take(&columns, rows, &record)?;
    }
    loader.finish(rows)
}

#[cfg(test)]
#[path = "instruments_tests.rs"]
mod tests;
