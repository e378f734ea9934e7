//! What one event did to orders and positions, in the words other deciders use.

use serde::Serialize;
use smallvec::SmallVec;

use crate::domain::alarm::Alarm;
use crate::domain::{ClientOrderId, Command, ExitReason, Money, PositionId, Premium, Qty};

/// Commands of one step; rarely more than two.
pub type Commands = SmallVec<[Command; 2]>;

/// A change of a position that other deciders must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum PositionChange {
    /// Units were bought.
    Bought {
        /// Which position.
        position: PositionId,
        /// Money paid for them.
        cost: Money,
        /// Units owned now.
        owned: Qty,
        /// Average price of everything bought.
        average: Premium,
        /// Charges of this execution.
        charges: Money,
    },
    /// No entry order is working any more.
    EntryDone {
        /// Which position.
        position: PositionId,
    },
    /// Units were sold or settled.
    Sold {
        /// Which position.
        position: PositionId,
        /// What the units had cost.
        cost_basis: Money,
        /// Money received for them.
        proceeds: Money,
        /// Units owned now.
        owned: Qty,
        /// Charges of this execution.
        charges: Money,
    },
    /// The position is flat.
    Closed {
        /// Which position.
        position: PositionId,
        /// Why.
        reason: ExitReason,
        /// Result after charges.
        net: Money,
    },
    /// The entry never filled.
    Abandoned {
        /// Which position.
        position: PositionId,
    },
    /// Executions known already turned out to have another price: money moves, quantities do not. May come after the
    /// position has closed.
    Repriced {
        /// Which position.
        position: PositionId,
        /// Change of what was received less what was paid.
        amount: Money,
        /// Change of the cost of the units still owned; the realised result changes by `amount + basis`.
        basis: Money,
        /// Average price of everything bought, now.
        average: Premium,
        /// Change of the charges; negative when they fell.
        charges: Money,
    },
    /// The stop was refused or lost: what is owned has no protection.
    Unprotected {
        /// Which position.
        position: PositionId,
    },
    /// The session ended with units that could not be sold.
    Unresolved {
        /// Which position.
        position: PositionId,
        /// What the remaining units had cost.
        cost_basis: Money,
        /// Units still owned.
        owned: Qty,
        /// The exit that was wanted.
        wanted: Option<ExitReason>,
    },
}

/// What one event did to orders and positions.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Changes, in order.
    pub changes: SmallVec<[PositionChange; 2]>,
    /// Commands to send, in order.
    pub commands: Commands,
    /// What a person must hear of, in order.
    pub alarms: SmallVec<[Alarm; 1]>,
    /// Units taken over that an order executed beyond its end.
    pub adopted: SmallVec<[(ClientOrderId, Qty); 1]>,
}

impl Outcome {
    /// This outcome and then `later`.
    pub fn append(&mut self, later: Outcome) {
        self.changes.extend(later.changes);
        self.commands.extend(later.commands);
        self.alarms.extend(later.alarms);
        self.adopted.extend(later.adopted);
    }
}

impl PositionChange {
    /// The position it is about.
    pub const fn position(&self) -> PositionId {
        match self {
            PositionChange::Bought { position, .. }
            | PositionChange::EntryDone { position }
            | PositionChange::Sold { position, .. }
            | PositionChange::Repriced { position, .. }
            | PositionChange::Closed { position, .. }
            | PositionChange::Abandoned { position }
            | PositionChange::Unprotected { position }
            | PositionChange::Unresolved { position, .. } => *position,
        }
    }
}

/// Positions that count towards the entry guard's limits, working entries included (F-34).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exposure {
    /// In the same contract.
    pub in_contract: u32,
    /// In the same index.
    pub in_index: u32,
    /// Anywhere.
    pub total: u32,
    /// An order of the same index is in doubt.
    pub in_doubt: bool,
}
