//! The day opens, series are settled, the day ends.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::OrderManager;
use super::book::cost_of_sold;
use super::changes::{Outcome, PositionChange};
use super::cover::Cover;
use crate::domain::alarm::{Alarm, AlarmKey};
use crate::domain::{
    ChargeHeads, ChargeRates, ExitReason, IndexPrice, PositionId, PositionPhase, Qty, SessionHours, Stamp, Underlying,
};

impl OrderManager {
    /// Opens a day. Orders of earlier days are history: day orders do not live on. Opening the same day again, as a
    /// restart does, keeps orders and positions and takes the hours over (J12).
    pub fn open_session(&mut self, hours: &SessionHours, rates: BTreeMap<Underlying, ChargeRates>) {
        self.windows = hours.windows.iter().map(|w| (hours.at(w.open), hours.at(w.close))).collect();
        self.rates = rates;
        if self.day == Some(hours.day) {
            return;
        }
        self.day = Some(hours.day);
        self.missing.clear();
        self.late.clear();
        self.late_sales.clear();
        self.proofs.shown.clear();
        self.orders.clear();
        self.books.clear();
        self.signals_used.clear();
        self.wake = None;
    }

    /// The exchange settled a series: every unit of every contract in it leaves at its intrinsic value (P30).
    pub fn settle(&mut self, now: Stamp, underlying: Underlying, expiry: NaiveDate, value: IndexPrice) -> Outcome {
        let mut outcome = Outcome::default();
        let due: Vec<PositionId> = self
            .books
            .values()
            .filter(|b| b.entry.contract.underlying == underlying && b.entry.contract.expiry == expiry)
            .filter(|b| b.position.is_live() && b.position.owned() > Qty::ZERO)
            .map(|b| b.position.id)
            .collect();
        for position in due {
            let book = self.books.get_mut(&position).expect("listed above");
            let owned = book.position.owned();
            let worth = book.entry.contract.strike.intrinsic(book.entry.contract.right, value) * owned;
            let heads = self.rates.get(&underlying).map_or_else(ChargeHeads::default, |r| r.for_exercise(worth));
            let p = &mut book.position;
            p.sold += owned;
            p.received += worth;
            p.charges += heads;
            let basis = cost_of_sold(p.paid, p.bought, p.sold) - book.sold_cost;
            book.sold_cost += basis;
            outcome.changes.push(PositionChange::Sold {
                position,
                cost_basis: basis,
                proceeds: worth,
                owned: Qty::ZERO,
                charges: heads.total(),
            });
            self.close_if_flat(now.at, position, Some(ExitReason::ExpirySettlement), &mut outcome);
        }
        self.refresh_wake();
        outcome
    }

    /// The session is over: what is still owned could not be sold and is unresolved.
    pub fn close_session(&mut self, now: Stamp) -> Outcome {
        let mut outcome = Outcome::default();
        let live: Vec<PositionId> =
            self.books.values().map(|b| &b.position).filter(|p| p.is_live()).map(|p| p.id).collect();
        for position in live {
            let is_entering = self.entries_working(&self.books[&position]);
            let book = self.books.get_mut(&position).expect("listed above");
            (book.chase_at, book.entry_deadline, book.part) = (None, None, None);
            book.cover = Cover::default();
            let p = &mut book.position;
            if p.bought == Qty::ZERO {
                p.phase = PositionPhase::Abandoned;
                outcome.changes.push(PositionChange::Abandoned { position });
                continue;
            }
            if is_entering {
                // Day orders do not live on: what the entry did not use is free again.
                outcome.changes.push(PositionChange::EntryDone { position });
            }
            if p.owned() > Qty::ZERO {
                p.phase = PositionPhase::Unresolved;
                let (owned, cost_basis) = (p.owned(), p.paid - book.sold_cost);
                let text = format!("position {position}: {owned} units could not be sold before the close");
                outcome.alarms.push(Alarm { key: AlarmKey::NotFlatAtClose, text });
                outcome.changes.push(PositionChange::Unresolved { position, cost_basis, owned, wanted: book.exit });
            } else {
                let reason = book.exit.unwrap_or(book.stop_rule);
                p.phase = PositionPhase::Closed { reason, at: now.at };
                outcome.changes.push(PositionChange::Closed { position, reason, net: p.net() });
            }
        }
        self.wake = None;
        outcome
    }
}
