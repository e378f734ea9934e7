//! Dhan v2.

pub mod codec;
pub mod credentials;
pub mod rest;
