//! The decision core: values in, values out. No clock, runtime, network, disk, randomness or float money.
#![deny(clippy::float_arithmetic)]

pub mod capital_allocator;
pub mod chain_analyzer;
pub mod domain;
pub mod entry_guard;
pub mod greeks;
pub mod indicators;
pub mod params;
pub mod tick_cache;
pub mod venue_sim;
