//! Arming: permission to risk real money until the session ends. A person types account and caps, every check is looked
//! at beside the loop, and only then the core hears of it (S24, N16).

use std::sync::Arc;

use scalper_decide::domain::{Lots, Money};
use tokio::sync::{mpsc, oneshot};

use super::handle::Outcome;
use super::status::{Mode, Status};
use crate::ops::doctor::{self, Check, Patient};
use crate::report::format::rupees;

/// What has to be typed: the account and the caps in force.
pub fn phrase(account: &str, lots: Lots, loss: Money) -> String {
    let loss = Money::from_paise(loss.paise().abs());
    format!("arm {account}: at most {} lots a trade, at most {} lost a day", lots.get(), rupees(loss))
}

/// A wish to arm whose checks are known.
#[derive(Debug)]
pub struct Examined {
    /// What was typed.
    pub phrase: String,
    /// Who asked.
    pub actor: String,
    /// What the checks found.
    pub checks: Vec<Check>,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Outcome>,
}

/// The checks, asked beside the loop: they wait for the broker, and exits must not.
pub struct Arming {
    patient: Patient,
    done: mpsc::UnboundedSender<Examined>,
    examined: mpsc::UnboundedReceiver<Examined>,
}

impl Arming {
    /// Arming that looks at `patient`.
    pub fn new(patient: Patient) -> Arming {
        let (done, examined) = mpsc::unbounded_channel();
        Arming { patient, done, examined }
    }

    /// Starts the checks for a wish to arm; what is wrong with the wish itself is answered at once.
    pub fn ask(&self, status: Option<Arc<Status>>, phrase: String, actor: String, answer: oneshot::Sender<Outcome>) {
        if let Some(refused) = self.wrong(&phrase, status.as_deref()) {
            let _ = answer.send(refused);
            return;
        }
        let (patient, done) = (self.patient.clone(), self.done.clone());
        actix_rt::spawn(async move {
            let checks = patient.examine(status.as_deref()).await;
            // When the loop is gone nobody waits for this either.
            let _ = done.send(Examined { phrase, actor, checks, answer });
        });
    }

    /// Looks at everything, for a person.
    pub fn show(&self, status: Option<Arc<Status>>, answer: oneshot::Sender<Vec<Check>>) {
        let patient = self.patient.clone();
        actix_rt::spawn(async move {
            let _ = answer.send(patient.examine(status.as_deref()).await);
        });
    }

    /// The next wish whose checks are known.
    pub async fn examined(&mut self) -> Examined {
        self.examined.recv().await.expect("a sender lives as long as this")
    }

    /// What is wrong with the phrase, or with arming here at all.
    fn wrong(&self, typed: &str, status: Option<&Status>) -> Option<Outcome> {
        if self.patient.mode != Mode::Live {
            let text = "only an engine in live mode is armed; this one trades no real money";
            return Some(Outcome::refused("NOT_LIVE", text));
        }
        let arming = status.and_then(|status| status.arming.as_ref());
        match arming.and_then(|arming| arming.phrase.as_deref()) {
            None => {
                Some(Outcome::refused("NO_CAPS", "the loss limit of the day is not known, so nothing can be capped"))
            }
            Some(expected) if expected != typed.trim() => {
                Some(Outcome::refused("WRONG_PHRASE", format!("type exactly: {expected}")))
            }
            Some(_) => None,
        }
    }

    /// Why a wish is refused now that its checks are known.
    pub fn refusal(&self, examined: &Examined, status: Option<&Status>) -> Option<Outcome> {
        if let Some(wrong) = self.wrong(&examined.phrase, status) {
            return Some(wrong);
        }
        let failed: Vec<String> = doctor::failures(&examined.checks)
            .map(|check| format!("{}: {} ({})", check.name, check.evidence, check.remedy))
            .collect();
        (!failed.is_empty()).then(|| Outcome::refused("CHECKS_FAILED", failed.join("; ")))
    }
}
