//! The rate budget before the wire: every call asks the core's budget first, waits when a window is full, and is not
//! made when the day is spent. What was used is kept in the data folder, because the broker's counts survive our
//! restarts.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use futures_util::future::BoxFuture;
use scalper_decide::domain::Instant;
use scalper_decide::rate_budget::{Call, OrderUsage, OrderUse, Permit, RateBudget, RateParams};

use crate::broker::dhan::rest::budget::{BudgetPort, CallClass, NotGranted};
use crate::clock::SessionClock;

/// The file in the data folder.
const FILE: &str = "rate-budget.json";

/// The budget of one account, shared by all clients of this process.
#[derive(Debug)]
pub struct KeptBudget {
    budget: Mutex<RateBudget>,
    clock: SessionClock,
    file: PathBuf,
}

/// What a file holds; an empty budget when there is none.
fn read(dir: &Path) -> Result<RateBudget, String> {
    let path = dir.join(FILE);
    match std::fs::read(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(RateBudget::new(RateParams::default())),
        Err(e) => Err(format!("{}: {e}", path.display())),
        Ok(text) => {
            let budget: RateBudget = serde_json::from_slice(&text).map_err(|e| format!("{}: {e}", path.display()))?;
            Ok(budget.with_params(RateParams::default()))
        }
    }
}

/// Order calls used so far, by the file of a data folder.
///
/// # Errors
/// The file cannot be read, in words.
pub fn used(dir: &Path, now: Instant) -> Result<OrderUsage, String> {
    read(dir).map(|budget| budget.order_usage(now))
}

const fn call_of(class: CallClass) -> Call {
    match class {
        CallClass::Order { exit } => {
            Call::Order { purpose: if exit { OrderUse::Exit } else { OrderUse::Entry }, modifies: None }
        }
        // The chain's own pace is kept by who polls it; here it counts as what it is.
        CallClass::Data | CallClass::OptionChain { .. } => Call::Data,
        CallClass::Quote => Call::Quote,
        CallClass::NonTrading => Call::NonTrading,
    }
}

impl KeptBudget {
    /// Goes on with what the data folder says was used.
    ///
    /// # Errors
    /// The file cannot be read, in words: how much is left is unknown then.
    pub fn open(dir: &Path, clock: SessionClock) -> Result<KeptBudget, String> {
        Ok(KeptBudget { budget: Mutex::new(read(dir)?), clock, file: dir.join(FILE) })
    }

    fn ask(&self, class: CallClass) -> Permit {
        let mut budget = self.budget.lock().expect("nothing panics while it holds the budget");
        let permit = budget.ask(self.clock.now(), call_of(class));
        if permit == Permit::Go && matches!(class, CallClass::Order { .. }) {
            // A count that cannot be kept is no reason to hold an exit back; the doctor and the log say so.
            if let Err(e) = self.keep(&budget) {
                tracing::error!(target: "rate_budget", error = %e, "what was used could not be kept");
            }
        }
        permit
    }

    fn keep(&self, budget: &RateBudget) -> std::io::Result<()> {
        let folder = self.file.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec(budget)?)?;
        file.persist(&self.file).map(drop).map_err(|e| e.error)
    }
}

impl BudgetPort for KeptBudget {
    fn acquire(&self, class: CallClass) -> BoxFuture<'_, Result<(), NotGranted>> {
        Box::pin(async move {
            loop {
                match self.ask(class) {
                    Permit::Go => return Ok(()),
                    Permit::WaitUntil(at) => self.clock.sleep_until(at).await,
                    Permit::Refused(why) => return Err(NotGranted(why.to_string())),
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_used_survives_a_restart_and_a_file_nobody_can_read_is_no_empty_budget() {
        // B8, F-68
        let dir = tempfile::tempdir().unwrap();
        let now = Instant::from_secs(1_770_700_000);
        let clock = SessionClock::driven(now);
        let budget = KeptBudget::open(dir.path(), clock.clone()).unwrap();
        for exit in [true, false, true] {
            budget.acquire(CallClass::Order { exit }).await.unwrap();
        }
        drop(budget);
        assert_eq!(used(dir.path(), now).unwrap().day, 3);
        let again = KeptBudget::open(dir.path(), clock).unwrap();
        again.acquire(CallClass::Order { exit: true }).await.unwrap();
        assert_eq!(used(dir.path(), now).unwrap().day, 4);
        std::fs::write(dir.path().join(FILE), b"{").unwrap();
        assert!(KeptBudget::open(dir.path(), SessionClock::driven(now)).is_err());
    }
}
