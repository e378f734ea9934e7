//! The checks before a session (N16): each says what it saw and what would help, and each can fail. Arming asks them all.

pub mod checks;
mod patient;
#[cfg(test)]
mod tests;

use comfy_table::{ContentArrangement, Table, presets};
use serde::{Deserialize, Serialize};

pub use patient::{AtBroker, Patient, Reads};

/// What became of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Not as it should be: no arming.
    Failed,
    /// Good for now; a person should act soon.
    Soon,
    /// Does not apply here, for the reason that stands as evidence.
    Skipped,
}

impl Verdict {
    /// Its word in the table.
    pub const fn word(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Failed => "FAIL",
            Verdict::Soon => "soon",
            Verdict::Skipped => "-",
        }
    }
}

/// One check and its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// The outcome.
    pub verdict: Verdict,
    /// What was seen.
    pub evidence: String,
    /// What would help; empty when nothing is wrong.
    pub remedy: String,
}

impl Check {
    fn new(name: &str, verdict: Verdict, evidence: impl Into<String>, remedy: &str) -> Check {
        Check { name: name.to_owned(), verdict, evidence: evidence.into(), remedy: remedy.to_owned() }
    }
    fn ok(name: &str, evidence: impl Into<String>) -> Check {
        Check::new(name, Verdict::Ok, evidence, "")
    }
    pub(crate) fn failed(name: &str, evidence: impl Into<String>, remedy: &str) -> Check {
        Check::new(name, Verdict::Failed, evidence, remedy)
    }
    fn soon(name: &str, evidence: impl Into<String>, remedy: &str) -> Check {
        Check::new(name, Verdict::Soon, evidence, remedy)
    }
    fn skipped(name: &str, why: impl Into<String>) -> Check {
        Check::new(name, Verdict::Skipped, why, "")
    }
}

/// Checks that failed.
pub fn failures(checks: &[Check]) -> impl Iterator<Item = &Check> {
    checks.iter().filter(|check| check.verdict == Verdict::Failed)
}

/// All of it as one table.
pub fn table(checks: &[Check]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["check", "", "evidence", "what would help"]);
    for check in checks {
        table.add_row([check.name.as_str(), check.verdict.word(), &check.evidence, &check.remedy]);
    }
    table.to_string()
}
