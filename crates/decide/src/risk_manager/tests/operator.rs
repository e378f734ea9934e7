//! What a person may ask of the risk manager, and what the day remembers (I13, J2, J4, J11, J12).

use super::*;

const ID: PositionId = PositionId(1);

fn ask(risk: &mut RiskManager, command: OperatorCommand) -> (OperatorAnswer, RiskActions) {
    risk.operate(&command)
}

const DONE: OperatorAnswer = OperatorAnswer::Done { changed: true };
const UNCHANGED: OperatorAnswer = OperatorAnswer::Done { changed: false };

const fn refused(refusal: OperatorRefusal) -> OperatorAnswer {
    OperatorAnswer::Refused { refusal }
}

fn code(risk: &RiskManager, underlying: Underlying) -> Option<&'static str> {
    risk.entry_block(stamp(11, 0, 0).at, underlying).map(|b| b.code())
}

fn tomorrow() -> SessionHours {
    SessionHours { day: day().succ_opt().unwrap(), ..hours() }
}

fn open_again(risk: &mut RiskManager, hours: SessionHours) {
    risk.open_session(hours, Some(Money::from_rupees(100_000)), None, BTreeMap::new());
}

#[test]
fn a_halt_takes_working_entries_back_and_lasts_until_resumed_over_days() {
    let mut risk = manager(params());
    risk.expect(ID, plan(false));
    let (answer, actions) = ask(&mut risk, OperatorCommand::Halt);
    assert_eq!((answer, &actions[..]), (DONE, &[RiskAction::StopBuying { position: ID }][..]));
    assert_eq!(ask(&mut risk, OperatorCommand::Halt).0, UNCHANGED);
    assert_eq!(code(&risk, Underlying::Nifty), Some("HALTED"));
    risk.closed(stamp(11, 0, 0).at, ID, None);
    open_again(&mut risk, tomorrow());
    assert_eq!(code(&risk, Underlying::Sensex), Some("HALTED"), "latched until a person resumes");
    assert_eq!(ask(&mut risk, OperatorCommand::Resume).0, DONE);
    assert_eq!((code(&risk, Underlying::Nifty), ask(&mut risk, OperatorCommand::Resume).0), (None, UNCHANGED));
}

#[test]
fn an_armed_engine_is_disarmed_by_a_person_and_by_the_next_session_and_leaves_positions_all_the_same() {
    // S24
    let mut risk = manager(params());
    assert_eq!(risk.gate().armed(), None, "where no real money is risked nothing has to be armed");
    assert_eq!(ask(&mut risk, OperatorCommand::Disarm).0, DONE);
    assert_eq!(code(&risk, Underlying::Nifty), Some("DISARMED"));
    hold(&mut risk, 1, 100);
    let (answer, actions) = ask(&mut risk, OperatorCommand::Flatten { underlying: None });
    assert_eq!((answer, actions.len()), (DONE, 1), "exits need no arming");
    risk.closed(stamp(11, 0, 0).at, ID, None);
    let arm = || OperatorCommand::Arm { phrase: "arm".to_owned() };
    assert_eq!(ask(&mut risk, OperatorCommand::Resume).0, UNCHANGED, "resume does not arm");
    assert_eq!((ask(&mut risk, arm()).0, ask(&mut risk, arm()).0), (DONE, UNCHANGED));
    assert_eq!(code(&risk, Underlying::Nifty), None);
    open_again(&mut risk, tomorrow());
    assert_eq!(code(&risk, Underlying::Nifty), Some("DISARMED"));
}

#[test]
fn each_block_names_itself_and_only_its_own_scope() {
    let mut risk = manager(params());
    assert_eq!(ask(&mut risk, OperatorCommand::Pause { underlying: Underlying::Nifty }).0, DONE);
    assert_eq!((code(&risk, Underlying::Nifty), code(&risk, Underlying::Sensex)), (Some("INDEX_PAUSED"), None));
    assert_eq!(ask(&mut risk, OperatorCommand::ReduceOnly).0, DONE);
    assert_eq!(code(&risk, Underlying::Sensex), Some("REDUCE_ONLY"));
    assert_eq!(ask(&mut risk, OperatorCommand::Resume).0, DONE);
    assert_eq!(code(&risk, Underlying::Nifty), Some("INDEX_PAUSED"), "resume does not end the pause of an index");
    assert_eq!(ask(&mut risk, OperatorCommand::ResumeIndex { underlying: Underlying::Nifty }).0, DONE);
    assert_eq!(code(&risk, Underlying::Nifty), None);
}

#[test]
fn flatten_passes_every_gate_and_keeps_to_its_index() {
    // I15, J11
    let mut risk = manager(params());
    hold(&mut risk, 1, 100);
    ask(&mut risk, OperatorCommand::Halt);
    let sensex = OperatorCommand::Flatten { underlying: Some(Underlying::Sensex) };
    assert_eq!(ask(&mut risk, sensex).0, UNCHANGED);
    let (answer, actions) = ask(&mut risk, OperatorCommand::Flatten { underlying: Some(Underlying::Nifty) });
    assert_eq!(answer, DONE);
    assert_eq!(actions[..], [RiskAction::Exit { position: ID, reason: ExitReason::Operator }]);
}

#[test]
fn a_partial_close_sells_lots_once_per_request_and_all_of_them_is_a_close() {
    // I7
    let mut risk = manager(params());
    risk.expect(ID, plan(false));
    let close = |lots, request| OperatorCommand::Close { position: ID, lots, request };
    let nothing = refused(OperatorRefusal::NothingOwned { position: ID });
    assert_eq!(ask(&mut risk, close(Some(Lots::new(1)), 1)).0, nothing);
    risk.bought(stamp(10, 0, 0), ID, Qty::new(3 * 65), Premium::from_rupees(100));
    let none = refused(OperatorRefusal::NotLots { lots: Lots::ZERO });
    assert_eq!(ask(&mut risk, close(Some(Lots::ZERO), 1)).0, none);
    let (answer, actions) = ask(&mut risk, close(Some(Lots::new(1)), 1));
    assert_eq!((answer, &actions[..]), (DONE, &[RiskAction::SellPart { position: ID, qty: QTY }][..]));
    let (answer, actions) = ask(&mut risk, close(Some(Lots::new(1)), 1));
    assert_eq!((answer, actions.is_empty()), (UNCHANGED, true), "a double click sells nothing more");
    risk.sold(ID, Qty::new(2 * 65));
    let (_, actions) = ask(&mut risk, close(Some(Lots::new(2)), 2));
    assert_eq!(actions[..], [RiskAction::Exit { position: ID, reason: ExitReason::Operator }]);
    assert_eq!(ask(&mut risk, close(None, 0)).0, UNCHANGED);
    let gone = PositionId(9);
    let close = OperatorCommand::Close { position: gone, lots: None, request: 0 };
    assert_eq!(ask(&mut risk, close).0, refused(OperatorRefusal::NotOpen { position: gone }));
}

#[test]
fn a_stop_is_tightened_and_never_loosened_by_hand() {
    // I7, J7
    let mut risk = manager(params());
    hold(&mut risk, 1, 100);
    let tighten = |paise| OperatorCommand::Tighten { position: ID, stop: Premium::from_paise(paise) };
    let (answer, actions) = ask(&mut risk, tighten(8_002));
    assert_eq!(answer, DONE);
    let RiskAction::Protect { trigger, rule, .. } = actions[0] else { panic!("{actions:?}") };
    assert_eq!((trigger, rule), (Premium::from_paise(8_005), ExitReason::Operator), "rounded up to the tick");
    assert_eq!(ask(&mut risk, tighten(8_005)).0, UNCHANGED);
    let (asked, current) = (Premium::from_rupees(75), Premium::from_paise(8_005));
    assert_eq!(ask(&mut risk, tighten(7_500)).0, refused(OperatorRefusal::NotTighter { asked, current }));
    let (asked, sellable) = (Premium::from_rupees(100), Premium::from_rupees(100));
    assert_eq!(ask(&mut risk, tighten(10_000)).0, refused(OperatorRefusal::NotUnderMarket { asked, sellable }));
    assert_eq!(first_exit(&mut risk, &[90, 80]), Some((ExitReason::Operator, 80)));
    assert_eq!(ask(&mut risk, tighten(9_000)).0, refused(OperatorRefusal::Leaving { position: ID }));
}

#[test]
fn a_breaker_tripped_by_hand_flattens_and_outlives_a_restart_of_the_day() {
    // F-24, I13, J2, J4
    let mut risk = manager(params());
    hold(&mut risk, 1, 100);
    let trip = || OperatorCommand::TripBreaker { reason: "the records of the day are lost".to_owned() };
    let (answer, actions) = ask(&mut risk, trip());
    assert_eq!(answer, DONE);
    assert_eq!(actions[0], RiskAction::Exit { position: ID, reason: ExitReason::Operator });
    assert_eq!(actions[1], RiskAction::Tripped { block: EntryBlock::Tripped, underlying: None });
    let (answer, actions) = ask(&mut risk, trip());
    assert_eq!((answer, actions.is_empty()), (UNCHANGED, true));
    open_again(&mut risk, hours());
    assert_eq!(code(&risk, Underlying::Nifty), Some("BREAKER_TRIPPED"), "the same day opened again");
    let yesterday = SessionHours { day: day().pred_opt().unwrap(), ..hours() };
    open_again(&mut risk, yesterday);
    assert_eq!(code(&risk, Underlying::Nifty), Some("BREAKER_TRIPPED"), "an earlier day resets nothing");
    open_again(&mut risk, tomorrow());
    assert_eq!(code(&risk, Underlying::Nifty), None, "the next trading day does");
}

#[test]
fn a_reset_breaker_counts_the_loss_anew_and_needs_something_to_reset() {
    let mut risk = manager(RiskParams { day_loss: Some(Bps::from_percent(1)), ..params() });
    assert_eq!(ask(&mut risk, OperatorCommand::ResetBreaker).0, refused(OperatorRefusal::NotTripped));
    risk.book(Underlying::Nifty, Money::from_rupees(-1_100));
    assert!(risk.judge().iter().any(|a| matches!(a, RiskAction::Tripped { underlying: None, .. })));
    assert_eq!(ask(&mut risk, OperatorCommand::ResetBreaker).0, DONE);
    assert!(risk.judge().is_empty(), "the same loss does not trip it twice");
    assert_eq!(code(&risk, Underlying::Nifty), None);
    risk.book(Underlying::Nifty, Money::from_rupees(-999));
    assert!(risk.judge().is_empty());
    risk.book(Underlying::Nifty, Money::from_rupees(-1));
    assert!(!risk.judge().is_empty(), "another full limit does");
    assert_eq!(code(&risk, Underlying::Nifty), Some("DAILY_LOSS_BREAKER"));
}

#[test]
fn counters_of_the_day_survive_its_second_opening() {
    // J12, F-25: losses in a row, realised result and the opening balance.
    let rule = LossStreakParams { losses: 2, pause: Age::from_mins(30) };
    let mut risk = manager(RiskParams { loss_streak: Some(rule), day_loss: Some(Bps::from_percent(1)), ..params() });
    let lose = |risk: &mut RiskManager, id: u64| {
        hold(risk, id, 100);
        risk.book(Underlying::Nifty, Money::from_rupees(-600));
        risk.closed(stamp(10, 30, 0).at, PositionId(id), Some(Money::from_rupees(-600)));
    };
    lose(&mut risk, 1);
    // The account is worth less by now; the limits stay those of the morning.
    risk.open_session(hours(), Some(Money::from_rupees(50_000)), None, BTreeMap::new());
    assert!(risk.judge().is_empty());
    lose(&mut risk, 2);
    assert!(risk.judge().iter().any(|a| matches!(a, RiskAction::Tripped { .. })), "600 and 600 cross 1,000");
    assert!(matches!(risk.entry_block(stamp(10, 40, 0).at, Underlying::Nifty), Some(EntryBlock::DailyLoss { .. })));
    ask(&mut risk, OperatorCommand::ResetBreaker);
    assert_eq!(risk.entry_block(stamp(10, 40, 0).at, Underlying::Nifty).map(|b| b.code()), Some("LOSS_STREAK_PAUSE"));
}

#[test]
fn a_shortened_day_brings_the_exit_of_what_is_held_forward() {
    // F7
    let mut risk = manager(params());
    hold(&mut risk, 1, 100);
    let mut short = hours();
    short.cutoffs.square_off_start = hm(13, 0);
    open_again(&mut risk, short);
    let due = risk.on_timer(stamp(13, 0, 0));
    assert_eq!(due[..], [RiskAction::Exit { position: ID, reason: ExitReason::SquareOff }]);
}

#[test]
fn positions_are_due_for_a_judgement_every_five_seconds_without_a_tick() {
    // S3-34
    let mut risk = manager(params());
    hold(&mut risk, 1, 100);
    assert!(risk.judgements_due(stamp(10, 0, 4).at).is_empty());
    assert_eq!(risk.judgements_due(stamp(10, 0, 5).at)[..], [OPTION]);
    assert!(risk.judgements_due(stamp(10, 0, 5).at).is_empty(), "asked for once");
    risk.exits_due(stamp(10, 0, 8), OPTION, &quote(9_900));
    assert!(risk.judgements_due(stamp(10, 0, 12).at).is_empty(), "a tick counts");
    assert_eq!(risk.judgements_due(stamp(10, 0, 13).at).len(), 1);
    assert_eq!(risk.held().collect::<Vec<_>>(), [OPTION]);
}

#[test]
fn changed_settings_never_loosen_a_stop_in_force() {
    // I4: reload
    let mut risk = manager(params());
    hold(&mut risk, 1, 100);
    let wide = RiskParams { stop: StopDistance::Percent { pct: Bps::from_percent(60) }, ..params() };
    risk.configure(wide);
    assert_eq!(risk.guarded().next().unwrap().protection.stop, Premium::from_rupees(70));
    risk.bought(stamp(10, 1, 0), ID, Qty::new(130), Premium::from_rupees(100));
    assert_eq!(risk.guarded().next().unwrap().protection.stop, Premium::from_rupees(70), "nor does a further fill");
    assert_eq!(first_exit(&mut risk, &[71, 70]), Some((ExitReason::StopLoss, 70)));
}

#[test]
fn tags_name_the_rule_and_its_configured_figure() {
    // S3-56
    let tuned = RiskParams {
        target: Some(Bps::from_percent(60)),
        break_even_after: Some(Bps::from_percent(10)),
        trail: Some(TrailParams { arm_after: Bps::from_percent(10), drop: Bps::from_percent(3) }),
        profit_lock: Some(ProfitLockParams { min_profit: Money::from_rupees(1_000), keep: Bps::from_percent(95) }),
        time_stop: Some(Age::from_mins(45)),
        day_loss: Some(Bps::from_percent(6)),
        day_profit: Some(DayProfitParams { target: Money::from_rupees(2_500), keep: Bps::from_percent(70) }),
        ..params()
    };
    let mut risk = RiskManager::new(tuned.clone());
    let mut late = hours();
    late.cutoffs.square_off_start = hm(15, 20);
    open_again(&mut risk, late);
    let tags: Vec<String> = ExitReason::ALL.into_iter().map(|r| risk.exit_tag(r, &plan(false))).collect();
    let expected = [
        "stop_loss_30pct",
        "take_profit_60pct",
        "break_even_10pct",
        "trailing_stop_3pct",
        "profit_lock_1000rs",
        "time_stop_45min",
        "time_exit_1520",
        "expiry_exit_1500",
        "circuit_breaker_6pct",
        "day_profit_lock_2500rs",
        "expiry_settlement",
        "operator",
    ];
    assert_eq!(tags, expected);
    let other = RiskParams { stop: StopDistance::Percent { pct: Bps::new(1_250) }, day_loss: None, ..tuned };
    let mut risk = RiskManager::new(other);
    risk.open_session(hours(), Some(Money::from_rupees(100_000)), Some(Bps::new(450)), BTreeMap::new());
    let tag = |reason, tightened_stop| risk.exit_tag(reason, &EntryPlan { tightened_stop, ..plan(true) });
    assert_eq!(tag(ExitReason::StopLoss, None), "stop_loss_12.5pct");
    assert_eq!(tag(ExitReason::StopLoss, Some(Bps::from_percent(5))), "stop_loss_5pct", "expiry day");
    assert_eq!(tag(ExitReason::DailyLossBreaker, None), "circuit_breaker_4.5pct", "of the capital band");
}

#[test]
fn without_a_guardian_no_new_risk_is_taken_and_working_entries_are_taken_back() {
    // N6
    let mut risk = manager(params());
    risk.expect(ID, plan(false));
    assert_eq!(ask(&mut risk, OperatorCommand::Guardian { alive: true }).0, UNCHANGED);
    let (answer, actions) = ask(&mut risk, OperatorCommand::Guardian { alive: false });
    assert_eq!((answer, &actions[..]), (DONE, &[RiskAction::StopBuying { position: ID }][..]));
    assert_eq!(code(&risk, Underlying::Nifty), Some("NO_GUARDIAN"));
    assert_eq!(ask(&mut risk, OperatorCommand::Resume).0, UNCHANGED, "no person lifts it");
    assert_eq!(code(&risk, Underlying::Nifty), Some("NO_GUARDIAN"));
    assert_eq!(ask(&mut risk, OperatorCommand::Guardian { alive: true }).0, DONE);
    assert_eq!(code(&risk, Underlying::Nifty), None);
}

#[test]
fn while_the_engine_is_behind_its_inputs_nothing_is_entered_and_no_person_lifts_that() {
    // G9, G10
    let mut risk = manager(params());
    assert_eq!(ask(&mut risk, OperatorCommand::Overload { is_behind: true }).0, DONE);
    assert_eq!(ask(&mut risk, OperatorCommand::Overload { is_behind: true }).0, UNCHANGED);
    assert_eq!(ask(&mut risk, OperatorCommand::Resume).0, UNCHANGED);
    assert_eq!(code(&risk, Underlying::Nifty), Some("OVERLOADED"));
    assert_eq!(ask(&mut risk, OperatorCommand::Overload { is_behind: false }).0, DONE);
    assert_eq!(code(&risk, Underlying::Nifty), None);
}
