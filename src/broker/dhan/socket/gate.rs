//! What the sockets of one client share: one dials at a time, and a cool-off holds them all (A17, A20).

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Gate {
    /// Held while dialling.
    pub(crate) dialling: tokio::sync::Mutex<()>,
    not_before: Mutex<Option<Instant>>,
    /// Dials of the last minute.
    dials: Mutex<VecDeque<Instant>>,
    close_all: watch::Sender<u64>,
}

impl Gate {
    pub(crate) fn new() -> Gate {
        Gate {
            dialling: tokio::sync::Mutex::new(()),
            not_before: Mutex::new(None),
            dials: Mutex::default(),
            close_all: watch::Sender::new(0),
        }
    }

    /// Takes one dial out of the budget of a minute that all sockets share; when it is spent, when there is one again.
    pub(crate) fn budget(&self, now: Instant, per_minute: usize) -> Option<Instant> {
        let mut dials = self.dials.lock().unwrap_or_else(PoisonError::into_inner);
        while dials.front().is_some_and(|at| now - *at >= MINUTE) {
            dials.pop_front();
        }
        if dials.len() < per_minute.max(1) {
            dials.push_back(now);
            return None;
        }
        dials.front().map(|first| *first + MINUTE)
    }

    /// Nobody dials for a while; with `close_all` everybody hangs up too.
    pub(crate) fn cool_off(&self, pause: Duration, close_all: bool) {
        let until = Instant::now() + pause;
        let mut not_before = self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        *not_before = Some(not_before.map_or(until, |held| held.max(until)));
        drop(not_before);
        if close_all {
            self.close_all.send_modify(|epoch| *epoch += 1);
        }
    }

    /// When dialling is allowed again; `None` for at once.
    pub(crate) fn not_before(&self) -> Option<Instant> {
        *self.not_before.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes when everybody must hang up.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.close_all.subscribe()
    }
}
