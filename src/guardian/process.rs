//! Which process, and whether it lives. A number alone may belong to somebody else by now; with the time it started it
//! does not.

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

/// One process of this machine in this boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// When it started, in the kernel's ticks since boot.
    pub started: u64,
}

/// State letter and start time of a process that exists.
fn stat(pid: u32) -> Option<(char, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in brackets and may hold anything, brackets included.
    let (_, rest) = text.rsplit_once(") ")?;
    let mut words = rest.split(' ');
    let state = words.next()?.chars().next()?;
    Some((state, words.nth(18)?.parse().ok()?))
}

impl Process {
    /// The one that asks.
    pub fn me() -> Process {
        Process::of(std::process::id()).expect("the process that asks exists")
    }

    /// The process that has this number now, unless it is dead already.
    pub fn of(pid: u32) -> Option<Process> {
        stat(pid).filter(|(state, _)| is_living(*state)).map(|(_, started)| Process { pid, started })
    }

    /// Whether it lives. A stopped one does; one that only waits to be collected by its parent does not.
    pub fn is_alive(&self) -> bool {
        Process::of(self.pid) == Some(*self)
    }

    /// Ends it at once, if it is still the same.
    pub fn kill(&self) {
        if self.is_alive()
            && let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw)
        {
            // Gone in between is as good.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

const fn is_living(state: char) -> bool {
    !matches!(state, 'Z' | 'X' | 'x')
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_lives_until_it_is_dead_even_when_nobody_collected_it() {
        assert!(Process::me().is_alive());
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        let process = Process::of(child.id()).unwrap();
        assert!(process.is_alive());
        let earlier = Process { started: process.started - 1, ..process };
        assert!(!earlier.is_alive(), "the number belongs to somebody else by now");
        earlier.kill();
        assert!(process.is_alive());
        process.kill();
        // Not collected by `wait` yet: dead all the same, as soon as the kernel has ended it.
        while process.is_alive() {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert_eq!(Process::of(child.id()), None);
    }
}
