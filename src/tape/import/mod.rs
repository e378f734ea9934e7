//! Turns other people's files into tapes. Everything is read and checked before anything is written, and the days of one
//! import appear together or not at all.

pub mod bars;
pub mod detect;
pub mod error;
pub mod harvest;
pub mod input;
pub mod merge;
pub mod options;
pub mod text;

mod chain;
mod clock;
mod dhan_chain;
mod dhan_full_csv;
mod dhan_intraday;
mod dhan_json;
mod dhan_packets;
mod generic_instruments;
mod index_bars;
mod nse_chain;
mod optionvault_bars;
mod optionvault_level2;
mod optionvault_ticks;
mod parity;
mod rolling_options;
mod series;
mod ticks;
mod upstox_chain;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use serde::Serialize;

pub use bars::BarPath;
pub use error::{Fault, ImportError, Place};
pub use options::{ImportContext, ImportOptions, Layout, interval_text, parse_interval};
pub use text::{PriceUnit, TimeUnit};

use super::meta::{Counts, SourceMeta};
use super::publish::Claim;
use super::reader::{Tape, day_of};
use super::writer::write_day;
use harvest::{DayHarvest, Harvest};
use input::Input;
use merge::DayContents;

/// What an import did.
#[derive(Debug, Clone, Serialize)]
pub struct ImportReport {
    /// Layout used for each file.
    pub files: Vec<(String, String)>,
    /// Every day touched.
    pub days: Vec<DayImport>,
}

/// What an import did to one day.
#[derive(Debug, Clone, Serialize)]
pub struct DayImport {
    /// The day.
    pub day: NaiveDate,
    /// Ticks that were new.
    pub added: u64,
    /// Ticks of the day now.
    pub counts: Counts,
    /// Contracts of the day now.
    pub instruments: u64,
    /// Content hash of the day now.
    pub hash: String,
    /// Remarks on the certificate.
    pub notes: Vec<String>,
}

struct Reaped {
    shown: String,
    source: SourceMeta,
    days: BTreeMap<NaiveDate, DayHarvest>,
}

/// Reads one file with the layout it has.
fn reap(path: &Path, options: &ImportOptions, context: &ImportContext) -> Result<Reaped, ImportError> {
    let input = Input::read(path)?;
    let layout = if options.layout == Layout::Auto { detect::detect(&input)? } else { options.layout };
    let source = input.source(&layout.name());
    let mut out = Harvest::new(context);
    match layout {
        Layout::Auto => unreachable!("detection names a layout"),
        Layout::IndexBars => index_bars::harvest(&input, options, &mut out),
        Layout::RollingOptions => rolling_options::harvest(&input, options, &mut out),
        Layout::NseChain => nse_chain::harvest(&input, options, &mut out),
        Layout::DhanIntraday => dhan_intraday::harvest(&input, options, &mut out),
        Layout::DhanChain => dhan_chain::harvest(&input, options, &mut out),
        Layout::UpstoxChain => upstox_chain::harvest(&input, options, &mut out),
        Layout::DhanFullCsv => dhan_full_csv::harvest(&input, options, &mut out),
        Layout::DhanPackets => dhan_packets::harvest(&input, options, &mut out),
        Layout::OptionvaultTicks => optionvault_ticks::harvest(&input, options, &mut out),
        Layout::OptionvaultLevel2 => optionvault_level2::harvest(&input, options, &mut out),
        Layout::OptionvaultBars => optionvault_bars::harvest(&input, options, &mut out),
        Layout::Ticks => ticks::harvest(&input, options, &mut out),
    }?;
    let mut days = out.finish(&source.file);
    if let Layout::IndexBars | Layout::RollingOptions | Layout::DhanIntraday | Layout::OptionvaultBars = layout {
        let note = format!("{}: bars drawn {}", source.file, options.path.words());
        days.values_mut().for_each(|d| {
            d.notes.insert(note.clone());
        });
    }
    if days.is_empty() {
        return Err(ImportError::Empty { file: input.shown() });
    }
    Ok(Reaped { shown: input.shown(), source, days })
}

/// Imports files into the tape in folder `tape`, merging with the days it already holds.
///
/// # Errors
/// The first thing wrong with any file; the tape is then as it was before.
pub fn import(
    files: &[PathBuf],
    tape: &Path,
    options: &ImportOptions,
    context: &ImportContext,
) -> Result<ImportReport, ImportError> {
    let reaped = files.iter().map(|f| reap(f, options, context)).collect::<Result<Vec<_>, _>>()?;
    let mut claim = Claim::new(tape)?;
    let entries = std::fs::read_dir(tape).map_err(|source| ImportError::Io { path: tape.to_owned(), source })?;
    let has_days = entries.flatten().any(|e| day_of(&e.path()).is_some());
    let existing = if has_days { Some(Tape::open(tape)?) } else { None };
    let mut contents: BTreeMap<NaiveDate, (DayContents, u64)> = BTreeMap::new();
    let mut used = Vec::new();
    for Reaped { shown, source, days } in reaped {
        used.push((shown.clone(), source.layout.clone()));
        for (day, harvest) in days {
            let (held, added) = match contents.entry(day) {
                Entry::Occupied(place) => place.into_mut(),
                Entry::Vacant(place) => place.insert(match &existing {
                    Some(tape) if tape.days().contains(&day) => (DayContents::load(&tape.day(day)?)?, 0),
                    _ => (DayContents::default(), 0),
                }),
            };
            *added += held.merge(day, &shown, source.clone(), harvest, options.replace)?;
        }
    }
    let mut report = ImportReport { files: used, days: Vec::new() };
    for (day, (held, added)) in contents {
        let (instruments, rows, about) = held.finish();
        let folder = claim.stage(day)?;
        let meta = write_day(&folder, day, &instruments, &rows, about)?;
        report.days.push(DayImport {
            day,
            added,
            counts: meta.counts.clone(),
            instruments: meta.instruments,
            hash: meta.hash(),
            notes: meta.about.notes.iter().cloned().collect(),
        });
    }
    claim.publish()?;
    Ok(report)
}

#[cfg(test)]
mod bad_input_tests;
#[cfg(test)]
mod real_data_tests;
#[cfg(test)]
pub(crate) mod test_tables;
