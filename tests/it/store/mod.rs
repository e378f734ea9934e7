//! Journal and store against real databases, real files and real kills.

mod cli;
mod conformance;
mod failures;
mod kills;
mod market_day;
mod measure;
pub(crate) mod postgres;
mod subscriptions;
