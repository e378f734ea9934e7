//! Health and metrics over HTTP: who may read what, and under which name (S1, S2, S3, S12).

use metrics_exporter_prometheus::PrometheusBuilder;
use scalper::api::limits::Rates;
use scalper::api::server::{self, HttpError};
use scalper::api::state::{ApiState, SharedShelf};
use scalper::api::tokens::Tokens;
use scalper::clock::SessionClock;
use scalper::engine::handle::EngineHandle;
use scalper::engine::status::{Mode, Status};
use scalper_decide::domain::Instant;

use super::{Rig, raw};

#[actix_web::test]
async fn health_needs_a_token_healthz_does_not_and_strange_names_are_turned_away() {
    let rig = Rig::new().await;
    let healthz = rig.get("/healthz", "").await;
    assert_eq!((healthz.status, healthz.body.as_str()), (200, ""));
    for path in ["/health", "/metrics"] {
        for token in ["", "wrong", &rig.first[..63]] {
            let answer = rig.get(path, token).await;
            answer.is_problem(401, "UNAUTHENTICATED");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
        // The token of before there were roles goes on.
        for token in [&rig.first, &rig.read] {
            let answer = rig.get(path, token).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            assert!(answer.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
            assert!(answer.header("access-control-allow-origin").is_none());
        }
    }
    let metrics = rig.get("/metrics", &rig.first).await.body;
    assert!(metrics.contains("scalper_feed_age_seconds 5"), "{metrics}");
    assert!(metrics.contains("scalper_ready{for=\"entries\"} 0"), "{metrics}");
    let host = rig.address.to_string();
    for name in ["evil.example", "localhost.evil.com", &format!("{host}."), "127.0.0.1", "user@127.0.0.1:1", ""] {
        let request = format!("GET /healthz HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n");
        raw(rig.address, &request).await.is_problem(421, "WRONG_HOST");
    }
    let localhost = format!("localhost:{}", rig.address.port());
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {localhost}\r\nConnection: close\r\n\r\n");
    assert_eq!(raw(rig.address, &request).await.status, 200);

    // The feed falls silent: the same request says so.
    rig.clock.drive(Instant::from_secs(1_006));
    assert_eq!(rig.get("/healthz", "").await.status, 503);
    // After hours nothing is to be heard.
    rig.status.send_modify(|status| std::sync::Arc::make_mut(status).session_open = false);
    assert_eq!(rig.get("/healthz", "").await.status, 200);
    rig.end().await;
}

#[actix_web::test]
async fn an_address_beyond_loopback_needs_a_name_and_a_taken_port_is_refused() {
    // S1, K17
    let dir = tempfile::tempdir().unwrap();
    let clock = SessionClock::driven(Instant::from_secs(1));
    let (tokens, _) = Tokens::open(dir.path(), false, clock.now()).unwrap();
    let (engine, _status, _asked) = EngineHandle::new(Status::starting(Mode::Sim, "v", "h", clock.now()));
    let metrics = PrometheusBuilder::new().build_recorder().handle();
    let state = ApiState::new(engine, clock, tokens, metrics, SharedShelf::default(), Rates::times(1.0));
    let outside = server::serve("0.0.0.0:0".parse().unwrap(), &[], state.clone());
    assert!(matches!(outside, Err(HttpError::NotLoopback(_))));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let Err(refused) = server::serve(taken.local_addr().unwrap(), &[], state.clone()) else { panic!("it is taken") };
    assert!(refused.to_string().contains("--listen"), "{refused}");
    // With a name it listens, and answers to that name and to loopback's only.
    let named = ["desk.example".to_owned()];
    let (address, server) = server::serve("0.0.0.0:0".parse().unwrap(), &named, state).unwrap();
    let here = format!("127.0.0.1:{}", address.port()).parse().unwrap();
    for (name, status) in [("desk.example", 503), ("0.0.0.0", 421), ("desk.example:1", 421)] {
        let answer = raw(here, &format!("GET /healthz HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n")).await;
        assert_eq!(answer.status, status, "{name}");
    }
    server.stop(true).await;
}
