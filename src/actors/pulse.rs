//! Progress of one actor, written by it and read by the supervisor from another thread (F-32, F-73).
//!
//! "Is it running?" answers nothing: what counts is the last event it finished, and whether it owes one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use scalper_decide::domain::{Instant, Seq, Stamp};

/// Progress of one actor. Only the actor's own thread writes `steps`, `seq` and `at`.
#[derive(Debug)]
pub struct Pulse {
    name: &'static str,
    /// Twice the messages finished, plus one while one is in hand.
    steps: AtomicU64,
    seq: AtomicU64,
    at: AtomicI64,
    prods: AtomicU64,
    answered: AtomicU64,
    died: AtomicBool,
}

/// What a pulse says at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Whose it is.
    pub name: &'static str,
    /// Twice the messages finished, plus one while one is in hand: progress is a change of this number.
    pub steps: u64,
    /// Number of the last event worked on.
    pub seq: Seq,
    /// Engine time of that event.
    pub at: Instant,
    /// Whether it has work that it has not finished.
    pub owes: bool,
    /// Whether it panicked.
    pub died: bool,
}

impl Pulse {
    /// The pulse of an actor that has done nothing yet.
    pub fn new(name: &'static str) -> Arc<Pulse> {
        Arc::new(Pulse {
            name,
            steps: AtomicU64::new(0),
            seq: AtomicU64::new(0),
            at: AtomicI64::new(0),
            prods: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            died: AtomicBool::new(false),
        })
    }

    /// Whose it is.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    #[inline]
    fn step(&self) {
        // One writer: a load and a store are enough, and cheaper than an atomic addition.
        self.steps.store(self.steps.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    /// A message is taken in hand.
    #[inline]
    pub fn begin(&self, now: Stamp) {
        self.seq.store(now.seq.0, Ordering::Relaxed);
        self.at.store(now.at.nanos(), Ordering::Relaxed);
        self.step();
    }

    /// It is finished.
    #[inline]
    pub fn end(&self) {
        self.step();
    }

    /// Somebody waits for a sign of life.
    pub fn prod(&self) {
        self.prods.fetch_add(1, Ordering::AcqRel);
    }

    /// The actor gives the sign; it answers everything asked so far.
    pub fn answer(&self) {
        self.answered.store(self.prods.load(Ordering::Acquire), Ordering::Release);
        self.step();
        self.step();
    }

    /// The actor is gone for good.
    pub fn died(&self) {
        self.died.store(true, Ordering::Release);
    }

    /// What it says now.
    pub fn read(&self) -> Reading {
        let steps = self.steps.load(Ordering::Acquire);
        let unanswered = self.prods.load(Ordering::Acquire) > self.answered.load(Ordering::Acquire);
        Reading {
            name: self.name,
            steps,
            seq: Seq(self.seq.load(Ordering::Relaxed)),
            at: Instant::from_nanos(self.at.load(Ordering::Relaxed)),
            owes: unanswered || steps % 2 == 1,
            died: self.died.load(Ordering::Acquire),
        }
    }
}

/// Kept inside a decider: tells the supervisor when the decider is torn down by a panic, even if nobody waits for its
/// answer.
#[derive(Debug)]
pub struct Beating(Arc<Pulse>);

impl Beating {
    /// The life of the actor with this pulse.
    pub const fn new(pulse: Arc<Pulse>) -> Beating {
        Beating(pulse)
    }
}

impl std::ops::Deref for Beating {
    type Target = Pulse;
    #[inline]
    fn deref(&self) -> &Pulse {
        &self.0
    }
}

impl Drop for Beating {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.died();
        }
    }
}
