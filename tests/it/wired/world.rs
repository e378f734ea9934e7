//! One day of a tape lived through by the simulated broker at the pace of a daemon that trades in it: real loopback
//! sockets, real REST, a real journal. Session time stands still until the daemon has nothing under way.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, mpsc};

use chrono::NaiveDate;
use scalper::broker::Sim;
use scalper::broker::dhan::credentials::Credentials;
use scalper::broker::dhan::feed::FeedConfig;
use scalper::broker::dhan::rest::budget::Unlimited;
use scalper::broker::dhan::rest::budget_log::BudgetLog;
use scalper::broker::dhan::rest::client::{Client, fixed};
use scalper::broker::dhan::rest::instruments;
use scalper::broker::dhan::rest::transport::Limits;
use scalper::broker::dhan::socket::SocketConfig;
use scalper::clock::SessionClock;
use scalper::config::Effective;
use scalper::config::tables::Tables;
use scalper::engine::bell::Bell;
use scalper::engine::execution::{BrokerVenue, Venue};
use scalper::engine::lock_step::LockStep;
use scalper::engine::recover;
use scalper::engine::runtime::Stopped;
use scalper::engine::sockets::SocketPlan;
use scalper::engine::start::{self, Plan, Role};
use scalper::engine::status::Mode;
use scalper::ops::doctor::Patient;
use scalper::simulator::SimConfig;
use scalper::simulator::market::RecordedMarket;
use scalper::simulator::oms::OmsConfig;
use scalper::simulator::server::{Addresses, Pace, SimServer, SimServerConfig};
use scalper::simulator::sockets::{Acknowledged, Kind, SocketsConfig};
use scalper::store::link::Readers;
use scalper::store::place::StoreUrl;
use scalper::store::projection::Projector;
use scalper::store::replay::{self, Step};
use scalper_decide::decision_core::{Books, Core as _};
use scalper_decide::direct::{CoreTables, Direct};
use scalper_decide::domain::{Age, Event, Instrument, Tick, Universe};
use scalper_decide::journal::JournalEntry;
use scalper_decide::rate_budget::RateParams;
use scalper_decide::reconciler::ReconcilerParams;
use secrecy::SecretString;
use tokio::sync::{oneshot, watch};

/// Sessions before the day that give bars.
const HISTORY: usize = 5;

/// What a daemon's day left behind.
pub(super) struct Lived {
    /// What it traded, in the order of the broker's list.
    pub(super) instruments: Vec<Instrument>,
    /// Every line of its journal, as a replay of its events gives them.
    pub(super) entries: Vec<JournalEntry>,
    /// Books after the close.
    pub(super) books: Books,
    /// Slots.
    pub(super) universe: Universe,
    /// Ticks of the day's session in the journal.
    pub(super) ticks: Vec<Tick>,
    /// Events of the journal.
    pub(super) events: u64,
}

/// The simulator's side of the door.
struct Door {
    addresses: Addresses,
    client_id: String,
    token: SecretString,
    clock: SessionClock,
}

/// Lives through a day; `dir` is the daemon's data folder.
pub(super) fn live(tape: &Path, day: NaiveDate, dir: &Path, config: Effective) -> Lived {
    let (acknowledge, acknowledged) = watch::channel(Acknowledged::default());
    let (open, opened) = mpsc::channel();
    let (go, gone) = oneshot::channel();
    let tables = config.tables.clone();
    std::thread::scope(|scope| {
        let simulator = scope.spawn(move || simulate(tape, day, &tables, acknowledged, &open, gone));
        let door = opened.recv().expect("the simulator comes up");
        let lived = actix_rt::System::new().block_on(trade(door, day, dir, config, LockStep::new(acknowledge), go));
        simulator.join().expect("the simulator ends in order");
        lived
    })
}

fn simulate(
    tape: &Path,
    day: NaiveDate,
    tables: &Tables,
    acknowledged: watch::Receiver<Acknowledged>,
    open: &mpsc::Sender<Door>,
    gone: oneshot::Receiver<usize>,
) {
    actix_rt::System::new().block_on(async {
        let market = RecordedMarket::open(tape, Some(day), HISTORY, &tables.calendar, &tables.contracts).unwrap();
        let oms = OmsConfig { squares_off: false, ..OmsConfig::default() };
        let config = SimServerConfig {
            sim: SimConfig { oms, ..SimConfig::default() },
            pace: Pace::Max,
            acknowledged: Some(acknowledged),
            sockets: SocketsConfig { conflate_from: usize::MAX, ..SocketsConfig::default() },
            ..SimServerConfig::default()
        };
        let server = SimServer::start(Box::new(market), tables.charges.clone(), config).await.unwrap();
        let door = Door {
            addresses: server.addresses.clone(),
            client_id: server.client_id.clone(),
            token: server.token.clone(),
            clock: server.clock.clone(),
        };
        open.send(door).unwrap();
        let wanted = gone.await.expect("the daemon says when it is ready");
        while server.hub.subscribed(Kind::Feed).first().map_or(0, std::collections::BTreeSet::len) < wanted {
            tokio::task::yield_now().await;
        }
        let close = tables.calendar.hours(day).unwrap().expect("a trading day").close_at();
        server.run_until(close + Age::from_mins(2)).await.unwrap();
        assert_eq!(server.hub.counters().totals().conflated, 0);
        server.stop().await;
    });
}

async fn trade(
    door: Door,
    day: NaiveDate,
    dir: &Path,
    config: Effective,
    lock_step: LockStep,
    go: oneshot::Sender<usize>,
) -> Lived {
    let credentials = Credentials { client_id: door.client_id, token: door.token };
    let current = fixed(credentials.clone());
    let client =
        Client::<Sim>::for_simulator(&door.addresses.rest, current, Arc::new(Unlimited), Limits::default()).unwrap();
    let list = dir.join("instruments.csv");
    client.download_instruments(&list).await.unwrap();
    let file = std::fs::File::open(&list).unwrap();
    let master = instruments::load(file, &config.params.indices, day, &config.tables.contracts).unwrap();
    let (params, tables) = (config.params.clone(), config.tables.clone());
    let (keep, credentials) = watch::channel(Some(credentials));
    let (updates, books) = (SocketConfig::new(&door.addresses.order_updates), Arc::new(client.clone()));
    let venue = BrokerVenue::new::<Sim>(Arc::new(client.orders_at_simulator()), books, updates, reconciler(&config));
    let budget = BudgetLog::open(dir, RateParams::default(), door.clock.clone()).unwrap();
    let none = Err("sim has no broker".to_owned());
    let doctor = Patient::new(Mode::Sim, none, door.clock.clone(), dir.to_owned(), &config);
    let plan = Plan {
        account: String::new(),
        dir: dir.to_owned(),
        store: None,
        config,
        clock: door.clock,
        instruments: master.instruments.clone(),
        venue: Venue::Broker(Box::new(venue)),
        market: Arc::new(client),
        sockets: SocketPlan::new(FeedConfig::new(&door.addresses.feed), credentials),
        bell: Bell::default(),
        doctor,
        role: Role::Engine { guard: None },
        budget: Arc::new(budget),
    };
    let (handle, status, asks) = start::handle(&plan);
    let started = start::start_in_step(plan, Some(lock_step), status, asks).await.unwrap();
    let wanted = master.instruments.len();
    let mut seen = handle.watch();
    actix_rt::spawn(async move {
        // Both sockets are there before the day begins.
        seen.wait_for(|status| status.push.state == "up").await.unwrap();
        go.send(wanted).unwrap();
    });
    let stopped = started.run().await;
    assert!(matches!(stopped, Stopped::DayOver), "{stopped:?}");
    drop((keep, handle));

    let tables = CoreTables { calendar: Arc::new(tables.calendar), charges: Arc::new(tables.charges) };
    let mut core = Direct::new(params, tables, &Default::default());
    let mut entries = Vec::new();
    let url = StoreUrl::default_in(dir);
    let noted = |lines: &[JournalEntry]| entries.extend_from_slice(lines);
    let recovered = recover::replay(&url, day, &mut core, &mut Projector::new(), None, noted).await.unwrap();
    let readers = Readers::new(&url).unwrap();
    let mut ticks = Vec::new();
    let taken = replay::day(&readers, day, |step| {
        if let Step::Event(stamp, Event::Tick(tick)) = step
            && stamp.at.ist_date() == day
        {
            ticks.push(*tick);
        }
        ControlFlow::Continue(())
    });
    taken.await.unwrap();
    readers.close().await;
    Lived {
        instruments: master.instruments,
        entries,
        ticks,
        books: core.books().await,
        universe: core.universe().clone(),
        events: recovered.events,
    }
}

/// The books are read far less often than in a live session: a read is a round trip while time stands still.
fn reconciler(config: &Effective) -> ReconcilerParams {
    ReconcilerParams {
        poll: Age::from_secs(60),
        books_every: Age::from_mins(10),
        ..ReconcilerParams::new(config.params.orders.instance)
    }
}
