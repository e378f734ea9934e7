//! Which contract? From one expiry of an index at one moment, the strike to buy for a direction, or why none.
//!
//! Candidates are the at-the-money strike and the next ones out of the money, never the other side (S3-20, X-15). Each
//! is judged on its own quote, its own implied volatility (Black-76 on the forward) and what the tape knows of it; the
//! preferred offset is taken when it passes, else the best score, ties by distance from spot, then open interest. A
//! missing fact refuses; what a tape cannot carry at all (open interest, a book) is noted instead of asked.
#![allow(clippy::float_arithmetic, reason = "volatility, Greeks and forwards are models in f64, not money")]

mod judge;
mod observe;
mod pricing;
mod reasons;
mod score;
mod strikes;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::fmt;

use serde::Serialize;

use crate::domain::{Direction, IndexPrice, InstrumentId, OptionContract, Premium, Right, Stamp, Strike, TickSource};
use crate::greeks::{Confidence, Forward};
use crate::params::ChainParams;
use crate::tick_cache::{ChainSnapshot, Quote};

pub use reasons::{CandidateRefusal, NoStrike};
pub use score::{MAX_SCORE, ScoreParts};
pub use strikes::{atm, choose_expiry, strike_step};

/// What the tape could not tell about a candidate that passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Gap {
    /// The source carries no open interest: the minimum was not asked, the score counted it as least.
    NoOi,
    /// The source carries no book: the spread was not asked; fills take it from the spread model.
    NoBook,
}

/// Own implied volatility and Greeks of a candidate: Black-76 on the forward.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CandidateGreeks {
    /// Implied volatility, percent per year.
    pub iv_pct: f64,
    /// By the forward; negative for puts.
    pub delta: f64,
    /// Change of delta per index point.
    pub gamma: f64,
    /// Rupees per calendar day, negative while value decays.
    pub theta_per_day: f64,
    /// Rupees per vol point.
    pub vega_per_point: f64,
}

/// A contract that may be bought.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Candidate {
    /// Slot.
    pub id: InstrumentId,
    /// Terms.
    pub contract: OptionContract,
    /// The quote it was judged on.
    pub quote: Quote,
    /// Price it was judged at: the middle of the book, else the last trade.
    pub price: Premium,
    /// Strike steps out of the money.
    pub offset: u8,
    /// Score, 0..=[`MAX_SCORE`].
    pub score: u32,
    /// What the score is made of.
    pub components: ScoreParts,
    /// Volatility and Greeks.
    pub greeks: CandidateGreeks,
    /// How far they can be relied on; never [`Confidence::Low`] here.
    pub confidence: Confidence,
    /// What was not asked because the tape cannot tell.
    pub gaps: Vec<Gap>,
}

/// What became of a candidate that was not chosen.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It passed, another one was taken.
    Outranked(Box<Candidate>),
    /// It did not pass.
    Refused(CandidateRefusal),
}

/// A candidate that was not chosen, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JudgedCandidate {
    /// Strike steps out of the money.
    pub offset: u8,
    /// Its strike.
    pub strike: Strike,
    /// Call or put.
    pub right: Right,
    /// Why it was not chosen.
    pub outcome: Outcome,
}

impl JudgedCandidate {
    /// Stable code: `OUTRANKED` or the refusal's.
    pub const fn code(&self) -> &'static str {
        match &self.outcome {
            Outcome::Outranked(_) => "OUTRANKED",
            Outcome::Refused(refusal) => refusal.code(),
        }
    }
}

impl fmt::Display for JudgedCandidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}: ", self.strike, self.right, self.code())?;
        match &self.outcome {
            Outcome::Outranked(candidate) => write!(f, "score {}", candidate.score),
            Outcome::Refused(refusal) => refusal.fmt(f),
        }
    }
}

/// The contract to buy, and how it was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StrikePick {
    /// The contract.
    pub chosen: Candidate,
    /// The others by ascending offset, with reasons.
    pub runners_up: Vec<JudgedCandidate>,
    /// At-the-money strike.
    pub atm: Strike,
    /// Strike step near the money, `None` when only one strike is listed.
    pub step: Option<Strike>,
    /// Forward of the expiry.
    pub forward: Forward,
    /// Index level.
    pub spot: IndexPrice,
}

impl fmt::Display for StrikePick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let c = &self.chosen;
        write!(
            f,
            "{} {} of {}: score {}, own IV {:.2} %, delta {:.3}, at {}; forward {:.2}, ATM {}",
            c.contract.strike,
            c.contract.right,
            c.contract.expiry,
            c.score,
            c.greeks.iv_pct,
            c.greeks.delta,
            c.price,
            self.forward.value,
            self.atm
        )?;
        self.runners_up.iter().try_for_each(|judged| write!(f, "; {judged}"))
    }
}

/// The money of a snapshot: everything that candidates share.
struct AtTheMoney {
    spot: IndexPrice,
    step: Option<Strike>,
    atm: Strike,
}

/// Finds the contract to buy for `direction`.
pub fn rank(
    params: &ChainParams,
    now: Stamp,
    direction: Direction,
    snapshot: &ChainSnapshot,
) -> Result<StrikePick, NoStrike> {
    let money = money_of(params, now, snapshot)?;
    let pricing = pricing::Pricing::new(params, now.at, snapshot, money.spot)
        .map_err(|_| NoStrike::Expired { expires_at: snapshot.expires_at })?;
    let bench = judge::Bench { params, now: now.at, snapshot, money: &money, pricing: &pricing };

    let right = direction.right();
    // Without a step there is only one strike, and nothing lies beyond it.
    let offsets = if money.step.is_some() { params.max_offset } else { 0 };
    let mut passed: Vec<Candidate> = Vec::new();
    let mut others: Vec<JudgedCandidate> = Vec::new();
    for offset in 0..=offsets {
        let away = i64::from(offset) * money.step.map_or(0, Strike::paise) * direction.sign();
        let strike = Strike::from_paise(money.atm.paise() + away);
        match bench.judge(offset, strike, right) {
            Ok(candidate) => passed.push(candidate),
            Err(refusal) => {
                others.push(JudgedCandidate { offset, strike, right, outcome: Outcome::Refused(refusal) });
            }
        }
    }
    let Some(best) = choose(params, money.spot, &passed) else {
        return Err(NoStrike::AllFiltered(others));
    };
    let chosen = passed.remove(best);
    others.extend(passed.into_iter().map(|candidate| JudgedCandidate {
        offset: candidate.offset,
        strike: candidate.contract.strike,
        right,
        outcome: Outcome::Outranked(Box::new(candidate)),
    }));
    others.sort_by_key(|judged| judged.offset);
    Ok(StrikePick {
        chosen,
        runners_up: others,
        atm: money.atm,
        step: money.step,
        forward: *pricing.forward(),
        spot: money.spot,
    })
}

/// Place of the preferred candidate, else of the one with the best score.
fn choose(params: &ChainParams, spot: IndexPrice, passed: &[Candidate]) -> Option<usize> {
    let preferred = params.preferred_offset.and_then(|want| passed.iter().position(|c| c.offset == want));
    preferred.or_else(|| {
        let rank = |c: &Candidate| {
            let distance = (c.contract.strike.paise() - spot.paise()).abs();
            (Reverse(c.score), distance, Reverse(c.quote.oi), c.offset)
        };
        (0..passed.len()).min_by_key(|place| rank(&passed[*place]))
    })
}

/// Implied volatility at the money in percent: the mean of call and put where both can be read, else the one that can.
/// `None` when neither can, or only with low confidence. Meant for the IV history behind the IV rank.
pub fn atm_iv(params: &ChainParams, now: Stamp, snapshot: &ChainSnapshot) -> Option<f64> {
    let money = money_of(params, now, snapshot).ok()?;
    let pricing = pricing::Pricing::new(params, now.at, snapshot, money.spot).ok()?;
    let read = |right| {
        let leg = snapshot.leg(money.atm, right)?;
        let quote = leg.quote.as_ref()?;
        let seen = observe::observe(Some(quote), now.at, &params.quote_age).ok()?;
        let read = pricing.read(&leg.contract, quote, &seen, params, now.at).ok()?;
        (read.confidence != Confidence::Low).then_some(read.greeks.iv * 100.0)
    };
    match (read(Right::Call), read(Right::Put)) {
        (Some(call), Some(put)) => Some((call + put) / 2.0),
        (one, other) => one.or(other),
    }
}

/// The strike nearest to the money of which call and put have fresh quotes, at most one step away; two where the index
/// is a parity forward, which stands off the spot by its carry. Ties to the higher.
fn nearest_quoted(
    params: &ChainParams,
    now: Stamp,
    snapshot: &ChainSnapshot,
    spot: IndexPrice,
    step: Strike,
) -> Option<Strike> {
    let is_forward = snapshot.spot.as_ref().is_some_and(|q| q.source == TickSource::Derived);
    let reach = step.paise() * if is_forward { 2 } else { 1 };
    let distance = |strike: Strike| (strike.paise() - spot.paise()).abs();
    let fresh = |strike: Strike, right: Right| {
        let quote = snapshot.leg(strike, right).and_then(|leg| leg.quote.as_ref());
        quote.is_some_and(|q| q.received_at <= now.at && q.is_fresh(now.at, &params.quote_age))
    };
    strikes::listed_strikes(&snapshot.legs)
        .into_iter()
        .filter(|s| distance(*s) <= reach && fresh(*s, Right::Call) && fresh(*s, Right::Put))
        .min_by_key(|s| (distance(*s), std::cmp::Reverse(*s)))
}

fn money_of(params: &ChainParams, now: Stamp, snapshot: &ChainSnapshot) -> Result<AtTheMoney, NoStrike> {
    let underlying = snapshot.underlying;
    if snapshot.expires_at <= now.at {
        return Err(NoStrike::Expired { expires_at: snapshot.expires_at });
    }
    if snapshot.legs.iter().all(|leg| leg.quote.is_none()) {
        return Err(NoStrike::NoChain { underlying, listed: snapshot.legs.len() });
    }
    let quote = snapshot
        .spot
        .as_ref()
        .filter(|q| q.ltp_paise > 0 && q.flags.is_decidable())
        .ok_or(NoStrike::NoSpot { underlying })?;
    // Received after now means two clocks: the age is unknown, and unknown is stale.
    if quote.received_at > now.at || !quote.is_fresh(now.at, &params.quote_age) {
        let (age, limit) = (quote.age(now.at), quote.age_limit(&params.quote_age));
        return Err(NoStrike::SpotStale { underlying, age, limit, source_of_price: quote.source });
    }
    let spot = quote.level();
    let listed = strikes::listed_strikes(&snapshot.legs);
    let step = strikes::step_of(&listed, spot);
    let atm = atm(spot, step, &listed).expect("a chain with quotes has strikes");
    if let Some(step) = step
        && (atm.paise() - strikes::rounded(spot, Some(step))).abs() > step.paise()
    {
        return Err(NoStrike::NoAtm { spot, nearest: atm, step });
    }
    let atm = match step {
        Some(step) if params.atm_nearest_quoted => nearest_quoted(params, now, snapshot, spot, step).unwrap_or(atm),
        _ => atm,
    };
    Ok(AtTheMoney { spot, step, atm })
}
