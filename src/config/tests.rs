//! Layers, refusals and contradictions of the settings.

use chrono::NaiveDate;
use scalper_decide::domain::{Age, Bps, Lots, Money, Premium, TimeOfDay};
use scalper_decide::params::{SignalTrigger, StopDistance, SupertrendParams, Timeframe, TrailParams};

use super::*;

fn load_text(text: &str, env: &[(&str, &str)], extra: &[&str]) -> Result<Effective, ConfigError> {
    let source = Source::new(SourceKind::File, "algo.yml", text);
    let vars: Vec<(String, String)> = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let extra: Vec<String> = extra.iter().map(|s| (*s).to_owned()).collect();
    load_layers(Some(source), None, &vars, &extra)
}

fn ok(text: &str) -> Effective {
    load_text(text, &[], &[]).unwrap_or_else(|e| panic!("{e}"))
}

/// Every problem of `text`, one line each; panics when there is none.
fn refused(text: &str) -> String {
    load_text(text, &[], &[]).expect_err("must be refused").to_string()
}

fn value<'a>(e: &'a Effective, key: &str) -> &'a EffectiveValue {
    e.values.iter().find(|v| v.key == key).unwrap_or_else(|| panic!("no value {key}"))
}

#[test]
fn without_a_file_the_built_in_settings_with_the_production_rules_apply() {
    let e = load(None, std::iter::empty()).unwrap();
    assert_eq!(e.presets, ["production"]);
    let p = &e.params;
    assert_eq!(p.indices, [Underlying::Nifty, Underlying::BankNifty, Underlying::Sensex]);
    assert_eq!((p.signal.primary, p.signal.confirmation), (Timeframe::M1, Some(Timeframe::M5)));
    assert_eq!(p.signal.supertrend, SupertrendParams::Classic { period: 10, multiplier: 3.0 });
    assert_eq!(p.signal.trigger, SignalTrigger::Flip);
    assert_eq!((p.signal.adx_min_primary, p.signal.adx_min_confirmation), (18.0, 20.0));
    assert_eq!((p.signal.warmup_bars, p.signal.opening_no_trade_minutes), (200, 5));
    assert_eq!((p.chain.max_offset, p.chain.preferred_offset), (2, Some(1)));
    assert_eq!((p.chain.iv_min_pct, p.chain.iv_max_pct, p.chain.min_oi.get()), (10.0, 60.0, 50_000));
    assert_eq!(p.chain.max_spread, Bps::from_percent(3));
    assert_eq!(p.chain.interest_rate, 0.065);
    assert_eq!(p.capital.opening_balance, Some(Money::from_rupees(100_000)));
    assert_eq!(p.entry_guard.cooldown_direction, Age::from_secs(180));
    assert_eq!(p.risk.stop, StopDistance::Percent { pct: Bps::from_percent(20) });
    assert_eq!(e.index_sources[&Underlying::BankNifty].security_id, 25);
}

#[test]
fn the_starter_file_is_short_valid_and_changes_nothing_but_origins() {
    assert!(STARTER.lines().count() < 60, "{} lines", STARTER.lines().count());
    let (starter, bare) = (ok(STARTER), load(None, std::iter::empty()).unwrap());
    assert_eq!(starter.params, bare.params);
    assert_eq!(starter.hash, bare.hash);
    // What the comments show is what is in force.
    for line in
        ["adx: {min_primary: 18, min_confirmation: 20}", "theta_cutoff: \"14:30\"", "max_offset: 2", "stop_pct: 20"]
    {
        assert!(STARTER.contains(line), "{line}");
    }
    let uncommented: String = STARTER
        .lines()
        .filter(|l| !l.contains("override_file") && !l.contains("tables:"))
        .map(|l| match l.split_once("# ") {
            Some((indent, rest)) if indent.trim().is_empty() && rest.trim_start().contains(':') && is_setting(rest) => {
                format!("{indent}{rest}\n")
            }
            _ => format!("{l}\n"),
        })
        .collect();
    assert!(uncommented.contains("\nrisk:\n"), "{uncommented}");
    assert_eq!(ok(&uncommented).params, bare.params);
}

fn is_setting(text: &str) -> bool {
    let key = text.trim_start().split(':').next().unwrap_or_default();
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

#[test]
fn defaults_presets_file_and_environment_win_in_this_order() {
    let stop = |text: &str, env: &[(&str, &str)], extra: &[&str]| {
        let e = load_text(text, env, extra).unwrap_or_else(|e| panic!("{e}"));
        let v = value(&e, "risk.stop_pct");
        (v.value.clone(), v.origin.clone())
    };
    assert_eq!(stop("preset: none\n", &[], &[]), ("20".into(), "built-in default".into()));
    let (v, origin) = stop("preset: epic-g\n", &[], &[]);
    assert_eq!((v.as_str(), origin.starts_with("preset epic-g, config/presets/epic-g.yml (shipped):")), ("30", true));
    assert_eq!(stop("preset: [epic-g, production]\n", &[], &[]).0, "20");
    assert_eq!(stop("preset: [production, epic-g]\n", &[], &[]).0, "30");
    let own = "preset: epic-g\nrisk:\n  stop_pct: 25\n";
    assert_eq!(stop(own, &[], &[]), ("25".into(), "algo.yml:3".into()));
    // A preset from the command line was asked for more explicitly than the file.
    assert_eq!(stop("risk: {stop_pct: 25, target_pct: none}\n", &[], &["spec-original"]).0, "30");
    let env = [("SCALPER__RISK__STOP_PCT", "27.5")];
    assert_eq!(stop(own, &env, &[]), ("27.5".into(), "environment SCALPER__RISK__STOP_PCT".into()));
    assert_eq!(stop(own, &env, &["spec-original"]).0, "27.5");
}

#[test]
fn the_environment_reaches_indices_lists_times_and_presets() {
    let e = load_text(
        "indices:\n  NIFTY: {enabled: true}\n",
        &[
            ("SCALPER__INDICES__NIFTY__CAPITAL_ALLOC_PCT", "12.5"),
            ("SCALPER__SIGNALS__THETA_CUTOFF", "13:30"),
            ("SCALPER__SIGNALS__BLACKOUT_DATES", "[2026-02-01]"),
            ("SCALPER__PRESET", "[production, atm-only]"),
            ("SCALPER_TABLES_OTHER", "ignored: one underscore"),
            ("HOME", "/"),
        ],
        &[],
    )
    .unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(e.params.capital.index_allocation[&Underlying::Nifty], Bps::new(1_250));
    assert_eq!(e.params.signal.theta_cutoff, TimeOfDay::hm(13, 30));
    assert!(e.params.signal.blackout_dates.contains(&NaiveDate::from_ymd_opt(2026, 2, 1).unwrap()));
    assert_eq!(
        (e.presets.as_slice(), e.params.chain.max_offset),
        (&["production".to_owned(), "atm-only".to_owned()][..], 0)
    );
    let error = load_text("", &[("SCALPER__RISK__STPO_PCT", "20")], &[]).unwrap_err().to_string();
    assert_eq!(error, "environment SCALPER__RISK__STPO_PCT: risk.stpo_pct: unknown key (did you mean `stop_pct`?)");
    let error = load_text("", &[("SCALPER__RISK__STOP_PCT", "many")], &[]).unwrap_err().to_string();
    assert!(
        error.contains("SCALPER__RISK__STOP_PCT: risk.stop_pct: expected a number, found the text \"many\""),
        "{error}"
    );
    assert!(load_text("", &[("SCALPER__RISK____X", "1")], &[]).unwrap_err().to_string().contains("names no key"));
}

#[test]
fn a_file_that_lists_indices_trades_only_those() {
    let e = ok("indices:\n  SENSEX: {capital_alloc_pct: 20}\n");
    assert_eq!(e.params.indices, [Underlying::Sensex]);
    let nifty = value(&e, "indices.NIFTY.enabled");
    assert_eq!((nifty.value.as_str(), nifty.origin.as_str()), ("false", "algo.yml:2"));
    assert_eq!(ok("risk: {stop_pct: 18}\n").params.indices.len(), 3);
    assert!(refused("indices:\n  NIFTY: {enabled: false}\n").contains("no index is enabled"));
}

#[test]
fn unknown_keys_are_refused_with_line_column_and_suggestion() {
    // F-4, F-85.
    assert_eq!(
        refused("risk:\n  stop_pct: 20\n  targett_pct: 40\n"),
        "algo.yml:3:3: risk.targett_pct: unknown key (did you mean `target_pct`?)"
    );
    assert_eq!(refused("rsik: {stop_pct: 1}\n"), "algo.yml:1:1: rsik: unknown key (did you mean `risk`?)");
    assert!(refused("indices:\n  NIFTI: {enabled: true}\n").contains("`NIFTI` is not one of NIFTY, BANKNIFTY, SENSEX"));
    assert!(
        refused("preset: prodction\n")
            .contains("algo.yml:1:9: preset: there is no preset `prodction` (did you mean `production`?")
    );
    // A key under the wrong parent is told where it belongs.
    assert!(refused("risk:\n  slippage_cap_pct: 1\n").contains("did you mean `entry_guard.slippage_cap_pct`?"));
    assert!(refused("chain:\n  trail: {arm_after_pct: 1, drop_pct: 1}\n").contains("did you mean `risk.trail`?"));
}

#[test]
fn the_rendered_error_shows_the_line_and_a_caret() {
    let error = load_text("risk:\n  stop_pct: 20\n  targett_pct: 40\n", &[], &[]).unwrap_err();
    for fancy in [false, true] {
        let text = error.render(fancy);
        assert!(text.contains("algo.yml:3:3"), "{text}");
        assert!(text.contains("targett_pct: 40"), "{text}");
        assert!(text.lines().any(|l| l.contains("^^^^^^")), "{text}");
        assert!(text.contains("did you mean `target_pct`?"), "{text}");
    }
    // One caret under a value of one character, too.
    let text = load_text("risk: {stop_pct: 0}\n", &[], &[]).unwrap_err().render(false);
    assert!(text.lines().any(|l| l.trim_start().starts_with(':') && l.contains('^')), "{text}");
}

#[test]
fn mistyped_values_are_refused_with_what_would_be_right() {
    let cases = [
        ("risk:\n  stop_pct: twenty\n", "algo.yml:2:13: risk.stop_pct: expected a number, found the text \"twenty\""),
        ("risk:\n  stop_pct: \"20\"\n", "(remove the quotes)"),
        ("risk:\n  stop_pct: 20%\n", "the unit is in the name of the key"),
        ("risk:\n  stop_pct: 1_000\n", "expected a number"),
        ("risk:\n  stop_pct: .nan\n", "algo.yml:2:13: risk.stop_pct: .nan is not a usable number"),
        ("risk:\n  stop_pct: -.inf\n", "not a usable number"),
        ("risk:\n  stop_pct: 1e300\n", "not a usable number"),
        ("risk:\n  stop_pct:\n", "nothing is written after this key"),
        ("risk:\n", "nothing is written after this key"),
        ("risk: [1]\n", "algo.yml:1:7: risk: expected a section with keys, found [1]"),
        ("risk:\n\tstop_pct: 20\n", "algo.yml:2:1: a tab indents this line"),
        ("risk:\n  stop_pct: 20\nrisk:\n  target_pct: 40\n", "algo.yml:3:1: risk: this key is written twice"),
        ("signals:\n  warmup_bars: 200.5\n", "expected a whole number, found the number 200.5"),
        ("signals:\n  primary_timeframe: 2m\n", "`2m` is not one of 1m, 3m, 5m, 15m"),
        ("signals:\n  primary_timeframe: 5\n", "expected one of 1m, 3m, 5m, 15m, found 5"),
        ("entry_guard:\n  pyramid_only_in_profit: no\n", "write true or false, without quotes"),
        ("entry_guard:\n  pyramid_only_in_profit: on\n", "write true or false, without quotes"),
        ("signals:\n  theta_cutoff: 14:30\n", "algo.yml:2:17: signals.theta_cutoff: the time 14:30 must be quoted"),
        ("signals:\n  theta_cutoff: 870\n", "expected a quoted time"),
        ("signals:\n  theta_cutoff: \"2:30\"\n", "expected a quoted time like \"14:45\", found \"2:30\""),
        ("signals:\n  theta_cutoff: \"25:00\"\n", "expected a quoted time"),
        ("signals:\n  blackout_dates: [01/02/2026]\n", "expected a date like \"2026-01-31\""),
        ("signals:\n  blackout_dates: [\"2026-02-30\"]\n", "signals.blackout_dates[0]: expected a date"),
        (
            "preset: none\nrisk:\n  profit_lock: {keep_pct: 60}\n",
            "algo.yml:3:16: risk.profit_lock.min_profit_rupees: this key is missing",
        ),
        ("just text\n", "settings start with a key"),
        ("risk: {stop_pct: 20\n", "not valid YAML"),
        ("orders:\n  instance: LONG\n", "an instance tag is two letters or digits, found \"LONG\""),
        ("orders:\n  instance: 12\n", "expected a string, found the number 12"),
        ("indices:\n  NIFTY: {enabled: true, key: SENSEX}\n", "names SENSEX, but the section is NIFTY"),
        ("indices:\n  NIFTY: {sid: 13}\n  BANKNIFTY: {sid: 13}\n", "13 is also the id of NIFTY"),
        ("indices:\n  NIFTY: {segment: NSE_FNO}\n", "`NSE_FNO` is not one of IDX_I"),
    ];
    for (text, want) in cases {
        let found = refused(text);
        assert!(found.contains(want), "{text:?}\n  gave {found}\n  want {want}");
    }
}

#[test]
fn numbers_out_of_range_and_fractions_written_as_percent_are_refused() {
    assert_eq!(refused("risk:\n  stop_pct: 0\n"), "algo.yml:2:13: risk.stop_pct: must be between 1 and 90, found 0");
    // F-8: S3-52's sample writes shares; percent are read here.
    assert!(
        refused("indices:\n  NIFTY:\n    capital_alloc_pct: 0.30\n").contains("the unit is percent: did you mean 30?")
    );
    assert!(refused("risk:\n  stop_pct: 12.345\n").contains("finer than a hundredth of a percent"));
    assert!(refused("capital:\n  opening_balance_rupees: -5\n").contains("must be between 1000"));
    assert!(refused("risk:\n  day_loss_pct: 0\n").contains("must be between 0.1 and 20, found 0"));
    assert!(refused("risk:\n  day_loss_pct: -6\n").contains("found -6"));
    // Several problems come in one answer.
    assert_eq!(
        refused("risk: {stop_pct: 0}\nchain: {min_score: 300}\nsignals: {warmup_bars: 10}\n").lines().count(),
        3
    );
}

#[test]
fn every_number_of_the_defaults_has_a_range() {
    let source = Source::new(SourceKind::BuiltIn, "defaults", layers::DEFAULTS);
    let tree = layers::parse_document(&source).unwrap();
    let mut seen = 0;
    for (path, node) in tree.leaves() {
        if matches!(node.value, Value::Int(_) | Value::Float(_)) {
            assert!(ranges::range_of(&path).is_some(), "{path} has no range");
            seen += 1;
        }
    }
    assert!(seen > 70, "{seen}");
}

#[test]
fn contradictory_and_unreachable_rules_fail_with_both_keys_values_and_origins() {
    // F-4, F-21, F-22, I35. Each case: settings, the words that must appear.
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
fn every_shipped_preset_and_combination_loads() {
    let rules = ["production", "spec-original", "epic-g"];
    let signals = ["conservative", "balanced", "aggressive"];
    for rule in rules {
        for signal in signals {
            for strike in [None, Some("atm-only")] {
                let mut names = vec![rule, signal];
                names.extend(strike);
                let e = ok(&format!("preset: [{}]\n", names.join(", ")));
                assert_eq!(e.presets, names);
                assert_eq!(e.params.chain.max_offset, if strike.is_some() { 0 } else { 2 });
            }
        }
    }
    assert_eq!(preset_names().count(), 7);
}

#[test]
fn the_presets_carry_the_figures_of_their_sources() {
    let of = |name: &str| ok(&format!("preset: {name}\n")).params;
    // Signal presets: B3's table.
    let table = [
        ("conservative", 25.0, 30.0, 0.15, 0.60, TimeOfDay::hm(14, 0), Some(2)),
        ("balanced", 18.0, 20.0, 0.10, 0.80, TimeOfDay::hm(14, 30), Some(2)),
        ("aggressive", 15.0, 18.0, 0.05, 0.90, None, None),
    ];
    for (name, adx, confirm, min, max, theta, trend) in table {
        let s = of(name).signal;
        assert_eq!((s.adx_min_primary, s.adx_min_confirmation, s.iv_rank.min, s.iv_rank.max), (adx, confirm, min, max));
        assert_eq!((s.theta_cutoff, s.trend_bars), (theta, trend), "{name}");
    }
    // Rs 1,000 lock at 95 %, 5 % trail, three positions per derivative.
    let spec = of("spec-original");
    let lock = spec.risk.profit_lock.unwrap();
    assert_eq!((lock.min_profit, lock.keep), (Money::from_rupees(1_000), Bps::from_percent(95)));
    assert_eq!(spec.risk.trail.unwrap().drop, Bps::from_percent(5));
    assert_eq!(spec.entry_guard.max_positions_per_contract, 3);
    // S3-56: -30 / +60 / break-even +10 / trail 3 % / day -6 %.
    let epic = of("epic-g").risk;
    assert_eq!(epic.stop, StopDistance::Percent { pct: Bps::from_percent(30) });
    assert_eq!((epic.target, epic.break_even_after), (Some(Bps::from_percent(60)), Some(Bps::from_percent(10))));
    assert_eq!(epic.trail, Some(TrailParams { arm_after: Bps::from_percent(10), drop: Bps::from_percent(3) }));
    assert_eq!(epic.day_loss, Some(Bps::from_percent(6)));
    // Production.
    let production = of("production");
    assert_eq!(production.capital.max_lots, Lots::new(20));
    assert_eq!(production.risk.expiry_limits.len(), 2);
    assert_eq!(production.chain.premium_band[&Underlying::Nifty].0, Premium::from_rupees(40));
    // NOV bands are the built-in ones.
    let bands = ok("preset: balanced\n").params.capital.bands;
    let shares: Vec<(i64, i64, i64)> =
        bands.iter().map(|b| (b.allocation.get(), b.risk_per_trade.get(), b.day_loss.get())).collect();
    assert_eq!(shares, [(3000, 500, 500), (2500, 350, 600), (2000, 300, 600), (2000, 250, 500)]);
    assert_eq!(bands[1].up_to, Some(Money::from_rupees(150_000)));
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

#[test]
fn every_value_has_an_origin_and_the_rules_in_force_are_a_closed_list() {
    let e = ok(STARTER);
    for key in
        ["risk.trail.drop_pct", "signals.supertrend.multiplier", "capital.bands[3].up_to_rupees", "tables.folder"]
    {
        assert!(!value(&e, key).origin.is_empty());
    }
    assert_eq!(value(&e, "signals.supertrend.multiplier").value, "3");
    assert!(value(&e, "signals.supertrend.multiplier").origin.starts_with("algo.yml:"));
    assert_eq!(value(&e, "orders.exit_chase_ms").origin, "built-in default");
    let bare = load_text("preset: none\nrisk: {trail: none}\n", &[], &[]).unwrap();
    let names = |e: &Effective| rules_in_force(e).into_iter().map(|(n, _)| n).collect::<Vec<_>>();
    assert_eq!(names(&e), names(&bare), "a rule that is off is still listed");
    assert!(rules_in_force(&bare).contains(&("exit: trail", "off".to_owned())));
}

#[test]
fn the_hash_follows_the_values_and_nothing_else() {
    let base = ok("risk: {stop_pct: 20}\n").hash;
    assert_eq!(base, ok("# comment\nrisk:\n    stop_pct: 20.0\n").hash, "layout is not a setting");
    assert_eq!(base, load(None, std::iter::empty()).unwrap().hash, "neither is the origin");
    assert_ne!(base, ok("risk: {stop_pct: 19.5}\n").hash);
    assert_ne!(base, ok("preset: [production, atm-only]\n").hash);
    assert_ne!(base, ok("signals: {blackout_dates: [2026-02-01]}\n").hash);
}

#[test]
fn a_preset_beside_the_file_wins_over_the_shipped_one_and_may_not_choose_presets() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("presets")).unwrap();
    let file = dir.path().join("algo.yml");
    std::fs::write(&file, "preset: [production, mine]\n").unwrap();
    let mine = dir.path().join("presets/mine.yml");
    std::fs::write(&mine, "risk: {time_stop_minutes: 33}\n").unwrap();
    let e = load(Some(&file), std::iter::empty()).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(e.params.risk.time_stop, Some(Age::from_mins(33)));
    assert!(value(&e, "risk.time_stop_minutes").origin.contains("mine.yml:1"));
    std::fs::write(&mine, "preset: epic-g\n").unwrap();
    let error = load(Some(&file), std::iter::empty()).unwrap_err().to_string();
    assert!(error.contains("mine.yml:1:9: preset: a preset cannot choose presets"), "{error}");
    std::fs::write(&mine, "risk: {time_stop_minute: 33}\n").unwrap();
    let error = load(Some(&file), std::iter::empty()).unwrap_err().to_string();
    assert!(
        error.contains("mine.yml:1:8: risk.time_stop_minute: unknown key (did you mean `time_stop_minutes`?)"),
        "{error}"
    );
}

#[test]
fn a_missing_file_is_an_error_and_an_empty_one_is_not() {
    let error = load(Some(Path::new("no/such/algo.yml")), std::iter::empty()).unwrap_err();
    assert!(error.to_string().contains("cannot read no/such/algo.yml"));
    assert!(!error.render(false).is_empty());
    assert_eq!(ok("").params, load(None, std::iter::empty()).unwrap().params);
    assert_eq!(ok("# nothing yet\n").params, ok("---\n").params);
}

#[test]
fn an_unknown_balance_is_allowed_and_means_no_trade() {
    // F-41.
    assert_eq!(ok("capital: {opening_balance_rupees: none}\n").params.capital.opening_balance, None);
}

/// Follows `path` through the schema; `None` when the schema does not know it.
fn in_schema<'a>(schema: &'a serde_json::Value, path: &str) -> Option<&'a serde_json::Value> {
    let mut here = schema;
    for step in path.replace('[', ".[").split('.') {
        if let Some(variants) = here.get("anyOf").and_then(|v| v.as_array()) {
            here = variants.iter().find(|v| v.get("properties").is_some() || v.get("items").is_some()).unwrap_or(here);
        }
        here = match step.starts_with('[') {
            true => here.get("items")?,
            false => here
                .get("properties")
                .and_then(|p| p.get(step))
                .or_else(|| here.get("additionalProperties").filter(|a| a.is_object()))
                .or_else(|| here.get("patternProperties").and_then(|p| p.as_object()?.values().next()))?,
        };
    }
    Some(here)
}

#[test]
fn every_key_of_the_starter_the_defaults_and_the_presets_is_in_the_schema() {
    let schema = json_schema();
    let texts = [layers::DEFAULTS, STARTER].into_iter().chain(layers::PRESETS.iter().map(|(_, text)| *text));
    let mut seen = 0;
    for text in texts {
        let tree = layers::parse_document(&Source::new(SourceKind::BuiltIn, "t", text)).unwrap();
        for (path, node) in tree.leaves().into_iter().filter(|(p, _)| !p.starts_with("preset")) {
            let found = in_schema(&schema, &path).unwrap_or_else(|| panic!("{path} is not in the schema"));
            seen += 1;
            if let (Value::Int(_) | Value::Float(_), Some(range)) = (&node.value, ranges::range_of(&path)) {
                let text = found.to_string();
                assert!(
                    text.contains("\"minimum\":") && text.contains("\"maximum\":"),
                    "{path}: {text} lacks {range:?}"
                );
            }
        }
    }
    assert!(seen > 150, "{seen}");
    assert!(in_schema(&schema, "risk.made_up").is_none());
    let text = schema.to_string();
    assert!(!text.contains("\"null\""), "an empty value is refused, so the schema must not offer it");
    assert_eq!(schema["additionalProperties"], serde_json::json!(false));
}
