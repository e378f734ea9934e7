//! Watches the deciders from a thread of its own, by their progress (F-32, F-72, F-73, G5). A decider that owes work and
//! does not advance for two seconds takes entries off; after five the process must end, and restart is recovery.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Handler};

use super::pulse::{Pulse, Reading};
use super::shell::Beat;

/// How long a decider may owe work without advancing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// After this long entries go off.
    pub slow: Duration,
    /// After this long the process must end.
    pub stuck: Duration,
    /// How often signs of life are asked for and read.
    pub every: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { slow: Duration::from_secs(2), stuck: Duration::from_secs(5), every: Duration::from_millis(500) }
    }
}

/// What the supervisor found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// A decider stands still: no new entries until it advances.
    Slow {
        /// What it last said.
        reading: Reading,
        /// For how long.
        for_: Duration,
    },
    /// It advances again.
    Recovered {
        /// What it says now.
        reading: Reading,
    },
    /// It stood still for too long: the process must end.
    Stuck {
        /// What it last said.
        reading: Reading,
        /// For how long.
        for_: Duration,
    },
    /// It panicked: the process must end.
    Died {
        /// What it last said.
        reading: Reading,
    },
}

impl Finding {
    /// Whether the process must end.
    pub const fn is_fatal(&self) -> bool {
        matches!(self, Finding::Stuck { .. } | Finding::Died { .. })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Finding::Slow { reading, .. }
        | Finding::Recovered { reading }
        | Finding::Stuck { reading, .. }
        | Finding::Died { reading }) = self;
        let (name, seq, at) = (reading.name, reading.seq.0, reading.at.ist_time());
        match self {
            Finding::Slow { for_, .. } => write!(f, "{name} stands still for {for_:?} at event {seq} of {at}"),
            Finding::Recovered { .. } => write!(f, "{name} advances again at event {seq} of {at}"),
            Finding::Stuck { for_, .. } => write!(f, "{name} is stuck for {for_:?} at event {seq} of {at}"),
            Finding::Died { .. } => write!(f, "{name} died of a bug at event {seq} of {at}"),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Advancing,
    Slow,
    Gone,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    steps: u64,
    since: Duration,
    state: State,
}

/// Turns readings into findings; it has no clock of its own.
#[derive(Debug)]
pub struct Watch {
    limits: Limits,
    seen: Vec<Option<Seen>>,
}

impl Watch {
    /// A watch over `count` deciders.
    pub fn new(limits: Limits, count: usize) -> Watch {
        Watch { limits, seen: vec![None; count] }
    }

    /// Looks at the readings taken at `now`, in the same order every time.
    pub fn look(&mut self, now: Duration, readings: &[Reading]) -> Vec<Finding> {
        let limits = self.limits;
        let pairs = self.seen.iter_mut().zip(readings);
        pairs.filter_map(|(seen, reading)| judge(limits, now, seen, *reading)).collect()
    }
}

fn judge(limits: Limits, now: Duration, seen: &mut Option<Seen>, reading: Reading) -> Option<Finding> {
    let fresh = Seen { steps: reading.steps, since: now, state: State::Advancing };
    let last = seen.get_or_insert(fresh);
    if last.state == State::Gone {
        return None;
    }
    if reading.died {
        last.state = State::Gone;
        return Some(Finding::Died { reading });
    }
    if reading.steps != last.steps || !reading.owes {
        let was = std::mem::replace(last, fresh).state;
        return (was == State::Slow).then_some(Finding::Recovered { reading });
    }
    let for_ = now.saturating_sub(last.since);
    if for_ >= limits.stuck {
        last.state = State::Gone;
        return Some(Finding::Stuck { reading, for_ });
    }
    if for_ >= limits.slow && last.state == State::Advancing {
        last.state = State::Slow;
        return Some(Finding::Slow { reading, for_ });
    }
    None
}

/// Something the supervisor watches: a pulse, how to ask for a sign of life, and what else it may owe.
pub struct Watched {
    pulse: Arc<Pulse>,
    prod: Box<dyn Fn() + Send>,
    owes: Box<dyn Fn() -> bool + Send>,
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("pulse", &self.pulse).finish_non_exhaustive()
    }
}

impl Watched {
    /// A decider: it owes an answer to every sign of life asked for. One whose mailbox is closed has died.
    pub fn decider<A>(pulse: Arc<Pulse>, addr: Addr<A>) -> Watched
    where
        A: Actor + Handler<Beat>,
        A::Context: ToEnvelope<A, Beat>,
    {
        let asked = Arc::clone(&pulse);
        let prod = move || {
            asked.prod();
            // A full mailbox is no reason to insist: the question already in it will tell.
            if let Err(actix::prelude::SendError::Closed(_)) = addr.try_send(Beat) {
                asked.died();
            }
        };
        Watched { pulse, prod: Box::new(prod), owes: Box::new(|| false) }
    }

    /// Something that works off a queue: it owes work while `is_waiting` says so.
    pub fn worker(pulse: Arc<Pulse>, is_waiting: impl Fn() -> bool + Send + 'static) -> Watched {
        Watched { pulse, prod: Box::new(|| {}), owes: Box::new(is_waiting) }
    }

    fn read(&self) -> Reading {
        let reading = self.pulse.read();
        Reading { owes: reading.owes || (self.owes)(), ..reading }
    }
}

/// The watching thread. Dropping it ends the watch.
#[derive(Debug)]
pub struct Supervisor {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Supervisor {
    /// Starts watching. `on_finding` runs on the watching thread: it must not wait for a decider.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(
        limits: Limits,
        watched: Vec<Watched>,
        mut on_finding: impl FnMut(Finding) + Send + 'static,
    ) -> std::io::Result<Supervisor> {
        let (stop, stopped) = mpsc::channel();
        let mut watch = Watch::new(limits, watched.len());
        let thread = std::thread::Builder::new().name("supervisor".to_owned()).spawn(move || {
            let began = Instant::now();
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(limits.every) {
                let readings: Vec<Reading> = watched.iter().map(Watched::read).collect();
                watch.look(began.elapsed(), &readings).into_iter().for_each(&mut on_finding);
                for one in &watched {
                    (one.prod)();
                }
            }
        })?;
        Ok(Supervisor { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            // A panic of the watch itself was already reported by the panic hook.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
