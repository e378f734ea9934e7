//! The core under the oracle's eyes: every event goes through it, and everything that comes out is looked at before
//! anybody acts on it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::vec::Drain;

use scalper_decide::decision_core::{Books, Core};
use scalper_decide::direct::Direct;
use scalper_decide::domain::{Command, Event, Instant, SessionHours, Stamp, Tick, Universe};
use scalper_decide::journal::JournalEntry;
use scalper_decide::pipeline::Halt;
use scalper_decide::stages::Ledger;

use super::oracle::Oracle;
use super::wire::Wire;

/// A core and who watches it.
pub(super) struct Watched {
    pub(super) core: Direct,
    pub(super) oracle: Rc<RefCell<Oracle>>,
    wire: Wire,
    commands: Vec<(Stamp, Command)>,
    entries: Vec<JournalEntry>,
    /// Of the planted bug that takes every midnight for a new day.
    dates: Option<SessionHours>,
}

impl Watched {
    pub(super) fn new(core: Direct, oracle: Rc<RefCell<Oracle>>, wire: Wire) -> Watched {
        Watched { core, oracle, wire, commands: Vec::new(), entries: Vec::new(), dates: None }
    }

    /// Plants a bug: every new date after that of `hours` opens a day.
    pub(super) fn open_every_date_after(&mut self, hours: SessionHours) {
        self.dates = Some(hours);
    }

    fn new_date(&mut self, at: Instant) -> Option<Event> {
        let date = at.ist_date();
        let before = self.dates.take_if(|hours| hours.day < date)?;
        let hours = SessionHours { day: date, ..before };
        self.dates = Some(hours.clone());
        Some(Event::SessionOpened { hours, warm_up: false, bars_of: BTreeMap::new() })
    }

    fn look(&mut self, at: Instant, event: Option<&Event>) {
        let (commands, entries) = (self.commands.len(), self.entries.len());
        self.commands.extend(self.core.take_commands());
        self.entries.extend(self.core.take_journal());
        for (stamp, command) in &self.commands[commands..] {
            self.wire.decided(*stamp, *command);
        }
        let decided: Vec<Command> = self.commands[commands..].iter().map(|(_, command)| *command).collect();
        self.oracle.borrow_mut().look(&self.core, at, event, &self.entries[entries..], &decided);
    }
}

impl Core for Watched {
    fn ledger(&self) -> &Ledger {
        self.core.ledger()
    }
    fn ledger_mut(&mut self) -> &mut Ledger {
        self.core.ledger_mut()
    }
    fn universe(&self) -> &Universe {
        self.core.universe()
    }
    fn wake_at(&self) -> Option<Instant> {
        self.core.wake_at()
    }
    async fn handle(&mut self, at: Instant, event: &Event) -> Result<(), Halt> {
        if let Event::Tick(tick) = event {
            self.oracle.borrow_mut().tick(tick);
        }
        if let Some(opened) = self.new_date(at) {
            self.core.handle(at, &opened).await?;
            self.look(at, Some(&opened));
        }
        let outcome = self.core.handle(at, event).await;
        let at = self.core.ledger().last_stamp().at;
        self.look(at, Some(event));
        outcome
    }
    async fn handle_tick(&mut self, at: Instant, tick: &Tick) -> bool {
        self.oracle.borrow_mut().tick(tick);
        let is_in_play = self.core.handle_tick(at, tick).await;
        let at = self.core.ledger().last_stamp().at;
        self.look(at, None);
        is_in_play
    }
    async fn holds(&mut self, tick: &Tick) -> bool {
        self.core.holds(tick).await
    }
    async fn books(&mut self) -> Books {
        self.core.books().await
    }
    fn take_commands(&mut self) -> Drain<'_, (Stamp, Command)> {
        self.commands.drain(..)
    }
    fn has_commands(&self) -> bool {
        !self.commands.is_empty()
    }
    fn take_journal(&mut self) -> Drain<'_, JournalEntry> {
        self.entries.drain(..)
    }
    fn has_journal(&self) -> bool {
        !self.entries.is_empty()
    }
}
