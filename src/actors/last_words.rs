//! How the process ends when it must (design 11, G3): a bug in a decider or the journal is caught at the top, what is
//! not yet on disk is flushed, and the process ends with a code of its own. Restart is recovery; the guardian covers
//! the gap, and protection rests at the broker.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;

/// Longest a flush may take before the process ends without it: a dead disk must not keep a dead engine alive.
const FLUSH_MAX: Duration = Duration::from_secs(3);

/// Why the process ends before its time; the number is its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Ending {
    /// A decider or the journal panicked.
    Panicked = 70,
    /// A decider stood still for too long.
    Stuck = 71,
    /// The core refused to go on ([`scalper_decide::pipeline::Halt`]).
    Halted = 72,
}

impl Ending {
    /// The exit code.
    pub const fn code(self) -> i32 {
        self as i32
    }
}

type Flush = Box<dyn FnOnce(Ending, &str) + Send>;

/// What is still to be done before the process ends. Clones share it; it is done once.
#[derive(Clone)]
pub struct LastWords {
    flush: Arc<Mutex<Option<Flush>>>,
    flush_max: Duration,
}

impl std::fmt::Debug for LastWords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LastWords").finish_non_exhaustive()
    }
}

impl LastWords {
    /// `flush` brings to disk what is not there yet. It runs on the thread that ends the process, with the reason.
    pub fn new(flush: impl FnOnce(Ending, &str) + Send + 'static) -> LastWords {
        LastWords { flush: Arc::new(Mutex::new(Some(Box::new(flush)))), flush_max: FLUSH_MAX }
    }

    /// Gives a flush less (or more) time than three seconds.
    #[must_use]
    pub fn within(self, flush_max: Duration) -> LastWords {
        LastWords { flush_max, ..self }
    }

    /// Speaks the last words and ends the process.
    pub fn end(&self, ending: Ending, why: &str) -> ! {
        let flush_max = self.flush_max;
        // The process ends even when the flush does not.
        let _ = std::thread::Builder::new().name("ending".to_owned()).spawn(move || {
            std::thread::sleep(flush_max);
            std::process::exit(ending.code());
        });
        tracing::error!(code = ending.code(), "the engine ends: {why}");
        let flush = self.flush.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        match flush {
            Some(flush) => {
                if catch_unwind(AssertUnwindSafe(|| flush(ending, why))).is_err() {
                    tracing::error!("the last flush panicked as well");
                }
            }
            // Another thread is at it.
            None => std::thread::sleep(flush_max),
        }
        std::process::exit(ending.code())
    }

    /// Runs work that must not fail: deciding, or keeping the journal. A panic in it ends the process.
    pub async fn guard<F: Future>(&self, work: F) -> F::Output {
        match AssertUnwindSafe(work).catch_unwind().await {
            Ok(output) => output,
            Err(panic) => self.end(Ending::Panicked, &text_of(panic.as_ref())),
        }
    }
}

/// The words of a panic.
fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}
