//! Replays a market through the decision core and tells what came of it.

pub mod result;
