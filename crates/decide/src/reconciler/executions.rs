//! What one order of ours executed: cumulative counts of rows and executions of the trade book, folded so that none is
//! counted twice (D7), compared (D8, D9), and never reported beyond what was ordered or beyond a reported end.

use super::finding::{Finding, Reconciled};
use super::foreign::ContractKey;
use super::own::{End, Own, Stage, signed};
use super::params::ReconcilerParams;
use crate::domain::broker::TradeRow;
use crate::domain::money::Rounding;
use crate::domain::order::Fill;
use crate::domain::{Instant, Money, OrderReport, Premium, Qty};

/// The broker rounds average prices to a paisa; more than a tick (5 paise) a unit is another matter (D9).
const ROUNDING: Premium = Premium::from_paise(5);

impl Own {
    /// Units of the executions known one by one.
    pub(super) fn traded(&self) -> Qty {
        self.trades.values().map(|f| f.qty).sum()
    }

    /// Units executed by the larger of both kinds of evidence (D8).
    pub(super) fn executed(&self) -> Qty {
        self.traded().max(self.counted.0)
    }

    /// Units executed beyond a reported end.
    pub(super) fn beyond(&self) -> Qty {
        match self.stage {
            Stage::Over { counted, .. } => (self.executed() - counted).max(Qty::ZERO),
            _ => Qty::ZERO,
        }
    }

    /// Units beyond a reported end that the order manager has not taken over.
    pub(super) fn unmanaged(&self) -> Qty {
        self.beyond() - self.adopted
    }

    /// Money of the units beyond a reported end; pro rata where some of the order's units ended as reported.
    fn value_beyond(&self) -> Money {
        let (executed, beyond) = (self.executed(), self.beyond());
        let by_trades = || self.trades.values().map(|f| f.price * f.qty).sum();
        let total: Money = if self.traded() >= self.counted.0 { by_trades() } else { self.counted.1 };
        if beyond == executed { total } else { total.per_unit(executed, Rounding::HalfUp) * beyond }
    }

    /// Units beyond the reported end: said again whenever they grow.
    pub(super) fn note_unmanaged(&mut self, out: &mut Reconciled) {
        let (qty, value) = (self.beyond(), self.value_beyond());
        if qty > self.lost.as_ref().map_or(Qty::ZERO, |lost| lost.reported) {
            let lost = self.lost.get_or_insert_default();
            (lost.reported, lost.is_seen) = (qty, false);
            let (id, instrument, side) = (self.spec.id, self.spec.instrument, self.spec.side);
            out.findings.push(Finding::Unmanaged { id, instrument, side, qty, value });
        }
    }

    pub(super) fn compare_money(&mut self, by_orders: Money, out: &mut Reconciled) {
        let by_trades: Money = self.trades.values().map(|f| f.price * f.qty).sum();
        if (by_orders - by_trades).abs() > ROUNDING * self.traded() {
            self.once(out, Finding::MoneyDiffers { id: self.spec.id, by_orders, by_trades });
        }
    }

    /// One execution of the trade book. Real executions take the place of counted ones (D7, I5).
    pub(super) fn trade(&mut self, now: Instant, row: &TradeRow, out: &mut Reconciled) {
        if (ContractKey { segment: row.segment, security_id: row.security_id }) != self.contract
            || row.side != self.spec.side
        {
            return self.contradiction(out, "an execution of another contract or side");
        }
        let fill = Fill { trade: row.trade, qty: row.qty, price: row.price, at: row.at };
        if let Some(known) = self.trades.get(&fill.trade) {
            if *known != fill {
                self.contradiction(out, format!("two executions under trade id {}", fill.trade));
            }
            return;
        }
        if fill.qty <= Qty::ZERO {
            return self.contradiction(out, "an execution of nothing");
        }
        if let Stage::Over { by: End::Answer | End::Absent, .. } = self.stage {
            self.lives(now, &row.broker_id, true, out);
        }
        self.hear(now, out);
        let before = self.executed();
        self.trades.insert(fill.trade, fill);
        if self.executed() > before {
            self.executed_at = Some(now);
        }
        if self.beyond() > Qty::ZERO {
            return self.note_unmanaged(out);
        }
        if !matches!(self.stage, Stage::Over { .. }) {
            if self.traded() > self.ceiling() {
                let money = self.trades.values().map(|f| f.price * f.qty).sum();
                return self.overrun(now, money, out);
            }
            self.say(out, OrderReport::Filled(fill));
            return self.end_if_complete();
        }
        self.say(out, OrderReport::Filled(fill));
    }

    /// More was executed than we ever ordered: the order manager gets what it ordered, the rest is nobody's.
    pub(super) fn overrun(&mut self, now: Instant, money: Money, out: &mut Reconciled) {
        let (executed, filled) = (self.executed(), self.ceiling());
        self.executed_at = Some(now);
        self.contradiction(out, format!("{executed} executed of {filled}"));
        let value = money.per_unit(executed, Rounding::HalfUp) * filled;
        self.say(out, OrderReport::Traded { filled, value });
        self.end(filled, End::Books);
        self.note_unmanaged(out);
    }

    /// A clean order book, long after the last execution, counts less than the trade book knows, or agrees (D8).
    pub(super) fn watch_count(&mut self, asked_at: Instant, filled: Qty, p: &ReconcilerParams, out: &mut Reconciled) {
        let traded = self.traded();
        if filled == traded {
            self.books_differ = false;
        } else if filled < traded {
            self.differ(asked_at, filled, traded, p, out);
        }
    }

    /// A clean trade book, long after the last execution, shows less than was counted, or agrees (D8).
    pub(super) fn watch_trades(&mut self, asked_at: Instant, p: &ReconcilerParams, out: &mut Reconciled) {
        let (traded, counted) = (self.traded(), self.counted.0);
        if traded == counted {
            self.books_differ = false;
        } else if traded < counted {
            self.differ(asked_at, counted, traded, p, out);
        }
    }

    fn differ(
        &mut self,
        asked_at: Instant,
        by_orders: Qty,
        by_trades: Qty,
        p: &ReconcilerParams,
        out: &mut Reconciled,
    ) {
        if self.executed_at.is_some_and(|at| asked_at >= at + p.books_lag) {
            self.books_differ = true;
            self.once(out, Finding::BooksDiffer { id: self.spec.id, by_orders, by_trades });
        }
    }

    /// Net units of its executions.
    pub(super) fn net(&self) -> i64 {
        signed(self.spec.side, self.executed())
    }
}
