//! The simulated world of `scalper run` in sim mode: Dhan's look-alike on a thread of its own, reached over real
//! loopback sockets like the broker itself.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use chrono::NaiveDate;
use scalper_decide::domain::{Age, Instant, SessionHours, Underlying};
use secrecy::SecretString;
use serde::Deserialize;
use tokio::sync::oneshot;

use crate::clock::SessionClock;
use crate::config::tables::Tables;
use crate::simulator::desk::{Desk, MarketBroken};
use crate::simulator::faults::FaultSchedule;
use crate::simulator::market::{GeneratedMarket, GeneratedSpec, Market, MarketError, RecordedMarket};
use crate::simulator::server::{Addresses, Pace, SimServer, SimServerConfig, SimServerError};

/// Sessions before the first day that the market keeps as history.
const HISTORY: usize = 6;
/// Longest wait for a simulator's clock.
const PATIENCE: Duration = Duration::from_secs(5);

/// Which market is simulated.
#[derive(Debug, Clone)]
pub enum SimMarket {
    /// Made from a seed, beginning on a day.
    Generated {
        /// The seed.
        seed: u64,
        /// The first trading day.
        day: NaiveDate,
        /// The indices.
        indices: Vec<Underlying>,
    },
    /// A recorded tape, from a day on.
    Tape {
        /// Its folder.
        dir: PathBuf,
        /// The first day; the tape's first without it.
        from: Option<NaiveDate>,
    },
}

/// How a simulator is reached.
#[derive(Debug, Clone, Deserialize)]
pub struct SimAccess {
    /// REST, version included.
    pub rest: String,
    /// Market feed.
    pub feed: String,
    /// Order updates.
    pub order_updates: String,
    /// The account.
    pub client_id: String,
    /// Its token, of use in this simulator only.
    pub token: SecretString,
    /// Session time, for a simulator in this process.
    #[serde(skip)]
    clock: Option<SessionClock>,
}

impl SimAccess {
    /// Reads what `scalper sim --json` printed.
    ///
    /// # Errors
    /// The file does not hold it.
    pub fn from_file(path: &Path) -> Result<SimAccess, SimWorldError> {
        let wrong = |why: String| SimWorldError::File { path: path.to_owned(), why };
        let text = std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()))?;
        serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))
    }

    /// Session time of the simulator: it owns the clock of its market (design 13).
    ///
    /// # Errors
    /// It does not answer, or its clock does not run by itself.
    pub async fn clock(&self) -> Result<SessionClock, SimWorldError> {
        if let Some(clock) = &self.clock {
            return Ok(clock.clone());
        }
        let url = self.rest.trim_end_matches("/v2").to_owned() + "/sim/clock";
        let silent = |e: reqwest::Error| SimWorldError::NoClock { url: url.clone(), why: e.without_url().to_string() };
        let asked = std::time::Instant::now();
        let answer = async {
            // A second one in one process keeps the first.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
            http.get(&url).send().await?.error_for_status()?.json::<Clock>().await
        };
        let answer = answer.await.map_err(silent)?;
        if answer.speed < 1.0 {
            let why = "its clock follows its clients (--speed max); give it a speed".to_owned();
            return Err(SimWorldError::NoClock { url, why });
        }
        // The answer is half a round trip old.
        let late = Age::from_nanos((asked.elapsed().as_secs_f64() / 2.0 * answer.speed * 1e9) as i64);
        Ok(SessionClock::scaled(Instant::from_nanos(answer.now_ns) + late, answer.speed))
    }
}

/// What `/sim/clock` says.
#[derive(Deserialize)]
struct Clock {
    now_ns: i64,
    speed: f64,
}

/// A running simulated world. Dropping it ends it.
pub struct SimWorld {
    /// How it is reached.
    pub access: SimAccess,
    desk: Desk,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Why there is no simulated world.
#[derive(Debug, thiserror::Error)]
pub enum SimWorldError {
    /// The market does not begin.
    #[error(transparent)]
    Market(#[from] MarketError),
    /// The servers do not start.
    #[error(transparent)]
    Server(#[from] SimServerError),
    /// The file that should say where the simulator is.
    #[error("{}: not what `scalper sim --json` prints: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The simulator's session time cannot be followed.
    #[error("{url}: {why}")]
    NoClock {
        /// What was asked.
        url: String,
        /// What went wrong.
        why: String,
    },
    /// The market cannot go on.
    #[error(transparent)]
    Broken(#[from] MarketBroken),
    /// The thread died.
    #[error("the simulator's thread died; see the log")]
    Died,
}

fn market(which: &SimMarket, tables: &Tables) -> Result<Box<dyn Market>, MarketError> {
    Ok(match which {
        SimMarket::Generated { seed, day, indices } => {
            let usual = GeneratedSpec::usual(*seed, *day);
            let spec = GeneratedSpec { indices: indices.clone(), history_days: HISTORY, ..usual };
            Box::new(GeneratedMarket::new(spec, &tables.calendar, &tables.contracts)?)
        }
        SimMarket::Tape { dir, from } => {
            Box::new(RecordedMarket::open(dir, *from, HISTORY, &tables.calendar, &tables.contracts)?)
        }
    })
}

impl SimWorld {
    /// Starts it and waits until it listens. Session time begins at `start_at` (never before the market does) and runs
    /// `speed` times as fast as the wall. `faults` say what goes wrong there.
    ///
    /// # Errors
    /// [`SimWorldError`].
    pub fn start(
        which: SimMarket,
        tables: Tables,
        start_at: Option<Instant>,
        speed: f64,
        faults: Option<FaultSchedule>,
    ) -> Result<SimWorld, SimWorldError> {
        let (up, came_up) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name("simulator".to_owned()).spawn(move || {
            let system = actix_rt::System::new();
            system.block_on(async move {
                match bring_up(&which, tables, start_at, speed, faults).await {
                    Ok((access, server)) => {
                        let _ = up.send(Ok((access, server.desk.clone())));
                        let broken = server.broken();
                        tokio::select! {
                            _ = stopped => {}
                            broken = broken => tracing::error!(target: "simulator", %broken, "the market is over"),
                        }
                    }
                    Err(e) => {
                        let _ = up.send(Err(e));
                    }
                }
            });
        });
        let thread = thread.map_err(|_| SimWorldError::Died)?;
        let (access, desk) = came_up.recv().map_err(|_| SimWorldError::Died)??;
        Ok(SimWorld { access, desk, stop: Some(stop), thread: Some(thread) })
    }

    /// The session after the one that ended; `None` when the market has no more, or a day is under way.
    ///
    /// # Errors
    /// The market is broken.
    pub fn next_session(&self) -> Result<Option<SessionHours>, SimWorldError> {
        Ok(self.desk.with(|sim, _, _| sim.next_hours().cloned())?)
    }
}

async fn bring_up(
    which: &SimMarket,
    tables: Tables,
    start_at: Option<Instant>,
    speed: f64,
    faults: Option<FaultSchedule>,
) -> Result<(SimAccess, SimServer), SimWorldError> {
    let market = market(which, &tables)?;
    let config = SimServerConfig { pace: Pace::Scaled(speed), start_at, ..SimServerConfig::default() };
    let config = faults.iter().fold(config, SimServerConfig::with_faults);
    let server = SimServer::start(market, tables.charges.clone(), config).await?;
    let Addresses { rest, feed, order_updates, .. } = server.addresses.clone();
    let (client_id, token) = (server.client_id.clone(), server.token.clone());
    let clock = Some(server.clock.clone());
    // Nobody is there who could bring a new token every day.
    server.desk.with(|_, account, _| account.set_token(token.clone(), Instant::MAX))?;
    Ok((SimAccess { rest, feed, order_updates, client_id, token, clock }, server))
}

impl Drop for SimWorld {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Just after the open of a day: the first minute closes soon.
pub fn after_open(hours: &SessionHours) -> Instant {
    hours.open_at() + Age::from_secs(15)
}
