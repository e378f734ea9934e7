//! The proved settings of what the feed carries; read from the section `universe` (`crate::config`).

use std::collections::BTreeMap;

use scalper_decide::domain::{Age, Underlying};
use serde::Serialize;

/// Strikes and expiries of one chain of tier B.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ChainLevels {
    /// Strikes on each side of the money: 10 gives 21 strikes, 42 contracts.
    pub levels_each_side: usize,
    /// Nearest expiries; fewer when fewer are listed.
    pub expiries: usize,
}

/// Strikes of a watchlist chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Strikes {
    /// Below the money.
    pub below: usize,
    /// Above it.
    pub above: usize,
}

/// Always on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TierB {
    /// Index chains, in the order of [`Underlying::ALL`].
    pub chains: BTreeMap<Underlying, ChainLevels>,
    /// Nearest futures of each of those indices.
    pub index_futures: usize,
    /// Whether INDIA VIX is carried.
    pub india_vix: bool,
    /// Commodities whose futures are carried.
    pub mcx_futures: Vec<String>,
    /// Nearest futures of each.
    pub mcx_future_contracts: usize,
    /// Commodities whose options are carried.
    pub mcx_options: Vec<String>,
    /// Their strikes and expiries.
    pub mcx_option_levels: ChainLevels,
}

/// On demand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TierA {
    /// Strikes of an index chain on a watchlist (S1-13, X-8).
    pub index_windows: BTreeMap<Underlying, Strikes>,
    /// Strikes of a stock chain on a watchlist (S1-12, X-8).
    pub stock_window: Strikes,
    /// What a start asks for by itself; 0 is nothing.
    pub preload: Preload,
}

/// Watchlist entries a start makes by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Preload {
    /// Nearest expiries of every index chain.
    pub index_expiries: usize,
    /// Stocks with options, by symbol.
    pub stocks: usize,
    /// Nearest expiries of each of these stocks.
    pub stock_expiries: usize,
    /// Nearest futures of each of these stocks.
    pub stock_futures: usize,
    /// Shares of series EQ: those with options first, then by symbol.
    pub equities: usize,
}

/// What the feed carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UniverseSettings {
    /// A strike at the money is believed for so long.
    pub atm_max_age: Age,
    /// Strikes the money may move before a window follows.
    pub slack_strikes: usize,
    /// Different instruments in the watchlists of one user.
    pub per_user_instruments: usize,
    /// Messages per second on one socket.
    pub messages_per_second: u32,
    /// Always on.
    pub tier_b: TierB,
    /// On demand.
    pub tier_a: TierA,
}

impl UniverseSettings {
    /// The planner's limits under these settings.
    pub fn limits(&self) -> crate::market::planner::Limits {
        crate::market::planner::Limits {
            per_user: self.per_user_instruments,
            messages_per_second: self.messages_per_second,
            ..Default::default()
        }
    }
}
