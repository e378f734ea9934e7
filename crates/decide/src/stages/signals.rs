//! The signal engines of all configured indices, and which index ticks may drive them.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::domain::event::IvDays;
use crate::domain::{Age, Instant, Stamp, Tick, Underlying};
use crate::params::StrategyParams;
use crate::signal_engine::{ClosedBars, IvHistory, NoSignal, Signal, SignalEngine};

use super::reload::NewSettings;
use super::session::SessionTerms;

/// Most that a feed packet may lie behind its exchange time.
const LAG_MAX: Age = Age::from_secs(5);

/// Sessions of IV history by index, oldest first.
pub type IvSeeds = BTreeMap<Underlying, Vec<(NaiveDate, f64)>>;

/// One signal engine per configured index.
#[derive(Debug, Clone)]
pub struct Signals {
    engines: Vec<SignalEngine>,
    engine_of: [Option<usize>; Underlying::ALL.len()],
    /// From here on the index is not driven by continuous trades.
    index_quiet_from: Instant,
    seeds: IvSeeds,
}

impl Signals {
    /// Engines that have seen nothing; `iv_history` seeds their IV rank.
    pub fn new(params: &StrategyParams, iv_history: &IvSeeds) -> Signals {
        let mut engine_of = [None; Underlying::ALL.len()];
        let engines = params
            .indices
            .iter()
            .enumerate()
            .map(|(i, u)| {
                engine_of[u.index()] = Some(i);
                let iv = IvHistory::seeded(iv_history.get(u).into_iter().flatten().copied());
                SignalEngine::new(*u, params.signal_of(*u).clone(), iv)
            })
            .collect();
        Signals { engines, engine_of, index_quiet_from: Instant::MAX, seeds: iv_history.clone() }
    }

    /// The engines, in order of the configured indices.
    pub fn engines(&self) -> &[SignalEngine] {
        &self.engines
    }

    fn engine(&mut self, underlying: Underlying) -> Option<&mut SignalEngine> {
        self.engine_of[underlying.index()].map(|i| &mut self.engines[i])
    }

    /// Opens a day.
    pub fn open_session(&mut self, terms: &SessionTerms) {
        for engine in self.engines.iter_mut().filter(|_| !terms.goes_on) {
            let recorded = terms.bars_of.get(&engine.underlying()).copied();
            engine.open_session(terms.hours.clone(), terms.warm_up, recorded);
        }
        self.index_quiet_from = terms.hours.at(terms.hours.index_continuous_close);
    }

    /// Takes new settings. Engines whose settings changed start without bars; `open` is the session under way.
    pub fn configure(&mut self, settings: &NewSettings, open: Option<&SessionTerms>) {
        let NewSettings { old, new } = settings;
        let mut known: BTreeMap<Underlying, SignalEngine> =
            std::mem::take(&mut self.engines).into_iter().map(|e| (e.underlying(), e)).collect();
        self.engine_of = [None; Underlying::ALL.len()];
        for (i, underlying) in new.indices.iter().enumerate() {
            self.engine_of[underlying.index()] = Some(i);
            let is_same = old.indices.contains(underlying) && old.signal_of(*underlying) == new.signal_of(*underlying);
            let engine = known.remove(underlying).filter(|_| is_same).unwrap_or_else(|| {
                let iv = IvHistory::seeded(self.seeds.get(underlying).into_iter().flatten().copied());
                let mut engine = SignalEngine::new(*underlying, new.signal_of(*underlying).clone(), iv);
                if let Some(terms) = open {
                    let recorded = terms.bars_of.get(underlying).copied();
                    engine.open_session(terms.hours.clone(), terms.warm_up, recorded);
                }
                engine
            });
            self.engines.push(engine);
        }
    }

    /// Ends a day.
    pub fn close_session(&mut self) {
        for engine in &mut self.engines {
            engine.close_session();
        }
    }

    /// Takes a believed index tick in.
    #[inline]
    pub fn observe(&mut self, underlying: Underlying, tick: &Tick) {
        // A source that lags (polled snapshots do, by a minute and more) is dated by when it was seen: by its own
        // time its bars would be closed already.
        let lags = tick.received_at.age_of(tick.exchange_at) > LAG_MAX;
        let at = if lags { tick.received_at } else { tick.exchange_at };
        if at >= self.index_quiet_from {
            return;
        }
        if let Some(engine) = self.engine(underlying) {
            engine.on_tick(at, tick.ltp_paise);
        }
    }

    /// When the next bar closes.
    #[inline]
    pub fn wake_at(&self) -> Option<Instant> {
        self.engines.iter().filter_map(SignalEngine::wake_at).min()
    }

    /// Closes the bars of an index that are due.
    pub fn close_bars(&mut self, now: Stamp, underlying: Underlying) -> ClosedBars {
        self.engine(underlying).map_or_else(ClosedBars::new, |engine| engine.close_bars(now.at))
    }

    /// Whether one of these bars calls for an evaluation.
    pub fn has_primary(&self, underlying: Underlying, bars: &ClosedBars) -> bool {
        let engine = self.engine_of[underlying.index()].map(|i| &self.engines[i]);
        engine.is_some_and(|engine| bars.iter().any(|bar| engine.is_primary(bar.timeframe)))
    }

    /// Takes a sample of the at-the-money volatility of `day` in, in percent.
    pub fn sample_iv(&mut self, underlying: Underlying, day: NaiveDate, iv_pct: f64) {
        if let Some(engine) = self.engine(underlying) {
            engine.sample_iv(day, iv_pct);
        }
    }

    /// Puts earlier sessions (millionths of a percent, oldest first) in the place of those remembered.
    #[allow(clippy::float_arithmetic, reason = "volatilities are model figures, not money")]
    pub fn recall_iv(&mut self, days: &IvDays) {
        let pct = |(day, micro): &(NaiveDate, i64)| (*day, *micro as f64 / 1e6);
        self.seeds = days.iter().map(|(u, days)| (*u, days.iter().map(pct).collect())).collect();
        for engine in &mut self.engines {
            engine.recall_iv(self.seeds.get(&engine.underlying()).map_or(&[], Vec::as_slice));
        }
    }

    /// The session that ended last, with its volatility in percent, by index.
    pub fn last_iv(&self) -> BTreeMap<Underlying, (NaiveDate, f64)> {
        self.engines.iter().filter_map(|engine| Some((engine.underlying(), engine.iv_history().last()?))).collect()
    }

    /// Judges the last closed bar of an index.
    pub fn evaluate(
        &mut self,
        now: Stamp,
        underlying: Underlying,
        minutes_to_expiry: Option<i64>,
    ) -> Result<Signal, NoSignal> {
        match self.engine(underlying) {
            Some(engine) => engine.evaluate(now, minutes_to_expiry),
            None => Err(NoSignal::WarmUpDay),
        }
    }

    /// Bars without a single tick, of the shortest timeframe that is built.
    pub fn missing_bars(&self) -> u64 {
        self.engines.iter().map(SignalEngine::missing_bars).sum()
    }
}
