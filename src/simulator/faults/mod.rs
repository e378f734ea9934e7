//! The fault schedule: what goes wrong at the simulated broker, when, and how often it did. A schedule is a seed and
//! rules ([`Rule`]: a [`FaultKind`], its occasions, a window of the day); it is asked on the real path of every call,
//! message and connection, so what it says happens to the thing itself: an order whose response is lost was taken.
//!
//! `file` reads schedules, `kind` is the closed list, `schedule` draws and counts, `calls` and `messages` turn a draw
//! into what happens to REST and to sockets. `docs/FAULTS.md` is the page for people.

mod calls;
mod file;
mod kind;
mod messages;
mod schedule;
#[cfg(test)]
mod tests;

pub use file::read;
pub use kind::{FaultKind, Occasion};
pub use schedule::{Count, FaultSchedule, Happens, Rule};
