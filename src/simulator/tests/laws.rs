//! Laws that hold whatever clients do and however time is cut: I1-like conservation, determinism.

use proptest::prelude::*;

use super::markets::{generated, small};
use super::*;
use crate::simulator::oms::controls::{PnlExit, Products};
use crate::simulator::oms::order::{Leg, Update, Validity};
use crate::simulator::oms::request::{ModifyRequest, SuperChange, SuperRequest};
use crate::simulator::truth::Truth;
use scalper_decide::domain::broker::{BrokerOrderType, Product};

/// A call at a time, drawn blindly: most are sensible, some are not.
#[derive(Debug, Clone)]
struct Deed {
    after_ms: i64,
    kind: u8,
    contract: usize,
    lots: i64,
    offset: i64,
    pick: usize,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = (0..1_500_000_i64, 0..24_u8, 0..14_usize, 0..40_i64, -60..60_i64, 0..64_usize).prop_map(
        |(after_ms, kind, contract, lots, offset, pick)| Deed { after_ms, kind, contract, lots, offset, pick },
    );
    prop::collection::vec(deed, 1..40)
}

fn carry_out(sim: &mut Simulator, deed: &Deed) {
    let options: Vec<_> = sim.board().listed().iter().filter(|l| l.max_qty > 0).cloned().collect();
    let listed = &options[deed.contract % options.len()];
    let key = listed.key();
    let near = paise((sim.board().desk(listed.slot()).ltp() + deed.offset * 5).max(5));
    let known: Vec<OrderNo> = sim.oms().orders().map(|o| o.order_no).collect();
    let picked = known.get(deed.pick % known.len().max(1)).copied().unwrap_or(OrderNo(1));
    let side = if deed.kind.is_multiple_of(2) { OrderSide::Buy } else { OrderSide::Sell };
    let mut order = PlaceRequest::limit(side, key, deed.lots * listed.lot, near);
    if deed.pick.is_multiple_of(3) {
        order = order.tagged("law");
    }
    if deed.pick.is_multiple_of(5) {
        order.product = Product::Margin;
    }
    // Whether a call is refused is not the point here.
    match deed.kind {
        0..=7 => drop(sim.place(&order)),
        8 | 9 => drop(sim.place(&PlaceRequest { order_type: BrokerOrderType::Market, ..order })),
        10 | 11 => drop(sim.place(&PlaceRequest { validity: Validity::Ioc, ..order })),
        12 | 13 => drop(sim.place(&PlaceRequest {
            order_type: BrokerOrderType::StopLoss,
            trigger: paise((near.paise() - deed.offset * 5).max(5)),
            ..order
        })),
        14 | 15 => drop(sim.cancel(picked)),
        16 | 17 => drop(sim.modify(&ModifyRequest {
            order_no: picked,
            order_type: None,
            qty: Some(deed.lots * listed.lot),
            price: Some(near),
            trigger: None,
        })),
        18 | 19 => {
            let (target, stop) = match side {
                OrderSide::Buy => (near + paise(500), paise((near.paise() - 500).max(0))),
                OrderSide::Sell => (paise((near.paise() - 500).max(0)), near + paise(500)),
            };
            drop(sim.place_super(&SuperRequest { entry: order, target, stop, trailing_jump: paise(100) }));
        }
        20 => drop(sim.modify_super(picked, &SuperChange::StopLoss { stop: near, trailing_jump: None })),
        21 => drop(sim.cancel_super(picked, [Leg::Entry, Leg::Target, Leg::StopLoss][deed.pick % 3])),
        22 => drop(sim.exit_all()),
        _ => drop(sim.set_pnl_exit(PnlExit {
            profit: Some(money(3_000)),
            loss: Some(money(3_000)),
            products: Products::ALL,
            kill_switch: false,
        })),
    }
}

type Told = (Vec<Tick>, Vec<Update>, Truth);

/// Lives two days with these deeds; between two deeds time moves in pieces of `cut` milliseconds (0 = in one) and
/// at most `batch` ticks.
fn live(seed: u64, deeds: &[Deed], cut: i64, batch: usize) -> Told {
    let mut sim = generated(small(seed));
    let mut said = Step::default();
    let end = Instant::from_ist(day(13), hm(15, 40));
    let to = |sim: &mut Simulator, at: Instant, said: &mut Step| {
        while sim.now() < at {
            let goal = if cut > 0 { (sim.now() + Age::from_millis(cut)).min(at) } else { at };
            while sim.advance(goal, batch, said).unwrap() < goal {}
        }
    };
    let mut at = sim.now();
    for deed in deeds {
        at = at + Age::from_millis(deed.after_ms);
        if at >= end {
            break;
        }
        to(&mut sim, at, &mut said);
        carry_out(&mut sim, deed);
        assert_eq!(sim.truth().contradictions(), Vec::<String>::new());
    }
    to(&mut sim, end, &mut said);
    (said.ticks, said.updates, sim.truth())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn any_cut_of_time_gives_the_same_ticks_updates_and_books(
        seed in 0..50_u64, deeds in deeds(), cut in 1_000..400_000_i64, batch in 1..3_000_usize,
    ) {
        let whole = live(seed, &deeds, 0, usize::MAX);
        let cut = live(seed, &deeds, cut, batch);
        prop_assert_eq!(&whole.0, &cut.0);
        prop_assert_eq!(&whole.1, &cut.1);
        prop_assert_eq!(&whole.2, &cut.2);
    }

    #[test]
    fn cash_positions_and_fills_add_up_and_every_order_of_a_day_ends_with_it(seed in 0..50_u64, deeds in deeds()) {
        // Conservation: cash = start + sales - purchases - charges (+ settlements), trades = positions + settled,
        // never more filled than ordered; charges are those of each order on its whole turnover.
        let (_, updates, truth) = live(seed, &deeds, 0, usize::MAX);
        prop_assert_eq!(truth.contradictions(), Vec::<String>::new());
        let tables = tables();
        let mut charges: Money = truth.ledger.settlements.iter().map(|s| s.charges).sum();
        for order in &truth.orders {
            prop_assert!(order.status.is_final(), "{:?}", order);
            let exchange = order.listed.instrument.underlying().exchange();
            let rates = tables.charges.on(exchange, order.created_at.ist_date()).unwrap();
            charges += rates.for_order(order.side, order.value).total();
        }
        prop_assert_eq!(charges, truth.ledger.charges);
        let mut filled: BTreeMap<OrderNo, i64> = BTreeMap::new();
        for update in &updates {
            let known = filled.entry(update.order.order_no).or_default();
            prop_assert!(update.order.filled >= *known && update.order.filled <= update.order.qty);
            *known = update.order.filled;
        }
        let expired = truth.positions.keys().filter(|(key, _)| {
            truth.orders.iter().any(|o| o.listed.key() == *key && o.listed.expiry() == Some(day(13)))
        });
        prop_assert_eq!(expired.count(), 0, "an expired contract is never carried");
    }
}

#[test]
fn the_same_seed_and_calls_give_the_same_books_and_another_seed_other_prices() {
    let deeds: Vec<Deed> = (0..30)
        .map(|i| Deed {
            after_ms: 600_000,
            kind: (i % 20) as u8,
            contract: i % 6,
            lots: 1 + (i as i64 % 3),
            offset: 30,
            pick: i,
        })
        .collect();
    let (a, b, c) = (live(1, &deeds, 0, 4_096), live(1, &deeds, 0, 4_096), live(2, &deeds, 0, 4_096));
    assert!(a == b);
    assert!(a.0 != c.0);
    assert!(a.2.trades.len() > 5, "the deeds trade: {}", a.2.trades.len());
}

#[test]
fn a_simulator_can_be_sent_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<Simulator>();
}
