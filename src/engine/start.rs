//! Start is recovery (P4): lock and lease, journal, settings, instruments, warm-up, sockets, books; then the loop. The
//! same path after a crash and after a clean stop.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use scalper_decide::decision_core::Core as _;
use scalper_decide::direct::{CoreTables, Direct};
use scalper_decide::domain::broker::{BrokerEvent, BrokerRead};
use scalper_decide::domain::operator::OperatorCommand;
use scalper_decide::domain::{
    Age, Command, Event, IndexPrice, Instant, Instrument, InstrumentId, InstrumentKind, SessionHours, Underlying,
    Universe,
};
use scalper_decide::journal::JournalEntry;
use scalper_decide::paper::PaperVenue;
use scalper_decide::pipeline::Halt;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use super::arming::Arming;
use super::bell::Bell;
use super::execution::{BrokerSide, Execution, Venue};
use super::gateway::{EventSink, Gateway};
use super::handle::{Ask, EngineHandle};
use super::held_quotes::HeldQuotes;
use super::inbox::Inbox;
use super::lock_step::LockStep;
use super::notes::Notes;
use super::publish::{Evidence, Publisher};
use super::reader::Reader;
use super::recover::{self, RecoverError, Recovered};
use super::release::Release;
use super::runtime::{OnLook, Runtime, Stopped};
use super::schedule::Schedule;
use super::sent_log::SentLog;
use super::sockets::{self, SharedEvidence, SocketPlan, Sockets};
use super::status::{Mode, Status};
use super::strain::Strain;
use super::warm_up::{self, Source};
use super::watch::Watch;
use crate::actors::feed_hub::FeedHub;
use crate::actors::lanes::{LaneLimits, Lanes, Pressure};
use crate::actors::supervisor::Watched;
use crate::broker::dhan::rest::budget_log::BudgetLog;
use crate::broker::{Fault, MarketData};
use crate::clock::SessionClock;
use crate::config::Effective;
use crate::guardian::beat::{Ended, Heart};
use crate::guardian::post::GuardWatch;
use crate::journal::run::{self, NewRun, RunState};
use crate::journal::writer::{JournalHalt, JournalWriter};
use crate::ops::doctor::Patient;
use crate::store::error::StoreError;
use crate::store::lease::{Lease, LeaseRequest, Moment};
use crate::store::place::StoreUrl;
use crate::store::projection::Projector;
use crate::store::{Owner, Store, StoreOptions, doors, journal_rows};

/// Before the open, when a day's session begins for the engine.
const BEFORE_OPEN: Age = Age::from_mins(15);
/// How long a start after a crash waits for the bars it missed, on the wall.
const PATIENCE_FOR_BARS: Duration = Duration::from_secs(1);
/// How long the lease lasts without renewal.
const LEASE: Duration = Duration::from_secs(10);

/// How long fencing off a living engine may take before it has to be ended.
const FENCE_PATIENCE: Duration = Duration::from_secs(3);
/// So many crashes inside the window, and a start makes no entries before a person wants them again (P4, G8).
const CRASHES: u64 = 3;
/// How far back crashes count, session time.
const CRASH_WINDOW: Age = Age::from_mins(10);

/// What a run is made of.
pub struct Plan {
    /// The account; empty in sim.
    pub account: String,
    /// The data folder.
    pub dir: PathBuf,
    /// The database; `None` for the default one in the folder.
    pub store: Option<StoreUrl>,
    /// Settings with the dated tables.
    pub config: Effective,
    /// Session time.
    pub clock: SessionClock,
    /// Contracts of the configured indices today.
    pub instruments: Vec<Instrument>,
    /// Where orders go, and with it the mode.
    pub venue: Venue,
    /// Prices by request.
    pub market: Arc<dyn MarketData>,
    /// The sockets.
    pub sockets: SocketPlan,
    /// Alarms from beside the core.
    pub bell: Bell,
    /// What arming looks at.
    pub doctor: Patient,
    /// What the run is for.
    pub role: Role,
    /// The rate budget behind the ports, for the status.
    pub budget: Arc<BudgetLog>,
}

/// What a run is for.
#[derive(Debug)]
pub enum Role {
    /// Trade.
    Engine {
        /// The guardian without which there are no entries; `None` when it is not wanted.
        guard: Option<GuardWatch>,
    },
    /// Close what an engine left behind.
    Guardian {
        /// The engine still lives and holds the folder: it is fenced off in place of being dead.
        beside: bool,
    },
}

/// Why a run did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store refuses or fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The journal of the day cannot be taken in again.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// The calendar has no session today.
    #[error("{day} is no trading day; the next start can be on a trading day before its close")]
    NoSession {
        /// Today.
        day: NaiveDate,
    },
    /// The calendar does not cover the day.
    #[error("{0}")]
    Calendar(String),
    /// The broker does not answer what the start needs.
    #[error("{what}: {fault}")]
    Broker {
        /// What was asked.
        what: &'static str,
        /// What it said.
        fault: Fault,
    },
    /// The core halts.
    #[error("the core halts at the start: {0}")]
    Halted(Halt),
    /// The journal does not take the first events.
    #[error(transparent)]
    Journal(#[from] JournalHalt),
    /// The engine that lives could not be fenced off.
    #[error("the engine that holds the folder could not be fenced off: {0}")]
    NotFenced(String),
    /// There is no journal of an open session today: no position of ours is open.
    #[error("nothing was begun on {day}: nothing is held")]
    NothingBegun {
        /// Today.
        day: NaiveDate,
    },
    /// The file of marks before sending does not work.
    #[error("sent.log in the data folder: {0}")]
    SentLog(std::io::Error),
}

/// A run that has started.
pub struct Started {
    runtime: Runtime<FeedHub>,
    status: watch::Sender<Arc<Status>>,
    store: Store,
    lease: Lease,
    run: Uuid,
    clock: SessionClock,
    watched: Vec<Watched>,
    /// Told by the supervisor which deciders stand still.
    pub strain: Strain,
    /// What the start went through, in words.
    pub summary: String,
}

/// Starts a run on the present arbiter. `handle` keeps what the engine needs of it.
///
/// # Errors
/// [`StartError`]: nothing is half started then, and the data folder is free again.
pub async fn start(
    plan: Plan,
    status: watch::Sender<Arc<Status>>,
    asks: mpsc::Receiver<Ask>,
) -> Result<Started, StartError> {
    start_in_step(plan, None, status, asks).await
}

/// Starts a run that somebody waits for before session time goes on: every instrument is subscribed from the start, and
/// no tick is conflated.
///
/// # Errors
/// As [`start`].
pub async fn start_in_step(
    mut plan: Plan,
    lock_step: Option<LockStep>,
    status: watch::Sender<Arc<Status>>,
    asks: mpsc::Receiver<Ask>,
) -> Result<Started, StartError> {
    let (guard, is_guardian) = match &mut plan.role {
        Role::Engine { guard } => (guard.take(), false),
        Role::Guardian { .. } => (None, true),
    };
    let heart = (!is_guardian).then(|| Heart::new(&plan.dir));
    let wants_guardian = guard.is_some();
    let Plan { config, clock, .. } = &plan;
    let mode = plan.venue.mode();
    let mut steps = Steps::begin();
    let now = clock.now();
    let day = now.ist_date();
    let hours = config.tables.calendar.hours(day).map_err(|e| StartError::Calendar(e.to_string()))?;
    let hours = hours.filter(|hours| now < hours.close_at()).ok_or(StartError::NoSession { day })?;
    let run_mode = match mode {
        Mode::Sim => run::Mode::Sim,
        Mode::Paper => run::Mode::Paper,
        Mode::Live => run::Mode::Live,
    };
    let options = StoreOptions {
        dir: plan.dir.clone(),
        url: plan.store.clone().unwrap_or_else(|| StoreUrl::default_in(&plan.dir)),
        owner: Some(Owner { mode: run_mode, account: plan.account.clone() }),
    };
    let (store, lease) = if matches!(plan.role, Role::Guardian { beside: true }) {
        fence(&options).await?
    } else {
        let store = Store::open(&options).await?;
        let lease = store.take_lease(LeaseRequest::engine(store.dir(), LEASE)).await?;
        (store, lease)
    };

    steps.done("store and lease");
    let tables = CoreTables {
        calendar: Arc::new(config.tables.calendar.clone()),
        charges: Arc::new(config.tables.charges.clone()),
    };
    let mut core = Direct::new(config.params.clone(), tables, &BTreeMap::new());
    let mut projector = Projector::new();
    let mut notes = Notes::default();
    let mut paper = match &plan.venue {
        Venue::Paper(model) => Some(Box::new(PaperVenue::new(*model))),
        Venue::Broker(_) => None,
    };
    let noted = |entries: &[JournalEntry]| notes.take(entries);
    let recovered = recover::replay(store.url(), day, &mut core, &mut projector, paper.as_deref_mut(), noted).await?;
    if is_guardian && !recovered.is_open {
        store.close().await;
        return Err(StartError::NothingBegun { day });
    }

    // A day that goes on has its doors in its own journal.
    let doors = if recovered.events == 0 { doors::left_closed(store.readers(), day).await? } else { Vec::new() };
    let (core, watched) = FeedHub::going_on(core);
    steps.done("replay");
    let manifest = NewRun {
        id: Uuid::now_v7(),
        mode: run_mode,
        account: plan.account.clone(),
        day,
        binary: crate::backtest::run::CODE_VERSION.to_owned(),
        config_hash: config.hash.clone(),
        tables_hash: config.tables.hash.clone(),
        started_at: now,
        after: recovered.last.seq,
    };
    let (run, journal) = store.begin_run(manifest).await?;
    let run = run.manifest.id;

    let lanes = Lanes::new(LaneLimits { ticks: 65_536, events: 4_096, conflate: lock_step.is_none() });
    let inbox = Inbox::new(lanes.clone(), clock.clone());
    let sink: EventSink = {
        let inbox = inbox.clone();
        Rc::new(move |said| inbox.broker(said))
    };
    let (mut execution, updates) = match (&plan.venue, paper) {
        (Venue::Broker(broker), _) => {
            let sent = SentLog::open(store.dir(), &day.to_string()).map_err(StartError::SentLog)?;
            let fence = {
                let lease = lease.clone();
                Box::new(move || lease.is_mine(Moment::now()))
            };
            let gateway = Gateway::new(broker.orders.clone(), sent, fence, Rc::clone(&sink));
            let mut release = Release::start(&gateway, &sink);
            recovered.placed.iter().for_each(|command| release.note(command));
            let reader = Reader::new(broker.books.clone(), inbox.clone(), clock.clone());
            (Execution::Broker(BrokerSide { release, gateway, reader }), Some(broker.updates.clone()))
        }
        (Venue::Paper(model), venue) => {
            (Execution::Paper(venue.unwrap_or_else(|| Box::new(PaperVenue::new(*model)))), None)
        }
    };

    let mut opening = Opening {
        core,
        projector,
        journal,
        notes,
        execution: &mut execution,
        reads: BTreeSet::new(),
        commands: vec![],
    };
    let indices = config.params.indices.clone();
    let bars = if is_guardian {
        opening.flatten(&plan, &recovered).await?
    } else {
        opening.bring_up(&plan, &hours, &recovered, wants_guardian, doors).await?
    };
    steps.done("bars and timers missed");
    let since = recovered.resumed_at.map_or(now - CRASH_WINDOW, |resumed| resumed.max(now - CRASH_WINDOW));
    let crashes = journal_rows::crashes_since(store.readers(), day, since).await?;
    if crashes >= CRASHES {
        opening.event(clock.now(), Event::Operator(OperatorCommand::ReduceOnly)).await?;
    }
    let Opening { core, mut projector, mut journal, notes, reads, commands, .. } = opening;

    let evidence: SharedEvidence = Rc::new(RefCell::new(Evidence::default()));
    let sockets = sockets::start(plan.sockets.clone(), updates, clock, core.universe(), &hours, &inbox, &evidence);
    follow_session(clock, &hours, sockets.data_expected.clone());
    if let Execution::Broker(broker) = &execution {
        recovered.resume(&broker.gateway);
    }
    // What the gap called for: exits that fell due, orders whose time ran out.
    journal.project(projector.take());
    let receipt = journal.commit()?;
    execution.carry_out(core.ledger().last_stamp(), &receipt, commands, core.universe());

    let expiring = expiring(core.universe(), day);
    let mut publisher = Publisher::new(
        mode,
        crate::backtest::run::CODE_VERSION.to_owned(),
        config.hash.clone(),
        indices.clone(),
        now,
        hours.clone(),
        Arc::clone(&plan.budget),
    );
    if mode == Mode::Live {
        publisher.needs_arming(plan.account.clone(), config.params.capital.max_lots);
    }
    let mut subscribe = subscriptions(sockets, indices, day, lock_step.is_some(), Rc::clone(&evidence));
    // Looks happen in wall time, and a run in step may not depend on it.
    let quotes = || HeldQuotes::new(plan.market.clone(), inbox.clone(), clock.clone(), hours.clone());
    let mut quotes = lock_step.is_none().then(quotes);
    let on_look: OnLook = Box::new(move |books, universe| {
        subscribe(books, universe);
        if let Some(quotes) = &mut quotes {
            quotes.look(books, universe);
        }
    });
    if recovered.events > 0 {
        // I35
        let text = format!("the day goes on after {} events", recovered.events);
        publisher.alarm(clock.now(), "restart", text);
    }
    if crashes >= CRASHES {
        let text =
            format!("{crashes} crashes in {} minutes: exits only until `scalper resume`", CRASH_WINDOW.secs() / 60);
        publisher.alarm(clock.now(), "crash_loop", text);
    }
    reads.into_iter().for_each(|read| execution.read(read));
    steps.done("sockets");
    tracing::info!(target: "engine", steps = steps.text, "started");
    let summary = format!(
        "{} {day}: {} events replayed, {} commands without an answer, {bars} bars of warm-up, {} instruments",
        mode.word(),
        recovered.events,
        recovered.unanswered.len(),
        core.universe().len(),
    );
    let strain = Strain::default();
    let runtime = Runtime {
        core,
        lanes,
        clock: clock.clone(),
        journal,
        projector,
        execution,
        schedule: Schedule::of_day(hours, expiring),
        asks,
        publisher,
        notes,
        evidence,
        bell: plan.bell.clone(),
        arming: Arming::new(plan.doctor.clone()),
        on_look,
        last: None,
        heart,
        guard,
        strain: strain.clone(),
        pressure: Pressure::Normal,
        lock_step,
    };
    Ok(Started { runtime, status, store, lease, run, clock: clock.clone(), watched, strain, summary })
}

/// Takes the lease from an engine that lives, and waits until it cannot send any more even if it wakes up (E8, I20).
async fn fence(options: &StoreOptions) -> Result<(Store, Lease), StartError> {
    let taken = async {
        let store = Store::open_beside(options).await?;
        let lease = store.take_lease(LeaseRequest::engine(store.dir(), LEASE)).await?;
        Ok::<_, StoreError>((store, lease))
    };
    // A process that was stopped inside a transaction keeps everybody else out for ever.
    let taken = tokio::time::timeout(FENCE_PATIENCE, taken).await;
    let (store, lease) =
        taken.map_err(|_| StartError::NotFenced("the database is held".to_owned()))?.map_err(|e| match e {
            StoreError::Refused(_) | StoreError::Fenced(_) | StoreError::Lost(_) => {
                StartError::NotFenced(e.to_string())
            }
            other => other.into(),
        })?;
    let left = lease.others_are_done_at().map_or(0, |done| done.nanos() - Moment::now().wall.nanos());
    // A wall clock that was set back makes nobody wait longer than a lease lasts.
    let left = Duration::from_nanos(u64::try_from(left).unwrap_or(0)).min(LEASE);
    tracing::warn!(target: "guardian", millis = left.as_millis(), "the engine is fenced off; waiting until it knows");
    tokio::time::sleep(left).await;
    Ok((store, lease))
}

/// How long each step of a start took, for the log.
struct Steps {
    since: std::time::Instant,
    text: String,
}

impl Steps {
    fn begin() -> Steps {
        Steps { since: std::time::Instant::now(), text: String::new() }
    }

    fn done(&mut self, what: &str) {
        let comma = if self.text.is_empty() { "" } else { ", " };
        self.text.push_str(&format!("{comma}{what} {} ms", self.since.elapsed().as_millis()));
        self.since = std::time::Instant::now();
    }
}

/// A core on its way to the first live event.
struct Opening<'a> {
    core: FeedHub,
    projector: Projector,
    journal: JournalWriter,
    notes: Notes,
    execution: &'a mut Execution,
    /// Asked for so far; started once somebody can hear the answers.
    reads: BTreeSet<BrokerRead>,
    /// Decided while the gap was filled; sent to a broker once the sockets are there.
    commands: Vec<Command>,
}

impl Opening<'_> {
    /// Settings, warm-up, session, instruments and the bars missed; returns how many bars were read.
    async fn bring_up(
        &mut self,
        plan: &Plan,
        hours: &SessionHours,
        recovered: &Recovered,
        wants_guardian: bool,
        doors: Vec<OperatorCommand>,
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
        let opens = Event::SessionOpened { hours: hours.clone(), warm_up: false, bars_of: BTreeMap::new() };
        // Timers begin with the session: hours of them before it would only be caught up with.
        let start = now.min(hours.open_at() - BEFORE_OPEN);
        self.event(start, opens).await?;
        self.disarm(plan, start).await?;
        for command in doors {
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
        // All of it in one transaction: a start that is killed on its way leaves a day that has not begun.
        self.flush();
        Ok(read)
    }

    /// A guardian's first words: no entries, and everything must go.
    async fn flatten(&mut self, plan: &Plan, recovered: &Recovered) -> Result<usize, StartError> {
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
    async fn event(&mut self, at: Instant, event: Event) -> Result<(), StartError> {
        let outcome = self.core.handle(at, &event).await;
        let stamp = self.core.ledger().last_stamp();
        self.journal.append(stamp, &event)?;
        outcome.map_err(StartError::Halted)?;
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

/// Series that settle on `day`.
fn expiring(universe: &Universe, day: NaiveDate) -> Vec<(Underlying, NaiveDate)> {
    let of = |i: &Arc<Instrument>| i.option().filter(|c| c.expiry == day).map(|c| (c.underlying, day));
    universe.iter().filter_map(of).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Tells the feed while the session is open.
pub(super) fn follow_session(clock: &SessionClock, hours: &SessionHours, expected: watch::Sender<bool>) {
    let (clock, hours) = (clock.clone(), hours.clone());
    actix_rt::spawn(async move {
        for window in &hours.windows {
            clock.sleep_until(hours.at(window.open)).await;
            expected.send_replace(clock.now() < hours.at(window.close));
            clock.sleep_until(hours.at(window.close)).await;
            expected.send_replace(false);
        }
        std::future::pending::<()>().await;
    });
}

/// Keeps the feed's set in step with the money and with what is held; pinned within one look after a fill. `all` wants
/// everything: looks happen in wall time, and a run in step may not depend on it.
pub(super) fn subscriptions(
    sockets: Sockets,
    indices: Vec<Underlying>,
    day: NaiveDate,
    all: bool,
    evidence: SharedEvidence,
) -> OnLook {
    let mut watch = Watch::new();
    Box::new(move |books, universe| {
        // The whole of it: a socket ends when its end of this is dropped.
        let sockets = &sockets;
        let levels: BTreeMap<Underlying, IndexPrice> =
            evidence.borrow().levels.iter().map(|(u, (paise, _))| (*u, IndexPrice::from_paise(*paise))).collect();
        let working =
            books.orders.orders().filter(|(order, _)| !order.state.is_terminal()).map(|(o, _)| o.spec.instrument);
        let pinned: BTreeSet<InstrumentId> = books.risk.held().chain(working).collect();
        let set = if all {
            universe.iter().map(|instrument| instrument.id).collect()
        } else {
            watch.wanted(universe, day, &levels, &indices, &pinned)
        };
        let wanted = sockets::wanted(universe, set.iter());
        evidence.borrow_mut().subscribed = set;
        sockets.wanted.send_if_modified(|held| {
            let differs = **held != wanted;
            if differs {
                *held = Arc::new(wanted);
            }
            differs
        });
    })
}

impl Started {
    /// The deciders, once, for the supervisor.
    pub fn take_watched(&mut self) -> Vec<Watched> {
        std::mem::take(&mut self.watched)
    }

    /// Runs until something ends it, then ends the run in order.
    pub async fn run(self) -> Stopped {
        let Started { runtime, status, store, run, clock, lease, .. } = self;
        let (stopped, mut runtime) = runtime.run(status).await;
        let ended = match stopped {
            Stopped::Asked => Some(Ended::Asked),
            Stopped::DayOver => Some(Ended::DayOver),
            // No word of an end: the guardian takes it for a death.
            Stopped::Halted(_) | Stopped::Journal(_) => None,
        };
        runtime.journal.project(runtime.projector.take());
        if let Ok(receipt) = runtime.journal.commit()
            && let Err(e) = receipt.for_exit().await
        {
            tracing::error!(target: "journal", error = %e, "the last events are not durable");
        }
        let state =
            if matches!(stopped, Stopped::Asked | Stopped::DayOver) { RunState::Ended } else { RunState::Running };
        if let Err(e) = store.end_run(run, state, clock.now()).await {
            tracing::error!(target: "journal", error = %e, "the end of the run could not be noted");
        }
        let mut heart = runtime.heart.take();
        if let (Some(heart), Some(_)) = (&mut heart, ended) {
            heart.beat(clock.now(), &runtime.core.books().await);
        }
        drop((runtime, lease));
        store.close().await;
        // The very last: whoever acts on it finds the folder free.
        if let (Some(heart), Some(ended)) = (&mut heart, ended) {
            heart.end(ended);
        }
        stopped
    }
}

/// A handle for a run that is about to start.
pub fn handle(plan: &Plan) -> (EngineHandle, watch::Sender<Arc<Status>>, mpsc::Receiver<Ask>) {
    let version = crate::backtest::run::CODE_VERSION;
    EngineHandle::new(Status::starting(plan.venue.mode(), version, &plan.config.hash, plan.clock.now()))
}
