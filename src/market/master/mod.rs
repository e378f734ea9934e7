//! The day's instrument list as a compact index: some 290,000 rows by (segment, id), by symbol, as chains, and by search.
//!
//! What is doubtful about a row keeps that row out, counted and with a reason; what is doubtful about the list refuses
//! the list ([`keep`]). Ids, lots and expiries come from here and from nowhere else.

mod build;
pub mod keep;
pub mod rows;
mod search;

use std::fmt;
use std::ops::Range;

use chrono::{Days, NaiveDate};
use scalper_decide::domain::contracts::OutsideContracts;
use scalper_decide::domain::money::LotSize;
use scalper_decide::domain::{ContractBook, Qty, Right, Segment, Strike, Underlying};
use serde::Serialize;

pub use rows::{Kind, ListError, Venue};
pub use search::Filter;

use crate::market::Key;

/// Day 0 of stored expiries; 0 stands for none.
const EPOCH: NaiveDate = NaiveDate::from_ymd_opt(1990, 1, 1).expect("a date");

/// One row, 36 bytes.
#[derive(Debug, Clone, Copy)]
struct Stored {
    security_id: u32,
    /// Paise; 0 for none.
    strike: i32,
    lot: u32,
    /// Ten-thousandths of a rupee.
    tick: u32,
    /// Units; 0 for none.
    freeze: u32,
    /// Start of the symbol in `text`; the display name of what does not expire follows it.
    symbol_at: u32,
    /// Days after [`EPOCH`]; 0 for none.
    expiry: u16,
    /// Place in `underlyings`; [`NO_UNDERLYING`] for none.
    underlying: u16,
    symbol_len: u8,
    display_len: u8,
    segment: Segment,
    venue: Venue,
    kind: Kind,
    /// 0 none, 1 call, 2 put.
    right: u8,
    flag: u8,
    series: u8,
}

const NO_UNDERLYING: u16 = u16::MAX;

/// What derivatives are written on: one symbol in one segment.
#[derive(Debug, Clone)]
struct Written {
    segment: Segment,
    symbol: Box<str>,
    /// Range of its futures in `chained`.
    futures: Range<u32>,
    /// Expiry and range in `chained`.
    options: Vec<(NaiveDate, Range<u32>)>,
}

/// Place of an underlying in one list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnderlyingId(u16);

/// What came out of a list besides the index.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Rows of the list.
    pub rows: usize,
    /// Rows in the index.
    pub kept: usize,
    /// Rows of the exchange's own tests.
    pub tests: usize,
    /// Contracts that expired before the day.
    pub expired: usize,
    /// Rows of segments the feed does not carry.
    pub off_feed: usize,
    /// Options on currency pairs whose strike is finer than a paisa (1.105); nothing here holds such a price.
    pub too_fine: usize,
    /// Rows with something wrong about them.
    pub broken: usize,
    /// Rows whose (segment, id) or contract is not theirs alone; none of them is used.
    pub ambiguous: usize,
    /// Whether the last row is shorter than the one before.
    pub breaks_off: bool,
    /// The first reasons.
    pub complaints: Vec<String>,
}

/// The index.
pub struct Master {
    /// By segment and id.
    rows: Vec<Stored>,
    text: String,
    /// Upper-case symbols, one per line, in the order of `rows`; names follow where text has them.
    haystack: String,
    /// Where the line of each row starts.
    lines: Vec<u32>,
    /// Rows of derivatives by underlying, futures before options, expiry, strike, calls before puts.
    chained: Vec<u32>,
    underlyings: Vec<Written>,
    /// Hash of the upper-case symbol above the place of the row.
    symbols: Vec<u64>,
    series: Vec<Box<str>>,
    report: Report,
}

/// One instrument of the list.
#[derive(Clone, Copy)]
pub struct Listing<'a> {
    master: &'a Master,
    row: &'a Stored,
}

impl<'a> Listing<'a> {
    /// Segment and token: what a subscription needs.
    pub const fn key(&self) -> Key {
        (self.row.segment, self.row.security_id)
    }
    /// Exchange.
    pub const fn venue(&self) -> Venue {
        self.row.venue
    }
    /// What it is.
    pub const fn kind(&self) -> Kind {
        self.row.kind
    }
    /// Trading symbol as the broker writes it; not unique.
    pub fn symbol(&self) -> &'a str {
        let at = self.row.symbol_at as usize;
        &self.master.text[at..at + usize::from(self.row.symbol_len)]
    }
    /// Symbol of what it is written on.
    pub fn underlying(&self) -> Option<&'a str> {
        self.master.underlyings.get(usize::from(self.row.underlying)).map(|u| &*u.symbol)
    }
    /// Last trading day.
    pub fn expiry(&self) -> Option<NaiveDate> {
        (self.row.expiry > 0).then(|| EPOCH + Days::new(u64::from(self.row.expiry)))
    }
    /// Exercise price.
    pub fn strike(&self) -> Option<Strike> {
        (self.row.strike > 0).then(|| Strike::from_paise(i64::from(self.row.strike)))
    }
    /// Call or put.
    pub const fn right(&self) -> Option<Right> {
        match self.row.right {
            1 => Some(Right::Call),
            2 => Some(Right::Put),
            _ => None,
        }
    }
    /// Units in a lot. MCX prints 1 for every contract.
    pub const fn lot(&self) -> u32 {
        self.row.lot
    }
    /// Smallest price step in ten-thousandths of a rupee: 500 is Rs 0.05.
    pub const fn tick_e4(&self) -> u32 {
        self.row.tick
    }
    /// Series, blank for derivatives.
    pub fn series(&self) -> &'a str {
        &self.master.series[usize::from(self.row.series)]
    }
    /// Expiry flag as written; a remark, never a decision.
    pub fn flag(&self) -> Option<char> {
        (self.row.flag > 0).then(|| char::from(self.row.flag))
    }

    /// Name for people: `NIFTY 2026-02-17 25800 CE`, `NIFTY 2026-02-24 FUT`, `Reliance Industries`.
    pub fn name(&self) -> String {
        match (self.underlying(), self.expiry(), self.strike(), self.right()) {
            (Some(underlying), Some(expiry), Some(strike), Some(right)) => {
                format!("{underlying} {expiry} {strike} {right}")
            }
            (Some(underlying), Some(expiry), ..) => format!("{underlying} {expiry} FUT"),
            _ => {
                let at = self.row.symbol_at as usize + usize::from(self.row.symbol_len);
                self.master.text[at..at + usize::from(self.row.display_len)].to_owned()
            }
        }
    }

    /// The exchange's freeze quantity in units: from the list, or for index options from the dated table where the list
    /// has none. `None`: no source has one.
    ///
    /// # Errors
    /// It is an index option of a table that does not cover `day`.
    pub fn freeze(&self, contracts: &ContractBook, day: NaiveDate) -> Result<Option<Qty>, OutsideContracts> {
        if self.row.freeze > 0 {
            return Ok(Some(Qty::new(i64::from(self.row.freeze))));
        }
        match self.underlying().and_then(Underlying::from_symbol).filter(|u| u.fno_segment() == self.row.segment) {
            Some(underlying) if self.row.kind == Kind::OptIdx => contracts.freeze(underlying, day).map(Some),
            _ => Ok(None),
        }
    }

    /// Largest order in units that passes whichever way the exchange reads its freeze quantity.
    ///
    /// # Errors
    /// As [`Listing::freeze`].
    pub fn max_order_qty(&self, contracts: &ContractBook, day: NaiveDate) -> Result<Option<Qty>, OutsideContracts> {
        let lot = LotSize::new(i64::from(self.row.lot));
        let freeze = self.freeze(contracts, day)?;
        Ok(freeze.zip(lot).map(|(freeze, lot)| lot.units(lot.lots_in(freeze - Qty::new(1)))))
    }
}

impl fmt::Debug for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.row.segment, self.row.security_id, self.symbol())
    }
}

impl fmt::Debug for Master {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Master").field("report", &self.report).finish_non_exhaustive()
    }
}

impl Master {
    /// How the reading went.
    pub const fn report(&self) -> &Report {
        &self.report
    }

    /// Instruments in the index.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Bytes the index occupies.
    pub fn bytes(&self) -> usize {
        use std::mem::size_of;
        self.rows.capacity() * size_of::<Stored>()
            + self.text.capacity()
            + self.haystack.capacity()
            + (self.lines.capacity() + self.chained.capacity()) * size_of::<u32>()
            + self.symbols.capacity() * size_of::<u64>()
            + self
                .underlyings
                .iter()
                .map(|u| size_of::<Written>() + u.symbol.len() + u.options.len() * 12)
                .sum::<usize>()
    }

    const fn listing<'a>(&'a self, row: &'a Stored) -> Listing<'a> {
        Listing { master: self, row }
    }

    /// The instrument of a key.
    pub fn get(&self, key: Key) -> Option<Listing<'_>> {
        let at = self.rows.binary_search_by_key(&key, |row| (row.segment, row.security_id)).ok()?;
        Some(self.listing(&self.rows[at]))
    }

    /// Every instrument, by segment and id.
    pub fn iter(&self) -> impl Iterator<Item = Listing<'_>> {
        self.rows.iter().map(|row| self.listing(row))
    }

    /// Every instrument of a segment, by id.
    pub fn segment(&self, segment: Segment) -> impl Iterator<Item = Listing<'_>> {
        let from = self.rows.partition_point(|row| row.segment < segment);
        self.rows[from..].iter().take_while(move |row| row.segment == segment).map(|row| self.listing(row))
    }

    /// Instruments with exactly this symbol, upper and lower case alike.
    pub fn by_symbol<'a>(&'a self, symbol: &str) -> impl Iterator<Item = Listing<'a>> {
        let wanted = symbol.to_ascii_uppercase();
        let hash = build::symbol_hash(&wanted);
        let from = self.symbols.partition_point(|entry| entry >> 32 < hash);
        self.symbols[from..]
            .iter()
            .take_while(move |entry| **entry >> 32 == hash)
            .map(|entry| self.listing(&self.rows[(*entry & 0xffff_ffff) as usize]))
            .filter(move |listing| listing.symbol().eq_ignore_ascii_case(&wanted))
    }

    /// The one instrument of this venue, kind and symbol; `None` when there is none or several (X-5: fail closed).
    pub fn unique(&self, venue: Venue, kind: Kind, symbol: &str) -> Option<Listing<'_>> {
        let mut found =
            self.by_symbol(symbol).filter(|l| l.venue() == venue && l.kind() == kind && l.symbol() == symbol);
        found.next().filter(|_| found.next().is_none())
    }

    /// What derivatives are written on.
    pub fn underlyings(&self) -> impl Iterator<Item = (UnderlyingId, Segment, &str)> {
        let places = 0..NO_UNDERLYING;
        places.zip(&self.underlyings).map(|(at, written)| (UnderlyingId(at), written.segment, &*written.symbol))
    }

    /// The underlying with exactly this symbol in a segment of derivatives.
    pub fn underlying(&self, segment: Segment, symbol: &str) -> Option<UnderlyingId> {
        self.underlyings().find(|(_, s, u)| *s == segment && *u == symbol).map(|(id, ..)| id)
    }

    /// Expiries of its options from `day` on, nearest first. One date is one expiry whatever its flags.
    pub fn expiries(&self, of: UnderlyingId, day: NaiveDate) -> impl Iterator<Item = NaiveDate> {
        self.underlyings[usize::from(of.0)]
            .options
            .iter()
            .map(|(expiry, _)| *expiry)
            .filter(move |expiry| *expiry >= day)
    }

    fn chain_rows(&self, of: UnderlyingId, expiry: NaiveDate) -> &[u32] {
        let options = &self.underlyings[usize::from(of.0)].options;
        match options.binary_search_by_key(&expiry, |(expiry, _)| *expiry) {
            Ok(at) => &self.chained[options[at].1.start as usize..options[at].1.end as usize],
            Err(_) => &[],
        }
    }

    /// Options of one expiry by strike, calls before puts.
    pub fn chain(&self, of: UnderlyingId, expiry: NaiveDate) -> impl Iterator<Item = Listing<'_>> {
        self.chain_rows(of, expiry).iter().map(|at| self.listing(&self.rows[*at as usize]))
    }

    /// Strikes of one expiry, ascending.
    pub fn strikes(&self, of: UnderlyingId, expiry: NaiveDate) -> Vec<Strike> {
        let mut strikes: Vec<Strike> = self.chain(of, expiry).filter_map(|listing| listing.strike()).collect();
        strikes.dedup();
        strikes
    }

    /// One option.
    pub fn option(&self, of: UnderlyingId, expiry: NaiveDate, strike: Strike, right: Right) -> Option<Listing<'_>> {
        let rows = self.chain_rows(of, expiry);
        let wanted = (strike.paise(), build::right_code(Some(right)));
        let at = rows.binary_search_by_key(&wanted, |at| {
            let row = &self.rows[*at as usize];
            (i64::from(row.strike), row.right)
        });
        at.ok().map(|at| self.listing(&self.rows[rows[at] as usize]))
    }

    /// Its futures from `day` on, nearest first.
    pub fn futures(&self, of: UnderlyingId, day: NaiveDate) -> impl Iterator<Item = Listing<'_>> {
        let range = &self.underlyings[usize::from(of.0)].futures;
        self.chained[range.start as usize..range.end as usize]
            .iter()
            .map(|at| self.listing(&self.rows[*at as usize]))
            .filter(move |future| future.expiry().is_some_and(|expiry| expiry >= day))
    }

    /// What the options of this expiry are settled into or move with: the first future that lives at least as long. An
    /// MCX option has no spot, only this.
    pub fn future_behind(&self, of: UnderlyingId, expiry: NaiveDate) -> Option<Listing<'_>> {
        self.futures(of, expiry).next()
    }

    /// Strike step near a level: the commonest gap among the twenty strikes around it, the smaller of equally common
    /// ones. Far strikes lie wider apart (dhan-v2.md 11).
    pub fn step_near(&self, of: UnderlyingId, expiry: NaiveDate, level: Strike) -> Option<Strike> {
        let strikes = self.strikes(of, expiry);
        let middle = strikes.partition_point(|strike| *strike < level);
        let near = &strikes[middle.saturating_sub(10)..(middle + 10).min(strikes.len())];
        let mut gaps: Vec<i64> = near.windows(2).map(|pair| pair[1].paise() - pair[0].paise()).collect();
        gaps.sort_unstable();
        let mut best: Option<(usize, i64)> = None;
        for same in gaps.chunk_by(|a, b| a == b) {
            if best.is_none_or(|(count, _)| same.len() > count) {
                best = Some((same.len(), same[0]));
            }
        }
        best.map(|(_, gap)| Strike::from_paise(gap))
    }
}

#[cfg(test)]
mod tests;
