//! Wishes that go out. A command holds every detail; whoever executes it chooses nothing.

use serde::Serialize;

use super::ids::ClientOrderId;
use super::instrument::InstrumentId;
use super::money::Qty;
use super::order::{OrderSpec, OrderType};

/// Something to be done outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Place an order.
    Place(OrderSpec),
    /// Change type, prices or total quantity of a resting order to absolute values.
    Modify {
        /// Which order.
        id: ClientOrderId,
        /// What it trades.
        instrument: InstrumentId,
        /// Number of the modification, starting at 1.
        version: u8,
        /// New type and prices.
        order_type: OrderType,
        /// New total quantity, executed part included.
        qty: Qty,
    },
    /// Take an order back.
    Cancel {
        /// Which order.
        id: ClientOrderId,
        /// What it trades.
        instrument: InstrumentId,
    },
}

impl Command {
    /// The order it is about.
    pub const fn order_id(&self) -> ClientOrderId {
        match self {
            Command::Place(spec) => spec.id,
            Command::Modify { id, .. } | Command::Cancel { id, .. } => *id,
        }
    }
    /// The instrument it is about.
    pub const fn instrument(&self) -> InstrumentId {
        match self {
            Command::Place(spec) => spec.instrument,
            Command::Modify { instrument, .. } | Command::Cancel { instrument, .. } => *instrument,
        }
    }
}
