//! What a file yields: per day its contracts, its ticks with session flags, and remarks.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use scalper_decide::domain::tick::ABSENT;
use scalper_decide::domain::{
    Age, Instrument, InstrumentId, InstrumentKind, LotSize, OptionContract, Premium, Segment, SessionHours, Tick,
    TickFlags, TickSource, Underlying,
};

use super::super::contract::ContractKey;
use super::super::meta::SpotRank;
use super::super::row::TapeRow;
use super::error::{Fault, ImportError, Place};
use super::options::ImportContext;

/// Where a tick goes: day and contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listing {
    /// The tape day.
    pub day: NaiveDate,
    /// Segment of the contract.
    pub segment: Segment,
    /// Its id.
    pub security_id: u32,
}

/// Terms that come from the file itself instead of the contract table.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terms {
    /// Exchange token.
    pub security_id: Option<u32>,
    /// Units in a lot.
    pub lot: Option<LotSize>,
    /// Price step.
    pub tick: Option<Premium>,
}

/// One day's yield.
#[derive(Debug, Default)]
pub struct DayHarvest {
    /// Contracts by address.
    pub instruments: BTreeMap<(Segment, u32), Instrument>,
    /// Ticks in the order of the file.
    pub rows: Vec<TapeRow>,
    /// Rank of the spot ticks.
    pub spot: BTreeMap<Underlying, SpotRank>,
    /// Length in seconds of the bars an index comes as.
    pub bar_secs: BTreeMap<Underlying, i64>,
    /// Remarks.
    pub notes: BTreeSet<String>,
    tallies: BTreeMap<String, u64>,
}

/// Everything a file yields.
#[derive(Debug)]
pub struct Harvest<'a> {
    context: &'a ImportContext,
    hours: BTreeMap<NaiveDate, Option<SessionHours>>,
    days: BTreeMap<NaiveDate, DayHarvest>,
    volumes: BTreeMap<Listing, i64>,
}

impl<'a> Harvest<'a> {
    /// Nothing yet.
    pub fn new(context: &'a ImportContext) -> Harvest<'a> {
        Harvest { context, hours: BTreeMap::new(), days: BTreeMap::new(), volumes: BTreeMap::new() }
    }

    /// The dated tables.
    pub const fn context(&self) -> &'a ImportContext {
        self.context
    }

    /// Hours of a day, `None` when it is closed.
    pub fn hours(&mut self, day: NaiveDate, place: &Place) -> Result<Option<&SessionHours>, ImportError> {
        if !self.hours.contains_key(&day) {
            let found = self.context.calendar.hours(day);
            let hours = found.map_err(|source| ImportError::Calendar { place: place.clone(), source })?;
            if hours.is_none() {
                self.note(day, "the calendar says this day is closed: no tick of it is decided on");
            }
            self.hours.insert(day, hours);
        }
        Ok(self.hours[&day].as_ref())
    }

    /// Lists a contract on a day, with its terms from the table where `terms` has none.
    pub fn list(
        &mut self,
        day: NaiveDate,
        key: ContractKey,
        terms: Terms,
        place: &Place,
    ) -> Result<Listing, ImportError> {
        let cell = |value: String, fault| ImportError::Cell {
            place: place.clone(),
            column: if fault == Fault::Expired { "expiry" } else { "contract" }.to_owned(),
            value,
            fault,
        };
        if let Some(expiry) = key.expiry()
            && expiry < day
        {
            return Err(cell(expiry.to_string(), Fault::Expired));
        }
        let id = match (key, terms.security_id) {
            (ContractKey::Index(_), _) | (_, None) => {
                key.synthetic_id().ok_or_else(|| cell(key.to_string(), Fault::NotAStrike))?
            }
            (_, Some(id)) => id,
        };
        let listing = Listing { day, segment: key.segment(), security_id: id };
        let address = (listing.segment, id);
        if self.days.get(&day).is_some_and(|d| d.instruments.contains_key(&address)) {
            return Ok(listing);
        }
        let book = &self.context.contracts;
        let outside = |source| ImportError::Contracts { place: place.clone(), source };
        let kind = match key {
            ContractKey::Index(underlying) => InstrumentKind::Index { underlying },
            ContractKey::Future(underlying, expiry) => InstrumentKind::Future { underlying, expiry },
            ContractKey::Option(underlying, expiry, strike, right) => {
                let lot = terms.lot.map_or_else(|| book.lot(underlying, expiry), Ok).map_err(outside)?;
                InstrumentKind::Option(OptionContract {
                    underlying,
                    expiry,
                    strike,
                    right,
                    lot,
                    tick: terms.tick.map_or_else(|| book.tick(underlying, day), Ok).map_err(outside)?,
                    max_order_qty: book.max_order_qty(underlying, day, lot).map_err(outside)?,
                })
            }
        };
        let instrument = Instrument {
            id: InstrumentId(0),
            segment: listing.segment,
            security_id: id,
            symbol: key.to_string(),
            kind,
        };
        self.day(day).instruments.insert(address, instrument);
        Ok(listing)
    }

    /// One day's yield.
    pub fn day(&mut self, day: NaiveDate) -> &mut DayHarvest {
        self.days.entry(day).or_default()
    }

    /// Lists the index and says how good its ticks are.
    pub fn list_index(
        &mut self,
        day: NaiveDate,
        underlying: Underlying,
        rank: SpotRank,
        place: &Place,
    ) -> Result<Listing, ImportError> {
        let listing = self.list(day, ContractKey::Index(underlying), Terms::default(), place)?;
        let best = self.day(day).spot.entry(underlying).or_insert(rank);
        *best = rank.max(*best);
        Ok(listing)
    }

    /// Says that an index comes as bars of this length.
    pub fn comes_as_bars(&mut self, day: NaiveDate, underlying: Underlying, length: Age) {
        // Bars shorter than a second fill every timeframe.
        let longest = self.day(day).bar_secs.entry(underlying).or_insert(0);
        *longest = (*longest).max(length.secs().max(1));
    }

    /// Adds a tick, with [`TickFlags::OUT_OF_SESSION`] when its exchange time lies outside the day's session and
    /// [`TickFlags::STALE`] when it claims another day than it was received on.
    pub fn push(&mut self, listing: Listing, mut tick: Tick, place: &Place) -> Result<(), ImportError> {
        let (day, time) = (tick.exchange_at.ist_date(), tick.exchange_at.ist_time());
        let spot = listing.segment == Segment::IdxI && tick.source != TickSource::Derived;
        let open = match self.hours(listing.day, place)? {
            Some(hours) if day == listing.day => {
                if spot {
                    hours.index_is_live(time)
                } else {
                    hours.is_open(time)
                }
            }
            _ => false,
        };
        if !open {
            tick.flags = tick.flags.with(TickFlags::OUT_OF_SESSION);
        }
        if day != listing.day {
            tick.flags = tick.flags.with(TickFlags::STALE);
        }
        let row = TapeRow { segment: listing.segment, security_id: listing.security_id, tick };
        self.day(listing.day).rows.push(row);
        Ok(())
    }

    /// Adds traded units to the day's sum of a contract; returns the sum before and after. An index whose vendor
    /// sends 0 throughout has no volume: its sums are [`ABSENT`].
    pub fn trade(&mut self, listing: Listing, units: Option<i64>) -> (i64, i64) {
        let Some(units) = units else { return (ABSENT, ABSENT) };
        let sum = self.volumes.entry(listing).or_insert(0);
        let before = *sum;
        *sum += units;
        let shown = |v: i64| if v == 0 && listing.segment == Segment::IdxI { ABSENT } else { v };
        (shown(before), shown(*sum))
    }

    /// Counts something worth a remark.
    pub fn tally(&mut self, day: NaiveDate, what: &str) {
        *self.day(day).tallies.entry(what.to_owned()).or_insert(0) += 1;
    }

    /// Adds a remark.
    pub fn note(&mut self, day: NaiveDate, text: impl Into<String>) {
        self.day(day).notes.insert(text.into());
    }

    /// The days with at least one tick; tallies have become remarks that begin with the file's name.
    pub fn finish(self, file_name: &str) -> BTreeMap<NaiveDate, DayHarvest> {
        let mut days = self.days;
        days.retain(|_, d| !d.rows.is_empty());
        for d in days.values_mut() {
            for (what, count) in std::mem::take(&mut d.tallies) {
                d.notes.insert(format!("{file_name}: {count} {what}"));
            }
        }
        days
    }
}
