//! A position: quantity as a fold of fills, and the protection it cannot exist without (F-1, I4).

use serde::Serialize;

use super::charges::ChargeHeads;
use super::exit_reason::ExitReason;
use super::ids::{PositionId, SignalId};
use super::instrument::InstrumentId;
use super::money::{Money, Premium, Qty, Rounding};
use super::time::Instant;

/// A profit target, or the explicit decision to have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Leave at this premium or better.
    At(Premium),
    /// No target by configuration.
    Disabled,
}

/// What limits a position. There is no way to make one without a stop, a target decision and a deadline (F-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Protection {
    /// Trigger of the stop that rests at the venue.
    pub stop: Premium,
    /// Profit target.
    pub target: Target,
    /// Leave by then at the latest.
    pub deadline: Instant,
}

/// Where a position stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum PositionPhase {
    /// Entry sent; nothing or a part is owned.
    Opening,
    /// Owned; no entry order is working.
    Open,
    /// An exit was decided and is on its way.
    Exiting {
        /// Why.
        reason: ExitReason,
    },
    /// Flat again, by fills or settlement.
    Closed {
        /// Why.
        reason: ExitReason,
        /// When the last unit left.
        at: Instant,
    },
    /// The entry never filled.
    Abandoned,
    /// The session ended without a quote to leave at.
    Unresolved,
}

/// A position and its books. Quantities and money come from fills and settlement only (F-9, F-15, F-60).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Position {
    /// Its id.
    pub id: PositionId,
    /// The signal behind it.
    pub signal: SignalId,
    /// The contract.
    pub instrument: InstrumentId,
    /// Where it stands.
    pub phase: PositionPhase,
    /// Units bought.
    pub bought: Qty,
    /// Units sold or settled.
    pub sold: Qty,
    /// Money paid for the units bought.
    pub paid: Money,
    /// Money received for the units sold or settled.
    pub received: Money,
    /// Charges of every order so far.
    pub charges: ChargeHeads,
    /// First fill.
    pub opened_at: Option<Instant>,
}

impl Position {
    /// Units owned now.
    pub fn owned(&self) -> Qty {
        self.bought - self.sold
    }

    /// Average price paid, rounded half-up; `None` before the first fill.
    pub fn average_entry(&self) -> Option<Premium> {
        (self.bought.get() > 0).then(|| self.paid.per_unit(self.bought, Rounding::HalfUp))
    }

    /// Average price received, rounded half-up; `None` before the first exit fill.
    pub fn average_exit(&self) -> Option<Premium> {
        (self.sold.get() > 0).then(|| self.received.per_unit(self.sold, Rounding::HalfUp))
    }

    /// Gross result of a flat position.
    pub fn gross(&self) -> Money {
        self.received - self.paid
    }

    /// Result after charges of a flat position.
    pub fn net(&self) -> Money {
        self.gross() - self.charges.total()
    }

    /// Whether anything is owned or may still come.
    pub const fn is_live(&self) -> bool {
        matches!(self.phase, PositionPhase::Opening | PositionPhase::Open | PositionPhase::Exiting { .. })
    }
}
