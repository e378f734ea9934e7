//! No window of any pattern of calls holds more than the broker allows, and exits only ever wait for exits (I16).

use chrono::NaiveDate;
use proptest::prelude::*;

use super::*;
use crate::domain::TimeOfDay;

fn at(secs: i64) -> Instant {
    let day = NaiveDate::from_ymd_opt(2026, 1, 12).unwrap();
    Instant::from_ist(day, TimeOfDay::hm(9, 15).unwrap()) + Age::from_secs(secs)
}

fn budget() -> RateBudget {
    RateBudget::new(RateParams::default())
}

const ENTRY: Call = Call::Order { purpose: OrderUse::Entry, modifies: None };
const EXIT: Call = Call::Order { purpose: OrderUse::Exit, modifies: None };

fn order_id() -> ClientOrderId {
    ClientOrderId::parse("A1260112P1-0123456789ab").unwrap()
}

/// Calls until the day holds `count` order calls, slowly enough to meet no other window.
fn used_today(budget: &mut RateBudget, count: u32) -> Instant {
    let mut now = at(0);
    for _ in 0..count {
        now = now + Age::from_millis(4_100);
        assert_eq!(budget.ask(now, EXIT), Permit::Go);
    }
    now
}

#[test]
fn a_burst_over_a_second_edge_is_not_let_through_twice() {
    // B6: fixed buckets would let 16 calls through in 200 ms around the edge.
    let mut b = budget();
    let late = at(0) + Age::from_millis(900);
    for _ in 0..8 {
        assert_eq!(b.ask(late, EXIT), Permit::Go);
    }
    let next = late + Age::from_secs(1) + Age::from_nanos(1);
    assert_eq!(b.ask(at(1) + Age::from_millis(100), EXIT), Permit::WaitUntil(next));
    assert_eq!(b.ask(next, EXIT), Permit::Go);
}

#[test]
fn entries_leave_three_of_eight_calls_a_second_to_exits() {
    // B6, F-68.
    let mut b = budget();
    for _ in 0..5 {
        assert_eq!(b.ask(at(0), ENTRY), Permit::Go);
    }
    assert!(matches!(b.ask(at(0), ENTRY), Permit::WaitUntil(_)));
    for _ in 0..3 {
        assert_eq!(b.ask(at(0), EXIT), Permit::Go);
    }
    assert!(matches!(b.ask(at(0), EXIT), Permit::WaitUntil(_)));
}

#[test]
fn a_nearly_used_day_sheds_entries_then_trailing_and_keeps_exits() {
    // B7: 80 % and 95 % of 6,500; the day's limit itself is for exits.
    let trail = Call::Order { purpose: OrderUse::Trail, modifies: Some(order_id()) };
    let mut b = budget();
    let later = |now: Instant| now + Age::from_secs(4_000);
    let now = used_today(&mut b, 5_199);
    assert_eq!(b.ask(later(now), ENTRY), Permit::Go);
    let now = later(now);
    assert!(matches!(b.ask(now, ENTRY), Permit::Refused(BudgetRefusal::DaySpent { used: 5_200, .. })));
    assert_eq!(b.ask(now, trail), Permit::Go);

    let mut b = budget();
    let now = used_today(&mut b, 6_900);
    assert!(matches!(b.ask(now, trail), Permit::Refused(BudgetRefusal::DaySpent { allowed: 6_175, .. })));
    let mut now = now;
    for _ in 0..100 {
        now = now + Age::from_secs(5);
        assert_eq!(b.ask(now, EXIT), Permit::Go);
    }
    assert!(matches!(b.ask(now, EXIT), Permit::Refused(BudgetRefusal::DaySpent { used: 7_000, .. })));
    let tomorrow = Instant::from_ist(NaiveDate::from_ymd_opt(2026, 1, 13).unwrap(), TimeOfDay::hm(9, 15).unwrap());
    assert_eq!(b.ask(tomorrow, ENTRY), Permit::Go);
    assert_eq!(b.order_usage(tomorrow).day, 1);
}

#[test]
fn trailing_stops_at_eighteen_modifications_and_the_exit_has_the_rest() {
    // B8.
    let trail = Call::Order { purpose: OrderUse::Trail, modifies: Some(order_id()) };
    let exit = Call::Order { purpose: OrderUse::Exit, modifies: Some(order_id()) };
    let mut b = budget();
    for n in 0..18 {
        assert_eq!(b.ask(at(n), trail), Permit::Go);
    }
    let spent = BudgetRefusal::ModificationsSpent { id: order_id(), used: 18, limit: 18 };
    assert_eq!(b.ask(at(20), trail), Permit::Refused(spent));
    for n in 0..7 {
        assert_eq!(b.ask(at(30 + n), exit), Permit::Go);
    }
    let spent = BudgetRefusal::ModificationsSpent { id: order_id(), used: 25, limit: 25 };
    assert_eq!(b.ask(at(40), exit), Permit::Refused(spent));
    assert_eq!(b.ask(at(40), EXIT), Permit::Go, "another order may be placed");
}

#[test]
fn after_a_429_entries_rest_for_a_minute_and_exits_try_at_the_next_slot() {
    // B6.
    let mut b = budget();
    b.refused_for_rate(at(0), Family::Order);
    let cooling = BudgetRefusal::CoolingOff { until: at(60) };
    assert_eq!(b.ask(at(0), ENTRY), Permit::Refused(cooling));
    assert_eq!(b.ask(at(0), EXIT), Permit::WaitUntil(at(1)));
    assert_eq!(b.ask(at(1), EXIT), Permit::Go);
    assert_eq!(b.ask(at(60), ENTRY), Permit::Go);
    b.refused_for_rate(at(61), Family::NonTrading);
    assert_eq!(b.ask(at(61), Call::NonTrading), Permit::WaitUntil(at(121)));
    assert_eq!(b.ask(at(61), Call::Data), Permit::Go, "families are counted apart");
}

#[test]
fn one_chain_is_asked_every_three_seconds_and_others_beside_it() {
    let expiry = |day| NaiveDate::from_ymd_opt(2026, 1, day).unwrap();
    let chain = |day| Call::OptionChain { underlying: Underlying::Nifty, expiry: expiry(day) };
    let mut b = budget();
    assert_eq!(b.ask(at(0), chain(13)), Permit::Go);
    assert_eq!(b.ask(at(0), chain(20)), Permit::Go);
    assert_eq!(b.ask(at(1), chain(13)), Permit::WaitUntil(at(3)));
    assert_eq!(b.ask(at(3), chain(13)), Permit::Go);
}

#[test]
fn a_restored_budget_answers_like_the_one_that_was_saved() {
    // B7: the broker's counts survive our restarts.
    let mut saved = budget();
    for n in 0..300 {
        let _ = saved.ask(at(n / 3), if n % 2 == 0 { ENTRY } else { EXIT });
        let _ = saved.ask(at(n / 3), Call::Data);
    }
    saved.refused_for_rate(at(100), Family::Quote);
    let text = serde_json::to_string(&saved).unwrap();
    let mut restored: RateBudget = serde_json::from_str(&text).unwrap();
    assert_eq!(restored, saved);
    for n in 100..200 {
        for call in [ENTRY, EXIT, Call::Data, Call::Quote] {
            assert_eq!(restored.ask(at(n), call), saved.ask(at(n), call));
        }
    }
}

#[test]
fn time_that_goes_back_opens_no_window() {
    let mut b = budget();
    for _ in 0..8 {
        assert_eq!(b.ask(at(10), EXIT), Permit::Go);
    }
    assert!(matches!(b.ask(at(0), EXIT), Permit::WaitUntil(_)));
}

/// Calls by time: a step in milliseconds before each, and what is asked.
fn pattern() -> impl Strategy<Value = Vec<(i64, Call)>> {
    let id = order_id();
    let call = prop_oneof![
        3 => Just(ENTRY),
        3 => Just(EXIT),
        1 => Just(Call::Order { purpose: OrderUse::Trail, modifies: Some(id) }),
        1 => Just(Call::Order { purpose: OrderUse::Exit, modifies: Some(id) }),
        1 => Just(Call::Data),
        1 => Just(Call::Quote),
        1 => Just(Call::NonTrading),
    ];
    let step = prop_oneof![4 => 0_i64..40, 3 => 0_i64..700, 1 => 0_i64..60_000];
    prop::collection::vec((step, call), 1..1_500)
}

/// Most calls in any closed window of this length.
fn fullest(calls: &[Instant], window: Age) -> usize {
    calls.iter().enumerate().map(|(i, from)| calls[i..].partition_point(|at| *at <= *from + window)).max().unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_window_of_any_pattern_holds_more_than_the_broker_allows(pattern in pattern()) {
        // I16, B6.
        let mut b = budget();
        let mut now = at(0);
        let mut made: BTreeMap<Family, Vec<Instant>> = BTreeMap::new();
        let mut modified = 0;
        for (step, call) in pattern {
            now = now + Age::from_millis(step);
            if b.ask(now, call) == Permit::Go {
                made.entry(call.family()).or_default().push(now);
                modified += u32::from(matches!(call, Call::Order { modifies: Some(_), .. }));
            }
        }
        let calls = |family| made.get(&family).map_or(&[][..], Vec::as_slice);
        let orders = calls(Family::Order);
        prop_assert!(fullest(orders, SECOND) <= 8);
        prop_assert!(fullest(orders, MINUTE) <= 220);
        prop_assert!(fullest(orders, HOUR) <= 900);
        prop_assert!(orders.len() <= 7_000 && modified <= 25);
        prop_assert!(fullest(calls(Family::Data), SECOND) <= 5);
        prop_assert!(fullest(calls(Family::Quote), SECOND) <= 1);
        prop_assert!(fullest(calls(Family::NonTrading), SECOND) <= 20);
    }

    #[test]
    fn an_exit_waits_only_for_other_exits(pattern in pattern()) {
        // L7, I15: whatever entries do, an exit that has to wait met its own kind in the reserve of that window.
        let mut b = budget();
        let mut now = at(0);
        let mut exits: Vec<Instant> = Vec::new();
        for (step, call) in pattern {
            now = now + Age::from_millis(step);
            let permit = b.ask(now, call);
            let Call::Order { purpose: OrderUse::Exit, modifies: None } = call else {
                if permit == Permit::Go && matches!(call, Call::Order { purpose: OrderUse::Exit, .. }) {
                    exits.push(now);
                }
                continue;
            };
            match permit {
                Permit::Go => exits.push(now),
                Permit::WaitUntil(until) => {
                    let since = |window: Age| exits.iter().filter(|at| **at + window >= now).count();
                    prop_assert!(since(SECOND) >= 3 || since(MINUTE) >= 66 || since(HOUR) >= 270);
                    prop_assert!(until > now);
                }
                Permit::Refused(refusal) => prop_assert!(false, "{refusal}"),
            }
        }
    }

    #[test]
    fn a_call_that_waits_as_told_is_let_go(pattern in pattern()) {
        let mut b = budget();
        let mut now = at(0);
        for (step, call) in pattern {
            now = now + Age::from_millis(step);
            if let Permit::WaitUntil(until) = b.ask(now, call) {
                prop_assert_eq!(b.ask(until, call), Permit::Go, "{:?} told to wait from {:?} until {:?}", call, now, until);
                now = until;
            }
        }
    }
}
