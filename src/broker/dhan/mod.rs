//! Dhan v2: the wire in both directions ([`wire`]), and the clients of its three sockets.

pub mod credentials;
pub mod depth;
pub mod feed;
pub mod order_updates;
pub mod socket;
pub mod wire;
