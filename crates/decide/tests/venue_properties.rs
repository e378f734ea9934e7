//! The simulated venue over random markets: what it must never do, and how its models compare (N9, P13, P23, P25, I4).

mod market;

use std::collections::{BTreeMap, BTreeSet};

use market::{LOT, MAX_LOTS, STEP, bars, hours, market, ms, price, spec, ticks, venue};
use proptest::prelude::*;
use scalper_decide::domain::order::Fill;
use scalper_decide::domain::{
    Age, ClientOrderId, Command, Instant, InstrumentId, LotSize, Order, OrderReport, OrderSide, OrderSpec, OrderState,
    OrderType, Premium, Qty, Tick, VenueRefusal,
};
use scalper_decide::venue_sim::{FillModel, FillModelKind, VenueOutput};

fn fills(out: &[VenueOutput]) -> Vec<(ClientOrderId, Fill)> {
    let fill = |o: &VenueOutput| match &o.event.report {
        OrderReport::Filled(fill) => Some((o.event.id, *fill)),
        _ => None,
    };
    out.iter().filter_map(fill).collect()
}

/// What one model made of one order: every lot's price and time, in the sequence of execution.
fn lots_of_one_order(
    kind: FillModelKind,
    ticks: &[Tick],
    decided: Instant,
    spec: OrderSpec,
) -> Vec<(Premium, Instant)> {
    let mut venue = venue(kind);
    let mut out = Vec::new();
    let mut sent = false;
    for tick in ticks {
        if !sent && tick.received_at > decided {
            venue.submit(decided, Command::Place(spec));
            sent = true;
        }
        venue.on_tick(tick, &mut out);
    }
    let lots = |(_, fill): (ClientOrderId, Fill)| vec![(fill.price, fill.at); (fill.qty.get() / LOT) as usize];
    fills(&out).into_iter().flat_map(lots).collect()
}

/// Every lot that the worse model traded was traded by the better one, no later and at no worse a price.
fn assert_ordered(
    side: OrderSide,
    better: (FillModelKind, &[(Premium, Instant)]),
    worse: (FillModelKind, &[(Premium, Instant)]),
) -> Result<(), TestCaseError> {
    let ((better_kind, better), (worse_kind, worse)) = (better, worse);
    prop_assert!(
        worse.len() <= better.len(),
        "{worse_kind} traded {} lots, {better_kind} {}",
        worse.len(),
        better.len()
    );
    for (nth, (b, w)) in better.iter().zip(worse).enumerate() {
        prop_assert!(b.1 <= w.1, "lot {nth}: {worse_kind} was earlier than {better_kind}");
        let in_order = match side {
            OrderSide::Buy => b.0 <= w.0,
            OrderSide::Sell => b.0 >= w.0,
        };
        prop_assert!(in_order, "lot {nth}, {side}: {better_kind} {} but {worse_kind} {}", b.0, w.0);
    }
    Ok(())
}

fn side() -> impl Strategy<Value = OrderSide> {
    prop_oneof![Just(OrderSide::Buy), Just(OrderSide::Sell)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_four_models_are_ordered_for_any_single_order(
        moves in market(1, 40),
        side in side(),
        lots in 1..=MAX_LOTS,
        decided in 0_usize..10,
        offset in -20_i64..60,
        trigger in prop::option::of(0_i64..30),
    ) {
        // N9: per lot, price no better and time no earlier; by any time, quantity no larger.
        let ticks = ticks(&moves);
        let now = &ticks[decided.min(ticks.len() - 1)];
        let last = now.ltp_paise / STEP;
        let towards = if side == OrderSide::Buy { 1 } else { -1 };
        let order_type = match trigger {
            None => OrderType::Limit { price: price(last + towards * offset) },
            Some(away) => OrderType::StopLimit {
                trigger: price(last + towards * away),
                price: price(last + towards * (away + offset.abs())),
            },
        };
        let spec = spec(1, 0, side, lots, order_type);
        let results: Vec<_> = FillModelKind::ALL
            .into_iter()
            .map(|kind| (kind, lots_of_one_order(kind, &ticks, now.received_at, spec)))
            .collect();
        for pair in results.windows(2) {
            assert_ordered(side, (pair[0].0, &pair[0].1), (pair[1].0, &pair[1].1))?;
        }
    }

    #[test]
    fn the_four_models_are_ordered_inside_a_bar(
        moves in market(1, 24),
        side in side(),
        lots in 1_i64..=5,
        decided in 0_usize..20,
    ) {
        // N9: a marketable order of a size that every model can fill trades on one point in all of them.
        let points = bars(&ticks(&moves));
        let now = &points[decided.min(points.len() - 1)];
        let far = if side == OrderSide::Buy { now.ltp_paise * 7 / 5 } else { now.ltp_paise * 3 / 5 } / STEP;
        let spec = spec(1, 0, side, lots, OrderType::Limit { price: price(far) });
        let results: Vec<_> = FillModelKind::ALL
            .into_iter()
            .map(|kind| (kind, lots_of_one_order(kind, &points, now.received_at, spec)))
            .collect();
        for pair in results.windows(2) {
            assert_ordered(side, (pair[0].0, &pair[0].1), (pair[1].0, &pair[1].1))?;
            prop_assert!(pair[0].1.iter().map(|l| l.1).eq(pair[1].1.iter().map(|l| l.1)), "not on one point");
        }
    }
}

/// Something the engine does after a tick.
#[derive(Debug, Clone)]
enum Deed {
    Nothing,
    Place { side: OrderSide, lots: i64, offset: i64, trigger: Option<i64> },
    Modify { which: prop::sample::Index, lots: i64, offset: i64, trigger: Option<i64> },
    Cancel { which: prop::sample::Index },
}

fn deed() -> impl Strategy<Value = Deed> {
    let trigger = || prop::option::of(-3_i64..20);
    prop_oneof![
        3 => Just(Deed::Nothing),
        3 => (side(), 1..=MAX_LOTS + 1, -20_i64..40, trigger())
            .prop_map(|(side, lots, offset, trigger)| Deed::Place { side, lots, offset, trigger }),
        2 => (any::<prop::sample::Index>(), 1..=MAX_LOTS + 1, -20_i64..40, trigger())
            .prop_map(|(which, lots, offset, trigger)| Deed::Modify { which, lots, offset, trigger }),
        1 => any::<prop::sample::Index>().prop_map(|which| Deed::Cancel { which }),
    ]
}

fn order_type(side: OrderSide, last: i64, offset: i64, trigger: Option<i64>) -> OrderType {
    let towards = if side == OrderSide::Buy { 1 } else { -1 };
    match trigger {
        None => OrderType::Limit { price: price(last + towards * offset) },
        Some(away) => OrderType::StopLimit {
            trigger: price(last + towards * away),
            price: price(last + towards * (away + offset)),
        },
    }
}

struct Played {
    out: Vec<VenueOutput>,
    orders: BTreeMap<ClientOrderId, (OrderSpec, Instant)>,
    /// Limits that were ever asked for, by order.
    limits: BTreeMap<ClientOrderId, Vec<Premium>>,
    modifications: Vec<(ClientOrderId, u8, Qty)>,
}

fn play(kind: FillModelKind, ticks: &[Tick], deeds: &[Deed]) -> Played {
    let mut venue = venue(kind);
    let mut played =
        Played { out: Vec::new(), orders: BTreeMap::new(), limits: BTreeMap::new(), modifications: Vec::new() };
    let mut ids: Vec<ClientOrderId> = Vec::new();
    let mut versions: BTreeMap<ClientOrderId, u8> = BTreeMap::new();
    for (tick, deed) in ticks.iter().zip(deeds.iter().chain(std::iter::repeat(&Deed::Nothing))) {
        while let Some(at) = venue.wake_at().filter(|at| *at <= tick.received_at) {
            venue.advance(at, &mut played.out);
        }
        venue.on_tick(tick, &mut played.out);
        let (now, last) = (tick.received_at, tick.ltp_paise / STEP);
        match deed {
            Deed::Place { side, lots, offset, trigger } => {
                let kind = order_type(*side, last, *offset, *trigger);
                let spec = spec(ids.len() as u64 + 1, tick.instrument.0, *side, *lots, kind);
                ids.push(spec.id);
                played.orders.insert(spec.id, (spec, now));
                played.limits.insert(spec.id, vec![kind.limit()]);
                venue.submit(now, Command::Place(spec));
            }
            Deed::Modify { which, lots, offset, trigger } if !ids.is_empty() => {
                let id = *which.get(&ids);
                let (spec, _) = played.orders[&id];
                let version = versions.entry(id).or_default();
                *version += 1;
                let (kind, qty) = (order_type(spec.side, last, *offset, *trigger), Qty::new(lots * LOT));
                played.limits.get_mut(&id).unwrap().push(kind.limit());
                played.modifications.push((id, *version, qty));
                let (instrument, version) = (spec.instrument, *version);
                venue.submit(now, Command::Modify { id, instrument, version, order_type: kind, qty });
            }
            Deed::Cancel { which } if !ids.is_empty() => {
                let id = *which.get(&ids);
                venue.submit(now, Command::Cancel { id, instrument: played.orders[&id].0.instrument });
            }
            _ => {}
        }
    }
    venue.close_session(hours().close_at(), &mut played.out);
    assert_eq!((venue.working_orders(), venue.wake_at()), (0, None));
    played.out.sort_by_key(|output| output.deliver_at);
    played
}

fn kind() -> impl Strategy<Value = FillModelKind> {
    prop::sample::select(FillModelKind::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_sent_the_reports_make_legal_orders_and_quantities_add_up(
        kind in kind(),
        moves in market(2, 60),
        deeds in prop::collection::vec(deed(), 0..60),
        in_bars in any::<bool>(),
    ) {
        // P13, I4, I5, I10: every order ends, and what it says it executed is what was executed.
        let ticks = if in_bars { bars(&ticks(&moves)) } else { ticks(&moves) };
        let played = play(kind, &ticks, &deeds);
        let mut orders: BTreeMap<_, _> =
            played.orders.iter().map(|(id, (spec, at))| (*id, Order::sent(*spec, *at))).collect();
        for (id, version, qty) in &played.modifications {
            orders.get_mut(id).unwrap().modification_sent(*version, *qty);
        }
        for output in &played.out {
            let order = orders.remove(&output.event.id).expect("a report about an order that was sent");
            let order = order.apply(&output.event.report).map_err(|e| TestCaseError::fail(e.to_string()))?;
            prop_assert!(order.filled() <= Qty::new(MAX_LOTS * LOT));
            orders.insert(output.event.id, order);
        }
        for order in orders.values() {
            prop_assert!(order.state.is_terminal(), "{:?} after the close", order.state);
            prop_assert_eq!(order.missing_fills(), Qty::ZERO);
            prop_assert_eq!(order.filled().get() % LOT, 0);
            if order.state == OrderState::Filled {
                prop_assert_eq!(order.filled(), order.spec.qty);
            }
        }
        let numbers: BTreeSet<_> = fills(&played.out).iter().map(|(_, fill)| fill.trade).collect();
        prop_assert_eq!(numbers.len(), fills(&played.out).len(), "trade ids are unique");
    }

    #[test]
    fn no_fill_is_better_than_what_was_displayed_or_earlier_than_its_arrival(
        kind in kind(),
        moves in market(2, 60),
        deeds in prop::collection::vec(deed(), 0..60),
    ) {
        // P23, P25, F-90: an independent look at each fill and the tick it says it happened on.
        let ticks = ticks(&moves);
        let played = play(kind, &ticks, &deeds);
        let model = FillModel::named(kind);
        let mut by_tick: BTreeMap<(Instant, InstrumentId, OrderSide), Vec<Fill>> = BTreeMap::new();
        for (id, fill) in fills(&played.out) {
            let (spec, sent) = played.orders[&id];
            prop_assert!(fill.at >= sent + model.order_latency, "filled before it arrived");
            prop_assert!(fill.price.is_multiple_of(Premium::from_paise(STEP)) && fill.price > Premium::ZERO);
            let within = |limit: &Premium| match spec.side {
                OrderSide::Buy => fill.price <= *limit,
                OrderSide::Sell => fill.price >= *limit,
            };
            prop_assert!(played.limits[&id].iter().any(within), "beyond every limit it ever had");
            by_tick.entry((fill.at, spec.instrument, spec.side)).or_default().push(fill);
        }
        for ((at, id, side), fills) in by_tick {
            let tick = ticks.iter().find(|t| t.received_at == at && t.instrument == id);
            let tick = tick.expect("every fill has a tick of its contract");
            prop_assert!(tick.flags.is_decidable());
            let (own, other) = if side == OrderSide::Buy { (&tick.asks, &tick.bids) } else { (&tick.bids, &tick.asks) };
            let shown: Vec<_> = own.iter().take_while(|l| !l.is_empty()).collect();
            let total: Qty = fills.iter().map(|f| f.qty).sum();
            if shown.is_empty() {
                prop_assert!(other[0].is_empty(), "traded against nobody");
                let size = model.takeable(Qty::new(model.synthetic_level.get() * LOT), LotSize::new(LOT).unwrap());
                prop_assert!(total <= size);
                for fill in fills {
                    let edge = (fill.price.paise() - tick.ltp_paise) * if side == OrderSide::Buy { 1 } else { -1 };
                    prop_assert!(edge >= STEP * model.half_spread_min_ticks || fill.price == Premium::from_paise(STEP));
                }
            } else {
                for fill in &fills {
                    // All that is filled at this price or better was displayed at this price or better.
                    let reaches = |p: Premium| if side == OrderSide::Buy { p <= fill.price } else { p >= fill.price };
                    let taken: Qty = fills.iter().filter(|f| reaches(f.price)).map(|f| f.qty).sum();
                    let displayed: Qty = shown.iter().filter(|l| reaches(l.premium())).map(|l| l.quantity()).sum();
                    prop_assert!(taken <= displayed, "took {taken} of {displayed} at {}", fill.price);
                }
            }
        }
    }

    #[test]
    fn every_fill_on_a_bar_lies_inside_the_path_seen_so_far_and_its_spread(
        kind in kind(),
        moves in market(1, 60),
        deeds in prop::collection::vec(deed(), 0..60),
    ) {
        // No fill uses a path inside a bar in our favour.
        let points = bars(&ticks(&moves));
        let played = play(kind, &points, &deeds);
        let model = FillModel::named(kind);
        let step = Premium::from_paise(STEP);
        let slip = Premium::from_paise(STEP * model.slippage_ticks);
        for (id, fill) in fills(&played.out) {
            let now = points.iter().position(|t| t.received_at == fill.at).expect("a point");
            let path: Vec<_> = points[now / 4 * 4..=now].iter().map(Tick::premium).collect();
            let (low, high) = (*path.iter().min().unwrap(), *path.iter().max().unwrap());
            match played.orders[&id].0.side {
                OrderSide::Buy => prop_assert_eq!(fill.price, high + model.half_spread_at(high, step) + slip),
                OrderSide::Sell => {
                    prop_assert_eq!(fill.price, (low - model.half_spread_at(low, step) - slip).max(step));
                }
            }
        }
    }

    #[test]
    fn the_same_calls_give_the_same_outputs(
        kind in kind(),
        moves in market(2, 40),
        deeds in prop::collection::vec(deed(), 0..40),
    ) {
        let ticks = ticks(&moves);
        prop_assert_eq!(play(kind, &ticks, &deeds).out, play(kind, &ticks, &deeds).out);
    }

    #[test]
    fn nothing_received_later_changes_what_was_said_before(
        kind in kind(),
        moves in market(2, 40),
        other in market(2, 40),
        deeds in prop::collection::vec(deed(), 0..20),
        cut in 0_usize..40,
    ) {
        // N13, P27: scramble the future, compare the past.
        let ticks = ticks(&moves);
        let cut = cut.min(ticks.len());
        let until = ticks[..cut].last().map_or(ms(0), |t| t.received_at);
        let shift = Age::from_nanos(until.nanos() - ms(0).nanos());
        let later = market::ticks(&other)
            .into_iter()
            .map(|t| Tick { exchange_at: t.exchange_at + shift, received_at: t.received_at + shift, ..t });
        let scrambled: Vec<_> = ticks[..cut].iter().copied().chain(later).collect();
        let deeds = &deeds[..deeds.len().min(cut)];
        let said = |ticks: &[Tick]| {
            let model = FillModel::named(kind);
            let mut out = play(kind, ticks, deeds).out;
            out.retain(|o| o.deliver_at <= until + model.report_latency);
            out
        };
        prop_assert_eq!(said(&ticks), said(&scrambled));
    }
}

#[test]
fn the_random_markets_trade_and_refuse_enough_to_prove_something() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let strategy = (kind(), market(2, 60), prop::collection::vec(deed(), 0..60));
    let (mut filled, mut triggered, mut modified, mut cancelled) = (0, 0, 0, 0);
    let mut refusals: BTreeSet<VenueRefusal> = BTreeSet::new();
    for _ in 0..400 {
        let (kind, moves, deeds) = strategy.new_tree(&mut runner).unwrap().current();
        for output in play(kind, &ticks(&moves), &deeds).out {
            match output.event.report {
                OrderReport::Filled(_) => filled += 1,
                OrderReport::Triggered => triggered += 1,
                OrderReport::Modified { .. } => modified += 1,
                OrderReport::Cancelled { filled } if filled > Qty::ZERO => cancelled += 1,
                OrderReport::Rejected { refusal } | OrderReport::ModifyRefused { refusal, .. } => {
                    refusals.insert(refusal);
                }
                _ => {}
            }
        }
    }
    eprintln!("{filled} fills, {triggered} triggers, {modified} modified, {cancelled} cancelled in part, {refusals:?}");
    assert!(filled > 1_000 && triggered > 100 && modified > 200 && cancelled > 50);
    for wanted in [VenueRefusal::FreezeQuantity, VenueRefusal::NotOpen, VenueRefusal::TriggerSide] {
        assert!(refusals.contains(&wanted), "{wanted} never happened");
    }
}
