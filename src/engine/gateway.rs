//! Carries commands out through the order port: one call at a time per order, in the order they were decided, each at
//! most once (L2). What becomes of a call goes back to the core as a broker event; nothing is concluded here.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use scalper_decide::domain::broker::{Answer, BrokerEvent, BrokerOrderId, OrderCall, OrderRow, Product};
use scalper_decide::domain::{ClientOrderId, Command, OrderPurpose, OrderSpec, OrderType, Qty, Segment, Universe};
use scalper_decide::rate_budget::OrderUse;

use super::sent_log::{SentLog, WasSent};
use crate::broker::{NewOrder, OrderChange, OrderPort};
use crate::failpoint;

/// A place where a drill lets the process die.
const AFTER_SEND: &str = "gateway.after_send";
/// Time in which a request leaves and its answer is, on loopback, about to come.
const ON_THE_WAY: Duration = Duration::from_millis(1);

/// Where broker events go.
pub type EventSink = Rc<dyn Fn(BrokerEvent)>;

/// Whether this process may still send.
pub type Fence = Box<dyn Fn() -> bool>;

/// A command with what the broker needs to know about its contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outgoing {
    /// The command.
    pub command: Command,
    /// Segment of the contract.
    pub segment: Segment,
    /// Token inside the segment.
    pub security_id: u32,
}

impl Outgoing {
    /// A command with the address of its contract.
    pub fn to(universe: &Universe, command: Command) -> Outgoing {
        let instrument = universe.get(command.instrument());
        Outgoing { command, segment: instrument.segment, security_id: instrument.security_id }
    }
}

/// Calls of one order.
#[derive(Debug, Default)]
struct Lane {
    broker_id: Option<BrokerOrderId>,
    is_entry: bool,
    /// The order does not exist and never will under this id.
    is_void: bool,
    in_flight: bool,
    /// Units it was last told to hold.
    qty: Qty,
    waiting: VecDeque<Outgoing>,
}

impl Lane {
    /// What a call is for. A stop that is moved and covers no more than before is trailed; everything else about an
    /// order that sells reduces risk.
    fn purpose(&mut self, command: &Command) -> OrderUse {
        let before = self.qty;
        if let Command::Place(OrderSpec { qty, .. }) | Command::Modify { qty, .. } = command {
            self.qty = *qty;
        }
        match command {
            Command::Cancel { .. } => OrderUse::Exit,
            _ if self.is_entry => OrderUse::Entry,
            Command::Modify { order_type: OrderType::StopLimit { .. }, qty, .. } if *qty == before => OrderUse::Trail,
            _ => OrderUse::Exit,
        }
    }
}

struct Inner {
    port: Arc<dyn OrderPort>,
    sink: EventSink,
    sent: SentLog,
    fence: Fence,
    lanes: BTreeMap<ClientOrderId, Lane>,
}

/// The gateway. Clones share it; it lives on the decision thread.
#[derive(Clone)]
pub struct Gateway(Rc<RefCell<Inner>>);

impl Gateway {
    /// A gateway that has sent nothing itself; `sent` knows what processes before it did.
    /// `fence` is asked right before every call whether this process may still send.
    pub fn new(port: Arc<dyn OrderPort>, sent: SentLog, fence: Fence, sink: EventSink) -> Gateway {
        Gateway(Rc::new(RefCell::new(Inner { port, sink, sent, fence, lanes: BTreeMap::new() })))
    }

    /// Sends a command, after those of the same order that came before it. It must be durable by now (L1).
    pub fn submit(&self, outgoing: Outgoing) {
        let id = outgoing.command.order_id();
        {
            let mut inner = self.0.borrow_mut();
            let lane = inner.lanes.entry(id).or_default();
            if let Command::Place(spec) = outgoing.command {
                lane.is_entry = spec.purpose == OrderPurpose::Entry;
            }
            lane.waiting.push_back(outgoing);
        }
        self.pump(id);
    }

    /// Learns of an order that an earlier process placed.
    pub fn know(&self, command: &Command) {
        if let Command::Place(spec) = command {
            self.0.borrow_mut().lanes.entry(spec.id).or_default().is_entry = spec.purpose == OrderPurpose::Entry;
        }
    }

    /// Takes over a command that an earlier process committed and has no answer to. What may have been sent is reported
    /// as unknown; what provably never was is sent now, except an entry: it was decided on prices and signals of
    /// another time, and is over (L7).
    pub fn resume(&self, outgoing: Outgoing) {
        let (id, call) = (outgoing.command.order_id(), OrderCall::of(&outgoing.command));
        self.know(&outgoing.command);
        let (was_sent, is_late) = {
            let mut inner = self.0.borrow_mut();
            let was_sent = inner.sent.was_sent(id, call);
            let lane = inner.lanes.entry(id).or_default();
            let is_late = was_sent == WasSent::No && call == OrderCall::Place && lane.is_entry;
            lane.is_void |= is_late;
            (was_sent, is_late)
        };
        match was_sent {
            WasSent::No if is_late => {
                let why = "the process ended before it was sent".to_owned();
                self.report(id, call, Answer::NotSent { why });
            }
            WasSent::No => self.submit(outgoing),
            WasSent::Maybe => {
                let what = "the process ended before the answer came".to_owned();
                self.report(id, call, Answer::Unknown { what });
            }
        }
    }

    /// Learns the broker's numbers from what passes by; waiting calls of an order go out once its number is known.
    pub fn observe(&self, event: &BrokerEvent) {
        match event {
            BrokerEvent::Answered { id, answer: Answer::Accepted { broker_id, .. }, .. } => self.learn(*id, broker_id),
            BrokerEvent::Pushed { row } => self.learn_row(row),
            BrokerEvent::Orders { rows, .. } | BrokerEvent::LookedUp { rows, .. } => {
                rows.iter().for_each(|row| self.learn_row(row));
            }
            _ => {}
        }
    }

    fn learn_row(&self, row: &OrderRow) {
        if let Some(id) = row.tag {
            self.learn(id, &row.broker_id);
        }
    }

    fn learn(&self, id: ClientOrderId, broker_id: &BrokerOrderId) {
        {
            let mut inner = self.0.borrow_mut();
            let lane = inner.lanes.entry(id).or_default();
            if lane.broker_id.is_some() {
                return;
            }
            lane.broker_id = Some(broker_id.clone());
        }
        self.pump(id);
    }

    /// The broker's number of an order, once known.
    pub fn broker_id(&self, id: ClientOrderId) -> Option<BrokerOrderId> {
        self.0.borrow().lanes.get(&id).and_then(|lane| lane.broker_id.clone())
    }

    /// Calls that are on the wire or wait for their turn.
    pub fn open_calls(&self) -> usize {
        self.0.borrow().lanes.values().map(|lane| lane.waiting.len() + usize::from(lane.in_flight)).sum()
    }

    /// Whether a call is on the wire.
    pub fn is_calling(&self) -> bool {
        self.0.borrow().lanes.values().any(|lane| lane.in_flight)
    }

    /// Hands an outcome to the core.
    fn report(&self, id: ClientOrderId, call: OrderCall, answer: Answer) {
        let sink = self.0.borrow().sink.clone();
        sink(BrokerEvent::Answered { id, call, answer });
    }

    /// Starts the next call of an order, if one may start.
    fn pump(&self, id: ClientOrderId) {
        let mut inner = self.0.borrow_mut();
        let may_send = (inner.fence)();
        let Some(lane) = inner.lanes.get_mut(&id) else { return };
        if lane.in_flight {
            return;
        }
        let Some(next) = lane.waiting.front().copied() else { return };
        let call = OrderCall::of(&next.command);
        let refused = match (lane.is_void, call, &lane.broker_id) {
            (true, ..) => Some("the order does not exist".to_owned()),
            // Without the broker's number the order cannot be named; it waits until evidence brings one.
            (false, OrderCall::Modify { .. } | OrderCall::Cancel, None) => return,
            // Another daemon may have taken over while this one was paused (E8, I20).
            _ if !may_send => Some("the lease is not ours any more".to_owned()),
            _ => inner.sent.mark(id, call).err().map(|e| format!("the mark before sending could not be written: {e}")),
        };
        let lane = inner.lanes.get_mut(&id).expect("looked up above");
        lane.waiting.pop_front();
        if let Some(why) = refused {
            lane.is_void |= call == OrderCall::Place;
            drop(inner);
            self.report(id, call, Answer::NotSent { why });
            self.pump(id);
            return;
        }
        lane.in_flight = true;
        let purpose = lane.purpose(&next.command);
        let broker_id = lane.broker_id.clone();
        let port = inner.port.clone();
        drop(inner);
        let gateway = self.clone();
        actix_rt::spawn(async move {
            // A place that fails is for the store's drills; here only death and waiting make sense.
            let _ = failpoint::pass("gateway.before_send");
            let sending = send(&*port, next, broker_id, purpose);
            let answer =
                if failpoint::is_armed(AFTER_SEND) { with_a_death_on_the_way(sending).await } else { sending.await };
            let _ = failpoint::pass("gateway.after_response");
            gateway.answered(id, call, answer);
        });
    }

    fn answered(&self, id: ClientOrderId, call: OrderCall, answer: Answer) {
        {
            let mut inner = self.0.borrow_mut();
            let lane = inner.lanes.get_mut(&id).expect("a call was in flight");
            lane.in_flight = false;
            match (&answer, call) {
                (Answer::Accepted { broker_id, .. }, _) => {
                    lane.broker_id.get_or_insert_with(|| broker_id.clone());
                }
                (Answer::Refused { .. } | Answer::NotSent { .. }, OrderCall::Place) => lane.is_void = true,
                _ => {}
            }
        }
        self.report(id, call, answer);
        self.pump(id);
    }
}

/// Passes the failpoint when the request had time to leave and nobody has heard the answer.
async fn with_a_death_on_the_way(sending: impl Future<Output = Answer>) -> Answer {
    let mut sending = std::pin::pin!(sending);
    let early = tokio::time::timeout(ON_THE_WAY, &mut sending).await;
    let _ = failpoint::pass(AFTER_SEND);
    match early {
        Ok(answer) => answer,
        Err(_) => sending.await,
    }
}

async fn send(port: &dyn OrderPort, out: Outgoing, broker_id: Option<BrokerOrderId>, purpose: OrderUse) -> Answer {
    let exit = purpose != OrderUse::Entry;
    match out.command {
        Command::Place(spec) => {
            let order = NewOrder {
                id: spec.id,
                segment: out.segment,
                security_id: out.security_id,
                side: spec.side,
                product: Product::Intraday,
                qty: spec.qty,
                order_type: spec.order_type,
                exit,
            };
            port.place(order).await
        }
        Command::Modify { id, order_type, qty, .. } => {
            let broker_id = broker_id.expect("changes wait for the broker's number");
            port.modify(OrderChange { id, broker_id, order_type, qty, purpose }).await
        }
        Command::Cancel { .. } => port.cancel(broker_id.expect("changes wait for the broker's number"), exit).await,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures_util::future::BoxFuture;
    use scalper_decide::domain::broker::BrokerStatus;
    use scalper_decide::domain::{InstrumentId, OrderSide, PositionId, Premium, VenueRefusal};
    use tokio::sync::Notify;

    use super::*;

    /// Answers what the script says, when the test says so; records every call.
    #[derive(Default)]
    struct Scripted {
        answers: Mutex<VecDeque<Answer>>,
        calls: Mutex<Vec<String>>,
        go: Notify,
    }

    impl Scripted {
        fn answer(&self, call: String) -> BoxFuture<'_, Answer> {
            self.calls.lock().unwrap().push(call);
            Box::pin(async {
                self.go.notified().await;
                self.answers.lock().unwrap().pop_front().expect("the script has an answer")
            })
        }
    }

    impl OrderPort for Scripted {
        fn place(&self, order: NewOrder) -> BoxFuture<'_, Answer> {
            self.answer(format!("place {} exit {}", order.id, order.exit))
        }
        fn modify(&self, change: OrderChange) -> BoxFuture<'_, Answer> {
            self.answer(format!("modify {} to {}", change.broker_id, change.order_type.limit()))
        }
        fn cancel(&self, broker_id: BrokerOrderId, _: bool) -> BoxFuture<'_, Answer> {
            self.answer(format!("cancel {broker_id}"))
        }
    }

    struct Bench {
        port: Arc<Scripted>,
        gateway: Gateway,
        events: Rc<RefCell<Vec<BrokerEvent>>>,
        dir: tempfile::TempDir,
    }

    fn bench(script: Vec<Answer>) -> Bench {
        let port = Arc::new(Scripted { answers: Mutex::new(script.into()), ..Scripted::default() });
        let events: Rc<RefCell<Vec<BrokerEvent>>> = Rc::default();
        let dir = tempfile::tempdir().unwrap();
        let sent = SentLog::open(dir.path(), "2026-02-10").unwrap();
        let seen = events.clone();
        let gateway =
            Gateway::new(port.clone(), sent, Box::new(|| true), Rc::new(move |event| seen.borrow_mut().push(event)));
        Bench { port, gateway, events, dir }
    }

    impl Bench {
        async fn settle(&self) {
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
        }
        async fn let_one_answer(&self) {
            self.settle().await;
            self.port.go.notify_one();
            self.settle().await;
        }
        fn calls(&self) -> Vec<String> {
            self.port.calls.lock().unwrap().clone()
        }
    }

    fn id() -> ClientOrderId {
        ClientOrderId::parse("S1260210P1-abc").unwrap()
    }

    fn place() -> Outgoing {
        let spec = OrderSpec {
            id: id(),
            position: PositionId(1),
            instrument: InstrumentId(3),
            purpose: OrderPurpose::Protection,
            side: OrderSide::Sell,
            qty: Qty::new(65),
            order_type: OrderType::StopLimit { trigger: Premium::from_rupees(80), price: Premium::from_rupees(78) },
        };
        Outgoing { command: Command::Place(spec), segment: Segment::NseFno, security_id: 44_430 }
    }

    fn modify(version: u8, rupees: i64) -> Outgoing {
        let order_type = OrderType::Limit { price: Premium::from_rupees(rupees) };
        let command = Command::Modify { id: id(), instrument: InstrumentId(3), version, order_type, qty: Qty::new(65) };
        Outgoing { command, ..place() }
    }

    fn accepted(number: &str) -> Answer {
        Answer::Accepted { broker_id: BrokerOrderId(number.into()), status: BrokerStatus::Pending }
    }

    #[actix_rt::test]
    async fn calls_of_one_order_go_out_one_at_a_time_in_the_order_they_were_decided() {
        let bench = bench(vec![accepted("77"), accepted("77"), accepted("77")]);
        bench.gateway.submit(place());
        bench.gateway.submit(modify(1, 90));
        bench.gateway.submit(modify(2, 91));
        bench.settle().await;
        assert_eq!(bench.calls(), ["place S1260210P1-abc exit true"]);
        bench.let_one_answer().await;
        assert_eq!(bench.calls()[1..], ["modify 77 to 90.00"]);
        bench.let_one_answer().await;
        bench.let_one_answer().await;
        assert_eq!(bench.calls()[2..], ["modify 77 to 91.00"]);
        assert_eq!(bench.gateway.open_calls(), 0);
        assert_eq!(bench.events.borrow().len(), 3);
    }

    #[actix_rt::test]
    async fn a_change_of_an_order_in_doubt_waits_for_evidence_of_its_number() {
        // P1, C2: nothing is sent twice; the number comes from a look-up.
        let bench = bench(vec![Answer::Unknown { what: "time-out".to_owned() }, accepted("88")]);
        bench.gateway.submit(place());
        bench.let_one_answer().await;
        bench.gateway.submit(modify(1, 90));
        bench.settle().await;
        assert_eq!(bench.calls().len(), 1);
        let answer = accepted("88");
        bench.gateway.observe(&BrokerEvent::Answered { id: id(), call: OrderCall::Place, answer });
        bench.settle().await;
        assert_eq!(bench.calls()[1..], ["modify 88 to 90.00"]);
    }

    #[test]
    fn a_stop_that_only_moves_is_trailed_and_everything_else_that_sells_or_cancels_is_an_exit() {
        // B6, I16: what the share kept for exits may be used for.
        let stop = |rupees, units| {
            let (price, trigger) = (Premium::from_rupees(rupees - 2), Premium::from_rupees(rupees));
            let (id, instrument, qty) = (id(), InstrumentId(3), Qty::new(units));
            let order_type = OrderType::StopLimit { trigger, price };
            Command::Modify { id, instrument, version: 1, order_type, qty }
        };
        let mut lane = Lane::default();
        assert_eq!(lane.purpose(&place().command), OrderUse::Exit);
        assert_eq!(lane.purpose(&stop(82, 65)), OrderUse::Trail);
        assert_eq!(lane.purpose(&stop(82, 130)), OrderUse::Exit, "it covers more than before");
        assert_eq!(lane.purpose(&stop(84, 130)), OrderUse::Trail);
        assert_eq!(lane.purpose(&modify(4, 90).command), OrderUse::Exit);
        let mut entry = Lane { is_entry: true, ..Lane::default() };
        assert_eq!(entry.purpose(&modify(1, 90).command), OrderUse::Entry);
        let cancel = Command::Cancel { id: id(), instrument: InstrumentId(3) };
        assert_eq!(entry.purpose(&cancel), OrderUse::Exit);
    }

    #[actix_rt::test]
    async fn nothing_is_sent_once_the_lease_is_lost() {
        // E8, I20
        let bench = bench(vec![accepted("77"), accepted("77")]);
        let mine = Rc::new(std::cell::Cell::new(true));
        let (asked, seen) = (Rc::clone(&mine), bench.events.clone());
        let sent = SentLog::open(bench.dir.path(), "2026-02-10").unwrap();
        let sink = Rc::new(move |event| seen.borrow_mut().push(event));
        let gateway = Gateway::new(bench.port.clone(), sent, Box::new(move || asked.get()), sink);
        gateway.submit(place());
        bench.let_one_answer().await;
        mine.set(false);
        gateway.submit(modify(1, 90));
        bench.settle().await;
        assert_eq!(bench.calls().len(), 1);
        let last = bench.events.borrow().last().cloned().unwrap();
        assert!(matches!(last, BrokerEvent::Answered { answer: Answer::NotSent { .. }, .. }), "{last:?}");
    }

    #[actix_rt::test]
    async fn changes_of_an_order_that_was_refused_are_not_sent() {
        let refusal = VenueRefusal::PriceBand;
        let bench = bench(vec![Answer::Refused { refusal }]);
        bench.gateway.submit(place());
        bench.gateway.submit(modify(1, 90));
        bench.let_one_answer().await;
        assert_eq!(bench.calls().len(), 1);
        let events = bench.events.borrow();
        let not_sent = |e: &BrokerEvent| matches!(e, BrokerEvent::Answered { answer: Answer::NotSent { .. }, .. });
        assert!(not_sent(&events[1]), "{events:?}");
    }

    #[actix_rt::test]
    async fn a_committed_command_is_sent_after_a_crash_only_when_it_provably_never_was() {
        // P1, L2, G1
        let bench = bench(vec![accepted("99")]);
        let sent = SentLog::open(bench.dir.path(), "2026-02-10").unwrap();
        let seen = bench.events.clone();
        let after = Gateway::new(
            bench.port.clone(),
            sent,
            Box::new(|| true),
            Rc::new(move |event| seen.borrow_mut().push(event)),
        );
        after.resume(place());
        bench.let_one_answer().await;
        assert_eq!(bench.calls().len(), 1);
        // The next process finds the mark: it may have been sent, so it is in doubt and not sent again.
        let sent = SentLog::open(bench.dir.path(), "2026-02-10").unwrap();
        let seen = bench.events.clone();
        let third = Gateway::new(
            bench.port.clone(),
            sent,
            Box::new(|| true),
            Rc::new(move |event| seen.borrow_mut().push(event)),
        );
        third.resume(place());
        bench.settle().await;
        assert_eq!(bench.calls().len(), 1);
        let last = bench.events.borrow().last().cloned().unwrap();
        assert!(matches!(last, BrokerEvent::Answered { answer: Answer::Unknown { .. }, .. }));
    }

    #[actix_rt::test]
    async fn an_entry_that_never_left_is_over_after_a_crash_and_so_is_its_cancellation() {
        // L7, C1: a stop of the same age is sent, an entry of another time is not.
        let bench = bench(vec![]);
        let Command::Place(spec) = place().command else { unreachable!() };
        let spec = OrderSpec { purpose: OrderPurpose::Entry, side: OrderSide::Buy, ..spec };
        let entry = Outgoing { command: Command::Place(spec), ..place() };
        let cancel = Command::Cancel { id: id(), instrument: InstrumentId(3) };
        bench.gateway.resume(entry);
        bench.gateway.resume(Outgoing { command: cancel, ..place() });
        bench.settle().await;
        assert_eq!(bench.calls(), Vec::<String>::new());
        let events = bench.events.borrow();
        let not_sent = |e: &BrokerEvent| matches!(e, BrokerEvent::Answered { answer: Answer::NotSent { .. }, .. });
        assert!(events.len() == 2 && events.iter().all(not_sent), "{events:?}");
        assert_eq!(bench.gateway.open_calls(), 0);
    }
}
