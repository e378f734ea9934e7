//! Who is let in (S2 to S7, S10, S14, S15, S20; K1 to K5).

use scalper::api::limits::Rates;
use scalper::api::{endpoints, route::Role};

use super::{Rig, raw};

/// A path with something in the place of its parameters.
fn concrete(path: &str) -> String {
    path.replace("{id}", "1").replace("{name}", "nobody")
}

#[actix_web::test]
async fn every_endpoint_is_closed_without_a_token_and_for_every_role_below_its_own() {
    // S2, S20, K1: the table is walked, so a new endpoint is tested the day it is written.
    let rig = Rig::new().await;
    let all = endpoints();
    assert!(all.len() > 20, "{}", all.len());
    for endpoint in &all {
        let (method, path) = (endpoint.method.as_str(), concrete(&endpoint.path));
        for token in ["", "wrong"] {
            rig.call(method, &path, token, "", "").await.is_problem(401, "UNAUTHENTICATED");
        }
        for (role, token) in [(Role::Read, &rig.read), (Role::Operate, &rig.operate), (Role::Admin, &rig.admin)] {
            let answer = rig.call(method, &path, token, "", "").await;
            if role < endpoint.handler.role {
                answer.is_problem(403, "WRONG_ROLE");
            } else {
                assert!(![401, 403, 405].contains(&answer.status), "{path}: {answer:?}");
                assert!(!answer.body.contains("no such resource"), "{path}: {answer:?}");
            }
        }
    }
    assert!(rig.asked().is_empty(), "no state was changed without a key: {:?}", rig.asked());
    // What changes something is never open to a token that may only look.
    assert!(all.iter().all(|endpoint| endpoint.method == "GET" || endpoint.handler.role > Role::Read));
    rig.end().await;
}

#[actix_web::test]
async fn pages_of_other_origins_and_wrong_names_are_refused_before_anything_is_looked_at() {
    // K2, K3, S3, S4, S5, S6
    let rig = Rig::new().await;
    let key = "Idempotency-Key: k\r\n";
    for origin in ["http://evil.example", "null", &format!("http://127.0.0.1:{}", rig.address.port() ^ 1)] {
        let headers = format!("{key}Origin: {origin}\r\n");
        rig.call("POST", "/api/v2/control/halt", &rig.operate, &headers, "").await.is_problem(403, "CROSS_ORIGIN");
        rig.call("GET", "/api/v2/status", &rig.operate, &headers, "").await.is_problem(403, "CROSS_ORIGIN");
    }
    let headers = format!("{key}Sec-Fetch-Site: cross-site\r\n");
    rig.call("POST", "/api/v2/control/halt", &rig.operate, &headers, "").await.is_problem(403, "CROSS_ORIGIN");
    // A preflight gets nothing that a browser would take for leave.
    let preflight = "Origin: http://evil.example\r\nAccess-Control-Request-Method: POST\r\n";
    let answer = rig.call("OPTIONS", "/api/v2/control/halt", "", preflight, "").await;
    assert!(answer.status >= 400 && !answer.headers.iter().any(|(name, _)| name.starts_with("access-control")));
    let token = &rig.operate;
    for name in ["evil.example", "localhost.evil.com", "127.0.0.1"] {
        let request = format!(
            "POST /api/v2/control/halt HTTP/1.1\r\nHost: {name}\r\nAuthorization: Bearer {token}\r\n{key}Connection: close\r\n\r\n"
        );
        raw(rig.address, &request).await.is_problem(421, "WRONG_HOST");
    }
    // Two names, or another one in the address itself.
    let host = rig.address;
    let twice =
        format!("GET /api/v2/status HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
    assert!(raw(rig.address, &twice).await.status >= 400);
    let absolute = format!("GET http://evil.example/healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    raw(rig.address, &absolute).await.is_problem(421, "WRONG_HOST");
    assert!(rig.asked().is_empty(), "{:?}", rig.asked());
    // The same call from the page itself, and from no page, is carried out.
    let headers = format!("{key}Origin: http://{host}\r\nSec-Fetch-Site: same-origin\r\n");
    assert_eq!(rig.call("POST", "/api/v2/control/halt", &rig.operate, &headers, "").await.status, 200);
    rig.end().await;
}

#[actix_web::test]
async fn what_is_too_large_of_the_wrong_kind_or_nowhere_is_a_problem_of_its_own() {
    // S7, S14, S15, K5, K6
    let rig = Rig::new().await;
    let path = "/api/v2/control/pause";
    let key = "Idempotency-Key: k\r\n";
    let json = format!("{key}Content-Type: application/json\r\n");
    let large = format!("{{\"index\":\"{}\"}}", "x".repeat(70_000));
    rig.call("POST", path, &rig.operate, &json, &large).await.is_problem(413, "BODY_TOO_LARGE");
    let chunked = format!("{json}Transfer-Encoding: chunked\r\n");
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n{chunked}\r\n{:x}\r\n{large}\r\n0\r\n\r\n",
        rig.address,
        rig.operate,
        large.len()
    );
    raw(rig.address, &request).await.is_problem(413, "BODY_TOO_LARGE");
    let form = format!("{key}Content-Type: application/x-www-form-urlencoded\r\n");
    rig.call("POST", path, &rig.operate, &form, "index=NIFTY").await.is_problem(415, "NOT_JSON");
    let text = format!("{key}Content-Type: text/plain\r\n");
    rig.call("POST", path, &rig.operate, &text, "{\"index\":\"NIFTY\"}").await.is_problem(415, "NOT_JSON");
    let deep = "[".repeat(10_000);
    for wrong in ["", "{", "[]", "{\"index\":\"DAX\"}", "{\"index\":\"NIFTY\",\"more\":1}", &deep] {
        rig.call("POST", path, &rig.operate, &json, wrong).await.is_problem(400, "MALFORMED");
    }
    rig.get(&format!("/api/v2/status?{}", "x".repeat(5_000)), &rig.read).await.is_problem(414, "URI_TOO_LONG");
    let long = format!("X-Long: {}\r\n", "x".repeat(20_000));
    rig.call("GET", "/api/v2/status", &rig.read, &long, "").await.is_problem(431, "HEADERS_TOO_LARGE");
    for nowhere in
        ["/api/v2/nothing", "/api/v2/positions/x/y", "/api/v2/../status", "/api/v2/%2e%2e/status", "/api/v2/status/"]
    {
        rig.get(nowhere, &rig.read).await.is_problem(404, "NOT_FOUND");
    }
    rig.get("/elsewhere", "").await.is_problem(404, "NOT_FOUND");
    rig.get("/api/v2/docs/../../status", "").await.is_problem(404, "NOT_FOUND");
    for method in ["PUT", "DELETE", "TRACE", "PATCH", "BREW"] {
        let answer = rig.call(method, "/api/v2/status", &rig.admin, "", "").await;
        answer.is_problem(405, "METHOD_NOT_ALLOWED");
        assert_eq!(answer.header("allow"), Some("GET"));
    }
    // Whoever says that he comes from elsewhere is believed by nobody.
    let forwarded = "X-Forwarded-For: 10.0.0.1\r\nForwarded: host=evil.example\r\nX-Forwarded-Host: evil.example\r\n";
    assert_eq!(rig.call("GET", "/api/v2/status", &rig.read, forwarded, "").await.status, 200);
    assert!(rig.asked().is_empty(), "{:?}", rig.asked());
    rig.end().await;
}

#[actix_web::test]
async fn a_flood_is_turned_away_with_a_time_and_a_halt_still_passes() {
    // S10, K10
    // One read every twenty seconds, and one wrong token in three hours.
    let rig = Rig::with(Rates { address: Rates::times(1_000.0).address, ..Rates::times(0.001) }).await;
    assert_eq!(rig.get("/api/v2/status", &rig.operate).await.status, 200);
    let answer = rig.get("/api/v2/status", &rig.operate).await;
    answer.is_problem(429, "TOO_MANY_CALLS");
    let secs: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=20).contains(&secs));
    assert_eq!(answer.json()["retry_after_secs"], secs);
    assert_eq!(rig.command("/api/v2/control/halt", &rig.operate, "k", "").await.status, 200);
    // Wrong tokens: one is answered at this rate, the next has to wait; a right one does not.
    rig.get("/api/v2/status", "wrong").await.is_problem(401, "UNAUTHENTICATED");
    rig.get("/api/v2/status", "wrong").await.is_problem(429, "TOO_MANY_CALLS");
    assert_eq!(rig.get("/api/v2/status", &rig.read).await.status, 200);
    rig.end().await;
}
