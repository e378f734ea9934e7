//! Streams a tick file column batch by column batch and refuses what no tape may hold.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use foldhash::fast::FixedState;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{DataType, Int32Type, Int64Type};
use parquet::file::reader::{FileReader, SerializedFileReader};
use scalper_decide::domain::tick::{ABSENT, DEPTH};
use scalper_decide::domain::{BookLevel, Instant, Instrument, InstrumentId, Segment, Tick, TickFlags, TickSource};

use super::error::TapeError;
use super::meta::ist_text;
use super::row::TapeRow;
use super::schema::{self, BOOK, COLUMNS, LAYOUT};

/// Ticks decoded at a time.
pub const BATCH: usize = 4096;
const KNOWN_FLAGS: u16 = (1 << 6) - 1;

type Slots = HashMap<(Segment, u32), Option<InstrumentId>, FixedState>;

/// Reads one day's ticks in order. An iterator, or [`TickReader::next_batch`] for bulk work.
pub struct TickReader {
    path: PathBuf,
    day: NaiveDate,
    file: SerializedFileReader<File>,
    slots: Slots,
    group: usize,
    columns: Option<Columns>,
    left_in_group: usize,
    row: u64,
    last: (i64, Instant),
    buffer: Vec<Tick>,
    taken: usize,
    scratch: Scratch,
    failed: bool,
}

impl std::fmt::Debug for TickReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TickReader").field("path", &self.path).field("row", &self.row).finish_non_exhaustive()
    }
}

enum Column {
    I64(ColumnReaderImpl<Int64Type>),
    I32(ColumnReaderImpl<Int32Type>),
    /// Null in the whole row group.
    Null,
}

type Columns = Vec<Column>;

#[derive(Default)]
struct Scratch {
    seq: Vec<i64>,
    exchange: Vec<i64>,
    receive: Vec<i64>,
    segment: Vec<i32>,
    security: Vec<i32>,
    source: Vec<i32>,
    flags: Vec<i32>,
    keys: Vec<(Segment, u32)>,
    levels: Vec<i16>,
    wide: Vec<i64>,
    narrow: Vec<i32>,
}

impl TickReader {
    pub(crate) fn open(
        path: &Path,
        day: NaiveDate,
        instruments: &[Instrument],
        resolve: impl Fn(Segment, u32) -> Option<InstrumentId>,
    ) -> Result<TickReader, TapeError> {
        let handle = File::open(path).map_err(TapeError::io(path))?;
        let file = SerializedFileReader::new(handle).map_err(TapeError::parquet(path))?;
        check_schema(&file, path)?;
        let mut slots = Slots::default();
        for i in instruments {
            slots.insert((i.segment, i.security_id), resolve(i.segment, i.security_id));
        }
        Ok(TickReader {
            path: path.to_owned(),
            day,
            file,
            slots,
            group: 0,
            columns: None,
            left_in_group: 0,
            row: 0,
            last: (0, Instant::from_nanos(i64::MIN)),
            buffer: Vec::with_capacity(BATCH),
            taken: 0,
            scratch: Scratch::default(),
            failed: false,
        })
    }

    /// Rows in the file, by its footer.
    pub fn rows(&self) -> u64 {
        u64::try_from(self.file.metadata().file_metadata().num_rows()).unwrap_or(0)
    }

    /// Rows handed out or buffered so far.
    pub const fn row(&self) -> u64 {
        self.row
    }

    /// Replaces `out` by the next ticks, at most [`BATCH`]; `false` when there are none left. Do not mix with the
    /// iterator: what that has buffered is not repeated here.
    pub fn next_batch(&mut self, out: &mut Vec<Tick>) -> Result<bool, TapeError> {
        if self.failed {
            return Ok(false);
        }
        let read = self.fill(out);
        self.failed = read.is_err();
        read
    }

    /// Like [`TickReader::next_batch`], with the address of each tick's contract.
    pub fn next_rows(&mut self, out: &mut Vec<TapeRow>) -> Result<bool, TapeError> {
        let mut ticks = std::mem::take(&mut self.buffer);
        let more = self.next_batch(&mut ticks);
        out.clear();
        if let Ok(true) = more {
            out.extend(ticks.iter().zip(&self.scratch.keys).map(|(tick, (segment, security_id))| TapeRow {
                segment: *segment,
                security_id: *security_id,
                tick: *tick,
            }));
        }
        ticks.clear();
        self.buffer = ticks;
        more
    }

    fn fill(&mut self, out: &mut Vec<Tick>) -> Result<bool, TapeError> {
        out.clear();
        while self.left_in_group == 0 {
            if self.group == self.file.num_row_groups() {
                return Ok(false);
            }
            self.columns = Some(self.open_group(self.group)?);
            self.left_in_group = usize::try_from(self.file.metadata().row_group(self.group).num_rows()).unwrap_or(0);
            self.group += 1;
        }
        let count = self.left_in_group.min(BATCH);
        let mut columns = self.columns.take().expect("a row group is open");
        self.decode(&mut columns, count, out)?;
        self.columns = Some(columns);
        self.left_in_group -= count;
        self.row += count as u64;
        Ok(true)
    }

    fn open_group(&self, index: usize) -> Result<Columns, TapeError> {
        let group = self.file.get_row_group(index).map_err(TapeError::parquet(&self.path))?;
        let rows = u64::try_from(group.metadata().num_rows()).unwrap_or(0);
        (0..COLUMNS)
            .map(|at| {
                let nulls = group.metadata().column(at).statistics().and_then(|s| s.null_count_opt());
                if LAYOUT[at].1.optional() && nulls == Some(rows) {
                    return Ok(Column::Null);
                }
                Ok(match group.get_column_reader(at).map_err(TapeError::parquet(&self.path))? {
                    ColumnReader::Int64ColumnReader(r) => Column::I64(r),
                    ColumnReader::Int32ColumnReader(r) => Column::I32(r),
                    _ => unreachable!("the schema was checked when the file was opened"),
                })
            })
            .collect()
    }

    fn bad(&self, at: usize, column: usize, value: impl ToString, expected: &str) -> TapeError {
        TapeError::BadValue {
            file: self.path.clone(),
            row: self.row + at as u64 + 1,
            column: LAYOUT[column].0,
            value: value.to_string(),
            expected: expected.to_owned(),
        }
    }

    fn decode(&mut self, columns: &mut Columns, count: usize, out: &mut Vec<Tick>) -> Result<(), TapeError> {
        let mut s = std::mem::take(&mut self.scratch);
        let result = self.decode_with(&mut s, columns, count, out);
        self.scratch = s;
        result
    }

    fn decode_with(
        &mut self,
        s: &mut Scratch,
        columns: &mut Columns,
        count: usize,
        out: &mut Vec<Tick>,
    ) -> Result<(), TapeError> {
        let path = self.path.clone();
        wide(&path, &mut columns[schema::SEQ], count, &mut s.seq)?;
        wide(&path, &mut columns[schema::EXCHANGE_TS], count, &mut s.exchange)?;
        wide(&path, &mut columns[schema::RECEIVE_TS], count, &mut s.receive)?;
        narrow(&path, &mut columns[schema::SEGMENT], count, &mut s.segment)?;
        narrow(&path, &mut columns[schema::SECURITY_ID], count, &mut s.security)?;
        narrow(&path, &mut columns[schema::SOURCE], count, &mut s.source)?;
        narrow(&path, &mut columns[schema::FLAGS], count, &mut s.flags)?;
        s.keys.clear();
        for n in 0..count {
            let tick = self.frame(s, n)?;
            out.push(tick);
        }
        for (at, set) in [
            (schema::LTP, (|t, v| t.ltp_paise = v) as fn(&mut Tick, i64)),
            (schema::LTQ, |t, v| t.ltq = v),
            (schema::VOLUME, |t, v| t.volume = v),
            (schema::OI, |t, v| t.oi = v),
        ] {
            let Column::I64(reader) = &mut columns[at] else { continue };
            read(&path, reader, count, Some(&mut s.levels), &mut s.wide)?;
            let least = i64::from(at == schema::LTP);
            if let Some(bad) = spread(&s.levels, &s.wide, out, set, |v| *v >= least) {
                let value = s.wide[s.levels[..bad].iter().filter(|l| **l > 0).count()];
                let expected = if least == 1 { "expected a price above zero" } else { "expected zero or more" };
                return Err(self.bad(bad, at, value, expected));
            }
        }
        for level in 0..DEPTH {
            for part in 0..4 {
                let at = BOOK + 4 * level + part;
                let Column::I32(reader) = &mut columns[at] else { continue };
                read(&path, reader, count, Some(&mut s.levels), &mut s.narrow)?;
                let is_price = part % 2 == 0;
                let set = |t: &mut Tick, v: i32| {
                    let place = if part < 2 { &mut t.bids[level] } else { &mut t.asks[level] };
                    if is_price {
                        place.price = v;
                    } else {
                        place.qty = v as u32;
                    }
                };
                if let Some(bad) = spread(&s.levels, &s.narrow, out, set, |v| !is_price || *v > 0) {
                    let value = s.narrow[s.levels[..bad].iter().filter(|l| **l > 0).count()];
                    return Err(self.bad(bad, at, value, "expected a price above zero"));
                }
            }
        }
        Ok(())
    }

    /// The fields every tick has, checked; prices follow column by column.
    fn frame(&mut self, s: &mut Scratch, n: usize) -> Result<Tick, TapeError> {
        let row = self.row + n as u64 + 1;
        let received_at = Instant::from_nanos(s.receive[n]);
        let unsorted = |column, previous: String, found: String| TapeError::Unsorted {
            file: self.path.clone(),
            row,
            column,
            previous,
            found,
        };
        if s.seq[n] <= self.last.0 {
            return Err(unsorted("seq", self.last.0.to_string(), s.seq[n].to_string()));
        }
        if received_at < self.last.1 {
            return Err(unsorted("receive_ts", ist_text(self.last.1), ist_text(received_at)));
        }
        // Comparing dates is dear; within one day only a later time can leave it.
        if self.row + n as u64 == 0 || received_at.nanos() - self.last.1.nanos() > 0 {
            let day = received_at.ist_date();
            if day != self.day {
                return Err(self.bad(
                    n,
                    schema::RECEIVE_TS,
                    ist_text(received_at),
                    "expected a time on the folder's day",
                ));
            }
        }
        self.last = (s.seq[n], received_at);
        let segment = u8::try_from(s.segment[n])
            .ok()
            .and_then(Segment::from_code)
            .ok_or_else(|| TapeError::UnknownSegment { file: self.path.clone(), row, code: s.segment[n] })?;
        let security_id = s.security[n] as u32;
        let instrument = match self.slots.get(&(segment, security_id)) {
            Some(Some(id)) => *id,
            Some(None) => {
                return Err(TapeError::Unresolved { file: self.path.clone(), row, segment, security_id });
            }
            None => return Err(TapeError::UnlistedContract { file: self.path.clone(), row, segment, security_id }),
        };
        s.keys.push((segment, security_id));
        let source = u8::try_from(s.source[n])
            .ok()
            .and_then(TickSource::from_code)
            .ok_or_else(|| self.bad(n, schema::SOURCE, s.source[n], "expected a source code from 0 to 4"))?;
        let flags = u16::try_from(s.flags[n])
            .ok()
            .filter(|f| f & !KNOWN_FLAGS == 0)
            .ok_or_else(|| self.bad(n, schema::FLAGS, s.flags[n], "expected a sum of the flags 1, 2, 4, 8, 16, 32"))?;
        Ok(Tick {
            instrument,
            flags: TickFlags(flags),
            source,
            exchange_at: Instant::from_nanos(s.exchange[n]),
            received_at,
            ltp_paise: 0,
            ltq: ABSENT,
            volume: ABSENT,
            oi: ABSENT,
            bids: [BookLevel { price: 0, qty: 0 }; DEPTH],
            asks: [BookLevel { price: 0, qty: 0 }; DEPTH],
        })
    }
}

impl Iterator for TickReader {
    type Item = Result<Tick, TapeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.taken == self.buffer.len() {
            let mut buffer = std::mem::take(&mut self.buffer);
            let more = self.next_batch(&mut buffer);
            self.buffer = buffer;
            self.taken = 0;
            match more {
                Ok(true) => {}
                Ok(false) => {
                    self.buffer.clear();
                    return None;
                }
                Err(e) => {
                    self.buffer.clear();
                    return Some(Err(e));
                }
            }
        }
        self.taken += 1;
        Some(Ok(self.buffer[self.taken - 1]))
    }
}

/// Copies a nullable column into the ticks; returns the row of the first value that `allowed` refuses.
fn spread<T: Copy>(
    levels: &[i16],
    values: &[T],
    ticks: &mut [Tick],
    set: impl Fn(&mut Tick, T),
    allowed: impl Fn(&T) -> bool,
) -> Option<usize> {
    let mut value = values.iter();
    for (n, (level, tick)) in levels.iter().zip(ticks.iter_mut()).enumerate() {
        if *level > 0 {
            let v = value.next()?;
            if !allowed(v) {
                return Some(n);
            }
            set(tick, *v);
        }
    }
    None
}

fn wide(path: &Path, column: &mut Column, count: usize, out: &mut Vec<i64>) -> Result<(), TapeError> {
    let Column::I64(reader) = column else { unreachable!("required 64-bit column") };
    read(path, reader, count, None, out)
}

fn narrow(path: &Path, column: &mut Column, count: usize, out: &mut Vec<i32>) -> Result<(), TapeError> {
    let Column::I32(reader) = column else { unreachable!("required 32-bit column") };
    read(path, reader, count, None, out)
}

fn read<T: DataType>(
    path: &Path,
    reader: &mut ColumnReaderImpl<T>,
    count: usize,
    mut levels: Option<&mut Vec<i16>>,
    out: &mut Vec<T::T>,
) -> Result<(), TapeError> {
    out.clear();
    if let Some(levels) = levels.as_deref_mut() {
        levels.clear();
    }
    let mut got = 0;
    while got < count {
        let (records, ..) =
            reader.read_records(count - got, levels.as_deref_mut(), None, out).map_err(TapeError::parquet(path))?;
        if records == 0 {
            let detail = format!("a column ends {} rows early", count - got);
            return Err(TapeError::Parquet { file: path.to_owned(), detail });
        }
        got += records;
    }
    Ok(())
}

fn check_schema(file: &SerializedFileReader<File>, path: &Path) -> Result<(), TapeError> {
    let schema = file.metadata().file_metadata().schema_descr();
    for (at, (name, shape)) in LAYOUT.iter().enumerate() {
        let expected = format!(
            "{}{} at place {}",
            if shape.optional() { "optional " } else { "required " },
            shape.physical(),
            at + 1
        );
        let refuse = |found: String| TapeError::Schema {
            file: path.to_owned(),
            column: (*name).to_owned(),
            expected: expected.clone(),
            found,
        };
        if at >= schema.num_columns() {
            return Err(refuse("nothing".to_owned()));
        }
        let column = schema.column(at);
        let optional = column.max_def_level() == 1;
        if column.name() != *name
            || column.physical_type() != shape.physical()
            || optional != shape.optional()
            || column.max_rep_level() != 0
        {
            let kind = if optional { "optional" } else { "required" };
            return Err(refuse(format!("{kind} {} `{}`", column.physical_type(), column.name())));
        }
    }
    Ok(())
}
