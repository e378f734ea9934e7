//! Hostile files: valid ones, mutated, for as long as the budget lasts. Nothing may panic or be taken for sound when it
//! is not. `SCALPER_FUZZ_SECS` and `SCALPER_FUZZ_SEED` as in `fuzz_sockets`.

use std::path::Path;

use scalper::config;
use scalper::journal::codec::{CodecError, Decoder, Encoder};
use scalper::journal::emergency::{self, EmergencyFile};
use scalper_decide::domain::operator::OperatorCommand;
use scalper_decide::domain::{Event, Instant, InstrumentId, Seq, Stamp, Tick, TickSource};

use crate::fuzz_sockets::fuzz;

const SETTINGS: &str = include_str!("../../config/algo.yml");

#[test]
fn mutated_journal_blocks_never_break_the_decoder() {
    // H4
    let stamp = |n: i64| Stamp { seq: Seq(n.unsigned_abs()), at: Instant::from_secs(1_770_000_000 + n) };
    let mut encoder = Encoder::new(Seq(0));
    encoder.event(stamp(1), &Event::Operator(OperatorCommand::Halt));
    for n in 2..40 {
        let at = stamp(n).at;
        let id = InstrumentId(u32::try_from(n % 5).unwrap());
        let tick = Tick { volume: 75 * n, ..Tick::last_price(id, at, at, 12_000 + n, TickSource::Feed) };
        encoder.tick(stamp(n), &tick);
    }
    encoder.event(stamp(40), &Event::Timer);
    let block = encoder.take().unwrap();
    fuzz("journal blocks", std::slice::from_ref(&block.bytes), |bytes| {
        let read = Decoder::new().decode(block.first, block.last, bytes, |_, _| Ok::<_, CodecError>(()));
        assert!(read.is_ok() || *bytes != *block.bytes, "the sound block is read");
    });
}

#[test]
fn mutated_emergency_journals_never_break_the_reader() {
    let dir = tempfile::tempdir().unwrap();
    let (file, _) = EmergencyFile::open(dir.path()).unwrap();
    let mut bytes = std::fs::read(file.path()).unwrap();
    bytes.truncate(512);
    fuzz("emergency journals", &[bytes], |bytes| {
        let _ = emergency::read(bytes);
    });
}

#[test]
fn mutated_settings_never_break_the_loader_and_every_refusal_says_something() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("algo.yml");
    let load = |path: &Path| config::load(Some(path), std::iter::empty());
    fuzz("settings", &[SETTINGS.as_bytes().to_vec()], |bytes| {
        std::fs::write(&file, bytes).unwrap();
        if let Err(refused) = load(&file) {
            assert!(!refused.to_string().is_empty());
        }
    });
}
