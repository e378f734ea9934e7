//! The dialect of the order-update socket (dhan-v2.md 3).

use std::cell::RefCell;
use std::collections::VecDeque;

use scalper_decide::domain::Instant;
use secrecy::{ExposeSecret, SecretString};
use tokio_tungstenite::tungstenite::Message;

use super::super::credentials::Credentials;
use super::super::socket::{Anomaly, Counts, LinkReport, Protocol, Received, Wanted};
use super::super::wire::login::login_frame;
use super::super::wire::order_alert::parse_alert;
use super::{OrderUpdateEvent, is_up};

pub(super) struct OrderUpdateProtocol<'s, S> {
    sink: &'s RefCell<S>,
    up: bool,
}

impl<'s, S: FnMut(OrderUpdateEvent<'_>)> OrderUpdateProtocol<'s, S> {
    pub(super) const fn new(sink: &'s RefCell<S>) -> OrderUpdateProtocol<'s, S> {
        OrderUpdateProtocol { sink, up: false }
    }

    fn tell(&self, event: OrderUpdateEvent<'_>) {
        (self.sink.borrow_mut())(event);
    }

    fn unreadable(&self, at: Instant, order_no: Option<&str>, error: &dyn std::error::Error) -> Received {
        self.tell(OrderUpdateEvent::Unreadable { at, order_no, what: error.to_string() });
        Received { bad: true, ..Received::default() }
    }
}

impl<S: FnMut(OrderUpdateEvent<'_>)> Protocol for OrderUpdateProtocol<'_, S> {
    fn url(&self, base: &str, _: &Credentials) -> SecretString {
        base.into()
    }

    fn opened(&mut self, credentials: &Credentials, out: &mut VecDeque<Message>) {
        out.push_back(Message::text(login_frame(credentials).expose_secret()));
    }

    fn want(&mut self, _: &Wanted, _: &mut VecDeque<Message>) {}

    fn repeat(&mut self, _: &mut VecDeque<Message>) {}

    fn farewell(&self) -> Option<Message> {
        None
    }

    fn needs_link(&self, _: &Wanted) -> bool {
        true
    }

    fn received(&mut self, at: Instant, message: &Message) -> Received {
        let Message::Text(text) = message else {
            self.odd(Anomaly::UnexpectedFrame);
            return Received::default();
        };
        match parse_alert(text) {
            // Login acknowledgements and whatever else is no order.
            Ok(None) => Received::default(),
            Ok(Some(alert)) => match alert.update() {
                Ok(update) => {
                    // An update proves the link better than any pong.
                    self.come_up();
                    self.tell(OrderUpdateEvent::Update { at, update: &update });
                    Received { data: true, ..Received::default() }
                }
                Err(error) => {
                    let order_no = Some(alert.order_no.as_str()).filter(|no| !no.is_empty());
                    self.unreadable(at, order_no, &error)
                }
            },
            Err(error) => self.unreadable(at, None, &error),
        }
    }

    fn counts(&self) -> Counts {
        Counts::default()
    }

    fn link(&mut self, report: &LinkReport) {
        self.tell(OrderUpdateEvent::State { report });
        if is_up(report.state) {
            self.come_up();
        } else if self.up {
            self.up = false;
            self.tell(OrderUpdateEvent::Link { up: false });
        }
    }

    fn odd(&mut self, anomaly: Anomaly) {
        self.tell(OrderUpdateEvent::Anomaly { anomaly });
    }
}

impl<S: FnMut(OrderUpdateEvent<'_>)> OrderUpdateProtocol<'_, S> {
    fn come_up(&mut self) {
        if !self.up {
            self.up = true;
            self.tell(OrderUpdateEvent::Link { up: true });
        }
    }
}
