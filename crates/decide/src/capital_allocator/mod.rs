//! Capital: how many lots one trade may buy, and who has which rupee meanwhile. Every rupee is free, held,
//! committed or written off, and never two of them at once.
//!
//! `sizing` finds the lots, the allocator here keeps the books. Amounts count at cost: an open position is worth
//! what was paid for it until it is sold, so the balance moves with realised results and charges only.

mod sizing;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Serialize;

use crate::domain::{HoldId, LotSize, Lots, Money, Premium, Qty, Underlying};
use crate::params::{CapitalBand, CapitalParams};

/// What the allocator is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct HoldRequest {
    /// The index the trade counts against.
    pub underlying: Underlying,
    /// Worst price the entry may pay.
    pub entry_limit: Premium,
    /// Trigger of the stop, below the entry.
    pub stop: Premium,
    /// Worst price the stop's limit accepts, at or below its trigger.
    pub stop_limit: Premium,
    /// Units in a lot of the contract.
    pub lot: LotSize,
    /// Tighter limit on lots (expiry day); `None` = none.
    pub lots_cap: Option<Lots>,
    /// Flat fees of one round trip, estimated; held beside the premium so that charges have their money.
    pub round_trip_charges_per_order: Money,
}

/// Capital set aside for one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CapitalHold {
    /// Its id.
    pub id: HoldId,
    /// Lots the entry may buy, at least 1.
    pub lots: Lots,
    /// The same in units.
    pub qty: Qty,
    /// Money set aside: the units at the worst entry price, plus the flat fees.
    pub amount: Money,
    /// Loss when all units are bought at the worst entry price and sold at the stop's worst price, before charges.
    pub risk_at_stop: Money,
    /// The limit that decided the size: `risk`, `allocation`, `index_allocation`, `max_trade_cost`, `free_capital`,
    /// `max_lots` or `lots_cap`; [`CapitalHold::LATE`] or [`CapitalHold::ADOPTED`] where nothing was sized.
    pub binding: &'static str,
}

impl CapitalHold {
    /// Units that an order of ours bought after its end.
    pub const LATE: &'static str = "late arrival";
    /// Units that somebody else bought.
    pub const ADOPTED: &'static str = "adopted";

    /// Where the units behind it come from: `signal`, `late` or `adopted`.
    pub fn origin(&self) -> &'static str {
        match self.binding {
            CapitalHold::LATE => "late",
            CapitalHold::ADOPTED => "adopted",
            _ => "signal",
        }
    }
}

/// Why no capital is set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CapitalRefusal {
    /// The balance is not known (F-41).
    #[error("the account balance is not known")]
    UnknownBalance,
    /// No band covers the balance.
    #[error("no capital band covers a balance of {balance}")]
    NoBand {
        /// Balance less what is written off.
        balance: Money,
    },
    /// Prices that cannot be an entry with a stop under it.
    #[error("entry {entry_limit}, stop {stop}, stop limit {stop_limit}: want entry > stop >= stop limit > 0")]
    StopNotUnderEntry {
        /// Worst entry price.
        entry_limit: Premium,
        /// Stop trigger.
        stop: Premium,
        /// Stop limit.
        stop_limit: Premium,
    },
    /// One lot loses more at its stop than one trade may.
    #[error("one lot loses {per_lot} at its stop, a trade may lose {budget}")]
    RiskBudgetShort {
        /// Loss of one lot at the stop's worst price.
        per_lot: Money,
        /// Risk budget of one trade.
        budget: Money,
    },
    /// One lot costs more than one trade may.
    #[error("one lot costs {per_lot}, a trade may cost {budget} of a balance of {balance}")]
    AllocationShort {
        /// Cost of one lot.
        per_lot: Money,
        /// Allocation of one trade.
        budget: Money,
        /// Balance less what is written off.
        balance: Money,
    },
    /// One lot does not fit what the index has left.
    #[error("one lot costs {per_lot}, {underlying} has {left} left of {cap}")]
    IndexAllocationShort {
        /// The index.
        underlying: Underlying,
        /// Cost of one lot.
        per_lot: Money,
        /// What the index may still take.
        left: Money,
        /// Its cap.
        cap: Money,
    },
    /// One lot costs more than the rupee cap of a trade.
    #[error("one lot costs {per_lot}, max_trade_cost is {cap}")]
    TradeCostShort {
        /// Cost of one lot.
        per_lot: Money,
        /// The cap.
        cap: Money,
    },
    /// One lot and its fees cost more than is free.
    #[error("one lot with fees costs {needed}, {free} is free")]
    CapitalShort {
        /// Cost of one lot with the flat fees.
        needed: Money,
        /// Free capital.
        free: Money,
    },
    /// The configuration allows no lots.
    #[error("max_lots is {max_lots}")]
    MaxLotsZero {
        /// The setting.
        max_lots: Lots,
    },
    /// The request allows no lots (expiry day).
    #[error("the lots cap of this trade is {cap}")]
    LotsCapZero {
        /// The cap.
        cap: Lots,
    },
}

impl CapitalRefusal {
    /// Stable code for counters and journals.
    pub const fn code(&self) -> &'static str {
        match self {
            CapitalRefusal::UnknownBalance => "UNKNOWN_BALANCE",
            CapitalRefusal::NoBand { .. } => "NO_BAND",
            CapitalRefusal::StopNotUnderEntry { .. } => "STOP_NOT_UNDER_ENTRY",
            CapitalRefusal::RiskBudgetShort { .. } => "RISK_BUDGET_SHORT",
            CapitalRefusal::AllocationShort { .. } => "ALLOCATION_SHORT",
            CapitalRefusal::IndexAllocationShort { .. } => "INDEX_ALLOCATION_SHORT",
            CapitalRefusal::TradeCostShort { .. } => "TRADE_COST_SHORT",
            CapitalRefusal::CapitalShort { .. } => "CAPITAL_SHORT",
            CapitalRefusal::MaxLotsZero { .. } => "MAX_LOTS_ZERO",
            CapitalRefusal::LotsCapZero { .. } => "LOTS_CAP_ZERO",
        }
    }
}

/// Where a hold stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum HoldState {
    /// The entry is working: part may be bought already.
    Held {
        /// Still set aside.
        held: Money,
        /// Cost of what is owned.
        committed: Money,
    },
    /// The entry is done; units are owned.
    Committed {
        /// Their cost.
        committed: Money,
    },
    /// Nothing is set aside or owned any more.
    Released,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Hold {
    underlying: Underlying,
    state: HoldState,
}

/// Capital without a known end: the cost of an unresolved position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct WriteOff {
    underlying: Underlying,
    cost: Money,
}

/// The capital allocator.
///
/// Methods that follow a hold (`bought`, `entry_done`, `sold`, `release`, `written_off`, `recovered`) panic when the
/// hold is not in a state that allows the step: booking the same rupee twice is a bug of the caller, and a process
/// that lost count of its money must stop.
#[derive(Debug, Clone, Serialize)]
pub struct CapitalAllocator {
    params: CapitalParams,
    /// `None` while the balance is unknown. May dip below zero by charges and slippage; holds never take it there.
    free: Option<Money>,
    holds: BTreeMap<HoldId, Hold>,
    write_offs: BTreeMap<HoldId, WriteOff>,
    next: u64,
    day: Option<NaiveDate>,
    opening_of_day: Option<Money>,
    realised: Money,
    charges: Money,
}

impl CapitalAllocator {
    /// An allocator whose balance is `params.opening_balance`.
    pub fn new(params: CapitalParams) -> CapitalAllocator {
        CapitalAllocator {
            free: params.opening_balance,
            params,
            holds: BTreeMap::new(),
            write_offs: BTreeMap::new(),
            next: 1,
            day: None,
            opening_of_day: None,
            realised: Money::ZERO,
            charges: Money::ZERO,
        }
    }

    /// Starts `day` and fixes its opening balance: the first balance known that day, less what is written off, so that
    /// money which may be gone does not widen the day's loss limits. Opening the same day again changes nothing, so a
    /// restart inside a session keeps the base of its loss limits (F-25).
    pub fn open_session(&mut self, day: NaiveDate) {
        if self.day == Some(day) {
            return;
        }
        self.day = Some(day);
        self.opening_of_day = self.base();
        self.realised = Money::ZERO;
        self.charges = Money::ZERO;
    }

    /// Takes over the account's own figure: cash plus what is held, committed and written off, at cost. `None` means
    /// it could not be learned, and no trade is sized until it is.
    pub fn set_balance(&mut self, balance: Option<Money>) {
        self.free = balance.map(|b| b - self.held() - self.committed() - self.written_off_total());
        if self.day.is_some() && self.opening_of_day.is_none() {
            self.opening_of_day = self.base();
        }
    }

    /// Account value at cost, `None` when unknown.
    pub fn balance(&self) -> Option<Money> {
        Some(self.free? + self.held() + self.committed() + self.written_off_total())
    }

    /// Capital nobody has claimed, `None` when the balance is unknown.
    pub const fn free(&self) -> Option<Money> {
        self.free
    }

    /// Set aside for working entries.
    pub fn held(&self) -> Money {
        self.holds.values().map(|h| h.state.held()).sum()
    }

    /// Cost of what is owned.
    pub fn committed(&self) -> Money {
        self.holds.values().map(|h| h.state.committed()).sum()
    }

    /// Cost of unresolved positions.
    pub fn written_off_total(&self) -> Money {
        self.write_offs.values().map(|w| w.cost).sum()
    }

    /// How many positions are written off.
    pub fn written_off_count(&self) -> usize {
        self.write_offs.len()
    }

    /// Balance the day started with, written-off capital not counted; `None` before a session or while unknown.
    pub const fn opening_of_day(&self) -> Option<Money> {
        self.opening_of_day
    }

    /// Proceeds less cost of everything sold since the session opened.
    pub const fn realised(&self) -> Money {
        self.realised
    }

    /// Charges booked since the session opened.
    pub const fn charges(&self) -> Money {
        self.charges
    }

    /// Band of the present balance (written-off capital not counted), `None` when unknown or outside all bands.
    pub fn band(&self) -> Option<&CapitalBand> {
        sizing::band_of(&self.params.bands, self.base()?)
    }

    /// Band of the day's opening balance: the base of day limits, which must not move with the day's result.
    pub fn opening_band(&self) -> Option<&CapitalBand> {
        sizing::band_of(&self.params.bands, self.opening_of_day?)
    }

    /// Where a hold stands; `None` when it was never given out.
    pub fn state(&self, hold: HoldId) -> Option<HoldState> {
        match self.holds.get(&hold) {
            Some(known) => Some(known.state),
            None => (1..self.next).contains(&hold.0).then_some(HoldState::Released),
        }
    }

    /// Sizes a trade and sets its capital aside, or names the limit that forbids even one lot.
    pub fn hold(&mut self, request: &HoldRequest) -> Result<CapitalHold, CapitalRefusal> {
        let (Some(free), Some(balance)) = (self.free, self.base()) else {
            return Err(CapitalRefusal::UnknownBalance);
        };
        let in_index = self
            .holds
            .values()
            .filter(|h| h.underlying == request.underlying)
            .map(|h| h.state.held() + h.state.committed())
            .sum();
        let size = sizing::size(&self.params, &sizing::Account { balance, free, in_index }, request)?;
        let id = HoldId(self.next);
        self.next += 1;
        self.free = Some(free - size.amount);
        let state = HoldState::Held { held: size.amount, committed: Money::ZERO };
        self.holds.insert(id, Hold { underlying: request.underlying, state });
        Ok(CapitalHold {
            id,
            lots: size.lots,
            qty: size.qty,
            amount: size.amount,
            risk_at_stop: size.risk_at_stop,
            binding: size.binding.name(),
        })
    }

    /// A hold of nothing, for units that were bought without one: their cost comes out of free capital.
    pub fn hold_nothing(&mut self, underlying: Underlying) -> HoldId {
        let id = HoldId(self.next);
        self.next += 1;
        let state = HoldState::Held { held: Money::ZERO, committed: Money::ZERO };
        self.holds.insert(id, Hold { underlying, state });
        id
    }

    /// Books units bought by a working entry: `cost` becomes committed, `charges` leave the balance. Both come out of
    /// the hold, and out of free capital once the hold is used up. May be called for every fill.
    ///
    /// # Panics
    /// When the entry is not working, or an amount is negative.
    pub fn bought(&mut self, hold: HoldId, cost: Money, charges: Money) {
        assert!(!cost.is_negative() && !charges.is_negative(), "hold {hold}: bought for {cost}, charges {charges}");
        let known = self.live(hold);
        let HoldState::Held { held, committed } = known.state else {
            panic!("hold {hold}: bought while {:?}", known.state);
        };
        let from_hold = held.min(cost + charges);
        known.state = HoldState::Held { held: held - from_hold, committed: committed + cost };
        self.add_free(from_hold - cost - charges);
        self.charges += charges;
    }

    /// The entry is done (filled, cancelled or expired): what was not used is free again.
    ///
    /// # Panics
    /// When the entry is not working.
    pub fn entry_done(&mut self, hold: HoldId) {
        let known = self.live(hold);
        let HoldState::Held { held, committed } = known.state else {
            panic!("hold {hold}: entry done while {:?}", known.state);
        };
        known.state = HoldState::Committed { committed };
        self.drop_when_empty(hold);
        self.add_free(held);
    }

    /// Books units sold: their cost is committed no more, the proceeds less `charges` are free.
    ///
    /// # Panics
    /// When `cost_basis` exceeds what the hold has committed, or an amount is negative.
    pub fn sold(&mut self, hold: HoldId, cost_basis: Money, proceeds: Money, charges: Money) {
        assert!(
            !proceeds.is_negative() && !charges.is_negative(),
            "hold {hold}: sold for {proceeds}, charges {charges}"
        );
        self.uncommit(hold, cost_basis);
        self.book_result(cost_basis, proceeds, charges);
    }

    /// Executions known already had another price: `amount` more came in than went out, of which `-basis` is the cost
    /// of units still owned. May come when nothing is committed any more; then `basis` is zero.
    ///
    /// # Panics
    /// When `basis` changes the cost of units that are not there.
    pub fn repriced(&mut self, hold: HoldId, amount: Money, basis: Money, charges: Money) {
        if let Some(known) = self.holds.get_mut(&hold) {
            known.state = match known.state {
                HoldState::Held { held, committed } => HoldState::Held { held, committed: committed + basis },
                HoldState::Committed { committed } => HoldState::Committed { committed: committed + basis },
                HoldState::Released => unreachable!("released holds are not kept"),
            };
        } else if let Some(gone) = self.write_offs.get_mut(&hold) {
            gone.cost += basis;
        } else {
            assert!(basis == Money::ZERO, "hold {hold}: {basis} of nothing owned");
        }
        self.add_free(amount - charges);
        self.realised += amount + basis;
        self.charges += charges;
    }

    /// Takes changed limits over. What is held or committed stays.
    pub fn configure(&mut self, params: CapitalParams) {
        self.params = params;
    }

    /// Nothing was bought: the whole hold is free again.
    ///
    /// # Panics
    /// When the hold is released already or something was bought with it.
    pub fn release(&mut self, hold: HoldId) {
        let known = self.live(hold);
        match known.state {
            HoldState::Held { held, committed: Money::ZERO } => {
                self.holds.remove(&hold);
                self.add_free(held);
            }
            other => panic!("hold {hold}: released while {other:?}"),
        }
    }

    /// An unresolved position: its cost stays out of free capital until [`Self::recovered`] says how it ended.
    ///
    /// # Panics
    /// When `cost_basis` exceeds what the hold has committed.
    pub fn written_off(&mut self, hold: HoldId, cost_basis: Money) {
        let underlying = self.uncommit(hold, cost_basis);
        let entry = self.write_offs.entry(hold).or_insert(WriteOff { underlying, cost: Money::ZERO });
        entry.cost += cost_basis;
    }

    /// A written-off position found its end after all: `proceeds` (zero when it expired worthless) less `charges`
    /// are free.
    ///
    /// # Panics
    /// When nothing of the hold is written off.
    pub fn recovered(&mut self, hold: HoldId, proceeds: Money, charges: Money) {
        let gone = self.write_offs.remove(&hold);
        let cost = gone.unwrap_or_else(|| panic!("hold {hold}: recovered, but not written off")).cost;
        self.book_result(cost, proceeds, charges);
    }

    /// Charges that came to light outside any fill, for example with the contract note.
    pub fn charged(&mut self, charges: Money) {
        self.add_free(-charges);
        self.charges += charges;
    }

    /// The balance that sizes trades and day limits: what is written off is not counted on.
    fn base(&self) -> Option<Money> {
        Some(self.balance()? - self.written_off_total())
    }

    fn book_result(&mut self, cost: Money, proceeds: Money, charges: Money) {
        self.add_free(proceeds - charges);
        self.realised += proceeds - cost;
        self.charges += charges;
    }

    fn live(&mut self, hold: HoldId) -> &mut Hold {
        self.holds.get_mut(&hold).unwrap_or_else(|| panic!("hold {hold} is released or was never given out"))
    }

    fn uncommit(&mut self, hold: HoldId, cost: Money) -> Underlying {
        let known = self.live(hold);
        let left = known.state.committed() - cost;
        assert!(!cost.is_negative() && !left.is_negative(), "hold {hold}: {cost} leaves {:?}", known.state);
        known.state = match known.state {
            HoldState::Held { held, .. } => HoldState::Held { held, committed: left },
            _ => HoldState::Committed { committed: left },
        };
        let underlying = known.underlying;
        self.drop_when_empty(hold);
        underlying
    }

    fn drop_when_empty(&mut self, hold: HoldId) {
        if self.holds.get(&hold).is_some_and(|h| h.state == HoldState::Committed { committed: Money::ZERO }) {
            self.holds.remove(&hold);
        }
    }

    /// An unknown balance stays unknown whatever is booked.
    fn add_free(&mut self, amount: Money) {
        if let Some(free) = &mut self.free {
            *free += amount;
        }
    }
}

impl HoldState {
    /// Still set aside.
    pub const fn held(&self) -> Money {
        match self {
            HoldState::Held { held, .. } => *held,
            HoldState::Committed { .. } | HoldState::Released => Money::ZERO,
        }
    }

    /// Cost of what is owned.
    pub const fn committed(&self) -> Money {
        match self {
            HoldState::Held { committed, .. } | HoldState::Committed { committed } => *committed,
            HoldState::Released => Money::ZERO,
        }
    }
}
