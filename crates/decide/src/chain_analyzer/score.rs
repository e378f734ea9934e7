//! The score of a candidate, 0-210 points in five components (scalper-algorithms B4, S3-21). Calls and puts are
//! scored by the same numbers mirrored at the money (F-45).
//!
//! - nearness 100/80/50/20: distance from the at-the-money strike up to 10/30/60 % of its range or more; the range is
//!   1.5 % of the at-the-money strike (the figure of a middling IV rank);
//! - liquidity 50/40/30/20: open interest from 1,000,000/500,000/100,000 units or less, unknown counts as least; times
//!   0.9 when the spread exceeds 1 % of the price, times 0.8 above 2 % or when there is no book to tell;
//! - delta 30/25/20/10: from 0.50/0.40/0.30 or less, in hundredths of the mean of |delta| and the chance to end in the
//!   money, which for a call and its mirrored put is one number (|delta| alone favours calls by half the volatility);
//! - IV 20/15/10/5: inside 15-25/10-30/5-40 % or outside;
//! - price 10/8/6/4: premium per unit of that same mean up to 0.8/1.2/2.0 % of spot or more. The source had Rs
//!   200/300/500 per delta, which are these shares of an index at 25,000 and favoured low-priced indices.

use serde::Serialize;

/// Most points a candidate can get.
pub const MAX_SCORE: u32 = 210;

/// Half-range of nearness in hundredths of a percent of the at-the-money strike.
const RANGE_BPS: i64 = 150;

/// What a score is made from.
pub(super) struct Facts {
    /// Distance from the at-the-money strike, paise.
    pub distance: i64,
    /// At-the-money strike, paise.
    pub atm: i64,
    /// Open interest in units.
    pub oi: Option<i64>,
    /// Spread as share of the price, `None` without a book.
    pub spread: Option<f64>,
    /// Mean of |delta| and the chance to end in the money.
    pub balance_of_chances: f64,
    /// Implied volatility, percent.
    pub iv_pct: f64,
    /// Premium over (that mean x spot).
    pub price_per_chance: f64,
}

/// The components of a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ScoreParts {
    /// Nearness to the money, up to 100.
    pub nearness: u32,
    /// Open interest and spread, up to 50.
    pub liquidity: u32,
    /// Delta, up to 30.
    pub delta: u32,
    /// Implied volatility, up to 20.
    pub iv: u32,
    /// Premium per delta, up to 10.
    pub price: u32,
}

impl ScoreParts {
    /// The score.
    pub const fn total(&self) -> u32 {
        self.nearness + self.liquidity + self.delta + self.iv + self.price
    }

    pub(super) fn of(facts: &Facts) -> ScoreParts {
        // distance / (atm x 1.5 %) against tenths, without division
        let near = |tenths: i64| facts.distance * 10 * 10_000 <= tenths * facts.atm * RANGE_BPS;
        let nearness = match () {
            () if near(1) => 100,
            () if near(3) => 80,
            () if near(6) => 50,
            () => 20,
        };
        let by_interest = match facts.oi {
            Some(1_000_000..) => 50,
            Some(500_000..) => 40,
            Some(100_000..) => 30,
            _ => 20,
        };
        let tenths = match facts.spread {
            Some(share) if share <= 0.01 => 10,
            Some(share) if share <= 0.02 => 9,
            _ => 8,
        };
        let hundredths = (facts.balance_of_chances * 100.0).round();
        let delta = match () {
            () if hundredths >= 50.0 => 30,
            () if hundredths >= 40.0 => 25,
            () if hundredths >= 30.0 => 20,
            () => 10,
        };
        let iv = match facts.iv_pct {
            15.0..=25.0 => 20,
            10.0..=30.0 => 15,
            5.0..=40.0 => 10,
            _ => 5,
        };
        let price = match () {
            () if facts.price_per_chance <= 0.008 => 10,
            () if facts.price_per_chance <= 0.012 => 8,
            () if facts.price_per_chance <= 0.020 => 6,
            () => 4,
        };
        ScoreParts { nearness, liquidity: by_interest * tenths / 10, delta, iv, price }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The best of everything.
    fn best() -> Facts {
        Facts {
            distance: 0,
            atm: 2_500_000,
            oi: Some(1_000_000),
            spread: Some(0.01),
            balance_of_chances: 0.5,
            iv_pct: 20.0,
            price_per_chance: 0.008,
        }
    }

    fn check(want: [u32; 5], change: impl FnOnce(&mut Facts)) {
        let mut facts = best();
        change(&mut facts);
        let p = ScoreParts::of(&facts);
        assert_eq!([p.nearness, p.liquidity, p.delta, p.iv, p.price], want);
    }

    #[test]
    fn the_best_candidate_gets_210_points() {
        // S3-21
        check([100, 50, 30, 20, 10], |_| ());
        assert_eq!(ScoreParts::of(&best()).total(), MAX_SCORE);
    }

    #[test]
    fn nearness_falls_at_ten_thirty_and_sixty_percent_of_the_range() {
        // The range of 25,000 is 375 points.
        for (paise, points) in [(3_750, 100), (3_751, 80), (11_250, 80), (11_251, 50), (22_500, 50), (22_501, 20)] {
            check([points, 50, 30, 20, 10], |f| f.distance = paise);
        }
    }

    #[test]
    fn liquidity_is_open_interest_times_tightness() {
        for (oi, points) in
            [(Some(999_999), 40), (Some(500_000), 40), (Some(499_999), 30), (Some(99_999), 20), (None, 20)]
        {
            check([100, points, 30, 20, 10], |f| f.oi = oi);
        }
        for (spread, points) in [(Some(0.0101), 45), (Some(0.02), 45), (Some(0.0201), 40), (None, 40)] {
            check([100, points, 30, 20, 10], |f| f.spread = spread);
        }
    }

    #[test]
    fn delta_volatility_and_price_fall_at_their_steps() {
        for (chances, points) in [(0.496, 30), (0.494, 25), (0.396, 25), (0.394, 20), (0.294, 10), (0.9, 30)] {
            check([100, 50, points, 20, 10], |f| f.balance_of_chances = chances);
        }
        for (iv, points) in [(15.0, 20), (25.0, 20), (14.9, 15), (30.0, 15), (9.9, 10), (40.0, 10), (4.9, 5), (41.0, 5)]
        {
            check([100, 50, 30, points, 10], |f| f.iv_pct = iv);
        }
        for (price, points) in [(0.0081, 8), (0.012, 8), (0.0121, 6), (0.02, 6), (0.0201, 4), (f64::NAN, 4)] {
            check([100, 50, 30, 20, points], |f| f.price_per_chance = price);
        }
    }
}
