//! The dialect of the market feed (dhan-v2.md 1).

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use scalper_decide::domain::Instant;
use secrecy::{ExposeSecret, SecretString};
use tokio_tungstenite::tungstenite::Message;

use super::super::credentials::Credentials;
use super::super::socket::{Anomaly, Counts, LinkReport, Protocol, Received, Subscriptions, Wanted, with_query};
use super::super::wire::disconnect::DisconnectReason;
use super::super::wire::packet::{Body, Packet, packets};
use super::super::wire::request;
use super::FeedEvent;

/// Packets of one event: bounds the buffer whatever a message holds.
const BATCH: usize = 256;

pub(super) struct FeedProtocol<'s, S> {
    socket: usize,
    /// Connected even while it carries nothing.
    open: Arc<AtomicBool>,
    sink: &'s RefCell<S>,
    subscriptions: Subscriptions,
    wanted: usize,
    batch: Vec<Packet>,
}

impl<'s, S: FnMut(FeedEvent<'_>)> FeedProtocol<'s, S> {
    pub(super) fn new(
        socket: usize,
        per_message: usize,
        open: Arc<AtomicBool>,
        sink: &'s RefCell<S>,
    ) -> FeedProtocol<'s, S> {
        let subscriptions = Subscriptions::new(per_message);
        FeedProtocol { socket, open, sink, subscriptions, wanted: 0, batch: Vec::with_capacity(BATCH) }
    }

    fn tell(&self, event: FeedEvent<'_>) {
        (self.sink.borrow_mut())(event);
    }

    fn flush(&mut self, at: Instant) {
        if !self.batch.is_empty() {
            self.tell(FeedEvent::Packets { socket: self.socket, at, packets: &self.batch });
            self.batch.clear();
        }
    }

    fn message(&mut self, at: Instant, bytes: &[u8]) -> Received {
        let mut received = Received::default();
        for packet in packets(bytes) {
            match packet {
                Ok(Packet { body: Body::Disconnect(reason), .. }) => {
                    received.disconnect = Some(DisconnectReason(reason));
                }
                Ok(packet) => {
                    // Codes without content (heartbeats, market status) are no sign that the market is seen.
                    if !matches!(packet.body, Body::Unknown(_) | Body::MarketStatus) {
                        received.data = true;
                        self.subscriptions.confirm(packet.segment, packet.security_id);
                    }
                    self.batch.push(packet);
                    if self.batch.len() == BATCH {
                        self.flush(at);
                    }
                }
                Err(error) => {
                    received.bad = true;
                    self.flush(at);
                    self.odd(Anomaly::BadFrame(error.to_string()));
                }
            }
        }
        self.flush(at);
        if let Some(reason) = received.disconnect {
            self.tell(FeedEvent::Disconnect { socket: self.socket, reason });
        }
        received
    }
}

impl<S: FnMut(FeedEvent<'_>)> Protocol for FeedProtocol<'_, S> {
    fn url(&self, base: &str, credentials: &Credentials) -> SecretString {
        let token = credentials.token.expose_secret();
        let client = credentials.client_id.as_str();
        with_query(base, &[("version", "2"), ("token", token), ("clientId", client), ("authType", "2")])
    }

    fn opened(&mut self, _: &Credentials, _: &mut VecDeque<Message>) {
        self.subscriptions.forget();
    }

    fn want(&mut self, wanted: &Wanted, out: &mut VecDeque<Message>) {
        self.wanted = wanted.len();
        self.subscriptions.want(wanted, out);
    }

    fn repeat(&mut self, out: &mut VecDeque<Message>) {
        self.subscriptions.repeat(out);
    }

    fn farewell(&self) -> Option<Message> {
        Some(Message::text(request::disconnect()))
    }

    fn needs_link(&self, wanted: &Wanted) -> bool {
        !wanted.is_empty() || self.open.load(Ordering::Acquire)
    }

    fn awaits_data(&self) -> bool {
        self.wanted > 0
    }

    fn received(&mut self, at: Instant, message: &Message) -> Received {
        if let Message::Binary(bytes) = message {
            return self.message(at, bytes);
        }
        self.odd(Anomaly::UnexpectedFrame);
        Received::default()
    }

    fn counts(&self) -> Counts {
        self.subscriptions.counts(self.wanted)
    }

    fn link(&mut self, report: &LinkReport) {
        self.tell(FeedEvent::State { socket: self.socket, report });
    }

    fn odd(&mut self, anomaly: Anomaly) {
        self.tell(FeedEvent::Anomaly { socket: self.socket, anomaly });
    }
}
