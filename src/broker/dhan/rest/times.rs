//! Dhan's REST times: naive IST texts in three spellings, and true epochs on candles (dhan-v2.md 0.2).

use chrono::{NaiveDate, NaiveDateTime, Timelike as _};
use scalper_decide::domain::{Instant, TimeOfDay};

fn instant(at: NaiveDateTime) -> Option<Instant> {
    // A year outside these is a sentinel (0001, 1970, 1980) or garbage.
    let year = chrono::Datelike::year(&at.date());
    if !(1990..2200).contains(&year) {
        return None;
    }
    Some(Instant::from_ist(at.date(), TimeOfDay::from_secs(at.time().num_seconds_from_midnight())?))
}

/// A time such as `2025-07-07 10:03:13` (also with a fraction, with `T`, or with stray runs of spaces), IST;
/// `None` for the sentinels and for what is no time.
pub fn ist(text: &str) -> Option<Instant> {
    let text = text.trim().trim_end_matches('Z').replacen('T', " ", 1);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S%.f").ok().and_then(instant)
}

/// A quote's last trade time, `DD/MM/YYYY HH:MM:SS`, IST; `None` for "" and 01/01/1980.
pub fn quote(text: &str) -> Option<Instant> {
    NaiveDateTime::parse_from_str(text.trim(), "%d/%m/%Y %H:%M:%S").ok().and_then(instant)
}

/// A token's validity in the profile, `DD/MM/YYYY HH:MM`, IST.
pub fn minute(text: &str) -> Option<Instant> {
    NaiveDateTime::parse_from_str(text.trim(), "%d/%m/%Y %H:%M").ok().and_then(instant)
}

/// A date, also at the head of a date and time; `None` for the year 1.
pub fn date(text: &str) -> Option<NaiveDate> {
    let head = text.trim().get(..10)?;
    let day = NaiveDate::parse_from_str(head, "%Y-%m-%d").ok()?;
    (1990..2200).contains(&chrono::Datelike::year(&day)).then_some(day)
}

/// How order, trade and position rows write a time.
pub fn write(at: Instant) -> String {
    format!("{} {}", at.ist_date().format("%Y-%m-%d"), at.ist_time())
}

/// How quotes write a time.
pub fn write_quote(at: Instant) -> String {
    format!("{} {}", at.ist_date().format("%d/%m/%Y"), at.ist_time())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn naive_times_are_ist_and_sentinels_are_no_time() {
        let at = ist("2025-07-07 10:03:13").unwrap();
        assert_eq!(at.ist_text(), "2025-07-07T10:03:13+05:30");
        assert_eq!(ist("2024-12-31   14:07:11"), ist("2024-12-31 14:07:11"));
        assert_eq!(ist(&write(at)), Some(at));
        assert_eq!(quote(&write_quote(at)), Some(at));
        assert_eq!(minute("30/03/2025 15:37").unwrap().ist_text(), "2025-03-30T15:37:00+05:30");
        for none in ["0001-01-01 00:00:00", "NA", "", "1980-01-01 00:00:00", "2025-13-01 00:00:00", "2025-07-07"] {
            assert_eq!(ist(none), None, "{none}");
        }
        assert_eq!(quote("01/01/1980 00:00:00"), None);
        assert_eq!(date("0001-01-01"), None);
        assert_eq!(date("2024-10-24 14:30:00"), NaiveDate::from_ymd_opt(2024, 10, 24));
    }
}
