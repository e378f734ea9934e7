//! The guardian's sign of life and its lock, and how the engine looks at them.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant as Monotonic};

use serde::{Deserialize, Serialize};

use super::process::Process;
use super::slate::{self, Slate};
use crate::engine::status::GuardianStatus;
use crate::failpoint;

/// Sign of life, inside the data folder.
const FILE: &str = "guardian.beat";
/// Lock that lets one guardian in.
const LOCK: &str = "guardian.lock";
/// What a guardian started by the engine says.
pub const LOG: &str = "guardian.log";
/// Silence after which a guardian does not count as awake.
const SILENCE: Duration = Duration::from_secs(3);

/// What a guardian is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Who.
    pub process: Process,
    /// Grows with every look.
    pub count: u64,
    /// Watches, and would act.
    pub is_watching: bool,
    /// In words.
    pub text: String,
}

/// The guardian's end.
#[derive(Debug)]
pub struct Post {
    slate: Slate,
    report: Report,
    _lock: File,
}

impl Post {
    /// Takes the post of a data folder.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when another guardian has it; anything else when the folder cannot be written.
    pub fn take(dir: &Path) -> io::Result<Post> {
        let lock = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(dir.join(LOCK))?;
        lock.try_lock().map_err(|e| match e {
            TryLockError::WouldBlock => io::ErrorKind::WouldBlock.into(),
            TryLockError::Error(e) => e,
        })?;
        let slate = Slate::open(&dir.join(FILE))?;
        let report = Report { process: Process::me(), count: 0, is_watching: false, text: "starts".to_owned() };
        Ok(Post { slate, report, _lock: lock })
    }

    /// Says what it is doing.
    ///
    /// # Errors
    /// When the folder cannot be written any more.
    pub fn say(&mut self, is_watching: bool, text: &str) -> io::Result<()> {
        self.report.count += 1;
        self.report.is_watching = is_watching;
        text.clone_into(&mut self.report.text);
        self.slate.write(&self.report)
    }
}

/// The guardian of a folder as it last said; it may be dead.
pub fn report(dir: &Path) -> Option<Report> {
    slate::read(&dir.join(FILE))
}

/// The engine's end: whether somebody would close its positions.
#[derive(Debug)]
pub struct GuardWatch {
    dir: PathBuf,
    seen: Option<(Process, u64)>,
    changed: Monotonic,
}

impl GuardWatch {
    /// Nobody seen yet.
    pub fn new(dir: &Path) -> GuardWatch {
        GuardWatch { dir: dir.to_owned(), seen: None, changed: Monotonic::now() }
    }

    /// Looks.
    pub fn look(&mut self) -> GuardianStatus {
        self.look_at(Monotonic::now())
    }

    fn look_at(&mut self, now: Monotonic) -> GuardianStatus {
        let report = report(&self.dir);
        let seen = report.as_ref().map(|r| (r.process, r.count));
        let first = self.seen.is_none();
        if seen != self.seen {
            (self.seen, self.changed) = (seen, now);
        }
        let Some(report) = report else {
            return GuardianStatus { is_alive: false, pid: None, text: "there is none".to_owned() };
        };
        // What stood there before we came is no sign of life.
        let is_alive = !first && report.is_watching && now - self.changed < SILENCE && report.process.is_alive();
        let text = if report.process.is_alive() { report.text } else { format!("dead; it last said: {}", report.text) };
        GuardianStatus { is_alive, pid: Some(report.process.pid), text }
    }
}

/// Starts a guardian that outlives this process, unless one is at its post. What it says goes to [`LOG`].
///
/// # Errors
/// When it cannot be started.
pub fn start(dir: &Path, arguments: &[String]) -> io::Result<()> {
    if report(dir).is_some_and(|report| report.process.is_alive()) {
        return Ok(());
    }
    let log = OpenOptions::new().append(true).create(true).open(dir.join(LOG))?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("guardian").args(arguments).arg("--for-process").arg(std::process::id().to_string());
    // Its own life: the service manager's socket is the engine's.
    command.env_remove("NOTIFY_SOCKET").env_remove("WATCHDOG_USEC").env_remove("WATCHDOG_PID");
    command.env_remove(failpoint::VARIABLE);
    let mut child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
    // Collects it when it ends first, so that it does not look half alive.
    std::thread::Builder::new().name("guardian".to_owned()).spawn(move || child.wait())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guardian_counts_as_awake_only_while_it_goes_on_watching() {
        // N6
        let dir = tempfile::tempdir().unwrap();
        let (mut watch, begun) = (GuardWatch::new(dir.path()), Monotonic::now());
        let at = |millis| begun + Duration::from_millis(millis);
        assert!(!watch.look_at(at(0)).is_alive);
        let mut post = Post::take(dir.path()).unwrap();
        post.say(true, "watches").unwrap();
        assert!(!watch.look_at(at(500)).is_alive, "it may have stood there for a day");
        post.say(true, "watches").unwrap();
        assert!(watch.look_at(at(1_000)).is_alive);
        assert!(watch.look_at(at(3_900)).is_alive);
        assert!(!watch.look_at(at(4_000)).is_alive);
        post.say(false, "takes over").unwrap();
        assert!(!watch.look_at(at(4_500)).is_alive);
        assert_eq!(Post::take(dir.path()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
}
