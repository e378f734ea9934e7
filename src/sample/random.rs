//! Seeded randomness, one stream per purpose and day: drawing more quotes never changes the index path, and a
//! date keeps its own draws wherever the sample starts.

use chrono::{Datelike, NaiveDate};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a stream is used for.
#[derive(Debug, Clone, Copy)]
#[repr(u64)]
pub(crate) enum Purpose {
    /// Overnight gaps and drawn market regimes.
    Regimes = 1,
    /// Index noise.
    Path = 2,
    /// Implied-volatility noise.
    Volatility = 3,
    /// Which instrument ticks when.
    Arrivals = 4,
    /// Books, trades, volume and open interest.
    Books = 5,
    /// Delay between exchange and receiver.
    Latency = 6,
}

/// One reproducible stream of numbers.
#[derive(Debug, Clone)]
pub(crate) struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream of one purpose on one day.
    pub(crate) fn new(seed: u64, day: NaiveDate, purpose: Purpose) -> Stream {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream((u64::from(day.num_days_from_ce().unsigned_abs()) << 8) | purpose as u64);
        Stream(rng)
    }

    /// 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in `[0, 1)`.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }

    /// Uniform in `[low, high)`.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Nearly normal with mean 0 and deviation 1, never beyond 4.9: the sum of eight 16-bit uniforms. Extremes are
    /// the script's business, not chance's.
    pub(crate) fn gauss(&mut self) -> f64 {
        let sum: u64 = [self.bits(), self.bits()]
            .into_iter()
            .flat_map(|word| [word & 0xffff, (word >> 16) & 0xffff, (word >> 32) & 0xffff, word >> 48])
            .sum();
        (sum as f64 - 4.0 * 65_535.0) / (65_536.0 * 0.816_496_580_927_726)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_draws_have_mean_zero_and_deviation_one() {
        let day = NaiveDate::from_ymd_opt(2026, 2, 10).unwrap();
        let mut stream = Stream::new(7, day, Purpose::Path);
        let draws: Vec<f64> = (0..200_000).map(|_| stream.gauss()).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|d| (d - mean) * (d - mean)).sum::<f64>() / draws.len() as f64;
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02, "mean {mean}, variance {variance}");
    }

    #[test]
    fn purposes_and_days_draw_from_different_streams() {
        let day = NaiveDate::from_ymd_opt(2026, 2, 10).unwrap();
        let first = |day, purpose| Stream::new(7, day, purpose).bits();
        assert_ne!(first(day, Purpose::Path), first(day, Purpose::Books));
        assert_ne!(first(day, Purpose::Path), first(day.succ_opt().unwrap(), Purpose::Path));
        assert_eq!(first(day, Purpose::Path), first(day, Purpose::Path));
    }
}
