//! The day's journal: every stamped event of the core, ticks included, in segments that prove themselves. A command
//! leaves only after the segment that led to it is durable (L1, I12); a restart replays the day.

pub mod codec;
pub mod emergency;
pub mod run;
pub mod segment;
mod varint;
pub mod writer;
