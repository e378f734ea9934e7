//! The instrument list and prices as command lines name them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use chrono::NaiveDate;
use clap::Args;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;

use super::exit::BadInput;
use crate::clock::SessionClock;
use crate::market::master::keep::{self, KeepError, Shelf};
use crate::market::master::{ListError, Master};
use crate::market::sample::{self, Sample, Size};

/// Seed of the bundled sample.
const SEED: u64 = 7;

/// Which list.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Instrument list, compact or detailed; CSV, gzip or zstd.
    #[arg(long, global = true, value_name = "FILE")]
    pub master: Option<PathBuf>,
    /// The generated sample list.
    #[arg(long, global = true, conflicts_with = "master")]
    pub sample: bool,
    /// As of this day; contracts that expired before are left out [default: today, or the sample's day].
    #[arg(long, global = true, value_name = "DATE")]
    pub day: Option<NaiveDate>,
}

/// A list that was read.
pub struct Listed {
    /// The list.
    pub master: Master,
    /// Its day.
    pub day: NaiveDate,
    /// Where it is from.
    pub source: String,
    /// Reference levels in paise, of the sample only.
    pub levels: BTreeMap<String, i64>,
}

/// Today, IST.
pub fn today() -> NaiveDate {
    SessionClock::wall().now().ist_date()
}

/// A list that is wrong is wrong data.
pub fn of_keep(error: KeepError) -> anyhow::Error {
    match error {
        KeepError::Broken { .. } | KeepError::Shrunk { .. } | KeepError::Changed(_) => {
            BadInput(error.to_string()).into()
        }
        KeepError::List { source: ListError::NoColumn(_), .. } => BadInput(error.to_string()).into(),
        error => error.into(),
    }
}

impl ListArgs {
    /// The list that is named; without a name the one of `folder`, or the sample when there is no folder.
    ///
    /// # Errors
    /// It cannot be read, or is not fit to be used.
    pub fn read(&self, folder: Option<&Path>) -> anyhow::Result<Listed> {
        match (&self.master, folder.filter(|_| !self.sample)) {
            (Some(file), _) => {
                let day = self.day.unwrap_or_else(today);
                let master = keep::read(file, day).map_err(of_keep)?;
                Ok(Listed { master, day, source: file.display().to_string(), levels: BTreeMap::new() })
            }
            (None, Some(folder)) => {
                let day = self.day.unwrap_or_else(today);
                let detailed = Shelf::new(folder, "detailed");
                let shelf = match detailed.good().map_err(of_keep)? {
                    Some(_) => detailed,
                    None => Shelf::new(folder, "compact"),
                };
                let (master, good) = shelf.load(day).map_err(of_keep)?;
                let source = format!("{} of {}", shelf.path().display(), good.day);
                Ok(Listed { master, day, source, levels: BTreeMap::new() })
            }
            (None, None) => {
                let sample = Sample::new(SEED, Size::SAMPLE);
                let day = self.day.unwrap_or(sample::DAY);
                let master = Master::read(sample.compact().as_bytes(), day).context("the sample list")?;
                let source = format!("generated sample, seed {SEED}");
                Ok(Listed { master, day, source, levels: sample.levels().iter().cloned().collect() })
            }
        }
    }
}

/// Rupees as paise; at most two decimals and above zero.
fn paise(text: &str) -> Option<i64> {
    let scaled = (text.trim().parse::<Decimal>().ok()? * Decimal::ONE_HUNDRED).normalize();
    scaled.is_integer().then(|| scaled.to_i64()).flatten().filter(|paise| *paise > 0)
}

/// `NIFTY=25935.15`.
///
/// # Errors
/// Anything else.
pub fn price(text: &str) -> Result<(String, i64), String> {
    let (symbol, rupees) = text.split_once('=').ok_or("write SYMBOL=RUPEES, for example NIFTY=25935.15")?;
    let price = paise(rupees).ok_or_else(|| format!("{rupees:?} is no price above zero with at most two decimals"))?;
    Ok((symbol.to_owned(), price))
}

/// Prices of a CSV with the columns `symbol` and `price`, in rupees.
///
/// # Errors
/// Names the file, the row and what is wrong.
pub fn prices(file: &Path) -> anyhow::Result<BTreeMap<String, i64>> {
    let shown = file.display();
    let mut csv = csv::Reader::from_path(file).with_context(|| format!("cannot read {shown}"))?;
    let header = csv.headers().with_context(|| format!("cannot read {shown}"))?.clone();
    let column = |name: &str| {
        let place = header.iter().position(|h| h.trim() == name);
        place.ok_or_else(|| BadInput(format!("{shown} has no column {name}; it needs symbol,price")))
    };
    let (symbol, price) = (column("symbol")?, column("price")?);
    let mut prices = BTreeMap::new();
    for (record, row) in csv.records().zip(1..) {
        let record = record.with_context(|| format!("{shown}, row {row}"))?;
        let (symbol, text) = (record[symbol].trim().to_owned(), &record[price]);
        let Some(paise) = paise(text) else {
            return Err(
                BadInput(format!("{shown}, row {row}, price: {text:?} is no price above zero in rupees")).into()
            );
        };
        if prices.insert(symbol.clone(), paise).is_some() {
            return Err(BadInput(format!("{shown}, row {row}: {symbol} stands here twice")).into());
        }
    }
    Ok(prices)
}

/// So many sockets, no more than the broker allows.
///
/// # Errors
/// Anything else.
pub fn sockets(text: &str) -> Result<u8, String> {
    let most = crate::market::planner::Limits::SOCKETS;
    match text.parse() {
        Ok(sockets) if sockets <= most => Ok(sockets),
        _ => Err(format!("the broker allows 0 to {most} sockets")),
    }
}
