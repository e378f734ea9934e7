//! Facts an entry needs from other stages than the one that decides on it.

use crate::capital_allocator::HoldRequest;
use crate::chain_analyzer::{self, NoStrike};
use crate::domain::{Instant, InstrumentId, OptionContract, Premium, SignalId, Stamp, Underlying};
use crate::entry_guard::{EntryBlock, EntryContext, EntryGuard, EntryRefusal, Guarded, PositionCounts};
use crate::order_manager::{Exposure, OrderManager};
use crate::params::ChainParams;
use crate::pipeline::EntryPrices;
use crate::risk_manager::{RiskManager, StopPreview};

use super::market::{EntryQuotes, ListedExpiry};
use super::session::SessionTerms;

/// What the order manager knows about an entry to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderFacts {
    /// Positions that count against it.
    pub exposure: Exposure,
    /// Whether the signal was acted on before.
    pub is_used: bool,
}

/// What the risk manager knows about an entry to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RiskFacts {
    /// A standing block.
    pub block: Option<EntryBlock>,
    /// Whether every position in the contract shows a profit.
    pub all_in_profit: bool,
}

/// The expiry to buy, with the time its contracts stop trading.
///
/// # Errors
/// When none is far enough away.
pub fn choose_expiry(params: &ChainParams, now: Stamp, listed: &[ListedExpiry]) -> Result<ListedExpiry, NoStrike> {
    let chosen = chain_analyzer::choose_expiry(params, now.at, listed)?;
    let known = listed.iter().find(|(expiry, _)| *expiry == chosen);
    Ok(*known.expect("the chosen expiry is one of those listed"))
}

/// The order manager's part of an entry's facts.
pub fn order_facts(orders: &OrderManager, signal: &SignalId, instrument: InstrumentId) -> OrderFacts {
    OrderFacts { exposure: orders.exposure(signal.underlying, instrument), is_used: orders.is_used(signal) }
}

/// The risk manager's part of an entry's facts.
pub fn risk_facts(risk: &RiskManager, now: Instant, underlying: Underlying, instrument: InstrumentId) -> RiskFacts {
    let block = risk.entry_block(now, underlying);
    RiskFacts {
        block: block.map(|b| EntryBlock { code: b.code(), text: b.to_string() }),
        all_in_profit: risk.all_in_profit(instrument),
    }
}

/// Prices of an entry in a contract, given its best ask.
pub fn prices(orders: &OrderManager, contract: &OptionContract, ask: Premium) -> EntryPrices {
    EntryPrices { ask, limit: orders.entry_limit(ask, contract.tick) }
}

/// What the allocator is asked to hold.
pub fn hold_request(
    terms: Option<&SessionTerms>,
    contract: &OptionContract,
    prices: EntryPrices,
    preview: &StopPreview,
) -> HoldRequest {
    HoldRequest {
        underlying: contract.underlying,
        entry_limit: prices.limit,
        stop: preview.trigger,
        stop_limit: preview.limit,
        lot: contract.lot,
        lots_cap: preview.lots_cap,
        round_trip_charges_per_order: terms.map(|t| t.flat_round_trip(contract.underlying)).unwrap_or_default(),
    }
}

/// Everything the entry guard judges an entry on.
#[derive(Debug, Clone)]
pub struct EntryCase {
    /// The signal.
    pub signal: SignalId,
    /// The contract chosen for it.
    pub contract: OptionContract,
    /// Its slot.
    pub instrument: InstrumentId,
    /// Its prices.
    pub prices: EntryPrices,
    /// Quotes of index and contract.
    pub quotes: EntryQuotes,
    /// From the order manager.
    pub orders: OrderFacts,
    /// From the risk manager.
    pub risk: RiskFacts,
    /// From the reconciler: what the broker's books forbid.
    pub broker: Option<EntryBlock>,
}

/// May we enter now?
///
/// # Panics
/// Without a session: a signal exists only inside one.
pub fn judge(
    guard: &EntryGuard,
    now: Stamp,
    terms: Option<&SessionTerms>,
    case: &EntryCase,
) -> Result<Guarded, EntryRefusal> {
    let terms = terms.expect("a signal exists only inside a session");
    let underlying = case.signal.underlying;
    let unpriced = || {
        let text = terms.missing_rates.get(&underlying)?.clone();
        Some(EntryBlock { code: "NO_CHARGE_RATES", text })
    };
    let exposure = case.orders.exposure;
    let context = EntryContext {
        signal: case.signal,
        contract: &case.contract,
        instrument: case.instrument,
        hours: &terms.hours,
        index_quote: case.quotes.index.as_ref(),
        option_quote: case.quotes.option.as_ref(),
        entry_limit: case.prices.limit,
        open: PositionCounts {
            in_contract: exposure.in_contract,
            in_index: exposure.in_index,
            total: exposure.total,
            others_in_contract_all_in_profit: case.risk.all_in_profit,
            in_doubt_in_underlying: exposure.in_doubt,
        },
        entries_blocked: case.risk.block.clone().or_else(unpriced).or_else(|| case.broker.clone()),
        duplicate_signal: case.orders.is_used,
    };
    guard.decide(now, &context)
}
