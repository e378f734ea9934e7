//! The last quote of every instrument the feed carries, for everybody but the deciders: written by the thread that reads
//! the sockets, read by any thread without holding it up. About a hundred bytes an instrument with its index entry.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering, fence};
use std::sync::{OnceLock, PoisonError, RwLock};

use scalper_decide::domain::Instant;
use serde::Serialize;

use super::Key;
use super::planner::SocketId;
use super::sync::{Class, Evidence};
use crate::broker::dhan::wire::packet::{Body, Packet};
use crate::broker::dhan::wire::price::checked_paise;

/// Slots are made by so many.
const CHUNK: usize = 1_024;
/// And there are so many of these at most.
const CHUNKS: usize = 256;
/// Sockets and classes counted.
const SOCKETS: usize = 8;

/// A quote. Prices in paise, quantities in units, 0 for "none".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LiveQuote {
    /// Last traded price, or level.
    pub last: i64,
    /// Best bid.
    pub bid: i64,
    /// Best offer.
    pub ask: i64,
    /// Units bid.
    pub bid_qty: u32,
    /// Units offered.
    pub ask_qty: u32,
    /// Units traded today.
    pub volume: u32,
    /// Open interest.
    pub oi: u32,
    /// When the last packet of any kind was received, session time.
    pub received_at: Instant,
    /// Over which socket.
    pub socket: SocketId,
}

#[derive(Debug, Default)]
struct Slot {
    /// Odd while it is being written.
    version: AtomicU32,
    packets: AtomicU32,
    last: AtomicI64,
    bid: AtomicI64,
    ask: AtomicI64,
    received_at: AtomicI64,
    bid_qty: AtomicU32,
    ask_qty: AtomicU32,
    volume: AtomicU32,
    oi: AtomicU32,
    socket: AtomicU32,
}

/// The table. One thread writes.
#[derive(Debug)]
pub struct LiveQuotes {
    chunks: [OnceLock<Box<[Slot]>>; CHUNKS],
    index: RwLock<HashMap<Key, u32, foldhash::fast::RandomState>>,
    /// Packets by socket and class.
    heard: [[AtomicU64; Class::ALL.len()]; SOCKETS],
    /// Packets of instruments that nobody listed.
    unlisted: AtomicU64,
    /// Prices that cannot be.
    refused: AtomicU64,
}

impl Default for LiveQuotes {
    fn default() -> LiveQuotes {
        LiveQuotes {
            chunks: [const { OnceLock::new() }; CHUNKS],
            index: RwLock::default(),
            heard: Default::default(),
            unlisted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }
}

impl LiveQuotes {
    /// Makes room for these; what has a place keeps it. Instruments beyond the room (262,144) get no quote.
    pub fn list(&self, keys: impl IntoIterator<Item = Key>) {
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            let next = index.len();
            if next < CHUNK * CHUNKS {
                index.entry(key).or_insert(next as u32);
            }
        }
    }

    fn find(&self, key: Key) -> Option<u32> {
        self.index.read().unwrap_or_else(PoisonError::into_inner).get(&key).copied()
    }

    fn slot(&self, at: u32) -> &Slot {
        let (chunk, place) = (at as usize / CHUNK, at as usize % CHUNK);
        &self.chunks[chunk].get_or_init(|| (0..CHUNK).map(|_| Slot::default()).collect())[place]
    }

    /// The last quote of an instrument; `None` before its first packet.
    pub fn get(&self, key: Key) -> Option<LiveQuote> {
        let slot = self.slot(self.find(key)?);
        loop {
            let before = slot.version.load(Ordering::Acquire);
            if before == 0 {
                return None;
            }
            let quote = LiveQuote {
                last: slot.last.load(Ordering::Relaxed),
                bid: slot.bid.load(Ordering::Relaxed),
                ask: slot.ask.load(Ordering::Relaxed),
                bid_qty: slot.bid_qty.load(Ordering::Relaxed),
                ask_qty: slot.ask_qty.load(Ordering::Relaxed),
                volume: slot.volume.load(Ordering::Relaxed),
                oi: slot.oi.load(Ordering::Relaxed),
                received_at: Instant::from_nanos(slot.received_at.load(Ordering::Relaxed)),
                socket: SocketId(slot.socket.load(Ordering::Relaxed) as u8),
            };
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && slot.version.load(Ordering::Relaxed) == before {
                return Some(quote);
            }
            std::hint::spin_loop();
        }
    }

    /// Packets of instruments that nobody listed.
    pub fn unlisted(&self) -> u64 {
        self.unlisted.load(Ordering::Relaxed)
    }

    /// Packets with a price that cannot be.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

/// The writer's end: it remembers where instruments stand, so that a packet takes no lock.
#[derive(Debug, Default)]
pub struct QuoteWriter {
    places: HashMap<Key, u32, foldhash::fast::RandomState>,
}

impl QuoteWriter {
    /// Takes one packet in.
    pub fn take(&mut self, quotes: &LiveQuotes, socket: SocketId, packet: &Packet, at: Instant) {
        let Some(segment) = scalper_decide::domain::Segment::from_code(packet.segment) else { return };
        if matches!(packet.body, Body::MarketStatus | Body::Unknown(_) | Body::Disconnect(_)) {
            return;
        }
        let count = |counter: &AtomicU64| counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        let key = (segment, packet.security_id);
        if let Some(heard) = quotes.heard.get(usize::from(socket.0)) {
            count(&heard[Class::of(segment) as usize]);
        }
        let place = match self.places.get(&key) {
            Some(place) => *place,
            None => {
                let Some(place) = quotes.find(key) else { return count(&quotes.unlisted) };
                self.places.insert(key, place);
                place
            }
        };
        let slot = quotes.slot(place);
        let version = slot.version.load(Ordering::Relaxed);
        slot.version.store(version.wrapping_add(1) | 1, Ordering::Relaxed);
        fence(Ordering::Release);
        slot.packets.store(slot.packets.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        slot.received_at.store(at.nanos(), Ordering::Relaxed);
        slot.socket.store(u32::from(socket.0), Ordering::Relaxed);
        if !write(slot, &packet.body) {
            count(&quotes.refused);
        }
        // Never 0 again: that is a slot nobody wrote to.
        let next = version.wrapping_add(2) & !1;
        slot.version.store(if next == 0 { 2 } else { next }, Ordering::Release);
    }
}

/// False when a price cannot be: then nothing is taken.
fn write(slot: &Slot, body: &Body) -> bool {
    let trade = match body {
        Body::Ticker(trade) | Body::Quote(trade, _) | Body::Full(trade, ..) => trade,
        Body::OpenInterest(units) => {
            slot.oi.store(*units, Ordering::Relaxed);
            return true;
        }
        _ => return true,
    };
    let Ok(last) = checked_paise(trade.price, 1) else { return false };
    if let Body::Full(_, _, oi, levels) = body {
        let best = levels[0];
        let (Ok(bid), Ok(ask)) = (checked_paise(best.bid, 1), checked_paise(best.ask, 1)) else { return false };
        slot.bid.store(bid, Ordering::Relaxed);
        slot.ask.store(ask, Ordering::Relaxed);
        slot.bid_qty.store(best.bid_qty, Ordering::Relaxed);
        slot.ask_qty.store(best.ask_qty, Ordering::Relaxed);
        slot.oi.store(oi.now, Ordering::Relaxed);
    }
    if let Body::Quote(_, totals) | Body::Full(_, totals, ..) = body {
        slot.volume.store(totals.volume, Ordering::Relaxed);
    }
    slot.last.store(last, Ordering::Relaxed);
    true
}

/// What arrived, with what the client has sent beside it.
#[derive(Debug)]
pub struct Arrived<'a> {
    /// The table.
    pub quotes: &'a LiveQuotes,
    /// Instruments sent, by socket from 1.
    pub sent: &'a [usize],
}

impl Evidence for Arrived<'_> {
    fn packets(&self, key: Key) -> u32 {
        self.quotes.find(key).map_or(0, |place| self.quotes.slot(place).packets.load(Ordering::Relaxed))
    }

    fn class_packets(&self, socket: SocketId, class: Class) -> u64 {
        self.quotes.heard.get(usize::from(socket.0)).map_or(0, |heard| heard[class as usize].load(Ordering::Relaxed))
    }

    fn sent(&self, socket: SocketId) -> usize {
        usize::from(socket.0).checked_sub(1).and_then(|at| self.sent.get(at)).copied().unwrap_or(0)
    }
}
