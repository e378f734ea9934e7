//! Judges a connection by what arrived and when. Pure: the driver tells the time.

use tokio::time::Instant;

use super::config::SocketConfig;

/// What must be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alarm {
    /// Time for a ping.
    Ping,
    /// No pong and no ping of the server's: close (A3).
    NoPong,
    /// Data is expected and not a byte came: close (A3).
    HalfOpen,
    /// Data is expected, pongs come, data does not: say the subscriptions again (A4).
    Resubscribe,
    /// And still no data: close (A4).
    Silent,
}

#[derive(Debug)]
pub(crate) struct Watchdog {
    config: SocketConfig,
    next_ping: Instant,
    alive: Instant,
    frame: Instant,
    data: Instant,
    repeated: bool,
}

impl Watchdog {
    /// Of a connection that opened at `now`.
    pub(crate) fn new(config: &SocketConfig, now: Instant) -> Watchdog {
        Watchdog { config: config.clone(), next_ping: now, alive: now, frame: now, data: now, repeated: false }
    }

    /// A frame of any kind arrived.
    pub(crate) const fn frame(&mut self, now: Instant) {
        self.frame = now;
    }

    /// A pong, or a ping of the server's.
    pub(crate) const fn alive(&mut self, now: Instant) {
        self.alive = now;
    }

    /// Data arrived.
    pub(crate) const fn data(&mut self, now: Instant) {
        self.data = now;
        self.repeated = false;
    }

    /// Data is expected from now on: silence counts from here.
    pub(crate) fn expect_from(&mut self, now: Instant) {
        self.frame = self.frame.max(now);
        self.data(now);
    }

    /// The most urgent thing that is due.
    pub(crate) fn due(&mut self, now: Instant, data_expected: bool) -> Option<Alarm> {
        let silence = self.config.silence;
        if now >= self.alive + self.config.pong_timeout {
            return Some(Alarm::NoPong);
        }
        if data_expected && now >= self.frame + silence {
            return Some(Alarm::HalfOpen);
        }
        if data_expected && now >= self.data + silence {
            if self.repeated {
                return Some(Alarm::Silent);
            }
            self.repeated = true;
            self.data = now;
            return Some(Alarm::Resubscribe);
        }
        if now >= self.next_ping {
            self.next_ping = now + self.config.ping_every;
            return Some(Alarm::Ping);
        }
        None
    }

    /// When to look again if nothing arrives.
    pub(crate) fn next(&self, data_expected: bool) -> Instant {
        let next = self.next_ping.min(self.alive + self.config.pong_timeout);
        if data_expected { next.min(self.frame.min(self.data) + self.config.silence) } else { next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Runs the watchdog for `secs` seconds; the server answers pings when `answers`.
    fn run(data_expected: bool, answers: bool, secs: u64) -> Vec<(u64, Alarm)> {
        let start = Instant::now();
        let mut dog = Watchdog::new(&SocketConfig::new(""), start);
        let mut seen = Vec::new();
        let mut now = start;
        while now <= start + Duration::from_secs(secs) {
            while let Some(alarm) = dog.due(now, data_expected) {
                if alarm == Alarm::Ping {
                    if answers {
                        dog.frame(now);
                        dog.alive(now);
                    }
                    continue;
                }
                seen.push(((now - start).as_secs(), alarm));
                if alarm != Alarm::Resubscribe {
                    return seen;
                }
            }
            assert!(dog.next(data_expected) > now);
            now = dog.next(data_expected);
        }
        seen
    }

    #[test]
    fn three_seconds_without_a_byte_in_an_open_session_are_half_open() {
        assert_eq!(run(true, false, 60), [(3, Alarm::HalfOpen)]);
    }

    #[test]
    fn pongs_without_data_bring_one_resubscription_and_then_the_end() {
        assert_eq!(run(true, true, 60), [(3, Alarm::Resubscribe), (6, Alarm::Silent)]);
    }

    #[test]
    fn a_quiet_market_with_living_pongs_is_not_a_stall() {
        // A5: 17 hours.
        assert_eq!(run(false, true, 17 * 3600), []);
    }

    #[test]
    fn fifteen_seconds_without_a_pong_end_even_a_quiet_connection() {
        assert_eq!(run(false, false, 60), [(15, Alarm::NoPong)]);
    }

    #[test]
    fn silence_counts_from_the_moment_data_is_expected() {
        let start = Instant::now();
        let mut dog = Watchdog::new(&SocketConfig::new(""), start);
        let open = start + Duration::from_secs(10);
        dog.expect_from(open);
        dog.alive(open);
        assert_eq!(dog.due(open, true), Some(Alarm::Ping));
        assert_eq!(dog.due(open + Duration::from_millis(1900), true), None);
    }
}
