//! A broker that keeps its own books and never looks into ours, behind a line that loses, repeats, delays and reorders
//! everything. When the faults stop, our view must become the broker's (I33).

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::dice::Dice;

/// Faults are injected up to here, milliseconds.
const FAULTS_UNTIL: i64 = 120_000;
/// The slowest list shows the books this long ago.
const LIST_LAG: i64 = 8_000;
/// Placements may arrive this late and still be inside what the horizon allows for.
const LATE_ARRIVAL: i64 = 30_000;

/// What is on its way.
#[derive(Debug, Clone)]
enum Line {
    /// A call reaches the broker.
    Arrives(Command, i64),
    /// Something reaches us.
    Said(BrokerEvent),
    /// A read reaches the broker and is answered later.
    Read(BrokerRead, Instant),
    /// An open order executes a lot, at this price.
    Executes(ClientOrderId, i64),
    /// Somebody else trades.
    Stranger(OrderSide),
    /// We act.
    Act,
}

/// The broker's books: the truth.
#[derive(Debug, Clone, Default)]
struct Books {
    orders: Vec<OrderRow>,
    trades: Vec<TradeRow>,
}

struct World {
    dice: Dice,
    desk: Desk,
    books: Books,
    /// The books after every change, for lists that lag.
    history: Vec<(i64, Books)>,
    line: BTreeMap<(i64, u64), Line>,
    sent: u64,
    now: i64,
    next: u64,
    trade: u64,
    versions: BTreeMap<ClientOrderId, u8>,
    arrived: BTreeMap<ClientOrderId, i64>,
    placed_at: BTreeMap<ClientOrderId, i64>,
    last_fault: i64,
}

impl World {
    fn new(seed: u64) -> World {
        World {
            dice: Dice(seed),
            desk: Desk::open(),
            books: Books::default(),
            history: vec![(i64::MIN, Books::default())],
            line: BTreeMap::new(),
            sent: 0,
            now: 0,
            next: 1,
            trade: 1,
            versions: BTreeMap::new(),
            arrived: BTreeMap::new(),
            placed_at: BTreeMap::new(),
            last_fault: 0,
        }
    }

    fn faulty(&mut self, percent: u64) -> bool {
        let is_fault = self.now < FAULTS_UNTIL && self.dice.chance(percent);
        if is_fault {
            self.last_fault = self.last_fault.max(self.now);
        }
        is_fault
    }

    fn later(&mut self, after: i64, what: Line) {
        self.sent += 1;
        self.line.insert((self.now + after, self.sent), what);
    }

    fn changed(&mut self) {
        self.history.push((self.now, self.books.clone()));
    }

    /// A row changed: pushed to us, or not, or twice, or late.
    fn push(&mut self, index: usize) {
        self.changed();
        if self.faulty(25) {
            return;
        }
        let mut row = self.books.orders[index].clone();
        if self.faulty(10) {
            row.tag = None;
        }
        for _ in 0..if self.faulty(20) { 2 } else { 1 } {
            let delay = if self.faulty(30) { self.dice.between(100, LIST_LAG) } else { self.dice.between(5, 80) };
            self.last_fault = self.last_fault.max(if delay > 100 { self.now + delay } else { 0 });
            self.later(delay, Line::Said(BrokerEvent::Pushed { row: row.clone() }));
        }
    }

    /// One of our calls leaves: its way there, and its answer's way back, may both go wrong.
    fn call(&mut self, command: Command) {
        self.desk.r.sent(ms(self.now), &command);
        self.transmit(command);
    }

    fn transmit(&mut self, command: Command) {
        let is_place = matches!(command, Command::Place(_));
        if self.faulty(5) {
            let answer = Answer::NotSent { why: "no connection".to_owned() };
            return self.answer(&command, answer, 20);
        }
        if self.faulty(10) {
            if self.dice.chance(70) {
                self.answer(&command, unknown(), 5_000);
            }
            return;
        }
        let mut delay = self.dice.between(10, 60);
        if self.faulty(15) {
            delay = self.dice.between(1_000, if is_place { LATE_ARRIVAL } else { 5_000 });
            if is_place && self.dice.chance(20) {
                delay = self.dice.between(60_000, 90_000);
            }
            self.last_fault = self.last_fault.max(self.now + delay);
        }
        self.later(delay, Line::Arrives(command, self.now));
    }

    fn answer(&mut self, command: &Command, answer: Answer, after: i64) {
        let id = command.order_id();
        let call = match command {
            Command::Place(_) => OrderCall::Place,
            Command::Modify { version, .. } => OrderCall::Modify { version: *version },
            Command::Cancel { .. } => OrderCall::Cancel,
        };
        self.later(after, Line::Said(BrokerEvent::Answered { id, call, answer }));
    }

    fn index_of(&self, id: ClientOrderId) -> Option<usize> {
        self.books.orders.iter().position(|row| row.tag == Some(id))
    }

    /// A call reached the broker: the broker's part of the truth.
    fn arrives(&mut self, command: Command, left_at: i64) {
        let not_open = Answer::Refused { refusal: crate::domain::VenueRefusal::NotOpen };
        let answer = match command {
            Command::Place(spec) => {
                assert!(self.arrived.insert(spec.id, self.now).is_none(), "placed twice (L2)");
                if self.dice.chance(5) {
                    Answer::Refused { refusal: crate::domain::VenueRefusal::PriceBand }
                } else {
                    let number = self.books.orders.len() as u64 + 1;
                    self.books.orders.push(row(&spec, number));
                    let index = self.books.orders.len() - 1;
                    self.push(index);
                    for _ in 0..self.dice.roll(4) {
                        let (after, price) = (self.dice.between(20, 20_000), self.dice.between(95, 105));
                        self.later(after, Line::Executes(spec.id, price));
                    }
                    if self.dice.chance(5) {
                        self.books.orders[index].status = BrokerStatus::Rejected;
                        self.push(index);
                    }
                    accepted(number)
                }
            }
            Command::Modify { id, order_type, qty, .. } => match self.index_of(id) {
                Some(i) if !self.books.orders[i].status.is_final() && self.books.orders[i].filled < qty => {
                    self.books.orders[i].price = order_type.limit();
                    self.books.orders[i].qty = qty;
                    self.push(i);
                    accepted(i as u64 + 1)
                }
                _ => not_open,
            },
            Command::Cancel { id, .. } => match self.index_of(id) {
                Some(i) if !self.books.orders[i].status.is_final() => {
                    self.books.orders[i].status = BrokerStatus::Cancelled;
                    self.push(i);
                    accepted(i as u64 + 1)
                }
                _ => not_open,
            },
        };
        let is_late = self.now - left_at > 5_000;
        if is_late || self.faulty(15) {
            if !self.dice.chance(30) {
                // The caller gave up waiting, or the answer broke on its way.
                let given_up = (left_at + 5_000 - self.now).max(1);
                self.answer(&command, unknown(), given_up);
            }
        } else {
            let delay = if self.faulty(20) { self.dice.between(100, 4_000) } else { self.dice.between(5, 60) };
            self.answer(&command, answer, delay);
        }
    }

    fn executes(&mut self, id: ClientOrderId, rupees: i64) {
        let Some(i) = self.index_of(id) else { return };
        let row = &mut self.books.orders[i];
        if row.status.is_final() {
            return;
        }
        let price = Premium::from_rupees(rupees);
        row.filled += Qty::new(LOT);
        row.value += price * Qty::new(LOT);
        row.status = if row.filled == row.qty { BrokerStatus::Traded } else { BrokerStatus::PartTraded };
        let executed = TradeRow { price, at: ms(self.now), ..trade(row, self.trade, 1, rupees) };
        self.trade += 1;
        self.books.trades.push(executed);
        self.push(i);
    }

    fn stranger(&mut self, side: OrderSide) {
        let number = self.books.orders.len() as u64 + 1;
        self.books.orders.push(OrderRow { broker_id: broker(number), ..super::updates::row_of_stranger(900, side, 1) });
        self.push(number as usize - 1);
    }

    /// Books are answered as they were, up to [`LIST_LAG`] ago.
    fn read(&mut self, read: BrokerRead, asked_at: Instant) {
        if self.faulty(30) {
            if self.dice.chance(80) {
                self.later(50, Line::Said(BrokerEvent::ReadFailed { read, what: "DH-908".to_owned() }));
            }
            return;
        }
        let lag = if self.faulty(30) { self.dice.between(0, LIST_LAG) } else { 0 };
        let seen = self.history.iter().rev().find(|(at, _)| *at <= self.now - lag).expect("the books began empty");
        let books = seen.1.clone();
        let said = match read {
            BrokerRead::Orders => BrokerEvent::Orders { asked_at, rows: books.orders },
            BrokerRead::Trades => BrokerEvent::Trades { asked_at, rows: books.trades },
            BrokerRead::Positions => BrokerEvent::Positions { asked_at, rows: positions_of(&books) },
            BrokerRead::ByTag { id } => {
                let rows = books.orders.into_iter().filter(|row| row.tag == Some(id)).collect();
                BrokerEvent::LookedUp { asked_at, id, rows }
            }
        };
        let delay = if self.faulty(20) { self.dice.between(100, 6_000) } else { self.dice.between(5, 60) };
        self.later(delay, Line::Said(said));
    }

    /// We place something, or change or cancel what we believe to be working.
    fn act(&mut self) {
        let working: Vec<Order> =
            self.desk.orders.values().filter(|o| matches!(o.state, OrderState::Working { .. })).cloned().collect();
        match self.dice.roll(4) {
            0 | 1 => {
                let side = if self.dice.chance(60) { OrderSide::Buy } else { OrderSide::Sell };
                let s = spec(self.next, side, limit(self.dice.between(95, 105)), self.dice.between(1, 4));
                self.next += 1;
                self.placed_at.insert(s.id, self.now);
                self.desk.orders.insert(s.id, Order::sent(s, ms(self.now)));
                self.call(Command::Place(s));
            }
            2 if !working.is_empty() => {
                let order = &working[self.dice.roll(working.len() as u64) as usize];
                let id = order.spec.id;
                // Like the order manager: one change of an order at a time.
                if self.desk.r.own[&id].changes.is_empty() && self.desk.r.own[&id].cancel.is_none() {
                    let version = self.versions.entry(id).or_default();
                    *version += 1;
                    let version = *version;
                    let lots = order.spec.qty.get() / LOT + self.dice.between(0, 2);
                    let (order_type, qty) = (limit(self.dice.between(90, 110)), Qty::new(lots * LOT));
                    self.desk.orders.get_mut(&id).unwrap().modification_sent(version, qty);
                    self.call(Command::Modify { id, instrument: SLOT, version, order_type, qty });
                }
            }
            3 if !working.is_empty() => {
                let id = working[self.dice.roll(working.len() as u64) as usize].spec.id;
                if self.desk.r.own[&id].changes.is_empty() && self.desk.r.own[&id].cancel.is_none() {
                    self.call(Command::Cancel { id, instrument: SLOT });
                }
            }
            _ => {}
        }
    }

    fn absorb(&mut self, out: Reconciled) {
        for finding in &out.findings {
            if let Finding::ProvenAbsent { id, .. } = finding
                && let Some(arrived) = self.arrived.get(id)
                && let Some(row) = self.index_of(*id)
            {
                let inside = self.placed_at[id] + 45_000 - LIST_LAG;
                assert!(*arrived > inside, "{id} arrived at {arrived} and was declared absent: {row}");
            }
        }
        for command in out.commands {
            assert!(matches!(command, Command::Cancel { .. }), "nothing else is ever sent from here");
            self.transmit(command);
        }
        for read in out.reads {
            let delay = self.dice.between(1, 30);
            self.later(delay, Line::Read(read, ms(self.now)));
        }
    }

    /// Runs everything up to `until`.
    fn run(&mut self, until: i64) {
        loop {
            let wake = self.desk.r.wake_at().map_or(i64::MAX, |at| (at.nanos() - ms(0).nanos()).div_euclid(1_000_000));
            let next = self.line.keys().next().map_or(i64::MAX, |(at, _)| *at);
            if wake.min(next) > until {
                self.now = until;
                return;
            }
            if wake <= next {
                self.now = self.now.max(wake);
                let out = self.desk.timer(ms(self.now));
                self.absorb(out);
                continue;
            }
            self.now = next;
            match self.line.pop_first().expect("peeked").1 {
                Line::Arrives(command, left_at) => self.arrives(command, left_at),
                Line::Said(said) => {
                    let out = self.desk.hear(ms(self.now), said);
                    self.absorb(out);
                }
                Line::Read(read, asked_at) => self.read(read, asked_at),
                Line::Executes(id, price) => self.executes(id, price),
                Line::Stranger(side) => self.stranger(side),
                Line::Act => self.act(),
            }
        }
    }

    /// Our view of every order is the broker's.
    fn check(&self) {
        let lost: BTreeSet<ClientOrderId> =
            self.desk.r.own.values().filter(|o| o.lost.is_some()).map(|o| o.spec.id).collect();
        for (id, order) in &self.desk.orders {
            let own = &self.desk.r.own[id];
            let Some(i) = self.index_of(*id) else {
                let is_dead = matches!(order.state, OrderState::Absent | OrderState::Rejected { .. });
                assert!(is_dead, "the broker never had {id}: {:?}", order.state);
                continue;
            };
            let row = &self.books.orders[i];
            let trades: Vec<&TradeRow> = self.books.trades.iter().filter(|t| t.broker_id == row.broker_id).collect();
            let money: Money = trades.iter().map(|t| t.price * t.qty).sum();
            assert_eq!(own.executed(), row.filled, "evidence of {id}");
            assert_eq!(own.trades.len(), trades.len(), "trades of {id}");
            if lost.contains(id) {
                assert!(row.status.is_final(), "a lost order was taken back or ended: {row:?}");
                assert_eq!(order.filled() + own.unmanaged(), row.filled, "every unit of {id} is somebody's");
                continue;
            }
            assert_eq!((order.filled(), order.turnover()), (row.filled, money), "{id}: {row:?}");
            let agrees = match &order.state {
                OrderState::Filled => row.status == BrokerStatus::Traded,
                OrderState::Cancelled { .. } => matches!(row.status, BrokerStatus::Cancelled | BrokerStatus::Traded),
                OrderState::Rejected { .. } => row.status == BrokerStatus::Rejected,
                OrderState::Working { .. } => !row.status.is_final(),
                // Refused on its late arrival: as good as never arrived.
                OrderState::Absent => row.status == BrokerStatus::Rejected,
                OrderState::Sent { .. } | OrderState::InDoubt { .. } => false,
            };
            assert!(agrees, "{id}: we say {:?}, the broker {:?}", order.state, row.status);
            if !row.status.is_final() {
                let shows = (order.spec.order_type.limit(), order.spec.qty) == (row.price, row.qty);
                let is_told = self.desk.findings.iter().any(|f| matches!(f, Finding::Altered { id: i, .. } if i == id));
                assert!(shows || is_told || row.filled > Qty::ZERO, "{id}: terms {:?}, row {row:?}", order.spec);
            }
        }
        assert!(!self.desk.r.own.values().any(Own::is_in_doubt), "nothing is unknown any more");
        let expected = if lost.is_empty() && self.desk.found("CONTRADICTION") == 0 { None } else { self.desk.block() };
        assert_eq!(self.desk.block(), expected, "{:#?}", self.desk.findings);
        assert_ne!(self.desk.block(), Some("POSITION_DIFFERS"), "the nets are explained");
    }
}

fn positions_of(books: &Books) -> Vec<PositionRow> {
    let units = |side| books.orders.iter().filter(|r| r.side == side).map(|r| r.filled.get()).sum::<i64>() / LOT;
    let row = position(units(OrderSide::Buy), units(OrderSide::Sell));
    if row.day_bought == row.day_sold && row.day_bought == Qty::ZERO { vec![] } else { vec![row] }
}

/// One run; returns what happened, for the counts of what was reached.
fn run(seed: u64) -> World {
    let mut w = World::new(seed);
    let acts = w.dice.between(5, 30);
    for _ in 0..acts {
        let after = w.dice.between(0, FAULTS_UNTIL);
        w.later(after, Line::Act);
    }
    for _ in 0..w.dice.roll(4) {
        let (after, side) = (w.dice.between(0, FAULTS_UNTIL), OrderSide::Buy);
        w.later(after, Line::Stranger(side));
    }
    for _ in 0..w.dice.roll(3) {
        let after = w.dice.between(0, FAULTS_UNTIL);
        w.later(after, Line::Said(BrokerEvent::PushLink { up: false }));
        w.later(after + 3_000, Line::Said(BrokerEvent::PushLink { up: true }));
    }
    w.run(FAULTS_UNTIL);
    // The last fault is the last thing on its way that was sent off by one.
    let quiet_from = w.last_fault.max(FAULTS_UNTIL);
    w.run(quiet_from + 60_000);
    w.check();
    let said = (w.desk.reports.len(), w.desk.findings.len(), w.desk.commands.len());
    let (now, books) = (ms(w.now), w.books.clone());
    w.desk.round(now, &books.orders, &books.trades, &positions_of(&books));
    w.desk.round(now + Age::from_secs(2), &books.orders, &books.trades, &positions_of(&books));
    let again = (w.desk.reports.len(), w.desk.findings.len(), w.desk.commands.len());
    assert_eq!(again, said, "reconciling once more says nothing (I25): {:?}", &w.desk.findings[said.1..]);
    w
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_line_does_our_view_becomes_the_brokers(seed in any::<u64>()) {
        // I1, I5, I9, I10, I11, I25, I33, L2, L3.
        run(seed);
    }
}

#[test]
fn the_model_reaches_what_it_is_there_for() {
    let mut codes: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for seed in 0..600 {
        let w = run(seed);
        for finding in &w.desk.findings {
            *codes.entry(finding.code()).or_default() += 1;
        }
        for report in &w.desk.reports {
            let text = format!("{report:?}");
            let kind = text.split([' ', '(', '{']).next().unwrap_or_default().to_owned();
            *kinds.entry(kind).or_default() += 1;
        }
    }
    eprintln!("{codes:?} {kinds:?}");
    for code in ["IN_DOUBT", "PROVEN_ABSENT", "LATE_ARRIVAL", "UNMANAGED", "FOREIGN"] {
        assert!(codes.get(code).is_some_and(|n| *n >= 5), "{code}: {codes:?}");
    }
    for kind in ["Accepted", "Traded", "Filled", "Modified", "ModifyRefused", "Cancelled", "CancelRefused", "Rejected"]
    {
        assert!(kinds.get(kind).is_some_and(|n| *n >= 20), "{kind}: {kinds:?}");
    }
}
