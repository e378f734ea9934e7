//! Expiry, strike step and at-the-money strike, from what is listed and nothing else (F-31, F-49, S1-16).

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::NoStrike;
use crate::domain::money::{Rounding, div_round};
use crate::domain::{Age, IndexPrice, Instant, Strike};
use crate::params::ChainParams;
use crate::tick_cache::ChainLeg;

/// Gaps on each side of the money that vote on the step.
const STEP_NEIGHBOURS: usize = 5;

/// The nearest listed expiry whose contracts still trade for at least `min_minutes_to_expiry` (and at all).
/// `listed` holds expiry dates and when trading in them ends, in any order.
pub fn choose_expiry(
    params: &ChainParams,
    now: Instant,
    listed: &[(NaiveDate, Instant)],
) -> Result<NaiveDate, NoStrike> {
    let earliest = now + Age::from_mins(params.min_minutes_to_expiry.max(0));
    listed
        .iter()
        .filter(|(_, closes_at)| *closes_at > now && *closes_at >= earliest)
        .min_by_key(|(expiry, closes_at)| (*closes_at, *expiry))
        .map(|(expiry, _)| *expiry)
        .ok_or(NoStrike::NoExpiry { listed: listed.len(), min_minutes: params.min_minutes_to_expiry })
}

/// Strikes of the legs, ascending, each once.
pub(super) fn listed_strikes(legs: &[ChainLeg]) -> Vec<Strike> {
    let mut strikes: Vec<Strike> = legs.iter().map(|leg| leg.contract.strike).collect();
    strikes.sort_unstable();
    strikes.dedup();
    strikes
}

/// The most common gap between neighbours among the strikes nearest to `spot`, ties to the smaller; `None` for fewer
/// than two strikes. Far strikes are listed wider apart, so they have no vote (F-49).
pub fn strike_step(legs: &[ChainLeg], spot: IndexPrice) -> Option<Strike> {
    step_of(&listed_strikes(legs), spot)
}

pub(super) fn step_of(strikes: &[Strike], spot: IndexPrice) -> Option<Strike> {
    let money = strikes.iter().position(|s| *s == nearest(strikes, spot.paise()).expect("not empty"))?;
    let near = &strikes[money.saturating_sub(STEP_NEIGHBOURS)..strikes.len().min(money + STEP_NEIGHBOURS + 1)];
    let mut votes: BTreeMap<i64, usize> = BTreeMap::new();
    for pair in near.windows(2) {
        *votes.entry(pair[1].paise() - pair[0].paise()).or_default() += 1;
    }
    let most = votes.values().copied().max()?;
    votes.into_iter().find(|(_, count)| *count == most).map(|(gap, _)| Strike::from_paise(gap))
}

/// The at-the-money strike: `spot` rounded half-up to the step, then the listed strike nearest to that, ties to the
/// higher one. Without a step, the listed strike nearest to `spot`. `None` when nothing is listed.
pub fn atm(spot: IndexPrice, step: Option<Strike>, strikes: &[Strike]) -> Option<Strike> {
    nearest(strikes, rounded(spot, step))
}

/// `spot` on the grid of the step, in paise.
pub(super) fn rounded(spot: IndexPrice, step: Option<Strike>) -> i64 {
    step.map_or(spot.paise(), |step| {
        div_round(i128::from(spot.paise()), i128::from(step.paise()), Rounding::HalfUp) * step.paise()
    })
}

fn nearest(strikes: &[Strike], paise: i64) -> Option<Strike> {
    strikes.iter().copied().min_by_key(|s| ((s.paise() - paise).abs(), std::cmp::Reverse(*s)))
}
