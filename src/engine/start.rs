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
use scalper_decide::domain::event::IvDays;
use scalper_decide::domain::operator::OperatorCommand;
use scalper_decide::domain::{Age, Event, Instrument, Underlying, Universe};
use scalper_decide::journal::JournalEntry;
use scalper_decide::paper::PaperVenue;
use scalper_decide::params::StrategyParams;
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
use super::opening::{Carried, Opening};
use super::publish::{Evidence, Publisher};
use super::reader::Reader;
use super::recover::{self, RecoverError};
use super::release::Release;
use super::runtime::{OnLook, Runtime, Stopped};
use super::schedule::Schedule;
use super::sent_log::SentLog;
use super::settlement::Levels;
use super::sockets::{self, SharedEvidence, SocketPlan, Watching};
use super::status::{Mode, Status};
use super::strain::Strain;
use super::subscriptions::{follow_session, subscriptions};
use crate::actors::feed_hub::FeedHub;
use crate::actors::lanes::{LaneLimits, Lanes, Pressure};
use crate::actors::supervisor::Watched;
use crate::api::state::Shelf;
use crate::broker::dhan::rest::budget_log::BudgetLog;
use crate::broker::{Fault, MarketData};
use crate::clock::SessionClock;
use crate::config::Effective;
use crate::guardian::beat::{Ended, Heart};
use crate::guardian::post::GuardWatch;
use crate::journal::run::{self, NewRun, RunState};
use crate::journal::writer::JournalHalt;
use crate::ops::doctor::Patient;
use crate::store::error::StoreError;
use crate::store::lease::{Lease, LeaseRequest, Moment};
use crate::store::link::Readers;
use crate::store::place::StoreUrl;
use crate::store::projection::Projector;
use crate::store::{Owner, Store, StoreOptions, doors, journal_rows, operations};

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

    // A day that goes on has all of this in its own journal.
    let carried = match recovered.events {
        0 => Carried {
            doors: doors::left_closed(store.readers(), day).await?,
            iv: recent(operations::iv_history(store.readers(), day).await?, &config.params),
        },
        _ => Carried::default(),
    };
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
        levels: recovered.levels.clone().unwrap_or_else(|| Levels::of(&hours)),
    };
    let indices = config.params.indices.clone();
    let brought_up = if is_guardian {
        opening.flatten(&plan, &recovered).await
    } else {
        opening.bring_up(&plan, &hours, &recovered, wants_guardian, carried).await
    };
    let bars = match brought_up {
        Ok(bars) => bars,
        Err(e) => {
            // Not a crash: nothing was begun, and the next attempt finds the folder free.
            drop(opening);
            if let Err(e) = store.end_run(run, RunState::Ended, clock.now()).await {
                tracing::error!(target: "journal", error = %e, "the end of the start could not be noted");
            }
            drop((execution, lease));
            store.close().await;
            return Err(e);
        }
    };
    steps.done("bars and timers missed");
    let since = recovered.resumed_at.map_or(now - CRASH_WINDOW, |resumed| resumed.max(now - CRASH_WINDOW));
    let crashes = journal_rows::crashes_since(store.readers(), day, since).await?;
    if crashes >= CRASHES {
        opening.event(clock.now(), Event::Operator(OperatorCommand::ReduceOnly)).await?;
    }
    let Opening { core, mut projector, mut journal, notes, reads, commands, levels, .. } = opening;

    let evidence: SharedEvidence = Rc::new(RefCell::new(Evidence::default()));
    let watching = Watching { hours: hours.clone(), bell: plan.bell.clone(), judges: lock_step.is_none() };
    let sockets = sockets::start(plan.sockets.clone(), updates, clock, core.universe(), &inbox, &evidence, watching);
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
        schedule: Schedule::of_day(hours, expiring, levels),
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

/// As many of the latest sessions as the IV rank looks at.
fn recent(mut history: IvDays, params: &StrategyParams) -> IvDays {
    history.retain(|underlying, _| params.indices.contains(underlying));
    for (underlying, days) in &mut history {
        days.drain(..days.len().saturating_sub(params.signal_of(*underlying).iv_rank.lookback_days));
    }
    history
}

/// Series that settle on `day`.
fn expiring(universe: &Universe, day: NaiveDate) -> Vec<(Underlying, NaiveDate)> {
    let of = |i: &Arc<Instrument>| i.option().filter(|c| c.expiry == day).map(|c| (c.underlying, day));
    universe.iter().filter_map(of).collect::<BTreeSet<_>>().into_iter().collect()
}

impl Started {
    /// The deciders, once, for the supervisor.
    pub fn take_watched(&mut self) -> Vec<Watched> {
        std::mem::take(&mut self.watched)
    }

    /// The database for whoever serves people: readers and the audit trail.
    ///
    /// # Errors
    /// As [`Readers::new`].
    pub fn shelf(&self) -> Result<Shelf, StoreError> {
        Ok(Shelf {
            readers: Readers::new(self.store.url())?,
            trail: self.store.trail(),
            bell: self.runtime.bell.clone(),
        })
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
        if matches!(stopped, Stopped::DayOver) {
            let (today, books) = (runtime.schedule.hours().day, runtime.core.books().await);
            for (underlying, (_, iv_pct)) in books.last_iv.iter().filter(|(_, (day, _))| *day == today) {
                if let Err(e) = store.save_iv(*underlying, today, *iv_pct).await {
                    tracing::error!(target: "signal_engine", error = %e, "the day's volatility is not kept");
                }
            }
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
