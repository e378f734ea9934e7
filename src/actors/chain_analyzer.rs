//! The chain analyzer by mailbox: which expiry, which strike, and what the volatility is at the money.

use scalper_decide::chain_analyzer::{NoStrike, StrikePick, atm_iv, rank};
use scalper_decide::domain::Direction;
use scalper_decide::params::ChainParams;
use scalper_decide::stages::entries;
use scalper_decide::stages::market::ListedExpiry;
use scalper_decide::tick_cache::ChainSnapshot;

use super::pulse::Beating;
use super::shell::{decider, questions};

decider! {
    /// Judges chains.
    ChainAnalyzerActor { params: ChainParams }
}

impl ChainAnalyzerActor {
    /// An analyzer with these settings.
    pub const fn new(pulse: Beating, params: ChainParams) -> ChainAnalyzerActor {
        ChainAnalyzerActor { pulse, params }
    }
}

questions! { ChainAnalyzerActor:
    /// New settings.
    ConfigureChain { params: ChainParams } -> () = |me, ask| me.params = ask.params;
    /// The expiry to buy.
    ChooseExpiry { listed: Vec<ListedExpiry> } -> Result<ListedExpiry, NoStrike>
        = |me, ask| entries::choose_expiry(&me.params, ask.now, &ask.listed);
    /// The contract to buy.
    Rank { direction: Direction, chain: Box<ChainSnapshot> } -> Result<StrikePick, NoStrike>
        = |me, ask| rank(&me.params, ask.now, ask.direction, &ask.chain);
    /// At-the-money volatility in percent.
    AtmIv { chain: Box<ChainSnapshot> } -> Option<f64> = |me, ask| atm_iv(&me.params, ask.now, &ask.chain);
}
