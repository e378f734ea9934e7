//! Each kind of word the broker has, taken in: whose it is, and what it says about that order or contract.

use std::collections::BTreeMap;

use super::finding::Reconciled;
use super::foreign::{Claim, ContractKey};
use super::own::{self, Stage};
use super::params::ReconcilerParams;
use super::positions::{Expected, Shown};
use super::{Owned, Reconciler};
use crate::domain::broker::{Answer, BrokerOrderId, BrokerRead, OrderCall, OrderRow, PositionRow, Product, TradeRow};
use crate::domain::{ClientOrderId, Instant, InstrumentId, Qty};

impl Reconciler {
    pub(super) fn answered(
        &mut self,
        now: Instant,
        id: &ClientOrderId,
        call: OrderCall,
        answer: &Answer,
        p: &ReconcilerParams,
        out: &mut Reconciled,
    ) {
        let Some(own) = self.own.get_mut(id) else { return };
        match call {
            OrderCall::Place => own.placed(now, answer, out),
            OrderCall::Modify { version } => own.modified(now, version, answer, p, out),
            OrderCall::Cancel => own.cancel_answered(now, answer, p, out),
        }
        if own.stage == Stage::Doubt {
            own.deadline = Some(now);
        }
        if let Answer::Accepted { broker_id, .. } = answer {
            self.name(now, *id, broker_id, p, out);
        }
        // What became of the order shows in the book soon after, and an unknown outcome nowhere else.
        self.reads.want(BrokerRead::Orders, now);
    }

    /// Learns the broker's number of an order of ours; what waited under that number is its own. `false` when the
    /// order has another number already.
    fn name(
        &mut self,
        now: Instant,
        id: ClientOrderId,
        broker_id: &BrokerOrderId,
        p: &ReconcilerParams,
        out: &mut Reconciled,
    ) -> bool {
        let own = self.own.get_mut(&id).expect("named orders are ours");
        if let Some(known) = &own.broker_id {
            return known == broker_id;
        }
        own.broker_id = Some(broker_id.clone());
        self.by_broker_id.insert(broker_id.clone(), id);
        let (row, trades) = self.strangers.claim(broker_id);
        if let Some(row) = row {
            own.row(now, &row, None, p, out);
        }
        for trade in trades {
            own.trade(now, &trade, out);
        }
        true
    }

    /// Whose row this is; rows of ours are taken in.
    pub(super) fn order_row(
        &mut self,
        now: Instant,
        row: &OrderRow,
        asked_at: Option<Instant>,
        p: &ReconcilerParams,
        out: &mut Reconciled,
    ) -> Option<ClientOrderId> {
        let by_tag = row.tag.filter(|tag| self.own.contains_key(tag));
        let id = by_tag.or_else(|| self.by_broker_id.get(&row.broker_id).copied());
        let claim = match (id, row.tag) {
            (Some(id), _) if self.name(now, id, &row.broker_id, p, out) => {
                self.own.get_mut(&id).expect("found above").row(now, row, asked_at, p, out);
                return Some(id);
            }
            (Some(id), _) => Claim::Duplicate(id),
            (None, Some(tag)) if tag.is_of(p.instance) => Claim::OwnUnknown(tag),
            (None, _) => Claim::Foreign,
        };
        if self.strangers.row(row, claim) {
            // Somebody else trades: whether in a contract of ours, the positions tell.
            self.reads.want(BrokerRead::Positions, now);
        }
        None
    }

    pub(super) fn order_book(
        &mut self,
        now: Instant,
        asked_at: Instant,
        rows: &[OrderRow],
        p: &ReconcilerParams,
        out: &mut Reconciled,
    ) {
        self.reads.clean(BrokerRead::Orders, asked_at);
        let mut shown: BTreeMap<ClientOrderId, Qty> = BTreeMap::new();
        for row in rows {
            if let Some(id) = self.order_row(now, row, Some(asked_at), p, out) {
                shown.insert(id, row.filled);
            }
        }
        for own in self.own.values_mut() {
            match shown.get(&own.spec.id) {
                Some(filled) => own.watch_count(asked_at, *filled, p, out),
                None if own.stage == Stage::Doubt => {
                    own.proof.missing_from_list(asked_at, own.sent_at + p.horizon, p.read_gap);
                    own.prove_absent(p, out);
                }
                None => {}
            }
        }
    }

    pub(super) fn looked_up(
        &mut self,
        now: Instant,
        asked_at: Instant,
        id: ClientOrderId,
        rows: &[OrderRow],
        p: &ReconcilerParams,
        out: &mut Reconciled,
    ) {
        self.reads.clean(BrokerRead::ByTag { id }, asked_at);
        for row in rows {
            // A look-up by tag answers with the tag's orders, whether the row repeats it or not.
            self.order_row(now, &OrderRow { tag: Some(id), ..row.clone() }, Some(asked_at), p, out);
        }
        if rows.is_empty()
            && let Some(own) = self.own.get_mut(&id)
            && own.stage == Stage::Doubt
        {
            own.proof.not_found(asked_at, own.sent_at + p.horizon, p.read_gap);
            own.prove_absent(p, out);
        }
    }

    pub(super) fn trade_book(
        &mut self,
        now: Instant,
        asked_at: Instant,
        rows: &[TradeRow],
        p: &ReconcilerParams,
        out: &mut Reconciled,
    ) {
        self.reads.clean(BrokerRead::Trades, asked_at);
        let mut waiting: BTreeMap<BrokerOrderId, Vec<TradeRow>> = BTreeMap::new();
        // A trade id of zero stands for "none": such an execution stays known by its count.
        for row in rows.iter().filter(|row| row.trade.0 != 0) {
            match self.by_broker_id.get(&row.broker_id) {
                Some(id) => self.own.get_mut(id).expect("numbers lead to our orders").trade(now, row, out),
                None => waiting.entry(row.broker_id.clone()).or_default().push(row.clone()),
            }
        }
        self.strangers.set_trades(waiting);
        for own in self.own.values_mut().filter(|o| o.broker_id.is_some()) {
            own.watch_trades(asked_at, p, out);
        }
    }

    pub(super) fn position_list(
        &mut self,
        now: Instant,
        asked_at: Instant,
        rows: &[PositionRow],
        owned: &Owned,
        p: &ReconcilerParams,
        out: &mut Reconciled,
    ) {
        self.reads.clean(BrokerRead::Positions, asked_at);
        let mut contracts: BTreeMap<ContractKey, InstrumentId> = BTreeMap::new();
        contracts.extend(self.own.values().map(|o| (o.contract, o.spec.instrument)));
        contracts.extend(self.holdings.contracts());
        let ours_of = |instrument| owned.get(instrument).map_or(0, |qty| qty.get());
        let held = contracts.iter().map(|(contract, instrument)| (*contract, ours_of(instrument))).collect();
        self.see_holdings(rows, asked_at, &held, p);
        let orders_asked_at = self.reads.last_clean(BrokerRead::Orders);
        let mut look_closer = false;
        for (contract, instrument) in contracts {
            let ours = owned.get(&instrument).map_or(0, |qty| qty.get());
            let taken = self.holdings.taken(contract).get();
            let mut managed = taken;
            let mut unmanaged = 0;
            let mut is_working = false;
            for own in self.own.values().filter(|o| o.contract == contract) {
                let beyond = own::signed(own.spec.side, own.unmanaged());
                managed += own.net() - beyond;
                unmanaged += beyond;
                is_working |= own.is_open();
            }
            let is_listed = rows.iter().any(|row| ContractKey::of_position(row) == contract);
            let mut shown = Shown { is_listed, ..Shown::default() };
            let of_contract =
                |row: &&PositionRow| ContractKey::of_position(row) == contract && row.product == Product::Intraday;
            for row in rows.iter().filter(of_contract) {
                shown.day += row.day_bought.get() - row.day_sold.get();
                shown.net += row.net;
            }
            self.positions.see(contract, asked_at, shown.net);
            if managed != ours {
                // Settled or written off: the orders do not explain what is owned any more.
                continue;
            }
            let expected = Expected {
                instrument,
                contract,
                ours,
                foreign: self.strangers.net(contract) - taken + unmanaged,
                executed_at: self.executed_at(contract),
                is_working,
            };
            look_closer |= self.positions.compare(&expected, shown, asked_at, orders_asked_at, p, out);
        }
        if look_closer {
            self.want_round(now);
        }
    }
}
