//! The guardian: a process of its own that outlives the engine and closes what the engine holds when the engine dies or
//! falls silent (N6, E8, I20).
//!
//! | file | what |
//! |---|---|
//! | `process` | which process, and whether it lives |
//! | `slate` | a small file that one process writes over and over and others read |
//! | `beat` | the engine's sign of life, written by the progress of its decision loop |
//! | `post` | the guardian's sign of life, its lock, and the engine's look at it |
//! | `watch` | signs in, verdict out; no clock, no disk |
//! | `act` | the take-over: a minimal engine that recovers the journal under a new lease and flattens |
//!
//! There is no second order logic here. The guardian starts the same core from the same journal with "halt" and
//! "flatten" as its first events, so exits, the ladder, doubt and the caps on sells are those of the engine.

pub mod act;
pub mod beat;
pub mod post;
pub mod process;
pub mod slate;
pub mod watch;
