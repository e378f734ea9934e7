//! Runs: one process, one trading day. A run says what wrote its segments, and how the run before it ended.

use std::fmt;

use chrono::NaiveDate;
use scalper_decide::domain::{Instant, Seq};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::segment::Hash;

/// Who feeds events and who executes commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The built-in simulator.
    Sim,
    /// A real feed, simulated orders.
    Paper,
    /// Real orders.
    Live,
}

impl Mode {
    /// Its word.
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Sim => "sim",
            Mode::Paper => "paper",
            Mode::Live => "live",
        }
    }

    /// From its word.
    pub fn from_name(name: &str) -> Option<Mode> {
        [Mode::Sim, Mode::Paper, Mode::Live].into_iter().find(|mode| mode.name() == name)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// It is writing, or died without a word.
    Running,
    /// It said goodbye.
    Ended,
    /// It died; the run after it read its journal to the end.
    CrashedRecovered,
    /// Its journal cannot be believed; a person decides.
    Quarantined,
}

impl RunState {
    const ALL: [RunState; 4] = [RunState::Running, RunState::Ended, RunState::CrashedRecovered, RunState::Quarantined];

    /// Its word in the database.
    pub const fn name(self) -> &'static str {
        match self {
            RunState::Running => "running",
            RunState::Ended => "ended",
            RunState::CrashedRecovered => "crashed_recovered",
            RunState::Quarantined => "quarantined",
        }
    }

    /// From its word.
    pub fn from_name(name: &str) -> Option<RunState> {
        RunState::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// What a run is about to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun {
    /// Its id.
    pub id: Uuid,
    /// Who feeds and who executes.
    pub mode: Mode,
    /// The account; empty where there is none.
    pub account: String,
    /// The trading day.
    pub day: NaiveDate,
    /// Version and source hash of the program.
    pub binary: String,
    /// Hash of settings.
    pub config_hash: String,
    /// Hash of the dated tables.
    pub tables_hash: String,
    /// When it starts.
    pub started_at: Instant,
    /// Its first event is numbered one above this. Zero on the first run of a day in a fresh process.
    pub after: Seq,
}

/// A run as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// As announced.
    pub manifest: NewRun,
    /// Place among all runs, from 1.
    pub ordinal: i64,
    /// The run before.
    pub predecessor: Option<Uuid>,
    /// Last link of the run before; zeroes for the first run.
    pub predecessor_hash: Hash,
    /// First link of this run's chain.
    pub genesis: Hash,
    /// How it ended.
    pub state: RunState,
}

impl NewRun {
    /// First link of the chain: everything announced, behind the run before.
    pub fn genesis(&self, predecessor: Option<Uuid>, predecessor_hash: &Hash) -> Hash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(predecessor_hash).update(predecessor.unwrap_or_default().as_bytes()).update(self.id.as_bytes());
        let day = self.day.to_string();
        let texts = [self.mode.name(), &self.account, &day, &self.binary, &self.config_hash, &self.tables_hash];
        for text in texts {
            hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        }
        hasher.update(&self.started_at.nanos().to_le_bytes()).update(&self.after.0.to_le_bytes());
        *hasher.finalize().as_bytes()
    }
}
