//! What the three socket clients share: dialling, back-off, the watchdog, the state of a link with its evidence, and
//! the loop that drives one connection after another. A client adds only its dialect.
//!
//! Everything runs in the task that awaits the client, so a frame reaches the decision on the thread that read it.

mod backoff;
mod config;
mod dial;
mod driver;
mod gate;
mod link;
mod protocol;
mod shards;
mod subscriptions;
mod watchdog;

#[cfg(test)]
pub(crate) mod test_server;
#[cfg(test)]
mod tests;

pub use config::SocketConfig;
pub use link::{Anomaly, DownCause, LinkReport, LinkState};
pub use subscriptions::Wanted;

#[cfg(test)]
pub(crate) use dial::Piper;
pub(crate) use dial::with_query;
pub(crate) use driver::{Driver, Inputs};
pub(crate) use gate::Gate;
pub(crate) use protocol::{Counts, Protocol, Received};
pub(crate) use shards::{Shards, hand_out};
pub(crate) use subscriptions::Subscriptions;
