//! What the journal amounts to, as rows. The same events and answers give the same rows, live or recomputed; they are
//! written in the transaction of the segment they come from, so no table is ever ahead of the journal or behind it.

mod rows;

use std::collections::BTreeMap;

use scalper_decide::capital_allocator::HoldState;
use scalper_decide::decision_core::Books;
use scalper_decide::direct::Direct;
use scalper_decide::domain::{
    Age, ClientOrderId, Command, Event, HoldId, Instant, Order, OrderEvent, OrderReport, OrderSide, Position,
    PositionId, PositionPhase, Stamp, Underlying, Universe,
};
use scalper_decide::journal::{ExitNote, JournalEntry};
use scalper_decide::order_manager::PositionChange;
use scalper_decide::risk_manager::{ApprovedEntry, EntryBlock, GuardedPosition};

use rows::{OrderBook, PositionBook, Traded, report_name};

use super::link::{Value, values};
use super::tables::{BREAKER, DECISIONS, FILLS, HOLDS, ORDER_EVENTS, RISK_EVENTS, RowChange, Table};

/// Session time between two looks at what the stages know.
const LOOK_EVERY: Age = Age::from_secs(15);

/// What the deciding stages know beside what they answer: asked at each commit.
pub trait CoreView {
    /// Positions under guard.
    fn guarded(&self, each: &mut dyn FnMut(&GuardedPosition));
    /// Latched breakers; `None` is the account.
    fn latches(&self, each: &mut dyn FnMut(Option<Underlying>, &EntryBlock));
    /// Where a hold stands.
    fn hold(&self, id: HoldId) -> Option<HoldState>;
}

impl CoreView for Books {
    fn guarded(&self, each: &mut dyn FnMut(&GuardedPosition)) {
        self.risk.guarded().for_each(each);
    }
    fn latches(&self, each: &mut dyn FnMut(Option<Underlying>, &EntryBlock)) {
        self.risk.day().latches().for_each(|(scope, block)| each(scope, block));
    }
    fn hold(&self, id: HoldId) -> Option<HoldState> {
        self.capital.state(id)
    }
}

impl CoreView for Direct {
    fn guarded(&self, each: &mut dyn FnMut(&GuardedPosition)) {
        self.risk().guarded().for_each(each);
    }
    fn latches(&self, each: &mut dyn FnMut(Option<Underlying>, &EntryBlock)) {
        self.risk().day().latches().for_each(|(scope, block)| each(scope, block));
    }
    fn hold(&self, id: HoldId) -> Option<HoldState> {
        self.capital().state(id)
    }
}

/// Folds events and answers into rows.
#[derive(Debug, Default)]
pub struct Projector {
    day: String,
    universe: Universe,
    orders: BTreeMap<ClientOrderId, OrderBook>,
    positions: BTreeMap<PositionId, PositionBook>,
    holds: BTreeMap<HoldId, (PositionId, HoldState)>,
    latched: BTreeMap<(Option<Underlying>, &'static str), Stamp>,
    pending: BTreeMap<(&'static str, Vec<Value>), RowChange>,
    /// Number of the next line of the present event, per event.
    line: (u64, i64),
    /// When the stages are asked next; never before a session that is traded has opened.
    next_look: Option<Instant>,
}

impl Projector {
    /// A projector at the beginning of a day.
    pub fn new() -> Projector {
        Projector::default()
    }

    fn put(&mut self, table: &'static Table, values: Vec<Value>) {
        let row = RowChange::new(table, values);
        self.pending.insert((table.name, row.key().to_vec()), row);
    }

    fn line(&mut self, stamp: Stamp) -> i64 {
        if self.line.0 != stamp.seq.0 {
            self.line = (stamp.seq.0, 0);
        }
        self.line.1 += 1;
        self.line.1
    }

    /// Takes in one event and what the stages answered to it, in order.
    pub fn note(&mut self, stamp: Stamp, event: &Event, entries: &[JournalEntry]) {
        match event {
            Event::SessionOpened { hours, warm_up, .. } => {
                // Instruments keep their slots over days, everything else is of one day.
                let (universe, pending) = (std::mem::take(&mut self.universe), std::mem::take(&mut self.pending));
                let next_look = (!warm_up).then_some(stamp.at);
                *self = Projector { day: hours.day.to_string(), universe, pending, next_look, ..Projector::default() };
            }
            Event::Listed { instrument } => {
                self.universe.list(instrument.clone());
            }
            Event::Operator(command) => {
                let detail = serde_json::to_string(command).expect("plain values");
                self.risk_event(stamp, "operator", detail);
            }
            _ => {}
        }
        if self.day.is_empty() {
            self.day = stamp.at.ist_date().to_string();
        }
        for entry in entries {
            self.entry(stamp, entry);
        }
    }

    fn entry(&mut self, stamp: Stamp, entry: &JournalEntry) {
        match entry {
            JournalEntry::Decision(d) => {
                let line = self.line(stamp);
                let (day, underlying) = (self.day.clone(), d.underlying.symbol());
                let at = stamp.at.nanos();
                let row = values![day, stamp.seq.0, line, at, underlying, d.stage.name(), d.code, d.text.as_str()];
                self.put(&DECISIONS, row);
            }
            JournalEntry::Bar { .. } => {}
            JournalEntry::Finding { finding, .. } => {
                let detail = serde_json::to_string(finding).expect("plain values");
                self.risk_event(stamp, "finding", detail);
            }
            JournalEntry::Alarm { key, text, .. } => self.risk_event(stamp, key.code(), text.clone()),
            JournalEntry::Operated { answer, .. } => {
                let detail = serde_json::to_string(answer).expect("plain values");
                self.risk_event(stamp, "operated", detail);
            }
            JournalEntry::Configured { changes, .. } => {
                let detail = serde_json::to_string(changes).expect("plain values");
                self.risk_event(stamp, "configured", detail);
            }
            JournalEntry::Entry { note, .. } => self.opened(stamp, note.position, &note.entry),
            JournalEntry::Adopted { note, .. } => self.opened(stamp, note.position, &note.entry),
            JournalEntry::Command { command, .. } => self.command(stamp, command),
            JournalEntry::Report { event, .. } => self.report(stamp, event),
            JournalEntry::Change { change, .. } => self.change(stamp, change),
            JournalEntry::Exit { note, .. } => self.ended(stamp, note),
        }
    }

    fn risk_event(&mut self, stamp: Stamp, kind: &str, detail: String) {
        let line = self.line(stamp);
        let row = values![self.day.clone(), stamp.seq.0, line, stamp.at.nanos(), kind, detail];
        self.put(&RISK_EVENTS, row);
    }

    fn order_event(&mut self, stamp: Stamp, id: ClientOrderId, direction: &str, kind: &str, detail: String) {
        let line = self.line(stamp);
        let day = self.day.clone();
        let row = values![day, stamp.seq.0, line, stamp.at.nanos(), id.as_str(), direction, kind, detail];
        self.put(&ORDER_EVENTS, row);
    }

    fn opened(&mut self, stamp: Stamp, position: PositionId, entry: &ApprovedEntry) {
        self.positions.insert(position, PositionBook::opened(entry));
        self.write_position(stamp, position);
    }

    fn command(&mut self, stamp: Stamp, command: &Command) {
        let id = command.order_id();
        let kind = match command {
            Command::Place(spec) => {
                let order = Order::sent(*spec, stamp.at);
                self.orders.insert(id, OrderBook { order, modifications: 0, reason: None });
                "place"
            }
            Command::Modify { version, qty, .. } => {
                if let Some(book) = self.orders.get_mut(&id) {
                    book.order.modification_sent(*version, *qty);
                    book.modifications = book.modifications.max(*version);
                }
                "modify"
            }
            Command::Cancel { .. } => "cancel",
        };
        let detail = serde_json::to_string(command).expect("plain values");
        self.order_event(stamp, id, "out", kind, detail);
        self.write_order(stamp, id);
    }

    fn report(&mut self, stamp: Stamp, event: &OrderEvent) {
        let detail = serde_json::to_string(&event.report).expect("plain values");
        self.order_event(stamp, event.id, "in", report_name(&event.report), detail);
        let Some(book) = self.orders.get_mut(&event.id) else { return };
        let fills_before = book.order.fills().count();
        // A report that contradicts what is known halts the core; the row keeps what was known before it.
        let Ok(order) = book.order.clone().apply(&event.report) else { return };
        book.order = order;
        let (side, fills_after) = (book.order.spec.side, book.order.fills().count());
        let refusal = match &event.report {
            OrderReport::Rejected { refusal } => Some(refusal.to_string()),
            _ => None,
        };
        if let Some(refusal) = &refusal {
            book.reason = Some(refusal.clone());
        }
        if let OrderReport::Filled(fill) = &event.report {
            let row = values![
                self.day.clone(),
                event.id.as_str(),
                fill.trade.to_string(),
                side.to_string(),
                fill.qty.get(),
                fill.price.paise(),
                fill.at.nanos(),
                stamp.seq.0,
            ];
            // The same fill twice is one fill, with the number of its first report (I5).
            if fills_after > fills_before {
                self.put(&FILLS, row);
            }
        }
        self.write_order(stamp, event.id);
        if let Some(refusal) = refusal {
            self.risk_event(stamp, "order_refused", format!("{}: {refusal}", event.id));
        }
    }

    fn change(&mut self, stamp: Stamp, change: &PositionChange) {
        let id = change.position();
        let traded = self.traded(id);
        let Some(book) = self.positions.get_mut(&id) else { return };
        match change {
            PositionChange::Bought { cost, owned, charges, .. } => {
                book.bought += *owned - book.owned;
                book.owned = *owned;
                book.paid += cost.paise();
                book.charges += charges.paise();
                book.opened_at = book.opened_at.or(Some(stamp.at.nanos()));
            }
            PositionChange::EntryDone { .. } => {
                if book.state == "opening" {
                    book.state = "open";
                }
            }
            PositionChange::Sold { proceeds, owned, charges, .. } => {
                book.sold += book.owned - *owned;
                book.owned = *owned;
                book.received += proceeds.paise();
                book.charges += charges.paise();
            }
            PositionChange::Closed { reason, net, .. } => {
                book.state = "closed";
                book.exit_reason = Some(reason.code());
                book.net = Some(net.paise());
                book.closed_at = Some(stamp.at.nanos());
            }
            // The orders know what was really paid and received; a settlement is not theirs.
            PositionChange::Repriced { charges, .. } => {
                book.paid = traded.paid;
                if book.sold == traded.sold {
                    book.received = traded.received;
                }
                book.charges += charges.paise();
            }
            PositionChange::Abandoned { .. } => book.state = "abandoned",
            PositionChange::Unprotected { .. } => {}
            PositionChange::Unresolved { .. } => book.state = "unresolved",
        }
        self.write_position(stamp, id);
        match change {
            PositionChange::Unprotected { .. } => self.risk_event(stamp, "unprotected", format!("position {id}")),
            PositionChange::Unresolved { owned, .. } => {
                self.risk_event(stamp, "unresolved", format!("position {id}, {owned} units"));
            }
            _ => {}
        }
    }

    /// What the orders of a position amount to.
    fn traded(&self, id: PositionId) -> Traded {
        let mut traded = Traded::default();
        for book in self.orders.values().filter(|book| book.order.spec.position == id) {
            match book.order.spec.side {
                OrderSide::Buy => traded.paid += book.order.turnover().paise(),
                OrderSide::Sell => {
                    traded.received += book.order.turnover().paise();
                    traded.sold += book.order.filled();
                }
            }
        }
        traded
    }

    /// The books of a position that has just ended are the last word on it.
    fn ended(&mut self, stamp: Stamp, note: &ExitNote) {
        let Position { id, phase, bought, sold, paid, received, charges, opened_at, .. } = &note.position;
        let Some(book) = self.positions.get_mut(id) else { return };
        book.bought = *bought;
        book.sold = *sold;
        book.owned = *bought - *sold;
        book.paid = paid.paise();
        book.received = received.paise();
        book.charges = charges.total().paise();
        book.opened_at = opened_at.map(|at| at.nanos());
        if let PositionPhase::Closed { at, .. } = phase {
            book.closed_at = Some(at.nanos());
        }
        if let Some(excursion) = &note.excursion {
            book.high_water = Some(excursion.peak.paise());
            book.low_water = Some(excursion.trough.paise());
        }
        self.write_position(stamp, *id);
    }

    /// Whether [`Projector::look`] is due after the event stamped so. It depends on the journal alone: whoever takes the
    /// same events in again asks at the same ones, and gets the same rows.
    #[inline]
    pub fn wants_look(&self, stamp: Stamp) -> bool {
        self.next_look.is_some_and(|at| stamp.at >= at)
    }

    /// Asks the stages what no answer tells: stops and high-water marks, breakers, holds. Whenever it is wanted, right
    /// after the event was noted.
    pub fn look(&mut self, stamp: Stamp, view: &dyn CoreView) {
        self.next_look = Some(stamp.at + LOOK_EVERY);
        let mut moved = Vec::new();
        view.guarded(&mut |guarded| {
            let Some(book) = self.positions.get_mut(&guarded.id) else { return };
            let before = (book.stop, book.stop_rule, book.high_water, book.low_water, book.state);
            book.stop = Some(guarded.protection.stop.paise());
            book.stop_rule = Some(guarded.stop_rule.code());
            book.high_water = Some(guarded.peak.paise());
            book.low_water = Some(guarded.trough.paise());
            book.deadline = Some(guarded.protection.deadline.nanos());
            if let Some(reason) = guarded.exiting
                && matches!(book.state, "opening" | "open")
            {
                book.state = "exiting";
                book.exit_reason = Some(reason.code());
            }
            if before != (book.stop, book.stop_rule, book.high_water, book.low_water, book.state) {
                moved.push(guarded.id);
            }
        });
        for id in moved {
            self.write_position(stamp, id);
        }
        let mut latched = Vec::new();
        view.latches(&mut |scope, block| {
            if !self.latched.contains_key(&(scope, block.code())) {
                latched.push((scope, *block));
            }
        });
        for (scope, block) in latched {
            self.latched.insert((scope, block.code()), stamp);
            let name = scope.map_or("account", Underlying::symbol);
            let at = stamp.at.nanos();
            let row = values![self.day.clone(), name, block.code(), block.to_string(), stamp.seq.0, at];
            self.put(&BREAKER, row);
            self.risk_event(stamp, "breaker_latched", format!("{name}: {block}"));
        }
        let known: Vec<(PositionId, HoldId)> = self.positions.iter().map(|(id, book)| (*id, book.hold)).collect();
        for (position, id) in known {
            let Some(state) = view.hold(id) else { continue };
            if self.holds.insert(id, (position, state)) != Some((position, state)) {
                let name = match state {
                    HoldState::Held { .. } => "held",
                    HoldState::Committed { .. } => "committed",
                    HoldState::Released => "released",
                };
                let (held, committed) = (state.held().paise(), state.committed().paise());
                let row = values![self.day.clone(), id.0, position.0, name, held, committed, stamp.seq.0];
                self.put(&HOLDS, row);
            }
        }
    }

    /// Rows that changed since the last call, one each.
    pub fn take(&mut self) -> Vec<RowChange> {
        std::mem::take(&mut self.pending).into_values().collect()
    }
}
