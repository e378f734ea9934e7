//! From a market-data frame on a loopback socket to the order on a loopback socket, one way, through the real engine with
//! its journal and log on; beside the bare floor of the same sockets.
//!
//! The world is the simulated broker; between it and the engine stands a wire tap of blocking sockets that stamps a frame
//! right before it writes it and an order right after it has read it. The floors are clients that decide nothing: blocking
//! sockets; the WebSocket and HTTP clients of the engine, on one thread as there; and the same with an `fdatasync` of a record
//! in a file of its own between frame and request, because no command leaves before what led to it is durable (L1, I12).
//!
//! Session time stands still until the engine is done, so every frame meets an engine that waits, as on a quiet market. One
//! tick is one frame. Entries and first stops have no tick of their own: an entry is decided when a bar closes, a stop
//! when an execution is pushed. They are measured from the frame before them: an upper bound.
//!
//! `SCALPER_BENCH_DAYS=2 cargo bench --bench latency` lives through fewer days.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::FileExt as _;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use chrono::NaiveDate;
use futures_util::StreamExt as _;
use scalper::broker::Sim;
use scalper::broker::dhan::credentials::Credentials;
use scalper::broker::dhan::feed::FeedConfig;
use scalper::broker::dhan::rest::budget_log::BudgetLog;
use scalper::broker::dhan::rest::client::{Client, fixed};
use scalper::broker::dhan::rest::instruments;
use scalper::broker::dhan::rest::transport::Limits;
use scalper::broker::dhan::socket::SocketConfig;
use scalper::clock::SessionClock;
use scalper::config::{self, Effective};
use scalper::engine::bell::Bell;
use scalper::engine::execution::{BrokerVenue, Venue};
use scalper::engine::lock_step::LockStep;
use scalper::engine::runtime::Stopped;
use scalper::engine::sockets::SocketPlan;
use scalper::engine::start::{self, Plan, Role};
use scalper::engine::status::Mode;
use scalper::ops::doctor::Patient;
use scalper::simulator::market::{GeneratedMarket, GeneratedSpec};
use scalper::simulator::server::{Addresses, Pace, SimServer, SimServerConfig};
use scalper::simulator::sockets::{Acknowledged, Kind, SocketsConfig};
use scalper_decide::domain::{Age, Underlying};
use scalper_decide::rate_budget::RateParams;
use scalper_decide::reconciler::ReconcilerParams;
use secrecy::SecretString;
use tokio::sync::{oneshot, watch};
use tokio_tungstenite::tungstenite::{self, Message};

/// Engine against bare sockets.
const GOAL: (f64, f64) = (1.3, 2.0);
/// Sessions before a day that give bars.
const HISTORY: usize = 5;
/// Frames of the floor.
const FLOOR: usize = 2_000;
/// Size of a frame with a book, and of a request, on the floor.
const FRAME: usize = 166;
const REQUEST: usize = 700;

/// What an order on the wire was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Entry,
    Stop,
    Exit,
    Change,
}

impl Call {
    fn of(request: &[u8]) -> Option<Call> {
        if request.starts_with(b"PUT /v2/orders") {
            return Some(Call::Change);
        }
        if !request.starts_with(b"POST /v2/orders") {
            return None;
        }
        // Our ids: instance, date, purpose.
        let text = String::from_utf8_lossy(request);
        let (_, id) = text.split_once("\"correlationId\":\"")?;
        match id.as_bytes().get(8)? {
            b'E' => Some(Call::Entry),
            b'P' => Some(Call::Stop),
            _ => Some(Call::Exit),
        }
    }
}

/// The tap's notes.
#[derive(Default)]
struct Notes {
    frame_at: Option<Instant>,
    taken: Vec<(Call, Duration)>,
}

type Shared = Arc<Mutex<Notes>>;

/// Listens for the engine and carries bytes to and from `to`; `frames` stamps what goes down, otherwise orders coming up.
fn tap(to: SocketAddr, notes: &Shared, frames: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("an address");
    let notes = Arc::clone(notes);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = TcpStream::connect(to) else { return };
            for stream in [&client, &server] {
                stream.set_nodelay(true).expect("no delay");
            }
            let (up_from, up_to) = (client.try_clone().expect("a handle"), server.try_clone().expect("a handle"));
            let (up, down) = (Arc::clone(&notes), Arc::clone(&notes));
            std::thread::spawn(move || {
                carry(up_from, up_to, |bytes| {
                    let at = Instant::now();
                    if !frames && let Some(call) = Call::of(bytes) {
                        let mut notes = up.lock().expect("notes");
                        if let Some(frame) = notes.frame_at {
                            notes.taken.push((call, at - frame));
                        }
                    }
                });
            });
            std::thread::spawn(move || {
                carry(server, client, |_| {
                    if frames {
                        down.lock().expect("notes").frame_at = Some(Instant::now());
                    }
                });
            });
        }
    });
    at
}

/// Bytes from one socket to the other until either ends; `see` looks at them between reading and writing.
fn carry(mut from: TcpStream, mut to: TcpStream, mut see: impl FnMut(&[u8])) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        see(&buffer[..read]);
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

/// The floor: frames on one socket, prepared requests on another, by the libraries the engine uses or by none.
fn floor(kind: Floor) -> Vec<Duration> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("an address");
    let dir = tempfile::tempdir().expect("a folder");
    let mut records = Records::create(dir.path());
    let client = std::thread::spawn(move || match kind {
        Floor::Bare => {
            let mut feed = TcpStream::connect(at).expect("the feed");
            let mut orders = TcpStream::connect(at).expect("orders");
            feed.set_nodelay(true).expect("no delay");
            orders.set_nodelay(true).expect("no delay");
            let (mut frame, request) = (vec![0; FRAME], vec![b'x'; REQUEST]);
            while feed.read_exact(&mut frame).is_ok() {
                orders.write_all(&request).expect("written");
            }
        }
        Floor::Libraries { durable } => actix_rt::System::new().block_on(async move {
            let (mut feed, _) = tokio_tungstenite::connect_async(format!("ws://{at}/")).await.expect("the feed");
            let _ = rustls::crypto::ring::default_provider().install_default();
            let http = reqwest::Client::builder().tcp_nodelay(true).no_proxy().build().expect("a client");
            let url = format!("http://{at}/v2/orders/1");
            let (answered, mut answers) = tokio::sync::mpsc::unbounded_channel();
            while let Some(Ok(message)) = feed.next().await {
                if !message.is_binary() {
                    break;
                }
                if durable {
                    records.append();
                }
                let sending = http.put(&url).body(vec![b'x'; REQUEST]).send();
                let answered = answered.clone();
                actix_rt::spawn(async move { answered.send(sending.await.is_ok()) });
                // The next frame comes after the answer.
                assert_eq!(answers.recv().await, Some(true));
            }
        }),
    });
    let (feed, _) = listener.accept().expect("the feed");
    feed.set_nodelay(true).expect("no delay");
    let (frame, mut request) = (vec![1; FRAME], vec![0; 1 << 16]);
    let mut taken = Vec::with_capacity(FLOOR);
    let rounds = if kind == (Floor::Libraries { durable: true }) { FLOOR / 4 } else { FLOOR };
    if kind == Floor::Bare {
        let (mut feed, (mut orders, _)) = (feed, listener.accept().expect("orders"));
        orders.set_nodelay(true).expect("no delay");
        for _ in 0..rounds {
            let start = Instant::now();
            feed.write_all(&frame).expect("written");
            let read = orders.read(&mut request).expect("a request");
            taken.push(start.elapsed());
            orders.read_exact(&mut request[..REQUEST - read]).expect("the rest of it");
        }
    } else {
        let mut feed = tungstenite::accept(feed).expect("a handshake");
        let mut orders = None;
        for _ in 0..rounds {
            let start = Instant::now();
            feed.send(Message::binary(frame.clone())).expect("written");
            let orders = orders.get_or_insert_with(|| {
                let (orders, _) = listener.accept().expect("orders");
                orders.set_nodelay(true).expect("no delay");
                orders
            });
            let mut read = orders.read(&mut request).expect("a request");
            taken.push(start.elapsed());
            while !request[..read].ends_with(b"xx") {
                read += orders.read(&mut request[read..]).expect("the rest of it");
            }
            orders.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").expect("answered");
        }
        // The first request opens its connection.
        taken.remove(0);
        let _ = feed.close(None);
        let _ = feed.flush();
        drop(orders);
    }
    client.join().expect("the client ends");
    taken
}

/// What the floor does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Floor {
    /// Reads and writes, by blocking sockets.
    Bare,
    /// The same by the WebSocket and HTTP clients of the engine on one thread; with a durable record before the request,
    /// because no command leaves before what led to it is durable (L1, I12).
    Libraries { durable: bool },
}

/// A file whose room was taken in advance.
struct Records {
    file: std::fs::File,
    end: u64,
}

impl Records {
    fn create(dir: &std::path::Path) -> Records {
        let mut file = std::fs::File::create(dir.join("records")).expect("a file");
        file.write_all(&vec![0; 8 << 20]).expect("room");
        file.sync_all().expect("on the disk");
        Records { file, end: 0 }
    }

    fn append(&mut self) {
        self.file.write_all_at(&[b'x'; REQUEST], self.end).expect("a record");
        self.file.sync_data().expect("on the disk");
        self.end += REQUEST as u64;
    }
}

fn percentiles(taken: &mut [Duration]) -> (f64, f64) {
    taken.sort_unstable();
    let at = |p: f64| taken[((taken.len() - 1) as f64 * p) as usize].as_secs_f64() * 1e6;
    (at(0.5), at(0.99))
}

/// The simulator's side of the door.
struct Door {
    addresses: Addresses,
    client_id: String,
    token: SecretString,
    clock: SessionClock,
}

fn settings() -> Effective {
    let mut config = config::load_with(None, std::iter::empty(), &["demo".to_owned()]).expect("built-ins load");
    config.params.indices = vec![Underlying::Nifty];
    config
}

/// Lives through a day of the generated market; the tap takes notes.
fn live(day: NaiveDate, notes: &Shared) {
    let (acknowledge, acknowledged) = watch::channel(Acknowledged::default());
    let (open, opened) = mpsc::channel();
    let (go, gone) = oneshot::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || simulate(day, acknowledged, &open, gone));
        let door = opened.recv().expect("the simulator comes up");
        actix_rt::System::new().block_on(trade(door, day, notes, LockStep::new(acknowledge), go));
    });
}

fn simulate(
    day: NaiveDate,
    acknowledged: watch::Receiver<Acknowledged>,
    open: &mpsc::Sender<Door>,
    gone: oneshot::Receiver<usize>,
) {
    let tables = settings().tables;
    actix_rt::System::new().block_on(async {
        let usual = GeneratedSpec::usual(7, day);
        let spec = GeneratedSpec { indices: vec![Underlying::Nifty], history_days: HISTORY, ..usual };
        let market = GeneratedMarket::new(spec, &tables.calendar, &tables.contracts).expect("a market");
        let config = SimServerConfig {
            pace: Pace::Max,
            acknowledged: Some(acknowledged),
            sockets: SocketsConfig { conflate_from: usize::MAX, ..SocketsConfig::default() },
            ..SimServerConfig::default()
        };
        let server = SimServer::start(Box::new(market), tables.charges.clone(), config).await.expect("it starts");
        let door = Door {
            addresses: server.addresses.clone(),
            client_id: server.client_id.clone(),
            token: server.token.clone(),
            clock: server.clock.clone(),
        };
        open.send(door).expect("somebody waits");
        let wanted = gone.await.expect("the engine says when it is ready");
        while server.hub.subscribed(Kind::Feed).first().map_or(0, std::collections::BTreeSet::len) < wanted {
            tokio::task::yield_now().await;
        }
        let close = tables.calendar.hours(day).expect("in the calendar").expect("a trading day").close_at();
        server.run_until(close + Age::from_mins(2)).await.expect("the market lives");
        server.stop().await;
    });
}

/// The socket address in `ws://127.0.0.1:1234/feed`.
fn socket_of(url: &str) -> SocketAddr {
    let host = url.split("//").nth(1).and_then(|rest| rest.split('/').next()).expect("an address");
    host.parse().expect("a loopback address")
}

async fn trade(door: Door, day: NaiveDate, notes: &Shared, step: LockStep, go: oneshot::Sender<usize>) {
    let config = settings();
    let dir = tempfile::tempdir().expect("a folder");
    let (feed, rest) = (socket_of(&door.addresses.feed), socket_of(&door.addresses.rest));
    let rest = format!("http://{}/v2", tap(rest, notes, false));
    let feed = format!("ws://{}/feed", tap(feed, notes, true));
    let credentials = Credentials { client_id: door.client_id, token: door.token };
    let current = fixed(credentials.clone());
    let budget = BudgetLog::open(dir.path(), RateParams::default(), door.clock.clone()).expect("a file");
    let budget = Arc::new(budget);
    let client = Client::<Sim>::for_simulator(&rest, current, budget.clone(), Limits::default()).expect("a client");
    let list = dir.path().join("instruments.csv");
    client.download_instruments(&list).await.expect("the list");
    let file = std::fs::File::open(&list).expect("the list");
    let master = instruments::load(file, &config.params.indices, day, &config.tables.contracts).expect("a list");
    let wanted = master.instruments.len();
    let (keep, credentials) = watch::channel(Some(credentials));
    let (updates, books) = (SocketConfig::new(&door.addresses.order_updates), Arc::new(client.clone()));
    let reconciler = ReconcilerParams {
        poll: Age::from_secs(60),
        books_every: Age::from_mins(10),
        ..ReconcilerParams::new(config.params.orders.instance)
    };
    let venue = BrokerVenue::new::<Sim>(Arc::new(client.orders_at_simulator()), books, updates, reconciler);
    let none = Err("sim has no broker".to_owned());
    let doctor = Patient::new(Mode::Sim, none, door.clock.clone(), dir.path().to_owned(), &config);
    let plan = Plan {
        account: String::new(),
        dir: dir.path().to_owned(),
        store: None,
        config,
        clock: door.clock,
        instruments: master.instruments,
        venue: Venue::Broker(Box::new(venue)),
        market: Arc::new(client),
        sockets: SocketPlan::new(FeedConfig::new(feed), credentials),
        bell: Bell::default(),
        doctor,
        role: Role::Engine { guard: None },
        budget,
    };
    let (handle, status, asks) = start::handle(&plan);
    let started = start::start_in_step(plan, Some(step), status, asks).await.expect("the engine starts");
    let mut seen = handle.watch();
    actix_rt::spawn(async move {
        seen.wait_for(|status| status.push.state == "up").await.expect("it runs");
        go.send(wanted).expect("somebody waits");
    });
    let stopped = started.run().await;
    assert!(matches!(stopped, Stopped::DayOver), "{stopped:?}");
    drop((keep, handle));
}

fn main() -> ExitCode {
    if std::env::args().any(|a| a == "--list" || a == "--test") {
        return ExitCode::SUCCESS;
    }
    let logs = scalper::ops::logging::start();
    let days: usize = std::env::var("SCALPER_BENCH_DAYS").ok().and_then(|d| d.parse().ok()).unwrap_or(3);
    let notes = Shared::default();
    let calendar = settings().tables.calendar;
    let first = NaiveDate::from_ymd_opt(2026, 2, 10).expect("a date");
    let trading = first.iter_days().filter(|day| calendar.hours(*day).is_ok_and(|hours| hours.is_some()));
    // Before and after every day: a disk that others use is not the same a minute later.
    let (mut bare, mut same, mut durable) = (Vec::new(), Vec::new(), Vec::new());
    let mut floors = || {
        bare.extend(floor(Floor::Bare));
        same.extend(floor(Floor::Libraries { durable: false }));
        durable.extend(floor(Floor::Libraries { durable: true }));
    };
    floors();
    for day in trading.take(days) {
        live(day, &notes);
        floors();
    }
    let (bare_50, bare_99) = percentiles(&mut bare);
    let (same_50, same_99) = percentiles(&mut same);
    let (durable_50, durable_99) = percentiles(&mut durable);
    println!("floor: blocking sockets               p50 {bare_50:8.1} us  p99 {bare_99:8.1} us");
    println!("floor: the same clients               p50 {same_50:8.1} us  p99 {same_99:8.1} us");
    println!("floor: the same, a durable record     p50 {durable_50:8.1} us  p99 {durable_99:8.1} us");
    let taken = std::mem::take(&mut notes.lock().expect("notes").taken);
    for (call, name) in [
        (Call::Change, "tick to changed stop or exit"),
        (Call::Entry, "entry (upper bound)"),
        (Call::Stop, "first stop (upper bound)"),
        (Call::Exit, "exit order of its own"),
    ] {
        let mut of: Vec<Duration> = taken.iter().filter(|(c, _)| *c == call).map(|(_, taken)| *taken).collect();
        if of.is_empty() {
            println!("{name}: none");
            continue;
        }
        let (p50, p99) = percentiles(&mut of);
        println!(
            "{name:37} p50 {p50:8.1} us  p99 {p99:8.1} us  n {:4}  same {:.2}x {:.2}x  durable {:.2}x {:.2}x",
            of.len(),
            p50 / same_50,
            p99 / same_99,
            p50 / durable_50,
            p99 / durable_99
        );
    }
    println!("goal against the floor that is as durable: p50 {}x, p99 {}x", GOAL.0, GOAL.1);
    println!("{} log lines dropped", logs.dropped());
    ExitCode::SUCCESS
}
