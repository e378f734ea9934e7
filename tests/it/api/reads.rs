//! Reads: ETags, pages, times and money as promised.

use std::sync::Arc;

use scalper::engine::status::{Alarm, OrderStatus};
use scalper::market::planner::{SocketId, Tier};
use scalper::market::sync::{Class, ClassStanding, SocketStanding, Standing};
use scalper_decide::domain::Instant;

use super::Rig;

#[actix_web::test]
async fn a_read_that_is_known_already_costs_no_body() {
    let rig = Rig::new().await;
    for path in ["/api/v2/status", "/api/v2/control", "/api/v2/positions", "/api/v2/trades", "/api/v2/decisions"] {
        let first = rig.get(path, &rig.read).await;
        assert_eq!(first.status, 200, "{first:?}");
        assert_eq!(first.header("content-type"), Some("application/json"));
        let tag = first.header("etag").unwrap().to_owned();
        for header in [format!("If-None-Match: {tag}\r\n"), format!("If-None-Match: \"x\", W/{tag}\r\n")] {
            let known = rig.call("GET", path, &rig.read, &header, "").await;
            assert_eq!((known.status, known.body.as_str()), (304, ""), "{path}");
            assert_eq!(known.header("etag"), Some(tag.as_str()));
        }
    }
    let tag = rig.get("/api/v2/status", &rig.read).await.header("etag").unwrap().to_owned();
    rig.status.send_modify(|status| Arc::make_mut(status).ticks = 7);
    let header = format!("If-None-Match: {tag}\r\n");
    let changed = rig.call("GET", "/api/v2/status", &rig.read, &header, "").await;
    assert_eq!((changed.status, &changed.json()["ticks"]), (200, &serde_json::json!(7)));
    assert_eq!(changed.json()["at"], "1970-01-01T05:46:40+05:30");
    rig.end().await;
}

#[actix_web::test]
async fn lists_come_in_pages_newest_first_and_wrong_questions_are_refused() {
    let rig = Rig::new().await;
    let order = |n: u64| OrderStatus {
        id: format!("o{n}"),
        broker_id: None,
        position: n,
        contract: "NIFTY 2026-02-10 25600 CE".to_owned(),
        purpose: "entry".to_owned(),
        side: "BUY".to_owned(),
        terms: "LIMIT 100.00".to_owned(),
        qty: 65,
        filled: 0,
        state: "working".to_owned(),
        is_over: n.is_multiple_of(2),
        sent_at: Instant::from_secs(1_000),
    };
    rig.status.send_modify(|status| {
        let status = Arc::make_mut(status);
        status.orders = (1..=5).map(order).collect();
        status.alarms = vec![Alarm { at: Instant::from_secs(1), key: "K".to_owned(), text: "<script>".to_owned() }];
    });
    let page = rig.get("/api/v2/orders?limit=2&offset=1", &rig.read).await.json();
    assert_eq!(page["items"].as_array().unwrap().iter().map(|o| o["id"].clone()).collect::<Vec<_>>(), ["o4", "o3"]);
    assert_eq!((&page["total"], &page["next_offset"]), (&serde_json::json!(5), &serde_json::json!(3)));
    assert_eq!(rig.get("/api/v2/orders?over=false", &rig.read).await.json()["total"], 3);
    assert_eq!(rig.get("/api/v2/alarms", &rig.read).await.json()["items"][0]["key"], "K");
    assert_eq!(rig.get("/api/v2/orders/o1", &rig.read).await.json()["order"]["id"], "o1");
    rig.get("/api/v2/orders/o9", &rig.read).await.is_problem(404, "NOT_FOUND");
    rig.get("/api/v2/positions/9", &rig.read).await.is_problem(404, "NOT_FOUND");
    rig.get("/api/v2/positions/x", &rig.read).await.is_problem(404, "NOT_FOUND");
    for wrong in [
        "orders?limit=0",
        "orders?limit=501",
        "orders?offset=-1",
        "orders?more=1",
        "trades?day=today",
        "decisions?index=DAX",
        "explain",
        "explain?what=",
    ] {
        rig.get(&format!("/api/v2/{wrong}"), &rig.read).await.is_problem(400, "MALFORMED");
    }
    let why = rig.get("/api/v2/explain?what=10:42", &rig.read).await.json();
    assert_eq!(why["lines"], serde_json::json!(["one", "two"]));
    rig.get("/api/v2/explain?what=03:00", &rig.read).await.is_problem(404, "NOT_FOUND");
    assert_eq!(rig.get("/api/v2/doctor", &rig.operate).await.json()["is_well"], true);
    rig.end().await;
}

#[actix_web::test]
async fn what_the_feed_carries_is_counted_by_what_data_has_confirmed() {
    // S1-40, S1-47, G1-6
    let rig = Rig::new().await;
    let path = "/api/v2/subscriptions/status";
    let nothing = rig.get(path, &rig.read).await.json();
    assert_eq!((&nothing["carried"], &nothing["sockets"]), (&serde_json::json!(0), &serde_json::json!([])));
    let class = ClassStanding { handed: 40, confirmed: 38, stalled_ms: Some(2_500), ..ClassStanding::default() };
    let socket = |n, by_class| SocketStanding {
        socket: SocketId(n),
        open: true,
        wanted: 42,
        handed: 40,
        sent: 40,
        confirmed: 38,
        waiting: 2,
        oldest_waiting_ms: Some(900),
        by_class,
        ..SocketStanding::default()
    };
    let standing = Standing {
        sockets: vec![socket(1, [(Class::NseFno, class)].into()), socket(2, [].into())],
        by_tier: [(Tier::A, 50), (Tier::B, 30)].into(),
        pinned: 3,
        queued: 4,
        ..Standing::default()
    };
    rig.status.send_modify(|status| Arc::make_mut(status).subscriptions = Arc::new(standing));
    let seen = rig.get(path, &rig.read).await.json();
    let totals = ["capacity", "carried", "confirmed", "waiting", "queued", "pinned", "tier_a", "tier_b"];
    assert_eq!(totals.map(|key| seen[key].as_u64().unwrap()), [25_000, 80, 76, 4, 4, 3, 50, 30]);
    let first = &seen["sockets"][0];
    assert_eq!((&first["socket"], &first["oldest_waiting_ms"]), (&serde_json::json!(1), &serde_json::json!(900)));
    assert_eq!(first["by_class"]["nse_fno"]["stalled_ms"], 2_500);
    rig.get(path, "").await.is_problem(401, "UNAUTHENTICATED");
    rig.end().await;
}
