//! What capital, risk and guard make of a change of a position. None of the three reads another, so their order is free;
//! the one fact that crosses is in the risk manager's answer.

use crate::capital_allocator::CapitalAllocator;
use crate::domain::{ExitReason, HoldId, IndexPrice, InstrumentId, OptionContract, PositionId, Qty, SignalId, Stamp};
use crate::entry_guard::EntryGuard;
use crate::journal::ExitNote;
use crate::order_manager::{OrderManager, PositionChange};
use crate::reconciler::Owned;
use crate::risk_manager::{EntryPlan, Excursion, RiskAction, RiskActions, RiskManager};

/// Whose position changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed {
    /// The position.
    pub position: PositionId,
    /// The capital behind it.
    pub hold: HoldId,
    /// Its contract.
    pub contract: OptionContract,
    /// Slot of the contract.
    pub instrument: InstrumentId,
    /// The signal that opened it.
    pub signal: SignalId,
}

/// The risk manager's answer to a change.
#[derive(Debug, Clone, Default)]
pub struct Reaction {
    /// What it wants done.
    pub actions: RiskActions,
    /// How far a position that ended went.
    pub excursion: Option<Excursion>,
    /// Whether these are the first units of the position.
    pub is_first: bool,
}

/// Units owned per contract; positions that were settled or written off count with what they ended with.
pub fn owned(orders: &OrderManager) -> Owned {
    let mut owned = Owned::new();
    for position in orders.positions() {
        *owned.entry(position.instrument).or_default() += position.owned();
    }
    owned
}

/// The order manager's part: whose position it is; `None` when it is nobody's.
pub fn whose(orders: &OrderManager, change: &PositionChange) -> Option<Changed> {
    let position = change.position();
    let entry = orders.entry(position)?;
    let (contract, plan) = (entry.contract, &entry.plan);
    Some(Changed { position, hold: entry.hold.id, contract, instrument: plan.instrument, signal: plan.signal })
}

/// The capital allocator's part.
pub fn account(allocator: &mut CapitalAllocator, whose: &Changed, change: &PositionChange) {
    match change {
        PositionChange::Bought { cost, charges, .. } => allocator.bought(whose.hold, *cost, *charges),
        PositionChange::EntryDone { .. } => allocator.entry_done(whose.hold),
        PositionChange::Sold { cost_basis, proceeds, charges, .. } => {
            allocator.sold(whose.hold, *cost_basis, *proceeds, *charges);
        }
        PositionChange::Repriced { amount, basis, charges, .. } => {
            allocator.repriced(whose.hold, *amount, *basis, *charges);
        }
        PositionChange::Abandoned { .. } => allocator.release(whose.hold),
        PositionChange::Unresolved { cost_basis, .. } => allocator.written_off(whose.hold, *cost_basis),
        PositionChange::Closed { .. } | PositionChange::Unprotected { .. } => {}
    }
}

/// The risk manager's part.
pub fn react(risk: &mut RiskManager, now: Stamp, whose: &Changed, change: &PositionChange) -> Reaction {
    let (position, underlying) = (whose.position, whose.contract.underlying);
    let mut reaction = Reaction::default();
    match change {
        PositionChange::Bought { owned, average, charges, .. } => {
            reaction.is_first = risk.guarded().all(|p| p.id != position);
            risk.book(underlying, -*charges);
            let protect = risk.bought(now, position, *owned, *average);
            let exits = risk.judge();
            let leaves = exits.iter().any(|e| matches!(e, RiskAction::Exit { position: p, .. } if *p == position));
            // A stop for units that leave in the same event would only stand in their way.
            let protect = if leaves { RiskActions::new() } else { protect };
            reaction.actions = protect.into_iter().chain(exits).collect();
        }
        PositionChange::Sold { cost_basis, proceeds, owned, charges, .. } => {
            risk.book(underlying, *proceeds - *cost_basis - *charges);
            risk.sold(position, *owned);
            reaction.actions = risk.judge();
        }
        PositionChange::Repriced { amount, basis, average, charges, .. } => {
            risk.book(underlying, *amount + *basis - *charges);
            let protect = risk.repriced(position, *average);
            reaction.actions = protect.into_iter().chain(risk.judge()).collect();
        }
        PositionChange::Closed { net, .. } => reaction.excursion = risk.closed(now.at, position, Some(*net)),
        PositionChange::Abandoned { .. } | PositionChange::Unresolved { .. } => {
            reaction.excursion = risk.closed(now.at, position, None);
        }
        PositionChange::Unprotected { .. } => reaction.actions = risk.unprotected(position),
        PositionChange::EntryDone { .. } => {}
    }
    reaction
}

/// The entry guard's part; `is_first` comes from the risk manager's answer.
pub fn remember(guard: &mut EntryGuard, now: Stamp, whose: &Changed, change: &PositionChange, is_first: bool) {
    match change {
        // An entry counts towards the day's trades with its first unit; one that never fills does not.
        PositionChange::Bought { .. } if is_first => guard.entered(now, whose.signal),
        PositionChange::Closed { .. } => {
            let contract = &whose.contract;
            guard.exited(now, contract.underlying, whose.signal.direction, contract.strike, contract.right);
        }
        _ => {}
    }
}

/// The risk manager's part of an exit note: the tag of the reason, with the figures it was configured with.
pub fn exit_tag(risk: &RiskManager, reason: Option<ExitReason>, plan: &EntryPlan) -> Option<String> {
    reason.map(|reason| risk.exit_tag(reason, plan))
}

/// The books of a position that has just ended; `None` when this change ends none. The index level is added by whoever
/// knows it, the tag by the risk manager.
pub fn exit_note(orders: &OrderManager, change: &PositionChange, excursion: Option<Excursion>) -> Option<ExitNote> {
    let (position, reason, unresolved, wanted) = match change {
        PositionChange::Closed { position, reason, .. } => (position, Some(*reason), Qty::ZERO, None),
        PositionChange::Abandoned { position } => (position, None, Qty::ZERO, None),
        PositionChange::Unresolved { position, owned, wanted, .. } => (position, None, *owned, *wanted),
        _ => return None,
    };
    let position = orders.position(*position)?.clone();
    Some(ExitNote { position, reason, excursion, index: None::<IndexPrice>, unresolved, wanted, tag: None })
}
