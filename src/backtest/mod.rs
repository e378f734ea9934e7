//! Replays a tape through the decision core and tells what came of it.

pub mod result;
