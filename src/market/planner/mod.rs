//! Which instrument is subscribed on which socket, as a pure function of who wants what, what is placed now and which
//! sockets are connected. No clock, disk or network; equal inputs give equal plans.
//!
//! Who comes first when there is no room: pins (positions, working orders, own candidates), then tier B in its listed
//! order, then watchlist entries, the most recently used first. An entry goes as a whole or not at all; what another
//! owner wants of it stays (G1-9). What has a place keeps it, so a change of the wanted set moves nothing else.

mod messages;
mod place;
mod plan;
mod select;
mod want;
mod window;

pub use messages::{Action, Message};
pub use plan::{Change, LeftOut, Plan, What, Why, plan};
pub use want::{
    Chain, Desired, Entry, FeedMode, Limits, Owner, Pin, PinReason, Placed, Placement, Request, SocketId, Tier,
};
pub(super) use window::nearest;
pub use window::{Width, window};

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
