//! The session clock: the one source of "now" for everything that follows the trading day (design 13, F-82). In sim
//! mode the simulator owns it and may run it faster than the wall; in live and paper it is the wall clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use scalper_decide::domain::{Age, Instant};
use tokio::sync::Notify;
use tokio::time::Instant as Monotonic;

/// Session time. Clones share one clock.
#[derive(Debug, Clone)]
pub struct SessionClock(Arc<Source>);

#[derive(Debug)]
enum Source {
    Wall,
    Scaled { started: Monotonic, from: Instant, speed: f64, skipped: AtomicI64, moved: Notify },
    Driven { now: AtomicI64, moved: Notify },
}

impl SessionClock {
    /// The wall clock.
    pub fn wall() -> SessionClock {
        SessionClock(Arc::new(Source::Wall))
    }

    /// A clock that reads `from` now and runs `speed` times as fast as the wall (1 and up, finite).
    pub fn scaled(from: Instant, speed: f64) -> SessionClock {
        assert!(speed.is_finite() && speed > 0.0, "speed {speed}");
        let (skipped, moved) = (AtomicI64::new(0), Notify::new());
        SessionClock(Arc::new(Source::Scaled { started: Monotonic::now(), from, speed, skipped, moved }))
    }

    /// A clock that stands at `from` and moves only when [`SessionClock::drive`] says so.
    pub fn driven(from: Instant) -> SessionClock {
        SessionClock(Arc::new(Source::Driven { now: AtomicI64::new(from.nanos()), moved: Notify::new() }))
    }

    /// Session time now.
    pub fn now(&self) -> Instant {
        match &*self.0 {
            Source::Wall => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the wall clock reads after 1970");
                Instant::from_nanos(i64::try_from(since.as_nanos()).expect("before the year 2262"))
            }
            Source::Scaled { started, from, speed, skipped, .. } => {
                let elapsed = started.elapsed().as_secs_f64() * speed;
                *from + Age::from_nanos((elapsed * 1e9) as i64 + skipped.load(Ordering::Acquire))
            }
            Source::Driven { now, .. } => Instant::from_nanos(now.load(Ordering::Acquire)),
        }
    }

    /// Session seconds per second of the wall; 0 for a driven clock.
    pub fn speed(&self) -> f64 {
        match &*self.0 {
            Source::Wall => 1.0,
            Source::Scaled { speed, .. } => *speed,
            Source::Driven { .. } => 0.0,
        }
    }

    /// Moves a driven clock forward; never back, and without effect on the other kinds.
    pub fn drive(&self, to: Instant) {
        if let Source::Driven { now, moved } = &*self.0
            && now.fetch_max(to.nanos(), Ordering::AcqRel) < to.nanos()
        {
            moved.notify_waiters();
        }
    }

    /// Lets a scaled clock read `to` at once and go on from there at its speed; never back, and without effect on the
    /// other kinds. For a world of its own, whose nights nobody needs to live through.
    pub fn skip_to(&self, to: Instant) {
        if let Source::Scaled { skipped, moved, .. } = &*self.0 {
            skipped.fetch_add((to.nanos() - self.now().nanos()).max(0), Ordering::AcqRel);
            moved.notify_waiters();
        }
    }

    /// Waits until a driven clock reads later than `at`; never returns on the other kinds.
    pub async fn moved_past(&self, at: Instant) {
        match &*self.0 {
            Source::Driven { .. } => self.sleep_until(at + Age::from_nanos(1)).await,
            Source::Wall | Source::Scaled { .. } => std::future::pending().await,
        }
    }

    /// Waits until the clock reads `at` or later.
    pub async fn sleep_until(&self, at: Instant) {
        loop {
            let left = at.nanos() - self.now().nanos();
            if left <= 0 {
                return;
            }
            match &*self.0 {
                Source::Wall => tokio::time::sleep(Duration::from_nanos(left.unsigned_abs())).await,
                Source::Scaled { speed, moved, .. } => {
                    let moved = moved.notified();
                    tokio::pin!(moved);
                    moved.as_mut().enable();
                    // Looked at again: it may have skipped before anybody listened.
                    let left = (at.nanos() - self.now().nanos()).max(0);
                    let rest = tokio::time::sleep(Duration::from_secs_f64(left as f64 / 1e9 / speed));
                    tokio::select! {
                        () = rest => {}
                        () = moved => {}
                    }
                }
                Source::Driven { now, moved } => {
                    let moved = moved.notified();
                    tokio::pin!(moved);
                    moved.as_mut().enable();
                    if now.load(Ordering::Acquire) < at.nanos() {
                        moved.await;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_driven_clock_wakes_sleepers_only_when_it_gets_there_and_never_goes_back() {
        let clock = SessionClock::driven(Instant::from_secs(100));
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move {
                clock.sleep_until(Instant::from_secs(110)).await;
                clock.now()
            }
        });
        clock.drive(Instant::from_secs(105));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.drive(Instant::from_secs(90));
        assert_eq!(clock.now(), Instant::from_secs(105));
        clock.drive(Instant::from_secs(111));
        assert_eq!(sleeper.await.unwrap(), Instant::from_secs(111));
    }

    #[tokio::test]
    async fn a_scaled_clock_that_skips_a_night_wakes_who_sleeps_through_it_and_never_goes_back() {
        let evening = Instant::from_secs(1_000_000);
        let morning = evening + Age::from_mins(17 * 60);
        let clock = SessionClock::scaled(evening, 1.0);
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep_until(morning).await }
        });
        tokio::task::yield_now().await;
        clock.skip_to(morning);
        sleeper.await.unwrap();
        clock.skip_to(evening);
        assert!(clock.now() >= morning && clock.now() < morning + Age::from_mins(10));
    }

    #[test]
    fn a_scaled_clock_runs_faster_than_the_wall() {
        let from = Instant::from_secs(1_000_000);
        let clock = SessionClock::scaled(from, 1e6);
        while clock.now() < from + Age::from_secs(1) {
            std::hint::spin_loop();
        }
        assert!(clock.speed() > 1.0);
    }
}
