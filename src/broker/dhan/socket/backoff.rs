//! Jittered exponential back-off from a seed.

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::config::SocketConfig;

#[derive(Debug)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    cool_off: Duration,
    next: Duration,
    rng: ChaCha8Rng,
}

impl Backoff {
    /// `stream` tells the sockets of one client apart, so that they do not return in step.
    pub(crate) fn new(config: &SocketConfig, stream: u64) -> Backoff {
        let mut rng = ChaCha8Rng::seed_from_u64(config.jitter_seed);
        rng.set_stream(stream);
        let (min, max) = (config.backoff_min, config.backoff_max.max(config.backoff_min));
        Backoff { min, max, cool_off: config.cool_off, next: min, rng }
    }

    /// The next pause: between half and all of a bound that doubles, never below the first bound.
    pub(crate) fn pause(&mut self) -> Duration {
        let bound = self.next;
        self.next = (bound * 2).min(self.max);
        bound.mul_f64(self.rng.random_range(0.5..=1.0)).max(self.min)
    }

    /// A cool-off: the whole of it and up to a quarter more.
    pub(crate) fn cool_off(&mut self) -> Duration {
        self.cool_off.mul_f64(self.rng.random_range(1.0..=1.25))
    }

    /// Starts small again.
    pub(crate) fn reset(&mut self) {
        self.next = self.min;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_with_jitter_from_a_quarter_second_to_fifteen_and_start_over() {
        // A1, S3-49
        let config = SocketConfig::new("ws://localhost");
        let mut backoff = Backoff::new(&config, 0);
        let mut bound = config.backoff_min;
        for _ in 0..12 {
            let pause = backoff.pause();
            assert!(pause >= (bound / 2).max(config.backoff_min) && pause <= bound, "{pause:?} of {bound:?}");
            bound = (bound * 2).min(config.backoff_max);
        }
        assert_eq!(bound, config.backoff_max);
        backoff.reset();
        assert_eq!(backoff.pause(), config.backoff_min);
        let cool_off = backoff.cool_off();
        assert!(cool_off >= config.cool_off && cool_off <= config.cool_off.mul_f64(1.25));
    }

    #[test]
    fn the_same_seed_gives_the_same_pauses_and_sockets_differ() {
        let config = SocketConfig::new("ws://localhost");
        let pauses = |stream| {
            let mut backoff = Backoff::new(&config, stream);
            [(); 6].map(|()| backoff.pause())
        };
        assert_eq!(pauses(1), pauses(1));
        assert_ne!(pauses(1), pauses(2));
    }
}
