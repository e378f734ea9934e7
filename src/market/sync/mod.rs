//! The subscription manager: up to five sockets carry what the planner says, and what is shown is what the server has
//! confirmed with data (G1-6, G1-7, F-70).
//!
//! [`Manager`] is a state machine with the time as an argument: wishes and states of connections in, sets per socket
//! out. [`Confirm`] compares what was handed out with what arrived, per socket and class of instrument. [`Handle`] is
//! how everybody else says what they want; [`run`] is the thin shell that moves sets, evidence and time between them.

mod class;
mod confirm;
mod handle;
mod manager;
mod pulse;
mod shell;
mod standing;

pub use class::{Class, Expected};
pub use confirm::{Confirm, Evidence, Ring};
pub use handle::Handle;
pub use manager::{LogLine, Manager, Move, Ms, Order, Settings, Step};
pub use shell::{Link, run};
pub use standing::{ClassStanding, EntryStanding, SocketStanding, Standing};

#[cfg(test)]
mod outage;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
