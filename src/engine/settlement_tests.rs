use std::sync::LazyLock;

use chrono::NaiveDate;
use scalper_decide::domain::{InstrumentId, TickSource};

use super::*;

static HOURS: LazyLock<SessionHours> = LazyLock::new(|| {
    let tables = crate::config::tables::load(None).unwrap();
    tables.calendar.hours(NaiveDate::from_ymd_opt(2026, 2, 10).unwrap()).unwrap().unwrap()
});

fn at(minute: i64, second: i64) -> Instant {
    HOURS.at(HOURS.index_continuous_close) - WINDOW + Age::from_secs(minute * 60 + second)
}

fn tick(at: Instant, paise: i64, source: TickSource) -> Tick {
    Tick::last_price(InstrumentId(0), at, at, paise, source)
}

/// A level a second in these minutes: 100 paise more each minute.
fn listen(levels: &mut Levels, minutes: std::ops::Range<i64>) {
    for minute in minutes {
        for second in 0..60 {
            let tick = tick(at(minute, second), 2_500_000 + 100 * minute, TickSource::Feed);
            levels.take(Underlying::Nifty, &tick);
        }
    }
}

/// The four points of each minute's bar.
fn bars(levels: &mut Levels, minutes: std::ops::Range<i64>) {
    for minute in minutes {
        for point in 0..4 {
            let tick = tick(at(minute, 15 * point), 2_500_000 + 100 * minute, TickSource::Bar);
            levels.take(Underlying::Nifty, &tick);
        }
    }
}

#[test]
fn levels_outside_the_last_half_hour_do_not_count() {
    let mut levels = Levels::of(&HOURS);
    levels.take(Underlying::Nifty, &tick(at(0, -1), 1, TickSource::Feed));
    levels.take(Underlying::Nifty, &tick(at(30, 0), 1, TickSource::Feed));
    assert!(levels.value(Underlying::Nifty).unwrap_err().contains("no level of NIFTY"));
    listen(&mut levels, 0..30);
    let (value, source) = levels.value(Underlying::Nifty).unwrap();
    assert_eq!(value.paise(), 2_501_450);
    assert!(source.starts_with("average of the received index"), "{source}");
}

#[test]
fn minutes_without_a_process_count_by_their_bars_like_every_other_minute() {
    // P30 after a restart in the last half hour: four points of a bar weigh as much as sixty ticks.
    let mut levels = Levels::of(&HOURS);
    listen(&mut levels, 0..10);
    levels.missed(at(9, 59), at(20, 5));
    bars(&mut levels, 10..20);
    listen(&mut levels, 20..30);
    let (value, source) = levels.value(Underlying::Nifty).unwrap();
    assert_eq!(value.paise(), 2_501_450, "the same as without the restart");
    assert!(source.contains("10 of 30 minutes from minute bars"), "{source}");
}

#[test]
fn a_minute_that_nobody_tells_of_refuses_the_value_and_names_it() {
    let mut levels = Levels::of(&HOURS);
    listen(&mut levels, 0..10);
    levels.missed(at(9, 59), at(20, 5));
    bars(&mut levels, 11..20);
    listen(&mut levels, 20..30);
    let why = levels.value(Underlying::Nifty).unwrap_err();
    assert!(why.contains(&at(10, 0).ist_text()), "{why}");
    // Silence of the feed while a process listened is no such gap: what was received is what there is.
    let mut levels = Levels::of(&HOURS);
    listen(&mut levels, 0..10);
    assert!(levels.value(Underlying::Nifty).is_ok());
    // A time without a process before the window matters to nobody.
    levels.missed(at(-60, 0), at(0, 0));
    assert!(levels.value(Underlying::Nifty).is_ok());
}
