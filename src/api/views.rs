//! What reads give back: the engine's status in the API's words. Times are RFC 3339 in IST, money is whole paise and says
//! so in its name.

use chrono::NaiveDate;
use scalper_decide::domain::{Instant, Underlying};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::engine::status::{self, Mode, Status};
use crate::ops::doctor::{Check, Verdict};

/// A moment of session time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, format = DateTime, examples("2026-02-10T10:42:13.250+05:30"))]
pub(super) struct Time(pub(super) Instant);

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.ist_text())
    }
}

/// An index by the symbol of its exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Index(pub(super) Underlying);

impl PartialSchema for Index {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .enum_values(Some(Underlying::ALL.map(Underlying::symbol)))
            .description(Some("An index by the symbol of its exchange."))
            .into()
    }
}

impl ToSchema for Index {}

/// How the engine is connected to the world: sim, paper or live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ModeView {
    /// Simulated market and broker.
    Sim,
    /// The broker's market, orders filled in process.
    Paper,
    /// The broker's market and orders: real money.
    Live,
}

impl From<Mode> for ModeView {
    fn from(mode: Mode) -> ModeView {
        match mode {
            Mode::Sim => ModeView::Sim,
            Mode::Paper => ModeView::Paper,
            Mode::Live => ModeView::Live,
        }
    }
}

/// Whether the engine may act, and what stands in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct ReadyView {
    /// Open positions are watched, protected and can be left.
    exits: bool,
    /// New positions may be opened.
    entries: bool,
    /// Why not, one sentence each.
    waiting_for: Vec<String>,
}

/// A connection, with the evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct LinkView {
    /// `connecting`, `up`, `degraded` or `down`.
    state: String,
    /// When the last byte came.
    last_seen_at: Option<Time>,
    /// Times the connection was made anew.
    reconnects: u64,
}

impl From<&status::Link> for LinkView {
    fn from(link: &status::Link) -> LinkView {
        LinkView { state: link.state.clone(), last_seen_at: link.last_seen.map(Time), reconnects: link.reconnects }
    }
}

/// One index as the engine sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct IndexView {
    index: Index,
    /// Last level, in paise.
    level_paise: Option<i64>,
    /// When the level was received.
    level_at: Option<Time>,
    /// Closed bars seen, warm-up included.
    bars: u64,
    /// Signal evaluations of this run.
    evaluations: u64,
    /// The last answer of the decision chain.
    last_decision: Option<String>,
    /// When it was given.
    decided_at: Option<Time>,
    /// Option contracts subscribed for it.
    contracts: u32,
    /// Of these, contracts with a quote.
    quoted: u32,
}

/// The day's money, in paise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct MoneyView {
    /// Realised result after charges.
    realised_paise: i64,
    /// Open result at the prices positions could be sold at, before exit charges.
    open_paise: i64,
    /// Charges of the day so far.
    charges_paise: i64,
    /// Loss at which the breaker trips (negative).
    loss_limit_paise: Option<i64>,
    /// Why the breaker tripped.
    breaker: Option<String>,
    /// Balance the day began with.
    opening_paise: Option<i64>,
    /// Round trips finished today.
    trades: u64,
}

/// What the journal has taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct JournalView {
    /// Number of the last event.
    seq: u64,
    /// Number of the last event that is durable.
    durable_seq: u64,
    /// Digest over everything so far.
    digest: String,
    /// Set while the database does not answer.
    trouble: Option<String>,
}

/// One window of the broker's rate limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct CallWindowView {
    /// `order`, `data`, `quote` or `other`.
    calls: String,
    /// `second`, `minute`, `hour` or `day`.
    window: String,
    /// Calls made in it.
    used: u32,
    /// Calls it may hold.
    limit: u32,
}

/// The rate budget at the broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct BudgetView {
    windows: Vec<CallWindowView>,
    /// Calls that the budget did not let go.
    refused: u64,
    /// Times the broker said "too many" all the same.
    rate_limited: u64,
    /// Set while the file that processes share cannot be used.
    trouble: Option<String>,
}

/// The process that would close our positions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct GuardianView {
    /// It is there, awake and watching.
    is_alive: bool,
    /// What it says it does.
    text: String,
}

/// Permission to risk real money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct ArmingView {
    /// It is given, until the session ends.
    armed: bool,
    /// What has to be typed: account and caps. Null while a cap is unknown.
    phrase: Option<String>,
}

impl From<&status::ArmingStatus> for ArmingView {
    fn from(arming: &status::ArmingStatus) -> ArmingView {
        ArmingView { armed: arming.armed, phrase: arming.phrase.clone() }
    }
}

/// What the engine is doing, and whether it may act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct StatusView {
    mode: ModeView,
    /// Version of the program.
    program: String,
    /// Hash of configuration and tables in force.
    config_hash: String,
    /// Trading day.
    day: Option<NaiveDate>,
    /// Whether the market is open now.
    session_open: bool,
    /// Session time when this was so.
    at: Time,
    /// When the engine started.
    started_at: Time,
    /// Session seconds per second of the wall, x1000.
    speed_milli: u64,
    ready: ReadyView,
    /// Version of `/api/v2/control`, for `If-Match`.
    control_version: String,
    /// Blocks a person set.
    blocks: Vec<String>,
    /// Null where no real money is risked.
    arming: Option<ArmingView>,
    /// The market feed.
    feed: LinkView,
    /// The order updates.
    push: LinkView,
    /// When the broker's books were last read clean.
    reconciled_at: Option<Time>,
    /// Orders whose outcome is unknown.
    in_doubt: u32,
    /// Orders of the account that are not ours.
    foreign_orders: u32,
    /// Ticks taken in this run.
    ticks: u64,
    /// Ticks replaced by a newer one before they were taken in.
    conflated: u64,
    indices: Vec<IndexView>,
    /// Open positions; `/api/v2/positions` has them.
    open_positions: u64,
    /// Orders that are not over; `/api/v2/orders` has them.
    working_orders: u64,
    money: MoneyView,
    journal: JournalView,
    budget: BudgetView,
    /// Null when the engine runs without one.
    guardian: Option<GuardianView>,
}

impl From<&Status> for StatusView {
    fn from(s: &Status) -> StatusView {
        let index = |(index, i): (&Underlying, &status::IndexStatus)| IndexView {
            index: Index(*index),
            level_paise: i.level_paise,
            level_at: i.level_at.map(Time),
            bars: i.bars,
            evaluations: i.evaluations,
            last_decision: i.last_decision.clone(),
            decided_at: i.decided_at.map(Time),
            contracts: i.contracts,
            quoted: i.quoted,
        };
        let window = |w: &status::CallWindow| CallWindowView {
            calls: w.calls.clone(),
            window: w.window.clone(),
            used: w.used,
            limit: w.limit,
        };
        StatusView {
            mode: s.mode.into(),
            program: s.version.clone(),
            config_hash: s.config_hash.clone(),
            day: s.day,
            session_open: s.session_open,
            at: Time(s.at),
            started_at: Time(s.started_at),
            speed_milli: s.speed_milli,
            ready: ReadyView {
                exits: s.ready.exits,
                entries: s.ready.entries,
                waiting_for: s.ready.waiting_for.clone(),
            },
            control_version: version(s),
            blocks: s.blocks.clone(),
            arming: s.arming.as_ref().map(Into::into),
            feed: (&s.feed).into(),
            push: (&s.push).into(),
            reconciled_at: s.reconciled_at.map(Time),
            in_doubt: s.in_doubt,
            foreign_orders: s.foreign_orders,
            ticks: s.ticks,
            conflated: s.conflated,
            indices: s.indices.iter().map(index).collect(),
            open_positions: s.positions.len() as u64,
            working_orders: s.orders.iter().filter(|order| !order.is_over).count() as u64,
            money: MoneyView {
                realised_paise: s.money.realised_paise,
                open_paise: s.money.open_paise,
                charges_paise: s.money.charges_paise,
                loss_limit_paise: s.money.loss_limit_paise,
                breaker: s.money.breaker.clone(),
                opening_paise: s.money.opening_paise,
                trades: s.money.trades,
            },
            journal: JournalView {
                seq: s.journal.seq,
                durable_seq: s.journal.durable_seq,
                digest: s.journal.digest.clone(),
                trouble: s.journal.trouble.clone(),
            },
            budget: BudgetView {
                windows: s.budget.windows.iter().map(window).collect(),
                refused: s.budget.refused,
                rate_limited: s.budget.rate_limited,
                trouble: s.budget.trouble.clone(),
            },
            guardian: s.guardian.as_ref().map(|g| GuardianView { is_alive: g.is_alive, text: g.text.clone() }),
        }
    }
}

/// What a person looks at before telling the engine something. It changes when one of these does, and with nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct ControlView {
    /// Changes with everything below; also the ETag, in quotes.
    version: String,
    mode: ModeView,
    /// Trading day.
    day: Option<NaiveDate>,
    /// Hash of configuration and tables in force.
    config_hash: String,
    /// Blocks a person set: `halted`, `reduce only`, `NIFTY paused`.
    blocks: Vec<String>,
    /// Null where no real money is risked.
    arming: Option<ArmingView>,
    /// Why the breaker tripped.
    breaker: Option<String>,
    /// Open positions as far as a person decides about them.
    positions: Vec<ControlledPosition>,
}

/// An open position, without its prices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct ControlledPosition {
    /// Its number.
    id: u64,
    /// The contract.
    contract: String,
    /// `opening`, `open` or `exiting`.
    phase: String,
    /// Units owned.
    owned: i64,
}

impl From<&Status> for ControlView {
    fn from(s: &Status) -> ControlView {
        let position = |p: &status::PositionStatus| ControlledPosition {
            id: p.id,
            contract: p.contract.clone(),
            phase: p.phase.clone(),
            owned: p.owned,
        };
        let unversioned = ControlView {
            version: String::new(),
            mode: s.mode.into(),
            day: s.day,
            config_hash: s.config_hash.clone(),
            blocks: s.blocks.clone(),
            arming: s.arming.as_ref().map(Into::into),
            breaker: s.money.breaker.clone(),
            positions: s.positions.iter().map(position).collect(),
        };
        let body = json!([s.started_at, unversioned]).to_string();
        let version = blake3::hash(body.as_bytes()).to_hex().as_str()[..32].to_owned();
        ControlView { version, ..unversioned }
    }
}

/// Version of what a person decides upon.
pub(super) fn version(status: &Status) -> String {
    ControlView::from(status).version
}

/// One open position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct PositionView {
    /// Its number.
    pub(super) id: u64,
    /// The contract, e.g. `NIFTY 2026-02-10 25600 CE`.
    contract: String,
    /// `opening`, `open` or `exiting`.
    phase: String,
    /// Units owned.
    owned: i64,
    /// Units in a lot.
    lot: i64,
    /// Average price paid.
    average_paise: Option<i64>,
    /// Price it could be sold at now.
    sellable_paise: Option<i64>,
    /// When that price was received.
    quoted_at: Option<Time>,
    /// Trigger of the stop in force.
    stop_paise: Option<i64>,
    /// Target, when there is one.
    target_paise: Option<i64>,
    /// Leave by then at the latest.
    deadline_at: Option<Time>,
    /// Open result at the price it could be sold at, before charges.
    open_paise: Option<i64>,
    /// Every owned unit is covered by a resting stop or an exit on its way.
    protected: bool,
}

impl From<&status::PositionStatus> for PositionView {
    fn from(p: &status::PositionStatus) -> PositionView {
        PositionView {
            id: p.id,
            contract: p.contract.clone(),
            phase: p.phase.clone(),
            owned: p.owned,
            lot: p.lot,
            average_paise: p.average_paise,
            sellable_paise: p.sellable_paise,
            quoted_at: p.quoted_at.map(Time),
            stop_paise: p.stop_paise,
            target_paise: p.target_paise,
            deadline_at: p.deadline.map(Time),
            open_paise: p.open_paise,
            protected: p.protected,
        }
    }
}

/// One order of today.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct OrderView {
    /// Our id.
    pub(super) id: String,
    /// The broker's number, once known.
    broker_id: Option<String>,
    /// The position it belongs to.
    position: u64,
    /// The contract.
    contract: String,
    /// `entry`, `protection` or `exit`.
    purpose: String,
    /// `BUY` or `SELL`.
    side: String,
    /// Type with prices, in words.
    terms: String,
    /// Units ordered.
    qty: i64,
    /// Units executed.
    filled: i64,
    /// State in words.
    state: String,
    /// Nothing more can happen to it.
    pub(super) is_over: bool,
    /// When it was sent.
    sent_at: Time,
}

impl From<&status::OrderStatus> for OrderView {
    fn from(o: &status::OrderStatus) -> OrderView {
        OrderView {
            id: o.id.clone(),
            broker_id: o.broker_id.clone(),
            position: o.position,
            contract: o.contract.clone(),
            purpose: o.purpose.clone(),
            side: o.side.clone(),
            terms: o.terms.clone(),
            qty: o.qty,
            filled: o.filled,
            state: o.state.clone(),
            is_over: o.is_over,
            sent_at: Time(o.sent_at),
        }
    }
}

/// A notable thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct AlarmView {
    /// When.
    at: Time,
    /// Short key, e.g. `UNPROTECTED`.
    key: String,
    /// What happened, with its numbers.
    text: String,
}

impl From<&status::Alarm> for AlarmView {
    fn from(alarm: &status::Alarm) -> AlarmView {
        AlarmView { at: Time(alarm.at), key: alarm.key.clone(), text: alarm.text.clone() }
    }
}

/// One check of the doctor and its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct CheckView {
    /// What was looked at.
    name: String,
    verdict: VerdictView,
    /// What was seen.
    evidence: String,
    /// What would help; empty when nothing is wrong.
    remedy: String,
}

/// What became of a check: as it should be, not so (no arming), good for now but act soon, or not applicable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum VerdictView {
    /// As it should be.
    Ok,
    /// Not as it should be: no arming.
    Failed,
    /// Good for now; a person should act soon.
    Soon,
    /// Does not apply here.
    Skipped,
}

impl From<&Check> for CheckView {
    fn from(check: &Check) -> CheckView {
        let verdict = match check.verdict {
            Verdict::Ok => VerdictView::Ok,
            Verdict::Failed => VerdictView::Failed,
            Verdict::Soon => VerdictView::Soon,
            Verdict::Skipped => VerdictView::Skipped,
        };
        CheckView { name: check.name.clone(), verdict, evidence: check.evidence.clone(), remedy: check.remedy.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_changes_with_what_a_person_decides_upon_and_not_with_a_tick() {
        // S21, K12
        let mut status = Status::starting(Mode::Sim, "v", "h", Instant::from_secs(1));
        let first = version(&status);
        status.at = Instant::from_secs(9);
        status.ticks = 100;
        status.money.open_paise = -5;
        assert_eq!(version(&status), first);
        status.blocks = vec!["halted".to_owned()];
        let halted = version(&status);
        assert_ne!(halted, first);
        status.blocks.clear();
        assert_eq!(version(&status), first);
        // Another process is another matter.
        status.started_at = Instant::from_secs(2);
        assert_ne!(version(&status), first);
    }

    #[test]
    fn times_are_rfc_3339_in_indian_time() {
        let time = Time(Instant::from_nanos(1_770_700_333_250_000_000));
        assert_eq!(serde_json::to_string(&time).unwrap(), "\"2026-02-10T10:42:13.250+05:30\"");
    }
}
