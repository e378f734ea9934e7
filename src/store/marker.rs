//! A small file beside the database that remembers which day was begun, for whom: a database that is deleted or
//! replaced in the middle of a day is noticed (H5).

use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::error::{Refusal, StoreError};
use super::{Store, journal_rows};
use crate::journal::run::{Mode, NewRun};

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Marker {
    day: NaiveDate,
    mode: Mode,
    account: String,
}

impl Marker {
    fn of(run: &NewRun) -> Marker {
        Marker { day: run.day, mode: run.mode, account: run.account.clone() }
    }
}

/// Where the file lies.
pub fn path(dir: &Path) -> PathBuf {
    dir.join("live-day.json")
}

/// Refuses when the file remembers this very day and the database knows no run of it.
pub(super) async fn check(store: &Store, run: &NewRun) -> Result<(), StoreError> {
    let path = path(store.dir());
    // A simulated day can be played again on an empty database as often as anybody likes.
    if run.mode == Mode::Sim {
        return Ok(());
    }
    let Ok(text) = std::fs::read(&path) else { return Ok(()) };
    let marker: Option<Marker> = serde_json::from_slice(&text).ok();
    let same = marker.is_none_or(|marker| marker == Marker::of(run));
    if same && journal_rows::runs_of(store.readers(), run.day).await?.is_empty() {
        return Err(Refusal::DayLost { day: run.day.to_string(), marker: path }.into());
    }
    Ok(())
}

/// Remembers the day. Written beside and renamed, so that it is never half there.
pub(super) fn write(dir: &Path, run: &NewRun) -> Result<(), StoreError> {
    let text = serde_json::to_vec(&Marker::of(run)).expect("plain values");
    let beside = dir.join("live-day.json.new");
    let write = || {
        std::fs::write(&beside, text)?;
        std::fs::File::open(&beside)?.sync_all()?;
        std::fs::rename(&beside, path(dir))
    };
    write().map_err(|e: std::io::Error| match e.kind() {
        std::io::ErrorKind::StorageFull => StoreError::Full(e.to_string()),
        _ => StoreError::ReadOnly(e.to_string()),
    })
}
