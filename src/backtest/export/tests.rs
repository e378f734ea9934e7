use std::collections::BTreeMap;

use super::super::fixture::{assert_no_undefined_number, at, empty, realistic, wild};
use super::super::result::BarRecord;
use super::*;
use scalper_decide::domain::Underlying;

/// A spool that took what a result holds.
fn spooled(result: &BacktestResult, dir: &Path) -> Spool {
    let mut spool = Spool::new(dir).unwrap();
    result.decisions.iter().for_each(|d| spool.decision(d).unwrap());
    spool.bars(&result.bars).unwrap();
    spool
}

fn exported(result: &BacktestResult) -> BTreeMap<String, String> {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("out/run");
    export(result, spooled(result, &target), &target).unwrap();
    fs::read_dir(&target)
        .unwrap()
        .map(|e| e.unwrap())
        .map(|e| (e.file_name().into_string().unwrap(), fs::read_to_string(e.path()).unwrap()))
        .collect()
}

fn rows(text: &str) -> Vec<csv::StringRecord> {
    csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes()).records().map(|r| r.unwrap()).collect()
}

#[test]
fn bars_csv_has_exactly_the_agreed_columns_and_full_precision() {
    let mut r = empty();
    r.bars = vec![
        BarRecord {
            start: at(12, 9, 15),
            underlying: Underlying::Nifty,
            timeframe: "5m",
            open: 25_657.45,
            high: 0.1 + 0.2,
            low: 25_600.0,
            close: 25_640.05,
            atr: Some(12.345678901234567),
            supertrend: Some(25_601.25),
            direction: Some(1),
            plus_di: Some(30.0),
            minus_di: None,
            adx: Some(f64::NAN),
        },
        BarRecord { direction: Some(-1), ..bare(at(12, 9, 20)) },
    ];
    let files = exported(&r);
    assert_eq!(
        files["bars.csv"],
        "ts,index,timeframe,open,high,low,close,atr,supertrend,direction,plus_di,minus_di,adx\n\
         2026-01-12T09:15:00+05:30,NIFTY,5m,25657.45,0.30000000000000004,25600,25640.05,12.345678901234567,25601.25,1,30,,\n\
         2026-01-12T09:20:00+05:30,NIFTY,5m,1,2,0.5,1.5,,,-1,,,\n"
    );
}

fn bare(start: scalper_decide::domain::Instant) -> BarRecord {
    BarRecord {
        start,
        underlying: Underlying::Nifty,
        timeframe: "5m",
        open: 1.0,
        high: 2.0,
        low: 0.5,
        close: 1.5,
        atr: None,
        supertrend: None,
        direction: None,
        plus_di: None,
        minus_di: None,
        adx: None,
    }
}

#[test]
fn every_record_is_a_row_under_its_header() {
    let r = realistic(1);
    let files = exported(&r);
    assert_eq!(files.len(), 5, "nothing but the five files is left: {:?}", files.keys());
    for (name, header, n) in [
        ("trades.csv", &TRADES_HEADER[..], r.trades.len()),
        ("orders.csv", &ORDERS_HEADER[..], r.orders.len()),
        ("fills.csv", &FILLS_HEADER[..], r.fills.len()),
        ("decisions.csv", &DECISIONS_HEADER[..], r.decisions.len()),
        ("bars.csv", &BARS_HEADER[..], r.bars.len()),
    ] {
        let rows = rows(&files[name]);
        assert_eq!(rows[0], *header, "{name}");
        assert_eq!(rows.len(), n + 1, "{name}");
    }
}

#[test]
fn a_trade_reads_back_to_its_paise_and_its_nanoseconds_cut_to_milliseconds() {
    let r = realistic(1);
    let files = exported(&r);
    let rows = rows(&files["trades.csv"]);
    let col = |name: &str| TRADES_HEADER.iter().position(|h| *h == name).unwrap();
    let paise = |text: &str| text.replace('.', "").parse::<i64>().unwrap();
    for (row, t) in rows[1..].iter().zip(&r.trades) {
        assert_eq!(paise(&row[col("net")]), t.net.paise());
        let heads: i64 =
            ["brokerage", "stt", "exchange", "sebi", "ipft", "stamp", "gst"].map(|h| paise(&row[col(h)])).iter().sum();
        assert_eq!(heads, paise(&row[col("charges")]));
        assert_eq!(paise(&row[col("gross")]) - heads, paise(&row[col("net")]));
        assert_eq!(row[col("reason")], *t.reason.code());
        assert_eq!(row[col("index_at_entry")].parse::<f64>().unwrap(), t.index_at_entry);
        let exit = chrono::DateTime::parse_from_rfc3339(&row[col("exit_at")]).unwrap();
        assert_eq!(exit.timestamp_millis(), t.exit_at.nanos() / 1_000_000);
        assert!(row[col("exit_at")].ends_with("+05:30"));
    }
}

#[test]
fn texts_with_commas_quotes_and_new_lines_survive_and_nothing_undefined_is_written() {
    for seed in 0..100 {
        let r = wild(seed);
        let files = exported(&r);
        let back: Vec<String> = rows(&files["decisions.csv"]).iter().skip(1).map(|row| row[5].to_owned()).collect();
        let texts: Vec<String> = r.decisions.iter().map(|d| d.text.clone()).collect();
        assert_eq!(back, texts);
        files.values().for_each(|text| assert_no_undefined_number(text));
    }
}

#[test]
fn a_second_export_replaces_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let write = |result: BacktestResult| export(&result, spooled(&result, dir.path()), dir.path()).unwrap();
    write(realistic(1));
    let paths = write(empty());
    assert_eq!(paths.len(), 5);
    assert_eq!(fs::read_to_string(dir.path().join("trades.csv")).unwrap().lines().count(), 1);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 5);
}

#[test]
fn a_folder_that_cannot_be_made_is_named_and_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("occupied");
    fs::write(&file, "mine").unwrap();
    let spool = Spool::new(dir.path()).unwrap();
    let error = export(&empty(), spool, &file.join("sub")).unwrap_err().to_string();
    assert!(error.contains("cannot make the export folder") && error.contains("occupied"), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_spool_that_is_dropped_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let spool = spooled(&realistic(1), &dir.path().join("not/there/yet"));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "while it is filled");
    drop(spool);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
