//! Shipped presets and the starter file.

use super::*;

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
    assert_eq!(preset_names().count(), 10, "and the one of the demo, and two of the feed");
    assert_eq!(ok("preset: demo\n").presets, ["demo"]);
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
