//! The daemon's engine: the decision core with a clock, a market, a broker and a memory around it.

pub mod gateway;
pub mod handle;
pub mod sent_log;
pub mod status;
pub mod watch;
