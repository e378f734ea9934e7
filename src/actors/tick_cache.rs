//! The tick cache by mailbox: quotes, levels and chains of what is listed.

use std::sync::Arc;

use scalper_decide::domain::{IndexPrice, Instrument, InstrumentId, InstrumentKind, Premium, Tick, Underlying};
use scalper_decide::stages::market::{EntryQuotes, ListedExpiry};
use scalper_decide::stages::{Market, SessionTerms};
use scalper_decide::tick_cache::{ChainSnapshot, Quote, TickRefusal};

use super::pulse::Beating;
use super::shell::{decider, questions};

decider! {
    /// Holds what is listed and its last believable ticks.
    TickCacheActor { market: Market }
}

impl TickCacheActor {
    /// An actor around this market.
    pub const fn new(pulse: Beating, market: Market) -> TickCacheActor {
        TickCacheActor { pulse, market }
    }
}

questions! { TickCacheActor:
    /// A session opens.
    OpenMarket { terms: Arc<SessionTerms> } -> () = |me, ask| me.market.open_session(&ask.terms);
    /// An instrument is listed.
    List { instrument: Instrument } -> () = |me, ask| { me.market.list(&ask.instrument); };
    /// Takes a tick in.
    ApplyTick { tick: Tick } -> Result<InstrumentKind, TickRefusal> = |me, ask| me.market.apply(&ask.tick);
    /// Last quote.
    GetQuote { instrument: InstrumentId } -> Option<Quote> = |me, ask| me.market.quote(ask.instrument);
    /// Last index level.
    GetLevel { underlying: Underlying } -> Option<IndexPrice> = |me, ask| me.market.index_level(ask.underlying);
    /// Whether a tick is the last known of its instrument.
    Holds { tick: Tick } -> bool = |me, ask| me.market.holds(&ask.tick);
    /// Best ask of a chosen contract.
    GetAsk { instrument: InstrumentId } -> Option<Premium> = |me, ask| me.market.ask(ask.instrument);
    /// Quotes an entry is judged on.
    GetEntryQuotes { underlying: Underlying, instrument: InstrumentId } -> EntryQuotes
        = |me, ask| me.market.entry_quotes(ask.underlying, ask.instrument);
    /// Listed expiries of an index.
    GetExpiries { underlying: Underlying } -> Vec<ListedExpiry> = |me, ask| me.market.listed_expiries(ask.underlying);
    /// Minutes to the nearest expiry.
    GetMinutesToExpiry { underlying: Underlying } -> Option<i64>
        = |me, ask| me.market.minutes_to_expiry(ask.now, ask.underlying);
    /// The chain of one expiry.
    GetChain { underlying: Underlying, expiry: ListedExpiry } -> ChainSnapshot
        = |me, ask| me.market.chain(ask.underlying, ask.expiry);
    /// The chain whose volatility is sampled.
    GetSampledChain { underlying: Underlying } -> Option<ChainSnapshot>
        = |me, ask| me.market.sampled_chain(ask.underlying);
}
