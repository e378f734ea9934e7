//! The shelf: what is taken over and what is not.

use super::keep::{KeepError, Shelf};
use super::*;

/// A list of an index and so many options.
fn file(folder: &std::path::Path, options: usize) -> std::path::PathBuf {
    let mut rows = vec![COMPACT.to_owned(), INDEX.to_owned()];
    rows.extend(
        (0..options)
            .map(|i| CALL.replace("25800", &(20_000 + 50 * i).to_string()).replace("44430", &(1_000 + i).to_string())),
    );
    let path = folder.join("new.csv");
    std::fs::write(&path, rows.join("\n") + "\n").unwrap();
    path
}

#[test]
fn a_good_list_is_put_in_place_and_archived_with_its_sum() {
    let dir = tempfile::tempdir().unwrap();
    let shelf = Shelf::new(dir.path(), "compact");
    assert!(matches!(shelf.load(day()), Err(KeepError::None(_))));
    for (d, options) in [(10, 99), (11, 104)] {
        let (master, good) = shelf.take(&file(dir.path(), options), date(2026, 2, d), false).unwrap();
        assert_eq!((master.report().rows, good.rows, good.day), (options + 1, options + 1, date(2026, 2, d)));
    }
    assert_eq!(shelf.load(day()).unwrap().0.len(), 105);
    let sums = std::fs::read_to_string(dir.path().join("archive/SUMS")).unwrap();
    let lines: Vec<_> = sums.lines().map(|line| line.split_once("  ").unwrap()).collect();
    assert_eq!(
        lines.iter().map(|(_, name)| *name).collect::<Vec<_>>(),
        ["2026-02-10-compact.csv.zst", "2026-02-11-compact.csv.zst"]
    );
    for (sum, name) in lines {
        let bytes = std::fs::read(dir.path().join("archive").join(name)).unwrap();
        assert_eq!(blake3::hash(&bytes).to_hex().as_str(), sum);
    }
    let old = keep::read(&dir.path().join("archive/2026-02-10-compact.csv.zst"), day()).unwrap();
    assert_eq!(old.len(), 100);
}

#[test]
fn a_list_that_has_shrunk_by_more_than_a_fifth_is_refused_and_the_old_one_stays() {
    let dir = tempfile::tempdir().unwrap();
    let shelf = Shelf::new(dir.path(), "compact");
    shelf.take(&file(dir.path(), 99), day(), false).unwrap();
    let before = std::fs::read(shelf.path()).unwrap();
    let error = shelf.take(&file(dir.path(), 78), day(), false).unwrap_err();
    assert!(matches!(error, KeepError::Shrunk { had: 100, has: 79, .. }), "{error}");
    assert_eq!(std::fs::read(shelf.path()).unwrap(), before);
    assert_eq!(shelf.load(day()).unwrap().1.rows, 100);
    // Four fifths are just enough, and a person may say that fewer are right.
    shelf.take(&file(dir.path(), 79), day(), false).unwrap();
    shelf.take(&file(dir.path(), 9), day(), true).unwrap();
    assert_eq!(shelf.load(day()).unwrap().0.len(), 10);
}

#[test]
fn a_broken_list_is_refused_whatever_is_broken_about_it() {
    let dir = tempfile::tempdir().unwrap();
    let shelf = Shelf::new(dir.path(), "compact");
    let good = file(dir.path(), 99);
    shelf.take(&good, day(), false).unwrap();
    let text = std::fs::read_to_string(&good).unwrap();
    let bad = dir.path().join("bad.csv");
    let cases = [
        ("an error page", "<html><body>503</body></html>\n".to_owned()),
        ("nothing", String::new()),
        ("a header alone", COMPACT.to_owned()),
        ("cut off in its last row", text[..text.len() - 4].to_owned()),
        ("mangled dates", text.replacen("2026-02-17", "17-02-2026", 2)),
        ("prices that moved a column", text.replace(",CE,5.0000,", ",5.0000,CE,")),
    ];
    for (name, text) in cases {
        std::fs::write(&bad, text).unwrap();
        let error = shelf.take(&bad, day(), true).unwrap_err();
        assert!(matches!(error, KeepError::Broken { .. } | KeepError::List { .. }), "{name}: {error}");
        assert_eq!(shelf.load(day()).unwrap().1.rows, 100, "{name}");
    }
    // One bad row in a hundred is not the list's fault.
    std::fs::write(&bad, text.replacen("2026-02-17", "17-02-2026", 1)).unwrap();
    shelf.take(&bad, day(), false).unwrap();
}

#[test]
fn a_last_good_list_that_somebody_changed_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let shelf = Shelf::new(dir.path(), "compact");
    shelf.take(&file(dir.path(), 9), day(), false).unwrap();
    let text = std::fs::read_to_string(shelf.path()).unwrap().replace("65.0", "75.0");
    std::fs::write(shelf.path(), text).unwrap();
    assert!(matches!(shelf.load(day()), Err(KeepError::Changed(_))));
}
