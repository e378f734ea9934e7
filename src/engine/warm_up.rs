//! Warm-up: bars of past sessions, and of today so far, as ticks drawn through them (design 14). Indicators run across
//! sessions and give no signal before they have seen enough.

use chrono::NaiveDate;
use scalper_decide::domain::{Age, Instant, InstrumentId, Segment, SessionHours, Tick, TickSource};

use crate::broker::market::{Bar, BarRequest};
use crate::broker::{Fault, MarketData};
use crate::tape::import::bars::{Bar as Path, BarPath};

/// Sessions before today that are read: 200 closed five-minute bars need three.
pub const SESSIONS: usize = 5;
/// Length of the bars that are read.
pub const LENGTH: Age = Age::from_mins(1);

/// An index to warm up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// Slot.
    pub instrument: InstrumentId,
    /// Segment.
    pub segment: Segment,
    /// Token inside the segment.
    pub security_id: u32,
}

/// Minute bars of one index on some days, `[from, to)`, oldest first. The bar that is still forming at `until`, and
/// bars outside a session, are left out.
///
/// # Errors
/// The broker's fault; no data is an empty answer.
pub async fn bars(
    market: &dyn MarketData,
    source: Source,
    sessions: &[SessionHours],
    until: Instant,
) -> Result<Vec<Bar>, Fault> {
    let (Some(first), Some(last)) = (sessions.first(), sessions.last()) else { return Ok(Vec::new()) };
    let request = BarRequest {
        segment: source.segment,
        security_id: source.security_id,
        instrument: "INDEX",
        minutes: Some(1),
        from: first.day,
        to: next_day(last.day),
        oi: false,
    };
    let mut bars = match market.bars(request).await {
        Ok(bars) => bars,
        Err(Fault::NoData(_)) => Vec::new(),
        Err(fault) => return Err(fault),
    };
    bars.retain(|bar| bar.start + LENGTH <= until && sessions.iter().any(|hours| is_inside(hours, bar.start)));
    bars.sort_by_key(|bar| bar.start);
    bars.dedup_by_key(|bar| bar.start);
    Ok(bars)
}

fn next_day(day: NaiveDate) -> NaiveDate {
    day.succ_opt().expect("a day inside the calendar has a next one")
}

fn is_inside(hours: &SessionHours, start: Instant) -> bool {
    start.ist_date() == hours.day && hours.open_at() <= start && start < hours.at(hours.index_continuous_close)
}

/// The ticks drawn through one bar: open, high, low, close, flagged as synthesised.
pub fn ticks(source: Source, bar: &Bar) -> [Tick; 4] {
    let path = Path { start: bar.start, open: bar.open, high: bar.high, low: bar.low, close: bar.close };
    path.points(LENGTH, BarPath::Ohlc).map(|(at, paise, flags)| {
        let mut tick = Tick::last_price(source.instrument, at, at, paise, TickSource::Bar);
        tick.flags = flags;
        tick
    })
}

#[cfg(test)]
mod tests {
    use scalper_decide::domain::TickFlags;

    use super::*;

    #[test]
    fn ticks_drawn_through_a_bar_rebuild_exactly_that_bar_and_say_so() {
        // design 14
        let start = Instant::from_secs(1_770_695_100);
        let bar = Bar { start, open: 100, high: 140, low: 90, close: 120, volume: 0, oi: None };
        let source = Source { instrument: InstrumentId(2), segment: Segment::IdxI, security_id: 13 };
        let ticks = ticks(source, &bar);
        let prices: Vec<i64> = ticks.iter().map(|tick| tick.ltp_paise).collect();
        assert_eq!(prices, [100, 140, 90, 120]);
        assert!(ticks.iter().all(|t| t.flags.has(TickFlags::SYNTHESISED) && t.source == TickSource::Bar));
        assert!(ticks.iter().all(|t| start <= t.exchange_at && t.exchange_at < start + LENGTH));
        assert!(ticks.is_sorted_by_key(|t| t.received_at));
    }
}
