//! How numbers are written for people: Indian digit grouping, two decimals, IST, `n/a` for what is undefined.
//! Every terminal table and page uses these, so one figure reads the same everywhere.

use chrono::{Datelike, NaiveDate};
use scalper_decide::domain::{Instant, Money, Premium};

/// What stands where a figure is undefined (too few days, nothing to divide by).
pub const NOT_AVAILABLE: &str = "n/a";

/// Groups a string of decimal digits the Indian way: the last three, then twos (`1234567` is `12,34,567`).
fn group(digits: &str) -> String {
    let Some(head_len) = digits.len().checked_sub(3).filter(|n| *n > 0) else { return digits.to_owned() };
    let (head, tail) = digits.split_at(head_len);
    let mut out = String::with_capacity(digits.len() + digits.len() / 2);
    for (i, digit) in head.chars().enumerate() {
        if i > 0 && (head_len - i).is_multiple_of(2) {
            out.push(',');
        }
        out.push(digit);
    }
    out.push(',');
    out.push_str(tail);
    out
}

fn paise_text(paise: i64, plus: bool) -> String {
    let sign = match paise.signum() {
        -1 => "-",
        1 if plus => "+",
        _ => "",
    };
    let abs = paise.unsigned_abs();
    format!("{sign}{}.{:02}", group(&(abs / 100).to_string()), abs % 100)
}

/// An amount in rupees: `1,23,456.50`, `-1,234.00`.
pub fn rupees(amount: Money) -> String {
    paise_text(amount.paise(), false)
}

/// A result in rupees with its sign always shown: `+1,234.00`, `-50.00`, `0.00`.
pub fn signed(amount: Money) -> String {
    paise_text(amount.paise(), true)
}

/// A result in rupees, `n/a` when there is none.
pub fn signed_or_na(amount: Option<Money>) -> String {
    amount.map_or_else(|| NOT_AVAILABLE.to_owned(), signed)
}

/// A premium in rupees per unit: `145.20`.
pub fn premium(price: Premium) -> String {
    paise_text(price.paise(), false)
}

/// A count: `12,34,567`.
pub fn count(n: u64) -> String {
    group(&n.to_string())
}

/// A count with its noun: `1 trade`, `12 trades`.
pub fn plural(n: usize, noun: &str) -> String {
    format!("{} {noun}{}", count(n as u64), if n == 1 { "" } else { "s" })
}

/// A plain number with `decimals` places and Indian grouping; `n/a` when it is not finite.
pub fn number(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return NOT_AVAILABLE.to_owned();
    }
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), None), |(w, f)| (w, Some(f)));
    let zero = text.chars().all(|c| c == '0' || c == '.');
    let sign = if value < 0.0 && !zero { "-" } else { "" };
    let whole = group(whole);
    fraction.map_or_else(|| format!("{sign}{whole}"), |f| format!("{sign}{whole}.{f}"))
}

/// A ratio with two decimals; `n/a` when undefined.
pub fn ratio(value: Option<f64>) -> String {
    value.map_or_else(|| NOT_AVAILABLE.to_owned(), |v| number(v, 2))
}

/// A percentage with two decimals from a value that is in percent already: `12.50 %`; `n/a` when undefined.
pub fn pct(percent: Option<f64>) -> String {
    match percent {
        Some(p) if p.is_finite() => format!("{} %", number(p, 2)),
        _ => NOT_AVAILABLE.to_owned(),
    }
}

/// IST date and time with seconds: `2026-01-12 09:15:03`.
pub fn ist_time(at: Instant) -> String {
    format!("{} {}", at.ist_date().format("%Y-%m-%d"), at.ist_time())
}

/// IST time of day with seconds: `09:15:03`.
pub fn ist_clock(at: Instant) -> String {
    at.ist_time().to_string()
}

/// A day with its weekday: `2026-01-12 Mon`.
pub fn day(day: NaiveDate) -> String {
    day.format("%Y-%m-%d %a").to_string()
}

/// A month: `2026-01`.
pub fn month(day: NaiveDate) -> String {
    format!("{:04}-{:02}", day.year(), day.month())
}

/// A length of time: `45s`, `4m 05s`, `1h 02m`, `3d 04h`.
pub fn duration(secs: i64) -> String {
    let s = secs.max(0);
    match s {
        0..60 => format!("{s}s"),
        60..3_600 => format!("{}m {:02}s", s / 60, s % 60),
        3_600..86_400 => format!("{}h {:02}m", s / 3_600, s / 60 % 60),
        _ => format!("{}d {:02}h", s / 86_400, s / 3_600 % 24),
    }
}

/// A length of time, `n/a` when there is none.
pub fn duration_or_na(secs: Option<i64>) -> String {
    secs.map_or_else(|| NOT_AVAILABLE.to_owned(), duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rupees_are_grouped_the_indian_way_with_two_decimals() {
        let cases = [
            (0, "0.00"),
            (5, "0.05"),
            (-5, "-0.05"),
            (99_999, "999.99"),
            (100_000, "1,000.00"),
            (1_234_550, "12,345.50"),
            (12_345_650, "1,23,456.50"),
            (123_456_789, "12,34,567.89"),
            (-100_000_000_000, "-1,00,00,00,000.00"),
        ];
        for (paise, text) in &cases {
            assert_eq!(rupees(Money::from_paise(*paise)), *text);
        }
        assert_eq!(rupees(Money::from_paise(i64::MIN)), "-92,23,37,20,36,85,47,758.08");
    }

    #[test]
    fn a_result_shows_its_sign_and_zero_has_none() {
        assert_eq!(signed(Money::from_rupees(1_234)), "+1,234.00");
        assert_eq!(signed(Money::from_rupees(-50)), "-50.00");
        assert_eq!(signed(Money::ZERO), "0.00");
    }

    #[test]
    fn undefined_figures_read_n_a_and_a_rounded_zero_has_no_minus() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(number(bad, 2), "n/a");
            assert_eq!(pct(Some(bad)), "n/a");
            assert_eq!(ratio(Some(bad)), "n/a");
        }
        assert_eq!(pct(None), "n/a");
        assert_eq!(number(-0.001, 2), "0.00");
        assert_eq!(number(-1_234_567.891, 1), "-12,34,567.9");
        assert_eq!(number(25_657.45, 0), "25,657");
        assert_eq!(pct(Some(12.5)), "12.50 %");
    }

    #[test]
    fn durations_and_times_read_in_ist() {
        assert_eq!((plural(1, "trade"), plural(0, "trade")), ("1 trade".to_owned(), "0 trades".to_owned()));
        assert_eq!(duration(45), "45s");
        assert_eq!(duration(245), "4m 05s");
        assert_eq!(duration(3_725), "1h 02m");
        assert_eq!(duration(100_000), "1d 03h");
        assert_eq!(duration(-3), "0s");
        assert_eq!(ist_time(Instant::from_secs(1_768_189_503)), "2026-01-12 09:15:03");
        assert_eq!(day(NaiveDate::from_ymd_opt(2026, 1, 12).unwrap()), "2026-01-12 Mon");
    }
}
