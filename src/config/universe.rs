//! The section `universe`: what the market feed carries.

use std::collections::BTreeMap;

use scalper_decide::domain::Underlying;
use schemars::JsonSchema;
use serde::Deserialize;

use super::checked::Section;
use super::error::Problem;
use super::leaf::Whole;
use super::node::Node;
use crate::market::universe::settings::{ChainLevels, Preload, Strikes, TierA, TierB, UniverseSettings};

/// What the market feed carries.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawUniverse {
    /// A strike at the money is worked out anew after this many seconds at the latest.
    pub(crate) atm_max_age_secs: Option<Whole>,
    /// Strikes the money may move before a window of strikes follows.
    pub(crate) slack_strikes: Option<Whole>,
    /// Different instruments in the watchlists of one user.
    pub(crate) per_user_instruments: Option<Whole>,
    /// Subscribe messages per second on one socket.
    pub(crate) messages_per_second: Option<Whole>,
    /// Always on.
    pub(crate) tier_b: RawTierB,
    /// On demand: watchlists.
    pub(crate) tier_a: RawTierA,
}

/// Always on.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawTierB {
    /// Index chains.
    pub(crate) chains: BTreeMap<Underlying, RawLevels>,
    /// Nearest futures of each of these indices; 0 for none.
    pub(crate) index_futures: Option<Whole>,
    /// Whether INDIA VIX is carried.
    pub(crate) india_vix: Option<bool>,
    /// Commodity futures.
    pub(crate) mcx_futures: RawMcxFutures,
    /// Options on commodity futures.
    pub(crate) mcx_options: RawMcxOptions,
}

/// One index chain of tier B.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawLevels {
    /// Strikes on each side of the money: 10 gives 21 strikes, 42 contracts.
    pub(crate) levels_each_side: Option<Whole>,
    /// Nearest expiries; as many as are listed when those are fewer. 0 for none.
    pub(crate) expiries: Option<Whole>,
}

/// Commodity futures of tier B.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawMcxFutures {
    /// Symbols at MCX; the list is replaced as a whole.
    pub(crate) symbols: Option<Vec<String>>,
    /// Nearest futures of each.
    pub(crate) contracts: Option<Whole>,
}

/// Commodity options of tier B.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawMcxOptions {
    /// Symbols at MCX; the list is replaced as a whole.
    pub(crate) symbols: Option<Vec<String>>,
    /// Strikes on each side of the money, which is where the future behind the option is.
    pub(crate) levels_each_side: Option<Whole>,
    /// Nearest expiries.
    pub(crate) expiries: Option<Whole>,
}

/// On demand.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawTierA {
    /// Strikes of an index chain on a watchlist.
    pub(crate) index_windows: BTreeMap<Underlying, RawStrikes>,
    /// Strikes of a stock chain on a watchlist.
    pub(crate) stock_window: RawStrikes,
    /// What a start puts on a watchlist of its own; 0 for nothing.
    pub(crate) preload: RawPreload,
}

/// Strikes around the money.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawStrikes {
    /// Strikes below it.
    pub(crate) below: Option<Whole>,
    /// Strikes above it.
    pub(crate) above: Option<Whole>,
}

/// What a start puts on a watchlist of its own.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawPreload {
    /// Nearest expiries of every index chain.
    pub(crate) index_expiries: Option<Whole>,
    /// Stocks with options, by symbol.
    pub(crate) stocks: Option<Whole>,
    /// Nearest expiries of each of these stocks.
    pub(crate) stock_expiries: Option<Whole>,
    /// Nearest futures of each of these stocks.
    pub(crate) stock_futures: Option<Whole>,
    /// Shares of series EQ, those with options first.
    pub(crate) equities: Option<Whole>,
}

/// Brings the section into core units.
pub(crate) fn settings(raw: &RawUniverse, tree: &Node, problems: &mut Vec<Problem>) -> UniverseSettings {
    let p = problems;
    let chains = raw.tier_b.chains.iter().map(|(underlying, chain)| {
        let mut s = at(tree, p, format!("universe.tier_b.chains.{underlying}"));
        (*underlying, levels(&mut s, chain.levels_each_side, chain.expiries))
    });
    let chains = chains.collect();
    let options = &raw.tier_b.mcx_options;
    let mut s = at(tree, p, "universe.tier_b.mcx_options");
    let mcx_option_levels = levels(&mut s, options.levels_each_side, options.expiries);
    let mut s = at(tree, p, "universe.tier_b");
    let futures = &raw.tier_b.mcx_futures;
    let tier_b = TierB {
        chains,
        index_futures: s.size("index_futures", raw.tier_b.index_futures),
        india_vix: s.flag("india_vix", raw.tier_b.india_vix),
        mcx_futures: symbols(&mut s, "mcx_futures.symbols", &futures.symbols),
        mcx_future_contracts: s.size("mcx_futures.contracts", futures.contracts),
        mcx_options: symbols(&mut s, "mcx_options.symbols", &options.symbols),
        mcx_option_levels,
    };
    let windows = raw.tier_a.index_windows.iter().map(|(underlying, window)| {
        let mut s = at(tree, p, format!("universe.tier_a.index_windows.{underlying}"));
        (*underlying, strikes(&mut s, window))
    });
    let index_windows = windows.collect();
    let stock_window = strikes(&mut at(tree, p, "universe.tier_a.stock_window"), &raw.tier_a.stock_window);
    let mut s = at(tree, p, "universe.tier_a.preload");
    let raw_preload = &raw.tier_a.preload;
    let preload = Preload {
        index_expiries: s.size("index_expiries", raw_preload.index_expiries),
        stocks: s.size("stocks", raw_preload.stocks),
        stock_expiries: s.size("stock_expiries", raw_preload.stock_expiries),
        stock_futures: s.size("stock_futures", raw_preload.stock_futures),
        equities: s.size("equities", raw_preload.equities),
    };
    let mut s = at(tree, p, "universe");
    UniverseSettings {
        atm_max_age: s.secs("atm_max_age_secs", raw.atm_max_age_secs),
        slack_strikes: s.size("slack_strikes", raw.slack_strikes),
        per_user_instruments: s.size("per_user_instruments", raw.per_user_instruments),
        messages_per_second: s.count("messages_per_second", raw.messages_per_second),
        tier_b,
        tier_a: TierA { index_windows, stock_window, preload },
    }
}

fn at<'a>(tree: &'a Node, problems: &'a mut Vec<Problem>, prefix: impl Into<String>) -> Section<'a> {
    Section { tree, prefix: prefix.into(), problems }
}

fn levels(s: &mut Section<'_>, levels_each_side: Option<Whole>, expiries: Option<Whole>) -> ChainLevels {
    ChainLevels {
        levels_each_side: s.size("levels_each_side", levels_each_side),
        expiries: s.size("expiries", expiries),
    }
}

fn strikes(s: &mut Section<'_>, raw: &RawStrikes) -> Strikes {
    Strikes { below: s.size("below", raw.below), above: s.size("above", raw.above) }
}

/// Symbols as the exchange writes them, each once.
fn symbols(s: &mut Section<'_>, field: &str, raw: &Option<Vec<String>>) -> Vec<String> {
    let list = s.need(field, raw, Vec::new());
    for (place, symbol) in list.iter().enumerate() {
        let letters = !symbol.is_empty() && symbol.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        if !letters {
            s.note(field, format!("\"{symbol}\" is no symbol: write it as the exchange does, in capitals"));
        } else if list[..place].contains(symbol) {
            s.note(field, format!("{symbol} stands here twice"));
        }
    }
    list
}
