//! Time to expiry: calendar time over a year of 365 days.

use crate::domain::Instant;
use crate::domain::time::NANOS_PER_SEC;

/// Seconds in the model's year (365 days; 525,600 minutes).
pub const SECS_PER_YEAR: i64 = 365 * 86_400;

/// Years from `now` to the close of the expiry session, ACT/365 counted in whole seconds (so a whole number of minutes
/// gives exactly `minutes / 525600`). 0 at and after the close.
pub fn years_to(now: Instant, expiry_close: Instant) -> f64 {
    let secs = expiry_close.age_of(now).nanos() / NANOS_PER_SEC;
    secs as f64 / SECS_PER_YEAR as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Age;

    #[test]
    fn a_minute_is_one_part_in_525600_to_the_last_bit() {
        let close = Instant::from_secs(1_768_300_000);
        for minutes in [1, 7, 60, 375, 10_080, 525_600] {
            assert_eq!(years_to(close - Age::from_mins(minutes), close), minutes as f64 / 525_600.0);
        }
    }

    #[test]
    fn seconds_count_and_nothing_is_left_at_the_close() {
        let close = Instant::from_secs(1_768_300_000);
        assert_eq!(years_to(close - Age::from_secs(6), close), 6.0 / 31_536_000.0);
        assert_eq!(years_to(close - Age::from_millis(6_999), close), 6.0 / 31_536_000.0);
        assert_eq!(years_to(close, close), 0.0);
        assert_eq!(years_to(close + Age::from_secs(1), close), 0.0);
    }
}
