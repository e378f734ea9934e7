//! The table of bad input through the real binary: exit code, the words that help, and nothing written (issue 2,
//! acceptance "Bad input table"; exit codes of docs/CLI.md).

use std::fs;
use std::path::Path;

use scalper::tape::Tape;
use scalper_decide::domain::{InstrumentId, Tick};

use crate::support::{import_bars, scalper, succeed, tree};

const USAGE: i32 = 2;
const DATA: i32 = 3;
const CONFIG: i32 = 4;

const BARS: &str =
    "ts,open,high,low,close\n2026-01-12T09:15:00+05:30,100,110,90,105\n2026-01-12T09:20:00+05:30,105,110,90,100\n";
const INSTRUMENTS: &str = "id,symbol,kind,underlying_id,strike,expiry,lot,tick_size\n13,NIFTY,INDEX,,,,,\n";

/// Runs in `dir`; the run must end with `code`, say every one of `words`, and leave every file as it was.
fn refused(dir: &Path, args: &[&str], code: i32, words: &[&str]) {
    let before = tree(dir);
    let out = scalper(dir).args(args).output().expect("the binary runs");
    let said = String::from_utf8(out.stderr).expect("UTF-8");
    assert_eq!(out.status.code(), Some(code), "{args:?}\n{said}");
    assert!(out.stdout.is_empty(), "{args:?} printed: {}", String::from_utf8_lossy(&out.stdout));
    for word in words {
        assert!(said.contains(word), "{args:?} does not say {word:?}:\n{said}");
    }
    assert!(!said.contains("panicked"), "{args:?}\n{said}");
    let after = tree(dir);
    let changed: Vec<_> =
        after.iter().filter(|(path, bytes)| before.get(*path) != Some(bytes)).map(|(p, _)| p).collect();
    assert!(changed.is_empty() && after.len() == before.len(), "{args:?} wrote {changed:?}");
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// A folder with the good file `bars.csv` and a tape `tape` made of it.
fn with_tape() -> tempfile::TempDir {
    let dir = folder();
    fs::write(dir.path().join("bars.csv"), BARS).unwrap();
    succeed(dir.path(), &import_bars("5m", "bars.csv"));
    dir
}

/// Every place a replay writes to, so that `refused` sees when one of them is touched.
const OUTPUTS: [&str; 4] = ["--report", "r.html", "--export", "ex"];

fn replay<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [&["backtest"], &OUTPUTS[..], args].concat()
}

#[test]
fn folders_that_are_no_tape_are_refused() {
    let dir = folder();
    fs::create_dir(dir.path().join("empty")).unwrap();
    fs::create_dir(dir.path().join("other")).unwrap();
    fs::write(dir.path().join("other/notes.txt"), "hello").unwrap();
    fs::write(dir.path().join("file"), "hello").unwrap();
    fs::create_dir_all(dir.path().join("half/2026-01-12")).unwrap();
    for (tape, words) in [
        ("empty", ["empty: not a tape", "YYYY-MM-DD"]),
        ("other", ["other: not a tape", "YYYY-MM-DD"]),
        ("absent", ["absent: not a tape", "does not exist"]),
        ("file", ["file", "not a"]),
        ("half", ["half/2026-01-12", "day.json"]),
    ] {
        refused(dir.path(), &replay(&["--tape", tape]), DATA, &words);
        refused(dir.path(), &["data", "verify", tape], DATA, &words);
        refused(dir.path(), &["data", "ls", tape], DATA, &words);
    }
}

#[test]
fn damaged_tapes_are_refused_with_the_file_and_what_is_wrong() {
    let dir = with_tape();
    let ticks = dir.path().join("tape/2026-01-12/ticks.parquet");
    let good = fs::read(&ticks).unwrap();

    fs::write(&ticks, &good[..300]).unwrap();
    let words = ["tape/2026-01-12/ticks.parquet", "300 bytes where day.json says", "truncated"];
    refused(dir.path(), &replay(&["--tape", "tape"]), DATA, &words);
    refused(dir.path(), &["data", "verify", "tape"], DATA, &words);

    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 0xff;
    fs::write(&ticks, &flipped).unwrap();
    refused(dir.path(), &["data", "verify", "tape"], DATA, &["ticks.parquet", "checksum is", "was changed"]);

    fs::write(&ticks, &good).unwrap();
    succeed(dir.path(), &["data", "verify", "tape"]);
    fs::rename(dir.path().join("tape/2026-01-12"), dir.path().join("tape/2027-01-12")).unwrap();
    let words = ["tape/2027-01-12/day.json", "certifies 2026-01-12"];
    refused(dir.path(), &replay(&["--tape", "tape"]), DATA, &words);
}

/// The ticks of a one-day tape, `None` when they cannot be decoded.
fn decoded(tape: &Path) -> Option<Vec<Tick>> {
    let tape = Tape::open(tape).ok()?;
    let mut reader = tape.day(tape.days()[0]).ok()?.ticks(|_, _| Some(InstrumentId(0))).ok()?;
    let (mut all, mut batch) = (Vec::new(), Vec::new());
    while reader.next_batch(&mut batch).ok()? {
        all.append(&mut batch);
    }
    Some(all)
}

#[test]
fn a_replay_refuses_a_tape_in_which_one_byte_changed_although_it_still_decodes() {
    let dir = with_tape();
    let (tape, ticks) = (dir.path().join("tape"), dir.path().join("tape/2026-01-12/ticks.parquet"));
    let good = fs::read(&ticks).unwrap();
    let before = decoded(&tape).expect("the tape is good");
    let other_ticks = (0..good.len()).find(|at| {
        let mut flipped = good.clone();
        flipped[*at] ^= 1;
        fs::write(&ticks, &flipped).unwrap();
        decoded(&tape).is_some_and(|now| now.len() == before.len() && now != before)
    });
    let at = other_ticks.expect("some byte is a price");
    let words = ["tape/2026-01-12/ticks.parquet", "checksum is", "day.json says", "was changed after it was written"];
    refused(dir.path(), &replay(&["--tape", "tape"]), DATA, &words);

    fs::write(&ticks, &good).unwrap();
    succeed(dir.path(), &["backtest", "--tape", "tape"]);
    let listed = dir.path().join("tape/2026-01-12/instruments.csv");
    fs::write(&listed, fs::read_to_string(&listed).unwrap().replace(",NIFTY,index", ",NIFTI,index")).unwrap();
    let words = ["tape/2026-01-12/instruments.csv", "checksum is"];
    refused(dir.path(), &replay(&["--tape", "tape"]), DATA, &words);
    eprintln!("byte {at} of {} was flipped", good.len());
}

/// A tape whose certificate matches bytes that break the format's own rules: the reader must not trust the checksum.
#[test]
fn a_tick_file_that_is_no_parquet_is_refused_even_with_a_matching_certificate() {
    let dir = with_tape();
    let day = dir.path().join("tape/2026-01-12");
    let ticks = fs::read(day.join("ticks.parquet")).unwrap();
    let bad = vec![b'x'; ticks.len()];
    fs::write(day.join("ticks.parquet"), &bad).unwrap();
    let text = fs::read_to_string(day.join("day.json")).unwrap();
    let hash = |bytes: &[u8]| blake3::hash(bytes).to_hex().to_string();
    let forged = text.replace(&hash(&ticks), &hash(&bad));
    assert_ne!(text, forged);
    fs::write(day.join("day.json"), forged).unwrap();
    refused(dir.path(), &replay(&["--tape", "tape"]), DATA, &["ticks.parquet", "not a readable tick file"]);
}

#[test]
fn bad_rows_of_a_bar_file_are_refused_with_line_column_and_value() {
    for (row, code, words) in [
        ("2026-01-12T09:25:00+05:30,NaN,110,90,105", DATA, vec!["column `open`", "\"NaN\"", "finite"]),
        ("2026-01-12T09:25:00+05:30,100,110,-1,105", DATA, vec!["column `low`", "\"-1\"", "above zero"]),
        ("2026-01-12T09:25:00+05:30,100,110,90,0", DATA, vec!["column `close`", "\"0\"", "above zero"]),
        ("2026-01-12T09:25:00+05:30,100,95,90,99", DATA, vec!["column `high`", "\"95\"", "highest"]),
        ("2026-01-12T09:10:00+05:30,100,110,90,105", DATA, vec!["time goes backwards", "sort the file"]),
        ("2026-01-12T09:20:00+05:30,100,110,90,105", DATA, vec!["second bar at 2026-01-12T09:20:00+05:30"]),
        ("2026-01-12T09:27:00+05:30,100,110,90,105", DATA, vec!["not the start of a 5m bar"]),
        ("12-01-2026 9:25,100,110,90,105", DATA, vec!["column `ts`", "12-01-2026 9:25", "spreadsheet"]),
        ("46034.39,100,110,90,105", DATA, vec!["column `ts`", "46034.39", "spreadsheet"]),
        ("2026-01-12T09:25:00+05:30,100,110", DATA, vec!["3 cells", "header 5"]),
        ("2027-01-12T09:25:00+05:30,100,110,90,105", CONFIG, vec!["2027-01-12 is outside the session calendar"]),
    ] {
        let dir = folder();
        fs::write(dir.path().join("in.csv"), format!("{BARS}{row}\n")).unwrap();
        let args = import_bars("5m", "in.csv");
        refused(dir.path(), &args, code, &[&["in.csv:4:"], words.as_slice()].concat());
    }
    let dir = folder();
    fs::write(dir.path().join("in.csv"), BARS.replace("2026-", "2023-")).unwrap();
    let args = import_bars("5m", "in.csv");
    refused(dir.path(), &args, CONFIG, &["in.csv:2:", "2023-01-12 is outside the session calendar", "calendar.yml"]);
}

#[test]
fn a_bad_file_leaves_the_days_of_an_existing_tape_and_its_good_neighbours_alone() {
    let dir = with_tape();
    fs::write(dir.path().join("good.csv"), BARS.replace("01-12T", "01-13T")).unwrap();
    fs::write(dir.path().join("bad.csv"), BARS.replace("01-12T", "01-14T").replace("105\n", "x\n")).unwrap();
    refused(
        dir.path(),
        &[&import_bars("5m", "good.csv")[..], &["bad.csv"]].concat(),
        DATA,
        &["bad.csv:2:", "column `close`", "\"x\""],
    );
    fs::write(dir.path().join("other.csv"), BARS.replace("100,110", "101,110")).unwrap();
    let words = ["other.csv", "NIFTY", "2026-01-12"];
    refused(dir.path(), &import_bars("5m", "other.csv"), DATA, &words);
}

#[test]
fn bad_rows_of_generic_ticks_are_refused() {
    let good = "ts,id,price\n2026-01-12 09:15:00,13,25000\n";
    for (row, words) in [
        ("2026-01-12 09:15:01,99,25000", vec!["in.csv:3:", "unknown contract 99", "--instruments"]),
        ("2026-01-12 09:15:01,13,nan", vec!["in.csv:3:", "column `price`", "\"nan\""]),
        ("2026-01-12 09:15:01,13,-5", vec!["in.csv:3:", "column `price`", "\"-5\"", "above zero"]),
        ("2026-01-12 09:15:01,13,0", vec!["in.csv:3:", "column `price`", "above zero"]),
        ("12-01-2026 9:15,13,25000", vec!["in.csv:3:", "column `ts`", "spreadsheet"]),
        ("01/12/2026 09:15:01,13,25000", vec!["in.csv:3:", "column `ts`", "spreadsheet"]),
    ] {
        let dir = folder();
        fs::write(dir.path().join("ins.csv"), INSTRUMENTS).unwrap();
        fs::write(dir.path().join("in.csv"), format!("{good}{row}\n")).unwrap();
        let args = ["data", "import", "--layout", "ticks", "--instruments", "ins.csv", "--tape", "tape", "in.csv"];
        refused(dir.path(), &args, DATA, &words);
    }
    let dir = folder();
    fs::write(dir.path().join("ins.csv"), format!("{INSTRUMENTS}77,X,CE,13,25000,13-01-2026,65,0.05\n")).unwrap();
    fs::write(dir.path().join("in.csv"), good).unwrap();
    let args = ["data", "import", "--layout", "ticks", "--instruments", "ins.csv", "--tape", "tape", "in.csv"];
    refused(dir.path(), &args, DATA, &["ins.csv:3:", "expiry", "13-01-2026"]);
}

#[test]
fn a_packet_of_a_segment_that_is_not_traded_here_is_refused() {
    let dir = folder();
    let line = "{\"recv_ts\": \"2026-01-12 09:15:00\", \"hex\": \"0210000687c100000000c8420000000a\"}\n";
    fs::write(dir.path().join("in.jsonl"), line).unwrap();
    let args = ["data", "import", "--layout", "dhan-packets", "--tape", "tape", "in.jsonl"];
    refused(dir.path(), &args, DATA, &["in.jsonl:1:", "`segment`", "\"6\""]);
}

#[test]
fn wrong_arguments_are_usage_errors() {
    let dir = with_tape();
    fs::write(dir.path().join("file"), "").unwrap();
    for (args, words) in [
        (vec!["--tape", "tape", "--fill-model", "optimistic"], vec!["never the optimistic"]),
        (vec!["--tape", "tape", "--fill-model", "rosy"], vec!["rosy", "base, pessimistic or stressed"]),
        (vec!["--tape", "tape", "--index", "DAX"], vec!["DAX", "NIFTY, BANKNIFTY, SENSEX"]),
        (vec!["--tape", "tape", "--index", "BANKEX"], vec!["--index", "enabled"]),
        (vec!["--tape", "tape", "--days", "2026-01-13..2026-01-12"], vec!["--days", "2026-01-12..2026-01-13"]),
        (vec!["--tape", "tape", "--days", "12-01-2026"], vec!["--days", "like 2026-01-12", "12-01-2026"]),
        (vec!["--tape", "tape", "--days", "2026-02-30"], vec!["--days", "2026-02-30"]),
        (vec!["--tape", "tape", "--balance", "0"], vec!["--balance", "0"]),
        (vec!["--tape", "tape", "--balance", "-5"], vec!["--balance", "-5"]),
        (vec!["--tape", "tape", "--balance", "9999999999999999999"], vec!["--balance"]),
    ] {
        refused(dir.path(), &replay(&args), USAGE, &words);
    }
    for (place, word) in [
        (["--report", "file/report.html"], "file is a file, not a folder"),
        (["--export", "file/ex"], "file is a file, not a folder"),
        (["--export", "file"], "this is a file, not a folder"),
        (["--report", "tape"], "this is a folder, not a file"),
    ] {
        refused(dir.path(), &[&["backtest", "--tape", "tape"], &place[..]].concat(), USAGE, &[place[1], word]);
        let other = if place[0] == "--export" { ["--out", "r.html"] } else { ["--export", "ex"] };
        refused(dir.path(), &[&["demo", "--save-tape", "demo"], &place[..], &other].concat(), USAGE, &[place[1], word]);
    }
    refused(dir.path(), &["bactest"], USAGE, &["bactest", "backtest"]);
}

#[test]
fn days_the_tape_or_the_calendar_does_not_have_are_refused() {
    let dir = with_tape();
    let covers = ["2026-01-13..2026-01-14", "it covers 2026-01-12..2026-01-12"];
    refused(dir.path(), &replay(&["--tape", "tape", "--days", "2026-01-13..2026-01-14"]), DATA, &covers);
    let outside = ["2027-01-01 is outside the session calendar"];
    refused(dir.path(), &replay(&["--tape", "tape", "--days", "2026-01-12..2027-01-05"]), CONFIG, &outside);
    refused(dir.path(), &["data", "verify", "tape", "2026-01-13"], DATA, &["2026-01-13"]);
    refused(dir.path(), &["data", "export", "--out", "x.csv", "tape", "2026-01-13"], DATA, &["2026-01-13"]);
}

#[test]
fn a_day_missing_inside_the_range_is_named() {
    let dir = with_tape();
    let out = succeed(dir.path(), &["backtest", "--tape", "tape", "--days", "2026-01-12..2026-01-14", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    let notes = json["data"]["notes"].to_string();
    for day in ["2026-01-13", "2026-01-14"] {
        assert!(notes.contains(&format!("{day} is a trading day the tape does not hold")), "{notes}");
    }
}

#[test]
fn bad_settings_are_refused_with_file_line_key_and_value() {
    let dir = with_tape();
    for (yaml, words) in [
        ("risk:\n\tstop_pct: 20\n", vec!["bad.yml:2", "tab", "spaces"]),
        ("risk:\n  stop_pct: 20\n  stop_pct: 21\n", vec!["bad.yml:2", "risk.stop_pct", "twice"]),
        ("risk:\n  stop_pc: 20\n", vec!["bad.yml:2:3", "risk.stop_pc: unknown key", "did you mean `stop_pct`"]),
        ("riks:\n  stop_pct: 20\n", vec!["bad.yml:1", "riks: unknown key", "`risk`"]),
        ("risk:\n  stop_pct: abc\n", vec!["bad.yml:2:13", "risk.stop_pct", "number", "\"abc\""]),
        ("risk:\n  stop_pct: 500\n", vec!["bad.yml:2:13", "risk.stop_pct", "between 1 and 90", "500"]),
        ("risk:\n  stop_pct: -3\n", vec!["bad.yml:2:13", "risk.stop_pct", "-3"]),
        ("risk:\n  stop_pct: .nan\n", vec!["bad.yml:2:13", "risk.stop_pct", ".nan"]),
        ("risk:\n  stop_pct: .inf\n", vec!["bad.yml:2:13", "risk.stop_pct", ".inf"]),
        ("risk:\n  stop_pct:\n", vec!["bad.yml:2", "risk.stop_pct"]),
        ("indices:\n  NIFTY: {enabled: yes}\n", vec!["bad.yml:2", "indices.NIFTY.enabled", "true"]),
        ("indices:\n  DAX: {enabled: true}\n", vec!["bad.yml:2", "DAX"]),
        ("signals:\n  theta_cutoff: 14:30\n", vec!["bad.yml:2", "signals.theta_cutoff"]),
        ("preset: balnced\n", vec!["bad.yml:1:9", "balnced", "did you mean `balanced`"]),
        ("risk: [\n", vec!["bad.yml:2", "YAML"]),
    ] {
        fs::write(dir.path().join("bad.yml"), yaml).unwrap();
        refused(dir.path(), &["config", "check", "bad.yml"], CONFIG, &words);
        refused(dir.path(), &["config", "show", "bad.yml"], CONFIG, &words);
        refused(dir.path(), &replay(&["--tape", "tape", "--config", "bad.yml"]), CONFIG, &words);
        let demo = ["demo", "--config", "bad.yml", "--save-tape", "demo", "--out", "r.html"];
        refused(dir.path(), &demo, CONFIG, &words);
    }
    refused(dir.path(), &replay(&["--tape", "tape", "--config", "none.yml"]), CONFIG, &["none.yml"]);
    refused(dir.path(), &replay(&["--tape", "tape", "--preset", "balnced"]), CONFIG, &["balnced", "balanced"]);
}

#[test]
fn bad_settings_in_the_environment_are_refused_with_the_variable() {
    let dir = with_tape();
    for (name, value, word) in [
        ("SCALPER__RISK__STOP_PCT", "500", "between 1 and 90"),
        ("SCALPER__RISK__STOP_PC", "20", "unknown key"),
        ("SCALPER__RISK__STOP_PCT", "nan", "stop_pct"),
    ] {
        let out = scalper(dir.path())
            .args(["backtest", "--tape", "tape", "--export", "ex"])
            .env(name, value)
            .output()
            .unwrap();
        let said = String::from_utf8(out.stderr).unwrap();
        assert_eq!(out.status.code(), Some(CONFIG), "{said}");
        assert!(said.contains(name) && said.contains(word), "{said}");
        assert!(!dir.path().join("ex").exists());
    }
}

#[test]
fn bad_greeks_rows_are_refused_and_an_older_answer_file_stays() {
    let header = "case_id,model,flag,spot_or_forward,strike,t_years,rate,q,sigma";
    for (row, words) in [
        ("b,bsm,CE,100,x,0.1,0.05,0,0.2", vec!["column strike", "\"x\""]),
        ("b,bsm,CE,100,NaN,0.1,0.05,0,0.2", vec!["column strike", "\"NaN\""]),
        ("b,bsm,CE,-100,100,0.1,0.05,0,0.2", vec!["column spot_or_forward", "\"-100\""]),
        ("b,heston,CE,100,100,0.1,0.05,0,0.2", vec!["column model", "heston", "bsm"]),
        ("b,bsm,CALL,100,100,0.1,0.05,0,0.2", vec!["column flag", "CALL", "CE"]),
        ("b,bsm,CE,100,100,0.1,0.05,0,-0.2", vec!["column sigma", "-0.2"]),
        ("b,bsm,CE,100,100,0.1,0.05,0,", vec!["sigma or price"]),
        ("b,bsm,CE,100,100,0.1,0.05", vec!["7 fields where the header has 9"]),
    ] {
        let dir = folder();
        fs::write(dir.path().join("in.csv"), format!("{header}\na,bsm,CE,100,100,0.1,0.05,0,0.2\n{row}\n")).unwrap();
        let place = ["in.csv", "row 2 (line 3)"];
        refused(dir.path(), &["greeks", "--in", "in.csv", "--out", "out.csv"], DATA, &[&place[..], &words].concat());
        fs::write(dir.path().join("out.csv"), "older\n").unwrap();
        refused(dir.path(), &["greeks", "--in", "in.csv", "--out", "out.csv"], DATA, &place);
    }
    let dir = folder();
    refused(dir.path(), &["greeks", "--in", "none.csv", "--out", "out.csv"], DATA, &["none.csv"]);
    fs::write(dir.path().join("in.csv"), "case_id,model\na,bsm\n").unwrap();
    refused(dir.path(), &["greeks", "--in", "in.csv", "--out", "out.csv"], DATA, &["header lacks", "strike"]);
}
