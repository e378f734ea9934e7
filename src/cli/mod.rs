//! One file per verb: a verb parses, calls one function, prints.

pub mod config;
