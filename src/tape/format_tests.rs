//! Writing and reading back, and the table of broken tapes.

use std::fs;
use std::path::Path;

use chrono::NaiveDate;
use proptest::prelude::*;
use scalper_decide::domain::tick::{ABSENT, DEPTH};
use scalper_decide::domain::{
    BookLevel, Instant, Instrument, InstrumentId, InstrumentKind, LotSize, OptionContract, Premium, Qty, Right,
    Segment, Strike, Tick, TickFlags, TickSource, TimeOfDay, Underlying,
};

use super::meta::Counts;
use super::row::TapeRow;
use super::writer::{file_meta, write_ticks};
use super::{DayAbout, DayMeta, Tape, TapeError, TapeWriter, verify_day};

fn day() -> NaiveDate {
    "2026-01-12".parse().unwrap()
}

fn at(secs: u32) -> Instant {
    Instant::from_ist(day(), TimeOfDay::from_secs(secs).unwrap())
}

fn instruments() -> Vec<Instrument> {
    let option = OptionContract {
        underlying: Underlying::Nifty,
        expiry: "2026-01-13".parse().unwrap(),
        strike: Strike::from_points(25_650),
        right: Right::Call,
        lot: LotSize::new(65).unwrap(),
        tick: Premium::from_paise(5),
        max_order_qty: Qty::new(1755),
    };
    let index = InstrumentKind::Index { underlying: Underlying::Nifty };
    [
        (Segment::IdxI, 13, "NIFTY", index),
        (Segment::NseFno, 42, "NIFTY 2026-01-13 25650 CE", InstrumentKind::Option(option)),
    ]
    .map(|(segment, security_id, symbol, kind)| Instrument {
        id: InstrumentId(0),
        segment,
        security_id,
        symbol: symbol.to_owned(),
        kind,
    })
    .to_vec()
}

fn slot(segment: Segment, _: u32) -> Option<InstrumentId> {
    Some(InstrumentId(u32::from(segment != Segment::IdxI)))
}

fn index_tick(secs: u32, paise: i64) -> Tick {
    Tick::last_price(InstrumentId(0), at(secs), at(secs), paise, TickSource::Feed)
}

fn write(tape: &Path, ticks: &[Tick]) -> DayMeta {
    let mut writer = TapeWriter::create(tape, day(), &instruments()).unwrap();
    for tick in ticks {
        let (segment, id) = if tick.instrument.0 == 0 { (Segment::IdxI, 13) } else { (Segment::NseFno, 42) };
        writer.push(segment, id, tick).unwrap();
    }
    writer.finish(DayAbout::default()).unwrap()
}

fn read(tape: &Path) -> Result<Vec<Tick>, TapeError> {
    Tape::open(tape)?.day(day())?.ticks(slot)?.collect()
}

/// Puts other rows under a valid certificate, as a foreign program might.
fn forge(tape: &Path, rows: &[TapeRow]) {
    write(tape, &[index_tick(40_000, 100)]);
    let folder = tape.join(day().to_string());
    write_ticks(&folder.join("ticks.parquet"), rows, None).unwrap();
    let mut meta: DayMeta = serde_json::from_slice(&fs::read(folder.join("day.json")).unwrap()).unwrap();
    meta.ticks_file = file_meta(&folder.join("ticks.parquet")).unwrap();
    meta.counts = Counts::of(rows);
    fs::write(folder.join("day.json"), serde_json::to_vec(&meta).unwrap()).unwrap();
}

fn with_bid(tick: Tick, price: i32) -> Tick {
    let bids = [BookLevel { price, qty: 1 }; DEPTH];
    Tick { bids, ..tick }
}

fn any_tick() -> impl Strategy<Value = Tick> {
    let absent_or = |range: std::ops::Range<i64>| prop_oneof![Just(ABSENT), range];
    let level = prop_oneof![
        Just(BookLevel::default()),
        (1..i32::MAX, any::<u32>()).prop_map(|(price, qty)| BookLevel { price, qty })
    ];
    let book = || prop::array::uniform5(level.clone());
    (
        (0u32..2, 0u16..64, 0u8..5, 0i64..86_400_000_000_000, any::<i32>()),
        (prop_oneof![Just(0), 1..i64::MAX], absent_or(0..i64::MAX), absent_or(0..i64::MAX), absent_or(0..i64::MAX)),
        (book(), book()),
    )
        .prop_map(|((slot, flags, source, nanos, lag), (ltp, ltq, volume, oi), (bids, asks))| {
            let received = Instant::from_nanos(at(0).nanos() + nanos);
            Tick {
                instrument: InstrumentId(slot),
                flags: TickFlags(flags),
                source: TickSource::from_code(source).unwrap(),
                exchange_at: Instant::from_nanos(received.nanos() - i64::from(lag)),
                received_at: received,
                ltp_paise: ltp,
                ltq,
                volume,
                oi,
                bids,
                asks,
            }
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_is_written_is_read_back_in_order_of_receipt(ticks in prop::collection::vec(any_tick(), 0..300)) {
        let dir = tempfile::tempdir().unwrap();
        let meta = write(dir.path(), &ticks);
        let mut expected = ticks.clone();
        expected.sort_by_key(|t| t.received_at);
        prop_assert_eq!(read(dir.path()).unwrap(), expected);
        prop_assert_eq!(meta.counts.ticks, ticks.len() as u64);
        let again = tempfile::tempdir().unwrap();
        prop_assert_eq!(write(again.path(), &ticks).hash(), meta.hash());
    }
}

#[test]
fn a_day_of_several_row_groups_streams_back_and_verifies() {
    let dir = tempfile::tempdir().unwrap();
    let count = super::schema::ROWS_PER_GROUP as u32 * 2 + 77;
    let ticks: Vec<Tick> = (0..count)
        .map(|n| {
            let mut t = index_tick(33_300 + n / 20, 2_500_000 + i64::from(n % 700));
            if n % 3 == 0 {
                t.instrument = InstrumentId(1);
                t.bids = std::array::from_fn(|l| BookLevel { price: 10_000 - 5 * l as i32, qty: 65 });
                t.asks = std::array::from_fn(|l| BookLevel { price: 10_005 + 5 * l as i32, qty: 130 });
            }
            t
        })
        .collect();
    write(dir.path(), &ticks);
    assert!(read(dir.path()).unwrap() == ticks, "every tick comes back");
    let report = verify_day(&Tape::open(dir.path()).unwrap().day(day()).unwrap()).unwrap();
    assert_eq!(report.counts.ticks, u64::from(count));
    let mut rows = Vec::new();
    let mut reader = Tape::open(dir.path()).unwrap().day(day()).unwrap().ticks(slot).unwrap();
    let mut seen = 0;
    while reader.next_rows(&mut rows).unwrap() {
        assert!(
            rows.len() <= super::ticks::BATCH
                && rows.iter().all(|r| (r.security_id == 42) == (r.tick.instrument.0 == 1))
        );
        seen += rows.len();
    }
    assert_eq!(seen, ticks.len());
}

#[test]
fn one_changed_tick_is_another_hash() {
    let dir = tempfile::tempdir().unwrap();
    let first = write(dir.path(), &[index_tick(40_000, 2_500_000)]).hash();
    assert_eq!(write(dir.path(), &[index_tick(40_000, 2_500_000)]).hash(), first);
    assert_ne!(write(dir.path(), &[index_tick(40_000, 2_500_005)]).hash(), first);
    assert_ne!(write(dir.path(), &[index_tick(40_001, 2_500_000)]).hash(), first);
}

#[test]
fn the_writer_refuses_what_no_tape_may_hold_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let tape = dir.path().join("tape");
    let mut writer = TapeWriter::create(&tape, day(), &instruments()).unwrap();
    let good = index_tick(40_000, 100);
    assert!(matches!(
        writer.push(Segment::NseFno, 13, &good),
        Err(TapeError::UnlistedContract { security_id: 13, .. })
    ));
    let other_day = Tick { received_at: Instant::from_secs(0), ..good };
    let refusals = [
        (Tick { ltp_paise: -5, ..good }, "ltp_paise"),
        (Tick { oi: -1, ..good }, "oi"),
        (other_day, "receive_ts"),
        (Tick { bids: [BookLevel { price: 0, qty: 7 }; DEPTH], ..good }, "bid/ask price"),
    ];
    for (tick, column) in refusals {
        let error = writer.push(Segment::IdxI, 13, &tick).unwrap_err();
        assert!(matches!(&error, TapeError::BadValue { column: c, .. } if *c == column), "{error}");
    }
    drop(writer);
    assert!(!tape.exists());
    let mut twice = instruments();
    twice.push(Instrument { security_id: 43, ..twice[1].clone() });
    assert!(matches!(TapeWriter::create(&tape, day(), &twice), Err(TapeError::Conflict { .. })));
}

#[test]
fn broken_tapes_are_refused_with_file_row_column_and_value() {
    let row = |tick: Tick| TapeRow { segment: Segment::IdxI, security_id: 13, tick };
    let good = index_tick(40_000, 100);
    let table: [(&str, Vec<TapeRow>, &str); 7] = [
        (
            "negative price",
            vec![row(good), row(index_tick(40_001, -5))],
            "row 2, column `ltp_paise`: -5: expected a price above zero",
        ),
        (
            "zero in the book",
            vec![row(with_bid(good, 0))],
            "row 1, column `bid1_price`: 0: expected a price above zero",
        ),
        (
            "unsorted times",
            vec![row(good), row(index_tick(39_999, 100))],
            "row 2: `receive_ts` 2026-01-12T11:06:39+05:30 comes after 2026-01-12T11:06:40+05:30",
        ),
        (
            "wrong segment",
            vec![TapeRow { segment: Segment::NseEq, ..row(good) }],
            "row 1: NSE_EQ 13 is not listed in instruments.csv",
        ),
        ("unlisted contract", vec![TapeRow { security_id: 14, ..row(good) }], "row 1: IDX_I 14 is not listed"),
        (
            "another day",
            vec![row(Tick { received_at: Instant::from_secs(0), ..good })],
            "row 1, column `receive_ts`: 1970-01-01T05:30:00+05:30",
        ),
        ("unknown flag", vec![row(Tick { flags: TickFlags(64), ..good })], "row 1, column `flags`: 64"),
    ];
    for (name, rows, needle) in table {
        let dir = tempfile::tempdir().unwrap();
        forge(dir.path(), &rows);
        let error = read(dir.path()).unwrap_err().to_string();
        assert!(error.contains(needle) && error.contains("ticks.parquet"), "{name}: {error}");
    }
}

#[test]
fn folders_that_are_no_tape_say_why() {
    let dir = tempfile::tempdir().unwrap();
    let say = |path: &Path| Tape::open(path).unwrap_err().to_string();
    assert!(say(&dir.path().join("nowhere")).contains("the folder does not exist"));
    assert!(say(dir.path()).contains("holds no day folder"));
    fs::write(dir.path().join("file"), "x").unwrap();
    assert!(say(&dir.path().join("file")).contains("a file, not a folder"));
    fs::create_dir(dir.path().join("2026-01-12")).unwrap();
    assert!(say(dir.path()).contains("no certificate"));
    fs::write(dir.path().join("2026-01-12/day.json"), "{}").unwrap();
    assert!(say(dir.path()).contains("missing field"));
}

#[test]
fn a_missing_day_says_what_the_tape_holds() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[index_tick(40_000, 100)]);
    let error = Tape::open(dir.path()).unwrap().day("2026-01-13".parse().unwrap()).unwrap_err();
    assert!(matches!(error, TapeError::MissingDay { .. }));
    assert!(error.to_string().ends_with("the tape has no day 2026-01-13; it holds 2026-01-12"), "{error}");
}

#[test]
fn a_truncated_file_is_noticed_when_the_tape_is_opened_and_by_the_decoder() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[index_tick(40_000, 100)]);
    let file = dir.path().join("2026-01-12/ticks.parquet");
    let bytes = fs::read(&file).unwrap();
    let day = Tape::open(dir.path()).unwrap().day(day()).unwrap();
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    assert!(matches!(Tape::open(dir.path()), Err(TapeError::WrongSize { .. })));
    assert!(matches!(day.ticks(slot), Err(TapeError::Parquet { .. })));
}

#[test]
fn a_changed_byte_is_a_checksum_mismatch() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[index_tick(40_000, 100)]);
    let file = dir.path().join("2026-01-12/instruments.csv");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace(",65,", ",75,")).unwrap();
    let day = Tape::open(dir.path()).unwrap().day(day()).unwrap();
    assert!(matches!(verify_day(&day), Err(TapeError::Checksum { .. })));
}

#[test]
fn a_certificate_that_miscounts_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[index_tick(40_000, 100)]);
    let file = dir.path().join("2026-01-12/day.json");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("\"ticks\": 1", "\"ticks\": 2")).unwrap();
    let error = verify_day(&Tape::open(dir.path()).unwrap().day(day()).unwrap()).unwrap_err();
    assert!(error.to_string().contains("number of ticks is 1, day.json says 2"), "{error}");
}
