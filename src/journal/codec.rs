//! Events as bytes. Ticks are many and cost a few dozen nanoseconds: a mask of the fields that differ from the last
//! tick of the same instrument, and their differences. Everything else is rare and readable: JSON with a length.
//!
//! A block stands alone: differences start afresh in each. Layout, format [`FORMAT`]:
//!
//! ```text
//! tick   1, mask (u32 LE), at (difference to the last record), instrument, changed fields in order of the mask
//! event  2, at (difference to the last record), length, JSON
//! ```
//!
//! Numbers are variable-length; the sequence number of each record is one above that of the last.

use scalper_decide::domain::tick::DEPTH;
use scalper_decide::domain::{BookLevel, Event, Instant, InstrumentId, Seq, Stamp, Tick, TickFlags, TickSource};

use super::varint::{self, Cursor, zigzag};

/// Version of the layout; a reader refuses what it does not know (G16).
pub const FORMAT: u16 = 1;

const TICK: u8 = 1;
const EVENT: u8 = 2;
/// Instruments above this slot are no instruments: a damaged block must not make the reader allocate without bound.
const SLOTS: usize = 1 << 17;

const KIND: u32 = 1;
const EXCHANGE: u32 = 1 << 1;
const RECEIVED: u32 = 1 << 2;
const LTP: u32 = 1 << 3;
const LTQ: u32 = 1 << 4;
const VOLUME: u32 = 1 << 5;
const OI: u32 = 1 << 6;
/// First bit of the book: bid price, bid quantity of each level, then asks.
const BOOK: u32 = 7;
const MASK: u32 = (1 << (BOOK + 4 * DEPTH as u32)) - 1;
/// Tag, mask, time, instrument, flags and source, six wide fields, twenty narrow ones.
const MAX_TICK: usize = 1 + 4 + varint::MAX + 5 + 3 + 6 * varint::MAX + 4 * DEPTH * 5 + varint::MAX;

/// Why bytes are no block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The block ends inside a record.
    #[error("the block ends inside a record")]
    Truncated,
    /// A record that cannot be.
    #[error("a record cannot be: {0}")]
    Malformed(&'static str),
    /// An event whose JSON does not read.
    #[error("an event does not read: {0}")]
    Event(String),
}

/// Consecutive events as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Stamp of the first event.
    pub first: Stamp,
    /// Stamp of the last event.
    pub last: Stamp,
    /// The records.
    pub bytes: Vec<u8>,
}

impl Block {
    /// Events in it.
    pub const fn count(&self) -> u64 {
        self.last.seq.0 - self.first.seq.0 + 1
    }
}

#[derive(Debug, Clone)]
struct Slot {
    generation: u32,
    tick: Tick,
}

/// Last tick of each instrument inside the present block.
#[derive(Debug, Default)]
struct Slots {
    generation: u32,
    slots: Vec<Slot>,
}

impl Slots {
    fn restart(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        if self.generation == 0 {
            self.slots.clear();
            self.generation = 1;
        }
    }

    /// The last tick of `instrument` in this block; before the first, one that has nothing but times.
    #[inline]
    fn of(&mut self, instrument: InstrumentId, at: Instant) -> &mut Tick {
        let slot = instrument.slot();
        if slot >= self.slots.len() {
            let blank = Tick::last_price(InstrumentId(0), at, at, 0, TickSource::Feed);
            self.slots.resize(slot + 1, Slot { generation: 0, tick: blank });
        }
        let entry = &mut self.slots[slot];
        if entry.generation != self.generation {
            entry.generation = self.generation;
            entry.tick = Tick { instrument, ..Tick::last_price(instrument, at, at, 0, TickSource::Feed) };
        }
        &mut entry.tick
    }
}

/// Turns stamped events into blocks.
#[derive(Debug)]
pub struct Encoder {
    bytes: Vec<u8>,
    first: Stamp,
    last: Stamp,
    slots: Slots,
    /// Where the record of a tick is put together.
    record: Box<[u8; MAX_TICK]>,
}

impl Encoder {
    /// An encoder whose next event must be stamped one above `after`.
    pub fn new(after: Seq) -> Encoder {
        let last = Stamp { seq: after, at: Instant::from_nanos(0) };
        Encoder {
            bytes: Vec::with_capacity(1 << 16),
            first: last,
            last,
            slots: Slots::default(),
            record: Box::new([0; MAX_TICK]),
        }
    }

    /// Stamp of the last event taken in.
    pub const fn last(&self) -> Stamp {
        self.last
    }

    /// Bytes of the block so far.
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether the block is empty.
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Time of the first event of the block, `None` when it is empty.
    pub fn since(&self) -> Option<Instant> {
        (!self.is_empty()).then_some(self.first.at)
    }

    /// # Panics
    /// When the stamp does not follow the last one: an event was lost or stamped twice.
    #[inline]
    fn step(&mut self, stamp: Stamp) -> u64 {
        assert!(stamp.seq.0 == self.last.seq.0 + 1, "event {} journalled after {}", stamp.seq, self.last.seq);
        if self.bytes.is_empty() {
            self.first = stamp;
            self.last.at = stamp.at;
            self.slots.restart();
        }
        let moved = zigzag(stamp.at.nanos().wrapping_sub(self.last.at.nanos()));
        self.last = stamp;
        moved
    }

    /// Takes any event in.
    ///
    /// # Panics
    /// When the stamp does not follow the last one.
    pub fn event(&mut self, stamp: Stamp, event: &Event) {
        if let Event::Tick(tick) = event {
            return self.tick(stamp, tick);
        }
        let moved = self.step(stamp);
        let json = serde_json::to_vec(event).expect("events have string keys and finite numbers");
        let mut head = [0; 1 + 2 * varint::MAX];
        head[0] = EVENT;
        let mut len = 1;
        varint::put(&mut head, &mut len, moved);
        varint::put(&mut head, &mut len, json.len() as u64);
        self.bytes.extend_from_slice(&head[..len]);
        self.bytes.extend_from_slice(&json);
    }

    /// Takes a tick in; the hot path.
    ///
    /// # Panics
    /// When the stamp does not follow the last one, or the instrument's slot is beyond 131,071.
    #[inline]
    pub fn tick(&mut self, stamp: Stamp, tick: &Tick) {
        assert!(tick.instrument.slot() < SLOTS, "slot {} of an instrument", tick.instrument.slot());
        let moved = self.step(stamp);
        let prev = self.slots.of(tick.instrument, stamp.at);
        let rec = &mut self.record;
        let mut len = 5;
        let mut mask = 0;
        varint::put(rec, &mut len, moved);
        varint::put(rec, &mut len, u64::from(tick.instrument.0));
        if (tick.flags, tick.source) != (prev.flags, prev.source) {
            mask |= KIND;
            rec[len..len + 2].copy_from_slice(&tick.flags.0.to_le_bytes());
            rec[len + 2] = tick.source.code();
            len += 3;
        }
        let mut wide = |bit: u32, now: i64, before: i64| {
            if now != before {
                mask |= bit;
                varint::put(rec, &mut len, zigzag(now.wrapping_sub(before)));
            }
        };
        wide(EXCHANGE, tick.exchange_at.nanos(), prev.exchange_at.nanos());
        wide(RECEIVED, tick.received_at.nanos(), stamp.at.nanos());
        wide(LTP, tick.ltp_paise, prev.ltp_paise);
        wide(LTQ, tick.ltq, prev.ltq);
        wide(VOLUME, tick.volume, prev.volume);
        wide(OI, tick.oi, prev.oi);
        if tick.bids != prev.bids || tick.asks != prev.asks {
            let mut bit = 1 << BOOK;
            for (now, before) in tick.bids.iter().chain(&tick.asks).zip(prev.bids.iter().chain(&prev.asks)) {
                wide(bit, i64::from(now.price), i64::from(before.price));
                wide(bit << 1, i64::from(now.qty), i64::from(before.qty));
                bit <<= 2;
            }
        }
        *prev = *tick;
        rec[0] = TICK;
        rec[1..5].copy_from_slice(&mask.to_le_bytes());
        self.bytes.extend_from_slice(&rec[..len]);
    }

    /// The block so far; `None` when it is empty. The next event starts a new one.
    pub fn take(&mut self) -> Option<Block> {
        if self.bytes.is_empty() {
            return None;
        }
        let capacity = self.bytes.len().next_power_of_two();
        let bytes = std::mem::replace(&mut self.bytes, Vec::with_capacity(capacity));
        Some(Block { first: self.first, last: self.last, bytes })
    }
}

/// Turns blocks back into events; keep one for many blocks.
#[derive(Debug, Default)]
pub struct Decoder {
    slots: Slots,
}

impl Decoder {
    /// A decoder.
    pub fn new() -> Decoder {
        Decoder::default()
    }

    /// Hands out every event of a block that starts at `first` and must end at `last`.
    ///
    /// # Errors
    /// [`CodecError`] when the bytes are no such block, and whatever `take` says. Events before the fault have been
    /// handed out.
    pub fn decode<E: From<CodecError>>(
        &mut self,
        first: Stamp,
        last: Stamp,
        bytes: &[u8],
        mut take: impl FnMut(Stamp, &Event) -> Result<(), E>,
    ) -> Result<(), E> {
        self.slots.restart();
        let mut cursor = Cursor::new(bytes);
        let mut at = first.at.nanos();
        let mut seq = first.seq.0;
        let mut seen = first;
        while !cursor.is_empty() {
            let (stamp, event);
            match cursor.byte()? {
                TICK => {
                    let mask = u32::from_le_bytes(cursor.array()?);
                    at = at.wrapping_add(cursor.signed()?);
                    stamp = Stamp { seq: Seq(seq), at: Instant::from_nanos(at) };
                    event = Event::Tick(self.tick(&mut cursor, mask, stamp.at)?);
                }
                EVENT => {
                    at = at.wrapping_add(cursor.signed()?);
                    stamp = Stamp { seq: Seq(seq), at: Instant::from_nanos(at) };
                    let len = usize::try_from(cursor.unsigned()?).map_err(|_| CodecError::Truncated)?;
                    let json = cursor.take(len)?;
                    event = serde_json::from_slice(json).map_err(|e| CodecError::Event(e.to_string()))?;
                }
                _ => return Err(CodecError::Malformed("an unknown kind of record").into()),
            }
            take(stamp, &event)?;
            seen = stamp;
            seq += 1;
        }
        if seen != last || seq != last.seq.0 + 1 {
            return Err(CodecError::Malformed("the block holds other events than its header says").into());
        }
        Ok(())
    }

    #[inline]
    fn tick(&mut self, cursor: &mut Cursor<'_>, mask: u32, at: Instant) -> Result<Tick, CodecError> {
        if mask & !MASK != 0 {
            return Err(CodecError::Malformed("unknown fields of a tick"));
        }
        let instrument = u32::try_from(cursor.unsigned()?).ok().filter(|slot| (*slot as usize) < SLOTS);
        let instrument = InstrumentId(instrument.ok_or(CodecError::Malformed("an instrument beyond all slots"))?);
        let tick = self.slots.of(instrument, at);
        tick.received_at = at;
        if mask & KIND != 0 {
            let [low, high, source] = cursor.array()?;
            tick.flags = TickFlags(u16::from_le_bytes([low, high]));
            tick.source = TickSource::from_code(source).ok_or(CodecError::Malformed("an unknown source"))?;
        }
        let mut wide = |bit: u32, before: i64| -> Result<i64, CodecError> {
            Ok(if mask & bit == 0 { before } else { before.wrapping_add(cursor.signed()?) })
        };
        tick.exchange_at = Instant::from_nanos(wide(EXCHANGE, tick.exchange_at.nanos())?);
        tick.received_at = Instant::from_nanos(wide(RECEIVED, at.nanos())?);
        tick.ltp_paise = wide(LTP, tick.ltp_paise)?;
        tick.ltq = wide(LTQ, tick.ltq)?;
        tick.volume = wide(VOLUME, tick.volume)?;
        tick.oi = wide(OI, tick.oi)?;
        if mask >> BOOK != 0 {
            let mut bit = 1 << BOOK;
            for level in tick.bids.iter_mut().chain(&mut tick.asks) {
                let price = wide(bit, i64::from(level.price))?;
                let qty = wide(bit << 1, i64::from(level.qty))?;
                *level = BookLevel {
                    price: i32::try_from(price).map_err(|_| CodecError::Malformed("a price beyond 32 bits"))?,
                    qty: u32::try_from(qty).map_err(|_| CodecError::Malformed("a quantity beyond 32 bits"))?,
                };
                bit <<= 2;
            }
        }
        Ok(*tick)
    }
}

#[cfg(test)]
#[path = "codec_tests.rs"]
pub(crate) mod tests;
