use super::*;
use crate::domain::IndexPrice;

fn points(strikes: &[i64]) -> Vec<Strike> {
    strikes.iter().map(|s| Strike::from_points(*s)).collect()
}

fn legs(strikes: &[i64]) -> Vec<ChainLeg> {
    strikes.iter().map(|s| ChainLeg { id: InstrumentId(0), contract: contract(*s, Right::Call), quote: None }).collect()
}

#[test]
fn the_step_is_the_most_common_gap_near_the_money_and_not_the_first_gap_of_the_list() {
    // F-49: far strikes are 500 and 100 apart; the source took the first gap.
    let mut strikes = vec![22_000, 22_500, 23_000, 23_500, 24_000, 24_500, 25_000];
    strikes.extend((25_100..=26_200).step_by(50));
    strikes.extend([26_500, 27_000]);
    let near = IndexPrice::from_rupees(25_657);
    assert_eq!(strike_step(&legs(&strikes), near), Some(Strike::from_points(50)));
    let far = IndexPrice::from_rupees(22_700);
    assert_eq!(strike_step(&legs(&strikes), far), Some(Strike::from_points(500)));
}

#[test]
fn a_missing_strike_near_the_money_does_not_change_the_step() {
    let near = IndexPrice::from_rupees(25_657);
    assert_eq!(strike_step(&legs(&[25_500, 25_550, 25_700, 25_750]), near), Some(Strike::from_points(50)));
    assert_eq!(strike_step(&legs(&[25_600, 25_700]), near), Some(Strike::from_points(100)));
    assert_eq!(strike_step(&legs(&[25_600]), near), None);
    assert_eq!(strike_step(&[], near), None);
}

#[test]
fn the_money_is_rounded_half_up_and_never_half_to_even() {
    // S1-16: 25175 / 50 = 503.5; half-to-even would give 504 here and 25125 / 50 = 502.5 -> 502 there.
    let every_50 = points(&(25_000..=25_300).step_by(50).collect::<Vec<_>>());
    let at = |paise: i64| atm(IndexPrice::from_paise(paise), Some(Strike::from_points(50)), &every_50).unwrap();
    assert_eq!(at(2_517_500), Strike::from_points(25_200));
    assert_eq!(at(2_512_500), Strike::from_points(25_150));
    assert_eq!(at(2_517_499), Strike::from_points(25_150));
    let fives = points(&[2_635, 2_640, 2_645]);
    assert_eq!(atm(IndexPrice::from_paise(264_150), Some(Strike::from_points(5)), &fives), Some(fives[1]));
}

#[test]
fn an_unlisted_money_goes_to_the_nearest_listed_strike_and_ties_to_the_higher() {
    let step = Some(Strike::from_points(50));
    let spot = IndexPrice::from_rupees(25_150);
    assert_eq!(atm(spot, step, &points(&[25_100, 25_200])), Some(Strike::from_points(25_200)));
    assert_eq!(atm(spot, step, &points(&[25_100, 25_250])), Some(Strike::from_points(25_100)));
    assert_eq!(atm(spot, None, &points(&[25_000])), Some(Strike::from_points(25_000)));
    assert_eq!(atm(spot, step, &[]), None);
}

#[test]
fn the_expiry_is_the_nearest_listed_one_with_time_left_whatever_the_weekday() {
    // F-31: NIFTY 2026-03-03 moved to 03-02; nothing but the list says so.
    let date = |m, d| NaiveDate::from_ymd_opt(2026, m, d).unwrap();
    let closes = |day| (day, ist(day, 15, 30));
    let listed = [closes(date(3, 10)), closes(date(3, 2)), closes(date(3, 30))];
    let at = |day, hour, minute| choose_expiry(&params(), ist(day, hour, minute), &listed);
    assert_eq!(at(date(2, 27), 10, 0), Ok(date(3, 2)));
    assert_eq!(at(date(3, 2), 15, 0), Ok(date(3, 2)), "exactly 30 minutes are enough");
    assert_eq!(at(date(3, 2), 15, 1), Ok(date(3, 10)));
    let none = at(date(3, 30), 15, 10).unwrap_err();
    assert_eq!(format!("{}: {none}", none.code()), "NO_EXPIRY: none of 3 listed expiries is at least 30 minutes away");
    let mut last_minute = params();
    last_minute.min_minutes_to_expiry = 0;
    assert_eq!(choose_expiry(&last_minute, ist(date(3, 2), 15, 30), &listed), Ok(date(3, 10)));
}
