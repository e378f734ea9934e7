//! The core facing a broker: what the broker says goes through the pipeline, and the reads it calls for come out.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use scalper::config;
use scalper_decide::decision_core::Core as _;
use scalper_decide::direct::{CoreTables, Direct};
use scalper_decide::domain::broker::{
    BrokerEvent, BrokerOrderId, BrokerOrderType, BrokerRead, BrokerStatus, OrderRow, Product,
};
use scalper_decide::domain::order::OrderSide;
use scalper_decide::domain::{Age, ClientOrderId, Event, Instant, Money, Premium, Qty, Segment, Underlying};
use scalper_decide::journal::JournalEntry;
use scalper_decide::reconciler::ReconcilerParams;

const ROUND: [BrokerRead; 3] = [BrokerRead::Orders, BrokerRead::Trades, BrokerRead::Positions];

/// A core on the shipped settings, its session opened, and the time of the opening.
fn core(with_broker: bool) -> (Direct, Instant) {
    let settings = config::load(None, std::iter::empty()).expect("the shipped settings are sound");
    let day = NaiveDate::from_ymd_opt(2026, 1, 12).unwrap();
    let hours = settings.tables.calendar.hours(day).unwrap().expect("a trading day");
    let tables = CoreTables {
        calendar: Arc::new(settings.tables.calendar.clone()),
        charges: Arc::new(settings.tables.charges.clone()),
    };
    let reconciler = ReconcilerParams::new(settings.params.orders.instance);
    let mut core = Direct::new(settings.params, tables, &BTreeMap::new());
    if with_broker {
        core = core.with_reconciler(reconciler);
    }
    let at = hours.open_at();
    core.handle_now(at, &Event::SessionOpened { hours, warm_up: false, bars_of: BTreeMap::new() }).unwrap();
    (core, at)
}

fn own_unknown() -> OrderRow {
    OrderRow {
        broker_id: BrokerOrderId("112601120001".into()),
        tag: ClientOrderId::parse("S1260112E1-0123456789ab"),
        segment: Segment::NseFno,
        security_id: 40_001,
        side: OrderSide::Buy,
        product: Product::Intraday,
        order_type: BrokerOrderType::Limit,
        status: BrokerStatus::Pending,
        qty: Qty::new(75),
        filled: Qty::ZERO,
        value: Money::ZERO,
        price: Premium::from_rupees(100),
        trigger: Premium::ZERO,
        by_api: Some(true),
        reason: String::new(),
        updated_at: None,
    }
}

#[test]
fn a_core_that_faces_a_broker_reads_its_books_before_it_enters_and_journals_what_it_finds() {
    // P3, P4, I34, E7.
    let (mut core, at) = core(true);
    assert_eq!(core.wake_at(), Some(at), "the first round is due at once");
    core.handle_now(at, &Event::Timer).unwrap();
    assert_eq!(core.take_reads().collect::<Vec<_>>(), ROUND);
    let block = |core: &Direct| core.reconciler().entry_block(Underlying::Nifty).map(|b| b.code);
    assert_eq!(block(&core), Some("RECONCILING"));

    let later = at + Age::from_secs(1);
    let said = [
        BrokerEvent::Orders { asked_at: at, rows: vec![] },
        BrokerEvent::Trades { asked_at: at, rows: vec![] },
        BrokerEvent::Positions { asked_at: at, rows: vec![] },
    ];
    for said in said {
        core.handle_now(later, &Event::Broker(said)).unwrap();
    }
    assert_eq!(block(&core), None);
    assert_eq!(core.take_journal().count(), 0);

    core.handle_now(later, &Event::Broker(BrokerEvent::Pushed { row: own_unknown() })).unwrap();
    assert_eq!(block(&core), Some("OWN_UNKNOWN"));
    let found: Vec<&str> = core
        .take_journal()
        .filter_map(|entry| match entry {
            JournalEntry::Finding { finding, .. } => Some(finding.code()),
            _ => None,
        })
        .collect();
    assert_eq!(found, ["OWN_UNKNOWN"]);
    assert!(!core.has_commands(), "an order of unknown origin is not touched (I19)");
}

#[test]
fn a_core_without_a_broker_asks_and_blocks_nothing() {
    let (mut core, at) = core(false);
    core.handle_now(at, &Event::Timer).unwrap();
    core.handle_now(at, &Event::Broker(BrokerEvent::Pushed { row: own_unknown() })).unwrap();
    assert_eq!(core.take_reads().count() + core.take_journal().count(), 0);
    assert_eq!(core.reconciler().entry_block(Underlying::Nifty), None);
}
