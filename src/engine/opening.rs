//! The first events of a run, before anything of the outside is heard: settings, warm-up, session and instruments of a new
//! day; what was missed of a day that goes on; a guardian's halt and flatten.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::NaiveDate;
use scalper_decide::decision_core::Core as _;
use scalper_decide::domain::broker::{BrokerEvent, BrokerRead};
use scalper_decide::domain::event::IvDays;
use scalper_decide::domain::operator::OperatorCommand;
use scalper_decide::domain::{
    Age, Command, Event, Instant, Instrument, InstrumentId, InstrumentKind, SessionHours, Underlying,
};
use scalper_decide::journal::JournalEntry;

use super::execution::Execution;
use super::notes::Notes;
use super::recover::Recovered;
use super::settlement::Levels;
use super::start::{Plan, StartError};
use super::status::Mode;
use super::warm_up::{self, Source};
use crate::actors::feed_hub::FeedHub;
use crate::journal::writer::JournalWriter;
use crate::store::projection::Projector;

/// Before the open, when a day's session begins for the engine.
const BEFORE_OPEN: Age = Age::from_mins(15);
/// How long a start after a crash waits for the bars it missed, on the wall.
const PATIENCE_FOR_BARS: Duration = Duration::from_secs(1);

/// What earlier days leave to a new one.
#[derive(Debug, Default)]
pub(super) struct Carried {
    /// Doors that a person closed and nobody opened since.
    pub(super) doors: Vec<OperatorCommand>,
    /// Volatility of earlier sessions.
    pub(super) iv: IvDays,
}

/// A core on its way to the first live event.
pub(super) struct Opening<'a> {
    pub(super) core: FeedHub,
    pub(super) projector: Projector,
    pub(super) journal: JournalWriter,
    pub(super) notes: Notes,
    pub(super) execution: &'a mut Execution,
    /// Asked for so far; started once somebody can hear the answers.
    pub(super) reads: BTreeSet<BrokerRead>,
    /// Decided while the gap was filled; sent to a broker once the sockets are there.
    pub(super) commands: Vec<Command>,
    /// What makes the settlement value, as far as it is known.
    pub(super) levels: Levels,
}

impl Opening<'_> {
    /// Settings, warm-up, session, instruments and the bars missed; returns how many bars were read.
    pub(super) async fn bring_up(
        &mut self,
        plan: &Plan,
        hours: &SessionHours,
        recovered: &Recovered,
        wants_guardian: bool,
        carried: Carried,
    ) -> Result<usize, StartError> {
        let now = plan.clock.now();
        let guarded = Event::Operator(OperatorCommand::Guardian { alive: !wants_guardian });
        let configured =
            Event::Configured { params: Box::new(plan.config.params.clone()), reconciler: plan.venue.reconciler() };
        if recovered.events > 0 {
            if recovered.is_open {
                self.disarm(plan, recovered.last.at).await?;
                self.event(recovered.last.at, guarded).await?;
                let read = self.fill_gap(plan, hours, recovered).await?;
                // What is safe to change while a day is under way changes; the rest waits or is refused, and says so.
                self.event(plan.clock.now(), configured).await?;
                self.flush();
                return Ok(read);
            }
            self.event(now, configured).await?;
            self.event(now, guarded).await?;
        } else {
            let long_ago = Instant::from_ist(hours.day, midnight()) - Age::from_mins(60 * 24 * 30);
            self.event(long_ago, configured).await?;
            if wants_guardian {
                // Until one is seen.
                self.event(long_ago, guarded).await?;
            }
        }
        let is_index = |i: &&Instrument| matches!(i.kind, InstrumentKind::Index { .. });
        let indices: Vec<Instrument> = plan.instruments.iter().filter(is_index).cloned().collect();
        let mut read = 0;
        if recovered.events == 0 {
            let past = past_sessions(plan, hours.day)?;
            let history = self.history(plan, &indices, &past, now).await?;
            for session in &past {
                read += self.warm_up_day(session, &indices, &history).await?;
            }
        }
        let opens_at = hours.open_at();
        let opens = Event::SessionOpened { hours: hours.clone(), warm_up: false, bars_of: BTreeMap::new() };
        // Timers begin with the session: hours of them before it would only be caught up with.
        let start = now.min(opens_at - BEFORE_OPEN);
        if !carried.iv.is_empty() {
            self.event(start, Event::IvHistory { days: carried.iv }).await?;
        }
        self.event(start, opens).await?;
        self.disarm(plan, start).await?;
        for command in carried.doors {
            tracing::warn!(target: "control", ?command, "closed on an earlier day, and nobody opened it since");
            self.event(start, Event::Operator(command)).await?;
        }
        for instrument in &plan.instruments {
            let known = self.core.universe().find(instrument.segment, instrument.security_id);
            let id = known.unwrap_or(InstrumentId(u32::try_from(self.core.universe().len()).expect("few instruments")));
            let instrument = Instrument { id, ..instrument.clone() };
            if known.is_none_or(|id| **self.core.universe().get(id) != instrument) {
                self.event(start, Event::Listed { instrument }).await?;
            }
        }
        let today = self.history(plan, &indices, std::slice::from_ref(hours), now).await?;
        read += self.bars(&today).await?;
        self.timers_until(plan.clock.now()).await?;
        self.levels.missed(opens_at, plan.clock.now());
        // All of it in one transaction: a start that is killed on its way leaves a day that has not begun.
        self.flush();
        Ok(read)
    }

    /// A guardian's first words: no entries, and everything must go.
    pub(super) async fn flatten(&mut self, plan: &Plan, recovered: &Recovered) -> Result<usize, StartError> {
        self.event(recovered.last.at, Event::Broker(BrokerEvent::Resumed)).await?;
        let now = plan.clock.now();
        self.event(now, Event::Operator(OperatorCommand::Halt)).await?;
        self.event(now, Event::Operator(OperatorCommand::Flatten { underlying: None })).await?;
        self.timers_until(plan.clock.now()).await?;
        self.flush();
        Ok(0)
    }

    /// A live engine begins disarmed, also after a crash in an armed session (S24).
    async fn disarm(&mut self, plan: &Plan, at: Instant) -> Result<(), StartError> {
        if plan.venue.mode() == Mode::Live {
            self.event(at, Event::Operator(OperatorCommand::Disarm)).await?;
        }
        Ok(())
    }

    /// Goes on with a day that another process began: what was missed is read, and nothing is entered before (I34).
    async fn fill_gap(
        &mut self,
        plan: &Plan,
        hours: &SessionHours,
        recovered: &Recovered,
    ) -> Result<usize, StartError> {
        self.event(recovered.last.at, Event::Broker(BrokerEvent::Resumed)).await?;
        let is_index = |i: &&Instrument| matches!(i.kind, InstrumentKind::Index { .. });
        let indices: Vec<Instrument> = plan.instruments.iter().filter(is_index).cloned().collect();
        // Exits do not wait for bars: without them the indicators have a hole, with them they have none.
        let history = self.history(plan, &indices, std::slice::from_ref(hours), plan.clock.now());
        let mut missed = match tokio::time::timeout(PATIENCE_FOR_BARS, history).await {
            Ok(Ok(missed)) => missed,
            Ok(Err(e)) => {
                tracing::warn!(target: "signal_engine", "bars of the time without a process are missing: {e}");
                Vec::new()
            }
            Err(_) => {
                tracing::warn!(target: "signal_engine", "bars of the time without a process do not come");
                Vec::new()
            }
        };
        let seen = recovered.last_tick.unwrap_or(recovered.last.at);
        missed.retain(|(_, bar)| bar.start > seen);
        let read = self.bars(&missed).await?;
        self.timers_until(plan.clock.now()).await?;
        self.levels.missed(seen, plan.clock.now());
        Ok(read)
    }

    /// Minute bars of the indices on these sessions, oldest first.
    async fn history(
        &self,
        plan: &Plan,
        indices: &[Instrument],
        sessions: &[SessionHours],
        until: Instant,
    ) -> Result<Vec<(Instrument, crate::broker::market::Bar)>, StartError> {
        let mut all = Vec::new();
        for index in indices {
            let source = Source { instrument: index.id, segment: index.segment, security_id: index.security_id };
            let bars = warm_up::bars(&*plan.market, source, sessions, until).await;
            let bars = bars.map_err(|fault| StartError::Broker { what: "minute bars for the warm-up", fault })?;
            all.extend(bars.into_iter().map(|bar| (index.clone(), bar)));
        }
        all.sort_by_key(|(_, bar)| bar.start);
        Ok(all)
    }

    async fn warm_up_day(
        &mut self,
        session: &SessionHours,
        indices: &[Instrument],
        history: &[(Instrument, crate::broker::market::Bar)],
    ) -> Result<usize, StartError> {
        let start = Instant::from_ist(session.day, midnight());
        let bars_of: BTreeMap<Underlying, Age> =
            indices.iter().map(|index| (index.underlying(), warm_up::LENGTH)).collect();
        self.event(start, Event::SessionOpened { hours: session.clone(), warm_up: true, bars_of }).await?;
        for index in indices {
            if self.core.universe().find(index.segment, index.security_id).is_none() {
                let id = InstrumentId(u32::try_from(self.core.universe().len()).expect("few instruments"));
                self.event(start, Event::Listed { instrument: Instrument { id, ..index.clone() } }).await?;
            }
        }
        let days: Vec<_> = history.iter().filter(|(_, bar)| bar.start.ist_date() == session.day).cloned().collect();
        let read = self.bars(&days).await?;
        let end = session.close_at() + Age::from_mins(1);
        self.timers_until(end).await?;
        self.event(end, Event::SessionClosed { day: session.day }).await?;
        Ok(read)
    }

    /// Ticks drawn through bars, in order of time, with the timers between them.
    async fn bars(&mut self, bars: &[(Instrument, crate::broker::market::Bar)]) -> Result<usize, StartError> {
        let mut ticks = Vec::with_capacity(4 * bars.len());
        for (index, bar) in bars {
            let id = self.core.universe().find(index.segment, index.security_id).expect("indices are listed first");
            let source = Source { instrument: id, segment: index.segment, security_id: index.security_id };
            ticks.extend(warm_up::ticks(source, bar));
        }
        ticks.sort_by_key(|tick| (tick.received_at, tick.instrument));
        for tick in ticks {
            self.timers_until(tick.received_at).await?;
            self.event(tick.received_at, Event::Tick(tick)).await?;
        }
        Ok(bars.len())
    }

    async fn timers_until(&mut self, at: Instant) -> Result<(), StartError> {
        loop {
            let timer = self.core.wake_at().filter(|due| *due < at);
            let venue = self.execution.due().filter(|due| *due < at);
            match (venue, timer) {
                (Some(due), timer) if timer.is_none_or(|timer| due <= timer) => {
                    if let Some((at, report)) = self.execution.report(due) {
                        self.event(at, Event::Order(report)).await?;
                    }
                }
                (_, Some(due)) => self.event(due, Event::Timer).await?,
                (_, None) => return Ok(()),
            }
        }
    }

    /// One event; what it leads to is kept for when it can be sent.
    pub(super) async fn event(&mut self, at: Instant, event: Event) -> Result<(), StartError> {
        let outcome = self.core.handle(at, &event).await;
        let stamp = self.core.ledger().last_stamp();
        self.journal.append(stamp, &event)?;
        outcome.map_err(StartError::Halted)?;
        if let Event::Tick(tick) = &event
            && self.levels.wants(tick.exchange_at)
            && let InstrumentKind::Index { underlying } = self.core.universe().get(tick.instrument).kind
            && self.core.holds(tick).await
        {
            self.levels.take(underlying, tick);
        }
        self.execution.hear(stamp, &event);
        let commands = self.core.take_commands().map(|(_, command)| command);
        match &mut *self.execution {
            Execution::Broker(_) => self.commands.extend(commands),
            Execution::Paper(venue) => commands.for_each(|command| venue.submit(stamp.at, command)),
        }
        self.reads.extend(self.core.take_reads());
        if self.core.has_journal() || !matches!(event, Event::Tick(_) | Event::Timer) {
            let entries: Vec<JournalEntry> = self.core.take_journal().collect();
            self.projector.note(stamp, &event, &entries);
            self.notes.take(&entries);
        }
        if self.projector.wants_look(stamp) {
            self.projector.look(stamp, &self.core.books().await);
        }
        Ok(())
    }

    fn flush(&mut self) {
        self.journal.project(self.projector.take());
        // A journal that takes nothing shows at the next append.
        let _ = self.journal.commit();
    }
}

fn midnight() -> scalper_decide::domain::TimeOfDay {
    scalper_decide::domain::TimeOfDay::from_secs(0).expect("midnight is a time")
}

/// The trading days before `day`, oldest first.
fn past_sessions(plan: &Plan, day: NaiveDate) -> Result<Vec<SessionHours>, StartError> {
    let calendar = &plan.config.tables.calendar;
    let mut sessions = Vec::new();
    let mut date = day;
    while sessions.len() < warm_up::SESSIONS {
        let Some(before) = date.pred_opt() else { break };
        date = before;
        match calendar.hours(date) {
            Ok(Some(hours)) => sessions.push(hours),
            Ok(None) => {}
            // The calendar begins here: fewer days of warm-up are all there is.
            Err(_) => break,
        }
    }
    sessions.reverse();
    Ok(sessions)
}
