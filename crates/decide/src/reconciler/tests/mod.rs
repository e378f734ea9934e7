//! Every report is applied to a real order: a report that contradicts an earlier one fails the test that caused it.

mod adopt;
mod doubt;
mod joined;
mod model;
mod strangers;
mod updates;

use super::*;
use crate::domain::broker::{Answer, BrokerOrderType, BrokerStatus, OrderCall, PositionRow, Product, TradeRow};
use crate::domain::ids::InstanceTag;
use crate::domain::{
    Direction, Instrument, InstrumentKind, LotSize, Money, OptionContract, Order, OrderPurpose, OrderReport, OrderSide,
    OrderSpec, OrderState, OrderType, PositionId, Premium, Right, Segment, SignalId, Strike, TimeOfDay, TradeId,
};
use chrono::NaiveDate;

const LOT: i64 = 75;
const TOKEN: u32 = 40_001;
const SLOT: InstrumentId = InstrumentId(1);

fn day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, 12).unwrap()
}

fn at(secs: i64) -> Instant {
    ms(secs * 1_000)
}

fn ms(millis: i64) -> Instant {
    Instant::from_ist(day(), TimeOfDay::hm(10, 0).unwrap()) + Age::from_millis(millis)
}

fn limit(rupees: i64) -> OrderType {
    OrderType::Limit { price: Premium::from_rupees(rupees) }
}

fn stop(trigger: i64, price: i64) -> OrderType {
    OrderType::StopLimit { trigger: Premium::from_rupees(trigger), price: Premium::from_rupees(price) }
}

fn order_id(n: u64, purpose: OrderPurpose) -> ClientOrderId {
    let signal = SignalId { underlying: Underlying::Nifty, bar_start: at(0), direction: Direction::Up };
    ClientOrderId::derive(InstanceTag::new("A1").unwrap(), day(), &signal, PositionId(n), purpose, 0, 1)
}

fn spec(n: u64, side: OrderSide, order_type: OrderType, lots: i64) -> OrderSpec {
    let purpose = if side == OrderSide::Buy { OrderPurpose::Entry } else { OrderPurpose::Protection };
    let (id, position, qty) = (order_id(n, purpose), PositionId(n), Qty::new(lots * LOT));
    OrderSpec { id, position, instrument: SLOT, purpose, side, qty, order_type }
}

fn broker(n: u64) -> BrokerOrderId {
    BrokerOrderId(format!("1126011200{n}").into())
}

/// A row of the order as it was sent, open, nothing executed.
fn row(spec: &OrderSpec, broker_id: u64) -> OrderRow {
    let order_type = match spec.order_type {
        OrderType::Limit { .. } => BrokerOrderType::Limit,
        OrderType::StopLimit { .. } => BrokerOrderType::StopLoss,
    };
    OrderRow {
        broker_id: broker(broker_id),
        tag: Some(spec.id),
        segment: Segment::NseFno,
        security_id: TOKEN,
        side: spec.side,
        product: Product::Intraday,
        order_type,
        status: BrokerStatus::Pending,
        qty: spec.qty,
        filled: Qty::ZERO,
        value: Money::ZERO,
        price: spec.order_type.limit(),
        trigger: spec.order_type.trigger().unwrap_or(Premium::ZERO),
        by_api: Some(true),
        reason: String::new(),
        updated_at: None,
    }
}

fn executed(row: &OrderRow, lots: i64, rupees: i64, status: BrokerStatus) -> OrderRow {
    let filled = Qty::new(lots * LOT);
    OrderRow { filled, value: Premium::from_rupees(rupees) * filled, status, ..row.clone() }
}

fn with_status(row: &OrderRow, status: BrokerStatus) -> OrderRow {
    OrderRow { status, ..row.clone() }
}

fn trade(row: &OrderRow, id: u64, lots: i64, rupees: i64) -> TradeRow {
    TradeRow {
        broker_id: row.broker_id.clone(),
        trade: TradeId(id),
        segment: row.segment,
        security_id: row.security_id,
        side: row.side,
        qty: Qty::new(lots * LOT),
        price: Premium::from_rupees(rupees),
        at: at(1),
    }
}

fn position(bought: i64, sold: i64) -> PositionRow {
    PositionRow {
        segment: Segment::NseFno,
        security_id: TOKEN,
        product: Product::Intraday,
        net: (bought - sold) * LOT,
        day_bought: Qty::new(bought * LOT),
        day_sold: Qty::new(sold * LOT),
        day_paid: Some(Premium::from_rupees(100) * Qty::new(bought * LOT)),
    }
}

fn accepted(n: u64) -> Answer {
    Answer::Accepted { broker_id: broker(n), status: BrokerStatus::Transit }
}

fn unknown() -> Answer {
    Answer::Unknown { what: "time-out".to_owned() }
}

/// A reconciler, the orders its reports lead to, and everything else it said.
struct Desk {
    r: Reconciler,
    orders: BTreeMap<ClientOrderId, Order>,
    reports: Vec<OrderReport>,
    findings: Vec<Finding>,
    commands: Vec<Command>,
    reads: Vec<(Instant, BrokerRead)>,
}

impl Desk {
    /// A day that has begun, its first round not yet read.
    fn starting() -> Desk {
        let mut r = Reconciler::new(ReconcilerParams::new(InstanceTag::new("A1").unwrap()));
        let contract = OptionContract {
            underlying: Underlying::Nifty,
            expiry: day(),
            strike: Strike::from_points(25_650),
            right: Right::Call,
            lot: LotSize::new(LOT).unwrap(),
            tick: Premium::from_paise(5),
            max_order_qty: Qty::new(1_725),
        };
        let (segment, symbol, kind) = (Segment::NseFno, "NIFTY".to_owned(), InstrumentKind::Option(contract));
        r.open_session(ms(-1_000));
        r.list(SLOT, &Instrument { id: SLOT, segment, security_id: TOKEN, symbol, kind });
        let orders = BTreeMap::new();
        Desk { r, orders, reports: vec![], findings: vec![], commands: vec![], reads: vec![] }
    }

    /// A day whose first round was clean and empty, pushed updates coming.
    fn open() -> Desk {
        let mut d = Desk::starting();
        d.hear(ms(-900), BrokerEvent::PushLink { up: true });
        d.round(ms(-800), &[], &[], &[]);
        assert_eq!(d.r.entry_block(Underlying::Nifty), None);
        d
    }

    /// A full round asked for and answered at once.
    fn round(&mut self, now: Instant, orders: &[OrderRow], trades: &[TradeRow], positions: &[PositionRow]) {
        self.book(now, orders);
        self.trades(now, trades);
        self.positions(now, positions);
    }

    fn book(&mut self, now: Instant, rows: &[OrderRow]) -> Reconciled {
        self.hear(now, BrokerEvent::Orders { asked_at: now, rows: rows.to_vec() })
    }

    fn trades(&mut self, now: Instant, rows: &[TradeRow]) -> Reconciled {
        self.hear(now, BrokerEvent::Trades { asked_at: now, rows: rows.to_vec() })
    }

    fn positions(&mut self, now: Instant, rows: &[PositionRow]) -> Reconciled {
        self.hear(now, BrokerEvent::Positions { asked_at: now, rows: rows.to_vec() })
    }

    fn look_up(&mut self, now: Instant, id: ClientOrderId, rows: &[OrderRow]) -> Reconciled {
        self.hear(now, BrokerEvent::LookedUp { asked_at: now, id, rows: rows.to_vec() })
    }

    fn push(&mut self, now: Instant, row: &OrderRow) -> Reconciled {
        self.hear(now, BrokerEvent::Pushed { row: row.clone() })
    }

    fn answer(&mut self, now: Instant, id: ClientOrderId, call: OrderCall, answer: Answer) -> Reconciled {
        self.hear(now, BrokerEvent::Answered { id, call, answer })
    }

    fn place(&mut self, now: Instant, spec: OrderSpec) -> ClientOrderId {
        self.orders.insert(spec.id, Order::sent(spec, now));
        self.r.sent(now, &Command::Place(spec));
        spec.id
    }

    fn modify(&mut self, now: Instant, id: ClientOrderId, version: u8, order_type: OrderType, lots: i64) {
        let qty = Qty::new(lots * LOT);
        self.orders.get_mut(&id).unwrap().modification_sent(version, qty);
        self.r.sent(now, &Command::Modify { id, instrument: SLOT, version, order_type, qty });
    }

    fn cancel(&mut self, now: Instant, id: ClientOrderId) {
        self.r.sent(now, &Command::Cancel { id, instrument: SLOT });
    }

    fn owned(&self) -> Owned {
        let net = self.orders.values().map(|o| own::signed(o.spec.side, o.filled())).sum();
        Owned::from([(SLOT, Qty::new(net))])
    }

    fn hear(&mut self, now: Instant, said: BrokerEvent) -> Reconciled {
        let out = self.r.hear(now, &said, &self.owned());
        self.take(now, out)
    }

    fn timer(&mut self, now: Instant) -> Reconciled {
        let out = self.r.on_timer(now);
        self.take(now, out)
    }

    fn take(&mut self, now: Instant, out: Reconciled) -> Reconciled {
        for event in &out.reports {
            let order = self.orders.get_mut(&event.id).unwrap();
            *order = order.clone().apply(&event.report).unwrap_or_else(|e| panic!("{e}"));
            self.reports.push(event.report.clone());
        }
        for command in &out.commands {
            self.r.sent(now, command);
        }
        self.findings.extend(out.findings.clone());
        self.commands.extend(out.commands.clone());
        self.reads.extend(out.reads.iter().map(|read| (now, *read)));
        assert!(self.r.every_open_order_has_a_deadline(), "I9");
        out
    }

    /// Runs timers up to and at `until`; reads are not answered.
    fn pass(&mut self, until: Instant) {
        while let Some(wake) = self.r.wake_at().filter(|wake| *wake <= until) {
            self.timer(wake);
            assert!(self.r.wake_at().is_none_or(|next| next > wake), "a timer that asks for its own time again");
        }
    }

    fn state(&self, id: ClientOrderId) -> &OrderState {
        &self.orders[&id].state
    }

    fn filled(&self, id: ClientOrderId) -> i64 {
        self.orders[&id].filled().get() / LOT
    }

    fn found(&self, code: &str) -> usize {
        self.findings.iter().filter(|f| f.code() == code).count()
    }

    fn asked(&self, read: BrokerRead) -> Vec<Instant> {
        self.reads.iter().filter(|(_, r)| *r == read).map(|(at, _)| *at).collect()
    }

    fn block(&self) -> Option<&'static str> {
        self.r.entry_block(Underlying::Nifty).map(|b| b.code)
    }

    /// An accepted buy of two lots at 100.
    fn working() -> (Desk, ClientOrderId, OrderRow) {
        let mut d = Desk::open();
        let s = spec(1, OrderSide::Buy, limit(100), 2);
        let id = d.place(at(0), s);
        d.answer(ms(50), id, OrderCall::Place, accepted(1));
        assert_eq!(d.state(id), &OrderState::Working { triggered: false });
        (d, id, row(&s, 1))
    }
}
