//! Logs: pretty on a terminal, JSON otherwise, always to standard error and never in the way of a decision (G18): a
//! thread of its own writes them, and when it cannot keep up lines are dropped and counted.

use std::io::IsTerminal as _;

use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// Environment variable with the filter, e.g. `info,scalper::broker=debug`.
pub const FILTER_VAR: &str = "SCALPER_LOG";
/// Lines that may wait for the writer.
const WAITING_LINES: usize = 16_384;

/// Keeps the writer alive; lines still waiting are written when it is dropped.
#[derive(Debug)]
pub struct Logs {
    dropped: ErrorCounter,
    _writer: WorkerGuard,
}

impl Logs {
    /// Lines dropped so far.
    pub fn dropped(&self) -> usize {
        self.dropped.dropped_lines()
    }
}

/// Starts logging for the whole process. A filter that cannot be read falls back to `info`, and says so.
pub fn start() -> Logs {
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(WAITING_LINES)
        .thread_name("logs")
        .finish(std::io::stderr());
    let dropped = writer.error_counter();
    let wanted = std::env::var(FILTER_VAR).ok();
    let (filter, bad) = match wanted.as_deref().map(EnvFilter::try_new) {
        Some(Ok(filter)) => (filter, None),
        Some(Err(e)) => (EnvFilter::new("info"), Some(e.to_string())),
        None => (EnvFilter::new("info"), None),
    };
    let base = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    // A second start (tests) keeps the first subscriber.
    let _ = if std::io::stderr().is_terminal() {
        base.with_target(false).compact().try_init()
    } else {
        base.json().flatten_event(true).try_init()
    };
    if let Some(reason) = bad {
        tracing::warn!(reason, "{FILTER_VAR} is not a filter, logging at info");
    }
    Logs { dropped, _writer: guard }
}
