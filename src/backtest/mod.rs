//! Replays a market through the decision core and tells what came of it.

pub mod export;
#[cfg(test)]
pub(crate) mod fixture;
pub mod json;
pub mod result;
pub mod stats;
pub mod tables;
