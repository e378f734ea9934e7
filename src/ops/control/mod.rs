//! The operator's way in: newline-delimited JSON over a unix socket that only its owner may open (S25, S26). It needs
//! neither the network nor the database.

pub mod client;
pub mod protocol;
pub mod server;

/// Name of the socket inside the data directory.
pub const SOCKET: &str = "control.sock";
