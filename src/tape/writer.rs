//! Writes a day: collects its ticks, sorts them by (receive time, order of arrival), and puts the folder in place whole.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::NaiveDate;
use parquet::data_type::{ByteArray, ByteArrayType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use scalper_decide::domain::tick::{ABSENT, DEPTH};
use scalper_decide::domain::{BookLevel, Instrument, Segment, Tick};

use super::error::TapeError;
use super::instruments;
use super::meta::{Counts, DayAbout, DayMeta, FileMeta, ist_text};
use super::publish::{Claim, write_file};
use super::row::TapeRow;
use super::schema::{self, DAY_FILE, INSTRUMENTS_FILE, ROWS_PER_GROUP, SCHEMA_VERSION, TICKS_FILE};

/// A day being written. Nothing appears in the tape before [`TapeWriter::finish`]; an existing day is replaced.
#[derive(Debug)]
pub struct TapeWriter {
    tape: PathBuf,
    day: NaiveDate,
    instruments: Vec<Instrument>,
    listed: BTreeMap<(Segment, u32), ()>,
    rows: Vec<TapeRow>,
}

impl TapeWriter {
    /// Starts `day` of the tape in folder `tape` with its contract list. Nothing is written yet.
    ///
    /// # Errors
    /// [`TapeError::Conflict`] when two contracts share an id or one contract has two.
    pub fn create(tape: &Path, day: NaiveDate, instruments: &[Instrument]) -> Result<TapeWriter, TapeError> {
        check_listing(day, instruments)?;
        Ok(TapeWriter {
            tape: tape.to_owned(),
            day,
            instruments: instruments.to_vec(),
            listed: instruments.iter().map(|i| ((i.segment, i.security_id), ())).collect(),
            rows: Vec::new(),
        })
    }

    /// Adds a tick of the contract at (`segment`, `security_id`); the slot inside `tick` is not used.
    ///
    /// # Errors
    /// A contract that is not listed, a negative price or quantity, a receive time on another day.
    pub fn push(&mut self, segment: Segment, security_id: u32, tick: &Tick) -> Result<(), TapeError> {
        let row = TapeRow { segment, security_id, tick: *tick };
        let number = self.rows.len() as u64 + 1;
        let file = || self.tape.join(self.day.to_string()).join(TICKS_FILE);
        if !self.listed.contains_key(&row.key()) {
            return Err(TapeError::UnlistedContract { file: file(), row: number, segment, security_id });
        }
        check_row(&row, self.day).map_err(|(column, value, expected)| TapeError::BadValue {
            file: file(),
            row: number,
            column,
            value,
            expected,
        })?;
        self.rows.push(row);
        Ok(())
    }

    /// Sorts, writes and puts the day in place; the day's folder appears complete or not at all.
    pub fn finish(self, about: DayAbout) -> Result<DayMeta, TapeError> {
        let mut rows = self.rows;
        rows.sort_by_key(|r| r.tick.received_at);
        let mut claim = Claim::new(&self.tape)?;
        let folder = claim.stage(self.day)?;
        let meta = write_day(&folder, self.day, &self.instruments, &rows, about)?;
        claim.publish()?;
        Ok(meta)
    }
}

/// Checks that ids and contracts match one to one.
pub(crate) fn check_listing(day: NaiveDate, instruments: &[Instrument]) -> Result<(), TapeError> {
    let mut by_id = BTreeMap::new();
    let mut by_key = BTreeMap::new();
    for i in instruments {
        let key = instruments::key_of(i);
        if let Some(other) = by_id.insert((i.segment, i.security_id), key) {
            let detail = format!("{} {} stands for both {other} and {key}", i.segment, i.security_id);
            return Err(TapeError::Conflict { day, detail });
        }
        if let Some(other) = by_key.insert(key, i.security_id) {
            let detail = format!("{key} is listed twice, as {other} and as {}", i.security_id);
            return Err(TapeError::Conflict { day, detail });
        }
    }
    Ok(())
}

/// What no stored tick may be; `Err` is (column, value, what would be right).
pub(crate) fn check_row(row: &TapeRow, day: NaiveDate) -> Result<(), (&'static str, String, String)> {
    let t = &row.tick;
    if t.received_at.ist_date() != day {
        return Err(("receive_ts", ist_text(t.received_at), format!("expected a time on {day}")));
    }
    if t.ltp_paise < 0 {
        return Err(("ltp_paise", t.ltp_paise.to_string(), "expected a price above zero".to_owned()));
    }
    for (column, value) in [("ltq", t.ltq), ("volume", t.volume), ("oi", t.oi)] {
        if value < 0 && value != ABSENT {
            return Err((column, value.to_string(), "expected zero or more".to_owned()));
        }
    }
    for level in t.bids.iter().chain(&t.asks) {
        if level.price < 0 || (level.price == 0 && level.qty != 0) {
            return Err(("bid/ask price", level.price.to_string(), "expected a price above zero".to_owned()));
        }
    }
    Ok(())
}

/// Writes the three files of a day into `folder`. `rows` are sorted.
pub(crate) fn write_day(
    folder: &Path,
    day: NaiveDate,
    instruments: &[Instrument],
    rows: &[TapeRow],
    about: DayAbout,
) -> Result<DayMeta, TapeError> {
    check_listing(day, instruments)?;
    let list = instruments::to_csv(instruments);
    write_file(&folder.join(INSTRUMENTS_FILE), &list)?;
    let ticks = folder.join(TICKS_FILE);
    write_ticks(&ticks, rows, None)?;
    let meta = DayMeta {
        schema: SCHEMA_VERSION,
        day,
        counts: Counts::of(rows),
        instruments: instruments.len() as u64,
        first: rows.first().map(|r| ist_text(r.tick.received_at)),
        last: rows.last().map(|r| ist_text(r.tick.received_at)),
        ticks_file: file_meta(&ticks)?,
        instruments_file: FileMeta { bytes: list.len() as u64, blake3: blake3::hash(&list).to_hex().to_string() },
        about,
    };
    let mut json = serde_json::to_vec_pretty(&meta).expect("the certificate is plain data");
    json.push(b'\n');
    write_file(&folder.join(DAY_FILE), &json)?;
    Ok(meta)
}

/// Size and BLAKE3 of a file, read in pieces.
pub(crate) fn file_meta(path: &Path) -> Result<FileMeta, TapeError> {
    let mut file = fs::File::open(path).map_err(TapeError::io(path))?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(&mut file).map_err(TapeError::io(path))?;
    Ok(FileMeta { bytes: hasher.count(), blake3: hasher.finalize().to_hex().to_string() })
}

/// Writes the tick file; with `symbols` (one per row) it gets the text column of exports.
pub(crate) fn write_ticks(path: &Path, rows: &[TapeRow], symbols: Option<&[&str]>) -> Result<(), TapeError> {
    let file = fs::File::create(path).map_err(TapeError::io(path))?;
    let schema = schema::schema(symbols.is_some());
    let properties = Arc::new(schema::properties());
    let mut writer = SerializedFileWriter::new(file, schema, properties).map_err(TapeError::parquet(path))?;
    let mut seq = 0;
    for (n, chunk) in rows.chunks(ROWS_PER_GROUP).enumerate() {
        let symbols = symbols.map(|s| &s[n * ROWS_PER_GROUP..n * ROWS_PER_GROUP + chunk.len()]);
        let mut group = writer.next_row_group().map_err(TapeError::parquet(path))?;
        write_group(&mut group, chunk, seq, symbols).map_err(TapeError::parquet(path))?;
        group.close().map_err(TapeError::parquet(path))?;
        seq += chunk.len() as i64;
    }
    let file = writer.into_inner().map_err(TapeError::parquet(path))?;
    file.sync_all().map_err(TapeError::io(path))
}

type Group<'a> = SerializedRowGroupWriter<'a, fs::File>;

fn write_group(
    group: &mut Group<'_>,
    rows: &[TapeRow],
    before: i64,
    symbols: Option<&[&str]>,
) -> Result<(), ParquetError> {
    let seq: Vec<i64> = (1..=rows.len() as i64).map(|n| before + n).collect();
    put_i64(group, &seq)?;
    put_i64(group, &collect(rows, |r| r.tick.exchange_at.nanos()))?;
    put_i64(group, &collect(rows, |r| r.tick.received_at.nanos()))?;
    put_i32(group, &collect(rows, |r| i32::from(r.segment.code())))?;
    put_i32(group, &collect(rows, |r| r.security_id as i32))?;
    put_opt_i64(group, rows, |t| (t.ltp_paise != 0).then_some(t.ltp_paise))?;
    put_opt_i64(group, rows, |t| (t.ltq != ABSENT).then_some(t.ltq))?;
    put_opt_i64(group, rows, |t| (t.volume != ABSENT).then_some(t.volume))?;
    put_opt_i64(group, rows, |t| (t.oi != ABSENT).then_some(t.oi))?;
    let some = |l: BookLevel, value: i32| (l != BookLevel::default()).then_some(value);
    for level in 0..DEPTH {
        put_opt_i32(group, rows, |t| some(t.bids[level], t.bids[level].price))?;
        put_opt_i32(group, rows, |t| some(t.bids[level], t.bids[level].qty as i32))?;
        put_opt_i32(group, rows, |t| some(t.asks[level], t.asks[level].price))?;
        put_opt_i32(group, rows, |t| some(t.asks[level], t.asks[level].qty as i32))?;
    }
    put_i32(group, &collect(rows, |r| i32::from(r.tick.source.code())))?;
    put_i32(group, &collect(rows, |r| i32::from(r.tick.flags.0)))?;
    if let Some(symbols) = symbols {
        let values: Vec<ByteArray> = symbols.iter().map(|s| ByteArray::from(*s)).collect();
        let mut column = group.next_column()?.expect("the schema has a symbol column");
        column.typed::<ByteArrayType>().write_batch(&values, None, None)?;
        column.close()?;
    }
    Ok(())
}

fn collect<T>(rows: &[TapeRow], get: impl Fn(&TapeRow) -> T) -> Vec<T> {
    rows.iter().map(get).collect()
}

fn put_i64(group: &mut Group<'_>, values: &[i64]) -> Result<(), ParquetError> {
    let mut column = group.next_column()?.expect("the schema has this column");
    column.typed::<Int64Type>().write_batch(values, None, None)?;
    column.close()
}

fn put_i32(group: &mut Group<'_>, values: &[i32]) -> Result<(), ParquetError> {
    let mut column = group.next_column()?.expect("the schema has this column");
    column.typed::<Int32Type>().write_batch(values, None, None)?;
    column.close()
}

fn put_opt_i64(
    group: &mut Group<'_>,
    rows: &[TapeRow],
    get: impl Fn(&Tick) -> Option<i64>,
) -> Result<(), ParquetError> {
    let levels: Vec<i16> = rows.iter().map(|r| i16::from(get(&r.tick).is_some())).collect();
    let values: Vec<i64> = rows.iter().filter_map(|r| get(&r.tick)).collect();
    let mut column = group.next_column()?.expect("the schema has this column");
    column.typed::<Int64Type>().write_batch(&values, Some(&levels), None)?;
    column.close()
}

fn put_opt_i32(
    group: &mut Group<'_>,
    rows: &[TapeRow],
    get: impl Fn(&Tick) -> Option<i32>,
) -> Result<(), ParquetError> {
    let levels: Vec<i16> = rows.iter().map(|r| i16::from(get(&r.tick).is_some())).collect();
    let values: Vec<i32> = rows.iter().filter_map(|r| get(&r.tick)).collect();
    let mut column = group.next_column()?.expect("the schema has this column");
    column.typed::<Int32Type>().write_batch(&values, Some(&levels), None)?;
    column.close()
}
