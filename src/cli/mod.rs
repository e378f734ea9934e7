//! One file per verb: it parses, calls one function and prints.

pub mod config;
pub mod data;
pub mod greeks;
