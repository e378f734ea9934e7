//! Places where a test can make the process die, wait or fail. Compiled in always, inert unless the environment says
//! otherwise: `SCALPER_FAILPOINT=name:action[:n]` acts at the `n`-th passage (1 when not given) of the place `name`.
//!
//! | action | effect |
//! |---|---|
//! | `kill` | the process kills itself with SIGKILL: no unwinding, no destructors, no flush |
//! | `kill-MS` | the thread stands still for so long while the rest goes on, then as `kill` |
//! | `pause` | the thread stands still for ever; the rest of the process goes on |
//! | `error` | the place fails with an I/O error |
//! | `sleep-MS` | the thread waits that many milliseconds, once |
//!
//! Places: `store.before_write` (transaction open, nothing written), `store.after_write` (everything written, not
//! committed), `store.after_commit` (durable, nobody told); the same three as `orders.` when the transaction carries
//! commands; `gateway.before_send` (marked as sent, nothing written to the broker), `gateway.after_send` (written, no
//! answer heard), `gateway.after_response` (the answer in hand, not in the journal); `emergency.before_write`,
//! `emergency.after_write` (not synced), `emergency.after_sync`; `engine.look` (the decision loop looks at the deciders'
//! books, twice a second of the wall: `error` is a bug of the loop, `pause` a loop that stands still).

use std::io;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Name of the variable.
pub const VARIABLE: &str = "SCALPER_FAILPOINT";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Kill(Duration),
    Pause,
    Error,
    Sleep(Duration),
}

#[derive(Debug)]
struct Armed {
    name: String,
    action: Action,
    left: AtomicU32,
}

impl Armed {
    fn parse(text: &str) -> Option<Armed> {
        let mut parts = text.split(':');
        let (name, action) = (parts.next()?.to_owned(), parts.next()?);
        let left = parts.next().map_or(Some(1), |n| n.parse().ok())?;
        let millis = |text: &str| text.parse().ok().map(Duration::from_millis);
        let action = match action.split_once('-') {
            None if action == "kill" => Action::Kill(Duration::ZERO),
            None if action == "pause" => Action::Pause,
            None if action == "error" => Action::Error,
            Some(("kill", after)) => Action::Kill(millis(after)?),
            Some(("sleep", time)) => Action::Sleep(millis(time)?),
            _ => return None,
        };
        Some(Armed { name, action, left: AtomicU32::new(left) })
    }

    fn is_due(&self, name: &str) -> bool {
        self.name == name && self.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| n.checked_sub(1)) == Ok(1)
    }
}

fn armed() -> Option<&'static Armed> {
    static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
    ARMED.get_or_init(|| std::env::var(VARIABLE).ok().and_then(|text| Armed::parse(&text))).as_ref()
}

/// Whether the place `name` is going to act at one of its next passages.
pub fn is_armed(name: &str) -> bool {
    armed().is_some_and(|armed| armed.name == name && armed.left.load(Ordering::Acquire) > 0)
}

/// Passes the place `name`.
///
/// # Errors
/// Only when the place is armed with `error`.
pub fn pass(name: &str) -> io::Result<()> {
    let Some(armed) = armed().filter(|armed| armed.is_due(name)) else { return Ok(()) };
    match armed.action {
        Action::Kill(after) => {
            std::thread::sleep(after);
            let _ = Command::new("kill").args(["-KILL", &std::process::id().to_string()]).status();
            std::process::abort();
        }
        Action::Pause => loop {
            std::thread::park();
        },
        Action::Error => Err(io::Error::other(format!("failpoint {name}"))),
        Action::Sleep(time) => {
            std::thread::sleep(time);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failpoint_acts_at_its_nth_passage_and_never_again() {
        let armed = Armed::parse("store.after_write:error:3").unwrap();
        assert!(!armed.is_due("store.before_write"));
        let due: Vec<bool> = (0..5).map(|_| armed.is_due("store.after_write")).collect();
        assert_eq!(due, [false, false, true, false, false]);
        assert_eq!(Armed::parse("x:sleep-20").unwrap().action, Action::Sleep(Duration::from_millis(20)));
        assert_eq!(Armed::parse("x:kill-40:2").unwrap().action, Action::Kill(Duration::from_millis(40)));
        assert_eq!(Armed::parse("x:kill").unwrap().action, Action::Kill(Duration::ZERO));
        for bad in ["x", "x:explode", "x:kill-soon", "x:kill:never", "x:pause-3"] {
            assert!(Armed::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn nothing_happens_at_a_place_that_is_not_armed() {
        assert!(pass("nowhere").is_ok());
    }
}
