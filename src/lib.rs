//! The outside of scalper: everything that can wait, fail or tell the time. Decisions live in `scalper-decide`.

pub mod backtest;
pub mod broker;
pub mod cli;
pub mod clock;
pub mod config;
pub mod failpoint;
pub mod journal;
pub mod report;
pub mod sample;
pub mod store;
pub mod tape;
