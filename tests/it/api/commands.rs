//! Calls that change something: once, against what was seen, by name, and written down (S20 to S22, S25; I7, K12, K16).

use serde_json::{Value, json};

use super::Rig;

#[actix_web::test]
async fn a_command_sent_twice_is_carried_out_once_and_a_key_stands_for_one_command() {
    // S21, I7, K16
    let rig = Rig::new().await;
    let halt = "/api/v2/control/halt";
    let (a, b) = tokio::join!(rig.command(halt, &rig.operate, "k1", ""), rig.command(halt, &rig.operate, "k1", ""));
    assert_eq!((a.status, a.json()), (200, json!({ "text": "done 1", "audited": true })));
    assert_eq!(a.body, b.body);
    assert_eq!(rig.asked(), [r#"api:desk: {"verb":"halt"}"#]);
    rig.command("/api/v2/control/reduce-only", &rig.operate, "k1", "").await.is_problem(422, "KEY_REUSED");
    // Another token's keys are its own.
    assert_eq!(rig.command(halt, &rig.admin, "k1", "").await.json()["text"], "done 2");
    for key in ["", "a b", "ä", &"x".repeat(65)] {
        rig.command(halt, &rig.operate, key, "").await.is_problem(400, "IDEMPOTENCY_KEY");
    }
    rig.call("POST", halt, &rig.operate, "", "").await.is_problem(400, "IDEMPOTENCY_KEY");
    let two = "Idempotency-Key: a\r\nIdempotency-Key: b\r\n";
    rig.call("POST", halt, &rig.operate, two, "").await.is_problem(400, "IDEMPOTENCY_KEY");
    assert_eq!(rig.asked().len(), 2);
    rig.end().await;
}

#[actix_web::test]
async fn what_adds_risk_needs_the_version_that_was_seen_and_a_stale_one_changes_nothing() {
    // S21, K12
    let rig = Rig::new().await;
    let seen = rig.get("/api/v2/control", &rig.read).await;
    let tag = seen.header("etag").unwrap().to_owned();
    assert_eq!(tag, format!("\"{}\"", seen.json()["version"].as_str().unwrap()));
    let resume = "/api/v2/control/resume";
    let headers = |key: &str, tag: &str| {
        format!("Idempotency-Key: {key}\r\nContent-Type: application/json\r\nIf-Match: {tag}\r\n")
    };
    let unseen = "Idempotency-Key: a\r\nContent-Type: application/json\r\n";
    rig.call("POST", resume, &rig.operate, unseen, "{}").await.is_problem(428, "NO_VERSION");
    rig.status.send_modify(|status| std::sync::Arc::make_mut(status).blocks = vec!["halted".to_owned()]);
    rig.call("POST", resume, &rig.operate, &headers("b", &tag), "{}").await.is_problem(412, "STALE");
    rig.call("POST", "/api/v2/control/halt", &rig.operate, &headers("c", &tag), "").await.is_problem(412, "STALE");
    assert!(rig.asked().is_empty());
    let now = rig.get("/api/v2/control", &rig.read).await.header("etag").unwrap().to_owned();
    assert_eq!(rig.call("POST", resume, &rig.operate, &headers("d", &now), "{}").await.status, 200);
    // Repeated after the state moved on, it is answered as the first time.
    rig.status.send_modify(|status| std::sync::Arc::make_mut(status).blocks.clear());
    assert_eq!(rig.call("POST", resume, &rig.operate, &headers("d", &now), "{}").await.status, 200);
    assert_eq!(rig.asked().len(), 1);
    rig.end().await;
}

#[actix_web::test]
async fn dangerous_verbs_want_a_typed_word_and_a_reason_and_arming_its_phrase() {
    // S20, S24
    let rig = Rig::new().await;
    let post = async |path: &str, key: &str, body: Value| {
        rig.command(&format!("/api/v2/control/{path}"), &rig.admin, key, &body.to_string()).await
    };
    post("flatten", "1", json!({})).await.is_problem(422, "NOT_CONFIRMED");
    post("flatten", "2", json!({ "confirm": "yes" })).await.is_problem(422, "NOT_CONFIRMED");
    post("reset-breaker", "3", json!({ "confirm": "yes", "reason": "r" })).await.is_problem(422, "NOT_CONFIRMED");
    post("reset-breaker", "4", json!({ "confirm": "reset breaker", "reason": " " })).await.is_problem(400, "MALFORMED");
    post("stop", "5", json!({ "confirm": "stop" })).await.is_problem(400, "MALFORMED");
    assert!(rig.asked().is_empty());
    post("arm", "6", json!({ "phrase": "arm 1", "reason": "r" })).await.is_problem(422, "WRONG_PHRASE");
    assert_eq!(post("flatten", "7", json!({ "index": "NIFTY" })).await.status, 200);
    assert_eq!(post("flatten", "8", json!({ "confirm": "flatten all" })).await.status, 200);
    assert_eq!(post("reset-breaker", "9", json!({ "confirm": "reset breaker", "reason": "r" })).await.status, 200);
    let asked = rig.asked();
    assert_eq!(asked[0], "api:boss: arm arm 1");
    assert_eq!(asked[1], r#"api:boss: {"verb":"flatten","underlying":"NIFTY"}"#);
    assert_eq!(asked[3], r#"api:boss: {"verb":"reset_breaker"}"#);
    rig.end().await;
}

#[actix_web::test]
async fn the_number_of_a_close_comes_from_its_key_so_that_a_restart_sells_nothing_twice() {
    // F-18, F-19, K16: the core drops a request whose number it knows, and its journal outlives the process.
    let (first, second) = (Rig::new().await, Rig::new().await);
    let mut numbers = Vec::new();
    for rig in [&first, &second] {
        for key in ["a", "b"] {
            assert_eq!(rig.command("/api/v2/positions/7/close", &rig.operate, key, r#"{"lots":2}"#).await.status, 200);
        }
        numbers.extend(rig.asked());
    }
    assert_eq!(numbers[..2], numbers[2..]);
    assert_ne!(numbers[0], numbers[1]);
    for wrong in [r#"{"lots":0}"#, r#"{"lots":10001}"#, r#"{"lots":1.5}"#] {
        let answer = first.command("/api/v2/positions/7/close", &first.operate, "c", wrong).await;
        answer.is_problem(400, "MALFORMED");
    }
    let beyond = format!("/api/v2/positions/{}/close", u64::MAX);
    first.command(&beyond, &first.operate, "d", "{}").await.is_problem(404, "NOT_FOUND");
    assert_eq!(first.asked().len(), 2);
    first.end().await;
    second.end().await;
}

#[actix_web::test]
async fn every_act_stands_in_the_audit_trail_under_its_token_and_no_secret_does() {
    // S22, S28, G1-16, G1-17
    let rig = Rig::new().await;
    assert_eq!(rig.command("/api/v2/control/pause", &rig.operate, "p", r#"{"index":"NIFTY"}"#).await.status, 200);
    assert_eq!(rig.command("/api/v2/control/resume", &rig.operate, "r", "{}").await.status, 200);
    let made = rig.command("/api/v2/admin/tokens", &rig.admin, "t", r#"{"name":"new","role":"read"}"#).await;
    assert_eq!(made.status, 201, "{made:?}");
    let secret = made.json()["secret"].as_str().unwrap().to_owned();
    assert_eq!(rig.get("/api/v2/status", &secret).await.status, 200);
    let again = rig.command("/api/v2/admin/tokens", &rig.admin, "t", r#"{"name":"new","role":"read"}"#).await;
    again.is_problem(409, "TOKEN");
    assert_eq!(rig.command("/api/v2/admin/tokens/new/revoke", &rig.admin, "u", "").await.json()["worked"], true);
    rig.get("/api/v2/status", &secret).await.is_problem(401, "UNAUTHENTICATED");
    rig.command("/api/v2/admin/tokens/boss/revoke", &rig.admin, "v", "").await.is_problem(409, "TOKEN");

    let trail = rig.get("/api/v2/admin/audit?limit=3", &rig.admin).await.json();
    assert_eq!((&trail["total"], &trail["next_offset"]), (&json!(5), &json!(3)), "{trail}");
    let older = rig.get("/api/v2/admin/audit?offset=3", &rig.admin).await.json();
    let acts: Vec<(Value, Value)> = [&trail, &older]
        .iter()
        .flat_map(|page| page["items"].as_array().unwrap().clone())
        .map(|act| (act["actor"].clone(), act["action"].clone()))
        .collect();
    let expected = [
        ("api:boss", "token-revoke"),
        ("api:boss", "token-create"),
        ("api:desk", "resume"),
        ("api:desk", "resume"),
        ("api:desk", "pause"),
    ];
    assert_eq!(acts, expected.map(|(actor, action)| (json!(actor), json!(action))));
    let listed = rig.get("/api/v2/admin/tokens", &rig.admin).await;
    for text in [trail.to_string(), older.to_string(), listed.body.clone()] {
        for secret in [&secret, &rig.admin, &rig.operate, &rig.read] {
            assert!(!text.contains(secret.as_str()));
        }
    }
    assert_eq!(listed.json()["items"][3]["name"], "new");
    assert_eq!(listed.json()["items"][1]["used_at"], rig.clock.now().ist_text());
    let readers = rig.store.as_ref().unwrap().readers().clone();
    assert_eq!(scalper::store::audit::verify(&readers).await.unwrap(), 5);
    rig.end().await;
}

#[actix_web::test]
async fn without_a_database_a_halt_is_carried_out_and_a_resume_is_not() {
    // S25: the kill path works with the database down.
    let mut rig = Rig::new().await;
    rig.store.take().unwrap().close().await;
    let halted = rig.command("/api/v2/control/halt", &rig.operate, "h", "").await;
    assert_eq!((halted.status, halted.json()), (200, json!({ "text": "done 1", "audited": false })));
    rig.command("/api/v2/control/resume", &rig.operate, "r", "{}").await.is_problem(503, "NOT_AUDITED");
    assert_eq!(rig.asked().len(), 1);
    assert!(rig.dir.path().exists());
    rig.end().await;
}
