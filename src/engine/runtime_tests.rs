//! N17: whatever comes in, paper sends no order. The whole loop with the only client that mode has, and with a broker
//! at the same counting listener to prove that the counter counts.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use scalper_decide::direct::{CoreTables, Direct};
use scalper_decide::domain::{InstrumentId, Lots, PositionId, Premium, Qty, SessionHours, TimeOfDay, Underlying};
use scalper_decide::paper::{self, PaperVenue};
use scalper_decide::rate_budget::RateParams;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::*;
use crate::actors::lanes::LaneLimits;
use crate::backtest::feed::TickFeed as _;
use crate::backtest::sample_feed::SampleFeed;
use crate::broker::dhan::credentials::Credentials;
use crate::broker::dhan::rest::budget::Unlimited;
use crate::broker::dhan::rest::budget_log::BudgetLog;
use crate::broker::dhan::rest::client::{Client, fixed};
use crate::broker::dhan::rest::endpoints::Endpoints;
use crate::broker::dhan::rest::token::{CheckedToken, TokenKeeper, TokenSource, jwt};
use crate::broker::dhan::rest::transport::Limits;
use crate::broker::{OrderPort, Paper, Sim};
use crate::config::{self, Effective};
use crate::engine::execution::BrokerSide;
use crate::engine::gateway::Gateway;
use crate::engine::inbox::Inbox;
use crate::engine::reader::Reader;
use crate::engine::release::Release;
use crate::engine::sent_log::SentLog;
use crate::engine::settlement::Levels;
use crate::engine::status::Mode;
use crate::journal::run::{self, NewRun};
use crate::ops::doctor::{AtBroker, Patient};
use crate::sample::{Sample, SampleSpec};
use crate::store::{Store, StoreOptions};

/// Calls that somebody made: method and path.
type Calls = Rc<RefCell<Vec<(String, String)>>>;

/// Listens, notes what is asked, and answers with nothing of use.
async fn listener() -> (String, Calls) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v2", listener.local_addr().unwrap());
    let calls = Calls::default();
    let noted = Rc::clone(&calls);
    actix_rt::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = vec![0; 4096];
            let read = stream.read(&mut head).await.unwrap_or(0);
            let text = String::from_utf8_lossy(&head[..read]).into_owned();
            let mut words = text.split(' ').map(str::to_owned);
            if let (Some(method), Some(path)) = (words.next(), words.next()) {
                noted.borrow_mut().push((method, path));
            }
            let answer = b"HTTP/1.1 500 No\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
            let _ = stream.write_all(answer).await;
        }
    });
    (base, calls)
}

/// Calls that could change something at a broker.
fn writes(calls: &Calls) -> usize {
    let reads = ["marketfeed", "charts", "optionchain", "margincalculator"];
    let is_write =
        |(method, path): &&(String, String)| method != "GET" && !reads.iter().any(|read| path.contains(read));
    calls.borrow().iter().filter(is_write).count()
}

struct Rig {
    runtime: Runtime<Direct>,
    status: watch::Sender<Arc<Status>>,
    at: Instant,
    _asks: mpsc::Sender<Ask>,
    _store: Store,
    _dir: tempfile::TempDir,
}

/// Who executes in a rig.
enum Who {
    Paper,
    Broker,
}

async fn rig(who: Who, base: &str, config: &Effective, hours: SessionHours) -> Rig {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&StoreOptions::in_folder(dir.path(), None)).await.unwrap();
    let at = hours.open_at() - Age::from_mins(20);
    let new = NewRun {
        id: Uuid::now_v7(),
        mode: run::Mode::Paper,
        account: String::new(),
        day: hours.day,
        binary: "test".to_owned(),
        config_hash: config.hash.clone(),
        tables_hash: config.tables.hash.clone(),
        started_at: at,
        after: scalper_decide::domain::Seq(0),
    };
    let (_, journal) = store.begin_run(new).await.unwrap();
    let tables = CoreTables {
        calendar: Arc::new(config.tables.calendar.clone()),
        charges: Arc::new(config.tables.charges.clone()),
    };
    let core = Direct::new(config.params.clone(), tables, &BTreeMap::new());
    let clock = SessionClock::driven(at);
    let lanes = Lanes::new(LaneLimits::default());
    let token = jwt::unsigned("1000000001", at + Age::from_mins(1_000));
    let credentials = Credentials { client_id: "1000000001".to_owned(), token: token.clone().into() };
    let (mode, execution) = match who {
        Who::Paper => (Mode::Paper, Execution::Paper(Box::new(PaperVenue::new(paper::FILLS)))),
        Who::Broker => {
            let client =
                Client::<Sim>::for_simulator(base, fixed(credentials), Arc::new(Unlimited), Limits::default()).unwrap();
            let sent = SentLog::open(dir.path(), "day").unwrap();
            let orders: Arc<dyn OrderPort> = Arc::new(client.orders_at_simulator());
            let sink: super::super::gateway::EventSink = Rc::new(|_| {});
            let gateway = Gateway::new(orders, sent, Box::new(|| true), Rc::clone(&sink));
            let release = Release::start(&gateway, &sink);
            let reader = Reader::new(Arc::new(client), Inbox::new(lanes.clone(), clock.clone()), clock.clone());
            (Mode::Sim, Execution::Broker(BrokerSide { release, gateway, reader }))
        }
    };
    // The only client of paper mode: what the checks ask with.
    let token = CheckedToken::new("1000000001", token.into()).unwrap();
    let keeper = Arc::new(TokenKeeper::new((token, TokenSource::Command), None, clock.clone()));
    let limits = Limits { first_wait: Duration::from_millis(1), ..Limits::default() };
    let ends = Endpoints::at_simulator(base).unwrap();
    let client: Client<Paper> = Client::for_paper(ends, keeper.subscribe(), Arc::new(Unlimited), limits).unwrap();
    let broker = Ok(AtBroker { keeper, reads: Arc::new(client) });
    let patient = Patient::new(mode, broker, clock.clone(), dir.path().to_owned(), config);
    let (asks_in, asks) = mpsc::channel(4);
    let indices = config.params.indices.clone();
    let publisher = {
        let budget = Arc::new(BudgetLog::open(dir.path(), RateParams::default(), clock.clone()).unwrap());
        Publisher::new(mode, "t".to_owned(), config.hash.clone(), indices, at, hours.clone(), budget)
    };
    let runtime = Runtime {
        core,
        lanes,
        clock,
        journal,
        projector: Projector::new(),
        execution,
        schedule: Schedule::of_day(hours.clone(), Vec::new(), Levels::of(&hours)),
        asks,
        publisher,
        notes: Notes::default(),
        evidence: Rc::default(),
        bell: Bell::default(),
        arming: Arming::new(patient),
        on_look: Box::new(|_, _| {}),
        last: None,
        heart: None,
        guard: None,
        strain: Strain::default(),
        pressure: Pressure::Normal,
        lock_step: None,
    };
    let status = watch::channel(Arc::new(Status::starting(mode, "t", "h", at))).0;
    let mut rig = Rig { runtime, status, at, _asks: asks_in, _store: store, _dir: dir };
    rig.at = at - Age::from_mins(60 * 24 * 30);
    // The listener has no books: with a reconciler there would be no entries.
    rig.event(Event::Configured { params: Box::new(config.params.clone()), reconciler: None }).await;
    rig
}

impl Rig {
    async fn event(&mut self, event: Event) {
        self.runtime.catch_up(self.at).await.unwrap();
        self.runtime.event(self.at, &event).await.unwrap();
    }

    /// A verb of a person, or one of the other things somebody may do at any time.
    async fn anything(&mut self, dice: &mut ChaCha8Rng) {
        let underlying = Underlying::ALL[dice.random_range(0..Underlying::ALL.len())];
        let position = PositionId(dice.random_range(1..40));
        let command = match dice.random_range(0..13) {
            0 => OperatorCommand::Halt,
            1 | 2 => OperatorCommand::Resume,
            3 => OperatorCommand::ReduceOnly,
            4 => OperatorCommand::Pause { underlying },
            5 => OperatorCommand::ResumeIndex { underlying },
            6 => OperatorCommand::Flatten { underlying: dice.random::<bool>().then_some(underlying) },
            7 => {
                let lots = dice.random::<bool>().then(|| Lots::new(dice.random_range(-1..4)));
                OperatorCommand::Close { position, lots, request: dice.random_range(0..50) }
            }
            8 => OperatorCommand::Tighten { position, stop: Premium::from_paise(dice.random_range(1..50_000)) },
            9 => OperatorCommand::ResetBreaker,
            10 => OperatorCommand::Acknowledge,
            11 => OperatorCommand::Arm { phrase: "arm".to_owned() },
            _ => return self.event(Event::Timer).await,
        };
        self.event(Event::Operator(command)).await;
    }
}

/// Plays `ticks` ticks of a generated market with everything else mixed in; ends early once `enough`.
async fn play(rig: &mut Rig, feed: &SampleFeed, config: &Effective, seed: u64, enough: impl Fn() -> bool) {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let days = feed.days();
    let traded = *days.last().unwrap();
    for day in days {
        let hours = config.tables.calendar.hours(day).unwrap().unwrap();
        let midnight = Instant::from_ist(day, TimeOfDay::from_secs(0).unwrap());
        let opened = Event::SessionOpened { hours: hours.clone(), warm_up: day != traded, bars_of: feed.bars_of(day) };
        rig.at = midnight;
        rig.event(opened).await;
        for mut instrument in feed.instruments(day).unwrap() {
            let universe = rig.runtime.core.universe();
            let known = universe.find(instrument.segment, instrument.security_id);
            instrument.id = known.unwrap_or(InstrumentId(u32::try_from(universe.len()).unwrap()));
            rig.event(Event::Listed { instrument }).await;
        }
        let universe = rig.runtime.core.universe().clone();
        let mut ticks = Vec::new();
        let resolve = move |segment, id| universe.find(segment, id);
        feed.replay(day, &resolve, &mut |part| {
            ticks.extend_from_slice(part);
            Ok(())
        })
        .unwrap();
        for (n, tick) in ticks.into_iter().filter(|tick| tick.received_at < hours.close_at()).enumerate() {
            rig.at = rig.at.max(tick.received_at);
            rig.runtime.clock.drive(rig.at);
            rig.runtime.take(Input::Tick(tick)).await.unwrap();
            if day == traded && dice.random_ratio(1, 50) {
                rig.anything(&mut dice).await;
            }
            if n % 20_000 == 0 {
                rig.runtime.look(&rig.status).await.unwrap();
                let (answer, checks) = oneshot::channel();
                assert!(rig.runtime.answer(Ask::Examine { answer }).await.unwrap());
                assert!(!checks.await.unwrap().is_empty());
            }
            if n % 256 == 0 {
                tokio::task::yield_now().await;
                if enough() {
                    return;
                }
            }
        }
        if day != traded {
            rig.at = hours.close_at() + Age::from_mins(1);
            rig.event(Event::SessionClosed { day }).await;
        }
    }
}

fn market(ticks: usize, config: &Effective) -> SampleFeed {
    let spec = SampleSpec { days: 4, target_ticks: Some(ticks), ..SampleSpec::demo() };
    let sample = Sample::new(7, &spec, &config.tables.calendar, &config.tables.contracts).unwrap();
    SampleFeed::new("demo", 7, sample)
}

async fn played(who: Who, ticks: usize, until_a_write: bool) -> (Rig, Calls) {
    let config = config::load_with(None, std::iter::empty(), &["demo".to_owned()]).unwrap();
    let feed = market(ticks, &config);
    let hours = config.tables.calendar.hours(*feed.days().last().unwrap()).unwrap().unwrap();
    let (base, calls) = listener().await;
    let mut rig = rig(who, &base, &config, hours).await;
    let counted = Rc::clone(&calls);
    play(&mut rig, &feed, &config, 1, || until_a_write && writes(&counted) > 0).await;
    (rig, calls)
}

#[actix_rt::test]
async fn a_million_random_events_in_paper_make_no_order_call() {
    // N17
    let (mut rig, calls) = played(Who::Paper, 1_000_000, false).await;
    let events = rig.runtime.core.ledger().last_stamp().seq.0;
    assert!(events >= 1_000_000, "{events} events");
    let books = rig.runtime.core.books().await;
    let bought = books.orders.orders().filter(|(order, _)| order.filled() > Qty::ZERO).count();
    assert!(bought > 0, "it traded on paper");
    assert!(!calls.borrow().is_empty(), "the client of the checks was at the listener");
    assert_eq!(writes(&calls), 0, "{:?}", calls.borrow());
}

#[actix_rt::test]
async fn the_same_events_with_a_broker_are_counted() {
    let (_rig, calls) = played(Who::Broker, 100_000, true).await;
    assert!(writes(&calls) > 0, "the counter counts: {:?}", calls.borrow().len());
}
