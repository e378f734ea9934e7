//! The way into the lanes for tasks of the decision thread: sinks that cannot wait hand over to a task that can.

use scalper_decide::domain::broker::BrokerEvent;
use scalper_decide::domain::{Event, Tick};

use crate::actors::lanes::Lanes;
use crate::clock::SessionClock;

/// Puts events and ticks into the lanes, stamped with session time.
#[derive(Debug, Clone)]
pub struct Inbox {
    lanes: Lanes,
    clock: SessionClock,
}

impl Inbox {
    /// An inbox over these lanes.
    pub const fn new(lanes: Lanes, clock: SessionClock) -> Inbox {
        Inbox { lanes, clock }
    }

    /// Puts an event in. When its lane is full a task waits for room; nothing is dropped (G9).
    pub fn event(&self, event: Event) {
        let at = self.clock.now();
        if let Ok(Some(back)) = self.lanes.offer_event(at, Box::new(event)) {
            let lanes = self.lanes.clone();
            actix_rt::spawn(async move {
                let _ = lanes.event(at, *back).await;
            });
        }
    }

    /// Puts what the broker said in.
    pub fn broker(&self, said: BrokerEvent) {
        self.event(Event::Broker(said));
    }

    /// Puts a tick in; conflated when the engine is behind.
    pub fn tick(&self, tick: Tick) {
        // Conflating lanes always have room; lanes that do not conflate are made deep enough by who turns it off.
        let _ = self.lanes.offer_tick(tick);
    }
}
