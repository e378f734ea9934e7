//! The broker's back office around the exchange's matching: order numbers, life cycles, checks with their reasons,
//! trades, positions, cash. A state machine in session time without clock, thread or socket of its own.
//!
//! An order lives `TRANSIT -> PENDING -> PART_TRADED* -> TRADED | CANCELLED | REJECTED | EXPIRED`. The reply to a
//! placement says TRANSIT; everything after it is an [`Update`]. Reading order: [`request`] and [`order`], then
//! `calls` (what comes in), `checks`, `reports` (what the exchange says), [`ledger`] and [`positions`] (the books),
//! [`super_orders`], [`controls`], `day_end`.

mod calls;
mod checks;
pub mod controls;
mod day_end;
pub mod ledger;
pub mod order;
pub mod positions;
mod reports;
pub mod request;
pub mod super_orders;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, NaiveDate};
use scalper_decide::domain::charges::OutsideCharges;
use scalper_decide::domain::{
    Age, Bps, ChargeBook, ChargeRates, ClientOrderId, Exchange, Instant, Money, SessionHours, Tick,
};
use scalper_decide::venue_sim::{FillModel, FillModelKind, VenueOutput, VenueSim};

use super::agenda::Agenda;
use super::board::Board;
use controls::{Controls, SweepStep};
use ledger::Ledger;
use order::{OmsError, OrderNo, OrderRow, Trade, Update};
use positions::Positions;
use super_orders::SuperOrders;

/// Modifications the broker takes of one order (dhan-v2.md 5.3).
pub const MODIFICATIONS: u8 = 25;
/// First two digits of every order number.
const PREFIX: u64 = 11;

/// How the broker behaves.
#[derive(Debug, Clone, PartialEq)]
pub struct OmsConfig {
    /// How the exchange matches, and how long ways there and back take.
    pub model: FillModel,
    /// Money in the account before the first day.
    pub opening_cash: Money,
    /// Longest correlation id; a longer one fails the whole order. 25 was found, 30 is written (dhan-v2.md 8.1).
    pub longest_correlation: usize,
    /// From a placement to the rejection by the broker's own risk checks.
    pub risk_check_delay: Age,
    /// What a short option blocks, of strike x units: span and exposure as one share.
    pub short_margin: Bps,
    /// Whether a MARKET order shows as LIMIT in the books.
    pub market_shows_as_limit: bool,
    /// Whether the broker closes intraday positions by itself towards the close. The venue of a backtest has no such
    /// broker.
    pub squares_off: bool,
    /// From cancelling what rests to selling what is held, when the broker closes positions.
    pub sweep_pause: Age,
    /// After that long the broker tries again.
    pub sweep_retry: Age,
}

impl Default for OmsConfig {
    fn default() -> OmsConfig {
        OmsConfig {
            model: FillModel::named(FillModelKind::Base),
            opening_cash: Money::from_rupees(1_000_000),
            longest_correlation: 25,
            risk_check_delay: Age::from_millis(20),
            short_margin: Bps::from_percent(12),
            market_shows_as_limit: true,
            squares_off: true,
            sweep_pause: Age::from_secs(2),
            sweep_retry: Age::from_secs(30),
        }
    }
}

/// Something the back office does by itself later.
#[derive(Debug, Clone)]
enum Due {
    /// The risk checks reject an order.
    Reject(OrderNo, OmsError),
    /// The risk checks refuse a change.
    RefuseChange(OrderNo, OmsError),
    /// The next step of closing positions.
    Sweep(SweepStep),
}

/// A report of the exchange on its way here.
#[derive(Debug, Clone)]
struct Incoming {
    output: VenueOutput,
    /// The exchange ended the order, nobody asked for it.
    lapsed: bool,
}

/// The back office. Calls happen at the time of the last `Oms::step` or tick; see `super::Simulator`.
pub struct Oms {
    config: OmsConfig,
    charge_book: ChargeBook,
    rates: BTreeMap<Exchange, ChargeRates>,
    venue: VenueSim,
    outputs: Vec<VenueOutput>,
    incoming: Agenda<Incoming>,
    agenda: Agenda<Due>,
    hours: Option<SessionHours>,
    /// Between open and close the exchange takes orders.
    is_open: bool,
    halted: bool,
    orders: BTreeMap<OrderNo, OrderRow>,
    live: BTreeSet<OrderNo>,
    by_tag: BTreeMap<String, Vec<OrderNo>>,
    /// First number of today.
    first_today: OrderNo,
    sequence: u64,
    exchange_sequence: u64,
    trades: Vec<Trade>,
    first_trade_today: usize,
    immediate: Vec<OrderNo>,
    ledger: Ledger,
    positions: Positions,
    supers: SuperOrders,
    controls: Controls,
    outbox: Vec<Update>,
}

impl Oms {
    /// A back office before its first day.
    pub fn new(config: OmsConfig, charge_book: ChargeBook) -> Oms {
        Oms {
            venue: VenueSim::new(config.model),
            ledger: Ledger::new(config.opening_cash),
            config,
            charge_book,
            rates: BTreeMap::new(),
            outputs: Vec::new(),
            incoming: Agenda::default(),
            agenda: Agenda::default(),
            hours: None,
            is_open: false,
            halted: false,
            orders: BTreeMap::new(),
            live: BTreeSet::new(),
            by_tag: BTreeMap::new(),
            first_today: OrderNo(0),
            sequence: 0,
            exchange_sequence: 0,
            trades: Vec::new(),
            first_trade_today: 0,
            immediate: Vec::new(),
            positions: Positions::default(),
            supers: SuperOrders::default(),
            controls: Controls::default(),
            outbox: Vec::new(),
        }
    }

    /// Whether the broker closes intraday positions by itself.
    pub(super) const fn squares_off(&self) -> bool {
        self.config.squares_off
    }

    /// Begins a day: fresh books, carried positions, today's contracts at the exchange.
    pub(super) fn open_day(&mut self, hours: &SessionHours, board: &Board) -> Result<(), OutsideCharges> {
        self.rates.clear();
        for exchange in [Exchange::Nse, Exchange::Bse] {
            self.rates.insert(exchange, self.charge_book.on(exchange, hours.day)?);
        }
        // Slots mean something else every day, so the exchange starts afresh with them.
        self.venue = VenueSim::new(self.config.model);
        for listed in board.listed() {
            self.venue.list(&listed.instrument);
        }
        self.venue.open_session(hours);
        let (year, month, day) = (hours.day.year().unsigned_abs() % 100, hours.day.month(), hours.day.day());
        let date = u64::from(year * 10_000 + month * 100 + day);
        self.first_today = OrderNo((PREFIX * 1_000_000 + date) * 1_000_000);
        self.sequence = 0;
        self.exchange_sequence = (13 * 1_000_000 + date) * 100_000_000;
        self.by_tag.clear();
        self.first_trade_today = self.trades.len();
        self.positions.open_day(board);
        self.ledger.open_day();
        self.supers.open_day();
        self.controls = Controls::default();
        self.hours = Some(hours.clone());
        self.halted = false;
        Ok(())
    }

    /// The opening bell.
    pub(super) fn bell(&mut self) {
        self.is_open = true;
    }

    /// Stops or resumes trading. A purge takes every resting order off the book.
    pub(super) fn halt(&mut self, halted: bool, purges: bool, now: Instant) {
        self.halted = halted;
        if let Some(hours) = self.hours.clone()
            && halted
            && purges
        {
            self.venue.close_session(now, &mut self.outputs);
            self.queue_outputs(true);
            self.venue.open_session(&hours);
        }
    }

    /// When something happens here by itself; [`Instant::MAX`] when nothing does.
    pub(super) fn next_due(&self) -> Instant {
        let arrival = self.venue.wake_at().unwrap_or(Instant::MAX);
        arrival.min(self.incoming.next_at()).min(self.agenda.next_at())
    }

    /// Does the next thing that is due by `now`: orders reach the exchange, then reports come back, then own work.
    pub(super) fn step(&mut self, now: Instant, board: &Board) {
        if self.venue.wake_at().is_some_and(|at| at <= now) {
            self.venue.advance(now, &mut self.outputs);
            self.queue_outputs(false);
        } else if let Some(incoming) = self.incoming.take_due(now) {
            self.apply(incoming, now, board);
        } else if let Some(due) = self.agenda.take_due(now) {
            match due {
                Due::Reject(order_no, error) => self.reject(order_no, now, error),
                Due::RefuseChange(order_no, error) => self.refuse_change(order_no, now, error),
                Due::Sweep(step) => self.sweep(step, now, board),
            }
        }
    }

    /// Matches the exchange's orders with a tick. The board does not know the tick yet.
    pub(super) fn on_tick(&mut self, tick: &Tick) {
        self.venue.on_tick(tick, &mut self.outputs);
        if !self.immediate.is_empty() && tick.flags.is_decidable() {
            self.end_immediate(tick);
        }
        if !self.outputs.is_empty() {
            self.queue_outputs(false);
        }
    }

    /// Looks at legs and thresholds once the board knows the tick.
    pub(super) fn after_tick(&mut self, tick: &Tick, board: &Board) {
        if !self.is_open || !tick.flags.is_decidable() || tick.ltp_paise <= 0 {
            return;
        }
        self.watch_legs(tick, board);
        self.watch_profit(tick, board);
    }

    /// An IOC order has had its chance when a tick of its contract came after it reached the exchange.
    fn end_immediate(&mut self, tick: &Tick) {
        let (at, orders) = (tick.received_at, &mut self.orders);
        let mut over = Vec::new();
        self.immediate.retain(|order_no| {
            let row = orders.get_mut(order_no).expect("orders stay");
            let had_it = row.listed.slot() == tick.instrument && row.hidden.arrives <= at;
            if had_it {
                row.hidden.ioc_over = true;
                over.push((*order_no, row.listed.slot()));
            }
            !had_it && row.is_live()
        });
        for (order_no, instrument) in over {
            // The exchange itself takes the rest back: no way to go.
            let command = scalper_decide::domain::Command::Cancel { id: venue_id(order_no), instrument };
            self.venue.submit(at - self.config.model.order_latency, command);
            self.venue.advance(at, &mut self.outputs);
        }
    }

    fn queue_outputs(&mut self, lapsed: bool) {
        for output in self.outputs.drain(..) {
            self.incoming.add(output.deliver_at, Incoming { output, lapsed });
        }
    }

    /// Updates since the last call, in order.
    pub(super) fn take_updates(&mut self, into: &mut Vec<Update>) {
        into.append(&mut self.outbox);
    }

    /// The day whose books are open.
    fn today(&self) -> Option<NaiveDate> {
        self.hours.as_ref().map(|hours| hours.day)
    }

    /// Orders of the day, in the order they were placed.
    pub fn orders(&self) -> impl Iterator<Item = &OrderRow> {
        self.orders.range(self.first_today..).map(|(_, row)| row)
    }

    /// An order of the day by its number.
    pub fn order(&self, order_no: OrderNo) -> Option<&OrderRow> {
        self.orders.get(&order_no).filter(|row| row.order_no >= self.first_today)
    }

    /// The orders of the day that carry a tag, in the order they were placed.
    pub fn orders_tagged(&self, correlation: &str) -> Vec<&OrderRow> {
        self.by_tag.get(correlation).into_iter().flatten().map(|no| &self.orders[no]).collect()
    }

    /// Trades of the day, in the order they were booked.
    pub fn trades(&self) -> &[Trade] {
        &self.trades[self.first_trade_today..]
    }

    /// Every order of every day.
    pub fn all_orders(&self) -> impl Iterator<Item = &OrderRow> {
        self.orders.values()
    }

    /// Every trade of every day.
    pub fn all_trades(&self) -> &[Trade] {
        &self.trades
    }

    /// Positions per contract and product.
    pub const fn positions(&self) -> &Positions {
        &self.positions
    }

    /// Cash and what moved it.
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Super orders of the day.
    pub const fn supers(&self) -> &SuperOrders {
        &self.supers
    }

    /// Kill switch and P&L exit.
    pub const fn controls(&self) -> &Controls {
        &self.controls
    }
}

/// The exchange side's name of an order.
fn venue_id(order_no: OrderNo) -> ClientOrderId {
    ClientOrderId::parse(&order_no.to_string()).expect("digits make a well-formed id")
}
