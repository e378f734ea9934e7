//! A plan as messages: at most so many instruments each, spread over time, never above a limit on the way.

use std::collections::BTreeMap;

use scalper_decide::domain::Age;
use serde::Serialize;

use super::plan::{Plan, What};
use super::want::{FeedMode, Limits, Placed, SocketId};
use crate::market::Key;

/// What a message does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Takes back.
    Unsubscribe,
    /// Asks for.
    Subscribe,
}

/// One message to one socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// When it may leave, counted from the first one.
    pub after: Age,
    /// To which socket.
    pub socket: SocketId,
    /// What it does.
    pub action: Action,
    /// In which mode.
    pub mode: FeedMode,
    /// For which instruments.
    pub keys: Vec<Key>,
}

impl Plan {
    /// The messages that carry it out, in the order of leaving. Everything is taken back before anything is asked for:
    /// the broker counts what it has, and one above its limit costs the connection (reason 804). A socket that is down
    /// has forgotten everything and is told nothing.
    pub fn messages(&self, limits: &Limits) -> Vec<Message> {
        type Lists = BTreeMap<(SocketId, FeedMode), Vec<Key>>;
        let (mut off, mut on): (Lists, Lists) = Default::default();
        let list = |lists: &mut Lists, at: Placed, key: Key| lists.entry((at.socket, at.mode)).or_default().push(key);
        for change in &self.changes {
            match change.what {
                What::Add(to) => list(&mut on, to, change.key),
                What::Remove(from) => list(&mut off, from, change.key),
                What::Move { from, to } | What::Mode { from, to } => {
                    list(&mut off, from, change.key);
                    list(&mut on, to, change.key);
                }
            }
        }
        off.retain(|(socket, _), _| self.loads.contains_key(socket));
        let mut messages = Vec::new();
        let mut begin = 0;
        for (action, lists) in [(Action::Unsubscribe, off), (Action::Subscribe, on)] {
            let mut slots: BTreeMap<SocketId, u32> = BTreeMap::new();
            for ((socket, mode), keys) in lists {
                for part in keys.chunks(limits.per_message.max(1)) {
                    let slot = slots.entry(socket).or_insert(begin);
                    let after =
                        Age::from_millis(i64::from(*slot) * 1_000 / i64::from(limits.messages_per_second.max(1)));
                    *slot += 1;
                    messages.push(Message { after, socket, action, mode, keys: part.to_vec() });
                }
            }
            begin = slots.values().copied().max().unwrap_or(begin);
        }
        messages.sort_by_key(|m| (m.after, m.action, m.socket));
        messages
    }
}
