//! What is wanted against what was said on the wire (F-70): the difference is sent, everything again after a
//! reconnect, and only data confirms.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tokio_tungstenite::tungstenite::Message;

use super::super::wire::request::{self, Key, Mode};
use super::protocol::Counts;

/// Instruments and what is wanted of each.
pub type Wanted = BTreeMap<Key, Mode>;

#[derive(Debug)]
pub(crate) struct Subscriptions {
    sent: Wanted,
    /// Keys (segment code, token) without data since they were sent.
    unconfirmed: BTreeSet<(u8, u32)>,
    per_message: usize,
}

impl Subscriptions {
    pub(crate) const fn new(per_message: usize) -> Subscriptions {
        Subscriptions { sent: Wanted::new(), unconfirmed: BTreeSet::new(), per_message }
    }

    /// A new connection knows nothing.
    pub(crate) fn forget(&mut self) {
        self.sent.clear();
        self.unconfirmed.clear();
    }

    /// Queues what makes the wire equal to `wanted`; a changed mode is taken back before the new one is asked for.
    pub(crate) fn want(&mut self, wanted: &Wanted, out: &mut VecDeque<Message>) {
        let mut off: BTreeMap<Mode, BTreeSet<Key>> = BTreeMap::new();
        let mut on: BTreeMap<Mode, BTreeSet<Key>> = BTreeMap::new();
        for (key, mode) in &self.sent {
            if wanted.get(key) != Some(mode) {
                off.entry(*mode).or_default().insert(*key);
                self.unconfirmed.remove(&code(key));
            }
        }
        for (key, mode) in wanted {
            if self.sent.get(key) != Some(mode) {
                on.entry(*mode).or_default().insert(*key);
                self.unconfirmed.insert(code(key));
            }
        }
        for (mode, keys) in &off {
            out.extend(request::unsubscribe_in(*mode, keys, self.per_message).into_iter().map(Message::text));
        }
        for (mode, keys) in &on {
            out.extend(request::subscribe_in(*mode, keys, self.per_message).into_iter().map(Message::text));
        }
        self.sent.clone_from(wanted);
    }

    /// Queues every subscription again.
    pub(crate) fn repeat(&mut self, out: &mut VecDeque<Message>) {
        let sent = std::mem::take(&mut self.sent);
        self.want(&sent, out);
    }

    /// Data of an instrument arrived.
    pub(crate) fn confirm(&mut self, segment: u8, security_id: u32) {
        if !self.unconfirmed.is_empty() {
            self.unconfirmed.remove(&(segment, security_id));
        }
    }

    pub(crate) fn counts(&self, wanted: usize) -> Counts {
        Counts { wanted, sent: self.sent.len(), confirmed: self.sent.len() - self.unconfirmed.len() }
    }
}

fn code(key: &Key) -> (u8, u32) {
    (key.0.code(), key.1)
}

#[cfg(test)]
mod tests {
    use super::super::super::wire::request::{Request, parse_request};
    use super::*;
    use proptest::prelude::*;
    use scalper_decide::domain::Segment;

    /// What a server would have subscribed after the messages; panics where it would be told the same twice.
    fn serve(state: &mut BTreeMap<(Key, Mode), ()>, out: &mut VecDeque<Message>) {
        for message in out.drain(..) {
            match parse_request(message.to_text().unwrap()).unwrap() {
                Request::Subscribe(mode, list) => {
                    assert!(list.len() <= 100);
                    for one in list {
                        assert!(state.insert((one.key().unwrap(), mode), ()).is_none(), "subscribed twice: {one:?}");
                    }
                }
                Request::Unsubscribe(mode, list) => {
                    for one in list {
                        assert!(state.remove(&(one.key().unwrap(), mode)).is_some(), "was not subscribed: {one:?}");
                    }
                }
                Request::Disconnect => panic!("nobody asked for that"),
            }
        }
    }

    proptest! {
        #[test]
        fn the_wire_follows_any_sequence_of_wanted_sets_without_a_double_subscription(
            steps in prop::collection::vec(
                (prop::collection::btree_map(0u32..300, 0u8..3, 0..250), any::<bool>()), 1..6),
        ) {
            // F-70
            let mut subscriptions = Subscriptions::new(100);
            let (mut server, mut out) = (BTreeMap::new(), VecDeque::new());
            for (set, reconnects) in steps {
                if reconnects {
                    server.clear();
                    subscriptions.forget();
                }
                let wanted: Wanted = set
                    .into_iter()
                    .map(|(id, mode)| {
                        ((Segment::NseFno, id), [Mode::Ticker, Mode::Quote, Mode::Full][usize::from(mode)])
                    })
                    .collect();
                subscriptions.want(&wanted, &mut out);
                serve(&mut server, &mut out);
                let expected: Vec<_> = wanted.iter().map(|(key, mode)| (*key, *mode)).collect();
                prop_assert_eq!(server.keys().copied().collect::<Vec<_>>(), expected);
            }
        }
    }

    #[test]
    fn only_data_confirms_a_subscription() {
        let mut subscriptions = Subscriptions::new(100);
        let wanted = Wanted::from([((Segment::IdxI, 13), Mode::Ticker), ((Segment::NseFno, 5), Mode::Full)]);
        subscriptions.want(&wanted, &mut VecDeque::new());
        assert_eq!(subscriptions.counts(2), Counts { wanted: 2, sent: 2, confirmed: 0 });
        subscriptions.confirm(0, 13);
        subscriptions.confirm(2, 99);
        assert_eq!(subscriptions.counts(2).confirmed, 1);
        subscriptions.repeat(&mut VecDeque::new());
        assert_eq!(subscriptions.counts(2), Counts { wanted: 2, sent: 2, confirmed: 0 });
    }
}
