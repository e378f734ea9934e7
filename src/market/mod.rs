//! What the feed carries: the day's instrument list, the strikes around the money, and which instrument goes over which
//! socket. Everything here is a function of values, but for the shelf of lists and the thin shell of `sync`.

pub mod atm;
pub mod master;
pub mod overview;
pub mod planner;
pub mod quotes;
pub mod sample;
pub mod sync;
pub mod universe;

/// One subscribable instrument: segment and token inside it. A token alone names nothing: 25 is BANKNIFTY among the
/// indices and a share at NSE.
pub type Key = crate::broker::dhan::wire::request::Key;
