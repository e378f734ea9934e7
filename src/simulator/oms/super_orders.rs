//! Super orders: an entry with a target and a stop that the broker watches (dhan-v2.md 6.1).
//!
//! The legs live at the broker: nothing of them rests at the exchange until the last price reaches one. Then that leg
//! becomes an order (the stop a protected limit, the target a limit at its price) and the other leg is cancelled.

use std::collections::BTreeMap;

use scalper_decide::domain::broker::{BrokerOrderType, BrokerStatus};
use scalper_decide::domain::{Instant, OrderSide, Premium, Tick};

use super::Oms;
use super::order::{Leg, OrderNo, Source};
use super::request::{ApiError, ModifyRequest, PlaceRequest, Reply, SuperChange, SuperRequest};
use crate::simulator::board::Board;

const FINISHED: &str = "Nothing to Cancel . ";

/// One leg that the broker watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegRow {
    /// PENDING, TRIGGERED, TRADED, CANCELLED or EXPIRED.
    pub status: BrokerStatus,
    /// Its price: the target, or the stop as trailing has moved it.
    pub price: Premium,
    /// Orders it has become, oldest first.
    pub orders: Vec<OrderNo>,
}

/// One super order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuperRow {
    /// Its entry; also its own number.
    pub entry: OrderNo,
    /// The target, if it has one.
    pub target: Option<LegRow>,
    /// The stop, if it has one.
    pub stop: Option<LegRow>,
    /// Step by which the stop follows; zero when it does not.
    pub trailing_jump: Premium,
    /// Price that favourable moves are counted from, and the stop at that time.
    anchor: Option<(Premium, Premium)>,
}

impl SuperRow {
    /// One of its legs.
    pub const fn leg(&self, leg: Leg) -> Option<&LegRow> {
        match leg {
            Leg::Entry => None,
            Leg::StopLoss => self.stop.as_ref(),
            Leg::Target => self.target.as_ref(),
        }
    }

    fn legs_mut(&mut self) -> impl Iterator<Item = &mut LegRow> {
        self.stop.iter_mut().chain(self.target.iter_mut())
    }

    fn leg_mut(&mut self, leg: Leg) -> Option<&mut LegRow> {
        match leg {
            Leg::Entry => None,
            Leg::StopLoss => self.stop.as_mut(),
            Leg::Target => self.target.as_mut(),
        }
    }

    fn triggered(&self) -> Option<Leg> {
        [Leg::StopLoss, Leg::Target].into_iter().find(|leg| {
            self.leg(*leg).is_some_and(|l| matches!(l.status, BrokerStatus::Triggered | BrokerStatus::Traded))
        })
    }

    fn waits(&self) -> bool {
        [&self.stop, &self.target].into_iter().flatten().any(|leg| leg.status == BrokerStatus::Pending)
    }
}

/// Super orders of the day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SuperOrders {
    rows: BTreeMap<OrderNo, SuperRow>,
}

impl SuperOrders {
    /// All of them, in the order they were placed.
    pub fn all(&self) -> impl Iterator<Item = &SuperRow> {
        self.rows.values()
    }

    /// One of them by the number of its entry.
    pub fn get(&self, entry: OrderNo) -> Option<&SuperRow> {
        self.rows.get(&entry)
    }

    pub(super) fn open_day(&mut self) {
        self.rows.clear();
    }

    /// The entry is over without ever having traded: its legs are void.
    pub(super) fn entry_ended(&mut self, entry: OrderNo) {
        if let Some(row) = self.rows.get_mut(&entry) {
            row.legs_mut().for_each(|leg| leg.status = BrokerStatus::Cancelled);
        }
    }

    /// Ends every leg that still waits.
    pub(super) fn end_waiting(&mut self, status: &BrokerStatus) {
        self.end_waiting_if(status, |_| true);
    }

    /// Ends every leg that still waits in super orders that `picks` picks by their entry.
    pub(super) fn end_waiting_if(&mut self, status: &BrokerStatus, picks: impl Fn(OrderNo) -> bool) {
        for row in self.rows.values_mut().filter(|row| picks(row.entry)) {
            for leg in row.legs_mut().filter(|leg| leg.status == BrokerStatus::Pending) {
                leg.status = status.clone();
            }
        }
    }
}

/// Whether target and stop lie on their sides of the entry price; zero means there is none.
fn sides_fit(side: OrderSide, price: Premium, target: Premium, stop: Premium) -> bool {
    let (above, below) = match side {
        OrderSide::Buy => (target, stop),
        OrderSide::Sell => (stop, target),
    };
    (above == Premium::ZERO || above > price) && (below == Premium::ZERO || below < price)
}

impl Oms {
    /// Takes a super order.
    ///
    /// # Errors
    /// DH-905 when target or stop are missing, off the tick or on the wrong side, else as for a plain order.
    pub(in crate::simulator) fn place_super(
        &mut self,
        request: &SuperRequest,
        now: Instant,
        board: &Board,
    ) -> Result<Reply, ApiError> {
        let SuperRequest { entry, target, stop, trailing_jump } = request;
        let bad = || ApiError::input("Missing required fields, bad values for parameters etc.");
        let (listed, desk) = board.find(entry.key).ok_or_else(bad)?;
        let is_market = match entry.order_type {
            BrokerOrderType::Limit => false,
            BrokerOrderType::Market => true,
            _ => return Err(bad()),
        };
        let price = if is_market { Premium::from_paise(desk.ltp()) } else { entry.price };
        let fits = |p: &Premium| *p >= Premium::ZERO && p.is_multiple_of(listed.tick);
        if ![target, stop, trailing_jump].into_iter().all(fits)
            || (*target == Premium::ZERO && *stop == Premium::ZERO)
            || !sides_fit(entry.side, price, *target, *stop)
        {
            return Err(bad());
        }
        let reply = self.place(entry, Some((Leg::Entry, OrderNo(0))), now, board)?;
        let leg = |price: Premium| {
            (price > Premium::ZERO).then(|| LegRow { status: BrokerStatus::Pending, price, orders: Vec::new() })
        };
        let row = SuperRow {
            entry: reply.order_no,
            target: leg(*target),
            stop: leg(*stop),
            trailing_jump: *trailing_jump,
            anchor: None,
        };
        self.supers.rows.insert(reply.order_no, row);
        Ok(reply)
    }

    /// Changes one leg of a super order.
    ///
    /// # Errors
    /// DH-905 for an unknown order or bad prices, DH-906 when that leg cannot be changed any more.
    pub(in crate::simulator) fn modify_super(
        &mut self,
        entry: OrderNo,
        change: &SuperChange,
        now: Instant,
        board: &Board,
    ) -> Result<Reply, ApiError> {
        let bad = || ApiError::input("Missing required fields, bad values for parameters etc.");
        let row = self.supers.get(entry).ok_or_else(bad)?.clone();
        let order = self.order(entry).ok_or_else(bad)?;
        let (side, tick, entry_price) = (order.side, order.listed.tick, order.price);
        let ltp = Premium::from_paise(board.desk(order.listed.slot()).ltp());
        let status = order.status.clone();
        let entry_is_live = order.is_live();
        let fits = |p: Premium| p > Premium::ZERO && p.is_multiple_of(tick);
        let waiting = |leg: Leg| row.leg(leg).is_some_and(|l| l.status == BrokerStatus::Pending);
        let over = || ApiError::order("Leg is not pending, it cannot be modified");
        match change {
            SuperChange::Entry { order_type, qty, price, target, stop, trailing_jump } => {
                if !entry_is_live {
                    return Err(over());
                }
                let against = price.unwrap_or(entry_price);
                let new_target = target.or(row.target.as_ref().map(|l| l.price)).unwrap_or_default();
                let new_stop = stop.or(row.stop.as_ref().map(|l| l.price)).unwrap_or_default();
                if target.is_some_and(|p| !fits(p) || !waiting(Leg::Target))
                    || stop.is_some_and(|p| !fits(p) || !waiting(Leg::StopLoss))
                    || !sides_fit(side, against, new_target, new_stop)
                {
                    return Err(bad());
                }
                if order_type.is_some() || qty.is_some() || price.is_some() {
                    let asked = ModifyRequest {
                        order_no: entry,
                        order_type: *order_type,
                        qty: *qty,
                        price: *price,
                        trigger: None,
                    };
                    self.modify(&asked, now, board)?;
                }
                let row = self.supers.rows.get_mut(&entry).expect("it was just found");
                if let (Some(price), Some(leg)) = (*target, &mut row.target) {
                    leg.price = price;
                }
                if let (Some(price), Some(leg)) = (*stop, &mut row.stop) {
                    leg.price = price;
                }
                row.trailing_jump = trailing_jump.unwrap_or_default();
                row.anchor = None;
            }
            SuperChange::Target { target } => {
                if !waiting(Leg::Target) {
                    return Err(over());
                }
                if !fits(*target) {
                    return Err(bad());
                }
                let row = self.supers.rows.get_mut(&entry).expect("it was just found");
                row.target.as_mut().expect("it waits").price = *target;
            }
            SuperChange::StopLoss { stop, trailing_jump } => {
                if !waiting(Leg::StopLoss) {
                    return Err(over());
                }
                if !fits(*stop) {
                    return Err(bad());
                }
                let row = self.supers.rows.get_mut(&entry).expect("it was just found");
                row.stop.as_mut().expect("it waits").price = *stop;
                // Omitted or zero ends trailing; otherwise it starts again from here.
                row.trailing_jump = trailing_jump.unwrap_or_default();
                row.anchor = row.anchor.map(|_| (ltp, *stop));
            }
        }
        Ok(Reply { order_no: entry, status })
    }

    /// Cancels one leg; the entry leg cancels everything. A cancelled leg never comes back.
    ///
    /// # Errors
    /// DH-905 for an unknown order, DH-906 when that leg is over.
    pub(in crate::simulator) fn cancel_super(
        &mut self,
        entry: OrderNo,
        leg: Leg,
        now: Instant,
    ) -> Result<Reply, ApiError> {
        let bad = || ApiError::input("Missing required fields, bad values for parameters etc.");
        let order = self.order(entry).ok_or_else(bad)?;
        let is_live = order.is_live();
        let row = self.supers.rows.get_mut(&entry).ok_or_else(bad)?;
        if leg == Leg::Entry {
            if !is_live && !row.waits() {
                return Err(ApiError::order(FINISHED));
            }
            for leg in row.legs_mut().filter(|l| l.status == BrokerStatus::Pending) {
                leg.status = BrokerStatus::Cancelled;
            }
            if is_live {
                self.cancel(entry, now)?;
            }
        } else {
            let leg = row.leg_mut(leg).ok_or_else(bad)?;
            if leg.status != BrokerStatus::Pending {
                return Err(ApiError::order(FINISHED));
            }
            leg.status = BrokerStatus::Cancelled;
        }
        Ok(Reply { order_no: entry, status: BrokerStatus::Cancelled })
    }

    /// Status of a super order as its list shows it: CLOSED once entry and exit are done, TRIGGERED while an exit
    /// works, else that of the entry.
    pub fn super_status(&self, row: &SuperRow) -> BrokerStatus {
        let entry = &self.orders[&row.entry];
        match row.triggered().and_then(|leg| row.leg(leg)).map(|leg| &leg.status) {
            Some(BrokerStatus::Traded) => BrokerStatus::Closed,
            Some(_) => BrokerStatus::Triggered,
            None => entry.status.clone(),
        }
    }

    /// Compares the last price with the legs of super orders that hold something.
    pub(super) fn watch_legs(&mut self, tick: &Tick, board: &Board) {
        let last = tick.premium();
        let mut fired = Vec::new();
        for row in self.supers.rows.values_mut() {
            let entry = &self.orders[&row.entry];
            if entry.listed.slot() != tick.instrument || entry.filled == 0 || row.triggered().is_some() {
                continue;
            }
            trail(row, entry.side, last);
            let reached = |price: Premium, against: bool| match (entry.side, against) {
                (OrderSide::Buy, true) | (OrderSide::Sell, false) => last <= price,
                (OrderSide::Buy, false) | (OrderSide::Sell, true) => last >= price,
            };
            let pending =
                |leg: &Option<LegRow>| leg.as_ref().filter(|l| l.status == BrokerStatus::Pending).map(|l| l.price);
            if pending(&row.stop).is_some_and(|p| reached(p, true)) {
                fired.push((row.entry, Leg::StopLoss));
            } else if pending(&row.target).is_some_and(|p| reached(p, false)) {
                fired.push((row.entry, Leg::Target));
            }
        }
        for (entry, leg) in fired {
            self.fire(entry, leg, tick.received_at, board);
        }
    }

    /// One leg is reached: the other is cancelled, what is left of the entry too, and what is held goes out.
    fn fire(&mut self, entry: OrderNo, leg: Leg, now: Instant, board: &Board) {
        let row = self.supers.rows.get_mut(&entry).expect("it was just looked at");
        for other in row.legs_mut().filter(|l| l.status == BrokerStatus::Pending) {
            other.status = BrokerStatus::Cancelled;
        }
        row.leg_mut(leg).expect("it is reached").status = BrokerStatus::Triggered;
        if self.orders[&entry].is_live() {
            // Whatever still executes before the cancellation arrives goes out as well, see `leg_filled`.
            let _ = self.cancel(entry, now);
        }
        let held = self.orders[&entry].filled;
        self.send_leg(entry, leg, held, now, board);
    }

    fn send_leg(&mut self, entry: OrderNo, leg: Leg, qty: i64, now: Instant, board: &Board) {
        let row = &self.orders[&entry];
        let price = self.supers.rows[&entry].leg(leg).expect("it is reached").price;
        let order_type = if leg == Leg::Target { BrokerOrderType::Limit } else { BrokerOrderType::Market };
        let request = PlaceRequest {
            correlation: row.correlation.clone(),
            side: if row.side == OrderSide::Buy { OrderSide::Sell } else { OrderSide::Buy },
            order_type,
            product: row.product.clone(),
            source: Source::Broker,
            ..PlaceRequest::limit(row.side, row.listed.key(), qty, price)
        };
        // Refused only when the market has just closed; the position then stays and the day's end deals with it.
        if let Ok(reply) = self.place(&request, Some((leg, entry)), now, board) {
            let leg = self.supers.rows.get_mut(&entry).and_then(|row| row.leg_mut(leg)).expect("it is reached");
            leg.orders.push(reply.order_no);
        }
    }

    /// An order executed: a leg may be done, or an entry may have executed more after its leg was reached.
    pub(super) fn leg_filled(&mut self, order_no: OrderNo, now: Instant, board: &Board) {
        let Some((leg, entry)) = self.orders[&order_no].leg else { return };
        let Some(row) = self.supers.rows.get(&entry) else { return };
        let held = self.orders[&entry].filled;
        if leg == Leg::Entry {
            if let Some(reached) = row.triggered() {
                let sent: i64 = row.leg(reached).map_or(0, |l| l.orders.iter().map(|no| self.orders[no].qty).sum());
                if held > sent {
                    self.send_leg(entry, reached, held - sent, now, board);
                }
            }
            return;
        }
        let done: i64 = row.leg(leg).map_or(0, |l| l.orders.iter().map(|no| self.orders[no].filled).sum());
        if done == held && !self.orders[&entry].is_live() {
            let row = self.supers.rows.get_mut(&entry).expect("it was just found");
            row.leg_mut(leg).expect("it executed").status = BrokerStatus::Traded;
        }
    }

    /// An order ended without executing completely.
    pub(super) fn leg_ended(&mut self, order_no: OrderNo, now: Instant, board: &Board) {
        let Some((leg, entry)) = self.orders[&order_no].leg else { return };
        if leg != Leg::Entry {
            return;
        }
        if self.orders[&entry].filled == 0 {
            self.supers.entry_ended(entry);
        } else if let Some(row) = self.supers.rows.get(&entry)
            && let Some(reached) = row.triggered()
            && let Some(first) = row.leg(reached).and_then(|l| l.orders.first().copied())
        {
            // The exit may have completed while the rest of the entry was still being cancelled.
            self.leg_filled(first, now, board);
        }
    }
}

/// Moves the stop behind a favourable move: by one jump for each whole jump the price has gone since the anchor.
fn trail(row: &mut SuperRow, side: OrderSide, last: Premium) {
    let jump = row.trailing_jump.paise();
    let Some(stop) = row.stop.as_mut().filter(|l| jump > 0 && l.status == BrokerStatus::Pending) else { return };
    let (from, at) = *row.anchor.get_or_insert((last, stop.price));
    let sign = if side == OrderSide::Buy { 1 } else { -1 };
    let jumps = sign * (last.paise() - from.paise()) / jump;
    let moved = Premium::from_paise(at.paise() + sign * jumps.max(0) * jump);
    let is_better = if side == OrderSide::Buy { moved > stop.price } else { moved < stop.price };
    if is_better {
        stop.price = moved;
    }
}
