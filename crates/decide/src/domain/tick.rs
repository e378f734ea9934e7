//! One market-data event: last trade, totals and up to five levels of book, with both clocks (F-43).

use serde::{Deserialize, Serialize};

use super::instrument::InstrumentId;
use super::money::{IndexPrice, Premium, Qty};
use super::time::Instant;

/// Levels of book a tick can carry.
pub const DEPTH: usize = 5;

/// One price level: paise and units. An empty level has quantity 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BookLevel {
    /// Price in paise; 32 bits reach Rs 2.1 crore.
    pub price: i32,
    /// Units on offer.
    pub qty: u32,
}

impl BookLevel {
    /// A level from a price and a quantity.
    ///
    /// # Panics
    /// When the price does not fit 32 bits or the quantity is negative.
    pub fn new(price: Premium, qty: Qty) -> BookLevel {
        BookLevel {
            price: i32::try_from(price.paise()).expect("premium fits 32 bits of paise"),
            qty: u32::try_from(qty.get()).expect("quantity is not negative"),
        }
    }
    /// The price.
    pub const fn premium(self) -> Premium {
        Premium::from_paise(self.price as i64)
    }
    /// The quantity.
    pub const fn quantity(self) -> Qty {
        Qty::new(self.qty as i64)
    }
    /// Whether nothing is offered here.
    pub const fn is_empty(self) -> bool {
        self.qty == 0 || self.price <= 0
    }
}

/// Where a tick came from; every price keeps its source (design decision 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum TickSource {
    /// A live or recorded feed packet.
    Feed = 0,
    /// A chain snapshot taken by polling.
    Snapshot = 1,
    /// A point of a path drawn through a bar's open, high, low and close.
    Bar = 2,
    /// Derived from other prices (put-call parity forward in place of a missing spot).
    Derived = 3,
    /// The generator of sample days.
    Generated = 4,
}

impl TickSource {
    /// From the stored code.
    pub const fn from_code(code: u8) -> Option<TickSource> {
        match code {
            0 => Some(TickSource::Feed),
            1 => Some(TickSource::Snapshot),
            2 => Some(TickSource::Bar),
            3 => Some(TickSource::Derived),
            4 => Some(TickSource::Generated),
            _ => None,
        }
    }
    /// The stored code.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

/// Facts about a tick that decide whether it may drive a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TickFlags(pub u16);

impl TickFlags {
    /// Nothing special.
    pub const NONE: TickFlags = TickFlags(0);
    /// One of several points drawn through one bar, not an observed trade time.
    pub const SYNTHESISED: TickFlags = TickFlags(1);
    /// First point of its bar.
    pub const BAR_OPEN: TickFlags = TickFlags(1 << 1);
    /// Last point of its bar.
    pub const BAR_CLOSE: TickFlags = TickFlags(1 << 2);
    /// Outside the session (pre-open, closing auction, junk after the close): kept, never decided on.
    pub const OUT_OF_SESSION: TickFlags = TickFlags(1 << 3);
    /// Repeats an older exchange time: a feed that looks alive and is not.
    pub const STALE: TickFlags = TickFlags(1 << 4);
    /// Arrived after a younger tick of the same instrument.
    pub const OUT_OF_ORDER: TickFlags = TickFlags(1 << 5);

    /// Whether all bits of `other` are set.
    pub const fn has(self, other: TickFlags) -> bool {
        self.0 & other.0 == other.0
    }
    /// Both together.
    #[must_use]
    pub const fn with(self, other: TickFlags) -> TickFlags {
        TickFlags(self.0 | other.0)
    }
    /// Whether the tick may drive a decision or a fill.
    pub const fn is_decidable(self) -> bool {
        self.0 & (Self::OUT_OF_SESSION.0 | Self::STALE.0 | Self::OUT_OF_ORDER.0) == 0
    }
}

/// Stands for "the packet carried no such field".
pub const ABSENT: i64 = i64::MIN;

/// One market-data event of one instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tick {
    /// Whose tick this is.
    pub instrument: InstrumentId,
    /// What it may be used for.
    pub flags: TickFlags,
    /// Where it came from.
    pub source: TickSource,
    /// Exchange time of the last trade or quote.
    pub exchange_at: Instant,
    /// When this machine (or the recorder) received it.
    pub received_at: Instant,
    /// Last traded price in paise: index level or premium, by the instrument's kind. 0 when nothing traded yet.
    pub ltp_paise: i64,
    /// Last traded quantity in units, [`ABSENT`] when not sent.
    pub ltq: i64,
    /// Cumulative volume of the day in units, [`ABSENT`] when not sent.
    pub volume: i64,
    /// Open interest in units, [`ABSENT`] when not sent.
    pub oi: i64,
    /// Buyers, best first; empty levels at the end.
    pub bids: [BookLevel; DEPTH],
    /// Sellers, best first; empty levels at the end.
    pub asks: [BookLevel; DEPTH],
}

impl Tick {
    /// A tick with only a last price.
    pub const fn last_price(
        instrument: InstrumentId,
        exchange_at: Instant,
        received_at: Instant,
        ltp_paise: i64,
        source: TickSource,
    ) -> Tick {
        Tick {
            instrument,
            flags: TickFlags::NONE,
            source,
            exchange_at,
            received_at,
            ltp_paise,
            ltq: ABSENT,
            volume: ABSENT,
            oi: ABSENT,
            bids: [BookLevel { price: 0, qty: 0 }; DEPTH],
            asks: [BookLevel { price: 0, qty: 0 }; DEPTH],
        }
    }

    /// Last price of an option or future.
    pub const fn premium(&self) -> Premium {
        Premium::from_paise(self.ltp_paise)
    }
    /// Last level of an index.
    pub const fn index_price(&self) -> IndexPrice {
        IndexPrice::from_paise(self.ltp_paise)
    }
    /// Best buyer.
    pub fn best_bid(&self) -> Option<BookLevel> {
        (!self.bids[0].is_empty()).then_some(self.bids[0])
    }
    /// Best seller.
    pub fn best_ask(&self) -> Option<BookLevel> {
        (!self.asks[0].is_empty()).then_some(self.asks[0])
    }
    /// Whether the tick carries a book with both sides.
    pub fn has_book(&self) -> bool {
        !self.bids[0].is_empty() && !self.asks[0].is_empty()
    }
}
