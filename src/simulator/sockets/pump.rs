//! From the desk to the connections, and the pace of the market.
//!
//! With a clock that runs by itself the desk lives as the clock goes. With a driven clock the [`Conductor`] moves it
//! from one thing that happens to the next, as fast as everybody has read what was sent: first every connection's
//! queue must be written out, then - if somebody in this process acknowledges - everything written must be
//! acknowledged. A client that says how far it has come is waited for at every time its own timers want.

use std::sync::Arc;

use scalper_decide::domain::Instant;
use tokio::sync::{mpsc, watch};

use super::hub::Hub;
use crate::simulator::desk::{MarketBroken, TickStream};
use crate::simulator::oms::order::Update;

/// How much a client in this process has seen; compare [`super::Totals`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Acknowledged {
    /// Packets.
    pub packets: u64,
    /// Order updates.
    pub updates: u64,
    /// Session time up to which the client has done everything it had to do, its calls answered; `None` from a client
    /// that only reads.
    pub until: Option<Instant>,
    /// When the client wants to do something by itself next: a driven clock stops there too.
    pub wakes: Option<Instant>,
}

/// Brings everything from the desk to the connections, and moves a driven clock.
pub struct Conductor {
    hub: Arc<Hub>,
    ticks: TickStream,
    updates: mpsc::UnboundedReceiver<Update>,
    acknowledged: Option<watch::Receiver<Acknowledged>>,
}

impl Conductor {
    /// Hears the desk from now on. With `acknowledged` a driven clock waits for it.
    pub fn new(hub: Arc<Hub>, acknowledged: Option<watch::Receiver<Acknowledged>>) -> Conductor {
        let (ticks, updates) = (hub.desk.subscribe_ticks(), hub.desk.subscribe_updates());
        Conductor { hub, ticks, updates, acknowledged }
    }

    /// Runs beside a clock that runs by itself; never ends before the desk does.
    ///
    /// # Errors
    /// The market is broken.
    pub async fn follow(mut self) -> Result<(), MarketBroken> {
        let desk = self.hub.desk.clone();
        let live = tokio::spawn(async move { desk.run().await });
        tokio::pin!(live);
        loop {
            self.drain();
            tokio::select! {
                biased;
                ended = &mut live => {
                    ended.expect("the desk does not panic")?;
                    self.drain();
                    break;
                }
                () = self.hear() => {}
            }
        }
        // The market is over; clients may still look at what is left.
        loop {
            self.hear().await;
        }
    }

    /// Moves a driven clock to `end`, or through the last thing that happens when the market ends before; returns when
    /// everything is written.
    ///
    /// # Errors
    /// The market is broken.
    pub async fn conduct(&mut self, end: Instant) -> Result<(), MarketBroken> {
        let desk = self.hub.desk.clone();
        loop {
            self.settle().await;
            let market = desk.next_at();
            if market == Instant::MAX && end == Instant::MAX {
                return Ok(());
            }
            let at = self.next_timer().map_or(market, |timer| timer.min(market));
            let is_last = at > end || at == Instant::MAX;
            desk.clock().drive(at.min(end));
            desk.step()?;
            self.drain();
            if is_last {
                self.settle().await;
                return Ok(());
            }
            // Requests of clients get their turn between two instants.
            tokio::task::yield_now().await;
        }
    }

    /// When the client that says how far it has come wants to do something by itself.
    fn next_timer(&self) -> Option<Instant> {
        let told = *self.acknowledged.as_ref()?.borrow();
        told.wakes.filter(|wakes| *wakes > self.hub.desk.clock().now())
    }

    /// Hands out what comes up while nothing moves the clock; never ends.
    pub async fn idle(&mut self) {
        loop {
            self.drain();
            self.hear().await;
        }
    }

    /// Waits until everything is written and, when somebody acknowledges, acknowledged.
    async fn settle(&mut self) {
        loop {
            self.drain();
            if self.hub.is_drained() && self.is_acknowledged() {
                return;
            }
            let hub = Arc::clone(&self.hub);
            let mut acknowledged = self.acknowledged.clone();
            let moved = async {
                match &mut acknowledged {
                    // A reader that is gone is an event as well: it is waited for no longer.
                    Some(reader) => drop(reader.changed().await),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = hub.drained.notified() => {}
                () = moved => {}
                () = self.hear() => {}
            }
        }
    }

    fn is_acknowledged(&mut self) -> bool {
        let Some(reader) = &mut self.acknowledged else { return true };
        let (seen, totals) = (*reader.borrow_and_update(), self.hub.counters().totals());
        if reader.has_changed().is_err() {
            self.acknowledged = None;
            return true;
        }
        let is_there = seen.until.is_none_or(|until| until >= self.hub.desk.clock().now());
        is_there && seen.packets >= totals.packets_out && seen.updates >= totals.updates_out
    }

    /// Hands out everything that is there now, updates first.
    fn drain(&mut self) {
        while let Ok(update) = self.updates.try_recv() {
            self.hub.tell_update(&update);
        }
        while let Some(item) = self.ticks.try_next() {
            self.hub.tell(&item);
        }
    }

    /// Waits for one thing and hands it out.
    async fn hear(&mut self) {
        tokio::select! {
            biased;
            Some(update) = self.updates.recv() => self.hub.tell_update(&update),
            item = self.ticks.next() => match item {
                Some(item) => self.hub.tell(&item),
                None => std::future::pending().await,
            },
        }
    }
}
