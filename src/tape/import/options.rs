//! What the user says about a file, and the tables an import needs.

use std::path::PathBuf;

use scalper_decide::domain::{Age, ContractBook, Instant, SessionCalendar, Underlying};

use super::super::contract::ContractKey;
use super::bars::BarPath;
use super::text::{PriceUnit, TimeUnit};

/// Shape of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Layout {
    /// Recognise it by its first bytes and header.
    #[default]
    Auto,
    /// Index bars: `ts,open,high,low,close[,volume]`.
    IndexBars,
    /// Rolling at-the-money option minutes: `ts,expiry,strike,...,ce_open,..,pe_iv`.
    RollingOptions,
    /// NSE option chain snapshots: `collected_at,nse_ts,underlying,expiry,strike,ce_oi,..`.
    NseChain,
    /// Dhan `charts/intraday` answer, bare or recorded with its request.
    DhanIntraday,
    /// Dhan `optionchain` answer, bare or recorded with its request.
    DhanChain,
    /// Upstox option chain answer.
    UpstoxChain,
    /// Decoded Dhan FULL packets: `recv_ts,type,ltp,volume,..`.
    DhanFullCsv,
    /// Dhan feed packets as JSON lines of `recv_ts` and `hex`.
    DhanPackets,
    /// Kite-like ticks: `timestamp,price,volume,volume,tradingsymbol,..`.
    OptionvaultTicks,
    /// Kite-like five-level books: `timestamp,symbol,bid_price1,..`.
    OptionvaultLevel2,
    /// Kite-like bars: `datetime,open,..` with or without names.
    OptionvaultBars,
    /// Any CSV or Parquet of ticks, with --map and --instruments.
    Ticks,
}

impl Layout {
    /// Its name on the command line and in `day.json`.
    pub fn name(self) -> String {
        use clap::ValueEnum;
        self.to_possible_value().map_or_else(String::new, |v| v.get_name().to_owned())
    }
}

/// The dated tables: session hours, and lots, ticks and freeze quantities.
#[derive(Debug, Clone)]
pub struct ImportContext {
    /// Session hours by day.
    pub calendar: SessionCalendar,
    /// Contract terms by date.
    pub contracts: ContractBook,
}

/// What the user says about the files.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// Shape of the files.
    pub layout: Layout,
    /// The index, where the file does not name it.
    pub index: Option<Underlying>,
    /// Length of a bar.
    pub interval: Option<Age>,
    /// Order of the points drawn through a bar.
    pub path: BarPath,
    /// Leaves out spot ticks that come along with options.
    pub no_spot: bool,
    /// When a file without times was taken.
    pub at: Option<Instant>,
    /// The contract of a file about one contract.
    pub contract: Option<ContractKey>,
    /// Its exchange token, when known.
    pub security_id: Option<u32>,
    /// Description of the contracts of a generic or packet file.
    pub instruments: Option<PathBuf>,
    /// Column names of a generic file: (ours, theirs).
    pub map: Vec<(String, String)>,
    /// Unit of a generic file's times; recognised when `None`.
    pub time_unit: Option<TimeUnit>,
    /// Unit of a generic file's prices.
    pub price_unit: PriceUnit,
    /// Drops what the tape holds of the contracts in these files on these days.
    pub replace: bool,
}

/// Reads `1m`, `5m`, `1s`, `15m`, `1h`.
pub fn parse_interval(text: &str) -> Result<Age, String> {
    let wrong = || format!("{text:?} is no interval; write it like 1s, 1m, 5m or 15m");
    let split = text.len() - text.chars().last().map_or(0, char::len_utf8);
    let (digits, unit) = text.split_at(split);
    let n: i64 = digits.parse().ok().filter(|n| (1..=3600).contains(n)).ok_or_else(wrong)?;
    match unit {
        "s" => Ok(Age::from_secs(n)),
        "m" => Ok(Age::from_mins(n)),
        "h" => Ok(Age::from_mins(60 * n)),
        _ => Err(wrong()),
    }
}

/// Writes an interval as [`parse_interval`] reads it.
pub fn interval_text(interval: Age) -> String {
    match interval.secs() {
        s if s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}
