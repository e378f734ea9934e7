//! The dialect of the 20-level depth feed (dhan-v2.md 2).

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

use scalper_decide::domain::{Instant, Segment};
use secrecy::{ExposeSecret, SecretString};
use tokio_tungstenite::tungstenite::Message;

use super::super::credentials::Credentials;
use super::super::socket::{Anomaly, Counts, LinkReport, Protocol, Received, Subscriptions, Wanted, with_query};
use super::super::wire::depth::{DepthBody, DepthPacket, depth_packets};
use super::super::wire::disconnect::DisconnectReason;
use super::super::wire::request::{self, Key};
use super::{DepthBook, DepthEvent};

pub(super) struct DepthProtocol<'s, S> {
    socket: usize,
    sink: &'s RefCell<S>,
    subscriptions: Subscriptions,
    wanted: Wanted,
    /// Books of wanted contracts only, so the wire cannot make it grow.
    books: BTreeMap<Key, DepthBook>,
}

impl<'s, S: FnMut(DepthEvent<'_>)> DepthProtocol<'s, S> {
    pub(super) fn new(socket: usize, per_message: usize, sink: &'s RefCell<S>) -> DepthProtocol<'s, S> {
        let subscriptions = Subscriptions::new(per_message);
        DepthProtocol { socket, sink, subscriptions, wanted: Wanted::new(), books: BTreeMap::new() }
    }

    fn tell(&self, event: DepthEvent<'_>) {
        (self.sink.borrow_mut())(event);
    }

    fn packet(&mut self, at: Instant, packet: &DepthPacket, received: &mut Received) {
        let (side, levels) = match &packet.body {
            DepthBody::Levels(side, levels) => (*side, levels),
            DepthBody::Disconnect(reason) => {
                // A reason beyond 16 bits is one nobody documented.
                received.disconnect = Some(DisconnectReason(u16::try_from(*reason).unwrap_or(u16::MAX)));
                return;
            }
            DepthBody::Unknown(_) => return,
        };
        received.data = true;
        self.subscriptions.confirm(packet.segment, packet.security_id);
        let key = Segment::from_code(packet.segment).map(|segment| (segment, packet.security_id));
        let Some(key) = key.filter(|key| self.wanted.contains_key(key)) else { return };
        let book = self.books.entry(key).or_default();
        match book.apply(side, levels, at) {
            Ok(()) => {
                (self.sink.borrow_mut())(DepthEvent::Book { socket: self.socket, at, key, book });
            }
            Err(fault) => {
                received.bad = true;
                self.odd(Anomaly::BadFrame(fault.to_string()));
            }
        }
    }
}

impl<S: FnMut(DepthEvent<'_>)> Protocol for DepthProtocol<'_, S> {
    fn url(&self, base: &str, credentials: &Credentials) -> SecretString {
        let token = credentials.token.expose_secret();
        with_query(base, &[("token", token), ("clientId", credentials.client_id.as_str()), ("authType", "2")])
    }

    fn opened(&mut self, _: &Credentials, _: &mut VecDeque<Message>) {
        self.subscriptions.forget();
        // What was seen on another connection is history.
        self.books.clear();
    }

    fn want(&mut self, wanted: &Wanted, out: &mut VecDeque<Message>) {
        self.books.retain(|key, _| wanted.contains_key(key));
        self.wanted.clone_from(wanted);
        self.subscriptions.want(wanted, out);
    }

    fn repeat(&mut self, out: &mut VecDeque<Message>) {
        self.subscriptions.repeat(out);
    }

    fn farewell(&self) -> Option<Message> {
        Some(Message::text(request::disconnect()))
    }

    fn needs_link(&self, wanted: &Wanted) -> bool {
        !wanted.is_empty()
    }

    fn received(&mut self, at: Instant, message: &Message) -> Received {
        let mut received = Received::default();
        let Message::Binary(bytes) = message else {
            self.odd(Anomaly::UnexpectedFrame);
            return received;
        };
        for packet in depth_packets(bytes) {
            match packet {
                Ok(packet) => self.packet(at, &packet, &mut received),
                Err(error) => {
                    received.bad = true;
                    self.odd(Anomaly::BadFrame(error.to_string()));
                }
            }
        }
        if let Some(reason) = received.disconnect {
            self.tell(DepthEvent::Disconnect { socket: self.socket, reason });
        }
        received
    }

    fn counts(&self) -> Counts {
        self.subscriptions.counts(self.wanted.len())
    }

    fn link(&mut self, report: &LinkReport) {
        self.tell(DepthEvent::State { socket: self.socket, report });
    }

    fn odd(&mut self, anomaly: Anomaly) {
        self.tell(DepthEvent::Anomaly { socket: self.socket, anomaly });
    }
}
