//! Ticks on their way to one subscriber. One who reads too slowly gets the last tick of each instrument, as the
//! broker's own feed does (dhan-v2.md 1.6); turns of the day are never left out.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use tokio::sync::Notify;

use super::Seen;
use crate::simulator::session::Notice;

/// Items that wait before any are left out. A stream of more instruments than half of it waits for twice as many.
const FULL: usize = 8_192;

/// What a feed hears.
#[derive(Debug, Clone, PartialEq)]
pub enum FeedItem {
    /// A tick.
    Tick(Arc<Seen>),
    /// A turn of the day. After [`Notice::DayBegan`] other instruments may be listed.
    Notice(Notice),
}

/// The queue of one subscriber.
pub(super) struct Queue {
    state: Mutex<State>,
    ready: Notify,
}

struct State {
    items: VecDeque<FeedItem>,
    full: usize,
    left_out: u64,
    is_closed: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing here panics")
    }

    pub(super) fn push(&self, item: FeedItem) {
        let mut state = self.lock();
        state.items.push_back(item);
        if state.items.len() >= state.full {
            state.conflate();
        }
        drop(state);
        self.ready.notify_one();
    }

    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.ready.notify_one();
    }
}

impl State {
    /// Keeps the last tick of each instrument.
    fn conflate(&mut self) {
        let before = self.items.len();
        let mut known = BTreeSet::new();
        let mut kept: VecDeque<FeedItem> = VecDeque::new();
        while let Some(item) = self.items.pop_back() {
            let keeps = match &item {
                FeedItem::Tick(seen) => known.insert(seen.key),
                FeedItem::Notice(_) => true,
            };
            if keeps {
                kept.push_front(item);
            }
        }
        self.left_out += (before - kept.len()) as u64;
        self.full = FULL.max(kept.len() * 2);
        self.items = kept;
    }
}

/// Ticks and turns of the day for one subscriber. Dropping it ends the subscription.
pub struct TickStream(Arc<Queue>);

impl TickStream {
    pub(super) fn new() -> (TickStream, Weak<Queue>) {
        let state = State { items: VecDeque::new(), full: FULL, left_out: 0, is_closed: false };
        let queue = Arc::new(Queue { state: Mutex::new(state), ready: Notify::new() });
        let weak = Arc::downgrade(&queue);
        (TickStream(queue), weak)
    }

    /// Waits for the next item; `None` when the desk is gone and nothing is left. May be dropped while it waits.
    pub async fn next(&mut self) -> Option<FeedItem> {
        loop {
            {
                let mut state = self.0.lock();
                if let Some(item) = state.items.pop_front() {
                    return Some(item);
                }
                if state.is_closed {
                    return None;
                }
            }
            self.0.ready.notified().await;
        }
    }

    /// The next item if there is one now.
    pub fn try_next(&mut self) -> Option<FeedItem> {
        self.0.lock().items.pop_front()
    }

    /// Ticks left out so far because a later one of the same instrument was there.
    pub fn left_out(&self) -> u64 {
        self.0.lock().left_out
    }
}

#[cfg(test)]
mod tests {
    use scalper_decide::domain::{Instant, Segment};

    use super::*;
    use crate::simulator::answers::Quote;

    fn item(security_id: u32, last_price: i64) -> FeedItem {
        let quote = Quote { security_id, last_price, ..Quote::default() };
        FeedItem::Tick(Arc::new(Seen { key: (Segment::NseFno, security_id), tick: None, quote }))
    }

    #[test]
    fn a_slow_reader_gets_the_last_tick_of_each_instrument_and_every_turn_of_the_day() {
        let (mut stream, queue) = TickStream::new();
        let queue = queue.upgrade().unwrap();
        queue.push(FeedItem::Notice(Notice::Opened { at: Instant::from_secs(1) }));
        for price in 1..FULL as i64 {
            queue.push(item((price % 3) as u32 + 1, price));
        }
        assert_eq!(stream.left_out(), FULL as u64 - 4);
        let got: Vec<_> = std::iter::from_fn(|| stream.try_next()).collect();
        let last = FULL as i64 - 1;
        let prices: Vec<_> = (last - 2..=last).map(|price| item((price % 3) as u32 + 1, price)).collect();
        assert!(matches!(got[0], FeedItem::Notice(Notice::Opened { .. })));
        assert_eq!(got[1..], prices[..]);
    }
}
