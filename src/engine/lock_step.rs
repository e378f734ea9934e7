//! A run in step with a simulator whose clock waits for its client (parity runs, design 13): nothing is conflated, and
//! session time stands still until everything seen is decided and every call it led to is answered.

use scalper_decide::domain::Instant;
use tokio::sync::watch;

use super::publish::Evidence;
use crate::simulator::sockets::Acknowledged;

/// Tells the simulator how far this run has come. When it is dropped the simulator waits no longer.
#[derive(Debug)]
pub struct LockStep(watch::Sender<Acknowledged>);

impl LockStep {
    /// The simulator has the other end, [`crate::simulator::server::SimServerConfig::acknowledged`].
    pub const fn new(tell: watch::Sender<Acknowledged>) -> LockStep {
        LockStep(tell)
    }

    /// Everything up to `until` is done, and so is everything that came out of the sockets so far; the run wants to do
    /// something by itself at `wakes`.
    pub(super) fn done(&self, until: Instant, wakes: Option<Instant>, evidence: &Evidence) {
        let Evidence { packets, updates, .. } = *evidence;
        let now = Acknowledged { packets, updates, until: Some(until), wakes };
        self.0.send_if_modified(|told| std::mem::replace(told, now) != now);
    }
}
