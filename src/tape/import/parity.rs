//! The index level that options imply where no spot is recorded: put-call parity near the money.

/// Two-sided quotes of one strike, in paise.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair {
    /// Strike.
    pub(super) strike: i64,
    /// Call bid and ask.
    pub(super) call: (i64, i64),
    /// Put bid and ask.
    pub(super) put: (i64, i64),
}

/// Strikes that vote on the forward.
const VOTERS: usize = 3;

/// The forward: median of `strike + call mid - put mid` over the three strikes whose call and put cost most nearly the
/// same (there parity is least bent by spreads). `None` without a strike that is quoted on all four sides.
pub(super) fn forward(pairs: &[Pair]) -> Option<i64> {
    // Doubled mids stay whole numbers.
    let mut votes: Vec<(i64, i64)> = pairs
        .iter()
        .filter(|p| [p.call.0, p.call.1, p.put.0, p.put.1].iter().all(|price| *price > 0))
        .map(|p| {
            let difference = (p.call.0 + p.call.1) - (p.put.0 + p.put.1);
            (difference.abs(), 2 * p.strike + difference)
        })
        .collect();
    votes.sort_unstable();
    votes.truncate(VOTERS);
    let mut levels: Vec<i64> = votes.into_iter().map(|(_, level)| level).collect();
    levels.sort_unstable();
    let middle = *levels.get(levels.len() / 2)?;
    Some((middle + 1).div_euclid(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(strike: i64, call: i64, put: i64) -> Pair {
        Pair { strike, call: (call - 5, call + 5), put: (put - 5, put + 5) }
    }

    #[test]
    fn the_forward_is_the_median_of_the_three_strikes_nearest_the_money() {
        let pairs = [
            pair(2_440_000, 15_000, 5_000),
            pair(2_445_000, 10_000, 5_010),
            pair(2_450_000, 7_000, 7_100),
            pair(2_455_000, 4_000, 9_000),
            pair(2_400_000, 90_000, 100),
        ];
        assert_eq!(forward(&pairs), Some(2_449_990));
    }

    #[test]
    fn a_strike_quoted_on_one_side_only_does_not_vote() {
        let mut broken = pair(2_450_000, 7_000, 7_000);
        broken.put.1 = 0;
        assert_eq!(forward(&[broken]), None);
        assert_eq!(forward(&[]), None);
        assert_eq!(forward(&[broken, pair(2_455_000, 4_000, 9_000)]), Some(2_450_000));
    }
}
