//! What the broker said, turned into what the order manager may believe (P1, P3). Rows of books, pushed updates and
//! answers are observations: they come late, twice, in any order or not at all. Reports go out once each and never
//! contradict one another; what cannot be reported is a finding.
//!
//! **Late arrivals.** An order proven absent, refused or never sent has ended for the order manager: its position may be
//! closed, its money given back, another stop may rest in its place. Ends absorb (I10), so such an order is never
//! reported again. When it shows up after all (C3) it is *lost*: found, taken back by a cancellation of our own until
//! the broker shows it ended, and every unit it executed is found as unmanaged, for the order manager to take over and
//! flatten. Entries wait until a person has looked ([`Reconciler::acknowledge`]).

mod adopt;
mod changes;
mod doubt;
mod executions;
mod finding;
mod foreign;
mod intake;
mod own;
mod params;
mod positions;
mod reads;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::domain::broker::{BrokerEvent, BrokerOrderId, BrokerRead, OrderRow};
use crate::domain::{
    Age, ClientOrderId, Command, Instant, Instrument, InstrumentId, OrderEvent, OrderReport, Qty, Underlying,
    VenueRefusal,
};
use crate::entry_guard::EntryBlock;

use adopt::Holdings;
pub use finding::{Finding, Reconciled, Terms};
use foreign::{ContractKey, Strangers};
use own::{Own, Stage};
pub use params::ReconcilerParams;
use positions::Positions;
use reads::ReadPlan;

/// A lost order that still lives is cancelled again after this long.
const CANCEL_AGAIN: Age = Age::from_secs(5);

/// How long a count without trade ids makes the trade book be read at the short pace.
const TRADES_CHASE: Age = Age::from_secs(60);

/// The three books of a full round, in the order they are asked for.
const ROUND: [BrokerRead; 3] = [BrokerRead::Orders, BrokerRead::Trades, BrokerRead::Positions];

/// Units we own per contract.
pub type Owned = BTreeMap<InstrumentId, Qty>;

/// The reconciler.
#[derive(Debug, Clone)]
pub struct Reconciler {
    /// `None` where there is no broker to disagree with (backtest, paper).
    params: Option<ReconcilerParams>,
    contracts: BTreeMap<InstrumentId, (ContractKey, Underlying)>,
    own: BTreeMap<ClientOrderId, Own>,
    by_broker_id: BTreeMap<BrokerOrderId, ClientOrderId>,
    strangers: Strangers,
    holdings: Holdings,
    positions: Positions,
    reads: ReadPlan,
    in_session: bool,
    is_linked: bool,
    /// Entries wait for a full round asked for after this.
    round_from: Option<Instant>,
    books_due: Option<Instant>,
    /// Refusals of modifications that were decided before the end of their order was reported, and since when they wait.
    moot: Vec<OrderEvent>,
    moot_since: Option<Instant>,
    /// When a proof of what we own is due: no sell leaves without one around the broker's own square-off (I29).
    proof_due: Option<Instant>,
}

impl Reconciler {
    /// A reconciler that hears nothing, asks nothing and blocks nothing.
    pub const fn off() -> Reconciler {
        Reconciler {
            params: None,
            contracts: BTreeMap::new(),
            own: BTreeMap::new(),
            by_broker_id: BTreeMap::new(),
            strangers: Strangers::EMPTY,
            holdings: Holdings::EMPTY,
            positions: Positions::EMPTY,
            reads: ReadPlan::EMPTY,
            in_session: false,
            is_linked: false,
            round_from: None,
            books_due: None,
            moot: Vec::new(),
            moot_since: None,
            proof_due: None,
        }
    }

    /// A reconciler that has heard nothing yet.
    pub fn new(params: ReconcilerParams) -> Reconciler {
        Reconciler { params: Some(params), ..Reconciler::off() }
    }

    /// Whether it works at all.
    pub const fn is_on(&self) -> bool {
        self.params.is_some()
    }

    /// Whether all three books have been read since the start or the last reconnect; always true where there is no
    /// broker.
    pub const fn is_reconciled(&self) -> bool {
        self.params.is_none() || (self.in_session && self.round_from.is_none())
    }

    /// When the oldest of the three books' last clean reads was asked for.
    pub fn reconciled_at(&self) -> Option<Instant> {
        let asked: Option<Vec<Instant>> = ROUND.iter().map(|read| self.reads.last_clean(*read)).collect();
        asked?.into_iter().min()
    }

    /// Orders of the account that are not ours.
    pub fn foreign_orders(&self) -> usize {
        self.strangers.count()
    }

    /// Learns which contract a slot stands for.
    pub fn list(&mut self, id: InstrumentId, instrument: &Instrument) {
        if self.is_on() {
            self.contracts.insert(id, (ContractKey::of(instrument), instrument.underlying()));
        }
    }

    /// A trading day begins: everything about earlier days is history, and the first round is due.
    pub fn open_session(&mut self, now: Instant) {
        let Some(params) = self.params else { return };
        let (contracts, is_linked) = (std::mem::take(&mut self.contracts), self.is_linked);
        *self = Reconciler { contracts, is_linked, in_session: true, ..Reconciler::new(params) };
        self.books_due = Some(now + params.books_every);
        self.start_round(now);
    }

    /// The trading day is over: one last round.
    pub fn close_session(&mut self, now: Instant) {
        if self.is_on() && self.in_session {
            self.in_session = false;
            self.books_due = None;
            self.want_round(now);
        }
    }

    /// From `at` on the positions are read at the short pace while we own anything (I29, E9).
    pub fn prove_from(&mut self, at: Instant) {
        self.proof_due = self.params.map(|_| at);
    }

    /// A person has looked at what is odd: orders with our mark that are not in our books, late arrivals,
    /// contradictions. Whether any of it kept entries waiting; what comes to light afterwards does so again.
    pub fn acknowledge(&mut self) -> bool {
        let strangers = self.strangers.acknowledge();
        self.own.values_mut().fold(strangers, |changed, own| changed | own.acknowledge())
    }

    /// The order manager has taken `qty` more units over that an order executed beyond its end.
    pub fn adopted(&mut self, id: ClientOrderId, qty: Qty) {
        if let Some(own) = self.own.get_mut(&id) {
            own.adopted += qty;
        }
    }

    /// Units of an order's late executions that the order manager has taken over.
    #[cfg(test)]
    pub(crate) fn adopted_of(&self, id: ClientOrderId) -> Qty {
        self.own.get(&id).map_or(Qty::ZERO, |own| own.adopted)
    }

    /// Net units of late executions that the order manager has taken over.
    #[cfg(test)]
    pub(crate) fn adopted_net(&self) -> i64 {
        self.own.values().map(|own| own::signed(own.spec.side, own.adopted)).sum()
    }

    /// Units that others bought and we took over.
    #[cfg(test)]
    pub(crate) fn taken_units(&self) -> i64 {
        self.holdings.contracts().map(|(contract, _)| self.holdings.taken(contract).get()).sum()
    }

    /// What the youngest list of positions shows of a contract, and when it was asked for. It proves what is there
    /// (I29) and nothing that is not (D12).
    pub fn shown_net(&self, instrument: InstrumentId) -> Option<(Instant, i64)> {
        let (contract, _) = self.contracts.get(&instrument)?;
        self.positions.latest(*contract)
    }

    /// A command has been decided and is on its way.
    ///
    /// # Panics
    /// When it places an order of an instrument that was never listed, or changes an order never placed: bugs here.
    pub fn sent(&mut self, now: Instant, command: &Command) {
        let Some(p) = self.params else { return };
        match command {
            Command::Place(spec) => {
                let (contract, underlying) =
                    *self.contracts.get(&spec.instrument).expect("only listed contracts trade");
                let mut own = Own::new(*spec, contract, underlying, now);
                own.deadline = Some(now + p.answer_timeout);
                let earlier = self.own.insert(spec.id, own);
                assert!(earlier.is_none(), "order id {} sent twice (L2)", spec.id);
            }
            Command::Modify { id, version, order_type, qty, .. } => {
                let own = self.own.get_mut(id).expect("only orders that were placed are modified");
                if matches!(own.stage, Stage::Over { .. }) {
                    // One reading told of several orders; this change was decided on the first before the end of the
                    // second was told. No row will ever show it, so nobody else would say that it came to nothing.
                    let report = OrderReport::ModifyRefused { version: *version, refusal: VenueRefusal::NotOpen };
                    self.moot.push(OrderEvent { id: *id, instrument: own.spec.instrument, report });
                    self.moot_since = Some(now);
                    return;
                }
                own.modify_sent(now, *version, Terms { order_type: *order_type, qty: *qty }, &p);
            }
            Command::Cancel { id, .. } => {
                let own = self.own.get_mut(id).expect("only orders that were placed are cancelled");
                own.cancel_sent(now, &p);
            }
        }
    }

    /// The broker's number of one of our orders, as far as known: what modifications and cancellations need.
    pub fn broker_id(&self, id: &ClientOrderId) -> Option<&BrokerOrderId> {
        self.own.get(id)?.broker_id.as_ref()
    }

    /// Takes in what the broker said. `owned` is what the order manager owns per contract now.
    pub fn hear(&mut self, now: Instant, said: &BrokerEvent, owned: &Owned) -> Reconciled {
        let mut out = Reconciled::default();
        let Some(p) = self.params else { return out };
        match said {
            BrokerEvent::Answered { id, call, answer } => self.answered(now, id, *call, answer, &p, &mut out),
            BrokerEvent::Pushed { row } => {
                self.order_row(now, row, None, &p, &mut out);
            }
            BrokerEvent::Orders { asked_at, rows } => self.order_book(now, *asked_at, rows, &p, &mut out),
            BrokerEvent::Trades { asked_at, rows } => self.trade_book(now, *asked_at, rows, &p, &mut out),
            BrokerEvent::Positions { asked_at, rows } => self.position_list(now, *asked_at, rows, owned, &p, &mut out),
            BrokerEvent::LookedUp { asked_at, id, rows } => self.looked_up(now, *asked_at, *id, rows, &p, &mut out),
            BrokerEvent::ReadFailed { read, .. } => self.reads.failed(*read),
            BrokerEvent::PushLink { up } => {
                if *up && !self.is_linked {
                    // Nothing is replayed after a reconnect (dhan-v2.md 3.1).
                    self.start_round(now);
                }
                self.is_linked = *up;
            }
            BrokerEvent::Resumed => {
                self.is_linked = false;
                self.reads.abandon();
                self.start_round(now);
            }
        }
        self.finish(now, &p, &mut out);
        out
    }

    /// What is due by time: silence to be called doubt, open orders to look at, books to read.
    pub fn on_timer(&mut self, now: Instant) -> Reconciled {
        let mut out = Reconciled::default();
        if let Some(p) = self.params {
            self.finish(now, &p, &mut out);
        }
        out
    }

    /// When [`Reconciler::on_timer`] is wanted next.
    pub fn wake_at(&self) -> Option<Instant> {
        let p = self.params?;
        let deadlines = self.own.values().filter_map(|o| o.deadline);
        deadlines
            .chain(self.books_due)
            .chain(self.proof_due)
            .chain(self.moot_since)
            .chain(self.reads.next(|read| self.gap(read, &p), p.read_timeout))
            .min()
    }

    /// Why no entry may be made in this index now.
    pub fn entry_block(&self, underlying: Underlying) -> Option<EntryBlock> {
        self.params?;
        let block = |code, text: String| Some(EntryBlock { code, text });
        if self.round_from.is_some() {
            return block(
                "RECONCILING",
                "the broker's books have not all been read since the start or reconnect".into(),
            );
        }
        if let Some(id) = self.strangers.has_unknown_own() {
            return block("OWN_UNKNOWN", format!("order {id} carries our mark and is not in our books"));
        }
        if let Some(id) = self.own.values().find(|o| o.is_lost()).map(|o| o.spec.id) {
            return block("LATE_ARRIVAL", format!("order {id} lived or executed beyond its end"));
        }
        if let Some(id) = self.own.values().find(|o| o.contradicted || o.books_differ).map(|o| o.spec.id) {
            return block("BOOKS_DIFFER", format!("the broker's books contradict one another about order {id}"));
        }
        if let Some(instrument) = self.positions.differing() {
            return block(
                "POSITION_DIFFERS",
                format!("the broker's net of instrument {} is unexplained", instrument.0),
            );
        }
        let doubtful = self.own.values().find(|o| o.underlying == underlying && o.is_in_doubt());
        doubtful.and_then(|o| block("IN_DOUBT", format!("the fate of order {} is unknown", o.spec.id)))
    }

    /// Units of `owned` that may be sold according to the broker: `min(owned, max(0, net))`; `None` while no reads
    /// younger than our last execution there agree on a net (E1, I2).
    pub fn sellable(&self, instrument: InstrumentId, owned: Qty) -> Option<Qty> {
        let p = self.params?;
        let (contract, _) = self.contracts.get(&instrument)?;
        let net = self.positions.known_net(*contract, self.executed_at(*contract), &p)?;
        Some(Positions::sellable(owned, net))
    }

    /// Whether every order that the broker may still change has exactly one armed deadline (I9).
    pub fn every_open_order_has_a_deadline(&self) -> bool {
        self.own.values().all(|o| o.is_open() == o.deadline.is_some())
    }

    /// Last execution of ours in a contract.
    fn executed_at(&self, contract: ContractKey) -> Option<Instant> {
        self.own.values().filter(|o| o.contract == contract).filter_map(|o| o.executed_at).max()
    }

    /// Whether our own executions of the day, and what was taken over, leave units in some contract.
    fn owns_anything(&self) -> bool {
        let mut nets: BTreeMap<ContractKey, i64> = BTreeMap::new();
        for own in self.own.values() {
            *nets.entry(own.contract).or_default() += own.net();
        }
        for (contract, _) in self.holdings.contracts() {
            *nets.entry(contract).or_default() += self.holdings.taken(contract).get();
        }
        nets.values().any(|net| *net != 0)
    }

    fn gap(&self, read: BrokerRead, p: &ReconcilerParams) -> Age {
        if read == BrokerRead::Orders { self.poll(p) } else { p.read_gap }
    }

    fn poll(&self, p: &ReconcilerParams) -> Age {
        match (self.in_session, self.is_linked) {
            (false, _) => p.books_every,
            (true, true) => p.poll,
            (true, false) => p.poll_unlinked,
        }
    }

    fn want_round(&mut self, now: Instant) {
        for read in ROUND {
            self.reads.want(read, now);
        }
    }

    fn start_round(&mut self, now: Instant) {
        self.round_from = Some(now);
        self.want_round(now);
    }

    /// The same end of every step: deadlines, doubt by silence, wanted reads.
    fn finish(&mut self, now: Instant, p: &ReconcilerParams, out: &mut Reconciled) {
        out.reports.append(&mut self.moot);
        self.moot_since = None;
        if let Some(from) = self.round_from
            && ROUND.iter().all(|read| self.reads.last_clean(*read).is_some_and(|asked_at| asked_at >= from))
        {
            self.round_from = None;
        }
        let unnamed: Vec<(ContractKey, _, Qty)> = self
            .own
            .values()
            .filter(|o| o.broker_id.is_none() && o.is_open())
            .map(|o| (o.contract, o.spec.side, o.spec.qty))
            .collect();
        let may_be_ours = |row: &OrderRow| unnamed.contains(&(ContractKey::of_row(row), row.side, row.qty));
        self.strangers.tell(may_be_ours, out);
        if !out.findings.is_empty() {
            // Whatever is odd is looked at from all three sides (P3).
            self.want_round(now);
        }
        let poll = self.poll(p);
        let mut chase_trades = false;
        for own in self.own.values_mut() {
            chase_trades |= own.counted.0 > own.traded() && own.executed_at.is_some_and(|at| now < at + TRADES_CHASE);
            if !own.is_open() {
                own.deadline = None;
                self.reads.forget(own.spec.id);
                continue;
            }
            if own.deadline.is_some_and(|at| now < at) {
                continue;
            }
            if own.deadline.is_some() && own.stage == Stage::Sent {
                own.doubt(now, "no answer", out);
            }
            if own.stage == Stage::Doubt {
                self.reads.want(BrokerRead::ByTag { id: own.spec.id }, now);
            }
            own.watch_transit(now, p, out);
            self.reads.want(BrokerRead::Orders, now);
            own.deadline = Some(now + if own.stage == Stage::Doubt { p.read_gap } else { poll });
        }
        if chase_trades {
            self.reads.want(BrokerRead::Trades, now);
        }
        if self.books_due.is_some_and(|at| now >= at) {
            // The orders too: a foreign order whose update was lost explains the positions.
            self.want_round(now);
            self.books_due = Some(now + p.books_every);
        }
        if self.proof_due.is_some_and(|at| now >= at) {
            let owns = self.in_session && self.owns_anything();
            if owns {
                self.reads.want(BrokerRead::Positions, now);
            }
            self.proof_due = self.in_session.then(|| now + if owns { p.read_gap } else { p.poll });
        }
        // Units were missing, and something executed since: what is there now must be read anew (E1).
        if self.positions.short().any(|c| self.positions.known_net(c, self.executed_at(c), p).is_none()) {
            self.reads.want(BrokerRead::Positions, now);
        }
        let gap_of_orders = self.poll(p);
        let gap = |read| if read == BrokerRead::Orders { gap_of_orders } else { p.read_gap };
        out.reads = self.reads.take_due(now, gap, p.read_timeout);
        assert!(self.every_open_order_has_a_deadline(), "an open order would be forgotten (I9)");
    }
}
