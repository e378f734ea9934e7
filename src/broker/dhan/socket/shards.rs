//! Which socket carries which instrument. An instrument stays where it is, so a change of the wanted set moves nothing
//! else.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use super::super::wire::request::Key;
use super::subscriptions::Wanted;

#[derive(Debug)]
pub(crate) struct Shards {
    per_socket: usize,
    places: BTreeMap<Key, usize>,
    loads: Vec<usize>,
}

impl Shards {
    pub(crate) fn new(sockets: usize, per_socket: usize) -> Shards {
        Shards { per_socket, places: BTreeMap::new(), loads: vec![0; sockets] }
    }

    /// One set per socket, and how many instruments found no room (A19).
    pub(crate) fn split(&mut self, wanted: &Wanted) -> (Vec<Wanted>, usize) {
        let loads = &mut self.loads;
        self.places.retain(|key, socket| {
            let stays = wanted.contains_key(key);
            loads[*socket] -= usize::from(!stays);
            stays
        });
        let mut sets = vec![Wanted::new(); self.loads.len()];
        let mut refused = 0;
        for (key, mode) in wanted {
            let place = self.places.get(key).copied().or_else(|| {
                let free = self.loads.iter().position(|load| *load < self.per_socket)?;
                self.loads[free] += 1;
                self.places.insert(*key, free);
                Some(free)
            });
            match place {
                Some(socket) => {
                    sets[socket].insert(*key, *mode);
                }
                None => refused += 1,
            }
        }
        (sets, refused)
    }
}

/// Gives every socket its set; a socket whose set stays the same is not woken.
pub(crate) fn hand_out(sockets: &[watch::Sender<Arc<Wanted>>], sets: Vec<Wanted>) {
    for (socket, set) in sockets.iter().zip(sets) {
        socket.send_if_modified(|held| {
            let differs = **held != set;
            if differs {
                *held = Arc::new(set);
            }
            differs
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::wire::request::Mode;
    use super::*;
    use proptest::prelude::*;
    use scalper_decide::domain::Segment;

    proptest! {
        #[test]
        fn every_instrument_is_on_one_socket_and_stays_there(
            steps in prop::collection::vec(prop::collection::btree_set(0u32..40, 0..40), 1..8),
        ) {
            // A19
            let mut shards = Shards::new(3, 10);
            let mut before: BTreeMap<Key, usize> = BTreeMap::new();
            for set in steps {
                let wanted: Wanted = set.iter().map(|id| ((Segment::NseFno, *id), Mode::Full)).collect();
                let (sets, refused) = shards.split(&wanted);
                prop_assert_eq!(refused, wanted.len().saturating_sub(30));
                prop_assert_eq!(sets.iter().map(Wanted::len).sum::<usize>() + refused, wanted.len());
                let mut now = BTreeMap::new();
                for (socket, set) in sets.iter().enumerate() {
                    prop_assert!(set.len() <= 10);
                    for key in set.keys() {
                        prop_assert!(now.insert(*key, socket).is_none());
                        prop_assert!(before.get(key).is_none_or(|was| *was == socket));
                    }
                }
                before = now;
            }
        }
    }
}
