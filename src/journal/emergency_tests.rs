use scalper_decide::domain::Instant;

use super::*;
use crate::store::link::values;
use crate::store::tables::HOLDS;

const RUN: Uuid = Uuid::from_u128(3);

fn commit(first: u64, bytes: usize) -> Spilled {
    let stamp = |seq| Stamp { seq: Seq(seq), at: Instant::from_secs(seq.cast_signed()) };
    // Bytes without pattern keep their size when packed.
    let bytes = (0..bytes as u64).map(|n| (xxh3_64(&(n + first).to_le_bytes()) & 0xff) as u8).collect();
    let rows = vec![RowChange::new(&HOLDS, values!["2026-01-12", 1_i64, None::<i64>, "held", 5_i64, 0_i64, first])];
    Spilled { run: RUN, block: Block { first: stamp(first), last: stamp(first + 1), bytes }, rows }
}

fn filled() -> (tempfile::TempDir, Vec<Spilled>, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let commits: Vec<Spilled> = (0..4).map(|n| commit(1 + 2 * n, 900)).collect();
    let (mut file, empty) = EmergencyFile::open(dir.path()).unwrap();
    assert_eq!(empty.records, []);
    for commit in &commits {
        file.append(commit).unwrap();
        file.append(commit).unwrap();
    }
    let bytes = std::fs::read(file.path()).unwrap();
    (dir, commits, bytes)
}

#[test]
fn commits_come_back_once_each_and_a_reset_forgets_them() {
    let (dir, commits, bytes) = filled();
    assert_eq!(bytes.len() as u64, SIZE, "the room is taken in advance");
    let (mut file, contents) = EmergencyFile::open(dir.path()).unwrap();
    assert_eq!((contents.records, contents.torn), (commits, false));
    file.reset().unwrap();
    let (_, contents) = EmergencyFile::open(dir.path()).unwrap();
    assert_eq!(contents.records, []);
}

#[test]
fn every_flipped_bit_of_the_last_four_kibibytes_is_refused() {
    // H4: nothing that was acknowledged is dropped silently, nothing false is read.
    let (_dir, commits, mut bytes) = filled();
    let end = usize::try_from(read(&bytes).unwrap().end).unwrap();
    let from = HEAD.len().max(end - 4096);
    for bit in from * 8..end * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        // Reading the whole file for each bit would take minutes; the used part and some of the rest say the same.
        let found = read(&bytes[..end + 64]);
        assert!(matches!(found, Err(EmergencyFault::Damaged { .. })), "bit {bit}: {found:?}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    assert_eq!(read(&bytes).unwrap().records, commits);
}

#[test]
fn a_record_that_was_cut_off_anywhere_is_dropped_and_those_before_it_kept() {
    // A crash in the middle of the last write: nobody was told that it is durable.
    let (_dir, commits, bytes) = filled();
    let end = usize::try_from(read(&bytes).unwrap().end).unwrap();
    let mut three = bytes[..end + 64].to_vec();
    let body = body(&commits[3]).len();
    let start = end - (body + RECORD_HEAD + RECORD_TAIL);
    // The end mark is the last thing written; cutting inside it leaves a mark that is neither there nor absent.
    for cut in start..end - 8 {
        three[cut..end].fill(0);
        let contents = read(&three).unwrap();
        assert_eq!(contents.records.len(), 3, "cut at {cut}");
        assert!(contents.torn || cut == start, "cut at {cut}");
        three[..end].copy_from_slice(&bytes[..end]);
    }
}

#[test]
fn a_file_cut_short_or_of_another_kind_is_refused() {
    let (dir, _, bytes) = filled();
    let path = dir.path().join("emergency.journal");
    std::fs::write(&path, &bytes[..100_000]).unwrap();
    assert!(matches!(EmergencyFile::open(dir.path()), Err(EmergencyFault::Damaged { .. })));
    let mut other = bytes;
    other[0] ^= 0xff;
    std::fs::write(&path, &other).unwrap();
    assert!(matches!(EmergencyFile::open(dir.path()), Err(EmergencyFault::Damaged { at: 0, .. })));
}

#[test]
fn a_full_file_says_so_and_keeps_what_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let (mut file, _) = EmergencyFile::open(dir.path()).unwrap();
    let mut written = 0;
    while let Ok(()) = file.append(&commit(1 + 2 * written, 500_000)) {
        written += 1;
    }
    assert!(written > 10, "{written} records fitted");
    let (mut file, contents) = EmergencyFile::open(dir.path()).unwrap();
    assert_eq!(contents.records.len() as u64, written);
    assert!(matches!(file.append(&commit(9_001, 500_000)), Err(EmergencyFault::Full)));
}

#[test]
fn no_bytes_make_the_reader_panic() {
    use proptest::prelude::*;
    let (_dir, _, bytes) = filled();
    let end = usize::try_from(read(&bytes).unwrap().end).unwrap();
    proptest!(|(changes in proptest::collection::vec((0..end, any::<u8>()), 1..8), len in 0..end + 64)| {
        let mut bytes = bytes[..len].to_vec();
        for (at, byte) in changes {
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
        let _ = read(&bytes);
    });
}
