//! The API as its callers meet it: a listener on loopback, bytes in and out, an engine that says yes to everything, and a
//! real database behind the audit trail.

mod cli;
mod commands;
mod document;
mod gate;
mod health;
mod reads;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};

use actix_web::dev::ServerHandle;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use scalper::api::limits::Rates;
use scalper::api::route::Role;
use scalper::api::server;
use scalper::api::state::{ApiState, SharedShelf, Shelf};
use scalper::api::tokens::{self, Tokens};
use scalper::clock::SessionClock;
use scalper::engine::bell::Bell;
use scalper::engine::handle::{Ask, EngineHandle, Outcome};
use scalper::engine::status::{Mode, Status};
use scalper::store::link::Readers;
use scalper::store::{Store, StoreOptions};
use scalper_decide::domain::Instant;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// An answer taken apart.
#[derive(Debug)]
struct Reply {
    status: u16,
    /// As they came, names in lower case.
    headers: Vec<(String, String)>,
    body: String,
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
    /// A refusal in the one form there is, with this status and code.
    #[track_caller]
    fn is_problem(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(
            (problem["status"].as_u64(), problem["code"].as_str()),
            (Some(status.into()), Some(code)),
            "{self:?}"
        );
    }
}

/// Sends raw bytes and returns the whole answer: a client library would not let the Host header lie.
async fn raw(address: SocketAddr, request: &str) -> Reply {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // A server that refuses early may have hung up before the last byte.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let text = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    Reply { status, headers: lines.filter_map(header).collect(), body: body.to_owned() }
}

/// The one registry of the process that runs these tests.
static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();

fn recorder() -> PrometheusHandle {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let _ = ::metrics::set_global_recorder(recorder);
    handle
}

/// A listener with everything behind it.
struct Rig {
    address: SocketAddr,
    server: ServerHandle,
    status: tokio::sync::watch::Sender<Arc<Status>>,
    asked: Arc<Mutex<Vec<String>>>,
    clock: SessionClock,
    dir: tempfile::TempDir,
    /// Taken by whoever closes it.
    store: Option<Store>,
    read: String,
    operate: String,
    admin: String,
    /// The token every folder has.
    first: String,
}

impl Rig {
    async fn new() -> Rig {
        Rig::with(Rates::times(1_000.0)).await
    }

    async fn with(rates: Rates) -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let clock = SessionClock::driven(Instant::from_secs(1_000));
        let mut status = Status::starting(Mode::Sim, "v", "hash", clock.now());
        status.ready.exits = true;
        status.session_open = true;
        status.feed.last_seen = Some(Instant::from_secs(995));
        status.day = Some(clock.now().ist_date());
        let (engine, status, mut asks) = EngineHandle::new(status);
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = asked.clone();
        actix_web::rt::spawn(async move {
            while let Some(ask) = asks.recv().await {
                let note = |text: String| {
                    let mut heard = heard.lock().unwrap();
                    heard.push(text);
                    Outcome::Done { text: format!("done {}", heard.len()) }
                };
                match ask {
                    Ask::Operate { command, actor, answer } => {
                        let _ = answer.send(note(format!("{actor}: {}", serde_json::to_string(&command).unwrap())));
                    }
                    Ask::Arm { phrase, actor, answer } => {
                        note(format!("{actor}: arm {phrase}"));
                        let _ = answer.send(Outcome::refused("WRONG_PHRASE", "type exactly: x"));
                    }
                    Ask::Stop { actor, answer } => drop(answer.send(note(format!("{actor}: stop")))),
                    Ask::Explain { what, answer } => {
                        let outcome = match what.as_str() {
                            "10:42" => Outcome::Done { text: "one\ntwo".to_owned() },
                            _ => Outcome::refused("NOTHING_THERE", "nothing is known"),
                        };
                        let _ = answer.send(outcome);
                    }
                    Ask::Examine { answer } => drop(answer.send(Vec::new())),
                    Ask::Configure { .. } => {}
                }
            }
        });
        let (tokens, first) = Tokens::open(dir.path(), false, clock.now()).unwrap();
        let token =
            |name: &str, role| tokens::create(dir.path(), name, role, clock.now()).unwrap().expose_secret().to_owned();
        let (read, operate, admin) =
            (token("reader", Role::Read), token("desk", Role::Operate), token("boss", Role::Admin));
        let metrics = METRICS.get_or_init(recorder).clone();
        let store = Store::open(&StoreOptions::in_folder(dir.path(), None)).await.unwrap();
        let shelf = SharedShelf::default();
        let state = ApiState::new(engine, clock.clone(), tokens, metrics, shelf.clone(), rates);
        let readers = Readers::new(store.url()).unwrap();
        shelf.store(Some(Arc::new(Shelf { readers, trail: store.trail(), bell: Bell::default() })));
        let (address, server) = server::serve("127.0.0.1:0".parse().unwrap(), &[], state).unwrap();
        let first = first.read.unwrap().expose_secret().to_owned();
        Rig { address, server, status, asked, clock, dir, store: Some(store), read, operate, admin, first }
    }

    /// One call; `headers` each end in `\r\n`.
    async fn call(&self, method: &str, path: &str, token: &str, headers: &str, body: &str) -> Reply {
        let auth = if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let host = self.address;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{auth}{length}{headers}\r\n{body}"
        );
        raw(self.address, &request).await
    }

    async fn get(&self, path: &str, token: &str) -> Reply {
        self.call("GET", path, token, "", "").await
    }

    /// A command with a key; `body` is JSON or nothing.
    async fn command(&self, path: &str, token: &str, key: &str, body: &str) -> Reply {
        let headers = format!("Idempotency-Key: {key}\r\nIf-Match: *\r\nContent-Type: application/json\r\n");
        self.call("POST", path, token, &headers, body).await
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    async fn end(mut self) {
        self.server.stop(true).await;
        if let Some(store) = self.store.take() {
            store.close().await;
        }
    }
}
