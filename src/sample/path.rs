//! The level of one index through a day: the script's course, plus noise that pulls back to it so that a scripted
//! move arrives where it was sent.

use scalper_decide::domain::{TimeOfDay, Underlying};

use super::maths::exp;
use super::profile::Profile;
use super::random::Stream;
use super::script::{Course, IvShock};

/// Frames per second: the grid of exchange times.
pub(crate) const FRAMES_PER_SEC: u32 = 4;
const FRAME_MIN: f64 = 1.0 / (60.0 * FRAMES_PER_SEC as f64);
/// Share of the noise all indices have in common (its square is their correlation).
const COMMON: f64 = 0.92;
/// Noise loses half of itself in four minutes: `ln 2 / 4` per minute.
const NOISE_PULL: f64 = 0.173_286_795;
/// The same for volatility noise: half an hour.
const IV_PULL: f64 = 0.023_104_906;
/// Deviation of volatility noise per square-root minute, in volatility (0.01 = one point).
const IV_VOL: f64 = 0.000_5;
/// Volatility rises by so much for each 1.00 the index falls (1 % down, 0.6 points up).
const IV_SPOT_BETA: f64 = -0.6;

/// Level and volatility of one index, moved frame by frame.
#[derive(Debug, Clone)]
pub(crate) struct Path {
    open: f64,
    course: Course,
    noise: f64,
    minute_vol: f64,
    open_secs: f64,
    base_iv: f64,
    iv_noise: f64,
    shocks: Vec<IvShock>,
    /// Level in points.
    pub level: f64,
    /// At-the-money volatility per year.
    pub atm_iv: f64,
    /// Present noise multiple: spreads widen with it.
    pub vol: f64,
}

impl Path {
    pub(crate) fn new(
        index: Underlying,
        profile: &Profile,
        open: f64,
        course: Course,
        base_iv: f64,
        shocks: &[IvShock],
        open_at: TimeOfDay,
    ) -> Path {
        Path {
            open,
            course,
            noise: 0.0,
            minute_vol: profile.minute_vol,
            open_secs: f64::from(open_at.secs()),
            base_iv,
            iv_noise: 0.0,
            shocks: shocks.iter().filter(|s| s.index == index).copied().collect(),
            level: open,
            atm_iv: base_iv,
            vol: 1.0,
        }
    }

    /// Moves to `secs` seconds after midnight, one frame later. `common` is the draw all indices share.
    pub(crate) fn step(&mut self, secs: f64, common: f64, own: &mut Stream) {
        let (change, vol) = self.course.at(secs);
        // The first quarter of an hour is livelier.
        let since_open = (secs - self.open_secs) / 60.0;
        self.vol = vol * (1.0 + 0.6 / (1.0 + (since_open / 10.0) * (since_open / 10.0)));
        let draw = COMMON * common + (1.0 - COMMON * COMMON).sqrt() * own.gauss();
        self.noise += -NOISE_PULL * FRAME_MIN * self.noise + self.minute_vol * self.vol * FRAME_MIN.sqrt() * draw;
        self.level = self.open + change + self.noise;
    }

    /// Moves the volatility by one second.
    pub(crate) fn step_iv(&mut self, secs: f64, stream: &mut Stream) {
        let second = 1.0 / 60.0_f64;
        self.iv_noise += -IV_PULL * second * self.iv_noise + IV_VOL * second.sqrt() * stream.gauss();
        let shock: f64 = self
            .shocks
            .iter()
            .filter(|s| f64::from(s.at.secs()) <= secs)
            .map(|s| {
                let halves = (secs - f64::from(s.at.secs())) / 60.0 / s.half_life_min;
                s.points / 100.0 * exp(-std::f64::consts::LN_2 * halves)
            })
            .sum();
        let by_spot = IV_SPOT_BETA * (self.level / self.open - 1.0);
        self.atm_iv = (self.base_iv + self.iv_noise + by_spot + shock).max(0.04);
    }
}
