//! One drill: the simulated broker, the engine's parts as `engine::start` joins them, and the faults between.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use scalper_decide::decision_core::Core as _;
use scalper_decide::direct::{CoreTables, Direct};
use scalper_decide::domain::broker::{BrokerEvent, BrokerRead};
use scalper_decide::domain::event::OperatorCommand;
use scalper_decide::domain::{Age, Bps, Event, Instant, SessionCalendar, SessionHours};
use scalper_decide::rate_budget::RateParams;
use scalper_decide::reconciler::ReconcilerParams;
use secrecy::ExposeSecret as _;
use tokio::sync::watch;
use tokio::task::LocalSet;

use super::bugs::{Bug, BuggyBooks, BuggyPort};
use super::market::{self, Lively, ten};
use super::oracle::{Oracle, Violation, Violations};
use super::watched::Watched;
use super::wire::Wire;
use super::{memory, settings};
use crate::actors::lanes::{LaneLimits, Lanes, Pressure};
use crate::broker::dhan::credentials::Credentials;
use crate::broker::dhan::feed::FeedConfig;
use crate::broker::dhan::rest::budget_log::BudgetLog;
use crate::broker::dhan::rest::client::{Client, fixed};
use crate::broker::dhan::rest::transport::{Hand, Handed, Limits};
use crate::broker::dhan::socket::{Piper, SocketConfig};
use crate::broker::{BrokerBooks, OrderPort};
use crate::clock::SessionClock;
use crate::config::tables;
use crate::engine::arming::Arming;
use crate::engine::bell::Bell;
use crate::engine::execution::{BrokerSide, Execution};
use crate::engine::gateway::{EventSink, Gateway};
use crate::engine::handle::EngineHandle;
use crate::engine::inbox::Inbox;
use crate::engine::notes::Notes;
use crate::engine::publish::{Evidence, Publisher};
use crate::engine::reader::Reader;
use crate::engine::release::Release;
use crate::engine::runtime::{Runtime, Stopped};
use crate::engine::schedule::Schedule;
use crate::engine::sent_log::SentLog;
use crate::engine::settlement::Levels;
use crate::engine::sockets::{self, SharedEvidence, SocketPlan, Watching};
use crate::engine::status::{Mode, Status};
use crate::engine::strain::Strain;
use crate::engine::subscriptions::{follow_session, subscriptions};
use crate::ops::doctor::Patient;
use crate::simulator::account::{Account, TOKEN_LIFE};
use crate::simulator::desk::Desk;
use crate::simulator::faults::{Count, FaultKind, FaultSchedule, Rule};
use crate::simulator::limits::RateLimits;
use crate::simulator::rest::{RestOptions, RestState, by_hand};
use crate::simulator::sockets::{Conductor, Hub, SocketsConfig, enter};
use crate::simulator::{SimConfig, Simulator};
use crate::store::projection::Projector;

/// The account.
const CLIENT: &str = "1000000001";
/// One way between client and broker.
const WAY: Duration = Duration::from_millis(4);
/// Bytes a pipe holds.
const PIPE: usize = 1 << 18;
/// Longest time with faults.
pub(super) const LONGEST: Age = Age::from_mins(60);
/// How often it is asked whether every fault has happened.
const ASK_EVERY: Age = Age::from_secs(10);
/// From the last fault to agreement (I33).
const AGREED_WITHIN: Age = Age::from_secs(60);

/// What to play.
#[derive(Debug, Clone)]
pub(super) struct Drill {
    /// Of market, faults and journal.
    pub(super) seed: u64,
    /// What goes wrong.
    pub(super) rules: Vec<Rule>,
    /// For how long at least, session time.
    pub(super) faults_for: Age,
    /// And until every kind of the schedule has happened so often, but no longer than [`LONGEST`].
    pub(super) each_fires: u64,
    /// A fault of our own.
    pub(super) bug: Option<Bug>,
    /// Loss of the day that latches the breaker; then the weekend is lived through as well.
    pub(super) day_loss: Option<Bps>,
    /// Whether the line of events is kept.
    pub(super) keeps_lines: bool,
}

impl Drill {
    /// Four minutes of these faults.
    pub(super) fn of(seed: u64, rules: Vec<Rule>) -> Drill {
        let faults_for = Age::from_mins(4);
        Drill { seed, rules, faults_for, each_fires: 0, bug: None, day_loss: None, keeps_lines: false }
    }
}

/// What came of it.
pub(super) struct Played {
    pub(super) violations: Vec<Violation>,
    pub(super) counts: BTreeMap<FaultKind, Count>,
    pub(super) digest: String,
    pub(super) events: u64,
    pub(super) entries: u64,
    pub(super) closed: u64,
    pub(super) trades: usize,
    pub(super) findings: BTreeMap<&'static str, usize>,
    pub(super) alarms: BTreeMap<&'static str, usize>,
    pub(super) decisions: BTreeMap<String, usize>,
    /// Breakers that were latched at the end.
    pub(super) was_latched: bool,
    pub(super) lines: Vec<String>,
}

/// Plays one drill in virtual time.
pub(super) fn play(drill: &Drill) -> Played {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    LocalSet::new().block_on(&runtime.expect("a runtime can be made"), world(drill.clone()))
}

/// The simulated broker with its faults, and how a client in this process reaches it.
struct Broker {
    desk: Desk,
    state: RestState,
    credentials: Credentials,
    piper: Piper,
}

fn broker(drill: &Drill, faults: &FaultSchedule, until: Instant) -> Broker {
    let tables = tables::load(None).expect("the shipped tables are sound");
    let hours = tables.calendar.hours(market::day()).expect("inside the calendar").expect("a trading day");
    let lively = Lively::new(drill.seed, until, hours, tables.contracts);
    let sim = Simulator::new(Box::new(lively), SimConfig::default(), tables.charges).expect("a day");
    let clock = SessionClock::scaled(ten(), 1.0);
    let mut account = Account::new(CLIENT);
    let token = account.mint(ten(), TOKEN_LIFE);
    let desk = Desk::new(sim, account, RateLimits::default(), clock);
    desk.step().expect("the market can be read");
    let hub = Arc::new(Hub::new(desk.clone(), CLIENT, SocketsConfig::default(), Arc::new(faults.clone())));
    let conductor = Conductor::new(Arc::clone(&hub), None);
    tokio::task::spawn_local(async move { conductor.follow().await });
    let piper = Piper(Arc::new(move || {
        let (near, far) = tokio::io::duplex(PIPE);
        tokio::spawn(enter(far, Arc::clone(&hub)));
        near
    }));
    let state = RestState {
        options: RestOptions { exponents: false, ..RestOptions::default() },
        faults: Arc::new(faults.clone()),
        ..RestState::new(desk.clone())
    };
    Broker { desk, state, credentials: Credentials { client_id: CLIENT.to_owned(), token }, piper }
}

/// The way of a call to the broker and of its answer back.
fn hand(broker: &Broker, wire: &Wire) -> Hand {
    let (state, wire, clock) = (broker.state.clone(), wire.clone(), broker.desk.clock().clone());
    Hand(Arc::new(move |handed: Handed| {
        let (state, wire, clock) = (state.clone(), wire.clone(), clock.clone());
        let Handed { method, path, body, who } = handed;
        wire.leaves(clock.now(), &method, &path, &body);
        Box::pin(async move {
            tokio::time::sleep(WAY).await;
            let token = who.token.expose_secret().to_owned().into();
            let given = by_hand(state, &method, &path, token, who.client_id, body).await;
            tokio::time::sleep(WAY).await;
            if method != "GET" {
                wire.answered(clock.now(), &path, given.as_ref());
            }
            given
        })
    }))
}

/// A core at ten: session open, contracts listed, indices warmed up.
async fn warm(core: &mut Watched, until: Instant, seed: u64) {
    let tables = tables::load(None).expect("the shipped tables are sound");
    let hours = tables.calendar.hours(market::day()).expect("inside the calendar").expect("a trading day");
    let opened = hours.open_at() - Age::from_mins(15);
    let begin = Event::SessionOpened { hours, warm_up: false, bars_of: BTreeMap::new() };
    core.handle(opened, &begin).await.expect("a session opens");
    for instrument in market::instruments() {
        core.handle(opened, &Event::Listed { instrument }).await.expect("contracts are listed");
    }
    for tick in market::ticks(seed, until) {
        while let Some(due) = core.wake_at().filter(|due| *due < tick.received_at) {
            core.handle(due, &Event::Timer).await.expect("time passes");
        }
        core.handle_tick(tick.received_at, &tick).await;
    }
    // As at every start: what was asked for before anybody could answer is asked again.
    let asked: BTreeSet<BrokerRead> = core.take_reads().collect();
    for read in asked {
        let what = "asked for before the start was over".to_owned();
        core.handle(until, &Event::Broker(BrokerEvent::ReadFailed { read, what })).await.expect("a read may fail");
    }
    core.take_journal();
}

/// From the end of a Friday to the opening of the Monday after.
async fn weekend(core: &mut Watched, friday: &SessionHours, calendar: &SessionCalendar) {
    let close = friday.close_at() + Age::from_mins(1);
    core.handle(close, &Event::SessionClosed { day: friday.day }).await.expect("a day ends");
    let monday = friday.day + chrono::Days::new(3);
    let hours = calendar.hours(monday).expect("inside the calendar").expect("a trading day");
    let opens = hours.open_at() - Age::from_mins(15);
    let mut at = close;
    while at < opens {
        core.handle(at, &Event::Timer).await.expect("time passes");
        at = at + Age::from_mins(30);
    }
    let begin = Event::SessionOpened { hours, warm_up: false, bars_of: BTreeMap::new() };
    core.handle(opens, &begin).await.expect("a session opens");
}

#[allow(clippy::too_many_lines, reason = "one world, joined once, in the order of engine::start")]
async fn world(drill: Drill) -> Played {
    let longest = drill.rules.iter().map(|rule| rule.length).max().unwrap_or(Age::ZERO);
    let faults = FaultSchedule::new(drill.seed, drill.rules.clone());
    let until = ten() + LONGEST.max(drill.faults_for) + longest + AGREED_WITHIN + Age::from_secs(15);
    let broker = broker(&drill, &faults, until);
    let (desk, clock) = (broker.desk.clone(), broker.desk.clock().clone());

    let violations = Violations::default();
    let durable = Arc::new(AtomicU64::new(0));
    let wire = Wire::new(Arc::clone(&durable), violations.clone(), desk.clone(), drill.keeps_lines);
    let limits = Limits::default();
    let dir = tempfile::tempdir().expect("a folder");
    let budget = Arc::new(BudgetLog::open(dir.path(), RateParams::default(), clock.clone()).expect("a file"));
    let client = Client::by_hand(fixed(broker.credentials.clone()), budget.clone(), limits, hand(&broker, &wire));
    let mut orders: Arc<dyn OrderPort> = Arc::new(client.orders_at_simulator());
    let mut books: Arc<dyn BrokerBooks> = Arc::new(client);
    match drill.bug {
        Some(bug @ (Bug::RetryOnTimeOut | Bug::CancelThenPlace)) => orders = Arc::new(BuggyPort::new(orders, bug)),
        Some(Bug::ErrorsAreAbsence) => books = Arc::new(BuggyBooks(books)),
        _ => {}
    }

    let tables = tables::load(None).expect("the shipped tables are sound");
    let hours = tables.calendar.hours(market::day()).expect("inside the calendar").expect("a trading day");
    let core_tables = CoreTables { calendar: Arc::new(tables.calendar), charges: Arc::new(tables.charges) };
    let calendar = core_tables.calendar.clone();
    let params = settings::params(drill.day_loss);
    let indices = params.indices.clone();
    let core =
        Direct::new(params, core_tables, &BTreeMap::new()).with_reconciler(ReconcilerParams::new(settings::instance()));
    let oracle =
        Rc::new(RefCell::new(Oracle::new(desk.clone(), (*calendar).clone(), violations.clone(), drill.keeps_lines)));
    let mut core = Watched::new(core, Rc::clone(&oracle), wire.clone());
    warm(&mut core, ten(), drill.seed).await;

    let journal =
        memory::journal(drill.seed, core.ledger().last_stamp().seq, &durable, drill.bug == Some(Bug::DroppedFsync));
    let lanes = Lanes::new(LaneLimits { ticks: 65_536, events: 4_096, conflate: true });
    let inbox = Inbox::new(lanes.clone(), clock.clone());
    let sink: EventSink = {
        let inbox = inbox.clone();
        Rc::new(move |said| inbox.broker(said))
    };
    let sent = SentLog::open(dir.path(), "drill").expect("a file");
    let gateway = Gateway::new(orders, sent, Box::new(|| true), Rc::clone(&sink));
    let release = Release::start(&gateway, &sink);
    let evidence: SharedEvidence = Rc::new(RefCell::new(Evidence::default()));
    let (_keep, credentials) = watch::channel(Some(broker.credentials.clone()));
    let socket = |url: &str| SocketConfig { pipe: Some(broker.piper.clone()), ..SocketConfig::new(url) };
    let feed = FeedConfig { socket: socket("ws://sim/feed"), sockets: 1, ..FeedConfig::new("ws://sim/feed") };
    let plan = SocketPlan::new(feed, credentials);
    let updates = Some(socket("ws://sim/orderupdate"));
    let watching = Watching { hours: hours.clone(), bell: Bell::default(), judges: true };
    let sockets = sockets::start(plan, updates, &clock, core.universe(), &inbox, &evidence, watching);
    follow_session(&clock, &hours, sockets.data_expected.clone());
    let (name, now) = ("drill".to_owned(), clock.now());
    let publisher = Publisher::new(Mode::Sim, name.clone(), name, indices.clone(), now, hours.clone(), budget);
    let config = crate::config::load(None, std::iter::empty()).expect("the built-in settings are sound");
    let none = Err("a drill examines nothing".to_owned());
    let patient = Patient::new(Mode::Sim, none, clock.clone(), dir.path().to_owned(), &config);
    let on_look = subscriptions(sockets, indices, hours.day, false, Rc::clone(&evidence));
    let reader = Reader::new(books, inbox, clock.clone());
    let (handle, status, asks) = EngineHandle::new(Status::starting(Mode::Sim, "drill", "drill", clock.now()));
    let runtime = Runtime {
        core,
        lanes,
        clock: clock.clone(),
        journal,
        projector: Projector::new(),
        execution: Execution::Broker(BrokerSide { release, gateway, reader }),
        schedule: Schedule::of_day(hours.clone(), Vec::new(), Levels::of(&hours)),
        asks,
        publisher,
        notes: Notes::default(),
        evidence,
        bell: Bell::default(),
        arming: Arming::new(patient),
        on_look,
        last: None,
        heart: None,
        guard: None,
        strain: Strain::default(),
        pressure: Pressure::Normal,
        lock_step: None,
    };
    let running = actix_rt::spawn(runtime.run(status));
    let script = async {
        clock.sleep_until(ten() + drill.faults_for).await;
        while faults.counts().values().any(|count| count.fired < drill.each_fires) && clock.now() < ten() + LONGEST {
            clock.sleep_until(clock.now() + ASK_EVERY).await;
        }
        faults.stop();
        handle.operate(OperatorCommand::Halt, "drill").await;
        // A fault that lasts is over after its length.
        clock.sleep_until(clock.now() + longest + AGREED_WITHIN).await;
        handle.stop("drill").await;
    };
    let (stopped, ()) = tokio::join!(running, script);
    let (stopped, mut runtime) = stopped.expect("the loop does not panic");
    if !matches!(stopped, Stopped::Asked) {
        violations.add(clock.now(), "HALT", format!("{stopped:?}"));
    }
    let at = clock.now();
    oracle.borrow().converged(&runtime.core.core, at);
    let was_latched = runtime.core.core.risk().day().latches().next().is_some();
    if drill.day_loss.is_some() {
        if drill.bug == Some(Bug::MidnightIsANewDay) {
            runtime.core.open_every_date_after(runtime.schedule.hours().clone());
        }
        weekend(&mut runtime.core, runtime.schedule.hours(), &calendar).await;
    }
    let digest = format!("{} {}", runtime.core.digest(), durable.load(Ordering::Acquire));
    let trades = desk.look(|sim| sim.oms().trades().len());
    let oracle = oracle.borrow();
    let mut lines = oracle.lines.clone();
    lines.extend(wire.lines());
    lines.sort();
    Played {
        violations: violations.all(),
        counts: faults.counts(),
        digest,
        events: oracle.events,
        entries: oracle.entries,
        closed: oracle.closed,
        trades,
        findings: oracle.findings.clone(),
        alarms: oracle.alarms.clone(),
        decisions: oracle.decisions.clone(),
        was_latched,
        lines,
    }
}
