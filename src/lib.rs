//! The outside of scalper: everything that can wait, fail or tell the time. Decisions live in `scalper-decide`.

pub mod actors;
pub mod api;
pub mod backtest;
pub mod broker;
pub mod cli;
pub mod clock;
pub mod config;
pub mod engine;
pub mod failpoint;
pub mod guardian;
pub mod journal;
pub mod market;
pub mod ops;
pub mod report;
pub mod sample;
pub mod simulator;
pub mod store;
pub mod tape;
