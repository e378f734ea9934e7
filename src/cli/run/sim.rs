//! Sim mode: a simulator in this process, or one that runs by itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use scalper_decide::domain::{Age, Instrument};
use scalper_decide::reconciler::ReconcilerParams;
use secrecy::ExposeSecret as _;
use tokio::sync::watch;

use super::RunArgs;
use crate::broker::Sim;
use crate::broker::dhan::credentials::Credentials;
use crate::broker::dhan::feed::FeedConfig;
use crate::broker::dhan::rest::budget::Unlimited;
use crate::broker::dhan::rest::client::{Client, fixed};
use crate::broker::dhan::rest::instruments;
use crate::broker::dhan::rest::transport::Limits;
use crate::broker::dhan::socket::SocketConfig;
use crate::cli::exit::BadUsage;
use crate::clock::SessionClock;
use crate::config::Effective;
use crate::engine::sim::{SimAccess, SimMarket, SimWorld, after_open};
use crate::engine::sockets::SocketPlan;
use crate::engine::start::Plan;
use crate::engine::status::Mode;
use crate::simulator::faults;
use crate::store::place::{FolderLock, StoreUrl};

/// Files of one run in the data folder.
const LEFT_BEHIND: [&str; 6] =
    ["scalper.db", "scalper.db-wal", "scalper.db-shm", "sent.log", "emergency.journal", "live-day.json"];
/// Wall time that an answer of the simulator may take before the reconciler looks closer.
const PATIENCE_SECS: f64 = 0.5;

/// The simulated world a run meets.
pub(super) enum World {
    /// In this process; ends with it.
    Own(SimWorld),
    /// In another process; goes on without us.
    Other(SimAccess),
}

impl World {
    fn access(&self) -> &SimAccess {
        match self {
            World::Own(world) => &world.access,
            World::Other(access) => access,
        }
    }
}

/// Starts or finds the simulator.
pub(super) fn world(args: &RunArgs, config: &Effective) -> anyhow::Result<World> {
    if let Some(file) = &args.simulator {
        return Ok(World::Other(SimAccess::from_file(file)?));
    }
    retire(&args.data_dir)?;
    let hours = config.tables.calendar.hours(args.day)?;
    let Some(hours) = hours else {
        return Err(BadUsage(format!("--day {}: no trading day", args.day)).into());
    };
    let which = match &args.tape {
        Some(dir) => SimMarket::Tape { dir: dir.clone(), from: Some(args.day) },
        None => SimMarket::Generated { seed: args.seed, day: args.day, indices: config.params.indices.clone() },
    };
    let faults = args.faults.as_deref().map(faults::read).transpose()?;
    let start_at = Some(after_open(&hours));
    Ok(World::Own(SimWorld::start(which, config.tables.clone(), start_at, args.speed, faults)?))
}

/// What to run there.
pub(super) async fn plan(
    args: &RunArgs,
    mut config: Effective,
    world: &World,
    store: Option<StoreUrl>,
) -> anyhow::Result<Plan> {
    let access = world.access();
    let clock = access.clock().await?;
    // Answers take wall time, sessions run faster: silence must not look like doubt.
    let answer_timeout = &mut config.params.orders.answer_timeout;
    *answer_timeout = (*answer_timeout).max(Age::from_nanos((PATIENCE_SECS * clock.speed() * 1e9) as i64));
    let credentials =
        Credentials { client_id: access.client_id.clone(), token: access.token.expose_secret().to_owned().into() };
    let client =
        Client::<Sim>::for_simulator(&access.rest, fixed(credentials.clone()), Arc::new(Unlimited), Limits::default())?;
    let instruments = instruments(&client, &args.data_dir, &config, &clock).await?;
    let sockets = SocketPlan {
        feed: FeedConfig::new(&access.feed),
        updates: SocketConfig::new(&access.order_updates),
        credentials: watch::channel(Some(credentials)).1,
    };
    Ok(Plan {
        mode: Mode::Sim,
        account: String::new(),
        dir: args.data_dir.clone(),
        store,
        reconciler: reconciler(&config, clock.speed()),
        config,
        clock,
        instruments,
        orders: Arc::new(client.orders_at_simulator()),
        books: Arc::new(client.clone()),
        market: Arc::new(client),
        sockets,
    })
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
    clock: &SessionClock,
) -> anyhow::Result<Vec<Instrument>> {
    let path = dir.join("instruments.csv");
    client.download_instruments(&path).await.context("the instrument list")?;
    let file = std::fs::File::open(&path).with_context(|| path.display().to_string())?;
    let day = clock.now().ist_date();
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
