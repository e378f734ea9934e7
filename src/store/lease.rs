//! Who may write and send. The lease is a row with an epoch; every commit renews it and names the epoch, and fails when
//! somebody took over (E6, E8, I20). Away from the database, [`Lease::is_mine`] tells whether the last renewal is fresh
//! enough to act on.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant as Monotonic, SystemTime, UNIX_EPOCH};

use scalper_decide::domain::{Age, Instant};
use uuid::Uuid;

use super::error::{Refusal, StoreError};
use super::link::{Link, args};

/// Name of the lease of the daemon that decides.
pub const ENGINE: &str = "engine";

/// Both clocks at one moment: a machine that slept jumps on the wall, one whose wall was set back does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Nanoseconds on the monotonic clock since the process first asked.
    pub monotonic: i64,
    /// Wall time.
    pub wall: Instant,
}

impl Moment {
    /// Now.
    pub fn now() -> Moment {
        static START: std::sync::LazyLock<Monotonic> = std::sync::LazyLock::new(Monotonic::now);
        let monotonic = i64::try_from(START.elapsed().as_nanos()).expect("a process lives under 292 years");
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).expect("the wall clock reads after 1970");
        Moment { monotonic, wall: Instant::from_nanos(i64::try_from(wall.as_nanos()).expect("before the year 2262")) }
    }

    /// Time between two moments: the longer of what the two clocks say.
    fn since(self, earlier: (i64, i64)) -> i64 {
        (self.monotonic - earlier.0).max(self.wall.nanos() - earlier.1)
    }
}

/// Who wants the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRequest {
    /// Which lease.
    pub name: &'static str,
    /// Host and process, for people.
    pub holder: String,
    /// Host and data folder. Whoever holds the folder's lock proves that an earlier holder from the same place is dead.
    pub place: String,
    /// How long it lasts without renewal.
    pub ttl: Duration,
}

impl LeaseRequest {
    /// The engine's lease for this process and folder.
    pub fn engine(dir: &std::path::Path, ttl: Duration) -> LeaseRequest {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = host.trim();
        let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
        let holder = format!("process {} on {host}, folder {}", std::process::id(), dir.display());
        LeaseRequest { name: ENGINE, holder, place: format!("{host}:{}", dir.display()), ttl }
    }
}

#[derive(Debug)]
struct Held {
    monotonic: AtomicI64,
    wall: AtomicI64,
    lost: AtomicBool,
}

/// A lease that was won. Clones share its state.
#[derive(Debug, Clone)]
pub struct Lease {
    name: &'static str,
    epoch: i64,
    session: Uuid,
    ttl: Duration,
    /// Wall time at which whoever had it before renewed it last; they may act on it for two thirds of its time.
    before: Option<Instant>,
    held: Arc<Held>,
}

impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} epoch {}", self.name, self.epoch)
    }
}

impl Lease {
    /// The epoch every write names.
    pub const fn epoch(&self) -> i64 {
        self.epoch
    }

    /// How long it lasts without renewal.
    pub const fn ttl(&self) -> Duration {
        self.ttl
    }

    /// Wall time from which on nobody who held it before acts on it any more (E8): the time they may, and one call's
    /// patience after a check that just passed.
    pub fn others_are_done_at(&self) -> Option<Instant> {
        let ttl = i64::try_from(self.ttl.as_nanos()).unwrap_or(i64::MAX / 2);
        self.before.map(|renewed| renewed + Age::from_nanos(ttl))
    }

    /// Whether orders may be sent at `now`: the last renewal is younger than two thirds of the lease, by both clocks.
    /// The last third is the margin to whoever takes over. Ask right before each send (E8).
    pub fn is_mine(&self, now: Moment) -> bool {
        let renewed = (self.held.monotonic.load(Ordering::Acquire), self.held.wall.load(Ordering::Acquire));
        let limit = i64::try_from(self.ttl.as_nanos() / 3 * 2).unwrap_or(i64::MAX);
        !self.held.lost.load(Ordering::Acquire) && now.since(renewed) < limit
    }

    /// `sent` is when the renewal was asked for, not when it was answered.
    fn renewed(&self, sent: Moment) {
        self.held.monotonic.store(sent.monotonic, Ordering::Release);
        self.held.wall.store(sent.wall.nanos(), Ordering::Release);
    }

    /// Renews inside a transaction, or tells that somebody took over.
    ///
    /// # Errors
    /// [`StoreError::Fenced`].
    pub(crate) async fn fence(&self, link: &mut Link) -> Result<Moment, StoreError> {
        let sent = Moment::now();
        let sql = "UPDATE lease SET heartbeat_at = $1 WHERE name = $2 AND epoch = $3 AND session = $4";
        let args = args![sent.wall.nanos(), self.name, self.epoch, self.session.to_string()];
        if link.execute(sql, &args).await? == 1 {
            return Ok(sent);
        }
        self.held.lost.store(true, Ordering::Release);
        let now = link.fetch_one("SELECT holder FROM lease WHERE name = $1", &args![self.name]).await?;
        let holder = now.as_ref().map_or(Ok("nobody"), |row| row.text(0))?;
        Err(StoreError::Fenced(holder.to_owned()))
    }

    /// The transaction that fenced at `sent` is durable.
    pub(crate) fn confirm(&self, sent: Moment) {
        self.renewed(sent);
    }

    /// Nothing may be sent any more.
    pub(crate) fn lose(&self) {
        self.held.lost.store(true, Ordering::Release);
    }
}

/// Takes the lease inside a transaction.
///
/// # Errors
/// [`Refusal::LeaseHeld`] while somebody from another place holds it.
pub(crate) async fn take(link: &mut Link, request: &LeaseRequest, session: Uuid) -> Result<Lease, StoreError> {
    let now = Moment::now();
    let sql = match link {
        Link::Sqlite(_) => "SELECT epoch, holder, place, heartbeat_at, ttl_ms FROM lease WHERE name = $1",
        Link::Postgres(_) => "SELECT epoch, holder, place, heartbeat_at, ttl_ms FROM lease WHERE name = $1 FOR UPDATE",
    };
    let (mut epoch, mut before) = (1, None);
    if let Some(row) = link.fetch_one(sql, &args![request.name]).await? {
        let ends = row.int(3)? + row.int(4)? * 1_000_000;
        let left = ends - now.wall.nanos();
        if row.text(2)? != request.place && left > 0 {
            return Err(Refusal::LeaseHeld { holder: row.text(1)?.to_owned(), left: Age::from_nanos(left) }.into());
        }
        epoch = row.int(0)? + 1;
        before = Some(Instant::from_nanos(row.int(3)?));
    }
    let sql = "INSERT INTO lease (name, epoch, session, holder, place, acquired_at, heartbeat_at, ttl_ms) \
               VALUES ($1, $2, $3, $4, $5, $6, $6, $7) ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, \
               session = excluded.session, holder = excluded.holder, place = excluded.place, \
               acquired_at = excluded.acquired_at, heartbeat_at = excluded.heartbeat_at, ttl_ms = excluded.ttl_ms";
    let ttl = i64::try_from(request.ttl.as_millis()).unwrap_or(i64::MAX / 2_000_000);
    let args = args![
        request.name,
        epoch,
        session.to_string(),
        request.holder.as_str(),
        request.place.as_str(),
        now.wall.nanos(),
        ttl,
    ];
    link.execute(sql, &args).await?;
    let held = Held {
        monotonic: AtomicI64::new(now.monotonic),
        wall: AtomicI64::new(now.wall.nanos()),
        lost: AtomicBool::new(false),
    };
    Ok(Lease { name: request.name, epoch, session, ttl: request.ttl, before, held: Arc::new(held) })
}

/// Marks a lease as given back, so that the next holder need not wait.
pub(crate) async fn give_back(link: &mut Link, lease: &Lease) -> Result<(), StoreError> {
    lease.lose();
    let sql = "UPDATE lease SET heartbeat_at = 0 WHERE name = $1 AND epoch = $2 AND session = $3";
    link.execute(sql, &args![lease.name, lease.epoch, lease.session.to_string()]).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(renewed: Moment) -> Lease {
        let held = Held {
            monotonic: AtomicI64::new(renewed.monotonic),
            wall: AtomicI64::new(renewed.wall.nanos()),
            lost: AtomicBool::new(false),
        };
        let (session, ttl) = (Uuid::nil(), Duration::from_secs(9));
        Lease { name: ENGINE, epoch: 3, session, ttl, before: None, held: Arc::new(held) }
    }

    const fn moment(monotonic: i64, wall: i64) -> Moment {
        Moment { monotonic: monotonic * 1_000_000_000, wall: Instant::from_secs(wall) }
    }

    #[test]
    fn a_lease_may_be_acted_on_for_two_thirds_of_its_time() {
        let lease = lease(moment(100, 5_000));
        assert!(lease.is_mine(moment(105, 5_005)));
        assert!(!lease.is_mine(moment(106, 5_006)));
    }

    #[test]
    fn a_machine_that_slept_or_stood_still_does_not_act_on_an_old_lease() {
        // E8: either clock is enough; a wall set back hides nothing.
        let lease = lease(moment(100, 5_000));
        assert!(!lease.is_mine(moment(101, 5_030)));
        assert!(!lease.is_mine(moment(130, 5_001)));
        assert!(!lease.is_mine(moment(130, 4_000)));
        lease.lose();
        assert!(!lease.is_mine(moment(100, 5_000)));
    }
}
