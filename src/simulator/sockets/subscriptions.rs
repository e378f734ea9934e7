//! What one feed or depth connection has asked for, as a state machine without a network (dhan-v2.md 1.2, 2.2;
//! simulator checklist 1 and 6).

use std::collections::BTreeMap;

use scalper_decide::domain::{Instant, Segment};

use super::Kind;
use crate::broker::dhan::wire::request::{Mode, Request, RequestedInstrument, parse_request};
use crate::simulator::limits::FeedLimits;
use crate::simulator::market::Key;

/// Modes one instrument is subscribed in. Whether a second mode replaces the first is undocumented; here it adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Modes(u8);

impl Modes {
    const ALL: [Mode; 4] = [Mode::Ticker, Mode::Quote, Mode::Full, Mode::Depth];

    const fn bit(mode: Mode) -> u8 {
        1 << mode as u8
    }
    pub(super) fn iter(self) -> impl Iterator<Item = Mode> {
        Self::ALL.into_iter().filter(move |mode| self.0 & Self::bit(*mode) != 0)
    }
}

/// One instrument of a connection.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Entry {
    pub(super) modes: Modes,
    /// Ticks up to here were in the snapshot that greeted the subscription.
    pub(super) told_until: Option<Instant>,
}

/// What a text did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    /// Nothing: the broker answers no nonsense.
    Nothing,
    /// These instruments want a greeting.
    Subscribed(Vec<Key>),
    /// The client says goodbye.
    Goodbye,
    /// The connection must end with 804.
    TooMany,
}

/// The subscriptions of one connection.
#[derive(Debug, Default)]
pub(super) struct Subscriptions(BTreeMap<Key, Entry>);

impl Subscriptions {
    /// Takes a text frame.
    pub(super) fn hear(&mut self, kind: Kind, text: &str, connection: u64, limits: &mut FeedLimits) -> Heard {
        match parse_request(text) {
            Ok(Request::Disconnect) => Heard::Goodbye,
            Ok(Request::Subscribe(mode, list)) if kind.offers(mode) => {
                self.subscribe(mode, list, connection, limits).map_or(Heard::TooMany, Heard::Subscribed)
            }
            Ok(Request::Unsubscribe(mode, list)) if kind.offers(mode) => {
                for key in list.iter().filter_map(RequestedInstrument::key) {
                    if let Some(entry) = self.0.get_mut(&key) {
                        entry.modes.0 &= !Modes::bit(mode);
                    }
                }
                self.0.retain(|_, entry| entry.modes.0 != 0);
                Heard::Nothing
            }
            Ok(_) | Err(_) => Heard::Nothing,
        }
    }

    fn subscribe(
        &mut self,
        mode: Mode,
        mut list: Vec<RequestedInstrument>,
        connection: u64,
        limits: &mut FeedLimits,
    ) -> Option<Vec<Key>> {
        let named = list.len();
        if !limits.long_message_ends {
            list.truncate(limits.per_message);
        }
        let offered = |key: &Key| mode != Mode::Depth || matches!(key.0, Segment::NseEq | Segment::NseFno);
        let keys: Vec<Key> = list.iter().filter_map(RequestedInstrument::key).filter(offered).collect();
        let mut new = keys.clone();
        new.sort_unstable();
        new.dedup();
        new.retain(|key| !self.0.contains_key(key));
        limits.subscribe(connection, named, self.0.len() + new.len()).ok()?;
        for key in &keys {
            self.0.entry(*key).or_default().modes.0 |= Modes::bit(mode);
        }
        Some(keys)
    }

    pub(super) fn get(&self, key: Key) -> Option<&Entry> {
        self.0.get(&key)
    }
    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Entry> {
        self.0.get_mut(&key)
    }
    /// Instruments and their modes.
    pub(super) fn all(&self) -> impl Iterator<Item = (Key, Mode)> + '_ {
        self.0.iter().flat_map(|(key, entry)| entry.modes.iter().map(|mode| (*key, mode)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::broker::dhan::wire::request;

    fn hear(subscriptions: &mut Subscriptions, limits: &mut FeedLimits, text: &str) -> Heard {
        subscriptions.hear(Kind::Feed, text, 1, limits)
    }

    fn keys(ids: std::ops::Range<u32>) -> BTreeSet<Key> {
        ids.map(|id| (Segment::NseFno, id)).collect()
    }

    #[test]
    fn ids_may_be_numbers_and_a_second_mode_adds_to_the_first() {
        let (mut held, mut limits) = (Subscriptions::default(), FeedLimits::default());
        let text = r#"{"RequestCode": 15, "InstrumentList": [{"SecurityId": 13, "ExchangeSegment": "IDX_I"}]}"#;
        let nifty = (Segment::IdxI, 13);
        assert_eq!(hear(&mut held, &mut limits, text), Heard::Subscribed(vec![nifty]));
        hear(&mut held, &mut limits, &text.replace("15", "21").replace(": 13", r#": "13""#));
        assert_eq!(held.all().collect::<Vec<_>>(), [(nifty, Mode::Ticker), (nifty, Mode::Full)]);
        hear(&mut held, &mut limits, &text.replace("15", "16"));
        assert_eq!(held.all().collect::<Vec<_>>(), [(nifty, Mode::Full)]);
        assert_eq!(hear(&mut held, &mut limits, r#"{"RequestCode":12}"#), Heard::Goodbye);
        for nonsense in ["", "hello", r#"{"RequestCode":19}"#, r#"{"RequestCode":15}"#] {
            assert_eq!(hear(&mut held, &mut limits, nonsense), Heard::Nothing);
        }
    }

    #[test]
    fn more_than_a_hundred_in_a_message_end_the_connection_or_are_left_out() {
        // A19, checklist 6.
        let text = &request::subscribe_in(Mode::Quote, &keys(0..101), 500)[0];
        let (mut held, mut limits) = (Subscriptions::default(), FeedLimits::default());
        assert_eq!(hear(&mut held, &mut limits, text), Heard::TooMany);
        limits.long_message_ends = false;
        let Heard::Subscribed(counted) = hear(&mut held, &mut limits, text) else { panic!() };
        assert_eq!((counted.len(), held.all().count()), (100, 100));
    }

    #[test]
    fn the_5001st_instrument_ends_the_connection() {
        let (mut held, mut limits) = (Subscriptions::default(), FeedLimits::default());
        for text in request::subscribe(Mode::Ticker, &keys(0..5_000)) {
            assert!(matches!(hear(&mut held, &mut limits, &text), Heard::Subscribed(_)));
        }
        let again = &request::subscribe(Mode::Full, &keys(0..100))[0];
        assert!(matches!(hear(&mut held, &mut limits, again), Heard::Subscribed(_)), "the same instruments");
        assert_eq!(
            hear(&mut held, &mut limits, &request::subscribe(Mode::Full, &keys(9_000..9_001))[0]),
            Heard::TooMany
        );
    }

    #[test]
    fn depth_is_for_nse_on_its_own_socket() {
        let (mut held, mut limits) = (Subscriptions::default(), FeedLimits::depth());
        let both = BTreeSet::from([(Segment::NseFno, 1), (Segment::BseFno, 2)]);
        let text = &request::subscribe(Mode::Depth, &both)[0];
        assert_eq!(held.hear(Kind::Feed, text, 1, &mut limits), Heard::Nothing);
        let nse = (Segment::NseFno, 1);
        assert_eq!(held.hear(Kind::Depth, text, 1, &mut limits), Heard::Subscribed(vec![nse]));
    }

    proptest! {
        #[test]
        fn what_is_held_is_what_was_asked_less_what_was_given_back(
            steps in prop::collection::vec((any::<bool>(), 0usize..3, 0u32..30, 1u32..30), 1..20),
        ) {
            let (mut held, mut limits) = (Subscriptions::default(), FeedLimits::default());
            let mut model = BTreeSet::new();
            for (is_on, mode, from, many) in steps {
                let (mode, keys) = (Modes::ALL[mode], keys(from..from + many));
                let write = if is_on { request::subscribe } else { request::unsubscribe };
                for text in write(mode, &keys) {
                    hear(&mut held, &mut limits, &text);
                }
                for key in keys {
                    if is_on { model.insert((key, mode)); } else { model.remove(&(key, mode)); }
                }
            }
            prop_assert_eq!(held.all().collect::<BTreeSet<_>>(), model);
        }
    }
}
