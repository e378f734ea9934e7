//! How often who may call: a bucket per lane and caller, one per address, one for wrong tokens (S10). Wall time comes in
//! as an argument.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::route::Lane;

/// Callers remembered at most; the one that waited longest is forgotten first.
const REMEMBERED: usize = 4_096;

/// A rate: so many at once, and one more every so often.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Time one call costs.
    every: Duration,
    /// Calls at once after a silence.
    burst: u32,
}

impl Rate {
    /// `per_sec` calls a second, `burst` at once.
    ///
    /// # Panics
    /// When `per_sec` is not a positive number.
    pub fn per_second(per_sec: f64, burst: u32) -> Rate {
        assert!(per_sec > 0.0 && per_sec.is_finite(), "{per_sec} calls a second");
        Rate { every: Duration::from_secs_f64(1.0 / per_sec), burst }
    }
}

/// The rates of the API.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Reads of one token.
    pub look: Rate,
    /// Changes of one token.
    pub change: Rate,
    /// Calls of one token that take risk away.
    pub stop: Rate,
    /// All calls of one address.
    pub address: Rate,
    /// Wrong tokens of one address.
    pub wrong: Rate,
}

impl Rates {
    /// The usual rates times `factor`.
    ///
    /// # Panics
    /// When `factor` is not a positive number.
    pub fn times(factor: f64) -> Rates {
        let burst = |usual: f64| (usual * factor).ceil() as u32;
        let rate = |per_sec: f64, usual: f64| Rate::per_second(per_sec * factor, burst(usual));
        Rates {
            look: rate(50.0, 100.0),
            change: rate(5.0, 10.0),
            stop: rate(5.0, 10.0),
            address: rate(200.0, 400.0),
            wrong: rate(5.0 / 60.0, 5.0),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Who {
    Token(Lane, String),
    Address(IpAddr),
    Wrong(IpAddr),
}

/// When each bucket is empty again.
#[derive(Debug)]
pub struct Limiter {
    rates: Rates,
    /// The time at which everything let through so far is paid for.
    paid: Mutex<HashMap<Who, Instant>>,
}

impl Limiter {
    /// A limiter with these rates.
    pub fn new(rates: Rates) -> Limiter {
        Limiter { rates, paid: Mutex::default() }
    }

    /// A call of a token.
    ///
    /// # Errors
    /// How long to wait.
    pub fn token(&self, name: &str, lane: Lane, now: Instant) -> Result<(), Duration> {
        let rate = match lane {
            Lane::Look => self.rates.look,
            Lane::Change => self.rates.change,
            Lane::Stop => self.rates.stop,
        };
        self.take(Who::Token(lane, name.to_owned()), rate, now)
    }

    /// A call of an address.
    ///
    /// # Errors
    /// How long to wait.
    pub fn address(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        self.take(Who::Address(address), self.rates.address, now)
    }

    /// A wrong token of an address. Right ones are never kept waiting by it: nobody can lock others out (K10).
    ///
    /// # Errors
    /// How long to wait.
    pub fn wrong(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        self.take(Who::Wrong(address), self.rates.wrong, now)
    }

    fn take(&self, who: Who, rate: Rate, now: Instant) -> Result<(), Duration> {
        let mut paid = self.paid.lock().expect("nothing panics while it holds the buckets");
        if paid.len() >= REMEMBERED && !paid.contains_key(&who) {
            paid.retain(|_, until| *until > now);
            if paid.len() >= REMEMBERED
                && let Some(first) = paid.iter().min_by_key(|(_, until)| **until).map(|(who, _)| who.clone())
            {
                paid.remove(&first);
            }
        }
        let until = paid.get(&who).copied().unwrap_or(now).max(now) + rate.every;
        let most = now + rate.every * rate.burst;
        if until > most {
            return Err(until - most);
        }
        paid.insert(who, until);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn a_burst_passes_then_one_call_per_interval_and_the_refusal_says_when() {
        // S10
        let limiter = Limiter::new(Rates::times(1.0));
        let start = Instant::now();
        assert!((0..10).all(|_| limiter.token("a", Lane::Change, start).is_ok()));
        let wait = limiter.token("a", Lane::Change, start).unwrap_err();
        assert_eq!(wait, Duration::from_millis(200));
        assert!(limiter.token("a", Lane::Change, start + Duration::from_millis(199)).is_err());
        assert!(limiter.token("a", Lane::Change, start + wait).is_ok());
        assert!(limiter.token("a", Lane::Change, start + wait).is_err());
        // Silence fills the bucket again, and no further.
        let later = start + Duration::from_secs(3_600);
        assert_eq!((0..50).filter(|_| limiter.token("a", Lane::Change, later).is_ok()).count(), 10);
    }

    #[test]
    fn a_flood_of_reads_or_of_another_token_never_keeps_a_halt_waiting() {
        // S10: kill calls have a share of their own.
        let limiter = Limiter::new(Rates::times(1.0));
        let now = Instant::now();
        while limiter.token("a", Lane::Look, now).is_ok() {}
        while limiter.token("a", Lane::Change, now).is_ok() {}
        while limiter.token("b", Lane::Stop, now).is_ok() {}
        assert!(limiter.token("a", Lane::Stop, now).is_ok());
    }

    #[test]
    fn five_wrong_tokens_a_minute_are_answered_and_right_ones_stay_welcome() {
        // S10, K10
        let limiter = Limiter::new(Rates::times(1.0));
        let now = Instant::now();
        assert!((0..5).all(|_| limiter.wrong(HERE, now).is_ok()));
        assert_eq!(limiter.wrong(HERE, now).unwrap_err(), Duration::from_secs(12));
        assert!(limiter.address(HERE, now).is_ok() && limiter.token("a", Lane::Look, now).is_ok());
    }

    #[test]
    fn any_number_of_callers_takes_a_bounded_room() {
        let limiter = Limiter::new(Rates::times(1.0));
        let now = Instant::now();
        for n in 0..2 * REMEMBERED {
            limiter.token(&n.to_string(), Lane::Look, now).unwrap();
        }
        assert!(limiter.paid.lock().unwrap().len() <= REMEMBERED);
    }
}
