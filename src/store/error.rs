//! What a store can answer besides yes. Faults are classified here, once.

use std::path::PathBuf;

use scalper_decide::domain::Age;

use crate::journal::run::Mode;

/// A store that does not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// No room on the disk (H1).
    #[error("no room left: {0}")]
    Full(String),
    /// Somebody else holds the database for too long (H2).
    #[error("the database is held by somebody else: {0}")]
    Busy(String),
    /// The folder or file cannot be written.
    #[error("the database cannot be written: {0}")]
    ReadOnly(String),
    /// No connection, or it broke; what was under way may or may not have happened (H7, H8).
    #[error("no connection to the database: {0}")]
    Lost(String),
    /// Another daemon took over; nothing may be written or sent from here any more (I20).
    #[error("another daemon holds the lease: {0}")]
    Fenced(String),
    /// The disk or the file is damaged; going on would make it worse (H3, H4).
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// A statement the database does not accept: a bug, or a schema that is not ours.
    #[error("the database refuses a statement: {0}")]
    Statement(String),
    /// A reason not to start.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store has been closed, or its writer has stopped.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Whether it may pass by itself: entries stop, exits go on over the emergency journal, writes are tried again.
    pub const fn is_passing(&self) -> bool {
        matches!(self, StoreError::Full(_) | StoreError::Busy(_) | StoreError::ReadOnly(_) | StoreError::Lost(_))
    }
}

/// Why a store is not opened. Nothing has been changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another process works in the folder (E5).
    #[error("{dir} is in use by process {pid}")]
    Locked {
        /// The data folder.
        dir: String,
        /// Who holds it; "unknown" when it did not say.
        pid: String,
    },
    /// Another daemon writes to the database (E6).
    #[error("{holder} writes to this database; its lease ends in {} s unless renewed", .left.secs() + 1)]
    LeaseHeld {
        /// Host, process and folder of the holder.
        holder: String,
        /// Time until its lease runs out.
        left: Age,
    },
    /// The database belongs to another mode or account (H13).
    #[error(
        "the database belongs to mode {found_mode}, account {found_account:?}; this is mode {mode}, account {account:?}"
    )]
    OtherOwner {
        /// Mode in the database.
        found_mode: Mode,
        /// Account in the database.
        found_account: String,
        /// Mode asked for.
        mode: Mode,
        /// Account asked for.
        account: String,
    },
    /// A newer program has changed the schema (G16).
    #[error("a newer program has changed the schema of this database (version {found}, known here up to {known})")]
    NewerSchema {
        /// Version in the database.
        found: i64,
        /// Newest version known here.
        known: i64,
    },
    /// The schema could not be brought up to date; the database is as it was (H12).
    #[error("the schema could not be brought up to date, the database is as it was: {what}")]
    Migration {
        /// What the database said.
        what: String,
    },
    /// The schema is old, and only `db migrate` or a start changes it.
    #[error("the schema of the database is at version {found}, {known} is needed: run `scalper db migrate`")]
    OldSchema {
        /// Version in the database, 0 for an empty one.
        found: i64,
        /// Version needed.
        known: i64,
    },
    /// There is no database at this place.
    #[error("there is no database at {}", .0.display())]
    Missing(PathBuf),
    /// The database is gone although a session was recorded in it (H5).
    #[error("the database has no run of {day}, but {} says one was started: it was deleted or replaced", .marker.display())]
    DayLost {
        /// The day in question.
        day: String,
        /// The file that remembers.
        marker: PathBuf,
    },
    /// The journal cannot be believed (H4).
    #[error("the journal cannot be believed: {0}")]
    Quarantine(String),
    /// The URL is none of the kinds known.
    #[error("expected sqlite:PATH or postgres://.., found {0:?}")]
    Url(String),
}

const SQLITE_BUSY: i32 = 5;
const SQLITE_LOCKED: i32 = 6;
const SQLITE_READONLY: i32 = 8;
const SQLITE_IOERR: i32 = 10;
const SQLITE_CORRUPT: i32 = 11;
const SQLITE_FULL: i32 = 13;
const SQLITE_CANTOPEN: i32 = 14;
const SQLITE_NOTADB: i32 = 26;

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> StoreError {
        let text = error.to_string();
        match error {
            sqlx::Error::Database(e) => {
                let code = e.code().unwrap_or_default().into_owned();
                // SQLite's codes have up to four digits, the standard's five characters.
                if code.len() < 5
                    && let Ok(code) = code.parse()
                {
                    return sqlite(code, text);
                }
                match code.as_str() {
                    "53100" => StoreError::Full(text),
                    "55P03" | "40001" | "40P01" => StoreError::Busy(text),
                    "25006" => StoreError::ReadOnly(text),
                    "58030" | "XX001" | "XX002" => StoreError::Damaged(text),
                    other if other.starts_with("08") || other.starts_with("57P") || other.starts_with("53") => {
                        StoreError::Lost(text)
                    }
                    _ => StoreError::Statement(text),
                }
            }
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => StoreError::Lost(text),
            _ => StoreError::Statement(text),
        }
    }
}

fn sqlite(code: i32, text: String) -> StoreError {
    // The low byte is the primary code; extended ones say where.
    match code & 0xff {
        SQLITE_BUSY | SQLITE_LOCKED => StoreError::Busy(text),
        SQLITE_READONLY | SQLITE_CANTOPEN => StoreError::ReadOnly(text),
        SQLITE_FULL => StoreError::Full(text),
        SQLITE_IOERR | SQLITE_CORRUPT | SQLITE_NOTADB => StoreError::Damaged(text),
        _ => StoreError::Statement(text),
    }
}
