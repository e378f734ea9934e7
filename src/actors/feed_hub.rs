//! The feed hub: the sequencer of the daemon. It stamps one event at a time, takes it through the deciders' mailboxes
//! and drains it fully before the next.

use std::sync::Arc;

use scalper_decide::decision_core::{Books, Core};
use scalper_decide::direct::{CoreTables, Direct};
use scalper_decide::domain::{Event, Instant, Tick, Universe};
use scalper_decide::params::StrategyParams;
use scalper_decide::pipeline::{self, Halt};
use scalper_decide::reconciler::ReconcilerParams;
use scalper_decide::stages::{IvSeeds, Ledger};

use super::mailboxes::Mailboxes;
use super::pulse::Pulse;
use super::supervisor::Watched;

/// The one name of the hub in health, logs and metrics.
pub const NAME: &str = "feed_hub";

/// The sequencer over the deciders' mailboxes.
#[derive(Debug)]
pub struct FeedHub {
    mailboxes: Mailboxes,
    pulse: Arc<Pulse>,
}

impl FeedHub {
    /// Starts the deciders on the present arbiter: the one that reads the sockets, because a wake-up of another thread
    /// costs more than a decision. Returns the hub and the deciders for the supervisor to watch; the hub itself is
    /// watched together with its queue, see [`FeedHub::pulse`].
    ///
    /// # Panics
    /// Outside an actix arbiter.
    pub fn start(params: StrategyParams, tables: CoreTables, iv_history: &IvSeeds) -> (FeedHub, Vec<Watched>) {
        FeedHub::going_on(Direct::new(params, tables, iv_history))
    }

    /// Starts the deciders where another wiring has got to: a journal is taken in again by direct calls, which cost a
    /// fraction of messages, and the day goes on by messages.
    ///
    /// # Panics
    /// Outside an actix arbiter.
    pub fn going_on(core: Direct) -> (FeedHub, Vec<Watched>) {
        let (mailboxes, watched) = Mailboxes::start(core);
        (FeedHub { mailboxes, pulse: Pulse::new(NAME) }, watched)
    }

    /// The same hub facing a broker whose word has to be reconciled with ours.
    #[must_use]
    pub fn with_reconciler(mut self, params: ReconcilerParams) -> FeedHub {
        self.mailboxes.reconcile_with(params);
        self
    }

    /// Progress of the hub.
    pub fn pulse(&self) -> Arc<Pulse> {
        Arc::clone(&self.pulse)
    }
}

impl Core for FeedHub {
    #[inline]
    fn ledger(&self) -> &Ledger {
        &self.mailboxes.ledger
    }

    #[inline]
    fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.mailboxes.ledger
    }

    fn universe(&self) -> &Universe {
        &self.mailboxes.universe
    }

    #[inline]
    fn wake_at(&self) -> Option<Instant> {
        self.mailboxes.wake_at()
    }

    async fn handle(&mut self, at: Instant, event: &Event) -> Result<(), Halt> {
        let now = self.mailboxes.ledger.stamp(at);
        self.pulse.begin(now);
        let outcome = pipeline::run_event(&mut self.mailboxes, now, event).await;
        self.pulse.end();
        outcome
    }

    #[inline]
    async fn handle_tick(&mut self, at: Instant, tick: &Tick) -> bool {
        let now = self.mailboxes.ledger.stamp(at);
        self.pulse.begin(now);
        pipeline::on_tick(&mut self.mailboxes, now, tick).await;
        self.pulse.end();
        self.mailboxes.moves_deadlines(tick.instrument)
    }

    async fn holds(&mut self, tick: &Tick) -> bool {
        self.mailboxes.holds(tick).await
    }

    async fn books(&mut self) -> Books {
        self.mailboxes.books().await
    }
}
