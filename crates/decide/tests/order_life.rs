//! One order's facts in every sequence: same end, same quantity, same money (P2, I5, I10, I11, F-62).

use proptest::prelude::*;
use scalper_decide::domain::ids::InstanceTag;
use scalper_decide::domain::order::{Fill, IllegalTransition};
use scalper_decide::domain::{
    ClientOrderId, Direction, Instant, InstrumentId, Money, Order, OrderPurpose, OrderReport, OrderSide, OrderSpec,
    OrderState, OrderType, PositionId, Premium, Qty, SignalId, TradeId, Underlying, VenueRefusal,
};

const SENT_AT: Instant = Instant::from_secs(1_768_189_500);

fn rupees(rupees: i64) -> Premium {
    Premium::from_rupees(rupees)
}

fn limit(price: i64) -> OrderType {
    OrderType::Limit { price: rupees(price) }
}

fn stop(trigger: i64, price: i64) -> OrderType {
    OrderType::StopLimit { trigger: rupees(trigger), price: rupees(price) }
}

fn order(side: OrderSide, order_type: OrderType, qty: i64) -> Order {
    let day = SENT_AT.ist_date();
    let signal = SignalId { underlying: Underlying::Nifty, bar_start: SENT_AT, direction: Direction::Up };
    let (position, purpose) = (PositionId(1), OrderPurpose::Entry);
    let id = ClientOrderId::derive(InstanceTag::new("A1").unwrap(), day, &signal, position, purpose, 0, 1);
    let spec = OrderSpec { id, position, instrument: InstrumentId(4), purpose, side, qty: Qty::new(qty), order_type };
    Order::sent(spec, SENT_AT)
}

fn fill(trade: u64, qty: i64, price: i64) -> OrderReport {
    let at = Instant::from_secs(SENT_AT.nanos() / 1_000_000_000 + trade as i64);
    OrderReport::Filled(Fill { trade: TradeId(trade), qty: Qty::new(qty), price: rupees(price), at })
}

/// The venue counts `qty` units executed for `rupees` in all.
fn traded(qty: i64, rupees: i64) -> OrderReport {
    OrderReport::Traded { filled: Qty::new(qty), value: Money::from_rupees(rupees) }
}

fn modified(version: u8, order_type: OrderType, qty: i64) -> OrderReport {
    OrderReport::Modified { version, order_type, qty: Qty::new(qty) }
}

fn cancelled(filled: i64) -> OrderReport {
    OrderReport::Cancelled { filled: Qty::new(filled) }
}

fn unanswered() -> OrderReport {
    OrderReport::Unanswered { since: Instant::from_secs(SENT_AT.nanos() / 1_000_000_000 + 2) }
}

fn rejected(refusal: VenueRefusal) -> OrderReport {
    OrderReport::Rejected { refusal }
}

fn modify_refused(version: u8) -> OrderReport {
    OrderReport::ModifyRefused { version, refusal: VenueRefusal::NotOpen }
}

fn cancel_refused() -> OrderReport {
    OrderReport::CancelRefused { refusal: VenueRefusal::NotOpen }
}

fn apply_all<'a>(order: Order, reports: impl IntoIterator<Item = &'a OrderReport>) -> Result<Order, IllegalTransition> {
    reports.into_iter().try_fold(order, |order, report| order.apply(report))
}

/// Calls `visit` with every permutation (Heap's algorithm) and returns how many there were.
fn for_each_permutation(items: &mut [OrderReport], visit: &mut impl FnMut(&[OrderReport])) -> usize {
    fn go(k: usize, items: &mut [OrderReport], visit: &mut impl FnMut(&[OrderReport]), count: &mut usize) {
        if k <= 1 {
            *count += 1;
            return visit(items);
        }
        for i in 0..k {
            go(k - 1, items, visit, count);
            if i + 1 < k {
                items.swap(if k.is_multiple_of(2) { i } else { 0 }, k - 1);
            }
        }
    }
    let mut count = 0;
    go(items.len(), items, visit, &mut count);
    count
}

/// Applies the reports one by one and checks what must hold after every single one (I10).
fn walk(mut order: Order, reports: &[OrderReport]) -> Order {
    for report in reports {
        let (was_terminal, filled_before) = (order.state.is_terminal(), order.filled());
        let text = format!("{report:?} in {reports:#?}");
        order = order.apply(report).unwrap_or_else(|e| panic!("{e}: {text}"));
        assert!(order.state.is_terminal() || !was_terminal, "an end was reopened by {text}");
        assert!(order.filled() >= filled_before, "executed quantity fell at {text}");
        assert!(order.open_qty() >= Qty::ZERO, "negative open quantity at {text}");
        let again = order.clone().apply(report).expect("a repeated report is never illegal");
        assert_eq!(again, order, "repeated {text}");
    }
    order
}

struct Script {
    order: Order,
    reports: Vec<OrderReport>,
    end: OrderState,
    filled: i64,
    turnover: i64,
}

impl Script {
    fn new(order: Order, reports: &[OrderReport], end: OrderState, filled: i64, turnover: i64) -> Script {
        Script { order, reports: reports.to_vec(), end, filled, turnover }
    }

    /// The modification was sent before any report about it could exist.
    fn having_sent(mut self, version: u8, qty: i64) -> Script {
        self.order.modification_sent(version, Qty::new(qty));
        self
    }

    fn check(mut self) {
        let expected_count: usize = (1..=self.reports.len()).product();
        let in_order = walk(self.order.clone(), &self.reports);
        let (order, end) = (self.order.clone(), &self.end);
        let (filled, turnover) = (Qty::new(self.filled), Money::from_rupees(self.turnover));
        let count = for_each_permutation(&mut self.reports, &mut |reports| {
            let done = walk(order.clone(), reports);
            assert_eq!(&done.state, end, "{reports:#?}");
            assert_eq!(done.filled(), filled, "{reports:#?}");
            assert_eq!(done.turnover(), turnover, "{reports:#?}");
            assert_eq!(done, in_order, "everything known is the same after {reports:#?}");
            assert_eq!(apply_all(done.clone(), reports).unwrap(), done, "the whole history again after {reports:#?}");
        });
        assert_eq!(count, expected_count);
    }
}

/// Every permutation of contradictory reports is refused at the latest by its last report (F-62).
fn check_contradiction(order: &Order, reports: &[OrderReport]) {
    let mut reports = reports.to_vec();
    for_each_permutation(&mut reports, &mut |reports| {
        assert!(apply_all(order.clone(), reports).is_err(), "absorbed silently: {reports:#?}");
    });
}

#[test]
fn every_permutation_of_a_limit_order_that_fills_in_parts_ends_filled() {
    // P2, I5, I10: late acceptance, late doubt and refused changes never reopen or alter the end.
    Script::new(
        order(OrderSide::Buy, limit(102), 225),
        &[
            OrderReport::Accepted,
            unanswered(),
            fill(1, 75, 100),
            fill(2, 75, 101),
            fill(3, 75, 102),
            cancel_refused(),
            modify_refused(1),
        ],
        OrderState::Filled,
        225,
        22_725,
    )
    .having_sent(1, 225)
    .check();
}

#[test]
fn every_permutation_of_a_cancelled_order_keeps_the_cumulative_quantity() {
    // P2, F-39: what is left is known only from the cancellation's count; its fills may come after it.
    Script::new(
        order(OrderSide::Buy, limit(102), 225),
        &[OrderReport::Accepted, unanswered(), fill(1, 75, 100), fill(2, 75, 101), cancelled(150)],
        OrderState::Cancelled { filled: Qty::new(150) },
        150,
        15_075,
    )
    .check();
}

#[test]
fn every_permutation_of_counts_and_their_executions_counts_each_unit_once() {
    // D7, I5, F-9 (nautilus #3493): the counts of the order book race the trades of the trade book. The money of a
    // count is rounded by its source (22,724 instead of 22,725) and gives way to the executions' own.
    Script::new(
        order(OrderSide::Buy, limit(102), 225),
        &[
            OrderReport::Accepted,
            traded(75, 7_500),
            traded(225, 22_724),
            fill(1, 75, 100),
            fill(2, 75, 101),
            fill(3, 75, 102),
            unanswered(),
        ],
        OrderState::Filled,
        225,
        22_725,
    )
    .check();
}

#[test]
fn every_permutation_of_a_cancelled_order_known_by_its_count_alone_ends_with_the_counts_money() {
    // D7: one of two executions never got a trade id; the older count changes nothing (D3).
    Script::new(
        order(OrderSide::Buy, limit(102), 225),
        &[OrderReport::Accepted, traded(75, 7_500), traded(150, 15_060), fill(1, 75, 100), cancelled(150)],
        OrderState::Cancelled { filled: Qty::new(150) },
        150,
        15_060,
    )
    .check();
}

#[test]
fn every_permutation_of_a_counted_stop_and_a_growth_on_its_way_ends_in_one_working_state() {
    Script::new(
        order(OrderSide::Sell, stop(90, 88), 75),
        &[OrderReport::Accepted, modified(1, stop(90, 88), 150), traded(75, 6_675), traded(75, 6_680), fill(1, 75, 89)],
        OrderState::Working { triggered: true },
        75,
        6_675,
    )
    .having_sent(1, 150)
    .check();
}

#[test]
fn an_execution_beyond_the_count_adds_its_own_money() {
    // D8: whichever book shows more is right about exposure.
    let order = apply_all(order(OrderSide::Buy, limit(102), 225), &[traded(75, 7_500), fill(1, 75, 100)]).unwrap();
    assert_eq!((order.filled(), order.turnover()), (Qty::new(75), Money::from_rupees(7_500)));
    let order = order.apply(&fill(2, 75, 101)).unwrap();
    assert_eq!((order.filled(), order.turnover()), (Qty::new(150), Money::from_rupees(15_075)));
    let order = order.apply(&traded(225, 22_700)).unwrap();
    assert_eq!((&order.state, order.turnover()), (&OrderState::Filled, Money::from_rupees(22_700)));
}

#[test]
fn units_counted_by_the_venue_are_not_missing() {
    // F-39: a cancellation's count is met by evidence of either kind.
    let order = apply_all(order(OrderSide::Buy, limit(102), 225), &[cancelled(150), traded(150, 15_075)]).unwrap();
    assert_eq!((order.open_qty(), order.missing_fills()), (Qty::ZERO, Qty::ZERO));
}

#[test]
fn reports_survive_the_journal() {
    let reports = [
        OrderReport::Accepted,
        fill(1, 75, 100),
        traded(75, 7_500),
        modified(1, stop(90, 88), 75),
        rejected(VenueRefusal::Other("RMS".to_owned())),
        unanswered(),
    ];
    for report in reports {
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<OrderReport>(&text).unwrap(), report, "{text}");
    }
}

#[test]
fn every_permutation_of_a_stop_that_became_a_limit_ends_filled() {
    // P2: exit by modification; v1 trails the trigger, v2 turns the stop into a marketable limit.
    Script::new(
        order(OrderSide::Sell, stop(90, 88), 150),
        &[
            OrderReport::Accepted,
            modified(1, stop(95, 93), 150),
            modified(2, limit(97), 150),
            unanswered(),
            fill(1, 75, 98),
            fill(2, 75, 97),
        ],
        OrderState::Filled,
        150,
        14_625,
    )
    .having_sent(1, 150)
    .having_sent(2, 150)
    .check();
}

#[test]
fn every_permutation_of_a_stop_partly_filled_as_a_limit_ends_in_one_working_state() {
    // P2: a fill seen before the modification that made the stop a limit must not leave a trace of a trigger.
    Script::new(
        order(OrderSide::Sell, stop(90, 88), 150),
        &[OrderReport::Accepted, modified(1, limit(97), 150), fill(1, 75, 98)],
        OrderState::Working { triggered: false },
        75,
        7_350,
    )
    .having_sent(1, 150)
    .check();
}

#[test]
fn every_permutation_of_a_triggered_stop_that_is_taken_back_ends_cancelled() {
    Script::new(
        order(OrderSide::Sell, stop(90, 88), 150),
        &[
            OrderReport::Accepted,
            OrderReport::Triggered,
            fill(1, 75, 89),
            modified(1, stop(90, 87), 150),
            modify_refused(2),
            cancelled(75),
        ],
        OrderState::Cancelled { filled: Qty::new(75) },
        75,
        6_675,
    )
    .having_sent(1, 150)
    .having_sent(2, 150)
    .check();
}

#[test]
fn every_permutation_of_a_protection_that_grows_with_its_position_ends_filled() {
    // P13, P2: the quantity of a resting stop is raised in place; fills may overtake the confirmation.
    Script::new(
        order(OrderSide::Sell, stop(90, 88), 75),
        &[
            OrderReport::Accepted,
            modified(1, stop(90, 88), 150),
            modified(2, stop(90, 88), 225),
            OrderReport::Triggered,
            fill(1, 75, 90),
            fill(2, 75, 89),
            fill(3, 75, 88),
        ],
        OrderState::Filled,
        225,
        20_025,
    )
    .having_sent(1, 150)
    .having_sent(2, 225)
    .check();
}

#[test]
fn every_permutation_of_an_order_cut_down_to_what_it_executed_ends_filled() {
    Script::new(
        order(OrderSide::Buy, limit(102), 225),
        &[OrderReport::Accepted, fill(1, 75, 100), fill(2, 75, 101), modified(1, limit(102), 150)],
        OrderState::Filled,
        150,
        15_075,
    )
    .having_sent(1, 150)
    .check();
}

#[test]
fn every_permutation_of_a_growing_order_whose_growth_came_too_late_ends_filled() {
    Script::new(
        order(OrderSide::Sell, stop(90, 88), 75),
        &[OrderReport::Accepted, OrderReport::Triggered, fill(1, 75, 89), modify_refused(1)],
        OrderState::Filled,
        75,
        6_675,
    )
    .having_sent(1, 150)
    .check();
}

#[test]
fn every_permutation_of_a_rejection_ends_rejected() {
    // P2, P7: a rejection after a time-out is an answer; a refused cancel of an unknown order is not evidence of life.
    Script::new(
        order(OrderSide::Buy, limit(102), 225),
        &[
            OrderReport::Accepted,
            unanswered(),
            rejected(VenueRefusal::PriceBand),
            rejected(VenueRefusal::Other("RMS: price outside range".to_owned())),
            cancel_refused(),
            modify_refused(1),
        ],
        OrderState::Rejected { refusal: VenueRefusal::PriceBand },
        0,
        0,
    )
    .check();
}

#[test]
fn an_unanswered_order_stays_in_doubt_until_evidence_or_proof() {
    // I11, L3: refused changes are what a venue also says about an order it never saw.
    let doubtful =
        apply_all(order(OrderSide::Buy, limit(102), 75), &[unanswered(), cancel_refused(), modify_refused(1)]);
    let doubtful = doubtful.unwrap();
    assert!(matches!(doubtful.state, OrderState::InDoubt { .. }));
    assert_eq!(doubtful.open_qty(), Qty::new(75), "worst case until proven otherwise");
    let absent = doubtful.clone().apply(&OrderReport::ProvenAbsent).unwrap();
    assert_eq!(absent.state, OrderState::Absent);
    // Even then a late order is adopted (C3).
    let found = absent.apply(&OrderReport::Accepted).unwrap();
    assert_eq!(found.state, OrderState::Working { triggered: false });
    assert!(found.apply(&OrderReport::ProvenAbsent).is_err(), "no proof of absence against evidence");
    assert!(order(OrderSide::Buy, limit(102), 75).apply(&OrderReport::ProvenAbsent).is_err(), "no proof without doubt");
}

#[test]
fn a_late_acceptance_after_the_fill_opens_no_phantom_order() {
    // P2 (barter-rs #206).
    let filled = apply_all(order(OrderSide::Buy, limit(102), 75), &[fill(1, 75, 100), OrderReport::Accepted]).unwrap();
    assert_eq!((&filled.state, filled.open_qty()), (&OrderState::Filled, Qty::ZERO));
}

#[test]
fn units_counted_by_a_cancellation_are_missing_until_their_fills_arrive() {
    // F-39, P13.
    let order = apply_all(order(OrderSide::Buy, limit(102), 225), &[cancelled(150), fill(1, 75, 100)]).unwrap();
    assert_eq!((order.open_qty(), order.missing_fills()), (Qty::ZERO, Qty::new(75)));
    let order = order.apply(&fill(2, 75, 100)).unwrap();
    assert_eq!(order.missing_fills(), Qty::ZERO);
}

#[test]
fn a_larger_quantity_on_its_way_counts_as_open() {
    // I2: the sell-reserve must see what may already be in force.
    let mut order = order(OrderSide::Sell, stop(90, 88), 75);
    order.modification_sent(1, Qty::new(150));
    let order = order.apply(&fill(1, 75, 90)).unwrap();
    assert_eq!((&order.state, order.open_qty()), (&OrderState::Working { triggered: true }, Qty::new(75)));
    let refused = order.clone().apply(&modify_refused(1)).unwrap();
    assert_eq!((&refused.state, refused.open_qty()), (&OrderState::Filled, Qty::ZERO));
    let grown = order.apply(&modified(1, stop(90, 88), 150)).unwrap();
    assert_eq!(grown.open_qty(), Qty::new(75));
}

#[test]
fn contradictory_reports_are_refused_in_every_sequence() {
    // F-62, I10.
    let buy = order(OrderSide::Buy, limit(102), 150);
    let contradictions: &[(&str, &[OrderReport])] = &[
        ("executed more than ordered", &[OrderReport::Accepted, fill(1, 75, 100), fill(2, 75, 100), fill(3, 75, 100)]),
        ("one trade id, two executions", &[OrderReport::Accepted, fill(1, 75, 100), fill(1, 75, 101)]),
        ("executed and rejected", &[OrderReport::Accepted, fill(1, 75, 100), rejected(VenueRefusal::TickSize)]),
        ("cancelled and rejected", &[cancelled(0), rejected(VenueRefusal::TickSize)]),
        ("executed more than the cancellation counted", &[cancelled(75), fill(1, 75, 100), fill(2, 75, 100)]),
        ("two counts of one cancellation", &[cancelled(75), cancelled(0), fill(1, 75, 100)]),
        ("a cancellation that counts more than was ordered", &[OrderReport::Accepted, cancelled(225)]),
        ("one modification, two terms", &[modified(1, limit(103), 150), modified(1, limit(104), 150)]),
        ("a modification both made and refused", &[modified(1, limit(103), 150), modify_refused(1)]),
        ("cut below what was executed", &[modified(1, limit(103), 75), fill(1, 75, 100), fill(2, 75, 100)]),
        ("counted more than was ordered", &[OrderReport::Accepted, traded(225, 22_500)]),
        ("counted and rejected", &[OrderReport::Accepted, traded(75, 7_500), rejected(VenueRefusal::TickSize)]),
        ("counted more than the cancellation counted", &[cancelled(0), traded(75, 7_500)]),
        ("an execution of nothing", &[fill(1, 0, 100)]),
    ];
    for (what, reports) in contradictions {
        eprintln!("{what}");
        check_contradiction(&buy, reports);
    }
}

#[test]
fn a_contradiction_names_the_order_the_state_and_the_report() {
    let order = order(OrderSide::Buy, limit(102), 75);
    let id = order.spec.id;
    let error = apply_all(order, &[OrderReport::Accepted, fill(1, 150, 100)]).unwrap_err();
    assert_eq!(error.id, id);
    let text = error.to_string();
    assert!(text.contains(id.as_str()) && text.contains("Working") && text.contains("150"), "{text}");
}

/// A history that a venue can produce: facts in the sequence in which they happened, and the modifications sent.
fn history() -> impl Strategy<Value = (Order, Vec<OrderReport>)> {
    let step = (0_u8..6, 1_i64..4, 90_i64..110);
    (any::<bool>(), 1_i64..5, prop::collection::vec(step, 0..8), any::<bool>()).prop_map(
        |(is_stop, lots, steps, cancel_at_end)| {
            let order_type = if is_stop { stop(95, 90) } else { limit(100) };
            let mut order = order(OrderSide::Sell, order_type, lots * 75);
            let (mut qty, mut filled, mut version, mut trade, mut money) = (lots, 0, 0, 0, 0);
            let mut reports = vec![OrderReport::Accepted, unanswered()];
            if is_stop {
                reports.push(OrderReport::Triggered);
            }
            for (kind, n, price) in steps {
                match kind {
                    0..=2 if filled < qty => {
                        let part = n.min(qty - filled);
                        filled += part;
                        trade += 1;
                        money += part * 75 * price;
                        reports.push(fill(trade, part * 75, price));
                        if n != 2 {
                            reports.push(traded(filled * 75, money));
                        }
                    }
                    3 | 4 if filled < qty => {
                        version += 1;
                        qty = filled + n;
                        order.modification_sent(version, Qty::new(qty * 75));
                        reports.push(modified(version, limit(price), qty * 75));
                    }
                    5 => {
                        version += 1;
                        order.modification_sent(version, Qty::new((qty + n) * 75));
                        reports.push(modify_refused(version));
                    }
                    _ => {}
                }
            }
            reports.push(if cancel_at_end && filled < qty { cancelled(filled * 75) } else { cancel_refused() });
            (order, reports)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_shuffle_with_repetitions_of_a_venues_history_ends_like_the_history(
        (order, reports) in history(),
        noise in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..24),
        repeats in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        // P2, I5, I10: duplication and permutation of the inputs give the same order.
        let expected = walk(order.clone(), &reports);
        let mut shuffled = reports.clone();
        for index in repeats {
            shuffled.push(index.get(&reports).clone());
        }
        for (a, b) in noise {
            let len = shuffled.len();
            shuffled.swap(a.index(len), b.index(len));
        }
        prop_assert_eq!(walk(order, &shuffled), expected);
    }
}
