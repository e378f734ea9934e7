//! Who is examined: everything the checks read, from the engine or from the command line.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use scalper_decide::domain::{Instant, Money, Underlying};

use super::Check;
use super::checks;
use crate::broker::dhan::rest::account::{IpState, Profile};
use crate::broker::dhan::rest::budget_log;
use crate::broker::dhan::rest::client::Client;
use crate::broker::dhan::rest::token::{TokenKeeper, TokenStatus};
use crate::broker::{BrokerBooks as _, Fault};
use crate::clock::SessionClock;
use crate::config::Effective;
use crate::config::tables::Tables;
use crate::engine::status::{Mode, Status};

/// What the broker is asked. Reads, nothing else.
pub trait Reads: Send + Sync {
    /// Time of an answer, by its header.
    fn date(&self) -> BoxFuture<'_, Result<Option<Instant>, Fault>>;
    /// The account.
    fn profile(&self) -> BoxFuture<'_, Result<Profile, Fault>>;
    /// The addresses.
    fn ip(&self) -> BoxFuture<'_, Result<IpState, Fault>>;
    /// Money free to trade.
    fn available(&self) -> BoxFuture<'_, Result<Money, Fault>>;
}

impl<M: 'static> Reads for Client<M> {
    fn date(&self) -> BoxFuture<'_, Result<Option<Instant>, Fault>> {
        Box::pin(self.server_date())
    }
    fn profile(&self) -> BoxFuture<'_, Result<Profile, Fault>> {
        Box::pin(Client::profile(self))
    }
    fn ip(&self) -> BoxFuture<'_, Result<IpState, Fault>> {
        Box::pin(Client::ip(self))
    }
    fn available(&self) -> BoxFuture<'_, Result<Money, Fault>> {
        self.available_balance()
    }
}

/// The token and the way to the broker it opens; in sim there is none.
#[derive(Clone)]
pub struct AtBroker {
    /// The token's keeper.
    pub keeper: Arc<TokenKeeper>,
    /// What is asked.
    pub reads: Arc<dyn Reads>,
}

/// Everything the checks look at.
#[derive(Clone)]
pub struct Patient {
    /// How the engine is connected.
    pub mode: Mode,
    /// The broker; why there is none otherwise.
    pub broker: Result<AtBroker, String>,
    /// Session time.
    pub clock: SessionClock,
    /// The data folder.
    pub dir: PathBuf,
    /// The instrument list.
    pub list: PathBuf,
    /// Dated tables.
    pub tables: Arc<Tables>,
    /// Indices traded.
    pub indices: Vec<Underlying>,
    /// Balance the settings count on.
    pub balance: Option<Money>,
    /// Whether new risk needs a guardian.
    pub needs_guardian: bool,
}

impl Patient {
    /// A patient with these settings.
    pub fn new(
        mode: Mode,
        broker: Result<AtBroker, String>,
        clock: SessionClock,
        dir: PathBuf,
        config: &Effective,
    ) -> Patient {
        Patient {
            mode,
            broker,
            clock,
            list: dir.join("instruments.csv"),
            dir,
            tables: Arc::new(config.tables.clone()),
            indices: config.params.indices.clone(),
            balance: config.params.capital.opening_balance,
            needs_guardian: mode == Mode::Live && config.engine.guardian_required,
        }
    }

    /// Age and lines of the instrument list.
    fn list(&self) -> Result<(Duration, u64), String> {
        let wrong = |e: std::io::Error| format!("{}: {e}", self.list.display());
        let changed = std::fs::metadata(&self.list).and_then(|meta| meta.modified()).map_err(wrong)?;
        let text = std::fs::read(&self.list).map_err(wrong)?;
        let age = SystemTime::now().duration_since(changed).unwrap_or_default();
        Ok((age, text.iter().filter(|byte| **byte == b'\n').count() as u64))
    }

    /// Looks at everything. `status` is that of a running engine.
    pub async fn examine(&self, status: Option<&Status>) -> Vec<Check> {
        let now = self.clock.now();
        let mut found = Vec::new();
        match (&self.broker, self.mode) {
            (_, Mode::Sim) => found.push(Check::skipped("broker", "sim has none")),
            (Err(why), _) => found.push(checks::token(&Err::<TokenStatus, _>(why.clone()), now)),
            (Ok(broker), mode) => {
                let date = broker.reads.date().await;
                // The broker's header is wall time whatever session time is.
                found.push(checks::clock(&date, SessionClock::wall().now()));
                let token = broker.keeper.status();
                let account = token.client_id.clone();
                found.push(checks::token(&Ok(token), now));
                found.extend(checks::profile(&broker.reads.profile().await, &account));
                let live = mode == Mode::Live;
                let unasked = || Err(Fault::NotSent("not asked".to_owned()));
                let ip = if live { broker.reads.ip().await } else { unasked() };
                found.push(checks::address(&ip, mode));
                let unasked = || Err(Fault::NotSent("not asked".to_owned()));
                let funds = if live { broker.reads.available().await } else { unasked() };
                found.push(checks::funds(&funds, self.balance, mode));
                found.push(checks::rate_budget(&budget_log::used(&self.dir, self.clock.clone())));
                found.push(checks::master(&self.list(), self.indices.len()));
            }
        }
        found.push(checks::tables(&self.tables, &self.indices, now.ist_date()));
        found.push(checks::session(&self.tables, now));
        found.push(checks::disk(&self.dir, checks::LEAST_ROOM));
        found.push(checks::guardian(status, self.needs_guardian));
        found.push(checks::feed(status));
        found
    }
}
