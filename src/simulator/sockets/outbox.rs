//! What waits to be written to one connection. Market data of a slow reader is conflated, the newest packets of each
//! instrument are what it gets (dhan-v2.md 1.6); order updates are never left out, a reader too slow for them is cut
//! off instead.

use std::collections::{HashMap, VecDeque};

use crate::simulator::market::Key;

/// One thing to send, before faults and coalescing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    /// The message.
    pub(super) body: Body,
    /// Packets in it.
    pub(super) packets: u32,
}

/// A message's bytes or text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Body {
    /// Whole packets, back to back.
    Packets(Vec<u8>),
    /// A frame of the order-update socket.
    Text(String),
}

/// The queue is full and nothing in it may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Overflow;

#[derive(Debug)]
pub(super) struct Outbox {
    items: VecDeque<Item>,
    /// Number of the item in front.
    front: u64,
    newest: HashMap<Key, u64>,
    conflate_from: usize,
    updates: usize,
}

impl Outbox {
    /// `conflate_from`: items that wait before instruments are conflated; `updates`: order updates that may wait.
    pub(super) fn new(conflate_from: usize, updates: usize) -> Outbox {
        Outbox { items: VecDeque::new(), front: 0, newest: HashMap::new(), conflate_from, updates }
    }

    /// Queues the packets of an instrument; returns how many older ones they took the place of.
    pub(super) fn push_data(&mut self, key: Key, bytes: Vec<u8>, packets: u32) -> u32 {
        let item = Item { body: Body::Packets(bytes), packets };
        if self.items.len() >= self.conflate_from
            && let Some(at) = self.newest.get(&key).and_then(|number| number.checked_sub(self.front))
        {
            let old = std::mem::replace(&mut self.items[at as usize], item);
            return old.packets;
        }
        self.newest.insert(key, self.front + self.items.len() as u64);
        self.items.push_back(item);
        0
    }

    /// Queues packets that belong to no stream of ticks.
    pub(super) fn push_packets(&mut self, bytes: Vec<u8>, packets: u32) {
        self.items.push_back(Item { body: Body::Packets(bytes), packets });
    }

    /// Queues an order update.
    pub(super) fn push_update(&mut self, text: String) -> Result<(), Overflow> {
        if self.items.len() >= self.updates {
            return Err(Overflow);
        }
        self.items.push_back(Item { body: Body::Text(text), packets: 0 });
        Ok(())
    }

    pub(super) fn pop(&mut self) -> Option<Item> {
        let item = self.items.pop_front()?;
        self.front += 1;
        Some(item)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Forgets everything that waits.
    pub(super) fn clear(&mut self) {
        self.front += self.items.len() as u64;
        self.items.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use scalper_decide::domain::Segment;

    use super::*;

    fn key(id: u32) -> Key {
        (Segment::NseFno, id)
    }

    #[test]
    fn an_update_too_many_is_an_overflow_and_none_before_it_is_lost() {
        let mut outbox = Outbox::new(0, 2);
        assert_eq!(outbox.push_update("a".into()), Ok(()));
        assert_eq!(outbox.push_update("b".into()), Ok(()));
        assert_eq!(outbox.push_update("c".into()), Err(Overflow));
        let texts: Vec<Body> = std::iter::from_fn(|| outbox.pop()).map(|item| item.body).collect();
        assert_eq!(texts, [Body::Text("a".into()), Body::Text("b".into())]);
    }

    proptest! {
        #[test]
        fn a_slow_reader_ends_with_the_newest_of_every_instrument_and_a_fast_one_misses_nothing(
            steps in prop::collection::vec(prop::option::weighted(0.8, 0u32..5), 0..200),
            conflate_from in 0usize..20,
        ) {
            let mut outbox = Outbox::new(conflate_from, 1);
            let (mut pushed, mut read) = (Vec::new(), Vec::new());
            let mut left_out = 0;
            for (n, step) in steps.into_iter().enumerate() {
                match step {
                    Some(id) => {
                        let stamp = vec![id as u8, n as u8];
                        left_out += outbox.push_data(key(id), stamp.clone(), 1);
                        pushed.push(stamp);
                    }
                    None => read.extend(outbox.pop()),
                }
                prop_assert!(outbox.items.len() <= conflate_from.max(5) + 5);
            }
            read.extend(std::iter::from_fn(|| outbox.pop()));
            prop_assert_eq!(read.len() + left_out as usize, pushed.len());
            for id in 0..5u8 {
                let last = pushed.iter().rev().find(|stamp| stamp[0] == id).cloned().map(Body::Packets);
                let own = |b: &&Body| matches!(b, Body::Packets(s) if s[0] == id);
                prop_assert_eq!(read.iter().rev().map(|i| &i.body).find(own).cloned(), last);
            }
            if left_out == 0 {
                let all: Vec<Body> = pushed.into_iter().map(Body::Packets).collect();
                prop_assert_eq!(read.into_iter().map(|i| i.body).collect::<Vec<_>>(), all);
            }
        }
    }
}
