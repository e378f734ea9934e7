//! Contract terms by date: lot by (underlying, expiry), freeze quantity, tick and strike step by trading day
//! (N8, P35, X-18). A date outside the table is an error.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::instrument::{Strike, Underlying};
use super::money::{LotSize, Premium, Qty};

/// A value that holds for a stretch of dates; `to` is inclusive, open when `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dated<T> {
    /// First date.
    pub from: NaiveDate,
    /// Last date, `None` while it still holds.
    pub to: Option<NaiveDate>,
    /// What holds.
    pub value: T,
}

impl<T> Dated<T> {
    /// Whether `day` lies inside.
    pub fn covers(&self, day: NaiveDate) -> bool {
        self.from <= day && self.to.is_none_or(|to| day <= to)
    }
}

/// The value in force on `day`: the covering entry that starts last.
pub fn in_force<T>(entries: &[Dated<T>], day: NaiveDate) -> Option<&T> {
    entries.iter().filter(|e| e.covers(day)).max_by_key(|e| e.from).map(|e| &e.value)
}

/// Terms of one underlying.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnderlyingTerms {
    /// Lot by expiry date (the dates of the entries are expiries).
    pub lots: Vec<Dated<LotSize>>,
    /// Lots of single expiries that differ from the ranges.
    pub lot_exceptions: BTreeMap<NaiveDate, LotSize>,
    /// Freeze quantity in units, by trading day.
    pub freeze: Vec<Dated<Qty>>,
    /// Price tick by trading day.
    pub tick: Vec<Dated<Premium>>,
    /// Strike step near the money by trading day.
    pub strike_step: Vec<Dated<Strike>>,
}

/// A question the table has no answer for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} of {underlying} for {date} is not in contracts.yml; add it there or in an override file")]
pub struct OutsideContracts {
    /// `lot`, `freeze quantity`, `tick` or `strike step`.
    pub what: &'static str,
    /// Of which index.
    pub underlying: Underlying,
    /// Expiry (for lots) or trading day asked for.
    pub date: NaiveDate,
}

/// The dated table of contract terms.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContractBook {
    /// Terms by underlying.
    pub terms: BTreeMap<Underlying, UnderlyingTerms>,
}

impl ContractBook {
    fn ask<T: Copy>(
        &self,
        what: &'static str,
        underlying: Underlying,
        date: NaiveDate,
        get: impl Fn(&UnderlyingTerms) -> Option<T>,
    ) -> Result<T, OutsideContracts> {
        self.terms.get(&underlying).and_then(get).ok_or(OutsideContracts { what, underlying, date })
    }

    /// Units in a lot of contracts expiring on `expiry`.
    pub fn lot(&self, underlying: Underlying, expiry: NaiveDate) -> Result<LotSize, OutsideContracts> {
        self.ask("lot", underlying, expiry, |t| {
            t.lot_exceptions.get(&expiry).copied().or_else(|| in_force(&t.lots, expiry).copied())
        })
    }

    /// Freeze quantity in units on `day`.
    pub fn freeze(&self, underlying: Underlying, day: NaiveDate) -> Result<Qty, OutsideContracts> {
        self.ask("freeze quantity", underlying, day, |t| in_force(&t.freeze, day).copied())
    }

    /// Price tick on `day`.
    pub fn tick(&self, underlying: Underlying, day: NaiveDate) -> Result<Premium, OutsideContracts> {
        self.ask("tick", underlying, day, |t| in_force(&t.tick, day).copied())
    }

    /// Strike step near the money on `day`.
    pub fn strike_step(&self, underlying: Underlying, day: NaiveDate) -> Result<Strike, OutsideContracts> {
        self.ask("strike step", underlying, day, |t| in_force(&t.strike_step, day).copied())
    }

    /// Largest order in units that passes whether the exchange treats the freeze quantity as the last allowed or
    /// the first forbidden one: `floor((freeze - 1) / lot) x lot` (dhan-v2.md 11).
    pub fn max_order_qty(&self, underlying: Underlying, day: NaiveDate, lot: LotSize) -> Result<Qty, OutsideContracts> {
        let freeze = self.freeze(underlying, day)?;
        Ok(lot.units(lot.lots_in(freeze - Qty::new(1))))
    }
}
