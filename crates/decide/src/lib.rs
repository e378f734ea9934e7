//! The decision core: values in, values out. No clock, runtime, network, disk, randomness or float money.
//!
//! Rooms in reading order: [`domain`] holds the words, [`indicators`] and [`greeks`] the models.
#![deny(clippy::float_arithmetic)]

pub mod domain;
pub mod params;
pub mod venue_sim;
