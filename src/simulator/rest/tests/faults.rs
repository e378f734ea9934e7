//! What goes wrong on the way goes wrong for real: the order was taken, or it was not.

use scalper_decide::domain::VenueRefusal;

use super::*;
use crate::broker::fault::RATE_LIMITED;
use crate::simulator::rest::faults::{Disturbance, Fate, Point};

#[tokio::test]
async fn an_order_whose_response_is_lost_is_in_doubt_and_found_by_its_tag() {
    // L3, B10, C2.
    let bench = Bench::start().await;
    bench.faults.next(Point::AfterAcceptance, Some("POST"), "orders", Fate::Lost);
    let answer = bench.orders.place_order(&buy("T1", 1, rs(90))).await;
    assert!(matches!(answer, Answer::Unknown { .. }), "{answer:?}");
    assert_eq!(bench.placed(), 1, "sent once, taken once");
    let found = bench.client.by_tag(tag("T1")).await.unwrap();
    assert_eq!((found.rows.len(), found.rows[0].tag), (1, Some(tag("T1"))));
    assert_eq!(bench.faults.left(), 0);
}

#[tokio::test]
async fn a_server_error_a_page_of_html_half_a_body_or_nothing_may_follow_an_acceptance() {
    // B12.
    let bench = Bench::start().await;
    let fates = [
        Fate::server_error(500),
        Fate::server_error(504),
        Fate::html(502),
        Fate::html(200),
        Fate::empty(200),
        Fate::Garbled,
    ];
    for (i, fate) in fates.into_iter().enumerate() {
        bench.faults.next(Point::AfterAcceptance, None, "orders", fate.clone());
        let id = format!("T{i}");
        let answer = bench.orders.place_order(&buy(&id, 1, rs(90))).await;
        assert!(matches!(answer, Answer::Unknown { .. }), "{fate:?}: {answer:?}");
        assert_eq!(bench.client.by_tag(tag(&id)).await.unwrap().rows.len(), 1, "{fate:?}");
    }
}

#[tokio::test]
async fn what_is_refused_or_lost_before_acceptance_does_not_exist() {
    let bench = Bench::start().await;
    bench.faults.next(Point::BeforeAcceptance, None, "orders", Fate::rate_limited());
    let answer = bench.orders.place_order(&buy("T1", 1, rs(90))).await;
    assert_eq!(answer, Answer::Refused { refusal: VenueRefusal::Other(RATE_LIMITED.to_owned()) });
    for fate in [Fate::Lost, Fate::server_error(503)] {
        bench.faults.next(Point::BeforeAcceptance, None, "orders", fate);
        let answer = bench.orders.place_order(&buy("T2", 1, rs(90))).await;
        assert!(matches!(answer, Answer::Unknown { .. }), "{answer:?}");
    }
    assert_eq!(bench.client.by_tag(tag("T2")).await.unwrap().rows, []);
    assert_eq!(bench.placed(), 0);
}

#[tokio::test]
async fn a_delayed_order_is_placed_when_its_time_has_come() {
    let bench = Bench::start().await;
    let late = Disturbance::late(Age::from_millis(700));
    bench.faults.next(Point::BeforeAcceptance, None, "orders", late);
    let order = buy("T1", 1, rs(90));
    let clock = async {
        while bench.faults.left() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(bench.placed(), 0);
        bench.to(700);
    };
    let (answer, ()) = tokio::join!(bench.orders.place_order(&order), clock);
    assert!(matches!(answer, Answer::Accepted { .. }), "{answer:?}");
    let created = bench.desk.with(|sim, _, _| sim.truth().orders[0].created_at).unwrap();
    assert_eq!(created, at(700));
}

#[tokio::test]
async fn a_refusal_of_the_broker_is_not_an_acceptance_and_keeps_its_fault_for_later() {
    let bench = Bench::start().await;
    bench.faults.next(Point::AfterAcceptance, None, "orders", Fate::Lost);
    let unlisted = NewOrder { security_id: 999, ..buy("T1", 1, rs(90)) };
    assert!(matches!(bench.orders.place_order(&unlisted).await, Answer::Refused { .. }));
    assert_eq!(bench.faults.left(), 1);
}

#[tokio::test]
async fn reads_that_go_wrong_are_asked_again() {
    let bench = Bench::start().await;
    bench.place(&buy("T1", 1, rs(90))).await;
    for fate in [Fate::Lost, Fate::Garbled, Fate::html(200), Fate::server_error(500)] {
        bench.faults.next(Point::Read, Some("GET"), "orders", fate);
        assert_eq!(bench.client.order_book().await.unwrap().rows.len(), 1);
        bench.wait(1_000);
    }
    assert_eq!(bench.faults.left(), 0);
}
