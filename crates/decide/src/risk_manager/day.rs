//! The day as a whole: realised and open result, latched breakers, day profit lock, loss-streak pause.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::money::Rounding;
use crate::domain::{Bps, Instant, Money, Underlying};
use crate::params::RiskParams;

/// Why no entry is allowed at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "block", rename_all = "snake_case")]
pub enum EntryBlock {
    /// The account's daily-loss breaker is latched.
    DailyLoss {
        /// Day result that tripped it.
        result: Money,
        /// The limit it crossed.
        limit: Money,
    },
    /// The index's daily-loss breaker is latched.
    IndexDailyLoss {
        /// Result of the index that tripped it.
        result: Money,
        /// The limit it crossed.
        limit: Money,
    },
    /// The day's profit was locked in.
    DayProfit {
        /// Day result at the exit.
        result: Money,
        /// Floor it fell to.
        floor: Money,
    },
    /// Too many losses in a row.
    LossStreak {
        /// Losses in a row.
        losses: u32,
        /// Entries resume then.
        until: Instant,
    },
    /// The breaker was tripped by a person, or by another room that found a reason.
    Tripped,
    /// Nobody has armed the engine this session.
    Disarmed,
    /// A person halted entries.
    Halted,
    /// A person allowed exits only.
    ReduceOnly,
    /// A person paused the index.
    IndexPaused,
    /// The guardian is gone.
    Unguarded,
    /// The engine is behind its inputs.
    Overloaded,
    /// The opening balance is unknown, so no limit can be computed.
    UnknownBalance,
}

impl EntryBlock {
    /// Short code for counters.
    pub const fn code(&self) -> &'static str {
        match self {
            EntryBlock::DailyLoss { .. } => "DAILY_LOSS_BREAKER",
            EntryBlock::IndexDailyLoss { .. } => "INDEX_DAILY_LOSS_BREAKER",
            EntryBlock::DayProfit { .. } => "DAY_PROFIT_LOCK",
            EntryBlock::LossStreak { .. } => "LOSS_STREAK_PAUSE",
            EntryBlock::Tripped => "BREAKER_TRIPPED",
            EntryBlock::Disarmed => "DISARMED",
            EntryBlock::Halted => "HALTED",
            EntryBlock::ReduceOnly => "REDUCE_ONLY",
            EntryBlock::IndexPaused => "INDEX_PAUSED",
            EntryBlock::Unguarded => "NO_GUARDIAN",
            EntryBlock::Overloaded => "OVERLOADED",
            EntryBlock::UnknownBalance => "UNKNOWN_BALANCE",
        }
    }
}

impl std::fmt::Display for EntryBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            EntryBlock::DailyLoss { result, limit } => {
                write!(f, "daily-loss breaker latched: day result {result}, limit {limit}")
            }
            EntryBlock::IndexDailyLoss { result, limit } => {
                write!(f, "daily-loss breaker of the index latched: result {result}, limit {limit}")
            }
            EntryBlock::DayProfit { result, floor } => {
                write!(f, "day profit locked: result {result} fell to the floor {floor}")
            }
            EntryBlock::LossStreak { losses, until } => {
                write!(f, "{losses} losses in a row, entries resume at {}", until.ist_time())
            }
            EntryBlock::Tripped => f.write_str("breaker tripped by hand"),
            EntryBlock::Disarmed => f.write_str("not armed for real money"),
            EntryBlock::Halted => f.write_str("entries halted by the operator"),
            EntryBlock::ReduceOnly => f.write_str("the operator allows exits only"),
            EntryBlock::IndexPaused => f.write_str("index paused by the operator"),
            EntryBlock::Unguarded => f.write_str("no guardian is awake to close positions should the engine die"),
            EntryBlock::Overloaded => f.write_str("the engine is behind its inputs"),
            EntryBlock::UnknownBalance => f.write_str("opening balance unknown, no limit can be computed"),
        }
    }
}

/// Which breaker just tripped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trip {
    /// Everything must go.
    Account,
    /// Positions of one index must go.
    Index(Underlying),
    /// Everything must go, in profit.
    DayProfit,
}

/// Results and latches of one trading day. Only the next trading day resets them, or a person the breakers (F-27, I13).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DayBook {
    opening_balance: Option<Money>,
    loss_limit: Option<Money>,
    index_limits: BTreeMap<Underlying, Money>,
    realised: Money,
    realised_by_index: BTreeMap<Underlying, Money>,
    account_latch: Option<EntryBlock>,
    index_latches: BTreeMap<Underlying, EntryBlock>,
    profit_latch: Option<EntryBlock>,
    peak_result: Money,
    streak: u32,
    paused: Option<EntryBlock>,
    /// Results the loss limits are counted from: zero, or what was realised when the breaker was reset.
    base: Money,
    base_by_index: BTreeMap<Underlying, Money>,
}

impl DayBook {
    /// Opens a day. The limits are shares of the opening balance, which is fixed here once (F-25).
    pub fn open(params: &RiskParams, opening_balance: Option<Money>, band_day_loss: Option<Bps>) -> DayBook {
        let share = |bps: Bps| opening_balance.map(|b| b.portion(bps, Rounding::Down));
        DayBook {
            opening_balance,
            loss_limit: params.day_loss.or(band_day_loss).and_then(share),
            index_limits: params.index_day_loss.iter().filter_map(|(u, bps)| Some((*u, share(*bps)?))).collect(),
            realised: Money::ZERO,
            realised_by_index: BTreeMap::new(),
            account_latch: None,
            index_latches: BTreeMap::new(),
            profit_latch: None,
            peak_result: Money::ZERO,
            streak: 0,
            paused: None,
            base: Money::ZERO,
            base_by_index: BTreeMap::new(),
        }
    }

    /// Balance the day began with, when known.
    pub const fn opening_balance(&self) -> Option<Money> {
        self.opening_balance
    }

    /// Loss of the account at which the breaker trips, as a positive amount, when there is a limit.
    pub const fn loss_limit(&self) -> Option<Money> {
        self.loss_limit
    }

    /// Takes over an opening balance that could not be learned when the day opened; a known one stays (F-25).
    pub fn learn_opening(&mut self, params: &RiskParams, opening_balance: Option<Money>, band: Option<Bps>) {
        if self.opening_balance.is_none() {
            self.opening_balance = opening_balance;
            self.set_limits(params, band);
        }
    }

    /// Loss limits of changed settings, from the balance the day opened with. Latches stay.
    pub fn set_limits(&mut self, params: &RiskParams, band_day_loss: Option<Bps>) {
        let fresh = DayBook::open(params, self.opening_balance, band_day_loss);
        (self.loss_limit, self.index_limits) = (fresh.loss_limit, fresh.index_limits);
    }

    /// Whether a loss breaker is latched.
    pub fn is_tripped(&self) -> bool {
        self.account_latch.is_some() || !self.index_latches.is_empty()
    }

    /// Whether the account's breaker is latched, rather than an index's alone.
    pub const fn is_account_tripped(&self) -> bool {
        self.account_latch.is_some()
    }

    /// Latches the account's breaker. Returns whether it was not latched before.
    pub const fn trip(&mut self) -> bool {
        let fresh = self.account_latch.is_none();
        if fresh {
            self.account_latch = Some(EntryBlock::Tripped);
        }
        fresh
    }

    /// Lifts the loss breakers. The limits are counted anew from what is realised by now: otherwise the same loss
    /// would trip them again at once.
    pub fn reset_breakers(&mut self) {
        self.account_latch = None;
        self.index_latches.clear();
        self.base = self.realised;
        self.base_by_index = self.realised_by_index.clone();
    }

    /// Realised result of the day, after charges.
    pub const fn realised(&self) -> Money {
        self.realised
    }

    /// Books a realised amount (sale against cost, or charges) of an index.
    pub fn book(&mut self, underlying: Underlying, amount: Money) {
        self.realised += amount;
        *self.realised_by_index.entry(underlying).or_default() += amount;
    }

    /// Counts a closed position for the loss streak.
    pub fn closed(&mut self, params: &RiskParams, now: Instant, net: Money) {
        if net.is_negative() {
            self.streak += 1;
        } else {
            self.streak = 0;
        }
        if let Some(rule) = params.loss_streak
            && self.streak >= rule.losses
        {
            self.paused = Some(EntryBlock::LossStreak { losses: self.streak, until: now + rule.pause });
            self.streak = 0;
        }
    }

    /// Judges the day with the open result of each index (at sellable prices, after estimated exit charges).
    /// Returns what tripped just now; a latch trips once.
    pub fn judge(&mut self, params: &RiskParams, open: &[Money; Underlying::ALL.len()]) -> Option<Trip> {
        let result = self.realised + open.iter().copied().sum();
        if self.account_latch.is_none()
            && let Some(limit) = self.loss_limit
            && result - self.base <= -limit
        {
            self.account_latch = Some(EntryBlock::DailyLoss { result, limit: self.base - limit });
            return Some(Trip::Account);
        }
        for (underlying, limit) in &self.index_limits {
            if self.index_latches.contains_key(underlying) {
                continue;
            }
            let realised = self.realised_by_index.get(underlying).copied().unwrap_or_default();
            let base = self.base_by_index.get(underlying).copied().unwrap_or_default();
            let result = realised + open[underlying.index()];
            if result - base <= -*limit {
                self.index_latches.insert(*underlying, EntryBlock::IndexDailyLoss { result, limit: base - *limit });
                return Some(Trip::Index(*underlying));
            }
        }
        self.peak_result = self.peak_result.max(result);
        if self.profit_latch.is_none()
            && let Some(rule) = params.day_profit
            && self.peak_result >= rule.target
        {
            let floor = self.peak_result.portion(rule.keep, Rounding::Up);
            if result <= floor {
                self.profit_latch = Some(EntryBlock::DayProfit { result, floor });
                return Some(Trip::DayProfit);
            }
        }
        None
    }

    /// Why an entry in `underlying` is not allowed at `now`.
    pub fn block(&self, now: Instant, underlying: Underlying) -> Option<EntryBlock> {
        if self.opening_balance.is_none() {
            return Some(EntryBlock::UnknownBalance);
        }
        let pause = self.paused.filter(|p| matches!(p, EntryBlock::LossStreak { until, .. } if now < *until));
        self.account_latch.or(self.profit_latch).or_else(|| self.index_latches.get(&underlying).copied()).or(pause)
    }

    /// The latch behind a trip.
    pub fn latch(&self, trip: Trip) -> Option<EntryBlock> {
        match trip {
            Trip::Account => self.account_latch,
            Trip::Index(underlying) => self.index_latches.get(&underlying).copied(),
            Trip::DayProfit => self.profit_latch,
        }
    }

    /// Breakers latched until the next session: `None` for the account, else the index.
    pub fn latches(&self) -> impl Iterator<Item = (Option<Underlying>, &EntryBlock)> {
        let account = self.account_latch.iter().chain(&self.profit_latch).map(|block| (None, block));
        account.chain(self.index_latches.iter().map(|(underlying, block)| (Some(*underlying), block)))
    }

    /// What stopped entries until the next session, account first, in words.
    pub fn halts(&self) -> impl Iterator<Item = String> + '_ {
        let account = self.account_latch.iter().chain(&self.profit_latch).map(ToString::to_string);
        account.chain(self.index_latches.iter().map(|(underlying, block)| format!("{underlying}: {block}")))
    }
}
