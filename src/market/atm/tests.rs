//! Rounding, the five reasons, and the churn of a wild day.

use std::collections::BTreeSet;
use std::io::Read as _;

use super::*;
use crate::market::planner::{Width, window};

const CHAIN: ChainSlot = ChainSlot(0);

fn at(secs: i64) -> Instant {
    Instant::from_nanos(secs * 1_000_000_000)
}

fn day(d: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 2, d).unwrap()
}

fn ladder(expiry: NaiveDate, rule: Rule) -> Ladder {
    let strikes = (0..81).map(|i| Strike::from_points(23_000 + 50 * i)).collect();
    Ladder { expiry, strikes, step: Strike::from_points(50), rule }
}

#[test]
fn halves_go_up_and_a_tie_between_listed_strikes_to_the_higher_one() {
    // S1-16
    let points = |level: i64, step: i64| half_up(level, Strike::from_points(step)).paise() / 100;
    assert_eq!(points(264_150, 5), 2_640);
    // 25,175 / 50 = 503.5 and 25,225 / 50 = 504.5: rounding to even would take one up and one down.
    assert_eq!((points(2_517_500, 50), points(2_522_500, 50)), (25_200, 25_250));
    assert_eq!((points(2_517_499, 50), points(2_517_500, 50)), (25_150, 25_200));
    let uneven: Vec<Strike> = [100, 110, 150].map(Strike::from_points).to_vec();
    let near = |level| nearest_listed(level, &uneven).unwrap().paise() / 100;
    assert_eq!((near(10_500), near(10_499), near(13_000), near(99_999), near(1)), (110, 100, 150, 150, 100));
    assert_eq!(nearest_listed(1, &[]), None);
}

#[test]
fn a_strike_is_worked_out_anew_for_five_reasons_and_never_per_tick() {
    // S1-17
    let mut engine = AtmEngine::new(AtmEngine::FIVE_MINUTES);
    let first = ladder(day(10), Rule::HalfUp);
    let mut see = |price: i64, ladder: &Ladder, secs| engine.see(CHAIN, Some(price), ladder, at(secs)).unwrap().1;
    assert_eq!(see(2_500_000, &first, 0), Some(Because::First));
    // Below a full step nothing happens, though 25,030 rounds to another strike.
    for (i, price) in [2_503_000, 2_504_999, 2_495_001, 2_500_000].into_iter().enumerate() {
        assert_eq!(see(price, &first, 1 + i as i64), None, "{price}");
    }
    assert_eq!(see(2_505_000, &first, 10), Some(Because::Moved));
    assert_eq!(see(2_505_000, &ladder(day(17), Rule::HalfUp), 11), Some(Because::NewExpiry));
    engine.reopen(CHAIN);
    let second = ladder(day(17), Rule::HalfUp);
    assert_eq!(engine.see(CHAIN, Some(2_505_100), &second, at(12)).unwrap().1, Some(Because::Reopened));
    assert_eq!(engine.see(CHAIN, Some(2_505_100), &second, at(312)).unwrap().1, None);
    assert_eq!(engine.see(CHAIN, Some(2_505_100), &second, at(313)).unwrap().1, Some(Because::TooOld));
}

#[test]
fn an_old_strike_is_not_given_out() {
    // S1-18: the origin stored the time to live and never looked at it.
    let mut engine = AtmEngine::new(AtmEngine::FIVE_MINUTES);
    let ladder = ladder(day(10), Rule::HalfUp);
    engine.see(CHAIN, Some(2_500_000), &ladder, at(0)).unwrap();
    assert_eq!(engine.get(CHAIN, at(300)), Ok(Strike::from_points(25_000)));
    assert_eq!(engine.get(CHAIN, at(301)), Err(NoAtm::TooOld));
    assert_eq!(engine.see(CHAIN, None, &ladder, at(301)), Err(NoAtm::TooOld));
}

#[test]
fn without_a_price_or_a_list_there_are_no_strikes() {
    let mut engine = AtmEngine::new(AtmEngine::FIVE_MINUTES);
    let listed = ladder(day(10), Rule::NearestListed);
    assert_eq!(engine.see(ChainSlot(7), None, &listed, at(0)), Err(NoAtm::NoPrice));
    assert_eq!(engine.get(ChainSlot(7), at(0)), Err(NoAtm::NoPrice));
    assert_eq!(engine.see(CHAIN, Some(0), &listed, at(0)), Err(NoAtm::BadPrice(0)));
    let empty = Ladder { strikes: Vec::new(), ..listed.clone() };
    assert_eq!(engine.see(CHAIN, Some(2_500_000), &empty, at(0)), Err(NoAtm::NotListed));
    // SENSEX under another name.
    assert_eq!(engine.see(CHAIN, Some(8_400_000), &listed, at(0)), Err(NoAtm::Outside(8_400_000)));
    // A known strike answers while the price is silent, but not for another expiry.
    engine.see(CHAIN, Some(2_500_000), &listed, at(0)).unwrap();
    assert_eq!(engine.see(CHAIN, None, &listed, at(9)), Ok((Strike::from_points(25_000), None)));
    assert_eq!(engine.see(CHAIN, Some(8_400_000), &listed, at(9)), Ok((Strike::from_points(25_000), None)));
    assert_eq!(engine.see(CHAIN, Some(8_400_000), &listed, at(301)), Err(NoAtm::Outside(8_400_000)));
    assert_eq!(engine.see(CHAIN, None, &ladder(day(17), Rule::NearestListed), at(9)), Err(NoAtm::NoPrice));
}

/// Open, high, low and close of every minute by day, in paise; `None` when the shared data is not there.
fn recorded(name: &str) -> Option<Vec<(String, Vec<[i64; 4]>)>> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/index").join(name);
    let Ok(packed) = std::fs::read(&path) else {
        eprintln!("SKIPPED: ../shared/data/index/{name} not present");
        return None;
    };
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut text).unwrap();
    let mut csv = csv::Reader::from_reader(text.as_bytes());
    let header = csv.headers().unwrap().clone();
    let column = |name: &str| header.iter().position(|h| h.eq_ignore_ascii_case(name)).unwrap();
    let [open, high, low, close] = ["open", "high", "low", "close"].map(column);
    let mut days: Vec<(String, Vec<[i64; 4]>)> = Vec::new();
    for record in csv.records() {
        let record = record.unwrap();
        let day = record[0][..10].to_owned();
        if days.last().is_none_or(|(last, _)| *last != day) {
            days.push((day, Vec::new()));
        }
        let paise = |at: usize| (record[at].parse::<f64>().unwrap() * 100.0).round() as i64;
        days.last_mut().unwrap().1.push([paise(open), paise(high), paise(low), paise(close)]);
    }
    Some(days)
}

/// Strikes that came and went over a day, worst hour and in all, when `atm` says where the money is.
fn churn(
    bars: &[[i64; 4]],
    strikes: &[Strike],
    width: Width,
    mut atm: impl FnMut(i64, i64) -> Strike,
) -> (usize, usize) {
    let mut stood = None;
    let mut carried: BTreeSet<Strike> = BTreeSet::new();
    let mut hours = vec![0; bars.len() / 60 + 1];
    for (minute, [open, high, low, close]) in bars.iter().enumerate() {
        // The path through a bar that changes sign most often.
        for (part, level) in [open, low, high, close].into_iter().enumerate() {
            let money = atm(*level, (minute * 60 + part * 15) as i64);
            let (range, now) = window(strikes, money, stood, width).unwrap();
            stood = Some(now);
            let next: BTreeSet<Strike> = strikes[range].iter().copied().collect();
            if !carried.is_empty() {
                hours[minute / 60] += carried.symmetric_difference(&next).count();
            }
            carried = next;
        }
    }
    (hours.iter().copied().max().unwrap(), hours.iter().sum())
}

#[test]
fn churn_per_hour_is_bounded_on_the_wildest_recorded_day() {
    // N3: subscriptions that come and go cost rate limits. Bound of one chain: what a single message of 100 instruments
    // takes back and another one asks for in an hour, and a quarter of what rounding every price would cost.
    let files = [("nifty_1m_dhan_2026-01-12_2026-02-06.csv.gz", 50), ("banknifty_1m_2024-01.csv.gz", 100)];
    for (file, step) in files {
        let Some(days) = recorded(file) else { return };
        let travel = |bars: &[[i64; 4]]| bars.iter().map(|b| b[1] - b[2]).sum::<i64>();
        let (name, bars) = days.iter().max_by_key(|(_, bars)| travel(bars)).unwrap();
        let step = Strike::from_points(step);
        let first = half_up(bars[0][0], step).paise();
        let strikes: Vec<Strike> = (-120..=120).map(|i| Strike::from_paise(first + i * step.paise())).collect();
        let mut engine = AtmEngine::new(AtmEngine::FIVE_MINUTES);
        let ladder = Ladder { expiry: day(10), strikes: strikes.clone(), step, rule: Rule::HalfUp };
        let width = Width { below: 50, above: 50, slack: 3 };
        let (worst, all) =
            churn(bars, &strikes, width, |level, secs| engine.see(CHAIN, Some(level), &ladder, at(secs)).unwrap().0);
        let (naive, naive_all) = churn(bars, &strikes, Width { slack: 0, ..width }, |level, _| half_up(level, step));
        println!(
            "{file} {name}: {} strikes in the worst hour, {} in all; every price: {naive}, {naive_all}",
            worst, all
        );
        // Two legs a strike, come and gone.
        assert!(worst * 2 <= 200, "{name}: {worst}");
        assert!(all * 4 <= naive_all, "{name}: {all} of {naive_all}");
        assert!(all > 0, "{name}: the day does move the window");
    }
}
