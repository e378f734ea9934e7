//! Finds and reads `../shared/data`, which lies beside the repository and may be absent.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The shared data folder, or `None` after saying that `test` is skipped.
pub(crate) fn shared_data(test: &str) -> Option<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = manifest.ancestors().find(|folder| folder.join("Cargo.lock").exists()).expect("a repository root");
    let data = root.parent().expect("a folder around the repository").join("shared/data");
    if data.is_dir() {
        return Some(data);
    }
    eprintln!("SKIPPED {test}: ../shared/data not present");
    None
}

/// One CSV row by column name.
pub(crate) struct Row(BTreeMap<String, String>);

impl Row {
    pub(crate) fn text(&self, column: &str) -> &str {
        self.0.get(column).unwrap_or_else(|| panic!("no column {column}"))
    }

    /// The number in a column, `None` where it is empty.
    pub(crate) fn maybe(&self, column: &str) -> Option<f64> {
        let text = self.text(column);
        (!text.is_empty()).then(|| text.parse().unwrap_or_else(|_| panic!("{column} is {text:?}, not a number")))
    }

    pub(crate) fn number(&self, column: &str) -> f64 {
        self.maybe(column).unwrap_or_else(|| panic!("{column} is empty"))
    }
}

/// All rows of a gzipped or plain CSV file.
pub(crate) fn read_csv(path: &Path) -> Vec<Row> {
    let raw = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut bytes = Vec::new();
    if path.extension().is_some_and(|extension| extension == "gz") {
        flate2::read::GzDecoder::new(raw.as_slice()).read_to_end(&mut bytes).expect("a gzip stream");
    } else {
        bytes = raw;
    }
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let header = reader.headers().expect("a header").clone();
    reader
        .records()
        .map(|record| {
            let record = record.expect("a CSV record");
            Row(header.iter().map(str::to_owned).zip(record.iter().map(str::to_owned)).collect())
        })
        .collect()
}

/// Whether two figures agree to a relative tolerance, with an absolute floor.
pub(crate) fn close(got: f64, expected: f64, relative: f64, absolute: f64) -> bool {
    (got - expected).abs() <= absolute + relative * expected.abs()
}
