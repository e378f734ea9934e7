//! Health and metrics over HTTP: who may read what, and under which name (S1, S2, S3, S12).

use std::net::SocketAddr;

use metrics_exporter_prometheus::PrometheusBuilder;
use scalper::clock::SessionClock;
use scalper::engine::handle::EngineHandle;
use scalper::engine::status::{Mode, Status};
use scalper::ops::api_token::ApiToken;
use scalper::ops::http::{self, HttpError, HttpState};
use scalper_decide::domain::Instant;
use secrecy::ExposeSecret as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Sends raw bytes and returns the whole answer: a client library would not let the Host header lie.
async fn raw(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(path: &str, host: &str, token: Option<&str>) -> String {
    let auth = token.map_or(String::new(), |token| format!("Authorization: Bearer {token}\r\n"));
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{auth}Connection: close\r\n\r\n")
}

#[actix_web::test]
async fn health_needs_the_token_healthz_does_not_and_strange_names_are_turned_away() {
    let dir = tempfile::tempdir().unwrap();
    let (token, shown) = ApiToken::open(dir.path()).unwrap();
    let shown = shown.unwrap();
    let secret = shown.expose_secret();
    let clock = SessionClock::driven(Instant::from_secs(1_000));
    let mut status = Status::starting(Mode::Sim, "v", "hash", clock.now());
    status.ready.exits = true;
    status.session_open = true;
    status.feed.last_seen = Some(Instant::from_secs(995));
    let mut after_hours = status.clone();
    after_hours.session_open = false;
    let (engine, status_of_engine, _asked) = EngineHandle::new(status);
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    let _ = ::metrics::set_global_recorder(recorder);
    let state = HttpState { engine, clock: clock.clone(), token, metrics, hosts: [].into() };
    let (address, handle) = http::serve("127.0.0.1:0".parse().unwrap(), state).unwrap();
    let host = format!("127.0.0.1:{}", address.port());

    let healthz = raw(address, &get("/healthz", &host, None)).await;
    assert!(healthz.starts_with("HTTP/1.1 200"), "{healthz}");
    assert!(healthz.ends_with("\r\n\r\n"), "no body: {healthz}");
    for path in ["/health", "/metrics"] {
        for token in [None, Some(""), Some("wrong"), Some(&secret[..63])] {
            let answer = raw(address, &get(path, &host, token)).await;
            assert!(answer.starts_with("HTTP/1.1 401"), "{path} {token:?}: {answer}");
        }
        let answer = raw(address, &get(path, &host, Some(secret))).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains("nosniff") && answer.contains("no-store") && answer.contains("default-src 'none'"));
        assert!(!answer.to_lowercase().contains("access-control-allow-origin"));
    }
    let metrics = raw(address, &get("/metrics", &host, Some(secret))).await;
    assert!(metrics.contains("scalper_feed_age_seconds 5"), "{metrics}");
    assert!(metrics.contains("scalper_ready{for=\"entries\"} 0"), "{metrics}");
    for name in ["evil.example", "localhost.evil.com", &format!("{host}."), "127.0.0.1", "user@127.0.0.1:1"] {
        let answer = raw(address, &get("/healthz", name, None)).await;
        assert!(answer.starts_with("HTTP/1.1 421"), "{name}: {answer}");
    }
    let localhost = format!("localhost:{}", address.port());
    assert!(raw(address, &get("/healthz", &localhost, None)).await.starts_with("HTTP/1.1 200"));

    // The feed falls silent: the same request says so.
    clock.drive(Instant::from_secs(1_006));
    assert!(raw(address, &get("/healthz", &host, None)).await.starts_with("HTTP/1.1 503"));
    // After hours nothing is to be heard.
    status_of_engine.send_replace(std::sync::Arc::new(after_hours));
    assert!(raw(address, &get("/healthz", &host, None)).await.starts_with("HTTP/1.1 200"));
    handle.stop(true).await;
}

#[actix_web::test]
async fn an_address_beyond_loopback_or_a_taken_port_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (token, _) = ApiToken::open(dir.path()).unwrap();
    let clock = SessionClock::driven(Instant::from_secs(1));
    let (engine, _status, _asked) = EngineHandle::new(Status::starting(Mode::Sim, "v", "h", clock.now()));
    let metrics = PrometheusBuilder::new().build_recorder().handle();
    let state = HttpState { engine, clock, token, metrics, hosts: [].into() };
    let outside = http::serve("0.0.0.0:0".parse().unwrap(), state.clone());
    assert!(matches!(outside, Err(HttpError::NotLoopback(_))));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = http::serve(taken.local_addr().unwrap(), state);
    let Err(refused) = refused else { panic!("the port is taken") };
    let text = refused.to_string();
    assert!(text.contains("--listen"), "{text}");
}
