//! One timeframe of one index: bars and the indicators on them.

use serde::Serialize;

use crate::domain::{Direction, Instant, SessionHours};
use crate::indicators::{Adx, Bar, BarBuilder, SupertrendModel};
use crate::params::{SignalParams, Timeframe};
use ta::Next;

/// A closed bar with the indicators after it; `None` until they are defined.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ClosedBar {
    /// Its length.
    pub timeframe: Timeframe,
    /// Prices in index points.
    pub bar: Bar,
    /// Supertrend and its ATR.
    pub supertrend: Option<SupertrendPoint>,
    /// +DI.
    pub plus_di: Option<f64>,
    /// -DI.
    pub minus_di: Option<f64>,
    /// ADX.
    pub adx: Option<f64>,
    /// Closed bars of this timeframe so far, this one included.
    pub closed: usize,
    /// Closed bars since the direction changed: 0 on the bar of the flip itself, `None` before the first flip.
    pub bars_since_flip: Option<u32>,
}

/// State of the Supertrend after a bar.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SupertrendPoint {
    /// ATR it is built on.
    pub atr: f64,
    /// The line.
    pub line: f64,
    /// Trend.
    pub direction: Direction,
    /// Whether the trend changed on this bar: an event, not a state.
    pub flipped: bool,
}

/// One timeframe.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    timeframe: Timeframe,
    builder: BarBuilder,
    supertrend: SupertrendModel,
    adx: Adx,
    closed: usize,
    since_flip: Option<u32>,
    /// Closes of the latest bars, oldest first, as many as the trend layer looks back plus one.
    closes: Vec<f64>,
    keep_closes: usize,
    pub(super) last: Option<ClosedBar>,
}

impl Frame {
    pub(super) fn new(timeframe: Timeframe, params: &SignalParams) -> Frame {
        Frame {
            timeframe,
            builder: BarBuilder::new(timeframe),
            supertrend: SupertrendModel::new(&params.supertrend),
            adx: Adx::new(params.adx_period),
            closed: 0,
            since_flip: None,
            closes: Vec::new(),
            keep_closes: params.trend_bars.unwrap_or(0) + 1,
            last: None,
        }
    }

    pub(super) const fn timeframe(&self) -> Timeframe {
        self.timeframe
    }

    pub(super) fn open_session(&mut self, hours: &SessionHours) {
        self.builder.open_session(hours);
    }

    #[inline]
    pub(super) fn on_tick(&mut self, exchange_at: Instant, price: f64) {
        self.builder.on_tick(exchange_at, price, None);
    }

    #[inline]
    pub(super) fn next_close(&self) -> Option<Instant> {
        self.builder.next_close()
    }

    pub(super) const fn missing_bars(&self) -> u64 {
        self.builder.missing_bars()
    }

    /// Closes the bar that is due, if any; call until `None`.
    pub(super) fn close_due(&mut self, now: Instant) -> Option<ClosedBar> {
        let bar = self.builder.close_due(now)?;
        self.closed += 1;
        let trend = self.supertrend.next(&bar);
        let adx = self.adx.next(&bar);
        self.since_flip = match (trend, self.since_flip) {
            (Some(t), _) if t.flipped => Some(0),
            (_, Some(n)) => Some(n.saturating_add(1)),
            (_, None) => None,
        };
        if self.closes.len() == self.keep_closes {
            self.closes.remove(0);
        }
        self.closes.push(bar.close());
        let closed = ClosedBar {
            timeframe: self.timeframe,
            bar,
            supertrend: trend.map(|t| SupertrendPoint {
                atr: t.atr,
                line: t.line,
                direction: t.direction,
                flipped: t.flipped,
            }),
            plus_di: adx.map(|a| a.plus_di),
            minus_di: adx.map(|a| a.minus_di),
            adx: adx.and_then(|a| a.adx),
            closed: self.closed,
            bars_since_flip: self.since_flip,
        };
        self.last = Some(closed);
        Some(closed)
    }

    /// Newest close and the close `trend_bars` earlier.
    pub(super) fn trend_pair(&self) -> Option<(f64, f64)> {
        (self.closes.len() == self.keep_closes).then(|| (self.closes[self.keep_closes - 1], self.closes[0]))
    }
}
