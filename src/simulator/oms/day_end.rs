//! The end of a day: what rests expires at the close, expired series are settled in one step (P30), the rest is
//! carried.

use std::collections::{BTreeMap, BTreeSet};

use scalper_decide::domain::broker::BrokerStatus;
use scalper_decide::domain::{IndexPrice, Instant, InstrumentKind, Money, Underlying};

use super::Oms;
use super::ledger::Settlement;

impl Oms {
    /// The closing bell: no more orders, and everything that rests lapses.
    pub(in crate::simulator) fn close(&mut self, now: Instant) {
        self.is_open = false;
        self.venue.close_session(now, &mut self.outputs);
        self.queue_outputs(true);
        self.immediate.clear();
        self.supers.end_waiting(&BrokerStatus::Expired);
    }

    /// Settles every contract that expires today on its index's value, all of them in one step. A series without a
    /// value stays as it is.
    pub(in crate::simulator) fn settle(&mut self, values: &BTreeMap<Underlying, (IndexPrice, String)>, now: Instant) {
        let today = self.today().expect("a day was opened");
        let mut gone = BTreeSet::new();
        for row in self.positions.all() {
            let InstrumentKind::Option(contract) = &row.listed.instrument.kind else { continue };
            let Some((value, source)) = values.get(&contract.underlying).filter(|_| contract.expiry == today) else {
                continue;
            };
            let (net, intrinsic) = (row.net(), contract.strike.intrinsic(contract.right, *value));
            gone.insert((row.listed.key(), row.product.clone()));
            if net == 0 {
                continue;
            }
            // The exercise tax is the buyer's.
            let payout = Money::from_paise(intrinsic.paise() * net.max(0));
            let charges = self.rates[&contract.underlying.exchange()].for_exercise(payout).total();
            self.ledger.book_settlement(Settlement {
                key: row.listed.key(),
                symbol: row.listed.symbol.clone(),
                net,
                intrinsic,
                charges,
                at: now,
                source: source.clone(),
            });
        }
        for (key, product) in gone {
            self.positions.settle(key, &product);
        }
    }

    /// Whether everything that was on its way has arrived.
    pub(super) fn is_quiet(&self) -> bool {
        self.live.is_empty() && self.incoming.is_empty()
    }

    /// Ends the books of the day.
    pub(in crate::simulator) fn end_day(&mut self) {
        assert!(self.is_quiet(), "reports arrive before the day ends");
        self.agenda.clear();
    }
}
