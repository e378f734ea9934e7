//! The rate budget in force, shared by every process of one data folder: the engine, the one after it, the guardian.
//!
//! Each call is a line appended to `rate.log` before it is made, and each process reads what the others appended before
//! it asks. A line goes out in one write that the kernel orders, so nobody holds a lock: a process that is stopped in
//! the middle cannot keep another one from its exits. Nothing is synced and nothing is committed, which would cost more
//! than the call itself; lines survive the death of the process in the kernel's hands. A power cut may lose the last
//! seconds, and a machine takes longer than that to come back. Two processes that ask at the same instant may both be
//! let go; the capacities stand below the broker's limits by more than that (`RateParams`).
//!
//! Windows count session time, like the broker's and the simulator's.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard};

use chrono::NaiveDate;
use futures_util::future::BoxFuture;
use scalper_decide::domain::{Age, ClientOrderId, Instant, Underlying};
use scalper_decide::rate_budget::{Call, Family, OrderUsage, OrderUse, Permit, RateBudget, RateParams, WindowUse};

use super::budget::{BudgetPort, CallClass, ChainKey, NotGranted};
use crate::clock::SessionClock;

/// File name inside the data folder.
pub const FILE: &str = "rate.log";
/// How long an order call waits for its turn: well inside the margin of a lease that was checked before (E8).
const ORDER_PATIENCE: Age = Age::from_secs(2);
/// How long anything else waits.
const READ_PATIENCE: Age = Age::from_secs(5);
/// Lines older than any window.
const OLD: Age = Age::from_mins(61);

/// How the budget stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Every window with a limit.
    pub windows: Vec<WindowUse>,
    /// Calls this process was refused.
    pub refused: u64,
    /// Times the broker said "too many" all the same.
    pub rate_limited: u64,
    /// What is wrong with the file, if anything.
    pub trouble: Option<String>,
}

struct Inner {
    file: File,
    /// Marks our own lines.
    writer: u64,
    /// Bytes of the file that are counted.
    read: u64,
    budget: RateBudget,
    refused: u64,
    rate_limited: u64,
    trouble: Option<String>,
}

/// The budget with its file.
pub struct BudgetLog {
    clock: SessionClock,
    inner: Mutex<Inner>,
}

impl fmt::Debug for BudgetLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BudgetLog").finish_non_exhaustive()
    }
}

/// What a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// A call is about to be made.
    Call(Call),
    /// The broker said "too many".
    TooMany(Family),
}

impl Line {
    fn write(self, writer: u64, at: Instant) -> String {
        let what = match self {
            Line::Call(Call::Order { purpose, modifies }) => {
                let purpose = match purpose {
                    OrderUse::Entry => "entry",
                    OrderUse::Trail => "trail",
                    OrderUse::Exit => "exit",
                };
                modifies.map_or_else(|| purpose.to_owned(), |id| format!("{purpose} {id}"))
            }
            Line::Call(Call::Data) => "data".to_owned(),
            Line::Call(Call::OptionChain { underlying, expiry }) => format!("chain {} {expiry}", underlying.symbol()),
            Line::Call(Call::Quote) => "quote".to_owned(),
            Line::Call(Call::NonTrading) => "other".to_owned(),
            Line::TooMany(family) => format!("too_many {}", name(family)),
        };
        format!("{writer} {} {what}\n", at.nanos())
    }

    /// Writer, time and what it says.
    fn parse(text: &str) -> Option<(u64, Instant, Line)> {
        let mut words = text.split(' ');
        let (writer, at) = (words.next()?.parse().ok()?, Instant::from_nanos(words.next()?.parse().ok()?));
        let (what, first, second) = (words.next()?, words.next(), words.next());
        let order = |purpose| {
            let modifies = match first {
                Some(id) => Some(ClientOrderId::parse(id)?),
                None => None,
            };
            Some(Line::Call(Call::Order { purpose, modifies }))
        };
        let line = match what {
            "entry" => order(OrderUse::Entry)?,
            "trail" => order(OrderUse::Trail)?,
            "exit" => order(OrderUse::Exit)?,
            "data" => Line::Call(Call::Data),
            "quote" => Line::Call(Call::Quote),
            "other" => Line::Call(Call::NonTrading),
            "chain" => {
                let (underlying, expiry) = (Underlying::from_symbol(first?)?, second?.parse().ok()?);
                Line::Call(Call::OptionChain { underlying, expiry })
            }
            "too_many" => {
                let all = [Family::Order, Family::Data, Family::Quote, Family::NonTrading];
                Line::TooMany(all.into_iter().find(|family| name(*family) == first.unwrap_or_default())?)
            }
            _ => return None,
        };
        Some((writer, at, line))
    }
}

/// The word for a family, as in the status.
pub const fn name(family: Family) -> &'static str {
    match family {
        Family::Order => "order",
        Family::Data => "data",
        Family::Quote => "quote",
        Family::NonTrading => "other",
    }
}

/// A call of the client as the budget counts it.
fn call(class: CallClass) -> Call {
    match class {
        CallClass::Order { exit } => {
            Call::Order { purpose: if exit { OrderUse::Exit } else { OrderUse::Entry }, modifies: None }
        }
        CallClass::Change { id, purpose } => Call::Order { purpose, modifies: Some(id) },
        CallClass::Data => Call::Data,
        CallClass::Quote => Call::Quote,
        CallClass::NonTrading => Call::NonTrading,
        CallClass::OptionChain { key: ChainKey { underlying, expiry } } => {
            let underlying = match underlying {
                13 => Underlying::Nifty,
                25 => Underlying::BankNifty,
                51 => Underlying::Sensex,
                // No chain of another index is ever asked for twice within its gap.
                _ => return Call::Data,
            };
            // The list of expiries is a chain without an expiry.
            Call::OptionChain { underlying, expiry: expiry.unwrap_or(NaiveDate::MIN) }
        }
    }
}

/// Order calls that every process of a data folder made so far.
///
/// # Errors
/// The file cannot be read, in words.
pub fn used(dir: &Path, clock: SessionClock) -> Result<OrderUsage, String> {
    let used = BudgetLog::open(dir, RateParams::default(), clock).and_then(|budget| budget.order_usage());
    used.map_err(|e| format!("{}: {e}", dir.join(FILE).display()))
}

/// A number that no other open budget of this machine has.
fn writer() -> u64 {
    static OPENED: AtomicU32 = AtomicU32::new(0);
    u64::from(std::process::id()) << 32 | u64::from(OPENED.fetch_add(1, Ordering::Relaxed))
}

impl BudgetLog {
    /// Opens the budget of a data folder and takes in what was used: what was used stays used.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn open(dir: &Path, params: RateParams, clock: SessionClock) -> io::Result<BudgetLog> {
        let path = dir.join(FILE);
        let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        let (budget, now) = (RateBudget::new(params), clock.now());
        let mut inner = Inner { file, writer: writer(), read: 0, budget, refused: 0, rate_limited: 0, trouble: None };
        if inner.is_over(now)? {
            // The same file, emptied: others that have it open go on with it.
            inner.file.set_len(0)?;
        }
        inner.end_line()?;
        inner.sync(now, true)?;
        Ok(BudgetLog { clock, inner: Mutex::new(inner) })
    }

    /// Order calls made so far.
    pub fn order_usage(&self) -> io::Result<OrderUsage> {
        let now = self.clock.now();
        let mut inner = self.inner();
        inner.sync(now, false)?;
        Ok(inner.budget.order_usage(now))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no panic happens under this lock")
    }

    fn ask(&self, call: Call) -> Result<Permit, NotGranted> {
        let now = self.clock.now();
        let mut inner = self.inner();
        let may_lack = matches!(call, Call::Order { purpose: OrderUse::Entry | OrderUse::Trail, .. });
        inner.trouble = inner.sync(now, false).err().map(|e| e.to_string());
        if let Some(trouble) = inner.trouble.as_ref().filter(|_| may_lack) {
            return Err(NotGranted(format!("{FILE}: {trouble}")));
        }
        let permit = inner.budget.ask(now, call);
        if permit == Permit::Go
            && let Err(e) = inner.write(Line::Call(call), now)
        {
            // What reduces risk goes on with what this process knows; new risk does not (L7).
            inner.trouble = Some(e.to_string());
            if may_lack {
                return Err(NotGranted(format!("{FILE}: {e}")));
            }
        }
        Ok(permit)
    }

    fn refuse(&self, why: impl fmt::Display) -> NotGranted {
        self.inner().refused += 1;
        NotGranted(why.to_string())
    }

    async fn wait_for(&self, call: Call) -> Result<(), NotGranted> {
        let patience = if matches!(call, Call::Order { .. }) { ORDER_PATIENCE } else { READ_PATIENCE };
        let until = self.clock.now() + patience;
        loop {
            match self.ask(call).map_err(|no| self.refuse(no.0))? {
                Permit::Go => return Ok(()),
                Permit::WaitUntil(at) if at <= until => self.clock.sleep_until(at).await,
                Permit::WaitUntil(at) => {
                    return Err(self.refuse(format_args!("the next {call:?} may be made at {}", at.ist_text())));
                }
                Permit::Refused(why) => return Err(self.refuse(why)),
            }
        }
    }

    /// How the budget stands now.
    pub fn standing(&self) -> Standing {
        let now = self.clock.now();
        let mut inner = self.inner();
        let trouble = inner.sync(now, false).err().map(|e| e.to_string());
        Standing {
            windows: inner.budget.usage(now),
            refused: inner.refused,
            rate_limited: inner.rate_limited,
            trouble: inner.trouble.clone().or(trouble),
        }
    }
}

impl Inner {
    /// Whether everything in the file is of an earlier day.
    fn is_over(&self, now: Instant) -> io::Result<bool> {
        let len = self.file.metadata()?.len();
        let mut tail = vec![0; usize::try_from(len.min(256)).expect("a few bytes")];
        let from = len - tail.len() as u64;
        self.file.read_exact_at(&mut tail, from)?;
        let tail = String::from_utf8_lossy(&tail);
        let last = tail.lines().rev().find_map(Line::parse);
        Ok(last.is_some_and(|(_, at, _)| at.ist_date() != now.ist_date() && at + OLD < now))
    }

    /// A line cut off by a full disk must not take the next one with it.
    fn end_line(&mut self) -> io::Result<()> {
        let (len, mut last) = (self.file.metadata()?.len(), [b'\n']);
        if len > 0 {
            self.file.read_exact_at(&mut last, len - 1)?;
        }
        if last == *b"\n" { Ok(()) } else { self.file.write_all(b"\n") }
    }

    fn write(&mut self, line: Line, at: Instant) -> io::Result<()> {
        self.file.write_all(line.write(self.writer, at).as_bytes())
    }

    /// Counts what was appended since the last look; what this one wrote itself is counted already, unless `all` is new.
    fn sync(&mut self, now: Instant, all: bool) -> io::Result<()> {
        if self.file.metadata()?.len() < self.read {
            self.read = 0;
        }
        let mut fresh = Vec::new();
        let mut piece = [0; 4096];
        loop {
            let n = self.file.read_at(&mut piece, self.read + fresh.len() as u64)?;
            fresh.extend_from_slice(&piece[..n]);
            if n == 0 {
                break;
            }
        }
        // A line that is not whole yet is read when it is.
        let whole = fresh.iter().rposition(|b| *b == b'\n').map_or(0, |last| last + 1);
        for text in String::from_utf8_lossy(&fresh[..whole]).lines() {
            match Line::parse(text) {
                Some((writer, ..)) if writer == self.writer && !all => {}
                // A line from the future was written before the clock was set back.
                Some((_, at, Line::Call(call))) => self.budget.count(at.min(now), call),
                Some((_, at, Line::TooMany(family))) => self.budget.refused_for_rate(at.min(now), family),
                // Whatever it was, it counts, as the dearest of calls.
                None => self.budget.count(now, Call::Order { purpose: OrderUse::Exit, modifies: None }),
            }
        }
        self.read += whole as u64;
        Ok(())
    }
}

impl BudgetPort for BudgetLog {
    fn acquire(&self, class: CallClass) -> BoxFuture<'_, Result<(), NotGranted>> {
        Box::pin(self.wait_for(call(class)))
    }

    fn refused_for_rate(&self, class: CallClass) {
        let (now, family) = (self.clock.now(), call(class).family());
        let mut inner = self.inner();
        inner.rate_limited += 1;
        inner.budget.refused_for_rate(now, family);
        if let Err(e) = inner.write(Line::TooMany(family), now) {
            inner.trouble = Some(e.to_string());
        }
    }
}

#[cfg(test)]
#[path = "budget_log_tests.rs"]
mod tests;
