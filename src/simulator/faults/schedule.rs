//! A schedule at work: which rules have an occasion, which of them happen, and how often they did.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use scalper_decide::domain::{Age, Instant, TimeOfDay};

use super::kind::{FaultKind, Occasion};

/// Answers kept per path for [`FaultKind::StaleBook`].
const KEPT: usize = 64;

/// Which of its occasions a fault takes.
#[derive(Debug, Clone, PartialEq)]
pub enum Happens {
    /// Every one.
    Always,
    /// Each with this probability, `0 < p <= 1`.
    Chance(f64),
    /// The n-th ones, counted from 1 over the whole run.
    Nth(Vec<u64>),
    /// Every n-th one.
    Every(u64),
}

/// One rule of a schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// What goes wrong.
    pub kind: FaultKind,
    /// On which occasions.
    pub happens: Happens,
    /// Only from this time of the trading day on.
    pub from: Option<TimeOfDay>,
    /// Only before this time of the trading day.
    pub until: Option<TimeOfDay>,
    /// How long it lasts, for kinds that last.
    pub length: Age,
}

impl Rule {
    /// A fault with its usual length at any time.
    pub fn new(kind: FaultKind, happens: Happens) -> Rule {
        let length = kind.usual_length().unwrap_or(Age::ZERO);
        Rule { kind, happens, from: None, until: None, length }
    }
}

/// How often a kind had an occasion and happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Occasions inside its window.
    pub occasions: u64,
    /// Times it happened.
    pub fired: u64,
}

#[derive(Debug)]
struct Running {
    rule: Rule,
    dice: ChaCha8Rng,
    count: Count,
    /// A fault that lasts goes on until then.
    lasts_until: Option<Instant>,
}

#[derive(Debug)]
struct Inner {
    rules: Vec<Running>,
    stopped: bool,
    /// Answers given, by path, oldest first.
    past: BTreeMap<String, VecDeque<(Instant, Vec<u8>)>>,
    remembers: bool,
    shape: usize,
}

/// A fault schedule. Clones share it. The same seed and the same occasions in the same sequence give the same faults.
#[derive(Debug, Clone)]
pub struct FaultSchedule(Arc<Mutex<Inner>>);

impl FaultSchedule {
    /// A schedule of these rules; of several that fit one occasion the first one that happens wins.
    pub fn new(seed: u64, rules: Vec<Rule>) -> FaultSchedule {
        let remembers = rules.iter().any(|rule| rule.kind == FaultKind::StaleBook);
        let running = |(stream, rule)| {
            let mut dice = ChaCha8Rng::seed_from_u64(seed);
            dice.set_stream(stream as u64);
            Running { rule, dice, count: Count::default(), lasts_until: None }
        };
        let rules = rules.into_iter().enumerate().map(running).collect();
        let inner = Inner { rules, stopped: false, past: BTreeMap::new(), remembers, shape: 0 };
        FaultSchedule(Arc::new(Mutex::new(inner)))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("nothing here panics")
    }

    /// Nothing goes wrong any more.
    pub fn stop(&self) {
        self.lock().stopped = true;
    }

    /// How often each kind had an occasion and happened.
    pub fn counts(&self) -> BTreeMap<FaultKind, Count> {
        let mut counts: BTreeMap<FaultKind, Count> = BTreeMap::new();
        for running in &self.lock().rules {
            let count = counts.entry(running.rule.kind).or_default();
            count.occasions += running.count.occasions;
            count.fired += running.count.fired;
        }
        counts
    }

    /// The first rule that happens now, of those with one of these occasions.
    pub(super) fn draw(&self, now: Instant, occasions: &[Occasion]) -> Option<(FaultKind, Age)> {
        self.draw_of(now, |kind| occasions.contains(&kind.occasion()))
    }

    pub(super) fn draw_of(&self, now: Instant, fits: impl Fn(FaultKind) -> bool) -> Option<(FaultKind, Age)> {
        let mut inner = self.lock();
        if inner.stopped {
            return None;
        }
        let running = inner.rules.iter_mut().filter(|running| fits(running.rule.kind));
        for running in running {
            if running.happens(now) {
                return Some((running.rule.kind, running.rule.length));
            }
        }
        None
    }

    /// Remembers an answer, and gives the one that stood `age` ago.
    pub(super) fn remember(&self, path: &str, now: Instant, body: &[u8]) {
        let mut inner = self.lock();
        if !inner.remembers {
            return;
        }
        let past = inner.past.entry(path.to_owned()).or_default();
        if past.len() == KEPT {
            past.pop_front();
        }
        past.push_back((now, body.to_vec()));
    }

    /// The newest answer of a path that is at least as old as `age`; `None` when there is none.
    pub(super) fn answer_of(&self, path: &str, now: Instant, age: Age) -> Option<Vec<u8>> {
        let inner = self.lock();
        let past = inner.past.get(path)?;
        past.iter().rev().find(|(at, _)| now.age_of(*at) >= age).map(|(_, body)| body.clone())
    }

    /// Numbers that go on by one, below `of`.
    pub(super) fn turn(&self, of: usize) -> usize {
        let mut inner = self.lock();
        inner.shape += 1;
        inner.shape % of
    }
}

impl Running {
    fn happens(&mut self, now: Instant) -> bool {
        let time = now.ist_time();
        let rule = &self.rule;
        if rule.from.is_some_and(|from| time < from) || rule.until.is_some_and(|until| until <= time) {
            return false;
        }
        self.count.occasions += 1;
        let goes_on = rule.kind == FaultKind::TokenExpired && self.lasts_until.is_some_and(|until| now < until);
        let happens = goes_on
            || match &rule.happens {
                Happens::Always => true,
                Happens::Chance(p) => self.dice.random::<f64>() < *p,
                Happens::Nth(list) => list.contains(&self.count.occasions),
                Happens::Every(n) => self.count.occasions.is_multiple_of(*n),
            };
        if happens && !goes_on {
            self.lasts_until = Some(now + rule.length);
        }
        self.count.fired += u64::from(happens);
        happens
    }
}
