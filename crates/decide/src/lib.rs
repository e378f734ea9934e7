//! The decision core: values in, values out. No clock, runtime, network, disk, randomness or float money.
//!
//! Rooms in reading order: [`domain`] holds the words and [`params`] every setting; [`indicators`] and [`greeks`] are
//! the models. Then the stages in the order an event meets them: [`sequencer`], [`tick_cache`], [`signal_engine`],
//! [`chain_analyzer`], [`capital_allocator`], [`entry_guard`], [`risk_manager`], [`order_manager`]. [`reconciler`] turns
//! a broker's words into order reports and [`rate_budget`] counts our calls to it. [`pipeline`] is the one order of the
//! stages, [`stages`] what each does beyond its core, [`direct`] the wiring by plain calls and [`decision_core`] any
//! wiring as its drivers see it; [`venue_sim`] fills orders in backtest and paper, and [`paper`] holds it beside a daemon;
//! [`journal`] and [`digest`] remember.
#![deny(clippy::float_arithmetic)]

pub mod capital_allocator;
pub mod chain_analyzer;
pub mod decision_core;
#[cfg(test)]
mod dice;
pub mod digest;
pub mod direct;
pub mod domain;
pub mod entry_guard;
pub mod greeks;
pub mod indicators;
pub mod journal;
pub mod order_manager;
pub mod paper;
pub mod params;
pub mod pipeline;
pub mod rate_budget;
pub mod reconciler;
pub mod risk_manager;
pub mod sequencer;
pub mod signal_engine;
pub mod stages;
pub mod tick_cache;
pub mod venue_sim;
