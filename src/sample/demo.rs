//! The days `scalper demo` shows, written so that every way out of a position can be seen, and the days the benches run.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use scalper_decide::domain::{Right, TimeOfDay, Underlying};

use super::script::{DayScript, IvShock, Outage, Script, Segment};
use super::{SampleSpec, profile::profile};

/// Seed of the demo when the user names none.
pub const DEMO_SEED: u64 = 20_260_210;

const fn at(hour: u32, minute: u32) -> TimeOfDay {
    match TimeOfDay::hm(hour, minute) {
        Some(time) => time,
        None => panic!("a time of day"),
    }
}

impl SampleSpec {
    /// Three quiet days that warm indicators up, then [`expiry_day`] (Tuesday 2026-02-10, on which NIFTY's weekly options
    /// expire) and [`trend_day`].
    pub fn demo() -> SampleSpec {
        SampleSpec {
            first_day: NaiveDate::from_ymd_opt(2026, 2, 5).expect("a real date"),
            days: 5,
            indices: vec![Underlying::Nifty, Underlying::BankNifty, Underlying::Sensex],
            strikes_each_side: 12,
            expiries: 1,
            target_ticks: Some(560_000),
            script: Script { warmup_days: 3, days: vec![expiry_day(), trend_day()] },
        }
    }

    /// Three quiet days and `days` full ones of 5 M ticks each: 3 indices, 252 options, 3 futures, regimes drawn
    /// from the seed.
    pub fn bench(days: usize) -> SampleSpec {
        SampleSpec {
            first_day: NaiveDate::from_ymd_opt(2026, 1, 5).expect("a real date"),
            days: 3 + days,
            indices: vec![Underlying::Nifty, Underlying::BankNifty, Underlying::Sensex],
            strikes_each_side: 10,
            expiries: 2,
            target_ticks: Some(5_000_000),
            script: Script { warmup_days: 3, days: Vec::new() },
        }
    }
}

/// Points of another index that weigh as much as one of NIFTY's.
fn scale(underlying: Underlying) -> f64 {
    profile(underlying).minute_vol / profile(Underlying::Nifty).minute_vol
}

/// Courses of the three indices from 09:15 on.
fn courses(legs: [(Underlying, Legs); 3]) -> BTreeMap<Underlying, Vec<Segment>> {
    legs.map(|(underlying, legs)| (underlying, Segment::legs(at(9, 15), scale(underlying), legs))).into()
}

/// The first demo day. An option buyer who follows one-minute flips confirmed on five minutes meets every way a trade
/// can end but the day profit lock. Each cycle is a pull-back that turns the one-minute trend against the five-minute
/// one, a resumption that turns it back (the entry), and the outcome named beside it.
pub fn expiry_day() -> DayScript {
    DayScript {
        segments: courses([
            (Underlying::Nifty, NIFTY),
            (Underlying::BankNifty, BANKNIFTY),
            (Underlying::Sensex, SENSEX),
        ]),
        // The expiring puts fall silent in the afternoon: whoever holds one cannot leave and is settled.
        outages: vec![Outage {
            index: Underlying::Nifty,
            expiry_rank: 0,
            right: Some(Right::Put),
            steps: (-12, 12),
            from: at(13, 58),
            to: at(15, 30),
        }],
        iv_shocks: vec![IvShock { index: Underlying::Nifty, at: at(11, 30), points: 1.0, half_life_min: 20.0 }],
        // Traders pay up on the day of expiry.
        atm_iv: BTreeMap::from([(Underlying::Nifty, 0.18)]),
    }
}

/// The second demo day: one trend in all indices, cycle after cycle of it a profit, until the day's profit is worth
/// locking. What follows the lock is refused.
pub fn trend_day() -> DayScript {
    DayScript {
        segments: courses([(Underlying::Nifty, TREND), (Underlying::BankNifty, TREND), (Underlying::Sensex, TREND)]),
        ..DayScript::default()
    }
}

/// (minutes, points of NIFTY, noise) from 09:15 on; the time at the right is when the leg begins.
type Legs = &'static [(u32, f64, f64)];

const NIFTY: Legs = &[
    (35, 110.0, 0.6),
    (7, -42.0, 0.5),   // 09:50
    (7, 45.0, 0.5),    // 09:57 calls
    (6, 70.0, 0.5),    // 10:04 target
    (8, 5.0, 0.4),     // 10:10
    (7, -45.0, 0.5),   // 10:18
    (5, 32.0, 0.4),    // 10:25 calls
    (6, -80.0, 0.5),   // 10:30 stop
    (34, -130.0, 0.6), // 10:36
    (7, 42.0, 0.5),    // 11:10
    (6, -40.0, 0.4),   // 11:17 puts
    (4, -5.0, 0.3),    // 11:23
    (5, 30.0, 0.4),    // 11:27 break-even
    (26, -100.0, 0.6), // 11:32
    (7, 42.0, 0.5),    // 11:58
    (5, -34.0, 0.4),   // 12:05 puts
    (32, 0.0, 0.15),   // 12:10 time stop
    (25, -75.0, 0.6),  // 12:42
    (7, 42.0, 0.5),    // 13:07
    (7, -45.0, 0.5),   // 13:14 puts
    (5, -6.0, 0.4),    // 13:21
    (7, 26.0, 0.4),    // 13:26 trail
    (10, -50.0, 0.5),  // 13:33
    (7, 38.0, 0.5),    // 13:43
    (5, -34.0, 0.4),   // 13:50 puts
    (12, 0.0, 0.15),   // 13:55 held when the quotes stop
    (20, 110.0, 0.6),  // 14:07
    (7, -38.0, 0.5),   // 14:27
    (4, 23.0, 0.4),    // 14:34 calls
    (21, 8.0, 0.1),    // 14:37 held to the expiry cut-off
    (31, 5.0, 0.3),    // 14:59
];

const BANKNIFTY: Legs = &[
    (50, -130.0, 0.6),
    (7, 42.0, 0.5),    // 10:05
    (7, -45.0, 0.5),   // 10:12 puts
    (12, -60.0, 0.4),  // 10:19
    (8, 45.0, 0.4),    // 10:31 profit lock
    (30, -95.0, 0.6),  // 10:39
    (7, 42.0, 0.5),    // 11:09
    (7, -45.0, 0.5),   // 11:16 puts
    (14, -120.0, 0.5), // 11:23
    (8, 55.0, 0.5),    // 11:37 trail
    (58, 160.0, 0.6),  // 11:45
    (7, -42.0, 0.5),   // 12:43
    (7, 45.0, 0.5),    // 12:50 calls
    (30, 3.0, 0.25),   // 12:57 time stop
    (40, 90.0, 0.6),   // 13:27
    (7, -42.0, 0.5),   // 14:07
    (7, 45.0, 0.5),    // 14:14 calls
    (9, 40.0, 0.5),    // 14:21 profit lock
    (7, -42.0, 0.5),   // 14:30
    (7, 45.0, 0.5),    // 14:37 calls
    (46, 8.0, 0.25),   // 14:44 square-off
];

/// Three times the trend seems to resume and breaks: the index's own day limit stops it, the others go on.
const SENSEX: Legs = &[
    (40, 120.0, 0.6),
    (7, -42.0, 0.5),  // 09:55
    (7, 45.0, 0.5),   // 10:02 calls
    (9, -110.0, 0.5), // 10:09 stop
    (30, 160.0, 0.6), // 10:18
    (7, -42.0, 0.5),  // 10:48
    (7, 45.0, 0.5),   // 10:55 calls
    (9, -120.0, 0.5), // 11:02 stop
    (30, 170.0, 0.6), // 11:11
    (7, -42.0, 0.5),  // 11:41
    (7, 45.0, 0.5),   // 11:48 calls
    (9, -120.0, 0.5), // 11:55 stop: no further entry in SENSEX
    (40, 160.0, 0.6), // 12:04
    (7, -42.0, 0.5),  // 12:44
    (7, 45.0, 0.5),   // 12:51 the entry that is refused
    (40, 60.0, 0.4),  // 12:58
    (112, 0.0, 0.5),  // 13:38
];

const TREND: Legs = &[
    (40, 130.0, 0.6),
    (7, -42.0, 0.5), // 09:55
    (7, 45.0, 0.5),  // 10:02 calls
    (22, 80.0, 0.5), // 10:09 profits
    (8, 5.0, 0.5),   // 10:31
    (7, -42.0, 0.5), // 10:39
    (7, 45.0, 0.5),  // 10:46 calls
    (19, 85.0, 0.4), // 10:53 enough for a day
    (6, -35.0, 0.5), // 11:12 given back: the lock
    (37, 70.0, 0.6), // 11:18
    (7, -42.0, 0.5), // 11:55
    (7, 45.0, 0.5),  // 12:02 entries that are refused
    (40, 60.0, 0.5), // 12:09
    (7, -42.0, 0.5), // 12:49
    (7, 45.0, 0.5),  // 12:56 and again
    (60, 40.0, 0.4), // 13:03
    (87, 0.0, 0.5),  // 14:03
];
