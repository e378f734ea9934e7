//! The decision core as its drivers see it: one event in, commands and journal lines out. A replay and the daemon drive
//! any wiring of the stages through this trait.

use std::collections::BTreeMap;
use std::vec::Drain;

use chrono::NaiveDate;

use crate::capital_allocator::CapitalAllocator;
use crate::domain::broker::BrokerRead;
use crate::domain::{Command, Event, Instant, Stamp, Tick, Underlying, Universe};
use crate::entry_guard::EntryGuard;
use crate::journal::JournalEntry;
use crate::order_manager::OrderManager;
use crate::pipeline::Halt;
use crate::reconciler::Reconciler;
use crate::risk_manager::RiskManager;
use crate::stages::Ledger;
use crate::tick_cache::TickRefusal;

/// The state of the deciders that hold money or orders, as of the last event.
#[derive(Debug, Clone)]
pub struct Books {
    /// The last event taken in.
    pub as_of: Stamp,
    /// The capital allocator.
    pub capital: CapitalAllocator,
    /// The entry guard.
    pub guard: EntryGuard,
    /// The risk manager.
    pub risk: RiskManager,
    /// The order manager.
    pub orders: OrderManager,
    /// The reconciler.
    pub reconciler: Reconciler,
    /// Ticks kept out, by reason.
    pub refused_ticks: BTreeMap<TickRefusal, u64>,
    /// Indices that cannot be traded today because a dated table has no answer, with the reason.
    pub missing_rates: BTreeMap<Underlying, String>,
    /// Bars without a single tick, of the shortest timeframe that is built.
    pub missing_bars: u64,
    /// The session that ended last, with its at-the-money volatility in percent, by index.
    pub last_iv: BTreeMap<Underlying, (NaiveDate, f64)>,
}

/// A wired decision core.
#[allow(async_fn_in_trait, reason = "a core is awaited on one thread and never boxed")]
pub trait Core {
    /// What this wiring keeps for itself.
    fn ledger(&self) -> &Ledger;
    /// The same, to take commands and journal lines out.
    fn ledger_mut(&mut self) -> &mut Ledger;
    /// Instruments known so far.
    fn universe(&self) -> &Universe;
    /// When a timer event is wanted next.
    fn wake_at(&self) -> Option<Instant>;

    /// Takes one event in at engine time `at` and drains it fully.
    ///
    /// # Errors
    /// [`Halt`] when the core must stop.
    async fn handle(&mut self, at: Instant, event: &Event) -> Result<(), Halt>;
    /// Takes one tick in: the same as [`Core::handle`] with a tick event, without building one. Returns whether
    /// [`Core::wake_at`] may have changed: only ticks of an index or of a contract in play can do that.
    async fn handle_tick(&mut self, at: Instant, tick: &Tick) -> bool;
    /// Whether this tick was believed and is the last known of its instrument.
    async fn holds(&mut self, tick: &Tick) -> bool;
    /// A copy of the books: cheap enough once a second, too dear for every tick.
    async fn books(&mut self) -> Books;

    /// Commands since the last call, in order.
    fn take_commands(&mut self) -> Drain<'_, (Stamp, Command)> {
        self.ledger_mut().take_commands()
    }
    /// Whether commands wait to be taken.
    #[inline]
    fn has_commands(&self) -> bool {
        self.ledger().has_commands()
    }
    /// Reads of the broker's books wanted since the last call, in order.
    fn take_reads(&mut self) -> Drain<'_, BrokerRead> {
        self.ledger_mut().take_reads()
    }
    /// Whether reads wait to be taken.
    #[inline]
    fn has_reads(&self) -> bool {
        self.ledger().has_reads()
    }
    /// Journal lines since the last call, in order.
    fn take_journal(&mut self) -> Drain<'_, JournalEntry> {
        self.ledger_mut().take_journal()
    }
    /// Whether journal lines wait to be taken.
    #[inline]
    fn has_journal(&self) -> bool {
        self.ledger().has_journal()
    }
    /// Digest of everything so far.
    fn digest(&self) -> String {
        self.ledger().digest()
    }
}
