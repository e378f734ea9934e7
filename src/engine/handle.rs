//! The way into the engine for everyone outside the decision thread: read the latest status, ask for something.

use std::fmt;
use std::sync::Arc;

use scalper_decide::domain::event::OperatorCommand;
use scalper_decide::params::StrategyParams;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};

use super::status::Status;
use crate::ops::doctor::Check;

/// Requests that may wait; more are refused at once (G9).
const WAITING: usize = 64;

/// What the engine answered to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Done; what was done in words.
    Done {
        /// The words.
        text: String,
    },
    /// Not done, and why.
    Refused {
        /// Short code.
        code: String,
        /// The reason, with what would be right.
        text: String,
    },
}

impl Outcome {
    /// A refusal.
    pub fn refused(code: &str, text: impl Into<String>) -> Outcome {
        Outcome::Refused { code: code.to_owned(), text: text.into() }
    }
}

/// Settings read anew, proved.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSettings {
    /// What the core may take over.
    pub params: StrategyParams,
    /// Hash of configuration and tables.
    pub hash: String,
}

/// Reads the settings again, or says in words what is wrong with them. It may block.
pub type ReadSettings = Arc<dyn Fn() -> Result<NewSettings, String> + Send + Sync>;

/// A request on its way to the decision thread.
#[derive(Debug)]
pub enum Ask {
    /// A person acts.
    Operate {
        /// What is wanted.
        command: OperatorCommand,
        /// Who asked, for the audit trail.
        actor: String,
        /// Where the answer goes.
        answer: oneshot::Sender<Outcome>,
    },
    /// Inputs, gates, values and thresholds of a second or an order (N12).
    Explain {
        /// A time of day `HH:MM[:SS]`, a client order id or a position number.
        what: String,
        /// Where the answer goes.
        answer: oneshot::Sender<Outcome>,
    },
    /// Settings read anew.
    Configure {
        /// The settings.
        settings: Box<NewSettings>,
        /// Who asked.
        actor: String,
        /// Where the answer goes.
        answer: oneshot::Sender<Outcome>,
    },
    /// Permission to trade with real money until the session ends.
    Arm {
        /// The typed phrase.
        phrase: String,
        /// Who asked.
        actor: String,
        /// Where the answer goes.
        answer: oneshot::Sender<Outcome>,
    },
    /// Look at everything that arming looks at.
    Examine {
        /// Where the checks go.
        answer: oneshot::Sender<Vec<Check>>,
    },
    /// End the process in order.
    Stop {
        /// Who asked.
        actor: String,
        /// Where the answer goes.
        answer: oneshot::Sender<Outcome>,
    },
}

/// A handle on a running engine. Clones share it.
#[derive(Clone)]
pub struct EngineHandle {
    status: watch::Receiver<Arc<Status>>,
    asks: mpsc::Sender<Ask>,
    settings: Option<ReadSettings>,
}

impl fmt::Debug for EngineHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineHandle").field("asks", &self.asks).finish_non_exhaustive()
    }
}

impl EngineHandle {
    /// A handle and the ends the engine keeps.
    pub fn new(first: Status) -> (EngineHandle, watch::Sender<Arc<Status>>, mpsc::Receiver<Ask>) {
        let (status_in, status) = watch::channel(Arc::new(first));
        let (asks, asked) = mpsc::channel(WAITING);
        (EngineHandle { status, asks, settings: None }, status_in, asked)
    }

    /// The same handle, able to read the settings again.
    pub fn reading(self, settings: ReadSettings) -> EngineHandle {
        EngineHandle { settings: Some(settings), ..self }
    }

    /// Where requests go, for whoever stands between an engine and those who ask.
    pub fn asks(&self) -> mpsc::Sender<Ask> {
        self.asks.clone()
    }

    /// The latest status.
    pub fn status(&self) -> Arc<Status> {
        self.status.borrow().clone()
    }

    /// A receiver that sees every newer status.
    pub fn watch(&self) -> watch::Receiver<Arc<Status>> {
        self.status.clone()
    }

    async fn ask(&self, make: impl FnOnce(oneshot::Sender<Outcome>) -> Ask) -> Outcome {
        let (answer, answered) = oneshot::channel();
        match self.asks.try_send(make(answer)) {
            Ok(()) => answered.await.unwrap_or_else(|_| Outcome::refused("ENGINE_GONE", "the engine stopped first")),
            Err(mpsc::error::TrySendError::Full(_)) => {
                Outcome::refused("BUSY", format!("{WAITING} requests are waiting already; try again"))
            }
            Err(mpsc::error::TrySendError::Closed(_)) => Outcome::refused("ENGINE_GONE", "the engine has stopped"),
        }
    }

    /// Hands a person's command in.
    pub async fn operate(&self, command: OperatorCommand, actor: &str) -> Outcome {
        let actor = actor.to_owned();
        self.ask(|answer| Ask::Operate { command, actor, answer }).await
    }

    /// Asks for the inputs and answers of a moment or an order.
    pub async fn explain(&self, what: &str) -> Outcome {
        let what = what.to_owned();
        self.ask(|answer| Ask::Explain { what, answer }).await
    }

    /// Reads the settings again and hands them in. Settings that are wrong change nothing.
    pub async fn reload(&self, actor: &str) -> Outcome {
        let Some(read) = self.settings.clone() else {
            return Outcome::refused("FIXED", "this engine does not read its settings from a file");
        };
        match tokio::task::spawn_blocking(move || read()).await {
            Ok(Ok(settings)) => {
                let (settings, actor) = (Box::new(settings), actor.to_owned());
                self.ask(|answer| Ask::Configure { settings, actor, answer }).await
            }
            Ok(Err(wrong)) => Outcome::refused("CONFIG", format!("{wrong}\nnothing was changed")),
            Err(e) => Outcome::refused("CONFIG", format!("the settings could not be read: {e}; nothing was changed")),
        }
    }

    /// Asks for permission to trade with real money.
    pub async fn arm(&self, phrase: &str, actor: &str) -> Outcome {
        let (phrase, actor) = (phrase.to_owned(), actor.to_owned());
        self.ask(|answer| Ask::Arm { phrase, actor, answer }).await
    }

    /// Asks for all checks; why there are none otherwise.
    pub async fn examine(&self) -> Result<Vec<Check>, Outcome> {
        let gone = || Outcome::refused("ENGINE_GONE", "the engine stopped first");
        let (answer, answered) = oneshot::channel();
        self.asks.send(Ask::Examine { answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())
    }

    /// Asks the engine to stop.
    pub async fn stop(&self, actor: &str) -> Outcome {
        let actor = actor.to_owned();
        self.ask(|answer| Ask::Stop { actor, answer }).await
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use scalper_decide::domain::Instant;

    use super::super::status::Mode;
    use super::*;

    #[tokio::test]
    async fn a_request_to_a_stopped_engine_is_refused_and_does_not_hang() {
        let (handle, _status, asked) = EngineHandle::new(Status::starting(Mode::Sim, "t", "h", Instant::from_secs(1)));
        drop(asked);
        assert!(matches!(handle.explain("10:00").await, Outcome::Refused { code, .. } if code == "ENGINE_GONE"));
    }

    #[tokio::test]
    async fn more_requests_than_may_wait_are_refused_at_once() {
        // G9: bounded, with a named behaviour at the limit.
        let (handle, _status, _asked) = EngineHandle::new(Status::starting(Mode::Sim, "t", "h", Instant::from_secs(1)));
        // Polled once each: the request is sent, the answer is waited for.
        let mut waiting: Vec<_> = (0..WAITING).map(|_| Box::pin(handle.explain("10:00"))).collect();
        assert!(waiting.iter_mut().all(|asked| asked.now_or_never().is_none()));
        assert!(matches!(handle.explain("10:00").await, Outcome::Refused { code, .. } if code == "BUSY"));
    }
}
