//! Every way the guard says no, with the numbers that made it so.

use chrono::NaiveDate;
use serde::Serialize;

use super::EntryBlock;
use crate::domain::{
    Age, Bps, Direction, Instant, Premium, Right, SignalId, Strike, TickSource, TimeOfDay, Underlying,
};

/// Why an entry is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the numbers of a refusal are named by their fields and shown by its message")]
pub enum EntryRefusal {
    /// Not a time of continuous trading of this day.
    #[error("no continuous trading at {}", now.ist_text())]
    SessionClosed { now: Instant },
    /// Too late in the day for new positions.
    #[error("{time} is past no_new_entry {cutoff}")]
    PastNoNewEntry { time: TimeOfDay, cutoff: TimeOfDay },
    /// The options still trade, the index does not.
    #[error("{time} is past index_continuous_close {close}")]
    IndexNotContinuous { time: TimeOfDay, close: TimeOfDay },
    /// The risk manager allows no entries; the code is the block's.
    #[error("{}", .0.text)]
    Blocked(EntryBlock),
    /// A contract of another index or of the other right than the signal asks for.
    #[error("signal {signal} does not buy {underlying} {right}")]
    ContractMismatch { signal: SignalId, underlying: Underlying, right: Right },
    /// A contract of an earlier day.
    #[error("the contract expired on {expiry}")]
    ContractExpired { expiry: NaiveDate },
    /// The signal was acted on already (F-33).
    #[error("signal {signal} was acted on already{}", entered.map(|at| format!(" at {}", at.ist_text())).unwrap_or_default())]
    DuplicateSignal { signal: SignalId, entered: Option<Instant> },
    /// An order of the index has an unknown fate.
    #[error("an order of {underlying} is in doubt")]
    InDoubt { underlying: Underlying },
    /// Enough positions in the contract.
    #[error("{strike} {right} has {open} positions or working entries, limit {limit}")]
    ContractFull { strike: Strike, right: Right, open: u32, limit: u32 },
    /// Enough positions in the index.
    #[error("{underlying} has {open} positions or working entries, limit {limit}")]
    IndexFull { underlying: Underlying, open: u32, limit: u32 },
    /// Enough positions in all.
    #[error("{open} positions or working entries in all, limit {limit}")]
    AllFull { open: u32, limit: u32 },
    /// An earlier position in the contract is not in profit.
    #[error("not all of the {open} earlier positions in the contract are in profit")]
    PyramidNotInProfit { open: u32 },
    /// Too soon after leaving the same index and direction (F-54).
    #[error("left {underlying} {direction} {since} ago, cool-down {limit}")]
    DirectionCoolDown { underlying: Underlying, direction: Direction, since: Age, limit: Age },
    /// Too soon after leaving the same strike.
    #[error("left {strike} {right} {since} ago, cool-down {limit}")]
    StrikeCoolDown { strike: Strike, right: Right, since: Age, limit: Age },
    /// The index had its entries of the day.
    #[error("{underlying} had {trades} entries today, limit {limit}")]
    IndexTradesDone { underlying: Underlying, trades: u32, limit: u32 },
    /// The day had its entries.
    #[error("{trades} entries today, limit {limit}")]
    DayTradesDone { trades: u32, limit: u32 },
    /// No usable index price this session.
    #[error("no price of {underlying}")]
    IndexPriceMissing { underlying: Underlying },
    /// The index price claims to be younger than now.
    #[error("{underlying} price received {}, now is {}", received_at.ist_text(), now.ist_text())]
    IndexFromFuture { underlying: Underlying, received_at: Instant, now: Instant },
    /// The index price is too old for its source.
    #[error("{underlying} price is {age} old, limit {limit} for source {source_of_price:?}")]
    IndexStale { underlying: Underlying, age: Age, limit: Age, source_of_price: TickSource },
    /// No usable option price this session.
    #[error("no price of {strike} {right}")]
    OptionPriceMissing { strike: Strike, right: Right },
    /// An option price that was worked out, not observed.
    #[error("the price of {strike} {right} is derived, not observed")]
    OptionPriceDerived { strike: Strike, right: Right },
    /// The option price claims to be younger than now.
    #[error("{strike} {right} price received {}, now is {}", received_at.ist_text(), now.ist_text())]
    OptionFromFuture { strike: Strike, right: Right, received_at: Instant, now: Instant },
    /// The option price is too old for its source (F-42).
    #[error("{strike} {right} price is {age} old, limit {limit} for source {source_of_price:?}")]
    OptionStale { strike: Strike, right: Right, age: Age, limit: Age, source_of_price: TickSource },
    /// Only buyers or only sellers.
    #[error("{strike} {right} has no {}", if *has_bid { "sellers" } else { "buyers" })]
    OneSidedBook { strike: Strike, right: Right, has_bid: bool },
    /// Best bid above best ask.
    #[error("bid {bid} is above ask {ask}")]
    CrossedBook { bid: Premium, ask: Premium },
    /// The spread costs too much (F-48).
    #[error("bid {bid} ask {ask}: spread above {limit} of the bid")]
    SpreadWide { bid: Premium, ask: Premium, limit: Bps },
    /// A limit price the exchange would not take.
    #[error("entry limit {limit} is not a positive multiple of the tick {tick}")]
    LimitOffTick { limit: Premium, tick: Premium },
    /// The entry might pay too much over the ask.
    #[error("entry limit {limit} is more than {cap} above {ask}")]
    SlippageCap { limit: Premium, ask: Premium, cap: Bps },
}

impl EntryRefusal {
    /// Stable code for counters and journals; a block answers with its own.
    pub const fn code(&self) -> &'static str {
        match self {
            EntryRefusal::SessionClosed { .. } => "SESSION_CLOSED",
            EntryRefusal::PastNoNewEntry { .. } => "PAST_NO_NEW_ENTRY",
            EntryRefusal::IndexNotContinuous { .. } => "INDEX_NOT_CONTINUOUS",
            EntryRefusal::Blocked(block) => block.code,
            EntryRefusal::ContractMismatch { .. } => "CONTRACT_MISMATCH",
            EntryRefusal::ContractExpired { .. } => "CONTRACT_EXPIRED",
            EntryRefusal::DuplicateSignal { .. } => "DUPLICATE_SIGNAL",
            EntryRefusal::InDoubt { .. } => "IN_DOUBT",
            EntryRefusal::ContractFull { .. } => "CONTRACT_FULL",
            EntryRefusal::IndexFull { .. } => "INDEX_FULL",
            EntryRefusal::AllFull { .. } => "ALL_FULL",
            EntryRefusal::PyramidNotInProfit { .. } => "PYRAMID_NOT_IN_PROFIT",
            EntryRefusal::DirectionCoolDown { .. } => "DIRECTION_COOL_DOWN",
            EntryRefusal::StrikeCoolDown { .. } => "STRIKE_COOL_DOWN",
            EntryRefusal::IndexTradesDone { .. } => "INDEX_TRADES_DONE",
            EntryRefusal::DayTradesDone { .. } => "DAY_TRADES_DONE",
            EntryRefusal::IndexPriceMissing { .. } => "INDEX_PRICE_MISSING",
            EntryRefusal::IndexFromFuture { .. } => "INDEX_FROM_FUTURE",
            EntryRefusal::IndexStale { .. } => "INDEX_STALE",
            EntryRefusal::OptionPriceMissing { .. } => "OPTION_PRICE_MISSING",
            EntryRefusal::OptionPriceDerived { .. } => "OPTION_PRICE_DERIVED",
            EntryRefusal::OptionFromFuture { .. } => "OPTION_FROM_FUTURE",
            EntryRefusal::OptionStale { .. } => "OPTION_STALE",
            EntryRefusal::OneSidedBook { .. } => "ONE_SIDED_BOOK",
            EntryRefusal::CrossedBook { .. } => "CROSSED_BOOK",
            EntryRefusal::SpreadWide { .. } => "SPREAD_WIDE",
            EntryRefusal::LimitOffTick { .. } => "LIMIT_OFF_TICK",
            EntryRefusal::SlippageCap { .. } => "SLIPPAGE_CAP",
        }
    }
}
