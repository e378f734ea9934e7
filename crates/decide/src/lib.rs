//! The decision core: values in, values out. No clock, runtime, network, disk, randomness or float money.
#![deny(clippy::float_arithmetic)]

pub mod domain;
pub mod greeks;
pub mod indicators;
pub mod params;
pub mod tick_cache;
