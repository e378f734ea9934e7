//! The instrument list, row by row as `market::master::rows` reads it. Contracts of the wanted
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

use crate::market::master::Kind;
use crate::market::master::rows::{ListError, Row, Rows, Venue};

/// Most complaints that are kept as text; all are counted.
const MAX_COMPLAINTS: usize = 20;

/// Why the list cannot be traded on.
#[derive(Debug, thiserror::Error)]
pub enum MasterError {
    /// It is no list.
    #[error(transparent)]
    List(#[from] ListError),
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
    fn underlying(&self, row: &Row<'_>, symbol: &str) -> Option<Underlying> {
        let exchange = match row.venue()? {
            Venue::Nse => Exchange::Nse,
            Venue::Bse => Exchange::Bse,
            Venue::Mcx => return None,
        };
        Underlying::from_symbol(symbol).filter(|u| u.exchange() == exchange && self.wanted.contains(u))
    }

    fn take(&mut self, row: &Row<'_>) -> Result<(), MasterError> {
        let (number, symbol) = (row.number, row.symbol());
        if row.is_test() {
            return Ok(());
        }
        match (row.segment(), row.kind()) {
            (Some(Segment::IdxI), Some(Kind::Index)) => {
                if let Some(underlying) = self.underlying(row, row.name()).or_else(|| self.underlying(row, symbol)) {
                    match row.security_id() {
                        Some(id) => add(self.indices.entry(underlying).or_default(), id),
                        None => self.complain(number, symbol, "no security id"),
                    }
                }
            }
            (Some(Segment::NseFno | Segment::BseFno), Some(kind @ (Kind::OptIdx | Kind::FutIdx))) => {
                let Some(underlying) = row.underlying().and_then(|name| self.underlying(row, name)) else {
                    return Ok(());
                };
                let Some(expiry) = row.expiry() else {
                    self.complain(number, symbol, "no expiry");
                    return Ok(());
                };
                if expiry < self.day {
                    return Ok(());
                }
                let Some(id) = row.security_id() else {
                    self.complain(number, symbol, "no security id");
                    return Ok(());
                };
                if kind == Kind::FutIdx {
                    add(self.futures.entry((underlying, expiry)).or_default(), id);
                    return Ok(());
                }
                let terms = (
                    row.strike(),
                    row.right(),
                    row.lot().and_then(|lot| LotSize::new(i64::from(lot))),
                    row.tick().filter(|tick| tick % 100 == 0).map(|tick| i64::from(tick / 100)),
                );
                let (Some(strike), Some(right), Some(lot), Some(tick @ 1..=10_000)) = terms else {
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
    let mut list = Rows::new(list)?;
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
    while let Some(row) = list.next()? {
        loader.take(&row)?;
    }
    loader.finish(list.count())
}

#[cfg(test)]
#[path = "instruments_tests.rs"]
mod tests;
