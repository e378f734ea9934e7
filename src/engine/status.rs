//! What the engine says about itself: one value, made after each event that changed something, read by everyone who
//! looks (`status`, `/health`, metrics, dashboard). Ages are taken when it is read, from the times it carries.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use scalper_decide::domain::{Age, Instant, Underlying};
use scalper_decide::rate_budget::WindowUse;
use serde::{Deserialize, Serialize};

use crate::broker::dhan::rest::budget_log::{self, Standing};
use crate::market::sync;

/// How the engine is connected to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Simulated market and broker, over real loopback sockets.
    Sim,
    /// The broker's market feed, orders filled in process; no order client exists.
    Paper,
    /// The broker's market and order API.
    Live,
}

impl Mode {
    /// Upper-case word for banners.
    pub const fn word(self) -> &'static str {
        match self {
            Mode::Sim => "SIM",
            Mode::Paper => "PAPER",
            Mode::Live => "LIVE",
        }
    }
}

/// Whether the engine may act, and what stands in the way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Open positions are watched, protected and can be left.
    pub exits: bool,
    /// New positions may be opened.
    pub entries: bool,
    /// Why not, one sentence each; empty when both are true.
    pub waiting_for: Vec<String>,
}

/// State of a connection, with the evidence (F-72).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// `connecting`, `up`, `degraded` or `down`.
    pub state: String,
    /// When the last byte came, session time.
    pub last_seen: Option<Instant>,
    /// Times the connection was made anew.
    pub reconnects: u64,
}

/// One index as the engine sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexStatus {
    /// Last level in paise.
    pub level_paise: Option<i64>,
    /// When the level was received.
    pub level_at: Option<Instant>,
    /// Closed primary bars seen, warm-up included.
    pub bars: u64,
    /// Signal evaluations of this run.
    pub evaluations: u64,
    /// The last answer of the decision chain: stage, code and text.
    pub last_decision: Option<String>,
    /// When it was given.
    pub decided_at: Option<Instant>,
    /// Option contracts subscribed for it.
    pub contracts: u32,
    /// Of these, contracts with a quote.
    pub quoted: u32,
}

/// One open position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PositionStatus {
    /// Its id.
    pub id: u64,
    /// The contract, e.g. `NIFTY 2026-02-10 25600 CE`.
    pub contract: String,
    /// Where it comes from: `signal`, `late` (bought by an order of ours after its end) or `adopted`.
    #[serde(default)]
    pub origin: String,
    /// `opening`, `open` or `exiting`.
    pub phase: String,
    /// Units owned.
    pub owned: i64,
    /// Units in a lot.
    pub lot: i64,
    /// Average price paid in paise.
    pub average_paise: Option<i64>,
    /// Price it could be sold at now, in paise.
    pub sellable_paise: Option<i64>,
    /// When that price was received.
    pub quoted_at: Option<Instant>,
    /// Trigger of the stop in force, in paise.
    pub stop_paise: Option<i64>,
    /// Target in paise, when there is one.
    pub target_paise: Option<i64>,
    /// Leave by then at the latest.
    pub deadline: Option<Instant>,
    /// Open result at the price it could be sold at, before charges, in paise.
    pub open_paise: Option<i64>,
    /// Whether every owned unit is covered by a resting stop or an exit on its way.
    pub protected: bool,
}

/// Units at the broker that are not ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignStatus {
    /// What `scalper adopt` takes: the token with its segment, `NSE_FNO:40001`.
    pub key: String,
    /// The contract; `None` when it is not in our list.
    pub contract: Option<String>,
    /// Product in the broker's words.
    pub product: String,
    /// Units; negative when short.
    pub units: i64,
    /// Units in a lot, for an option in our list.
    pub lot: Option<i64>,
    /// Average price of everything bought of it today, in paise.
    pub average_paise: Option<i64>,
    /// What is known against taking it over; `None` when nothing is.
    pub obstacle: Option<String>,
}

/// One order that is not over, or ended today.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderStatus {
    /// Our id.
    pub id: String,
    /// The broker's number, once known.
    pub broker_id: Option<String>,
    /// The position it belongs to.
    pub position: u64,
    /// The contract.
    pub contract: String,
    /// `entry`, `protection` or `exit`.
    pub purpose: String,
    /// `BUY` or `SELL`.
    pub side: String,
    /// Type with prices, in words.
    pub terms: String,
    /// Units ordered.
    pub qty: i64,
    /// Units executed.
    pub filled: i64,
    /// State in words.
    pub state: String,
    /// Whether nothing more can happen to it.
    pub is_over: bool,
    /// When it was sent.
    pub sent_at: Instant,
}

/// The day's money, in paise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayMoney {
    /// Realised result after charges.
    pub realised_paise: i64,
    /// Open result at the prices positions could be sold at, before exit charges.
    pub open_paise: i64,
    /// Charges of the day so far.
    pub charges_paise: i64,
    /// Loss at which the breaker trips, when there is a limit (negative).
    pub loss_limit_paise: Option<i64>,
    /// Why the breaker tripped, if it did.
    pub breaker: Option<String>,
    /// Balance the day began with, when known.
    pub opening_paise: Option<i64>,
    /// Round trips finished today.
    pub trades: u64,
}

/// What the journal has taken.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalStatus {
    /// Number of the last event.
    pub seq: u64,
    /// Number of the last event that is durable.
    pub durable_seq: u64,
    /// Digest over everything so far.
    pub digest: String,
    /// Set while the database does not answer.
    pub trouble: Option<String>,
}

/// The process that would close our positions, as the engine sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardianStatus {
    /// It is there, awake and watching: without that no entries.
    pub is_alive: bool,
    /// Its process, when one was ever seen.
    pub pid: Option<u32>,
    /// What it says it does.
    pub text: String,
}

/// How full one window of the broker's rate limits is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallWindow {
    /// `order`, `data`, `quote` or `other`.
    pub calls: String,
    /// `second`, `minute`, `hour` or `day`.
    pub window: String,
    /// Calls made in it, by every process of the data folder.
    pub used: u32,
    /// Calls it may hold.
    pub limit: u32,
}

/// The rate budget.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetStatus {
    /// Every window with a limit.
    pub windows: Vec<CallWindow>,
    /// Calls of this process that the budget did not let go.
    pub refused: u64,
    /// Times the broker said "too many" all the same.
    pub rate_limited: u64,
    /// Set while the file that processes share cannot be used.
    pub trouble: Option<String>,
}

impl From<Standing> for BudgetStatus {
    fn from(now: Standing) -> BudgetStatus {
        let window = |w: WindowUse| CallWindow {
            calls: budget_log::name(w.family).to_owned(),
            window: w.window.to_owned(),
            used: w.used,
            limit: w.limit,
        };
        BudgetStatus {
            windows: now.windows.into_iter().map(window).collect(),
            refused: now.refused,
            rate_limited: now.rate_limited,
            trouble: now.trouble,
        }
    }
}

/// A notable thing, newest last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// Session time.
    pub at: Instant,
    /// Short key, e.g. `UNPROTECTED`.
    pub key: String,
    /// What happened, with its numbers.
    pub text: String,
}

/// Whether a live engine may enter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmingStatus {
    /// It may, until the session ends.
    pub armed: bool,
    /// What has to be typed: account and caps. `None` while a cap is unknown.
    pub phrase: Option<String>,
}

/// A daemon between two sessions: no engine runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Day of the session that is waited for.
    pub day: NaiveDate,
    /// When it opens.
    pub opens_at: Instant,
    /// When the start for it begins.
    pub start_at: Instant,
    /// Why the last attempt at that start failed.
    pub failed: Option<String>,
}

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Mode.
    pub mode: Mode,
    /// Version of the program.
    pub version: String,
    /// Hash of configuration and tables in force.
    pub config_hash: String,
    /// Trading day, once one is open.
    pub day: Option<NaiveDate>,
    /// Whether the market is open now.
    pub session_open: bool,
    /// Whether real money may be risked; `None` where none is.
    pub arming: Option<ArmingStatus>,
    /// Session time when this value was made.
    pub at: Instant,
    /// When the engine started, session time.
    pub started_at: Instant,
    /// Session seconds per second, x1000.
    pub speed_milli: u64,
    /// Whether it may act.
    pub ready: Ready,
    /// Blocks a person set: `halted`, `reduce only`, `NIFTY paused`.
    pub blocks: Vec<String>,
    /// The market feed.
    pub feed: Link,
    /// What the feed's sockets carry, and what of it data has come of.
    #[serde(default)]
    pub subscriptions: Arc<sync::Standing>,
    /// The order-update push.
    pub push: Link,
    /// When the broker's books were last read clean, session time.
    pub reconciled_at: Option<Instant>,
    /// Orders whose outcome is unknown.
    pub in_doubt: u32,
    /// Orders of the account that are not ours.
    pub foreign_orders: u32,
    /// Ticks taken in this run.
    pub ticks: u64,
    /// Ticks replaced by a newer one before they were taken in.
    pub conflated: u64,
    /// By index.
    pub indices: BTreeMap<Underlying, IndexStatus>,
    /// Open positions.
    pub positions: Vec<PositionStatus>,
    /// Positions of the account that are not ours: seen, never touched.
    #[serde(default)]
    pub foreign: Vec<ForeignStatus>,
    /// Orders of today.
    pub orders: Vec<OrderStatus>,
    /// Money of the day.
    pub money: DayMoney,
    /// The journal.
    pub journal: JournalStatus,
    /// Calls to the broker.
    #[serde(default)]
    pub budget: BudgetStatus,
    /// The guardian; `None` when the engine runs without one.
    #[serde(default)]
    pub guardian: Option<GuardianStatus>,
    /// The latest alarms, at most 50.
    pub alarms: Vec<Alarm>,
    /// Set while no session is near; what else is told is of the last one.
    #[serde(default)]
    pub waiting: Option<Waiting>,
}

impl Status {
    /// A status of an engine that has only begun to start.
    pub fn starting(mode: Mode, version: &str, config_hash: &str, now: Instant) -> Status {
        Status {
            mode,
            version: version.to_owned(),
            config_hash: config_hash.to_owned(),
            day: None,
            session_open: false,
            arming: None,
            at: now,
            started_at: now,
            speed_milli: 1_000,
            ready: Ready { exits: false, entries: false, waiting_for: vec!["the start to finish".to_owned()] },
            blocks: Vec::new(),
            feed: Link { state: "down".to_owned(), ..Link::default() },
            subscriptions: Arc::default(),
            push: Link { state: "down".to_owned(), ..Link::default() },
            reconciled_at: None,
            in_doubt: 0,
            foreign_orders: 0,
            ticks: 0,
            conflated: 0,
            indices: BTreeMap::new(),
            positions: Vec::new(),
            foreign: Vec::new(),
            orders: Vec::new(),
            money: DayMoney::default(),
            journal: JournalStatus::default(),
            budget: BudgetStatus::default(),
            guardian: None,
            alarms: Vec::new(),
            waiting: None,
        }
    }

    /// Whether the process is well enough to be left alone: exits work, the journal has no trouble, and while the
    /// market is open the feed speaks (inside `max_age`). Between two sessions: no start has failed.
    pub fn is_healthy(&self, now: Instant, max_age: Age) -> bool {
        if let Some(waiting) = &self.waiting {
            return waiting.failed.is_none();
        }
        let speaks = self.feed.last_seen.is_some_and(|seen| now.age_of(seen) <= max_age);
        self.ready.exits && self.journal.trouble.is_none() && (speaks || !self.session_open)
    }
}
