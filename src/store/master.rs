//! The broker's compact instrument list, as far as the tables need it: every index, and the derivatives of the indices
//! that are traded. Ids are unique per exchange and segment only; what appears twice is kept out and counted.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use scalper_decide::domain::{Segment, Underlying};

use super::error::StoreError;
use super::link::{Link, args};

/// Indices whose derivatives are kept (S3-31).
const TRADED: [Underlying; 3] = [Underlying::Nifty, Underlying::BankNifty, Underlying::Sensex];

/// Something wrong with the list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MasterError {
    /// The file cannot be read.
    #[error("{0}")]
    Read(String),
    /// A column is missing.
    #[error("the instrument list has no column {0}")]
    Column(&'static str),
    /// A row that cannot be.
    #[error("instrument list, line {line}: {what}")]
    Row {
        /// Line of the file, from 1.
        line: u64,
        /// What is wrong.
        what: String,
    },
}

/// An index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexRow {
    /// NSE or BSE.
    pub exchange: String,
    /// Token.
    pub security_id: u32,
    /// Trading symbol.
    pub symbol: String,
    /// Name for people.
    pub name: String,
}

/// A future or option on one of the traded indices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DerivativeRow {
    /// The index.
    pub underlying: Underlying,
    /// Token.
    pub security_id: u32,
    /// Trading symbol.
    pub symbol: String,
    /// Last trading day.
    pub expiry: NaiveDate,
    /// Strike in paise and right; `None` for a future.
    pub option: Option<(i64, &'static str)>,
    /// Units.
    pub lot: i64,
    /// Price step in paise.
    pub tick_paise: i64,
}

/// The list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Master {
    /// Every row of an index, doubles included: who needs one must prove that it is the only one.
    pub indices: Vec<IndexRow>,
    /// Derivatives of the traded indices.
    pub derivatives: Vec<DerivativeRow>,
}

impl Master {
    /// Reads the list from a file, plain or gzip.
    ///
    /// # Errors
    /// [`MasterError`].
    pub fn read_file(path: &Path) -> Result<Master, MasterError> {
        let failed = |e: std::io::Error| MasterError::Read(format!("{}: {e}", path.display()));
        let mut bytes = std::fs::read(path).map_err(failed)?;
        if bytes.starts_with(&[0x1f, 0x8b]) {
            let mut text = Vec::new();
            flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut text).map_err(failed)?;
            bytes = text;
        }
        Master::read(bytes.as_slice())
    }

    /// Reads the list.
    ///
    /// # Errors
    /// [`MasterError`] with the line that cannot be; rows of no interest are not looked at.
    pub fn read(source: impl Read) -> Result<Master, MasterError> {
        let mut csv = csv::ReaderBuilder::new().flexible(true).from_reader(source);
        let header = csv.headers().map_err(|e| MasterError::Read(e.to_string()))?.clone();
        let column = |name: &'static str| header.iter().position(|h| h.trim() == name).ok_or(MasterError::Column(name));
        let [exchange, segment, id, kind, symbol, name, expiry, strike, right, lot, tick] = [
            column("SEM_EXM_EXCH_ID")?,
            column("SEM_SEGMENT")?,
            column("SEM_SMST_SECURITY_ID")?,
            column("SEM_INSTRUMENT_NAME")?,
            column("SEM_TRADING_SYMBOL")?,
            column("SEM_CUSTOM_SYMBOL")?,
            column("SEM_EXPIRY_DATE")?,
            column("SEM_STRIKE_PRICE")?,
            column("SEM_OPTION_TYPE")?,
            column("SEM_LOT_UNITS")?,
            column("SEM_TICK_SIZE")?,
        ];
        let mut master = Master::default();
        for record in csv.records() {
            let record = record.map_err(|e| MasterError::Read(e.to_string()))?;
            let line = record.position().map_or(0, csv::Position::line);
            let field = |at: usize| record.get(at).unwrap_or_default().trim();
            let bad = |what: String| MasterError::Row { line, what };
            let security_id =
                || field(id).parse::<u32>().map_err(|_| bad(format!("{:?} is no security id", field(id))));
            match (field(segment), field(kind)) {
                ("I", _) => master.indices.push(IndexRow {
                    exchange: field(exchange).to_owned(),
                    security_id: security_id()?,
                    symbol: field(symbol).to_owned(),
                    name: field(name).to_owned(),
                }),
                ("D", "OPTIDX" | "FUTIDX") => {
                    let base = field(symbol).split('-').next().unwrap_or_default();
                    let Some(underlying) = TRADED.into_iter().find(|u| u.symbol() == base) else { continue };
                    let paise = |at: usize, scale: i64| {
                        let value = field(at).parse::<Decimal>().ok().map(|d| d * Decimal::from(scale));
                        let whole = value.filter(|d| d.is_integer() && d.is_sign_positive()).and_then(|d| d.to_i64());
                        whole.filter(|v| *v > 0).ok_or_else(|| bad(format!("{:?} is no positive amount", field(at))))
                    };
                    let day = field(expiry).get(..10).and_then(|d| d.parse().ok());
                    let option = match field(right) {
                        "CE" => Some((paise(strike, 100)?, "CE")),
                        "PE" => Some((paise(strike, 100)?, "PE")),
                        _ => None,
                    };
                    master.derivatives.push(DerivativeRow {
                        underlying,
                        security_id: security_id()?,
                        symbol: field(symbol).to_owned(),
                        expiry: day.ok_or_else(|| bad(format!("{:?} is no expiry", field(expiry))))?,
                        option,
                        lot: paise(lot, 1)?,
                        // The list gives steps of derivatives in paise, those of indices in rupees.
                        tick_paise: paise(tick, 1)?,
                    });
                }
                _ => {}
            }
        }
        Ok(master)
    }
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Loaded {
    /// Indices.
    pub instruments: u64,
    /// Futures and options.
    pub derivatives: u64,
    /// Rows whose id another row has too.
    pub ambiguous: u64,
}

/// Writes the list into `instruments` and `derivatives`, inside a transaction. Known rows get today's terms.
pub(crate) async fn load(link: &mut Link, master: &Master) -> Result<Loaded, StoreError> {
    let mut loaded = Loaded::default();
    let segment = Segment::IdxI.name();
    let mut counts: BTreeMap<u32, u64> = BTreeMap::new();
    for row in &master.indices {
        *counts.entry(row.security_id).or_default() += 1;
    }
    for row in &master.indices {
        if counts[&row.security_id] > 1 {
            loaded.ambiguous += 1;
            continue;
        }
        let sql = "INSERT INTO instruments (exchange, segment, security_id, symbol, name) VALUES ($1, $2, $3, $4, $5) \
                   ON CONFLICT (segment, security_id) DO UPDATE SET exchange = excluded.exchange, \
                   symbol = excluded.symbol, name = excluded.name";
        let id = i64::from(row.security_id);
        let args = args![row.exchange.as_str(), segment, id, row.symbol.as_str(), row.name.as_str()];
        link.execute(sql, &args).await?;
        loaded.instruments += 1;
    }
    for row in &master.derivatives {
        let sql = "SELECT id FROM instruments WHERE segment = $1 AND symbol = $2";
        let index = link.fetch(sql, &args![segment, row.underlying.symbol()]).await?;
        let [index] = index.as_slice() else {
            loaded.ambiguous += 1;
            continue;
        };
        let sql = "INSERT INTO derivatives (instrument_id, segment, security_id, symbol, expiry, strike_paise, \
                   option_right, lot, tick_paise) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
                   ON CONFLICT (segment, security_id) DO UPDATE SET instrument_id = excluded.instrument_id, \
                   symbol = excluded.symbol, expiry = excluded.expiry, strike_paise = excluded.strike_paise, \
                   option_right = excluded.option_right, lot = excluded.lot, tick_paise = excluded.tick_paise";
        let args = args![
            index.int(0)?,
            row.underlying.fno_segment().name(),
            i64::from(row.security_id),
            row.symbol.as_str(),
            row.expiry.to_string(),
            row.option.map(|(strike, _)| strike),
            row.option.map(|(_, right)| right.to_owned()),
            row.lot,
            row.tick_paise,
        ];
        link.execute(sql, &args).await?;
        loaded.derivatives += 1;
    }
    Ok(loaded)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "SEM_EXM_EXCH_ID,SEM_SEGMENT,SEM_SMST_SECURITY_ID,SEM_INSTRUMENT_NAME,SEM_EXPIRY_CODE,\
        SEM_TRADING_SYMBOL,SEM_LOT_UNITS,SEM_CUSTOM_SYMBOL,SEM_EXPIRY_DATE,SEM_STRIKE_PRICE,SEM_OPTION_TYPE,SEM_TICK_SIZE\n";

    #[test]
    fn only_indices_and_derivatives_of_traded_ones_are_read() {
        let text = format!(
            "{HEADER}NSE,I,13,INDEX,0,NIFTY,1.0,Nifty 50,0001-01-01,,XX,0.0500\n\
             NSE,D,35060,OPTIDX,0,NIFTY-Mar2026-31250-CE,65.0,x,2026-03-30 14:30:00,31250.00000,CE,5.0000\n\
             NSE,D,51714,FUTIDX,0,NIFTY-Mar2026-FUT,65.0,x,2026-03-30 14:30:00,-0.01000,XX,10.0000\n\
             NSE,D,35076,OPTIDX,0,NIFTYNXT50-Feb2026-81300-CE,25.0,x,2026-02-24 14:30:00,81300.00000,CE,5.0000\n\
             NSE,E,2885,EQUITY,0,RELIANCE,1.0,x,,,,10.0000\n"
        );
        let master = Master::read(text.as_bytes()).unwrap();
        assert_eq!(master.indices.len(), 1);
        let [option, future] = master.derivatives.as_slice() else { panic!("{:?}", master.derivatives) };
        assert_eq!((option.option, option.lot, option.tick_paise), (Some((3_125_000, "CE")), 65, 5));
        assert_eq!((future.option, future.expiry.to_string().as_str()), (None, "2026-03-30"));
    }

    #[test]
    fn a_row_that_cannot_be_is_named_by_its_line() {
        let text = format!("{HEADER}NSE,D,1,OPTIDX,0,NIFTY-Mar2026-31250-CE,65.5,x,2026-03-30 14:30:00,31250,CE,5\n");
        let error = Master::read(text.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "instrument list, line 2: \"65.5\" is no positive amount");
        assert_eq!(Master::read("A,B\n1,2\n".as_bytes()), Err(MasterError::Column("SEM_EXM_EXCH_ID")));
    }
}
