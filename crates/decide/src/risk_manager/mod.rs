//! Exits due, day limits, and the only maker of [`RiskApproved`].
//!
//! Rules come from one closed enumeration ([`ExitReason`]); a rule without an arm does not compile, and every rule
//! counts its evaluations (F-2, F-3, F-4). Exits are decided on the sellable price: the best bid, or the last price
//! where the source carries no book.

mod adopt;
mod day;
mod guarded;
mod operator;
mod tags;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use smallvec::SmallVec;

pub use day::{DayBook, EntryBlock, Trip};
pub use guarded::{EntryPlan, GuardedPosition, initial_stop, stop_limit};
pub use operator::OperatorGate;
pub use tags::{adopted_tag, entry_tag};

use crate::capital_allocator::CapitalHold;
use crate::chain_analyzer::StrikePick;
use crate::domain::money::Rounding;
use crate::domain::position::{Protection, Target};
use crate::domain::{
    Age, Bps, ChargeRates, ExitReason, Instant, InstrumentId, Lots, Money, OptionContract, OrderSide, PositionId,
    Premium, Qty, SessionHours, SignalId, Stamp, Underlying,
};
use crate::entry_guard::Guarded;
use crate::params::{ExpiryLimit, RiskParams};
use crate::tick_cache::Quote;

/// Something the risk manager wants done about a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum RiskAction {
    /// The stop that must rest at the venue for everything owned.
    Protect {
        /// Which position.
        position: PositionId,
        /// Trigger price.
        trigger: Premium,
        /// Limit after the trigger.
        limit: Premium,
        /// The rule that set the stop: the reason to record when it fills on its own.
        rule: ExitReason,
    },
    /// Leave now.
    Exit {
        /// Which position.
        position: PositionId,
        /// Why.
        reason: ExitReason,
    },
    /// Sell some units now; the rest stays protected.
    SellPart {
        /// Which position.
        position: PositionId,
        /// Units, fewer than are owned.
        qty: Qty,
    },
    /// Take back what is not bought yet.
    StopBuying {
        /// Which position.
        position: PositionId,
    },
    /// A loss breaker has just tripped. Nothing to carry out: somebody must hear of it.
    Tripped {
        /// The latch and its numbers.
        block: EntryBlock,
        /// Its index; `None` for the account.
        underlying: Option<Underlying>,
    },
}

/// Actions of one event; rarely more than two.
pub type RiskActions = SmallVec<[RiskAction; 2]>;

/// Why the risk manager does not approve.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize)]
pub enum RiskRefusal {
    /// Entries are blocked for the day or for a while.
    #[error("{block}")]
    Blocked {
        /// Why.
        block: EntryBlock,
    },
    /// An expiry-day limit forbids entries this close to expiry.
    #[error("{minutes} minutes to expiry, no entries within {limit} minutes")]
    ExpiryLimit {
        /// Minutes left.
        minutes: i64,
        /// Minutes from which entries are forbidden.
        limit: i64,
    },
    /// The stop would lie at or above the entry: no distance, no trade.
    #[error("stop {stop} is not under the entry limit {entry}")]
    NoStopDistance {
        /// Stop.
        stop: Premium,
        /// Entry limit.
        entry: Premium,
    },
    /// The time left before the forced exit is too short to hold anything.
    #[error("forced exit at {} has passed", .deadline.ist_time())]
    NoTimeLeft {
        /// The forced exit.
        deadline: Instant,
    },
}

impl RiskRefusal {
    /// Short code for counters.
    pub const fn code(&self) -> &'static str {
        match self {
            RiskRefusal::Blocked { block } => block.code(),
            RiskRefusal::ExpiryLimit { .. } => "EXPIRY_LIMIT",
            RiskRefusal::NoStopDistance { .. } => "NO_STOP_DISTANCE",
            RiskRefusal::NoTimeLeft { .. } => "NO_TIME_LEFT",
        }
    }
}

/// Permission to place an entry. Its field is private and only [`RiskManager::approve`] builds one; the order
/// manager takes nothing else (style habit 11).
#[derive(Debug)]
pub struct RiskApproved {
    entry: ApprovedEntry,
}

impl RiskApproved {
    /// What was approved.
    pub const fn entry(&self) -> &ApprovedEntry {
        &self.entry
    }

    /// An approval without a judgement, for tests of the stages behind it.
    #[cfg(test)]
    pub(crate) const fn for_test(entry: ApprovedEntry) -> RiskApproved {
        RiskApproved { entry }
    }
}

/// An approved entry in full.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ApprovedEntry {
    /// What the risk manager will guard.
    pub plan: EntryPlan,
    /// The contract.
    pub contract: OptionContract,
    /// Capital behind it.
    pub hold: CapitalHold,
    /// Worst price to pay, on the tick.
    pub entry_limit: Premium,
}

/// What the sizing needs to know about the stop before the entry exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopPreview {
    /// Trigger if the entry fills at its limit.
    pub trigger: Premium,
    /// Limit after the trigger.
    pub limit: Premium,
    /// Most lots the expiry-day limits allow.
    pub lots_cap: Option<Lots>,
    /// Tighter stop of the expiry-day limits.
    pub tightened: Option<Bps>,
}

/// What became of a guarded position, for the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Excursion {
    /// First stop.
    pub initial_stop: Premium,
    /// Highest sellable price while held.
    pub peak: Premium,
    /// Lowest sellable price while held.
    pub trough: Premium,
}

/// The risk manager.
#[derive(Debug, Clone)]
pub struct RiskManager {
    params: RiskParams,
    day: DayBook,
    hours: Option<SessionHours>,
    rates: BTreeMap<Underlying, ChargeRates>,
    plans: BTreeMap<PositionId, EntryPlan>,
    guarded: BTreeMap<PositionId, GuardedPosition>,
    initial_stops: BTreeMap<PositionId, Premium>,
    /// Exits decided before the first unit was bought: what fills late leaves at once.
    leaving: BTreeMap<PositionId, ExitReason>,
    /// Positions per instrument slot, so that a tick of anything else costs one load.
    in_play: Vec<u8>,
    evaluations: [u64; ExitReason::ALL.len()],
    wake: Option<Instant>,
    gate: OperatorGate,
    /// Day loss of the account's capital band, where the settings name none.
    band_day_loss: Option<Bps>,
}

/// Positions are judged at least this often, with or without a tick (S3-34).
pub const JUDGED_EVERY: Age = Age::from_secs(5);

impl RiskManager {
    /// A risk manager that has not opened a day.
    pub fn new(params: RiskParams) -> RiskManager {
        let day = DayBook::open(&params, None, None);
        RiskManager {
            params,
            day,
            hours: None,
            rates: BTreeMap::new(),
            plans: BTreeMap::new(),
            guarded: BTreeMap::new(),
            initial_stops: BTreeMap::new(),
            leaving: BTreeMap::new(),
            in_play: Vec::new(),
            evaluations: [0; ExitReason::ALL.len()],
            wake: None,
            gate: OperatorGate::default(),
            band_day_loss: None,
        }
    }

    /// Opens a day: fresh counters, limits from the opening balance. `hours` carry the cut-offs in force. Opening the
    /// same day again, as a restart does, keeps every counter and latch (I13, J2, J12) and takes the hours over; an
    /// earlier day changes nothing.
    pub fn open_session(
        &mut self,
        hours: SessionHours,
        opening_balance: Option<Money>,
        band_day_loss: Option<Bps>,
        rates: BTreeMap<Underlying, ChargeRates>,
    ) {
        let known = self.hours.as_ref().map(|h| h.day);
        if known.is_some_and(|day| hours.day < day) {
            return;
        }
        self.band_day_loss = band_day_loss;
        self.rates = rates;
        let is_same_day = known == Some(hours.day);
        self.hours = Some(hours);
        if is_same_day {
            self.day.learn_opening(&self.params, opening_balance, band_day_loss);
            let due: Vec<_> = self.guarded.values().map(|p| (p.id, self.forced_exit(p.plan.expires_today))).collect();
            for (id, (deadline, rule)) in due {
                let p = self.guarded.get_mut(&id).expect("listed above");
                if deadline < p.protection.deadline {
                    (p.protection.deadline, p.deadline_rule) = (deadline, rule);
                }
            }
        } else {
            self.day = DayBook::open(&self.params, opening_balance, band_day_loss);
            self.gate.new_day();
        }
        self.refresh_wake();
    }

    /// Takes changed settings over. Stops of open positions stay where they are or rise; latches stay (I4).
    pub fn configure(&mut self, params: RiskParams) {
        self.params = params;
        self.day.set_limits(&self.params, self.band_day_loss);
        self.refresh_wake();
    }

    /// Contracts of positions under guard, each once.
    pub fn held(&self) -> impl Iterator<Item = InstrumentId> {
        self.guarded.values().map(|p| p.plan.instrument).collect::<BTreeSet<_>>().into_iter()
    }

    /// Contracts whose positions were not judged for [`JUDGED_EVERY`]: they are due now, and are asked for once.
    pub fn judgements_due(&mut self, now: Instant) -> SmallVec<[InstrumentId; 4]> {
        let mut due: SmallVec<[InstrumentId; 4]> = SmallVec::new();
        for p in self.guarded.values_mut().filter(|p| p.exiting.is_none()) {
            if now >= p.judged_at + JUDGED_EVERY {
                p.judged_at = now;
                if !due.contains(&p.plan.instrument) {
                    due.push(p.plan.instrument);
                }
            }
        }
        if !due.is_empty() {
            self.refresh_wake();
        }
        due
    }

    /// Makes room for an instrument.
    pub fn list(&mut self, id: InstrumentId) {
        if self.in_play.len() <= id.slot() {
            self.in_play.resize(id.slot() + 1, 0);
        }
    }

    /// Whether any position is held or opening in this instrument.
    #[inline]
    pub fn is_in_play(&self, id: InstrumentId) -> bool {
        self.in_play[id.slot()] > 0
    }

    /// The settings in force.
    pub const fn params(&self) -> &RiskParams {
        &self.params
    }

    /// The day's book.
    pub const fn day(&self) -> &DayBook {
        &self.day
    }

    /// Whether every position in this contract is worth more than it cost; one that is still opening is not. `true`
    /// when there is none.
    pub fn all_in_profit(&self, instrument: InstrumentId) -> bool {
        let mut here = self.plans.iter().filter(|(_, plan)| plan.instrument == instrument);
        here.all(|(id, _)| self.guarded.get(id).is_some_and(|p| p.mark.is_some_and(|mark| mark > p.average)))
    }

    /// Positions under guard, by id.
    pub fn guarded(&self) -> impl Iterator<Item = &GuardedPosition> {
        self.guarded.values()
    }

    /// How often each rule was evaluated (F-2: a rule that is enabled but never evaluated is an alarm).
    pub fn evaluations(&self) -> impl Iterator<Item = (ExitReason, u64)> + '_ {
        ExitReason::ALL.into_iter().zip(self.evaluations)
    }

    fn limit_in_force(&self, minutes: i64) -> Option<&ExpiryLimit> {
        self.params.expiry_limits.iter().filter(|l| minutes <= l.minutes_to_expiry).min_by_key(|l| l.minutes_to_expiry)
    }

    /// The stop an entry at `entry_limit` would get, for sizing.
    pub fn preview(
        &self,
        now: Instant,
        contract: &OptionContract,
        expires_at: Instant,
        entry_limit: Premium,
    ) -> StopPreview {
        let today = self.hours.as_ref().is_some_and(|h| h.day == contract.expiry);
        let limit = today.then(|| self.limit_in_force(minutes_between(now, expires_at))).flatten();
        let trigger = initial_stop(self.params.stop, limit.and_then(|l| l.stop), entry_limit, contract.tick);
        StopPreview {
            trigger,
            limit: stop_limit(trigger, self.params.stop_limit_gap, contract.tick),
            lots_cap: limit.map(|l| l.max_lots),
            tightened: limit.and_then(|l| l.stop),
        }
    }

    /// Why entries in `underlying` are blocked now.
    pub fn entry_block(&self, now: Instant, underlying: Underlying) -> Option<EntryBlock> {
        self.gate.block(underlying).or_else(|| self.day.block(now, underlying))
    }

    /// Approves a guarded entry, or says why not.
    #[allow(clippy::too_many_arguments, reason = "each is a fact of its own from another stage")]
    pub fn approve(
        &self,
        now: Stamp,
        guarded: Guarded,
        signal: SignalId,
        pick: &StrikePick,
        expires_at: Instant,
        hold: CapitalHold,
        entry_limit: Premium,
    ) -> Result<RiskApproved, RiskRefusal> {
        // The permission is spent here: an entry cannot be approved twice on one judgement.
        drop(guarded);
        let contract = pick.chosen.contract;
        if let Some(block) = self.entry_block(now.at, signal.underlying) {
            return Err(RiskRefusal::Blocked { block });
        }
        let minutes = minutes_between(now.at, expires_at);
        let expires_today = self.hours.as_ref().is_some_and(|h| h.day == contract.expiry);
        if expires_today
            && let Some(limit) = self.limit_in_force(minutes)
            && limit.max_lots == Lots::ZERO
        {
            return Err(RiskRefusal::ExpiryLimit { minutes, limit: limit.minutes_to_expiry });
        }
        let preview = self.preview(now.at, &contract, expires_at, entry_limit);
        if preview.trigger >= entry_limit {
            return Err(RiskRefusal::NoStopDistance { stop: preview.trigger, entry: entry_limit });
        }
        let (deadline, _) = self.forced_exit(expires_today);
        if now.at >= deadline {
            return Err(RiskRefusal::NoTimeLeft { deadline });
        }
        let plan = EntryPlan {
            signal,
            instrument: pick.chosen.id,
            tick: contract.tick,
            lot: contract.lot,
            expires_today,
            tightened_stop: preview.tightened,
            named_stop: None,
        };
        Ok(RiskApproved { entry: ApprovedEntry { plan, contract, hold, entry_limit } })
    }

    /// When a position must go at the latest, and why.
    fn forced_exit(&self, expires_today: bool) -> (Instant, ExitReason) {
        let Some(hours) = &self.hours else { return (Instant::MAX, ExitReason::SquareOff) };
        let square_off = (hours.at(hours.cutoffs.square_off_start), ExitReason::SquareOff);
        if expires_today {
            square_off.min((hours.at(hours.cutoffs.expiry_force_exit), ExitReason::ExpiryForceExit))
        } else {
            square_off
        }
    }

    /// An entry was sent: its instrument is in play from now on.
    pub fn expect(&mut self, position: PositionId, plan: EntryPlan) {
        self.in_play[plan.instrument.slot()] += 1;
        self.plans.insert(position, plan);
    }

    /// Units were bought: the position exists, with stop, target decision and deadline, from its first unit (F-1).
    pub fn bought(&mut self, now: Stamp, position: PositionId, owned: Qty, average: Premium) -> RiskActions {
        let plan = self.plans[&position];
        let wanted = plan.first_stop(self.params.stop, average);
        let target = match self.params.target {
            Some(gain) => Target::At(average.moved_by(gain, Rounding::Up).ceil_to(plan.tick)),
            None => Target::Disabled,
        };
        let (forced, forced_rule) = self.forced_exit(plan.expires_today);
        let time_stop = self.params.time_stop;
        let leaving = self.leaving.get(&position).copied();
        let p = self.guarded.entry(position).or_insert_with(|| {
            let timed = time_stop.map_or(Instant::MAX, |age: Age| now.at + age);
            let (deadline, deadline_rule) = (timed, ExitReason::TimeStop).min((forced, forced_rule));
            GuardedPosition {
                id: position,
                plan,
                owned,
                average,
                protection: Protection { stop: wanted, target, deadline },
                stop_rule: ExitReason::StopLoss,
                deadline_rule,
                peak: average,
                trough: average,
                mark: None,
                opened_at: now.at,
                exiting: leaving,
                part: Qty::ZERO,
                judged_at: now.at,
            }
        });
        self.initial_stops.entry(position).or_insert(wanted);
        p.owned = owned;
        p.average = average;
        p.protection.target = target;
        if p.stop_rule == ExitReason::StopLoss {
            p.protection.stop = p.protection.stop.max(wanted);
        }
        let action = match p.exiting {
            Some(reason) => RiskAction::Exit { position, reason },
            None => protect(p, &self.params),
        };
        self.refresh_wake();
        RiskActions::from_slice(&[action])
    }

    /// Units were sold.
    pub fn sold(&mut self, position: PositionId, owned: Qty) {
        if let Some(p) = self.guarded.get_mut(&position) {
            p.part = (p.part - (p.owned - owned)).max(Qty::ZERO);
            p.owned = owned;
        }
    }

    /// Executions known already have another price now: the average moves, and the initial stop with it, upwards only.
    pub fn repriced(&mut self, position: PositionId, average: Premium) -> RiskActions {
        let mut actions = RiskActions::new();
        let Some(p) = self.guarded.get_mut(&position) else { return actions };
        p.average = average;
        let wanted = p.plan.first_stop(self.params.stop, average);
        if p.stop_rule == ExitReason::StopLoss && wanted > p.protection.stop {
            p.protection.stop = wanted;
            if p.exiting.is_none() {
                actions.push(protect(p, &self.params));
            }
        }
        actions
    }

    /// Books a realised amount: `proceeds - cost basis` of a sale, or minus charges.
    pub fn book(&mut self, underlying: Underlying, amount: Money) {
        self.day.book(underlying, amount);
    }

    /// A position is flat, abandoned or written off. Returns how far it went, when it ever owned anything.
    pub fn closed(&mut self, now: Instant, position: PositionId, net: Option<Money>) -> Option<Excursion> {
        let plan = self.plans.remove(&position)?;
        self.in_play[plan.instrument.slot()] -= 1;
        let initial_stop = self.initial_stops.remove(&position);
        self.leaving.remove(&position);
        let p = self.guarded.remove(&position);
        if let Some(net) = net {
            self.day.closed(&self.params, now, net);
        }
        self.refresh_wake();
        p.zip(initial_stop).map(|(p, initial_stop)| Excursion { initial_stop, peak: p.peak, trough: p.trough })
    }

    /// A venue refused or lost the protection of a position: what is owned must leave.
    pub fn unprotected(&mut self, position: PositionId) -> RiskActions {
        let mut actions = RiskActions::new();
        if let Some(p) = self.guarded.get_mut(&position) {
            let reason = *p.exiting.get_or_insert(p.stop_rule);
            actions.push(RiskAction::Exit { position, reason });
        }
        self.refresh_wake();
        actions
    }

    /// Judges every position in the instrument whose quote has just changed, then the day as a whole.
    pub fn exits_due(&mut self, now: Stamp, instrument: InstrumentId, quote: &Quote) -> RiskActions {
        let mut actions = RiskActions::new();
        let Some(sellable) = quote.sellable_at() else { return actions };
        let mut any = false;
        for p in self.guarded.values_mut().filter(|p| p.plan.instrument == instrument) {
            any = true;
            p.judged_at = now.at;
            let rose = p.ratchet(&self.params, sellable);
            if p.exiting.is_some() {
                continue;
            }
            for (rule, in_force) in [
                (ExitReason::StopLoss, true),
                (ExitReason::BreakEven, self.params.break_even_after.is_some()),
                (ExitReason::TrailingStop, self.params.trail.is_some()),
                (ExitReason::ProfitLock, self.params.profit_lock.is_some()),
                (ExitReason::Target, self.params.target.is_some()),
                (ExitReason::TimeStop, self.params.time_stop.is_some()),
                (ExitReason::SquareOff, true),
                (ExitReason::ExpiryForceExit, p.plan.expires_today),
            ] {
                self.evaluations[rule as usize] += u64::from(in_force);
            }
            if let Some(reason) = p.price_exit(sellable) {
                p.exiting = Some(reason);
                actions.push(RiskAction::Exit { position: p.id, reason });
            } else if now.at >= p.protection.deadline {
                p.exiting = Some(p.deadline_rule);
                actions.push(RiskAction::Exit { position: p.id, reason: p.deadline_rule });
            } else if rose {
                actions.push(protect(p, &self.params));
            }
        }
        if any {
            self.judge_day(&mut actions);
        }
        actions
    }

    /// Exits that are due by time alone (F-23: square-off has no exceptions).
    pub fn on_timer(&mut self, now: Stamp) -> RiskActions {
        let mut actions = RiskActions::new();
        for p in self.guarded.values_mut().filter(|p| p.exiting.is_none()) {
            self.evaluations[p.deadline_rule as usize] += 1;
            if now.at >= p.protection.deadline {
                p.exiting = Some(p.deadline_rule);
                actions.push(RiskAction::Exit { position: p.id, reason: p.deadline_rule });
            }
        }
        self.refresh_wake();
        actions
    }

    /// Decides the exit of every position in `scope` that has none yet, those with nothing but a working entry
    /// included.
    fn leave(&mut self, reason: ExitReason, scope: impl Fn(PositionId, Underlying) -> bool, actions: &mut RiskActions) {
        for (id, plan) in &self.plans {
            let (position, underlying) = (*id, plan.signal.underlying);
            if !scope(position, underlying) {
                continue;
            }
            let decided = match self.guarded.get_mut(id) {
                Some(p) => p.exiting.replace(p.exiting.unwrap_or(reason)).is_some(),
                None => self.leaving.insert(position, self.leaving.get(id).copied().unwrap_or(reason)).is_some(),
            };
            if !decided {
                actions.push(RiskAction::Exit { position, reason });
            }
        }
    }

    /// When the next deadline falls due.
    #[inline]
    pub const fn wake_at(&self) -> Option<Instant> {
        self.wake
    }

    fn refresh_wake(&mut self) {
        let guarded = self.guarded.values().filter(|p| p.exiting.is_none());
        self.wake = guarded.map(|p| p.protection.deadline.min(p.judged_at + JUDGED_EVERY)).min();
    }

    /// Realised result plus open result at sellable prices less estimated exit charges, by index.
    fn open_results(&self) -> [Money; Underlying::ALL.len()] {
        let mut open = [Money::ZERO; Underlying::ALL.len()];
        for p in self.guarded.values() {
            let value = p.mark.unwrap_or(p.average) * p.owned;
            let charges =
                self.rates.get(&p.underlying()).map_or(Money::ZERO, |r| r.for_order(OrderSide::Sell, value).total());
            open[p.underlying().index()] += p.open_result() - charges;
        }
        open
    }

    /// Judges the day after something was booked: a fill or its charges may cross a limit with no quote to follow.
    pub fn judge(&mut self) -> RiskActions {
        let mut actions = RiskActions::new();
        self.judge_day(&mut actions);
        actions
    }

    fn judge_day(&mut self, actions: &mut RiskActions) {
        let open = self.open_results();
        self.evaluations[ExitReason::DailyLossBreaker as usize] += 1;
        self.evaluations[ExitReason::DayProfitLock as usize] += u64::from(self.params.day_profit.is_some());
        while let Some(trip) = self.day.judge(&self.params, &open) {
            let (reason, scope) = match trip {
                Trip::Account => (ExitReason::DailyLossBreaker, None),
                Trip::Index(underlying) => (ExitReason::DailyLossBreaker, Some(underlying)),
                Trip::DayProfit => (ExitReason::DayProfitLock, None),
            };
            self.leave(reason, |_, underlying| scope.is_none_or(|u| u == underlying), actions);
            if trip != Trip::DayProfit
                && let Some(block) = self.day.latch(trip)
            {
                actions.push(RiskAction::Tripped { block, underlying: scope });
            }
        }
        self.refresh_wake();
    }
}

fn protect(p: &GuardedPosition, params: &RiskParams) -> RiskAction {
    let trigger = p.protection.stop;
    let limit = stop_limit(trigger, params.stop_limit_gap, p.plan.tick);
    RiskAction::Protect { position: p.id, trigger, limit, rule: p.stop_rule }
}

const fn minutes_between(now: Instant, later: Instant) -> i64 {
    (later.nanos() - now.nanos()).div_euclid(60 * crate::domain::time::NANOS_PER_SEC)
}
