//! Layers that can each really fail, and bars that close on time.

use std::collections::BTreeSet;

use super::*;
use crate::domain::calendar::Window;
use crate::domain::{Age, Cutoffs, Seq};
use crate::params::{IvRankParams, SupertrendParams};

fn hm(h: u32, m: u32) -> TimeOfDay {
    TimeOfDay::hm(h, m).unwrap()
}

fn hours(day: u32) -> SessionHours {
    SessionHours {
        day: NaiveDate::from_ymd_opt(2026, 1, day).unwrap(),
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

fn params() -> SignalParams {
    SignalParams {
        primary: Timeframe::M1,
        confirmation: Some(Timeframe::M5),
        supertrend: SupertrendParams::Classic { period: 10, multiplier: 3.0 },
        adx_period: 14,
        adx_min_primary: 18.0,
        adx_min_confirmation: 20.0,
        trigger: SignalTrigger::State,
        flip_valid_bars: 3,
        warmup_bars: 30,
        iv_rank: IvRankParams {
            enabled: true,
            min: 0.1,
            max: 0.8,
            lookback_days: 20,
            min_days: 2,
            on_no_history: NoHistory::Pass,
        },
        theta_cutoff: Some(hm(14, 30)),
        min_minutes_to_expiry: 30,
        trend_bars: Some(2),
        bar_close_grace: Age::ZERO,
        opening_no_trade_minutes: 5,
        blackout_dates: BTreeSet::new(),
    }
}

/// Runs days of 10-second ticks along `path` (points by minute of the run) and hands every evaluation to `each`.
fn run(params: SignalParams, days: &[u32], path: impl Fn(i64) -> i64, mut each: impl FnMut(Stamp, &SignalEngine)) {
    let mut engine = SignalEngine::new(Underlying::Nifty, params, IvHistory::default());
    let mut minute = 0;
    for day in days {
        let hours = hours(*day);
        engine.open_session(hours.clone(), false, None);
        for tick in 0..375 * 6 {
            let at = hours.open_at() + Age::from_secs(tick * 10 + 1);
            while let Some(due) = engine.wake_at().filter(|due| *due < at) {
                if engine.close_bars(due).iter().any(|b| engine.is_primary(b.timeframe)) {
                    each(Stamp { seq: Seq(0), at: due }, &engine);
                }
            }
            engine.on_tick(at, path(minute + tick / 6) * 100 + (tick % 6) * 30);
        }
        let close = hours.close_at();
        if engine.close_bars(close).iter().any(|b| engine.is_primary(b.timeframe)) {
            each(Stamp { seq: Seq(0), at: close }, &engine);
        }
        engine.close_session();
        minute += 375;
    }
}

const fn rising(minute: i64) -> i64 {
    25_000 + minute * 2
}

fn codes(
    params: SignalParams,
    days: &[u32],
    path: impl Fn(i64) -> i64,
    minutes: Option<i64>,
) -> BTreeSet<&'static str> {
    let mut codes = BTreeSet::new();
    run(params, days, path, |now, engine| {
        codes.insert(match engine.evaluate(now, minutes) {
            Ok(_) => "SIGNAL",
            Err(no) => no.code(),
        });
    });
    codes
}

#[test]
fn every_minute_closes_at_its_own_end_and_is_judged_once() {
    for grace in [Age::ZERO, Age::from_millis(500), Age::from_secs(2)] {
        let mut times = Vec::new();
        run(SignalParams { bar_close_grace: grace, ..params() }, &[12], rising, |now, _| times.push(now.at));
        let open = hours(12).open_at();
        let ends: Vec<Instant> = (1..375).map(|m| open + Age::from_mins(m) + grace).collect();
        assert_eq!(times[..374], ends[..], "with a grace of {grace}");
    }
}

#[test]
fn a_clean_rise_signals_up_once_everything_is_warm() {
    let mut first = None;
    run(params(), &[12], rising, |now, engine| {
        if let Ok(signal) = engine.evaluate(now, Some(5_000)) {
            first.get_or_insert((now.at.ist_time(), signal.id.direction));
        }
    });
    // 30 closed 5-minute bars: 150 minutes after the open.
    assert_eq!(first, Some((hm(11, 45), Direction::Up)));
}

#[test]
fn a_clean_fall_signals_down_at_the_same_minute() {
    // F-45: symmetrical.
    let mut first = None;
    run(
        params(),
        &[12],
        |m| 26_000 - m * 2,
        |now, engine| {
            if let Ok(signal) = engine.evaluate(now, Some(5_000)) {
                first.get_or_insert((now.at.ist_time(), signal.id.direction));
            }
        },
    );
    assert_eq!(first, Some((hm(11, 45), Direction::Down)));
}

#[test]
fn every_layer_can_refuse() {
    let with = |change: fn(&mut SignalParams)| {
        let mut p = params();
        change(&mut p);
        codes(p, &[12], rising, Some(5_000))
    };
    let day = codes(params(), &[12], rising, Some(5_000));
    for code in ["WARMING_UP", "SIGNAL", "THETA_CUTOFF", "PAST_NO_NEW_ENTRY"] {
        assert!(day.contains(code), "{code} in {day:?}");
    }
    assert!(with(|p| (p.warmup_bars, p.confirmation) = (1, None)).contains("OPENING_WINDOW"));
    assert!(with(|p| p.blackout_dates = BTreeSet::from([hours(12).day])).contains("BLACKOUT_DATE"));
    assert!(with(|p| p.adx_min_primary = 101.0).contains("ADX_WEAK"));
    assert!(with(|p| p.trigger = SignalTrigger::Flip).contains("NO_FLIP"));
    assert!(codes(params(), &[12], rising, Some(10)).contains("EXPIRY_TOO_CLOSE"));
    let refuse = with(|p| p.iv_rank.on_no_history = NoHistory::Refuse);
    assert!(refuse.contains("IV_NO_HISTORY") && !refuse.contains("SIGNAL"));
    let zigzag = codes(params(), &[12], |m| 25_000 + m * 2 - (m % 4) * 3, Some(5_000));
    assert!(zigzag.contains("TREND_UNCONFIRMED"), "{zigzag:?}");
}

#[test]
fn timeframes_that_disagree_give_no_signal() {
    let turn = |m: i64| if m < 300 { 25_000 + m * 2 } else { 25_600 - (m - 300) * 9 };
    assert!(codes(SignalParams { theta_cutoff: None, ..params() }, &[12], turn, None).contains("TIMEFRAMES_DISAGREE"));
}

#[test]
fn a_flip_counts_for_its_bars_and_not_longer() {
    let turn = |m: i64| if m < 200 { 26_000 - m * 2 } else { 25_600 + (m - 200) * 4 };
    let mut waits = BTreeSet::new();
    let flip = SignalParams { trigger: SignalTrigger::Flip, confirmation: None, trend_bars: None, ..params() };
    run(flip, &[12], turn, |now, engine| {
        if let Ok(signal) = engine.evaluate(now, None) {
            waits.insert(signal.primary.bars_since_flip.unwrap());
        }
    });
    assert_eq!(waits, BTreeSet::from([0, 1, 2]));
}

#[test]
fn no_data_is_no_signal() {
    let engine = SignalEngine::new(Underlying::Nifty, params(), IvHistory::default());
    let now = Stamp { seq: Seq(1), at: hours(12).open_at() };
    assert!(matches!(engine.evaluate(now, None), Err(NoSignal::WarmUpDay)));
}

#[test]
fn indicators_run_across_sessions_and_bars_do_not() {
    // Design decision 14: the second day starts warm, and its first bar starts at its own open.
    let mut warm = BTreeSet::new();
    run(SignalParams { warmup_bars: 70, ..params() }, &[12, 13], rising, |now, engine| {
        if !matches!(engine.evaluate(now, None), Err(NoSignal::WarmingUp { .. })) {
            warm.insert(now.at.ist_date());
        }
    });
    assert!(warm.contains(&hours(13).day));
}

#[test]
fn timeframes_shorter_than_the_recorded_bars_are_not_built_and_the_refusal_says_so() {
    let mut engine = SignalEngine::new(Underlying::Nifty, params(), IvHistory::default());
    let hours = hours(12);
    engine.open_session(hours.clone(), false, Some(Age::from_mins(5)));
    for second in [1, 100, 200, 299, 301, 400] {
        engine.on_tick(hours.open_at() + Age::from_secs(second), 2_500_000 + second * 5);
    }
    let at = hours.open_at() + Age::from_mins(5);
    let closed: Vec<_> = engine.close_bars(at).iter().map(|b| b.timeframe).collect();
    assert_eq!(closed, [Timeframe::M5]);
    assert!(engine.is_primary(Timeframe::M5) && !engine.is_primary(Timeframe::M15));
    let refusal = engine.evaluate(Stamp { seq: Seq(0), at }, None).unwrap_err();
    assert_eq!(refusal, NoSignal::FrameNotBuilt { timeframe: Timeframe::M1, recorded: Age::from_mins(5) });
    assert_eq!(refusal.code(), "FRAME_NOT_BUILT");
    assert!(refusal.to_string().contains("1m bars cannot be built"), "{refusal}");
}

#[test]
fn recorded_bars_fill_only_the_timeframes_they_divide() {
    let fills = |minutes| {
        let recorded = Some(Age::from_mins(minutes));
        Timeframe::ALL.into_iter().filter(|t| can_fill(recorded, *t)).map(Timeframe::code).collect::<Vec<_>>()
    };
    assert_eq!(fills(1), ["1m", "3m", "5m", "15m"]);
    assert_eq!(fills(2), [""; 0]);
    assert_eq!(fills(3), ["3m", "15m"]);
    assert_eq!(fills(5), ["5m", "15m"]);
    assert!(can_fill(Some(Age::from_secs(1)), Timeframe::M1) && can_fill(None, Timeframe::M1));
}
