//! Who acts: the strategy, the person in front of it, and the person beside it.

use super::*;

impl World {
    /// An approved entry, from the sizing on as the pipeline has it.
    pub(super) fn enter(&mut self) {
        if self.core.reconciler.entry_block(Underlying::Nifty).is_some() || self.core.market.quote(SLOT).is_none() {
            return;
        }
        let (contract, at) = (contract(), ms(self.now));
        let now = self.core.ledger.stamp(at);
        let ask = Premium::from_paise(self.bid * 5 + 10);
        let prices = entries::prices(&self.core.orders, &contract, ask);
        let expires_at = hours().close_at() + Age::from_mins(24 * 60);
        let preview = self.core.risk.preview(at, &contract, expires_at, prices.limit);
        let request = entries::hold_request(self.core.terms.as_ref(), &contract, prices, &preview);
        let Ok(hold) = self.core.allocator.hold(&request) else { return };
        let signal = SignalId { underlying: Underlying::Nifty, bar_start: at, direction: Direction::Up };
        let (lot, tick) = (contract.lot, contract.tick);
        let plan = EntryPlan {
            signal,
            instrument: SLOT,
            tick,
            lot,
            expires_today: false,
            tightened_stop: None,
            named_stop: None,
        };
        let entry = ApprovedEntry { plan, contract, hold, entry_limit: prices.limit };
        let (_, commands) = ready(self.core.place(now, RiskApproved::for_test(entry)));
        pipeline::send_all(&mut self.core, now, commands);
        self.drain();
    }

    /// A person changes a resting order of ours at the broker (C14, E4).
    pub(super) fn meddle(&mut self) {
        let is_stop =
            |row: &OrderRow| row.order_type == BrokerOrderType::StopLoss && row.status == BrokerStatus::Pending;
        let Some(i) = self.books.orders.iter().position(is_stop) else { return };
        self.last_fault = self.last_fault.max(self.now);
        let steps = self.dice.between(-30, 30) * 5;
        let row = &mut self.books.orders[i];
        let trigger = Premium::from_paise((row.trigger.paise() + steps).min(self.bid * 5 - 5));
        (row.price, row.trigger) = (row.price + (trigger - row.trigger), trigger);
        self.push(i);
    }

    pub(super) fn person(&mut self) {
        let position = self.core.risk.guarded().map(|p| (p.id, p.protection.stop)).next();
        let command = match (self.dice.roll(4), position) {
            (0, Some((position, _))) => {
                OperatorCommand::Close { position, lots: Some(Lots::new(1)), request: self.sent + 1 }
            }
            (1, Some((position, stop))) => OperatorCommand::Tighten { position, stop: stop + Premium::from_rupees(1) },
            (2, _) => OperatorCommand::Flatten { underlying: None },
            _ => OperatorCommand::Acknowledge,
        };
        self.handle(&Event::Operator(command));
    }

    /// Somebody else buys at the ask, without our mark.
    pub(super) fn stranger(&mut self, lots: i64) {
        let i = self.books.orders.len();
        let (qty, price) = (Qty::new(lots * LOT), Premium::from_paise(self.bid * 5 + 10));
        self.books.orders.push(OrderRow {
            broker_id: number(i),
            tag: None,
            segment: Segment::NseFno,
            security_id: TOKEN,
            side: OrderSide::Buy,
            product: Product::Intraday,
            order_type: BrokerOrderType::Limit,
            status: BrokerStatus::Pending,
            qty,
            filled: Qty::ZERO,
            value: Money::ZERO,
            price,
            trigger: Premium::ZERO,
            by_api: Some(false),
            reason: String::new(),
            updated_at: None,
        });
        self.foreign += qty.get();
        self.executes(i, qty, price);
    }

    /// A person asks for what is not ours; the number of the request.
    pub(super) fn adopt(&mut self, lots: i64) -> u64 {
        self.sent += 1;
        let request = self.sent;
        self.adopt_as(lots, request);
        request
    }

    /// The same under this number.
    pub(super) fn adopt_as(&mut self, lots: i64, request: u64) {
        let lots = Some(Lots::new(lots));
        let ask = AdoptRequest { segment: None, security_id: TOKEN, lots, stop: None, request };
        self.handle(&Event::Operator(OperatorCommand::Adopt(ask)));
    }
}
