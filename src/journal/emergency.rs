//! The way out when the database is down, full or slow: a file whose room was taken in advance. Exits may leave after
//! it, entries may not; what it holds is merged into the database exactly once, by the next start or as soon as the
//! database answers again (H1, H7, H10, I9, L7).
//!
//! Record: mark, length, XXH3 of both; body; XXH3 of the body, end mark. A record whose end mark was never written is a
//! torn tail that nobody was told about, and is dropped. Anything else that does not add up is damage, and refused (H4).

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use scalper_decide::domain::{Seq, Stamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use super::codec::Block;
use crate::failpoint;
use crate::store::link::Value;
use crate::store::tables::{ORDER_EVENTS, RowChange, Table};

/// Size of the file.
pub const SIZE: u64 = 8 << 20;
const HEAD: [u8; 8] = *b"SCEMERG1";
const RECORD: u32 = 0x5ec0_4d01;
const END: u64 = 0xe4d0_f4ec_04d5_ea1e;
const RECORD_HEAD: usize = 4 + 4 + 8;
const RECORD_TAIL: usize = 8 + 8;

/// One commit that waits for the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spilled {
    /// The run it belongs to.
    pub run: Uuid,
    /// Its events.
    pub block: Block,
    /// Its projections.
    pub rows: Vec<RowChange>,
}

impl Spilled {
    /// Whether an order is placed, changed or cancelled after this commit.
    pub fn carries_commands(&self) -> bool {
        let direction = ORDER_EVENTS.columns.iter().position(|column| *column == "direction").expect("a column");
        let is_out = |row: &RowChange| row.table.name == ORDER_EVENTS.name && row.values[direction] == "out".into();
        self.rows.iter().any(is_out)
    }
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EmergencyFault {
    /// No room left in the file.
    #[error("the emergency journal is full")]
    Full,
    /// The disk refuses.
    #[error("the emergency journal cannot be used: {0}")]
    Io(#[from] io::Error),
    /// Its records cannot be believed.
    #[error("the emergency journal is damaged at byte {at}: {what}")]
    Damaged {
        /// Where.
        at: u64,
        /// What is wrong.
        what: &'static str,
    },
}

#[derive(Serialize, Deserialize)]
struct Meta {
    run: Uuid,
    first: Stamp,
    last: Stamp,
    rows: Vec<(String, Vec<Value>)>,
}

fn body(spilled: &Spilled) -> Vec<u8> {
    let rows = spilled.rows.iter().map(|row| (row.table.name.to_owned(), row.values.clone())).collect();
    let meta = Meta { run: spilled.run, first: spilled.block.first, last: spilled.block.last, rows };
    let meta = serde_json::to_vec(&meta).expect("plain values");
    let packed = zstd::bulk::compress(&spilled.block.bytes, 1).expect("zstd compresses any bytes");
    let mut body = Vec::with_capacity(meta.len() + packed.len() + 16);
    body.extend_from_slice(&(meta.len() as u64).to_le_bytes());
    body.extend_from_slice(&(spilled.block.bytes.len() as u64).to_le_bytes());
    body.extend_from_slice(&meta);
    body.extend_from_slice(&packed);
    body
}

fn parse(body: &[u8]) -> Option<Spilled> {
    let (meta_len, rest) = body.split_first_chunk::<8>()?;
    let (raw_len, rest) = rest.split_first_chunk::<8>()?;
    let (meta, packed) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*meta_len)).ok()?)?;
    let raw_len = usize::try_from(u64::from_le_bytes(*raw_len)).ok().filter(|len| *len <= 1 << 28)?;
    let meta: Meta = serde_json::from_slice(meta).ok()?;
    let bytes = zstd::bulk::decompress(packed, raw_len).ok().filter(|bytes| bytes.len() == raw_len)?;
    let row = |(name, values): (String, Vec<Value>)| {
        let table = Table::named(&name).filter(|t| t.columns.len() == values.len())?;
        Some(RowChange { table, values })
    };
    let rows = meta.rows.into_iter().map(row).collect::<Option<_>>()?;
    Some(Spilled { run: meta.run, block: Block { first: meta.first, last: meta.last, bytes }, rows })
}

/// What is in the file.
#[derive(Debug, PartialEq, Eq)]
pub struct Contents {
    /// Records in the order they were written.
    pub records: Vec<Spilled>,
    /// First byte after them.
    end: u64,
    /// Whether a torn tail was dropped.
    pub torn: bool,
}

/// Reads the records out of the bytes of a file.
///
/// # Errors
/// [`EmergencyFault::Damaged`].
pub fn read(bytes: &[u8]) -> Result<Contents, EmergencyFault> {
    let damaged = |at: usize, what| EmergencyFault::Damaged { at: at as u64, what };
    if bytes.len() < HEAD.len() || bytes[..HEAD.len()] != HEAD {
        return Err(damaged(0, "the file does not begin like one"));
    }
    let mut contents = Contents { records: Vec::new(), end: HEAD.len() as u64, torn: false };
    let mut at = HEAD.len();
    loop {
        let rest = &bytes[at..];
        if rest.iter().take(RECORD_HEAD).all(|b| *b == 0) {
            // Nothing follows: not even half a record whose head was lost.
            if rest.iter().any(|b| *b != 0) {
                return Err(damaged(at, "a record without a head"));
            }
            return Ok(contents);
        }
        let Some(head) = rest.first_chunk::<RECORD_HEAD>() else {
            return Err(damaged(at, "the file ends inside a head"));
        };
        let len = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let head_sum = u64::from_le_bytes(head[8..].try_into().expect("eight bytes"));
        let whole = len.checked_add(RECORD_HEAD + RECORD_TAIL).filter(|whole| *whole <= rest.len());
        let sound = head[..4] == RECORD.to_le_bytes() && head_sum == xxh3_64(&head[..8]);
        let Some(whole) = whole.filter(|_| sound) else {
            // A head that was cut off in the middle: everything behind the cut is still zero.
            let written = rest.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
            if written < RECORD_HEAD {
                contents.torn = true;
                return Ok(contents);
            }
            return Err(damaged(at, "a head does not add up"));
        };
        let body = &rest[RECORD_HEAD..RECORD_HEAD + len];
        let tail = &rest[RECORD_HEAD + len..whole];
        let (sum, end) = tail.split_at(8);
        if end == [0; 8] && rest[whole..].iter().all(|b| *b == 0) {
            contents.torn = true;
            return Ok(contents);
        }
        if end != END.to_le_bytes() || sum != xxh3_64(body).to_le_bytes() {
            return Err(damaged(at, "a record does not add up"));
        }
        let spilled = parse(body).ok_or_else(|| damaged(at, "a record does not read"))?;
        contents.records.push(spilled);
        at += whole;
        contents.end = at as u64;
    }
}

/// The file, open for appending.
#[derive(Debug)]
pub struct EmergencyFile {
    file: File,
    path: PathBuf,
    end: u64,
    /// Last event written and synced, per run.
    last: Option<(Uuid, Seq)>,
}

impl EmergencyFile {
    /// Opens the file in the data folder, taking its room when it is new, and reads what it holds.
    ///
    /// # Errors
    /// [`EmergencyFault`]; a damaged file is left as it is.
    pub fn open(dir: &Path) -> Result<(EmergencyFile, Contents), EmergencyFault> {
        let path = dir.join("emergency.journal");
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        if file.metadata()?.len() < SIZE {
            // Real zeroes, not a hole: the room must be there when the disk is full. The head comes last, so that a
            // file without one was never used.
            let mut head = [0; HEAD.len()];
            let _ = file.read(&mut head)?;
            if head == HEAD {
                return Err(EmergencyFault::Damaged { at: 0, what: "the file was cut short" });
            }
            file.rewind()?;
            let zeroes = vec![0; 1 << 20];
            for _ in 0..SIZE >> 20 {
                file.write_all(&zeroes)?;
            }
            file.sync_all()?;
            file.rewind()?;
            file.write_all(&HEAD)?;
            file.sync_all()?;
        }
        file.rewind()?;
        let mut bytes = Vec::with_capacity(SIZE as usize);
        file.read_to_end(&mut bytes)?;
        let contents = read(&bytes)?;
        let last = contents.records.last().map(|r| (r.run, r.block.last.seq));
        let mut emergency = EmergencyFile { file, path, end: contents.end, last };
        if contents.torn {
            emergency.wipe(contents.end)?;
        }
        Ok((emergency, contents))
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends one commit and waits until it is on the disk. What is there already is not written again.
    ///
    /// # Errors
    /// [`EmergencyFault::Full`] and [`EmergencyFault::Io`]; the record counts as not written.
    pub fn append(&mut self, spilled: &Spilled) -> Result<(), EmergencyFault> {
        if self.last.is_some_and(|(run, seq)| run == spilled.run && seq >= spilled.block.last.seq) {
            return Ok(());
        }
        let body = body(spilled);
        let len = u32::try_from(body.len()).map_err(|_| EmergencyFault::Full)?;
        let mut record = Vec::with_capacity(body.len() + RECORD_HEAD + RECORD_TAIL);
        record.extend_from_slice(&RECORD.to_le_bytes());
        record.extend_from_slice(&len.to_le_bytes());
        record.extend_from_slice(&xxh3_64(&record[..8]).to_le_bytes());
        record.extend_from_slice(&body);
        record.extend_from_slice(&xxh3_64(&body).to_le_bytes());
        record.extend_from_slice(&END.to_le_bytes());
        if self.end + record.len() as u64 > SIZE {
            return Err(EmergencyFault::Full);
        }
        failpoint::pass("emergency.before_write")?;
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(&record)?;
        failpoint::pass("emergency.after_write")?;
        self.file.sync_data()?;
        failpoint::pass("emergency.after_sync")?;
        self.end += record.len() as u64;
        self.last = Some((spilled.run, spilled.block.last.seq));
        Ok(())
    }

    /// Forgets everything: it is in the database now.
    ///
    /// # Errors
    /// [`EmergencyFault::Io`].
    pub fn reset(&mut self) -> Result<(), EmergencyFault> {
        if self.end > HEAD.len() as u64 {
            self.wipe(HEAD.len() as u64)?;
        }
        self.last = None;
        Ok(())
    }

    /// Zeroes from `from` to where anything may have been written. From the back, so that a wipe that is interrupted
    /// leaves whole records and zeroes.
    fn wipe(&mut self, from: u64) -> Result<(), EmergencyFault> {
        const PIECE: u64 = 64 << 10;
        let mut until = self.last_written()?.max(from);
        while until > from {
            let start = until.saturating_sub(PIECE).max(from);
            self.file.seek(SeekFrom::Start(start))?;
            self.file.write_all(&vec![0; (until - start) as usize])?;
            self.file.sync_data()?;
            until = start;
        }
        self.end = from;
        Ok(())
    }

    fn last_written(&mut self) -> io::Result<u64> {
        let mut bytes = Vec::with_capacity(SIZE as usize);
        self.file.rewind()?;
        match self.file.read_to_end(&mut bytes) {
            Err(e) if e.kind() == ErrorKind::Interrupted => self.last_written(),
            Err(e) => Err(e),
            Ok(_) => Ok(bytes.iter().rposition(|b| *b != 0).map_or(0, |last| last as u64 + 1)),
        }
    }
}

#[cfg(test)]
#[path = "emergency_tests.rs"]
mod tests;
