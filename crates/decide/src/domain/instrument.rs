//! Indices, futures and option contracts, and the set of them that a session can trade.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::money::{IndexPrice, LotSize, Premium, Qty};

/// The indices whose options this engine knows. It trades the first three (S3-31).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Underlying {
    /// NSE Nifty 50.
    Nifty,
    /// NSE Nifty Bank.
    BankNifty,
    /// BSE Sensex.
    Sensex,
    /// NSE Nifty Financial Services.
    FinNifty,
    /// NSE Nifty Midcap Select.
    MidcpNifty,
    /// BSE Bankex.
    Bankex,
}

impl Underlying {
    /// All of them, in a fixed order.
    pub const ALL: [Underlying; 6] = [
        Underlying::Nifty,
        Underlying::BankNifty,
        Underlying::Sensex,
        Underlying::FinNifty,
        Underlying::MidcpNifty,
        Underlying::Bankex,
    ];

    /// The exchange symbol.
    pub const fn symbol(self) -> &'static str {
        match self {
            Underlying::Nifty => "NIFTY",
            Underlying::BankNifty => "BANKNIFTY",
            Underlying::Sensex => "SENSEX",
            Underlying::FinNifty => "FINNIFTY",
            Underlying::MidcpNifty => "MIDCPNIFTY",
            Underlying::Bankex => "BANKEX",
        }
    }

    /// From the exchange symbol, exactly as the exchange spells it.
    pub fn from_symbol(symbol: &str) -> Option<Underlying> {
        Underlying::ALL.into_iter().find(|u| u.symbol() == symbol)
    }

    /// Where its derivatives trade.
    pub const fn exchange(self) -> Exchange {
        match self {
            Underlying::Sensex | Underlying::Bankex => Exchange::Bse,
            _ => Exchange::Nse,
        }
    }

    /// Segment of its options and futures.
    pub const fn fno_segment(self) -> Segment {
        match self.exchange() {
            Exchange::Nse => Segment::NseFno,
            Exchange::Bse => Segment::BseFno,
        }
    }

    /// Place in [`Underlying::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Underlying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.symbol())
    }
}

/// A stock exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Exchange {
    /// National Stock Exchange.
    Nse,
    /// Bombay Stock Exchange.
    Bse,
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Exchange::Nse => "NSE",
            Exchange::Bse => "BSE",
        })
    }
}

/// Exchange segment; the numbers are Dhan's wire codes (dhan-v2.md 1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[repr(u8)]
pub enum Segment {
    /// Index values of every exchange.
    IdxI = 0,
    /// NSE cash.
    NseEq = 1,
    /// NSE derivatives.
    NseFno = 2,
    /// NSE currency derivatives.
    NseCurrency = 3,
    /// BSE cash.
    BseEq = 4,
    /// MCX commodities.
    McxComm = 5,
    /// BSE currency derivatives.
    BseCurrency = 7,
    /// BSE derivatives.
    BseFno = 8,
}

impl Segment {
    const ALL: [Segment; 8] = [
        Segment::IdxI,
        Segment::NseEq,
        Segment::NseFno,
        Segment::NseCurrency,
        Segment::BseEq,
        Segment::McxComm,
        Segment::BseCurrency,
        Segment::BseFno,
    ];

    /// From the wire code; `None` for the gap at 6 and anything unknown.
    pub fn from_code(code: u8) -> Option<Segment> {
        Segment::ALL.into_iter().find(|s| *s as u8 == code)
    }

    /// The wire code.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Dhan's name, e.g. `NSE_FNO`.
    pub const fn name(self) -> &'static str {
        match self {
            Segment::IdxI => "IDX_I",
            Segment::NseEq => "NSE_EQ",
            Segment::NseFno => "NSE_FNO",
            Segment::NseCurrency => "NSE_CURRENCY",
            Segment::BseEq => "BSE_EQ",
            Segment::McxComm => "MCX_COMM",
            Segment::BseCurrency => "BSE_CURRENCY",
            Segment::BseFno => "BSE_FNO",
        }
    }

    /// From Dhan's name.
    pub fn from_name(name: &str) -> Option<Segment> {
        Segment::ALL.into_iter().find(|s| s.name() == name)
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Call or put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Right {
    /// Call.
    #[serde(rename = "CE")]
    Call,
    /// Put.
    #[serde(rename = "PE")]
    Put,
}

impl Right {
    /// `CE` or `PE`.
    pub const fn code(self) -> &'static str {
        match self {
            Right::Call => "CE",
            Right::Put => "PE",
        }
    }

    /// From `CE` / `PE` (also `CALL` / `PUT`).
    pub fn from_code(code: &str) -> Option<Right> {
        match code {
            "CE" | "CALL" => Some(Right::Call),
            "PE" | "PUT" => Some(Right::Put),
            _ => None,
        }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

/// Where the index is expected to go. A bought option is long premium either way (F-11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Buys calls.
    Up,
    /// Buys puts.
    Down,
}

impl Direction {
    /// The option that gains when this is right.
    pub const fn right(self) -> Right {
        match self {
            Direction::Up => Right::Call,
            Direction::Down => Right::Put,
        }
    }

    /// `+1` up, `-1` down.
    pub const fn sign(self) -> i64 {
        match self {
            Direction::Up => 1,
            Direction::Down => -1,
        }
    }

    /// The other one.
    pub const fn opposite(self) -> Direction {
        match self {
            Direction::Up => Direction::Down,
            Direction::Down => Direction::Up,
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Direction::Up => "up",
            Direction::Down => "down",
        })
    }
}

/// Exercise price, in paise. A fixed-point integer, so that 25750, "25750.000000" and 25750.0 are one key (F-50).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Strike(i64);

impl Strike {
    /// From paise.
    pub const fn from_paise(paise: i64) -> Strike {
        Strike(paise)
    }
    /// From whole rupees (index points).
    pub const fn from_points(points: i64) -> Strike {
        Strike(points * 100)
    }
    /// In paise.
    pub const fn paise(self) -> i64 {
        self.0
    }
    /// In index points, for models.
    #[allow(clippy::float_arithmetic, reason = "leaves money here")]
    pub fn as_points_f64(self) -> f64 {
        self.0 as f64 / 100.0
    }
    /// Premium per unit at expiry when the index settles at `settlement`.
    pub fn intrinsic(self, right: Right, settlement: IndexPrice) -> Premium {
        let diff = match right {
            Right::Call => settlement.paise() - self.0,
            Right::Put => self.0 - settlement.paise(),
        };
        Premium::from_paise(diff.max(0))
    }
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 % 100 == 0 {
            f.pad(&(self.0 / 100).to_string())
        } else {
            f.pad(&format!("{}.{:02}", self.0 / 100, self.0.rem_euclid(100)))
        }
    }
}

/// Dense slot of an instrument inside a [`Universe`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstrumentId(pub u32);

impl InstrumentId {
    /// As an index into slot-addressed vectors.
    pub const fn slot(self) -> usize {
        self.0 as usize
    }
}

/// Terms of one option contract on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptionContract {
    /// The index it is written on.
    pub underlying: Underlying,
    /// Last trading day.
    pub expiry: NaiveDate,
    /// Exercise price.
    pub strike: Strike,
    /// Call or put.
    pub right: Right,
    /// Units in a lot; differs by expiry on the same day.
    pub lot: LotSize,
    /// Smallest price step.
    pub tick: Premium,
    /// Largest quantity of one order, in units; larger ones are sliced.
    pub max_order_qty: Qty,
}

/// What an instrument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum InstrumentKind {
    /// The spot index.
    Index {
        /// Which one.
        underlying: Underlying,
    },
    /// A future on the index.
    Future {
        /// The index.
        underlying: Underlying,
        /// Last trading day.
        expiry: NaiveDate,
    },
    /// An option on the index.
    Option(OptionContract),
}

/// One thing that ticks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instrument {
    /// Its slot.
    pub id: InstrumentId,
    /// Exchange segment.
    pub segment: Segment,
    /// Exchange token, unique only inside its segment.
    pub security_id: u32,
    /// Display symbol, e.g. `NIFTY 2026-01-13 25650 CE`.
    pub symbol: String,
    /// What it is.
    pub kind: InstrumentKind,
}

impl Instrument {
    /// The index it belongs to.
    pub const fn underlying(&self) -> Underlying {
        match &self.kind {
            InstrumentKind::Index { underlying } | InstrumentKind::Future { underlying, .. } => *underlying,
            InstrumentKind::Option(contract) => contract.underlying,
        }
    }

    /// The option contract, when it is one.
    pub const fn option(&self) -> Option<&OptionContract> {
        match &self.kind {
            InstrumentKind::Option(contract) => Some(contract),
            _ => None,
        }
    }
}

/// One strike of a chain: the slots of its call and put, either may be unlisted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StrikePair {
    /// Slot of the call.
    pub call: Option<InstrumentId>,
    /// Slot of the put.
    pub put: Option<InstrumentId>,
}

impl StrikePair {
    /// The slot of one side.
    pub const fn get(&self, right: Right) -> Option<InstrumentId> {
        match right {
            Right::Call => self.call,
            Right::Put => self.put,
        }
    }
}

/// Strikes of one expiry in ascending order.
pub type ExpiryChain = BTreeMap<Strike, StrikePair>;

/// Every instrument known so far, addressed by slot, by (segment, security id), and as chains.
#[derive(Debug, Clone, Default)]
pub struct Universe {
    instruments: Vec<Arc<Instrument>>,
    by_key: BTreeMap<(Segment, u32), InstrumentId>,
    chains: BTreeMap<Underlying, BTreeMap<NaiveDate, ExpiryChain>>,
    index_slots: [Option<InstrumentId>; Underlying::ALL.len()],
    futures: BTreeMap<Underlying, BTreeMap<NaiveDate, InstrumentId>>,
}

impl Universe {
    /// An empty universe.
    pub fn new() -> Universe {
        Universe::default()
    }

    /// Adds an instrument, or replaces the terms of a known one; the key (segment, security id) decides. The
    /// `id` inside `instrument` is ignored and set to the slot that is returned.
    pub fn list(&mut self, mut instrument: Instrument) -> InstrumentId {
        let key = (instrument.segment, instrument.security_id);
        let next = InstrumentId(u32::try_from(self.instruments.len()).expect("fewer than 2^32 instruments"));
        let id = *self.by_key.entry(key).or_insert(next);
        instrument.id = id;
        match instrument.kind {
            InstrumentKind::Index { underlying } => self.index_slots[underlying.index()] = Some(id),
            InstrumentKind::Future { underlying, expiry } => {
                self.futures.entry(underlying).or_default().insert(expiry, id);
            }
            InstrumentKind::Option(c) => {
                let pair = self
                    .chains
                    .entry(c.underlying)
                    .or_default()
                    .entry(c.expiry)
                    .or_default()
                    .entry(c.strike)
                    .or_default();
                match c.right {
                    Right::Call => pair.call = Some(id),
                    Right::Put => pair.put = Some(id),
                }
            }
        }
        let shared = Arc::new(instrument);
        if id == next {
            self.instruments.push(shared);
        } else {
            self.instruments[id.slot()] = shared;
        }
        id
    }

    /// The instrument in a slot.
    ///
    /// # Panics
    /// When the slot was never listed.
    pub fn get(&self, id: InstrumentId) -> &Arc<Instrument> {
        &self.instruments[id.slot()]
    }

    /// The slot of (segment, security id).
    pub fn find(&self, segment: Segment, security_id: u32) -> Option<InstrumentId> {
        self.by_key.get(&(segment, security_id)).copied()
    }

    /// The slot of the spot index.
    pub const fn index_of(&self, underlying: Underlying) -> Option<InstrumentId> {
        self.index_slots[underlying.index()]
    }

    /// Expiries listed for an index, nearest first, from `day` on.
    pub fn expiries(&self, underlying: Underlying, day: NaiveDate) -> impl Iterator<Item = NaiveDate> + '_ {
        self.chains.get(&underlying).into_iter().flat_map(move |c| c.range(day..).map(|(expiry, _)| *expiry))
    }

    /// The chain of one expiry.
    pub fn chain(&self, underlying: Underlying, expiry: NaiveDate) -> Option<&ExpiryChain> {
        self.chains.get(&underlying)?.get(&expiry)
    }

    /// The nearest future that has not expired on `day`.
    pub fn near_future(&self, underlying: Underlying, day: NaiveDate) -> Option<InstrumentId> {
        self.futures.get(&underlying)?.range(day..).next().map(|(_, id)| *id)
    }

    /// Every instrument, by slot.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Instrument>> {
        self.instruments.iter()
    }

    /// How many instruments are listed.
    pub fn len(&self) -> usize {
        self.instruments.len()
    }

    /// Whether nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.instruments.is_empty()
    }
}
