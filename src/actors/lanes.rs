//! The bounded queue before the hub (G9, G10, I28).
//!
//! Two lanes. Order events, timers, commands and everything else that happens once stand in the first: it is drained
//! first, loses nothing, and holds its producers back when it is full. Ticks stand in the second: when it is backlogged
//! a newer tick takes the place of the one its instrument already has there, before anything is stamped, and is counted.
//! Conflation can be switched off; then a full tick lane holds the feed back as well (parity runs, design 13).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use scalper_decide::domain::{Event, Instant, Tick};
use tokio::sync::{Notify, watch};

/// How much each lane may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneLimits {
    /// Events that are not ticks; a producer waits beyond it.
    pub events: usize,
    /// Ticks up to which every tick is kept. Conflating, the lane then holds at most this many and one per instrument;
    /// otherwise the feed waits.
    pub ticks: usize,
    /// Whether backlogged ticks are conflated.
    pub conflate: bool,
}

impl Default for LaneLimits {
    fn default() -> LaneLimits {
        LaneLimits { events: 1024, ticks: 1024, conflate: true }
    }
}

/// How full the lane of events is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pressure {
    /// Under half.
    Normal,
    /// Half full or more: an alarm.
    Alarm,
    /// 80 % full or more: no new entries.
    HaltEntries,
}

/// What comes out of the lanes.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Anything that happens once, with the time it happened.
    Event {
        /// Time to stamp it with.
        at: Instant,
        /// What happened.
        event: Box<Event>,
    },
    /// The market moved; stamped with its receive time.
    Tick(Tick),
}

impl Input {
    /// Time to stamp it with.
    pub const fn at(&self) -> Instant {
        match self {
            Input::Event { at, .. } => *at,
            Input::Tick(tick) => tick.received_at,
        }
    }
}

/// What went in and out so far (I28).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LaneCounts {
    /// Events taken in.
    pub events_in: u64,
    /// Events given out.
    pub events_out: u64,
    /// Ticks taken in.
    pub ticks_in: u64,
    /// Ticks given out.
    pub ticks_out: u64,
    /// Ticks that were replaced by a newer one before they were stamped.
    pub conflated: u64,
    /// Events waiting.
    pub events_waiting: usize,
    /// Ticks waiting.
    pub ticks_waiting: usize,
}

/// The lanes were closed: nothing is taken in any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the engine takes nothing in any more")]
pub struct Closed;

#[derive(Debug)]
struct Queues {
    events: VecDeque<(Instant, Box<Event>)>,
    ticks: VecDeque<Tick>,
    /// Ticks given out since the beginning: the place of the first waiting one.
    first_tick: u64,
    /// By slot: one past the place of the newest waiting tick of an instrument, 0 for none.
    newest: Vec<u64>,
    counts: LaneCounts,
    is_closed: bool,
}

#[derive(Debug)]
struct Shared {
    limits: LaneLimits,
    queues: Mutex<Queues>,
    arrived: Notify,
    event_room: Notify,
    tick_room: Notify,
    pressure: watch::Sender<Pressure>,
}

/// The queue before the hub. Clones share it; any thread may put in, one consumer takes out.
#[derive(Debug, Clone)]
pub struct Lanes(Arc<Shared>);

impl Lanes {
    /// Empty lanes.
    pub fn new(limits: LaneLimits) -> Lanes {
        let queues = Queues {
            events: VecDeque::with_capacity(limits.events),
            ticks: VecDeque::with_capacity(limits.ticks),
            first_tick: 0,
            newest: Vec::new(),
            counts: LaneCounts::default(),
            is_closed: false,
        };
        Lanes(Arc::new(Shared {
            limits,
            queues: Mutex::new(queues),
            arrived: Notify::new(),
            event_room: Notify::new(),
            tick_room: Notify::new(),
            pressure: watch::Sender::new(Pressure::Normal),
        }))
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.0.queues.lock().expect("no panic happens under this lock")
    }

    /// Puts an event in; waits while its lane is full.
    ///
    /// # Errors
    /// [`Closed`] when nothing is taken in any more.
    pub async fn event(&self, at: Instant, event: Event) -> Result<(), Closed> {
        let mut event = Box::new(event);
        loop {
            let room = self.0.event_room.notified();
            match self.offer_event(at, event)? {
                None => return Ok(()),
                Some(back) => event = back,
            }
            room.await;
        }
    }

    /// Puts an event in if there is room; gives it back if not.
    ///
    /// # Errors
    /// [`Closed`] when nothing is taken in any more.
    pub fn offer_event(&self, at: Instant, event: Box<Event>) -> Result<Option<Box<Event>>, Closed> {
        let mut queues = self.queues();
        if queues.is_closed {
            return Err(Closed);
        }
        if queues.events.len() >= self.0.limits.events {
            return Ok(Some(event));
        }
        queues.events.push_back((at, event));
        queues.counts.events_in += 1;
        let waiting = queues.events.len();
        drop(queues);
        self.feel(waiting);
        self.0.arrived.notify_one();
        Ok(None)
    }

    /// Puts a tick in; waits only while its lane is full and conflation is off.
    ///
    /// # Errors
    /// [`Closed`] when nothing is taken in any more.
    pub async fn tick(&self, tick: Tick) -> Result<(), Closed> {
        loop {
            let room = self.0.tick_room.notified();
            if self.offer_tick(tick)? {
                return Ok(());
            }
            room.await;
        }
    }

    /// Puts a tick in; `false` when its lane is full and conflation is off.
    ///
    /// # Errors
    /// [`Closed`] when nothing is taken in any more.
    pub fn offer_tick(&self, tick: Tick) -> Result<bool, Closed> {
        let limits = self.0.limits;
        let mut queues = self.queues();
        if queues.is_closed {
            return Err(Closed);
        }
        let slot = tick.instrument.slot();
        if queues.newest.len() <= slot {
            queues.newest.resize(slot + 1, 0);
        }
        if queues.ticks.len() >= limits.ticks {
            if !limits.conflate {
                return Ok(false);
            }
            let newest = queues.newest[slot];
            if newest > queues.first_tick {
                let place = usize::try_from(newest - 1 - queues.first_tick).expect("a place in the queue");
                queues.ticks[place] = tick;
                queues.counts.ticks_in += 1;
                queues.counts.conflated += 1;
                return Ok(true);
            }
        }
        queues.ticks.push_back(tick);
        queues.counts.ticks_in += 1;
        queues.newest[slot] = queues.first_tick + queues.ticks.len() as u64;
        let was_empty = queues.ticks.len() == 1;
        drop(queues);
        if was_empty {
            self.0.arrived.notify_one();
        }
        Ok(true)
    }

    /// Takes the next input out, events first; waits for one. `None` when the lanes are closed and empty.
    pub async fn next(&self) -> Option<Input> {
        loop {
            let arrived = self.0.arrived.notified();
            if let Some(input) = self.take() {
                return Some(input);
            }
            if self.queues().is_closed {
                return self.take();
            }
            arrived.await;
        }
    }

    /// Takes the next input out if there is one, events first.
    #[inline]
    pub fn take(&self) -> Option<Input> {
        let mut queues = self.queues();
        if let Some((at, event)) = queues.events.pop_front() {
            queues.counts.events_out += 1;
            let waiting = queues.events.len();
            drop(queues);
            self.feel(waiting);
            self.0.event_room.notify_one();
            return Some(Input::Event { at, event });
        }
        let tick = queues.ticks.pop_front()?;
        queues.first_tick += 1;
        queues.counts.ticks_out += 1;
        drop(queues);
        if !self.0.limits.conflate {
            self.0.tick_room.notify_one();
        }
        Some(Input::Tick(tick))
    }

    /// Takes nothing in any more; what waits can still be taken out.
    pub fn close(&self) {
        self.queues().is_closed = true;
        self.0.arrived.notify_one();
        self.0.event_room.notify_waiters();
        self.0.tick_room.notify_waiters();
    }

    fn feel(&self, waiting: usize) {
        let limit = self.0.limits.events;
        let pressure = if waiting * 10 >= limit * 8 {
            Pressure::HaltEntries
        } else if waiting * 2 >= limit {
            Pressure::Alarm
        } else {
            Pressure::Normal
        };
        self.0.pressure.send_if_modified(|held| std::mem::replace(held, pressure) != pressure);
    }

    /// How full the lane of events is, now and whenever it changes: at [`Pressure::Alarm`] somebody is told, at
    /// [`Pressure::HaltEntries`] entries stop.
    pub fn pressure(&self) -> watch::Receiver<Pressure> {
        self.0.pressure.subscribe()
    }

    /// What went in and out so far.
    pub fn counts(&self) -> LaneCounts {
        let queues = self.queues();
        LaneCounts { events_waiting: queues.events.len(), ticks_waiting: queues.ticks.len(), ..queues.counts }
    }

    /// Whether anything waits.
    pub fn is_waiting(&self) -> bool {
        let queues = self.queues();
        !queues.events.is_empty() || !queues.ticks.is_empty()
    }

    /// Time of the oldest waiting event and of the oldest waiting tick: their ages are the backlog by class (G10).
    pub fn oldest(&self) -> (Option<Instant>, Option<Instant>) {
        let queues = self.queues();
        (queues.events.front().map(|(at, _)| *at), queues.ticks.front().map(|tick| tick.received_at))
    }
}

#[cfg(test)]
mod tests;
