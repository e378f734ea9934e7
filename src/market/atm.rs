//! Where the money is: one strike per chain, kept until something happens that may change it (S1-16..S1-18).
//!
//! It is worked out anew when the price has moved a full step since the last time, when the expiry changed, when somebody
//! reopens the chain, and when the last time is longer ago than it may be believed. Never per tick. Without a price there
//! is no money and there are no strikes.

use chrono::NaiveDate;
use scalper_decide::domain::money::Rounding;
use scalper_decide::domain::money::div_round;
use scalper_decide::domain::{Age, Instant, Strike};

/// Strikes a chain must have before their range says which prices can be.
const ENOUGH: usize = 10;

/// How a level becomes a strike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The multiple of the step, halves up: 25,175 with step 50 is 25,200.
    HalfUp,
    /// The listed strike that lies nearest, the higher of two.
    NearestListed,
}

/// `level` in paise brought to a multiple of `step`, halves up.
///
/// # Panics
/// When `step` is not positive: a step comes from listed strikes.
pub fn half_up(level: i64, step: Strike) -> Strike {
    // Levels are not negative, so half away from zero is half up.
    let steps = div_round(i128::from(level), i128::from(step.paise()), Rounding::HalfUp);
    Strike::from_paise(steps * step.paise())
}

/// The listed strike nearest to `level` in paise; the higher one of two at the same distance. `strikes` ascend.
pub fn nearest_listed(level: i64, strikes: &[Strike]) -> Option<Strike> {
    super::planner::nearest(strikes, Strike::from_paise(level)).map(|at| strikes[at])
}

/// Strikes of the expiry a chain stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder {
    /// The expiry.
    pub expiry: NaiveDate,
    /// Listed strikes, ascending.
    pub strikes: Vec<Strike>,
    /// Step near the money.
    pub step: Strike,
    /// How a level becomes one of them.
    pub rule: Rule,
}

impl Ladder {
    /// The price, when it can be that of what the strikes are written on.
    fn level(&self, price: Option<i64>) -> Result<i64, NoAtm> {
        let (Some(first), Some(last)) = (self.strikes.first(), self.strikes.last()) else {
            return Err(NoAtm::NotListed);
        };
        let step = self.step.paise();
        let judged = self.strikes.len() >= ENOUGH;
        let outside = |level| judged && (level < first.paise() - step || level > last.paise() + step);
        match price {
            None => Err(NoAtm::NoPrice),
            Some(level) if level <= 0 => Err(NoAtm::BadPrice(level)),
            Some(level) if outside(level) => Err(NoAtm::Outside(level)),
            Some(level) => Ok(level),
        }
    }
}

/// Why there is no strike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoAtm {
    /// Nobody has a price of what the chain is written on.
    #[error("there is no price, so there are no strikes")]
    NoPrice,
    /// The price is zero or negative.
    #[error("a price of {0} paise is none")]
    BadPrice(i64),
    /// The price lies outside the listed strikes: it is that of something else (X-5: SENSEX under BANKNIFTY's name).
    #[error("a price of {0} paise lies outside the listed strikes")]
    Outside(i64),
    /// No strikes are listed.
    #[error("no strikes are listed")]
    NotListed,
    /// The last strike is too old to be believed.
    #[error("the strike at the money is too old")]
    TooOld,
}

/// Why a strike was worked out anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// It was not known.
    First,
    /// The price moved a full step.
    Moved,
    /// The chain stands on another expiry.
    NewExpiry,
    /// Somebody asked.
    Reopened,
    /// The last one was too old.
    TooOld,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    strike: Strike,
    /// Paise.
    level: i64,
    step: i64,
    expiry: NaiveDate,
    at: Instant,
    reopened: bool,
}

/// Which chain: a number the caller gives out from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainSlot(pub usize);

/// The strikes at the money of many chains.
#[derive(Debug, Clone)]
pub struct AtmEngine {
    believed_for: Age,
    known: Vec<Option<Known>>,
}

impl AtmEngine {
    /// The age at which a strike is worked out anew, S1-18.
    pub const FIVE_MINUTES: Age = Age::from_mins(5);

    /// Nothing known. A strike is believed for so long.
    pub const fn new(believed_for: Age) -> AtmEngine {
        AtmEngine { believed_for, known: Vec::new() }
    }

    /// The strike, if one is known and not too old.
    ///
    /// # Errors
    /// [`NoAtm::NoPrice`] or [`NoAtm::TooOld`].
    #[inline]
    pub fn get(&self, chain: ChainSlot, now: Instant) -> Result<Strike, NoAtm> {
        match self.known.get(chain.0) {
            Some(Some(known)) if now.age_of(known.at) <= self.believed_for => Ok(known.strike),
            Some(Some(_)) => Err(NoAtm::TooOld),
            _ => Err(NoAtm::NoPrice),
        }
    }

    /// The next price works the strike out anew.
    pub fn reopen(&mut self, chain: ChainSlot) {
        if let Some(Some(known)) = self.known.get_mut(chain.0) {
            known.reopened = true;
        }
    }

    /// A price of what the chain is written on, in paise. The strike, and why it was worked out anew if it was. A price
    /// that cannot be is as good as none: what is known is believed as long as it may be.
    ///
    /// # Errors
    /// There is no price and nothing known that may still be believed, or nothing is listed.
    pub fn see(
        &mut self,
        chain: ChainSlot,
        price: Option<i64>,
        ladder: &Ladder,
        now: Instant,
    ) -> Result<(Strike, Option<Because>), NoAtm> {
        if self.known.len() <= chain.0 {
            self.known.resize(chain.0 + 1, None);
        }
        let known = &mut self.known[chain.0];
        let old = known.is_some_and(|k| now.age_of(k.at) > self.believed_for);
        let level = match ladder.level(price) {
            Ok(level) => level,
            // Another expiry has other strikes, so the old one does not answer for it.
            Err(why) => {
                return match known {
                    Some(k) if !old && k.expiry == ladder.expiry && !k.reopened => Ok((k.strike, None)),
                    Some(_) if old && price.is_none() => Err(NoAtm::TooOld),
                    _ => Err(why),
                };
            }
        };
        let because = match known {
            None => Because::First,
            Some(k) if k.expiry != ladder.expiry => Because::NewExpiry,
            Some(k) if k.reopened => Because::Reopened,
            Some(_) if old => Because::TooOld,
            Some(k) if (level - k.level).abs() >= k.step => Because::Moved,
            Some(k) => return Ok((k.strike, None)),
        };
        let strike = match ladder.rule {
            Rule::HalfUp => half_up(level, ladder.step),
            Rule::NearestListed => nearest_listed(level, &ladder.strikes).ok_or(NoAtm::NotListed)?,
        };
        let step = ladder.step.paise();
        *known = Some(Known { strike, level, step, expiry: ladder.expiry, at: now, reopened: false });
        Ok((strike, Some(because)))
    }
}

#[cfg(test)]
mod tests;
