//! What may be written in `algo.yml`, a preset or the environment. Every key is optional here; the built-in
//! defaults give each one a value, and `checked` proves the result. Doc comments become the editor schema.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::leaf::{Date, Maybe, Num, Time, Whole};

/// Settings of scalper. Units are in the names of the keys; `none` switches an optional rule off.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Raw {
    /// Presets that lie under this file, later ones win: a name or a list of names.
    pub(crate) preset: Option<PresetNames>,
    /// Indices to trade. A file that has this section trades only the indices it lists.
    pub(crate) indices: BTreeMap<IndexName, RawIndex>,
    /// Signal engine.
    pub(crate) signals: RawSignals,
    /// Option-chain analyzer.
    pub(crate) chain: RawChain,
    /// Capital allocator.
    pub(crate) capital: RawCapital,
    /// Entry guard.
    pub(crate) entry_guard: RawEntryGuard,
    /// Risk manager: exits, day limits, expiry-day limits.
    pub(crate) risk: RawRisk,
    /// Order manager.
    pub(crate) orders: RawOrders,
    /// The daemon: what it trades with.
    pub(crate) engine: RawEngine,
    /// Dated tables: calendar, contract terms, charges.
    pub(crate) tables: RawTables,
}

/// One preset or several.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a preset name or a list of preset names")]
pub(crate) enum PresetNames {
    /// A name.
    One(String),
    /// Names, later ones win.
    Many(Vec<String>),
}

/// Indices whose options are traded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum IndexName {
    /// NSE Nifty 50.
    Nifty,
    /// NSE Nifty Bank.
    BankNifty,
    /// BSE Sensex.
    Sensex,
}

/// One index.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawIndex {
    /// Whether it is traded.
    pub(crate) enabled: Option<bool>,
    /// Exchange symbol; must repeat the name of the section.
    pub(crate) key: Option<IndexName>,
    /// Security id of the spot index at the broker; compared with the instrument master.
    pub(crate) sid: Option<Whole>,
    /// Exchange segment of the spot index.
    pub(crate) segment: Option<IndexSegment>,
    /// Largest share of the balance bound in this index, percent.
    pub(crate) capital_alloc_pct: Option<Num>,
    /// Day loss of this index that stops it, percent of the opening balance.
    pub(crate) day_loss_pct: Option<Maybe<Num>>,
    /// Cheapest premium bought, rupees per unit.
    pub(crate) premium_min_rupees: Option<Maybe<Num>>,
    /// Dearest premium bought, rupees per unit.
    pub(crate) premium_max_rupees: Option<Maybe<Num>>,
    /// Signal settings that differ for this index.
    pub(crate) signals: Option<RawSignals>,
}

/// Segment of index values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum IndexSegment {
    /// Index values of every exchange.
    #[serde(rename = "IDX_I")]
    IdxI,
}

/// Length of a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum RawTimeframe {
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

/// What makes a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RawTrigger {
    /// A change of the Supertrend's direction.
    Flip,
    /// The direction itself, on every closed bar.
    State,
}

/// Signal engine.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawSignals {
    /// Timeframe that triggers.
    pub(crate) primary_timeframe: Option<RawTimeframe>,
    /// Longer timeframe that must agree.
    pub(crate) confirmation_timeframe: Option<Maybe<RawTimeframe>>,
    /// What makes a signal.
    pub(crate) trigger: Option<RawTrigger>,
    /// Closed bars a flip stays tradeable; 1 = only the bar that flipped.
    pub(crate) flip_valid_bars: Option<Whole>,
    /// Closed bars needed on each timeframe before any signal.
    pub(crate) warmup_bars: Option<Whole>,
    /// How long after its end a bar closes.
    pub(crate) bar_close_grace_ms: Option<Whole>,
    /// No signal in the first minutes after the open.
    pub(crate) opening_no_trade_minutes: Option<Whole>,
    /// Trend confirmation: newest close against the close so many bars earlier.
    pub(crate) trend_bars: Option<Maybe<Whole>>,
    /// Theta layer: no signal from this time on, "HH:MM".
    pub(crate) theta_cutoff: Option<Maybe<Time>>,
    /// Theta layer: least minutes to expiry.
    pub(crate) min_minutes_to_expiry: Option<Whole>,
    /// Days without entries (budget, elections, policy decisions).
    pub(crate) blackout_dates: Option<Vec<Date>>,
    /// Supertrend.
    pub(crate) supertrend: RawSupertrend,
    /// Directional movement.
    pub(crate) adx: RawAdx,
    /// Rank of today's at-the-money volatility among the stored ones.
    pub(crate) iv_rank: RawIvRank,
}

/// Which Supertrend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RawSupertrendKind {
    /// TradingView convention, fixed multiplier.
    Classic,
    /// Multiplier chosen by volatility cluster, deterministically.
    Adaptive,
}

/// Supertrend.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawSupertrend {
    /// Which one.
    pub(crate) kind: Option<RawSupertrendKind>,
    /// ATR length in bars.
    pub(crate) period: Option<Whole>,
    /// Band distance in ATRs; the base multiplier of the adaptive kind.
    pub(crate) multiplier: Option<Num>,
    /// Bars in the clustering window; only for the adaptive kind.
    pub(crate) adaptive_training_bars: Option<Maybe<Whole>>,
}

/// ADX layer.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawAdx {
    /// Length in bars.
    pub(crate) period: Option<Whole>,
    /// Lowest ADX on the primary timeframe.
    pub(crate) min_primary: Option<Num>,
    /// Lowest ADX on the confirmation timeframe.
    pub(crate) min_confirmation: Option<Num>,
}

/// Effect of too little history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RawNoHistory {
    /// Let the signal through, recorded as "no history".
    Pass,
    /// Refuse the signal.
    Refuse,
}

/// IV-rank layer.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawIvRank {
    /// Whether the layer judges at all.
    pub(crate) enabled: Option<bool>,
    /// Lowest acceptable rank, percent.
    pub(crate) min_pct: Option<Num>,
    /// Highest acceptable rank, percent.
    pub(crate) max_pct: Option<Num>,
    /// Sessions looked back.
    pub(crate) lookback_days: Option<Whole>,
    /// Sessions needed before a rank exists.
    pub(crate) min_days: Option<Whole>,
    /// Effect of too little history.
    pub(crate) on_no_history: Option<RawNoHistory>,
}

/// Oldest acceptable price by source, milliseconds.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawAges {
    /// Feed packets.
    pub(crate) feed: Option<Whole>,
    /// Polled chain snapshots.
    pub(crate) snapshot: Option<Whole>,
    /// Points of recorded bars.
    pub(crate) bar: Option<Whole>,
}

/// Option-chain analyzer.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawChain {
    /// Farthest candidate in strike steps out of the money; 0 = at the money only.
    pub(crate) max_offset: Option<Whole>,
    /// Offset taken whenever it passes the filters; `none` = best score.
    pub(crate) preferred_offset: Option<Maybe<Whole>>,
    /// When the strike at the money has no fresh quote, the nearest quoted one within a step counts as it.
    pub(crate) atm_nearest_quoted: Option<bool>,
    /// Lowest own implied volatility, percent.
    pub(crate) iv_min_pct: Option<Num>,
    /// Highest own implied volatility, percent.
    pub(crate) iv_max_pct: Option<Num>,
    /// Lowest open interest in units.
    pub(crate) min_oi: Option<Whole>,
    /// Widest spread, percent of the bid.
    pub(crate) max_spread_pct: Option<Num>,
    /// Smallest absolute delta.
    pub(crate) min_abs_delta: Option<Num>,
    /// Largest absolute delta.
    pub(crate) max_abs_delta: Option<Num>,
    /// Lowest score, 0 to 210.
    pub(crate) min_score: Option<Whole>,
    /// Interest rate for discounting and carry, percent per year.
    pub(crate) interest_rate_pct: Option<Num>,
    /// Nearest expiry closer than this many minutes: the next one is taken.
    pub(crate) min_minutes_to_expiry: Option<Whole>,
    /// Oldest acceptable quote of a candidate.
    pub(crate) quote_age_ms: RawAges,
}

/// How the risk budget of one trade is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RawSizing {
    /// Share of the balance from the band.
    RiskPercent,
    /// A fixed amount of rupees.
    Rupees,
}

/// Capital allocator.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawCapital {
    /// Balance at the start, rupees; `none` = unknown, which means no trade.
    pub(crate) opening_balance_rupees: Option<Maybe<Num>>,
    /// How the risk budget of one trade is found.
    pub(crate) sizing: Option<RawSizing>,
    /// Risk budget of one trade in rupees; only with `sizing: rupees`.
    pub(crate) risk_per_trade_rupees: Option<Maybe<Num>>,
    /// Most lots in one trade.
    pub(crate) max_lots: Option<Whole>,
    /// Most rupees in one trade.
    pub(crate) max_trade_cost_rupees: Option<Maybe<Num>>,
    /// Bands by account size, ascending; the list is replaced as a whole.
    pub(crate) bands: Option<Vec<RawBand>>,
}

/// One band of account size.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawBand {
    /// Balance up to which the band holds, rupees; `none` in the last one.
    pub(crate) up_to_rupees: Maybe<Num>,
    /// Share of the balance one trade may cost, percent.
    pub(crate) allocation_pct: Num,
    /// Share of the balance one trade may lose at its stop, percent.
    pub(crate) risk_per_trade_pct: Num,
    /// Share of the opening balance a day may lose, percent.
    pub(crate) day_loss_pct: Num,
}

/// Entry guard.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawEntryGuard {
    /// Positions in one contract, working entries included.
    pub(crate) max_positions_per_contract: Option<Whole>,
    /// Positions in one index.
    pub(crate) max_positions_per_index: Option<Whole>,
    /// Positions in all.
    pub(crate) max_positions_total: Option<Whole>,
    /// A further position in a contract only while the earlier ones are in profit.
    pub(crate) pyramid_only_in_profit: Option<bool>,
    /// Wait after an exit before the same index and direction, seconds.
    pub(crate) cooldown_direction_secs: Option<Whole>,
    /// Wait after an exit before the same strike and right, seconds.
    pub(crate) cooldown_strike_secs: Option<Whole>,
    /// Oldest acceptable index tick.
    pub(crate) index_age_ms: RawAges,
    /// Oldest acceptable option quote.
    pub(crate) option_age_ms: RawAges,
    /// Widest spread, percent of the bid.
    pub(crate) max_spread_pct: Option<Num>,
    /// Most the entry limit may lie above the ask, percent.
    pub(crate) slippage_cap_pct: Option<Num>,
    /// Entries per index and day.
    pub(crate) max_trades_per_index: Option<Whole>,
    /// Entries per day.
    pub(crate) max_trades_per_day: Option<Whole>,
}

/// Trailing stop under the high-water mark of the premium.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawTrail {
    /// Gain of the peak over the entry that arms it, percent.
    pub(crate) arm_after_pct: Option<Num>,
    /// Distance of the stop under the peak, percent of the peak.
    pub(crate) drop_pct: Option<Num>,
}

/// Rupee profit lock of one position.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawProfitLock {
    /// Profit that arms it, rupees.
    pub(crate) min_profit_rupees: Option<Num>,
    /// Share of the peak profit that is kept, percent.
    pub(crate) keep_pct: Option<Num>,
}

/// Profit rule of the day.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawDayProfit {
    /// Day profit that arms it, rupees.
    pub(crate) target_rupees: Option<Num>,
    /// Share of the peak day profit that is kept, percent; 100 leaves at the target itself.
    pub(crate) keep_pct: Option<Num>,
}

/// Pause after losses in a row.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawLossStreak {
    /// Losing trades in a row.
    pub(crate) losses: Option<Whole>,
    /// Pause of entries, minutes.
    pub(crate) pause_minutes: Option<Whole>,
}

/// Limits of a contract that expires today.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawExpiryLimit {
    /// Holds from this many minutes before expiry.
    pub(crate) minutes_to_expiry: Whole,
    /// Most lots in one trade; 0 forbids entries.
    pub(crate) max_lots: Whole,
    /// Tighter stop, percent of the entry.
    pub(crate) stop_pct: Maybe<Num>,
}

/// Cut-offs of a regular day; later ones than the calendar's are clamped to the calendar's.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawCutoffs {
    /// No entry from here on.
    pub(crate) no_new_entry: Option<Time>,
    /// Contracts that expire today are closed from here on.
    pub(crate) expiry_force_exit: Option<Time>,
    /// Everything is closed from here on.
    pub(crate) square_off_start: Option<Time>,
    /// Everything must be flat by here.
    pub(crate) square_off_deadline: Option<Time>,
}

/// Risk manager.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawRisk {
    /// Initial stop under the entry, percent of the premium; exactly one of the two stops is given.
    pub(crate) stop_pct: Option<Maybe<Num>>,
    /// Initial stop under the entry, rupees of premium.
    pub(crate) stop_rupees: Option<Maybe<Num>>,
    /// Gap between trigger and limit of the stop order, percent of the trigger.
    pub(crate) stop_limit_gap_pct: Option<Num>,
    /// Profit target, percent over the entry.
    pub(crate) target_pct: Option<Maybe<Num>>,
    /// Peak gain after which the stop moves to the entry, percent.
    pub(crate) break_even_after_pct: Option<Maybe<Num>>,
    /// Trailing stop.
    pub(crate) trail: Option<Maybe<RawTrail>>,
    /// Rupee profit lock.
    pub(crate) profit_lock: Option<Maybe<RawProfitLock>>,
    /// Longest holding time, minutes.
    pub(crate) time_stop_minutes: Option<Maybe<Whole>>,
    /// Day loss of the account that flattens and stops it, percent of the opening balance; `none` = the band's.
    pub(crate) day_loss_pct: Option<Maybe<Num>>,
    /// Profit rule of the day.
    pub(crate) day_profit: Option<Maybe<RawDayProfit>>,
    /// Pause after losses in a row.
    pub(crate) loss_streak: Option<Maybe<RawLossStreak>>,
    /// Expiry-day limits, most minutes first; the list is replaced as a whole.
    pub(crate) expiry_limits: Option<Vec<RawExpiryLimit>>,
    /// Cut-offs earlier than the calendar's.
    pub(crate) cutoffs: Option<Maybe<RawCutoffs>>,
}

/// Order manager.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawOrders {
    /// Two letters or digits at the start of every client order id.
    pub(crate) instance: Option<String>,
    /// How far above the ask an entry limit lies, percent.
    pub(crate) entry_offset_pct: Option<Num>,
    /// An entry unfilled for this long is taken back.
    pub(crate) entry_timeout_ms: Option<Whole>,
    /// How far under the bid an exit limit lies, percent.
    pub(crate) exit_offset_pct: Option<Num>,
    /// An exit unfilled for this long is priced again.
    pub(crate) exit_chase_ms: Option<Whole>,
    /// Modifications one order may have; the broker's limit is 25.
    pub(crate) max_modifications: Option<Whole>,
    /// Modifications kept for the exit itself.
    pub(crate) modifications_for_exit: Option<Whole>,
    /// Smallest rise of a trailed stop worth a modification, percent of the stop.
    pub(crate) stop_move_min_pct: Option<Num>,
    /// Silence after which an order is in doubt.
    pub(crate) answer_timeout_ms: Option<Whole>,
}

/// How the daemon is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RawMode {
    /// The built-in simulator.
    Sim,
    /// The broker's market feed; orders are filled in this process.
    Paper,
    /// The broker's market and orders. Needs `--mode live` on the command line as well.
    Live,
}

/// The daemon: what it trades with.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawEngine {
    /// How `scalper run` is connected when the command line does not say.
    pub(crate) mode: Option<RawMode>,
    /// For live orders: `trade live with <client id>`, typed by a person.
    pub(crate) consent: Option<Maybe<String>>,
    /// Whether new risk needs a guardian beside the engine.
    pub(crate) guardian_required: Option<bool>,
    /// Minutes before the open at which a daemon that waits for a session begins its start.
    pub(crate) prepare_minutes: Option<Whole>,
}

/// Dated tables.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawTables {
    /// Folder with calendar.yml, contracts.yml and charges.yml that replace the shipped ones.
    pub(crate) folder: Option<Maybe<String>>,
    /// File whose entries are laid over the tables; relative to this file.
    pub(crate) override_file: Option<Maybe<String>>,
}
