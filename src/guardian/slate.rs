//! A small file that one process writes over and over and others read. It is written in place, so that a full disk does
//! not silence a healthy process, and carries a sum, so that half a line is never believed. Nothing is synced: it tells
//! about living processes, and those see each other's pages.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::xxh3_64;

/// Bytes of the file, always.
const SIZE: usize = 1_024;
/// Bytes of the sum and the line ends.
const SUM: usize = 18;

/// The writing end.
#[derive(Debug)]
pub struct Slate(File);

impl Slate {
    /// Opens the file; what it says stays until something else is written.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn open(path: &Path) -> io::Result<Slate> {
        Ok(Slate(OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?))
    }

    /// Says something else from now on.
    ///
    /// # Errors
    /// When the disk refuses, or `value` has no room.
    pub fn write(&self, value: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_string(value)?;
        let sum = xxh3_64(text.as_bytes());
        if text.len() + SUM > SIZE {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "too long for a sign of life"));
        }
        text.push_str(&format!("\n{sum:016x}\n"));
        text.extend(std::iter::repeat_n(' ', SIZE - text.len()));
        self.0.write_all_at(text.as_bytes(), 0)
    }
}

/// What the file says; `None` when it says nothing whole.
pub fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let text = std::fs::read_to_string(path).ok()?;
    let mut lines = text.lines();
    let (text, sum) = (lines.next()?, lines.next()?);
    if u64::from_str_radix(sum, 16).ok()? != xxh3_64(text.as_bytes()) {
        return None;
    }
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_is_read_and_half_a_word_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("slate");
        assert_eq!(read::<u32>(&path), None);
        let slate = Slate::open(&path).unwrap();
        slate.write(&"a long word").unwrap();
        slate.write(&7).unwrap();
        assert_eq!(read::<u32>(&path), Some(7));
        assert!(slate.write(&"x".repeat(SIZE)).is_err());
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replacen('7', "8", 1)).unwrap();
        assert_eq!(read::<u32>(&path), None);
    }
}
