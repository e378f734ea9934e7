//! The course of a generated day as data: stretches of trend, chop, spikes and gaps per index, moments when quotes
//! stop, and jumps of volatility. Noise is added on top; the script alone fixes where a day goes.

use std::collections::BTreeMap;

use scalper_decide::domain::{Right, SessionHours, TimeOfDay, Underlying};

use super::profile::profile;
use super::random::Stream;

/// What a sample's days do.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Script {
    /// First trading days that carry sparse index ticks only, so that indicators are warm when trading starts.
    pub warmup_days: usize,
    /// Scripts of the days after the warm-up, in order. Days beyond the list draw their regimes from the seed.
    pub days: Vec<DayScript>,
}

/// The course of one day.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DayScript {
    /// Per index, stretches in order of time, not overlapping. Time between them is flat with normal noise.
    pub segments: BTreeMap<Underlying, Vec<Segment>>,
    /// Contracts whose quotes stop for a while.
    pub outages: Vec<Outage>,
    /// Jumps of implied volatility.
    pub iv_shocks: Vec<IvShock>,
    /// At-the-money volatility per year (0.12 = 12 %) where it differs from the index's habit.
    pub atm_iv: BTreeMap<Underlying, f64>,
}

/// One stretch of an index's day, `[from, to)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Segment {
    /// First second.
    pub from: TimeOfDay,
    /// First second after.
    pub to: TimeOfDay,
    /// Where the level goes.
    pub kind: Move,
    /// Noise as a multiple of the index's normal one, 0 or more.
    pub vol: f64,
}

/// Where the level goes inside a stretch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Move {
    /// A trend of so many points per minute, negative for down. The level stays where it ends.
    Trend {
        /// Points per minute.
        slope: f64,
    },
    /// Back and forth around one level, ending where it began.
    Chop {
        /// Points to each side.
        amplitude: f64,
        /// Minutes of a full swing; stretched so that whole swings fit.
        period_min: f64,
    },
    /// Out by so many points until the middle of the stretch and back at its end.
    Spike {
        /// Points, negative for down.
        points: f64,
    },
    /// A jump at `from` that stays.
    Gap {
        /// Points, negative for down.
        points: f64,
    },
}

/// A stretch of time in which some option contracts send nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// The index.
    pub index: Underlying,
    /// Which expiry, 0 = the nearest.
    pub expiry_rank: usize,
    /// Calls, puts, or both when `None`.
    pub right: Option<Right>,
    /// First and last strike in steps from the strike at the money at the open, inclusive.
    pub steps: (i32, i32),
    /// First silent second.
    pub from: TimeOfDay,
    /// First second with quotes again.
    pub to: TimeOfDay,
}

/// A jump of at-the-money volatility that fades.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IvShock {
    /// The index.
    pub index: Underlying,
    /// When.
    pub at: TimeOfDay,
    /// Volatility points (2.0 = from 12 % to 14 %), negative for a crush.
    pub points: f64,
    /// Minutes after which half of it is gone.
    pub half_life_min: f64,
}

impl Segment {
    /// A trend of `slope` points per minute.
    pub const fn trend(from: TimeOfDay, to: TimeOfDay, slope: f64, vol: f64) -> Segment {
        Segment { from, to, kind: Move::Trend { slope }, vol }
    }
    /// No direction and the given noise.
    pub const fn flat(from: TimeOfDay, to: TimeOfDay, vol: f64) -> Segment {
        Segment::trend(from, to, 0.0, vol)
    }
    /// Swings of `amplitude` points to each side.
    pub const fn chop(from: TimeOfDay, to: TimeOfDay, amplitude: f64, period_min: f64, vol: f64) -> Segment {
        Segment { from, to, kind: Move::Chop { amplitude, period_min }, vol }
    }
    /// Out and back by `points`.
    pub const fn spike(from: TimeOfDay, to: TimeOfDay, points: f64, vol: f64) -> Segment {
        Segment { from, to, kind: Move::Spike { points }, vol }
    }
    /// A jump by `points` at `from`, then flat.
    pub const fn gap(from: TimeOfDay, to: TimeOfDay, points: f64, vol: f64) -> Segment {
        Segment { from, to, kind: Move::Gap { points }, vol }
    }

    /// Trends one after another from `from` on, each as (minutes, points in all, noise); points are multiplied by
    /// `scale`, so that one shape fits every index.
    ///
    /// # Panics
    /// When the legs run past midnight: a fault of the script's writer.
    pub fn legs(from: TimeOfDay, scale: f64, legs: &[(u32, f64, f64)]) -> Vec<Segment> {
        let mut at = from;
        legs.iter()
            .map(|&(minutes, points, vol)| {
                let to = TimeOfDay::from_secs(at.secs() + minutes * 60).expect("legs end before midnight");
                let leg = Segment::trend(at, to, points * scale / f64::from(minutes), vol);
                at = to;
                leg
            })
            .collect()
    }

    /// Change of the level from the start of the stretch until `secs` seconds after midnight, which lies inside.
    fn change_at(&self, secs: f64) -> f64 {
        let (from, to) = (f64::from(self.from.secs()), f64::from(self.to.secs()));
        let share = (secs - from) / (to - from);
        match self.kind {
            Move::Trend { slope } => slope * (secs - from) / 60.0,
            Move::Gap { points } => points,
            Move::Spike { points } => points * (1.0 - (2.0 * share - 1.0).abs()),
            Move::Chop { amplitude, period_min } => {
                let swings = ((to - from) / 60.0 / period_min + 0.5).floor().max(1.0);
                // Triangle wave: 0, +1, 0, -1, 0 over one swing.
                let phase = (share * swings + 0.75).fract();
                amplitude * (4.0 * (phase - 0.5).abs() - 1.0)
            }
        }
    }

    /// Change of the level that remains after the stretch.
    fn lasting_change(&self) -> f64 {
        match self.kind {
            Move::Trend { slope } => slope * (f64::from(self.to.secs()) - f64::from(self.from.secs())) / 60.0,
            Move::Gap { points } => points,
            Move::Spike { .. } | Move::Chop { .. } => 0.0,
        }
    }

    fn check(&self) -> Result<(), String> {
        if self.to <= self.from {
            return Err(format!("{}-{} ends before it starts", self.from, self.to));
        }
        if !self.vol.is_finite() || self.vol < 0.0 {
            return Err(format!("{}-{} has noise {}, expected 0 or more", self.from, self.to, self.vol));
        }
        let sizes = match self.kind {
            Move::Trend { slope } => [slope, 1.0],
            Move::Chop { amplitude, period_min } => [amplitude, period_min],
            Move::Spike { points } | Move::Gap { points } => [points, 1.0],
        };
        if sizes.iter().any(|s| !s.is_finite()) || sizes[1] <= 0.0 {
            return Err(format!("{}-{} has a size that is no usable number: {:?}", self.from, self.to, self.kind));
        }
        Ok(())
    }
}

impl DayScript {
    /// Checks that every number is usable and that the stretches of an index come in order without overlap.
    pub fn check(&self) -> Result<(), String> {
        for (index, segments) in &self.segments {
            for segment in segments {
                segment.check().map_err(|e| format!("{index}: stretch {e}"))?;
            }
            for pair in segments.windows(2) {
                if pair[1].from < pair[0].to {
                    return Err(format!("{index}: stretch from {} starts before {}", pair[1].from, pair[0].to));
                }
            }
        }
        for outage in &self.outages {
            if outage.to <= outage.from || outage.steps.1 < outage.steps.0 {
                return Err(format!("{}: outage from {} covers nothing", outage.index, outage.from));
            }
        }
        for shock in &self.iv_shocks {
            if !shock.points.is_finite() || !shock.half_life_min.is_finite() || shock.half_life_min <= 0.0 {
                return Err(format!("{}: volatility shock at {} is no usable number", shock.index, shock.at));
            }
        }
        match self.atm_iv.iter().find(|(_, iv)| !(0.01..=2.0).contains(*iv)) {
            Some((index, iv)) => Err(format!("{index}: at-the-money volatility {iv} must lie in 0.01..=2.0")),
            None => Ok(()),
        }
    }
}

/// A day's stretches with the change of level at the start of each, walked forward in time.
#[derive(Debug, Clone)]
pub(crate) struct Course {
    segments: Vec<(Segment, f64)>,
    at: usize,
    /// Change once every stretch is over.
    total: f64,
}

impl Course {
    /// The course of one index.
    pub(crate) fn new(segments: &[Segment]) -> Course {
        let mut total = 0.0;
        let segments = segments
            .iter()
            .map(|s| {
                let start = total;
                total += s.lasting_change();
                (*s, start)
            })
            .collect();
        Course { segments, at: 0, total }
    }

    /// Change of the level over the whole day.
    pub(crate) const fn total(&self) -> f64 {
        self.total
    }

    /// Change of the level since the open, and the noise multiple, at `secs` seconds after midnight. Times must
    /// not go back.
    pub(crate) fn at(&mut self, secs: f64) -> (f64, f64) {
        while self.segments.get(self.at).is_some_and(|(s, _)| f64::from(s.to.secs()) <= secs) {
            self.at += 1;
        }
        match self.segments.get(self.at) {
            Some((s, start)) if f64::from(s.from.secs()) <= secs => (start + s.change_at(secs), s.vol),
            Some((_, start)) => (*start, 1.0),
            None => (self.total, 1.0),
        }
    }
}

/// Regimes drawn for a day without a script: trends of 20 to 60 minutes broken by pull-backs, chop, now and then a
/// spike. All indices share them, as they do in life. `stretched` says how far the level is above its habit (0.01 =
/// 1 %): the further, the likelier the next trend leads back.
pub(crate) fn drawn_segments(
    stream: &mut Stream,
    hours: &SessionHours,
    indices: &[Underlying],
    liveliness: f64,
    stretched: f64,
) -> BTreeMap<Underlying, Vec<Segment>> {
    let mut out: BTreeMap<Underlying, Vec<Segment>> = indices.iter().map(|u| (*u, Vec::new())).collect();
    let mut lean = stretched;
    for window in &hours.windows {
        let mut from = window.open;
        while from < window.close {
            let minutes = stream.between(20.0, 60.0) as u32;
            let to = TimeOfDay::from_secs(from.secs() + minutes * 60).unwrap_or(window.close).min(window.close);
            let vol = liveliness * stream.between(0.6, 1.2);
            // In deviations of a minute's change, so that one draw fits every index.
            let strength = liveliness * stream.between(0.15, 0.45);
            let up = stream.unit() < 0.5 - (lean * 60.0).clamp(-0.35, 0.35);
            let signed = if up { strength } else { -strength };
            let choice = stream.unit();
            for (index, segments) in &mut out {
                let unit = profile(*index).minute_vol;
                let mut push = |from: TimeOfDay, to: TimeOfDay, kind| {
                    if from < to {
                        segments.push(Segment { from, to, kind, vol });
                    }
                };
                if choice < 0.70 {
                    // Two thirds trend, a quick pull-back of a third of it, then on.
                    let third = (to.secs() - from.secs()) / 3;
                    let [a, b] = [2 * third, 2 * third + third / 3]
                        .map(|s| TimeOfDay::from_secs(from.secs() + s).expect("inside the session"));
                    push(from, a, Move::Trend { slope: signed * unit });
                    push(a, b, Move::Trend { slope: -1.6 * signed * unit });
                    push(b, to, Move::Trend { slope: 1.2 * signed * unit });
                } else if choice < 0.93 {
                    push(from, to, Move::Chop { amplitude: 2.0 * vol * unit, period_min: 12.0 });
                } else {
                    push(from, to, Move::Spike { points: 25.0 * signed * unit });
                }
            }
            if choice < 0.70 {
                lean += signed * f64::from(minutes) * 0.8 * 0.000_3;
            }
            from = to;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(hour: u32, minute: u32) -> TimeOfDay {
        TimeOfDay::hm(hour, minute).unwrap()
    }

    #[test]
    fn a_course_adds_up_its_trends_and_gaps_and_returns_from_chop_and_spikes() {
        let mut course = Course::new(&[
            Segment::trend(t(9, 15), t(9, 45), 2.0, 1.0),
            Segment::chop(t(9, 45), t(10, 15), 10.0, 14.0, 0.5),
            Segment::spike(t(10, 30), t(10, 40), -50.0, 2.0),
            Segment::gap(t(11, 0), t(11, 5), 30.0, 1.0),
        ]);
        let mut at = |hour, minute| course.at(f64::from(t(hour, minute).secs()));
        assert_eq!(at(9, 15), (0.0, 1.0));
        assert_eq!(at(9, 30), (30.0, 1.0));
        let (first, vol) = at(9, 45);
        assert!((first - 60.0).abs() < 1e-9 && vol == 0.5);
        assert!((at(10, 0).0 - 60.0).abs() < 1e-9, "two whole swings fit into the half hour");
        assert_eq!(at(10, 20), (60.0, 1.0));
        assert_eq!(at(10, 35), (10.0, 2.0));
        assert_eq!(at(11, 0), (90.0, 1.0));
        assert_eq!(at(15, 0), (90.0, 1.0));
        assert_eq!(course.total(), 90.0);
    }

    #[test]
    fn a_script_with_overlapping_or_unusable_stretches_is_refused_by_name() {
        let day =
            |segments| DayScript { segments: BTreeMap::from([(Underlying::Nifty, segments)]), ..DayScript::default() };
        let overlap = day(vec![Segment::flat(t(10, 0), t(11, 0), 1.0), Segment::flat(t(10, 30), t(12, 0), 1.0)]);
        assert_eq!(overlap.check().unwrap_err(), "NIFTY: stretch from 10:30:00 starts before 11:00:00");
        assert!(day(vec![Segment::flat(t(11, 0), t(10, 0), 1.0)]).check().unwrap_err().contains("ends before"));
        assert!(day(vec![Segment::trend(t(10, 0), t(11, 0), f64::NAN, 1.0)]).check().is_err());
        assert!(day(vec![Segment::chop(t(10, 0), t(11, 0), 5.0, 0.0, 1.0)]).check().is_err());
        assert!(day(vec![Segment::flat(t(10, 0), t(11, 0), -1.0)]).check().is_err());
    }
}
