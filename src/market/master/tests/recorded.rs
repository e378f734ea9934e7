//! The excerpt of a real day.

use super::*;

fn excerpt(name: &str) -> Option<std::path::PathBuf> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/instruments").join(name);
    if !path.exists() {
        eprintln!("SKIPPED: ../shared/data/instruments/{name} not present");
        return None;
    }
    Some(path)
}

#[test]
fn the_recorded_compact_list_is_read_without_a_complaint() {
    let Some(path) = excerpt("api-scrip-master_excerpt_2026-02-10.csv.gz") else { return };
    let master = keep::read(&path, day()).unwrap();
    let report = master.report();
    assert_eq!((report.rows, report.broken, report.ambiguous), (19_876, 0, 0), "{:?}", report.complaints);
    assert_eq!(report.too_fine, 4, "EURUSD 1.105 and the like");
    assert_eq!(report.kept + report.tests + report.expired + report.off_feed + report.too_fine, report.rows);
    let id = |venue, symbol| master.unique(venue, Kind::Index, symbol).unwrap().key().1;
    //
    assert_eq!(
        ["NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "INDIA VIX"].map(|s| id(Venue::Nse, s)),
        [13, 25, 27, 442, 21]
    );
    assert_eq!(["SENSEX", "BANKEX"].map(|s| id(Venue::Bse, s)), [51, 69]);
    let expiries = |segment, symbol| master.expiries(master.underlying(segment, symbol).unwrap(), day()).count();
    assert_eq!(expiries(Segment::NseFno, "NIFTY"), 18);
    assert_eq!(expiries(Segment::BseFno, "SENSEX"), 19);
    assert_eq!((expiries(Segment::NseFno, "BANKNIFTY"), expiries(Segment::BseFno, "BANKEX")), (6, 3));
    // 2026-03-25 stands under two flags and is one expiry.
    let sensex = master.underlying(Segment::BseFno, "SENSEX").unwrap();
    assert_eq!(master.chain(sensex, date(2026, 3, 25)).count(), 484);
    let step = |segment, symbol, points| {
        let of = master.underlying(segment, symbol).unwrap();
        let near = master.expiries(of, day()).next().unwrap();
        master.step_near(of, near, Strike::from_points(points)).unwrap().paise() / 100
    };
    assert_eq!((step(Segment::NseFno, "NIFTY", 25_900), step(Segment::NseFno, "BANKNIFTY", 60_500)), (50, 100));
    assert_eq!((step(Segment::BseFno, "SENSEX", 84_000), step(Segment::NseFno, "MIDCPNIFTY", 13_500)), (100, 25));
    // An MCX option of 17 February moves with the future of the 19th.
    let crude = master.underlying(Segment::McxComm, "CRUDEOIL").unwrap();
    assert_eq!(master.future_behind(crude, date(2026, 2, 17)).unwrap().expiry(), Some(date(2026, 2, 19)));
    for row in master.iter() {
        assert_eq!(master.get(row.key()).unwrap().symbol(), row.symbol());
        assert!(master.by_symbol(row.symbol()).any(|found| found.key() == row.key()));
    }
}

#[test]
fn the_recorded_detailed_list_is_read_without_a_complaint() {
    let Some(path) = excerpt("api-scrip-master-detailed_excerpt_NSE_equity_2025-05.csv.gz") else { return };
    let text = std::io::read_to_string(keep::open(&path).unwrap()).unwrap();
    assert!(!text.contains("EXCH_ID"), "the excerpt has no header of its own");
    let master = Master::read(format!("{DETAILED}\n{text}").as_bytes(), day()).unwrap();
    assert_eq!(master.report().broken, 0, "{:?}", master.report().complaints);
    assert_eq!(master.unique(Venue::Nse, Kind::Equity, "ARE&M").unwrap().key(), (Segment::NseEq, 100));
}
