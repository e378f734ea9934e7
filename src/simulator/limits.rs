//! How often one client may ask (dhan-v2.md 9.1, 1.1): sliding windows in session time, per client and not per
//! connection. Only what was let through counts.

use std::collections::{BTreeMap, VecDeque};

use chrono::NaiveDate;
use scalper_decide::domain::{Age, Instant, Underlying};

/// Which family of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// Place, modify, cancel of every kind of order.
    Order,
    /// Candles, option chains.
    Data,
    /// Quotes.
    Quote,
    /// Books, funds, profile and everything else.
    Other,
}

/// Calls let through in a window that slides.
#[derive(Debug, Clone)]
struct Window {
    length: Age,
    most: usize,
}

/// Windows of one family: the instants of calls within the longest of them, and a count for the day.
#[derive(Debug, Clone)]
struct Bucket {
    windows: Vec<Window>,
    calls: VecDeque<Instant>,
    per_day: Option<u32>,
    day: Option<NaiveDate>,
    today: u32,
}

impl Bucket {
    fn new(windows: &[(Age, usize)], per_day: Option<u32>) -> Bucket {
        let windows = windows.iter().map(|&(length, most)| Window { length, most }).collect();
        Bucket { windows, calls: VecDeque::new(), per_day, day: None, today: 0 }
    }

    fn take(&mut self, now: Instant) -> bool {
        let day = now.ist_date();
        if self.day != Some(day) {
            (self.day, self.today) = (Some(day), 0);
        }
        let longest = self.windows.iter().map(|w| w.length).max().unwrap_or(Age::ZERO);
        while self.calls.front().is_some_and(|first| now.age_of(*first) >= longest) {
            self.calls.pop_front();
        }
        let room = self.windows.iter().all(|w| {
            let outside = self.calls.partition_point(|at| now.age_of(*at) >= w.length);
            self.calls.len() - outside < w.most
        });
        if !room || self.per_day.is_some_and(|most| self.today >= most) {
            return false;
        }
        self.calls.push_back(now);
        self.today += 1;
        true
    }
}

/// The server's rate limits of one client.
#[derive(Debug, Clone)]
pub struct RateLimits {
    buckets: BTreeMap<Family, Bucket>,
    chains: BTreeMap<(Underlying, NaiveDate), Instant>,
}

/// From one request for an option chain to the next for the same one.
const CHAIN_PAUSE: Age = Age::from_secs(3);

impl Default for RateLimits {
    fn default() -> RateLimits {
        let (second, minute, hour) = (Age::from_secs(1), Age::from_mins(1), Age::from_secs(3_600));
        let buckets = BTreeMap::from([
            (Family::Order, Bucket::new(&[(second, 10), (minute, 250), (hour, 1_000)], Some(7_000))),
            (Family::Data, Bucket::new(&[(second, 5)], Some(100_000))),
            (Family::Quote, Bucket::new(&[(second, 1)], None)),
            (Family::Other, Bucket::new(&[(second, 20)], None)),
        ]);
        RateLimits { buckets, chains: BTreeMap::new() }
    }
}

impl RateLimits {
    /// Lets a call through, or not: HTTP 429 with DH-904 (data APIs: 805). Every time must be at or after the last.
    pub fn take(&mut self, family: Family, now: Instant) -> bool {
        self.buckets.get_mut(&family).expect("every family has a bucket").take(now)
    }

    /// Lets a request for an option chain through, or not: one per underlying and expiry in 3 s, different ones at
    /// will, all of them within the limits of data APIs.
    pub fn take_chain(&mut self, underlying: Underlying, expiry: NaiveDate, now: Instant) -> bool {
        self.chains.retain(|_, at| now.age_of(*at) < CHAIN_PAUSE);
        if self.chains.contains_key(&(underlying, expiry)) || !self.take(Family::Data, now) {
            return false;
        }
        self.chains.insert((underlying, expiry), now);
        true
    }
}

/// Limits of the market feed (dhan-v2.md 1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedLimits {
    /// Connections of one client.
    pub connections: usize,
    /// Instruments of one connection.
    pub instruments: usize,
    /// Instruments of one subscribe message.
    pub per_message: usize,
    /// Whether a longer message ends the connection with 804; else what is too much is left out.
    pub long_message_ends: bool,
    /// Open connections, oldest first, with the instruments each has.
    open: VecDeque<(u64, usize)>,
}

impl Default for FeedLimits {
    fn default() -> FeedLimits {
        FeedLimits {
            connections: 5,
            instruments: 5_000,
            per_message: 100,
            long_message_ends: true,
            open: VecDeque::new(),
        }
    }
}

/// Too many instruments: disconnect reason 804.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("804: too many instruments")]
pub struct TooManyInstruments;

impl FeedLimits {
    /// Limits of the 20-level depth feed: 50 instruments a connection (dhan-v2.md 2.2), connections counted apart.
    pub fn depth() -> FeedLimits {
        FeedLimits { instruments: 50, ..FeedLimits::default() }
    }

    /// Notes a new connection; returns the oldest one when that must go, with reason 805.
    pub fn connect(&mut self, connection: u64) -> Option<u64> {
        self.open.push_back((connection, 0));
        (self.open.len() > self.connections).then(|| self.open.pop_front().expect("it is over the limit").0)
    }

    /// Notes the end of a connection.
    pub fn disconnect(&mut self, connection: u64) {
        self.open.retain(|(open, _)| *open != connection);
    }

    /// A message that names `named` instruments, after which the connection would have `held` of them: how many of the
    /// message's instruments count.
    ///
    /// # Errors
    /// The connection must end with 804.
    pub fn subscribe(&mut self, connection: u64, named: usize, held: usize) -> Result<usize, TooManyInstruments> {
        if (named > self.per_message && self.long_message_ends) || held > self.instruments {
            return Err(TooManyInstruments);
        }
        if let Some((_, instruments)) = self.open.iter_mut().find(|(open, _)| *open == connection) {
            *instruments = held;
        }
        Ok(named.min(self.per_message))
    }

    /// Open connections, oldest first, and how many instruments each has.
    pub fn open(&self) -> impl Iterator<Item = (u64, usize)> + '_ {
        self.open.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Instant {
        Instant::from_secs(1_770_000_000) + Age::from_millis(millis)
    }

    #[test]
    fn the_eleventh_order_of_any_second_the_251st_of_a_minute_and_the_1001st_of_an_hour_are_refused() {
        // dhan-v2.md 9.1.
        let mut limits = RateLimits::default();
        let let_through = |limits: &mut RateLimits, from: i64, step: i64, calls: i64| {
            (0..calls).filter(|i| limits.take(Family::Order, at(from + i * step))).count()
        };
        assert_eq!(let_through(&mut limits, 0, 50, 20), 10, "the window slides, it does not begin at the second");
        assert!(limits.take(Family::Order, at(1_000)));
        let mut limits = RateLimits::default();
        assert_eq!(let_through(&mut limits, 0, 200, 290), 250);
        let mut limits = RateLimits::default();
        assert_eq!(let_through(&mut limits, 0, 1_000, 3_600), 1_000);
        assert!(limits.take(Family::Order, at(3_600_000)));
    }

    #[test]
    fn seven_thousand_orders_a_day_and_the_next_ist_day_begins_anew() {
        let mut limits = RateLimits::default();
        let through = (0..86_400 / 4).filter(|i| limits.take(Family::Order, at(i * 4_000))).count();
        let mut first = RateLimits::default();
        let midnight = (0..).map(|i| at(i * 1_000)).find(|t| t.ist_date() != at(0).ist_date()).unwrap();
        let before = (midnight.nanos() - at(0).nanos()) / 4_000_000_000;
        assert!(through > 7_000 || before > 7_000, "the day was long enough to tell");
        let mut taken = 0;
        for i in 0..7_900 {
            taken += u32::from(first.take(Family::Order, midnight + Age::from_millis(i * 4_000)));
        }
        assert_eq!(taken, 7_000);
    }

    #[test]
    fn quotes_once_a_second_and_one_chain_every_three_seconds_but_another_expiry_at_once() {
        let mut limits = RateLimits::default();
        assert!(limits.take(Family::Quote, at(0)));
        assert!(!limits.take(Family::Quote, at(999)));
        assert!(limits.take(Family::Quote, at(1_000)));
        let expiry = NaiveDate::from_ymd_opt(2026, 2, 10).unwrap();
        let other = NaiveDate::from_ymd_opt(2026, 2, 17).unwrap();
        assert!(limits.take_chain(Underlying::Nifty, expiry, at(0)));
        assert!(!limits.take_chain(Underlying::Nifty, expiry, at(2_999)));
        assert!(limits.take_chain(Underlying::Nifty, other, at(2_999)));
        assert!(limits.take_chain(Underlying::Nifty, expiry, at(3_000)));
    }

    #[test]
    fn a_sixth_connection_drops_the_oldest_and_too_many_instruments_end_one() {
        // A rows; dhan-v2.md 1.1, simulator checklist 6.
        let mut feed = FeedLimits::default();
        assert!((1..=5).all(|c| feed.connect(c).is_none()));
        assert_eq!(feed.connect(6), Some(1));
        feed.disconnect(3);
        assert_eq!(feed.connect(7), None);
        assert_eq!(feed.subscribe(7, 100, 5_000), Ok(100));
        assert_eq!(feed.subscribe(7, 1, 5_001), Err(TooManyInstruments));
        assert_eq!(feed.subscribe(7, 101, 101), Err(TooManyInstruments));
        feed.long_message_ends = false;
        assert_eq!(feed.subscribe(7, 101, 101), Ok(100));
    }
}
