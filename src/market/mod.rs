//! What the feed carries: the day's instrument list, the strikes around the money, and which instrument goes over which
//! socket. Everything here is a function of values; downloading, waiting and sending happen elsewhere.

pub mod planner;
pub mod quotes;
pub mod sync;

/// One subscribable instrument: segment and token inside it. A token alone names nothing: 25 is BANKNIFTY among the
/// indices and a share at NSE.
pub type Key = crate::broker::dhan::wire::request::Key;
