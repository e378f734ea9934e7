//! Account-wide controls: kill switch, P&L exit, exit-all, the broker's own square-off (dhan-v2.md 7.3; E9, E11, E12).
//!
//! Closing positions takes two steps: first everything that rests is cancelled, a little later what is held goes out
//! as market orders; while something is left, both again.

use scalper_decide::domain::broker::{BrokerOrderType, BrokerStatus, Product};
use scalper_decide::domain::{Instant, Money, OrderSide, Tick};

use super::order::Source;
use super::request::{ApiError, PlaceRequest};
use super::{Due, Oms};
use crate::simulator::board::Board;

/// Which products a control is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Products {
    /// INTRADAY.
    pub intraday: bool,
    /// Everything carried: MARGIN.
    pub delivery: bool,
}

impl Products {
    /// Every product.
    pub const ALL: Products = Products { intraday: true, delivery: true };
    /// Only what the broker squares off the same day.
    pub const INTRADAY: Products = Products { intraday: true, delivery: false };

    fn has(self, product: &Product) -> bool {
        if *product == Product::Intraday { self.intraday } else { self.delivery }
    }
}

/// Leave everything when the day's result reaches a threshold. Valid for the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PnlExit {
    /// Leave at this profit; `None` = no such threshold.
    pub profit: Option<Money>,
    /// Leave at this loss (a positive amount); `None` = no such threshold.
    pub loss: Option<Money>,
    /// What is counted and left.
    pub products: Products,
    /// Switch trading off afterwards.
    pub kill_switch: bool,
}

/// State of the controls.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Controls {
    killed: bool,
    pnl_exit: Option<PnlExit>,
    pnl_exit_fired: bool,
}

impl Controls {
    /// Whether the kill switch is on.
    pub const fn is_killed(&self) -> bool {
        self.killed
    }
    /// The P&L exit in force.
    pub const fn pnl_exit(&self) -> Option<&PnlExit> {
        self.pnl_exit.as_ref()
    }
    /// Whether a P&L exit has fired today.
    pub const fn pnl_exit_fired(&self) -> bool {
        self.pnl_exit_fired
    }
}

/// One step of closing positions.
#[derive(Debug, Clone, Copy)]
pub(super) struct SweepStep {
    products: Products,
    /// Cancel first, else sell.
    cancels: bool,
    /// Switch trading off once flat.
    kill_after: bool,
    /// Try again until the close, else once.
    insists: bool,
}

impl Oms {
    /// Switches trading off or on for the day.
    ///
    /// # Errors
    /// DH-906 when it is to be switched off while a position is open or an order rests.
    pub(in crate::simulator) fn kill_switch(&mut self, on: bool) -> Result<(), ApiError> {
        if on && (!self.live.is_empty() || self.positions.all().any(|p| p.net() != 0)) {
            return Err(ApiError::order("Kill Switch needs all positions closed and no pending orders"));
        }
        self.controls.killed = on;
        Ok(())
    }

    /// Sets the P&L exit; it fires at once when a threshold is already reached.
    ///
    /// # Errors
    /// DH-905 without a usable threshold or product.
    pub(in crate::simulator) fn set_pnl_exit(
        &mut self,
        exit: PnlExit,
        now: Instant,
        board: &Board,
    ) -> Result<(), ApiError> {
        let usable = |m: Option<Money>| m.is_none_or(|m| m > Money::ZERO);
        let products = exit.products.intraday || exit.products.delivery;
        if !usable(exit.profit) || !usable(exit.loss) || (exit.profit.is_none() && exit.loss.is_none()) || !products {
            return Err(ApiError::input("Missing required fields, bad values for parameters etc."));
        }
        self.controls.pnl_exit = Some(exit);
        self.controls.pnl_exit_fired = false;
        self.check_profit(now, board);
        Ok(())
    }

    /// Takes the P&L exit back.
    pub(in crate::simulator) fn clear_pnl_exit(&mut self) {
        self.controls.pnl_exit = None;
    }

    /// The day's result of some products: realised and open, before charges.
    pub fn day_profit(&self, products: Products, board: &Board) -> Money {
        let ltp = |key| board.find(key).map_or(0, |(_, desk)| desk.ltp());
        self.positions.all().filter(|p| products.has(&p.product)).map(|p| p.profit(ltp(p.listed.key()))).sum()
    }

    pub(super) fn watch_profit(&mut self, tick: &Tick, board: &Board) {
        if self.controls.pnl_exit.is_some()
            && self.positions.all().any(|p| p.listed.slot() == tick.instrument && p.net() != 0)
        {
            self.check_profit(tick.received_at, board);
        }
    }

    fn check_profit(&mut self, now: Instant, board: &Board) {
        let Some(exit) = self.controls.pnl_exit else { return };
        let result = self.day_profit(exit.products, board);
        let reached = exit.profit.is_some_and(|p| result >= p) || exit.loss.is_some_and(|l| result <= -l);
        if reached {
            self.controls.pnl_exit = None;
            self.controls.pnl_exit_fired = true;
            self.start_sweep(exit.products, exit.kill_switch, true, now);
        }
    }

    /// Cancels everything that rests and leaves every position, foreign ones too, with market orders.
    ///
    /// # Errors
    /// DH-906 when the market is closed.
    pub(in crate::simulator) fn exit_all(&mut self, now: Instant) -> Result<(), ApiError> {
        if !self.is_open {
            return Err(ApiError::order("Market is Closed! You cannot place an order now."));
        }
        self.start_sweep(Products::ALL, false, false, now);
        Ok(())
    }

    /// The broker closes what is INTRADAY (E9).
    pub(in crate::simulator) fn square_off(&mut self, now: Instant) {
        self.start_sweep(Products::INTRADAY, false, true, now);
    }

    /// Moves units from one product to another.
    ///
    /// # Errors
    /// DH-906 when fewer are held.
    pub(in crate::simulator) fn convert(
        &mut self,
        key: crate::simulator::market::Key,
        from: &Product,
        to: &Product,
        units: i64,
    ) -> Result<(), ApiError> {
        if self.positions.convert(key, from, to, units) {
            Ok(())
        } else {
            Err(ApiError::order("Position to convert was not found"))
        }
    }

    fn start_sweep(&mut self, products: Products, kill_after: bool, insists: bool, now: Instant) {
        self.agenda.add(now, Due::Sweep(SweepStep { products, cancels: true, kill_after, insists }));
    }

    pub(super) fn sweep(&mut self, step: SweepStep, now: Instant, board: &Board) {
        let SweepStep { products, cancels, kill_after, insists } = step;
        if !self.is_open {
            return;
        }
        if cancels {
            let orders = &self.orders;
            self.supers.end_waiting_if(&BrokerStatus::Cancelled, |entry| products.has(&orders[&entry].product));
            let resting: Vec<_> =
                self.live.iter().copied().filter(|no| products.has(&self.orders[no].product)).collect();
            for order_no in resting {
                // Live orders of an open market can be cancelled.
                let _ = self.cancel(order_no, now);
            }
            self.agenda.add(now + self.config.sweep_pause, Due::Sweep(SweepStep { cancels: false, ..step }));
            return;
        }
        let held: Vec<_> = self
            .positions
            .all()
            .filter(|p| products.has(&p.product) && p.net() != 0)
            .map(|p| (p.listed.key(), p.product.clone(), p.net()))
            .collect();
        for (key, product, net) in &held {
            let side = if *net > 0 { OrderSide::Sell } else { OrderSide::Buy };
            let request = PlaceRequest {
                product: product.clone(),
                source: Source::Broker,
                order_type: BrokerOrderType::Market,
                ..PlaceRequest::market(side, *key, net.abs())
            };
            // A contract without a price today, or odd units, is refused and tried again.
            let _ = self.place_sliced(&request, now, board);
        }
        if !held.is_empty() && (insists || kill_after) {
            let again = SweepStep { cancels: true, ..step };
            self.agenda.add(now + self.config.sweep_retry, Due::Sweep(again));
        } else if held.is_empty() && kill_after {
            self.controls.killed = true;
        }
    }
}
