//! Rules that contradict each other, and rules that are switched off.

use super::*;

#[test]
fn contradictory_and_unreachable_rules_fail_with_both_keys_values_and_origins() {
    // F-4, F-21, F-22. Each case: settings, the words that must appear.
    let cases: &[(&str, &[&str])] = &[
        (
            "risk: {target_pct: 12}",
            &[
                "break-even can never arm",
                "risk.break_even_after_pct = 15 (preset production",
                "risk.target_pct = 12 (algo.yml:1)",
            ],
        ),
        (
            "risk: {target_pct: 18}",
            &["the trail can never arm", "risk.trail.arm_after_pct = 20", "risk.target_pct = 18"],
        ),
        (
            "risk: {trail: {arm_after_pct: 5, drop_pct: 25}}",
            &["lies under the initial stop", "risk.trail.drop_pct = 25 (algo.yml:1)", "risk.stop_pct = 20"],
        ),
        ("risk: {break_even_after_pct: 25}", &["break-even can never act", "risk.break_even_after_pct = 25"]),
        (
            "risk: {profit_lock: {min_profit_rupees: 90000, keep_pct: 60}}",
            &["the profit lock can never arm", "min_profit_rupees = 90000"],
        ),
        ("risk: {stop_rupees: 8}", &["two stops are set, 20.00 % and Rs 8.00"]),
        ("risk: {stop_pct: none}", &["a position needs a stop"]),
        ("risk: {stop_pct: 3, expiry_limits: []}", &["could be at its stop at once", "entry_guard.max_spread_pct = 3"]),
        (
            "risk: {time_stop_minutes: 400}",
            &["the time stop can never fire", "from the first entry to the square-off are 345 minutes"],
        ),
        (
            "risk: {day_loss_pct: 2}",
            &[
                "one stopped trade would lose more than a whole day may",
                "capital.bands[0].risk_per_trade_pct = 2.5",
                "risk.day_loss_pct = 2 (algo.yml:1)",
            ],
        ),
        (
            "indices: {NIFTY: {day_loss_pct: 9}}",
            &[
                "the limit of the index can never be reached",
                "indices.NIFTY.day_loss_pct = 9",
                "capital.bands[1].day_loss_pct = 4",
            ],
        ),
        ("entry_guard: {max_positions_per_contract: 5}", &["one contract cannot hold more positions than its index"]),
        ("entry_guard: {max_positions_per_index: 5}", &["one index cannot hold more positions than the account"]),
        ("entry_guard: {max_positions_per_index: 2, max_trades_per_index: 1}", &["the day's entries run out"]),
        ("entry_guard: {max_trades_per_index: 50}", &["one index cannot enter more often than the account"]),
        (
            "entry_guard: {max_spread_pct: 5}",
            &["the guard can never refuse", "chain.max_spread_pct = 3 (built-in default)"],
        ),
        (
            "entry_guard: {option_age_ms: {feed: 20000}}",
            &["the guard can never refuse", "chain.quote_age_ms.feed = 10000"],
        ),
        ("chain: {preferred_offset: 3}", &["the preferred strike lies beyond the farthest candidate"]),
        ("chain: {iv_min_pct: 60, iv_max_pct: 60}", &["no volatility can pass"]),
        ("chain: {min_abs_delta: 0.9}", &["no delta can pass"]),
        ("indices: {NIFTY: {premium_min_rupees: 200, premium_max_rupees: 100}}", &["no premium can pass"]),
        ("signals: {confirmation_timeframe: 1m}", &["the confirming timeframe must be longer"]),
        ("signals: {iv_rank: {min_pct: 90}}", &["the lowest rank must lie below the highest"]),
        ("signals: {iv_rank: {min_days: 61}}", &["a rank could never exist"]),
        ("signals: {theta_cutoff: \"09:18\"}", &["signals end before they begin"]),
        (
            "signals: {confirmation_timeframe: none, adx: {min_confirmation: 25}}",
            &["this setting has no effect", "signals.confirmation_timeframe = none"],
        ),
        (
            "signals: {supertrend: {adaptive_training_bars: 80}}",
            &["this setting has no effect", "signals.supertrend.kind = classic"],
        ),
        ("signals: {supertrend: {kind: adaptive, adaptive_training_bars: none}}", &["needs a training window"]),
        ("signals: {trigger: state, flip_valid_bars: 2}", &["this setting has no effect"]),
        (
            "indices: {NIFTY: {signals: {confirmation_timeframe: 1m}}}",
            &[
                "the confirming timeframe must be longer",
                "indices.NIFTY.signals.confirmation_timeframe = 1m (algo.yml:1)",
            ],
        ),
        (
            "risk: {expiry_limits: [{minutes_to_expiry: 90, max_lots: 1, stop_pct: none}, {minutes_to_expiry: 120, max_lots: 0, stop_pct: none}]}",
            &["descending minutes"],
        ),
        (
            "risk: {expiry_limits: [{minutes_to_expiry: 150, max_lots: 1, stop_pct: none}, {minutes_to_expiry: 120, max_lots: 2, stop_pct: none}]}",
            &["must not allow more lots"],
        ),
        (
            "risk: {expiry_limits: [{minutes_to_expiry: 150, max_lots: 1, stop_pct: 25}]}",
            &["must be tighter than the normal one", "risk.stop_pct = 20"],
        ),
        (
            "risk: {expiry_limits: [{minutes_to_expiry: 30, max_lots: 0, stop_pct: none}]}",
            &["can never be reached: entries have ended"],
        ),
        (
            "risk: {expiry_limits: [{minutes_to_expiry: 150, max_lots: 20, stop_pct: none}]}",
            &["this limit never limits anything"],
        ),
        ("risk: {cutoffs: {square_off_start: \"14:30\"}}", &["cut-offs out of order", "square_off_start"]),
        ("risk: {cutoffs: {no_new_entry: \"09:10\"}}", &["entries end before they begin"]),
        ("orders: {entry_offset_pct: 2}", &["every entry would be refused", "entry_guard.slippage_cap_pct = 1"]),
        ("orders: {modifications_for_exit: 24, max_modifications: 20}", &["nothing is left for the trail"]),
        ("capital: {sizing: rupees}", &["needs a risk budget in rupees"]),
        ("capital: {risk_per_trade_rupees: 2000}", &["has no effect unless `sizing: rupees`"]),
        (
            "capital: {sizing: rupees, risk_per_trade_rupees: 6000}",
            &["one stopped trade would lose more than the Rs 4000.00"],
        ),
        ("capital: {bands: []}", &["at least one band"]),
        (
            "capital: {bands: [{up_to_rupees: 9000, allocation_pct: 20, risk_per_trade_pct: 1, day_loss_pct: 3}]}",
            &["the last band must be open"],
        ),
        (
            "capital: {bands: [{up_to_rupees: none, allocation_pct: 20, risk_per_trade_pct: 1, day_loss_pct: 3}, {up_to_rupees: none, allocation_pct: 20, risk_per_trade_pct: 1, day_loss_pct: 3}]}",
            &["only the last band may be open"],
        ),
        (
            "capital: {bands: [{up_to_rupees: 9000, allocation_pct: 20, risk_per_trade_pct: 1, day_loss_pct: 3}, {up_to_rupees: 8000, allocation_pct: 20, risk_per_trade_pct: 1, day_loss_pct: 3}, {up_to_rupees: none, allocation_pct: 20, risk_per_trade_pct: 1, day_loss_pct: 3}]}",
            &["bands must ascend"],
        ),
    ];
    for (text, wants) in cases {
        let found = refused(&format!("{text}\n"));
        for want in *wants {
            assert!(found.contains(want), "{text}\n  gave {found}\n  want {want}");
        }
    }
}

#[test]
fn none_switches_a_rule_off_and_a_section_brings_it_back() {
    let e = ok("risk: {trail: none, target_pct: none, break_even_after_pct: none, loss_streak: none}\n");
    let r = &e.params.risk;
    assert_eq!((r.trail, r.target, r.break_even_after, r.loss_streak), (None, None, None, None));
    let e = ok("preset: spec-original\nrisk: {trail: {arm_after_pct: 12}}\n");
    let trail = TrailParams { arm_after: Bps::from_percent(12), drop: Bps::from_percent(5) };
    assert_eq!(e.params.risk.trail, Some(trail));
}

#[test]
fn one_index_can_have_signal_settings_of_its_own() {
    let e = ok("indices:\n  NIFTY: {}\n  SENSEX: {signals: {adx: {min_primary: 22}, theta_cutoff: none}}\n");
    let own = e.params.signal_of(Underlying::Sensex);
    assert_eq!((own.adx_min_primary, own.adx_min_confirmation, own.theta_cutoff), (22.0, 20.0, None));
    assert_eq!(e.params.signal_of(Underlying::Nifty).adx_min_primary, 18.0);
}

#[test]
fn a_preset_cut_off_later_than_the_calendars_is_clamped_and_said_so() {
    let e = ok("preset: epic-g\n");
    assert_eq!(e.notes.len(), 1);
    assert!(e.notes[0].starts_with("risk.cutoffs.square_off_start 15:20:00 (preset epic-g"), "{}", e.notes[0]);
    assert!(e.notes[0].ends_with("is later than the calendar's 15:05:00; 15:05:00 is used"));
    let wanted = e.params.risk.cutoffs.unwrap();
    for regime in &e.tables.hours {
        let clamped = wanted.clamped_to(&regime.cutoffs);
        assert_eq!(clamped, regime.cutoffs);
    }
    assert!(ok("preset: production\n").notes.is_empty());
    // An earlier one is kept.
    let e = ok("risk: {cutoffs: {no_new_entry: \"14:20\"}}\n");
    assert_eq!(e.params.risk.cutoffs.unwrap().no_new_entry, TimeOfDay::hm(14, 20).unwrap());
}
