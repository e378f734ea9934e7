//! What can be wrong with a tape. Every message names the file and, where there is one, row, column and value.

use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use scalper_decide::domain::Segment;

/// A tape that cannot be read, written or trusted.
#[derive(Debug, thiserror::Error)]
pub enum TapeError {
    /// The folder is no tape.
    #[error("{}: not a tape: {reason}", path.display())]
    NotATape {
        /// Folder or file looked at.
        path: PathBuf,
        /// What is missing or wrong.
        reason: String,
    },
    /// The tape has no such day.
    #[error("{}: the tape has no day {day}; it holds {held}", tape.display())]
    MissingDay {
        /// The tape.
        tape: PathBuf,
        /// The day asked for.
        day: NaiveDate,
        /// What it does hold, in words.
        held: String,
    },
    /// The disk failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is shorter or longer than its certificate says.
    #[error("{}: {found} bytes where day.json says {expected}: the file is truncated or was changed", file.display())]
    WrongSize {
        /// The file.
        file: PathBuf,
        /// Bytes on the certificate.
        expected: u64,
        /// Bytes on disk.
        found: u64,
    },
    /// Not readable as Parquet (truncated, damaged or of another shape).
    #[error("{}: not a readable tick file: {detail}", file.display())]
    Parquet {
        /// The file.
        file: PathBuf,
        /// What the decoder said.
        detail: String,
    },
    /// A column is missing or of another type.
    #[error("{}: column `{column}` should be {expected}, found {found}", file.display())]
    Schema {
        /// The file.
        file: PathBuf,
        /// Name of the column.
        column: String,
        /// What the schema demands.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A checksum on the certificate does not match the file.
    #[error("{}: checksum is {found}, day.json says {expected}: the file was changed after it was written", file.display())]
    Checksum {
        /// The file.
        file: PathBuf,
        /// BLAKE3 on the certificate.
        expected: String,
        /// BLAKE3 of the file.
        found: String,
    },
    /// A count on the certificate does not match the file.
    #[error("{}: {what} is {found}, day.json says {expected}", file.display())]
    Count {
        /// The file.
        file: PathBuf,
        /// What was counted.
        what: String,
        /// Count on the certificate.
        expected: u64,
        /// Count in the file.
        found: u64,
    },
    /// A stored value that no tape may hold.
    #[error("{}: row {row}, column `{column}`: {value}: {expected}", file.display())]
    BadValue {
        /// The file.
        file: PathBuf,
        /// Row, starting at 1.
        row: u64,
        /// Name of the column.
        column: &'static str,
        /// The value found.
        value: String,
        /// What would be right.
        expected: String,
    },
    /// Ticks are not in order of receive time.
    #[error("{}: row {row}: `{column}` {found} comes after {previous}: a tape is sorted by receive_ts, then seq", file.display())]
    Unsorted {
        /// The file.
        file: PathBuf,
        /// Row, starting at 1.
        row: u64,
        /// `receive_ts` or `seq`.
        column: &'static str,
        /// Value of the row before.
        previous: String,
        /// Value found.
        found: String,
    },
    /// A segment code the broker does not define.
    #[error("{}: row {row}, column `segment`: {code} is no exchange segment (0 IDX_I, 1 NSE_EQ, 2 NSE_FNO, 3 NSE_CURRENCY, 4 BSE_EQ, 5 MCX_COMM, 7 BSE_CURRENCY, 8 BSE_FNO)", file.display())]
    UnknownSegment {
        /// The file.
        file: PathBuf,
        /// Row, starting at 1.
        row: u64,
        /// The code.
        code: i32,
    },
    /// A tick of a contract that instruments.csv does not list.
    #[error("{}: row {row}: {segment} {security_id} is not listed in instruments.csv", file.display())]
    UnlistedContract {
        /// The file.
        file: PathBuf,
        /// Row, starting at 1.
        row: u64,
        /// Segment.
        segment: Segment,
        /// Token inside the segment.
        security_id: u32,
    },
    /// The reader's universe does not know a listed contract.
    #[error("{}: row {row}: {segment} {security_id} is listed in instruments.csv but not in the universe given to the reader", file.display())]
    Unresolved {
        /// The file.
        file: PathBuf,
        /// Row, starting at 1.
        row: u64,
        /// Segment.
        segment: Segment,
        /// Token inside the segment.
        security_id: u32,
    },
    /// Two different contracts under one id, or one contract under two.
    #[error("{day}: {detail}")]
    Conflict {
        /// The day.
        day: NaiveDate,
        /// Which contracts clash.
        detail: String,
    },
    /// Somebody else is writing this tape.
    #[error("{}: another process is writing this tape; wait for it to end", tape.display())]
    Busy {
        /// The tape.
        tape: PathBuf,
    },
}

impl TapeError {
    /// Wraps an I/O error with its path.
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> TapeError + '_ {
        move |source| TapeError::Io { path: path.to_owned(), source }
    }
    /// Wraps a decoder error with its path.
    pub(crate) fn parquet(file: &Path) -> impl FnOnce(parquet::errors::ParquetError) -> TapeError + '_ {
        move |e| TapeError::Parquet { file: file.to_owned(), detail: e.to_string() }
    }
}
