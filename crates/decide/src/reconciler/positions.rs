//! The broker's net against what our and foreign executions explain (P3). One read proves nothing: it may lie behind
//! our fills or be empty by mistake (D11, D12, F-57).

use std::collections::{BTreeMap, BTreeSet};

use super::finding::{Finding, Reconciled};
use super::foreign::ContractKey;
use super::params::ReconcilerParams;
use crate::domain::{Instant, InstrumentId, Qty};

/// What is known of one contract of ours when a list of positions came in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    pub(super) instrument: InstrumentId,
    pub(super) contract: ContractKey,
    /// Units we own.
    pub(super) ours: i64,
    /// Net executions that are not managed by us.
    pub(super) foreign: i64,
    /// Our last execution there.
    pub(super) executed_at: Option<Instant>,
    /// An order of ours may still execute there.
    pub(super) is_working: bool,
}

/// The broker's row of one contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Shown {
    /// Units bought less units sold today.
    pub(super) day: i64,
    /// Units held, carried ones included.
    pub(super) net: i64,
    /// The list has a row of the contract, in whatever product.
    pub(super) is_listed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Suspicion {
    first_asked: Instant,
    ours: i64,
    broker: i64,
    foreign: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct NetSeen {
    asked_at: Instant,
    net: i64,
    is_known: bool,
}

/// Comparison of positions, contract by contract.
#[derive(Debug, Clone, Default)]
pub(super) struct Positions {
    suspicions: BTreeMap<ContractKey, Suspicion>,
    differing: BTreeMap<ContractKey, InstrumentId>,
    nets: BTreeMap<ContractKey, NetSeen>,
    told: BTreeSet<(ContractKey, i64, i64, i64)>,
    /// The net of the youngest list, whatever it is worth.
    latest: BTreeMap<ContractKey, (Instant, i64)>,
    /// Contracts whose last settled comparison showed fewer units than our executions explain.
    short: BTreeSet<ContractKey>,
}

impl Positions {
    pub(super) const EMPTY: Positions = Positions {
        suspicions: BTreeMap::new(),
        differing: BTreeMap::new(),
        nets: BTreeMap::new(),
        told: BTreeSet::new(),
        latest: BTreeMap::new(),
        short: BTreeSet::new(),
    };

    /// Notes what a list showed of a contract.
    pub(super) fn see(&mut self, contract: ContractKey, asked_at: Instant, net: i64) {
        let latest = self.latest.entry(contract).or_insert((asked_at, net));
        if asked_at >= latest.0 {
            *latest = (asked_at, net);
        }
    }

    /// The net of the youngest list, and when that was asked for.
    pub(super) fn latest(&self, contract: ContractKey) -> Option<(Instant, i64)> {
        self.latest.get(&contract).copied()
    }

    /// Contracts in which units were missing when positions were last compared.
    pub(super) fn short(&self) -> impl Iterator<Item = ContractKey> + '_ {
        self.short.iter().copied()
    }

    /// Compares one contract; `true` when a closer look is called for.
    pub(super) fn compare(
        &mut self,
        expected: &Expected,
        shown: Shown,
        asked_at: Instant,
        orders_asked_at: Option<Instant>,
        p: &ReconcilerParams,
        out: &mut Reconciled,
    ) -> bool {
        let key = expected.contract;
        if expected.executed_at.is_some_and(|at| asked_at < at + p.position_lag) {
            // Too young to contradict our own fills (D12).
            self.suspicions.remove(&key);
            return false;
        }
        let agrees = shown.day == expected.ours + expected.foreign;
        if agrees {
            self.short.remove(&key);
        } else if shown.day < expected.ours + expected.foreign || shown.net < expected.ours {
            self.short.insert(key);
        }
        let repeated = |net: &NetSeen| {
            let is_young = expected.executed_at.is_none_or(|at| net.asked_at >= at + p.position_lag);
            // An order book asked for since would have told of an execution of ours that explains the net.
            let is_looked_at = orders_asked_at.is_some_and(|orders| orders > net.asked_at);
            let is_repeated = is_looked_at && asked_at >= net.asked_at + p.read_gap;
            is_young && net.net == shown.net && (net.is_known || is_repeated)
        };
        // What traded today keeps its row when it is closed: a list without one is not the whole list, however often it
        // comes (D11). It may block entries, but it takes no protection away.
        let is_known = agrees || shown.is_listed && self.nets.get(&key).is_some_and(repeated);
        let earlier = self.nets.get(&key).filter(|n| n.net == shown.net && !is_known).map_or(asked_at, |n| n.asked_at);
        self.nets.insert(key, NetSeen { asked_at: earlier, net: shown.net, is_known });
        if agrees {
            self.suspicions.remove(&key);
            if let Some(instrument) = self.differing.remove(&key) {
                self.told.retain(|(told, ..)| *told != key);
                out.findings.push(Finding::PositionAgrees { instrument });
            }
            return false;
        }
        if expected.is_working {
            // The order may be executing right now: the net caps what may be sold, but nothing is concluded.
            self.suspicions.remove(&key);
            return !is_known;
        }
        let (ours, broker, foreign) = (expected.ours, shown.day, expected.foreign);
        let fresh = Suspicion { first_asked: asked_at, ours, broker, foreign };
        let first = *self.suspicions.entry(key).or_insert(fresh);
        if (first.ours, first.broker, first.foreign) != (ours, broker, foreign) {
            self.suspicions.insert(key, fresh);
            return true;
        }
        // The foreign executions must be at least as young as the first sight of the difference.
        let is_confirmed = asked_at >= first.first_asked + p.read_gap
            && orders_asked_at.is_some_and(|orders| orders > first.first_asked);
        if is_confirmed {
            self.differing.insert(key, expected.instrument);
            if self.told.insert((key, ours, broker, foreign)) {
                let instrument = expected.instrument;
                out.findings.push(Finding::PositionDiffers { instrument, ours, broker, foreign });
            }
        }
        !is_confirmed
    }

    /// A contract in which a difference stands unexplained.
    pub(super) fn differing(&self) -> Option<InstrumentId> {
        self.differing.values().next().copied()
    }

    /// The broker's net, when reads agree on it that are younger than our last execution there.
    pub(super) fn known_net(
        &self,
        contract: ContractKey,
        executed_at: Option<Instant>,
        p: &ReconcilerParams,
    ) -> Option<i64> {
        let net = self.nets.get(&contract).filter(|n| n.is_known)?;
        executed_at.is_none_or(|at| net.asked_at >= at + p.position_lag).then_some(net.net)
    }

    /// What may be sold: never more than the broker says is there (E1, I2).
    pub(super) fn sellable(owned: Qty, net: i64) -> Qty {
        owned.min(Qty::new(net.max(0)))
    }
}
