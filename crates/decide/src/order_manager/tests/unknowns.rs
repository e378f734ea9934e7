//! Whatever gets lost between us and the venue: never short, never loosened, never uncovered for long, money exact.

use super::*;
use crate::capital_allocator::{CapitalAllocator, HoldRequest};
use crate::params::{CapitalBand, CapitalParams, Sizing};

const OPENING: Money = Money::from_rupees(100_000_000);

fn allocator(lots: i64) -> CapitalAllocator {
    let mut a = CapitalAllocator::new(CapitalParams {
        opening_balance: Some(OPENING),
        bands: vec![CapitalBand {
            up_to: None,
            allocation: Bps::from_percent(100),
            risk_per_trade: Bps::from_percent(100),
            day_loss: Bps::from_percent(100),
        }],
        index_allocation: BTreeMap::new(),
        sizing: Sizing::RiskPercent,
        max_lots: Lots::new(lots),
        max_trade_cost: None,
    });
    a.open_session(day());
    let hold = a.hold(&HoldRequest {
        underlying: Underlying::Nifty,
        entry_limit: Premium::from_rupees(101),
        stop: Premium::from_rupees(70),
        stop_limit: Premium::from_rupees(68),
        lot: LotSize::new(LOT).unwrap(),
        lots_cap: None,
        round_trip_charges_per_order: Money::ZERO,
    });
    assert_eq!(hold.unwrap().id, HoldId(1));
    a
}

/// One order as the venue has it, with everything it ever said about it.
#[derive(Debug, Clone)]
struct Held {
    spec: OrderSpec,
    filled: i64,
    open: bool,
    facts: Vec<OrderReport>,
}

/// A venue behind a line that loses requests and answers.
#[derive(Debug, Default)]
struct LossyVenue {
    orders: BTreeMap<ClientOrderId, Held>,
    trades: u64,
    highest_stop: BTreeMap<ClientOrderId, Premium>,
}

impl LossyVenue {
    /// Carries a command out; `refuses` is its mood. The answer, for whoever still listens.
    fn take(&mut self, command: Command, refuses: bool) -> Vec<OrderEvent> {
        let id = command.order_id();
        let not_open = VenueRefusal::NotOpen;
        let answer = match command {
            Command::Place(_) if refuses => {
                // A refused order is known to have been refused: the facts about it can be looked up.
                let Command::Place(spec) = command else { unreachable!() };
                let facts = vec![OrderReport::Rejected { refusal: VenueRefusal::PriceBand }];
                self.orders.insert(id, Held { spec, filled: 0, open: false, facts: facts.clone() });
                return facts.into_iter().map(|r| report(id, r)).collect();
            }
            Command::Place(spec) => {
                self.note_stop(id, spec.order_type);
                let earlier = self.orders.insert(id, Held { spec, filled: 0, open: true, facts: Vec::new() });
                assert!(earlier.is_none(), "one order per id, ever (L2)");
                OrderReport::Accepted
            }
            Command::Modify { version, order_type, qty, .. } => match self.orders.get_mut(&id) {
                Some(o) if o.open && !refuses && qty.get() > o.filled => {
                    (o.spec.qty, o.spec.order_type) = (qty, order_type);
                    self.note_stop(id, order_type);
                    OrderReport::Modified { version, order_type, qty }
                }
                _ => return vec![report(id, OrderReport::ModifyRefused { version, refusal: not_open })],
            },
            Command::Cancel { .. } => match self.orders.get_mut(&id) {
                Some(o) if o.open && !refuses => {
                    o.open = false;
                    OrderReport::Cancelled { filled: Qty::new(o.filled) }
                }
                _ => return vec![report(id, OrderReport::CancelRefused { refusal: not_open })],
            },
        };
        self.orders.get_mut(&id).expect("it answered").facts.push(answer.clone());
        vec![report(id, answer)]
    }

    /// I7: no stop ever falls.
    fn note_stop(&mut self, id: ClientOrderId, order_type: OrderType) {
        if let Some(trigger) = order_type.trigger() {
            let highest = self.highest_stop.entry(id).or_insert(trigger);
            assert!(trigger >= *highest, "{id}: stop from {highest} to {trigger}");
            *highest = trigger;
        }
    }

    fn fill(&mut self, id: ClientOrderId, most: i64) -> Option<OrderEvent> {
        let order = self.orders.get_mut(&id).filter(|o| o.open)?;
        let qty = most.min(order.spec.qty.get() - order.filled);
        order.filled += qty;
        order.open = order.filled < order.spec.qty.get();
        self.trades += 1;
        let price = order.spec.order_type.limit();
        let fill = OrderReport::Filled(Fill { trade: TradeId(self.trades), qty: Qty::new(qty), price, at: at(1).at });
        order.facts.push(fill.clone());
        Some(report(id, fill))
    }

    fn open_orders(&self) -> Vec<ClientOrderId> {
        self.orders.iter().filter(|(_, o)| o.open).map(|(id, _)| *id).collect()
    }

    /// What a look-up of everything says.
    fn books(&self) -> Vec<OrderEvent> {
        self.orders
            .iter()
            .flat_map(|(id, o)| {
                let heard =
                    (!matches!(o.facts.first(), Some(OrderReport::Rejected { .. }))).then_some(OrderReport::Accepted);
                heard.into_iter().chain(o.facts.iter().cloned()).map(|r| report(*id, r))
            })
            .collect()
    }

    fn net(&self) -> i64 {
        self.orders.values().map(|o| if o.spec.side == OrderSide::Buy { o.filled } else { -o.filled }).sum()
    }

    fn on_sale(&self) -> i64 {
        let sells = self.orders.values().filter(|o| o.open && o.spec.side == OrderSide::Sell);
        sells.map(|o| o.spec.qty.get() - o.filled).sum()
    }
}

/// The order manager, its venue, the capital behind them, and a risk manager that knows three answers.
struct World {
    m: OrderManager,
    venue: LossyVenue,
    capital: CapitalAllocator,
    position: PositionId,
    inbox: Vec<Command>,
    stop: i64,
}

impl World {
    fn new(lots: i64) -> World {
        let mut m = manager();
        let (position, commands) = m.place(at(0), &approved(lots), Some(quote(0, 100)));
        let capital = allocator(lots);
        World { m, venue: LossyVenue::default(), capital, position, inbox: commands.to_vec(), stop: 70 }
    }

    fn absorb(&mut self, now: Stamp, outcome: Outcome) {
        self.inbox.extend(outcome.commands);
        for change in outcome.changes {
            let hold = HoldId(1);
            let action = match change {
                PositionChange::Bought { cost, charges, .. } => {
                    self.capital.bought(hold, cost, charges);
                    Some(protect(self.position, self.stop))
                }
                PositionChange::EntryDone { .. } => {
                    self.capital.entry_done(hold);
                    None
                }
                PositionChange::Sold { cost_basis, proceeds, charges, .. } => {
                    self.capital.sold(hold, cost_basis, proceeds, charges);
                    None
                }
                PositionChange::Repriced { amount, basis, charges, .. } => {
                    self.capital.repriced(hold, amount, basis, charges);
                    None
                }
                PositionChange::Abandoned { .. } => {
                    self.capital.release(hold);
                    None
                }
                PositionChange::Unprotected { .. } => Some(exit(self.position)),
                PositionChange::Closed { .. } | PositionChange::Unresolved { .. } => None,
            };
            if let Some(action) = action {
                let commands = self.m.act(now, action);
                self.inbox.extend(commands);
            }
        }
    }

    fn tell(&mut self, now: Stamp, events: Vec<OrderEvent>) {
        for event in events {
            let outcome = self.m.apply(now, &event).expect("a venue never contradicts itself");
            self.absorb(now, outcome);
        }
    }

    /// Everything the venue's books say, and proof of absence for what it never got and never will (P1).
    fn reconcile(&mut self, now: Stamp) {
        let events = self.venue.books();
        self.tell(now, events);
        let waiting: Vec<ClientOrderId> = self.inbox.iter().map(Command::order_id).collect();
        // A book that shows other terms than the ones asked for has refused them.
        let mut never_took = Vec::new();
        for (id, held) in self.venue.orders.iter().filter(|(id, _)| !waiting.contains(id)) {
            let order = &self.m.orders[id].order;
            let other = order.unresolved().filter(|(_, qty)| *qty != held.spec.qty || !held.open);
            let refusal = || VenueRefusal::NotOpen;
            never_took.extend(
                other.map(|(version, _)| report(*id, OrderReport::ModifyRefused { version, refusal: refusal() })),
            );
        }
        self.tell(now, never_took);
        let absent: Vec<ClientOrderId> = self.m.in_doubt().map(|d| d.id).filter(|id| !waiting.contains(id)).collect();
        self.tell(now, absent.into_iter().map(|id| report(id, OrderReport::ProvenAbsent)).collect());
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let (net, on_sale) = (self.venue.net(), self.venue.on_sale());
        prop_assert!(net >= 0, "short by {}", -net);
        prop_assert!(on_sale <= net, "{on_sale} on sale, {net} owned");
        let p = self.m.position(self.position).unwrap();
        let booked = OPENING + self.capital.realised() - self.capital.charges();
        prop_assert_eq!(self.capital.balance(), Some(booked), "every rupee is somewhere");
        if matches!(p.phase, PositionPhase::Closed { .. }) {
            prop_assert_eq!(self.capital.balance(), Some(OPENING + p.net()), "and the books of the position agree");
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// I2, I3, I6, I7, I8, C1-C6, C16-C19, C23, E16: requests and answers get lost, the venue refuses, people interfere.
    #[test]
    fn losses_refusals_and_people_never_oversell_loosen_or_leave_units_uncovered(
        lots in 1_i64..30,
        steps in prop::collection::vec((0_u32..10, any::<u32>(), 60_i64..140), 20..140),
    ) {
        let mut w = World::new(lots);
        let mut clock = 0;
        for (kind, choice, bid) in steps {
            clock += i64::from(choice % 4);
            let now = at(clock);
            match kind {
                0 => {
                    let commands = w.m.on_quote(now, InstrumentId(3), &quote(clock, bid));
                    w.inbox.extend(commands);
                }
                1 => {
                    w.stop += 1;
                    let commands = w.m.act(now, protect(w.position, w.stop));
                    w.inbox.extend(commands);
                }
                2 if choice % 5 == 0 => {
                    let commands = w.m.act(now, exit(w.position));
                    w.inbox.extend(commands);
                }
                2 => {
                    let owned = w.m.position(w.position).unwrap().owned().get() / LOT;
                    let qty = Qty::new(LOT * (1 + i64::from(choice) % 3));
                    if owned > 3 {
                        let commands = w.m.act(now, RiskAction::SellPart { position: w.position, qty });
                        w.inbox.extend(commands);
                    }
                }
                3 | 4 => {
                    let outcome = w.m.on_timer(now);
                    w.absorb(now, outcome);
                }
                5 if choice % 3 == 0 => w.reconcile(now),
                5 | 6 => {
                    let open = w.venue.open_orders();
                    if let Some(id) = open.get(choice as usize % open.len().max(1)).copied() {
                        let told = w.venue.fill(id, LOT * (1 + i64::from(choice % 3)));
                        // Every fourth fill goes untold until the books are read.
                        if !choice.is_multiple_of(4) {
                            w.tell(now, told.into_iter().collect());
                        }
                    }
                }
                _ if w.inbox.is_empty() => {}
                _ => {
                    // Requests about different orders overtake each other, those about one order do not.
                    let id = w.inbox[choice as usize % w.inbox.len()].order_id();
                    let first = w.inbox.iter().position(|c| c.order_id() == id).expect("it is there");
                    let command = w.inbox.remove(first);
                    // Lost on the way there, refused, or lost on the way back.
                    if !choice.is_multiple_of(6) {
                        let answers = w.venue.take(command, choice.is_multiple_of(7));
                        if !choice.is_multiple_of(5) {
                            w.tell(now, answers);
                        }
                    }
                }
            }
            w.check()?;
        }
        // The line is good again and the venue takes everything (I33).
        for _ in 0..240 {
            clock += 1;
            let now = at(clock);
            let commands = w.m.on_quote(now, InstrumentId(3), &quote(clock, 100));
            w.inbox.extend(commands);
            let outcome = w.m.on_timer(now);
            w.absorb(now, outcome);
            while !w.inbox.is_empty() {
                let command = w.inbox.remove(0);
                let answers = w.venue.take(command, false);
                w.tell(now, answers);
                w.check()?;
            }
            for id in w.venue.open_orders() {
                let order = &w.venue.orders[&id];
                if order.spec.side == OrderSide::Sell && order.spec.order_type.trigger().is_none() {
                    let told = w.venue.fill(id, i64::MAX);
                    w.tell(now, told.into_iter().collect());
                }
            }
            w.reconcile(now);
            w.check()?;
        }
        let now = at(clock);
        prop_assert_eq!(w.m.position(w.position).unwrap().owned().get(), w.venue.net(), "belief and venue agree");
        prop_assert!(w.m.in_doubt().next().is_none());
        prop_assert!(w.m.uncovered(now.at).is_empty(), "{:?}", w.m.uncovered(now.at));
        if w.m.position(w.position).unwrap().is_live() {
            prop_assert_eq!(w.venue.on_sale(), w.venue.net(), "all of it is behind a stop");
        }
    }
}
