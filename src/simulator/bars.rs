//! Minute bars of a day, and what is kept of days gone by: the answers to candle requests come from here.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use scalper_decide::domain::{Age, Instant, SessionHours, Tick, TimeOfDay};

use super::market::Key;

/// One minute of one instrument, in paise and units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MinuteBar {
    /// Minutes from IST midnight to its start.
    pub minute: u16,
    /// First price.
    pub open: i32,
    /// Highest price.
    pub high: i32,
    /// Lowest price.
    pub low: i32,
    /// Last price.
    pub close: i32,
    /// Units traded; 0 for an index.
    pub volume: u32,
    /// Open interest at its end; 0 for an index.
    pub oi: u32,
}

/// One bar of an answer, in paise and units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candle {
    /// Start: the true instant, not the feed's shifted one (dhan-v2.md 10.2).
    pub start: Instant,
    /// First price.
    pub open: i64,
    /// Highest price.
    pub high: i64,
    /// Lowest price.
    pub low: i64,
    /// Last price.
    pub close: i64,
    /// Units traded; 0 for an index.
    pub volume: i64,
    /// Open interest at its end; 0 for an index.
    pub oi: i64,
}

/// Collects the minute bars of one instrument.
#[derive(Debug, Clone, Default)]
pub struct BarKeeper {
    bars: Vec<MinuteBar>,
}

impl BarKeeper {
    /// Takes a tick by its exchange time; `units` changed hands since the tick before. Ticks of a minute that is over
    /// (F-83) are left out, as bar builders do.
    pub fn take(&mut self, midnight: Instant, tick: &Tick, units: i64) {
        let minute = (tick.exchange_at.nanos() - midnight.nanos()).div_euclid(Age::from_mins(1).nanos());
        let (Ok(minute), Ok(price)) = (u16::try_from(minute), i32::try_from(tick.ltp_paise)) else { return };
        let units = u32::try_from(units).unwrap_or(0);
        let oi = u32::try_from(tick.oi).unwrap_or(0);
        match self.bars.last_mut() {
            Some(bar) if bar.minute == minute => {
                bar.high = bar.high.max(price);
                bar.low = bar.low.min(price);
                bar.close = price;
                bar.volume = bar.volume.saturating_add(units);
                bar.oi = oi;
            }
            Some(bar) if bar.minute > minute => {}
            _ => self.bars.push(MinuteBar {
                minute,
                open: price,
                high: price,
                low: price,
                close: price,
                volume: units,
                oi,
            }),
        }
    }

    /// The bars so far, the one in progress included.
    pub fn bars(&self) -> &[MinuteBar] {
        &self.bars
    }
}

/// What an instrument looked like at the end of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closing {
    /// Last price in paise.
    pub price: i64,
    /// Open interest in units; 0 for an index.
    pub oi: i64,
    /// Units traded; 0 for an index.
    pub volume: i64,
}

/// What is kept of a day that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastDay {
    /// Its hours: bars are anchored at them.
    pub hours: SessionHours,
    /// Minute bars.
    pub bars: BTreeMap<Key, Vec<MinuteBar>>,
    /// Closing values.
    pub closings: BTreeMap<Key, Closing>,
}

impl PastDay {
    /// The day.
    pub const fn day(&self) -> NaiveDate {
        self.hours.day
    }
}

/// Minute bars joined to bars of `minutes`, anchored at the open of each session window, oldest first.
pub fn candles(hours: &SessionHours, bars: &[MinuteBar], minutes: u32) -> Vec<Candle> {
    let mut joined: Vec<Candle> = Vec::new();
    for bar in bars {
        let at = u32::from(bar.minute) * 60;
        let Some(window) = hours.windows.iter().find(|w| w.open.secs() <= at && at < w.close.secs()) else { continue };
        let length = minutes * 60;
        let secs = window.open.secs() + (at - window.open.secs()) / length * length;
        let start = hours.at(TimeOfDay::from_secs(secs).expect("inside the day"));
        merge(&mut joined, start, bar);
    }
    joined
}

/// The whole day as one bar that starts at midnight; `None` when nothing traded.
pub fn daily(hours: &SessionHours, bars: &[MinuteBar]) -> Option<Candle> {
    let midnight = hours.at(TimeOfDay::from_secs(0).expect("midnight is a time"));
    let mut joined = Vec::new();
    for bar in bars {
        merge(&mut joined, midnight, bar);
    }
    joined.pop()
}

fn merge(joined: &mut Vec<Candle>, start: Instant, bar: &MinuteBar) {
    let [open, high, low, close] = [bar.open, bar.high, bar.low, bar.close].map(i64::from);
    let (volume, oi) = (i64::from(bar.volume), i64::from(bar.oi));
    match joined.last_mut() {
        Some(last) if last.start == start => {
            last.high = last.high.max(high);
            last.low = last.low.min(low);
            last.close = close;
            last.volume += volume;
            last.oi = oi;
        }
        _ => joined.push(Candle { start, open, high, low, close, volume, oi }),
    }
}
