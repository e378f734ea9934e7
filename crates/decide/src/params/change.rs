//! What a change of the settings may do to a running engine: at once, with the next session, or not at all (I2, I4).
//!
//! Limits tighten at once. What loosens a limit waits until nothing is held. The structure of the strategy changes only
//! when nothing is held and the session has no bar yet. Stops are ratchets, so no setting ever loosens one in force.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{QuoteAgeLimits, StrategyParams};
use crate::domain::Underlying;

/// What the engine is doing when a change arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Circumstances {
    /// Nothing is owned and no order works.
    pub is_flat: bool,
    /// The session has closed a bar.
    pub has_bars: bool,
}

/// What becomes of one changed key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// In force from here on.
    AppliesNow,
    /// In force when the next trading day opens.
    NextSession,
    /// Not taken over.
    Refused,
}

/// One changed key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ConfigChange {
    /// Section and name of the setting.
    pub key: &'static str,
    /// What becomes of it.
    pub effect: Effect,
    /// Why.
    pub why: &'static str,
}

impl fmt::Display for ConfigChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let effect = match self.effect {
            Effect::AppliesNow => "applies now",
            Effect::NextSession => "applies with the next session",
            Effect::Refused => "refused",
        };
        write!(f, "{}: {effect} ({})", self.key, self.why)
    }
}

/// How a change of one key bears on risk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nature {
    /// No limit: changes nothing that is in force already.
    Harmless,
    /// A limit that gets tighter.
    Tighter,
    /// A limit that gets looser, or that cannot be compared.
    Looser,
    /// Fixed when a session opens.
    OfTheDay,
    /// Part of what the strategy is.
    Structure,
}

impl Nature {
    const fn judge(self, now: Circumstances) -> (Effect, &'static str) {
        match self {
            Nature::Harmless => (Effect::AppliesNow, "touches nothing that is in force for an open position"),
            Nature::Tighter => (Effect::AppliesNow, "a limit may tighten at any time"),
            Nature::Looser if now.is_flat => (Effect::AppliesNow, "nothing is held"),
            Nature::Looser => (Effect::NextSession, "a limit loosens only when nothing is held"),
            Nature::OfTheDay => (Effect::NextSession, "fixed when a session opens"),
            Nature::Structure if now.is_flat && !now.has_bars => (Effect::AppliesNow, "no bar yet, nothing held"),
            Nature::Structure => {
                (Effect::Refused, "the structure changes only when nothing is held and before the session's first bar")
            }
        }
    }
}

/// A key: its name, whether two settings differ in it, how to take it over, and its nature.
struct Key {
    name: &'static str,
    differs: fn(&StrategyParams, &StrategyParams) -> bool,
    take: fn(&mut StrategyParams, &StrategyParams),
    nature: fn(&StrategyParams, &StrategyParams) -> Nature,
}

macro_rules! key {
    // A limit that is tighter when smaller.
    ($name:literal, $($field:ident).+, smaller) => {
        key!($name, $($field).+, |a, b| tighter(b.$($field).+ < a.$($field).+))
    };
    // A limit that is tighter when larger.
    ($name:literal, $($field:ident).+, larger) => {
        key!($name, $($field).+, |a, b| tighter(b.$($field).+ > a.$($field).+))
    };
    ($name:literal, $($field:ident).+, $nature:expr) => {
        Key {
            name: $name,
            differs: |a, b| a.$($field).+ != b.$($field).+,
            take: |to, from| to.$($field).+.clone_from(&from.$($field).+),
            nature: $nature,
        }
    };
}

const fn tighter(is_tighter: bool) -> Nature {
    if is_tighter { Nature::Tighter } else { Nature::Looser }
}

fn ages(old: QuoteAgeLimits, new: QuoteAgeLimits) -> Nature {
    tighter(new.feed <= old.feed && new.snapshot <= old.snapshot && new.bar <= old.bar)
}

/// A share that is looser when it is not named: the capital band's stands in.
fn day_loss(old: &StrategyParams, new: &StrategyParams) -> Nature {
    match (old.risk.day_loss, new.risk.day_loss) {
        (Some(old), Some(new)) if new < old => Nature::Tighter,
        _ => Nature::OfTheDay,
    }
}

fn index_day_loss(old: &StrategyParams, new: &StrategyParams) -> Nature {
    let of = |p: &StrategyParams, u: Underlying| p.risk.index_day_loss.get(&u).copied();
    let is_tighter = Underlying::ALL.into_iter().all(|u| match (of(old, u), of(new, u)) {
        (Some(old), Some(new)) => new <= old,
        (Some(_), None) => false,
        (None, _) => true,
    });
    if is_tighter { Nature::Tighter } else { Nature::OfTheDay }
}

const HARMLESS: fn(&StrategyParams, &StrategyParams) -> Nature = |_, _| Nature::Harmless;
const LOOSER: fn(&StrategyParams, &StrategyParams) -> Nature = |_, _| Nature::Looser;
const OF_THE_DAY: fn(&StrategyParams, &StrategyParams) -> Nature = |_, _| Nature::OfTheDay;
const STRUCTURE: fn(&StrategyParams, &StrategyParams) -> Nature = |_, _| Nature::Structure;

/// Every setting, once.
const KEYS: [Key; 44] = [
    key!("indices", indices, STRUCTURE),
    key!("signal", signal, STRUCTURE),
    key!("signal_by_index", signal_by_index, STRUCTURE),
    key!("chain", chain, HARMLESS),
    key!("capital.opening_balance", capital.opening_balance, STRUCTURE),
    key!("capital.bands", capital.bands, LOOSER),
    key!("capital.index_allocation", capital.index_allocation, LOOSER),
    key!("capital.sizing", capital.sizing, LOOSER),
    key!("capital.max_lots", capital.max_lots, smaller),
    key!("capital.max_trade_cost", capital.max_trade_cost, |a, b| tighter(
        match (a.capital.max_trade_cost, b.capital.max_trade_cost) {
            (Some(old), Some(new)) => new < old,
            (None, Some(_)) => true,
            (_, None) => false,
        }
    )),
    key!("entry_guard.max_positions_per_contract", entry_guard.max_positions_per_contract, smaller),
    key!("entry_guard.max_positions_per_index", entry_guard.max_positions_per_index, smaller),
    key!("entry_guard.max_positions_total", entry_guard.max_positions_total, smaller),
    key!("entry_guard.pyramid_only_in_profit", entry_guard.pyramid_only_in_profit, larger),
    key!("entry_guard.cooldown_direction", entry_guard.cooldown_direction, larger),
    key!("entry_guard.cooldown_strike", entry_guard.cooldown_strike, larger),
    key!("entry_guard.index_age", entry_guard.index_age, |a, b| ages(a.entry_guard.index_age, b.entry_guard.index_age)),
    key!("entry_guard.option_age", entry_guard.option_age, |a, b| ages(
        a.entry_guard.option_age,
        b.entry_guard.option_age
    )),
    key!("entry_guard.max_spread", entry_guard.max_spread, smaller),
    key!("entry_guard.slippage_cap", entry_guard.slippage_cap, smaller),
    key!("entry_guard.max_trades_per_index", entry_guard.max_trades_per_index, smaller),
    key!("entry_guard.max_trades_per_day", entry_guard.max_trades_per_day, smaller),
    key!("risk.stop", risk.stop, HARMLESS),
    key!("risk.stop_limit_gap", risk.stop_limit_gap, HARMLESS),
    key!("risk.target", risk.target, HARMLESS),
    key!("risk.break_even_after", risk.break_even_after, HARMLESS),
    key!("risk.trail", risk.trail, HARMLESS),
    key!("risk.profit_lock", risk.profit_lock, HARMLESS),
    key!("risk.time_stop", risk.time_stop, HARMLESS),
    key!("risk.day_loss", risk.day_loss, day_loss),
    key!("risk.index_day_loss", risk.index_day_loss, index_day_loss),
    key!("risk.day_profit", risk.day_profit, OF_THE_DAY),
    key!("risk.loss_streak", risk.loss_streak, OF_THE_DAY),
    key!("risk.expiry_limits", risk.expiry_limits, LOOSER),
    key!("risk.cutoffs", risk.cutoffs, OF_THE_DAY),
    key!("orders.instance", orders.instance, STRUCTURE),
    key!("orders.entry_offset", orders.entry_offset, HARMLESS),
    key!("orders.entry_timeout", orders.entry_timeout, HARMLESS),
    key!("orders.exit_offset", orders.exit_offset, HARMLESS),
    key!("orders.exit_chase", orders.exit_chase, HARMLESS),
    key!("orders.max_modifications", orders.max_modifications, smaller),
    key!("orders.modifications_for_exit", orders.modifications_for_exit, HARMLESS),
    key!("orders.stop_move_min", orders.stop_move_min, HARMLESS),
    key!("orders.answer_timeout", orders.answer_timeout, HARMLESS),
];

/// Names of every setting, as changes name them.
pub fn keys() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|key| key.name)
}

/// What would become of every key in which `new` differs from `old`.
pub fn classify(old: &StrategyParams, new: &StrategyParams, now: Circumstances) -> Vec<ConfigChange> {
    let changed = KEYS.iter().filter(|key| (key.differs)(old, new));
    changed
        .map(|key| {
            let (effect, why) = (key.nature)(old, new).judge(now);
            ConfigChange { key: key.name, effect, why }
        })
        .collect()
}

/// `old` with those keys of `new` whose change has one of the `effects`.
pub fn merged(
    old: &StrategyParams,
    new: &StrategyParams,
    changes: &[ConfigChange],
    effects: &[Effect],
) -> StrategyParams {
    let mut to = old.clone();
    for change in changes.iter().filter(|c| effects.contains(&c.effect)) {
        let key = KEYS.iter().find(|key| key.name == change.key).expect("changes come from the list of keys");
        (key.take)(&mut to, new);
    }
    to
}
