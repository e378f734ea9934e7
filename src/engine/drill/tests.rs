//! What the drill must show. `SCALPER_DRILL_SEEDS` sets how many mixed seeds are played, `SCALPER_DRILL_FIRST` the
//! first one, `SCALPER_DRILL_KIND` plays one kind alone, `SCALPER_DRILL_LINES` prints the whole line of events.

use std::collections::BTreeMap;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use scalper_decide::domain::{Age, Bps, TimeOfDay};

use super::bugs::Bug;
use super::world::{Drill, Played, play};
use crate::simulator::faults::{FaultKind, Happens, Occasion, Rule};

/// Mixed seeds of a usual test run.
const SEEDS: u64 = 8;
/// How often each kind happens when it is alone.
const FIRES: u64 = 20;

#[allow(clippy::disallowed_methods, reason = "how much is played is the caller's choice")]
fn asked(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn wants_lines() -> bool {
    asked("SCALPER_DRILL_LINES").is_some()
}

fn report(drill: &Drill, played: &Played) -> String {
    let violations: String =
        played.violations.iter().map(|v| format!("{} {} {}\n", v.at, v.invariant, v.what)).collect();
    let rules: Vec<String> = drill.rules.iter().map(|r| format!("{} {:?}", r.kind.word(), r.happens)).collect();
    let lines = if wants_lines() { played.lines.join("\n") } else { String::new() };
    let fired: Vec<String> =
        played.counts.iter().map(|(kind, c)| format!("{} {}/{}", kind.word(), c.fired, c.occasions)).collect();
    format!(
        "{lines}\nseed {}: {rules:?}\n{violations}{} events, {} entries, {} closed, {} trades; {fired:?} {:?} {:?}",
        drill.seed, played.events, played.entries, played.closed, played.trades, played.findings, played.alarms
    )
}

/// Kinds that take a whole connection down with them are rarer than those that damage one message.
fn usual_chance(kind: FaultKind) -> f64 {
    let is_lasting = kind.usual_length().is_some() || kind == FaultKind::FeedDisconnected;
    match kind.occasion() {
        Occasion::FeedMessage if is_lasting => 0.002,
        Occasion::FeedMessage => 0.05,
        Occasion::FeedConnection => 0.5,
        Occasion::Call if kind == FaultKind::TokenExpired => 0.03,
        Occasion::Update | Occasion::LookUp => 0.4,
        Occasion::Arrival | Occasion::ExitArrival | Occasion::Acceptance | Occasion::Placement => 0.35,
        Occasion::Answer | Occasion::Call | Occasion::List | Occasion::Read => 0.25,
    }
}

fn alone(kind: FaultKind) -> Drill {
    let mut rules = vec![Rule::new(kind, Happens::Chance(usual_chance(kind)))];
    match kind.occasion() {
        // Clients connect again only after something ended their connection, and look up only what is in doubt.
        Occasion::FeedConnection => {
            rules.push(Rule::new(FaultKind::FeedDisconnected, Happens::Chance(0.01)));
        }
        Occasion::LookUp => rules.push(Rule::new(FaultKind::RequestLost, Happens::Chance(0.5))),
        _ => {}
    }
    Drill { faults_for: Age::from_mins(2), each_fires: FIRES, keeps_lines: wants_lines(), ..Drill::of(7, rules) }
}

/// Each kind with a probability of a quarter, with an intensity of its own.
fn mixed(seed: u64) -> Drill {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let mut rules = Vec::new();
    for kind in FaultKind::ALL {
        if dice.random::<f64>() < 0.25 {
            let intensity = 0.1 * 15_f64.powf(dice.random::<f64>());
            let mut rule = Rule::new(*kind, Happens::Chance((usual_chance(*kind) * intensity).min(1.0)));
            if kind.usual_length().is_some() {
                // Up to four times as long: also calls that arrive after they were proven absent (C3).
                rule.length = Age::from_nanos((rule.length.nanos() as f64 * dice.random_range(0.3..4.0)) as i64);
                if *kind == FaultKind::StaleBook {
                    // The engine assumes that no list lies further behind than its `position_lag`, ten seconds.
                    rule.length = rule.length.min(Age::from_secs(8));
                }
            }
            rules.push(rule);
        }
    }
    Drill { keeps_lines: wants_lines(), ..Drill::of(seed, rules) }
}

#[test]
fn without_faults_the_drill_trades_and_agrees_with_the_broker() {
    let drill = Drill::of(1, Vec::new());
    let played = play(&drill);
    eprintln!("{}", report(&drill, &played));
    assert!(played.violations.is_empty(), "{}", report(&drill, &played));
    assert!(played.entries >= 4 && played.closed >= 3, "{} {:?}", report(&drill, &played), played.decisions);
}

fn each_alone(occasions: &[Occasion]) {
    let one = asked("SCALPER_DRILL_KIND");
    let mut failed = Vec::new();
    let kinds = FaultKind::ALL.iter().filter(|kind| occasions.contains(&kind.occasion()));
    for kind in kinds.filter(|kind| one.as_ref().is_none_or(|one| one == kind.word())) {
        let drill = alone(*kind);
        let played = play(&drill);
        let fired = played.counts[kind].fired;
        eprintln!("{} fired {fired}; {} entries, {} closed", kind.word(), played.entries, played.closed);
        if !played.violations.is_empty() || fired < FIRES {
            failed.push(report(&drill, &played));
        }
    }
    assert!(failed.is_empty(), "{} kinds fail:\n{}", failed.len(), failed.join("\n\n"));
}

#[test]
fn each_fault_of_a_call_on_its_way_in_breaks_no_law_and_is_over_a_minute_after_it() {
    // I1 to I20 as far as they can be seen from here, I33.
    each_alone(&[Occasion::Arrival, Occasion::ExitArrival, Occasion::Call]);
}

#[test]
fn each_fault_of_a_call_that_was_taken_breaks_no_law_and_is_over_a_minute_after_it() {
    each_alone(&[Occasion::Acceptance, Occasion::Placement, Occasion::Answer]);
}

#[test]
fn each_fault_of_the_books_breaks_no_law_and_is_over_a_minute_after_it() {
    each_alone(&[Occasion::List, Occasion::Read, Occasion::LookUp]);
}

#[test]
fn each_fault_of_order_updates_breaks_no_law_and_is_over_a_minute_after_it() {
    each_alone(&[Occasion::Update]);
}

#[test]
fn each_fault_of_the_feed_breaks_no_law_and_is_over_a_minute_after_it() {
    each_alone(&[Occasion::FeedMessage, Occasion::FeedConnection]);
}

#[test]
fn whatever_goes_wrong_together_breaks_no_law_and_is_over_a_minute_after_it() {
    // I1 to I20 as far as they can be seen from here, I33.
    let number = |name: &str| asked(name).and_then(|n| n.parse().ok());
    let (seeds, first) = (number("SCALPER_DRILL_SEEDS").unwrap_or(SEEDS), number("SCALPER_DRILL_FIRST").unwrap_or(0));
    let mut failed = Vec::new();
    let mut reached: BTreeMap<&'static str, usize> = BTreeMap::new();
    for seed in first..first + seeds {
        let drill = mixed(seed);
        let played = play(&drill);
        for (what, count) in played.findings.iter().chain(&played.alarms) {
            *reached.entry(what).or_default() += count;
        }
        if !played.violations.is_empty() {
            failed.push(report(&drill, &played));
        }
    }
    eprintln!("reached: {reached:?}");
    assert!(failed.is_empty(), "{} of {seeds} seeds fail:\n{}", failed.len(), failed.join("\n\n"));
}

#[test]
fn the_same_seed_gives_the_same_run() {
    // I24
    let drill = mixed(3);
    let (one, other) = (play(&drill), play(&drill));
    assert_eq!(one.lines, other.lines);
    assert_eq!(one.digest, other.digest);
}

/// Plays a planted bug, which the drill must find under this invariant.
fn finds(bug: Bug, invariant: &str, rules: Vec<Rule>) {
    let sound = Drill { keeps_lines: wants_lines(), ..Drill::of(5, rules) };
    let played = play(&sound);
    assert!(played.violations.is_empty(), "without the bug: {}", report(&sound, &played));
    let planted = Drill { bug: Some(bug), ..sound };
    let played = play(&planted);
    assert!(played.violations.iter().any(|v| v.invariant == invariant), "{}", report(&planted, &played));
}

#[test]
fn a_placement_that_is_sent_again_after_a_time_out_is_found() {
    finds(Bug::RetryOnTimeOut, "I1", vec![Rule::new(FaultKind::ResponseLost, Happens::Every(3))]);
}

#[test]
fn look_ups_that_fail_and_count_as_not_found_are_found() {
    // From the first entries on nobody says what became of them.
    let from = TimeOfDay::hm(10, 1);
    let always = |kind| Rule { from, ..Rule::new(kind, Happens::Always) };
    let rules = vec![
        Rule::new(FaultKind::ResponseLost, Happens::Nth(vec![3, 4])),
        always(FaultKind::UpdateDropped),
        always(FaultKind::LookUpError),
        always(FaultKind::BookError),
    ];
    finds(Bug::ErrorsAreAbsence, "I11", rules);
}

#[test]
fn a_command_that_leaves_before_it_is_durable_is_found() {
    finds(Bug::DroppedFsync, "I12", Vec::new());
}

#[test]
fn protection_that_is_taken_away_before_its_successor_rests_is_found() {
    finds(Bug::CancelThenPlace, "I6", Vec::new());
}

#[test]
fn a_breaker_that_midnight_resets_is_found_and_the_next_trading_day_may_reset_it() {
    // I13, J4
    let sound = Drill { day_loss: Some(Bps::new(5)), ..Drill::of(5, Vec::new()) };
    let played = play(&sound);
    assert!(played.was_latched, "{}", report(&sound, &played));
    assert!(played.violations.is_empty(), "{}", report(&sound, &played));
    let planted = Drill { bug: Some(Bug::MidnightIsANewDay), ..sound };
    let played = play(&planted);
    assert!(played.violations.iter().any(|v| v.invariant == "I13"), "{}", report(&planted, &played));
}
