//! Opens input files: plain or gzip, CSV or Parquet, as one stream of text rows.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use parquet::basic::{LogicalType, TimeUnit as ParquetTime};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use parquet::record::reader::RowIter;

use super::super::meta::SourceMeta;
use super::error::{Fault, ImportError, Place};
use super::text::{self, PriceUnit};

/// A file on its way in: name, checksum and content with any gzip removed.
#[derive(Debug)]
pub struct Input {
    path: PathBuf,
    blake3: String,
    content: Vec<u8>,
}

impl Input {
    /// Reads a file whole.
    pub fn read(path: &Path) -> Result<Input, ImportError> {
        let fail = |source| ImportError::Io { path: path.to_owned(), source };
        let mut raw = Vec::new();
        File::open(path).and_then(|mut f| f.read_to_end(&mut raw)).map_err(fail)?;
        let blake3 = blake3::hash(&raw).to_hex().to_string();
        let content = if raw.starts_with(&[0x1f, 0x8b]) {
            let mut plain = Vec::new();
            flate2::read::MultiGzDecoder::new(&raw[..]).read_to_end(&mut plain).map_err(fail)?;
            plain
        } else {
            raw
        };
        Ok(Input { path: path.to_owned(), blake3, content })
    }

    /// A file that only exists in memory, for tests.
    #[cfg(test)]
    pub fn from_text(name: &str, text: &str) -> Input {
        Input { path: PathBuf::from(name), blake3: blake3::hash(text.as_bytes()).to_string(), content: text.into() }
    }

    /// The file as the user named it.
    pub fn shown(&self) -> String {
        self.path.display().to_string()
    }
    /// Its folder, for companions.
    pub fn path(&self) -> &Path {
        &self.path
    }
    /// A place in it.
    pub fn at(&self, row: u64) -> Place {
        Place { file: self.shown(), row }
    }
    /// Its entry on the certificate.
    pub fn source(&self, layout: &str) -> SourceMeta {
        let file = self.path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        SourceMeta { layout: layout.to_owned(), file, blake3: self.blake3.clone() }
    }
    /// The bytes, unpacked.
    pub fn bytes(&self) -> &[u8] {
        self.content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.content)
    }
    /// Whether it is a Parquet file.
    pub fn is_parquet(&self) -> bool {
        self.content.starts_with(b"PAR1")
    }
    /// The content as text.
    pub fn text(&self) -> Result<&str, ImportError> {
        std::str::from_utf8(self.bytes())
            .map_err(|e| ImportError::Unreadable { place: self.at(0), detail: format!("not UTF-8 text: {e}") })
    }
    /// The content as JSON.
    pub fn json(&self) -> Result<serde_json::Value, ImportError> {
        serde_json::from_slice(self.bytes())
            .map_err(|e| ImportError::Unreadable { place: self.at(e.line() as u64), detail: e.to_string() })
    }
    /// The rows of a CSV or Parquet file.
    pub fn table(&self) -> Result<Table<'_>, ImportError> {
        Table::open(self)
    }
}

enum Rows<'a> {
    Csv(Box<csv::Reader<&'a [u8]>>),
    Parquet { rows: Box<RowIter<'static>>, times: Vec<Option<(ParquetTime, bool)>> },
}

/// Rows of text cells with a header.
pub struct Table<'a> {
    input: &'a Input,
    header: Vec<String>,
    rows: Rows<'a>,
    record: csv::StringRecord,
    row: u64,
}

impl<'a> Table<'a> {
    fn open(input: &'a Input) -> Result<Table<'a>, ImportError> {
        let unreadable = |detail: String| ImportError::Unreadable { place: input.at(0), detail };
        let (header, rows) = if input.is_parquet() {
            let handle = seekable(input).map_err(|source| ImportError::Io { path: input.path.clone(), source })?;
            let file = SerializedFileReader::new(handle).map_err(|e| unreadable(e.to_string()))?;
            let schema = file.metadata().file_metadata().schema_descr();
            if schema.root_schema().get_fields().len() != schema.num_columns() {
                return Err(unreadable("nested columns; write one plain column per value".to_owned()));
            }
            let header = schema.columns().iter().map(|c| c.name().to_ascii_lowercase()).collect();
            let times = schema.columns().iter().map(|c| time_of(c.logical_type_ref())).collect();
            let rows = RowIter::from_file_into(Box::new(file));
            (header, Rows::Parquet { rows: Box::new(rows), times })
        } else {
            if input.bytes().is_empty() {
                return Err(ImportError::Empty { file: input.shown() });
            }
            let mut csv = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(input.bytes());
            let header = csv.headers().map_err(|e| unreadable(e.to_string()))?;
            (header.iter().map(|h| h.to_ascii_lowercase()).collect(), Rows::Csv(Box::new(csv)))
        };
        Ok(Table { input, header, rows, record: csv::StringRecord::new(), row: 0 })
    }

    /// The column names, lower case.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// Place of the first column with one of these names.
    pub fn find(&self, names: &[&str]) -> Option<usize> {
        names.iter().find_map(|name| self.header.iter().position(|h| h == &name.to_ascii_lowercase()))
    }

    /// Place of the `n`-th (from 0) column of this name; some vendors repeat names.
    pub fn find_nth(&self, name: &str, n: usize) -> Option<usize> {
        self.header.iter().enumerate().filter(|(_, h)| *h == name).nth(n).map(|(at, _)| at)
    }

    /// The same, an error when there is none.
    pub fn need(&self, names: &[&str]) -> Result<usize, ImportError> {
        self.find(names).ok_or_else(|| ImportError::MissingColumn {
            file: self.input.shown(),
            wanted: names.join("` or `"),
            has: self.header.join(", "),
        })
    }

    /// Moves to the next row; `false` at the end.
    pub fn advance(&mut self) -> Result<bool, ImportError> {
        match &mut self.rows {
            Rows::Csv(reader) => {
                let more = reader.read_record(&mut self.record).map_err(|e| {
                    let row = e.position().map_or(self.row + 1, csv::Position::line);
                    ImportError::Unreadable { place: self.input.at(row), detail: csv_detail(&e) }
                })?;
                self.row = self.record.position().map_or(self.row + 1, csv::Position::line);
                Ok(more)
            }
            Rows::Parquet { rows, times } => {
                self.row += 1;
                let Some(row) = rows.next() else { return Ok(false) };
                let row =
                    row.map_err(|e| ImportError::Unreadable { place: self.input.at(self.row), detail: e.to_string() })?;
                self.record.clear();
                for ((_, field), time) in row.get_column_iter().zip(times.iter()) {
                    self.record.push_field(&field_text(field, *time));
                }
                Ok(true)
            }
        }
    }

    /// Line (CSV) or row (Parquet) of the current row.
    pub fn place(&self) -> Place {
        self.input.at(self.row)
    }

    /// Text of a cell.
    pub fn text(&self, at: usize) -> &str {
        self.record.get(at).unwrap_or_default()
    }

    /// An error about a cell of the current row.
    pub fn refuse(&self, at: usize, fault: Fault) -> ImportError {
        ImportError::Cell {
            place: self.place(),
            column: self.header[at].clone(),
            value: self.text(at).to_owned(),
            fault,
        }
    }

    /// A cell through a reading function.
    pub fn get<T>(&self, at: usize, read: impl FnOnce(&str) -> Result<T, Fault>) -> Result<T, ImportError> {
        read(self.text(at)).map_err(|fault| self.refuse(at, fault))
    }

    /// A price in rupees above zero.
    pub fn price(&self, at: usize) -> Result<i64, ImportError> {
        self.get(at, |t| text::price(t, PriceUnit::Rupees))
    }
    /// A price in rupees, 0 for none.
    pub fn price_or_zero(&self, at: usize) -> Result<i64, ImportError> {
        self.get(at, |t| text::price_or_zero(t, PriceUnit::Rupees))
    }
    /// A count.
    pub fn count(&self, at: usize) -> Result<i64, ImportError> {
        self.get(at, text::count)
    }
}

/// The Parquet reader wants a file it can seek in; one that came packed is unpacked to a nameless temporary file.
fn seekable(input: &Input) -> std::io::Result<File> {
    let mut file = tempfile::tempfile()?;
    file.write_all(&input.content)?;
    Ok(file)
}

fn time_of(logical: Option<&LogicalType>) -> Option<(ParquetTime, bool)> {
    match logical {
        Some(LogicalType::Timestamp(t)) => Some((t.unit, t.is_adjusted_to_u_t_c)),
        _ => None,
    }
}

/// A Parquet value as the text a CSV would hold; times become ISO, with a zone only when the column has one.
fn field_text(field: &Field, time: Option<(ParquetTime, bool)>) -> String {
    let stamp = match (field, time) {
        (Field::TimestampMillis(v), _) => Some((*v, 1_000_000)),
        (Field::TimestampMicros(v), _) => Some((*v, 1_000)),
        (Field::Long(v), Some((ParquetTime::MILLIS, _))) => Some((*v, 1_000_000)),
        (Field::Long(v), Some((ParquetTime::MICROS, _))) => Some((*v, 1_000)),
        (Field::Long(v), Some((ParquetTime::NANOS, _))) => Some((*v, 1)),
        _ => None,
    };
    if let Some((value, nanos)) = stamp {
        let utc = time.is_none_or(|(_, adjusted)| adjusted);
        let Some(total) = value.checked_mul(nanos) else { return value.to_string() };
        let at = chrono::DateTime::from_timestamp_nanos(total).naive_utc();
        return format!("{}{}", at.format("%Y-%m-%dT%H:%M:%S%.9f"), if utc { "Z" } else { "" });
    }
    match field {
        Field::Null => String::new(),
        Field::Str(text) => text.clone(),
        Field::Bytes(bytes) => String::from_utf8_lossy(bytes.data()).into_owned(),
        // Display writes the shortest decimal that is this float, without an exponent.
        Field::Float(v) => format!("{v}"),
        Field::Double(v) => format!("{v}"),
        Field::Date(days) => chrono::NaiveDate::from_num_days_from_ce_opt(days.saturating_add(719_163))
            .map_or_else(|| days.to_string(), |d| d.to_string()),
        other => other.to_string(),
    }
}

fn csv_detail(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("the row has {len} cells, the header {expected_len}")
        }
        _ => error.to_string(),
    }
}
