//! The daemon's engine: the decision core with a clock, a market, a broker and a memory around it.

pub mod arming;
pub mod bell;
#[cfg(test)]
mod drill;
pub mod execution;
pub mod gateway;
pub mod handle;
pub mod held_quotes;
pub mod inbox;
pub mod lock_step;
pub mod notes;
mod opening;
pub mod publish;
pub mod reader;
pub mod recover;
pub mod release;
pub mod runtime;
pub mod schedule;
pub mod sent_log;
pub mod settlement;
pub mod sim;
pub mod sockets;
pub mod start;
pub mod status;
pub mod strain;
mod subscriptions;
pub mod token_care;
pub mod warm_up;
pub mod watch;
