//! `scalper plan` and `scalper instruments` through the real binary.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{scalper, shared_data, succeed};

const EXCERPT: &str = "instruments/api-scrip-master_excerpt_2026-02-10.csv.gz";
const PRICES: [(&str, &str); 8] = [
    ("NIFTY", "25935.15"),
    ("BANKNIFTY", "60626.40"),
    ("SENSEX", "84273.92"),
    ("FINNIFTY", "27950"),
    ("MIDCPNIFTY", "13712.50"),
    ("BANKEX", "68050"),
    ("CRUDEOIL", "5850"),
    ("NATURALGAS", "290.5"),
];

fn plan(dir: &Path, args: &[&str]) -> Value {
    serde_json::from_str(&succeed(dir, &[&["plan", "--json"], args].concat())).unwrap()
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no count"))
}

#[test]
fn a_plan_needs_no_daemon_account_network_or_list() {
    // S1-12, S1-13, S4-4, X-6, X-11: figures are counted.
    let dir = tempfile::tempdir().unwrap();
    let json = plan(dir.path(), &[]);
    assert_eq!(json["list"]["generated"], true);
    assert!(json["prices"]["note"].as_str().unwrap().contains("generated sample, not a market's"));
    let plan_of = &json["plan"];
    assert_eq!(plan_of["missing"], json!([]));
    let sockets = plan_of["sockets"].as_array().unwrap();
    let carried: u64 = sockets.iter().map(|s| count(&s["tier_b"]) + count(&s["tier_a"])).sum();
    assert_eq!(carried, count(&plan_of["total"]));
    let loads: BTreeSet<u64> = sockets.iter().map(|s| count(&s["tier_b"])).collect();
    assert!(loads.last().unwrap() - loads.first().unwrap() <= 1, "{loads:?}");
    let groups = plan_of["tier_b"]["groups"].as_array().unwrap();
    let legs: u64 = groups.iter().map(|g| count(&g["instruments"])).sum();
    assert_eq!(legs, count(&plan_of["tier_b"]["instruments"]), "no two groups of tier B share an instrument here");

    let text = succeed(dir.path(), &["plan", "--preset", "full-universe"]);
    for word in ["generated sample", "NIFTY 2026-02-10", "tier A, asked for by a start", "stock options", "missing: "] {
        assert!(text.contains(word), "{word} in\n{text}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "it leaves nothing behind");
}

#[test]
fn an_independent_count_of_the_recorded_list_agrees_with_the_plan() {
    let name = "an_independent_count_of_the_recorded_list_agrees_with_the_plan";
    let Some(data) = shared_data(name) else { return };
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("SKIPPED {name}: no python3");
        return;
    }
    let list = data.join(EXCERPT);
    let list = list.to_str().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let prices: Vec<String> = PRICES.iter().map(|(symbol, rupees)| format!("--price={symbol}={rupees}")).collect();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/official/plan_count.py");
    for preset in [None, Some("universe-s4")] {
        let mut args = vec!["--master", list, "--day", "2026-02-10"];
        args.extend(prices.iter().map(String::as_str));
        args.extend(preset.iter().flat_map(|preset| ["--preset", preset]));
        let json = plan(dir.path(), &args);
        let chains = &json["universe"]["tier_b"]["chains"];
        let mcx = &json["universe"]["tier_b"]["mcx_option_levels"];
        let wanted: BTreeMap<&str, Value> = PRICES
            .iter()
            .map(|(symbol, rupees)| {
                let levels = chains.get(symbol).unwrap_or(mcx);
                let price: f64 = rupees.parse().unwrap();
                (*symbol, json!({"price": price, "each": levels["levels_each_side"], "expiries": levels["expiries"]}))
            })
            .collect();
        let out = Command::new("python3").arg(&script).args([list, "2026-02-10", &json!(wanted).to_string()]).output();
        let out = out.unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let counted: Value = serde_json::from_slice(&out.stdout).unwrap();

        let tier_b = &json["plan"]["tier_b"];
        assert_eq!(tier_b["by_expiry"], counted, "{preset:?}");
        // Per socket and in all: every instrument once.
        let options: u64 =
            counted.as_object().unwrap().values().flat_map(|e| e.as_object().unwrap().values()).map(count).sum();
        let shares = tier_b["by_share"].as_object().unwrap();
        assert_eq!(count(&shares["index_options"]) + count(&shares["mcx_options"]), options, "{preset:?}");
        let others: u64 = shares.iter().filter(|(share, _)| !share.ends_with("_options")).map(|(_, n)| count(n)).sum();
        assert_eq!(count(&tier_b["instruments"]), options + others);
        let sockets = json["plan"]["sockets"].as_array().unwrap();
        assert_eq!(sockets.iter().map(|s| count(&s["tier_b"])).sum::<u64>(), options + others);
        println!("{preset:?}: {options} options and {others} others of tier B");
    }
}

#[test]
fn a_plan_without_a_price_says_so_and_a_wrong_price_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let Some(data) = shared_data("a_plan_without_a_price_says_so_and_a_wrong_price_is_refused") else { return };
    let list = data.join(EXCERPT);
    let json = plan(dir.path(), &["--master", list.to_str().unwrap(), "--day", "2026-02-10", "--price", "NIFTY=25935"]);
    let missing = json["plan"]["missing"].to_string();
    assert!(missing.contains("BANKNIFTY 2026-02-24: there is no price, so there are no strikes"), "{missing}");
    assert!(!missing.contains("\"NIFTY 2026"));
    for wrong in ["NIFTY", "NIFTY=-1", "NIFTY=0", "NIFTY=1.234", "NIFTY=NaN"] {
        scalper(dir.path()).args(["plan", "--price", wrong]).assert().code(2);
    }
    fs::write(dir.path().join("p.csv"), "symbol,price\nNIFTY,25900\nNIFTY,25901\n").unwrap();
    let out = scalper(dir.path()).args(["plan", "--prices", "p.csv"]).assert().code(3);
    assert!(String::from_utf8_lossy(&out.get_output().stderr).contains("p.csv, row 2: NIFTY stands here twice"));
    scalper(dir.path()).args(["plan", "--preset", "no-such"]).assert().code(4);
    fs::write(dir.path().join("c.yml"), "universe: {tier_b: {chains: {NIFTY: {expiries: 99}}}}\n").unwrap();
    let out = scalper(dir.path()).args(["plan", "--config", "c.yml"]).assert().code(4);
    let text = String::from_utf8_lossy(&out.get_output().stderr).into_owned();
    assert!(text.contains("universe.tier_b.chains.NIFTY.expiries") && text.contains("c.yml"), "{text}");
}

/// `instruments sync` of a file as of the sample's day.
fn sync<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [&["instruments", "sync", "--from"], args, &["--day", "2026-02-10"]].concat()
}

#[test]
fn a_list_is_synced_searched_shown_and_a_broken_one_refused() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let sample = scalper::market::sample::Sample::new(7, scalper::market::sample::Size::SAMPLE).compact();
    fs::write(at.join("new.csv"), &sample).unwrap();
    scalper(at).args(["instruments", "search", "nifty"]).assert().code(1);
    let day = ["--day", "2026-02-10"];
    let text = succeed(at, &sync(&["new.csv"]));
    assert!(text.contains("0 broken, 0 ambiguous") && text.contains("BLAKE3 "), "{text}");
    assert!(at.join("data/instruments/archive/2026-02-10-compact.csv.zst").is_file());

    let ask = |args: &[&str]| -> Value {
        serde_json::from_str(&succeed(at, &[&["instruments", "--json"], args, &day].concat())).unwrap()
    };
    let found = ask(&["search", "nifty", "25900", "put", "--limit", "3"]);
    assert_eq!(found[0]["symbol"], "NIFTY-Feb2026-25900-PE");
    assert_eq!((&found[0]["freeze_units"], &found[0]["tick_rupees"]), (&json!(1800), &json!("0.05")));
    let id = found[0]["security_id"].to_string();
    assert_eq!(ask(&["show", "NSE_FNO", &id])[0], found[0]);
    let expiries = ask(&["expiries", "nifty"]);
    assert_eq!(
        (&expiries[0]["expiry"], &expiries[0]["step_in_the_middle_paise"]),
        (&json!("2026-02-10"), &json!(5000))
    );
    let out = scalper(at).args(["instruments", "show", "NIFTI", "--sample"]).assert().code(3);
    assert!(!String::from_utf8_lossy(&out.get_output().stderr).is_empty());

    let short: String = sample.lines().take(sample.lines().count() / 2).map(|line| format!("{line}\n")).collect();
    fs::write(at.join("short.csv"), short).unwrap();
    let out = scalper(at).args(sync(&["short.csv"])).assert().code(3);
    assert!(String::from_utf8_lossy(&out.get_output().stderr).contains("the last good list stays"));
    assert_eq!(ask(&["show", "NSE_FNO", &id])[0], found[0], "the old list answers");
    succeed(at, &sync(&["short.csv", "--accept-shrunk"]));
}
