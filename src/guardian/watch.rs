//! Signs in, verdict out. Time is what passed between looks as the caller counts it, so a guardian that was itself
//! stopped, or a machine that slept, does not take its own absence for the engine's silence.

use std::time::Duration;

use super::beat::{Beat, Ended};
use super::process::Process;

/// How long what may last. Wall time: a process dies and starts at the speed of the wall, whatever the session's is.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Silence of a living engine: its own supervisor ends it after the same time.
    pub silence: Duration,
    /// From the last sign of an engine that died: time for a service manager to start it again.
    pub grace: Duration,
    /// The same after an engine that ended in order while it held something.
    pub ordered: Duration,
    /// How long an engine may take to start while an earlier one left something.
    pub starting: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            silence: Duration::from_secs(5),
            grace: Duration::from_millis(1_500),
            ordered: Duration::from_secs(30),
            starting: Duration::from_secs(60),
        }
    }
}

/// Why the guardian acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// The process is gone.
    Died,
    /// It lives, and its decision loop does not go on.
    Silent,
    /// It ended in order, holding something, and nobody took over.
    LeftHolding,
}

impl Trigger {
    /// In words.
    pub const fn text(self) -> &'static str {
        match self {
            Trigger::Died => "the engine died",
            Trigger::Silent => "the engine's decision loop is silent",
            Trigger::LeftHolding => "the engine ended with something open, and nobody took over",
        }
    }
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing, and what is seen.
    Wait(&'static str),
    /// Nothing is left to guard.
    StandDown(&'static str),
    /// Close everything.
    TakeOver(Trigger),
}

/// What a look found.
#[derive(Debug, Clone, Copy)]
pub struct Signs {
    /// The latest sign of an engine.
    pub beat: Option<Beat>,
    /// Whether the process behind it lives.
    pub is_alive: bool,
    /// Whether another living process holds the data folder: an engine on its way up.
    pub another_starts: bool,
    /// Whether the engine that started this guardian lives; `None` when a person or a service manager did.
    pub parent: Option<(Process, bool)>,
}

/// Remembers what was seen, and for how long nothing else was.
#[derive(Debug)]
pub struct Watcher {
    limits: Limits,
    seen: Option<(Process, u64)>,
    /// The engine was seen going on: an end that is seen then is an end, not yesterday's.
    went_on: bool,
    quiet: Duration,
    starting: Duration,
}

impl Watcher {
    /// A watcher that has seen nothing.
    pub const fn new(limits: Limits) -> Watcher {
        Watcher { limits, seen: None, went_on: false, quiet: Duration::ZERO, starting: Duration::ZERO }
    }

    /// One look, `passed` after the one before.
    pub fn look(&mut self, passed: Duration, signs: &Signs) -> Verdict {
        let orphan = signs.parent.filter(|(_, is_alive)| !is_alive).map(|(parent, _)| parent);
        let Some(beat) = signs.beat else {
            return match orphan {
                Some(_) => Verdict::StandDown("the engine that started this guardian ended before it began"),
                None => Verdict::Wait("waits for an engine"),
            };
        };
        let now = (beat.process, beat.count);
        if self.seen == Some(now) {
            self.quiet += passed;
        } else {
            self.went_on |= self.seen.is_some();
            self.seen = Some(now);
            self.quiet = Duration::ZERO;
        }
        self.starting = if signs.another_starts { self.starting + passed } else { Duration::ZERO };
        let another_starts = signs.another_starts && self.starting < self.limits.starting;
        let is_over = beat.ended.is_some_and(|ended| ended == Ended::DayOver || !beat.is_holding());
        match beat.ended {
            Some(_) if is_over && self.went_on => Verdict::StandDown("the engine ended in order"),
            Some(_) if is_over && orphan.is_some() => Verdict::StandDown("the engine ended in order"),
            Some(_) if is_over => Verdict::Wait("waits for an engine"),
            Some(_) | None if another_starts => Verdict::Wait("an engine starts"),
            Some(_) if self.quiet >= self.limits.ordered => Verdict::TakeOver(Trigger::LeftHolding),
            Some(_) => Verdict::Wait("the engine ended with something open; waits for another"),
            None if !signs.is_alive && self.quiet >= self.limits.grace => Verdict::TakeOver(Trigger::Died),
            None if !signs.is_alive => Verdict::Wait("the engine died; waits for another"),
            None if self.quiet >= self.limits.silence => Verdict::TakeOver(Trigger::Silent),
            None => Verdict::Wait("watches"),
        }
    }
}

#[cfg(test)]
mod tests {
    use scalper_decide::domain::Instant;

    use super::*;

    const ENGINE: Process = Process { pid: 10, started: 1 };
    const TENTH: Duration = Duration::from_millis(100);

    fn beat(count: u64, positions: u32) -> Beat {
        Beat { process: ENGINE, count, at: Instant::default(), positions, orders: 0, ended: None }
    }

    fn signs(beat: Beat, is_alive: bool) -> Signs {
        Signs { beat: Some(beat), is_alive, another_starts: false, parent: None }
    }

    /// Looks every tenth of a second until the verdict is more than waiting; how long that took.
    fn until(watcher: &mut Watcher, signs: &Signs) -> (Duration, Verdict) {
        let mut passed = Duration::ZERO;
        loop {
            let verdict = watcher.look(TENTH, signs);
            if !matches!(verdict, Verdict::Wait(_)) || passed > Duration::from_secs(300) {
                return (passed, verdict);
            }
            passed += TENTH;
        }
    }

    #[test]
    fn an_engine_that_died_leaves_time_for_a_restart_and_no_more() {
        // N6
        let mut watcher = Watcher::new(Limits::default());
        watcher.look(TENTH, &signs(beat(1, 1), true));
        let (passed, verdict) = until(&mut watcher, &signs(beat(1, 1), false));
        assert_eq!(verdict, Verdict::TakeOver(Trigger::Died));
        assert!(passed <= Duration::from_millis(1_500), "{passed:?}");
        // An engine that comes up is left alone, for a while.
        let mut watcher = Watcher::new(Limits::default());
        let starts = Signs { another_starts: true, ..signs(beat(1, 1), false) };
        let (passed, verdict) = until(&mut watcher, &starts);
        assert_eq!(verdict, Verdict::TakeOver(Trigger::Died));
        assert!(passed > Duration::from_secs(55), "{passed:?}");
    }

    #[test]
    fn silence_of_a_living_engine_is_a_trigger_and_a_beat_is_not() {
        let mut watcher = Watcher::new(Limits::default());
        for count in 0..200 {
            assert_eq!(watcher.look(TENTH * 40, &signs(beat(count, 1), true)), Verdict::Wait("watches"));
        }
        let (passed, verdict) = until(&mut watcher, &signs(beat(199, 1), true));
        assert_eq!(verdict, Verdict::TakeOver(Trigger::Silent));
        assert!(passed >= Duration::from_millis(4_900), "{passed:?}");
    }

    #[test]
    fn an_end_in_order_with_nothing_held_ends_the_guardian_and_yesterdays_end_does_not() {
        let ended = |count, positions, ended| Beat { ended: Some(ended), ..beat(count, positions) };
        let mut watcher = Watcher::new(Limits::default());
        let old = signs(ended(7, 0, Ended::Asked), false);
        assert!((0..9_000).all(|_| matches!(watcher.look(TENTH, &old), Verdict::Wait(_))));
        watcher.look(TENTH, &signs(beat(8, 0), true));
        assert!(matches!(watcher.look(TENTH, &signs(ended(9, 0, Ended::Asked), false)), Verdict::StandDown(_)));
        // Something is open: another engine has its time, then it is closed.
        let mut watcher = Watcher::new(Limits::default());
        watcher.look(TENTH, &signs(beat(8, 2), true));
        let (passed, verdict) = until(&mut watcher, &signs(ended(9, 2, Ended::Asked), false));
        assert_eq!(verdict, Verdict::TakeOver(Trigger::LeftHolding));
        assert!(passed >= Duration::from_secs(29), "{passed:?}");
        // After the close nothing can be sold any more.
        let mut watcher = Watcher::new(Limits::default());
        watcher.look(TENTH, &signs(beat(8, 2), true));
        assert!(matches!(watcher.look(TENTH, &signs(ended(9, 2, Ended::DayOver), false)), Verdict::StandDown(_)));
    }

    #[test]
    fn a_guardian_whose_engine_never_began_does_not_stay_for_ever() {
        let mut watcher = Watcher::new(Limits::default());
        let alone = Signs { beat: None, is_alive: false, another_starts: false, parent: Some((ENGINE, false)) };
        assert!(matches!(watcher.look(TENTH, &alone), Verdict::StandDown(_)));
        assert!(matches!(watcher.look(TENTH, &Signs { parent: None, ..alone }), Verdict::Wait(_)));
    }
}
