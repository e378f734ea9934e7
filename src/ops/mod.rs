//! Running the daemon: the operator's socket, the doctor's checks, metrics, logs.

pub mod control;
pub mod doctor;
pub mod gauges;
pub mod logging;
pub mod once;
pub mod screen;
