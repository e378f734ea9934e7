//! What a person asks of the risk manager. Nothing here loosens a stop or stands in the way of an exit.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{EntryBlock, RiskAction, RiskActions, RiskManager, protect};
use crate::domain::operator::{OperatorAnswer, OperatorCommand, OperatorRefusal};
use crate::domain::{ExitReason, Lots, PositionId, Premium, Qty, Underlying};

/// Doors a person has closed. They stay closed until the person opens them; days do not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct OperatorGate {
    halted: bool,
    reduce_only: bool,
    /// Whether entries are armed; `None` where they need not be.
    armed: Option<bool>,
    paused: BTreeSet<Underlying>,
    /// The guardian is gone.
    unguarded: bool,
    /// The engine is behind its inputs.
    overloaded: bool,
    /// Partial closes and adoptions carried out today, by the number of the request.
    pub(super) requests: BTreeSet<u64>,
}

impl OperatorGate {
    /// Why an entry in `underlying` is not allowed.
    pub fn block(&self, underlying: Underlying) -> Option<EntryBlock> {
        if self.halted {
            Some(EntryBlock::Halted)
        } else if self.armed == Some(false) {
            Some(EntryBlock::Disarmed)
        } else if self.reduce_only {
            Some(EntryBlock::ReduceOnly)
        } else if self.unguarded {
            Some(EntryBlock::Unguarded)
        } else if self.overloaded {
            Some(EntryBlock::Overloaded)
        } else {
            self.paused.contains(&underlying).then_some(EntryBlock::IndexPaused)
        }
    }

    /// Nobody would close our positions should we die.
    pub const fn is_unguarded(&self) -> bool {
        self.unguarded
    }

    /// The engine is behind its inputs.
    pub const fn is_overloaded(&self) -> bool {
        self.overloaded
    }

    /// Every door that is closed, in words.
    pub fn closed(&self) -> Vec<String> {
        let whole = [
            (self.halted, "halted"),
            (self.armed == Some(false), "disarmed"),
            (self.reduce_only, "reduce only"),
            (self.unguarded, "no guardian"),
            (self.overloaded, "overloaded"),
        ];
        let whole = whole.into_iter().filter(|(is_closed, _)| *is_closed).map(|(_, word)| word.to_owned());
        whole.chain(self.paused.iter().map(|underlying| format!("{underlying} paused"))).collect()
    }

    /// Whether entries are armed; `None` where they need not be.
    pub const fn armed(&self) -> Option<bool> {
        self.armed
    }

    pub(super) fn new_day(&mut self) {
        // Nobody arms more than one session.
        self.armed = self.armed.map(|_| false);
        self.requests.clear();
    }
}

const fn done(changed: bool) -> OperatorAnswer {
    OperatorAnswer::Done { changed }
}

const fn refused(refusal: OperatorRefusal) -> OperatorAnswer {
    OperatorAnswer::Refused { refusal }
}

impl RiskManager {
    /// The doors a person has closed.
    pub const fn gate(&self) -> &OperatorGate {
        &self.gate
    }

    /// Does what a person asks, or says why not. Asking again changes nothing more.
    pub fn operate(&mut self, command: &OperatorCommand) -> (OperatorAnswer, RiskActions) {
        let mut actions = RiskActions::new();
        let answer = match command {
            OperatorCommand::Halt => {
                let changed = !std::mem::replace(&mut self.gate.halted, true);
                self.stop_buying(&mut actions);
                done(changed)
            }
            OperatorCommand::Arm { .. } => done(self.gate.armed.replace(true) != Some(true)),
            OperatorCommand::Disarm => {
                let changed = self.gate.armed.replace(false) != Some(false);
                self.stop_buying(&mut actions);
                done(changed)
            }
            OperatorCommand::Guardian { alive } => {
                let changed = std::mem::replace(&mut self.gate.unguarded, !alive) == *alive;
                if !alive {
                    self.stop_buying(&mut actions);
                }
                done(changed)
            }
            OperatorCommand::Overload { is_behind } => {
                done(std::mem::replace(&mut self.gate.overloaded, *is_behind) != *is_behind)
            }
            OperatorCommand::ReduceOnly => done(!std::mem::replace(&mut self.gate.reduce_only, true)),
            OperatorCommand::Resume => {
                let was = std::mem::take(&mut self.gate.halted) | std::mem::take(&mut self.gate.reduce_only);
                done(was)
            }
            OperatorCommand::Pause { underlying } => done(self.gate.paused.insert(*underlying)),
            OperatorCommand::ResumeIndex { underlying } => done(self.gate.paused.remove(underlying)),
            OperatorCommand::Flatten { underlying } => {
                let scope = |_, u| underlying.is_none_or(|wanted| wanted == u);
                self.leave(ExitReason::Operator, scope, &mut actions);
                done(!actions.is_empty())
            }
            OperatorCommand::Close { position, lots, request } => self.close(*position, *lots, *request, &mut actions),
            OperatorCommand::Tighten { position, stop } => self.tighten(*position, *stop, &mut actions),
            OperatorCommand::ResetBreaker if !self.day.is_tripped() => refused(OperatorRefusal::NotTripped),
            OperatorCommand::ResetBreaker => {
                self.day.reset_breakers();
                done(true)
            }
            // What a person has looked at is the reconciler's, and what is adopted is found there; nothing here waits.
            OperatorCommand::Acknowledge | OperatorCommand::Adopt(_) => done(false),
            OperatorCommand::TripBreaker { .. } => {
                let changed = self.day.trip();
                self.leave(ExitReason::Operator, |_, _| true, &mut actions);
                if changed {
                    actions.push(RiskAction::Tripped { block: EntryBlock::Tripped, underlying: None });
                }
                done(changed)
            }
        };
        self.refresh_wake();
        (answer, actions)
    }

    /// Every entry that works is taken back.
    fn stop_buying(&self, actions: &mut RiskActions) {
        actions.extend(self.plans.keys().map(|position| RiskAction::StopBuying { position: *position }));
    }

    fn close(
        &mut self,
        position: PositionId,
        lots: Option<Lots>,
        request: u64,
        actions: &mut RiskActions,
    ) -> OperatorAnswer {
        let Some(plan) = self.plans.get(&position) else {
            return refused(OperatorRefusal::NotOpen { position });
        };
        if let Some(lots) = lots {
            if lots <= Lots::ZERO {
                return refused(OperatorRefusal::NotLots { lots });
            }
            let Some(p) = self.guarded.get_mut(&position) else {
                return refused(OperatorRefusal::NothingOwned { position });
            };
            if p.exiting.is_some() || request != 0 && !self.gate.requests.insert(request) {
                return done(false);
            }
            let qty = plan.lot.units(lots);
            if p.part + qty < p.owned {
                p.part += qty;
                actions.push(RiskAction::SellPart { position, qty });
                return done(true);
            }
        }
        self.leave(ExitReason::Operator, |id, _| id == position, actions);
        done(!actions.is_empty())
    }

    fn tighten(&mut self, position: PositionId, stop: Premium, actions: &mut RiskActions) -> OperatorAnswer {
        if !self.plans.contains_key(&position) {
            return refused(OperatorRefusal::NotOpen { position });
        }
        let Some(p) = self.guarded.get_mut(&position).filter(|p| p.owned > Qty::ZERO) else {
            return refused(OperatorRefusal::NothingOwned { position });
        };
        if p.exiting.is_some() {
            return refused(OperatorRefusal::Leaving { position });
        }
        let (asked, current) = (stop.ceil_to(p.plan.tick), p.protection.stop);
        if asked < current {
            return refused(OperatorRefusal::NotTighter { asked, current });
        }
        let sellable = p.mark.unwrap_or(p.average);
        if asked > current && asked >= sellable {
            return refused(OperatorRefusal::NotUnderMarket { asked, sellable });
        }
        let changed = p.tighten(asked);
        if changed {
            actions.push(protect(p, &self.params));
        }
        done(changed)
    }
}
