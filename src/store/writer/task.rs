//! The loop of the writer's thread.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tracing::{error, info, warn};
use uuid::Uuid;

use super::super::error::StoreError;
use super::super::journal_rows;
use super::super::lease::{self, Lease, LeaseRequest};
use super::super::link::Link;
use super::super::place::StoreUrl;
use super::{Durability, Health, Job, Spill, Work};
use crate::failpoint;
use crate::journal::emergency::Spilled;
use crate::journal::run::Run;
use crate::journal::segment::{Segment, Tail};

/// Pauses between attempts to reach a database that does not answer.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// Pause between attempts to get the lock of a session that is about to end.
const GUARD_RETRY: Duration = Duration::from_millis(20);
/// A key of our own in PostgreSQL's space of advisory locks.
const ADVISORY: i64 = 0x5ca1_be12_0000_0001;

pub(super) struct Writer {
    url: StoreUrl,
    link: Option<Link>,
    inbox: mpsc::UnboundedReceiver<Job>,
    /// Commits that are not in the database yet, oldest first.
    queue: VecDeque<Arc<Spilled>>,
    lease: Option<Lease>,
    /// PostgreSQL: the connection that holds the advisory lock.
    guard: Option<Link>,
    run: Option<(Run, Tail)>,
    publish: Arc<watch::Sender<Durability>>,
    spills: std::sync::mpsc::Sender<Spill>,
    pause: Duration,
    dead: bool,
}

impl Writer {
    pub(super) fn new(
        url: StoreUrl,
        link: Link,
        inbox: mpsc::UnboundedReceiver<Job>,
        publish: Arc<watch::Sender<Durability>>,
        spills: std::sync::mpsc::Sender<Spill>,
    ) -> Writer {
        Writer {
            url,
            link: Some(link),
            inbox,
            queue: VecDeque::new(),
            lease: None,
            guard: None,
            run: None,
            publish,
            spills,
            pause: RETRY.0,
            dead: false,
        }
    }

    pub(super) async fn serve(mut self) {
        let mut next = None;
        loop {
            let job = match next.take() {
                Some(job) => Some(job),
                None => match self.wait() {
                    None => self.inbox.recv().await,
                    // Only the waiting for work has a time limit, never the work.
                    Some(limit) => match tokio::time::timeout(limit, self.inbox.recv()).await {
                        Ok(job) => job,
                        Err(_) => {
                            self.idle().await;
                            continue;
                        }
                    },
                },
            };
            match job {
                Some(Job::Commit(commit)) => {
                    self.queue.push_back(commit);
                    while let Ok(more) = self.inbox.try_recv() {
                        match more {
                            Job::Commit(commit) => self.queue.push_back(commit),
                            other => {
                                next = Some(other);
                                break;
                            }
                        }
                    }
                    self.flush().await;
                }
                Some(Job::Transact(work, reply)) => {
                    let _ = reply.send(self.transact(work).await);
                }
                Some(Job::Lease(request, session, reply)) => {
                    let _ = reply.send(self.take_lease(&request, session).await);
                }
                Some(Job::Run(run, tail, reply)) => {
                    self.publish.send_modify(|d| {
                        d.run = run.manifest.id;
                        d.database = tail.seq;
                    });
                    self.run = Some((*run, tail));
                    let _ = reply.send(());
                }
                Some(Job::Close(reply)) => {
                    self.close().await;
                    let _ = reply.send(());
                    return;
                }
                None => return self.close().await,
            }
        }
    }

    /// How long to wait for work before something else is due.
    fn wait(&self) -> Option<Duration> {
        if self.dead {
            return None;
        }
        if !self.queue.is_empty() {
            return Some(self.pause);
        }
        self.lease.as_ref().map(|lease| lease.ttl() / 3)
    }

    async fn idle(&mut self) {
        if self.queue.is_empty() {
            // A heartbeat is a transaction with nothing in it but the fence.
            let beat: Work = Box::new(|_| Box::pin(async { Ok(()) }));
            if let Err(e) = self.transact(beat).await {
                warn!(target: "store", "the lease was not renewed: {e}");
                self.note_fault(e);
            }
        } else {
            self.flush().await;
        }
    }

    async fn close(&mut self) {
        self.flush().await;
        if let Some(lease) = self.lease.take()
            && let Some(link) = &mut self.link
        {
            let _ = lease::give_back(link, &lease).await;
        }
        for link in [self.link.take(), self.guard.take()].into_iter().flatten() {
            link.close().await;
        }
    }

    async fn link(&mut self) -> Result<&mut Link, StoreError> {
        if self.link.is_none() {
            self.link = Some(Link::open(&self.url, false).await.map_err(|e| match e {
                // The file was there when we started: somebody took it away.
                StoreError::Refused(refusal) => StoreError::Damaged(refusal.to_string()),
                other => other,
            })?);
        }
        Ok(self.link.as_mut().expect("just connected"))
    }

    async fn discard_link(&mut self) {
        if let Some(link) = self.link.take() {
            link.close().await;
        }
    }

    /// Writes everything that waits in one transaction, or spills it.
    async fn flush(&mut self) {
        if self.queue.is_empty() {
            return;
        }
        if self.dead {
            return self.spill();
        }
        let begun = std::time::Instant::now();
        match self.write_queue().await {
            Ok(tail) => {
                self.queue.clear();
                self.pause = RETRY.0;
                let (run, known) = self.run.as_mut().expect("commits follow a run");
                *known = tail;
                let recovered = self.publish.borrow().health != Health::Good;
                if recovered {
                    info!(target: "store", run = %run.manifest.id, "the database answers again, nothing was lost");
                }
                self.publish.send_modify(|d| {
                    d.database = tail.seq;
                    d.health = Health::Good;
                    d.last_commit = begun.elapsed();
                });
                if self.publish.borrow().emergency.0 > 0 {
                    let _ = self.spills.send(Spill::Merged(tail.seq));
                }
            }
            Err(fault) => {
                self.discard_link().await;
                self.note_fault(fault);
                if !matches!(self.publish.borrow().health, Health::Fenced(_)) {
                    self.spill();
                }
            }
        }
    }

    /// What is wrong at the moment.
    fn fault(&self) -> Option<StoreError> {
        match &self.publish.borrow().health {
            Health::Good => None,
            Health::Degraded(e) | Health::Failed(e) | Health::Fenced(e) => Some(e.clone()),
        }
    }

    fn spill(&self) {
        let _ = self.spills.send(Spill::Write(self.queue.iter().cloned().collect()));
    }

    fn note_fault(&mut self, fault: StoreError) {
        self.pause = (self.pause * 2).min(RETRY.1);
        let health = match fault {
            StoreError::Fenced(_) => Health::Fenced(fault),
            fault if fault.is_passing() => Health::Degraded(fault),
            fault => Health::Failed(fault),
        };
        self.dead |= !matches!(health, Health::Degraded(_));
        if self.dead
            && let Some(lease) = &self.lease
        {
            lease.lose();
        }
        self.publish.send_if_modified(|d| {
            let changed = std::mem::discriminant(&d.health) != std::mem::discriminant(&health);
            if changed {
                error!(target: "store", "{health:?}");
            }
            d.health = health;
            changed
        });
    }

    async fn write_queue(&mut self) -> Result<Tail, StoreError> {
        self.hold_guard().await?;
        let lease = self.lease.clone();
        let epoch = lease.as_ref().map_or(0, Lease::epoch);
        let (run, mut tail) = {
            let (run, tail) = self.run.as_ref().expect("commits follow a run");
            (run.manifest.id, *tail)
        };
        let queue: Vec<Arc<Spilled>> = self.queue.iter().cloned().collect();
        let link = self.link().await?;
        link.begin().await?;
        let carries_commands = queue.iter().any(|commit| commit.carries_commands());
        let pass = |store, orders| {
            let passed =
                failpoint::pass(store).and_then(|()| if carries_commands { failpoint::pass(orders) } else { Ok(()) });
            passed.map_err(|e| StoreError::Lost(e.to_string()))
        };
        pass("store.before_write", "orders.before_write")?;
        let sent = match &lease {
            Some(lease) => Some(lease.fence(link).await?),
            None => None,
        };
        for commit in &queue {
            if commit.run != run {
                return Err(StoreError::Statement(format!("run {} writes into run {run}", commit.run)));
            }
            let segment = Segment::seal(run, &commit.block, tail.hash);
            journal_rows::insert_segment(link, &segment, epoch).await?;
            for row in &commit.rows {
                link.execute(row.table.statements().upsert, &row.values).await?;
            }
            tail = segment.tail();
        }
        pass("store.after_write", "orders.after_write")?;
        link.commit().await?;
        pass("store.after_commit", "orders.after_commit")?;
        if let (Some(lease), Some(sent)) = (lease, sent) {
            lease.confirm(sent);
        }
        Ok(tail)
    }

    async fn transact(&mut self, work: Work) -> Result<(), StoreError> {
        if self.dead {
            return Err(self.fault().unwrap_or(StoreError::Closed));
        }
        self.flush().await;
        if !self.queue.is_empty() {
            // What was committed before comes first, always: a run must not begin before the one before it is whole.
            return Err(self.fault().unwrap_or(StoreError::Closed));
        }
        self.hold_guard().await?;
        let lease = self.lease.clone();
        let link = self.link().await?;
        let outcome = async {
            link.begin().await?;
            let sent = match &lease {
                Some(lease) => Some(lease.fence(link).await?),
                None => None,
            };
            work(link).await?;
            link.commit().await?;
            Ok(sent)
        }
        .await;
        match outcome {
            Ok(sent) => {
                if let (Some(lease), Some(sent)) = (lease, sent) {
                    lease.confirm(sent);
                }
                self.publish.send_if_modified(|d| {
                    let recovered = matches!(d.health, Health::Degraded(_));
                    if recovered {
                        d.health = Health::Good;
                    }
                    recovered
                });
                Ok(())
            }
            Err(e) => {
                self.discard_link().await;
                if matches!(e, StoreError::Fenced(_)) {
                    self.note_fault(e.clone());
                }
                Err(e)
            }
        }
    }

    async fn take_lease(&mut self, request: &LeaseRequest, session: Uuid) -> Result<Lease, StoreError> {
        self.take_guard(request).await?;
        let link = self.link().await?;
        let outcome = async {
            link.begin().await?;
            let lease = lease::take(link, request, session).await?;
            link.commit().await?;
            Ok(lease)
        }
        .await;
        match outcome {
            Ok(lease) => {
                self.lease = Some(lease.clone());
                Ok(lease)
            }
            Err(e) => {
                self.discard_link().await;
                if let Some(guard) = self.guard.take() {
                    guard.close().await;
                }
                Err(e)
            }
        }
    }

    /// The folder's lock proves that an earlier holder from this place is dead; its session at the server may take a
    /// moment to notice.
    async fn take_guard(&mut self, request: &LeaseRequest) -> Result<(), StoreError> {
        let until = std::time::Instant::now() + request.ttl;
        loop {
            match self.open_guard().await {
                Err(StoreError::Fenced(holder)) => {
                    let sql = "SELECT place FROM lease WHERE name = $1";
                    let row = self.link().await?.fetch_one(sql, &[request.name.into()]).await?;
                    let is_ours = row.is_some_and(|row| row.text(0).is_ok_and(|place| place == request.place));
                    if !is_ours || std::time::Instant::now() >= until {
                        return Err(StoreError::Fenced(holder));
                    }
                    tokio::time::sleep(GUARD_RETRY).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// PostgreSQL: a session that holds an advisory lock for as long as it lives (E6).
    async fn open_guard(&mut self) -> Result<(), StoreError> {
        if !matches!(self.url, StoreUrl::Postgres(_)) {
            return Ok(());
        }
        let mut guard = Link::open(&self.url, false).await?;
        let row = guard.fetch_one("SELECT pg_try_advisory_lock($1)", &[ADVISORY.into()]).await?;
        if row.expect("the function answers").int(0)? == 0 {
            let holder = guard.fetch_one("SELECT holder FROM lease WHERE name = $1", &[lease::ENGINE.into()]).await?;
            let holder = holder.as_ref().map_or(Ok("another session"), |row| row.text(0))?.to_owned();
            guard.close().await;
            return Err(StoreError::Fenced(holder));
        }
        self.guard = Some(guard);
        Ok(())
    }

    /// Makes sure the advisory lock is still ours before anything is written.
    async fn hold_guard(&mut self) -> Result<(), StoreError> {
        if self.lease.is_none() || !matches!(self.url, StoreUrl::Postgres(_)) {
            return Ok(());
        }
        let alive = match &mut self.guard {
            Some(guard) => guard.fetch_one("SELECT 1", &[]).await.is_ok(),
            None => false,
        };
        if alive {
            return Ok(());
        }
        self.guard = None;
        self.open_guard().await
    }
}
