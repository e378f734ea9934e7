//! Paper and live mode: a token, the broker's market, and in live its orders.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Args;
use reqwest::Url;
use scalper_decide::paper;
use scalper_decide::rate_budget::RateParams;
use scalper_decide::reconciler::ReconcilerParams;

use super::{RunArgs, master, sim};
use crate::broker::dhan::feed::FeedConfig;
use crate::broker::dhan::rest::budget_log::{self, BudgetLog};
use crate::broker::dhan::rest::client::Client;
use crate::broker::dhan::rest::endpoints::{Endpoints, is_loopback};
use crate::broker::dhan::rest::token::{self, TokenError, TokenKeeper};
use crate::broker::dhan::rest::transport::Limits;
use crate::broker::dhan::socket::SocketConfig;
use crate::broker::{Live, LiveConsent, Paper};
use crate::cli::exit::BadUsage;
use crate::cli::token::token_file;
use crate::clock::SessionClock;
use crate::config::Effective;
use crate::engine::bell::Bell;
use crate::engine::execution::{BrokerVenue, Venue};
use crate::engine::sim::SimAccess;
use crate::engine::sockets::SocketPlan;
use crate::engine::start::{Plan, Role};
use crate::engine::token_care;
use crate::ops::doctor::{AtBroker, Patient};
use crate::store::place::StoreUrl;

/// Where the broker is, for paper and live. TLS is required, except on this machine.
#[derive(Debug, Clone, Args)]
pub struct BrokerArgs {
    /// REST address, version included.
    #[arg(long, value_name = "URL", env = "SCALPER_DHAN_REST", default_value = "https://api.dhan.co/v2")]
    pub rest: String,
    /// The public instrument list.
    #[arg(
        long,
        value_name = "URL",
        env = "SCALPER_DHAN_INSTRUMENTS",
        default_value = "https://images.dhan.co/api-data/api-scrip-master.csv"
    )]
    pub instruments: String,
    /// Market feed.
    #[arg(long, value_name = "URL", env = "SCALPER_DHAN_FEED", default_value = "wss://api-feed.dhan.co")]
    pub feed: String,
    /// Order updates.
    #[arg(
        long,
        value_name = "URL",
        env = "SCALPER_DHAN_ORDER_UPDATES",
        default_value = "wss://api-order-update.dhan.co"
    )]
    pub order_updates: String,
    /// Token file, readable by its owner only [default: scalper/dhan-token in the configuration folder].
    #[arg(long, value_name = "FILE", env = "SCALPER_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
}

/// Addresses that have been looked at.
pub struct Hosts {
    /// REST and the instrument list.
    pub rest: Endpoints,
    /// Market feed.
    pub feed: String,
    /// Order updates.
    pub updates: String,
}

fn url(what: &str, text: &str) -> anyhow::Result<Url> {
    Url::parse(text).map_err(|e| BadUsage(format!("--{what} {text:?}: {e}")).into())
}

/// A socket's address: the token travels in it, so in the clear only on this machine (B14).
fn socket(what: &str, text: &str) -> anyhow::Result<String> {
    let at = url(what, text)?;
    match at.scheme() {
        "wss" => Ok(text.to_owned()),
        "ws" if is_loopback(&at) => Ok(text.to_owned()),
        _ => Err(BadUsage(format!("--{what} {text}: wss is required outside this machine")).into()),
    }
}

impl BrokerArgs {
    /// The addresses, or those of a simulator that plays the broker.
    ///
    /// # Errors
    /// One of them cannot be, or would carry a token in the clear.
    pub fn hosts(&self, simulator: Option<&SimAccess>) -> anyhow::Result<Hosts> {
        let Some(simulator) = simulator else {
            let (rest, instruments) = (url("rest", &self.rest)?, url("instruments", &self.instruments)?);
            let rest = Endpoints { rest, instruments, ..Endpoints::default() };
            rest.check_transport().map_err(BadUsage)?;
            let (feed, updates) = (socket("feed", &self.feed)?, socket("order-updates", &self.order_updates)?);
            return Ok(Hosts { rest, feed, updates });
        };
        Ok(Hosts {
            rest: Endpoints::at_simulator(&simulator.rest).map_err(|e| BadUsage(e.to_string()))?,
            feed: socket("simulator", &simulator.feed)?,
            updates: socket("simulator", &simulator.order_updates)?,
        })
    }

    /// The token, from the environment or the file, with its keeper.
    ///
    /// # Errors
    /// There is none, or it cannot be used.
    pub fn token(&self, clock: &SessionClock) -> anyhow::Result<Arc<TokenKeeper>> {
        let file = token_file(self.token_file.as_deref());
        let found = token::find(|name| std::env::var(name).ok(), file.as_deref())?;
        Ok(Arc::new(TokenKeeper::new(found, file, clock.clone())))
    }
}

/// A token that is alive, long enough for the mode.
fn is_good(keeper: &TokenKeeper, is_live: bool, clock: &SessionClock) -> Result<(), TokenError> {
    let ends = keeper.status().ends;
    if ends <= clock.now() {
        return Err(TokenError::Expired(ends));
    }
    if is_live { keeper.outlives_the_session() } else { Ok(()) }
}

/// What both modes share on their way to a plan.
struct Ground {
    hosts: Hosts,
    clock: SessionClock,
    keeper: Arc<TokenKeeper>,
    account: String,
    budget: Arc<BudgetLog>,
    bell: Bell,
}

impl Ground {
    async fn find(args: &RunArgs, simulator: Option<&SimAccess>, is_live: bool) -> anyhow::Result<Ground> {
        let hosts = args.broker.hosts(simulator)?;
        let clock = match simulator {
            Some(simulator) => simulator.clock().await?,
            None => SessionClock::wall(),
        };
        let keeper = args.broker.token(&clock)?;
        is_good(&keeper, is_live, &clock).context("bring a new one: `scalper token renew` or `scalper token set`")?;
        let account = keeper.status().client_id;
        let budget = BudgetLog::open(&args.data_dir, RateParams::default(), clock.clone());
        let budget = budget.with_context(|| {
            format!("how many calls were made today is not known: {} in {}", budget_log::FILE, args.data_dir.display())
        })?;
        Ok(Ground { hosts, clock, keeper, account, budget: Arc::new(budget), bell: Bell::default() })
    }

    /// The plan, once it is known who executes.
    async fn plan<M: 'static>(
        self,
        args: &RunArgs,
        config: Effective,
        store: Option<StoreUrl>,
        client: Client<M>,
        venue: Venue,
        role: Role,
    ) -> anyhow::Result<Plan> {
        let Ground { hosts, clock, keeper, account, budget, bell } = self;
        let instruments = master::of_role(&role, &client, &args.data_dir, &config, &clock).await?;
        let credentials = token_care::for_sockets(keeper.subscribe());
        let sockets = SocketPlan::new(FeedConfig::new(&hosts.feed), credentials);
        let at = AtBroker { keeper: Arc::clone(&keeper), reads: Arc::new(client.clone()) };
        let doctor = Patient::new(venue.mode(), Ok(at), clock.clone(), args.data_dir.clone(), &config);
        token_care::start(keeper, client.clone(), bell.clone());
        let (dir, market) = (args.data_dir.clone(), Arc::new(client));
        Ok(Plan { account, dir, store, config, clock, instruments, venue, market, sockets, bell, doctor, role, budget })
    }
}

/// The broker must know the token, and the account must be able to see the market.
async fn knows_us<M: 'static>(client: &Client<M>, account: &str) -> anyhow::Result<()> {
    let profile = client.profile().await.context("the broker does not let us in: is the token right?")?;
    if profile.dhan_client_id != account {
        bail!("the token belongs to account {}, not to {account}", profile.dhan_client_id);
    }
    if profile.data_active() == Some(false) {
        bail!("account {account} has no active data plan: subscribe to the broker's data APIs");
    }
    Ok(())
}

/// Paper: reads from the broker, fills in this process.
pub(super) async fn paper(
    args: &RunArgs,
    mut config: Effective,
    simulator: Option<&SimAccess>,
    store: Option<StoreUrl>,
    role: Role,
) -> anyhow::Result<Plan> {
    let ground = Ground::find(args, simulator, false).await?;
    sim::be_patient(&mut config.params, ground.clock.speed());
    let (rest, token, budget) = (ground.hosts.rest.clone(), ground.keeper.subscribe(), ground.budget.clone());
    let client: Client<Paper> = Client::for_paper(rest, token, budget, Limits::default())?;
    knows_us(&client, &ground.account).await?;
    ground.plan(args, config, store, client, Venue::Paper(paper::FILLS), role).await
}

/// Live: reads and orders at the broker.
pub(super) async fn live(
    args: &RunArgs,
    mut config: Effective,
    simulator: Option<&SimAccess>,
    store: Option<StoreUrl>,
    role: Role,
) -> anyhow::Result<Plan> {
    let ground = Ground::find(args, simulator, true).await?;
    let consent = consent(&config, &ground.account)?;
    sim::be_patient(&mut config.params, ground.clock.speed());
    let (rest, token, budget) = (ground.hosts.rest.clone(), ground.keeper.subscribe(), ground.budget.clone());
    let client: Client<Live> = Client::for_live(rest, token, budget, Limits::default())?;
    knows_us(&client, &ground.account).await?;
    let ip = client.ip().await.context("the broker does not say whether orders from here are allowed")?;
    if ip.allows_orders() == Some(false) {
        let seen = ip.detected.as_deref().unwrap_or("unknown");
        let registered = ip.primary.as_deref().unwrap_or("none");
        bail!(
            "orders from this address ({seen}) are refused, registered is {registered}: run from there, or register \
             this address at the broker (it can be changed once in seven days)"
        );
    }
    let reconciler = match ground.clock.speed() {
        speed if speed > 1.0 => sim::reconciler(&config, speed),
        _ => ReconcilerParams::new(config.params.orders.instance),
    };
    let orders = Arc::new(client.orders(&consent)?);
    let updates = SocketConfig::new(&ground.hosts.updates);
    let venue = BrokerVenue::new::<Live>(orders, Arc::new(client.clone()), updates, reconciler);
    ground.plan(args, config, store, client, Venue::Broker(Box::new(venue)), role).await
}

/// What a person typed into the settings, for this account (S24).
fn consent(config: &Effective, account: &str) -> anyhow::Result<LiveConsent> {
    let typed = config.engine.consent.as_deref().unwrap_or_default();
    LiveConsent::given(account, typed).map_err(|e| {
        BadUsage(format!("{e}; write it as `engine: {{consent: {}}}` into the settings", e.expected)).into()
    })
}

/// Whether a data folder may be written to, said before anything is started.
pub(super) fn writable(dir: &Path) -> anyhow::Result<()> {
    let remedy = || format!("{}: the data folder cannot be written to; choose another with --data-dir", dir.display());
    std::fs::create_dir_all(dir).with_context(remedy)?;
    tempfile::NamedTempFile::new_in(dir).map(drop).with_context(remedy)
}
