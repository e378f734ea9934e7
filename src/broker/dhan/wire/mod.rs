//! Dhan's sockets as values: every packet, frame and request, decoded and encoded by pure functions. Clients decode
//! what the simulator encodes and the other way round, so the two can never disagree about an offset.

mod bytes;
pub mod clock;
pub mod depth;
pub mod disconnect;
pub mod fields;
pub mod login;
pub mod order_alert;
pub mod order_row;
pub mod packet;
pub mod packet_encode;
pub mod price;
pub mod request;
pub mod words;

#[cfg(test)]
mod order_alert_tests;
#[cfg(test)]
mod packet_tests;
