//! The simulated venue of backtest and paper: a pure order book side that says what an exchange would have said.
//!
//! # What it promises
//!
//! - **No older book** (P23, P25, P26): a command decided at `t` reaches the venue at `t + order_latency` and trades
//!   first on a tick of its own contract received at or after that. The clock is [`Tick::received_at`], because it is
//!   the clock decisions are stamped with and it resolves the order of events; exchange times have whole seconds and
//!   mean the last trade, not the book. A received book is older than its receive time, which is why the order
//!   latency includes the age of a book. Ticks that are not decidable never fill, trigger or set a price.
//! - **Buys at the ask, sells at the bid** (F-90), up to five recorded levels, each up to a share of its displayed
//!   quantity, in whole lots; the remainder rests. What we took is not offered again until the level changes.
//! - **Without a book** the last price stands in the middle of a modelled spread, with an assumed size.
//! - **Inside a bar** the points are drawn, not observed, so a sell is priced from the bar's lowest point so far and
//!   a buy from its highest: a fill lies inside the recorded range plus half spread and slippage.
//! - **Delay is never luck**: no unit trades better than the worst price its order could have had since the decision,
//!   within its limit. So a limit that has once been out of reach fills at its own price, and for one order over the
//!   same ticks the four models are ordered in price, time and quantity. On points of bars this memory does not apply
//!   (a fill must lie inside its bar), so there the order holds for fills on one tick.
//! - **A stop** triggers on the last price, as at the exchange, in every model: triggering on the bid would let a worse
//!   model leave earlier. It then is a limit; when the market has gapped beyond it, it rests and somebody must chase.
//! - **Refusals are typed** ([`VenueRefusal`]): closed market, expired contract, lot, freeze, tick, price band, trigger
//!   side, used id, order not open, too many modifications.
//!
//! # The four models
//!
//! | | optimistic | base | pessimistic | stressed | reason |
//! |---|---|---|---|---|---|
//! | order latency, ms | 20 | 150 | 400 | 900 | co-located; home line and broker API; a slow broker; a broker in trouble. Below one second, so a decision at the end of a bar meets the opening point of the next in every model |
//! | report latency, ms | 10 | 50 | 150 | 400 | way back only |
//! | half spread, bps | 10 | 20 | 20 | 40 | NIFTY near the money (2025-08-29, 306 snapshots): median 10-14, 99 % under 23. A last price can be the far side of the spread, so base charges twice the median |
//! | half spread, ticks at least | 1 | 2 | 2 | 4 | median under Rs 50 is one tick |
//! | slippage, ticks | 0 | 0 | 1 | 2 | somebody was first; a resting limit must be traded through by as much |
//! | share of displayed size | 100 % | 100 % | 50 % | 25 % | others want it too |
//! | size without a book, lots | 20 | 20 | 20 | 20 | median best level there is 9 to 21 lots and four more levels follow; the share applies |
//!
//! One lot may be taken wherever at least one is displayed, so that a thin book delays an exit but cannot forbid it.

mod model;
mod offers;
mod rules;
mod side;
mod slot;
mod working;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};

use chrono::{Datelike, NaiveDate};
use serde::Serialize;

pub use model::{FillModel, FillModelKind};
pub use rules::{MODIFICATION_LIMIT, PriceBand};

use crate::domain::order::Fill;
use crate::domain::{
    ClientOrderId, Command, Instant, Instrument, InstrumentId, OptionContract, OrderEvent, OrderReport, OrderSide,
    OrderSpec, OrderType, Premium, Qty, SessionHours, Tick, TickFlags, TradeId, Underlying, VenueRefusal,
};
use offers::{Ledger, offers};
use rules::Wish;
use slot::Slot;
use working::{Flight, Working};

/// What the venue says, and when it is heard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VenueOutput {
    /// When the report arrives here. Later than the event by the report latency.
    pub deliver_at: Instant,
    /// The report.
    pub event: OrderEvent,
    /// The tick that a trigger or an execution happened on.
    pub tick: Option<FillContext>,
}

/// The tick behind a trigger or an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FillContext {
    /// Its last traded price; zero when nothing had traded.
    pub ltp: Premium,
    /// Whether it is a point of a bar.
    pub synthesised: bool,
}

#[derive(Debug, Clone)]
struct Session {
    day: NaiveDate,
    windows: Vec<(Instant, Instant)>,
}

impl Session {
    fn contains(&self, at: Instant) -> bool {
        self.windows.iter().any(|(open, close)| *open <= at && at < *close)
    }
}

/// Cold state of one instrument.
#[derive(Debug, Clone, Default)]
struct Desk {
    /// Terms; `None` for what cannot be traded.
    terms: Option<OptionContract>,
    /// The series has been settled.
    settled: bool,
    ledger: Ledger,
}

/// The simulated venue. Deterministic: the same calls give the same outputs.
///
/// The driver calls, in order of time: [`open_session`](Self::open_session) and [`list`](Self::list), then for every
/// tick [`on_tick`](Self::on_tick), for every command [`submit`](Self::submit), at [`wake_at`](Self::wake_at)
/// [`advance`](Self::advance), and at the end [`close_session`](Self::close_session). It delivers outputs by
/// `deliver_at`, equal ones in the sequence they were given.
#[derive(Debug, Clone)]
pub struct VenueSim {
    model: FillModel,
    band: PriceBand,
    slots: Vec<Slot>,
    desks: Vec<Desk>,
    /// In order of arrival: time priority.
    working: Vec<Working>,
    /// In order of arrival.
    flights: VecDeque<Flight>,
    /// Arrival of the first flight, [`Instant::MAX`] without one.
    next_arrival: Instant,
    seen: BTreeSet<ClientOrderId>,
    session: Option<Session>,
    last_trade: u64,
}

impl VenueSim {
    /// A venue without instruments, before its first session.
    pub fn new(model: FillModel) -> VenueSim {
        VenueSim {
            model,
            band: PriceBand::default(),
            slots: Vec::new(),
            desks: Vec::new(),
            working: Vec::new(),
            flights: VecDeque::new(),
            next_arrival: Instant::MAX,
            seen: BTreeSet::new(),
            session: None,
            last_trade: 0,
        }
    }

    /// The same venue with another price band.
    #[must_use]
    pub const fn with_price_band(mut self, band: PriceBand) -> VenueSim {
        self.band = band;
        self
    }

    /// The assumptions in force.
    pub const fn model(&self) -> &FillModel {
        &self.model
    }

    /// Makes an instrument known, or replaces its terms. Only options can be traded.
    pub fn list(&mut self, instrument: &Instrument) {
        let slot = instrument.id.slot();
        if self.slots.len() <= slot {
            self.slots.resize(slot + 1, Slot::default());
            self.desks.resize(slot + 1, Desk::default());
        }
        let desk = &mut self.desks[slot];
        let terms = instrument.option().copied();
        if desk.terms.map(|t| t.expiry) != terms.map(|t| t.expiry) {
            desk.settled = false;
        }
        desk.terms = terms;
    }

    /// Begins a trading day: prices, ids and trade numbers start afresh.
    ///
    /// # Panics
    /// When orders of the day before were not ended by [`close_session`](Self::close_session): a bug of the driver.
    pub fn open_session(&mut self, hours: &SessionHours) {
        assert!(self.working.is_empty() && self.flights.is_empty(), "the session before was not closed");
        let windows = hours.windows.iter().map(|w| (hours.at(w.open), hours.at(w.close))).collect();
        self.session = Some(Session { day: hours.day, windows });
        self.slots.fill(Slot::default());
        for desk in &mut self.desks {
            desk.ledger = Ledger::default();
        }
        self.seen.clear();
        // yyyymmdd and nine digits: unique over days, and growing.
        let day =
            u64::from(hours.day.year().unsigned_abs()) * 10_000 + u64::from(hours.day.month() * 100 + hours.day.day());
        self.last_trade = self.last_trade.max(day * 1_000_000_000);
    }

    /// Ends the trading day: commands still on their way are refused, working orders lapse with what they executed.
    pub fn close_session(&mut self, now: Instant, out: &mut Vec<VenueOutput>) {
        self.advance(now, out);
        while let Some(flight) = self.take_flight() {
            self.refuse(now, &flight.command, VenueRefusal::MarketClosed, out);
        }
        self.lapse(now, |_| true, out);
        self.session = None;
    }

    /// Settles a series: its working orders lapse, and no more are taken.
    pub fn settle(&mut self, underlying: Underlying, expiry: NaiveDate, now: Instant, out: &mut Vec<VenueOutput>) {
        self.advance(now, out);
        for desk in &mut self.desks {
            desk.settled |= desk.terms.is_some_and(|t| t.underlying == underlying && t.expiry == expiry);
        }
        let settled: BTreeSet<InstrumentId> =
            self.working.iter().map(|o| o.instrument).filter(|id| self.desks[id.slot()].settled).collect();
        self.lapse(now, |order| settled.contains(&order.instrument), out);
    }

    /// Sends a command; it reaches the venue at `now + order_latency`.
    pub fn submit(&mut self, now: Instant, command: Command) {
        let arrives = now + self.model.order_latency;
        let side = match command {
            Command::Place(spec) => Some(spec.side),
            Command::Modify { id, .. } => self.side_of(id),
            Command::Cancel { .. } => None,
        };
        let unknown = Slot::default();
        let slot = match self.slots.get_mut(command.instrument().slot()) {
            Some(slot) => {
                slot.live += 1;
                slot
            }
            None => &unknown,
        };
        let flight = Flight::new(arrives, command, side, slot);
        let at = self.flights.partition_point(|f| f.arrives <= arrives);
        self.flights.insert(at, flight);
        self.next_arrival = self.flights[0].arrives;
    }

    /// When the next command arrives; the driver calls [`advance`](Self::advance) then.
    pub fn wake_at(&self) -> Option<Instant> {
        self.flights.front().map(|flight| flight.arrives)
    }

    /// Lets every command due by `now` arrive: accepted, refused, modified or cancelled, but never executed; that
    /// takes a later tick.
    pub fn advance(&mut self, now: Instant, out: &mut Vec<VenueOutput>) {
        while self.next_arrival <= now {
            let Some(flight) = self.take_flight() else { return };
            self.arrive(flight, out);
        }
    }

    /// Matches the orders of one instrument with its next tick.
    pub fn on_tick(&mut self, tick: &Tick, out: &mut Vec<VenueOutput>) {
        if !tick.flags.is_decidable() {
            return;
        }
        let Some(slot) = self.slots.get_mut(tick.instrument.slot()) else { return };
        if slot.live == 0 {
            slot.observe(tick);
        } else {
            self.match_tick(tick, out);
        }
    }

    /// Orders at the venue now.
    pub fn working_orders(&self) -> usize {
        self.working.len()
    }

    fn match_tick(&mut self, tick: &Tick, out: &mut Vec<VenueOutput>) {
        // Arrivals are judged by the prices before this tick.
        self.advance(tick.received_at, out);
        let id = tick.instrument;
        let slot = &mut self.slots[id.slot()];
        slot.observe(tick);
        let Desk { terms: Some(terms), settled: false, ledger } = &mut self.desks[id.slot()] else { return };
        if !self.session.as_ref().is_some_and(|session| session.contains(tick.received_at)) {
            return;
        }
        ledger.refresh(tick);
        let mut buy = offers(&self.model, terms, slot, tick, OrderSide::Buy, ledger);
        let mut sell = offers(&self.model, terms, slot, tick, OrderSide::Sell, ledger);
        for flight in self.flights.iter_mut().filter(|f| f.command.instrument() == id) {
            let offers = if flight.side == Some(OrderSide::Buy) { &buy } else { &sell };
            let order = flight.command.order_id();
            let filled = self.working.iter().find(|o| o.id == order).map_or(Qty::ZERO, |o| o.filled);
            flight.see(filled, tick, offers);
        }
        let context = FillContext { ltp: tick.premium(), synthesised: tick.flags.has(TickFlags::SYNTHESISED) };
        let at = tick.received_at;
        let mut done = 0;
        for order in self.working.iter_mut().filter(|o| o.instrument == id) {
            let offers = if order.side == OrderSide::Buy { &mut buy } else { &mut sell };
            let outcome = order.meet(tick, offers, ledger);
            let mut say = |report| {
                out.push(VenueOutput {
                    deliver_at: at + self.model.report_latency,
                    event: OrderEvent { id: order.id, instrument: id, report },
                    tick: Some(context),
                });
            };
            if outcome.triggered {
                say(OrderReport::Triggered);
            }
            for (price, qty) in outcome.fills {
                self.last_trade += 1;
                say(OrderReport::Filled(Fill { trade: TradeId(self.last_trade), qty, price, at }));
            }
            done += u32::from(order.is_done());
        }
        if done > 0 {
            slot.live -= done;
            self.working.retain(|order| !order.is_done());
        }
    }

    fn take_flight(&mut self) -> Option<Flight> {
        let flight = self.flights.pop_front()?;
        self.next_arrival = self.flights.front().map_or(Instant::MAX, |next| next.arrives);
        if let Some(slot) = self.slots.get_mut(flight.command.instrument().slot()) {
            slot.live -= 1;
        }
        Some(flight)
    }

    fn side_of(&self, id: ClientOrderId) -> Option<OrderSide> {
        let placed = |flight: &Flight| match flight.command {
            Command::Place(spec) if spec.id == id => Some(spec.side),
            _ => None,
        };
        let working = self.working.iter().find(|o| o.id == id).map(|o| o.side);
        working.or_else(|| self.flights.iter().find_map(placed))
    }

    fn arrive(&mut self, flight: Flight, out: &mut Vec<VenueOutput>) {
        let at = flight.arrives;
        let answer = match flight.command {
            Command::Place(spec) => self.place(spec, &flight),
            Command::Modify { id, version, order_type, qty, .. } => self.modify(id, version, order_type, qty, &flight),
            Command::Cancel { id, .. } => self.cancel(at, id),
        };
        match answer {
            Ok(report) => self.say(at, &flight.command, report, out),
            Err(refusal) => self.refuse(at, &flight.command, refusal, out),
        }
    }

    fn place(&mut self, spec: OrderSpec, flight: &Flight) -> Result<OrderReport, VenueRefusal> {
        if !self.seen.insert(spec.id) {
            return Err(VenueRefusal::DuplicateId);
        }
        let OrderSpec { id, instrument, side, order_type, qty, .. } = spec;
        self.check(instrument, side, order_type, qty, flight)?;
        self.slots[instrument.slot()].live += 1;
        self.working.push(Working {
            id,
            instrument,
            side,
            order_type,
            qty,
            filled: Qty::ZERO,
            triggered: false,
            modifications: 0,
            version: 0,
            since: flight.arrives,
            memory: flight.memory,
        });
        Ok(OrderReport::Accepted)
    }

    fn modify(
        &mut self,
        id: ClientOrderId,
        version: u8,
        order_type: OrderType,
        qty: Qty,
        flight: &Flight,
    ) -> Result<OrderReport, VenueRefusal> {
        let at = self.working.iter().position(|o| o.id == id).ok_or(VenueRefusal::NotOpen)?;
        let order = &mut self.working[at];
        if order.modifications >= MODIFICATION_LIMIT {
            return Err(VenueRefusal::ModificationLimit);
        }
        order.modifications += 1;
        let Working { instrument, side, filled, triggered, version: in_force, .. } = *order;
        if version <= in_force {
            return Err(VenueRefusal::Other(format!("modification {version} after {in_force}")));
        }
        if triggered && order_type.trigger().is_some() {
            return Err(VenueRefusal::Other("the stop has triggered; only a limit can follow".to_owned()));
        }
        self.check(instrument, side, order_type, qty, flight)?;
        if qty <= filled {
            return Err(VenueRefusal::Other(format!("total quantity {qty} with {filled} executed")));
        }
        let order = &mut self.working[at];
        order.order_type = order_type;
        order.qty = qty;
        order.version = version;
        order.since = flight.arrives;
        order.memory = flight.memory;
        Ok(OrderReport::Modified { version, order_type, qty })
    }

    fn cancel(&mut self, now: Instant, id: ClientOrderId) -> Result<OrderReport, VenueRefusal> {
        let at = self.working.iter().position(|o| o.id == id).ok_or(VenueRefusal::NotOpen)?;
        if !self.session.as_ref().is_some_and(|session| session.contains(now)) {
            return Err(VenueRefusal::MarketClosed);
        }
        let order = self.working.remove(at);
        self.slots[order.instrument.slot()].live -= 1;
        Ok(OrderReport::Cancelled { filled: order.filled })
    }

    /// Whether the venue would have an order on these terms now.
    fn check(
        &self,
        instrument: InstrumentId,
        side: OrderSide,
        order_type: OrderType,
        qty: Qty,
        flight: &Flight,
    ) -> Result<(), VenueRefusal> {
        let session = self.session.as_ref().filter(|session| session.contains(flight.arrives));
        let session = session.ok_or(VenueRefusal::MarketClosed)?;
        let desk = self.desks.get(instrument.slot());
        let Some(Desk { terms: Some(terms), settled, .. }) = desk else {
            return Err(VenueRefusal::Other(format!("no tradable contract in slot {}", instrument.0)));
        };
        if *settled || terms.expiry < session.day {
            return Err(VenueRefusal::Expired);
        }
        let (reference, furthest_last) = (flight.reference, flight.memory.furthest_last);
        rules::check(terms, self.band, &Wish { side, order_type, qty, reference, furthest_last })
    }

    /// Ends the working orders that `lapses` picks.
    fn lapse(&mut self, now: Instant, lapses: impl Fn(&Working) -> bool, out: &mut Vec<VenueOutput>) {
        let deliver_at = now + self.model.report_latency;
        let slots = &mut self.slots;
        self.working.retain(|order| {
            if !lapses(order) {
                return true;
            }
            slots[order.instrument.slot()].live -= 1;
            let report = OrderReport::Cancelled { filled: order.filled };
            let event = OrderEvent { id: order.id, instrument: order.instrument, report };
            out.push(VenueOutput { deliver_at, event, tick: None });
            false
        });
    }

    fn refuse(&self, at: Instant, command: &Command, refusal: VenueRefusal, out: &mut Vec<VenueOutput>) {
        let report = match command {
            Command::Place(_) => OrderReport::Rejected { refusal },
            Command::Modify { version, .. } => OrderReport::ModifyRefused { version: *version, refusal },
            Command::Cancel { .. } => OrderReport::CancelRefused { refusal },
        };
        self.say(at, command, report, out);
    }

    fn say(&self, at: Instant, command: &Command, report: OrderReport, out: &mut Vec<VenueOutput>) {
        let event = OrderEvent { id: command.order_id(), instrument: command.instrument(), report };
        out.push(VenueOutput { deliver_at: at + self.model.report_latency, event, tick: None });
    }
}
