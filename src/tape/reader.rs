//! Opens tapes. Opening looks at names, certificates and file sizes; [`super::check_files`] proves checksums, and
//! [`super::verify_day`] every claim of a certificate.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use scalper_decide::domain::{Instrument, InstrumentId, Segment};

use super::error::TapeError;
use super::instruments;
use super::meta::DayMeta;
use super::schema::{DAY_FILE, INSTRUMENTS_FILE, SCHEMA_VERSION, TICKS_FILE};
use super::ticks::TickReader;

/// A tape: a folder with one folder per day.
#[derive(Debug, Clone)]
pub struct Tape {
    dir: PathBuf,
    days: Vec<NaiveDate>,
    meta: BTreeMap<NaiveDate, DayMeta>,
}

impl Tape {
    /// Opens the tape in `dir`.
    ///
    /// # Errors
    /// [`TapeError::NotATape`] when there is no folder, no day, or a day without a readable certificate;
    /// [`TapeError::WrongSize`] when a file is shorter or longer than certified (a truncated Parquet file).
    pub fn open(dir: &Path) -> Result<Tape, TapeError> {
        let refuse = |reason: &str| TapeError::NotATape { path: dir.to_owned(), reason: reason.to_owned() };
        if !dir.exists() {
            return Err(refuse("the folder does not exist"));
        }
        if !dir.is_dir() {
            return Err(refuse("it is a file, not a folder"));
        }
        let mut meta = BTreeMap::new();
        for entry in fs::read_dir(dir).map_err(TapeError::io(dir))? {
            let path = entry.map_err(TapeError::io(dir))?.path();
            if let Some(day) = day_of(&path) {
                meta.insert(day, read_certificate(&path, day)?);
            }
        }
        if meta.is_empty() {
            return Err(refuse("it holds no day folder named YYYY-MM-DD; import some data first"));
        }
        Ok(Tape { dir: dir.to_owned(), days: meta.keys().copied().collect(), meta })
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The recorded days, in order.
    pub fn days(&self) -> &[NaiveDate] {
        &self.days
    }

    /// One day.
    ///
    /// # Errors
    /// [`TapeError::MissingDay`], or a contract list that cannot be read.
    pub fn day(&self, day: NaiveDate) -> Result<TapeDay, TapeError> {
        let Some(meta) = self.meta.get(&day) else {
            let (first, last) = (self.days[0], self.days[self.days.len() - 1]);
            let held = match self.days.len() {
                1 => first.to_string(),
                n => format!("{n} days from {first} to {last}"),
            };
            return Err(TapeError::MissingDay { tape: self.dir.clone(), day, held });
        };
        TapeDay::open(&self.dir.join(day.to_string()), meta.clone())
    }

    /// One hash over the content of every day.
    pub fn hash(&self) -> String {
        let all: String = self.meta.values().map(|m| m.hash() + "\n").collect();
        blake3::hash(all.as_bytes()).to_hex().to_string()
    }
}

/// The date a folder stands for.
pub(crate) fn day_of(path: &Path) -> Option<NaiveDate> {
    let name = path.file_name()?.to_str()?;
    let day = NaiveDate::parse_from_str(name, "%Y-%m-%d").ok()?;
    (path.is_dir() && name == day.to_string()).then_some(day)
}

fn read_certificate(folder: &Path, day: NaiveDate) -> Result<DayMeta, TapeError> {
    let path = folder.join(DAY_FILE);
    let refuse = |reason: String| TapeError::NotATape { path: path.clone(), reason };
    if !path.exists() {
        return Err(refuse("the day has no certificate".to_owned()));
    }
    let text = fs::read(&path).map_err(TapeError::io(&path))?;
    let meta: DayMeta = serde_json::from_slice(&text).map_err(|e| refuse(e.to_string()))?;
    if meta.schema != SCHEMA_VERSION {
        return Err(refuse(format!("schema {} is not {SCHEMA_VERSION}, the one this program reads", meta.schema)));
    }
    if meta.day != day {
        return Err(refuse(format!("it certifies {}, the folder is named {day}", meta.day)));
    }
    for (name, expected) in [(TICKS_FILE, meta.ticks_file.bytes), (INSTRUMENTS_FILE, meta.instruments_file.bytes)] {
        let file = folder.join(name);
        let found = fs::metadata(&file).map_err(TapeError::io(&file))?.len();
        if found != expected {
            return Err(TapeError::WrongSize { file, expected, found });
        }
    }
    Ok(meta)
}

/// One day of a tape.
#[derive(Debug, Clone)]
pub struct TapeDay {
    folder: PathBuf,
    meta: DayMeta,
    instruments: Vec<Instrument>,
}

impl TapeDay {
    fn open(folder: &Path, meta: DayMeta) -> Result<TapeDay, TapeError> {
        let path = folder.join(INSTRUMENTS_FILE);
        let bytes = fs::read(&path).map_err(TapeError::io(&path))?;
        let instruments = instruments::from_csv(&bytes, &path)?;
        Ok(TapeDay { folder: folder.to_owned(), meta, instruments })
    }

    /// The day.
    pub const fn date(&self) -> NaiveDate {
        self.meta.day
    }
    /// Its certificate.
    pub const fn meta(&self) -> &DayMeta {
        &self.meta
    }
    /// Its contracts with that day's terms; every slot is 0, a universe assigns the real ones.
    pub fn instruments(&self) -> Vec<Instrument> {
        self.instruments.clone()
    }
    /// The tick file.
    pub fn ticks_path(&self) -> PathBuf {
        self.folder.join(TICKS_FILE)
    }
    /// The contract list.
    pub fn instruments_path(&self) -> PathBuf {
        self.folder.join(INSTRUMENTS_FILE)
    }
    /// BLAKE3 over date, ticks and contracts.
    pub fn hash(&self) -> String {
        self.meta.hash()
    }

    /// Streams the ticks in order, a few thousand at a time in memory. `resolve` maps (segment, id) to the slot the
    /// ticks shall carry and is asked once per listed contract.
    ///
    /// # Errors
    /// A file that is not a tick file. Later, per tick: everything a tape may not hold, with row and column.
    pub fn ticks(&self, resolve: impl Fn(Segment, u32) -> Option<InstrumentId>) -> Result<TickReader, TapeError> {
        TickReader::open(&self.ticks_path(), self.meta.day, &self.instruments, resolve)
    }
}
