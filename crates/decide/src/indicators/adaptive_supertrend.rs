//! Supertrend whose multiplier follows volatility and its own record, without randomness.
//!
//! On every closed bar, in this order:
//! 1. **Score.** Each of the five candidate multipliers (1.5, 2.0, 2.5, 3.0, 3.5) runs a plain Supertrend of its own.
//!    The direction it held after the *previous* bar is judged by this bar's close:
//!    `score = 0.9 * score + 0.1 * direction * (close - previous close) / previous ATR`.
//!    Only closed bars take part, so a replay and a live day score alike.
//! 2. **ATR.** Wilder's, as in the plain Supertrend; then the candidates carry their bands over this bar.
//! 3. **Regime.** The newest ATR's cluster among the last `training` ones ([`super::clusters`]).
//! 4. **Multiplier.** The regime opens a set of candidates around the base: low `<= base + 0.5`, medium
//!    `base ..= base + 1`, high `>= base + 0.5`. The best score in the set wins; on equal scores the one nearest the
//!    base, then the smaller. Should a far-off base leave a set empty, the candidate nearest the base is taken.
//! 5. **Bands.** One pair of final bands and one direction, carried as in [`super::supertrend`] with the multiplier
//!    chosen now. A smaller multiplier tightens the line at once, a larger one waits until the price turns it, so the
//!    direction changes only when a close crosses the line, never because the multiplier did.
//!
//! First defined on bar `period + training - 1`. Work per bar is constant: the window and the rounds are bounded.

use std::collections::VecDeque;

use ta::{Next, Period, Reset};

use super::atr::Atr;
use super::bar::Bar;
use super::clusters::{Regime, regime_of};
use super::supertrend::{Bands, SupertrendValue};

/// Multipliers that compete.
pub const CANDIDATES: [f64; 5] = [1.5, 2.0, 2.5, 3.0, 3.5];
/// Weight of the newest bar in a candidate's score.
pub const SCORE_ALPHA: f64 = 0.1;

/// Adaptive Supertrend of one bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdaptiveValue {
    /// Line, direction and flip.
    pub trend: SupertrendValue,
    /// The multiplier this bar's bands were drawn with.
    pub multiplier: f64,
    /// The volatility cluster it was chosen in.
    pub regime: Regime,
}

#[derive(Debug, Clone, Default)]
struct Candidate {
    bands: Bands,
    score: f64,
}

/// Supertrend with a multiplier chosen bar by bar; the module page has the rules.
#[derive(Debug, Clone)]
pub struct AdaptiveSupertrend {
    base_multiplier: f64,
    training: usize,
    atr: Atr,
    window: VecDeque<f64>,
    candidates: [Candidate; CANDIDATES.len()],
    /// Close and ATR of the previous bar, once the ATR is defined.
    previous: Option<(f64, f64)>,
    bands: Bands,
}

impl AdaptiveSupertrend {
    /// ATR over `period` bars (10), candidate sets around `base_multiplier` (2.0), clusters over `training` bars (50).
    ///
    /// # Panics
    /// When `period` is 0, `training` below 3, or `base_multiplier` not above 0 and at most 1,000.
    pub fn new(period: usize, base_multiplier: f64, training: usize) -> AdaptiveSupertrend {
        assert!(training >= 3, "three clusters need at least 3 training bars, not {training}");
        assert!(
            base_multiplier > 0.0 && base_multiplier <= 1_000.0,
            "base multiplier {base_multiplier} is not above 0 and at most 1000"
        );
        AdaptiveSupertrend {
            base_multiplier,
            training,
            atr: Atr::new(period),
            window: VecDeque::with_capacity(training),
            candidates: Default::default(),
            previous: None,
            bands: Bands::default(),
        }
    }

    /// Bars in the clustering window.
    pub const fn training(&self) -> usize {
        self.training
    }

    fn score(&mut self, bar: &Bar) {
        let Some((close, atr)) = self.previous else { return };
        // A market without range has nothing to win or lose.
        let step = if atr > 0.0 { (bar.close() - close) / atr } else { 0.0 };
        for candidate in &mut self.candidates {
            if let Some(direction) = candidate.bands.direction() {
                let gain = direction.sign() as f64 * step;
                candidate.score = (1.0 - SCORE_ALPHA) * candidate.score + SCORE_ALPHA * gain;
            }
        }
    }

    fn choose(&self, regime: Regime) -> f64 {
        let base = self.base_multiplier;
        let is_open = |multiplier: f64| match regime {
            Regime::Low => multiplier <= base + 0.5,
            Regime::Medium => base <= multiplier && multiplier <= base + 1.0,
            Regime::High => multiplier >= base + 0.5,
        };
        let mut best: Option<usize> = None;
        for i in (0..CANDIDATES.len()).filter(|i| is_open(CANDIDATES[*i])) {
            let beats = best.is_none_or(|b| {
                let (mine, theirs) = (self.candidates[i].score, self.candidates[b].score);
                mine > theirs || (mine == theirs && (CANDIDATES[i] - base).abs() < (CANDIDATES[b] - base).abs())
            });
            if beats {
                best = Some(i);
            }
        }
        best.map_or_else(|| base.clamp(CANDIDATES[0], CANDIDATES[CANDIDATES.len() - 1]), |i| CANDIDATES[i])
    }
}

impl Next<&Bar> for AdaptiveSupertrend {
    type Output = Option<AdaptiveValue>;

    /// `None` until `training` ATR values exist.
    fn next(&mut self, bar: &Bar) -> Option<AdaptiveValue> {
        self.score(bar);
        let atr = self.atr.next(bar)?;
        self.previous = Some((bar.close(), atr));
        for (candidate, multiplier) in self.candidates.iter_mut().zip(CANDIDATES) {
            candidate.bands.step(bar, atr, multiplier);
        }
        if self.window.len() == self.training {
            self.window.pop_front();
        }
        self.window.push_back(atr);
        if self.window.len() < self.training {
            return None;
        }
        let regime = regime_of(atr, self.window.iter().copied());
        let multiplier = self.choose(regime);
        Some(AdaptiveValue { trend: self.bands.step(bar, atr, multiplier), multiplier, regime })
    }
}

impl Period for AdaptiveSupertrend {
    fn period(&self) -> usize {
        self.atr.period()
    }
}

impl Reset for AdaptiveSupertrend {
    fn reset(&mut self) {
        *self = AdaptiveSupertrend::new(self.period(), self.base_multiplier, self.training);
    }
}
