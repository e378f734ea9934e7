//! Between two days: how long a daemon rests, what it says of itself meanwhile, and what can be asked of it.

use std::sync::Arc;
use std::time::Duration;

use scalper_decide::domain::calendar::OutsideCalendar;
use scalper_decide::domain::operator::OperatorCommand;
use scalper_decide::domain::{Age, Instant, SessionCalendar, SessionHours};

use crate::engine::handle::{Ask, Outcome};
use crate::engine::status::{Link, Ready, Status, Waiting};
use crate::ops::doctor::Check;

/// Wall time before the second attempt at a start; each further one waits twice as long.
const FIRST_RETRY: Duration = Duration::from_secs(5);
/// The longest wait between two attempts: a few calls each, far below what the broker allows.
const LONGEST_RETRY: Duration = Duration::from_secs(300);
/// A simulated day begins fifteen minutes before its open; instruments and books are yesterday's until then.
const SIMULATED_MORNING: Age = Age::from_mins(14);

/// The first session that is not over at `now`.
///
/// # Errors
/// The calendar ends before it.
pub(super) fn next_session(calendar: &SessionCalendar, now: Instant) -> Result<SessionHours, OutsideCalendar> {
    let mut day = now.ist_date();
    loop {
        if let Some(hours) = calendar.hours(day)?.filter(|hours| now < hours.close_at()) {
            return Ok(hours);
        }
        day = day.succ_opt().expect("a calendar ends before time does");
    }
}

/// When the start for a session begins.
pub(super) fn begins_at(session: &SessionHours, prepare: Age, is_simulated: bool) -> Instant {
    let prepare = if is_simulated { prepare.min(SIMULATED_MORNING) } else { prepare };
    session.open_at() - prepare
}

/// The wait before the next attempt after so many failed ones.
pub(super) fn back_off(failures: u32) -> Duration {
    FIRST_RETRY.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST_RETRY)
}

/// `Mon 2026-02-16 09:15`.
fn when(session: &SessionHours) -> String {
    format!("{} {}", session.day.format("%a %Y-%m-%d"), &session.open().to_string()[..5])
}

/// One rest.
#[derive(Debug, Clone)]
pub(super) struct Rest {
    /// What is waited for.
    pub(super) session: SessionHours,
    /// When the start begins.
    pub(super) start_at: Instant,
    /// Why the last attempt at a start failed.
    pub(super) failed: Option<String>,
}

impl Rest {
    /// What is waited for, in words.
    pub(super) fn text(&self) -> String {
        match &self.failed {
            None => format!("the session of {}", when(&self.session)),
            Some(why) => {
                format!(
                    "another start for the session of {} at {}: {why}",
                    when(&self.session),
                    self.start_at.ist_text()
                )
            }
        }
    }

    /// The status of a daemon that rests: what was last known, with nothing ready and nothing connected.
    pub(super) fn status(&self, last: &Status, now: Instant) -> Status {
        let down = |link: &Link| Link { state: "down".to_owned(), ..link.clone() };
        Status {
            day: None,
            session_open: false,
            at: now,
            ready: Ready { exits: false, entries: false, waiting_for: vec![self.text()] },
            arming: last.arming.clone().map(|arming| crate::engine::status::ArmingStatus { armed: false, ..arming }),
            feed: down(&last.feed),
            push: down(&last.push),
            guardian: None,
            waiting: Some(Waiting {
                day: self.session.day,
                opens_at: self.session.open_at(),
                start_at: self.start_at,
                failed: self.failed.clone(),
            }),
            ..last.clone()
        }
    }
}

/// What a request made of a rest.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// It goes on.
    Nothing,
    /// The process is to end.
    Stop,
    /// Something is different now: a start that failed is worth another attempt.
    TryAgain,
}

/// Answers a request that comes while no engine runs. Doors that a person opens or closes are noted for the next start.
pub(super) fn answer(ask: Ask, rest: &Rest, noted: &mut Vec<OperatorCommand>) -> Told {
    let no_session = || Outcome::refused("NO_SESSION", format!("no engine runs: waiting for {}", rest.text()));
    match ask {
        Ask::Stop { actor, answer } => {
            tracing::info!(target: "control", actor, "asked to stop");
            let _ = answer.send(Outcome::Done { text: "stopping".to_owned() });
            return Told::Stop;
        }
        Ask::Configure { settings, actor, answer } => {
            tracing::info!(target: "control", actor, hash = settings.hash, "settings read again");
            let text =
                format!("the settings are right; the start for the session of {} takes them", when(&rest.session));
            let _ = answer.send(Outcome::Done { text });
            return if rest.failed.is_some() { Told::TryAgain } else { Told::Nothing };
        }
        Ask::Operate { command, actor, answer } => {
            let is_door = matches!(
                command,
                OperatorCommand::Halt
                    | OperatorCommand::ReduceOnly
                    | OperatorCommand::Resume
                    | OperatorCommand::Pause { .. }
                    | OperatorCommand::ResumeIndex { .. }
            );
            let outcome = if is_door {
                tracing::warn!(target: "control", actor, ?command, "noted for the next start");
                noted.push(command);
                let text = "noted: it is the first word to the next session, should this process live until then";
                Outcome::Done { text: text.to_owned() }
            } else {
                no_session()
            };
            let _ = answer.send(outcome);
        }
        Ask::Explain { answer, .. } | Ask::Arm { answer, .. } => {
            let _ = answer.send(no_session());
        }
        Ask::Examine { answer } => {
            let remedy = "ask again once the session's start is made";
            let _ = answer.send(vec![Check::failed("session", format!("waiting for {}", rest.text()), remedy)]);
        }
    }
    Told::Nothing
}

/// Says a failed start where it is heard: log, standard error and, by the alarm, the status.
pub(super) fn mourn(rest: &Rest) -> (&'static str, String) {
    let text = format!("no engine, no entries; waiting for {}", rest.text());
    tracing::error!(target: "alarm", key = "START_FAILED", text);
    ("START_FAILED", text)
}

/// The status while a start is under way, with what was known before.
pub(super) fn starting(last: &Status, now: Instant) -> Arc<Status> {
    let ready = Ready { exits: false, entries: false, waiting_for: vec!["the start to finish".to_owned()] };
    Arc::new(Status { at: now, ready, waiting: None, ..last.clone() })
}

#[cfg(test)]
#[path = "night_tests.rs"]
mod tests;
