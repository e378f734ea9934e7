//! Codes in plain words: exit reasons, stages and refusals.

use std::collections::BTreeMap;

use scalper_decide::domain::ExitReason;

use crate::backtest::result::BacktestResult;

/// What an exit reason means, for people.
pub const fn exit_reason(reason: ExitReason) -> &'static str {
    match reason {
        ExitReason::StopLoss => "the initial stop was hit",
        ExitReason::Target => "the profit target was reached",
        ExitReason::BreakEven => "the stop, raised to the entry price, was hit",
        ExitReason::TrailingStop => "the stop, following the best price, was hit",
        ExitReason::ProfitLock => "the profit fell under its locked share of the peak",
        ExitReason::TimeStop => "held as long as allowed",
        ExitReason::SquareOff => "end-of-day square-off",
        ExitReason::ExpiryForceExit => "forced exit before the contract expires today",
        ExitReason::DailyLossBreaker => "the daily-loss breaker tripped",
        ExitReason::DayProfitLock => "the day's profit was locked in",
        ExitReason::ExpirySettlement => "settled by the exchange at expiry",
        ExitReason::Operator => "a person asked for it",
    }
}

/// The question a stage answers with yes or a refusal.
pub fn stage_question(stage: &str) -> &'static str {
    match stage {
        "tick_cache" => "is the price believable?",
        "signal_engine" => "is there a signal?",
        "chain_analyzer" => "is there a contract worth buying?",
        "capital_allocator" => "does the account carry a lot?",
        "entry_guard" => "may we enter now?",
        "risk_manager" => "does the risk book allow it?",
        "order_manager" => "can the order be sent?",
        _ => "",
    }
}

/// What a refusal means where the code alone may not say it; `None` for codes that read as they are.
pub fn refusal(code: &str) -> Option<&'static str> {
    Some(match code {
        "NO_FLIP" => "Supertrend did not change direction on this bar",
        "ADX_WEAK" => "the trend is too weak by ADX",
        "UNKNOWN_BALANCE" => "the balance is not known, so nothing is free",
        "NO_BAND" => "no capital band covers an account of this size",
        "STOP_NOT_UNDER_ENTRY" => "the stop would not lie under the entry price",
        "RISK_BUDGET_SHORT" => "one lot would lose more at its stop than a trade may risk",
        "ALLOCATION_SHORT" => "one lot costs more than a trade may tie up",
        "INDEX_ALLOCATION_SHORT" => "one lot costs more than this index may tie up",
        "TRADE_COST_SHORT" => "one lot costs more than the rupee limit of a trade",
        "CAPITAL_SHORT" => "one lot costs more than the capital that is free",
        "MAX_LOTS_ZERO" => "the configured most lots leave room for none",
        "LOTS_CAP_ZERO" => "the cap on lots leaves room for none",
        _ => return None,
    })
}

/// A code as words: `STALE_PRICE` reads `stale price`.
pub fn spelled(code: &str) -> String {
    code.replace('_', " ").to_lowercase()
}

/// The first recorded answer per (stage, code), with its real numbers: the best explanation of a refusal.
pub fn examples(result: &BacktestResult) -> BTreeMap<(&'static str, &'static str), &str> {
    let mut first = BTreeMap::new();
    for decision in &result.decisions {
        first.entry((decision.stage, decision.code)).or_insert(decision.text.as_str());
    }
    first
}

/// What a fill model assumes.
pub fn fill_model(model: &str) -> &'static str {
    match model {
        "optimistic" => "upper bound, never the headline",
        "base" => "ask to buy, bid to sell, as recorded",
        "pessimistic" => "worse prices and smaller fills",
        "stressed" => "lower bound: wide spreads, slow venue",
        _ => "",
    }
}

/// What a replay is not; printed at the end of every report.
pub const NOT_A_PROMISE: [&str; 5] = [
    "A replay meets books as they were. It cannot know how the market would have answered our orders.",
    "Recorded data has gaps; figures from ticks that are points of bars are estimates, and their share is printed.",
    "Settings tuned on these days will look better on them than on any other day.",
    "Ratios of a few days are noise: Sharpe, Sortino, CAGR and Calmar mean little under about 60 trading days.",
    "Past results do not predict future results. This is a measurement, not advice.",
];
