//! The sell side of one position as a plan: what should rest at the venue, against what does (I2: never sell more
//! than is owned).
//!
//! The wanted state is either a stop for everything owned or a marketable limit for everything owned. An exit
//! modifies the resting stop into the limit, so one order identity covers the way out and resending is safe (P2).

use serde::Serialize;
use smallvec::SmallVec;

use crate::domain::money::Rounding;
use crate::domain::order::OrderPurpose;
use crate::domain::{Bps, ClientOrderId, OrderType, Premium, Qty};
use crate::params::OrderParams;

/// What should rest at the venue for everything owned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "want", rename_all = "snake_case")]
pub enum Wanted {
    /// A stop-limit.
    Stop {
        /// Trigger.
        trigger: Premium,
        /// Limit after the trigger.
        limit: Premium,
    },
    /// A limit meant to fill at once.
    Leave {
        /// Worst acceptable price.
        limit: Premium,
    },
}

impl Wanted {
    /// The order type that expresses this.
    pub const fn order_type(self) -> OrderType {
        match self {
            Wanted::Stop { trigger, limit } => OrderType::StopLimit { trigger, price: limit },
            Wanted::Leave { limit } => OrderType::Limit { price: limit },
        }
    }

    /// What a new order with this plan is for.
    pub const fn purpose(self) -> OrderPurpose {
        match self {
            Wanted::Stop { .. } => OrderPurpose::Protection,
            Wanted::Leave { .. } => OrderPurpose::Exit,
        }
    }
}

/// What the planner needs to know about one live sell order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveSell {
    /// Its id.
    pub id: ClientOrderId,
    /// Total quantity in force or on its way.
    pub qty: Qty,
    /// Units already sold by it.
    pub filled: Qty,
    /// Type in force.
    pub order_type: OrderType,
    /// The venue has confirmed it and no change is on its way.
    pub is_settled: bool,
    /// Nobody knows whether the venue has it.
    pub is_in_doubt: bool,
    /// The venue has it, and a change of it has an unknown outcome: absolute values must be sent once more.
    pub is_unsure: bool,
    /// Its trigger has traded: it is a limit now, and no venue turns it back into a stop.
    pub is_triggered: bool,
    /// The venue has not refused to raise its quantity.
    pub can_grow: bool,
    /// Modifications sent so far.
    pub modifications: u8,
}

impl LiveSell {
    /// Units it may still sell.
    pub fn open(&self) -> Qty {
        self.qty - self.filled
    }

    /// Whether it sells now rather than at its trigger.
    pub const fn is_leaving(&self) -> bool {
        self.is_triggered || matches!(self.order_type, OrderType::Limit { .. })
    }
}

/// A step towards the wanted state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Change an order to an absolute type and total quantity.
    Modify {
        /// Which order.
        id: ClientOrderId,
        /// New type.
        order_type: OrderType,
        /// New total quantity.
        qty: Qty,
    },
    /// Take an order back; its quantity becomes available again when the venue confirms.
    Cancel {
        /// Which order.
        id: ClientOrderId,
    },
    /// Place one more order.
    Place {
        /// What for.
        purpose: OrderPurpose,
        /// Type.
        order_type: OrderType,
        /// Units.
        qty: Qty,
    },
}

/// What the planner is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Goal {
    /// Units owned by the position.
    pub owned: Qty,
    /// Units the position may have on sale: what is owned, or less where the broker's own net is smaller (E1).
    pub allowed: Qty,
    /// Units that may come on sale in addition now.
    pub room: Qty,
    /// What is wanted of everything that is not in `part`.
    pub wanted: Option<Wanted>,
    /// Units to sell now while the rest stays protected, and their worst acceptable price; without a price they wait,
    /// and what is free for them already is not put behind a stop again.
    pub part: Option<(Qty, Option<Premium>)>,
    /// Most units of one order.
    pub max_order_qty: Qty,
    /// Most units of one new order that leaves.
    pub slice: Qty,
}

impl Goal {
    /// `wanted` for everything owned, in orders as large as the venue takes.
    pub const fn whole(owned: Qty, wanted: Wanted, max_order_qty: Qty) -> Goal {
        let (wanted, slice) = (Some(wanted), max_order_qty);
        Goal { owned, allowed: owned, room: owned, wanted, part: None, max_order_qty, slice }
    }
}

/// Steps from what rests at the venue to what is wanted. Never covers more than is owned; an order that waits for an
/// answer is left alone and counts in full. Orders above `max_order_qty` are sliced (F-40).
///
/// # Panics
/// When the live sells exceed what is owned: the money invariant is broken already (I2).
pub fn plan(params: &OrderParams, goal: &Goal, live: &[LiveSell]) -> SmallVec<[Step; 2]> {
    let covered: Qty = live.iter().map(|s| s.open()).sum();
    assert!(covered <= goal.owned, "live sells {covered} exceed the {} units owned", goal.owned);
    let mut steps = SmallVec::new();
    if covered > goal.allowed {
        shrink(params, covered - goal.allowed, live.iter().rev(), &mut steps);
        return steps;
    }
    let mut free = (goal.allowed - covered).min(goal.room).max(Qty::ZERO);
    if let Some((part, limit)) = goal.part {
        let part = part.min(goal.owned);
        let Some(limit) = limit else {
            let leaving: Qty = live.iter().filter(|s| s.is_leaving()).map(LiveSell::open).sum();
            free -= (part - leaving).max(Qty::ZERO).min(free);
            let rest: SmallVec<[&LiveSell; 2]> = live.iter().filter(|s| !s.is_leaving()).collect();
            if let Some(wanted) = goal.wanted {
                hold_rest(params, goal, wanted, &rest, free, &mut steps);
            }
            return steps;
        };
        // What is freed for the part must not be taken by the stop.
        if sell_part(params, goal, live, (part, limit), &mut free, &mut steps) {
            return steps;
        }
    }
    if let Some(wanted) = goal.wanted {
        let rest: SmallVec<[&LiveSell; 2]> = live.iter().filter(|s| goal.part.is_none() || !s.is_leaving()).collect();
        hold_rest(params, goal, wanted, &rest, free, &mut steps);
    }
    steps
}

/// Takes units off sale, quantity first: an order that would be left with nothing is taken back.
fn shrink<'a>(
    params: &OrderParams,
    mut excess: Qty,
    live: impl Iterator<Item = &'a LiveSell>,
    steps: &mut SmallVec<[Step; 2]>,
) {
    for sell in live.filter(|s| s.is_settled) {
        if excess <= Qty::ZERO {
            break;
        }
        let cut = sell.open().min(excess);
        excess -= cut;
        if cut < sell.open() && sell.modifications < params.max_modifications {
            steps.push(Step::Modify { id: sell.id, order_type: sell.order_type, qty: sell.qty - cut });
        } else {
            steps.push(Step::Cancel { id: sell.id });
        }
    }
}

/// Steps that bring `part` units on their way out. Returns whether the stops had to make room for them.
fn sell_part(
    params: &OrderParams,
    goal: &Goal,
    live: &[LiveSell],
    (part, limit): (Qty, Premium),
    free: &mut Qty,
    steps: &mut SmallVec<[Step; 2]>,
) -> bool {
    let wanted = Wanted::Leave { limit };
    for sell in live.iter().filter(|s| s.is_leaving() && s.is_settled) {
        if !sell.is_unsure && !must_retype(params, sell.order_type, wanted) {
            continue;
        }
        if sell.modifications < params.max_modifications {
            steps.push(Step::Modify { id: sell.id, order_type: wanted.order_type(), qty: sell.qty });
        } else {
            steps.push(Step::Cancel { id: sell.id });
        }
    }
    let leaving: Qty = live.iter().filter(|s| s.is_leaving()).map(LiveSell::open).sum();
    let mut missing = (part - leaving).max(Qty::ZERO);
    let at_once = missing.min(*free);
    place(wanted, at_once, goal.slice, steps);
    missing -= at_once;
    *free -= at_once;
    let mut touched = false;
    for sell in live.iter().filter(|s| s.is_settled && !s.is_leaving()) {
        if missing <= Qty::ZERO {
            break;
        }
        touched = true;
        if sell.open() <= missing && sell.modifications < params.max_modifications {
            missing -= sell.open();
            steps.push(Step::Modify { id: sell.id, order_type: wanted.order_type(), qty: sell.qty });
        } else {
            let cut = sell.open().min(missing);
            missing -= cut;
            shrink(params, cut, std::iter::once(sell), steps);
        }
    }
    touched
}

/// Steps that bring everything else to `wanted`.
fn hold_rest(
    params: &OrderParams,
    goal: &Goal,
    wanted: Wanted,
    live: &[&LiveSell],
    mut free: Qty,
    steps: &mut SmallVec<[Step; 2]>,
) {
    for sell in live.iter().filter(|s| s.is_settled) {
        if sell.is_triggered && matches!(wanted, Wanted::Stop { .. }) {
            continue;
        }
        let room = if sell.can_grow { (goal.max_order_qty - sell.qty).min(free).max(Qty::ZERO) } else { Qty::ZERO };
        let retype = sell.is_unsure || must_retype(params, sell.order_type, wanted);
        if !retype && room == Qty::ZERO {
            continue;
        }
        let allowance = match wanted {
            Wanted::Leave { .. } => params.max_modifications,
            Wanted::Stop { .. } if room > Qty::ZERO || sell.is_unsure => params.max_modifications,
            Wanted::Stop { .. } => params.max_modifications.saturating_sub(params.modifications_for_exit),
        };
        if sell.modifications < allowance {
            let order_type = if retype { wanted.order_type() } else { sell.order_type };
            steps.push(Step::Modify { id: sell.id, order_type, qty: sell.qty + room });
            free -= room;
        } else if retype && (sell.is_unsure || matches!(wanted, Wanted::Leave { .. })) {
            // Out of modifications: a fresh order must take over once the venue confirms this one is gone.
            steps.push(Step::Cancel { id: sell.id });
        }
    }
    let (slice, may_place) = match wanted {
        Wanted::Leave { .. } => (goal.slice, true),
        // While a stop is in doubt no other is placed (E16).
        Wanted::Stop { .. } => (goal.max_order_qty, !live.iter().any(|s| s.is_in_doubt)),
    };
    if may_place {
        place(wanted, free, slice, steps);
    }
}

fn place(wanted: Wanted, mut units: Qty, slice: Qty, steps: &mut SmallVec<[Step; 2]>) {
    while units > Qty::ZERO {
        let qty = units.min(slice);
        steps.push(Step::Place { purpose: wanted.purpose(), order_type: wanted.order_type(), qty });
        units -= qty;
    }
}

/// Whether the difference is worth one of the order's modifications.
fn must_retype(params: &OrderParams, current: OrderType, wanted: Wanted) -> bool {
    match (current, wanted) {
        (OrderType::StopLimit { trigger: resting, .. }, Wanted::Stop { trigger, .. }) => {
            trigger > resting && (trigger - resting) >= share(resting, params.stop_move_min)
        }
        (OrderType::Limit { price }, Wanted::Leave { limit }) => limit < price,
        (OrderType::StopLimit { .. }, Wanted::Leave { .. }) => true,
        // A limit never turns back into a stop: an exit, once decided, stays decided.
        (OrderType::Limit { .. }, Wanted::Stop { .. }) => false,
    }
}

fn share(price: Premium, bps: Bps) -> Premium {
    price.moved_by(bps, Rounding::Up) - price
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Age;
    use crate::domain::ids::InstanceTag;

    fn params() -> OrderParams {
        OrderParams {
            instance: InstanceTag::new("T1").unwrap(),
            entry_offset: Bps::new(50),
            entry_timeout: Age::from_secs(5),
            exit_offset: Bps::new(100),
            exit_chase: Age::from_secs(1),
            max_modifications: 25,
            modifications_for_exit: 10,
            stop_move_min: Bps::new(50),
            answer_timeout: Age::from_secs(2),
        }
    }

    fn resting(qty: i64, trigger: i64, modifications: u8) -> LiveSell {
        let trigger = Premium::from_rupees(trigger);
        LiveSell {
            id: ClientOrderId::parse("a").unwrap(),
            qty: Qty::new(qty),
            filled: Qty::ZERO,
            order_type: OrderType::StopLimit { trigger, price: trigger },
            is_settled: true,
            is_in_doubt: false,
            is_unsure: false,
            is_triggered: false,
            can_grow: true,
            modifications,
        }
    }

    fn stop(trigger: i64) -> Wanted {
        let trigger = Premium::from_rupees(trigger);
        Wanted::Stop { trigger, limit: trigger }
    }

    const MAX: Qty = Qty::new(1_755);

    #[test]
    fn an_exit_turns_the_resting_stop_into_a_limit_and_sends_no_second_sell() {
        let wanted = Wanted::Leave { limit: Premium::from_rupees(80) };
        let steps = plan(&params(), &Goal::whole(Qty::new(65), wanted, MAX), &[resting(65, 70, 0)]);
        assert!(matches!(steps.as_slice(), [Step::Modify { order_type: OrderType::Limit { .. }, .. }]));
    }

    #[test]
    fn a_further_fill_raises_the_quantity_of_the_resting_stop() {
        let steps = plan(&params(), &Goal::whole(Qty::new(130), stop(70), MAX), &[resting(65, 70, 0)]);
        assert!(matches!(steps.as_slice(), [Step::Modify { qty, .. }] if *qty == Qty::new(130)));
    }

    #[test]
    fn sells_are_sliced_at_the_freeze_quantity() {
        // F-40
        let steps = plan(&params(), &Goal::whole(Qty::new(4_000), stop(70), MAX), &[]);
        let placed: Vec<i64> = steps
            .iter()
            .map(|s| match s {
                Step::Place { qty, .. } => qty.get(),
                _ => 0,
            })
            .collect();
        assert_eq!(placed, [1_755, 1_755, 490]);
    }

    #[test]
    fn an_order_waiting_for_an_answer_is_left_alone_and_counts_in_full() {
        let mut waiting = resting(65, 70, 0);
        waiting.is_settled = false;
        assert!(plan(&params(), &Goal::whole(Qty::new(65), stop(90), MAX), &[waiting]).is_empty());
    }

    #[test]
    fn a_trailing_stop_leaves_modifications_for_the_exit() {
        assert!(plan(&params(), &Goal::whole(Qty::new(65), stop(90), MAX), &[resting(65, 70, 15)]).is_empty());
        let wanted = Wanted::Leave { limit: Premium::from_rupees(80) };
        assert_eq!(plan(&params(), &Goal::whole(Qty::new(65), wanted, MAX), &[resting(65, 70, 15)]).len(), 1);
        let spent = plan(&params(), &Goal::whole(Qty::new(65), wanted, MAX), &[resting(65, 70, 25)]);
        assert!(matches!(spent.as_slice(), [Step::Cancel { .. }]));
    }

    #[test]
    fn a_small_rise_of_the_stop_is_not_worth_a_modification() {
        let mut sell = resting(65, 100, 0);
        let trigger = Premium::from_rupees(100);
        sell.order_type = OrderType::StopLimit { trigger, price: trigger };
        let wanted = Wanted::Stop { trigger: Premium::from_paise(10_020), limit: trigger };
        assert!(plan(&params(), &Goal::whole(Qty::new(65), wanted, MAX), &[sell]).is_empty());
    }
}
