//! The lists of a folder: the last good one, an archive of every day with checksums. A list that is broken or has shrunk
//! is refused and the old one stays: what is missing from it may be held.
//!
//! `NAME.csv` is the last good list, `NAME.json` what is known of it, `archive/DAY-NAME.csv.zst` a copy of every day,
//! `archive/SUMS` their BLAKE3 sums.

use std::fs::{self, File};
use std::io::{BufReader, Read, Write as _};
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::rows::ListError;
use super::{Master, Report};

/// A new list must have at least this share of the rows of the last good one.
pub const LEAST_PERCENT: usize = 80;
/// More broken rows than this share make a list broken.
pub const MOST_BROKEN_PERCENT: usize = 1;
const LEVEL: i32 = 9;

/// Why a list is not taken over, or cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no list.
    #[error("{path}: {source}")]
    List {
        /// Which.
        path: PathBuf,
        /// Why.
        source: ListError,
    },
    /// Too much is wrong with it.
    #[error("{path} is broken: {what}; the last good list stays")]
    Broken {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Much of it is missing.
    #[error(
        "{path} has {has} rows, the last good one {had}: it looks like a broken download, and the last good list stays. \
         When the new one is right, say --accept-shrunk"
    )]
    Shrunk {
        /// Which.
        path: PathBuf,
        /// Rows of the last good one.
        had: usize,
        /// Rows of this one.
        has: usize,
    },
    /// The last good list is not what was put there.
    #[error("{0} was changed since it was put there: sync again")]
    Changed(PathBuf),
    /// There is none.
    #[error("there is no instrument list in {0}: run `scalper instruments sync`")]
    None(PathBuf),
}

/// What is known of the last good list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Good {
    /// The day it is of.
    pub day: NaiveDate,
    /// Its rows.
    pub rows: usize,
    /// Its size.
    pub bytes: u64,
    /// Its sum.
    pub blake3: String,
}

fn file_error(path: &Path) -> impl FnOnce(std::io::Error) -> KeepError + '_ {
    move |source| KeepError::File { path: path.to_owned(), source }
}

/// Opens a list, plain, gzip or zstd.
///
/// # Errors
/// It cannot be read.
pub fn open(path: &Path) -> Result<Box<dyn Read>, KeepError> {
    let mut head = [0; 4];
    let mut file = File::open(path).map_err(file_error(path))?;
    let read = file.read(&mut head).map_err(file_error(path))?;
    let file = File::open(path).map_err(file_error(path))?;
    Ok(match &head[..read] {
        [0x1f, 0x8b, ..] => Box::new(flate2::read::MultiGzDecoder::new(BufReader::new(file))),
        [0x28, 0xb5, 0x2f, 0xfd] => Box::new(zstd::Decoder::new(file).map_err(file_error(path))?),
        _ => Box::new(file),
    })
}

/// Reads a list from a file, as of `day`.
///
/// # Errors
/// It cannot be read, is no list, or too much is wrong with it.
pub fn read(path: &Path, day: NaiveDate) -> Result<Master, KeepError> {
    let list = |source| KeepError::List { path: path.to_owned(), source };
    let master = Master::read(open(path)?, day).map_err(list)?;
    match fault(master.report()) {
        None => Ok(master),
        Some(what) => Err(KeepError::Broken { path: path.to_owned(), what }),
    }
}

/// What makes a list as a whole unfit.
fn fault(report: &Report) -> Option<String> {
    let wrong = report.broken + report.ambiguous;
    let first = report.complaints.first().map_or(String::new(), |first| format!(", first {first}"));
    if report.kept == 0 {
        Some(format!("of {} rows none is usable{first}", report.rows))
    } else if report.breaks_off {
        Some(format!("it breaks off in row {}", report.rows))
    } else if wrong * 100 > report.rows * MOST_BROKEN_PERCENT {
        Some(format!("{wrong} of {} rows are wrong{first}", report.rows))
    } else {
        None
    }
}

/// A folder of lists.
#[derive(Debug, Clone)]
pub struct Shelf {
    folder: PathBuf,
    name: String,
}

impl Shelf {
    /// The lists called `name` (`compact`, `detailed`) of a folder.
    pub fn new(folder: &Path, name: &str) -> Shelf {
        Shelf { folder: folder.to_owned(), name: name.to_owned() }
    }

    /// The last good list.
    pub fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.csv", self.name))
    }

    /// What is known of the last good list; `None` when there is none.
    ///
    /// # Errors
    /// Its description cannot be read.
    pub fn good(&self) -> Result<Option<Good>, KeepError> {
        let path = self.folder.join(format!("{}.json", self.name));
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(file_error(&path)(e)),
        };
        serde_json::from_slice(&text).map(Some).map_err(|e| file_error(&path)(e.into()))
    }

    /// Reads the last good list as of `day`.
    ///
    /// # Errors
    /// There is none, or it is not what was put there.
    pub fn load(&self, day: NaiveDate) -> Result<(Master, Good), KeepError> {
        let good = self.good()?.ok_or_else(|| KeepError::None(self.folder.clone()))?;
        let path = self.path();
        if sum(&path)? != (good.bytes, good.blake3.clone()) {
            return Err(KeepError::Changed(path));
        }
        Ok((read(&path, day)?, good))
    }

    /// Takes a new list over as that of `day`: proved, compared with the last good one, archived, put in place. `new` is
    /// left where it is.
    ///
    /// # Errors
    /// It is broken or has shrunk (unless `accept_shrunk`); the last good list and its description stay as they were.
    pub fn take(&self, new: &Path, day: NaiveDate, accept_shrunk: bool) -> Result<(Master, Good), KeepError> {
        let master = read(new, day)?;
        let has = master.report().rows;
        if let Some(good) = self.good()?.filter(|_| !accept_shrunk)
            && has * 100 < good.rows * LEAST_PERCENT
        {
            return Err(KeepError::Shrunk { path: new.to_owned(), had: good.rows, has });
        }
        let archive = self.folder.join("archive");
        fs::create_dir_all(&archive).map_err(file_error(&archive))?;

        // Written whole beside its place, then renamed: a reader sees the old list or the new one.
        let mut plain = tempfile::NamedTempFile::new_in(&self.folder).map_err(file_error(&self.folder))?;
        let path = self.path();
        std::io::copy(&mut open(new)?, plain.as_file_mut()).map_err(file_error(&path))?;
        plain.as_file().sync_all().map_err(file_error(&path))?;
        let (bytes, blake3) = sum(plain.path())?;
        let good = Good { day, rows: has, bytes, blake3 };

        let copy = format!("{day}-{}.csv.zst", self.name);
        let mut packed = tempfile::NamedTempFile::new_in(&archive).map_err(file_error(&archive))?;
        let written =
            File::open(plain.path()).and_then(|from| zstd::stream::copy_encode(from, packed.as_file_mut(), LEVEL));
        written.and_then(|()| packed.as_file().sync_all()).map_err(file_error(&archive))?;
        let (_, packed_sum) = sum(packed.path())?;
        persist(packed, &archive.join(&copy))?;
        note_sum(&archive.join("SUMS"), &copy, &packed_sum)?;

        persist(plain, &path)?;
        let described = self.folder.join(format!("{}.json", self.name));
        let mut text = tempfile::NamedTempFile::new_in(&self.folder).map_err(file_error(&self.folder))?;
        let json = serde_json::to_vec_pretty(&good).expect("plain data");
        text.write_all(&json).and_then(|()| text.as_file().sync_all()).map_err(file_error(&described))?;
        persist(text, &described)?;
        Ok((master, good))
    }
}

fn persist(file: tempfile::NamedTempFile, to: &Path) -> Result<(), KeepError> {
    file.persist(to).map(drop).map_err(|e| file_error(to)(e.error))
}

/// Size and BLAKE3 of a file.
fn sum(path: &Path) -> Result<(u64, String), KeepError> {
    let mut hasher = blake3::Hasher::new();
    let mut file = File::open(path).map_err(file_error(path))?;
    let bytes = std::io::copy(&mut file, &mut hasher).map_err(file_error(path))?;
    Ok((bytes, hasher.finalize().to_hex().to_string()))
}

/// One line per file, sorted by name; a file of the same name replaces its line.
fn note_sum(sums: &Path, name: &str, sum: &str) -> Result<(), KeepError> {
    let old = match fs::read_to_string(sums) {
        Ok(old) => old,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(file_error(sums)(e)),
    };
    let mut lines: Vec<String> =
        old.lines().filter(|line| !line.ends_with(&format!("  {name}"))).map(str::to_owned).collect();
    lines.push(format!("{sum}  {name}"));
    lines.sort_by(|a, b| a.split("  ").nth(1).cmp(&b.split("  ").nth(1)));
    let folder = sums.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(file_error(sums))?;
    file.write_all((lines.join("\n") + "\n").as_bytes()).map_err(file_error(sums))?;
    persist(file, sums)
}
