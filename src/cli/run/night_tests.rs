use chrono::NaiveDate;
use scalper_decide::domain::TimeOfDay;
use tokio::sync::oneshot;

use super::*;
use crate::engine::status::Mode;

fn calendar() -> SessionCalendar {
    crate::config::tables::load(None).unwrap().calendar
}

fn day(month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, month, day).unwrap()
}

fn at(date: NaiveDate, hour: u32, minute: u32) -> Instant {
    Instant::from_ist(date, TimeOfDay::hm(hour, minute).unwrap())
}

fn rest(failed: Option<&str>) -> Rest {
    let session = next_session(&calendar(), at(day(2, 13), 15, 31)).unwrap();
    let start_at = begins_at(&session, Age::from_mins(30), false);
    Rest { session, start_at, failed: failed.map(ToOwned::to_owned) }
}

#[test]
fn the_next_session_is_found_over_weekends_holidays_and_special_sundays() {
    let next = |now| next_session(&calendar(), now).unwrap().day;
    // A session that goes on is the next one, until its close.
    assert_eq!(next(at(day(2, 13), 8, 0)), day(2, 13));
    assert_eq!(next(at(day(2, 13), 15, 29)), day(2, 13));
    assert_eq!(next(at(day(2, 13), 15, 30)), day(2, 16), "Friday evening to Monday");
    assert_eq!(next(at(day(3, 2), 16, 0)), day(3, 4), "over Holi");
    assert_eq!(next(at(day(1, 31), 12, 0)), day(2, 1), "the Sunday of the budget is a session");
    // Nothing dated outside a table is guessed.
    assert!(next_session(&calendar(), at(day(12, 31), 16, 0)).is_err());
}

#[test]
fn a_morning_begins_before_the_bell_and_a_simulated_one_when_its_day_has_begun() {
    let session = next_session(&calendar(), at(day(2, 15), 12, 0)).unwrap();
    assert_eq!(begins_at(&session, Age::from_mins(30), false), at(day(2, 16), 8, 45));
    assert_eq!(begins_at(&session, Age::from_mins(30), true), at(day(2, 16), 9, 1));
    assert_eq!(begins_at(&session, Age::from_mins(5), true), at(day(2, 16), 9, 10));
}

#[test]
fn failed_starts_are_repeated_at_growing_distances_and_for_ever() {
    let waits: Vec<u64> = [1, 2, 3, 6, 7, 40, u32::MAX].map(|n| back_off(n).as_secs()).to_vec();
    assert_eq!(waits, [5, 10, 20, 160, 300, 300, 300]);
}

#[test]
fn a_daemon_that_rests_says_what_it_waits_for_and_is_ready_for_nothing() {
    let now = at(day(2, 14), 12, 0);
    let mut last = Status::starting(Mode::Paper, "t", "h", now);
    (last.ready.exits, last.ready.entries, last.session_open) = (true, true, true);
    last.feed.state = "up".to_owned();
    let status = rest(None).status(&last, now);
    assert_eq!(status.ready.waiting_for, ["the session of Mon 2026-02-16 09:15"]);
    assert!(!status.ready.exits && !status.ready.entries && !status.session_open);
    assert_eq!((status.day, status.feed.state.as_str()), (None, "down"));
    // Alive: a supervisor leaves it alone through the night. A start that failed is for somebody to look at.
    assert!(status.is_healthy(now, Age::from_secs(10)));
    let failed = rest(Some("no token")).status(&last, now);
    assert!(!failed.is_healthy(now, Age::from_secs(10)));
    assert!(failed.ready.waiting_for[0].contains("no token"), "{:?}", failed.ready);
}

#[test]
fn by_night_doors_are_noted_settings_are_taken_and_everything_else_waits_for_an_engine() {
    let mut noted = Vec::new();
    let mut operate = |command: OperatorCommand| {
        let (answer, mut answered) = oneshot::channel();
        let ask = Ask::Operate { command, actor: "t".to_owned(), answer };
        assert_eq!(super::answer(ask, &rest(None), &mut noted), Told::Nothing);
        answered.try_recv().unwrap()
    };
    assert!(matches!(operate(OperatorCommand::Halt), Outcome::Done { text } if text.contains("noted")));
    let refused = operate(OperatorCommand::Flatten { underlying: None });
    assert!(
        matches!(&refused, Outcome::Refused { code, text } if code == "NO_SESSION" && text.contains("Mon 2026-02-16"))
    );
    assert_eq!(noted, [OperatorCommand::Halt]);

    let (answer, mut answered) = oneshot::channel();
    assert_eq!(super::answer(Ask::Stop { actor: "t".to_owned(), answer }, &rest(None), &mut noted), Told::Stop);
    assert!(matches!(answered.try_recv().unwrap(), Outcome::Done { .. }));

    let (answer, mut answered) = oneshot::channel();
    super::answer(Ask::Examine { answer }, &rest(None), &mut noted);
    let checks = answered.try_recv().unwrap();
    assert_eq!(crate::ops::doctor::failures(&checks).count(), 1, "{checks:?}");
}
