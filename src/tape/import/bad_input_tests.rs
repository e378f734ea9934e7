//! The table of bad files: each is refused with place, column and value, and leaves the tape as it was.

use std::path::{Path, PathBuf};

use scalper_decide::domain::{TickFlags, Underlying};

use super::test_tables::context;
use super::{ImportError, ImportOptions, ImportReport, Layout, import, parse_interval};
use crate::tape::{ContractKey, Tape};

fn attempt(dir: &Path, layout: Layout, text: &str) -> Result<ImportReport, ImportError> {
    let options = ImportOptions {
        layout,
        index: Some(Underlying::Nifty),
        interval: Some(parse_interval("1m").unwrap()),
        ..ImportOptions::default()
    };
    with_options(dir, &options, text)
}

fn with_options(dir: &Path, options: &ImportOptions, text: &str) -> Result<ImportReport, ImportError> {
    let file = dir.join("in.csv");
    std::fs::write(&file, text).unwrap();
    import(&[file], &dir.join("tape"), options, &context())
}

fn refusal(layout: Layout, text: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let error = attempt(dir.path(), layout, text).unwrap_err().to_string();
    assert!(!dir.path().join("tape").exists(), "nothing is written: {text}");
    error
}

const BARS: &str = "ts,open,high,low,close,volume\n2026-01-12T09:15:00+05:30,100,110,90,105,5\n";

#[test]
fn bad_bars_are_refused_with_line_column_and_value() {
    for (row, needle) in [
        (
            "12-01-2026 9:15,100,110,90,105,5",
            "in.csv:3: column `ts`: \"12-01-2026 9:15\": looks like a spreadsheet rewrote it",
        ),
        ("1/12/2026 9:16,100,110,90,105,5", "in.csv:3: column `ts`: \"1/12/2026 9:16\": looks like a spreadsheet"),
        ("46034.386,100,110,90,105,5", "column `ts`: \"46034.386\": looks like a spreadsheet"),
        (",100,110,90,105,5", "column `ts`: \"\": the value is missing"),
        (
            "2026-01-12T09:16:00+05:30,2.57E+04,110,90,105,5",
            "column `open`: \"2.57E+04\": looks like a spreadsheet rounded it",
        ),
        ("2026-01-12T09:16:00+05:30,NaN,110,90,105,5", "in.csv:3: column `open`: \"NaN\": not a finite number"),
        ("2026-01-12T09:16:00+05:30,100,inf,90,105,5", "column `high`: \"inf\": not a finite number"),
        ("2026-01-12T09:16:00+05:30,100,110,0,105,5", "column `low`: \"0\": expected a price above zero"),
        ("2026-01-12T09:16:00+05:30,100,110,90,-105,5", "column `close`: \"-105\": expected a price above zero"),
        ("2026-01-12T09:16:00+05:30,100,110,90,,5", "column `close`: \"\": the value is missing"),
        ("2026-01-12T09:16:00+05:30,100,110,90,x,5", "column `close`: \"x\": expected a number"),
        ("2026-01-12T09:16:00+05:30,100,89,90,95,5", "column `high`: \"89\": high must be the highest"),
        ("2026-01-12T09:16:00+05:30,100,110,106,105,5", "column `low`: \"106\": high must be the highest"),
        ("2026-01-12T09:16:00+05:30,100,110,90,105,-5", "column `volume`: \"-5\": expected zero or more"),
        (
            "2026-01-12T09:14:00+05:30,100,110,90,105,5",
            "in.csv:3: time goes backwards: 2026-01-12T09:14:00+05:30 after 2026-01-12T09:15:00+05:30",
        ),
        ("2026-01-12T09:15:00+05:30,100,110,90,105,5", "in.csv:3: a second bar at 2026-01-12T09:15:00+05:30"),
        (
            "2026-01-12T09:16:30+05:30,100,110,90,105,5",
            "in.csv:3: 2026-01-12T09:16:30+05:30 is not the start of a 1m bar",
        ),
        ("2027-01-12T09:16:00+05:30,100,110,90,105,5", "in.csv:3: 2027-01-12 is outside the session calendar"),
        ("2026-01-12T09:16:00+05:30,100,110", "in.csv:3: the row has 3 cells, the header 6"),
    ] {
        let error = refusal(Layout::IndexBars, &format!("{BARS}{row}\n"));
        assert!(error.contains(needle), "{row}\n  {error}");
    }
}

#[test]
fn files_without_what_a_layout_needs_say_what_is_missing() {
    for (layout, text, needle) in [
        (Layout::IndexBars, "", "no rows"),
        (Layout::IndexBars, "ts,open,high,low,close\n", "no rows"),
        (
            Layout::IndexBars,
            "ts,open,high,low\n2026-01-12 09:15,1,1,1\n",
            "no column `close`; the file has ts, open, high, low",
        ),
        (Layout::Auto, "a,b\n1,2\n", "no known layout (the header is a,b)"),
        (Layout::Auto, "{\"a\": 1}", "no known layout (JSON of an unknown shape)"),
        (Layout::DhanChain, "{\"data\": ", "in.csv:1: EOF while parsing"),
        (Layout::UpstoxChain, "{}", "give --at"),
        (
            Layout::DhanIntraday,
            "{\"timestamp\": [1761277500], \"open\": [1, 2], \"high\": [1], \"low\": [1], \"close\": [1]}",
            "`open` has 2 values, `timestamp` 1",
        ),
        (
            Layout::DhanIntraday,
            "{\"timestamp\": [45000], \"open\": [1], \"high\": [1], \"low\": [1], \"close\": [1]}",
            "column `timestamp`: \"45000\": expected an epoch",
        ),
        (
            Layout::DhanIntraday,
            "{\"timestamp\": [1761277500], \"open\": [1], \"high\": [0.5], \"low\": [1], \"close\": [1]}",
            "in.csv:1: column `high`: \"0.5\": high must be",
        ),
        (
            Layout::DhanPackets,
            "{\"recv_ts\": \"2026-01-12 09:15:00\", \"hex\": \"08a\"}",
            "column `hex`: \"08a\": expected hexadecimal bytes",
        ),
        (
            Layout::DhanPackets,
            "{\"recv_ts\": \"2026-01-12 09:15:00\", \"hex\": \"0210000687c100000000c8420000000a\"}",
            "column `segment`: \"6\": expected an exchange segment",
        ),
        (
            Layout::DhanPackets,
            "{\"recv_ts\": \"2026-01-12 09:15:00\", \"hex\": \"0210000287c100000000c07f0000000a\"}",
            "unknown contract NSE_FNO 49543",
        ),
        (Layout::Ticks, "ts,volume\n2026-01-12 09:15:00,5\n", "no column `ltp` or `price` or `last_price`"),
        (Layout::Ticks, "price\n5\n", "no column `ts`"),
        (
            Layout::Ticks,
            "ts,price\n2026-01-12 09:15:00,0\n",
            "in.csv:2: column `price`: \"0\": expected a price above zero",
        ),
        (Layout::Ticks, "ts,price\n2026-01-12 09:15:00,nan\n", "column `price`: \"nan\": not a finite number"),
        (Layout::Ticks, "ts,price\n12-01-2026 9:15,5\n", "column `ts`: \"12-01-2026 9:15\": looks like a spreadsheet"),
        (Layout::Ticks, "ts,id,price\n2026-01-12 09:15:00,77,5\n", "in.csv:2: unknown contract 77"),
        (Layout::Ticks, "PAR1 but not really", "in.csv: Parquet error"),
    ] {
        let error = refusal(layout, text);
        assert!(error.contains(needle), "{text}\n  {error}");
    }
}

const ROLLING: &str = "ts,expiry,strike,ce_open,ce_high,ce_low,ce_close,ce_volume,ce_oi,pe_open,pe_high,pe_low,pe_close,pe_volume,pe_oi\n";

#[test]
fn option_rows_need_terms_from_the_tables_and_a_living_contract() {
    let prices = "138,138,88,88.1,10,20,54,74.9,54,74.6,10,20";
    for (row, needle) in [
        (
            format!("2026-01-12T09:15:00+05:30,2031-01-14,25650,{prices}"),
            "in.csv:2: lot of NIFTY for 2031-01-14 is not in contracts.yml",
        ),
        (
            format!("2026-01-12T09:15:00+05:30,2026-01-06,25650,{prices}"),
            "in.csv:2: column `expiry`: \"2026-01-06\": the contract expired",
        ),
        (
            format!("2026-01-12T09:15:00+05:30,13-01-2026,25650,{prices}"),
            "column `expiry`: \"13-01-2026\": expected a date",
        ),
        (
            format!("2026-01-12T09:15:00+05:30,2026-01-13,2.57E+04,{prices}"),
            "column `strike`: \"2.57E+04\": expected a strike",
        ),
        (
            format!("2026-01-12T09:15:00+05:30,2026-01-13,25651,{prices}"),
            "column `contract`: \"NIFTY 2026-01-13 25651 CE\"",
        ),
        (
            format!("2026-01-12T09:15:00+05:30,2026-01-13,25650,{}", prices.replace("88.1", "NaN")),
            "column `ce_close`: \"NaN\"",
        ),
    ] {
        let error = refusal(Layout::RollingOptions, &format!("{ROLLING}{row}\n"));
        assert!(error.contains(needle), "{row}\n  {error}");
    }
}

#[test]
fn an_unknown_index_lists_the_known_ones() {
    let header = "collected_at,nse_ts,underlying,expiry,strike,ce_ltp,ce_bid,ce_bid_qty,ce_ask,ce_ask_qty,ce_oi,ce_volume,pe_ltp,pe_bid,pe_bid_qty,pe_ask,pe_ask_qty,pe_oi,pe_volume\n";
    let row = "2026-01-12 09:15:00,2026-01-12 09:15:00,NIFTYNXT50,2026-01-13,25650,1,1,1,1,1,1,1,1,1,1,1,1,1,1\n";
    let error = refusal(Layout::NseChain, &format!("{header}{row}"));
    assert!(error.contains("in.csv:2: unknown index \"NIFTYNXT50\"; known are NIFTY, BANKNIFTY"), "{error}");
}

#[test]
fn a_wrong_interval_is_noticed() {
    let minutes: String = (15..25).map(|m| format!("2026-01-12T09:{m}:00+05:30,100,110,90,105,5\n")).collect();
    let fives: String = (0..8).map(|n| format!("2026-01-12T10:{:02}:00+05:30,100,110,90,105,5\n", 5 * n)).collect();
    let dir = tempfile::tempdir().unwrap();
    let options = |interval| ImportOptions {
        index: Some(Underlying::Nifty),
        interval: Some(parse_interval(interval).unwrap()),
        ..ImportOptions::default()
    };
    let header = "ts,open,high,low,close,volume\n";
    let error = with_options(dir.path(), &options("5m"), &format!("{header}{minutes}")).unwrap_err();
    assert!(matches!(error, ImportError::OffGrid { .. }), "{error}");
    let error = with_options(dir.path(), &options("1m"), &format!("{header}{fives}")).unwrap_err().to_string();
    assert!(error.contains("--interval 1m does not fit: the bars are 5m apart"), "{error}");
}

#[test]
fn a_failed_import_leaves_an_existing_tape_untouched() {
    let dir = tempfile::tempdir().unwrap();
    attempt(dir.path(), Layout::IndexBars, BARS).unwrap();
    let tape = dir.path().join("tape");
    let hash = Tape::open(&tape).unwrap().hash();
    let other = BARS.replace("105,5", "106,5");
    let error = attempt(dir.path(), Layout::IndexBars, &other).unwrap_err();
    assert!(matches!(&error, ImportError::Overlap { contract, .. } if contract == "NIFTY"), "{error}");
    let error = attempt(dir.path(), Layout::IndexBars, &format!("{other}x\n")).unwrap_err();
    assert!(matches!(error, ImportError::Unreadable { .. }), "{error}");
    assert_eq!(Tape::open(&tape).unwrap().hash(), hash);
    let left: Vec<PathBuf> = std::fs::read_dir(&tape).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(left, [tape.join("2026-01-12")]);
    let options = ImportOptions {
        layout: Layout::IndexBars,
        index: Some(Underlying::Nifty),
        interval: Some(parse_interval("1m").unwrap()),
        replace: true,
        ..ImportOptions::default()
    };
    with_options(dir.path(), &options, &other).unwrap();
    assert_ne!(Tape::open(&tape).unwrap().hash(), hash);
}

#[test]
fn minutes_that_continue_a_day_are_added_to_it() {
    let dir = tempfile::tempdir().unwrap();
    attempt(dir.path(), Layout::IndexBars, BARS).unwrap();
    let later = BARS.replace("09:15", "09:16");
    let report = attempt(dir.path(), Layout::IndexBars, &later).unwrap();
    assert_eq!((report.days[0].added, report.days[0].counts.ticks), (4, 8));
}

#[test]
fn parquet_from_other_tools_is_read_by_column_name_and_logical_time() {
    // The generic layout on a Parquet file with float prices, a NaN and a timestamp column in milliseconds.
    use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
    use parquet::data_type::{DoubleType, Int64Type};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::types::Type;
    use std::sync::Arc;

    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, prices: &[f64], utc: bool, compression| {
        let column = |name: &str, physical, logical| {
            Arc::new(
                Type::primitive_type_builder(name, physical)
                    .with_repetition(Repetition::REQUIRED)
                    .with_logical_type(logical)
                    .build()
                    .unwrap(),
            )
        };
        let fields = vec![
            column("time", Physical::INT64, Some(LogicalType::timestamp(utc, TimeUnit::MILLIS))),
            column("ltp", Physical::DOUBLE, None),
        ];
        let schema = Arc::new(Type::group_type_builder("row").with_fields(fields).build().unwrap());
        let path = dir.path().join(name);
        let properties = Arc::new(WriterProperties::builder().set_compression(compression).build());
        let file = std::fs::File::create(&path).unwrap();
        let mut writer = SerializedFileWriter::new(file, schema, properties).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let start = 1_768_189_500_000 + if utc { 0 } else { 19_800_000 };
        let times: Vec<i64> = (0..prices.len() as i64).map(|n| start + 250 * n).collect();
        let mut c = group.next_column().unwrap().unwrap();
        c.typed::<Int64Type>().write_batch(&times, None, None).unwrap();
        c.close().unwrap();
        let mut c = group.next_column().unwrap().unwrap();
        c.typed::<DoubleType>().write_batch(prices, None, None).unwrap();
        c.close().unwrap();
        group.close().unwrap();
        writer.close().unwrap();
        path
    };
    let options = ImportOptions { index: Some(Underlying::Nifty), ..ImportOptions::default() };
    let mut hashes = Vec::new();
    for (name, utc, compression) in [
        ("utc.parquet", true, Compression::SNAPPY),
        ("naive.parquet", false, Compression::UNCOMPRESSED),
        ("gzip.parquet", true, Compression::GZIP(Default::default())),
    ] {
        let file = write(name, &[25_669.05, 25_669.099_609_375], utc, compression);
        let report = import(&[file], &dir.path().join(name.replace(".parquet", "")), &options, &context()).unwrap();
        assert_eq!(report.days[0].counts.ticks, 2, "{name}");
        hashes.push(report.days[0].hash.clone());
    }
    assert!(hashes.iter().all(|h| *h == hashes[0]), "a naive time is IST");
    let file = write("nan.parquet", &[25_669.05, f64::NAN], true, Compression::SNAPPY);
    let error =
        import(std::slice::from_ref(&file), &dir.path().join("t"), &options, &context()).unwrap_err().to_string();
    assert!(error.contains("nan.parquet:2: column `ltp`: \"NaN\": not a finite number"), "{error}");
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() - 20]).unwrap();
    let error = import(&[file], &dir.path().join("t"), &options, &context()).unwrap_err().to_string();
    assert!(error.contains("nan.parquet: "), "{error}");
    assert!(!dir.path().join("t").exists());
}

#[test]
fn a_bad_map_says_which_fields_exist() {
    let dir = tempfile::tempdir().unwrap();
    let mut options =
        ImportOptions { layout: Layout::Ticks, index: Some(Underlying::Nifty), ..ImportOptions::default() };
    let text = "when,price\n2026-01-12 09:15:00,5\n";
    for (ours, theirs, needle) in [
        ("prize", "price", "\"prize\" is no field; fields are ts, receive_ts, ltp"),
        ("ts", "time", "the file has no column \"time\"; it has when, price"),
    ] {
        options.map = vec![(ours.to_owned(), theirs.to_owned())];
        let error = with_options(dir.path(), &options, text).unwrap_err().to_string();
        assert!(error.contains(needle), "{error}");
    }
}

#[test]
fn ticks_before_the_open_and_late_ticks_are_kept_and_tagged() {
    let dir = tempfile::tempdir().unwrap();
    let options = ImportOptions { layout: Layout::Ticks, index: Some(Underlying::Nifty), ..ImportOptions::default() };
    let text = "ts,price\n2026-01-12 09:08:00,100\n2026-01-12 09:15:02,101\n2026-01-12 09:15:01,102\n2026-01-12 15:30:00,103\n";
    let report = with_options(dir.path(), &options, text).unwrap();
    let counts = &report.days[0].counts;
    assert_eq!((counts.ticks, counts.decidable), (4, 1));
    assert_eq!((counts.flag(TickFlags::OUT_OF_SESSION), counts.flag(TickFlags::OUT_OF_ORDER)), (2, 1));
}

#[test]
fn the_index_goes_quiet_before_the_options_do() {
    // Design decision 15: from 2026-08-03 spot is continuous to 15:15, options to 15:40.
    let dir = tempfile::tempdir().unwrap();
    let minute = |day: &str, clock: &str| format!("{day} {clock}:00,100,110,90,105,5\n");
    let rows = ["15:14", "15:15", "15:16"].map(|clock| minute("2026-08-03", clock)).concat();
    let report = attempt(dir.path(), Layout::IndexBars, &format!("ts,open,high,low,close,volume\n{rows}")).unwrap();
    assert_eq!(report.days[0].counts.decidable, 4);
    let options = ["15:38", "15:39", "15:40"].map(|clock| {
        format!("2026-08-03T{clock}:00+05:30,2026-08-04,25650,138,138,88,88.1,10,20,54,74.9,54,74.6,10,20\n")
    });
    let other = tempfile::tempdir().unwrap();
    let report = attempt(other.path(), Layout::RollingOptions, &format!("{ROLLING}{}", options.concat())).unwrap();
    assert_eq!(report.days[0].counts.decidable, 16);
}

#[test]
fn one_contract_has_one_id_and_the_exchange_token_wins_in_either_order() {
    let bar = "2026-01-12T09:15:00+05:30,2026-01-13,25650,138,138,88,88.1,10,20,54,74.9,54,74.6,10,20\n";
    let bars = |dir: &Path| attempt(dir, Layout::RollingOptions, &format!("{ROLLING}{bar}"));
    let options = ImportOptions {
        layout: Layout::Ticks,
        contract: Some(ContractKey::parse("NIFTY 2026-01-13 25650 CE").unwrap()),
        security_id: Some(44_430),
        ..ImportOptions::default()
    };
    let ticks = |dir: &Path, clock: &str| with_options(dir, &options, &format!("ts,price\n2026-01-12 {clock},90\n"));
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    bars(one.path()).unwrap();
    let report = ticks(one.path(), "09:30:00").unwrap();
    ticks(two.path(), "09:30:00").unwrap();
    assert_eq!(bars(two.path()).unwrap().days[0].hash, report.days[0].hash);
    assert_eq!(report.days[0].instruments, 2);
    let day = Tape::open(&one.path().join("tape")).unwrap().day(report.days[0].day).unwrap();
    let call = day.instruments().into_iter().find(|i| i.symbol == "NIFTY 2026-01-13 25650 CE").unwrap();
    assert_eq!(call.security_id, 44_430);
    // Trades and drawn bars of the same minute would count everything twice.
    let error = ticks(one.path(), "09:15:30").unwrap_err();
    assert!(matches!(error, ImportError::Overlap { .. }), "{error}");
    let other = ImportOptions { security_id: Some(44_431), ..options.clone() };
    let error = with_options(one.path(), &other, "ts,price\n2026-01-12 09:40:00,90\n").unwrap_err().to_string();
    assert!(error.contains("NIFTY 2026-01-13 25650 CE is 44430 in the tape and 44431 in the file"), "{error}");
}
