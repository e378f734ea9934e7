//! The take-over: a minimal engine under a new lease, with "halt" and "flatten" as its first events. It ends when the
//! journal and the broker's books agree that nothing of ours is left.

use std::time::Duration;

use scalper_decide::domain::event::OperatorCommand;
use scalper_decide::domain::{Age, Instant};
use sd_notify::NotifyState;

use crate::engine::handle::EngineHandle;
use crate::engine::runtime::Stopped;
use crate::engine::start::{self, Plan, StartError};
use crate::engine::status::Status;

/// Wall time between two looks at what is left.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Who acts, for the audit trail.
const ACTOR: &str = "guardian";

/// How a take-over ended.
#[derive(Debug)]
pub enum Outcome {
    /// Nothing of ours is left.
    Flat {
        /// Session time from the start of the take-over.
        took: Age,
        /// Positions it found open.
        positions: usize,
    },
    /// The day ended first, or the core or the journal refused to go on.
    NotFlat {
        /// Why.
        why: String,
        /// Positions left.
        positions: usize,
    },
}

/// Whether nothing of ours is left, by the journal and by the broker.
fn is_flat(status: &Status) -> bool {
    let reconciled = status.reconciled_at.is_some_and(|at| at >= status.started_at);
    status.ready.exits
        && reconciled
        && status.in_doubt == 0
        && status.positions.is_empty()
        && status.orders.iter().all(|order| order.is_over)
}

/// Recovers, takes orders back and sells until flat.
///
/// # Errors
/// Nothing was begun: the folder is held by a living process, the lease cannot be taken, the journal does not replay.
pub async fn take_over(plan: Plan) -> Result<Outcome, StartError> {
    let clock = plan.clock.clone();
    let begun = clock.now();
    let (handle, status, asks) = start::handle(&plan);
    let started = start::start(plan, status, asks).await?;
    tracing::warn!(target: "guardian", "{}", started.summary);
    let closing = handle.clone();
    let found = actix_rt::spawn(async move { close(&closing).await });
    let stopped = started.run().await;
    let status = handle.status();
    match stopped {
        Stopped::Asked => {
            let positions = found.await.unwrap_or_default();
            Ok(Outcome::Flat { took: clock.now().age_of(begun), positions })
        }
        other => Ok(Outcome::NotFlat { why: format!("{other:?}"), positions: status.positions.len() }),
    }
}

/// Asks for the close of whatever turns up, and for the end once nothing does; the most positions seen at once.
async fn close(handle: &EngineHandle) -> usize {
    let (mut most, mut looked) = (0, Instant::default());
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let status = handle.status();
        if status.at == looked || status.journal.seq == 0 {
            continue;
        }
        looked = status.at;
        // A service manager must not end a take-over that goes on.
        let _ = sd_notify::notify(&[NotifyState::Watchdog]);
        most = most.max(status.positions.len());
        if is_flat(&status) {
            handle.stop(ACTOR).await;
            return most;
        }
        // An execution that came to light after the first word: it has to go as well.
        if status.positions.iter().any(|position| position.phase != "exiting") {
            handle.operate(OperatorCommand::Flatten { underlying: None }, ACTOR).await;
        }
    }
}
