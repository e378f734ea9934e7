//! Everything that left for the broker, judged as it leaves: sent once (I1), durable before (I12), within the rates
//! (I16), as decided (I17), about our own orders only (I19), and never taking protection away from what is owned (I6).

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use scalper_decide::domain::broker::BrokerOrderType;
use scalper_decide::domain::{Age, ClientOrderId, Command, Instant, OrderSide, OrderType, Stamp};

use super::oracle::{Truth, Violations, is_late};
use crate::broker::dhan::rest::orders::{ModifyBody, PlaceBody};
use crate::simulator::desk::Desk;

/// Windows of the broker's limit of order calls.
const WINDOWS: [(Age, usize); 3] = [(Age::from_secs(1), 10), (Age::from_secs(60), 250), (Age::from_secs(3_600), 1_000)];
/// Changes of one order the broker takes.
const CHANGES: usize = 25;

/// What was decided, and what left.
#[derive(Clone)]
pub(super) struct Wire(Arc<Mutex<Log>>);

struct Log {
    decided: Vec<(Stamp, Command)>,
    placed: BTreeMap<String, usize>,
    changed: BTreeMap<String, usize>,
    times: VecDeque<Instant>,
    durable: Arc<AtomicU64>,
    violations: Violations,
    desk: Desk,
    keeps_lines: bool,
    lines: Vec<String>,
}

fn is_of(order_type: OrderType, kind: BrokerOrderType, price: Option<i64>, trigger: Option<i64>) -> bool {
    let (same_kind, wanted) = match order_type {
        OrderType::Limit { .. } => (kind == BrokerOrderType::Limit, None),
        OrderType::StopLimit { trigger, .. } => (kind == BrokerOrderType::StopLoss, Some(trigger.paise())),
    };
    same_kind && price == Some(order_type.limit().paise()) && (wanted.is_none() || wanted == trigger)
}

impl Wire {
    pub(super) fn new(durable: Arc<AtomicU64>, violations: Violations, desk: Desk, keeps_lines: bool) -> Wire {
        Wire(Arc::new(Mutex::new(Log {
            decided: Vec::new(),
            placed: BTreeMap::new(),
            changed: BTreeMap::new(),
            times: VecDeque::new(),
            durable,
            violations,
            desk,
            keeps_lines,
            lines: Vec::new(),
        })))
    }

    /// A command was decided.
    pub(super) fn decided(&self, stamp: Stamp, command: Command) {
        self.0.lock().expect("nothing here panics").decided.push((stamp, command));
    }

    /// What left, in words.
    pub(super) fn lines(&self) -> Vec<String> {
        self.0.lock().expect("nothing here panics").lines.clone()
    }

    /// Notes what came back.
    pub(super) fn answered(&self, now: Instant, path: &str, given: Option<&(u16, Vec<u8>)>) {
        let mut log = self.0.lock().expect("nothing here panics");
        if !log.keeps_lines {
            return;
        }
        let text = given.map_or("cut".to_owned(), |(http, body)| {
            format!("{http} {}", String::from_utf8_lossy(&body[..body.len().min(160)]))
        });
        log.lines.push(format!("{} < {path}: {text}", now.ist_text()));
    }

    /// A call leaves.
    pub(super) fn leaves(&self, now: Instant, method: &str, path: &str, body: &[u8]) {
        let mut log = self.0.lock().expect("nothing here panics");
        let below = path.trim_start_matches("/v2/");
        if method == "GET" || !below.starts_with("orders") {
            return;
        }
        if log.keeps_lines {
            let line = format!("{} > {method} {below} {}", now.ist_text(), String::from_utf8_lossy(body));
            log.lines.push(line);
        }
        log.rates(now);
        match method {
            "POST" => log.place(now, body),
            "PUT" => log.change(now, below.trim_start_matches("orders/"), body),
            _ => log.cancel(now, below.trim_start_matches("orders/")),
        }
    }
}

impl Log {
    fn wrong(&self, now: Instant, invariant: &'static str, what: String) {
        self.violations.add(now, invariant, what);
    }

    fn rates(&mut self, now: Instant) {
        self.times.push_back(now);
        for (length, most) in WINDOWS {
            let within = self.times.iter().rev().take_while(|at| now.age_of(**at) < length).count();
            if within > most {
                self.wrong(now, "I16", format!("{within} order calls in {length}"));
            }
        }
    }

    /// The event that led to a command must be durable.
    fn durable(&self, now: Instant, what: &str, seq: u64) {
        let durable = self.durable.load(Ordering::Acquire);
        if seq > durable {
            self.wrong(now, "I12", format!("{what} left after event {seq}, and only {durable} is durable"));
        }
    }

    fn place(&mut self, now: Instant, body: &[u8]) {
        let Ok(body) = serde_json::from_slice::<PlaceBody>(body) else {
            return self.wrong(now, "I17", "a placement nobody can read".to_owned());
        };
        let tag = body.correlation_id.clone().unwrap_or_default();
        let sent = self.placed.entry(tag.clone()).or_default();
        *sent += 1;
        if *sent > 1 {
            let sent = *sent;
            self.wrong(now, "I1", format!("order {tag} is sent for the {sent}. time"));
        }
        let (price, trigger) = (body.price.map(|p| p.paise()), body.trigger_price.map(|p| p.paise()));
        let decided = self.decided.iter().find_map(|(stamp, command)| match command {
            Command::Place(spec) if spec.id.to_string() == tag => Some((stamp.seq.0, *spec)),
            _ => None,
        });
        match decided {
            None => self.wrong(now, "I17", format!("order {tag} was never decided")),
            Some((seq, spec)) => {
                self.durable(now, &tag, seq);
                let same = spec.side == body.transaction_type
                    && spec.qty.get() == body.quantity.0
                    && is_of(spec.order_type, body.order_type, price, trigger);
                if !same {
                    self.wrong(now, "I17", format!("order {tag} left as {body:?}, decided was {spec:?}"));
                }
            }
        }
    }

    /// Our id of a broker's number, from the truth.
    fn own(&self, now: Instant, number: &str) -> Option<ClientOrderId> {
        let tag = self.desk.look(|sim| Truth(sim).order(number).and_then(|row| row.correlation.clone()));
        let own = tag.and_then(|tag| ClientOrderId::parse(&tag)).filter(|id| id.as_str().starts_with("D1"));
        if own.is_none() {
            self.wrong(now, "I19", format!("order {number} is not ours"));
        }
        own
    }

    fn change(&mut self, now: Instant, number: &str, body: &[u8]) {
        let Some(own) = self.own(now, number) else { return };
        let Ok(body) = serde_json::from_slice::<ModifyBody>(body) else {
            return self.wrong(now, "I17", "a change nobody can read".to_owned());
        };
        let sent = self.changed.entry(number.to_owned()).or_default();
        *sent += 1;
        if *sent > CHANGES {
            let sent = *sent;
            self.wrong(now, "I16", format!("order {own} is changed for the {sent}. time"));
        }
        let (price, trigger) = (body.price.map(|p| p.paise()), body.trigger_price.map(|p| p.paise()));
        let seq = self.decided.iter().find_map(|(stamp, command)| match command {
            Command::Modify { id, order_type, qty, .. }
                if *id == own
                    && Some(qty.get()) == body.quantity.map(|q| q.0)
                    && is_of(*order_type, body.order_type, price, trigger) =>
            {
                Some(stamp.seq.0)
            }
            _ => None,
        });
        match seq {
            None => self.wrong(now, "I17", format!("change {body:?} of {own} was never decided")),
            Some(seq) => self.durable(now, &format!("a change of {own}"), seq),
        }
    }

    fn cancel(&mut self, now: Instant, number: &str) {
        let Some(own) = self.own(now, number) else { return };
        let sent_at = self.decided.iter().find_map(|(stamp, command)| match command {
            Command::Place(spec) if spec.id == own => Some(stamp.at),
            _ => None,
        });
        let naked = self.desk.look(|sim| {
            let truth = Truth(sim);
            // A late order is taken back whatever it covers (C3): another sell may be on its way in its place.
            let row = truth.order(number).filter(|row| sent_at.is_none_or(|at| !is_late(row, at)))?;
            let slot = row.listed.slot();
            let left = truth.on_sale(slot) - row.remaining();
            let net = truth.net(slot);
            (row.side == OrderSide::Sell && row.remaining() > 0 && left < net).then_some(net - left)
        });
        if let Some(units) = naked {
            self.wrong(now, "I6", format!("cancelling {own} leaves {units} owned units without cover"));
        }
        let seq = self.decided.iter().find_map(|(stamp, command)| match command {
            Command::Cancel { id, .. } if *id == own => Some(stamp.seq.0),
            _ => None,
        });
        match seq {
            // The reconciler's own cancellation of a lost order is a command as well.
            None => self.wrong(now, "I17", format!("the cancellation of {own} was never decided")),
            Some(seq) => self.durable(now, &format!("a cancellation of {own}"), seq),
        }
    }
}
