//! From what was written to what is proved: every key has a value, units become core units, rules agree.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use scalper_decide::domain::ids::InstanceTag;
use scalper_decide::domain::{Age, Bps, Cutoffs, Lots, Money, Premium, Qty, Segment, TimeOfDay, Underlying};
use scalper_decide::params::{
    CapitalBand, CapitalParams, ChainParams, DayProfitParams, EntryGuardParams, ExpiryLimit, IvRankParams,
    LossStreakParams, NoHistory, OrderParams, ProfitLockParams, QuoteAgeLimits, RiskParams, SignalParams,
    SignalTrigger, Sizing, StopDistance, StrategyParams, SupertrendParams, Timeframe, TrailParams,
};

use super::error::Problem;
use super::leaf::{Maybe, Num, Whole};
use super::node::Node;
use super::raw::{
    IndexName, Raw, RawAges, RawBand, RawCutoffs, RawMode, RawNoHistory, RawRisk, RawSignals, RawSizing,
    RawSupertrendKind, RawTimeframe, RawTrigger,
};
use crate::journal::run::Mode;

/// Stands for a premium band without an upper end: the largest premium the ranges allow.
pub(crate) const OPEN_PREMIUM: Premium = Premium::from_rupees(100_000);

/// The spot index as the broker knows it; compared with the instrument master before it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct IndexSource {
    /// Segment of the spot index.
    pub segment: Segment,
    /// Security id of the spot index.
    pub security_id: u32,
}

/// Settings in core units, before the rules have been compared with each other.
pub(crate) struct Checked {
    pub(crate) params: StrategyParams,
    pub(crate) sources: BTreeMap<Underlying, IndexSource>,
    pub(crate) tables_folder: Option<PathBuf>,
    pub(crate) tables_override: Option<PathBuf>,
    pub(crate) engine: EngineSettings,
}

/// What the daemon trades with; nothing a replay depends on.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct EngineSettings {
    /// How it is connected when the command line does not say.
    pub mode: Mode,
    /// What a person typed for live orders.
    pub consent: Option<String>,
    /// Whether new risk needs a guardian.
    pub guardian_required: bool,
    /// How long before the open a daemon that waits for a session begins its start.
    pub prepare: Age,
}

impl IndexName {
    pub(crate) const fn underlying(self) -> Underlying {
        match self {
            IndexName::Nifty => Underlying::Nifty,
            IndexName::BankNifty => Underlying::BankNifty,
            IndexName::Sensex => Underlying::Sensex,
        }
    }
}

const fn timeframe(raw: RawTimeframe) -> Timeframe {
    match raw {
        RawTimeframe::M1 => Timeframe::M1,
        RawTimeframe::M3 => Timeframe::M3,
        RawTimeframe::M5 => Timeframe::M5,
        RawTimeframe::M15 => Timeframe::M15,
    }
}

/// Reads fields of one section, noting each one that nobody gave a value.
struct Section<'a> {
    tree: &'a Node,
    prefix: String,
    problems: &'a mut Vec<Problem>,
}

impl Section<'_> {
    fn key(&self, field: &str) -> String {
        format!("{}.{field}", self.prefix)
    }

    fn note(&mut self, field: &str, message: String) {
        let key = self.key(field);
        // What is missing has no place of its own; its section has.
        let section = key.rsplit_once('.').map_or("", |(section, _)| section);
        let at = self.tree.path(&key).or_else(|| self.tree.path(section)).map_or(&self.tree.at, |n| &n.at);
        self.problems.push(Problem::at(key, message, at));
    }

    fn need<T: Clone>(&mut self, field: &str, value: &Option<T>, stand_in: T) -> T {
        value.clone().unwrap_or_else(|| {
            self.note(field, "this key is missing and has no default here".to_owned());
            stand_in
        })
    }

    fn flag(&mut self, field: &str, value: Option<bool>) -> bool {
        self.need(field, &value, false)
    }
    fn whole(&mut self, field: &str, value: Option<Whole>) -> i64 {
        self.need(field, &value, Whole(1)).0
    }
    fn count(&mut self, field: &str, value: Option<Whole>) -> u32 {
        // Ranges are checked before; a value outside them never reaches the caller.
        u32::try_from(self.whole(field, value)).unwrap_or(u32::MAX)
    }
    fn size(&mut self, field: &str, value: Option<Whole>) -> usize {
        usize::try_from(self.whole(field, value)).unwrap_or(usize::MAX)
    }
    fn number(&mut self, field: &str, value: Option<Num>) -> f64 {
        self.need(field, &value, Num(1.into())).to_f64()
    }
    fn bps(&mut self, field: &str, value: Option<Num>) -> Bps {
        bps(self.need(field, &value, Num(1.into())))
    }
    fn rupees(&mut self, field: &str, value: Option<Num>) -> Money {
        money(self.need(field, &value, Num(1.into())))
    }
    fn maybe<T: Clone>(&mut self, field: &str, value: &Option<Maybe<T>>) -> Option<T> {
        self.need(field, value, Maybe(None)).0
    }
    fn maybe_bps(&mut self, field: &str, value: &Option<Maybe<Num>>) -> Option<Bps> {
        self.maybe(field, value).map(bps)
    }
    fn maybe_money(&mut self, field: &str, value: &Option<Maybe<Num>>) -> Option<Money> {
        self.maybe(field, value).map(money)
    }
    fn millis(&mut self, field: &str, value: Option<Whole>) -> Age {
        Age::from_millis(self.whole(field, value))
    }
    fn secs(&mut self, field: &str, value: Option<Whole>) -> Age {
        Age::from_secs(self.whole(field, value))
    }
    fn ages(&mut self, field: &str, raw: &RawAges) -> QuoteAgeLimits {
        QuoteAgeLimits {
            feed: self.millis(&format!("{field}.feed"), raw.feed),
            snapshot: self.millis(&format!("{field}.snapshot"), raw.snapshot),
            bar: self.millis(&format!("{field}.bar"), raw.bar),
        }
    }
}

// Two decimals are checked with the ranges, so the hundredths exist.
fn bps(percent: Num) -> Bps {
    Bps::new(percent.hundredths().unwrap_or_default())
}
fn money(rupees: Num) -> Money {
    Money::from_paise(rupees.hundredths().unwrap_or_default())
}
fn premium(rupees: Num) -> Premium {
    Premium::from_paise(rupees.hundredths().unwrap_or_default())
}

/// Brings `raw` into core units. `tree` is the merged tree with per-index signal settings filled up.
pub(crate) fn build(
    raw: &Raw,
    signals_by_index: &BTreeMap<Underlying, RawSignals>,
    tree: &Node,
) -> Result<Checked, Vec<Problem>> {
    let mut problems = Vec::new();
    let p = &mut problems;
    let (indices, sources) = index_list(raw, tree, p);
    let signal = signal_params(&raw.signals, tree, "signals".to_owned(), p);
    let mut signal_by_index = BTreeMap::new();
    for (underlying, raw) in signals_by_index {
        let prefix = format!("indices.{underlying}.signals");
        signal_by_index.insert(*underlying, signal_params(raw, tree, prefix, p));
    }
    let chain = chain_params(raw, tree, p);
    let capital = capital_params(raw, tree, p);
    let entry_guard = entry_guard_params(raw, tree, p);
    let risk = risk_params(raw, tree, p);
    let orders = order_params(raw, tree, p);
    let engine = engine_settings(raw, tree, p);
    let mut s = Section { tree, prefix: "tables".to_owned(), problems: p };
    let tables_folder = s.maybe("folder", &raw.tables.folder).map(PathBuf::from);
    let tables_override = s.maybe("override_file", &raw.tables.override_file).map(PathBuf::from);
    if !problems.is_empty() {
        return Err(problems);
    }
    let params = StrategyParams { indices, signal, signal_by_index, chain, capital, entry_guard, risk, orders };
    Ok(Checked { params, sources, tables_folder, tables_override, engine })
}

fn index_list(raw: &Raw, tree: &Node, p: &mut Vec<Problem>) -> (Vec<Underlying>, BTreeMap<Underlying, IndexSource>) {
    let mut enabled = Vec::new();
    let mut sources: BTreeMap<Underlying, IndexSource> = BTreeMap::new();
    for (name, index) in &raw.indices {
        let underlying = name.underlying();
        let mut s = Section { tree, prefix: format!("indices.{underlying}"), problems: &mut *p };
        if s.flag("enabled", index.enabled) {
            enabled.push(underlying);
        }
        if let Some(key) = index.key.filter(|k| k != name) {
            let key = key.underlying();
            s.note("key", format!("names {key}, but the section is {underlying}"));
        }
        if index.segment.is_none() {
            s.note("segment", "this key is missing and has no default here".to_owned());
        }
        let security_id = s.count("sid", index.sid);
        if let Some((other, _)) = sources.iter().find(|(_, o)| o.security_id == security_id) {
            s.note("sid", format!("{security_id} is also the id of {other}; two indices cannot share one feed"));
        }
        sources.insert(underlying, IndexSource { segment: Segment::IdxI, security_id });
    }
    if enabled.is_empty() {
        let at = tree.path("indices").map_or(&tree.at, |n| &n.at);
        let problem = Problem::at("indices", "no index is enabled, so nothing can ever be traded", at);
        p.push(problem.with_help("set `enabled: true` for NIFTY, BANKNIFTY or SENSEX"));
    }
    (enabled, sources)
}

fn signal_params(raw: &RawSignals, tree: &Node, prefix: String, p: &mut Vec<Problem>) -> SignalParams {
    let mut s = Section { tree, prefix, problems: p };
    let period = s.size("supertrend.period", raw.supertrend.period);
    let multiplier = s.number("supertrend.multiplier", raw.supertrend.multiplier);
    let training = s.maybe("supertrend.adaptive_training_bars", &raw.supertrend.adaptive_training_bars);
    let supertrend = match (s.need("supertrend.kind", &raw.supertrend.kind, RawSupertrendKind::Classic), training) {
        (RawSupertrendKind::Classic, _) => SupertrendParams::Classic { period, multiplier },
        (RawSupertrendKind::Adaptive, Some(Whole(bars))) => SupertrendParams::Adaptive {
            period,
            base_multiplier: multiplier,
            training: usize::try_from(bars).unwrap_or(usize::MAX),
        },
        (RawSupertrendKind::Adaptive, None) => {
            s.note("supertrend.adaptive_training_bars", "the adaptive Supertrend needs a training window".to_owned());
            SupertrendParams::Classic { period, multiplier }
        }
    };
    SignalParams {
        primary: timeframe(s.need("primary_timeframe", &raw.primary_timeframe, RawTimeframe::M1)),
        confirmation: s.maybe("confirmation_timeframe", &raw.confirmation_timeframe).map(timeframe),
        supertrend,
        adx_period: s.size("adx.period", raw.adx.period),
        adx_min_primary: s.number("adx.min_primary", raw.adx.min_primary),
        adx_min_confirmation: s.number("adx.min_confirmation", raw.adx.min_confirmation),
        trigger: match s.need("trigger", &raw.trigger, RawTrigger::Flip) {
            RawTrigger::Flip => SignalTrigger::Flip,
            RawTrigger::State => SignalTrigger::State,
        },
        flip_valid_bars: s.count("flip_valid_bars", raw.flip_valid_bars),
        warmup_bars: s.size("warmup_bars", raw.warmup_bars),
        iv_rank: IvRankParams {
            enabled: s.flag("iv_rank.enabled", raw.iv_rank.enabled),
            min: s.number("iv_rank.min_pct", raw.iv_rank.min_pct) / 100.0,
            max: s.number("iv_rank.max_pct", raw.iv_rank.max_pct) / 100.0,
            lookback_days: s.size("iv_rank.lookback_days", raw.iv_rank.lookback_days),
            min_days: s.size("iv_rank.min_days", raw.iv_rank.min_days),
            on_no_history: match s.need("iv_rank.on_no_history", &raw.iv_rank.on_no_history, RawNoHistory::Refuse) {
                RawNoHistory::Pass => NoHistory::Pass,
                RawNoHistory::Refuse => NoHistory::Refuse,
            },
        },
        theta_cutoff: s.maybe("theta_cutoff", &raw.theta_cutoff).map(|t| t.0),
        min_minutes_to_expiry: s.whole("min_minutes_to_expiry", raw.min_minutes_to_expiry),
        trend_bars: s.maybe("trend_bars", &raw.trend_bars).map(|n| usize::try_from(n.0).unwrap_or(usize::MAX)),
        bar_close_grace: s.millis("bar_close_grace_ms", raw.bar_close_grace_ms),
        opening_no_trade_minutes: s.count("opening_no_trade_minutes", raw.opening_no_trade_minutes),
        blackout_dates: s
            .need("blackout_dates", &raw.blackout_dates, Vec::new())
            .into_iter()
            .map(|d| d.0)
            .collect::<BTreeSet<_>>(),
    }
}

fn chain_params(raw: &Raw, tree: &Node, p: &mut Vec<Problem>) -> ChainParams {
    let mut premium_band = BTreeMap::new();
    for (name, index) in &raw.indices {
        let underlying = name.underlying();
        let mut s = Section { tree, prefix: format!("indices.{underlying}"), problems: &mut *p };
        let min = s.maybe("premium_min_rupees", &index.premium_min_rupees).map(premium);
        let max = s.maybe("premium_max_rupees", &index.premium_max_rupees).map(premium);
        if min.is_some() || max.is_some() {
            premium_band.insert(underlying, (min.unwrap_or(Premium::from_paise(5)), max.unwrap_or(OPEN_PREMIUM)));
        }
    }
    let mut s = Section { tree, prefix: "chain".to_owned(), problems: p };
    let raw = &raw.chain;
    let offset = |n: i64| u8::try_from(n).unwrap_or(u8::MAX);
    ChainParams {
        max_offset: offset(s.whole("max_offset", raw.max_offset)),
        preferred_offset: s.maybe("preferred_offset", &raw.preferred_offset).map(|n| offset(n.0)),
        atm_nearest_quoted: s.flag("atm_nearest_quoted", raw.atm_nearest_quoted),
        iv_min_pct: s.number("iv_min_pct", raw.iv_min_pct),
        iv_max_pct: s.number("iv_max_pct", raw.iv_max_pct),
        min_oi: Qty::new(s.whole("min_oi", raw.min_oi)),
        max_spread: s.bps("max_spread_pct", raw.max_spread_pct),
        min_abs_delta: s.number("min_abs_delta", raw.min_abs_delta),
        max_abs_delta: s.number("max_abs_delta", raw.max_abs_delta),
        premium_band,
        quote_age: s.ages("quote_age_ms", &raw.quote_age_ms),
        min_score: s.count("min_score", raw.min_score),
        interest_rate: s.number("interest_rate_pct", raw.interest_rate_pct) / 100.0,
        min_minutes_to_expiry: s.whole("min_minutes_to_expiry", raw.min_minutes_to_expiry),
    }
}

fn capital_params(raw: &Raw, tree: &Node, p: &mut Vec<Problem>) -> CapitalParams {
    let mut index_allocation = BTreeMap::new();
    for (name, index) in &raw.indices {
        let underlying = name.underlying();
        let mut s = Section { tree, prefix: format!("indices.{underlying}"), problems: &mut *p };
        index_allocation.insert(underlying, s.bps("capital_alloc_pct", index.capital_alloc_pct));
    }
    let mut s = Section { tree, prefix: "capital".to_owned(), problems: p };
    let raw = &raw.capital;
    let budget = s.maybe_money("risk_per_trade_rupees", &raw.risk_per_trade_rupees);
    let sizing = match (s.need("sizing", &raw.sizing, RawSizing::RiskPercent), budget) {
        (RawSizing::RiskPercent, _) => Sizing::RiskPercent,
        (RawSizing::Rupees, Some(risk)) => Sizing::Rupees { risk },
        (RawSizing::Rupees, None) => {
            s.note("risk_per_trade_rupees", "`sizing: rupees` needs a risk budget in rupees".to_owned());
            Sizing::RiskPercent
        }
    };
    let band = |b: &RawBand| CapitalBand {
        up_to: b.up_to_rupees.0.map(money),
        allocation: bps(b.allocation_pct),
        risk_per_trade: bps(b.risk_per_trade_pct),
        day_loss: bps(b.day_loss_pct),
    };
    CapitalParams {
        opening_balance: s.maybe_money("opening_balance_rupees", &raw.opening_balance_rupees),
        bands: s.need("bands", &raw.bands, Vec::new()).iter().map(band).collect(),
        index_allocation,
        sizing,
        max_lots: Lots::new(s.whole("max_lots", raw.max_lots)),
        max_trade_cost: s.maybe_money("max_trade_cost_rupees", &raw.max_trade_cost_rupees),
    }
}

fn entry_guard_params(raw: &Raw, tree: &Node, p: &mut Vec<Problem>) -> EntryGuardParams {
    let mut s = Section { tree, prefix: "entry_guard".to_owned(), problems: p };
    let raw = &raw.entry_guard;
    EntryGuardParams {
        max_positions_per_contract: s.count("max_positions_per_contract", raw.max_positions_per_contract),
        max_positions_per_index: s.count("max_positions_per_index", raw.max_positions_per_index),
        max_positions_total: s.count("max_positions_total", raw.max_positions_total),
        pyramid_only_in_profit: s.flag("pyramid_only_in_profit", raw.pyramid_only_in_profit),
        cooldown_direction: s.secs("cooldown_direction_secs", raw.cooldown_direction_secs),
        cooldown_strike: s.secs("cooldown_strike_secs", raw.cooldown_strike_secs),
        index_age: s.ages("index_age_ms", &raw.index_age_ms),
        option_age: s.ages("option_age_ms", &raw.option_age_ms),
        max_spread: s.bps("max_spread_pct", raw.max_spread_pct),
        slippage_cap: s.bps("slippage_cap_pct", raw.slippage_cap_pct),
        max_trades_per_index: s.count("max_trades_per_index", raw.max_trades_per_index),
        max_trades_per_day: s.count("max_trades_per_day", raw.max_trades_per_day),
    }
}

fn risk_params(raw: &Raw, tree: &Node, p: &mut Vec<Problem>) -> RiskParams {
    let mut index_day_loss = BTreeMap::new();
    for (name, index) in &raw.indices {
        let underlying = name.underlying();
        let mut s = Section { tree, prefix: format!("indices.{underlying}"), problems: &mut *p };
        if let Some(limit) = s.maybe_bps("day_loss_pct", &index.day_loss_pct) {
            index_day_loss.insert(underlying, limit);
        }
    }
    let mut s = Section { tree, prefix: "risk".to_owned(), problems: p };
    let raw: &RawRisk = &raw.risk;
    let stop_pct = s.maybe_bps("stop_pct", &raw.stop_pct);
    let stop_rupees = s.maybe("stop_rupees", &raw.stop_rupees).map(premium);
    let stop = match (stop_pct, stop_rupees) {
        (Some(pct), None) => StopDistance::Percent { pct },
        (None, Some(premium)) => StopDistance::Rupees { premium },
        (None, None) => {
            s.note("stop_pct", "a position needs a stop: neither stop_pct nor stop_rupees is set".to_owned());
            StopDistance::Percent { pct: Bps::from_percent(1) }
        }
        (Some(pct), Some(premium)) => {
            let message =
                format!("two stops are set, {pct} and Rs {premium}: set one of stop_pct, stop_rupees to none");
            s.note("stop_rupees", message);
            StopDistance::Percent { pct }
        }
    };
    let trail = s.maybe("trail", &raw.trail);
    let lock = s.maybe("profit_lock", &raw.profit_lock);
    let day_profit = s.maybe("day_profit", &raw.day_profit);
    let streak = s.maybe("loss_streak", &raw.loss_streak);
    let expiry_limits = s.need("expiry_limits", &raw.expiry_limits, Vec::new());
    RiskParams {
        stop,
        stop_limit_gap: s.bps("stop_limit_gap_pct", raw.stop_limit_gap_pct),
        target: s.maybe_bps("target_pct", &raw.target_pct),
        break_even_after: s.maybe_bps("break_even_after_pct", &raw.break_even_after_pct),
        trail: trail.map(|t| TrailParams {
            arm_after: s.bps("trail.arm_after_pct", t.arm_after_pct),
            drop: s.bps("trail.drop_pct", t.drop_pct),
        }),
        profit_lock: lock.map(|l| ProfitLockParams {
            min_profit: s.rupees("profit_lock.min_profit_rupees", l.min_profit_rupees),
            keep: s.bps("profit_lock.keep_pct", l.keep_pct),
        }),
        time_stop: s.maybe("time_stop_minutes", &raw.time_stop_minutes).map(|m| Age::from_mins(m.0)),
        day_loss: s.maybe_bps("day_loss_pct", &raw.day_loss_pct),
        index_day_loss,
        day_profit: day_profit.map(|d| DayProfitParams {
            target: s.rupees("day_profit.target_rupees", d.target_rupees),
            keep: s.bps("day_profit.keep_pct", d.keep_pct),
        }),
        loss_streak: streak.map(|l| LossStreakParams {
            losses: s.count("loss_streak.losses", l.losses),
            pause: Age::from_mins(s.whole("loss_streak.pause_minutes", l.pause_minutes)),
        }),
        expiry_limits: expiry_limits
            .iter()
            .map(|l| ExpiryLimit {
                minutes_to_expiry: l.minutes_to_expiry.0,
                max_lots: Lots::new(l.max_lots.0),
                stop: l.stop_pct.0.map(bps),
            })
            .collect(),
        cutoffs: s.maybe("cutoffs", &raw.cutoffs).as_ref().map(wanted_cutoffs),
    }
}

/// A cut-off that nobody wrote is as late as a day can be; clamping then takes the calendar's.
fn wanted_cutoffs(raw: &RawCutoffs) -> Cutoffs {
    let end = TimeOfDay::from_secs(86_399).expect("inside a day");
    Cutoffs {
        no_new_entry: raw.no_new_entry.map_or(end, |t| t.0),
        expiry_force_exit: raw.expiry_force_exit.map_or(end, |t| t.0),
        square_off_start: raw.square_off_start.map_or(end, |t| t.0),
        square_off_deadline: raw.square_off_deadline.map_or(end, |t| t.0),
        broker_square_off: end,
    }
}

fn engine_settings(raw: &Raw, tree: &Node, p: &mut Vec<Problem>) -> EngineSettings {
    let mut s = Section { tree, prefix: "engine".to_owned(), problems: p };
    let raw = &raw.engine;
    EngineSettings {
        mode: match s.need("mode", &raw.mode, RawMode::Sim) {
            RawMode::Sim => Mode::Sim,
            RawMode::Paper => Mode::Paper,
            RawMode::Live => Mode::Live,
        },
        consent: s.maybe("consent", &raw.consent),
        guardian_required: s.flag("guardian_required", raw.guardian_required),
        prepare: Age::from_mins(s.whole("prepare_minutes", raw.prepare_minutes)),
    }
}

fn order_params(raw: &Raw, tree: &Node, p: &mut Vec<Problem>) -> OrderParams {
    let mut s = Section { tree, prefix: "orders".to_owned(), problems: p };
    let raw = &raw.orders;
    let small = |n: i64| u8::try_from(n).unwrap_or(u8::MAX);
    let instance = s.need("instance", &raw.instance, "S1".to_owned());
    let instance = InstanceTag::new(&instance).unwrap_or_else(|message| {
        s.note("instance", message);
        InstanceTag::new("S1").expect("two letters")
    });
    OrderParams {
        instance,
        entry_offset: s.bps("entry_offset_pct", raw.entry_offset_pct),
        entry_timeout: s.millis("entry_timeout_ms", raw.entry_timeout_ms),
        exit_offset: s.bps("exit_offset_pct", raw.exit_offset_pct),
        exit_chase: s.millis("exit_chase_ms", raw.exit_chase_ms),
        max_modifications: small(s.whole("max_modifications", raw.max_modifications)),
        modifications_for_exit: small(s.whole("modifications_for_exit", raw.modifications_for_exit)),
        stop_move_min: s.bps("stop_move_min_pct", raw.stop_move_min_pct),
        answer_timeout: s.millis("answer_timeout_ms", raw.answer_timeout_ms),
    }
}
