//! Where a store lives: the data folder, the database's URL, and the lock that lets one daemon in.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use super::error::{Refusal, StoreError};

/// Name of the default database in the data folder.
const DATABASE: &str = "scalper.db";

/// Which database, and where. Printing it never shows a password.
#[derive(Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// A file of the embedded database.
    Sqlite(PathBuf),
    /// A server, with everything its URL says.
    Postgres(String),
}

impl StoreUrl {
    /// The default: a file in the data folder.
    pub fn default_in(dir: &Path) -> StoreUrl {
        StoreUrl::Sqlite(dir.join(DATABASE))
    }

    /// Reads `sqlite:PATH` (also `sqlite://PATH`) or `postgres://..`.
    ///
    /// # Errors
    /// [`Refusal::Url`] for anything else, without the password it may hold.
    pub fn parse(text: &str) -> Result<StoreUrl, Refusal> {
        if let Some(path) = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:"))
            && !path.is_empty()
            && !path.starts_with(":memory:")
        {
            return Ok(StoreUrl::Sqlite(PathBuf::from(path)));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(StoreUrl::Postgres(text.to_owned()));
        }
        Err(Refusal::Url(without_password(text)))
    }
}

fn without_password(url: &str) -> String {
    let bare = url.split('?').next().unwrap_or_default();
    match (bare.find("://"), bare.rfind('@')) {
        (Some(scheme), Some(at)) if scheme + 3 < at => format!("{}..{}", &bare[..scheme + 3], &bare[at..]),
        _ => bare.to_owned(),
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreUrl::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            StoreUrl::Postgres(url) => f.write_str(&without_password(url)),
        }
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The exclusive lock on a data folder; given back when dropped or when the process dies, however it dies (E5).
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
    dir: PathBuf,
}

impl FolderLock {
    /// Takes the folder, making it when it does not exist.
    ///
    /// # Errors
    /// [`Refusal::Locked`] naming the process that has it; [`StoreError::ReadOnly`] when it cannot be written.
    pub fn take(dir: &Path) -> Result<FolderLock, StoreError> {
        let denied = |e: std::io::Error| StoreError::ReadOnly(format!("{}: {e}", dir.display()));
        std::fs::create_dir_all(dir).map_err(denied)?;
        let path = dir.join("scalper.lock");
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(denied)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let _ = file.read_to_string(&mut pid);
                let pid = pid.trim();
                let pid = if pid.is_empty() { "unknown" } else { pid }.to_owned();
                return Err(Refusal::Locked { dir: dir.display().to_string(), pid }.into());
            }
            Err(TryLockError::Error(e)) => return Err(denied(e)),
        }
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())?;
            file.flush()
        };
        write(&mut file).map_err(denied)?;
        Ok(FolderLock { _file: file, dir: dir.to_owned() })
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_taker_is_refused_and_told_the_process() {
        let dir = tempfile::tempdir().unwrap();
        let first = FolderLock::take(&dir.path().join("data")).unwrap();
        let Err(StoreError::Refused(Refusal::Locked { pid, .. })) = FolderLock::take(first.dir()) else {
            panic!("the folder was given away twice");
        };
        assert_eq!(pid, std::process::id().to_string());
        drop(first);
        FolderLock::take(&dir.path().join("data")).unwrap();
    }

    #[test]
    fn a_url_never_shows_its_password() {
        let url = StoreUrl::parse("postgres://me:hunter2@db.example:5432/scalper?sslkey=hunter2").unwrap();
        assert_eq!(
            format!("{url} {url:?}"),
            "postgres://..@db.example:5432/scalper postgres://..@db.example:5432/scalper"
        );
        let refused = StoreUrl::parse("mysql://me:hunter2@db.example/x").unwrap_err().to_string();
        assert!(!refused.contains("hunter2"), "{refused}");
        assert_eq!(StoreUrl::parse("sqlite:a/b.db").unwrap(), StoreUrl::Sqlite("a/b.db".into()));
        assert!(StoreUrl::parse("sqlite::memory:").is_err());
    }
}
