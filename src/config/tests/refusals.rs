//! What is refused, with its place and what would be right.

use super::*;

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
fn a_missing_file_is_an_error_and_an_empty_one_is_not() {
    let error = load(Some(Path::new("no/such/algo.yml")), std::iter::empty()).unwrap_err();
    assert!(error.to_string().contains("cannot read no/such/algo.yml"));
    assert!(!error.render(false).is_empty());
    assert_eq!(ok("").params, load(None, std::iter::empty()).unwrap().params);
    assert_eq!(ok("# nothing yet\n").params, ok("---\n").params);
}

/// Every shipped YAML text.
fn shipped() -> Vec<(&'static str, &'static str)> {
    let tables = tables::SHIPPED.iter().map(|(_, file, text)| (*file, *text));
    [("defaults", layers::DEFAULTS), ("starter", STARTER)].into_iter().chain(layers::PRESETS).chain(tables).collect()
}

#[test]
fn every_place_of_every_shipped_file_holds_the_value_it_stands_for() {
    for (name, text) in shipped() {
        for text in [text.to_owned(), text.replace('\n', "\r\n")] {
            let source = Source::new(SourceKind::File, name, text.clone());
            let tree = layers::parse_document(&source).unwrap_or_else(|e| panic!("{e}"));
            for (path, node) in tree.leaves() {
                let written = &text[node.at.span.clone()];
                let reread: serde_yaml::Value = serde_yaml::from_str(written).unwrap();
                let reread = match reread {
                    serde_yaml::Value::String(s) => s,
                    serde_yaml::Value::Number(n) => n.as_f64().unwrap().to_string(),
                    other => serde_yaml::to_string(&other).unwrap().trim().to_owned(),
                };
                assert_eq!(reread, node.canonical(), "{name} {path}: {written:?}");
            }
        }
    }
}

#[test]
fn a_damaged_file_is_refused_or_read_but_never_a_panic() {
    let mut refused = 0;
    for (name, text) in shipped() {
        let lines: Vec<&str> = text.lines().collect();
        for i in 0..lines.len() {
            let with = |line: String| {
                let mut all: Vec<String> = lines.iter().map(|l| (*l).to_owned()).collect();
                all[i] = line;
                all.join("\n")
            };
            let here = lines[i];
            let half = here.char_indices().nth(here.chars().count() / 2).map_or(0, |(at, _)| at);
            let damaged = [
                with(format!("\t{here}")),
                with(format!(" {here}")),
                with(format!("{here}\n{here}")),
                with(here[..half].to_owned()),
                with(here.replace(':', "")),
                with(here.replace(['}', ']', '"'], "")),
                with(format!("{here} &a *b !c | > %")),
                lines[..i].join("\n"),
            ];
            for text in damaged {
                refused += u32::from(layers::parse_document(&Source::new(SourceKind::File, name, text)).is_err());
            }
        }
    }
    assert!(refused > 1000, "{refused}");
}
