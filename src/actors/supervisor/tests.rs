//! Progress, not pulses: F-32, F-72, F-73, G5.

use scalper_decide::domain::{Instant as SessionInstant, Seq, Stamp};

use super::*;

const LIMITS: Limits =
    Limits { slow: Duration::from_secs(2), stuck: Duration::from_secs(5), every: Duration::from_millis(500) };

fn secs(secs: f64) -> Duration {
    Duration::from_secs_f64(secs)
}

fn stamp(seq: u64) -> Stamp {
    Stamp { seq: Seq(seq), at: SessionInstant::from_secs(1) }
}

/// What the watch says of one pulse at these times.
fn findings(pulse: &Pulse, watch: &mut Watch, times: &[f64]) -> Vec<String> {
    let look = |at: &f64| watch.look(secs(*at), &[pulse.read()]);
    times.iter().flat_map(look).map(|f| f.to_string()).collect()
}

#[test]
fn an_idle_decider_that_answers_every_sign_of_life_is_well_for_ever() {
    let pulse = Pulse::new("risk_manager");
    let mut watch = Watch::new(LIMITS, 1);
    for n in 0..100 {
        assert!(findings(&pulse, &mut watch, &[f64::from(n) * 0.5]).is_empty());
        pulse.prod();
        pulse.answer();
    }
    assert!(findings(&pulse, &mut watch, &[1e6]).is_empty(), "nothing asked, nothing owed");
}

#[test]
fn a_decider_with_an_event_in_hand_is_slow_after_two_seconds_and_stuck_after_five() {
    let pulse = Pulse::new("risk_manager");
    let mut watch = Watch::new(LIMITS, 1);
    pulse.begin(stamp(7));
    assert!(findings(&pulse, &mut watch, &[10.0, 10.5, 11.9]).is_empty());
    let slow = findings(&pulse, &mut watch, &[12.0, 12.5, 14.9]);
    assert_eq!(slow, ["risk_manager stands still for 2s at event 7 of 05:30:01"], "said once");
    let stuck = findings(&pulse, &mut watch, &[15.0, 15.5, 60.0]);
    assert_eq!(stuck, ["risk_manager is stuck for 5s at event 7 of 05:30:01"], "said once");
}

#[test]
fn a_decider_that_advances_again_lets_entries_back_on() {
    let pulse = Pulse::new("signal_engine");
    let mut watch = Watch::new(LIMITS, 1);
    pulse.begin(stamp(1));
    assert_eq!(findings(&pulse, &mut watch, &[0.0, 2.0]).len(), 1);
    pulse.end();
    pulse.begin(stamp(2));
    assert_eq!(findings(&pulse, &mut watch, &[4.0]), ["signal_engine advances again at event 2 of 05:30:01"]);
    assert!(findings(&pulse, &mut watch, &[5.9]).is_empty(), "the clock starts anew");
    assert_eq!(findings(&pulse, &mut watch, &[6.0]).len(), 1);
}

#[test]
fn a_sign_of_life_that_never_comes_is_as_bad_as_an_event_that_never_ends() {
    // G5: a mailbox nobody reads any more.
    let pulse = Pulse::new("tick_cache");
    let mut watch = Watch::new(LIMITS, 1);
    pulse.prod();
    let said = findings(&pulse, &mut watch, &[0.0, 1.0, 2.0, 3.0, 5.0]);
    assert_eq!(said.len(), 2, "{said:?}");
}

#[test]
fn a_decider_torn_down_by_a_panic_is_dead_at_once() {
    let pulse = Pulse::new("order_manager");
    let mut watch = Watch::new(LIMITS, 1);
    let inside = crate::actors::pulse::Beating::new(Arc::clone(&pulse));
    let torn = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        inside.begin(stamp(3));
        panic!("a planted bug");
    }));
    assert!(torn.is_err());
    assert_eq!(findings(&pulse, &mut watch, &[0.0, 1.0]), ["order_manager died of a bug at event 3 of 05:30:01"]);
}

#[test]
fn a_queue_that_is_not_worked_off_counts_as_owed_work() {
    let pulse = Pulse::new("feed_hub");
    let hub = Watched::worker(Arc::clone(&pulse), || true);
    let mut watch = Watch::new(LIMITS, 1);
    assert!(watch.look(secs(0.0), &[hub.read()]).is_empty());
    assert!(matches!(watch.look(secs(2.0), &[hub.read()])[..], [Finding::Slow { .. }]));
    let idle = Watched::worker(pulse, || false);
    assert!(matches!(watch.look(secs(3.0), &[idle.read()])[..], [Finding::Recovered { .. }]));
}
