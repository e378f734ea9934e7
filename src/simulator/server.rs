//! The simulated broker as one running thing: market, desk, REST, sockets, and the task that moves the market.
//!
//! ```text
//! let server = SimServer::start(market, charges, config).await?;
//! server.addresses.rest, .feed, .depth, .order_updates, .instruments    what clients are configured with
//! server.client_id, server.token                   what they log in with
//! server.clock                                     session time, to be shared with a client in this process
//! server.desk, server.hub                          orders by hand, the truth; faults, counters
//! server.run_until(at).await                       with Pace::Max: on to `at`, everything written
//! ```

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use scalper_decide::domain::{ChargeBook, Instant};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::account::{Account, TOKEN_LIFE};
use super::desk::{Desk, MarketBroken};
use super::faults::FaultSchedule;
use super::limits::RateLimits;
use super::market::{Market, MarketError};
use super::rest::faults::{FaultHook, NoFaults};
use super::rest::{RestOptions, RestState, ServeError, serve};
use super::sockets::faults::{MessageFaults, NoMessageFaults};
use super::sockets::{Acknowledged, Conductor, Hub, SocketsConfig, accept};
use super::{SimConfig, Simulator};
use crate::clock::SessionClock;

/// How session time passes.
#[derive(Debug, Clone, PartialEq)]
pub enum Pace {
    /// So many session seconds per second of the wall, 1 to 1000, nights included.
    Scaled(f64),
    /// From one thing that happens to the next as fast as every client reads, up to a goal
    /// ([`SimServer::run_until`]). Starts with the goal at its start: nothing moves.
    Max,
}

/// Largest [`Pace::Scaled`].
pub const MAX_SPEED: f64 = 1_000.0;

/// How to run a simulated broker.
#[derive(Clone)]
pub struct SimServerConfig {
    /// The exchange and the back office.
    pub sim: SimConfig,
    /// The sockets.
    pub sockets: SocketsConfig,
    /// Time.
    pub pace: Pace,
    /// Session time at the start; `None` = the pre-open of the first day. Never before that.
    pub start_at: Option<Instant>,
    /// Loopback address to listen on.
    pub host: IpAddr,
    /// What of REST may differ, and what goes wrong with it.
    pub rest: RestOptions,
    /// Faults of REST.
    pub rest_faults: Arc<dyn FaultHook>,
    /// Faults of the sockets.
    pub socket_faults: Arc<dyn MessageFaults>,
    /// Port of REST; 0 = any.
    pub rest_port: u16,
    /// Port of the sockets; 0 = any.
    pub socket_port: u16,
    /// The account.
    pub client_id: String,
    /// With [`Pace::Max`]: what a client in this process has seen; time waits for it.
    pub acknowledged: Option<watch::Receiver<Acknowledged>>,
}

impl SimServerConfig {
    /// The same with everything going wrong that a schedule says.
    #[must_use]
    pub fn with_faults(self, faults: &FaultSchedule) -> SimServerConfig {
        SimServerConfig { rest_faults: Arc::new(faults.clone()), socket_faults: Arc::new(faults.clone()), ..self }
    }
}

impl Default for SimServerConfig {
    fn default() -> SimServerConfig {
        SimServerConfig {
            sim: SimConfig::default(),
            sockets: SocketsConfig::default(),
            pace: Pace::Scaled(1.0),
            start_at: None,
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            rest: RestOptions::default(),
            rest_faults: Arc::new(NoFaults),
            socket_faults: Arc::new(NoMessageFaults),
            rest_port: 0,
            socket_port: 0,
            client_id: "1000000001".to_owned(),
            acknowledged: None,
        }
    }
}

/// Why a simulated broker does not start.
#[derive(Debug, thiserror::Error)]
pub enum SimServerError {
    /// It would be reachable from outside, where nobody may take it for a broker.
    #[error("{0} is not a loopback address: the simulated broker serves this machine alone")]
    NotLoopback(IpAddr),
    /// Out of range.
    #[error("speed {0} is not within 1..{MAX_SPEED}")]
    Speed(f64),
    /// The market does not begin.
    #[error(transparent)]
    Market(#[from] MarketError),
    /// The market does not reach the start.
    #[error(transparent)]
    Broken(#[from] MarketBroken),
    /// REST does not start.
    #[error(transparent)]
    Rest(#[from] ServeError),
    /// The port cannot be had.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Where clients go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// REST, version included.
    pub rest: String,
    /// The compact instrument master.
    pub instruments: String,
    /// Market feed.
    pub feed: String,
    /// 20-level depth.
    pub depth: String,
    /// Order updates.
    pub order_updates: String,
}

/// A running simulated broker. Dropping it ends it.
pub struct SimServer {
    /// Where clients go.
    pub addresses: Addresses,
    /// The account.
    pub client_id: String,
    /// The token that is alive at the start: good for 24 hours of session time, and for this simulator only.
    pub token: SecretString,
    /// Session time.
    pub clock: SessionClock,
    /// The market and the back office.
    pub desk: Desk,
    /// The connections.
    pub hub: Arc<Hub>,
    goal: watch::Sender<Instant>,
    reached: watch::Receiver<Result<Instant, MarketBroken>>,
    stop: CancellationToken,
    rest: ServerHandle,
}

impl Drop for SimServer {
    fn drop(&mut self) {
        self.stop.cancel();
        // Asks at once; nobody waits for the answer.
        drop(self.rest.stop(false));
    }
}

impl SimServer {
    /// Starts on a market. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`SimServerError`].
    pub async fn start(
        market: Box<dyn Market>,
        charges: ChargeBook,
        config: SimServerConfig,
    ) -> Result<SimServer, SimServerError> {
        let sim = Simulator::new(market, config.sim.clone(), charges)?;
        SimServer::around(sim, config).await
    }

    /// Starts around a simulator that is there already; `config.sim` is not looked at.
    ///
    /// # Errors
    /// [`SimServerError`].
    pub async fn around(sim: Simulator, config: SimServerConfig) -> Result<SimServer, SimServerError> {
        if !config.host.is_loopback() {
            return Err(SimServerError::NotLoopback(config.host));
        }
        if let Pace::Scaled(speed) = config.pace
            && !(1.0..=MAX_SPEED).contains(&speed)
        {
            return Err(SimServerError::Speed(speed));
        }
        let address = SocketAddr::new(config.host, config.socket_port);
        let bind = |source| SimServerError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(bind)?;
        let bound = listener.local_addr().map_err(bind)?;

        let from = config.start_at.unwrap_or(sim.now()).max(sim.now());
        let clock = match config.pace {
            Pace::Scaled(speed) => SessionClock::scaled(from, speed),
            Pace::Max => SessionClock::driven(from),
        };
        let mut account = Account::new(&config.client_id);
        let token = account.mint(from, TOKEN_LIFE);
        let desk = Desk::new(sim, account, RateLimits::default(), clock.clone());
        desk.step()?;
        let hub = Arc::new(Hub::new(desk.clone(), &config.client_id, config.sockets, config.socket_faults));
        let conductor = Conductor::new(Arc::clone(&hub), config.acknowledged);
        let (goal, goals) = watch::channel(from);
        let (reach, reached) = watch::channel(Ok(from));
        let stop = CancellationToken::new();
        let until_stopped = |task: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>| {
            tokio::spawn(stop.clone().run_until_cancelled_owned(task));
        };
        until_stopped(Box::pin(accept(listener, Arc::clone(&hub), stop.clone())));
        until_stopped(match config.pace {
            Pace::Scaled(_) => Box::pin(follow(conductor, reach)),
            Pace::Max => Box::pin(conduct(conductor, goals, reach)),
        });
        let rest = RestState { desk: desk.clone(), options: config.rest, faults: config.rest_faults };
        let (rest_bound, rest) = serve(SocketAddr::new(config.host, config.rest_port), rest)?;
        let url = |path| format!("ws://{bound}{path}");
        Ok(SimServer {
            addresses: Addresses {
                rest: format!("http://{rest_bound}/v2"),
                instruments: format!("http://{rest_bound}/instruments.csv"),
                feed: url("/feed"),
                depth: url("/twentydepth"),
                order_updates: url("/orderupdate"),
            },
            client_id: config.client_id,
            token,
            clock,
            desk,
            hub,
            goal,
            reached,
            stop,
            rest,
        })
    }

    /// Ends it and waits for REST to be gone.
    pub async fn stop(self) {
        self.stop.cancel();
        self.rest.stop(false).await;
    }

    /// With [`Pace::Max`]: moves on to `at` (or to the end of the market) and returns when everything up to there is
    /// written to every connection that can be written to. [`Instant::MAX`] = the end of the market. A goal behind the
    /// clock changes nothing. With another pace: waits until the clock is there.
    ///
    /// # Errors
    /// The market is broken.
    pub async fn run_until(&self, at: Instant) -> Result<(), MarketBroken> {
        if self.clock.speed() > 0.0 {
            self.clock.sleep_until(at).await;
            return self.desk.step().map(drop);
        }
        self.goal.send_if_modified(|goal| {
            let is_further = at > *goal;
            *goal = at.max(*goal);
            is_further
        });
        let mut reached = self.reached.clone();
        match reached.wait_for(|reached| reached.as_ref().is_ok_and(|r| *r >= at) || reached.is_err()).await {
            Ok(reached) => reached.clone().map(drop),
            Err(_) => Err(MarketBroken("the server has stopped".to_owned())),
        }
    }

    /// Waits until the market is broken; a market that is over is not.
    pub async fn broken(&self) -> MarketBroken {
        let mut reached = self.reached.clone();
        match reached.wait_for(Result::is_err).await {
            Ok(reached) => reached.clone().expect_err("it was waited for"),
            Err(_) => std::future::pending().await,
        }
    }
}

type Reach = watch::Sender<Result<Instant, MarketBroken>>;

async fn follow(conductor: Conductor, reach: Reach) {
    if let Err(broken) = conductor.follow().await {
        tracing::error!(%broken, "the simulated market has ended");
        drop(reach.send_replace(Err(broken)));
    }
}

async fn conduct(mut conductor: Conductor, mut goals: watch::Receiver<Instant>, reach: Reach) {
    loop {
        let goal = *goals.borrow_and_update();
        if let Err(broken) = conductor.conduct(goal).await {
            tracing::error!(%broken, "the simulated market has ended");
            drop(reach.send_replace(Err(broken)));
            return;
        }
        drop(reach.send_replace(Ok(goal)));
        tokio::select! {
            changed = goals.changed() => if changed.is_err() { return },
            () = conductor.idle() => {}
        }
    }
}
