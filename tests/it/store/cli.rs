//! `scalper db`: every verb, and the codes it ends with.

use std::fs;
use std::path::Path;

use crate::support::{scalper, shared_data, succeed, tree};

/// A list with the four indices, two options and a future, and rows that are of no interest.
pub(super) fn small_master() -> String {
    "SEM_EXM_EXCH_ID,SEM_SEGMENT,SEM_SMST_SECURITY_ID,SEM_INSTRUMENT_NAME,SEM_EXPIRY_CODE,SEM_TRADING_SYMBOL,\
     SEM_LOT_UNITS,SEM_CUSTOM_SYMBOL,SEM_EXPIRY_DATE,SEM_STRIKE_PRICE,SEM_OPTION_TYPE,SEM_TICK_SIZE\n\
     NSE,I,13,INDEX,0,NIFTY,1.0,Nifty 50,0001-01-01,,XX,0.0500\n\
     NSE,I,25,INDEX,0,BANKNIFTY,1.0,Nifty Bank,0001-01-01,,XX,0.0500\n\
     NSE,I,21,INDEX,0,INDIA VIX,1.0,India VIX,0001-01-01,,XX,0.0500\n\
     BSE,I,51,INDEX,0,SENSEX,1.0,Sensex,0001-01-01,,XX,0.0100\n\
     NSE,D,35060,OPTIDX,0,NIFTY-Mar2026-31250-CE,65.0,x,2026-03-30 14:30:00,31250.00000,CE,5.0000\n\
     BSE,D,1100789,OPTIDX,0,SENSEX-Mar2026-79000-PE,20.0,x,2026-03-25 15:30:00,79000.00000,PE,5.0000\n\
     NSE,D,51714,FUTIDX,0,NIFTY-Mar2026-FUT,65.0,x,2026-03-30 14:30:00,-0.01000,XX,10.0000\n\
     NSE,E,2885,EQUITY,0,RELIANCE,1.0,x,,,,10.0000\n"
        .to_owned()
}

fn fails(dir: &Path, args: &[&str], code: i32) -> String {
    let out = scalper(dir).args(args).output().unwrap();
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(code), "{args:?}: {text}");
    text
}

#[test]
fn a_database_is_made_seeded_proved_copied_and_put_back() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("master.csv"), small_master()).unwrap();
    assert!(fails(dir, &["db", "verify"], 3).contains("there is no database"));
    assert!(succeed(dir, &["db", "migrate"]).contains("schema 0 -> 5"));
    assert!(succeed(dir, &["db", "migrate"]).contains("nothing to do"));
    assert!(fails(dir, &["db", "seed"], 3).contains("NIFTY (NSE IDX_I 13): no such instrument"));
    let seeded = succeed(dir, &["db", "seed", "--master", "master.csv"]);
    assert!(seeded.contains("derivatives 3") && seeded.contains("IDX_I 51"), "{seeded}");
    assert!(succeed(dir, &["db", "verify"]).contains("0 runs, 0 segments, 0 events: sound"));
    succeed(dir, &["db", "backup", "copy.db"]);
    assert!(fails(dir, &["db", "backup", "copy.db"], 2).contains("exists"));

    fs::write(dir.join("broken.db"), &fs::read(dir.join("copy.db")).unwrap()[..20_000]).unwrap();
    let data = || {
        let mut files = tree(&dir.join("data"));
        files.retain(|path, _| !path.ends_with("scalper.lock"));
        files
    };
    let before = data();
    fails(dir, &["db", "restore", "broken.db"], 3);
    assert!(data() == before, "nothing changed");
    let restored = succeed(dir, &["db", "restore", "copy.db"]);
    assert!(restored.contains("is now data/scalper.db.before-restore-"), "{restored}");
    assert!(succeed(dir, &["db", "seed"]).contains("watchlist 4"));
}

#[test]
fn a_folder_in_use_is_left_alone_and_the_user_told_by_whom() {
    // E5.
    let dir = tempfile::tempdir().unwrap();
    succeed(dir.path(), &["db", "migrate"]);
    succeed(dir.path(), &["db", "backup", "copy.db"]);
    let _mine = scalper::store::place::FolderLock::take(&dir.path().join("data")).unwrap();
    let pid = std::process::id().to_string();
    for args in [&["db", "migrate"][..], &["db", "seed"], &["db", "restore", "copy.db"]] {
        let text = fails(dir.path(), args, 1);
        assert!(text.contains(&format!("in use by process {pid}")), "{text}");
    }
    let verified = succeed(dir.path(), &["db", "verify"]);
    assert!(verified.contains("tables: not compared"), "{verified}");
}

#[test]
fn wrong_urls_and_servers_that_do_not_answer_are_told_without_a_password() {
    let dir = tempfile::tempdir().unwrap();
    let text = fails(dir.path(), &["db", "--url", "mysql://me:hunter2@x/y", "migrate"], 2);
    assert!(text.contains("expected sqlite:PATH") && !text.contains("hunter2"), "{text}");
    let text = fails(dir.path(), &["db", "--url", "postgres://me:hunter2@127.0.0.1:1/x", "migrate"], 1);
    assert!(text.contains("no connection") && !text.contains("hunter2"), "{text}");
    let text = fails(dir.path(), &["db", "--url", "postgres://me:hunter2@127.0.0.1:1/x", "backup", "f"], 2);
    assert!(text.contains("pg_dump"), "{text}");
}

#[test]
fn the_shipped_seeds_resolve_against_a_real_instrument_list() {
    // S3-43, F-81, X-5.
    let Some(data) = shared_data("the_shipped_seeds_resolve_against_a_real_instrument_list") else { return };
    let dir = tempfile::tempdir().unwrap();
    let master = data.join("instruments/api-scrip-master_excerpt_2026-02-10.csv.gz");
    let text = succeed(dir.path(), &["db", "seed", "--master", &master.canonicalize().unwrap().to_string_lossy()]);
    assert!(text.contains("watchlist 4") && text.contains("ambiguous 0"), "{text}");
}
