//! Bars of one length, built from ticks and anchored at the open of each session window: a 15-minute bar starts at
//! 09:15, never at an epoch multiple (F-83). A tick at exactly 09:16:00.000 belongs to the 09:16 bar.

use std::collections::VecDeque;

use smallvec::SmallVec;

use super::bar::Bar;
use crate::domain::calendar::SessionHours;
use crate::domain::{Age, Instant};
use crate::params::Timeframe;

/// Where a tick went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TickFit {
    /// Into the bar in progress, or into a new one.
    Accepted,
    /// Nowhere: its bar is closed, or a younger bar is already in progress.
    Late,
    /// Nowhere: no session window is open at its time.
    OutOfSession,
    /// Nowhere: NaN, infinite, not above zero, or above [`Bar::PRICE_MAX`].
    NotAPrice,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    open: Instant,
    close: Instant,
    /// Number of this window's first bar, counted through the session.
    first_slot: i64,
}

#[derive(Debug, Clone, Copy)]
struct Building {
    start: Instant,
    end: Instant,
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    volume: Option<f64>,
}

impl Building {
    fn finish(&self) -> Bar {
        Bar::from_checked(self.start, [self.open, self.high, self.low, self.close], self.volume)
    }
}

/// Builds the bars of one timeframe from ticks.
///
/// A bar comes into being with its first tick and is handed out once by [`BarBuilder::close_due`], when the time
/// passed there has reached its end. That time is the caller's clock: a caller whose feed lags passes a time that
/// much earlier. A stretch without ticks gives no bar; empty stretches between two bars of one session are counted.
#[derive(Debug, Clone)]
pub struct BarBuilder {
    timeframe: Timeframe,
    windows: SmallVec<[Stretch; 2]>,
    current: Option<Building>,
    /// Bars that a younger tick or a new session ended before the clock was seen to reach their end.
    ended: VecDeque<Building>,
    /// End of the youngest bar that takes no more ticks.
    closed_until: Instant,
    last_slot: Option<i64>,
    missing: u64,
}

impl BarBuilder {
    /// A builder without a session: every tick is out of session until [`BarBuilder::open_session`].
    pub fn new(timeframe: Timeframe) -> BarBuilder {
        BarBuilder {
            timeframe,
            windows: SmallVec::new(),
            current: None,
            ended: VecDeque::new(),
            closed_until: Instant::from_nanos(i64::MIN),
            last_slot: None,
            missing: 0,
        }
    }

    /// The length of the bars.
    pub const fn timeframe(&self) -> Timeframe {
        self.timeframe
    }

    /// Anchors bars at the windows of a new session. A bar left over from the previous one still comes out of
    /// [`BarBuilder::close_due`]. Opening the same session again changes nothing.
    pub fn open_session(&mut self, hours: &SessionHours) {
        let length = self.timeframe.length().nanos();
        let mut windows = SmallVec::new();
        let mut first_slot = 0;
        for window in &hours.windows {
            let (open, close) = (hours.at(window.open), hours.at(window.close));
            windows.push(Stretch { open, close, first_slot });
            let nanos = close.nanos() - open.nanos();
            first_slot += nanos / length + i64::from(nanos % length != 0);
        }
        if windows == self.windows {
            return;
        }
        self.windows = windows;
        self.end_current();
        self.last_slot = None;
    }

    /// Takes a tick in by its exchange time. `price` in points; `volume_delta` in units since the previous tick,
    /// `None` where the source has no volume (a negative or non-finite one counts as none).
    #[inline]
    pub fn on_tick(&mut self, exchange_at: Instant, price: f64, volume_delta: Option<f64>) -> TickFit {
        if let Some(bar) = &mut self.current
            && bar.start <= exchange_at
            && exchange_at < bar.end
        {
            if !Bar::is_price(price) {
                return TickFit::NotAPrice;
            }
            bar.high = if price > bar.high { price } else { bar.high };
            bar.low = if price < bar.low { price } else { bar.low };
            bar.close = price;
            if let Some(delta) = volume_delta {
                add_volume(&mut bar.volume, delta);
            }
            return TickFit::Accepted;
        }
        self.on_tick_elsewhere(exchange_at, price, volume_delta)
    }

    #[cold]
    fn on_tick_elsewhere(&mut self, exchange_at: Instant, price: f64, volume_delta: Option<f64>) -> TickFit {
        if !Bar::is_price(price) {
            return TickFit::NotAPrice;
        }
        let Some(window) = self.windows.iter().find(|w| w.open <= exchange_at && exchange_at < w.close).copied() else {
            return TickFit::OutOfSession;
        };
        let is_before_current = self.current.as_ref().is_some_and(|bar| exchange_at < bar.start);
        if is_before_current || exchange_at < self.closed_until {
            return TickFit::Late;
        }
        self.end_current();
        let length = self.timeframe.length().nanos();
        let nth = (exchange_at.nanos() - window.open.nanos()) / length;
        let start = window.open + Age::from_nanos(nth * length);
        let end = (start + self.timeframe.length()).min(window.close);
        let slot = window.first_slot + nth;
        if let Some(last) = self.last_slot {
            self.missing += u64::try_from(slot - last - 1).expect("bars of a session come in order");
        }
        self.last_slot = Some(slot);
        let mut volume = None;
        if let Some(delta) = volume_delta {
            add_volume(&mut volume, delta);
        }
        self.current = Some(Building { start, end, open: price, high: price, low: price, close: price, volume });
        TickFit::Accepted
    }

    /// The oldest bar not yet handed out whose end is at or before `now`; call until `None`.
    #[inline]
    pub fn close_due(&mut self, now: Instant) -> Option<Bar> {
        if let Some(oldest) = self.ended.front() {
            if oldest.end <= now {
                return self.ended.pop_front().map(|bar| bar.finish());
            }
            return None;
        }
        if self.current.as_ref().is_some_and(|bar| bar.end <= now) {
            self.end_current();
            return self.ended.pop_front().map(|bar| bar.finish());
        }
        None
    }

    /// End of the oldest bar not yet handed out, usually the one in progress; `None` when there is none.
    #[inline]
    pub fn next_close(&self) -> Option<Instant> {
        self.ended.front().or(self.current.as_ref()).map(|bar| bar.end)
    }

    /// Bars no tick fell into, between the first and the last bar of each session so far.
    pub const fn missing_bars(&self) -> u64 {
        self.missing
    }

    fn end_current(&mut self) {
        if let Some(bar) = self.current.take() {
            self.closed_until = self.closed_until.max(bar.end);
            self.ended.push_back(bar);
        }
    }
}

#[inline]
fn add_volume(volume: &mut Option<f64>, delta: f64) {
    if (0.0..=Bar::VOLUME_MAX).contains(&delta) {
        *volume = Some((volume.unwrap_or(0.0) + delta).min(Bar::VOLUME_MAX));
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;
    use crate::domain::calendar::Window;
    use crate::domain::{Cutoffs, TimeOfDay};

    fn t(hour: u32, minute: u32) -> TimeOfDay {
        TimeOfDay::hm(hour, minute).unwrap()
    }

    fn hours(day: u32, windows: &[[TimeOfDay; 2]]) -> SessionHours {
        let late = t(15, 20);
        SessionHours {
            day: NaiveDate::from_ymd_opt(2026, 1, day).unwrap(),
            windows: windows.iter().map(|&[open, close]| Window { open, close }).collect(),
            index_continuous_close: t(15, 30),
            cutoffs: Cutoffs {
                no_new_entry: late,
                expiry_force_exit: late,
                square_off_start: late,
                square_off_deadline: late,
                broker_square_off: late,
            },
        }
    }

    fn regular(day: u32) -> SessionHours {
        hours(day, &[[t(9, 15), t(15, 30)]])
    }

    fn at(hours: &SessionHours, hour: u32, minute: u32, millis: i64) -> Instant {
        hours.at(t(hour, minute)) + Age::from_millis(millis)
    }

    fn ohlc(bar: Bar) -> (String, [f64; 4]) {
        (bar.start().ist_time().to_string(), [bar.open(), bar.high(), bar.low(), bar.close()])
    }

    #[test]
    fn a_tick_on_the_boundary_opens_the_next_bar() {
        let day = regular(12);
        let mut bars = BarBuilder::new(Timeframe::M1);
        bars.open_session(&day);
        assert_eq!(bars.next_close(), None);
        for (millis, price) in [(0, 10.0), (20_000, 12.0), (40_000, 9.0), (59_999, 11.0)] {
            assert_eq!(bars.on_tick(at(&day, 9, 15, millis), price, None), TickFit::Accepted);
        }
        assert_eq!(bars.next_close(), Some(at(&day, 9, 16, 0)));
        assert_eq!(bars.close_due(at(&day, 9, 15, 59_999)), None);
        assert_eq!(bars.on_tick(at(&day, 9, 16, 0), 20.0, None), TickFit::Accepted);
        let closed = bars.close_due(at(&day, 9, 16, 0)).unwrap();
        assert_eq!(ohlc(closed), ("09:15:00".to_owned(), [10.0, 12.0, 9.0, 11.0]));
        assert_eq!(bars.close_due(at(&day, 9, 16, 0)), None, "each bar comes out once");
        let closed = bars.close_due(at(&day, 9, 17, 0)).unwrap();
        assert_eq!(ohlc(closed), ("09:16:00".to_owned(), [20.0; 4]));
    }

    #[test]
    fn a_bar_rolled_by_a_fast_exchange_clock_waits_for_our_own() {
        let day = regular(12);
        let mut bars = BarBuilder::new(Timeframe::M1);
        bars.open_session(&day);
        bars.on_tick(at(&day, 9, 15, 0), 10.0, None);
        bars.on_tick(at(&day, 9, 16, 5), 11.0, None);
        assert_eq!(bars.close_due(at(&day, 9, 15, 59_990)), None);
        assert_eq!(bars.next_close(), Some(at(&day, 9, 16, 0)));
        assert!(bars.close_due(at(&day, 9, 16, 0)).is_some());
    }

    #[test]
    fn a_tick_for_a_closed_bar_is_late_and_changes_nothing() {
        let day = regular(12);
        let mut bars = BarBuilder::new(Timeframe::M1);
        bars.open_session(&day);
        bars.on_tick(at(&day, 9, 15, 0), 10.0, None);
        assert!(bars.close_due(at(&day, 9, 16, 0)).is_some());
        assert_eq!(bars.on_tick(at(&day, 9, 15, 59_000), 99.0, None), TickFit::Late);
        assert_eq!(bars.on_tick(at(&day, 9, 18, 0), 11.0, None), TickFit::Accepted);
        assert_eq!(bars.on_tick(at(&day, 9, 17, 59_999), 99.0, None), TickFit::Late, "an older empty stretch");
        assert_eq!(ohlc(bars.close_due(at(&day, 9, 19, 0)).unwrap()).1, [11.0; 4]);
    }

    #[test]
    fn empty_stretches_give_no_bar_and_are_counted() {
        let day = regular(12);
        let mut bars = BarBuilder::new(Timeframe::M1);
        bars.open_session(&day);
        bars.on_tick(at(&day, 9, 20, 0), 10.0, None);
        bars.on_tick(at(&day, 9, 24, 0), 11.0, None);
        assert_eq!(bars.missing_bars(), 3, "09:21, 09:22 and 09:23; what lies before the first bar is not a gap");
        let now = at(&day, 15, 30, 0);
        let starts: Vec<String> = std::iter::from_fn(|| bars.close_due(now)).map(|bar| ohlc(bar).0).collect();
        assert_eq!(starts, ["09:20:00", "09:24:00"]);
    }

    #[test]
    fn f83_bars_are_anchored_at_the_open_and_cut_by_the_close() {
        let day = hours(12, &[[t(9, 15), t(10, 7)], [t(11, 30), t(12, 30)]]);
        let mut bars = BarBuilder::new(Timeframe::M15);
        bars.open_session(&day);
        assert_eq!(bars.on_tick(at(&day, 9, 14, 59_999), 1.0, None), TickFit::OutOfSession);
        bars.on_tick(at(&day, 9, 59, 0), 10.0, None);
        assert_eq!(bars.next_close(), Some(at(&day, 10, 0, 0)));
        bars.on_tick(at(&day, 10, 6, 59_999), 11.0, None);
        assert!(bars.close_due(at(&day, 10, 0, 0)).is_some());
        assert_eq!(bars.next_close(), Some(at(&day, 10, 7, 0)), "the window's end cuts the last bar");
        assert_eq!(bars.on_tick(at(&day, 10, 7, 0), 12.0, None), TickFit::OutOfSession);
        bars.on_tick(at(&day, 11, 44, 0), 13.0, None);
        assert_eq!(bars.missing_bars(), 0, "the break between two windows is no gap");
        assert_eq!(ohlc(bars.close_due(at(&day, 10, 7, 0)).unwrap()).0, "10:00:00");
        assert_eq!(ohlc(bars.close_due(at(&day, 11, 45, 0)).unwrap()).0, "11:30:00");
    }

    #[test]
    fn a_new_session_hands_out_what_the_old_one_left() {
        let (monday, tuesday) = (regular(12), regular(13));
        let mut bars = BarBuilder::new(Timeframe::M5);
        assert_eq!(bars.on_tick(at(&monday, 9, 15, 0), 1.0, None), TickFit::OutOfSession, "no session yet");
        bars.open_session(&monday);
        bars.on_tick(at(&monday, 15, 29, 0), 10.0, None);
        bars.open_session(&monday);
        assert_eq!(bars.next_close(), Some(at(&monday, 15, 30, 0)), "opening the same session changes nothing");
        bars.open_session(&tuesday);
        assert_eq!(bars.on_tick(at(&tuesday, 9, 15, 0), 11.0, None), TickFit::Accepted);
        assert_eq!(bars.missing_bars(), 0);
        let now = at(&tuesday, 9, 20, 0);
        assert_eq!(ohlc(bars.close_due(now).unwrap()).0, "15:25:00");
        assert_eq!(ohlc(bars.close_due(now).unwrap()).0, "09:15:00");
        assert_eq!(bars.next_close(), None);
    }

    #[test]
    fn volume_adds_up_and_stays_absent_where_there_is_none() {
        let day = regular(12);
        let mut bars = BarBuilder::new(Timeframe::M1);
        bars.open_session(&day);
        for delta in [Some(50.0), None, Some(-10.0), Some(f64::NAN), Some(25.0)] {
            bars.on_tick(at(&day, 9, 15, 1), 10.0, delta);
        }
        bars.on_tick(at(&day, 9, 16, 0), 10.0, None);
        assert_eq!(bars.close_due(at(&day, 9, 16, 0)).unwrap().volume(), Some(75.0));
        assert_eq!(bars.close_due(at(&day, 9, 17, 0)).unwrap().volume(), None);
    }

    #[test]
    fn f88_what_is_not_a_price_is_refused_in_and_between_bars() {
        let day = regular(12);
        let mut bars = BarBuilder::new(Timeframe::M1);
        bars.open_session(&day);
        for bad in [f64::NAN, f64::INFINITY, 0.0, -5.0] {
            assert_eq!(bars.on_tick(at(&day, 9, 15, 0), bad, None), TickFit::NotAPrice);
        }
        assert_eq!(bars.next_close(), None);
        bars.on_tick(at(&day, 9, 15, 0), 10.0, None);
        for bad in [f64::NAN, f64::INFINITY, 0.0, -5.0] {
            assert_eq!(bars.on_tick(at(&day, 9, 15, 1), bad, None), TickFit::NotAPrice);
        }
        assert_eq!(ohlc(bars.close_due(at(&day, 9, 16, 0)).unwrap()).1, [10.0; 4]);
    }
}
