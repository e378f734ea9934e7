//! The feed's trade times. They are IST wall clock encoded as though it were UTC (dhan-v2.md 0.2) - unless the broker
//! mends that one day, so live refuses to trust them before they were compared with the clock (A16).

use scalper_decide::domain::Instant;
use scalper_decide::domain::time::{IST_OFFSET_SECS, NANOS_PER_SEC};

/// What a trade time of the feed counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FeedEpoch {
    /// 1970 in IST: the numbers run 19,800 s ahead of the Unix clock. Seen on the wire.
    #[default]
    Ist,
    /// 1970 in UTC.
    Utc,
}

impl FeedEpoch {
    /// Seconds by which the feed's numbers run ahead.
    pub const fn shift_secs(self) -> i64 {
        match self {
            FeedEpoch::Ist => IST_OFFSET_SECS,
            FeedEpoch::Utc => 0,
        }
    }

    /// A raw trade time as an instant; `None` for 0, which says "never traded" and not 1970.
    pub const fn decode(self, raw: u32) -> Option<Instant> {
        if raw == 0 { None } else { Some(Instant::from_secs(raw as i64 - self.shift_secs())) }
    }

    /// An instant as a raw trade time, the sub-second part dropped; 0 where 32 bits do not reach.
    pub fn encode(self, at: Instant) -> u32 {
        u32::try_from(at.nanos().div_euclid(NANOS_PER_SEC) + self.shift_secs()).unwrap_or(0)
    }
}

/// Trade time as seen on the wire so far: [`FeedEpoch::Ist`].
pub const fn trade_time(raw: u32) -> Option<Instant> {
    FeedEpoch::Ist.decode(raw)
}

/// Trade times looked at before a verdict.
pub const CALIBRATION_SAMPLES: usize = 51;
/// How far the median may lie from an epoch, in seconds.
pub const CALIBRATION_TOLERANCE_SECS: i64 = 120;

/// Why the epoch of trade times is not known. Live trading refuses on either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CalibrationRefusal {
    /// Not enough fresh trades were seen yet.
    #[error("{seen} of {CALIBRATION_SAMPLES} fresh trade times seen")]
    TooFew {
        /// How many were.
        seen: usize,
    },
    /// The median is neither near the Unix clock nor near IST read as UTC.
    #[error("trade times run {median_secs} s ahead of this machine's clock; expected about 0 or {IST_OFFSET_SECS}")]
    Neither {
        /// Median of trade time minus receive time, seconds.
        median_secs: i64,
    },
}

/// Finds the epoch from trades that happened while we watched: median of trade time minus receive time (A16).
#[derive(Debug, Clone, Default)]
pub struct Calibration {
    lags: Vec<i64>,
}

impl Calibration {
    /// Nothing seen yet.
    pub const fn new() -> Calibration {
        Calibration { lags: Vec::new() }
    }

    /// Takes one fresh trade in. Old trades (the snapshot after a subscription) must not be given; 0 is ignored, and
    /// so is everything once there is enough.
    pub fn observe(&mut self, raw: u32, received_at: Instant) {
        if raw != 0 && self.lags.len() < CALIBRATION_SAMPLES {
            self.lags.push(i64::from(raw) - received_at.nanos().div_euclid(NANOS_PER_SEC));
        }
    }

    /// The epoch, or why there is none.
    pub fn verdict(&self) -> Result<FeedEpoch, CalibrationRefusal> {
        if self.lags.len() < CALIBRATION_SAMPLES {
            return Err(CalibrationRefusal::TooFew { seen: self.lags.len() });
        }
        let mut sorted = self.lags.clone();
        sorted.sort_unstable();
        let median_secs = sorted[sorted.len() / 2];
        [FeedEpoch::Ist, FeedEpoch::Utc]
            .into_iter()
            .find(|epoch| (median_secs - epoch.shift_secs()).abs() <= CALIBRATION_TOLERANCE_SECS)
            .ok_or(CalibrationRefusal::Neither { median_secs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_781_065_197; // 2026-06-10 09:49:57 IST

    fn calibrate(raw: impl Fn(i64) -> i64) -> Result<FeedEpoch, CalibrationRefusal> {
        let mut calibration = Calibration::new();
        for n in 0..CALIBRATION_SAMPLES as i64 {
            calibration.observe(raw(NOW + n) as u32, Instant::from_secs(NOW + n));
        }
        calibration.verdict()
    }

    #[test]
    fn trade_times_are_ist_wall_clock_and_zero_is_never() {
        // Received at 09:49:57.8 IST on 2026-06-10 (dhan-v2.md 0.2).
        assert_eq!(trade_time(1_781_084_997).unwrap().ist_text(), "2026-06-10T09:49:57+05:30");
        assert_eq!(trade_time(0), None);
        assert_eq!(FeedEpoch::Ist.encode(Instant::from_secs(NOW)), 1_781_084_997);
    }

    #[test]
    fn encoded_trade_times_decode_to_the_same_second() {
        for epoch in [FeedEpoch::Ist, FeedEpoch::Utc] {
            let at = Instant::from_nanos(NOW * NANOS_PER_SEC + 999_999_999);
            assert_eq!(epoch.decode(epoch.encode(at)), Some(Instant::from_secs(NOW)));
            assert_eq!(epoch.encode(Instant::from_secs(-100_000)), 0);
        }
    }

    #[test]
    fn either_convention_is_recognised_and_a_third_refused() {
        // A16
        assert_eq!(calibrate(|t| t + 19_800), Ok(FeedEpoch::Ist));
        assert_eq!(calibrate(|t| t + 19_800 - 119), Ok(FeedEpoch::Ist));
        assert_eq!(calibrate(|t| t), Ok(FeedEpoch::Utc));
        assert_eq!(calibrate(|t| t - 120), Ok(FeedEpoch::Utc));
        assert_eq!(calibrate(|t| t - 121), Err(CalibrationRefusal::Neither { median_secs: -121 }));
        assert_eq!(calibrate(|t| t + 3_600), Err(CalibrationRefusal::Neither { median_secs: 3_600 }));
        let milliseconds_wrapped = |t: i64| i64::from((t * 1_000) as u32);
        assert!(matches!(calibrate(milliseconds_wrapped), Err(CalibrationRefusal::Neither { .. })));
    }

    #[test]
    fn a_minority_of_old_trades_does_not_move_the_verdict() {
        assert_eq!(calibrate(|t| if t % 3 == 0 { t - 80_000 } else { t + 19_800 }), Ok(FeedEpoch::Ist));
    }

    #[test]
    fn no_verdict_before_enough_trades() {
        let mut calibration = Calibration::new();
        assert_eq!(calibration.verdict(), Err(CalibrationRefusal::TooFew { seen: 0 }));
        calibration.observe(0, Instant::from_secs(NOW));
        calibration.observe(1_781_084_997, Instant::from_secs(NOW));
        assert_eq!(calibration.verdict(), Err(CalibrationRefusal::TooFew { seen: 1 }));
    }
}
