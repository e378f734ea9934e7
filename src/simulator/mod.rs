//! The exchange and the broker's back office as one deterministic state machine in session time, without any network.
//!
//! Servers stand around it: they read the clock, call [`Simulator::advance`], hand out the ticks and updates of each
//! [`Step`], and turn requests into calls. Same seed and same calls at the same session times give the same books,
//! however time is cut into steps. [`Simulator::truth`] is the oracle that harnesses compare a client against; it
//! reads nothing but what happened here.
//!
//! Rooms: [`market`] (where prices come from), [`board`] and [`bars`] (what is known of each instrument), [`oms`] (orders and
//! books), [`account`] and [`limits`] (who may ask, how often), [`answers`] (quotes, chains, candles), [`desk`] (what the
//! servers share), [`rest`] and [`sockets`] (the broker's API), [`faults`] (what goes wrong with it), [`server`] (all of
//! it running).

pub mod account;
pub mod agenda;
pub mod answers;
pub mod bars;
pub mod board;
pub mod desk;
pub mod faults;
pub mod limits;
pub mod market;
pub mod oms;
pub mod rest;
pub mod server;
mod session;
pub mod sockets;
#[cfg(test)]
mod tests;
pub mod truth;

use std::collections::{BTreeMap, VecDeque};

use scalper_decide::domain::broker::Product;
use scalper_decide::domain::{Age, ChargeBook, IndexPrice, Instant, Money, SessionHours, Tick, Underlying};

use agenda::Agenda;
use bars::PastDay;
use board::Board;
use market::{Key, Market, MarketDay, MarketError, TickQueue};
use oms::controls::{PnlExit, Products};
use oms::ledger::MarginAnswer;
use oms::order::{Leg, OrderNo, Update};
use oms::request::{ApiError, ModifyRequest, PlaceRequest, Reply, SuperChange, SuperRequest};
use oms::{Oms, OmsConfig};
use session::Bell;

pub use session::Notice;

/// Before the open, when a day begins: the pre-open is quiet.
const PRE_OPEN: Age = Age::from_mins(15);
/// After the close, until a day is settled and over.
const DAY_END: Age = Age::from_mins(1);

/// How the simulator behaves.
#[derive(Debug, Clone, PartialEq)]
pub struct SimConfig {
    /// The broker's back office.
    pub oms: OmsConfig,
    /// Days whose index bars are kept, today not counted. Bars of contracts are kept for one day.
    pub history_days: usize,
}

impl Default for SimConfig {
    fn default() -> SimConfig {
        SimConfig { oms: OmsConfig::default(), history_days: 10 }
    }
}

/// What happened in one step, in order of time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Step {
    /// Ticks; their `instrument` is a slot of the day, see [`Simulator::board`].
    pub ticks: Vec<Tick>,
    /// Changes of orders.
    pub updates: Vec<Update>,
    /// Turns of the day.
    pub notices: Vec<Notice>,
}

impl Step {
    /// Forgets everything, keeping its memory.
    pub fn clear(&mut self) {
        self.ticks.clear();
        self.updates.clear();
        self.notices.clear();
    }
}

/// The simulator. Calls happen at [`Simulator::now`], the time last advanced to.
pub struct Simulator {
    market: Box<dyn Market>,
    history_days: usize,
    oms: Oms,
    board: Board,
    past: VecDeque<PastDay>,
    now: Instant,
    day: Option<SessionHours>,
    planned: Option<MarketDay>,
    queue: TickQueue,
    bells: Agenda<Bell>,
    halted: bool,
    settlements: BTreeMap<Underlying, (IndexPrice, String)>,
}

impl Simulator {
    /// A simulator at the pre-open of its market's first day, which has begun: the first [`Notice`] is its opening.
    ///
    /// # Errors
    /// The market has no first day, or it cannot be read.
    pub fn new(mut market: Box<dyn Market>, config: SimConfig, charges: ChargeBook) -> Result<Simulator, MarketError> {
        let past = market.history()?.into();
        let first = market.next_day()?;
        let first = first.ok_or_else(|| MarketError::NoDay { title: market.title(), from: chrono::NaiveDate::MIN })?;
        let now = first.hours.open_at() - PRE_OPEN;
        let mut simulator = Simulator {
            market,
            history_days: config.history_days.max(1),
            oms: Oms::new(config.oms, charges),
            board: Board::default(),
            past,
            now,
            day: None,
            planned: Some(first),
            queue: TickQueue::empty(),
            bells: Agenda::default(),
            halted: false,
            settlements: BTreeMap::new(),
        };
        simulator.bells.add(now, Bell::DayBegins);
        simulator.ring(now, &mut Step::default())?;
        simulator.trim();
        Ok(simulator)
    }

    /// Name of the market.
    pub fn title(&self) -> String {
        self.market.title()
    }

    /// The time reached.
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// Hours of the day that is running, or of the last one after its end.
    pub const fn hours(&self) -> Option<&SessionHours> {
        self.day.as_ref()
    }

    /// Hours of the day after the one that has ended; `None` while a day runs, or when there is no further one.
    pub fn next_hours(&self) -> Option<&SessionHours> {
        self.planned.as_ref().map(|day| &day.hours)
    }

    /// When something happens next; [`Instant::MAX`] when the market is over. At the end of a day this is the pre-open
    /// of the next one, so a clock may jump there.
    pub fn next_at(&self) -> Instant {
        self.queue.next_at().min(self.oms.next_due()).min(self.bells.next_at())
    }

    /// Whether the market has no more days.
    pub fn is_over(&self) -> bool {
        self.next_at() == Instant::MAX
    }

    /// Moves on to `to`, or to where `max_ticks` ticks (at least 1) have been added to `step`, never between two things
    /// of one instant; adds to `step` what happened and returns the time reached. Time never goes back.
    ///
    /// At one instant bells come first, then orders reach the exchange, reports come back, the back office does its
    /// own work, and ticks are last.
    ///
    /// # Errors
    /// The market cannot be read, or a dated table ends.
    pub fn advance(&mut self, to: Instant, max_ticks: usize, step: &mut Step) -> Result<Instant, MarketError> {
        let full = step.ticks.len().saturating_add(max_ticks.max(1));
        loop {
            let next = self.next_at();
            if next > to {
                self.now = self.now.max(to);
                break;
            }
            if step.ticks.len() >= full && next > self.now {
                break;
            }
            self.now = self.now.max(next);
            if self.bells.next_at() <= next {
                self.ring(next, step)?;
            } else if self.oms.next_due() <= next {
                self.oms.step(next, &self.board);
            } else if let Some(tick) = self.queue.pop()? {
                self.take(tick, step);
            }
            self.oms.take_updates(&mut step.updates);
        }
        self.oms.take_updates(&mut step.updates);
        Ok(self.now)
    }

    fn take(&mut self, tick: Tick, step: &mut Step) {
        let over = self.day.as_ref().is_none_or(|hours| tick.received_at > hours.close_at() + DAY_END);
        if self.halted || over {
            return;
        }
        self.oms.on_tick(&tick);
        self.board.take(&tick);
        self.oms.after_tick(&tick, &self.board);
        step.ticks.push(tick);
    }

    /// Instruments, last prices and the day's figures.
    pub const fn board(&self) -> &Board {
        &self.board
    }

    /// Days before today that are kept, oldest first.
    pub const fn past(&self) -> &VecDeque<PastDay> {
        &self.past
    }

    /// Orders, trades, positions and cash as the broker shows them.
    pub const fn oms(&self) -> &Oms {
        &self.oms
    }

    /// The compact instrument master of the day (dhan-v2.md 10.4).
    pub fn master_csv(&self) -> String {
        market::master::compact_csv(self.board.listed())
    }

    /// Takes a new order. See [`Oms`] for what comes after the reply.
    ///
    /// # Errors
    /// DH-905 for a request that is no order, DH-906 when none can be taken now.
    pub fn place(&mut self, request: &PlaceRequest) -> Result<Reply, ApiError> {
        self.oms.place(request, None, self.now, &self.board)
    }

    /// Takes a quantity above the freeze limit as several orders with one tag.
    ///
    /// # Errors
    /// As [`Simulator::place`], by the first child.
    pub fn place_sliced(&mut self, request: &PlaceRequest) -> Result<Vec<Reply>, ApiError> {
        self.oms.place_sliced(request, self.now, &self.board)
    }

    /// Asks for new terms of an order; quantity is the total.
    ///
    /// # Errors
    /// DH-905 for an unknown order or bad terms, DH-906 when it cannot be modified any more.
    pub fn modify(&mut self, request: &ModifyRequest) -> Result<Reply, ApiError> {
        self.oms.modify(request, self.now, &self.board)
    }

    /// Asks to take an order back.
    ///
    /// # Errors
    /// DH-905 for an unknown order, DH-906 when nothing is left to cancel.
    pub fn cancel(&mut self, order_no: OrderNo) -> Result<Reply, ApiError> {
        self.oms.cancel(order_no, self.now)
    }

    /// Takes a super order.
    ///
    /// # Errors
    /// DH-905 for unusable legs, else as [`Simulator::place`].
    pub fn place_super(&mut self, request: &SuperRequest) -> Result<Reply, ApiError> {
        self.oms.place_super(request, self.now, &self.board)
    }

    /// Changes one leg of a super order.
    ///
    /// # Errors
    /// DH-905 for an unknown order or bad prices, DH-906 when that leg is over.
    pub fn modify_super(&mut self, entry: OrderNo, change: &SuperChange) -> Result<Reply, ApiError> {
        self.oms.modify_super(entry, change, self.now, &self.board)
    }

    /// Cancels one leg of a super order; the entry leg cancels all.
    ///
    /// # Errors
    /// DH-905 for an unknown order, DH-906 when that leg is over.
    pub fn cancel_super(&mut self, entry: OrderNo, leg: Leg) -> Result<Reply, ApiError> {
        self.oms.cancel_super(entry, leg, self.now)
    }

    /// Switches trading off or on for the day.
    ///
    /// # Errors
    /// DH-906 when it is to be switched off with open positions or pending orders.
    pub fn kill_switch(&mut self, on: bool) -> Result<(), ApiError> {
        self.oms.kill_switch(on)
    }

    /// Sets the P&L exit of the day; a threshold already reached fires at once.
    ///
    /// # Errors
    /// DH-905 without a usable threshold or product.
    pub fn set_pnl_exit(&mut self, exit: PnlExit) -> Result<(), ApiError> {
        self.oms.set_pnl_exit(exit, self.now, &self.board)
    }

    /// Takes the P&L exit back.
    pub fn clear_pnl_exit(&mut self) {
        self.oms.clear_pnl_exit();
    }

    /// Cancels every order and leaves every position.
    ///
    /// # Errors
    /// DH-906 when the market is closed.
    pub fn exit_all(&mut self) -> Result<(), ApiError> {
        self.oms.exit_all(self.now)
    }

    /// Moves units of a position from one product to another.
    ///
    /// # Errors
    /// DH-906 when fewer are held.
    pub fn convert(&mut self, key: Key, from: &Product, to: &Product, units: i64) -> Result<(), ApiError> {
        self.oms.convert(key, from, to, units)
    }

    /// What an order would block.
    ///
    /// # Errors
    /// DH-905 for a request that is no order.
    pub fn margin(&self, request: &PlaceRequest) -> Result<MarginAnswer, ApiError> {
        self.oms.margin_for(request, &self.board)
    }

    /// The day's result of some products, before charges.
    pub fn day_profit(&self, products: Products) -> Money {
        self.oms.day_profit(products, &self.board)
    }
}
