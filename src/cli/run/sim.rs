//! Sim mode: a simulator in this process, or one that runs by itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use scalper_decide::domain::Age;
use scalper_decide::params::StrategyParams;
use scalper_decide::rate_budget::RateParams;
use scalper_decide::reconciler::ReconcilerParams;
use secrecy::ExposeSecret as _;
use tokio::sync::watch;

use super::{RunArgs, master};
use crate::broker::Sim;
use crate::broker::dhan::credentials::Credentials;
use crate::broker::dhan::feed::FeedConfig;
use crate::broker::dhan::rest::budget_log::BudgetLog;
use crate::broker::dhan::rest::client::{Client, fixed};
use crate::broker::dhan::rest::transport::Limits;
use crate::broker::dhan::socket::SocketConfig;
use crate::cli::exit::BadUsage;
use crate::config::Effective;
use crate::engine::bell::Bell;
use crate::engine::execution::{BrokerVenue, Venue};
use crate::engine::sim::{SimAccess, SimMarket, SimWorld, after_open};
use crate::engine::sockets::SocketPlan;
use crate::engine::start::{Plan, Role};
use crate::engine::status::Mode;
use crate::ops::doctor::Patient;
use crate::simulator::faults;
use crate::store::place::{FolderLock, StoreUrl};

/// Files of one run in the data folder.
const LEFT_BEHIND: [&str; 7] =
    ["scalper.db", "scalper.db-wal", "scalper.db-shm", "sent.log", "emergency.journal", "live-day.json", "rate.log"];
/// Wall time that an answer of the simulator may take before the reconciler looks closer.
const PATIENCE_SECS: f64 = 0.5;

/// The simulated world a run meets.
pub(in crate::cli) enum World {
    /// In this process; ends with it.
    Own(SimWorld),
    /// In another process; goes on without us.
    Other(SimAccess),
}

impl World {
    pub(super) fn access(&self) -> &SimAccess {
        match self {
            World::Own(world) => &world.access,
            World::Other(access) => access,
        }
    }
}

/// Starts or finds the simulator.
pub(super) fn world(args: &RunArgs, config: &Effective, simulator: Option<SimAccess>) -> anyhow::Result<World> {
    if let Some(simulator) = simulator {
        return Ok(World::Other(simulator));
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
pub(in crate::cli) async fn plan(
    args: &RunArgs,
    mut config: Effective,
    access: &SimAccess,
    store: Option<StoreUrl>,
    role: Role,
) -> anyhow::Result<Plan> {
    let clock = access.clock().await?;
    be_patient(&mut config.params, clock.speed());
    let credentials =
        Credentials { client_id: access.client_id.clone(), token: access.token.expose_secret().to_owned().into() };
    let budget = BudgetLog::open(&args.data_dir, RateParams::default(), clock.clone());
    let budget = Arc::new(budget.with_context(|| format!("rate.log in {}", args.data_dir.display()))?);
    let client =
        Client::<Sim>::for_simulator(&access.rest, fixed(credentials.clone()), budget.clone(), Limits::default())?;
    let instruments = master::of_role(&role, &client, &args.data_dir, &config, &clock).await?;
    let sockets = SocketPlan::new(FeedConfig::new(&access.feed), watch::channel(Some(credentials)).1);
    let updates = SocketConfig::new(&access.order_updates);
    let orders = Arc::new(client.orders_at_simulator());
    let venue = BrokerVenue::new::<Sim>(orders, Arc::new(client.clone()), updates, reconciler(&config, clock.speed()));
    let none = Err("sim has no broker".to_owned());
    let doctor = Patient::new(Mode::Sim, none, clock.clone(), args.data_dir.clone(), &config);
    Ok(Plan {
        account: String::new(),
        dir: args.data_dir.clone(),
        store,
        venue: Venue::Broker(Box::new(venue)),
        config,
        clock,
        instruments,
        market: Arc::new(client),
        sockets,
        bell: Bell::default(),
        doctor,
        role,
        budget,
    })
}

/// Answers take wall time, sessions run faster: silence must not look like doubt.
pub(super) fn be_patient(params: &mut StrategyParams, speed: f64) {
    let answer_timeout = &mut params.orders.answer_timeout;
    *answer_timeout = (*answer_timeout).max(Age::from_nanos((PATIENCE_SECS * speed * 1e9) as i64));
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

/// The simulator answers in wall time while sessions run faster: what the reconciler waits for in session time must
/// leave the wall enough. At the speed of the wall these are the usual times.
pub(super) fn reconciler(config: &Effective, speed: f64) -> ReconcilerParams {
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
