//! Every way the analyzer says no, with the numbers that made it so.

use serde::Serialize;

use super::JudgedCandidate;
use crate::domain::{Age, Bps, IndexPrice, Instant, Premium, Qty, Strike, TickSource, Underlying};
use crate::greeks::IvRefusal;

/// Why one candidate is not traded.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, thiserror::Error)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the numbers of a refusal are named by their fields and shown by its message")]
pub enum CandidateRefusal {
    /// The chain has no such contract.
    #[error("not listed")]
    NotListed,
    /// No usable quote this session.
    #[error("no quote")]
    NoQuote,
    /// A price that was worked out, not observed.
    #[error("its price is derived, not observed")]
    Derived,
    /// The quote is too old for its source.
    #[error("quote is {age} old, limit {limit} for source {source_of_price:?}")]
    Stale { age: Age, limit: Age, source_of_price: TickSource },
    /// Neither book nor trade.
    #[error("no trade and no book yet")]
    NoPrice,
    /// Only buyers or only sellers.
    #[error("no {}", if *has_bid { "sellers" } else { "buyers" })]
    OneSidedBook { has_bid: bool },
    /// Best bid above best ask.
    #[error("bid {bid} is above ask {ask}")]
    CrossedBook { bid: Premium, ask: Premium },
    /// No volatility explains the price.
    #[error("no implied volatility at {price}: {why}")]
    NoIv { price: Premium, why: IvRefusal },
    /// Implied volatility and Greeks are too uncertain to decide on.
    #[error("confidence is low: price {price}, time value {time_value:.2}, {}", spread_text(*spread))]
    LowConfidence { price: Premium, time_value: f64, spread: Option<f64> },
    /// Implied volatility under the band.
    #[error("IV {iv_pct:.2} % under {min_pct:.2} %")]
    IvLow { iv_pct: f64, min_pct: f64 },
    /// Implied volatility over the band.
    #[error("IV {iv_pct:.2} % over {max_pct:.2} %")]
    IvHigh { iv_pct: f64, max_pct: f64 },
    /// Too little open interest.
    #[error("open interest {oi}, at least {min}")]
    OiThin { oi: Qty, min: Qty },
    /// The spread costs too much.
    #[error("bid {bid} ask {ask}: spread above {max} of the bid")]
    SpreadWide { bid: Premium, ask: Premium, max: Bps },
    /// Too far out of the money.
    #[error("|delta| {abs_delta:.4} under {min:.4}")]
    DeltaLow { abs_delta: f64, min: f64 },
    /// Too far in the money.
    #[error("|delta| {abs_delta:.4} over {max:.4}")]
    DeltaHigh { abs_delta: f64, max: f64 },
    /// Cheaper or dearer than the index's band.
    #[error("premium {premium} outside {min} to {max}")]
    PremiumOutsideBand { premium: Premium, min: Premium, max: Premium },
    /// Too few points.
    #[error("score {score}, at least {min}")]
    ScoreLow { score: u32, min: u32 },
}

fn spread_text(spread: Option<f64>) -> String {
    spread.map_or_else(|| "no book".to_owned(), |s| format!("spread {s:.2}"))
}

impl CandidateRefusal {
    /// Stable code for counters and journals.
    pub const fn code(&self) -> &'static str {
        match self {
            CandidateRefusal::NotListed => "NOT_LISTED",
            CandidateRefusal::NoQuote => "NO_QUOTE",
            CandidateRefusal::Derived => "DERIVED",
            CandidateRefusal::Stale { .. } => "STALE",
            CandidateRefusal::NoPrice => "NO_PRICE",
            CandidateRefusal::OneSidedBook { .. } => "ONE_SIDED_BOOK",
            CandidateRefusal::CrossedBook { .. } => "CROSSED_BOOK",
            CandidateRefusal::NoIv { .. } => "NO_IV",
            CandidateRefusal::LowConfidence { .. } => "LOW_CONFIDENCE",
            CandidateRefusal::IvLow { .. } => "IV_LOW",
            CandidateRefusal::IvHigh { .. } => "IV_HIGH",
            CandidateRefusal::OiThin { .. } => "OI_THIN",
            CandidateRefusal::SpreadWide { .. } => "SPREAD_WIDE",
            CandidateRefusal::DeltaLow { .. } => "DELTA_LOW",
            CandidateRefusal::DeltaHigh { .. } => "DELTA_HIGH",
            CandidateRefusal::PremiumOutsideBand { .. } => "PREMIUM_OUTSIDE_BAND",
            CandidateRefusal::ScoreLow { .. } => "SCORE_LOW",
        }
    }
}

/// Why no contract is picked.
#[derive(Debug, Clone, PartialEq, Serialize, thiserror::Error)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the numbers of a refusal are named by their fields and shown by its message")]
pub enum NoStrike {
    /// No listed expiry is far enough away.
    #[error("none of {listed} listed expiries is at least {min_minutes} minutes away")]
    NoExpiry { listed: usize, min_minutes: i64 },
    /// Trading in the expiry is over.
    #[error("trading in the expiry ended at {}", expires_at.ist_text())]
    Expired { expires_at: Instant },
    /// No option of the expiry was quoted this session.
    #[error("no option data on this tape for {underlying}: {listed} contracts listed, none quoted")]
    NoChain { underlying: Underlying, listed: usize },
    /// No index price this session.
    #[error("no price of {underlying}")]
    NoSpot { underlying: Underlying },
    /// The index price is too old for its source.
    #[error("{underlying} price is {age} old, limit {limit} for source {source_of_price:?}")]
    SpotStale { underlying: Underlying, age: Age, limit: Age, source_of_price: TickSource },
    /// The listed strikes do not reach the money.
    #[error("spot {spot}: nearest listed strike {nearest} is more than a step of {step} away from the money")]
    NoAtm { spot: IndexPrice, nearest: Strike, step: Strike },
    /// No candidate passed.
    #[error("no candidate passed: {}", list(.0))]
    AllFiltered(Vec<JudgedCandidate>),
}

/// The first reasons, in order of offset.
fn list(candidates: &[JudgedCandidate]) -> String {
    const SHOWN: usize = 4;
    let mut text: Vec<String> = candidates.iter().take(SHOWN).map(ToString::to_string).collect();
    if candidates.len() > SHOWN {
        text.push(format!("and {} more", candidates.len() - SHOWN));
    }
    text.join("; ")
}

impl NoStrike {
    /// Stable code for counters and journals.
    pub const fn code(&self) -> &'static str {
        match self {
            NoStrike::NoExpiry { .. } => "NO_EXPIRY",
            NoStrike::Expired { .. } => "EXPIRED",
            NoStrike::NoChain { .. } => "NO_CHAIN",
            NoStrike::NoSpot { .. } => "NO_SPOT",
            NoStrike::SpotStale { .. } => "SPOT_STALE",
            NoStrike::NoAtm { .. } => "NO_ATM",
            NoStrike::AllFiltered(_) => "ALL_FILTERED",
        }
    }

    /// The judged candidates, when there were any.
    pub fn candidates(&self) -> &[JudgedCandidate] {
        match self {
            NoStrike::AllFiltered(candidates) => candidates,
            _ => &[],
        }
    }
}
