//! Schedules from text, what they draw, and that every kind is documented.

use scalper_decide::domain::{Age, Instant};

use super::file::parse;
use super::*;
use crate::config::ConfigError;
use crate::config::written::Document;
use crate::simulator::rest::faults::{Disturbance, Fate, FaultHook as _, Moment, Point};

fn schedule(text: &str) -> Result<FaultSchedule, ConfigError> {
    parse(&Document::of("faults.yml", text)?)
}

fn complaint(text: &str) -> String {
    let error = schedule(text).expect_err("it is wrong");
    let problem = &error.problems[0];
    format!("{} {problem}", problem.place().unwrap_or_default())
}

fn at(secs: i64) -> Instant {
    // 2026-02-10 10:00 IST and some seconds.
    Instant::from_secs(1_770_697_800 + secs)
}

fn call<'a>(point: Point, method: &'a str, path: &'a str, now: Instant) -> Moment<'a> {
    Moment { point, method, path, now, body: b"{}", http: 200, reply: br#"[{"orderId":"1"}]"# }
}

#[test]
fn what_is_wrong_with_a_schedule_is_told_with_its_place_and_key() {
    for (text, said) in [
        ("faults:\n  - kind: respons_lost\n", "faults.yml:2:11 faults[0].kind: there is no fault \"respons_lost\""),
        ("faults:\n  - kind: response_lost\n    chance: 1.5\n", "faults.yml:3:13 faults[0].chance: 1.5 is not above"),
        ("faults:\n  - kind: response_lost\n    chances: 1\n", "faults.yml:3:5 faults[0].chances: unknown key"),
        ("faults:\n  - kind: response_lost\n    nth: [0]\n", "faults.yml:3:10 faults[0].nth: expected occasions"),
        ("faults:\n  - kind: response_lost\n    every: 0\n", "faults.yml:3:12 faults[0].every: every 0th"),
        (
            "faults:\n  - kind: response_lost\n    seconds: 2\n",
            "faults.yml:3:14 faults[0].seconds: response_lost has no",
        ),
        ("faults:\n  - kind: late_arrival\n    seconds: 1e9\n", "faults.yml:3:14 faults[0].seconds:"),
        (
            "faults:\n  - kind: late_arrival\n    from: \"11:00\"\n    until: \"10:00\"\n",
            "faults.yml:4:12 faults[0].until: 10:00:00 does not come after 11:00:00",
        ),
        ("faults:\n  - kind: late_arrival\n    from: \"25:00\"\n", "faults.yml:3:11 faults[0].from: \"25:00\" is no"),
        (
            "faults:\n  - kind: late_arrival\n    chance: 0.5\n    every: 2\n",
            "faults.yml:2:5 faults[0]: one of chance, nth and every",
        ),
        ("faults: []\n", "faults.yml:1:9 faults: expected 1 to 200 rules, found 0"),
    ] {
        let complaint = complaint(text);
        assert!(complaint.starts_with(said), "{complaint}\nexpected: {said}");
    }
}

#[test]
fn a_fault_happens_on_its_occasions_inside_its_window_and_is_counted() {
    let text =
        "seed: 3\nfaults:\n  - kind: response_lost\n    nth: [2]\n    from: \"10:00:10\"\n    until: \"10:00:20\"\n";
    let schedule = schedule(text).unwrap();
    let lost = |now| schedule.at(&call(Point::AfterAcceptance, "POST", "orders", now)) == Some(Fate::Lost.into());
    let told: Vec<bool> = [9, 10, 11, 12, 20].into_iter().map(|secs| lost(at(secs))).collect();
    assert_eq!(told, [false, false, true, false, false]);
    assert_eq!(schedule.at(&call(Point::BeforeAcceptance, "POST", "orders", at(11))), None, "another occasion");
    let count = schedule.counts()[&FaultKind::ResponseLost];
    assert_eq!((count.occasions, count.fired), (3, 1));
    schedule.stop();
    assert!(!lost(at(12)));
}

#[test]
fn the_same_seed_draws_the_same_faults() {
    let drawn = |seed: u64| {
        let rules = vec![Rule::new(FaultKind::BookError, Happens::Chance(0.3))];
        let schedule = FaultSchedule::new(seed, rules);
        (0..64).map(|n| schedule.at(&call(Point::Read, "GET", "orders", at(n))).is_some()).collect::<Vec<_>>()
    };
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
    let share = drawn(1).iter().filter(|fired| **fired).count();
    assert!((8..32).contains(&share), "{share} of 64");
}

#[test]
fn a_stale_book_is_the_answer_of_a_while_ago_and_a_dead_token_stays_dead_for_its_time() {
    let stale = FaultSchedule::new(1, vec![Rule::new(FaultKind::StaleBook, Happens::Nth(vec![2]))]);
    let read = |now, reply| stale.at(&Moment { reply, ..call(Point::Read, "GET", "orders", now) });
    assert_eq!(read(at(0), b"[1]"), None);
    let old = Fate::Instead { http: 200, kind: "application/json", body: "[1]".to_owned() };
    assert_eq!(read(at(4), b"[2]"), Some(old.into()));
    let dead = FaultSchedule::new(1, vec![Rule::new(FaultKind::TokenExpired, Happens::Nth(vec![1]))]);
    let refused = |now| dead.at(&call(Point::BeforeAcceptance, "PUT", "orders/1", now)).is_some();
    assert_eq!([0, 1, 3].map(|secs| refused(at(secs))), [true, true, false]);
}

#[test]
fn a_late_call_waits_and_a_refused_exit_is_a_sell() {
    let rules = vec![Rule::new(FaultKind::ExitRefused, Happens::Always)];
    let schedule = FaultSchedule::new(1, rules);
    let order = |body| Moment { body, ..call(Point::BeforeAcceptance, "POST", "orders", at(0)) };
    assert_eq!(schedule.at(&order(br#"{"transactionType":"BUY"}"#)), None);
    assert!(schedule.at(&order(br#"{"transactionType":"SELL"}"#)).is_some());
    let late = FaultSchedule::new(1, vec![Rule::new(FaultKind::LateArrival, Happens::Always)]);
    let waits = Some(Disturbance::late(Age::from_secs(15)));
    assert_eq!(late.at(&call(Point::BeforeAcceptance, "POST", "orders", at(0))), waits);
}

#[test]
fn there_are_at_least_25_kinds_and_the_page_for_people_has_every_one_of_them_with_its_words() {
    assert!(FaultKind::ALL.len() >= 25);
    let page = include_str!("../../../docs/FAULTS.md");
    for kind in FaultKind::ALL {
        assert_eq!(FaultKind::from_word(kind.word()), Some(*kind));
        let length = kind.usual_length().map_or_else(|| "-".to_owned(), |l| format!("{} s", l.nanos() as f64 / 1e9));
        let row = format!("| `{}` | {} | {length} |", kind.word(), kind.words());
        assert!(page.contains(&row), "docs/FAULTS.md lacks\n{row}");
    }
    let (_, example) = page.split_once("```yaml\n").expect("an example");
    let (example, _) = example.split_once("```").expect("an example with an end");
    assert!(schedule(example).is_ok(), "the example of docs/FAULTS.md is wrong");
}
