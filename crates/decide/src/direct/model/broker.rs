//! The broker: its own books, a market, and a line to us on which everything may go wrong.

use super::*;

impl World {
    /// One of our calls leaves: its way there, and its answer's way back, may both go wrong.
    pub(super) fn transmit(&mut self, command: Command) {
        let is_place = matches!(command, Command::Place(_));
        if self.faulty(3) {
            return self.answer(&command, Answer::NotSent { why: "no connection".to_owned() }, 20);
        }
        if self.faulty(8) {
            if self.dice.chance(70) {
                self.answer(&command, Answer::Unknown { what: "time-out".to_owned() }, 5_000);
            }
            return;
        }
        let mut delay = self.dice.between(10, 60);
        if self.faulty(10) {
            delay = self.dice.between(1_000, if is_place { 30_000 } else { 5_000 });
            if is_place && self.dice.chance(25) {
                delay = self.dice.between(60_000, 90_000);
            }
            self.last_fault = self.last_fault.max(self.now + delay);
        }
        self.later(delay, Line::Arrives(command, self.now));
    }

    pub(super) fn answer(&mut self, command: &Command, answer: Answer, after: i64) {
        let id = command.order_id();
        let call = match command {
            Command::Place(_) => OrderCall::Place,
            Command::Modify { version, .. } => OrderCall::Modify { version: *version },
            Command::Cancel { .. } => OrderCall::Cancel,
        };
        self.later(after, Line::Said(BrokerEvent::Answered { id, call, answer }));
    }

    pub(super) fn index_of(&self, id: ClientOrderId) -> Option<usize> {
        self.books.orders.iter().position(|row| row.tag == Some(id))
    }

    pub(super) fn push(&mut self, index: usize) {
        self.history.push((self.now, self.books.clone()));
        if self.faulty(20) {
            return;
        }
        let row = self.books.orders[index].clone();
        for _ in 0..if self.faulty(20) { 2 } else { 1 } {
            let delay = if self.faulty(25) { self.dice.between(100, LIST_LAG) } else { self.dice.between(5, 80) };
            self.last_fault = self.last_fault.max(if delay > 100 { self.now + delay } else { 0 });
            self.later(delay, Line::Said(BrokerEvent::Pushed { row: row.clone() }));
        }
    }

    pub(super) fn arrives(&mut self, command: Command, left_at: i64) {
        let accepted = |i: usize| Answer::Accepted { broker_id: number(i), status: BrokerStatus::Transit };
        let refused = |refusal| Answer::Refused { refusal };
        let bid = Premium::from_paise(self.bid * 5);
        let answer = match command {
            Command::Place(spec) => {
                let wrong_side = spec.order_type.trigger().is_some_and(|trigger| trigger >= bid);
                if self.faulty(4) || wrong_side {
                    refused(VenueRefusal::TriggerSide)
                } else {
                    let i = self.books.orders.len();
                    let (order_type, price, trigger) = typed(spec.order_type);
                    self.books.orders.push(OrderRow {
                        broker_id: number(i),
                        tag: Some(spec.id),
                        segment: Segment::NseFno,
                        security_id: TOKEN,
                        side: spec.side,
                        product: Product::Intraday,
                        order_type,
                        status: BrokerStatus::Pending,
                        qty: spec.qty,
                        filled: Qty::ZERO,
                        value: Money::ZERO,
                        price,
                        trigger,
                        by_api: Some(true),
                        reason: String::new(),
                        updated_at: None,
                    });
                    self.late_sell |= spec.side == OrderSide::Sell && self.now - left_at > 45_000;
                    self.push(i);
                    accepted(i)
                }
            }
            Command::Modify { id, order_type, qty, .. } => match self.index_of(id) {
                Some(i) if !self.books.orders[i].status.is_final() && self.books.orders[i].filled < qty => {
                    let row = &mut self.books.orders[i];
                    let is_stop = order_type.trigger();
                    if is_stop.is_some_and(|t| t >= bid) || is_stop.is_some() && row.status == BrokerStatus::Triggered {
                        refused(VenueRefusal::TriggerSide)
                    } else {
                        (row.order_type, row.price, row.trigger) = typed(order_type);
                        row.qty = qty;
                        if row.status == BrokerStatus::Triggered {
                            row.status = BrokerStatus::Pending;
                        }
                        self.push(i);
                        accepted(i)
                    }
                }
                _ => refused(VenueRefusal::NotOpen),
            },
            Command::Cancel { id, .. } => match self.index_of(id) {
                Some(i) if !self.books.orders[i].status.is_final() => {
                    self.books.orders[i].status = BrokerStatus::Cancelled;
                    self.push(i);
                    accepted(i)
                }
                _ => refused(VenueRefusal::NotOpen),
            },
        };
        let is_late = self.now - left_at > 5_000;
        if is_late || self.faulty(12) {
            if !self.dice.chance(30) {
                let given_up = (left_at + 5_000 - self.now).max(1);
                self.answer(&command, Answer::Unknown { what: "time-out".to_owned() }, given_up);
            }
        } else {
            let delay = if self.faulty(20) { self.dice.between(100, 4_000) } else { self.dice.between(5, 60) };
            self.answer(&command, answer, delay);
        }
    }

    /// The market moves: stops trigger, whatever can trade trades in parts, and we get a quote.
    pub(super) fn market(&mut self) {
        if self.is_frozen {
            return;
        }
        self.bid = (self.bid + self.dice.between(-24, 25)).clamp(1_200, 3_000);
        let (bid, ask) = (Premium::from_paise(self.bid * 5), Premium::from_paise(self.bid * 5 + 10));
        for i in 0..self.books.orders.len() {
            let row = &mut self.books.orders[i];
            if row.status.is_final() {
                continue;
            }
            if row.order_type == BrokerOrderType::StopLoss && row.status == BrokerStatus::Pending && bid <= row.trigger
            {
                row.status = BrokerStatus::Triggered;
                self.push(i);
            }
            let row = &self.books.orders[i];
            let is_resting = row.order_type == BrokerOrderType::StopLoss
                && !matches!(row.status, BrokerStatus::Triggered | BrokerStatus::PartTraded);
            let trades_at = match row.side {
                OrderSide::Buy if row.price >= ask => Some(ask),
                OrderSide::Sell if !is_resting && row.price <= bid => Some(bid),
                _ => None,
            };
            let lots = (row.qty - row.filled).get() / LOT;
            if let Some(price) = trades_at.filter(|_| self.dice.chance(70)) {
                let lots = self.dice.between(1, lots + 1);
                self.executes(i, Qty::new(lots * LOT), price);
            }
        }
        let level = |price| [(); 5].map(|()| BookLevel::new(price, Qty::new(10_000)));
        let at = ms(self.now);
        let tick = Tick {
            flags: TickFlags::NONE,
            bids: level(bid),
            asks: level(ask),
            ..Tick::last_price(SLOT, at, at, bid.paise(), TickSource::Feed)
        };
        self.handle(&Event::Tick(tick));
        let wait = self.dice.between(200, 900);
        self.later(wait, Line::Market);
    }

    pub(super) fn executes(&mut self, i: usize, qty: Qty, price: Premium) {
        let row = &mut self.books.orders[i];
        row.filled += qty;
        row.value += price * qty;
        row.status = if row.filled == row.qty { BrokerStatus::Traded } else { BrokerStatus::PartTraded };
        let trade = TradeRow {
            broker_id: row.broker_id.clone(),
            trade: TradeId(self.books.trades.len() as u64 + 1),
            segment: row.segment,
            security_id: row.security_id,
            side: row.side,
            qty,
            price,
            at: ms(self.now),
        };
        self.books.trades.push(trade);
        self.push(i);
    }

    pub(super) fn read(&mut self, read: BrokerRead, asked_at: Instant) {
        if self.faulty(20) {
            if self.dice.chance(80) {
                self.later(50, Line::Said(BrokerEvent::ReadFailed { read, what: "DH-908".to_owned() }));
            }
            return;
        }
        let lag = if self.faulty(20) { self.dice.between(0, LIST_LAG) } else { 0 };
        let books = self.history.iter().rev().find(|(at, _)| *at <= self.now - lag).expect("began empty").1.clone();
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
}

pub(super) fn number(i: usize) -> BrokerOrderId {
    BrokerOrderId(format!("1126{i:06}").into())
}

pub(super) fn signed(side: OrderSide, qty: Qty) -> i64 {
    if side == OrderSide::Buy { qty.get() } else { -qty.get() }
}

pub(super) fn typed(order_type: OrderType) -> (BrokerOrderType, Premium, Premium) {
    let kind = if order_type.trigger().is_some() { BrokerOrderType::StopLoss } else { BrokerOrderType::Limit };
    (kind, order_type.limit(), order_type.trigger().unwrap_or(Premium::ZERO))
}

pub(super) fn positions_of(books: &Books) -> Vec<PositionRow> {
    let units = |side| books.trades.iter().filter(|t| t.side == side).map(|t| t.qty).sum::<Qty>();
    let (day_bought, day_sold) = (units(OrderSide::Buy), units(OrderSide::Sell));
    if day_bought == Qty::ZERO && day_sold == Qty::ZERO {
        return Vec::new();
    }
    let (segment, product) = (Segment::NseFno, Product::Intraday);
    let net = (day_bought - day_sold).get();
    let bought = books.trades.iter().filter(|t| t.side == OrderSide::Buy);
    let day_paid = Some(bought.map(|t| t.price * t.qty).sum());
    vec![PositionRow { segment, security_id: TOKEN, product, net, day_bought, day_sold, day_paid }]
}
