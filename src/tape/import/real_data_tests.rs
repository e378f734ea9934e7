//! Every file of the developer data goes in and comes back. The counts were taken from the files themselves with other
//! tools, not from this program.

use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use scalper_decide::domain::tick::ABSENT;
use scalper_decide::domain::{InstrumentId, Right, Segment, Strike, Tick, TickFlags, TickSource, Underlying};

use super::test_tables::{context, shared};
use super::{ImportError, ImportOptions, ImportReport, Layout, import, parse_interval};
use crate::tape::contract::{ContractKey, is_synthetic};
use crate::tape::instruments::key_of;
use crate::tape::meta::ist_text;
use crate::tape::{Tape, TapeRow, verify_day};

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn run(files: &[PathBuf], tape: &Path, options: &ImportOptions) -> Result<ImportReport, ImportError> {
    let report = import(files, tape, options, &context())?;
    let opened = Tape::open(tape).unwrap();
    for day in &report.days {
        let proof = verify_day(&opened.day(day.day).unwrap()).unwrap();
        assert_eq!((proof.hash, proof.counts), (day.hash.clone(), day.counts.clone()));
    }
    Ok(report)
}

/// Imports into a fresh tape twice (and once more into the first): the same hashes every time.
fn twice(files: &[PathBuf], options: &ImportOptions) -> (tempfile::TempDir, ImportReport) {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let report = run(files, one.path(), options).unwrap();
    let hashes = |r: &ImportReport| r.days.iter().map(|d| d.hash.clone()).collect::<Vec<_>>();
    assert_eq!(hashes(&run(files, two.path(), options).unwrap()), hashes(&report));
    let again = run(files, one.path(), options).unwrap();
    assert_eq!(hashes(&again), hashes(&report), "importing the same files again changes nothing");
    assert_eq!(again.days.iter().map(|d| d.added).sum::<u64>(), 0);
    (one, report)
}

fn rows(tape: &Path, day: &str) -> Vec<TapeRow> {
    let mut reader = Tape::open(tape).unwrap().day(date(day)).unwrap().ticks(|_, _| Some(InstrumentId(0))).unwrap();
    let (mut all, mut batch) = (Vec::new(), Vec::new());
    while reader.next_rows(&mut batch).unwrap() {
        all.extend_from_slice(&batch);
    }
    all
}

fn ticks_of(tape: &Path, day: &str, key: ContractKey) -> Vec<Tick> {
    let opened = Tape::open(tape).unwrap().day(date(day)).unwrap();
    let found = opened.instruments().into_iter().find(|i| key_of(i) == key).unwrap();
    rows(tape, day).into_iter().filter(|r| r.key() == (found.segment, found.security_id)).map(|r| r.tick).collect()
}

fn total(report: &ImportReport) -> u64 {
    report.days.iter().map(|d| d.counts.ticks).sum()
}

fn flagged(report: &ImportReport, flag: TickFlags) -> u64 {
    report.days.iter().map(|d| d.counts.flag(flag)).sum()
}

fn nifty(interval: &str) -> ImportOptions {
    ImportOptions {
        index: Some(Underlying::Nifty),
        interval: Some(parse_interval(interval).unwrap()),
        ..ImportOptions::default()
    }
}

const NIFTY: ContractKey = ContractKey::Index(Underlying::Nifty);

#[test]
fn index_minutes_import_with_stray_bars_kept_and_tagged() {
    let Some(data) = shared("index_minutes_import_with_stray_bars_kept_and_tagged") else { return };
    // file, days, bars, bars outside the session
    let table = [
        ("nifty_1m_2024-01.csv.gz", "1m", 22, 8417, 167),
        ("banknifty_1m_2024-01.csv.gz", "1m", 22, 8417, 167),
        ("nifty_1m_dhan_2026-01-12_2026-02-06.csv.gz", "1m", 19, 7125, 0),
        ("nifty_1m_dhan_2025-10-24_2025-10-31.csv.gz", "1m", 6, 2251, 1),
        ("nifty_5m_dhan_2025-10-24_2025-10-31.csv.gz", "5m", 6, 451, 1),
    ];
    for (file, interval, days, bars, stray) in table {
        let (_tape, report) = twice(&[data.join("index").join(file)], &nifty(interval));
        assert_eq!(report.files[0].1, "index-bars", "{file}");
        assert_eq!((report.days.len(), total(&report)), (days, 4 * bars), "{file}");
        assert_eq!(flagged(&report, TickFlags::OUT_OF_SESSION), 4 * stray, "{file}");
        assert_eq!(flagged(&report, TickFlags::SYNTHESISED), 4 * bars, "{file}");
        assert_eq!(flagged(&report, TickFlags::BAR_OPEN), bars, "{file}");
        assert_eq!(flagged(&report, TickFlags::BAR_CLOSE), bars, "{file}");
    }
}

#[test]
fn an_index_minute_reads_back_as_four_points_with_float32_noise_gone() {
    let Some(data) = shared("an_index_minute_reads_back_as_four_points_with_float32_noise_gone") else { return };
    let (tape, _) = twice(&[data.join("index/nifty_1m_dhan_2025-10-24_2025-10-31.csv.gz")], &nifty("1m"));
    let ticks = ticks_of(tape.path(), "2025-10-24", NIFTY);
    let told: Vec<_> = ticks[..4].iter().map(|t| (ist_text(t.exchange_at), t.ltp_paise, t.flags.0)).collect();
    let text = |t: &str| format!("2025-10-24T09:15:{t}+05:30");
    assert_eq!(
        told,
        [
            (text("01"), 2_593_510, 3),
            (text("20"), 2_594_415, 1),
            (text("40"), 2_587_635, 1),
            (text("59"), 2_588_220, 5)
        ]
    );
    assert!(ticks.iter().all(|t| t.volume == ABSENT && t.source == TickSource::Bar && t.exchange_at == t.received_at));
    let last = ticks_of(tape.path(), "2025-10-31", NIFTY).pop().unwrap();
    assert_eq!(ist_text(last.exchange_at), "2025-10-31T15:30:59+05:30");
    assert!(last.flags.has(TickFlags::OUT_OF_SESSION));
}

#[test]
fn rolling_nifty_options_import_with_their_spot_and_keyed_by_contract() {
    let Some(data) = shared("rolling_nifty_options_import_with_their_spot_and_keyed_by_contract") else { return };
    let file = data.join("options/nifty_rolling_atm_1m_2026-01-12_2026-02-06.csv.gz");
    let options = ImportOptions { index: Some(Underlying::Nifty), ..ImportOptions::default() };
    let (tape, report) = twice(std::slice::from_ref(&file), &options);
    assert_eq!((report.days.len(), total(&report)), (19, 7125 * 12));
    assert_eq!(flagged(&report, TickFlags::OUT_OF_SESSION), 0);
    let call = ContractKey::Option(Underlying::Nifty, date("2026-01-13"), Strike::from_points(25_650), Right::Call);
    let ticks = ticks_of(tape.path(), "2026-01-12", call);
    let first: Vec<_> = ticks[..4].iter().map(|t| (t.ltp_paise, t.volume, t.oi)).collect();
    assert_eq!(
        first,
        [(13_800, 0, 1_735_305), (13_800, 0, 1_735_305), (8_800, 0, 1_735_305), (8_810, 2_298_595, 1_735_305)]
    );
    // Its second minute at the money starts from the volume of the first.
    assert_eq!(ticks[4].volume, 2_298_595);
    let spot = ticks_of(tape.path(), "2026-01-12", NIFTY);
    assert_eq!((spot.len(), spot[0].ltp_paise), (4 * 375, 2_566_905));
    let listed = Tape::open(tape.path()).unwrap().day(date("2026-01-12")).unwrap().instruments();
    let option = listed.iter().find(|i| key_of(i) == call).unwrap();
    assert!(is_synthetic(option.security_id));
    assert_eq!(option.option().unwrap().lot.get(), 65);
    // floor((1800 - 1) / 65) x 65
    assert_eq!(option.option().unwrap().max_order_qty.get(), 1755);
    let no_spot = tempfile::tempdir().unwrap();
    let without = run(&[file], no_spot.path(), &ImportOptions { no_spot: true, ..options }).unwrap();
    assert_eq!(total(&without), 7125 * 8);
}

#[test]
fn index_and_options_merge_into_the_same_day_in_either_order() {
    let Some(data) = shared("index_and_options_merge_into_the_same_day_in_either_order") else { return };
    let index = data.join("index/nifty_1m_dhan_2026-01-12_2026-02-06.csv.gz");
    let options = data.join("options/nifty_rolling_atm_1m_2026-01-12_2026-02-06.csv.gz");
    let told = ImportOptions { index: Some(Underlying::Nifty), ..ImportOptions::default() };
    let (_a, one) = twice(&[index.clone(), options.clone()], &told);
    let separate = tempfile::tempdir().unwrap();
    run(&[options], separate.path(), &told).unwrap();
    let other = run(&[index], separate.path(), &told).unwrap();
    assert_eq!(total(&one), 7125 * 12);
    for (a, b) in one.days.iter().zip(&other.days) {
        assert_eq!(a.hash, b.hash, "{}", a.day);
    }
    // The file of the index itself wins over the spot columns: it has volume.
    let spot = ticks_of(separate.path(), "2026-01-12", NIFTY);
    assert_eq!((spot[0].volume, spot[3].volume, spot[7].volume), (ABSENT, 3_383_806, 3_383_806 + 1_677_812));
}

#[test]
fn sensex_without_spot_runs_on_the_parity_forward_and_says_so() {
    let Some(data) = shared("sensex_without_spot_runs_on_the_parity_forward_and_says_so") else { return };
    let file = data.join("options/sensex_rolling_atm_1m_2026-01-12_2026-01-23.csv.gz");
    let told = ImportOptions { index: Some(Underlying::Sensex), ..ImportOptions::default() };
    let (tape, report) = twice(&[file], &told);
    assert_eq!((report.days.len(), total(&report)), (9, 3375 * 9));
    let index = ticks_of(tape.path(), "2026-01-12", ContractKey::Index(Underlying::Sensex));
    assert_eq!(index.len(), 375);
    assert_eq!((index[0].ltp_paise, index[0].source), (8_351_535, TickSource::Derived));
    assert_eq!(ist_text(index[0].exchange_at), "2026-01-12T09:15:59+05:30");
    assert!(index.iter().all(|t| t.flags.is_decidable() && t.flags.has(TickFlags::SYNTHESISED)));
    assert!(
        report.days[0].notes.iter().any(|n| n.starts_with("SENSEX has no spot prices")),
        "{:?}",
        report.days[0].notes
    );
    let segments: Vec<Segment> = rows(tape.path(), "2026-01-12").iter().map(|r| r.segment).collect();
    assert!(segments.contains(&Segment::BseFno) && !segments.contains(&Segment::NseFno));
}

#[test]
fn chain_snapshots_import_in_units_with_repeats_stale_and_a_derived_index() {
    let Some(data) = shared("chain_snapshots_import_in_units_with_repeats_stale_and_a_derived_index") else { return };
    let (tape, report) = twice(&[data.join("options/nse_chain_nifty_2025-08-29.csv.gz")], &ImportOptions::default());
    let day = &report.days[0];
    assert_eq!((report.days.len(), report.files[0].1.as_str()), (1, "nse-chain"));
    assert_eq!(day.counts.by_source["derived"], 306);
    assert_eq!(day.counts.by_source["snapshot"], CHAIN_QUOTES);
    let note = |text: &str| assert!(day.notes.iter().any(|n| n.contains(text)), "{text}: {:?}", day.notes);
    note("306 snapshots");
    note("14 snapshots repeat an earlier exchange time (stale)");
    note(&format!("{} quotes of contracts without price, book or open interest left out", 2 * 162_158 - CHAIN_QUOTES));
    let index = ticks_of(tape.path(), "2025-08-29", NIFTY);
    assert_eq!(index.iter().filter(|t| t.flags.has(TickFlags::STALE)).count(), 14);
    // Calls and puts of 2025-09-02 cost the same between the strikes 24,400 and 24,650 all day.
    assert!(
        index.iter().all(|t| (2_438_000..2_465_000).contains(&t.ltp_paise)),
        "{:?}",
        index.iter().map(|t| t.ltp_paise).max()
    );
    assert!(index.iter().all(|t| t.exchange_at < t.received_at));
    let put = ContractKey::Option(Underlying::Nifty, date("2025-09-02"), Strike::from_points(22_600), Right::Put);
    let first = ticks_of(tape.path(), "2025-08-29", put)[0];
    assert_eq!((first.ltp_paise, first.oi, first.volume), (95, 46_706 * 75, 31_669 * 75));
    assert_eq!(
        (first.bids[0].price, first.bids[0].qty, first.asks[0].price, first.asks[0].qty),
        (95, 153_825, 100, 450_075)
    );
    assert_eq!(ist_text(first.exchange_at), "2025-08-29T09:22:45+05:30");
    assert_eq!(ist_text(first.received_at), "2025-08-29T09:24:16+05:30");
}

/// Sides of the 162,158 rows with a price, a bid, an ask, open interest or volume.
const CHAIN_QUOTES: u64 = 305_836;

#[test]
fn a_feed_that_looks_alive_on_a_holiday_has_no_decidable_tick() {
    let Some(data) = shared("a_feed_that_looks_alive_on_a_holiday_has_no_decidable_tick") else { return };
    let (_tape, report) =
        twice(&[data.join("options/nse_chain_2025-08-27_STALE_holiday.csv.gz")], &ImportOptions::default());
    let day = &report.days[0];
    assert_eq!((report.days.len(), day.day, day.counts.decidable), (1, date("2025-08-27"), 0));
    assert_eq!(day.counts.flag(TickFlags::STALE), day.counts.ticks);
    assert_eq!(day.counts.flag(TickFlags::OUT_OF_SESSION), day.counts.ticks);
    assert!(day.notes.iter().any(|n| n.contains("14 snapshots carry another day's exchange time")), "{:?}", day.notes);
}

#[test]
fn recorded_dhan_intraday_answers_import_and_equal_the_csv_of_the_same_minutes() {
    let name = "recorded_dhan_intraday_answers_import_and_equal_the_csv_of_the_same_minutes";
    let Some(data) = shared(name) else { return };
    for (json, csv, interval) in [
        ("charts_intraday__200__09.json.gz", "nifty_1m_dhan_2025-10-24_2025-10-31.csv.gz", "1m"),
        ("charts_intraday__200__10.json.gz", "nifty_5m_dhan_2025-10-24_2025-10-31.csv.gz", "5m"),
    ] {
        let (_a, from_json) = twice(&[data.join("rest").join(json)], &ImportOptions::default());
        let (_b, from_csv) = twice(&[data.join("index").join(csv)], &nifty(interval));
        assert_eq!(from_json.files[0].1, "dhan-intraday");
        let hashes = |r: &ImportReport| r.days.iter().map(|d| d.hash.clone()).collect::<Vec<_>>();
        assert_eq!(hashes(&from_json), hashes(&from_csv), "{json}");
    }
}

#[test]
fn recorded_answers_of_shares_and_errors_are_refused_by_name() {
    let Some(data) = shared("recorded_answers_of_shares_and_errors_are_refused_by_name") else { return };
    for (file, needle) in [
        ("charts_intraday__200__04.json", "NSE_EQ 1333 is no index, index future or index option"),
        ("charts_intraday__200__12.json", "NSE_EQ 1333"),
        ("charts_intraday__200__13.json", "NSE_EQ 1333"),
        ("charts_intraday__200__20.json.gz", "NSE_EQ 1333"),
        ("charts_intraday__400__02.json", "HTTP 400 DH-905"),
        ("charts_intraday__400__11.json", "HTTP 400 DH-906 Invalid Token"),
        ("charts_intraday__400__14.json", "HTTP 400 NONE Data not available"),
        ("charts_intraday__429__01.json", "HTTP 429 DH-904"),
        ("charts_intraday__500__15.json", "HTTP 500 INTERNAL_SERVER_ERROR"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let tape = dir.path().join("tape");
        let error = run(&[data.join("rest").join(file)], &tape, &ImportOptions::default()).unwrap_err().to_string();
        assert!(error.contains(needle), "{file}: {error}");
        assert!(!tape.exists(), "{file} left something behind");
    }
}

#[test]
fn dhan_chains_recorded_after_hours_import_but_decide_nothing() {
    let Some(data) = shared("dhan_chains_recorded_after_hours_import_but_decide_nothing") else { return };
    for (file, day, spot, strikes, atm) in [
        (
            "optionchain__200__01.json.gz",
            "2025-02-01",
            2_348_215,
            238,
            (23_500, "2025-02-06", 13_820, 13_705, 75, 7_895_400),
        ),
        (
            "optionchain__200__06.json.gz",
            "2025-12-01",
            2_620_295,
            225,
            (26_200, "2025-12-02", 11_385, 11_410, 450, 8_507_250),
        ),
    ] {
        let (tape, report) = twice(&[data.join("rest").join(file)], &ImportOptions::default());
        assert_eq!((report.files[0].1.as_str(), report.days[0].day), ("dhan-chain", date(day)));
        assert_eq!(report.days[0].counts.decidable, 0, "recorded outside the session");
        assert_eq!(report.days[0].instruments, 2 * strikes + 1);
        assert_eq!(ticks_of(tape.path(), day, NIFTY)[0].ltp_paise, spot);
        let (strike, expiry, ltp, bid, bid_qty, oi) = atm;
        let key = ContractKey::Option(Underlying::Nifty, date(expiry), Strike::from_points(strike), Right::Call);
        let tick = ticks_of(tape.path(), day, key)[0];
        assert_eq!((tick.ltp_paise, tick.bids[0].price, tick.bids[0].qty, tick.oi), (ltp, bid, bid_qty, oi));
    }
}

#[test]
fn an_upstox_chain_needs_its_time_and_keeps_the_exchange_tokens() {
    let Some(data) = shared("an_upstox_chain_needs_its_time_and_keeps_the_exchange_tokens") else { return };
    let file = data.join("rest_other/upstox_option_chain_2024-06.json.gz");
    let dir = tempfile::tempdir().unwrap();
    let error = run(std::slice::from_ref(&file), &dir.path().join("t"), &ImportOptions::default()).unwrap_err();
    assert!(matches!(error, ImportError::Needs { option, .. } if option.starts_with("--at")));
    let at = super::text::iso_time("2024-06-27 14:00:00").unwrap();
    let (tape, report) = twice(&[file], &ImportOptions { at: Some(at), ..ImportOptions::default() });
    assert_eq!((report.days[0].counts.ticks, report.days[0].instruments), (UPSTOX.0, UPSTOX.1));
    let key = ContractKey::Option(Underlying::Nifty, date("2024-06-27"), Strike::from_points(22_700), Right::Call);
    let row = rows(tape.path(), "2024-06-27").into_iter().find(|r| r.security_id == 64_300).unwrap();
    assert_eq!(ticks_of(tape.path(), "2024-06-27", key), [row.tick]);
    assert_eq!((row.tick.ltp_paise, row.tick.oi, row.tick.bids[0].price), (116_500, 590_175, 115_880));
}

const UPSTOX: (u64, u64) = (231, 231);

fn future() -> ImportOptions {
    ImportOptions {
        contract: Some(ContractKey::parse("NIFTY 2025-12-30 FUT").unwrap()),
        security_id: Some(49_543),
        ..ImportOptions::default()
    }
}

#[test]
fn decoded_full_rows_import_with_five_levels() {
    let Some(data) = shared("decoded_full_rows_import_with_five_levels") else { return };
    let file = data.join("ticks/dhan_full_nifty_dec25_fut_2025-12-29_1247.csv.gz");
    let (tape, report) = twice(std::slice::from_ref(&file), &future());
    assert_eq!((report.files[0].1.as_str(), total(&report)), ("dhan-full-csv", 179));
    assert!(report.days[0].notes.iter().any(|n| n.contains("1 open-interest packets")), "{:?}", report.days[0].notes);
    let all = rows(tape.path(), "2025-12-29");
    let (first, last) = (all[0], all[178]);
    assert_eq!((first.segment, first.security_id), (Segment::NseFno, 49_543));
    let t = first.tick;
    assert_eq!((t.ltp_paise, t.ltq, t.volume, t.oi), (2_597_490, 75, 3_333_675, 11_148_150));
    assert_eq!((t.bids[4].price, t.bids[4].qty, t.asks[4].price, t.asks[4].qty), (2_597_440, 2_250, 2_598_150, 75));
    assert_eq!(ist_text(t.received_at), "2025-12-29T12:47:02.553384+05:30");
    assert_eq!((last.tick.ltp_paise, last.tick.volume), (2_597_400, 3_353_625));
    let dir = tempfile::tempdir().unwrap();
    let error = run(&[file], &dir.path().join("t"), &ImportOptions::default()).unwrap_err().to_string();
    assert!(error.contains("--contract"), "{error}");
}

#[test]
fn packets_decode_to_the_same_ticks_as_the_rows_they_were_made_from() {
    let Some(data) = shared("packets_decode_to_the_same_ticks_as_the_rows_they_were_made_from") else { return };
    let packets = data.join("ticks/dhan_full_REENCODED_packets.jsonl.gz");
    let (a, report) = twice(std::slice::from_ref(&packets), &future());
    assert_eq!((report.files[0].1.as_str(), total(&report)), ("dhan-packets", 179));
    let (b, _) = twice(&[data.join("ticks/dhan_full_nifty_dec25_fut_2025-12-29_1247.csv.gz")], &future());
    let pairs = rows(a.path(), "2025-12-29").into_iter().zip(rows(b.path(), "2025-12-29"));
    for (packet, row) in pairs {
        // The made-up trade time is the whole second of receipt, shifted by 19,800 s.
        assert_eq!(packet.tick.exchange_at.nanos(), row.tick.received_at.nanos() / 1_000_000_000 * 1_000_000_000);
        assert_eq!(TapeRow { tick: Tick { exchange_at: row.tick.exchange_at, ..packet.tick }, ..packet }, row);
    }
    let dir = tempfile::tempdir().unwrap();
    let error = run(&[packets], &dir.path().join("t"), &ImportOptions::default()).unwrap_err().to_string();
    assert!(error.contains("unknown contract NSE_FNO 49543"), "{error}");
}

#[test]
fn kite_like_ticks_of_indices_and_options_import() {
    let Some(data) = shared("kite_like_ticks_of_indices_and_options_import") else { return };
    let index = data.join("ticks/optionvault_index_ticks_2026-07-22.csv");
    let (tape, report) = twice(&[index], &ImportOptions::default());
    assert_eq!((report.files[0].1.as_str(), total(&report), report.days[0].instruments), ("optionvault-ticks", 75, 5));
    // 09:02 is before the open.
    assert_eq!(report.days[0].counts.decidable, 0);
    let first = ticks_of(tape.path(), "2026-07-22", NIFTY)[0];
    assert_eq!((first.ltp_paise, first.volume), (2_404_855, ABSENT));
    let option = data.join("ticks/optionvault_option_ticks_2026-07-22.csv");
    let (tape, report) = twice(&[option], &ImportOptions::default());
    assert_eq!(total(&report), 50);
    let key = ContractKey::Option(Underlying::Nifty, date("2026-08-04"), Strike::from_points(26_000), Right::Call);
    let first = ticks_of(tape.path(), "2026-07-22", key)[0];
    assert_eq!((first.ltp_paise, first.volume, first.ltq), (220, 144_300, 260));
}

#[test]
fn trades_and_books_of_one_contract_complete_each_other_in_either_order() {
    let Some(data) = shared("trades_and_books_of_one_contract_complete_each_other_in_either_order") else { return };
    let ticks = data.join("ticks/optionvault_option_ticks_2026-07-22.csv");
    let books = data.join("ticks/optionvault_option_level2_2026-07-22.csv");
    let told = ImportOptions {
        contract: Some(ContractKey::parse("NIFTY 2026-08-04 26000 CE").unwrap()),
        ..ImportOptions::default()
    };
    let (tape, one) = twice(&[ticks.clone(), books.clone()], &told);
    let other = tempfile::tempdir().unwrap();
    let two = run(&[books, ticks], other.path(), &told).unwrap();
    assert_eq!(one.days[0].hash, two.days[0].hash);
    assert_eq!(total(&one), 50, "each event once");
    let first = rows(tape.path(), "2026-07-22")[0].tick;
    assert_eq!((first.ltq, first.bids[0].price, first.bids[0].qty, first.asks[4].price), (260, 215, 2600, 300));
}

#[test]
fn kite_like_bars_import_with_their_interval_found_by_looking() {
    let Some(data) = shared("kite_like_bars_import_with_their_interval_found_by_looking") else { return };
    for (file, day, index, bars, decidable) in [
        ("optionvault_nifty_1m_2026-03-13.csv", "2026-03-13", Underlying::Nifty, 50, 50),
        ("optionvault_banknifty_1m_2026-03-13.csv", "2026-03-13", Underlying::BankNifty, 50, 50),
        ("optionvault_sensex_1m_2026-07-22.csv", "2026-07-22", Underlying::Sensex, 50, 37),
        ("optionvault_nifty_1s_2026-07-22.csv", "2026-07-22", Underlying::Nifty, 50, 0),
    ] {
        let told = ImportOptions { index: Some(Underlying::Nifty), ..ImportOptions::default() };
        let (tape, report) = twice(&[data.join("ticks").join(file)], &told);
        assert_eq!(report.files[0].1, "optionvault-bars", "{file}");
        assert_eq!((total(&report), report.days[0].counts.decidable), (4 * bars, 4 * decidable), "{file}");
        assert_eq!(ticks_of(tape.path(), day, ContractKey::Index(index)).len() as u64, 4 * bars, "{file}");
    }
}

#[test]
fn the_generic_layout_reads_an_exported_day_back_from_csv_and_parquet() {
    let Some(data) = shared("the_generic_layout_reads_an_exported_day_back_from_csv_and_parquet") else { return };
    let (tape, _) = twice(&[data.join("ticks/dhan_full_REENCODED_packets.jsonl.gz")], &future());
    let day = Tape::open(tape.path()).unwrap().day(date("2025-12-29")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (csv, parquet) = (dir.path().join("out.csv"), dir.path().join("out.parquet"));
    let mut text = Vec::new();
    crate::tape::export::to_csv(&day, &mut text, &csv).unwrap();
    std::fs::write(&csv, &text).unwrap();
    crate::tape::export::to_parquet(&day, &parquet).unwrap();
    let map = [("ltp", "ltp_paise")].map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec();
    let told =
        ImportOptions { instruments: Some(day.instruments_path()), layout: Layout::Ticks, ..ImportOptions::default() };
    for (file, options) in
        [(csv, told.clone()), (parquet, ImportOptions { map, price_unit: super::PriceUnit::Paise, ..told })]
    {
        let (_again, report) = twice(&[file], &options);
        assert_eq!(report.days[0].hash, day.hash());
    }
}

#[test]
fn a_generic_file_maps_columns_units_and_ids() {
    let dir = tempfile::tempdir().unwrap();
    let instruments = dir.path().join("instruments.csv");
    std::fs::write(
        &instruments,
        "id,symbol,kind,underlying_id,strike,expiry,lot,tick_size\n\
         N50,Nifty 50,INDEX,,,,,\n\
         54321,NIFTY2611325650CE,CE,N50,25650,2026-01-13,65,0.05\n\
         F1,NIFTY26JANFUT,FUT,NIFTY,,2026-01-27,65,0.1\n",
    )
    .unwrap();
    let ticks = dir.path().join("day.csv");
    std::fs::write(
        &ticks,
        "when,what,p,bb,bq\n\
         1768189500000,N50,2566905,,\n\
         1768189500250,54321,13800,13795,65\n\
         1768189501000,F1,2570000,,\n\
         1768189500900,F1,2570010,,\n",
    )
    .unwrap();
    let map = [("ts", "when"), ("id", "what"), ("ltp", "p"), ("bid1_price", "bb"), ("bid1_qty", "bq")];
    let options = ImportOptions {
        layout: Layout::Ticks,
        instruments: Some(instruments),
        map: map.map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec(),
        price_unit: super::PriceUnit::Paise,
        ..ImportOptions::default()
    };
    let (tape, report) = twice(&[ticks], &options);
    assert_eq!((total(&report), report.days[0].day), (4, date("2026-01-12")));
    let all = rows(tape.path(), "2026-01-12");
    assert_eq!((all[0].segment, all[0].security_id, all[0].tick.ltp_paise), (Segment::IdxI, 13, 2_566_905));
    assert_eq!((all[1].security_id, all[1].tick.bids[0].price, all[1].tick.bids[0].qty), (54_321, 13_795, 65));
    assert!(is_synthetic(all[2].security_id) && all[2].segment == Segment::NseFno);
    // The late one keeps its own time, is received after its predecessor and decides nothing.
    assert_eq!(all[3].tick.ltp_paise, 2_570_010);
    assert!(all[3].tick.exchange_at < all[2].tick.exchange_at && all[3].tick.received_at == all[2].tick.received_at);
    assert_eq!(all[3].tick.flags, TickFlags::OUT_OF_ORDER);
}
