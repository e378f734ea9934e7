//! Three volatility clusters of a window, found without randomness.
//!
//! One-dimensional k-means on `ATR / mean ATR of the window`. Seeds are the points at 25, 50 and 75 % of the window's
//! range, so the same window always gives the same clusters; in one dimension Lloyd's rounds keep the seeds' order, so
//! the clusters come out ordered by volatility and a label has a meaning: low, medium, high.

use serde::Serialize;

/// Rounds after which the centroids are taken as they are.
pub const MAX_ROUNDS: usize = 20;
/// Largest move of a centroid, in mean ATRs, that counts as standing still.
pub const STILL: f64 = 0.001;
/// A window whose largest and smallest value differ by no more than this share has no clusters, only rounding.
pub const NO_SPREAD: f64 = 1e-9;

/// Volatility of the newest bar against its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Regime {
    /// In the cluster of the smallest ranges.
    Low,
    /// In the middle cluster; also a window without any spread.
    Medium,
    /// In the cluster of the largest ranges.
    High,
}

const REGIMES: [Regime; 3] = [Regime::Low, Regime::Medium, Regime::High];

/// The regime of `newest` among the ATR values of `window` (which contains it). All values finite and not negative.
pub fn regime_of(newest: f64, window: impl ExactSizeIterator<Item = f64> + Clone) -> Regime {
    let count = window.len() as f64;
    let (mut low, mut high, mut sum) = (f64::MAX, 0.0_f64, 0.0);
    for value in window.clone() {
        low = low.min(value);
        high = high.max(value);
        sum += value;
    }
    if high - low <= NO_SPREAD * high {
        return Regime::Medium;
    }
    let mean = sum / count;
    let mut centroids = [0.25, 0.5, 0.75].map(|share| (low + (high - low) * share) / mean);
    for _ in 0..MAX_ROUNDS {
        let mut sums = [0.0_f64; 3];
        let mut counts = [0_u32; 3];
        for value in window.clone() {
            let value = value / mean;
            let nearest = nearest_of(value, &centroids);
            sums[nearest] += value;
            counts[nearest] += 1;
        }
        let mut moved = 0.0_f64;
        for i in 0..3 {
            // An empty cluster keeps its centroid.
            if counts[i] > 0 {
                let next = sums[i] / f64::from(counts[i]);
                moved = moved.max((next - centroids[i]).abs());
                centroids[i] = next;
            }
        }
        if moved < STILL {
            break;
        }
    }
    REGIMES[nearest_of(newest / mean, &centroids)]
}

/// The nearest centroid; on a tie the one of lower volatility.
fn nearest_of(value: f64, centroids: &[f64; 3]) -> usize {
    let mut nearest = 0;
    for i in 1..3 {
        if (value - centroids[i]).abs() < (value - centroids[nearest]).abs() {
            nearest = i;
        }
    }
    nearest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_plain_groups_get_their_names_in_order_of_volatility() {
        let window = [10.0, 11.0, 10.5, 20.0, 21.0, 20.5, 40.0, 41.0, 39.0];
        for (newest, regime) in [(10.0, Regime::Low), (20.5, Regime::Medium), (39.0, Regime::High)] {
            assert_eq!(regime_of(newest, window.iter().copied()), regime);
        }
    }

    #[test]
    fn a_window_without_spread_is_medium() {
        assert_eq!(regime_of(5.0, [5.0; 50].into_iter()), Regime::Medium);
        assert_eq!(regime_of(0.0, [0.0; 50].into_iter()), Regime::Medium);
        assert_eq!(
            regime_of(5.0, [5.0, 5.000_000_000_000_001, 5.0].into_iter()),
            Regime::Medium,
            "rounding is no spread"
        );
    }
}
