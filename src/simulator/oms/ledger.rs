//! Cash to the paisa, and what of it is tied up. `cash = opening + sold - bought - charges + settled`, always.
//!
//! Margin is a simplification: a buy blocks its limit price x open units and the charges it would cost, a short
//! option blocks one share of strike x units, a sell order blocks that for the units that nothing held covers.

use chrono::NaiveDate;
use scalper_decide::domain::charges::{ChargeHeads, OutsideCharges};
use scalper_decide::domain::money::Rounding;
use scalper_decide::domain::{Instant, InstrumentKind, Money, OrderSide};

use super::Oms;
use super::order::{OmsError, OrderRow, Trade};
use crate::simulator::market::{Key, Listed};

/// A settled position.
#[derive(Debug, Clone, PartialEq)]
pub struct Settlement {
    /// The contract.
    pub key: Key,
    /// Its symbol.
    pub symbol: String,
    /// Units held, negative when short.
    pub net: i64,
    /// Money received per unit when long, paid when short.
    pub intrinsic: scalper_decide::domain::Premium,
    /// Exercise tax.
    pub charges: Money,
    /// When.
    pub at: Instant,
    /// Where the settlement value came from.
    pub source: String,
}

/// Cash and everything that ever moved it.
#[derive(Debug, Clone, PartialEq)]
pub struct Ledger {
    /// Before the first day.
    pub opening: Money,
    /// At the start of today.
    pub start_of_day: Money,
    /// Paid for units bought.
    pub bought: Money,
    /// Received for units sold.
    pub sold: Money,
    /// Charges of orders and settlements.
    pub charges: Money,
    /// Received (paid when negative) at settlements.
    pub settled: Money,
    /// Every settlement.
    pub settlements: Vec<Settlement>,
}

impl Ledger {
    pub(super) const fn new(opening: Money) -> Ledger {
        Ledger {
            opening,
            start_of_day: opening,
            bought: Money::ZERO,
            sold: Money::ZERO,
            charges: Money::ZERO,
            settled: Money::ZERO,
            settlements: Vec::new(),
        }
    }

    /// Cash now.
    pub fn cash(&self) -> Money {
        self.opening + self.sold - self.bought - self.charges + self.settled
    }

    pub(super) fn open_day(&mut self) {
        self.start_of_day = self.cash();
    }

    pub(super) fn book_trade(&mut self, trade: &Trade, charges: Money) {
        match trade.side {
            OrderSide::Buy => self.bought += trade.value(),
            OrderSide::Sell => self.sold += trade.value(),
        }
        self.charges += charges;
    }

    pub(super) fn book_settlement(&mut self, settlement: Settlement) {
        self.settled += Money::from_paise(settlement.intrinsic.paise() * settlement.net);
        self.charges += settlement.charges;
        self.settlements.push(settlement);
    }
}

/// The funds page (dhan-v2.md 7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Funds {
    /// Free to trade with; may be negative by charges.
    pub available: Money,
    /// Cash at the start of the day.
    pub start_of_day: Money,
    /// Tied up by positions and orders.
    pub utilized: Money,
    /// What could be paid out.
    pub withdrawable: Money,
}

/// What an order would need (dhan-v2.md 7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarginAnswer {
    /// Everything it blocks.
    pub total: Money,
    /// Its part for the short risk (span).
    pub span: Money,
    /// Its part for the short risk (exposure).
    pub exposure: Money,
    /// Free to trade with now.
    pub available: Money,
    /// What is missing.
    pub insufficient: Money,
}

impl Oms {
    /// What an order of `value` costs on a day, all heads.
    ///
    /// # Errors
    /// The day is outside the table of charges.
    pub fn charges_on(
        &self,
        listed: &Listed,
        side: OrderSide,
        value: Money,
        day: NaiveDate,
    ) -> Result<ChargeHeads, OutsideCharges> {
        let rates = self.charge_book.on(listed.instrument.underlying().exchange(), day)?;
        Ok(rates.for_order(side, value))
    }

    /// The funds page.
    pub fn funds(&self) -> Funds {
        let utilized = self.blocked();
        let available = self.ledger.cash() - utilized;
        Funds {
            available,
            start_of_day: self.ledger.start_of_day,
            utilized,
            withdrawable: if available.is_negative() { Money::ZERO } else { available },
        }
    }

    fn blocked(&self) -> Money {
        let positions: Money = self.positions.all().map(|p| self.short_margin(&p.listed, -p.net())).sum();
        positions + self.live.iter().map(|no| self.blocked_by(&self.orders[no])).sum()
    }

    /// What `short` units of a contract block; nothing when that is not positive.
    fn short_margin(&self, listed: &Listed, short: i64) -> Money {
        match &listed.instrument.kind {
            InstrumentKind::Option(contract) if short > 0 => {
                Money::from_paise(contract.strike.paise() * short).portion(self.config.short_margin, Rounding::Up)
            }
            _ => Money::ZERO,
        }
    }

    /// What one live order blocks beside everything else.
    fn blocked_by(&self, row: &OrderRow) -> Money {
        if row.hidden.refused_here {
            return Money::ZERO;
        }
        let open = row.hidden.reserved_qty - row.filled;
        match row.side {
            OrderSide::Buy => {
                let cost = Money::from_paise(row.hidden.reserved_price.paise() * open);
                let rates = self.rates[&row.listed.instrument.underlying().exchange()];
                cost + rates.for_order(row.side, row.value + cost).total() - row.hidden.charged
            }
            OrderSide::Sell => self.uncovered(row, self.open_sells_before(row), open),
        }
    }

    /// Open units of live sell orders in the same contract and product that came before this one.
    fn open_sells_before(&self, row: &OrderRow) -> i64 {
        let same = |o: &&OrderRow| {
            o.side == OrderSide::Sell
                && o.product == row.product
                && o.listed.key() == row.listed.key()
                && !o.hidden.refused_here
        };
        let before = self.live.range(..row.order_no).map(|no| &self.orders[no]);
        before.filter(same).map(|o| o.hidden.reserved_qty - o.filled).sum()
    }

    /// Margin for the part of `open` units that nothing held covers when `ahead` units are sold first.
    fn uncovered(&self, row: &OrderRow, ahead: i64, open: i64) -> Money {
        let held = self.positions.net(row.listed.key(), &row.product).max(0);
        let covered = (held - ahead).clamp(0, open);
        self.short_margin(&row.listed, open - covered)
    }

    /// What one more order, or this one on larger terms, adds to what is blocked.
    fn added_by(&self, row: &OrderRow) -> Money {
        let now = match self.orders.get(&row.order_no) {
            Some(known) => self.blocked_by(known),
            None => Money::ZERO,
        };
        self.blocked_by(row) - now
    }

    /// Whether there is money for a new order, or for this one on larger terms. What the broker does by itself needs
    /// none.
    pub(super) fn margin_check(&self, row: &OrderRow) -> Result<(), OmsError> {
        let required = self.added_by(row);
        let available = self.funds().available;
        if row.source == super::order::Source::Broker || required <= Money::ZERO || required <= available {
            return Ok(());
        }
        Err(OmsError { code: "0", text: format!("RMS:Insufficient Funds. Required {required}, Available {available}") })
    }

    /// What an order on these terms would block.
    pub(super) fn margin_of(&self, row: &OrderRow) -> MarginAnswer {
        let total = self.added_by(row);
        let available = self.funds().available;
        let short = if row.side == OrderSide::Sell { total } else { Money::ZERO };
        let exposure = Money::from_paise(short.paise() / 6);
        let missing = total - available;
        MarginAnswer {
            total,
            span: short - exposure,
            exposure,
            available,
            insufficient: if missing.is_negative() { Money::ZERO } else { missing },
        }
    }
}
