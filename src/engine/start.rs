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
use scalper_decide::direct::CoreTables;
use scalper_decide::domain::broker::{BrokerEvent, BrokerRead};
use scalper_decide::domain::{
    Age, Command, Event, IndexPrice, Instant, Instrument, InstrumentId, InstrumentKind, SessionHours, Underlying,
    Universe,
};
use scalper_decide::journal::JournalEntry;
use scalper_decide::pipeline::Halt;
use scalper_decide::reconciler::ReconcilerParams;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use super::gateway::{EventSink, Gateway, Outgoing};
use super::handle::{Ask, EngineHandle};
use super::inbox::Inbox;
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
use super::warm_up::{self, Source};
use super::watch::Watch;
use crate::actors::feed_hub::FeedHub;
use crate::actors::lanes::{LaneLimits, Lanes};
use crate::actors::supervisor::Watched;
use crate::broker::{BrokerBooks, Fault, MarketData, OrderPort};
use crate::clock::SessionClock;
use crate::config::Effective;
use crate::journal::run::{self, NewRun, RunState};
use crate::journal::writer::{JournalHalt, JournalWriter};
use crate::store::error::StoreError;
use crate::store::lease::{Lease, LeaseRequest, Moment};
use crate::store::place::StoreUrl;
use crate::store::projection::Projector;
use crate::store::{Owner, Store, StoreOptions};

/// Before the open, when a day's session begins for the engine.
const BEFORE_OPEN: Age = Age::from_mins(15);
/// How long the lease lasts without renewal.
const LEASE: Duration = Duration::from_secs(10);

/// What a run is made of.
pub struct Plan {
    /// How it is connected.
    pub mode: Mode,
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
    /// Where orders go.
    pub orders: Arc<dyn OrderPort>,
    /// The broker's books.
    pub books: Arc<dyn BrokerBooks>,
    /// Prices by request.
    pub market: Arc<dyn MarketData>,
    /// The sockets.
    pub sockets: SocketPlan,
    /// How long the reconciler waits for what.
    pub reconciler: ReconcilerParams,
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
    let Plan { mode, config, clock, .. } = &plan;
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
    let store = Store::open(&options).await?;
    let lease = store.take_lease(LeaseRequest::engine(store.dir(), LEASE)).await?;

    let tables = CoreTables {
        calendar: Arc::new(config.tables.calendar.clone()),
        charges: Arc::new(config.tables.charges.clone()),
    };
    let (mut core, watched) = FeedHub::start(config.params.clone(), tables, &BTreeMap::new());
    let mut projector = Projector::new();
    let mut notes = Notes::default();
    let recovered = recover::replay(store.url(), day, &mut core, &mut projector, |entries| notes.take(entries)).await?;

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

    let lanes = Lanes::new(LaneLimits { ticks: 65_536, events: 4_096, conflate: true });
    let inbox = Inbox::new(lanes.clone(), clock.clone());
    let sink: EventSink = {
        let inbox = inbox.clone();
        Rc::new(move |said| inbox.broker(said))
    };
    let sent = SentLog::open(store.dir(), &day.to_string()).map_err(StartError::SentLog)?;
    let fence = {
        let lease = lease.clone();
        Box::new(move || lease.is_mine(Moment::now()))
    };
    let gateway = Gateway::new(plan.orders.clone(), sent, fence, Rc::clone(&sink));
    let mut release = Release::start(&gateway, &sink);
    recovered.placed.iter().for_each(|command| release.note(command));

    let mut opening = Opening { core, projector, journal, notes, reads: BTreeSet::new(), commands: Vec::new() };
    let indices = config.params.indices.clone();
    let bars = opening.bring_up(&plan, &hours, &recovered).await?;
    let Opening { core, mut projector, mut journal, notes, commands, .. } = opening;

    let evidence: SharedEvidence = Rc::new(RefCell::new(Evidence::default()));
    let sockets = sockets::start(plan.sockets.clone(), clock, core.universe(), &hours, &inbox, &evidence);
    follow_session(clock, &hours, sockets.data_expected.clone());
    recovered.resume(&gateway, &sink);
    // What the gap called for: exits that fell due, orders whose time ran out.
    journal.project(projector.take());
    let receipt = journal.commit()?;
    release.push(&receipt, commands);

    let expiring = expiring(core.universe(), day);
    let mut publisher =
        Publisher::new(*mode, crate::backtest::run::CODE_VERSION.to_owned(), config.hash.clone(), indices.clone(), now);
    publisher.session(Some(day));
    let on_look = subscriptions(sockets, indices, day, Rc::clone(&evidence));
    let reader = Reader::new(plan.books.clone(), inbox, clock.clone());
    let summary = format!(
        "{} {day}: {} events replayed, {} commands without an answer, {bars} bars of warm-up, {} instruments",
        mode.word(),
        recovered.events,
        recovered.unanswered.len(),
        core.universe().len(),
    );
    let runtime = Runtime {
        core,
        lanes,
        clock: clock.clone(),
        journal,
        projector,
        release,
        gateway,
        reader,
        schedule: Schedule::of_day(hours, expiring),
        asks,
        publisher,
        notes,
        evidence,
        on_look,
    };
    Ok(Started { runtime, status, store, lease, run, clock: clock.clone(), watched, summary })
}

/// A core on its way to the first live event.
struct Opening {
    core: FeedHub,
    projector: Projector,
    journal: JournalWriter,
    notes: Notes,
    reads: BTreeSet<BrokerRead>,
    /// Decided while the gap was filled; sent once the sockets are there.
    commands: Vec<Outgoing>,
}

impl Opening {
    /// Settings, warm-up, session, instruments and the bars missed; returns how many bars were read.
    async fn bring_up(
        &mut self,
        plan: &Plan,
        hours: &SessionHours,
        recovered: &Recovered,
    ) -> Result<usize, StartError> {
        let now = plan.clock.now();
        let configured =
            Event::Configured { params: Box::new(plan.config.params.clone()), reconciler: Some(plan.reconciler) };
        if recovered.events > 0 {
            // What is safe to change while a day is under way changes; the rest waits or is refused, and says so.
            self.event(now, configured).await?;
            if recovered.is_open {
                return self.fill_gap(plan, hours, recovered).await;
            }
        } else {
            self.event(Instant::from_ist(hours.day, midnight()) - Age::from_mins(60 * 24 * 30), configured).await?;
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
        self.give_reads_back(plan.clock.now()).await?;
        self.flush();
        Ok(read)
    }

    /// Catches up with the clock, then reports every read asked for meanwhile as failed, so that it is asked for again
    /// once somebody can answer.
    async fn give_reads_back(&mut self, now: Instant) -> Result<(), StartError> {
        self.timers_until(now).await?;
        for read in std::mem::take(&mut self.reads) {
            let what = "asked for before the start was over".to_owned();
            self.event(now, Event::Broker(BrokerEvent::ReadFailed { read, what })).await?;
        }
        Ok(())
    }

    /// Bars of today that no process saw.
    async fn fill_gap(
        &mut self,
        plan: &Plan,
        hours: &SessionHours,
        recovered: &Recovered,
    ) -> Result<usize, StartError> {
        let is_index = |i: &&Instrument| matches!(i.kind, InstrumentKind::Index { .. });
        let indices: Vec<Instrument> = plan.instruments.iter().filter(is_index).cloned().collect();
        let now = plan.clock.now();
        let mut missed = self.history(plan, &indices, std::slice::from_ref(hours), now).await?;
        let seen = recovered.last_tick.unwrap_or(recovered.last.at);
        missed.retain(|(_, bar)| bar.start > seen);
        let read = self.bars(&missed).await?;
        self.give_reads_back(plan.clock.now()).await?;
        self.flush();
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
        while let Some(due) = self.core.wake_at().filter(|due| *due < at) {
            self.event(due, Event::Timer).await?;
        }
        Ok(())
    }

    /// One event; what it leads to is kept for when it can be sent.
    async fn event(&mut self, at: Instant, event: Event) -> Result<(), StartError> {
        let outcome = self.core.handle(at, &event).await;
        let stamp = self.core.ledger().last_stamp();
        self.journal.append(stamp, &event)?;
        outcome.map_err(StartError::Halted)?;
        let commands: Vec<Command> = self.core.take_commands().map(|(_, command)| command).collect();
        self.commands.extend(commands.into_iter().map(|command| Outgoing::to(self.core.universe(), command)));
        self.reads.extend(self.core.take_reads());
        if self.core.has_journal() || !matches!(event, Event::Tick(_) | Event::Timer) {
            let entries: Vec<JournalEntry> = self.core.take_journal().collect();
            self.projector.note(stamp, &event, &entries);
            self.notes.take(&entries);
        }
        if self.journal.is_due(at) {
            self.flush();
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

/// Keeps the feed's set in step with the money and with what is held; pinned within one look after a fill.
pub(super) fn subscriptions(
    sockets: Sockets,
    indices: Vec<Underlying>,
    day: NaiveDate,
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
        let set = watch.wanted(universe, day, &levels, &indices, &pinned);
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
        drop((runtime, lease));
        store.close().await;
        stopped
    }
}

/// A handle for a run that is about to start.
pub fn handle(plan: &Plan) -> (EngineHandle, watch::Sender<Arc<Status>>, mpsc::Receiver<Ask>) {
    let version = crate::backtest::run::CODE_VERSION;
    EngineHandle::new(Status::starting(plan.mode, version, &plan.config.hash, plan.clock.now()))
}
