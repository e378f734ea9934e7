//! Makes the status: from copies of the books, the evidence of the sockets and what was answered lately.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use scalper_decide::decision_core::Books;
use scalper_decide::domain::adoption::{AdoptRefusal, ForeignPosition};
use scalper_decide::domain::broker::{BrokerEvent, Product};
use scalper_decide::domain::operator::OperatorAnswer;
use scalper_decide::domain::position::Target;
use scalper_decide::domain::{
    Instant, InstrumentId, Lots, Money, Order, OrderState, OrderType, PositionId, PositionPhase, Qty, SessionHours,
    Underlying, Universe,
};
use scalper_decide::journal::JournalEntry;
use scalper_decide::params::change::{ConfigChange, Effect};
use scalper_decide::risk_manager::GuardedPosition;

use super::arming;
use super::handle::Outcome;
use super::notes::Notes;
use super::status::{
    Alarm, ArmingStatus, DayMoney, ForeignStatus, GuardianStatus, IndexStatus, JournalStatus, Link, Mode, OrderStatus,
    PositionStatus, Ready, Status,
};
use crate::actors::lanes::LaneCounts;
use crate::broker::dhan::rest::budget_log::BudgetLog;
use crate::clock::SessionClock;
use crate::journal::writer::JournalWriter;
use crate::market::sync::Standing;
use crate::store::writer::Health;

/// Alarms kept.
const ALARMS: usize = 50;

/// What the sockets and their subscriptions say of themselves; kept by the tasks that run them.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// The market feed.
    pub feed: Link,
    /// The order-update push.
    pub push: Link,
    /// Last level by index, with the time it was received.
    pub levels: BTreeMap<Underlying, (i64, Instant)>,
    /// Contracts with a quote, by slot.
    pub quoted: BTreeSet<InstrumentId>,
    /// Everything subscribed.
    pub subscribed: BTreeSet<InstrumentId>,
    /// What the feed's sockets carry and what of it is confirmed.
    pub subscriptions: Arc<Standing>,
    /// Packets read.
    pub packets: u64,
    /// Order updates read.
    pub updates: u64,
}

/// What every status of a run has in common, and the alarms so far.
#[derive(Debug)]
pub struct Publisher {
    mode: Mode,
    version: String,
    config_hash: String,
    indices: Vec<Underlying>,
    started_at: Instant,
    alarms: VecDeque<Alarm>,
    answered: Option<OperatorAnswer>,
    changed: Vec<ConfigChange>,
    hours: SessionHours,
    /// Account and most lots of a trade, for the phrase that arms; live only.
    caps: Option<(String, Lots)>,
    budget: Arc<BudgetLog>,
    guardian: Option<GuardianStatus>,
}

impl Publisher {
    /// A publisher for one run.
    pub fn new(
        mode: Mode,
        version: String,
        config_hash: String,
        indices: Vec<Underlying>,
        started_at: Instant,
        hours: SessionHours,
        budget: Arc<BudgetLog>,
    ) -> Publisher {
        Publisher {
            mode,
            version,
            config_hash,
            indices,
            started_at,
            alarms: VecDeque::new(),
            answered: None,
            changed: Vec::new(),
            hours,
            caps: None,
            budget,
            guardian: None,
        }
    }

    /// What was seen of the guardian.
    pub fn guardian(&mut self, now: Instant, seen: GuardianStatus) {
        let was = self.guardian.as_ref().is_some_and(|before| before.is_alive);
        if was && !seen.is_alive {
            let text = format!("the guardian is gone ({}): no entries until one is awake again", seen.text);
            self.alarm(now, "NO_GUARDIAN", text);
        }
        self.guardian = Some(seen);
    }

    /// Orders of this engine cost the money of `account`, at most `lots` in one trade: it has to be armed.
    pub fn needs_arming(&mut self, account: String, lots: Lots) {
        self.caps = Some((account, lots));
    }

    /// Adds an alarm.
    pub fn alarm(&mut self, at: Instant, key: &str, text: String) {
        tracing::warn!(target: "alarm", key, text, at = at.ist_text());
        if self.alarms.len() == ALARMS {
            self.alarms.pop_front();
        }
        self.alarms.push_back(Alarm { at, key: key.to_owned(), text });
    }

    /// Takes the lines of one event: alarms, findings and answers to people.
    pub fn noted(&mut self, entries: &[JournalEntry]) {
        for entry in entries {
            match entry {
                JournalEntry::Alarm { stamp, key, text } => self.alarm(stamp.at, key.code(), text.clone()),
                JournalEntry::Finding { stamp, finding } => {
                    let text = serde_json::to_string(finding).expect("findings are plain values");
                    self.alarm(stamp.at, "finding", text);
                }
                JournalEntry::Operated { answer, .. } => self.answered = Some(answer.clone()),
                JournalEntry::Configured { changes, .. } => self.changed.clone_from(changes),
                _ => {}
            }
        }
    }

    /// Takes what the broker said, for the log.
    pub fn heard(&mut self, at: Instant, said: &BrokerEvent) {
        match said {
            BrokerEvent::PushLink { up } => tracing::info!(target: "reconciler", up, "order updates"),
            BrokerEvent::ReadFailed { read, what } => {
                tracing::warn!(target: "reconciler", ?read, what, "a read of the books failed");
            }
            BrokerEvent::Answered { id, call, answer } => {
                tracing::info!(target: "order_manager", %id, ?call, ?answer, at = at.ist_text(), "answered");
            }
            _ => {}
        }
    }

    /// The answer to the command just carried out, in words.
    pub fn operated(&mut self) -> Outcome {
        match self.answered.take() {
            Some(OperatorAnswer::Done { changed: true }) => Outcome::Done { text: "done".to_owned() },
            Some(OperatorAnswer::Done { changed: false }) => Outcome::Done { text: "it was so already".to_owned() },
            Some(OperatorAnswer::Refused { refusal }) => Outcome::refused("REFUSED", refusal.to_string()),
            None => Outcome::refused("NO_ANSWER", "the core did not answer; see the log"),
        }
    }

    /// What became of the settings just handed in, key by key.
    pub fn configured(&mut self, hash: String) -> Outcome {
        let changes = std::mem::take(&mut self.changed);
        if changes.is_empty() {
            return Outcome::Done { text: "no setting differs from the one in force".to_owned() };
        }
        let lines: Vec<String> = changes.iter().map(ToString::to_string).collect();
        let text = lines.join("\n");
        if changes.iter().all(|change| change.effect == Effect::AppliesNow) {
            self.config_hash = hash;
        }
        if changes.iter().any(|change| change.effect == Effect::Refused) {
            Outcome::refused("PARTLY", text)
        } else {
            Outcome::Done { text }
        }
    }

    /// The status now.
    #[allow(clippy::too_many_arguments, reason = "each is the view of another room")]
    pub fn make(
        &self,
        now: Instant,
        clock: &SessionClock,
        books: &Books,
        universe: &Universe,
        notes: &Notes,
        evidence: &Evidence,
        journal: &JournalWriter,
        counts: LaneCounts,
        digest: String,
    ) -> Status {
        let durability = journal.durability();
        let uncovered: BTreeSet<PositionId> = books.orders.uncovered(now).iter().map(|u| u.position).collect();
        let seq = journal.last().seq.0;
        let mut status = Status::starting(self.mode, &self.version, &self.config_hash, now);
        status.day = Some(self.hours.day);
        status.session_open = now.ist_date() == self.hours.day && self.hours.is_open(now.ist_time());
        status.arming = self.caps.as_ref().map(|(account, lots)| ArmingStatus {
            armed: books.risk.gate().armed() == Some(true),
            phrase: books.risk.day().loss_limit().map(|limit| arming::phrase(account, *lots, limit)),
        });
        status.started_at = self.started_at;
        status.speed_milli = (clock.speed() * 1_000.0) as u64;
        status.blocks = books.risk.gate().closed();
        status.feed = evidence.feed.clone();
        status.push = evidence.push.clone();
        status.subscriptions = Arc::clone(&evidence.subscriptions);
        status.reconciled_at = books.reconciler.reconciled_at();
        status.in_doubt = books.orders.in_doubt().count() as u32;
        status.foreign_orders = books.reconciler.foreign_orders() as u32;
        status.ticks = counts.ticks_out;
        status.conflated = counts.conflated;
        status.indices = self.indices.iter().map(|u| (*u, index(*u, universe, notes, evidence))).collect();
        status.positions =
            books.risk.guarded().map(|g| position(g, books, universe, uncovered.contains(&g.id))).collect();
        let foreign = books.reconciler.foreign_positions();
        status.foreign = foreign.map(|found| self.foreign(&found, universe)).collect();
        status.orders = books.orders.orders().map(|(o, _)| order(o, books, universe)).collect();
        status.money = self.money(books);
        status.journal =
            JournalStatus { seq, durable_seq: durability.database.0, digest, trouble: trouble(&durability.health) };
        status.guardian = self.guardian.clone();
        status.budget = self.budget.standing().into();
        status.alarms = self.alarms.iter().cloned().collect();
        status.ready = self.ready(books, evidence, &status);
        status
    }

    fn foreign(&self, found: &ForeignPosition, universe: &Universe) -> ForeignStatus {
        let ForeignPosition { segment, security_id, product, units, average, is_settled } = found;
        let listed = universe.find(*segment, *security_id).map(|id| universe.get(id));
        let contract = listed.and_then(|i| i.option()).filter(|c| self.indices.contains(&c.underlying));
        let obstacle = match contract {
            None => Some("no option of a traded index".to_owned()),
            Some(_) if *units < 0 => Some(AdoptRefusal::Short { units: -units }.to_string()),
            Some(_) if *product != Product::Intraday => {
                Some(AdoptRefusal::OtherProduct { product: product.clone() }.to_string())
            }
            Some(_) if average.is_none() => Some(AdoptRefusal::Unpriced.to_string()),
            Some(_) if !is_settled => Some("the broker's books have not settled yet".to_owned()),
            Some(_) => None,
        };
        ForeignStatus {
            key: format!("{}:{security_id}", segment.name()),
            contract: listed.map(|i| i.symbol.clone()),
            product: format!("{product:?}").to_uppercase(),
            units: *units,
            lot: contract.map(|c| c.lot.get()),
            average_paise: average.map(|price| price.paise()),
            obstacle,
        }
    }

    fn money(&self, books: &Books) -> DayMoney {
        let day = books.risk.day();
        let open: Money = books.risk.guarded().map(GuardedPosition::open_result).sum();
        let charges: Money = books.orders.positions().map(|p| p.charges.total()).sum();
        let over = |p: &&scalper_decide::domain::Position| matches!(p.phase, PositionPhase::Closed { .. });
        DayMoney {
            realised_paise: day.realised().paise(),
            open_paise: open.paise(),
            charges_paise: charges.paise(),
            loss_limit_paise: day.loss_limit().map(|limit| -limit.paise().abs()),
            breaker: day.is_account_tripped().then(|| day.halts().collect::<Vec<_>>().join("; ")),
            opening_paise: day.opening_balance().map(Money::paise),
            trades: books.orders.positions().filter(over).count() as u64,
        }
    }

    fn ready(&self, books: &Books, evidence: &Evidence, status: &Status) -> Ready {
        let mut waiting_for = Vec::new();
        if !books.reconciler.is_reconciled() {
            waiting_for.push("the broker's books to be read once".to_owned());
        }
        if let Some(trouble) = &status.journal.trouble {
            waiting_for.push(format!("the journal: {trouble}"));
        }
        let exits = waiting_for.is_empty();
        if evidence.feed.state != "up" {
            waiting_for.push(format!("the market feed, which is {}", evidence.feed.state));
        }
        for underlying in &self.indices {
            if let Some(block) = books.risk.entry_block(status.at, *underlying) {
                waiting_for.push(format!("{underlying}: {block}"));
            }
            if !evidence.levels.contains_key(underlying) {
                waiting_for.push(format!("a first level of {underlying}"));
            }
        }
        Ready { exits, entries: waiting_for.is_empty(), waiting_for }
    }
}

/// What is wrong with the journal, if anything.
fn trouble(health: &Health) -> Option<String> {
    match health {
        Health::Good => None,
        Health::Degraded(e) => Some(format!("the database does not answer: {e}")),
        Health::Failed(e) => Some(format!("the database failed: {e}")),
        Health::Fenced(e) => Some(e.to_string()),
    }
}

fn index(underlying: Underlying, universe: &Universe, notes: &Notes, evidence: &Evidence) -> IndexStatus {
    let level = evidence.levels.get(&underlying);
    let is_its = |id: &&InstrumentId| universe.get(**id).option().is_some_and(|c| c.underlying == underlying);
    let decision = notes.last_decision(underlying);
    IndexStatus {
        level_paise: level.map(|(paise, _)| *paise),
        level_at: level.map(|(_, at)| *at),
        bars: notes.bars(underlying),
        evaluations: notes.evaluations(underlying),
        last_decision: decision.map(|(_, text)| text.clone()),
        decided_at: decision.map(|(at, _)| *at),
        contracts: evidence.subscribed.iter().filter(is_its).count() as u32,
        quoted: evidence.quoted.iter().filter(is_its).count() as u32,
    }
}

fn position(g: &GuardedPosition, books: &Books, universe: &Universe, is_uncovered: bool) -> PositionStatus {
    let phase = match books.orders.position(g.id).map(|p| p.phase) {
        Some(PositionPhase::Opening) => "opening",
        Some(PositionPhase::Exiting { .. }) => "exiting",
        _ => "open",
    };
    let quote = books.orders.last_quote(g.id);
    PositionStatus {
        id: g.id.0,
        contract: universe.get(g.plan.instrument).symbol.clone(),
        origin: books.orders.entry(g.id).map_or("", |entry| entry.hold.origin()).to_owned(),
        phase: phase.to_owned(),
        owned: g.owned.get(),
        lot: g.plan.lot.get(),
        average_paise: Some(g.average.paise()),
        sellable_paise: g.mark.map(|p| p.paise()),
        quoted_at: quote.map(|q| q.received_at),
        stop_paise: Some(g.protection.stop.paise()),
        target_paise: match g.protection.target {
            Target::At(price) => Some(price.paise()),
            Target::Disabled => None,
        },
        deadline: Some(g.protection.deadline),
        open_paise: g.mark.is_some().then(|| g.open_result().paise()),
        protected: g.owned == Qty::ZERO || !is_uncovered,
    }
}

fn order(o: &Order, books: &Books, universe: &Universe) -> OrderStatus {
    let terms = match o.spec.order_type {
        OrderType::Limit { price } => format!("LIMIT {price}"),
        OrderType::StopLimit { trigger, price } => format!("STOP {trigger} LIMIT {price}"),
    };
    let state = match &o.state {
        OrderState::Sent { .. } => "sent".to_owned(),
        OrderState::InDoubt { since } => format!("in doubt since {}", since.ist_time()),
        OrderState::Working { triggered: true } => "working, triggered".to_owned(),
        OrderState::Working { triggered: false } => "working".to_owned(),
        OrderState::Filled => "filled".to_owned(),
        OrderState::Cancelled { .. } => "cancelled".to_owned(),
        OrderState::Rejected { refusal } => format!("rejected: {refusal}"),
        OrderState::Absent => "never reached the broker".to_owned(),
    };
    let purpose = serde_json::to_value(o.spec.purpose).ok().and_then(|v| v.as_str().map(str::to_owned));
    OrderStatus {
        id: o.spec.id.to_string(),
        broker_id: books.reconciler.broker_id(&o.spec.id).map(ToString::to_string),
        position: o.spec.position.0,
        contract: universe.get(o.spec.instrument).symbol.clone(),
        purpose: purpose.unwrap_or_default(),
        side: o.spec.side.to_string(),
        terms,
        qty: o.spec.qty.get(),
        filled: o.filled().get(),
        state,
        is_over: o.state.is_terminal(),
        sent_at: o.sent_at,
    }
}
