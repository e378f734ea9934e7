//! Faults of sockets, on the path of real messages: what is lost, late, twice, swapped or garbled, and what happens to
//! the connection itself (dhan-v2.md 15, simulator checklist 8).

use std::time::Duration;

use scalper_decide::domain::{Age, Instant as SessionInstant};

use super::Kind;
use super::outbox::{Body, Item};

/// What happens to a connection. Counts are of messages yet to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SocketFault {
    /// The next messages are lost.
    Drop(u32),
    /// The next messages come twice.
    Duplicate(u32),
    /// The next messages come after the one behind them, or after a moment when there is none.
    Swap(u32),
    /// The next messages arrive damaged.
    Garble(u32),
    /// Every message waits so long, wall time; zero ends it.
    Delay(Duration),
    /// These bytes are sent as a binary message: unknown codes, foreign packets.
    Inject(Vec<u8>),
    /// Nothing is read or written any more, what comes up meanwhile is lost, and TCP stays open: half-open.
    HalfOpen,
    /// Nothing is read or written; what comes up meanwhile waits for [`SocketFault::Release`].
    Stall,
    /// Data stops, pings are answered and sent: silence with an open socket. What comes up meanwhile is lost.
    Silence,
    /// Ends half-open, stalls and silence. What waited is written at once.
    Release,
    /// TCP reset, no goodbye.
    Reset,
    /// A proper close without a reason.
    Close,
    /// The broker's goodbye with a reason, then a close. The order-update socket has none and is closed.
    Disconnect(u16),
}

/// A message that is about to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content<'a> {
    /// Packets, back to back.
    Packets(&'a [u8]),
    /// A frame of order updates.
    Text(&'a str),
}

/// What becomes of one message, or of its connection when it is about to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageFate {
    /// It is lost.
    Lost,
    /// It comes twice.
    Twice,
    /// It comes after the one behind it, or after a moment when there is none.
    Behind,
    /// It arrives damaged.
    Garbled,
    /// It comes so much later, session time; those behind it do not wait.
    Later(Age),
    /// Other packets in its place.
    Packets(Vec<u8>),
    /// Another frame in its place.
    Text(String),
    /// It comes after these packets.
    After(Vec<u8>),
    /// It is glued to the next message.
    Glued,
    /// The connection suffers this for so long, session time, beginning with this message.
    For(SocketFault, Age),
    /// The connection ends.
    End(SocketFault),
}

/// How a connecting client is sent away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// This HTTP status in place of the upgrade.
    Status(u16),
    /// The upgrade, and the goodbye with this reason.
    Goodbye(u16),
}

/// Decides what goes wrong with messages and with new connections.
pub trait MessageFaults: Send + Sync {
    /// What becomes of a message that is about to be written; `None` = it goes on.
    fn message(&self, kind: Kind, now: SessionInstant, content: Content<'_>) -> Option<MessageFate>;
    /// Whether a connecting client is sent away.
    fn connection(&self, kind: Kind, now: SessionInstant) -> Option<Refusal>;
}

/// Nothing goes wrong.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoMessageFaults;

impl MessageFaults for NoMessageFaults {
    fn message(&self, _: Kind, _: SessionInstant, _: Content<'_>) -> Option<MessageFate> {
        None
    }
    fn connection(&self, _: Kind, _: SessionInstant) -> Option<Refusal> {
        None
    }
}

/// Which open connections a fault is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Target {
    /// Of this kind; `None` = of every kind.
    pub kind: Option<Kind>,
    /// Only this one of them, oldest first, from 0.
    pub nth: Option<usize>,
}

/// After this long without a next message a swapped one is written all the same.
pub(super) const SWAP_PATIENCE: Duration = Duration::from_millis(200);

/// What damages messages on their way.
#[derive(Debug, Default)]
pub(super) struct Mangler {
    drop: u32,
    duplicate: u32,
    swap: u32,
    garble: u32,
    held: Option<Item>,
}

fn spend(count: &mut u32) -> bool {
    let any = *count > 0;
    *count = count.saturating_sub(1);
    any
}

impl Mangler {
    /// Notes a fault of messages; `false` when it is none of those.
    pub(super) fn set(&mut self, fault: &SocketFault) -> bool {
        match fault {
            SocketFault::Drop(n) => self.drop = *n,
            SocketFault::Duplicate(n) => self.duplicate = *n,
            SocketFault::Swap(n) => self.swap = *n,
            SocketFault::Garble(n) => self.garble = *n,
            _ => return false,
        }
        true
    }

    /// Passes one message on as what becomes of it.
    pub(super) fn pass(&mut self, item: Item, out: &mut Vec<Item>) {
        if spend(&mut self.drop) {
            return;
        }
        let item = if spend(&mut self.garble) { garbled(item) } else { item };
        let twice = spend(&mut self.duplicate);
        if self.held.is_none() && spend(&mut self.swap) {
            self.held = Some(item.clone());
            if twice {
                out.push(item);
            }
            return;
        }
        if twice {
            out.push(item.clone());
        }
        out.push(item);
        out.extend(self.held.take());
    }

    pub(super) const fn holds(&self) -> bool {
        self.held.is_some()
    }

    pub(super) const fn release(&mut self) -> Option<Item> {
        self.held.take()
    }
}

/// Binary: header and every seventh byte are wrong. Text: it ends in the middle.
pub(super) fn garbled(item: Item) -> Item {
    let body = match item.body {
        Body::Packets(mut bytes) => {
            for (n, byte) in bytes.iter_mut().enumerate() {
                if n < 3 || n % 7 == 0 {
                    *byte ^= 0xa5;
                }
            }
            Body::Packets(bytes)
        }
        Body::Text(text) => {
            let middle = (0..=text.len() / 2).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            Body::Text(text[..middle].to_owned())
        }
    };
    Item { body, packets: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::dhan::wire::packet::packets;

    fn run(faults: &[SocketFault], texts: &[&str]) -> Vec<String> {
        let mut mangler = Mangler::default();
        for fault in faults {
            assert!(mangler.set(fault));
        }
        let mut out = Vec::new();
        for text in texts {
            mangler.pass(Item { body: Body::Text((*text).to_owned()), packets: 0 }, &mut out);
        }
        out.extend(mangler.release());
        out.into_iter().map(|item| if let Body::Text(text) = item.body { text } else { panic!() }).collect()
    }

    #[test]
    fn without_faults_nothing_changes_and_each_fault_does_what_it_says() {
        use SocketFault::*;
        let abc = ["aa", "bb", "cc"];
        assert_eq!(run(&[], &abc), abc);
        assert_eq!(run(&[Drop(1)], &abc), ["bb", "cc"]);
        assert_eq!(run(&[Duplicate(1)], &abc), ["aa", "aa", "bb", "cc"]);
        assert_eq!(run(&[Swap(1)], &abc), ["bb", "aa", "cc"]);
        assert_eq!(run(&[Swap(5)], &["aa"]), ["aa"], "never lost");
        assert_eq!(run(&[Garble(2)], &abc), ["a", "b", "cc"]);
        assert_eq!(run(&[Drop(1), Duplicate(1)], &abc), ["bb", "bb", "cc"]);
        assert!(!Mangler::default().set(&Reset));
    }

    #[test]
    fn a_garbled_packet_cannot_be_read() {
        let mut bytes = crate::simulator::sockets::packets::disconnect(805, false);
        bytes.extend([0; 152]);
        let Body::Packets(bytes) = garbled(Item { body: Body::Packets(bytes), packets: 1 }).body else { panic!() };
        assert!(packets(&bytes).any(|packet| packet.is_err()));
    }
}
