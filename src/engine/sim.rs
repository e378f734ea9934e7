//! The simulated world of `scalper run` in sim mode: Dhan's look-alike on a thread of its own, reached over real
//! loopback sockets like the broker itself.

use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::JoinHandle;

use chrono::NaiveDate;
use scalper_decide::domain::{Age, Instant, Underlying};
use secrecy::SecretString;
use tokio::sync::oneshot;

use crate::clock::SessionClock;
use crate::config::tables::Tables;
use crate::simulator::market::{GeneratedMarket, GeneratedSpec, Market, MarketError, RecordedMarket};
use crate::simulator::server::{Addresses, Pace, SimServer, SimServerConfig, SimServerError};

/// Sessions before the first day that the market keeps as history.
const HISTORY: usize = 6;

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

/// A running simulated world. Dropping it ends it.
pub struct SimWorld {
    /// Where everything is.
    pub addresses: Addresses,
    /// The account.
    pub client_id: String,
    /// Its token, of use in this simulator only.
    pub token: SecretString,
    /// Session time.
    pub clock: SessionClock,
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

struct Up {
    addresses: Addresses,
    client_id: String,
    token: SecretString,
    clock: SessionClock,
}

impl SimWorld {
    /// Starts it and waits until it listens. Session time begins at `start_at` (never before the market does) and runs
    /// `speed` times as fast as the wall.
    ///
    /// # Errors
    /// [`SimWorldError`].
    pub fn start(
        which: SimMarket,
        tables: Tables,
        start_at: Option<Instant>,
        speed: f64,
    ) -> Result<SimWorld, SimWorldError> {
        let (up, came_up) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name("simulator".to_owned()).spawn(move || {
            let system = actix_rt::System::new();
            system.block_on(async move {
                match bring_up(&which, tables, start_at, speed).await {
                    Ok((world, server)) => {
                        let _ = up.send(Ok(world));
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
        let Up { addresses, client_id, token, clock } = came_up.recv().map_err(|_| SimWorldError::Died)??;
        Ok(SimWorld { addresses, client_id, token, clock, stop: Some(stop), thread: Some(thread) })
    }
}

async fn bring_up(
    which: &SimMarket,
    tables: Tables,
    start_at: Option<Instant>,
    speed: f64,
) -> Result<(Up, SimServer), SimWorldError> {
    let market = market(which, &tables)?;
    let config = SimServerConfig { pace: Pace::Scaled(speed), start_at, ..SimServerConfig::default() };
    let server = SimServer::start(market, tables.charges.clone(), config).await?;
    let up = Up {
        addresses: server.addresses.clone(),
        client_id: server.client_id.clone(),
        token: server.token.clone(),
        clock: server.clock.clone(),
    };
    Ok((up, server))
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
pub fn after_open(hours: &scalper_decide::domain::SessionHours) -> Instant {
    hours.open_at() + Age::from_secs(15)
}
