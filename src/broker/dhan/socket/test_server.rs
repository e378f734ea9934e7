//! A small WebSocket server on loopback, and a clock that moves only when a test says so.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request as Upgrade, Response};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

use super::super::credentials::Credentials;
use super::super::wire::request::{Request, parse_request};

/// Keeps paused time from moving by itself while tests wait for real sockets; dropped with the test.
pub(crate) struct StillTime(#[allow(dead_code, reason = "held for its drop")] std::sync::mpsc::Sender<()>);

impl StillTime {
    pub(crate) fn new() -> StillTime {
        let (held, released) = std::sync::mpsc::channel::<()>();
        // Paused time does not advance by itself while a blocking task runs.
        tokio::task::spawn_blocking(move || {
            let _ = released.recv();
        });
        StillTime(held)
    }

    /// Moves time.
    #[allow(clippy::unused_self, reason = "only who holds time may move it")]
    pub(crate) async fn pass(&self, time: Duration) {
        tokio::time::advance(time).await;
    }
}

/// Credentials as a watched value.
pub(crate) fn credentials(token: &str) -> watch::Sender<Option<Credentials>> {
    watch::Sender::new(Some(some(token)))
}

pub(crate) fn some(token: &str) -> Credentials {
    Credentials { client_id: "1000000001".to_owned(), token: token.into() }
}

pub(crate) struct TestServer {
    pub(crate) url: String,
    accepted: mpsc::UnboundedReceiver<Connection>,
    refusals: Arc<Mutex<VecDeque<u16>>>,
    refused: mpsc::UnboundedReceiver<u16>,
}

/// One accepted connection. Nothing is read or answered, pings included, unless the test asks.
pub(crate) struct Connection {
    /// Path and query of the upgrade.
    pub(crate) target: String,
    ws: WebSocketStream<TcpStream>,
}

impl TestServer {
    pub(crate) async fn start() -> TestServer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let (accepted_tx, accepted) = mpsc::unbounded_channel();
        let (refused_tx, refused) = mpsc::unbounded_channel();
        let refusals = Arc::new(Mutex::new(VecDeque::new()));
        let next_refusal = Arc::clone(&refusals);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                let refusal: Option<u16> = next_refusal.lock().unwrap().pop_front();
                let mut target = String::new();
                #[allow(clippy::result_large_err, reason = "the callback's type")]
                let callback = |upgrade: &Upgrade, response: Response| match refusal {
                    Some(status) => {
                        let mut refused = ErrorResponse::new(None);
                        *refused.status_mut() = status.try_into().unwrap();
                        Err(refused)
                    }
                    None => {
                        target = upgrade.uri().to_string();
                        Ok(response)
                    }
                };
                match accept_hdr_async(stream, callback).await {
                    Ok(ws) => drop(accepted_tx.send(Connection { target, ws })),
                    Err(_) => drop(refused_tx.send(refusal.unwrap_or(0))),
                }
            }
        });
        TestServer { url, accepted, refusals, refused }
    }

    /// The next connection.
    pub(crate) async fn connection(&mut self) -> Connection {
        self.accepted.recv().await.unwrap()
    }

    /// Whether a connection waits to be taken.
    pub(crate) fn has_connection(&mut self) -> bool {
        !self.accepted.is_empty()
    }

    /// Answers the next upgrade with this status.
    pub(crate) fn refuse_next(&self, status: u16) {
        self.refusals.lock().unwrap().push_back(status);
    }

    /// The next refused upgrade.
    pub(crate) async fn refused(&mut self) -> u16 {
        self.refused.recv().await.unwrap()
    }
}

impl Connection {
    /// The next message that is no ping (pings are answered on the way).
    pub(crate) async fn message(&mut self) -> Message {
        loop {
            match self.ws.next().await.expect("the client is there").expect("and speaks the protocol") {
                Message::Ping(_) | Message::Pong(_) => {}
                message => return message,
            }
        }
    }

    /// The next request.
    pub(crate) async fn request(&mut self) -> Request {
        let message = self.message().await;
        parse_request(message.to_text().unwrap()).unwrap_or_else(|error| panic!("{error}: {message}"))
    }

    /// Reads up to the next ping and answers it.
    pub(crate) async fn answer_ping(&mut self) {
        while !matches!(self.ws.next().await.unwrap().unwrap(), Message::Ping(_)) {}
        self.ws.flush().await.unwrap();
    }

    pub(crate) async fn send(&mut self, bytes: Vec<u8>) {
        self.ws.send(Message::binary(bytes)).await.unwrap();
    }

    pub(crate) async fn send_text(&mut self, text: &str) {
        self.ws.send(Message::text(text)).await.unwrap();
    }

    /// Closes properly.
    pub(crate) async fn close(mut self) {
        self.ws.close(None).await.unwrap();
        while let Some(Ok(_)) = self.ws.next().await {}
    }

    /// Resets the connection without a close frame.
    pub(crate) fn reset(self) {
        self.ws.get_ref().set_zero_linger().unwrap();
    }

    /// Whether the client hung up, properly or not; what it said before is skipped.
    pub(crate) async fn is_over(&mut self) -> bool {
        while let Some(message) = self.ws.next().await {
            if matches!(message, Err(_) | Ok(Message::Close(_))) {
                break;
            }
        }
        true
    }
}
