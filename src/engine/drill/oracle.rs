//! The invariants, at every event: what the core believes against what really happened at the simulator, which never
//! reads the core. A violation is kept with its invariant's number, so that a planted bug can be proven found.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use scalper_decide::decision_core::Core as _;
use scalper_decide::direct::Direct;
use scalper_decide::domain::alarm::AlarmKey;
use scalper_decide::domain::broker::{BrokerEvent, BrokerStatus};
use scalper_decide::domain::{
    Age, ClientOrderId, Command, Event, Instant, InstrumentId, OrderPurpose, OrderSide, OrderState, PositionId,
    Premium, Qty, SessionCalendar, Tick,
};
use scalper_decide::journal::JournalEntry;
use scalper_decide::reconciler::Finding;

use crate::simulator::Simulator;
use crate::simulator::desk::Desk;
use crate::simulator::oms::order::{OrderNo, OrderRow};

/// A wrong belief about cover is put right within this, whatever one fault does to the news of it.
const WRONG_BELIEF: Age = Age::from_secs(12);
/// An order that arrives so long after it was sent may have been proven absent before (P1, C3).
const HORIZON: Age = Age::from_secs(40);
/// Longest without cover before it is an alarm (I6), with room for the timer itself.
const COVER: Age = Age::from_millis(1_600);
/// Quotes that an entry may rest on.
const QUOTE_AGE: Age = Age::from_secs(5);

/// An invariant that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Violation {
    pub(super) at: String,
    pub(super) invariant: &'static str,
    pub(super) what: String,
}

/// All violations of a run.
#[derive(Debug, Clone, Default)]
pub(super) struct Violations(Arc<Mutex<Vec<Violation>>>);

impl Violations {
    pub(super) fn add(&self, at: Instant, invariant: &'static str, what: String) {
        let mut all = self.0.lock().expect("nothing here panics");
        // Once is enough: most of them go on at every event.
        if all.iter().filter(|v| v.invariant == invariant).count() < 5 {
            all.push(Violation { at: at.ist_text(), invariant, what });
        }
    }

    pub(super) fn all(&self) -> Vec<Violation> {
        self.0.lock().expect("nothing here panics").clone()
    }
}

/// What really happened, as far as our own orders go.
pub(super) struct Truth<'a>(pub(super) &'a Simulator);

impl<'a> Truth<'a> {
    pub(super) fn order(&self, number: &str) -> Option<&'a OrderRow> {
        self.0.oms().order(OrderNo(number.parse().ok()?))
    }

    fn own(&self) -> impl Iterator<Item = &'a OrderRow> + use<'a> {
        self.0.oms().orders().filter(|row| row.correlation.is_some())
    }

    /// Units owned by our executions.
    pub(super) fn net(&self, slot: InstrumentId) -> i64 {
        self.own().filter(|row| row.listed.slot() == slot).map(signed).sum()
    }

    /// Units that orders of ours offer for sale.
    pub(super) fn on_sale(&self, slot: InstrumentId) -> i64 {
        let sells = self.own().filter(|row| row.listed.slot() == slot && row.side == OrderSide::Sell);
        sells.map(OrderRow::remaining).sum()
    }
}

/// Whether an order arrived so late that it may have been proven absent before.
pub(super) fn is_late(row: &OrderRow, sent_at: Instant) -> bool {
    row.created_at.age_of(sent_at) > HORIZON
}

fn signed(row: &OrderRow) -> i64 {
    if row.side == OrderSide::Buy { row.filled } else { -row.filled }
}

/// What the oracle remembers between events.
pub(super) struct Oracle {
    desk: Desk,
    calendar: SessionCalendar,
    /// Whether the line of events is kept.
    keeps_lines: bool,
    violations: Violations,
    /// When an order's end was first believed, and its executions.
    seen: BTreeMap<ClientOrderId, (Option<Instant>, Qty)>,
    stops: BTreeMap<PositionId, Premium>,
    bare_since: BTreeMap<InstrumentId, Instant>,
    last_tick: BTreeMap<InstrumentId, Instant>,
    /// Last alarm about units without cover.
    alarmed: Option<Instant>,
    latched: BTreeMap<String, Instant>,
    /// Orders that were declared dead and lived: units may be sold that nobody can have known of.
    pub(super) late: bool,
    pub(super) findings: BTreeMap<&'static str, usize>,
    pub(super) alarms: BTreeMap<&'static str, usize>,
    pub(super) events: u64,
    pub(super) entries: u64,
    pub(super) closed: u64,
    /// Decisions by code, for people who wonder why nothing is traded.
    pub(super) decisions: BTreeMap<String, usize>,
    pub(super) lines: Vec<String>,
}

impl Oracle {
    pub(super) fn new(desk: Desk, calendar: SessionCalendar, violations: Violations, keeps_lines: bool) -> Oracle {
        Oracle {
            desk,
            calendar,
            keeps_lines,
            violations,
            seen: BTreeMap::new(),
            stops: BTreeMap::new(),
            bare_since: BTreeMap::new(),
            last_tick: BTreeMap::new(),
            alarmed: None,
            latched: BTreeMap::new(),
            late: false,
            findings: BTreeMap::new(),
            alarms: BTreeMap::new(),
            events: 0,
            entries: 0,
            closed: 0,
            decisions: BTreeMap::new(),
            lines: Vec::new(),
        }
    }

    fn wrong(&self, at: Instant, invariant: &'static str, what: String) {
        self.violations.add(at, invariant, what);
    }

    fn line(&mut self, line: impl FnOnce() -> String) {
        if self.keeps_lines {
            self.lines.push(line());
        }
    }

    pub(super) fn tick(&mut self, tick: &Tick) {
        self.last_tick.insert(tick.instrument, tick.received_at);
    }

    /// Looks at everything after an event.
    pub(super) fn look(
        &mut self,
        core: &Direct,
        at: Instant,
        event: Option<&Event>,
        entries: &[JournalEntry],
        commands: &[Command],
    ) {
        self.events += 1;
        self.note(at, entries);
        for command in commands {
            self.line(|| format!("{} {} {command:?}", at.ist_text(), command.order_id()));
            self.may_enter(core, at, command);
        }
        if let Some(Event::Broker(said)) = event {
            self.line(|| match said {
                BrokerEvent::Orders { rows, .. } => format!("{} said {} orders", at.ist_text(), rows.len()),
                BrokerEvent::Trades { rows, .. } => format!("{} said {} trades", at.ist_text(), rows.len()),
                BrokerEvent::Positions { rows, .. } => format!("{} said {} positions", at.ist_text(), rows.len()),
                BrokerEvent::Pushed { row } => format!(
                    "{} said {} {} {:?} {} of {}",
                    at.ist_text(),
                    row.tag.map_or_else(String::new, |tag| tag.to_string()),
                    row.broker_id,
                    row.status,
                    row.filled,
                    row.qty
                ),
                BrokerEvent::Answered { id, call, answer } => {
                    format!("{} said {id} {call:?} {answer:?}", at.ist_text())
                }
                other => format!("{} said {other:?}", at.ist_text()),
            });
        }
        self.beliefs(core, at);
        self.breakers(core, at, event);
        let desk = self.desk.clone();
        desk.look(|sim| self.against(core, at, &Truth(sim)));
    }

    fn note(&mut self, at: Instant, entries: &[JournalEntry]) {
        for entry in entries {
            match entry {
                JournalEntry::Finding { finding, .. } => {
                    self.line(|| format!("{} {finding:?}", at.ist_text()));
                    *self.findings.entry(finding.code()).or_default() += 1;
                    if let Finding::ProvenAbsent { id, lists, lookups, .. } = finding
                        && (lists.len() < 3 || lookups.len() < 3)
                    {
                        self.wrong(at, "I11", format!("{id} is declared absent without proof"));
                    }
                    self.late |= matches!(finding, Finding::LateArrival { .. } | Finding::Unmanaged { .. });
                }
                JournalEntry::Alarm { key, text, .. } => {
                    self.line(|| format!("{} alarm {key:?} {text}", at.ist_text()));
                    *self.alarms.entry(key.code()).or_default() += 1;
                    if *key == AlarmKey::UncoveredUnits {
                        self.alarmed = Some(at);
                    }
                }
                JournalEntry::Report { event, .. } => {
                    self.line(|| format!("{} {} {:?}", at.ist_text(), event.id, event.report));
                }
                JournalEntry::Exit { note, .. } => {
                    self.closed += u64::from(note.reason.is_some());
                    self.line(|| format!("{} exit {:?} {:?}", at.ist_text(), note.position.id, note.reason));
                }
                JournalEntry::Decision(d) => {
                    *self.decisions.entry(format!("{} {}", d.stage.name(), d.code)).or_default() += 1;
                }
                _ => {}
            }
        }
    }

    /// I14: no entry on old prices, on books that differ or on an unknown entry.
    fn may_enter(&mut self, core: &Direct, at: Instant, command: &Command) {
        let Command::Place(spec) = command else { return };
        if spec.purpose != OrderPurpose::Entry {
            return;
        }
        self.entries += 1;
        let underlying = core.universe().get(spec.instrument).underlying();
        let index = core.universe().index_of(underlying).expect("indices are listed");
        for (what, slot) in [("index", index), ("contract", spec.instrument)] {
            let age = self.last_tick.get(&slot).map(|seen| at.age_of(*seen));
            if age.is_none_or(|age| age > QUOTE_AGE) {
                self.wrong(at, "I14", format!("entry {} on a quote of the {what} that is {age:?} old", spec.id));
            }
        }
        let doubt = |id: ClientOrderId| {
            core.orders()
                .orders()
                .any(|(o, _)| o.spec.id == id && core.universe().get(o.spec.instrument).underlying() == underlying)
        };
        if let Some(other) = core.orders().in_doubt().find(|d| doubt(d.id)) {
            self.wrong(at, "I14", format!("entry {} while {other:?}", spec.id));
        }
        if let Some(block) = core.reconciler().entry_block(underlying) {
            self.wrong(at, "I14", format!("entry {} while {block:?}", spec.id));
        }
        if core.risk().day().latches().next().is_some() {
            self.wrong(at, "I13", format!("entry {} behind a latched breaker", spec.id));
        }
    }

    /// What must hold inside the core.
    fn beliefs(&mut self, core: &Direct, at: Instant) {
        let orders = core.orders();
        let owned: Qty = orders.positions().filter(|p| p.is_live()).map(|p| p.owned()).sum();
        let mut on_sale = Qty::ZERO;
        for (order, _) in orders.orders() {
            if order.spec.side == OrderSide::Sell {
                on_sale += order.open_qty() + order.missing_fills();
            }
            let id = order.spec.id;
            let known = self.seen.entry(id).or_insert((None, Qty::ZERO));
            let (over_since, was_filled) = *known;
            *known = (order.state.is_terminal().then(|| over_since.unwrap_or(at)), order.filled());
            if over_since.is_some() && !order.state.is_terminal() {
                self.violations.add(at, "I10", format!("{id} is open again"));
            }
            if order.filled() < was_filled || order.filled() > order.spec.qty && !order.has_unresolved() {
                self.violations.add(at, "I10", format!("{id}: {} filled after {was_filled}", order.filled()));
            }
        }
        if on_sale > owned {
            self.wrong(at, "I2", format!("{on_sale} on sale, {owned} owned"));
        }
        if !core.reconciler().every_open_order_has_a_deadline() {
            self.wrong(at, "I9", "an open order has no deadline".to_owned());
        }
        let capital = core.capital();
        if let (Some(opening), Some(balance)) = (capital.opening_of_day(), capital.balance())
            && opening + capital.realised() - capital.charges() != balance
        {
            self.wrong(at, "I8", format!("{balance} is not {opening} and what was made of it"));
        }
        for guarded in core.risk().guarded() {
            let stop = guarded.protection.stop;
            let best = self.stops.entry(guarded.id).or_insert(stop);
            if stop < *best {
                self.violations.add(at, "I7", format!("the stop of {:?} falls from {best} to {stop}", guarded.id));
            }
            *best = (*best).max(stop);
        }
        for gap in orders.uncovered(at) {
            if gap.age > COVER && self.alarmed.is_none_or(|alarmed| alarmed < gap.since) {
                self.wrong(at, "I6", format!("{gap:?} and no alarm"));
            }
        }
    }

    /// I13: a breaker that was tripped stays so until the next trading day opens, or a person resets it.
    fn breakers(&mut self, core: &Direct, at: Instant, event: Option<&Event>) {
        let now: BTreeMap<String, Instant> =
            core.risk().day().latches().map(|(scope, block)| (format!("{scope:?} {}", block.code()), at)).collect();
        let may_reset = match event {
            Some(Event::Operator(_)) => true,
            Some(Event::SessionOpened { hours, .. }) => {
                let is_session = self.calendar.hours(hours.day).is_ok_and(|hours| hours.is_some());
                is_session && self.latched.values().all(|since| since.ist_date() < hours.day)
            }
            _ => false,
        };
        for (what, since) in &self.latched {
            if !now.contains_key(what) && !may_reset {
                self.violations.add(at, "I13", format!("{what}, latched at {}, is gone", since.ist_text()));
            }
        }
        let before = std::mem::take(&mut self.latched);
        self.latched = now.into_keys().map(|what| (what.clone(), before.get(&what).copied().unwrap_or(at))).collect();
    }

    /// Beliefs against the truth.
    fn against(&mut self, core: &Direct, at: Instant, truth: &Truth<'_>) {
        let rows: BTreeMap<&str, &OrderRow> =
            truth.own().filter_map(|row| row.correlation.as_deref().map(|tag| (tag, row))).collect();
        let mut known: BTreeMap<InstrumentId, i64> = BTreeMap::new();
        let mut unclear: Vec<InstrumentId> = Vec::new();
        for (order, _) in core.orders().orders() {
            let row = rows.get(order.spec.id.as_str());
            self.late |= row.is_some_and(|row| is_late(row, order.sent_at));
        }
        for (order, _) in core.orders().orders() {
            let id = order.spec.id;
            let row = rows.get(id.as_str());
            let filled = row.map_or(0, |row| row.filled);
            if order.filled().get() > filled {
                let what = format!("{id}: {} filled are believed, {filled} were", order.filled());
                self.wrong(at, "I5", what);
            }
            let sign = if order.spec.side == OrderSide::Buy { 1 } else { -1 };
            *known.entry(order.spec.instrument).or_default() += sign * order.filled().get();
            if order.state.is_terminal()
                && let Some(row) = row
                && self.is_wrong_end(&order.state, id, row)
            {
                let what = format!("{id} is {:?} for us and {:?} at the broker", order.state, row.status);
                self.wrong(at, "I11", what);
            }
            let is_unclear =
                matches!(order.state, OrderState::InDoubt { .. } | OrderState::Sent { .. }) || order.has_unresolved();
            if is_unclear {
                unclear.push(order.spec.instrument);
            }
        }
        let mut slots: Vec<InstrumentId> = rows.values().map(|row| row.listed.slot()).collect();
        slots.sort_unstable();
        slots.dedup();
        for slot in slots {
            let (net, on_sale) = (truth.net(slot), truth.on_sale(slot));
            if net < 0 && !self.late {
                self.wrong(at, "I3", format!("{} units of {slot:?} are sold short", -net));
            }
            if on_sale > net.max(0) && !self.late {
                self.wrong(at, "I2", format!("{on_sale} of {slot:?} are on sale, {net} are owned"));
            }
            if net <= on_sale {
                self.bare_since.remove(&slot);
                continue;
            }
            let since = *self.bare_since.entry(slot).or_insert(at);
            let believes_covered = !unclear.contains(&slot)
                && known.get(&slot).copied().unwrap_or_default() == net
                && !core.orders().uncovered(at).iter().any(|gap| gap.instrument == slot);
            if believes_covered && at.age_of(since) > WRONG_BELIEF {
                let what = format!("{} units of {slot:?} rest uncovered since {}", net - on_sale, since.ist_text());
                self.wrong(at, "I6", format!("{what}, and nobody knows"));
            }
        }
    }

    /// Whether an end was believed that the broker's order had not, or that it could never have had.
    fn is_wrong_end(&self, state: &OrderState, id: ClientOrderId, row: &OrderRow) -> bool {
        let ended = self.seen.get(&id).and_then(|(ended, _)| *ended).unwrap_or(Instant::MAX);
        if row.created_at >= ended {
            // It came after it had been proven absent, refused or never sent (C3).
            return false;
        }
        match state {
            OrderState::Absent => true,
            OrderState::Rejected { .. } => row.status != BrokerStatus::Rejected,
            _ => row.is_live(),
        }
    }

    /// I33: a minute after the last fault our books are the broker's.
    pub(super) fn converged(&self, core: &Direct, at: Instant) {
        for doubt in core.orders().in_doubt() {
            self.wrong(at, "I33", format!("{doubt:?}"));
        }
        let desk = self.desk.clone();
        desk.look(|sim| {
            let truth = Truth(sim);
            let rows: BTreeMap<&str, &OrderRow> =
                truth.own().filter_map(|row| row.correlation.as_deref().map(|tag| (tag, row))).collect();
            for (order, _) in core.orders().orders() {
                let id = order.spec.id;
                let row = rows.get(id.as_str());
                let (filled, is_live) = row.map_or((0, false), |row| (row.filled, row.is_live()));
                // Units sold late that nobody owned: told, blocking entries, and nothing that a sell could put right.
                let is_lost = self.late && order.state.is_terminal() && !is_live;
                if order.filled().get() != filled && !is_lost || order.state.is_terminal() == is_live {
                    let what = format!("{id}: {:?} {} for us, {row:?} at the broker", order.state, order.filled());
                    self.wrong(at, "I33", what);
                }
                if !order.state.is_terminal() && order.has_unresolved() {
                    self.wrong(at, "I33", format!("{id}: quantities stay reserved"));
                }
            }
            let mut owned: BTreeMap<InstrumentId, i64> = BTreeMap::new();
            for position in core.orders().positions() {
                *owned.entry(position.instrument).or_default() += position.owned().get();
            }
            for row in rows.values() {
                owned.entry(row.listed.slot()).or_default();
            }
            for (slot, units) in owned {
                let net = truth.net(slot);
                if units != net && !(self.late && units > net) {
                    self.wrong(at, "I33", format!("{units} of {slot:?} are ours, {net} at the broker"));
                }
            }
            let truth = sim.truth();
            for wrong in truth.contradictions() {
                self.wrong(at, "I8", format!("the simulator contradicts itself: {wrong}"));
            }
            if truth.positions.is_empty() && core.orders().is_flat() {
                let ours = core.capital().balance();
                if !self.late && ours != Some(truth.cash) {
                    self.wrong(at, "I8", format!("{ours:?} is our balance, {} the broker's", truth.cash));
                }
            }
        });
        for gap in core.orders().uncovered(at) {
            if gap.age > COVER {
                self.wrong(at, "I33", format!("{gap:?}"));
            }
        }
    }
}
