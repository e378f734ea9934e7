use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::domain::Bps;
use crate::params::Sizing;

const NIFTY: Underlying = Underlying::Nifty;

fn band(up_to: Option<i64>, allocation: i64, risk_bps: i64) -> CapitalBand {
    CapitalBand {
        up_to: up_to.map(Money::from_rupees),
        allocation: Bps::from_percent(allocation),
        risk_per_trade: Bps::new(risk_bps),
        day_loss: Bps::from_percent(6),
    }
}

/// The bands of the reference (scalper-algorithms B5), with a balance of 1,00,000.
fn params() -> CapitalParams {
    CapitalParams {
        opening_balance: Some(Money::from_rupees(100_000)),
        bands: vec![
            band(Some(75_000), 30, 500),
            band(Some(150_000), 25, 350),
            band(Some(300_000), 20, 300),
            band(None, 20, 250),
        ],
        index_allocation: BTreeMap::new(),
        sizing: Sizing::RiskPercent,
        max_lots: Lots::new(100),
        max_trade_cost: None,
    }
}

/// Entry 100.00 with a stop limit at 70.00: one lot of 65 costs 6,500 and loses 1,950.
fn ask() -> HoldRequest {
    HoldRequest {
        underlying: NIFTY,
        entry_limit: Premium::from_rupees(100),
        stop: Premium::from_rupees(71),
        stop_limit: Premium::from_rupees(70),
        lot: LotSize::new(65).unwrap(),
        lots_cap: None,
        round_trip_charges_per_order: Money::from_rupees(40),
    }
}

fn with(change: impl FnOnce(&mut CapitalParams)) -> CapitalAllocator {
    let mut params = params();
    change(&mut params);
    CapitalAllocator::new(params)
}

fn check(allocator: &mut CapitalAllocator, request: &HoldRequest, want: &str) {
    let got = match allocator.hold(request) {
        Ok(hold) => {
            format!("{} lots, {} held, {} at risk, by {}", hold.lots, hold.amount, hold.risk_at_stop, hold.binding)
        }
        Err(refusal) => format!("{}: {refusal}", refusal.code()),
    };
    assert_eq!(got, want);
}

#[test]
fn lots_by_risk_are_the_budget_over_the_loss_of_a_lot() {
    // F-41: 3.5 % of 1,00,000 is 3,500; a lot loses 1,950 at its stop.
    check(&mut with(|_| ()), &ask(), "1 lots, 6540.00 held, 1950.00 at risk, by risk");
}

#[test]
fn taking_the_quotient_times_the_lot_again_would_risk_sixty_five_times_the_budget() {
    // F-41, scalper-algorithms B5: the source floored risk / (price x stop) into units and multiplied by the lot.
    let (budget, loss_per_unit, lot) = (3_500, 30, 65);
    let units_of_the_source = budget / loss_per_unit * lot;
    assert!(units_of_the_source * loss_per_unit > 64 * budget, "the source's size loses {units_of_the_source} x 30");

    let hold = with(|_| ()).hold(&ask()).unwrap();
    assert_eq!(hold.qty, Qty::new(65));
    assert!(hold.risk_at_stop <= Money::from_rupees(budget));
}

#[test]
fn a_risk_budget_below_one_lot_is_no_trade() {
    // F-41: never "at least one lot". 5 % of 38,000 is 1,900; a lot loses 1,950.
    let mut small = with(|p| p.opening_balance = Some(Money::from_rupees(38_000)));
    check(&mut small, &ask(), "RISK_BUDGET_SHORT: one lot loses 1950.00 at its stop, a trade may lose 1900.00");
    let mut exact = with(|p| p.opening_balance = Some(Money::from_rupees(39_000)));
    check(&mut exact, &ask(), "1 lots, 6540.00 held, 1950.00 at risk, by risk");
}

#[test]
fn every_limit_can_bind_and_is_named() {
    let loose = |p: &mut CapitalParams| p.sizing = Sizing::Rupees { risk: Money::from_rupees(1_000_000) };
    check(&mut with(loose), &ask(), "3 lots, 19540.00 held, 5850.00 at risk, by allocation");
    let index = |p: &mut CapitalParams| {
        loose(p);
        p.index_allocation.insert(NIFTY, Bps::from_percent(13));
    };
    check(&mut with(index), &ask(), "2 lots, 13040.00 held, 3900.00 at risk, by index_allocation");
    let cost = |p: &mut CapitalParams| {
        loose(p);
        p.max_trade_cost = Some(Money::from_rupees(12_999));
    };
    check(&mut with(cost), &ask(), "1 lots, 6540.00 held, 1950.00 at risk, by max_trade_cost");
    let max = |p: &mut CapitalParams| {
        loose(p);
        p.max_lots = Lots::new(2);
    };
    check(&mut with(max), &ask(), "2 lots, 13040.00 held, 3900.00 at risk, by max_lots");
    let capped = HoldRequest { lots_cap: Some(Lots::new(1)), ..ask() };
    check(&mut with(loose), &capped, "1 lots, 6540.00 held, 1950.00 at risk, by lots_cap");
    let everything = |p: &mut CapitalParams| {
        loose(p);
        p.bands = vec![band(None, 100, 10_000)];
        p.opening_balance = Some(Money::from_rupees(13_039));
    };
    check(&mut with(everything), &ask(), "1 lots, 6540.00 held, 1950.00 at risk, by free_capital");
}

#[test]
fn every_refusal_names_its_numbers() {
    let rupees = |risk: i64| Sizing::Rupees { risk: Money::from_rupees(risk) };
    let loose = |p: &mut CapitalParams| p.sizing = rupees(1_000_000);
    check(&mut with(|p| p.opening_balance = None), &ask(), "UNKNOWN_BALANCE: the account balance is not known");
    check(
        &mut with(|p| p.bands = vec![band(Some(99_999), 30, 500)]),
        &ask(),
        "NO_BAND: no capital band covers a balance of 100000.00",
    );
    check(
        &mut with(|p| p.opening_balance = Some(Money::ZERO)),
        &ask(),
        "NO_BAND: no capital band covers a balance of 0.00",
    );
    check(
        &mut with(|p| p.sizing = rupees(1_989)),
        &ask(),
        "RISK_BUDGET_SHORT: one lot loses 1950.00 at its stop, a trade may lose 1949.00",
    );
    check(&mut with(|p| p.sizing = rupees(1_990)), &ask(), "1 lots, 6540.00 held, 1950.00 at risk, by risk");
    check(
        &mut with(|p| {
            loose(p);
            p.bands = vec![band(None, 6, 500)];
        }),
        &ask(),
        "ALLOCATION_SHORT: one lot costs 6500.00, a trade may cost 6000.00 of a balance of 100000.00",
    );
    check(
        &mut with(|p| {
            loose(p);
            p.index_allocation.insert(NIFTY, Bps::from_percent(6));
        }),
        &ask(),
        "INDEX_ALLOCATION_SHORT: one lot costs 6500.00, NIFTY has 6000.00 left of 6000.00",
    );
    check(
        &mut with(|p| p.max_trade_cost = Some(Money::from_rupees(6_499))),
        &ask(),
        "TRADE_COST_SHORT: one lot costs 6500.00, max_trade_cost is 6499.00",
    );
    check(
        &mut with(|p| {
            loose(p);
            p.bands = vec![band(None, 100, 500)];
            p.opening_balance = Some(Money::from_rupees(6_539));
        }),
        &ask(),
        "CAPITAL_SHORT: one lot with fees costs 6540.00, 6539.00 is free",
    );
    check(&mut with(|p| p.max_lots = Lots::ZERO), &ask(), "MAX_LOTS_ZERO: max_lots is 0");
    let expiry = HoldRequest { lots_cap: Some(Lots::ZERO), ..ask() };
    check(&mut with(|_| ()), &expiry, "LOTS_CAP_ZERO: the lots cap of this trade is 0");
    let inverted = HoldRequest { stop: Premium::from_rupees(100), ..ask() };
    check(
        &mut with(|_| ()),
        &inverted,
        "STOP_NOT_UNDER_ENTRY: entry 100.00, stop 100.00, stop limit 70.00: want entry > stop >= stop limit > 0",
    );
}

#[test]
fn the_index_cap_counts_what_the_index_already_has() {
    let mut allocator = with(|p| {
        p.index_allocation.insert(NIFTY, Bps::from_percent(10));
    });
    check(&mut allocator, &ask(), "1 lots, 6540.00 held, 1950.00 at risk, by risk");
    check(&mut allocator, &ask(), "INDEX_ALLOCATION_SHORT: one lot costs 6500.00, NIFTY has 3460.00 left of 10000.00");
    let other = HoldRequest { underlying: Underlying::Sensex, ..ask() };
    check(&mut allocator, &other, "1 lots, 6540.00 held, 1950.00 at risk, by risk");
}

#[test]
fn bands_end_inclusively() {
    // S3-30
    let risk_at =
        |balance: i64| with(|p| p.opening_balance = Some(Money::from_paise(balance))).band().map(|b| b.risk_per_trade);
    assert_eq!(risk_at(7_500_000), Some(Bps::new(500)));
    assert_eq!(risk_at(7_500_001), Some(Bps::new(350)));
    assert_eq!(risk_at(30_000_001), Some(Bps::new(250)));
    assert_eq!(risk_at(0), None);
}

#[test]
fn a_round_trip_moves_the_balance_by_result_and_charges_only() {
    let mut a = with(|_| ());
    let hold = a.hold(&ask()).unwrap();
    assert_eq!((a.free(), a.held()), (Some(Money::from_rupees(93_460)), Money::from_rupees(6_540)));
    a.bought(hold.id, Money::from_rupees(4_000), Money::from_rupees(10));
    a.bought(hold.id, Money::from_rupees(2_400), Money::from_rupees(5));
    assert_eq!(a.committed(), Money::from_rupees(6_400));
    assert_eq!(a.balance(), Some(Money::from_rupees(99_985)));
    a.entry_done(hold.id);
    assert_eq!((a.held(), a.free()), (Money::ZERO, Some(Money::from_rupees(93_585))));
    a.sold(hold.id, Money::from_rupees(6_400), Money::from_rupees(7_000), Money::from_rupees(30));
    assert_eq!(a.balance(), Some(Money::from_rupees(100_555)));
    assert_eq!(a.free(), a.balance());
    assert_eq!((a.realised(), a.charges()), (Money::from_rupees(600), Money::from_rupees(45)));
    assert_eq!(a.state(hold.id), Some(HoldState::Released));
}

#[test]
fn charges_above_the_reserve_come_out_of_free_capital() {
    let mut a = with(|_| ());
    let hold = a.hold(&ask()).unwrap();
    a.bought(hold.id, Money::from_rupees(6_500), Money::from_rupees(55));
    assert_eq!((a.held(), a.free()), (Money::ZERO, Some(Money::from_rupees(93_445))));
    assert_eq!(a.committed(), Money::from_rupees(6_500));
}

#[test]
fn a_written_off_position_keeps_its_capital_out_and_out_of_the_sizing() {
    let mut a = with(|p| p.opening_balance = Some(Money::from_rupees(76_000)));
    let hold = a.hold(&ask()).unwrap();
    a.bought(hold.id, Money::from_rupees(6_500), Money::ZERO);
    a.entry_done(hold.id);
    a.written_off(hold.id, Money::from_rupees(6_500));
    assert_eq!((a.written_off_count(), a.written_off_total()), (1, Money::from_rupees(6_500)));
    assert_eq!(a.free(), Some(Money::from_rupees(69_500)));
    assert_eq!(a.band().unwrap().risk_per_trade, Bps::new(500), "69,500 can be counted on, not 76,000");
    a.recovered(hold.id, Money::from_rupees(1_000), Money::from_rupees(25));
    assert_eq!((a.written_off_count(), a.free()), (0, Some(Money::from_rupees(70_475))));
    assert_eq!(a.realised(), Money::from_rupees(-5_500));
}

#[test]
fn the_opening_balance_of_a_day_is_fixed_once() {
    // F-25
    let day = |d| NaiveDate::from_ymd_opt(2026, 1, d).unwrap();
    let mut a = with(|p| p.opening_balance = None);
    a.open_session(day(12));
    assert_eq!(a.opening_of_day(), None);
    a.set_balance(Some(Money::from_rupees(100_000)));
    a.set_balance(Some(Money::from_rupees(90_000)));
    a.open_session(day(12));
    assert_eq!(a.opening_of_day(), Some(Money::from_rupees(100_000)));
    assert_eq!(a.balance(), Some(Money::from_rupees(90_000)));
    a.open_session(day(13));
    assert_eq!(a.opening_of_day(), Some(Money::from_rupees(90_000)));
}

#[test]
fn a_day_after_an_unresolved_one_measures_its_loss_limits_without_the_written_off_capital() {
    let day = |d| NaiveDate::from_ymd_opt(2026, 1, d).unwrap();
    let mut a = with(|p| p.opening_balance = Some(Money::from_rupees(76_000)));
    a.open_session(day(12));
    let hold = a.hold(&ask()).unwrap();
    a.bought(hold.id, Money::from_rupees(6_500), Money::ZERO);
    a.entry_done(hold.id);
    a.written_off(hold.id, Money::from_rupees(6_500));
    assert_eq!(a.opening_of_day(), Some(Money::from_rupees(76_000)), "F-25: the base of a running day stays");
    a.open_session(day(13));
    assert_eq!((a.balance(), a.opening_of_day()), (Some(Money::from_rupees(76_000)), Some(Money::from_rupees(69_500))));
    assert_eq!(a.opening_band().unwrap().risk_per_trade, Bps::new(500), "the band of 69,500, not of 76,000");

    let mut late = with(|p| p.opening_balance = Some(Money::from_rupees(76_000)));
    let hold = late.hold(&ask()).unwrap();
    late.bought(hold.id, Money::from_rupees(6_500), Money::ZERO);
    late.entry_done(hold.id);
    late.written_off(hold.id, Money::from_rupees(6_500));
    late.set_balance(None);
    late.open_session(day(13));
    late.set_balance(Some(Money::from_rupees(76_000)));
    assert_eq!(late.opening_of_day(), Some(Money::from_rupees(69_500)), "the same when the balance is learned later");
}

#[test]
fn a_balance_that_becomes_unknown_stops_entries_but_not_the_books() {
    // F-41
    let mut a = with(|_| ());
    let hold = a.hold(&ask()).unwrap();
    a.set_balance(None);
    assert_eq!(a.hold(&ask()), Err(CapitalRefusal::UnknownBalance));
    a.bought(hold.id, Money::from_rupees(6_000), Money::ZERO);
    a.entry_done(hold.id);
    a.set_balance(Some(Money::from_rupees(100_000)));
    assert_eq!((a.committed(), a.free()), (Money::from_rupees(6_000), Some(Money::from_rupees(94_000))));
}

#[test]
#[should_panic(expected = "hold 1 is released or was never given out")]
fn a_hold_cannot_be_released_twice() {
    let mut a = with(|_| ());
    let hold = a.hold(&ask()).unwrap();
    a.release(hold.id);
    a.release(hold.id);
}

#[test]
#[should_panic(expected = "hold 1: released while Held")]
fn a_hold_that_bought_something_cannot_be_released() {
    let mut a = with(|_| ());
    let hold = a.hold(&ask()).unwrap();
    a.bought(hold.id, Money::from_rupees(1), Money::ZERO);
    a.release(hold.id);
}

#[test]
#[should_panic(expected = "hold 1: 6500.01 leaves")]
fn more_than_was_bought_cannot_be_sold() {
    let mut a = with(|_| ());
    let hold = a.hold(&ask()).unwrap();
    a.bought(hold.id, Money::from_rupees(6_500), Money::ZERO);
    a.sold(hold.id, Money::from_paise(650_001), Money::ZERO, Money::ZERO);
}

/// A step of a random life of an account; numbers pick holds and shares.
#[derive(Debug, Clone)]
enum Step {
    Hold { index: usize, entry: i64, gap: i64, lot: i64, cap: Option<i64> },
    Buy { pick: usize, share: i64, charges: i64 },
    Done { pick: usize },
    Sell { pick: usize, share: i64, gain: i64, charges: i64 },
    Release { pick: usize },
    WriteOff { pick: usize },
    Recover { pick: usize, proceeds: i64 },
    Charge { amount: i64 },
}

fn step() -> impl Strategy<Value = Step> {
    let pick = 0usize..8;
    let share = 1i64..=100;
    prop_oneof![
        3 => (0usize..3, 500i64..60_000, 1i64..30_000, 1i64..100, proptest::option::of(0i64..20))
            .prop_map(|(index, entry, gap, lot, cap)| Step::Hold { index, entry, gap, lot, cap }),
        4 => (pick.clone(), share.clone(), 0i64..3_000)
            .prop_map(|(pick, share, charges)| Step::Buy { pick, share, charges }),
        2 => pick.clone().prop_map(|pick| Step::Done { pick }),
        3 => (pick.clone(), share, 0i64..250, 0i64..3_000)
            .prop_map(|(pick, share, gain, charges)| Step::Sell { pick, share, gain, charges }),
        1 => pick.clone().prop_map(|pick| Step::Release { pick }),
        1 => pick.clone().prop_map(|pick| Step::WriteOff { pick }),
        1 => (pick, 0i64..1_000_000).prop_map(|(pick, proceeds)| Step::Recover { pick, proceeds }),
        1 => (0i64..1_000).prop_map(|amount| Step::Charge { amount }),
    ]
}

/// What the property keeps beside the allocator: plain sums, booked independently.
#[derive(Default)]
struct Ledger {
    realised: i64,
    charges: i64,
    committed: i64,
    written_off: i64,
}

fn account(opening: i64, rupees: Option<i64>, index_share: i64) -> CapitalAllocator {
    let mut params = params();
    params.opening_balance = Some(Money::from_paise(opening));
    params.max_lots = Lots::new(50);
    params.index_allocation.insert(NIFTY, Bps::from_percent(index_share));
    if let Some(risk) = rupees {
        params.sizing = Sizing::Rupees { risk: Money::from_paise(risk) };
    }
    CapitalAllocator::new(params)
}

/// The risk budget worked out from the parameters alone.
fn budget(a: &CapitalAllocator, fees: i64) -> i64 {
    let base = a.balance().unwrap().paise() - a.written_off_total().paise();
    match a.params.sizing {
        Sizing::RiskPercent => {
            let bps = if base <= 7_500_000 {
                500
            } else if base <= 15_000_000 {
                350
            } else if base <= 30_000_000 {
                300
            } else {
                250
            };
            base * bps / 10_000
        }
        Sizing::Rupees { risk } => risk.paise() - fees,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn capital_is_conserved_and_no_size_breaks_a_limit_over_any_sequence(
        opening in 1_000_000i64..100_000_000,
        rupees in proptest::option::of(10_000i64..2_000_000),
        index_share in 5i64..60,
        steps in prop::collection::vec(step(), 1..60),
    ) {
        // F-41: loss at stop <= risk budget, never more than free, every rupee in exactly one place.
        let mut a = account(opening, rupees, index_share);
        let mut ledger = Ledger::default();
        let mut working: Vec<HoldId> = Vec::new();
        let mut owned: Vec<HoldId> = Vec::new();
        let mut lost: Vec<HoldId> = Vec::new();
        for step in steps {
            let nth = |from: &[HoldId], pick: usize| (!from.is_empty()).then(|| from[pick % from.len()]);
            match step {
                Step::Hold { index, entry, gap, lot, cap } => {
                    let stop_limit = (entry - gap).max(5);
                    let request = HoldRequest {
                        underlying: Underlying::ALL[index],
                        entry_limit: Premium::from_paise(entry),
                        stop: Premium::from_paise(stop_limit),
                        stop_limit: Premium::from_paise(stop_limit),
                        lot: LotSize::new(lot).unwrap(),
                        lots_cap: cap.map(Lots::new),
                        round_trip_charges_per_order: Money::from_rupees(40),
                    };
                    let (free, limit) = (a.free().unwrap(), budget(&a, 4_000));
                    if let Ok(hold) = a.hold(&request) {
                        prop_assert!(hold.lots > Lots::ZERO);
                        prop_assert_eq!(hold.qty.get(), hold.lots.get() * lot);
                        prop_assert!((entry - stop_limit) * hold.qty.get() <= limit);
                        prop_assert_eq!(hold.risk_at_stop.paise(), (entry - stop_limit) * hold.qty.get());
                        prop_assert!(hold.amount <= free);
                        prop_assert!(hold.lots.get() <= cap.unwrap_or(50));
                        working.push(hold.id);
                    }
                }
                Step::Buy { pick, share, charges } => if let Some(id) = nth(&working, pick) {
                    let cost = a.state(id).unwrap().held().paise() * share / 100;
                    a.bought(id, Money::from_paise(cost), Money::from_paise(charges));
                    ledger.committed += cost;
                    ledger.charges += charges;
                },
                Step::Done { pick } => if let Some(id) = nth(&working, pick) {
                    working.retain(|w| *w != id);
                    a.entry_done(id);
                    if a.state(id) != Some(HoldState::Released) {
                        owned.push(id);
                    }
                },
                Step::Sell { pick, share, gain, charges } => if let Some(id) = nth(&owned, pick) {
                    let cost = (a.state(id).unwrap().committed().paise() * share + 99) / 100;
                    let proceeds = cost * gain / 100;
                    a.sold(id, Money::from_paise(cost), Money::from_paise(proceeds), Money::from_paise(charges));
                    ledger.committed -= cost;
                    ledger.realised += proceeds - cost;
                    ledger.charges += charges;
                    owned.retain(|o| a.state(*o) != Some(HoldState::Released));
                },
                Step::Release { pick } => if let Some(id) = nth(&working, pick)
                    && a.state(id).unwrap().committed() == Money::ZERO {
                    a.release(id);
                    working.retain(|w| *w != id);
                },
                Step::WriteOff { pick } => if let Some(id) = nth(&owned, pick) {
                    let cost = a.state(id).unwrap().committed();
                    a.written_off(id, cost);
                    ledger.committed -= cost.paise();
                    ledger.written_off += cost.paise();
                    owned.retain(|o| *o != id);
                    lost.push(id);
                },
                Step::Recover { pick, proceeds } => if let Some(id) = nth(&lost, pick) {
                    let before = a.written_off_total();
                    a.recovered(id, Money::from_paise(proceeds), Money::ZERO);
                    let cost = (before - a.written_off_total()).paise();
                    ledger.written_off -= cost;
                    ledger.realised += proceeds - cost;
                    lost.retain(|l| *l != id);
                },
                Step::Charge { amount } => {
                    a.charged(Money::from_paise(amount));
                    ledger.charges += amount;
                }
            }
            let free = a.free().unwrap().paise();
            let places = free + a.held().paise() + a.committed().paise() + a.written_off_total().paise();
            prop_assert_eq!(places, opening + ledger.realised - ledger.charges);
            prop_assert_eq!(a.balance().unwrap().paise(), places);
            prop_assert_eq!(a.committed().paise(), ledger.committed);
            prop_assert_eq!(a.written_off_total().paise(), ledger.written_off);
            prop_assert_eq!(a.realised().paise(), ledger.realised);
            prop_assert_eq!(a.charges().paise(), ledger.charges);
        }
    }
}
