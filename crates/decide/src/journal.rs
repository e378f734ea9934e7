//! What the core remembers of each event, in order. The digest over it tells two replays apart at the first
//! difference; results and exports are built from it.

use serde::Serialize;

use crate::chain_analyzer::StrikePick;
use crate::domain::alarm::AlarmKey;
use crate::domain::operator::{OperatorAnswer, OperatorCommand};
use crate::domain::{
    Command, ExitReason, IndexPrice, OrderEvent, Position, PositionId, Premium, Qty, Stamp, Underlying,
};
use crate::order_manager::PositionChange;
use crate::params::change::ConfigChange;
use crate::reconciler::Finding;
use crate::risk_manager::{ApprovedEntry, Excursion};
use crate::signal_engine::ClosedBar;

/// A stage of the pipeline that can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Ticks that cannot be true.
    TickCache,
    /// Signals.
    SignalEngine,
    /// Strikes.
    ChainAnalyzer,
    /// Capital.
    CapitalAllocator,
    /// May we enter now?
    EntryGuard,
    /// Limits and exits.
    RiskManager,
    /// Orders.
    OrderManager,
}

impl Stage {
    /// All stages in pipeline order.
    pub const ALL: [Stage; 7] = [
        Stage::TickCache,
        Stage::SignalEngine,
        Stage::ChainAnalyzer,
        Stage::CapitalAllocator,
        Stage::EntryGuard,
        Stage::RiskManager,
        Stage::OrderManager,
    ];

    /// The component's one name.
    pub const fn name(self) -> &'static str {
        match self {
            Stage::TickCache => "tick_cache",
            Stage::SignalEngine => "signal_engine",
            Stage::ChainAnalyzer => "chain_analyzer",
            Stage::CapitalAllocator => "capital_allocator",
            Stage::EntryGuard => "entry_guard",
            Stage::RiskManager => "risk_manager",
            Stage::OrderManager => "order_manager",
        }
    }
}

/// One answer of one stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// When, and where in the journal.
    pub stamp: Stamp,
    /// The index it is about.
    pub underlying: Underlying,
    /// Who answered.
    pub stage: Stage,
    /// Code of the answer.
    pub code: &'static str,
    /// The answer with its numbers.
    pub text: String,
}

/// What was known when an entry was decided.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EntryNote {
    /// The position opened by it.
    pub position: PositionId,
    /// What was approved.
    pub entry: ApprovedEntry,
    /// The strike and the runners-up.
    pub pick: StrikePick,
    /// Best price to buy at when it was decided.
    pub ask: Premium,
    /// Index level when it was decided.
    pub index: Option<IndexPrice>,
    /// Its name in reports, `entry_<index>_<right>_<strike>` (S3-56).
    pub tag: String,
}

/// What was taken over from somebody else.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AdoptionNote {
    /// The position it became.
    pub position: PositionId,
    /// Plan, contract, and in the hold the units with what they cost. Nothing was held for them before.
    pub entry: ApprovedEntry,
    /// Its name in reports, `adopted_<index>_<right>_<strike>`.
    pub tag: String,
}

/// How a position ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExitNote {
    /// Its books.
    pub position: Position,
    /// Why it ended; `None` for abandoned and unresolved ones.
    pub reason: Option<ExitReason>,
    /// How far it went, when it ever owned anything.
    pub excursion: Option<Excursion>,
    /// Index level at the end.
    pub index: Option<IndexPrice>,
    /// Units still owned (unresolved positions only).
    pub unresolved: Qty,
    /// The exit that was wanted when the session ended.
    pub wanted: Option<ExitReason>,
    /// The rule with its configured figure, such as `stop_loss_30pct` (S3-56); `None` without a reason.
    pub tag: Option<String>,
}

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum JournalEntry {
    /// An answer.
    Decision(Decision),
    /// A closed bar with its indicators.
    Bar {
        /// When it closed.
        stamp: Stamp,
        /// The index.
        underlying: Underlying,
        /// The bar.
        bar: ClosedBar,
    },
    /// An entry was placed.
    Entry {
        /// When.
        stamp: Stamp,
        /// Everything known about it.
        note: Box<EntryNote>,
    },
    /// Units of somebody else became a position of ours.
    Adopted {
        /// When.
        stamp: Stamp,
        /// Everything known about it.
        note: Box<AdoptionNote>,
    },
    /// A command left.
    Command {
        /// When.
        stamp: Stamp,
        /// What.
        command: Command,
    },
    /// A report came in.
    Report {
        /// When.
        stamp: Stamp,
        /// What.
        event: OrderEvent,
    },
    /// The reconciler noticed something.
    Finding {
        /// When.
        stamp: Stamp,
        /// What.
        finding: Finding,
    },
    /// A position changed.
    Change {
        /// When.
        stamp: Stamp,
        /// What.
        change: PositionChange,
    },
    /// A position ended.
    Exit {
        /// When.
        stamp: Stamp,
        /// Everything known about it.
        note: Box<ExitNote>,
    },
    /// Somebody must hear of something.
    Alarm {
        /// When.
        stamp: Stamp,
        /// What about.
        key: AlarmKey,
        /// What happened, with its numbers.
        text: String,
    },
    /// A person asked for something and was answered.
    Operated {
        /// When.
        stamp: Stamp,
        /// What was asked.
        command: OperatorCommand,
        /// The answer.
        answer: OperatorAnswer,
    },
    /// Settings came in.
    Configured {
        /// When.
        stamp: Stamp,
        /// What became of each changed key; empty for the first settings, which are taken over whole.
        changes: Vec<ConfigChange>,
    },
}
