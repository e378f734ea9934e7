//! Replays a market through the decision core and tells what came of it.

pub mod assumptions;
pub mod export;
pub mod feed;
#[cfg(test)]
pub(crate) mod fixture;
pub mod json;
pub mod memory_feed;
pub mod recorder;
pub mod replay;
pub mod result;
pub mod rules;
pub mod run;
pub mod sample_feed;
pub mod stats;
pub mod tables;
pub mod tape_feed;
