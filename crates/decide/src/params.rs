//! Every setting of the decision core, proved and in core units. `config/` outside reads YAML into these.

pub mod change;

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::domain::ids::InstanceTag;
use crate::domain::{Age, Bps, Cutoffs, Lots, Money, Premium, Qty, TimeOfDay, Underlying};

/// Length of a bar, session-anchored. A closed list: zero and unknown lengths cannot exist (F-83).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Timeframe {
    /// One minute.
    #[serde(rename = "1m")]
    M1,
    /// Three minutes.
    #[serde(rename = "3m")]
    M3,
    /// Five minutes.
    #[serde(rename = "5m")]
    M5,
    /// Fifteen minutes.
    #[serde(rename = "15m")]
    M15,
}

impl Timeframe {
    /// All of them, shortest first.
    pub const ALL: [Timeframe; 4] = [Timeframe::M1, Timeframe::M3, Timeframe::M5, Timeframe::M15];

    /// Length of a bar.
    pub const fn length(self) -> Age {
        Age::from_mins(self.minutes())
    }
    /// Minutes in a bar.
    pub const fn minutes(self) -> i64 {
        match self {
            Timeframe::M1 => 1,
            Timeframe::M3 => 3,
            Timeframe::M5 => 5,
            Timeframe::M15 => 15,
        }
    }
    /// `1m`, `3m`, `5m` or `15m`.
    pub const fn code(self) -> &'static str {
        match self {
            Timeframe::M1 => "1m",
            Timeframe::M3 => "3m",
            Timeframe::M5 => "5m",
            Timeframe::M15 => "15m",
        }
    }
    /// Whether bars of this length can be made of shorter ones that are `recorded` long: those must divide it.
    #[inline]
    pub const fn can_be_built_from(self, recorded: Age) -> bool {
        recorded.nanos() > 0 && self.length().nanos() % recorded.nanos() == 0
    }
    /// From its code.
    pub fn from_code(code: &str) -> Option<Timeframe> {
        Timeframe::ALL.into_iter().find(|t| t.code() == code)
    }
}

/// Which Supertrend drives the signal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SupertrendParams {
    /// TradingView convention with a fixed multiplier.
    Classic {
        /// ATR length in bars, 1..=100.
        period: usize,
        /// Band distance in ATRs, above 0.
        multiplier: f64,
    },
    /// Multiplier chosen among candidates by volatility cluster, deterministically.
    Adaptive {
        /// ATR length in bars.
        period: usize,
        /// Multiplier the candidate sets are built around.
        base_multiplier: f64,
        /// Bars in the clustering window.
        training: usize,
    },
}

/// What makes a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignalTrigger {
    /// Only a change of direction, and only for `flip_valid_bars` closed bars after it.
    Flip,
    /// The direction itself, on every closed bar.
    State,
}

/// What a missing IV history does to a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoHistory {
    /// Let the signal through, recorded as "no history".
    Pass,
    /// Refuse the signal.
    Refuse,
}

/// IV-rank layer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct IvRankParams {
    /// Whether the layer judges at all.
    pub enabled: bool,
    /// Lowest acceptable rank, 0..=1.
    pub min: f64,
    /// Highest acceptable rank, 0..=1.
    pub max: f64,
    /// Sessions looked back.
    pub lookback_days: usize,
    /// Sessions needed before a rank exists.
    pub min_days: usize,
    /// Effect of too little history.
    pub on_no_history: NoHistory,
}

/// Settings of the signal engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SignalParams {
    /// Timeframe that triggers.
    pub primary: Timeframe,
    /// Timeframe that must agree; `None` for none.
    pub confirmation: Option<Timeframe>,
    /// Supertrend of both timeframes.
    pub supertrend: SupertrendParams,
    /// ADX length in bars.
    pub adx_period: usize,
    /// Lowest ADX on the primary timeframe.
    pub adx_min_primary: f64,
    /// Lowest ADX on the confirmation timeframe.
    pub adx_min_confirmation: f64,
    /// Flip or state.
    pub trigger: SignalTrigger,
    /// Closed primary bars a flip stays tradeable, 1 = only the bar that flipped.
    pub flip_valid_bars: u32,
    /// Closed bars needed on each timeframe before any signal.
    pub warmup_bars: usize,
    /// IV-rank layer.
    pub iv_rank: IvRankParams,
    /// Theta layer: no signal from this time on; `None` switches the layer off.
    pub theta_cutoff: Option<TimeOfDay>,
    /// Theta layer: least minutes to expiry; 0 allows the last minute.
    pub min_minutes_to_expiry: i64,
    /// Trend confirmation: newest close against the close this many bars earlier; `None` switches it off.
    pub trend_bars: Option<usize>,
    /// How long after its end a bar closes: late ticks of the bar still count, and the decision sees the first prices
    /// after it.
    pub bar_close_grace: Age,
    /// No signal in the first minutes after the open.
    pub opening_no_trade_minutes: u32,
    /// Days without entries (budget, elections, policy decisions).
    pub blackout_dates: BTreeSet<NaiveDate>,
}

/// Oldest acceptable quote by source of the price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuoteAgeLimits {
    /// Live or recorded feed packets (and generated ones).
    pub feed: Age,
    /// Polled chain snapshots.
    pub snapshot: Age,
    /// Points of bars.
    pub bar: Age,
}

/// Settings of the chain analyzer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChainParams {
    /// Farthest candidate in strike steps out of the money; 0 = at the money only.
    pub max_offset: u8,
    /// Offset taken when it passes the filters, whatever the others score; `None` = best score.
    pub preferred_offset: Option<u8>,
    /// When the strike at the money has no fresh quote, the nearest quoted strike within one step counts as it. For
    /// recordings that hold a single strike per minute.
    pub atm_nearest_quoted: bool,
    /// Lowest own implied volatility, percent.
    pub iv_min_pct: f64,
    /// Highest own implied volatility, percent.
    pub iv_max_pct: f64,
    /// Lowest open interest in units; not asked when the tape carries no open interest.
    pub min_oi: Qty,
    /// Widest spread as share of the bid.
    pub max_spread: Bps,
    /// Smallest absolute delta.
    pub min_abs_delta: f64,
    /// Largest absolute delta.
    pub max_abs_delta: f64,
    /// Premium band per index; an index without an entry has no band.
    pub premium_band: BTreeMap<Underlying, (Premium, Premium)>,
    /// Oldest acceptable quote.
    pub quote_age: QuoteAgeLimits,
    /// Lowest score, 0..=210.
    pub min_score: u32,
    /// Interest rate for discounting and for the spot carry, absolute per year.
    pub interest_rate: f64,
    /// Nearest expiry must be at least this many minutes away; otherwise the next one is taken.
    pub min_minutes_to_expiry: i64,
}

/// One band of account size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapitalBand {
    /// Balance up to which the band holds (inclusive); `None` = no upper end.
    pub up_to: Option<Money>,
    /// Share of the balance one trade may cost.
    pub allocation: Bps,
    /// Share of the balance one trade may lose at its stop.
    pub risk_per_trade: Bps,
    /// Share of the opening balance a day may lose.
    pub day_loss: Bps,
}

/// How the risk budget of one trade is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum Sizing {
    /// Share of the balance from the band.
    RiskPercent,
    /// A fixed amount of rupees, less the round trip's flat fees.
    Rupees {
        /// Most that one trade may lose.
        risk: Money,
    },
}

/// Settings of the capital allocator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CapitalParams {
    /// Account balance at the start; `None` = unknown, which means no trade (F-41).
    pub opening_balance: Option<Money>,
    /// Bands by balance, ascending.
    pub bands: Vec<CapitalBand>,
    /// Cap per index as share of the balance (`capital_alloc_pct`).
    pub index_allocation: BTreeMap<Underlying, Bps>,
    /// Risk budget.
    pub sizing: Sizing,
    /// Most lots in one trade.
    pub max_lots: Lots,
    /// Most rupees in one trade; `None` = no cap beside the bands.
    pub max_trade_cost: Option<Money>,
}

/// Settings of the entry guard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryGuardParams {
    /// Positions in one contract, working entries included.
    pub max_positions_per_contract: u32,
    /// Positions in one index.
    pub max_positions_per_index: u32,
    /// Positions in all.
    pub max_positions_total: u32,
    /// A further position in a contract only while every earlier one there is in profit.
    pub pyramid_only_in_profit: bool,
    /// Wait after an exit before the same index and direction (F-54).
    pub cooldown_direction: Age,
    /// Wait after an exit before the same strike and right.
    pub cooldown_strike: Age,
    /// Oldest acceptable index tick.
    pub index_age: QuoteAgeLimits,
    /// Oldest acceptable option quote.
    pub option_age: QuoteAgeLimits,
    /// Widest spread as share of the bid.
    pub max_spread: Bps,
    /// Most the entry limit may lie above the ask at decision time.
    pub slippage_cap: Bps,
    /// Entries per index and day.
    pub max_trades_per_index: u32,
    /// Entries per day.
    pub max_trades_per_day: u32,
}

/// How far the stop lies under the entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum StopDistance {
    /// Share of the entry premium.
    Percent {
        /// Distance.
        pct: Bps,
    },
    /// Rupees of premium.
    Rupees {
        /// Distance.
        premium: Premium,
    },
}

/// Stop that follows the high-water mark of the premium; arms on the peak, never on the present (F-20).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrailParams {
    /// Gain of the peak over the entry that arms it.
    pub arm_after: Bps,
    /// Distance of the stop under the peak.
    pub drop: Bps,
}

/// Rupee lock: once profit reached `min_profit`, leave when it falls to `keep` of its peak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfitLockParams {
    /// Profit that arms it (S3-35: Rs 1,000).
    pub min_profit: Money,
    /// Share of the peak profit that is kept (S3-36: 95 %).
    pub keep: Bps,
}

/// Day-level profit rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayProfitParams {
    /// Day profit that arms the lock.
    pub target: Money,
    /// Share of the peak day profit that is kept; 100 % leaves at the target itself.
    pub keep: Bps,
}

/// Pause after losses in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossStreakParams {
    /// Losing trades in a row.
    pub losses: u32,
    /// Pause of entries.
    pub pause: Age,
}

/// Limits that hold when a contract expiring today has at most so many minutes left (N19).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiryLimit {
    /// Holds from this many minutes before expiry.
    pub minutes_to_expiry: i64,
    /// Most lots in one trade; zero forbids entries.
    pub max_lots: Lots,
    /// Tighter stop distance, `None` keeps the normal one.
    pub stop: Option<Bps>,
}

/// Settings of the risk manager.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RiskParams {
    /// Initial stop.
    pub stop: StopDistance,
    /// Gap between trigger and limit of the stop order, share of the trigger.
    pub stop_limit_gap: Bps,
    /// Profit target as gain over entry; `None` = explicitly none.
    pub target: Option<Bps>,
    /// Peak gain after which the stop moves to entry; `None` = never.
    pub break_even_after: Option<Bps>,
    /// Trailing stop; `None` = none.
    pub trail: Option<TrailParams>,
    /// Rupee profit lock; `None` = none.
    pub profit_lock: Option<ProfitLockParams>,
    /// Longest holding time; `None` = until square-off.
    pub time_stop: Option<Age>,
    /// Account-wide day loss as share of the opening balance; `None` takes the capital band's.
    pub day_loss: Option<Bps>,
    /// Day loss per index as share of the opening balance.
    pub index_day_loss: BTreeMap<Underlying, Bps>,
    /// Day profit rule; `None` = none.
    pub day_profit: Option<DayProfitParams>,
    /// Loss-streak pause; `None` = none.
    pub loss_streak: Option<LossStreakParams>,
    /// Expiry-day limits, most minutes first.
    pub expiry_limits: Vec<ExpiryLimit>,
    /// Cut-offs of a regular day wanted by the preset; each is clamped to the calendar's.
    pub cutoffs: Option<Cutoffs>,
}

/// Settings of the order manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderParams {
    /// Two characters in every client order id.
    pub instance: InstanceTag,
    /// How far above the ask an entry limit lies.
    pub entry_offset: Bps,
    /// An entry unfilled for this long is taken back.
    pub entry_timeout: Age,
    /// How far under the bid an exit limit lies.
    pub exit_offset: Bps,
    /// An exit unfilled for this long is priced again.
    pub exit_chase: Age,
    /// Modifications one order may have (the broker's limit is 25).
    pub max_modifications: u8,
    /// Modifications kept for the exit itself.
    pub modifications_for_exit: u8,
    /// Smallest rise of the trailed stop worth a modification, share of the stop.
    pub stop_move_min: Bps,
    /// Silence after which an order is in doubt.
    pub answer_timeout: Age,
}

/// What the engine trades and how: one value, proved by `config/`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StrategyParams {
    /// Indices to trade, in order of slot.
    pub indices: Vec<Underlying>,
    /// Signal engine; the same for all indices unless overridden in `signal_by_index`.
    pub signal: SignalParams,
    /// Per-index replacements.
    pub signal_by_index: BTreeMap<Underlying, SignalParams>,
    /// Chain analyzer.
    pub chain: ChainParams,
    /// Capital allocator.
    pub capital: CapitalParams,
    /// Entry guard.
    pub entry_guard: EntryGuardParams,
    /// Risk manager.
    pub risk: RiskParams,
    /// Order manager.
    pub orders: OrderParams,
}

impl StrategyParams {
    /// Signal settings of one index.
    pub fn signal_of(&self, underlying: Underlying) -> &SignalParams {
        self.signal_by_index.get(&underlying).unwrap_or(&self.signal)
    }
}
