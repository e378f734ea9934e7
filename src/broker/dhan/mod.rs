//! Dhan v2.

pub mod codec;
