//! The loop of the decision thread: one input at a time through the core, its events into the journal, its commands out
//! once they are durable, its reads to the broker.

use std::sync::Arc;
use std::time::Duration;

use scalper_decide::decision_core::{Books, Core};
use scalper_decide::domain::operator::OperatorCommand;
use scalper_decide::domain::{Age, Command, Event, Instant, InstrumentKind, Universe};
use scalper_decide::journal::JournalEntry;
use scalper_decide::pipeline::Halt;
use sd_notify::NotifyState;
use tokio::sync::{mpsc, watch};

use super::arming::{Arming, Examined};
use super::bell::Bell;
use super::execution::Execution;
use super::handle::{Ask, NewSettings, Outcome};
use super::lock_step::LockStep;
use super::notes::Notes;
use super::publish::Publisher;
use super::schedule::{Due, Schedule};
use super::sockets::SharedEvidence;
use super::status::Status;
use super::strain::Strain;
use crate::actors::lanes::{Input, Lanes, Pressure};
use crate::clock::SessionClock;
use crate::failpoint;
use crate::guardian::beat::Heart;
use crate::guardian::post::GuardWatch;
use crate::journal::writer::{JournalHalt, JournalWriter};
use crate::store::projection::Projector;
use crate::store::writer::Health;

/// Inputs taken in before sockets and senders of the same thread get their turn.
const BURST: usize = 256;
/// Wall time between two looks at the books, for the status.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The same before exits are ready.
const LOOK_STARTING: Duration = Duration::from_millis(50);
/// Timers at one instant after which the clock is stuck: real days have a handful.
const TIMERS_AT_ONCE: u32 = 10_000;

/// Why the loop ended.
#[derive(Debug)]
pub enum Stopped {
    /// A person or a signal asked for it.
    Asked,
    /// The core must not go on.
    Halted(Halt),
    /// The journal takes nothing more.
    Journal(JournalHalt),
    /// The trading day is over and settled.
    DayOver,
}

/// Told the books and the universe at every look.
pub type OnLook = Box<dyn FnMut(&Books, &Universe)>;

/// Everything the loop works with.
pub struct Runtime<C> {
    /// The core.
    pub core: C,
    /// What comes in.
    pub lanes: Lanes,
    /// Session time.
    pub clock: SessionClock,
    /// The journal of the run.
    pub journal: JournalWriter,
    /// Its projections.
    pub projector: Projector,
    /// Executes what the core decides.
    pub execution: Execution,
    /// When sessions open and close.
    pub schedule: Schedule,
    /// Requests of people.
    pub asks: mpsc::Receiver<Ask>,
    /// Makes the status.
    pub publisher: Publisher,
    /// What was answered lately.
    pub notes: Notes,
    /// What the sockets say of themselves.
    pub evidence: SharedEvidence,
    /// Alarms from beside the core.
    pub bell: Bell,
    /// Looks at everything before real money may be risked.
    pub arming: Arming,
    /// Told the wanted instruments whenever they may have changed.
    pub on_look: OnLook,
    /// The status as of the last look.
    pub last: Option<Arc<Status>>,
    /// Shows that the loop goes on; a guardian's own loop shows nobody.
    pub heart: Option<Heart>,
    /// The guardian, when entries need one.
    pub guard: Option<GuardWatch>,
    /// What the supervisor sees of the deciders.
    pub strain: Strain,
    /// How full the lane of events was at the last look.
    pub pressure: Pressure,
    /// Who waits for this run before session time goes on.
    pub lock_step: Option<LockStep>,
}

enum Woken {
    Ask(Option<Ask>),
    Input(Option<Input>),
    Examined(Examined),
    Due,
    Look,
    /// With a clock that waits for this run: it moved, or commands have left.
    Step,
}

impl<C: Core> Runtime<C> {
    /// Runs until something ends it. Whatever was committed is durable or on its way when it returns.
    pub async fn run(mut self, status: watch::Sender<Arc<Status>>) -> (Stopped, Self) {
        // Whoever waits for readiness need not wait for the pace of a day.
        let mut look = paced(LOOK_STARTING);
        let mut is_starting = true;
        let stopped = loop {
            if let Err(stopped) = self.drain().await {
                break stopped;
            }
            let seen = self.keep_step();
            match self.wait(&mut look, seen).await {
                Woken::Step => {}
                Woken::Ask(None) | Woken::Input(None) => break Stopped::Asked,
                Woken::Ask(Some(ask)) => match self.answer(ask).await {
                    Ok(true) => {}
                    Ok(false) => break Stopped::Asked,
                    Err(stopped) => break stopped,
                },
                Woken::Input(Some(input)) => {
                    if let Err(stopped) = self.take(input).await {
                        break stopped;
                    }
                }
                Woken::Examined(examined) => {
                    if let Err(stopped) = self.arm(examined).await {
                        break stopped;
                    }
                }
                Woken::Due => {
                    if let Err(stopped) = self.due().await {
                        break stopped;
                    }
                }
                Woken::Look => {
                    if let Err(stopped) = self.look(&status).await {
                        break stopped;
                    }
                    if is_starting && status.borrow().ready.exits {
                        is_starting = false;
                        look = paced(LOOK_EVERY);
                    }
                }
            }
        };
        if matches!(stopped, Stopped::DayOver)
            && let Err(e) = self.look(&status).await
        {
            // What was published last stays: the end of the day is in the journal or is not, whatever is shown.
            tracing::error!(target: "journal", error = ?e, "the day's last status could not be made");
        }
        (stopped, self)
    }

    /// Takes in what waits, up to a burst.
    async fn drain(&mut self) -> Result<(), Stopped> {
        for _ in 0..BURST {
            let Some(input) = self.lanes.take() else { return Ok(()) };
            self.take(input).await?;
        }
        tokio::task::yield_now().await;
        Ok(())
    }

    async fn wait(&mut self, look: &mut tokio::time::Interval, seen: Instant) -> Woken {
        let due = self.next_due();
        let clock = self.clock.clone();
        tokio::select! {
            biased;
            ask = self.asks.recv() => Woken::Ask(ask),
            examined = self.arming.examined() => Woken::Examined(examined),
            // Before the inputs: a market that never pauses must not keep the journal from being flushed.
            _ = look.tick() => Woken::Look,
            input = self.lanes.next() => Woken::Input(input),
            () = sleep_until(&clock, due) => Woken::Due,
            () = self.execution.let_go(), if self.lock_step.is_some() => Woken::Step,
            () = clock.moved_past(seen), if self.lock_step.is_some() => Woken::Step,
        }
    }

    /// Tells who waits for this run when nothing of it is under way; returns the time it was looked at.
    fn keep_step(&self) -> Instant {
        let now = self.clock.now();
        let Some(step) = &self.lock_step else { return now };
        // Timers count from just after their time.
        let wakes = self.next_due().map(|due| due + Age::from_nanos(1));
        let is_due = wakes.is_some_and(|at| at <= now);
        let is_calling = self.execution.is_busy();
        if !is_due && !is_calling && !self.lanes.is_waiting() {
            step.done(now, wakes, &self.evidence.borrow());
        }
        now
    }

    /// The earliest instant at which something other than an input is due.
    fn next_due(&self) -> Option<Instant> {
        [self.execution.due(), self.core.wake_at(), self.schedule.next_at()].into_iter().flatten().min()
    }

    /// One input, after whatever was due before it.
    async fn take(&mut self, input: Input) -> Result<(), Stopped> {
        let at = input.at();
        self.catch_up(at).await?;
        match input {
            Input::Tick(tick) => {
                self.core.handle_tick(at, &tick).await;
                self.settle_level(&tick).await;
                let stamp = self.core.ledger().last_stamp();
                self.journal.append_tick(stamp, &tick).map_err(Stopped::Journal)?;
                self.after(&Event::Tick(tick)).await
            }
            Input::Event { event, .. } => {
                if let Event::Broker(said) = &*event {
                    self.execution.observe(said);
                    self.publisher.heard(at, said);
                }
                self.event(at, &event).await
            }
        }
    }

    /// Believed index ticks near the close make the settlement value.
    async fn settle_level(&mut self, tick: &scalper_decide::domain::Tick) {
        let instrument = self.core.universe().get(tick.instrument);
        if let InstrumentKind::Index { underlying } = instrument.kind
            && self.schedule.wants(tick.exchange_at)
            && self.core.holds(tick).await
        {
            self.schedule.level(underlying, tick);
        }
    }

    /// Timers and session boundaries that fall before `at`.
    async fn catch_up(&mut self, at: Instant) -> Result<(), Stopped> {
        let mut stuck = (Instant::from_nanos(i64::MIN), 0);
        while let Some(due) = self.next_due().filter(|due| *due < at) {
            stuck = if stuck.0 < due { (due, 1) } else { (stuck.0, stuck.1 + 1) };
            assert!(stuck.1 < TIMERS_AT_ONCE, "a timer at {} falls due again and again", due.ist_text());
            self.fire(due).await?;
        }
        Ok(())
    }

    async fn due(&mut self) -> Result<(), Stopped> {
        let now = self.clock.now();
        self.catch_up(now + Age::from_nanos(1)).await
    }

    async fn fire(&mut self, at: Instant) -> Result<(), Stopped> {
        if self.execution.due().is_some_and(|due| due <= at) {
            return match self.execution.report(at) {
                Some((due, report)) => self.event(due, &Event::Order(report)).await,
                None => Ok(()),
            };
        }
        if self.schedule.next_at().is_some_and(|due| due <= at) {
            for Due { at, event } in self.schedule.take(at) {
                self.event(at, &event).await?;
            }
            for text in self.schedule.refused() {
                self.publisher.alarm(at, "NOT_SETTLED", text);
            }
            return if self.schedule.is_over() { Err(Stopped::DayOver) } else { Ok(()) };
        }
        self.event(at, &Event::Timer).await
    }

    /// Takes one event through the core and deals with what comes out.
    ///
    /// # Errors
    /// Why the engine must stop.
    pub async fn event(&mut self, at: Instant, event: &Event) -> Result<(), Stopped> {
        let outcome = self.core.handle(at, event).await;
        let stamp = self.core.ledger().last_stamp();
        self.journal.append(stamp, event).map_err(Stopped::Journal)?;
        outcome.map_err(Stopped::Halted)?;
        self.after(event).await
    }

    #[inline]
    async fn after(&mut self, event: &Event) -> Result<(), Stopped> {
        let stamp = self.core.ledger().last_stamp();
        self.execution.hear(stamp, event);
        let wants_look = self.projector.wants_look(stamp);
        // The projections must see what opens a day and lists its contracts, even when nobody answers to it.
        let is_quiet = !self.core.has_journal() && !self.core.has_commands() && !self.core.has_reads();
        if is_quiet && !wants_look && matches!(event, Event::Tick(_) | Event::Timer) {
            return Ok(());
        }
        let entries: Vec<JournalEntry> = self.core.take_journal().collect();
        self.projector.note(stamp, event, &entries);
        self.notes.take(&entries);
        self.publisher.noted(&entries);
        if wants_look {
            let books = self.core.books().await;
            self.projector.look(stamp, &books);
        }
        let commands: Vec<Command> = self.core.take_commands().map(|(_, command)| command).collect();
        if !commands.is_empty() {
            self.journal.project(self.projector.take());
            let receipt = self.journal.commit().map_err(Stopped::Journal)?;
            self.execution.carry_out(stamp, &receipt, commands, self.core.universe());
        }
        for read in self.core.take_reads() {
            self.execution.read(read);
        }
        Ok(())
    }

    /// A flush of the journal when one is due, and a fresh status.
    async fn look(&mut self, status: &watch::Sender<Arc<Status>>) -> Result<(), Stopped> {
        failpoint::pass("engine.look").expect("a planted bug of the decision loop");
        let now = self.clock.now();
        if let Health::Fenced(e) = self.journal.durability().health {
            // Somebody took over while this process was away: it has nothing to say any more (E8).
            return Err(Stopped::Journal(JournalHalt::Writer(e)));
        }
        let books = self.core.books().await;
        if self.journal.is_due(now) {
            self.journal.project(self.projector.take());
            self.journal.commit().map_err(Stopped::Journal)?;
        }
        (self.on_look)(&books, self.core.universe());
        for (key, text) in self.bell.heard() {
            self.publisher.alarm(now, key, text);
        }
        let counts = self.lanes.counts();
        let fresh = self.publisher.make(
            now,
            &self.clock,
            &books,
            self.core.universe(),
            &self.notes,
            &self.evidence.borrow(),
            &self.journal,
            counts,
            self.core.digest(),
        );
        let fresh = Arc::new(fresh);
        self.last = Some(Arc::clone(&fresh));
        status.send_replace(fresh);
        if let Some(heart) = &mut self.heart {
            heart.beat(now, &books);
            // The same progress for a service manager; without one nothing happens.
            let _ = sd_notify::notify(&[NotifyState::Watchdog]);
        }
        let gate = books.risk.gate();
        let (is_unguarded, is_overloaded) = (gate.is_unguarded(), gate.is_overloaded());
        drop(books);
        self.look_at_strain(now, is_overloaded).await?;
        self.look_at_guardian(now, is_unguarded).await
    }

    /// Tells the core when the engine falls behind, or has caught up.
    async fn look_at_strain(&mut self, now: Instant, is_overloaded: bool) -> Result<(), Stopped> {
        let pressure = *self.lanes.pressure().borrow();
        if pressure > self.pressure {
            self.publisher.alarm(now, "BACKLOG", format!("the queue of events fills: {pressure:?}"));
        }
        self.pressure = pressure;
        let reason = self.strain.reason(pressure);
        let is_behind = reason.is_some();
        if is_behind == is_overloaded {
            return Ok(());
        }
        if let Some(reason) = reason {
            self.publisher.alarm(now, "OVERLOADED", format!("no entries: {reason}"));
        }
        let at = self.clock.now();
        self.catch_up(at).await?;
        self.event(at, &Event::Operator(OperatorCommand::Overload { is_behind })).await?;
        self.publisher.operated();
        Ok(())
    }

    /// Tells the core when the guardian comes or goes.
    async fn look_at_guardian(&mut self, now: Instant, is_unguarded: bool) -> Result<(), Stopped> {
        let Some(guard) = &mut self.guard else { return Ok(()) };
        let seen = guard.look();
        let alive = seen.is_alive;
        self.publisher.guardian(now, seen);
        if is_unguarded != alive {
            return Ok(());
        }
        let at = self.clock.now();
        self.catch_up(at).await?;
        self.event(at, &Event::Operator(OperatorCommand::Guardian { alive })).await?;
        self.publisher.operated();
        Ok(())
    }

    /// Arms after the checks, when none of them failed and the caps are still those that were typed.
    async fn arm(&mut self, examined: Examined) -> Result<(), Stopped> {
        let outcome = match self.arming.refusal(&examined, self.last.as_deref()) {
            Some(refused) => refused,
            None => {
                let at = self.clock.now();
                self.catch_up(at).await?;
                let Examined { phrase, actor, .. } = &examined;
                tracing::warn!(target: "control", actor, phrase, "ARMED for real money until the session ends");
                self.event(at, &Event::Operator(OperatorCommand::Arm { phrase: phrase.clone() })).await?;
                self.publisher.operated()
            }
        };
        let _ = examined.answer.send(outcome);
        Ok(())
    }

    /// Answers a request; `false` when the engine is to stop.
    async fn answer(&mut self, ask: Ask) -> Result<bool, Stopped> {
        match ask {
            Ask::Operate { command: OperatorCommand::Arm { .. }, answer, .. } => {
                let _ = answer.send(Outcome::refused("USE_ARM", "an engine is armed by `scalper arm` alone"));
            }
            Ask::Operate {
                command: OperatorCommand::Guardian { .. } | OperatorCommand::Overload { .. },
                answer,
                ..
            } => {
                let _ = answer.send(Outcome::refused("SEEN", "the engine looks for itself; nobody tells it that"));
            }
            Ask::Operate { command, actor, answer } => {
                let at = self.clock.now();
                self.catch_up(at).await?;
                tracing::info!(target: "control", actor, ?command, "operator command");
                self.event(at, &Event::Operator(command)).await?;
                let outcome = self.publisher.operated();
                let _ = answer.send(outcome);
            }
            Ask::Explain { what, answer } => {
                let _ = answer.send(self.notes.explain(&what));
            }
            Ask::Configure { settings, actor, answer } => {
                let at = self.clock.now();
                self.catch_up(at).await?;
                tracing::info!(target: "control", actor, hash = settings.hash, "settings read again");
                let NewSettings { params, hash } = *settings;
                self.event(at, &Event::Configured { params: Box::new(params), reconciler: None }).await?;
                let _ = answer.send(self.publisher.configured(hash));
            }
            Ask::Arm { phrase, actor, answer } => {
                let status = self.last.clone();
                self.arming.ask(status, phrase, actor, answer);
            }
            Ask::Examine { answer } => self.arming.show(self.last.clone(), answer),
            Ask::Stop { actor, answer } => {
                tracing::info!(target: "control", actor, "asked to stop");
                let _ = answer.send(Outcome::Done { text: "stopping".to_owned() });
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn paced(every: Duration) -> tokio::time::Interval {
    let mut interval = tokio::time::interval(every);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    interval
}

async fn sleep_until(clock: &SessionClock, due: Option<Instant>) {
    match due {
        Some(at) => clock.sleep_until(at + Age::from_nanos(1)).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
#[path = "runtime_tests.rs"]
mod tests;
