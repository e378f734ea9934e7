//! One candidate against every filter, in a fixed order: listed and observed - volatility - confidence - IV band - open
//! interest - spread - delta band - premium band - score.

use super::observe::observe;
use super::pricing::Pricing;
use super::score::{Facts, ScoreParts};
use super::{AtTheMoney, Candidate, CandidateGreeks, CandidateRefusal, Gap};
use crate::domain::{Bps, Instant, Premium, Right, Strike};
use crate::greeks::Confidence;
use crate::params::ChainParams;
use crate::tick_cache::ChainSnapshot;

/// What all candidates of one ranking share.
pub(super) struct Bench<'a> {
    pub params: &'a ChainParams,
    pub now: Instant,
    pub snapshot: &'a ChainSnapshot,
    pub money: &'a AtTheMoney,
    pub pricing: &'a Pricing,
}

impl Bench<'_> {
    /// Judges the contract `offset` steps out of the money.
    pub(super) fn judge(&self, offset: u8, strike: Strike, right: Right) -> Result<Candidate, CandidateRefusal> {
        let params = self.params;
        let leg = self.snapshot.leg(strike, right).ok_or(CandidateRefusal::NotListed)?;
        let quote = leg.quote.ok_or(CandidateRefusal::NoQuote)?;
        let seen = observe(Some(&quote), self.now, &params.quote_age)?;
        let price = seen.premium();
        let mut gaps = Vec::new();

        let read = self.pricing.read(&leg.contract, &quote, &seen, params, self.now)?;
        if read.confidence == Confidence::Low {
            let (time_value, spread) = (read.time_value, seen.spread());
            return Err(CandidateRefusal::LowConfidence { price, time_value, spread });
        }
        let iv_pct = read.greeks.iv * 100.0;
        within(iv_pct, params.iv_min_pct, params.iv_max_pct).map_err(|side| match side {
            Side::Under => CandidateRefusal::IvLow { iv_pct, min_pct: params.iv_min_pct },
            Side::Over => CandidateRefusal::IvHigh { iv_pct, max_pct: params.iv_max_pct },
        })?;

        match quote.oi {
            Some(oi) if oi < params.min_oi => return Err(CandidateRefusal::OiThin { oi, min: params.min_oi }),
            Some(_) => {}
            None => gaps.push(Gap::NoOi),
        }
        match seen.book {
            Some((bid, ask)) => check_spread(bid, ask, params.max_spread)?,
            None => gaps.push(Gap::NoBook),
        }

        let abs_delta = read.greeks.delta.abs();
        within(abs_delta, params.min_abs_delta, params.max_abs_delta).map_err(|side| match side {
            Side::Under => CandidateRefusal::DeltaLow { abs_delta, min: params.min_abs_delta },
            Side::Over => CandidateRefusal::DeltaHigh { abs_delta, max: params.max_abs_delta },
        })?;
        if let Some((min, max)) = params.premium_band.get(&self.snapshot.underlying).copied()
            && !(min..=max).contains(&price)
        {
            return Err(CandidateRefusal::PremiumOutsideBand { premium: price, min, max });
        }

        let components = ScoreParts::of(&Facts {
            distance: (strike.paise() - self.money.atm.paise()).abs(),
            atm: self.money.atm.paise(),
            oi: quote.oi.map(|oi| oi.get()),
            spread: seen.spread().map(|spread| spread / seen.price()),
            balance_of_chances: read.balance_of_chances,
            iv_pct,
            price_per_chance: seen.price() / (read.balance_of_chances * self.money.spot.as_rupees_f64()),
        });
        let score = components.total();
        if score < params.min_score {
            return Err(CandidateRefusal::ScoreLow { score, min: params.min_score });
        }
        Ok(Candidate {
            id: leg.id,
            contract: leg.contract,
            quote,
            price,
            offset,
            score,
            components,
            greeks: CandidateGreeks {
                iv_pct,
                delta: read.greeks.delta,
                gamma: read.greeks.gamma,
                theta_per_day: read.greeks.theta / 365.0,
                vega_per_point: read.greeks.vega / 100.0,
            },
            confidence: read.confidence,
            gaps,
        })
    }
}

enum Side {
    Under,
    Over,
}

/// Both ends belong to the band; what is not a number lies under it.
fn within(value: f64, min: f64, max: f64) -> Result<(), Side> {
    if value > max {
        Err(Side::Over)
    } else if value >= min {
        Ok(())
    } else {
        Err(Side::Under)
    }
}

/// `(ask - bid) / bid` against the limit, in whole numbers.
fn check_spread(bid: Premium, ask: Premium, max: Bps) -> Result<(), CandidateRefusal> {
    let gap = i128::from((ask - bid).paise());
    if gap * 10_000 > i128::from(bid.paise()) * i128::from(max.get()) {
        return Err(CandidateRefusal::SpreadWide { bid, ask, max });
    }
    Ok(())
}
