//! Rules on paths a trader can read: each line of quotes leads to one exit and one reason.

mod operator;

use chrono::NaiveDate;
use proptest::prelude::*;

use super::*;
use crate::domain::calendar::Window;
use crate::domain::operator::{OperatorAnswer, OperatorCommand, OperatorRefusal};
use crate::domain::{Age, BookLevel, Cutoffs, Direction, LotSize, Right, Seq, TickFlags, TickSource, TimeOfDay};
use crate::params::{DayProfitParams, LossStreakParams, ProfitLockParams, StopDistance, TrailParams};

const OPTION: InstrumentId = InstrumentId(0);
const QTY: Qty = Qty::new(65);

fn day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, 12).unwrap()
}

fn hm(h: u32, m: u32) -> TimeOfDay {
    TimeOfDay::hm(h, m).unwrap()
}

fn hours() -> SessionHours {
    SessionHours {
        day: day(),
        windows: vec![Window { open: hm(9, 15), close: hm(15, 30) }],
        index_continuous_close: hm(15, 30),
        cutoffs: Cutoffs {
            no_new_entry: hm(14, 45),
            expiry_force_exit: hm(15, 0),
            square_off_start: hm(15, 5),
            square_off_deadline: hm(15, 12),
            broker_square_off: hm(15, 20),
        },
    }
}

fn params() -> RiskParams {
    RiskParams {
        stop: StopDistance::Percent { pct: Bps::from_percent(30) },
        stop_limit_gap: Bps::from_percent(2),
        target: None,
        break_even_after: None,
        trail: None,
        profit_lock: None,
        time_stop: None,
        day_loss: None,
        index_day_loss: BTreeMap::new(),
        day_profit: None,
        loss_streak: None,
        expiry_limits: Vec::new(),
        cutoffs: None,
    }
}

fn stamp(h: u32, m: u32, s: i64) -> Stamp {
    Stamp { seq: Seq(0), at: hours().at(hm(h, m)) + Age::from_secs(s) }
}

fn manager(params: RiskParams) -> RiskManager {
    let mut risk = RiskManager::new(params);
    risk.list(OPTION);
    risk.open_session(hours(), Some(Money::from_rupees(100_000)), None, BTreeMap::new());
    risk
}

fn signal(direction: Direction) -> SignalId {
    SignalId { underlying: Underlying::Nifty, bar_start: hours().open_at(), direction }
}

fn plan(expires_today: bool) -> EntryPlan {
    EntryPlan {
        signal: signal(Direction::Up),
        instrument: OPTION,
        tick: Premium::from_paise(5),
        lot: LotSize::new(65).unwrap(),
        expires_today,
        tightened_stop: None,
        named_stop: None,
    }
}

fn hold(risk: &mut RiskManager, id: u64, entry_rupees: i64) {
    risk.expect(PositionId(id), plan(false));
    risk.bought(stamp(10, 0, 0), PositionId(id), QTY, Premium::from_rupees(entry_rupees));
}

fn quote(paise: i64) -> Quote {
    let level = BookLevel::new(Premium::from_paise(paise), Qty::new(650));
    let at = stamp(10, 0, 0).at;
    Quote {
        ltp_paise: paise,
        bid: Some(level),
        ask: Some(level),
        oi: None,
        volume: None,
        exchange_at: at,
        received_at: at,
        source: TickSource::Feed,
        flags: TickFlags::NONE,
    }
}

/// Feeds bids in rupees, one a second from 10:00:01, and returns the first exit with the bid it came at.
fn first_exit(risk: &mut RiskManager, bids: &[i64]) -> Option<(ExitReason, i64)> {
    for (i, bid) in bids.iter().enumerate() {
        let now = stamp(10, 0, i as i64 + 1);
        for action in risk.exits_due(now, OPTION, &quote(bid * 100)) {
            if let RiskAction::Exit { reason, .. } = action {
                return Some((reason, *bid));
            }
        }
    }
    None
}

#[track_caller]
fn check(params: RiskParams, bids: &[i64], expected: Option<(ExitReason, i64)>) {
    let mut risk = manager(params);
    hold(&mut risk, 1, 100);
    assert_eq!(first_exit(&mut risk, bids), expected);
}

#[test]
fn the_stop_fires_at_its_price_and_not_above() {
    check(params(), &[95, 80, 71, 70], Some((ExitReason::StopLoss, 70)));
    check(params(), &[95, 80, 71], None);
}

#[test]
fn a_position_is_protected_from_its_first_unit() {
    // F-1
    let mut risk = manager(params());
    risk.expect(PositionId(1), plan(false));
    let actions = risk.bought(stamp(10, 0, 0), PositionId(1), QTY, Premium::from_rupees(100));
    let RiskAction::Protect { trigger, limit, .. } = actions[0] else { panic!("{actions:?}") };
    assert_eq!((trigger, limit), (Premium::from_rupees(70), Premium::from_paise(6_860)));
    let guarded = risk.guarded().next().unwrap();
    assert_eq!(guarded.protection.deadline, hours().at(hm(15, 5)), "the square-off is its deadline");
    assert_eq!(risk.wake_at(), Some(stamp(10, 0, 5).at), "it is judged again within five seconds (S3-34)");
}

#[test]
fn the_target_leaves_at_sixty_percent_gain() {
    let with = RiskParams { target: Some(Bps::from_percent(60)), ..params() };
    check(with, &[120, 159, 160], Some((ExitReason::Target, 160)));
}

#[test]
fn break_even_moves_the_stop_to_the_entry() {
    // F-20: the flag of the original moved nothing.
    let with = RiskParams { break_even_after: Some(Bps::from_percent(10)), ..params() };
    check(with.clone(), &[109, 101, 99], None);
    check(with, &[110, 101, 100], Some((ExitReason::BreakEven, 100)));
}

#[test]
fn the_trail_arms_on_the_peak_and_stays_armed_when_the_price_falls_back() {
    // F-20: a fall from +12 % to +9 % disarmed the original's trail.
    let trail = Some(TrailParams { arm_after: Bps::from_percent(10), drop: Bps::from_percent(3) });
    check(RiskParams { trail, ..params() }, &[112, 109, 108], Some((ExitReason::TrailingStop, 108)));
    check(RiskParams { trail, ..params() }, &[109, 106, 103], None);
}

#[test]
fn the_profit_lock_keeps_its_share_of_the_peak_profit() {
    // S3-35, S3-36: armed at Rs 1,000 (65 x 15.39), keeps 95 % of the peak of 65 x 20 = 1,300.
    let lock = Some(ProfitLockParams { min_profit: Money::from_rupees(1_000), keep: Bps::from_percent(95) });
    check(RiskParams { profit_lock: lock, ..params() }, &[115, 110, 90], None);
    check(RiskParams { profit_lock: lock, ..params() }, &[120, 119], Some((ExitReason::ProfitLock, 119)));
}

#[test]
fn the_time_stop_and_the_square_off_need_no_quote() {
    // F-23
    let mut risk = manager(RiskParams { time_stop: Some(Age::from_mins(20)), ..params() });
    hold(&mut risk, 1, 100);
    assert!(risk.on_timer(stamp(10, 19, 59)).is_empty());
    let due = risk.on_timer(stamp(10, 20, 0));
    assert_eq!(due[0], RiskAction::Exit { position: PositionId(1), reason: ExitReason::TimeStop });
    let mut risk = manager(params());
    hold(&mut risk, 1, 100);
    let due = risk.on_timer(stamp(15, 5, 0));
    assert_eq!(due[0], RiskAction::Exit { position: PositionId(1), reason: ExitReason::SquareOff });
}

#[test]
fn a_contract_that_expires_today_leaves_at_its_own_cut_off() {
    let mut risk = manager(params());
    risk.expect(PositionId(1), plan(true));
    risk.bought(stamp(14, 0, 0), PositionId(1), QTY, Premium::from_rupees(100));
    let due = risk.on_timer(stamp(15, 0, 0));
    assert_eq!(due[0], RiskAction::Exit { position: PositionId(1), reason: ExitReason::ExpiryForceExit });
}

#[test]
fn the_daily_loss_breaker_counts_the_open_loss_at_the_bid_flattens_and_stays_latched() {
    // F-25, F-26, F-27, J1: 2 % of 100,000 is 2,000; 1,000 realised and 65 x 16 open cross it.
    let mut risk = manager(RiskParams { day_loss: Some(Bps::from_percent(2)), ..params() });
    risk.book(Underlying::Nifty, Money::from_rupees(-1_000));
    hold(&mut risk, 1, 100);
    assert_eq!(first_exit(&mut risk, &[90, 85, 84]), Some((ExitReason::DailyLossBreaker, 84)));
    let now = stamp(14, 0, 0).at;
    assert!(matches!(risk.entry_block(now, Underlying::Sensex), Some(EntryBlock::DailyLoss { .. })));
    risk.book(Underlying::Nifty, Money::from_rupees(5_000));
    assert!(risk.entry_block(now, Underlying::Nifty).is_some(), "a recovery does not reset a latch");
    let tomorrow = SessionHours { day: day().succ_opt().unwrap(), ..hours() };
    risk.open_session(tomorrow, Some(Money::from_rupees(100_000)), None, BTreeMap::new());
    assert_eq!(risk.entry_block(now, Underlying::Nifty), None, "the next session does");
}

#[test]
fn the_breaker_includes_the_charges_of_the_exit_still_to_come() {
    let rates = ChargeRates { brokerage_per_order: Money::from_rupees(20), ..ChargeRates::default() };
    let mut risk = RiskManager::new(RiskParams { day_loss: Some(Bps::from_percent(1)), ..params() });
    risk.list(OPTION);
    let table = BTreeMap::from([(Underlying::Nifty, rates)]);
    risk.open_session(hours(), Some(Money::from_rupees(100_000)), None, table);
    hold(&mut risk, 1, 100);
    // 65 x 15 = 975 open loss; the 20 of the exit order leave it 5 short of 1,000.
    assert_eq!(first_exit(&mut risk, &[85]), None);
    risk.book(Underlying::Nifty, Money::from_rupees(-5));
    assert_eq!(first_exit(&mut risk, &[85]), Some((ExitReason::DailyLossBreaker, 85)));
}

#[test]
fn an_index_breaker_closes_and_blocks_only_its_own_index() {
    let index_day_loss = BTreeMap::from([(Underlying::Nifty, Bps::from_percent(1))]);
    let mut risk = manager(RiskParams { index_day_loss, ..params() });
    hold(&mut risk, 1, 100);
    assert_eq!(first_exit(&mut risk, &[84]), Some((ExitReason::DailyLossBreaker, 84)));
    let now = stamp(11, 0, 0).at;
    assert!(risk.entry_block(now, Underlying::Nifty).is_some());
    assert_eq!(risk.entry_block(now, Underlying::Sensex), None);
}

#[test]
fn the_day_profit_lock_leaves_when_the_day_falls_to_its_kept_share() {
    let day_profit = Some(DayProfitParams { target: Money::from_rupees(2_000), keep: Bps::from_percent(70) });
    let mut risk = manager(RiskParams { day_profit, ..params() });
    risk.book(Underlying::Nifty, Money::from_rupees(1_000));
    hold(&mut risk, 1, 100);
    // 1,000 + 65 x 20 = 2,300 peak, floor 1,610: reached at a bid of 109.
    assert_eq!(first_exit(&mut risk, &[120, 110, 109]), Some((ExitReason::DayProfitLock, 109)));
    assert!(risk.entry_block(stamp(11, 0, 0).at, Underlying::Nifty).is_some());
}

#[test]
fn losses_in_a_row_pause_entries_for_a_while() {
    let rule = LossStreakParams { losses: 2, pause: Age::from_mins(30) };
    let mut risk = manager(RiskParams { loss_streak: Some(rule), ..params() });
    let closed_at = stamp(11, 0, 0).at;
    for id in [1, 2] {
        hold(&mut risk, id, 100);
        risk.closed(closed_at, PositionId(id), Some(Money::from_rupees(-10)));
    }
    assert!(matches!(
        risk.entry_block(stamp(11, 29, 59).at, Underlying::Nifty),
        Some(EntryBlock::LossStreak { losses: 2, .. })
    ));
    assert_eq!(risk.entry_block(stamp(11, 30, 0).at, Underlying::Nifty), None);
}

#[test]
fn an_unknown_opening_balance_blocks_every_entry() {
    // F-41
    let mut risk = RiskManager::new(params());
    risk.open_session(hours(), None, None, BTreeMap::new());
    assert_eq!(risk.entry_block(stamp(10, 0, 0).at, Underlying::Nifty), Some(EntryBlock::UnknownBalance));
}

#[test]
fn a_bought_put_gains_when_its_premium_rises() {
    // F-11
    let mut risk = manager(params());
    risk.expect(PositionId(1), EntryPlan { signal: signal(Direction::Down), ..plan(false) });
    risk.bought(stamp(10, 0, 0), PositionId(1), QTY, Premium::from_rupees(100));
    risk.exits_due(stamp(10, 0, 1), OPTION, &quote(11_000));
    assert_eq!(risk.guarded().next().unwrap().open_result(), Money::from_rupees(650));
    assert_eq!(Direction::Down.right(), Right::Put);
}

#[test]
fn a_book_without_buyers_is_not_a_price() {
    let mut risk = manager(params());
    hold(&mut risk, 1, 100);
    let mut no_buyers = quote(10);
    no_buyers.bid = None;
    assert!(risk.exits_due(stamp(10, 0, 1), OPTION, &no_buyers).is_empty());
}

#[test]
fn an_exit_is_decided_once() {
    let mut risk = manager(params());
    hold(&mut risk, 1, 100);
    assert!(first_exit(&mut risk, &[60]).is_some());
    assert_eq!(first_exit(&mut risk, &[59, 58]), None);
    assert!(risk.on_timer(stamp(15, 30, 0)).is_empty());
}

#[test]
fn a_loss_that_is_booked_trips_the_breaker_before_any_further_entry() {
    // F-26: the last fill of the day's only position may cross the limit, with no quote of anything held after it.
    let mut risk = manager(RiskParams { day_loss: Some(Bps::from_percent(1)), ..params() });
    hold(&mut risk, 1, 100);
    risk.book(Underlying::Nifty, Money::from_rupees(-1_100));
    risk.sold(PositionId(1), Qty::ZERO);
    risk.judge();
    assert!(matches!(risk.entry_block(stamp(10, 1, 0).at, Underlying::Nifty), Some(EntryBlock::DailyLoss { .. })));
}

#[test]
fn a_trip_takes_working_entries_back_and_their_late_fills_leave_at_once() {
    // F-26, F-34
    let mut risk = manager(RiskParams { day_loss: Some(Bps::from_percent(1)), ..params() });
    hold(&mut risk, 1, 100);
    risk.expect(PositionId(2), plan(false));
    let actions = risk.exits_due(stamp(10, 0, 1), OPTION, &quote(8_400));
    let reason = ExitReason::DailyLossBreaker;
    let exit = |id| RiskAction::Exit { position: PositionId(id), reason };
    assert_eq!(actions[..2], [exit(1), exit(2)]);
    assert!(matches!(actions[2..], [RiskAction::Tripped { underlying: None, .. }]), "{actions:?}");
    let late = risk.bought(stamp(10, 0, 2), PositionId(2), QTY, Premium::from_rupees(84));
    assert_eq!(late[..], [exit(2)]);
}

#[test]
fn flattening_by_hand_takes_working_entries_back() {
    let mut risk = manager(params());
    risk.expect(PositionId(1), plan(false));
    let exit = RiskAction::Exit { position: PositionId(1), reason: ExitReason::Operator };
    let flatten = OperatorCommand::Flatten { underlying: None };
    let (answer, actions) = risk.operate(&flatten);
    assert_eq!((answer, &actions[..]), (OperatorAnswer::Done { changed: true }, &[exit][..]));
    let (answer, actions) = risk.operate(&flatten);
    assert_eq!((answer, actions.is_empty()), (OperatorAnswer::Done { changed: false }, true), "asked once");
}

#[test]
fn a_working_entry_in_the_contract_is_no_profit_to_build_a_pyramid_on() {
    // F-34
    let mut risk = manager(params());
    assert!(risk.all_in_profit(OPTION));
    risk.expect(PositionId(1), plan(false));
    assert!(!risk.all_in_profit(OPTION), "nothing is filled yet");
    risk.bought(stamp(10, 0, 0), PositionId(1), QTY, Premium::from_rupees(100));
    assert!(!risk.all_in_profit(OPTION), "no quote yet");
    risk.exits_due(stamp(10, 0, 1), OPTION, &quote(10_100));
    assert!(risk.all_in_profit(OPTION));
}

#[test]
fn rules_that_raise_the_stop_count_every_judgement_whether_or_not_they_raise_it() {
    // F-2: a trail that never armed was evaluated all the same; "never evaluated" must mean just that.
    let trail = Some(TrailParams { arm_after: Bps::from_percent(10), drop: Bps::from_percent(3) });
    let time_stop = Some(Age::from_mins(30));
    let mut risk = manager(RiskParams { trail, time_stop, ..params() });
    hold(&mut risk, 1, 100);
    first_exit(&mut risk, &[101, 99, 102]);
    let count = |reason| risk.evaluations().find(|(r, _)| *r == reason).unwrap().1;
    assert_eq!(count(ExitReason::TrailingStop), 3);
    assert_eq!(count(ExitReason::StopLoss), 3);
    assert_eq!((count(ExitReason::TimeStop), count(ExitReason::SquareOff)), (3, 3));
    assert_eq!((count(ExitReason::BreakEven), count(ExitReason::ProfitLock)), (0, 0), "not configured");
}

#[test]
fn a_halt_of_one_index_is_told() {
    let index_day_loss = BTreeMap::from([(Underlying::Nifty, Bps::from_percent(1))]);
    let mut risk = manager(RiskParams { index_day_loss, ..params() });
    hold(&mut risk, 1, 100);
    first_exit(&mut risk, &[84]);
    let halts: Vec<String> = risk.day().halts().collect();
    assert!(halts.len() == 1 && halts[0].contains("NIFTY"), "{halts:?}");
}

#[test]
fn every_enabled_rule_counts_its_evaluations() {
    // F-2
    let mut risk = manager(RiskParams { target: Some(Bps::from_percent(60)), ..params() });
    hold(&mut risk, 1, 100);
    first_exit(&mut risk, &[101, 102]);
    let count = |reason| risk.evaluations().find(|(r, _)| *r == reason).unwrap().1;
    assert_eq!(count(ExitReason::StopLoss), 2);
    assert_eq!(count(ExitReason::Target), 2);
    assert_eq!(count(ExitReason::DailyLossBreaker), 2);
    assert_eq!(count(ExitReason::DayProfitLock), 0, "not configured, not evaluated");
}

#[test]
fn expiry_day_limits_get_tighter_towards_the_end() {
    // N19
    let limit = |minutes, lots, stop| ExpiryLimit {
        minutes_to_expiry: minutes,
        max_lots: Lots::new(lots),
        stop: Some(Bps::from_percent(stop)),
    };
    let risk = manager(RiskParams { expiry_limits: vec![limit(120, 2, 20), limit(60, 1, 10)], ..params() });
    let contract = OptionContract {
        underlying: Underlying::Nifty,
        expiry: day(),
        strike: crate::domain::Strike::from_points(25_650),
        right: Right::Call,
        lot: crate::domain::LotSize::new(65).unwrap(),
        tick: Premium::from_paise(5),
        max_order_qty: Qty::new(1_755),
    };
    let expires_at = hours().close_at();
    let at = |h, m| risk.preview(stamp(h, m, 0).at, &contract, expires_at, Premium::from_rupees(100));
    assert_eq!((at(13, 0).lots_cap, at(13, 0).trigger), (None, Premium::from_rupees(70)));
    assert_eq!((at(13, 30).lots_cap, at(13, 30).trigger), (Some(Lots::new(2)), Premium::from_rupees(80)));
    assert_eq!((at(14, 30).lots_cap, at(14, 30).trigger), (Some(Lots::new(1)), Premium::from_rupees(90)));
    let tomorrow = OptionContract { expiry: day().succ_opt().unwrap(), ..contract };
    assert_eq!(risk.preview(stamp(14, 30, 0).at, &tomorrow, expires_at, Premium::from_rupees(100)).lots_cap, None);
}

proptest! {
    /// F-5, I7, J7: on any path with every rule switched on, the stop never falls, never reaches the peak, and every
    /// rule returns a value.
    #[test]
    fn the_stop_is_a_ratchet_on_any_path(
        entry in 20_i64..400,
        bids in prop::collection::vec(1_i64..100_000, 1..200),
    ) {
        let mut risk = manager(RiskParams {
            target: Some(Bps::from_percent(200)),
            break_even_after: Some(Bps::from_percent(5)),
            trail: Some(TrailParams { arm_after: Bps::from_percent(8), drop: Bps::from_percent(4) }),
            profit_lock: Some(ProfitLockParams { min_profit: Money::from_rupees(500), keep: Bps::from_percent(90) }),
            day_loss: Some(Bps::from_percent(50)),
            day_profit: Some(DayProfitParams { target: Money::from_rupees(9_000), keep: Bps::from_percent(80) }),
            ..params()
        });
        hold(&mut risk, 1, entry);
        let mut stop = risk.guarded().next().unwrap().protection.stop;
        for (i, bid) in bids.iter().enumerate() {
            risk.exits_due(stamp(10, 0, i as i64), OPTION, &quote(*bid));
            let p = risk.guarded().next().unwrap();
            prop_assert!(p.protection.stop >= stop);
            prop_assert!(p.protection.stop == stop || p.protection.stop < p.peak);
            stop = p.protection.stop;
        }
    }
}
