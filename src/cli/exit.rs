//! Exit codes, documented in `docs/CLI.md`, and how an error reaches the reader.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use crate::backtest::run::NothingToReplay;
use crate::config::ConfigError;
use crate::sample::SampleError;
use crate::store::error::{Refusal, StoreError};
use crate::store::master::MasterError;
use crate::store::watchlist::SeedError;
use crate::tape::TapeError;
use crate::tape::import::ImportError;

/// Exit codes of every verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// Everything worked.
    Ok = 0,
    /// Something failed that is no fault of the input.
    Failure = 1,
    /// The command line is wrong.
    Usage = 2,
    /// Input data is wrong: a tape, an import file, a CSV.
    Data = 3,
    /// The configuration or a dated table is wrong.
    Config = 4,
    /// The guardian closed what the engine had left; a person should look.
    GuardianActed = 75,
    /// The guardian could not close everything.
    GuardianFailed = 76,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> ExitCode {
        ExitCode::from(code as u8)
    }
}

/// The input of a verb is wrong; the message says where and what would be right.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadInput(pub String);

/// The command line asks for something that cannot be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadUsage(pub String);

/// Turns the outcome of a verb into an exit code; errors go to standard error, cause by cause.
pub fn finish(result: anyhow::Result<Code>) -> ExitCode {
    match result {
        Ok(code) => code.into(),
        Err(e) => {
            if e.chain().any(reader_left) {
                return Code::Ok.into();
            }
            let code = classify(&e);
            match e.downcast_ref::<ConfigError>() {
                // Configuration errors draw the line with a caret under the fault.
                Some(config) => complain(&config.render(std::io::stderr().is_terminal())),
                None => complain(&format!("error: {}", causes(&e))),
            }
            code.into()
        }
    }
}

/// Whether the reader of our output has seen enough: `scalper .. | head` is no failure.
fn reader_left(cause: &(dyn std::error::Error + 'static)) -> bool {
    let kind = |e: &std::io::Error| e.kind() == std::io::ErrorKind::BrokenPipe;
    cause.downcast_ref::<std::io::Error>().is_some_and(kind)
}

/// Writes to standard error. When nobody reads it there is nobody left to tell.
fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Every cause once: many messages already end with that of their source.
fn causes(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.ends_with(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

fn classify(error: &anyhow::Error) -> Code {
    use scalper_decide::domain::calendar::OutsideCalendar;
    use scalper_decide::domain::charges::OutsideCharges;
    use scalper_decide::domain::contracts::OutsideContracts;
    // A table that does not cover a date counts as such wherever the date came from.
    for cause in error.chain() {
        if cause.is::<ConfigError>()
            || cause.is::<OutsideCalendar>()
            || cause.is::<OutsideContracts>()
            || cause.is::<OutsideCharges>()
        {
            return Code::Config;
        }
        if cause.is::<BadUsage>() {
            return Code::Usage;
        }
        if let Some(SeedError::Store(e)) = cause.downcast_ref::<SeedError>() {
            return of_store(e);
        }
        if let Some(e) = cause.downcast_ref::<StoreError>() {
            return of_store(e);
        }
    }
    for cause in error.chain() {
        if cause.is::<TapeError>()
            || cause.is::<ImportError>()
            || cause.is::<SampleError>()
            || cause.is::<BadInput>()
            || cause.is::<MasterError>()
            || matches!(cause.downcast_ref(), Some(SeedError::Unresolved { .. }))
            || cause.is::<NothingToReplay>()
        {
            return Code::Data;
        }
    }
    Code::Failure
}

/// A database that is wrong is wrong data; one that cannot be reached or is in use is a failure.
const fn of_store(error: &StoreError) -> Code {
    match error {
        StoreError::Refused(Refusal::Url(_)) => Code::Usage,
        StoreError::Refused(Refusal::Locked { .. } | Refusal::LeaseHeld { .. }) => Code::Failure,
        StoreError::Refused(_) | StoreError::Damaged(_) => Code::Data,
        _ => Code::Failure,
    }
}
