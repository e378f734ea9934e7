//! The calls that change orders: place, modify, cancel, slice (dhan-v2.md 5).

use std::sync::Arc;

use scalper_decide::domain::broker::{BrokerOrderType, BrokerStatus, Product};
use scalper_decide::domain::{Command, Instant, Money, OrderPurpose, OrderSpec, OrderType, PositionId, Premium, Qty};

use super::ledger::MarginAnswer;
use super::order::{Cause, Hidden, Leg, OmsError, OrderNo, OrderRow, Source, Update, Validity};
use super::request::{ApiError, ModifyRequest, PlaceRequest, Reply};
use super::{Due, MODIFICATIONS, Oms, checks, venue_id};
use crate::simulator::board::Board;
use crate::simulator::market::Listed;

const CLOSED_PLACE: &str = "Market is Closed! You cannot place an order now.";
const CLOSED_CHANGE: &str = "Market is Closed! You cannot modify/cancel an order now.";
const FINISHED: &str = "Nothing to Cancel . ";
const BAD_INPUT: &str = "Missing required fields, bad values for parameters etc.";

/// Letters, digits, blank, `_` and `-` (dhan-v2.md 8.1).
fn is_tag(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'_' | b'-'))
}

impl Oms {
    /// Takes a new order, or refuses it at once. What the risk checks or the exchange think of it comes later.
    ///
    /// # Errors
    /// DH-905 for a request that is no order, DH-906 when none can be taken now.
    pub(in crate::simulator) fn place(
        &mut self,
        request: &PlaceRequest,
        leg: Option<(Leg, OrderNo)>,
        now: Instant,
        board: &Board,
    ) -> Result<Reply, ApiError> {
        let listed = Arc::clone(self.check_input(request, board)?);
        if self.controls.is_killed() && request.source == Source::Api {
            return Err(ApiError::order("Kill Switch is active. Trading is disabled for the day."));
        }
        if !self.is_open {
            return Err(ApiError::order(CLOSED_PLACE));
        }
        self.sequence += 1;
        let order_no = OrderNo(self.first_today.0 + self.sequence);
        let (row, terms) = self.draft(request, order_no, leg, now, &listed, board);
        let verdict = terms.and_then(|terms| self.margin_check(&row).map(|()| terms));
        let verdict = if self.halted { Err(halted()) } else { verdict };
        self.accept(row, verdict, now);
        Ok(Reply { order_no, status: BrokerStatus::Transit })
    }

    /// The row of an order about to be placed, and its terms for the exchange.
    fn draft(
        &self,
        request: &PlaceRequest,
        order_no: OrderNo,
        leg: Option<(Leg, OrderNo)>,
        now: Instant,
        listed: &Arc<Listed>,
        board: &Board,
    ) -> (OrderRow, Result<OrderType, OmsError>) {
        let desk = board.desk(listed.slot());
        let terms = checks::terms(request, listed, desk);
        let shown = match request.order_type {
            BrokerOrderType::Market if self.config.market_shows_as_limit => BrokerOrderType::Limit,
            asked => asked,
        };
        let price = terms.as_ref().map_or(request.price, |t| t.limit());
        let row = OrderRow {
            order_no,
            exchange_no: None,
            correlation: request.correlation.clone(),
            status: BrokerStatus::Transit,
            side: request.side,
            listed: Arc::clone(listed),
            product: request.product.clone(),
            order_type: shown,
            validity: request.validity,
            qty: request.qty,
            disclosed: request.disclosed,
            price,
            trigger: terms.as_ref().map_or(request.trigger, |t| t.trigger().unwrap_or_default()),
            filled: 0,
            value: Money::ZERO,
            source: request.source,
            leg: leg.map(|(leg, entry)| (leg, if leg == Leg::Entry { order_no } else { entry })),
            created_at: now,
            updated_at: now,
            exchange_at: None,
            error: None,
            modifications: 0,
            ref_ltp: Premium::from_paise(desk.ltp()),
            hidden: Hidden {
                arrives: now + self.config.model.order_latency,
                reserved_qty: request.qty,
                reserved_price: price,
                ..Hidden::default()
            },
        };
        (row, terms)
    }

    /// What an order would block (dhan-v2.md 7.2).
    ///
    /// # Errors
    /// DH-905 for a request that is no order.
    pub(in crate::simulator) fn margin_for(
        &self,
        request: &PlaceRequest,
        board: &Board,
    ) -> Result<MarginAnswer, ApiError> {
        let listed = self.check_input(request, board)?;
        let next = OrderNo(self.first_today.0 + self.sequence + 1);
        let (row, _) = self.draft(request, next, None, Instant::default(), listed, board);
        Ok(self.margin_of(&row))
    }

    fn accept(&mut self, mut row: OrderRow, verdict: Result<OrderType, OmsError>, now: Instant) {
        let order_no = row.order_no;
        row.hidden.refused_here = verdict.is_err();
        if let Some(tag) = &row.correlation {
            self.by_tag.entry(tag.clone()).or_default().push(order_no);
        }
        match verdict {
            Ok(order_type) => {
                let spec = OrderSpec {
                    id: venue_id(order_no),
                    position: PositionId(0),
                    instrument: row.listed.slot(),
                    purpose: OrderPurpose::Entry,
                    side: row.side,
                    qty: Qty::new(row.qty),
                    order_type,
                };
                self.venue.submit(now, Command::Place(spec));
                if row.validity == Validity::Ioc {
                    self.immediate.push(order_no);
                }
            }
            Err(error) => self.agenda.add(now + self.config.risk_check_delay, Due::Reject(order_no, error)),
        }
        self.outbox.push(Update { at: now, cause: Cause::Received, order: row.clone() });
        self.orders.insert(order_no, row);
        self.live.insert(order_no);
    }

    fn check_input<'b>(&self, request: &PlaceRequest, board: &'b Board) -> Result<&'b Arc<Listed>, ApiError> {
        let bad = || ApiError::input(BAD_INPUT);
        if let Some(tag) = &request.correlation
            && (tag.len() > self.config.longest_correlation || !is_tag(tag))
        {
            return Err(bad());
        }
        let (listed, _) = board.find(request.key).ok_or_else(bad)?;
        let priced = match request.order_type {
            BrokerOrderType::Limit => request.price > Premium::ZERO,
            BrokerOrderType::StopLoss => request.price > Premium::ZERO && request.trigger > Premium::ZERO,
            BrokerOrderType::StopLossMarket => request.trigger > Premium::ZERO,
            BrokerOrderType::Market => true,
        };
        let disclosed =
            request.disclosed == 0 || (request.disclosed * 10 > request.qty * 3 && request.disclosed <= request.qty);
        let product = matches!(request.product, Product::Intraday | Product::Margin);
        let is_index = listed.expiry().is_none();
        if request.qty <= 0 || !priced || !disclosed || !product || is_index || request.after_market {
            return Err(bad());
        }
        Ok(listed)
    }

    /// Splits a quantity above the freeze limit into several orders with one tag (dhan-v2.md 5.6). A child that is
    /// refused at once ends the slicing; the ones before it stand.
    ///
    /// # Errors
    /// The first child is refused.
    pub(in crate::simulator) fn place_sliced(
        &mut self,
        request: &PlaceRequest,
        now: Instant,
        board: &Board,
    ) -> Result<Vec<Reply>, ApiError> {
        let largest = self.check_input(request, board)?.max_qty;
        let mut left = request.qty;
        let mut replies = Vec::new();
        while left > 0 {
            let qty = if largest > 0 { left.min(largest) } else { left };
            match self.place(&PlaceRequest { qty, ..request.clone() }, None, now, board) {
                Ok(reply) => replies.push(reply),
                Err(error) if replies.is_empty() => return Err(error),
                Err(_) => break,
            }
            left -= qty;
        }
        Ok(replies)
    }

    /// Asks for new terms of an order. Taken here is not taken by the exchange: that comes as an update.
    ///
    /// # Errors
    /// DH-905 for an unknown order or bad terms, DH-906 when it is finished, the market is closed, or 25
    /// modifications are used up.
    pub(in crate::simulator) fn modify(
        &mut self,
        request: &ModifyRequest,
        now: Instant,
        board: &Board,
    ) -> Result<Reply, ApiError> {
        let row = self.order(request.order_no).ok_or_else(|| ApiError::input(BAD_INPUT))?;
        if !self.is_open {
            return Err(ApiError::order(CLOSED_CHANGE));
        }
        if !row.is_live() {
            return Err(ApiError::order("Order is not open, it cannot be modified"));
        }
        if row.modifications >= MODIFICATIONS {
            return Err(ApiError::order(format!("Maximum of {MODIFICATIONS} modifications per order is reached")));
        }
        let asked = PlaceRequest {
            correlation: None,
            side: row.side,
            key: row.listed.key(),
            product: row.product.clone(),
            order_type: request.order_type.unwrap_or(row.order_type),
            validity: row.validity,
            qty: request.qty.unwrap_or(row.qty),
            disclosed: 0,
            price: request.price.unwrap_or(row.price),
            trigger: request.trigger.unwrap_or(row.trigger),
            after_market: false,
            source: row.source,
        };
        let (order_no, status, listed) = (row.order_no, row.status.clone(), Arc::clone(&row.listed));
        let mut changed = row.clone();
        self.check_input(&asked, board)?;
        let verdict = checks::terms(&asked, &listed, board.desk(listed.slot()));
        let verdict = verdict.and_then(|terms| {
            changed.hidden.reserved_qty = changed.hidden.reserved_qty.max(asked.qty);
            changed.hidden.reserved_price = changed.hidden.reserved_price.max(terms.limit());
            self.margin_check(&changed).map(|()| terms)
        });
        let row = self.orders.get_mut(&order_no).expect("it was just found");
        row.modifications += 1;
        let version = row.modifications;
        match verdict {
            Ok(order_type) => {
                row.hidden = changed.hidden;
                row.hidden.asking += 1;
                let (id, qty) = (venue_id(order_no), Qty::new(asked.qty));
                self.venue.submit(now, Command::Modify { id, instrument: listed.slot(), version, order_type, qty });
            }
            Err(error) => self.agenda.add(now + self.config.risk_check_delay, Due::RefuseChange(order_no, error)),
        }
        Ok(Reply { order_no, status })
    }

    /// Asks to take an order back. The reply says CANCELLED before the exchange has said anything; a fill may still
    /// come first.
    ///
    /// # Errors
    /// DH-905 for an unknown order, DH-906 when nothing is left to cancel or the market is closed.
    pub(in crate::simulator) fn cancel(&mut self, order_no: OrderNo, now: Instant) -> Result<Reply, ApiError> {
        let row = self.order(order_no).ok_or_else(|| ApiError::input(BAD_INPUT))?;
        if !row.is_live() {
            return Err(ApiError::order(FINISHED));
        }
        if !self.is_open {
            return Err(ApiError::order(CLOSED_CHANGE));
        }
        if !row.hidden.refused_here {
            let instrument = row.listed.slot();
            self.venue.submit(now, Command::Cancel { id: venue_id(order_no), instrument });
        }
        Ok(Reply { order_no, status: BrokerStatus::Cancelled })
    }
}

fn halted() -> OmsError {
    OmsError { code: "0", text: "EXCH:Trading is halted".to_owned() }
}
