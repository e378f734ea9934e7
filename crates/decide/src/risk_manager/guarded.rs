//! One position under guard: its stop is state that only ever rises (F-20, I7, J7).

use serde::Serialize;

use crate::domain::money::Rounding;
use crate::domain::position::{Protection, Target};
use crate::domain::{
    Bps, Direction, ExitReason, Instant, InstrumentId, LotSize, Money, PositionId, Premium, Qty, SignalId, Underlying,
};
use crate::params::{RiskParams, StopDistance};

/// Trigger of the initial stop under an average entry, rounded up to the tick (closer, never farther) and at least
/// one tick.
pub fn initial_stop(distance: StopDistance, tightened: Option<Bps>, average: Premium, tick: Premium) -> Premium {
    let wanted = match distance {
        StopDistance::Percent { pct } => average.moved_by(-pct, Rounding::Up),
        StopDistance::Rupees { premium } => average - premium,
    };
    let tight = tightened.map_or(wanted, |pct| average.moved_by(-pct, Rounding::Up));
    wanted.max(tight).ceil_to(tick).max(tick)
}

/// Limit of a stop order: `gap` under its trigger, rounded down to the tick and at least one tick.
pub fn stop_limit(trigger: Premium, gap: Bps, tick: Premium) -> Premium {
    trigger.moved_by(-gap, Rounding::Down).floor_to(tick).max(tick)
}

/// What an approved entry tells the risk manager about the position to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct EntryPlan {
    /// The signal.
    pub signal: SignalId,
    /// The contract.
    pub instrument: InstrumentId,
    /// Price step of the contract.
    pub tick: Premium,
    /// Units in a lot of the contract.
    pub lot: LotSize,
    /// Whether the contract expires today.
    pub expires_today: bool,
    /// Tighter stop of the expiry-day limits.
    pub tightened_stop: Option<Bps>,
    /// The first stop a person named, in place of a distance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub named_stop: Option<Premium>,
}

impl EntryPlan {
    /// Trigger of the first stop of units that cost `average` each.
    pub fn first_stop(&self, distance: StopDistance, average: Premium) -> Premium {
        self.named_stop.unwrap_or_else(|| initial_stop(distance, self.tightened_stop, average, self.tick))
    }
}

/// A position and everything its rules need.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GuardedPosition {
    /// Its id.
    pub id: PositionId,
    /// What was planned.
    pub plan: EntryPlan,
    /// Units owned.
    pub owned: Qty,
    /// Average price paid.
    pub average: Premium,
    /// Stop, target and deadline: a guarded position has all three from its first unit on (F-1).
    pub protection: Protection,
    /// The rule that set the present stop: the reason recorded when it is hit.
    pub stop_rule: ExitReason,
    /// What the deadline stands for.
    pub deadline_rule: ExitReason,
    /// Highest sellable price seen since the first fill.
    pub peak: Premium,
    /// Lowest sellable price seen since the first fill.
    pub trough: Premium,
    /// Last sellable price; `None` until the first quote after the fill.
    pub mark: Option<Premium>,
    /// First fill.
    pub opened_at: Instant,
    /// The exit that was decided.
    pub exiting: Option<ExitReason>,
    /// Units a person wants sold that are still owned.
    pub part: Qty,
    /// When its rules were judged last.
    pub judged_at: Instant,
}

impl GuardedPosition {
    /// The index.
    pub const fn underlying(&self) -> Underlying {
        self.plan.signal.underlying
    }

    /// The direction of the signal.
    pub const fn direction(&self) -> Direction {
        self.plan.signal.direction
    }

    /// Open result at the last sellable price, before charges; the price paid where no quote came yet.
    pub fn open_result(&self) -> Money {
        (self.mark.unwrap_or(self.average) - self.average) * self.owned
    }

    /// Takes a sellable price in and lifts the stop where a rule says so. Returns whether the stop rose.
    pub fn ratchet(&mut self, params: &RiskParams, sellable: Premium) -> bool {
        self.mark = Some(sellable);
        self.trough = self.trough.min(sellable);
        if sellable <= self.peak {
            return false;
        }
        self.peak = sellable;
        let before = self.protection.stop;
        if let Some(after) = params.break_even_after
            && self.peak >= self.average.moved_by(after, Rounding::Up)
        {
            self.lift(self.average.ceil_to(self.plan.tick), ExitReason::BreakEven);
        }
        if let Some(trail) = params.trail
            && self.peak >= self.average.moved_by(trail.arm_after, Rounding::Up)
        {
            self.lift(self.peak.moved_by(-trail.drop, Rounding::Up).ceil_to(self.plan.tick), ExitReason::TrailingStop);
        }
        if let Some(lock) = params.profit_lock {
            let best = (self.peak - self.average) * self.owned;
            if self.owned > Qty::ZERO && best >= lock.min_profit {
                let kept = best.portion(lock.keep, Rounding::Up).per_unit(self.owned, Rounding::Up);
                self.lift((self.average + kept).ceil_to(self.plan.tick), ExitReason::ProfitLock);
            }
        }
        self.protection.stop > before
    }

    /// Raises the stop on a person's wish. Returns whether it rose.
    pub(super) fn tighten(&mut self, stop: Premium) -> bool {
        let rises = stop > self.protection.stop;
        if rises {
            self.protection.stop = stop;
            self.stop_rule = ExitReason::Operator;
        }
        rises
    }

    /// Raises the stop; a lower candidate changes nothing, and a stop never reaches the peak itself.
    fn lift(&mut self, candidate: Premium, rule: ExitReason) {
        let candidate = candidate.min(self.peak - self.plan.tick);
        if candidate > self.protection.stop {
            self.protection.stop = candidate;
            self.stop_rule = rule;
        }
    }

    /// The exit a sellable price calls for, if any. The stop is judged before the target.
    pub fn price_exit(&self, sellable: Premium) -> Option<ExitReason> {
        if sellable <= self.protection.stop {
            return Some(self.stop_rule);
        }
        match self.protection.target {
            Target::At(target) if sellable >= target => Some(ExitReason::Target),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_initial_stop_is_on_the_tick_and_never_farther_than_asked() {
        let tick = Premium::from_paise(5);
        let stop =
            initial_stop(StopDistance::Percent { pct: Bps::from_percent(30) }, None, Premium::from_paise(10_003), tick);
        assert_eq!(stop, Premium::from_paise(7_005));
        let tight = initial_stop(
            StopDistance::Rupees { premium: Premium::from_rupees(8) },
            Some(Bps::from_percent(5)),
            Premium::from_rupees(100),
            tick,
        );
        assert_eq!(tight, Premium::from_rupees(95));
        let cheap = initial_stop(
            StopDistance::Rupees { premium: Premium::from_rupees(8) },
            None,
            Premium::from_rupees(3),
            tick,
        );
        assert_eq!(cheap, tick, "a stop below one tick cannot rest at the exchange");
    }

    #[test]
    fn the_limit_of_a_stop_lies_under_its_trigger() {
        let tick = Premium::from_paise(5);
        assert_eq!(stop_limit(Premium::from_rupees(70), Bps::from_percent(2), tick), Premium::from_paise(6_860));
    }
}
