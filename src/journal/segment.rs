//! Segments: blocks sealed for storage. Each is compressed, checked by XXH3 and chained to the one before by BLAKE3, so
//! that a changed, missing or swapped segment is found, whatever the database says (H4, S52).

use scalper_decide::domain::{Event, Instant, Seq, Stamp};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use super::codec::{Block, CodecError, Decoder, FORMAT};

/// zstd level: the fastest that still halves the size again.
const LEVEL: i32 = 1;
/// Largest block a reader unpacks.
const MAX_BLOCK: u64 = 256 << 20;

/// A link of the chain.
pub type Hash = [u8; 32];

/// A block as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The run that wrote it.
    pub run: Uuid,
    /// Layout of the block.
    pub format: u16,
    /// Stamp of the first event.
    pub first: Stamp,
    /// Stamp of the last event.
    pub last: Stamp,
    /// Bytes of the block before compression.
    pub raw_len: u64,
    /// The block, zstd.
    pub payload: Vec<u8>,
    /// XXH3 of the payload.
    pub checksum: u64,
    /// Hash of the segment before, or the genesis of the run.
    pub previous: Hash,
    /// BLAKE3 over all of the above.
    pub hash: Hash,
}

/// Why a segment cannot be believed. Nothing of it is used, and nothing after it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SegmentFault {
    /// Written by a newer program (G16).
    #[error("layout {found} is not known here, the newest known is {FORMAT}: a newer program wrote it")]
    Format {
        /// What the segment says.
        found: u16,
    },
    /// The bytes changed since they were written.
    #[error("the bytes changed since they were written")]
    Changed,
    /// It does not follow the segment before.
    #[error("it does not follow the segment before: {0}")]
    Chain(&'static str),
    /// The bytes are as written, but are no block.
    #[error("the block does not read: {0}")]
    Codec(#[from] CodecError),
}

impl Segment {
    /// Seals a block behind `previous`.
    ///
    /// # Panics
    /// When zstd fails, which it does only without memory.
    pub fn seal(run: Uuid, block: &Block, previous: Hash) -> Segment {
        let payload = zstd::bulk::compress(&block.bytes, LEVEL).expect("zstd compresses any bytes");
        let mut segment = Segment {
            run,
            format: FORMAT,
            first: block.first,
            last: block.last,
            raw_len: block.bytes.len() as u64,
            checksum: xxh3_64(&payload),
            payload,
            previous,
            hash: [0; 32],
        };
        segment.hash = segment.expected_hash();
        segment
    }

    fn expected_hash(&self) -> Hash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.previous).update(self.run.as_bytes()).update(&self.format.to_le_bytes());
        for stamp in [self.first, self.last] {
            hasher.update(&stamp.seq.0.to_le_bytes()).update(&stamp.at.nanos().to_le_bytes());
        }
        hasher.update(&self.raw_len.to_le_bytes()).update(&self.checksum.to_le_bytes()).update(&self.payload);
        *hasher.finalize().as_bytes()
    }

    /// Proves that the segment is as it was written and follows `tail`.
    ///
    /// # Errors
    /// [`SegmentFault`] with the first thing that is wrong.
    pub fn check(&self, tail: &Tail) -> Result<(), SegmentFault> {
        if self.hash != self.expected_hash() || self.checksum != xxh3_64(&self.payload) {
            return Err(SegmentFault::Changed);
        }
        if self.format == 0 || self.format > FORMAT {
            return Err(SegmentFault::Format { found: self.format });
        }
        if self.previous != tail.hash {
            return Err(SegmentFault::Chain("another hash came before"));
        }
        if self.first.seq.0 != tail.seq.0 + 1 {
            return Err(SegmentFault::Chain("events between them are missing or doubled"));
        }
        if self.first.at < tail.at || self.last.seq < self.first.seq {
            return Err(SegmentFault::Chain("time or number goes back"));
        }
        Ok(())
    }

    /// Where the chain stands behind this segment.
    pub const fn tail(&self) -> Tail {
        Tail { seq: self.last.seq, at: self.last.at, hash: self.hash }
    }
}

/// The end of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    /// Last event.
    pub seq: Seq,
    /// Its time.
    pub at: Instant,
    /// Last link.
    pub hash: Hash,
}

impl Tail {
    /// The end of a chain without segments.
    pub const fn genesis(hash: Hash, after: Seq) -> Tail {
        Tail { seq: after, at: Instant::from_nanos(i64::MIN), hash }
    }
}

/// Reads segments in order and hands out their events.
pub struct SegmentReader {
    decoder: Decoder,
    unpack: zstd::bulk::Decompressor<'static>,
    block: Vec<u8>,
}

impl std::fmt::Debug for SegmentReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SegmentReader").finish_non_exhaustive()
    }
}

impl Default for SegmentReader {
    fn default() -> Self {
        SegmentReader::new()
    }
}

impl SegmentReader {
    /// A reader; keep one for many segments.
    ///
    /// # Panics
    /// When zstd finds no memory.
    pub fn new() -> SegmentReader {
        let unpack = zstd::bulk::Decompressor::new().expect("zstd gets its tables");
        SegmentReader { decoder: Decoder::new(), unpack, block: Vec::new() }
    }

    /// Checks a segment against `tail` and hands out its events; returns the new tail.
    ///
    /// # Errors
    /// [`SegmentFault`], before any event is handed out unless the block itself does not read; and whatever `take` says.
    pub fn read<E: From<SegmentFault>>(
        &mut self,
        segment: &Segment,
        tail: &Tail,
        mut take: impl FnMut(Stamp, &Event) -> Result<(), E>,
    ) -> Result<Tail, E> {
        segment.check(tail)?;
        let len = usize::try_from(segment.raw_len).ok().filter(|_| segment.raw_len <= MAX_BLOCK);
        let len = len.ok_or(SegmentFault::Changed)?;
        self.block.clear();
        self.block.reserve(len);
        let got = self.unpack.decompress_to_buffer(&segment.payload, &mut self.block);
        if got.ok() != Some(len) {
            return Err(SegmentFault::Changed.into());
        }
        let mut fault = None;
        let outcome = self.decoder.decode(segment.first, segment.last, &self.block, |stamp, event| {
            take(stamp, event).map_err(|e| {
                fault = Some(e);
                CodecError::Malformed("the reader stopped")
            })
        });
        match (outcome, fault) {
            (_, Some(e)) => Err(e),
            (Err(e), None) => Err(SegmentFault::Codec(e).into()),
            (Ok(()), None) => Ok(segment.tail()),
        }
    }
}

#[cfg(test)]
#[path = "segment_tests.rs"]
mod tests;
