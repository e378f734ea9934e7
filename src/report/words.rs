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

/// Codes in plain words, by gate in the order they are asked.
const REFUSALS: &[(&str, &str)] = &[
    // Signal engine.
    ("WARM_UP_DAY", "this day only feeds the indicators"),
    ("WARMING_UP", "too few closed bars for the indicators to be trusted"),
    ("BLACKOUT_DATE", "the date is configured as one without entries"),
    ("OPENING_WINDOW", "inside the no-trade minutes after the open"),
    ("PAST_NO_NEW_ENTRY", "too late in the day for a new position"),
    ("INDEX_NOT_CONTINUOUS", "the index went quiet while its options still trade"),
    ("INDICATOR_UNDEFINED", "an indicator has no value yet"),
    ("NO_FLIP", "Supertrend did not change direction recently"),
    ("TIMEFRAMES_DISAGREE", "the confirmation timeframe points the other way"),
    ("ADX_WEAK", "the trend is too weak by ADX"),
    ("TREND_UNCONFIRMED", "the closes do not go the signal's way"),
    ("THETA_CUTOFF", "too late in the day to pay for time value"),
    ("EXPIRY_TOO_CLOSE", "the nearest expiry is too few minutes away"),
    ("IV_RANK_OUTSIDE", "options are too cheap or too dear against their own past"),
    ("IV_NO_HISTORY", "too little IV history to judge, and the configuration refuses that"),
    ("IV_UNKNOWN", "no IV could be computed now"),
    // Chain analyzer.
    ("NO_EXPIRY", "no expiry is listed"),
    ("EXPIRED", "the chosen expiry has passed"),
    ("NO_CHAIN", "no contracts of the expiry are known"),
    ("NO_SPOT", "the index has no price"),
    ("SPOT_STALE", "the index price is too old"),
    ("NO_ATM", "no strike near the index is listed"),
    ("ALL_FILTERED", "every candidate contract was refused"),
    ("NOT_LISTED", "the contract is not listed"),
    ("NO_QUOTE", "the contract has no quote"),
    ("DERIVED", "its price was worked out, not observed"),
    ("STALE", "its quote is too old"),
    ("NO_PRICE", "it has no price"),
    ("NO_IV", "no IV explains its price"),
    ("LOW_CONFIDENCE", "its IV and Greeks cannot be trusted"),
    ("IV_LOW", "its IV is under the limit"),
    ("IV_HIGH", "its IV is over the limit"),
    ("OI_THIN", "too little open interest"),
    ("DELTA_LOW", "its delta is under the limit"),
    ("DELTA_HIGH", "its delta is over the limit"),
    ("PREMIUM_OUTSIDE_BAND", "its premium is outside the configured band"),
    ("SCORE_LOW", "its score is under the limit"),
    ("OUTRANKED", "another contract scored higher"),
    // Capital allocator.
    ("UNKNOWN_BALANCE", "the balance is not known, so nothing is free"),
    ("NO_BAND", "no capital band covers an account of this size"),
    ("STOP_NOT_UNDER_ENTRY", "the stop would not lie under the entry price"),
    ("RISK_BUDGET_SHORT", "one lot would lose more at its stop than a trade may risk"),
    ("ALLOCATION_SHORT", "one lot costs more than a trade may tie up"),
    ("INDEX_ALLOCATION_SHORT", "one lot costs more than this index may tie up"),
    ("TRADE_COST_SHORT", "one lot costs more than the rupee limit of a trade"),
    ("CAPITAL_SHORT", "one lot costs more than the capital that is free"),
    ("MAX_LOTS_ZERO", "the configured most lots leave room for none"),
    ("LOTS_CAP_ZERO", "the cap on lots leaves room for none"),
    // Entry guard.
    ("SESSION_CLOSED", "not a time of continuous trading"),
    ("CONTRACT_MISMATCH", "the contract does not fit the signal"),
    ("CONTRACT_EXPIRED", "the contract has expired"),
    ("DUPLICATE_SIGNAL", "this signal was acted on already"),
    ("IN_DOUBT", "an order's fate is unknown; nothing new until it is settled"),
    ("CONTRACT_FULL", "most positions on this contract are open"),
    ("INDEX_FULL", "most positions on this index are open"),
    ("ALL_FULL", "most positions of the account are open"),
    ("PYRAMID_NOT_IN_PROFIT", "the first position on this contract is not in profit"),
    ("DIRECTION_COOL_DOWN", "cooling down after an exit in this direction"),
    ("STRIKE_COOL_DOWN", "cooling down after an exit at this strike"),
    ("INDEX_TRADES_DONE", "the day's entries of this index are used up"),
    ("DAY_TRADES_DONE", "the day's entries are used up"),
    ("INDEX_PRICE_MISSING", "the index has no price"),
    ("INDEX_FROM_FUTURE", "the index price is dated after now"),
    ("INDEX_STALE", "the index price is too old"),
    ("OPTION_PRICE_MISSING", "the contract has no price"),
    ("OPTION_PRICE_DERIVED", "the contract's price was worked out, not observed"),
    ("OPTION_FROM_FUTURE", "the contract's price is dated after now"),
    ("OPTION_STALE", "the contract's price is too old"),
    ("ONE_SIDED_BOOK", "one side of the book is empty"),
    ("CROSSED_BOOK", "bid at or above ask"),
    ("SPREAD_WIDE", "the spread is too wide"),
    ("LIMIT_OFF_TICK", "the limit is not a multiple of the tick"),
    ("SLIPPAGE_CAP", "the ask ran away from the decision price"),
    ("NO_ASK", "nobody offers the contract"),
    // Risk manager.
    ("DAILY_LOSS_BREAKER", "the daily-loss breaker is latched"),
    ("INDEX_DAILY_LOSS_BREAKER", "the daily-loss breaker of this index is latched"),
    ("DAY_PROFIT_LOCK", "the day's profit is locked in"),
    ("LOSS_STREAK_PAUSE", "pausing after losses in a row"),
    ("HALTED", "a person halted entries"),
    ("REDUCE_ONLY", "a person allows exits only"),
    ("INDEX_PAUSED", "a person paused this index"),
    ("BREAKER_TRIPPED", "the breaker was tripped by hand"),
    ("EXPIRY_LIMIT", "a limit for the last minutes before expiry"),
    ("NO_STOP_DISTANCE", "no room for a stop under the entry"),
    ("NO_TIME_LEFT", "no time left before the position must be closed"),
    ("NO_CHARGE_RATES", "the charge table has no rates for the day"),
];

/// What a refusal means; `None` for a code that has no entry, which then reads as it is spelled.
pub fn refusal(code: &str) -> Option<&'static str> {
    REFUSALS.iter().find(|(known, _)| *known == code).map(|(_, words)| *words)
}

/// A code as words: `STALE_PRICE` reads `stale price`.
pub fn spelled(code: &str) -> String {
    code.replace('_', " ").to_lowercase()
}

/// The first recorded answer per (stage, code), with its real numbers: the best explanation of a refusal. A text that
/// opens with its own code is cut to what follows.
pub fn examples(result: &BacktestResult) -> BTreeMap<(&'static str, &'static str), &str> {
    let mut first = BTreeMap::new();
    for decision in &result.decisions {
        first.entry((decision.stage, decision.code)).or_insert_with(|| {
            let text = decision.text.as_str();
            text.strip_prefix(decision.code).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(text)
        });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained_once_and_unknown_codes_are_spelled_out() {
        for (i, (code, words)) in REFUSALS.iter().enumerate() {
            assert!(code.chars().all(|c| c.is_ascii_uppercase() || c == '_'), "{code}");
            assert!(!words.contains(['<', '>', '&']), "{code}: texts go into pages as they are");
            assert!(!REFUSALS[..i].iter().any(|(earlier, _)| earlier == code), "{code} twice");
        }
        assert_eq!(refusal("SOMETHING_NEW"), None);
        assert_eq!(spelled("SOMETHING_NEW"), "something new");
    }
}
