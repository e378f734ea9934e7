//! Packets of one instrument, of whatever mode, merged into ticks.

use scalper_decide::domain::tick::{ABSENT, DEPTH};
use scalper_decide::domain::time::{IST_OFFSET_SECS, NANOS_PER_SEC};
use scalper_decide::domain::{Age, BookLevel, Instant, InstrumentId, Segment, Tick, TickFlags, TickSource};

use super::super::wire::clock::{Calibration, CalibrationRefusal, FeedEpoch};
use super::super::wire::packet::{Body, DayTotals, DepthLevel, LastTrade, Packet};
use super::super::wire::price::{PriceFault, checked_paise};

/// How long a book stands beside packets that carry none: two modes of one instrument may overlap for a moment, and a
/// book older than this is no book.
const BOOK_KEEP: Age = Age::from_secs(2);

/// What the resolver knows about (segment, security id).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolved {
    /// Slot.
    pub instrument: InstrumentId,
    /// Smallest price step in paise; 1 for an index.
    pub tick_paise: i64,
}

/// What a packet became.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Built {
    /// A tick.
    Tick(Tick),
    /// Remembered for the next tick of the instrument (open interest, previous close).
    Kept,
    /// Nothing to do with prices (market status, unknown codes).
    Ignored,
    /// Data of an instrument nobody resolved.
    Unresolved {
        /// Segment code.
        segment: u8,
        /// Token.
        security_id: u32,
    },
}

/// A packet that must not become a tick (A13).
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("packet of {segment} {security_id}: {field} {fault}")]
pub struct TickFault {
    /// Segment code.
    pub segment: u8,
    /// Token.
    pub security_id: u32,
    /// Which price.
    pub field: &'static str,
    /// What is wrong with it.
    #[source]
    pub fault: PriceFault,
}

type Book = ([BookLevel; DEPTH], [BookLevel; DEPTH]);

#[derive(Debug, Clone, Copy)]
struct Memory {
    /// Newest raw trade time; 0 before a trade.
    trade: u32,
    volume: i64,
    oi: i64,
    book: Book,
    book_at: Instant,
    previous_close: Option<i64>,
}

const EMPTY: Memory = Memory {
    trade: 0,
    volume: ABSENT,
    oi: ABSENT,
    book: ([BookLevel { price: 0, qty: 0 }; DEPTH], [BookLevel { price: 0, qty: 0 }; DEPTH]),
    book_at: Instant::from_nanos(i64::MIN / 2),
    previous_close: None,
};

/// Turns packets into ticks. `R` maps (segment, security id) to a slot; `None` for what nobody listed (A25).
pub struct TickBuilder<R> {
    resolve: R,
    epoch: FeedEpoch,
    calibration: Calibration,
    slots: Vec<Memory>,
}

impl<R: Fn(Segment, u32) -> Option<Resolved>> TickBuilder<R> {
    /// A builder that reads trade times by `epoch` until it has seen enough trades to know.
    pub const fn new(epoch: FeedEpoch, resolve: R) -> TickBuilder<R> {
        TickBuilder { resolve, epoch, calibration: Calibration::new(), slots: Vec::new() }
    }

    /// Whether trade times are understood; live trading waits for it (A16).
    pub fn calibrated(&self) -> Result<FeedEpoch, CalibrationRefusal> {
        self.calibration.verdict()
    }

    /// Forgets the day and calibrates anew.
    pub fn open_session(&mut self) {
        self.slots.clear();
        self.calibration = Calibration::new();
    }

    /// Previous session's close in paise, once a packet said it.
    pub fn previous_close(&self, instrument: InstrumentId) -> Option<i64> {
        self.slots.get(instrument.slot())?.previous_close
    }

    /// Merges one packet, received at `at`. The tick bears `flags` (the caller knows the session), and
    /// [`TickFlags::OUT_OF_ORDER`] when its trade time or volume lies before what was seen (A8). The last traded
    /// quantity is carried and used for nothing (A15).
    pub fn push(&mut self, packet: &Packet, at: Instant, flags: TickFlags) -> Result<Built, TickFault> {
        let Packet { segment, security_id, body } = packet;
        let (segment, security_id) = (*segment, *security_id);
        if matches!(body, Body::MarketStatus | Body::Unknown(_) | Body::Disconnect(_)) {
            return Ok(Built::Ignored);
        }
        let resolved = Segment::from_code(segment).and_then(|known| (self.resolve)(known, security_id));
        let Some(Resolved { instrument, tick_paise }) = resolved else {
            return Ok(Built::Unresolved { segment, security_id });
        };
        if self.slots.len() <= instrument.slot() {
            self.slots.resize(instrument.slot() + 1, EMPTY);
        }
        let fault = |field| move |fault| TickFault { segment, security_id, field, fault };
        let paise = |field, price| checked_paise(price, tick_paise).map_err(fault(field));
        let memory = &mut self.slots[instrument.slot()];
        let (trade, totals, oi, depth) = match body {
            Body::OpenInterest(units) => {
                memory.oi = i64::from(*units);
                return Ok(Built::Kept);
            }
            // The open interest beside it is the previous session's.
            Body::PreviousClose(price, _) => {
                // Settlement prices need not be multiples of the tick.
                memory.previous_close = Some(checked_paise(*price, 1).map_err(fault("previous close"))?);
                return Ok(Built::Kept);
            }
            Body::Ticker(trade) => (trade, None, None, None),
            Body::Quote(trade, totals) => (trade, Some(totals), None, None),
            Body::Full(trade, totals, oi, depth) => (trade, Some(totals), Some(i64::from(oi.now)), Some(depth)),
            Body::MarketStatus | Body::Unknown(_) | Body::Disconnect(_) => unreachable!("answered above"),
        };
        let ltp = paise("last price", trade.price)?;
        let book = depth.map(|levels| book(levels, tick_paise).map_err(fault("depth"))).transpose()?;
        let volume = totals.map(|totals: &DayTotals| i64::from(totals.volume));

        let out_of_order = trade.time < memory.trade
            || trade.time == memory.trade && volume.is_some_and(|v| memory.volume != ABSENT && v < memory.volume);
        let exchange_at = self.epoch.decode(trade.time).unwrap_or_else(|| midnight(at));
        let mut tick = Tick::last_price(instrument, exchange_at, at, ltp, TickSource::Feed);
        tick.ltq = totals.map_or(ABSENT, |totals| i64::from(totals.ltq));
        if out_of_order {
            // Told as it came, and nothing of it is remembered.
            tick.flags = flags.with(TickFlags::OUT_OF_ORDER);
            tick.volume = volume.unwrap_or(ABSENT);
            tick.oi = oi.unwrap_or(ABSENT);
            (tick.bids, tick.asks) = book.unwrap_or(EMPTY.book);
            return Ok(Built::Tick(tick));
        }
        // A trade that happened while we watched tells the epoch; the first packet may show one of hours ago.
        if memory.trade != 0 && trade.time > memory.trade {
            Self::calibrate(&mut self.calibration, &mut self.epoch, trade, at);
        }
        memory.trade = trade.time;
        memory.volume = volume.unwrap_or(memory.volume);
        memory.oi = oi.unwrap_or(memory.oi);
        if let Some(totals) = totals
            && let Ok(close) = checked_paise(totals.previous_close, 1)
            && close > 0
        {
            memory.previous_close = Some(close);
        }
        if let Some(book) = book {
            (memory.book, memory.book_at) = (book, at);
        }
        tick.flags = flags;
        tick.volume = memory.volume;
        tick.oi = memory.oi;
        if at.age_of(memory.book_at) <= BOOK_KEEP {
            (tick.bids, tick.asks) = memory.book;
        }
        Ok(Built::Tick(tick))
    }

    fn calibrate(calibration: &mut Calibration, epoch: &mut FeedEpoch, trade: &LastTrade, at: Instant) {
        if matches!(calibration.verdict(), Err(CalibrationRefusal::TooFew { .. })) {
            calibration.observe(trade.time, at);
            if let Ok(found) = calibration.verdict() {
                *epoch = found;
            }
        }
    }
}

/// Both sides, good levels first: an empty level between two others must not end the book.
fn book(levels: &[DepthLevel; DEPTH], tick_paise: i64) -> Result<Book, PriceFault> {
    let mut book = EMPTY.book;
    let (mut bids, mut asks) = (0, 0);
    for level in levels {
        if let Some(bid) = side(level.bid, level.bid_qty, tick_paise)? {
            book.0[bids] = bid;
            bids += 1;
        }
        if let Some(ask) = side(level.ask, level.ask_qty, tick_paise)? {
            book.1[asks] = ask;
            asks += 1;
        }
    }
    Ok(book)
}

fn side(price: f32, qty: u32, tick_paise: i64) -> Result<Option<BookLevel>, PriceFault> {
    let paise = checked_paise(price, tick_paise)?;
    let price = i32::try_from(paise).expect("believable prices fit 32 bits");
    Ok((price > 0 && qty > 0).then_some(BookLevel { price, qty }))
}

/// The start of the IST day: the trade time of what never traded. Old enough for every rule about age, and never
/// later than a trade of the same day.
fn midnight(at: Instant) -> Instant {
    let day = 86_400 * NANOS_PER_SEC;
    let shift = IST_OFFSET_SECS * NANOS_PER_SEC;
    Instant::from_nanos((at.nanos() + shift).div_euclid(day) * day - shift)
}

#[cfg(test)]
mod tests;
