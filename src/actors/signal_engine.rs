//! The signal engines by mailbox. Every answer that may move a bar's end carries when the next bar closes.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use scalper_decide::domain::event::IvDays;
use scalper_decide::domain::{Instant, Tick, Underlying};
use scalper_decide::signal_engine::{ClosedBars, NoSignal, Signal};
use scalper_decide::stages::{NewSettings, SessionTerms, Signals};

use super::pulse::Beating;
use super::shell::{decider, questions};

/// Bars that closed.
#[derive(Debug)]
pub struct BarsAnswer {
    /// The bars.
    pub bars: ClosedBars,
    /// Whether one of them calls for an evaluation.
    pub has_primary: bool,
    /// When the next bar closes.
    pub wake_at: Option<Instant>,
}

decider! {
    /// Holds the signal engines of all indices.
    SignalEngineActor { signals: Signals }
}

impl SignalEngineActor {
    /// An actor around these engines.
    pub const fn new(pulse: Beating, signals: Signals) -> SignalEngineActor {
        SignalEngineActor { pulse, signals }
    }

    fn close_bars(&mut self, ask: &CloseBars) -> BarsAnswer {
        let bars = self.signals.close_bars(ask.now, ask.underlying);
        let has_primary = self.signals.has_primary(ask.underlying, &bars);
        BarsAnswer { bars, has_primary, wake_at: self.signals.wake_at() }
    }
}

questions! { SignalEngineActor:
    /// A session opens.
    OpenSignals { terms: Arc<SessionTerms> } -> Option<Instant> = |me, ask| {
        me.signals.open_session(&ask.terms);
        me.signals.wake_at()
    };
    /// New settings; `open` is the session under way.
    ConfigureSignals { settings: Arc<NewSettings>, open: Option<Arc<SessionTerms>> } -> Option<Instant> = |me, ask| {
        me.signals.configure(&ask.settings, ask.open.as_deref());
        me.signals.wake_at()
    };
    /// A session ends.
    CloseSignals {} -> Option<Instant> = |me, ask| {
        me.signals.close_session();
        me.signals.wake_at()
    };
    /// Takes an index tick in.
    ObserveIndex { underlying: Underlying, tick: Tick } -> Option<Instant> = |me, ask| {
        me.signals.observe(ask.underlying, &ask.tick);
        me.signals.wake_at()
    };
    /// Closes bars that are due.
    CloseBars { underlying: Underlying } -> BarsAnswer = |me, ask| me.close_bars(&ask);
    /// Takes a sample of the at-the-money volatility in.
    SampleIv { underlying: Underlying, day: NaiveDate, iv_pct: f64 } -> ()
        = |me, ask| me.signals.sample_iv(ask.underlying, ask.day, ask.iv_pct);
    /// Judges the last closed bar.
    Evaluate { underlying: Underlying, minutes_to_expiry: Option<i64> } -> Result<Signal, NoSignal>
        = |me, ask| me.signals.evaluate(ask.now, ask.underlying, ask.minutes_to_expiry);
    /// Is told the volatility of earlier sessions.
    RecallIv { days: IvDays } -> () = |me, ask| me.signals.recall_iv(&ask.days);
    /// The session that ended last, with its volatility.
    LastIv {} -> BTreeMap<Underlying, (NaiveDate, f64)> = |me, ask| me.signals.last_iv();
    /// Bars without a single tick.
    CountMissingBars {} -> u64 = |me, ask| me.signals.missing_bars();
}
