//! The day `scalper demo` shows, and the days the benches run.

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
    /// Three quiet days and the demo day, Tuesday 2026-02-10, on which NIFTY's weekly options expire.
    pub fn demo() -> SampleSpec {
        SampleSpec {
            first_day: NaiveDate::from_ymd_opt(2026, 2, 5).expect("a real date"),
            days: 4,
            indices: vec![Underlying::Nifty, Underlying::BankNifty, Underlying::Sensex],
            strikes_each_side: 12,
            expiries: 1,
            target_ticks: Some(560_000),
            script: Script { warmup_days: 3, days: vec![demo_day()] },
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

/// The demo day. An option buyer who follows one-minute flips confirmed on five minutes meets every way a trade can
/// end. Each cycle is a pull-back that turns the one-minute trend against the five-minute one, a resumption that
/// turns it back (the entry), and the outcome named beside it.
pub fn demo_day() -> DayScript {
    let nifty = Segment::legs(at(9, 15), 1.0, NIFTY);
    let bank = Segment::legs(at(9, 15), scale(Underlying::BankNifty), BANKNIFTY);
    let sensex = Segment::legs(at(9, 15), scale(Underlying::Sensex), SENSEX);
    DayScript {
        segments: BTreeMap::from([
            (Underlying::Nifty, nifty),
            (Underlying::BankNifty, bank),
            (Underlying::Sensex, sensex),
        ]),
        // The expiring puts fall silent in the afternoon: whoever holds one cannot leave and is settled.
        outages: vec![Outage {
            index: Underlying::Nifty,
            expiry_rank: 0,
            right: Some(Right::Put),
            steps: (-12, 12),
            from: at(14, 2),
            to: at(15, 30),
        }],
        iv_shocks: vec![IvShock { index: Underlying::Nifty, at: at(11, 30), points: 1.0, half_life_min: 20.0 }],
        // Traders pay up on the day of expiry.
        atm_iv: BTreeMap::from([(Underlying::Nifty, 0.14)]),
    }
}

/// (minutes, points, noise) from 09:15 on.
const NIFTY: &[(u32, f64, f64)] = &[
    (35, 110.0, 0.6),
    (7, -42.0, 0.5), // 09:50
    (7, 45.0, 0.5),  // 09:57
    (6, 70.0, 0.5),  // target
    (8, 5.0, 0.4),   // 10:10
    (7, -45.0, 0.5), // 10:18
    (7, 42.0, 0.5),  // 10:25
    (8, -70.0, 0.5), // stop
    (30, -120.0, 0.6), // 10:40
    (7, 42.0, 0.5),  // 11:10
    (7, -45.0, 0.5), // 11:17
    (3, -10.0, 0.4), // 11:24
    (5, 20.0, 0.4),  // break-even
    (6, -30.0, 0.5), // 11:32
    (20, -60.0, 0.6), // 11:38
    (7, 42.0, 0.5),  // 11:58
    (7, -45.0, 0.5), // 12:05
    (30, -3.0, 0.25), // time stop
    (25, -60.0, 0.6), // 12:42
    (7, 42.0, 0.5),  // 13:07
    (7, -45.0, 0.5), // 13:14
    (6, -25.0, 0.4), // 13:21 trail
    (6, 20.0, 0.4), // 13:27
    (10, -30.0, 0.5), // 13:33
    (7, 36.0, 0.5), // 13:43
    (7, -42.0, 0.5), // 13:50 entry in puts
    (10, -8.0, 0.3), // 13:57 held into the outage
    (20, 100.0, 0.6), // 14:07
    (7, -36.0, 0.5), // 14:27
    (7, 40.0, 0.5), // 14:34 calls, held to the forced exit
    (49, 10.0, 0.3), // 14:41
];

const BANKNIFTY: &[(u32, f64, f64)] = &[
    (50, -130.0, 0.6),
    (7, 42.0, 0.5), // 10:05
    (7, -45.0, 0.5), // 10:12
    (12, -40.0, 0.4), // trail 10:19
    (8, 30.0, 0.4), // 10:31
    (30, -80.0, 0.6), // 10:39
    (7, 42.0, 0.5), // 11:09
    (7, -45.0, 0.5), // 11:16
    (10, -60.0, 0.4), // lock 11:23
    (10, 30.0, 0.4), // 11:33
    (60, 160.0, 0.6), // 11:43
    (7, -42.0, 0.5), // 12:43
    (7, 45.0, 0.5), // 12:50
    (30, 3.0, 0.25), // time 12:57
    (40, 90.0, 0.6), // 13:27
    (7, -42.0, 0.5), // 14:07
    (7, 45.0, 0.5), // 14:14
    (9, 30.0, 0.5), // 14:21
    (7, -42.0, 0.5), // 14:30
    (7, 45.0, 0.5), // 14:37
    (46, 8.0, 0.25), // square-off 14:44
];

const SENSEX: &[(u32, f64, f64)] = &[
    (40, 120.0, 0.6),
    (7, -42.0, 0.5), // 09:55
    (7, 45.0, 0.5), // 10:02
    (9, -80.0, 0.5), // stop 10:09
    (30, 130.0, 0.6), // 10:18
    (7, -42.0, 0.5), // 10:48
    (7, 45.0, 0.5), // 10:55
    (9, -80.0, 0.5), // stop 11:02
    (30, 130.0, 0.6), // 11:11
    (7, -42.0, 0.5), // 11:41
    (7, 45.0, 0.5), // 11:48
    (9, -80.0, 0.5), // stop 11:55
    (40, 140.0, 0.6), // 12:04
    (7, -42.0, 0.5), // 12:44
    (7, 45.0, 0.5), // 12:51
    (40, 30.0, 0.4), // 12:58
    (112, 0.0, 0.5), // 13:38
];
