//! Whether a class of instruments on one socket stands still, judged by its own pace: what speaks all the time and is
//! silent for two seconds has stalled, what speaks every five seconds has not.

use std::collections::VecDeque;

use super::manager::Ms;

/// How long gaps are remembered.
const MEMORY: Ms = 60_000;
/// Gaps of so much time are kept as one.
const BUCKET: Ms = 5_000;
/// A class is known after so much time with data.
const WARM: Ms = 10_000;

/// What changed with a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It stands still.
    Stalled,
    /// It speaks again.
    Back,
}

#[derive(Debug, Clone)]
pub(super) struct Pulse {
    packets: u64,
    first: Option<Ms>,
    last: Ms,
    /// Longest gap by bucket, oldest first.
    gaps: VecDeque<(Ms, Ms)>,
    stalled_since: Option<Ms>,
}

impl Pulse {
    pub(super) const fn new(now: Ms, packets: u64) -> Pulse {
        Pulse { packets, first: None, last: now, gaps: VecDeque::new(), stalled_since: None }
    }

    /// One look at the number of packets so far.
    pub(super) fn look(&mut self, now: Ms, packets: u64, expected: bool, stall_after: Ms) -> Option<Turn> {
        let speaks = std::mem::replace(&mut self.packets, packets) != packets;
        if !expected {
            self.last = now;
            self.first = None;
            return self.stalled_since.take().map(|_| Turn::Back);
        }
        let silent = now - self.last;
        if speaks {
            self.last = now;
            self.first.get_or_insert(now);
            if self.stalled_since.take().is_some() {
                return Some(Turn::Back);
            }
            self.remember(now, silent);
            return None;
        }
        let is_known = self.first.is_some_and(|first| self.last - first >= WARM);
        if is_known && self.stalled_since.is_none() && silent >= stall_after.max(2 * self.usual(now)) {
            self.stalled_since = Some(now);
            return Some(Turn::Stalled);
        }
        None
    }

    fn remember(&mut self, now: Ms, gap: Ms) {
        let bucket = now - now % BUCKET;
        match self.gaps.back_mut() {
            Some((at, longest)) if *at == bucket => *longest = gap.max(*longest),
            _ => self.gaps.push_back((bucket, gap)),
        }
        while self.gaps.front().is_some_and(|(at, _)| at + MEMORY < now) {
            self.gaps.pop_front();
        }
    }

    /// Longest gap of the last minute.
    fn usual(&self, now: Ms) -> Ms {
        self.gaps.iter().filter(|(at, _)| at + MEMORY >= now).map(|(_, gap)| *gap).max().unwrap_or(0)
    }

    /// How long it has been silent.
    pub(super) const fn silent(&self, now: Ms) -> Ms {
        now.saturating_sub(self.last)
    }

    pub(super) const fn stalled_since(&self) -> Option<Ms> {
        self.stalled_since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks every quarter second; a packet whenever `speaks` says so. Times of what was noticed.
    fn watch(secs: u64, speaks: impl Fn(Ms) -> bool, expected: impl Fn(Ms) -> bool) -> Vec<(Ms, Turn)> {
        let mut pulse = Pulse::new(0, 0);
        let (mut packets, mut seen) = (0, Vec::new());
        for now in (250..secs * 1_000).step_by(250) {
            packets += u64::from(speaks(now));
            seen.extend(pulse.look(now, packets, expected(now), 1_500).map(|turn| (now, turn)));
        }
        seen
    }

    #[test]
    fn what_speaks_all_the_time_has_stalled_within_two_seconds() {
        let seen = watch(60, |now| now <= 30_000 || now >= 40_000, |_| true);
        assert_eq!(seen, [(31_500, Turn::Stalled), (40_000, Turn::Back)]);
    }

    #[test]
    fn what_speaks_every_five_seconds_is_judged_by_that() {
        let seen = watch(120, |now| now % 5_000 == 0 && now <= 60_000, |_| true);
        assert_eq!(seen, [(70_000, Turn::Stalled)]);
    }

    #[test]
    fn silence_is_no_stall_when_nothing_is_expected_nor_before_the_class_is_known() {
        assert_eq!(watch(60, |now| now < 30_000, |now| now < 30_000), []);
        assert_eq!(watch(60, |now| now < 5_000, |_| true), []);
    }
}
