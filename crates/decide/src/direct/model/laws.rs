//! What must hold at every event, and what must be true once the faults are over.

use super::*;

impl World {
    pub(super) fn laws(&mut self) {
        let orders = &self.core.orders;
        let owned: Qty = orders.positions().filter(|p| p.is_live()).map(|p| p.owned()).sum();
        let mut on_sale = Qty::ZERO;
        let mut net = 0;
        for (order, _) in orders.orders() {
            let sign = if order.spec.side == OrderSide::Buy { 1 } else { -1 };
            net += sign * order.filled().get();
            if order.spec.side == OrderSide::Sell {
                on_sale += order.open_qty() + order.missing_fills();
            }
            let known = self.seen.entry(order.spec.id).or_insert((false, Qty::ZERO));
            assert!(!known.0 || order.state.is_terminal(), "an end was reopened (I10)");
            assert!(order.filled() >= known.1, "executions were forgotten (I5, I10)");
            *known = (order.state.is_terminal(), order.filled());
            if order.state == OrderState::Absent {
                assert!(self.absent.contains(&order.spec.id), "absent without proof (I11)");
            }
        }
        let log = || self.log.iter().rev().take(60).rev().cloned().collect::<String>();
        assert!(on_sale <= owned, "{on_sale} on sale, {owned} owned (I2)\n{}", log());
        let by_positions: i64 = orders.positions().map(|p| p.owned().get()).sum();
        let adopted = self.core.reconciler.adopted_net() + self.core.reconciler.taken_units();
        assert_eq!(net + adopted, by_positions, "positions are fills (I4)\n{}", log());
        let capital = &self.core.allocator;
        let books = capital.opening_of_day().unwrap() + capital.realised() - capital.charges();
        assert_eq!(capital.balance().unwrap(), books, "every rupee is somewhere (I8)");
        assert!(self.core.reconciler.every_open_order_has_a_deadline(), "I9");
        for p in self.core.risk.guarded() {
            let high = self.risk_stops.entry(p.id).or_insert(p.protection.stop);
            assert!(p.protection.stop >= *high, "I7");
            *high = p.protection.stop;
        }
        if !self.late_sell {
            let truth: i64 = self.books.trades.iter().map(|t| signed(t.side, t.qty)).sum();
            assert!(truth >= 0, "sold short at the broker (I2, I3)\n{}", log());
        }
    }

    /// Our books are the broker's, and what is owned is covered.
    pub(super) fn converged(&self) {
        let log = || self.log.iter().rev().take(150).rev().cloned().collect::<String>();
        assert_eq!(self.core.orders.in_doubt().count(), 0, "nothing is unknown (I33)\n{}", log());
        for (order, _) in self.core.orders.orders() {
            let id = order.spec.id;
            let row = self.index_of(id).map(|i| &self.books.orders[i]);
            let (filled, is_final) = row.map_or((Qty::ZERO, true), |r| (r.filled, r.status.is_final()));
            let taken = self.core.reconciler.adopted_of(id);
            // Units sold late that nobody owned: told, blocking entries, and nothing that a sell could put right.
            let is_short = self.late_sell && order.state == OrderState::Absent && order.spec.side == OrderSide::Sell;
            assert!(order.filled() + taken == filled || is_short, "{id} {:?} {row:?}\n{}", order.state, log());
            let about = || self.log.iter().filter(|l| l.contains(&format!("{id:?}"))).cloned().collect::<String>();
            assert!(order.state.is_terminal() == is_final, "{id} {:?} {row:?}\n{}", order.state, about());
            let is_settled = order.state.is_terminal() || !order.has_unresolved();
            assert!(is_settled, "{id}: quantities stay reserved for {:?}\n{}", order.unresolved().last(), log());
        }
        let truth: i64 = self.books.trades.iter().map(|t| signed(t.side, t.qty)).sum();
        let owned: i64 = self.core.orders.positions().map(|p| p.owned().get()).sum();
        let truth = truth - (self.foreign - self.core.reconciler.taken_units());
        assert!(
            owned == truth || self.late_sell && owned > truth,
            "{owned} {truth}: the broker's net is ours (I4)\n{}",
            log()
        );
        for gap in self.core.orders.uncovered(ms(self.now)) {
            assert!(gap.age <= Age::from_millis(1_500), "{gap:?} (I6, J13)\n{}", log());
        }
    }
}
