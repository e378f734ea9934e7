//! The traps of real lists, one by one, and the recorded excerpt as a whole.

mod kept;
mod recorded;
mod searched;

use super::*;

const COMPACT: &str = "SEM_EXM_EXCH_ID,SEM_SEGMENT,SEM_SMST_SECURITY_ID,SEM_INSTRUMENT_NAME,SEM_EXPIRY_CODE,\
SEM_TRADING_SYMBOL,SEM_LOT_UNITS,SEM_CUSTOM_SYMBOL,SEM_EXPIRY_DATE,SEM_STRIKE_PRICE,SEM_OPTION_TYPE,SEM_TICK_SIZE,\
SEM_EXPIRY_FLAG,SEM_EXCH_INSTRUMENT_TYPE,SEM_SERIES,SM_SYMBOL_NAME";
const DETAILED: &str = "EXCH_ID,SEGMENT,SECURITY_ID,ISIN,INSTRUMENT,UNDERLYING_SECURITY_ID,UNDERLYING_SYMBOL,SYMBOL_NAME,\
DISPLAY_NAME,INSTRUMENT_TYPE,SERIES,LOT_SIZE,SM_EXPIRY_DATE,STRIKE_PRICE,OPTION_TYPE,TICK_SIZE,EXPIRY_FLAG,BRACKET_FLAG,\
COVER_FLAG,ASM_GSM_FLAG,ASM_GSM_CATEGORY,BUY_SELL_INDICATOR,BUY_CO_MIN_MARGIN_PER,BUY_CO_SL_RANGE_MAX_PERC,\
BUY_CO_SL_RANGE_MIN_PERC,BUY_BO_MIN_MARGIN_PER,BUY_BO_PROFIT_RANGE_MAX_PERC,BUY_BO_PROFIT_RANGE_MIN_PERC,MTF_LEVERAGE,\
SM_UPPER_LIMIT,SM_LOWER_LIMIT,SM_FREEZE_QTY,";
const INDEX: &str = "NSE,I,13,INDEX,0,NIFTY,1.0,Nifty 50,0001-01-01,,XX,0.0500,,INDEX,X,NIFTY";
const CALL: &str = "NSE,D,44430,OPTIDX,0,NIFTY-Feb2026-25800-CE,65.0,NIFTY 17 FEB 25800 CALL,2026-02-17 14:30:00,25800.00000,CE,5.0000,W,OP,,";
const FUTURE: &str =
    "NSE,D,58072,FUTIDX,0,NIFTY-Feb2026-FUT,65.0,NIFTY FEB FUT,2026-02-24 14:30:00,-0.01000,XX,10.0000,M,FUT,,";

fn day() -> NaiveDate {
    date(2026, 2, 10)
}

fn date(y: i32, m: u32, d: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(y, m, d).unwrap()
}

fn compact(rows: &[&str]) -> Master {
    list(COMPACT, rows)
}

fn list(header: &str, rows: &[&str]) -> Master {
    Master::read([&[header], rows].concat().join("\n").as_bytes(), day()).unwrap()
}

fn call(master: &Master) -> Option<Listing<'_>> {
    master.get((Segment::NseFno, 44_430))
}

#[test]
fn a_row_is_found_by_key_by_symbol_and_in_its_chain() {
    let master = compact(&[CALL, INDEX, FUTURE]);
    assert_eq!((master.len(), master.report().broken), (3, 0));
    let option = call(&master).unwrap();
    assert_eq!((option.lot(), option.tick_e4(), option.right()), (65, 500, Some(Right::Call)));
    assert_eq!((option.symbol(), option.name()), ("NIFTY-Feb2026-25800-CE", "NIFTY 2026-02-17 25800 CE".to_owned()));
    assert_eq!((option.expiry(), option.strike()), (Some(date(2026, 2, 17)), Some(Strike::from_points(25_800))));
    let by_symbol: Vec<Key> = master.by_symbol("nifty-feb2026-25800-ce").map(|l| l.key()).collect();
    assert_eq!(by_symbol, [(Segment::NseFno, 44_430)]);
    let nifty = master.underlying(Segment::NseFno, "NIFTY").unwrap();
    assert_eq!(master.expiries(nifty, day()).collect::<Vec<_>>(), [date(2026, 2, 17)]);
    let found = master.option(nifty, date(2026, 2, 17), Strike::from_points(25_800), Right::Call);
    assert_eq!(found.unwrap().key(), option.key());
    assert!(master.option(nifty, date(2026, 2, 17), Strike::from_points(25_800), Right::Put).is_none());
    assert_eq!(master.futures(nifty, day()).map(|f| f.key().1).collect::<Vec<_>>(), [58_072]);
    assert_eq!(master.unique(Venue::Nse, Kind::Index, "NIFTY").unwrap().key(), (Segment::IdxI, 13));
    assert_eq!(master.unique(Venue::Bse, Kind::Index, "NIFTY").map(|l| l.key()), None);
}

#[test]
fn an_id_names_something_only_inside_its_segment() {
    // 25 is BANKNIFTY among the indices and a share at NSE.
    let master = compact(&[
        "NSE,I,25,INDEX,0,BANKNIFTY,1.0,Nifty Bank,0001-01-01,,XX,0.0500,,INDEX,X,BANKNIFTY",
        "NSE,E,25,EQUITY,0,ADANIENT,1.0,Adani Enterprises,,,,10.0000,NA,ES,EQ,ADANI ENTERPRISES LTD",
        "BSE,E,25,EQUITY,0,OTHER,1.0,Other,,,,5.0000,NA,ES,A,OTHER LTD",
    ]);
    let symbol = |segment| master.get((segment, 25)).map(|l| l.symbol().to_owned());
    assert_eq!(symbol(Segment::IdxI).as_deref(), Some("BANKNIFTY"));
    assert_eq!(symbol(Segment::NseEq).as_deref(), Some("ADANIENT"));
    assert_eq!(symbol(Segment::BseEq).as_deref(), Some("OTHER"));
    assert_eq!(symbol(Segment::NseFno), None);
}

#[test]
fn ticks_are_paise_for_what_trades_and_rupees_for_indices() {
    let master = compact(&[
        INDEX,
        CALL,
        "NSE,C,10033,OPTCUR,0,JPYINR-Sep2026-55.25-CE,1.0,JPYINR 26 SEP 55.25 CALL,2026-09-26 14:30:00,55.25000,CE,0.2500,M,CUR OP,,",
        "MCX,M,451666,FUTCOM,0,SILVER-05Mar2026-FUT,1.0,SILVER MAR FUT,2026-03-05 00:00:00,0.00000,XX,100.0000,M,FUTCOM,2,SILVER",
    ]);
    let tick = |key| master.get(key).unwrap().tick_e4();
    // Rs 0.05 twice, a quarter of a paisa, one rupee.
    assert_eq!((tick((Segment::IdxI, 13)), tick((Segment::NseFno, 44_430))), (500, 500));
    assert_eq!((tick((Segment::NseCurrency, 10_033)), tick((Segment::McxComm, 451_666))), (25, 10_000));
    let pair = master.get((Segment::NseCurrency, 10_033)).unwrap();
    assert_eq!(pair.strike(), Some(Strike::from_paise(5_525)));
}

#[test]
fn futures_have_no_strike_and_indices_no_expiry_whatever_is_printed() {
    let zero = FUTURE.replace("-0.01000", "0.00000").replace("58072", "58073").replace("2026-02-24", "2026-03-30");
    let master = compact(&[INDEX, FUTURE, &zero]);
    assert_eq!((master.len(), master.report().broken), (3, 0));
    assert_eq!(master.get((Segment::NseFno, 58_072)).unwrap().strike(), None);
    assert_eq!(master.get((Segment::IdxI, 13)).unwrap().expiry(), None, "0001-01-01 is no date");
}

#[test]
fn one_date_is_one_expiry_under_whatever_flags() {
    let quarterly = CALL.replace("25800", "25900").replace("44430", "44432").replace(",W,", ",Q,");
    let master = compact(&[CALL, &quarterly]);
    let nifty = master.underlying(Segment::NseFno, "NIFTY").unwrap();
    assert_eq!(master.expiries(nifty, day()).count(), 1);
    assert_eq!(master.strikes(nifty, date(2026, 2, 17)), [25_800, 25_900].map(Strike::from_points));
    assert_eq!((call(&master).unwrap().flag(), master.chain(nifty, date(2026, 2, 17)).count()), (Some('W'), 2));
}

#[test]
fn mangled_dates_keep_the_row_out_and_are_never_guessed() {
    for date in
        ["17-02-2026", "17/02/2026", "2026-02-30", "2026/02/17", "17-Feb-2026", "20260217", "0001-01-01", "", "46070"]
    {
        let master = compact(&[INDEX, &CALL.replace("2026-02-17 14:30:00", date)]);
        assert_eq!((master.len(), master.report().broken), (1, 1), "{date:?}");
        assert!(master.report().complaints[0].contains("no expiry"));
    }
    for date in ["2026-02-17", "2026-02-17T14:30:00", "2026-02-17 00:00:00"] {
        assert_eq!(
            call(&compact(&[&CALL.replace("2026-02-17 14:30:00", date)])).unwrap().expiry(),
            Some(self::date(2026, 2, 17))
        );
    }
}

#[test]
fn look_alike_symbols_and_symbols_with_hyphens_are_told_apart() {
    let next = CALL.replace("NIFTY-", "NIFTYNXT50-").replace("44430", "1");
    let auto = "NSE,D,2,OPTSTK,0,BAJAJ-AUTO-Feb2026-9000-CE,75.0,BAJAJ-AUTO 24 FEB 9000 CALL,2026-02-24 14:30:00,9000.00000,CE,5.0000,M,OP,,";
    let future = "NSE,D,3,FUTSTK,0,BAJAJ-AUTO-Feb2026-FUT,75.0,BAJAJ-AUTO FEB FUT,2026-02-24 14:30:00,-0.01000,XX,10.0000,M,FUT,,";
    let master = compact(&[CALL, &next, auto, future]);
    let mut symbols: Vec<&str> = master.underlyings().map(|(_, _, symbol)| symbol).collect();
    symbols.sort_unstable();
    assert_eq!(symbols, ["BAJAJ-AUTO", "NIFTY", "NIFTYNXT50"]);
    let id = master.underlying(Segment::NseFno, "BAJAJ-AUTO").unwrap();
    assert_eq!((master.futures(id, day()).count(), master.expiries(id, day()).count()), (1, 1));
}

#[test]
fn test_rows_expired_contracts_and_segments_off_the_feed_stay_out_and_are_counted() {
    let master = compact(&[
        INDEX,
        "NSE,D,36687,FUTSTK,0,011NSETEST-Nov2036-FUT,50.0,011NSETEST 27 NOV FUT,2036-11-27 14:30:00,-0.01000,XX,5.0000,W,FUT,,",
        "BSE,C,1026077,FUTCUR,0,USDINR-28Aug2024-FUT,1.0,USDINR AUG FUT,2024-08-28 14:30:00,-0.01000,XX,0.2500,M,FUTCUR,,USDINR",
        "NSE,M,121831,OPTFUT,0,NATURALGAS-24Mar2026-260-CE,1.0,NATURALGAS 24 MAR 260 CALL,2026-03-24 20:00:00,260.00000,CE,5.0000,M,OPTFUT,1,NATURALGAS",
    ]);
    let report = master.report();
    assert_eq!((report.rows, report.kept, report.tests, report.expired, report.off_feed), (4, 1, 1, 1, 1));
    assert_eq!((report.broken, report.ambiguous), (0, 0));
}

#[test]
fn an_id_or_a_contract_that_is_not_alone_is_not_used_but_the_same_row_twice_is_one() {
    let other_strike = CALL.replace("25800", "25850");
    let other_id = CALL.replace("44430", "44431");
    for doubt in [&other_strike, &other_id] {
        let master = compact(&[INDEX, CALL, doubt]);
        assert_eq!((master.len(), master.report().ambiguous), (1, 2), "{doubt}");
        assert!(call(&master).is_none());
    }
    let master = compact(&[CALL, CALL]);
    assert_eq!((master.len(), master.report().ambiguous), (1, 0));
}

#[test]
fn a_row_with_a_broken_field_is_left_out_with_its_number() {
    for (from, to) in [
        ("25800.00000", "-0.01"),
        ("25800.00000", "25800.001"),
        (",65.0,", ",65.5,"),
        (",65.0,", ",0,"),
        (",CE,", ",XX,"),
        ("44430", "0"),
        ("44430", "99999999999"),
        ("NSE,D", "NSX,D"),
        ("OPTIDX", "WARRANT"),
        (",5.0000,", ",x,"),
    ] {
        let master = compact(&[INDEX, &CALL.replacen(from, to, 1)]);
        assert_eq!((master.len(), master.report().broken), (1, 1), "{from} -> {to}");
        assert!(master.report().complaints[0].starts_with("row 2, "), "{:?}", master.report().complaints);
    }
}

#[test]
fn the_detailed_list_gives_underlying_and_freeze_and_its_trailing_comma_is_harmless() {
    let row = "NSE,D,35084,NA,OPTIDX,26000,NIFTY,NIFTY-Sep2026-29150-CE,NIFTY 29 SEP 29150 CALL,OP,NA,65.0,2026-09-29,29150.00000,CE,5.0000,M,N,N,N,NA,A,0,0,0,0,0,0,0,20.1000,0.0500,1756,";
    let bse = "BSE,D,35085,NA,OPTIDX,1,SENSEX,BSXOPT,SENSEX 24 SEP 90000 CALL,OP,NA,20.0,2026-09-24,90000.00000,CE,5.0000,M,N,N,N,NA,A,0,0,0,0,0,0,0,20.1000,0.0500,-1,";
    let share = "NSE,E,100,INE885A01032,EQUITY,,ARE&M,AMARA RAJA ENERGY MOB LTD,Amara Raja Energy & Mobility,ES,EQ,1,,,,5,NA,Y,Y,N,NA,A,20,20,16,16,0.25,0.25,3.0,0,0,0,";
    let master = list(DETAILED, &[row, bse, share]);
    assert_eq!(master.report().broken, 0, "{:?}", master.report().complaints);
    let nifty = master.get((Segment::NseFno, 35_084)).unwrap();
    let contracts = crate::config::tables::load(None).unwrap().contracts;
    assert_eq!(nifty.freeze(&contracts, day()).unwrap().unwrap().get(), 1_756);
    // Both ways of reading 1756 allow 27 lots of 65.
    assert_eq!(nifty.max_order_qty(&contracts, day()).unwrap().unwrap().get(), 1_755);
    // The mnemonic is not the underlying; without a freeze quantity the dated table answers.
    let sensex = master.get((Segment::BseFno, 35_085)).unwrap();
    assert_eq!(
        (sensex.underlying(), sensex.freeze(&contracts, day()).unwrap().unwrap().get()),
        (Some("SENSEX"), 1_000)
    );
    assert!(sensex.freeze(&contracts, date(2027, 1, 4)).is_err(), "a date outside the table is an error");
    let share = master.get((Segment::NseEq, 100)).unwrap();
    assert_eq!(
        (share.symbol(), share.name().as_str(), share.series()),
        ("ARE&M", "Amara Raja Energy & Mobility", "EQ")
    );
    assert_eq!(share.freeze(&contracts, day()).unwrap(), None);
}

#[test]
fn columns_are_found_by_name_in_any_order_and_a_missing_one_is_named() {
    let turn = |row: &str| row.split(',').rev().collect::<Vec<_>>().join(",");
    let turned = list(&format!("{},NEW", turn(COMPACT)), &[&turn(INDEX), &turn(CALL)]);
    assert_eq!(call(&turned).unwrap().name(), call(&compact(&[CALL])).unwrap().name());
    let gone = COMPACT.replace("SEM_TICK_SIZE", "TICK");
    let error = Master::read(gone.as_bytes(), day()).unwrap_err();
    assert!(matches!(error, ListError::NoColumn("SEM_TICK_SIZE")));
}

#[test]
fn the_step_is_the_commonest_gap_near_the_money_and_not_that_of_far_strikes() {
    let strikes: Vec<i64> = (20_000..24_000)
        .step_by(500)
        .chain((24_000..=26_000).step_by(50))
        .chain((26_500..=30_000).step_by(500))
        .collect();
    let rows: Vec<String> = strikes
        .iter()
        .zip(1..)
        .map(|(strike, id)| CALL.replace("25800", &strike.to_string()).replace("44430", &id.to_string()))
        .collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let master = compact(&rows);
    let nifty = master.underlying(Segment::NseFno, "NIFTY").unwrap();
    let step = |points: i64| master.step_near(nifty, date(2026, 2, 17), Strike::from_points(points)).unwrap();
    assert_eq!((step(25_000), step(20_500)), (Strike::from_points(50), Strike::from_points(500)));
}
