//! Proves a day against its certificate: checksums, counts, order, bounds. Reads every byte.

use scalper_decide::domain::InstrumentId;
use serde::Serialize;

use super::error::TapeError;
use super::meta::{Counts, ist_text};
use super::reader::TapeDay;
use super::writer::{check_listing, file_meta};

/// What was proved about a day.
#[derive(Debug, Clone, Serialize)]
pub struct DayReport {
    /// The day.
    pub day: chrono::NaiveDate,
    /// Content hash.
    pub hash: String,
    /// Counted ticks.
    pub counts: Counts,
    /// Listed contracts.
    pub instruments: u64,
    /// Bytes read.
    pub bytes: u64,
}

/// Proves that both files of a day are the ones it was certified with, in bounded memory. Cheap beside decoding them.
///
/// # Errors
/// [`TapeError::WrongSize`] or [`TapeError::Checksum`] with the file that was changed.
pub fn check_files(day: &TapeDay) -> Result<(), TapeError> {
    let meta = day.meta();
    for (path, certified) in [(day.ticks_path(), &meta.ticks_file), (day.instruments_path(), &meta.instruments_file)] {
        let found = file_meta(&path)?;
        if found.bytes != certified.bytes {
            return Err(TapeError::WrongSize { file: path, expected: certified.bytes, found: found.bytes });
        }
        if found.blake3 != certified.blake3 {
            let expected = certified.blake3.clone();
            return Err(TapeError::Checksum { file: path, expected, found: found.blake3 });
        }
    }
    Ok(())
}

/// Recomputes everything the certificate claims.
///
/// # Errors
/// The first claim that does not hold, with file and row.
pub fn verify_day(day: &TapeDay) -> Result<DayReport, TapeError> {
    check_files(day)?;
    let meta = day.meta();
    let instruments = day.instruments();
    check_listing(day.date(), &instruments)?;
    let file = day.ticks_path();
    let count = |what: &str, expected: u64, found: u64| {
        if expected == found {
            return Ok(());
        }
        Err(TapeError::Count { file: file.clone(), what: what.to_owned(), expected, found })
    };
    count("number of instruments", meta.instruments, instruments.len() as u64)?;

    let mut counts = Counts::default();
    let (mut first, mut last) = (None, None);
    let mut batch = Vec::new();
    let mut reader = day.ticks(|_, _| Some(InstrumentId(0)))?;
    while reader.next_batch(&mut batch)? {
        for (n, tick) in batch.iter().enumerate() {
            // Stale and misplaced ticks keep whatever date they claim; the others must belong to the day.
            if tick.flags.is_decidable() && tick.exchange_at.ist_date() != day.date() {
                return Err(TapeError::BadValue {
                    file: day.ticks_path(),
                    row: reader.row() - batch.len() as u64 + n as u64 + 1,
                    column: "exchange_ts",
                    value: ist_text(tick.exchange_at),
                    expected: format!("expected a time on {} or the flag STALE", day.date()),
                });
            }
            counts.add(tick);
            first.get_or_insert(tick.received_at);
            last = Some(tick.received_at);
        }
    }
    count("number of ticks", meta.counts.ticks, counts.ticks)?;
    count("number of decidable ticks", meta.counts.decidable, counts.decidable)?;
    count("number of crossed books", meta.counts.crossed_books, counts.crossed_books)?;
    for (what, certified, found) in
        [("source", &meta.counts.by_source, &counts.by_source), ("flag", &meta.counts.by_flag, &counts.by_flag)]
    {
        for name in certified.keys().chain(found.keys()) {
            let of = |map: &std::collections::BTreeMap<String, u64>| map.get(name).copied().unwrap_or(0);
            count(&format!("number of ticks with {what} {name}"), of(certified), of(found))?;
        }
    }
    if meta.first != first.map(ist_text) || meta.last != last.map(ist_text) {
        let text = |t: &Option<String>| t.clone().unwrap_or_else(|| "none".to_owned());
        return Err(TapeError::NotATape {
            path: file,
            reason: format!(
                "day.json says the first and last receive times are {} and {}; the file says {} and {}",
                text(&meta.first),
                text(&meta.last),
                text(&first.map(ist_text)),
                text(&last.map(ist_text))
            ),
        });
    }
    Ok(DayReport {
        day: day.date(),
        hash: day.hash(),
        counts,
        instruments: meta.instruments,
        bytes: meta.ticks_file.bytes + meta.instruments_file.bytes,
    })
}
