//! Every command the documents show, through the real binary, on small inputs.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{csv_rows, import_bars, scalper, shared_data, succeed};

/// Two trading days of minutes of an index, drifting.
fn index_minutes() -> String {
    let mut csv = "ts,open,high,low,close\n".to_owned();
    for day in ["2026-01-12", "2026-01-13"] {
        for m in 0..375 {
            let (h, min, level) = (9 + (15 + m) / 60, (15 + m) % 60, 25_600 + (m * 7) % 40);
            writeln!(csv, "{day}T{h:02}:{min:02}:00+05:30,{level},{},{},{}", level + 6, level - 5, level + 2).unwrap();
        }
    }
    csv
}

/// The same minutes of a call and a put at the money.
fn option_minutes() -> String {
    let mut csv = "ts,expiry,strike,spot_open,spot_high,spot_low,spot_close,ce_open,ce_high,ce_low,ce_close,ce_volume,\
                   ce_oi,ce_iv,pe_open,pe_high,pe_low,pe_close,pe_volume,pe_oi,pe_iv\n"
        .to_owned();
    for row in index_minutes().lines().skip(1) {
        let (ts, spot) = row.split_once(',').unwrap();
        writeln!(csv, "{ts},2026-01-20,25600,{spot},150,156,145,152,1300,650000,12,148,153,144,149,1300,650000,12")
            .unwrap();
    }
    csv
}

/// A folder with the files the README speaks of.
fn readme_folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("nifty_1m.csv"), index_minutes()).unwrap();
    fs::write(dir.path().join("nifty_options.csv"), option_minutes()).unwrap();
    dir
}

/// The lines of the shell blocks of a document that start with `scalper `, words split at spaces.
fn commands(document: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(document)).unwrap();
    let mut inside = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            inside = !inside;
        } else if inside && line.starts_with("scalper ") {
            found.push(line.to_owned());
        }
    }
    found
}

fn run_line(dir: &Path, line: &str) -> String {
    let args: Vec<&str> = line.split_whitespace().skip(1).collect();
    succeed(dir, &args)
}

#[test]
fn the_commands_of_the_readme_work_in_the_order_they_stand_there() {
    let dir = readme_folder();
    let lines = commands("README.md");
    assert!(lines.len() >= 4, "the README shows commands: {lines:?}");
    for line in &lines {
        run_line(dir.path(), line);
    }
    let report = fs::read_to_string(dir.path().join("out/report.html")).unwrap();
    assert!(report.contains("<html") && !report.contains("src=\"http"), "one self-contained page");
    for file in ["trades.csv", "orders.csv", "fills.csv", "decisions.csv", "bars.csv"] {
        assert!(dir.path().join("out/csv").join(file).is_file(), "{file}");
    }
    let rows = csv_rows(&dir.path().join("out/csv/bars.csv"));
    assert!(!rows.is_empty());
    for row in rows {
        let ts = row["ts"].as_bytes();
        let form = "dddd-dd-ddTdd:dd:dd+05:30".as_bytes();
        let fits = |(t, f): (&u8, &u8)| if *f == b'd' { t.is_ascii_digit() } else { t == f };
        assert!(ts.len() == form.len() && ts.iter().zip(form).all(fits), "{}", row["ts"]);
    }
}

#[test]
fn the_commands_of_the_tapes_page_work() {
    let dir = readme_folder();
    let five: String = index_minutes()
        .lines()
        .enumerate()
        .filter(|(i, _)| *i == 0 || (i - 1) % 375 % 5 == 0)
        .map(|(_, l)| format!("{l}\n"))
        .collect();
    let gzip = |name: &str, text: &str| {
        let mut out = flate2::write::GzEncoder::new(
            fs::File::create(dir.path().join(name)).unwrap(),
            flate2::Compression::fast(),
        );
        std::io::Write::write_all(&mut out, text.as_bytes()).unwrap();
        out.finish().unwrap();
    };
    gzip("nifty_5m.csv.gz", &five);
    gzip("nifty_rolling_atm.csv.gz", &option_minutes());
    let lines = commands("docs/TAPES.md");
    assert!(lines.len() >= 3, "{lines:?}");
    for (n, line) in lines.iter().enumerate() {
        // The generic command reads what this program exports.
        if line.contains("--layout ticks") {
            let export = ["data", "export", "--format", "parquet", "--out", "whole.parquet", "TAPE", "2026-01-12"];
            succeed(dir.path(), &export);
            fs::copy(dir.path().join("TAPE/2026-01-12/instruments.csv"), dir.path().join("contracts.csv")).unwrap();
            let text = "timestamp,id,price,bid\n2026-01-13T09:15:01+05:30,13,25600.5,25600\n";
            fs::write(dir.path().join("ticks.csv"), text).unwrap();
            let line = line.replace("ticks.parquet", "ticks.csv").replace("TAPE", "GENERIC");
            run_line(dir.path(), &line);
            continue;
        }
        // A bar file and the spot of an option file disagree on one tape: each gets its own.
        run_line(dir.path(), &if n == 0 { line.replace("TAPE", "FIVE") } else { line.clone() });
    }
    assert!(succeed(dir.path(), &["data", "ls", "TAPE"]).contains("2026-01-12"));
    let json: Value = serde_json::from_str(&succeed(dir.path(), &["data", "ls", "--json", "FIVE"])).unwrap();
    assert_eq!(json["days"][0]["bar_secs"]["NIFTY"], 300, "{json}");
    succeed(dir.path(), &["data", "verify", "TAPE", "2026-01-12"]);
    let csv = succeed(dir.path(), &["data", "export", "TAPE", "2026-01-12"]);
    assert!(csv.lines().next().unwrap().contains("symbol"), "{}", csv.lines().next().unwrap());
    fs::write(dir.path().join("day.csv"), &csv).unwrap();
    let back =
        ["data", "import", "--layout", "ticks", "--instruments", "TAPE/2026-01-12/instruments.csv", "--tape", "BACK"];
    succeed(dir.path(), &[&back[..], &["day.csv"]].concat());
    assert_eq!(
        succeed(dir.path(), &["data", "export", "BACK", "2026-01-12"]),
        csv,
        "an exported day comes back as it was"
    );
}

#[test]
fn config_verbs_prove_show_and_describe_the_shipped_settings() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/algo.yml");
    let text = fs::read_to_string(&shipped).unwrap();
    assert!(text.lines().count() < 60, "the starter file stays under 60 lines");
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("config")).unwrap();
    fs::write(dir.path().join("config/algo.yml"), &text).unwrap();
    let named = succeed(dir.path(), &["config", "check", "config/algo.yml"]);
    assert_eq!(named, succeed(dir.path(), &["config", "check"]), "the file is found by itself");
    let show = succeed(dir.path(), &["config", "show", "config/algo.yml"]);
    assert!(show.contains("signals.primary_timeframe") && show.contains("config/algo.yml:"), "{show}");
    let json: Value = serde_json::from_str(&succeed(dir.path(), &["config", "show", "--json"])).unwrap();
    assert!(json.is_object());
    let out = scalper(dir.path()).args(["config", "show"]).env("SCALPER__RISK__STOP_PCT", "18").output().unwrap();
    let show = String::from_utf8(out.stdout).unwrap();
    assert!(
        show.lines().any(|l| l.contains("risk.stop_pct") && l.contains("18") && l.contains("SCALPER__RISK__STOP_PCT")),
        "{show}"
    );
    let schema: Value = serde_json::from_str(&succeed(dir.path(), &["config", "schema"])).unwrap();
    for section in ["indices", "signals", "chain", "capital", "entry_guard", "risk", "orders", "tables"] {
        assert!(schema["properties"][section].is_object(), "{section}");
    }
    for preset in
        ["production", "spec-original", "epic-g", "conservative", "balanced", "aggressive", "atm-only", "demo"]
    {
        succeed(dir.path(), &["config", "check", "--preset", preset]);
    }
    // Without any file the built-in settings apply.
    let empty = tempfile::tempdir().unwrap();
    succeed(empty.path(), &["config", "check"]);
}

#[test]
fn every_verb_has_help_and_the_version_names_the_code() {
    let dir = tempfile::tempdir().unwrap();
    for verb in ["demo", "backtest", "data", "data import", "data ls", "data verify", "data export", "config", "greeks"]
    {
        let args: Vec<&str> = verb.split(' ').chain(["--help"]).collect();
        assert!(succeed(dir.path(), &args).contains("Usage: scalper"), "{verb}");
    }
    assert!(succeed(dir.path(), &["--version"]).contains("scalper 0.1.0+"));
}

#[test]
fn a_replay_prints_one_json_object_with_the_digest_on_top() {
    let dir = readme_folder();
    let import = import_bars("1m", "nifty_1m.csv");
    succeed(dir.path(), &import);
    let run = |extra: &[&str]| -> Value {
        let args = [&["backtest", "--tape", "tape", "--json"], extra].concat();
        serde_json::from_str(&succeed(dir.path(), &args)).expect("one JSON object and nothing else")
    };
    let (a, b) = (run(&[]), run(&[]));
    let digest = a["digest"].as_str().expect("a top-level digest");
    assert!(digest.len() == 64 && digest.bytes().all(|c| c.is_ascii_hexdigit()), "{digest}");
    assert_eq!(a, b, "same inputs, same object");
    assert_eq!(a["meta"]["days"], 2);
    assert_eq!(run(&["--days", "2026-01-13"])["meta"]["first_day"], "2026-01-13");
    let models: Vec<&str> = a["fill_models"].as_array().unwrap().iter().map(|m| m["model"].as_str().unwrap()).collect();
    assert_eq!(models, ["optimistic", "base", "pessimistic", "stressed"]);
    assert_eq!(run(&["--fill-model", "stressed"])["meta"]["headline"]["fill_model"], "stressed");
    assert_eq!(run(&["--balance", "250000"])["meta"]["opening_balance"], 250_000.0);
}

/// Writes `cases` and runs the verb; the answers by case id.
fn greeks(dir: &Path, cases: &str) -> Vec<std::collections::BTreeMap<String, String>> {
    fs::write(dir.join("cases.csv"), cases).unwrap();
    succeed(dir, &["greeks", "--in", "cases.csv", "--out", "answers.csv"]);
    let header = fs::read_to_string(dir.join("answers.csv")).unwrap();
    assert_eq!(header.lines().next(), Some("case_id,price,delta,gamma,vega,theta,rho,iv,status"));
    csv_rows(&dir.join("answers.csv"))
}

#[test]
fn greeks_answers_both_models_from_volatility_and_from_price() {
    let dir = tempfile::tempdir().unwrap();
    let header = "case_id,model,flag,spot_or_forward,strike,t_years,rate,q,sigma,price";
    let cases = "s1,bsm,CE,100,100,1,0.05,0,0.2,\ns2,b76,PE,100,100,1,0.05,0,0.2,\nbad,bsm,CE,100,50,1,0,0,,10\n";
    let rows = greeks(dir.path(), &format!("{header}\n{cases}"));
    let number = |row: usize, column: &str| rows[row][column].parse::<f64>().unwrap();
    // Hull, Options, Futures, and Other Derivatives: c = 10.4506 for these figures.
    assert!((number(0, "price") - 10.450_583_572_185_565).abs() < 1e-9);
    // e^(-rT) (F N(-d2)...) with F = K: both sides cost e^(-0.05) x 100 x (2 N(0.1) - 1).
    assert!((number(1, "price") - 7.577_082_146_427_279).abs() < 1e-7, "{}", number(1, "price"));
    assert!(rows[2]["price"].is_empty() && rows[2]["status"] != "ok", "{:?}", rows[2]);
    let back = format!(
        "{header}\np1,bsm,CE,100,100,1,0.05,0,,{}\np2,b76,PE,100,100,1,0.05,0,,{}\n",
        rows[0]["price"], rows[1]["price"]
    );
    for row in greeks(dir.path(), &back) {
        assert_eq!(row["status"], "ok");
        assert!((row["iv"].parse::<f64>().unwrap() - 0.2).abs() < 1e-9, "{row:?}");
    }
}

fn near(ours: &str, theirs: &str, what: &str) {
    let (a, b): (f64, f64) = (ours.parse().unwrap_or_else(|_| panic!("{what}: {ours:?}")), theirs.parse().unwrap());
    assert!((a - b).abs() <= 1e-8 + 1e-9 * b.abs(), "{what}: {a} for {b}");
}

#[test]
fn greeks_agree_with_the_reference_prices_of_both_models() {
    let Some(data) = shared_data("greeks_agree_with_the_reference_prices_of_both_models") else { return };
    let wanted = csv_rows(&data.join("reference/options/bs_black76_price_greeks.csv.gz"));
    let mut cases = "case_id,model,flag,spot_or_forward,strike,t_years,rate,q,sigma\n".to_owned();
    for w in &wanted {
        let column = |name: &str| w[name].as_str();
        let fields = ["case_id", "model", "flag", "S_or_F", "strike", "t_years", "r", "q", "sigma"].map(column);
        writeln!(cases, "{}", fields.join(",")).unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let rows = greeks(dir.path(), &cases);
    assert!(rows.len() == wanted.len() && rows.len() > 100);
    for (row, want) in rows.iter().zip(&wanted) {
        assert_eq!((&row["case_id"], row["status"].as_str()), (&want["case_id"], "ok"));
        for (ours, theirs) in [
            ("price", "price"),
            ("delta", "delta"),
            ("gamma", "gamma"),
            ("vega", "vega_1"),
            ("theta", "theta_year"),
            ("rho", "rho_1"),
            ("iv", "sigma"),
        ] {
            near(&row[ours], &want[theirs], &format!("case {} {ours}", row["case_id"]));
        }
    }
}

#[test]
fn implied_volatilities_agree_with_the_reference_and_impossible_prices_are_refused() {
    let Some(data) = shared_data("implied_volatilities_agree_with_the_reference_and_impossible_prices_are_refused")
    else {
        return;
    };
    let wanted = csv_rows(&data.join("reference/options/implied_vol.csv.gz"));
    let header = "case_id,model,flag,spot_or_forward,strike,t_years,rate,q,sigma,price\n";
    // A row whose time or price is not above zero is a fault of the file or a typed refusal, never a figure.
    let (mut cases, mut asked) = (header.to_owned(), Vec::new());
    for w in wanted.iter().filter(|w| !matches!(w["status"].as_str(), "expired" | "nonpositive_price")) {
        let column = |name: &str| w[name].as_str();
        let fields = ["case_id", "flag", "S", "strike", "t_years", "r", "q", "price"].map(column);
        let [id, flag, spot, strike, t, r, q, price] = fields;
        writeln!(cases, "{id},bsm,{flag},{spot},{strike},{t},{r},{q},,{price}").unwrap();
        asked.push(w);
    }
    let dir = tempfile::tempdir().unwrap();
    let rows = greeks(dir.path(), &cases);
    assert!(rows.len() == asked.len() && rows.len() > 100);
    let mut again = header.to_owned();
    let mut prices = Vec::new();
    for (row, want) in rows.iter().zip(&asked) {
        if row["status"] != "ok" {
            assert!(row["iv"].is_empty(), "{row:?}");
            let iv = want["iv"].parse::<f64>().unwrap_or(f64::INFINITY);
            assert!(want["status"] != "ok" || iv > 5.0, "{row:?} for {want:?}");
            continue;
        }
        assert_eq!(want["status"], "ok", "{row:?} for {want:?}");
        let column = |name: &str| want[name].as_str();
        let [flag, spot, strike, t, r, q] = ["flag", "S", "strike", "t_years", "r", "q"].map(column);
        writeln!(again, "{},bsm,{flag},{spot},{strike},{t},{r},{q},{},", row["case_id"], row["iv"]).unwrap();
        prices.push((row, *want));
    }
    for (row, (answer, want)) in greeks(dir.path(), &again).iter().zip(prices) {
        let number = |text: &str| text.parse::<f64>().ok();
        let repriced = (number(&row["price"]).unwrap() - number(&want["price"]).unwrap()).abs() <= 1e-6;
        let iv = number(&answer["iv"]).unwrap();
        let low = number(&want["iv_for_price_minus_half_tick"]).unwrap_or(0.0);
        let high = number(&want["iv_for_price_plus_half_tick"]).unwrap_or(f64::INFINITY);
        assert!(repriced || (low..=high).contains(&iv), "case {}: iv {iv}", row["case_id"]);
    }
}
