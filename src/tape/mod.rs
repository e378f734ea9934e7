//! Tapes: recorded market data, one folder per day, in Parquet that anything can open. See docs/TAPES.md.
//!
//! [`TapeWriter`] writes a day, [`Tape`] and [`TickReader`] read it back in bounded memory, [`verify`] proves a tape
//! against its own certificate, [`import`] turns other people's files into tapes.

pub mod contract;
pub mod error;
pub mod export;
pub mod import;
pub mod instruments;
pub mod meta;
pub mod publish;
pub mod reader;
pub mod row;
pub mod schema;
pub mod ticks;
pub mod verify;
pub mod writer;

pub use contract::ContractKey;
pub use error::TapeError;
pub use meta::{DayAbout, DayMeta, SourceMeta, SpotRank};
pub use reader::{Tape, TapeDay};
pub use row::TapeRow;
pub use ticks::TickReader;
pub use verify::{DayReport, check_files, verify_day};
pub use writer::TapeWriter;

#[cfg(test)]
mod format_tests;
