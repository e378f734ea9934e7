//! Layers, refusals and contradictions of the settings.

use chrono::NaiveDate;
use scalper_decide::domain::{Age, Bps, Lots, Money, Premium, TimeOfDay};
use scalper_decide::params::{SignalTrigger, StopDistance, SupertrendParams, Timeframe, TrailParams};

use super::*;

mod contradictions;
mod presets;
mod refusals;
mod schema;

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
fn an_unknown_balance_is_allowed_and_means_no_trade() {
    // F-41.
    assert_eq!(ok("capital: {opening_balance_rupees: none}\n").params.capital.opening_balance, None);
}
