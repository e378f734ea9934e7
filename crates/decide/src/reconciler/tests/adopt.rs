//! What others hold: seen, and proven to the unit before it may be taken over (E1, I2, I19).

use super::updates::row_of_stranger;
use super::*;
use crate::domain::adoption::{AdoptRefusal, AdoptRequest, Adoption};
use crate::domain::{Lots, OptionContract};

fn contract() -> OptionContract {
    OptionContract {
        underlying: Underlying::Nifty,
        expiry: day(),
        strike: Strike::from_points(25_650),
        right: Right::Call,
        lot: LotSize::new(LOT).unwrap(),
        tick: Premium::from_paise(5),
        max_order_qty: Qty::new(1_725),
    }
}

impl Desk {
    fn adopt(&mut self, now: Instant, lots: Option<i64>) -> Result<Adoption, AdoptRefusal> {
        let lots = lots.map(Lots::new);
        let ask = AdoptRequest { segment: None, security_id: TOKEN, lots, stop: None, request: 1 };
        self.r.adoptable(now, SLOT, &contract(), &ask)
    }

    /// Two full rounds that show the same.
    fn settle(&mut self, secs: i64, orders: &[OrderRow], positions: &[PositionRow]) {
        self.round(at(secs), orders, &[], positions);
        self.round(at(secs + 3), orders, &[], positions);
    }
}

#[test]
fn what_settled_books_prove_can_be_taken_over_at_the_brokers_average() {
    let mut d = Desk::open();
    let bought = row_of_stranger(8, OrderSide::Buy, 3);
    assert_eq!(d.adopt(at(1), None), Err(AdoptRefusal::NothingThere { security_id: TOKEN }));
    d.push(at(2), &bought);
    assert_eq!(d.adopt(at(2), None), Err(AdoptRefusal::Unsettled), "the list is older than the trade");
    let shown = PositionRow { day_paid: Some(Money::from_paise(2_250_001)), ..position(3, 0) };
    d.round(at(4), std::slice::from_ref(&bought), &[], std::slice::from_ref(&shown));
    assert_eq!(d.adopt(at(5), None), Err(AdoptRefusal::Unsettled), "one list proves nothing (D12)");
    d.round(at(7), std::slice::from_ref(&bought), &[], std::slice::from_ref(&shown));
    let seen: Vec<_> = d.r.foreign_positions().collect();
    assert_eq!((seen.len(), seen[0].units, seen[0].is_settled), (1, 3 * LOT, true));

    let two = d.adopt(at(8), Some(2)).unwrap();
    assert_eq!((two.qty, two.cost.paise()), (Qty::new(2 * LOT), 1_500_001), "the share, rounded half-up");
    assert_eq!(
        d.adopt(at(8), Some(4)).unwrap_err().to_string(),
        "4 lots asked for, 225 units are there that are not ours (75 in a lot)"
    );
    d.r.took_over(at(8), SLOT, two.qty);
    assert_eq!(d.r.foreign_positions().count(), 0, "what is left is proven anew");
    assert!(d.adopt(at(8), None).is_err());
    // The rest: what is ours by now is told by the order manager.
    let owned = Owned::from([(SLOT, two.qty)]);
    for secs in [10, 13] {
        for said in [
            BrokerEvent::Orders { asked_at: at(secs), rows: vec![bought.clone()] },
            BrokerEvent::Positions { asked_at: at(secs), rows: vec![shown.clone()] },
        ] {
            d.r.hear(at(secs), &said, &owned);
        }
    }
    let last = d.adopt(at(14), None).unwrap();
    assert_eq!(
        (last.qty, last.cost + two.cost),
        (Qty::new(LOT), Money::from_paise(2_250_001)),
        "every paisa is somebody's"
    );
    assert_eq!(d.block(), None, "foreign and ours together are the broker's net (I4)");
    assert!(d.commands.is_empty(), "nothing is ever sent about it (I19)");
}

#[test]
fn what_cannot_be_sold_safely_is_refused_by_name() {
    let mut d = Desk::open();
    let bought = row_of_stranger(8, OrderSide::Buy, 2);
    let resting = OrderRow {
        filled: Qty::ZERO,
        value: Money::ZERO,
        status: BrokerStatus::Pending,
        ..row_of_stranger(9, OrderSide::Sell, 1)
    };
    d.settle(2, &[bought.clone(), resting.clone()], &[position(2, 0)]);
    let selling = AdoptRefusal::Selling { units: Qty::new(LOT), orders: vec![resting.broker_id.clone()] };
    assert!(selling.to_string().contains(&*resting.broker_id.0));
    assert_eq!(d.adopt(at(6), None), Err(selling), "two sellers of one unit sell it twice (I2)");
    d.push(at(6), &with_status(&resting, BrokerStatus::Cancelled));
    assert!(d.adopt(at(7), None).is_ok());
    assert_eq!(d.adopt(at(60), None), Err(AdoptRefusal::Unsettled), "evidence ages");
}

#[test]
fn what_the_books_do_not_prove_is_refused() {
    let bought = row_of_stranger(8, OrderSide::Buy, 2);
    let ask = |orders: &[OrderRow], row: PositionRow| {
        let mut d = Desk::open();
        d.settle(2, orders, &[row]);
        d.adopt(at(6), None)
    };
    let with = std::slice::from_ref(&bought);
    assert_eq!(ask(with, position(3, 0)), Err(AdoptRefusal::Unexplained { shown: 3 * LOT, explained: 2 * LOT }));
    assert_eq!(ask(with, PositionRow { day_paid: None, ..position(2, 0) }), Err(AdoptRefusal::Unpriced));
    let margin = PositionRow { product: Product::Margin, ..position(2, 0) };
    assert_eq!(ask(with, margin), Err(AdoptRefusal::OtherProduct { product: Product::Margin }));
    let sold = row_of_stranger(8, OrderSide::Sell, 2);
    assert_eq!(ask(&[sold], position(0, 2)), Err(AdoptRefusal::Short { units: 2 * LOT }));
    assert_eq!(
        Reconciler::off().adoptable(
            at(0),
            SLOT,
            &contract(),
            &AdoptRequest { segment: None, security_id: TOKEN, lots: None, stop: None, request: 1 }
        ),
        Err(AdoptRefusal::NoBroker)
    );
}

#[test]
fn a_contract_in_which_we_bought_has_one_average_for_both() {
    let (mut d, _, entry) = Desk::working();
    let entry = executed(&entry, 2, 100, BrokerStatus::Traded);
    d.push(at(1), &entry);
    let bought = row_of_stranger(8, OrderSide::Buy, 3);
    d.settle(20, &[entry, bought], &[position(5, 0)]);
    assert_eq!(d.r.foreign_positions().next().map(|f| f.units), Some(3 * LOT));
    assert_eq!(d.adopt(at(25), None), Err(AdoptRefusal::Mixed));
}
