//! Puts finished days into a tape all together or not at all.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use super::error::TapeError;

const OLD: &str = ".old-";

/// The right to change a tape. Holds a lock on the folder; a folder that had to be created is removed again unless
/// [`Claim::publish`] succeeds.
#[derive(Debug)]
pub struct Claim {
    tape: PathBuf,
    // Keeps the advisory lock for as long as the claim lives.
    _lock: File,
    created: bool,
    staged: Vec<(NaiveDate, PathBuf)>,
}

impl Claim {
    /// Claims a tape for writing, creating its folder when there is none.
    ///
    /// # Errors
    /// [`TapeError::Busy`] when another process writes it, [`TapeError::Io`] when the folder cannot be made.
    pub fn new(tape: &Path) -> Result<Claim, TapeError> {
        let created = !tape.exists();
        fs::create_dir_all(tape).map_err(TapeError::io(tape))?;
        let lock = File::open(tape).map_err(TapeError::io(tape))?;
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(TapeError::Busy { tape: tape.to_owned() }),
            // Some network file systems have no locks; the renames below stay atomic without them.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        let claim = Claim { tape: tape.to_owned(), _lock: lock, created, staged: Vec::new() };
        claim.repair()?;
        Ok(claim)
    }

    /// Ends what an interrupted [`Claim::publish`] left behind: a day that was set aside and not yet replaced
    /// returns, half-written days go.
    fn repair(&self) -> Result<(), TapeError> {
        for entry in fs::read_dir(&self.tape).map_err(TapeError::io(&self.tape))? {
            let path = entry.map_err(TapeError::io(&self.tape))?.path();
            let Some(name) = path.file_name().and_then(|n| n.to_str()) else { continue };
            if let Some(day) = name.strip_prefix(OLD) {
                let home = self.tape.join(day);
                if home.exists() {
                    fs::remove_dir_all(&path).map_err(TapeError::io(&path))?;
                } else {
                    fs::rename(&path, &home).map_err(TapeError::io(&path))?;
                }
            } else if name.starts_with(".new-") {
                fs::remove_dir_all(&path).map_err(TapeError::io(&path))?;
            }
        }
        Ok(())
    }

    /// An empty folder in which the files of `day` can be prepared, on the same disk as the tape.
    pub fn stage(&mut self, day: NaiveDate) -> Result<PathBuf, TapeError> {
        let folder = self.tape.join(format!(".new-{day}"));
        fs::create_dir(&folder).map_err(TapeError::io(&folder))?;
        self.staged.push((day, folder.clone()));
        Ok(folder)
    }

    /// Moves every staged day to its place. When one move fails, the ones before it are undone.
    pub fn publish(mut self) -> Result<(), TapeError> {
        let mut done: Vec<(PathBuf, PathBuf, bool)> = Vec::new();
        let mut failure = None;
        for (day, folder) in &self.staged {
            let (home, aside) = (self.tape.join(day.to_string()), self.tape.join(format!("{OLD}{day}")));
            let had = home.exists();
            let moved = if had { fs::rename(&home, &aside) } else { Ok(()) };
            if let Err(e) = moved.and_then(|()| fs::rename(folder, &home)) {
                if had && !home.exists() {
                    // The old day is still whole under its other name.
                    let _ = fs::rename(&aside, &home);
                }
                failure = Some(TapeError::Io { path: home, source: e });
                break;
            }
            done.push((home, aside, had));
        }
        if let Some(error) = failure {
            for (home, aside, had) in done.into_iter().rev() {
                let _ = fs::remove_dir_all(&home);
                if had {
                    let _ = fs::rename(&aside, &home);
                }
            }
            return Err(error);
        }
        self.staged.clear();
        self.created = false;
        for (_, aside, had) in done {
            if had {
                fs::remove_dir_all(&aside).map_err(TapeError::io(&aside))?;
            }
        }
        Ok(())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        for (_, folder) in &self.staged {
            let _ = fs::remove_dir_all(folder);
        }
        if self.created {
            let _ = fs::remove_dir(&self.tape);
        }
    }
}

/// Writes a file and pushes it to the disk.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), TapeError> {
    use std::io::Write;
    let mut file = File::create(path).map_err(TapeError::io(path))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(TapeError::io(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day() -> NaiveDate {
        "2026-01-12".parse().unwrap()
    }

    #[test]
    fn a_claim_that_is_not_published_leaves_no_trace() {
        let dir = tempfile::tempdir().unwrap();
        let tape = dir.path().join("tape");
        let mut claim = Claim::new(&tape).unwrap();
        write_file(&claim.stage(day()).unwrap().join("x"), b"x").unwrap();
        drop(claim);
        assert!(!tape.exists());
    }

    #[test]
    fn two_writers_of_one_tape_exclude_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let first = Claim::new(dir.path()).unwrap();
        assert!(matches!(Claim::new(dir.path()), Err(TapeError::Busy { .. })));
        drop(first);
        Claim::new(dir.path()).unwrap();
    }

    #[test]
    fn a_day_set_aside_by_a_crash_returns() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(".old-2026-01-12")).unwrap();
        fs::write(dir.path().join(".old-2026-01-12/x"), "old").unwrap();
        fs::create_dir(dir.path().join(".new-2026-01-12")).unwrap();
        drop(Claim::new(dir.path()).unwrap());
        assert_eq!(fs::read_to_string(dir.path().join("2026-01-12/x")).unwrap(), "old");
        assert!(!dir.path().join(".new-2026-01-12").exists());
    }

    #[test]
    fn publishing_replaces_a_day_whole() {
        let dir = tempfile::tempdir().unwrap();
        for text in ["one", "two"] {
            let mut claim = Claim::new(dir.path()).unwrap();
            write_file(&claim.stage(day()).unwrap().join("x"), text.as_bytes()).unwrap();
            claim.publish().unwrap();
        }
        assert_eq!(fs::read_to_string(dir.path().join("2026-01-12/x")).unwrap(), "two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
