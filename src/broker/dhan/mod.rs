//! Dhan v2: the bytes of its sockets in both directions ([`wire`]), the clients of its three sockets, and its REST API
//! ([`rest`]).

pub mod credentials;
pub mod depth;
pub mod feed;
pub mod order_updates;
pub mod rest;
pub mod socket;
pub mod wire;
