//! Faults of sockets, on the path of real messages: what is lost, late, twice, swapped or garbled, and what happens to
//! the connection itself (dhan-v2.md 15, simulator checklist 8).

use std::time::Duration;

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
fn garbled(item: Item) -> Item {
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
