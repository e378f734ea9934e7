//! Units at the broker that are not ours, and which of them are proven well enough to be taken over: lists of positions
//! that agree, with an order book in between, and executions of others that explain them to the unit.

use std::collections::BTreeMap;

use super::Reconciler;
use super::foreign::ContractKey;
use super::params::ReconcilerParams;
use crate::domain::adoption::{AdoptRefusal, AdoptRequest, Adoption, ForeignPosition};
use crate::domain::broker::{BrokerRead, PositionRow, Product};
use crate::domain::money::{Rounding, div_round};
use crate::domain::{Instant, InstrumentId, Lots, Money, OptionContract, OrderSide, Qty};

/// What a list of positions shows of one contract and product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shown {
    /// Units that are not ours.
    units: i64,
    bought: Qty,
    paid: Option<Money>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    shown: Shown,
    first_asked: Instant,
    last_asked: Instant,
    is_settled: bool,
}

/// Units of others, and what was taken over of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Holdings {
    seen: BTreeMap<(ContractKey, Product), Seen>,
    taken: BTreeMap<ContractKey, (InstrumentId, Qty)>,
}

impl Holdings {
    pub(super) const EMPTY: Holdings = Holdings { seen: BTreeMap::new(), taken: BTreeMap::new() };

    /// Units of a contract that others bought and we took over.
    pub(super) fn taken(&self, contract: ContractKey) -> Qty {
        self.taken.get(&contract).map_or(Qty::ZERO, |(_, qty)| *qty)
    }

    /// Contracts of which units were taken over.
    pub(super) fn contracts(&self) -> impl Iterator<Item = (ContractKey, InstrumentId)> + '_ {
        self.taken.iter().map(|(contract, (instrument, _))| (*contract, *instrument))
    }

    /// Takes a list in. `ours` tells how many units of a contract are ours, and whether the list is younger than our
    /// last execution there by enough.
    pub(super) fn see(
        &mut self,
        rows: &[PositionRow],
        asked_at: Instant,
        orders_asked_at: Option<Instant>,
        p: &ReconcilerParams,
        ours: impl Fn(ContractKey) -> (i64, bool),
    ) {
        let earlier = std::mem::take(&mut self.seen);
        for row in rows {
            let contract = ContractKey::of_position(row);
            let (own, is_young) = if row.product == Product::Intraday { ours(contract) } else { (0, true) };
            let units = row.net - own;
            let key = (contract, row.product.clone());
            if units == 0 {
                continue;
            }
            let shown = Shown { units, bought: row.day_bought, paid: row.day_paid };
            let known = earlier.get(&key).filter(|seen| seen.shown == shown && is_young && asked_at >= seen.last_asked);
            let seen =
                known.map_or(Seen { shown, first_asked: asked_at, last_asked: asked_at, is_settled: false }, |seen| {
                    Seen {
                        last_asked: asked_at,
                        // An order book asked for since would have told of a trade that explains the difference.
                        is_settled: seen.is_settled
                            || asked_at >= seen.first_asked + p.read_gap
                                && orders_asked_at.is_some_and(|orders| orders > seen.first_asked),
                        ..*seen
                    }
                });
            self.seen.insert(key, seen);
        }
    }
}

impl Reconciler {
    /// Units at the broker that are not ours.
    pub fn foreign_positions(&self) -> impl Iterator<Item = ForeignPosition> + '_ {
        self.holdings.seen.iter().map(|((contract, product), seen)| {
            let Shown { units, bought, paid } = seen.shown;
            ForeignPosition {
                segment: contract.segment,
                security_id: contract.security_id,
                product: product.clone(),
                units,
                average: paid.filter(|_| bought > Qty::ZERO).map(|paid| paid.per_unit(bought, Rounding::HalfUp)),
                is_settled: seen.is_settled,
            }
        })
    }

    /// What would be taken over, when the books prove that it is there and not ours.
    ///
    /// # Errors
    /// Whatever is not proven; what another look may settle is read anew.
    pub fn adoptable(
        &mut self,
        now: Instant,
        instrument: InstrumentId,
        contract: &OptionContract,
        ask: &AdoptRequest,
    ) -> Result<Adoption, AdoptRefusal> {
        let Some(p) = self.params else { return Err(AdoptRefusal::NoBroker) };
        let found = self.prove(now, instrument, contract, ask, &p);
        if matches!(found, Err(AdoptRefusal::Unsettled | AdoptRefusal::Unexplained { .. })) {
            self.want_round(now);
        }
        found
    }

    fn prove(
        &self,
        now: Instant,
        instrument: InstrumentId,
        contract: &OptionContract,
        ask: &AdoptRequest,
        p: &ReconcilerParams,
    ) -> Result<Adoption, AdoptRefusal> {
        let (key, _) = self.contracts[&instrument];
        let security_id = key.security_id;
        let of_contract = || self.holdings.seen.iter().filter(|((contract, _), _)| *contract == key);
        let Some(seen) = self.holdings.seen.get(&(key, Product::Intraday)) else {
            return Err(match of_contract().next() {
                Some(((_, product), _)) => AdoptRefusal::OtherProduct { product: product.clone() },
                // Nothing shown, and something traded: the list is older than the trade.
                None if self.strangers.net(key) != self.holdings.taken(key).get() => AdoptRefusal::Unsettled,
                None => AdoptRefusal::NothingThere { security_id },
            });
        };
        let Shown { units, bought, paid } = seen.shown;
        if units < 0 {
            return Err(AdoptRefusal::Short { units: -units });
        }
        if !self.is_reconciled() || !seen.is_settled || now >= seen.last_asked + p.books_every + p.read_timeout {
            return Err(AdoptRefusal::Unsettled);
        }
        let taken = self.holdings.taken(key);
        let explained = self.strangers.net(key) - taken.get();
        if explained != units {
            return Err(AdoptRefusal::Unexplained { shown: units, explained });
        }
        if self.own.values().any(|o| o.contract == key && o.spec.side == OrderSide::Buy && o.executed() > Qty::ZERO) {
            return Err(AdoptRefusal::Mixed);
        }
        let selling = self.strangers.selling(key);
        if !selling.is_empty() {
            let units = selling.iter().map(|(_, units)| *units).sum();
            return Err(AdoptRefusal::Selling { units, orders: selling.into_iter().map(|(id, _)| id).collect() });
        }
        let there = Qty::new(units);
        let lots = ask.lots.unwrap_or_else(|| contract.lot.lots_in(there));
        if ask.lots.is_some_and(|lots| lots <= Lots::ZERO) {
            return Err(AdoptRefusal::NotLots { lots });
        }
        let qty = contract.lot.units(lots);
        if qty > there || qty <= Qty::ZERO {
            return Err(AdoptRefusal::TooMany { asked: lots.max(Lots::new(1)), there, lot: contract.lot });
        }
        let buys = self.strangers.buys(key);
        if bought != buys.iter().map(|(units, _)| *units).sum() || taken + qty > bought {
            return Err(AdoptRefusal::Unsettled);
        }
        let Some(paid) = paid.filter(|paid| *paid > Money::ZERO) else { return Err(AdoptRefusal::Unpriced) };
        let share = |units: Qty| {
            let part = i128::from(paid.paise()) * i128::from(units.get());
            Money::from_paise(div_round(part, i128::from(bought.get()), Rounding::HalfUp))
        };
        Ok(Adoption {
            instrument,
            contract: *contract,
            qty,
            cost: share(taken + qty) - share(taken),
            buys: buys.into_iter().map(|(_, money)| money).collect(),
            share: (taken, bought),
        })
    }

    /// Units of a contract are ours from here on; nothing of the lists seen before counts for the rest.
    pub fn took_over(&mut self, now: Instant, instrument: InstrumentId, qty: Qty) {
        let (contract, _) = self.contracts[&instrument];
        self.holdings.taken.entry(contract).or_insert((instrument, Qty::ZERO)).1 += qty;
        self.holdings.seen.remove(&(contract, Product::Intraday));
        self.want_round(now);
    }

    /// Tells the lists of positions from what is ours.
    pub(super) fn see_holdings(
        &mut self,
        rows: &[PositionRow],
        asked_at: Instant,
        owned: &BTreeMap<ContractKey, i64>,
        p: &ReconcilerParams,
    ) {
        let mut holdings = std::mem::take(&mut self.holdings);
        let orders_asked_at = self.reads.last_clean(BrokerRead::Orders);
        holdings.see(rows, asked_at, orders_asked_at, p, |contract| {
            let is_young = self.executed_at(contract).is_none_or(|at| asked_at >= at + p.position_lag);
            (owned.get(&contract).copied().unwrap_or_default(), is_young)
        });
        self.holdings = holdings;
    }
}
