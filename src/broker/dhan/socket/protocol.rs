//! What tells one kind of socket from another.

use std::collections::VecDeque;

use scalper_decide::domain::Instant;
use secrecy::SecretString;
use tokio_tungstenite::tungstenite::Message;

use super::super::credentials::Credentials;
use super::super::wire::disconnect::DisconnectReason;
use super::link::{Anomaly, LinkReport};
use super::subscriptions::Wanted;

/// What a message was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Received {
    /// It carried data.
    pub(crate) data: bool,
    /// A part of it could not be read.
    pub(crate) bad: bool,
    /// The server says goodbye.
    pub(crate) disconnect: Option<DisconnectReason>,
}

/// Instruments wanted, subscribed and seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    pub(crate) wanted: usize,
    pub(crate) sent: usize,
    pub(crate) confirmed: usize,
}

/// One dialect. The driver calls it in the task of the client; it hands events to the client's sink.
pub(crate) trait Protocol {
    /// The address with its query; holds the token.
    fn url(&self, base: &str, credentials: &Credentials) -> SecretString;
    /// A connection opened: nothing is subscribed on it. Queues what must be said first.
    fn opened(&mut self, credentials: &Credentials, out: &mut VecDeque<Message>);
    /// Brings the wire in step with the wanted set.
    fn want(&mut self, wanted: &Wanted, out: &mut VecDeque<Message>);
    /// Says everything again (A4).
    fn repeat(&mut self, out: &mut VecDeque<Message>);
    /// What to say before closing.
    fn farewell(&self) -> Option<Message>;
    /// Whether a connection has a purpose with this set.
    fn needs_link(&self, wanted: &Wanted) -> bool;
    /// Whether data must come over it while the session is open.
    fn awaits_data(&self) -> bool {
        true
    }
    /// A text or binary message.
    fn received(&mut self, at: Instant, message: &Message) -> Received;
    /// Instruments wanted, subscribed and seen.
    fn counts(&self) -> Counts;
    /// The state changed.
    fn link(&mut self, report: &LinkReport);
    /// Something odd happened.
    fn odd(&mut self, anomaly: Anomaly);
}
