//! Reads times, prices and counts from text, strictly: what a spreadsheet may have changed is refused, not guessed.

use chrono::NaiveDate;
use scalper_decide::domain::{Instant, TimeOfDay};

use super::error::Fault;

/// Unit of a numeric time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum TimeUnit {
    /// Seconds since 1970 UTC.
    S,
    /// Milliseconds.
    Ms,
    /// Microseconds.
    Us,
    /// Nanoseconds.
    Ns,
    /// ISO 8601 text; without a zone it is IST.
    Iso,
}

/// Unit of prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum PriceUnit {
    /// Rupees, with decimals.
    #[default]
    Rupees,
    /// Paise.
    Paise,
}

// 2000-01-01 and 2100-01-01.
const EPOCH_SECONDS: std::ops::Range<i128> = 946_684_800..4_102_444_800;

/// An ISO 8601 time. Without a zone it is IST, as every Indian vendor means it.
pub fn iso_time(text: &str) -> Result<Instant, Fault> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Fault::Missing);
    }
    parse_iso(text).ok_or_else(|| if is_mangled_time(text) { Fault::MangledTime } else { Fault::NotATime })
}

fn parse_iso(text: &str) -> Option<Instant> {
    let digits = |from: usize, to: usize| -> Option<u32> {
        let part = text.get(from..to)?;
        part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok())?
    };
    let byte = |at: usize| text.as_bytes().get(at).copied();
    if byte(4)? != b'-' || byte(7)? != b'-' || !matches!(byte(10)?, b'T' | b' ') || byte(13)? != b':' {
        return None;
    }
    let day = NaiveDate::from_ymd_opt(i32::try_from(digits(0, 4)?).ok()?, digits(5, 7)?, digits(8, 10)?)?;
    let (hour, minute) = (digits(11, 13)?, digits(14, 16)?);
    let mut at = 16;
    let mut second = 0;
    let mut nanos = 0;
    if byte(at) == Some(b':') {
        second = digits(17, 19)?;
        at = 19;
        if byte(at) == Some(b'.') {
            let end = text[at + 1..].find(|c: char| !c.is_ascii_digit()).map_or(text.len(), |n| at + 1 + n);
            let fraction = &text[at + 1..end];
            if fraction.is_empty() || fraction.len() > 9 {
                return None;
            }
            nanos = fraction.parse::<i64>().ok()? * 10_i64.pow(9 - fraction.len() as u32);
            at = end;
        }
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let ist = Instant::from_ist(day, TimeOfDay::from_secs(hour * 3600 + minute * 60 + second)?).nanos() + nanos;
    let ahead = match &text[at..] {
        "" => 19_800,
        "Z" | "z" => 0,
        zone => {
            let sign = if zone.starts_with('-') { -1 } else { 1 };
            let (h, m) = match zone.strip_prefix(['+', '-'])? {
                hhmm if hhmm.len() == 5 && hhmm.as_bytes()[2] == b':' => (&hhmm[..2], &hhmm[3..]),
                hhmm if hhmm.len() == 4 && hhmm.is_ascii() => hhmm.split_at(2),
                _ => return None,
            };
            sign * (h.parse::<i64>().ok()? * 3600 + m.parse::<i64>().ok()? * 60)
        }
    };
    Some(Instant::from_nanos(ist + (19_800 - ahead) * 1_000_000_000))
}

/// `12-01-2026 9:15`, `1/12/2026`, `46034.385`, `4.6E+04`, `09:15.0`: what spreadsheets make of times.
fn is_mangled_time(text: &str) -> bool {
    let separators = text.bytes().filter(|b| matches!(b, b'/' | b'-')).count();
    let starts_with_number = text.as_bytes()[0].is_ascii_digit();
    let serial = text.parse::<f64>().is_ok_and(|n| (20_000.0..80_000.0).contains(&n));
    let short_clock = text.contains(':') && separators == 0;
    let bad_pad = parse_iso(&text.replacen(' ', " 0", 1)).is_some();
    starts_with_number && (separators == 2 || serial || short_clock || bad_pad)
}

/// A time in a given or recognised unit.
pub fn time(text: &str, unit: Option<TimeUnit>) -> Result<Instant, Fault> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Fault::Missing);
    }
    let numeric = text.bytes().all(|b| b.is_ascii_digit() || b == b'.') && text.bytes().any(|b| b.is_ascii_digit());
    match unit {
        Some(TimeUnit::Iso) => iso_time(text),
        None if !numeric => iso_time(text),
        _ if !numeric => Err(if is_mangled_time(text) { Fault::MangledTime } else { Fault::NotAnEpoch }),
        Some(unit) => {
            let per_second = match unit {
                TimeUnit::S => 1,
                TimeUnit::Ms => 1_000,
                TimeUnit::Us => 1_000_000,
                _ => 1_000_000_000,
            };
            epoch(text, per_second).ok_or(Fault::NotAnEpoch)
        }
        None => match [1, 1_000, 1_000_000, 1_000_000_000].into_iter().find_map(|n| epoch(text, n)) {
            Some(at) => Ok(at),
            None => Err(if is_mangled_time(text) { Fault::MangledTime } else { Fault::NotAnEpoch }),
        },
    }
}

fn epoch(text: &str, per_second: i128) -> Option<Instant> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole: i128 = whole.parse().ok()?;
    if !EPOCH_SECONDS.contains(&(whole / per_second)) {
        return None;
    }
    let unit = 1_000_000_000 / per_second;
    let part: f64 = if fraction.is_empty() { 0.0 } else { format!("0.{fraction}").parse().ok()? };
    i64::try_from(whole * unit + (part * unit as f64).round() as i128).ok().map(Instant::from_nanos)
}

/// A date like `2026-01-13`.
pub fn date(text: &str) -> Result<NaiveDate, Fault> {
    let text = text.trim();
    let shaped = text.len() == 10 && text.as_bytes()[4] == b'-';
    match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        Ok(date) if shaped => Ok(date),
        _ if text.is_empty() => Err(Fault::Missing),
        _ => Err(Fault::NotADate),
    }
}

fn number(text: &str) -> Result<f64, Fault> {
    let text = text.trim();
    if text.is_empty() || text.eq_ignore_ascii_case("null") {
        return Err(Fault::Missing);
    }
    let value: f64 = text.parse().map_err(|_| Fault::NotANumber)?;
    if !value.is_finite() {
        return Err(Fault::NotFinite);
    }
    if text.contains(['e', 'E']) {
        return Err(Fault::MangledNumber);
    }
    Ok(value)
}

/// Rupees to the nearest paisa. Broker prices are widened 32-bit floats (25935.099609375 is 25935.10; its error stays
/// below half a paisa up to 65,536 and below two paise up to 262,144).
pub fn rupees_to_paise(rupees: f64) -> Result<i64, Fault> {
    if !rupees.is_finite() {
        return Err(Fault::NotFinite);
    }
    let paise = (rupees * 100.0).round();
    if paise.abs() > 1e13 { Err(Fault::TooLarge) } else { Ok(paise as i64) }
}

/// A price above zero, in paise.
pub fn price(text: &str, unit: PriceUnit) -> Result<i64, Fault> {
    match price_or_zero(text, unit)? {
        0 => Err(Fault::NotPositive),
        paise => Ok(paise),
    }
}

/// A price where 0 says "there is none", in paise.
pub fn price_or_zero(text: &str, unit: PriceUnit) -> Result<i64, Fault> {
    let value = number(text)?;
    if value < 0.0 {
        return Err(Fault::NotPositive);
    }
    let paise = match unit {
        PriceUnit::Rupees => rupees_to_paise(value)?,
        PriceUnit::Paise => rupees_to_paise(value / 100.0)?,
    };
    // A positive price that rounds to nothing is no price.
    if paise == 0 && value > 0.0 { Err(Fault::NotPositive) } else { Ok(paise) }
}

/// A finite amount, zero or more, that need not be whole.
pub fn amount(text: &str) -> Result<f64, Fault> {
    let value = number(text)?;
    if value < 0.0 { Err(Fault::Negative) } else { Ok(value) }
}

/// A whole count, zero or more; `2600.0` counts as whole.
pub fn count(text: &str) -> Result<i64, Fault> {
    whole(number(text)?)
}

/// The same for a number that is already decoded.
pub fn whole(value: f64) -> Result<i64, Fault> {
    if !value.is_finite() {
        Err(Fault::NotFinite)
    } else if value < 0.0 {
        Err(Fault::Negative)
    } else if value.fract() != 0.0 {
        Err(Fault::NotWhole)
    } else if value > 9e15 {
        Err(Fault::TooLarge)
    } else {
        Ok(value as i64)
    }
}

/// The same, `None` when the cell is empty.
pub fn optional_count(text: &str) -> Result<Option<i64>, Fault> {
    match count(text) {
        Err(Fault::Missing) => Ok(None),
        other => other.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_honest_spelling() {
        let expected = Ok(Instant::from_secs(1_768_189_500));
        for text in [
            "2026-01-12T09:15:00+05:30",
            "2026-01-12 09:15:00",
            "2026-01-12 09:15",
            "2026-01-12T03:45:00Z",
            "2026-01-12T03:45:00.000+0000",
            "2026-01-11T22:45:00-05:00",
            "1768189500",
            "1768189500.0",
            "1768189500000",
            "1768189500000000",
            "1768189500000000000",
        ] {
            assert_eq!(time(text, None), expected, "{text}");
        }
        assert_eq!(iso_time("2026-01-12 09:15:00.553384").unwrap().nanos() % 1_000_000_000, 553_384_000);
        assert_eq!(time("1768189500.25", None).unwrap().nanos() % 1_000_000_000, 250_000_000);
        assert_eq!(time("1768189500000", Some(TimeUnit::Ms)), expected);
        assert_eq!(time("1768189500", Some(TimeUnit::Ms)), Err(Fault::NotAnEpoch));
    }

    #[test]
    fn times_a_spreadsheet_touched_are_refused() {
        for text in [
            "12-01-2026 9:15",
            "1/12/2026",
            "1/12/2026 9:15",
            "12-01-2026",
            "46034.385",
            "09:15.0",
            "2026-01-12 9:15:00",
        ] {
            assert_eq!(time(text, None), Err(Fault::MangledTime), "{text}");
        }
        for text in ["today", "2026-13-01 09:15:00", "2026-01-12T24:00:00", "2026-01-12T09:15:00+5", "é026-01-12 09:15"]
        {
            assert!(time(text, None).is_err(), "{text}");
        }
    }

    #[test]
    fn prices_round_float32_noise_away_and_refuse_what_is_no_price() {
        assert_eq!(price("25935.099609375", PriceUnit::Rupees), Ok(2_593_510));
        assert_eq!(price("83515.3515625", PriceUnit::Rupees), Ok(8_351_535));
        assert_eq!(price("0.05", PriceUnit::Rupees), Ok(5));
        assert_eq!(price("2566905", PriceUnit::Paise), Ok(2_566_905));
        for (text, fault) in [
            ("", Fault::Missing),
            ("NaN", Fault::NotFinite),
            ("inf", Fault::NotFinite),
            ("-1.5", Fault::NotPositive),
            ("0", Fault::NotPositive),
            ("0.001", Fault::NotPositive),
            ("2.57E+04", Fault::MangledNumber),
            ("25,650", Fault::NotANumber),
            ("1000000000000000", Fault::TooLarge),
        ] {
            assert_eq!(price(text, PriceUnit::Rupees), Err(fault), "{text}");
        }
        assert_eq!(price_or_zero("0", PriceUnit::Rupees), Ok(0));
    }

    #[test]
    fn counts_are_whole_and_not_negative() {
        assert_eq!(count("2600.0"), Ok(2600));
        assert_eq!(count("2600.5"), Err(Fault::NotWhole));
        assert_eq!(count("-1"), Err(Fault::Negative));
        assert_eq!(optional_count(""), Ok(None));
        assert_eq!(date("2026-01-13"), Ok("2026-01-13".parse().unwrap()));
        assert_eq!(date("13-01-2026"), Err(Fault::NotADate));
    }
}
