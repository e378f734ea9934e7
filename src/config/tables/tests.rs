//! The shipped tables against the observed data, and what an override file may do.

use std::path::PathBuf;

use scalper_decide::domain::calendar::DayKind;
use scalper_decide::domain::{Exchange, TimeOfDay, Underlying};

use super::*;

fn shipped() -> Tables {
    load(None).unwrap_or_else(|e| panic!("{e}"))
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn hm(hour: u32, minute: u32) -> TimeOfDay {
    TimeOfDay::hm(hour, minute).unwrap()
}

/// `../shared/data/NAME` beside the repository, when it is there.
pub(super) fn shared(test: &str, name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(name);
    if path.is_file() {
        return Some(path);
    }
    eprintln!("SKIPPED {test}: ../shared/data not present");
    None
}

fn rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader.deserialize().collect::<Result<_, _>>().unwrap()
}

fn with_override(text: &str) -> Result<Tables, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tables.yml");
    std::fs::write(&path, text).unwrap();
    load(Some(&path))
}

#[test]
fn every_observed_lot_is_answered_exactly() {
    // N8, X-18: lots differ by expiry on the same day.
    let Some(path) = shared("every_observed_lot", "calendar/index_option_expiries_and_lots_observed.csv") else {
        return;
    };
    let tables = shipped();
    let rows = rows(&path);
    for row in &rows {
        let underlying = Underlying::from_symbol(&row["underlying"]).unwrap();
        let lot = tables.contracts.lot(underlying, day(&row["expiry"])).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(lot.get().to_string(), row["lot"], "{underlying} {}", row["expiry"]);
    }
    assert!(rows.len() > 100, "{}", rows.len());
}

#[test]
fn lots_of_two_expiries_on_the_same_day_differ() {
    let book = shipped().contracts;
    let lot = |u, expiry| book.lot(u, day(expiry)).unwrap().get();
    assert_eq!((lot(Underlying::Nifty, "2025-01-23"), lot(Underlying::Nifty, "2025-01-30")), (75, 25));
    assert_eq!((lot(Underlying::Nifty, "2025-12-30"), lot(Underlying::Nifty, "2026-01-06")), (75, 65));
    assert_eq!((lot(Underlying::BankNifty, "2025-12-30"), lot(Underlying::BankNifty, "2026-01-27")), (35, 30));
    assert_eq!((lot(Underlying::Nifty, "2026-12-29"), lot(Underlying::Nifty, "2026-12-31")), (65, 75));
    // dhan-v2.md 11.
    let months = [
        ("2024-03-28", [50, 15, 40, 75, 10, 15]),
        ("2024-10-31", [25, 15, 25, 50, 10, 15]),
        ("2025-05-29", [75, 30, 65, 120, 20, 30]),
        ("2025-08-28", [75, 35, 65, 140, 20, 30]),
        ("2026-02-24", [65, 30, 60, 120, 20, 30]),
    ];
    for (expiry, lots) in months {
        let found = Underlying::ALL.map(|u| lot(u, expiry));
        assert_eq!(found, [lots[0], lots[1], lots[4], lots[2], lots[3], lots[5]], "{expiry}");
    }
    let gap = book.lot(Underlying::Bankex, day("2025-01-28")).unwrap_err().to_string();
    assert!(gap.contains("lot of BANKEX for 2025-01-28 is not in contracts.yml"), "{gap}");
}

#[test]
fn freeze_quantities_follow_the_circulars_and_the_month_without_numbers_is_an_error() {
    let Some(path) = shared("freeze_quantities", "calendar/nse_freeze_quantity.csv") else { return };
    let book = shipped().contracts;
    for row in rows(&path) {
        let from = day(&row["effective_from"]);
        for (column, underlying) in [
            ("NIFTY", Underlying::Nifty),
            ("BANKNIFTY", Underlying::BankNifty),
            ("FINNIFTY", Underlying::FinNifty),
            ("MIDCPNIFTY", Underlying::MidcpNifty),
        ] {
            let found = book.freeze(underlying, from);
            match row[column].as_str() {
                "" => {
                    assert!(found.unwrap_err().to_string().contains("override file"));
                    assert!(book.freeze(underlying, day("2025-11-02")).is_err());
                }
                units => assert_eq!(found.unwrap().get().to_string(), units, "{column} {from}"),
            }
        }
    }
    let max = |u: Underlying, d, lot| book.max_order_qty(u, day(d), LotSize::new(lot).unwrap()).unwrap().get();
    assert_eq!(max(Underlying::Nifty, "2026-01-12", 65), 1755);
    assert_eq!(max(Underlying::BankNifty, "2026-02-02", 30), 570);
    assert_eq!(max(Underlying::BankNifty, "2026-04-01", 30), 870);
    assert_eq!(max(Underlying::Sensex, "2026-01-12", 20), 980);
}

#[test]
fn every_holiday_and_special_session_of_the_observed_calendar_is_answered() {
    let Some(path) = shared("every_holiday", "calendar/nse_bse_holidays_2024_2026.csv") else { return };
    let tables = shipped();
    let rows = rows(&path);
    let special = |date: &str| rows.iter().any(|r| r["date"] == date && r["kind"] == "special_session");
    for row in &rows {
        let kind = tables.calendar.day(day(&row["date"])).unwrap();
        match (row["kind"].as_str(), row["open_ist"].as_str()) {
            ("closed", _) if special(&row["date"]) => {}
            ("closed", _) => assert_eq!(kind, DayKind::Closed(row["name"].clone()), "{}", row["date"]),
            (_, "") => assert!(matches!(&kind, DayKind::Closed(why) if why.contains("not known")), "{}", row["date"]),
            (_, open) => {
                let DayKind::Open(hours) = kind else { panic!("{} is closed", row["date"]) };
                assert_eq!(String::from(hours.open()), open);
                assert_eq!(String::from(hours.close()), row["close_ist"]);
            }
        }
    }
    assert!(rows.len() > 50);
    // Nothing is closed or open beside the list and the weekends.
    let listed = |d: NaiveDate| rows.iter().any(|r| r["date"] == d.to_string());
    let (from, to) = tables.calendar.coverage();
    for d in from.iter_days().take_while(|d| *d <= to).filter(|d| !listed(*d)) {
        let weekend = matches!(chrono::Datelike::weekday(&d), chrono::Weekday::Sat | chrono::Weekday::Sun);
        assert_eq!(tables.calendar.hours(d).unwrap().is_none(), weekend, "{d}");
    }
}

#[test]
fn the_session_closes_at_1540_from_august_2026_and_the_index_goes_quiet_at_1515() {
    // Design decision 15.
    let calendar = shipped().calendar;
    let hours = |d| calendar.hours(day(d)).unwrap().unwrap();
    let (old, new) = (hours("2026-07-31"), hours("2026-08-03"));
    assert_eq!((old.close(), old.index_continuous_close), (hm(15, 30), hm(15, 30)));
    assert_eq!((new.close(), new.index_continuous_close), (hm(15, 40), hm(15, 15)));
    assert!(new.is_open(hm(15, 35)) && !new.index_is_live(hm(15, 35)) && !old.is_open(hm(15, 35)));
    for h in [old, new] {
        let c = h.cutoffs;
        assert_eq!(c.no_new_entry, hm(14, 45));
        assert_eq!((c.expiry_force_exit, c.square_off_start), (hm(15, 0), hm(15, 5)));
        assert_eq!((c.square_off_deadline, c.broker_square_off), (hm(15, 12), hm(15, 20)));
    }
}

#[test]
fn special_sessions_have_their_windows_and_muhurat_without_times_is_closed() {
    let calendar = shipped().calendar;
    let drill = calendar.hours(day("2024-03-02")).unwrap().unwrap();
    assert_eq!(drill.windows.len(), 2);
    assert!(
        drill.is_open(hm(9, 59))
            && !drill.is_open(hm(10, 0))
            && !drill.is_open(hm(11, 29))
            && drill.is_open(hm(11, 30))
    );
    let muhurat = calendar.hours(day("2025-10-21")).unwrap().unwrap();
    assert_eq!((muhurat.open(), muhurat.close(), muhurat.cutoffs.no_new_entry), (hm(13, 45), hm(14, 45), hm(14, 0)));
    for unknown in ["2024-11-01", "2026-11-08"] {
        assert!(calendar.hours(day(unknown)).unwrap().is_none(), "{unknown}");
    }
    assert!(calendar.hours(day("2026-02-01")).unwrap().is_some(), "Sunday budget session");
    // Stray bars: flat prints run on to 18:16 after the Saturday session, 15:30 and 18:50 bars exist on some days.
    let saturday = calendar.hours(day("2024-01-20")).unwrap().unwrap();
    assert!(saturday.is_open(hm(15, 29)) && !saturday.is_open(hm(15, 30)) && !saturday.is_open(hm(18, 16)));
    assert!(!calendar.hours(day("2025-10-31")).unwrap().unwrap().is_open(hm(15, 30)));
}

#[test]
fn an_expiry_that_falls_on_a_holiday_moved_to_the_trading_day_before() {
    let calendar = shipped().calendar;
    // NIFTY: Tuesday 2026-03-03 was Holi; SENSEX: Thursday 2026-01-15 was an election day.
    assert_eq!(calendar.trading_day_on_or_before(day("2026-03-03")).unwrap(), day("2026-03-02"));
    assert_eq!(calendar.trading_day_on_or_before(day("2026-01-15")).unwrap(), day("2026-01-14"));
    let Some(path) = shared("an_expiry_that_falls", "calendar/index_option_expiries_and_lots_observed.csv") else {
        return;
    };
    let observed: Vec<(String, String)> =
        rows(&path).into_iter().map(|r| (r["underlying"].clone(), r["expiry"].clone())).collect();
    assert!(observed.contains(&("NIFTY".to_owned(), "2026-03-02".to_owned())));
    assert!(!observed.contains(&("NIFTY".to_owned(), "2026-03-03".to_owned())));
    // Every expiry of 2026 that was seen trading is a trading day of the table. The Thursdays of the calendar that
    // ended in August 2025 were moved before they came.
    for (underlying, expiry) in observed.iter().filter(|(_, e)| e.starts_with("2026")) {
        assert!(calendar.hours(day(expiry)).unwrap().is_some(), "{underlying} {expiry}");
    }
}

#[test]
fn a_date_outside_a_table_is_an_error_that_says_where_to_add_it() {
    let t = shipped();
    let error = t.calendar.day(day("2027-01-04")).unwrap_err().to_string();
    assert!(error.contains("outside the session calendar (2024-01-01 to 2026-12-31)") && error.contains("override"));
    assert!(t.calendar.day(day("2023-12-29")).is_err());
    assert!(t.contracts.lot(Underlying::Nifty, day("2031-01-28")).is_err());
    assert!(t.contracts.freeze(Underlying::Nifty, day("2027-01-04")).is_err());
    assert!(t.contracts.tick(Underlying::Nifty, day("2023-12-29")).is_err());
    let error = t.charges.on(Exchange::Nse, day("2024-09-30")).unwrap_err().to_string();
    assert!(error.contains("is not in charges.yml") && error.contains("override"), "{error}");
    assert!(t.charges.on(Exchange::Bse, day("2024-10-01")).is_ok());
    // January 2024 replays index-only: days, steps and ticks are there.
    assert!(t.calendar.hours(day("2024-01-02")).unwrap().is_some());
    assert!(t.contracts.strike_step(Underlying::BankNifty, day("2024-01-02")).is_ok());
}

#[test]
fn steps_and_ticks_are_those_of_the_exchange() {
    let book = shipped().contracts;
    let at = day("2026-01-12");
    let steps = Underlying::ALL.map(|u| book.strike_step(u, at).unwrap().paise() / 100);
    assert_eq!(steps, [50, 100, 100, 50, 25, 100]);
    assert!(Underlying::ALL.iter().all(|u| book.tick(*u, at).unwrap() == Premium::from_paise(5)));
}

#[test]
fn an_override_file_adds_replaces_and_takes_back_entries() {
    let t = with_override(
        r#"
calendar:
  coverage: {to: "2027-12-31"}
  holidays:
    "2026-11-24": none
    "2027-01-26": "Republic Day"
  special_sessions:
    "2026-11-08": {windows: [{open: "18:15", close: "19:15"}]}
contracts:
  NIFTY:
    freeze_units:
      - {from: "2025-10-01", to: "2025-11-02", units: 1800}
      - {from: "2025-11-03", to: "2027-12-31", units: 1700}
    lot_exceptions: {"2026-12-31": 65}
charges:
  NSE:
    brokerage_rupees_per_order:
      - {from: "2026-06-01", rupees: "10.50"}
"#,
    )
    .unwrap_or_else(|e| panic!("{e}"));
    assert!(t.calendar.hours(day("2026-11-24")).unwrap().is_some(), "taken back");
    assert!(t.calendar.hours(day("2027-01-26")).unwrap().is_none(), "added");
    assert_eq!(t.calendar.hours(day("2026-11-08")).unwrap().unwrap().open(), hm(18, 15));
    let freeze = |d| t.contracts.freeze(Underlying::Nifty, day(d)).unwrap().get();
    assert_eq!((freeze("2025-09-30"), freeze("2025-10-15"), freeze("2026-01-12")), (1800, 1800, 1700));
    assert_eq!(t.contracts.lot(Underlying::Nifty, day("2026-12-31")).unwrap().get(), 65);
    assert_eq!(t.contracts.lot(Underlying::Nifty, day("2025-01-30")).unwrap().get(), 25, "the rest stays");
    let fee = |d| t.charges.on(Exchange::Nse, day(d)).unwrap().brokerage_per_order;
    assert_eq!((fee("2026-05-29"), fee("2026-06-01")), (Money::from_rupees(20), Money::from_paise(1_050)));
    assert_ne!(t.hash, shipped().hash);
    assert!(t.override_file.is_some());
}

#[test]
fn a_wrong_table_entry_is_refused_with_its_place() {
    let cases = [
        ("calender: {}\n", "tables.yml:1:1: calender: unknown key (did you mean `calendar`?)"),
        ("calendar:\n  holidays: {\"2028-01-26\": \"x\"}\n", "2028-01-26 lies outside the coverage"),
        ("calendar:\n  holidays: {\"26/01/2026\": \"x\"}\n", "expected a date like"),
        ("calendar:\n  holidays: {\"2026-11-08\": \"x\"}\n", "this date is also a holiday"),
        (
            "calendar:\n  special_sessions:\n    \"2026-11-08\": {windows: [{open: \"19:15\", close: \"18:15\"}]}\n",
            "tables.yml:3:19: calendar.special_sessions.2026-11-08: 2026-11-08 Sunday Diwali Muhurat: window",
        ),
        (
            "calendar:\n  hours:\n    - from: \"2026-10-01\"\n      open: \"09:15\"\n      close: \"15:40\"\n      index_continuous_close: \"15:15\"\n      cutoffs: {no_new_entry: \"15:10\", expiry_force_exit: \"15:00\", square_off_start: \"15:05\", square_off_deadline: \"15:12\", broker_square_off: \"15:20\"}\n",
            "no_new_entry 15:10:00 must come before expiry_force_exit 15:00:00",
        ),
        (
            "calendar:\n  hours:\n    - from: \"2026-10-01\"\n      open: \"09:15\"\n      close: \"15:40\"\n      index_continuous_close: \"15:15\"\n      cutoffs: {no_new_entry: \"14:45\", expiry_force_exit: \"15:00\", square_off_start: \"15:05\", square_off_deadline: \"15:20\", broker_square_off: \"15:20\"}\n",
            "square_off_deadline 15:20:00 must come before broker_square_off 15:20:00",
        ),
        ("contracts:\n  NIFTI: {}\n", "contracts.NIFTI: `NIFTI` is not one of NIFTY"),
        (
            "contracts:\n  NIFTY:\n    lots: [{from: \"2031-01-01\", lot: 0}]\n",
            "contracts.NIFTY.lots[4].lot: a lot holds at least 1 unit, found 0",
        ),
        (
            "contracts:\n  NIFTY:\n    lots: [{from: \"2031-01-01\", to: \"2030-01-01\", lot: 65}]\n",
            "2030-01-01 comes before 2031-01-01",
        ),
        (
            "contracts:\n  NIFTY:\n    tick_rupees: [{from: \"2026-01-01\", rupees: \"0.005\"}]\n",
            "not a whole number of paise",
        ),
        (
            "contracts:\n  NIFTY:\n    tick_rupees: [{from: \"2026-01-01\", rupees: 0.05}]\n",
            "expected a quoted decimal",
        ),
        (
            "charges:\n  NSE:\n    gst_pct: [{from: \"2026-01-01\", pct: \"180\"}]\n",
            "charges.NSE.gst_pct[1].pct: a rate must be between 0 and 100 percent, found 180",
        ),
        ("charges:\n  NSE:\n    gst_pct: [{from: \"2026-01-01\", pct: \"0.000000001\"}]\n", "more than seven decimals"),
        ("charges:\n  NSE:\n    gst: [{from: \"2026-01-01\", pct: \"18\"}]\n", "charges.NSE.gst: unknown key"),
        ("charges:\n\tNSE: 1\n", "a tab indents this line"),
        ("- 1\n", "an override file has the sections calendar, contracts, charges"),
    ];
    for (text, want) in cases {
        let found = with_override(text).expect_err(text).to_string();
        assert!(found.contains(want), "{text:?}\n  gave {found}\n  want {want}");
    }
    let error = load(Some(Path::new("no/such.yml"))).unwrap_err().to_string();
    assert!(error.contains("cannot read the table no/such.yml"), "{error}");
}

#[test]
fn the_tables_can_be_read_from_a_folder() {
    let shipped_folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let from_folder = load_from(Some(&shipped_folder), None).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(from_folder.hash, shipped().hash);
    assert!(load_from(Some(Path::new("no/such/folder")), None).is_err());
}

#[test]
fn settings_and_environment_name_the_override_file() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, units: i64| {
        let text = format!("contracts:\n  NIFTY:\n    freeze_units: [{{from: \"2025-11-03\", units: {units}}}]\n");
        std::fs::write(dir.path().join(name), text).unwrap();
    };
    write("one.yml", 1700);
    write("two.yml", 1600);
    let algo = dir.path().join("algo.yml");
    std::fs::write(&algo, "tables:\n  override_file: one.yml\n").unwrap();
    let freeze = |env: Vec<(String, String)>| {
        let e = crate::config::load(Some(&algo), env.into_iter()).unwrap_or_else(|e| panic!("{e}"));
        (e.tables.contracts.freeze(Underlying::Nifty, day("2026-01-12")).unwrap().get(), e.hash)
    };
    let (from_file, hash_one) = freeze(Vec::new());
    let two = dir.path().join("two.yml").display().to_string();
    let (from_env, hash_two) = freeze(vec![(OVERRIDE_VAR.to_owned(), two)]);
    assert_eq!((from_file, from_env), (1700, 1600));
    assert_ne!(hash_one, hash_two, "the hash covers the tables");
}

#[test]
fn tables_that_end_soon_are_named() {
    let t = shipped();
    let ending = t.ending_within(day("2026-12-10"), 30);
    assert!(ending.contains(&"calendar ends 2026-12-31".to_owned()), "{ending:?}");
    assert!(ending.contains(&"freeze quantities of NIFTY ends 2026-12-31".to_owned()), "{ending:?}");
    assert!(t.ending_within(day("2026-06-01"), 30).is_empty());
}
