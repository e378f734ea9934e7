//! Brokers: what their wires say. Only Dhan so far.

pub mod dhan;
