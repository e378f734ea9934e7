//! How many lots one trade may buy: the smallest of all limits, rounded down, never up (F-41).
//!
//! By risk: `floor(risk budget / ((entry limit - stop limit) x lot))` lots. The divisor holds the lot once; taking the
//! quotient times the lot again makes the limit too loose by the lot size.

use crate::domain::money::Rounding;
use crate::domain::{Lots, Money, Premium, Qty};
use crate::params::{CapitalBand, CapitalParams, Sizing};

use super::{CapitalRefusal, HoldRequest};

/// What the account has.
pub(super) struct Account {
    /// Balance that sizes trades.
    pub balance: Money,
    /// Unclaimed capital.
    pub free: Money,
    /// Held and committed in the index of the request.
    pub in_index: Money,
}

/// A size that keeps every limit.
pub(super) struct Size {
    pub lots: Lots,
    pub qty: Qty,
    pub amount: Money,
    pub risk_at_stop: Money,
    pub binding: Limit,
}

/// A limit on the size of one trade, in the order in which ties are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    Risk,
    Allocation,
    IndexAllocation,
    MaxTradeCost,
    FreeCapital,
    MaxLots,
    LotsCap,
}

impl Limit {
    /// Name in journals.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Limit::Risk => "risk",
            Limit::Allocation => "allocation",
            Limit::IndexAllocation => "index_allocation",
            Limit::MaxTradeCost => "max_trade_cost",
            Limit::FreeCapital => "free_capital",
            Limit::MaxLots => "max_lots",
            Limit::LotsCap => "lots_cap",
        }
    }
}

/// The first band whose upper end is not below `balance`; none for a balance of nothing.
pub(super) fn band_of(bands: &[CapitalBand], balance: Money) -> Option<&CapitalBand> {
    if balance <= Money::ZERO {
        return None;
    }
    bands.iter().find(|band| band.up_to.is_none_or(|end| balance <= end))
}

/// Sizes the request.
pub(super) fn size(params: &CapitalParams, account: &Account, ask: &HoldRequest) -> Result<Size, CapitalRefusal> {
    let balance = account.balance;
    let HoldRequest { underlying, entry_limit, stop, stop_limit, lot, .. } = *ask;
    let fees = ask.round_trip_charges_per_order;
    if !(entry_limit > stop && stop >= stop_limit && stop_limit > Premium::ZERO) {
        return Err(CapitalRefusal::StopNotUnderEntry { entry_limit, stop, stop_limit });
    }
    let band = band_of(&params.bands, balance).ok_or(CapitalRefusal::NoBand { balance })?;

    let one = lot.units(Lots::new(1));
    let cost = entry_limit * one;
    let loss = (entry_limit - stop_limit) * one;
    let risk = match params.sizing {
        Sizing::RiskPercent => balance.portion(band.risk_per_trade, Rounding::Down),
        Sizing::Rupees { risk } => risk - fees,
    };
    let allocation = balance.portion(band.allocation, Rounding::Down);
    let index_cap = params.index_allocation.get(&underlying).map(|share| balance.portion(*share, Rounding::Down));
    let index_left = index_cap.map(|cap| cap - account.in_index);

    let limits = [
        Some((Limit::Risk, whole(risk, loss))),
        Some((Limit::Allocation, whole(allocation, cost))),
        index_left.map(|left| (Limit::IndexAllocation, whole(left, cost))),
        params.max_trade_cost.map(|cap| (Limit::MaxTradeCost, whole(cap, cost))),
        Some((Limit::FreeCapital, whole(account.free - fees, cost))),
        Some((Limit::MaxLots, params.max_lots)),
        ask.lots_cap.map(|cap| (Limit::LotsCap, cap)),
    ];
    let (binding, lots) =
        limits.into_iter().flatten().min_by_key(|(_, lots)| *lots).expect("the risk limit is always there");
    if lots > Lots::ZERO {
        let qty = lot.units(lots);
        let risk_at_stop = (entry_limit - stop_limit) * qty;
        return Ok(Size { lots, qty, amount: entry_limit * qty + fees, risk_at_stop, binding });
    }
    // A cap configured as nothing is the plainest reason, so it is named before a budget that is short as well.
    let zero = |cap: Lots| cap <= Lots::ZERO;
    if zero(params.max_lots) {
        return Err(CapitalRefusal::MaxLotsZero { max_lots: params.max_lots });
    }
    if let Some(cap) = ask.lots_cap.filter(|cap| zero(*cap)) {
        return Err(CapitalRefusal::LotsCapZero { cap });
    }
    Err(match binding {
        Limit::Risk => CapitalRefusal::RiskBudgetShort { per_lot: loss, budget: risk },
        Limit::Allocation => CapitalRefusal::AllocationShort { per_lot: cost, budget: allocation, balance },
        Limit::IndexAllocation => CapitalRefusal::IndexAllocationShort {
            underlying,
            per_lot: cost,
            left: index_left.expect("the limit is in force"),
            cap: index_cap.expect("the limit is in force"),
        },
        Limit::MaxTradeCost => {
            CapitalRefusal::TradeCostShort { per_lot: cost, cap: params.max_trade_cost.expect("the limit is in force") }
        }
        Limit::FreeCapital | Limit::MaxLots | Limit::LotsCap => {
            CapitalRefusal::CapitalShort { needed: cost + fees, free: account.free }
        }
    })
}

/// How many times `each` fits `budget`, rounded down; zero for a budget of nothing or less.
fn whole(budget: Money, each: Money) -> Lots {
    Lots::new(budget.paise().max(0) / each.paise())
}
