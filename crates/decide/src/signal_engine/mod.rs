//! Bars in, [`Signal`] or [`NoSignal`] out. Missing data is "no signal", never bearish (F-44, F-45).
//!
//! Five validation layers stand behind the trend itself, each with a reason of its own: market timing, ADX
//! strength, trend confirmation, theta and time to expiry, IV rank.

mod frame;
mod iv_history;
#[cfg(test)]
mod tests;

use chrono::NaiveDate;
use serde::Serialize;
use smallvec::SmallVec;

pub use frame::{ClosedBar, SupertrendPoint};
pub use iv_history::{IvHistory, IvRank};

use crate::domain::{Age, Direction, Instant, SessionHours, SignalId, Stamp, TimeOfDay, Underlying};
use crate::params::{NoHistory, SignalParams, SignalTrigger, Timeframe};
use frame::Frame;

/// Bars that closed at one moment, shortest timeframe first.
pub type ClosedBars = SmallVec<[ClosedBar; 4]>;

/// A reason to look for a contract.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Signal {
    /// Index, bar and direction.
    pub id: SignalId,
    /// The primary bar that completed it.
    pub primary: ClosedBar,
    /// The latest confirmation bar.
    pub confirmation: Option<ClosedBar>,
    /// The IV-rank answer it passed with.
    pub iv_rank: IvRank,
}

/// Why there is no signal.
#[derive(Debug, Clone, PartialEq, thiserror::Error, Serialize)]
pub enum NoSignal {
    /// The day only feeds indicators.
    #[error("this day only feeds indicators")]
    WarmUpDay,
    /// The index was recorded as bars that are longer than those of the timeframe, or do not divide it.
    #[error(
        "{} bars cannot be built: the index is recorded as bars of {} seconds; set a timeframe it can fill",
        .timeframe.code(),
        .recorded.secs()
    )]
    FrameNotBuilt {
        /// Which timeframe.
        timeframe: Timeframe,
        /// Length of the recorded bars.
        recorded: Age,
    },
    /// A timeframe has too few closed bars.
    #[error("{} closed {} bars, {needed} needed", .closed, .timeframe.code())]
    WarmingUp {
        /// Which timeframe.
        timeframe: Timeframe,
        /// Bars so far.
        closed: usize,
        /// Bars needed.
        needed: usize,
    },
    /// No entries on this date by configuration.
    #[error("{day} is a configured blackout date")]
    BlackoutDate {
        /// The date.
        day: NaiveDate,
    },
    /// The first minutes after the open.
    #[error("{now} lies in the opening no-trade window until {until}")]
    OpeningWindow {
        /// Time of day.
        now: TimeOfDay,
        /// End of the window.
        until: TimeOfDay,
    },
    /// At or after the last time for entries.
    #[error("{now} is at or after {cutoff}")]
    PastNoNewEntry {
        /// Time of day.
        now: TimeOfDay,
        /// The cut-off.
        cutoff: TimeOfDay,
    },
    /// The index is not driven by continuous trades any more.
    #[error("the index went quiet at {since}")]
    IndexNotContinuous {
        /// When it went quiet.
        since: TimeOfDay,
    },
    /// An indicator is not defined yet.
    #[error("{what} of the {} timeframe is not defined", .timeframe.code())]
    IndicatorUndefined {
        /// Which timeframe.
        timeframe: Timeframe,
        /// Which indicator.
        what: &'static str,
    },
    /// The trend did not change recently enough.
    #[error("trend {direction} {}, a flip counts for {valid}", unchanged(*.bars))]
    NoFlip {
        /// Present trend.
        direction: Direction,
        /// Closed bars since the flip, `None` before the first.
        bars: Option<u32>,
        /// Bars a flip stays tradeable.
        valid: u32,
    },
    /// The confirmation timeframe points the other way.
    #[error("primary {primary}, confirmation {confirmation}")]
    TimeframesDisagree {
        /// Primary trend.
        primary: Direction,
        /// Confirmation trend.
        confirmation: Direction,
    },
    /// Too little trend strength.
    #[error("ADX {adx:.2} on {}, {min:.2} needed", .timeframe.code())]
    AdxWeak {
        /// Which timeframe.
        timeframe: Timeframe,
        /// ADX.
        adx: f64,
        /// Minimum.
        min: f64,
    },
    /// The closes do not go the signal's way.
    #[error("close {newest:.2} against {earlier:.2} does not go {direction}")]
    TrendUnconfirmed {
        /// Newest close.
        newest: f64,
        /// Close some bars earlier.
        earlier: f64,
        /// The signal's direction.
        direction: Direction,
    },
    /// Past the theta cut-off.
    #[error("{now} is at or after {cutoff}")]
    ThetaCutoff {
        /// Time of day.
        now: TimeOfDay,
        /// The cut-off.
        cutoff: TimeOfDay,
    },
    /// The nearest expiry is too close.
    #[error("{minutes} minutes to expiry, {min} needed")]
    ExpiryTooClose {
        /// Minutes to the nearest expiry.
        minutes: i64,
        /// Minutes needed.
        min: i64,
    },
    /// Options are too cheap or too dear against their own past.
    #[error("rank {rank:.3} outside {min:.2}..{max:.2}")]
    IvRankOutside {
        /// The rank.
        rank: f64,
        /// Lowest.
        min: f64,
        /// Highest.
        max: f64,
    },
    /// Too little IV history, and the configuration refuses that.
    #[error("{days} sessions of IV history, {needed} needed")]
    IvNoHistory {
        /// Sessions stored.
        days: usize,
        /// Sessions needed.
        needed: usize,
    },
    /// No at-the-money volatility can be computed now.
    #[error("no at-the-money implied volatility this session")]
    IvUnknown,
}

fn unchanged(bars: Option<u32>) -> String {
    bars.map_or_else(|| "unchanged since the first bar".to_owned(), |bars| format!("unchanged for {bars} bars"))
}

impl NoSignal {
    /// Short code for counters.
    pub const fn code(&self) -> &'static str {
        match self {
            NoSignal::WarmUpDay => "WARM_UP_DAY",
            NoSignal::FrameNotBuilt { .. } => "FRAME_NOT_BUILT",
            NoSignal::WarmingUp { .. } => "WARMING_UP",
            NoSignal::BlackoutDate { .. } => "BLACKOUT_DATE",
            NoSignal::OpeningWindow { .. } => "OPENING_WINDOW",
            NoSignal::PastNoNewEntry { .. } => "PAST_NO_NEW_ENTRY",
            NoSignal::IndexNotContinuous { .. } => "INDEX_NOT_CONTINUOUS",
            NoSignal::IndicatorUndefined { .. } => "INDICATOR_UNDEFINED",
            NoSignal::NoFlip { .. } => "NO_FLIP",
            NoSignal::TimeframesDisagree { .. } => "TIMEFRAMES_DISAGREE",
            NoSignal::AdxWeak { .. } => "ADX_WEAK",
            NoSignal::TrendUnconfirmed { .. } => "TREND_UNCONFIRMED",
            NoSignal::ThetaCutoff { .. } => "THETA_CUTOFF",
            NoSignal::ExpiryTooClose { .. } => "EXPIRY_TOO_CLOSE",
            NoSignal::IvRankOutside { .. } => "IV_RANK_OUTSIDE",
            NoSignal::IvNoHistory { .. } => "IV_NO_HISTORY",
            NoSignal::IvUnknown => "IV_UNKNOWN",
        }
    }
}

/// Whether bars of `timeframe` can be made of what was recorded: ticks, or bars that divide it.
#[inline]
fn can_fill(recorded: Option<Age>, timeframe: Timeframe) -> bool {
    recorded.is_none_or(|bar| timeframe.can_be_built_from(bar))
}

/// The signal engine of one index.
#[derive(Debug, Clone)]
pub struct SignalEngine {
    underlying: Underlying,
    params: SignalParams,
    frames: [Frame; Timeframe::ALL.len()],
    iv: IvHistory,
    hours: Option<SessionHours>,
    warm_up: bool,
    /// Length of the bars the index was recorded as; `None` when it was recorded tick by tick.
    recorded: Option<Age>,
    next_close: Option<Instant>,
}

impl SignalEngine {
    /// An engine for one index with earlier sessions of IV history.
    pub fn new(underlying: Underlying, params: SignalParams, iv: IvHistory) -> SignalEngine {
        let frames = Timeframe::ALL.map(|t| Frame::new(t, &params));
        SignalEngine { underlying, params, frames, iv, hours: None, warm_up: true, recorded: None, next_close: None }
    }

    /// The index.
    pub const fn underlying(&self) -> Underlying {
        self.underlying
    }

    /// Opens a session. Bars restart at its open; indicators run on (design decision 14). `recorded` is the length of
    /// the bars when the index comes as bars: timeframes they cannot fill are not built this session.
    pub fn open_session(&mut self, hours: SessionHours, warm_up: bool, recorded: Option<Age>) {
        for frame in &mut self.frames {
            frame.open_session(&hours);
        }
        self.hours = Some(hours);
        self.warm_up = warm_up;
        self.recorded = recorded;
        self.next_close = None;
    }

    /// Ends a session: bars still in progress close, today's IV joins the history.
    pub fn close_session(&mut self) -> ClosedBars {
        let rest = self.close_bars(Instant::MAX);
        self.iv.close_session(self.params.iv_rank.lookback_days.max(1));
        rest
    }

    /// Takes an index tick in.
    #[inline]
    #[allow(clippy::float_arithmetic, reason = "index points for the indicators")]
    pub fn on_tick(&mut self, exchange_at: Instant, level_paise: i64) {
        let price = level_paise as f64 / 100.0;
        for frame in &mut self.frames {
            if can_fill(self.recorded, frame.timeframe()) {
                frame.on_tick(exchange_at, price);
            }
        }
        // A new bar of a short timeframe may end before the ones in progress.
        self.refresh_next_close();
    }

    fn refresh_next_close(&mut self) {
        let next = self.frames.iter().filter_map(Frame::next_close).min();
        self.next_close = next.map(|end| end + self.params.bar_close_grace);
    }

    /// When the next bar closes.
    #[inline]
    pub const fn wake_at(&self) -> Option<Instant> {
        self.next_close
    }

    /// Closes every bar that is due.
    pub fn close_bars(&mut self, now: Instant) -> ClosedBars {
        let mut closed = ClosedBars::new();
        let ended = now - self.params.bar_close_grace;
        for frame in &mut self.frames {
            while let Some(bar) = frame.close_due(ended) {
                closed.push(bar);
            }
        }
        self.refresh_next_close();
        closed
    }

    /// Bars without a single tick, of the shortest timeframe that is built.
    pub fn missing_bars(&self) -> u64 {
        self.shortest().map_or(0, |timeframe| self.frame(timeframe).missing_bars())
    }

    /// Whether a closed bar of this timeframe calls for an evaluation: the primary one, or the shortest there is
    /// while the primary one cannot be built, so that its absence is said.
    pub fn is_primary(&self, timeframe: Timeframe) -> bool {
        let primary = self.params.primary;
        timeframe == primary || (!can_fill(self.recorded, primary) && self.shortest() == Some(timeframe))
    }

    /// The shortest timeframe that is built this session.
    fn shortest(&self) -> Option<Timeframe> {
        Timeframe::ALL.into_iter().find(|t| can_fill(self.recorded, *t))
    }

    /// Takes a sample of the at-the-money implied volatility in, in percent.
    pub fn sample_iv(&mut self, day: NaiveDate, iv_pct: f64) {
        self.iv.sample(day, iv_pct);
    }

    /// Puts earlier sessions in the place of those remembered.
    pub fn recall_iv(&mut self, days: &[(NaiveDate, f64)]) {
        self.iv.recall(days.iter().copied());
    }

    /// The stored IV history.
    pub const fn iv_history(&self) -> &IvHistory {
        &self.iv
    }

    fn frame(&self, timeframe: Timeframe) -> &Frame {
        &self.frames[timeframe as usize]
    }

    /// Judges the last closed primary bar. `minutes_to_expiry` is that of the nearest listed expiry.
    pub fn evaluate(&self, now: Stamp, minutes_to_expiry: Option<i64>) -> Result<Signal, NoSignal> {
        if self.warm_up {
            return Err(NoSignal::WarmUpDay);
        }
        let primary = self.warmed(self.params.primary)?;
        let confirmation = self.params.confirmation.map(|t| self.warmed(t)).transpose()?;
        self.timing_layer(now)?;
        let direction = self.trend(&primary, confirmation.as_ref())?;
        self.adx_layer(&primary, confirmation.as_ref())?;
        self.trend_layer(direction)?;
        self.theta_layer(now, minutes_to_expiry)?;
        let iv_rank = self.iv_layer()?;
        let id = SignalId { underlying: self.underlying, bar_start: primary.bar.start(), direction };
        Ok(Signal { id, primary, confirmation, iv_rank })
    }

    /// The last bar of a timeframe, once enough bars have closed.
    fn warmed(&self, timeframe: Timeframe) -> Result<ClosedBar, NoSignal> {
        if let Some(recorded) = self.recorded
            && !can_fill(self.recorded, timeframe)
        {
            return Err(NoSignal::FrameNotBuilt { timeframe, recorded });
        }
        let needed = self.params.warmup_bars;
        match self.frame(timeframe).last {
            Some(bar) if bar.closed >= needed => Ok(bar),
            last => Err(NoSignal::WarmingUp { timeframe, closed: last.map_or(0, |b| b.closed), needed }),
        }
    }

    fn timing_layer(&self, now: Stamp) -> Result<(), NoSignal> {
        let Some(hours) = &self.hours else { return Err(NoSignal::WarmUpDay) };
        if self.params.blackout_dates.contains(&hours.day) {
            return Err(NoSignal::BlackoutDate { day: hours.day });
        }
        let time = now.at.ist_time();
        let window = hours.windows.iter().rev().find(|w| w.open <= time).unwrap_or(&hours.windows[0]);
        let opening = window.open.secs() + self.params.opening_no_trade_minutes * 60;
        if let Some(until) = TimeOfDay::from_secs(opening)
            && time < until
        {
            return Err(NoSignal::OpeningWindow { now: time, until });
        }
        // The bar that ends exactly at the close of continuous trading was still driven by trades.
        if now.at > hours.at(hours.index_continuous_close) + self.params.bar_close_grace {
            return Err(NoSignal::IndexNotContinuous { since: hours.index_continuous_close });
        }
        let cutoff = hours.cutoffs.no_new_entry;
        if time >= cutoff {
            return Err(NoSignal::PastNoNewEntry { now: time, cutoff });
        }
        Ok(())
    }

    fn trend(&self, primary: &ClosedBar, confirmation: Option<&ClosedBar>) -> Result<Direction, NoSignal> {
        let point = |bar: &ClosedBar| {
            bar.supertrend.ok_or(NoSignal::IndicatorUndefined { timeframe: bar.timeframe, what: "supertrend" })
        };
        let direction = point(primary)?.direction;
        if self.params.trigger == SignalTrigger::Flip {
            let valid = self.params.flip_valid_bars;
            if primary.bars_since_flip.is_none_or(|bars| bars >= valid) {
                return Err(NoSignal::NoFlip { direction, bars: primary.bars_since_flip, valid });
            }
        }
        if let Some(bar) = confirmation {
            let confirmed = point(bar)?.direction;
            if confirmed != direction {
                return Err(NoSignal::TimeframesDisagree { primary: direction, confirmation: confirmed });
            }
        }
        Ok(direction)
    }

    fn adx_layer(&self, primary: &ClosedBar, confirmation: Option<&ClosedBar>) -> Result<(), NoSignal> {
        let strong_enough = |bar: &ClosedBar, min: f64| {
            let timeframe = bar.timeframe;
            let adx = bar.adx.ok_or(NoSignal::IndicatorUndefined { timeframe, what: "adx" })?;
            if adx < min { Err(NoSignal::AdxWeak { timeframe, adx, min }) } else { Ok(()) }
        };
        strong_enough(primary, self.params.adx_min_primary)?;
        confirmation.map_or(Ok(()), |bar| strong_enough(bar, self.params.adx_min_confirmation))
    }

    fn trend_layer(&self, direction: Direction) -> Result<(), NoSignal> {
        if self.params.trend_bars.is_none() {
            return Ok(());
        }
        let timeframe = self.params.primary;
        let (newest, earlier) = self
            .frame(timeframe)
            .trend_pair()
            .ok_or(NoSignal::IndicatorUndefined { timeframe, what: "trend confirmation" })?;
        let confirmed = match direction {
            Direction::Up => newest > earlier,
            Direction::Down => newest < earlier,
        };
        if confirmed { Ok(()) } else { Err(NoSignal::TrendUnconfirmed { newest, earlier, direction }) }
    }

    fn theta_layer(&self, now: Stamp, minutes_to_expiry: Option<i64>) -> Result<(), NoSignal> {
        let time = now.at.ist_time();
        if let Some(cutoff) = self.params.theta_cutoff
            && time >= cutoff
        {
            return Err(NoSignal::ThetaCutoff { now: time, cutoff });
        }
        // Whether any expiry is listed at all is the chain analyzer's question.
        match minutes_to_expiry {
            Some(minutes) if minutes < self.params.min_minutes_to_expiry => {
                Err(NoSignal::ExpiryTooClose { minutes, min: self.params.min_minutes_to_expiry })
            }
            _ => Ok(()),
        }
    }

    fn iv_layer(&self) -> Result<IvRank, NoSignal> {
        let params = &self.params.iv_rank;
        let answer = self.iv.rank(params);
        if !params.enabled {
            return Ok(answer);
        }
        match answer {
            IvRank::Known { rank, .. } if rank < params.min || rank > params.max => {
                Err(NoSignal::IvRankOutside { rank, min: params.min, max: params.max })
            }
            IvRank::Known { .. } => Ok(answer),
            IvRank::Unknown => Err(NoSignal::IvUnknown),
            IvRank::NoHistory { days, needed } => match params.on_no_history {
                NoHistory::Pass => Ok(answer),
                NoHistory::Refuse => Err(NoSignal::IvNoHistory { days, needed }),
            },
        }
    }
}
