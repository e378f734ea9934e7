//! The engine's sign of life. It is written at the end of a look at the books, by the decision loop itself: a loop that
//! hangs, or deciders that do not answer, fall silent.

use std::path::{Path, PathBuf};

use scalper_decide::decision_core::Books;
use scalper_decide::domain::Instant;
use serde::{Deserialize, Serialize};

use super::process::Process;
use super::slate::{self, Slate};

/// File name inside the data folder.
const FILE: &str = "engine.beat";

/// How an engine ended in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// Somebody asked for it.
    Asked,
    /// The trading day is over.
    DayOver,
}

/// One sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// Whose.
    pub process: Process,
    /// Grows with every look.
    pub count: u64,
    /// Session time.
    pub at: Instant,
    /// Positions that own something.
    pub positions: u32,
    /// Orders that are not over.
    pub orders: u32,
    /// Set when the engine ended in order; nothing follows.
    pub ended: Option<Ended>,
}

impl Beat {
    /// The latest of a data folder.
    pub fn read(dir: &Path) -> Option<Beat> {
        slate::read(&dir.join(FILE))
    }

    /// Whether something is left to be closed or taken back.
    pub const fn is_holding(&self) -> bool {
        self.positions > 0 || self.orders > 0
    }
}

/// The writing end.
#[derive(Debug)]
pub struct Heart {
    path: PathBuf,
    slate: Option<Slate>,
    beat: Beat,
}

impl Heart {
    /// A heart that has not beaten yet.
    pub fn new(dir: &Path) -> Heart {
        let at = Instant::default();
        let beat = Beat { process: Process::me(), count: 0, at, positions: 0, orders: 0, ended: None };
        Heart { path: dir.join(FILE), slate: None, beat }
    }

    /// The decision loop has gone on.
    pub fn beat(&mut self, at: Instant, books: &Books) {
        let orders = books.orders.orders().filter(|(order, _)| !order.state.is_terminal()).count();
        // What the status shows as open: a position whose entry ended without an execution is none.
        let positions = books.risk.guarded().count();
        let (positions, orders) = (u32::try_from(positions), u32::try_from(orders));
        self.beat.count += 1;
        self.beat.at = at;
        self.beat.positions = positions.unwrap_or(u32::MAX);
        self.beat.orders = orders.unwrap_or(u32::MAX);
        self.write();
    }

    /// The engine ends in order, with what it holds by the last look.
    pub fn end(&mut self, ended: Ended) {
        self.beat.count += 1;
        self.beat.ended = Some(ended);
        self.write();
    }

    /// A beat that cannot be written is silence, which is what it should be: the log says why.
    fn write(&mut self) {
        let slate = match self.slate.take() {
            Some(slate) => Ok(slate),
            None => Slate::open(&self.path),
        };
        match slate.and_then(|slate| slate.write(&self.beat).map(|()| slate)) {
            Ok(slate) => self.slate = Some(slate),
            Err(e) => tracing::error!(target: "guardian", "no sign of life in {}: {e}", self.path.display()),
        }
    }
}
