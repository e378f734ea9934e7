//! The one writer: a thread of its own with the only connection that writes. Nothing here runs inside a timeout or a
//! `select`, so no statement is ever cancelled (H9); after any fault the connection is thrown away.
//!
//! Commits that wait are written together in one transaction. While the database does not answer they go to the
//! emergency journal, and into the database in the same order once it does.

mod task;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use scalper_decide::domain::Seq;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{error, warn};
use uuid::Uuid;

use super::error::StoreError;
use super::lease::{Lease, LeaseRequest};
use super::link::Link;
use super::place::StoreUrl;
use crate::journal::emergency::{EmergencyFile, Spilled};
use crate::journal::run::Run;
use crate::journal::segment::Tail;
use task::Writer;

/// How the journal stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Commits reach the database.
    Good,
    /// They do not at the moment: no entries; exits over the emergency journal.
    Degraded(StoreError),
    /// They never will again in this process; exits over the emergency journal, then restart.
    Failed(StoreError),
    /// Somebody else is the daemon now: nothing may be sent.
    Fenced(StoreError),
}

/// What is durable, for everybody who waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durability {
    /// The run that is written; nil before the first. What is said below is about this run only.
    pub run: Uuid,
    /// Last event in the database.
    pub database: Seq,
    /// Last event in the emergency journal; zero when it is empty.
    pub emergency: Seq,
    /// How the journal stands.
    pub health: Health,
    /// How long the last transaction took.
    pub last_commit: Duration,
}

/// Work for the writer inside one transaction.
pub(crate) type Work = Box<dyn for<'a> FnOnce(&'a mut Link) -> BoxFuture<'a, Result<(), StoreError>> + Send>;

pub(crate) enum Job {
    /// A segment and its projections.
    Commit(Arc<Spilled>),
    /// Anything else, in a transaction of its own.
    Transact(Work, oneshot::Sender<Result<(), StoreError>>),
    /// Take a lease; every transaction from here on is fenced by it.
    Lease(LeaseRequest, Uuid, oneshot::Sender<Result<Lease, StoreError>>),
    /// Segments belong to this run from here on.
    Run(Box<Run>, Tail, oneshot::Sender<()>),
    /// Give the lease back and end.
    Close(oneshot::Sender<()>),
}

/// Writes to the emergency journal on behalf of the writer and of impatient exits.
pub(crate) enum Spill {
    Write(Vec<Arc<Spilled>>),
    /// Everything up to here is in the database.
    Merged(Seq),
}

/// Ends of the channels into the writer.
#[derive(Debug, Clone)]
pub(crate) struct WriterHandle {
    pub(crate) jobs: mpsc::UnboundedSender<Job>,
    pub(crate) spills: std::sync::mpsc::Sender<Spill>,
    pub(crate) durability: watch::Receiver<Durability>,
}

impl WriterHandle {
    pub(crate) fn send(&self, job: Job) -> Result<(), StoreError> {
        self.jobs.send(job).map_err(|_| StoreError::Closed)
    }

    /// Runs `work` in one transaction of the writer, fenced when a lease is held. Any error rolls back.
    pub(crate) async fn transact<T: Send + 'static>(
        &self,
        work: impl for<'a> FnOnce(&'a mut Link) -> BoxFuture<'a, Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (give, mut got) = oneshot::channel();
        let work: Work = Box::new(move |link| {
            Box::pin(async move {
                let value = work(link).await?;
                let _ = give.send(value);
                Ok(())
            })
        });
        let (reply, answer) = oneshot::channel();
        self.send(Job::Transact(work, reply))?;
        answer.await.map_err(|_| StoreError::Closed)??;
        got.try_recv().map_err(|_| StoreError::Closed)
    }
}

/// Starts the writer's thread and the emergency journal's.
pub(crate) fn start(url: StoreUrl, link: Link, emergency: EmergencyFile) -> WriterHandle {
    let start = Durability {
        run: Uuid::nil(),
        database: Seq(0),
        emergency: Seq(0),
        health: Health::Good,
        last_commit: Duration::ZERO,
    };
    let (publish, durability) = watch::channel(start);
    let publish = Arc::new(publish);
    let (jobs, inbox) = mpsc::unbounded_channel();
    let (spills, spilled) = std::sync::mpsc::channel();
    let to_emergency = spills.clone();
    let publisher = publish.clone();
    std::thread::Builder::new()
        .name("emergency-journal".to_owned())
        .spawn(move || run_emergency(emergency, &spilled, &publisher))
        .expect("a thread starts");
    std::thread::Builder::new()
        .name("store-writer".to_owned())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
            let writer = Writer::new(url, link, inbox, publish, to_emergency);
            runtime.block_on(writer.serve());
        })
        .expect("a thread starts");
    WriterHandle { jobs, spills, durability }
}

fn run_emergency(
    mut file: EmergencyFile,
    inbox: &std::sync::mpsc::Receiver<Spill>,
    publish: &watch::Sender<Durability>,
) {
    while let Ok(spill) = inbox.recv() {
        match spill {
            Spill::Write(commits) => {
                for commit in commits {
                    match file.append(&commit) {
                        Ok(()) => publish.send_modify(|d| d.emergency = d.emergency.max(commit.block.last.seq)),
                        Err(e) => {
                            error!(target: "journal", "event {} is nowhere durable: {e}", commit.block.last.seq);
                            break;
                        }
                    }
                }
            }
            Spill::Merged(seq) => {
                // What was spilled after the merge began is still needed.
                if publish.borrow().emergency <= seq {
                    match file.reset() {
                        Ok(()) => publish.send_modify(|d| d.emergency = Seq(0)),
                        Err(e) => warn!(target: "journal", "the emergency journal keeps what is merged already: {e}"),
                    }
                }
            }
        }
    }
}
