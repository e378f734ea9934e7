//! Which calls may have left this machine. A mark is written before the first byte of a call goes out, so after a crash
//! a committed command without a mark is proven never sent and may be sent now, and one with a mark is in doubt (P1).
//!
//! Marks survive the death of the process without fsync: they are in the kernel's hands. They do not survive a power
//! cut, so the file names the boot it was written in, and marks of another boot prove nothing.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use scalper_decide::domain::ClientOrderId;
use scalper_decide::domain::broker::OrderCall;

/// File name inside the data directory.
const FILE: &str = "sent.log";
/// Where Linux names the current boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// What the log knows of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WasSent {
    /// Not a byte left.
    No,
    /// It may have been sent, completely, partly or not at all.
    Maybe,
}

/// The log of one trading day.
#[derive(Debug)]
pub struct SentLog {
    file: File,
    marks: BTreeSet<String>,
    /// Marks are complete: every one was written in this boot.
    is_complete: bool,
}

fn mark_of(id: ClientOrderId, call: OrderCall) -> String {
    match call {
        OrderCall::Place => format!("{id} place"),
        OrderCall::Modify { version } => format!("{id} modify {version}"),
        OrderCall::Cancel => format!("{id} cancel"),
    }
}

impl SentLog {
    /// Opens the log of `day` (any text that differs from day to day); an older day's log is replaced.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn open(dir: &Path, day: &str) -> io::Result<SentLog> {
        let boot = fs::read_to_string(BOOT_ID).unwrap_or_default();
        let boot = boot.trim();
        SentLog::open_in(&dir.join(FILE), day, boot)
    }

    fn open_in(path: &PathBuf, day: &str, boot: &str) -> io::Result<SentLog> {
        let header = format!("sent {day} boot {boot}");
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(e),
        };
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        let same_day = first.starts_with(&format!("sent {day} boot "));
        let mut options = OpenOptions::new();
        options.create(true).mode(0o600);
        if !same_day {
            // Written aside and renamed: a crash in between leaves the old file, never half a header.
            let fresh = path.with_extension("new");
            fs::write(&fresh, format!("{header}\n"))?;
            fs::rename(&fresh, path)?;
            let file = options.append(true).open(path)?;
            return Ok(SentLog { file, marks: BTreeSet::new(), is_complete: !boot.is_empty() });
        }
        let is_complete = !boot.is_empty() && first == header;
        let mut file = options.append(true).open(path)?;
        if !text.ends_with('\n') {
            file.write_all(b"\n")?;
        }
        Ok(SentLog { file, marks: lines.map(str::to_owned).collect(), is_complete })
    }

    /// Notes that a call is about to leave. Must return before the first byte does.
    ///
    /// # Errors
    /// When the mark cannot be written: then the call must not be made.
    pub fn mark(&mut self, id: ClientOrderId, call: OrderCall) -> io::Result<()> {
        let mark = mark_of(id, call);
        self.file.write_all(format!("{mark}\n").as_bytes())?;
        self.marks.insert(mark);
        Ok(())
    }

    /// Whether a call may have been sent, by this process or one before it.
    pub fn was_sent(&self, id: ClientOrderId, call: OrderCall) -> WasSent {
        let mark = mark_of(id, call);
        // The last line may be torn: a mark that begins like this one counts.
        let torn =
            self.marks.iter().any(|known| !known.is_empty() && known.len() < mark.len() && mark.starts_with(known));
        if self.is_complete && !torn && !self.marks.contains(&mark) { WasSent::No } else { WasSent::Maybe }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ClientOrderId {
        ClientOrderId::parse(text).unwrap()
    }

    #[test]
    fn a_call_without_a_mark_of_this_boot_is_proven_unsent_and_one_of_another_boot_is_not() {
        // P1, G1, G2
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let mut log = SentLog::open_in(&path, "2026-02-10", "boot-a").unwrap();
        log.mark(id("S1-a"), OrderCall::Place).unwrap();
        log.mark(id("S1-a"), OrderCall::Modify { version: 2 }).unwrap();
        drop(log);
        let same = SentLog::open_in(&path, "2026-02-10", "boot-a").unwrap();
        assert_eq!(same.was_sent(id("S1-a"), OrderCall::Place), WasSent::Maybe);
        assert_eq!(same.was_sent(id("S1-a"), OrderCall::Modify { version: 2 }), WasSent::Maybe);
        assert_eq!(same.was_sent(id("S1-a"), OrderCall::Modify { version: 3 }), WasSent::No);
        assert_eq!(same.was_sent(id("S1-b"), OrderCall::Place), WasSent::No);
        let after_power_cut = SentLog::open_in(&path, "2026-02-10", "boot-b").unwrap();
        assert_eq!(after_power_cut.was_sent(id("S1-b"), OrderCall::Place), WasSent::Maybe);
        let next_day = SentLog::open_in(&path, "2026-02-11", "boot-b").unwrap();
        assert_eq!(next_day.was_sent(id("S1-b"), OrderCall::Place), WasSent::No);
    }

    #[test]
    fn a_torn_last_mark_counts_as_a_mark() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let mut log = SentLog::open_in(&path, "d", "b").unwrap();
        log.mark(id("S1-abcdef"), OrderCall::Cancel).unwrap();
        drop(log);
        let whole = fs::read(&path).unwrap();
        for cut in 1..=17 {
            fs::write(&path, &whole[..whole.len() - cut]).unwrap();
            let mut log = SentLog::open_in(&path, "d", "b").unwrap();
            let torn_away = whole.len() - cut <= "sent d boot b\n".len();
            let expected = if torn_away { WasSent::No } else { WasSent::Maybe };
            assert_eq!(log.was_sent(id("S1-abcdef"), OrderCall::Cancel), expected, "cut {cut}");
            log.mark(id("S1-next"), OrderCall::Place).unwrap();
            drop(log);
            let again = SentLog::open_in(&path, "d", "b").unwrap();
            assert_eq!(again.was_sent(id("S1-next"), OrderCall::Place), WasSent::Maybe);
        }
    }
}
