//! One file per verb: it parses, calls one function and prints.

pub mod greeks;
