//! What goes over the operator's socket: one JSON object per line, an answer to each.

use scalper_decide::domain::event::OperatorCommand;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::engine::handle::Outcome;
use crate::engine::status::Status;
use crate::ops::doctor::Check;

/// Longest line either side takes, bytes.
pub const LINE_MAX: usize = 1024 * 1024;

/// A request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Request {
    /// The latest status, once.
    Status,
    /// Every newer status until the connection ends.
    Watch,
    /// A command; `key` makes a repeated one harmless (I7, S21).
    Operate {
        /// The same key is carried out once and answered alike.
        key: Uuid,
        /// The command.
        command: OperatorCommand,
    },
    /// Inputs, gates, values and thresholds of a second or an order.
    Explain {
        /// Time of day, client order id or position number.
        what: String,
    },
    /// Permission to trade with real money.
    Arm {
        /// The typed phrase.
        phrase: String,
    },
    /// Read the settings again and take over what is safe to change.
    Reload,
    /// Every check that arming looks at.
    Doctor,
    /// End the process in order.
    Stop,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Response {
    /// To `Status` and `Watch`.
    Status {
        /// The status.
        status: Box<Status>,
    },
    /// To `Doctor`.
    Checks {
        /// The checks.
        checks: Vec<Check>,
    },
    /// To everything else.
    Outcome {
        /// What became of it.
        outcome: Outcome,
    },
    /// The line was no request.
    Malformed {
        /// Why.
        text: String,
    },
}
