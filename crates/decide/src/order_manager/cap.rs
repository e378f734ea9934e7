//! The broker's own net as a bound on what may be sold (E1, I2).

use smallvec::SmallVec;

use super::OrderManager;
use super::book::Book;
use super::changes::Outcome;
use crate::domain::alarm::{Alarm, AlarmKey};
use crate::domain::{Instant, InstrumentId, Position, PositionId, Qty, Stamp};

impl OrderManager {
    /// Tells how many units of a contract the broker would let us sell: its own net, with every execution known here
    /// counted in (E1). What we own beyond that is not ours to sell, and keeps missing until the next call says
    /// otherwise; stops are made smaller first. `None` when nothing is known against us.
    pub fn set_sellable_cap(&mut self, now: Stamp, instrument: InstrumentId, cap: Option<Qty>) -> Outcome {
        let mut outcome = Outcome::default();
        let here = |b: &&Book| b.position.instrument == instrument && b.position.is_live();
        let owned: Qty = self.books.values().filter(here).map(|b| b.position.owned()).sum();
        let missing = cap.map_or(Qty::ZERO, |cap| (owned - cap.max(Qty::ZERO)).max(Qty::ZERO));
        let known = self.missing.insert(instrument, missing).unwrap_or(Qty::ZERO);
        if known == missing {
            return outcome;
        }
        if missing > Qty::ZERO {
            let text =
                format!("contract {}: {owned} units by our fills, {missing} of them not at the broker", instrument.0);
            outcome.alarms.push(Alarm { key: AlarmKey::NetShort, text });
        }
        self.sync_contract(now, instrument, &mut outcome);
        self.book_late_sales(now, &mut outcome);
        self.refresh_wake();
        outcome
    }

    /// Tells what a list of positions, asked for at `shown.0`, has of a contract: the proof that late sells need (I29).
    pub fn set_shown_net(&mut self, now: Stamp, instrument: InstrumentId, shown: (Instant, Qty)) -> Outcome {
        let mut outcome = Outcome::default();
        if self.proofs.shown.insert(instrument, shown) != Some(shown) && self.proven(now.at, instrument).is_some() {
            self.sync_contract(now, instrument, &mut outcome);
            self.refresh_wake();
        }
        outcome
    }

    /// Moves the sell side of every live position of a contract.
    pub(super) fn sync_contract(&mut self, now: Stamp, instrument: InstrumentId, outcome: &mut Outcome) {
        let here = |b: &&Book| b.position.instrument == instrument && b.position.is_live();
        let positions: SmallVec<[PositionId; 2]> = self.books.values().filter(here).map(|b| b.position.id).collect();
        for position in positions {
            self.sync(now.at, position, &mut outcome.commands);
        }
    }

    /// Units of the position that are not at the broker: younger positions of a contract go without first.
    pub(super) fn missing_of(&self, book: &Book) -> Qty {
        let Position { id, instrument, .. } = book.position;
        let missing = self.missing.get(&instrument).copied().unwrap_or(Qty::ZERO);
        if missing == Qty::ZERO {
            return Qty::ZERO;
        }
        let younger: Qty = self.others(instrument, id).filter(|b| b.position.id > id).map(|b| b.position.owned()).sum();
        (missing - younger).max(Qty::ZERO).min(book.position.owned())
    }

    /// Live positions of a contract but one.
    fn others(&self, instrument: InstrumentId, but: PositionId) -> impl Iterator<Item = &Book> {
        let here = move |p: &Position| p.instrument == instrument && p.is_live() && p.id != but;
        self.books.values().filter(move |b| here(&b.position))
    }

    /// Units the position may have on sale, and how many more may come on sale now.
    pub(super) fn sellable(&self, now: Instant, book: &Book) -> (Qty, Qty) {
        let Position { id, instrument, .. } = book.position;
        let owned = book.position.owned();
        let Some(missing) = self.missing.get(&instrument).copied().filter(|m| *m > Qty::ZERO) else {
            return (owned, owned);
        };
        let all: Qty = self.others(instrument, id).map(|b| b.position.owned()).sum::<Qty>() + owned;
        let live: Qty = self
            .others(instrument, id)
            .chain(std::iter::once(book))
            .flat_map(|b| &b.sells)
            .filter_map(|id| self.orders[id].live_sell(now))
            .map(|s| s.open())
            .sum();
        (owned - self.missing_of(book), (all - missing - live).max(Qty::ZERO))
    }
}
