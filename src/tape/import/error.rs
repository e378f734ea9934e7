//! What can be wrong with a file on its way into a tape. Every message says where and what would be right.

use std::fmt;
use std::path::PathBuf;

use chrono::NaiveDate;
use scalper_decide::domain::calendar::OutsideCalendar;
use scalper_decide::domain::contracts::OutsideContracts;

use super::super::error::TapeError;

/// A place in a file: shown path and line (or row of a binary or JSON file), starting at 1; 0 is the file itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file as the user named it.
    pub file: String,
    /// Line or row.
    pub row: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.row == 0 { f.write_str(&self.file) } else { write!(f, "{}:{}", self.file, self.row) }
    }
}

/// What is wrong with one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Nothing there.
    #[error("the value is missing")]
    Missing,
    /// Not a number at all.
    #[error("expected a number")]
    NotANumber,
    /// NaN or infinite.
    #[error("not a finite number; leave the row out when there was no price")]
    NotFinite,
    /// A price at or below zero.
    #[error("expected a price above zero")]
    NotPositive,
    /// A count below zero.
    #[error("expected zero or more")]
    Negative,
    /// A count with a fraction.
    #[error("expected a whole number")]
    NotWhole,
    /// Too large for a tape.
    #[error("too large; check the unit (rupees or paise, units or lots)")]
    TooLarge,
    /// `2.57E+04`: digits are lost.
    #[error("looks like a spreadsheet rounded it; export the column again as plain numbers")]
    MangledNumber,
    /// `12-01-2026 9:15`: day and month cannot be told apart.
    #[error(
        "looks like a spreadsheet rewrote it; expected a time like 2026-01-12 09:15:00 or 2026-01-12T09:15:00+05:30"
    )]
    MangledTime,
    /// Not a time.
    #[error("expected a time like 2026-01-12 09:15:00 (IST) or 2026-01-12T09:15:00+05:30")]
    NotATime,
    /// Not a date.
    #[error("expected a date like 2026-01-13")]
    NotADate,
    /// A number that is no plausible epoch.
    #[error("expected an epoch in s, ms, us or ns between 2000 and 2100; name the unit with --time-unit")]
    NotAnEpoch,
    /// Not a strike.
    #[error("expected a strike above zero like 25650")]
    NotAStrike,
    /// A price step that is not in rupees.
    #[error("expected a price step in rupees like 0.05 (Dhan's master prints 5.0000 paise)")]
    NotATick,
    /// High below low, or open or close outside them.
    #[error("high must be the highest and low the lowest price of a bar")]
    NotABar,
    /// The contract had expired.
    #[error("the contract expired before this row's day")]
    Expired,
    /// Not hex, or an odd number of digits.
    #[error("expected hexadecimal bytes")]
    NotHex,
    /// Not an exchange segment.
    #[error("expected an exchange segment like NSE_FNO")]
    NotASegment,
    /// A code of an exported day that this version does not know.
    #[error("no such code; the codes are listed in docs/TAPES.md")]
    NotACode,
}

/// An import that was refused. Nothing has been written.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// One bad value.
    #[error("{place}: column `{column}`: {value:?}: {fault}")]
    Cell {
        /// Where.
        place: Place,
        /// Which column or key.
        column: String,
        /// The value found.
        value: String,
        /// What is wrong with it.
        fault: Fault,
    },
    /// The header lacks a column.
    #[error("{file}: no column `{wanted}`; the file has {has}")]
    MissingColumn {
        /// The file.
        file: String,
        /// Accepted names.
        wanted: String,
        /// What the header says.
        has: String,
    },
    /// The file holds nothing.
    #[error("{file}: no rows")]
    Empty {
        /// The file.
        file: String,
    },
    /// Cannot be read as what it should be.
    #[error("{place}: {detail}")]
    Unreadable {
        /// Where.
        place: Place,
        /// What the decoder said.
        detail: String,
    },
    /// `--layout auto` found no layout.
    #[error("{file}: no known layout ({detail}); name one with --layout")]
    UnknownLayout {
        /// The file.
        file: String,
        /// What was seen.
        detail: String,
    },
    /// The file does not say something that the tape needs.
    #[error("{file}: {why}; give {option}")]
    Needs {
        /// The file.
        file: String,
        /// The option that tells it.
        option: &'static str,
        /// What is missing.
        why: String,
    },
    /// A name that is no index.
    #[error("{place}: unknown index {name:?}; known are {known}")]
    UnknownIndex {
        /// Where.
        place: Place,
        /// The name.
        name: String,
        /// The names that are.
        known: String,
    },
    /// An instrument this engine has no use for.
    #[error("{place}: {what} is no index, index future or index option")]
    Unsupported {
        /// Where.
        place: Place,
        /// What was found.
        what: String,
    },
    /// A contract nobody described.
    #[error("{place}: unknown contract {id}; list it in the file given with --instruments")]
    UnknownContract {
        /// Where.
        place: Place,
        /// Its id or name.
        id: String,
    },
    /// The contract table has no answer.
    #[error("{place}: {source}")]
    Contracts {
        /// Where.
        place: Place,
        /// What was asked.
        source: OutsideContracts,
    },
    /// The session calendar has no answer.
    #[error("{place}: {source}")]
    Calendar {
        /// Where.
        place: Place,
        /// What was asked.
        source: OutsideCalendar,
    },
    /// Bars out of order.
    #[error("{place}: time goes backwards: {found} after {previous}; sort the file by time")]
    TimeBackwards {
        /// Where.
        place: Place,
        /// Time of the bar before.
        previous: String,
        /// Time found.
        found: String,
    },
    /// The same bar twice.
    #[error("{place}: a second bar at {at}; remove the duplicate")]
    DuplicateBar {
        /// Where.
        place: Place,
        /// Its time.
        at: String,
    },
    /// A bar that does not start on the grid.
    #[error("{place}: {at} is not the start of a {interval} bar counted from the open; check --interval")]
    OffGrid {
        /// Where.
        place: Place,
        /// Its time.
        at: String,
        /// The interval in force.
        interval: String,
    },
    /// The declared interval is not the file's.
    #[error("{file}: --interval {declared} does not fit: the bars are {found} apart")]
    WrongInterval {
        /// The file.
        file: String,
        /// Interval declared.
        declared: String,
        /// Smallest distance seen.
        found: String,
    },
    /// A --map that names no field.
    #[error("--map {given}: {detail}")]
    BadMap {
        /// What was given.
        given: String,
        /// What is wrong.
        detail: String,
    },
    /// The recorded answer is an error.
    #[error("{file}: the recorded answer is an error: HTTP {status} {code} {message}")]
    ServerError {
        /// The file.
        file: String,
        /// HTTP status.
        status: String,
        /// The server's error code.
        code: String,
        /// Its message.
        message: String,
    },
    /// The tape already has other data of the same contract for the same time.
    #[error(
        "{file}: the tape already holds other bars of {contract} on {day}; import into another tape, or use --replace"
    )]
    Overlap {
        /// The file.
        file: String,
        /// Whose.
        contract: String,
        /// When.
        day: NaiveDate,
    },
    /// The disk failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The tape refused.
    #[error(transparent)]
    Tape(#[from] TapeError),
}
