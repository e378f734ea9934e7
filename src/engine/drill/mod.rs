//! The fault drill: the engine's own loop, gateway, release, reader and socket clients against the simulator's own
//! back office and servers, in one process and in virtual time, with a schedule of faults between them and an oracle
//! over both.
//!
//! Nothing here waits for the wall: tokio's clock is paused, and moves on by itself exactly when nobody has anything
//! left to do. Sockets are pipes and REST calls are handed over, so bytes arrive when they are written; the frames, the
//! bodies, the time-outs, the watchdogs and the back-offs are the real ones. The same seed gives the same run.
//!
//! `market` is a small lively exchange, `settings` a strategy that trades all the time, `memory` a journal whose
//! durability is known to the millisecond, `wire` the list of everything that was sent, `oracle` the invariants, `watched`
//! the core under the oracle's eyes, `world` puts all of it together, `bugs` plants faults of our own.

mod bugs;
mod market;
mod memory;
mod oracle;
mod settings;
mod tests;
mod watched;
mod wire;
mod world;
