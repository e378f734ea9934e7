//! The database: journal, its projections, and everything else that must survive the process. SQLite and PostgreSQL
//! behind one door; the URL chooses. One thread writes, readers cannot.

pub mod audit;
pub mod backup;
pub mod doors;
pub mod error;
pub mod journal_rows;
pub mod lease;
pub mod link;
pub mod marker;
pub mod master;
pub mod operations;
pub mod place;
pub mod projection;
pub mod replay;
pub mod schema;
pub mod subscriptions;
pub mod tables;
pub mod verify;
pub mod watchlist;
pub mod writer;

use std::path::{Path, PathBuf};

use futures_util::future::BoxFuture;
use scalper_decide::domain::Instant;
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use crate::journal::emergency::{Contents, EmergencyFault, EmergencyFile};
use crate::journal::run::{Mode, NewRun, Run, RunState};
use crate::journal::segment::Segment;
use crate::journal::writer::JournalWriter;
use error::{Refusal, StoreError};
use lease::{Lease, LeaseRequest, Moment};
use link::{Link, Readers, Row, Value, args};
use place::{FolderLock, StoreUrl};
use writer::{Durability, Job, WriterHandle};

/// Whose database it must be (H13).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Who feeds and who executes.
    pub mode: Mode,
    /// The account; empty in sim.
    pub account: String,
}

/// What is opened, and for whom.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// The data folder: lock, emergency journal, backups, and the default database.
    pub dir: PathBuf,
    /// The database.
    pub url: StoreUrl,
    /// Stamped on a new database, checked on a known one. `None` for tools that belong to nobody.
    pub owner: Option<Owner>,
}

impl StoreOptions {
    /// The default database in a data folder.
    pub fn in_folder(dir: &Path, owner: Option<Owner>) -> StoreOptions {
        StoreOptions { dir: dir.to_owned(), url: StoreUrl::default_in(dir), owner }
    }
}

/// An open store. It holds the data folder's lock as long as it lives.
#[derive(Debug)]
pub struct Store {
    readers: Readers,
    handle: WriterHandle,
    url: StoreUrl,
    dir: PathBuf,
    /// `None` beside a process that holds it.
    _lock: Option<FolderLock>,
    session: Uuid,
}

/// Where whoever works beside the holder of the folder's lock keeps an emergency journal.
const BESIDE: &str = "guardian";

impl Store {
    /// Opens the store for writing: takes the folder, brings the schema up to date (a copy of an SQLite file is kept
    /// beside it first), checks the owner, merges what the emergency journal holds.
    ///
    /// # Errors
    /// [`Refusal`] for every reason not to start, [`StoreError`] for faults. Nothing is half open afterwards.
    pub async fn open(options: &StoreOptions) -> Result<Store, StoreError> {
        let lock = FolderLock::take(&options.dir)?;
        let (emergency, contents) = emergency(&options.dir)?;
        let mut link = Link::open(&options.url, true).await?;
        let prepared = prepare(&mut link, options, &contents).await;
        if let Err(e) = prepared {
            link.close().await;
            return Err(e);
        }
        let mut emergency = emergency;
        emergency.reset().map_err(|e| StoreError::ReadOnly(e.to_string()))?;
        // A guardian that worked beside an engine may have left some as well.
        if options.dir.join(BESIDE).is_dir() {
            merge_beside(&mut link, &options.dir).await?;
        }
        Store::over(link, emergency, options, Some(lock))
    }

    /// Opens the store beside a process that holds the folder and does not answer. Take the lease next: everything that
    /// process commits from then on fails. It must be of this schema already, and its emergency journal empty.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_beside(options: &StoreOptions) -> Result<Store, StoreError> {
        let left = std::fs::read(options.dir.join("emergency.journal")).unwrap_or_default();
        match crate::journal::emergency::read(&left) {
            Ok(contents) if contents.records.is_empty() => {}
            _ => return Err(Refusal::Quarantine("the emergency journal is in use".to_owned()).into()),
        }
        let mut link = Link::open(&options.url, false).await?;
        let emergency = merge_beside(&mut link, &options.dir).await?;
        Store::over(link, emergency, options, None)
    }

    /// Takes the room of the emergency journal of [`Store::open_beside`] in advance.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn reserve_beside(dir: &Path) -> Result<(), StoreError> {
        std::fs::create_dir_all(dir.join(BESIDE)).map_err(|e| StoreError::ReadOnly(e.to_string()))?;
        emergency(&dir.join(BESIDE)).map(drop)
    }

    fn over(
        link: Link,
        emergency: EmergencyFile,
        options: &StoreOptions,
        lock: Option<FolderLock>,
    ) -> Result<Store, StoreError> {
        let readers = Readers::new(&options.url)?;
        let handle = writer::start(options.url.clone(), link, emergency);
        let dir = lock.as_ref().map_or_else(|| options.dir.clone(), |lock| lock.dir().to_owned());
        Ok(Store { readers, handle, url: options.url.clone(), dir, _lock: lock, session: Uuid::new_v4() })
    }

    /// Readers of the same database.
    pub const fn readers(&self) -> &Readers {
        &self.readers
    }

    /// The database.
    pub const fn url(&self) -> &StoreUrl {
        &self.url
    }

    /// The data folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Runs one query; its rows. Statements are constants of the program, every value is bound.
    pub async fn fetch(&self, sql: &'static str, args: &[Value]) -> Result<Vec<Row>, StoreError> {
        self.readers.fetch(sql, args).await
    }

    /// How the journal stands, and every change of it.
    pub fn watch(&self) -> watch::Receiver<Durability> {
        self.handle.durability.clone()
    }

    /// Takes the engine's lease; from here on every write is fenced by its epoch (E6, I20).
    ///
    /// # Errors
    /// [`Refusal::LeaseHeld`] or [`StoreError::Fenced`] while another daemon has it.
    pub async fn take_lease(&self, request: LeaseRequest) -> Result<Lease, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Lease(request, self.session, reply))?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Runs `work` in one transaction of the writer, fenced when a lease is held. Any error rolls back.
    ///
    /// # Errors
    /// What `work` says, and faults of the transaction.
    pub async fn transact<T: Send + 'static>(
        &self,
        work: impl for<'a> FnOnce(&'a mut Link) -> BoxFuture<'a, Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.handle.transact(work).await
    }

    /// Announces a run and gives the decision thread its end of the journal. A run before it that never ended is
    /// marked as crashed and recovered.
    ///
    /// # Errors
    /// [`Refusal::Quarantine`] behind a quarantined run, [`Refusal::DayLost`] when the folder remembers a day of this
    /// account that the database does not know (H5).
    pub async fn begin_run(&self, run: NewRun) -> Result<(Run, JournalWriter), StoreError> {
        marker::check(self, &run).await?;
        let remembered = run.clone();
        let (run, tail) = self
            .transact(move |link| {
                Box::pin(async move {
                    let run = journal_rows::insert_run(link, &run).await?;
                    let tail = journal_rows::tail_of(link, &run).await?;
                    Ok((run, tail))
                })
            })
            .await?;
        marker::write(self.dir(), &remembered)?;
        let (reply, answer) = oneshot::channel();
        self.send(Job::Run(Box::new(run.clone()), tail, reply))?;
        answer.await.map_err(|_| StoreError::Closed)?;
        let writer = JournalWriter::new(run.manifest.id, run.manifest.after, self.handle.clone());
        Ok((run, writer))
    }

    /// A person knows that the day's database was lost; the next run of the day starts from the broker's books.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn acknowledge_lost_day(&self) -> Result<(), StoreError> {
        match std::fs::remove_file(marker::path(self.dir())) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(StoreError::ReadOnly(e.to_string())),
            _ => Ok(()),
        }
    }

    /// Says how a run ended. Commit its journal first.
    pub async fn end_run(&self, run: Uuid, state: RunState, at: Instant) -> Result<(), StoreError> {
        self.transact(move |link| Box::pin(journal_rows::set_state(link, run, state, at))).await
    }

    /// Remembers settings by their hash, once.
    pub async fn remember_config(&self, hash: String, settings: String, at: Instant) -> Result<(), StoreError> {
        self.transact(move |link| {
            Box::pin(async move {
                let sql = "INSERT INTO config_history (config_hash, first_seen, settings) VALUES ($1, $2, $3) \
                           ON CONFLICT (config_hash) DO NOTHING";
                link.execute(sql, &args![hash, at.nanos(), settings]).await.map(|_| ())
            })
        })
        .await
    }

    /// Writes everything that waits, gives the lease back and closes all connections.
    pub async fn close(self) {
        let (reply, answer) = oneshot::channel();
        if self.send(Job::Close(reply)).is_ok() {
            let _ = answer.await;
        }
        self.readers.close().await;
    }

    fn send(&self, job: Job) -> Result<(), StoreError> {
        self.handle.send(job)
    }
}

/// Opens the emergency journal of a folder.
fn emergency(dir: &Path) -> Result<(EmergencyFile, Contents), StoreError> {
    EmergencyFile::open(dir).map_err(|e| match e {
        EmergencyFault::Damaged { .. } => Refusal::Quarantine(e.to_string()).into(),
        EmergencyFault::Full => StoreError::Full(e.to_string()),
        EmergencyFault::Io(e) => StoreError::ReadOnly(format!("{}: {e}", dir.display())),
    })
}

/// Takes in what a guardian left in the emergency journal of its own.
async fn merge_beside(link: &mut Link, dir: &Path) -> Result<EmergencyFile, StoreError> {
    let beside = dir.join(BESIDE);
    std::fs::create_dir_all(&beside).map_err(|e| StoreError::ReadOnly(format!("{}: {e}", beside.display())))?;
    let (mut file, contents) = emergency(&beside)?;
    merge(link, &contents).await?;
    file.reset().map_err(|e| StoreError::ReadOnly(e.to_string()))?;
    Ok(file)
}

/// Schema, owner, emergency journal: in this order, each before the next.
async fn prepare(link: &mut Link, options: &StoreOptions, contents: &Contents) -> Result<(), StoreError> {
    let before = schema::version(link).await?;
    if before > 0 && before < schema::NEWEST {
        backup::before_migration(link, options, before).await?;
    }
    schema::migrate(link).await?;
    if let Some(owner) = &options.owner {
        check_owner(link, owner).await?;
    }
    merge(link, contents).await
}

async fn check_owner(link: &mut Link, owner: &Owner) -> Result<(), StoreError> {
    let sql = "INSERT INTO identity (id, mode, account, created_at) VALUES (1, $1, $2, $3) ON CONFLICT (id) DO NOTHING";
    link.execute(sql, &args![owner.mode.name(), owner.account.as_str(), Moment::now().wall.nanos()]).await?;
    let row = link.fetch_one("SELECT mode, account FROM identity", &[]).await?;
    let row = row.ok_or_else(|| StoreError::Damaged("the database belongs to nobody".to_owned()))?;
    let found_mode = Mode::from_name(row.text(0)?)
        .ok_or_else(|| StoreError::Damaged(format!("the database belongs to mode {:?}", row.0[0])))?;
    let found_account = row.text(1)?.to_owned();
    if (found_mode, &found_account) == (owner.mode, &owner.account) {
        return Ok(());
    }
    Err(Refusal::OtherOwner { found_mode, found_account, mode: owner.mode, account: owner.account.clone() }.into())
}

/// Puts into the database what the emergency journal holds, exactly once: what is there already is left alone (H7).
async fn merge(link: &mut Link, contents: &Contents) -> Result<(), StoreError> {
    if contents.records.is_empty() {
        return Ok(());
    }
    link.begin().await?;
    for record in &contents.records {
        let id = record.run;
        let unknown = || Refusal::Quarantine(format!("the emergency journal belongs to run {id}, unknown here"));
        let run = journal_rows::run_named(link, id).await?.ok_or_else(unknown)?;
        let tail = journal_rows::tail_of(link, &run).await?;
        if record.block.last.seq <= tail.seq {
            continue;
        }
        if record.block.first.seq.0 != tail.seq.0 + 1 {
            let gap = format!("events between {} and {} of run {id} are missing", tail.seq, record.block.first.seq);
            return Err(Refusal::Quarantine(gap).into());
        }
        let segment = Segment::seal(id, &record.block, tail.hash);
        journal_rows::insert_segment(link, &segment, 0).await?;
        for row in &record.rows {
            link.execute(row.table.statements().upsert, &row.values).await?;
        }
    }
    link.commit().await
}
