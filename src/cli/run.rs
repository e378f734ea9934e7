//! `scalper run`: the daemon.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chrono::NaiveDate;
use clap::Args;
use metrics_exporter_prometheus::PrometheusBuilder;
use scalper_decide::domain::{Age, Instrument};
use scalper_decide::reconciler::ReconcilerParams;
use secrecy::ExposeSecret as _;
use tokio::sync::watch;

use super::config::named_or_default;
use super::exit::{BadUsage, Code};
use crate::actors::last_words::{Ending, LastWords};
use crate::actors::supervisor::{self, Finding, Supervisor};
use crate::broker::Sim;
use crate::broker::dhan::credentials::Credentials;
use crate::broker::dhan::feed::FeedConfig;
use crate::broker::dhan::rest::budget::Unlimited;
use crate::broker::dhan::rest::client::{Client, fixed};
use crate::broker::dhan::rest::instruments;
use crate::broker::dhan::rest::transport::Limits;
use crate::broker::dhan::socket::SocketConfig;
use crate::config::{self, Effective};
use crate::engine::runtime::Stopped;
use crate::engine::sim::{SimMarket, SimWorld, after_open};
use crate::engine::sockets::SocketPlan;
use crate::engine::start::{self, Plan};
use crate::engine::status::Mode;
use crate::ops::api_token::ApiToken;
use crate::ops::control::SOCKET;
use crate::ops::control::server::ControlServer;
use crate::ops::http::{self, HttpState};
use crate::ops::{logging, screen};
use crate::store::place::FolderLock;

/// Session seconds per second of the wall, at most.
const MOST_SPEED: f64 = 1_000.0;
/// Files of one run in the data folder.
const LEFT_BEHIND: [&str; 6] =
    ["scalper.db", "scalper.db-wal", "scalper.db-shm", "sent.log", "emergency.journal", "live-day.json"];
/// Wall time that an answer of the simulator may take before the reconciler looks closer.
const PATIENCE_SECS: f64 = 0.5;

/// Arguments of `scalper run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Settings file; `config/algo.yml` when it exists, otherwise the built-in settings.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Preset on top of those the file names; may be repeated, later ones win.
    #[arg(long, value_name = "NAME")]
    pub preset: Vec<String>,
    /// Data folder: database, journal, operator's socket.
    #[arg(long, value_name = "DIR", default_value = "data", env = "SCALPER_DATA_DIR")]
    pub data_dir: PathBuf,
    /// Session seconds per second of the wall, 1 to 1000.
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = parse_speed)]
    pub speed: f64,
    /// Seed of the generated market.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// First trading day of the simulated market.
    #[arg(long, value_name = "DATE", default_value = "2026-02-10")]
    pub day: NaiveDate,
    /// Play a recorded tape instead of a generated market.
    #[arg(long, value_name = "DIR")]
    pub tape: Option<PathBuf>,
    /// Where health and metrics are served; loopback only.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8000")]
    pub listen: SocketAddr,
}

fn parse_speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| "a number from 1 to 1000".to_owned())?;
    if (1.0..=MOST_SPEED).contains(&speed) { Ok(speed) } else { Err("a number from 1 to 1000".to_owned()) }
}

/// Runs the daemon until it is stopped.
///
/// # Errors
/// Everything that keeps it from starting, with what would help.
pub fn run(args: &RunArgs) -> anyhow::Result<Code> {
    let logs = logging::start();
    let mut config = config::load_with(named_or_default(args.config.as_deref()), std::env::vars(), &args.preset)?;
    std::fs::create_dir_all(&args.data_dir).with_context(|| format!("{}", args.data_dir.display()))?;
    retire(&args.data_dir)?;
    // Answers take wall time, sessions run faster: silence must not look like doubt.
    let answer_timeout = &mut config.params.orders.answer_timeout;
    *answer_timeout = (*answer_timeout).max(Age::from_nanos((PATIENCE_SECS * args.speed * 1e9) as i64));
    let hours = config.tables.calendar.hours(args.day)?;
    let Some(hours) = hours else {
        return Err(BadUsage(format!("--day {}: no trading day", args.day)).into());
    };
    let which = match &args.tape {
        Some(dir) => SimMarket::Tape { dir: dir.clone(), from: Some(args.day) },
        None => SimMarket::Generated { seed: args.seed, day: args.day, indices: config.params.indices.clone() },
    };
    let world = SimWorld::start(which, config.tables.clone(), Some(after_open(&hours)), args.speed)?;
    let system = actix_rt::System::new();
    let code = system.block_on(live(args, config, &world));
    drop(world);
    if logs.dropped() > 0 {
        eprintln!("{} log lines were dropped", logs.dropped());
    }
    code
}

async fn live(args: &RunArgs, config: Effective, world: &SimWorld) -> anyhow::Result<Code> {
    let credentials =
        Credentials { client_id: world.client_id.clone(), token: world.token.expose_secret().to_owned().into() };
    let client = Client::<Sim>::for_simulator(
        &world.addresses.rest,
        fixed(credentials.clone()),
        Arc::new(Unlimited),
        Limits::default(),
    )?;
    let instruments = instruments(&client, &args.data_dir, &config, world).await?;
    let (keep_credentials, credentials) = watch::channel(Some(credentials));
    let sockets = SocketPlan {
        feed: FeedConfig::new(&world.addresses.feed),
        updates: SocketConfig::new(&world.addresses.order_updates),
        credentials,
    };
    let plan = Plan {
        mode: Mode::Sim,
        account: String::new(),
        dir: args.data_dir.clone(),
        store: None,
        reconciler: reconciler(&config, args.speed),
        config,
        clock: world.clock.clone(),
        instruments,
        orders: Arc::new(client.orders_at_simulator()),
        books: Arc::new(client.clone()),
        market: Arc::new(client),
        sockets,
    };
    let (handle, status, asks) = start::handle(&plan);
    let control = ControlServer::bind(&args.data_dir.join(SOCKET)).await?;
    let mut started = start::start(plan, status, asks).await?;
    tokio::spawn(control.serve(handle.clone()));
    let (token, shown) = ApiToken::open(&args.data_dir)?;
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    // A second recorder in one process (tests) keeps the first.
    let _ = ::metrics::set_global_recorder(recorder);
    let state = HttpState { engine: handle.clone(), clock: world.clock.clone(), token, metrics, hosts: [].into() };
    let (listening, http) = http::serve(args.listen, state)?;
    eprintln!("{}", started.summary);
    eprintln!("health and metrics: http://{listening}/healthz, /health, /metrics");
    if let Some(shown) = shown {
        eprintln!("read token for /health and /metrics, shown once: {}", shown.expose_secret());
    }
    eprintln!("scalper status --data-dir {}", args.data_dir.display());
    let stopping = handle.clone();
    actix_rt::spawn(async move {
        stop_signal().await;
        stopping.stop("signal").await;
    });
    let words = LastWords::new(|_, _| {
        // Nothing is left to flush: what a command rests on was durable before the command left, the rest is ticks.
    });
    let ending = words.clone();
    let supervisor =
        Supervisor::start(supervisor::Limits::default(), started.take_watched(), move |finding| match finding {
            Finding::Stuck { .. } => ending.end(Ending::Stuck, &format!("{finding:?}")),
            Finding::Died { .. } => ending.end(Ending::Panicked, &format!("{finding:?}")),
            Finding::Slow { .. } | Finding::Recovered { .. } => tracing::error!(target: "supervisor", ?finding),
        })?;
    let stopped = words.guard(started.run()).await;
    // Before the deciders go: one that is gone looks dead.
    drop(supervisor);
    http.stop(true).await;
    drop(keep_credentials);
    match stopped {
        Stopped::Asked => Ok(Code::Ok),
        Stopped::DayOver => {
            let status = handle.status();
            print!("{}", screen::status(&status, status.at));
            Ok(Code::Ok)
        }
        Stopped::Halted(halt) => anyhow::bail!("the core must not go on: {halt}"),
        Stopped::Journal(halt) => anyhow::bail!("the journal takes nothing more: {halt}"),
    }
}

/// A simulated world ends with its process, so what an earlier one left is put aside: its positions exist nowhere any
/// more. The folder's lock proves that no other engine is at work here.
fn retire(dir: &Path) -> anyhow::Result<()> {
    let lock = FolderLock::take(dir)?;
    let left: Vec<PathBuf> = LEFT_BEHIND.iter().map(|name| dir.join(name)).filter(|path| path.exists()).collect();
    if !left.is_empty() {
        let past = dir.join("past");
        let aside = (1_u32..).map(|n| past.join(n.to_string())).find(|path| !path.exists()).expect("numbers go on");
        std::fs::create_dir_all(&aside).with_context(|| aside.display().to_string())?;
        for path in left {
            let name = path.file_name().expect("joined above").to_owned();
            std::fs::rename(&path, aside.join(name)).with_context(|| path.display().to_string())?;
        }
    }
    drop(lock);
    Ok(())
}

/// The day's contracts of the configured indices, from the broker's own list.
async fn instruments(
    client: &Client<Sim>,
    dir: &Path,
    config: &Effective,
    world: &SimWorld,
) -> anyhow::Result<Vec<Instrument>> {
    let path = dir.join("instruments.csv");
    client.download_instruments(&path).await.context("the instrument list")?;
    let file = std::fs::File::open(&path).with_context(|| path.display().to_string())?;
    let day = world.clock.now().ist_date();
    let master =
        instruments::load(std::io::BufReader::new(file), &config.params.indices, day, &config.tables.contracts)?;
    for complaint in &master.complaints {
        tracing::warn!(target: "instruments", complaint);
    }
    Ok(master.instruments)
}

/// The simulator answers in wall time while sessions run faster: what the reconciler waits for in session time must
/// leave the wall enough.
fn reconciler(config: &Effective, speed: f64) -> ReconcilerParams {
    let params = ReconcilerParams::new(config.params.orders.instance);
    let wall = |secs: f64| Age::from_nanos((secs * speed * 1e9) as i64);
    ReconcilerParams {
        answer_timeout: params.answer_timeout.max(wall(PATIENCE_SECS)),
        horizon: params.horizon.max(wall(8.0 * PATIENCE_SECS)),
        read_gap: params.read_gap.max(wall(0.1)),
        poll: params.poll.max(wall(0.2)),
        poll_unlinked: params.poll_unlinked.max(wall(0.1)),
        books_every: params.books_every.max(wall(2.0)),
        read_timeout: params.read_timeout.max(wall(4.0 * PATIENCE_SECS)),
        change_grace: params.change_grace.max(wall(2.0 * PATIENCE_SECS)),
        growth_grace: params.growth_grace.max(wall(4.0 * PATIENCE_SECS)),
        alter_after: params.alter_after.max(wall(PATIENCE_SECS)),
        position_lag: params.position_lag.max(wall(2.0 * PATIENCE_SECS)),
        books_lag: params.books_lag.max(wall(2.0 * PATIENCE_SECS)),
        ..params
    }
}

async fn stop_signal() {
    let mut term = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(term) => term,
        Err(e) => {
            tracing::warn!(error = %e, "SIGTERM is not heard");
            tokio::time::sleep(Duration::MAX).await;
            return;
        }
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
