//! Running the daemon: the operator's socket, health and metrics over HTTP, logs.

pub mod api_token;
pub mod control;
pub mod doctor;
pub mod gauges;
pub mod http;
pub mod logging;
pub mod screen;
