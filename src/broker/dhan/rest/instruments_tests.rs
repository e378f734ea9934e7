use std::fmt::Write as _;

use scalper_decide::domain::Qty;

use super::*;

const HEADER: &str = "SEM_EXM_EXCH_ID,SEM_SEGMENT,SEM_SMST_SECURITY_ID,SEM_INSTRUMENT_NAME,SEM_EXPIRY_CODE,\
SEM_TRADING_SYMBOL,SEM_LOT_UNITS,SEM_CUSTOM_SYMBOL,SEM_EXPIRY_DATE,SEM_STRIKE_PRICE,SEM_OPTION_TYPE,SEM_TICK_SIZE,\
SEM_EXPIRY_FLAG,SEM_EXCH_INSTRUMENT_TYPE,SEM_SERIES,SM_SYMBOL_NAME";
const INDEX: &str = "NSE,I,13,INDEX,0,NIFTY,1.0,Nifty 50,0001-01-01,,XX,0.0500,,INDEX,X,NIFTY";
const CALL: &str = "NSE,D,44430,OPTIDX,0,NIFTY-Feb2026-25800-CE,65.0,NIFTY 17 FEB 25800 CALL,2026-02-17 14:30:00,25800.00000,CE,5.0000,W,OP,,";

fn day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 2, 10).unwrap()
}

fn contracts() -> ContractBook {
    crate::config::tables::load(None).expect("shipped tables load").contracts
}

fn nifty(rows: &[&str]) -> Result<Master, MasterError> {
    let mut text = HEADER.to_owned();
    for row in rows {
        write!(text, "\n{row}").unwrap();
    }
    load(text.as_bytes(), &[Underlying::Nifty], day(), &contracts())
}

#[test]
fn a_contract_has_its_terms_in_paise_and_units() {
    let master = nifty(&[INDEX, CALL]).unwrap();
    let contract = master.instruments[1].option().unwrap();
    assert_eq!((contract.tick, contract.strike), (Premium::from_paise(5), Strike::from_points(25_800)));
    assert_eq!((contract.lot.get(), contract.right), (65, Right::Call));
    assert_eq!(contract.max_order_qty, Qty::new(27 * 65));
    assert_eq!(master.instruments[1].symbol, "NIFTY 2026-02-17 25800 CE");
    assert_eq!(master.instruments[1].segment, Segment::NseFno);
}

#[test]
fn columns_are_found_by_name_in_any_order() {
    let turn = |row: &str| row.split(',').rev().collect::<Vec<_>>().join(",");
    let text = format!("{},NEW\n{},x\n{},y\n", turn(HEADER), turn(INDEX), turn(CALL));
    let master = load(text.as_bytes(), &[Underlying::Nifty], day(), &contracts()).unwrap();
    assert_eq!(master.instruments, nifty(&[INDEX, CALL]).unwrap().instruments);
    let gone = HEADER.replace("SEM_TICK_SIZE", "TICK");
    assert!(matches!(
        load(gone.as_bytes(), &[Underlying::Nifty], day(), &contracts()),
        Err(MasterError::List(ListError::NoColumn("SEM_TICK_SIZE")))
    ));
}

#[test]
fn a_missing_or_doubled_index_and_a_stale_list_are_refused() {
    assert!(matches!(nifty(&[CALL]), Err(MasterError::NoIndex(Underlying::Nifty))));
    let second = INDEX.replace(",13,", ",14,");
    assert!(matches!(nifty(&[INDEX, &second, CALL]), Err(MasterError::NotUnique(_, ids)) if ids == [13, 14]));
    // The same row twice is one row.
    assert!(nifty(&[INDEX, INDEX, CALL, CALL]).is_ok());
    let expired = CALL.replace("2026-02-17", "2026-02-03");
    assert!(matches!(nifty(&[INDEX, &expired]), Err(MasterError::NoOptions(Underlying::Nifty, _))));
}

#[test]
fn look_alikes_test_rows_and_other_exchanges_stay_out() {
    let next = CALL.replace("NIFTY-Feb", "NIFTYNXT50-Feb").replace("44430", "1");
    let test = CALL.replace("NIFTY-Feb", "NIFTY-NSETEST-Feb").replace("44430", "2");
    let bse = CALL.replace("NSE,D", "BSE,D").replace("44430", "3");
    let stock = "NSE,E,13,EQUITY,0,ABB,1.0,ABB,,,XX,5.0,,ES,EQ,NIFTY";
    let master = nifty(&[INDEX, stock, &next, &test, &bse, CALL]).unwrap();
    assert_eq!(master.instruments.len(), 2);
    assert_eq!(master.left_out, 0);
}

#[test]
fn a_contract_that_cannot_be_told_apart_is_left_out_with_a_reason() {
    let other_id = CALL.replace("44430", "44431");
    let other_strike = CALL.replace("25800", "25850");
    let put = CALL.replace("CE", "PE").replace("44430", "44500");
    for doubt in [&other_id, &other_strike] {
        let master = nifty(&[INDEX, CALL, doubt, &put]).unwrap();
        assert_eq!(master.instruments.len(), 2, "{doubt}");
        assert!(master.left_out > 0 && master.complaints[0].contains("one to one"));
    }
}

#[test]
fn a_row_with_a_broken_field_is_left_out_and_counted() {
    for (from, to) in [
        ("25800.00000", "-0.01"),
        (",5.0000,", ",0.0500,"),
        (",65.0,", ",65.5,"),
        (",65.0,", ",0,"),
        (",CE,", ",XX,"),
        ("2026-02-17 14:30:00", "0001-01-01"),
        ("44430", "0"),
        ("44430", "99999999999"),
    ] {
        let put = CALL.replace("CE", "PE").replace("44430", "44500");
        let master = nifty(&[INDEX, &put, &CALL.replace(from, to)]).unwrap();
        assert_eq!((master.instruments.len(), master.left_out), (2, 1), "{from} -> {to}");
    }
}

#[test]
fn the_recorded_list_of_a_day_gives_its_real_contracts() {
    let Some(path) = super::super::test_data("instruments/api-scrip-master_excerpt_2026-02-10.csv.gz") else { return };
    let file = std::fs::File::open(path).unwrap();
    let wanted = [Underlying::Nifty, Underlying::BankNifty, Underlying::Sensex];
    let master = load(flate2::read::GzDecoder::new(file), &wanted, day(), &contracts()).unwrap();
    assert_eq!(master.rows, 19_876);
    assert_eq!((master.left_out, &master.complaints), (0, &Vec::new()));
    let index_ids: Vec<_> = master.instruments[..3].iter().map(|i| i.security_id).collect();
    assert_eq!(index_ids, [13, 25, 51]);
    let count =
        |u: Underlying| master.instruments.iter().filter(|i| i.option().is_some_and(|c| c.underlying == u)).count();
    assert_eq!([count(Underlying::Nifty), count(Underlying::BankNifty), count(Underlying::Sensex)], [4068, 2322, 4088]);
    for contract in master.instruments.iter().filter_map(Instrument::option) {
        let lot = match contract.underlying {
            Underlying::Nifty => 65,
            Underlying::BankNifty => 30,
            _ => 20,
        };
        assert_eq!((contract.lot.get(), contract.tick.paise()), (lot, 5));
    }
    // Both flags of 2026-03-25 are one expiry.
    let march = NaiveDate::from_ymd_opt(2026, 3, 25).unwrap();
    let sensex = master.instruments.iter().filter_map(Instrument::option);
    assert_eq!(sensex.filter(|c| c.underlying == Underlying::Sensex && c.expiry == march).count(), 484);
}
