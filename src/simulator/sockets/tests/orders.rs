//! Order updates of orders placed by hand.

use std::time::Duration;

use scalper_decide::domain::OrderSide;
use scalper_decide::domain::broker::BrokerStatus;

use super::*;
use crate::broker::dhan::order_updates::{OrderUpdateEvent, OrderUpdates};
use crate::broker::dhan::socket::SocketConfig;
use crate::broker::dhan::wire::order_row::OrderUpdate;
use crate::simulator::oms::order::OrderNo;
use crate::simulator::oms::request::PlaceRequest;
use crate::simulator::sockets::{AlertStyle, Kind};
use crate::simulator::tests::LOT;

struct Updates {
    told: mpsc::UnboundedReceiver<Result<OrderUpdate, String>>,
    report: watch::Receiver<LinkReport>,
    _stop: watch::Sender<()>,
}

async fn updates(bench: &Bench) -> Updates {
    let stop = watch::Sender::new(());
    let config = SocketConfig::new(bench.server.addresses.order_updates.clone());
    let socket = OrderUpdates::new(config, bench.server.clock.clone(), bench.credentials.subscribe(), stop.subscribe());
    let (tx, told) = mpsc::unbounded_channel();
    let report = socket.report();
    spawn_local(socket.run(move |event: OrderUpdateEvent<'_>| match event {
        OrderUpdateEvent::Update { update, .. } => drop(tx.send(Ok(update.clone()))),
        OrderUpdateEvent::Unreadable { what, .. } => drop(tx.send(Err(what))),
        _ => {}
    }));
    until(|| bench.server.hub.open(Kind::Orders) == 1).await;
    Updates { told, report, _stop: stop }
}

impl Updates {
    async fn next(&mut self) -> OrderUpdate {
        self.told.recv().await.expect("the client runs").expect("it can be read")
    }

    async fn statuses(&mut self, count: usize) -> Vec<BrokerStatus> {
        let mut all = Vec::new();
        while all.len() < count {
            all.push(self.next().await.row.status);
        }
        all
    }
}

fn buy(bench: &Bench, tag: &str) -> OrderNo {
    let request = PlaceRequest::limit(OrderSide::Buy, CALL, LOT, rs(110)).tagged(tag);
    bench.server.desk.with(|sim, _, _| sim.place(&request)).unwrap().expect("the broker takes it").order_no
}

#[tokio::test(start_paused = true)]
async fn an_order_is_told_from_transit_to_traded_with_every_figure_of_its_row() {
    // Checklist 10; C rows.
    with_server(
        [morning(), calls(&[101, 102])].concat(),
        |_| {},
        async |bench| {
            let mut updates = updates(&bench).await;
            let order_no = buy(&bench, "A1260112E1-0123456789ab");
            assert_eq!(updates.next().await.row.status, BrokerStatus::Transit);
            bench.to(ms(5_000)).await;
            assert_eq!(updates.next().await.row.status, BrokerStatus::Pending);
            let traded = updates.next().await;
            assert_eq!(traded.row.status, BrokerStatus::Traded);
            let truth = bench.server.desk.with(|sim, _, _| sim.oms().order(order_no).cloned()).unwrap().unwrap();
            let row = traded.row;
            assert_eq!((row.filled.get(), row.value, row.price), (truth.filled, truth.value, truth.price));
            assert_eq!(*row.broker_id.0, order_no.to_string());
            assert_eq!(row.tag.map(|tag| tag.to_string()).as_deref(), truth.correlation.as_deref());
            assert_eq!((row.segment, row.security_id, row.by_api), (CALL.0, CALL.1, Some(true)));
            assert_eq!(bench.server.hub.counters().totals().updates_out, 3);
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn title_case_statuses_and_numbers_as_text_say_the_same() {
    let odd = |config: &mut SimServerConfig| {
        let mut alerts = AlertStyle { title_case_status: true, ..AlertStyle::default() };
        alerts.frame.numbers_as_text = true;
        config.sockets.alerts = alerts;
    };
    with_server([morning(), calls(&[101])].concat(), odd, async |bench| {
        let mut updates = updates(&bench).await;
        buy(&bench, "A1260112E1-0123456789ab");
        bench.to(ms(5_000)).await;
        let expected = [BrokerStatus::Transit, BrokerStatus::Pending, BrokerStatus::Traded];
        assert_eq!(updates.statuses(3).await, expected);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn doubled_swapped_and_cut_updates_reach_the_client_as_they_are() {
    // C rows: late, twice, out of order.
    with_server(
        [morning(), calls(&[101])].concat(),
        |_| {},
        async |bench| {
            let mut updates = updates(&bench).await;
            bench.fault(SocketFault::Duplicate(1));
            buy(&bench, "A1260112E1-0123456789ab");
            assert_eq!(updates.statuses(2).await, [BrokerStatus::Transit, BrokerStatus::Transit]);
            bench.fault(SocketFault::Swap(1));
            bench.to(ms(5_000)).await;
            assert_eq!(updates.statuses(2).await, [BrokerStatus::Traded, BrokerStatus::Pending]);
            bench.fault(SocketFault::Garble(1));
            buy(&bench, "A1260112E2-0123456789ab");
            assert!(updates.told.recv().await.unwrap().is_err());
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_reader_too_slow_for_its_updates_is_cut_off_and_none_is_left_out_silently() {
    let short = |config: &mut SimServerConfig| config.sockets.update_queue = 1;
    with_server([morning(), calls(&[101])].concat(), short, async |bench| {
        let mut updates = updates(&bench).await;
        bench.fault(SocketFault::Stall);
        buy(&bench, "A1260112E1-0123456789ab");
        buy(&bench, "A1260112E2-0123456789ab");
        until(|| bench.server.hub.open(Kind::Orders) == 0).await;
        updates.report.wait_for(|report| report.state == LinkState::Down).await.unwrap();
        bench.time.pass(Duration::from_millis(250)).await;
        until(|| bench.server.hub.open(Kind::Orders) == 1).await;
        assert!(updates.told.try_recv().is_err(), "nothing is replayed (dhan-v2.md 3.1)");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_login_with_a_dead_token_meets_a_reset() {
    with_server(
        morning(),
        |_| {},
        async |bench| {
            bench.server.desk.with(|_, account, _| account.revoke()).unwrap();
            let stop = watch::Sender::new(());
            let config = SocketConfig::new(bench.server.addresses.order_updates.clone());
            let socket =
                OrderUpdates::new(config, bench.server.clock.clone(), bench.credentials.subscribe(), stop.subscribe());
            let mut report = socket.report();
            spawn_local(socket.run(|_| {}));
            report.wait_for(|report| report.connects == 1).await.unwrap();
            let down = async {
                report
                    .wait_for(|report| report.state == LinkState::Down && report.connects == 1)
                    .await
                    .unwrap()
                    .cause
                    .clone()
            };
            let patience = async {
                for _ in 0..200 {
                    tokio::task::yield_now().await;
                }
                bench.time.pass(Duration::from_millis(11)).await;
            };
            let (cause, ()) = tokio::join!(down, patience);
            assert!(matches!(cause, Some(DownCause::Broken(_))), "{cause:?}");
            assert_eq!(bench.server.hub.open(Kind::Orders), 0);
        },
    )
    .await;
}
