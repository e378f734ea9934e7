//! What one process used, every other one of the folder knows (I16, B6, F-68).

use futures_util::FutureExt as _;
use scalper_decide::domain::TimeOfDay;

use super::*;

fn morning() -> Instant {
    Instant::from_ist(NaiveDate::from_ymd_opt(2026, 2, 10).unwrap(), TimeOfDay::hm(9, 15).unwrap())
}

fn open(dir: &Path, clock: &SessionClock) -> BudgetLog {
    BudgetLog::open(dir, RateParams::default(), clock.clone()).unwrap()
}

/// Grants at this instant.
fn granted(budget: &BudgetLog, class: CallClass, calls: usize) -> usize {
    (0..calls).filter(|_| budget.acquire(class).now_or_never() == Some(Ok(()))).count()
}

const ENTRY: CallClass = CallClass::Order { exit: false };
const EXIT: CallClass = CallClass::Order { exit: true };

fn used(budget: &BudgetLog, family: Family, window: &str) -> u32 {
    budget.standing().windows.iter().find(|w| w.family == family && w.window == window).unwrap().used
}

#[test]
fn a_restart_finds_every_window_as_full_as_it_was() {
    // B6: the broker's counts survive our restarts.
    let dir = tempfile::tempdir().unwrap();
    let clock = SessionClock::driven(morning());
    let before = open(dir.path(), &clock);
    assert_eq!(granted(&before, ENTRY, 20), 5, "30 % of the second's eight are kept for exits");
    assert_eq!(granted(&before, EXIT, 20), 3);
    drop(before);
    let after = open(dir.path(), &clock);
    assert_eq!(granted(&after, EXIT, 1), 0);
    for window in ["second", "minute", "hour", "day"] {
        assert_eq!(used(&after, Family::Order, window), 8, "{window}");
    }
    clock.drive(morning() + Age::from_millis(1_001));
    assert_eq!(granted(&after, ENTRY, 20), 5);
    assert_eq!(used(&after, Family::Order, "day"), 13);
}

#[test]
fn the_guardian_and_the_engine_use_one_budget() {
    let dir = tempfile::tempdir().unwrap();
    let clock = SessionClock::driven(morning());
    let (engine, guardian) = (open(dir.path(), &clock), open(dir.path(), &clock));
    assert_eq!(granted(&engine, ENTRY, 5), 5);
    assert_eq!(granted(&guardian, ENTRY, 1), 0);
    assert_eq!(granted(&guardian, EXIT, 20), 3);
    clock.drive(morning() + Age::from_millis(1_001));
    engine.refused_for_rate(EXIT);
    assert!(matches!(guardian.acquire(ENTRY).now_or_never(), Some(Err(_))), "the broker's no holds for both");
}

#[test]
fn an_order_is_changed_at_most_25_times_over_all_processes_and_trailing_ends_before() {
    let dir = tempfile::tempdir().unwrap();
    let clock = SessionClock::driven(morning());
    let id = ClientOrderId::parse("A1260210P1-0123456789ab").unwrap();
    let change = |purpose| CallClass::Change { id, purpose };
    let mut made = [0, 0];
    for (slot, purpose) in [OrderUse::Trail, OrderUse::Exit].into_iter().enumerate() {
        let budget = open(dir.path(), &clock);
        for _ in 0..30 {
            clock.drive(clock.now() + Age::from_secs(2));
            made[slot] += granted(&budget, change(purpose), 1);
        }
    }
    assert_eq!(made, [18, 7]);
}

#[test]
fn a_line_nobody_can_read_counts_and_a_new_day_begins_with_an_empty_file() {
    let dir = tempfile::tempdir().unwrap();
    let clock = SessionClock::driven(morning());
    std::fs::write(dir.path().join(FILE), "7 garbage\nmore\n7 1 ex").unwrap();
    let budget = open(dir.path(), &clock);
    assert_eq!(used(&budget, Family::Order, "day"), 3);
    assert_eq!(granted(&budget, EXIT, 1), 1);
    drop(budget);
    clock.drive(morning() + Age::from_mins(60 * 24));
    let budget = open(dir.path(), &clock);
    assert_eq!(used(&budget, Family::Order, "day"), 0);
    assert_eq!(std::fs::metadata(dir.path().join(FILE)).unwrap().len(), 0);
}

#[test]
fn a_clock_that_was_set_back_does_not_lock_the_budget() {
    let dir = tempfile::tempdir().unwrap();
    let clock = SessionClock::driven(morning() + Age::from_mins(90));
    assert_eq!(granted(&open(dir.path(), &clock), EXIT, 8), 8);
    let clock = SessionClock::driven(morning());
    let budget = open(dir.path(), &clock);
    clock.drive(morning() + Age::from_millis(1_001));
    assert_eq!(granted(&budget, EXIT, 8), 8);
}

#[test]
fn every_kind_of_call_is_read_back_as_it_was_written() {
    let id = ClientOrderId::parse("A1260210P1-0123456789ab").unwrap();
    let expiry = NaiveDate::from_ymd_opt(2026, 2, 10).unwrap();
    let mut lines = vec![Line::Call(Call::OptionChain { underlying: Underlying::BankNifty, expiry })];
    lines.push(Line::Call(Call::OptionChain { underlying: Underlying::Nifty, expiry: NaiveDate::MIN }));
    lines.extend([Call::Data, Call::Quote, Call::NonTrading].map(Line::Call));
    for purpose in [OrderUse::Entry, OrderUse::Trail, OrderUse::Exit] {
        lines.extend([None, Some(id)].map(|modifies| Line::Call(Call::Order { purpose, modifies })));
    }
    lines.extend([Family::Order, Family::Data, Family::Quote, Family::NonTrading].map(Line::TooMany));
    for line in lines {
        let text = line.write(42, morning());
        assert_eq!(Line::parse(text.trim_end()), Some((42, morning(), line)), "{text}");
    }
}
